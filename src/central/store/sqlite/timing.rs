//! When ratings were given: read from the stored lines when somebody asks, so that placing a line
//! costs nothing for it.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rusqlite::{Connection, params};
use serde::Deserialize;

use super::counting::contact_of_row;
use super::reading::line;
use crate::central::store::StoreError;
use crate::domain::batch::{Lines, MAX_LINES};
use crate::domain::ids::OfficeCode;
use crate::domain::line::{How, LastRun};
use crate::domain::signals::Timed;
use crate::domain::time::At;

/// What is needed of a line.
#[derive(Deserialize)]
struct Moment {
    at: At,
    mono_ms: u64,
}

/// When a kiosk's process first started, by its first line.
pub(super) fn first_started(db: &Connection, kiosk: &str) -> Result<Option<At>, StoreError> {
    #[derive(Deserialize)]
    struct Started {
        at: At,
        last_run: LastRun,
    }
    let mut statement = db.prepare_cached("SELECT id FROM branch WHERE kiosk = ? AND start = 1")?;
    let mut rows = statement.query([kiosk])?;
    let mut first = None;
    while let Some(row) = rows.next()? {
        let line = line(db, row.get(0)?, 1)?;
        let started = line.and_then(|line| serde_json::from_slice::<Started>(&line).ok());
        let started = started.filter(|started| started.last_run == LastRun::First);
        let at = started.map(|started| started.at);
        first = first.into_iter().chain(at).min();
    }
    Ok(first)
}

/// See [`Store::timed`](crate::central::store::Store::timed).
pub(super) fn timed(
    db: &Connection,
    office: &OfficeCode,
    date: Date,
) -> Result<Vec<Timed>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT p.branch, p.seq, c.day, c.hour, c.counter, c.official, c.form, c.opened_by,
                c.level_seq, c.level, c.end_seq, c.how, c.reasons, c.superseded, c.phone_day,
                c.phone_level, c.phone_reasons, t.source
         FROM placed p JOIN contact c ON c.branch = p.branch AND c.seq = p.seq
         JOIN branch b ON b.id = p.branch
         LEFT JOIN phone t ON t.kiosk = b.kiosk AND t.seq = p.seq AND t.branch = p.branch
                              AND t.level <> ''
         WHERE p.office = ? AND p.day = ? ORDER BY p.branch, p.seq",
    )?;
    let mut rows = statement.query(params![office.as_str(), date.to_string()])?;
    let mut contacts = Vec::new();
    let mut wanted: BTreeMap<i64, BTreeMap<u64, Option<Moment>>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (branch, seq) = (row.get::<_, i64>(0)?, row.get::<_, i64>(1)? as u64);
        let contact = contact_of_row(row, 2)
            .ok_or_else(|| StoreError::Damaged(format!("contact {branch}/{seq}")))?;
        let source: Option<String> = row.get(17)?;
        if contact.level.is_none() && source.is_none() {
            continue;
        }
        let lines = wanted.entry(branch).or_default();
        lines.insert(seq, None);
        lines.extend(contact.end.iter().map(|end| (end.seq, None)));
        contacts.push((branch, seq, contact, source));
    }
    for (branch, lines) in &mut wanted {
        find(db, *branch, lines)?;
    }
    let mut timed = Vec::with_capacity(contacts.len());
    for (branch, seq, contact, source) in contacts {
        let line = |seq| wanted.get(&branch)?.get(&seq)?.as_ref();
        let (Some(opened), Some(opening)) = (line(seq), contact.opening) else {
            return Err(StoreError::Damaged(format!("the line of contact {branch}/{seq}")));
        };
        // Whose day a person decided has no moment that can be believed.
        if opened.at.date() != date {
            continue;
        }
        let by_hand = contact.end.filter(|end| matches!(end.how, How::Sent | How::Skipped));
        timed.push(Timed {
            run: branch,
            counter: opening.counter,
            attributed: opening.official.is_some(),
            opened: opened.at,
            opened_ms: opened.mono_ms,
            ended_ms: by_hand.and_then(|end| line(end.seq)).map(|ended| ended.mono_ms),
            phone_differs: match (&contact.level, &contact.phone) {
                (Some((_, level)), Some(phone)) => Some(phone.level != *level),
                _ => None,
            },
            at_counter: contact.level.is_some(),
            source,
        });
    }
    Ok(timed)
}

/// Finds lines of a branch by their numbers; of two of one number the one that came first counts.
fn find(
    db: &Connection,
    branch: i64,
    lines: &mut BTreeMap<u64, Option<Moment>>,
) -> Result<(), StoreError> {
    let (Some(first), Some(last)) =
        (lines.keys().next().copied(), lines.keys().next_back().copied())
    else {
        return Ok(());
    };
    let mut statement = db.prepare_cached(
        "SELECT first, lines FROM segment
         WHERE branch = ?1 AND first BETWEEN ?2 AND ?3 AND last >= ?4 ORDER BY id",
    )?;
    let from = first.saturating_sub(MAX_LINES as u64) as i64;
    let mut rows = statement.query(params![branch, from, last as i64, first as i64])?;
    while let Some(row) = rows.next()? {
        let first: i64 = row.get(0)?;
        let part = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        for (seq, line) in (first as u64..).zip(Lines::of(part)) {
            if let Some(place @ None) = lines.get_mut(&seq) {
                *place = serde_json::from_slice(line).ok();
            }
        }
    }
    Ok(())
}
