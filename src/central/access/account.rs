//! Accounts, and what proves that somebody is the holder of one: a password, a second factor, a session, a
//! token, a link to set a password. Secrets are kept as hashes, or sealed.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::domain::access::{Right, Standing, View};
use crate::domain::ids::{Hash, Login};
use crate::domain::slow_hash::{Hidden, slow_hash};
use crate::domain::system_random;
use crate::domain::time::At;

/// Fewest letters of a password.
pub const LEAST_LETTERS: usize = 10;
/// Most of them: more are not worth hashing.
pub const MOST_LETTERS: usize = 128;
/// Longest name of a person, and of a token.
pub const LONGEST_NAME: usize = 100;

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// What its holder types to sign in.
    pub login: Login,
    /// Its holder's name, as others read it.
    pub name: String,
    /// What they are, and for whom.
    #[serde(flatten)]
    pub standing: Standing,
    /// Their password, once they set one.
    #[serde(default)]
    pub password: Option<Password>,
    /// Their second factor, if they set one.
    #[serde(default)]
    pub factor: Option<Factor>,
    /// Whether nobody signs in under it any more.
    #[serde(default)]
    pub closed: bool,
    /// Since when it is here.
    pub added: At,
}

/// A password, as its hash under a salt of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Password {
    salt: Hidden<16>,
    hash: Hidden<32>,
}

impl Password {
    /// Nobody's: it is compared with where there is none, so that time tells nothing.
    pub const NOBODYS: Self = Self { salt: Hidden::NONE, hash: Hidden::NONE };

    /// Takes long.
    ///
    /// # Errors
    /// When the hash cannot be computed.
    pub fn new(text: &str) -> Result<Self, argon2::Error> {
        let salt = Hidden::draw(&mut system_random());
        Ok(Self { salt, hash: slow_hash(&salt, text.as_bytes())? })
    }

    /// Whether it is this one. Takes long.
    pub fn is(&self, text: &str) -> bool {
        let hash = slow_hash(&self.salt, text.as_bytes());
        hash.is_ok_and(|hash| self.hash != Hidden::NONE && hash.is(&self.hash))
    }
}

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weak {
    /// Too few letters, or too many.
    Length,
    /// It is, or has in it, what everybody tries first.
    Common,
}

/// What is tried first: parts of passwords that lists of stolen ones have in front, and the words of this
/// place. What remains of a password without them has to be long enough.
const COMMON: [&str; 20] = [
    "password",
    "matkhau",
    "mat khau",
    "123456789",
    "12345678",
    "1234567",
    "123456",
    "qwerty",
    "abc123",
    "111111",
    "000000",
    "admin",
    "vietnam",
    "hailong",
    "hai long",
    "motcua",
    "mot cua",
    "iloveyou",
    "anhyeuem",
    "@123",
];

/// Whether a password may be an account's.
pub fn check_password(text: &str, login: &Login) -> Result<(), Weak> {
    let letters = text.chars().count();
    if !(LEAST_LETTERS..=MOST_LETTERS).contains(&letters) {
        return Err(Weak::Length);
    }
    let mut rest = text.to_lowercase().replace(login.as_str(), "");
    for word in COMMON {
        rest = rest.replace(word, "");
    }
    let mut different: Vec<char> = rest.chars().collect();
    different.sort_unstable();
    different.dedup();
    if rest.chars().count() < 5 || different.len() < 4 { Err(Weak::Common) } else { Ok(()) }
}

/// A second factor: what an app on the holder's phone shows (RFC 6238).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factor {
    /// Its secret, sealed under a key that is not in the database.
    pub sealed: String,
    /// The step of the last code that was taken: none is taken twice.
    pub last_step: u64,
    /// Codes for when the phone is lost, each once.
    pub recovery: Vec<Hash>,
}

/// Somebody who signed in, by the hash of the secret in their browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// SHA-256 of the secret.
    pub secret: Hash,
    /// Whose.
    pub login: Login,
    /// Since when.
    pub begun: At,
    /// When it was used last, to the minute.
    pub used: At,
}

/// A token for programs, by the hash of its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// SHA-256 of the secret.
    pub secret: Hash,
    /// Whose.
    pub login: Login,
    /// What it is called.
    pub name: String,
    /// What may be done with it, if its holder may.
    pub rights: Vec<Right>,
    /// When it was made.
    pub made: At,
    /// The last day on which it is valid.
    pub until: Date,
}

/// A link under which the holder of an account sets a password, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// SHA-256 of its secret.
    pub secret: Hash,
    /// Whose; none yet of the first administrator's.
    pub login: Option<Login>,
    /// Until when.
    pub until: At,
}

/// A look at officials' figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// When.
    pub at: At,
    /// Who: the login.
    pub person: String,
    /// The first day of what was looked at.
    pub from: Date,
    /// The last one.
    pub to: Date,
    /// How.
    pub view: View,
}

/// A secret of 256 random bits, as it stands in addresses and cookies, and its hash.
pub fn draw_secret() -> (Zeroizing<String>, Hash) {
    let mut bytes = Zeroizing::new([0; 32]);
    rand::Rng::fill_bytes(&mut system_random(), &mut *bytes);
    let secret = Zeroizing::new(data_encoding::BASE64URL_NOPAD.encode(&*bytes));
    let hash = Hash::of(secret.as_bytes());
    (secret, hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_that_are_tried_first_are_refused_and_sentences_are_not() {
        let login: Login = "lan-nguyen".parse().unwrap();
        for (text, why) in [
            ("ngắn quá", Weak::Length),
            ("123456789", Weak::Length),
            ("1234567890", Weak::Common),
            ("Password123456", Weak::Common),
            ("matkhau123456", Weak::Common),
            ("lan-nguyen1234567", Weak::Common),
            ("aaaaaaaaaaaaaaaa", Weak::Common),
            ("HaiLong@123456", Weak::Common),
        ] {
            assert_eq!(check_password(text, &login), Err(why), "{text}");
        }
        assert_eq!(check_password(&"ắ".repeat(129), &login), Err(Weak::Length));
        for text in
            ["con mèo trèo cây cau", "hoa sen nở tháng sáu", "T7k!pq92Lm", "mưa rào lúc 5 giờ"]
        {
            assert_eq!(check_password(text, &login), Ok(()), "{text}");
        }
    }

    #[test]
    fn a_password_is_itself_and_no_other_and_is_nowhere_to_be_read() {
        let one = Password::new("con mèo trèo cây cau").unwrap();
        assert!(one.is("con mèo trèo cây cau") && !one.is("con mèo trèo cây cai"));
        assert_ne!(one, Password::new("con mèo trèo cây cau").unwrap(), "a salt of its own");
        let text = serde_json::to_string(&one).unwrap();
        assert!(serde_json::from_str::<Password>(&text).unwrap().is("con mèo trèo cây cau"));
        assert!(!text.contains("mèo") && !format!("{one:?}").contains(&text[10..20]));
        assert!(!Password::NOBODYS.is("") && !Password::NOBODYS.is("0"));
    }
}
