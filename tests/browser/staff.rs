//! What staff see: summaries of days of every kind, reports, and why there is none.

use hailong::domain::access::Role;
use hailong::domain::decision::{Decision, What};
use hailong::domain::report::Step;

use crate::common::reports::reported;
use crate::common::{TestCentral, at};
use crate::looker::Looker;
use crate::office::{Counter, all_send, answered};

/// An office of six counters before a day: on Friday hardly anybody rated, on Monday many.
pub async fn before_the_day() -> (TestCentral, Vec<Counter>) {
    let central = TestCentral::start_at(at("2026-11-20 07:30")).await;
    let mut counters = Vec::new();
    for counter in ["q1", "q2", "q3", "q4", "q5", "q6"] {
        counters.push(Counter::enrolled(&central, counter).await);
    }
    counters[0].rated(4, "hai_long", &[]);
    central.clock.set(at("2026-11-23 09:00"));
    for counter in &mut counters[..3] {
        counter.rated(30, "rat_hai_long", &["niem_no"]);
        counter.rated(4, "khong_hai_long", &["cho_lau"]);
    }
    all_send(&central, &counters[..3], "2026-11-24 07:35").await;
    (central, counters)
}

/// The day: five counters rated at, one off for a while, one never heard of; nobody on shift at
/// one of them before noon.
async fn lived(central: &TestCentral, counters: &mut [Counter]) {
    for hour in 8..12 {
        central.clock.set(at(&format!("2026-11-24 {hour:02}:20")));
        for (counter, ratings) in counters.iter_mut().zip([7, 10, 6, 4, 1]) {
            counter.rated(ratings, "rat_hai_long", &["niem_no", "huong_dan_ro"]);
            counter.rated(ratings / 3, "hai_long", &["nhanh_gon"]);
        }
        counters[2].rated(1, "binh_thuong", &[]);
        counters[0].rated(1, "khong_hai_long", &["cho_lau", "di_lai_nhieu"]);
    }
    central.clock.set(at("2026-11-24 11:40"));
    counters[4].rated(6, "hai_long", &[]);
    central.clock.set(at("2026-11-24 11:50"));
    counters[3].off();
    central.clock.set(at("2026-11-24 12:35"));
    for counter in &mut counters[2..5] {
        counter.rated(2, "hai_long", &["nhanh_gon"]);
    }
    counters[2].rated(3, "rat_khong_hai_long", &["thai_do", "cho_lau"]);
    let beside: Vec<String> =
        (0..3).map(|_| counters[1].rated_with_ticket("rat_hai_long")).collect();
    let later: Vec<String> = (0..7).map(|_| counters[2].later()).collect();
    all_send(central, &counters[..5], "2026-11-24 16:40").await;
    for (ticket, level) in beside.iter().zip(["hai_long", "rat_hai_long", "rat_hai_long"]) {
        answered(ticket, &format!("level={level}")).await;
    }
    for ticket in &later {
        answered(ticket, "level=hai_long&reason=nhanh_gon").await;
    }
    // Its end is on its way.
    answered(&counters[4].later(), "level=hai_long").await;
}

/// The day from its beginning until all of it has come.
pub async fn complete(central: &TestCentral, counters: &mut [Counter]) {
    central.clock.set(at("2026-11-24 08:00"));
    lived(central, counters).await;
    central.clock.set(at("2026-11-24 17:00"));
    for counter in counters.iter_mut() {
        counter.stop();
    }
    all_send(central, counters, "2026-11-25 00:10").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_staff_is_readable_and_touchable_at_every_width() {
    let Some(mut looker) = Looker::start().await else { return };
    let (central, mut counters) = before_the_day().await;
    let here = format!("http://{}", central.staff);
    let day = format!("{here}/summary/phu-sa/2026-11-24");
    looker.look_at("sign-in", &day).await;
    looker.says("Ask an administrator for a link").await;
    looker.enter(&central, Role::Reader).await;
    looker.look_at("reports-none", &format!("{here}/reports")).await;
    looker.says("No report waits.").await;
    looker.enter(&central, Role::Supervisor).await;
    looker.look_at("day-missing", &format!("{here}/summary/phu-sa/tomorrow")).await;
    looker.says("The time is not valid.").await;
    looker.look_at("day-none-yet", &day).await;
    looker.says("No ratings yet").await;
    looker.look_at("day-none", &format!("{here}/summary/phu-sa/2026-11-19")).await;
    looker.says("There were no ratings on this day").await;
    central.clock.set(at("2026-11-24 08:00"));
    counters[0].rated(12, "hai_long", &["nhanh_gon"]);
    all_send(&central, &counters[..1], "2026-11-24 08:10").await;
    looker.enter(&central, Role::Supervisor).await;
    looker.look_at("day-some", &day).await;
    looker.says("10 / 10").await;
    lived(&central, &mut counters).await;
    looker.enter(&central, Role::Supervisor).await;
    looker.look_at("day-open", &day).await;
    looker.says("Provisional figures as of").await;
    central.clock.set(at("2026-11-24 17:00"));
    looker.enter(&central, Role::Supervisor).await;
    looker.look_at("day-incomplete", &day).await;
    looker.says("devices still to send data: 6").await;
    looker.says("was not running from").await;
    looker.says("Given outside of shifts").await;
    for (words, wish) in [
        ("Đòi thêm tiền ngoài quy định khi nộp hồ sơ.\nĐã xảy ra hai lần.", "&reason=phan_anh"),
        ("Nguyễnthịmột".repeat(30).as_str(), "&reason=phan_anh"),
    ] {
        let ticket = counters[0].later();
        answered(&ticket, &format!("level=rat_khong_hai_long&words={words}{wish}")).await;
    }
    counters[0].send().await;
    let unsent = counters[1].later();
    answered(&unsent, "level=hai_long&reason=phan_anh&words=Không nhận hồ sơ.").await;
    looker.enter(&central, Role::Reader).await;
    looker.look_at("reports", &format!("{here}/reports")).await;
    looker.says("3 reports, 0 overdue").await;
    for counter in &mut counters {
        counter.stop();
    }
    all_send(&central, &counters, "2026-11-25 00:10").await;
    looker.enter(&central, Role::Supervisor).await;
    looker.look_at("day-complete", &day).await;
    looker.says("All data from the counters received").await;
    looker.says("of which already rated at the counter").await;
    looker.says("To be reviewed").await;
    looker.says("7 h 55 min").await;
    looker.look_at("day-off", &format!("{here}/summary/phu-sa/2026-09-02")).await;
    looker.says("Day off: Quốc khánh").await;
    looker.look_at("week", &format!("{here}/summary/phu-sa/2026-W48")).await;
    looker.says("Week 48/2026").await;
    looker.says("By day").await;
    looker.look_at("month", &format!("{here}/summary/phu-sa/2026-11")).await;
    looker.says("Provisional: a day is not over").await;
    looker.look_at("year-none", &format!("{here}/summary/phu-sa/2025")).await;
    looker.look_at("day-few", &format!("{here}/summary/phu-sa/2026-11-20")).await;
    looker.says("too few ratings").await;
    looker.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_readable_and_touchable_when_it_is_overdue_and_when_it_is_done() {
    let Some(mut looker) = Looker::start().await else { return };
    let (central, report) = reported().await;
    let step = async |step, note: &str| {
        let (office, report) = ("phu-sa".parse().unwrap(), report.parse().unwrap());
        let what = What::Handled { office, report, step };
        let person = "Trần Thị Mận (reader-tinh)".to_owned();
        let reason = note.to_owned();
        central.store().decide(Decision { what, person, reason }).await.unwrap();
    };
    step(Step::Accepted, "Đã tiếp nhận").await;
    step(Step::Asked, "Đơn vị giải trình bằng văn bản về khoản tiền đã thu ngoài quy định").await;
    central.clock.set(at("2026-12-30 09:00"));
    let here = format!("http://{}/reports", central.staff);
    looker.enter(&central, Role::Reader).await;
    looker.look_at("report-overdue", &here).await;
    looker.says("OVERDUE by").await;
    step(Step::Resolved, "Đã hoàn trả tiền, nhắc nhở cán bộ").await;
    step(Step::Published, "Bảng tin của xã, ngày 30/12/2026").await;
    looker.look_at("report-done", &here).await;
    looker.says("Result published").await;
    looker.end().await;
}
