//! Sends the journal on: what is not receipted, in order, as often as it takes.
//!
//! What to send next is the pure function [`sender::plan`]; how long to wait is the pure function
//! [`wait`]. The journal is only read here: a tap never waits for this.
//!
//! Sending never ends: whatever fails, disk or line, is tried again, with files opened anew. Damage
//! of the journal is noted for its writer, which moves it aside; what can still be read of journals
//! that were moved aside is sent before anything else.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rand::{CryptoRng, RngExt};
use reqwest::StatusCode;
use tokio::sync::{Notify, watch};

use super::journal::JournalError;
use super::journal_reader::JournalReader;
use super::network::refusal;
use super::obstacle::Obstacle;
use super::receipts::{Receipts, ReceiptsError, reach};
use super::rescue::{self, Piece, Rescued};
use super::sender::{self, BadReceipt, Plan, Sender};
use super::transport::{Reply, Transport};
use crate::clock::Clock;
use crate::domain::batch::{BadBatch, MAX_LINES, Packed};
use crate::domain::ids::KioskId;
use crate::domain::receipt::Receipt;
use crate::domain::system_random;
use crate::domain::time::At;

/// The first back-off is drawn from zero to this.
const BASE: Duration = Duration::from_secs(2);
/// No back-off is longer, unless the central service asks for it.
const CAP: Duration = Duration::from_secs(300);
/// Most reasons logged until something was receipted again.
const MOST_REASONS: usize = 8;
/// Longest wait that `Retry-After` may ask for.
const LONGEST: Duration = Duration::from_secs(3_600);

/// How long to wait after the `failures`-th failure in a row: exponential with full jitter, and
/// never shorter than the central service asked for.
pub fn wait(failures: u32, asked: Option<Duration>, random: &mut impl CryptoRng) -> Duration {
    let ceiling = BASE.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(CAP);
    let drawn = Duration::from_millis(random.random_range(0..=ceiling.as_millis() as u64));
    asked.map_or(drawn, |asked| asked.min(LONGEST) + drawn)
}

/// Why a batch could not be made or its receipt not kept.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The journal could not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The receipts.
    #[error(transparent)]
    Receipts(#[from] ReceiptsError),
    /// A journal that was moved aside could not be read.
    #[error("a damaged journal could not be read: {0}")]
    Aside(#[from] std::io::Error),
    /// A batch could not be made.
    #[error("a batch could not be made: {0}")]
    Batch(#[from] BadBatch),
}

/// What keeps lines from being sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The way to the central service.
    #[error("the central service cannot be reached: {0}")]
    Way(Obstacle),
    /// The central service does not take them, in words.
    #[error("{0}")]
    Service(String),
    /// This kiosk's own files, in words.
    #[error("{0}")]
    Files(String),
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
    /// What went wrong last.
    pub trouble: Option<Trouble>,
    /// When the central service wrote the last receipt that is kept here.
    pub receipted: Option<At>,
    /// The same of the last one that came over the network in this run, and the monotonic clock's
    /// milliseconds when it came.
    pub heard: Option<(At, u64)>,
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
    Failed(Trouble, Option<Duration>),
}

/// Why a batch was not receipted.
struct Refusal {
    /// The HTTP status; 0 when none came.
    status: u16,
    why: Trouble,
    /// What `Retry-After` asked for.
    asked: Option<Duration>,
}

/// The files that the uploader works on, as long as they do what they should.
struct Files {
    journal: JournalReader,
    receipts: Receipts,
    rescued: Vec<Rescued>,
}

impl Files {
    fn open(folder: &Path, kiosk: &KioskId) -> Result<Self, UploadError> {
        let journal = JournalReader::open(folder)?;
        let receipts = Receipts::open(folder, &journal)?;
        Ok(Self { journal, receipts, rescued: rescue::unsent(folder, kiosk)? })
    }

    /// The lines to be sent next of journals that were moved aside.
    fn next_rescued(&mut self) -> std::io::Result<Option<Piece>> {
        while let Some(rescued) = self.rescued.first() {
            if let Some(piece) = rescued.pieces.first() {
                return Ok(Some(piece.clone()));
            }
            if !rescued.refused {
                rescued.sent()?;
            }
            self.rescued.remove(0);
        }
        Ok(None)
    }
}

/// Posts a batch, and gives its receipt if it is one for this batch's epoch.
async fn exchange<T: Transport>(
    transport: &T,
    sender: &Sender,
    batch: &Packed,
) -> Result<(Receipt, Reply), Refusal> {
    let reply = match transport.post(batch).await {
        Ok(reply) => reply,
        Err(unreachable) => {
            return Err(Refusal { status: 0, why: Trouble::Way(unreachable.0), asked: None });
        }
    };
    let refused = |why: String| Refusal {
        status: reply.status,
        why: Trouble::Service(why),
        asked: reply.retry_after,
    };
    if reply.status != 200 {
        let said = StatusCode::from_u16(reply.status)
            .map_or_else(|_| reply.status.to_string(), |status| refusal(status, &reply.body));
        return Err(refused(format!("the central service answered {said}")));
    }
    let receipt = sender.believe(&reply.body, &reply.signature);
    let receipt = receipt.and_then(|receipt| {
        let ours = receipt.epoch == batch.header.epoch;
        if ours { Ok(receipt) } else { Err(BadReceipt::Another) }
    });
    let receipt = receipt.map_err(|bad| refused(bad.to_string()))?;
    for quarantined in &receipt.quarantined {
        tracing::warn!(kiosk = %receipt.kiosk, seq = quarantined.seq, reason = %quarantined.reason, "line quarantined");
    }
    for seq in &receipt.conflicts {
        tracing::error!(kiosk = %receipt.kiosk, seq, "line conflicts with one received before");
    }
    Ok((receipt, reply))
}

/// Sends one kiosk's journal.
pub struct Uploader<T> {
    folder: PathBuf,
    /// None after a failure of theirs: they are opened anew.
    files: Option<Files>,
    transport: T,
    clock: Arc<dyn Clock>,
    sender: Sender,
    most: usize,
    heard: Option<(At, u64)>,
    standing: watch::Sender<Standing>,
}

impl<T: Transport> Uploader<T> {
    /// Opens journal and receipts in the kiosk's folder. The journal must exist.
    pub fn open(
        folder: &Path,
        sender: Sender,
        transport: T,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, UploadError> {
        let files = Files::open(folder, &sender.kiosk)?;
        let standing = Standing {
            watermark: files.receipts.watermark(),
            last: files.journal.last()?,
            receipted: files.receipts.at(),
            ..Standing::default()
        };
        Ok(Self {
            folder: folder.to_owned(),
            files: Some(files),
            transport,
            clock,
            sender,
            most: MAX_LINES,
            heard: None,
            standing: watch::Sender::new(standing),
        })
    }

    /// Follows how the uploader stands.
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Sends for ever: whenever `more` is notified, and again after every failure.
    pub async fn run(mut self, more: Arc<Notify>) -> Infallible {
        let mut failures = 0;
        let mut said: Vec<Trouble> = Vec::new();
        loop {
            let attempt = match self.attempt().await {
                Ok(attempt) => attempt,
                Err(error) => {
                    self.files = None;
                    if let UploadError::Journal(error) = &error
                        && error.is_damage()
                    {
                        rescue::suspect(&self.folder, &error.to_string());
                    }
                    Attempt::Failed(Trouble::Files(error.to_string()), None)
                }
            };
            match attempt {
                Attempt::Moved => {
                    failures = 0;
                    said.clear();
                    self.stand(0, None);
                }
                Attempt::Drained => {
                    failures = 0;
                    said.clear();
                    self.stand(0, None);
                    more.notified().await;
                }
                Attempt::Failed(why, asked) => {
                    failures += 1;
                    let kiosk = &self.sender.kiosk;
                    // Weeks without network are one line of the log for each reason, not thousands.
                    if said.len() < MOST_REASONS && !said.contains(&why) {
                        said.push(why.clone());
                        tracing::warn!(%kiosk, %why, "batch not receipted; trying again");
                    } else {
                        tracing::debug!(%kiosk, failures, %why, "batch not receipted");
                    }
                    self.stand(failures, Some(why));
                    self.clock.sleep(wait(failures, asked, &mut system_random())).await;
                }
            }
        }
    }

    fn stand(&self, failures: u32, trouble: Option<Trouble>) {
        self.standing.send_modify(|standing| {
            if let Some(files) = &self.files {
                standing.watermark = files.receipts.watermark();
                standing.last = files.journal.last().unwrap_or(standing.last);
                standing.receipted = files.receipts.at();
            }
            standing.heard = self.heard;
            standing.failures = failures;
            standing.trouble = trouble;
        });
    }

    async fn attempt(&mut self) -> Result<Attempt, UploadError> {
        let files = match &mut self.files {
            Some(files) => files,
            none => none.insert(Files::open(&self.folder, &self.sender.kiosk)?),
        };
        // Somebody may have brought receipts by hand.
        if files.receipts.look(&files.journal)?
            && let Some(at) = files.receipts.at()
        {
            self.clock.hear(at.timestamp());
        }
        if let Some(piece) = files.next_rescued()? {
            return self.send_rescued(piece).await;
        }
        let next = sender::next(&files.journal, files.receipts.watermark(), self.most)?;
        let Some((plan, piece)) = next else { return Ok(Attempt::Drained) };
        let batch = match self.sender.pack(&piece) {
            Ok(batch) => batch,
            Err(BadBatch::TooLarge) if piece.lines.len() > 1 => {
                self.most = piece.lines.len() / 2;
                return Ok(Attempt::Moved);
            }
            Err(bad) => return Err(bad.into()),
        };
        match exchange(&self.transport, &self.sender, &batch).await {
            Ok((receipt, reply)) => {
                self.clock.hear(receipt.at.timestamp());
                self.heard = Some((receipt.at, self.clock.mono_ms()));
                self.obey(&plan, &receipt, &reply)
            }
            Err(Refusal { status: 413, .. }) if batch.header.count > 1 => {
                self.most = batch.header.count as usize / 2;
                let why = "the batch is too large; trying with fewer lines".into();
                Ok(Attempt::Failed(Trouble::Service(why), None))
            }
            Err(refusal) => Ok(Attempt::Failed(refusal.why, refusal.asked)),
        }
    }

    /// Sends lines of a journal that was moved aside.
    async fn send_rescued(&mut self, piece: Piece) -> Result<Attempt, UploadError> {
        let outcome = match self.sender.pack(&piece) {
            Ok(batch) => exchange(&self.transport, &self.sender, &batch).await.map(|_| ()),
            Err(BadBatch::TooLarge) => {
                let why = Trouble::Files(BadBatch::TooLarge.to_string());
                Err(Refusal { status: 413, why, asked: None })
            }
            Err(bad) => return Err(bad.into()),
        };
        match outcome {
            Ok(()) => {
                let (first, lines) = (piece.first, piece.lines.len());
                tracing::warn!(epoch = %piece.epoch, first, lines, "rescued lines are receipted");
            }
            Err(Refusal { status: 413, .. }) if piece.lines.len() > 1 => {
                self.replace_rescued(piece.halves());
                return Ok(Attempt::Moved);
            }
            // Trying again may help.
            Err(Refusal { status: 0 | 200 | 408 | 429 | 500.., why, asked }) => {
                return Ok(Attempt::Failed(why, asked));
            }
            Err(refusal) => {
                // Kept on this disk, and tried again at the next start.
                let (first, why) = (piece.first, refusal.why);
                tracing::error!(epoch = %piece.epoch, first, %why, "rescued lines are not taken");
                if let Some(rescued) =
                    self.files.as_mut().and_then(|files| files.rescued.first_mut())
                {
                    rescued.refused = true;
                }
            }
        }
        self.replace_rescued(None);
        Ok(Attempt::Moved)
    }

    fn replace_rescued(&mut self, by: Option<[Piece; 2]>) {
        if let Some(rescued) = self.files.as_mut().and_then(|files| files.rescued.first_mut()) {
            rescued.pieces.splice(..1, by.into_iter().flatten());
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
        let failed = |why: Trouble| Ok(Attempt::Failed(why, reply.retry_after));
        let Some(files) = &mut self.files else {
            return failed(Trouble::Files("the files are closed".into()));
        };
        let watermark = if let Some(watermark) = reach(&files.journal, receipt)? {
            watermark
        } else if receipt.watermark > plan.last {
            tracing::error!(kiosk = %receipt.kiosk, epoch = %plan.span.epoch, seq = receipt.watermark,
                "the central service has lines of this epoch that this journal does not have; \
                 was this disk restored or cloned?");
            plan.last
        } else {
            let watermark = receipt.watermark;
            return failed(Trouble::Service(format!(
                "the central service has another line {watermark}; a person must look"
            )));
        };
        let moved = watermark != files.receipts.watermark();
        files.receipts.keep(watermark, receipt.at, &reply.body, &reply.signature)?;
        if moved {
            Ok(Attempt::Moved)
        } else {
            failed(Trouble::Service("the receipt covers nothing new".into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

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
