//! Two sides of a bar, timed in turn within one run and printed with their ratio.
//!
//! Machines are noisy and a disk syncs in 0.2 or 4 ms from one minute to the next, so a figure
//! alone says little. Rounds are short and the sides take turns, first one, then the other; what
//! is judged is the ratio of the medians, and the quartiles of the rounds' own ratios show how far
//! to trust it.
#![allow(dead_code)] // Each bench uses its part.

/// Whether figures are wanted: `cargo bench` says so, `cargo test --benches` only runs a round.
pub fn wanted() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// `rounds` when figures are wanted, else one.
pub fn rounds(rounds: usize) -> usize {
    if wanted() { rounds } else { 1 }
}

/// What a ratio of ours to the other side's should be.
#[derive(Debug, Clone, Copy)]
pub enum Bar {
    AtMost(f64),
    AtLeast(f64),
}

/// The figures of one side, one a round.
pub struct Side {
    name: &'static str,
    figures: Vec<f64>,
}

impl Side {
    pub fn new(name: &'static str) -> Self {
        Self { name, figures: Vec::new() }
    }

    pub fn take(&mut self, figure: f64) {
        self.figures.push(figure);
    }
}

/// The figure below which `part` of all lie.
pub fn quantile(figures: &[f64], part: f64) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * part).round() as usize]
}

fn print(side: &Side, unit: &str) {
    let [min, median, max] = [0.0, 0.5, 1.0].map(|part| quantile(&side.figures, part));
    let (name, n) = (side.name, side.figures.len());
    println!(
        "  {name:<46} min {min:>9.3}  median {median:>9.3}  max {max:>9.3}  {unit}, {n} rounds"
    );
}

/// Prints one bar: both sides, the ratio, whether it holds.
pub fn compare(what: &str, unit: &str, ours: &Side, other: &Side, bar: Option<Bar>) {
    println!("\n{what}");
    print(ours, unit);
    print(other, unit);
    let ratio = quantile(&ours.figures, 0.5) / quantile(&other.figures, 0.5);
    let each: Vec<f64> = ours.figures.iter().zip(&other.figures).map(|(a, b)| a / b).collect();
    let (low, high) = (quantile(&each, 0.25), quantile(&each, 0.75));
    let verdict = match bar {
        None => String::new(),
        Some(Bar::AtMost(most)) => {
            format!("; bar at most {most}: {}", if ratio <= most { "holds" } else { "MISSED" })
        }
        Some(Bar::AtLeast(least)) => {
            format!("; bar at least {least}: {}", if ratio >= least { "holds" } else { "MISSED" })
        }
    };
    println!(
        "  ratio of medians {ratio:.3}, quartiles of the rounds {low:.3} to {high:.3}{verdict}"
    );
}
