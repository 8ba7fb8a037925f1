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

#[cfg(test)]
mod tests {
    use super::*;

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
