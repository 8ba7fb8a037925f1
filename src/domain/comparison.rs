//! Offices beside each other on a day or in a longer period, like with like: what each of them publishes, and nothing else.
//!
//! Offices are compared within one form: a rate is a share of what a form calls satisfied. Sums are sums of what offices
//! publish, so no difference gives what one of them withholds.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::ids::OfficeCode;
use super::period::{Kind, Period};
use super::procedure::folded;
use super::statistics::{self, ENOUGH, Interval};
use super::summary::{Rise, State, Summary, Usual};

/// How a day's rate stands to the rate of the days before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Against {
    /// The whole interval lies below the usual rate.
    Below,
    /// Nothing can be told apart.
    Usual,
    /// The whole interval lies above the usual rate.
    Above,
    /// Too few ratings, today or before.
    Unknown,
}

impl Against {
    /// By share, window and least count: both sides stand on [`ENOUGH`] ratings, and chance alone would leave
    /// the interval around the usual rate in 95 of 100 cases.
    pub fn of(interval: Option<Interval>, usual: &Usual) -> Self {
        match (interval, usual.rate) {
            (Some(_), _) if usual.n < ENOUGH => Self::Unknown,
            (Some(now), Some(usual)) if now.high < usual => Self::Below,
            (Some(now), Some(usual)) if now.low > usual => Self::Above,
            (Some(_), Some(_)) => Self::Usual,
            _ => Self::Unknown,
        }
    }
}

fn is_none(n: &u64) -> bool {
    *n == 0
}

/// An office in the period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The office.
    pub office: OfficeCode,
    /// What it is called.
    pub name: String,
    /// How far its figures can still change.
    pub state: State,
    /// What the day is called if the office is closed on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_off: Option<String>,
    /// Counted ratings.
    pub n: u64,
    /// Of a period: ratings of days that are too small to be shown; `n` is without them.
    #[serde(default, skip_serializing_if = "is_none")]
    pub withheld: u64,
    /// Satisfied ratings; null when withheld.
    pub satisfied: Option<u64>,
    /// Satisfaction rate; null when withheld or below 30 ratings.
    pub rate: Option<f64>,
    /// Its 95% interval, likewise.
    pub interval: Option<Interval>,
    /// The rate of the days before.
    pub usual: Usual,
    /// How the day stands to them.
    pub against: Against,
    /// Rated among served; null when served is unknown.
    pub response_rate: Option<f64>,
    /// How many times kiosks were down in opening hours.
    pub down: usize,
    /// Of how many kiosks nothing was heard for an hour or more of opening hours.
    pub dark_kiosks: usize,
    /// How many patterns a person should look at.
    pub signals: usize,
    /// Complaints that are given far more often than usual; left out when there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rises: Vec<Rise>,
}

impl Line {
    /// Of an office that is called `name`.
    pub fn of(name: String, summary: &Summary, rises: Vec<Rise>) -> Self {
        Self {
            office: summary.office.clone(),
            name,
            state: summary.state,
            day_off: summary.day_off.clone(),
            n: summary.n,
            withheld: summary.withheld,
            satisfied: summary.satisfied,
            rate: summary.rate,
            interval: summary.interval,
            usual: summary.usual.clone(),
            against: Against::of(summary.interval, &summary.usual),
            response_rate: summary.response_rate,
            down: summary.down.len(),
            dark_kiosks: summary.silent_kiosks.iter().filter(|one| one.dark).count(),
            signals: summary.signals.len(),
            rises,
        }
    }

    /// Whether somebody should look at it, down-times aside.
    fn stands_out(&self) -> bool {
        self.against == Against::Below
            || !self.rises.is_empty()
            || self.dark_kiosks + self.signals > 0
    }
}

/// Offices that ask with one form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// The form's code.
    pub form: String,
    /// Ratings of offices that publish what was answered.
    pub n: u64,
    /// Ratings of the others, which are in no sum.
    pub withheld: u64,
    /// Satisfied ratings.
    pub satisfied: u64,
    /// Satisfaction rate of them together; null below 30 ratings.
    pub rate: Option<f64>,
    /// Its 95% interval, likewise.
    pub interval: Option<Interval>,
    /// The offices, by name.
    pub offices: Vec<Line>,
}

/// All offices of a unit in a period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The day, or the first one.
    pub date: Date,
    /// The last day of a period; null of a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Date>,
    /// Groups of offices, the largest first.
    pub groups: Vec<Group>,
}

/// Puts offices beside each other; each with the code of its form.
pub fn compare(period: Period, lines: impl IntoIterator<Item = (String, Line)>) -> Comparison {
    let mut groups: Vec<Group> = Vec::new();
    for (form, line) in lines {
        let at = groups.iter().position(|group| group.form == form).unwrap_or_else(|| {
            let (n, withheld, satisfied, offices) = (0, 0, 0, Vec::new());
            let (rate, interval) = (None, None);
            groups.push(Group { form, n, withheld, satisfied, rate, interval, offices });
            groups.len() - 1
        });
        let group = &mut groups[at];
        group.withheld += line.withheld;
        match line.satisfied {
            Some(satisfied) => {
                group.n += line.n;
                group.satisfied += satisfied;
            }
            None => group.withheld += line.n,
        }
        group.offices.push(line);
    }
    for group in &mut groups {
        group.rate = statistics::rate(group.satisfied, group.n);
        group.interval = statistics::wilson(group.satisfied, group.n);
        group.offices.sort_by_cached_key(|one| (folded(&one.name), one.name.clone()));
    }
    groups.sort_by(|one, other| {
        other.offices.len().cmp(&one.offices.len()).then_with(|| one.form.cmp(&other.form))
    });
    let to = (period.kind() != Kind::Day).then(|| period.to());
    Comparison { date: period.from(), to, groups }
}

impl Comparison {
    /// All offices, by form and name.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.groups.iter().flat_map(|group| &group.offices)
    }

    /// Offices that somebody should look at. In a longer period nearly each of them has a kiosk that was down once: that
    /// is for its own page.
    pub fn wanting_attention(&self) -> impl Iterator<Item = &Line> {
        let is_day = self.to.is_none();
        self.lines().filter(move |line| line.stands_out() || (is_day && line.down > 0))
    }

    /// The days that it is of.
    pub fn period(&self) -> Period {
        Period::new(self.date, self.to.unwrap_or(self.date)).unwrap_or(Period::day(self.date))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usual(n: u64, rate: Option<f64>) -> Usual {
        Usual { days: 90, n, rate }
    }

    #[test]
    fn a_day_stands_out_only_when_its_whole_interval_does() {
        let interval = |low, high| Some(Interval { low, high });
        for (now, before, expected) in [
            (interval(0.60, 0.80), usual(900, Some(0.90)), Against::Below),
            (interval(0.60, 0.95), usual(900, Some(0.90)), Against::Usual),
            (interval(0.93, 0.98), usual(900, Some(0.90)), Against::Above),
            (interval(0.90, 0.98), usual(900, Some(0.90)), Against::Usual),
            (None, usual(900, Some(0.90)), Against::Unknown),
            (interval(0.60, 0.80), usual(0, None), Against::Unknown),
            (interval(0.60, 0.80), usual(29, Some(0.90)), Against::Unknown),
        ] {
            assert_eq!(Against::of(now, &before), expected, "{now:?} {before:?}");
        }
    }

    #[test]
    fn sums_are_of_what_is_published_and_of_one_form() {
        let line = |office: &str, n, satisfied: Option<u64>| Line {
            office: office.parse().unwrap(),
            name: office.to_owned(),
            state: State::Final,
            day_off: None,
            n,
            withheld: 0,
            satisfied,
            rate: None,
            interval: None,
            usual: usual(0, None),
            against: Against::Unknown,
            response_rate: None,
            down: 0,
            dark_kiosks: 0,
            signals: 0,
            rises: vec![],
        };
        let lines = [
            ("ba-muc", line("c", 40, Some(20))),
            ("nam-muc", line("b", 30, Some(27))),
            ("nam-muc", line("a", 20, Some(20))),
            // What was answered there is withheld.
            ("nam-muc", line("d", 3, None)),
        ];
        let lines = lines.map(|(form, line)| (form.to_owned(), line));
        let comparison = compare("2026-11-24".parse().unwrap(), lines);
        let [first, second] = &comparison.groups[..] else { panic!("{comparison:?}") };
        assert_eq!(
            (first.form.as_str(), first.n, first.satisfied, first.withheld),
            ("nam-muc", 50, 47, 3)
        );
        assert_eq!(first.rate, Some(0.94));
        let names: Vec<&str> = first.offices.iter().map(|line| line.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "d"]);
        assert_eq!((second.form.as_str(), second.rate), ("ba-muc", Some(0.5)));
    }
}
