//! The page of devices: what wants attention of several offices, all of one, how long each was running, and how one
//! takes the place of another.

mod common;

use common::web::{form_of, page, send};
use common::{TestCentral, at, rate, sample_config};
use hailong::domain::access::{Role, Standing, Unit};
use hailong::domain::system_random;
use hailong::kiosk::enrolment::enrol;
use hailong::kiosk::identity::Identity;
use hailong::kiosk::journal_reader::JournalReader;
use tempfile::TempDir;

/// A service of two offices, in the morning of Tuesday.
async fn two_offices() -> TestCentral {
    let mut config = sample_config();
    let mut other = config.offices[0].clone();
    other.office.code = "dong-tien".parse().unwrap();
    other.office.name = "Trung tâm Phục vụ hành chính công xã Đông Tiến".to_owned();
    config.offices.push(other);
    TestCentral::with_config(config, at("2026-11-24 07:00")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_offices_those_to_look_at_are_shown_and_of_one_office_all() {
    let central = two_offices().await;
    let mut well = central.kiosk("q3").await;
    central.kiosk("q1").await;
    let cookie = central.cookie(Role::Administrator).await;
    let form = form_of(&central, &cookie).await;
    for kiosk in ["ps-q3", "ps-q1"] {
        let fields = [("form", form.as_str()), ("do", "confirm"), ("kiosk", kiosk)];
        assert_eq!(send(&central, "/fleet", &cookie, &fields).await.0, 200);
    }
    // Nobody waits for one that was admitted just now.
    assert!(page(&central, "/fleet", &cookie).await.1.contains("2 thiết bị, 0 mất liên lạc"));
    central.clock.set(at("2026-11-24 07:20"));
    drop(well.desk());
    well.sent(1).await;
    let (_, all) = page(&central, "/fleet", &cookie).await;
    let shows = |id: &str| all.contains(&format!("<span class=\"soft\">{id} "));
    assert!(all.contains("Cần lưu ý") && shows("ps-q1") && !shows("ps-q3"), "{all}");
    assert!(!all.contains("Tạo mã đăng ký"), "first an office is chosen");
    let of_office = |code: &str, n: u32, silent: u32| {
        let warn = if silent > 0 { " warn" } else { "" };
        let found = all.split(&format!("?office={code}")).nth(1).expect(code);
        let cells = format!("<td class=\"num\">{n}</td><td class=\"num{warn}\">{silent}</td>");
        assert!(found.split("</tr>").next().unwrap().contains(&cells), "{code}: {found}");
    };
    of_office("phu-sa", 2, 1);
    of_office("dong-tien", 0, 0);
    let (status, one) = page(&central, "/fleet?office=phu-sa", &cookie).await;
    assert!(status == 200 && one.contains("ps-q1") && one.contains("ps-q3"), "{one}");
    assert!(one.contains("Tạo mã đăng ký") && one.contains("counter_phu-sa/q1"), "{one}");
    assert!(!one.contains("counter_dong-tien"), "{one}");
    assert!(
        one.contains("?lang=en&amp;office=phu-sa"),
        "the same office in another language: {one}"
    );
    assert_eq!(page(&central, "/fleet?office=nowhere", &cookie).await.0, 404);
    // Of one's own office there is nothing to choose, and of no other is there anything.
    let own = Standing::new(Role::Supervisor, Unit(Some("phu-sa".parse().unwrap())));
    let own = central.cookie_of(own).await;
    let (_, page_of_own) = page(&central, "/fleet?office=dong-tien", &own).await;
    assert!(page_of_own.contains("ps-q3") && !page_of_own.contains("Đông Tiến"), "{page_of_own}");
}

#[tokio::test(flavor = "multi_thread")]
async fn how_long_a_kiosk_was_running_is_told_of_days_that_its_journal_has_passed() {
    let central = TestCentral::start_at(at("2026-11-24 07:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    let mut desk = kiosk.desk();
    central.clock.set(at("2026-11-24 10:00"));
    rate(&mut desk, "hai_long", &[]);
    desk.note_alive().unwrap();
    drop(desk);
    // Without power until noon; the rest of the day, and the next one, it runs.
    central.clock.set(at("2026-11-24 12:00"));
    let mut desk = kiosk.desk();
    central.clock.set(at("2026-11-25 08:00"));
    rate(&mut desk, "hai_long", &[]);
    drop(desk);
    let last = JournalReader::open(&kiosk.path()).unwrap().last().unwrap();
    kiosk.sent(last).await;
    central.clock.set(at("2026-11-25 08:10"));
    let cookie = central.cookie(Role::Administrator).await;
    let (_, shown) = page(&central, "/fleet", &cookie).await;
    // From 7:30 to 17:00 without two hours.
    assert!(shown.contains("78,9% (7 giờ 30 phút trong 9 giờ 30 phút làm việc)"), "{shown}");
    // Of the day itself nobody can know yet.
    central.clock.set(at("2026-11-26 08:10"));
    let cookie = central.cookie(Role::Administrator).await;
    let (_, shown) = page(&central, "/fleet", &cookie).await;
    assert!(shown.contains("7 giờ 30 phút trong 9 giờ 30 phút làm việc"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_takes_the_place_of_another_at_the_same_counters() {
    let central = two_offices().await;
    let mut old = central.kiosk("q3").await;
    rate(&mut old.desk(), "hai_long", &[]);
    let cookie = central.cookie(Role::Administrator).await;
    let form = form_of(&central, &cookie).await;
    let act = async |fields: &[(&str, &str)]| {
        let all = [&[("form", form.as_str())], fields].concat();
        send(&central, "/fleet?office=phu-sa", &cookie, &all).await
    };
    for new in ["", "ps-q3", "ps q3"] {
        let (status, _, said) = act(&[("do", "replace"), ("kiosk", "ps-q3"), ("new", new)]).await;
        assert!(status == 422 && said.contains("một tên khác"), "{new}: {said}");
    }
    assert_eq!(act(&[("do", "replace"), ("kiosk", "nowhere"), ("new", "ps-q3b")]).await.0, 422);
    let (status, _, said) = act(&[("do", "replace"), ("kiosk", "ps-q3"), ("new", "PS-q3b")]).await;
    assert!(status == 200 && said.contains("thiết bị thay ps-q3"), "{said}");
    let (_, rest) = said.split_once("big-code\">").expect("a code");
    let code = rest.split('<').next().unwrap();
    let folder = TempDir::new().unwrap();
    let mut identity = Identity::load_or_create(folder.path(), &mut system_random()).unwrap();
    enrol(&central.service(), code, &mut identity).await.unwrap();
    let enrolled = identity.enrolled.as_ref().unwrap();
    assert_eq!(enrolled.kiosk.as_str(), "ps-q3b");
    assert_eq!(enrolled.counters.to_string(), "q3");

    // The old one is still heard until it is taken out of use; then the new one stands in its place.
    let last = JournalReader::open(&old.path()).unwrap().last().unwrap();
    old.sent(last).await;
    let retire =
        |by| [("do", "retire"), ("kiosk", "ps-q3"), ("reason", "màn hình vỡ"), ("replaced_by", by)];
    assert_eq!(act(&retire("nowhere")).await.0, 422, "by one that is here");
    assert_eq!(act(&retire("ps-q3")).await.0, 422, "by another than itself");
    let (status, _, said) = act(&retire("ps-q3b")).await;
    assert!(status == 200 && said.contains("thiết bị thay thế: ps-q3b"), "{said}");
    let heard = central.store().heard().await.unwrap();
    let old = heard.iter().find(|one| one.id.as_str() == "ps-q3").unwrap();
    let standing = serde_json::to_value(&old.standing).unwrap();
    assert_eq!(standing["retired"]["replaced_by"], "ps-q3b");
}
