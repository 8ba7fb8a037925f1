//! What lines tell of their contacts, and how the tallies move by it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{OptionalExtension, params};

use super::branches::Branch;
use super::writing::{KioskState, Writer};
use crate::central::store::{Entry as Received, StoreError, Verified};
use crate::domain::ids::OfficeCode;
use crate::domain::line::{By, Event, How, Line};
use crate::domain::rating::{Cell, Contact, End, Key, Opening, PhoneAnswer};
use crate::domain::seal::Answer;
use crate::domain::time::Day;

/// Contacts touched by a batch: as they were, and as they are now.
pub(super) type Touched = BTreeMap<(i64, u64), (OfficeCode, Contact, Contact)>;

impl Writer {
    /// Lets new lines tell what they know of their contacts. Gives those whose answers are over.
    pub(super) fn count(
        &mut self,
        batch: &Verified,
        fresh: &[&Received],
        state: &KioskState,
        place: usize,
        touched: &mut Touched,
    ) -> Result<BTreeSet<u64>, StoreError> {
        let branch = &state.branches.0[place];
        // Lines with answers that come after the answers of their contact's day were erased.
        let mut late = BTreeSet::new();
        for entry in fresh {
            let Ok(line) = &entry.line else { continue };
            if batch.header.kiosk.is_central() {
                if line.event == Event::Contact && line.by == Some(By::Phone) {
                    self.phone(batch, entry, line, touched)?;
                }
                if let (Event::Decided, Some(decision)) = (line.event, &line.decision) {
                    self.decide(line, decision, touched)?;
                }
                if line.event == Event::Access {
                    self.access(line)?;
                }
                continue;
            }
            let Some(office) = &state.office else { continue };
            let level = entry.answers.iter().find_map(|answer| match answer {
                Answer::Level(level) => Some(level.clone()),
                _ => None,
            });
            match line.event {
                Event::Contact => {
                    let (Some(counter), Some(form), Some(by)) =
                        (line.counter.clone(), line.form.clone(), line.by)
                    else {
                        continue;
                    };
                    let clock = state.branches.clockwork(place);
                    let day = Day::by(clock, line.seq, line.at, batch.received);
                    let number = (&batch.header.kiosk, batch.header.epoch);
                    let (day, official) = self.judged(number, office, line, day)?;
                    if day == Day::Review {
                        let number = (&batch.header.kiosk, batch.header.epoch, line.seq);
                        self.name_review(number, day, batch.received)?;
                    }
                    let contact = self.touch(branch, office, line.seq, touched)?;
                    contact.opening = Some(Opening {
                        day,
                        hour: line.at.civil().hour(),
                        counter,
                        official,
                        form,
                        by,
                    });
                    if let Some(level) = level {
                        contact.give_level(line.seq, level);
                    }
                }
                Event::Changed => {
                    let Some(contact) = line.contact else { continue };
                    let contact = self.touch(branch, office, contact, touched)?;
                    if self.is_over(contact) {
                        late.insert(line.seq);
                    } else if let Some(level) = level {
                        contact.give_level(line.seq, level);
                    }
                }
                Event::Closed => {
                    let (Some(contact), Some(how)) = (line.contact, line.how) else { continue };
                    let mut reasons = reasons(entry);
                    let contact = self.touch(branch, office, contact, touched)?;
                    if self.is_over(contact) {
                        late.insert(line.seq);
                        reasons.clear();
                    }
                    let words = entry.answers.iter().find_map(|answer| match answer {
                        Answer::Words(words) => Some(words),
                        _ => None,
                    });
                    let over = late.contains(&line.seq);
                    if let (Some(words), Some(number), false) = (words, line.contact, over) {
                        // Nobody writes before the day of the contact, whatever a clock says.
                        let day = line.at.date().min(batch.received.date());
                        self.db
                            .prepare_cached(
                                "INSERT OR IGNORE INTO counter_words
                                 (branch, line, contact, office, day, reader, text)
                                 VALUES (?, ?, ?, ?, ?, ?, ?)",
                            )?
                            .execute(params![
                                branch.id,
                                line.seq as i64,
                                number as i64,
                                office.as_str(),
                                day.to_string(),
                                self.author.forms.now().reader(&reasons).as_str(),
                                words
                            ])?;
                    }
                    // The first `closed` ends it.
                    if contact.end.as_ref().is_none_or(|end| line.seq < end.seq) {
                        contact.end = Some(End { seq: line.seq, how, reasons });
                    }
                }
                _ => {}
            }
        }
        Ok(late)
    }

    /// Whether a contact is of a day whose answers are erased.
    fn is_over(&self, contact: &Contact) -> bool {
        contact.opening.as_ref().is_some_and(|opening| self.is_closed(opening.day))
    }

    /// A phone's answer, from the own series.
    fn phone(
        &mut self,
        batch: &Verified,
        entry: &Received,
        line: &Line,
        touched: &mut Touched,
    ) -> Result<(), StoreError> {
        let (Some((kiosk, prefix, seq)), Some(at)) = (line.ticket_of(), line.of_at) else {
            return Ok(());
        };
        let kiosk = kiosk.clone();
        let level = entry.answers.iter().find_map(|answer| match answer {
            Answer::Level(level) => Some(level.clone()),
            _ => None,
        });
        // One that was erased still used its ticket.
        let level = level.unwrap_or_default();
        // Its reasons stand in the line that closes it, in the same segment.
        let closing = batch.entries.iter().find(|other| {
            other
                .line
                .as_ref()
                .is_ok_and(|other| other.event == Event::Closed && other.contact == Some(line.seq))
        });
        let reasons = closing.map(reasons).unwrap_or_default();
        let words = closing.and_then(|closing| {
            closing.answers.iter().find_map(|answer| match answer {
                Answer::Words(words) => Some((closing.seq, words.clone())),
                _ => None,
            })
        });
        let day = Day::of(at, batch.received);
        self.remember(&kiosk)?;
        let Some(state) = self.kiosks.get(&kiosk) else { return Ok(()) };
        let Some(office) = state.office.clone() else { return Ok(()) };
        let branch = state
            .branches
            .0
            .iter()
            .filter(|branch| branch.epoch.prefix() == prefix && branch.start <= seq)
            .max_by_key(|branch| branch.start)
            .cloned();
        self.db.execute(
            "INSERT INTO phone (kiosk, prefix, seq, day, level, reasons, branch, source)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                kiosk.as_str(),
                prefix,
                seq as i64,
                day.to_string(),
                level,
                reasons.join(","),
                branch.as_ref().map(|branch| branch.id),
                line.source
            ],
        )?;
        if let Some((closing, words)) = words {
            self.db.execute(
                "INSERT INTO words (office, day, reader, kiosk, prefix, seq, line, text)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                params![
                    office.as_str(),
                    day.to_string(),
                    self.author.forms.now().reader(&reasons).as_str(),
                    kiosk.as_str(),
                    prefix,
                    seq as i64,
                    closing as i64,
                    words
                ],
            )?;
        }
        match branch {
            _ if level.is_empty() => {}
            Some(branch) => {
                let answer = PhoneAnswer { day, level, reasons };
                self.touch(&branch, &office, seq, touched)?.phone = Some(answer);
            }
            None => self.move_tally(&office, Cell { day, key: Key::Waiting }, 1),
        }
        Ok(())
    }

    /// The contact as it is now, remembered as it was before this batch.
    pub(super) fn touch<'t>(
        &mut self,
        branch: &Branch,
        office: &OfficeCode,
        seq: u64,
        touched: &'t mut Touched,
    ) -> Result<&'t mut Contact, StoreError> {
        let contact = match touched.entry((branch.id, seq)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let was = self.read_contact(branch.id, seq)?;
                new.insert((office.clone(), was.clone(), was))
            }
        };
        contact.2.superseded |= branch.superseded;
        Ok(&mut contact.2)
    }

    fn read_contact(&mut self, branch: i64, seq: u64) -> Result<Contact, StoreError> {
        // Most contacts are new, and later than all that are here.
        if seq > self.latest_contact(branch)? {
            return Ok(Contact::default());
        }
        let contact = self
            .db
            .prepare_cached(
                "SELECT day, hour, counter, official, form, opened_by, level_seq, level, end_seq,
                        how, reasons, superseded, phone_day, phone_level, phone_reasons
                 FROM contact WHERE branch = ? AND seq = ?",
            )?
            .query_row(params![branch, seq as i64], |row| Ok(contact_of_row(row, 0)))
            .optional()?;
        contact.map_or(Ok(Contact::default()), |contact| {
            contact.ok_or_else(|| StoreError::Damaged(format!("contact {branch}/{seq}")))
        })
    }

    /// The highest number of a contact of a branch that is here, or 0.
    fn latest_contact(&mut self, branch: i64) -> Result<u64, StoreError> {
        if let Some(latest) = self.latest_contacts.get(&branch) {
            return Ok(*latest);
        }
        let latest: Option<i64> = self
            .db
            .prepare_cached("SELECT max(seq) FROM contact WHERE branch = ?")?
            .query_row([branch], |row| row.get(0))?;
        let latest = latest.unwrap_or_default() as u64;
        self.latest_contacts.insert(branch, latest);
        Ok(latest)
    }

    /// Writes touched contacts and moves the tallies by the difference.
    pub(super) fn save(&mut self, touched: Touched) -> Result<(), StoreError> {
        let forms = self.author.forms.now();
        for ((branch, seq), (office, was, now)) in touched {
            if was == now {
                continue;
            }
            // When it ended, for one, is in no tally, and yet a pattern that a day shows may hang on it.
            for day in [&was, &now].into_iter().filter_map(|contact| contact.opening.as_ref()) {
                if let Day::On(date) = day.day {
                    self.changed.days.insert((office.clone(), date));
                }
            }
            if let Some(latest) = self.latest_contacts.get_mut(&branch) {
                *latest = seq.max(*latest);
            }
            if now.is_nothing() {
                self.db
                    .prepare_cached("DELETE FROM contact WHERE branch = ? AND seq = ?")?
                    .execute(params![branch, seq as i64])?;
                for cell in was.cells(&forms) {
                    self.move_tally(&office, cell, -1);
                }
                continue;
            }
            let opening = now.opening.as_ref();
            let end = now.end.as_ref();
            let phone = now.phone.as_ref();
            self.db
                .prepare_cached(
                    "INSERT OR REPLACE INTO contact VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                )?
                .execute(params![
                    branch,
                    seq as i64,
                    opening.map(|opening| opening.day.to_string()),
                    opening.map(|opening| opening.hour),
                    opening.map(|opening| opening.counter.as_str()),
                    opening.and_then(|opening| opening.official.as_ref()).map(|id| id.as_str()),
                    opening.map(|opening| opening.form.as_str()),
                    opening.map(|opening| word(&opening.by)),
                    now.level.as_ref().map(|(seq, _)| *seq as i64),
                    now.level.as_ref().map(|(_, level)| level.as_str()),
                    end.map(|end| end.seq as i64),
                    end.map(|end| word(&end.how)),
                    end.map(|end| end.reasons.join(",")),
                    now.superseded,
                    phone.map(|phone| phone.day.to_string()),
                    phone.map(|phone| phone.level.as_str()),
                    phone.map(|phone| phone.reasons.join(",")),
                ])?;
            let (before, after) = (was.cells(&forms), now.cells(&forms));
            for (cells, by) in [(before, -1), (after, 1)] {
                for cell in cells {
                    self.move_tally(&office, cell, by);
                }
            }
            if let (Some(before), Some(after), Some(_)) = (&was.opening, opening, was.counted())
                && before.day != after.day
            {
                self.db
                    .prepare_cached(
                        "UPDATE placed SET day = ?
                         WHERE office = ? AND day = ? AND branch = ? AND seq = ?",
                    )?
                    .execute(params![
                        after.day.to_string(),
                        office.as_str(),
                        before.day.to_string(),
                        branch,
                        seq as i64
                    ])?;
            }
            if was.counted().is_none()
                && now.counted().is_some()
                && let Some(opening) = opening
            {
                self.last_ord += 1;
                self.db
                    .prepare_cached(
                        "INSERT INTO placed (office, day, ord, branch, seq) VALUES (?, ?, ?, ?, ?)",
                    )?
                    .execute(params![
                        office.as_str(),
                        opening.day.to_string(),
                        self.last_ord,
                        branch,
                        seq as i64
                    ])?;
            }
        }
        Ok(())
    }
}

fn reasons(entry: &Received) -> Vec<String> {
    let given = entry.answers.iter().find_map(|answer| match answer {
        Answer::Reasons(reasons) => Some(reasons.clone()),
        _ => None,
    });
    given.unwrap_or_default()
}

pub(super) fn split(reasons: &str) -> Vec<String> {
    reasons.split(',').filter(|code| !code.is_empty()).map(str::to_owned).collect()
}

/// The word of a unit variant, as lines spell it.
fn word(value: &impl serde::Serialize) -> Option<String> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Some(word),
        _ => None,
    }
}

fn of_word<T: serde::de::DeserializeOwned>(word: String) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(word)).ok()
}

/// Reads a contact from the columns `day` to `phone_reasons`, the first of which is `from`.
pub(super) fn contact_of_row(row: &rusqlite::Row<'_>, from: usize) -> Option<Contact> {
    let text = |at: usize| row.get::<_, Option<String>>(from + at).ok();
    let number = |at: usize| row.get::<_, Option<i64>>(from + at).ok();
    let opening = match text(0)? {
        Some(day) => Some(Opening {
            day: Day::parse(&day)?,
            hour: number(1)?? as i8,
            counter: text(2)??.parse().ok()?,
            official: text(3)?.map(|id| id.parse()).transpose().ok()?,
            form: text(4)??.try_into().ok()?,
            by: text(5)?.and_then(of_word).unwrap_or(By::Unknown),
        }),
        None => None,
    };
    let end = match number(8)? {
        Some(seq) => Some(End {
            seq: seq as u64,
            how: text(9)?.and_then(of_word).unwrap_or(How::Unknown),
            reasons: split(&text(10)?.unwrap_or_default()),
        }),
        None => None,
    };
    let phone = match text(12)? {
        Some(day) => Some(PhoneAnswer {
            day: Day::parse(&day)?,
            level: text(13)??,
            reasons: split(&text(14)?.unwrap_or_default()),
        }),
        None => None,
    };
    Some(Contact {
        opening,
        level: number(6)?.map(|seq| seq as u64).zip(text(7)?),
        end,
        superseded: row.get(from + 11).ok()?,
        phone,
    })
}
