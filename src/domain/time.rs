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

    /// The beginning of its minute.
    pub fn minute(self) -> Self {
        let ms = self.0.as_millisecond();
        Self(Timestamp::from_millisecond(ms - ms.rem_euclid(60_000)).unwrap_or(self.0))
    }

    /// Whether a kiosk can have been in use then: from 2026 on.
    pub fn is_possible(self) -> bool {
        self.civil().year() >= 2026
    }

    /// The latest day that something which is received now can be of.
    fn latest_day(self) -> Date {
        self.plus_minutes(NEAR_MINUTES).date()
    }

    /// Whether by a clock that was `off` milliseconds from this one, the day can be another.
    fn may_be(self, off: i64, day: Day, received: At) -> bool {
        let other = self.0.checked_add(jiff::SignedDuration::from_millis(off)).map(At);
        other.is_ok_and(|other| match Day::of(other, received) {
            Day::Review => false,
            possible => possible != day,
        })
    }

    /// Whether a line of this moment, received at that one, shows that its clock was right.
    pub fn is_confirmed_by(self, received: At) -> bool {
        self.0.duration_since(received.0).abs() <= jiff::SignedDuration::from_mins(NEAR_MINUTES)
    }

    /// The latest moment that it can be when it was received by a clock that was up to `behind`
    /// milliseconds behind.
    fn at_the_latest(self, behind: i64, received: At) -> At {
        let late = self.0.checked_add(jiff::SignedDuration::from_millis(behind)).map(At);
        late.unwrap_or(received).min(received)
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

/// How far a kiosk's clock may be from the central service's, in minutes.
const NEAR_MINUTES: i64 = 10;

/// A jump of a kiosk's clock, as a `clock` line tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Number of the line.
    pub seq: u64,
    /// By how much the clock jumped, in milliseconds.
    pub ms: i64,
    /// What it showed afterwards.
    pub at: At,
}

/// What is known of the clock of an epoch.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clockwork<'a> {
    /// Its jumps, in the order of their lines.
    pub steps: &'a [Step],
    /// Number of the jump against the epoch before: the clock stood before that one's last line.
    pub across: Option<u64>,
    /// What the clock of the epoch after showed at first, when that was before this one's end.
    pub overtaken: Option<At>,
    /// How far the clock may have been behind all the while, in milliseconds: what the epochs
    /// after were put forward by, when no line of this one arrived near its own time. Else 0.
    pub behind: i64,
}

impl Clockwork<'_> {
    /// How far the clock may have been behind at line `seq`, in milliseconds, by what came after.
    fn behind_at(self, seq: u64) -> i64 {
        if self.behind <= 0 {
            return 0;
        }
        let own: i64 = self.steps.iter().filter(|step| step.seq > seq).map(|step| step.ms).sum();
        own.saturating_add(self.behind)
    }
}

impl Day {
    /// The day of a contact opened at `opened`, as far as a service whose clock shows `received`
    /// can believe it: from 2026 on, and not of a later day than the one on which it arrived.
    pub fn of(opened: At, received: At) -> Self {
        let possible = opened.civil().year() >= 2026 && opened.date() <= received.latest_day();
        if possible { Day::On(opened.date()) } else { Day::Review }
    }

    /// The day of the contact of line `seq`, as [`Day::of`], by a clock that may have jumped.
    ///
    /// Which side of a jump was right nobody can tell. A later side is believed to have been put
    /// right, an earlier one may have been right if the clock went back. When by any of them the
    /// day would be another, a person decides.
    pub fn by(clock: Clockwork<'_>, seq: u64, opened: At, received: At) -> Self {
        let day = Self::of(opened, received);
        let overtaken = clock.overtaken.is_some_and(|after| opened > after.plus_minutes(1));
        // Somewhere between not at all and so far, nobody knows where.
        let latest = opened.at_the_latest(clock.behind_at(seq), received);
        if day == Day::Review || overtaken || latest.date() > opened.date() {
            return Day::Review;
        }
        let own: i64 = clock.steps.iter().filter(|step| step.seq < seq).map(|step| step.ms).sum();
        // How far the clock was from where it is here, before each jump and after the last.
        let mut side = -own;
        let mut before = true;
        for step in clock.steps {
            before &= step.seq < seq;
            if before {
                // Over night the earlier clock went on, nobody knows how far.
                let across = clock.across == Some(step.seq) && side > 60_000;
                if across || (side > 0 && opened.may_be(side, day, received)) {
                    return Day::Review;
                }
            }
            side += step.ms;
            if step.seq > seq && opened.may_be(side, day, received) {
                return Day::Review;
            }
        }
        day
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
        assert_eq!(day("2026-11-26T00:00:00.000+07:00"), "review", "not yet");
    }

    #[test]
    fn by_a_clock_that_jumped_a_day_is_certain_or_in_review() {
        let opened = |text: &str| at(&format!("2026-11-{text}:00.000+07:00"));
        let hours = |h: i64| h * 3_600_000;
        let step = |seq, h| Step { seq, ms: hours(h), at: opened("24T09:00") };
        let received = opened("26T09:00");
        let day = |steps: &[Step], seq, text| {
            Day::by(Clockwork { steps, ..Clockwork::default() }, seq, opened(text), received)
                .to_string()
        };
        // Put right by +14 hours: what was before is doubted, what comes after is not.
        let right = [step(10, 14)];
        assert_eq!(day(&right, 5, "23T17:40"), "review");
        assert_eq!(day(&right, 5, "23T01:40"), "2026-11-23", "the day is the same by either");
        assert_eq!(day(&right, 11, "24T08:00"), "2026-11-24");
        // A day ahead for a while.
        let astray = [step(10, 24), step(20, -24)];
        assert_eq!(day(&astray, 15, "25T08:00"), "review");
        // Back by a day for good: neither side is certain.
        let back = [step(10, -24)];
        assert_eq!(day(&back, 5, "24T08:00"), "review");
        assert_eq!(day(&back, 15, "23T08:00"), "review");
        // To 1970 and back: no day could be meant there.
        let lost = [step(10, -24 * 20_000), step(20, 24 * 20_000)];
        assert_eq!(day(&lost, 5, "24T08:00"), "2026-11-24");
        assert_eq!(day(&lost, 25, "24T10:00"), "2026-11-24");
    }

    #[test]
    fn a_clock_that_starts_before_the_end_of_the_epoch_before_is_not_believed() {
        let opened = |text: &str| at(&format!("2026-11-{text}:00.000+07:00"));
        let received = opened("26T09:00");
        let back = Step { seq: 2, ms: -9 * 3_600_000, at: opened("23T07:30") };
        let right = Step { seq: 8, ms: 24 * 3_600_000, at: opened("24T08:00") };
        let day = |steps: &[Step], seq, text| {
            let clock = Clockwork { steps, across: Some(2), ..Clockwork::default() };
            Day::by(clock, seq, opened(text), received).to_string()
        };
        assert_eq!(day(&[back], 5, "23T07:40"), "review");
        assert_eq!(day(&[back, right], 5, "23T07:40"), "review");
        assert_eq!(day(&[back, right], 9, "24T08:10"), "2026-11-24", "put right since");
        let overtaken = Clockwork { overtaken: Some(opened("25T07:00")), ..Clockwork::default() };
        let day = |text| Day::by(overtaken, 5, opened(text), received).to_string();
        assert_eq!(day("25T08:00"), "review");
        assert_eq!(day("24T08:00"), "2026-11-24");
    }
}
