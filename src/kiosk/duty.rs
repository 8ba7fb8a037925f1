//! Who stands at which counter: whoever the roster has there, unless another official has said by their own code
//! that it is they.
//!
//! What a code said holds until the roster hands the counter over, the office closes or the day ends: who forgets
//! to go has gone all the same, and nobody's word makes a counter nobody's. It is kept on the disk, so that a
//! kiosk that starts again at noon still knows who stands in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::ToSpan;
use jiff::civil::{DateTime, Time};
use serde::{Deserialize, Serialize};

use crate::domain::ids::{CounterId, OfficialId};
use crate::domain::office::{Directory, Official};
use crate::files::write_whole;

const FILE: &str = "signed-in.json";

/// An official who said that they stand at a counter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SignedIn {
    official: OfficialId,
    since: DateTime,
    until: DateTime,
}

impl SignedIn {
    fn holds(&self, now: DateTime) -> bool {
        (self.since..self.until).contains(&now)
    }
}

/// Until when it holds what somebody says now of a counter: until the roster's next change there, or until the
/// office closes; after that, until the day ends.
fn until(directory: &Directory, counter: &CounterId, now: DateTime) -> DateTime {
    let today = now.date();
    let weekday = today.weekday().to_monday_one_offset();
    let rostered = |at: DateTime| directory.on_shift(counter, at).map(|official| &official.id);
    let there = directory.roster.iter().filter(|s| s.weekday == weekday && s.counter == *counter);
    let changes = there.flat_map(|shift| [shift.from, shift.to]);
    let closing = directory.closes_on(today);
    let moments = changes.chain([closing]).map(|time| today.to_datetime(time));
    let ends =
        |at: &DateTime| *at > now && (at.time() == closing || rostered(*at) != rostered(now));
    let midnight = today.saturating_add(1.day()).to_datetime(Time::midnight());
    moments.filter(ends).min().unwrap_or(midnight)
}

type Known = BTreeMap<CounterId, SignedIn>;

/// Who stands where. Clones know the same.
#[derive(Debug, Clone)]
pub struct Duty {
    file: PathBuf,
    known: Arc<Mutex<Known>>,
}

impl Duty {
    /// What was said before, from a kiosk's folder. A file that cannot be read is none: the roster decides.
    pub fn open(folder: &Path) -> Self {
        let file = folder.join(FILE);
        let read = std::fs::read(&file).ok();
        let known = read.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { file, known: Arc::new(Mutex::new(known)) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The official at a counter, or nobody.
    pub fn who<'a>(
        &self,
        directory: &'a Directory,
        counter: &CounterId,
        now: DateTime,
    ) -> Option<&'a Official> {
        let known = self.known();
        let signed_in = known.get(counter).filter(|one| one.holds(now));
        let signed_in = signed_in.and_then(|one| directory.official(&one.official));
        signed_in.or_else(|| directory.on_shift(counter, now))
    }

    /// An official stands at a counter from now on, and at no other.
    ///
    /// # Errors
    /// When it cannot be kept; it holds all the same, until the process ends.
    pub fn sign_in(
        &self,
        directory: &Directory,
        counter: &CounterId,
        official: &OfficialId,
        now: DateTime,
    ) -> std::io::Result<()> {
        let mut known = self.known();
        known.retain(|_, one| one.official != *official && one.holds(now));
        let until = until(directory, counter, now);
        let signed_in = SignedIn { official: official.clone(), since: now, until };
        known.insert(counter.clone(), signed_in);
        let bytes = serde_json::to_vec(&*known).map_err(std::io::Error::from)?;
        write_whole(&self.file, &bytes, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::office::{Office, Shift};

    fn directory() -> Directory {
        let shift = |counter: &str, official: &str, from: &str, to: &str| Shift {
            weekday: 2,
            counter: counter.parse().unwrap(),
            official: official.parse().unwrap(),
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
        };
        let official = |id: &str| Official {
            id: id.parse().unwrap(),
            name: id.into(),
            title: String::new(),
            photo: None,
            until: None,
        };
        Directory {
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
            officials: ["cb01", "cb02", "cb03"].map(official).to_vec(),
            roster: vec![
                shift("q1", "cb01", "07:30", "12:00"),
                shift("q1", "cb02", "12:00", "17:00"),
                shift("q2", "cb02", "07:30", "12:00"),
                shift("q3", "cb01", "07:30", "11:30"),
                shift("q3", "cb01", "13:30", "17:00"),
            ],
            calendar: None,
            signals: None,
        }
    }

    /// A Tuesday.
    fn at(time: &str) -> DateTime {
        format!("2026-11-24T{time}").parse().unwrap()
    }

    fn who(duty: &Duty, counter: &str, now: DateTime) -> Option<String> {
        let directory = directory();
        let who = duty.who(&directory, &counter.parse().unwrap(), now);
        who.map(|official| official.id.to_string())
    }

    fn sign_in(duty: &Duty, counter: &str, official: &str, now: DateTime) {
        let (counter, official) = (counter.parse().unwrap(), official.parse().unwrap());
        duty.sign_in(&directory(), &counter, &official, now).unwrap();
    }

    #[test]
    fn a_stand_in_stands_there_until_the_roster_hands_over_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let duty = Duty::open(folder.path());
        assert_eq!(who(&duty, "q1", at("08:00")).as_deref(), Some("cb01"));
        sign_in(&duty, "q1", "cb03", at("08:00"));
        let duty = Duty::open(folder.path());
        assert_eq!(who(&duty, "q1", at("11:59")).as_deref(), Some("cb03"));
        assert_eq!(who(&duty, "q1", at("12:00")).as_deref(), Some("cb02"), "handed over at noon");
        assert_eq!(who(&duty, "q2", at("08:00")).as_deref(), Some("cb02"), "another counter");
    }

    #[test]
    fn who_forgets_to_go_has_gone_when_the_office_closes_and_when_the_day_ends() {
        let folder = tempfile::tempdir().unwrap();
        let duty = Duty::open(folder.path());
        // Where the roster has nobody.
        sign_in(&duty, "q2", "cb03", at("13:00"));
        assert_eq!(who(&duty, "q2", at("16:59")).as_deref(), Some("cb03"));
        assert_eq!(who(&duty, "q2", at("17:00")), None);
        assert_eq!(who(&duty, "q2", "2026-12-01T13:00".parse().unwrap()), None);
    }

    #[test]
    fn who_stood_in_before_noon_does_not_come_back_with_the_afternoons_shift() {
        let folder = tempfile::tempdir().unwrap();
        let duty = Duty::open(folder.path());
        sign_in(&duty, "q3", "cb03", at("08:00"));
        assert_eq!(who(&duty, "q3", at("11:29")).as_deref(), Some("cb03"));
        assert_eq!(who(&duty, "q3", at("11:30")), None, "nobody over noon");
        assert_eq!(who(&duty, "q3", at("13:30")).as_deref(), Some("cb01"));
        // Whoever works longer than the office is open says so, and it holds.
        sign_in(&duty, "q3", "cb02", at("17:05"));
        assert_eq!(who(&duty, "q3", at("18:00")).as_deref(), Some("cb02"));
    }

    #[test]
    fn of_two_at_one_counter_the_last_one_stands_there_and_nobody_at_two() {
        let folder = tempfile::tempdir().unwrap();
        let duty = Duty::open(folder.path());
        sign_in(&duty, "q1", "cb03", at("08:00"));
        sign_in(&duty, "q1", "cb02", at("09:00"));
        assert_eq!(who(&duty, "q1", at("09:01")).as_deref(), Some("cb02"));
        sign_in(&duty, "q2", "cb02", at("10:00"));
        assert_eq!(who(&duty, "q1", at("10:01")).as_deref(), Some("cb01"), "the roster again");
    }

    #[test]
    fn rubbish_on_the_disk_and_an_official_who_has_left_leave_it_to_the_roster() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), b"{").unwrap();
        let duty = Duty::open(folder.path());
        assert_eq!(who(&duty, "q1", at("08:00")).as_deref(), Some("cb01"));
        sign_in(&duty, "q1", "cb99", at("08:00"));
        assert_eq!(who(&duty, "q1", at("08:00")).as_deref(), Some("cb01"));
    }
}
