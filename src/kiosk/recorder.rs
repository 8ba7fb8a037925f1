//! The journal's own thread, so that a slow disk never holds up the screen's drawing.

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

use super::desk::Desk;
use super::visit::{Input, Record};
use super::witness::Seen;
use crate::domain::enrolment::Enrolled;

/// How often the process notes that it is alive, in real time.
const ALIVE: Duration = Duration::from_secs(60);

enum Job {
    Keep(Record),
    FollowRoster,
    Root(Seen),
    Configure(Arc<Enrolled>),
    Stop(Option<Record>, mpsc::Sender<()>),
}

/// Hands records to the journal's thread.
#[derive(Clone)]
pub struct Recorder {
    jobs: mpsc::Sender<Job>,
}

impl Recorder {
    /// Gives `desk` a thread of its own. What becomes of each record goes to `answers`; `more`
    /// tells the uploader.
    pub fn start(
        desk: Desk,
        answers: UnboundedSender<Input>,
        more: Arc<Notify>,
    ) -> std::io::Result<Self> {
        let (jobs, waiting) = mpsc::channel();
        std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || work(desk, &waiting, &answers, &more))?;
        Ok(Self { jobs })
    }

    /// Keeps a record; the answer comes as [`Input::Kept`] or [`Input::Refused`].
    pub fn keep(&self, record: Record) {
        let _ = self.jobs.send(Job::Keep(record));
    }

    /// Notes a jump of the clock and a change of shift, if there is one.
    pub fn follow_roster(&self) {
        let _ = self.jobs.send(Job::FollowRoster);
    }

    /// Puts another configuration into force.
    pub fn configure(&self, enrolled: Arc<Enrolled>) {
        let _ = self.jobs.send(Job::Configure(enrolled));
    }

    /// Notes a root that the central service published.
    pub fn note_root(&self, seen: Seen) {
        let _ = self.jobs.send(Job::Root(seen));
    }

    /// Ends the epoch in good order, after a last record; returns when the disk has it.
    pub fn stop(&self, last: Option<Record>) {
        let (done, stopped) = mpsc::channel();
        if self.jobs.send(Job::Stop(last, done)).is_ok() {
            let _ = stopped.recv();
        }
    }
}

fn work(
    mut desk: Desk,
    waiting: &mpsc::Receiver<Job>,
    answers: &UnboundedSender<Input>,
    more: &Notify,
) {
    let mut due = Instant::now() + ALIVE;
    loop {
        let left = due.saturating_duration_since(Instant::now());
        let outcome = match waiting.recv_timeout(left) {
            Ok(Job::Keep(record)) => match desk.keep(&record) {
                Ok(kept) => {
                    let _ = answers.send(kept.into());
                    Ok(())
                }
                Err(error) => {
                    let _ = answers.send(Input::Refused(error.for_staff()));
                    Err(error)
                }
            },
            Ok(Job::FollowRoster) => desk.follow_roster(),
            Ok(Job::Configure(enrolled)) => desk.configure(enrolled),
            Ok(Job::Root(seen)) => desk.note_root(seen),
            Ok(Job::Stop(last, done)) => {
                let kept = last.map_or(Ok(()), |record| desk.keep(&record).map(|_| ()));
                let stopped = desk.stop();
                if let Err(error) = kept.and(stopped) {
                    tracing::error!(%error, "the journal could not be ended in good order");
                }
                more.notify_one();
                let _ = done.send(());
                return;
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                due = Instant::now() + ALIVE;
                desk.note_alive()
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
        };
        match outcome {
            Ok(()) => more.notify_one(),
            Err(error) => tracing::error!(%error, "the journal refuses"),
        }
    }
}
