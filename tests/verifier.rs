//! The verifier in Python, which follows `docs/protocol.md`, and the program: they agree on the test
//! vectors, on what is right and on what is wrong.

#[path = "common/archives.rs"]
mod archives;
mod common;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use archives::{ALL, Archive, lived, replace};
use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use common::{TestCentral, TestKiosk, at, rate, signed_in};
use hailong::central::decide::{Erasure, erase_in, erase_old_answers, renew_keys_in, take_in};
use hailong::central::export::Asked;
use hailong::central::roots::make;
use hailong::central::store::Store;
use hailong::central::store::sqlite::SqliteStore;
use hailong::demo::clock::DemoClock;
use hailong::domain::batch::{Parts, pack};
use hailong::domain::decision::{Decision, What};
use hailong::domain::ids::{Epoch, Hash, KioskId};
use hailong::domain::line::{By, Event, LastRun, Line};
use hailong::domain::seal::{Kind, Ratchet};
use hailong::domain::series::SealedBody;
use hailong::domain::system_random;
use hailong::kiosk::enrolment::enrol;
use hailong::kiosk::identity::central_keys;
use hailong::kiosk::journal::FILE;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::transport::{Http, Transport};
use hailong::kiosk::witness::Seen;
use hkdf::Hkdf;
use serde_json::Value;
use sha2::Sha256;
use tempfile::TempDir;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/protocol.md");

/// A Python that has what the verifier needs. Missing by hand: skipped loudly. Missing in CI: a
/// failure.
fn python() -> Option<&'static str> {
    let has = |python: &&str| {
        let modules = ["-c", "import cryptography, zstandard"];
        let tried = Command::new(python).args(modules).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    };
    let found = ["/usr/bin/python3", "python3"].into_iter().find(has);
    let needs = "python3 with python3-cryptography and python3-zstandard";
    assert!(found.is_some() || std::env::var_os("CI").is_none(), "CI needs {needs}");
    if found.is_none() {
        common::skipped(&format!("there is no {needs}"));
    }
    found
}

fn ran(command: &mut Command) -> (Option<i32>, String) {
    let done = command.stdin(Stdio::null()).output().unwrap();
    let text = [done.stdout, done.stderr].concat();
    (done.status.code(), String::from_utf8(text).unwrap())
}

/// What the verifier says, and its exit code.
fn verifier(python: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verifier/verify.py");
    // No compiled modules are left beside the sources.
    ran(Command::new(python).args(["-B", script]).args(arguments))
}

fn hailong(arguments: &[&str]) -> (Option<i32>, String) {
    ran(Command::new(env!("CARGO_BIN_EXE_hailong")).args(arguments).env("HAILONG_LOG", "off"))
}

/// What both say of an archive; with an anchor.
fn both(python: &str, file: &Path, anchor: Option<&Hash>) -> [(Option<i32>, String); 2] {
    let anchor = anchor.map(ToString::to_string);
    let mut arguments = vec![file.to_str().unwrap()];
    arguments.extend(anchor.as_deref().into_iter().flat_map(|anchor| ["--anchor", anchor]));
    let program = hailong(&[&["verify"], &arguments[..]].concat());
    [program, verifier(python, &[&["archive"], &arguments[..]].concat())]
}

#[test]
fn every_test_vector_follows_from_the_document() {
    let Some(python) = python() else { return };
    let text = std::fs::read_to_string(DOCUMENT).unwrap();
    let (code, said) = verifier(python, &["vectors", DOCUMENT]);
    assert_eq!(code, Some(0), "{said}");
    let (_, block) = text.split_once("```json vectors\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let vectors: serde_json::Map<String, Value> = serde_json::from_str(block).unwrap();
    assert!(said.contains(&format!("{} vectors", vectors.len())), "{said}");
    // One digit of any of them is not overlooked.
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("bent.md");
    for (name, value) in &vectors {
        let mut bent = vectors.clone();
        let digits = value.to_string();
        let last = digits.rfind(|letter: char| letter.is_ascii_alphanumeric()).unwrap();
        // The last letter of base64url has bits to spare.
        let last = if name.ends_with("_signature") { last - 1 } else { last };
        let other = if digits[last..].starts_with('1') { "2" } else { "1" };
        let other = [&digits[..last], other, &digits[last + 1..]].concat();
        bent[name] = serde_json::from_str(&other).unwrap();
        let bent = serde_json::to_string(&bent).unwrap();
        std::fs::write(&file, format!("```json vectors\n{bent}\n```\n")).unwrap();
        let (code, said) = verifier(python, &["vectors", file.to_str().unwrap()]);
        assert_eq!(code, Some(5), "{name}: {said}");
    }
}

#[test]
fn what_is_right_to_the_program_is_right_to_whoever_reads_the_document() {
    let Some(python) = python() else { return };
    let service = lived();
    let day = |day| Some(jiff::civil::Date::constant(2026, 11, day));
    let anchors = Archive::of(service.path(), ALL).anchors();
    for asked in [
        ALL,
        Asked { opened: false, ..ALL },
        Asked { from: day(25), ..ALL },
        Asked { to: day(24), ..ALL },
    ] {
        let archive = Archive::of(service.path(), asked);
        for (code, said) in both(python, &archive.written(), Some(&anchors[0])) {
            assert_eq!(code, Some(0), "{said}");
            assert!(said.contains("nothing is wrong"), "{said}");
        }
    }
}

#[test]
fn decisions_mean_the_same_to_whoever_reads_the_document() {
    let Some(python) = python() else { return };
    let service = lived();
    let decide = |what| {
        let (person, reason) = ("Lê Thị Hoa".to_owned(), "đã đối chiếu".to_owned());
        take_in(service.path(), Decision { what, person, reason }).unwrap()
    };
    let before = Archive::of(service.path(), ALL);
    let header = before.records[before.batches("ps-q3")[0]]["header"].as_str().unwrap();
    let header: Value = serde_json::from_str(header).unwrap();
    let (kiosk, epoch): (KioskId, Epoch) = (
        header["kiosk"].as_str().unwrap().parse().unwrap(),
        header["epoch"].as_str().unwrap().parse().unwrap(),
    );
    let (office, counter) = ("phu-sa".parse().unwrap(), "q5".parse().unwrap());
    let (from, until) = (at("2026-11-24 08:00"), at("2026-11-24 23:00"));
    decide(What::Attributed { office, counter, from, until, official: None });
    let day = jiff::civil::Date::constant(2026, 11, 23);
    decide(What::Dated { kiosk: kiosk.clone(), epoch, first: 1, last: 6, day });
    let (back, seq) = decide(What::Dated { kiosk: kiosk.clone(), epoch, first: 1, last: 9, day });
    decide(What::Withdrawn { epoch: back, seq });
    let (person, reason) = ("Lê Thị Hoa".to_owned(), "yêu cầu".to_owned());
    let code = before.code_of("ps-q3", 6).to_string();
    erase_in(service.path(), Erasure { code, words_only: false, person, reason }).unwrap();

    let mut archive = Archive::of(service.path(), ALL);
    let says = both(python, &archive.written(), None);
    for (code, said) in &says {
        assert_eq!(*code, Some(0), "{said}");
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = SqliteStore::open_read_only(service.path()).unwrap();
    let digest = runtime.block_on(store.canonical_digest()).unwrap().to_string();
    assert!(says[1].1.contains(&digest), "{digest}: {}", says[1].1);
    // Without the decision, both say that something is gone.
    let erased = archive
        .batches("central")
        .into_iter()
        .find(|at| archive.records[*at]["lines"].to_string().contains("\\\"erased\\\""));
    archive.records.truncate(erased.unwrap());
    for (code, said) in both(python, &archive.written(), None) {
        assert!(code == Some(5) && said.contains("nobody decided it"), "{said}");
    }
}

#[test]
fn a_renewed_root_key_is_vouched_for_to_whoever_reads_the_document() {
    let Some(python) = python() else { return };
    let service = lived();
    let backup = service.path().join("new-backup.json");
    renew_keys_in(service.path(), &backup, "Lê Thị Hoa".into(), "đến hạn".into()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let service = runtime.block_on(async {
        let clock = Arc::new(DemoClock::standing(at("2026-11-26 09:00")));
        let central = TestCentral::start_in(service, clock).await;
        central.clock.set(at("2026-11-27 00:01"));
        make(&central.central).await.unwrap();
        central.stop().await.0
    });
    let mut archive = Archive::of(service.path(), ALL);
    for (code, said) in both(python, &archive.written(), None) {
        assert_eq!(code, Some(0), "{said}");
    }
    // Without the word of the former key.
    archive.records[0]["root_key"] = "11".repeat(32).into();
    for (code, said) in both(python, &archive.written(), None) {
        assert!(code == Some(5) && said.contains("not signed by the root key"), "{said}");
    }
}

#[test]
fn a_kiosk_s_new_key_and_the_one_before_are_right_to_whoever_reads_the_document() {
    let Some(python) = python() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let service = runtime.block_on(async {
        let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
        let mut kiosk = central.kiosk("q3").await;
        for day in 24..=26 {
            central.clock.set(at(&format!("2026-11-{day} 09:00")));
            make(&central.central).await.unwrap();
            kiosk.identity.draw_next(&mut system_random()).unwrap();
            let office = central.central.config.offices[0].office.code.clone();
            let (id, counters) = ("ps-q3".parse().unwrap(), "q3".parse().unwrap());
            let code = central.central.offer(id, office, counters).await.unwrap();
            enrol(&central.service(), &code, &mut kiosk.identity).await.unwrap();
            rated_at(&mut kiosk, &format!("2026-11-{day} 09:00")).await;
        }
        central.stop().await.0
    });
    counted_alike(python, service.path());
    let mut archive = Archive::of(service.path(), ALL);
    let at = archive.places("kiosk")[0];
    let former = archive.records[at]["former"].as_array_mut().unwrap();
    assert_eq!(former.len(), 3);
    former.remove(1);
    for (code, said) in both(python, &archive.written(), None) {
        assert!(code == Some(5) && said.contains("not signed by its key"), "{said}");
    }
}

#[test]
fn a_copied_disk_and_a_root_that_is_gone_are_wrong_to_whoever_reads_the_document() {
    let Some(python) = python() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let service = runtime.block_on(async {
        let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
        let (mut kiosk, mut witness) = (central.kiosk("q3").await, central.kiosk("q5").await);
        let noted = Seen { number: 7, anchor: Hash::of(b"a root"), refused: false };
        witness.desk().note_root(noted).unwrap();
        let mut second = kiosk.copied();
        for kiosk in [&mut kiosk, &mut second, &mut witness] {
            rate(&mut kiosk.desk(), "hai_long", &[]);
            kiosk.sent(JournalReader::open(&kiosk.path()).unwrap().last().unwrap()).await;
        }
        central.stop().await.0
    });
    for (code, said) in both(python, &Archive::of(service.path(), ALL).written(), None) {
        assert_eq!(code, Some(5), "{said}");
        assert!(said.contains("ps-q3: two journals from line 1 on"), "{said}");
        assert!(said.contains("ps-q5 saw a root of number 7, which is not here"), "{said}");
    }
}

/// A change of an archive, and what the verifier in Python has to say of it, among other things.
type Bend = (&'static str, &'static str, fn(&mut Archive));

#[test]
fn what_is_wrong_to_the_program_is_wrong_to_whoever_reads_the_document() {
    let Some(python) = python() else { return };
    let service = lived();
    let bends: [Bend; 16] = [
        ("a batch at another time", "were not received when the archive says", |archive| {
            let at = archive.batches("ps-q3")[0];
            replace(&mut archive.records[at]["received"], "T09:", "T10:");
        }),
        ("the newest lines taken away", "was here when the archive was made", |archive| {
            archive.records.remove(*archive.batches("central").last().unwrap());
        }),
        ("a receipt taken away", "ps-q5: the receipt of its journal is not here", |archive| {
            archive.records.remove(archive.places("receipt")[1]);
        }),
        ("a byte of a line", "are not those that the header signs", |archive| {
            let at = archive.batches("ps-q3")[0];
            replace(&mut archive.records[at]["lines"][3], "\"mono_ms\":", "\"mono_ms\":1");
        }),
        ("two lines the other way round", "are not those that the header signs", |archive| {
            let at = archive.batches("ps-q5")[0];
            archive.records[at]["lines"].as_array_mut().unwrap().swap(1, 2);
        }),
        ("another answer", "is not what its hash says", |archive| {
            let at = archive.batches("ps-q3")[0];
            let bodies = archive.records[at]["bodies"].as_array_mut().unwrap();
            let bad = bodies.iter_mut().find_map(|body| {
                let answer = &mut body["answer"];
                answer.as_str().is_some_and(|it| it.contains("\"khong_hai")).then_some(answer)
            });
            replace(bad.unwrap(), "khong_hai_long", "rat_hai_long");
        }),
        ("an answer taken away", "a body of line 18 is missing", |archive| {
            let at = archive.batches("ps-q3")[0];
            archive.records[at]["bodies"].as_array_mut().unwrap().pop();
        }),
        ("a batch of the own series taken away", "lines 3 to 3 are missing", |archive| {
            archive.records.remove(archive.batches("central")[1]);
        }),
        ("an epoch taken away", "the line before it, 18 of", |archive| {
            archive.records.remove(archive.batches("ps-q3")[0]);
        }),
        ("a batch doubled", "here twice", |archive| {
            let at = archive.batches("ps-q3")[0];
            archive.records.insert(at, archive.records[at].clone());
        }),
        ("a root taken away", "does not follow the root before it: one is missing", |archive| {
            archive.records.remove(archive.places("root")[0]);
        }),
        ("another day of a root", "not signed by the root key", |archive| {
            let at = archive.places("root")[1];
            replace(&mut archive.records[at]["statement"], "2026-11-25", "2026-11-26");
        }),
        ("a kiosk with another key", "not signed by its key", |archive| {
            let (one, other) = (archive.places("kiosk")[0], archive.places("kiosk")[1]);
            archive.records[one]["key"] = archive.records[other]["key"].clone();
        }),
        ("a kiosk at another counter", "the kiosk list is not that of the archive", |archive| {
            let at = archive.places("kiosk")[0];
            replace(&mut archive.records[at]["counters"], "q3", "q4");
        }),
        ("a kiosk that nobody admitted", "that its key was admitted", |archive| {
            let at = archive.places("kiosk")[1];
            let mut other = archive.records[at].clone();
            other["id"] = "ps-q9".into();
            other["number"] = 9.into();
            archive.records.insert(at + 1, other);
        }),
        ("a kiosk with the number of another", "its name or number is another's, too", |archive| {
            let (one, other) = (archive.places("kiosk")[0], archive.places("kiosk")[1]);
            archive.records[one]["number"] = archive.records[other]["number"].clone();
        }),
    ];
    let mut archive = Archive::of(service.path(), ALL);
    let honest = archive.records.clone();
    for (name, words, bend) in bends {
        archive.records.clone_from(&honest);
        bend(&mut archive);
        let [(program, said), (code, found)] = both(python, &archive.written(), None);
        assert_eq!((program, code), (Some(5), Some(5)), "{name}: {said}{found}");
        assert!(found.contains(words), "{name}: {found}");
    }
    archive.records = honest;
    for (code, said) in both(python, &archive.written(), Some(&Hash::of(b"another"))) {
        assert_eq!(code, Some(5), "another anchor: {said}");
        assert!(said.contains("this is not what was published"), "{said}");
    }
    // Cut, and nothing at all.
    let file = archive.written();
    let whole = std::fs::read(&file).unwrap();
    for (end, expected) in [(whole.len() / 2, 5), (0, 2)] {
        std::fs::write(&file, &whole[..end]).unwrap();
        for (code, said) in both(python, &file, None) {
            assert_eq!(code, Some(expected), "cut at {end}: {said}");
        }
    }
}

/// Rates twice by a clock that shows this moment, and sends it.
async fn rated_at(kiosk: &mut TestKiosk, moment: &str) {
    let mut desk = kiosk.desk_at(Arc::new(DemoClock::standing(at(moment))));
    for level in ["hai_long", "khong_hai_long"] {
        rate(&mut desk, level, &[]);
    }
    drop(desk);
    let last = JournalReader::open(&kiosk.path()).unwrap().last().unwrap();
    kiosk.sent(last).await;
}

/// A level's body without a level, well sealed, and its hash.
fn no_answer(ratchet: &Ratchet, kiosk: &KioskId, epoch: Epoch, seq: u64) -> (Hash, Vec<u8>) {
    let (nonce, plain, kind) = ([0; 24], [0; 96], [Kind::Level as u8]);
    let mut key = [0; 32];
    Hkdf::<Sha256>::from_prk(ratchet.chain_key()).unwrap().expand(&kind, &mut key).unwrap();
    let (name, epoch) = (kiosk.as_str(), epoch.to_string());
    let aad = &[name.as_bytes(), epoch.as_bytes(), &seq.to_be_bytes(), &kind].concat();
    let cipher = XChaCha20Poly1305::new(&key.into());
    let sealed = cipher.encrypt(&nonce.into(), Payload { msg: &plain, aad }).unwrap();
    (Hash::of(&plain), [&nonce[..], &sealed].concat())
}

/// The folder of a service that had to do with wrong clocks, a lost journal, a body without an answer
/// and a line of rubbish, all under one root.
async fn troubled() -> TempDir {
    let central = TestCentral::start_at(at("2026-11-24 17:00")).await;
    let (mut behind, mut lost) = (central.kiosk("q3").await, central.kiosk("q5").await);
    for moment in ["2026-11-24 08:00", "2026-11-23 12:00"] {
        rated_at(&mut behind, moment).await;
    }
    rated_at(&mut lost, "1970-01-01 08:00").await;
    std::fs::write(lost.path().join(FILE), "no journal").unwrap();
    rated_at(&mut lost, "2026-11-24 16:59").await;

    let signed = central.kiosk("q4").await;
    let enrolled = signed.identity.enrolled.as_ref().unwrap();
    let (sealing, _) = central_keys(enrolled).unwrap();
    let (kiosk, epoch) = (&enrolled.kiosk, Epoch(7));
    let (mut ratchet, enc) = Ratchet::begin(kiosk, epoch, &sealing, &mut system_random()).unwrap();
    ratchet.step();
    let (hash, body) = no_answer(&ratchet, kiosk, epoch, 2);
    let line = |seq, prev, line: Line| {
        let at = at("2026-11-24 17:00");
        let line = Line { kiosk: kiosk.clone(), epoch, seq, prev, at, ..line };
        serde_json::to_vec(&line).unwrap()
    };
    let started = Line { last_run: Some(LastRun::First), ..Line::draft(Event::Started) };
    let started = line(1, Hash::NONE, started);
    let contact = Line {
        counter: Some("q4".parse().unwrap()),
        form: Some("nam-muc@2".to_owned().try_into().unwrap()),
        by: Some(By::Touch),
        body: Some(hash),
        ..Line::draft(Event::Contact)
    };
    let contact = line(2, Hash::of(&started), contact);
    let rubbish = b"\xffrubbish".to_vec();
    let counter = Some("q4".parse().unwrap());
    let signed_in = Line { counter, signed_in: Some(true), ..Line::draft(Event::Shift) };
    let signed_in = String::from_utf8(line(4, Hash::of(&rubbish), signed_in)).unwrap();
    // No official signs in by a number.
    let signed_in = signed_in.replace("\"signed_in\":true", "\"signed_in\":1").into_bytes();
    let parts = Parts {
        kiosk,
        epoch,
        start: 1,
        enc,
        key: &sealing.id(),
        first: 1,
        prev: Hash::NONE,
        lines: &[started, contact, rubbish, signed_in],
        bodies: &[SealedBody { seq: 2, kind: Kind::Level, bytes: body }],
    };
    let batch = pack(&parts, &signed.identity.signing_key).unwrap();
    assert_eq!(Http::new(&central.service()).unwrap().post(&batch).await.unwrap().status, 200);

    central.clock.set(at("2026-11-25 00:01"));
    make(&central.central).await.unwrap();
    central.stop().await.0
}

#[test]
fn ratings_of_officials_who_signed_in_are_counted_alike() {
    let Some(python) = python() else { return };
    let service = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
        let mut kiosk = central.kiosk("q3").await;
        let last = signed_in(&central, &mut kiosk);
        kiosk.sent(last).await;
        central.clock.set(at("2026-11-25 00:01"));
        make(&central.central).await.unwrap();
        central.stop().await.0
    });
    let counted = counted_alike(python, service.path());
    assert!(!counted.contains("found: "), "{counted}");
}

/// What both, and a rebuild, say of a folder: nothing is wrong, and the same was counted. Gives what
/// the verifier in Python says.
fn counted_alike(python: &str, data: &Path) -> String {
    let folder = TempDir::new().unwrap();
    let archive = folder.path().join("archive");
    let (data, file) = (data.to_str().unwrap(), archive.to_str().unwrap());
    let (code, said) = hailong(&["export", "--opened", "--data", data, "--out", file]);
    assert_eq!(code, Some(0), "{said}");
    let [(program, said), (code, counted)] = both(python, &archive, None);
    assert_eq!((program, code), (Some(0), Some(0)), "{said}{counted}");
    let (code, said) = hailong(&["rebuild", "--data", data]);
    assert_eq!(code, Some(0), "{said}");
    let (_, digest) = said.split_once("digest ").expect("the digest of the canonical dump");
    let digest = digest.lines().next().unwrap();
    assert!(counted.contains(&format!("dump of all of it is {digest}")), "{said}{counted}");
    counted
}

#[test]
fn what_is_left_after_five_years_is_right_to_whoever_reads_the_document() {
    let Some(python) = python() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let later = |service, days: &[&str]| {
        runtime.block_on(async {
            let clock = Arc::new(DemoClock::standing(at("2031-11-24 09:00")));
            let central = TestCentral::start_in(service, clock).await;
            for day in days {
                central.clock.set(at(&format!("{day} 00:01")));
                let today = day.parse().unwrap();
                erase_old_answers(central.store(), today, 1_826).await.unwrap();
                make(&central.central).await.unwrap();
            }
            central.stop().await.0
        })
    };
    for (service, days) in [
        (lived(), &["2031-11-25", "2031-11-26"][..]),
        (lived(), &["2031-11-25"]),
        (runtime.block_on(troubled()), &["2031-11-26"]),
    ] {
        let before = counted_alike(python, service.path());
        let service = later(service, days);
        let after = counted_alike(python, service.path());
        let found = |said: &str| {
            let lines = said.lines().filter(|line| line.contains("found: "));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(found(&before), found(&after), "what was found is told as before");
        let early = Asked { to: Some(jiff::civil::date(2026, 11, 24)), ..ALL };
        for (code, said) in both(python, &Archive::of(service.path(), early).written(), None) {
            assert_eq!(code, Some(0), "{said}");
        }
        let mut bent = Archive::of(service.path(), ALL);
        bent.records.remove(bent.places("tallies")[0]);
        for (code, said) in both(python, &bent.written(), None) {
            assert!(code == Some(5) && said.contains("is not what was kept"), "{said}");
        }
    }
}

/// Five years with all that may come between two parts of an archive: a kiosk that never sent, one
/// that came later, a journal that was lost, a key that was renewed, days that were closed.
async fn eventful() -> TempDir {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let (mut one, mut other) = (central.kiosk("q3").await, central.kiosk("q5").await);
    let _silent = central.kiosk("q6").await;
    let mut later = None;
    for day in 24..=27 {
        central.clock.set(at(&format!("2026-11-{day} 09:00")));
        make(&central.central).await.unwrap();
        match day {
            25 => std::fs::write(other.path().join(FILE), "no journal").unwrap(),
            26 => {
                one.identity.draw_next(&mut system_random()).unwrap();
                let office = central.central.config.offices[0].office.code.clone();
                let (id, counters) = ("ps-q3".parse().unwrap(), "q3".parse().unwrap());
                let code = central.central.offer(id, office, counters).await.unwrap();
                enrol(&central.service(), &code, &mut one.identity).await.unwrap();
                later = Some(central.kiosk("q4").await);
            }
            _ => {}
        }
        for kiosk in [Some(&mut one), Some(&mut other), later.as_mut()].into_iter().flatten() {
            rated_at(kiosk, &format!("2026-11-{day} 09:00")).await;
        }
    }
    central.clock.set(at("2026-11-28 00:01"));
    make(&central.central).await.unwrap();
    for day in ["2031-11-25", "2031-11-26", "2031-11-27"] {
        central.clock.set(at(&format!("{day} 00:01")));
        erase_old_answers(central.store(), day.parse().unwrap(), 1_826).await.unwrap();
        make(&central.central).await.unwrap();
    }
    central.stop().await.0
}

#[test]
fn every_part_of_eventful_years_is_right_to_both() {
    let Some(python) = python() else { return };
    let service = tokio::runtime::Runtime::new().unwrap().block_on(eventful());
    counted_alike(python, service.path());
    let days = ["2026-11-24", "2026-11-25", "2026-11-26", "2026-11-27", "2031-11-25"];
    let days: Vec<_> = days.iter().map(|day| Some(day.parse().unwrap())).chain([None]).collect();
    for (first, from) in days.iter().enumerate() {
        for to in &days[first..] {
            let (from, to) = (if first == 0 { None } else { *from }, *to);
            let archive = Archive::of(service.path(), Asked { from, to, opened: true });
            for (code, said) in both(python, &archive.written(), None) {
                assert_eq!(code, Some(0), "{from:?} to {to:?}: {said}");
            }
        }
    }
}

#[test]
fn contacts_tallies_and_findings_follow_from_the_document() {
    let Some(python) = python() else { return };
    // A day with phone answers, a power failure and an hour without network; and a day of trouble.
    let folder = TempDir::new().unwrap();
    let day = folder.path().to_str().unwrap();
    let (code, said) = hailong(&["demo", "--once", "--data", day, "--visitors", "15"]);
    assert_eq!(code, Some(0), "{said}");
    let trouble = tokio::runtime::Runtime::new().unwrap().block_on(troubled());
    for (data, troubled) in [(folder.path(), false), (trouble.path(), true)] {
        let counted = counted_alike(python, data);
        let kinds = ["clock", "fork", "lost", "quarantine"];
        let found = kinds.map(|kind| counted.contains(&format!("found: {kind} ")));
        assert_eq!(found, [troubled; 4], "{counted}");
    }
}
