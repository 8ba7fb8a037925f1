//! Reading beside the writer.

use std::collections::BTreeMap;

use ed25519_dalek::VerifyingKey;
use jiff::civil::Date;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::counting::contact_of_row;
use super::erasure::read_erased;
use super::retention::kept_since;
use super::{Closing, decisions, timing};
use crate::central::store::{
    ContactNumber, DayRecord, DirectoryChange, Doubts, Finding, FormerKey, Gap, KeptForm, Kiosk,
    Passage, Progress, Segment, StoreError, TicketState, Written,
};
use crate::domain::batch::Lines;
use crate::domain::form::Reader;
use crate::domain::ids::{Epoch, Hash, KioskId, OfficeCode};
use crate::domain::line::Line;
use crate::domain::office::Directory;
use crate::domain::rating::{Key, Outcome};
use crate::domain::summary::Rated;
use crate::domain::ticket::Claims;
use crate::domain::time::{At, Day};
use crate::domain::versions::Versions;

fn damaged(what: &str) -> StoreError {
    StoreError::Damaged(what.to_owned())
}

const KIOSK: &str =
    "SELECT number, id, office, counter, key, ticket_key, enrolled, receipt_key FROM kiosk";

type KioskRow = (u32, String, String, String, [u8; 32], Vec<u8>, String, Option<String>);

fn kiosk_row(row: &Row<'_>) -> rusqlite::Result<KioskRow> {
    let (number, id, office, counter) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
    Ok((number, id, office, counter, row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?))
}

fn kiosk_of_row(db: &Connection, row: KioskRow) -> Result<Kiosk, StoreError> {
    let (number, id, office, counter, key, ticket_key, enrolled, receipt_key) = row;
    let id: KioskId = id.parse().map_err(|_| damaged("a kiosk's name"))?;
    Ok(Kiosk {
        standing: decisions::standing(db, &id)?,
        former: former_keys(db, &id)?,
        id,
        number,
        office: office.parse().map_err(|_| damaged("an office's code"))?,
        counters: counter.parse().map_err(|_| damaged("a kiosk's counters"))?,
        key: VerifyingKey::from_bytes(&key).map_err(|_| damaged("a kiosk's key"))?,
        ticket_key,
        receipt_key,
        enrolled: At::try_from(enrolled).map_err(|_| damaged("a moment"))?,
    })
}

fn former_keys(db: &Connection, id: &KioskId) -> Result<Vec<FormerKey>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT key, until, ticket_key FROM former_key WHERE kiosk = ? ORDER BY until",
    )?;
    let mut rows = select.query([id.as_str()])?;
    let mut former = Vec::new();
    while let Some(row) = rows.next()? {
        former.push(FormerKey {
            key: VerifyingKey::from_bytes(&row.get(0)?).map_err(|_| damaged("a kiosk's key"))?,
            until: At::try_from(row.get::<_, String>(1)?).map_err(|_| damaged("a moment"))?,
            ticket_key: row.get(2)?,
        });
    }
    Ok(former)
}

pub(super) fn kiosk(db: &Connection, id: &KioskId) -> Result<Option<Kiosk>, StoreError> {
    db.prepare_cached(&format!("{KIOSK} WHERE id = ?"))?
        .query_row([id.as_str()], kiosk_row)
        .optional()?
        .map(|row| kiosk_of_row(db, row))
        .transpose()
}

pub(super) fn kiosk_by_number(db: &Connection, number: u32) -> Result<Option<Kiosk>, StoreError> {
    db.prepare_cached(&format!("{KIOSK} WHERE number = ?"))?
        .query_row([number], kiosk_row)
        .optional()?
        .map(|row| kiosk_of_row(db, row))
        .transpose()
}

pub(super) fn kiosks(db: &Connection) -> Result<Vec<Kiosk>, StoreError> {
    let mut statement = db.prepare(&format!("{KIOSK} ORDER BY number"))?;
    let rows = statement.query_map([], kiosk_row)?;
    rows.map(|row| kiosk_of_row(db, row?)).collect()
}

pub(super) fn segments(
    db: &Connection,
    after: i64,
    most: usize,
) -> Result<Vec<(i64, Segment)>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT id, header, signature, lines, bodies, received, erased FROM segment
         WHERE id > ? ORDER BY id LIMIT ?",
    )?;
    let mut rows = statement.query(params![after, most as i64])?;
    let mut segments = Vec::with_capacity(most);
    while let Some(row) = rows.next()? {
        segments.push((row.get(0)?, segment_of_row(row)?));
    }
    Ok(segments)
}

/// Reads a segment from its columns `id, header, signature, lines, bodies, received, erased`.
pub(super) fn segment_of_row(row: &Row<'_>) -> Result<Segment, StoreError> {
    let received = At::try_from(row.get::<_, String>(5)?);
    Ok(Segment {
        header_line: row.get(1)?,
        signature: row.get(2)?,
        line_part: row.get(3)?,
        body_part: row.get(4)?,
        erased: read_erased(&row.get::<_, String>(6)?),
        received: received.map_err(|_| damaged("when a batch was received"))?,
    })
}

pub(super) fn ticket(
    db: &Connection,
    kiosk: &KioskId,
    claims: Claims,
) -> Result<TicketState, StoreError> {
    let used = db
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM phone WHERE kiosk = ? AND seq = ? AND prefix = ?)",
        )?
        .query_row(params![kiosk.as_str(), claims.seq, claims.epoch], |row| row.get(0))?;
    let mut branches = db.prepare_cached(
        "SELECT id, epoch FROM branch WHERE kiosk = ? AND start <= ? AND epoch LIKE ?
         ORDER BY start DESC LIMIT 1",
    )?;
    let branch: Option<(i64, String)> = branches
        .query_row(params![kiosk.as_str(), claims.seq, format!("{:04x}%", claims.epoch)], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let opening = match branch {
        Some((branch, epoch)) => {
            let epoch: Epoch = epoch.parse().map_err(|_| damaged("an epoch"))?;
            let seq = u64::from(claims.seq);
            line(db, branch, seq)?.and_then(|bytes| Line::read(&bytes, kiosk, epoch, seq).ok())
        }
        None => None,
    };
    Ok(TicketState { used, opening })
}

pub(super) fn line(db: &Connection, branch: i64, seq: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let row: Option<(i64, Vec<u8>)> = db
        .prepare_cached(
            "SELECT first, lines FROM segment
             WHERE branch = ?1 AND first BETWEEN ?2 - 500 AND ?2 AND last >= ?2
             ORDER BY id LIMIT 1",
        )?
        .query_row(params![branch, seq as i64], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(row.and_then(|(first, lines)| {
        Lines::of(&lines).nth((seq as i64 - first) as usize).map(<[u8]>::to_vec)
    }))
}

/// The digest of the directory that holds on a day; of days before the first one told, what that is.
pub(super) fn directory_on(
    db: &Connection,
    office: &OfficeCode,
    day: Date,
) -> Result<Option<Hash>, StoreError> {
    let told: Option<[u8; 32]> = db
        .query_row(
            "SELECT digest FROM directory_change WHERE office = ?1 AND effective <= ?2
             ORDER BY effective DESC, id DESC LIMIT 1",
            params![office.as_str(), day.to_string()],
            |row| row.get(0),
        )
        .optional()?;
    if told.is_some() {
        return Ok(told.map(Hash));
    }
    let first: Option<[u8; 32]> = db
        .query_row(
            "SELECT digest FROM directory_change WHERE office = ?
             ORDER BY effective, id DESC LIMIT 1",
            [office.as_str()],
            |row| row.get(0),
        )
        .optional()?;
    Ok(first.map(Hash))
}

pub(super) fn directory_versions(
    db: &Connection,
) -> Result<BTreeMap<OfficeCode, Versions<Hash>>, StoreError> {
    let mut statement =
        db.prepare_cached("SELECT office, effective, digest FROM directory_change ORDER BY id")?;
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, [u8; 32]>(2)?))
    })?;
    let mut all: BTreeMap<OfficeCode, Versions<Hash>> = BTreeMap::new();
    for row in rows {
        let (office, from, digest) = row?;
        let office = office.parse().map_err(|_| damaged("an office's code"))?;
        let from = from.parse().map_err(|_| damaged("the day of a directory"))?;
        all.entry(office).or_default().tell(from, Hash(digest));
    }
    Ok(all)
}

pub(super) fn directory(db: &Connection, digest: Hash) -> Result<Option<Directory>, StoreError> {
    let text: Option<String> = db
        .prepare_cached("SELECT directory FROM directory_version WHERE digest = ?")?
        .query_row([digest.0], |row| row.get(0))
        .optional()?;
    text.map(|text| serde_json::from_str(&text).map_err(|_| damaged("a directory"))).transpose()
}

pub(super) fn directories(db: &Connection) -> Result<Vec<Directory>, StoreError> {
    let mut statement =
        db.prepare_cached("SELECT directory FROM directory_version ORDER BY number")?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    rows.map(|text| serde_json::from_str(&text?).map_err(|_| damaged("a directory"))).collect()
}

pub(super) fn kept_offices(db: &Connection) -> Result<Vec<OfficeCode>, StoreError> {
    let mut statement =
        db.prepare_cached("SELECT office FROM directory WHERE kept ORDER BY office")?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    rows.map(|code| code?.parse().map_err(|_| damaged("an office's code"))).collect()
}

pub(super) fn kept_forms(db: &Connection) -> Result<Vec<KeptForm>, StoreError> {
    let mut statement =
        db.prepare_cached("SELECT form, at, person FROM form_version ORDER BY code, version")?;
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get(2)?))
    })?;
    let read = |row: rusqlite::Result<(String, String, String)>| {
        let (form, at, person) = row?;
        let form = serde_json::from_str(&form).map_err(|_| damaged("a form"))?;
        let at = At::try_from(at).map_err(|_| damaged("the moment of a form"))?;
        Ok(KeptForm { form, at, person })
    };
    rows.map(read).collect()
}

/// What was told of closing times.
pub(super) fn closing_times(db: &Connection) -> Result<Closing, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT office, at, effective, json_extract(directory_version.directory, '$.office.closes')
         FROM directory_change JOIN directory_version USING (digest) ORDER BY id",
    )?;
    let mut rows = statement.query([])?;
    let mut closing = Closing::default();
    while let Some(row) = rows.next()? {
        let text = |column: usize| row.get::<_, String>(column);
        let office = text(0)?.parse().map_err(|_| damaged("an office's code"))?;
        let at = At::try_from(text(1)?).map_err(|_| damaged("the moment of a directory"))?;
        let from = text(2)?.parse().map_err(|_| damaged("the day of a directory"))?;
        let closes = text(3)?.parse().map_err(|_| damaged("a closing time"))?;
        closing.tell(&office, (at.date(), from), closes);
    }
    Ok(closing)
}

pub(super) fn directory_changes(
    db: &Connection,
    office: &OfficeCode,
) -> Result<Vec<DirectoryChange>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT at, person, effective, directory_version.directory
         FROM directory_change JOIN directory_version USING (digest)
         WHERE office = ? ORDER BY id DESC LIMIT 100",
    )?;
    let rows = statement.query_map([office.as_str()], |row| {
        let effective = row.get::<_, String>(2)?;
        Ok((
            row.get::<_, String>(0)?,
            row.get::<_, String>(1)?,
            effective,
            row.get::<_, String>(3)?,
        ))
    })?;
    let read = |row: rusqlite::Result<(String, String, String, String)>| {
        let (at, person, effective, directory) = row?;
        let at = At::try_from(at).map_err(|_| damaged("the moment of a directory"))?;
        let directory = serde_json::from_str(&directory).map_err(|_| damaged("a directory"))?;
        let effective = effective.parse().map_err(|_| damaged("the day of a directory"))?;
        Ok(DirectoryChange { at, person, effective, directory })
    };
    rows.map(read).collect()
}

pub(super) fn tallies(
    db: &Connection,
    office: &OfficeCode,
    date: Date,
) -> Result<Vec<(Key, u64)>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT key, n FROM tally WHERE office = ? AND day = ? AND n > 0 ORDER BY key",
    )?;
    let rows = statement.query_map(params![office.as_str(), date.to_string()], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
    })?;
    let mut tallies = Vec::new();
    for row in rows {
        let (key, n) = row?;
        let key = Key::parse(&key).ok_or_else(|| StoreError::Damaged(format!("tally {key}")))?;
        tallies.push((key, n as u64));
    }
    Ok(tallies)
}

pub(super) fn passage(db: &Connection, office: &OfficeCode) -> Result<Passage, StoreError> {
    let mut statement =
        db.prepare_cached("SELECT enrolled, retired, passed FROM kiosk WHERE office = ?")?;
    let mut rows = statement.query([office.as_str()])?;
    let mut kiosks = Vec::new();
    let date = |text: Option<String>| text.and_then(|text| text.parse().ok());
    while let Some(row) = rows.next()? {
        let enrolled = At::try_from(row.get::<_, String>(0)?).map_err(|_| damaged("a moment"))?;
        kiosks.push((enrolled.date(), date(row.get(1)?), date(row.get(2)?)));
    }
    Ok(Passage { kiosks, kept_since: kept_since(db)? })
}

pub(super) fn doubts(
    db: &Connection,
    office: &OfficeCode,
    date: Date,
) -> Result<Doubts, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT id FROM kiosk
         WHERE office = ?1 AND id IN (
             SELECT b.kiosk FROM placed p JOIN branch b ON b.id = p.branch
             WHERE p.office = ?1 AND p.day = ?2 AND b.confirmed = 0)
         ORDER BY number",
    )?;
    let mut rows = statement.query(params![office.as_str(), date.to_string()])?;
    let mut unconfirmed = Vec::new();
    while let Some(row) = rows.next()? {
        let id: String = row.get(0)?;
        unconfirmed.push(id.parse().map_err(|_| damaged("a kiosk's name"))?);
    }
    Ok(Doubts { in_review: in_review(db, office)?, unconfirmed })
}

fn in_review(db: &Connection, office: &OfficeCode) -> Result<u64, StoreError> {
    let rated = Key::Outcome(Outcome::Rated).text();
    let n: Option<i64> = db
        .prepare_cached("SELECT n FROM tally WHERE office = ? AND day = ? AND key = ?")?
        .query_row(params![office.as_str(), Day::Review.to_string(), rated], |row| row.get(0))
        .optional()?;
    Ok(n.unwrap_or_default() as u64)
}

pub(super) fn day(
    db: &Connection,
    office: &OfficeCode,
    date: Date,
) -> Result<DayRecord, StoreError> {
    let (progress, gaps) = running(db, office, date, date)?;
    let erased = kept_since(db)?.is_some_and(|kept| date < kept);
    Ok(DayRecord { tallies: tallies(db, office, date)?, progress, gaps, erased })
}

/// See [`Store::running`](crate::central::store::Store::running).
pub(super) fn running(
    db: &Connection,
    office: &OfficeCode,
    from: Date,
    to: Date,
) -> Result<(Vec<Progress>, Vec<Gap>), StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT id, enrolled, passed, last_heard, received
         FROM kiosk LEFT JOIN heartbeat ON heartbeat.kiosk = id
         WHERE office = ?1 AND coalesce(retired > ?2, 1) ORDER BY number",
    )?;
    let mut rows = statement.query(params![office.as_str(), to.to_string()])?;
    let mut progress = Vec::new();
    let moment = |text: String| At::try_from(text).map_err(|_| damaged("a moment"));
    let heard = |text: Option<String>| text.map(moment).transpose();
    while let Some(row) = rows.next()? {
        let id: String = row.get(0)?;
        progress.push(Progress {
            first_started: timing::first_started(db, &id)?,
            kiosk: id.parse().map_err(|_| damaged("a kiosk's name"))?,
            enrolled: moment(row.get(1)?)?,
            passed: row.get::<_, Option<String>>(2)?.and_then(|date| date.parse().ok()),
            last_heard: heard(row.get(3)?)?.max(heard(row.get(4)?)?),
        });
    }
    let mut statement = db.prepare_cached(
        "SELECT g.kiosk, g.alive, g.started FROM kiosk k CROSS JOIN gap g ON g.kiosk = k.id
         WHERE k.office = ?1 AND g.started >= ?2 AND g.alive < ?3
         ORDER BY g.alive, g.kiosk",
    )?;
    let after = to.tomorrow().unwrap_or(Date::MAX);
    let mut rows =
        statement.query(params![office.as_str(), from.to_string(), after.to_string()])?;
    let mut gaps = Vec::new();
    while let Some(row) = rows.next()? {
        let id: String = row.get(0)?;
        gaps.push(Gap {
            kiosk: id.parse().map_err(|_| damaged("a kiosk's name"))?,
            from: moment(row.get(1)?)?,
            to: moment(row.get(2)?)?,
        });
    }
    Ok((progress, gaps))
}

pub(super) fn ratings(
    db: &Connection,
    office: &OfficeCode,
    date: Date,
) -> Result<Vec<Rated>, StoreError> {
    let completed: Option<i64> = db
        .query_row(
            "SELECT ord FROM completion WHERE office = ? AND day = ?",
            params![office.as_str(), date.to_string()],
            |row| row.get(0),
        )
        .optional()?;
    let mut statement = db.prepare_cached(
        "SELECT p.ord, c.day, c.hour, c.counter, c.official, c.form, c.opened_by, c.level_seq,
                c.level, c.end_seq, c.how, c.reasons, c.superseded, c.phone_day, c.phone_level,
                c.phone_reasons
         FROM placed p JOIN contact c ON c.branch = p.branch AND c.seq = p.seq
         WHERE p.office = ? AND p.day = ? ORDER BY p.ord",
    )?;
    let mut rows = statement.query(params![office.as_str(), date.to_string()])?;
    let mut ratings = Vec::new();
    while let Some(row) = rows.next()? {
        let ord: i64 = row.get(0)?;
        let contact = contact_of_row(row, 1).ok_or_else(|| damaged("a contact"))?;
        let (Some(opening), Some(counted)) = (&contact.opening, contact.counted()) else {
            continue;
        };
        ratings.push(Rated {
            counter: opening.counter.clone(),
            official: opening.official.clone(),
            hour: opening.hour,
            channel: counted.channel,
            form: opening.form.clone(),
            level: counted.level.to_owned(),
            reasons: counted.reasons.to_vec(),
            when_complete: completed.is_some_and(|completed| ord <= completed),
        });
    }
    Ok(ratings)
}

pub(super) fn latest_day(db: &Connection, office: &OfficeCode) -> Result<Option<Date>, StoreError> {
    let day: Option<String> = db.query_row(
        "SELECT max(day) FROM tally WHERE office = ? AND day <> 'review' AND n > 0",
        [office.as_str()],
        |row| row.get(0),
    )?;
    Ok(day.and_then(|day| day.parse().ok()))
}

pub(super) fn findings(db: &Connection) -> Result<Vec<Finding>, StoreError> {
    let mut statement =
        db.prepare_cached("SELECT kind, kiosk, epoch, seq, reason FROM finding ORDER BY id")?;
    let rows = statement.query_map([], |row| {
        Ok(Finding {
            kind: row.get(0)?,
            kiosk: row.get(1)?,
            epoch: row.get(2)?,
            seq: row.get::<_, i64>(3)? as u64,
            reason: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn words(db: &Connection, reader: Reader) -> Result<Vec<Written>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT w.office, w.day, c.counter, c.official, w.text,
                'phone ' || w.kiosk || ' ' || w.prefix || ' ' || w.seq,
                (SELECT s.received FROM branch b JOIN segment s ON s.branch = b.id
                 WHERE b.kiosk = 'central' AND s.first <= w.line AND w.line <= s.last LIMIT 1)
         FROM words w
         LEFT JOIN phone p ON p.kiosk = w.kiosk AND p.seq = w.seq AND p.prefix = w.prefix
         LEFT JOIN contact c ON c.branch = p.branch AND c.seq = p.seq
         WHERE w.reader = ?1
         UNION ALL
         SELECT w.office, coalesce(c.day, w.day), c.counter, c.official, w.text,
                'counter ' || b.kiosk || ' ' || b.epoch || ' ' || w.line,
                (SELECT s.received FROM segment s
                 WHERE s.branch = w.branch AND s.first <= w.line ORDER BY s.first DESC LIMIT 1)
         FROM counter_words w JOIN branch b ON b.id = w.branch
         LEFT JOIN contact c ON c.branch = w.branch AND c.seq = w.contact
         WHERE w.reader = ?1
         ORDER BY 2",
    )?;
    let mut rows = statement.query([reader.as_str()])?;
    let mut written = Vec::new();
    while let Some(row) = rows.next()? {
        let (office, place): (String, String) = (row.get(0)?, row.get(5)?);
        let (counter, official): (Option<String>, Option<String>) = (row.get(2)?, row.get(3)?);
        let received: String = row.get(6)?;
        written.push(Written {
            id: Hash::of(place.as_bytes()),
            received: At::try_from(received).map_err(|_| damaged("when words came"))?,
            office: office.parse().map_err(|_| damaged("an office's code"))?,
            day: row.get(1)?,
            counter: counter.map(|id| id.parse()).transpose().map_err(|_| damaged("a counter"))?,
            official: official
                .map(|id| id.parse())
                .transpose()
                .map_err(|_| damaged("an official"))?,
            text: row.get(4)?,
        });
    }
    Ok(written)
}

pub(super) fn comments(
    db: &Connection,
    office: &OfficeCode,
    day: Date,
    by_phone: bool,
) -> Result<Vec<String>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT text FROM words WHERE reader = ?1 AND office = ?2 AND day = ?3 AND ?4
         UNION ALL
         SELECT w.text FROM counter_words w
         LEFT JOIN contact c ON c.branch = w.branch AND c.seq = w.contact
         WHERE w.reader = ?1 AND w.office = ?2 AND coalesce(c.day, w.day) = ?3",
    )?;
    let keys = params![Reader::Office.as_str(), office.as_str(), day.to_string(), by_phone];
    let rows = statement.query_map(keys, |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn rated_contacts(db: &Connection) -> Result<Vec<ContactNumber>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT b.kiosk, b.epoch, c.seq FROM contact c JOIN branch b ON b.id = c.branch
         WHERE c.day IS NOT NULL AND (c.level IS NOT NULL OR c.phone_level IS NOT NULL)",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(ContactNumber {
            kiosk: row.get(0)?,
            epoch: row.get(1)?,
            seq: row.get::<_, i64>(2)? as u64,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Each row of a query as one line of JSON.
pub(super) fn dump(
    db: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    lines: &mut Vec<String>,
) -> Result<(), StoreError> {
    let mut statement = db.prepare(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query(parameters)?;
    while let Some(row) = rows.next()? {
        let mut line = Vec::with_capacity(columns);
        for at in 0..columns {
            line.push(match row.get::<_, Value>(at)? {
                Value::Integer(n) => serde_json::json!(n),
                Value::Text(text) => serde_json::json!(text),
                _ => serde_json::Value::Null,
            });
        }
        lines.push(serde_json::Value::Array(line).to_string());
    }
    Ok(())
}

const FINDINGS: &str = "SELECT 'finding', kind, kiosk, epoch, seq, reason FROM finding";

/// The findings' part of the dump, sorted.
pub(super) fn findings_dump(db: &Connection) -> Result<Vec<String>, StoreError> {
    let mut lines = Vec::new();
    dump(db, FINDINGS, [], &mut lines)?;
    lines.sort();
    Ok(lines)
}

/// The kiosk list, by number.
pub(super) fn kiosks_dump(db: &Connection) -> Result<Vec<String>, StoreError> {
    let mut lines = Vec::new();
    let list = "SELECT 'kiosk', number, id, office, counter, lower(hex(key)), enrolled
                FROM kiosk ORDER BY number";
    dump(db, list, [], &mut lines)?;
    Ok(lines)
}

/// The canonical dump, sorted.
pub(super) fn canonical_dump(db: &Connection) -> Result<Vec<String>, StoreError> {
    let mut lines = Vec::new();
    dump(
        db,
        "SELECT 'contact', b.kiosk, b.epoch, c.seq, c.day, c.hour, c.counter, c.official, c.form,
                c.opened_by, c.level_seq, c.level, c.end_seq, c.how, c.reasons, c.superseded,
                c.phone_day, c.phone_level, c.phone_reasons
         FROM contact c JOIN branch b ON b.id = c.branch",
        [],
        &mut lines,
    )?;
    dump(db, "SELECT 'tally', office, day, key, n FROM tally WHERE n <> 0", [], &mut lines)?;
    dump(db, FINDINGS, [], &mut lines)?;
    lines.sort();
    Ok(lines)
}

/// What else follows from the journals, for comparing within one service: decisions, used tickets,
/// words (by their hash: whoever compares need not read them), times out of use.
pub(super) fn other_dump(db: &Connection) -> Result<Vec<String>, StoreError> {
    let mut lines = Vec::new();
    for sql in [
        "SELECT 'decision', epoch, seq, at, what, kiosk, withdrawn, decision FROM decision",
        "SELECT 'ticket', kiosk, prefix, seq, day, level, reasons, source FROM phone",
        "SELECT 'gap', kiosk, alive, started FROM gap",
        "SELECT 'retired', id, retired FROM kiosk WHERE retired IS NOT NULL",
        "SELECT 'look', office, at, person, first, last, view FROM look",
    ] {
        dump(db, sql, [], &mut lines)?;
    }
    // Each with the names of its branch, whose number is not the same in another store.
    let mut words = db.prepare(
        "SELECT w.office, w.day, w.reader, b.kiosk, b.epoch, w.contact, w.line, w.text
         FROM counter_words w JOIN branch b ON b.id = w.branch",
    )?;
    let mut rows = words.query([])?;
    while let Some(row) = rows.next()? {
        let text = |at: usize| row.get::<_, String>(at);
        let hash = Hash::of(text(7)?.as_bytes());
        let (office, day, reader, kiosk, epoch) =
            (text(0)?, text(1)?, text(2)?, text(3)?, text(4)?);
        let (contact, line): (i64, i64) = (row.get(5)?, row.get(6)?);
        let row = serde_json::json!([
            "counter_words",
            office,
            day,
            reader,
            kiosk,
            epoch,
            contact,
            line,
            hash
        ]);
        lines.push(row.to_string());
    }
    let mut words = db.prepare(
        "SELECT office, day, reader, kiosk, prefix, seq, line, text FROM words ORDER BY line",
    )?;
    let mut rows = words.query([])?;
    while let Some(row) = rows.next()? {
        let text = |at: usize| row.get::<_, String>(at);
        let number = |at: usize| row.get::<_, i64>(at);
        let hash = Hash::of(text(7)?.as_bytes());
        let (office, day, reader, kiosk) = (text(0)?, text(1)?, text(2)?, text(3)?);
        let (prefix, seq, line) = (number(4)?, number(5)?, number(6)?);
        let row = serde_json::json!(["words", office, day, reader, kiosk, prefix, seq, line, hash]);
        lines.push(row.to_string());
    }
    Ok(lines)
}
