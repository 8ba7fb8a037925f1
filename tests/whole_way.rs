//! The whole way of a rating, over real HTTP and real databases.

mod common;

use common::{TestCentral, at, of_day, rate, signed_in};
use hailong::domain::line::{Event, Line};
use hailong::kiosk::journal_reader::JournalReader;

#[tokio::test]
async fn a_tap_becomes_a_figure_of_the_daily_summary() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    central.clock.set(at("2026-11-24 08:15"));
    let mut desk = kiosk.desk();
    for _ in 0..6 {
        rate(&mut desk, "rat_hai_long", &["niem_no"]);
    }
    rate(&mut desk, "khong_hai_long", &["cho_lau", "thai_do"]);
    let mut sending = kiosk.send();
    central.clock.set(at("2026-11-25 00:05"));
    desk.stop().expect("stopped");
    sending.drained(18).await;

    let directory = &central.central.config.offices[0];
    let forms = &central.central.config.forms;
    let date = "2026-11-24".parse().unwrap();
    let now = central.central.now();
    let summary = of_day(central.store(), directory, forms, date, now).await.unwrap();
    let json = serde_json::to_value(&summary).unwrap();
    assert_eq!(json["state"], "complete");
    assert_eq!(json["n"], 7);
    assert_eq!(json["satisfied"], 6);
    assert_eq!(json["levels"]["rat_hai_long"], 6);
    assert_eq!(json["by_official"][6]["id"], "cb07");
    assert_eq!(json["by_official"][6]["n"], 7);
    assert_eq!(json["by_hour"], serde_json::json!([{ "hour": 8, "n": 7 }]));
    assert_eq!(json["reasons"][0]["code"], "niem_no");
    assert_eq!(json["rate"], serde_json::Value::Null, "7 ratings give no rate");
    assert_eq!(central.store().findings().await.unwrap(), []);
}

/// A kiosk that stays on over night says itself that its day is over: the evening's figures are those of the day.
#[tokio::test]
async fn a_day_is_complete_in_the_evening_though_its_kiosk_stays_on() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    central.clock.set(at("2026-11-24 08:15"));
    let mut desk = kiosk.desk();
    for _ in 0..7 {
        rate(&mut desk, "rat_hai_long", &["niem_no"]);
    }
    let path = kiosk.path();
    let ended = || {
        let journal = JournalReader::open(&path).unwrap();
        let lines = journal.lines(1, journal.last().unwrap()).unwrap();
        let read = lines.iter().map(|line| serde_json::from_slice::<Line>(line).unwrap());
        read.filter(|line| line.event == Event::DayEnded).count()
    };
    let last = || JournalReader::open(&path).unwrap().last().unwrap();
    let (directory, forms) = (&central.central.config.offices[0], &central.central.config.forms);
    let date = "2026-11-24".parse().unwrap();
    let figures = async || {
        let now = central.central.now();
        let summary = of_day(central.store(), directory, forms, date, now).await.unwrap();
        let json = serde_json::to_value(&summary).unwrap();
        (json["state"].as_str().unwrap().to_owned(), json["n"].as_u64().unwrap())
    };

    central.clock.set(at("2026-11-24 17:01"));
    desk.follow_roster().unwrap();
    assert_eq!(ended(), 0, "somebody may still be on their way out");
    kiosk.sent(last()).await;
    assert_eq!(figures().await, ("provisional".into(), 5));
    central.clock.set(at("2026-11-24 17:02"));
    for _ in 0..3 {
        desk.follow_roster().unwrap();
    }
    assert_eq!(ended(), 1, "once");
    kiosk.sent(last()).await;
    assert_eq!(figures().await, ("complete".into(), 7));

    // Somebody is served late all the same: it is counted, and said again.
    central.clock.set(at("2026-11-24 17:40"));
    rate(&mut desk, "hai_long", &[]);
    desk.follow_roster().unwrap();
    assert_eq!(ended(), 2);
    kiosk.sent(last()).await;
    central.clock.set(at("2026-12-02 00:05"));
    desk.follow_roster().unwrap();
    kiosk.sent(last()).await;
    assert_eq!(figures().await, ("final".into(), 8));
    assert_eq!(central.store().findings().await.unwrap(), []);
}

/// Each contact belongs to whom its own line names, whoever the roster has at the counter.
#[tokio::test]
async fn officials_who_take_turns_at_one_counter_have_their_own_ratings() {
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    let last = signed_in(&central, &mut kiosk);
    kiosk.sent(last).await;
    let directory = &central.central.config.offices[0];
    let roster = directory.roster.iter().filter(|shift| shift.counter.as_str() == "q3");
    assert!(roster.into_iter().all(|shift| shift.official.as_str() == "cb07"));
    let day = central.store().day(&directory.office.code, "2026-11-24".parse().unwrap());
    let mut counted: Vec<String> = (day.await.unwrap().tallies.iter())
        .map(|(key, n)| format!("{} {n}", key.text()))
        .filter(|tally| tally.starts_with("rating/"))
        .collect();
    counted.sort();
    let tally = |who: &str, hour: i8, level: &str, n: u64| {
        format!("rating/q3/{who}/{hour}/counter/nam-muc@2/{level} {n}")
    };
    let expected = [
        tally("-", 11, "rat_hai_long", 1),
        tally("cb02", 10, "khong_hai_long", 1),
        tally("cb02", 10, "rat_hai_long", 1),
        tally("cb02", 8, "rat_hai_long", 2),
        tally("cb08", 11, "rat_hai_long", 2),
        tally("cb08", 9, "rat_hai_long", 4),
    ];
    assert_eq!(counted, expected);
    assert_eq!(central.store().findings().await.unwrap(), []);

    // The page: cb08 has 6, which are shown; cb02 has 4, and with nobody's one 5, which are not.
    central.clock.set(at("2026-11-25 00:05"));
    kiosk.desk().stop().unwrap();
    kiosk
        .sent(
            hailong::kiosk::journal_reader::JournalReader::open(&kiosk.path())
                .unwrap()
                .last()
                .unwrap(),
        )
        .await;
    let (forms, now) = (&central.central.config.forms, central.central.now());
    let date = "2026-11-24".parse().unwrap();
    let summary = of_day(central.store(), directory, forms, date, now).await.unwrap();
    let json = serde_json::to_value(&summary).unwrap();
    let rows = json["by_official"].as_array().unwrap();
    let row = |id: &str| rows.iter().find(|row| row["id"] == id).unwrap();
    assert_eq!((&row("cb08")["n"], &row("cb08")["satisfied"]), (&6.into(), &6.into()));
    assert_eq!(
        (&row("cb02")["n"], &row("cb02")["satisfied"]),
        (&4.into(), &serde_json::Value::Null)
    );
    assert_eq!((&row("cb07")["n"], &json["unattributed"]), (&0.into(), &1.into()));
}
