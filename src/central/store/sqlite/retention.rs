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

/// A phone answers at most seven days after the contact, which a person may have moved to another
/// day.
const PHONE_DAYS: i64 = 40;

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
    if days.since.is_some_and(|since| since >= days.before) {
        return Ok(false);
    }
    let [since, before] = days.texts();
    let counted: bool = db
        .prepare_cached(
            "SELECT EXISTS (
                 SELECT 1 FROM (SELECT DISTINCT office FROM kiosk) k
                 JOIN tally t ON t.office = k.office AND t.day >= ?1 AND t.day < ?2 AND t.n <> 0)
             OR EXISTS (
                 SELECT 1 FROM finding WHERE kind IN ('clock', 'quarantine')
                                             AND substr(received, 1, 10) >= ?1
                                             AND substr(received, 1, 10) < ?2)
             OR EXISTS (SELECT 1 FROM phone WHERE level <> '' AND day < ?2)",
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
            self.erase_at_counters(days, touched)?;
            self.erase_by_phone(days, touched)?;
            self.erase_quarantined(days)?;
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
        self.forget_counter_words(branch, contacts)?;
        Ok(lines)
    }

    /// Contacts of these days; and those of which nobody can tell the day, or of which the opening
    /// line never came, by when they were received.
    fn erase_at_counters(&mut self, days: Days, touched: &mut Touched) -> Result<(), StoreError> {
        #[derive(Default)]
        struct Over {
            dated: BTreeSet<u64>,
            /// Each with a line of it.
            undated: Vec<(u64, u64)>,
        }
        let mut over: BTreeMap<i64, Over> = BTreeMap::new();
        {
            let mut select = self.db.prepare(
                "SELECT branch, seq, day <> 'review',
                        CASE WHEN day IS NULL THEN coalesce(end_seq, level_seq) ELSE seq END
                 FROM contact
                 WHERE (day >= ?1 AND day < ?2) OR day IS NULL OR day = 'review'",
            )?;
            let mut rows = select.query(days.texts())?;
            while let Some(row) = rows.next()? {
                let of = over.entry(row.get(0)?).or_default();
                let (seq, line) = (row.get::<_, i64>(1)? as u64, row.get::<_, Option<i64>>(3)?);
                match (row.get::<_, Option<bool>>(2)?, line) {
                    (Some(true), _) => drop(of.dated.insert(seq)),
                    (_, Some(line)) => of.undated.push((seq, line as u64)),
                    // Nothing but an answer by phone is here.
                    (_, None) => {}
                }
            }
        }
        for (branch, Over { dated, undated }) in over {
            let mut alone = BTreeSet::new();
            for (contact, line) in undated {
                // Also those of which something came after the line that erased them.
                if self.came_before(branch, line, days.before)?
                    && self.all_came(branch, contact, days.before)?
                {
                    alone.insert(contact);
                }
            }
            let contacts = dated.union(&alone).copied().collect::<BTreeSet<u64>>();
            self.erase_all_of(branch, &contacts)?;
            // The tallies of these days are carried over: nothing moves by this.
            for contact in dated {
                self.db
                    .prepare_cached(
                        "UPDATE contact SET level_seq = NULL, level = NULL,
                                reasons = CASE WHEN end_seq IS NULL THEN NULL ELSE '' END
                         WHERE branch = ? AND seq = ?",
                    )?
                    .execute(params![branch, contact as i64])?;
            }
            if alone.is_empty() {
                continue;
            }
            let (kiosk, epoch): (String, String) = self.db.query_row(
                "SELECT kiosk, epoch FROM branch WHERE id = ?",
                [branch],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            let damaged = || StoreError::Damaged(format!("branch {branch}"));
            let kiosk: KioskId = kiosk.parse().map_err(|_| damaged())?;
            let epoch: Epoch = epoch.parse().map_err(|_| damaged())?;
            let state = self.state(&kiosk)?;
            if let (Some(office), Some(place)) = (&state.office, state.branches.place(epoch)) {
                for contact in alone {
                    self.forget(&state.branches.0[place], office, contact, touched)?;
                }
            }
        }
        Ok(())
    }

    fn came_before(&self, branch: i64, line: u64, before: Date) -> Result<bool, StoreError> {
        let when = self.line_and_when(branch, line)?;
        Ok(when.is_some_and(|(_, received)| received.date() < before))
    }

    /// Whether a contact's opening line, or without it every line of it, came before a day: each body
    /// is judged by the opening line, or without it by its own.
    fn all_came(&self, branch: i64, contact: u64, before: Date) -> Result<bool, StoreError> {
        let lines = self.lines_of(branch, &BTreeSet::from([contact]))?;
        let opening = lines.iter().find(|line| line.seq == contact);
        let judged: Vec<u64> = match opening {
            Some(opening) => vec![opening.seq],
            None => lines.iter().map(|line| line.seq).collect(),
        };
        for line in judged {
            if !self.came_before(branch, line, before)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Bodies of lines that are in quarantine: those may be of no contact that anybody can read.
    fn erase_quarantined(&self, days: Days) -> Result<(), StoreError> {
        let mut lines: BTreeMap<i64, BTreeSet<u64>> = BTreeMap::new();
        {
            let mut select = self.db.prepare(
                "SELECT b.id, f.seq FROM finding f
                 JOIN branch b ON b.kiosk = f.kiosk AND b.epoch = f.epoch
                 WHERE f.kind = 'quarantine' AND substr(f.received, 1, 10) >= ?1
                                             AND substr(f.received, 1, 10) < ?2",
            )?;
            let mut rows = select.query(days.texts())?;
            while let Some(row) = rows.next()? {
                lines.entry(row.get(0)?).or_default().insert(row.get::<_, i64>(1)? as u64);
            }
        }
        lines.iter().try_for_each(|(branch, lines)| self.erase(*branch, lines, Which::All))
    }

    /// Phones' answers that were given before the last of these days ended, for contacts of days
    /// that are closed or that nobody knows.
    fn erase_by_phone(&mut self, days: Days, touched: &mut Touched) -> Result<(), StoreError> {
        // Answers of earlier days are erased, but for those that came too late for the line before.
        let from = days.since.map(|since| since.saturating_sub(PHONE_DAYS.days()));
        let from = from.map(|day| day.to_string()).unwrap_or_default();
        let [_, before] = days.texts();
        let (after, to): (i64, i64) = self.db.query_row(
            "SELECT coalesce(max(CASE WHEN day < ?1 THEN last END), 0),
                    coalesce(min(CASE WHEN day >= ?2 THEN last END), 9223372036854775807)
             FROM (SELECT last, json_extract(statement, '$.day') AS day FROM root)",
            [&from, &before],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let mut answers: BTreeMap<i64, BTreeSet<u64>> = BTreeMap::new();
        {
            let mut select = self.db.prepare(
                "SELECT s.branch, s.lines FROM segment s JOIN branch b ON b.id = s.branch
                 WHERE b.kiosk = 'central' AND s.id > ?1 AND s.id <= ?2
                       AND substr(s.received, 1, 10) < ?3",
            )?;
            let mut rows = select.query(params![after, to, before])?;
            while let Some(row) = rows.next()? {
                let part = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
                for bytes in Lines::of(part) {
                    let Ok(line) = serde_json::from_slice::<Line>(bytes) else { continue };
                    let by_phone = line.event == Event::Contact && line.by == Some(By::Phone);
                    if by_phone && self.is_due(&line, days.before)? {
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
    fn is_due(&self, opening: &Line, before: Date) -> Result<bool, StoreError> {
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
