//! The guardian of a counter's screen: whatever fails, a working screen or an honest page.
//!
//! A kiosk that fills its screen is two processes of this program: a guardian, which opens nothing
//! but the line to its child, and the child, which is the screen. What becomes of the child and what
//! is done about it is decided here, by [`Guardian`], which is pure: it knows no process and no
//! clock. `keep` is the thin edge around it, [`lifeline`](super::lifeline) the child's side, and
//! [`paused`](super::paused) the honest page, a process of its own that needs nothing of what failed.
//!
//! Invariants:
//! - At most one screen runs, and a new one is started only after the one before is gone.
//! - A screen that ends unasked, or whose event loop does not turn for [`HUNG`], is replaced at once.
//! - The page is shown while a screen has said why it cannot run, has failed more than [`AT_ONCE`]
//!   times without [`STEADY`] between, or has shown nothing for [`PATIENCE`]. It is taken away only
//!   by a screen that works, and trying never ends.
//! - The guardian ends in three ways: asked to; with a screen that ended in good order; or with what
//!   no page can tell, because there is no display, or whoever started it should be told.

#[cfg(unix)]
mod keep;

use std::time::Duration;

#[cfg(unix)]
pub use keep::{KeepError, is_wanted, keep};

/// A screen that gives no sign of life for so long has hung. It gives one every
/// [`BEAT`](super::lifeline::BEAT).
pub const HUNG: Duration = Duration::from_secs(8);
/// How long nothing may be on the screen before the page says that it is paused.
pub const PATIENCE: Duration = Duration::from_secs(4);
/// How long a screen may take to start: the journal after a power cut may be long, the disk slow.
pub const LONGEST_START: Duration = Duration::from_secs(120);
/// How long a screen has to run until its failures are forgotten.
pub const STEADY: Duration = Duration::from_secs(60);
/// So many failures without [`STEADY`] between are answered at once, without a page.
pub const AT_ONCE: u32 = 3;
/// The longest pause between two tries.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long a screen that was asked to end has for it.
pub const FAREWELL: Duration = Duration::from_secs(10);
/// The exit code of a failure that has said no other.
const FAILED: u8 = 1;
/// How long until a page that ended is shown again.
const PAGE_AGAIN: Duration = Duration::from_secs(1);

/// How a process of the guardian's ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It was asked to, or somebody left the kiosk.
    InGoodOrder,
    /// It said why it cannot go on.
    Told {
        /// Its exit code.
        code: u8,
        /// Why, for staff.
        why: String,
        /// Whether no page helps: there is no display, or another kiosk has the folder.
        hopeless: bool,
    },
    /// It said nothing; how the system puts it.
    Silent(String),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// Time passed, perhaps until [`Guardian::due`].
    Passed,
    /// The screen gave a sign of life.
    Beat,
    /// The screen's process is gone.
    Ended(Ending),
    /// The page's process is gone.
    PageEnded(Ending),
    /// The guardian was asked to end.
    Asked,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Do {
    /// Start a screen.
    Start,
    /// Ask the screen to end.
    LetGo,
    /// End the screen's process now.
    Kill,
    /// Show the page, or bring it to this reason.
    Page(String),
    /// Take the page away.
    NoPage,
    /// Take the page away and end: with success, or an exit code and why.
    End(Result<(), (u8, String)>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Screen {
    /// None until then.
    None { until: Duration },
    /// Its process runs, and it has given no sign of life.
    Starting { since: Duration },
    /// It works.
    Alive { since: Duration, heard: Duration },
    /// Its process is being ended, for this reason.
    Killed { since: Duration, why: String },
    /// It was asked to end.
    Leaving { since: Duration },
}

/// What a counter's screen is in, and what is due.
#[derive(Debug)]
pub struct Guardian {
    screen: Screen,
    /// Failures since the screen was last steady.
    failures: u32,
    /// Why the page is shown, if it is, and the exit code of it.
    page: Option<(u8, String)>,
    /// The page's process ended, and is due again.
    page_due: Option<Duration>,
    /// Somebody waits for this start's outcome.
    first: bool,
}

impl Guardian {
    /// Begins, with a start due at once. Times are since then. With `told`, whatever the first start
    /// ends with before its screen works is what the guardian ends with: somebody waits for it.
    pub fn new(told: bool) -> Self {
        let screen = Screen::None { until: Duration::ZERO };
        Self { screen, failures: 0, page: None, page_due: None, first: told }
    }

    /// When [`Happened::Passed`] will mean something.
    pub fn due(&self) -> Duration {
        let screen = match self.screen {
            Screen::None { until } => until,
            Screen::Starting { since } if self.page.is_none() => since + PATIENCE,
            Screen::Starting { since } => since + LONGEST_START,
            Screen::Alive { heard, .. } => heard + HUNG,
            Screen::Killed { since, .. } if self.page.is_none() => since + PATIENCE,
            // It ends as soon as the system lets it.
            Screen::Killed { .. } => Duration::MAX,
            Screen::Leaving { since } => since + FAREWELL,
        };
        self.page_due.map_or(screen, |page| page.min(screen))
    }

    /// Judges what happened at `now`.
    pub fn step(&mut self, now: Duration, happened: Happened) -> Vec<Do> {
        let mut all = Vec::new();
        match happened {
            Happened::Passed => self.passed(now, &mut all),
            Happened::Beat => self.beat(now, &mut all),
            Happened::Ended(ending) => self.ended(now, ending, &mut all),
            Happened::PageEnded(ending) => match ending {
                // There is no screen to say it on.
                Ending::Told { code, why, hopeless: true } => {
                    all.push(Do::End(Err(self.page.take().unwrap_or((code, why)))));
                }
                _ => self.page_due = self.page.as_ref().map(|_| now + PAGE_AGAIN),
            },
            Happened::Asked => match self.screen {
                Screen::None { .. } => all.push(Do::End(Ok(()))),
                Screen::Leaving { .. } => {}
                _ => {
                    self.screen = Screen::Leaving { since: now };
                    all.push(Do::LetGo);
                }
            },
        }
        all
    }

    fn passed(&mut self, now: Duration, all: &mut Vec<Do>) {
        if self.page_due.is_some_and(|due| due <= now) {
            self.page_due = None;
            all.extend(self.page.clone().map(|(_, why)| Do::Page(why)));
        }
        match self.screen {
            Screen::None { until } if until <= now => {
                self.screen = Screen::Starting { since: now };
                all.push(Do::Start);
            }
            Screen::Starting { since } if since + LONGEST_START <= now => {
                self.kill(now, format!("has not started in {} s", LONGEST_START.as_secs()), all);
            }
            Screen::Starting { since } if since + PATIENCE <= now && self.page.is_none() => {
                self.show(FAILED, "takes long to start".to_owned(), all);
            }
            Screen::Alive { heard, .. } if heard + HUNG <= now => {
                self.kill(now, "hung".to_owned(), all);
            }
            Screen::Killed { since, .. } if since + PATIENCE <= now && self.page.is_none() => {
                self.show(FAILED, "hangs, and the system does not end it".to_owned(), all);
            }
            Screen::Leaving { since } if since + FAREWELL <= now => {
                all.extend([Do::Kill, Do::End(Ok(()))]);
            }
            _ => {}
        }
    }

    fn beat(&mut self, now: Duration, all: &mut Vec<Do>) {
        match &mut self.screen {
            Screen::Starting { .. } => {
                self.screen = Screen::Alive { since: now, heard: now };
                self.first = false;
                self.page_due = None;
                if self.page.take().is_some() {
                    all.push(Do::NoPage);
                }
            }
            Screen::Alive { since, heard } => {
                *heard = now;
                if *since + STEADY <= now {
                    self.failures = 0;
                }
            }
            // Too late.
            Screen::None { .. } | Screen::Killed { .. } | Screen::Leaving { .. } => {}
        }
    }

    fn ended(&mut self, now: Duration, ending: Ending, all: &mut Vec<Do>) {
        let before = std::mem::replace(&mut self.screen, Screen::None { until: now });
        let waited_for = self.first && matches!(before, Screen::Starting { .. });
        let (code, why, told) = match (before, ending) {
            (Screen::Leaving { .. }, _) | (_, Ending::InGoodOrder) => {
                return all.push(Do::End(Ok(())));
            }
            (Screen::Starting { .. }, Ending::Told { code, why, hopeless })
                if hopeless || waited_for =>
            {
                return all.push(Do::End(Err((code, why))));
            }
            (_, Ending::Silent(how)) if waited_for => {
                return all.push(Do::End(Err((FAILED, how))));
            }
            (Screen::Killed { why, .. }, _) => (FAILED, why, false),
            // What worked is worth a try: only its window may have been taken away.
            (before, Ending::Told { code, why, .. }) => {
                (code, why, matches!(before, Screen::Starting { .. }))
            }
            (_, Ending::Silent(how)) => (FAILED, how, false),
        };
        self.failures += 1;
        if !told && self.failures <= AT_ONCE && self.page.is_none() {
            return self.passed(now, all);
        }
        let longer = Duration::from_secs(1 << (self.failures - 1).min(10));
        self.screen = Screen::None { until: now + longer.min(LONGEST_PAUSE) };
        self.show(code, why, all);
    }

    fn kill(&mut self, now: Duration, why: String, all: &mut Vec<Do>) {
        self.screen = Screen::Killed { since: now, why };
        all.push(Do::Kill);
    }

    fn show(&mut self, code: u8, why: String, all: &mut Vec<Do>) {
        let shown = self.page.replace((code, why.clone()));
        if shown.is_none_or(|(_, shown)| shown != why) {
            self.page_due = None;
            all.push(Do::Page(why));
        }
    }
}

#[cfg(test)]
mod tests;
