//! The one source of time: wall clock, monotonic clock and sleeping, injected everywhere.
//!
//! Lines take `at` and `mono_ms` from it, the uploader its back-off, the central service its now
//! and every expiry. So a demo can live a day in seconds and a test can stand still.

use std::future::Future;
use std::pin::Pin;
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
