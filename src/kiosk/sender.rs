//! What a kiosk sends next, packed and signed, and which receipts it believes: the same over the
//! network and by hand.

use std::sync::Arc;

use ed25519_dalek::{Signature, Signer, VerifyingKey};

use super::desk::DeskError;
use super::identity::{Identity, central_keys};
use super::journal::JournalError;
use super::journal_reader::{EpochSpan, JournalReader};
use super::rescue::Piece;
use crate::domain::batch::{BadBatch, Packed, Parts, pack};
use crate::domain::ids::{Hash, KioskId};
use crate::domain::receipt::{Receipt, verify_receipt};

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

/// The next lines of a journal that are not receipted; none when there are no more.
///
/// # Errors
/// [`JournalError::Damaged`] when a line is missing.
pub fn next(
    journal: &JournalReader,
    watermark: u64,
    most: usize,
) -> Result<Option<(Plan, Piece)>, JournalError> {
    let missing = || JournalError::Damaged("a line is missing");
    let last = journal.last()?;
    let plan = plan(watermark, last, most, |seq| journal.epoch_of(seq))?;
    let Some(plan) = plan else {
        return if watermark < last { Err(missing()) } else { Ok(None) };
    };
    let prev = if plan.first == plan.span.start {
        plan.span.before
    } else {
        journal.line(plan.first - 1)?.map(|line| Hash::of(&line)).ok_or_else(missing)?
    };
    let piece = Piece {
        epoch: plan.span.epoch,
        start: plan.span.start,
        enc: plan.span.enc,
        key: plan.span.key.clone(),
        first: plan.first,
        prev,
        lines: journal.lines(plan.first, plan.last)?,
        bodies: journal.bodies(plan.first, plan.last)?,
    };
    Ok(Some((plan, piece)))
}

/// Why something is no receipt for this kiosk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadReceipt {
    /// Whoever wrote it does not have the receipt key.
    #[error("the receipt is not signed by the central service")]
    Signature,
    /// Its bytes are none of a receipt.
    #[error("the receipt cannot be read")]
    Unreadable,
    /// It speaks of other lines than those asked for.
    #[error("the receipt is for another journal")]
    Another,
}

/// Whom to send as, and whose receipts to believe.
pub struct Sender {
    /// The kiosk.
    pub kiosk: KioskId,
    /// Signs batches: a key in memory, or what stands for one, such as a security chip.
    pub signing_key: Arc<dyn Signer<Signature> + Send + Sync>,
    /// Signs the central service's receipts.
    pub receipt_key: VerifyingKey,
}

impl Sender {
    /// A kiosk that is enrolled.
    pub fn of(identity: &Identity) -> Result<Self, DeskError> {
        let enrolled = identity.enrolled.as_ref().ok_or(DeskError::NotEnrolled)?;
        let (_, receipt_key) =
            central_keys(enrolled).ok_or(DeskError::Enrolment("the central service's keys"))?;
        let signing_key = Arc::new(identity.signing_key.clone());
        Ok(Self { kiosk: enrolled.kiosk.clone(), signing_key, receipt_key })
    }

    /// Packs and signs lines.
    ///
    /// # Errors
    /// [`BadBatch::TooLarge`]: then take fewer.
    pub fn pack(&self, piece: &Piece) -> Result<Packed, BadBatch> {
        let parts = Parts {
            kiosk: &self.kiosk,
            epoch: piece.epoch,
            start: piece.start,
            enc: piece.enc,
            key: &piece.key,
            first: piece.first,
            prev: piece.prev,
            lines: &piece.lines,
            bodies: &piece.bodies,
        };
        pack(&parts, &*self.signing_key)
    }

    /// Reads a receipt, if the central service signed it for this kiosk.
    pub fn believe(&self, bytes: &[u8], signature: &str) -> Result<Receipt, BadReceipt> {
        if !verify_receipt(&self.receipt_key, bytes, signature) {
            return Err(BadReceipt::Signature);
        }
        let receipt: Receipt = serde_json::from_slice(bytes).map_err(|_| BadReceipt::Unreadable)?;
        if receipt.kiosk != self.kiosk {
            return Err(BadReceipt::Another);
        }
        Ok(receipt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Epoch;

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
}
