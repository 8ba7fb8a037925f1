//! The demo's clock: it stands where it is set, or runs at real pace, and never goes back.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::clock::{Clock, Sleep};
use crate::domain::time::At;

#[derive(Debug)]
struct State {
    at_ms: i64,
    running_since: Option<Instant>,
}

/// One clock for window, kiosks and central service.
#[derive(Debug)]
pub struct DemoClock {
    origin_ms: i64,
    state: Mutex<State>,
    moved: watch::Sender<()>,
}

impl DemoClock {
    /// Stands at `at`.
    pub fn standing(at: At) -> Self {
        let at_ms = at.timestamp().as_millisecond();
        let state = Mutex::new(State { at_ms, running_since: None });
        Self { origin_ms: at_ms, state, moved: watch::Sender::new(()) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> i64 {
        let state = self.state();
        let running = state.running_since.map_or(0, |since| since.elapsed().as_millis() as i64);
        state.at_ms + running
    }

    /// Goes to `at` and stands there; stays where it is when that is past.
    pub fn set(&self, at: At) {
        let now = self.now_ms();
        {
            let mut state = self.state();
            state.at_ms = at.timestamp().as_millisecond().max(now);
            state.running_since = None;
        }
        self.moved.send_replace(());
    }

    /// Runs at real pace from here on.
    pub fn run(&self) {
        let now = self.now_ms();
        {
            let mut state = self.state();
            state.at_ms = now;
            state.running_since = Some(Instant::now());
        }
        self.moved.send_replace(());
    }
}

impl Clock for DemoClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.now_ms()).unwrap_or(Timestamp::MAX)
    }

    fn mono_ms(&self) -> u64 {
        (self.now_ms() - self.origin_ms).max(0) as u64
    }

    fn sleep(&self, duration: Duration) -> Sleep<'_> {
        let until = self.mono_ms() + duration.as_millis() as u64;
        let mut moved = self.moved.subscribe();
        Box::pin(async move {
            loop {
                let now = self.mono_ms();
                if now >= until {
                    return;
                }
                let running = self.state().running_since.is_some();
                let left = Duration::from_millis(until - now);
                let real = async {
                    if running {
                        tokio::time::sleep(left).await;
                    } else {
                        std::future::pending::<()>().await;
                    }
                };
                tokio::select! {
                    () = real => {}
                    changed = moved.changed() => if changed.is_err() { return },
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> At {
        At::try_from(format!("2026-11-24T{text}.000+07:00")).unwrap()
    }

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_clock_is_set_past_its_time() {
        let clock = DemoClock::standing(at("07:30:00"));
        let mut slept = clock.sleep(Duration::from_secs(60));
        clock.set(at("07:30:59"));
        let early = tokio::time::timeout(Duration::from_millis(20), &mut slept).await;
        assert!(early.is_err(), "a second is left");
        clock.set(at("07:31:00"));
        let woken = tokio::time::timeout(Duration::from_secs(10), &mut slept).await;
        assert!(woken.is_ok(), "its time has come");
        clock.set(at("07:00:00"));
        assert_eq!(At::new(clock.now()), at("07:31:00"), "it never goes back");
    }
}
