//! What the screen shows when nobody has touched it for a while: one card after the other, standing still;
//! outside of opening hours, that the office is closed and when it opens. Pure.

use jiff::ToSpan;
use jiff::civil::{Date, DateTime};

use crate::domain::office::Directory;

/// So long nobody touches the first page before it rests, in milliseconds.
pub const QUIET_MS: u64 = 90_000;
/// So long each card stands, in milliseconds.
pub const CARD_MS: u64 = 20_000;

/// So many days an office is closed at most: the New Year's festival with what is put before and after it.
const LONGEST_CLOSED: i64 = 31;

/// What the screen shows at rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resting {
    /// A card, by its place.
    Card(usize),
    /// The office is closed until then.
    Closed(DateTime),
}

/// What to show after `quiet_ms` without a touch; none while the first page is to be seen. Between cards the
/// first page itself has its turn, so that nobody wonders what the screen is for.
pub fn resting(
    quiet_ms: u64,
    cards: usize,
    directory: &Directory,
    now: DateTime,
) -> Option<Resting> {
    let over = quiet_ms.checked_sub(QUIET_MS)?;
    if let Some(opens) = closed_until(directory, now) {
        return Some(Resting::Closed(opens));
    }
    let turn = usize::try_from(over / CARD_MS).unwrap_or_default() % (cards + 1);
    (turn < cards).then_some(Resting::Card(turn))
}

/// When the office opens next, if it is closed now: by its calendar, or outside of its hours and on weekdays on
/// which nobody is on the roster. None when it is open, or when nothing tells that it ever is.
pub fn closed_until(directory: &Directory, now: DateTime) -> Option<DateTime> {
    let opening =
        |day: Date| directory.open_on(day).into_iter().map(|(from, to)| (from.civil(), to.civil()));
    if opening(now.date()).any(|(from, to)| (from..to).contains(&now)) {
        return None;
    }
    let days = (0..=LONGEST_CLOSED).map(|later: i64| now.date().saturating_add(later.days()));
    days.flat_map(opening).map(|(from, _)| from).find(|from| *from > now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::calendar::{Calendar, Hours, OwnDay};
    use crate::domain::office::{Office, Shift};

    fn directory() -> Directory {
        let shift = |weekday| Shift {
            weekday,
            counter: "q3".parse().unwrap(),
            official: "cb07".parse().unwrap(),
            from: "07:30".parse().unwrap(),
            to: "17:00".parse().unwrap(),
        };
        Directory {
            office: Office {
                code: "phu-sa".parse().unwrap(),
                name: "Xã Phù Sa".into(),
                form: "nam-muc".into(),
                opens: "07:30".parse().unwrap(),
                closes: "17:00".parse().unwrap(),
                former: vec![],
                ended: None,
            },
            counters: vec![],
            officials: vec![],
            roster: (1..=5).map(shift).collect(),
            calendar: None,
            signals: None,
        }
    }

    fn at(text: &str) -> DateTime {
        text.parse().unwrap()
    }

    #[test]
    fn cards_take_turns_with_the_first_page_and_nothing_moves_in_between() {
        let shown = |ms| resting(ms, 3, &directory(), at("2026-11-24T09:00"));
        assert_eq!(shown(QUIET_MS - 1), None);
        for (ms, card) in [
            (QUIET_MS, Some(0)),
            (QUIET_MS + CARD_MS - 1, Some(0)),
            (QUIET_MS + CARD_MS, Some(1)),
            (QUIET_MS + 2 * CARD_MS, Some(2)),
            (QUIET_MS + 3 * CARD_MS, None),
            (QUIET_MS + 4 * CARD_MS, Some(0)),
        ] {
            assert_eq!(shown(ms), card.map(Resting::Card), "{ms}");
        }
        assert_eq!(resting(u64::MAX, 0, &directory(), at("2026-11-24T09:00")), None);
    }

    #[test]
    fn out_of_hours_it_says_when_the_office_opens() {
        let closed = |text| closed_until(&directory(), at(text));
        // A Tuesday, a Friday evening, a Sunday.
        for (now, opens) in [
            ("2026-11-24T07:29:59", Some("2026-11-24T07:30")),
            ("2026-11-24T07:30", None),
            ("2026-11-24T16:59:59", None),
            ("2026-11-24T17:00", Some("2026-11-25T07:30")),
            ("2026-11-27T18:00", Some("2026-11-30T07:30")),
            ("2026-11-29T09:00", Some("2026-11-30T07:30")),
        ] {
            assert_eq!(closed(now), opens.map(at), "{now}");
        }
        let festival = Directory {
            calendar: Some(Calendar {
                hours: (1..=5)
                    .flat_map(|weekday| {
                        let hours = |from: &str, to: &str| Hours {
                            weekday,
                            from: from.parse().unwrap(),
                            to: to.parse().unwrap(),
                        };
                        [hours("07:30", "11:30"), hours("13:30", "17:00")]
                    })
                    .collect(),
                days: vec![OwnDay {
                    date: "2026-11-25".parse().unwrap(),
                    name: "Nghỉ bù".into(),
                    hours: None,
                }],
            }),
            ..directory()
        };
        let until = |text| closed_until(&festival, at(text));
        assert_eq!(until("2026-11-24T17:30"), Some(at("2026-11-26T07:30")), "after a day off");
        assert_eq!(until("2026-11-25T09:00"), Some(at("2026-11-26T07:30")));
        assert_eq!(until("2026-11-24T12:00"), Some(at("2026-11-24T13:30")), "over noon");
        let nobody = Directory { roster: vec![], ..directory() };
        assert_eq!(closed_until(&nobody, at("2026-11-24T20:00")), None, "who knows");
        let evening = at("2026-11-24T20:00");
        assert_eq!(
            resting(QUIET_MS - 1, 3, &directory(), evening),
            None,
            "whoever touches it rates"
        );
    }
}
