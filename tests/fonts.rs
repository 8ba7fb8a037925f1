//! The four fonts that are shipped have every letter of every text, so that none is drawn from
//! another font, or as an empty box.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use icu_normalizer::ComposingNormalizerBorrowed;
use skrifa::string::StringId;
use skrifa::{FontRef, MetadataProvider};

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The files of a folder and its folders that end so.
fn files(folder: &str, end: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, end: &str, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, end, found);
            } else if path.to_string_lossy().ends_with(end) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&project(folder), end, &mut found);
    found.sort();
    assert!(!found.is_empty(), "{folder} has no file {end}");
    found
}

/// The bytes of each font, by its file's name.
fn fonts() -> BTreeMap<String, Vec<u8>> {
    let fonts: BTreeMap<_, _> = files("ui/kiosk/fonts", ".ttf")
        .into_iter()
        .map(|file| {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(file).unwrap())
        })
        .collect();
    assert_eq!(fonts.len(), 4);
    fonts
}

/// The letters of `text` that a font lacks.
fn missing(font: &[u8], text: &str) -> BTreeSet<char> {
    let charmap = FontRef::new(font).unwrap().charmap();
    let drawn = |letter: char| {
        letter.is_control() || charmap.map(letter).is_some_and(|glyph| glyph.to_u32() != 0)
    };
    text.chars().filter(|letter| !drawn(*letter)).collect()
}

fn is_nfc(text: &str) -> bool {
    ComposingNormalizerBorrowed::new_nfc().is_normalized(text)
}

/// Every string of a TOML file, without its comments.
fn strings_of_toml(file: &Path) -> String {
    fn walk(value: &toml::Value, strings: &mut String) {
        match value {
            toml::Value::String(text) => {
                strings.push_str(text);
                strings.push('\n');
            }
            toml::Value::Array(values) => values.iter().for_each(|value| walk(value, strings)),
            toml::Value::Table(table) => table.values().for_each(|value| walk(value, strings)),
            _ => {}
        }
    }
    let table: toml::Table = std::fs::read_to_string(file).unwrap().parse().unwrap();
    let mut strings = String::new();
    table.values().for_each(|value| walk(value, &mut strings));
    strings
}

/// A file without what stands after `//` in its lines.
fn without_comments(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap();
    let code = |line: &str| line.split("//").next().unwrap_or_default().to_owned();
    text.lines().map(code).collect::<Vec<_>>().join("\n")
}

/// Whatever the screens and pages show, by the file that it stands in.
fn shown() -> BTreeMap<PathBuf, String> {
    let mut shown = BTreeMap::new();
    for file in files("kiosk-config", ".toml") {
        shown.insert(file.clone(), strings_of_toml(&file));
    }
    let whole = files("kiosk-config", ".csv").into_iter().chain(files("ui/web", ".html"));
    for file in whole {
        shown.insert(file.clone(), std::fs::read_to_string(&file).unwrap());
    }
    // What the program adds of its own: names of counters, reasons for staff, words of the pages.
    let code = files("ui/kiosk", ".slint")
        .into_iter()
        .chain([project("src/kiosk/journal.rs"), project("src/domain/office.rs")])
        .chain(files("src/central", ".rs"));
    for file in code {
        shown.insert(file.clone(), without_comments(&file));
    }
    shown
}

#[test]
fn every_letter_that_is_shown_is_in_every_font() {
    let shown = shown();
    for (name, font) in fonts() {
        for (file, text) in &shown {
            let missing = missing(&font, text);
            assert!(missing.is_empty(), "{name} lacks {missing:?} of {}", file.display());
        }
    }
    let letters: BTreeSet<char> = shown.values().flat_map(|text| text.chars()).collect();
    for letter in "ễộửỹĐ·–".chars() {
        assert!(
            letters.contains(&letter),
            "{letter:?} is in some text, or the texts were not read"
        );
    }
}

#[test]
fn every_text_that_is_shown_is_in_nfc() {
    for (file, text) in shown() {
        for (line, words) in text.lines().enumerate() {
            assert!(is_nfc(words), "{}:{}: {words:?}", file.display(), line + 1);
        }
    }
}

#[test]
fn every_vietnamese_letter_is_in_every_font() {
    // Names of officials may have any of them.
    let nfc = ComposingNormalizerBorrowed::new_nfc();
    let mut letters = String::from("đĐ");
    for vowel in "aăâeêioôơuưyAĂÂEÊIOÔƠUƯY".chars() {
        for tone in ["", "\u{300}", "\u{301}", "\u{303}", "\u{309}", "\u{323}"] {
            let letter = nfc.normalize(&format!("{vowel}{tone}")).into_owned();
            assert_eq!(letter.chars().count(), 1, "{letter:?}");
            letters.push_str(&letter);
        }
    }
    assert_eq!(letters.chars().count(), 2 + 24 * 6);
    for (name, font) in fonts() {
        assert_eq!(missing(&font, &letters), BTreeSet::new(), "{name}");
    }
}

#[test]
fn a_letter_that_no_font_has_is_found_out() {
    for (name, font) in fonts() {
        assert_eq!(missing(&font, "Gửi 漢 字"), BTreeSet::from(['字', '漢']), "{name}");
        assert_eq!(missing(&font, "ก"), BTreeSet::from(['ก']), "{name}");
        assert_eq!(missing(&font, "😀"), BTreeSet::from(['😀']), "{name}");
    }
    assert!(is_nfc("Gửi"));
    assert!(!is_nfc("Gư\u{309}i"));
}

#[test]
fn each_weight_of_the_theme_has_a_font_of_its_own() {
    let theme = std::fs::read_to_string(project("ui/kiosk/theme.slint")).unwrap();
    let number = |name: &str| -> f32 {
        let (_, rest) = theme.split_once(&format!("<int> {name}: ")).unwrap();
        rest.split(';').next().unwrap().parse().unwrap()
    };
    let wanted = ["regular", "medium", "semibold", "bold"].map(number);
    let mut weights: Vec<f32> = Vec::new();
    for (name, font) in fonts() {
        let font = FontRef::new(&font).unwrap();
        let family = [StringId::TYPOGRAPHIC_FAMILY_NAME, StringId::FAMILY_NAME]
            .into_iter()
            .find_map(|id| font.localized_strings(id).english_or_first())
            .map(|family| family.to_string());
        assert_eq!(family.as_deref(), Some("Be Vietnam Pro"), "{name}");
        weights.push(font.attributes().weight.value());
    }
    weights.sort_by(f32::total_cmp);
    assert_eq!(weights, wanted, "no weight is made up from another");
}
