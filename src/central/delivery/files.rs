//! Each day's summary as files in a folder: written once the office has closed, and again whenever its figures have
//! changed, until they are final.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use jiff::ToSpan;
use jiff::civil::Date;

use super::{AFTER_CLOSING, DeliveryError, closing};
use crate::central::report::in_language;
use crate::central::service::Central;
use crate::central::spreadsheet::{Spreadsheet, SpreadsheetError};
use crate::central::summary::SummaryError;
use crate::domain::access::{DELIVERY, View};
use crate::domain::ids::{Hash, OfficeCode};
use crate::domain::office::Directory;
use crate::domain::period::Period;
use crate::domain::summary::{State, Summary};
use crate::domain::time::At;
use crate::files::write_whole;

/// Days that are looked at again as long as they are not final: a kiosk may have been without network for weeks.
const LOOKED_AT: i64 = 31;
/// How often days are looked at again, in minutes.
const AGAIN: i64 = 60;

/// Why files were not written; it is tried again.
#[derive(Debug, thiserror::Error)]
enum FilesError {
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    #[error("{0}")]
    Spreadsheet(#[from] SpreadsheetError),
    #[error("{0}: {1}")]
    Folder(PathBuf, std::io::Error),
}

/// What lies in the folder, as far as this process knows.
#[derive(Default)]
pub(super) struct Files {
    days: BTreeMap<(OfficeCode, Date), Day>,
}

/// A day as it lies there.
struct Day {
    digest: Hash,
    state: State,
    /// What had touched it when it was looked at.
    changes: u64,
    looked: At,
}

/// How it went the last time that something was to be written.
#[derive(Debug, Clone, Default)]
pub(super) enum Last {
    /// Nothing was yet.
    #[default]
    Nothing,
    /// It was, then.
    Written(At),
    /// It could not be: why.
    Failed(String),
}

/// Writes what is due; tells [`Last`] of it.
pub(super) async fn write(central: &Arc<Central>) {
    let Some(folder) = &central.config.summaries else { return };
    let last = match days(central, folder).await {
        Ok(0) => return,
        Ok(_) => Last::Written(central.now()),
        Err(error) => {
            tracing::error!(%error, "summaries are not in their folder yet");
            Last::Failed(error.to_string())
        }
    };
    *central.deliveries.last_files.lock().unwrap_or_else(PoisonError::into_inner) = last;
}

async fn days(central: &Arc<Central>, folder: &Path) -> Result<usize, FilesError> {
    let mut files = central.deliveries.files.lock().await;
    let now = central.now();
    let today = now.date();
    let first = today.saturating_sub(LOOKED_AT.days());
    let mut written = 0;
    let mut failed = None;
    for directory in central.offices().iter() {
        for date in first.series(1.day()).take_while(|date| *date <= today) {
            let place = (directory.office.code.clone(), date);
            let changes = central.store.changes(&place.0, date);
            let is_done = |day: &Day| {
                let rests = day.state == State::Final || day.looked.plus_minutes(AGAIN) > now;
                rests && day.changes == changes
            };
            if files.days.get(&place).is_some_and(is_done) {
                continue;
            }
            let closes = closing(central, directory, date).await.map_err(DeliveryError::from)?;
            if closes.is_none_or(|closes| closes.plus_minutes(AFTER_CLOSING) > now) {
                continue;
            }
            let summary = match central.summaries(directory).of_day(date).await {
                Ok(summary) => summary,
                Err(SummaryError::NoForm(..)) => continue,
                Err(error) => return Err(DeliveryError::from(error).into()),
            };
            // An office without a kiosk has no days yet.
            if summary.contacts.opened == 0
                && summary.silent_kiosks.is_empty()
                && summary.available.is_empty()
            {
                continue;
            }
            let (digest, state) = (summary.digest_of(), summary.state);
            let known = match files.days.get(&place) {
                Some(day) => Some((day.digest, day.state)),
                None => lying(file(folder, directory, date, "json")).await,
            };
            if known != Some((digest, state)) {
                let then = central.summaries(directory).directory(Period::day(date)).await;
                let then = then.map_err(DeliveryError::from)?;
                match put(central, folder, &then, &summary).await {
                    Ok(()) => written += 1,
                    // One office's folder that cannot be written keeps no other waiting.
                    Err(error) => {
                        failed.get_or_insert(error);
                        continue;
                    }
                }
            }
            files.days.insert(place, Day { digest, state, changes, looked: now });
        }
    }
    failed.map_or(Ok(written), Err)
}

/// `folder/phu-sa/2026-11-24.`, without an ending.
fn file(folder: &Path, directory: &Directory, date: Date, ending: &str) -> PathBuf {
    folder.join(directory.office.code.as_str()).join(format!("{date}.{ending}"))
}

/// What lies there already.
async fn lying(file: PathBuf) -> Option<(Hash, State)> {
    let bytes = tokio::task::spawn_blocking(move || std::fs::read(file)).await.ok()?.ok()?;
    let summary: Summary = serde_json::from_slice(&bytes).ok()?;
    // It may be damaged, or of another hand.
    let digest = summary.digest_of();
    (digest.to_string() == summary.digest).then_some((digest, summary.state))
}

/// Makes an office's folder. The one that it lies in is somebody else's: below a share that is away none is made in its
/// place.
async fn make(folder: PathBuf) -> Result<(), FilesError> {
    let made = tokio::task::spawn_blocking(move || match std::fs::create_dir(&folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(FilesError::Folder(folder, error))
        }
        _ => Ok(()),
    });
    made.await.map_err(|error| FilesError::Folder(PathBuf::new(), error.into()))?
}

/// Writes a day's files; the JSON last, by which it is known that all are there.
async fn put(
    central: &Central,
    folder: &Path,
    directory: &Directory,
    summary: &Summary,
) -> Result<(), FilesError> {
    let Ok(texts) = in_language(&central.config.texts, None) else { return Ok(()) };
    // Nobody has looked at what could not be written.
    let of_office = folder.join(directory.office.code.as_str());
    make(of_office).await?;
    if summary.by_official.iter().any(|row| row.n > 0 || row.withheld > 0) {
        let (person, office) = (DELIVERY.to_owned(), summary.office.clone());
        let days = (summary.date, summary.date);
        let noted = central.store.looked(person, office, days, View::File).await;
        noted.map_err(DeliveryError::from)?;
    }
    let forms = central.forms();
    let sheet = Spreadsheet::of(summary, directory, &forms, texts);
    let json = serde_json::to_vec_pretty(summary).unwrap_or_default();
    let parts = [("csv", sheet.csv()?), ("xlsx", sheet.xlsx()?), ("json", json)];
    let parts = parts.map(|(ending, bytes)| (file(folder, directory, summary.date, ending), bytes));
    // A share that is away may keep its writer waiting.
    let written = tokio::task::spawn_blocking(move || {
        for (file, bytes) in parts {
            let failed = |error| FilesError::Folder(file.clone(), error);
            write_whole(&file, &bytes, false).map_err(failed)?;
        }
        Ok(())
    });
    written.await.map_err(|error| FilesError::Folder(folder.to_owned(), error.into()))?
}
