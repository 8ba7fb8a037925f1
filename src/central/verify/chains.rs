//! Numbers and hashes of all lines of an archive: what is missing, doubled, or not what its
//! neighbours say.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::ids::{Epoch, Hash, KioskId};
use crate::domain::line::{Event, LastRun, Line};

/// A line, by what chains it.
struct Link {
    hash: Hash,
    prev: Option<Hash>,
}

/// One epoch's lines.
#[derive(Default)]
struct Run {
    start: u64,
    links: BTreeMap<u64, Link>,
    /// Whom `started` names as the line before.
    follows: Option<(Epoch, u64)>,
    /// The epoch that `started` names as the one before, even if its journal was lost.
    after: Option<Epoch>,
    /// Whether its chain begins with it.
    rooted: bool,
    /// Whether a journal was lost before it.
    lost: bool,
}

/// Where a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Here: its hash.
    Line(Hash),
    /// Before what is here.
    Before,
    /// Nowhere.
    Missing,
}

/// All chains of an archive.
#[derive(Default)]
pub struct Chains {
    runs: BTreeMap<(KioskId, Epoch), Run>,
    problems: Vec<String>,
}

/// A stretch of numbers, as a person reads it.
fn numbers(first: u64, last: u64) -> String {
    if first == last { format!("line {first}") } else { format!("lines {first}–{last}") }
}

impl Chains {
    /// Takes in the lines of a batch, the first of which has the number `first`. Says whether any
    /// of them is new.
    pub fn add(
        &mut self,
        (kiosk, epoch): (&KioskId, Epoch),
        start: u64,
        first: u64,
        lines: &[Vec<u8>],
    ) -> bool {
        let run = self.runs.entry((kiosk.clone(), epoch)).or_default();
        run.start = start;
        let mut news = false;
        for (seq, bytes) in (first..).zip(lines) {
            let hash = Hash::of(bytes);
            if let Some(link) = run.links.get(&seq) {
                if link.hash != hash {
                    self.problems.push(format!("{kiosk}: line {seq} is here twice, different"));
                    news = true;
                }
                continue;
            }
            news = true;
            let line = Line::read(bytes, kiosk, epoch, seq).ok();
            if let Some(line) = line.as_ref().filter(|line| line.event == Event::Started) {
                let lost = line.last_run == Some(LastRun::JournalLost);
                run.lost = lost;
                run.after = line.prev_epoch;
                run.follows = line.prev_epoch.zip(line.prev_seq).filter(|_| !lost);
                run.rooted = run.follows.is_none();
            }
            run.links.insert(seq, Link { hash, prev: line.map(|line| line.prev) });
        }
        news
    }

    /// The line of a number along an epoch and those before it. What came before the first of them
    /// is asked for only if the archive is `whole`.
    pub fn line(&self, kiosk: &KioskId, mut epoch: Epoch, seq: u64, whole: bool) -> Place {
        for _ in 0..=self.runs.len() {
            let Some(run) = self.runs.get(&(kiosk.clone(), epoch)) else { break };
            if let Some(link) = run.links.get(&seq) {
                return Place::Line(link.hash);
            }
            if run.links.keys().next().is_none_or(|first| *first < seq) {
                return Place::Missing;
            }
            match run.follows {
                Some((before, _)) => epoch = before,
                None => break,
            }
        }
        if whole { Place::Missing } else { Place::Before }
    }

    /// Epochs that no other names as the one before it; of kiosks of which each epoch can be read.
    pub fn ends(&self) -> Vec<(KioskId, Epoch)> {
        let unread: BTreeSet<&KioskId> = self
            .runs
            .iter()
            .filter(|(_, run)| run.links.get(&run.start).is_none_or(|link| link.prev.is_none()))
            .map(|((kiosk, _), _)| kiosk)
            .collect();
        let named = self.runs.iter().filter_map(|((kiosk, _), run)| Some((kiosk, run.after?)));
        let named: BTreeSet<(&KioskId, Epoch)> = named.collect();
        let ends = self
            .runs
            .keys()
            .filter(|(kiosk, epoch)| !unread.contains(kiosk) && !named.contains(&(kiosk, *epoch)));
        ends.cloned().collect()
    }

    /// The highest number of a kiosk's lines, or 0.
    pub fn last(&self, kiosk: &KioskId) -> u64 {
        let runs = self.runs.iter().filter(|((of, _), _)| of == kiosk);
        runs.filter_map(|(_, run)| run.links.keys().next_back().copied()).max().unwrap_or(0)
    }

    /// Whose journals are here.
    pub fn kiosks(&self) -> BTreeSet<KioskId> {
        self.runs.keys().map(|(kiosk, _)| kiosk.clone()).collect()
    }

    /// The lines of a batch that are not what the header signs: which of them, as far as their
    /// neighbours tell.
    pub fn changed(first: u64, lines: &[Vec<u8>], head: Hash) -> String {
        let prev = |bytes: &[u8]| {
            serde_json::from_slice::<serde_json::Value>(bytes)
                .ok()
                .and_then(|line| line["prev"].as_str()?.parse::<Hash>().ok())
        };
        let next = lines.iter().skip(1).map(|bytes| prev(bytes)).chain([Some(head)]);
        let changed: Vec<String> = (first..)
            .zip(lines.iter().zip(next))
            .filter(|(_, (bytes, named))| *named != Some(Hash::of(bytes)))
            .map(|(seq, _)| seq.to_string())
            .collect();
        match changed.len() {
            0 => "lines were added, taken away or put in another order".to_owned(),
            1 => format!("line {} was changed", changed[0]),
            _ => format!("one of the lines {} was changed", changed.join(", ")),
        }
    }

    /// All that is wrong between lines. What came before the first of them is asked for only if
    /// the archive is `whole`.
    pub fn problems(self, whole: bool) -> Vec<String> {
        let mut problems = self.problems;
        // Who goes on from the same line, or begins where another began.
        let mut heirs = BTreeMap::new();
        for ((kiosk, epoch), run) in &self.runs {
            if (run.rooted || run.follows.is_some())
                && !run.lost
                && let Some(other) = heirs.insert((kiosk, run.follows), epoch)
            {
                let from = run.follows.map_or(1, |(_, seq)| seq + 1);
                problems.push(format!(
                    "{kiosk}: two journals from line {from} on: a disk was restored or copied \
                     ({epoch}, {other})"
                ));
            }
        }
        for ((kiosk, epoch), run) in &self.runs {
            let Some(first) = run.links.keys().next() else { continue };
            let named = |what: String| format!("{kiosk}: {what}");
            let begins = whole || *first == run.start;
            let mut next = if begins { run.start } else { *first };
            for (seq, link) in &run.links {
                if *seq > next {
                    problems.push(named(format!("{} missing", numbers(next, seq - 1))));
                } else if *seq > run.start {
                    let before = run.links.get(&(seq - 1)).map(|before| before.hash);
                    let wrong = before.is_some() && link.prev.is_some() && link.prev != before;
                    if wrong {
                        let what = format!("line {seq} does not follow line {} as it is", seq - 1);
                        problems.push(named(what));
                    }
                }
                next = seq + 1;
            }
            let Some(started) = run.links.get(&run.start) else { continue };
            match run.follows {
                None if run.rooted && started.prev.is_some_and(|prev| prev != Hash::NONE) => {
                    problems.push(named(format!("line {} is no beginning", run.start)));
                }
                None => {}
                Some((before, seq)) => {
                    let Some(other) = self.runs.get(&(kiosk.clone(), before)) else {
                        if whole {
                            let what = format!("all up to line {seq}, of epoch {before}, missing");
                            problems.push(named(what));
                        }
                        continue;
                    };
                    match other.links.get(&seq) {
                        Some(link) if Some(link.hash) != started.prev => {
                            let what = format!("line {} does not follow line {seq}", run.start);
                            problems.push(named(what));
                        }
                        Some(_) => {}
                        None => {
                            let last = other.links.keys().next_back().map_or(0, |last| *last);
                            problems.push(named(format!("{} missing", numbers(last + 1, seq))));
                        }
                    }
                    if other.links.keys().next_back().is_some_and(|last| *last > seq) {
                        let what = format!(
                            "two journals from line {} on: a disk was restored or copied ({epoch}, \
                             {before})",
                            seq + 1
                        );
                        problems.push(named(what));
                    }
                }
            }
        }
        problems
    }
}
