//! Erasure: bodies go, and what was counted or read of them; lines, signatures and roots stay.
//!
//! A segment keeps which of its bodies are gone, so that one that is missing for another reason is
//! told from it. What is erased is erased again when the same lines are stored once more.

use std::collections::BTreeSet;

use jiff::civil::Date;
use rusqlite::params;

use super::branches::Branch;
use super::counting::Touched;
use super::writing::Writer;
use crate::central::store::{ContactRef, StoreError};
use crate::domain::batch::Lines;
use crate::domain::ids::{Epoch, KioskId};
use crate::domain::line::{Event, Line};
use crate::domain::rating::{Cell, Key};
use crate::domain::seal::Kind;
use crate::domain::time::{At, Day};

/// A body by the number of its line and its kind.
type Body = (u64, u8);

/// “12:3,14:1”.
pub(super) fn read_erased(text: &str) -> Vec<Body> {
    let body = |text: &str| {
        let (seq, kind) = text.split_once(':')?;
        Some((seq.parse().ok()?, kind.parse().ok()?))
    };
    text.split(',').filter_map(body).collect()
}

fn write_erased(bodies: &BTreeSet<Body>) -> String {
    let texts: Vec<String> = bodies.iter().map(|(seq, kind)| format!("{seq}:{kind}")).collect();
    texts.join(",")
}

/// A body part without some bodies, and which of them were in it.
fn without(mut part: &[u8], bodies: &BTreeSet<Body>) -> (Vec<u8>, BTreeSet<Body>) {
    let (mut rest, mut gone) = (Vec::new(), BTreeSet::new());
    while let Some((head, tail)) = part.split_first_chunk::<11>() {
        let [s0, s1, s2, s3, s4, s5, s6, s7, kind, l0, l1] = *head;
        let body = (u64::from_be_bytes([s0, s1, s2, s3, s4, s5, s6, s7]), kind);
        let length = usize::from(u16::from_be_bytes([l0, l1])).min(tail.len());
        let (bytes, after) = tail.split_at(length);
        if bodies.contains(&body) {
            gone.insert(body);
        } else {
            rest.extend(head);
            rest.extend(bytes);
        }
        part = after;
    }
    (rest, gone)
}

impl Writer {
    /// Takes bodies out of the segments of a branch.
    fn erase(&self, branch: i64, bodies: &BTreeSet<Body>) -> Result<(), StoreError> {
        let (Some((first, _)), Some((last, _))) = (bodies.first(), bodies.last()) else {
            return Ok(());
        };
        let mut segments = self.db.prepare_cached(
            "SELECT id, bodies, erased FROM segment WHERE branch = ? AND last >= ? AND first <= ?",
        )?;
        let mut rows = segments.query(params![branch, *first as i64, *last as i64])?;
        while let Some(row) = rows.next()? {
            let part: Vec<u8> = row.get(1)?;
            let (rest, gone) = without(&part, bodies);
            if gone.is_empty() {
                continue;
            }
            let before = read_erased(&row.get::<_, String>(2)?);
            let erased: BTreeSet<Body> = before.into_iter().chain(gone).collect();
            self.db
                .prepare_cached("UPDATE segment SET bodies = ?2, erased = ?3 WHERE id = ?1")?
                .execute(params![row.get::<_, i64>(0)?, rest, write_erased(&erased)])?;
        }
        Ok(())
    }

    fn row_of(&self, kiosk: &KioskId, epoch: Epoch) -> Result<Option<i64>, StoreError> {
        use rusqlite::OptionalExtension;
        let row = self
            .db
            .prepare_cached("SELECT id FROM branch WHERE kiosk = ? AND epoch = ?")?
            .query_row(params![kiosk.as_str(), epoch.to_string()], |row| row.get(0))
            .optional()?;
        Ok(row)
    }

    /// The lines of a contact: the one that opened it, and those that name it.
    fn lines_of(&self, branch: i64, contact: u64) -> Result<Vec<Line>, StoreError> {
        let mut segments =
            self.db.prepare_cached("SELECT lines FROM segment WHERE branch = ? AND last >= ?")?;
        let mut rows = segments.query(params![branch, contact as i64])?;
        let mut lines = Vec::new();
        while let Some(row) = rows.next()? {
            let part: Vec<u8> = row.get(0)?;
            let read =
                Lines::of(&part).filter_map(|bytes| serde_json::from_slice::<Line>(bytes).ok());
            lines.extend(read.filter(|line| {
                (line.seq == contact && line.event == Event::Contact)
                    || line.contact == Some(contact)
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
        let lines = self.lines_of(branch, of.contact)?;
        let mut bodies = BTreeSet::new();
        for line in &lines {
            bodies.insert((line.seq, Kind::Words as u8));
            if !words_only {
                bodies.insert((line.seq, Kind::Level as u8));
                bodies.insert((line.seq, Kind::Reasons as u8));
            }
        }
        self.erase(branch, &bodies)?;
        if of.kiosk.is_central() {
            for line in &lines {
                self.db.execute("DELETE FROM words WHERE line = ?", [line.seq as i64])?;
            }
            let opening = lines.iter().find(|line| line.seq == of.contact);
            return match opening {
                Some(opening) if !words_only => self.forget_phone(opening, touched),
                _ => Ok(()),
            };
        }
        if words_only {
            return Ok(());
        }
        let state = self.state(&of.kiosk)?;
        let (Some(office), Some(place)) = (&state.office, state.branches.place(of.epoch)) else {
            return Ok(());
        };
        let contact = self.touch(&state.branches.0[place], office, of.contact, touched)?;
        contact.level = None;
        if let Some(end) = &mut contact.end {
            end.reasons.clear();
        }
        Ok(())
    }

    /// A phone's answer no longer counts or waits; its ticket stays used.
    fn forget_phone(&mut self, opening: &Line, touched: &mut Touched) -> Result<(), StoreError> {
        let (Some(kiosk), Some(prefix), Some(seq)) = (
            opening.of_kiosk.clone(),
            opening.of_epoch.as_deref().and_then(|hex| u16::from_str_radix(hex, 16).ok()),
            opening.of_seq,
        ) else {
            return Ok(());
        };
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
        let state = self.state(&kiosk)?;
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

    /// Erases words that were written before a day.
    pub(super) fn erase_words(&mut self, before: Date) -> Result<(), StoreError> {
        for (branch, seq) in self.words_before(before)? {
            self.erase(branch, &BTreeSet::from([(seq, Kind::Words as u8)]))?;
            self.db.execute("DELETE FROM words WHERE line = ?", [seq as i64])?;
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
        let mut bodies = BTreeSet::new();
        for text in rows {
            bodies.extend(read_erased(&text?));
        }
        self.erase(branch, &bodies)
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
        let erased = BTreeSet::from([(8, 3), (9, 1)]);
        let (rest, gone) = without(&body_part(&all), &erased);
        assert_eq!(gone, BTreeSet::from([(8, 3)]));
        let (left, _) = read_body_part(&rest).unwrap();
        assert_eq!(
            left.iter().map(|body| (body.seq, body.kind)).collect::<Vec<_>>(),
            [(7, Kind::Level), (8, Kind::Reasons)]
        );
        assert_eq!(read_erased(&write_erased(&erased)), [(8, 3), (9, 1)]);
        assert_eq!(read_erased(""), []);
    }
}
