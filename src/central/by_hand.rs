//! Batches that come by hand: those in the folders of a stick, one folder a kiosk, are handed over
//! in order, and beside each its receipt is written for the way back.
//!
//! How they are handed over is the caller's: to a running service, or into a [`Folder`] of one that
//! does not run. What is not taken is named, and the rest goes on; nothing is ever deleted on a
//! stick, and handing over twice harms nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::offline::{Offline, OfflineError};
use super::service::{in_use, take};
use super::store::{Store, StoreError};
use crate::domain::batch::Unverified;
use crate::domain::ids::KioskId;
use crate::domain::letter::{BATCH, Letter, RECEIPT};
use crate::domain::receipt::Receipt;
use crate::domain::time::At;
use crate::files::{ending_in, read_letter, write_whole};

/// Why a batch was not taken.
#[derive(Debug)]
pub enum NotTaken<E> {
    /// It never will be; others may.
    Refused(String),
    /// Neither will others.
    Ended(E),
}

/// Why an import ended early.
#[derive(Debug, thiserror::Error)]
pub enum ImportError<E> {
    /// The stick's folder.
    #[error("{0}: {1}")]
    Folder(PathBuf, std::io::Error),
    /// There is nothing to import.
    #[error(
        "{0} holds no batches; name the folder that `hailong kiosk export` was told with --out"
    )]
    Nothing(PathBuf),
    /// Whom batches are handed to takes no more.
    #[error("{error}; {taken} batches were taken before, import again")]
    Ended {
        /// Why.
        error: E,
        /// How many batches were taken.
        taken: u64,
    },
}

/// What was taken of one kiosk.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Batches.
    pub batches: u64,
    /// Their lines.
    pub lines: u64,
    /// Lines and bodies of them in quarantine.
    pub quarantined: u64,
    /// Lines that were there before with other bytes.
    pub conflicts: u64,
    /// Ranges of numbers that are missing after the last batch.
    pub holes: Vec<(u64, u64)>,
}

/// What was imported.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// What was taken.
    pub taken: BTreeMap<KioskId, Taken>,
    /// Files that were not, and why.
    pub refused: Vec<(PathBuf, String)>,
}

/// Hands every batch in the folders of a stick's `folder` over, and writes the receipts beside them.
/// `tell` hears of each file.
pub fn import<E>(
    folder: &Path,
    mut hand_over: impl FnMut(&Letter) -> Result<Letter, NotTaken<E>>,
    mut tell: impl FnMut(&Path),
) -> Result<Imported, ImportError<E>> {
    let mut imported = Imported::default();
    let files = batches(folder).map_err(|error| ImportError::Folder(folder.to_owned(), error))?;
    if files.is_empty() {
        return Err(ImportError::Nothing(folder.to_owned()));
    }
    for file in files {
        tell(&file);
        let handed = read_letter(&file).map_err(NotTaken::Refused).and_then(|batch| {
            let header = Unverified::read(&batch.body).map(|unverified| unverified.header);
            let header = header.map_err(|bad| NotTaken::Refused(bad.to_string()))?;
            Ok((header, hand_over(&batch)?))
        });
        let why = match handed {
            Ok((header, letter)) => {
                let taken = imported.taken.entry(header.kiosk).or_default();
                taken.batches += 1;
                taken.lines += u64::from(header.count);
                match serde_json::from_slice::<Receipt>(&letter.body) {
                    Ok(receipt) => {
                        taken.quarantined += receipt.quarantined.len() as u64;
                        taken.conflicts += receipt.conflicts.len() as u64;
                        taken.holes = receipt.holes;
                        let beside = file.with_extension(RECEIPT);
                        match write_whole(&beside, &letter.to_bytes(), false) {
                            Ok(()) => continue,
                            Err(error) => format!("taken, but its receipt is not here: {error}"),
                        }
                    }
                    Err(_) => "taken, but what came back is no receipt".to_owned(),
                }
            }
            Err(NotTaken::Refused(why)) => why,
            Err(NotTaken::Ended(error)) => {
                let taken = imported.taken.values().map(|taken| taken.batches).sum();
                return Err(ImportError::Ended { error, taken });
            }
        };
        imported.refused.push((file, why));
    }
    Ok(imported)
}

/// The batches in the folders of `folder`, in the order of their lines.
fn batches(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut inner = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            inner.push(entry.path());
        }
    }
    inner.sort();
    let mut files = Vec::new();
    for folder in inner {
        // Other folders of the stick are none of ours, and some are nobody's to read.
        files.extend(ending_in(&folder, BATCH).unwrap_or_default());
    }
    Ok(files)
}

/// The data folder of a central service that does not run.
pub struct Folder {
    offline: Offline,
    intake: super::ingest::Intake,
}

impl Folder {
    /// Takes the folder until this is dropped.
    pub fn take(folder: &Path) -> Result<Self, OfflineError> {
        let offline = Offline::take(folder)?;
        let intake = offline.reader();
        Ok(Self { offline, intake })
    }

    /// Takes a batch as the service would.
    pub fn hand_over(&self, batch: &Letter) -> Result<Letter, NotTaken<StoreError>> {
        let Offline { store, keys, clock, runtime, .. } = &self.offline;
        let refused = |bad: &dyn std::fmt::Display| NotTaken::Refused(bad.to_string());
        let unverified = Unverified::read(&batch.body).map_err(|bad| refused(&bad))?;
        let id = &unverified.header.kiosk;
        let kiosk = runtime.block_on(store.kiosk(id)).map_err(NotTaken::Ended)?;
        let kiosk = in_use(kiosk).map_err(|problem| refused(&problem))?;
        let received = At::new(clock.now());
        let verified = self
            .intake
            .verify(unverified, &batch.signature, &kiosk.key, received)
            .map_err(|bad| refused(&bad))?;
        let receipt_key = kiosk.receipt_key.as_deref();
        runtime.block_on(take(store, keys, receipt_key, verified)).map_err(NotTaken::Ended)
    }
}
