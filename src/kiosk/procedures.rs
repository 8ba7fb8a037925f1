//! The office's procedures at the kiosk: fetched once, kept for weeks without network, and whole or not there.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::by_content::{ByContent, Kind};
use super::configuration::InForce;
use super::network::Network;
use crate::clock::Clock;
use crate::domain::enrolment::Enrolled;
use crate::domain::procedure::{MOST_BYTES, Procedure};

const KIND: Kind =
    Kind { folder: "procedures", path: "procedures", ending: "json", most: MOST_BYTES };

/// The list in force. Clones see what another fetches.
#[derive(Debug, Clone)]
pub struct Procedures {
    current: Arc<watch::Sender<Arc<Vec<Procedure>>>>,
    arrived: Arc<AtomicU64>,
}

impl Procedures {
    /// What stays in force, where no service tells another.
    pub fn fixed(procedures: Vec<Procedure>) -> Self {
        let current = Arc::new(watch::Sender::new(Arc::new(procedures)));
        Self { current, arrived: Arc::default() }
    }

    /// The list that the configuration names: from the kiosk's folder at once if it is there, and fetched
    /// from the central service by `runtime` if not. The one before stays until the new one is here.
    pub fn follow(
        data: &Path,
        in_force: watch::Receiver<InForce>,
        network: Network,
        clock: Arc<dyn Clock>,
        runtime: &Handle,
    ) -> Self {
        let kept = ByContent::in_folder(data, &KIND);
        let enrolled = Arc::clone(&in_force.borrow().enrolled);
        let procedures = Self::fixed(read(&kept, &enrolled).unwrap_or_default());
        let (fetching, showing) = (kept.clone(), procedures.clone());
        runtime.spawn(fetching.follow(
            in_force,
            |enrolled| enrolled.procedures.into_iter().collect(),
            network,
            clock,
            move |enrolled| showing.show(read(&kept, enrolled)),
        ));
        procedures
    }

    /// The list, as it stands in the office's file; empty where none is posted or none is here yet.
    pub fn current(&self) -> Arc<Vec<Procedure>> {
        Arc::clone(&self.current.borrow())
    }

    /// Rises whenever another list is the current one.
    pub fn arrived(&self) -> u64 {
        self.arrived.load(Ordering::Relaxed)
    }

    fn show(&self, list: Option<Vec<Procedure>>) {
        let Some(list) = list else { return };
        let shown = self.current.send_if_modified(|current| {
            let other = **current != list;
            *current = Arc::new(list);
            other
        });
        if shown {
            self.arrived.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The list that is named, if it is here and can be read; an empty one where none is named.
fn read(kept: &ByContent, enrolled: &Enrolled) -> Option<Vec<Procedure>> {
    let Some(name) = enrolled.procedures else { return Some(Vec::new()) };
    let list = serde_json::from_slice(&kept.read(name)?);
    // A service of another version says other things.
    list.inspect_err(|error| tracing::warn!(%error, "the list of procedures cannot be read")).ok()
}
