//! What goes out by itself: each day's summaries, once an office has closed, by mail and as files in a folder; and
//! word of kiosks of which nothing is heard although their office is open, and of when they are heard again.
//!
//! A mail is written once, under a key that says what it tells and to whom, in the transaction that keeps it. From then
//! on it is tried until the mail server takes it. When it is not certain whether it was taken, it is not sent again by
//! itself: the page that lists mails says so, and whoever reads it may ask for it.

pub mod config;
pub mod drafts;
pub mod files;
pub mod mailer;
pub mod page;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::Date;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::config::{MailConfig, Recipient};
use self::drafts::{Draft, Told, Writer};
use self::files::Files;
use self::mailer::{Mailer, Unsent};
use super::kiosks::counter_names;
use super::offices_page::beside_each_other;
use super::offices_table;
use super::service::Central;
use super::store::mail::{Mail, Outcome, Posted};
use super::store::{Heard, Standing, StoreError};
use super::summary::{DARK_MINUTES, SummaryError};
use crate::domain::calendar::quiet_minutes;
use crate::domain::ids::{KioskId, OfficeCode};
use crate::domain::office::Directory;
use crate::domain::period::Period;
use crate::domain::time::At;
use crate::texts::Texts;

/// How often it is looked whether something is to go out.
const LOOK: Duration = Duration::from_secs(60);
/// A day's summary goes out so many minutes after closing: what was rated last is on its way until then.
pub const AFTER_CLOSING: i64 = 5;
/// Days of which a mail is made up for, when the service was away at closing time.
const MADE_UP_FOR: i64 = 7;
/// A mail is tried again after so many minutes, and then each time after the last of them.
const AGAIN: [i64; 4] = [1, 5, 15, 60];
/// After so many days it is not tried any more.
const TRIED_DAYS: i64 = 3;
/// Mails are remembered for so many days.
const KEPT_DAYS: i64 = 90;

/// Why something did not go out; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A summary.
    #[error(transparent)]
    Summary(#[from] SummaryError),
    /// Not a mail server's name.
    #[error("the mail server cannot be asked: {0}")]
    Server(#[from] lettre::transport::smtp::Error),
}

/// What is remembered of deliveries while the service runs.
#[derive(Default)]
pub struct Deliveries {
    writing: tokio::sync::Mutex<()>,
    files: tokio::sync::Mutex<Files>,
    last_files: Mutex<files::Last>,
}

/// Sends what is to go out until the service ends; what fails is tried again. A mail that is on its way is waited for.
pub async fn keep(central: Arc<Central>, mut end: watch::Receiver<bool>) {
    let mut files: Option<JoinHandle<()>> = None;
    loop {
        // A share that hangs holds up no mail.
        if files.as_ref().is_none_or(JoinHandle::is_finished) {
            let central = Arc::clone(&central);
            files = Some(tokio::spawn(async move { files::write(&central).await }));
        }
        write(&central).await;
        while !*end.borrow() && send_next(&central).await {}
        tokio::select! {
            () = central.clock.sleep(LOOK) => {}
            _ = end.wait_for(|ended| *ended) => return,
        }
    }
}

/// Sends what is to go out now.
pub async fn look(central: &Arc<Central>) {
    files::write(central).await;
    write(central).await;
    send_all(central).await;
}

/// Sends what waits.
async fn send_all(central: &Central) {
    while send_next(central).await {}
}

/// Writes the mails that are due.
async fn write(central: &Arc<Central>) {
    // One after the other: what two write at once they would write twice.
    let _one = central.deliveries.writing.lock().await;
    if let Some(mail) = &central.config.mail
        && let Err(error) = post(central, mail).await
    {
        tracing::error!(%error, "mail is not written yet");
    }
}

/// Writes the mails that are due and were not written yet.
async fn post(central: &Arc<Central>, mail: &MailConfig) -> Result<(), DeliveryError> {
    central.store.forget_mail(central.now().plus_minutes(-KEPT_DAYS * 24 * 60)).await?;
    for recipient in &mail.to {
        let begins = match &recipient.office {
            Some(office) => format!("day/{office}/{}/", recipient.address),
            None => format!("day//{}/", recipient.address),
        };
        let last = central.store.last_key(&begins).await?;
        let last = last.and_then(|key| key[begins.len()..].parse::<Date>().ok());
        for date in due(central, recipient, last).await? {
            let Some(draft) = of_day(central, recipient, date).await? else { continue };
            let mails = vec![addressed(format!("{begins}{date}"), recipient, draft)];
            central.store.post(mails, Vec::new(), Vec::new()).await?;
        }
    }
    tell_of_silence(central, mail).await
}

fn addressed(key: String, recipient: &Recipient, draft: Draft) -> Mail {
    Mail { key, to: recipient.address.clone(), subject: draft.subject, text: draft.text }
}

/// Who writes to a recipient.
fn writer<'a>(central: &'a Central, pages: &'a str, recipient: &Recipient) -> Writer<'a> {
    let all = &central.config.texts;
    let asked = all.iter().find(|one| Some(&one.language) == recipient.language.as_ref());
    Writer { texts: asked.unwrap_or(&all[0]), pages, now: central.now() }
}

/// The days, the first one first, of which a recipient is to be told now: those on which one of theirs was open and all
/// have closed, after the last one that they were told of; today alone, when they were told of none.
async fn due(
    central: &Central,
    recipient: &Recipient,
    last: Option<Date>,
) -> Result<Vec<Date>, StoreError> {
    let now = central.now();
    let today = now.date();
    let first = last.map_or(today, |last| {
        last.tomorrow().unwrap_or(last).max(today.saturating_sub(MADE_UP_FOR.days()))
    });
    let offices = central.offices();
    let theirs = |code: &OfficeCode| recipient.office.as_ref().is_none_or(|own| own == code);
    let mut due = Vec::new();
    for date in first.series(1.day()).take_while(|date| *date <= today) {
        let mut closes = None;
        for directory in offices.iter().filter(|directory| theirs(&directory.office.code)) {
            closes = closes.max(closing(central, directory, date).await?);
        }
        if closes.is_some_and(|closes| closes.plus_minutes(AFTER_CLOSING) <= now) {
            due.push(date);
        }
    }
    Ok(due)
}

/// When an office closed on a day, by its hours of then; nothing when it was not open on it.
async fn closing(
    central: &Central,
    directory: &Directory,
    date: Date,
) -> Result<Option<At>, StoreError> {
    let then = central.summaries(directory).directory(Period::day(date)).await?;
    Ok(then.open_on(date).last().map(|(_, closes)| *closes))
}

/// What a recipient is told of a day; nothing before there is a form.
async fn of_day(
    central: &Arc<Central>,
    recipient: &Recipient,
    date: Date,
) -> Result<Option<Draft>, DeliveryError> {
    let pages = central.config.staff_address();
    let writer = writer(central, &pages, recipient);
    let forms = &central.forms();
    let Some(office) = &recipient.office else {
        let offices = beside_each_other(central, |_| true, Period::day(date)).await?;
        return Ok(Some(
            writer.of_offices(&offices, |line| offices_table::why(forms, line, writer.texts)),
        ));
    };
    let Some(directory) = central.directory(office) else {
        tracing::warn!(%office, address = recipient.address, "no such office: no mail");
        return Ok(None);
    };
    let (summaries, day) = (central.summaries(&directory), Period::day(date));
    let (summary, rises) = match summaries.with_rises(day).await {
        Ok(found) => found,
        Err(SummaryError::NoForm(..)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let directory = summaries.directory(day).await?;
    let kiosks = central.store.heard().await?;
    let name = |id: &KioskId| {
        let known = kiosks.iter().find(|one| one.id == *id);
        let counters = |one: &Heard| counter_names(&one.counters, Some(&directory), writer.texts);
        known.map_or_else(|| id.to_string(), counters)
    };
    let rises = offices_table::rises(forms, &rises, writer.texts);
    Ok(Some(writer.of_office(&summary, &rises, &directory, forms, name)))
}

/// Since when nothing is heard of a kiosk, if its office is open and that is for long enough in today's opening hours to
/// be told: since its last word, or since opening.
fn silent_since(one: &Heard, directory: &Directory, now: At) -> Option<At> {
    let open = directory.open_on(now.date());
    let is_open = open.iter().any(|(from, to)| *from <= now && now < *to);
    let (opens, _) = open.first()?;
    // Before it was admitted nobody waited for it.
    let last = one.last().unwrap_or(one.enrolled);
    let since = last.max(*opens);
    let long = quiet_minutes(Some(last), now, &open) >= DARK_MINUTES;
    (is_open && long && one.standing == Standing::InUse).then_some(since)
}

/// Tells of kiosks that fell silent, and of those that are heard again.
async fn tell_of_silence(central: &Central, mail: &MailConfig) -> Result<(), DeliveryError> {
    let (heard, told) = (central.store.heard().await?, central.store.told_silent().await?);
    let now = central.now();
    let (mut fell, mut again, mut over): (Vec<_>, Vec<_>, Vec<_>) = Default::default();
    for one in &heard {
        let directory = central.directory(&one.office);
        match told.iter().find(|(kiosk, _)| *kiosk == one.id) {
            None => {
                let since = directory.and_then(|directory| silent_since(one, &directory, now));
                fell.extend(since.map(|since| (one, since)));
            }
            // Nobody waits for one that is out of use.
            Some(_) if one.standing != Standing::InUse => over.push(one.id.clone()),
            Some((_, since)) if one.last() > Some(*since) => {
                again.push((one, *since));
                over.push(one.id.clone());
            }
            Some(_) => {}
        }
    }
    if fell.is_empty() && over.is_empty() {
        return Ok(());
    }
    let pages = central.config.staff_address();
    let mut mails = Vec::new();
    // Somebody may be told of one office and of all.
    let mut written = BTreeSet::new();
    for recipient in &mail.to {
        let writer = writer(central, &pages, recipient);
        let told = |kiosks: &[(&Heard, At)]| -> Vec<Told> {
            let theirs = kiosks.iter().filter(|(one, _)| {
                recipient.office.as_ref().is_none_or(|office| *office == one.office)
            });
            theirs.map(|(one, since)| words(central, writer.texts, one, *since)).collect()
        };
        let office = recipient.office.as_ref().map_or("", OfficeCode::as_str);
        let mut write = |what: &str, kiosks: Vec<Told>, draft: &dyn Fn(&[Told]) -> Draft| {
            let key = format!("{what}/{office}/{}/{now}", recipient.address);
            if !kiosks.is_empty() && written.insert(key.clone()) {
                mails.push(addressed(key, recipient, draft(&kiosks)));
            }
        };
        write("silent", told(&fell), &|kiosks| writer.of_silent(kiosks, DARK_MINUTES));
        write("heard-again", told(&again), &|kiosks| writer.of_heard_again(kiosks));
    }
    let fell = fell.into_iter().map(|(one, since)| (one.id.clone(), since)).collect();
    Ok(central.store.post(mails, fell, over).await?)
}

fn words(central: &Central, texts: &Texts, one: &Heard, since: At) -> Told {
    let directory = central.directory(&one.office);
    let directory = directory.as_deref();
    Told {
        kiosk: one.id.clone(),
        counters: counter_names(&one.counters, directory, texts),
        office: directory.map_or_else(|| one.office.to_string(), |one| one.office.name.clone()),
        last: one.last(),
        since,
    }
}

/// Sends one of the mails that wait; says whether to go on with another.
async fn send_next(central: &Central) -> bool {
    let Some(mail) = &central.config.mail else { return false };
    let sent = send(central, mail).await;
    sent.inspect_err(|error| tracing::error!(%error, "mail is not sent yet")).unwrap_or(false)
}

async fn send(central: &Central, mail: &MailConfig) -> Result<bool, DeliveryError> {
    let mailer = Mailer::new(mail)?;
    let Some(posted) = central.store.next_mail().await? else { return Ok(false) };
    let sent = mailer.send(&posted.mail).await;
    match &sent {
        Ok(()) => tracing::info!(to = posted.mail.to, key = posted.mail.key, "mail sent"),
        Err(error) => tracing::warn!(%error, to = posted.mail.to, "mail not sent"),
    }
    let go_on = !matches!(sent, Err(Unsent::NoWay(_)));
    let outcome = outcome(sent, &posted, central.now());
    central.store.mail_done(posted.mail.key, outcome).await?;
    Ok(go_on)
}

/// What becomes of a mail that was tried.
fn outcome(sent: Result<(), Unsent>, posted: &Posted, now: At) -> Outcome {
    match sent {
        Ok(()) => Outcome::Sent,
        Err(Unsent::Refused(said)) => Outcome::Refused(said),
        Err(Unsent::Unclear(said)) => Outcome::Unclear(said),
        Err(Unsent::NotNow(said) | Unsent::NoWay(said))
            if posted.written.plus_minutes(TRIED_DAYS * 24 * 60) < now =>
        {
            Outcome::Refused(said)
        }
        Err(Unsent::NotNow(said) | Unsent::NoWay(said)) => {
            let tries = usize::try_from(posted.tries).unwrap_or(usize::MAX);
            let wait = AGAIN[tries.saturating_sub(1).min(AGAIN.len() - 1)];
            Outcome::Again(now.plus_minutes(wait), said)
        }
    }
}
