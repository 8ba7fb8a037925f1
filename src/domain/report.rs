//! A report of a violation: what its reader does with it, one step after the other, and by when, in working days.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::time::At;

/// A step in handling a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// It is taken up.
    Accepted,
    /// It is not, for the reason given; it may be taken up later.
    Refused,
    /// More was asked for, of whoever can tell.
    Asked,
    /// What was found and done.
    Resolved,
    /// Where the result was made public.
    Published,
    /// A step of a later version.
    #[serde(other, skip_serializing)]
    Unknown,
}

impl Step {
    /// Those that a person may take.
    pub const ALL: [Self; 5] =
        [Self::Accepted, Self::Refused, Self::Asked, Self::Resolved, Self::Published];

    /// Whether it may follow another one, or be the first.
    pub fn may_follow(self, last: Option<Self>) -> bool {
        match last {
            None => matches!(self, Self::Accepted | Self::Refused),
            Some(Self::Accepted) => matches!(self, Self::Asked | Self::Resolved | Self::Refused),
            Some(Self::Asked) => matches!(self, Self::Resolved | Self::Refused),
            Some(Self::Refused) => self == Self::Accepted,
            Some(Self::Resolved) => self == Self::Published,
            Some(Self::Published | Self::Unknown) => false,
        }
    }
}

/// By when a report is handled, each in working days, 1 to 250: the day on which they begin is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// From when it was received until it is accepted or refused.
    pub accept: u16,
    /// From when it was accepted until more is asked for, if that is needed.
    pub ask: u16,
    /// From when it was accepted until it is resolved.
    pub resolve: u16,
    /// From when it was resolved until that is published.
    pub publish: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self { accept: 2, ask: 5, resolve: 15, publish: 2 }
    }
}

impl Limits {
    /// Whether each of them is a number of days that can be.
    pub fn are_possible(&self) -> bool {
        [self.accept, self.ask, self.resolve, self.publish].iter().all(|n| (1..=250).contains(n))
    }
}

/// What comes next for a report, and by when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Awaited {
    /// The step.
    pub step: Step,
    /// The last day for it.
    pub by: Date,
    /// Working days from today until then, both of them counted; once it is over, how many are since.
    pub left: i64,
    /// Whether it is over.
    pub is_overdue: bool,
    /// The last day to ask for more, while that is still possible.
    pub ask_by: Option<Date>,
}

/// Days on which an office works.
pub trait WorkingDays {
    /// Whether it does on one.
    fn works_on(&self, date: Date) -> bool;

    /// The day that lies so many working days after another.
    fn after(&self, from: Date, days: u16) -> Date {
        let (mut day, mut left) = (from, days);
        // A calendar on which nobody ever works must not be waited for.
        for _ in 0..2_000 {
            let Ok(next) = day.tomorrow() else { break };
            day = next;
            if self.works_on(day) {
                left -= 1;
                if left == 0 {
                    break;
                }
            }
        }
        day
    }

    /// Working days after one day up to another.
    fn between(&self, from: Date, to: Date) -> i64 {
        let days = from.series(jiff::ToSpan::day(1)).skip(1).take_while(|day| *day <= to);
        days.filter(|day| self.works_on(*day)).count() as i64
    }
}

impl<F: Fn(Date) -> bool> WorkingDays for F {
    fn works_on(&self, date: Date) -> bool {
        self(date)
    }
}

/// What comes next for a report that was received then and went through these steps; nothing when all is done.
pub fn awaited(
    received: At,
    steps: &[(Step, At)],
    limits: &Limits,
    days: &impl WorkingDays,
    today: Date,
) -> Option<Awaited> {
    let last = steps.last();
    // From when it was taken up first: refusing it for a while wins no time.
    let accepted = steps.iter().find(|(step, _)| *step == Step::Accepted);
    let accepted = accepted.map_or(received, |(_, at)| *at).date();
    let (step, by) = match last.map(|(step, _)| *step) {
        None => (Step::Accepted, days.after(received.date(), limits.accept)),
        Some(Step::Accepted | Step::Asked) => {
            (Step::Resolved, days.after(accepted, limits.resolve))
        }
        Some(Step::Resolved) => {
            let resolved = last.map_or(received, |(_, at)| *at).date();
            (Step::Published, days.after(resolved, limits.publish))
        }
        Some(Step::Refused | Step::Published | Step::Unknown) => return None,
    };
    let is_overdue = today > by;
    let left = if is_overdue {
        days.between(by, today)
    } else {
        days.between(today, by) + i64::from(days.works_on(today))
    };
    let ask_by = days.after(accepted, limits.ask);
    let may_ask = last.is_some_and(|(step, _)| *step == Step::Accepted) && today <= ask_by;
    Some(Awaited { step, by, left, is_overdue, ask_by: may_ask.then_some(ask_by) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn at(text: &str) -> At {
        At::from_civil(day(text).at(9, 0, 0, 0))
    }

    /// Monday to Friday, but for New Year's Day.
    fn works(date: Date) -> bool {
        date.weekday().to_monday_one_offset() <= 5 && date != day("2027-01-01")
    }

    fn next(received: &str, steps: &[(Step, &str)], today: &str) -> Option<(Step, String, i64)> {
        let steps: Vec<(Step, At)> = steps.iter().map(|(step, on)| (*step, at(on))).collect();
        let found = awaited(at(received), &steps, &Limits::default(), &works, day(today))?;
        assert_eq!(found.is_overdue, day(today) > found.by);
        let left = if found.is_overdue { -found.left } else { found.left };
        Some((found.step, found.by.to_string(), left))
    }

    #[test]
    fn days_of_rest_and_the_day_of_receipt_are_not_counted() {
        // A Thursday: Friday and Monday are the two working days.
        let accept = |today, left| {
            let found = next("2026-11-26", &[], today);
            assert_eq!(found, Some((Step::Accepted, "2026-11-30".into(), left)), "{today}");
        };
        accept("2026-11-26", 3);
        accept("2026-11-28", 1);
        accept("2026-11-30", 1);
        accept("2026-12-01", -1);
        accept("2026-12-06", -4);
        // Over New Year's Day.
        let over = next("2026-12-31", &[], "2026-12-31");
        assert_eq!(over, Some((Step::Accepted, "2027-01-05".into(), 3)));
        assert_eq!(next("2026-11-28", &[], "2026-11-28").unwrap().1, "2026-12-01", "a Saturday");
    }

    #[test]
    fn each_step_has_its_own_time() {
        let accepted = [(Step::Accepted, "2026-11-27")];
        let found = next("2026-11-26", &accepted, "2026-11-27");
        assert_eq!(found, Some((Step::Resolved, "2026-12-18".into(), 16)));
        let asked = [accepted[0], (Step::Asked, "2026-12-02")];
        let found = next("2026-11-26", &asked, "2026-12-21");
        assert_eq!(found, Some((Step::Resolved, "2026-12-18".into(), -1)), "asking moves nothing");
        let resolved = [accepted[0], (Step::Resolved, "2026-12-18")];
        let found = next("2026-11-26", &resolved, "2026-12-18");
        assert_eq!(found, Some((Step::Published, "2026-12-22".into(), 3)));
        let published = [resolved[0], resolved[1], (Step::Published, "2026-12-21")];
        assert_eq!(next("2026-11-26", &published, "2027-06-01"), None);
        assert_eq!(next("2026-11-26", &[(Step::Refused, "2026-11-27")], "2027-06-01"), None);
        // Taken up after all, the time begins then; taken up again, it goes on.
        let after_all = [(Step::Refused, "2026-11-27"), (Step::Accepted, "2026-12-07")];
        assert_eq!(next("2026-11-26", &after_all, "2026-12-07").unwrap().1, "2026-12-28");
        let again = [accepted[0], (Step::Refused, "2026-12-17"), (Step::Accepted, "2026-12-18")];
        assert_eq!(next("2026-11-26", &again, "2026-12-18").unwrap().1, "2026-12-18");
        // The weekend after the last day it is overdue, by no working day yet.
        let limits = Limits::default();
        let saturday = awaited(at("2026-11-26"), &[], &limits, &works, day("2026-12-05")).unwrap();
        assert!(saturday.is_overdue && saturday.left == 4);
        let friday = awaited(at("2026-11-25"), &[], &limits, &works, day("2026-11-28")).unwrap();
        assert_eq!((friday.by, friday.is_overdue, friday.left), (day("2026-11-27"), true, 0));
    }

    #[test]
    fn more_is_asked_for_in_five_days_and_once() {
        let ask_by = |steps: &[(Step, &str)], today| {
            let steps: Vec<(Step, At)> = steps.iter().map(|(step, on)| (*step, at(on))).collect();
            let limits = Limits::default();
            awaited(at("2026-11-26"), &steps, &limits, &works, day(today)).unwrap().ask_by
        };
        let accepted = [(Step::Accepted, "2026-11-27")];
        assert_eq!(ask_by(&accepted, "2026-12-04"), Some(day("2026-12-04")));
        assert_eq!(ask_by(&accepted, "2026-12-05"), None);
        assert_eq!(ask_by(&[accepted[0], (Step::Asked, "2026-11-30")], "2026-12-01"), None);
        assert_eq!(ask_by(&[], "2026-11-26"), None);
    }

    #[test]
    fn only_what_makes_sense_follows() {
        let follows = |last: Option<Step>| -> Vec<Step> {
            Step::ALL.into_iter().filter(|step| step.may_follow(last)).collect()
        };
        assert_eq!(follows(None), [Step::Accepted, Step::Refused]);
        assert_eq!(follows(Some(Step::Accepted)), [Step::Refused, Step::Asked, Step::Resolved]);
        assert_eq!(follows(Some(Step::Asked)), [Step::Refused, Step::Resolved]);
        assert_eq!(follows(Some(Step::Resolved)), [Step::Published]);
        assert_eq!(follows(Some(Step::Refused)), [Step::Accepted]);
        assert_eq!(follows(Some(Step::Published)), []);
    }

    #[test]
    fn a_calendar_on_which_nobody_works_ends_somewhere() {
        let never = |_: Date| false;
        let found = awaited(at("2026-11-26"), &[], &Limits::default(), &never, day("2026-11-26"));
        assert!(found.unwrap().by > day("2030-01-01"));
    }
}
