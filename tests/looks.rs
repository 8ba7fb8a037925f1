//! Every page, in every state, language and mode, on a panel that lies and on one that stands, looks as it was
//! accepted: each picture is held against 160 greys of the one that somebody looked at, in `looks.txt`.
//!
//! After a wanted change of the look, set `HAILONG_ACCEPT=1` to write them anew, and look at `hailong screens`
//! before it is committed. Some pages are compared pixel by pixel, in `tests/screens/`.

mod common;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use hailong::demo::gallery::{Exhibition, Shot};
use hailong::kiosk::headless::Headless;
use image::RgbImage;
use image::imageops::{self, FilterType};

const PANELS: [&str; 2] = ["landscape", "portrait"];

/// Sixteen shades for each of 16 × 10 fields, as hexadecimal digits.
fn greys(picture: &RgbImage) -> String {
    let (across, down) = if picture.width() > picture.height() { (16, 10) } else { (10, 16) };
    let grey = imageops::grayscale(picture);
    let fields = imageops::resize(&grey, across, down, FilterType::Triangle);
    fields.pixels().fold(String::new(), |mut greys, pixel| {
        let _ = write!(greys, "{:x}", pixel.0[0] / 16);
        greys
    })
}

/// Whether every field is of the same shade or the next, as rounding of another processor has it.
fn alike(a: &str, b: &str) -> bool {
    let shade = |digit: char| digit.to_digit(16).unwrap_or_default();
    a.len() == b.len() && a.chars().zip(b.chars()).all(|(a, b)| shade(a).abs_diff(shade(b)) <= 1)
}

#[test]
fn every_page_state_language_orientation_and_mode_looks_as_it_was_accepted() {
    let headless = Headless::start(1280, 800).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut seen = BTreeMap::new();
    let exhibition = Exhibition::of(&common::sample_config()).unwrap();
    let look = &mut |shot: &Shot<'_>| {
        if PANELS.contains(&shot.panel) {
            seen.insert(shot.name(), greys(&shot.headless.picture()));
        }
        Ok(())
    };
    exhibition.show(&headless, folder.path(), look).unwrap();
    assert!(seen.len() >= 750, "{}", seen.len());

    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/looks.txt");
    if std::env::var_os("HAILONG_ACCEPT").is_some_and(|value| value == "1") {
        let lines = seen.iter().map(|(name, greys)| format!("{name} {greys}\n"));
        std::fs::write(&file, lines.collect::<String>()).unwrap();
        return;
    }
    let accepted = std::fs::read_to_string(&file).unwrap_or_default();
    let accepted: BTreeMap<&str, &str> =
        accepted.lines().filter_map(|line| line.split_once(' ')).collect();
    let mut wrong = Vec::new();
    for (name, greys) in &seen {
        match accepted.get(name.as_str()) {
            Some(expected) if alike(greys, expected) => {}
            Some(_) => wrong.push(format!("{name} looks otherwise")),
            None => wrong.push(format!("{name} is new")),
        }
    }
    let gone = accepted.keys().filter(|name| !seen.contains_key(**name));
    wrong.extend(gone.map(|name| format!("{name} is gone")));
    let hint = "look at `hailong screens DIR`, and set HAILONG_ACCEPT=1 to accept them";
    assert!(wrong.is_empty(), "{} pictures; {hint}:\n{}", wrong.len(), wrong.join("\n"));
}
