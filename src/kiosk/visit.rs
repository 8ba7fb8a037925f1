//! One visitor after the other: a pure state machine.
//!
//! [`Visit::step`] takes what happened and says what is to be recorded; what is on the screen
//! follows from [`Visit::page`]. It reads no clock and writes no disk. Its invariants:
//!
//! - A record is handed out before the page that it leads to is shown; until the journal answers
//!   [`Input::Kept`] or [`Input::Refused`], nothing else is taken.
//! - A level once kept stays kept: no time-out, skip or refusal takes it back.
//! - [`Page::Home`] holds nothing: what one visitor did cannot reach the next.

use std::sync::Arc;

use crate::domain::form::{Form, Pole};
use crate::domain::line::{By, How};

/// Touches are ignored this long after a page changed, so that a double tap or a resting hand
/// does not act on what just appeared. In milliseconds.
pub const SETTLE_MS: u64 = 350;

/// How long each page waits untouched, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeOuts {
    /// Reasons; a touch starts it anew.
    pub reasons_ms: u64,
    /// Thanks.
    pub thanks_ms: u64,
    /// The large QR code; a touch starts it anew.
    pub later_ms: u64,
    /// The apology.
    pub not_kept_ms: u64,
}

impl Default for TimeOuts {
    fn default() -> Self {
        Self { reasons_ms: 30_000, thanks_ms: 20_000, later_ms: 60_000, not_kept_ms: 15_000 }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A face was tapped: its place in the form's levels.
    Rate(usize),
    /// A reason was tapped: its place among those offered.
    Toggle(usize),
    /// “Gửi”.
    Send,
    /// “Bỏ qua”.
    Skip,
    /// “Đánh giá sau bằng điện thoại”.
    Later,
    /// The page was left by touch.
    Done,
    /// The screen was touched somewhere.
    Touched,
    /// Time has passed.
    Tick,
    /// The journal has committed the record: its line's number, and the ticket if it opened a
    /// contact.
    Kept(u64, Option<String>),
    /// The journal could not commit the record, and why, for staff.
    Refused(String),
}

/// What is to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A contact opens, with a level if a face was tapped.
    Open {
        /// How.
        by: By,
        /// The level's code.
        level: Option<String>,
    },
    /// The level of a contact changes.
    Change {
        /// Number of the opening line.
        contact: u64,
        /// The level's code.
        level: String,
    },
    /// A contact ends.
    Close {
        /// Number of the opening line.
        contact: u64,
        /// How.
        how: How,
        /// Codes of the reasons kept, in the form's order.
        reasons: Vec<String>,
    },
}

/// What is on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// The question and the faces.
    Home,
    /// Reasons may be ticked, the level may be changed.
    Reasons {
        /// The contact.
        contact: Contact,
        /// Place of the level given.
        level: usize,
        /// Which of the offered reasons are ticked.
        ticked: Vec<bool>,
    },
    /// The answer is kept.
    Thanks(Contact),
    /// The large QR code.
    Later(Contact),
    /// The answer could not be kept.
    NotKept {
        /// Why, for staff.
        trouble: String,
    },
}

/// The open contact as the screen needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Number of the opening line.
    pub seq: u64,
    /// Its ticket for the QR code, if one could be made.
    pub ticket: Option<String>,
}

/// What follows once the journal has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
enum After {
    Opened(Option<usize>),
    Changed(usize),
    Thanked,
    Home,
}

/// The state of the screen.
#[derive(Debug, Clone)]
pub struct Visit {
    form: Arc<Form>,
    time_outs: TimeOuts,
    page: Page,
    after: Option<After>,
    shown_ms: u64,
    touched_ms: u64,
}

impl Visit {
    /// Begins at home.
    pub fn new(form: Arc<Form>, time_outs: TimeOuts) -> Self {
        Self { form, time_outs, page: Page::Home, after: None, shown_ms: 0, touched_ms: 0 }
    }

    /// What is on the screen.
    pub fn page(&self) -> &Page {
        &self.page
    }

    /// Whether a record is on its way to the disk.
    pub fn busy(&self) -> bool {
        self.after.is_some()
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

    /// The reasons offered now, by code.
    pub fn offered(&self) -> Vec<&str> {
        match &self.page {
            Page::Reasons { level, .. } => self.offered_with(*level),
            _ => Vec::new(),
        }
    }

    fn pole(&self, level: usize) -> Option<Pole> {
        self.form.levels.get(level).map(|level| level.pole)
    }

    fn offered_with(&self, level: usize) -> Vec<&str> {
        let Some(pole) = self.pole(level) else { return Vec::new() };
        self.form.reasons_of(pole).map(|reason| reason.code.as_str()).collect()
    }

    /// Whether another form may be put on the screen: nobody is using it.
    pub fn idle(&self) -> bool {
        self.page == Page::Home && self.after.is_none()
    }

    fn wait_ms(&self) -> Option<u64> {
        match self.page {
            Page::Home => None,
            Page::Reasons { .. } => Some(self.time_outs.reasons_ms),
            Page::Thanks(_) => Some(self.time_outs.thanks_ms),
            Page::Later(_) => Some(self.time_outs.later_ms),
            Page::NotKept { .. } => Some(self.time_outs.not_kept_ms),
        }
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

    /// Takes what happened at `now_ms` of a monotonic clock; says what is to be recorded.
    pub fn step(&mut self, input: Input, now_ms: u64) -> Option<Record> {
        match input {
            Input::Kept(seq, ticket) => {
                self.kept(seq, ticket, now_ms);
                return None;
            }
            Input::Refused(trouble) => {
                if self.after.take().is_some() {
                    self.show(Page::NotKept { trouble }, now_ms);
                }
                return None;
            }
            _ if self.after.is_some() => return None,
            Input::Tick => {
                let wait = self.wait_ms()?;
                return if now_ms.saturating_sub(self.touched_ms) >= wait {
                    self.timed_out(now_ms)
                } else {
                    None
                };
            }
            Input::Touched => {
                // Thanks and the apology end by themselves, touched or not.
                if matches!(self.page, Page::Reasons { .. } | Page::Later(_)) {
                    self.touched_ms = now_ms;
                }
                return None;
            }
            _ => {}
        }
        if now_ms.saturating_sub(self.shown_ms) < SETTLE_MS && self.shown_ms > 0 {
            return None;
        }
        self.tapped(input, now_ms)
    }

    fn tapped(&mut self, input: Input, now_ms: u64) -> Option<Record> {
        let form = Arc::clone(&self.form);
        let code = |level: usize| form.levels.get(level).map(|level| level.code.clone());
        match (&mut self.page, input) {
            (Page::Home, Input::Rate(level)) => {
                let code = code(level)?;
                self.after = Some(After::Opened(Some(level)));
                Some(Record::Open { by: By::Touch, level: Some(code) })
            }
            (Page::Home, Input::Later) => {
                self.after = Some(After::Opened(None));
                Some(Record::Open { by: By::Later, level: None })
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
            (Page::Reasons { .. }, Input::Send) => self.close(How::Sent, After::Thanked),
            (Page::Reasons { .. }, Input::Skip) => self.close(How::Skipped, After::Thanked),
            (Page::Later(_), Input::Done) => self.close(How::Left, After::Home),
            (Page::Thanks(_) | Page::NotKept { .. }, Input::Done) => {
                self.show(Page::Home, now_ms);
                None
            }
            _ => None,
        }
    }

    fn timed_out(&mut self, now_ms: u64) -> Option<Record> {
        match self.page {
            Page::Home => None,
            Page::Reasons { .. } | Page::Later(_) => self.close(How::TimedOut, After::Home),
            Page::Thanks(_) | Page::NotKept { .. } => {
                self.show(Page::Home, now_ms);
                None
            }
        }
    }

    fn close(&mut self, how: How, after: After) -> Option<Record> {
        let (contact, reasons) = match &self.page {
            Page::Reasons { contact, level, ticked } => {
                let reasons = match how {
                    // Skipping takes the ticks back; being called away does not.
                    How::Skipped => Vec::new(),
                    _ => self
                        .offered_with(*level)
                        .into_iter()
                        .zip(ticked)
                        .filter(|(_, tick)| **tick)
                        .map(|(code, _)| code.to_owned())
                        .collect(),
                };
                (contact.seq, reasons)
            }
            Page::Later(contact) => (contact.seq, Vec::new()),
            _ => return None,
        };
        self.after = Some(after);
        Some(Record::Close { contact, how, reasons })
    }

    fn kept(&mut self, seq: u64, ticket: Option<String>, now_ms: u64) {
        let page = match (self.after.take(), std::mem::replace(&mut self.page, Page::Home)) {
            (Some(After::Opened(Some(level))), _) => {
                let ticked = vec![false; self.offered_with(level).len()];
                Page::Reasons { contact: Contact { seq, ticket }, level, ticked }
            }
            (Some(After::Opened(None)), _) => Page::Later(Contact { seq, ticket }),
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
            (Some(After::Thanked), Page::Reasons { contact, .. }) => Page::Thanks(contact),
            (None, page) => {
                self.page = page;
                return;
            }
            _ => Page::Home,
        };
        self.show(page, now_ms);
    }

    fn show(&mut self, page: Page, now_ms: u64) {
        self.page = page;
        self.shown_ms = now_ms;
        self.touched_ms = now_ms;
    }

    /// What is to be recorded when the program ends in the middle of a visit.
    pub fn cut_off(&mut self) -> Option<Record> {
        if self.after.is_some() {
            return None;
        }
        self.close(How::Interrupted, After::Home)
    }
}

#[cfg(test)]
mod tests;
