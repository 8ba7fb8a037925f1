//! Rubbish and malice at every door: typed refusals in bounded time and memory, and nothing of it
//! in the figures.
//!
//! `HAILONG_CASES=n` tries n changes at each of the quickest readers and doors instead of the usual
//! number, `HAILONG_REQUESTS=n` sends n requests of one source. `HAILONG_ACCEPT=1` writes the
//! corpus's beginning anew.

#[path = "../common/mod.rs"]
mod common;
mod doors;
mod flood;
#[path = "../common/installed.rs"]
mod installed;
mod mutate;
mod readers;
mod targets;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A number from the environment, or the usual one.
fn number(name: &str, usual: usize) -> usize {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is a number, found {text:?}")),
        Err(_) => usual,
    }
}
