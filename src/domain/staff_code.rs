//! Codes of staff: by theirs an official says at the kiosk who stands at the counter, and a technician
//! opens the page for maintenance.
//!
//! A code is eight digits, drawn at random and told once. A badge is a QR code of `HL:` and the code, for
//! a scanner that types. What is kept and travels are hashes:
//!
//! - Whoever has hash and salt can try out all of 10⁸ codes. That takes one processor some hundred days,
//!   since a hash is slow on purpose, and many processors so much less. So hashes go to the kiosks of
//!   their office and nowhere else: no directory, archive, page or log has them.
//! - An office has one salt: whoever types a code, one slow computation is compared with all hashes.
//! - All are compared, and each whole, so that time does not tell how much of a code was right.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use rand::{CryptoRng, RngExt};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::ids::{BadName, OfficialId};
use super::slow_hash::{Hidden, slow_hash};

/// Digits of a code.
pub const DIGITS: usize = 8;
/// Stands before the code on a badge.
pub const BADGE: &str = "HL:";

/// What an office's codes are hashed with, drawn once.
pub type Salt = Hidden<16>;
/// The hash of a code.
pub type CodeHash = Hidden<32>;

/// Whom a code belongs to, written as the official's code in the roster, or `technician`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Staff {
    /// An official of the office.
    Official(OfficialId),
    /// Whoever looks after its kiosks. An official who has this name in the roster can have no code.
    Technician,
}

const TECHNICIAN: &str = "technician";

impl FromStr for Staff {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        if text == TECHNICIAN { Ok(Self::Technician) } else { text.parse().map(Self::Official) }
    }
}

impl TryFrom<String> for Staff {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}

impl From<Staff> for String {
    fn from(staff: Staff) -> String {
        staff.to_string()
    }
}

impl fmt::Display for Staff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Official(id) => id.fmt(f),
            Self::Technician => f.write_str(TECHNICIAN),
        }
    }
}

/// The codes of one office's staff, by their hashes; none by default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffCodes {
    salt: Salt,
    hashes: BTreeMap<Staff, CodeHash>,
}

impl Default for StaffCodes {
    fn default() -> Self {
        Self { salt: Hidden::NONE, hashes: BTreeMap::new() }
    }
}

impl StaffCodes {
    /// Codes that were kept.
    pub fn new(salt: Salt, hashes: BTreeMap<Staff, CodeHash>) -> Self {
        Self { salt, hashes }
    }

    /// Whether nobody has a code.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether a technician has one.
    pub fn has_technician(&self) -> bool {
        self.hashes.contains_key(&Staff::Technician)
    }

    /// Each with salt and hash, to be kept.
    pub fn rows(&self) -> impl Iterator<Item = (&Staff, Salt, CodeHash)> {
        self.hashes.iter().map(|(who, hash)| (who, self.salt, *hash))
    }

    /// Whose code this is, as typed or as a badge has it. Slow on purpose: not for the thread that
    /// draws the screen.
    pub fn who(&self, code: &str) -> Option<Staff> {
        if self.is_empty() {
            return None;
        }
        let hash = slow_hash(&self.salt, &*digits(code)?).ok()?;
        let mut found = None;
        for (who, known) in &self.hashes {
            if known.is(&hash) {
                found = Some(who);
            }
        }
        found.cloned()
    }

    /// Draws a code for somebody, in the place of the one that they had. It is told here and never
    /// again.
    ///
    /// # Errors
    /// When the hash cannot be computed.
    pub fn give<R: CryptoRng + ?Sized>(
        &mut self,
        who: Staff,
        random: &mut R,
    ) -> Result<Zeroizing<String>, argon2::Error> {
        if self.is_empty() {
            self.salt = Hidden::draw(random);
        }
        loop {
            let code = Zeroizing::new(format!("{:08}", random.random_range(0..100_000_000_u32)));
            let hash = slow_hash(&self.salt, code.as_bytes())?;
            // One code is one person's; not even the one that they had comes again.
            if !self.hashes.values().any(|known| *known == hash) {
                self.hashes.insert(who, hash);
                return Ok(code);
            }
        }
    }
}

/// The digits of a code, or none.
fn digits(typed: &str) -> Option<Zeroizing<[u8; DIGITS]>> {
    let typed = typed.trim();
    let code = match typed.split_at_checked(BADGE.len()) {
        Some((before, code)) if before.eq_ignore_ascii_case(BADGE) => code,
        _ => typed,
    };
    let digits: [u8; DIGITS] = code.as_bytes().try_into().ok()?;
    digits.iter().all(u8::is_ascii_digit).then(|| Zeroizing::new(digits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    fn official(id: &str) -> Staff {
        Staff::Official(id.parse().unwrap())
    }

    #[test]
    fn a_code_tells_whose_it_is_as_typed_or_from_a_badge_and_no_other_does() {
        let mut random = StdRng::seed_from_u64(1);
        let mut codes = StaffCodes::default();
        assert!(codes.is_empty() && codes.who("00000000").is_none());
        let first = codes.give(official("cb07"), &mut random).unwrap();
        assert!(!codes.has_technician());
        let technician = codes.give(Staff::Technician, &mut random).unwrap();
        assert!(codes.has_technician() && first != technician);
        for typed in [(*first).clone(), format!(" HL:{}\r\n", *first), format!("hl:{}", *first)] {
            assert_eq!(codes.who(&typed), Some(official("cb07")), "{typed:?}");
        }
        assert_eq!(codes.who(&technician), Some(Staff::Technician));
        let off_by_one = format!("{:08}", (first.parse::<u32>().unwrap() + 1) % 100_000_000);
        assert_eq!(codes.who(&off_by_one), None);
        // None of these is worth a computation.
        let began = std::time::Instant::now();
        for _ in 0..100 {
            for typed in ["", "1234567", "123456789", "HL:", "1234567a", "１２３４５６７８", "ắ"]
            {
                assert_eq!(codes.who(typed), None, "{typed:?}");
            }
        }
        assert!(began.elapsed().as_millis() < 500);

        // Another code in the place of a lost one.
        let second = codes.give(official("cb07"), &mut random).unwrap();
        assert_eq!((codes.who(&first), codes.who(&second)), (None, Some(official("cb07"))));
        assert_eq!(codes.who(&technician), Some(Staff::Technician), "one salt for all");
    }

    #[test]
    fn codes_travel_as_hashes_that_no_message_shows() {
        let mut codes = StaffCodes::default();
        let code = codes.give(official("cb07"), &mut StdRng::seed_from_u64(2)).unwrap();
        let text = serde_json::to_string(&codes).unwrap();
        assert!(!text.contains(code.as_str()));
        let read: StaffCodes = serde_json::from_str(&text).unwrap();
        assert_eq!(read.who(&code), Some(official("cb07")));
        let (_, salt, hash) = codes.rows().next().unwrap();
        for hidden in [String::from(salt), String::from(hash)] {
            assert!(text.contains(&hidden) && !format!("{codes:?}").contains(&hidden));
        }
        assert!(!text.contains(&"0".repeat(32)), "the salt is drawn");
    }
}
