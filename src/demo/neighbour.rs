//! A neighbour counter: the real visit, journal and uploader, without a screen.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::clock::DemoClock;
use super::day::DemoError;
use crate::clock::Clock;
use crate::domain::batch::Packed;
use crate::domain::system_random;
use crate::kiosk::desk::{Desk, DeskError};
use crate::kiosk::identity::Identity;
use crate::kiosk::network::Unreachable;
use crate::kiosk::sender::Sender;
use crate::kiosk::transport::{Http, Reply, Transport};
use crate::kiosk::uploader::{Standing, Uploader};
use crate::kiosk::visit::{Input, Page, TimeOuts, Visit};

/// The network between a kiosk and the central service; it can be cut.
pub struct Cable {
    http: Http,
    whole: Arc<AtomicBool>,
}

impl Transport for Cable {
    async fn post(&self, batch: &Packed) -> Result<Reply, Unreachable> {
        if self.whole.load(Ordering::Acquire) {
            self.http.post(batch).await
        } else {
            Err(Unreachable("the cable is pulled".into()))
        }
    }
}

/// A kiosk's uploader at work.
pub struct Sending {
    /// Tells it that there is more.
    pub more: Arc<Notify>,
    /// How it stands.
    pub standing: watch::Receiver<Standing>,
    /// Whether its cable is whole.
    pub cable: Arc<AtomicBool>,
    task: JoinHandle<std::convert::Infallible>,
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Sending {
    /// Starts sending the journal in `folder`, which must exist.
    pub fn start(
        folder: &std::path::Path,
        identity: &Identity,
        service: &str,
        clock: Arc<DemoClock>,
        runtime: &Handle,
    ) -> Result<Self, DemoError> {
        let sender = Sender::of(identity)?;
        let cable = Arc::new(AtomicBool::new(true));
        let transport = Cable { http: Http::new(service)?, whole: Arc::clone(&cable) };
        let uploader = Uploader::open(folder, sender, transport, clock)?;
        let more = Arc::new(Notify::new());
        let standing = uploader.standing();
        let task = runtime.spawn(uploader.run(Arc::clone(&more)));
        Ok(Self { more, standing, cable, task })
    }

    /// Waits until the journal up to line `last` is receipted; false when it is not within 30 s.
    pub async fn drained(&mut self, last: u64) -> bool {
        self.more.notify_one();
        let reached = self.standing.wait_for(|standing| standing.watermark >= last);
        let limit = std::time::Duration::from_secs(30);
        matches!(tokio::time::timeout(limit, reached).await, Ok(Ok(_)))
    }
}

/// A neighbour counter.
pub struct Neighbour {
    /// Its kiosk's folder.
    pub folder: PathBuf,
    identity: Identity,
    clock: Arc<DemoClock>,
    desk: Option<Desk>,
    visit: Visit,
    time_outs: TimeOuts,
    /// Codes that visitors scanned.
    pub scanned: HashMap<usize, String>,
    /// Its uploader.
    pub sending: Sending,
}

impl Neighbour {
    /// Opens the counter.
    pub fn open(
        folder: PathBuf,
        mut identity: Identity,
        service: &str,
        clock: Arc<DemoClock>,
        time_outs: TimeOuts,
        runtime: &Handle,
    ) -> Result<Self, DemoError> {
        let desk = open_desk(&folder, &mut identity, &clock)?;
        let visit = new_visit(&desk, time_outs)?;
        let sending = Sending::start(&folder, &identity, service, Arc::clone(&clock), runtime)?;
        Ok(Self {
            folder,
            identity,
            clock,
            desk: Some(desk),
            visit,
            time_outs,
            scanned: HashMap::new(),
            sending,
        })
    }

    /// Its kiosk's name.
    pub fn name(&self) -> String {
        let enrolled = self.identity.enrolled.as_ref();
        enrolled.map_or_else(String::new, |enrolled| enrolled.kiosk.to_string())
    }

    /// A visitor's input; keeps what it records.
    pub fn take(&mut self, input: Input) -> Result<(), DemoError> {
        let Some(desk) = &mut self.desk else { return Ok(()) };
        let now = self.clock.mono_ms();
        // Looking at the clock first: a page whose time is over is not there to be touched.
        for input in [Input::Tick, input] {
            let mut record = self.visit.step(input, now);
            while let Some(kept) = record.take() {
                let answer = match desk.keep(&kept) {
                    Ok(kept) => kept.into(),
                    Err(error) => Input::Refused(error.for_staff()),
                };
                record = self.visit.step(answer, now);
            }
        }
        self.sending.more.notify_one();
        Ok(())
    }

    /// A visitor scans the code on the screen, if there is one.
    pub fn scan(&mut self, visitor: usize) {
        if let Page::Thanks { contact, .. } | Page::Later(contact) = self.visit.page()
            && let Some(ticket) = &contact.ticket
        {
            self.scanned.insert(visitor, ticket.clone());
        }
    }

    /// Follows the roster and notes life.
    pub fn look(&mut self) -> Result<(), DemoError> {
        if let Some(desk) = &mut self.desk {
            desk.follow_roster().map_err(DeskError::from)?;
            desk.note_alive().map_err(DeskError::from)?;
            self.sending.more.notify_one();
        }
        Ok(())
    }

    /// The power fails: nothing is ended in good order. The last sign of life was just before.
    pub fn power_off(&mut self) -> Result<(), DemoError> {
        if let Some(desk) = &mut self.desk {
            desk.note_alive().map_err(DeskError::from)?;
        }
        self.desk = None;
        Ok(())
    }

    /// The power comes back.
    pub fn power_on(&mut self) -> Result<(), DemoError> {
        let desk = open_desk(&self.folder, &mut self.identity, &self.clock)?;
        self.visit = new_visit(&desk, self.time_outs)?;
        self.desk = Some(desk);
        self.sending.more.notify_one();
        Ok(())
    }

    /// Ends the epoch in good order.
    pub fn stop(&mut self) -> Result<(), DemoError> {
        if let Some(mut desk) = self.desk.take() {
            if let Some(record) = self.visit.cut_off() {
                desk.keep(&record).map_err(DeskError::from)?;
            }
            desk.stop().map_err(DeskError::from)?;
        }
        Ok(())
    }
}

fn open_desk(
    folder: &std::path::Path,
    identity: &mut Identity,
    clock: &Arc<DemoClock>,
) -> Result<Desk, DeskError> {
    let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
    Desk::open(folder, identity, clock, Box::new(system_random))
}

fn new_visit(desk: &Desk, time_outs: TimeOuts) -> Result<Visit, DeskError> {
    let form = desk.form().ok_or(DeskError::Enrolment("no form is in force"))?;
    Ok(Visit::new(Arc::new(form.clone()), desk.enrolled().counters.to_vec(), time_outs))
}
