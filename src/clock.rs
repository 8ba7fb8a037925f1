//! The one source of time: wall clock, monotonic clock and sleeping, injected everywhere.
//!
//! Lines take `at` and `mono_ms` from it, the uploader its back-off, the central service its now
//! and every expiry. So a demo can live a day in seconds and a test can stand still.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

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

/// A clock that may be behind, and is put forward by what it [hears](Clock::hear).
///
/// A moment that is over can only tell that a clock is behind, never that it is ahead; so a moment
/// that comes late or twice moves nothing. When the clock within is put right after all, what it
/// was put forward by is taken back.
pub struct PutForward<C> {
    within: C,
    state: Mutex<Forward>,
}

struct Forward {
    /// By how much, never below 0.
    ms: i64,
    /// The wall clock within less its monotonic clock, when it was last looked at.
    apart_ms: i64,
}

impl<C: Clock> PutForward<C> {
    /// As `within` shows it, until something else is heard.
    pub fn new(within: C) -> Self {
        let apart_ms = apart(&within, within.now());
        Self { within, state: Mutex::new(Forward { ms: 0, apart_ms }) }
    }

    fn look(&self, state: &mut Forward) -> Timestamp {
        let now = self.within.now();
        let apart_ms = apart(&self.within, now);
        let jumped = apart_ms.saturating_sub(state.apart_ms);
        state.apart_ms = apart_ms;
        if jumped > TOLERANCE_MS {
            state.ms = state.ms.saturating_sub(jumped).max(0);
        }
        now.checked_add(SignedDuration::from_millis(state.ms)).unwrap_or(now)
    }
}

fn apart(clock: &impl Clock, now: Timestamp) -> i64 {
    now.as_millisecond().saturating_sub(clock.mono_ms() as i64)
}

impl<C: Clock> Clock for PutForward<C> {
    fn now(&self) -> Timestamp {
        self.look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn mono_ms(&self) -> u64 {
        self.within.mono_ms()
    }

    fn sleep(&self, duration: Duration) -> Sleep<'_> {
        self.within.sleep(duration)
    }

    fn hear(&self, past: Timestamp) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.look(&mut state);
        let behind = past.as_millisecond().saturating_sub(now.as_millisecond());
        if behind > TOLERANCE_MS {
            state.ms = state.ms.saturating_add(behind);
            let seconds = behind / 1_000;
            tracing::warn!(seconds, "this machine's clock is behind; it is put forward in here");
        }
    }
}
