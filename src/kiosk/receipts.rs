//! The last receipt, in a file of its own beside the journal: a restart goes on where the central
//! service is, and no tap waits for the file to be written.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};

use super::journal::JournalError;
use super::journal_reader::JournalReader;
use crate::domain::receipt::Receipt;
use crate::domain::time::At;
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
    at: Option<At>,
    /// What SQLite calls the file's content when it was last read here.
    seen: Option<i64>,
}

/// How far a receipt reaches in a journal; none when it speaks of a line that is not there, or of
/// another one. Of a line in conflict both are kept by the central service.
pub fn reach(journal: &JournalReader, receipt: &Receipt) -> Result<Option<u64>, JournalError> {
    let watermark = receipt.watermark;
    let reaches = journal
        .head(watermark)?
        .is_some_and(|head| head == receipt.head || receipt.conflicts.contains(&watermark));
    Ok(reaches.then_some(watermark))
}

impl Receipts {
    /// Opens the file in the kiosk's folder and holds its receipt against the journal.
    pub fn open(folder: &Path, journal: &JournalReader) -> Result<Self, ReceiptsError> {
        let db = match connect(folder) {
            Err(error) if error.is_damage() => {
                // Everything is sent once more; the central service knows what it has.
                tracing::error!(%error, "the receipts are damaged; they are kept beside new ones");
                move_aside(folder)?;
                connect(folder)?
            }
            opened => opened?,
        };
        let mut receipts = Self { db, watermark: 0, at: None, seen: None };
        receipts.look(journal)?;
        Ok(receipts)
    }

    /// Looks again when another process has kept a receipt; says whether there was one.
    pub fn look(&mut self, journal: &JournalReader) -> Result<bool, ReceiptsError> {
        let file = OpenError::from;
        let now = self.db.pragma_query_value(None, "data_version", |row| row.get(0));
        let now: i64 = now.map_err(file)?;
        if self.seen.replace(now) == Some(now) {
            return Ok(false);
        }
        let Some((watermark, bytes)) = kept(&self.db).map_err(file)? else { return Ok(false) };
        let receipt: Option<Receipt> = serde_json::from_slice(&bytes).ok();
        // A receipt for more than there is, or for another line, belongs to a journal that is gone.
        let another = match &receipt {
            Some(receipt) if receipt.watermark == watermark => reach(journal, receipt)?.is_none(),
            _ => watermark > journal.last()?,
        };
        self.watermark = if another { 0 } else { watermark };
        self.at = receipt.filter(|_| !another).map(|receipt| receipt.at);
        Ok(true)
    }

    /// Every line up to here is receipted.
    pub fn watermark(&self) -> u64 {
        self.watermark
    }

    /// When the central service wrote the receipt kept here.
    pub fn at(&self) -> Option<At> {
        self.at
    }

    /// Keeps a receipt that was checked, and how far it goes.
    pub fn keep(
        &mut self,
        watermark: u64,
        at: At,
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
        (self.watermark, self.at) = (watermark, Some(at));
        Ok(())
    }
}

fn connect(folder: &Path) -> Result<Connection, OpenError> {
    let db = sqlite::open(&folder.join(FILE), &SCHEMA, PATIENCE)?;
    kept(&db)?;
    Ok(db)
}

/// The receipt in the file, and how far it goes.
fn kept(db: &Connection) -> rusqlite::Result<Option<(u64, Vec<u8>)>> {
    let row = db.query_row("SELECT watermark, bytes FROM receipt", [], |row| {
        Ok((row.get::<_, i64>(0)? as u64, row.get(1)?))
    });
    row.optional()
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
