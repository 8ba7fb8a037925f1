//! How this kiosk is: looked at every half minute for its page for maintenance, and told to the central service
//! every five minutes. Nothing waits for it, and nothing goes on or stops by it.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::{Signature, Signer};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::journal::JournalError;
use super::journal_reader::JournalReader;
use super::network::{Network, Unreachable, refusal};
use super::sender::Sender;
use super::uploader::Standing;
use crate::clock::Clock;
pub use crate::domain::condition::Condition;
use crate::domain::condition::sign;
use crate::domain::ids::KioskId;
use crate::domain::line::Line;
use crate::domain::time::At;

/// How often it is looked how the kiosk is, if nothing tells of a change.
const LOOK: Duration = Duration::from_secs(30);
/// How often the central service is told.
const TELL: Duration = Duration::from_secs(300);

/// What a kiosk's condition is seen by.
struct Looker {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    /// The monotonic clock's milliseconds at the process's start.
    began: u64,
}

impl Looker {
    /// Reads journal and disk.
    fn look(&self, standing: &Standing) -> Condition {
        let mono = self.clock.mono_ms();
        let ran = Duration::from_millis(mono.saturating_sub(self.began));
        let now = self.clock.now();
        // A journal that cannot be read is the uploader's to tell.
        let (queue, oldest_unsent) = self
            .unsent(standing.watermark)
            .unwrap_or((standing.last.saturating_sub(standing.watermark), None));
        let offset = |(told, then): (At, u64)| {
            let since = mono.saturating_sub(then) as i64;
            let theirs = told.timestamp().as_millisecond().saturating_add(since);
            self.clock.machine().as_millisecond().saturating_sub(theirs)
        };
        Condition {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            since: At::new(now.checked_sub(ran).unwrap_or(now)),
            queue,
            oldest_unsent,
            last_receipt: standing.receipted,
            trouble: standing.trouble.as_ref().map(ToString::to_string),
            disk_free: disk_free(&self.folder),
            clock_offset_ms: standing.heard.map(offset),
        }
        .plain()
    }

    /// How many lines of the journal come after the watermark, and when the first was written.
    fn unsent(&self, watermark: u64) -> Result<(u64, Option<At>), JournalError> {
        let journal = JournalReader::open(&self.folder)?;
        let queue = journal.last()?.saturating_sub(watermark);
        let first = journal.line(watermark + 1)?;
        let first = first.and_then(|line| serde_json::from_slice::<Line>(&line).ok());
        Ok((queue, first.map(|line| line.at)))
    }
}

/// Bytes left on a folder's disk; none where the system does not tell.
fn disk_free(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    return rustix::fs::statvfs(folder)
        .ok()
        .map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

/// The condition of the kiosk that has its journal in `folder`, now and later, for as long as its uploader
/// lives.
pub fn follow(
    folder: &Path,
    mut standing: watch::Receiver<Standing>,
    clock: Arc<dyn Clock>,
    runtime: &Handle,
) -> watch::Receiver<Condition> {
    let began = clock.mono_ms();
    let looker = Arc::new(Looker { folder: folder.to_owned(), clock: Arc::clone(&clock), began });
    let (tell, told) = watch::channel(looker.look(&standing.borrow_and_update()));
    runtime.spawn(async move {
        loop {
            tokio::select! {
                changed = standing.changed() => if changed.is_err() { return },
                () = clock.sleep(LOOK) => {}
            }
            let (looker, stands) = (Arc::clone(&looker), standing.borrow_and_update().clone());
            // A slow disk is waited for elsewhere.
            let looked = tokio::task::spawn_blocking(move || looker.look(&stands)).await;
            if looked.is_ok_and(|condition| tell.send(condition).is_err()) {
                return;
            }
        }
    });
    told
}

/// Why the central service was not told.
#[derive(Debug, thiserror::Error)]
pub enum HeartbeatError {
    /// The service.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// It refused.
    #[error("the central service takes no heartbeat: {0}")]
    Refused(String),
    /// It could not be written.
    #[error("a heartbeat could not be written: {0}")]
    Unwritten(#[from] serde_json::Error),
}

/// Tells the central service how a kiosk is.
pub struct Heart {
    kiosk: KioskId,
    /// As [`Sender::signing_key`].
    signing_key: Arc<dyn Signer<Signature> + Send + Sync>,
    condition: watch::Receiver<Condition>,
}

impl Heart {
    /// That of a kiosk that sends as `sender`.
    pub fn of(sender: &Sender, condition: watch::Receiver<Condition>) -> Self {
        let signing_key = Arc::clone(&sender.signing_key);
        Self { kiosk: sender.kiosk.clone(), signing_key, condition }
    }

    /// Tells it once.
    ///
    /// # Errors
    /// When the service is not reached, or refuses.
    pub async fn beat(&self, network: &Network) -> Result<(), HeartbeatError> {
        let lost = |error: reqwest::Error| network.lost(&error);
        let body = serde_json::to_vec(&*self.condition.borrow())?;
        let address = network.address(&format!("/api/v1/heartbeat/{}", self.kiosk));
        let request = network
            .client()?
            .post(address)
            .header("content-type", "application/json")
            .header("hailong-signature", sign(&*self.signing_key, &self.kiosk, &body))
            .body(body);
        let reply = request.send().await.map_err(lost)?;
        let status = reply.status();
        if let Some(turned_back) = network.turned_back(status) {
            return Err(turned_back.into());
        }
        if status.is_success() {
            return Ok(());
        }
        let why = reply.bytes().await.map_err(lost)?;
        Err(HeartbeatError::Refused(refusal(status, &why)))
    }

    /// Tells it again and again.
    pub async fn follow(self, network: Network, clock: Arc<dyn Clock>) -> Infallible {
        let mut said = false;
        loop {
            match self.beat(&network).await {
                Ok(()) => said = false,
                // Weeks without network are one line of the log, not thousands.
                Err(why) if !said => {
                    tracing::warn!(%why, "the central service is not told how this kiosk is; trying again");
                    said = true;
                }
                Err(_) => {}
            }
            clock.sleep(TELL).await;
        }
    }
}
