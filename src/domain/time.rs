//! Moments as lines carry them: milliseconds, always `+07:00`.
//!
//! Viet Nam has kept UTC+7 (`Asia/Ho_Chi_Minh`) without daylight saving since 1975, before any
//! line can have been written; so the contract fixes the offset and no time zone table is needed.

use std::fmt;

use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

const HANOI: Offset = Offset::constant(7);

/// A moment with milliseconds, written `2026-11-24T08:15:22.123+07:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct At(Timestamp);

impl At {
    /// Keeps the milliseconds of `moment` and drops what is finer.
    pub fn new(moment: Timestamp) -> Self {
        let ms = moment.as_millisecond();
        Self(Timestamp::from_millisecond(ms).unwrap_or(moment))
    }

    /// The moment.
    pub fn timestamp(self) -> Timestamp {
        self.0
    }

    /// Date and time of day in Viet Nam.
    pub fn civil(self) -> DateTime {
        HANOI.to_datetime(self.0)
    }

    /// The day in Viet Nam.
    pub fn date(self) -> Date {
        self.civil().date()
    }

    /// The moment at which this date and time of day occurs in Viet Nam.
    ///
    /// Dates outside of what a timestamp can hold are clamped to its ends.
    pub fn from_civil(civil: DateTime) -> Self {
        Self(HANOI.to_timestamp(civil).unwrap_or(Timestamp::MAX))
    }

    /// This moment, `minutes` later; clamped to what a timestamp can hold.
    pub fn plus_minutes(self, minutes: i64) -> Self {
        Self(self.0.checked_add(minutes.minutes()).unwrap_or(Timestamp::MAX))
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = self.civil();
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}+07:00",
            c.year(),
            c.month(),
            c.day(),
            c.hour(),
            c.minute(),
            c.second(),
            c.millisecond()
        )
    }
}

/// A moment that is not written as the contract says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a moment such as 2026-11-24T08:15:22.123+07:00")]
pub struct BadMoment(String);

impl TryFrom<String> for At {
    type Error = BadMoment;
    fn try_from(text: String) -> Result<Self, BadMoment> {
        let parsed = text.strip_suffix("+07:00").and_then(|local| local.parse::<DateTime>().ok());
        match parsed.map(Self::from_civil) {
            // One moment, one spelling: what would be written otherwise is not accepted.
            Some(at) if at.to_string() == text => Ok(at),
            _ => Err(BadMoment(text.chars().take(80).collect())),
        }
    }
}

impl From<At> for String {
    fn from(at: At) -> String {
        at.to_string()
    }
}

/// The day a contact belongs to, or review when the kiosk's clock was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Day {
    /// A working day in Viet Nam.
    On(Date),
    /// The opening moment cannot be right; a person decides.
    Review,
}

impl Day {
    /// The day of a contact opened at `opened`, as far as a service whose clock shows `received`
    /// can believe it: from 2026 on, and at most 26 hours ahead (a day and a lagging clock).
    pub fn of(opened: At, received: At) -> Self {
        let believable = opened.civil().year() >= 2026 && opened <= received.plus_minutes(26 * 60);
        if believable { Day::On(opened.date()) } else { Day::Review }
    }

    /// `2026-11-24`, or `review`.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "review" { Some(Day::Review) } else { text.parse().ok().map(Day::On) }
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Day::On(date) => write!(f, "{date}"),
            Day::Review => f.write_str("review"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> At {
        At::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn a_moment_is_written_with_milliseconds_and_the_offset() {
        let moment = at("2026-11-24T08:15:22.120+07:00");
        assert_eq!(moment.to_string(), "2026-11-24T08:15:22.120+07:00");
        assert_eq!(moment.timestamp().to_string(), "2026-11-24T01:15:22.12Z");
    }

    #[test]
    fn a_second_spelling_of_a_moment_is_refused() {
        for bad in [
            "2026-11-24T08:15:22.12+07:00",
            "2026-11-24T08:15:22+07:00",
            "2026-11-24T01:15:22.120Z",
            "2026-11-24 08:15:22.120+07:00",
        ] {
            assert!(At::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn midnight_in_viet_nam_parts_the_days() {
        let received = at("2026-11-25T09:00:00.000+07:00");
        let day = |text| Day::of(at(text), received).to_string();
        assert_eq!(day("2026-11-24T23:59:59.999+07:00"), "2026-11-24");
        assert_eq!(day("2026-11-25T00:00:00.000+07:00"), "2026-11-25");
        assert_eq!(day("1970-01-01T07:00:03.000+07:00"), "review");
        assert_eq!(day("2026-11-27T09:00:00.000+07:00"), "review");
    }
}
