//! A USB scanner, which types what it reads like a keyboard, and Enter after it: told from a person at a keypad by
//! its pace. Pure. What it read is cleared from memory when it is dropped.

use zeroize::Zeroizing;

/// No person types so fast: the longest time between two characters of a scanner, in milliseconds.
pub const PACE_MS: u64 = 80;
/// Fewest characters that are a scan.
const LEAST: usize = 6;
/// Most characters of a scan that are kept: the longest slip is much shorter.
const MOST: usize = 2_048;

/// What a key is.
#[derive(Debug, PartialEq, Eq)]
pub enum Pressed {
    /// None of the scanner's.
    Other,
    /// A character, of a scan or typed by hand: the next moment tells.
    Held,
    /// The end of a scan.
    Scan(Zeroizing<String>),
}

/// What came at a scanner's pace so far, and has not shown yet whose it is. Nothing of a scan is ever given out as
/// typed, so that no page shows what a slip or a badge carries.
#[derive(Debug, Default)]
pub struct Scanner {
    read: Zeroizing<String>,
    last_ms: u64,
}

impl Scanner {
    /// Takes a key that went down at `now_ms` of a monotonic clock. [`Self::typed`] is asked before.
    pub fn take(&mut self, key: char, now_ms: u64) -> Pressed {
        let whole = self.read.chars().count() >= LEAST;
        if matches!(key, '\n' | '\r' | '\t') && whole {
            return Pressed::Scan(std::mem::take(&mut self.read));
        }
        // A blank alone presses a control; within a scan it is a character.
        if key.is_control() || is_special(key) || (key == ' ' && self.read.is_empty()) {
            return Pressed::Other;
        }
        if self.read.is_empty() {
            // Made whole at once, so that growing leaves no copies behind.
            self.read = Zeroizing::new(String::with_capacity(MOST));
        }
        if self.read.len() + key.len_utf8() <= MOST {
            self.read.push(key);
        }
        self.last_ms = now_ms;
        Pressed::Held
    }

    /// What a hand has typed, once the time for a scanner's next character is over; what a scanner typed without an
    /// end is dropped.
    pub fn typed(&mut self, now_ms: u64) -> Zeroizing<String> {
        if now_ms.saturating_sub(self.last_ms) <= PACE_MS {
            return Zeroizing::default();
        }
        self.let_go()
    }

    /// The same at once: another key tells that no scan goes on.
    pub fn let_go(&mut self) -> Zeroizing<String> {
        let read = std::mem::take(&mut self.read);
        if read.chars().count() < LEAST { read } else { Zeroizing::default() }
    }
}

/// Slint names keys without a character, such as arrows, in a private range.
fn is_special(key: char) -> bool {
    ('\u{e000}'..='\u{f8ff}').contains(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Types at a pace; gives what was taken for a hand's, and what the last key was.
    fn types(scanner: &mut Scanner, text: &str, from_ms: u64, each_ms: u64) -> (String, Pressed) {
        let (mut now, mut last, mut typed) = (from_ms, Pressed::Other, String::new());
        for key in text.chars() {
            now += each_ms;
            typed.push_str(&scanner.typed(now));
            last = scanner.take(key, now);
        }
        typed.push_str(&scanner.typed(now + PACE_MS + 1));
        (typed, last)
    }

    #[test]
    fn what_comes_at_a_scanners_pace_is_a_scan_and_never_typed() {
        for end in ["\n", "\t"] {
            let mut scanner = Scanner::default();
            let slip = "H15.50.05.13-261008-0975|Nguyễn Văn An";
            let (typed, last) = types(&mut scanner, &format!("{slip}{end}"), 1_000, 4);
            assert_eq!(last, Pressed::Scan(Zeroizing::new(slip.to_owned())));
            assert_eq!(typed, "");
            assert_eq!(*scanner.let_go(), "", "nothing is left of it");
        }
        // One that sends no end is dropped, too.
        let mut scanner = Scanner::default();
        let (typed, _) = types(&mut scanner, "033085001234", 1_000, 4);
        assert_eq!((typed.as_str(), &**scanner.let_go()), ("", ""));
    }

    #[test]
    fn a_hand_at_a_keypad_types_characters_and_its_enter_and_blank_press_controls() {
        let mut scanner = Scanner::default();
        let (typed, last) = types(&mut scanner, "26100809", 1_000, 150);
        assert_eq!((typed.as_str(), last), ("26100809", Pressed::Held));
        for key in ['\n', ' ', '\u{f700}', '\t'] {
            assert_eq!(scanner.take(key, 9_000), Pressed::Other, "{key:?}");
        }
        // However quick, a few are a hand's.
        scanner.take('1', 10_000);
        scanner.take('2', 10_020);
        assert_eq!(*scanner.typed(10_050), "");
        assert_eq!(scanner.take('\n', 10_060), Pressed::Other);
        assert_eq!(*scanner.let_go(), "12");
    }

    #[test]
    fn a_scan_begins_anew_after_a_pause_and_is_bounded() {
        let mut scanner = Scanner::default();
        types(&mut scanner, "lost", 1_000, 4);
        let (_, last) = types(&mut scanner, "HL:12345678\n", 5_000, 4);
        assert_eq!(last, Pressed::Scan(Zeroizing::new("HL:12345678".to_owned())));
        let (_, last) = types(&mut scanner, &("x".repeat(9_000) + "\n"), 9_000, 1);
        assert!(matches!(last, Pressed::Scan(read) if read.len() == MOST));
    }
}
