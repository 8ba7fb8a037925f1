//! A kiosk's journal on a USB stick: written at the kiosk, taken at the central service, receipts
//! carried back; beside the network, instead of it, and through everything that happens to sticks.

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
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use child::Start;
use common::{TestCentral, TestKiosk, at, batch, copy, for_all, rate, twins};
use hailong::central::by_hand::{Imported, NotTaken, import};
use hailong::clock::{Clock, PutForward, Sleep};
use hailong::demo::clock::DemoClock;
use hailong::domain::access::Role;
use hailong::domain::batch::Packed;
use hailong::domain::letter::Letter;
use hailong::domain::receipt::{Receipt, sign_receipt};
use hailong::kiosk::by_hand::{ExportError, Exported, export};
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::network::{Network, Unreachable};
use hailong::kiosk::transport::{Http, Reply, Transport};
use installed::{Installed, SmallDisk, hailong, twin};
use jiff::{SignedDuration, Timestamp};
use kept::{counted, has_received, rated, stored};
use proptest::prelude::*;
use proptest::sample::Index;
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

/// Not a test: the kiosks that these tests start live here.
#[test]
fn child_entry() {
    child::entry();
}

// ---- Builders -----------------------------------------------------------------------------------

/// A cable that nothing comes through.
struct NoNetwork;

impl Transport for NoNetwork {
    async fn post(&self, _: &Packed) -> Result<Reply, Unreachable> {
        Err(Unreachable("there is no network".into()))
    }
}

/// A kiosk's clock that is four days behind.
struct Behind(Arc<DemoClock>);

impl Clock for Behind {
    fn now(&self) -> Timestamp {
        self.0.now() - SignedDuration::from_hours(4 * 24)
    }

    fn mono_ms(&self) -> u64 {
        self.0.mono_ms()
    }

    fn sleep(&self, duration: Duration) -> Sleep<'_> {
        self.0.sleep(duration)
    }
}

/// Runs of a kiosk with visitors, each a batch.
fn days(kiosk: &mut TestKiosk, runs: usize) -> u64 {
    for _ in 0..runs {
        let mut desk = kiosk.desk();
        desk.journal().weaken_for_negative_control().unwrap();
        for level in ["rat_hai_long", "khong_hai_long"] {
            rate(&mut desk, level, &[]);
        }
        desk.stop().unwrap();
    }
    JournalReader::open(&kiosk.path()).unwrap().last().unwrap()
}

fn exported(kiosk: &TestKiosk, stick: &Path) -> Exported {
    export(&kiosk.path(), stick, |_| {}).unwrap()
}

/// Hands a stick to a service at its staff listener.
fn imported(central: &TestCentral, stick: &Path) -> Imported {
    let network = Network::to(&format!("http://{}", central.staff));
    let token = block_in_place(|| Handle::current().block_on(central.token(Role::Administrator)));
    let http = Http::with_key(network, &token).unwrap();
    let hand_over = |batch: &Letter| {
        let reply = http.carry(batch.body.clone(), &batch.signature);
        let reply = block_in_place(|| Handle::current().block_on(reply));
        let Reply { status, signature, key, body, .. } = reply.map_err(NotTaken::Ended)?;
        match status {
            200 => Ok(Letter { signature, key, body }),
            _ => Err(NotTaken::Refused(String::from_utf8_lossy(&body).into_owned())),
        }
    };
    import(stick, hand_over, |_| {}).unwrap()
}

/// The files of a kind in a kiosk's folder on a stick.
fn files(stick: &Path, ending: &str) -> Vec<PathBuf> {
    hailong::files::ending_in(&stick.join("ps-q3"), ending).unwrap()
}

fn refused(files: &[(PathBuf, String)]) -> Vec<&Path> {
    files.iter().map(|(file, _)| file.as_path()).collect()
}

fn stick() -> TempDir {
    TempDir::new().unwrap()
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

/// A `kiosk.toml` for a kiosk.
fn configured(installed: &Installed, kiosk: &TestKiosk) -> PathBuf {
    let file = installed.folder.path().join("config/kiosk.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let data = format!("data = {:?}", kiosk.path());
    let file = file.with_file_name("this-kiosk.toml");
    std::fs::write(&file, text.replace("data = \"../kiosk-data\"", &data)).unwrap();
    file
}

fn export_command(config: &Path, stick: &Path) -> Output {
    let mut command = hailong(&["kiosk", "export", "--config"]);
    command.arg(config).arg("--out").arg(stick).output().unwrap()
}

fn import_command(stick: &Path, to: &[&str]) -> Output {
    hailong(&["admin", "import"]).arg(stick).args(to).output().unwrap()
}

// ---- The way there and back ---------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn a_kiosk_that_never_had_a_network_is_received_and_receipted_over_a_stick() {
    let clock = Arc::new(DemoClock::standing(at("2026-11-24 07:45")));
    let installed = Installed::new();
    let service = installed.start();
    let mut kiosk = installed.enrol(&service, "q3", &clock).await;
    let last = days(&mut kiosk, 3);
    let (config, stick) = (configured(&installed, &kiosk), stick());

    let output = export_command(&config, stick.path());
    assert!(output.status.success(), "{}", said(&output));
    let words = format!("0 receipts were taken; everything up to line 0 of {last} is receipted");
    assert!(said(&output).contains(&words), "{}", said(&output));
    assert!(said(&output).contains(&format!("{last} lines in 3 batches are on the stick")));

    let output = import_command(stick.path(), &service.asked.each_ref().map(String::as_str));
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains(&format!("ps-q3: {last} lines in 3 batches are there")));
    has_received(&stored(&installed.data()), &kiosk, last);

    let output = export_command(&config, stick.path());
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains(&format!("everything up to line {last} of {last}")));
    assert!(said(&output).contains("there is nothing to carry"), "{}", said(&output));
    let uploader = kiosk.send_by(NoNetwork);
    assert_eq!(uploader.standing.borrow().watermark, last, "nothing is left to send");

    // The same, by a folder in which no service runs.
    let more = days(&mut kiosk, 1);
    assert!(export_command(&config, stick.path()).status.success());
    let data = installed.data();
    let output = import_command(stick.path(), &["--data", data.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2), "in use: {}", said(&output));
    service.stop();
    let output = import_command(stick.path(), &["--data", data.to_str().unwrap()]);
    assert!(output.status.success(), "{}", said(&output));
    has_received(&stored(&installed.data()), &kiosk, more);
    let done = exported(&kiosk, stick.path());
    assert_eq!((done.watermark, done.last, done.batches), (more, more, 0));

    // Nor is a kiosk's stick taken from which nothing is to be taken.
    let decided = hailong(&["admin", "decide", "--person", "Trần Thị Mận", "--reason", "thử"])
        .args(["--data", data.to_str().unwrap(), "suspend", "--kiosk", "ps-q3"])
        .output()
        .unwrap();
    assert!(decided.status.success(), "{}", said(&decided));
    let offline = import_command(stick.path(), &["--data", data.to_str().unwrap()]);
    let service = installed.start();
    let online = import_command(stick.path(), &service.asked.each_ref().map(String::as_str));
    for output in [offline, online] {
        assert_eq!(output.status.code(), Some(5), "{}", said(&output));
        assert!(said(&output).contains("this kiosk is suspended"), "{}", said(&output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_is_said_in_words_and_by_an_exit_code() {
    let clock = Arc::new(DemoClock::standing(at("2026-11-24 07:45")));
    let installed = Installed::new();
    let service = installed.start();
    let mut kiosk = installed.enrol(&service, "q3", &clock).await;
    let (config, stick) = (configured(&installed, &kiosk), stick());
    let fails = |output: Output, code: i32, words: &str| {
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(said(&output).contains(words), "{}", said(&output));
    };
    let never = installed.folder.path().join("config/kiosk.toml");
    fails(export_command(&never, stick.path()), 3, "this kiosk is not enrolled yet");
    fails(export_command(&config, stick.path()), 3, "this kiosk has never run");
    days(&mut kiosk, 1);
    fails(export_command(&config, &stick.path().join("none")), 2, "put the stick in");
    fails(
        import_command(stick.path(), &service.asked.each_ref().map(String::as_str)),
        2,
        "holds no batches",
    );
    assert!(export_command(&config, stick.path()).status.success());
    let file = stick.path().join("token");
    std::fs::write(&file, "hl_0").unwrap();
    let wrong = ["--server", &service.asked[1], "--token", file.to_str().unwrap()];
    fails(import_command(stick.path(), &wrong), 2, "401 Unauthorized");
    let junk = stick.path().join("ps-q3/junk.batch");
    std::fs::write(&junk, "no batch").unwrap();
    let found = import_command(stick.path(), &service.asked.each_ref().map(String::as_str));
    assert_eq!(files(stick.path(), "receipt").len(), 1);
    fails(found, 5, "junk.batch: no empty line ends the file's header");
    let place = service.asked.clone();
    service.stop();
    fails(
        import_command(stick.path(), &place.each_ref().map(String::as_str)),
        4,
        "cannot be reached",
    );
    // The kiosk's command itself is as it was.
    fails(hailong(&["kiosk"]).output().unwrap(), 2, "--config <FILE>");
    let start = hailong(&["kiosk", "--config"])
        .arg(&config)
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .output();
    fails(start.unwrap(), 2, "no display found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kiosk_is_exported_while_people_rate_at_it_and_takes_the_receipts_while_it_runs() {
    const VISITS: usize = 30;
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let kiosk = central.kiosk("q3").await;
    // Nobody answers there, so the uploader has its files open and tries again and again.
    let nobody = "http://127.0.0.1:9";
    let mut child =
        Start { service: Some(nobody), ..Start::new(&kiosk.path(), "2026-11-24 08:15") }.ready();
    let stick = stick();
    child.tells(&format!("rush 5 {VISITS}"));
    let (mut thanks, mut exports) = (0, 0);
    while thanks < VISITS {
        if thanks % 5 == 0 {
            exported(&kiosk, stick.path());
            exports += 1;
        }
        thanks += usize::from(child.hears().starts_with("thanks "));
    }
    assert!(exports >= 6);
    let done = exported(&kiosk, stick.path());
    assert!(done.lines >= 2 * VISITS as u64, "{done:?}");
    assert_eq!(imported(&central, stick.path()).refused, []);
    let done = exported(&kiosk, stick.path());
    assert_eq!((done.watermark, done.batches, done.refused), (done.last, 0, vec![]));
    child.kill();
    let journal = audit::audit(&kiosk.path(), &central.central.keys.opening);
    assert_eq!(counted(central.store()).await, rated(&journal).collect::<BTreeSet<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_uploader_goes_on_from_receipts_that_came_by_hand() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    let last = days(&mut kiosk, 2);
    let clock = Arc::new(PutForward::new(Behind(Arc::clone(&kiosk.clock))));
    let mut sending = kiosk.send_at(NoNetwork, Arc::clone(&clock) as _);
    sending.standing.wait_for(|standing| standing.failures > 0).await.unwrap();
    let stick = stick();
    exported(&kiosk, stick.path());
    imported(&central, stick.path());
    assert_eq!(exported(&kiosk, stick.path()).receipts, 2);
    sending.drained(last).await;
    assert!(sending.standing.borrow().drained());
    let behind = Behind(Arc::clone(&kiosk.clock)).now();
    assert!(behind < at("2026-11-23 07:30").timestamp());
    assert!(clock.now() >= at("2026-11-24 07:30").timestamp(), "put forward by the receipts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stick_imported_twice_or_after_the_network_changes_nothing() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    let last = days(&mut kiosk, 3);
    let stick = stick();
    let first = exported(&kiosk, stick.path());
    let written: Vec<Vec<u8>> =
        files(stick.path(), "batch").iter().map(|file| std::fs::read(file).unwrap()).collect();
    assert_eq!(exported(&kiosk, stick.path()), first);
    let again = files(stick.path(), "batch");
    assert_eq!(again.iter().map(|file| std::fs::read(file).unwrap()).collect::<Vec<_>>(), written);
    kiosk.sent(last).await;
    let digest = central.store().canonical_digest().await.unwrap();
    let (one, two) = (imported(&central, stick.path()), imported(&central, stick.path()));
    assert_eq!(one, two);
    let taken = &one.taken[&kiosk.sender().kiosk];
    assert_eq!((taken.lines, taken.conflicts, taken.holes.len()), (last, 0, 0));
    assert_eq!(central.store().canonical_digest().await.unwrap(), digest);
    let done = exported(&kiosk, stick.path());
    assert_eq!((done.watermark, done.batches), (last, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_read_of_a_damaged_journal_is_carried_and_receipted_too() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    let lost = days(&mut kiosk, 2);
    let file = kiosk.path().join("journal.db");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[..16].fill(0);
    std::fs::write(&file, bytes).unwrap();
    let last = days(&mut kiosk, 1);
    let stick = stick();
    let done = exported(&kiosk, stick.path());
    assert_eq!((done.lines, done.batches), (lost + last, 3));
    assert_eq!(imported(&central, stick.path()).refused, []);
    assert_eq!(central.store().rated_contacts().await.unwrap().len(), 6);
    let done = exported(&kiosk, stick.path());
    assert_eq!((done.watermark, done.last, done.batches), (last, last, 0), "{done:?}");
    assert!(kiosk.path().join("damaged/1/sent").exists());
}

// ---- What happens to sticks ---------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn a_stick_that_runs_full_holds_whole_batches_and_the_next_one_the_rest() {
    let Some(disk) = SmallDisk::mount("48k") else { return };
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    let last = days(&mut kiosk, 16);
    let error = export(&kiosk.path(), disk.path(), |_| {}).unwrap_err();
    let ExportError::Stick { batches, .. } = &error else { panic!("{error}") };
    let words = error.to_string();
    assert!(words.starts_with(&format!("the stick is full: {batches} batches")), "{words}");
    let there: Vec<_> = std::fs::read_dir(disk.path().join("ps-q3")).unwrap().collect();
    assert_eq!(there.len() as u64, *batches, "nothing half written is left");
    assert!((1..16).contains(batches), "{batches}");
    // No room for receipts either: that is told, and what was taken stays taken.
    let once = imported(&central, disk.path());
    assert_eq!(once.taken[&kiosk.sender().kiosk].batches, *batches);
    assert_eq!(once.refused.len() as u64, *batches);
    assert!(once.refused[0].1.contains("taken, but its receipt is not here"), "{once:?}");
    // Protected against writing, it is told as well.
    let mount = |how: &str| {
        let mount = Command::new("mount").args(["-o", how]).arg(disk.path()).status();
        assert!(mount.unwrap().success());
    };
    mount("remount,ro");
    let words = export(&kiosk.path(), disk.path(), |_| {}).unwrap_err().to_string();
    assert!(words.contains("take its write protection away"), "{words}");
    mount("remount,rw,size=4m");
    exported(&kiosk, disk.path());
    assert_eq!(imported(&central, disk.path()).refused, []);
    let done = exported(&kiosk, disk.path());
    assert_eq!((done.watermark, done.last, done.batches), (last, last, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_strange_and_foreign_files_are_named_and_the_rest_goes_on() {
    let (central, elsewhere) = (TestCentral::start().await, TestCentral::start().await);
    let mut kiosk = central.kiosk("q3").await;
    let last = days(&mut kiosk, 4);
    let stick = stick();
    exported(&kiosk, stick.path());
    let written = files(stick.path(), "batch");
    let change = |file: &Path, at: usize| {
        let mut bytes = std::fs::read(file).unwrap();
        let place = at % bytes.len();
        bytes[place] ^= 1;
        std::fs::write(file, bytes).unwrap();
    };
    change(&written[1], usize::MAX); // within the frame
    change(&written[2], 200); // within the header line
    let junk = stick.path().join("ps-q3/zzz.batch");
    std::fs::write(&junk, [0xff; 10_000]).unwrap();
    let folder = stick.path().join("ps-q3/folder.batch");
    std::fs::create_dir(&folder).unwrap();
    let hidden = stick.path().join("ps-q3/._000000001.batch");
    std::fs::write(&hidden, "another system's").unwrap();
    std::fs::create_dir(stick.path().join("photos")).unwrap();
    let mut stranger = elsewhere.kiosk("q4").await;
    days(&mut stranger, 1);
    exported(&stranger, stick.path());
    let foreign = hailong::files::ending_in(&stick.path().join("ps-q4"), "batch").unwrap();

    let done = imported(&central, stick.path());
    let named: BTreeSet<&Path> = refused(&done.refused).into_iter().collect();
    let wrong = [&written[1], &written[2], &junk, &folder, &foreign[0]];
    assert_eq!(named, wrong.into_iter().map(PathBuf::as_path).collect());
    let receipts = [&written[0], &written[3]].map(|file| file.with_extension("receipt"));
    assert_eq!(files(stick.path(), "receipt"), receipts);
    assert_eq!(done.taken.len(), 1);
    assert_eq!(done.taken[&kiosk.sender().kiosk].batches, 2);

    // At the kiosk again, what was garbled is written anew.
    let again = exported(&kiosk, stick.path());
    assert!(again.watermark < last && again.batches >= 2, "{again:?}");
    imported(&central, stick.path());
    assert_eq!(exported(&kiosk, stick.path()).watermark, last);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_read_or_written_through_links_on_a_stick() {
    use std::os::unix::fs::symlink;
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    days(&mut kiosk, 1);
    let (one, other, outside) = (stick(), stick(), stick());
    symlink(outside.path(), one.path().join("ps-q3")).unwrap();
    let error = export(&kiosk.path(), one.path(), |_| {}).unwrap_err();
    assert!(error.to_string().contains("ps-q3 is no folder"), "{error}");

    exported(&kiosk, other.path());
    let [batch] = files(other.path(), "batch").try_into().unwrap();
    let precious = outside.path().join("precious");
    std::fs::write(&precious, "precious").unwrap();
    symlink(&precious, batch.with_extension("new")).unwrap();
    symlink(&precious, batch.with_extension("receipt")).unwrap();
    let link = batch.with_file_name("zzz.batch");
    symlink(&batch, &link).unwrap();
    let done = imported(&central, other.path());
    assert_eq!(refused(&done.refused), [link.as_path()]);
    assert_eq!(exported(&kiosk, other.path()).receipts, 1);
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "precious");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_only_taken_if_it_is_true_of_this_journal() {
    let (central, elsewhere) = (TestCentral::start().await, TestCentral::start().await);
    let mut kiosk = central.kiosk("q3").await;
    let mut desk = kiosk.desk();
    rate(&mut desk, "hai_long", &[]);
    // What a backup of the disk brings back: five lines.
    let restored = twin(&kiosk, central.service());
    rate(&mut desk, "hai_long", &[]);
    desk.stop().unwrap();
    let last = days(&mut kiosk, 2);
    let stick = stick();
    exported(&kiosk, stick.path());
    let (good, bad) = (self::stick(), self::stick());
    copy(stick.path(), good.path());
    imported(&central, good.path());
    let receipts = files(good.path(), "receipt");
    let newest = Letter::read(&std::fs::read(&receipts[2]).unwrap()).unwrap();
    let receipt: Receipt = serde_json::from_slice(&newest.body).unwrap();
    assert_eq!(receipt.watermark, last);

    // Changed, signed by another service, cut, none at all.
    std::fs::create_dir(bad.path().join("ps-q3")).unwrap();
    let place = |name: &str, bytes: &[u8]| {
        std::fs::write(bad.path().join("ps-q3").join(name), bytes).unwrap();
    };
    let changed = Receipt { holes: vec![(1, 2)], ..receipt.clone() };
    let body = serde_json::to_vec(&changed).unwrap();
    place("1.receipt", &Letter { body: body.clone(), ..newest.clone() }.to_bytes());
    let signature = sign_receipt(&elsewhere.central.keys.receipt, &body);
    place("2.receipt", &Letter { signature, key: String::new(), body }.to_bytes());
    let bytes = newest.to_bytes();
    place("3.receipt", &bytes[..bytes.len() - 1]);
    place("4.receipt", b"");
    let another = Receipt { kiosk: "ps-q4".parse().unwrap(), ..receipt.clone() };
    let body = serde_json::to_vec(&another).unwrap();
    let signature = sign_receipt(&central.central.keys.receipt, &body);
    place("5.receipt", &Letter { signature, key: String::new(), body }.to_bytes());
    let done = exported(&kiosk, bad.path());
    assert_eq!(done.refused.len(), 5, "{:?}", done.refused);
    assert_eq!((done.receipts, done.watermark), (0, 0));

    // True, but not of a disk that was restored to an earlier moment: it has no such lines.
    let done = exported(&restored, good.path());
    assert_eq!(refused(&done.refused), [receipts[0].as_path()]);
    assert!(done.refused[0].1.contains("restored or cloned"), "{done:?}");
    assert_eq!((done.receipts, done.watermark, done.last), (0, 0, 5), "{done:?}");
    let done = exported(&kiosk, good.path());
    assert_eq!((done.watermark, done.batches), (last, 0));

    // An old receipt does not lead back; a newer one does, when the service has lost lines.
    central.clock.set(at("2026-11-24 09:00"));
    let signed = |receipt: &Receipt| {
        let body = serde_json::to_vec(receipt).unwrap();
        let signature = sign_receipt(&central.central.keys.receipt, &body);
        Letter { signature, key: String::new(), body }.to_bytes()
    };
    let first = Letter::read(&std::fs::read(&receipts[0]).unwrap()).unwrap();
    let back: Receipt = serde_json::from_slice(&first.body).unwrap();
    let (old, new) = (self::stick(), self::stick());
    for (stick, moment) in [(&old, "2026-11-24 07:29"), (&new, "2026-11-24 08:30")] {
        std::fs::create_dir(stick.path().join("ps-q3")).unwrap();
        let receipt = Receipt { at: at(moment), ..back.clone() };
        std::fs::write(stick.path().join("ps-q3/1.receipt"), signed(&receipt)).unwrap();
    }
    let done = exported(&kiosk, old.path());
    assert_eq!((done.receipts, done.watermark), (0, last));
    let done = exported(&kiosk, new.path());
    assert_eq!((done.receipts, done.watermark, done.batches), (1, back.watermark, 2));
}

// ---- Any mix ------------------------------------------------------------------------------------

/// One delivery of some lines, however they were cut.
#[derive(Debug, Clone)]
enum Step {
    Network { from: Index, count: u64 },
    Written { from: Index, count: u64 },
    Exported,
    Imported,
}

fn step() -> impl Strategy<Value = Step> {
    let lines = || (any::<Index>(), 1..12_u64);
    prop_oneof![
        3 => lines().prop_map(|(from, count)| Step::Network { from, count }),
        3 => lines().prop_map(|(from, count)| Step::Written { from, count }),
        1 => Just(Step::Exported),
        1 => Just(Step::Imported),
    ]
}

async fn check(runs: usize, steps: Vec<Step>) {
    let (mixed, plain, mut kiosk) = twins().await;
    let last = days(&mut kiosk, runs);
    let journal = JournalReader::open(&kiosk.path()).unwrap();
    let cut = |from: Index, count: u64| {
        let first = from.index(last as usize) as u64 + 1;
        let end = journal.epoch_of(first).unwrap().unwrap().last.min(first + count - 1);
        (first, batch(&kiosk, &journal, first..=end))
    };
    let stick = stick();
    let folder = stick.path().join("ps-q3");
    std::fs::create_dir(&folder).unwrap();
    let http = Http::new(&mixed.service()).unwrap();
    for (place, step) in steps.into_iter().enumerate() {
        match step {
            Step::Network { from, count } => {
                assert_eq!(http.post(&cut(from, count).1).await.unwrap().status, 200);
            }
            Step::Written { from, count } => {
                let (first, batch) = cut(from, count);
                let file = folder.join(format!("{first:09}-{place}.batch"));
                std::fs::write(file, Letter::of(batch).to_bytes()).unwrap();
            }
            Step::Exported => assert_eq!(exported(&kiosk, stick.path()).refused, []),
            Step::Imported if files(stick.path(), "batch").is_empty() => {}
            Step::Imported => assert_eq!(imported(&mixed, stick.path()).refused, []),
        }
    }
    exported(&kiosk, stick.path());
    if !files(stick.path(), "batch").is_empty() {
        imported(&mixed, stick.path());
    }
    let done = exported(&kiosk, stick.path());
    assert_eq!((done.watermark, done.last, done.batches), (last, last, 0));
    let http = Http::new(&plain.service()).unwrap();
    let run = last / runs as u64;
    for before in (0..last).step_by(run as usize) {
        let of_run = batch(&kiosk, &journal, before + 1..=before + run);
        assert_eq!(http.post(&of_run).await.unwrap().status, 200);
    }
    assert_eq!(mixed.store().findings().await.unwrap(), []);
    assert_eq!(
        mixed.store().canonical_digest().await.unwrap(),
        plain.store().canonical_digest().await.unwrap(),
        "against the network alone"
    );
}

#[test]
fn any_mix_of_network_and_sticks_comes_to_what_the_network_alone_does() {
    let cases = (1..4_usize, prop::collection::vec(step(), 0..14));
    for_all(8, &cases, |(runs, steps)| check(runs, steps));
}
