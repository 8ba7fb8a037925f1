//! What was answered cannot be read back: not from the kiosk's folder, not from its log, not from
//! its memory after the visit.

#[path = "common/child.rs"]
mod child;
mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use child::{Kiosk, Seeded, Start};
use common::{TestCentral, TestKiosk, has};
use hailong::domain::form::Form;
use hailong::domain::ids::{Epoch, Hash};
use hailong::domain::line::{Event, How, Line};
use hailong::domain::seal::{OpeningKey, Ratchet};
use hailong::kiosk::journal_reader::JournalReader;
use hkdf::Hkdf;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeS, Serializable};
use rand::Rng;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// What all that the kiosk draws follows from.
const SEED: u64 = 20_261_124;

/// Not a test: the kiosks that these tests start live here.
#[test]
fn child_entry() {
    child::entry();
}

/// Something that must not be found, and what it is.
struct Secret {
    what: String,
    bytes: Vec<u8>,
}

#[derive(Default)]
struct Secrets(Vec<Secret>);

impl Secrets {
    fn add(&mut self, what: impl std::fmt::Display, bytes: &[u8]) {
        self.0.push(Secret { what: what.to_string(), bytes: bytes.to_vec() });
    }

    /// A key or a salt: half of it is as much too much as the whole.
    fn add_halves(&mut self, what: impl std::fmt::Display, bytes: &[u8]) {
        let (first, last) = bytes.split_at(bytes.len() / 2);
        self.add(format_args!("first half of {what}"), first);
        self.add(format_args!("last half of {what}"), last);
    }
}

/// RFC 9180's labelled HKDF with the suite of bodies: X25519, HKDF-SHA256, ChaCha20-Poly1305.
mod rfc9180 {
    use super::{Hkdf, Sha256};

    const SUITE: &[u8] = b"HPKE\x00\x20\x00\x01\x00\x03";

    fn extract(salt: &[u8], label: &[u8], from: &[u8]) -> [u8; 32] {
        let labelled = [b"HPKE-v1", SUITE, label, from].concat();
        Hkdf::<Sha256>::extract(Some(salt), &labelled).0.into()
    }

    fn expand(key: &[u8], label: &[u8], info: &[u8]) -> [u8; 32] {
        let mut out = [0; 32];
        let labelled = [&[0, 32], b"HPKE-v1".as_slice(), SUITE, label, info].concat();
        Hkdf::<Sha256>::from_prk(key).unwrap().expand(&labelled, &mut out).unwrap();
        out
    }

    /// The exporter secret that a shared secret gives in base mode.
    pub fn exporter(shared: &[u8], info: &[u8]) -> [u8; 32] {
        let context =
            [[0].as_slice(), &extract(b"", b"psk_id_hash", b""), &extract(b"", b"info_hash", info)]
                .concat();
        expand(&extract(shared, b"secret", b""), b"exp", &context)
    }

    /// What it exports under a context.
    pub fn export(exporter: &[u8], context: &[u8]) -> [u8; 32] {
        expand(exporter, b"sec", context)
    }
}

/// Recomputes from the seed all that the kiosk must have forgotten of its epoch `number`, and
/// checks against its journal that this is what it drew.
fn forgotten(kiosk: &TestKiosk, opening: &OpeningKey, number: u64) -> Secrets {
    let mut secrets = Secrets::default();
    let reader = JournalReader::open(kiosk.folder.path()).unwrap();
    let span = reader.epoch_of(reader.last().unwrap()).unwrap().unwrap();
    let enrolled = kiosk.identity.enrolled.as_ref().unwrap();
    let mut random = Seeded::new(SEED, number);
    assert_eq!(Epoch(random.next_u64()), span.epoch, "the kiosk draws from the seed");

    // The HPKE sender's ephemeral key and what comes of it: each would open the whole epoch.
    let info = format!("hailong journal 1{}{}", enrolled.kiosk, span.epoch);
    let public = data_encoding::HEXLOWER.decode(enrolled.opening_key.as_bytes()).unwrap();
    let public = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&public).unwrap();
    let drawn = random.clone();
    let (context_enc, context) = hpke::setup_sender_with_rng::<
        hpke::aead::ChaCha20Poly1305,
        hpke::kdf::HkdfSha256,
        X25519HkdfSha256,
    >(&OpModeS::Base, &public, info.as_bytes(), &mut random)
    .unwrap();
    assert_eq!(context_enc.to_bytes().as_slice(), span.enc);
    let mut again = drawn.clone();
    let mut ikm = [0; 32];
    again.fill_bytes(&mut ikm);
    let (ephemeral, _) = X25519HkdfSha256::derive_keypair(&ikm);
    let (shared, _) = X25519HkdfSha256::encap_with_rng(&public, None, &mut drawn.clone()).unwrap();
    let exporter = rfc9180::exporter(&shared.0, info.as_bytes());
    let mut chain = [0; 32];
    context.export(b"chain", &mut chain).unwrap();
    assert_eq!(rfc9180::export(&exporter, b"chain"), chain);
    secrets.add_halves("what the ephemeral key was drawn from", &ikm);
    secrets.add_halves("ephemeral key", &ephemeral.to_bytes());
    secrets.add_halves("shared secret", &shared.0);
    secrets.add_halves("exporter secret", &exporter);

    let derive = |key: &[u8; 32], info: &[u8]| {
        let mut out = [0; 32];
        Hkdf::<Sha256>::from_prk(key).unwrap().expand(info, &mut out).unwrap();
        out
    };
    let mut ratchet = Ratchet::reopen(&enrolled.kiosk, span.epoch, &span.enc, opening).unwrap();
    let mut bodies = 0;
    for seq in span.start..=span.last {
        let line: Line = serde_json::from_slice(&reader.line(seq).unwrap().unwrap()).unwrap();
        for body in reader.bodies(seq, seq).unwrap() {
            let hash = line.body.unwrap();
            let answer = ratchet
                .open(&enrolled.kiosk, span.epoch, seq, body.kind, &body.bytes, hash)
                .unwrap();
            let json = serde_json::to_vec(&answer).unwrap();
            let mut padded = json.clone();
            padded.resize(body.kind.padded(), 0);
            let mut drawn = [0; 24 + 32];
            random.fill_bytes(&mut drawn);
            let (nonce, salt) = drawn.split_at(24);
            assert_eq!(nonce, &body.bytes[..24], "the nonce that stands before the sealed body");
            let of = Sha256::new().chain_update(salt).chain_update(&padded).finalize();
            assert_eq!(Hash(of.into()), hash);
            secrets.add_halves(format_args!("salt of line {seq}"), salt);
            secrets.add(format_args!("body of line {seq}"), &json);
            secrets.add(format_args!("padded body of line {seq}"), &padded);
            let body_key = derive(&chain, &[body.kind as u8]);
            secrets.add_halves(format_args!("body key of line {seq}"), &body_key);
            bodies += 1;
        }
        secrets.add_halves(format_args!("chain key of line {seq}"), &chain);
        chain = derive(&chain, b"next");
        ratchet.step();
    }
    assert!(bodies > 0);
    secrets
}

/// Writes a core dump of a living process and reads it.
fn core_of(kiosk: &Kiosk) -> Vec<u8> {
    let folder = TempDir::new().unwrap();
    let prefix = folder.path().join("core");
    let id = kiosk.id().to_string();
    let output = Command::new("gcore").arg("-o").arg(&prefix).arg(&id).output().unwrap();
    let core = std::fs::read(prefix.with_extension(&id));
    core.unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
    })
}

/// Which secrets stand in a memory image.
fn found<'s>(image: &[u8], secrets: &'s Secrets) -> BTreeSet<&'s str> {
    const PAGE: usize = 4_096;
    const LONGEST: usize = PAGE;
    // By their first two bytes. Zeros in front are left away, since empty pages are skipped.
    let mut by_start: Vec<Vec<(&str, &[u8])>> = vec![Vec::new(); 1 << 16];
    for secret in &secrets.0 {
        let zeros = secret.bytes.iter().take_while(|byte| **byte == 0).count();
        let bytes = &secret.bytes[zeros..];
        assert!((12..LONGEST).contains(&bytes.len()), "{}: told from chance", secret.what);
        by_start[usize::from(bytes[0]) << 8 | usize::from(bytes[1])].push((&secret.what, bytes));
    }
    let search = |part: &[u8], starts: usize| {
        let mut found = BTreeSet::new();
        for from in (0..starts).step_by(PAGE) {
            let page = &part[from..starts.min(from + PAGE)];
            if page == &[0; PAGE][..page.len()] {
                continue;
            }
            let pairs = &part[from..part.len().min(from + page.len() + 1)];
            for (place, pair) in pairs.windows(2).enumerate() {
                for (what, bytes) in &by_start[usize::from(pair[0]) << 8 | usize::from(pair[1])] {
                    if part[from + place..].starts_with(bytes) {
                        found.insert(*what);
                    }
                }
            }
        }
        found
    };
    let half = image.len() / 2 / PAGE * PAGE;
    std::thread::scope(|scope| {
        let first = scope.spawn(|| search(&image[..image.len().min(half + LONGEST)], half));
        let mut found = search(&image[half..], image.len() - half);
        found.extend(first.join().unwrap());
        found
    })
}

#[test]
fn the_search_finds_a_secret_wherever_it_stands() {
    let mut secrets = Secrets::default();
    secrets.add("key", &[7; 32]);
    secrets.add("begins with zeros", &[[0; 3].as_slice(), &[9; 29]].concat());
    for (what, bytes) in secrets.0.iter().map(|secret| (&*secret.what, &secret.bytes)) {
        for place in [0, 1, 4_090, 8_190, 20_000, 40_960 - bytes.len()] {
            let mut image = vec![0; 40_960];
            image[place..place + bytes.len()].copy_from_slice(bytes);
            assert_eq!(found(&image, &secrets), BTreeSet::from([what]), "at {place}");
            image[place + bytes.len() - 1] ^= 1;
            assert_eq!(found(&image, &secrets), BTreeSet::new());
        }
    }
}

/// Everything that a form lets one answer: codes and what stands on screens, in either language.
fn words_of(form: &Form) -> Vec<String> {
    let levels = form.levels.iter().flat_map(|level| {
        let labels = level.label.values().cloned();
        labels.chain([level.code.clone()])
    });
    let reasons = form.reasons.iter().flat_map(|reason| {
        let texts = reason.text.values().cloned();
        texts.chain([reason.code.clone()])
    });
    let mut words: Vec<String> = levels.chain(reasons).collect();
    let on_one_line = words.iter().map(|word| word.replace('\n', " ")).collect::<Vec<_>>();
    words.extend(on_one_line);
    words
}

/// Which of the words stand in a file.
fn read_in(file: &Path, words: &[String]) -> Vec<String> {
    let bytes = std::fs::read(file).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    words.iter().filter(|word| text.contains(word.as_str())).cloned().collect()
}

/// Visits of every kind; gives the number of contacts that were rated.
fn visits(child: &mut Kiosk) -> usize {
    let mut sees = |words: &str, page: &str| {
        let shown = child.does(words);
        assert!(shown.starts_with(page), "after {words}: {shown}");
    };
    sees("face 0", "reasons");
    sees("change 3", "reasons");
    sees("reason 1", "reasons");
    sees("reason 4", "reasons");
    sees("send", "thanks");
    sees("paper", "home");
    // Called away: the page goes home by itself, with one reason ticked.
    sees("face 2", "reasons");
    sees("reason 0", "reasons");
    sees("pass 31000", "home");
    sees("later", "later");
    sees("done", "home");
    sees("face 4", "reasons");
    sees("skip", "thanks");
    sees("pass 21000", "home");
    sees("face 1", "reasons");
    sees("reason 5", "reasons");
    sees("send", "thanks");
    sees("pass 21000", "home");
    4
}

/// Waits until the service has what was rated.
async fn arrived(central: &TestCentral, contacts: usize) {
    let end = Instant::now() + Duration::from_secs(30);
    while central.store().rated_contacts().await.unwrap().len() < contacts {
        assert!(Instant::now() < end, "the ratings arrive");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_visits_neither_folder_nor_log_nor_memory_holds_what_was_answered() {
    let central = TestCentral::start().await;
    let kiosk = central.kiosk("q3").await;
    let folder = kiosk.folder.path();
    let elsewhere = TempDir::new().unwrap();
    let log = elsewhere.path().join("log");
    let service = kiosk.service.clone();
    let mut child = Start {
        seed: Some(SEED),
        service: Some(&service),
        log: Some(&log),
        ..Start::new(folder, "2026-11-24 08:15")
    }
    .ready();
    let identity = std::fs::read(folder.join("identity.json")).unwrap();
    let rated = visits(&mut child);
    arrived(&central, rated).await;

    // Folder and log. What may be answered stands in identity.json, as configuration: the same
    // bytes before the visits and after.
    assert!(std::fs::read(folder.join("identity.json")).unwrap() == identity, "it did not change");
    let words = words_of(&central.form());
    assert!(words.len() > 80 && words.contains(&"cho_lau".to_owned()));
    assert!(read_in(&folder.join("identity.json"), &words).len() > 20, "the words would be found");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name != "identity.json" {
            assert_eq!(read_in(&path, &words), Vec::<String>::new(), "in {name}");
        }
        files.push(name);
    }
    for name in ["journal.db", "journal.db-wal", "receipts.db", "lock"] {
        assert!(files.iter().any(|file| file == name), "{name} was read, of {files:?}");
    }
    assert!(std::fs::metadata(&log).unwrap().len() > 1_000, "everything was logged");
    assert_eq!(read_in(&log, &words), Vec::<String>::new(), "in the log");

    let secrets = forgotten(&kiosk, &central.central.keys.opening, 1);
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let in_hex: Vec<String> = secrets.0.iter().map(|secret| hex(&secret.bytes)).collect();
    assert_eq!(read_in(&log, &in_hex), Vec::<String>::new(), "in the log");
    for name in &files {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        assert_eq!(found(&bytes, &secrets), BTreeSet::new(), "in {name}");
    }

    // Memory.
    if !has("gcore") {
        return;
    }
    let core = core_of(&child);
    // The core holds what it should: the forms, which are in memory all the time.
    assert!(core.len() > 10 << 20);
    let mut known = Secrets::default();
    known.add("a form", "Yêu cầu giấy tờ ngoài quy định".as_bytes());
    assert_eq!(found(&core, &known).len(), 1);
    assert_eq!(found(&core, &secrets), BTreeSet::new(), "in memory");

    // The control: what is held is found.
    for secret in &secrets.0 {
        assert_eq!(child.does(&format!("hold {}", hex(&secret.bytes))), "home");
    }
    let every: BTreeSet<&str> = secrets.0.iter().map(|secret| &*secret.what).collect();
    assert_eq!(found(&core_of(&child), &secrets), every, "the search finds what is there");
    eprintln!("{} secrets, a core of {} MiB", every.len(), core.len() >> 20);
    child.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_of_a_visit_say_how_it_went_but_not_what_was_answered() {
    let central = TestCentral::start().await;
    let kiosk = central.kiosk("q3").await;
    let mut child = Start::new(kiosk.folder.path(), "2026-11-24 08:15").ready();
    visits(&mut child);
    child.stop();
    let reader = JournalReader::open(kiosk.folder.path()).unwrap();
    let lines = reader.lines(1, reader.last().unwrap()).unwrap();
    let lines: Vec<Line> =
        lines.iter().map(|bytes| serde_json::from_slice(bytes).unwrap()).collect();
    let how: Vec<How> = lines.iter().filter_map(|line| line.how).collect();
    assert_eq!(how, [How::Sent, How::TimedOut, How::Left, How::Skipped, How::Sent]);
    let changed = lines.iter().filter(|line| line.event == Event::Changed).count();
    assert_eq!(changed, 1);
    // Bodies of a kind have one length, whatever was answered.
    for kind in [1, 2] {
        let bodies = reader.bodies(1, reader.last().unwrap()).unwrap();
        let sizes: BTreeSet<usize> = bodies
            .iter()
            .filter(|body| body.kind as u8 == kind)
            .map(|body| body.bytes.len())
            .collect();
        assert_eq!(sizes.len(), 1);
    }
}
