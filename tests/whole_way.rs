//! The whole way of a rating, over real HTTP and real databases.

mod common;

use common::{TestCentral, at, rate};
use hailong::central::summary::of_day;

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
