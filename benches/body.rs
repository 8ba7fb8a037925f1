//! Opening one body, against nothing but the decryption and the hash that it cannot do without.

mod sides;

use std::hint::black_box;
use std::time::Instant;

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use hailong::domain::ids::{Epoch, Hash, KioskId};
use hailong::domain::seal::{Answer, Kind, OpeningKey, Ratchet};
use hailong::domain::system_random;
use hkdf::Hkdf;
use sha2::Sha256;
use sides::{Side, compare, rounds};

/// Bodies a round.
const BODIES: u32 = 2_000;

fn main() {
    let kiosk: KioskId = "ps-q3".parse().expect("a name");
    let epoch = Epoch(7);
    let mut random = system_random();
    let (opening, _) = OpeningKey::generate(&mut random);
    let (ratchet, _) =
        Ratchet::begin(&kiosk, epoch, &opening.sealing_key(), &mut random).expect("an epoch");
    for (what, answer) in [
        ("opening a level", Answer::Level("rat_hai_long".into())),
        ("opening reasons", Answer::Reasons(vec!["cho_lau".into(), "ruom_ra".into()])),
        ("opening words", Answer::Words("Hướng dẫn rõ ràng, cảm ơn. ".repeat(20))),
    ] {
        let kind = answer.kind();
        let (hash, sealed) =
            ratchet.seal(&kiosk, epoch, 1, &answer, &mut random).expect("it fits its body");
        let mut ours = Side::new("Ratchet::open and one step");
        let mut bare = Side::new("XChaCha20-Poly1305 and SHA-256 of the same bytes");
        let mut keyed = Side::new("the same and HKDF of its key and the next");
        let mut stepping = ratchet.fork();
        for _ in 0..rounds(60) {
            let start = Instant::now();
            for _ in 0..BODIES {
                let opened = ratchet.open(&kiosk, epoch, 1, kind, black_box(&sealed), hash);
                assert!(black_box(opened).is_ok());
                stepping.step();
            }
            ours.take(start.elapsed().as_secs_f64() * 1e6 / f64::from(BODIES));
            let start = Instant::now();
            for _ in 0..BODIES {
                bare_open(kind, black_box(&sealed));
            }
            bare.take(start.elapsed().as_secs_f64() * 1e6 / f64::from(BODIES));
            let start = Instant::now();
            for _ in 0..BODIES {
                bare_keys(kind);
                bare_open(kind, black_box(&sealed));
            }
            keyed.take(start.elapsed().as_secs_f64() * 1e6 / f64::from(BODIES));
        }
        compare(what, "µs a body", &ours, &bare, None);
        compare(what, "µs a body", &ours, &keyed, None);
    }
}

/// The key of a body and the chain key of the next line.
fn bare_keys(kind: Kind) {
    let hkdf = Hkdf::<Sha256>::from_prk(&black_box([5; 32])).expect("32 bytes");
    let mut keys = [[0; 32]; 2];
    hkdf.expand(&[kind as u8], &mut keys[0]).expect("32 bytes");
    hkdf.expand(b"next", &mut keys[1]).expect("32 bytes");
    black_box(keys);
}

/// With a key of its own: the work is the same whether the tag is right or not, so it decrypts
/// what it encrypted.
fn bare_open(kind: Kind, sealed: &[u8]) {
    let cipher = XChaCha20Poly1305::new(&[3; 32].into());
    let (nonce, rest) = sealed.split_at(24);
    let mut plain = rest[..32 + kind.padded()].to_vec();
    let nonce = nonce.try_into().expect("24 bytes");
    let tag = cipher.encrypt_inout_detached(nonce, &[], plain.as_mut_slice().into());
    black_box((tag.expect("encrypted"), Hash::of(&plain)));
}
