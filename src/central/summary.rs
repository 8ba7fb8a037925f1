//! One office's day, or several: from the store's tallies to the published summary.

use jiff::ToSpan;
use jiff::civil::Date;

use super::store::{DayRecord, Gap, Progress, Store, StoreError};
use crate::domain::calendar::ms_within;
use crate::domain::form::Forms;
use crate::domain::office::Directory;
use crate::domain::period::{self, Kind, Period};
use crate::domain::signals;
use crate::domain::summary::{
    Available, Down, Figures, Setting, Silent, State, Summary, USUAL_DAYS, publish,
};
use crate::domain::ticket::VALID_MINUTES;
use crate::domain::time::At;

/// A kiosk not heard from for this long in opening hours is named, in minutes.
const SILENT_MINUTES: i64 = 60;
/// A shorter gap in opening hours is a restart, not a down-time, in minutes.
const DOWN_MINUTES: i64 = 5;

/// Why there is no summary.
#[derive(Debug, thiserror::Error)]
pub enum SummaryError {
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No form of the office is in force on the day.
    #[error("no version of the form {0} is in force on {1}; add one to central.toml")]
    NoForm(String, Date),
}

/// The summary of an office's day as of `now`.
pub async fn of_day(
    store: &dyn Store,
    directory: &Directory,
    forms: &Forms,
    date: Date,
    now: At,
) -> Result<Summary, SummaryError> {
    let usual = usual(store, directory, forms, date).await?;
    beside(store, directory, forms, date, now, &usual).await
}

/// The summary of an office's period as of `now`: of its days that have begun, or of the first one if none
/// has. Days before there was a form in force are passed over.
pub async fn of_period(
    store: &dyn Store,
    directory: &Directory,
    forms: &Forms,
    period: Period,
    now: At,
) -> Result<Summary, SummaryError> {
    if period.kind() == Kind::Day {
        return of_day(store, directory, forms, period.from(), now).await;
    }
    let usual = usual(store, directory, forms, period.from()).await?;
    let mut days = Vec::new();
    let mut without = None;
    for date in period.days().take_while(|date| *date <= now.date().max(period.from())) {
        match beside(store, directory, forms, date, now, &usual).await {
            Ok(day) => days.push(day),
            Err(error @ SummaryError::NoForm(..)) => without = without.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    let none = || SummaryError::NoForm(directory.office.form.clone(), period.from());
    period::sum(period, &days).ok_or_else(|| without.unwrap_or_else(none))
}

/// The figures of the days before one.
async fn usual(
    store: &dyn Store,
    directory: &Directory,
    forms: &Forms,
    date: Date,
) -> Result<Figures, SummaryError> {
    let back = |days: u32| date.checked_sub(i64::from(days).days()).unwrap_or(Date::MIN);
    let tallies = store.tallies(&directory.office.code, back(USUAL_DAYS), back(1)).await?;
    Ok(Figures::of_tallies(tallies, forms))
}

/// The summary of a day beside what is usual.
async fn beside(
    store: &dyn Store,
    directory: &Directory,
    forms: &Forms,
    date: Date,
    now: At,
    usual: &Figures,
) -> Result<Summary, SummaryError> {
    let office = &directory.office;
    let form = forms
        .in_force(&office.form, date)
        .ok_or_else(|| SummaryError::NoForm(office.form.clone(), date))?;
    let record = store.day(&office.code, date).await?;
    let state = state(directory, &record, date, now);
    let all = Figures::of_tallies(record.tallies.iter().cloned(), forms);
    let figures = match state {
        State::Final => all,
        _ => {
            let ratings = store.ratings(&office.code, date).await?;
            let in_fives = matches!(state, State::Open | State::Provisional);
            all.in_steps(&ratings, forms, in_fives)
        }
    };
    let open = directory.open_on(date);
    let signals = match (&directory.signals, state) {
        (Some(thresholds), State::Complete | State::Final) => {
            let ratings = store.timed(&office.code, date).await?;
            signals::of(&ratings, &open, state == State::Final, thresholds)
        }
        _ => Vec::new(),
    };
    let setting = Setting {
        directory,
        form,
        forms,
        date,
        state,
        usual,
        down: down(&open, &record),
        available: match (&directory.calendar, state) {
            (Some(_), State::Complete | State::Final) => available(&open, &record, date),
            _ => Vec::new(),
        },
        signals,
        silent: silent(directory, &record, date, state, now),
    };
    Ok(publish(&figures, setting))
}

fn state(directory: &Directory, record: &DayRecord, date: Date, now: At) -> State {
    if record.erased {
        return State::Final;
    }
    if now < At::from_civil(date.to_datetime(directory.office.closes)) {
        return State::Open;
    }
    let passed = |progress: &Progress| {
        progress.enrolled.date() > date || progress.passed.is_some_and(|passed| passed >= date)
    };
    if !record.progress.iter().all(passed) {
        return State::Provisional;
    }
    let last_ticket = At::from_civil(date.at(23, 59, 59, 0)).plus_minutes(VALID_MINUTES);
    if now > last_ticket { State::Final } else { State::Complete }
}

/// Gaps in opening hours, long enough to matter.
fn down(open: &[(At, At)], record: &DayRecord) -> Vec<Down> {
    let within = |gap: &Gap| {
        let (kiosk, from, to) = (gap.kiosk.clone(), gap.from, gap.to);
        open.iter().filter_map(move |(opens, closes)| {
            let (from, to) = (from.max(*opens), to.min(*closes));
            let long = from.plus_minutes(DOWN_MINUTES) <= to;
            long.then(|| Down { kiosk: kiosk.clone(), from, to })
        })
    };
    record.gaps.iter().flat_map(within).collect()
}

/// How long each kiosk that was admitted by the day's end was running: not before it was admitted
/// and first started, and not in any gap.
fn available(open: &[(At, At)], record: &DayRecord, date: Date) -> Vec<Available> {
    let (Some((opens, _)), Some((_, closes))) = (open.first(), open.last()) else {
        return Vec::new();
    };
    let open_minutes = ms_within((*opens, *closes), open) / 60_000;
    let of = |progress: &Progress| {
        let here = progress.first_started.map_or(progress.enrolled, |at| at.max(progress.enrolled));
        let mut away: Vec<(At, At)> = vec![(*opens, here)];
        let gaps = record.gaps.iter().filter(|gap| gap.kiosk == progress.kiosk);
        away.extend(gaps.map(|gap| (gap.from, gap.to)));
        // Gaps of two runs may overlap when a disk was restored.
        away.sort();
        let mut running = Vec::new();
        let mut since = *opens;
        for (from, to) in away {
            running.push((since, from));
            since = since.max(to);
        }
        running.push((since, *closes));
        let ms: u64 = running.into_iter().map(|span| ms_within(span, open)).sum();
        Available { kiosk: progress.kiosk.clone(), minutes: ms / 60_000, open_minutes }
    };
    record.progress.iter().filter(|one| one.enrolled.date() <= date).map(of).collect()
}

fn silent(
    directory: &Directory,
    record: &DayRecord,
    date: Date,
    state: State,
    now: At,
) -> Vec<Silent> {
    let opened = At::from_civil(date.to_datetime(directory.office.opens));
    let works = directory.day_off(date).is_none();
    let overdue = |heard: Option<At>| {
        heard.map_or(opened, |heard| heard.max(opened)).plus_minutes(SILENT_MINUTES) < now
    };
    record
        .progress
        .iter()
        .filter(|progress| progress.enrolled.date() <= date)
        .filter(|progress| progress.passed.is_none_or(|passed| passed < date))
        .filter(|progress| state != State::Open || (works && overdue(progress.last_heard)))
        .map(|progress| Silent { id: progress.kiosk.clone(), last_heard: progress.last_heard })
        .collect()
}
