//! Hashes that are slow on purpose, of what people type: codes and passwords.

use std::fmt;
use std::str::FromStr;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Argon2id with 19 MiB, three passes and one lane: RFC 9106 with the least memory that OWASP's sheet on
/// password storage asks for, and one pass more. 40 ms on the processor that this was measured on, two to
/// three times as long on a slow kiosk's, and little memory beside what the screens need. Other ones are
/// another kind of hash, and need another key in what the kiosk is told.
const PARAMS: Params = match Params::new(19 * 1024, 3, 1, Some(32)) {
    Ok(params) => params,
    Err(_) => panic!("these parameters are allowed"), // ok: at compile time
};

/// Bytes in hexadecimal that are shown to nobody by mistake.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hidden<const N: usize>([u8; N]);

impl<const N: usize> Hidden<N> {
    /// Zeros, which stand for nothing.
    pub const NONE: Self = Self([0; N]);

    /// Of these bytes.
    pub fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// Drawn at random.
    pub fn draw<R: CryptoRng + ?Sized>(random: &mut R) -> Self {
        let mut bytes = [0; N];
        random.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// Whether they are the same as others; time does not tell how many of them are.
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl<const N: usize> fmt::Debug for Hidden<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// What is not so many bytes in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {0} lower hex digits")]
pub struct NotHex(usize);

impl<const N: usize> FromStr for Hidden<N> {
    type Err = NotHex;
    fn from_str(text: &str) -> Result<Self, NotHex> {
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).ok();
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(NotHex(2 * N))
    }
}

impl<const N: usize> TryFrom<String> for Hidden<N> {
    type Error = NotHex;
    fn try_from(text: String) -> Result<Self, NotHex> {
        text.parse()
    }
}

impl<const N: usize> From<Hidden<N>> for String {
    fn from(Hidden(bytes): Hidden<N>) -> String {
        data_encoding::HEXLOWER.encode(&bytes)
    }
}

/// The hash of what somebody typed. Takes long: not for a thread that others wait for.
///
/// # Errors
/// When it cannot be computed.
pub fn slow_hash(salt: &Hidden<16>, typed: &[u8]) -> Result<Hidden<32>, argon2::Error> {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, PARAMS);
    let mut memory = Zeroizing::new(vec![Block::default(); PARAMS.block_count()]);
    let mut hash = Hidden::NONE;
    argon2.hash_password_into_with_memory(typed, &salt.0, &mut hash.0, &mut **memory)?;
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What another build computes has to be the same; this one is also what OpenSSL computes.
    #[test]
    fn a_hash_is_what_it_always_was() {
        let hash = slow_hash(&Hidden(*b"muoi cua van pho"), b"12345678").unwrap();
        let known = "a1e43dcd34f5ffc4cbca8a93afc487b3bce5f40cc0b8d45dbe208fa7ef8922b7";
        assert_eq!(String::from(hash), known);
    }
}
