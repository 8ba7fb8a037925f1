//! Which keys the central service's own series admitted, and how the kiosk list stood at each root.

use std::collections::BTreeMap;

use ed25519_dalek::VerifyingKey;
use jiff::civil::Date;

use crate::central::store::Kiosk;
use crate::domain::archive::ListedKiosk;
use crate::domain::ids::{Hash, KioskId};
use crate::domain::line::{Event, Line};
use crate::domain::root::{Statement, verifying_key};
use crate::domain::time::At;

/// The kiosk list of an archive beside what lines say of it, as far as they were read.
pub(super) struct Admissions {
    listed: Vec<ListedKiosk>,
    /// Each key that a line admitted: when first, and how many such lines stood before that one.
    admitted: BTreeMap<(String, Hash), (At, usize)>,
    /// How many such lines were read.
    lines: usize,
    /// Each root's day and kiosk list, and how many such lines stood before it.
    roots: Vec<(Date, Hash, usize)>,
}

/// Whether a line was written when a key was admitted, as the list has it.
fn is_near(line: At, listed: At) -> bool {
    line.plus_minutes(-1) <= listed && listed <= line.plus_minutes(1)
}

impl Admissions {
    pub(super) fn of(listed: Vec<ListedKiosk>) -> Self {
        Self { listed, admitted: BTreeMap::new(), lines: 0, roots: Vec::new() }
    }

    /// A line of the own series.
    pub(super) fn line(&mut self, line: &Line) {
        if let (Event::Enrolled, Some(key), Some(kiosk)) = (line.event, line.digest, &line.of_kiosk)
        {
            self.admitted.entry((kiosk.to_string(), key)).or_insert((line.at, self.lines));
            self.lines += 1;
        }
    }

    /// A root over all lines so far.
    pub(super) fn root(&mut self, statement: &Statement) {
        self.roots.push((statement.day, statement.kiosks, self.lines));
    }

    /// Days whose root has another kiosk list than this, once all lines were read. Unless the archive
    /// is `whole`, what no line here admitted was admitted before.
    pub(super) fn other_lists(&self, whole: bool) -> impl Iterator<Item = Date> {
        let others = self.roots.iter().filter(move |(_, kiosks, lines)| {
            let rows = self.listed.iter().filter_map(|kiosk| self.row(kiosk, *lines, whole));
            Hash::of_lines(rows) != *kiosks
        });
        others.map(|(day, ..)| *day)
    }

    /// A kiosk's row of the list after so many lines, if it was in it.
    fn row(&self, kiosk: &ListedKiosk, lines: usize, whole: bool) -> Option<String> {
        let ListedKiosk { number, id, office, counters, enrolled, .. } = kiosk;
        let keys = kiosk.former.iter().map(|one| &one.key).chain([&kiosk.key]);
        let since = [*enrolled].into_iter().chain(kiosk.former.iter().map(|one| one.until));
        let here = |(hex, since): &(&String, At)| {
            let key = verifying_key(hex).map(|key| Hash::of(key.as_bytes()));
            let line = key.and_then(|key| self.admitted.get(&(id.clone(), key)));
            match line {
                Some((at, before)) if whole || is_near(*at, *since) => *before < lines,
                // It was admitted again: before this part there was a line that did so first.
                Some(_) => true,
                None => !whole,
            }
        };
        let (key, _) = keys.zip(since).filter(here).last()?;
        Some(serde_json::json!(["kiosk", number, id, office, counters, key, enrolled]).to_string())
    }

    /// What is wrong with a kiosk's keys, once all lines were read: lines have to admit them, one
    /// after the other.
    pub(super) fn problems(&self, kiosk: &Kiosk) -> Vec<String> {
        let when = |key: &VerifyingKey| {
            self.admitted.get(&(kiosk.id.to_string(), Hash::of(key.as_bytes())))
        };
        let keys: Vec<&VerifyingKey> =
            kiosk.former.iter().map(|one| &one.key).chain([&kiosk.key]).collect();
        let id: &KioskId = &kiosk.id;
        let mut problems = Vec::new();
        if !keys.iter().all(|key| when(key).is_some()) {
            let what = "no line of the central service says that its key was admitted";
            problems.push(format!("{id}: {what}"));
        }
        for (former, next) in kiosk.former.iter().zip(keys.iter().skip(1)) {
            if when(next).is_some_and(|(at, _)| !is_near(*at, former.until)) {
                let what = "a key of it was in use until another moment than the archive says";
                problems.push(format!("{id}: {what}"));
            }
        }
        problems
    }
}
