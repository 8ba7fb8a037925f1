//! Thanked means kept: under kill -9, on a full disk, and by the order of what reaches the disk.

#[path = "common/audit.rs"]
mod audit;
#[path = "common/child.rs"]
mod child;
mod common;
#[path = "common/installed.rs"]
mod installed;
#[path = "common/kept.rs"]
mod kept;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use audit::audit;
use child::Start;
use common::copy;
use common::{Sending, TestCentral, TestKiosk, at, has, rate};
use hailong::central::store::Store;
use hailong::central::store::sqlite::SqliteStore;
use hailong::clock::Clock;
use hailong::demo::clock::DemoClock;
use hailong::domain::batch::Packed;
use hailong::domain::ids::{Epoch, Hash};
use hailong::domain::line::{Event, LastRun};
use hailong::domain::seal::Answer;
use hailong::domain::time::At;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::network::Unreachable;
use hailong::kiosk::transport::{Http, Reply, Transport};
use installed::{Installed, SmallDisk, hailong, twin};
use kept::{Shown, counted, has_received, holds, rated, stored};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tempfile::TempDir;
use tokio::sync::watch;

/// How often each side is killed: 20 times, or `HAILONG_KILLS`.
fn kills() -> usize {
    std::env::var("HAILONG_KILLS").map_or(20, |many| many.parse().expect("a number"))
}
/// No start takes longer after a kill.
const SOON: Duration = Duration::from_secs(2);

/// Not a test: the kiosks that these tests start live here.
#[test]
fn child_entry() {
    child::entry();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kiosk_killed_again_and_again_amid_taps_loses_nothing_that_it_acknowledged() {
    let central = TestCentral::start().await;
    let kiosk = central.kiosk("q3").await;
    let opening = &central.central.keys.opening;
    let mut random = StdRng::seed_from_u64(20);
    let mut shown: Vec<Shown> = Vec::new();
    let mut before: Vec<Hash> = Vec::new();
    let (kills, mut thanked) = (kills(), 0);
    let mut slowest = Duration::ZERO;
    for kill in 0..kills {
        let now = format!("2026-11-24 {:02}:{:02}", 8 + kill / 60, kill % 60);
        let began = Instant::now();
        let mut child = Start::new(&kiosk.path(), &now).ready();
        slowest = slowest.max(began.elapsed());
        child.tells(&format!("rush {kill} 1000000"));
        for _ in 0..random.random_range(1..=16) {
            shown.push(Shown::read(&child.hears()));
        }
        // The moment of the kill, not a wait for anything: at once after a page, or amid a tap.
        if kill % 2 == 0 {
            tokio::time::sleep(Duration::from_micros(random.random_range(0..20_000))).await;
        }
        shown.extend(child.kill().iter().map(|words| Shown::read(words)));
        let journal = audit(&kiosk.path(), opening);
        holds(&journal, &shown, &central);
        let hashes: Vec<Hash> = journal.iter().map(|read| read.hash).collect();
        assert_eq!(hashes[..before.len()], before, "a number once given keeps its line");
        assert!(hashes.len() > before.len());
        before = hashes;
        let started: Vec<_> = journal.iter().filter_map(|read| read.line.last_run).collect();
        assert_eq!(started.len(), kill + 1, "every start is an epoch");
        assert_eq!(started[0], LastRun::First);
        assert!(started[1..].iter().all(|run| *run == LastRun::Interrupted));
        thanked = shown.iter().filter(|one| matches!(one, Shown::Thanks { .. })).count();
    }
    assert!(slowest < SOON, "the slowest start took {slowest:?}");
    assert!(thanked >= kills, "{thanked} thanks in {kills} runs are too few to prove anything");
    let journal = audit(&kiosk.path(), opening);
    let changed = journal.iter().filter(|read| read.line.event == Event::Changed).count();
    assert!(changed >= kills / 2, "levels were changed, too");

    let mut sending = kiosk.send();
    sending.drained(journal.len() as u64).await;
    assert_eq!(counted(central.store()).await, rated(&journal).collect());
    let day = "2026-11-24".parse().unwrap();
    let office = &central.central.config.offices[0].office.code;
    let ratings = central.store().ratings(office, day).await.unwrap();
    // The level that counts is the last one in the journal.
    let mut levels: BTreeMap<u64, String> = BTreeMap::new();
    for read in &journal {
        if let [Answer::Level(level)] = read.answers.as_slice() {
            levels.insert(read.line.contact.unwrap_or(read.line.seq), level.clone());
        }
    }
    let mut given: Vec<String> = levels.into_values().collect();
    let mut counted: Vec<String> = ratings.into_iter().map(|rated| rated.level).collect();
    given.sort();
    counted.sort();
    assert_eq!(counted, given);
    let pages = shown.iter().filter(|one| one.acknowledges()).count();
    eprintln!(
        "{kills} kills, {} lines, {} pages acknowledged, {thanked} thanks, slowest start {slowest:?}",
        journal.len(),
        pages
    );
}

/// Real HTTP that holds the kiosks back, so that no kill comes too late on a slow machine.
struct HeldBack {
    http: Http,
    /// The kiosk's last line.
    last: u64,
    /// How many parts of `of` of the journal may be sent.
    parts: watch::Receiver<u64>,
    of: u64,
    /// Batches that are sent and not answered.
    under_way: Arc<AtomicUsize>,
}

impl Transport for HeldBack {
    async fn post(&self, batch: &Packed) -> Result<Reply, Unreachable> {
        let allowed = |parts: &u64| batch.header.last() <= self.last * parts / self.of;
        let mut parts = self.parts.clone();
        let _ = parts.wait_for(allowed).await;
        self.under_way.fetch_add(1, Ordering::SeqCst);
        let reply = self.http.post(batch).await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        reply
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_killed_again_and_again_amid_ingest_keeps_every_line_that_it_receipted() {
    const COUNTERS: [&str; 4] = ["q1", "q2", "q3", "q5"];
    // A batch is of one epoch, so many epochs are many batches.
    let kills = kills();
    let epochs = 2 * kills;
    let parts_in_all = kills as u64 + 2;
    let installed = Installed::new();
    let service = installed.start();
    let clock = Arc::new(DemoClock::standing(at("2026-11-24 07:45")));
    let mut kiosks = Vec::new();
    for counter in COUNTERS {
        kiosks.push(installed.enrol(&service, counter, &clock).await);
    }
    service.stop();

    let form = common::sample_form();
    let prepare = |kiosk: &mut TestKiosk, seed: u64| {
        let mut random = StdRng::seed_from_u64(seed);
        for epoch in 0..epochs {
            let mut desk = kiosk.desk();
            // Nobody kills this one: preparing need not wait for the disk.
            desk.journal().weaken_for_negative_control().unwrap();
            for _ in 0..6 {
                let level = &form.levels[random.random_range(0..5)];
                let reasons: Vec<&str> = form
                    .reasons_of(level.pole)
                    .filter(|_| random.random_bool(0.3))
                    .map(|reason| reason.code.as_str())
                    .collect();
                rate(&mut desk, &level.code, &reasons);
            }
            if epoch % 3 > 0 {
                desk.stop().unwrap();
            }
        }
    };
    std::thread::scope(|scope| {
        for (seed, kiosk) in (0..).zip(&mut kiosks) {
            scope.spawn(move || prepare(kiosk, seed));
        }
    });
    let last = |kiosk: &TestKiosk| JournalReader::open(&kiosk.path()).unwrap().last().unwrap();
    let total: u64 = kiosks.iter().map(last).sum();

    // The same journals, for a service that nobody disturbs.
    let calm = TempDir::new().unwrap();
    copy(&installed.data(), calm.path());
    let calm = TestCentral::start_in(calm, clock.clone()).await;
    let twins: Vec<TestKiosk> = kiosks.iter().map(|kiosk| twin(kiosk, calm.service())).collect();

    let (allow, parts) = watch::channel(0);
    let under_way = Arc::new(AtomicUsize::new(0));
    let held_back = |kiosk: &TestKiosk| HeldBack {
        http: Http::new(&kiosk.service).unwrap(),
        last: last(kiosk),
        parts: parts.clone(),
        of: parts_in_all,
        under_way: Arc::clone(&under_way),
    };
    let mut sendings: Vec<Sending> =
        kiosks.iter().map(|kiosk| kiosk.send_by(held_back(kiosk))).collect();
    let standing: Vec<_> = sendings.iter().map(|sending| sending.standing.clone()).collect();
    let watermarks = || -> Vec<u64> { standing.iter().map(|one| one.borrow().watermark).collect() };
    let passing = {
        let clock = clock.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(10)).await;
                clock.set(At::new(clock.now()).plus_minutes(1));
            }
        })
    };
    let mut random = StdRng::seed_from_u64(7);
    let mut slowest = Duration::ZERO;
    let mut amid = 0;
    let mut receipted = vec![0; kiosks.len()];
    for kill in 1..=kills as u64 {
        let service = installed.start();
        slowest = slowest.max(service.ready_after);
        let there = stored(&installed.data());
        for (kiosk, watermark) in kiosks.iter().zip(&receipted) {
            has_received(&there, kiosk, *watermark);
        }
        allow.send_replace(kill + 1);
        let enough = total * kill / parts_in_all;
        let end = Instant::now() + Duration::from_secs(30);
        while watermarks().iter().sum::<u64>() < enough {
            assert!(Instant::now() < end, "the kiosks reach the service again");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // The moment of the kill, not a wait for anything.
        if kill % 2 == 0 {
            tokio::time::sleep(Duration::from_micros(random.random_range(0..3_000))).await;
        }
        amid += usize::from(under_way.load(Ordering::SeqCst) > 0);
        drop(service);
        receipted = watermarks();
    }
    assert!(amid >= kills / 4, "only {amid} kills found a batch under way");
    allow.send_replace(parts_in_all);
    let service = installed.start();
    slowest = slowest.max(service.ready_after);
    for (kiosk, sending) in kiosks.iter().zip(&mut sendings) {
        sending.drained(last(kiosk)).await;
    }
    passing.abort();
    drop(sendings);
    service.stop();
    assert!(slowest < SOON, "the slowest start took {slowest:?}");

    let there = stored(&installed.data());
    let mut given = BTreeSet::new();
    let opening = &calm.central.keys.opening;
    for kiosk in &kiosks {
        has_received(&there, kiosk, last(kiosk));
        given.extend(rated(&audit(&kiosk.path(), opening)));
    }
    assert_eq!(given.len(), COUNTERS.len() * epochs * 6);
    for twin in &twins {
        twin.sent(last(twin)).await;
    }
    let store = SqliteStore::open_read_only(&installed.data()).unwrap();
    assert_eq!(counted(&store).await, given);
    assert_eq!(counted(calm.store()).await, given);
    assert_eq!(
        store.canonical_digest().await.unwrap(),
        calm.store().canonical_digest().await.unwrap(),
        "killed or not, the figures are the same"
    );
    eprintln!(
        "{kills} kills in {total} lines, {amid} with batches under way, slowest start {slowest:?}"
    );
}

/// Reads a trace by `strace -f -yy`: every acknowledging page was printed after the journal's
/// write-ahead log was written and, after its last write, synced. Gives the number of pages.
fn order(trace: &str) -> Result<usize, String> {
    let mut pages = 0;
    let mut written = false;
    let mut unsynced = false;
    // Syncs under way, by thread: whether nothing was written meanwhile.
    let mut syncing: BTreeMap<&str, bool> = BTreeMap::new();
    for line in trace.lines() {
        let (thread, call) = line.split_once(' ').unwrap_or((line, ""));
        let call = call.trim_start();
        let log = call.contains("/journal.db-wal>");
        let done = call.ends_with("= 0");
        if log && call.starts_with("pwrite64(") {
            (written, unsynced) = (true, true);
            syncing.values_mut().for_each(|clean| *clean = false);
        } else if log && (call.starts_with("fdatasync(") || call.starts_with("fsync(")) {
            if call.ends_with("<unfinished ...>") {
                syncing.insert(thread, true);
            } else if done {
                unsynced = false;
            }
        } else if call.starts_with("<... fdatasync resumed>")
            || call.starts_with("<... fsync resumed>")
        {
            if syncing.remove(thread) == Some(true) && done {
                unsynced = false;
            }
        } else if call.starts_with("write(1<") {
            let page = ["\"@reasons ", "\"@thanks "].iter().any(|page| call.contains(page));
            if page && (unsynced || !written) {
                return Err(format!("page {pages} came before the disk had it: {call}"));
            }
            if page {
                (pages, written) = (pages + 1, false);
            }
        }
    }
    Ok(pages)
}

#[test]
fn the_reader_of_traces_tells_every_wrong_order() {
    let write = "7 pwrite64(9</k/journal.db-wal>, \"x\", 24, 0) = 24\n";
    let sync = "7 fdatasync(9</k/journal.db-wal>) = 0\n";
    let begin = "7 fdatasync(9</k/journal.db-wal> <unfinished ...>\n";
    let end = "7 <... fdatasync resumed>)        = 0\n";
    let page = "8 write(1<pipe:[5]>, \"@thanks 12\\n\", 11) = 11\n";
    let of = |parts: &[&str]| order(&parts.concat());
    assert_eq!(of(&[write, sync, page, write, begin, end, page]), Ok(2));
    assert!(of(&[write, page]).is_err(), "never synced");
    assert!(of(&[page]).is_err(), "never written");
    assert!(of(&[write, sync, page, page]).is_err(), "nothing written for the second page");
    assert!(of(&[write, sync, write, page]).is_err(), "written again after the sync");
    assert!(of(&[write, begin, page, end]).is_err(), "the sync had not returned");
    assert!(of(&[write, begin, write, end, page]).is_err(), "written while it was synced");
    assert!(of(&[write, &sync.replace("= 0", "= -1 EIO"), page]).is_err(), "the sync failed");
    assert!(of(&[write, &sync.replace("-wal", ""), page]).is_err(), "another file was synced");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_synced_before_each_page_that_acknowledges_and_not_so_when_weakened() {
    if !has("strace") {
        return;
    }
    const VISITS: usize = 8;
    let central = TestCentral::start().await;
    let traced = async |weak: bool| {
        let kiosk = central.kiosk(if weak { "q1" } else { "q3" }).await;
        let trace = kiosk.folder.path().join("trace");
        let file = trace.to_str().unwrap();
        let calls = "trace=fdatasync,fsync,write,pwrite64";
        let under = ["strace", "-f", "-yy", "-e", calls, "-o", file];
        let start =
            Start { weak, under: &under, ..Start::new(kiosk.folder.path(), "2026-11-24 08:15") };
        let mut child = start.ready();
        child.tells(&format!("rush 3 {VISITS}"));
        let mut pages = 0;
        loop {
            let heard = child.hears();
            if heard == "home" {
                break;
            }
            pages += usize::from(Shown::read(&heard).acknowledges());
        }
        child.stop();
        assert!(pages >= 2 * VISITS);
        (order(&std::fs::read_to_string(trace).unwrap()), pages)
    };
    let (proof, pages) = traced(false).await;
    assert_eq!(proof, Ok(pages));
    let (control, _) = traced(true).await;
    assert!(control.is_err(), "synchronous=NORMAL passes: this proves nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_thanks_nobody_and_keeps_again_once_there_is_room() {
    let Some(disk) = SmallDisk::mount("4m") else { return };
    let central = TestCentral::start().await;
    let kiosk = central.kiosk("q3").await;
    let folder = disk.path().join("kiosk");
    copy(kiosk.folder.path(), &folder);
    let opening = &central.central.keys.opening;
    let mut child = Start::new(&folder, "2026-11-24 08:15").ready();
    let full = "not-kept Ổ đĩa đã đầy (SQLITE_FULL)";
    let mut shown = Vec::new();

    // A visitor with room.
    shown.push(Shown::read(&child.does("face 0")));
    assert_eq!(child.does("reason 1").split(' ').next(), Some("reasons"));
    let Shown::Level { contact, .. } = shown[0] else { panic!("{shown:?}") };
    shown.push(Shown::Ticks { contact, ticked: vec![1] });
    shown.push(Shown::read(&child.does("send")));
    assert_eq!(child.does("paper"), "home");
    // Another, whose level is kept when the room ends.
    let second = Shown::read(&child.does("face 4"));
    let Shown::Level { contact: second_contact, .. } = second else { panic!("{second:?}") };
    shown.push(second);
    disk.fill();
    child.does("reason 2");
    assert_eq!(child.does("send"), full);
    // Further ones find a page that says so and goes by itself. What the log took is given back to
    // the disk when it is opened again, so some are kept; only those are thanked.
    let mut refused = 0;
    for _ in 0..6 {
        assert_eq!(child.does("pass 15000"), "home");
        disk.fill();
        let mut now = child.does("face 1");
        if now != full {
            let Shown::Level { contact, .. } = Shown::read(&now) else { panic!("{now}") };
            shown.extend([Shown::read(&now), Shown::Ticks { contact, ticked: vec![] }]);
            disk.fill();
            now = child.does("send");
        }
        if now != full {
            shown.push(Shown::read(&now));
            assert_eq!(child.does("paper"), "home");
            continue;
        }
        refused += 1;
    }
    assert!(refused >= 3, "refused {refused} times");
    assert_eq!(child.does("pass 15000"), "home");

    disk.make_room();
    let kept = audit(&folder, opening);
    holds(&kept, &shown, &central);
    let third = Shown::read(&child.does("face 3"));
    let Shown::Level { contact: third_contact, .. } = third else { panic!("{third:?}") };
    shown.push(third);
    shown.push(Shown::Ticks { contact: third_contact, ticked: vec![] });
    shown.push(Shown::read(&child.does("send")));
    child.stop();
    let journal = audit(&folder, opening);
    holds(&journal, &shown, &central);
    for (before, now) in kept.iter().zip(&journal) {
        assert_eq!(before.hash, now.hash, "what was kept is still there");
    }
    let epoch = |contact: u64| -> Epoch { journal[contact as usize - 1].line.epoch };
    assert_ne!(epoch(second_contact), epoch(third_contact), "after a refusal a new epoch begins");
    assert_eq!(journal.last().unwrap().line.event, Event::Stopped);

    // On a disk of its own again, everything arrives.
    copy(&folder, kiosk.folder.path());
    kiosk.sent(journal.len() as u64).await;
    let levels: BTreeSet<u64> = shown
        .iter()
        .filter_map(|one| match one {
            Shown::Level { contact, .. } => Some(*contact),
            _ => None,
        })
        .collect();
    assert_eq!(rated(&journal).map(|(_, _, seq)| seq).collect::<BTreeSet<_>>(), levels);
    assert_eq!(counted(central.store()).await, rated(&journal).collect());
}

/// What a program that is to be refused said, and its exit code.
fn refused(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_second_central_service_on_a_folder_is_refused_until_the_first_has_ended() {
    let installed = Installed::new();
    let service = installed.start();
    let second = || hailong(&["central", "--config"]).arg(installed.config()).output().unwrap();
    let (code, said) = refused(&second());
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("is in use by a running hailong; stop it first"), "{said}");
    assert!(said.contains(installed.data().file_name().unwrap().to_str().unwrap()), "{said}");
    drop(service);
    installed.start().stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_kiosk_on_a_folder_is_refused_and_leaves_the_journal_alone() {
    let central = TestCentral::start().await;
    let kiosk = central.kiosk("q3").await;
    let folder = kiosk.folder.path();
    let installed = Installed::new();
    let config = installed.folder.path().join("config/kiosk.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let data = format!("data = {:?}", folder);
    assert!(text.contains("data = \"../kiosk-data\""));
    std::fs::write(&config, text.replace("data = \"../kiosk-data\"", &data)).unwrap();

    let first = Start::new(folder, "2026-11-24 08:15").ready();
    let lines = JournalReader::open(folder).unwrap().last().unwrap();
    // It is refused before it would open a window, so the display need not be there.
    let second =
        hailong(&["kiosk", "--config"]).arg(&config).env("DISPLAY", ":99").output().unwrap();
    let (code, said) = refused(&second);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("is in use by a running kiosk; stop it first"), "{said}");
    assert!(said.contains(folder.to_str().unwrap()), "{said}");
    assert_eq!(JournalReader::open(folder).unwrap().last().unwrap(), lines);
    first.stop();
}
