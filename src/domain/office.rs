//! An office's directory: its counters, its officials, and who is on shift where and when.

use std::collections::BTreeSet;

use jiff::civil::{Date, DateTime, Time, Weekday};
use serde::{Deserialize, Serialize};

use super::calendar::{Calendar, Hours};
use super::ids::{CounterId, Hash, OfficeCode, OfficialId};
use super::signals::Thresholds;
use super::time::At;

/// An office (*Bộ phận Một cửa*).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Office {
    /// Its code.
    pub code: OfficeCode,
    /// Its full name, as shown everywhere.
    pub name: String,
    /// The form that its kiosks show.
    pub form: String,
    /// When it opens on working days.
    pub opens: Time,
    /// When it closes; a day's figures are `open` until then.
    pub closes: Time,
    /// What it was called before, the earliest name first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<FormerName>,
    /// How it ended, if it did: units are merged and closed by decision from a given day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

/// A name that an office had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerName {
    /// It.
    pub name: String,
    /// The last day under it.
    pub until: Date,
    /// By which decision it was changed, if one was cited.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub decision: String,
}

/// The end of an office. Its code is never used again: its figures stay under it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Its last day.
    pub until: Date,
    /// The office that it was merged into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub into: Option<OfficeCode>,
    /// By which decision, if one was cited.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub decision: String,
}

impl Office {
    /// Whether it is over by this day.
    pub fn is_over(&self, date: Date) -> bool {
        self.ended.as_ref().is_some_and(|ended| ended.until < date)
    }
}

/// A counter (*quầy*).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// Its code.
    pub id: CounterId,
    /// Its number on the wall.
    pub number: u16,
    /// What it serves.
    pub name: String,
    /// The branch (*điểm tiếp nhận*) of the office in which it stands, if not in the main one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub branch: String,
    /// Its last day, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
}

impl Counter {
    /// “Quầy 3 · Hộ tịch – Chứng thực”, as a published summary names it.
    pub fn label(&self) -> String {
        format!("Quầy {} · {}", self.number, self.name)
    }
}

/// An official (*cán bộ*).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Official {
    /// The code used in the roster.
    pub id: OfficialId,
    /// Full name, family name first.
    pub name: String,
    /// Position.
    pub title: String,
    /// Names their photo by the SHA-256 of its file as kiosks and phones get it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub photo: Option<Hash>,
    /// Their last day here, if they have one. Their code stays theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
}

/// Longest photo that kiosks and phones get, in bytes.
pub const PHOTO_BYTES: usize = 96 * 1024;

impl Official {
    /// First letters of the last two words, as people here are called: “Nguyễn Thị Thanh Lan” is
    /// “TL”.
    pub fn initials(&self) -> String {
        let words: Vec<&str> = self.name.split_whitespace().collect();
        words[words.len().saturating_sub(2)..]
            .iter()
            .filter_map(|word| word.chars().next())
            .flat_map(char::to_uppercase)
            .collect()
    }
}

/// One official at one counter at one time of one weekday.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shift {
    /// The weekday, 1 (Monday) to 7 (Sunday).
    pub weekday: i8,
    /// Where.
    pub counter: CounterId,
    /// Who.
    pub official: OfficialId,
    /// From this time of day on.
    pub from: Time,
    /// Until just before this time of day.
    pub to: Time,
}

/// All that a kiosk or a summary needs to know of an office.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    /// The office.
    pub office: Office,
    /// Its counters.
    pub counters: Vec<Counter>,
    /// Its officials.
    pub officials: Vec<Official>,
    /// Who is where when.
    pub roster: Vec<Shift>,
    /// When the office is open. A directory of before there was one has none: its summaries, which
    /// roots name, tell of no availability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<Calendar>,
    /// From when on a pattern is a signal; likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signals: Option<Thresholds>,
}

impl Directory {
    /// The official on shift at a counter, or nobody.
    pub fn on_shift(&self, counter: &CounterId, at: DateTime) -> Option<&Official> {
        let weekday = at.weekday().to_monday_one_offset();
        let shift = self.roster.iter().find(|shift| {
            shift.weekday == weekday
                && shift.counter == *counter
                && shift.from <= at.time()
                && at.time() < shift.to
        })?;
        self.official(&shift.official)
            .filter(|official| official.until.is_none_or(|until| at.date() <= until))
    }

    /// The official with this code.
    pub fn official(&self, id: &OfficialId) -> Option<&Official> {
        self.officials.iter().find(|official| official.id == *id)
    }

    /// The counter with this code.
    pub fn counter(&self, id: &CounterId) -> Option<&Counter> {
        self.counters.iter().find(|counter| counter.id == *id)
    }

    /// Whether the office works on this weekday: whether anybody is on the roster.
    pub fn works_on(&self, weekday: Weekday) -> bool {
        self.roster.iter().any(|shift| shift.weekday == weekday.to_monday_one_offset())
    }

    /// From when to when the office is open on a day, in order.
    pub fn open_on(&self, date: Date) -> Vec<(At, At)> {
        if self.office.is_over(date) {
            return Vec::new();
        }
        match &self.calendar {
            Some(calendar) => calendar.open_on(date),
            None if self.works_on(date.weekday()) => {
                let at = |time| At::from_civil(date.to_datetime(time));
                vec![(at(self.office.opens), at(self.office.closes))]
            }
            None => Vec::new(),
        }
    }

    /// When the office closes on a day: by its calendar; on a day on which it never opens, as on others.
    pub fn closes_on(&self, date: Date) -> Time {
        self.open_on(date).last().map_or(self.office.closes, |(_, to)| to.civil().time())
    }

    /// What a day off is called.
    pub fn day_off(&self, date: Date) -> Option<&str> {
        self.calendar.as_ref()?.day_off(date)
    }

    /// This later state, after an earlier one was changed from `before` to `after`: what the change says holds here, too,
    /// where this state was as the earlier one, word by word and day by day.
    pub fn carrying(&self, before: &Self, after: &Self) -> Self {
        if self == before {
            return after.clone();
        }
        let mut later = self.clone();
        let office = &mut later.office;
        let (was, is) = (&before.office, &after.office);
        if was.former != is.former {
            let renamed = office.former.get(was.former.len()..).unwrap_or_default().to_vec();
            if renamed.is_empty() {
                office.name.clone_from(&is.name);
            }
            let of_then = |former: FormerName| FormerName { name: is.name.clone(), ..former };
            let mut renamed = renamed.into_iter();
            let first = renamed.next().map(of_then);
            office.former = is.former.iter().cloned().chain(first).chain(renamed).collect();
        } else {
            follow(&mut office.name, &was.name, &is.name);
        }
        follow(&mut office.form, &was.form, &is.form);
        follow(&mut office.opens, &was.opens, &is.opens);
        follow(&mut office.closes, &was.closes, &is.closes);
        follow(&mut office.ended, &was.ended, &is.ended);
        follow_each(&mut later.roster, &before.roster, &after.roster, |one| one.weekday);
        follow(&mut later.signals, &before.signals, &after.signals);
        match (&mut later.calendar, &before.calendar, &after.calendar) {
            (Some(later), Some(before), Some(after)) => {
                follow(&mut later.hours, &before.hours, &after.hours);
                follow_each(&mut later.days, &before.days, &after.days, |one| one.date);
            }
            (later, before, after) => follow(later, before, after),
        }
        follow_each(&mut later.counters, &before.counters, &after.counters, |one| one.id.clone());
        for one in &mut later.counters {
            let (was, is) = (before.counter(&one.id), after.counter(&one.id));
            let (Some(was), Some(is)) = (was, is) else { continue };
            let Counter { id: _, number, name, branch, until } = one;
            follow(number, &was.number, &is.number);
            follow(name, &was.name, &is.name);
            follow(branch, &was.branch, &is.branch);
            follow(until, &was.until, &is.until);
        }
        follow_each(&mut later.officials, &before.officials, &after.officials, |one| {
            one.id.clone()
        });
        for one in &mut later.officials {
            let (was, is) = (before.official(&one.id), after.official(&one.id));
            let (Some(was), Some(is)) = (was, is) else { continue };
            let Official { id: _, name, title, photo, until } = one;
            follow(name, &was.name, &is.name);
            follow(title, &was.title, &is.title);
            follow(photo, &was.photo, &is.photo);
            follow(until, &was.until, &is.until);
        }
        let follow_roster = self.follows_roster() && after.follows_roster();
        if let (true, Some(_)) = (follow_roster, &later.calendar) {
            let hours = later.roster_hours();
            later.calendar.get_or_insert_default().hours = hours;
        }
        // Whoever is still on the roster stays.
        for shift in &later.roster {
            if later.officials.iter().all(|one| one.id != shift.official) {
                later.officials.extend(self.official(&shift.official).cloned());
            }
            if later.counters.iter().all(|one| one.id != shift.counter) {
                later.counters.extend(self.counter(&shift.counter).cloned());
            }
        }
        later
    }

    /// From opening to closing on days on which somebody is on the roster.
    pub fn roster_hours(&self) -> Vec<Hours> {
        let (from, to) = (self.office.opens, self.office.closes);
        let works = |weekday: &i8| self.roster.iter().any(|shift| shift.weekday == *weekday);
        (1..=7).filter(works).map(|weekday| Hours { weekday, from, to }).collect()
    }

    /// Whether the office's hours are those of its roster, and so follow it.
    pub fn follows_roster(&self) -> bool {
        self.calendar.as_ref().is_none_or(|calendar| calendar.hours == self.roster_hours())
    }

    /// What a kiosk needs of it: it judges nobody.
    pub fn for_kiosk(&self) -> Self {
        Self { signals: None, ..self.clone() }
    }

    /// The hash by which a `directory` line names this state.
    pub fn digest(&self) -> Hash {
        Hash::of(&serde_json::to_vec(self).unwrap_or_default())
    }
}

/// What was as before becomes what it is after.
fn follow<T: PartialEq + Clone>(later: &mut T, before: &T, after: &T) {
    if later == before {
        later.clone_from(after);
    }
}

/// The same of all that has one key, such as a code or a day: what is added, taken away, or another.
fn follow_each<T: PartialEq + Clone, K: Ord>(
    later: &mut Vec<T>,
    before: &[T],
    after: &[T],
    key: impl Fn(&T) -> K,
) {
    if later == before {
        after.clone_into(later);
        return;
    }
    let keys: BTreeSet<K> = before.iter().chain(after).map(&key).collect();
    for one in keys {
        let of =
            |all: &[T]| -> Vec<T> { all.iter().filter(|it| key(it) == one).cloned().collect() };
        let (was, is) = (of(before), of(after));
        if was != is && of(later) == was {
            let at = later.iter().position(|it| key(it) == one).unwrap_or(later.len());
            later.retain(|it| key(it) != one);
            later.splice(at..at, is);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::super::calendar::OwnDay;
    use super::*;

    #[test]
    fn what_is_changed_today_holds_in_what_is_to_come_word_by_word_and_day_by_day() {
        let official = |id: &str, title: &str, until: Option<Date>| Official {
            id: id.parse().unwrap(),
            name: "Đỗ An".into(),
            title: title.into(),
            photo: None,
            until,
        };
        let shift = |weekday: i8, official: &str| Shift {
            weekday,
            counter: "q3".parse().unwrap(),
            official: official.parse().unwrap(),
            from: "07:30".parse().unwrap(),
            to: "17:00".parse().unwrap(),
        };
        let own_day = |date: &str| OwnDay {
            date: date.parse().unwrap(),
            name: "Nghỉ bù".into(),
            hours: None,
        };
        let state = |officials: &[Official], roster: &[Shift], days: &[&str]| Directory {
            office: Office {
                code: "phu-sa".parse().unwrap(),
                name: String::new(),
                form: "nam-muc".into(),
                opens: "07:30".parse().unwrap(),
                closes: "17:00".parse().unwrap(),
                former: vec![],
                ended: None,
            },
            counters: vec![],
            officials: officials.to_vec(),
            roster: roster.to_vec(),
            calendar: Some(Calendar {
                hours: vec![],
                days: days.iter().map(|day| own_day(day)).collect(),
            }),
            signals: None,
        };
        let (first, other) = (official("cb02", "", None), official("cb03", "", None));
        let before = state(slice::from_ref(&first), &[shift(1, "cb02"), shift(2, "cb02")], &[]);
        // To come: a title, another official on Tuesdays, a day off.
        let titled = official("cb02", "Phó Giám đốc", None);
        let roster = [shift(1, "cb02"), shift(2, "cb03")];
        let later = state(&[titled.clone(), other.clone()], &roster, &["2026-12-24"]);
        // Today: a last day, the Monday's roster, another day off.
        let until = Some("2026-11-27".parse().unwrap());
        let gone = official("cb02", "", until);
        let mut today = state(
            &[gone, official("cb04", "", None)],
            &[shift(1, "cb04"), shift(2, "cb02")],
            &["2026-12-25"],
        );
        let carried = later.carrying(&before, &today);
        let expected =
            [official("cb02", "Phó Giám đốc", until), other.clone(), official("cb04", "", None)];
        assert_eq!(carried.officials, expected);
        assert_eq!(carried.roster, [shift(1, "cb04"), shift(2, "cb03")]);
        let days: Vec<String> =
            carried.calendar.unwrap().days.iter().map(|day| day.date.to_string()).collect();
        assert_eq!(days, ["2026-12-24", "2026-12-25"]);

        // What is taken back is taken back later, too, unless the later state's own roster needs it.
        let much_later = state(
            &[titled.clone(), other.clone()],
            &[shift(1, "cb02"), shift(2, "cb03"), shift(3, "cb02")],
            &["2026-12-24"],
        );
        assert_eq!(much_later.carrying(&later, &before).officials, slice::from_ref(&first));
        let needed = state(&[titled, other.clone()], &[shift(3, "cb03")], &[]);
        assert_eq!(needed.carrying(&later, &before).officials, [first, other]);
        // What is as it was follows wholly, in its order; hours that follow the roster go on doing so.
        today.roster.reverse();
        assert_eq!(before.carrying(&before, &today), today);
        let mut following = [&before, &before, &before].map(Directory::clone);
        let [now, changed, later] = &mut following;
        later.office.opens = "08:00".parse().unwrap();
        changed.roster.push(shift(6, "cb02"));
        for one in [&mut *now, &mut *changed, &mut *later] {
            one.calendar = Some(Calendar { hours: one.roster_hours(), days: vec![] });
        }
        let carried = later.carrying(now, changed);
        let opens: Vec<(i8, String)> = carried
            .calendar
            .unwrap()
            .hours
            .iter()
            .map(|hours| (hours.weekday, hours.from.to_string()))
            .collect();
        assert_eq!(opens, [1, 2, 6].map(|weekday| (weekday, "08:00:00".to_owned())));
    }

    #[test]
    fn a_hand_over_at_noon_has_no_gap_and_no_overlap() {
        let shift = |official: &str, from: &str, to: &str| Shift {
            weekday: 2,
            counter: "q3".parse().unwrap(),
            official: official.parse().unwrap(),
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
        };
        let official = |id: &str, name: &str| Official {
            id: id.parse().unwrap(),
            name: name.into(),
            title: String::new(),
            photo: None,
            until: None,
        };
        let directory = Directory {
            office: Office {
                code: "phu-sa".parse().unwrap(),
                name: String::new(),
                form: "nam-muc".into(),
                opens: "07:30".parse().unwrap(),
                closes: "17:00".parse().unwrap(),
                former: vec![],
                ended: None,
            },
            counters: vec![],
            officials: vec![official("cb07", "Nguyễn Thị Thanh Lan"), official("cb08", "Đỗ An")],
            roster: vec![shift("cb07", "07:30", "12:00"), shift("cb08", "12:00", "17:00")],
            calendar: None,
            signals: None,
        };
        let q3 = "q3".parse().unwrap();
        // 2026-11-24 is a Tuesday.
        let who = |time: &str| {
            directory
                .on_shift(&q3, format!("2026-11-24T{time}").parse().unwrap())
                .map(|official| official.initials())
        };
        assert_eq!(who("07:29:59"), None);
        assert_eq!(who("07:30:00").as_deref(), Some("TL"));
        assert_eq!(who("11:59:59").as_deref(), Some("TL"));
        assert_eq!(who("12:00:00").as_deref(), Some("ĐA"));
        assert_eq!(who("17:00:00"), None);
    }
}
