//! Days in a row, and what was published of them, summed.
//!
//! A period is the sum of what its days publish: nothing follows from it that does not follow from them, and no
//! two periods give by difference what a day withholds. The price: ratings of a slice on a day on which it is
//! too small to be shown stand apart (`withheld`), and in no rate.

use std::fmt;
use std::str::FromStr;

use jiff::ToSpan;
use jiff::civil::{Date, ISOWeekDate, Weekday};
use serde::{Deserialize, Serialize};

use super::statistics;
use super::summary::{Available, DayLine, Levels, Row, State, Summary};

/// Longest period, in days: two years.
pub const MOST_DAYS: i32 = 731;

/// Days in a row: a day, a week of ISO 8601, a month, a quarter, a year, or any others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Period {
    from: Date,
    to: Date,
}

/// What a period is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A day.
    Day,
    /// A week, from Monday on: its year and number.
    Week(i16, i8),
    /// A month: its year and number.
    Month(i16, i8),
    /// A quarter: its year and number, 1 to 4.
    Quarter(i16, i8),
    /// A year.
    Year(i16),
    /// Any other days.
    Range,
}

/// Not a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a day (2026-11-24), a week (2026-W48), a month (2026-11), a quarter (2026-Q4), a year (2026), or \
     days of at most two years (2026-11-01..2026-11-15)"
)]
pub struct NoPeriod;

impl Period {
    /// The days `from..=to`.
    ///
    /// # Errors
    /// When the first is after the last, or there are more than [`MOST_DAYS`].
    pub fn new(from: Date, to: Date) -> Result<Self, NoPeriod> {
        let days = (to - from).get_days();
        if (0..MOST_DAYS).contains(&days) { Ok(Self { from, to }) } else { Err(NoPeriod) }
    }

    /// One day.
    pub fn day(date: Date) -> Self {
        Self { from: date, to: date }
    }

    /// The week of a day.
    pub fn week_of(date: Date) -> Self {
        let from = date.saturating_sub(i64::from(date.weekday().to_monday_zero_offset()).days());
        Self { from, to: from.saturating_add(6.days()) }
    }

    /// The month of a day.
    pub fn month_of(date: Date) -> Self {
        Self { from: date.first_of_month(), to: date.last_of_month() }
    }

    /// The quarter of a day.
    pub fn quarter_of(date: Date) -> Self {
        let first = (date.month() - 1) / 3 * 3 + 1;
        let from = jiff::civil::date(date.year(), first, 1);
        Self { from, to: jiff::civil::date(date.year(), first + 2, 1).last_of_month() }
    }

    /// The year of a day.
    pub fn year_of(date: Date) -> Self {
        Self { from: date.first_of_year(), to: date.last_of_year() }
    }

    /// The first day.
    pub fn from(self) -> Date {
        self.from
    }

    /// The last day.
    pub fn to(self) -> Date {
        self.to
    }

    /// Its days, in order.
    pub fn days(self) -> impl Iterator<Item = Date> {
        self.from.series(1.day()).take_while(move |day| *day <= self.to)
    }

    /// What it is called.
    pub fn kind(self) -> Kind {
        let from = self.from;
        if self.from == self.to {
            Kind::Day
        } else if self == Self::week_of(from) {
            let week = from.iso_week_date();
            Kind::Week(week.year(), week.week())
        } else if self == Self::month_of(from) {
            Kind::Month(from.year(), from.month())
        } else if self == Self::quarter_of(from) {
            Kind::Quarter(from.year(), (from.month() - 1) / 3 + 1)
        } else if self == Self::year_of(from) {
            Kind::Year(from.year())
        } else {
            Kind::Range
        }
    }

    /// The one of its kind that follows; of other days, as many.
    pub fn next(self) -> Option<Self> {
        let first = self.to.tomorrow().ok()?;
        match self.kind() {
            Kind::Day => Some(Self::day(first)),
            Kind::Week(..) => Some(Self::week_of(first)),
            Kind::Month(..) => Some(Self::month_of(first)),
            Kind::Quarter(..) => Some(Self::quarter_of(first)),
            Kind::Year(_) => Some(Self::year_of(first)),
            Kind::Range => {
                let last = first.checked_add(self.to - self.from).ok()?;
                Some(Self { from: first, to: last })
            }
        }
    }

    /// The one of its kind before; of other days, as many.
    pub fn previous(self) -> Option<Self> {
        let last = self.from.yesterday().ok()?;
        match self.kind() {
            Kind::Day => Some(Self::day(last)),
            Kind::Week(..) => Some(Self::week_of(last)),
            Kind::Month(..) => Some(Self::month_of(last)),
            Kind::Quarter(..) => Some(Self::quarter_of(last)),
            Kind::Year(_) => Some(Self::year_of(last)),
            Kind::Range => {
                let first = last.checked_sub(self.to - self.from).ok()?;
                Some(Self { from: first, to: last })
            }
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            Kind::Day => write!(f, "{}", self.from),
            Kind::Week(year, week) => write!(f, "{year:04}-W{week:02}"),
            Kind::Month(year, month) => write!(f, "{year:04}-{month:02}"),
            Kind::Quarter(year, quarter) => write!(f, "{year:04}-Q{quarter}"),
            Kind::Year(year) => write!(f, "{year:04}"),
            Kind::Range => write!(f, "{}..{}", self.from, self.to),
        }
    }
}

impl FromStr for Period {
    type Err = NoPeriod;

    fn from_str(text: &str) -> Result<Self, NoPeriod> {
        if let Some((from, to)) = text.split_once("..") {
            return Self::new(day(from)?, day(to)?);
        }
        let (year, rest) = text.split_once('-').unwrap_or((text, ""));
        let year: i16 = number(year, 4)?;
        let january = Date::new(year, 1, 1).map_err(|_| NoPeriod)?;
        if rest.is_empty() && year >= 1 && !text.contains('-') {
            return Ok(Self::year_of(january));
        }
        if let Some(week) = rest.strip_prefix('W') {
            let monday = ISOWeekDate::new(year, number(week, 2)?, Weekday::Monday);
            return Ok(Self::week_of(monday.map_err(|_| NoPeriod)?.date()));
        }
        if let Some(quarter) = rest.strip_prefix('Q') {
            let quarter: i8 = number(quarter, 1)?;
            let first = Date::new(year, quarter.saturating_mul(3) - 2, 1).map_err(|_| NoPeriod)?;
            return Ok(Self::quarter_of(first));
        }
        if rest.contains('-') {
            return Ok(Self::day(day(text)?));
        }
        let first = Date::new(year, number(rest, 2)?, 1).map_err(|_| NoPeriod)?;
        Ok(Self::month_of(first))
    }
}

impl TryFrom<String> for Period {
    type Error = NoPeriod;

    fn try_from(text: String) -> Result<Self, NoPeriod> {
        text.parse()
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

/// Digits, so many of them.
fn number<N: FromStr>(text: &str, digits: usize) -> Result<N, NoPeriod> {
    let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().map_err(|_| NoPeriod) } else { Err(NoPeriod) }
}

fn day(text: &str) -> Result<Date, NoPeriod> {
    let plain = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if plain { text.parse().map_err(|_| NoPeriod) } else { Err(NoPeriod) }
}

/// Days of one office in a row, added up as they are published. What follows from the sums, rates among it, is worked
/// out [at the end](Sum::over), so that months are added up as days are.
///
/// `usual` is that of the first day, until it stands beside its own. Signals stand with their days.
#[derive(Debug, Clone, PartialEq)]
pub struct Sum(Summary);

impl Sum {
    /// A single day.
    pub fn of(day: &Summary) -> Self {
        let mut all = day.clone();
        all.by_day = vec![line(day)];
        all.withheld = if day.levels.is_none() { day.n } else { 0 };
        all.n -= all.withheld;
        all.signals.clear();
        all.day_off = None;
        for row in all.by_official.iter_mut().chain(&mut all.by_counter) {
            // What a day shows of no level stands apart.
            if row.levels.is_none() {
                (row.withheld, row.n) = (row.n, 0);
            }
        }
        Self(all)
    }

    /// Adds days that come later.
    pub fn add(&mut self, later: &Self) {
        let (all, later) = (&mut self.0, &later.0);
        all.state = least(all.state, later.state);
        all.by_day.extend(later.by_day.iter().cloned());
        all.n += later.n;
        all.withheld += later.withheld;
        add_levels(&mut all.levels, later.levels.as_ref());
        all.satisfied = plus(all.satisfied, later.satisfied);
        for (rows, more) in
            [(&mut all.by_official, &later.by_official), (&mut all.by_counter, &later.by_counter)]
        {
            for row in more {
                add_row(rows, row);
            }
        }
        for hour in &later.by_hour {
            match all.by_hour.iter_mut().find(|known| known.hour == hour.hour) {
                Some(known) => known.n += hour.n,
                None => all.by_hour.push(hour.clone()),
            }
        }
        for reason in &later.reasons {
            match all.reasons.iter_mut().find(|known| known.code == reason.code) {
                Some(known) => known.n += reason.n,
                None => all.reasons.push(reason.clone()),
            }
        }
        let (c, more) = (&mut all.contacts, &later.contacts);
        // Who was served is known when it is known of every day on which anybody was.
        c.served = match (c.served, more.served) {
            (Some(before), Some(more)) => Some(before + more),
            (None, served) if c.opened == 0 => served,
            (served, None) if more.opened == 0 => served,
            _ => None,
        };
        c.opened += more.opened;
        c.invited += more.invited;
        c.declined += more.declined;
        c.timed_out += more.timed_out;
        c.interrupted += more.interrupted;
        c.later += more.later;
        c.rated += more.rated;
        all.by_channel.counter += later.by_channel.counter;
        all.by_channel.phone += later.by_channel.phone;
        all.phone_beside.higher += later.phone_beside.higher;
        all.phone_beside.lower += later.phone_beside.lower;
        all.phone_beside.same += later.phone_beside.same;
        all.phone_waiting += later.phone_waiting;
        all.unattributed += later.unattributed;
        all.down.extend(later.down.iter().cloned());
        for one in &later.available {
            let known = all.available.iter_mut().find(|known| known.kiosk == one.kiosk);
            let Some(Available { minutes, open_minutes, .. }) = known else {
                all.available.push(one.clone());
                continue;
            };
            *minutes += one.minutes;
            *open_minutes += one.open_minutes;
        }
        for silent in &later.silent_kiosks {
            match all.silent_kiosks.iter_mut().find(|known| known.id == silent.id) {
                Some(known) => known.dark |= silent.dark,
                None => all.silent_kiosks.push(silent.clone()),
            }
        }
    }

    /// Whether nothing of its days can change any more.
    pub fn is_settled(&self) -> bool {
        self.0.is_settled()
    }

    /// The summary of a period of which these are the days so far; it has no digest yet.
    pub fn over(self, period: Period) -> Summary {
        let mut all = self.0;
        all.to = Some(period.to);
        all.date = period.from;
        rated(&mut all);
        all.reasons.sort_by_key(|reason| std::cmp::Reverse(reason.n));
        all.by_hour.sort_by_key(|hour| hour.hour);
        let c = &all.contacts;
        all.response_rate = c
            .served
            .filter(|served| *served > 0)
            .map(|served| statistics::four_decimals(c.rated as f64 / served as f64));
        all
    }
}

/// A day's own line.
fn line(day: &Summary) -> DayLine {
    DayLine {
        date: day.date,
        state: day.state,
        n: day.n,
        satisfied: day.satisfied,
        rate: day.rate,
        interval: day.interval,
    }
}

fn add_row(rows: &mut Vec<Row>, more: &Row) {
    let Some(row) = rows.iter_mut().find(|row| row.id == more.id) else {
        return rows.push(more.clone());
    };
    // Whoever came into the directory in between stands there by their code at first.
    if row.name == row.id {
        row.name.clone_from(&more.name);
    }
    row.n += more.n;
    row.withheld += more.withheld;
    add_levels(&mut row.levels, more.levels.as_ref());
    row.satisfied = plus(row.satisfied, more.satisfied);
}

fn add_levels(all: &mut Option<Levels>, more: Option<&Levels>) {
    let Some(more) = more else { return };
    let known = &mut all.get_or_insert_default().0;
    for (code, n) in &more.0 {
        match known.iter_mut().find(|(known, _)| known == code) {
            Some((_, sum)) => *sum += n,
            None => known.push((code.clone(), *n)),
        }
    }
}

/// Nothing is known where neither is.
fn plus(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    (a.is_some() || b.is_some()).then(|| a.unwrap_or(0) + b.unwrap_or(0))
}

/// Rates follow from the sums.
fn rated(all: &mut Summary) {
    if all.n == 0 && all.withheld > 0 {
        (all.levels, all.satisfied) = (None, None);
    }
    let of = |satisfied: Option<u64>, n: u64| {
        let satisfied = satisfied?;
        Some((statistics::rate(satisfied, n)?, statistics::wilson(satisfied, n)?))
    };
    (all.rate, all.interval) = of(all.satisfied, all.n).unzip();
    for row in all.by_official.iter_mut().chain(&mut all.by_counter) {
        // Nothing of what there is may be shown: that is not nothing.
        if row.n == 0 && row.withheld > 0 {
            (row.levels, row.satisfied) = (None, None);
        }
        (row.rate, row.interval) = of(row.satisfied, row.n).unzip();
    }
}

/// The one of two states that can still change more.
fn least(a: State, b: State) -> State {
    let order = [State::Open, State::Provisional, State::Complete, State::Final];
    order.into_iter().find(|state| *state == a || *state == b).unwrap_or(a)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::form::About;
    use crate::domain::statistics::Interval;
    use crate::domain::summary::{Beside, Channels, Contacts, Hour, Reason, Silent, Usual};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn period(text: &str) -> Period {
        text.parse().unwrap()
    }

    fn sum(days: &[Summary]) -> Sum {
        let (first, others) = days.split_first().unwrap();
        let mut all = Sum::of(first);
        others.iter().for_each(|day| all.add(&Sum::of(day)));
        all
    }

    #[test]
    fn periods_are_written_as_they_are_read() {
        for (text, from, to) in [
            ("2026-11-24", "2026-11-24", "2026-11-24"),
            ("2026-W48", "2026-11-23", "2026-11-29"),
            ("2026-W01", "2025-12-29", "2026-01-04"),
            ("2026-11", "2026-11-01", "2026-11-30"),
            ("2026-Q4", "2026-10-01", "2026-12-31"),
            ("2024", "2024-01-01", "2024-12-31"),
            ("2026-11-01..2026-11-15", "2026-11-01", "2026-11-15"),
        ] {
            let read = period(text);
            assert_eq!((read.from().to_string(), read.to().to_string()), (from.into(), to.into()));
            assert_eq!(read.to_string(), text);
        }
        // Any days that are a month are that month.
        assert_eq!(period("2026-11-01..2026-11-30").to_string(), "2026-11");
        assert_eq!(period("2026-11-24..2026-11-24").to_string(), "2026-11-24");
        for wrong in [
            "",
            "26",
            "2026-",
            "2026-13",
            "2026-1",
            "2026-W54",
            "2026-Q0",
            "2026-Q5",
            "2026-Q44",
            "2026-02-30",
            "2026-11-15..2026-11-01",
            "2024-01-01..2026-01-02",
            "tomorrow",
            "-2026",
            "2026-11-24T00",
            "2026-Q-",
            "0000",
        ] {
            assert_eq!(wrong.parse::<Period>(), Err(NoPeriod), "{wrong}");
        }
    }

    #[test]
    fn the_next_one_is_of_the_same_kind_and_leads_back() {
        for (text, next) in [
            ("2026-12-31", "2027-01-01"),
            ("2026-W53", "2027-W01"),
            ("2026-12", "2027-01"),
            ("2026-Q4", "2027-Q1"),
            ("2026", "2027"),
            ("2026-11-02..2026-11-04", "2026-11-05..2026-11-07"),
        ] {
            assert_eq!(period(text).next(), Some(period(next)), "{text}");
            assert_eq!(period(next).previous(), Some(period(text)), "{next}");
        }
    }

    proptest! {
        #[test]
        fn any_days_are_one_period_with_one_name(start in 0i64..9_000, days in 0i32..MOST_DAYS) {
            let from = jiff::civil::date(2010, 1, 1).saturating_add(start.days());
            let to = from.saturating_add(i64::from(days).days());
            let period = Period::new(from, to).unwrap();
            prop_assert_eq!(period.to_string().parse::<Period>(), Ok(period));
            prop_assert_eq!(period.days().count(), usize::try_from(days).unwrap() + 1);
        }
    }

    fn row(id: &str, n: u64, satisfied: Option<u64>) -> Row {
        let levels = satisfied.map(|satisfied| {
            Levels(vec![("hai_long".into(), satisfied), ("khong_hai_long".into(), n - satisfied)])
        });
        let usual = Usual { days: 90, n: 0, rate: None };
        let (id, name) = (id.to_owned(), id.to_owned());
        Row { id, name, n, levels, satisfied, rate: None, interval: None, usual, withheld: 0 }
    }

    fn day(date: &str, rows: Vec<Row>, served: Option<u64>) -> Summary {
        let n: u64 = rows.iter().map(|row| row.n).sum();
        let satisfied =
            (n >= 5).then(|| rows.iter().map(|row| row.satisfied.unwrap_or(row.n)).sum());
        let all = row("", n, satisfied);
        Summary {
            office: "phu-sa".parse().unwrap(),
            date: date.parse().unwrap(),
            to: None,
            state: State::Complete,
            n,
            withheld: 0,
            levels: all.levels,
            satisfied,
            rate: None,
            interval: None,
            usual: Usual { days: 90, n: 100, rate: Some(0.9) },
            contacts: Contacts { opened: n, rated: n, served, ..Contacts::default() },
            response_rate: None,
            by_official: rows,
            by_counter: vec![],
            by_day: vec![],
            by_hour: vec![Hour { hour: 8, n }],
            by_channel: Channels { counter: n, phone: 0 },
            reasons: vec![],
            phone_beside: Beside::default(),
            phone_waiting: 0,
            unattributed: 0,
            down: vec![],
            available: vec![],
            day_off: None,
            signals: vec![],
            silent_kiosks: vec![],
            formula: 1,
            digest: String::new(),
        }
    }

    #[test]
    fn what_a_day_withholds_stands_apart_in_every_period_that_has_it() {
        let days = [
            day("2026-11-23", vec![row("a", 20, Some(18)), row("b", 15, Some(15))], None),
            day(
                "2026-11-24",
                vec![row("a", 30, Some(29)), row("b", 3, None), row("c", 9, None)],
                None,
            ),
            day("2026-11-25", vec![row("c", 4, None)], None),
        ];
        let week = sum(&days).over(period("2026-W48"));
        assert_eq!((week.n, week.withheld, week.satisfied), (77, 4, Some(74)));
        assert_eq!(week.rate, Some(0.961));
        assert_eq!(week.interval, statistics::wilson(74, 77));
        let of = |id: &str| week.by_official.iter().find(|row| row.id == id).unwrap();
        assert_eq!((of("a").n, of("a").withheld, of("a").satisfied), (50, 0, Some(47)));
        assert_eq!(of("a").interval.map(|Interval { low, .. }| low), Some(0.8378));
        assert_eq!((of("b").n, of("b").withheld, of("b").satisfied), (15, 3, Some(15)));
        assert_eq!((of("c").n, of("c").withheld, &of("c").levels), (0, 13, &None));
        assert_eq!(of("b").rate, None, "15 ratings give no rate");
        assert_eq!(week.by_hour, [Hour { hour: 8, n: 81 }], "what is no level is whole");
        let lines: Vec<(u64, Option<u64>)> =
            week.by_day.iter().map(|day| (day.n, day.satisfied)).collect();
        assert_eq!(lines, [(35, Some(33)), (42, Some(41)), (4, None)]);
        assert_eq!(week.period(), period("2026-W48"));
        // A period without the last day differs from the week by what that day itself shows, which is nothing.
        let before = sum(&days[..2]).over(period("2026-11-23..2026-11-24"));
        assert_eq!((before.n, &before.levels), (week.n, &week.levels));
    }

    prop_compose! {
        /// A day with any officials, as it may be published.
        fn any_day()(
            rows in prop::collection::vec((0..4usize, 0..20u64, any::<bool>()), 0..4),
            served in prop::option::of(0..40u64),
            reasons in prop::collection::vec(0..3usize, 0..3),
            silent in prop::option::of(any::<bool>()),
            state in 0..4usize,
        ) -> Summary {
            let name = |n: &usize| ["a", "b", "c", "d"][*n].to_owned();
            let mut one: Vec<Row> = Vec::new();
            for (id, n, shows) in rows {
                if one.iter().all(|row| row.id != name(&id)) {
                    one.push(row(&name(&id), n, shows.then_some(n / 2)));
                }
            }
            let mut of = day("2026-11-23", one, served);
            of.reasons = reasons.iter().collect::<BTreeSet<_>>().into_iter()
                .map(|code| Reason { code: name(code), about: About::Official, n: 7 }).collect();
            of.silent_kiosks = silent.iter()
                .map(|dark| Silent { id: "q1".parse().unwrap(), last_heard: None, dark: *dark }).collect();
            of.state = [State::Open, State::Provisional, State::Complete, State::Final][state];
            of
        }
    }

    proptest! {
        #[test]
        fn months_are_added_up_as_days_are(
            days in prop::collection::vec(any_day(), 2..12),
            cuts in prop::collection::btree_set(1..11usize, 1..4),
        ) {
            let mut parts = Vec::new();
            let mut since = 0;
            for cut in cuts.into_iter().filter(|cut| *cut < days.len()) {
                parts.push(sum(&days[since..cut]));
                since = cut;
            }
            parts.push(sum(&days[since..]));
            let mut parts = parts.into_iter();
            let mut all = parts.next().unwrap();
            parts.for_each(|part| all.add(&part));
            let over = all.over(period("2026-W48"));
            prop_assert_eq!(over, sum(&days).over(period("2026-W48")));
        }
    }

    #[test]
    fn who_was_served_is_known_when_it_is_of_every_day() {
        let of = |days: &[(u64, Option<u64>)]| {
            let dates = ["2026-11-23", "2026-11-24", "2026-11-25"];
            let days: Vec<Summary> = (days.iter().zip(dates))
                .map(|((n, served), date)| day(date, vec![row("a", *n, Some(*n))], *served))
                .collect();
            let all = sum(&days).over(period("2026-W48"));
            (all.contacts.served, all.response_rate)
        };
        assert_eq!(of(&[(10, Some(20)), (5, Some(10))]), (Some(30), Some(0.5)));
        assert_eq!(of(&[(10, Some(20)), (5, None)]), (None, None));
        assert_eq!(of(&[(10, Some(20)), (0, None), (5, Some(10))]), (Some(30), Some(0.5)));
        assert_eq!(of(&[(0, None), (10, Some(20))]), (Some(20), Some(0.5)));
        assert_eq!(of(&[(0, None)]), (None, None));
    }

    #[test]
    fn the_state_is_that_of_the_day_that_can_change_most() {
        let mut days = [day("2026-11-23", vec![], None), day("2026-11-24", vec![], None)];
        days[0].state = State::Final;
        assert_eq!(sum(&days).over(period("2026-W48")).state, State::Complete);
        days[0].state = State::Open;
        assert_eq!(sum(&days).over(period("2026-W48")).state, State::Open);
    }
}
