//! A USB scanner, which types what it reads like a keyboard, and Enter after it: told from a person at a keypad by
//! its pace. Pure. What it read is cleared from memory when it is dropped.

use zeroize::Zeroizing;

/// No person types so fast: the longest time between two characters of a scanner, in milliseconds.
const PACE_MS: u64 = 80;
/// Fewest characters that are a scan.
const LEAST: usize = 6;
/// Most characters of a scan that are kept: the longest slip is much shorter.
const MOST: usize = 2_048;

/// What a key is.
#[derive(Debug, PartialEq, Eq)]
pub enum Pressed {
    /// None of the scanner's.
    Other,
    /// A character: of a scan, or typed by hand.
    Character(char),
    /// The end of a scan.
    Scan(Zeroizing<String>),
}

/// What the scanner has typed so far.
#[derive(Debug, Default)]
pub struct Scanner {
    read: Zeroizing<String>,
    last_ms: u64,
}

impl Scanner {
    /// Takes a key that went down at `now_ms` of a monotonic clock.
    pub fn take(&mut self, key: char, now_ms: u64) -> Pressed {
        let at_pace = now_ms.saturating_sub(self.last_ms) <= PACE_MS;
        let going_on = at_pace && !self.read.is_empty();
        if key == '\n' || key == '\r' {
            let read = std::mem::take(&mut self.read);
            return if going_on && read.chars().count() >= LEAST {
                Pressed::Scan(read)
            } else {
                Pressed::Other
            };
        }
        // A blank alone presses a control; within a scan it is a character.
        if key.is_control() || is_special(key) || (key == ' ' && !going_on) {
            return Pressed::Other;
        }
        if !going_on {
            // Made whole at once, so that growing leaves no copies behind.
            self.read = Zeroizing::new(String::with_capacity(MOST));
        }
        if self.read.len() + key.len_utf8() <= MOST {
            self.read.push(key);
        }
        self.last_ms = now_ms;
        Pressed::Character(key)
    }
}

/// Slint names keys without a character, such as arrows, in a private range.
fn is_special(key: char) -> bool {
    ('\u{e000}'..='\u{f8ff}').contains(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(scanner: &mut Scanner, text: &str, from_ms: u64, each_ms: u64) -> (Pressed, u64) {
        let mut now = from_ms;
        let mut last = Pressed::Other;
        for key in text.chars() {
            now += each_ms;
            last = scanner.take(key, now);
        }
        (last, now)
    }

    #[test]
    fn what_comes_at_a_scanners_pace_and_ends_with_enter_is_a_scan() {
        let mut scanner = Scanner::default();
        let text = "H15.50.05.13-261008-0975|Nguyễn Văn An\n";
        let (last, now) = types(&mut scanner, text, 1_000, 4);
        assert_eq!(last, Pressed::Scan(Zeroizing::new(text.trim_end().to_owned())));
        assert_eq!(scanner.take('\n', now + 4), Pressed::Other, "nothing is left of it");
    }

    #[test]
    fn a_hand_at_a_keypad_types_characters_and_its_enter_and_blank_press_controls() {
        let mut scanner = Scanner::default();
        let (last, now) = types(&mut scanner, "26100809", 1_000, 150);
        assert_eq!(last, Pressed::Character('9'));
        assert_eq!(scanner.take('\n', now + 150), Pressed::Other);
        assert_eq!(scanner.take(' ', now + 300), Pressed::Other);
        assert_eq!(scanner.take('\u{f700}', now + 301), Pressed::Other, "an arrow");
        assert_eq!(scanner.take('\t', now + 302), Pressed::Other);
    }

    #[test]
    fn a_scan_begins_anew_after_a_pause_and_is_bounded() {
        let mut scanner = Scanner::default();
        types(&mut scanner, "lost", 1_000, 4);
        let (last, _) = types(&mut scanner, "HL:12345678\n", 5_000, 4);
        assert_eq!(last, Pressed::Scan(Zeroizing::new("HL:12345678".to_owned())));
        let (last, _) = types(&mut scanner, &("x".repeat(9_000) + "\n"), 9_000, 1);
        assert!(matches!(last, Pressed::Scan(read) if read.len() == MOST));
    }
}
