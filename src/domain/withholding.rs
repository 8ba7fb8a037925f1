//! Which slices of a day show no levels, so that none of them points at a person.
//!
//! A slice of fewer than [`FEW`] ratings is withheld, and with it whatever would give it away:
//! within a partition what is withheld is never a single slice and never few in all, and across
//! officials and counters no sum or difference of shown slices is a withheld one.

use std::collections::{BTreeMap, BTreeSet};

use super::ids::{CounterId, OfficialId};
use super::summary::{FEW, Figures};

/// Which slices show no levels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Withheld {
    /// The day as a whole is too small.
    pub all: bool,
    /// Officials, with the unattributed under none.
    pub officials: BTreeSet<Option<OfficialId>>,
    /// Counters.
    pub counters: BTreeSet<CounterId>,
}

impl Withheld {
    /// Decides by how many ratings there are, not by how many a view before completion shows.
    pub fn of(figures: &Figures) -> Self {
        let mut officials: BTreeMap<Option<OfficialId>, u64> = BTreeMap::new();
        let mut counters: BTreeMap<CounterId, u64> = BTreeMap::new();
        for ((counter, official), n) in figures.crossed.iter().filter(|(_, n)| **n > 0) {
            *officials.entry(official.clone()).or_default() += n;
            *counters.entry(counter.clone()).or_default() += n;
        }
        if figures.total.n < FEW {
            return Self {
                all: true,
                officials: officials.into_keys().collect(),
                counters: counters.into_keys().collect(),
            };
        }
        let mut withheld =
            Self { all: false, officials: few(&officials), counters: few(&counters) };
        complement(&officials, &mut withheld.officials);
        complement(&counters, &mut withheld.counters);
        while withheld.follows_from_shown(figures, &officials, &counters) {
            // Hide the smallest slice still shown; in the end nothing is left to follow from.
            let official = smallest(&officials, &withheld.officials);
            let counter = smallest(&counters, &withheld.counters);
            match (official, counter) {
                (Some((o, id)), counter) if counter.as_ref().is_none_or(|(c, _)| o <= *c) => {
                    withheld.officials.insert(id);
                    complement(&officials, &mut withheld.officials);
                }
                (_, Some((_, id))) => {
                    withheld.counters.insert(id);
                    complement(&counters, &mut withheld.counters);
                }
                _ => break,
            }
        }
        withheld
    }

    /// Whether sums and differences of shown slices give one that is withheld, or the few ratings
    /// of one official at one counter.
    fn follows_from_shown(
        &self,
        figures: &Figures,
        officials: &BTreeMap<Option<OfficialId>, u64>,
        counters: &BTreeMap<CounterId, u64>,
    ) -> bool {
        let atoms: Vec<_> = figures.crossed.iter().filter(|(_, n)| **n > 0).collect();
        let vector = |inside: &dyn Fn(&CounterId, &Option<OfficialId>) -> bool| -> Vec<u64> {
            atoms.iter().map(|((c, o), _)| u64::from(inside(c, o))).collect()
        };
        let mut shown = Span::default();
        shown.add(vector(&|_, _| true));
        for id in officials.keys().filter(|id| !self.officials.contains(*id)) {
            shown.add(vector(&|_, o| o == id));
        }
        for id in counters.keys().filter(|id| !self.counters.contains(*id)) {
            shown.add(vector(&|c, _| c == id));
        }
        few(officials).iter().map(|id| vector(&|_, o| o == id)).any(|v| shown.holds(v))
            || few(counters).iter().map(|id| vector(&|c, _| c == id)).any(|v| shown.holds(v))
            || atoms
                .iter()
                .filter(|(_, n)| **n < FEW)
                .map(|((counter, official), _)| vector(&|c, o| c == counter && o == official))
                .any(|v| shown.holds(v))
    }
}

/// The slices too small to be shown.
fn few<K: Ord + Clone>(slices: &BTreeMap<K, u64>) -> BTreeSet<K> {
    slices.iter().filter(|(_, n)| **n < FEW).map(|(id, _)| id.clone()).collect()
}

/// Withholds more of one partition until what is withheld in it is no single slice and no few
/// ratings in all.
fn complement<K: Ord + Clone>(slices: &BTreeMap<K, u64>, withheld: &mut BTreeSet<K>) {
    loop {
        let hidden: u64 = withheld.iter().filter_map(|id| slices.get(id)).sum();
        if withheld.is_empty() || (withheld.len() > 1 && hidden >= FEW) {
            return;
        }
        match smallest(slices, withheld) {
            Some((_, id)) => withheld.insert(id),
            None => return,
        };
    }
}

fn smallest<K: Ord + Clone>(slices: &BTreeMap<K, u64>, withheld: &BTreeSet<K>) -> Option<(u64, K)> {
    slices.iter().filter(|(id, _)| !withheld.contains(*id)).map(|(id, n)| (*n, id.clone())).min()
}

/// The vectors that follow from some given ones, by elimination modulo a prime: exact but for a
/// chance of about 2^-61.
#[derive(Debug, Default)]
struct Span {
    rows: Vec<(usize, Vec<u64>)>,
}

const PRIME: u64 = (1 << 61) - 1;

fn times(a: u64, b: u64) -> u64 {
    (u128::from(a) * u128::from(b) % u128::from(PRIME)) as u64
}

fn inverse(a: u64) -> u64 {
    let (mut result, mut base, mut exponent) = (1, a, PRIME - 2);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = times(result, base);
        }
        base = times(base, base);
        exponent >>= 1;
    }
    result
}

impl Span {
    fn reduce(&self, mut vector: Vec<u64>) -> Vec<u64> {
        for (pivot, row) in &self.rows {
            let factor = vector[*pivot];
            if factor != 0 {
                for (v, r) in vector.iter_mut().zip(row) {
                    *v = (*v + PRIME - times(factor, *r)) % PRIME;
                }
            }
        }
        vector
    }

    fn add(&mut self, vector: Vec<u64>) {
        let mut rest = self.reduce(vector);
        if let Some(pivot) = rest.iter().position(|v| *v != 0) {
            let scale = inverse(rest[pivot]);
            rest.iter_mut().for_each(|v| *v = times(*v, scale));
            self.rows.push((pivot, rest));
        }
    }

    fn holds(&self, vector: Vec<u64>) -> bool {
        self.reduce(vector).iter().all(|v| *v == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::form::Forms;
    use crate::domain::ids::FormRef;
    use crate::domain::rating::{Channel, Key};

    fn figures(cells: &[(&str, &str, u64)]) -> Figures {
        let forms = Forms::default();
        Figures::of_tallies(
            cells.iter().map(|(counter, official, n)| {
                let key = Key::Rating {
                    counter: counter.parse().unwrap(),
                    official: (*official != "-").then(|| official.parse().unwrap()),
                    hour: 8,
                    channel: Channel::Counter,
                    form: FormRef::new("nam-muc", 1).unwrap(),
                    level: "hai_long".into(),
                };
                (key, *n)
            }),
            &forms,
        )
    }

    fn hidden(cells: &[(&str, &str, u64)]) -> (Vec<String>, Vec<String>) {
        let withheld = Withheld::of(&figures(cells));
        (
            withheld
                .officials
                .iter()
                .map(|id| id.as_ref().map_or("-".into(), ToString::to_string))
                .collect(),
            withheld.counters.iter().map(ToString::to_string).collect(),
        )
    }

    #[test]
    fn a_small_slice_takes_the_next_smallest_with_it() {
        let (officials, counters) =
            hidden(&[("q1", "a", 30), ("q2", "b", 3), ("q3", "c", 12), ("q4", "d", 20)]);
        assert_eq!(officials, ["b", "c"]);
        assert_eq!(counters, ["q2", "q3"]);
    }

    #[test]
    fn two_tiny_slices_do_not_cover_each_other() {
        let (officials, _) =
            hidden(&[("q1", "a", 30), ("q1", "b", 1), ("q1", "c", 2), ("q1", "d", 20)]);
        assert_eq!(officials, ["b", "c", "d"], "1 + 2 ratings would follow as the rest");
    }

    #[test]
    fn the_unattributed_are_a_slice_too() {
        let (officials, _) = hidden(&[("q1", "a", 30), ("q1", "-", 2), ("q1", "d", 20)]);
        assert_eq!(officials, ["-", "d"]);
    }

    #[test]
    fn nothing_withheld_follows_across_officials_and_counters() {
        // Official b works at q2 (3 ratings) and q3 (9): showing b and q3 would give away q2.
        let cells =
            [("q1", "a", 30), ("q2", "b", 3), ("q3", "b", 9), ("q4", "c", 40), ("q5", "d", 6)];
        let (officials, counters) = hidden(&cells);
        let hides = |names: &[String], name: &str| names.iter().any(|hidden| hidden == name);
        assert!(hides(&counters, "q2"), "{counters:?}");
        assert!(hides(&counters, "q3") || hides(&officials, "b"), "{officials:?} {counters:?}");
    }

    #[test]
    fn fewer_than_five_ratings_show_nothing_and_enough_show_all() {
        assert!(Withheld::of(&figures(&[("q1", "a", 4)])).all);
        let withheld = Withheld::of(&figures(&[("q1", "a", 5), ("q2", "b", 9)]));
        assert_eq!(withheld, Withheld::default());
    }
}
