//! Taking a decision: checked against what it speaks of, then a line of the own series.

use std::sync::Arc;

use jiff::ToSpan;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::keys::Keys;
use super::offline::{Offline, OfflineError};
use super::service::ServiceError;
use super::store::{ContactRef, Matters, Store, StoreError};
use crate::domain::access::Unit;
use crate::domain::check::{CheckCode, NoCheckCode};
use crate::domain::decision::{BACK_DAYS, BadDecision, Decision, What};
use crate::domain::ids::{Epoch, KioskId, OfficeCode};
use crate::domain::office::Directory;
use crate::domain::seal::key_id;
use crate::domain::time::At;

/// Why a decision was not taken.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// Not a decision.
    #[error(transparent)]
    Bad(#[from] BadDecision),
    /// It speaks of what is not here.
    #[error("{0}")]
    NotHere(String),
    /// The folder.
    #[error(transparent)]
    Offline(#[from] OfflineError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DecideError {
    /// Whether asking otherwise would help.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Bad(_) | Self::NotHere(_) => true,
            Self::Offline(error) => error.is_usage(),
            Self::Store(_) => false,
        }
    }
}

/// Takes a decision about what is a unit's; gives the epoch and number of its line, by which it can be
/// withdrawn.
pub async fn take(
    store: &dyn Store,
    offices: &[Arc<Directory>],
    decision: Decision,
    today: Date,
    unit: &Unit,
) -> Result<(Epoch, u64), DecideError> {
    decision.check()?;
    if decision.what.has_its_own_way() {
        return Err(BadDecision::OwnWay.into());
    }
    if let What::Dated { day, .. } = decision.what
        && day < today.saturating_sub(BACK_DAYS.days())
    {
        let why = format!("expected a day of the last {BACK_DAYS} days");
        return Err(DecideError::NotHere(why));
    }
    // What is another unit's is as what is not here.
    let matters = store.matters().await?.within(unit);
    if let Some(why) = not_here(&matters, offices, unit, &decision.what) {
        return Err(DecideError::NotHere(why));
    }
    Ok(store.decide(decision).await?)
}

/// The same on a folder in which no service runs.
pub fn take_in(folder: &std::path::Path, decision: Decision) -> Result<(Epoch, u64), DecideError> {
    let here = Offline::take(folder)?;
    let today = At::new(here.clock.now()).date();
    let offices = &here.setting.shared_offices();
    here.runtime.block_on(async {
        let taken = take(&here.store, offices, decision, today, &Unit::PROVINCE).await;
        here.store.close().await?;
        taken
    })
}

/// Draws new keys for the service of a folder, in which it does not run; a backup of all of them
/// goes into a new file first. Gives the line that says so.
pub fn renew_keys_in(
    folder: &std::path::Path,
    backup: &std::path::Path,
    person: String,
    reason: String,
) -> Result<(Epoch, u64), DecideError> {
    // Nothing is renewed for a decision that cannot be taken.
    let empty = || String::new();
    let what = What::KeysRenewed { opening: empty(), receipt: empty(), root: empty() };
    Decision { what, person: person.clone(), reason: reason.clone() }.check()?;
    let here = Offline::take(folder)?;
    Keys::renew(&here.folder, backup).map_err(ServiceError::from).map_err(OfflineError::from)?;
    let here = here.anew()?;
    let keys = &here.keys;
    let what = What::KeysRenewed {
        opening: keys.opening.sealing_key().id(),
        receipt: key_id(keys.receipt.verifying_key().as_bytes()),
        root: key_id(keys.root.verifying_key().as_bytes()),
    };
    here.runtime.block_on(async {
        let taken = here.store.decide(Decision { what, person, reason }).await?;
        here.store.close().await?;
        Ok(taken)
    })
}

/// Everything that a person should look at, of a folder in which no service runs.
pub fn matters_in(folder: &std::path::Path) -> Result<Matters, DecideError> {
    let here = Offline::take(folder)?;
    here.runtime.block_on(async {
        let matters = here.store.matters().await?;
        here.store.close().await?;
        Ok(matters.within(&Unit::PROVINCE))
    })
}

/// What a citizen asks for lawfully: that their answer is erased. Only they have its check code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// The check code.
    pub code: String,
    /// Whether only the words go.
    pub words_only: bool,
    /// Who decides: name and office.
    pub person: String,
    /// Why.
    pub reason: String,
}

/// Erases what was answered in the contact of a check code, if it is a unit's; gives the line that says so.
/// Whatever was answered by phone lies in the own series, which is of no office.
pub async fn erase(
    store: &dyn Store,
    asked: Erasure,
    unit: &Unit,
) -> Result<(Epoch, u64), DecideError> {
    let Erasure { code, words_only, person, reason } = asked;
    let not_here = |why: &dyn std::fmt::Display| DecideError::NotHere(why.to_string());
    let code: CheckCode = code.parse().map_err(|error: NoCheckCode| not_here(&error))?;
    let of = store.contact_of(code).await?;
    let ContactRef { kiosk, epoch, contact } =
        of.ok_or_else(|| not_here(&"no contact of this check code is here"))?;
    if *unit != Unit::PROVINCE {
        let of = store.kiosk(&kiosk).await?;
        if !of.is_some_and(|of| unit.has_office(&of.office)) {
            return Err(not_here(&"no contact of this check code is here"));
        }
    }
    let what = What::Erased { kiosk, epoch, contact, words_only };
    let decision = Decision { what, person, reason };
    decision.check()?;
    Ok(store.decide(decision).await?)
}

/// The same on a folder in which no service runs.
pub fn erase_in(folder: &std::path::Path, asked: Erasure) -> Result<(Epoch, u64), DecideError> {
    let here = Offline::take(folder)?;
    here.runtime.block_on(async {
        let taken = erase(&here.store, asked, &Unit::PROVINCE).await;
        here.store.close().await?;
        taken
    })
}

/// Erases the words whose time is over, if there are any: a decision without a person, because
/// the notice promised it.
pub async fn erase_old_words(
    store: &dyn Store,
    today: Date,
    keep_days: u16,
) -> Result<(), StoreError> {
    let before = today.saturating_sub(i32::from(keep_days).days());
    if store.has_words_before(before).await? {
        let reason = format!("kept for {keep_days} days, as the notice says");
        let what = What::WordsErased { before };
        store.decide(Decision { what, person: "hailong".to_owned(), reason }).await?;
        tracing::info!(%before, "words were erased");
    }
    Ok(())
}

/// Erases the answers whose time is over, if there are any, likewise; what was counted stays.
pub async fn erase_old_answers(
    store: &dyn Store,
    today: Date,
    keep_days: u16,
) -> Result<(), StoreError> {
    let before = today.saturating_sub(i32::from(keep_days).days());
    if store.has_answers_before(before).await? {
        let reason = format!("kept for {keep_days} days, as the notice says");
        store.erase_answers(before, "hailong".to_owned(), reason).await?;
        tracing::info!(%before, "answers were erased");
    }
    Ok(())
}

/// What a decision speaks of and is not here.
fn not_here(
    matters: &Matters,
    offices: &[Arc<Directory>],
    unit: &Unit,
    what: &What,
) -> Option<String> {
    let kiosk = |id: &KioskId| matters.kiosks.iter().find(|kiosk| kiosk.id == *id);
    if let Some(id) = what.kiosk()
        && kiosk(id).is_none()
        && !(id.is_central() && *unit == Unit::PROVINCE && matches!(what, What::Settled { .. }))
    {
        return Some(format!("no kiosk {id} is admitted here"));
    }
    let closed = matters.decisions.iter().filter_map(|one| match one.decision.what {
        What::AnswersErased { before, .. } => Some(before),
        _ => None,
    });
    let of = match what {
        What::Dated { day, .. } => Some(*day),
        What::Attributed { from, .. } => Some(from.date()),
        _ => None,
    };
    if let (Some(kept), Some(day)) = (closed.max(), of)
        && day < kept
    {
        return Some(format!("answers of before {kept} are erased: these days are closed"));
    }
    match what {
        What::Settled { kind, kiosk, epoch, seq } => {
            let it = matters.findings.iter().any(|matter| {
                let finding = &matter.finding;
                (&finding.kind, finding.kiosk.as_str(), finding.seq) == (kind, kiosk.as_str(), *seq)
                    && finding.epoch == epoch.to_string()
            });
            (!it).then(|| format!("no finding {kind} {kiosk} {epoch} {seq} is here"))
        }
        What::Lost { kiosk, epoch, first, last } => {
            let it = matters.holes.iter().any(|hole| {
                (&hole.kiosk, hole.epoch) == (kiosk, *epoch)
                    && hole.first <= *first
                    && *last <= hole.last
            });
            (!it).then(|| format!("{kiosk} {epoch} {first}–{last} is not what is missing"))
        }
        What::Attributed { office, counter, official, .. } => {
            let known = find(offices, office).filter(|_| unit.has_office(office));
            let Some(directory) = known else {
                return Some(format!("no office {office} is here"));
            };
            if directory.counter(counter).is_none() {
                return Some(format!("no counter {counter} is the office's"));
            }
            let unknown = official.as_ref().filter(|id| directory.official(id).is_none())?;
            Some(format!("no official {unknown} is the office's"))
        }
        What::Improved { office, .. } => {
            let known = find(offices, office).filter(|_| unit.has_office(office));
            known.is_none().then(|| format!("no office {office} is here"))
        }
        What::Confirmed { kiosk: id, key } => {
            let known = kiosk(id).is_some_and(|kiosk| kiosk.key == *key);
            (!known).then(|| format!("{id} has another key"))
        }
        What::Retired { replaced_by: Some(other), .. } if kiosk(other).is_none() => {
            Some(format!("no kiosk {other} is admitted here"))
        }
        What::Withdrawn { epoch, seq } => {
            let it = matters.decisions.iter().find(|one| (one.epoch, one.seq) == (*epoch, *seq));
            match it {
                None => Some(format!("no decision {epoch} {seq} is here")),
                Some(one) if one.decision.what.is_final() => {
                    Some("what was erased or withdrawn cannot be taken back".to_owned())
                }
                Some(one) if one.withdrawn => Some(format!("{epoch} {seq} is withdrawn already")),
                Some(_) => None,
            }
        }
        _ => None,
    }
}

fn find<'a>(offices: &'a [Arc<Directory>], office: &OfficeCode) -> Option<&'a Directory> {
    offices.iter().map(Arc::as_ref).find(|directory| directory.office.code == *office)
}
