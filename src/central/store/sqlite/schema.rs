//! Tables of the SQLite store, and opening a connection as durability needs it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use crate::central::store::StoreError;
use crate::sqlite::{self, Health, Log, OpenError, Schema, log_of};

const SCHEMA: Schema = Schema {
    steps: &[
        FIRST,
        WORDS,
        CLOCKS,
        CONFIRMED,
        ROOTS,
        CHECK_CODES,
        DECISIONS,
        DIRECTORIES,
        GAPS,
        CARRIED,
        COUNTER_WORDS,
        HEARTBEATS,
        ACCESS,
        DIRECTORY_CHANGES,
        OF_AN_OFFICE,
        MAIL,
        FORM_VERSIONS,
        EFFECTIVE,
    ],
    unnumbered: false,
};
const PATIENCE: Duration = Duration::from_secs(10);
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

/// Jumps of kiosks' clocks. Those of segments that are here already are read once, see
/// [`super::clocks`].
const CLOCKS: &str = "
    CREATE TABLE clock_step (
        branch INTEGER NOT NULL,
        seq    INTEGER NOT NULL,
        ms     INTEGER NOT NULL,
        at     TEXT NOT NULL,
        PRIMARY KEY (branch, seq)
    ) STRICT, WITHOUT ROWID;
    -- What a migration has still to do.
    CREATE TABLE pending (
        work TEXT PRIMARY KEY
    ) STRICT, WITHOUT ROWID;
    INSERT INTO pending VALUES ('clock_step');
";

/// Whether a line of an epoch arrived near its own time.
const CONFIRMED: &str = "
    ALTER TABLE branch ADD COLUMN confirmed INTEGER NOT NULL DEFAULT 0;
    DELETE FROM pending;
    INSERT INTO pending VALUES ('clocks');
";

/// The roots of days, and the last batch that each of them covers.
const ROOTS: &str = "
    CREATE TABLE root (
        number    INTEGER PRIMARY KEY,
        last      INTEGER NOT NULL,
        statement TEXT NOT NULL,
        signature TEXT NOT NULL
    ) STRICT;
";

/// The check codes under each root: of every kiosk the first 60 bits of its closing lines' hashes,
/// sorted, 8 bytes each. No random key is indexed for it, and an answer costs one search a day.
const CHECK_CODES: &str = "
    CREATE TABLE check_code (
        kiosk TEXT NOT NULL,
        root  INTEGER NOT NULL,
        codes BLOB NOT NULL,
        PRIMARY KEY (kiosk, root)
    ) STRICT, WITHOUT ROWID;
";

/// What named persons decided, from lines of the own series.
const DECISIONS: &str = "
    CREATE TABLE decision (
        seq       INTEGER NOT NULL,
        epoch     TEXT NOT NULL,
        at        TEXT NOT NULL,
        what      TEXT NOT NULL,
        kiosk     TEXT,
        decision  TEXT NOT NULL,
        withdrawn INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (seq, epoch)
    ) STRICT, WITHOUT ROWID;
    -- The first day without it; follows from a decision.
    ALTER TABLE kiosk ADD COLUMN retired TEXT;
    -- Bodies that were here and were erased: “seq:kind”, with commas; of one that was found to be
    -- in quarantine “seq:kind:why”, with more of them after “+”.
    ALTER TABLE segment ADD COLUMN erased TEXT NOT NULL DEFAULT '';
";

/// Directories as they were in force, for whoever checks old figures.
const DIRECTORIES: &str = "
    CREATE TABLE directory_version (
        number    INTEGER PRIMARY KEY,
        digest    BLOB NOT NULL UNIQUE,
        directory TEXT NOT NULL
    ) STRICT;
    -- Which receipt key a kiosk was given, by its id; null is the first of all.
    ALTER TABLE kiosk ADD COLUMN receipt_key TEXT;
";

/// A day's gaps are looked up by kiosk; there is one at every start of each.
const GAPS: &str = "CREATE INDEX gap_kiosk ON gap (kiosk, alive);";

/// Tallies of days whose answers are erased, which nothing that is left gives any more; kiosks' keys
/// that were renewed; and which answers by phone came from one source.
const CARRIED: &str = "
    CREATE TABLE carried (
        office TEXT NOT NULL,
        day    TEXT NOT NULL,
        key    TEXT NOT NULL,
        n      INTEGER NOT NULL,
        PRIMARY KEY (office, day, key)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX decision_what ON decision (what);
    -- See the line's `source`.
    ALTER TABLE phone ADD COLUMN source TEXT;
    -- Keys that signed a kiosk's batches before the one in use.
    CREATE TABLE former_key (
        kiosk      TEXT NOT NULL,
        key        BLOB NOT NULL,
        ticket_key BLOB NOT NULL,
        until      TEXT NOT NULL,
        PRIMARY KEY (kiosk, key)
    ) STRICT, WITHOUT ROWID;
";

/// What citizens wrote at kiosks, by who may read it: its line, and the contact that the line ends. `day` is
/// that of the line, or of when it was received if that was earlier.
const COUNTER_WORDS: &str = "
    CREATE TABLE counter_words (
        branch  INTEGER NOT NULL,
        line    INTEGER NOT NULL,
        contact INTEGER NOT NULL,
        office  TEXT NOT NULL,
        day     TEXT NOT NULL,
        reader  TEXT NOT NULL CHECK (reader IN ('office', 'authority')),
        text    TEXT NOT NULL,
        PRIMARY KEY (branch, line)
    ) STRICT, WITHOUT ROWID;
";

/// What each kiosk said of itself last, as JSON, and when that was received: for whoever looks after them. It is
/// no part of journals, figures, roots or archives.
const HEARTBEATS: &str = "
    CREATE TABLE heartbeat (
        kiosk     TEXT PRIMARY KEY,
        received  TEXT NOT NULL,
        condition TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// Mail that goes out, and of which kiosks it told that nothing is heard. It is no part of journals, figures, roots or
/// archives.
const MAIL: &str = "
    CREATE TABLE mail (
        key       TEXT PRIMARY KEY,
        recipient TEXT NOT NULL,
        subject   TEXT NOT NULL,
        text      TEXT NOT NULL,
        written   TEXT NOT NULL,
        state     TEXT NOT NULL CHECK (state IN ('waiting', 'sending', 'sent', 'refused', 'unclear')),
        since     TEXT NOT NULL,
        -- When it is tried, while it waits.
        due       TEXT NOT NULL,
        tries     INTEGER NOT NULL,
        said      TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX mail_waiting ON mail (due) WHERE state = 'waiting';
    CREATE TABLE told_silent (
        kiosk TEXT PRIMARY KEY,
        since TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// Versions of forms that people put in force, beside those of files.
const FORM_VERSIONS: &str = "
    CREATE TABLE form_version (
        code    TEXT NOT NULL,
        version INTEGER NOT NULL,
        form    TEXT NOT NULL,
        at      TEXT NOT NULL,
        person  TEXT NOT NULL,
        PRIMARY KEY (code, version)
    ) STRICT, WITHOUT ROWID;
";

/// From which day on a state of a directory holds; before there were days to come it was that of the change. What was
/// in force before changes were kept is the first state that is known.
const EFFECTIVE: &str = "
    ALTER TABLE directory_change ADD COLUMN effective TEXT;
    UPDATE directory_change SET effective = substr(at, 1, 10);
    INSERT INTO directory_change (office, at, person, digest, effective)
        SELECT office, begun, '', digest, substr(begun, 1, 10)
        FROM (SELECT office, digest,
                     COALESCE((SELECT min(enrolled) FROM kiosk WHERE kiosk.office = directory.office),
                              '2026-01-01T00:00:00.000+07:00') AS begun
              FROM directory)
        WHERE office NOT IN (SELECT office FROM directory_change);
";

/// Accounts and what proves who somebody is; and looks at officials' figures, from lines of the own series.
const ACCESS: &str = "
    CREATE TABLE account (
        login   TEXT PRIMARY KEY,
        account TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    -- Secrets are here by their SHA-256: they are drawn at random.
    CREATE TABLE session (
        secret BLOB PRIMARY KEY,
        login  TEXT NOT NULL,
        begun  TEXT NOT NULL,
        used   TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE token (
        secret BLOB PRIMARY KEY,
        login  TEXT NOT NULL,
        token  TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    -- Links to set a password; without a login that of the first administrator.
    CREATE TABLE invitation (
        secret BLOB PRIMARY KEY,
        login  TEXT,
        until  TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE look (
        office TEXT NOT NULL,
        at     TEXT NOT NULL,
        person TEXT NOT NULL,
        first  TEXT NOT NULL,
        last   TEXT NOT NULL,
        view   TEXT NOT NULL
    ) STRICT;
    CREATE INDEX look_office ON look (office, at);
";

/// What the summary of a day of late asks for does not grow with the years: an office's kiosks, gaps that end on that day
/// or later, and the beginning of a journal.
const OF_AN_OFFICE: &str = "
    DROP INDEX gap_kiosk;
    CREATE INDEX gap_kiosk ON gap (kiosk, started, alive);
    CREATE INDEX kiosk_office ON kiosk (office);
    CREATE INDEX branch_first ON branch (kiosk) WHERE start = 1;
";

/// Offices that are kept here rather than in files, and who changed them when.
const DIRECTORY_CHANGES: &str = "
    ALTER TABLE directory ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;
    -- A change by nobody is one of files.
    CREATE TABLE directory_change (
        id     INTEGER PRIMARY KEY,
        office TEXT NOT NULL,
        at     TEXT NOT NULL,
        person TEXT NOT NULL,
        digest BLOB NOT NULL
    ) STRICT;
    CREATE INDEX directory_change_office ON directory_change (office);
";

/// Opens the database for writing, creating it if need be, and moves its log through the disk.
pub fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let db = sqlite::open(path, &SCHEMA, PATIENCE)?;
    sqlite::settle(&db)?;
    db.set_prepared_statement_cache_capacity(128);
    // Checkpoints run on a connection of their own, off the path of requests.
    db.pragma_update(None, "wal_autocheckpoint", 0)?;
    // What is erased or deleted is overwritten.
    db.pragma_update(None, "secure_delete", true)?;
    // Every commit walks the cache: a larger one costs more than it saves.
    db.pragma_update(None, "cache_size", -16_384)?;
    Ok(db)
}

/// Keeps a copy of a log that is not right, before SQLite drops what it does not see of it.
///
/// The service goes on with what is left. Kiosks send again what they have no receipt for now, and
/// what was theirs in the log: a watermark that goes back tells them. Phone answers in it are told
/// here, for nobody else has them.
pub fn keep_damaged_log(path: &Path) -> Result<(), StoreError> {
    let log = log_of(path);
    let failed = |error: std::io::Error| StoreError::Refused(error.to_string());
    let bytes = match std::fs::read(&log) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    let health = Log::of(&bytes, 4_096).map_or(Health::Whole, |log| log.health());
    if health == Health::Whole {
        return Ok(());
    }
    let place = (1..).find(|n: &u32| !kept(path, *n).exists()).unwrap_or(0);
    std::fs::write(kept(path, place), &bytes).map_err(failed)?;
    tracing::error!(
        ?health,
        kept = %kept(path, place).display(),
        "the write-ahead log of the store is not as it was written; a copy is kept and the service \
         goes on without its end; kiosks send theirs again, phone answers of the last minutes may \
         be missing"
    );
    Ok(())
}

fn kept(path: &Path, place: u32) -> PathBuf {
    path.with_extension(format!("db-wal.damaged-{place}"))
}

/// Opens the database for reading.
pub fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    Ok(sqlite::open_read_only(path, &SCHEMA, PATIENCE)?)
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        OpenError::from(error).into()
    }
}

impl From<OpenError> for StoreError {
    fn from(error: OpenError) -> Self {
        if error.is_damage() {
            return Self::Damaged(format!(
                "{error}; stop the service, keep central.db, and put the last backup in its place: \
                 kiosks send again what came after it"
            ));
        }
        match error {
            OpenError::Newer { .. } => Self::Newer(error.to_string()),
            other => Self::Refused(other.to_string()),
        }
    }
}
