//! Kiosks as witnesses of the roots: what was published once is not taken back unseen; and proofs
//! that one rating stands under a root.

#[path = "common/archives.rs"]
mod archives;
mod common;

use std::path::Path;
use std::process::{Command, Stdio};

use archives::verified;
use common::{TestCentral, TestKiosk, at, first_counter, rate};
use ed25519_dalek::SigningKey;
use hailong::central::roots::make;
use hailong::domain::check::CheckCode;
use hailong::domain::ids::Hash;
use hailong::domain::line::{By, How};
use hailong::domain::root::{Published, Root, Statement, verifying_key};
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::network::Network;
use hailong::kiosk::visit::Record;
use hailong::kiosk::witness::{Seen, Witness};
use rusqlite::Connection;

/// A rating whose code is taken along, sent at once.
async fn rated(central: &TestCentral, kiosk: &mut TestKiosk, day: u8) -> CheckCode {
    central.clock.set(at(&format!("2026-11-{day} 09:00")));
    make(&central.central).await.unwrap();
    let mut desk = kiosk.desk();
    rate(&mut desk, "hai_long", &[]);
    let (by, counter) = (By::Touch, first_counter(&desk));
    let open = Record::Open { by, counter, level: Some("hai_long".to_owned()) };
    let contact = desk.keep(&open).unwrap().seq;
    let end = Record::Close { contact, how: How::Skipped, reasons: Vec::new() };
    let code = desk.keep(&end).unwrap().code.unwrap();
    drop(desk);
    sent(kiosk).await;
    code
}

async fn sent(kiosk: &TestKiosk) {
    kiosk.sent(JournalReader::open(&kiosk.path()).unwrap().last().unwrap()).await;
}

/// The kiosk looks for roots as it does every hour, and notes what it saw.
async fn looks(central: &TestCentral, kiosk: &mut TestKiosk) -> Vec<Seen> {
    let enrolled = kiosk.identity.enrolled.as_ref().unwrap();
    let mut witness = Witness::open(&kiosk.path(), verifying_key(&enrolled.root_key));
    let seen = witness.look(&Network::to(&central.service())).await.unwrap();
    let mut desk = kiosk.desk();
    for one in &seen {
        desk.note_root(*one).unwrap();
    }
    seen
}

fn kept(kiosk: &TestKiosk) -> Vec<String> {
    let files = std::fs::read_dir(kiosk.path().join("roots")).unwrap();
    let mut names: Vec<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The root of a number is replaced by another that the service's own key signs.
fn rewrite(central: &TestCentral, folder: &Path, number: i64) -> Hash {
    let db = Connection::open(folder.join("central.db")).unwrap();
    let text: String = db
        .query_row("SELECT statement FROM root WHERE number = ?", [number], |row| row.get(0))
        .unwrap();
    let mut statement: Statement = serde_json::from_str(&text).unwrap();
    statement.findings = Hash::of(b"nothing was wrong that day");
    let root = Root::sign(&statement, &central.central.keys.root).unwrap();
    db.execute(
        "UPDATE root SET statement = ?, signature = ? WHERE number = ?",
        (&root.statement, &root.signature, number),
    )
    .unwrap();
    root.anchor()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_that_was_rewritten_contradicts_every_kiosk_that_saw_it() {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    assert_eq!(looks(&central, &mut kiosk).await, []);
    for day in [24, 25, 26] {
        rated(&central, &mut kiosk, day).await;
    }
    let seen = looks(&central, &mut kiosk).await;
    let numbers: Vec<(u64, bool)> = seen.iter().map(|one| (one.number, one.refused)).collect();
    assert_eq!(numbers, [(1, false), (2, false)]);
    assert_eq!(kept(&kiosk).len(), 2);
    assert_eq!(looks(&central, &mut kiosk).await, [], "nothing new");
    rated(&central, &mut kiosk, 27).await;
    let seen = looks(&central, &mut kiosk).await;
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].number, seen[0].refused), (3, false));
    sent(&kiosk).await;
    central.clock.set(at("2026-11-28 00:01"));
    make(&central.central).await.unwrap();

    // All is in order: the archive says who saw the roots.
    let folder = central.folder.path().to_owned();
    let report = verified(&folder, None).await;
    assert_eq!(report.problems, [""; 0]);
    assert!(report.notes.iter().any(|note| note.contains("1 kiosks saw")), "{:?}", report.notes);

    // The last root that the kiosk keeps is changed, then one before it and all after it.
    let other = rewrite(&central, &folder, 3);
    let seen = looks(&central, &mut kiosk).await;
    let refused: Vec<(u64, bool)> = seen.iter().map(|one| (one.number, one.refused)).collect();
    assert_eq!(refused, [(3, true), (4, false)], "the fourth follows the third that it knew");
    assert_eq!(seen[0].anchor, other);
    assert_eq!(looks(&central, &mut kiosk).await, [], "told once");
    assert!(kept(&kiosk).iter().any(|name| name.starts_with("refused-000003")));
    sent(&kiosk).await;
    let report = verified(&folder, Some(other)).await;
    let told =
        report.problems.iter().filter(|told| told.contains("saw another root of 2026-11-26"));
    assert_eq!(told.count(), 2, "as first seen, and as refused: {:?}", report.problems);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kiosk_without_a_key_believes_the_first_and_no_other() {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    kiosk.identity.enrolled.as_mut().unwrap().root_key.clear();
    for day in [24, 25] {
        rated(&central, &mut kiosk, day).await;
    }
    assert_eq!(looks(&central, &mut kiosk).await.len(), 1);
    let stranger = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let mut other = stranger.kiosk("q3").await;
    for day in [24, 25, 26] {
        rated(&stranger, &mut other, day).await;
    }
    let seen = looks(&stranger, &mut kiosk).await;
    assert!(!seen.is_empty() && seen.iter().all(|one| one.refused), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_under_the_name_of_a_key_that_did_not_sign_it_is_refused() {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    for day in [24, 25] {
        rated(&central, &mut kiosk, day).await;
    }
    let root = central.store().roots(1).await.unwrap().remove(0);
    let stranger = SigningKey::from_bytes(&[9; 32]).verifying_key();
    let key = data_encoding::HEXLOWER.encode(stranger.as_bytes());
    let published = Published { anchor: root.anchor(), root, key };
    let own = central.central.keys.root.verifying_key();
    let seen = Witness::open(&kiosk.path(), Some(own)).take(&[published]).unwrap();
    assert_eq!(seen.iter().map(|one| one.refused).collect::<Vec<_>>(), [true]);
    assert_eq!(looks(&central, &mut kiosk).await.len(), 1, "and the root itself is still taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_proves_that_a_rating_stands_under_a_root() {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    let code = rated(&central, &mut kiosk, 24).await;
    let check = async |code: &str, more: &[&str]| {
        let address = central.service();
        let arguments: Vec<String> = ["check", code, "--server", &address]
            .iter()
            .chain(more)
            .map(|a| (*a).to_owned())
            .collect();
        tokio::task::spawn_blocking(move || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_hailong"));
            let done = command.args(arguments).stdin(Stdio::null()).output().unwrap();
            let said = [done.stdout, done.stderr].concat();
            (done.status.code().unwrap(), String::from_utf8(said).unwrap())
        })
        .await
        .unwrap()
    };
    let (exit, said) = check(&code.to_string(), &[]).await;
    assert_eq!((exit, said.contains("no root has")), (2, true), "{said}");
    rated(&central, &mut kiosk, 25).await;
    let anchor = central.store().roots(1).await.unwrap()[0].anchor();
    for gathered in [false, true] {
        if gathered {
            central.store().gather_codes().await.unwrap();
        }
        let (exit, said) = check(&code.to_string(), &["--anchor", &anchor.to_string()]).await;
        assert_eq!((exit, said.contains("under the root of 2026-11-24")), (0, true), "{said}");
    }
    let (exit, said) = check(&code.to_string(), &["--anchor", &Hash::of(b"").to_string()]).await;
    assert_eq!((exit, said.contains("not the one that was written down")), (5, true), "{said}");
    assert_eq!(check("3-9KQ2", &[]).await.0, 2);
    let guessed = CheckCode { bits: code.bits ^ 1, ..code };
    assert_eq!(check(&guessed.to_string(), &[]).await.0, 2);
}
