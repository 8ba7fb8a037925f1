//! The daily summary: its published shape, and what is withheld from it.
//!
//! A [`Figures`] holds one day's counts in slices (all, by official, by counter, …). Publishing
//! withholds whatever could point at a person (contract, “Summary”):
//!
//! - levels and reasons of a slice only from [`FEW`] ratings on;
//! - complementary suppression: what is withheld may not follow from what is shown, neither as the
//!   one rest of a partition nor across officials and counters;
//! - before closing, every slice shows its first 5·⌊n/5⌋ ratings in placing order, and every other
//!   count is shown in fives; after it was complete, it moves only by five or when it is final.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::MapAccess, de::Visitor};

use super::form::{About, Form, Forms};
use super::ids::{CounterId, FormRef, Hash, KioskId, OfficeCode, OfficialId};
use super::office::Directory;
use super::period::Period;
use super::rating::{Channel, Compared, Key, Outcome};
use super::signals::Signal;
use super::statistics::{self, ENOUGH, Interval};
use super::time::At;
use super::withholding::Withheld;

/// A slice below this many ratings shows no levels.
pub const FEW: u64 = 5;
/// Days that make up `usual` …
pub const USUAL_DAYS: u32 = 90;
/// … of which the last one lies so many days before the summary's own: by then its tickets have expired.
pub const USUAL_GAP: u32 = 8;
/// Version of the rules of counting and withholding. By the first one `usual` was of the 90 days just before, whatever
/// they publish: two days' told what a day in between withheld. By the second one each day was told by the directory that
/// there was when somebody asked; by the third it is the one of then.
pub const FORMULA: u32 = 3;

/// How far a day's figures can still change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The office has not closed yet.
    Open,
    /// Closed, but lines may still be on their way.
    Provisional,
    /// Every kiosk's journal has passed the day.
    Complete,
    /// The tickets of the day have expired, too.
    Final,
}

/// Counts by level, in the form's order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Levels(pub Vec<(String, u64)>);

impl Serialize for Levels {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(code, n)| (code, n)))
    }
}

impl<'de> Deserialize<'de> for Levels {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Levels;
            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("counts by level")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Levels, A::Error> {
                let mut levels = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    levels.push(entry);
                }
                Ok(Levels(levels))
            }
        }
        from.deserialize_map(InOrder)
    }
}

/// What is usual, for comparison: the rate of those of [`USUAL_DAYS`] earlier days that are final, as they are published.
/// So it is moved by no rating that is still to come, and nothing withheld follows from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Usual {
    /// How many days those are.
    pub days: u32,
    /// Ratings that they show by level.
    pub n: u64,
    /// Their satisfaction rate, null below 30.
    pub rate: Option<f64>,
}

/// How many of how many were satisfied.
type Satisfied = (u64, u64);

/// What a final day shows by level, slice by slice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    total: Option<Satisfied>,
    officials: Vec<(String, Satisfied)>,
    counters: Vec<(String, Satisfied)>,
    reasons: Vec<(String, u64)>,
}

impl Shown {
    /// From all of a day's figures: what [`publish`] shows of them.
    pub fn of(figures: &Figures) -> Self {
        let withheld = Withheld::of(figures);
        let sum = |slice: &Slice| (slice.satisfied, slice.n);
        let officials =
            figures.officials.iter().filter(|(id, _)| !withheld.officials.contains(*id));
        let counters = figures.counters.iter().filter(|(id, _)| !withheld.counters.contains(*id));
        Self {
            total: (!withheld.all).then(|| sum(&figures.total)),
            officials: officials
                .filter_map(|(id, slice)| Some((id.as_ref()?.as_str().to_owned(), sum(slice))))
                .collect(),
            counters: counters.map(|(id, slice)| (id.as_str().to_owned(), sum(slice))).collect(),
            reasons: if withheld.all {
                Vec::new()
            } else {
                figures.reasons.iter().map(|((_, code), n)| (code.clone(), *n)).collect()
            },
        }
    }
}

/// What is usual, by slice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usuals {
    days: u32,
    total: Satisfied,
    officials: BTreeMap<String, Satisfied>,
    counters: BTreeMap<String, Satisfied>,
    reasons: BTreeMap<String, u64>,
}

/// A reason that is given far more often than usual.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rise {
    /// Its code.
    pub code: String,
    /// Ratings that named it …
    pub n: u64,
    /// … among so many.
    pub of: u64,
    /// The share of ratings that named it on the days that are [`Usual`].
    pub usual: f64,
}

impl Usuals {
    /// The complaints of a summary that are given far more often than on the days that are usual: at least [`FEW`] times,
    /// on at least [`ENOUGH`] ratings now and then, and by a share that chance alone hardly brings.
    pub fn rising(&self, summary: &Summary, form: &Form) -> Vec<Rise> {
        let (_, usual_n) = self.total;
        if usual_n < ENOUGH {
            return Vec::new();
        }
        let complaints =
            summary.reasons.iter().filter(|one| one.n >= FEW && form.is_complaint(&one.code));
        complaints
            .filter_map(|one| {
                let before = self.reasons.get(&one.code).copied().unwrap_or(0);
                // What was never named may be by chance, too (Laplace's rule).
                let chance = (before + 1) as f64 / (usual_n + 2) as f64;
                let usual = statistics::four_decimals(before as f64 / usual_n as f64);
                let rises = statistics::is_far_above(one.n.min(summary.n), summary.n, chance);
                rises.then(|| Rise { code: one.code.clone(), n: one.n, of: summary.n, usual })
            })
            .collect()
    }

    /// Adds a final day.
    pub fn add(&mut self, day: &Shown) {
        let add = |sum: &mut Satisfied, more: &Satisfied| *sum = (sum.0 + more.0, sum.1 + more.1);
        self.days += 1;
        if let Some(total) = &day.total {
            add(&mut self.total, total);
        }
        for (code, n) in &day.reasons {
            match self.reasons.get_mut(code) {
                Some(sum) => *sum += n,
                None => drop(self.reasons.insert(code.clone(), *n)),
            }
        }
        for (sums, slices) in
            [(&mut self.officials, &day.officials), (&mut self.counters, &day.counters)]
        {
            for (id, more) in slices {
                match sums.get_mut(id) {
                    Some(sum) => add(sum, more),
                    None => drop(sums.insert(id.clone(), *more)),
                }
            }
        }
    }

    fn of(&self, sum: Option<&Satisfied>) -> Usual {
        let (satisfied, n) = sum.copied().unwrap_or_default();
        Usual { days: self.days, n, rate: statistics::rate(satisfied, n) }
    }
}

/// What became of the contacts opened on the day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contacts {
    /// All of them.
    pub opened: u64,
    /// Opened by invitation.
    pub invited: u64,
    /// Declined.
    pub declined: u64,
    /// Ended untouched.
    pub timed_out: u64,
    /// Cut off.
    pub interrupted: u64,
    /// To be rated later, and not yet.
    pub later: u64,
    /// With a counted rating.
    pub rated: u64,
    /// Citizens served: the contacts opened, where at least half of them were opened by invitation, slip
    /// or queue; null where they were not, for then nobody has counted those who did not come.
    pub served: Option<u64>,
}

/// The figures of one official or one counter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The official's or the counter's code.
    pub id: String,
    /// The official's or the counter's name.
    pub name: String,
    /// Counted ratings.
    pub n: u64,
    /// By level, null when withheld.
    pub levels: Option<Levels>,
    /// Satisfied ratings, null when withheld.
    pub satisfied: Option<u64>,
    /// Satisfaction rate, null when withheld or below 30 ratings.
    pub rate: Option<f64>,
    /// Its 95% interval, likewise.
    pub interval: Option<Interval>,
    /// What is usual.
    pub usual: Usual,
    /// Of a period: ratings of days on which this slice is too small to be shown; `n` is without them.
    #[serde(default, skip_serializing_if = "is_none")]
    pub withheld: u64,
}

fn is_none(n: &u64) -> bool {
    *n == 0
}

/// One day of a period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DayLine {
    /// The day.
    pub date: Date,
    /// How far its figures can still change.
    pub state: State,
    /// Counted ratings.
    pub n: u64,
    /// Satisfied ratings, null when withheld.
    pub satisfied: Option<u64>,
    /// Satisfaction rate, null when withheld or below 30 ratings.
    pub rate: Option<f64>,
    /// Its 95% interval, likewise.
    pub interval: Option<Interval>,
}

/// Counted ratings of contacts opened in one hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hour {
    /// 0 to 23.
    pub hour: i8,
    /// Ratings.
    pub n: u64,
}

/// Counted ratings by where they were given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channels {
    /// At a kiosk.
    pub counter: u64,
    /// On a phone.
    pub phone: u64,
}

/// How often a reason was named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The reason's code.
    pub code: String,
    /// What it is about.
    pub about: About,
    /// Ratings that named it.
    pub n: u64,
}

/// Phone answers beside a rating given at the counter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    /// Better than at the counter.
    pub higher: u64,
    /// Worse.
    pub lower: u64,
    /// The same.
    pub same: u64,
}

/// A time in opening hours in which a kiosk was not running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Down {
    /// Which.
    pub kiosk: KioskId,
    /// Since when.
    pub from: At,
    /// Until when.
    pub to: At,
}

/// How long a kiosk was running while the office was open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Available {
    /// Which.
    pub kiosk: KioskId,
    /// Minutes in which it was running.
    pub minutes: u64,
    /// Minutes in which the office was open.
    pub open_minutes: u64,
}

/// A kiosk whose journal has not passed the day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silent {
    /// Which.
    pub id: KioskId,
    /// When it was heard last, by a batch or a heartbeat; null when it never was.
    pub last_heard: Option<At>,
    /// Whether nothing was heard of it for an hour or more of the time in which the office was open, up to closing or
    /// to now: somebody should look at it. Another one has only not told that its day is over.
    #[serde(default)]
    pub dark: bool,
}

/// One office's day, or several of them in a row ([`super::period`]), as published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The office.
    pub office: OfficeCode,
    /// The day, or the first one.
    pub date: Date,
    /// The last day of a period; null of a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Date>,
    /// How far the figures can still change.
    pub state: State,
    /// Counted ratings.
    pub n: u64,
    /// Of a period: ratings of days that are too small to be shown; `n` is without them.
    #[serde(default, skip_serializing_if = "is_none")]
    pub withheld: u64,
    /// By level, null when withheld.
    pub levels: Option<Levels>,
    /// Satisfied ratings, null when withheld.
    pub satisfied: Option<u64>,
    /// Satisfaction rate, null when withheld or below 30 ratings.
    pub rate: Option<f64>,
    /// Its 95% interval (Wilson), likewise.
    pub interval: Option<Interval>,
    /// What is usual.
    pub usual: Usual,
    /// What became of the contacts.
    pub contacts: Contacts,
    /// Rated among served, null when served is unknown.
    pub response_rate: Option<f64>,
    /// By official, in the directory's order.
    pub by_official: Vec<Row>,
    /// By counter, in the directory's order.
    pub by_counter: Vec<Row>,
    /// The days of a period, as far as they have begun.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_day: Vec<DayLine>,
    /// By hour of opening; never crossed with officials.
    pub by_hour: Vec<Hour>,
    /// By where it was given.
    pub by_channel: Channels,
    /// Reasons named, the most frequent first; empty when withheld.
    pub reasons: Vec<Reason>,
    /// Phone answers beside a rating from the counter.
    pub phone_beside: Beside,
    /// Phone answers waiting for their contact's end.
    pub phone_waiting: u64,
    /// Ratings while nobody was on shift.
    pub unattributed: u64,
    /// Kiosks not running in opening hours.
    pub down: Vec<Down>,
    /// How long each kiosk was running in opening hours; empty until the day is complete, on days
    /// off, and by a directory without a calendar.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub available: Vec<Available>,
    /// What the day is called if the office is closed on it; null on other days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_off: Option<String>,
    /// What somebody should look at again; empty until the day is complete.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<Signal>,
    /// Kiosks whose journal has not passed the day.
    pub silent_kiosks: Vec<Silent>,
    /// Version of the rules, [`FORMULA`].
    pub formula: u32,
    /// [`Summary::digest_of`] this.
    pub digest: String,
}

impl Summary {
    /// This beside what is usual.
    pub fn beside(mut self, usuals: &Usuals) -> Self {
        self.usual = usuals.of(Some(&usuals.total));
        for (rows, sums) in
            [(&mut self.by_official, &usuals.officials), (&mut self.by_counter, &usuals.counters)]
        {
            for row in rows {
                row.usual = usuals.of(sums.get(&row.id));
            }
        }
        self
    }

    /// This under its digest, as it is published.
    pub fn sealed(self) -> Self {
        Self { digest: self.digest_of().to_string(), ..self }
    }

    /// Whether more than one official has ratings in it. Of one alone the office's figures are theirs: they are told to
    /// nobody who does not sign in for them.
    pub fn is_of_several(&self) -> bool {
        self.by_official.iter().filter(|row| row.n + row.withheld > 0).nth(1).is_some()
    }

    /// Whether nothing of it can change any more. A day that was erased before all journals passed it names kiosks that
    /// may be heard of again.
    pub fn is_settled(&self) -> bool {
        self.state == State::Final && self.silent_kiosks.is_empty()
    }

    /// The last of its days that has begun.
    pub fn last_day(&self) -> Date {
        self.by_day.last().map_or(self.date, |day| day.date)
    }

    /// Codes of levels that it tells of.
    pub fn answered(&self) -> impl Iterator<Item = &str> {
        let rows = self.by_counter.iter().chain(&self.by_official).map(|row| &row.levels);
        let all = [&self.levels].into_iter().chain(rows).flatten();
        all.flat_map(|levels| &levels.0).map(|(code, _)| code.as_str())
    }

    /// The days that it is of.
    pub fn period(&self) -> Period {
        let last = self.to.unwrap_or(self.date);
        Period::new(self.date, last).unwrap_or(Period::day(self.date))
    }

    /// SHA-256 of the RFC 8785 form of the published JSON without `digest`, `state` and
    /// `silent_kiosks`.
    pub fn digest_of(&self) -> Hash {
        let mut json = serde_json::to_value(self).unwrap_or_default();
        if let Some(object) = json.as_object_mut() {
            for key in ["digest", "state", "silent_kiosks"] {
                object.remove(key);
            }
        }
        Hash::of(&serde_json_canonicalizer::to_vec(&json).unwrap_or_default())
    }
}

/// The counts of one slice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slice {
    /// Counted ratings.
    pub n: u64,
    /// Of them satisfied, as their form says.
    pub satisfied: u64,
    /// By level.
    pub levels: BTreeMap<String, u64>,
}

impl Slice {
    fn add(&mut self, form: Option<&Form>, level: &str, times: u64) {
        self.n += times;
        *self.levels.entry(level.to_owned()).or_default() += times;
        let satisfied = form
            .and_then(|form| form.levels.iter().find(|l| l.code == level))
            .is_some_and(|l| l.satisfied);
        self.satisfied += if satisfied { times } else { 0 };
    }
}

/// One counted rating, for the views that depend on the order of placing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rated {
    /// The counter.
    pub counter: CounterId,
    /// The official, or nobody.
    pub official: Option<OfficialId>,
    /// Hour of opening.
    pub hour: i8,
    /// Where it was given.
    pub channel: Channel,
    /// The form.
    pub form: FormRef,
    /// The level.
    pub level: String,
    /// The reasons.
    pub reasons: Vec<String>,
    /// Whether it had been placed when the day became complete.
    pub when_complete: bool,
}

/// One day's counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// All ratings.
    pub total: Slice,
    /// By official; under none the unattributed.
    pub officials: BTreeMap<Option<OfficialId>, Slice>,
    /// By counter.
    pub counters: BTreeMap<CounterId, Slice>,
    /// How many ratings each counter has of each official.
    pub crossed: BTreeMap<(CounterId, Option<OfficialId>), u64>,
    /// By hour.
    pub hours: BTreeMap<i8, u64>,
    /// By channel.
    pub channels: Channels,
    /// By reason.
    pub reasons: BTreeMap<(FormRef, String), u64>,
    /// Contacts that a slip or the queue system opened.
    pub called: u64,
    /// What became of the contacts.
    pub contacts: Contacts,
    /// Phone answers beside.
    pub beside: Beside,
    /// Phone answers waiting.
    pub waiting: u64,
}

impl Figures {
    /// Sums up tallies.
    pub fn of_tallies(tallies: impl IntoIterator<Item = (Key, u64)>, forms: &Forms) -> Self {
        let mut figures = Self::default();
        for (key, times) in tallies {
            match key {
                Key::Rating { counter, official, hour, channel, form, level } => {
                    let definition = forms.get(&form);
                    figures.total.add(definition, &level, times);
                    figures
                        .officials
                        .entry(official.clone())
                        .or_default()
                        .add(definition, &level, times);
                    figures
                        .counters
                        .entry(counter.clone())
                        .or_default()
                        .add(definition, &level, times);
                    *figures.crossed.entry((counter, official)).or_default() += times;
                    *figures.hours.entry(hour).or_default() += times;
                    match channel {
                        Channel::Counter => figures.channels.counter += times,
                        Channel::Phone => figures.channels.phone += times,
                    }
                }
                Key::Opened => figures.contacts.opened += times,
                Key::Invited => figures.contacts.invited += times,
                Key::Called => figures.called += times,
                Key::Outcome(Outcome::Rated) => figures.contacts.rated += times,
                Key::Outcome(Outcome::Declined) => figures.contacts.declined += times,
                Key::Outcome(Outcome::TimedOut) => figures.contacts.timed_out += times,
                Key::Outcome(Outcome::Interrupted) => figures.contacts.interrupted += times,
                Key::Outcome(Outcome::Later) => figures.contacts.later += times,
                Key::Reason(form, code) => {
                    *figures.reasons.entry((form, code)).or_default() += times;
                }
                Key::Beside(Compared::Higher) => figures.beside.higher += times,
                Key::Beside(Compared::Lower) => figures.beside.lower += times,
                Key::Beside(Compared::Same) => figures.beside.same += times,
                Key::Waiting => figures.waiting += times,
            }
        }
        let (opened, told) = (figures.contacts.opened, figures.contacts.invited + figures.called);
        // Where most visitors come by themselves, nobody has counted the others.
        figures.contacts.served = (told > 0 && 2 * told >= opened).then_some(opened);
        figures
    }

    /// The view before a day is complete, and between complete and final: each slice shows the
    /// ratings it had when complete, and of those placed later (before completion: of all) its
    /// first 5·⌊n/5⌋. `ratings` are in placing order. Counts that are no slices are kept, in fives
    /// when `in_fives`.
    pub fn in_steps(&self, ratings: &[Rated], forms: &Forms, in_fives: bool) -> Self {
        let mut view = Self { crossed: self.crossed.clone(), ..Self::default() };
        for rated in first_fives(ratings, |_| ()) {
            let form = forms.get(&rated.form);
            view.total.add(form, &rated.level, 1);
            for code in &rated.reasons {
                *view.reasons.entry((rated.form.clone(), code.clone())).or_default() += 1;
            }
        }
        for rated in first_fives(ratings, |rated| rated.official.clone()) {
            let slice = view.officials.entry(rated.official.clone()).or_default();
            slice.add(forms.get(&rated.form), &rated.level, 1);
        }
        for rated in first_fives(ratings, |rated| rated.counter.clone()) {
            let slice = view.counters.entry(rated.counter.clone()).or_default();
            slice.add(forms.get(&rated.form), &rated.level, 1);
        }
        for rated in first_fives(ratings, |rated| rated.hour) {
            *view.hours.entry(rated.hour).or_default() += 1;
        }
        for rated in first_fives(ratings, |rated| rated.channel) {
            match rated.channel {
                Channel::Counter => view.channels.counter += 1,
                Channel::Phone => view.channels.phone += 1,
            }
        }
        let step = |n: u64| if in_fives { n / 5 * 5 } else { n };
        let c = &self.contacts;
        view.contacts = Contacts {
            opened: step(c.opened),
            invited: step(c.invited),
            declined: step(c.declined),
            timed_out: step(c.timed_out),
            interrupted: step(c.interrupted),
            later: step(c.later),
            rated: view.total.n,
            served: c.served.map(step),
        };
        let b = &self.beside;
        view.beside = Beside { higher: step(b.higher), lower: step(b.lower), same: step(b.same) };
        view.waiting = step(self.waiting);
        view
    }
}

/// Of each slice, those placed when complete and the first fives of the others.
fn first_fives<K: Ord>(
    ratings: &[Rated],
    slice: impl Fn(&Rated) -> K,
) -> impl Iterator<Item = &Rated> {
    let mut left: BTreeMap<K, u64> = BTreeMap::new();
    for rated in ratings.iter().filter(|rated| !rated.when_complete) {
        *left.entry(slice(rated)).or_default() += 1;
    }
    left.values_mut().for_each(|n| *n = *n / 5 * 5);
    ratings.iter().filter(move |rated| {
        if rated.when_complete {
            return true;
        }
        match left.get_mut(&slice(rated)) {
            Some(n) if *n > 0 => {
                *n -= 1;
                true
            }
            _ => false,
        }
    })
}

/// What a summary needs beside the day's figures.
#[derive(Debug, Clone)]
pub struct Setting<'a> {
    /// The office's directory.
    pub directory: &'a Directory,
    /// The form in force: its levels give the order.
    pub form: &'a Form,
    /// All forms.
    pub forms: &'a Forms,
    /// The day.
    pub date: Date,
    /// How far it can still change.
    pub state: State,
    /// Down-times.
    pub down: Vec<Down>,
    /// How long kiosks were running.
    pub available: Vec<Available>,
    /// Signals.
    pub signals: Vec<Signal>,
    /// Silent kiosks.
    pub silent: Vec<Silent>,
}

/// Publishes a day's figures with what must be withheld left out; nothing is usual yet ([`Summary::beside`]), nor has it
/// its digest ([`Summary::sealed`]).
pub fn publish(figures: &Figures, setting: Setting<'_>) -> Summary {
    let withheld = Withheld::of(figures);
    let empty = Slice::default();
    let row = |id: &str, name: &str, slice: Option<&Slice>, hide: bool| {
        let slice = slice.unwrap_or(&empty);
        let shown = (!hide).then_some(slice);
        Row {
            id: id.to_owned(),
            name: name.to_owned(),
            n: slice.n,
            levels: shown.map(|slice| in_order(slice, setting.form)),
            satisfied: shown.map(|slice| slice.satisfied),
            rate: shown.and_then(|slice| statistics::rate(slice.satisfied, slice.n)),
            interval: shown.and_then(|slice| statistics::wilson(slice.satisfied, slice.n)),
            usual: Usuals::default().of(None),
            withheld: 0,
        }
    };
    let all = row("", "", Some(&figures.total), withheld.all);
    // Whoever came into the directory later, and was attributed ratings of the day, stands there by their code.
    let known = &setting.directory.officials;
    let others = figures.officials.keys().flatten();
    let others = others.filter(|id| known.iter().all(|official| official.id != **id));
    let officials = known.iter().map(|official| (&official.id, official.name.as_str()));
    let by_official = officials
        .chain(others.map(|id| (id, id.as_str())))
        .map(|(id, name)| {
            let key = Some(id.clone());
            let hide = withheld.officials.contains(&key);
            row(id.as_str(), name, figures.officials.get(&key), hide)
        })
        .collect();
    let known = &setting.directory.counters;
    let others = figures.counters.keys();
    let others = others.filter(|id| known.iter().all(|counter| counter.id != **id));
    let counters = known.iter().map(|counter| (&counter.id, counter.label()));
    let by_counter = counters
        .chain(others.map(|id| (id, id.to_string())))
        .map(|(id, name)| {
            let hide = withheld.counters.contains(id);
            row(id.as_str(), &name, figures.counters.get(id), hide)
        })
        .collect();
    let mut reasons = Vec::new();
    if !withheld.all {
        // Versions of a form share their reasons' codes.
        let mut by_code: BTreeMap<(usize, &str), Reason> = BTreeMap::new();
        for ((form, code), n) in &figures.reasons {
            let known = setting.forms.get(form).and_then(|form| form.reason(code));
            if let Some((place, about)) = known {
                by_code
                    .entry((place, code))
                    .or_insert(Reason { code: code.clone(), about, n: 0 })
                    .n += n;
            }
        }
        reasons.extend(by_code.into_values());
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.n));
    }
    Summary {
        office: setting.directory.office.code.clone(),
        date: setting.date,
        to: None,
        state: setting.state,
        n: all.n,
        withheld: 0,
        levels: all.levels,
        satisfied: all.satisfied,
        rate: all.rate,
        interval: all.interval,
        usual: all.usual,
        contacts: figures.contacts.clone(),
        response_rate: figures
            .contacts
            .served
            .filter(|served| *served > 0)
            .map(|served| statistics::four_decimals(figures.contacts.rated as f64 / served as f64)),
        by_official,
        by_counter,
        by_day: Vec::new(),
        by_hour: figures.hours.iter().map(|(hour, n)| Hour { hour: *hour, n: *n }).collect(),
        by_channel: figures.channels.clone(),
        reasons,
        phone_beside: figures.beside.clone(),
        phone_waiting: figures.waiting,
        unattributed: figures.officials.get(&None).map_or(0, |slice| slice.n),
        down: setting.down,
        available: setting.available,
        day_off: setting.directory.day_off(setting.date).map(str::to_owned),
        signals: setting.signals,
        silent_kiosks: setting.silent,
        formula: FORMULA,
        digest: String::new(),
    }
}

fn in_order(slice: &Slice, form: &Form) -> Levels {
    let mut levels: Vec<(String, u64)> = form
        .levels
        .iter()
        .map(|level| (level.code.clone(), slice.levels.get(&level.code).copied().unwrap_or(0)))
        .collect();
    // Answers under another version may have levels of their own.
    for (code, n) in &slice.levels {
        if form.level(code).is_none() {
            levels.push((code.clone(), *n));
        }
    }
    Levels(levels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rated(official: &str, level: &str, when_complete: bool) -> Rated {
        Rated {
            counter: "q1".parse().unwrap(),
            official: Some(official.parse().unwrap()),
            hour: 8,
            channel: Channel::Counter,
            form: FormRef::new("nam-muc", 1).unwrap(),
            level: level.into(),
            reasons: vec![],
            when_complete,
        }
    }

    #[test]
    fn before_closing_a_slice_moves_by_five_in_placing_order() {
        let forms = Forms::default();
        let mut ratings: Vec<Rated> = (0..7).map(|_| rated("a", "hai_long", false)).collect();
        ratings.insert(0, rated("b", "khong_hai_long", false));
        let view = Figures::default().in_steps(&ratings, &forms, true);
        assert_eq!(view.total.n, 5);
        assert_eq!(view.total.levels.get("khong_hai_long"), Some(&1), "the first placed is shown");
        assert_eq!(view.officials[&Some("a".parse().unwrap())].n, 5);
        assert_eq!(view.officials.get(&Some("b".parse().unwrap())), None);
        assert_eq!(view.contacts.rated, 5);
    }

    #[test]
    fn served_is_known_where_most_contacts_were_told_by_others_than_the_visitor() {
        let forms = Forms::default();
        let served = |opened, invited, called| {
            let tallies = [(Key::Opened, opened), (Key::Invited, invited), (Key::Called, called)];
            Figures::of_tallies(tallies, &forms).contacts.served
        };
        assert_eq!(served(20, 0, 0), None, "silence is silence");
        assert_eq!(served(20, 4, 5), None);
        assert_eq!(served(20, 5, 5), Some(20));
        assert_eq!(served(20, 0, 20), Some(20));
        assert_eq!(served(0, 0, 0), None);
    }

    #[test]
    fn after_completion_late_phone_answers_show_by_five() {
        let forms = Forms::default();
        let mut ratings: Vec<Rated> = (0..7).map(|_| rated("a", "hai_long", true)).collect();
        ratings.extend((0..4).map(|_| rated("a", "hai_long", false)));
        let n = |ratings: &[Rated]| Figures::default().in_steps(ratings, &forms, false).total.n;
        assert_eq!(n(&ratings), 7);
        ratings.push(rated("a", "hai_long", false));
        assert_eq!(n(&ratings), 12);
    }
}
