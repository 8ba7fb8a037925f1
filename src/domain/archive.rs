//! An archive: journals, roots and what is needed to check them, for whoever trusts nobody here.
//!
//! One JSON record a line. First what the archive is, then kiosks, forms, directories and what is left
//! of days whose answers are erased, then the batches in the order stored, each root after the last
//! batch that it covers, then a receipt for each journal, later decisions that erased something of it,
//! and at the end the hash of all that stands before it, so that a cut archive is known as one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use jiff::civil::Date;

use super::form::Form;
use super::ids::Hash;
use super::office::Directory;
use super::root::Root;
use super::seal::{Kind, Plain, SealError};
use super::time::At;

/// Why a body is not here: a decision erased it.
pub const ERASED: &str = "erased";

/// One record.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case", deny_unknown_fields)]
pub enum Record {
    /// What this is.
    Archive(About),
    /// An admitted kiosk, as in the kiosk list.
    Kiosk(ListedKiosk),
    /// A version of a form.
    Form(Box<Form>),
    /// An office's directory.
    Directory(Box<Directory>),
    /// What was counted on a day whose answers are erased.
    Tallies(Tallies),
    /// A stored batch.
    Batch(Batch),
    /// The root of what stands before it.
    Root(Root),
    /// How far a journal was here when the archive was made.
    Receipt(SignedReceipt),
    /// A batch of the central service's own series that came later, and says what was erased of
    /// what stands here.
    Later(Batch),
    /// The end.
    End(End),
}

/// What an archive is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Version of the archive, 1.
    pub v: u8,
    /// First day on which what is here was received, if not the first of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    /// Last day, if not the last of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Date>,
    /// The key that signs the central service's own series, 64 hex digits.
    pub series_key: String,
    /// The key that signs the first root here, 64 hex digits; of another that signs later ones, the
    /// one before vouches.
    pub root_key: String,
    /// Whether bodies are here, opened.
    pub opened: bool,
    /// When it was made.
    pub at: At,
}

/// A kiosk of the kiosk list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedKiosk {
    /// Its number on tickets.
    pub number: u32,
    /// Its name.
    pub id: String,
    /// Its office.
    pub office: String,
    /// The counters it serves.
    pub counters: String,
    /// The key that signs its batches, 64 hex digits.
    pub key: String,
    /// When it was admitted.
    pub enrolled: At,
    /// Keys that signed before, the first one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<ListedKey>,
}

/// A key that signed a kiosk's batches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedKey {
    /// The key, 64 hex digits.
    pub key: String,
    /// Until when.
    pub until: At,
}

/// An office's day whose answers are erased: what was counted, carried over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tallies {
    /// The office.
    pub office: String,
    /// The day.
    pub day: Date,
    /// How much of each, by the key of the tally.
    pub tallies: BTreeMap<String, i64>,
}

impl Tallies {
    /// Lines of the canonical dump.
    pub fn dump(&self) -> impl Iterator<Item = String> {
        let rows = self.tallies.iter();
        rows.map(|(key, n)| serde_json::json!(["tally", self.office, self.day, key, n]).to_string())
    }
}

/// A batch as stored, with its bodies opened or without them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The header line as signed.
    pub header: Raw,
    /// Its signature.
    pub signature: String,
    /// When it was received.
    pub received: At,
    /// The lines.
    pub lines: Vec<Raw>,
    /// Their bodies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bodies: Vec<Body>,
}

/// Bytes, as text where they are text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Raw {
    /// UTF-8.
    Text(String),
    /// Anything else, in hex.
    Hex {
        /// Lower hex digits.
        hex: String,
    },
}

impl Raw {
    /// These bytes.
    pub fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Hex { hex: data_encoding::HEXLOWER.encode(bytes) },
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.as_bytes().to_vec(),
            Self::Hex { hex } => data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap_or_default(),
        }
    }
}

/// A body beside its line: opened, or why it could not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// The line.
    pub seq: u64,
    /// What it holds, 1 to 3; another number is a kind of a later version.
    pub kind: u8,
    /// The salt, 64 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// The answer's text without padding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Raw>,
    /// Why it could not be opened, as a code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_opened: Option<String>,
    /// Of one that was erased: why its line was in quarantine for it, as codes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<String>,
}

impl Body {
    /// An opened body.
    pub fn opened(seq: u64, kind: Kind, plain: &Plain) -> Self {
        Self {
            seq,
            kind: kind as u8,
            salt: Some(data_encoding::HEXLOWER.encode(plain.salt())),
            answer: Some(Raw::of(plain.text())),
            not_opened: None,
            found: Vec::new(),
        }
    }

    /// A body that could not be opened.
    pub fn closed(seq: u64, kind: u8, why: String) -> Self {
        let not_opened = Some(why);
        Self { seq, kind, salt: None, answer: None, not_opened, found: Vec::new() }
    }

    /// What it holds, if a line carries the `hash` of it.
    pub fn plain(&self, kind: Kind, hash: Hash) -> Result<Plain, SealError> {
        let (Some(salt), Some(answer)) = (&self.salt, &self.answer) else {
            return Err(SealError::NotOpened);
        };
        let salt = data_encoding::HEXLOWER.decode(salt.as_bytes());
        let salt = salt.map_err(|_| SealError::NotOfLine)?;
        Plain::new(&salt, &answer.bytes(), kind, hash)
    }
}

/// How far a journal had come when the archive was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedReceipt {
    /// A receipt as its kiosk would be given it, see [`Receipt`](super::receipt::Receipt).
    pub receipt: String,
    /// Ed25519 over `hailong receipt 1\n` and the receipt, by the key of the central service's own
    /// series, which an anchor vouches for.
    pub signature: String,
}

/// The end of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// How many records stand before it.
    pub records: u64,
    /// SHA-256 of them, newlines included.
    pub sha256: Hash,
}
