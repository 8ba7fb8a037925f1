//! Each reader on its own.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::mutate::change;
use crate::number;
use crate::targets::{TARGETS, seeds};

/// No reader takes longer over one input of at most a mebibyte, unoptimised.
const LONGEST: Duration = Duration::from_secs(5);

fn corpus(name: &str) -> PathBuf {
    Path::new(crate::ROOT).join("tests/hostile/corpus").join(name)
}

/// Everything in the corpus of a target, by name.
fn all(name: &str) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = std::fs::read_dir(corpus(name))
        .expect("a folder of the corpus")
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect();
    all.sort();
    all
}

#[test]
fn what_is_right_is_taken() {
    for target in TARGETS {
        for (place, seed) in seeds(target.name).into_iter().enumerate() {
            let file = corpus(target.name).join(format!("right-{place}"));
            if std::env::var_os("HAILONG_ACCEPT").is_some() {
                std::fs::create_dir_all(corpus(target.name)).unwrap();
                std::fs::write(&file, &seed).unwrap();
            }
            let kept = std::fs::read(&file).unwrap_or_default();
            assert!((target.read)(&kept), "{} is no longer taken", file.display());
            assert!((target.read)(&seed), "{}", target.name);
        }
    }
}

#[test]
fn whatever_comes_is_taken_or_refused_in_bounded_time() {
    let cases = number("HAILONG_CASES", 1_000);
    for target in TARGETS {
        let corpus = all(target.name);
        assert!(!corpus.is_empty());
        let mut taken = 0;
        let mut slowest = Duration::ZERO;
        let mut look = |bytes: &[u8], what: &dyn std::fmt::Display| {
            let began = Instant::now();
            let read = std::panic::catch_unwind(|| (target.read)(bytes));
            let Ok(read) = read else {
                let file = std::env::temp_dir().join(format!("hailong-{}-found", target.name));
                std::fs::write(&file, bytes).unwrap();
                panic!("{}, {what}: the bytes are in {}", target.name, file.display());
            };
            taken += usize::from(read);
            slowest = slowest.max(began.elapsed());
        };
        for (name, bytes) in &corpus {
            look(bytes, name);
        }
        let cases = (cases * target.in_thousand).div_ceil(1_000);
        for seed in 0..cases as u64 {
            let mut random = StdRng::seed_from_u64(seed);
            let one = &corpus[random.random_range(0..corpus.len())].1;
            let other = &corpus[random.random_range(0..corpus.len())].1;
            let bytes = change(one, other, &mut random);
            look(&bytes, &format_args!("seed {seed}"));
        }
        println!("{}: {taken} of {} taken, slowest {slowest:?}", target.name, cases + corpus.len());
        assert!(taken < cases, "{}: all that was changed is taken", target.name);
        assert!(slowest < LONGEST, "{}: {slowest:?}", target.name);
    }
}
