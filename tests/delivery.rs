//! Delivery end to end over loopback: what is lost, repeated, reordered, cut, forged or restored.
//!
//! Real journals, the real uploader, real HTTP, the real service and its database. Faults are put
//! between uploader and service by a transport of this file; forged batches are cut from a kiosk's
//! real journal and signed with its key.

mod common;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Sending, TestCentral, TestKiosk, at, close, of_day, rate};
use hailong::clock::Clock;
use hailong::demo::clock::DemoClock;
use hailong::domain::access::Role;
use hailong::domain::batch::{MAX_PACKED, MAX_UNPACKED, Packed, Parts, pack, sign};
use hailong::domain::form::Reader;
use hailong::domain::ids::{Hash, KioskId};
use hailong::domain::line::{By, How, LastRun, Line};
use hailong::domain::rating::Key;
use hailong::domain::receipt::{Quarantined, Receipt, verify_receipt};
use hailong::domain::seal::Kind;
use hailong::domain::series::SealedBody;
use hailong::domain::time::At;
use hailong::kiosk::desk::Desk;
use hailong::kiosk::journal_reader::{EpochSpan, JournalReader};
use hailong::kiosk::network::Unreachable;
use hailong::kiosk::network::client;
use hailong::kiosk::sender::Sender;
use hailong::kiosk::transport::{Http, Reply, Transport};
use hailong::kiosk::uploader::Standing;
use hailong::kiosk::visit::Record;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

// ---- Builders -----------------------------------------------------------------------------

/// A stretch of a kiosk's journal, as it is to be sent; open to forgery.
#[derive(Clone)]
struct Piece {
    span: EpochSpan,
    first: u64,
    prev: Hash,
    lines: Vec<Vec<u8>>,
    bodies: Vec<SealedBody>,
}

impl Piece {
    /// The lines `numbers` of the journal, which lie in one epoch.
    fn of(kiosk: &TestKiosk, numbers: RangeInclusive<u64>) -> Self {
        let (first, last) = numbers.into_inner();
        let journal = JournalReader::open(&kiosk.path()).unwrap();
        let span = journal.epoch_of(first).unwrap().expect("the line is there");
        assert!(last <= span.last, "one epoch");
        let prev = if first == span.start {
            span.before
        } else {
            Hash::of(&journal.line(first - 1).unwrap().unwrap())
        };
        let lines = journal.lines(first, last).unwrap();
        assert_eq!(lines.len() as u64, last + 1 - first);
        Self { span, first, prev, lines, bodies: journal.bodies(first, last).unwrap() }
    }

    /// Signed with the kiosk's own key.
    fn packed(&self, kiosk: &TestKiosk) -> Packed {
        let parts = Parts {
            kiosk: &kiosk.sender().kiosk,
            epoch: self.span.epoch,
            start: self.span.start,
            enc: self.span.enc,
            key: &self.span.key,
            first: self.first,
            prev: self.prev,
            lines: &self.lines,
            bodies: &self.bodies,
        };
        pack(&parts, &kiosk.identity.signing_key).unwrap()
    }

    fn line(&mut self, seq: u64) -> &mut Vec<u8> {
        &mut self.lines[(seq - self.first) as usize]
    }

    /// Writes a line anew.
    fn forge(&mut self, seq: u64, forge: impl FnOnce(&mut Line)) {
        let mut line: Line = serde_json::from_slice(self.line(seq)).unwrap();
        forge(&mut line);
        *self.line(seq) = serde_json::to_vec(&line).unwrap();
    }

    /// Lets every line after `seq` name the one before it, as a writer of line `seq` would have.
    fn chain_after(&mut self, seq: u64) {
        for next in seq + 1..self.first + self.lines.len() as u64 {
            let prev = Hash::of(self.line(next - 1));
            self.forge(next, |line| line.prev = prev);
        }
    }
}

fn packed(kiosk: &TestKiosk, numbers: RangeInclusive<u64>) -> Packed {
    Piece::of(kiosk, numbers).packed(kiosk)
}

fn last_of(kiosk: &TestKiosk) -> u64 {
    JournalReader::open(&kiosk.path()).unwrap().last().unwrap()
}

async fn post(central: &TestCentral, batch: &Packed) -> Reply {
    Http::new(&central.service()).unwrap().post(batch).await.unwrap()
}

/// Posts a batch that is answered with a receipt of the service.
async fn deliver(central: &TestCentral, batch: &Packed) -> Receipt {
    let reply = post(central, batch).await;
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    let key = central.central.keys.receipt.verifying_key();
    assert!(verify_receipt(&key, &reply.body, &reply.signature));
    serde_json::from_slice(&reply.body).unwrap()
}

/// A receipt without the moment at which it was written.
fn receipt_of(reply: &Reply) -> Receipt {
    let receipt: Receipt = serde_json::from_slice(&reply.body).unwrap();
    Receipt { at: at("2026-11-24 07:30"), ..receipt }
}

/// Whether a refusal is a problem of 4xx for programs; gives its status.
async fn refused(central: &TestCentral, request: Vec<u8>, signature: &str) -> u16 {
    let response = client()
        .unwrap()
        .post(format!("{}/api/v1/journal", central.service()))
        .header("hailong-signature", signature)
        .body(request)
        .send()
        .await
        .unwrap();
    let status = response.status().as_u16();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    let body = response.bytes().await.unwrap();
    assert!((400..500).contains(&status), "{status}: {}", String::from_utf8_lossy(&body));
    assert_eq!(kind, "application/problem+json", "{}", String::from_utf8_lossy(&body));
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(problem["status"], status);
    assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    status
}

/// All tallies of November and December, by key.
async fn tallies(central: &TestCentral) -> BTreeMap<String, u64> {
    let office = central.central.config.offices[0].office.code.clone();
    let mut sums = BTreeMap::new();
    let from: jiff::civil::Date = "2026-11-01".parse().unwrap();
    for day in from.series(jiff::Span::new().days(1)).take(61) {
        for (key, n) in central.store().day(&office, day).await.unwrap().tallies {
            *sums.entry(key.text()).or_default() += n;
        }
    }
    sums
}

/// Counted ratings by channel and level.
async fn levels(central: &TestCentral) -> BTreeMap<String, u64> {
    let mut levels = BTreeMap::new();
    for (key, n) in tallies(central).await {
        if let Some(Key::Rating { channel, level, .. }) = Key::parse(&key) {
            *levels.entry(format!("{}/{level}", channel.as_str())).or_default() += n;
        }
    }
    levels
}

fn counts<const N: usize>(counts: [(&str, u64); N]) -> BTreeMap<String, u64> {
    counts.into_iter().map(|(key, n)| (key.to_owned(), n)).collect()
}

async fn opened(central: &TestCentral) -> u64 {
    tallies(central).await.get("contacts/opened").copied().unwrap_or(0)
}

/// Findings as kind, number and reason.
async fn findings(central: &TestCentral) -> Vec<(String, u64, String)> {
    let findings = central.store().findings().await.unwrap();
    findings.into_iter().map(|found| (found.kind, found.seq, found.reason)).collect()
}

fn found(kind: &str, seq: u64, reason: &str) -> (String, u64, String) {
    (kind.to_owned(), seq, reason.to_owned())
}

/// How many batches of kiosks are stored.
fn segments(central: &TestCentral) -> i64 {
    let file = central.folder.path().join("central.db");
    let db = rusqlite::Connection::open(file).unwrap();
    let count = "SELECT count(*) FROM segment s JOIN branch b ON b.id = s.branch
                 WHERE b.kiosk <> 'central'";
    db.query_row(count, [], |row| row.get(0)).unwrap()
}

/// Waits until the uploader stands so. The clock goes on meanwhile, so that back-offs pass.
async fn until(sending: &Sending, clock: &DemoClock, so: impl Fn(&Standing) -> bool) -> Standing {
    let mut standing = sending.standing.clone();
    sending.more.notify_one();
    let reached = async { standing.wait_for(|standing| so(standing)).await.unwrap().clone() };
    let pass = async {
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            clock.set(At::new(clock.now()).plus_minutes(1));
        }
    };
    tokio::select! {
        reached = tokio::time::timeout(Duration::from_secs(30), reached) => {
            reached.expect("within half a minute")
        }
        () = pass => unreachable!(),
    }
}

/// What happens to one post on its way.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    LoseRequest,
    LoseReply,
    Twice,
    CutRequest,
    CutReply,
}

/// Real HTTP with faults in the order given; after them none.
struct Faulty {
    http: Http,
    faults: Mutex<Vec<Fault>>,
    posts: Arc<AtomicUsize>,
}

impl Faulty {
    fn new(central: &TestCentral, faults: &[Fault]) -> (Self, Arc<AtomicUsize>) {
        let posts = Arc::new(AtomicUsize::new(0));
        let faults = Mutex::new(faults.iter().rev().copied().collect());
        let http = Http::new(&central.service()).unwrap();
        (Self { http, faults, posts: Arc::clone(&posts) }, posts)
    }
}

impl Transport for Faulty {
    async fn post(&self, batch: &Packed) -> Result<Reply, Unreachable> {
        self.posts.fetch_add(1, Ordering::SeqCst);
        let fault = self.faults.lock().unwrap().pop().unwrap_or(Fault::None);
        let lost = || Unreachable("lost on the way".into());
        match fault {
            Fault::None => self.http.post(batch).await,
            Fault::LoseRequest => Err(lost()),
            Fault::LoseReply => {
                assert_eq!(self.http.post(batch).await?.status, 200);
                Err(lost())
            }
            Fault::Twice => {
                let first = self.http.post(batch).await?;
                let second = self.http.post(batch).await?;
                assert_eq!(receipt_of(&first), receipt_of(&second));
                Ok(second)
            }
            Fault::CutRequest => {
                let request = batch.request[..batch.request.len() / 2].to_vec();
                let reply = self.http.post(&Packed { request, ..batch.clone() }).await?;
                assert_eq!(reply.status, 400);
                Ok(reply)
            }
            Fault::CutReply => {
                let mut reply = self.http.post(batch).await?;
                reply.body.truncate(reply.body.len() / 2);
                Ok(reply)
            }
        }
    }
}

/// Three runs of a kiosk with three visitors each: three batches of 10 lines.
fn three_epochs(kiosk: &mut TestKiosk) {
    for _ in 0..3 {
        let mut desk = kiosk.desk();
        for level in ["rat_hai_long", "hai_long", "khong_hai_long"] {
            rate(&mut desk, level, &[]);
        }
        desk.stop().unwrap();
    }
    assert_eq!(last_of(kiosk), 30);
}

/// Sends three epochs through faults; everything must come to be counted once.
async fn sent_through(faults: &[Fault], posts_needed: usize) {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    three_epochs(&mut kiosk);
    let (transport, posts) = Faulty::new(&central, faults);
    let mut sending = kiosk.send_by(transport);
    sending.drained(30).await;
    assert_eq!(posts.load(Ordering::SeqCst), posts_needed);
    let each =
        [("counter/rat_hai_long", 3), ("counter/hai_long", 3), ("counter/khong_hai_long", 3)];
    assert_eq!(levels(&central).await, counts(each));
    assert_eq!(opened(&central).await, 9);
    assert_eq!(findings(&central).await, []);
    assert_eq!(segments(&central), 3, "nothing is stored twice");
}

// ---- Lost, repeated, reordered, cut ---------------------------------------------------------

#[tokio::test]
async fn a_lost_request_is_sent_again() {
    let lost = Fault::LoseRequest;
    sent_through(&[lost, lost, Fault::None, lost, Fault::None, lost], 7).await;
}

#[tokio::test]
async fn after_a_lost_reply_the_batch_is_sent_again_and_counted_once() {
    let lost = Fault::LoseReply;
    sent_through(&[lost, Fault::None, lost, lost, Fault::None, lost], 7).await;
}

#[tokio::test]
async fn a_batch_sent_twice_is_counted_once() {
    sent_through(&[Fault::Twice; 3], 3).await;
}

#[tokio::test]
async fn a_cut_request_and_a_cut_reply_are_sent_again() {
    sent_through(&[Fault::CutRequest, Fault::CutReply, Fault::None, Fault::CutReply], 6).await;
}

#[tokio::test]
async fn a_later_batch_waits_for_no_earlier_one_and_the_watermark_for_every_line() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    three_epochs(&mut kiosk);

    let receipt = deliver(&central, &packed(&kiosk, 5..=10)).await;
    assert_eq!((receipt.watermark, receipt.head), (0, Hash::NONE));
    assert_eq!(receipt.holes, [(1, 4)]);
    assert_eq!(levels(&central).await["counter/hai_long"], 1, "counted though a hole is open");

    let receipt = deliver(&central, &packed(&kiosk, 21..=26)).await;
    assert_eq!((receipt.watermark, receipt.holes), (0, vec![(1, 20)]), "nothing is known of 11");

    let receipt = deliver(&central, &packed(&kiosk, 1..=3)).await;
    assert_eq!((receipt.watermark, receipt.holes), (3, vec![(4, 4)]));
    assert_eq!(receipt.head, packed(&kiosk, 1..=3).header.head);

    let receipt = deliver(&central, &packed(&kiosk, 4..=4)).await;
    assert_eq!((receipt.watermark, receipt.holes), (10, vec![]));
    assert_eq!(receipt.head, packed(&kiosk, 10..=10).header.head);

    let receipt = deliver(&central, &packed(&kiosk, 13..=20)).await;
    assert_eq!(receipt.watermark, 0, "how this epoch began is not here");
    let receipt = deliver(&central, &packed(&kiosk, 11..=12)).await;
    assert_eq!((receipt.watermark, receipt.holes), (20, vec![]));
    let receipt = deliver(&central, &packed(&kiosk, 27..=30)).await;
    assert_eq!((receipt.watermark, receipt.holes), (30, vec![]));
    assert_eq!(opened(&central).await, 9);
    assert_eq!(findings(&central).await, []);
}

#[tokio::test]
async fn a_hole_that_stays_is_named_keeps_the_day_provisional_and_loses_nothing() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    three_epochs(&mut kiosk);
    central.clock.set(at("2026-11-25 00:05"));
    kiosk.desk().stop().unwrap();
    deliver(&central, &packed(&kiosk, 1..=6)).await;
    for later in [9..=10, 11..=20, 21..=30, 31..=34] {
        let receipt = deliver(&central, &packed(&kiosk, later)).await;
        assert_eq!((receipt.watermark, receipt.holes), (6, vec![(7, 8)]));
    }
    let state = async || {
        let config = &central.central.config;
        let date = "2026-11-24".parse().unwrap();
        let (store, now) = (central.store(), central.central.now());
        let summary = of_day(store, &config.offices[0], &config.forms, date, now).await.unwrap();
        let json = serde_json::to_value(&summary).unwrap();
        json["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state().await, "provisional");
    // Line 7 ends the second visit, line 8 opens the third.
    assert_eq!(opened(&central).await, 8);
    assert_eq!(findings(&central).await, []);
    let receipt = deliver(&central, &packed(&kiosk, 6..=9)).await;
    assert_eq!((receipt.watermark, receipt.holes), (10, vec![]), "as far as this epoch goes");
    let receipt = deliver(&central, &packed(&kiosk, 34..=34)).await;
    assert_eq!((receipt.watermark, receipt.holes), (34, vec![]));
    assert_eq!(state().await, "complete");
    assert_eq!(opened(&central).await, 9);
}

#[tokio::test]
async fn a_batch_cut_anywhere_is_refused_and_nothing_of_it_is_stored() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    three_epochs(&mut kiosk);
    let batch = packed(&kiosk, 1..=10);
    let before = central.store().canonical_digest().await.unwrap();
    let end = batch.request.iter().position(|byte| *byte == b'\n').unwrap();
    let mut cuts: Vec<usize> = (0..batch.request.len()).step_by(61).collect();
    cuts.extend([1, end - 1, end, end + 1, end + 2, batch.request.len() - 1]);
    for cut in cuts {
        assert_eq!(refused(&central, batch.request[..cut].to_vec(), &batch.signature).await, 400);
    }
    // Connections that break in the middle of a request.
    for cut in [0, end, end + 1, batch.request.len() - 1] {
        let mut stream = tokio::net::TcpStream::connect(central.citizens).await.unwrap();
        let head = format!(
            "POST /api/v1/journal HTTP/1.1\r\nhost: x\r\nhailong-signature: {}\r\n\
             content-length: {}\r\n\r\n",
            batch.signature,
            batch.request.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&batch.request[..cut]).await.unwrap();
        stream.shutdown().await.unwrap();
        // Whatever is answered, if anything: the service has ended with it.
        let mut said = Vec::new();
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut said).await;
        assert!(!said.starts_with(b"HTTP/1.1 200"), "cut at {cut}");
    }
    assert_eq!(segments(&central), 0);
    assert_eq!(central.store().canonical_digest().await.unwrap(), before);
    assert_eq!(deliver(&central, &batch).await.watermark, 10);
    assert_eq!(opened(&central).await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_equal_batches_at_once_get_one_receipt_and_count_once() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    three_epochs(&mut kiosk);
    let batch = Arc::new(packed(&kiosk, 1..=10));
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (batch, service) = (Arc::clone(&batch), central.service());
            tokio::spawn(async move { Http::new(&service).unwrap().post(&batch).await.unwrap() })
        })
        .collect();
    let mut receipts = Vec::new();
    for task in tasks {
        let reply = task.await.unwrap();
        assert_eq!(reply.status, 200);
        receipts.push(receipt_of(&reply));
    }
    assert!(receipts.iter().all(|receipt| *receipt == receipts[0]));
    assert_eq!(receipts[0].watermark, 10);
    assert_eq!(receipts[0].conflicts, [0; 0]);
    assert_eq!(opened(&central).await, 3);
    assert_eq!(segments(&central), 1);
    assert_eq!(findings(&central).await, []);
}

// ---- Forged, rotten, broken -------------------------------------------------------------------

#[tokio::test]
async fn a_number_with_other_bytes_is_an_alarm_and_the_first_stays_counted() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    three_epochs(&mut kiosk);
    deliver(&central, &packed(&kiosk, 1..=6)).await;
    // Line 6 opens the second contact: now for another official, together with new lines.
    let mut piece = Piece::of(&kiosk, 4..=10);
    piece.forge(6, |line| line.official = Some("cb01".parse().unwrap()));
    piece.chain_after(6);
    let forged = piece.packed(&kiosk);
    for _ in 0..2 {
        let receipt = deliver(&central, &forged).await;
        assert_eq!(receipt.conflicts, [6]);
        assert_eq!((receipt.watermark, receipt.holes), (10, vec![]), "nothing is held up");
        assert_eq!(receipt.quarantined, []);
    }
    let tallies = tallies(&central).await;
    assert_eq!(tallies["rating/q3/cb07/7/counter/nam-muc@2/hai_long"], 1, "the first counts");
    assert!(!tallies.keys().any(|key| key.contains("cb01")));
    assert_eq!(tallies["contacts/opened"], 3);
    let expected = [found("break", 7, "prev"), found("conflict", 6, "other_bytes")];
    let mut named = findings(&central).await;
    named.sort();
    assert_eq!(named, expected, "line 7 follows the other line 6");
    // Both are kept: the forged bytes stand with the finding, the first in their segment.
    let db = rusqlite::Connection::open(central.folder.path().join("central.db")).unwrap();
    let kept: Vec<u8> = db
        .query_row("SELECT bytes FROM finding WHERE kind = 'conflict'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, *piece.line(6));
    // The true line is no conflict with itself.
    assert_eq!(deliver(&central, &packed(&kiosk, 6..=6)).await.conflicts, [0; 0]);
    // The kiosk goes on as ever.
    let mut sending = kiosk.send();
    sending.drained(30).await;
    assert_eq!(opened(&central).await, 9);
}

#[tokio::test]
async fn a_conflict_at_the_last_line_does_not_hold_up_the_uploader() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    three_epochs(&mut kiosk);
    let mut piece = Piece::of(&kiosk, 1..=10);
    piece.forge(10, |line| line.mono_ms += 1);
    deliver(&central, &piece.packed(&kiosk)).await;
    let mut sending = kiosk.send();
    sending.drained(30).await;
    assert_eq!(opened(&central).await, 9);
    let named = findings(&central).await;
    assert!(named.contains(&found("conflict", 10, "other_bytes")), "{named:?}");
}

#[tokio::test]
async fn one_rotten_line_among_five_hundred_goes_to_quarantine_and_the_others_are_placed() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    let mut desk = kiosk.desk();
    for _ in 0..249 {
        rate(&mut desk, "rat_hai_long", &[]);
    }
    let mut piece = Piece::of(&kiosk, 1..=500);
    *piece.line(244) = b"{\"v\":1,\"kiosk\":\"ps-q3\",".to_vec();
    piece.chain_after(244);
    for _ in 0..2 {
        let receipt = deliver(&central, &piece.packed(&kiosk)).await;
        let named = Quarantined { seq: 244, reason: "not_a_line".into() };
        assert_eq!(receipt.quarantined, [named]);
        assert_eq!((receipt.watermark, receipt.holes), (500, vec![]));
        assert_eq!(receipt.conflicts, [0; 0]);
    }
    assert_eq!(opened(&central).await, 248, "line 244 opened one of 249 contacts");
    assert_eq!(levels(&central).await, counts([("counter/rat_hai_long", 248)]));
    assert_eq!(findings(&central).await, [found("quarantine", 244, "not_a_line")]);
}

#[tokio::test]
async fn every_kind_of_rotten_line_is_named_with_its_reason() {
    let central = TestCentral::start().await;
    type Rot = fn(&mut Piece);
    let kinds: [(&str, &str, Rot); 5] = [
        ("q1", "not_a_line", |piece| *piece.line(4) = vec![0xff, 0x00, b'\n']),
        ("q2", "wrong_place", |piece| piece.forge(4, |line| line.seq = 5)),
        ("q3", "wrong_place", |piece| piece.forge(4, |line| line.kiosk = "x".parse().unwrap())),
        ("q4", "key_missing", |piece| piece.forge(4, |line| line.counter = None)),
        ("q5", "unknown_version", |piece| piece.forge(4, |line| line.v = 2)),
    ];
    for (place, (counter, reason, rot)) in (1..).zip(kinds) {
        let mut kiosk = central.kiosk(counter).await;
        let mut desk = kiosk.desk();
        rate(&mut desk, "hai_long", &[]);
        rate(&mut desk, "hai_long", &[]);
        let mut piece = Piece::of(&kiosk, 1..=7);
        rot(&mut piece);
        piece.chain_after(4);
        let receipt = deliver(&central, &piece.packed(&kiosk)).await;
        let named = Quarantined { seq: 4, reason: reason.into() };
        assert_eq!(receipt.quarantined, [named]);
        assert_eq!(receipt.watermark, 7);
        assert_eq!(opened(&central).await, place, "of two contacts, one was opened by line 4");
        assert_eq!(findings(&central).await.last(), Some(&found("quarantine", 4, reason)));
    }
    assert_eq!(findings(&central).await.len(), 5);
}

#[tokio::test]
async fn a_rotten_first_line_of_an_epoch_holds_nothing_up() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    three_epochs(&mut kiosk);
    let mut prev = Hash::NONE;
    for (numbers, started) in [(1..=10, 1), (11..=20, 11)] {
        let mut piece = Piece::of(&kiosk, numbers.clone());
        piece.prev = prev;
        *piece.line(started) = b"?".to_vec();
        piece.chain_after(started);
        prev = Hash::of(piece.line(*numbers.end()));
        let receipt = deliver(&central, &piece.packed(&kiosk)).await;
        assert_eq!(receipt.quarantined.len(), 1);
        assert_eq!(receipt.watermark, *numbers.end(), "the watermark passes the quarantine");
        assert_eq!((receipt.holes, receipt.head), (vec![], prev));
    }
    let reason = "not_a_line";
    let named = [found("quarantine", 1, reason), found("quarantine", 11, reason)];
    assert_eq!(findings(&central).await, named);
    assert_eq!(opened(&central).await, 6);
}

#[tokio::test]
async fn lines_damaged_on_the_kiosk_s_disk_hold_up_neither_uploader_nor_count() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    three_epochs(&mut kiosk);
    // The first line of all, one that opens a contact, the last of an epoch and the first of the
    // next, and the first of another.
    let damaged = [1, 6, 20, 21, 11];
    let db = rusqlite::Connection::open(kiosk.path().join("journal.db")).unwrap();
    for seq in damaged {
        db.execute("UPDATE line SET bytes = substr(bytes, 2) WHERE seq = ?", [seq]).unwrap();
    }
    drop(db);
    let mut sending = kiosk.send();
    sending.drained(30).await;
    let mut named = findings(&central).await;
    named.sort();
    let breaks = [2, 7, 12, 22].map(|seq| found("break", seq, "prev"));
    let quarantined = [1, 6, 11, 20, 21].map(|seq| found("quarantine", seq, "not_a_line"));
    assert_eq!(named, [&breaks[..], &quarantined[..]].concat());
    assert_eq!(opened(&central).await, 8);
}

#[tokio::test]
async fn a_body_that_cannot_be_used_goes_to_quarantine_and_its_line_is_placed() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    let mut desk = kiosk.desk();
    rate(&mut desk, "hai_long", &[]); // lines 4, 5: damaged
    rate(&mut desk, "hai_long", &[]); // lines 6, 7: missing
    rate(&mut desk, "tuyet_voi", &[]); // lines 8, 9: no level of the form
    rate(&mut desk, "hai_long", &["khong_ro_ly_do"]); // lines 10, 11: no reason of the form
    rate(&mut desk, "hai_long", &[]); // lines 12, 13: sealed for another line
    desk.stop().unwrap(); // line 14: no line with an answer
    let mut piece = Piece::of(&kiosk, 1..=14);
    let of = |piece: &Piece, seq| piece.bodies.iter().position(|body| body.seq == seq).unwrap();
    let damaged = of(&piece, 4);
    piece.bodies[damaged].bytes[100] ^= 1;
    let missing = of(&piece, 6);
    piece.bodies.remove(missing);
    let (from, to) = (of(&piece, 10), of(&piece, 12));
    piece.bodies[to].bytes = piece.bodies[from].bytes.clone();
    piece.bodies.push(SealedBody { seq: 14, kind: Kind::Level, bytes: vec![0; 136] });
    let receipt = deliver(&central, &piece.packed(&kiosk)).await;
    let named: Vec<_> = receipt.quarantined.iter().map(|q| (q.seq, q.reason.as_str())).collect();
    let expected = [
        (4, "body_not_opened"),
        (6, "body_missing"),
        (8, "unknown_level"),
        (11, "unknown_reason"),
        (12, "body_not_opened"),
        (14, "body_not_of_line"),
    ];
    assert_eq!(named, expected);
    assert_eq!(receipt.watermark, 14);
    let tallies = tallies(&central).await;
    assert_eq!(tallies["contacts/opened"], 5, "all lines are placed");
    assert_eq!(tallies["contacts/rated"], 1);
    assert_eq!(levels(&central).await, counts([("counter/hai_long", 1)]));
    let expected = expected.map(|(seq, reason)| found("quarantine", seq, reason));
    assert_eq!(findings(&central).await, expected);
}

#[tokio::test]
async fn a_body_of_a_kind_of_a_later_version_is_kept_and_named_and_all_else_counts() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    let mut desk = kiosk.desk();
    rate(&mut desk, "hai_long", &[]); // lines 4, 5
    rate(&mut desk, "hai_long", &[]); // lines 6, 7
    drop(desk);
    let mut packed = packed(&kiosk, 1..=7);
    // A body of kind 9 beside those of line 6.
    let end = packed.request.iter().position(|byte| *byte == b'\n').unwrap();
    let mut frame = zstd::stream::decode_all(&packed.request[end + 1..]).unwrap();
    let strange = [&6u64.to_be_bytes()[..], &[9, 0, 3, 1, 2, 3]].concat();
    frame.extend(&strange);
    let frame = zstd::bulk::compress(&frame, 3).unwrap();
    packed.header.frame = Hash::of(&frame);
    let header = serde_json::to_vec(&packed.header).unwrap();
    packed.signature = sign(&kiosk.identity.signing_key, b"hailong batch 1\n", &header);
    packed.request = [&header[..], b"\n", &frame].concat();
    let receipt = deliver(&central, &packed).await;
    assert_eq!(receipt.watermark, 7);
    let reason = "unknown_kind".to_owned();
    assert_eq!(receipt.quarantined, [Quarantined { seq: 6, reason }]);
    assert_eq!(levels(&central).await, counts([("counter/hai_long", 2)]));
    assert_eq!(findings(&central).await, [found("quarantine", 6, "unknown_kind")]);
    let db = rusqlite::Connection::open(central.folder.path().join("central.db")).unwrap();
    let kept: Vec<u8> = db
        .query_row(
            "SELECT s.bodies FROM segment s JOIN branch b ON b.id = s.branch WHERE b.kiosk = 'ps-q3'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert!(kept.ends_with(&strange), "kept as sent");
}

#[tokio::test]
async fn a_break_in_the_chain_is_named_in_either_order_and_quarantines_nobody() {
    for backwards in [false, true] {
        let central = TestCentral::start().await;
        let mut kiosk = central.kiosk("q3").await;
        three_epochs(&mut kiosk);
        let mut piece = Piece::of(&kiosk, 1..=10);
        piece.forge(6, |line| line.prev = Hash::of(b"another past"));
        piece.chain_after(6);
        let part = |from: usize, to: usize| Piece {
            first: from as u64 + 1,
            lines: piece.lines[from..to].to_vec(),
            ..piece.clone()
        };
        let mut parts = [part(0, 5).packed(&kiosk), part(5, 10).packed(&kiosk)];
        if backwards {
            parts.reverse();
        }
        for part in parts {
            let receipt = deliver(&central, &part).await;
            assert_eq!((receipt.quarantined, receipt.conflicts), (vec![], vec![]));
        }
        assert_eq!(findings(&central).await, [found("break", 6, "prev")]);
        assert_eq!(opened(&central).await, 3);
        assert_eq!(levels(&central).await["counter/hai_long"], 1);
    }
}

// ---- Restored, lost ---------------------------------------------------------------------------

/// Copies the journal as a backup of the running machine would.
fn back_up(kiosk: &TestKiosk) -> TempDir {
    let backup = TempDir::new().unwrap();
    let db = rusqlite::Connection::open(kiosk.path().join("journal.db")).unwrap();
    let to = backup.path().join("journal.db");
    db.execute("VACUUM INTO ?", [to.to_str().unwrap()]).unwrap();
    backup
}

fn lose(kiosk: &TestKiosk, name: &str) {
    for suffix in ["", "-wal", "-shm"] {
        let file = kiosk.path().join(format!("{name}{suffix}"));
        if file.exists() {
            std::fs::remove_file(file).unwrap();
        }
    }
}

fn restore(kiosk: &TestKiosk, backup: &TempDir) {
    lose(kiosk, "journal.db");
    let from = backup.path().join("journal.db");
    std::fs::copy(from, kiosk.path().join("journal.db")).unwrap();
}

/// Sends all there is with an uploader of its own.
async fn send_all(kiosk: &TestKiosk) {
    let mut sending = kiosk.send();
    until(&sending, &kiosk.clock, |standing| standing.trouble.is_none()).await;
    sending.drained(last_of(kiosk)).await;
}

fn rate_all(desk: &mut Desk, level: &str, visitors: usize) {
    for _ in 0..visitors {
        rate(desk, level, &[]);
    }
}

#[tokio::test]
async fn a_kiosk_restored_after_a_clean_end_forks_and_both_branches_count() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    let mut desk = kiosk.desk();
    rate_all(&mut desk, "rat_hai_long", 2);
    desk.stop().unwrap();
    let backup = back_up(&kiosk); // lines 1 to 8
    let mut desk = kiosk.desk();
    rate_all(&mut desk, "hai_long", 3);
    drop(desk);
    send_all(&kiosk).await;
    restore(&kiosk, &backup);
    let mut desk = kiosk.desk();
    rate_all(&mut desk, "khong_hai_long", 4);
    drop(desk);
    send_all(&kiosk).await;
    let each =
        [("counter/rat_hai_long", 2), ("counter/hai_long", 3), ("counter/khong_hai_long", 4)];
    assert_eq!(levels(&central).await, counts(each));
    let named = findings(&central).await;
    assert_eq!(named.len(), 1, "{named:?}");
    assert_eq!((named[0].0.as_str(), named[0].1), ("fork", 9));
}

/// A backup taken while a kiosk was running, restored later with the receipts that `receipts`
/// leaves: the restored journal goes on with `visitors`.
async fn restored_while_running(receipts: fn(&TestKiosk, &TempDir), visitors: usize) {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    let mut desk = kiosk.desk();
    rate_all(&mut desk, "rat_hai_long", 2);
    let sent = packed(&kiosk, 1..=5);
    deliver(&central, &sent).await;
    let backup = back_up(&kiosk); // lines 1 to 7
    rate_all(&mut desk, "hai_long", 3);
    drop(desk);
    send_all(&kiosk).await; // lines 1 to 13
    restore(&kiosk, &backup);
    receipts(&kiosk, &backup);
    let mut desk = kiosk.desk(); // lines 8 to 10
    rate_all(&mut desk, "khong_hai_long", visitors);
    drop(desk);
    send_all(&kiosk).await;
    let each = [
        ("counter/rat_hai_long", 2),
        ("counter/hai_long", 3),
        ("counter/khong_hai_long", visitors as u64),
    ];
    assert_eq!(levels(&central).await, counts(each));
    let named = findings(&central).await;
    assert_eq!(named.len(), 1, "{named:?}");
    assert_eq!((named[0].0.as_str(), named[0].1), ("fork", 8));
}

#[tokio::test]
async fn a_kiosk_restored_with_later_receipts_sends_both_branches() {
    for visitors in [1, 2, 6] {
        // Behind the old watermark of 13, near it, beyond it.
        restored_while_running(|_, _| {}, visitors).await;
    }
}

#[tokio::test]
async fn a_restored_journal_exactly_as_long_as_the_old_watermark_is_still_sent() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    let mut desk = kiosk.desk();
    rate_all(&mut desk, "rat_hai_long", 2);
    let backup = back_up(&kiosk); // lines 1 to 7
    rate_all(&mut desk, "hai_long", 3);
    close(&mut desk, 4, How::Sent, &[]);
    drop(desk);
    send_all(&kiosk).await; // lines 1 to 14
    restore(&kiosk, &backup);
    let mut desk = kiosk.desk(); // lines 8 to 10
    rate_all(&mut desk, "khong_hai_long", 2);
    drop(desk);
    assert_eq!(last_of(&kiosk), 14);
    let sending = kiosk.send();
    let counted = async {
        while levels(&central).await.get("counter/khong_hai_long") != Some(&2) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), counted).await.expect("sent");
    drop(sending);
}

#[tokio::test]
async fn a_kiosk_restored_without_receipts_sends_both_branches() {
    for visitors in [1, 6] {
        restored_while_running(|kiosk, _| lose(kiosk, "receipts.db"), visitors).await;
    }
}

#[tokio::test]
async fn a_lost_journal_is_named_in_its_first_line_and_what_follows_is_counted() {
    for visitors in [1, 6] {
        let central = TestCentral::start().await;
        let mut kiosk = central.kiosk("q3").await;
        let mut desk = kiosk.desk();
        rate_all(&mut desk, "hai_long", 3);
        drop(desk);
        send_all(&kiosk).await;
        lose(&kiosk, "journal.db");
        let mut desk = kiosk.desk();
        rate_all(&mut desk, "khong_hai_long", visitors);
        drop(desk);
        let mut piece = Piece::of(&kiosk, 1..=1);
        let started: Line = serde_json::from_slice(piece.line(1)).unwrap();
        assert_eq!((started.seq, started.prev), (1, Hash::NONE));
        assert_eq!(started.last_run, Some(LastRun::JournalLost));
        send_all(&kiosk).await;
        let receipt = deliver(&central, &piece.packed(&kiosk)).await;
        assert_eq!((receipt.watermark, receipt.holes), (last_of(&kiosk), vec![]));
        let each = [("counter/hai_long", 3), ("counter/khong_hai_long", visitors as u64)];
        assert_eq!(levels(&central).await, counts(each));
        let named = findings(&central).await;
        assert_eq!(named.len(), 2, "numbers in common: {named:?}");
        assert_eq!(named[0], found("lost", 1, "journal_lost"));
        assert_eq!((named[1].0.as_str(), named[1].1), ("fork", 1));
    }
}

// ---- Receipts ---------------------------------------------------------------------------------

/// Changes replies while it is told to.
struct Tampering {
    http: Http,
    tamper: Arc<AtomicBool>,
    how: fn(&mut Reply),
}

impl Transport for Tampering {
    async fn post(&self, batch: &Packed) -> Result<Reply, Unreachable> {
        let mut reply = self.http.post(batch).await?;
        if self.tamper.load(Ordering::SeqCst) {
            (self.how)(&mut reply);
        }
        Ok(reply)
    }
}

#[tokio::test]
async fn an_uploader_believes_no_receipt_that_is_not_signed_as_it_stands() {
    let central = TestCentral::start().await;
    type Tamper = fn(&mut Reply);
    let ways: [(&str, Tamper); 4] = [
        ("q1", |reply| {
            let text = String::from_utf8(std::mem::take(&mut reply.body)).unwrap();
            assert!(text.contains("\"watermark\":10"));
            reply.body = text.replace("\"watermark\":10", "\"watermark\":30").into_bytes();
        }),
        ("q2", |reply| reply.signature.clear()),
        ("q3", |reply| reply.body.push(b' ')),
        ("q4", |reply| reply.body = b"{}".to_vec()),
    ];
    for (counter, how) in ways {
        let mut kiosk = central.kiosk(counter).await;
        three_epochs(&mut kiosk);
        let tamper = Arc::new(AtomicBool::new(true));
        let http = Http::new(&central.service()).unwrap();
        let transport = Tampering { http, tamper: Arc::clone(&tamper), how };
        let mut sending = kiosk.send_by(transport);
        let standing = until(&sending, &central.clock, |standing| standing.failures >= 3).await;
        assert_eq!(standing.watermark, 0);
        let trouble = standing.trouble.unwrap().to_string();
        assert!(trouble.contains("not signed by the central service"), "{trouble}");
        tamper.store(false, Ordering::SeqCst);
        sending.drained(30).await;
    }
}

#[tokio::test]
async fn an_uploader_with_another_receipt_key_goes_nowhere() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    three_epochs(&mut kiosk);
    let stranger = kiosk.identity.signing_key.verifying_key();
    let sender = Sender { receipt_key: stranger, ..kiosk.sender() };
    let clock: Arc<dyn Clock> = Arc::clone(&kiosk.clock) as _;
    let http = Http::new(&central.service()).unwrap();
    let uploader =
        hailong::kiosk::uploader::Uploader::open(&kiosk.path(), sender, http, clock).unwrap();
    let mut standing = uploader.standing();
    let task = tokio::spawn(uploader.run(Arc::default()));
    let pass = async {
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            central.clock.set(At::new(central.clock.now()).plus_minutes(1));
        }
    };
    let failed = standing.wait_for(|standing| standing.failures >= 3);
    let standing = tokio::select! {
        failed = tokio::time::timeout(Duration::from_secs(20), failed) => {
            failed.expect("in time").unwrap().clone()
        }
        () = pass => unreachable!(),
    };
    assert_eq!(standing.watermark, 0);
    task.abort();
    // The true key finds everything there already.
    send_all(&kiosk).await;
    assert_eq!(opened(&central).await, 9);
}

#[tokio::test]
async fn a_receipt_for_another_kiosk_or_epoch_is_not_obeyed() {
    let central = TestCentral::start().await;
    let mut other = central.kiosk("q1").await;
    three_epochs(&mut other);
    let mut kiosk = central.kiosk("q3").await;
    three_epochs(&mut kiosk);
    // True receipts, of another kiosk's batch and of another epoch's batch.
    for batch in [packed(&other, 1..=10), packed(&kiosk, 11..=20)] {
        let wrong = post(&central, &batch).await;
        assert_eq!(wrong.status, 200);
        struct Wrong(Reply);
        impl Transport for Wrong {
            async fn post(&self, _: &Packed) -> Result<Reply, Unreachable> {
                Ok(self.0.clone())
            }
        }
        let sending = kiosk.send_by(Wrong(wrong));
        let standing = until(&sending, &central.clock, |standing| standing.failures >= 2).await;
        assert_eq!(standing.watermark, 0);
        assert!(standing.trouble.unwrap().to_string().contains("for another journal"));
    }
}

/// Status and `Retry-After` for a batch and the number of its post, or none for a true answer.
type Answering = fn(&Packed, usize) -> Option<(u16, Option<u64>)>;
/// When a batch was posted, and with how many lines.
type Asked = Arc<Mutex<Vec<(At, u32)>>>;

/// Answers as it is told and notes when, by the injected clock, and with how many lines it was
/// asked.
struct Stub {
    http: Http,
    clock: Arc<DemoClock>,
    asked: Asked,
    answer: Answering,
}

impl Transport for Stub {
    async fn post(&self, batch: &Packed) -> Result<Reply, Unreachable> {
        let place = {
            let mut asked = self.asked.lock().unwrap();
            asked.push((At::new(self.clock.now()), batch.header.count));
            asked.len()
        };
        let Some((status, retry_after)) = (self.answer)(batch, place) else {
            return self.http.post(batch).await;
        };
        let retry_after = retry_after.map(Duration::from_secs);
        Ok(Reply {
            status,
            retry_after,
            signature: String::new(),
            key: String::new(),
            body: b"{}".to_vec(),
        })
    }
}

impl Stub {
    fn new(central: &TestCentral, answer: Answering) -> (Self, Asked) {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let http = Http::new(&central.service()).unwrap();
        let clock = Arc::clone(&central.clock);
        (Self { http, clock, asked: Arc::clone(&asked), answer }, asked)
    }
}

#[tokio::test]
async fn an_uploader_waits_as_long_as_it_is_asked_to() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    three_epochs(&mut kiosk);
    let busy = |_: &Packed, place| match place {
        1 => Some((503, Some(1_200))),
        2 => Some((429, Some(1_200))),
        _ => None,
    };
    let (stub, asked) = Stub::new(&central, busy);
    let mut sending = kiosk.send_by(stub);
    sending.drained(30).await;
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 5, "two refusals, three batches");
    for pair in asked[..3].windows(2) {
        let waited = pair[1].0.timestamp().as_second() - pair[0].0.timestamp().as_second();
        assert!(waited >= 1_200, "{waited} s");
    }
}

#[tokio::test]
async fn an_uploader_told_that_a_batch_is_too_large_takes_fewer_lines() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    three_epochs(&mut kiosk);
    let too_large = |batch: &Packed, _| (batch.header.count > 3).then_some((413, None));
    let (stub, asked) = Stub::new(&central, too_large);
    let mut sending = kiosk.send_by(stub);
    sending.drained(30).await;
    let asked: Vec<u32> = asked.lock().unwrap().iter().map(|(_, count)| *count).collect();
    assert_eq!(asked[..3], [10, 5, 2], "halves of what was sent");
    assert!(asked[2..].iter().all(|count| *count <= 3), "{asked:?}");
    assert_eq!(opened(&central).await, 9);
}

#[tokio::test]
async fn an_uploader_whose_single_line_is_refused_goes_on_trying() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    three_epochs(&mut kiosk);
    let (stub, asked) = Stub::new(&central, |_, place| (place <= 8).then_some((413, None)));
    let mut sending = kiosk.send_by(stub);
    sending.drained(30).await;
    let asked = asked.lock().unwrap();
    assert!(asked[3..9].iter().all(|(_, count)| *count == 1), "{asked:?}");
}

/// Talks to whichever service it is told to.
struct Switched(Arc<Mutex<String>>);

impl Transport for Switched {
    async fn post(&self, batch: &Packed) -> Result<Reply, Unreachable> {
        let service = self.0.lock().unwrap().clone();
        Http::new(&service)?.post(batch).await
    }
}

fn copy_folder(from: &Path) -> TempDir {
    let copy = TempDir::new().unwrap();
    common::copy(from, copy.path());
    copy
}

#[tokio::test]
async fn a_watermark_that_goes_back_makes_the_uploader_send_again() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    let mut desk = kiosk.desk();
    rate_all(&mut desk, "hai_long", 3);
    let service = Arc::new(Mutex::new(central.service()));
    let mut sending = kiosk.send_by(Switched(Arc::clone(&service)));
    sending.drained(9).await;
    let (folder, clock) = central.stop().await;
    let backup = copy_folder(folder.path());
    let later = TestCentral::start_in(folder, Arc::clone(&clock)).await;
    *service.lock().unwrap() = later.service();
    rate_all(&mut desk, "khong_hai_long", 2);
    sending.drained(13).await;
    assert_eq!(opened(&later).await, 5);
    later.stop().await;
    // The central service is restored from its backup; it has lines 1 to 9.
    let restored = TestCentral::start_in(backup, clock).await;
    *service.lock().unwrap() = restored.service();
    let contact = rate(&mut desk, "rat_hai_long", &[]);
    sending.drained(contact + 1).await;
    let each =
        [("counter/hai_long", 3), ("counter/khong_hai_long", 2), ("counter/rat_hai_long", 1)];
    assert_eq!(levels(&restored).await, counts(each));
    let receipt = deliver(&restored, &packed(&kiosk, 1..=1)).await;
    assert_eq!((receipt.watermark, receipt.holes), (15, vec![]));
    assert_eq!(findings(&restored).await, []);
}

#[tokio::test]
async fn a_restarted_uploader_goes_on_from_its_last_receipt() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    three_epochs(&mut kiosk);
    send_all(&kiosk).await;
    let mut desk = kiosk.desk();
    rate_all(&mut desk, "hai_long", 1);
    let (transport, posts) = Faulty::new(&central, &[]);
    let mut sending = kiosk.send_by(transport);
    sending.drained(35).await;
    assert_eq!(posts.load(Ordering::SeqCst), 1);
    assert_eq!(segments(&central), 4);
}

// ---- Strangers and rubbish ----------------------------------------------------------------------

#[tokio::test]
async fn strangers_and_rubbish_are_refused_with_a_problem_and_harm_nothing() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    three_epochs(&mut kiosk);
    let elsewhere = TestCentral::start().await;
    let mut stranger = elsewhere.kiosk("q9").await;
    three_epochs(&mut stranger);
    let key = &kiosk.identity.signing_key;

    // Not admitted here.
    let batch = packed(&stranger, 1..=10);
    assert_eq!(refused(&central, batch.request, &batch.signature).await, 401);
    // Admitted, and signed with another's key or not at all.
    let piece = Piece::of(&kiosk, 1..=10);
    let batch = piece.packed(&kiosk);
    let end = batch.request.iter().position(|byte| *byte == b'\n').unwrap();
    let by_stranger =
        sign(&stranger.identity.signing_key, b"hailong batch 1\n", &batch.request[..end]);
    for signature in [by_stranger.as_str(), "", "AAAA", &"A".repeat(86), "ü"] {
        assert_eq!(refused(&central, batch.request.clone(), signature).await, 401);
    }
    // Under the name of the central service's own series.
    let own: KioskId = "central".parse().unwrap();
    let parts = Parts {
        kiosk: &own,
        epoch: piece.span.epoch,
        start: 1,
        enc: piece.span.enc,
        key: &piece.span.key,
        first: 1,
        prev: Hash::NONE,
        lines: &piece.lines,
        bodies: &piece.bodies,
    };
    let forged = pack(&parts, key).unwrap();
    assert_eq!(refused(&central, forged.request, &forged.signature).await, 401);
    // Signed headers over rubbish.
    let signed = |header: &hailong::domain::batch::Header, frame: &[u8]| {
        let mut request = serde_json::to_vec(header).unwrap();
        let signature = sign(key, b"hailong batch 1\n", &request);
        request.push(b'\n');
        request.extend(frame);
        (request, signature)
    };
    let header = batch.header.clone();
    let (request, signature) = signed(&header, b"");
    assert_eq!(refused(&central, request, &signature).await, 400, "no frame");
    let rubbish = b"not zstd at all";
    let mut of_rubbish = header.clone();
    of_rubbish.frame = Hash::of(rubbish);
    let (request, signature) = signed(&of_rubbish, rubbish);
    assert_eq!(refused(&central, request, &signature).await, 400, "not zstd");
    let bomb = zstd::bulk::compress(&vec![0; MAX_UNPACKED * 16], 3).unwrap();
    assert!(bomb.len() < 100_000);
    let mut of_bomb = header.clone();
    of_bomb.frame = Hash::of(&bomb);
    let (request, signature) = signed(&of_bomb, &bomb);
    assert_eq!(refused(&central, request.clone(), &signature).await, 413, "a bomb");
    assert_eq!(refused(&central, request, &by_stranger).await, 401, "a stranger's bomb");
    for (first, start, count) in
        [(0, 0, 1), (1, 2, 1), (1, 1, 0), (1, 1, 501), (u64::MAX, 1, 2), (2_000_000, 1, 10)]
    {
        let mut wrong = header.clone();
        (wrong.first, wrong.start, wrong.count) = (first, start, count);
        let (request, signature) = signed(&wrong, &batch.request[end + 1..]);
        let status = refused(&central, request, &signature).await;
        assert_eq!(status, 400, "first {first}, start {start}, count {count}");
    }
    // No header at all.
    let long = vec![b'x'; 10_000];
    for rubbish in [&b""[..], b"\n", b"{}\n", b"{\"kiosk\":1}\n", b"\xff\xfe\n\n", b"[[[[\n", &long]
    {
        assert_eq!(refused(&central, rubbish.to_vec(), &batch.signature).await, 400);
    }
    // More than 1 MiB.
    for size in [MAX_PACKED + 1, MAX_PACKED * 4] {
        let mut large = batch.request.clone();
        large.resize(size, 0);
        assert_eq!(refused(&central, large, &batch.signature).await, 413);
    }

    assert_eq!(segments(&central), 0);
    assert_eq!(findings(&central).await, []);
    assert_eq!(deliver(&central, &batch).await.watermark, 10, "the service is as well as before");
    assert_eq!(opened(&central).await, 3);
}

// ---- Phones -------------------------------------------------------------------------------------

/// A page as a phone gets it.
struct Page {
    status: u16,
    text: String,
}

impl Page {
    fn token(&self) -> String {
        let from = self.text.split("name=\"token\" value=\"").nth(1).expect("a form");
        from.split('"').next().unwrap().to_owned()
    }
}

/// Opens a contact to be rated later; gives its number and its ticket.
fn later(desk: &mut Desk) -> (u64, String) {
    let kept = desk
        .keep(&Record::Open { by: By::Later, counter: common::first_counter(desk), level: None })
        .unwrap();
    (kept.seq, kept.ticket.expect("a ticket"))
}

async fn read(response: reqwest::Response) -> Page {
    let status = response.status().as_u16();
    // As a browser reads it.
    Page { status, text: response.text().await.unwrap().replace("&#x2f;", "/") }
}

async fn get(address: &str) -> Page {
    read(client().unwrap().get(address.to_owned()).send().await.unwrap()).await
}

async fn answer(address: &str, fields: &[(&str, &str)]) -> Page {
    let encode = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => {
                    char::from(byte).to_string()
                }
                other => format!("%{other:02X}"),
            })
            .collect()
    };
    let body: Vec<String> =
        fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    let request = client()
        .unwrap()
        .post(address.to_owned())
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.join("&"));
    read(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_phone_answer_counts_when_its_contact_has_ended_and_consumes_the_ticket() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    central.clock.set(at("2026-11-24 08:15"));
    let mut desk = kiosk.desk();
    let (contact, ticket) = later(&mut desk);
    close(&mut desk, contact, How::Left, &[]);
    send_all(&kiosk).await;
    assert_eq!(tallies(&central).await["contacts/later"], 1);

    let before = central.store().canonical_digest().await.unwrap();
    let form = get(&ticket).await;
    assert_eq!(form.status, 200);
    assert!(form.text.contains("Nguyễn Thị Thanh Lan"), "the contact's line is here");
    for _ in 0..3 {
        assert_eq!(get(&ticket).await.status, 200);
    }
    assert_eq!(central.store().canonical_digest().await.unwrap(), before, "GET records nothing");

    let token = form.token();
    // Reasons of another pole than the level's, and unknown ones, are left out.
    let fields = [
        ("token", token.as_str()),
        ("level", "khong_hai_long"),
        ("reason", "thai_do"),
        ("reason", "cho_lau"),
        ("reason", "niem_no"),
        ("reason", "la"),
    ];
    let thanks = answer(&ticket, &fields).await;
    assert_eq!(thanks.status, 200);
    assert!(thanks.text.contains("Xin cảm ơn"));
    let counted = tallies(&central).await;
    let expected = counts([
        ("contacts/opened", 1),
        ("contacts/rated", 1),
        ("rating/q3/cb07/8/phone/nam-muc@2/khong_hai_long", 1),
        ("reason/nam-muc@2/cho_lau", 1),
        ("reason/nam-muc@2/thai_do", 1),
    ]);
    assert_eq!(counted, expected);

    for page in [get(&ticket).await, answer(&ticket, &fields).await] {
        assert_eq!(page.status, 410);
        assert!(page.text.contains("Mã này đã được sử dụng"));
    }
    assert_eq!(tallies(&central).await, expected);
}

#[tokio::test]
async fn an_expired_ticket_and_one_that_is_not_valid_are_told_apart() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    let mut desk = kiosk.desk();
    let (contact, ticket) = later(&mut desk);
    close(&mut desk, contact, How::Left, &[]);
    send_all(&kiosk).await;
    let token = get(&ticket).await.token();

    let (base, code) = ticket.rsplit_once('/').unwrap();
    let mut changed = code.to_owned().into_bytes();
    changed[40] = if changed[40] == b'A' { b'B' } else { b'A' };
    for wrong in [String::from_utf8(changed).unwrap(), "A".into(), "A".repeat(47), "A".repeat(500)]
    {
        let address = format!("{base}/{wrong}");
        let fields = [("token", token.as_str()), ("level", "hai_long")];
        for page in [get(&address).await, answer(&address, &fields).await] {
            assert_eq!(page.status, 404);
            assert!(page.text.contains("Mã không hợp lệ"));
        }
    }
    central.clock.set(At::new(central.clock.now()).plus_minutes(8 * 24 * 60));
    for page in
        [get(&ticket).await, answer(&ticket, &[("token", &token), ("level", "hai_long")]).await]
    {
        assert_eq!(page.status, 410);
        assert!(page.text.contains("hết hiệu lực sau 7 ngày"));
    }
    assert_eq!(levels(&central).await, counts([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_sent_at_once_with_one_ticket_count_once() {
    let mut config = common::sample_config();
    // All of them are this machine.
    config.citizens.bounds.share = None;
    let central = TestCentral::with_config(config, at("2026-11-24 07:30")).await;
    let mut kiosk = central.kiosk("q3").await;
    let mut desk = kiosk.desk();
    let (contact, ticket) = later(&mut desk);
    close(&mut desk, contact, How::Left, &[]);
    send_all(&kiosk).await;
    let token = get(&ticket).await.token();
    let posts: Vec<_> = (0..100)
        .map(|_| {
            let (ticket, token) = (ticket.clone(), token.clone());
            tokio::spawn(async move {
                answer(&ticket, &[("token", &token), ("level", "hai_long")]).await.status
            })
        })
        .collect();
    let mut statuses = Vec::new();
    for post in posts {
        statuses.push(post.await.unwrap());
    }
    let heard = |status| statuses.iter().filter(|one| **one == status).count();
    assert_eq!((heard(200), heard(410)), (1, 99), "{statuses:?}");
    assert_eq!(levels(&central).await, counts([("phone/hai_long", 1)]));
}

#[tokio::test]
async fn words_come_sealed_with_every_answer_and_a_report_goes_to_another_reader() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    central.clock.set(at("2026-11-24 08:15"));
    let mut desk = kiosk.desk();
    let mut written = async |level: &str, fields: &[(&str, &str)]| {
        let (contact, ticket) = later(&mut desk);
        close(&mut desk, contact, How::Left, &[]);
        let token = get(&ticket).await.token();
        let own = [("token", token.as_str()), ("level", level)];
        assert_eq!(answer(&ticket, &[&own[..], fields].concat()).await.status, 200);
    };
    written("hai_long", &[("words", "  Cán bộ rất tốt.\r\nXin cảm ơn!\u{7} ")]).await;
    written("rat_khong_hai_long", &[("words", "Đòi thêm tiền."), ("reason", "phan_anh")]).await;
    written("hai_long", &[("words", " \r\n ")]).await;
    let texts = async |reader| -> Vec<String> {
        central.store().words(reader).await.unwrap().into_iter().map(|w| w.text).collect()
    };
    assert_eq!(texts(Reader::Office).await, ["Cán bộ rất tốt.\nXin cảm ơn!"]);
    let reports = central.store().words(Reader::Authority).await.unwrap();
    assert_eq!((reports.len(), reports[0].text.as_str()), (1, "Đòi thêm tiền."));
    assert_eq!(reports[0].counter, None, "the contact's line is not here yet");
    send_all(&kiosk).await;
    let reports = central.store().words(Reader::Authority).await.unwrap();
    let known = (&reports[0].counter, &reports[0].official);
    assert_eq!(known, (&Some("q3".parse().unwrap()), &Some("cb07".parse().unwrap())));

    // A wish to write is in no summary, however many had it.
    for _ in 0..10 {
        rate(&mut desk, "hai_long", &["niem_no", "phan_anh", "gop_y"]);
    }
    central.clock.set(at("2026-11-25 00:05"));
    desk.stop().unwrap();
    send_all(&kiosk).await;
    let (config, store) = (&central.central.config, central.store());
    let (date, now) = ("2026-11-24".parse().unwrap(), central.central.now());
    let summary = of_day(store, &config.offices[0], &config.forms, date, now).await.unwrap();
    assert_eq!(summary.n, 13);
    assert!(summary.reasons.iter().any(|reason| reason.code == "niem_no"));
    assert!(summary.reasons.iter().all(|r| !["phan_anh", "gop_y"].contains(&r.code.as_str())));

    // Only their own reader reads them.
    let address = format!("http://{}/reports", central.staff);
    assert_eq!(get(&address).await.status, 401);
    let with_cookie = async |cookie: String| {
        let request = client().unwrap().get(&address).header("cookie", cookie);
        read(request.send().await.unwrap()).await
    };
    for role in Role::ALL.into_iter().filter(|role| ![Role::Reader, Role::Official].contains(role))
    {
        assert_eq!(with_cookie(central.cookie(role).await).await.status, 403, "{role}");
    }
    let read = with_cookie(central.cookie(Role::Reader).await).await;
    assert_eq!(read.status, 200);
    assert!(read.text.contains("Đòi thêm tiền.") && !read.text.contains("Cán bộ rất tốt."));
}

#[tokio::test]
async fn words_that_do_not_fit_come_back_to_be_shortened_and_the_longest_fit() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    let mut desk = kiosk.desk();
    let (contact, ticket) = later(&mut desk);
    close(&mut desk, contact, How::Left, &[]);
    send_all(&kiosk).await;
    let token = get(&ticket).await.token();
    let fits = "Ễ".repeat(2_000 / 3);
    // Longer than 2,000 bytes; and short enough, but not once it is written as JSON.
    for long in ["Ễ".repeat(2_000 / 3 + 1), "\"".repeat(1_500)] {
        let fields = [("token", &*token), ("level", "hai_long"), ("words", &long)];
        let page = answer(&ticket, &fields).await;
        assert_eq!(page.status, 422);
        assert!(page.text.contains("Xin ông/bà rút ngắn rồi gửi lại."));
        assert!(page.text.contains("value=\"hai_long\" checked"), "nothing else is lost");
    }
    let fields = [("token", &*token), ("level", "hai_long"), ("words", &fits)];
    assert_eq!(answer(&ticket, &fields).await.status, 200);
    assert_eq!(central.store().words(Reader::Office).await.unwrap()[0].text, fits);
}

#[tokio::test]
async fn further_questions_are_asked_on_the_phone_alone_and_count_like_reasons() {
    let mut config = common::sample_config();
    config.offices[0].office.form = "tieu-chi".into();
    let central = TestCentral::with_config(config, at("2026-11-24 08:15")).await;
    let mut kiosk = central.kiosk("q3").await;
    let mut desk = kiosk.desk();
    let (contact, ticket) = later(&mut desk);
    close(&mut desk, contact, How::Left, &[]);
    send_all(&kiosk).await;
    let form = get(&format!("{ticket}?lang=en")).await;
    assert!(form.text.contains("How many bodies you had to contact"));
    let token = form.token();
    let fields = [
        ("lang", "en"),
        ("token", token.as_str()),
        ("level", "hai_long"),
        ("question-3", "cq_hai"),
        ("question-1", "tg_dung"),
        ("question-1", "tg_som"),
        ("reason", "niem_no"),
    ];
    let page = answer(&ticket, &fields).await;
    assert!(page.status == 200 && page.text.contains("Thank you!"), "in the language chosen");
    let counted = counts([
        ("contacts/opened", 1),
        ("contacts/rated", 1),
        ("rating/q3/cb07/8/phone/tieu-chi@1/hai_long", 1),
        ("reason/tieu-chi@1/cq_hai", 1),
        ("reason/tieu-chi@1/niem_no", 1),
        // One answer to a question.
        ("reason/tieu-chi@1/tg_som", 1),
    ]);
    assert_eq!(tallies(&central).await, counted);
}

#[tokio::test]
async fn an_answer_under_an_old_version_of_a_form_arrives_and_counts_under_it() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    central.clock.set(at("2026-11-24 08:15"));
    // A kiosk that has heard of no other version yet.
    let enrolled = kiosk.identity.enrolled.as_mut().unwrap();
    enrolled.forms.retain(|form| form.version == 1);
    let mut desk = kiosk.desk();
    rate(&mut desk, "hai_long", &["niem_no"]);
    let (contact, ticket) = later(&mut desk);
    close(&mut desk, contact, How::Left, &[]);
    send_all(&kiosk).await;
    let page = get(&ticket).await;
    assert!(page.text.contains("name=\"words\"") && !page.text.contains("phan_anh"));
    let fields = [("token", page.token()), ("level", "hai_long".into())];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, &**value)).collect();
    assert_eq!(answer(&ticket, &fields).await.status, 200);
    let tallies = tallies(&central).await;
    assert_eq!(tallies["rating/q3/cb07/8/counter/nam-muc@1/hai_long"], 1);
    assert_eq!(tallies["rating/q3/cb07/8/phone/nam-muc@1/hai_long"], 1);
    assert_eq!(tallies["reason/nam-muc@1/niem_no"], 1);
}

#[tokio::test]
async fn a_phone_answer_before_its_line_waits_until_the_contact_s_end_is_here() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    central.clock.set(at("2026-11-24 10:40"));
    let mut desk = kiosk.desk(); // lines 1 to 3
    let (contact, ticket) = later(&mut desk); // line 4
    close(&mut desk, contact, How::Left, &[]); // line 5
    let form = get(&ticket).await;
    assert_eq!(form.status, 200);
    assert!(!form.text.contains("Nguyễn Thị Thanh Lan"), "no name before the line is here");
    assert!(form.text.contains("24/11"));
    let sent = answer(&ticket, &[("token", &form.token()), ("level", "hai_long")]).await;
    assert_eq!(sent.status, 200);
    let waiting = counts([("phone/waiting", 1)]);
    assert_eq!(tallies(&central).await, waiting, "no line of the kiosk is here");
    assert_eq!(get(&ticket).await.status, 410, "consumed all the same");
    deliver(&central, &packed(&kiosk, 1..=3)).await;
    assert_eq!(tallies(&central).await, waiting, "its epoch is here");
    deliver(&central, &packed(&kiosk, 4..=4)).await;
    let opened = counts([("contacts/opened", 1), ("phone/waiting", 1)]);
    assert_eq!(tallies(&central).await, opened, "its opening is here");
    deliver(&central, &packed(&kiosk, 5..=5)).await;
    let counted = counts([
        ("contacts/opened", 1),
        ("contacts/rated", 1),
        ("rating/q3/cb07/10/phone/nam-muc@2/hai_long", 1),
    ]);
    assert_eq!(tallies(&central).await, counted);
}

#[tokio::test]
async fn a_phone_answer_stands_beside_a_level_that_was_given_at_the_counter() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    let mut desk = kiosk.desk();
    let mut tickets = Vec::new();
    for _ in 0..3 {
        let open = Record::Open {
            by: By::Touch,
            counter: common::first_counter(&desk),
            level: Some("hai_long".into()),
        };
        let kept = desk.keep(&open).unwrap();
        close(&mut desk, kept.seq, How::TimedOut, &["niem_no"]);
        tickets.push(kept.ticket.unwrap());
    }
    drop(desk);
    // One before its lines are here, two after.
    for (place, level) in ["hai_long", "rat_hai_long", "khong_hai_long"].into_iter().enumerate() {
        let form = get(&tickets[place]).await;
        let fields = [("token", form.token()), ("level", level.to_owned())];
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        assert_eq!(answer(&tickets[place], &fields).await.status, 200);
        send_all(&kiosk).await;
    }
    let counted = counts([
        ("beside/higher", 1),
        ("beside/lower", 1),
        ("beside/same", 1),
        ("contacts/opened", 3),
        ("contacts/rated", 3),
        ("rating/q3/cb07/7/counter/nam-muc@2/hai_long", 3),
        ("reason/nam-muc@2/niem_no", 3),
    ]);
    assert_eq!(tallies(&central).await, counted);
}

#[tokio::test]
async fn an_old_form_comes_back_filled_in_with_a_new_token_and_one_without_level_with_a_message() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    let mut desk = kiosk.desk();
    let (contact, ticket) = later(&mut desk);
    close(&mut desk, contact, How::Left, &[]);
    send_all(&kiosk).await;
    let old = get(&ticket).await.token();

    let page = answer(&ticket, &[("token", &old), ("reason", "niem_no")]).await;
    assert_eq!(page.status, 422);
    assert!(page.text.contains("Xin ông/bà chọn một mức trước khi gửi."));
    assert!(page.text.contains("value=\"niem_no\" checked"));
    for wrong in ["tuyet_voi", ""] {
        let page = answer(&ticket, &[("token", &old), ("level", wrong)]).await;
        assert!(page.text.contains("Xin ông/bà chọn một mức trước khi gửi."));
    }

    let now = At::new(central.clock.now());
    central.clock.set(now.plus_minutes(31));
    let filled = [("token", old.as_str()), ("level", "rat_hai_long"), ("reason", "niem_no")];
    let page = answer(&ticket, &filled).await;
    assert_eq!(page.status, 422);
    assert!(page.text.contains("Trang đã mở quá 30 phút."));
    assert!(page.text.contains("value=\"rat_hai_long\" checked"));
    assert!(page.text.contains("value=\"niem_no\" checked"));
    assert_eq!(page.text.matches(" checked").count(), 2);
    assert_eq!(levels(&central).await, counts([]), "nothing was consumed");
    let new = page.token();
    assert_ne!(new, old);

    // A token of another ticket does not do, nor an invented one.
    let (_, other) = later(&mut desk);
    let of_other = get(&other).await.token();
    for token in [of_other.as_str(), "", "AAAA", "ü"] {
        let page = answer(&ticket, &[("token", token), ("level", "hai_long")]).await;
        assert_eq!(page.status, 422);
    }

    central.clock.set(now.plus_minutes(31 + 30));
    let filled = [("token", new.as_str()), ("level", "rat_hai_long"), ("reason", "niem_no")];
    assert_eq!(answer(&ticket, &filled).await.status, 200, "30 minutes are not too old");
    assert_eq!(levels(&central).await, counts([("phone/rat_hai_long", 1)]));
    assert_eq!(tallies(&central).await["reason/nam-muc@2/niem_no"], 1);
}
