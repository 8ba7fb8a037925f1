//! The roots of days: what stands under none yet, and those that were made.

use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, params};

use super::reading::{findings_dump, kiosks_dump};
use crate::central::store::{StoreError, Unrooted};
use crate::domain::batch::Lines;
use crate::domain::ids::Hash;
use crate::domain::root::{Arrivals, Growing, Root};

pub(super) fn unrooted(db: &Connection, today: Date) -> Result<Option<Unrooted>, StoreError> {
    // One state of the database, whatever is written meanwhile.
    let db = db.unchecked_transaction()?;
    let (before, covered, previous) = match latest_row(&db)? {
        Some((number, last, root)) => (number, last, root.anchor()),
        None => (0, 0, Hash::NONE),
    };
    // Not that of the first: the clock may have been put back since.
    let first: Option<String> = db
        .prepare_cached("SELECT min(substr(received, 1, 10)) FROM segment WHERE id > ?")?
        .query_row([covered], |row| row.get(0))?;
    let damaged = |_| StoreError::Damaged("when a batch was received".into());
    let since: Option<Date> = first.map(|day| day.parse().map_err(damaged)).transpose()?;
    let Some(since) = since.filter(|since| *since < today) else { return Ok(None) };
    let mut found = Unrooted {
        since,
        last: covered,
        lines: Growing::default(),
        received: Hash::NONE,
        kiosks: Hash::of_lines(&kiosks_dump(&db)?),
        findings: Hash::of_lines(&findings_dump(&db)?),
        number: before + 1,
        previous,
    };
    let mut arrivals = Arrivals::default();
    let mut statement = db.prepare_cached(
        "SELECT id, received, lines, signature FROM segment WHERE id > ? ORDER BY id",
    )?;
    let mut rows = statement.query([covered])?;
    while let Some(row) = rows.next()? {
        found.last = row.get(0)?;
        arrivals.push(&row.get::<_, String>(3)?, &row.get::<_, String>(1)?);
        let lines: Vec<u8> = row.get(2)?;
        Lines::of(&lines).map(Hash::of).for_each(|line| found.lines.push(line));
    }
    found.received = arrivals.hash();
    Ok(Some(found))
}

pub(super) fn keep(db: &Connection, of: &Unrooted, root: &Root) -> Result<bool, StoreError> {
    let last: i64 = db.query_row("SELECT max(id) FROM segment", [], |row| row.get(0))?;
    if last != of.last {
        return Ok(false);
    }
    db.execute(
        "INSERT INTO root (number, last, statement, signature) VALUES (?, ?, ?, ?)",
        params![of.number as i64, of.last, root.statement, root.signature],
    )?;
    Ok(true)
}

pub(super) fn latest(db: &Connection, most: usize) -> Result<Vec<Root>, StoreError> {
    let mut statement =
        db.prepare_cached("SELECT statement, signature FROM root ORDER BY number DESC LIMIT ?")?;
    let rows = statement.query_map([i64::try_from(most).unwrap_or(i64::MAX)], |row| {
        Ok(Root { statement: row.get(0)?, signature: row.get(1)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn after(db: &Connection, number: u64, most: usize) -> Result<Vec<Root>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT statement, signature FROM root WHERE number > ? ORDER BY number LIMIT ?",
    )?;
    let asked = (i64::try_from(number).unwrap_or(i64::MAX), most as i64);
    let rows = statement
        .query_map(asked, |row| Ok(Root { statement: row.get(0)?, signature: row.get(1)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn all(db: &Connection) -> Result<Vec<(i64, Root)>, StoreError> {
    let mut statement =
        db.prepare_cached("SELECT last, statement, signature FROM root ORDER BY number")?;
    let rows = statement.query_map([], |row| {
        Ok((row.get(0)?, Root { statement: row.get(1)?, signature: row.get(2)? }))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn latest_row(db: &Connection) -> Result<Option<(u64, i64, Root)>, StoreError> {
    let row = db
        .prepare_cached(
            "SELECT number, last, statement, signature FROM root ORDER BY number DESC LIMIT 1",
        )?
        .query_row([], |row| {
            let root = Root { statement: row.get(2)?, signature: row.get(3)? };
            Ok((row.get::<_, i64>(0)? as u64, row.get(1)?, root))
        })
        .optional()?;
    Ok(row)
}
