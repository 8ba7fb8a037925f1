//! Decisions of named persons, and what follows from them: days, attributions, lines signed off as
//! lost, kiosks that are suspended or retired. All of it is made again when one is withdrawn.

use std::collections::{BTreeSet, HashSet};

use rusqlite::{Connection, OptionalExtension, params};

use super::branches::Branch;
use super::counting::Touched;
use super::reading;
use super::retention::Days;
use super::writing::{KioskState, Writer};
use crate::central::store::{
    ContactRef, Decided, Finding, FindingMatter, Fork, ForkKind, Hole, HoleState, KioskMatter,
    Matters, Standing, StoreError,
};
use crate::domain::decision::{Decision, What};
use crate::domain::fingerprint::fingerprint;
use crate::domain::ids::{Epoch, Hash, KioskId, OfficeCode, OfficialId};
use crate::domain::line::Line;
use crate::domain::time::{At, Day};

/// Missing lines are late when later ones came so long ago: three days.
const LATE_MINUTES: i64 = 3 * 24 * 60;

/// Those that judge contacts and lines, in the order taken: the later one holds.
pub(super) type Judgements = Vec<What>;

impl Writer {
    /// What is in force and judges contacts and lines.
    fn judgements(&mut self) -> Result<&Judgements, StoreError> {
        if self.judgements.is_none() {
            let all = in_force(&self.db, &["dated", "attributed", "lost"])?;
            self.judgements = Some(all.into_iter().map(|decided| decided.decision.what).collect());
        }
        Ok(self.judgements.get_or_insert_default())
    }

    /// A contact's day and official, as decisions have them if there are any.
    pub(super) fn judged(
        &mut self,
        (kiosk, epoch): (&KioskId, Epoch),
        office: &OfficeCode,
        line: &Line,
        mut day: Day,
    ) -> Result<(Day, Option<OfficialId>), StoreError> {
        let mut official = line.official.clone();
        for what in self.judgements()? {
            match what {
                What::Dated { kiosk: of, epoch: within, first, last, day: on }
                    if (of, *within) == (kiosk, epoch) && (*first..=*last).contains(&line.seq) =>
                {
                    day = Day::On(*on);
                }
                What::Attributed { office: of, counter, from, until, official: who }
                    if of == office
                        && line.counter.as_ref() == Some(counter)
                        && (*from..*until).contains(&line.at) =>
                {
                    official.clone_from(who);
                }
                _ => {}
            }
        }
        // A day is closed once its answers are erased: nobody adds to it unseen.
        if self.is_closed(day) {
            day = Day::Review;
        }
        Ok((day, official))
    }

    /// Takes a decision from a line of the own series.
    pub(super) fn decide(
        &mut self,
        line: &Line,
        decision: &Decision,
        touched: &mut Touched,
    ) -> Result<(), StoreError> {
        let text = serde_json::to_string(decision)
            .map_err(|error| StoreError::Damaged(error.to_string()))?;
        self.db.execute(
            "INSERT OR IGNORE INTO decision (epoch, seq, at, what, kiosk, decision)
             VALUES (?, ?, ?, ?, ?, ?)",
            params![
                line.epoch.to_string(),
                line.seq as i64,
                line.at.to_string(),
                decision.what.word(),
                decision.what.kiosk().map(KioskId::as_str),
                text
            ],
        )?;
        let What::Withdrawn { epoch, seq } = decision.what else {
            return self.follow(&decision.what, touched);
        };
        let row: Option<String> = self
            .db
            .query_row(
                "UPDATE decision SET withdrawn = 1 WHERE epoch = ? AND seq = ?
                 AND what NOT IN ('withdrawn', 'erased', 'words_erased', 'answers_erased',
                              'keys_renewed', 'handled')
                 RETURNING decision",
                params![epoch.to_string(), seq as i64],
                |row| row.get(0),
            )
            .optional()?;
        match row {
            Some(text) => self.follow(&read(&text)?.what, touched),
            None => Ok(()),
        }
    }

    /// What follows from a decision, or from its withdrawal.
    fn follow(&mut self, what: &What, touched: &mut Touched) -> Result<(), StoreError> {
        self.judgements = None;
        match what {
            What::Dated { kiosk, epoch, .. } => {
                let state = self.state(kiosk)?;
                match state.branches.place(*epoch) {
                    Some(place) => self.judge_branch(kiosk, &state, place, touched),
                    None => Ok(()),
                }
            }
            What::Attributed { office, .. } => {
                for kiosk in kiosks_of(&self.db, office)? {
                    let state = self.state(&kiosk)?;
                    for place in 0..state.branches.0.len() {
                        self.judge_branch(&kiosk, &state, place, touched)?;
                    }
                }
                Ok(())
            }
            What::Lost { kiosk, .. } => self.pass_again(kiosk),
            What::Erased { kiosk, epoch, contact, words_only } => {
                let (kiosk, epoch, contact) = (kiosk.clone(), *epoch, *contact);
                self.erase_contact(&ContactRef { kiosk, epoch, contact }, *words_only, touched)
            }
            What::WordsErased { before } => self.erase_words(*before),
            What::AnswersErased { since, before, .. } => {
                self.erase_answers(Days { since: *since, before: *before }, touched)
            }
            What::Retired { kiosk, .. } => {
                let since = match standing(&self.db, kiosk)? {
                    Standing::Retired { since, .. } => Some(since.to_string()),
                    _ => None,
                };
                self.db.execute(
                    "UPDATE kiosk SET retired = ? WHERE id = ?",
                    params![since, kiosk.as_str()],
                )?;
                let office = self.state(kiosk)?.office;
                office.map_or(Ok(()), |office| self.complete(&office))
            }
            What::Settled { .. }
            | What::Confirmed { .. }
            | What::Suspended { .. }
            | What::KeysRenewed { .. }
            | What::Improved { .. }
            | What::Handled { .. }
            | What::Withdrawn { .. }
            | What::Unknown => Ok(()),
        }
    }

    pub(super) fn state(&mut self, kiosk: &KioskId) -> Result<KioskState, StoreError> {
        self.remember(kiosk)?;
        let state = self.kiosks.get(kiosk).cloned();
        state.ok_or_else(|| StoreError::Damaged("a kiosk that was just remembered".into()))
    }

    /// Notes of whose days a decision moves figures.
    pub(super) fn figures_move(&mut self, what: &What) -> Result<(), StoreError> {
        let office = match (what, what.kiosk()) {
            (What::Attributed { office, .. }, _) => Some(office.clone()),
            (_, Some(kiosk)) => self.state(&kiosk.clone())?.office,
            _ => None,
        };
        match office {
            Some(office) => drop(self.changed.offices.insert(office)),
            None => self.changed.all = true,
        }
        Ok(())
    }

    /// Whether lines of a kiosk were signed off as lost.
    pub(super) fn has_lost(&mut self, kiosk: &KioskId) -> Result<bool, StoreError> {
        let of = |what: &What| matches!(what, What::Lost { kiosk: of, .. } if of == kiosk);
        Ok(self.judgements()?.iter().any(of))
    }

    /// How far a kiosk has come, if what was signed off were here.
    pub(super) fn pass_again(&mut self, kiosk: &KioskId) -> Result<(), StoreError> {
        let lost: Vec<(Epoch, u64, u64)> = self
            .judgements()?
            .iter()
            .filter_map(|what| match what {
                What::Lost { kiosk: of, epoch, first, last } if of == kiosk => {
                    Some((*epoch, *first, *last))
                }
                _ => None,
            })
            .collect();
        let mut state = self.state(kiosk)?;
        let marks = state.branches.with(&lost);
        // What was passed only because of a decision is not once that is withdrawn.
        state.passed = None;
        for place in 0..state.branches.0.len() {
            for (branch, seq) in state.branches.reached(&marks, place) {
                let Some((bytes, received)) = self.line_and_when(branch, seq)? else { continue };
                let Ok(line) = serde_json::from_slice::<Line>(&bytes) else { continue };
                state.passed = state.passed.max(self.passes(&state, &line, received));
            }
        }
        self.db.execute(
            "UPDATE kiosk SET passed = ? WHERE id = ?",
            params![state.passed.map(|date| date.to_string()), kiosk.as_str()],
        )?;
        let office = state.office.clone();
        self.kiosks.insert(kiosk.clone(), state);
        office.map_or(Ok(()), |office| self.complete(&office))
    }
}

impl Writer {
    /// Everything that a person should look at, and how it stands.
    pub(super) fn matters(&mut self) -> Result<Matters, StoreError> {
        let decisions = all(&self.db)?;
        let now = At::new(self.author.clock.now());
        let in_force = |what: &dyn Fn(&What) -> bool| {
            decisions.iter().any(|decided| !decided.withdrawn && what(&decided.decision.what))
        };
        let mut kiosks = Vec::new();
        let mut holes = Vec::new();
        for kiosk in reading::kiosks(&self.db)? {
            let state = self.state(&kiosk.id)?;
            let last_heard: Option<String> = self.db.query_row(
                "SELECT last_heard FROM kiosk WHERE id = ?",
                [kiosk.id.as_str()],
                |row| row.get(0),
            )?;
            let key = Hash::of(kiosk.key.as_bytes());
            for (epoch, first, last) in state.branches.missing() {
                let lost = in_force(&|what| match what {
                    What::Lost { kiosk: of, epoch: within, first: from, last: to } => {
                        (of, *within) == (&kiosk.id, epoch) && *from <= first && last <= *to
                    }
                    _ => false,
                });
                let since = self.after(&state, last)?;
                let late = since.is_some_and(|since| since.plus_minutes(LATE_MINUTES) <= now);
                let state = match (lost, late) {
                    (true, _) => HoleState::Lost,
                    (false, true) => HoleState::Late,
                    (false, false) => HoleState::Pending,
                };
                holes.push(Hole { kiosk: kiosk.id.clone(), epoch, first, last, since, state });
            }
            kiosks.push(KioskMatter {
                fingerprint: fingerprint(kiosk.key.as_bytes()),
                confirmed: in_force(&|what| {
                    matches!(what, What::Confirmed { kiosk: of, key: confirmed }
                        if *of == kiosk.id && *confirmed == key)
                }),
                key,
                number: kiosk.number,
                office: kiosk.office,
                counters: kiosk.counters,
                standing: kiosk.standing,
                enrolled: kiosk.enrolled,
                last_heard: last_heard.and_then(|text| At::try_from(text).ok()),
                passed: state.passed,
                id: kiosk.id,
            });
        }
        let findings = reading::findings(&self.db)?
            .into_iter()
            .map(|finding| {
                let settled = in_force(&|what| match what {
                    What::Settled { kind, kiosk, epoch, seq } => {
                        *kind == finding.kind
                            && kiosk.as_str() == finding.kiosk
                            && epoch.to_string() == finding.epoch
                            && *seq == finding.seq
                    }
                    _ => false,
                });
                let fork = self.fork_of(&finding)?;
                Ok(FindingMatter { finding, settled, fork })
            })
            .collect::<Result<_, StoreError>>()?;
        Ok(Matters { kiosks, holes, findings, decisions })
    }

    /// What the lines tell of a fork.
    fn fork_of(&mut self, finding: &Finding) -> Result<Option<Fork>, StoreError> {
        let other = finding.reason.strip_prefix("beside_").and_then(|hex| hex.parse().ok());
        let (Some(other), Ok(kiosk), Ok(one)) =
            (other, finding.kiosk.parse::<KioskId>(), finding.epoch.parse::<Epoch>())
        else {
            return Ok(None);
        };
        let state = self.state(&kiosk)?;
        let (Some(one), Some(other)) = (state.branches.place(one), state.branches.place(other))
        else {
            return Ok(None);
        };
        let at = |branch: &Branch, seq: Option<u64>| -> Result<Option<At>, StoreError> {
            let line = seq.map(|seq| self.line_and_when(branch.id, seq)).transpose()?.flatten();
            Ok(line.and_then(|(bytes, _)| Some(serde_json::from_slice::<Line>(&bytes).ok()?.at)))
        };
        let begins = |place: usize| {
            let branch = &state.branches.0[place];
            at(branch, branch.ranges.0.first().map(|(first, _)| *first))
        };
        // The one that began first, by the kiosks' clocks.
        let (early, late) = if begins(one)? < begins(other)? { (one, other) } else { (other, one) };
        let began = begins(late)?;
        // It may have gone on in further epochs.
        let mut ended = None;
        for branch in state.branches.from(early) {
            ended = ended.max(at(branch, branch.ranges.last())?);
        }
        let (early, late) = (&state.branches.0[early], &state.branches.0[late]);
        let how = match (ended, began) {
            _ if late.rooted => ForkKind::Lost,
            (Some(ended), Some(began)) if ended > began => ForkKind::Cloned,
            (Some(_), Some(_)) => ForkKind::RolledBack,
            _ => return Ok(None),
        };
        // They part after the last line that the later one knows.
        let first = late.prev.map_or(late.start, |(_, seq)| seq + 1).max(early.start);
        let last = early.ranges.last().unwrap_or(first);
        Ok(Some(Fork { how, early: early.epoch, first, last }))
    }

    /// When the first line above a number arrived.
    fn after(&self, state: &KioskState, seq: u64) -> Result<Option<At>, StoreError> {
        let mut first: Option<At> = None;
        for branch in &state.branches.0 {
            let received: Option<String> = self.db.query_row(
                "SELECT min(received) FROM segment WHERE branch = ? AND last > ?",
                params![branch.id, seq as i64],
                |row| row.get(0),
            )?;
            let received = received.and_then(|text| At::try_from(text).ok());
            first = first.into_iter().chain(received).min();
        }
        Ok(first)
    }
}

fn kiosks_of(db: &Connection, office: &OfficeCode) -> Result<BTreeSet<KioskId>, StoreError> {
    let mut statement = db.prepare_cached("SELECT id FROM kiosk WHERE office = ?")?;
    let ids = statement.query_map([office.as_str()], |row| row.get::<_, String>(0))?;
    ids.map(|id| id?.parse().map_err(|_| StoreError::Damaged("a kiosk's name".into()))).collect()
}

fn read(text: &str) -> Result<Decision, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Damaged(format!("a decision: {error}")))
}

/// All decisions, in the order taken.
pub(super) fn all(db: &Connection) -> Result<Vec<Decided>, StoreError> {
    taken(db, "SELECT epoch, seq, at, withdrawn, decision FROM decision ORDER BY seq", [])
}

/// See [`Store::improvements`](crate::central::store::Store::improvements).
pub(super) fn improvements(
    db: &Connection,
    office: &OfficeCode,
) -> Result<Vec<Decided>, StoreError> {
    let select = "SELECT epoch, seq, at, withdrawn, decision FROM decision
                  WHERE what = 'improved' AND withdrawn = 0
                    AND json_extract(decision, '$.office') = ?
                  ORDER BY seq";
    taken(db, select, [office.as_str()])
}

/// See [`Store::handlings`](crate::central::store::Store::handlings).
pub(super) fn handlings(db: &Connection) -> Result<Vec<Decided>, StoreError> {
    let select = "SELECT epoch, seq, at, withdrawn, decision FROM decision
                  WHERE what = 'handled' ORDER BY seq";
    taken(db, select, [])
}

fn taken(
    db: &Connection,
    select: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<Decided>, StoreError> {
    let mut statement = db.prepare_cached(select)?;
    let mut rows = statement.query(values)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let epoch: String = row.get(0)?;
        all.push(Decided {
            epoch: epoch.parse().map_err(|_| StoreError::Damaged("an epoch".into()))?,
            seq: row.get::<_, i64>(1)? as u64,
            at: At::try_from(row.get::<_, String>(2)?)
                .map_err(|error| StoreError::Damaged(error.to_string()))?,
            withdrawn: row.get(3)?,
            decision: read(&row.get::<_, String>(4)?)?,
        });
    }
    Ok(all)
}

/// Those of some kinds that were not withdrawn.
fn in_force(db: &Connection, words: &[&str]) -> Result<Vec<Decided>, StoreError> {
    let any: bool =
        db.prepare_cached("SELECT EXISTS (SELECT 1 FROM decision)")?.query_row([], |r| r.get(0))?;
    if !any {
        return Ok(Vec::new());
    }
    let mut all = all(db)?;
    all.retain(|decided| !decided.withdrawn && words.contains(&decided.decision.what.word()));
    Ok(all)
}

/// The kiosks' keys whose words were compared.
pub(super) fn confirmed(db: &Connection) -> Result<HashSet<(KioskId, Hash)>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT decision FROM decision WHERE what = 'confirmed' AND withdrawn = 0",
    )?;
    let mut rows = statement.query([])?;
    let mut confirmed = HashSet::new();
    while let Some(row) = rows.next()? {
        if let What::Confirmed { kiosk, key } = read(&row.get::<_, String>(0)?)?.what {
            confirmed.insert((kiosk, key));
        }
    }
    Ok(confirmed)
}

/// Whether a kiosk may send, as the last decision about it has it.
pub(super) fn standing(db: &Connection, kiosk: &KioskId) -> Result<Standing, StoreError> {
    let last: Option<String> = db
        .prepare_cached(
            "SELECT decision FROM decision
             WHERE kiosk = ? AND withdrawn = 0 AND what IN ('suspended', 'retired')
             ORDER BY seq DESC LIMIT 1",
        )?
        .query_row([kiosk.as_str()], |row| row.get(0))
        .optional()?;
    let last = last.map(|text| read(&text)).transpose()?;
    Ok(match last.map(|decision| decision.what) {
        Some(What::Suspended { .. }) => Standing::Suspended,
        Some(What::Retired { since, replaced_by, .. }) => Standing::Retired { since, replaced_by },
        _ => Standing::InUse,
    })
}
