//! What a named person decides: never an edit, always a line of the central service's own series,
//! and always reversible by another one.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::ids::{CounterId, Epoch, Hash, KioskId, OfficeCode, OfficialId};
use super::line::Line;
use super::report::Step;
use super::seal::Kind;
use super::time::At;

/// A contact is dated to a day at most so long before the decision: else its answer would be over at
/// once.
pub const BACK_DAYS: i64 = 180;
/// Answers are kept for so many days at least.
pub const KEPT_DAYS: i64 = 366;
/// Longest person and longest reason, in letters.
pub const MOST_LETTERS: usize = 200;

/// A decision, who took it, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What is decided.
    #[serde(flatten)]
    pub what: What,
    /// Who decides: name and office.
    pub person: String,
    /// Why.
    pub reason: String,
}

/// What is decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// A finding was looked at and nothing more is to be done.
    Settled {
        /// Its kind.
        kind: String,
        /// Whose journal.
        kiosk: KioskId,
        /// Which epoch.
        epoch: Epoch,
        /// At which line.
        seq: u64,
    },
    /// Lines that are missing will never come: days no longer wait for them.
    Lost {
        /// Whose journal.
        kiosk: KioskId,
        /// Which epoch.
        epoch: Epoch,
        /// The first of them.
        first: u64,
        /// The last.
        last: u64,
    },
    /// Contacts were on this day, whatever the kiosk's clock said.
    Dated {
        /// Whose journal.
        kiosk: KioskId,
        /// Which epoch.
        epoch: Epoch,
        /// The first opening line.
        first: u64,
        /// The last.
        last: u64,
        /// The day.
        day: Date,
    },
    /// Somebody else than the roster says was at a counter, or nobody.
    Attributed {
        /// The office.
        office: OfficeCode,
        /// The counter.
        counter: CounterId,
        /// From when, by the kiosk's clock.
        from: At,
        /// Until when; contacts opened at this moment are no longer meant.
        until: At,
        /// Who was there; nobody when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        official: Option<OfficialId>,
    },
    /// The kiosk that enrolled is the one that stands at the counter: its fingerprint was compared.
    Confirmed {
        /// The kiosk.
        kiosk: KioskId,
        /// SHA-256 of the key that was confirmed.
        key: Hash,
    },
    /// Nothing more is taken from a kiosk until this is withdrawn.
    Suspended {
        /// The kiosk.
        kiosk: KioskId,
    },
    /// A kiosk is no longer in use: nothing is taken from it, and days from `since` on do not wait
    /// for it.
    Retired {
        /// The kiosk.
        kiosk: KioskId,
        /// The first day without it.
        since: Date,
        /// The kiosk that stands in its place, if one does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replaced_by: Option<KioskId>,
    },
    /// The service has new keys for opening, receipts and roots. It cannot be withdrawn.
    KeysRenewed {
        /// Id of the opening key.
        opening: String,
        /// Id of the receipt key.
        receipt: String,
        /// Id of the root key.
        root: String,
    },
    /// What was answered in one contact is erased, on a lawful request: its bodies here go, its lines
    /// stay. A rating whose level is erased no longer counts. It cannot be withdrawn.
    Erased {
        /// Whose journal; the own series for an answer by phone.
        kiosk: KioskId,
        /// Which epoch.
        epoch: Epoch,
        /// The opening line.
        contact: u64,
        /// Whether only the words go.
        words_only: bool,
    },
    /// All words written before a day are erased, because their time is over. It cannot be
    /// withdrawn.
    WordsErased {
        /// The first day that is kept.
        before: Date,
    },
    /// All that was answered in contacts of days before one is erased, because its time is over.
    /// What these days' tallies were stays, and moves no more. It cannot be withdrawn.
    AnswersErased {
        /// The first day of these, if answers were erased before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Date>,
        /// The first day that is kept.
        before: Date,
        /// SHA-256 of these days' tallies, as the canonical dump has them.
        tallies: Hash,
    },
    /// An office changed something because of what citizens answered, which is the reason: its public board says so.
    Improved {
        /// The office.
        office: OfficeCode,
        /// What it changed, 1 to [`MOST_LETTERS`] letters.
        change: String,
    },
    /// A step in handling a report of a violation. It cannot be withdrawn: a later step takes its place.
    Handled {
        /// The office that it is about.
        office: OfficeCode,
        /// The report: a hash of where it was written. Whoever has the journals can find out where that was; what was
        /// written is not in it.
        report: Hash,
        /// The step; what is said of it is the reason.
        step: Step,
    },
    /// An earlier decision no longer holds.
    Withdrawn {
        /// Its line's epoch.
        epoch: Epoch,
        /// Its line's number.
        seq: u64,
    },
    /// A decision of a later version: stored, and without any effect here.
    #[serde(other, skip_serializing)]
    Unknown,
}

/// A body that was erased, and of which contact it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// Whose journal; the own series for an answer by phone.
    pub kiosk: KioskId,
    /// Which epoch.
    pub epoch: Epoch,
    /// Its line.
    pub seq: u64,
    /// What it held.
    pub kind: u8,
    /// The line that opened the contact.
    pub contact: u64,
    /// The day of the contact's opening line, or of its own if that is not known: by the line or by
    /// when it was received, the earlier one.
    pub day: Date,
    /// The day of its own line, likewise.
    pub own: Date,
}

/// A decision that cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadDecision {
    /// Nobody, or nothing, or too much is named.
    #[error(
        "expected a person and a reason, and of an office what it changed, of 1 to {MOST_LETTERS} letters each"
    )]
    Words,
    /// The last before the first.
    #[error("expected a first number or moment that is not after the last")]
    Order,
    /// It has another way.
    #[error(
        "an answer is erased by its check code, keys are renewed by renew-keys, and reports are handled on their page"
    )]
    OwnWay,
    /// Not one of this version.
    #[error("expected a decision of this version")]
    Unknown,
}

impl Gone {
    /// A body of a line that was received at a moment.
    pub fn of(kiosk: &KioskId, epoch: Epoch, line: &Line, kind: u8, received: At) -> Self {
        Self {
            kiosk: kiosk.clone(),
            epoch,
            seq: line.seq,
            kind,
            contact: line.contact.unwrap_or(line.seq),
            day: Self::day_of(line, received),
            own: Self::day_of(line, received),
        }
    }

    /// The day of a line: its own, or that on which it was received if that was earlier.
    pub fn day_of(line: &Line, received: At) -> Date {
        line.at.date().min(received.date())
    }
}

/// What decisions erased, all of them together.
#[derive(Debug, Clone, Default)]
pub struct Erased {
    /// Words of before this day.
    words_before: Option<Date>,
    /// All answers of before this day.
    answers_before: Option<Date>,
    /// Those of single contacts, and whether only the words of each.
    contacts: BTreeMap<(KioskId, Epoch, u64), bool>,
    /// Contacts of which a person had said that they were on a day before which all were erased then.
    dated: Vec<(KioskId, Epoch, u64, u64)>,
}

impl<'a> FromIterator<&'a What> for Erased {
    fn from_iter<I: IntoIterator<Item = &'a What>>(decisions: I) -> Self {
        let mut erased = Self::default();
        let mut dated = Vec::new();
        for what in decisions {
            match what {
                What::WordsErased { before } => {
                    erased.words_before = erased.words_before.max(Some(*before));
                }
                What::AnswersErased { before, .. } => {
                    erased.answers_before = erased.answers_before.max(Some(*before));
                    let closed =
                        dated.extract_if(.., |(.., day): &mut (_, _, _, _, Date)| *day < *before);
                    erased.dated.extend(
                        closed.map(|(kiosk, epoch, first, last, _)| (kiosk, epoch, first, last)),
                    );
                }
                What::Erased { kiosk, epoch, contact, words_only } => {
                    let place = (kiosk.clone(), *epoch, *contact);
                    let only = erased.contacts.entry(place).or_insert(*words_only);
                    *only &= *words_only;
                }
                What::Dated { kiosk, epoch, first, last, day } => {
                    dated.push((kiosk.clone(), *epoch, *first, *last, *day));
                }
                _ => {}
            }
        }
        erased
    }
}

impl Erased {
    /// Whether this body is one of it.
    pub fn has(&self, gone: &Gone) -> bool {
        let words = gone.kind == Kind::Words as u8;
        let (kiosk, contact) = (&gone.kiosk, gone.contact);
        let dated = || {
            self.dated.iter().any(|(of, epoch, first, last)| {
                (of, *epoch) == (kiosk, gone.epoch) && (*first..=*last).contains(&contact)
            })
        };
        let place = || (kiosk.clone(), gone.epoch, contact);
        self.answers_before.is_some_and(|before| gone.day < before)
            || dated()
            || (words && self.words_before.is_some_and(|before| gone.own < before))
            || self.contacts.get(&place()).is_some_and(|words_only| words || !words_only)
    }
}

impl Decision {
    /// Whether it can be taken.
    pub fn check(&self) -> Result<(), BadDecision> {
        let words = |text: &str| (1..=MOST_LETTERS).contains(&text.trim().chars().count());
        if !words(&self.person) || !words(&self.reason) {
            return Err(BadDecision::Words);
        }
        match &self.what {
            What::Lost { first, last, .. } | What::Dated { first, last, .. } if first > last => {
                Err(BadDecision::Order)
            }
            What::Attributed { from, until, .. } if from >= until => Err(BadDecision::Order),
            What::Improved { change, .. } if !words(change) => Err(BadDecision::Words),
            What::Unknown => Err(BadDecision::Unknown),
            _ => Ok(()),
        }
    }
}

impl What {
    /// Whether something is gone by it.
    pub fn erases(&self) -> bool {
        matches!(self, Self::Erased { .. } | Self::WordsErased { .. } | Self::AnswersErased { .. })
    }

    /// Whether a figure can be another one by it. Words are in no figure, and they are erased every night.
    pub fn moves_figures(&self) -> bool {
        !matches!(
            self,
            Self::Settled { .. }
                | Self::KeysRenewed { .. }
                | Self::WordsErased { .. }
                | Self::Erased { words_only: true, .. }
                | Self::Improved { .. }
                | Self::Handled { .. }
        )
    }

    /// Whether it has a way of its own: what a citizen answered is erased by their check code, words
    /// and answers when their time is over, keys when they are renewed, reports handled by whoever reads them. Nobody erases what others
    /// have to read by naming it.
    pub fn has_its_own_way(&self) -> bool {
        self.erases() || matches!(self, Self::KeysRenewed { .. } | Self::Handled { .. })
    }

    /// Whether it cannot be taken back.
    pub fn is_final(&self) -> bool {
        self.erases()
            || matches!(
                self,
                Self::KeysRenewed { .. }
                    | Self::Handled { .. }
                    | Self::Withdrawn { .. }
                    | Self::Unknown
            )
    }

    /// Its word in the store.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Settled { .. } => "settled",
            Self::Lost { .. } => "lost",
            Self::Dated { .. } => "dated",
            Self::Attributed { .. } => "attributed",
            Self::Confirmed { .. } => "confirmed",
            Self::Suspended { .. } => "suspended",
            Self::Retired { .. } => "retired",
            Self::KeysRenewed { .. } => "keys_renewed",
            Self::Erased { .. } => "erased",
            Self::WordsErased { .. } => "words_erased",
            Self::AnswersErased { .. } => "answers_erased",
            Self::Improved { .. } => "improved",
            Self::Handled { .. } => "handled",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Unknown => "unknown",
        }
    }

    /// The kiosk that it is about, if it is about one.
    pub fn kiosk(&self) -> Option<&KioskId> {
        match self {
            Self::Settled { kiosk, .. }
            | Self::Lost { kiosk, .. }
            | Self::Dated { kiosk, .. }
            | Self::Confirmed { kiosk, .. }
            | Self::Suspended { kiosk }
            | Self::Erased { kiosk, .. }
            | Self::Retired { kiosk, .. } => Some(kiosk),
            Self::Attributed { .. }
            | Self::KeysRenewed { .. }
            | Self::WordsErased { .. }
            | Self::AnswersErased { .. }
            | Self::Improved { .. }
            | Self::Handled { .. }
            | Self::Withdrawn { .. }
            | Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_of_a_later_version_is_read_and_means_nothing() {
        let text = r#"{"what":"moved","kiosk":"ps-q3","person":"P","reason":"R"}"#;
        let read: Decision = serde_json::from_str(text).unwrap();
        assert_eq!((read.what.clone(), read.check()), (What::Unknown, Err(BadDecision::Unknown)));
    }

    #[test]
    fn a_decision_names_a_person_and_a_reason() {
        let text =
            r#"{"what":"suspended","kiosk":"ps-q3","person":"Lê Thị Hoa","reason":"mất máy"}"#;
        let decision: Decision = serde_json::from_str(text).unwrap();
        assert_eq!(decision.check(), Ok(()));
        assert_eq!(serde_json::to_string(&decision).unwrap(), text);
        for nobody in ["", "  ", &"x".repeat(MOST_LETTERS + 1)] {
            let decision = Decision { person: nobody.to_owned(), ..decision.clone() };
            assert_eq!(decision.check(), Err(BadDecision::Words));
        }
    }
}
