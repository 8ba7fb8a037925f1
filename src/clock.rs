//! The one source of time: wall clock, monotonic clock and sleeping, injected everywhere.
//!
//! Lines take `at` and `mono_ms` from it, the uploader its back-off, the central service its now
//! and every expiry. So a demo can live a day in seconds and a test can stand still.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// A future that ends when a clock says so.
pub type Sleep<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A source of time.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock. It may be wrong and may jump; see [`Clock::mono_ms`].
    fn now(&self) -> Timestamp;

    /// Milliseconds since some fixed moment of this process; never goes back.
    fn mono_ms(&self) -> u64;

    /// Ends once `duration` of this clock's time has passed.
    fn sleep(&self, duration: Duration) -> Sleep<'_>;

    /// The wall clock of the machine itself, which [`Clock::now`] may correct.
    fn machine(&self) -> Timestamp {
        self.now()
    }

    /// Hears a moment that is over for certain. Most clocks know better by themselves.
    fn hear(&self, past: Timestamp) {
        let _ = past;
    }
}

/// The machine's own clocks.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// Starts the monotonic clock at zero.
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn mono_ms(&self) -> u64 {
        self.origin.elapsed().as_millis() as u64
    }

    fn sleep(&self, duration: Duration) -> Sleep<'_> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// How far a clock may be behind before it is put right, and how far it may drift unnoticed, in
/// milliseconds. A jump of as much is a line in a journal.
pub const TOLERANCE_MS: i64 = 60_000;

/// A clock that may be behind, and is put forward by what it [hears](Clock::hear): it shows the
/// later of what the one within shows, and what was heard and has run on since.
///
/// A moment that is over can only tell that a clock is behind, never that it is ahead; so a moment
/// that comes late or twice moves nothing. When the clock within is put right after all, it takes
/// over; when it goes astray later, it is not followed back.
pub struct PutForward<C> {
    within: C,
    /// A moment that was heard, and the monotonic clock's milliseconds then.
    heard: Mutex<Option<(Timestamp, u64)>>,
}

impl<C: Clock> PutForward<C> {
    /// As `within` shows it, until something else is heard.
    pub fn new(within: C) -> Self {
        Self { within, heard: Mutex::new(None) }
    }
}

impl<C: Clock> Clock for PutForward<C> {
    fn now(&self) -> Timestamp {
        let now = self.within.now();
        let heard = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((past, then)) = heard else { return now };
        let since = self.within.mono_ms().saturating_sub(then);
        let run_on = past.checked_add(Duration::from_millis(since));
        run_on.map_or(now, |run_on| run_on.max(now))
    }

    fn mono_ms(&self) -> u64 {
        self.within.mono_ms()
    }

    fn machine(&self) -> Timestamp {
        self.within.machine()
    }

    fn sleep(&self, duration: Duration) -> Sleep<'_> {
        self.within.sleep(duration)
    }

    fn hear(&self, past: Timestamp) {
        let behind = past.as_millisecond().saturating_sub(self.now().as_millisecond());
        if behind > TOLERANCE_MS {
            let heard = (past, self.within.mono_ms());
            *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(heard);
            let seconds = behind / 1_000;
            tracing::warn!(seconds, "this machine's clock is behind; it is put forward in here");
        }
    }
}
