//! What the central service tells a kiosk from day to day: counters, officials, roster, calendar, forms
//! and texts, signed like a receipt. A kiosk that cannot use one keeps the last that it could.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::batch::{sign, verify};
use super::enrolment::{Counters, Enrolled, ToCome};
use super::form::Form;
use super::ids::{Hash, KioskId};
use super::office::Directory;
use super::staff_code::StaffCodes;

/// What the central service signs, before the configuration's bytes.
const SIGNED: &[u8] = b"hailong configuration 1\n";
/// What a kiosk signs to ask for its configuration, before its name.
const ASKED: &[u8] = b"hailong ask configuration 1\n";
/// Most bytes of a configuration.
pub const MOST_BYTES: usize = 4 << 20;

/// A kiosk's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// For which kiosk.
    pub kiosk: KioskId,
    /// The counters it serves.
    pub counters: Counters,
    /// Where citizens' phones find the central service.
    pub public_url: String,
    /// Its office.
    pub directory: Directory,
    /// What its office will be, by the first day of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to_come: Vec<ToCome>,
    /// The forms that its office may show, one at least.
    pub forms: Vec<Form>,
    /// What its screens say, by language; the first is that of rest. A kiosk of another version may not
    /// read them, and keeps its own.
    #[serde(default)]
    pub texts: Vec<serde_json::Value>,
    /// The codes of its office's staff, as hashes.
    #[serde(default, skip_serializing_if = "StaffCodes::is_empty")]
    pub staff_codes: StaffCodes,
    /// The procedures that its office posts, by the SHA-256 of their list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub procedures: Option<Hash>,
}

/// Why a configuration is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadConfiguration {
    /// Not signed by the central service.
    #[error("it is not signed by the central service that this kiosk was enrolled at")]
    Signature,
    /// Not a configuration.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// Another kiosk's.
    #[error("it is for {0}")]
    Another(KioskId),
    /// The office does not have one of the counters.
    #[error("its office has no counter {0}")]
    Counter(String),
    /// Nothing can be shown.
    #[error("it has no form {0} that can be shown")]
    Form(String),
}

impl Configuration {
    /// The signature of its bytes.
    pub fn sign(key: &SigningKey, bytes: &[u8]) -> String {
        sign(key, SIGNED, bytes)
    }

    /// Reads and checks what a central service answered to a kiosk.
    pub fn read(
        bytes: &[u8],
        signature: &str,
        key: &VerifyingKey,
        kiosk: &KioskId,
    ) -> Result<Self, BadConfiguration> {
        if !verify(key, SIGNED, bytes, signature) {
            return Err(BadConfiguration::Signature);
        }
        let read: Self = serde_json::from_slice(bytes)
            .map_err(|error| BadConfiguration::Unreadable(error.to_string()))?;
        if read.kiosk != *kiosk {
            return Err(BadConfiguration::Another(read.kiosk));
        }
        let known = |counter: &_| read.directory.counter(counter).is_some();
        if let Some(counter) = read.counters.to_vec().into_iter().find(|one| !known(one)) {
            return Err(BadConfiguration::Counter(counter.to_string()));
        }
        let own = &read.directory.office.form;
        let usable = |form: &Form| form.code == *own && form.check().is_ok();
        if read.forms.iter().any(|form| form.check().is_err()) || !read.forms.iter().any(usable) {
            return Err(BadConfiguration::Form(own.clone()));
        }
        Ok(read)
    }

    /// Takes the place of what the enrolment gave.
    pub fn put_into(&self, enrolled: &mut Enrolled) {
        enrolled.counters.clone_from(&self.counters);
        enrolled.public_url.clone_from(&self.public_url);
        enrolled.directory.clone_from(&self.directory);
        enrolled.to_come.clone_from(&self.to_come);
        enrolled.forms.clone_from(&self.forms);
        enrolled.staff_codes.clone_from(&self.staff_codes);
        enrolled.procedures = self.procedures;
    }
}

/// How a kiosk asks for its configuration: the value of `Hailong-Signature`.
pub fn ask(key: &dyn Signer<Signature>, kiosk: &KioskId) -> String {
    sign(key, ASKED, kiosk.as_str().as_bytes())
}

/// Whether a kiosk asks.
pub fn is_asked(key: &VerifyingKey, kiosk: &KioskId, signature: &str) -> bool {
    verify(key, ASKED, kiosk.as_str().as_bytes(), signature)
}
