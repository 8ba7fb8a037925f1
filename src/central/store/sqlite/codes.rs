//! Check codes: whether a contact's end is here, and under which root.
//!
//! What stands under a root is gathered once, after the root was made; what came since is looked
//! through when somebody asks.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, params};

use super::roots;
use crate::central::store::{Checked, ContactRef, StoreError, UnderRoot};
use crate::domain::batch::Lines;
use crate::domain::check::{CheckCode, bits};
use crate::domain::ids::Hash;
use crate::domain::line::{Event, Line};
use crate::domain::root::Statement;

/// Gathers the codes of roots that were not gathered yet.
pub(super) fn gather(db: &Connection) -> Result<(), StoreError> {
    let mut due = db.prepare_cached(
        "SELECT number, last, coalesce(lag(last) OVER (ORDER BY number), 0) FROM root
         ORDER BY number",
    )?;
    let gathered: i64 = db.query_row(
        "SELECT coalesce(max(root), 0) FROM check_code WHERE kiosk = ''",
        [],
        |row| row.get(0),
    )?;
    let mut due = due.query([])?;
    while let Some(row) = due.next()? {
        let (root, last, after): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if root > gathered {
            gather_root(db, root, after, last)?;
        }
    }
    Ok(())
}

fn gather_root(db: &Connection, root: i64, after: i64, last: i64) -> Result<(), StoreError> {
    let mut codes: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut segments = db.prepare_cached(
        "SELECT b.kiosk, s.lines FROM segment s JOIN branch b ON b.id = s.branch
         WHERE s.id > ? AND s.id <= ?",
    )?;
    let mut segments = segments.query([after, last])?;
    while let Some(row) = segments.next()? {
        let lines: Vec<u8> = row.get(1)?;
        codes.entry(row.get(0)?).or_default().extend(closing(&lines));
    }
    let mut keep = db.prepare_cached(
        "INSERT OR REPLACE INTO check_code (kiosk, root, codes) VALUES (?, ?, ?)",
    )?;
    // That it was gathered, even if nothing closes under it.
    codes.entry(String::new()).or_default();
    for (kiosk, mut codes) in codes {
        codes.sort_unstable();
        let bytes: Vec<u8> = codes.into_iter().flat_map(u64::to_be_bytes).collect();
        keep.execute(params![kiosk, root, bytes])?;
    }
    Ok(())
}

/// The codes of the lines that close a contact.
fn closing(lines: &[u8]) -> impl Iterator<Item = u64> {
    Lines::of(lines)
        .filter(|bytes| {
            serde_json::from_slice::<Line>(bytes).is_ok_and(|line| line.event == Event::Closed)
        })
        .map(|bytes| bits(Hash::of(bytes)))
}

/// Whether the contact's end that a code names is here.
pub(super) fn check(db: &Connection, code: CheckCode) -> Result<Checked, StoreError> {
    // One state of the database, whatever is written meanwhile.
    checked(&*db.unchecked_transaction()?, code)
}

fn checked(db: &Connection, code: CheckCode) -> Result<Checked, StoreError> {
    let kiosk: Option<String> = match code.kiosk {
        0 => Some("central".to_owned()),
        number => db
            .prepare_cached("SELECT id FROM kiosk WHERE number = ?")?
            .query_row([number], |row| row.get(0))
            .optional()?,
    };
    let Some(kiosk) = kiosk else { return Ok(Checked::NotHere) };
    let mut gathered = db.prepare_cached(
        "SELECT c.codes, r.statement FROM check_code c JOIN root r ON r.number = c.root
         WHERE c.kiosk = ?",
    )?;
    let mut gathered = gathered.query([&kiosk])?;
    while let Some(row) = gathered.next()? {
        let codes: Vec<u8> = row.get(0)?;
        let (codes, _) = codes.as_chunks::<8>();
        if codes.binary_search(&code.bits.to_be_bytes()).is_ok() {
            return day_of(&row.get::<_, String>(1)?).map(Checked::Rooted);
        }
    }
    // A root that was made a moment ago may not be gathered yet.
    let mut since = db.prepare_cached(
        "SELECT s.id, s.lines FROM branch b JOIN segment s ON s.branch = b.id
         WHERE b.kiosk = ?1 AND s.id > (SELECT coalesce(max(last), 0) FROM root
              WHERE number <= (SELECT coalesce(max(root), 0) FROM check_code WHERE kiosk = ''))",
    )?;
    let mut since = since.query([&kiosk])?;
    while let Some(row) = since.next()? {
        let lines: Vec<u8> = row.get(1)?;
        if closing(&lines).any(|bits| bits == code.bits) {
            let root: Option<String> = db
                .query_row(
                    "SELECT statement FROM root WHERE last >= ? ORDER BY number LIMIT 1",
                    [row.get::<_, i64>(0)?],
                    |row| row.get(0),
                )
                .optional()?;
            return root.map_or(Ok(Checked::Received), |root| day_of(&root).map(Checked::Rooted));
        }
    }
    Ok(Checked::NotHere)
}

/// The root that a code's line stands under, with all lines under it. It reads all of them.
pub(super) fn under_root(
    db: &Connection,
    code: CheckCode,
) -> Result<Option<UnderRoot>, StoreError> {
    let db = db.unchecked_transaction()?;
    let Checked::Rooted(day) = checked(&db, code)? else { return Ok(None) };
    let mut after = 0;
    for (last, root) in roots::all(&db)? {
        // More than one may be of a day: when the service was started anew.
        if day_of(&root.statement)? == day {
            let lines = lines_between(&db, after, last)?;
            if let Some(place) = lines.iter().position(|line| bits(*line) == code.bits) {
                let (line, place) = (lines[place], place as u64);
                return Ok(Some(UnderRoot { line, place, lines, root }));
            }
        }
        after = last;
    }
    Ok(None)
}

fn lines_between(db: &Connection, after: i64, last: i64) -> Result<Vec<Hash>, StoreError> {
    let mut segments =
        db.prepare_cached("SELECT lines FROM segment WHERE id > ? AND id <= ? ORDER BY id")?;
    let mut rows = segments.query([after, last])?;
    let mut lines = Vec::new();
    while let Some(row) = rows.next()? {
        let part: Vec<u8> = row.get(0)?;
        lines.extend(Lines::of(&part).map(Hash::of));
    }
    Ok(lines)
}

/// The contact whose end a code names.
pub(super) fn contact_of(
    db: &Connection,
    code: CheckCode,
) -> Result<Option<ContactRef>, StoreError> {
    let mut segments = db.prepare_cached(
        "SELECT s.lines FROM branch b JOIN segment s ON s.branch = b.id
         WHERE b.kiosk = CASE ?1 WHEN 0 THEN 'central'
                         ELSE (SELECT id FROM kiosk WHERE number = ?1) END",
    )?;
    let mut segments = segments.query([code.kiosk])?;
    while let Some(row) = segments.next()? {
        let lines: Vec<u8> = row.get(0)?;
        for bytes in Lines::of(&lines).filter(|bytes| bits(Hash::of(bytes)) == code.bits) {
            let Ok(line) = serde_json::from_slice::<Line>(bytes) else { continue };
            let Some(contact) = line.contact.filter(|_| line.event == Event::Closed) else {
                continue;
            };
            return Ok(Some(ContactRef { kiosk: line.kiosk, epoch: line.epoch, contact }));
        }
    }
    Ok(None)
}

fn day_of(statement: &str) -> Result<Date, StoreError> {
    serde_json::from_str::<Statement>(statement)
        .map(|statement| statement.day)
        .map_err(|error| StoreError::Damaged(format!("a root: {error}")))
}
