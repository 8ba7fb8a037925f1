//! The journal as it is read beside its writer: by the uploader, and by whoever checks it.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::journal::{FILE, JournalError, PATIENCE, SCHEMA};
use crate::domain::ids::{Epoch, Hash};
use crate::domain::seal::Kind;
use crate::domain::series::SealedBody;
use crate::sqlite;

/// One epoch of the journal as the uploader needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochSpan {
    /// The epoch.
    pub epoch: Epoch,
    /// Number of its `started` line.
    pub start: u64,
    /// Number of its last line.
    pub last: u64,
    /// Hash of the line before `start`.
    pub before: Hash,
    /// Its HPKE encapsulation.
    pub enc: [u8; 32],
    /// The opening key that it is for.
    pub key: String,
}

/// The journal, open for reading beside its writer.
pub struct JournalReader {
    db: Connection,
}

impl JournalReader {
    /// Opens `folder/journal.db` for reading.
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        Ok(Self { db: sqlite::open_read_only(&folder.join(FILE), &SCHEMA, PATIENCE)? })
    }

    /// The epoch that holds line `seq`, if that line is there.
    pub fn epoch_of(&self, seq: u64) -> Result<Option<EpochSpan>, JournalError> {
        let row = self
            .db
            .prepare_cached(
                "SELECT e.epoch, e.start, e.before, e.enc, e.key,
                        (SELECT max(seq) FROM line),
                        (SELECT min(start) FROM epoch n WHERE n.id > e.id)
                 FROM line l JOIN epoch e ON e.id = l.epoch WHERE l.seq = ?",
            )?
            .query_row([seq as i64], |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, i64>(1)?,
                    row.get::<_, [u8; 32]>(2)?,
                    row.get::<_, [u8; 32]>(3)?,
                    row.get::<_, String>(4)?,
                    row.get::<_, i64>(5)?,
                    row.get::<_, Option<i64>>(6)?,
                ))
            })
            .optional()?;
        let Some((epoch, start, before, enc, key, last, next)) = row else { return Ok(None) };
        Ok(Some(EpochSpan {
            epoch: epoch.parse().map_err(|_| JournalError::Damaged("an epoch's name"))?,
            start: start as u64,
            last: next.map_or(last, |next| next - 1) as u64,
            before: Hash(before),
            enc,
            key,
        }))
    }

    /// Whether an epoch is one of this journal.
    pub fn has_epoch(&self, epoch: Epoch) -> Result<bool, JournalError> {
        let query = "SELECT EXISTS (SELECT 1 FROM epoch WHERE epoch = ?)";
        Ok(self.db.prepare_cached(query)?.query_row([epoch.to_string()], |row| row.get(0))?)
    }

    /// Number of the last line, 0 for none.
    pub fn last(&self) -> Result<u64, JournalError> {
        let last: Option<i64> =
            self.db.prepare_cached("SELECT max(seq) FROM line")?.query_row([], |row| row.get(0))?;
        Ok(last.unwrap_or(0) as u64)
    }

    /// The bytes of one line.
    pub fn line(&self, seq: u64) -> Result<Option<Vec<u8>>, JournalError> {
        Ok(self
            .db
            .prepare_cached("SELECT bytes FROM line WHERE seq = ?")?
            .query_row([seq as i64], |row| row.get(0))
            .optional()?)
    }

    /// The hash of one line, 64 zeros for the place before the first.
    pub fn head(&self, seq: u64) -> Result<Option<Hash>, JournalError> {
        if seq == 0 {
            return Ok(Some(Hash::NONE));
        }
        Ok(self.line(seq)?.map(|line| Hash::of(&line)))
    }

    /// The lines `first..=last`, all of them.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] when one is missing.
    pub fn lines(&self, first: u64, last: u64) -> Result<Vec<Vec<u8>>, JournalError> {
        let mut statement = self
            .db
            .prepare_cached("SELECT bytes FROM line WHERE seq BETWEEN ? AND ? ORDER BY seq")?;
        let rows = statement.query_map(params![first as i64, last as i64], |row| row.get(0))?;
        let lines: Vec<Vec<u8>> = rows.collect::<Result<_, _>>()?;
        if lines.len() as u64 != (last + 1).saturating_sub(first) {
            return Err(JournalError::Damaged("a line is missing"));
        }
        Ok(lines)
    }

    /// The bodies of the lines `first..=last`.
    pub fn bodies(&self, first: u64, last: u64) -> Result<Vec<SealedBody>, JournalError> {
        let mut statement = self.db.prepare_cached(
            "SELECT seq, kind, bytes FROM body WHERE seq BETWEEN ? AND ? ORDER BY seq, kind",
        )?;
        let rows = statement.query_map(params![first as i64, last as i64], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, u8>(1)?, row.get::<_, Vec<u8>>(2)?))
        })?;
        let mut bodies = Vec::new();
        for row in rows {
            let (seq, kind, bytes) = row?;
            let kind = Kind::from_number(kind).ok_or(JournalError::Damaged("a body's kind"))?;
            bodies.push(SealedBody { seq: seq as u64, kind, bytes });
        }
        Ok(bodies)
    }
}
