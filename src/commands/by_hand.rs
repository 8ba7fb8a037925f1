//! `hailong kiosk export` and `hailong admin import`: a journal's way on a USB stick.

use std::path::{Path, PathBuf};

use super::{BROKEN, CONFIGURATION, Failure, INTERNAL, USAGE};

fn tell(file: &Path) {
    eprintln!("{}", file.display());
}

/// Names files that were not taken; a failure if there are any.
fn name(refused: &[(PathBuf, String)]) -> Result<(), Failure> {
    for (file, why) in refused {
        println!("WRONG: {}: {why}", file.display());
    }
    match refused.len() {
        0 => Ok(()),
        1 => Err(Failure::new(BROKEN, "one file was not taken: see above")),
        n => Err(Failure::new(BROKEN, format!("{n} files were not taken: see above"))),
    }
}

#[cfg(feature = "kiosk")]
pub fn export(asked: &crate::KioskExport) -> Result<(), Failure> {
    use hailong::kiosk::by_hand::{ExportError, export};
    use hailong::kiosk::config::Config;
    let config = Config::read(&asked.config).map_err(|e| Failure::new(CONFIGURATION, e))?;
    let exported = export(&config.data, &asked.out, tell).map_err(|error| {
        let code = match &error {
            ExportError::Desk(_) | ExportError::NoJournal(_) => CONFIGURATION,
            ExportError::Stick { .. } => USAGE,
            _ => INTERNAL,
        };
        Failure::new(code, error)
    })?;
    println!(
        "{} receipts were taken; everything up to line {} of {} is receipted",
        exported.receipts, exported.watermark, exported.last
    );
    if exported.batches == 0 {
        println!("there is nothing to carry: the central service has everything");
    } else {
        println!("{} lines in {} batches are on the stick", exported.lines, exported.batches);
        let out = asked.out.display();
        println!(
            "take it out safely, carry it to the central service, run there\n  \
             hailong admin import {out} --server 'STAFF LINK'\n\
             and bring it back here for the next export: until then nothing is lost, all of it stays \
             on this kiosk, too"
        );
    }
    name(&exported.refused)
}

#[cfg(all(feature = "kiosk", feature = "central"))]
pub fn import(stick: &Path, place: &crate::Place) -> Result<(), Failure> {
    use hailong::central::by_hand::{Folder, ImportError, NotTaken, import};
    let done = match &place.server() {
        Some(server) => {
            let door = running::Door::open(server)?;
            import(stick, |batch| door.hand_over(batch), tell)
        }
        None => {
            let folder = Folder::take(&place.data).map_err(|error| {
                let code = if error.is_usage() { USAGE } else { INTERNAL };
                Failure::new(code, error)
            })?;
            let hand_over = |batch: &_| {
                folder.hand_over(batch).map_err(|not| match not {
                    NotTaken::Refused(why) => NotTaken::Refused(why),
                    NotTaken::Ended(error) => NotTaken::Ended(Failure::new(INTERNAL, error)),
                })
            };
            import(stick, hand_over, tell)
        }
    };
    let imported = done.map_err(|error| {
        let code = match &error {
            ImportError::Folder(..) | ImportError::Nothing(_) => USAGE,
            ImportError::Ended { error, .. } => error.code,
        };
        Failure::new(code, error)
    })?;
    for (kiosk, taken) in &imported.taken {
        println!("{kiosk}: {} lines in {} batches are there", taken.lines, taken.batches);
        if taken.quarantined > 0 {
            println!("  {} lines or answers of them went to quarantine", taken.quarantined);
        }
        if taken.conflicts > 0 {
            println!(
                "  {} lines were there before with other content; both are kept",
                taken.conflicts
            );
        }
        for (first, last) in &taken.holes {
            println!("  lines {first} to {last} are not there yet");
        }
    }
    if !imported.taken.is_empty() {
        println!("bring the stick back to each kiosk: the next export there takes the receipts");
    }
    name(&imported.refused)
}

/// A running service.
#[cfg(all(feature = "kiosk", feature = "central"))]
mod running {
    use std::time::Duration;

    use hailong::central::by_hand::NotTaken;
    use hailong::domain::letter::Letter;
    use hailong::kiosk::network::{Unreachable, refusal};
    use hailong::kiosk::transport::{Http, Reply};
    use reqwest::StatusCode;
    use tokio::runtime::Runtime;

    use super::super::{Failure, INTERNAL, UNREACHABLE, USAGE, staff};

    /// How often a batch is handed over to a service that asks to come again.
    const TRIES: u32 = 10;
    /// No wait between is longer.
    const LONGEST: Duration = Duration::from_secs(30);

    pub struct Door {
        http: Http,
        runtime: Runtime,
    }

    fn unreachable(error: Unreachable) -> Failure {
        Failure::new(UNREACHABLE, error)
    }

    fn said(reply: &Reply) -> String {
        StatusCode::from_u16(reply.status)
            .map_or_else(|_| reply.status.to_string(), |status| refusal(status, &reply.body))
    }

    impl Door {
        /// Knocks with nothing in hand: whether the link is right is known before the first batch.
        pub fn open(server: &staff::Server) -> Result<Self, Failure> {
            let (network, key) = staff::way(server)?;
            let runtime = staff::runtime()?;
            let http =
                Http::with_key(network, &key).map_err(|error| Failure::new(INTERNAL, error))?;
            let reply = runtime.block_on(http.carry(Vec::new(), "")).map_err(unreachable)?;
            match reply.status {
                400 => Ok(Self { http, runtime }),
                _ => Err(Failure::new(USAGE, format!("--server answered {}", said(&reply)))),
            }
        }

        pub fn hand_over(&self, batch: &Letter) -> Result<Letter, NotTaken<Failure>> {
            self.runtime.block_on(async {
                let mut tries = 0;
                loop {
                    let carried = self.http.carry(batch.body.clone(), &batch.signature).await;
                    let reply = carried.map_err(|error| NotTaken::Ended(unreachable(error)))?;
                    tries += 1;
                    match reply.status {
                        200 => {
                            let Reply { signature, key, body, .. } = reply;
                            return Ok(Letter { signature, key, body });
                        }
                        429 | 503 if tries < TRIES => {
                            let asked = reply.retry_after.unwrap_or(Duration::from_secs(1));
                            tokio::time::sleep(asked.min(LONGEST)).await;
                        }
                        408 | 429 | 500.. => {
                            let ended = format!("the central service answered {}", said(&reply));
                            return Err(NotTaken::Ended(Failure::new(UNREACHABLE, ended)));
                        }
                        _ => return Err(NotTaken::Refused(said(&reply))),
                    }
                }
            })
        }
    }
}
