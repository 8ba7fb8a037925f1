//! Reading the central service's own series: what it says of keys and erasures.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use super::reading::segment_of_row;
use crate::central::store::{Segment, StoreError};
use crate::domain::batch::Lines;
use crate::domain::decision::What;
use crate::domain::ids::{Hash, KioskId};
use crate::domain::line::{Event, Line};

/// Gives each line of the own series in batches from one place to another.
fn lines(
    db: &Connection,
    (after, to): (i64, i64),
    mut each: impl FnMut(Line),
) -> Result<(), StoreError> {
    let mut select = db.prepare_cached(
        "SELECT s.lines FROM segment s JOIN branch b ON b.id = s.branch
         WHERE b.kiosk = 'central' AND s.id > ? AND s.id <= ?",
    )?;
    let mut rows = select.query(params![after, to])?;
    while let Some(row) = rows.next()? {
        let part = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        Lines::of(part).filter_map(|bytes| serde_json::from_slice(bytes).ok()).for_each(&mut each);
    }
    Ok(())
}

/// See [`Store::admitted_after`](crate::central::store::Store::admitted_after).
pub(super) fn admitted_after(
    db: &Connection,
    place: i64,
) -> Result<BTreeSet<(KioskId, Hash)>, StoreError> {
    let admitted = |line: Line| {
        let key = line.digest.filter(|_| line.event == Event::Enrolled);
        line.of_kiosk.zip(key)
    };
    let mut later = BTreeSet::new();
    lines(db, (place, i64::MAX), |line| later.extend(admitted(line)))?;
    if !later.is_empty() {
        lines(db, (0, place), |line| {
            if let Some(key) = admitted(line) {
                later.remove(&key);
            }
        })?;
    }
    Ok(later)
}

/// See [`Store::erasures_after`](crate::central::store::Store::erasures_after).
pub(super) fn erasures_after(db: &Connection, place: i64) -> Result<Vec<Segment>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT s.id, s.header, s.signature, s.lines, s.bodies, s.received, s.erased
         FROM segment s JOIN branch b ON b.id = s.branch
         WHERE b.kiosk = 'central' AND s.id > ? ORDER BY s.id",
    )?;
    let mut rows = select.query([place])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let segment = segment_of_row(row)?;
        let mut lines = Lines::of(&segment.line_part);
        let erases = |bytes: &[u8]| {
            let line = serde_json::from_slice::<Line>(bytes).ok();
            let what = line.and_then(|line| line.decision).map(|decision| decision.what);
            what.is_some_and(|what| what.erases() || matches!(what, What::Dated { .. }))
        };
        if lines.any(erases) {
            found.push(segment);
        }
    }
    Ok(found)
}
