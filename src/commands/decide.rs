//! `hailong admin matters` and `hailong admin decide`: what a person should look at, and what they
//! decide.

use std::path::Path;

use clap::Subcommand;
use hailong::central::administration::Taken;
use hailong::central::decide::{
    DecideError, Erasure, erase_in, matters_in, renew_keys_in, take_in,
};
use hailong::central::store::{Fork, ForkKind, HoleState, Matters, Standing};
use hailong::domain::check::CheckCode;
use hailong::domain::decision::{Decision, What};
use hailong::domain::ids::{CounterId, Epoch, KioskId, OfficeCode, OfficialId};
use hailong::domain::time::At;
use jiff::civil::{Date, DateTime};

use super::{BROKEN, Failure, INTERNAL, USAGE, staff};
use crate::Place;

/// What is decided.
#[derive(Subcommand)]
pub enum Decide {
    /// A finding was looked at and nothing more is to be done.
    Settle {
        /// quarantine, conflict, break, fork, lost or clock.
        #[arg(long, value_name = "KIND")]
        kind: String,
        /// Whose journal.
        #[arg(long, value_name = "NAME")]
        kiosk: KioskId,
        /// Its epoch.
        #[arg(long, value_name = "HEX")]
        epoch: Epoch,
        /// Its line's number.
        #[arg(long, value_name = "N")]
        seq: u64,
    },
    /// Missing lines will never come: days no longer wait for them.
    Lost {
        /// Whose journal.
        #[arg(long, value_name = "NAME")]
        kiosk: KioskId,
        /// Their epoch.
        #[arg(long, value_name = "HEX")]
        epoch: Epoch,
        /// The first of them.
        #[arg(long, value_name = "N")]
        first: u64,
        /// The last.
        #[arg(long, value_name = "N")]
        last: u64,
    },
    /// Contacts were on another day than the kiosk's clock said.
    Date {
        /// Whose journal.
        #[arg(long, value_name = "NAME")]
        kiosk: KioskId,
        /// Their epoch.
        #[arg(long, value_name = "HEX")]
        epoch: Epoch,
        /// The first opening line.
        #[arg(long, value_name = "N")]
        first: u64,
        /// The last.
        #[arg(long, value_name = "N")]
        last: u64,
        /// The day.
        #[arg(long, value_name = "YYYY-MM-DD")]
        day: Date,
    },
    /// Somebody else than the roster says was at a counter, or nobody.
    Attribute {
        /// The office's code.
        #[arg(long, value_name = "CODE")]
        office: OfficeCode,
        /// The counter's code.
        #[arg(long, value_name = "CODE")]
        counter: CounterId,
        /// From when, such as 2026-11-24T13:30.
        #[arg(long, value_name = "TIME")]
        from: DateTime,
        /// Until when.
        #[arg(long, value_name = "TIME")]
        until: DateTime,
        /// Who was there; without it, nobody.
        #[arg(long, value_name = "CODE")]
        official: Option<OfficialId>,
    },
    /// The kiosk at the counter shows these words: it is the one that was enrolled.
    Confirm {
        /// The kiosk.
        #[arg(long, value_name = "NAME")]
        kiosk: KioskId,
        /// The words that it shows.
        #[arg(long, value_name = "WORDS")]
        words: String,
    },
    /// Take nothing more from a kiosk until this is withdrawn.
    Suspend {
        /// The kiosk.
        #[arg(long, value_name = "NAME")]
        kiosk: KioskId,
    },
    /// A kiosk is no longer in use; days no longer wait for it.
    Retire {
        /// The kiosk.
        #[arg(long, value_name = "NAME")]
        kiosk: KioskId,
        /// The first day without it.
        #[arg(long, value_name = "YYYY-MM-DD")]
        since: Date,
        /// The kiosk that stands in its place.
        #[arg(long, value_name = "NAME")]
        replaced_by: Option<KioskId>,
    },
    /// Erase what was answered in one contact, on a lawful request; it cannot be taken back. A rating
    /// whose level is erased no longer counts.
    Erase {
        /// The check code that the citizen has.
        #[arg(long, value_name = "CODE")]
        code: CheckCode,
        /// Only the words that they wrote.
        #[arg(long)]
        words_only: bool,
    },
    /// An earlier decision no longer holds.
    Withdraw {
        /// The epoch of its line, as `matters --all` lists it.
        #[arg(long, value_name = "HEX")]
        epoch: Epoch,
        /// The line's number.
        #[arg(long, value_name = "N")]
        seq: u64,
    },
}

fn failed(error: DecideError) -> Failure {
    let code = if error.is_usage() { USAGE } else { INTERNAL };
    Failure::new(code, error)
}

fn read(place: &Place) -> Result<Matters, Failure> {
    match &place.server() {
        Some(server) => {
            let said = staff::get(server, "/api/v1/matters")?;
            serde_json::from_str(&said).map_err(|error| Failure::new(INTERNAL, error))
        }
        None => matters_in(&place.data).map_err(failed),
    }
}

pub fn decide(place: &Place, person: &str, reason: &str, decide: Decide) -> Result<(), Failure> {
    let what = match decide {
        Decide::Settle { kind, kiosk, epoch, seq } => What::Settled { kind, kiosk, epoch, seq },
        Decide::Lost { kiosk, epoch, first, last } => What::Lost { kiosk, epoch, first, last },
        Decide::Date { kiosk, epoch, first, last, day } => {
            What::Dated { kiosk, epoch, first, last, day }
        }
        Decide::Attribute { office, counter, from, until, official } => {
            let (from, until) = (At::from_civil(from), At::from_civil(until));
            What::Attributed { office, counter, from, until, official }
        }
        Decide::Confirm { kiosk, words } => confirmed(&read(place)?, kiosk, &words)?,
        Decide::Suspend { kiosk } => What::Suspended { kiosk },
        Decide::Retire { kiosk, since, replaced_by } => What::Retired { kiosk, since, replaced_by },
        Decide::Erase { code, words_only } => {
            let (code, person, reason) = (code.to_string(), person.to_owned(), reason.to_owned());
            let asked = Erasure { code, words_only, person, reason };
            let Taken { epoch, seq } = taken(place, "/api/v1/erasures", asked, erase_in)?;
            println!("done, as {epoch} {seq}; erase it in backups and exported archives, too");
            return Ok(());
        }
        Decide::Withdraw { epoch, seq } => What::Withdrawn { epoch, seq },
    };
    let decision = Decision { what, person: person.to_owned(), reason: reason.to_owned() };
    let Taken { epoch, seq } = taken(place, "/api/v1/decisions", decision, take_in)?;
    println!("taken as {epoch} {seq}; `hailong admin decide … withdraw` takes it back");
    Ok(())
}

/// How something is done on a folder in which no service runs.
type Here<T> = fn(&Path, T) -> Result<(Epoch, u64), DecideError>;

/// Asks the service, or does it on the folder.
fn taken<T: serde::Serialize>(
    place: &Place,
    path: &str,
    asked: T,
    here: Here<T>,
) -> Result<Taken, Failure> {
    let Some(server) = &place.server() else {
        let (epoch, seq) = here(&place.data, asked).map_err(failed)?;
        return Ok(Taken { epoch, seq });
    };
    let body = serde_json::to_string(&asked).map_err(|error| Failure::new(INTERNAL, error))?;
    let said = staff::post(server, path, body, staff::LONGEST)?;
    serde_json::from_str(&said).map_err(|error| Failure::new(INTERNAL, error))
}

/// Draws new keys.
pub fn renew_keys(
    data: &Path,
    backup: &Path,
    person: String,
    reason: String,
) -> Result<(), Failure> {
    let (epoch, seq) = renew_keys_in(data, backup, person, reason).map_err(failed)?;
    println!("done, as {epoch} {seq}; lock {} away beside the older ones", backup.display());
    println!("kiosks seal for the new key once they are enrolled again under the same name");
    Ok(())
}

fn confirmed(matters: &Matters, kiosk: KioskId, words: &str) -> Result<What, Failure> {
    let known = matters.kiosks.iter().find(|known| known.id == kiosk);
    let known =
        known.ok_or_else(|| Failure::new(USAGE, format!("no kiosk {kiosk} is admitted here")))?;
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    if plain(words) != known.fingerprint {
        let message = format!(
            "{kiosk} enrolled with another key than the one that shows these words; suspend it and \
             find out which kiosk used the code"
        );
        return Err(Failure::new(BROKEN, message));
    }
    Ok(What::Confirmed { kiosk, key: known.key })
}

/// What is open, or all there is.
pub fn matters(place: &Place, all: bool) -> Result<(), Failure> {
    let matters = read(place)?;
    let mut open = 0;
    println!("kiosks");
    for kiosk in &matters.kiosks {
        let standing = match &kiosk.standing {
            Standing::InUse if kiosk.confirmed => "in use".to_owned(),
            Standing::InUse => {
                open += 1;
                format!("not confirmed: does it show “{}”?", kiosk.fingerprint)
            }
            Standing::Suspended => "suspended".to_owned(),
            Standing::Retired { since, replaced_by: None } => format!("retired since {since}"),
            Standing::Retired { since, replaced_by: Some(other) } => {
                format!("replaced by {other} since {since}")
            }
        };
        let heard = kiosk.last_heard.map_or("never".to_owned(), |at| at.to_string());
        println!(
            "  {} {} {}: {standing}; last heard {heard}",
            kiosk.id, kiosk.office, kiosk.counters
        );
    }
    println!("missing lines");
    for hole in matters.holes.iter().filter(|hole| all || hole.state != HoleState::Lost) {
        open += u32::from(hole.state != HoleState::Lost);
        let since = hole.since.map_or(String::new(), |at| format!(", later ones since {at}"));
        let state = match hole.state {
            HoleState::Pending => "pending",
            HoleState::Late => "late",
            HoleState::Lost => "signed off as lost",
        };
        let (kiosk, epoch) = (&hole.kiosk, hole.epoch);
        println!("  {kiosk} {epoch} {}–{}: {state}{since}", hole.first, hole.last);
    }
    println!("findings");
    for matter in matters.findings.iter().filter(|matter| all || !matter.settled) {
        open += u32::from(!matter.settled);
        let finding = &matter.finding;
        let state = if matter.settled { ", settled" } else { "" };
        println!(
            "  {} {} {} {}: {}{state}",
            finding.kind, finding.kiosk, finding.epoch, finding.seq, finding.reason
        );
        if let Some(Fork { how, early, first, last }) = &matter.fork {
            let what = match how {
                ForkKind::RolledBack => "an older state of its disk was put back",
                ForkKind::Cloned => "a copy of its disk runs in a second machine",
                ForkKind::Lost => "its journal was lost and begun anew",
            };
            println!("    {what}; lines {first}–{last} of {early} are not known to the other");
        }
    }
    if all {
        println!("decisions");
        for one in &matters.decisions {
            let state = if one.withdrawn { ", withdrawn" } else { "" };
            let text = serde_json::to_string(&one.decision)
                .map_err(|error| Failure::new(INTERNAL, error))?;
            println!("  {} {} {}: {text}{state}", one.epoch, one.seq, one.at);
        }
    }
    println!("{open} to look at");
    Ok(())
}
