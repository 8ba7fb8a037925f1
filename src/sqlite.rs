//! What kiosk and central service ask of a SQLite file alike: a version that this program knows, a
//! write-ahead log, commits that are on the disk when they return, and a log that is whole.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// SQLite or the disk refused.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// A newer version wrote it; it was not touched.
    #[error(
        "{file} was written by a newer version of hailong: its schema is {found}, this program \
         knows {known}; it was left as it is, start the newer version"
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// The schema it has.
        found: i64,
        /// The schema that this program writes.
        known: i64,
    },
    /// The file system does not do what durability needs.
    #[error("the file system does not allow {0}; put the data folder on a local disk")]
    NotDurable(&'static str),
    /// There are tables, but not the version that comes with them.
    #[error("the file's header is damaged")]
    Header,
}

impl OpenError {
    /// Whether the file's bytes are wrong, rather than the disk or the moment.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Sqlite(error) => is_damage(error),
            Self::Header => true,
            Self::Newer { .. } | Self::NotDurable(_) => false,
        }
    }
}

/// Whether SQLite says that a file's bytes are wrong.
pub fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// The versions of a file's schema.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// Step n leads from version n to n + 1.
    pub steps: &'static [&'static str],
    /// Whether there are tables in files of version 0, from before the numbers; then the first
    /// step must bear with them.
    pub unnumbered: bool,
}

/// Opens or creates the file at `path` for writing and brings it to the newest schema.
///
/// Each step is taken in a transaction of its own together with its number, so a migration that is
/// cut off goes on at the next start. A file of a newer version is refused before anything is
/// written to it.
pub fn open(path: &Path, schema: &Schema, patience: Duration) -> Result<Connection, OpenError> {
    if path.exists() {
        // A connection that cannot write does not even move the log into the file.
        drop(open_read_only(path, schema, patience)?);
    }
    let db = Connection::open(path)?;
    db.busy_timeout(patience)?;
    let mode: String = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(OpenError::NotDurable("a write-ahead log"));
    }
    db.pragma_update(None, "synchronous", "FULL")?;
    let synchronous: i64 = db.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
    if synchronous != 2 {
        return Err(OpenError::NotDurable("synchronous=FULL"));
    }
    let found = version(&db)?;
    if found == 0 && !schema.unnumbered {
        let tables: i64 =
            db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables > 0 {
            return Err(OpenError::Header);
        }
    }
    for (from, step) in (0..).zip(schema.steps).skip(found.max(0) as usize) {
        let transaction = db.unchecked_transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", from + 1)?;
        transaction.commit()?;
    }
    Ok(db)
}

/// Opens the file at `path` for reading, unless it is of a newer version.
pub fn open_read_only(
    path: &Path,
    schema: &Schema,
    patience: Duration,
) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(patience)?;
    let (found, known) = (version(&db)?, schema.steps.len() as i64);
    if found > known {
        return Err(OpenError::Newer { file: path.to_owned(), found, known });
    }
    Ok(db)
}

fn version(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Moves all of the write-ahead log into the file, through the disk.
///
/// After a failed sync nobody knows which pages of the log the disk has, although reading shows
/// them all: written once more they are synced again, and nothing builds on the old ones.
///
/// # Errors
/// When the disk refuses, or a reader holds the log for longer than the connection's patience.
pub fn settle(db: &Connection) -> rusqlite::Result<()> {
    let busy: bool = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
        return Err(rusqlite::Error::SqliteFailure(code, None));
    }
    Ok(())
}

/// The write-ahead log of the file at `path`.
pub fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// A write-ahead log, as <https://www.sqlite.org/fileformat2.html#walformat> lays it out.
#[derive(Debug, Clone, Copy)]
pub struct Log<'a> {
    header: &'a [u8],
    frames: &'a [u8],
    page: usize,
}

impl<'a> Log<'a> {
    /// The log in `bytes`, the pages of which have `page` bytes; none if it has no frame.
    pub fn of(bytes: &'a [u8], page: usize) -> Option<Self> {
        let (header, frames) = bytes.split_at_checked(LOG_HEADER)?;
        (frames.len() >= FRAME_HEADER + page).then_some(Self { header, frames, page })
    }

    fn frames(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let split = |frame: &'a [u8]| frame.split_at(FRAME_HEADER);
        self.frames.chunks_exact(FRAME_HEADER + self.page).map(split)
    }

    /// Each page that was ever written, with its number, the newest last.
    pub fn pages(&self) -> impl Iterator<Item = (u32, &'a [u8])> + use<'a> {
        self.frames().map(|(head, page)| (number(head, 0), page))
    }

    /// Whether what was written is still right.
    ///
    /// SQLite ends a log at the first frame that is not right and says nothing, since so ends any
    /// log: with nothing, or with frames of an earlier round. Those have another salt. A frame that
    /// has this round's salt and is not right was never written whole, or damaged since.
    pub fn health(&self) -> Health {
        let big = match number(self.header, 0) {
            0x377f_0682 => false,
            0x377f_0683 => true,
            _ => return Health::Damaged,
        };
        let sums = |bytes, at| (number(bytes, at), number(bytes, at + 4));
        let mut before = checksum(big, (0, 0), &self.header[..24]);
        if before != sums(self.header, 24) {
            return Health::Damaged;
        }
        let salt = &self.header[16..24];
        let mut health = Health::Whole;
        // Whether something was not right, and whether a commit that is right came after it.
        let (mut ended, mut committed) = (false, false);
        for (head, page) in self.frames() {
            let ours = head[8..16] == *salt;
            // Each frame is held against the one before as that stands there, so that frames after
            // a wrong one are known to be right.
            let right =
                ours && checksum(big, checksum(big, before, &head[..8]), page) == sums(head, 16);
            before = sums(head, 16);
            if right && committed {
                return Health::Damaged;
            }
            if ours && (ended || !right) {
                health = Health::Torn;
            }
            committed |= right && ended && number(head, 4) != 0;
            ended |= !right;
        }
        health
    }
}

/// How a write-ahead log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// As it was written.
    Whole,
    /// What was written last, one commit at most, is not right: cut off by a kill or a power cut
    /// before anybody was told that it is there, or damaged since.
    Torn,
    /// After what is not right another commit was begun, so that it had reached the disk before;
    /// SQLite will see neither.
    Damaged,
}

fn number(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |four| u32::from_be_bytes(*four))
}

fn checksum(big: bool, (mut one, mut two): (u32, u32), bytes: &[u8]) -> (u32, u32) {
    let word = |at: &[u8]| {
        let four = at.first_chunk().copied().unwrap_or_default();
        if big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
    };
    for eight in bytes.chunks_exact(8) {
        one = one.wrapping_add(word(eight)).wrapping_add(two);
        two = two.wrapping_add(word(&eight[4..])).wrapping_add(one);
    }
    (one, two)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    const FIRST: &str = "CREATE TABLE visit (id INTEGER PRIMARY KEY, word TEXT) STRICT;";
    const SECOND: &str = "ALTER TABLE visit ADD COLUMN day TEXT;
                          UPDATE visit SET day = '2026-11-24';";
    const ONE: Schema = Schema { steps: &[FIRST], unnumbered: false };
    const TWO: Schema = Schema { steps: &[FIRST, SECOND], unnumbered: false };
    const PATIENCE: Duration = Duration::from_secs(1);

    #[test]
    fn a_file_of_an_older_version_is_brought_up_step_by_step_and_keeps_what_it_has() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("a.db");
        let db = open(&path, &ONE, PATIENCE).unwrap();
        db.execute("INSERT INTO visit (word) VALUES ('tốt')", []).unwrap();
        drop(db);
        let db = open(&path, &TWO, PATIENCE).unwrap();
        let row: (String, String) = db
            .query_row("SELECT word, day FROM visit", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(row, ("tốt".to_owned(), "2026-11-24".to_owned()));
        assert_eq!(version(&db).unwrap(), 2);
    }

    #[test]
    fn a_step_that_fails_leaves_the_file_at_the_version_it_had() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("a.db");
        drop(open(&path, &ONE, PATIENCE).unwrap());
        let bad = "ALTER TABLE visit ADD COLUMN day TEXT; SELECT * FROM nowhere;";
        let steps = Vec::leak(vec![FIRST, bad]);
        assert!(open(&path, &Schema { steps, unnumbered: false }, PATIENCE).is_err());
        let db = open(&path, &TWO, PATIENCE).unwrap();
        assert_eq!(version(&db).unwrap(), 2);
    }

    /// A log of five commits, as a killed process leaves it.
    fn log() -> (TempDir, Vec<u8>) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("a.db");
        let db = open(&path, &ONE, PATIENCE).unwrap();
        settle(&db).unwrap();
        for word in ["một", "hai", "ba", "bốn", "năm"] {
            db.execute("INSERT INTO visit (word) VALUES (?)", [word]).unwrap();
        }
        let bytes = std::fs::read(log_of(&path)).unwrap();
        (folder, bytes)
    }

    #[test]
    fn a_log_changed_at_any_byte_is_told_and_one_as_written_is_not() {
        let (_folder, whole) = log();
        let health = |bytes: &[u8]| Log::of(bytes, 4096).map(|log| log.health());
        assert_eq!(health(&whole), Some(Health::Whole));
        let frame = FRAME_HEADER + 4096;
        assert_eq!(whole.len(), LOG_HEADER + 5 * frame);
        for frames in 1..5 {
            let cut = &whole[..LOG_HEADER + frames * frame + 100];
            assert_eq!(health(cut), Some(Health::Whole), "a log may end anywhere");
        }
        for at in (0..whole.len()).step_by(7).chain(0..LOG_HEADER) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            let in_frame = at.saturating_sub(LOG_HEADER) % frame;
            let Some(place) = at.checked_sub(LOG_HEADER).map(|at| at / frame) else {
                assert_eq!(health(&bytes), Some(Health::Damaged), "at {at}");
                continue;
            };
            // The sums of a frame are needed for the next one, too.
            let sums = usize::from((16..24).contains(&in_frame));
            let right_after = 4usize.saturating_sub(place + sums);
            let expected = match right_after {
                2.. => Health::Damaged,
                // With another salt it is taken for one of an earlier round.
                0 if (8..16).contains(&in_frame) => Health::Whole,
                _ => Health::Torn,
            };
            assert_eq!(health(&bytes), Some(expected), "at {at}");
        }
    }
}
