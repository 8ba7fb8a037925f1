//! Tables of the SQLite store, and opening a connection as durability needs it.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::central::store::StoreError;

/// The schema step by step: a database of version n was made by the first n steps.
const STEPS: [&str; 2] = [FIRST, WORDS];
const FIRST: &str = "
    CREATE TABLE kiosk (
        number     INTEGER PRIMARY KEY,
        id         TEXT NOT NULL UNIQUE,
        office     TEXT NOT NULL,
        counter    TEXT NOT NULL,
        key        BLOB NOT NULL,
        ticket_key BLOB NOT NULL,
        enrolled   TEXT NOT NULL,
        passed     TEXT,
        last_heard TEXT
    ) STRICT;
    CREATE TABLE enrolment_code (
        code    BLOB PRIMARY KEY,
        kiosk   TEXT NOT NULL,
        office  TEXT NOT NULL,
        counter TEXT NOT NULL,
        expires TEXT NOT NULL,
        used_by BLOB
    ) STRICT, WITHOUT ROWID;

    -- One epoch of a kiosk. What its `started` line tells is null until that is here.
    CREATE TABLE branch (
        id         INTEGER PRIMARY KEY,
        kiosk      TEXT NOT NULL,
        epoch      TEXT NOT NULL,
        start      INTEGER NOT NULL,
        prev_epoch TEXT,
        prev_seq   INTEGER,
        rooted     INTEGER NOT NULL DEFAULT 0,
        superseded INTEGER NOT NULL DEFAULT 0,
        UNIQUE (kiosk, epoch)
    ) STRICT;
    -- Which numbers of a branch are here, as few ranges as possible.
    CREATE TABLE range (
        branch INTEGER NOT NULL,
        first  INTEGER NOT NULL,
        last   INTEGER NOT NULL,
        PRIMARY KEY (branch, first)
    ) STRICT, WITHOUT ROWID;
    -- A batch as received. Lines are never rewritten; bodies only by erasure and retention.
    CREATE TABLE segment (
        id        INTEGER PRIMARY KEY,
        branch    INTEGER NOT NULL,
        first     INTEGER NOT NULL,
        last      INTEGER NOT NULL,
        header    BLOB NOT NULL,
        signature TEXT NOT NULL,
        lines     BLOB NOT NULL,
        bodies    BLOB NOT NULL,
        received  TEXT NOT NULL
    ) STRICT;
    CREATE INDEX segment_place ON segment (branch, first);

    CREATE TABLE contact (
        branch        INTEGER NOT NULL,
        seq           INTEGER NOT NULL,
        day           TEXT,
        hour          INTEGER,
        counter       TEXT,
        official      TEXT,
        form          TEXT,
        opened_by     TEXT,
        level_seq     INTEGER,
        level         TEXT,
        end_seq       INTEGER,
        how           TEXT,
        reasons       TEXT,
        superseded    INTEGER NOT NULL DEFAULT 0,
        phone_day     TEXT,
        phone_level   TEXT,
        phone_reasons TEXT,
        PRIMARY KEY (branch, seq)
    ) STRICT, WITHOUT ROWID;
    -- Used tickets. `branch` is null until the contact's epoch is known here.
    CREATE TABLE phone (
        kiosk   TEXT NOT NULL,
        prefix  INTEGER NOT NULL,
        seq     INTEGER NOT NULL,
        day     TEXT NOT NULL,
        level   TEXT NOT NULL,
        reasons TEXT NOT NULL,
        branch  INTEGER,
        PRIMARY KEY (kiosk, seq, prefix)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE tally (
        office TEXT NOT NULL,
        day    TEXT NOT NULL,
        key    TEXT NOT NULL,
        n      INTEGER NOT NULL,
        PRIMARY KEY (office, day, key)
    ) STRICT, WITHOUT ROWID;
    -- The order in which contacts came to count.
    CREATE TABLE placed (
        office TEXT NOT NULL,
        day    TEXT NOT NULL,
        ord    INTEGER NOT NULL,
        branch INTEGER NOT NULL,
        seq    INTEGER NOT NULL,
        PRIMARY KEY (office, day, ord)
    ) STRICT, WITHOUT ROWID;
    -- How far that order had come when a day became complete.
    CREATE TABLE completion (
        office TEXT NOT NULL,
        day    TEXT NOT NULL,
        ord    INTEGER NOT NULL,
        PRIMARY KEY (office, day)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE gap (
        branch  INTEGER PRIMARY KEY,
        kiosk   TEXT NOT NULL,
        alive   TEXT NOT NULL,
        started TEXT NOT NULL
    ) STRICT;
    CREATE TABLE finding (
        id       INTEGER PRIMARY KEY,
        kind     TEXT NOT NULL,
        kiosk    TEXT NOT NULL,
        epoch    TEXT NOT NULL,
        seq      INTEGER NOT NULL,
        reason   TEXT NOT NULL,
        hash     BLOB NOT NULL,
        bytes    BLOB NOT NULL,
        received TEXT NOT NULL,
        UNIQUE (kind, kiosk, epoch, seq, reason, hash)
    ) STRICT;
    CREATE TABLE directory (
        office TEXT PRIMARY KEY,
        digest BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
";
const WORDS: &str = "
    -- What citizens wrote on their phones, by who may read it. `line` is its number in the own
    -- series; its contact is that of the used ticket (kiosk, prefix, seq).
    CREATE TABLE words (
        id     INTEGER PRIMARY KEY,
        office TEXT NOT NULL,
        day    TEXT NOT NULL,
        reader TEXT NOT NULL CHECK (reader IN ('office', 'authority')),
        kiosk  TEXT NOT NULL,
        prefix INTEGER NOT NULL,
        seq    INTEGER NOT NULL,
        line   INTEGER NOT NULL,
        text   TEXT NOT NULL
    ) STRICT;
    CREATE INDEX words_reader ON words (reader, office, day);
";

/// Opens the database for writing, creating it if need be.
pub fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let db = Connection::open(path)?;
    db.busy_timeout(Duration::from_secs(10))?;
    db.set_prepared_statement_cache_capacity(128);
    let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let newest = STEPS.len() as i64;
    if version > newest {
        return Err(StoreError::Newer(path.display().to_string()));
    }
    let mode: String = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    db.pragma_update(None, "synchronous", "FULL")?;
    let synchronous: i64 = db.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
    if mode != "wal" || synchronous != 2 {
        let what = "the file system allows no write-ahead log with synchronous=FULL";
        return Err(StoreError::Refused(what.into()));
    }
    // Checkpoints run on a connection of their own, off the path of requests.
    db.pragma_update(None, "wal_autocheckpoint", 0)?;
    db.pragma_update(None, "cache_size", -65_536)?;
    if version < newest {
        let missing = usize::try_from(version).ok().and_then(|done| STEPS.get(done..));
        let transaction = db.unchecked_transaction()?;
        for step in missing.unwrap_or_default() {
            transaction.execute_batch(step)?;
        }
        transaction.pragma_update(None, "user_version", newest)?;
        transaction.commit()?;
    }
    Ok(db)
}

/// Opens the database for reading.
pub fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(Duration::from_secs(10))?;
    Ok(db)
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Refused(error.to_string())
    }
}
