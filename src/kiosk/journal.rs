//! The kiosk's journal: one SQLite file, `journal.db`, written by nobody else.
//!
//! Invariants:
//! - A line, its bodies and nothing else make one transaction, committed with write-ahead log and
//!   `synchronous=FULL`; both are asserted whenever the file is opened.
//! - [`Journal::append`] returns only after the commit. After a failed write the file is closed;
//!   the next use opens it again, checks its tail and begins a new epoch, so that a number whose
//!   fate is unknown is never given to another line.
//! - A line is never changed or deleted here.
//! - Answers are on disk only sealed, see [`crate::domain::seal`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use crate::clock::Clock;
use crate::domain::ids::{Epoch, Hash, KioskId};
use crate::domain::line::{Event, Line};
use crate::domain::seal::{Answer, Kind, SealError, SealingKey};
use crate::domain::series::{Before, SealedBody, Series, Tail, Written};
use crate::domain::time::At;
use crate::domain::{Random, system_random};

/// The file's name within the kiosk's folder.
pub const FILE: &str = "journal.db";

const SCHEMA_VERSION: i64 = 1;
const SCHEMA: &str = "
    CREATE TABLE epoch (
        id      INTEGER PRIMARY KEY,
        epoch   TEXT NOT NULL UNIQUE,
        start   INTEGER NOT NULL,
        before  BLOB NOT NULL,
        enc     BLOB NOT NULL,
        key     TEXT NOT NULL
    ) STRICT;
    CREATE TABLE line (
        seq     INTEGER PRIMARY KEY,
        epoch   INTEGER NOT NULL REFERENCES epoch (id),
        bytes   BLOB NOT NULL
    ) STRICT;
    CREATE TABLE body (
        seq     INTEGER NOT NULL,
        kind    INTEGER NOT NULL,
        bytes   BLOB NOT NULL,
        PRIMARY KEY (seq, kind)
    ) STRICT, WITHOUT ROWID;
    -- One row, overwritten: when the process was last known alive.
    CREATE TABLE alive (
        id      INTEGER PRIMARY KEY CHECK (id = 1),
        at      TEXT NOT NULL
    ) STRICT;
";

/// A jump of the wall clock against the monotonic clock beyond this is a line of its own.
const CLOCK_STEP_MS: i64 = 60_000;

/// Why the journal could not be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// SQLite or the disk refused.
    #[error("the journal could not be written: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// An answer could not be sealed.
    #[error("the answer could not be sealed: {0}")]
    Seal(#[from] SealError),
    /// The file is of a newer version.
    #[error("{0} was written by a newer version of hailong; start that version")]
    Newer(PathBuf),
    /// The file does not do what durability needs.
    #[error("the journal's file system does not allow {0}; put the data folder on a local disk")]
    NotDurable(&'static str),
    /// The last line is not readable.
    #[error("the journal's last line is damaged")]
    Damaged,
}

impl JournalError {
    /// A short reason for staff on the screen, in Vietnamese.
    pub fn for_staff(&self) -> String {
        match self {
            Self::Sqlite(rusqlite::Error::SqliteFailure(error, _)) => match error.code {
                rusqlite::ErrorCode::DiskFull => "Ổ đĩa đã đầy (SQLITE_FULL)".into(),
                rusqlite::ErrorCode::ReadOnly => "Ổ đĩa chỉ cho phép đọc (SQLITE_READONLY)".into(),
                rusqlite::ErrorCode::CannotOpen => {
                    "Không mở được thư mục dữ liệu (SQLITE_CANTOPEN)".into()
                }
                rusqlite::ErrorCode::SystemIoFailure => "Lỗi đọc/ghi ổ đĩa (SQLITE_IOERR)".into(),
                rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase => {
                    "Tệp dữ liệu bị hỏng (SQLITE_CORRUPT)".into()
                }
                code => format!("Không ghi được dữ liệu ({code:?})"),
            },
            other => format!("Không ghi được dữ liệu ({other})"),
        }
    }
}

/// What a journal needs to know of its kiosk.
#[derive(Clone)]
pub struct Writer {
    /// The kiosk.
    pub kiosk: KioskId,
    /// Whom bodies are sealed for.
    pub sealing_key: SealingKey,
    /// Whether a journal was begun before: then a missing file is a lost journal.
    pub begun: bool,
}

/// A committed line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Its epoch.
    pub epoch: Epoch,
    /// Its number.
    pub seq: u64,
    /// Its wall clock.
    pub at: At,
}

struct Open {
    db: Connection,
    series: Series,
    epoch_id: i64,
    last_at: At,
    last_mono_ms: u64,
}

/// The journal, open for writing.
pub struct Journal {
    path: PathBuf,
    writer: Writer,
    clock: Arc<dyn Clock>,
    random: Box<dyn FnMut() -> Random + Send>,
    weakened: bool,
    open: Option<Open>,
}

impl Journal {
    /// Opens or creates `folder/journal.db` and begins a new epoch with its `started` line.
    pub fn open(
        folder: &Path,
        writer: Writer,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, JournalError> {
        Self::open_with(folder, writer, clock, Box::new(system_random))
    }

    /// As [`Journal::open`], with a source of randomness for each epoch.
    pub fn open_with(
        folder: &Path,
        writer: Writer,
        clock: Arc<dyn Clock>,
        random: Box<dyn FnMut() -> Random + Send>,
    ) -> Result<Self, JournalError> {
        let path = folder.join(FILE);
        let mut journal = Self { path, writer, clock, random, weakened: false, open: None };
        journal.ready()?;
        Ok(journal)
    }

    /// Weakens durability to `synchronous=NORMAL`: the negative control of the proof of order.
    #[doc(hidden)]
    pub fn weaken_for_negative_control(&mut self) -> Result<(), JournalError> {
        self.weakened = true;
        if let Some(open) = &self.open {
            open.db.pragma_update(None, "synchronous", "NORMAL")?;
        }
        Ok(())
    }

    /// The epoch now written, if the file is open.
    pub fn epoch(&self) -> Option<Epoch> {
        self.open.as_ref().map(|open| open.series.epoch())
    }

    fn ready(&mut self) -> Result<&mut Open, JournalError> {
        if self.open.is_none() {
            let db = connect(&self.path)?;
            if self.weakened {
                db.pragma_update(None, "synchronous", "NORMAL")?;
            }
            let before = match tail(&db)? {
                Some(tail) => Before::Line(tail, alive(&db)?),
                None if self.writer.begun => Before::Lost,
                None => Before::Nothing,
            };
            let at = At::new(self.clock.now());
            let mono_ms = self.clock.mono_ms();
            let (series, started) = Series::begin(
                self.writer.kiosk.clone(),
                &self.writer.sealing_key,
                before,
                at,
                mono_ms,
                (self.random)(),
            )?;
            let transaction = db.unchecked_transaction()?;
            transaction.execute(
                "INSERT INTO epoch (epoch, start, before, enc, key) VALUES (?, ?, ?, ?, ?)",
                params![
                    series.epoch().to_string(),
                    series.start() as i64,
                    series.before().0,
                    series.enc(),
                    self.writer.sealing_key.id()
                ],
            )?;
            let epoch_id = transaction.last_insert_rowid();
            insert(&transaction, epoch_id, &started)?;
            transaction.commit()?;
            self.writer.begun = true;
            self.open = Some(Open { db, series, epoch_id, last_at: at, last_mono_ms: mono_ms });
        }
        self.open.as_mut().ok_or(JournalError::Damaged)
    }

    /// Commits one line with its answers. Returns after the disk has them.
    pub fn append(&mut self, draft: Line, answers: &[Answer]) -> Result<Committed, JournalError> {
        let committed = self.try_append(draft, answers);
        if committed.is_err() {
            self.open = None;
        }
        committed
    }

    fn try_append(&mut self, draft: Line, answers: &[Answer]) -> Result<Committed, JournalError> {
        let at = At::new(self.clock.now());
        let mono_ms = self.clock.mono_ms();
        let open = self.ready()?;
        let transaction = open.db.unchecked_transaction()?;
        let wall = at.timestamp().as_millisecond() - open.last_at.timestamp().as_millisecond();
        let step = wall - (mono_ms as i64 - open.last_mono_ms as i64);
        if step.abs() > CLOCK_STEP_MS {
            let clock = Line { step_ms: Some(step), ..Line::draft(Event::Clock) };
            let written = open.series.write(clock, &[], at, mono_ms)?;
            insert(&transaction, open.epoch_id, &written)?;
        }
        let written = open.series.write(draft, answers, at, mono_ms)?;
        insert(&transaction, open.epoch_id, &written)?;
        transaction.commit()?;
        open.last_at = at;
        open.last_mono_ms = mono_ms;
        Ok(Committed { epoch: open.series.epoch(), seq: written.seq, at })
    }

    /// Notes that the process is alive, so that a later `started` line can say until when it was.
    pub fn note_alive(&mut self) -> Result<(), JournalError> {
        let at = At::new(self.clock.now());
        let open = self.ready()?;
        open.db.execute(
            "INSERT INTO alive (id, at) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at",
            [at.to_string()],
        )?;
        Ok(())
    }
}

fn insert(db: &Connection, epoch_id: i64, written: &Written) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO line (seq, epoch, bytes) VALUES (?, ?, ?)")?
        .execute(params![written.seq as i64, epoch_id, written.bytes])?;
    for body in &written.bodies {
        db.prepare_cached("INSERT INTO body (seq, kind, bytes) VALUES (?, ?, ?)")?
            .execute(params![body.seq as i64, body.kind as u8, body.bytes])?;
    }
    Ok(())
}

fn connect(path: &Path) -> Result<Connection, JournalError> {
    let db = Connection::open(path)?;
    db.busy_timeout(std::time::Duration::from_secs(5))?;
    let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version > SCHEMA_VERSION {
        return Err(JournalError::Newer(path.to_owned()));
    }
    let mode: String = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(JournalError::NotDurable("a write-ahead log"));
    }
    db.pragma_update(None, "synchronous", "FULL")?;
    let synchronous: i64 = db.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
    if synchronous != 2 {
        return Err(JournalError::NotDurable("synchronous=FULL"));
    }
    if version == 0 {
        let transaction = db.unchecked_transaction()?;
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        transaction.commit()?;
    }
    Ok(db)
}

fn tail(db: &Connection) -> Result<Option<Tail>, JournalError> {
    let last: Option<Vec<u8>> = db
        .query_row("SELECT bytes FROM line ORDER BY seq DESC LIMIT 1", [], |row| row.get(0))
        .optional()?;
    let Some(bytes) = last else { return Ok(None) };
    let line: Line = serde_json::from_slice(&bytes).map_err(|_| JournalError::Damaged)?;
    Ok(Some(Tail {
        epoch: line.epoch,
        seq: line.seq,
        hash: Hash::of(&bytes),
        stopped: line.event == Event::Stopped,
    }))
}

fn alive(db: &Connection) -> Result<Option<At>, JournalError> {
    let text: Option<String> =
        db.query_row("SELECT at FROM alive", [], |row| row.get(0)).optional()?;
    Ok(text.and_then(|text| At::try_from(text).ok()))
}

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
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(folder.join(FILE), flags)?;
        db.busy_timeout(std::time::Duration::from_secs(5))?;
        Ok(Self { db })
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
            epoch: epoch.parse().map_err(|_| JournalError::Damaged)?,
            start: start as u64,
            last: next.map_or(last, |next| next - 1) as u64,
            before: Hash(before),
            enc,
            key,
        }))
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

    /// The lines `first..=last`.
    pub fn lines(&self, first: u64, last: u64) -> Result<Vec<Vec<u8>>, JournalError> {
        let mut statement = self
            .db
            .prepare_cached("SELECT bytes FROM line WHERE seq BETWEEN ? AND ? ORDER BY seq")?;
        let rows = statement.query_map(params![first as i64, last as i64], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
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
            let kind = Kind::from_number(kind).ok_or(JournalError::Damaged)?;
            bodies.push(SealedBody { seq: seq as u64, kind, bytes });
        }
        Ok(bodies)
    }
}
