//! The staff's side of the screen, behind a corner and a code: an official says who stands at a counter, a
//! technician looks after the kiosk. A pure state machine.
//!
//! - It opens only while no visitor is at the screen, and never shows anything of an answer.
//! - A code says who stands there; none says that nobody does, skips, blocks or opens a rating.
//! - Wrong codes slow down what follows, also after a restart, and each is recorded.
//! - Untouched, it goes away by itself.

use zeroize::Zeroizing;

use super::typing::Stroke;
use crate::domain::attempts::Attempts;
use crate::domain::ids::{CounterId, OfficialId};
use crate::domain::staff_code::{DIGITS, Staff as Who};
use crate::domain::time::At;

/// So long the code, and what an official sees, wait untouched, in milliseconds.
pub const CODE_MS: u64 = 30_000;
/// So long a technician's page does.
pub const MAINTENANCE_MS: u64 = 300_000;
/// So long it says that an official was confirmed.
pub const CONFIRMED_MS: u64 = 6_000;

/// What is on the staff's side of the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// A code is typed.
    Code {
        /// The digits so far. Cleared from memory when they are dropped.
        digits: Zeroizing<String>,
        /// Whether the code before was wrong.
        wrong: bool,
    },
    /// An official who is not on the roster here says at which counter they stand.
    Counter(OfficialId),
    /// An official is being written down at a counter.
    Confirming(OfficialId, CounterId),
    /// An official is confirmed at a counter.
    Confirmed(OfficialId, CounterId),
    /// It could not be written down, and why.
    Failed(String),
    /// The technician's page, and what came of the last thing that was done there.
    Maintenance {
        /// In words.
        told: Option<String>,
    },
    /// Whether the screen takes touches everywhere: which of nine points were hit.
    Touch([bool; 9]),
    /// Whether the technician really leaves.
    Leave,
}

/// What happened there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The corner was held.
    Open,
    /// A key of the digits.
    Type(Stroke),
    /// A badge was scanned.
    Badge(Zeroizing<String>),
    /// Whom the code belongs to, if anybody; and where the roster has that official now.
    Checked(Option<Who>, Option<CounterId>),
    /// The counter was chosen.
    Counter(CounterId),
    /// Who was confirmed where the roster has them stands somewhere else.
    Elsewhere,
    /// What became of the confirmation.
    Confirmed(Result<(), String>),
    /// The touch test.
    Touch,
    /// One of its nine points was hit.
    Hit(usize),
    /// Journals are written on a stick.
    Export,
    /// What came of it.
    Exported(String),
    /// The program is to be left.
    Leave,
    /// Back, or away.
    Done,
    /// The screen was touched.
    Touched,
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Look whose code it is.
    Check(Zeroizing<String>),
    /// Write down that a code was wrong.
    WrongCode,
    /// Write down who stands at a counter.
    Confirm(OfficialId, CounterId),
    /// Write journals on a stick.
    Export,
    /// End the program.
    End,
}

/// The staff's side.
#[derive(Debug, Default)]
pub struct Staff {
    page: Option<Page>,
    attempts: Attempts,
    touched_ms: u64,
    /// Whether a code is being looked at, on whatever page.
    checking: bool,
    /// Whether journals are being written on a stick.
    copying: bool,
}

impl Staff {
    /// Away, after so many wrong codes.
    pub fn new(attempts: Attempts) -> Self {
        Self { attempts, ..Self::default() }
    }

    /// What is on it; none while it is away.
    pub fn page(&self) -> Option<&Page> {
        self.page.as_ref()
    }

    /// Wrong codes in a row, to be kept.
    pub fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    /// Whether a code is being looked at.
    pub fn is_checking(&self) -> bool {
        self.checking
    }

    /// Whether journals are being written on a stick.
    pub fn is_copying(&self) -> bool {
        self.copying
    }

    /// Whether a technician is at work.
    pub fn is_technician(&self) -> bool {
        matches!(self.page, Some(Page::Maintenance { .. } | Page::Touch(_) | Page::Leave))
    }

    /// Goes away, whatever was going on.
    pub fn leave(&mut self) {
        self.page = None;
    }

    fn show(&mut self, page: Page, now_ms: u64) {
        self.page = Some(page);
        self.touched_ms = now_ms;
    }

    fn code(&mut self, wrong: bool, now_ms: u64) {
        self.show(Page::Code { digits: no_digits(), wrong }, now_ms);
    }

    /// Takes what happened at `now_ms` of a monotonic clock, at a kiosk of these counters.
    pub fn step(
        &mut self,
        input: Input,
        now_ms: u64,
        now: At,
        counters: &[CounterId],
    ) -> Option<Deed> {
        self.attempts.follow(now);
        let wait_ms = match &self.page {
            None => u64::MAX,
            // Whoever waits must see for how long.
            Some(Page::Code { .. } | Page::Counter(_) | Page::Confirming(..) | Page::Failed(_)) => {
                CODE_MS
            }
            Some(Page::Confirmed(..)) => CONFIRMED_MS,
            Some(Page::Maintenance { .. } | Page::Touch(_) | Page::Leave) => MAINTENANCE_MS,
        };
        match (&mut self.page, input) {
            // Whatever page there is now: it was tried.
            (_, Input::Checked(None, _)) => {
                self.checking = false;
                self.attempts.wrong(now);
                if matches!(self.page, Some(Page::Code { .. })) {
                    self.code(true, now_ms);
                }
                Some(Deed::WrongCode)
            }
            (_, Input::Checked(Some(who), rostered)) => {
                self.checking = false;
                let asked = matches!(self.page, Some(Page::Code { .. }));
                if asked { self.right(who, rostered, now_ms, counters) } else { None }
            }
            (_, Input::Exported(told)) => {
                self.copying = false;
                if let Some(Page::Maintenance { .. }) = self.page {
                    self.show(Page::Maintenance { told: Some(told) }, now_ms);
                }
                None
            }
            (None, Input::Open) => {
                self.code(false, now_ms);
                None
            }
            (None, Input::Badge(code)) => {
                self.code(false, now_ms);
                self.check(code, now)
            }
            (Some(Page::Code { .. }), Input::Badge(code)) => self.check(code, now),
            (Some(Page::Code { digits, wrong }), Input::Type(stroke)) => {
                self.touched_ms = now_ms;
                *wrong = false;
                match stroke {
                    Stroke::Character(digit @ '0'..='9') if digits.len() < DIGITS => {
                        digits.push(digit);
                    }
                    Stroke::Character(_) => {}
                    Stroke::Back => drop(digits.pop()),
                }
                let whole = (digits.len() == DIGITS).then(|| digits.clone());
                whole.and_then(|code| self.check(code, now))
            }
            (Some(Page::Counter(official)), Input::Counter(counter))
                if counters.contains(&counter) =>
            {
                let official = official.clone();
                self.confirm(official, counter, now_ms)
            }
            (Some(Page::Confirmed(official, _)), Input::Elsewhere) if counters.len() > 1 => {
                let official = official.clone();
                self.show(Page::Counter(official), now_ms);
                None
            }
            (Some(Page::Confirming(official, counter)), Input::Confirmed(kept)) => {
                let page = match kept {
                    Ok(()) => Page::Confirmed(official.clone(), counter.clone()),
                    Err(why) => Page::Failed(why),
                };
                self.show(page, now_ms);
                None
            }
            (Some(Page::Maintenance { .. }), Input::Touch) => {
                self.show(Page::Touch([false; 9]), now_ms);
                None
            }
            (Some(Page::Touch(hits)), Input::Hit(place)) => {
                self.touched_ms = now_ms;
                if let Some(hit) = hits.get_mut(place) {
                    *hit = true;
                }
                None
            }
            (Some(Page::Maintenance { .. }), Input::Export) if !self.copying => {
                self.copying = true;
                self.show(Page::Maintenance { told: None }, now_ms);
                Some(Deed::Export)
            }
            (Some(Page::Maintenance { .. }), Input::Leave) => {
                self.show(Page::Leave, now_ms);
                None
            }
            (Some(Page::Leave), Input::Leave) => Some(Deed::End),
            (Some(Page::Touch(_) | Page::Leave), Input::Done) => {
                self.show(Page::Maintenance { told: None }, now_ms);
                None
            }
            (Some(_), Input::Done) => {
                self.leave();
                None
            }
            (Some(_), Input::Touched) => {
                self.touched_ms = now_ms;
                None
            }
            (Some(_), Input::Tick) if now_ms.saturating_sub(self.touched_ms) >= wait_ms => {
                self.leave();
                None
            }
            _ => None,
        }
    }

    fn check(&mut self, code: Zeroizing<String>, now: At) -> Option<Deed> {
        if let Some(Page::Code { digits, .. }) = &mut self.page {
            *digits = no_digits();
        }
        // One after the other, and none while it is too early.
        if self.checking || self.attempts.left_s(now) > 0 {
            return None;
        }
        self.checking = true;
        Some(Deed::Check(code))
    }

    fn right(
        &mut self,
        who: Who,
        rostered: Option<CounterId>,
        now_ms: u64,
        counters: &[CounterId],
    ) -> Option<Deed> {
        match (who, rostered.or_else(|| only(counters))) {
            (Who::Technician, _) => {
                // An official's own code gives nobody new tries at the technician's.
                self.attempts = Attempts::default();
                self.show(Page::Maintenance { told: None }, now_ms);
                None
            }
            (Who::Official(official), Some(counter)) => self.confirm(official, counter, now_ms),
            (Who::Official(official), None) => {
                self.show(Page::Counter(official), now_ms);
                None
            }
        }
    }

    fn confirm(&mut self, official: OfficialId, counter: CounterId, now_ms: u64) -> Option<Deed> {
        self.show(Page::Confirming(official.clone(), counter.clone()), now_ms);
        Some(Deed::Confirm(official, counter))
    }
}

/// Room for a code, so that growing leaves no copies behind.
fn no_digits() -> Zeroizing<String> {
    Zeroizing::new(String::with_capacity(DIGITS))
}

/// The counter of a kiosk that has one.
fn only(counters: &[CounterId]) -> Option<CounterId> {
    match counters {
        [one] => Some(one.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::attempts::LONGEST_WAIT_S;

    fn at(text: &str) -> At {
        format!("2026-11-24T{text}.000+07:00").try_into().unwrap()
    }

    fn counters(codes: &[&str]) -> Vec<CounterId> {
        codes.iter().map(|code| code.parse().unwrap()).collect()
    }

    fn official(code: &str) -> Who {
        Who::Official(code.parse().unwrap())
    }

    struct Desk {
        staff: Staff,
        counters: Vec<CounterId>,
        now_ms: u64,
        now: At,
    }

    impl Desk {
        fn new(codes: &[&str]) -> Self {
            let (staff, counters) = (Staff::default(), counters(codes));
            Self { staff, counters, now_ms: 1_000, now: at("08:00:00") }
        }

        fn takes(&mut self, input: Input) -> Option<Deed> {
            self.staff.step(input, self.now_ms, self.now, &self.counters)
        }

        fn types(&mut self, code: &str) -> Option<Deed> {
            let digits: Vec<char> = code.chars().collect();
            let (last, before) = digits.split_last().unwrap();
            for digit in before {
                assert_eq!(self.takes(Input::Type(Stroke::Character(*digit))), None);
            }
            self.takes(Input::Type(Stroke::Character(*last)))
        }

        fn wrong(&mut self) {
            let code = Zeroizing::new("11112222".to_owned());
            assert_eq!(self.types(&code), Some(Deed::Check(code)));
            assert_eq!(self.takes(Input::Checked(None, None)), Some(Deed::WrongCode));
        }
    }

    #[test]
    fn a_code_confirms_where_the_roster_has_the_official_or_where_they_say() {
        let mut desk = Desk::new(&["q3"]);
        assert_eq!(desk.types("12345678"), None, "nothing is open");
        desk.takes(Input::Open);
        let code = Zeroizing::new("12345678".to_owned());
        assert_eq!(desk.types(&code), Some(Deed::Check(code)));
        assert_eq!(desk.types("12345678"), None, "one after the other");
        let confirm = |official: &str, counter: &str| {
            Some(Deed::Confirm(official.parse().unwrap(), counter.parse().unwrap()))
        };
        let who = Input::Checked(Some(official("cb01")), None);
        assert_eq!(desk.takes(who), confirm("cb01", "q3"), "a stand-in at the only counter");
        assert!(
            matches!(desk.staff.page(), Some(Page::Confirming(..))),
            "not before the disk has it"
        );
        desk.takes(Input::Confirmed(Ok(())));
        assert!(matches!(desk.staff.page(), Some(Page::Confirmed(..))));
        desk.now_ms += CONFIRMED_MS;
        desk.takes(Input::Tick);
        assert_eq!(desk.staff.page(), None);

        let mut hall = Desk::new(&["q2", "q3"]);
        let badge = Zeroizing::new("HL:12345678".to_owned());
        assert_eq!(hall.takes(Input::Badge(badge.clone())), Some(Deed::Check(badge)));
        let who = Input::Checked(Some(official("cb02")), Some("q2".parse().unwrap()));
        assert_eq!(hall.takes(who), confirm("cb02", "q2"));
        hall.takes(Input::Confirmed(Ok(())));
        // Whom the roster has there stands in at the other.
        hall.takes(Input::Elsewhere);
        assert_eq!(hall.takes(Input::Counter("q3".parse().unwrap())), confirm("cb02", "q3"));
        hall.takes(Input::Confirmed(Ok(())));
        hall.takes(Input::Done);
        hall.takes(Input::Badge(Zeroizing::new("HL:22345678".to_owned())));
        assert_eq!(hall.takes(Input::Checked(Some(official("cb09")), None)), None);
        assert_eq!(hall.takes(Input::Counter("q9".parse().unwrap())), None, "not here");
        assert_eq!(hall.takes(Input::Counter("q3".parse().unwrap())), confirm("cb09", "q3"));
        let why = "Ổ đĩa đã đầy".to_owned();
        hall.takes(Input::Confirmed(Err(why.clone())));
        assert_eq!(hall.staff.page(), Some(&Page::Failed(why)));
    }

    #[test]
    fn wrong_codes_slow_down_also_after_a_restart_and_are_recorded() {
        let mut desk = Desk::new(&["q3"]);
        desk.takes(Input::Open);
        for _ in 0..4 {
            desk.wrong();
        }
        assert_eq!(desk.staff.attempts().left_s(desk.now), 30);
        assert_eq!(desk.types("12345678"), None, "not even the right one");
        // The process ends; what was kept is there again.
        let kept = serde_json::to_string(desk.staff.attempts()).unwrap();
        desk.staff = Staff::new(serde_json::from_str(&kept).unwrap());
        desk.takes(Input::Open);
        assert_eq!(desk.types("12345678"), None);
        desk.now = at("08:00:30");
        desk.wrong();
        assert_eq!(desk.staff.attempts().left_s(desk.now), 60);
        // A clock that is put back by an hour begins the wait anew, and no more.
        desk.now = at("07:00:00");
        desk.takes(Input::Tick);
        assert_eq!(desk.staff.attempts().left_s(desk.now), 60);
        desk.now = at("07:01:01");
        assert_eq!(desk.staff.attempts().left_s(desk.now), 0);
        for _ in 0..20 {
            desk.staff.attempts.wrong(desk.now);
        }
        assert_eq!(desk.staff.attempts().left_s(desk.now), LONGEST_WAIT_S);
        desk.now = at("07:20:00");
        assert!(desk.types("12345678").is_some());
        desk.takes(Input::Checked(Some(Who::Technician), None));
        assert_eq!(desk.staff.attempts(), &Attempts::default());
    }

    #[test]
    fn whoever_leaves_while_a_code_is_looked_at_has_tried_it_and_an_officials_gives_no_new_tries() {
        let mut desk = Desk::new(&["q3"]);
        desk.takes(Input::Open);
        assert!(desk.types("11112222").is_some());
        desk.takes(Input::Done);
        desk.takes(Input::Open);
        assert_eq!(desk.types("33334444"), None, "one after the other");
        assert_eq!(desk.takes(Input::Checked(None, None)), Some(Deed::WrongCode));
        desk.wrong();
        desk.wrong();
        assert!(desk.types("12345678").is_some());
        desk.takes(Input::Checked(Some(official("cb01")), None));
        desk.takes(Input::Confirmed(Ok(())));
        desk.takes(Input::Done);
        desk.takes(Input::Open);
        desk.wrong();
        assert_eq!(desk.staff.attempts().left_s(desk.now), 30);
        // A right answer that comes when nobody is there any more opens nothing.
        desk.now = at("08:01:00");
        assert!(desk.types("12345678").is_some());
        desk.takes(Input::Done);
        assert_eq!(desk.takes(Input::Checked(Some(Who::Technician), None)), None);
        assert_eq!(desk.staff.page(), None);
    }

    #[test]
    fn wrong_codes_of_this_morning_are_forgotten_in_the_afternoon() {
        let mut attempts = Attempts::default();
        for _ in 0..4 {
            attempts.wrong(at("08:00:00"));
        }
        attempts.wrong(at("09:30:00"));
        assert_eq!(attempts.left_s(at("09:30:00")), 0);
    }

    #[test]
    fn a_technician_tests_exports_and_leaves_and_an_untouched_page_goes_away() {
        let mut desk = Desk::new(&["q3"]);
        desk.takes(Input::Open);
        desk.types("12345678");
        desk.takes(Input::Checked(Some(Who::Technician), None));
        let page = Page::Maintenance { told: None };
        assert_eq!(desk.staff.page(), Some(&page));
        desk.takes(Input::Touch);
        desk.takes(Input::Hit(8));
        desk.takes(Input::Hit(9));
        let hits = [false, false, false, false, false, false, false, false, true];
        assert_eq!(desk.staff.page(), Some(&Page::Touch(hits)));
        desk.takes(Input::Done);
        assert_eq!(desk.takes(Input::Export), Some(Deed::Export));
        assert_eq!(desk.takes(Input::Export), None, "one at a time");
        // A stick that never answers keeps nobody from rating.
        desk.takes(Input::Done);
        assert_eq!(desk.staff.page(), None);
        desk.takes(Input::Open);
        desk.types("12345678");
        desk.takes(Input::Checked(Some(Who::Technician), None));
        assert_eq!(desk.takes(Input::Export), None, "still");
        assert!(desk.staff.is_copying());
        desk.takes(Input::Exported("3 lô".into()));
        assert!(!desk.staff.is_copying());
        assert_eq!(desk.takes(Input::Leave), None, "asked first");
        assert_eq!(desk.takes(Input::Leave), Some(Deed::End));
        desk.now_ms += MAINTENANCE_MS;
        desk.takes(Input::Tick);
        assert_eq!(desk.staff.page(), None);
        assert_eq!(desk.takes(Input::Export), None);
    }
}
