//! Erasure: bodies go, and what was counted or read of them; lines, signatures and roots stay.
//!
//! A segment keeps which of its bodies are gone, so that one that is missing for another reason is
//! told from it. What is erased is erased again when the same lines are stored once more.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use rusqlite::params;

use super::branches::Branch;
use super::counting::Touched;
use super::writing::Writer;
use crate::central::store::{ContactRef, ErasedBody, StoreError};
use crate::domain::batch::Lines;
use crate::domain::ids::{Epoch, KioskId, OfficeCode};
use crate::domain::line::{Event, Line};
use crate::domain::rating::{Cell, Key};
use crate::domain::seal::Kind;
use crate::domain::time::{At, Day};

/// “12:3,14:1:unknown_level+unknown_kind”.
pub(super) fn read_erased(text: &str) -> Vec<ErasedBody> {
    let body = |text: &str| {
        let mut parts = text.splitn(3, ':');
        let (seq, kind) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let found = parts.next().unwrap_or_default().split('+').filter(|why| !why.is_empty());
        Some(ErasedBody { seq, kind, found: found.map(str::to_owned).collect() })
    };
    text.split(',').filter_map(body).collect()
}

fn write_erased(bodies: &BTreeSet<ErasedBody>) -> String {
    let text = |body: &ErasedBody| {
        let ErasedBody { seq, kind, found } = body;
        let why = if found.is_empty() { String::new() } else { format!(":{}", found.join("+")) };
        format!("{seq}:{kind}{why}")
    };
    bodies.iter().map(text).collect::<Vec<_>>().join(",")
}

/// A body part without what goes, and which bodies that were: the number of the line and the kind.
fn without(mut part: &[u8], goes: impl Fn(u64, u8) -> bool) -> (Vec<u8>, Vec<(u64, u8)>) {
    let (mut rest, mut gone) = (Vec::new(), Vec::new());
    while let Some((head, tail)) = part.split_first_chunk::<11>() {
        let [s0, s1, s2, s3, s4, s5, s6, s7, kind, l0, l1] = *head;
        let seq = u64::from_be_bytes([s0, s1, s2, s3, s4, s5, s6, s7]);
        let length = usize::from(u16::from_be_bytes([l0, l1])).min(tail.len());
        let (bytes, after) = tail.split_at(length);
        if goes(seq, kind) {
            gone.push((seq, kind));
        } else {
            rest.extend(head);
            rest.extend(bytes);
        }
        part = after;
    }
    (rest, gone)
}

/// Which bodies of some lines go.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which {
    All,
    Words,
}

impl Writer {
    /// Takes bodies of some lines out of the segments of a branch.
    pub(super) fn erase(
        &self,
        branch: i64,
        lines: &BTreeSet<u64>,
        which: Which,
    ) -> Result<(), StoreError> {
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return Ok(()) };
        let goes = |seq: u64, kind: u8| {
            let kind = matches!(which, Which::All) || kind == Kind::Words as u8;
            kind && lines.contains(&seq)
        };
        let found = self.found(branch)?;
        let mut segments = self.db.prepare_cached(
            "SELECT id, bodies, erased FROM segment
             WHERE branch = ? AND last >= ? AND first <= ? AND length(bodies) > 0",
        )?;
        let mut rows = segments.query(params![branch, *first as i64, *last as i64])?;
        while let Some(row) = rows.next()? {
            let (rest, gone) =
                without(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?, goes);
            if gone.is_empty() {
                continue;
            }
            let mut erased: BTreeSet<ErasedBody> =
                read_erased(&row.get::<_, String>(2)?).into_iter().collect();
            erased.extend(gone.into_iter().map(|(seq, kind)| ErasedBody {
                seq,
                kind,
                found: found.get(&seq).cloned().unwrap_or_default(),
            }));
            self.db
                .prepare_cached("UPDATE segment SET bodies = ?2, erased = ?3 WHERE id = ?1")?
                .execute(params![row.get::<_, i64>(0)?, rest, write_erased(&erased)])?;
        }
        Ok(())
    }

    /// Why lines of a branch are in quarantine, by their numbers.
    fn found(&self, branch: i64) -> Result<BTreeMap<u64, Vec<String>>, StoreError> {
        let mut found: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        let mut findings = self.db.prepare_cached(
            "SELECT f.seq, f.reason FROM finding f
             JOIN branch b ON b.kiosk = f.kiosk AND b.epoch = f.epoch
             WHERE b.id = ? AND f.kind = 'quarantine' ORDER BY f.reason",
        )?;
        let mut rows = findings.query([branch])?;
        while let Some(row) = rows.next()? {
            found.entry(row.get::<_, i64>(0)? as u64).or_default().push(row.get(1)?);
        }
        Ok(found)
    }

    pub(super) fn row_of(&self, kiosk: &KioskId, epoch: Epoch) -> Result<Option<i64>, StoreError> {
        use rusqlite::OptionalExtension;
        let row = self
            .db
            .prepare_cached("SELECT id FROM branch WHERE kiosk = ? AND epoch = ?")?
            .query_row(params![kiosk.as_str(), epoch.to_string()], |row| row.get(0))
            .optional()?;
        Ok(row)
    }

    /// The lines of contacts: those that opened them, and those that name them.
    pub(super) fn lines_of(
        &self,
        branch: i64,
        contacts: &BTreeSet<u64>,
    ) -> Result<Vec<Line>, StoreError> {
        let Some(first) = contacts.first() else { return Ok(Vec::new()) };
        let mut segments =
            self.db.prepare_cached("SELECT lines FROM segment WHERE branch = ? AND last >= ?")?;
        let mut rows = segments.query(params![branch, *first as i64])?;
        let mut lines = Vec::new();
        while let Some(row) = rows.next()? {
            let part = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            let read =
                Lines::of(part).filter_map(|bytes| serde_json::from_slice::<Line>(bytes).ok());
            lines.extend(read.filter(|line| {
                (line.event == Event::Contact && contacts.contains(&line.seq))
                    || line.contact.is_some_and(|contact| contacts.contains(&contact))
            }));
        }
        Ok(lines)
    }

    /// Erases what was answered in a contact.
    pub(super) fn erase_contact(
        &mut self,
        of: &ContactRef,
        words_only: bool,
        touched: &mut Touched,
    ) -> Result<(), StoreError> {
        let Some(branch) = self.row_of(&of.kiosk, of.epoch)? else { return Ok(()) };
        let lines = self.lines_of(branch, &BTreeSet::from([of.contact]))?;
        let numbers = lines.iter().map(|line| line.seq).collect();
        self.erase(branch, &numbers, if words_only { Which::Words } else { Which::All })?;
        if of.kiosk.is_central() {
            self.forget_words(&numbers)?;
            let opening = lines.iter().find(|line| line.seq == of.contact);
            return match opening {
                Some(opening) if !words_only => self.forget_phone(opening, touched),
                _ => Ok(()),
            };
        }
        self.forget_counter_words(branch, &BTreeSet::from([of.contact]))?;
        if words_only {
            return Ok(());
        }
        let state = self.state(&of.kiosk)?;
        match (&state.office, state.branches.place(of.epoch)) {
            (Some(office), Some(place)) => {
                self.forget(&state.branches.0[place], office, of.contact, touched)
            }
            _ => Ok(()),
        }
    }

    /// What was answered at the counter no longer counts.
    pub(super) fn forget(
        &mut self,
        branch: &Branch,
        office: &OfficeCode,
        contact: u64,
        touched: &mut Touched,
    ) -> Result<(), StoreError> {
        let contact = self.touch(branch, office, contact, touched)?;
        contact.level = None;
        if let Some(end) = &mut contact.end {
            end.reasons.clear();
        }
        Ok(())
    }

    pub(super) fn forget_words(&self, lines: &BTreeSet<u64>) -> Result<(), StoreError> {
        let mut delete = self.db.prepare_cached("DELETE FROM words WHERE line = ?")?;
        lines.iter().try_for_each(|line| delete.execute([*line as i64]).map(drop))?;
        Ok(())
    }

    /// What was written at a kiosk in some contacts is no longer read.
    pub(super) fn forget_counter_words(
        &self,
        branch: i64,
        contacts: &BTreeSet<u64>,
    ) -> Result<(), StoreError> {
        let mut delete =
            self.db.prepare_cached("DELETE FROM counter_words WHERE branch = ? AND contact = ?")?;
        contacts
            .iter()
            .try_for_each(|contact| delete.execute(params![branch, *contact as i64]).map(drop))?;
        Ok(())
    }

    /// A phone's answer no longer counts or waits; its ticket stays used.
    pub(super) fn forget_phone(
        &mut self,
        opening: &Line,
        touched: &mut Touched,
    ) -> Result<(), StoreError> {
        let Some((kiosk, prefix, seq)) = opening.ticket_of() else { return Ok(()) };
        let number = params![kiosk.as_str(), prefix, seq as i64];
        let (day, branch, level): (String, Option<i64>, String) = self.db.query_row(
            "SELECT day, branch, level FROM phone WHERE kiosk = ? AND prefix = ? AND seq = ?",
            number,
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        if level.is_empty() {
            return Ok(());
        }
        self.db.execute(
            "UPDATE phone SET level = '', reasons = '' WHERE kiosk = ? AND prefix = ? AND seq = ?",
            number,
        )?;
        let state = self.state(kiosk)?;
        let Some(office) = &state.office else { return Ok(()) };
        let known = |of: &&Branch| Some(of.id) == branch;
        match state.branches.0.iter().find(known) {
            Some(branch) => self.touch(branch, office, seq, touched)?.phone = None,
            None => {
                let day = Day::parse(&day).ok_or_else(|| StoreError::Damaged("a day".into()))?;
                self.move_tally(office, Cell { day, key: Key::Waiting }, -1);
            }
        }
        Ok(())
    }

    /// The words that were written before a day: branch and number of their lines.
    pub(super) fn words_before(&self, day: Date) -> Result<Vec<(i64, u64)>, StoreError> {
        // Nobody writes before the day of the contact.
        let mut words = self.db.prepare_cached(
            "SELECT DISTINCT b.id, w.line FROM words w, branch b JOIN range r ON r.branch = b.id
             WHERE w.day < ? AND b.kiosk = 'central' AND w.line BETWEEN r.first AND r.last",
        )?;
        let rows = words.query_map([day.to_string()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)? as u64))
        })?;
        let rows: Vec<(i64, u64)> = rows.collect::<Result<_, _>>()?;
        let mut before = Vec::new();
        for (branch, seq) in rows {
            let line = self.line_and_when(branch, seq)?;
            let at =
                line.and_then(|(bytes, _)| Some(serde_json::from_slice::<Line>(&bytes).ok()?.at));
            if at.is_some_and(|at: At| at.date() < day) {
                before.push((branch, seq));
            }
        }
        Ok(before)
    }

    /// The same of words that were written at kiosks.
    pub(super) fn counter_words_before(&self, day: Date) -> Result<Vec<(i64, u64)>, StoreError> {
        let mut words =
            self.db.prepare_cached("SELECT branch, line FROM counter_words WHERE day < ?")?;
        let rows = words.query_map([day.to_string()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)? as u64))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Erases words that were written before a day.
    pub(super) fn erase_words(&mut self, before: Date) -> Result<(), StoreError> {
        for (branch, seq) in self.words_before(before)? {
            let lines = BTreeSet::from([seq]);
            self.erase(branch, &lines, Which::Words)?;
            self.forget_words(&lines)?;
        }
        for (branch, line) in self.counter_words_before(before)? {
            self.erase(branch, &BTreeSet::from([line]), Which::Words)?;
            let mut delete = self
                .db
                .prepare_cached("DELETE FROM counter_words WHERE branch = ? AND line = ?")?;
            delete.execute(params![branch, line as i64])?;
        }
        Ok(())
    }

    /// Erases in lines that were stored once more what was erased of them before.
    pub(super) fn erase_again(&self, branch: i64, first: u64, last: u64) -> Result<(), StoreError> {
        let mut erased = self.db.prepare_cached(
            "SELECT erased FROM segment
             WHERE branch = ? AND last >= ? AND first <= ? AND erased <> ''",
        )?;
        let rows = erased
            .query_map(params![branch, first as i64, last as i64], |row| row.get::<_, String>(0))?;
        let (mut all, mut words) = (BTreeSet::new(), BTreeSet::new());
        for text in rows {
            for body in read_erased(&text?) {
                let lines = if body.kind == Kind::Words as u8 { &mut words } else { &mut all };
                lines.insert(body.seq);
            }
        }
        self.erase(branch, &all, Which::All)?;
        self.erase(branch, &words, Which::Words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::batch::{body_part, read_body_part};
    use crate::domain::series::SealedBody;

    #[test]
    fn what_is_not_erased_stays_as_it_was() {
        let body = |seq, kind| SealedBody { seq, kind, bytes: vec![seq as u8; 40] };
        let all = [body(7, Kind::Level), body(8, Kind::Reasons), body(8, Kind::Words)];
        let (rest, gone) = without(&body_part(&all), |seq, kind| (seq, kind) == (8, 3));
        assert_eq!(gone, [(8, 3)]);
        let (left, _) = read_body_part(&rest).unwrap();
        assert_eq!(
            left.iter().map(|body| (body.seq, body.kind)).collect::<Vec<_>>(),
            [(7, Kind::Level), (8, Kind::Reasons)]
        );
        let body = |seq, kind, found: &[&str]| ErasedBody {
            seq,
            kind,
            found: found.iter().map(|why| why.to_string()).collect(),
        };
        let erased = [body(8, 3, &[]), body(9, 1, &["unknown_form", "unknown_kind"])];
        let text = write_erased(&BTreeSet::from(erased.clone()));
        assert_eq!(text, "8:3,9:1:unknown_form+unknown_kind");
        assert_eq!(read_erased(&text), erased);
        assert_eq!(read_erased(""), []);
    }
}
