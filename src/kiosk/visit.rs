//! One visitor after the other: a pure state machine.
//!
//! [`Visit::step`] takes what happened and says what is to be recorded; what is on the screen
//! follows from [`Visit::page`]. It reads no clock and writes no disk. Its invariants:
//!
//! - A record is handed out before the page that it leads to is shown; until the journal answers
//!   [`Input::Kept`] or [`Input::Refused`], nothing else is taken.
//! - A level once kept stays kept: no time-out, skip or refusal takes it back.
//! - At rest ([`Visit::idle`]) it holds nothing, not even a language, a mode or a choice of who served: what
//!   one visitor did cannot reach the next.
//! - A language is chosen at any moment and is never recorded.
//! - Whoever is called while somebody else is at the screen is asked when that visit is over; nobody's
//!   visit is cut short.
//! - What a hand does that rests, slips or hammers is no wish: it is ignored, counted, and told once
//!   nobody is at the screen.

use std::collections::VecDeque;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::domain::form::{Form, Offered, Pole};
use crate::domain::ids::CounterId;
use crate::domain::line::{By, How};

use super::slip;
use super::typing::{Stroke, Writing};
use crate::domain::comments::masked;
use hand::Hand;
pub use terms::{Contact, Input, Mode, Modes, Page, Record, SlipRead, TimeOuts};

mod hand;
mod terms;

/// Touches are ignored this long after a page changed, so that a double tap or a resting hand
/// does not act on what just appeared. In milliseconds.
pub const SETTLE_MS: u64 = 350;

/// The same after a visitor has left by touch: whoever comes next takes longer than this.
pub const BETWEEN_MS: u64 = 1_500;

/// Most calls that wait for a visit to end.
const MOST_CALLED: usize = 8;
/// So long an invitation stands at least, although the next one waits: who was never asked has not declined by
/// silence. In milliseconds.
const LEAST_INVITED_MS: u64 = 8_000;
/// Most letters typed to look up a procedure.
const MOST_QUERY: usize = 40;

/// So long before it leaves by itself, a page asks whether more time is needed: 20 seconds, as WCAG 2.2
/// (2.2.1) has it, or two thirds of a page's time if that is less. In milliseconds.
const ASK_MS: u64 = 20_000;

/// What follows once the journal has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
enum After {
    Opened(Option<usize>),
    /// Whether somebody is known to be there.
    Invited {
        here: bool,
    },
    Noted,
    Changed(usize),
    Thanked {
        words: bool,
    },
    Rest,
}

/// The state of the screen.
#[derive(Debug, Clone)]
pub struct Visit {
    form: Arc<Form>,
    counters: Vec<CounterId>,
    time_outs: TimeOuts,
    language: usize,
    modes: Modes,
    counter: usize,
    page: Page,
    after: Option<After>,
    /// Who was called and waits for a visit to end.
    called: VecDeque<(By, usize)>,
    /// Whether whoever was called has not touched anything yet.
    unanswered: bool,
    shown_ms: u64,
    settle_ms: u64,
    touched_ms: u64,
    hand: Hand,
    /// A slip was read, and who served is still to be chosen.
    slip: bool,
}

impl Visit {
    /// Begins at rest, at a kiosk that serves `counters`: one or more.
    pub fn new(form: Arc<Form>, counters: Vec<CounterId>, time_outs: TimeOuts) -> Self {
        let page = rest(&counters);
        Self {
            form,
            counters,
            time_outs,
            language: 0,
            modes: Modes::default(),
            counter: 0,
            page,
            after: None,
            called: VecDeque::new(),
            unanswered: false,
            shown_ms: 0,
            settle_ms: SETTLE_MS,
            touched_ms: 0,
            hand: Hand::default(),
            slip: false,
        }
    }

    /// What is on the screen.
    pub fn page(&self) -> &Page {
        &self.page
    }

    /// Whether a record is on its way to the disk.
    pub fn busy(&self) -> bool {
        self.after.is_some()
    }

    /// Place of the language that this visitor reads; 0 is that of rest.
    pub fn language(&self) -> usize {
        self.language
    }

    /// How this visitor needs the screen.
    pub fn modes(&self) -> Modes {
        self.modes
    }

    /// The counter that is rated.
    pub fn counter(&self) -> Option<&CounterId> {
        self.counters.get(self.counter)
    }

    /// The level being stored or given, for the screen to ring it.
    pub fn chosen(&self) -> Option<usize> {
        match (&self.after, &self.page) {
            (Some(After::Opened(level)), _) => *level,
            (Some(After::Changed(level)), _) => Some(*level),
            (_, Page::Reasons { level, .. }) => Some(*level),
            _ => None,
        }
    }

    /// What may be ticked now.
    pub fn offered(&self) -> Vec<Offered<'_>> {
        match &self.page {
            Page::Reasons { level, .. } => self.offered_with(*level),
            _ => Vec::new(),
        }
    }

    fn pole(&self, level: usize) -> Option<Pole> {
        self.form.levels.get(level).map(|level| level.pole)
    }

    fn offered_with(&self, level: usize) -> Vec<Offered<'_>> {
        self.pole(level).map(|pole| self.form.offered(pole)).unwrap_or_default()
    }

    /// Whether somebody has ticked a wish to write, for the screen to tell where that is done.
    pub fn wishes_words(&self) -> bool {
        let Page::Reasons { ticked, .. } = &self.page else { return false };
        self.offered().iter().zip(ticked).any(|(offered, ticked)| *ticked && offered.words)
    }

    /// Whether nobody is using it: another form may be put on the screen.
    pub fn idle(&self) -> bool {
        self.page == rest(&self.counters)
            && self.after.is_none()
            && self.language == 0
            && self.modes == Modes::default()
            && self.called.is_empty()
            && !self.hand.has_misused()
            && !self.slip
    }

    fn wait_ms(&self) -> Option<u64> {
        match self.page {
            Page::Who | Page::Home if self.idle() => None,
            Page::Who | Page::Home | Page::Reasons { .. } => Some(self.time_outs.reasons_ms),
            Page::Slip { .. } => Some(self.time_outs.reasons_ms),
            Page::Thanks { words: false, code_shown: false, .. } => Some(self.time_outs.thanks_ms),
            Page::Invited(_) => Some(self.time_outs.invited_ms),
            Page::Words { .. } | Page::Procedures { .. } => Some(self.time_outs.later_ms),
            Page::Notice(_) | Page::Later(_) | Page::Thanks { .. } => Some(self.time_outs.later_ms),
            Page::NotKept { .. } => Some(self.time_outs.not_kept_ms),
        }
    }

    /// How long nobody has touched the screen, while nobody uses it.
    pub fn quiet_ms(&self, now_ms: u64) -> Option<u64> {
        self.idle().then(|| now_ms.saturating_sub(self.touched_ms))
    }

    /// The part of the page's waiting time that is left, 1 to 0.
    pub fn time_left(&self, now_ms: u64) -> f32 {
        match self.wait_ms() {
            Some(wait) if wait > 0 => {
                let passed = now_ms.saturating_sub(self.touched_ms).min(wait);
                1.0 - passed as f32 / wait as f32
            }
            _ => 1.0,
        }
    }

    /// Whether the page asks if more time is needed; any touch gives it.
    pub fn asks_for_time(&self, now_ms: u64) -> bool {
        let Some(wait) = self.wait_ms().filter(|_| self.touch_gives_time()) else { return false };
        let ask_at = wait.saturating_sub(ASK_MS).max(wait / 3);
        !self.busy() && now_ms.saturating_sub(self.touched_ms) >= ask_at
    }

    /// Thanks and the apology end by themselves, touched or not.
    fn touch_gives_time(&self) -> bool {
        !matches!(self.page, Page::Thanks { .. } | Page::NotKept { .. })
    }

    /// Takes what happened at `now_ms` of a monotonic clock; says what is to be recorded.
    pub fn step(&mut self, input: Input, now_ms: u64) -> Option<Record> {
        self.react(input, now_ms).or_else(|| self.due(now_ms))
    }

    fn react(&mut self, input: Input, now_ms: u64) -> Option<Record> {
        match input {
            Input::Kept(seq, handed) => {
                self.kept(seq, handed, now_ms);
                return None;
            }
            Input::Refused(trouble) => {
                match self.after.take() {
                    // Nobody has given anything that was lost.
                    Some(After::Invited { .. }) => {
                        self.counter = 0;
                        self.show(rest(&self.counters), now_ms);
                    }
                    Some(After::Noted) | None => {}
                    Some(_) => self.show(Page::NotKept { trouble }, now_ms),
                }
                return None;
            }
            Input::Call(by, counter) => {
                self.call(by, &counter);
                return None;
            }
            // Whoever types, types quickly.
            Input::Touched if !self.writes() && self.hand.hammers(now_ms) => return None,
            Input::Tick | Input::Touched | Input::Moved if self.after.is_some() => return None,
            _ if self.after.is_some() => return self.ignore(),
            Input::Tick => {
                let wait = self.wait_ms()?;
                return if now_ms.saturating_sub(self.touched_ms) >= wait {
                    self.timed_out(now_ms)
                } else {
                    None
                };
            }
            Input::Touched | Input::Moved => {
                self.unanswered = false;
                if self.touch_gives_time() {
                    self.touched_ms = now_ms;
                }
                return None;
            }
            // It changes no page, so it need not wait for the page to settle.
            Input::Language(language) => {
                self.language = language;
                self.unanswered = false;
                self.touched_ms = now_ms;
                return None;
            }
            Input::Mode(mode) => {
                let switched = match mode {
                    Mode::Low => &mut self.modes.low,
                    Mode::Large => &mut self.modes.large,
                    Mode::Contrast => &mut self.modes.contrast,
                };
                *switched = !*switched;
                self.unanswered = false;
                self.touched_ms = now_ms;
                return None;
            }
            // A scanner is no hand.
            Input::Slip(read) => return self.slip_read(read, now_ms),
            _ => {}
        }
        // A touch that came too fast was counted when the finger came down.
        if !self.hand.is_calm(now_ms) {
            return None;
        }
        if now_ms.saturating_sub(self.shown_ms) < self.settle_ms && self.shown_ms > 0 {
            return self.ignore();
        }
        self.unanswered = false;
        self.tapped(input, now_ms)
    }

    fn writes(&self) -> bool {
        matches!(self.page, Page::Words { .. } | Page::Slip { .. } | Page::Procedures { .. })
    }

    fn ignore(&mut self) -> Option<Record> {
        self.hand.ignored();
        None
    }

    fn call(&mut self, by: By, counter: &CounterId) {
        let Some(place) = self.counters.iter().position(|one| one == counter) else { return };
        let waits = self.called.contains(&(by, place));
        let shown = matches!(self.page, Page::Invited(_))
            || matches!(self.after, Some(After::Invited { .. }));
        // The official's key pressed twice is one invitation; a queue calls one after the other.
        let again = by == By::Invitation && (waits || (shown && self.counter == place));
        if !again && self.called.len() < MOST_CALLED {
            self.called.push_back((by, place));
        }
    }

    /// A slip was scanned or typed: whoever holds it was served, and is asked like anybody who was called.
    fn slip_read(&mut self, read: SlipRead, now_ms: u64) -> Option<Record> {
        let served = match &self.page {
            Page::Who => false,
            Page::Home => true,
            Page::Slip { served, .. } => *served,
            _ => return None,
        };
        self.unanswered = false;
        self.touched_ms = now_ms;
        self.slip = false;
        match (read, served) {
            (SlipRead::Fresh, true) => self.open_by_slip(),
            (SlipRead::Fresh, false) => {
                self.slip = true;
                self.show(Page::Who, now_ms);
                None
            }
            (SlipRead::Used | SlipRead::Unreadable, _) => {
                let digits = no_digits();
                self.show(Page::Slip { digits, trouble: Some(read), served }, now_ms);
                None
            }
        }
    }

    fn open_by_slip(&mut self) -> Option<Record> {
        let counter = self.counter()?.clone();
        self.slip = false;
        self.after = Some(After::Invited { here: true });
        Some(Record::Open { by: By::Slip, counter, level: None })
    }

    /// Whether a slip was read, and who served is still to be chosen.
    pub fn slip_waits(&self) -> bool {
        self.slip
    }

    /// What is to be recorded while nobody's touch is: who was called is asked, and what was ignored
    /// is told.
    fn due(&mut self, now_ms: u64) -> Option<Record> {
        if self.after.is_some() {
            return None;
        }
        let at_rest = self.page == rest(&self.counters);
        if at_rest
            && !self.slip
            && let Some((by, place)) = self.called.pop_front()
        {
            self.counter = place;
            let counter = self.counter()?.clone();
            self.after = Some(After::Invited { here: false });
            return Some(Record::Open { by, counter, level: None });
        }
        // Whoever was called before has gone without an answer, though there was time for one.
        let shown = now_ms.saturating_sub(self.shown_ms) >= LEAST_INVITED_MS;
        let unanswered = matches!(self.page, Page::Invited(_)) && self.unanswered && shown;
        if unanswered && !self.called.is_empty() {
            return self.close(How::TimedOut, After::Rest);
        }
        if at_rest && self.hand.has_misused() && self.hand.is_calm(now_ms) {
            self.after = Some(After::Noted);
            return Some(Record::Misuse { touches: self.hand.tell() });
        }
        None
    }

    fn tapped(&mut self, input: Input, now_ms: u64) -> Option<Record> {
        let form = Arc::clone(&self.form);
        let code = |level: usize| form.levels.get(level).map(|level| level.code.clone());
        let wishes_words = self.wishes_words();
        match (&mut self.page, input) {
            (Page::Who, Input::Counter(place)) if place < self.counters.len() => {
                self.counter = place;
                if self.slip {
                    return self.open_by_slip();
                }
                self.show(Page::Home, now_ms);
                None
            }
            (Page::Home, Input::EnterSlip) => {
                let digits = no_digits();
                self.show(Page::Slip { digits, trouble: None, served: true }, now_ms);
                None
            }
            (Page::Slip { digits, trouble, .. }, Input::Type(stroke)) => {
                self.touched_ms = now_ms;
                *trouble = None;
                match stroke {
                    Stroke::Character(digit @ '0'..='9') if digits.len() < slip::MOST_DIGITS => {
                        digits.push(digit);
                    }
                    Stroke::Character(_) => {}
                    Stroke::Back => drop(digits.pop()),
                }
                None
            }
            (Page::Home | Page::Who, Input::LookUp) => {
                let page = Page::Procedures { query: String::new(), first: 0, chosen: None };
                self.show(page, now_ms);
                None
            }
            (Page::Procedures { query, first, chosen: None }, Input::Type(stroke)) => {
                self.touched_ms = now_ms;
                *first = 0;
                match stroke {
                    Stroke::Character(character) if query.len() < MOST_QUERY => {
                        query.push(character);
                    }
                    Stroke::Character(_) => {}
                    Stroke::Back => drop(query.pop()),
                }
                None
            }
            (Page::Procedures { first, chosen: None, .. }, Input::Turn(row)) => {
                self.touched_ms = now_ms;
                *first = row;
                None
            }
            (Page::Procedures { chosen, .. }, Input::Choose(place)) => {
                self.touched_ms = now_ms;
                *chosen = Some(place);
                None
            }
            (Page::Procedures { chosen: chosen @ Some(_), .. }, Input::Done) => {
                self.touched_ms = now_ms;
                *chosen = None;
                None
            }
            (Page::Slip { .. } | Page::Procedures { .. }, Input::Done | Input::Skip) => {
                self.back(now_ms);
                None
            }
            (Page::Home, Input::Rate(level)) => {
                let (code, counter) = (code(level)?, self.counter()?.clone());
                self.after = Some(After::Opened(Some(level)));
                Some(Record::Open { by: By::Touch, counter, level: Some(code) })
            }
            (Page::Home, Input::Later) => {
                let counter = self.counter()?.clone();
                self.after = Some(After::Opened(None));
                Some(Record::Open { by: By::Later, counter, level: None })
            }
            (Page::Invited(contact), Input::Rate(level)) => {
                let record = Record::Change { contact: contact.seq, level: code(level)? };
                self.after = Some(After::Changed(level));
                Some(record)
            }
            (Page::Invited(_), Input::Decline) => self.close(How::Declined, After::Rest),
            (Page::Home | Page::Who, Input::Notice) => {
                self.show(Page::Notice(None), now_ms);
                None
            }
            (Page::Invited(contact), Input::Notice) => {
                let contact = contact.clone();
                self.show(Page::Notice(Some(contact)), now_ms);
                None
            }
            (Page::Notice(contact @ Some(_)), Input::Done) => {
                if let Some(contact) = contact.take() {
                    self.show(Page::Invited(contact), now_ms);
                }
                None
            }
            // Back to who served, where there is such a page, or from the notice; the language
            // stays, for it is still the same visitor.
            (Page::Home | Page::Notice(None), Input::Done) => {
                self.back(now_ms);
                None
            }
            (Page::Reasons { contact, level, .. }, Input::Rate(other)) => {
                self.touched_ms = now_ms;
                if *level == other {
                    return None;
                }
                let record = Record::Change { contact: contact.seq, level: code(other)? };
                self.after = Some(After::Changed(other));
                Some(record)
            }
            (Page::Reasons { ticked, .. }, Input::Toggle(place)) => {
                self.touched_ms = now_ms;
                if let Some(tick) = ticked.get_mut(place) {
                    *tick = !*tick;
                }
                None
            }
            (Page::Reasons { .. }, Input::Send) if wishes_words => {
                let page = std::mem::replace(&mut self.page, Page::Home);
                if let Page::Reasons { contact, level, ticked } = page {
                    let writing = Writing::default();
                    self.show(Page::Words { contact, level, ticked, writing }, now_ms);
                }
                None
            }
            (Page::Reasons { .. }, Input::Send) => {
                self.close(How::Sent, After::Thanked { words: false })
            }
            (Page::Words { writing, .. }, Input::Type(stroke)) => {
                writing.take(stroke);
                self.touched_ms = now_ms;
                None
            }
            (Page::Words { .. }, Input::Done) => {
                let page = std::mem::replace(&mut self.page, Page::Home);
                if let Page::Words { contact, level, ticked, .. } = page {
                    self.show(Page::Reasons { contact, level, ticked }, now_ms);
                }
                None
            }
            (Page::Words { contact, writing, .. }, Input::Send) if !writing.is_empty() => {
                let (contact, text) = (contact.seq, writing.text());
                let words = Zeroizing::new(masked(text.trim()));
                let reasons = self.ticked_codes();
                self.after = Some(After::Thanked { words: false });
                Some(Record::Write { contact, reasons, words })
            }
            // Nothing is written here: it will be on the phone.
            (Page::Words { .. }, Input::Send | Input::Skip) => {
                self.close(How::Sent, After::Thanked { words: true })
            }
            (Page::Reasons { .. }, Input::Skip) => {
                self.close(How::Skipped, After::Thanked { words: false })
            }
            (Page::Thanks { code: Some(_), code_shown, .. }, Input::ShowCode) => {
                *code_shown = true;
                self.touched_ms = now_ms;
                None
            }
            (Page::Later(_), Input::Done) => self.close(How::Left, After::Rest),
            (Page::Thanks { .. } | Page::NotKept { .. }, Input::Done) => {
                self.rest(now_ms);
                self.settle_ms = BETWEEN_MS;
                None
            }
            _ => None,
        }
    }

    fn timed_out(&mut self, now_ms: u64) -> Option<Record> {
        match self.page {
            // What was not sent is nobody's answer.
            Page::Reasons { .. }
            | Page::Words { .. }
            | Page::Later(_)
            | Page::Invited(_)
            | Page::Notice(Some(_)) => self.close(How::TimedOut, After::Rest),
            Page::Who
            | Page::Home
            | Page::Notice(None)
            | Page::Slip { .. }
            | Page::Procedures { .. }
            | Page::Thanks { .. }
            | Page::NotKept { .. } => {
                self.rest(now_ms);
                None
            }
        }
    }

    fn ticked_codes(&self) -> Vec<String> {
        let (Page::Reasons { level, ticked, .. } | Page::Words { level, ticked, .. }) = &self.page
        else {
            return Vec::new();
        };
        let offered = self.offered_with(*level).into_iter().zip(ticked);
        offered.filter(|(_, tick)| **tick).map(|(offered, _)| offered.code.to_owned()).collect()
    }

    fn close(&mut self, how: How, after: After) -> Option<Record> {
        let (contact, reasons) = match &self.page {
            Page::Reasons { contact, .. } | Page::Words { contact, .. } => {
                // Skipping takes the ticks back; being called away does not.
                let skipped = how == How::Skipped;
                (contact.seq, if skipped { Vec::new() } else { self.ticked_codes() })
            }
            Page::Later(contact) | Page::Invited(contact) | Page::Notice(Some(contact)) => {
                (contact.seq, Vec::new())
            }
            _ => return None,
        };
        self.after = Some(after);
        Some(Record::Close { contact, how, reasons })
    }

    fn kept(&mut self, seq: u64, handed: Option<String>, now_ms: u64) {
        let page =
            match (self.after.take(), std::mem::replace(&mut self.page, rest(&self.counters))) {
                (Some(After::Opened(Some(level))), _) => {
                    let ticked = vec![false; self.offered_with(level).len()];
                    let contact = Contact { seq, ticket: handed };
                    Page::Reasons { contact, level, ticked }
                }
                (Some(After::Opened(None)), _) => Page::Later(Contact { seq, ticket: handed }),
                (Some(After::Invited { here }), _) => {
                    self.unanswered = !here;
                    Page::Invited(Contact { seq, ticket: handed })
                }
                (Some(After::Noted), page) => {
                    self.page = page;
                    return;
                }
                (Some(After::Changed(level)), Page::Invited(contact)) => {
                    let ticked = vec![false; self.offered_with(level).len()];
                    Page::Reasons { contact, level, ticked }
                }
                (Some(After::Changed(level)), Page::Reasons { contact, level: before, ticked }) => {
                    // Another pole asks for other reasons; the same pole keeps its ticks.
                    let ticked = if self.pole(before) == self.pole(level) {
                        ticked
                    } else {
                        vec![false; self.offered_with(level).len()]
                    };
                    self.page = Page::Reasons { contact, level, ticked };
                    self.touched_ms = now_ms;
                    return;
                }
                (
                    Some(After::Thanked { words }),
                    Page::Reasons { contact, .. } | Page::Words { contact, .. },
                ) => Page::Thanks { contact, words, code: handed, code_shown: false },
                (None, page) => {
                    self.page = page;
                    return;
                }
                _ => return self.rest(now_ms),
            };
        self.show(page, now_ms);
    }

    /// To the first page, while it is still the same visitor.
    fn back(&mut self, now_ms: u64) {
        self.counter = 0;
        self.show(rest(&self.counters), now_ms);
    }

    /// The visit is over.
    fn rest(&mut self, now_ms: u64) {
        self.language = 0;
        self.modes = Modes::default();
        self.counter = 0;
        self.slip = false;
        self.hand.leave();
        self.show(rest(&self.counters), now_ms);
    }

    fn show(&mut self, page: Page, now_ms: u64) {
        self.page = page;
        self.settle_ms = SETTLE_MS;
        self.shown_ms = now_ms;
        self.touched_ms = now_ms;
    }

    /// What is to be recorded when the program ends in the middle of a visit.
    pub fn cut_off(&mut self) -> Option<Record> {
        if self.after.is_some() {
            return None;
        }
        self.close(How::Interrupted, After::Rest)
    }
}

/// Room for a slip's digits, so that growing leaves no copies behind.
fn no_digits() -> Zeroizing<String> {
    Zeroizing::new(String::with_capacity(slip::MOST_DIGITS))
}

/// The page on which a kiosk of these counters rests.
fn rest(counters: &[CounterId]) -> Page {
    if counters.len() > 1 { Page::Who } else { Page::Home }
}

#[cfg(test)]
mod tests;
