//! The root of every day: made after midnight, signed, chained, published, handed over.

mod common;

use std::path::Path;
use std::sync::Arc;

use common::{TestCentral, TestKiosk, at, rate, sample_config};
use hailong::central::roots::make;
use hailong::demo::clock::DemoClock;
use hailong::domain::access::Role;
use hailong::domain::batch::Lines;
use hailong::domain::ids::Hash;
use hailong::domain::root::{BadRoot, Published, Statement, Tree, proves_line};
use hailong::kiosk::journal_reader::JournalReader;
use rusqlite::Connection;
use tempfile::TempDir;

async fn send(kiosk: &TestKiosk) {
    let last = JournalReader::open(&kiosk.path()).unwrap().last().unwrap();
    kiosk.sent(last).await;
}

/// Ratings at a counter on a day of November, sent at once or not.
async fn ratings(central: &TestCentral, kiosk: &mut TestKiosk, day: u8, sent: bool) {
    central.clock.set(at(&format!("2026-11-{day} 09:00")));
    let _ = make(&central.central).await;
    let mut desk = kiosk.desk();
    for _ in 0..6 {
        rate(&mut desk, "hai_long", &["niem_no"]);
    }
    drop(desk);
    if sent {
        send(kiosk).await;
    }
}

/// The roots as anybody reads them, the first first.
async fn published(central: &TestCentral) -> Vec<(Published, Statement)> {
    let address = format!("http://{}/api/v1/roots", central.citizens);
    let reply = reqwest::get(address).await.unwrap();
    let mut roots: Vec<Published> = serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap();
    roots.reverse();
    let key = central.central.keys.root.verifying_key();
    let verified = |root: Published| {
        assert_eq!(root.key, data_encoding::HEXLOWER.encode(key.as_bytes()));
        let statement = root.root.verify(&key).unwrap();
        (root, statement)
    };
    roots.into_iter().map(verified).collect()
}

/// Hashes of all lines in the order stored.
fn stored(folder: &Path) -> Vec<Hash> {
    let db = Connection::open(folder.join("central.db")).unwrap();
    let mut statement = db.prepare("SELECT lines FROM segment ORDER BY id").unwrap();
    let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    rows.flat_map(|lines| Lines::of(&lines.unwrap()).map(Hash::of).collect::<Vec<_>>()).collect()
}

#[tokio::test]
async fn each_day_on_which_something_came_has_one_root_over_all_of_it_chained_to_the_one_before() {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let (mut early, mut late) = (central.kiosk("q3").await, central.kiosk("q5").await);
    ratings(&central, &mut early, 24, true).await;
    ratings(&central, &mut late, 24, false).await;
    make(&central.central).await.unwrap();
    assert_eq!(published(&central).await.len(), 0, "the day is not over");
    ratings(&central, &mut early, 25, true).await;
    // Two days without a line; and what was rated on the 24th comes on the 28th.
    central.clock.set(at("2026-11-28 08:00"));
    make(&central.central).await.unwrap();
    send(&late).await;
    central.clock.set(at("2026-11-29 00:01"));
    make(&central.central).await.unwrap();
    make(&central.central).await.unwrap();

    let roots = published(&central).await;
    let stored = stored(central.folder.path());
    let days: Vec<String> = roots.iter().map(|(_, root)| root.day.to_string()).collect();
    assert_eq!(days, ["2026-11-24", "2026-11-27", "2026-11-28"]);
    let mut previous = Hash::NONE;
    let mut rest = &stored[..];
    for (number, (root, statement)) in (1..).zip(&roots) {
        assert_eq!((statement.number, statement.previous), (number, previous));
        assert_eq!(root.anchor, Hash::of(root.root.statement.as_bytes()));
        previous = root.anchor;
        let lines;
        (lines, rest) = rest.split_at(statement.lines as usize);
        let tree = Tree::from_iter(lines.iter().copied());
        assert_eq!(statement.root, tree.root());
        for (place, line) in (0..).zip(lines) {
            let proof = tree.prove_line(place).unwrap();
            assert!(proves_line(&proof, *line, place, statement.root, statement.lines));
        }
    }
    assert_eq!(rest, [], "every line stands under one root");
    // The kiosk list is the same; days without a root of their own have their summaries in the next.
    assert_eq!(roots[0].1.kiosks, roots[2].1.kiosks);
    let summaries = |n: usize| roots[n].1.summaries.keys().map(|day| day.day()).collect::<Vec<_>>();
    assert_eq!((summaries(0), summaries(1), summaries(2)), (vec![24], vec![25, 26, 27], vec![28]));
}

#[tokio::test]
async fn a_root_says_what_was_found_who_was_admitted_and_which_figures_were_published() {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    ratings(&central, &mut kiosk, 24, true).await;
    central.clock.set(at("2026-11-25 00:00"));
    make(&central.central).await.unwrap();
    let address = format!("http://{}/api/v1/summary/phu-sa/2026-11-24", central.staff);
    let request =
        reqwest::Client::new().get(address).bearer_auth(central.token(Role::Supervisor).await);
    let reply = request.send().await.unwrap().bytes().await.unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&reply).unwrap();
    let roots = published(&central).await;
    let digest = roots[0].1.summaries[&roots[0].1.day].values().next().unwrap().to_string();
    assert_eq!(summary["digest"], digest.as_str());
    // Another kiosk, and a clock that cannot be right.
    let mut other = central.kiosk("q5").await;
    let wrong = Arc::new(DemoClock::standing(at("2026-01-01 00:00")));
    let mut desk = other.desk_at(Arc::clone(&wrong) as _);
    rate(&mut desk, "hai_long", &[]);
    drop(desk);
    let wrong = Arc::new(DemoClock::standing(at("2027-01-01 00:00")));
    let mut desk = other.desk_at(wrong as _);
    rate(&mut desk, "hai_long", &[]);
    drop(desk);
    send(&other).await;
    central.clock.set(at("2026-11-26 00:00"));
    make(&central.central).await.unwrap();
    let roots = published(&central).await;
    assert_eq!(roots.len(), 2);
    assert_ne!(roots[0].1.kiosks, roots[1].1.kiosks);
    assert_ne!(roots[0].1.findings, roots[1].1.findings);
    assert_eq!(
        roots[1].0.root.verify(&central.central.keys.series.verifying_key()),
        Err(BadRoot::Signature),
        "each key has its own use"
    );
}

#[tokio::test]
async fn a_service_that_was_down_at_midnight_makes_the_root_when_it_starts() {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    ratings(&central, &mut kiosk, 24, true).await;
    let (folder, clock) = central.stop().await;
    clock.set(at("2026-11-27 10:00"));
    let central = TestCentral::start_in(folder, clock).await;
    let waited = async {
        loop {
            let roots = published(&central).await;
            if !roots.is_empty() {
                return roots;
            }
            tokio::task::yield_now().await;
        }
    };
    let roots = tokio::time::timeout(std::time::Duration::from_secs(20), waited).await.unwrap();
    assert_eq!(roots[0].1.day.to_string(), "2026-11-26");
    assert_eq!(roots[0].1.summaries.len(), 3, "of the days since, too");
}

#[tokio::test]
async fn roots_are_handed_to_a_folder_and_wait_while_it_is_away() {
    let share = TempDir::new().unwrap();
    let folder = share.path().join("thanh-tra");
    let there = folder.clone();
    let clock = Arc::new(DemoClock::standing(at("2026-11-24 08:00")));
    let (data, config) = (TempDir::new().unwrap(), sample_config());
    let central = TestCentral::start_at_address("127.0.0.1:0", config, data, clock, |config| {
        config.roots = Some(there);
    })
    .await;
    let mut kiosk = central.kiosk("q3").await;
    ratings(&central, &mut kiosk, 24, true).await;
    ratings(&central, &mut kiosk, 25, true).await;
    let away = make(&central.central).await.unwrap_err();
    assert!(away.to_string().contains("thanh-tra"), "{away}");
    assert_eq!(published(&central).await.len(), 1, "it is made all the same");
    std::fs::create_dir(&folder).unwrap();
    make(&central.central).await.unwrap();
    central.clock.set(at("2026-11-26 00:00"));
    make(&central.central).await.unwrap();
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let handed = files
        .iter()
        .map(|file| serde_json::from_slice::<Published>(&std::fs::read(file).unwrap()).unwrap());
    let roots = published(&central).await.into_iter().map(|(root, _)| root);
    assert_eq!(handed.collect::<Vec<_>>(), roots.collect::<Vec<_>>());
    assert!(files[1].ends_with("000002-2026-11-25.json"), "{files:?}");
}
