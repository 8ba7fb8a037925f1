//! Ratings and tallies follow from the journals: made anew they are the same, and whoever changed
//! one in the database alone is told, and set right.

mod common;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::{TestCentral, TestKiosk, at, batch, close, first_counter, rate};
use hailong::domain::access::Role;
use hailong::domain::line::{By, How};
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::transport::{Http, Transport};
use hailong::kiosk::visit::Record;
use rusqlite::Connection;
use tempfile::TempDir;

fn hailong(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hailong"));
    command.args(arguments).env("HAILONG_LOG", "off").stdin(Stdio::null());
    command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").output().unwrap()
}

fn database(folder: &Path) -> Connection {
    Connection::open(folder.join("central.db")).unwrap()
}

/// Sends all of a kiosk's journal.
async fn send(kiosk: &TestKiosk) {
    let last = JournalReader::open(&kiosk.path()).unwrap().last().unwrap();
    kiosk.sent(last).await;
}

/// A morning at two counters: ratings, one changed, one for later, a restart, two batches out of
/// order.
async fn morning(central: &TestCentral) -> [TestKiosk; 2] {
    let mut kiosks = [central.kiosk("q3").await, central.kiosk("q5").await];
    for kiosk in &mut kiosks {
        for _ in 0..2 {
            let mut desk = kiosk.desk();
            let contact = rate(&mut desk, "hai_long", &["niem_no"]);
            desk.keep(&Record::Change { contact, level: "khong_hai_long".into() }).unwrap();
            for _ in 0..5 {
                rate(&mut desk, "rat_hai_long", &[]);
            }
            let later = Record::Open { by: By::Later, counter: first_counter(&desk), level: None };
            let contact = desk.keep(&later).unwrap().seq;
            close(&mut desk, contact, How::Left, &[]);
        }
    }
    let journal = JournalReader::open(&kiosks[0].path()).unwrap();
    let http = Http::new(&central.service()).unwrap();
    for lines in [9..=12, 2..=8] {
        http.post(&batch(&kiosks[0], &journal, lines)).await.unwrap();
    }
    for kiosk in &kiosks {
        send(kiosk).await;
    }
    kiosks
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_journals_give_is_what_was_counted_while_kiosks_go_on_sending() {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let mut kiosks = morning(&central).await;
    let digest = central.store().canonical_digest().await.unwrap();
    let rebuilt = central.central.rebuild().await.unwrap().unwrap();
    assert_eq!((rebuilt.differ, &rebuilt.unread[..]), (0, &[][..]), "{:?}", rebuilt.rows);
    assert_eq!((rebuilt.before, rebuilt.after), (digest, digest));
    assert!(rebuilt.lines > 60 && rebuilt.batches >= 6, "{rebuilt:?}");
    // A kiosk sends one line after another meanwhile.
    let mut desk = kiosks[1].desk();
    let ratings = async {
        for _ in 0..20 {
            rate(&mut desk, "hai_long", &[]);
            send(&kiosks[1]).await;
        }
    };
    let rebuilds = async {
        for _ in 0..5 {
            let rebuilt = central.central.rebuild().await.unwrap().unwrap();
            assert_eq!(rebuilt.differ, 0, "{:?}", rebuilt.rows);
        }
    };
    tokio::join!(ratings, rebuilds);
    let left: Vec<_> = std::fs::read_dir(central.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name.to_str().unwrap().contains("anew"))
        .collect();
    assert_eq!(left.len(), 0, "{left:?} is left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_in_the_database_alone_is_told_and_set_right() {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let mut kiosks = morning(&central).await;
    let digest = async || central.store().canonical_digest().await.unwrap();
    let right = digest().await;
    for change in [
        "UPDATE contact SET level = 'rat_hai_long' WHERE level = 'khong_hai_long'",
        "UPDATE tally SET n = n + 7 WHERE key = 'contacts/rated'",
        "DELETE FROM contact WHERE seq = (SELECT min(seq) FROM contact)",
        "UPDATE contact SET official = 'cb01'",
        "DELETE FROM tally",
        "INSERT INTO finding (kind, kiosk, epoch, seq, reason, hash, bytes, received)
         VALUES ('fork', 'ps-q3', '00', 1, 'x', x'', x'', '')",
        "DELETE FROM branch; DELETE FROM range; DELETE FROM placed",
        "UPDATE segment SET branch = 4711; UPDATE branch SET id = id + 100",
    ] {
        database(central.folder.path()).execute_batch(change).unwrap();
        let rebuilt = central.central.rebuild().await.unwrap().unwrap();
        assert_ne!((rebuilt.differ, rebuilt.before), (0, right), "{change}");
        assert_eq!((rebuilt.rows.is_empty(), rebuilt.after), (false, right), "{change}");
        assert_eq!(digest().await, right, "{change}");
        let again = central.central.rebuild().await.unwrap().unwrap();
        assert_eq!((again.differ, again.before), (0, right), "{change}");
    }
    // And it goes on as if nothing had been: the next rating is counted where it belongs.
    let mut desk = kiosks[1].desk();
    rate(&mut desk, "hai_long", &[]);
    send(&kiosks[1]).await;
    assert_ne!(digest().await, right);
    let rebuilt = central.central.rebuild().await.unwrap().unwrap();
    assert_eq!(rebuilt.differ, 0, "{:?}", rebuilt.rows);
}

#[tokio::test]
async fn a_stored_batch_that_is_not_what_was_signed_is_named_and_nothing_follows_from_it() {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let _kiosks = morning(&central).await;
    let digest = central.store().canonical_digest().await.unwrap();
    let db = database(central.folder.path());
    db.execute(
        "UPDATE segment SET lines = CAST(replace(CAST(lines AS TEXT), 'q5', 'q4') AS BLOB)
         WHERE id = (SELECT max(id) FROM segment)",
        [],
    )
    .unwrap();
    let rebuilt = central.central.rebuild().await.unwrap().unwrap();
    let [unread] = &rebuilt.unread[..] else { panic!("{:?}", rebuilt.unread) };
    assert!(unread.contains("ps-q5") && unread.contains("another line part"), "{unread}");
    assert_ne!(rebuilt.differ, 0);
    assert_eq!(central.store().canonical_digest().await.unwrap(), digest, "it is left as it is");
}

#[test]
fn a_lived_day_is_made_anew_by_one_command_which_tells_what_differed() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().to_str().unwrap();
    let rebuild = || {
        let done = hailong(&["rebuild", "--data", data]);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (done.status.code(), text(done.stdout), text(done.stderr))
    };
    let (code, _, told) = rebuild();
    assert_eq!(code, Some(2));
    assert!(told.contains("holds no central.db"), "{told}");
    let lived = hailong(&["demo", "--once", "--data", data, "--visitors", "15"]);
    assert!(lived.status.success(), "{}", String::from_utf8_lossy(&lived.stderr));
    let (code, said, told) = rebuild();
    assert_eq!(code, Some(0), "{said}{told}");
    assert!(said.contains("are what the journals give"), "{said}");
    let db = database(&folder.path().join("central"));
    db.execute("UPDATE tally SET n = n + 1 WHERE key LIKE 'rating/%/rat_hai_long'", []).unwrap();
    let (code, said, told) = rebuild();
    assert_eq!(code, Some(5), "{said}{told}");
    assert!(said.contains("-[\"tally\"") && told.contains("they are now"), "{said}{told}");
    assert_eq!(rebuild().0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_service_makes_anew_for_administrators_alone() {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let _kiosks = morning(&central).await;
    let ask = async |place: [String; 4]| {
        let ask =
            move || hailong(&[&["rebuild"], &place.each_ref().map(String::as_str)[..]].concat());
        tokio::task::spawn_blocking(ask).await.unwrap()
    };
    let refused = ask(central.asked_as(Role::Supervisor).await).await;
    assert_eq!(refused.status.code(), Some(2), "{}", String::from_utf8_lossy(&refused.stderr));
    let done = ask(central.asked_as(Role::Administrator).await).await;
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(String::from_utf8(done.stdout).unwrap().contains("are what the journals give"));
    // Its folder is its own.
    let data = central.folder.path().to_str().unwrap();
    let _lock = hailong::central::service::Lock::take(central.folder.path()).unwrap();
    assert_eq!(hailong(&["rebuild", "--data", data]).status.code(), Some(2));
}
