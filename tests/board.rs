//! The public board: final figures of an office as a whole, for everybody; what it changed because of them, told by whoever
//! decides there, and taken back.

mod common;

use common::board::{after_two_weeks, improved};
use common::web::{form_of, page, send};
use common::{TestCentral, at, rate};
use hailong::domain::access::{Role, Standing, Unit};
use hailong::domain::decision::{Decision, What};
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::network::client;

/// The board as a phone on the street sees it.
async fn board(central: &TestCentral, path: &str) -> (u16, String) {
    let reply = client().unwrap().get(format!("{}{path}", central.service())).send().await.unwrap();
    (reply.status().as_u16(), reply.text().await.unwrap().replace("&#x2f;", "/"))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_shows_remembered_of_the_whole_office_and_nothing_of_now_or_of_anybody() {
    let central = after_two_weeks().await;
    let (status, shown) = board(&central, "/board/phu-sa").await;
    assert_eq!(status, 200);
    // 50 of 60 of the day that is final; nothing of the 40 bad ones of today.
    assert!(shown.contains("83,3%") && shown.contains("50 / 60 lượt đánh giá"), "{shown}");
    assert!(shown.contains("khoảng tin cậy 95%"), "{shown}");
    assert!(shown.contains("chưa có số liệu về lượt phục vụ"), "{shown}");
    let thai_do = central.central.config.forms.reason_text("thai_do", "vi").unwrap();
    let niem_no = central.central.config.forms.reason_text("niem_no", "vi").unwrap();
    assert!(!shown.contains(&thai_do) && shown.contains(&niem_no), "{shown}");
    let directory = &central.central.config.offices[0];
    for official in &directory.officials {
        assert!(!shown.contains(&official.name), "{}", official.name);
    }
    assert!(!shown.contains("Quầy 3"), "nor of a counter");
    assert!(shown.contains("có người hướng dẫn ghi tờ khai") && !shown.contains("Lê Thị Hoa"));
    // The latest change first.
    assert!(shown.find("02/12 có người") < shown.find("From 1 December"), "{shown}");
    assert_eq!(board(&central, "/board/nowhere").await.0, 404);
    assert_eq!(board(&central, "/board/Phu%20Sa").await.0, 404);
    let (_, hall) = board(&central, "/board/phu-sa?hall=1&lang=en").await;
    assert!(hall.contains("http-equiv=\"refresh\"") && hall.contains("83.3%"), "{hall}");
    assert!(!shown.contains("http-equiv"), "only where nobody reads on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_comes_onto_it_when_its_tickets_have_expired() {
    let central = after_two_weeks().await;
    // By whole weeks: that of 8 December ends on the 13th, and its tickets with the 20th.
    for (now, rated) in [("2026-12-20 23:00", "50 / 60"), ("2026-12-21 00:30", "50 / 100")] {
        central.clock.set(at(now));
        let (_, shown) = board(&central, "/board/phu-sa").await;
        assert!(shown.contains(rated), "{now}: {shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_day_is_on_it_that_can_change_nor_figures_of_a_single_official() {
    let central = after_two_weeks().await;
    // A kiosk that has not told of these days: they are not final, however long ago they are.
    central.clock.set(at("2026-12-09 08:00"));
    let late = central.kiosk("q5").await;
    let (_, shown) = board(&central, "/board/phu-sa").await;
    assert!(shown.contains("50 / 60"), "it was not there then: {shown}");
    central.clock.set(at("2026-12-28 08:00"));
    let (_, shown) = board(&central, "/board/phu-sa").await;
    assert!(shown.contains("50 / 100"), "{shown}");
    drop(late);

    let alone = TestCentral::start_at(at("2026-11-24 08:15")).await;
    let mut kiosk = alone.kiosk("q3").await;
    alone.kiosk("q5").await;
    for _ in 0..40 {
        rate(&mut kiosk.desk(), "hai_long", &[]);
    }
    alone.clock.set(at("2026-12-09 07:00"));
    drop(kiosk.desk());
    let last = JournalReader::open(&kiosk.path()).unwrap().last().unwrap();
    kiosk.sent(last).await;
    let (_, shown) = board(&alone, "/board/phu-sa").await;
    assert!(shown.contains("Chưa có số liệu"), "one kiosk has told nothing: {shown}");
    let what = What::Retired {
        kiosk: "ps-q5".parse().unwrap(),
        since: "2026-11-24".parse().unwrap(),
        replaced_by: None,
    };
    let decision = Decision { what, person: "Lan".into(), reason: "chưa dùng".into() };
    alone.central.decide(decision, Unit::PROVINCE).await.unwrap();
    let (_, shown) = board(&alone, "/board/phu-sa").await;
    assert!(shown.contains("Chưa có số liệu") && !shown.contains("40"), "of one official: {shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_is_told_by_whoever_decides_there_and_taken_back() {
    let central = after_two_weeks().await;
    let own = Standing::new(Role::Administrator, Unit(Some("phu-sa".parse().unwrap())));
    let cookie = central.cookie_of(own).await;
    let form = form_of(&central, &cookie).await;
    let act = async |fields: &[(&str, &str)]| {
        let all = [&[("form", form.as_str())], fields].concat();
        send(&central, "/improvements/phu-sa", &cookie, &all).await
    };
    let tell = |change, because| [("do", "tell"), ("change", change), ("because", because)];
    assert_eq!(act(&tell("", "chờ lâu")).await.0, 422);
    assert_eq!(act(&tell("mở thêm quầy", " ")).await.0, 422);
    let long = "x".repeat(201);
    let (status, _, kept) = act(&tell(&long, "chờ lâu")).await;
    assert!(status == 422 && kept.contains(&long), "what was typed is there to be mended");
    let (status, _, said) = act(&tell("Có <ghế> chờ", "Không có chỗ ngồi & nước")).await;
    assert!(status == 200 && said.contains("Đã công bố"), "{said}");
    let (_, shown) = board(&central, "/board/phu-sa").await;
    assert!(shown.contains("Có &lt;ghế&gt; chờ") && shown.contains("nước"), "{shown}");

    let told = central.store().improvements(&"phu-sa".parse().unwrap()).await.unwrap();
    let last = told.last().unwrap();
    assert_eq!(last.decision.person, "Trần Thị Mận (administrator-phu-sa)");
    let place = format!("{}-{}", last.epoch, last.seq);
    assert_eq!(act(&[("do", "take-back"), ("place", "x-1")]).await.0, 422);
    assert_eq!(act(&[("do", "take-back"), ("place", &place)]).await.0, 200);
    assert_eq!(act(&[("do", "take-back"), ("place", &place)]).await.0, 422, "once");
    let (_, shown) = board(&central, "/board/phu-sa").await;
    assert!(!shown.contains("ghế"), "{shown}");

    // Nobody of another office, nor a supervisor.
    let mut other = improved("khác", "khác");
    if let What::Improved { office, .. } = &mut other.what {
        *office = "dong-tien".parse().unwrap();
    }
    let refused = central.central.decide(other, Unit::PROVINCE).await.unwrap_err();
    assert!(refused.to_string().contains("no office dong-tien"), "{refused}");
    let supervisor = central.cookie(Role::Supervisor).await;
    assert_eq!(page(&central, "/improvements/phu-sa", &supervisor).await.0, 403);
    assert_eq!(page(&central, "/improvements/dong-tien", &cookie).await.0, 404);
    // What was told moves no figure, and follows from the journals.
    let rebuilt = central.central.rebuild().await.unwrap().unwrap();
    assert_eq!(rebuilt.differ, 0, "{:?}", rebuilt.rows);
}
