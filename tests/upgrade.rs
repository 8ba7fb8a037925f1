//! Other versions' databases: a newer one is refused and left as it is, so that the right version
//! can go on with it; an older one is brought up. (Of the central store's migration, see
//! `tests/clocks.rs`.)

mod common;

use std::path::Path;
use std::sync::Arc;

use common::{TestCentral, TestKiosk, rate, sample_config};
use hailong::central::service::Central;
use hailong::clock::Clock;
use hailong::domain::system_random;
use hailong::kiosk::desk::Desk;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::transport::Http;
use hailong::kiosk::uploader::Uploader;
use rusqlite::Connection;
use tempfile::TempDir;

/// Makes the database of a newer version, as a killed process of that version leaves it: the
/// version stands in the write-ahead log.
fn make_newer(folder: &Path, name: &str, version: i64) {
    let file = folder.join(name);
    let db = Connection::open(&file).unwrap();
    db.pragma_update(None, "user_version", version).unwrap();
    let log = folder.join(format!("{name}-wal"));
    let (bytes, logged) = (std::fs::read(&file).unwrap(), std::fs::read(&log).unwrap());
    assert!(!logged.is_empty());
    drop(db);
    std::fs::write(&file, bytes).unwrap();
    std::fs::write(&log, logged).unwrap();
}

fn bytes(folder: &Path, name: &str) -> [Vec<u8>; 2] {
    ["", "-wal"].map(|suffix| std::fs::read(folder.join(format!("{name}{suffix}"))).unwrap())
}

fn says_which(error: &str, file: &str, schema: i64) {
    assert!(error.contains(file), "{error}");
    assert!(error.contains("newer version of hailong"), "{error}");
    assert!(error.contains(&format!("its schema is {schema}")), "{error}");
}

async fn with_a_queue() -> (TestCentral, TestKiosk, u64) {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    let mut desk = kiosk.desk();
    for _ in 0..3 {
        rate(&mut desk, "hai_long", &[]);
    }
    desk.stop().unwrap();
    let last = JournalReader::open(&kiosk.path()).unwrap().last().unwrap();
    (central, kiosk, last)
}

fn uploader(kiosk: &TestKiosk) -> Result<Uploader<Http>, String> {
    let clock = Arc::clone(&kiosk.clock) as Arc<dyn Clock>;
    let http = Http::new(&kiosk.service).unwrap();
    Uploader::open(&kiosk.path(), kiosk.sender(), http, clock).map_err(|error| error.to_string())
}

/// Sends everything, and waits until the uploader has closed its files.
async fn send_and_close(kiosk: &TestKiosk, last: u64) {
    kiosk.sent(last).await;
    let log = kiosk.path().join("receipts.db-wal");
    let closed = async {
        while log.exists() {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), closed).await.expect("closed");
}

async fn rated(central: &TestCentral) -> usize {
    central.store().rated_contacts().await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_journal_is_left_as_it_is_and_the_right_version_sends_its_queue() {
    let (central, mut kiosk, last) = with_a_queue().await;
    make_newer(&kiosk.path(), "journal.db", 9);
    let before = bytes(&kiosk.path(), "journal.db");
    let clock = Arc::clone(&kiosk.clock) as Arc<dyn Clock>;
    let folder = kiosk.path();
    let refused = Desk::open(&folder, &mut kiosk.identity, clock, Box::new(system_random));
    says_which(&refused.err().unwrap().to_string(), "journal.db", 9);
    says_which(&uploader(&kiosk).err().unwrap(), "journal.db", 9);
    assert!(bytes(&folder, "journal.db") == before);
    assert!(!folder.join("damaged").exists());
    // The version that wrote it.
    let db = Connection::open(folder.join("journal.db")).unwrap();
    db.pragma_update(None, "user_version", 1).unwrap();
    drop(db);
    kiosk.sent(last).await;
    assert_eq!(rated(&central).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn newer_receipts_are_left_as_they_are() {
    let (central, kiosk, last) = with_a_queue().await;
    send_and_close(&kiosk, last).await;
    make_newer(&kiosk.path(), "receipts.db", 4);
    let before = bytes(&kiosk.path(), "receipts.db");
    says_which(&uploader(&kiosk).err().unwrap(), "receipts.db", 4);
    assert!(bytes(&kiosk.path(), "receipts.db") == before);
    assert_eq!(rated(&central).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_from_before_there_were_versions_are_numbered_and_gone_on_from() {
    let (_central, kiosk, last) = with_a_queue().await;
    send_and_close(&kiosk, last).await;
    let file = kiosk.path().join("receipts.db");
    let db = Connection::open(&file).unwrap();
    db.pragma_update(None, "user_version", 0).unwrap();
    drop(db);
    assert_eq!(uploader(&kiosk).unwrap().standing().borrow().watermark, last);
    let db = Connection::open(&file).unwrap();
    let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_receipts_are_kept_aside_and_everything_is_sent_once_more() {
    let (central, kiosk, last) = with_a_queue().await;
    send_and_close(&kiosk, last).await;
    let digest = central.store().canonical_digest().await.unwrap();
    let file = kiosk.path().join("receipts.db");
    let rubbish = vec![7; 8_192];
    std::fs::write(&file, &rubbish).unwrap();
    kiosk.sent(last).await;
    assert_eq!(std::fs::read(kiosk.path().join("receipts.db.damaged")).unwrap(), rubbish);
    assert_eq!(central.store().canonical_digest().await.unwrap(), digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_central_store_is_left_as_it_is() {
    let (central, kiosk, last) = with_a_queue().await;
    kiosk.sent(last).await;
    let (folder, clock) = central.stop().await;
    make_newer(folder.path(), "central.db", 19);
    let before = bytes(folder.path(), "central.db");
    let open = async |folder: &TempDir| {
        let mut config = sample_config();
        config.data = folder.path().to_owned();
        Central::open(config, Arc::clone(&clock) as Arc<dyn Clock>).await
    };
    says_which(&open(&folder).await.err().unwrap().to_string(), "central.db", 19);
    assert!(bytes(folder.path(), "central.db") == before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_central_store_is_told_and_one_with_a_damaged_log_goes_on_and_gets_it_again() {
    let (central, mut kiosk, last) = with_a_queue().await;
    // As killed: what was received stands in the log.
    kiosk.sent(last).await;
    let digest = central.store().canonical_digest().await.unwrap();
    let [file, log] = bytes(central.folder.path(), "central.db");
    let (folder, clock) = central.stop().await;
    let lay = |file: &[u8], log: &[u8]| {
        std::fs::write(folder.path().join("central.db"), file).unwrap();
        std::fs::write(folder.path().join("central.db-wal"), log).unwrap();
    };
    let mut no_header = file.clone();
    no_header[..100].fill(9);
    lay(&no_header, &[]);
    let mut config = sample_config();
    config.data = folder.path().to_owned();
    let refused = Central::open(config, Arc::clone(&clock) as Arc<dyn Clock>).await;
    let error = refused.err().unwrap().to_string();
    assert!(error.contains("damaged") && error.contains("backup"), "{error}");

    // The kiosk's enrolment is in the log's first half.
    let mut damaged = log.clone();
    let at = log.len() - 3 * 4_120;
    damaged[at..at + 500].fill(9);
    lay(&file, &damaged);
    let central = TestCentral::start_in(folder, clock).await;
    let kept = central.folder.path().join("central.db-wal.damaged-1");
    assert!(std::fs::read(kept).unwrap() == damaged, "what was damaged is kept");
    assert_ne!(central.store().canonical_digest().await.unwrap(), digest, "something was lost");
    kiosk.service = central.service();
    rate(&mut kiosk.desk(), "hai_long", &[]);
    let now = JournalReader::open(&kiosk.path()).unwrap().last().unwrap();
    kiosk.sent(now).await;
    assert_eq!(rated(&central).await, 4, "the kiosk has sent again what was lost");
}
