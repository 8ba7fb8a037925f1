//! The central service's keys: nothing begins before a backup of them lies elsewhere, and a demo's
//! are no real service's.

#[path = "common/archives.rs"]
mod archives;
mod common;
#[path = "common/installed.rs"]
mod installed;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use archives::{ALL, Archive};
use common::{TestCentral, TestKiosk, at, batch, first_counter, left, rate};
use hailong::central::keys::Keys;
use hailong::central::roots::make;
use hailong::demo::clock::DemoClock;
use hailong::domain::ids::Hash;
use hailong::domain::line::By;
use hailong::domain::root::verifying_key;
use hailong::domain::system_random;
use hailong::kiosk::enrolment::{EnrolmentError, enrol};
use hailong::kiosk::identity::Identity;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::network::{Network, client};
use hailong::kiosk::transport::{Http, Transport};
use hailong::kiosk::visit::Record;
use hailong::kiosk::witness::Witness;
use installed::{Installed, SmallDisk, hailong, twin};

/// Starts the service; for as long as it is refused, as it then ends by itself.
fn refused(installed: &Installed, more: &[&str]) -> (i32, String) {
    let Output { status, stderr, .. } =
        hailong(&["central", "--config"]).arg(installed.config()).args(more).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stderr).unwrap())
}

fn mode(file: &Path) -> u32 {
    std::fs::metadata(file).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_begins_once_its_keys_have_a_backup_which_opens_all_when_they_are_lost() {
    let installed = Installed::new();
    let (code, said) = refused(&installed, &[]);
    assert_eq!((code, said.contains("--backup FILE")), (2, true), "{said}");
    assert!(!installed.data().join("keys.json").exists(), "nothing was begun");
    let nowhere = installed.folder.path().join("no/such/stick.json").display().to_string();
    let (code, said) = refused(&installed, &["--backup", &nowhere]);
    assert_eq!((code, said.contains("no/such/stick.json")), (1, true), "{said}");
    assert!(!refused(&installed, &[]).1.is_empty(), "a backup that failed is none");

    let service = installed.start();
    let backup = installed.folder.path().join("keys-backup.json");
    let keys = installed.data().join("keys.json");
    assert_eq!((mode(&keys), mode(&backup)), (0o600, 0o600));
    let clock = Arc::new(DemoClock::standing(at("2026-11-24 09:00")));
    let kiosk = installed.enrol(&service, "q3", &clock).await;
    service.stop();
    // Not once more over an older one.
    let (code, said) = refused(&installed, &["--backup", &backup.display().to_string()]);
    assert_eq!((code, said.contains("exists")), (1, true), "{said}");

    // The keys are lost: without them, and with others, it does not go on.
    std::fs::remove_file(&keys).unwrap();
    assert_eq!(refused(&installed, &[]).0, 2);
    std::fs::copy(&backup, &keys).unwrap();
    let service = installed.start();
    let hex = data_encoding::HEXLOWER
        .encode(&Keys::load(&installed.data()).unwrap().opening.sealing_key().to_bytes());
    assert_eq!(kiosk.identity.enrolled.as_ref().unwrap().opening_key, hex);
    service.stop();
}

#[test]
fn a_full_stick_is_told_and_taken_once_it_has_room() {
    let Some(stick) = SmallDisk::mount("64k") else { return };
    let installed = Installed::new();
    let backup = stick.path().join("keys.json");
    let asked = ["--backup", backup.to_str().unwrap()];
    stick.fill();
    let (code, said) = refused(&installed, &asked);
    assert_eq!((code, said.contains("No space left")), (1, true), "{said}");
    assert!(!backup.exists(), "half a backup is none");
    assert_eq!(refused(&installed, &[]).0, 2);
    stick.make_room();
    Keys::back_up(&installed.data(), &backup).unwrap();
    assert!(Keys::are_backed_up(&installed.data()));
}

#[test]
fn keys_of_a_demo_are_refused_by_a_real_service() {
    let installed = Installed::new();
    Keys::load_or_create_demo(&installed.data()).unwrap();
    let backup = installed.folder.path().join("stick.json").display().to_string();
    let (code, said) = refused(&installed, &["--backup", &backup]);
    assert_eq!((code, said.contains("a demo's")), (2, true), "{said}");
}

async fn rated(central: &TestCentral, kiosk: &mut TestKiosk, day: u8) {
    central.clock.set(at(&format!("2026-11-{day} 09:00")));
    make(&central.central).await.unwrap();
    kiosk.service = central.service();
    let mut desk = kiosk.desk();
    for _ in 0..5 {
        rate(&mut desk, "hai_long", &["niem_no"]);
    }
    drop(desk);
    kiosk.sent(JournalReader::open(&kiosk.path()).unwrap().last().unwrap()).await;
}

/// Enrols once more, under a code for the same kiosk.
async fn again(central: &TestCentral, kiosk: &mut TestKiosk) -> Result<(), EnrolmentError> {
    let enrolled = kiosk.identity.enrolled.as_ref().unwrap();
    let office = central.central.config.offices[0].office.code.clone();
    let (id, counters) = (enrolled.kiosk.clone(), enrolled.counters.clone());
    let code = central.central.offer(id, office, counters).await.unwrap();
    enrol(&central.service(), &code, &mut kiosk.identity).await
}

fn seals_for(kiosk: &TestKiosk, central: &TestCentral) -> bool {
    let key = central.central.keys.opening.sealing_key().to_bytes();
    let enrolled = kiosk.identity.enrolled.as_ref().unwrap();
    enrolled.opening_key == data_encoding::HEXLOWER.encode(&key)
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_renewed_and_everything_begun_under_the_old_ones_goes_on() {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    rated(&central, &mut kiosk, 24).await;
    rated(&central, &mut kiosk, 25).await;
    let mut desk = kiosk.desk();
    let open = Record::Open { by: By::Later, counter: first_counter(&desk), level: None };
    let ticket = desk.keep(&open).unwrap().ticket.unwrap();
    drop(desk);
    let old_key = verifying_key(&kiosk.identity.enrolled.as_ref().unwrap().root_key);
    let mut witness = Witness::open(&kiosk.path(), old_key);
    assert_eq!(witness.look(&Network::to(&central.service())).await.unwrap().len(), 1);
    let (folder, clock) = central.stop().await;

    let backup = folder.path().join("new-backup.json");
    let renew = hailong(&["admin", "renew-keys", "--data"])
        .arg(folder.path())
        .arg("--backup")
        .arg(&backup)
        .args(["--person", "Lê Thị Hoa", "--reason", "thay người quản trị"])
        .output()
        .unwrap();
    assert!(renew.status.success(), "{}", String::from_utf8_lossy(&renew.stderr));
    let keys = folder.path().join("keys.json");
    assert_eq!(std::fs::read(&keys).unwrap(), std::fs::read(&backup).unwrap());
    assert_eq!((mode(&keys), mode(&backup)), (0o600, 0o600));

    // The kiosk goes on as it is: it believes its receipts, and its answers are opened.
    let central = TestCentral::start_in(folder, clock).await;
    assert!(!seals_for(&kiosk, &central));
    rated(&central, &mut kiosk, 26).await;
    let page = ticket.rsplit_once('/').unwrap().1;
    let page = format!("{}/R/{page}", central.service());
    assert_eq!(client().unwrap().get(page).send().await.unwrap().status().as_u16(), 200);
    // Enrolled again it seals for the new key; a copy with a key of its own is refused.
    let mut thief = twin(&kiosk, central.service());
    thief.identity.signing_key = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
    let refused = again(&central, &mut thief).await;
    assert!(matches!(refused, Err(EnrolmentError::Refused(_))), "{refused:?}");
    let number = kiosk.identity.enrolled.as_ref().unwrap().number;
    again(&central, &mut kiosk).await.unwrap();
    assert!(seals_for(&kiosk, &central));
    assert_eq!(kiosk.identity.enrolled.as_ref().unwrap().number, number);
    rated(&central, &mut kiosk, 27).await;
    // And another kiosk begins with the new ones.
    central.clock.set(at("2026-11-27 09:05"));
    let mut other = central.kiosk("q5").await;
    assert!(seals_for(&other, &central));
    let mut desk = other.desk();
    for _ in 0..5 {
        rate(&mut desk, "hai_long", &[]);
    }
    drop(desk);
    other.sent(13).await;

    // Every answer counts, and the roots follow each other.
    let store = central.store();
    assert_eq!(store.findings().await.unwrap(), []);
    assert_eq!(store.rated_contacts().await.unwrap().len(), 25);
    let rebuilt = central.central.rebuild().await.unwrap().unwrap();
    assert_eq!((rebuilt.differ, &rebuilt.unread[..]), (0, &[][..]));
    let seen = witness.look(&Network::to(&central.service())).await.unwrap();
    let seen: Vec<(u64, bool)> = seen.iter().map(|one| (one.number, one.refused)).collect();
    assert_eq!(seen, [(2, false), (3, false)]);
    let again = Witness::open(&kiosk.path(), old_key);
    assert_eq!(again.kept().unwrap().0, 3);
    let (folder, _) = central.stop().await;
    let checked = tokio::task::spawn_blocking(move || {
        let mut archive = Archive::of(folder.path(), ALL);
        let right = archive.check(None).problems;
        // Without the former key's word the new one is anybody's.
        let root = archive.places("root")[1];
        let statement = archive.records[root]["statement"].as_str().unwrap();
        assert!(statement.contains("\"renewed\":{"), "{statement}");
        archive.records[0]["root_key"] = "11".repeat(32).into();
        (right, archive.check(None).problems)
    });
    let (right, wrong) = checked.await.unwrap();
    assert_eq!(right, [""; 0]);
    assert!(wrong.iter().any(|told| told.contains("root 1 of the archive")), "{wrong:?}");
}

/// A ticket as whoever copied the disk makes it.
fn thief_s_ticket(thief: &mut TestKiosk, opened: &str) -> String {
    thief.identity.next = None;
    let mut desk = thief.desk_at(Arc::new(DemoClock::standing(at(opened))));
    let open = Record::Open { by: By::Later, counter: first_counter(&desk), level: None };
    let ticket = desk.keep(&open).unwrap().ticket.unwrap();
    ticket.rsplit_once('/').unwrap().1.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kiosk_has_a_new_key_only_by_the_word_of_its_own_and_the_old_one_opens_no_door() {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    rated(&central, &mut kiosk, 24).await;
    // What was not sent yet goes out under the new key.
    rate(&mut kiosk.desk(), "khong_hai_long", &[]);
    let before = left(&mut kiosk);
    let draw = |kiosk: &mut TestKiosk| kiosk.identity.draw_next(&mut system_random()).unwrap();
    let refused = |tried: Result<(), EnrolmentError>| {
        assert!(matches!(tried, Err(EnrolmentError::Refused(_))), "{tried:?}");
    };
    let mut thief = twin(&kiosk, central.service());
    let mut stranger = twin(&kiosk, central.service());
    stranger.identity.signing_key = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
    draw(&mut stranger);
    refused(again(&central, &mut stranger).await);

    let old = kiosk.identity.signing_key.verifying_key();
    draw(&mut kiosk);
    let mut cut_off = twin(&kiosk, central.service());
    central.clock.set(at("2026-11-25 08:00"));
    again(&central, &mut kiosk).await.unwrap();
    let new = kiosk.identity.signing_key.verifying_key();
    assert!(new != old && kiosk.identity.next.is_none());
    let kept = Identity::load(&kiosk.path()).unwrap().unwrap();
    assert_eq!(kept.signing_key.verifying_key(), new);
    // A reply that was lost, or a power cut before it was kept: it asks once more.
    again(&central, &mut cut_off).await.unwrap();
    assert_eq!(cut_off.identity.signing_key.verifying_key(), new);
    // Who copied the disk before sends nothing more, and does not get in by the old key's word.
    rate(&mut thief.desk(), "rat_hai_long", &[]);
    let journal = JournalReader::open(&thief.path()).unwrap();
    let last = journal.last().unwrap();
    let span = journal.epoch_of(last).unwrap().unwrap();
    let http = Http::new(&central.service()).unwrap();
    let reply = http.post(&batch(&thief, &journal, span.start..=last)).await.unwrap();
    assert_eq!(reply.status, 401, "{}", String::from_utf8_lossy(&reply.body));
    refused(again(&central, &mut thief).await);
    draw(&mut thief);
    refused(again(&central, &mut thief).await);

    // Nor does it make tickets; those that were made before are as good as any.
    let forged =
        ["2026-11-25 09:00", "2026-11-24 23:00"].map(|opened| thief_s_ticket(&mut thief, opened));
    let status = async |ticket: &str| {
        let page = format!("{}/R/{ticket}", central.service());
        client().unwrap().get(page).send().await.unwrap().status().as_u16()
    };
    rated(&central, &mut kiosk, 25).await;
    assert_eq!((status(&forged[0]).await, status(&forged[1]).await), (404, 404));
    assert_eq!(status(&before).await, 200);
    rated(&central, &mut kiosk, 26).await;
    let store = central.store();
    assert_eq!(store.findings().await.unwrap(), []);
    assert_eq!(store.rated_contacts().await.unwrap().len(), 16);
    let rebuilt = central.central.rebuild().await.unwrap().unwrap();
    assert_eq!((rebuilt.differ, &rebuilt.unread[..]), (0, &[][..]));
    let confirmed = store.matters().await.unwrap().kiosks[0].key;
    assert_eq!(confirmed, Hash::of(new.as_bytes()), "the new key is to be confirmed");
    let (folder, _) = central.stop().await;
    let checked = tokio::task::spawn_blocking(move || {
        let problems = |bend: fn(&mut serde_json::Value)| {
            let mut archive = Archive::of(folder.path(), ALL);
            let at = archive.places("kiosk")[0];
            bend(&mut archive.records[at]);
            archive.check(None).problems
        };
        [
            problems(|_| ()),
            problems(|kiosk| drop(kiosk.as_object_mut().unwrap().remove("former"))),
            problems(|kiosk| kiosk["former"][0]["until"] = "2026-11-24T08:30:00.000+07:00".into()),
            problems(|kiosk| kiosk["former"][0]["key"] = kiosk["key"].clone()),
            problems(|kiosk| kiosk["former"][0]["until"] = "2030-11-25T08:00:00.000+07:00".into()),
        ]
    });
    let [right, wrong @ .., longer] = checked.await.unwrap();
    assert_eq!(
        longer,
        ["ps-q3: a key of it was in use until another moment than the archive says"]
    );
    assert_eq!(right, [""; 0]);
    for wrong in wrong {
        assert!(wrong.iter().any(|told| told.contains("not signed by its key")), "{wrong:?}");
    }
}
