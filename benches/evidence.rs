//! What it takes to check the evidence: lines of full batches, the root of a day, and ratings made anew
//! from the journals, each against the bare work that it cannot do without.

#[path = "sides/backlog.rs"]
mod backlog;
#[path = "sides/bare.rs"]
mod bare;
#[path = "../tests/common/mod.rs"]
mod common;
mod sides;

use std::hint::black_box;
use std::time::Instant;

use backlog::{Batch, backlog};
use bare::Log;
use common::{TestCentral, at};
use ed25519_dalek::{Signature, Verifier, VerifyingKey};
use hailong::domain::batch::{line_part, read_stored};
use hailong::domain::ids::Hash;
use hailong::domain::line::Line;
use hailong::domain::root::Growing;
use hailong::kiosk::transport::{Http, Transport};
use sha2::{Digest, Sha256};
use sides::{Side, compare, rounds, wanted};

/// Lines in a full batch.
const FULL: usize = 500;
const KIOSKS: usize = 8;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(lines());
    root();
    runtime.block_on(ratings());
}

/// A batch as an archive holds it.
struct Stored {
    header: Vec<u8>,
    signature: String,
    lines: Vec<Vec<u8>>,
}

impl Stored {
    fn of(batch: &Batch) -> Self {
        let packed = &batch.packed;
        let end = packed.request.iter().position(|byte| *byte == b'\n').expect("a header");
        let lines = batch.lines.iter().map(|line| line.bytes.clone()).collect();
        Self { header: packed.request[..end].to_vec(), signature: packed.signature.clone(), lines }
    }

    /// As `hailong verify` does: signature, hash of the lines, of each line, and that each names the
    /// one before.
    fn check(&self, key: &VerifyingKey) {
        let part = line_part(&self.lines);
        let read = read_stored(&self.header, &self.signature, part, Vec::new(), &[*key]);
        let (header, _) = read.expect("signed");
        let mut before = header.prev;
        for (seq, bytes) in (header.first..).zip(&self.lines) {
            let line = Line::read(bytes, &header.kiosk, header.epoch, seq).expect("a line");
            assert_eq!(line.prev, before);
            before = Hash::of(bytes);
        }
        assert_eq!(before, header.head);
    }

    /// Nothing but the signature, and each byte hashed in its line and in all of them.
    fn bare(&self, key: &VerifyingKey, signature: &Signature) {
        let signed = [b"hailong batch 1\n", &self.header[..]].concat();
        key.verify(&signed, signature).expect("signed");
        let mut whole = Sha256::new();
        for line in &self.lines {
            whole.update((line.len() as u32).to_be_bytes());
            whole.update(line);
            black_box(Sha256::digest(line));
        }
        black_box(whole.finalize());
    }
}

async fn lines() {
    const BATCHES: usize = 20;
    let central = TestCentral::start_at(at("2026-11-24 17:30")).await;
    let kiosk = central.kiosk("q3").await;
    let key = kiosk.identity.signing_key.verifying_key();
    let stored: Vec<Stored> = backlog(&kiosk, BATCHES, FULL).iter().map(Stored::of).collect();
    let signatures: Vec<Signature> = stored
        .iter()
        .map(|batch| {
            let bytes = data_encoding::BASE64URL_NOPAD.decode(batch.signature.as_bytes());
            Signature::from_slice(&bytes.expect("base64url")).expect("a signature")
        })
        .collect();
    let mut ours = Side::new("signature, hashes, numbers and chain");
    let mut bare = Side::new("Ed25519 and SHA-256 of the same bytes");
    let amount = (BATCHES * FULL) as f64 / 1e3;
    for _ in 0..rounds(40) {
        let start = Instant::now();
        stored.iter().for_each(|batch| batch.check(&key));
        ours.take(amount / start.elapsed().as_secs_f64());
        let start = Instant::now();
        stored.iter().zip(&signatures).for_each(|(batch, one)| batch.bare(&key, one));
        bare.take(amount / start.elapsed().as_secs_f64());
    }
    compare("checking the lines of full batches", "thousand lines/s", &ours, &bare, None);
    central.stop().await;
}

fn root() {
    let n = if wanted() { 1_000_000_u32 } else { 1_000 };
    let hashes: Vec<Hash> = (0..n).map(|n| Hash::of(&n.to_be_bytes())).collect();
    let mut ours = Side::new("Growing, line by line, and its root");
    let mut bare = Side::new("2n − 1 times SHA-256");
    for _ in 0..rounds(9) {
        let start = Instant::now();
        let mut tree = Growing::default();
        hashes.iter().for_each(|line| tree.push(*line));
        black_box(tree.root());
        ours.take(start.elapsed().as_secs_f64() * 1e3);
        let start = Instant::now();
        black_box(fold(&hashes));
        bare.take(start.elapsed().as_secs_f64() * 1e3);
    }
    compare(&format!("the root of {n} lines"), "ms", &ours, &bare, None);
}

/// As many hashes over as many bytes as the tree needs, one after the other.
fn fold(hashes: &[Hash]) -> [u8; 32] {
    let mut folded = [0; 32];
    for (n, hash) in hashes.iter().enumerate() {
        let leaf = Sha256::new().chain_update([0]).chain_update(hash.0).finalize();
        if n > 0 {
            let node = Sha256::new().chain_update([1]).chain_update(folded).chain_update(leaf);
            folded = node.finalize().into();
        } else {
            folded = leaf.into();
        }
    }
    folded
}

/// `HAILONG_RATINGS` asks for more of them.
async fn ratings() {
    let asked: Option<usize> = std::env::var("HAILONG_RATINGS").ok().and_then(|n| n.parse().ok());
    let usual = if wanted() { 50_000 } else { 2_000 };
    // A visitor who rates is two lines.
    let each = (asked.unwrap_or(usual) * 2).div_ceil(FULL * KIOSKS);
    let central = TestCentral::start_at(at("2026-11-24 17:30")).await;
    let http = Http::new(&central.service()).expect("a client");
    let folder = tempfile::TempDir::new().expect("a folder");
    let mut batches = Vec::new();
    for number in 0..KIOSKS {
        let kiosk = central.kiosk(&format!("q{number}")).await;
        batches.extend(backlog(&kiosk, each, FULL));
    }
    for batch in &batches {
        assert_eq!(http.post(&batch.packed).await.expect("answered").status, 200);
    }
    let many = central.store().rated_contacts().await.expect("counted").len();
    let mut ours = Side::new("central service, made anew and compared");
    let mut bare = Side::new("bare rusqlite, append-only, tallies");
    for round in 0..rounds(3) {
        let start = Instant::now();
        let rebuilt = central.central.rebuild().await.expect("read").expect("alone");
        ours.take(many as f64 / 1e3 / start.elapsed().as_secs_f64());
        assert_eq!((rebuilt.differ, rebuilt.unread.len()), (0, 0));
        let mut log = Log::open(&folder.path().join(format!("{round}.db")));
        let start = Instant::now();
        batches.iter().for_each(|batch| log.keep(batch));
        bare.take(many as f64 / 1e3 / start.elapsed().as_secs_f64());
    }
    let what = format!("{many} ratings made anew from the journals");
    compare(&what, "thousand ratings/s", &ours, &bare, None);
    central.stop().await;
}
