//! What is here of each kiosk's journal: branches (epochs), their ranges, watermark, holes, forks.

use crate::domain::ids::{Epoch, Hash};
use crate::domain::time::{Clockwork, Step};

/// Most holes named in one receipt.
const MAX_HOLES: usize = 100;

/// Ranges of numbers, sorted, apart from each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges(pub Vec<(u64, u64)>);

impl Ranges {
    /// Whether `seq` is here.
    pub fn has(&self, seq: u64) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= seq);
        after > 0 && self.0[after - 1].1 >= seq
    }

    /// Adds one number.
    pub fn add(&mut self, seq: u64) {
        let after = self.0.partition_point(|(first, _)| *first <= seq);
        let joins_before = after > 0 && self.0[after - 1].1 + 1 >= seq;
        let joins_after = self.0.get(after).is_some_and(|(first, _)| *first == seq + 1);
        match (joins_before, joins_after) {
            (true, true) => {
                self.0[after - 1].1 = self.0[after].1;
                self.0.remove(after);
            }
            (true, false) => self.0[after - 1].1 = self.0[after - 1].1.max(seq),
            (false, true) => self.0[after].0 = seq,
            (false, false) => self.0.insert(after, (seq, seq)),
        }
    }

    /// Adds all numbers from `first` to `last`.
    pub fn join(&mut self, first: u64, last: u64) {
        let apart = |range: &(u64, u64)| range.1.saturating_add(1) < first || range.0 > last + 1;
        let joined = self.0.iter().filter(|range| !apart(range));
        let all = joined.fold((first, last), |(a, b), (c, d)| (a.min(*c), b.max(*d)));
        self.0.retain(apart);
        let at = self.0.partition_point(|range| range.0 < all.0);
        self.0.insert(at, all);
    }

    /// The highest number here that is not above `most`.
    pub fn up_to(&self, most: u64) -> Option<u64> {
        let after = self.0.partition_point(|(first, _)| *first <= most);
        after.checked_sub(1).map(|at| self.0[at].1.min(most))
    }

    /// The highest number here.
    pub fn last(&self) -> Option<u64> {
        self.0.last().map(|(_, last)| *last)
    }
}

/// One epoch of a kiosk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Its row.
    pub id: i64,
    /// Its epoch.
    pub epoch: Epoch,
    /// Number of its `started` line.
    pub start: u64,
    /// The epoch before and its last number, once `started` is here and if it names one.
    pub prev: Option<(Epoch, u64)>,
    /// Whether `started` is here and its chain begins with it: a first journal, or one after a
    /// lost journal, which `prev` then names.
    pub rooted: bool,
    /// Whether another epoch names this one as the one before.
    pub superseded: bool,
    /// What is here.
    pub ranges: Ranges,
    /// The last line placed, by number and hash, where it is the highest one here: what most
    /// batches continue.
    pub tip: Option<(u64, Hash)>,
    /// Jumps of the kiosk's clock, in the order of their lines.
    pub steps: Vec<Step>,
    /// Whether a line arrived near its own time: then the clock was right, but for its jumps.
    pub confirmed: bool,
}

impl Branch {
    /// The jump against the epoch before: the clock stood before that one's last line.
    fn across(&self) -> Option<Step> {
        self.steps.iter().find(|step| step.seq == self.start + 1 && step.ms < 0).copied()
    }

    fn follows(&self, other: &Branch) -> bool {
        self.prev.is_some_and(|(epoch, _)| epoch == other.epoch)
    }
}

/// All epochs of one kiosk.
#[derive(Debug, Clone, Default)]
pub struct Branches(pub Vec<Branch>);

/// A stretch of the way to a branch's last line: the branch, and from where to where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    place: usize,
    first: u64,
    last: u64,
}

impl Branches {
    /// Place of the branch of an epoch.
    pub fn place(&self, epoch: Epoch) -> Option<usize> {
        self.0.iter().position(|branch| branch.epoch == epoch)
    }

    /// What is known of the clock of the epoch at `place`.
    pub fn clockwork(&self, place: usize) -> Clockwork<'_> {
        let branch = &self.0[place];
        // A clock that was put right later was wrong before, and casts no doubt on another.
        let stays = |other: &&Branch| other.steps.iter().map(|step| step.ms).sum::<i64>() < -60_000;
        let after = self.0.iter().filter(|other| other.follows(branch)).filter(stays);
        let after = after.filter_map(Branch::across);
        Clockwork {
            steps: &branch.steps,
            across: branch.across().map(|step| step.seq),
            overtaken: after.map(|step| step.at).filter(|at| at.is_possible()).min(),
            behind: if branch.confirmed { 0 } else { self.put_forward(branch, self.0.len()) },
        }
    }

    /// By how much the epochs after this one were put forward at most, in milliseconds, up to the
    /// first that is confirmed, which the one before tells nothing of.
    fn put_forward(&self, branch: &Branch, most: usize) -> i64 {
        let Some(most) = most.checked_sub(1) else { return 0 }; // a circle: forged
        // A clock that was lost meanwhile does not tell how this one was.
        let followers = self.0.iter().filter(|other| other.follows(branch));
        let followers = followers.filter(|other| other.across().is_none());
        let forward = followers.map(|other| {
            let mut sum: i64 = 0;
            let mut forward = 0;
            for step in &other.steps {
                sum = sum.saturating_add(step.ms);
                forward = forward.max(sum);
            }
            if !other.confirmed {
                forward = forward.max(sum.saturating_add(self.put_forward(other, most)));
            }
            forward
        });
        forward.max().unwrap_or(0)
    }

    /// The epochs before the one at `place`, the latest first, back to one that is confirmed.
    pub fn unconfirmed_before(&self, place: usize) -> Vec<usize> {
        let mut before = Vec::new();
        let mut at = place;
        while let Some(next) = self.0[at].prev.and_then(|(epoch, _)| self.place(epoch)) {
            if self.0[next].confirmed || before.len() == self.0.len() {
                break;
            }
            before.push(next);
            at = next;
        }
        before
    }

    /// The way from the first line to the last one here of the branch at `place`, or nothing when
    /// a `started` line on it is missing.
    fn way(&self, place: usize) -> Option<Vec<Stretch>> {
        let mut way = Vec::new();
        let mut at = place;
        let mut last = self.0[place].ranges.last().unwrap_or(self.0[place].start);
        loop {
            let branch = &self.0[at];
            way.push(Stretch { place: at, first: branch.start, last });
            if way.len() > self.0.len() {
                return None; // a circle: forged
            }
            if branch.rooted {
                break;
            }
            match branch.prev {
                None => return None,
                Some((epoch, seq)) => {
                    at = self.place(epoch)?;
                    if self.0[at].start > seq {
                        return None;
                    }
                    last = seq;
                }
            }
        }
        way.reverse();
        (way[0].first == 1).then_some(way)
    }

    /// Every number up to the watermark is here on the way to the branch at `place`; and the
    /// branch that holds the line at the watermark.
    pub fn watermark(&self, place: usize) -> (u64, Option<i64>) {
        let mut mark = (0, None);
        for stretch in self.way(place).unwrap_or_default() {
            let branch = &self.0[stretch.place];
            let reach = branch
                .ranges
                .0
                .iter()
                .find(|(first, last)| *first <= stretch.first && *last >= stretch.first)
                .map(|(_, last)| (*last).min(stretch.last));
            match reach {
                Some(reach) => mark = (reach, Some(branch.id)),
                None => break,
            }
            if mark.0 < stretch.last {
                break;
            }
        }
        mark
    }

    /// These branches as if lines that were signed off as lost were here. An epoch of which nothing,
    /// or not its `started` line, is here follows the one that ends before it.
    pub fn with(&self, lost: &[(Epoch, u64, u64)]) -> Self {
        let mut with = self.clone();
        let mut lost = lost.to_vec();
        lost.sort_unstable_by_key(|(_, first, last)| (*first, *last));
        for (epoch, first, last) in lost {
            let place = with.place(epoch).unwrap_or_else(|| {
                with.0.push(Branch {
                    id: -1,
                    epoch,
                    start: first,
                    prev: None,
                    rooted: first == 1,
                    superseded: true,
                    ranges: Ranges::default(),
                    tip: None,
                    steps: Vec::new(),
                    confirmed: true,
                });
                with.0.len() - 1
            });
            with.0[place].ranges.join(first, last);
            let Branch { start, prev, rooted, .. } = with.0[place];
            if prev.is_none() && !rooted && with.0[place].ranges.has(start) {
                let ends = |branch: &&Branch| branch.ranges.last() == Some(start.wrapping_sub(1));
                let before = with.0.iter().find(ends).map(|branch| (branch.epoch, start - 1));
                with.0[place].prev = before;
            }
        }
        with
    }

    /// The last line here of each branch (by its row) on the way to `place`, as far as the
    /// watermark that `marks` has there.
    pub fn reached(&self, marks: &Branches, place: usize) -> Vec<(i64, u64)> {
        let (mark, _) = marks.watermark(place);
        let way = marks.way(place).unwrap_or_default();
        let reached = way.into_iter().filter(|stretch| stretch.first <= mark);
        let here = reached.filter_map(|stretch| {
            let branch = self.0.get(stretch.place)?;
            Some((branch.id, branch.ranges.up_to(stretch.last.min(mark))?))
        });
        here.collect()
    }

    /// The missing ranges on the way to the branch's last line.
    pub fn holes(&self, place: usize) -> Vec<(u64, u64)> {
        let way = self.way(place).unwrap_or_else(|| {
            // Where the way is not known, nothing before this epoch is known to be here.
            let last = self.0[place].ranges.last().unwrap_or(self.0[place].start);
            vec![Stretch { place, first: 1, last }]
        });
        let mut holes: Vec<(u64, u64)> = Vec::new();
        for stretch in way {
            let mut next = stretch.first;
            for (first, last) in &self.0[stretch.place].ranges.0 {
                if *first > next && next <= stretch.last {
                    push(&mut holes, next, (*first - 1).min(stretch.last));
                }
                next = next.max(last + 1);
            }
            if next <= stretch.last {
                push(&mut holes, next, stretch.last);
            }
        }
        holes.truncate(MAX_HOLES);
        holes
    }

    /// A branch and all that go on from it.
    pub fn from(&self, place: usize) -> Vec<&Branch> {
        let mut from = vec![&self.0[place]];
        let mut at = 0;
        while at < from.len() && from.len() <= self.0.len() {
            let follow = self.0.iter().filter(|branch| branch.follows(from[at]));
            from.extend(follow.collect::<Vec<_>>());
            at += 1;
        }
        from
    }

    /// What is missing on the ways to all last lines, by epoch, as far as it is known.
    pub fn missing(&self) -> Vec<(Epoch, u64, u64)> {
        let mut missing = Vec::new();
        for head in self.0.iter().filter(|branch| !self.0.iter().any(|o| o.follows(branch))) {
            let (mut at, mut last) = (head, head.ranges.last().unwrap_or(head.start));
            for _ in 0..=self.0.len() {
                let mut next = at.start;
                for (first, end) in &at.ranges.0 {
                    if *first > next && next <= last {
                        missing.push((at.epoch, next, (*first - 1).min(last)));
                    }
                    next = next.max(end + 1);
                }
                if next <= last {
                    missing.push((at.epoch, next, last));
                }
                let Some((epoch, seq)) = at.prev.filter(|_| !at.rooted) else { break };
                let named = self.0.iter().find(|branch| branch.epoch == epoch);
                let Some(before) = named else {
                    // Of the epoch that is named nothing is here: it began after what is.
                    let here = self.0.iter().filter_map(|branch| branch.ranges.up_to(seq));
                    let first = here.max().unwrap_or(0) + 1;
                    if first <= seq {
                        missing.push((epoch, first, seq));
                    }
                    break;
                };
                (at, last) = (before, seq);
            }
        }
        missing.sort_unstable_by_key(|(epoch, first, last)| (*first, *last, *epoch));
        missing.dedup();
        missing
    }

    /// Pairs of epochs that continue one past: they have a number in common, or name the same
    /// epoch before. Each pair once, the later epoch first, with the number where they part.
    pub fn forks(&self, place: usize) -> Vec<(Epoch, Epoch, u64)> {
        let one = &self.0[place];
        let mut forks = Vec::new();
        for other in self.0.iter().filter(|other| other.id != one.id) {
            let meet = match (one.ranges.last(), other.ranges.last()) {
                (Some(a), Some(b)) => one.start <= b && other.start <= a,
                _ => false,
            };
            let siblings = !one.rooted
                && !other.rooted
                && matches!((one.prev, other.prev), (Some((a, _)), Some((b, _))) if a == b);
            if meet || siblings {
                let (late, early) = if (one.start, one.epoch) > (other.start, other.epoch) {
                    (one, other)
                } else {
                    (other, one)
                };
                forks.push((late.epoch, early.epoch, late.start));
            }
        }
        forks
    }
}

fn push(holes: &mut Vec<(u64, u64)>, first: u64, last: u64) {
    match holes.last_mut() {
        Some((_, end)) if *end + 1 == first => *end = last,
        _ => holes.push((first, last)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branch(id: i64, start: u64, prev: Option<(u64, u64)>, ranges: &[(u64, u64)]) -> Branch {
        Branch {
            id,
            epoch: Epoch(id as u64),
            start,
            prev: prev.map(|(epoch, seq)| (Epoch(epoch), seq)),
            rooted: prev.is_none(),
            superseded: false,
            ranges: Ranges(ranges.to_vec()),
            tip: None,
            steps: Vec::new(),
            confirmed: true,
        }
    }

    #[test]
    fn ranges_join_as_numbers_come_in_any_order() {
        let mut ranges = Ranges::default();
        for seq in [5, 7, 6, 1, 2, 9, 8, 8, 3] {
            ranges.add(seq);
        }
        assert_eq!(ranges.0, [(1, 3), (5, 9)]);
        assert!(ranges.has(3) && !ranges.has(4) && ranges.has(9) && !ranges.has(10));
    }

    #[test]
    fn ranges_take_many_numbers_at_once() {
        for (first, last, all) in [
            (4, 5, &[(1, 7), (10, 12)][..]),
            (5, 5, &[(1, 3), (5, 7), (10, 12)]),
            (2, 11, &[(1, 12)]),
            (14, 15, &[(1, 3), (6, 7), (10, 12), (14, 15)]),
        ] {
            let mut ranges = Ranges(vec![(1, 3), (6, 7), (10, 12)]);
            ranges.join(first, last);
            assert_eq!(ranges.0, all.to_vec(), "{first}–{last}");
        }
        let ranges = Ranges(vec![(2, 3), (6, 7)]);
        let up_to = [1, 2, 5, 6, 9].map(|most| ranges.up_to(most));
        assert_eq!(up_to, [None, Some(2), Some(3), Some(6), Some(7)]);
    }

    #[test]
    fn what_was_signed_off_no_longer_holds_the_watermark_up() {
        let holed = Branches(vec![
            branch(1, 1, None, &[(1, 7)]),
            branch(3, 14, Some((2, 13)), &[(14, 20)]),
        ]);
        assert_eq!(holed.watermark(1), (0, None));
        let lost = [(Epoch(1), 8, 10), (Epoch(2), 11, 13)];
        let with = holed.with(&lost);
        assert_eq!(with.watermark(1).0, 20);
        assert_eq!(holed.reached(&with, 1), [(1, 7), (3, 20)]);
        assert_eq!(holed.missing(), [(Epoch(2), 8, 13)], "all that is known");
        let few = holed.with(&lost[1..]);
        assert_eq!(few.watermark(1).0, 0, "nobody says that the first epoch ended there");
    }

    #[test]
    fn the_watermark_goes_across_epochs_and_stops_at_a_hole() {
        let whole = Branches(vec![
            branch(1, 1, None, &[(1, 10)]),
            branch(2, 11, Some((1, 10)), &[(11, 14), (17, 20)]),
        ]);
        assert_eq!(whole.watermark(1), (14, Some(2)));
        assert_eq!(whole.holes(1), [(15, 16)]);
        let holed = Branches(vec![
            branch(1, 1, None, &[(1, 7)]),
            branch(2, 11, Some((1, 10)), &[(12, 20)]),
        ]);
        assert_eq!(holed.watermark(1), (7, Some(1)));
        assert_eq!(holed.holes(1), [(8, 11)]);
        assert_eq!(holed.missing(), [(Epoch(1), 8, 10), (Epoch(2), 11, 11)]);
    }

    #[test]
    fn without_the_started_line_nothing_before_it_is_claimed() {
        let mut second = branch(2, 11, None, &[(12, 20)]);
        second.rooted = false;
        let branches = Branches(vec![branch(1, 1, None, &[(1, 10)]), second]);
        assert_eq!(branches.watermark(1), (0, None));
        assert_eq!(branches.holes(1), [(1, 11)]);
    }

    #[test]
    fn a_restored_disk_is_a_fork_and_a_restart_is_none() {
        let restart = Branches(vec![
            branch(1, 1, None, &[(1, 10)]),
            branch(2, 11, Some((1, 10)), &[(11, 20)]),
        ]);
        assert_eq!(restart.forks(1), []);
        // The disk was restored to line 5, then started again.
        let restored =
            Branches(vec![branch(1, 1, None, &[(1, 10)]), branch(2, 6, Some((1, 5)), &[(6, 9)])]);
        assert_eq!(restored.forks(1), [(Epoch(2), Epoch(1), 6)]);
        assert_eq!(restored.forks(0), [(Epoch(2), Epoch(1), 6)]);
        assert_eq!(restored.watermark(1), (9, Some(2)));
        // Two starts from one past, before any line that they have in common is here.
        let clones = Branches(vec![
            branch(1, 1, None, &[(1, 3)]),
            branch(2, 6, Some((1, 5)), &[(6, 6)]),
            branch(3, 11, Some((1, 10)), &[(11, 11)]),
        ]);
        assert_eq!(clones.forks(2), [(Epoch(3), Epoch(2), 11)]);
    }
}
