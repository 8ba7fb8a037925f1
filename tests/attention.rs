//! What a supervisor is told of a day beside its figures: how long kiosks were running in opening
//! hours, and patterns that somebody should look at again.

#[path = "common/archives.rs"]
mod archives;
mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use archives::{ALL, Archive};
use common::{TestCentral, TestKiosk, at, batch, close, first_counter, rate, sample_config};
use hailong::central::config::Config;
use hailong::central::roots::make;
use hailong::demo::clock::DemoClock;
use hailong::domain::access::Role;
use hailong::domain::calendar::OwnDay;
use hailong::domain::line::{By, How};
use hailong::domain::time::At;
use hailong::kiosk::desk::Desk;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::network::client;
use hailong::kiosk::transport::{Http, Transport};
use hailong::kiosk::visit::Record;
use serde_json::{Value, json};

/// A time of 24 November 2026 and some seconds after it.
fn time(text: &str, seconds: f64) -> At {
    let ms = (seconds * 1_000.0).round() as i64;
    let moment = at(&format!("2026-11-24 {text}")).timestamp();
    At::new(moment + jiff::SignedDuration::from_millis(ms))
}

/// A contact's opening at a counter, or its end.
enum Tap {
    Open { visitor: usize, counter: usize },
    Close { visitor: usize },
}

/// Visitors of one counter: one begins at each moment and sends after so many seconds.
struct Visitors(Vec<(At, usize, Tap)>, usize);

impl Visitors {
    fn come(&mut self, counter: usize, moments: impl IntoIterator<Item = At>, took: f64) {
        for opened in moments {
            let (visitor, ms) = (self.1, (took * 1_000.0) as i64);
            let sent = At::new(opened.timestamp() + jiff::SignedDuration::from_millis(ms));
            self.0.push((opened, counter, Tap::Open { visitor, counter }));
            self.0.push((sent, counter, Tap::Close { visitor }));
            self.1 += 1;
        }
    }
}

/// A day of all patterns, one at each of five counters; the sixth is honest and busy.
fn visitors() -> Visitors {
    let mut all = Visitors(Vec::new(), 0);
    all.come(0, [0.0, 21.0, 58.0, 90.0, 131.0, 177.0].map(|s| time("09:00", s)), 9.0);
    all.come(1, (0..7).map(|n| time("10:00", f64::from(n) * 40.0)), 12.0);
    all.come(2, (0..5).map(|n| time("08:00", f64::from(n * n) * 700.0)), 0.6);
    all.come(3, (0..5).map(|n| time("19:00", f64::from(n * n) * 100.0)), 8.0);
    // Nobody is on shift at the fifth over noon.
    all.come(4, (0..6).map(|n| time("11:32", f64::from(n * n) * 130.0)), 8.0);
    all.come(4, (0..6).map(|n| time("14:00", f64::from(n * n) * 130.0)), 8.0);
    // A family of five at once, one who only wants to be through, some after closing.
    all.come(5, [0.0, 13.0, 29.0, 51.0, 70.0].map(|s| time("09:00", s)), 9.0);
    all.come(5, [time("12:40", 0.0)], 0.9);
    all.come(5, (0..60).map(|n| time("08:05", f64::from(n * 390 + n % 7 * 31))), 14.0);
    all.come(5, (0..5).map(|n| time("17:20", f64::from(n * n) * 25.0)), 8.0);
    all.0
        .sort_by_key(|(moment, counter, tap)| (*moment, *counter, matches!(tap, Tap::Open { .. })));
    all
}

/// How a kiosk's lines reach the central service.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Uploader,
    Backwards,
}

/// The day, lived and sent; the tickets of the sixth counter's family.
async fn lived(way: Way) -> (TestCentral, Vec<String>) {
    let central = TestCentral::start_at(at("2026-11-24 07:00")).await;
    let mut kiosks = Vec::new();
    for counter in ["q1", "q2", "q3", "q4", "q5", "q6"] {
        kiosks.push(central.kiosk(counter).await);
    }
    let mut desks: Vec<Desk> = kiosks.iter_mut().map(TestKiosk::desk).collect();
    assert_eq!(desks[0].enrolled().directory.signals, None, "a kiosk judges nobody");
    let mut contacts = BTreeMap::new();
    let mut tickets = Vec::new();
    for (moment, place, tap) in visitors().0 {
        central.clock.set(moment);
        let desk = &mut desks[place];
        match tap {
            Tap::Open { visitor, counter } => {
                desk.follow_roster().unwrap();
                let level = ["rat_hai_long", "hai_long", "khong_hai_long"][visitor % 3];
                let (by, level) = (By::Touch, Some(level.to_owned()));
                let open = Record::Open { by, counter: first_counter(desk), level };
                let kept = desk.keep(&open).unwrap();
                contacts.insert(visitor, kept.seq);
                if counter == 5 {
                    tickets.push(kept.ticket.unwrap());
                }
            }
            Tap::Close { visitor } => {
                close(desk, contacts[&visitor], How::Sent, &[]);
            }
        }
    }
    central.clock.set(at("2026-11-24 20:00"));
    desks.into_iter().for_each(|desk| desk.stop().unwrap());
    for kiosk in &kiosks {
        send(&central, kiosk, way).await;
    }
    tickets.truncate(20);
    (central, tickets)
}

async fn send(central: &TestCentral, kiosk: &TestKiosk, way: Way) {
    let journal = JournalReader::open(&kiosk.path()).unwrap();
    let last = journal.last().unwrap();
    if way == Way::Uploader {
        return kiosk.sent(last).await;
    }
    let http = Http::new(&central.service()).unwrap();
    for from in (1..=last).rev().step_by(9) {
        // Some lines come twice, cut differently.
        let lines = from.saturating_sub(12).max(1)..=from;
        http.post(&batch(kiosk, &journal, lines)).await.unwrap();
    }
}

async fn get(central: &TestCentral, path: &str) -> String {
    let address = format!("http://{}{path}", central.staff);
    let bearer = format!("Bearer {}", central.token(Role::Supervisor).await);
    let request = client().unwrap().get(address).header("authorization", bearer);
    request.header("accept", "text/html").send().await.unwrap().text().await.unwrap()
}

async fn summary(central: &TestCentral, date: &str) -> Value {
    let json = get(central, &format!("/api/v1/summary/phu-sa/{date}")).await;
    serde_json::from_str(&json).unwrap()
}

/// What is expected of the day, once it is complete.
fn expected() -> Value {
    let minute = |text: &str| at(&format!("2026-11-24 {text}")).to_string();
    let signal = |counter: &str, kind: &str, from: &str, to: &str, n: u64| {
        let (from, to) = (minute(from), minute(to));
        json!({ "counter": counter, "kind": kind, "from": from, "to": to, "n": n })
    };
    let mut signals = [
        signal("q1", "burst", "09:00", "09:02", 6),
        signal("q2", "even", "10:00", "10:04", 7),
        signal("q3", "quick", "08:00", "11:06", 5),
        signal("q4", "closed_hours", "19:00", "19:26", 5),
        signal("q4", "unattributed", "19:00", "19:26", 5),
        signal("q5", "unattributed", "11:32", "12:26", 6),
    ];
    signals[4]["of"] = 5.into();
    signals[5]["of"] = 12.into();
    json!(signals)
}

#[tokio::test(flavor = "multi_thread")]
async fn patterns_are_named_when_the_day_is_complete_and_every_rating_still_counts() {
    let (central, tickets) = lived(Way::Uploader).await;
    let open = summary(&central, "2026-11-24").await;
    assert_eq!(open["state"], "complete");
    assert_eq!(open["signals"], expected());
    assert_eq!(open["n"], 6 + 7 + 5 + 5 + 12 + 71, "no rating is left out");
    let page = get(&central, "/summary/phu-sa/2026-11-24").await;
    let page = page.replace("&#x2f;", "/");
    for text in [
        "Có 6 điểm cần xem lại",
        "<strong>Quầy 1 · Tiếp nhận chung:</strong> nhiều lượt đánh giá liên tiếp trong thời gian \
         ngắn: 6 lượt từ 09:00 đến 09:02",
        "các lượt đánh giá khi không có cán bộ trong ca trực: 6 trong 12 lượt từ 11:32",
        "không phải là kết luận về cán bộ",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let english = get(&central, "/summary/phu-sa/2026-11-24?lang=en").await;
    assert!(english.contains("ratings outside of opening hours: 5 from 19:00 to 19:26"));
    let table = get(&central, "/api/v1/summary/phu-sa/2026-11-24?format=table&lang=en").await;
    assert!(
        table.contains("Counter 2: ratings at a nearly equal pace: 7 from 10:00 to 10:04"),
        "{table}"
    );

    // Phones tell another level than the family did; a signal once no more of them can come.
    for (n, ticket) in tickets.iter().enumerate() {
        // Seven of them on one connection.
        let source = format!("203.0.113.{}", n.saturating_sub(6));
        let client = client().unwrap();
        let form = client.get(ticket).send().await.unwrap().text().await.unwrap();
        let token = form.split_once("name=\"token\" value=\"").expect("a form").1;
        let token = token.split('"').next().unwrap();
        let request =
            client.post(ticket).header("content-type", "application/x-www-form-urlencoded");
        let request = request.header("x-forwarded-for", source);
        let sent = request.body(format!("token={token}&level=rat_khong_hai_long")).send();
        assert_eq!(sent.await.unwrap().status().as_u16(), 200);
    }
    assert_eq!(summary(&central, "2026-11-24").await["signals"], expected(), "still complete");
    central.clock.set(at("2026-12-02 12:00"));
    let last = summary(&central, "2026-11-24").await;
    assert_eq!(last["state"], "final");
    let signals = last["signals"].as_array().unwrap();
    assert_eq!(signals[..6], expected().as_array().unwrap()[..]);
    assert_eq!(signals.len(), 8, "{signals:?}");
    assert_eq!((&signals[7]["kind"], &signals[7]["n"]), (&"one_source".into(), &7.into()));
    let page = get(&central, "/summary/phu-sa/2026-11-24").await;
    assert!(page.contains("gửi từ cùng một kết nối mạng"), "{page}");
    let rebuilt = central.central.rebuild().await.unwrap().unwrap();
    assert_eq!((rebuilt.differ, &rebuilt.unread[..]), (0, &[][..]), "{:?}", rebuilt.rows);
    assert_eq!(summary(&central, "2026-11-24").await, last, "it follows from the lines");
    assert_eq!(signals[6]["kind"], "phone_differs");
    assert_eq!((&signals[6]["n"], &signals[6]["of"]), (&20.into(), &20.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_and_running_times_do_not_depend_on_how_lines_arrive() {
    let (straight, backwards) = (lived(Way::Uploader).await.0, lived(Way::Backwards).await.0);
    let (one, other) =
        (summary(&straight, "2026-11-24").await, summary(&backwards, "2026-11-24").await);
    assert_eq!(one["signals"], expected());
    assert_eq!(other["signals"], expected());
    assert_eq!(one["available"], other["available"]);
    assert_eq!(one["digest"], other["digest"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_day_has_no_signal_and_a_slice_of_few_never_one() {
    let central = TestCentral::start_at(at("2026-11-24 07:30")).await;
    let (mut many, mut few) = (central.kiosk("q1").await, central.kiosk("q2").await);
    for (kiosk, ratings) in [(&mut many, 40), (&mut few, 4)] {
        let mut desk = kiosk.desk();
        for _ in 0..ratings {
            rate(&mut desk, "rat_hai_long", &[]);
        }
        drop(desk);
        send(&central, kiosk, Way::Uploader).await;
    }
    assert_eq!(summary(&central, "2026-11-24").await.get("signals"), None, "open");
    central.clock.set(at("2026-11-24 18:00"));
    let provisional = summary(&central, "2026-11-24").await;
    assert_eq!((&provisional["state"], provisional.get("signals")), (&"provisional".into(), None));
    assert_eq!(provisional.get("available"), None, "who is away now is not known yet");
    for kiosk in [&mut many, &mut few] {
        kiosk.desk().stop().unwrap();
        send(&central, kiosk, Way::Uploader).await;
    }
    let signals = summary(&central, "2026-11-24").await["signals"].clone();
    let at_first = |signal: &Value| signal["counter"] == "q1";
    assert!(signals.as_array().unwrap().iter().all(at_first), "{signals}");
    assert!(signals.as_array().unwrap().len() >= 3, "{signals}");
}

/// How many minutes each kiosk was running, of how many.
fn running(summary: &Value) -> Vec<(String, u64, u64)> {
    let all = summary["available"].as_array().cloned().unwrap_or_default();
    let one = |one: &Value| {
        let minutes = |key: &str| one[key].as_u64().unwrap();
        (one["kiosk"].as_str().unwrap().to_owned(), minutes("minutes"), minutes("open_minutes"))
    };
    all.iter().map(one).collect()
}

/// The sample with hours and days of a calendar of its own.
fn with_calendar(hours: &str, days: &str) -> Config {
    let folder = common::sample_folder();
    std::fs::write(folder.path().join("phu-sa/hours.csv"), hours).unwrap();
    std::fs::write(folder.path().join("phu-sa/calendar.csv"), days).unwrap();
    Config::read(&folder.path().join("central.toml")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kiosk_off_for_an_hour_of_opening_was_available_an_hour_less() {
    let hours = "weekdays,from,to\n1-5,07:30,11:30\n1-5,13:30,17:00\n";
    let config = with_calendar(hours, "date,name\n");
    let central = TestCentral::with_config(config, at("2026-11-24 07:00")).await;
    let mut kiosks = vec![central.kiosk("q1").await, central.kiosk("q2").await];
    let mut desks: Vec<Option<Desk>> = kiosks.iter_mut().map(|one| Some(one.desk())).collect();
    // A fourth was admitted early and is switched on at nine.
    let mut late = central.kiosk("q4").await;
    central.clock.set(at("2026-11-24 09:00"));
    let late_desk = late.desk();
    // One is off from 11:00 to 14:00, of which an hour is open, and from a quarter before closing.
    central.clock.set(at("2026-11-24 11:00"));
    desks[1].as_mut().unwrap().note_alive().unwrap();
    desks[1] = None;
    central.clock.set(at("2026-11-24 14:00"));
    desks[1] = Some(kiosks[1].desk());
    // A third comes new in the afternoon.
    central.clock.set(at("2026-11-24 15:00"));
    kiosks.push(central.kiosk("q3").await);
    desks.push(Some(kiosks[2].desk()));
    kiosks.push(late);
    desks.push(Some(late_desk));
    central.clock.set(at("2026-11-24 16:45"));
    desks[1].take().unwrap().stop().unwrap();
    central.clock.set(at("2026-11-25 07:10"));
    desks[1] = Some(kiosks[1].desk());
    desks.into_iter().flatten().for_each(|desk| desk.stop().unwrap());
    for kiosk in &kiosks {
        send(&central, kiosk, Way::Uploader).await;
    }
    let summary = summary(&central, "2026-11-24").await;
    assert_eq!(summary["state"], "complete");
    let expected = [("ps-q1", 450), ("ps-q2", 450 - 60 - 15), ("ps-q4", 450 - 90), ("ps-q3", 120)];
    assert_eq!(running(&summary), expected.map(|(id, n)| (id.to_owned(), n, 450)));
    let down: Vec<&str> =
        summary["down"].as_array().unwrap().iter().map(|d| d["from"].as_str().unwrap()).collect();
    assert_eq!(
        down,
        ["11:00", "13:30", "16:45"].map(|t| at(&format!("2026-11-24 {t}")).to_string())
    );
    let page = get(&central, "/summary/phu-sa/2026-11-24").await;
    assert!(page.contains("6 giờ 15 phút") && page.contains("7 giờ 30 phút"), "{page}");
    let table = get(&central, "/api/v1/summary/phu-sa/2026-11-24?format=table").await;
    assert!(table.contains("ps-q3: hoạt động 2 giờ trong 7 giờ 30 phút làm việc"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_off_has_no_opening_hours_and_its_page_says_which() {
    let config =
        with_calendar("weekdays,from,to\n1-5,07:30,17:00\n", "date,name\n2026-11-24,Giỗ Tổ\n");
    let central = TestCentral::with_config(config, at("2026-11-23 08:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    let mut desk = kiosk.desk();
    rate(&mut desk, "hai_long", &[]);
    central.clock.set(at("2026-11-24 09:00"));
    for _ in 0..5 {
        rate(&mut desk, "hai_long", &[]);
    }
    assert_eq!(summary(&central, "2026-11-24").await.get("silent_kiosks"), Some(&json!([])));
    central.clock.set(at("2026-11-25 08:00"));
    drop(kiosk_off(desk));
    drop(kiosk.desk());
    send(&central, &kiosk, Way::Uploader).await;
    let off = summary(&central, "2026-11-24").await;
    assert_eq!((&off["day_off"], off.get("available")), (&"Giỗ Tổ".into(), None));
    assert_eq!(off["down"], json!([]), "nobody expects it to run");
    let kinds: Vec<&Value> =
        off["signals"].as_array().unwrap().iter().map(|one| &one["kind"]).collect();
    assert!(kinds.contains(&&json!("closed_hours")), "{kinds:?}");
    let page = get(&central, "/summary/phu-sa/2026-11-24").await;
    assert!(page.contains("Ngày nghỉ: Giỗ Tổ"), "{page}");
    let before = summary(&central, "2026-11-23").await;
    assert_eq!(before.get("day_off"), None);
    assert_eq!(running(&before), [("ps-q3".to_owned(), 540, 570)], "enrolled at eight");
}

/// The process ends without a word.
fn kiosk_off(mut desk: Desk) -> Desk {
    desk.note_alive().unwrap();
    desk
}

/// The folder of a service that lived [`lived`]'s day under a configuration, with its root.
async fn archived(change: impl FnOnce(&mut Config)) -> (tempfile::TempDir, Value) {
    let mut config = sample_config();
    change(&mut config);
    let central = TestCentral::with_config(config, at("2026-11-24 07:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    let mut desk = kiosk.desk();
    for second in [0.0, 20.0, 61.0, 90.0, 120.0, 151.0] {
        central.clock.set(time("09:00", second));
        rate(&mut desk, "hai_long", &[]);
    }
    central.clock.set(at("2026-11-24 17:30"));
    desk.stop().unwrap();
    send(&central, &kiosk, Way::Uploader).await;
    central.clock.set(at("2026-11-25 00:05"));
    make(&central.central).await.unwrap();
    let day = summary(&central, "2026-11-24").await;
    (central.stop().await.0, day)
}

#[test]
fn whoever_has_the_archive_makes_the_same_signals_and_running_times_again() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (service, day) = runtime.block_on(archived(|config| {
        let date = jiff::civil::date(2026, 12, 24);
        let day = OwnDay { date, name: "Ngày nghỉ".into(), hours: None };
        config.offices[0].calendar.as_mut().unwrap().days.push(day);
    }));
    assert_eq!(running(&day), [("ps-q3".to_owned(), 570, 570)]);
    assert!(day["signals"].as_array().is_some_and(|all| !all.is_empty()), "{day}");
    let mut archive = Archive::of(service.path(), ALL);
    let report = archive.check(None);
    assert_eq!((report.summaries, &report.problems[..]), (1, &[][..]));
    // What the calendar says stands under the directory's hash.
    let place = archive.places("directory")[0];
    archive.records[place]["calendar"]["days"] = json!([]);
    assert_eq!(archive.check(None).summaries, 0);
}

#[test]
fn figures_of_before_there_were_calendars_and_signals_are_as_right_as_they_were() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (service, day) = runtime.block_on(archived(|config| {
        config.offices[0].calendar = None;
        config.offices[0].signals = None;
    }));
    for key in ["available", "day_off", "signals"] {
        assert_eq!(day.get(key), None, "{key}");
    }
    let archive = Archive::of(service.path(), ALL);
    let directory = &archive.records[archive.places("directory")[0]];
    assert!(directory.get("calendar").is_none() && directory.get("signals").is_none());
    let report = archive.check(None);
    assert_eq!((report.summaries, &report.problems[..]), (1, &[][..]));

    // The program of today goes on with the folder.
    let service = runtime.block_on(async {
        let clock = Arc::new(DemoClock::standing(at("2026-11-25 07:00")));
        let central = TestCentral::start_in(service, clock).await;
        let mut kiosk = central.kiosk("q5").await;
        rate(&mut kiosk.desk(), "hai_long", &[]);
        send(&central, &kiosk, Way::Uploader).await;
        central.clock.set(at("2026-11-26 00:05"));
        make(&central.central).await.unwrap();
        central.stop().await.0
    });
    let archive = Archive::of(service.path(), ALL);
    assert_eq!(archive.places("directory").len(), 2);
    let report = archive.check(None);
    assert_eq!((report.summaries, &report.problems[..]), (2, &[][..]), "{:?}", report.notes);
}
