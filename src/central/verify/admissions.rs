//! Which keys the central service's own series admitted, and how the kiosk list stood at a root.

use std::collections::BTreeMap;

use ed25519_dalek::VerifyingKey;

use crate::central::store::Kiosk;
use crate::domain::archive::ListedKiosk;
use crate::domain::ids::{Hash, KioskId};
use crate::domain::line::{Event, Line};
use crate::domain::root::{Statement, verifying_key};
use crate::domain::time::At;

/// The kiosk list of an archive beside what lines say of it, as far as they were read.
pub(super) struct Admissions {
    listed: Vec<ListedKiosk>,
    /// Each key that was admitted, and when first.
    admitted: BTreeMap<(KioskId, Hash), At>,
    /// The one that was admitted last, by kiosk.
    in_use: BTreeMap<String, Hash>,
}

impl Admissions {
    pub(super) fn of(listed: Vec<ListedKiosk>) -> Self {
        Self { listed, admitted: BTreeMap::new(), in_use: BTreeMap::new() }
    }

    /// A line of the own series.
    pub(super) fn line(&mut self, line: &Line) {
        if let (Event::Enrolled, Some(key), Some(kiosk)) = (line.event, line.digest, &line.of_kiosk)
        {
            self.admitted.entry((kiosk.clone(), key)).or_insert(line.at);
            self.in_use.insert(kiosk.to_string(), key);
        }
    }

    /// Hash of the kiosk list as it was at a root: by the lines that admitted kiosks and their keys;
    /// unless the archive is `whole`, where these may not be, by when it was.
    pub(super) fn list_at(&self, statement: &Statement, whole: bool) -> Hash {
        let key = |kiosk: &ListedKiosk| -> Option<String> {
            if !whole {
                return (kiosk.enrolled <= statement.at)
                    .then(|| kiosk.key_at(statement.at).to_owned());
            }
            let admitted = self.in_use.get(&kiosk.id)?;
            let keys = kiosk.former.iter().map(|one| &one.key).chain([&kiosk.key]);
            let of = |hex: &&String| {
                verifying_key(hex).is_some_and(|key| Hash::of(key.as_bytes()) == *admitted)
            };
            keys.into_iter().find(of).cloned()
        };
        let row = |kiosk: &ListedKiosk| {
            let ListedKiosk { number, id, office, counters, enrolled, .. } = kiosk;
            let key = key(kiosk)?;
            let row = serde_json::json!(["kiosk", number, id, office, counters, key, enrolled]);
            Some(row.to_string())
        };
        Hash::of_lines(self.listed.iter().filter_map(row))
    }

    /// What is wrong with kiosks' keys, once all lines were read: lines have to admit them, one after
    /// the other.
    pub(super) fn problems(&self, kiosk: &Kiosk) -> Vec<String> {
        let when =
            |key: &VerifyingKey| self.admitted.get(&(kiosk.id.clone(), Hash::of(key.as_bytes())));
        let keys: Vec<&VerifyingKey> =
            kiosk.former.iter().map(|one| &one.key).chain([&kiosk.key]).collect();
        let id = &kiosk.id;
        let mut problems = Vec::new();
        if !keys.iter().all(|key| when(key).is_some()) {
            let what = "no line of the central service says that its key was admitted";
            problems.push(format!("{id}: {what}"));
        }
        for (former, next) in kiosk.former.iter().zip(keys.iter().skip(1)) {
            let near =
                |at: &At| at.plus_minutes(-1) <= former.until && former.until <= at.plus_minutes(1);
            if when(next).is_some_and(|at| !near(at)) {
                let what = "a key of it was in use until another moment than the archive says";
                problems.push(format!("{id}: {what}"));
            }
        }
        problems
    }
}
