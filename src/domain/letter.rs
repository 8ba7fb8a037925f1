//! A batch or a receipt as a file, for carrying it by hand: the header lines that it has over HTTP,
//! an empty line, and the same bytes.

use super::batch::{MAX_PACKED, Packed};

/// How the name of a batch's file ends.
pub const BATCH: &str = "batch";
/// How the name of a receipt's file ends; all before that is its batch's.
pub const RECEIPT: &str = "receipt";
/// No file of a batch or a receipt has more bytes.
pub const MAX: usize = MAX_PACKED + 4_096;

const SIGNATURE: &str = "Hailong-Signature";
const KEY: &str = "Hailong-Key";

/// A file cannot be read as what its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadLetter(&'static str);

/// A signed batch or receipt on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// `Hailong-Signature`.
    pub signature: String,
    /// `Hailong-Key`: names the key of a receipt; empty for a batch.
    pub key: String,
    /// The body, as over HTTP.
    pub body: Vec<u8>,
}

impl Letter {
    /// A batch.
    pub fn of(batch: Packed) -> Self {
        Self { signature: batch.signature, key: String::new(), body: batch.request }
    }

    /// The bytes of its file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{SIGNATURE}: {}\n", self.signature).into_bytes();
        if !self.key.is_empty() {
            bytes.extend(format!("{KEY}: {}\n", self.key).into_bytes());
        }
        bytes.push(b'\n');
        bytes.extend(&self.body);
        bytes
    }

    /// Reads a file, before any trust in it. Header lines that are unknown are passed over.
    pub fn read(bytes: &[u8]) -> Result<Self, BadLetter> {
        if bytes.len() > MAX {
            return Err(BadLetter("the file is larger than any batch"));
        }
        let end = bytes.windows(2).position(|two| two == b"\n\n");
        let end = end.ok_or(BadLetter("no empty line ends the file's header"))?;
        let head = std::str::from_utf8(&bytes[..end]);
        let head = head.map_err(|_| BadLetter("the file's header is no text"))?;
        let value = |name: &str| {
            let mut fields = head.lines().filter_map(|line| line.split_once(':'));
            let found = fields.find(|(field, _)| field.eq_ignore_ascii_case(name));
            found.map_or("", |(_, value)| value.trim()).to_owned()
        };
        Ok(Self { signature: value(SIGNATURE), key: value(KEY), body: bytes[end + 2..].to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_read_as_it_was_written_whatever_its_body_holds() {
        for key in ["", "0011223344556677"] {
            let body = b"{}\n\n\xff\x00Hailong-Key: 1\n\n".to_vec();
            let letter = Letter { signature: "c2ln".into(), key: key.into(), body };
            assert_eq!(Letter::read(&letter.to_bytes()), Ok(letter));
        }
        assert!(Letter::read(b"Hailong-Signature: c2ln\n").is_err());
        assert!(Letter::read(b"\xff\n\n").is_err());
        assert!(Letter::read(&vec![b'\n'; MAX + 1]).is_err());
    }
}
