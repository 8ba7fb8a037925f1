//! Reads rows out of the pages of a damaged SQLite file, page by page, without SQLite.
//!
//! A journal's rows are never changed, so any copy of a page, in the file or in its write-ahead
//! log, however old, tells the truth about the rows that are on it. So neither header nor inner
//! pages nor checksums are needed, and one damaged page takes nothing but its own rows away. What
//! is found is not trusted here: lines are held against their chain, bodies against their seal.
//!
//! The layout: <https://www.sqlite.org/fileformat2.html>.

use std::collections::BTreeMap;

use crate::sqlite::Log;

/// The size that SQLite gives pages unless told otherwise.
const PAGE: usize = 4_096;
const TABLE_LEAF: u8 = 0x0d;
const INDEX_LEAF: u8 = 0x0a;
/// Of a table without row numbers, inner pages hold rows, too.
const INDEX_INNER: u8 = 0x02;

/// A value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// NULL, or the row's number in its own column.
    Null,
    /// A whole number.
    Integer(i64),
    /// A text's or a blob's bytes.
    Bytes(Vec<u8>),
}

/// A row that was found: its number, if its table has numbers, and its values.
pub type Row = (Option<i64>, Vec<Value>);

/// All pages of a file and its log.
pub struct Pages<'a> {
    /// The newest copy of each page: where overflowing rows go on.
    newest: BTreeMap<u32, &'a [u8]>,
    all: Vec<&'a [u8]>,
}

impl<'a> Pages<'a> {
    /// Of the bytes of a file and of its log; either may be empty or cut.
    pub fn of(file: &'a [u8], log: &'a [u8]) -> Self {
        let logged = Log::of(log, PAGE);
        let pages = (1..).zip(file.chunks_exact(PAGE));
        let mut newest = BTreeMap::new();
        let mut all = Vec::new();
        for (number, page) in pages.chain(logged.iter().flat_map(Log::pages)) {
            newest.insert(number, page);
            // The first page holds the schema and nothing of ours.
            if number != 1 {
                all.push(page);
            }
        }
        Self { newest, all }
    }

    /// Every row on every page that can be read.
    pub fn rows(&self) -> impl Iterator<Item = Row> {
        self.all.iter().flat_map(|page| {
            let cells = match page[0] {
                TABLE_LEAF | INDEX_LEAF | INDEX_INNER => {
                    usize::from(u16::from_be_bytes([page[3], page[4]]))
                }
                _ => 0,
            };
            (0..cells).filter_map(|cell| self.row(page, cell))
        })
    }

    fn row(&self, page: &[u8], cell: usize) -> Option<Row> {
        // An inner page and each of its cells begin with the number of a page below.
        let below = if page[0] == INDEX_INNER { 4 } else { 0 };
        let at = u16::from_be_bytes(*page.get(8 + below + 2 * cell..)?.first_chunk()?);
        let mut rest = page.get(usize::from(at) + below..)?;
        let length = usize::try_from(varint(&mut rest)?).ok()?;
        let number = match page[0] {
            TABLE_LEAF => Some(varint(&mut rest)? as i64),
            _ => None,
        };
        let payload = self.payload(page[0], length, rest)?;
        Some((number, record(&payload)?))
    }

    /// The bytes of a row, those on overflow pages included.
    fn payload(&self, kind: u8, length: usize, rest: &[u8]) -> Option<Vec<u8>> {
        let most = if kind == TABLE_LEAF { PAGE - 35 } else { (PAGE - 12) * 64 / 255 - 23 };
        if length <= most {
            return rest.get(..length).map(<[u8]>::to_vec);
        }
        let least = (PAGE - 12) * 32 / 255 - 23;
        let fitting = least + (length - least) % (PAGE - 4);
        let here = if fitting <= most { fitting } else { least };
        let (local, rest) = rest.split_at_checked(here)?;
        let mut payload = local.to_vec();
        let mut next = u32::from_be_bytes(*rest.first_chunk()?);
        // No row of ours is longer than a few pages; a circle ends here, too.
        for _ in 0..4 {
            let (after, more) = self.newest.get(&next)?.split_first_chunk()?;
            payload.extend(&more[..more.len().min(length - payload.len())]);
            if payload.len() == length {
                return Some(payload);
            }
            next = u32::from_be_bytes(*after);
        }
        None
    }
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for place in 0..9 {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        if place == 8 {
            return Some(value << 8 | u64::from(*byte));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn record(payload: &[u8]) -> Option<Vec<Value>> {
    let mut header = payload;
    let length = usize::try_from(varint(&mut header)?).ok()?;
    let skipped = payload.len() - header.len();
    let mut kinds = header.get(..length.checked_sub(skipped)?)?;
    let mut values = payload.get(length..)?;
    let mut row = Vec::new();
    while !kinds.is_empty() {
        let kind = varint(&mut kinds)?;
        let integer = |bytes: &[u8]| {
            let first = if bytes.first().is_some_and(|byte| byte & 0x80 != 0) { -1 } else { 0 };
            Value::Integer(bytes.iter().fold(first, |sum: i64, byte| sum << 8 | i64::from(*byte)))
        };
        let size = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind as usize,
            5 => 6,
            6 => 8,
            12.. => usize::try_from((kind - 12) / 2).ok()?,
            _ => return None,
        };
        let (bytes, tail) = values.split_at_checked(size)?;
        values = tail;
        row.push(match kind {
            0 => Value::Null,
            8 | 9 => Value::Integer(kind as i64 - 8),
            1..=6 => integer(bytes),
            _ => Value::Bytes(bytes.to_vec()),
        });
    }
    Some(row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;
    use std::time::Duration;
    use tempfile::TempDir;

    #[test]
    fn every_row_is_read_from_the_file_or_from_the_log_and_long_ones_whole() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("a.db");
        let first = "CREATE TABLE line (seq INTEGER PRIMARY KEY, n INTEGER NOT NULL, b BLOB);
                      CREATE TABLE body (seq INTEGER, kind INTEGER, b BLOB,
                                         PRIMARY KEY (seq, kind)) WITHOUT ROWID;";
        let schema = crate::sqlite::Schema { steps: Vec::leak(vec![first]), unnumbered: false };
        let db: Connection = crate::sqlite::open(&path, &schema, Duration::from_secs(1)).unwrap();
        let numbers = [0, 1, -1, 127, -128, 300, 70_000, -9_000_000, 1 << 33, i64::MIN, i64::MAX];
        for (seq, n) in (1..).zip(numbers.iter().cycle().take(300)) {
            // Half of it in the file, half in the log.
            if seq == 150 {
                crate::sqlite::settle(&db).unwrap();
            }
            let bytes = vec![seq as u8; (seq as usize * 97) % 3_000];
            db.execute("INSERT INTO line VALUES (?, ?, ?)", (seq, n, &bytes)).unwrap();
            db.execute("INSERT INTO body VALUES (?, ?, ?)", (seq, 1 + seq % 3, &bytes)).unwrap();
        }
        let file = std::fs::read(&path).unwrap();
        let log = std::fs::read(crate::sqlite::log_of(&path)).unwrap();
        let mut lines = BTreeMap::new();
        let mut bodies = BTreeMap::new();
        for row in Pages::of(&file, &log).rows() {
            match (row.0, row.1.as_slice()) {
                (Some(seq), [Value::Null, Value::Integer(n), Value::Bytes(bytes)]) => {
                    lines.insert(seq, (*n, bytes.clone()));
                }
                (None, [Value::Integer(seq), Value::Integer(kind), Value::Bytes(bytes)]) => {
                    bodies.insert((*seq, *kind), bytes.clone());
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((lines.len(), bodies.len()), (300, 300));
        for (seq, n) in (1..).zip(numbers.iter().cycle().take(300)) {
            let bytes = vec![seq as u8; (seq as usize * 97) % 3_000];
            assert_eq!(lines[&seq], (*n, bytes.clone()), "{seq}");
            assert_eq!(bodies[&(seq, 1 + seq % 3)], bytes, "{seq}");
        }
    }

    #[test]
    fn rubbish_is_read_without_harm() {
        use rand::rngs::StdRng;
        use rand::{RngExt, SeedableRng};
        let mut random = StdRng::seed_from_u64(3);
        for round in 0..300 {
            let mut file = vec![0u8; 3 * PAGE];
            random.fill(&mut file[..]);
            for page in file.chunks_exact_mut(PAGE) {
                page[0] = if round % 2 == 0 { TABLE_LEAF } else { INDEX_LEAF };
            }
            let rows = Pages::of(&file, &file).rows().count();
            assert!(rows < 6 * 65_536);
        }
    }
}
