//! The kiosk's first start, guided on the screen: a pure state machine.
//!
//! Nothing here knows a window, a network, a disk or a clock. What a technician does comes in as an
//! [`Input`]; what is to be done outside goes out as an [`Effect`]; what the screen says follows from the
//! state alone ([`words`]). Invariants:
//!
//! - What was chosen is in [`Setup::kept`], and a start with it goes on where it was; the code never is.
//! - A connection that was given up tells nothing any more, whatever it brings later.
//! - Once the central service has admitted the kiosk, no power cut leads back before the words.

use std::time::Duration;

use zeroize::Zeroizing;

use self::kept::{Kept, Step};
use super::network::Network;
use super::obstacle::Obstacle;
use crate::domain::enrolment::Enrolled;
use crate::domain::time::At;

pub mod connection;
pub mod kept;
#[cfg(test)]
mod tests;
pub mod window;
pub mod words;

/// Points of the touch test: three rows of three, from corner to corner.
pub const POINTS: usize = 9;
/// What a scanned code begins with that brings both address and code: `HAILONG SETUP <address> <code>`.
pub const SCANNED: &str = "HAILONG SETUP ";
/// Fewest letters and digits of a code: less is not all of it.
const LEAST_CODE: usize = 6;
/// Longest address or scanned text, in characters.
const LONGEST: usize = 300;

/// What the screen shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// The languages.
    Language,
    /// The address of the central service.
    Address,
    /// The one-time code.
    Code,
    /// What is being done at the central service.
    Connecting(Stage),
    /// What went wrong, and what to do.
    Failed(Failure),
    /// The words of the key, and where the kiosk stands.
    Words,
    /// Which way up the picture is; or, when it is turned, who turns it.
    Orientation {
        /// Somebody said that it is not right.
        turned: bool,
    },
    /// The touch test; which points were hit.
    Touch([bool; POINTS]),
    /// All is done: the rating screen comes.
    Done,
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Looking for the central service.
    Reaching,
    /// Comparing clocks.
    Clock,
    /// Being admitted.
    Enrolling,
}

/// What went wrong. Whoever reads it stands before the kiosk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// No answer came.
    Unreachable(Obstacle),
    /// What answers is not the central service.
    Stranger,
    /// A proxy is there, or the service itself, and cannot serve now.
    Busy {
        /// After how many seconds to try again, where it says so.
        wait: Option<u32>,
    },
    /// The code is wrong, used, or too old, or another kiosk's.
    Code,
    /// Too many tries from this address.
    TooOften {
        /// Seconds to wait.
        wait: u32,
    },
    /// This machine's clock differs from the service's.
    Clock {
        /// What this machine shows.
        machine: At,
        /// What the service shows.
        service: At,
    },
    /// The service does not know what this kiosk asks.
    ServiceOlder,
    /// The service answers what this kiosk does not know.
    ServiceNewer,
    /// The service refuses, in its own words.
    Refused(String),
    /// This machine's disk.
    Disk(String),
}

/// What the central service gave, as somebody has to compare it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The six words of this kiosk's key.
    pub words: String,
    /// Name, office and counters.
    pub enrolled: Enrolled,
    /// Whether the kiosk has taken ratings already: then its key stays.
    pub in_use: bool,
}

/// A button below a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // Each is named for what it says.
pub enum Button {
    Back,
    Next,
    Stop,
    Retry,
    ChangeAddress,
    ChangeCode,
    Differ,
    Agree,
    Turned,
    Upright,
    Skip,
    Begin,
}

/// What a technician does, or what comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Another language for the words, on any page.
    Language(usize),
    /// A language on the first page: it goes on.
    Choose(usize),
    /// A key of the keyboard or the screen; more than one character from `https://`.
    Type(String),
    /// The last character goes.
    Erase,
    /// All that is typed goes.
    Clear,
    /// Enter, after typing or from a scanner.
    Enter,
    /// A button of the page.
    Press(Button),
    /// A connection comes to a stage.
    Reached {
        /// Which connection.
        attempt: u32,
        /// The stage.
        stage: Stage,
    },
    /// A connection has ended.
    Ended {
        /// Which connection.
        attempt: u32,
        /// What it brought.
        result: Result<Box<Admitted>, Failure>,
    },
    /// What was to be kept could not be.
    NotKept(String),
    /// A point of the touch test was hit.
    Hit(usize),
}

/// What is to be done outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Connect to a service, and be admitted there under a code; without one the kiosk is admitted already.
    Connect {
        /// Numbers the connection.
        attempt: u32,
        /// The address.
        service: String,
        /// The code.
        code: Option<Zeroizing<String>>,
    },
    /// Give the connection up.
    GiveUp,
    /// Go on to the rating screen.
    Finish,
}

/// The first start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    page: Page,
    /// Where a start without power goes on.
    step: Step,
    languages: Vec<String>,
    language: usize,
    /// What `kiosk.toml` names.
    configured: Option<String>,
    address: String,
    code: Zeroizing<String>,
    /// Somebody went on with what is no address or code.
    tried: bool,
    attempt: u32,
    admitted: Option<Admitted>,
}

impl Setup {
    /// Whether a kiosk has to be set up: it was not admitted, knows no address, or was interrupted.
    pub fn needed(kept: Option<&Kept>, has_service: bool, admitted: bool) -> bool {
        !admitted || !has_service || kept.is_some_and(|kept| kept.step != Step::Done)
    }

    /// Begins, or goes on where it was interrupted. `languages` are codes, the first that of rest;
    /// `configured` is the address that `kiosk.toml` names.
    pub fn begin(
        languages: Vec<String>,
        configured: Option<String>,
        kept: Option<Kept>,
        admitted: Option<Admitted>,
    ) -> Self {
        let kept = kept.unwrap_or_default();
        let chosen = languages.iter().position(|code| Some(code) == kept.language.as_ref());
        let address = kept.service.or_else(|| configured.clone()).unwrap_or_default();
        let first = if languages.len() > 1 { Step::Language } else { Step::Address };
        let step = match (&admitted, kept.step) {
            _ if address.is_empty() => kept.step.min(Step::Address),
            (None, step) => step.min(Step::Code),
            (Some(_), Step::Done) => Step::Address,
            (Some(_), step) => step.max(Step::Words),
        };
        let mut setup = Self {
            page: Page::Language,
            step: Step::Language,
            language: chosen.unwrap_or_default(),
            languages,
            configured,
            address,
            code: Zeroizing::default(),
            tried: false,
            attempt: 0,
            admitted,
        };
        setup.go(step.max(first));
        setup
    }

    /// The page.
    pub fn page(&self) -> &Page {
        &self.page
    }

    /// Which of the languages speaks.
    pub fn language(&self) -> usize {
        self.language
    }

    /// What is typed as the address.
    pub fn typed_address(&self) -> &str {
        &self.address
    }

    /// What is typed as the code.
    pub fn typed_code(&self) -> &str {
        &self.code
    }

    /// Whether somebody went on with what is no address or code.
    pub fn tried(&self) -> bool {
        self.tried
    }

    /// The address, as it is kept: scheme and name in small letters, `https://` where no scheme was typed.
    /// Nothing while what is typed has not the form of one.
    pub fn service(&self) -> Option<String> {
        address(&self.address)
    }

    /// Whether all of a code seems to be there.
    pub fn has_code(&self) -> bool {
        self.code.len() >= LEAST_CODE
    }

    /// What the central service gave.
    pub fn admitted(&self) -> Option<&Admitted> {
        self.admitted.as_ref()
    }

    /// Whether keys are letters of a text here.
    pub fn types(&self) -> bool {
        matches!(self.page, Page::Address | Page::Code)
    }

    /// The buttons of the page, the last of them the one that is proposed.
    pub fn buttons(&self) -> Vec<Button> {
        use Button::*;
        let first = if self.languages.len() > 1 { vec![Back] } else { vec![] };
        match &self.page {
            Page::Language | Page::Done => vec![],
            Page::Address => [first, vec![Next]].concat(),
            Page::Code => vec![Back, Next],
            Page::Connecting(_) => vec![Stop],
            Page::Failed(failure) => match failure {
                Failure::Code => vec![ChangeAddress, Retry, ChangeCode],
                Failure::Disk(_) => vec![Retry],
                Failure::Stranger => vec![Retry, ChangeAddress],
                Failure::Unreachable(
                    Obstacle::Name(_) | Obstacle::NoTls(_) | Obstacle::NoHttp(_),
                ) => vec![Retry, ChangeAddress],
                Failure::Unreachable(Obstacle::OtherName { .. }) => vec![Retry, ChangeAddress],
                _ => vec![ChangeAddress, Retry],
            },
            Page::Words if self.admitted.as_ref().is_some_and(|admitted| admitted.in_use) => {
                vec![Agree]
            }
            Page::Words => vec![Differ, Agree],
            Page::Orientation { turned: false } => vec![Turned, Upright],
            Page::Orientation { turned: true } => vec![Back, Next],
            Page::Touch(hit) if hit.iter().all(|hit| *hit) => vec![Begin],
            Page::Touch(_) => vec![Skip],
        }
    }

    /// What a start after a power cut goes on with.
    pub fn kept(&self) -> Kept {
        let service = (self.step > Step::Address).then(|| self.service()).flatten();
        Kept {
            step: self.step,
            language: self.languages.get(self.language).cloned(),
            // What the file names stays the file's.
            service: service.filter(|service| Some(service) != self.configured.as_ref()),
        }
    }

    /// Takes what happened.
    pub fn take(&mut self, input: Input) -> Option<Effect> {
        let buttons = self.buttons();
        match (input, &mut self.page) {
            (Input::Language(place), _) if place < self.languages.len() => self.language = place,
            (Input::Choose(place), Page::Language) if place < self.languages.len() => {
                self.language = place;
                self.go(Step::Address);
            }
            (Input::Type(text), Page::Address | Page::Code) => self.write(&text),
            (Input::Erase, Page::Address | Page::Code) => self.change(|text| {
                text.pop();
            }),
            (Input::Clear, Page::Address | Page::Code) => self.change(String::clear),
            (Input::Enter, Page::Address | Page::Code) => return self.enter(),
            (Input::Press(button), _) if buttons.contains(&button) => {
                return self.press(button);
            }
            (Input::Reached { attempt, stage }, Page::Connecting(now))
                if attempt == self.attempt =>
            {
                *now = stage;
            }
            (Input::Ended { attempt, result }, Page::Connecting(_)) if attempt == self.attempt => {
                match result {
                    Ok(admitted) => {
                        self.admitted = Some(*admitted);
                        // It is used up.
                        self.code = Zeroizing::default();
                        self.go(Step::Words);
                    }
                    Err(failure) => self.page = Page::Failed(failure),
                }
            }
            (Input::NotKept(words), page) => *page = Page::Failed(Failure::Disk(words)),
            (Input::Hit(place), Page::Touch(hit)) => {
                if let Some(hit) = hit.get_mut(place) {
                    *hit = true;
                }
            }
            _ => {}
        }
        None
    }

    fn press(&mut self, button: Button) -> Option<Effect> {
        match button {
            Button::Next if self.types() => return self.enter(),
            Button::Back => match self.page {
                Page::Address => self.go(Step::Language),
                Page::Code => self.go(Step::Address),
                _ => self.go(Step::Orientation),
            },
            Button::Stop => {
                // What it brings from now on is another attempt's.
                self.attempt += 1;
                self.go(if self.admitted.is_some() { Step::Address } else { Step::Code });
                return Some(Effect::GiveUp);
            }
            Button::Retry => match self.page {
                Page::Failed(Failure::Disk(_)) => self.go(self.step),
                _ => return self.connect(),
            },
            Button::ChangeAddress => self.go(Step::Address),
            Button::ChangeCode => {
                self.code = Zeroizing::default();
                self.go(Step::Code);
            }
            Button::Differ => {
                // Another code admits it anew, with the key that it has.
                self.admitted = None;
                self.go(Step::Code);
            }
            Button::Agree => self.go(Step::Orientation),
            Button::Turned => self.page = Page::Orientation { turned: true },
            Button::Upright | Button::Next => self.go(Step::Touch),
            Button::Skip | Button::Begin => {
                self.go(Step::Done);
                return Some(Effect::Finish);
            }
        }
        None
    }

    fn go(&mut self, step: Step) {
        self.step = step;
        self.tried = false;
        self.page = match step {
            Step::Language => Page::Language,
            Step::Address => Page::Address,
            Step::Code => Page::Code,
            Step::Words => Page::Words,
            Step::Orientation => Page::Orientation { turned: false },
            Step::Touch => Page::Touch([false; POINTS]),
            Step::Done => Page::Done,
        };
    }

    fn change(&mut self, change: impl FnOnce(&mut String)) {
        self.tried = false;
        match self.page {
            Page::Address => change(&mut self.address),
            _ => change(&mut self.code),
        }
    }

    fn write(&mut self, text: &str) {
        let code = self.page == Page::Code;
        self.change(|typed| {
            for character in text.chars().filter(|character| matches!(character, ' '..='~')) {
                if typed.chars().count() < LONGEST {
                    typed.push(if code { character.to_ascii_uppercase() } else { character });
                }
            }
        });
    }

    /// What is typed, or scanned behind it, is all there.
    fn enter(&mut self) -> Option<Effect> {
        let typed = match self.page {
            Page::Address => Zeroizing::new(self.address.clone()),
            _ => self.code.clone(),
        };
        let on_address = self.page == Page::Address;
        let both = scanned(&typed);
        if let Some((address, code)) = both {
            self.address = address.to_owned();
            self.code = plain_code(code);
        } else if on_address {
            self.address = last_address(&typed).to_owned();
        } else {
            self.code = plain_code(&typed);
        }
        self.tried = true;
        let Some(service) = self.service() else {
            // A scanned address may be at fault, on whichever page it came.
            self.go(Step::Address);
            self.tried = true;
            return None;
        };
        self.address = service;
        if self.admitted.is_some() {
            return self.connect();
        }
        if on_address {
            self.go(Step::Code);
        }
        if (both.is_some() || !on_address) && self.has_code() {
            return self.connect();
        }
        None
    }

    fn connect(&mut self) -> Option<Effect> {
        let service = self.service()?;
        self.attempt += 1;
        self.page = Page::Connecting(Stage::Reaching);
        let code = self.admitted.is_none().then(|| self.code.clone());
        Some(Effect::Connect { attempt: self.attempt, service, code })
    }
}

/// Address and code of a scanned text, wherever it stands in what was typed.
fn scanned(text: &str) -> Option<(&str, &str)> {
    let upper = text.to_ascii_uppercase();
    let rest = text.get(upper.rfind(SCANNED)? + SCANNED.len()..)?;
    rest.trim().split_once(' ')
}

/// The last of several addresses: a scanner types behind what was there.
fn last_address(text: &str) -> &str {
    let lower = text.to_ascii_lowercase();
    let begins = ["https://", "http://"].iter().filter_map(|scheme| lower.rfind(scheme)).max();
    text[begins.unwrap_or_default()..].trim()
}

/// A code as the service compares it: people write it in groups.
fn plain_code(text: &str) -> Zeroizing<String> {
    let letters = text.chars().filter(char::is_ascii_alphanumeric);
    Zeroizing::new(letters.map(|letter| letter.to_ascii_uppercase()).collect())
}

/// An address as it is kept.
fn address(typed: &str) -> Option<String> {
    let typed = typed.trim().trim_end_matches('/');
    let (scheme, rest) = typed.split_once("://").unwrap_or(("https", typed));
    let (host, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let whole = format!("{}://{}{path}", scheme.to_ascii_lowercase(), host.to_ascii_lowercase());
    // A name without a point, such as what is still being typed, is another machine's only by chance.
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).to_ascii_lowercase();
    let named =
        name == "localhost" || name.starts_with('[') || name.trim_matches('.').contains('.');
    let plain = whole.chars().all(|character| character.is_ascii_graphic());
    let fits = named && plain && !name.ends_with('.') && Network::check(&whole).is_ok();
    fits.then_some(whole)
}

/// How far apart clocks may be without anybody being told: lines carry the minute.
pub const TOLERANCE: Duration = Duration::from_secs(120);

impl Failure {
    /// Whether a machine's clock is too far from the service's, and how.
    pub fn of_clocks(machine: At, service: At) -> Result<(), Self> {
        let apart = machine.timestamp().duration_since(service.timestamp()).unsigned_abs();
        if apart > TOLERANCE { Err(Self::Clock { machine, service }) } else { Ok(()) }
    }
}
