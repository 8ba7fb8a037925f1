//! Placing a batch: compare by number, chain, count.
//!
//! Nothing here depends on the order in which batches arrive, except which of two conflicting
//! lines came first, and the order of placing that the withheld view needs.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{OptionalExtension, params};

use super::branches::{Branch, Ranges};
use super::counting::{Touched, split};
use super::erasure::Which;
use super::writing::{KioskState, Writer};
use crate::central::store::{Entry, FindingKind, Placed, StoreError, Verified};
use crate::domain::batch::Lines;
use crate::domain::ids::{Epoch, Hash, KioskId, OfficeCode};
use crate::domain::line::{Event, LastRun, Line};
use crate::domain::rating::{Cell, Key, PhoneAnswer};
use crate::domain::receipt::Quarantined;
use crate::domain::time::{At, Day};

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
        let followed = state.branches.0[place].prev;

        let mut conflicts = Vec::new();
        let mut fresh = Vec::new();
        let mut news = false;
        let mut late = BTreeSet::new();
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
        self.started_unread(batch, &mut state, place, &mut touched)?;
        if news {
            // Some of its lines are here already: so may be what was erased of them.
            let again = fresh.len() < batch.entries.len();
            self.store(batch, &state.branches.0[place], &before, again)?;
        }
        if !fresh.is_empty() {
            self.chain(batch, &fresh, &state, place)?;
            let doubted = state.branches.clockwork(place).behind > 0;
            let jumped = self.note_steps(&fresh, &mut state.branches.0[place])?;
            let lines = fresh.iter().filter_map(|entry| entry.line.as_ref().ok());
            let confirmed = lines.clone().any(|line| line.at.is_confirmed_by(batch.received))
                && self.confirm(&mut state.branches.0[place])?;
            late = self.count(batch, &fresh, &state, place, &mut touched)?;
            let news_of_clock = jumped || (doubted && confirmed);
            if news_of_clock || followed != state.branches.0[place].prev {
                self.judge_again(kiosk, &state, place, news_of_clock, &mut touched)?;
            }
            for (late, early, seq) in state.branches.forks(place) {
                self.fork(batch, late, early, seq)?;
            }
            let branch = &mut state.branches.0[place];
            let last = fresh.last().filter(|last| branch.ranges.last() == Some(last.seq));
            branch.tip = last.map(|last| (last.seq, last.hash)).or(branch.tip);
        }
        let mut quarantined = Vec::new();
        for (entry, bytes) in batch.entries.iter().zip(Lines::of(&batch.line_part)) {
            let line = entry.line.as_ref().err().map(ToString::to_string);
            let bodies = entry.unusable.iter().cloned();
            for reason in line.into_iter().chain(bodies) {
                if !before.has(entry.seq) {
                    let kind = FindingKind::Quarantine;
                    self.find(kind, batch, entry.seq, &reason, Some((entry, bytes)))?;
                }
                quarantined.push(Quarantined { seq: entry.seq, reason });
            }
        }
        // Not before it is known which of them are in quarantine.
        self.erase(state.branches.0[place].id, &late, Which::All)?;
        self.save(touched)?;

        let (watermark, holder) = state.branches.watermark(place);
        // Mostly it is a line of this batch.
        let own = fresh.iter().find(|entry| entry.seq == watermark && entry.line.is_ok());
        let own = own.filter(|_| holder == Some(state.branches.0[place].id));
        let stored = match holder {
            Some(branch) if own.is_none() => self.line(branch, watermark)?,
            _ => None,
        };
        self.progress(batch, &mut state, watermark, stored.as_deref())?;
        let head = own.map(|entry| entry.hash).or(stored.as_deref().map(Hash::of));
        let placed = Placed {
            watermark,
            head: head.unwrap_or(Hash::NONE),
            holes: state.branches.holes(place),
            quarantined,
            conflicts,
        };
        self.kiosks.insert(kiosk.clone(), state);
        if self.has_lost(kiosk)? {
            self.pass_again(kiosk)?;
        }
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
            tip: None,
            steps: Vec::new(),
            confirmed: false,
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
                 WHERE kiosk = ? AND prefix = ? AND branch IS NULL AND seq >= ? AND level <> ''",
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
        let prev = line.prev_epoch.zip(line.prev_seq);
        let lost = line.last_run == Some(LastRun::JournalLost);
        if lost {
            self.find(FindingKind::Lost, batch, line.seq, "journal_lost", None)?;
        }
        let rooted = prev.is_none() || lost;
        self.succeed(prev, rooted, state, place, touched)?;
        // Before its first line a kiosk was not running, on whichever day it was admitted.
        if line.last_run == Some(LastRun::First) {
            self.changed.offices.extend(state.office.clone());
        }
        if let (Some(alive), Some(office)) = (line.alive, &state.office) {
            self.changed.between(office, alive.date(), line.at.date());
            self.db.execute(
                "INSERT OR IGNORE INTO gap (branch, kiosk, alive, started) VALUES (?, ?, ?, ?)",
                params![
                    state.branches.0[place].id,
                    batch.header.kiosk.as_str(),
                    alive.to_string(),
                    line.at.to_string()
                ],
            )?;
        }
        Ok(())
    }

    /// A `started` line in quarantine tells nothing, but the signed header of the batch that it
    /// begins names the hash of the line before: so the epoch finds its place all the same, and
    /// the watermark passes.
    fn started_unread(
        &mut self,
        batch: &Verified,
        state: &mut KioskState,
        place: usize,
        touched: &mut Touched,
    ) -> Result<(), StoreError> {
        let branch = &state.branches.0[place];
        let Some(first) = batch.entries.first() else { return Ok(()) };
        if branch.rooted || branch.prev.is_some() {
            return Ok(());
        }
        if first.seq != branch.start || first.line.is_ok() {
            return Ok(());
        }
        if first.seq == 1 {
            return self.succeed(None, true, state, place, touched);
        }
        let seq = first.seq - 1;
        // The line before may be damaged as well, and then has not the hash that it had.
        let mut damaged = None;
        for other in state.branches.0.iter().filter(|other| other.ranges.has(seq)) {
            let Some(bytes) = self.line(other.id, seq)? else { continue };
            let prev = Some((other.epoch, seq));
            if Hash::of(&bytes) == batch.header.prev {
                return self.succeed(prev, false, state, place, touched);
            }
            let unread = Line::read(&bytes, &batch.header.kiosk, other.epoch, seq).is_err();
            if unread && other.ranges.last() == Some(seq) {
                damaged = prev;
            }
        }
        match damaged {
            Some(prev) => self.succeed(Some(prev), false, state, place, touched),
            None => Ok(()),
        }
    }

    /// Notes whom an epoch follows, or that its chain is `rooted` in itself, and ends the open
    /// contacts of the epoch that it names.
    fn succeed(
        &mut self,
        prev: Option<(Epoch, u64)>,
        rooted: bool,
        state: &mut KioskState,
        place: usize,
        touched: &mut Touched,
    ) -> Result<(), StoreError> {
        let branch = &mut state.branches.0[place];
        branch.prev = prev;
        branch.rooted = rooted;
        self.db.execute(
            "UPDATE branch SET prev_epoch = ?, prev_seq = ?, rooted = ? WHERE id = ?",
            params![
                prev.map(|(epoch, _)| epoch.to_string()),
                prev.map(|(_, seq)| seq as i64),
                branch.rooted,
                branch.id
            ],
        )?;
        let Some(before) = prev.and_then(|(epoch, _)| state.branches.place(epoch)) else {
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
        again: bool,
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
        if again {
            self.erase_again(branch.id, batch.header.first, batch.header.last())?;
        }
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
        Ok(self.line_and_when(branch, seq)?.map(|(bytes, _)| bytes))
    }

    /// A stored line, and when it was received.
    pub(super) fn line_and_when(
        &self,
        branch: i64,
        seq: u64,
    ) -> Result<Option<(Vec<u8>, At)>, StoreError> {
        let most = crate::domain::batch::MAX_LINES as i64;
        let row: Option<(i64, Vec<u8>, String)> = self
            .db
            .prepare_cached(
                "SELECT first, lines, received FROM segment
                 WHERE branch = ?1 AND first BETWEEN ?2 - ?3 AND ?2 AND last >= ?2
                 ORDER BY id LIMIT 1",
            )?
            .query_row(params![branch, seq as i64, most], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        let Some((first, lines, received)) = row else { return Ok(None) };
        let received =
            At::try_from(received).map_err(|error| StoreError::Damaged(error.to_string()))?;
        let line = Lines::of(&lines).nth((seq as i64 - first) as usize);
        Ok(line.map(|line| (line.to_vec(), received)))
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
                None if branch.tip.is_some_and(|(seq, _)| seq + 1 == entry.seq) => {
                    branch.tip.map(|(_, hash)| hash)
                }
                None if entry.seq > branch.start => {
                    let here = branch.ranges.has(entry.seq - 1);
                    let stored = if here { self.line(branch.id, entry.seq - 1)? } else { None };
                    stored.map(|line| Hash::of(&line))
                }
                None if branch.rooted => Some(Hash::NONE),
                None => match branch.prev {
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
                .filter(|other| !other.rooted && other.prev == Some((branch.epoch, entry.seq)))
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
        place: (Epoch, u64),
        reason: &str,
        hash: Hash,
        bytes: &[u8],
    ) -> Result<bool, StoreError> {
        self.keep_finding(kind, (&batch.header.kiosk, batch.received), place, reason, (hash, bytes))
    }

    /// Keeps a finding that needs no bytes.
    pub(super) fn find_of(
        &mut self,
        kind: FindingKind,
        kiosk: &KioskId,
        received: At,
        place: (Epoch, u64),
        reason: &str,
    ) -> Result<bool, StoreError> {
        self.keep_finding(kind, (kiosk, received), place, reason, (Hash::NONE, &[]))
    }

    fn keep_finding(
        &mut self,
        kind: FindingKind,
        (kiosk, received): (&KioskId, At),
        (epoch, seq): (Epoch, u64),
        reason: &str,
        (hash, bytes): (Hash, &[u8]),
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
                kiosk.as_str(),
                epoch.to_string(),
                seq as i64,
                reason,
                hash.0,
                bytes,
                received.to_string()
            ])?;
        if added > 0 {
            tracing::warn!(kind = kind.as_str(), %kiosk, %epoch, seq, reason, "finding");
        }
        Ok(added > 0)
    }
}
