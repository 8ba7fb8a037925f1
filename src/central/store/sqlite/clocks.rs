//! Clocks that jump: which contacts they cast doubt on, whenever their lines arrive.

use std::collections::BTreeSet;

use rusqlite::params;

use super::branches::Branch;
use super::counting::Touched;
use super::writing::{KioskState, Writer};
use crate::central::store::{Entry, FindingKind, StoreError};
use crate::domain::batch::{Header, Lines};
use crate::domain::ids::{Epoch, KioskId};
use crate::domain::line::{Event, Line};
use crate::domain::rating::Contact;
use crate::domain::time::{At, Day, Step};

/// Why a contact is in review, as findings have it.
const UNKNOWN: &str = "day_unknown";

fn step(line: &Line) -> Option<Step> {
    let ms = line.step_ms.filter(|_| line.event == Event::Clock)?;
    Some(Step { seq: line.seq, ms, at: line.at })
}

impl Writer {
    pub(super) fn read_steps(&self, branch: i64) -> Result<Vec<Step>, StoreError> {
        let mut statement = self
            .db
            .prepare_cached("SELECT seq, ms, at FROM clock_step WHERE branch = ? ORDER BY seq")?;
        let mut rows = statement.query([branch])?;
        let mut steps = Vec::new();
        while let Some(row) = rows.next()? {
            let at = At::try_from(row.get::<_, String>(2)?)
                .map_err(|error| StoreError::Damaged(error.to_string()))?;
            steps.push(Step { seq: row.get::<_, i64>(0)? as u64, ms: row.get(1)?, at });
        }
        Ok(steps)
    }

    /// Keeps the jumps that new lines tell of. Says whether there are any.
    pub(super) fn note_steps(
        &mut self,
        fresh: &[&Entry],
        branch: &mut Branch,
    ) -> Result<bool, StoreError> {
        let new = fresh.iter().filter_map(|entry| step(entry.line.as_ref().ok()?));
        let before = branch.steps.len();
        for step in new {
            self.keep_step(branch.id, step)?;
            branch.steps.push(step);
        }
        branch.steps.sort_by_key(|step| step.seq);
        Ok(branch.steps.len() > before)
    }

    fn keep_step(&self, branch: i64, step: Step) -> Result<(), StoreError> {
        self.db
            .prepare_cached(
                "INSERT OR IGNORE INTO clock_step (branch, seq, ms, at) VALUES (?, ?, ?, ?)",
            )?
            .execute(params![branch, step.seq as i64, step.ms, step.at.to_string()])?;
        Ok(())
    }

    /// Notes that the clock of an epoch was seen to be right. Says whether that is new.
    pub(super) fn confirm(&self, branch: &mut Branch) -> Result<bool, StoreError> {
        if branch.confirmed {
            return Ok(false);
        }
        branch.confirmed = true;
        self.confirm_row(branch.id)?;
        Ok(true)
    }

    fn confirm_row(&self, branch: i64) -> Result<(), StoreError> {
        self.db.execute("UPDATE branch SET confirmed = 1 WHERE id = ?", [branch])?;
        Ok(())
    }

    /// Judges anew the days of contacts of the epochs before the one at `place` that it casts
    /// doubt on; and, after `news` of its own clock, of itself and of those that it did cast doubt
    /// on until now.
    pub(super) fn judge_again(
        &mut self,
        kiosk: &KioskId,
        state: &KioskState,
        place: usize,
        news: bool,
        touched: &mut Touched,
    ) -> Result<(), StoreError> {
        let branches = &state.branches;
        let mut doubted: BTreeSet<usize> = branches.unconfirmed_before(place).into_iter().collect();
        doubted.retain(|before| news || branches.clockwork(*before).behind > 0);
        if news {
            doubted.insert(place);
        }
        if branches.clockwork(place).across.is_some() {
            let before = branches.0[place].prev.and_then(|(epoch, _)| branches.place(epoch));
            doubted.extend(before);
        }
        for place in doubted {
            self.judge_branch(kiosk, state, place, touched)?;
        }
        Ok(())
    }

    /// Judges anew on which day and whose the contacts of a branch are.
    pub(super) fn judge_branch(
        &mut self,
        kiosk: &KioskId,
        state: &KioskState,
        place: usize,
        touched: &mut Touched,
    ) -> Result<(), StoreError> {
        let Some(office) = &state.office else { return Ok(()) };
        let branch = &state.branches.0[place];
        // Those of a day that is closed stay as they are.
        let kept = self.kept_since.map(|day| day.to_string()).unwrap_or_default();
        let mut opened: BTreeSet<u64> = self
            .db
            .prepare_cached("SELECT seq FROM contact WHERE branch = ? AND day >= ?")?
            .query_map(params![branch.id, kept], |row| row.get::<_, i64>(0))?
            .map(|seq| seq.map(|seq| seq as u64))
            .collect::<Result<_, _>>()?;
        // Those of this batch are not written yet.
        let closed = |was: &Contact| was.opening.as_ref().is_some_and(|o| self.is_closed(o.day));
        let new = touched.iter().filter(|((id, _), (_, was, now))| {
            *id == branch.id && now.opening.is_some() && !closed(was)
        });
        opened.extend(new.map(|((_, seq), _)| *seq));
        for seq in opened {
            let Some((bytes, received)) = self.line_and_when(branch.id, seq)? else { continue };
            let Ok(line) = Line::read(&bytes, kiosk, branch.epoch, seq) else { continue };
            let day = Day::by(state.branches.clockwork(place), seq, line.at, received);
            let (day, official) = self.judged((kiosk, branch.epoch), office, &line, day)?;
            self.name_review((kiosk, branch.epoch, seq), day, received)?;
            if let Some(opening) = &mut self.touch(branch, office, seq, touched)?.opening {
                opening.day = day;
                opening.official = official;
            }
        }
        Ok(())
    }

    /// Names a contact that is in review, and one that no longer is no more.
    pub(super) fn name_review(
        &mut self,
        (kiosk, epoch, seq): (&KioskId, Epoch, u64),
        day: Day,
        received: At,
    ) -> Result<(), StoreError> {
        if day == Day::Review {
            let place = (epoch, seq);
            self.find_of(FindingKind::Clock, kiosk, received, place, UNKNOWN)?;
            return Ok(());
        }
        self.db
            .prepare_cached(
                "DELETE FROM finding WHERE kind = ? AND kiosk = ? AND epoch = ? AND seq = ?",
            )?
            .execute(params![
                FindingKind::Clock.as_str(),
                kiosk.as_str(),
                epoch.to_string(),
                seq as i64
            ])?;
        Ok(())
    }

    /// Once after the migrations that brought the table and the column: what segments received
    /// before tell.
    pub(super) fn read_old_clocks(&mut self) -> Result<(), StoreError> {
        let pending = "DELETE FROM pending WHERE work = 'clocks'";
        if self.db.execute(pending, [])? == 0 {
            return Ok(());
        }
        let mut kiosks = BTreeSet::new();
        let mut confirmed = BTreeSet::new();
        {
            let mut statement =
                self.db.prepare("SELECT branch, header, lines, received FROM segment")?;
            let mut rows = statement.query([])?;
            let damaged = |error: &dyn std::fmt::Display| StoreError::Damaged(error.to_string());
            while let Some(row) = rows.next()? {
                let branch: i64 = row.get(0)?;
                let header: Header = serde_json::from_slice(&row.get::<_, Vec<u8>>(1)?)
                    .map_err(|error| damaged(&error))?;
                let lines: Vec<u8> = row.get(2)?;
                let received = At::try_from(row.get::<_, String>(3)?);
                let received = received.map_err(|error| damaged(&error))?;
                for (seq, bytes) in (header.first..).zip(Lines::of(&lines)) {
                    let Ok(line) = Line::read(bytes, &header.kiosk, header.epoch, seq) else {
                        continue;
                    };
                    if let Some(step) = step(&line) {
                        self.keep_step(branch, step)?;
                        kiosks.insert(header.kiosk.clone());
                    }
                    if line.at.is_confirmed_by(received) && confirmed.insert(branch) {
                        self.confirm_row(branch)?;
                    }
                }
            }
        }
        for kiosk in kiosks {
            self.remember(&kiosk)?;
            let Some(state) = self.kiosks.get(&kiosk).cloned() else { continue };
            let mut touched = Touched::new();
            for (place, branch) in state.branches.0.iter().enumerate() {
                if !branch.steps.is_empty() {
                    self.judge_again(&kiosk, &state, place, true, &mut touched)?;
                }
            }
            self.save(touched)?;
        }
        Ok(())
    }
}
