//! Who this kiosk is: its keys, and what enrolment gave it, in `identity.json` (mode 0600).

use std::fs;
use std::path::{Path, PathBuf};

use ed25519_dalek::{SigningKey, VerifyingKey};
use rand::Rng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::domain::enrolment::Enrolled;
use crate::domain::seal::SealingKey;
use crate::domain::ticket::TicketKey;
use crate::files::write_whole;

const FILE: &str = "identity.json";

/// Why an identity could not be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file could not be read or written.
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
    /// The file is not an identity.
    #[error(
        "{0} is damaged ({1}); restore it from a backup or enrol the kiosk again in an empty folder"
    )]
    Damaged(PathBuf, String),
}

/// The file's content.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    signing_key: Zeroizing<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<StoredNext>,
    ticket_key: Zeroizing<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enrolled: Option<Enrolled>,
    journal_begun: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredNext {
    signing_key: Zeroizing<String>,
    ticket_key: Zeroizing<String>,
}

/// Keys that take the place of those in use once the central service has admitted them.
pub struct NextKeys {
    /// Signs batches.
    pub signing_key: SigningKey,
    /// Makes tickets.
    pub ticket_key: Zeroizing<TicketKey>,
}

/// A kiosk's keys and what enrolment gave it.
pub struct Identity {
    file: PathBuf,
    /// Signs batches.
    pub signing_key: SigningKey,
    /// Makes tickets.
    pub ticket_key: Zeroizing<TicketKey>,
    /// What takes their place, once that was drawn.
    pub next: Option<NextKeys>,
    /// What enrolment gave, once it has.
    pub enrolled: Option<Enrolled>,
    /// Whether a journal was begun.
    pub journal_begun: bool,
}

impl Identity {
    /// Reads the identity in `folder`, if there is one.
    pub fn load(folder: &Path) -> Result<Option<Self>, IdentityError> {
        let file = folder.join(FILE);
        match fs::read(&file) {
            Ok(bytes) => Self::read(file, &Zeroizing::new(bytes)).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(IdentityError::File(file, error)),
        }
    }

    /// Reads the identity in `folder`, or draws new keys and keeps them there.
    pub fn load_or_create(folder: &Path, random: &mut dyn Rng) -> Result<Self, IdentityError> {
        match Self::load(folder)? {
            Some(identity) => Ok(identity),
            None => {
                let file = folder.join(FILE);
                fs::create_dir_all(folder)
                    .map_err(|error| IdentityError::File(folder.to_owned(), error))?;
                let NextKeys { signing_key, ticket_key } = NextKeys::draw(random);
                let identity = Self {
                    file,
                    signing_key,
                    ticket_key,
                    next: None,
                    enrolled: None,
                    journal_begun: false,
                };
                identity.keep()?;
                Ok(identity)
            }
        }
    }

    /// Draws keys that are to take the place of those in use, unless some were drawn before.
    pub fn draw_next(&mut self, random: &mut dyn Rng) -> Result<(), IdentityError> {
        if self.next.is_none() {
            self.next = Some(NextKeys::draw(random));
            self.keep()?;
        }
        Ok(())
    }

    fn read(file: PathBuf, bytes: &[u8]) -> Result<Self, IdentityError> {
        let damaged = |file: &PathBuf, why: String| IdentityError::Damaged(file.clone(), why);
        let stored: Stored =
            serde_json::from_slice(bytes).map_err(|error| damaged(&file, error.to_string()))?;
        let key = |hex: &str| -> Option<[u8; 32]> {
            data_encoding::HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok()
        };
        let both = |signing: &str, ticket: &str| {
            let (signing, ticket) = (Zeroizing::new(key(signing)?), Zeroizing::new(key(ticket)?));
            Some(NextKeys { signing_key: SigningKey::from_bytes(&signing), ticket_key: ticket })
        };
        let next = stored.next.as_ref().map(|next| both(&next.signing_key, &next.ticket_key));
        let (Some(keys), None | Some(Some(_))) =
            (both(&stored.signing_key, &stored.ticket_key), &next)
        else {
            return Err(damaged(&file, "a key is not 64 hex digits".into()));
        };
        Ok(Self {
            signing_key: keys.signing_key,
            ticket_key: keys.ticket_key,
            next: next.flatten(),
            enrolled: stored.enrolled,
            journal_begun: stored.journal_begun,
            file,
        })
    }

    /// Writes the file anew: whole or not at all.
    pub fn keep(&self) -> Result<(), IdentityError> {
        let hex = |bytes: &[u8]| Zeroizing::new(data_encoding::HEXLOWER.encode(bytes));
        let stored = Stored {
            signing_key: hex(self.signing_key.as_bytes()),
            next: self.next.as_ref().map(|next| StoredNext {
                signing_key: hex(next.signing_key.as_bytes()),
                ticket_key: hex(&*next.ticket_key),
            }),
            ticket_key: hex(&*self.ticket_key),
            enrolled: self.enrolled.clone(),
            journal_begun: self.journal_begun,
        };
        let bytes = serde_json::to_vec_pretty(&stored)
            .map(Zeroizing::new)
            .map_err(|error| IdentityError::Damaged(self.file.clone(), error.to_string()))?;
        write_whole(&self.file, &bytes, true)
            .map_err(|error| IdentityError::File(self.file.clone(), error))
    }
}

impl NextKeys {
    fn draw(random: &mut dyn Rng) -> Self {
        let (mut secret, mut ticket_key) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
        random.fill_bytes(&mut *secret);
        random.fill_bytes(&mut *ticket_key);
        Self { signing_key: SigningKey::from_bytes(&secret), ticket_key }
    }
}

/// The public keys of the central service, as enrolment gave them.
pub fn central_keys(enrolled: &Enrolled) -> Option<(SealingKey, VerifyingKey)> {
    let bytes = |hex: &str| -> Option<[u8; 32]> {
        data_encoding::HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok()
    };
    let opening = SealingKey::from_bytes(&bytes(&enrolled.opening_key)?).ok()?;
    let receipt = VerifyingKey::from_bytes(&bytes(&enrolled.receipt_key)?).ok()?;
    Some((opening, receipt))
}
