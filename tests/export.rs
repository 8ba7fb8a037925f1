//! Archives of a service that runs: by an auditor's own secret, while kiosks send; and figures of
//! days on which another directory was in force.

mod common;

use std::path::Path;
use std::process::{Command, Stdio};

use common::{TestCentral, TestKiosk, at, rate, sample_config};
use hailong::central::roots::make;
use hailong::central::verify::{Report, of_file};
use hailong::domain::access::Role;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::network::client;
use tempfile::TempDir;

async fn rated(kiosk: &mut TestKiosk, ratings: usize) {
    let mut desk = kiosk.desk();
    for _ in 0..ratings {
        rate(&mut desk, "hai_long", &["niem_no"]);
    }
    drop(desk);
    kiosk.sent(JournalReader::open(&kiosk.path()).unwrap().last().unwrap()).await;
}

/// `hailong` with these arguments: exit code and what it says.
async fn hailong(arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hailong"));
    command.args(arguments).env("HAILONG_LOG", "off").stdin(Stdio::null());
    tokio::task::spawn_blocking(move || {
        let done = command.output().unwrap();
        let said = [done.stdout, done.stderr].concat();
        (done.status.code().unwrap(), String::from_utf8(said).unwrap())
    })
    .await
    .unwrap()
}

async fn verified(file: &Path) -> Report {
    let file = file.to_owned();
    tokio::task::spawn_blocking(move || of_file(&file, None).unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_fetches_an_archive_of_a_running_service_and_nobody_else_does() {
    let central = TestCentral::start_at(at("2026-11-24 09:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    rated(&mut kiosk, 60).await;
    central.clock.set(at("2026-11-25 09:00"));
    make(&central.central).await.unwrap();
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("archive");
    let file = out.to_str().unwrap();
    let asked = ["export", "--opened", "--out", file];
    let administrator = central.asked_as(Role::Administrator).await;
    let place = administrator.each_ref().map(String::as_str);
    let (code, said) = hailong(&[&asked[..], &place].concat()).await;
    assert_eq!((code, said.contains("403")), (2, true), "{said}");
    assert!(!out.exists());
    // A kiosk goes on sending meanwhile.
    let auditor = central.asked_as(Role::Auditor).await;
    let place = auditor.each_ref().map(String::as_str);
    let all = [&asked[..], &place].concat();
    let (exported, ()) = tokio::join!(hailong(&all), rated(&mut kiosk, 40));
    assert_eq!(exported.0, 0, "{}", exported.1);
    let report = verified(&out).await;
    assert_eq!(report.problems, [""; 0]);
    assert!(report.lines >= 120 && report.summaries > 0, "{report:?}");
    let (code, said) = hailong(&all).await;
    assert_eq!((code, said.contains("exists")), (2, true), "{said}");
    assert!(out.exists(), "one that is there is left as it is");

    // That it was taken is a line, and stands in the next one.
    let next = folder.path().join("next");
    let part = ["export", "--out", next.to_str().unwrap()];
    let (code, said) = hailong(&[&part[..], &place].concat()).await;
    assert_eq!(code, 0, "{said}");
    let text = std::fs::read_to_string(&next).unwrap();
    assert!(text.contains("\\\"event\\\":\\\"exported\\\"") && !text.contains("\"answer\""));
    assert_eq!(verified(&next).await.problems, [""; 0]);
    // Whoever hangs up has taken something, too.
    let address = format!("http://{}/api/v1/export?opened=true", central.staff);
    let request = client().unwrap().get(address).bearer_auth(central.token(Role::Auditor).await);
    drop(request.send().await.unwrap());
    let exports = async || {
        let segments = central.store().segments(0, 10_000).await.unwrap();
        let noted = segments.iter().filter(|(_, segment)| {
            String::from_utf8_lossy(&segment.line_part).contains("\"event\":\"exported\"")
        });
        noted.count()
    };
    let noted = async {
        while exports().await < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), noted).await.unwrap();
    let days = ["export", "--to", "2020-01-01", "--out", "/nowhere"];
    assert_eq!(hailong(&[&days[..], &place].concat()).await.0, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_checked_with_the_directory_that_was_in_force_then() {
    let central = TestCentral::start_at(at("2026-11-24 09:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    rated(&mut kiosk, 12).await;
    central.clock.set(at("2026-11-25 00:01"));
    make(&central.central).await.unwrap();
    let (folder, clock) = central.stop().await;
    // A counter is named anew.
    let mut config = sample_config();
    config.offices[0].counters[0].name = "Tiếp nhận và trả kết quả".to_owned();
    let central = TestCentral::start_at_address("127.0.0.1:0", config, folder, clock, |_| {}).await;
    kiosk.service = central.service();
    central.clock.set(at("2026-11-25 09:00"));
    rated(&mut kiosk, 12).await;
    central.clock.set(at("2026-11-26 00:01"));
    make(&central.central).await.unwrap();
    let out = TempDir::new().unwrap();
    let file = out.path().join("archive");
    let auditor = central.asked_as(Role::Auditor).await;
    let asked = ["export", "--opened", "--out", file.to_str().unwrap()];
    let place = auditor.each_ref().map(String::as_str);
    assert_eq!(hailong(&[&asked[..], &place].concat()).await.0, 0);
    let report = verified(&file).await;
    assert_eq!(report.problems, [""; 0]);
    assert!(!report.notes.iter().any(|note| note.contains("directory")), "{:?}", report.notes);
    assert!(report.summaries >= 2, "{report:?}");
}
