//! The second factor: codes that an app on the holder's phone shows, a new one every 30 seconds (RFC 6238
//! with SHA-1 and six digits, which is what such apps know), and codes on paper for when it is lost.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use rand::Rng;
use totp_rs::{Builder, Secret, Totp};
use zeroize::Zeroizing;

use crate::central::qr_svg::{Drawn, draw};
use crate::domain::ids::{Hash, Login};
use crate::domain::system_random;

/// Codes on paper.
pub const RECOVERY_CODES: usize = 8;
/// Bytes of the nonce in front of what is sealed.
const NONCE: usize = 24;
/// The name under which an app lists the codes.
const ISSUER: &str = "HaiLong";

/// A secret that an app and this service share.
pub struct Shared {
    login: Login,
    totp: Totp,
}

impl Shared {
    /// A new one for an account.
    pub fn draw(login: &Login) -> Option<Self> {
        let mut bytes = [0; 20];
        system_random().fill_bytes(&mut bytes);
        Self::of(login, bytes)
    }

    fn of(login: &Login, secret: [u8; 20]) -> Option<Self> {
        let builder = Builder::new().with_secret(Secret::new(Box::new(secret)));
        Some(Self { login: login.clone(), totp: builder.build().ok()? })
    }

    /// As it is kept: sealed for the account, in hexadecimal.
    pub fn sealed(&self, key: &[u8; 32]) -> Option<String> {
        let mut nonce = [0; NONCE];
        system_random().fill_bytes(&mut nonce);
        let mut sealed = self.totp.secret().as_bytes().to_vec();
        let cipher = XChaCha20Poly1305::new(key.into());
        cipher.encrypt_in_place(&nonce.into(), self.login.as_str().as_bytes(), &mut sealed).ok()?;
        Some(data_encoding::HEXLOWER.encode(&[&nonce[..], &sealed].concat()))
    }

    /// One that was sealed for the account.
    pub fn open(key: &[u8; 32], login: &Login, sealed: &str) -> Option<Self> {
        let bytes = data_encoding::HEXLOWER.decode(sealed.as_bytes()).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>()?;
        let mut opened = Zeroizing::new(sealed.to_vec());
        let cipher = XChaCha20Poly1305::new(key.into());
        cipher.decrypt_in_place(nonce.into(), login.as_str().as_bytes(), &mut *opened).ok()?;
        Self::of(login, opened.as_slice().try_into().ok()?)
    }

    /// The step of a code that is right at a second since 1970, or at one step around it.
    pub fn step_of(&self, code: &str, second: i64) -> Option<u64> {
        self.totp.check(&typed(code), u64::try_from(second).ok()?)
    }

    fn secret(&self) -> String {
        data_encoding::BASE32_NOPAD.encode(self.totp.secret().as_bytes())
    }

    /// What an app types in by hand, in groups of four.
    pub fn by_hand(&self) -> String {
        self.secret()
            .as_bytes()
            .chunks(4)
            .map(|group| String::from_utf8_lossy(group).into_owned())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// What an app scans.
    pub fn qr(&self) -> Option<Drawn> {
        // A login has no letter that an address would have to spell otherwise.
        let (login, secret) = (&self.login, Zeroizing::new(self.secret()));
        let address = format!("otpauth://totp/{ISSUER}:{login}?secret={}&issuer={ISSUER}", *secret);
        draw(Zeroizing::new(address).as_bytes())
    }
}

/// A code as somebody typed it: apps show it with a space.
fn typed(code: &str) -> String {
    code.chars().filter(|letter| letter.is_ascii_alphanumeric()).collect::<String>().to_uppercase()
}

/// New codes for paper, as they are written down, and their hashes.
pub fn draw_recovery() -> (Vec<String>, Vec<Hash>) {
    let draw = |_| {
        let mut bytes = [0; 10];
        system_random().fill_bytes(&mut bytes);
        let text = data_encoding::BASE32_NOPAD.encode(&bytes);
        format!("{}-{}-{}-{}", &text[..4], &text[4..8], &text[8..12], &text[12..])
    };
    let codes: Vec<String> = (0..RECOVERY_CODES).map(draw).collect();
    let hashes = codes.iter().map(|code| hash_of_recovery(code)).collect();
    (codes, hashes)
}

/// The hash of a code for paper, however it was typed. It has 80 random bits: a quick hash is enough.
pub fn hash_of_recovery(code: &str) -> Hash {
    Hash::of(typed(code).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, in the six digits that apps show of its eight.
    #[test]
    fn codes_are_those_of_the_standard_and_only_around_their_time() {
        let login: Login = "lan".parse().unwrap();
        let shared = Shared::of(&login, *b"12345678901234567890").unwrap();
        assert_eq!(shared.step_of("287082", 59), Some(1));
        assert_eq!(shared.step_of(" 081 804 ", 1_111_111_109), Some(37_037_036));
        assert_eq!(shared.step_of("287082", 89), Some(1), "a slow hand");
        assert_eq!(shared.step_of("287082", 120), None);
        assert_eq!(shared.step_of("287083", 59), None);
        assert_eq!(shared.step_of("", 59), None);
        assert_eq!(shared.by_hand(), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
        assert_eq!(shared.step_of("287082", -1), None);
    }

    #[test]
    fn a_secret_opens_for_its_own_account_and_key_alone() {
        let (login, other): (Login, Login) = ("lan".parse().unwrap(), "mai".parse().unwrap());
        let shared = Shared::draw(&login).unwrap();
        let sealed = shared.sealed(&[7; 32]).unwrap();
        let opened = Shared::open(&[7; 32], &login, &sealed).unwrap();
        assert_eq!(opened.by_hand(), shared.by_hand());
        assert!(Shared::open(&[8; 32], &login, &sealed).is_none());
        assert!(Shared::open(&[7; 32], &other, &sealed).is_none());
        assert!(Shared::open(&[7; 32], &login, &sealed[2..]).is_none());
        assert!(Shared::open(&[7; 32], &login, "").is_none());
        assert_ne!(Shared::draw(&login).unwrap().by_hand(), shared.by_hand());
    }

    #[test]
    fn codes_for_paper_are_known_however_they_are_typed() {
        let (codes, hashes) = draw_recovery();
        assert_eq!((codes.len(), hashes.len()), (RECOVERY_CODES, RECOVERY_CODES));
        let again = codes[0].to_lowercase().replace('-', " ");
        assert_eq!(hash_of_recovery(&again), hashes[0]);
        assert_ne!(hashes[0], hashes[1]);
    }
}
