//! The last receipt, in a file of its own beside the journal: a restart goes on where the central
//! service is, and no tap waits for the file to be written.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};

use super::journal::JournalError;
use super::journal_reader::JournalReader;
use crate::domain::receipt::Receipt;
use crate::sqlite::{self, OpenError, Schema, log_of};

/// The file's name within the kiosk's folder.
pub const FILE: &str = "receipts.db";

const SCHEMA: Schema = Schema {
    steps: &["CREATE TABLE IF NOT EXISTS receipt (
        id        INTEGER PRIMARY KEY CHECK (id = 1),
        watermark INTEGER NOT NULL,
        bytes     BLOB NOT NULL,
        signature TEXT NOT NULL
    ) STRICT;"],
    unnumbered: true,
};
const PATIENCE: Duration = Duration::from_secs(5);

/// Why receipts could not be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptsError {
    /// The file.
    #[error("the receipts could not be kept: {0}")]
    File(#[from] OpenError),
    /// A damaged file could not be moved aside.
    #[error("the damaged receipts could not be moved aside: {0}")]
    Aside(#[from] std::io::Error),
    /// The journal that they are held against.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// How far the journal is receipted.
pub struct Receipts {
    db: Connection,
    watermark: u64,
}

type Kept = Option<(i64, Vec<u8>)>;

impl Receipts {
    /// Opens the file in the kiosk's folder and holds its receipt against the journal.
    pub fn open(folder: &Path, journal: &JournalReader) -> Result<Self, ReceiptsError> {
        let (db, kept) = match connect(folder) {
            Err(error) if error.is_damage() => {
                // Everything is sent once more; the central service knows what it has.
                tracing::error!(%error, "the receipts are damaged; they are kept beside new ones");
                move_aside(folder)?;
                connect(folder)?
            }
            opened => opened?,
        };
        let last = journal.last()?;
        let (watermark, receipt) = match kept {
            Some((watermark, bytes)) => (watermark as u64, serde_json::from_slice(&bytes).ok()),
            None => (0, None::<Receipt>),
        };
        // A receipt for more than there is, or for another line, belongs to a journal that is gone.
        let another = match receipt {
            Some(receipt) if receipt.watermark == watermark => {
                let here = journal.head(watermark)?;
                here.is_some_and(|head| head != receipt.head)
                    && !receipt.conflicts.contains(&watermark)
            }
            _ => false,
        };
        let watermark = if watermark > last || another { 0 } else { watermark };
        Ok(Self { db, watermark })
    }

    /// Every line up to here is receipted.
    pub fn watermark(&self) -> u64 {
        self.watermark
    }

    /// Keeps a receipt that was checked, and how far it goes.
    pub fn keep(
        &mut self,
        watermark: u64,
        bytes: &[u8],
        signature: &str,
    ) -> Result<(), ReceiptsError> {
        self.db
            .execute(
                "INSERT INTO receipt (id, watermark, bytes, signature) VALUES (1, ?1, ?2, ?3)
                 ON CONFLICT (id) DO UPDATE SET watermark = ?1, bytes = ?2, signature = ?3",
                (watermark as i64, bytes, signature),
            )
            .map_err(OpenError::from)?;
        self.watermark = watermark;
        Ok(())
    }
}

fn connect(folder: &Path) -> Result<(Connection, Kept), OpenError> {
    let db = sqlite::open(&folder.join(FILE), &SCHEMA, PATIENCE)?;
    let kept = db
        .query_row("SELECT watermark, bytes FROM receipt", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok((db, kept))
}

fn move_aside(folder: &Path) -> std::io::Result<()> {
    let file = folder.join(FILE);
    for (from, suffix) in [(file.clone(), ""), (log_of(&file), "-wal")] {
        match std::fs::rename(from, folder.join(format!("{FILE}.damaged{suffix}"))) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
