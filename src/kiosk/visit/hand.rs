//! What a hand does that rests, slips or hammers: nobody's wish, counted until it can be told. Pure.

use std::collections::VecDeque;

/// So many touches within so many milliseconds are nobody's wish: nobody reads so fast.
const HAMMER: usize = 8;
const HAMMER_MS: u64 = 2_000;
/// And that is over after so many milliseconds without a touch.
const CALM_MS: u64 = 1_500;
/// Fewer ignored touches than this are a tap doubled, and nothing to tell.
pub(super) const LEAST_MISUSE: u32 = 5;

/// The hand at the screen.
#[derive(Debug, Clone, Default)]
pub struct Hand {
    /// When the last touches were.
    touches: VecDeque<u64>,
    /// Until when touches come too fast.
    calm_at_ms: u64,
    /// Touches ignored and not told yet.
    pub(super) ignored: u32,
}

impl Hand {
    /// A touch was ignored.
    pub fn ignored(&mut self) {
        self.ignored = self.ignored.saturating_add(1);
    }

    /// Takes note of a touch; whether it is one of too many.
    pub fn hammers(&mut self, now_ms: u64) -> bool {
        if self.touches.len() == HAMMER {
            self.touches.pop_front();
        }
        self.touches.push_back(now_ms);
        let since = self.touches.front().filter(|_| self.touches.len() == HAMMER);
        let fast = since.is_some_and(|since| now_ms.saturating_sub(*since) < HAMMER_MS);
        if fast || !self.is_calm(now_ms) {
            self.calm_at_ms = now_ms + CALM_MS;
            self.ignored();
            return true;
        }
        false
    }

    /// Whether touches come as fast as people's wishes do.
    pub fn is_calm(&self, now_ms: u64) -> bool {
        now_ms >= self.calm_at_ms
    }

    /// Whether there is something to tell.
    pub fn has_misused(&self) -> bool {
        self.ignored >= LEAST_MISUSE
    }

    /// How many touches were ignored, told now.
    pub fn tell(&mut self) -> u32 {
        std::mem::take(&mut self.ignored)
    }

    /// The visit is over: a tap doubled is nothing to tell.
    pub fn leave(&mut self) {
        if !self.has_misused() {
            self.ignored = 0;
        }
    }
}
