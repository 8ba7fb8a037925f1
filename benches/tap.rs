//! A tap on a face: until the disk has it, against a bare SQLite commit of the same bytes; and
//! until the next screen is drawn.
//!
//! Folders lie where `TMPDIR` says: it must be a disk, or there is nothing to wait for.

#[path = "../tests/common/mod.rs"]
mod common;
mod sides;

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use common::{TestCentral, TestKiosk, first_counter};
use hailong::domain::line::{By, How};
use hailong::domain::series::SealedBody;
use hailong::kiosk::headless::Headless;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::visit::Record;
use rusqlite::{Connection, params};
use sides::{Bar, Side, compare, quantile, rounds};

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let central = runtime.block_on(TestCentral::start());
    to_durable(&mut runtime.block_on(central.kiosk("q3")));
    to_next_screen(&mut runtime.block_on(central.kiosk("q4")));
}

/// Each of our own commits beside one bare commit of the same bytes.
fn to_durable(kiosk: &mut TestKiosk) {
    let folder = tempfile::TempDir::new().expect("a folder");
    let bare = bare(&folder.path().join("bare.db"));
    let mut desk = kiosk.desk();
    let journal = JournalReader::open(&kiosk.path()).expect("the journal");
    let counter = first_counter(&desk);
    let tap = Record::Open { by: By::Touch, counter, level: Some("rat_hai_long".into()) };
    let reasons = vec!["niem_no".to_owned(), "huong_dan_ro".to_owned()];
    let mut sides = [
        (Side::new("tap on a face: Desk::keep"), Side::new("bare commit")),
        (Side::new("tap on send: Desk::keep"), Side::new("bare commit")),
    ];
    let written = |seq| {
        let line = journal.line(seq).expect("read").expect("there");
        (line, journal.bodies(seq, seq).expect("read"))
    };
    // What the bare side writes when it goes first: all lines of one kind are of one size.
    let mut last: [Option<(Vec<u8>, Vec<SealedBody>)>; 2] = [None, None];
    for round in 0..rounds(500) + 1 {
        let mut contact = 0;
        for (place, (ours, other)) in sides.iter_mut().enumerate() {
            let record = match place {
                0 => tap.clone(),
                _ => Record::Close { contact, how: How::Sent, reasons: reasons.clone() },
            };
            let before = last[place].take();
            let bare_first = round % 2 == 0;
            let first = before
                .filter(|_| bare_first)
                .map(|(line, bodies)| timed(|| commit(&bare, &line, &bodies)));
            let start = Instant::now();
            let kept = desk.keep(&record).expect("kept");
            let own = start.elapsed().as_secs_f64() * 1e3;
            if place == 0 {
                contact = kept.seq;
            }
            let (line, bodies) = written(kept.seq);
            let bare = first.unwrap_or_else(|| timed(|| commit(&bare, &line, &bodies)));
            last[place] = Some((line, bodies));
            // The first round opens files and fills caches.
            if round > 0 {
                ours.take(own);
                other.take(bare);
            }
        }
    }
    for (what, (ours, other)) in ["tap to durable", "send to durable"].iter().zip(&sides) {
        compare(what, "ms", ours, other, Some(Bar::AtMost(1.2)));
    }
}

fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64() * 1e3
}

fn bare(file: &Path) -> Connection {
    let db = Connection::open(file).expect("opened");
    db.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         CREATE TABLE line (seq INTEGER PRIMARY KEY, bytes BLOB, body BLOB);",
    )
    .expect("made");
    db
}

fn commit(db: &Connection, line: &[u8], bodies: &[SealedBody]) {
    db.prepare_cached("INSERT INTO line (bytes, body) VALUES (?, ?)")
        .and_then(|mut insert| insert.execute(params![line, bodies[0].bytes]))
        .expect("committed");
}

/// From the finger's press until the reasons page stands in memory, drawn, 1280 × 800.
fn to_next_screen(kiosk: &mut TestKiosk) {
    const FACE: (f32, f32) = (396.0, 420.0);
    let headless = Headless::start(1280, 800).expect("a window in memory");
    let passed = Rc::new(Cell::new(1_000));
    let screen = kiosk.screen(&passed);
    let home = headless.picture();
    let settled = || !screen.busy();
    let mut waits = Vec::new();
    for _ in 0..rounds(200) {
        passed.set(passed.get() + 1_000);
        let start = Instant::now();
        headless.tap(FACE.0, FACE.1);
        assert!(headless.turn_until(Duration::from_secs(60), settled), "the disk answers");
        let next = headless.picture();
        waits.push(start.elapsed().as_secs_f64() * 1e3);
        assert!(next != home, "another screen");
        // Untouched, it goes home.
        while headless.picture() != home {
            passed.set(passed.get() + 60_000);
            screen.tick();
            assert!(headless.turn_until(Duration::from_secs(60), settled), "the disk answers");
        }
    }
    let [median, late, max] = [0.5, 0.99, 1.0].map(|part| quantile(&waits, part));
    let verdict = if late < 100.0 { "holds" } else { "MISSED" };
    println!("\ntap to next screen, disk included, drawn in memory");
    println!(
        "  median {median:.1}  p99 {late:.1}  max {max:.1}  ms, {} taps; bar p99 below 100: {verdict}",
        waits.len()
    );
    screen.stop();
}
