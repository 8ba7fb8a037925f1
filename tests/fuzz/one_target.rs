//! One reader under libFuzzer: `HAILONG_TARGET` names it.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)] // Its corpus begins elsewhere.
#[path = "../hostile/targets.rs"]
mod targets;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

static READ: LazyLock<fn(&[u8]) -> bool> = LazyLock::new(|| {
    let name = std::env::var("HAILONG_TARGET").expect("HAILONG_TARGET names a target");
    targets::TARGETS.iter().find(|target| target.name == name).expect("a target").read
});

fuzz_target!(|bytes: &[u8]| {
    READ(bytes);
});
