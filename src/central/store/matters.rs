//! What a person should look at, how it stands, and what was decided about it.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::domain::access::Unit;
use crate::domain::decision::{Decision, What};
use crate::domain::enrolment::Counters;
use crate::domain::ids::{Epoch, Hash, KioskId, OfficeCode};
use crate::domain::time::At;

/// What kind of finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingKind {
    /// A line or body that could not be placed.
    Quarantine,
    /// Two lines of one number.
    Conflict,
    /// A line that does not name the one before it.
    Break,
    /// Two epochs that continue one past: a restored disk or a clone.
    Fork,
    /// A kiosk that lost its journal and has begun a new one.
    Lost,
    /// A contact in review: the kiosk's clock does not tell on which day it was.
    Clock,
}

impl FindingKind {
    /// Its word in the store and on screens.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quarantine => "quarantine",
            Self::Conflict => "conflict",
            Self::Break => "break",
            Self::Fork => "fork",
            Self::Lost => "lost",
            Self::Clock => "clock",
        }
    }
}

/// Something that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// What kind.
    pub kind: String,
    /// Whose journal.
    pub kiosk: String,
    /// Which epoch.
    pub epoch: String,
    /// At which line.
    pub seq: u64,
    /// Why, as a code.
    pub reason: String,
}

/// Whether a kiosk may send.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It may.
    #[default]
    InUse,
    /// Not until the suspension is withdrawn.
    Suspended,
    /// No longer.
    Retired {
        /// The first day without it.
        since: Date,
        /// The kiosk in its place.
        replaced_by: Option<KioskId>,
    },
}

/// A decision as it was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// The epoch of its line in the own series.
    pub epoch: Epoch,
    /// The line's number.
    pub seq: u64,
    /// When.
    pub at: At,
    /// Whether a later one withdrew it.
    pub withdrawn: bool,
    /// The decision.
    #[serde(flatten)]
    pub decision: Decision,
}

/// A contact by its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactRef {
    /// Whose journal; the own series for an answer by phone.
    pub kiosk: KioskId,
    /// Which epoch.
    pub epoch: Epoch,
    /// The opening line.
    pub contact: u64,
}

/// Everything that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matters {
    /// All kiosks.
    pub kiosks: Vec<KioskMatter>,
    /// Lines that are missing.
    pub holes: Vec<Hole>,
    /// Findings.
    pub findings: Vec<FindingMatter>,
    /// Decisions, in the order taken.
    pub decisions: Vec<Decided>,
}

impl Matters {
    /// What of it is of a unit's offices.
    pub fn within(mut self, unit: &Unit) -> Self {
        // What a later version decided can be told by none before it; what became of reports is for their reader alone.
        self.decisions
            .retain(|one| !matches!(one.decision.what, What::Unknown | What::Handled { .. }));
        if *unit == Unit::PROVINCE {
            return self;
        }
        self.kiosks.retain(|kiosk| unit.has_office(&kiosk.office));
        let ids: BTreeSet<String> = self.kiosks.iter().map(|kiosk| kiosk.id.to_string()).collect();
        self.holes.retain(|hole| ids.contains(hole.kiosk.as_str()));
        self.findings.retain(|matter| ids.contains(&matter.finding.kiosk));
        let mut own = BTreeSet::new();
        self.decisions.retain(|one| {
            let of_unit = match &one.decision.what {
                What::Attributed { office, .. } | What::Improved { office, .. } => {
                    unit.has_office(office)
                }
                What::Withdrawn { epoch, seq } => own.contains(&(*epoch, *seq)),
                what => what.kiosk().is_some_and(|kiosk| ids.contains(kiosk.as_str())),
            };
            if of_unit {
                own.insert((one.epoch, one.seq));
            }
            of_unit
        });
        self
    }
}

/// How a kiosk stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KioskMatter {
    /// The kiosk.
    pub id: KioskId,
    /// Its number on tickets.
    pub number: u32,
    /// Its office.
    pub office: OfficeCode,
    /// The counters it serves.
    pub counters: Counters,
    /// SHA-256 of the key that signs its batches.
    pub key: Hash,
    /// Words of its key, to be compared with those that it shows.
    pub fingerprint: String,
    /// Whether they were.
    pub confirmed: bool,
    /// Whether it may send.
    pub standing: Standing,
    /// When it was admitted.
    pub enrolled: At,
    /// When its last batch arrived.
    pub last_heard: Option<At>,
    /// The last day that its journal has passed.
    pub passed: Option<Date>,
}

/// Lines that are missing while later ones are here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hole {
    /// Whose journal.
    pub kiosk: KioskId,
    /// The epoch.
    pub epoch: Epoch,
    /// The first of them.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// When the first line after them arrived.
    pub since: Option<At>,
    /// How it stands.
    pub state: HoleState,
}

/// How missing lines stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoleState {
    /// They may be on their way.
    Pending,
    /// Later ones came three days ago or more: somebody should look at the kiosk.
    Late,
    /// A person signed them off.
    Lost,
}

/// A finding, and whether a person looked at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingMatter {
    /// The finding.
    #[serde(flatten)]
    pub finding: Finding,
    /// Whether nothing more is to be done.
    pub settled: bool,
    /// Of a fork: what happened, as far as the lines tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork: Option<Fork>,
}

/// What the lines tell of a fork.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fork {
    /// What happened.
    pub how: ForkKind,
    /// The branch that was there first.
    pub early: Epoch,
    /// Lines of it from here on the other branch does not know.
    pub first: u64,
    /// The last of them that is here.
    pub last: u64,
}

/// How a journal came to have two branches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForkKind {
    /// The one ended before the other began: an older state of the disk was put back.
    RolledBack,
    /// Both went on at the same time: a copy of the disk runs in a second machine.
    Cloned,
    /// The journal was lost with its disk or file, and begun anew: numbers are given twice.
    Lost,
}
