//! The demo's own check: what the kiosks' disks have and what the central service has, matched by
//! (kiosk, epoch, number) between their own databases.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::day::{DemoError, Hall};
use crate::central::store::ContactNumber;
use crate::domain::line::{Event, Line};
use crate::domain::summary::Summary;
use crate::kiosk::desk::DeskError;
use crate::kiosk::journal_reader::JournalReader;

/// Number of a journal's last line.
pub fn last_line(folder: &Path) -> Result<u64, DemoError> {
    let last = JournalReader::open(folder).and_then(|journal| journal.last());
    Ok(last.map_err(DeskError::from)?)
}

/// The contacts of a journal that have a rating, and those of them opened on the summary's day.
fn rated(
    folder: &Path,
    day: jiff::civil::Date,
) -> Result<(BTreeSet<ContactNumber>, u64), DeskError> {
    let journal = JournalReader::open(folder)?;
    let mut rated = BTreeSet::new();
    let mut of_day = 0;
    let last = journal.last()?;
    for first in (1..=last).step_by(500) {
        for bytes in journal.lines(first, (first + 499).min(last))? {
            let Ok(line) = serde_json::from_slice::<Line>(&bytes) else { continue };
            let contact = match line.event {
                Event::Contact if line.body.is_some() => line.seq,
                Event::Changed => line.contact.unwrap_or(line.seq),
                _ => continue,
            };
            let number = ContactNumber {
                kiosk: line.kiosk.to_string(),
                epoch: line.epoch.to_string(),
                seq: contact,
            };
            if rated.insert(number) && line.at.date() == day {
                of_day += 1;
            }
        }
    }
    Ok((rated, of_day))
}

/// Every contact with a rating on a kiosk's disk is in the summary, in quarantine or a conflict.
pub fn nothing_is_missing(
    hall: &Hall,
    folders: &[PathBuf],
    summary: &Summary,
) -> Result<(), DemoError> {
    let store = &hall.central.store;
    let counted: BTreeSet<ContactNumber> =
        hall.runtime.block_on(store.rated_contacts())?.into_iter().collect();
    let found: BTreeSet<ContactNumber> = hall
        .runtime
        .block_on(store.findings())?
        .into_iter()
        .filter(|finding| finding.kind == "quarantine" || finding.kind == "conflict")
        .map(|finding| ContactNumber {
            kiosk: finding.kiosk,
            epoch: finding.epoch,
            seq: finding.seq,
        })
        .collect();
    let (mut all, mut of_day) = (0, 0);
    for folder in folders {
        let (rated, today) = rated(folder, summary.date)?;
        for number in &rated {
            if !counted.contains(number) && !found.contains(number) {
                return Err(DemoError::Broken(format!(
                    "the rating of {}, epoch {}, line {} is on the kiosk and nowhere else",
                    number.kiosk, number.epoch, number.seq
                )));
            }
        }
        all += rated.len();
        of_day += today;
    }
    let quarantined = found.len() as u64;
    if summary.n + quarantined < of_day {
        return Err(DemoError::Broken(format!(
            "{of_day} ratings of the day are on the kiosks and {} in the summary",
            summary.n
        )));
    }
    println!(
        "{all} ratings on the kiosks' disks, each one counted or named at the central service."
    );
    Ok(())
}
