//! The staff's side: behind a corner and a code.

use std::sync::LazyLock;

use hailong::domain::enrolment::Enrolled;
use hailong::domain::line::{By, Event};
use hailong::domain::staff_code::{Staff, StaffCodes};
use hailong::kiosk::staff::{CODE_MS, CONFIRMED_MS};
use hailong::kiosk::visit::Input;
use hailong::kiosk::window::ui;
use slint::Global;

use crate::common::at;
use crate::stage::*;

/// Codes of cb01, who is on the roster at counter 1, of cb07, who is at counter 3, and of the technician; drawn
/// once, since it is slow on purpose.
static CODES: LazyLock<(StaffCodes, [String; 3])> = LazyLock::new(|| {
    let mut codes = StaffCodes::default();
    let mut random = hailong::domain::system_random();
    let mut give = |who: Staff| codes.give(who, &mut *random).unwrap().to_string();
    let official = |id: &str| Staff::Official(id.parse().unwrap());
    let given = [give(official("cb01")), give(official("cb07")), give(Staff::Technician)];
    (codes, given)
});

fn with_codes(enrolled: &mut Enrolled) {
    enrolled.staff_codes = CODES.0.clone();
}

fn kiosk() -> Kiosk {
    Kiosk::with(with_codes, 1280, 800)
}

fn open(kiosk: &Kiosk) {
    kiosk.holds(40.0, 40.0, 3_250);
    assert!(shown(kiosk));
}

fn shown(kiosk: &Kiosk) -> bool {
    ui::Staff::get(kiosk.screen.app()).get_shown()
}

fn told(kiosk: &Kiosk) -> String {
    ui::Staff::get(kiosk.screen.app()).get_told().to_string()
}

fn view(kiosk: &Kiosk) -> ui::StaffView {
    ui::Staff::get(kiosk.screen.app()).get_view()
}

fn types(kiosk: &Kiosk, code: &str) {
    for digit in code.chars() {
        kiosk.tap(&digit.to_string());
    }
    kiosk.until(|kiosk| told(kiosk) != "Đang kiểm tra…");
}

/// Some eight digits that are nobody's.
fn wrong() -> &'static str {
    ["00000000", "11111111", "22222222", "33333333"]
        .into_iter()
        .find(|code| !CODES.1.iter().any(|one| one == code))
        .unwrap()
}

fn contacts(kiosk: &Kiosk) -> Vec<String> {
    let lines = kiosk.lines().into_iter().filter(|line| line.event == Event::Contact);
    lines.map(|line| line.official.map_or("nobody".into(), |id| id.to_string())).collect()
}

fn rate(kiosk: &mut Kiosk) {
    kiosk.tap_kept("Hài lòng");
    kiosk.tap_kept("Gửi");
    kiosk.tap(HOME);
}

#[test]
fn an_official_says_by_code_who_stands_at_the_counter_until_the_roster_hands_over() {
    on_stage(|| {
        // Counter 4 is handed over at noon.
        let change = |enrolled: &mut Enrolled| {
            with_codes(enrolled);
            enrolled.counters = "q4".parse().unwrap();
        };
        let mut kiosk = Kiosk::with(change, 1280, 800);
        assert!(kiosk.says("Phạm Quốc Dũng"));
        rate(&mut kiosk);
        // Not long enough.
        kiosk.holds(40.0, 40.0, 2_500);
        assert!(!shown(&kiosk));
        open(&kiosk);
        kiosk.picture().assert_like_reference("staff-code");
        types(&kiosk, &CODES.1[0]);
        kiosk.until(|kiosk| kiosk.lines().iter().any(|line| line.signed_in == Some(true)));
        assert_eq!(view(&kiosk), ui::StaffView::Confirmed);
        kiosk.until(|kiosk| told(kiosk).contains("Quầy 4"));
        pass(CONFIRMED_MS + 500);
        assert!(!shown(&kiosk) && kiosk.on("home"));
        // Who says so is whom visitors see.
        kiosk.until(|kiosk| kiosk.says("Trần Văn Hòa"));
        rate(&mut kiosk);

        // Nobody goes, and at noon the roster has another.
        kiosk.kiosk.clock.set(at("2026-11-24 12:00"));
        pass(4_000);
        assert!(kiosk.says("Bùi Hải Yến"));
        rate(&mut kiosk);
        assert_eq!(contacts(&kiosk), ["cb03", "cb01", "cb08"]);

        // By the badge, as quick.
        kiosk.scans(&format!("HL:{}", CODES.1[1]));
        kiosk.until(|kiosk| told(kiosk).contains("Quầy 4"));
        assert!(kiosk.says("Nguyễn Thị Thanh Lan"));
        pass(CONFIRMED_MS + 500);
        rate(&mut kiosk);
        // The evening ends it, and the kiosk says that nobody is there.
        kiosk.kiosk.clock.set(at("2026-11-24 17:00"));
        pass(4_000);
        assert!(!kiosk.says("Nguyễn Thị Thanh Lan"));
        rate(&mut kiosk);
        assert_eq!(contacts(&kiosk)[3..], ["cb07", "nobody"]);
    });
}

#[test]
fn in_a_hall_a_stand_in_says_where_and_who_is_on_the_roster_need_not() {
    on_stage(|| {
        let change = |enrolled: &mut Enrolled| {
            with_codes(enrolled);
            enrolled.counters = "q2,q3".parse().unwrap();
        };
        let kiosk = Kiosk::with(change, 1280, 800);
        kiosk.scans(&format!("HL:{}", CODES.1[1]));
        kiosk.until(|kiosk| view(kiosk) == ui::StaffView::Confirmed);
        kiosk.until(|kiosk| told(kiosk).contains("Quầy 3"));
        pass(CONFIRMED_MS + 500);
        kiosk.scans(&format!("HL:{}", CODES.1[0]));
        kiosk.until(|kiosk| view(kiosk) == ui::StaffView::Counter);
        kiosk.tap("Quầy 2 · Đất đai");
        kiosk.until(|kiosk| told(kiosk).contains("Quầy 2"));
        kiosk.until(|kiosk| {
            kiosk.lines().iter().filter(|line| line.signed_in == Some(true)).count() == 2
        });
        pass(CONFIRMED_MS + 500);
        kiosk.until(|kiosk| kiosk.says("Trần Văn Hòa, Quầy 2"));
    });
}

#[test]
fn wrong_codes_are_recorded_and_slow_down_and_no_code_is_kept() {
    on_stage(|| {
        let kiosk = kiosk();
        open(&kiosk);
        for _ in 0..4 {
            types(&kiosk, wrong());
            assert!(told(&kiosk).contains("nhập"));
        }
        assert_eq!(told(&kiosk), "Anh/chị đã nhập sai nhiều lần. Xin thử lại sau 30 giây.");
        types(&kiosk, &CODES.1[2]);
        assert_eq!(view(&kiosk), ui::StaffView::Code, "not even the right one");
        let noted = |kiosk: &Kiosk| {
            kiosk.lines().iter().filter(|line| line.event == Event::WrongCode).count()
        };
        kiosk.until(|kiosk| noted(kiosk) == 4);
        pass(CODE_MS + 500);
        assert!(!shown(&kiosk), "away by itself");
        kiosk.kiosk.clock.set(at("2026-11-24 08:16"));
        open(&kiosk);
        types(&kiosk, &CODES.1[2]);
        assert_eq!(view(&kiosk), ui::StaffView::Maintenance);
        // What is kept are numbers, not codes.
        for entry in std::fs::read_dir(kiosk.kiosk.path()).unwrap().flatten() {
            let bytes = std::fs::read(entry.path()).unwrap_or_default();
            for code in CODES.1.iter().map(String::as_str).chain([wrong()]) {
                let found = bytes.windows(8).any(|window| window == code.as_bytes());
                let zeros = code.bytes().all(|byte| byte == b'0');
                assert!(!found || zeros, "{:?}", entry.path());
            }
        }
    });
}

#[test]
fn staff_never_cut_a_visit_short_nor_does_a_call_get_lost_meanwhile() {
    on_stage(|| {
        let mut kiosk = kiosk();
        kiosk.tap_kept("Không hài lòng");
        kiosk.holds(40.0, 40.0, 3_250);
        kiosk.scans(&format!("HL:{}", CODES.1[0]));
        assert!(!shown(&kiosk) && kiosk.on("reasons"));
        kiosk.tap_kept("Gửi");
        kiosk.tap(HOME);

        // A visitor is asked before an official has said who they are; a technician finishes first.
        let call = || Input::Call(By::Queue, "q3".parse().unwrap());
        open(&kiosk);
        kiosk.screen.take(call());
        kiosk.kept();
        assert!(kiosk.on("invited") && !shown(&kiosk));
        kiosk.tap_kept("Không đánh giá");
        open(&kiosk);
        types(&kiosk, &CODES.1[2]);
        kiosk.screen.take(call());
        assert!(shown(&kiosk) && !kiosk.screen.busy());
        kiosk.tap("Xong");
        kiosk.kept();
        assert!(kiosk.on("invited") && !shown(&kiosk));
    });
}

#[test]
fn a_technician_tests_the_screen_exports_and_nothing_counts() {
    on_stage(|| {
        let stick = tempfile::tempdir().unwrap();
        let sticks = vec![stick.path().to_owned()];
        let equipment = Equipment { sticks, ..Equipment::default() };
        let mut kiosk = Kiosk::equipped(equipment, with_codes, 1280, 800);
        rate(&mut kiosk);
        let before = kiosk.told();
        open(&kiosk);
        types(&kiosk, &CODES.1[2]);
        assert_eq!(view(&kiosk), ui::StaffView::Maintenance);
        kiosk.tap("Thử màn hình");
        for point in 1..=9 {
            kiosk.tap(&point.to_string());
        }
        let hits = ui::Staff::get(kiosk.screen.app()).get_hits();
        assert!(slint::Model::iter(&hits).all(|hit| hit));
        kiosk.tap("Xong");
        kiosk.tap("Chép dữ liệu ra USB");
        kiosk.until(|kiosk| told(kiosk).starts_with("Đã chép"));
        assert!(stick.path().join("hailong").read_dir().unwrap().next().is_some());
        kiosk.tap("Thoát phần mềm");
        assert_eq!(view(&kiosk), ui::StaffView::Leave);
        kiosk.tap("Quay lại");
        kiosk.tap("Xong");
        assert!(!shown(&kiosk) && kiosk.on("home"));
        assert_eq!(kiosk.told(), before, "a test is no rating");

        // One that cannot be written to is told.
        let place = stick.path().to_owned();
        stick.close().unwrap();
        std::fs::write(&place, b"no folder").unwrap();
        open(&kiosk);
        types(&kiosk, &CODES.1[2]);
        kiosk.tap("Chép dữ liệu ra USB");
        kiosk.until(|kiosk| told(kiosk).starts_with("Chưa chép được"));
        std::fs::remove_file(place).unwrap();
    });
}

#[test]
fn a_kiosk_without_codes_says_so_and_takes_none() {
    on_stage(|| {
        let kiosk = Kiosk::new();
        open(&kiosk);
        assert!(told(&kiosk).starts_with("Đơn vị chưa cấp mã"));
    });
}
