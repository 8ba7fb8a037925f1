//! Enrolment: how a kiosk and the central service exchange keys, once, under a one-time code.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{SigningKey, VerifyingKey};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::batch::{sign, verify};
use super::form::Form;
use super::ids::{BadName, CounterId, Hash, KioskId};
use super::office::Directory;
use super::staff_code::StaffCodes;

/// HPKE info under which a ticket key is sealed to the opening key.
pub const TICKET_KEY_INFO: &[u8] = b"hailong ticket key 1";
/// What the kiosk's key signs, before the request's bytes.
pub const SIGNED: &[u8] = b"hailong enrol 1\n";
/// What a kiosk's former key signs, before the 32 bytes of the new one.
const RENEWED: &[u8] = b"hailong kiosk key 1\n";
/// Most counters that one kiosk serves: more do not fit its screen.
pub const MOST_COUNTERS: usize = 9;

/// The counters that one kiosk serves: one, or those of a hall, each once, in the order shown.
/// As text `q1,q2`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "OneOrMore", into = "Vec<CounterId>")]
pub struct Counters(Vec<CounterId>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(CounterId),
    More(Vec<CounterId>),
}

/// A list of counters that no kiosk can serve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCounters {
    /// None, too many, or one twice.
    #[error("expected 1 to {MOST_COUNTERS} counters, each once")]
    Count,
    /// One is not a counter's code.
    #[error(transparent)]
    Code(#[from] BadName),
}

impl Counters {
    /// Checks that there are 1 to [`MOST_COUNTERS`], each once.
    pub fn new(counters: Vec<CounterId>) -> Result<Self, BadCounters> {
        let distinct: BTreeSet<&CounterId> = counters.iter().collect();
        if (1..=MOST_COUNTERS).contains(&counters.len()) && distinct.len() == counters.len() {
            Ok(Self(counters))
        } else {
            Err(BadCounters::Count)
        }
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &CounterId> {
        self.0.iter()
    }

    /// Them as a list.
    pub fn to_vec(&self) -> Vec<CounterId> {
        self.0.clone()
    }
}

impl From<CounterId> for Counters {
    fn from(counter: CounterId) -> Self {
        Self(vec![counter])
    }
}

impl TryFrom<OneOrMore> for Counters {
    type Error = BadCounters;
    fn try_from(read: OneOrMore) -> Result<Self, BadCounters> {
        match read {
            OneOrMore::One(counter) => Ok(counter.into()),
            OneOrMore::More(counters) => Self::new(counters),
        }
    }
}

impl From<Counters> for Vec<CounterId> {
    fn from(counters: Counters) -> Self {
        counters.0
    }
}

impl FromStr for Counters {
    type Err = BadCounters;
    fn from_str(text: &str) -> Result<Self, BadCounters> {
        let counters: Result<Vec<CounterId>, BadName> =
            text.split(',').map(|code| code.trim().parse()).collect();
        Self::new(counters?)
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codes: Vec<&str> = self.0.iter().map(CounterId::as_str).collect();
        f.write_str(&codes.join(","))
    }
}

/// The central service's public keys, given to anybody who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CentralKeys {
    /// X25519, 64 hex digits: bodies are sealed for it.
    pub opening_key: String,
    /// Ed25519, 64 hex digits: signs receipts.
    pub receipt_key: String,
    /// Ed25519, 64 hex digits: signs the roots of days. An earlier version gives none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub root_key: String,
}

/// What a kiosk asks with. The request is signed with its new key (`Hailong-Signature`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The one-time code.
    pub code: String,
    /// The kiosk's Ed25519 key, 64 hex digits.
    pub key: String,
    /// Its ticket key, sealed to the opening key, base64url.
    pub ticket_key: String,
    /// Of an admitted kiosk that has a new key: how the one before vouches for it, base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_former: Option<String>,
}

/// How a kiosk's key vouches for the one that takes its place.
pub fn vouch(former: &SigningKey, key: &VerifyingKey) -> String {
    sign(former, RENEWED, key.as_bytes())
}

/// Whether a kiosk's key vouched for the one that takes its place.
pub fn is_vouched(former: &VerifyingKey, key: &VerifyingKey, by_former: &str) -> bool {
    verify(former, RENEWED, key.as_bytes(), by_former)
}

/// A state of an office that is to come: a kiosk without a network changes to it by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToCome {
    /// The first day on which it holds.
    pub from: Date,
    /// It.
    pub directory: Directory,
}

/// What the central service gives a kiosk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// Its name in lines.
    pub kiosk: KioskId,
    /// Its number on tickets, below 2^24.
    pub number: u32,
    /// The counters it serves: one, or those of a hall. A kiosk enrolled by an earlier version
    /// kept its one counter under `counter`.
    #[serde(alias = "counter")]
    pub counters: Counters,
    /// X25519, 64 hex digits: bodies are sealed for it.
    pub opening_key: String,
    /// Ed25519, 64 hex digits: signs receipts.
    pub receipt_key: String,
    /// Ed25519, 64 hex digits: signs the roots of days. A kiosk enrolled by an earlier version has
    /// none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub root_key: String,
    /// Where citizens' phones find the central service; fits an alphanumeric QR code.
    pub public_url: String,
    /// Its office.
    pub directory: Directory,
    /// What its office will be, the first first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to_come: Vec<ToCome>,
    /// The forms that its office may show, now or then.
    pub forms: Vec<Form>,
    /// The codes of its office's staff, as hashes.
    #[serde(default, skip_serializing_if = "StaffCodes::is_empty")]
    pub staff_codes: StaffCodes,
    /// The procedures that its office posts, by the SHA-256 of their list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub procedures: Option<Hash>,
}

impl Enrolled {
    /// Its office on a day.
    pub fn directory_on(&self, day: Date) -> &Directory {
        let begun = self.to_come.iter().take_while(|one| one.from <= day).last();
        begun.map_or(&self.directory, |one| &one.directory)
    }

    /// The same on a day on which its office is another than before, if it is. What is to come is in it no more: whoever
    /// wants that of another day, as after a clock that was wrong, asks what was told.
    pub fn as_of(&self, day: Date) -> Option<Self> {
        let directory = self.directory_on(day);
        let other = || Self { directory: directory.clone(), to_come: Vec::new(), ..self.clone() };
        (*directory != self.directory).then(other)
    }
}
