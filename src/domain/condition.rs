//! The condition of a kiosk, as it tells it every few minutes in a signed heartbeat: a help for whoever looks
//! after it, no evidence and no part of any figure.

use ed25519_dalek::{Signature, Signer, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::batch;
use super::ids::KioskId;
use super::time::At;

/// What a kiosk signs, before its name, a newline and the condition's bytes.
const SIGNED: &[u8] = b"hailong heartbeat 1\n";
/// Most bytes of a heartbeat.
pub const MOST_BYTES: usize = 4 << 10;
/// Most letters of what stands in the way.
const MOST_TROUBLE: usize = 400;
/// Most letters of a version.
const MOST_VERSION: usize = 32;

/// How a kiosk is. Keys of a later version are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// The program's version.
    pub version: String,
    /// When its process started, by its clock as that shows now.
    pub since: At,
    /// How many lines of its journal are not receipted.
    pub queue: u64,
    /// When the first of them was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_unsent: Option<At>,
    /// When the central service wrote the last receipt that is kept there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_receipt: Option<At>,
    /// What stood in the way of the last try to send, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// Bytes left on the disk of its folder, for its user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_free: Option<u64>,
    /// How far its machine's clock is ahead of the central service's (behind: negative), by the last
    /// receipt of this run that came over the network; none when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_offset_ms: Option<i64>,
}

impl Condition {
    /// Its texts bounded, and without signs that a terminal obeys.
    pub fn plain(self) -> Self {
        let plain = |text: &str, most| -> String {
            let letter = |letter: char| if letter.is_control() { ' ' } else { letter };
            text.chars().map(letter).take(most).collect()
        };
        let version = plain(&self.version, MOST_VERSION);
        let trouble = self.trouble.as_deref().map(|text| plain(text, MOST_TROUBLE));
        Self { version, trouble, ..self }
    }
}

fn signed(kiosk: &KioskId, bytes: &[u8]) -> Vec<u8> {
    [kiosk.as_str().as_bytes(), b"\n", bytes].concat()
}

/// How a kiosk signs its heartbeat: the value of `Hailong-Signature`.
pub fn sign(key: &dyn Signer<Signature>, kiosk: &KioskId, bytes: &[u8]) -> String {
    batch::sign(key, SIGNED, &signed(kiosk, bytes))
}

/// Whether a heartbeat is a kiosk's own.
pub fn is_signed(key: &VerifyingKey, kiosk: &KioskId, bytes: &[u8], signature: &str) -> bool {
    batch::verify(key, SIGNED, &signed(kiosk, bytes), signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_or_nobody_reads_to_its_end_is_taken_out() {
        let told = format!(
            r#"{{"version":"0.1.0","since":"2026-11-24T07:30:00.000+07:00","queue":3,
                 "trouble":"a\u001b[2Jb\n{}","weather":{{"rain":true}}}}"#,
            "x".repeat(1_000)
        );
        let condition = serde_json::from_str::<Condition>(&told).unwrap().plain();
        let trouble = condition.trouble.unwrap();
        assert!(trouble.starts_with("a [2Jb x") && trouble.len() == MOST_TROUBLE, "{trouble}");
    }
}
