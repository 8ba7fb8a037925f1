//! Wrong clocks: every rating lands in the day on which it was given, or in review, named.

mod common;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Sending, TestCentral, TestKiosk, at, batch, rate};
use hailong::central::store::Doubts;
use hailong::clock::{Clock, PutForward, Sleep};
use hailong::demo::clock::DemoClock;
use hailong::domain::access::Role;
use hailong::domain::batch::Packed;
use hailong::domain::ids::OfficeCode;
use hailong::domain::line::{Event, Line};
use hailong::domain::time::At;
use hailong::kiosk::desk::Desk;
use hailong::kiosk::headless::Headless;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::network::Unreachable;
use hailong::kiosk::transport::{Http, Reply, Transport};
use hailong::kiosk::window::ui;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rusqlite::Connection;
use slint::Global;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// A kiosk's clock: as far off the true one as it is told, and its monotonic side never is.
struct Wrong {
    truth: Arc<DemoClock>,
    off_ms: AtomicI64,
}

impl Wrong {
    fn beside(truth: &Arc<DemoClock>) -> Arc<Self> {
        Arc::new(Self { truth: Arc::clone(truth), off_ms: AtomicI64::new(0) })
    }

    /// Jumps to being so far off.
    fn off(&self, ms: i64) {
        self.off_ms.store(ms, Ordering::SeqCst);
    }

    /// Jumps to showing `moment`.
    fn shows(&self, moment: At) {
        let ms = |moment: Timestamp| moment.as_millisecond();
        self.off(ms(moment.timestamp()) - ms(self.truth.now()));
    }
}

/// A wrong clock whose hands a test holds, while a kiosk looks at it.
struct Shared(Arc<Wrong>);

impl Clock for Shared {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn mono_ms(&self) -> u64 {
        self.0.mono_ms()
    }

    fn sleep(&self, duration: Duration) -> Sleep<'_> {
        self.0.sleep(duration)
    }
}

impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        let off = SignedDuration::from_millis(self.off_ms.load(Ordering::SeqCst));
        self.truth.now().checked_add(off).unwrap()
    }

    fn mono_ms(&self) -> u64 {
        self.truth.mono_ms()
    }

    fn sleep(&self, duration: Duration) -> Sleep<'_> {
        self.truth.sleep(duration)
    }
}

fn desk<C: Clock>(kiosk: &mut TestKiosk, clock: &Arc<C>) -> Desk {
    kiosk.desk_at(Arc::clone(clock) as _)
}

/// Visitors, an hour apart, with what the true day of each is.
fn visits(desk: &mut Desk, truth: &Arc<DemoClock>, n: usize, days: &mut BTreeMap<Number, Date>) {
    for _ in 0..n {
        let contact = rate(desk, "hai_long", &["niem_no"]);
        let epoch = desk.journal().epoch().unwrap().to_string();
        days.insert((epoch, contact), At::new(truth.now()).date());
        truth.set(At::new(truth.now()).plus_minutes(60));
    }
}

/// A contact by epoch and number.
type Number = (String, u64);

fn database(folder: &Path) -> Connection {
    Connection::open(folder.join("central.db")).unwrap()
}

/// The day on which each contact counts, or `review`.
fn days(db: &Connection) -> BTreeMap<Number, String> {
    let mut statement = db
        .prepare("SELECT b.epoch, c.seq, c.day FROM contact c JOIN branch b ON b.id = c.branch")
        .unwrap();
    let rows = statement
        .query_map([], |row| Ok(((row.get(0)?, row.get::<_, i64>(1)? as u64), row.get(2)?)));
    rows.unwrap().map(Result::unwrap).collect()
}

/// Nothing is silently wrong: each contact is on its true day, in the tallies and in the order of
/// placing, too, or in review and named. Gives how many are in review.
async fn nothing_is_wrong(central: &TestCentral, truth: &BTreeMap<Number, Date>) -> usize {
    let (in_review, astray) = placed(central, truth).await;
    assert_eq!(astray, []);
    in_review
}

/// How many contacts are in review, and which are on another day than their true one; checks that
/// tallies, order of placing and findings agree.
async fn placed(
    central: &TestCentral,
    truth: &BTreeMap<Number, Date>,
) -> (usize, Vec<(Number, Date)>) {
    let db = database(central.folder.path());
    let placed = days(&db);
    let named: BTreeSet<Number> = central
        .store()
        .findings()
        .await
        .unwrap()
        .into_iter()
        .inspect(|found| {
            assert_eq!((found.kind.as_str(), found.reason.as_str()), ("clock", "day_unknown"));
        })
        .map(|found| (found.epoch, found.seq))
        .collect();
    assert_eq!(placed.len(), truth.len());
    let mut astray = Vec::new();
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for (number, day) in &placed {
        assert_eq!(day == "review", named.contains(number), "{number:?} is named if in review");
        if day != "review" && *day != truth[number].to_string() {
            astray.push((number.clone(), day.parse().unwrap()));
        }
        *counts.entry(day.clone()).or_default() += 1;
    }
    let office = office(central);
    for (day, n) in &counts {
        let tallied: i64 = db
            .query_row(
                "SELECT n FROM tally WHERE day = ? AND key = 'contacts/rated'",
                [day],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(tallied as u64, *n, "{day}");
        if let Ok(date) = day.parse() {
            let ratings = central.store().ratings(&office, date).await.unwrap();
            assert_eq!(ratings.len() as u64, *n, "{day}");
        }
    }
    (counts.get("review").copied().unwrap_or(0) as usize, astray)
}

fn office(central: &TestCentral) -> OfficeCode {
    central.central.config.offices[0].office.code.clone()
}

/// Kiosk, clock and service on Tuesday, 24 November, at 08:00.
async fn setting() -> (TestCentral, TestKiosk, Arc<Wrong>) {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let kiosk = central.kiosk("q3").await;
    let clock = Wrong::beside(&central.clock);
    (central, kiosk, clock)
}

/// Sends everything without letting time pass.
async fn send(kiosk: &TestKiosk) {
    send_at(kiosk, &kiosk.clock).await;
}

/// Sends everything by a kiosk's own clock.
async fn send_at<C: Clock>(kiosk: &TestKiosk, clock: &Arc<C>) {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    all_sent(kiosk, kiosk.send_at(Http::new(&kiosk.service).unwrap(), clock)).await;
}

async fn all_sent(kiosk: &TestKiosk, sending: Sending) {
    let last = JournalReader::open(&kiosk.path()).unwrap().last().unwrap();
    let mut standing = sending.standing.clone();
    let sent = standing.wait_for(|standing| standing.watermark >= last);
    tokio::time::timeout(Duration::from_secs(20), sent).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_kiosk_that_starts_in_1970_is_in_review_until_its_clock_is_put_right() {
    let (central, mut kiosk, clock) = setting().await;
    let mut truth = BTreeMap::new();
    clock.shows(at("1970-01-01 07:00"));
    let mut one = desk(&mut kiosk, &clock);
    visits(&mut one, &central.clock, 3, &mut truth);
    clock.off(0);
    visits(&mut one, &central.clock, 3, &mut truth);
    one.stop().unwrap();
    central.clock.set(at("2026-11-25 08:00"));
    // The next morning once more, after a right day.
    clock.shows(at("1970-01-01 07:00"));
    let mut two = desk(&mut kiosk, &clock);
    visits(&mut two, &central.clock, 2, &mut truth);
    clock.off(0);
    visits(&mut two, &central.clock, 2, &mut truth);
    drop(two);
    send(&kiosk).await;
    assert_eq!(nothing_is_wrong(&central, &truth).await, 5);
}

#[tokio::test]
async fn a_clock_that_jumps_a_day_ahead_counts_on_no_wrong_day_online_or_off() {
    for online in [true, false] {
        for back in [true, false] {
            let (central, mut kiosk, clock) = setting().await;
            let mut truth = BTreeMap::new();
            let mut one = desk(&mut kiosk, &clock);
            visits(&mut one, &central.clock, 2, &mut truth);
            clock.off(DAY);
            visits(&mut one, &central.clock, 2, &mut truth);
            if online {
                send(&kiosk).await;
            }
            if back {
                clock.off(0);
            }
            visits(&mut one, &central.clock, 2, &mut truth);
            one.stop().unwrap();
            if online {
                send(&kiosk).await;
            }
            // The next day it is right at the latest.
            clock.off(0);
            central.clock.set(at("2026-11-25 08:00"));
            let mut two = desk(&mut kiosk, &clock);
            visits(&mut two, &central.clock, 2, &mut truth);
            drop(two);
            central.clock.set(at("2026-11-27 08:00"));
            send(&kiosk).await;
            let review = nothing_is_wrong(&central, &truth).await;
            assert!(review >= 2, "{review} in review");
            assert!(review == 2 || !(online && back), "{review}: what was right is on its day");
        }
    }
}

#[tokio::test]
async fn a_clock_that_jumps_a_day_back_counts_on_no_wrong_day() {
    for back in [true, false] {
        let (central, mut kiosk, clock) = setting().await;
        let mut truth = BTreeMap::new();
        let mut one = desk(&mut kiosk, &clock);
        visits(&mut one, &central.clock, 2, &mut truth);
        clock.off(-DAY);
        visits(&mut one, &central.clock, 2, &mut truth);
        if back {
            clock.off(0);
        }
        visits(&mut one, &central.clock, 2, &mut truth);
        drop(one);
        send(&kiosk).await;
        let review = nothing_is_wrong(&central, &truth).await;
        assert!(review >= 2, "{review} in review");
    }
}

#[tokio::test]
async fn a_kiosk_that_starts_before_its_own_last_line_is_in_review_until_put_right() {
    let (central, mut kiosk, clock) = setting().await;
    let mut truth = BTreeMap::new();
    let mut one = desk(&mut kiosk, &clock);
    visits(&mut one, &central.clock, 4, &mut truth);
    one.stop().unwrap();
    send(&kiosk).await;
    central.clock.set(at("2026-11-25 08:00"));
    clock.off(-DAY);
    let mut two = desk(&mut kiosk, &clock);
    visits(&mut two, &central.clock, 2, &mut truth);
    send(&kiosk).await;
    let doubted = "either side may be wrong: this one's two and those of the day before after 8";
    assert_eq!(nothing_is_wrong(&central, &truth).await, 2 + 3, "{doubted}");
    clock.off(0);
    visits(&mut two, &central.clock, 3, &mut truth);
    drop(two);
    send(&kiosk).await;
    assert_eq!(nothing_is_wrong(&central, &truth).await, 2);
}

#[tokio::test]
async fn a_wrong_zone_and_drift_within_the_day_count_on_the_right_day() {
    for zone in [7 * HOUR, -7 * HOUR] {
        let (central, mut kiosk, clock) = setting().await;
        let mut truth = BTreeMap::new();
        clock.off(zone);
        let mut one = desk(&mut kiosk, &clock);
        for _ in 0..10 {
            visits(&mut one, &central.clock, 1, &mut truth);
            send(&kiosk).await;
        }
        let review = nothing_is_wrong(&central, &truth).await;
        // From 17:00 on, a clock seven hours ahead shows tomorrow.
        assert_eq!(review, if zone > 0 { 1 } else { 0 });
    }
    let (central, mut kiosk, clock) = setting().await;
    let mut truth = BTreeMap::new();
    for day in 24..29 {
        central.clock.set(at(&format!("2026-11-{day} 08:00")));
        let mut one = desk(&mut kiosk, &clock);
        for hour in 0..9 {
            clock.off((day - 24) * 9 * 40_000 + hour * 40_000);
            visits(&mut one, &central.clock, 1, &mut truth);
        }
        one.stop().unwrap();
    }
    send(&kiosk).await;
    assert_eq!(nothing_is_wrong(&central, &truth).await, 0);
}

/// As a kiosk at a counter has its clock: put forward by what receipts tell.
fn put_forward(clock: &Arc<Wrong>) -> Arc<PutForward<Shared>> {
    Arc::new(PutForward::new(Shared(Arc::clone(clock))))
}

fn off_by(clock: &impl Clock, truth: &DemoClock) -> i64 {
    clock.now().as_millisecond() - truth.now().as_millisecond()
}

#[tokio::test]
async fn a_clock_behind_is_put_right_by_the_first_receipt() {
    for behind in [5 * HOUR, DAY, 40 * DAY, 20_000 * DAY] {
        for killed in [false, true] {
            let (central, mut kiosk, clock) = setting().await;
            let mut truth = BTreeMap::new();
            clock.off(-behind);
            let own = put_forward(&clock);
            let mut one = desk(&mut kiosk, &own);
            // Some rate before the network is there, half a day and over a midnight of this clock.
            visits(&mut one, &central.clock, 7, &mut truth);
            assert_eq!(off_by(&*own, &central.clock), -behind);
            send_at(&kiosk, &own).await;
            assert_eq!(off_by(&*own, &central.clock), 0, "and so are header and roster");
            if killed {
                // No visitor came any more, but that it lived is noted every minute.
                one.note_alive().unwrap();
            } else {
                visits(&mut one, &central.clock, 2, &mut truth);
            }
            drop(one);
            send_at(&kiosk, &own).await;
            let review = nothing_is_wrong(&central, &truth).await;
            assert!(review <= 7, "{review}: what came after is on its day");
            // The next day it is behind again, but hears of it before anybody comes.
            central.clock.set(at("2026-11-25 08:00"));
            let own = put_forward(&clock);
            let mut two = desk(&mut kiosk, &own);
            send_at(&kiosk, &own).await;
            visits(&mut two, &central.clock, 2, &mut truth);
            two.stop().unwrap();
            send_at(&kiosk, &own).await;
            assert_eq!(nothing_is_wrong(&central, &truth).await, review);
        }
    }
}

#[tokio::test]
async fn a_clock_is_put_forward_once_and_by_no_receipt_of_the_past() {
    let (central, mut kiosk, clock) = setting().await;
    let mut truth = BTreeMap::new();
    clock.off(-DAY);
    let own = put_forward(&clock);
    let mut one = desk(&mut kiosk, &own);
    send_at(&kiosk, &own).await;
    visits(&mut one, &central.clock, 2, &mut truth);
    // The machine's own clock is put right, too, by whoever looks after it.
    clock.off(0);
    assert_eq!(off_by(&*own, &central.clock), 0);
    visits(&mut one, &central.clock, 2, &mut truth);
    send_at(&kiosk, &own).await;
    // An old receipt once more, and one that was a little on its way.
    let now = At::new(central.clock.now());
    own.hear(now.plus_minutes(-3 * 60).timestamp());
    own.hear(now.plus_minutes(1).timestamp());
    assert_eq!(off_by(&*own, &central.clock), 0);
    // The machine's goes astray again, and comes back.
    for off in [-40 * DAY, -DAY, -2 * DAY, 0] {
        clock.off(off);
        assert_eq!(off_by(&*own, &central.clock), 0, "{off}");
    }
    visits(&mut one, &central.clock, 2, &mut truth);
    one.stop().unwrap();
    send_at(&kiosk, &own).await;
    assert_eq!(nothing_is_wrong(&central, &truth).await, 0);
}

/// Three days without network, on each of which the clock goes on where it stood when the machine
/// was switched off the evening before. On the first its clock was right, which the service saw
/// if it had network then.
async fn days_behind(
    network_at_first: bool,
    central: &TestCentral,
    kiosk: &mut TestKiosk,
    clock: &Arc<Wrong>,
    truth: &mut BTreeMap<Number, Date>,
) {
    let mut behind = 0;
    for day in 24..27 {
        central.clock.set(at(&format!("2026-11-{day} 08:00")));
        clock.off(-behind);
        let mut one = desk(kiosk, clock);
        if network_at_first && behind == 0 {
            send(kiosk).await;
        }
        visits(&mut one, &central.clock, 9, truth);
        one.stop().unwrap();
        behind += 15 * HOUR;
    }
    central.clock.set(at("2026-11-27 08:00"));
    clock.off(-behind);
}

#[tokio::test]
async fn days_without_network_by_a_clock_that_stood_still_are_in_review_once_it_is_put_forward() {
    // The first day was confirmed, and so the clock was right; or it was not.
    for (confirmed, doubted) in [(true, 19), (false, 28)] {
        let (central, mut kiosk, clock) = setting().await;
        let mut truth = BTreeMap::new();
        days_behind(confirmed, &central, &mut kiosk, &clock, &mut truth).await;
        let own = put_forward(&clock);
        let mut last = desk(&mut kiosk, &own);
        visits(&mut last, &central.clock, 1, &mut truth);
        send_at(&kiosk, &own).await;
        visits(&mut last, &central.clock, 2, &mut truth);
        last.stop().unwrap();
        send_at(&kiosk, &own).await;
        assert_eq!(nothing_is_wrong(&central, &truth).await, doubted);
    }
}

#[tokio::test]
async fn a_day_that_rests_on_the_kiosks_own_clock_alone_says_so() {
    let (central, mut kiosk, clock) = setting().await;
    let mut truth = BTreeMap::new();
    days_behind(false, &central, &mut kiosk, &clock, &mut truth).await;
    // The clock is right again before the kiosk starts: nothing tells that it ever was wrong.
    clock.off(0);
    let mut last = desk(&mut kiosk, &clock);
    visits(&mut last, &central.clock, 2, &mut truth);
    send(&kiosk).await;
    last.stop().unwrap();
    send(&kiosk).await;
    let (in_review, astray) = placed(&central, &truth).await;
    assert_eq!((in_review, astray.len()), (0, 16), "7 of the second day, all of the third");
    let name = kiosk.sender().kiosk.clone();
    for (day, named) in [(24, true), (25, true), (26, false), (27, false)] {
        let date = Date::constant(2026, 11, day);
        assert!(named || astray.iter().all(|(_, on)| *on != date), "silently wrong");
        let doubts = central.store().doubts(&office(&central), date).await.unwrap();
        assert_eq!(
            doubts,
            Doubts { in_review: 0, unconfirmed: if named { vec![name.clone()] } else { vec![] } }
        );
    }
    for (day, named) in [(25, true), (27, false)] {
        let page = format!("http://{}/summary/phu-sa/2026-11-{day}", central.staff);
        let key = central.cookie(Role::Supervisor).await;
        let request = reqwest::Client::new().get(page).header("cookie", key);
        let page = request.send().await.unwrap().text().await.unwrap();
        assert_eq!(page.contains("chưa được đối chiếu"), named, "{page}");
    }
}

/// All batches of a journal, two lines each.
fn batches(kiosk: &TestKiosk) -> Vec<Packed> {
    let journal = JournalReader::open(&kiosk.path()).unwrap();
    let last = journal.last().unwrap();
    let mut batches = Vec::new();
    let mut first = 1;
    while first <= last {
        let span = journal.epoch_of(first).unwrap().unwrap();
        let end = span.last.min(first + 1);
        batches.push(batch(kiosk, &journal, first..=end));
        first = end + 1;
    }
    batches
}

#[tokio::test]
async fn doubt_does_not_depend_on_the_order_of_arrival() {
    let (central, mut kiosk, clock) = setting().await;
    let beginning = database(central.folder.path());
    let copy = || {
        let copy = tempfile::TempDir::new().unwrap();
        let to = copy.path().join("central.db");
        beginning.execute("VACUUM INTO ?", [to.to_str().unwrap()]).unwrap();
        let keys = |folder: &Path| folder.join("keys.json");
        std::fs::copy(keys(central.folder.path()), keys(copy.path())).unwrap();
        copy
    };
    let copies = std::array::from_fn::<_, 10, _>(|_| copy());
    let mut truth = BTreeMap::new();
    for off in [0, DAY, -DAY] {
        clock.off(off);
        let mut one = desk(&mut kiosk, &clock);
        visits(&mut one, &central.clock, 2, &mut truth);
        clock.off(off - DAY);
        visits(&mut one, &central.clock, 2, &mut truth);
        clock.off(off);
        visits(&mut one, &central.clock, 2, &mut truth);
        one.stop().unwrap();
    }
    for off in [-20 * HOUR, -15 * HOUR] {
        clock.off(off);
        let mut one = desk(&mut kiosk, &clock);
        visits(&mut one, &central.clock, 9, &mut truth);
        if off == -15 * HOUR {
            clock.off(0);
        }
        visits(&mut one, &central.clock, 2, &mut truth);
        one.stop().unwrap();
    }
    central.clock.set(at("2026-11-28 08:00"));
    let batches = batches(&kiosk);
    let send = async |central: &TestCentral, order: Vec<&Packed>| {
        let http = Http::new(&central.service()).unwrap();
        for batch in order {
            assert_eq!(http.post(batch).await.unwrap().status, 200);
        }
        let digest = central.store().canonical_digest().await.unwrap();
        (days(&database(central.folder.path())), digest)
    };
    let in_order = send(&central, batches.iter().collect()).await;
    let mut order: Vec<&Packed> = batches.iter().rev().collect();
    let mut random = StdRng::seed_from_u64(7);
    for copy in copies {
        let other = TestCentral::start_in(copy, Arc::clone(&central.clock)).await;
        assert_eq!(send(&other, order.clone()).await, in_order);
        order.shuffle(&mut random);
    }
}

#[tokio::test]
async fn a_day_in_doubt_is_certain_again_once_a_line_of_it_arrives_in_time() {
    let (central, mut kiosk, clock) = setting().await;
    let mut truth = BTreeMap::new();
    central.clock.set(at("2026-11-24 22:00"));
    let mut one = desk(&mut kiosk, &clock);
    visits(&mut one, &central.clock, 1, &mut truth);
    one.stop().unwrap();
    let mut one = desk(&mut kiosk, &clock);
    visits(&mut one, &central.clock, 2, &mut truth);
    one.stop().unwrap();
    let ended = batches(&kiosk).len();
    let two = desk(&mut kiosk, &clock);
    clock.off(DAY);
    two.stop().unwrap();
    let batches = batches(&kiosk);
    // Everything but the end of the second epoch, which comes last.
    let (late, in_time) = batches[..ended].split_last().unwrap();
    let http = Http::new(&central.service()).unwrap();
    let post = async |batch: &Packed| assert_eq!(http.post(batch).await.unwrap().status, 200);
    for batch in in_time.iter().chain(&batches[ended..]) {
        post(batch).await;
    }
    assert_eq!(nothing_is_wrong(&central, &truth).await, 2, "those before midnight");
    post(late).await;
    assert_eq!(nothing_is_wrong(&central, &truth).await, 0);
}

#[tokio::test]
async fn a_store_of_the_first_version_is_migrated_and_casts_the_doubt_it_missed() {
    // Written by schema 1: a morning by a clock that stood at the evening before, put right at 9.
    let old = include_bytes!("fixtures/central-1.db.zst");
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("central.db");
    std::fs::write(&file, zstd::stream::decode_all(&old[..]).unwrap()).unwrap();
    let version = |db: &Connection| -> i64 {
        db.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    };
    let before: Vec<String> = days(&database(folder.path())).into_values().collect();
    assert_eq!(before, ["2026-11-23", "2026-11-23", "2026-11-24"], "two are silently wrong");
    assert_eq!(version(&database(folder.path())), 1);
    let clock = Arc::new(DemoClock::standing(at("2026-11-24 10:00")));
    let central = TestCentral::start_in(folder, Arc::clone(&clock)).await;
    let db = database(central.folder.path());
    assert_eq!(version(&db), 18);
    let after: Vec<String> = days(&db).into_values().collect();
    assert_eq!(after, ["review", "review", "2026-11-24"]);
    let date = Date::constant(2026, 11, 24);
    let doubts = central.store().doubts(&office(&central), date).await.unwrap();
    assert_eq!(doubts, Doubts { in_review: 2, unconfirmed: vec![] });
    let truth: BTreeMap<Number, Date> =
        days(&db).into_keys().map(|number| (number, "2026-11-24".parse().unwrap())).collect();
    assert_eq!(nothing_is_wrong(&central, &truth).await, 2);
    // It goes on.
    let mut kiosk = central.kiosk("q5").await;
    rate(&mut kiosk.desk(), "hai_long", &[]);
    send(&kiosk).await;
    let digest = central.store().canonical_digest().await.unwrap();
    let (folder, _) = central.stop().await;
    let again = TestCentral::start_in(folder, clock).await;
    assert_eq!(again.store().canonical_digest().await.unwrap(), digest, "migrated once");
}

#[test]
fn the_screen_goes_right_with_the_clock_and_the_journal_tells_it_though_nobody_comes() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let headless = Headless::start(1280, 800).unwrap();
    // A day ago, on Sunday, nobody was on shift; before Tuesday the same official was.
    for (now, before) in [("2026-11-30 09:10", false), ("2026-12-01 09:10", true)] {
        let central = runtime.block_on(TestCentral::start_at(at(now)));
        let mut kiosk = runtime.block_on(central.kiosk("q3"));
        let clock = Wrong::beside(&central.clock);
        clock.off(-DAY + HOUR);
        let right = put_forward(&clock);
        let screen = kiosk.screen_at(Arc::clone(&right) as _, &Rc::new(Cell::new(1_000)));
        let shown = || {
            let (office, official) =
                (ui::Office::get(screen.app()), ui::Official::get(screen.app()));
            (office.get_clock().to_string(), official.get_present())
        };
        screen.tick();
        assert_eq!(shown(), ("10:10".to_owned(), before));
        runtime.block_on(send_at(&kiosk, &right));
        screen.tick();
        assert_eq!(shown(), ("09:10".to_owned(), true));
        let journal = JournalReader::open(&kiosk.path()).unwrap();
        let told = || {
            let last = journal.last().unwrap();
            let lines = journal.lines(1, last).unwrap();
            let events = lines.iter().map(|line| serde_json::from_slice::<Line>(line).unwrap());
            events
                .filter(|line| line.event == Event::Clock)
                .filter_map(|line| line.step_ms)
                .next_back()
        };
        assert!(headless.turn_until(Duration::from_secs(20), || told().is_some()), "{now}");
        assert_eq!(told(), Some(DAY - HOUR));
        screen.stop();
    }
}

/// What it does with the service's answers.
#[derive(Clone, Copy)]
enum Answers {
    Pass,
    /// Gives the first that it passed.
    Replay,
    /// Moves what they say of the time on, by ten years.
    Change,
}

/// A way to the service that somebody sits on.
struct Wiretap {
    http: Http,
    first: Arc<Mutex<Option<Reply>>>,
    answers: Answers,
}

impl Transport for Wiretap {
    async fn post(&self, batch: &Packed) -> Result<Reply, Unreachable> {
        let mut reply = self.http.post(batch).await?;
        match self.answers {
            Answers::Pass => {
                self.first.lock().unwrap().get_or_insert(reply.clone());
            }
            Answers::Replay => reply = self.first.lock().unwrap().clone().expect("one was passed"),
            Answers::Change => {
                let text = String::from_utf8(reply.body).unwrap();
                assert!(text.contains("\"at\":\"2026-"));
                reply.body = text.replace("\"at\":\"2026-", "\"at\":\"2036-").into_bytes();
            }
        }
        Ok(reply)
    }
}

#[tokio::test]
async fn a_receipt_that_is_replayed_or_changed_moves_no_clock() {
    // Right by itself, and put right.
    for behind in [0, DAY] {
        let (central, mut kiosk, clock) = setting().await;
        let mut truth = BTreeMap::new();
        clock.off(-behind);
        let right = put_forward(&clock);
        let mut one = desk(&mut kiosk, &right);
        let first = Arc::default();
        for answers in [Answers::Pass, Answers::Replay, Answers::Change] {
            let http = Http::new(&kiosk.service).unwrap();
            let wiretap = Wiretap { http, first: Arc::clone(&first), answers };
            let sending = kiosk.send_at(wiretap, Arc::clone(&right) as _);
            let mut standing = sending.standing.clone();
            match answers {
                Answers::Pass => all_sent(&kiosk, sending).await,
                Answers::Replay | Answers::Change => {
                    let failed = standing.wait_for(|standing| standing.failures > 0);
                    tokio::time::timeout(Duration::from_secs(20), failed).await.unwrap().unwrap();
                }
            }
            assert_eq!(off_by(&*right, &central.clock), 0);
            visits(&mut one, &central.clock, 3, &mut truth);
        }
        one.stop().unwrap();
        send_at(&kiosk, &right).await;
        assert_eq!(nothing_is_wrong(&central, &truth).await, 0);
    }
}
