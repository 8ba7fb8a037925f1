//! Answers whose time is over: what was answered goes, and what these days' tallies were is carried
//! over, because nothing that is left gives it any more.
//!
//! From then on such a day is closed. Its tallies move no more, nothing is decided about it, and a
//! contact of it that arrives only now stands in review, so that it is seen.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, params};

use super::counting::Touched;
use super::erasure::Which;
use super::reading::dump;
use super::writing::Writer;
use crate::central::store::StoreError;
use crate::domain::archive::Tallies;
use crate::domain::batch::Lines;
use crate::domain::decision::{Decision, What};
use crate::domain::ids::{Epoch, Hash, KioskId};
use crate::domain::line::{By, Event, Line};
use crate::domain::time::Day;

/// A phone answers at most seven days after the contact; its clock and ours may differ by a little.
const PHONE_DAYS: i64 = 9;

/// Rows of some days, found by office and day: there is one such line for every day of many years.
const OF_DAYS: &str = "WHERE office IN (SELECT office FROM kiosk) AND day >= ? AND day < ?";

/// Days as the store spells them, from one to before another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Days {
    /// The first, if there is one.
    pub since: Option<Date>,
    /// The first that is not meant.
    pub before: Date,
}

impl Days {
    fn texts(self) -> [String; 2] {
        // Before all days stands the empty text; after all of them “review”.
        [self.since.map(|day| day.to_string()).unwrap_or_default(), self.before.to_string()]
    }

    fn has(self, day: Date) -> bool {
        self.since.is_none_or(|since| since <= day) && day < self.before
    }
}

/// The first day of which answers are kept, if others were erased.
pub(super) fn kept_since(db: &Connection) -> Result<Option<Date>, StoreError> {
    let before: Option<String> = db
        .prepare_cached(
            "SELECT max(json_extract(decision, '$.before')) FROM decision
             WHERE what = 'answers_erased'",
        )?
        .query_row([], |row| row.get(0))?;
    let day = |text: String| text.parse().map_err(|_| StoreError::Damaged("a decision".into()));
    before.map(day).transpose()
}

/// What is carried over of some days, as the canonical dump has it.
pub(super) fn carried_digest(db: &Connection, days: Days) -> Result<Hash, StoreError> {
    let mut lines = Vec::new();
    dump(
        db,
        &format!("SELECT 'tally', office, day, key, n FROM carried {OF_DAYS}"),
        days.texts(),
        &mut lines,
    )?;
    lines.sort();
    Ok(Hash::of_lines(&lines))
}

/// All that is carried over.
pub(super) fn carried(db: &Connection) -> Result<Vec<Tallies>, StoreError> {
    let mut select =
        db.prepare("SELECT office, day, key, n FROM carried ORDER BY office, day, key")?;
    let mut rows = select.query([])?;
    let mut all: Vec<Tallies> = Vec::new();
    while let Some(row) = rows.next()? {
        let (office, day): (String, String) = (row.get(0)?, row.get(1)?);
        let day = day.parse().map_err(|_| StoreError::Damaged("a day carried over".into()))?;
        if all.last().is_none_or(|last| (&last.office, last.day) != (&office, day)) {
            all.push(Tallies { office, day, tallies: BTreeMap::new() });
        }
        if let Some(last) = all.last_mut() {
            last.tallies.insert(row.get(2)?, row.get(3)?);
        }
    }
    Ok(all)
}

/// Keeps what another store carried over.
pub(super) fn carry(db: &Connection, carried: &[Tallies]) -> Result<(), StoreError> {
    let mut insert = db.prepare("INSERT OR IGNORE INTO carried VALUES (?, ?, ?, ?)")?;
    for Tallies { office, day, tallies } in carried {
        for (key, n) in tallies {
            insert.execute(params![office, day.to_string(), key, n])?;
        }
    }
    Ok(())
}

/// Whether anything is here that was answered before a day and is not erased.
pub(super) fn has_answers_before(db: &Connection, before: Date) -> Result<bool, StoreError> {
    let days = Days { since: kept_since(db)?, before };
    let [since, before] = days.texts();
    let counted: bool = db
        .prepare_cached(
            "SELECT EXISTS (
                 SELECT 1 FROM (SELECT DISTINCT office FROM kiosk) k
                 JOIN tally t ON t.office = k.office AND t.day >= ?1 AND t.day < ?2 AND t.n <> 0)
             OR EXISTS (
                 SELECT 1 FROM finding WHERE kind = 'clock' AND substr(received, 1, 10) >= ?1
                                             AND substr(received, 1, 10) < ?2)",
        )?
        .query_row([since, before], |row| row.get(0))?;
    Ok(counted)
}

impl Writer {
    /// Carries over what was counted before a day, and notes that what was answered is erased.
    pub(super) fn end_answers(
        &mut self,
        before: Date,
        person: String,
        reason: String,
    ) -> Result<(Epoch, u64), StoreError> {
        let days = Days { since: self.kept_since, before };
        self.db.execute(
            &format!(
                "INSERT INTO carried (office, day, key, n)
                 SELECT office, day, key, n FROM tally {OF_DAYS} AND n <> 0"
            ),
            days.texts(),
        )?;
        let tallies = carried_digest(&self.db, days)?;
        let what = What::AnswersErased { since: days.since, before, tallies };
        self.note_decision(Decision { what, person, reason })
    }

    /// Erases what was answered on some days, as a line says.
    pub(super) fn erase_answers(
        &mut self,
        days: Days,
        touched: &mut Touched,
    ) -> Result<(), StoreError> {
        // What moved before this in the same transaction.
        self.flush()?;
        self.kept_since = self.kept_since.max(Some(days.before));
        // Who places again what another store holds does not get what was erased there.
        if !self.again {
            self.erase_dated(days)?;
            self.erase_undated(days, touched)?;
            self.erase_by_phone(days, touched)?;
        }
        for what in
            ["DELETE FROM placed", "DELETE FROM tally", "INSERT INTO tally SELECT * FROM carried"]
        {
            self.db.execute(&format!("{what} {OF_DAYS}"), days.texts())?;
        }
        Ok(())
    }

    /// Takes the bodies of contacts' lines out of a branch; gives the lines.
    fn erase_all_of(
        &mut self,
        branch: i64,
        contacts: &BTreeSet<u64>,
    ) -> Result<Vec<Line>, StoreError> {
        let lines = self.lines_of(branch, contacts)?;
        self.erase(branch, &lines.iter().map(|line| line.seq).collect(), Which::All)?;
        Ok(lines)
    }

    /// Contacts of these days.
    fn erase_dated(&mut self, days: Days) -> Result<(), StoreError> {
        let mut contacts: BTreeMap<i64, BTreeSet<u64>> = BTreeMap::new();
        {
            let mut select =
                self.db.prepare("SELECT branch, seq FROM contact WHERE day >= ? AND day < ?")?;
            let mut rows = select.query(days.texts())?;
            while let Some(row) = rows.next()? {
                contacts.entry(row.get(0)?).or_default().insert(row.get::<_, i64>(1)? as u64);
            }
        }
        for (branch, contacts) in contacts {
            self.erase_all_of(branch, &contacts)?;
        }
        // Their tallies are carried over: nothing moves by this.
        self.db.execute(
            "UPDATE contact SET level_seq = NULL, level = NULL,
                                reasons = CASE WHEN end_seq IS NULL THEN NULL ELSE '' END
             WHERE day >= ? AND day < ?",
            days.texts(),
        )?;
        Ok(())
    }

    /// Contacts of which nobody can tell the day, or of which the opening line never came: by when
    /// they were received.
    fn erase_undated(&mut self, days: Days, touched: &mut Touched) -> Result<(), StoreError> {
        type Row = (i64, String, String, i64, Option<i64>);
        let undated: Vec<Row> = self
            .db
            .prepare(
                "SELECT c.branch, b.kiosk, b.epoch, c.seq,
                        CASE WHEN c.day IS NULL THEN coalesce(c.end_seq, c.level_seq) ELSE c.seq END
                 FROM contact c JOIN branch b ON b.id = c.branch
                 WHERE c.day IS NULL OR c.day = 'review'",
            )?
            .query_map([], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
            })?
            .collect::<Result<_, _>>()?;
        for (branch, kiosk, epoch, contact, line) in undated {
            let received = match line {
                Some(seq) => self.line_and_when(branch, seq as u64)?,
                None => None,
            };
            if !received.is_some_and(|(_, received)| days.has(received.date())) {
                continue;
            }
            let damaged = || StoreError::Damaged(format!("branch {branch}"));
            let kiosk: KioskId = kiosk.parse().map_err(|_| damaged())?;
            let epoch: Epoch = epoch.parse().map_err(|_| damaged())?;
            let contact = contact as u64;
            self.erase_all_of(branch, &BTreeSet::from([contact]))?;
            let state = self.state(&kiosk)?;
            if let (Some(office), Some(place)) = (&state.office, state.branches.place(epoch)) {
                self.forget(&state.branches.0[place], office, contact, touched)?;
            }
        }
        Ok(())
    }

    /// Phones' answers that were given before the last of these days ended, for contacts of days
    /// that are closed or that nobody knows.
    fn erase_by_phone(&mut self, days: Days, touched: &mut Touched) -> Result<(), StoreError> {
        // Answers of earlier days, but for those that came too late for the line before.
        let from = days.since.map(|since| since.saturating_sub(PHONE_DAYS.days()));
        let after: i64 = self.db.query_row(
            "SELECT coalesce(max(last), 0) FROM root WHERE json_extract(statement, '$.day') < ?",
            [from.map(|day| day.to_string()).unwrap_or_default()],
            |row| row.get(0),
        )?;
        let mut answers: BTreeMap<i64, BTreeSet<u64>> = BTreeMap::new();
        {
            let mut select = self.db.prepare(
                "SELECT s.branch, s.lines FROM segment s JOIN branch b ON b.id = s.branch
                 WHERE b.kiosk = 'central' AND s.id > ?1 AND substr(s.received, 1, 10) < ?2",
            )?;
            let mut rows = select.query(params![after, days.before.to_string()])?;
            while let Some(row) = rows.next()? {
                let part = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
                for bytes in Lines::of(part) {
                    let Ok(line) = serde_json::from_slice::<Line>(bytes) else { continue };
                    let by_phone = line.event == Event::Contact && line.by == Some(By::Phone);
                    if by_phone && self.is_over(&line, days.before)? {
                        answers.entry(row.get(0)?).or_default().insert(line.seq);
                    }
                }
            }
        }
        for (branch, contacts) in answers {
            let lines = self.erase_all_of(branch, &contacts)?;
            self.forget_words(&lines.iter().map(|line| line.seq).collect())?;
            for opening in lines.iter().filter(|line| line.event == Event::Contact) {
                self.forget_phone(opening, touched)?;
            }
        }
        Ok(())
    }

    /// Whether a phone's answer is still here, and for a contact of a day that is closed or unknown.
    fn is_over(&self, opening: &Line, before: Date) -> Result<bool, StoreError> {
        let Some((kiosk, prefix, seq)) = opening.ticket_of() else { return Ok(false) };
        let day: Option<String> = self
            .db
            .prepare_cached(
                "SELECT coalesce(c.day, p.day) FROM phone p
                 LEFT JOIN contact c ON c.branch = p.branch AND c.seq = p.seq
                 WHERE p.kiosk = ? AND p.prefix = ? AND p.seq = ? AND p.level <> ''",
            )?
            .query_row(params![kiosk.as_str(), prefix, seq as i64], |row| row.get(0))
            .optional()?;
        Ok(match day.as_deref().and_then(Day::parse) {
            Some(Day::On(day)) => day < before,
            Some(Day::Review) => true,
            None => false,
        })
    }
}
