//! Reports of violations: read outside of the office, handled step by step within working days, each step a line of the
//! service's own journal that nobody of the office sees.

mod common;

use common::reports::reported;
use common::web::{form_of, page, send};
use common::{TestCentral, at};
use hailong::domain::access::{Role, Standing, Unit};
use hailong::domain::decision::{Decision, What};
use hailong::domain::line::Event;
use hailong::domain::report::Step;

/// A step as the reader takes it on the page.
async fn take(central: &TestCentral, report: &str, step: &str, note: &str) -> (u16, String) {
    let cookie = central.cookie(Role::Reader).await;
    let form = form_of(central, &cookie).await;
    let fields = [
        ("form", form.as_str()),
        ("do", "step"),
        ("report", report),
        ("step", step),
        ("note", note),
    ];
    let (status, _, said) = send(central, "/reports", &cookie, &fields).await;
    (status, said)
}

async fn shown(central: &TestCentral) -> String {
    let cookie = central.cookie(Role::Reader).await;
    page(central, "/reports", &cookie).await.1
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_goes_by_the_offices_working_days_and_says_what_is_overdue() {
    let (central, report) = reported().await;
    let says = async |now: &str, words: &str| {
        central.clock.set(at(now));
        let page = shown(&central).await;
        assert!(page.contains(words), "{now}: {words}: {page}");
    };
    // Friday off, the weekend: Monday and Tuesday are the two days.
    says("2026-11-26 10:00", "trước hết ngày 01/12/2026: còn 3 ngày làm việc").await;
    says("2026-12-01 10:00", "ngày làm việc cuối cùng").await;
    says("2026-12-02 10:00", "QUÁ HẠN 1 ngày làm việc").await;
    says("2026-12-02 10:00", "1 phản ánh, 1 quá hạn").await;
    assert_eq!(take(&central, &report, "accepted", "").await.0, 200);
    says("2026-12-02 11:00", "Giải quyết trước hết ngày 23/12/2026").await;
    says("2026-12-02 11:00", "xin yêu cầu trước hết ngày 09/12/2026").await;
    assert_eq!(take(&central, &report, "asked", "Đơn vị giải trình bằng văn bản").await.0, 200);
    says("2026-12-24 09:00", "QUÁ HẠN 1 ngày làm việc").await;
    assert_eq!(take(&central, &report, "resolved", "Đã hoàn trả tiền").await.0, 200);
    says("2026-12-24 09:00", "Công khai kết quả trước hết ngày 28/12/2026").await;
    assert_eq!(take(&central, &report, "published", "Bảng tin của xã").await.0, 200);
    let done = shown(&central).await;
    assert!(done.contains("Đã xử lý xong") && done.contains("0 quá hạn"), "{done}");
    for words in ["Đơn vị giải trình", "Đã hoàn trả tiền", "Bảng tin của xã", "Trần Thị Mận"]
    {
        assert!(done.contains(words), "{words}: {done}");
    }
    assert!(!done.contains("<details"), "nothing more is to be done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_does_not_follow_or_says_nothing_is_refused() {
    let (central, report) = reported().await;
    for (step, note) in [("resolved", "xong"), ("published", "ở xã"), ("asked", "ai"), ("x", "x")]
    {
        let (status, said) = take(&central, &report, step, note).await;
        assert!(status == 422 && said.contains("bước khác"), "{step}: {said}");
    }
    let unknown = "0".repeat(64);
    assert_eq!(take(&central, &unknown, "accepted", "").await.0, 422);
    for note in ["", "   ", &"x".repeat(201)] {
        let (status, said) = take(&central, &report, "refused", note).await;
        assert!(status == 422 && said.contains("không quá 200"), "{said}");
    }
    assert_eq!(take(&central, &report, "refused", "Không thuộc thẩm quyền").await.0, 200);
    // It may be taken up after all, and by nobody twice.
    assert_eq!(take(&central, &report, "refused", "lần nữa").await.0, 422);
    assert_eq!(take(&central, &report, "accepted", "").await.0, 200);
    assert_eq!(take(&central, &report, "accepted", "").await.0, 422);
    // More is asked for in five working days only.
    central.clock.set(at("2026-12-07 09:00"));
    assert!(!shown(&central).await.contains("value=\"asked\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_the_reader_sees_or_takes_a_step_and_each_is_a_line() {
    let (central, report) = reported().await;
    assert_eq!(take(&central, &report, "accepted", "").await.0, 200);
    let administrator = Standing::new(Role::Administrator, Unit::PROVINCE);
    let cookie = central.cookie_of(administrator.clone()).await;
    assert_eq!(page(&central, "/reports", &cookie).await.0, 403);
    let matters = central.store().matters().await.unwrap().within(&Unit::PROVINCE);
    assert_eq!(matters.decisions, [], "nor among what a person should look at");
    // By the door for decisions nobody gets there.
    let office = "phu-sa".parse().unwrap();
    let what = What::Handled { office, report: report.parse().unwrap(), step: Step::Resolved };
    let decision = Decision { what, person: "Lan".into(), reason: "xong".into() };
    let refused = central.central.decide(decision, Unit::PROVINCE).await.unwrap_err();
    assert!(refused.to_string().contains("on their page"), "{refused}");
    // Nor is it taken back by one.
    let own = central.lines().await.into_iter().rfind(|line| line.event == Event::Decided);
    let own = own.expect("a line");
    let steps = central.store().handlings().await.unwrap();
    let what = What::Withdrawn { epoch: steps[0].epoch, seq: own.seq };
    let decision = Decision { what, person: "Lan".into(), reason: "xong".into() };
    assert!(central.central.decide(decision, Unit::PROVINCE).await.is_err());
    // Its line names neither counter nor words.
    let line = serde_json::to_string(&own).unwrap();
    assert!(line.contains(&report) && !line.contains("q3") && !line.contains("tiền"), "{line}");
    // All of it follows from the journals.
    let rebuilt = central.central.rebuild().await.unwrap().unwrap();
    assert_eq!(rebuilt.differ, 0, "{:?}", rebuilt.rows);
    assert_eq!(central.store().handlings().await.unwrap(), steps);
}
