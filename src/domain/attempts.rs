//! Wrong codes and passwords slow down what follows: whoever tries them out gets nowhere, whoever mistyped
//! waits for a moment.

use serde::{Deserialize, Serialize};

use super::time::At;

/// So many in a row cost no time.
const FREE: u32 = 3;
/// The wait after the next one, doubled by each that follows, and the longest, in seconds.
const FIRST_WAIT_S: i64 = 30;
pub(crate) const LONGEST_WAIT_S: i64 = 900;
/// So long after the last wait, those of before are forgotten, in seconds.
const FORGOTTEN_S: i64 = 3_600;

/// Wrong codes or passwords in a row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    /// How many.
    wrong: u32,
    /// When the last one was.
    last: Option<At>,
}

impl Attempts {
    fn wait_s(&self) -> i64 {
        match self.wrong.checked_sub(FREE + 1) {
            None => 0,
            Some(more) => FIRST_WAIT_S.saturating_mul(1 << more.min(16)).min(LONGEST_WAIT_S),
        }
    }

    /// A clock that was put back begins the wait anew, and makes nobody wait for the time that it was ahead.
    pub fn follow(&mut self, now: At) {
        if self.last.is_some_and(|last| last > now) {
            self.last = Some(now);
        }
    }

    /// Seconds until another one is taken.
    pub fn left_s(&self, now: At) -> i64 {
        let Some(last) = self.last else { return 0 };
        let passed = now.timestamp().as_second() - last.timestamp().as_second();
        (self.wait_s() - passed).clamp(0, self.wait_s())
    }

    /// One was wrong.
    pub fn wrong(&mut self, now: At) {
        let since = |last: At| now.timestamp().as_second() - last.timestamp().as_second();
        if self.last.is_some_and(|last| since(last) > self.wait_s() + FORGOTTEN_S) {
            self.wrong = 0;
        }
        self.wrong = self.wrong.saturating_add(1);
        self.last = Some(now);
    }
}
