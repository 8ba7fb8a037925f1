//! The journal by hand, for counters without any line: what is not receipted is written into a
//! folder on a stick as the same signed batches that go over the network, and receipts that come
//! back in that folder are taken.
//!
//! The kiosk may run meanwhile: its journal is only read, and its uploader looks at the receipts
//! anew. Every file is there whole or not at all, and the same lines give the same file, so that
//! exporting again harms nothing. Nothing is ever deleted on a stick.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::desk::DeskError;
use super::identity::{Identity, IdentityError};
use super::journal::{FILE, JournalError};
use super::journal_reader::JournalReader;
use super::receipts::{Receipts, ReceiptsError, reach};
use super::rescue::{self, Piece, Rescued};
use super::sender::{self, Sender};
use crate::domain::batch::{BadBatch, MAX_LINES};
use crate::domain::letter::{BATCH, Letter, RECEIPT};
use crate::domain::receipt::Receipt;
use crate::files::{ending_in, read_letter, write_whole};

/// Why nothing more could be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The kiosk is not enrolled.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// Its identity could not be read.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// It never ran.
    #[error("{0} is not there: this kiosk has never run, so there is nothing to export")]
    NoJournal(PathBuf),
    /// The journal could not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The receipts.
    #[error(transparent)]
    Receipts(#[from] ReceiptsError),
    /// A journal that was moved aside could not be read.
    #[error("a damaged journal could not be read: {0}")]
    Aside(std::io::Error),
    /// A batch could not be made.
    #[error("a batch could not be made: {0}")]
    Batch(#[from] BadBatch),
    /// The stick.
    #[error("{}", stick(.file, .error, *.batches))]
    Stick {
        /// What could not be read or written.
        file: PathBuf,
        /// Why.
        error: std::io::Error,
        /// How many batches are on the stick all the same.
        batches: u64,
    },
}

/// Whether a stick has no room left.
pub fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// Whether a stick does not let itself be written to.
pub fn is_locked(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied)
}

fn stick(file: &Path, error: &std::io::Error, batches: u64) -> String {
    let file = file.display();
    let there = format!("{batches} batches are on it, each of them whole");
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            format!("{file} is no folder; put the stick in, and name a folder of it with --out")
        }
        _ if is_full(error) => format!(
            "the stick is full: {there}; make room on it or take another one, and export again"
        ),
        _ if is_locked(error) => format!(
            "{file}: the stick cannot be written to ({error}); take its write protection away or \
             take another one, and export again"
        ),
        _ => format!("{file}: {error}; {there}; take another stick, and export again"),
    }
}

/// What was exported and taken.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Lines written, or found written before.
    pub lines: u64,
    /// Batches they are in.
    pub batches: u64,
    /// Receipts taken that tell more than was known.
    pub receipts: u64,
    /// Every line up to here is receipted.
    pub watermark: u64,
    /// Number of the journal's last line.
    pub last: u64,
    /// Receipts that were not taken, and why.
    pub refused: Vec<(PathBuf, String)>,
}

/// Takes the receipts in the stick's `folder`, and writes there what is not receipted of the kiosk
/// whose own folder is `data`. `tell` hears of each file.
pub fn export(
    data: &Path,
    folder: &Path,
    mut tell: impl FnMut(&Path),
) -> Result<Exported, ExportError> {
    let identity = Identity::load(data)?.ok_or(DeskError::NotEnrolled)?;
    let sender = Sender::of(&identity)?;
    let file = data.join(FILE);
    if !file.exists() {
        return Err(ExportError::NoJournal(file));
    }
    let journal = JournalReader::open(data)?;
    let mut receipts = Receipts::open(data, &journal)?;
    let mut rescued = rescue::unsent(data, &sender.kiosk).map_err(ExportError::Aside)?;
    let mut stick = Stick { folder: folder.join(sender.kiosk.as_str()), done: Exported::default() };
    stick.open(folder)?;
    let brought = stick.receipts(&sender)?;
    stick.take(brought, &journal, &mut receipts, &mut rescued)?;
    for piece in rescued.into_iter().flat_map(|rescued| rescued.pieces) {
        stick.write(&sender, piece, &mut tell)?;
    }
    let mut written = receipts.watermark();
    while let Some((plan, piece)) = sender::next(&journal, written, MAX_LINES)? {
        written = plan.last;
        stick.write(&sender, piece, &mut tell)?;
    }
    let (watermark, last) = (receipts.watermark(), written);
    Ok(Exported { watermark, last, ..stick.done })
}

/// The kiosk's folder on a stick.
struct Stick {
    folder: PathBuf,
    done: Exported,
}

impl Stick {
    fn failed(&self, file: &Path, error: std::io::Error) -> ExportError {
        ExportError::Stick { file: file.to_owned(), error, batches: self.done.batches }
    }

    /// Makes the kiosk's folder; not the one around it: where no stick is, nothing is written.
    fn open(&self, around: &Path) -> Result<(), ExportError> {
        if !around.is_dir() {
            return Err(self.failed(around, ErrorKind::NotADirectory.into()));
        }
        match std::fs::create_dir(&self.folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(self.failed(&self.folder, error));
            }
            _ => {}
        }
        // Nor through a link that leads elsewhere.
        match std::fs::symlink_metadata(&self.folder) {
            Ok(found) if found.is_dir() => Ok(()),
            Ok(_) => Err(self.failed(&self.folder, ErrorKind::NotADirectory.into())),
            Err(error) => Err(self.failed(&self.folder, error)),
        }
    }

    /// Writes lines that are not receipted, in as many files as they need.
    fn write(
        &mut self,
        sender: &Sender,
        piece: Piece,
        tell: &mut impl FnMut(&Path),
    ) -> Result<(), ExportError> {
        let batch = match sender.pack(&piece) {
            Err(BadBatch::TooLarge) => {
                let halves = piece.halves().ok_or(BadBatch::TooLarge)?;
                return halves.into_iter().try_for_each(|half| self.write(sender, half, tell));
            }
            packed => packed?,
        };
        let (first, last, epoch) = (batch.header.first, batch.header.last(), batch.header.epoch);
        // Names sort as the lines do.
        let file = self.folder.join(format!("{first:09}-{last:09}-{epoch}.{BATCH}"));
        let bytes = Letter::of(batch).to_bytes();
        if std::fs::read(&file).ok().as_ref() != Some(&bytes) {
            write_whole(&file, &bytes, false).map_err(|error| self.failed(&file, error))?;
        }
        self.done.lines += last + 1 - first;
        self.done.batches += 1;
        tell(&file);
        Ok(())
    }

    /// The receipts on the stick that the central service signed for this kiosk; others are named.
    fn receipts(
        &mut self,
        sender: &Sender,
    ) -> Result<Vec<(PathBuf, Letter, Receipt)>, ExportError> {
        let files = ending_in(&self.folder, RECEIPT);
        let mut brought = Vec::new();
        for file in files.map_err(|error| self.failed(&self.folder, error))? {
            let read = read_letter(&file).and_then(|letter| {
                let receipt = sender.believe(&letter.body, &letter.signature);
                Ok((receipt.map_err(|bad| bad.to_string())?, letter))
            });
            match read {
                Ok((receipt, letter)) => brought.push((file, letter, receipt)),
                Err(why) => self.done.refused.push((file, why)),
            }
        }
        Ok(brought)
    }

    /// Goes where the newest of the receipts says, as the uploader does: forward, or back when the
    /// central service has lost lines. What a receipt kept before says better is left as it is.
    fn take(
        &mut self,
        mut brought: Vec<(PathBuf, Letter, Receipt)>,
        journal: &JournalReader,
        receipts: &mut Receipts,
        rescued: &mut Vec<Rescued>,
    ) -> Result<(), ExportError> {
        brought.sort_by_key(|(_, _, receipt)| (receipt.at, receipt.watermark));
        for (file, letter, receipt) in brought {
            let covered = rescued.extract_if(.., |rescued| rescued.is_covered(&receipt));
            for rescued in covered {
                rescued.sent().map_err(ExportError::Aside)?;
            }
            // Of a journal that is gone: of no more use.
            if !journal.has_epoch(receipt.epoch)? {
                continue;
            }
            let Some(watermark) = reach(journal, &receipt)? else {
                let why = format!(
                    "the central service has another line {} than this journal; was this disk \
                     restored or cloned? A person must look",
                    receipt.watermark
                );
                self.done.refused.push((file, why));
                continue;
            };
            if (Some(receipt.at), watermark) > (receipts.at(), receipts.watermark()) {
                receipts.keep(watermark, receipt.at, &letter.body, &letter.signature)?;
                self.done.receipts += 1;
            }
        }
        Ok(())
    }
}
