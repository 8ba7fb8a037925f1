//! The satisfaction rate and how sure it is.

use serde::{Deserialize, Serialize};

/// A rate stands only on this many ratings or more (contract, “Summary”).
pub const ENOUGH: u64 = 30;

/// A 95% confidence interval, both ends in 0..=1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Rounds a fraction to four decimals, half up.
pub fn four_decimals(fraction: f64) -> f64 {
    // Adding a hair keeps halves that binary fractions hold a little too low.
    (fraction * 10_000.0 + 0.5 + 1e-9).floor() / 10_000.0
}

/// Satisfied ratings among `n`, four decimals half up, or none below [`ENOUGH`] ratings.
pub fn rate(satisfied: u64, n: u64) -> Option<f64> {
    if n < ENOUGH {
        return None;
    }
    // Whole numbers keep the half exact: floor((20000 s + n) / (2 n)) is s/n in ten-thousandths.
    let parts = (u128::from(satisfied) * 20_000 + u128::from(n)) / (2 * u128::from(n));
    Some(parts as f64 / 10_000.0)
}

/// Wilson's score interval at 95% (E. B. Wilson, 1927), or none below [`ENOUGH`] ratings.
pub fn wilson(satisfied: u64, n: u64) -> Option<Interval> {
    if n < ENOUGH {
        return None;
    }
    // The 97.5% point of the normal distribution.
    const Z: f64 = 1.959_963_984_540_054;
    let (s, n) = (satisfied as f64, n as f64);
    let p = s / n;
    let centre = p + Z * Z / (2.0 * n);
    let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    Some(Interval {
        low: four_decimals(((centre - spread) / scale).clamp(0.0, 1.0)),
        high: four_decimals(((centre + spread) / scale).clamp(0.0, 1.0)),
    })
}

/// What chance alone brings less often than this is no chance: many shares are looked at every day.
const HARDLY_EVER: f64 = 1.0 / 2_000.0;

/// Whether so many of `n`, [`ENOUGH`] or more, are so far above a usual share that chance alone would bring as many once in
/// 2,000 times (the binomial distribution's own tail: shares near nothing are far from normal).
pub fn is_far_above(some: u64, n: u64, share: f64) -> bool {
    if n < ENOUGH || some as f64 <= n as f64 * share || share <= 0.0 || share >= 1.0 {
        return false;
    }
    // The logarithm of the chance of exactly so many, then what comes above it, ever less.
    let mut ln = (n - some) as f64 * (1.0 - share).ln();
    for k in 0..some {
        ln += share.ln() + ((n - k) as f64 / (k + 1) as f64).ln();
    }
    let (mut term, mut tail) = (ln.exp(), 0.0);
    for k in some..=n {
        tail += term;
        if tail >= HARDLY_EVER || term < tail * 1e-12 {
            break;
        }
        term *= (n - k) as f64 / (k + 1) as f64 * share / (1.0 - share);
    }
    tail < HARDLY_EVER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_far_above_another_one_only_when_chance_hardly_brings_it_there() {
        // 2% as a rule: 5 of 40 come by chance once in 700 times, 6 once in 5,000.
        assert!(!is_far_above(3, 40, 0.02) && !is_far_above(5, 40, 0.02));
        assert!(is_far_above(6, 40, 0.02) && is_far_above(40, 40, 0.02));
        assert!(!is_far_above(8, 40, 0.20) && is_far_above(20, 40, 0.20));
        assert!(!is_far_above(29, 29, 0.02), "too few");
        assert!(
            !is_far_above(0, 40, 0.02) && !is_far_above(40, 40, 1.0) && !is_far_above(40, 40, 0.0)
        );
        // A year of a busy office.
        assert!(!is_far_above(620, 30_000, 0.02) && is_far_above(700, 30_000, 0.02));
        // Of ten thousand draws at 2% hardly any is taken for a rise.
        let mut seed = 1_u64;
        let mut draw = || {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as f64 / f64::from(1_u32 << 31) < 0.02
        };
        let rises = (0..10_000).filter(|_| {
            let some = (0..200).filter(|_| draw()).count() as u64;
            is_far_above(some, 200, 0.02)
        });
        assert!((0..=12).contains(&rises.count()), "5 are expected");
    }

    #[test]
    fn the_contract_s_example_comes_out() {
        assert_eq!(rate(131, 142), Some(0.9225));
        assert_eq!(wilson(131, 142), Some(Interval { low: 0.8666, high: 0.9562 }));
    }

    #[test]
    fn all_satisfied_is_still_not_certain() {
        let interval = wilson(41, 41).unwrap();
        assert_eq!(interval.high, 1.0);
        assert!(interval.low < 0.92, "{interval:?}");
        assert_eq!(wilson(0, 41).unwrap().low, 0.0);
    }

    #[test]
    fn few_ratings_give_no_rate() {
        assert_eq!(rate(29, 29), None);
        assert_eq!(wilson(29, 29), None);
        assert_eq!(rate(30, 30), Some(1.0));
    }

    #[test]
    fn halves_go_up() {
        // 1/32 = 0.03125 exactly.
        assert_eq!(rate(1, 32), Some(0.0313));
        assert_eq!(four_decimals(0.03125), 0.0313);
    }
}
