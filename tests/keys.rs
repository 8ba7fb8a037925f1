//! The central service's keys: nothing begins before a backup of them lies elsewhere, and a demo's
//! are no real service's.

mod common;
#[path = "common/installed.rs"]
mod installed;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use common::at;
use hailong::central::keys::Keys;
use hailong::demo::clock::DemoClock;
use installed::{Installed, hailong};

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
fn keys_of_a_demo_are_refused_by_a_real_service() {
    let installed = Installed::new();
    Keys::load_or_create_demo(&installed.data()).unwrap();
    let backup = installed.folder.path().join("stick.json").display().to_string();
    let (code, said) = refused(&installed, &["--backup", &backup]);
    assert_eq!((code, said.contains("a demo's")), (2, true), "{said}");
}
