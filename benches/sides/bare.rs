//! Two bare stores of the same bytes: what rusqlite does with nothing verified, compared or
//! opened. One transaction a batch with `synchronous=FULL`; tallies were summed beforehand.

#![allow(dead_code)] // Each bench uses its part.

use std::path::Path;

use hailong::domain::system_random;
use rand::RngExt;
use rusqlite::{Connection, Transaction, params};

use crate::backlog::Batch;

fn open(file: &Path, schema: &str) -> Connection {
    let db = Connection::open(file).expect("opened");
    db.execute_batch(&format!(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA cache_size = -65536;
         CREATE TABLE batch (id INTEGER PRIMARY KEY, header BLOB, signature TEXT);
         {schema}"
    ))
    .expect("made");
    db
}

/// Append-only: a row a line, one position a kiosk, tallies.
pub struct Log(Connection);

impl Log {
    pub fn open(file: &Path) -> Self {
        Self(open(
            file,
            "CREATE TABLE line (id INTEGER PRIMARY KEY, kiosk TEXT, seq INTEGER, bytes BLOB, body BLOB);
             CREATE TABLE position (kiosk TEXT PRIMARY KEY, seq INTEGER) WITHOUT ROWID;
             CREATE TABLE tally (day TEXT, key TEXT, n INTEGER, PRIMARY KEY (day, key)) WITHOUT ROWID;",
        ))
    }

    pub fn keep(&mut self, batch: &Batch) {
        let kiosk = batch.packed.header.kiosk.as_str();
        let transaction = self.0.transaction().expect("begun");
        keep_header(&transaction, batch);
        {
            let mut line = transaction
                .prepare_cached("INSERT INTO line (kiosk, seq, bytes, body) VALUES (?, ?, ?, ?)")
                .expect("prepared");
            for written in &batch.lines {
                let body = written.bodies.first().map(|body| body.bytes.as_slice());
                line.execute(params![kiosk, written.seq as i64, written.bytes, body])
                    .expect("kept");
            }
            transaction
                .prepare_cached("INSERT OR REPLACE INTO position VALUES (?, ?)")
                .and_then(|mut position| {
                    position.execute(params![kiosk, batch.packed.header.last() as i64])
                })
                .expect("kept");
            let mut tally = transaction
                .prepare_cached(
                    "INSERT INTO tally VALUES (?, ?, ?)
                     ON CONFLICT (day, key) DO UPDATE SET n = n + excluded.n",
                )
                .expect("prepared");
            for ((day, key), n) in &batch.tallies {
                tally.execute(params![day, key, n]).expect("kept");
            }
        }
        transaction.commit().expect("committed");
    }
}

/// A row a rating under a random UUID, an index by day and one by official and day.
pub struct Ratings(Connection);

impl Ratings {
    pub fn open(file: &Path) -> Self {
        Self(open(
            file,
            "CREATE TABLE rating (
                 id BLOB PRIMARY KEY, day TEXT, counter TEXT, official TEXT, level TEXT,
                 lines BLOB, bodies BLOB);
             CREATE INDEX rating_day ON rating (day);
             CREATE INDEX rating_official ON rating (official, day);",
        ))
    }

    pub fn keep(&mut self, batch: &Batch) {
        let kiosk = batch.packed.header.kiosk.as_str();
        let transaction = self.0.transaction().expect("begun");
        keep_header(&transaction, batch);
        {
            let mut rating = transaction
                .prepare_cached("INSERT INTO rating VALUES (?, ?, ?, ?, ?, ?, ?)")
                .expect("prepared");
            let mut random = system_random();
            for lines in batch.lines.chunks(2) {
                let mut id: [u8; 16] = random.random();
                id[6] = id[6] & 0x0f | 0x40;
                id[8] = id[8] & 0x3f | 0x80;
                let text = lines.iter().map(|line| line.bytes.as_slice()).collect::<Vec<_>>();
                let bodies = lines.iter().flat_map(|line| &line.bodies);
                let bodies: Vec<&[u8]> = bodies.map(|body| body.bytes.as_slice()).collect();
                let day = format!(
                    "2026-{:02}-{:02}",
                    lines[0].seq / 7_000 % 12 + 1,
                    lines[0].seq / 240 % 28 + 1
                );
                rating
                    .execute(params![
                        id,
                        day,
                        kiosk,
                        "cb07",
                        "rat_hai_long",
                        text.concat(),
                        bodies.concat()
                    ])
                    .expect("kept");
            }
        }
        transaction.commit().expect("committed");
    }
}

fn keep_header(transaction: &Transaction<'_>, batch: &Batch) {
    let request = &batch.packed.request;
    let end = request.iter().position(|byte| *byte == b'\n').expect("a header");
    transaction
        .prepare_cached("INSERT INTO batch (header, signature) VALUES (?, ?)")
        .and_then(|mut header| header.execute(params![&request[..end], batch.packed.signature]))
        .expect("kept");
}
