//! The kiosk as a witness: it keeps every root that the central service publishes, and notes each in
//! its own journal, under its own signature. Whoever rewrites the past has to contradict all kiosks.
//!
//! Roots lie in the folder `roots` as the service published them, one file each, for whoever comes to
//! look. One that does not follow the kept ones is kept beside them as evidence, and noted too.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ed25519_dalek::VerifyingKey;

use super::network::{Network, Unreachable, refusal};
use crate::clock::Clock;
use crate::domain::ids::Hash;
use crate::domain::root::{BadRoot, Published, Statement};
use crate::files::write_whole;

const FOLDER: &str = "roots";
/// How often it is looked whether there is a new root.
const LOOK: Duration = Duration::from_secs(3_600);

/// Why roots could not be kept this time.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// The service.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// It refused, or what it answered cannot be read.
    #[error("the central service gives no roots: {0}")]
    Refused(String),
    /// The disk.
    #[error("roots could not be kept: {0}")]
    Disk(#[from] std::io::Error),
}

/// What is to be noted in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The root's number.
    pub number: u64,
    /// Its anchor.
    pub anchor: Hash,
    /// Whether it does not follow those that were kept.
    pub refused: bool,
}

/// The roots kept by a kiosk.
#[derive(Debug)]
pub struct Witness {
    folder: PathBuf,
    key: Option<VerifyingKey>,
    kept: Option<(u64, Hash)>,
}

impl Witness {
    /// The roots in a kiosk's folder. Without a `key` from the enrolment, that of the first root
    /// that was seen is believed from then on.
    pub fn open(data: &Path, key: Option<VerifyingKey>) -> Self {
        let folder = data.join(FOLDER);
        let files = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let read = files.filter_map(|entry| {
            let kept = !entry.file_name().to_str()?.starts_with("refused");
            let bytes = std::fs::read(entry.path()).ok().filter(|_| kept)?;
            let root: Published = serde_json::from_slice(&bytes).ok()?;
            let number = serde_json::from_str::<Statement>(&root.root.statement).ok()?.number;
            Some((number, root))
        });
        let last = read.max_by_key(|(number, _)| *number);
        let first_seen = || last.as_ref().and_then(|(_, root)| root.verifying_key());
        // One that the last kept root was signed with has taken the place of that of the enrolment.
        let key = first_seen().or(key);
        Self { folder, key, kept: last.map(|(number, root)| (number, root.root.anchor())) }
    }

    /// Number and anchor of the last root that is kept.
    pub fn kept(&self) -> Option<(u64, Hash)> {
        self.kept
    }

    /// Keeps roots as published, the first first; gives what is to be noted. The last one that is
    /// kept should come first again: then it is seen whether it is still the same.
    pub fn take(&mut self, published: &[Published]) -> std::io::Result<Vec<Seen>> {
        let mut seen = Vec::new();
        for root in published {
            let anchor = root.root.anchor();
            let Some(key) = self.key.or_else(|| root.verifying_key()) else { continue };
            let verified = root.root.verify_after(&key);
            let key = verified.as_ref().map_or(key, |(_, key)| *key);
            let (number, follows) = match verified {
                // The key beside a root is under no signature, and is believed after the next start.
                Ok((statement, _)) => {
                    let named = root.verifying_key() == Some(key);
                    (statement.number, named && self.follows(&statement, anchor))
                }
                Err(BadRoot::Signature | BadRoot::Statement) => {
                    let claimed = serde_json::from_str::<Statement>(&root.root.statement);
                    (claimed.map_or(0, |statement| statement.number), false)
                }
            };
            if self.kept == Some((number, anchor)) {
                continue;
            }
            let name = if follows { "" } else { "refused-" };
            let short = &anchor.to_string()[..16];
            let file = self.folder.join(format!("{name}{number:06}-{short}.json"));
            if file.exists() {
                continue;
            }
            std::fs::create_dir_all(&self.folder)?;
            let mut bytes = serde_json::to_vec_pretty(root)?;
            bytes.push(b'\n');
            write_whole(&file, &bytes, false)?;
            if follows {
                self.key = Some(key);
                self.kept = Some((number, anchor));
            } else {
                tracing::error!(
                    number, %anchor, kept = ?self.kept, file = %file.display(),
                    "the central service published a root that does not follow those kept here: \
                     what was received before may have been changed; keep this file for an auditor"
                );
            }
            seen.push(Seen { number, anchor, refused: !follows });
        }
        Ok(seen)
    }

    fn follows(&self, statement: &Statement, anchor: Hash) -> bool {
        match self.kept {
            // A kiosk may begin at any time.
            None => true,
            Some((number, kept)) if statement.number == number => anchor == kept,
            Some((number, kept)) => statement.number == number + 1 && statement.previous == kept,
        }
    }

    /// Asks for new roots once.
    pub async fn look(&mut self, network: &Network) -> Result<Vec<Seen>, WitnessError> {
        let mut seen = Vec::new();
        loop {
            let after = self.kept.map_or(0, |(number, _)| number - 1);
            let address = network.address(&format!("/api/v1/roots?after={after}"));
            let lost = |error: reqwest::Error| network.lost(&error);
            let reply = network.client()?.get(address).send().await.map_err(lost)?;
            let status = reply.status();
            if let Some(turned_back) = network.turned_back(status) {
                return Err(turned_back.into());
            }
            let body = reply.bytes().await.map_err(lost)?;
            if !status.is_success() {
                return Err(WitnessError::Refused(refusal(status, &body)));
            }
            let published: Vec<Published> = serde_json::from_slice(&body)
                .map_err(|error| WitnessError::Refused(error.to_string()))?;
            if let (Some((number, _)), true) = (self.kept, published.is_empty()) {
                let why = format!("the last one kept here, of number {number}, is no longer there");
                return Err(WitnessError::Refused(why));
            }
            let before = self.kept;
            seen.extend(self.take(&published)?);
            if self.kept == before {
                return Ok(seen);
            }
        }
    }

    /// Keeps roots for as long as the kiosk runs; `note` takes what the journal has to note.
    pub async fn follow(
        mut self,
        network: Network,
        clock: std::sync::Arc<dyn Clock>,
        note: impl Fn(Seen) + Send,
    ) -> Infallible {
        let mut said = false;
        loop {
            match self.look(&network).await {
                Ok(seen) => {
                    said = false;
                    seen.into_iter().for_each(&note);
                }
                // Weeks without network are one line of the log, not thousands.
                Err(why) if !said => {
                    tracing::warn!(%why, "roots not fetched; trying again");
                    said = true;
                }
                Err(_) => {}
            }
            clock.sleep(LOOK).await;
        }
    }
}
