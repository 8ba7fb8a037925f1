//! One office's day: from the store's tallies to the published summary.

use jiff::ToSpan;
use jiff::civil::Date;

use super::store::{DayRecord, Store, StoreError};
use crate::domain::form::Forms;
use crate::domain::office::Directory;
use crate::domain::summary::{Down, Figures, Setting, Silent, State, Summary, USUAL_DAYS, publish};
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
    let back = |days: u32| date.checked_sub(i64::from(days).days()).unwrap_or(Date::MIN);
    let usual = store.tallies(&office.code, back(USUAL_DAYS), back(1)).await?;
    let setting = Setting {
        directory,
        form,
        forms,
        date,
        state,
        usual: &Figures::of_tallies(usual, forms),
        down: down(directory, &record, date),
        silent: silent(directory, &record, date, state, now),
    };
    Ok(publish(&figures, setting))
}

fn state(directory: &Directory, record: &DayRecord, date: Date, now: At) -> State {
    if now < At::from_civil(date.to_datetime(directory.office.closes)) {
        return State::Open;
    }
    let passed = |progress: &super::store::Progress| {
        progress.enrolled.date() > date || progress.passed.is_some_and(|passed| passed >= date)
    };
    if !record.progress.iter().all(passed) {
        return State::Provisional;
    }
    let last_ticket = At::from_civil(date.at(23, 59, 59, 0)).plus_minutes(VALID_MINUTES);
    if now > last_ticket { State::Final } else { State::Complete }
}

/// Gaps in opening hours, long enough to matter.
fn down(directory: &Directory, record: &DayRecord, date: Date) -> Vec<Down> {
    if !directory.works_on(date.weekday()) {
        return Vec::new();
    }
    let opens = At::from_civil(date.to_datetime(directory.office.opens));
    let closes = At::from_civil(date.to_datetime(directory.office.closes));
    record
        .gaps
        .iter()
        .filter_map(|gap| {
            let (from, to) = (gap.from.max(opens), gap.to.min(closes));
            (from.plus_minutes(DOWN_MINUTES) <= to).then(|| Down {
                kiosk: gap.kiosk.clone(),
                from,
                to,
            })
        })
        .collect()
}

fn silent(
    directory: &Directory,
    record: &DayRecord,
    date: Date,
    state: State,
    now: At,
) -> Vec<Silent> {
    let opened = At::from_civil(date.to_datetime(directory.office.opens));
    let overdue = |heard: Option<At>| {
        heard.map_or(opened, |heard| heard.max(opened)).plus_minutes(SILENT_MINUTES) < now
    };
    record
        .progress
        .iter()
        .filter(|progress| progress.enrolled.date() <= date)
        .filter(|progress| progress.passed.is_none_or(|passed| passed < date))
        .filter(|progress| state != State::Open || overdue(progress.last_heard))
        .map(|progress| Silent { id: progress.kiosk.clone(), last_heard: progress.last_heard })
        .collect()
}
