//! What a visitor writes at the kiosk, key by key: Telex, or a key for each accent. Pure.
//!
//! The syllable under way is kept as it was typed, so that an accent finds its letter wherever it comes,
//! and twice the same takes it back; what stands before it does not change any more.

use unicode_normalization::UnicodeNormalization;
use vi::{TELEX, transform_buffer};
use zeroize::Zeroizing;

/// Most characters of what is written at the kiosk.
pub const MOST_CHARACTERS: usize = 500;

/// One key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    /// A letter, digit, mark or space. A letter is taken as Telex has it.
    Character(char),
    /// The last character goes.
    Back,
}

/// What is written so far. Cleared from memory when it is dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Writing {
    done: Zeroizing<String>,
    /// The letters of the syllable under way, as typed.
    typed: Zeroizing<Vec<char>>,
}

impl Writing {
    /// The text, in NFC.
    pub fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(4 * MOST_CHARACTERS));
        text.push_str(&self.done);
        text.push_str(&self.syllable());
        text
    }

    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        self.text().trim().is_empty()
    }

    fn syllable(&self) -> Zeroizing<String> {
        let mut composed = Zeroizing::new(String::with_capacity(64));
        transform_buffer(&TELEX, self.typed.iter().copied(), &mut composed);
        Zeroizing::new(composed.nfc().collect())
    }

    /// Takes a key; whether it changed anything.
    pub fn take(&mut self, stroke: Stroke) -> bool {
        let before = self.text();
        match stroke {
            Stroke::Character(character) if character.is_alphabetic() => {
                self.typed.extend(telex_of(character));
            }
            Stroke::Character(character) => {
                let syllable = self.syllable();
                self.done.push_str(&syllable);
                self.typed.clear();
                self.done.push(character);
            }
            Stroke::Back if self.typed.is_empty() => drop(self.done.pop()),
            Stroke::Back => {
                let mut syllable = self.syllable();
                syllable.pop();
                *self.typed = syllable.chars().flat_map(telex_of).collect();
            }
        }
        let after = self.text();
        // A mark that takes one back may leave as many.
        if after.chars().count() > MOST_CHARACTERS {
            self.set(&before);
            return false;
        }
        after != before
    }

    fn set(&mut self, text: &str) {
        self.done.clear();
        self.done.push_str(text);
        self.typed.clear();
    }
}

/// A letter as Telex types it: ệ is e, e, j.
fn telex_of(letter: char) -> Vec<char> {
    if let 'đ' | 'Đ' = letter {
        let d = if letter == 'đ' { 'd' } else { 'D' };
        return vec![d, 'd'];
    }
    let mut parts = letter.nfd();
    let base = parts.next().unwrap_or(letter);
    let mut typed = vec![base];
    let mut tone = None;
    for mark in parts {
        match mark {
            '\u{302}' => typed.push(base.to_ascii_lowercase()),
            '\u{306}' | '\u{31b}' => typed.push('w'),
            '\u{301}' => tone = Some('s'),
            '\u{300}' => tone = Some('f'),
            '\u{309}' => tone = Some('r'),
            '\u{303}' => tone = Some('x'),
            '\u{323}' => tone = Some('j'),
            _ => {}
        }
    }
    typed.extend(tone);
    typed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::comments::masked;
    use crate::domain::seal::Answer;

    fn typed(keys: &str) -> String {
        let mut writing = Writing::default();
        for key in keys.chars() {
            writing.take(if key == '<' { Stroke::Back } else { Stroke::Character(key) });
        }
        writing.text().to_string()
    }

    #[test]
    fn telex_is_written_as_people_type_it() {
        for (keys, text) in [
            ("tooi phari chowf laau", "tôi phải chờ lâu"),
            ("Ddaij dieejn", "Đại diện"),
            ("nguwowif", "người"),
            ("huwowngs daanx", "hướng dẫn"),
            ("thur tucj ruwowmf raf", "thủ tục rườm rà"),
            ("quaays 3, 8:30.", "quấy 3, 8:30."),
            ("khoong hieeur.", "không hiểu."),
            ("ass", "as"),
            ("giuwxa", "giữa"),
        ] {
            assert_eq!(typed(keys), text, "{keys}");
        }
    }

    #[test]
    fn a_key_for_each_accent_does_the_same() {
        // Tones are the five keys of Telex; other letters have keys of their own.
        for (keys, text) in [
            ("tôi phari chơf lâu", "tôi phải chờ lâu"),
            ("đaij diênj", "đại diện"),
            ("hươngs dânx", "hướng dẫn"),
            ("nươcs", "nước"),
            ("ăn uôngs", "ăn uống"),
        ] {
            assert_eq!(typed(keys), text, "{keys}");
        }
    }

    #[test]
    fn back_takes_what_is_seen_and_the_accent_stays_with_its_letter() {
        assert_eq!(typed("vieetj<"), "việ");
        assert_eq!(typed("vieetj<<"), "vi");
        assert_eq!(typed("vieetj<n"), "viện");
        assert_eq!(typed("ddi <<<<<"), "");
        assert_eq!(typed("dda <i"), "đai");
    }

    #[test]
    fn it_is_nfc_and_never_longer_than_what_is_sealed() {
        let mut writing = Writing::default();
        for _ in 0..200 {
            for key in "nguwowif ".chars() {
                writing.take(Stroke::Character(key));
            }
        }
        let text = writing.text();
        assert_eq!(text.chars().count(), MOST_CHARACTERS);
        assert!(unicode_normalization::is_nfc(&text));
        // The longest in bytes: three of each letter, or marks that JSON writes with two.
        for longest in ["ệ".repeat(MOST_CHARACTERS), "\"".repeat(MOST_CHARACTERS)] {
            assert!(Answer::Words(masked(&longest)).fits(), "{} bytes", longest.len());
        }
        assert!(Answer::Words(masked(&"1".repeat(MOST_CHARACTERS))).fits());
    }
}
