//! Appointment slips (“Giấy tiếp nhận hồ sơ và hẹn trả kết quả”): which file a scanned or typed one is for, and
//! whether it has spoken for a contact today.
//!
//! A slip's QR code carries the file's code and the applicant's identity number. Only the code's date and number
//! are read, everything else is dropped; and even these are kept as nothing but a mark under a key that is in
//! memory alone, until the office closes. No line, no file and no log ever holds any of it.

use std::collections::BTreeSet;

use hmac::{Hmac, KeyInit, Mac};
use jiff::civil::{Date, DateTime, Time};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::visit::SlipRead;
use crate::domain::Random;

/// Most digits that are typed: the date, YYMMDD, and a number of seven.
pub const MOST_DIGITS: usize = 13;
/// Digits of the date, YYMMDD.
pub const DATE: usize = 6;
/// Digits of the number: a ministry's system has six or seven.
const NUMBER: std::ops::RangeInclusive<usize> = 4..=7;
/// A file is older than this on no slip that somebody comes with.
const OLDEST_YEARS: i16 = 5;

/// A file's date and number. Cleared from memory when it is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slip(Zeroizing<String>);

impl Slip {
    /// Finds a file code in what a scanner read: new shape `H15.50.05.13-261008-0975`, old shape
    /// `000.00.16.H05-240101-0001`, whatever stands around it. None without one whose date there can be.
    pub fn scanned(text: &str, today: Date) -> Option<Self> {
        let token = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        text.split(|c| !token(c)).find_map(|word| {
            let mut parts = word.split('-');
            let (agency, date, number) = (parts.next()?, parts.next()?, parts.next()?);
            if parts.next().is_some() || !is_agency(agency) {
                return None;
            }
            Self::of(date, number, today)
        })
    }

    /// The date and number as they were typed, one after the other.
    pub fn typed(digits: &str, today: Date) -> Option<Self> {
        let (date, number) = digits.split_at_checked(DATE)?;
        Self::of(date, number, today)
    }

    fn of(date: &str, number: &str, today: Date) -> Option<Self> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if date.len() != DATE || !NUMBER.contains(&number.len()) || !digits(date) || !digits(number)
        {
            return None;
        }
        let part = |from: usize| date[from..from + 2].parse::<i8>().ok();
        let (year, month, day) = (i16::from(part(0)?) + 2_000, part(2)?, part(4)?);
        let date_given = Date::new(year, month, day).ok()?;
        let there_can_be = date_given <= today && today.year() - year <= OLDEST_YEARS;
        there_can_be.then(|| Self(Zeroizing::new(format!("{date}{number}"))))
    }
}

/// `H15.50.05.13`, or `000.00.16.H05` of earlier years; scanners may send small letters.
fn is_agency(text: &str) -> bool {
    let pairs = |parts: &[&str]| {
        parts.iter().all(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()))
    };
    let place = |part: &str| {
        let bytes = part.as_bytes();
        bytes.len() == 3 && bytes[0].is_ascii_alphabetic() && pairs(&[&part[1..]])
    };
    let parts: Vec<&str> = text.split('.').collect();
    match parts.as_slice() {
        [first, rest @ ..] if place(first) => rest.len() <= 3 && pairs(rest),
        [zeros, one, two, first, rest @ ..] => {
            zeros.len() == 3
                && zeros.bytes().all(|byte| byte.is_ascii_digit())
                && pairs(&[one, two])
                && place(first)
                && rest.len() <= 3
                && pairs(rest)
        }
        _ => false,
    }
}

/// The slips that have spoken for a contact since the office opened, and the one that is about to.
pub struct Used {
    random: fn() -> Random,
    key: Zeroizing<[u8; 32]>,
    marks: BTreeSet<[u8; 32]>,
    /// The day, and whether the office has closed on it: with the next, all of it is forgotten.
    period: Option<(Date, bool)>,
    /// Read, and its contact not on the disk yet.
    read: Option<Slip>,
}

impl Used {
    /// None so far, under keys from `random`.
    pub fn new(random: fn() -> Random) -> Self {
        let (key, marks) = (Zeroizing::default(), BTreeSet::new());
        Self { random, key, marks, period: None, read: None }
    }

    /// Forgets everything when the office closes, and when a day ends.
    pub fn follow(&mut self, now: DateTime, closes: Time) {
        let period = Some((now.date(), now.time() >= closes));
        if self.period != period {
            self.period = period;
            self.marks.clear();
            self.read = None;
            (self.random)().fill_bytes(&mut *self.key);
        }
    }

    /// A slip was scanned or typed, or what is none.
    pub fn read(&mut self, slip: Option<Slip>) -> SlipRead {
        self.read = None;
        match slip {
            None => SlipRead::Unreadable,
            Some(slip) if self.marks.contains(&self.mark(&slip)) => SlipRead::Used,
            fresh => {
                self.read = fresh;
                SlipRead::Fresh
            }
        }
    }

    /// The contact that the slip read last speaks for is on the disk.
    pub fn keep(&mut self) {
        if let Some(slip) = self.read.take() {
            self.marks.insert(self.mark(&slip));
        }
    }

    /// Nobody goes on with the slip read last: it may be used again.
    pub fn leave(&mut self) {
        self.read = None;
    }

    fn mark(&self, slip: &Slip) -> [u8; 32] {
        // HMAC takes a key of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&*self.key) else { return [0; 32] };
        mac.update(slip.0.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::system_random;

    fn today() -> Date {
        "2026-11-24".parse().unwrap()
    }

    fn scanned(text: &str) -> Option<String> {
        Slip::scanned(text, today()).map(|slip| slip.0.to_string())
    }

    #[test]
    fn a_code_of_either_shape_is_found_among_whatever_else_a_slip_carries() {
        for (text, found) in [
            ("H15.50.05.13-261008-0975", Some("2610080975")),
            ("000.00.16.H05-240101-0001", Some("2401010001")),
            ("H15-261008-123456", Some("261008123456")),
            ("h15.50-261008-1234567", Some("2610081234567")),
            ("H15.50.05.13-261008-0975|033085001234|Nguyễn Văn An|08101985", Some("2610080975")),
            ("https://dvc.example.vn/?ma=H15.50.05.13-261008-0975&x=1", Some("2610080975")),
            ("033085001234;H15.50.05.13-261008-0975", Some("2610080975")),
        ] {
            assert_eq!(scanned(text).as_deref(), found, "{text}");
        }
    }

    #[test]
    fn what_is_no_file_code_is_none() {
        for text in [
            "",
            "033085001234",
            "261008-0975",
            "H15.50.05.13-261308-0975",
            "H15.50.05.13-260230-0975",
            "H15.50.05.13-261125-0975",
            "H15.50.05.13-200101-0975",
            "H15.50.05.13-26108-0975",
            "H15.50.05.13-261008-097",
            "H15.50.05.13-261008-09751234",
            "H15.50.05.13-261008-0975-1",
            "H15.50.05.13.99-261008-0975",
            "15.50-261008-0975",
            "00.00.16.H05-240101-0001",
            "H15.5-261008-0975",
        ] {
            assert_eq!(scanned(text), None, "{text}");
        }
        assert_eq!(Slip::typed("261", today()), None);
        assert_eq!(Slip::typed("26100é80975", today()), None);
    }

    #[test]
    fn a_slip_is_the_same_scanned_and_typed_and_speaks_once_until_the_office_closes() {
        let scanned = Slip::scanned("H15.50.05.13-261008-0975", today()).unwrap();
        let typed = Slip::typed("2610080975", today()).unwrap();
        assert_eq!(scanned, typed);
        let closes: Time = "17:00".parse().unwrap();
        let mut used = Used::new(system_random);
        let at = |text: &str| -> DateTime { text.parse().unwrap() };
        used.follow(at("2026-11-24T08:00"), closes);
        assert_eq!(used.read(Some(scanned.clone())), SlipRead::Fresh);
        used.leave();
        used.keep();
        assert_eq!(used.read(Some(scanned.clone())), SlipRead::Fresh, "nobody went on with it");
        used.keep();
        let key = used.key.clone();
        used.follow(at("2026-11-24T16:59"), closes);
        assert_eq!(used.read(Some(typed.clone())), SlipRead::Used);
        let other = Slip::typed("2610080976", today());
        assert_eq!(used.read(other), SlipRead::Fresh);
        assert_eq!(used.read(None), SlipRead::Unreadable);
        used.follow(at("2026-11-24T17:00"), closes);
        assert_eq!(used.read(Some(typed.clone())), SlipRead::Fresh, "forgotten at closing");
        assert_ne!(used.key, key, "and so is the key");
        used.keep();
        used.follow(at("2026-11-25T08:00"), closes);
        assert_eq!(used.read(Some(typed)), SlipRead::Fresh, "and with the day");
    }
}
