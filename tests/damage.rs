//! Damaged files: told, kept, and everything that is still whole comes to be counted.
//!
//! A kiosk's journal is damaged in every way that a disk has: header, any page, write-ahead log,
//! nothing left. Whatever can still be found in its bytes must be at the central service in the
//! end, together with what was rated afterwards.

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use common::{TestCentral, TestKiosk, first_counter, rate};
use hailong::domain::line::{By, Event, How, LastRun, Line};
use hailong::domain::system_random;
use hailong::kiosk::desk::Desk;
use hailong::kiosk::identity::Identity;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::visit::Record;
use tempfile::TempDir;

const PAGE: usize = 4_096;

/// A contact by epoch and number.
type Number = (String, u64);

/// A rated contact, and the bytes that it needs to be counted.
struct Rated {
    number: Number,
    needs: Vec<Vec<u8>>,
}

/// A journal as a killed process leaves it: one epoch in the file, another in the log.
struct Killed {
    kiosk: TestKiosk,
    rated: Vec<Rated>,
}

async fn killed(central: &TestCentral, receipted: bool) -> Killed {
    let mut alive = central.kiosk("q3").await;
    let mut desk = alive.desk();
    for _ in 0..40 {
        rate(&mut desk, "hai_long", &["niem_no"]);
    }
    desk.stop().unwrap();
    let mut desk = alive.desk();
    for _ in 0..20 {
        rate(&mut desk, "rat_hai_long", &[]);
    }
    let reader = JournalReader::open(&alive.path()).unwrap();
    let last = reader.last().unwrap();
    if receipted {
        alive.sent(last).await;
    }
    let mut rated = Vec::new();
    for (seq, bytes) in (1..).zip(reader.lines(1, last).unwrap()) {
        let line: Line = serde_json::from_slice(&bytes).unwrap();
        if line.event == Event::Contact {
            let body = reader.bodies(seq, seq).unwrap().remove(0).bytes;
            let enc = reader.epoch_of(seq).unwrap().unwrap().enc.to_vec();
            rated.push(Rated {
                number: (line.epoch.to_string(), seq),
                needs: vec![bytes, body, enc],
            });
        }
    }
    assert_eq!(rated.len(), 60);
    // Copied while it is open: what SIGKILL would leave.
    let folder = TempDir::new().unwrap();
    common::copy(&alive.path(), folder.path());
    drop((reader, desk));
    let identity = Identity::load_or_create(folder.path(), &mut system_random()).unwrap();
    let kiosk = TestKiosk { folder, identity, clock: alive.clock.clone(), service: alive.service };
    Killed { kiosk, rated }
}

fn journal(folder: &Path) -> [PathBuf; 2] {
    [folder.join("journal.db"), folder.join("journal.db-wal")]
}

fn has(files: &[Vec<u8>], bytes: &Vec<u8>) -> bool {
    files.iter().any(|file| file.windows(bytes.len()).any(|window| window == bytes))
}

/// The contacts that must be saved, since no damaged page or frame of the log held anything of
/// them, and those that may be, since all of them can still be found somewhere.
fn survivors(
    rated: &[Rated],
    before: &[Vec<u8>; 2],
    after: &[Vec<u8>; 2],
) -> (BTreeSet<Number>, BTreeSet<Number>) {
    let mut damaged = Vec::new();
    for (place, size, skip) in [(0, PAGE, 0), (1, PAGE + 24, 32)] {
        let (before, after) = (&before[place][skip..], after[place].get(skip..).unwrap_or(&[]));
        let parts = before.chunks(size).enumerate();
        let changed =
            parts.filter(|(n, part)| after.get(n * size..n * size + part.len()) != Some(*part));
        damaged.extend(changed.map(|(_, part)| part.to_vec()));
    }
    let of = |kept: &dyn Fn(&Rated) -> bool| {
        rated.iter().filter(|one| kept(one)).map(|one| one.number.clone()).collect()
    };
    let must = of(&|one| !one.needs.iter().any(|bytes| has(&damaged, bytes)));
    let may = of(&|one| one.needs.iter().all(|bytes| has(after, bytes)));
    (must, may)
}

/// Damages the journal, starts the kiosk again and lets it send. Gives how many of the contacts
/// were saved.
async fn lives_on(name: &str, receipted: bool, damage: impl FnOnce(&mut [Vec<u8>; 2])) -> usize {
    let central = TestCentral::start().await;
    let Killed { mut kiosk, rated } = killed(&central, receipted).await;
    let [file, log] = journal(&kiosk.path());
    let mut bytes = [std::fs::read(&file).unwrap(), std::fs::read(&log).unwrap()];
    assert!(bytes.iter().all(|bytes| bytes.len() > 8 * PAGE), "{name}: both hold something");
    let before = bytes.clone();
    damage(&mut bytes);
    std::fs::write(&file, &bytes[0]).unwrap();
    std::fs::write(&log, &bytes[1]).unwrap();
    let (mut must, mut may) = survivors(&rated, &before, &bytes);
    if receipted {
        must = rated.iter().map(|one| one.number.clone()).collect();
        may.clone_from(&must);
    }
    let mut new = BTreeSet::new();

    let mut desk = kiosk.desk();
    let kept = kiosk.path().join("damaged/1");
    // Found before SQLite opened it, not while it was written.
    let log = std::fs::metadata(kept.join("journal.db-wal")).map_or(0, |log| log.len());
    if kept.exists() && log == bytes[1].len() as u64 {
        let kept = [kept.join("journal.db"), kept.join("journal.db-wal")];
        let kept = kept.map(|file| std::fs::read(file).unwrap_or_default());
        assert!(kept == bytes, "{name}: what was found damaged is kept as it was");
    }
    let mut sending = kiosk.send();
    let mut visit = |desk: &mut Desk| {
        // A visitor amid whom damage is found is told; what was kept of theirs before is kept.
        for _ in 0..3 {
            let (counter, level) = (first_counter(desk), Some("khong_hai_long".to_owned()));
            let Ok(opened) = desk.keep(&Record::Open { by: By::Touch, counter, level }) else {
                continue;
            };
            let contact = opened.seq;
            new.insert((desk.journal().epoch().unwrap().to_string(), contact));
            let how = How::Sent;
            if desk.keep(&Record::Close { contact, how, reasons: vec![] }).is_ok() {
                return;
            }
        }
        panic!("{name}: the kiosk keeps nothing");
    };
    visit(&mut desk);
    let reader = || JournalReader::open(&kiosk.path()).unwrap();
    // Damage in the middle is found when it is read; then the next line begins a new journal.
    for _ in 0..2 {
        let now = reader().last().unwrap();
        sending.more.notify_one();
        let done = sending.standing.wait_for(|one| one.watermark >= now || one.trouble.is_some());
        let done = tokio::time::timeout(std::time::Duration::from_secs(20), done).await;
        drop(done.expect("in time").expect("alive"));
        if kiosk.path().join("journal.damaged").exists() {
            visit(&mut desk);
        }
    }
    sending.drained(reader().last().unwrap()).await;
    visit(&mut desk);
    sending.drained(reader().last().unwrap()).await;
    drop((desk, sending));

    let store = central.store();
    let there: Vec<Number> =
        store.rated_contacts().await.unwrap().into_iter().map(|one| (one.epoch, one.seq)).collect();
    assert_eq!(there.len(), there.iter().collect::<BTreeSet<_>>().len(), "{name}: each once");
    let there: BTreeSet<Number> = there.into_iter().collect();
    assert!(there.is_superset(&new), "{name}: what came afterwards");
    let saved: BTreeSet<Number> = there.difference(&new).cloned().collect();
    assert!(saved.is_superset(&must), "{name}: {:?}", must.difference(&saved));
    assert!(saved.is_subset(&may), "{name}: {:?}", saved.difference(&may));
    let saved = saved.len();
    for found in store.findings().await.unwrap() {
        let told = matches!(
            (found.kind.as_str(), found.reason.as_str()),
            ("fork" | "lost", _) | ("quarantine", "body_missing" | "body_not_opened")
        );
        assert!(told, "{name}: {found:?}");
    }
    let lost = store.findings().await.unwrap().iter().filter(|found| found.kind == "lost").count();
    if kept.exists() {
        assert!(kept.join("why.txt").exists() && kept.join("sent").exists(), "{name}");
    }
    // A new chain that names the last line that could be read of the old one.
    let first = reader().line(1).unwrap().unwrap();
    let started: Line = serde_json::from_slice(&first).unwrap();
    assert_eq!(lost, usize::from(started.last_run == Some(LastRun::JournalLost)), "{name}: told");
    if started.last_run == Some(LastRun::JournalLost) {
        let named = started.prev_epoch.zip(started.prev_seq);
        assert_eq!(named.is_some(), saved > 0 && !receipted, "{name}");
        assert!(kept.exists(), "{name}");
    }
    saved
}

fn garble(bytes: &mut [u8]) {
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte ^= (at % 251) as u8 | 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_without_a_header_is_moved_aside_and_all_its_ratings_arrive() {
    let damage = |bytes: &mut [Vec<u8>; 2]| garble(&mut bytes[0][..100]);
    assert_eq!(lives_on("header", false, damage).await, 60);
    let damage = |bytes: &mut [Vec<u8>; 2]| {
        garble(&mut bytes[0][..PAGE]);
        bytes[1].clear();
    };
    assert_eq!(lives_on("first page, no log", false, damage).await, 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_of_zero_length_loses_what_only_it_had() {
    let damage = |bytes: &mut [Vec<u8>; 2]| bytes[0].clear();
    assert!(lives_on("empty file", false, damage).await >= 20);
    let damage = |bytes: &mut [Vec<u8>; 2]| bytes.iter_mut().for_each(Vec::clear);
    assert_eq!(lives_on("nothing left", false, damage).await, 0);
    let damage = |bytes: &mut [Vec<u8>; 2]| bytes.iter_mut().for_each(Vec::clear);
    assert_eq!(lives_on("nothing left, all receipted", true, damage).await, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_log_is_not_cut_off_where_the_damage_begins() {
    let frame = PAGE + 24;
    let damage = |bytes: &mut [Vec<u8>; 2]| garble(&mut bytes[1][..32]);
    assert_eq!(lives_on("header of the log", false, damage).await, 60);
    // The newest copy of a page is damaged, or an older one.
    for share in [0, 1, 2] {
        let damage = |bytes: &mut [Vec<u8>; 2]| {
            let frames = (bytes[1].len() - 32) / frame;
            let at = 32 + (frames - 1) * share / 3 * frame + 24 + 2_000;
            garble(&mut bytes[1][at..at + 1_000]);
        };
        assert!(lives_on(&format!("log {share}/3"), false, damage).await >= 50);
    }
    let damage = |bytes: &mut [Vec<u8>; 2]| {
        let end = bytes[1].len();
        garble(&mut bytes[1][end - 40..]);
    };
    assert!(lives_on("end of the log", false, damage).await >= 58);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_page_takes_only_what_is_on_it() {
    let pages = {
        let central = TestCentral::start().await;
        let killed = killed(&central, false).await;
        std::fs::read(killed.kiosk.path().join("journal.db")).unwrap().len() / PAGE
    };
    // Every page in the long run, every third one else.
    let step = if std::env::var_os("HAILONG_EVERY").is_some() { 1 } else { 3 };
    for page in (1..pages).step_by(step) {
        let garbled = |bytes: &mut [Vec<u8>; 2]| {
            garble(&mut bytes[0][page * PAGE..][..PAGE]);
        };
        let saved = lives_on(&format!("page {page}"), false, garbled).await;
        assert!(saved >= 20, "{saved} saved without page {page}");
    }
    let cut = |bytes: &mut [Vec<u8>; 2]| {
        let half = bytes[0].len() / 2;
        bytes[0].truncate(half);
    };
    assert!(lives_on("half a file", false, cut).await >= 20);
}
