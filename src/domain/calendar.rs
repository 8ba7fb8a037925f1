//! When an office is open: hours by weekday, days off, and days with hours of their own.

use jiff::civil::{Date, Time};
use serde::{Deserialize, Serialize};

use super::time::At;

/// Hours of one weekday.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// The weekday, 1 (Monday) to 7 (Sunday).
    pub weekday: i8,
    /// From this time of day on.
    pub from: Time,
    /// Until just before this time of day.
    pub to: Time,
}

/// A day that is not as its weekday is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnDay {
    /// The day.
    pub date: Date,
    /// What it is: a holiday, or the working day in exchange for one.
    pub name: String,
    /// Its hours, from and to; none on a day off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<(Time, Time)>,
}

/// An office's calendar.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    /// Hours by weekday; those of one weekday do not overlap.
    pub hours: Vec<Hours>,
    /// Days that differ: of one date either a single day off, or hours that do not overlap.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<OwnDay>,
}

impl Calendar {
    /// From when to when the office is open on a day, in order; nothing when it is closed.
    pub fn open_on(&self, date: Date) -> Vec<(At, At)> {
        let own: Vec<&OwnDay> = self.days.iter().filter(|day| day.date == date).collect();
        let mut hours: Vec<(Time, Time)> = if own.is_empty() {
            let weekday = date.weekday().to_monday_one_offset();
            let of_day = self.hours.iter().filter(|hours| hours.weekday == weekday);
            of_day.map(|hours| (hours.from, hours.to)).collect()
        } else {
            own.into_iter().filter_map(|day| day.hours).collect()
        };
        hours.sort();
        let at = |time| At::from_civil(date.to_datetime(time));
        hours.into_iter().map(|(from, to)| (at(from), at(to))).collect()
    }

    /// What a day is called on which the office is closed although its weekday may be none of rest.
    pub fn day_off(&self, date: Date) -> Option<&str> {
        let off = self.days.iter().find(|day| day.date == date && day.hours.is_none());
        off.map(|day| day.name.as_str())
    }
}

/// How long `span` and `spans`, which do not overlap each other, have in common, in milliseconds.
pub fn ms_within(span: (At, At), spans: &[(At, At)]) -> u64 {
    let common = |(from, to): &(At, At)| {
        let (from, to) = (span.0.max(*from), span.1.min(*to));
        let ms = to.timestamp().as_millisecond() - from.timestamp().as_millisecond();
        u64::try_from(ms).unwrap_or_default()
    };
    spans.iter().map(common).sum()
}

/// For how many minutes of the hours in which an office was `open` up to `until` nothing was heard of something that was
/// heard last at `last`, if ever.
pub fn quiet_minutes(last: Option<At>, until: At, open: &[(At, At)]) -> u64 {
    let Some((opens, _)) = open.first() else { return 0 };
    ms_within((last.map_or(*opens, |last| last.max(*opens)), until), open) / 60_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar() -> Calendar {
        let hours = |weekday, from: &str, to: &str| Hours {
            weekday,
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
        };
        let day = |date: &str, hours: Option<(&str, &str)>| OwnDay {
            date: date.parse().unwrap(),
            name: date.into(),
            hours: hours.map(|(from, to)| (from.parse().unwrap(), to.parse().unwrap())),
        };
        Calendar {
            hours: vec![hours(2, "13:30", "17:00"), hours(2, "07:30", "11:30")],
            days: vec![
                day("2026-12-01", None),
                day("2026-12-05", Some(("08:00", "12:00"))),
                day("2026-12-08", Some(("07:30", "11:30"))),
            ],
        }
    }

    fn open(date: &str) -> Vec<String> {
        let time = |at: At| at.to_string()[11..16].to_owned();
        let open = calendar().open_on(date.parse().unwrap());
        open.into_iter().map(|(from, to)| format!("{}-{}", time(from), time(to))).collect()
    }

    #[test]
    fn a_day_of_its_own_replaces_the_hours_of_its_weekday() {
        assert_eq!(open("2026-11-24"), ["07:30-11:30", "13:30-17:00"], "a Tuesday");
        assert_eq!(open("2026-11-25"), [""; 0], "no hours on Wednesdays");
        assert_eq!(open("2026-12-01"), [""; 0], "a Tuesday off");
        assert_eq!(open("2026-12-05"), ["08:00-12:00"], "a Saturday in exchange");
        assert_eq!(open("2026-12-08"), ["07:30-11:30"], "half a Tuesday");
        let off = |date: &str| calendar().day_off(date.parse().unwrap()).map(str::to_owned);
        assert_eq!(off("2026-12-01").as_deref(), Some("2026-12-01"));
        assert_eq!(off("2026-12-05").as_deref(), None);
    }

    #[test]
    fn what_lies_in_a_pause_is_not_within() {
        let at = |time: &str| At::from_civil(format!("2026-11-24T{time}").parse().unwrap());
        let within = |from, to| {
            let open = calendar().open_on("2026-11-24".parse().unwrap());
            ms_within((at(from), at(to)), &open) as f64 / 60_000.0
        };
        assert_eq!(within("00:00", "23:00"), 450.0);
        assert_eq!(within("11:00", "14:00"), 60.0);
        assert_eq!(within("12:00", "13:00"), 0.0);
        assert_eq!(within("16:59:30", "18:00"), 0.5);
        assert_eq!(within("11:00", "10:00"), 0.0, "nothing before its beginning");
        let quiet = |last: Option<&str>, until| {
            let open = calendar().open_on("2026-11-24".parse().unwrap());
            quiet_minutes(last.map(at), at(until), &open)
        };
        assert_eq!(quiet(Some("11:00"), "14:00"), 60, "the pause does not count");
        assert_eq!(quiet(None, "08:15"), 45, "since opening");
        assert_eq!(quiet(Some("05:00"), "08:15"), 45);
        assert_eq!(quiet(Some("16:30"), "23:00"), 30, "nor what comes after closing");
        assert_eq!(quiet_minutes(None, at("12:00"), &[]), 0, "on a day off nobody waits");
    }
}
