//! Sends the journal on: what is not receipted, in order, as often as it takes.
//!
//! What to send next is the pure function [`plan`]; how long to wait is the pure function
//! [`wait`]. The last receipt is kept beside the journal in `receipts.db`, so that a restart goes
//! on where the central service is. The journal is only read here: a tap never waits for this.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::{SigningKey, VerifyingKey};
use rand::{CryptoRng, RngExt};
use reqwest::StatusCode;
use rusqlite::{Connection, OptionalExtension};
use tokio::sync::{Notify, watch};

use super::journal::{EpochSpan, JournalError, JournalReader};
use super::network::{Network, Unreachable, refusal};
use crate::clock::Clock;
use crate::domain::batch::{BadBatch, MAX_LINES, Packed, Parts, pack};
use crate::domain::ids::{Hash, KioskId};
use crate::domain::receipt::{Receipt, verify_receipt};
use crate::domain::system_random;

/// The file's name within the kiosk's folder.
pub const FILE: &str = "receipts.db";
/// The first back-off is drawn from zero to this.
const BASE: Duration = Duration::from_secs(2);
/// No back-off is longer, unless the central service asks for it.
const CAP: Duration = Duration::from_secs(300);
/// Most reasons logged until something was receipted again.
const MOST_REASONS: usize = 8;
/// Longest wait that `Retry-After` may ask for.
const LONGEST: Duration = Duration::from_secs(3_600);

/// What to send next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The epoch.
    pub span: EpochSpan,
    /// Number of the first line.
    pub first: u64,
    /// Number of the last line.
    pub last: u64,
}

/// What to send next: up to `most` lines of one epoch that the last receipt does not cover.
///
/// `epoch_of` gives the epoch that holds a line of the journal.
pub fn plan<E>(
    watermark: u64,
    last: u64,
    most: usize,
    epoch_of: impl FnOnce(u64) -> Result<Option<EpochSpan>, E>,
) -> Result<Option<Plan>, E> {
    if watermark >= last {
        return Ok(None);
    }
    let first = watermark + 1;
    Ok(epoch_of(first)?.map(|span| {
        let last = span.last.min(first + most.max(1) as u64 - 1);
        Plan { span, first, last }
    }))
}

/// How long to wait after the `failures`-th failure in a row: exponential with full jitter, and
/// never shorter than the central service asked for.
pub fn wait(failures: u32, asked: Option<Duration>, random: &mut impl CryptoRng) -> Duration {
    let ceiling = BASE.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(CAP);
    let drawn = Duration::from_millis(random.random_range(0..=ceiling.as_millis() as u64));
    asked.map_or(drawn, |asked| asked.min(LONGEST) + drawn)
}

/// An answer over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// `Retry-After`, if given in seconds.
    pub retry_after: Option<Duration>,
    /// `Hailong-Signature`.
    pub signature: String,
    /// The body.
    pub body: Vec<u8>,
}

/// Carries a batch to the central service and its answer back.
pub trait Transport: Send + Sync + 'static {
    /// Posts a batch.
    fn post(&self, batch: &Packed) -> impl Future<Output = Result<Reply, Unreachable>> + Send;
}

/// Over HTTP with reqwest.
pub struct Http {
    network: Network,
    client: reqwest::Client,
}

impl Http {
    /// To a central service, such as the one at `https://hailong.example.vn`.
    pub fn new(network: impl Into<Network>) -> Result<Self, Unreachable> {
        let network = network.into();
        let client = network.client()?;
        Ok(Self { network, client })
    }
}

impl Transport for Http {
    async fn post(&self, batch: &Packed) -> Result<Reply, Unreachable> {
        let lost = |error: reqwest::Error| self.network.lost(&error);
        let response = self
            .client
            .post(self.network.address("/api/v1/journal"))
            .header("content-type", "application/vnd.hailong.batch")
            .header("hailong-signature", &batch.signature)
            .body(batch.request.clone())
            .send()
            .await
            .map_err(lost)?;
        if let Some(turned_back) = self.network.turned_back(response.status()) {
            return Err(turned_back);
        }
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let retry_after =
            header("retry-after").and_then(|value| value.parse().ok()).map(Duration::from_secs);
        let signature = header("hailong-signature").unwrap_or_default().to_owned();
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(lost)?.to_vec();
        Ok(Reply { status, retry_after, signature, body })
    }
}

/// Why nothing more can be sent until a person looks.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The journal could not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The receipts could not be kept.
    #[error("the receipts could not be kept: {0}")]
    Receipts(#[from] rusqlite::Error),
    /// A batch could not be made.
    #[error("a batch could not be made: {0}")]
    Batch(#[from] BadBatch),
}

/// How the uploader stands, for screens and tests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// Every line up to here is receipted.
    pub watermark: u64,
    /// Number of the journal's last line when last looked at.
    pub last: u64,
    /// Failures in a row.
    pub failures: u32,
    /// What went wrong last, in words.
    pub trouble: Option<String>,
}

impl Standing {
    /// Whether everything was receipted.
    pub fn drained(&self) -> bool {
        self.failures == 0 && self.watermark >= self.last
    }
}

/// What one attempt came to.
enum Attempt {
    Drained,
    Moved,
    Failed(String, Option<Duration>),
}

/// Sends one kiosk's journal.
pub struct Uploader<T> {
    journal: JournalReader,
    receipts: Connection,
    transport: T,
    clock: Arc<dyn Clock>,
    kiosk: KioskId,
    signing_key: SigningKey,
    receipt_key: VerifyingKey,
    watermark: u64,
    most: usize,
    standing: watch::Sender<Standing>,
}

/// Whom to send as, and whose receipts to believe.
pub struct Sender {
    /// The kiosk.
    pub kiosk: KioskId,
    /// Signs batches.
    pub signing_key: SigningKey,
    /// Signs the central service's receipts.
    pub receipt_key: VerifyingKey,
}

impl<T: Transport> Uploader<T> {
    /// Opens journal and receipts in the kiosk's folder. The journal must exist.
    pub fn open(
        folder: &Path,
        sender: Sender,
        transport: T,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, UploadError> {
        let journal = JournalReader::open(folder)?;
        let receipts = Connection::open(folder.join(FILE))?;
        receipts.execute_batch(
            "PRAGMA journal_mode = WAL;
             CREATE TABLE IF NOT EXISTS receipt (
                 id        INTEGER PRIMARY KEY CHECK (id = 1),
                 watermark INTEGER NOT NULL,
                 bytes     BLOB NOT NULL,
                 signature TEXT NOT NULL
             ) STRICT;",
        )?;
        let kept: Option<(i64, Vec<u8>)> = receipts
            .query_row("SELECT watermark, bytes FROM receipt", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        let last = journal.last()?;
        let (watermark, receipt) = match kept {
            Some((watermark, bytes)) => (watermark as u64, serde_json::from_slice(&bytes).ok()),
            None => (0, None::<Receipt>),
        };
        // A receipt for more than there is, or for another line, belongs to a journal that is gone.
        let another = match receipt {
            Some(receipt) if receipt.watermark == watermark => {
                let here = journal.head(watermark)?;
                here.is_some_and(|head| head != receipt.head)
                    && !receipt.conflicts.contains(&watermark)
            }
            _ => false,
        };
        let watermark = if watermark > last || another { 0 } else { watermark };
        let standing = Standing { watermark, last, ..Standing::default() };
        Ok(Self {
            journal,
            receipts,
            transport,
            clock,
            kiosk: sender.kiosk,
            signing_key: sender.signing_key,
            receipt_key: sender.receipt_key,
            watermark,
            most: MAX_LINES,
            standing: watch::Sender::new(standing),
        })
    }

    /// Follows how the uploader stands.
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Sends for ever: whenever `more` is notified, and again after every failure.
    pub async fn run(mut self, more: Arc<Notify>) -> UploadError {
        let mut failures = 0;
        let mut said: Vec<String> = Vec::new();
        loop {
            match self.attempt().await {
                Ok(Attempt::Moved) => {
                    failures = 0;
                    said.clear();
                    self.stand(0, None);
                }
                Ok(Attempt::Drained) => {
                    failures = 0;
                    said.clear();
                    self.stand(0, None);
                    more.notified().await;
                }
                Ok(Attempt::Failed(why, asked)) => {
                    failures += 1;
                    // Weeks without network are one line of the log for each reason, not thousands.
                    if said.len() < MOST_REASONS && !said.contains(&why) {
                        said.push(why.clone());
                        tracing::warn!(kiosk = %self.kiosk, %why, "batch not receipted; trying again");
                    } else {
                        tracing::debug!(kiosk = %self.kiosk, failures, %why, "batch not receipted");
                    }
                    self.stand(failures, Some(why));
                    self.clock.sleep(wait(failures, asked, &mut system_random())).await;
                }
                Err(error) => return error,
            }
        }
    }

    fn stand(&self, failures: u32, trouble: Option<String>) {
        let last = self.journal.last().unwrap_or(self.watermark);
        self.standing.send_replace(Standing { watermark: self.watermark, last, failures, trouble });
    }

    async fn attempt(&mut self) -> Result<Attempt, UploadError> {
        let last = self.journal.last()?;
        let Some(plan) = plan(self.watermark, last, self.most, |seq| self.journal.epoch_of(seq))?
        else {
            return Ok(Attempt::Drained);
        };
        let Some(batch) = self.make(&plan)? else { return Ok(Attempt::Moved) };
        let reply = match self.transport.post(&batch).await {
            Ok(reply) => reply,
            Err(unreachable) => return Ok(Attempt::Failed(unreachable.to_string(), None)),
        };
        let failed = |why: String| Ok(Attempt::Failed(why, reply.retry_after));
        match reply.status {
            200 => {}
            413 if batch.header.count > 1 => {
                self.most = batch.header.count as usize / 2;
                return failed("the batch is too large; trying with fewer lines".into());
            }
            status => {
                let said = StatusCode::from_u16(status)
                    .map_or_else(|_| status.to_string(), |status| refusal(status, &reply.body));
                return failed(format!("the central service answered {said}"));
            }
        }
        if !verify_receipt(&self.receipt_key, &reply.body, &reply.signature) {
            return failed("the receipt is not signed by the central service".into());
        }
        let Ok(receipt) = serde_json::from_slice::<Receipt>(&reply.body) else {
            return failed("the receipt cannot be read".into());
        };
        self.obey(&plan, &receipt, &reply)
    }

    /// Packs what is planned, with fewer lines when it does not fit.
    fn make(&mut self, plan: &Plan) -> Result<Option<Packed>, UploadError> {
        let prev = if plan.first == plan.span.start {
            plan.span.before
        } else {
            match self.journal.line(plan.first - 1)? {
                Some(line) => Hash::of(&line),
                None => return Err(JournalError::Damaged.into()),
            }
        };
        let lines = self.journal.lines(plan.first, plan.last)?;
        let bodies = self.journal.bodies(plan.first, plan.last)?;
        let parts = Parts {
            kiosk: &self.kiosk,
            epoch: plan.span.epoch,
            start: plan.span.start,
            enc: plan.span.enc,
            key: &plan.span.key,
            first: plan.first,
            prev,
            lines: &lines,
            bodies: &bodies,
        };
        match pack(&parts, &self.signing_key) {
            Ok(packed) => Ok(Some(packed)),
            Err(BadBatch::TooLarge) if lines.len() > 1 => {
                self.most = lines.len() / 2;
                Ok(None)
            }
            Err(bad) => Err(bad.into()),
        }
    }

    /// Goes where the receipt says: forward, or back when the central service has lost lines.
    ///
    /// It may cover lines of this epoch beyond those that were sent. Ours, sent before: then its
    /// head is our line, and they need not be sent again. Or another's, because this disk was
    /// restored or cloned: then what was sent is covered all the same, and the central service
    /// names the fork.
    fn obey(
        &mut self,
        plan: &Plan,
        receipt: &Receipt,
        reply: &Reply,
    ) -> Result<Attempt, UploadError> {
        let failed = |why: String| Ok(Attempt::Failed(why, reply.retry_after));
        if receipt.kiosk != self.kiosk || receipt.epoch != plan.span.epoch {
            return failed("the receipt is for another journal".to_owned());
        }
        let ours = self.journal.head(receipt.watermark)? == Some(receipt.head);
        let watermark = if ours {
            receipt.watermark
        } else if receipt.watermark > plan.last {
            tracing::error!(kiosk = %self.kiosk, epoch = %plan.span.epoch, seq = receipt.watermark,
                "the central service has lines of this epoch that this journal does not have; \
                 was this disk restored or cloned?");
            plan.last
        } else if receipt.conflicts.contains(&receipt.watermark) {
            // Both lines are kept there.
            receipt.watermark
        } else {
            return failed(format!(
                "the central service has another line {}; a person must look",
                receipt.watermark
            ));
        };
        for quarantined in &receipt.quarantined {
            tracing::warn!(kiosk = %self.kiosk, seq = quarantined.seq, reason = %quarantined.reason, "line quarantined");
        }
        for seq in &receipt.conflicts {
            tracing::error!(kiosk = %self.kiosk, seq, "line conflicts with one received before");
        }
        self.receipts.execute(
            "INSERT INTO receipt (id, watermark, bytes, signature) VALUES (1, ?1, ?2, ?3)
             ON CONFLICT (id) DO UPDATE SET watermark = ?1, bytes = ?2, signature = ?3",
            (watermark as i64, &reply.body, &reply.signature),
        )?;
        let moved = watermark != self.watermark;
        self.watermark = watermark;
        if moved {
            Ok(Attempt::Moved)
        } else {
            Ok(Attempt::Failed("the receipt covers nothing new".into(), reply.retry_after))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Epoch;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    fn span(start: u64, last: u64) -> EpochSpan {
        EpochSpan {
            epoch: Epoch(start),
            start,
            last,
            before: Hash::NONE,
            enc: [0; 32],
            key: String::new(),
        }
    }

    fn planned(watermark: u64, last: u64, most: usize) -> Option<(u64, u64)> {
        // Two epochs: lines 1 to 700, and 701 on.
        plan(watermark, last, most, |seq| {
            Ok::<_, ()>(Some(if seq <= 700 { span(1, 700) } else { span(701, last) }))
        })
        .unwrap()
        .map(|plan| (plan.first, plan.last))
    }

    #[test]
    fn what_is_not_receipted_is_sent_in_order_and_never_across_epochs() {
        assert_eq!(planned(0, 900, 500), Some((1, 500)));
        assert_eq!(planned(500, 900, 500), Some((501, 700)));
        assert_eq!(planned(700, 900, 500), Some((701, 900)));
        assert_eq!(planned(900, 900, 500), None);
        assert_eq!(planned(899, 900, 0), Some((900, 900)), "at least one line");
    }

    #[test]
    fn back_off_grows_to_its_cap_is_jittered_and_heeds_retry_after() {
        let mut random = StdRng::seed_from_u64(1);
        let mut longest =
            |failures| (0..200).map(|_| wait(failures, None, &mut random)).max().unwrap();
        assert!(longest(1) <= BASE);
        assert!(longest(3) > BASE && longest(3) <= BASE * 4);
        assert!(longest(60) > CAP / 2 && longest(60) <= CAP);
        let asked = Some(Duration::from_secs(40));
        assert!((0..50).all(|_| wait(1, asked, &mut random) >= Duration::from_secs(40)));
        let absurd = Some(Duration::from_secs(1 << 40));
        assert!(wait(1, absurd, &mut random) <= LONGEST + BASE);
    }
}
