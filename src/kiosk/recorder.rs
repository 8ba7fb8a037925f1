//! The journal's own thread, so that a slow disk never holds up the screen's drawing.

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Notify, oneshot};

use super::desk::Desk;
use super::duty::Duty;
use super::visit::{Input, Record};
use super::witness::Seen;
use crate::domain::attempts::Attempts;
use crate::domain::enrolment::Enrolled;
use crate::domain::ids::{CounterId, OfficialId};

/// How often the process notes that it is alive, in real time.
const ALIVE: Duration = Duration::from_secs(60);

enum Job {
    Keep(Record),
    FollowRoster,
    Root(Seen),
    SignIn(CounterId, OfficialId, oneshot::Sender<Result<(), String>>),
    Attempts(Attempts, bool),
    Configure(Arc<Enrolled>),
    Stop(Option<Record>, mpsc::Sender<()>),
}

/// Hands records to the journal's thread.
#[derive(Clone)]
pub struct Recorder {
    jobs: mpsc::Sender<Job>,
    duty: Duty,
    attempts: Attempts,
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
        let (duty, attempts) = (desk.duty(), desk.attempts());
        std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || work(desk, &waiting, &answers, &more))?;
        Ok(Self { jobs, duty, attempts })
    }

    /// Keeps a record; the answer comes as [`Input::Kept`] or [`Input::Refused`].
    pub fn keep(&self, record: Record) {
        let _ = self.jobs.send(Job::Keep(record));
    }

    /// Who stands where.
    pub fn duty(&self) -> &Duty {
        &self.duty
    }

    /// Wrong codes in a row when it started.
    pub fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    /// Keeps wrong codes in a row, and notes the last one if it was `wrong`.
    pub fn note_attempts(&self, attempts: Attempts, wrong: bool) {
        let _ = self.jobs.send(Job::Attempts(attempts, wrong));
    }

    /// Notes that an official stands at a counter; tells when the disk has it, or why not, for staff.
    pub fn sign_in(
        &self,
        counter: CounterId,
        official: OfficialId,
    ) -> oneshot::Receiver<Result<(), String>> {
        let (told, kept) = oneshot::channel();
        let _ = self.jobs.send(Job::SignIn(counter, official, told));
        kept
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
            Ok(Job::SignIn(counter, official, told)) => {
                let kept = desk.sign_in(&counter, &official);
                // Whoever asked may have gone.
                let _ = told.send(kept.as_ref().copied().map_err(|error| error.for_staff()));
                kept
            }
            Ok(Job::Attempts(attempts, wrong)) => desk.note_attempts(&attempts, wrong),
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
