//! A receipt: what the central service has of a kiosk's journal, signed.

use ed25519_dalek::{SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::batch::{sign, verify};
use super::ids::{Epoch, Hash, KioskId};
use super::letter::Letter;
use super::seal::key_id;
use super::time::At;

const SIGNED: &[u8] = b"hailong receipt 1\n";

/// Answer to a batch. The kiosk may prune lines up to `watermark` after its retention, no others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Whose series.
    pub kiosk: KioskId,
    /// The epoch of the batch.
    pub epoch: Epoch,
    /// Every line up to here was received, along this epoch and those before it; 0 for none.
    pub watermark: u64,
    /// Hash of the line at the watermark; 64 zeros at 0.
    pub head: Hash,
    /// Ranges of numbers missing below the highest received one, both ends included.
    pub holes: Vec<(u64, u64)>,
    /// Lines of this batch that could not be placed; they count as received.
    pub quarantined: Vec<Quarantined>,
    /// Numbers of this batch that were already there with other bytes; they count as received.
    pub conflicts: Vec<u64>,
    /// The central service's clock.
    pub at: At,
}

/// A line or body in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// The line.
    pub seq: u64,
    /// Why, as a code.
    pub reason: String,
}

impl Receipt {
    /// Its bytes, signed.
    pub fn signed(&self, key: &SigningKey) -> Result<Letter, serde_json::Error> {
        let body = serde_json::to_vec(self)?;
        let signature = sign_receipt(key, &body);
        Ok(Letter { signature, key: key_id(key.verifying_key().as_bytes()), body })
    }
}

/// Signs the bytes of a receipt: the value of `Hailong-Signature`.
pub fn sign_receipt(key: &SigningKey, bytes: &[u8]) -> String {
    sign(key, SIGNED, bytes)
}

/// Whether a receipt's bytes were signed by `key`.
pub fn verify_receipt(key: &VerifyingKey, bytes: &[u8], signature: &str) -> bool {
    verify(key, SIGNED, bytes, signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_not_a_batch() {
        let key = SigningKey::from_bytes(&[3; 32]);
        let signature = sign_receipt(&key, b"{}");
        assert!(verify_receipt(&key.verifying_key(), b"{}", &signature));
        assert!(!verify_receipt(&key.verifying_key(), b"{} ", &signature));
        assert!(!verify(&key.verifying_key(), b"hailong batch 1\n", b"{}", &signature));
    }
}
