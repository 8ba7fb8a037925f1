//! The central service over loopback HTTP with batches that were written and signed beforehand:
//! full ones against two bare stores of the same bytes, single lines from many kiosks against the
//! same server doing nothing.
//!
//! Client, service and disk share this machine. Folders lie where `TMPDIR` says: it must be a disk.

#[path = "sides/backlog.rs"]
mod backlog;
#[path = "sides/bare.rs"]
mod bare;
#[path = "../tests/common/mod.rs"]
mod common;
mod sides;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::http::StatusCode;
use backlog::{Batch, backlog};
use bare::{Log, Ratings};
use common::{TestCentral, at};
use hailong::domain::receipt::Receipt;
use hailong::kiosk::transport::{Http, Reply, Transport};
use hailong::listener::{Listener, serve};
use sides::{Bar, Side, compare, rounds};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Lines in a full batch.
const FULL: usize = 500;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(full_batches());
    runtime.block_on(single_lines());
}

/// What one kiosk has to send.
type Waiting = VecDeque<Arc<Batch>>;

async fn kiosks(central: &TestCentral, many: usize, batches: usize, count: usize) -> Vec<Waiting> {
    let mut kiosks = Vec::with_capacity(many);
    for number in 0..many {
        let kiosk = central.kiosk(&format!("q{number}")).await;
        kiosks.push(backlog(&kiosk, batches, count).into_iter().map(Arc::new).collect());
    }
    kiosks
}

/// The next `each` batches of every kiosk.
fn next(kiosks: &mut [Waiting], each: usize) -> Vec<Vec<Arc<Batch>>> {
    kiosks.iter_mut().map(|waiting| waiting.drain(..each).collect()).collect()
}

/// One connection a kiosk.
fn lines_to(service: &str, many: usize) -> Vec<Arc<Http>> {
    (0..many).map(|_| Arc::new(Http::new(service).expect("a client"))).collect()
}

/// Every kiosk sends its batches one after the other, all kiosks at once. Seconds taken.
async fn send(lines: &[Arc<Http>], batches: &[Vec<Arc<Batch>>], judge: fn(&Batch, &Reply)) -> f64 {
    let start = Instant::now();
    let mut sending = JoinSet::new();
    for (line, batches) in lines.iter().cloned().zip(batches.iter().cloned()) {
        sending.spawn(async move {
            for batch in batches {
                let reply = line.post(&batch.packed).await.expect("answered");
                judge(&batch, &reply);
            }
        });
    }
    sending.join_all().await;
    start.elapsed().as_secs_f64()
}

fn receipted(batch: &Batch, reply: &Reply) {
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    let receipt: Receipt = serde_json::from_slice(&reply.body).expect("a receipt");
    assert_eq!(receipt.watermark, batch.packed.header.last());
    assert_eq!((receipt.quarantined.len(), receipt.conflicts.len()), (0, 0));
}

fn answered(_: &Batch, reply: &Reply) {
    assert_eq!(reply.status, 204);
}

async fn full_batches() {
    const KIOSKS: usize = 8;
    const EACH: usize = 2;
    let rounds = rounds(15);
    let central = TestCentral::start_at(at("2026-11-24 17:30")).await;
    let mut kiosks = kiosks(&central, KIOSKS, (rounds + 1) * EACH, FULL).await;
    let lines = lines_to(&central.service(), KIOSKS);
    let folder = tempfile::TempDir::new().expect("a folder");
    let mut log = Log::open(&folder.path().join("log.db"));
    let mut ratings = Ratings::open(&folder.path().join("ratings.db"));
    let mut ours = Side::new("central service over HTTP");
    let mut appended = Side::new("bare rusqlite, append-only, tallies");
    let mut keyed = Side::new("bare rusqlite, row a rating, UUID, two indexes");
    let amount = (KIOSKS * EACH * FULL) as f64 / 1e3;
    for round in 0..=rounds {
        let batches = next(&mut kiosks, EACH);
        let mut bare = || {
            let start = Instant::now();
            batches.iter().flatten().for_each(|batch| log.keep(batch));
            let log = start.elapsed().as_secs_f64();
            let start = Instant::now();
            batches.iter().flatten().for_each(|batch| ratings.keep(batch));
            (log, start.elapsed().as_secs_f64())
        };
        let first = (round % 2 == 0).then(&mut bare);
        let own = send(&lines, &batches, receipted).await;
        let (log, ratings) = first.unwrap_or_else(&mut bare);
        // The first round opens connections and files.
        if round > 0 {
            ours.take(amount / own);
            appended.take(amount / log);
            keyed.take(amount / ratings);
        }
    }
    let what = "ingest in full batches against append-only";
    compare(what, "thousand lines/s", &ours, &appended, Some(Bar::AtLeast(0.7)));
    let what = "ingest in full batches against UUID and two indexes";
    compare(what, "thousand lines/s", &ours, &keyed, Some(Bar::AtLeast(3.0)));
    central.stop().await;
}

async fn single_lines() {
    const KIOSKS: usize = 48;
    const EACH: usize = 20;
    let rounds = rounds(15);
    let central = TestCentral::start_at(at("2026-11-24 17:30")).await;
    let mut kiosks = kiosks(&central, KIOSKS, (rounds + 1) * EACH, 1).await;
    let lines = lines_to(&central.service(), KIOSKS);
    let (idle, _end) = idle_server(central.central.config.citizens.clone()).await;
    let idle_lines = lines_to(&format!("http://{idle}"), KIOSKS);
    let mut ours = Side::new("central service, one line a request");
    let mut idle = Side::new("the same server answering 204");
    let amount = (KIOSKS * EACH) as f64 / 1e3;
    for round in 0..=rounds {
        let batches = next(&mut kiosks, EACH);
        let mut other = 0.0;
        if round % 2 == 0 {
            other = send(&idle_lines, &batches, answered).await;
        }
        let own = send(&lines, &batches, receipted).await;
        if round % 2 == 1 {
            other = send(&idle_lines, &batches, answered).await;
        }
        if round > 0 {
            ours.take(amount / own);
            idle.take(amount / other);
        }
    }
    let what = "ingest of single lines from 48 kiosks";
    compare(what, "thousand requests/s", &ours, &idle, Some(Bar::AtLeast(0.2)));
    central.stop().await;
}

/// The central service's own listener and axum, with one handler that does nothing.
async fn idle_server(how: Listener) -> (SocketAddr, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let nothing = axum::routing::post(async || StatusCode::NO_CONTENT);
    let routes = axum::Router::new().route("/api/v1/journal", nothing);
    let (end, ended) = watch::channel(false);
    tokio::spawn(serve(listener, how, routes, ended));
    (address, end)
}
