//! Enrolment: how a kiosk and the central service exchange keys, once, under a one-time code.

use serde::{Deserialize, Serialize};

use super::form::Form;
use super::ids::{CounterId, KioskId};
use super::office::Directory;

/// HPKE info under which a ticket key is sealed to the opening key.
pub const TICKET_KEY_INFO: &[u8] = b"hailong ticket key 1";
/// What the kiosk's key signs, before the request's bytes.
pub const SIGNED: &[u8] = b"hailong enrol 1\n";

/// The central service's public keys, given to anybody who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CentralKeys {
    /// X25519, 64 hex digits: bodies are sealed for it.
    pub opening_key: String,
    /// Ed25519, 64 hex digits: signs receipts.
    pub receipt_key: String,
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
}

/// What the central service gives a kiosk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// Its name in lines.
    pub kiosk: KioskId,
    /// Its number on tickets, below 2^24.
    pub number: u32,
    /// The counter it stands at.
    pub counter: CounterId,
    /// X25519, 64 hex digits: bodies are sealed for it.
    pub opening_key: String,
    /// Ed25519, 64 hex digits: signs receipts.
    pub receipt_key: String,
    /// Where citizens' phones find the central service; fits an alphanumeric QR code.
    pub public_url: String,
    /// Its office.
    pub directory: Directory,
    /// The forms that its office may show.
    pub forms: Vec<Form>,
}
