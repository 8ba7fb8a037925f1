//! Placing a batch: compare by number, chain, count.
//!
//! Nothing here depends on the order in which batches arrive, except which of two conflicting
//! lines came first, and the order of placing that the withheld view needs.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rusqlite::{OptionalExtension, params};

use super::branches::{Branch, Ranges};
use super::writing::{KioskState, Writer};
use crate::central::store::{Entry, FindingKind, Placed, StoreError, Verified};
use crate::domain::batch::Lines;
use crate::domain::ids::{Epoch, Hash, KioskId, OfficeCode};
use crate::domain::line::{By, Event, How, Line};
use crate::domain::rating::{Cell, Contact, End, Key, Opening, PhoneAnswer};
use crate::domain::receipt::Quarantined;
use crate::domain::seal::Answer;
use crate::domain::time::Day;

/// Contacts touched by a batch: as they were, and as they are now.
type Touched = BTreeMap<(i64, u64), (OfficeCode, Contact, Contact)>;

impl Writer {
    /// Compares, stores and counts a batch within the running transaction.
    pub(super) fn place(&mut self, batch: &Verified) -> Result<Placed, StoreError> {
        let kiosk = &batch.header.kiosk;
        self.remember(kiosk)?;
        let mut state = self
            .kiosks
            .remove(kiosk)
            .ok_or_else(|| StoreError::Damaged("a kiosk that was just remembered".into()))?;
        let mut touched = Touched::new();
        let place = self.branch(batch, &mut state, &mut touched)?;
        let before = state.branches.0[place].ranges.clone();

        let mut conflicts = Vec::new();
        let mut fresh = Vec::new();
        let mut news = false;
        for (entry, bytes) in batch.entries.iter().zip(Lines::of(&batch.line_part)) {
            if !state.branches.0[place].ranges.has(entry.seq) {
                state.branches.0[place].ranges.add(entry.seq);
                fresh.push(entry);
                news = true;
            } else if self.line(state.branches.0[place].id, entry.seq)?.as_deref() != Some(bytes) {
                conflicts.push(entry.seq);
                let kind = FindingKind::Conflict;
                news |= self.find(kind, batch, entry.seq, "other_bytes", Some((entry, bytes)))?;
            }
        }
        // The line before the first new one may be stored; a `started` line changes the way.
        for entry in &fresh {
            if let Ok(line) = &entry.line
                && line.event == Event::Started
            {
                self.started(batch, line, &mut state, place, &mut touched)?;
            }
        }
        if news {
            self.store(batch, &state.branches.0[place], &before)?;
        }
        if !fresh.is_empty() {
            self.chain(batch, &fresh, &state, place)?;
            self.count(batch, &fresh, &state, place, &mut touched)?;
            for (late, early, seq) in state.branches.forks(place) {
                self.fork(batch, late, early, seq)?;
            }
        }
        let mut quarantined = Vec::new();
        for (entry, bytes) in batch.entries.iter().zip(Lines::of(&batch.line_part)) {
            let line = entry.line.as_ref().err().map(ToString::to_string);
            let bodies = entry.unusable.iter().map(|(_, reason)| reason.clone());
            for reason in line.into_iter().chain(bodies) {
                if !before.has(entry.seq) {
                    let kind = FindingKind::Quarantine;
                    self.find(kind, batch, entry.seq, &reason, Some((entry, bytes)))?;
                }
                quarantined.push(Quarantined { seq: entry.seq, reason });
            }
        }
        self.save(touched)?;

        let (watermark, holder) = state.branches.watermark(place);
        let head = match holder {
            Some(branch) => self.line(branch, watermark)?.map(|line| (branch, line)),
            None => None,
        };
        self.progress(
            batch,
            &mut state,
            watermark,
            head.as_ref().map(|(_, line)| line.as_slice()),
        )?;
        let placed = Placed {
            watermark,
            head: head.map_or(Hash::NONE, |(_, line)| Hash::of(&line)),
            holes: state.branches.holes(place),
            quarantined,
            conflicts,
        };
        self.kiosks.insert(kiosk.clone(), state);
        Ok(placed)
    }

    /// The branch of a batch's epoch, made if it is new: then it learns who came before and after,
    /// and phone answers that waited for it find their contacts.
    fn branch(
        &mut self,
        batch: &Verified,
        state: &mut KioskState,
        touched: &mut Touched,
    ) -> Result<usize, StoreError> {
        let header = &batch.header;
        if let Some(place) = state.branches.place(header.epoch) {
            return Ok(place);
        }
        let superseded = state
            .branches
            .0
            .iter()
            .any(|other| other.prev.is_some_and(|(epoch, _)| epoch == header.epoch));
        self.db.execute(
            "INSERT INTO branch (kiosk, epoch, start, superseded) VALUES (?, ?, ?, ?)",
            params![
                header.kiosk.as_str(),
                header.epoch.to_string(),
                header.start as i64,
                superseded
            ],
        )?;
        let id = self.db.last_insert_rowid();
        state.branches.0.push(Branch {
            id,
            epoch: header.epoch,
            start: header.start,
            prev: None,
            rooted: false,
            superseded,
            ranges: Ranges::default(),
        });
        let place = state.branches.0.len() - 1;
        if let Some(office) = state.office.clone() {
            self.adopt(&header.kiosk, &office, &state.branches.0[place], touched)?;
        }
        Ok(place)
    }

    /// Phone answers for contacts of a branch that was not known when they came.
    fn adopt(
        &mut self,
        kiosk: &KioskId,
        office: &OfficeCode,
        branch: &Branch,
        touched: &mut Touched,
    ) -> Result<(), StoreError> {
        let waiting: Vec<(i64, String, String, String)> = self
            .db
            .prepare_cached(
                "SELECT seq, day, level, reasons FROM phone
                 WHERE kiosk = ? AND prefix = ? AND branch IS NULL AND seq >= ?",
            )?
            .query_map(
                params![kiosk.as_str(), branch.epoch.prefix(), branch.start as i64],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
            )?
            .collect::<Result<_, _>>()?;
        for (seq, day, level, reasons) in waiting {
            let day = Day::parse(&day).ok_or_else(|| StoreError::Damaged("a day".into()))?;
            let phone = PhoneAnswer { day, level, reasons: split(&reasons) };
            self.move_tally(office, Cell { day, key: Key::Waiting }, -1);
            self.touch(branch, office, seq as u64, touched)?.phone = Some(phone);
            self.db.execute(
                "UPDATE phone SET branch = ? WHERE kiosk = ? AND seq = ? AND prefix = ?",
                params![branch.id, kiosk.as_str(), seq, branch.epoch.prefix()],
            )?;
        }
        Ok(())
    }

    /// What a `started` line tells: who came before, whose contacts it ends, how long it was down.
    fn started(
        &mut self,
        batch: &Verified,
        line: &Line,
        state: &mut KioskState,
        place: usize,
        touched: &mut Touched,
    ) -> Result<(), StoreError> {
        let branch = &mut state.branches.0[place];
        branch.prev = line.prev_epoch.zip(line.prev_seq);
        branch.rooted = branch.prev.is_none();
        self.db.execute(
            "UPDATE branch SET prev_epoch = ?, prev_seq = ?, rooted = ? WHERE id = ?",
            params![
                branch.prev.map(|(epoch, _)| epoch.to_string()),
                branch.prev.map(|(_, seq)| seq as i64),
                branch.rooted,
                branch.id
            ],
        )?;
        let id = branch.id;
        if let (Some(alive), Some(_)) = (line.alive, &state.office) {
            self.db.execute(
                "INSERT OR IGNORE INTO gap (branch, kiosk, alive, started) VALUES (?, ?, ?, ?)",
                params![id, batch.header.kiosk.as_str(), alive.to_string(), line.at.to_string()],
            )?;
        }
        let Some(before) = line.prev_epoch.and_then(|epoch| state.branches.place(epoch)) else {
            return Ok(());
        };
        let office = state.office.clone();
        let before = &mut state.branches.0[before];
        before.superseded = true;
        self.db.execute("UPDATE branch SET superseded = 1 WHERE id = ?", [before.id])?;
        let Some(office) = office else { return Ok(()) };
        let open: Vec<i64> = self
            .db
            .prepare_cached("SELECT seq FROM contact WHERE branch = ? AND superseded = 0")?
            .query_map([before.id], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for seq in open {
            self.touch(before, &office, seq as u64, touched)?.superseded = true;
        }
        Ok(())
    }

    fn store(
        &mut self,
        batch: &Verified,
        branch: &Branch,
        before: &Ranges,
    ) -> Result<(), StoreError> {
        self.db
            .prepare_cached(
                "INSERT INTO segment
                 (branch, first, last, header, signature, lines, bodies, received)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                branch.id,
                batch.header.first as i64,
                batch.header.last() as i64,
                batch.header_line,
                batch.signature,
                batch.line_part,
                batch.body_part,
                batch.received.to_string()
            ])?;
        for gone in before.0.iter().filter(|range| !branch.ranges.0.contains(range)) {
            self.db
                .prepare_cached("DELETE FROM range WHERE branch = ? AND first = ?")?
                .execute(params![branch.id, gone.0 as i64])?;
        }
        for new in branch.ranges.0.iter().filter(|range| !before.0.contains(range)) {
            self.db
                .prepare_cached("INSERT INTO range (branch, first, last) VALUES (?, ?, ?)")?
                .execute(params![branch.id, new.0 as i64, new.1 as i64])?;
        }
        Ok(())
    }

    /// The bytes of a stored line: of two that conflict, those that came first.
    fn line(&self, branch: i64, seq: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let most = crate::domain::batch::MAX_LINES as i64;
        let row: Option<(i64, Vec<u8>)> = self
            .db
            .prepare_cached(
                "SELECT first, lines FROM segment
                 WHERE branch = ?1 AND first BETWEEN ?2 - ?3 AND ?2 AND last >= ?2
                 ORDER BY id LIMIT 1",
            )?
            .query_row(params![branch, seq as i64, most], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        Ok(row.and_then(|(first, lines)| {
            Lines::of(&lines).nth((seq as i64 - first) as usize).map(<[u8]>::to_vec)
        }))
    }

    /// Whether each new line names the one before it, wherever both are here.
    fn chain(
        &mut self,
        batch: &Verified,
        fresh: &[&Entry],
        state: &KioskState,
        place: usize,
    ) -> Result<(), StoreError> {
        let branch = &state.branches.0[place];
        let hashes: BTreeMap<u64, Hash> =
            fresh.iter().map(|entry| (entry.seq, entry.hash)).collect();
        for entry in fresh {
            let Ok(line) = &entry.line else { continue };
            let before = match hashes.get(&(entry.seq - 1)) {
                Some(hash) => Some(*hash),
                None if entry.seq > branch.start => {
                    let here = branch.ranges.has(entry.seq - 1);
                    let stored = if here { self.line(branch.id, entry.seq - 1)? } else { None };
                    stored.map(|line| Hash::of(&line))
                }
                None => match branch.prev {
                    None if branch.rooted => Some(Hash::NONE),
                    None => None,
                    Some((epoch, seq)) => {
                        let before = state.branches.place(epoch).map(|at| state.branches.0[at].id);
                        let stored = before.map(|id| self.line(id, seq)).transpose()?.flatten();
                        stored.map(|line| Hash::of(&line))
                    }
                },
            };
            if before.is_some_and(|hash| hash != line.prev) {
                self.find(FindingKind::Break, batch, entry.seq, "prev", None)?;
            }
        }
        // Lines that were here already and come right after new ones.
        for entry in fresh {
            let next = entry.seq + 1;
            if !hashes.contains_key(&next) && branch.ranges.has(next) {
                self.check_next(batch, entry, branch.id, next, branch.epoch)?;
            }
            let followers: Vec<(i64, u64, Epoch)> = state
                .branches
                .0
                .iter()
                .filter(|other| other.prev == Some((branch.epoch, entry.seq)))
                .filter(|other| other.ranges.has(other.start))
                .map(|other| (other.id, other.start, other.epoch))
                .collect();
            for (id, start, epoch) in followers {
                self.check_next(batch, entry, id, start, epoch)?;
            }
        }
        Ok(())
    }

    fn check_next(
        &mut self,
        batch: &Verified,
        entry: &Entry,
        branch: i64,
        next: u64,
        epoch: Epoch,
    ) -> Result<(), StoreError> {
        let Some(bytes) = self.line(branch, next)? else { return Ok(()) };
        if let Ok(line) = Line::read(&bytes, &batch.header.kiosk, epoch, next)
            && line.prev != entry.hash
        {
            let at = (epoch, next);
            self.find_at(FindingKind::Break, batch, at, "prev", Hash::NONE, &[])?;
        }
        Ok(())
    }

    fn fork(
        &mut self,
        batch: &Verified,
        late: Epoch,
        early: Epoch,
        seq: u64,
    ) -> Result<(), StoreError> {
        let reason = format!("beside_{early}");
        self.find_at(FindingKind::Fork, batch, (late, seq), &reason, Hash::NONE, &[])?;
        Ok(())
    }

    fn find(
        &mut self,
        kind: FindingKind,
        batch: &Verified,
        seq: u64,
        reason: &str,
        bytes: Option<(&Entry, &[u8])>,
    ) -> Result<bool, StoreError> {
        let (hash, bytes) =
            bytes.map_or((Hash::NONE, &[][..]), |(entry, bytes)| (entry.hash, bytes));
        self.find_at(kind, batch, (batch.header.epoch, seq), reason, hash, bytes)
    }

    /// Keeps a finding; says whether it is new.
    fn find_at(
        &mut self,
        kind: FindingKind,
        batch: &Verified,
        (epoch, seq): (Epoch, u64),
        reason: &str,
        hash: Hash,
        bytes: &[u8],
    ) -> Result<bool, StoreError> {
        let added = self
            .db
            .prepare_cached(
                "INSERT OR IGNORE INTO finding
                 (kind, kiosk, epoch, seq, reason, hash, bytes, received)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                kind.as_str(),
                batch.header.kiosk.as_str(),
                epoch.to_string(),
                seq as i64,
                reason,
                hash.0,
                bytes,
                batch.received.to_string()
            ])?;
        if added > 0 {
            tracing::warn!(kind = kind.as_str(), kiosk = %batch.header.kiosk, %epoch, seq, reason, "finding");
        }
        Ok(added > 0)
    }

    /// Lets new lines tell what they know of their contacts.
    fn count(
        &mut self,
        batch: &Verified,
        fresh: &[&Entry],
        state: &KioskState,
        place: usize,
        touched: &mut Touched,
    ) -> Result<(), StoreError> {
        let branch = &state.branches.0[place];
        for entry in fresh {
            let Ok(line) = &entry.line else { continue };
            if batch.header.kiosk.is_central() {
                if line.event == Event::Contact && line.by == Some(By::Phone) {
                    self.phone(batch, entry, line, touched)?;
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
                    let contact = self.touch(branch, office, line.seq, touched)?;
                    contact.opening = Some(Opening {
                        day: Day::of(line.at, batch.received),
                        hour: line.at.civil().hour(),
                        counter,
                        official: line.official.clone(),
                        form,
                        by,
                    });
                    if let Some(level) = level {
                        contact.give_level(line.seq, level);
                    }
                }
                Event::Changed => {
                    if let (Some(contact), Some(level)) = (line.contact, level) {
                        self.touch(branch, office, contact, touched)?.give_level(line.seq, level);
                    }
                }
                Event::Closed => {
                    let (Some(contact), Some(how)) = (line.contact, line.how) else { continue };
                    let reasons = reasons(entry);
                    let contact = self.touch(branch, office, contact, touched)?;
                    // The first `closed` ends it.
                    if contact.end.as_ref().is_none_or(|end| line.seq < end.seq) {
                        contact.end = Some(End { seq: line.seq, how, reasons });
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A phone's answer, from the own series.
    fn phone(
        &mut self,
        batch: &Verified,
        entry: &Entry,
        line: &Line,
        touched: &mut Touched,
    ) -> Result<(), StoreError> {
        let (Some(kiosk), Some(prefix), Some(seq), Some(at)) = (
            line.of_kiosk.clone(),
            line.of_epoch.as_deref().and_then(|hex| u16::from_str_radix(hex, 16).ok()),
            line.of_seq,
            line.of_at,
        ) else {
            return Ok(());
        };
        let Some(level) = entry.answers.iter().find_map(|answer| match answer {
            Answer::Level(level) => Some(level.clone()),
            _ => None,
        }) else {
            return Ok(());
        };
        // Its reasons stand in the line that closes it, in the same segment.
        let closing = batch.entries.iter().find(|other| {
            other
                .line
                .as_ref()
                .is_ok_and(|other| other.event == Event::Closed && other.contact == Some(line.seq))
        });
        let reasons = closing.map(reasons).unwrap_or_default();
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
            "INSERT INTO phone (kiosk, prefix, seq, day, level, reasons, branch)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
            params![
                kiosk.as_str(),
                prefix,
                seq as i64,
                day.to_string(),
                level,
                reasons.join(","),
                branch.as_ref().map(|branch| branch.id)
            ],
        )?;
        match branch {
            Some(branch) => {
                let answer = PhoneAnswer { day, level, reasons };
                self.touch(&branch, &office, seq, touched)?.phone = Some(answer);
            }
            None => self.move_tally(&office, Cell { day, key: Key::Waiting }, 1),
        }
        Ok(())
    }

    /// The contact as it is now, remembered as it was before this batch.
    fn touch<'t>(
        &mut self,
        branch: &Branch,
        office: &OfficeCode,
        seq: u64,
        touched: &'t mut Touched,
    ) -> Result<&'t mut Contact, StoreError> {
        let key = (branch.id, seq);
        if !touched.contains_key(&key) {
            let was = self.read_contact(branch.id, seq)?;
            touched.insert(key, (office.clone(), was.clone(), was));
        }
        match touched.get_mut(&key) {
            Some((_, _, now)) => {
                now.superseded |= branch.superseded;
                Ok(now)
            }
            None => Err(StoreError::Damaged("a contact that was just touched".into())),
        }
    }

    fn read_contact(&self, branch: i64, seq: u64) -> Result<Contact, StoreError> {
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

    /// Writes touched contacts and moves the tallies by the difference.
    fn save(&mut self, touched: Touched) -> Result<(), StoreError> {
        for ((branch, seq), (office, was, now)) in touched {
            if was == now {
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
            let forms = self.author.forms.clone();
            for cell in was.cells(&forms) {
                self.move_tally(&office, cell, -1);
            }
            for cell in now.cells(&forms) {
                self.move_tally(&office, cell, 1);
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

    /// How far the kiosk's journal has come, and which days that completes.
    fn progress(
        &mut self,
        batch: &Verified,
        state: &mut KioskState,
        watermark: u64,
        head: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        let Some(office) = state.office.clone() else { return Ok(()) };
        let closes = self.author.closes.iter().find(|(code, _)| *code == office).map(|(_, at)| *at);
        let passes = |line: &Line| -> Option<Date> {
            let Day::On(date) = Day::of(line.at, batch.received) else { return None };
            let closed = closes.is_some_and(|closes| line.at.civil().time() >= closes);
            if line.event == Event::Stopped && closed { Some(date) } else { date.yesterday().ok() }
        };
        let here = batch.entries.iter().filter(|entry| entry.seq <= watermark);
        let at_mark: Option<Line> = head.and_then(|bytes| serde_json::from_slice(bytes).ok());
        let passed = here
            .filter_map(|entry| entry.line.as_ref().ok())
            .chain(at_mark.as_ref())
            .filter_map(passes)
            .max()
            .max(state.passed);
        self.db
            .prepare_cached("UPDATE kiosk SET passed = ?, last_heard = ? WHERE id = ?")?
            .execute(params![
                passed.map(|date| date.to_string()),
                batch.received.to_string(),
                batch.header.kiosk.as_str()
            ])?;
        if passed != state.passed {
            state.passed = passed;
            self.complete(&office)?;
        }
        Ok(())
    }

    /// Notes how far the order of placing had come when a day became complete.
    fn complete(&mut self, office: &OfficeCode) -> Result<(), StoreError> {
        let from: Option<String> = self.db.query_row(
            "SELECT coalesce(
                 (SELECT max(day) FROM completion WHERE office = ?1),
                 (SELECT min(day) FROM placed WHERE office = ?1))",
            [office.as_str()],
            |row| row.get(0),
        )?;
        let Some(mut day) = from.and_then(|text| text.parse::<Date>().ok()) else { return Ok(()) };
        loop {
            let passed: bool = self.db.query_row(
                "SELECT max(passed) >= ?2
                        AND total(substr(enrolled, 1, 10) <= ?2 AND coalesce(passed, '') < ?2) = 0
                 FROM kiosk WHERE office = ?1",
                params![office.as_str(), day.to_string()],
                |row| Ok(row.get::<_, Option<bool>>(0)?.unwrap_or(false)),
            )?;
            if !passed {
                break;
            }
            self.db.execute(
                "INSERT OR IGNORE INTO completion (office, day, ord) VALUES (?, ?, ?)",
                params![office.as_str(), day.to_string(), self.last_ord],
            )?;
            day = day.tomorrow().map_err(|error| StoreError::Damaged(error.to_string()))?;
        }
        Ok(())
    }
}

fn reasons(entry: &Entry) -> Vec<String> {
    let given = entry.answers.iter().find_map(|answer| match answer {
        Answer::Reasons(reasons) => Some(reasons.clone()),
        _ => None,
    });
    given.unwrap_or_default()
}

fn split(reasons: &str) -> Vec<String> {
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
