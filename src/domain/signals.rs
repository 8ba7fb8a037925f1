//! What somebody should look at again: patterns that ratings given freely seldom have.
//!
//! A signal is no finding of wrong-doing. It removes no rating and moves no figure: it names a
//! counter, a time and how many ratings, so that a person who knows what happened there can say.
//!
//! - It is made once the day is complete, so that it moves by no single answer; what phones tell
//!   counts once their tickets have expired.
//! - It never speaks of fewer than [`FEW`] ratings, names no level and no official, and its times
//!   are whole minutes: it points at no citizen, and nothing withheld follows from it.
//! - It follows from the lines alone, in whatever order they came.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ids::CounterId;
use super::summary::FEW;
use super::time::At;

/// From when on a pattern is a signal. What each catches, and what is innocent and looks alike, is
/// in `docs/protocol.md`, “Signals”.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Thresholds {
    /// A burst: so many ratings at a counter …
    pub burst_ratings: u32,
    /// … within so many seconds.
    pub burst_seconds: u32,
    /// Equal pace: so many ratings one after another …
    pub even_ratings: u32,
    /// … none more than so many seconds after the one before …
    pub even_seconds: u32,
    /// … and no two of these gaps more than so many milliseconds apart.
    pub even_ms: u32,
    /// Quick: so many ratings at a counter in a day …
    pub quick_ratings: u32,
    /// … that were sent less than so many milliseconds after they were begun.
    pub quick_ms: u32,
    /// Outside of opening hours: so many ratings at a counter in a day …
    pub closed_ratings: u32,
    /// … begun more than so many minutes before opening or after closing.
    pub closed_minutes: u32,
    /// Nobody on shift: so many ratings at a counter in a day …
    pub unattributed_ratings: u32,
    /// … that are at least so many percent of the counter's.
    pub unattributed_percent: u32,
    /// Phones differ: so many answers by phone are not what was given at the counter …
    pub phone_ratings: u32,
    /// … and they are at least so many percent of those of people who gave both.
    pub phone_percent: u32,
    /// One source: so many answers by phone came from one on the day that they were given. Nobody
    /// looks for that when it is absent, as in directories of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ratings: Option<u32>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            burst_ratings: 6,
            burst_seconds: 180,
            even_ratings: 6,
            even_seconds: 60,
            even_ms: 500,
            quick_ratings: 5,
            quick_ms: 1_000,
            closed_ratings: 5,
            closed_minutes: 30,
            unattributed_ratings: 5,
            unattributed_percent: 50,
            phone_ratings: 5,
            phone_percent: 50,
            source_ratings: Some(6),
        }
    }
}

impl Thresholds {
    /// What a threshold of this name may be.
    pub fn bounds(name: &str) -> std::ops::RangeInclusive<u32> {
        match name.rsplit('_').next() {
            Some("ratings") => FEW as u32..=1_000_000,
            Some("percent") => 1..=100,
            _ => 0..=86_400,
        }
    }
}

/// What kind of signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Many ratings within a short time.
    Burst,
    /// Ratings at an equal pace.
    Even,
    /// Ratings sent in no time.
    Quick,
    /// Ratings outside of opening hours.
    ClosedHours,
    /// Ratings while nobody was on shift.
    Unattributed,
    /// Answers by phone that are not what was given at the counter.
    PhoneDiffers,
    /// Answers by phone from one source.
    OneSource,
}

/// A signal with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Signal {
    /// Where.
    pub counter: CounterId,
    /// What kind.
    pub kind: Kind,
    /// The minute in which the first of the ratings was begun.
    pub from: At,
    /// The minute in which the last of them was.
    pub to: At,
    /// How many ratings.
    pub n: u64,
    /// Of how many, where it is a share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<u64>,
}

/// When a contact with a counted rating was, and how it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timed {
    /// Ratings of one run of a kiosk's process share a monotonic clock, and this.
    pub run: i64,
    /// Where.
    pub counter: CounterId,
    /// Whether anybody was on shift.
    pub attributed: bool,
    /// When it was begun, by the wall clock.
    pub opened: At,
    /// The same by the run's clock, in milliseconds.
    pub opened_ms: u64,
    /// When the citizen sent it or skipped the reasons, by the run's clock.
    pub ended_ms: Option<u64>,
    /// Whether it was given at the counter; else by phone alone.
    pub at_counter: bool,
    /// Whether the same person's answer by phone was another, if there are both.
    pub phone_differs: Option<bool>,
    /// The mark of the source that the answer by phone came from, if it has one.
    pub source: Option<String>,
}

/// The signals of a day's ratings, by counter, kind and time. `open`
/// is when the office was; `phones` says whether no more answers by phone can come.
pub fn of(ratings: &[Timed], open: &[(At, At)], phones: bool, t: &Thresholds) -> Vec<Signal> {
    let mut signals = Vec::new();
    let mut runs: BTreeMap<(i64, &CounterId), Vec<&Timed>> = BTreeMap::new();
    let mut counters: BTreeMap<&CounterId, Vec<&Timed>> = BTreeMap::new();
    for rating in ratings.iter().filter(|rating| rating.at_counter) {
        runs.entry((rating.run, &rating.counter)).or_default().push(rating);
        counters.entry(&rating.counter).or_default().push(rating);
    }
    for mut run in runs.into_values() {
        run.sort_by_key(|rating| rating.opened_ms);
        signals.extend(bursts(&run, t).into_iter().filter_map(|some| signal(Kind::Burst, some)));
        signals.extend(even(&run, t).into_iter().filter_map(|some| signal(Kind::Even, some)));
    }
    for all in counters.into_values() {
        let those = |is: &dyn Fn(&Timed) -> bool| -> Vec<&Timed> {
            all.iter().copied().filter(|rating| is(rating)).collect()
        };
        let quick = those(&|rating| {
            let took = rating.ended_ms.and_then(|ended| ended.checked_sub(rating.opened_ms));
            took.is_some_and(|took| took < u64::from(t.quick_ms))
        });
        if enough(&quick, t.quick_ratings) {
            signals.extend(signal(Kind::Quick, &quick));
        }
        let grace = i64::from(t.closed_minutes);
        let closed = those(&|rating| {
            !open.iter().any(|(from, to)| {
                from.plus_minutes(-grace) <= rating.opened
                    && rating.opened <= to.plus_minutes(grace)
            })
        });
        if enough(&closed, t.closed_ratings) {
            signals.extend(signal(Kind::ClosedHours, &closed));
        }
        let share = |kind, some: Vec<&Timed>, of: usize, least: u32, percent: u32| {
            let much = some.len() * 100 >= of * percent as usize;
            let signal = signal(kind, &some).filter(|_| much && enough(&some, least));
            signal.map(|signal| Signal { of: Some(of as u64), ..signal })
        };
        let nobody = those(&|rating| !rating.attributed);
        let (least, percent) = (t.unattributed_ratings, t.unattributed_percent);
        signals.extend(share(Kind::Unattributed, nobody, all.len(), least, percent));
        if phones {
            let both = those(&|rating| rating.phone_differs.is_some()).len();
            let differ = those(&|rating| rating.phone_differs == Some(true));
            let (least, percent) = (t.phone_ratings, t.phone_percent);
            signals.extend(share(Kind::PhoneDiffers, differ, both, least, percent));
        }
    }
    if phones {
        signals.extend(one_source(ratings, t));
    }
    signals.sort();
    signals
}

/// Answers by phone at a counter that came from one source.
fn one_source(ratings: &[Timed], t: &Thresholds) -> Vec<Signal> {
    let Some(least) = t.source_ratings else { return Vec::new() };
    let mut sources: BTreeMap<(&CounterId, &str), Vec<&Timed>> = BTreeMap::new();
    for rating in ratings {
        if let Some(source) = &rating.source {
            sources.entry((&rating.counter, source)).or_default().push(rating);
        }
    }
    let many = sources.into_values().filter(|some| enough(some, least));
    many.filter_map(|some| signal(Kind::OneSource, &some)).collect()
}

fn enough(ratings: &[&Timed], least: u32) -> bool {
    ratings.len() as u64 >= u64::from(least).max(FEW)
}

fn signal(kind: Kind, ratings: &[&Timed]) -> Option<Signal> {
    let opened = || ratings.iter().map(|rating| rating.opened.minute());
    Some(Signal {
        counter: ratings.first()?.counter.clone(),
        kind,
        from: opened().min()?,
        to: opened().max()?,
        n: ratings.len() as u64,
        of: None,
    })
}

/// Ratings of which each is one of enough within the time; those that follow each other within it
/// are one burst.
fn bursts<'a, 'r>(run: &'a [&'r Timed], t: &Thresholds) -> Vec<&'a [&'r Timed]> {
    let least = (t.burst_ratings as usize).max(FEW as usize);
    let within = u64::from(t.burst_seconds) * 1_000;
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for (first, window) in run.windows(least).enumerate() {
        if window[least - 1].opened_ms - window[0].opened_ms > within {
            continue;
        }
        let end = first + least;
        match spans.last_mut() {
            Some(last)
                if first < last.1 || run[first].opened_ms - run[last.1 - 1].opened_ms <= within =>
            {
                last.1 = end;
            }
            _ => spans.push((first, end)),
        }
    }
    spans.into_iter().map(|(first, end)| &run[first..end]).collect()
}

/// Ratings one after another at an equal pace: from the first on as many as go together, then on
/// from the last of them.
fn even<'a, 'r>(run: &'a [&'r Timed], t: &Thresholds) -> Vec<&'a [&'r Timed]> {
    let least = (t.even_ratings as usize).max(FEW as usize);
    let gaps: Vec<u64> = run.windows(2).map(|two| two[1].opened_ms - two[0].opened_ms).collect();
    let mut found = Vec::new();
    let mut first = 0;
    while first < gaps.len() {
        let (mut low, mut high) = (u64::MAX, 0);
        let together = gaps[first..].iter().take_while(|gap| {
            (low, high) = (low.min(**gap), high.max(**gap));
            **gap <= u64::from(t.even_seconds) * 1_000 && high - low <= u64::from(t.even_ms)
        });
        let end = first + together.count();
        if end + 1 - first >= least {
            found.push(&run[first..=end]);
            first = end;
        } else {
            first += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(time: &str) -> At {
        At::from_civil(format!("2026-11-24T{time}").parse().unwrap())
    }

    /// Ratings of one run from 09:00 on, begun after so many milliseconds.
    fn ratings(after: &[u64]) -> Vec<Timed> {
        let nine = at("09:00").timestamp();
        let one = |ms: &u64| Timed {
            run: 1,
            counter: "q3".parse().unwrap(),
            attributed: true,
            opened: At::new(nine + jiff::SignedDuration::from_millis(*ms as i64)),
            opened_ms: 5_000 + ms,
            ended_ms: Some(15_000 + ms),
            at_counter: true,
            phone_differs: None,
            source: None,
        };
        after.iter().map(one).collect()
    }

    fn told(ratings: &[Timed]) -> Vec<String> {
        let open = [(at("07:30"), at("17:00"))];
        let signals = of(ratings, &open, true, &Thresholds::default());
        let tell = |signal: Signal| {
            let minute = |at: At| at.to_string()[11..16].to_owned();
            let of = signal.of.map_or(String::new(), |of| format!("/{of}"));
            let (from, to) = (minute(signal.from), minute(signal.to));
            format!("{} {:?} {from}-{to} {}{of}", signal.counter, signal.kind, signal.n)
        };
        signals.into_iter().map(tell).collect()
    }

    #[test]
    fn a_burst_is_enough_ratings_within_the_time_and_no_fewer() {
        let some = [0, 31_000, 65_000, 90_000, 140_000, 180_000];
        assert_eq!(told(&ratings(&some)), ["q3 Burst 09:00-09:03 6"]);
        assert_eq!(told(&ratings(&some[1..])), [""; 0], "five");
        let slower = [0, 31_000, 65_000, 90_000, 140_000, 180_001];
        assert_eq!(told(&ratings(&slower)), [""; 0]);
    }

    #[test]
    fn answers_by_phone_from_one_source_are_a_signal_once_there_are_enough() {
        let hour = |n: u64| n * 3_600_000 / 2;
        let mut some = ratings(&[hour(0), hour(1), hour(2), hour(3), hour(4), hour(5), hour(6)]);
        for (n, one) in some.iter_mut().enumerate() {
            // Beside a level of the counter or alone.
            one.at_counter = n % 2 == 0;
            one.source = Some(if n == 6 { "77ff" } else { "01ab" }.to_owned());
        }
        assert_eq!(told(&some), ["q3 OneSource 09:00-11:30 6"]);
        some[5].counter = "q4".parse().unwrap();
        assert_eq!(told(&some), [""; 0], "five at each counter at most");
        some[5].counter = "q3".parse().unwrap();
        let earlier = Thresholds { source_ratings: None, ..Thresholds::default() };
        assert_eq!(of(&some, &[(at("07:30"), at("17:00"))], true, &earlier), []);
        let open = of(&some, &[(at("07:30"), at("17:00"))], false, &Thresholds::default());
        assert_eq!(open, [], "while more may come");
    }

    #[test]
    fn bursts_that_touch_are_one_and_others_apart() {
        let burst = [0, 31_000, 65_000, 90_000, 140_000, 179_000];
        let twice = |after: u64| {
            let both = burst.iter().copied().chain(burst.iter().map(|ms| ms + after));
            ratings(&both.collect::<Vec<_>>())
        };
        assert_eq!(told(&twice(300_000)), ["q3 Burst 09:00-09:07 12"]);
        let apart = ["q3 Burst 09:00-09:02 6", "q3 Burst 10:00-10:02 6"];
        assert_eq!(told(&twice(3_600_000)), apart);
    }

    #[test]
    fn an_equal_pace_is_that_of_a_machine_and_not_that_of_a_queue() {
        let pace: Vec<u64> = (0..7).map(|n| n * 50_000 + n % 2 * 250).collect();
        assert_eq!(told(&ratings(&pace)), ["q3 Even 09:00-09:05 7"]);
        let queue: Vec<u64> = (0..7).map(|n| n * 50_000 + n % 2 * 300).collect();
        assert_eq!(told(&ratings(&queue)), [""; 0], "gaps 600 ms apart");
        let slow: Vec<u64> = (0..9).map(|n| n * 61_000).collect();
        assert_eq!(told(&ratings(&slow)), [""; 0], "a minute apart");
    }

    #[test]
    fn what_is_sent_in_no_time_is_told_from_five_on() {
        let mut some = ratings(&[0, 400_000, 900_000, 1_700_000, 2_500_000, 3_400_000]);
        some.iter_mut().take(5).for_each(|one| one.ended_ms = Some(one.opened_ms + 999));
        assert_eq!(told(&some), ["q3 Quick 09:00-09:41 5"]);
        some[0].ended_ms = Some(some[0].opened_ms + 1_000);
        assert_eq!(told(&some), [""; 0]);
        some[0].ended_ms = None;
        assert_eq!(told(&some), [""; 0], "timed out");
    }

    #[test]
    fn a_share_needs_enough_ratings_and_enough_of_the_counter() {
        let after: Vec<u64> = (0..18).map(|n| n * 240_000 + n * n * 1_000).collect();
        let mut some = ratings(&after[..12]);
        some.iter_mut().take(6).for_each(|one| one.attributed = false);
        assert_eq!(told(&some), ["q3 Unattributed 09:00-09:20 6/12"]);
        some[5].attributed = true;
        assert_eq!(told(&some), [""; 0], "5 of 12 are less than half");
        let mut some = ratings(&after);
        some.iter_mut().take(9).for_each(|one| one.phone_differs = Some(true));
        some.iter_mut().skip(9).take(9).for_each(|one| one.phone_differs = Some(false));
        assert_eq!(told(&some), ["q3 PhoneDiffers 09:00-09:33 9/18"]);
        some[0].phone_differs = Some(false);
        assert_eq!(told(&some), [""; 0], "8 of 18 are less than half");
    }

    #[test]
    fn fewer_than_five_are_no_signal_whatever_a_threshold_says() {
        let mut some = ratings(&[0, 1_000, 2_000, 3_000]);
        some.iter_mut().for_each(|one| {
            (one.attributed, one.phone_differs) = (false, Some(true));
            one.ended_ms = Some(one.opened_ms);
        });
        let all: serde_json::Map<String, serde_json::Value> =
            match serde_json::to_value(Thresholds::default()).unwrap() {
                serde_json::Value::Object(all) => all,
                other => panic!("{other}"),
            };
        let lowest = all.into_iter().map(|(name, n)| {
            let n = if name.ends_with("_ratings") { 1.into() } else { n };
            (name, n)
        });
        let lowest = serde_json::Value::Object(lowest.collect());
        let lowest: Thresholds = serde_json::from_value(lowest).unwrap();
        assert_eq!(of(&some, &[], true, &lowest), []);
        let fifth = Timed { opened_ms: 13_000, ended_ms: Some(13_000), ..some[0].clone() };
        some.push(fifth);
        let kinds: Vec<Kind> = of(&some, &[], true, &lowest).iter().map(|one| one.kind).collect();
        use Kind::{Burst, ClosedHours, PhoneDiffers, Quick, Unattributed};
        assert_eq!(kinds, [Burst, Quick, ClosedHours, Unattributed, PhoneDiffers]);
    }

    #[test]
    fn before_tickets_have_expired_phones_tell_nothing() {
        let mut some = ratings(&(0..9).map(|n| n * 400_000).collect::<Vec<_>>());
        some.iter_mut().for_each(|one| one.phone_differs = Some(true));
        let open = [(at("07:30"), at("17:00"))];
        let n = |phones| of(&some, &open, phones, &Thresholds::default()).len();
        assert_eq!((n(false), n(true)), (0, 1));
    }

    #[test]
    fn closed_is_beyond_the_grace_and_all_day_on_a_day_off() {
        let some = ratings(&(0..5).map(|n| n * 400_000).collect::<Vec<_>>());
        let n = |open: &[(At, At)]| of(&some, open, true, &Thresholds::default()).len();
        assert_eq!(n(&[]), 1);
        assert_eq!(n(&[(at("07:30"), at("08:30"))]), 0, "the first is within the grace");
        assert_eq!(n(&[(at("07:30"), at("08:29"))]), 1);
        assert_eq!(n(&[(at("07:30"), at("08:29")), (at("09:35"), at("17:00"))]), 0);
    }

    proptest! {
        #[test]
        fn neither_order_nor_names_of_runs_matter(
            all in prop::collection::vec((0u64..3, 0u64..400, any::<bool>(), any::<bool>()), 0..60),
            seed in any::<u64>(),
        ) {
            use rand::seq::SliceRandom;
            use rand::SeedableRng;
            let mut some: Vec<Timed> = all.iter().map(|(run, second, attributed, quick)| {
                let mut one = ratings(&[second * 1_000]).remove(0);
                one.run = *run as i64;
                one.attributed = *attributed;
                one.ended_ms = Some(one.opened_ms + if *quick { 10 } else { 5_000 });
                one
            }).collect();
            let before = told(&some);
            some.shuffle(&mut rand::rngs::StdRng::seed_from_u64(seed));
            some.iter_mut().for_each(|one| one.run = 9 - one.run);
            prop_assert_eq!(&told(&some), &before);
        }
    }
}
