//! Names and numbers of the field, each a type of its own.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A name that does not have the shape of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not {expected}")]
pub struct BadName {
    found: String,
    expected: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        /// One to 32 of `a`–`z`, `0`–`9`, `-` and `_`.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The name as written in lines, tables and addresses.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = BadName;
            fn from_str(text: &str) -> Result<Self, BadName> {
                text.to_owned().try_into()
            }
        }

        impl TryFrom<String> for $type {
            type Error = BadName;
            fn try_from(text: String) -> Result<Self, BadName> {
                if is_name(&text) {
                    Ok(Self(text))
                } else {
                    Err(BadName {
                        found: text,
                        expected: "1 to 32 of a-z, 0-9, - and _",
                    })
                }
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

fn is_name(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

name!(
    /// A kiosk, or the central service's own series under the name `central`.
    KioskId
);
name!(
    /// A counter (*quầy*) of an office.
    CounterId
);
name!(
    /// An official (*cán bộ*), by the code used in the roster.
    OfficialId
);
name!(
    /// An office (*Bộ phận Một cửa*).
    OfficeCode
);
name!(
    /// An account at the central service, as its holder types it to sign in.
    Login
);

impl KioskId {
    /// The name of the central service's own series.
    pub fn central() -> Self {
        Self("central".into())
    }

    /// Whether this is the central service's own series.
    pub fn is_central(&self) -> bool {
        self.0 == "central"
    }
}

/// A form and its version, written `nam-muc@2`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FormRef(String);

impl FormRef {
    /// Names version `version` of the form `code`.
    pub fn new(code: &str, version: u32) -> Result<Self, BadName> {
        format!("{code}@{version}").try_into()
    }

    /// The name as written in lines.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for FormRef {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        match text.split_once('@') {
            Some((code, version))
                if is_name(code)
                    && version.len() <= 6
                    && !version.starts_with('0')
                    && version.parse::<u32>().is_ok_and(|v| v > 0) =>
            {
                Ok(Self(text))
            }
            _ => Err(BadName { found: text, expected: "a form and version such as nam-muc@1" }),
        }
    }
}

impl From<FormRef> for String {
    fn from(form: FormRef) -> String {
        form.0
    }
}

impl fmt::Display for FormRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// 64 random bits drawn at every start of a journal, written as 16 lower hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Epoch(pub u64);

impl Epoch {
    /// The first two bytes, which a ticket carries.
    pub fn prefix(self) -> u16 {
        (self.0 >> 48) as u16
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Epoch {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        let hex = text.len() == 16
            && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        match u64::from_str_radix(text, 16) {
            Ok(bits) if hex => Ok(Self(bits)),
            _ => Err(BadName { found: text.into(), expected: "an epoch of 16 lower hex digits" }),
        }
    }
}

impl TryFrom<String> for Epoch {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}

impl From<Epoch> for String {
    fn from(epoch: Epoch) -> String {
        epoch.to_string()
    }
}

/// A SHA-256, written as 64 lower hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// What stands before the first line of a journal: 64 zeros.
    pub const NONE: Hash = Hash([0; 32]);

    /// The SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The SHA-256 of lines of text, with a newline after each.
    pub fn of_lines(lines: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut hash = Sha256::new();
        for line in lines {
            hash.update(line.as_ref());
            hash.update(b"\n");
        }
        Self(hash.finalize().into())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl FromStr for Hash {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        data_encoding::HEXLOWER
            .decode(text.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| BadName {
                found: text.chars().take(80).collect(),
                expected: "64 lower hex digits",
            })
    }
}

impl TryFrom<String> for Hash {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> String {
        hash.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_refuse_what_would_break_an_address_or_a_path() {
        for bad in ["", "Q3", "a b", "../x", "quầy", &"x".repeat(33)] {
            assert!(bad.parse::<CounterId>().is_err(), "{bad:?}");
        }
        assert_eq!("q3".parse::<CounterId>().unwrap().as_str(), "q3");
    }

    #[test]
    fn an_epoch_is_sixteen_lower_hex_digits_both_ways() {
        let epoch: Epoch = "9f3c0a5be1d27744".parse().unwrap();
        assert_eq!(epoch.to_string(), "9f3c0a5be1d27744");
        assert_eq!(epoch.prefix(), 0x9f3c);
        for bad in ["9F3C0A5BE1D27744", "+f3c0a5be1d27744", "9f3c"] {
            assert!(bad.parse::<Epoch>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_form_reference_names_one_version_in_one_way() {
        assert!(FormRef::try_from("nam-muc@2".to_owned()).is_ok());
        for bad in ["nam-muc", "nam-muc@0", "nam-muc@02", "nam-muc@", "@1", "a@b@1"] {
            assert!(FormRef::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
