//! Receipts of an archive: how far each journal was here when it was made, so that nothing is cut off
//! its end on the way.

use std::collections::BTreeSet;

use ed25519_dalek::VerifyingKey;

use super::chains::{Chains, Place};
use crate::domain::archive::{About, SignedReceipt};
use crate::domain::ids::{Epoch, KioskId};
use crate::domain::receipt::{Receipt, verify_receipt};

/// Whose receipts are here, along which epochs.
#[derive(Default)]
pub(super) struct Receipts(BTreeSet<(KioskId, Epoch)>);

impl Receipts {
    /// Takes one in that the own series' key must have signed; gives what is wrong with it.
    pub(super) fn take(
        &mut self,
        signed: &SignedReceipt,
        key: Option<VerifyingKey>,
        about: &About,
        chains: &Chains,
    ) -> Vec<String> {
        let SignedReceipt { receipt, signature } = signed;
        let whole = key.is_some_and(|key| verify_receipt(&key, receipt.as_bytes(), signature));
        let Some(receipt) = serde_json::from_str::<Receipt>(receipt).ok().filter(|_| whole) else {
            return vec!["a receipt is not signed by its key: made or changed by another".into()];
        };
        let Receipt { kiosk, epoch, watermark, head, at, .. } = receipt;
        let mut problems = Vec::new();
        if at != about.at {
            problems.push(format!("{kiosk}: its receipt is of another moment than the archive"));
        }
        let place = chains.line(&kiosk, epoch, watermark, about.from.is_none());
        if watermark > 0 && place != Place::Line(head) && place != Place::Before {
            problems.push(format!(
                "{kiosk}: line {watermark} was here when the archive was made, and is not, or not \
                 as it was"
            ));
        }
        self.0.insert((kiosk, epoch));
        problems
    }

    /// Journals that have no receipt although each must have one; `listed` are the kiosks.
    pub(super) fn missing<'a>(
        &self,
        about: &About,
        chains: &Chains,
        listed: impl Iterator<Item = &'a KioskId>,
    ) -> BTreeSet<KioskId> {
        if about.to.is_some() {
            return BTreeSet::new();
        }
        let have: BTreeSet<&KioskId> = self.0.iter().map(|(kiosk, _)| kiosk).collect();
        let mut asked = chains.kiosks();
        asked.extend(listed.cloned());
        asked.insert(KioskId::central());
        let mut missing: BTreeSet<KioskId> =
            asked.into_iter().filter(|kiosk| !have.contains(kiosk)).collect();
        if about.from.is_none() {
            let ends = chains.ends().into_iter().filter(|end| !self.0.contains(end));
            missing.extend(ends.map(|(kiosk, _)| kiosk));
        }
        missing
    }
}
