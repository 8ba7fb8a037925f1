//! Bodies: what was answered, hashed for the line and sealed for the central service alone.
//!
//! A body is 32 random bytes of salt and the answer's JSON, padded with zeros to one size a kind,
//! so that neither hash nor length tells the answer. It is sealed under a key that exists for one
//! line only: the [`Ratchet`] steps once for every line and overwrites what it was, so neither the
//! disk nor the running process can open an earlier body. Only the holder of the opening key can,
//! by walking the ratchet again from the epoch's start.

use std::hint::black_box;

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use hkdf::Hkdf;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use super::ids::{Epoch, Hash, KioskId};

type Aead = hpke::aead::ChaCha20Poly1305;
type Kdf = hpke::kdf::HkdfSha256;

const INFO: &[u8] = b"hailong journal 1";
const SALT: usize = 32;
const NONCE: usize = 24;
const TAG: usize = 16;

/// The ratchet is walked at most this far from the start of an epoch.
pub const MAX_STEPS: u64 = 1_000_000;

/// What kind of answer a body holds; it fixes the padded size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A level, padded to 64 bytes.
    Level = 1,
    /// Reasons, padded to 256 bytes.
    Reasons = 2,
    /// Words, padded to 2,048 bytes.
    Words = 3,
}

impl Kind {
    /// The kind with this number in a batch.
    pub fn from_number(number: u8) -> Option<Self> {
        [Kind::Level, Kind::Reasons, Kind::Words].into_iter().find(|kind| *kind as u8 == number)
    }

    /// Size of the padded answer in bytes.
    pub fn padded(self) -> usize {
        match self {
            Kind::Level => 64,
            Kind::Reasons => 256,
            Kind::Words => 2_048,
        }
    }

    /// Size of the sealed body in bytes: nonce, salt, padded answer, tag.
    pub fn sealed(self) -> usize {
        NONCE + SALT + self.padded() + TAG
    }
}

/// What a citizen answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The code of a level.
    Level(String),
    /// The codes of reasons, in the form's order.
    Reasons(Vec<String>),
    /// The citizen's own words.
    Words(String),
}

impl Answer {
    /// Whether it fits the body of its kind.
    pub fn fits(&self) -> bool {
        serde_json::to_vec(self).is_ok_and(|json| json.len() <= self.kind().padded())
    }

    /// The kind of body that carries this answer.
    pub fn kind(&self) -> Kind {
        match self {
            Answer::Level(_) => Kind::Level,
            Answer::Reasons(_) => Kind::Reasons,
            Answer::Words(_) => Kind::Words,
        }
    }
}

/// Why a body could not be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The answer is longer than its kind allows.
    #[error("the answer does not fit its body")]
    TooLong,
    /// The opening key is not a key.
    #[error("the opening key is not an X25519 key")]
    BadKey,
    /// Sealed under another key, for another place, or damaged.
    #[error("body_not_opened")]
    NotOpened,
    /// Opened, but its hash is not the one that the line carries.
    #[error("body_not_of_line")]
    NotOfLine,
    /// Opened, but not an answer of its kind.
    #[error("body_not_an_answer")]
    NotAnAnswer,
}

/// The secret half of the opening key, kept by the central service.
#[derive(Clone)]
pub struct OpeningKey(<X25519HkdfSha256 as Kem>::PrivateKey);

/// The public half of the opening key, given to every kiosk at enrolment.
#[derive(Clone)]
pub struct SealingKey(<X25519HkdfSha256 as Kem>::PublicKey);

impl OpeningKey {
    /// Reads the 32 secret bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        Deserializable::from_bytes(bytes).map(Self).map_err(|_| SealError::BadKey)
    }

    /// Draws a new key; also its 32 secret bytes, for keeping.
    pub fn generate(random: &mut impl CryptoRng) -> (Self, Zeroizing<Vec<u8>>) {
        let (secret, _) = X25519HkdfSha256::gen_keypair_with_rng(random);
        let bytes = Zeroizing::new(secret.to_bytes().to_vec());
        (Self(secret), bytes)
    }

    /// The public half.
    pub fn sealing_key(&self) -> SealingKey {
        SealingKey(X25519HkdfSha256::sk_to_pk(&self.0))
    }

    /// Opens what [`SealingKey::seal_small`] sealed.
    pub fn open_small(&self, info: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (enc, sealed) = sealed.split_at_checked(32).ok_or(SealError::NotOpened)?;
        let enc = Deserializable::from_bytes(enc).map_err(|_| SealError::NotOpened)?;
        hpke::setup_receiver::<Aead, Kdf, X25519HkdfSha256>(&OpModeR::Base, &self.0, &enc, info)
            .and_then(|mut context| context.open(sealed, b""))
            .map(Zeroizing::new)
            .map_err(|_| SealError::NotOpened)
    }
}

impl SealingKey {
    /// Reads the 32 public bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        Deserializable::from_bytes(bytes).map(Self).map_err(|_| SealError::BadKey)
    }

    /// The 32 public bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes().into()
    }

    /// Names the key in batch headers: the first 16 hex digits of its SHA-256.
    pub fn id(&self) -> String {
        key_id(&self.to_bytes())
    }

    /// Seals one small secret (a ticket key at enrolment) in one HPKE message.
    pub fn seal_small(
        &self,
        info: &[u8],
        secret: &[u8],
        random: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, SealError> {
        let (enc, mut context) = hpke::setup_sender_with_rng::<Aead, Kdf, X25519HkdfSha256>(
            &OpModeS::Base,
            &self.0,
            info,
            random,
        )
        .map_err(|_| SealError::BadKey)?;
        let mut sealed = enc.to_bytes().to_vec();
        sealed.extend(context.seal(secret, b"").map_err(|_| SealError::BadKey)?);
        Ok(sealed)
    }
}

/// Names a public key: the first 16 hex digits of its SHA-256.
pub fn key_id(public: &[u8]) -> String {
    Hash::of(public).to_string()[..16].to_owned()
}

/// The chain key at one position of an epoch. Stepping overwrites it.
pub struct Ratchet {
    key: Box<Zeroizing<[u8; 32]>>,
    spare: Box<Zeroizing<[u8; 32]>>,
    position: u64,
}

impl Ratchet {
    /// Starts an epoch: the ratchet at position 0 and the `enc` that opens it.
    pub fn begin(
        kiosk: &KioskId,
        epoch: Epoch,
        to: &SealingKey,
        random: &mut impl CryptoRng,
    ) -> Result<(Self, [u8; 32]), SealError> {
        let mut ratchet = Self::blank();
        let enc = {
            let (enc, context) = hpke::setup_sender_with_rng::<Aead, Kdf, X25519HkdfSha256>(
                &OpModeS::Base,
                &to.0,
                &info(kiosk, epoch),
                random,
            )
            .map_err(|_| SealError::BadKey)?;
            context.export(b"chain", &mut ratchet.key[..]).map_err(|_| SealError::BadKey)?;
            enc.to_bytes().into()
        };
        scrub_stack();
        Ok((ratchet, enc))
    }

    /// The ratchet of an epoch at position 0, for the holder of the opening key.
    pub fn reopen(
        kiosk: &KioskId,
        epoch: Epoch,
        enc: &[u8; 32],
        with: &OpeningKey,
    ) -> Result<Self, SealError> {
        let enc = Deserializable::from_bytes(enc).map_err(|_| SealError::NotOpened)?;
        let context = hpke::setup_receiver::<Aead, Kdf, X25519HkdfSha256>(
            &OpModeR::Base,
            &with.0,
            &enc,
            &info(kiosk, epoch),
        )
        .map_err(|_| SealError::NotOpened)?;
        let mut ratchet = Self::blank();
        context.export(b"chain", &mut ratchet.key[..]).map_err(|_| SealError::NotOpened)?;
        Ok(ratchet)
    }

    fn blank() -> Self {
        Self {
            key: Box::new(Zeroizing::new([0; 32])),
            spare: Box::new(Zeroizing::new([0; 32])),
            position: 0,
        }
    }

    /// How many lines of the epoch lie before this one.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The chain key, for test vectors and the proof that none is left in memory.
    #[doc(hidden)]
    pub fn chain_key(&self) -> &[u8; 32] {
        &self.key
    }

    /// Steps to the next line and overwrites the key of this one.
    pub fn step(&mut self) {
        expand(&self.key, b"next", &mut self.spare[..]);
        std::mem::swap(&mut self.key, &mut self.spare);
        self.spare.zeroize();
        self.position += 1;
    }

    /// A copy that the holder of the opening key walks on.
    pub fn fork(&self) -> Self {
        Self {
            key: self.key.clone(),
            spare: Box::new(Zeroizing::new([0; 32])),
            position: self.position,
        }
    }

    fn body_key(&self, kind: Kind) -> Box<Zeroizing<[u8; 32]>> {
        let mut key = Box::new(Zeroizing::new([0; 32]));
        expand(&self.key, &[kind as u8], &mut key[..]);
        key
    }

    /// Seals `answer` as the body of line `seq`: its hash for the line, and the sealed bytes.
    pub fn seal(
        &self,
        kiosk: &KioskId,
        epoch: Epoch,
        seq: u64,
        answer: &Answer,
        random: &mut dyn CryptoRng,
    ) -> Result<(Hash, Vec<u8>), SealError> {
        let kind = answer.kind();
        // One buffer from answer to cipher text: it is filled, hashed and encrypted in place, so
        // no copy of the answer is left behind.
        let mut buffer = Zeroizing::new(vec![0u8; kind.sealed()]);
        random.fill_bytes(&mut buffer[..NONCE + SALT]);
        let (nonce, rest) = buffer.split_at_mut(NONCE);
        let (plain, tag) = rest.split_at_mut(SALT + kind.padded());
        serde_json::to_writer(&mut plain[SALT..], answer).map_err(|_| SealError::TooLong)?;
        let hash = Hash::of(plain);
        let cipher = cipher(&self.body_key(kind));
        let nonce = (&*nonce).try_into().map_err(|_| SealError::TooLong)?;
        let sealed = cipher
            .encrypt_inout_detached(nonce, &place(kiosk, epoch, seq, kind), plain.into())
            .map_err(|_| SealError::TooLong)?;
        tag.copy_from_slice(&sealed);
        Ok((hash, std::mem::take(&mut *buffer)))
    }

    /// Opens the body of line `seq`, whose line carries `hash`.
    pub fn open(
        &self,
        kiosk: &KioskId,
        epoch: Epoch,
        seq: u64,
        kind: Kind,
        sealed: &[u8],
        hash: Hash,
    ) -> Result<Answer, SealError> {
        self.open_plain(kiosk, epoch, seq, kind, sealed, hash)?.answer(kind)
    }

    /// The same, as an auditor gets it: with the salt that the hash was made with.
    pub fn open_plain(
        &self,
        kiosk: &KioskId,
        epoch: Epoch,
        seq: u64,
        kind: Kind,
        sealed: &[u8],
        hash: Hash,
    ) -> Result<Plain, SealError> {
        if sealed.len() != kind.sealed() {
            return Err(SealError::NotOpened);
        }
        let mut buffer = Zeroizing::new(sealed[NONCE..sealed.len() - TAG].to_vec());
        let nonce = sealed[..NONCE].try_into().map_err(|_| SealError::NotOpened)?;
        let tag = sealed[sealed.len() - TAG..].try_into().map_err(|_| SealError::NotOpened)?;
        cipher(&self.body_key(kind))
            .decrypt_inout_detached(
                nonce,
                &place(kiosk, epoch, seq, kind),
                buffer.as_mut_slice().into(),
                tag,
            )
            .map_err(|_| SealError::NotOpened)?;
        Plain(buffer).of(hash)
    }
}

/// An opened body: salt and padded answer, which the line's hash covers.
pub struct Plain(Zeroizing<Vec<u8>>);

impl Plain {
    /// From a salt and the answer's text, if they are what a line carries the `hash` of.
    pub fn new(salt: &[u8], text: &[u8], kind: Kind, hash: Hash) -> Result<Self, SealError> {
        if salt.len() != SALT || text.len() > kind.padded() {
            return Err(SealError::NotOfLine);
        }
        let mut plain = Zeroizing::new(vec![0; SALT + kind.padded()]);
        plain[..SALT].copy_from_slice(salt);
        plain[SALT..SALT + text.len()].copy_from_slice(text);
        Self(plain).of(hash)
    }

    fn of(self, hash: Hash) -> Result<Self, SealError> {
        if Hash::of(&self.0) == hash { Ok(self) } else { Err(SealError::NotOfLine) }
    }

    /// The salt, 32 bytes.
    pub fn salt(&self) -> &[u8] {
        &self.0[..SALT]
    }

    /// The answer's text without its padding.
    pub fn text(&self) -> &[u8] {
        let padded = &self.0[SALT..];
        let end = padded.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
        &padded[..end]
    }

    /// The answer, if it is one of this kind.
    pub fn answer(&self, kind: Kind) -> Result<Answer, SealError> {
        let answer: Answer =
            serde_json::from_slice(self.text()).map_err(|_| SealError::NotAnAnswer)?;
        if answer.kind() == kind { Ok(answer) } else { Err(SealError::NotAnAnswer) }
    }
}

fn info(kiosk: &KioskId, epoch: Epoch) -> Vec<u8> {
    [INFO, kiosk.as_str().as_bytes(), epoch.to_string().as_bytes()].concat()
}

/// The place a body is sealed for: kiosk, epoch (16 hex digits), number (8 bytes), kind (1 byte).
fn place(kiosk: &KioskId, epoch: Epoch, seq: u64, kind: Kind) -> Vec<u8> {
    let mut place = Vec::with_capacity(64);
    place.extend(kiosk.as_str().as_bytes());
    place.extend(epoch.to_string().as_bytes());
    place.extend(seq.to_be_bytes());
    place.push(kind as u8);
    place
}

fn expand(key: &[u8; 32], info: &[u8], out: &mut [u8]) {
    // A 32-byte key and a 32-byte output are lengths that HKDF-SHA256 always takes.
    if let Ok(hkdf) = Hkdf::<Sha256>::from_prk(key) {
        let _ = hkdf.expand(info, out);
    }
}

fn cipher(key: &[u8; 32]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.into())
}

/// Overwrites the part of the stack that the calls before this one used: the libraries clear
/// their own state, but not every value that they passed by copy.
#[inline(never)]
pub fn scrub_stack() {
    let mut space = [0u8; 32 * 1024];
    black_box(&mut space).zeroize();
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    fn setting() -> (KioskId, Epoch, OpeningKey, StdRng) {
        let mut random = StdRng::seed_from_u64(7);
        let (opening, _) = OpeningKey::generate(&mut random);
        ("ps-q3".parse().unwrap(), Epoch(5), opening, random)
    }

    #[test]
    fn a_sealed_answer_is_opened_at_its_own_place_only() {
        let (kiosk, epoch, opening, mut random) = setting();
        let (mut ratchet, enc) =
            Ratchet::begin(&kiosk, epoch, &opening.sealing_key(), &mut random).unwrap();
        ratchet.step();
        let answer = Answer::Level("rat_hai_long".into());
        let (hash, sealed) = ratchet.seal(&kiosk, epoch, 9, &answer, &mut random).unwrap();
        assert_eq!(sealed.len(), 24 + 32 + 64 + 16);

        let mut reopened = Ratchet::reopen(&kiosk, epoch, &enc, &opening).unwrap();
        let open = |ratchet: &Ratchet, seq, kind, bytes: &[u8], hash| {
            ratchet.open(&kiosk, epoch, seq, kind, bytes, hash)
        };
        let not_opened = Err(SealError::NotOpened);
        assert_eq!(open(&reopened, 9, Kind::Level, &sealed, hash), not_opened, "one step early");
        reopened.step();
        assert_eq!(open(&reopened, 9, Kind::Level, &sealed, hash), Ok(answer));
        assert_eq!(open(&reopened, 8, Kind::Level, &sealed, hash), not_opened, "another line");
        assert_eq!(open(&reopened, 9, Kind::Reasons, &sealed, hash), not_opened, "another kind");
        let mut damaged = sealed.clone();
        damaged[60] ^= 1;
        assert_eq!(open(&reopened, 9, Kind::Level, &damaged, hash), not_opened, "damaged");
        let other = open(&reopened, 9, Kind::Level, &sealed, Hash::NONE);
        assert_eq!(other, Err(SealError::NotOfLine));
        reopened.step();
        assert_eq!(open(&reopened, 9, Kind::Level, &sealed, hash), not_opened, "one step late");
    }

    #[test]
    fn every_answer_of_a_kind_has_the_same_length() {
        let (kiosk, epoch, opening, mut random) = setting();
        let (ratchet, _) =
            Ratchet::begin(&kiosk, epoch, &opening.sealing_key(), &mut random).unwrap();
        let mut length =
            |answer| ratchet.seal(&kiosk, epoch, 1, &answer, &mut random).unwrap().1.len();
        assert_eq!(
            length(Answer::Level("hai_long".into())),
            length(Answer::Level("rat_khong_hai_long".into()))
        );
        assert_eq!(
            length(Answer::Reasons(vec![])),
            length(Answer::Reasons(vec!["cho_lau".into(), "tra_tre_hen".into()]))
        );
    }

    #[test]
    fn the_longest_words_fit_and_one_byte_more_is_refused() {
        let (kiosk, epoch, opening, mut random) = setting();
        let (ratchet, _) =
            Ratchet::begin(&kiosk, epoch, &opening.sealing_key(), &mut random).unwrap();
        let frame = r#"{"words":""}"#.len();
        let mut seal = |bytes: usize| {
            let words = Answer::Words("x".repeat(bytes));
            ratchet.seal(&kiosk, epoch, 1, &words, &mut random).map(|_| ())
        };
        assert_eq!(seal(2_048 - frame), Ok(()));
        assert_eq!(seal(2_048 - frame + 1), Err(SealError::TooLong));
    }
}
