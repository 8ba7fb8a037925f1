//! Files that the central service names by the SHA-256 of their content: fetched once, checked by their name,
//! kept on the disk for as long as they are named.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::configuration::InForce;
use super::network::{Network, Unreachable, refusal};
use crate::clock::Clock;
use crate::domain::enrolment::Enrolled;
use crate::domain::ids::Hash;
use crate::files::write_whole;

/// Waits between two tries to fetch what is missing.
const AGAIN: Duration = Duration::from_secs(300);
/// No file takes longer, on however slow a line: the service keeps no connection open for longer, either.
const LONGEST: Duration = Duration::from_secs(570);

/// Files of one kind.
#[derive(Debug)]
pub struct Kind {
    /// Their folder in the kiosk's.
    pub folder: &'static str,
    /// The word before their names in the service's addresses.
    pub path: &'static str,
    /// How their names end.
    pub ending: &'static str,
    /// The longest, in bytes.
    pub most: usize,
}

/// Where a kiosk's files of one kind lie. Clones see what another fetches.
#[derive(Debug, Clone)]
pub struct ByContent {
    kind: &'static Kind,
    folder: PathBuf,
    arrived: Arc<AtomicU64>,
}

impl ByContent {
    /// Files of a kind in a kiosk's folder.
    pub fn in_folder(data: &Path, kind: &'static Kind) -> Self {
        Self { kind, folder: data.join(kind.folder), arrived: Arc::default() }
    }

    /// Rises whenever one has arrived.
    pub fn arrived(&self) -> u64 {
        self.arrived.load(Ordering::Relaxed)
    }

    /// Where one lies.
    pub fn file(&self, name: Hash) -> PathBuf {
        self.folder.join(format!("{name}.{}", self.kind.ending))
    }

    /// What is in one, if it is here as its name says.
    pub fn read(&self, name: Hash) -> Option<Vec<u8>> {
        std::fs::read(self.file(name)).ok().filter(|bytes| Hash::of(bytes) == name)
    }

    /// Keeps one, if it is the one that its name says and not too large; says whether.
    pub fn keep(&self, name: Hash, bytes: &[u8]) -> std::io::Result<bool> {
        if bytes.len() > self.kind.most || Hash::of(bytes) != name {
            return Ok(false);
        }
        std::fs::create_dir_all(&self.folder)?;
        write_whole(&self.file(name), bytes, false)?;
        self.arrived.fetch_add(1, Ordering::Relaxed);
        Ok(true)
    }

    /// Removes what is named no more.
    fn tidy(&self, named: &BTreeSet<Hash>) {
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let file = entry.path();
            if !named.iter().any(|name| self.file(*name) == file) {
                // What cannot be removed does no harm.
                let _ = std::fs::remove_file(file);
            }
        }
    }

    /// Fetches what is `named` and not here, until all of it is.
    pub async fn fetch(&self, named: &BTreeSet<Hash>, network: &Network, clock: &dyn Clock) {
        self.tidy(named);
        let mut said = false;
        loop {
            let mut missing = 0;
            for name in named.iter().copied().filter(|name| self.read(*name).is_none()) {
                let Err(why) = self.fetch_one(name, network).await else { continue };
                missing += 1;
                // Weeks without network are one line of the log, not thousands.
                if !said {
                    let file = self.file(name);
                    tracing::warn!(file = %file.display(), %why, "not fetched; trying again");
                    said = true;
                }
            }
            if missing == 0 {
                return;
            }
            clock.sleep(AGAIN).await;
        }
    }

    /// Fetches whatever the configuration in force names, for as long as it may change; `all_here` is told
    /// when nothing is missing.
    pub async fn follow(
        self,
        mut in_force: watch::Receiver<InForce>,
        named: fn(&Enrolled) -> BTreeSet<Hash>,
        network: Network,
        clock: Arc<dyn Clock>,
        all_here: impl Fn(&Enrolled),
    ) {
        loop {
            let enrolled = Arc::clone(&in_force.borrow_and_update().enrolled);
            let named = named(&enrolled);
            tokio::select! {
                Ok(()) = in_force.changed() => continue,
                () = self.fetch(&named, &network, &*clock) => all_here(&enrolled),
            }
            if in_force.changed().await.is_err() {
                return;
            }
        }
    }

    async fn fetch_one(&self, name: Hash, network: &Network) -> Result<(), Missing> {
        let lost = |error: reqwest::Error| Missing::Lost(network.lost(&error));
        let Kind { path, ending, most, .. } = self.kind;
        let address = network.address(&format!("/{path}/{name}.{ending}"));
        let client = network.client().map_err(Missing::Lost)?;
        let mut reply = client.get(address).timeout(LONGEST).send().await.map_err(lost)?;
        if !reply.status().is_success() {
            return Err(Missing::Answered(refusal(reply.status(), &[])));
        }
        let mut bytes = Vec::new();
        while let Some(part) = reply.chunk().await.map_err(lost)? {
            bytes.extend_from_slice(&part);
            if bytes.len() > *most {
                return Err(Missing::Another);
            }
        }
        if self.keep(name, &bytes)? { Ok(()) } else { Err(Missing::Another) }
    }
}

/// Why a file is not here yet.
#[derive(Debug, thiserror::Error)]
enum Missing {
    #[error(transparent)]
    Lost(Unreachable),
    #[error("the central service answered {0}")]
    Answered(String),
    #[error("what came is not what its name says, or too large")]
    Another,
    #[error("it could not be kept: {0}")]
    Disk(#[from] std::io::Error),
}
