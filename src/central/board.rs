//! The public board of an office: what citizens answered, how many did, how sure that is, which reasons they gave, and what
//! the office changed because of them. A page for everybody, and the same for a screen in the hall.
//!
//! It shows days that are final: nobody at a counter sees what was rated there just now.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use jiff::ToSpan;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::sign_in_page::busy;
use super::access::who::Who;
use super::decide::DecideError;
use super::pages::Asked;
use super::phone;
use super::service::Central;
use super::staff::{in_language, refuse, render};
use super::store::{Decided, StoreError};
use super::summary::SummaryError;
use crate::domain::decision::{Decision, What};
use crate::domain::form::{About, in_language as worded};
use crate::domain::ids::OfficeCode;
use crate::domain::office::Directory;
use crate::domain::period::Period;
use crate::domain::summary::{Reason, Summary, USUAL_GAP};
use crate::texts::Texts;

/// Weeks on the board. They move by whole ones: two looks differ by a week, never by a day.
const WEEKS: i64 = 4;
/// Most reasons of each kind.
const MOST_REASONS: usize = 4;
/// Most changes that are shown, the latest first; in the hall, where nobody can look further down, and on a page.
const MOST_CHANGES: [usize; 2] = [3, 6];

/// In which language, and whether on a screen in the hall.
#[derive(Debug, Deserialize)]
pub(super) struct AskedBoard {
    lang: Option<String>,
    /// Present for a screen that nobody touches: larger, and made anew by itself.
    hall: Option<String>,
}

/// The days on the board of a day: whole weeks whose tickets have expired.
fn shown_days(today: Date) -> Option<Period> {
    let expired = today.checked_sub(i64::from(USUAL_GAP).days()).ok()?;
    let sunday = expired.checked_sub(i64::from(expired.weekday().to_sunday_zero_offset()).days());
    let last = sunday.ok()?;
    Period::new(last.checked_sub((WEEKS * 7 - 1).days()).ok()?, last).ok()
}

/// `GET /board/{office}`, for everybody.
pub(super) async fn page(
    State(central): State<Arc<Central>>,
    Path(office): Path<String>,
    Query(AskedBoard { lang, hall }): Query<AskedBoard>,
) -> Response {
    let texts = Asked { lang }.texts(&central.config);
    let known = office.parse().ok().and_then(|code: OfficeCode| central.directory(&code));
    let period = shown_days(central.now().date());
    let (Some(directory), Some(period)) = (known, period) else {
        return phone::refusal(&central, texts, StatusCode::NOT_FOUND);
    };
    let summary = match central.summaries(&directory).of_final_days(period).await {
        Ok(summary) => summary.filter(Summary::is_of_several),
        Err(error) => return unread(&central, texts, &error),
    };
    let changes = match changes(&central, &directory.office.code).await {
        Ok(changes) => changes,
        Err(error) => return unread(&central, texts, &error.into()),
    };
    let most = MOST_CHANGES[usize::from(hall.is_none())];
    let changes: Vec<Value> = changes.iter().take(most).map(change_words).collect();
    let path = format!("{}/board/{}", central.config.citizens_base(), directory.office.code);
    let context = json!({
        "b": texts.board,
        "s_texts": texts.summary,
        "period": texts.summary.period(period),
        "figures": summary.map(|summary| figures(&central, texts, &directory, &summary)),
        "changes": changes,
        "hall": hall.is_some(),
        "hall_href": format!("{path}?hall=1&lang={}", texts.language),
        "out_href": format!("{path}?lang={}", texts.language),
    });
    phone::render(&central, texts, &directory.office.name, StatusCode::OK, "board.html", context)
}

fn unread(central: &Central, texts: &Texts, error: &SummaryError) -> Response {
    tracing::error!(%error, "a public board");
    let mut page = phone::refusal(central, texts, StatusCode::SERVICE_UNAVAILABLE);
    // Nobody touches a screen in the hall: it asks again by itself.
    page.headers_mut().insert("refresh", HeaderValue::from_static("60"));
    page
}

/// What an office changed, the latest first.
async fn changes(central: &Central, office: &OfficeCode) -> Result<Vec<Decided>, StoreError> {
    let mut all = central.store.improvements(office).await?;
    all.reverse();
    Ok(all)
}

fn change_words(one: &Decided) -> Value {
    let change = match &one.decision.what {
        What::Improved { change, .. } => change.as_str(),
        _ => "",
    };
    let day = one.at.civil().strftime("%d/%m/%Y").to_string();
    json!({
        "day": day,
        "change": change,
        "because": one.decision.reason,
        "place": format!("{}-{}", one.epoch, one.seq),
        "person": one.decision.person,
    })
}

/// The figures of the board: of the office as a whole, and of nobody in it.
fn figures(central: &Central, texts: &Texts, directory: &Directory, summary: &Summary) -> Value {
    let forms = &central.forms();
    let last = summary.last_day();
    let form = forms.in_force(&directory.office.form, last);
    let one_line = |text: &str| text.replace('\n', " ");
    // Those of the form, and whatever was answered under another one.
    let counted: &[(String, u64)] = summary.levels.as_ref().map_or(&[], |levels| &levels.0);
    let told = forms.levels_told(form, summary.answered());
    let known = |code: &str| told.iter().find(|level| level.code == code);
    let levels: Vec<Value> = counted
        .iter()
        .map(|(code, n)| {
            let level = known(code);
            let label = level.map(|level| one_line(worded(&level.label, &texts.language)));
            let face = level.map_or(3, |level| level.face);
            json!({ "label": label.unwrap_or_else(|| code.clone()), "face": face, "n": n })
        })
        .collect();
    let reasons = |about: &dyn Fn(&Reason) -> bool| -> Vec<Value> {
        let mut some: Vec<&Reason> =
            summary.reasons.iter().filter(|one| one.n > 0 && about(one)).collect();
        some.sort_by_key(|one| std::cmp::Reverse(one.n));
        let words = |one: &&Reason| {
            let text = forms.reason_text(&one.code, &texts.language);
            json!({ "text": text.unwrap_or_else(|| one.code.clone()), "n": one.n })
        };
        some.iter().take(MOST_REASONS).map(words).collect()
    };
    let question = form.map(|form| one_line(worded(&form.question, &texts.language)));
    json!({
        "question": question,
        "n": summary.n,
        "satisfied": summary.satisfied,
        "rate": summary.rate,
        "interval": summary.interval,
        "response_rate": summary.response_rate,
        "served": summary.contacts.served,
        "rated": summary.contacts.rated,
        "has_levels": !counted.is_empty() && summary.n > 0,
        "levels": levels,
        "of_service": reasons(&|one| one.about == About::Official),
        "of_procedure": reasons(&|one| one.about == About::Procedure),
    })
}

/// `GET /improvements/{office}`: what the office told that it changed, for whoever tells it.
pub(super) async fn improvements(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Path(office): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    let texts = asked.texts(&central.config);
    show(&central, texts, &who, &office, None, &BTreeMap::new()).await
}

async fn show(
    central: &Central,
    texts: &Texts,
    who: &Who,
    office: &str,
    said: Option<(&str, bool)>,
    typed: &BTreeMap<String, String>,
) -> Response {
    let code = office.parse().ok().filter(|code| who.has_office(code));
    let Some(directory) = code.and_then(|code: OfficeCode| central.directory(&code)) else {
        return refuse(central, texts, Some(who), true, StatusCode::NOT_FOUND);
    };
    let changes = match changes(central, &directory.office.code).await {
        Ok(changes) => changes,
        Err(error) => return busy(central, texts, &error),
    };
    let changes: Vec<Value> = changes.iter().map(change_words).collect();
    let status = match said {
        Some((_, true)) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::OK,
    };
    let public = central.config.public_url.to_lowercase();
    let context = json!({
        "b": texts.board,
        "office": directory.office.name,
        "board_href": format!("{public}/board/{}", directory.office.code),
        "back": in_language(central, texts, &format!("/summary/{}", directory.office.code)),
        "changes": changes,
        "typed": typed,
        "said": said.map(|(said, _)| said),
        "wrong": said.is_some_and(|(_, wrong)| wrong),
    });
    render(central, texts, Some(who), status, "improvements.html", context)
}

/// `POST /improvements/{office}`: tells another one, or takes one back.
pub(super) async fn change(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Path(office): Path<String>,
    Query(asked): Query<Asked>,
    Form(typed): Form<BTreeMap<String, String>>,
) -> Response {
    let texts = asked.texts(&central.config);
    let b = &texts.board;
    let field = |name: &str| typed.get(name).map_or("", String::as_str).trim().to_owned();
    let Some(code) = office.parse().ok().filter(|code: &OfficeCode| who.has_office(code)) else {
        return refuse(&central, texts, Some(&who), true, StatusCode::NOT_FOUND);
    };
    let (what, reason, good) = match field("do").as_str() {
        "tell" => {
            let what = What::Improved { office: code.clone(), change: field("change") };
            (what, field("because"), &b.told)
        }
        "take-back" => {
            let own = match central.store.improvements(&code).await {
                Ok(own) => own,
                Err(error) => return busy(&central, texts, &error),
            };
            let place = field("place");
            let named = own.iter().find(|one| format!("{}-{}", one.epoch, one.seq) == place);
            let Some(one) = named else {
                return show(&central, texts, &who, &office, Some((&b.gone, true)), &typed).await;
            };
            let what = What::Withdrawn { epoch: one.epoch, seq: one.seq };
            (what, b.taken_back_why.clone(), &b.taken_back)
        }
        _ => return show(&central, texts, &who, &office, None, &typed).await,
    };
    let account = &who.account;
    let person = format!("{} ({})", account.name, account.login);
    let decision = Decision { what, person, reason };
    match central.decide(decision, who.unit().clone()).await {
        Ok(_) => {
            let nothing = BTreeMap::new();
            show(&central, texts, &who, &office, Some((good, false)), &nothing).await
        }
        Err(DecideError::Store(error)) => busy(&central, texts, &error),
        Err(_) => show(&central, texts, &who, &office, Some((&b.shape, true)), &typed).await,
    }
}
