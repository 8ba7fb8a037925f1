//! Decisions of named persons: lines, never edits; what follows from them, and that each can be
//! taken back.

mod common;
#[path = "common/installed.rs"]
mod installed;

use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use common::{TestCentral, TestKiosk, at, batch, rate};
use hailong::central::decide::DecideError;
use hailong::central::store::{ForkKind, Hole, HoleState, Matters};
use hailong::domain::access::{Role, Unit};
use hailong::domain::decision::{Decision, What};
use hailong::domain::ids::{Epoch, Hash};
use hailong::domain::rating::{Key, Outcome};
use hailong::domain::time::At;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::transport::{Http, Transport};
use jiff::civil::{Date, date};

fn by(what: What) -> Decision {
    let (person, reason) = ("Lê Thị Hoa, văn phòng".to_owned(), "đã đối chiếu sổ trực".to_owned());
    Decision { what, person, reason }
}

async fn decide(central: &TestCentral, what: What) -> (Epoch, u64) {
    let taken = central.central.decide(by(what), Unit::PROVINCE).await.unwrap();
    // Whatever is decided, it follows from the lines.
    let rebuilt = central.central.rebuild().await.unwrap().unwrap();
    assert_eq!((rebuilt.differ, &rebuilt.unread[..]), (0, &[][..]), "{:?}", rebuilt.rows);
    taken
}

async fn withdraw(central: &TestCentral, (epoch, seq): (Epoch, u64)) {
    decide(central, What::Withdrawn { epoch, seq }).await;
}

async fn matters(central: &TestCentral) -> Matters {
    central.store().matters().await.unwrap()
}

/// Sends lines of a kiosk's journal.
async fn send(central: &TestCentral, kiosk: &TestKiosk, lines: std::ops::RangeInclusive<u64>) {
    let journal = JournalReader::open(&kiosk.path()).unwrap();
    let http = Http::new(&central.service()).unwrap();
    http.post(&batch(kiosk, &journal, lines)).await.unwrap();
}

fn day(n: i8) -> Date {
    date(2026, 11, n)
}

/// How many counted ratings each official has on a day; nobody under "".
async fn officials(central: &TestCentral, date: Date) -> BTreeMap<String, u64> {
    let office = "phu-sa".parse().unwrap();
    let mut officials = BTreeMap::new();
    for rated in central.store().ratings(&office, date).await.unwrap() {
        let id = rated.official.map(|id| id.to_string()).unwrap_or_default();
        *officials.entry(id).or_default() += 1;
    }
    officials
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roster_is_corrected_for_a_time_whether_the_ratings_come_before_or_after_the_decision() {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    let rostered = "cb07";
    let mut desk = kiosk.desk();
    for hour in [8, 9, 10] {
        central.clock.set(at(&format!("2026-11-24 {hour:02}:15")));
        rate(&mut desk, "hai_long", &[]);
        rate(&mut desk, "rat_hai_long", &[]);
    }
    drop(desk);
    let last = JournalReader::open(&kiosk.path()).unwrap().last().unwrap();
    send(&central, &kiosk, 1..=9).await;
    let tallies = |officials: &[(&str, u64)]| -> BTreeMap<String, u64> {
        officials.iter().map(|(id, n)| ((*id).to_owned(), *n)).collect()
    };
    let before = officials(&central, day(24)).await;
    assert_eq!(before.keys().collect::<Vec<_>>(), [rostered], "{before:?}");
    let attributed = What::Attributed {
        office: "phu-sa".parse().unwrap(),
        counter: "q3".parse().unwrap(),
        from: at("2026-11-24 09:00"),
        until: at("2026-11-24 10:00"),
        official: Some("cb05".parse().unwrap()),
    };
    let taken = decide(&central, attributed.clone()).await;
    // The other half comes after it.
    kiosk.sent(last).await;
    assert_eq!(officials(&central, day(24)).await, tallies(&[(rostered, 4), ("cb05", 2)]));
    let nobody = match attributed {
        What::Attributed { office, counter, from, until, .. } => {
            What::Attributed { office, counter, from, until, official: None }
        }
        other => other,
    };
    let later = decide(&central, nobody).await;
    assert_eq!(officials(&central, day(24)).await, tallies(&[(rostered, 4), ("", 2)]));
    withdraw(&central, later).await;
    assert_eq!(officials(&central, day(24)).await, tallies(&[(rostered, 4), ("cb05", 2)]));
    withdraw(&central, taken).await;
    assert_eq!(officials(&central, day(24)).await, tallies(&[(rostered, 6)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_review_counts_on_the_day_that_a_person_names_until_that_is_withdrawn() {
    let central = TestCentral::start_at(at("2026-11-24 09:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    // The kiosk's clock is a day ahead: nobody can tell the day.
    let ahead = hailong::demo::clock::DemoClock::standing(at("2026-11-26 09:00"));
    let mut desk = kiosk.desk_at(std::sync::Arc::new(ahead));
    for _ in 0..6 {
        rate(&mut desk, "hai_long", &[]);
    }
    drop(desk);
    let journal = JournalReader::open(&kiosk.path()).unwrap();
    let (last, epoch) = (journal.last().unwrap(), journal.epoch_of(1).unwrap().unwrap().epoch);
    send(&central, &kiosk, 1..=last).await;
    let rated = async |of: Date| {
        let office = "phu-sa".parse().unwrap();
        let tallies = central.store().day(&office, of).await.unwrap().tallies;
        let rated = tallies.into_iter().find(|(key, _)| *key == Key::Outcome(Outcome::Rated));
        rated.map_or(0, |(_, n)| n)
    };
    assert_eq!((rated(day(24)).await, rated(day(26)).await), (0, 0));
    assert_eq!(matters(&central).await.findings.len(), 6);
    let dated = What::Dated { kiosk: journal_kiosk(&kiosk), epoch, first: 1, last, day: day(24) };
    let taken = decide(&central, dated).await;
    assert_eq!((rated(day(24)).await, matters(&central).await.findings.len()), (6, 0));
    withdraw(&central, taken).await;
    assert_eq!((rated(day(24)).await, matters(&central).await.findings.len()), (0, 6));
    // One of them was looked at, and stays as it is.
    let open = matters(&central).await.findings[0].finding.clone();
    let settled = What::Settled {
        kind: open.kind.clone(),
        kiosk: open.kiosk.parse().unwrap(),
        epoch: open.epoch.parse().unwrap(),
        seq: open.seq,
    };
    let taken = decide(&central, settled).await;
    let settled = |matters: Matters| matters.findings.iter().filter(|one| one.settled).count();
    assert_eq!(settled(matters(&central).await), 1);
    withdraw(&central, taken).await;
    assert_eq!(settled(matters(&central).await), 0);
}

fn journal_kiosk(kiosk: &TestKiosk) -> hailong::domain::ids::KioskId {
    kiosk.sender().kiosk
}

/// The state of a day as its page has it.
async fn state(central: &TestCentral, day: Date) -> String {
    let (store, config) = (central.store(), &central.central.config);
    let now = At::new(hailong::clock::Clock::now(&*central.clock));
    let office = &config.offices[0];
    let summary = common::of_day(store, office, &config.forms, day, now).await.unwrap();
    serde_json::to_value(summary.state).unwrap().as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_waits_for_missing_lines_until_a_person_signs_them_off_as_lost() {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    for morning in ["2026-11-24 09:00", "2026-11-25 09:00"] {
        central.clock.set(at(morning));
        let mut desk = kiosk.desk();
        for _ in 0..3 {
            rate(&mut desk, "hai_long", &[]);
        }
    }
    let journal = JournalReader::open(&kiosk.path()).unwrap();
    let last = journal.last().unwrap();
    let spans = [1, last].map(|seq| journal.epoch_of(seq).unwrap().unwrap());
    // Lines 5 and 6 of the first day, and the first of the second, never come.
    for lines in [1..=4, 7..=spans[0].last, spans[1].start + 1..=last] {
        send(&central, &kiosk, lines).await;
    }
    central.clock.set(at("2026-11-26 08:00"));
    assert_eq!(state(&central, day(24)).await, "provisional");
    let kiosk = journal_kiosk(&kiosk);
    let since = Some(at("2026-11-25 09:00"));
    let hole = |epoch, first, last| Hole {
        kiosk: kiosk.clone(),
        epoch,
        first,
        last,
        since,
        state: HoleState::Pending,
    };
    let holes = matters(&central).await.holes;
    let first = hole(spans[0].epoch, 5, 6);
    let started = hole(spans[1].epoch, spans[1].start, spans[1].start);
    assert_eq!(holes, [first, started]);
    central.clock.set(at("2026-11-28 09:00"));
    let late = matters(&central).await.holes;
    assert!(late.iter().all(|hole| hole.state == HoleState::Late), "{late:?}");
    let lost = |hole: &Hole| What::Lost {
        kiosk: hole.kiosk.clone(),
        epoch: hole.epoch,
        first: hole.first,
        last: hole.last,
    };
    let taken = decide(&central, lost(&holes[0])).await;
    // Up to its last line the first day's epoch is whole; the second's way is not known.
    assert_eq!(state(&central, day(24)).await, "provisional");
    let marked: Vec<bool> =
        matters(&central).await.holes.iter().map(|hole| hole.state == HoleState::Lost).collect();
    assert_eq!(marked, [true, false]);
    decide(&central, lost(&holes[1])).await;
    assert_eq!(state(&central, day(24)).await, "complete");
    assert_eq!(state(&central, day(25)).await, "provisional", "it may still come");
    withdraw(&central, taken).await;
    let marked: Vec<bool> =
        matters(&central).await.holes.iter().map(|hole| hole.state == HoleState::Lost).collect();
    assert_eq!(marked, [false, true]);
    assert_eq!(state(&central, day(24)).await, "provisional");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_kiosk_keeps_what_it_has_and_a_retired_one_holds_no_day_up() {
    let central = TestCentral::start_at(at("2026-11-24 09:00")).await;
    let (mut kiosk, mut gone) = (central.kiosk("q3").await, central.kiosk("q5").await);
    for one in [&mut kiosk, &mut gone] {
        let mut desk = one.desk();
        for _ in 0..5 {
            rate(&mut desk, "hai_long", &[]);
        }
        desk.stop().unwrap();
    }
    gone.sent(13).await;
    let id = journal_kiosk(&kiosk);
    let suspended = decide(&central, What::Suspended { kiosk: id.clone() }).await;
    let journal = JournalReader::open(&kiosk.path()).unwrap();
    let last = journal.last().unwrap();
    let http = Http::new(&central.service()).unwrap();
    let reply = http.post(&batch(&kiosk, &journal, 1..=last)).await.unwrap();
    let detail = String::from_utf8(reply.body).unwrap();
    assert_eq!((reply.status, detail.contains("suspended")), (403, true), "{detail}");
    withdraw(&central, suspended).await;
    kiosk.sent(last).await;

    // The other one is never heard of again.
    central.clock.set(at("2026-11-25 09:00"));
    let mut desk = kiosk.desk();
    rate(&mut desk, "hai_long", &[]);
    central.clock.set(at("2026-11-26 09:00"));
    rate(&mut desk, "hai_long", &[]);
    drop(desk);
    kiosk.sent(JournalReader::open(&kiosk.path()).unwrap().last().unwrap()).await;
    assert_eq!(state(&central, day(25)).await, "provisional");
    let other = journal_kiosk(&gone);
    let retired =
        What::Retired { kiosk: other.clone(), since: day(25), replaced_by: Some(id.clone()) };
    let taken = decide(&central, retired).await;
    assert_eq!(state(&central, day(25)).await, "complete");
    assert_eq!(state(&central, day(24)).await, "provisional", "on that day it was in use");
    let journal = JournalReader::open(&gone.path()).unwrap();
    let reply = http.post(&batch(&gone, &journal, 1..=2)).await.unwrap();
    assert_eq!(reply.status, 403);
    withdraw(&central, taken).await;
    assert_eq!(state(&central, day(25)).await, "provisional");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_decided_about_what_is_not_here() {
    let central = TestCentral::start_at(at("2026-11-24 09:00")).await;
    let kiosk = central.kiosk("q3").await;
    let (id, stranger) = (journal_kiosk(&kiosk), "ps-q9".parse().unwrap());
    let epoch = Epoch(7);
    let (office, counter) = ("phu-sa".parse().unwrap(), "q3".parse().unwrap());
    let (from, until) = (at("2026-11-24 08:00"), at("2026-11-24 09:00"));
    for what in [
        What::Suspended { kiosk: stranger },
        What::Lost { kiosk: id.clone(), epoch, first: 1, last: 2 },
        What::Settled { kind: "fork".into(), kiosk: id.clone(), epoch, seq: 1 },
        What::Confirmed { kiosk: id.clone(), key: Hash::of(b"another") },
        What::Attributed { office, counter, from, until, official: Some("cb99".parse().unwrap()) },
        What::Retired { kiosk: id, since: day(24), replaced_by: Some("ps-q8".parse().unwrap()) },
        What::Withdrawn { epoch, seq: 1 },
        What::WordsErased { before: day(30) },
        What::Erased { kiosk: journal_kiosk(&kiosk), epoch, contact: 6, words_only: true },
        What::KeysRenewed { opening: "a".into(), receipt: "b".into(), root: "c".into() },
        What::Unknown,
    ] {
        let refused = central.central.decide(by(what.clone()), Unit::PROVINCE).await.unwrap_err();
        assert!(refused.is_usage(), "{what:?}");
        assert!(matches!(refused, DecideError::NotHere(_) | DecideError::Bad(_)), "{refused}");
    }
    assert_eq!(matters(&central).await.decisions, []);
}

fn hailong(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hailong"));
    command.args(arguments).env("HAILONG_LOG", "off").stdin(Stdio::null());
    command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_compares_the_words_of_a_kiosk_by_command() {
    let central = TestCentral::start_at(at("2026-11-24 09:00")).await;
    let kiosk = central.kiosk("q3").await;
    let id = journal_kiosk(&kiosk).to_string();
    let place = central.asked_as(Role::Administrator).await;
    let here = place.each_ref().map(String::as_str);
    let run = async |arguments: Vec<String>| {
        tokio::task::spawn_blocking(move || {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let done = hailong(&arguments);
            let said =
                String::from_utf8(done.stdout).unwrap() + &*String::from_utf8_lossy(&done.stderr);
            (done.status.code().unwrap(), said)
        })
        .await
        .unwrap()
    };
    let list =
        [&["admin", "matters"][..], &here].concat().iter().map(|a| (*a).to_owned()).collect();
    let (code, said) = run(list).await;
    let words = matters(&central).await.kiosks[0].fingerprint.clone();
    assert_eq!((code, said.contains(&words)), (0, true), "{said}");
    let decide = |words: &str| -> Vec<String> {
        let who = ["--person", "Lê Thị Hoa", "--reason", "đã xem tại quầy"];
        let what = ["confirm", "--kiosk", &id, "--words", words];
        let all = [&["admin", "decide"][..], &here, &who, &what].concat();
        all.iter().map(|argument| (*argument).to_owned()).collect()
    };
    let (code, said) = run(decide("một hai ba bốn năm sáu")).await;
    assert_eq!((code, said.contains("another key")), (5, true), "{said}");
    assert!(!matters(&central).await.kiosks[0].confirmed);
    let (code, said) = run(decide(&words)).await;
    assert_eq!(code, 0, "{said}");
    assert!(matters(&central).await.kiosks[0].confirmed);

    // The same on the folder, once no service runs.
    let (folder, _) = tokio::time::timeout(Duration::from_secs(20), central.stop()).await.unwrap();
    let data = folder.path().display().to_string();
    let all = ["admin", "matters", "--all", "--data", &data].map(str::to_owned).to_vec();
    let (code, said) = run(all).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("Lê Thị Hoa") && said.contains(": in use"), "{said}");
}

/// What the only fork here is taken for: how, and the lines in doubt.
async fn fork(central: &TestCentral) -> (ForkKind, u64, u64) {
    let forks = matters(central).await.findings.into_iter().filter_map(|matter| matter.fork);
    let forks: Vec<_> = forks.collect();
    assert_eq!(forks.len(), 1, "{forks:?}");
    (forks[0].how, forks[0].first, forks[0].last)
}

async fn all_sent(kiosk: &TestKiosk) {
    kiosk.sent(JournalReader::open(&kiosk.path()).unwrap().last().unwrap()).await;
}

fn rated(central: &TestCentral, kiosk: &mut TestKiosk, time: &str) {
    central.clock.set(at(&format!("2026-11-24 {time}")));
    let mut desk = kiosk.desk();
    rate(&mut desk, "hai_long", &[]);
    desk.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_disk_a_copied_one_and_a_lost_one_are_told_apart() {
    for how in [ForkKind::RolledBack, ForkKind::Cloned, ForkKind::Lost] {
        let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
        let mut kiosk = central.kiosk("q3").await;
        rated(&central, &mut kiosk, "08:10"); // lines 1 to 6
        all_sent(&kiosk).await;
        let mut copy = installed::twin(&kiosk, central.service());
        rated(&central, &mut kiosk, "09:00"); // 7 to 12
        all_sent(&kiosk).await;
        match how {
            // Yesterday's disk is put into the same machine.
            ForkKind::RolledBack => {
                rated(&central, &mut copy, "10:00");
                all_sent(&copy).await;
            }
            // The first machine goes on, too: its epoch has not ended.
            ForkKind::Cloned => {
                let mut desk = kiosk.desk(); // 13 and on
                rate(&mut desk, "hai_long", &[]);
                rated(&central, &mut copy, "10:00");
                central.clock.set(at("2026-11-24 11:00"));
                rate(&mut desk, "hai_long", &[]);
                drop(desk);
                all_sent(&kiosk).await;
                all_sent(&copy).await;
            }
            ForkKind::Lost => {
                for file in ["journal.db", "journal.db-wal", "journal.db-shm"] {
                    let _ = std::fs::remove_file(kiosk.path().join(file));
                }
                rated(&central, &mut kiosk, "10:00");
                all_sent(&kiosk).await;
            }
        }
        let found = matters(&central).await.findings;
        let forks: Vec<_> = found.iter().filter_map(|matter| matter.fork.as_ref()).collect();
        assert!(
            !forks.is_empty() && forks.iter().all(|fork| fork.how == how),
            "{how:?}: {found:?}"
        );
        if how == ForkKind::RolledBack {
            assert_eq!(fork(&central).await, (how, 7, 12));
        }
    }
}
