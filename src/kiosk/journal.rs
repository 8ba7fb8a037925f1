//! The kiosk's journal: one SQLite file, `journal.db`, written by nobody else.
//!
//! Invariants:
//! - A line, its bodies and nothing else make one transaction, committed with write-ahead log and
//!   `synchronous=FULL`; both are asserted whenever the file is opened.
//! - [`Journal::append`] returns only after the commit. After a failed write the file is closed;
//!   the next use opens it again, moves its log through the disk once more, checks its tail and
//!   begins a new epoch, so that a number whose fate is unknown is never given to another line.
//! - A damaged file is moved aside and kept (see [`super::rescue`]); a new chain begins that names
//!   the last line that can still be read.
//! - A line is never changed or deleted here.
//! - Answers are on disk only sealed, see [`crate::domain::seal`].

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::rescue;
use crate::clock::{Clock, TOLERANCE_MS};
use crate::domain::ids::{Epoch, Hash, KioskId};
use crate::domain::line::{Event, Line};
use crate::domain::seal::{Answer, SealError, SealingKey};
use crate::domain::series::{Before, Series, Tail, Written};
use crate::domain::time::At;
use crate::domain::{Random, system_random};
use crate::sqlite::{self, OpenError, Schema};

/// The file's name within the kiosk's folder.
pub const FILE: &str = "journal.db";

/// The schema's versions, see [`sqlite::open`].
pub(super) const SCHEMA: Schema = Schema { steps: &[FIRST], unnumbered: false };
const FIRST: &str = "
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

/// How long to wait for whoever else uses the file.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// A log of this many bytes is moved into the file when nobody waits.
const LONG_LOG: u64 = 1 << 20;

/// Why the journal could not be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// SQLite or the disk refused.
    #[error("the journal could not be written: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// An answer could not be sealed.
    #[error("the answer could not be sealed: {0}")]
    Seal(#[from] SealError),
    /// The file is of a newer version, damaged, or its file system is not durable.
    #[error("the journal cannot be used: {0}")]
    Open(OpenError),
    /// Lines are missing or cannot be read.
    #[error("the journal is damaged: {0}")]
    Damaged(&'static str),
    /// A damaged journal could not be moved aside.
    #[error("the damaged journal could not be moved aside: {0}")]
    Aside(#[from] std::io::Error),
    /// The epoch of a contact has ended before the contact did.
    #[error("the journal was begun anew during this visit")]
    EpochEnded,
}

impl From<OpenError> for JournalError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Sqlite(error) => Self::Sqlite(error),
            other => Self::Open(other),
        }
    }
}

impl JournalError {
    /// Whether the file's bytes are wrong, rather than the disk or the moment.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Sqlite(error) => sqlite::is_damage(error),
            Self::Open(error) => error.is_damage(),
            Self::Damaged(_) => true,
            Self::Seal(_) | Self::Aside(_) | Self::EpochEnded => false,
        }
    }

    /// A short reason for staff on the screen, in Vietnamese.
    pub fn for_staff(&self) -> String {
        match self {
            Self::Sqlite(rusqlite::Error::SqliteFailure(error, _)) => match error.code {
                rusqlite::ErrorCode::DiskFull => "Ổ đĩa đã đầy (SQLITE_FULL)".into(),
                // The first pages of the log's index find no room.
                _ if error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE => {
                    "Ổ đĩa đã đầy (SQLITE_FULL)".into()
                }
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
    /// Its hash.
    pub hash: Hash,
}

struct Open {
    db: Connection,
    series: Series,
    epoch_id: i64,
    last_at: At,
    last_mono_ms: u64,
}

impl Open {
    /// The line that tells a jump of the wall clock against the monotonic clock, if there was one.
    fn jump(&self, at: At, mono_ms: u64) -> Option<Line> {
        let wall = milliseconds(at) - milliseconds(self.last_at);
        let step = wall - (mono_ms as i64 - self.last_mono_ms as i64);
        (step.abs() > TOLERANCE_MS)
            .then(|| Line { step_ms: Some(step), ..Line::draft(Event::Clock) })
    }

    /// Tells such a jump before the next line does.
    fn follow_clock(&mut self, at: At, mono_ms: u64) -> Result<(), JournalError> {
        if let Some(clock) = self.jump(at, mono_ms) {
            let written = self.series.write(clock, &[], at, mono_ms)?;
            insert(&self.db, self.epoch_id, &written)?;
            self.last_at = at;
            self.last_mono_ms = mono_ms;
        }
        Ok(())
    }
}

/// The journal, open for writing.
pub struct Journal {
    folder: PathBuf,
    writer: Writer,
    clock: Arc<dyn Clock>,
    random: Box<dyn FnMut() -> Random + Send>,
    weakened: bool,
    /// Whether this process has not opened the file yet.
    first: bool,
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
        let folder = folder.to_owned();
        let mut journal =
            Self { folder, writer, clock, random, weakened: false, first: true, open: None };
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

    /// Whether line `seq` is of the epoch that the next line will be of.
    pub fn holds(&self, seq: u64) -> bool {
        let in_epoch = |open: &Open| open.series.start() < seq && seq < open.series.next();
        self.open.as_ref().is_some_and(in_epoch) && !rescue::is_suspected(&self.folder)
    }

    /// Opens the file and reads its tail. One that is damaged is moved aside, for a new one.
    fn connect(&self) -> Result<(Connection, Before), JournalError> {
        let found = match rescue::damage(&self.folder, self.writer.begun, self.first)? {
            Some(why) => Err(why),
            None => match self.read() {
                Ok(found) if !rescue::is_suspected(&self.folder) => Ok(found),
                Err(error) if !error.is_damage() => return Err(error),
                // A disk that fails for a moment makes a sound file look damaged.
                found => match self.unsound()? {
                    Some(why) => Err(why),
                    None => {
                        rescue::clear(&self.folder)?;
                        Ok(found.or_else(|_| self.read())?)
                    }
                },
            },
        };
        let (found, moved) = match found {
            Ok(found) => (found, false),
            Err(why) => {
                rescue::move_aside(&self.folder, &why)?;
                (self.read()?, true)
            }
        };
        let (db, tail) = found;
        let before = match tail {
            Some(tail) => Before::Line(tail, alive(&db)?),
            None if moved || self.writer.begun => {
                Before::Lost(rescue::tail(&self.folder, &self.writer.kiosk)?)
            }
            None => Before::Nothing,
        };
        Ok((db, before))
    }

    /// What is wrong with the file, looked at as a whole.
    fn unsound(&self) -> Result<Option<String>, JournalError> {
        let look = || -> Result<Option<String>, JournalError> {
            let db = sqlite::open(&self.folder.join(FILE), &SCHEMA, PATIENCE)?;
            tail(&db)?;
            let check: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            let whole: bool = db.query_row(
                "SELECT count(*) = coalesce(max(seq) - min(seq) + 1, 0) FROM line",
                [],
                |row| row.get(0),
            )?;
            let gap = || (!whole).then(|| "a line is missing".to_owned());
            Ok(if check == "ok" { gap() } else { Some(check) })
        };
        match look() {
            Err(error) if error.is_damage() => Ok(Some(error.to_string())),
            looked => looked,
        }
    }

    fn read(&self) -> Result<(Connection, Option<Tail>), JournalError> {
        let db = sqlite::open(&self.folder.join(FILE), &SCHEMA, PATIENCE)?;
        sqlite::settle(&db)?;
        let tail = tail(&db)?;
        Ok((db, tail))
    }

    fn ready(&mut self) -> Result<&mut Open, JournalError> {
        let open = match self.open.take() {
            Some(open) => open,
            None => match self.begin() {
                // Damage may show only when the first line is written.
                Err(error) if error.is_damage() => {
                    rescue::suspect(&self.folder, &error.to_string());
                    self.begin()?
                }
                begun => begun?,
            },
        };
        Ok(self.open.insert(open))
    }

    /// Opens the file and begins a new epoch with its `started` line.
    fn begin(&mut self) -> Result<Open, JournalError> {
        let (db, before) = self.connect()?;
        self.first = false;
        if self.weakened {
            db.pragma_update(None, "synchronous", "NORMAL")?;
        }
        // No visitor waits for a checkpoint.
        db.pragma_update(None, "wal_autocheckpoint", 0)?;
        let at = At::new(self.clock.now());
        let mono_ms = self.clock.mono_ms();
        let ended = match &before {
            Before::Line(tail, alive) => Some(alive.map_or(tail.at, |alive| alive.max(tail.at))),
            Before::Lost(tail) => tail.as_ref().map(|tail| tail.at),
            Before::Nothing => None,
        };
        let (mut series, started) = Series::begin(
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
        // The clock stands before what was written last: that, too, is a jump.
        let step = ended.map_or(0, |ended| milliseconds(at) - milliseconds(ended));
        if step < -TOLERANCE_MS {
            let clock = Line { step_ms: Some(step), ..Line::draft(Event::Clock) };
            let written = series.write(clock, &[], at, mono_ms)?;
            insert(&transaction, epoch_id, &written)?;
        }
        transaction.commit()?;
        self.writer.begun = true;
        Ok(Open { db, series, epoch_id, last_at: at, last_mono_ms: mono_ms })
    }

    /// Commits one line with its answers. Returns after the disk has them.
    pub fn append(&mut self, draft: Line, answers: &[Answer]) -> Result<Committed, JournalError> {
        if rescue::is_suspected(&self.folder) {
            self.open = None;
        }
        let committed = self.try_append(draft, answers);
        self.close_after_failure(committed)
    }

    /// After a failure nothing more is written through this connection; damage is noted, so that
    /// the next use moves the file aside.
    fn close_after_failure<T>(&mut self, done: Result<T, JournalError>) -> Result<T, JournalError> {
        if let Err(error) = &done {
            self.open = None;
            if error.is_damage() {
                rescue::suspect(&self.folder, &error.to_string());
            }
        }
        done
    }

    fn try_append(&mut self, draft: Line, answers: &[Answer]) -> Result<Committed, JournalError> {
        let at = At::new(self.clock.now());
        let mono_ms = self.clock.mono_ms();
        let open = self.ready()?;
        let transaction = open.db.unchecked_transaction()?;
        if let Some(clock) = open.jump(at, mono_ms) {
            let written = open.series.write(clock, &[], at, mono_ms)?;
            insert(&transaction, open.epoch_id, &written)?;
        }
        let written = open.series.write(draft, answers, at, mono_ms)?;
        insert(&transaction, open.epoch_id, &written)?;
        transaction.commit()?;
        open.last_at = at;
        open.last_mono_ms = mono_ms;
        Ok(Committed { epoch: open.series.epoch(), seq: written.seq, at, hash: written.hash })
    }

    /// Tells a jump of the clock, if there was one: an end before the next line would hide it.
    pub fn follow_clock(&mut self) -> Result<(), JournalError> {
        let at = At::new(self.clock.now());
        let mono_ms = self.clock.mono_ms();
        let followed = match &mut self.open {
            Some(open) => open.follow_clock(at, mono_ms),
            None => Ok(()),
        };
        self.close_after_failure(followed)
    }

    /// Notes that the process is alive, so that a later `started` line can say until when it was;
    /// tells a jump of the clock, should no other line come; and moves a long log into the file.
    pub fn note_alive(&mut self) -> Result<(), JournalError> {
        let noted = self.try_note_alive();
        self.close_after_failure(noted)
    }

    fn try_note_alive(&mut self) -> Result<(), JournalError> {
        let at = At::new(self.clock.now());
        let mono_ms = self.clock.mono_ms();
        let log = sqlite::log_of(&self.folder.join(FILE));
        let open = self.ready()?;
        open.follow_clock(at, mono_ms)?;
        open.db.execute(
            "INSERT INTO alive (id, at) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at",
            [at.to_string()],
        )?;
        if std::fs::metadata(log).is_ok_and(|log| log.len() > LONG_LOG) {
            open.db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        }
        Ok(())
    }
}

fn milliseconds(at: At) -> i64 {
    at.timestamp().as_millisecond()
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

fn tail(db: &Connection) -> Result<Option<Tail>, JournalError> {
    let last: Option<Vec<u8>> = db
        .query_row("SELECT bytes FROM line ORDER BY seq DESC LIMIT 1", [], |row| row.get(0))
        .optional()?;
    let Some(bytes) = last else { return Ok(None) };
    let line: Line = serde_json::from_slice(&bytes)
        .map_err(|_| JournalError::Damaged("its last line cannot be read"))?;
    Ok(Some(Tail {
        epoch: line.epoch,
        seq: line.seq,
        hash: Hash::of(&bytes),
        at: line.at,
        stopped: line.event == Event::Stopped,
    }))
}

fn alive(db: &Connection) -> Result<Option<At>, JournalError> {
    let text: Option<String> =
        db.query_row("SELECT at FROM alive", [], |row| row.get(0)).optional()?;
    Ok(text.and_then(|text| At::try_from(text).ok()))
}
