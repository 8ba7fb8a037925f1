//! Check codes: whether a contact's end is here, and under which root.
//!
//! What stands under a root is gathered once, after the root was made; what came since is looked
//! through when somebody asks.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, params};

use crate::central::store::{Checked, ContactRef, StoreError};
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
    let gathered: i64 =
        db.query_row("SELECT coalesce(max(root), 0) FROM check_code", [], |row| row.get(0))?;
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
    let db = db.unchecked_transaction()?;
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
            return day(&row.get::<_, String>(1)?).map(Checked::Rooted);
        }
    }
    // A root that was made a moment ago may not be gathered yet.
    let mut since = db.prepare_cached(
        "SELECT s.id, s.lines FROM branch b JOIN segment s ON s.branch = b.id
         WHERE b.kiosk = ?1 AND s.id > (SELECT coalesce(max(last), 0) FROM root
              WHERE number <= (SELECT coalesce(max(root), 0) FROM check_code))",
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
            return root.map_or(Ok(Checked::Received), |root| day(&root).map(Checked::Rooted));
        }
    }
    Ok(Checked::NotHere)
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

fn day(statement: &str) -> Result<Date, StoreError> {
    serde_json::from_str::<Statement>(statement)
        .map(|statement| statement.day)
        .map_err(|error| StoreError::Damaged(format!("a root: {error}")))
}
