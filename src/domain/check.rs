//! The check code: by it a citizen asks later whether what they answered has arrived.
//!
//! It is the kiosk's number and the first 60 bits of the hash of the line that closed the contact,
//! in Crockford's alphabet: `3-9KQ2-A0VX-7M4D`. The hash covers a salted answer, so the code tells
//! nothing of it, and nobody finds a code that is in use by trying.

use std::fmt;
use std::str::FromStr;

use super::ids::Hash;

/// Ten digits and 22 letters, none of which is mistaken for another (no I, L, O, U).
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Letters of the hash's part.
const LETTERS: usize = 12;

/// A check code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckCode {
    /// The kiosk's number; 0 for what was answered on a phone.
    pub kiosk: u32,
    /// The first 60 bits of the line's hash.
    pub bits: u64,
}

/// Not the shape of a check code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a check code such as 3-9KQ2-A0VX-7M4D")]
pub struct NoCheckCode;

impl CheckCode {
    /// The code of a kiosk's line.
    pub fn of(kiosk: u32, line: Hash) -> Self {
        Self { kiosk, bits: bits(line) }
    }
}

/// The first 60 bits of a hash.
pub fn bits(line: Hash) -> u64 {
    line.0.iter().take(8).fold(0, |bits, byte| bits << 8 | u64::from(*byte)) >> 4
}

impl fmt::Display for CheckCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kiosk)?;
        for letter in 0..LETTERS {
            if letter % 4 == 0 {
                f.write_str("-")?;
            }
            let value = self.bits >> (5 * (LETTERS - 1 - letter)) & 31;
            write!(f, "{}", char::from(ALPHABET[value as usize]))?;
        }
        Ok(())
    }
}

impl FromStr for CheckCode {
    type Err = NoCheckCode;

    /// As people type it: in small letters, with other signs between or none, O for 0, I or L for 1.
    fn from_str(text: &str) -> Result<Self, NoCheckCode> {
        let mut typed: Vec<u8> = Vec::new();
        for letter in text.chars().filter(|letter| letter.is_alphanumeric()) {
            typed.push(match letter.to_ascii_uppercase() {
                'O' => b'0',
                'I' | 'L' => b'1',
                other => u8::try_from(other).map_err(|_| NoCheckCode)?,
            });
        }
        let number = typed.len().checked_sub(LETTERS).ok_or(NoCheckCode)?;
        let (number, letters) = typed.split_at(number);
        let number = str::from_utf8(number).map_err(|_| NoCheckCode)?;
        let kiosk = number.parse().map_err(|_| NoCheckCode)?;
        let bits = letters.iter().try_fold(0, |bits, letter| {
            let value = ALPHABET.iter().position(|known| known == letter)?;
            Some(bits << 5 | value as u64)
        });
        Ok(Self { kiosk, bits: bits.ok_or(NoCheckCode)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let line = Hash([
            0x4a, 0xb0, 0x01, 0xf7, 0xc8, 0xd9, 0xee, 0x1f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ]);
        let code = CheckCode::of(17, line);
        assert_eq!(code.bits, 0x04ab_001f_7c8d_9ee1);
        assert_eq!(code.to_string(), "17-9AR0-3XY8-V7Q1");
        for typed in
            ["17-9AR0-3XY8-V7Q1", " 17 9ar0 3xy8 v7qi", "179ARO3XY8V7QL", "17–9ar0·3xy8.v7q1"]
        {
            assert_eq!(typed.parse(), Ok(code), "{typed}");
        }
        for other in [
            "",
            "17",
            "-9AR0-3XY8-V7Q1",
            "17-9AR0-3XY8-V7U1",
            "x-9AR0-3XY8-V7Q1",
            "17-9AR0-3XY8-V7Q",
            "99999999999-9AR0-3XY8-V7Q1",
            "17-9ÁR0-3XY8-V7Q1",
        ] {
            let other: Result<CheckCode, _> = other.parse();
            assert_ne!(other, Ok(code));
        }
        assert_eq!("17-9AR0-3XY8-V7U1".parse::<CheckCode>(), Err(NoCheckCode));
        assert_eq!("17–9ÁR0-3XY8-V7Q1".parse::<CheckCode>(), Err(NoCheckCode));
    }
}
