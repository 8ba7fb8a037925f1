//! Disks that fail: each call that reaches the disk, the n-th of each kind, at the kiosk and at the
//! central service; disks that are slow, or allow only reading.
//!
//! The faults are put between the real programs and the system by strace. Whatever was thanked or
//! receipted must be there afterwards, whatever failed must have been told, and a start on a disk
//! that works again must go on. `HAILONG_EVERY=1` fails every n, not only some.

#[path = "common/audit.rs"]
mod audit;
#[path = "common/child.rs"]
mod child;
mod common;
#[path = "common/installed.rs"]
mod installed;
#[path = "common/kept.rs"]
mod kept;

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use audit::audit;
use child::Start;
use common::copy;
use common::{TestCentral, TestKiosk, at, has, rate};
use hailong::central::store::Store;
use hailong::central::store::sqlite::SqliteStore;
use hailong::clock::Clock;
use hailong::demo::clock::DemoClock;
use hailong::domain::time::At;
use hailong::kiosk::journal_reader::JournalReader;
use installed::{Installed, SmallDisk, hailong, twin};
use kept::{Shown, counted, has_received, holds, rated, stored};

/// Not a test: the kiosks that these tests start live here.
#[test]
fn child_entry() {
    child::entry();
}

/// The calls that reach the disk.
const CALLS: [&str; 4] = ["pwrite64", "fsync,fdatasync", "ftruncate", "pread64"];
/// The n-th call of a thread that fails, for n from 1.
const SOME: [u32; 4] = [1, 3, 9, 27];

/// strace that lets calls fail, as the child's parent's grandchild: so a kill hits the program.
fn failing<'a>(inject: &'a str, trace: &'a str) -> [&'a str; 9] {
    [
        "strace",
        "-D",
        "-f",
        "-qq",
        "-o",
        trace,
        "-e",
        inject,
        "-etrace=pwrite64,fsync,fdatasync,ftruncate,pread64",
    ]
}

/// One visitor at a child's screen; adds what was acknowledged. Says whether they were thanked, or
/// told that it was not kept.
fn visit(child: &mut child::Kiosk, level: usize, shown: &mut Vec<Shown>) -> bool {
    let refused = |page: &str| page.starts_with("not-kept ");
    let page = child.does(&format!("face {level}"));
    if refused(&page) {
        assert_eq!(child.does("pass 15000"), "home");
        return false;
    }
    let rated = Shown::read(&page);
    let Shown::Level { contact, .. } = rated else { panic!("{page}") };
    shown.extend([rated, Shown::Ticks { contact, ticked: vec![] }]);
    let page = child.does("send");
    if refused(&page) {
        assert_eq!(child.does("pass 15000"), "home");
        return false;
    }
    shown.push(Shown::read(&page));
    assert_eq!(child.does("paper"), "home");
    true
}

/// A kiosk whose calls fail as `inject` says, started, rated at, killed, and started again on a
/// disk that works. Gives how many calls failed and how many visitors were told that theirs was
/// not kept.
async fn kiosk_lives_through(central: &TestCentral, inject: &str) -> (usize, usize) {
    let kiosk = central.kiosk("q3").await;
    let opening = &central.central.keys.opening;
    let folder = kiosk.path();
    let trace = folder.join("trace");
    let inject = format!("inject={inject}");
    let under = failing(&inject, trace.to_str().unwrap());
    let mut shown = Vec::new();
    let mut told = 0;
    let mut child = Start { under: &under, ..Start::new(&folder, "2026-11-24 08:15") }.spawn();
    // A start that fails says so and ends; it is not the start of a kiosk that keeps nothing.
    if child.starts() {
        for level in 0..5 {
            told += usize::from(!visit(&mut child, level, &mut shown));
        }
        child.kill();
    } else {
        told += 1;
        drop(child);
    }
    let failed = std::fs::read_to_string(&trace).unwrap().matches("(INJECTED)").count();
    let mut child = Start::new(&folder, "2026-11-24 09:15").ready();
    assert!(visit(&mut child, 0, &mut shown), "{inject}: on a disk that works");
    child.stop();
    let journal = audit(&folder, opening);
    holds(&journal, &shown, central);
    kiosk.sent(journal.len() as u64).await;
    assert_eq!(counted(central.store()).await, rated(&journal).collect(), "{inject}");
    let why = std::fs::read_to_string(folder.join("damaged/1/why.txt")).unwrap_or_default();
    assert_eq!(why, "", "{inject}: a failing disk is no damaged journal");
    (failed, told)
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_kiosk_any_call_to_the_disk_may_fail() {
    if !has("strace") {
        return;
    }
    let every = std::env::var_os("HAILONG_EVERY").is_some();
    let (mut failures, mut refusals) = (0, 0);
    for call in CALLS {
        for n in 1.. {
            if !every && !SOME.contains(&n) {
                if n > SOME[SOME.len() - 1] {
                    break;
                }
                continue;
            }
            let error = if n % 3 == 0 { "ENOSPC" } else { "EIO" };
            let central = TestCentral::start().await;
            let (failed, told) =
                kiosk_lives_through(&central, &format!("{call}:error={error}:when={n}")).await;
            (failures, refusals) = (failures + failed, refusals + told);
            if failed == 0 {
                break;
            }
        }
    }
    // Again and again, so that the way on fails, too.
    for (call, when) in [("pwrite64", "31+17"), ("fsync,fdatasync", "6+3"), ("pwrite64", "40+1")] {
        let central = TestCentral::start().await;
        let (failed, told) =
            kiosk_lives_through(&central, &format!("{call}:error=EIO:when={when}")).await;
        (failures, refusals) = (failures + failed, refusals + told);
    }
    assert!(failures >= 15 && refusals >= 8, "{failures} calls failed, {refusals} were told");
    eprintln!("{failures} calls failed, {refusals} visitors or starts were told");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_slow_disk_nobody_is_thanked_before_it_has_the_answer() {
    if !has("strace") {
        return;
    }
    let central = TestCentral::start().await;
    let kiosk = central.kiosk("q3").await;
    let folder = kiosk.path();
    let trace = folder.join("trace");
    let under = failing("inject=fsync,fdatasync:delay_exit=100000", trace.to_str().unwrap());
    let mut child = Start { under: &under, ..Start::new(&folder, "2026-11-24 08:15") }.ready();
    let mut shown = Vec::new();
    let mut slowest = Duration::ZERO;
    for level in 0..4 {
        let began = Instant::now();
        shown.push(Shown::read(&child.does(&format!("face {level}"))));
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(100), "acknowledged after {took:?}");
        slowest = slowest.max(took);
        assert_eq!(child.does("skip").split(' ').next(), Some("thanks"));
        assert_eq!(child.does("paper"), "home");
    }
    child.stop();
    holds(&audit(&folder, &central.central.keys.opening), &shown, &central);
    eprintln!("slowest page on a disk that takes 100 ms: {slowest:?}");
}

/// Kiosks with a day in several epochs, each of which is a batch.
fn day(kiosk: &mut TestKiosk, epochs: usize) -> u64 {
    for _ in 0..epochs {
        let mut desk = kiosk.desk();
        desk.journal().weaken_for_negative_control().unwrap();
        for level in ["rat_hai_long", "khong_hai_long"] {
            rate(&mut desk, level, &[]);
        }
        desk.stop().unwrap();
    }
    JournalReader::open(&kiosk.path()).unwrap().last().unwrap()
}

/// Lets the clock run while `work` goes on, so that back-offs pass.
fn pass(clock: &Arc<DemoClock>) -> tokio::task::AbortHandle {
    let clock = Arc::clone(clock);
    let passing = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            clock.set(At::new(clock.now()).plus_minutes(1));
        }
    });
    passing.abort_handle()
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_central_service_any_call_to_the_disk_may_fail() {
    if !has("strace") {
        return;
    }
    const EPOCHS: usize = 12;
    let every = std::env::var_os("HAILONG_EVERY").is_some();
    let clock = Arc::new(DemoClock::standing(at("2026-11-24 07:45")));
    let installed = Installed::new();
    let service = installed.start();
    let mut kiosk = installed.enrol(&service, "q3", &clock).await;
    service.stop();
    let last = day(&mut kiosk, EPOCHS);
    let beginning = installed.folder.path().join("beginning");
    copy(&installed.data(), &beginning);

    let calm = tempfile::TempDir::new().unwrap();
    copy(&beginning, calm.path());
    let calm = TestCentral::start_in(calm, Arc::clone(&clock)).await;
    twin(&kiosk, calm.service()).sent(last).await;
    let digest = calm.store().canonical_digest().await.unwrap();
    let given = counted(calm.store()).await;
    assert_eq!(given.len(), 2 * EPOCHS);

    let mut whens: Vec<(&str, String)> = Vec::new();
    for call in CALLS {
        let many = if every { (1..=150).collect() } else { vec![2, 17] };
        whens.extend(many.iter().map(|n| (call, n.to_string())));
        whens.push((call, "50+61".into()));
    }
    let passing = pass(&clock);
    let (mut failures, mut starts) = (0, 0);
    for (call, when) in whens {
        std::fs::remove_dir_all(installed.data()).unwrap();
        copy(&beginning, &installed.data());
        let sender = twin(&kiosk, installed.citizens());
        let trace = installed.folder.path().join("trace");
        let inject = format!("inject={call}:error=EIO:when={when}");
        let under = failing(&inject, trace.to_str().unwrap());
        let mut sending = sender.send();
        match installed.start_under(&under) {
            // It goes on after whatever failed, or asks to be asked again.
            Some(service) => {
                sending.drained(last).await;
                drop(service);
                let there = stored(&installed.data());
                has_received(&there, &sender, last);
            }
            None => starts += 1,
        }
        failures += std::fs::read_to_string(&trace).unwrap().matches("(INJECTED)").count();
        let service = installed.start();
        sending.drained(last).await;
        service.stop();
        let store = SqliteStore::open_read_only(&installed.data()).unwrap();
        assert_eq!(counted(&store).await, given, "{inject}");
        assert_eq!(store.canonical_digest().await.unwrap(), digest, "{inject}");
    }
    passing.abort();
    assert!(failures >= 7, "{failures} calls failed");
    eprintln!("{failures} calls failed, {starts} starts were refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_disk_of_the_central_service_delays_receipts_and_loses_none() {
    if !has("strace") {
        return;
    }
    let clock = Arc::new(DemoClock::standing(at("2026-11-24 07:45")));
    let installed = Installed::new();
    let service = installed.start();
    let mut kiosk = installed.enrol(&service, "q3", &clock).await;
    service.stop();
    let last = day(&mut kiosk, 4);
    let trace = installed.folder.path().join("trace");
    let under = failing("inject=fsync,fdatasync:delay_exit=100000", trace.to_str().unwrap());
    let service = installed.start_under(&under).unwrap();
    let began = Instant::now();
    kiosk.sent(last).await;
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(400), "four batches, a sync for each, in {took:?}");
    drop(service);
    has_received(&stored(&installed.data()), &kiosk, last);
}

#[test]
fn on_a_disk_that_allows_only_reading_no_program_starts_and_each_says_why() {
    let Some(disk) = SmallDisk::mount("8m") else { return };
    let installed = Installed::new();
    installed.start().stop();
    copy(&installed.data(), &disk.path().join("central"));
    let config = |name: &str, from: &str, to: &str| {
        let file = installed.folder.path().join("config").join(name);
        let text = std::fs::read_to_string(&file).unwrap();
        let to = format!("data = {:?}", disk.path().join(to));
        assert!(text.contains(from), "{name}");
        std::fs::write(&file, text.replace(from, &to)).unwrap();
        file
    };
    let central = config("central.toml", "data = \"../data\"", "central");
    let kiosk = config("kiosk.toml", "data = \"../kiosk-data\"", "kiosk");
    std::fs::create_dir(disk.path().join("kiosk")).unwrap();
    let remount = |how: &str| {
        let option = format!("remount,{how}");
        let mount = Command::new("mount").args(["-o", &option]).arg(disk.path()).status();
        assert!(mount.unwrap().success());
    };
    let files = || -> BTreeSet<(String, Vec<u8>)> {
        let folder = std::fs::read_dir(disk.path().join("central")).unwrap().map(Result::unwrap);
        folder
            .map(|file| {
                let name = file.file_name().into_string().unwrap();
                (name, std::fs::read(file.path()).unwrap())
            })
            .collect()
    };
    let before = files();
    remount("ro");
    for (program, config) in [("central", &central), ("kiosk", &kiosk)] {
        let output =
            hailong(&[program, "--config"]).arg(config).env("DISPLAY", ":99").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("Read-only file system"), "{said}");
    }
    assert!(files() == before);
    remount("rw");
    installed.start().stop();
}
