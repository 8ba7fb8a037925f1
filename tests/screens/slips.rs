//! Appointment slips: scanned, or typed.

use hailong::domain::enrolment::Enrolled;
use hailong::domain::line::By;
use hailong::kiosk::config::Calls;
use hailong::kiosk::rest::QUIET_MS;
use hailong::kiosk::visit::{Input, Page, SETTLE_MS, TimeOuts};
use hailong::kiosk::window::ui;
use slint::Global;
use slint::platform::Key;

use crate::assert_touchable;
use crate::common::at;
use crate::stage::*;

const SLIP: &str = "H15.50.05.13-261008-0975|033085001234|Nguyễn Văn An";
const BUTTON: &str = "Có giấy hẹn";
const USED: &str = "Giấy hẹn này đã được dùng để đánh giá hôm nay. Ông/bà vẫn có thể đánh giá bằng cách chạm vào khuôn mặt ở trang đầu.";

fn taking_slips(change: impl FnOnce(&mut Enrolled)) -> Kiosk {
    let calls = Calls { slips: true, ..Calls::default() };
    Kiosk::equipped(Equipment { calls, ..Equipment::default() }, change, 1280, 800)
}

#[test]
fn a_scanned_slip_invites_once_until_the_office_closes() {
    on_stage(|| {
        let mut kiosk = taking_slips(|_| {});
        kiosk.scans(SLIP);
        kiosk.kept();
        assert!(kiosk.on("invited"));
        kiosk.tap_kept("Không hài lòng");
        kiosk.tap_kept("Gửi");
        // Whoever scans now changes nothing.
        kiosk.scans(SLIP);
        assert!(kiosk.on("thanks"));
        kiosk.tap(HOME);

        kiosk.scans(SLIP);
        assert!(kiosk.on("slip") && kiosk.says(USED));
        kiosk.picture().assert_like_reference("slip-used");
        // Another one speaks all the same, from that page, too.
        kiosk.scans("H15.50.05.13-261008-0976");
        kiosk.kept();
        assert!(kiosk.on("invited"));
        kiosk.tap_kept("Không đánh giá");
        kiosk.scans("no slip at all");
        assert!(kiosk.on("slip") && !kiosk.says(USED));
        pass(TimeOuts::default().reasons_ms);
        assert!(kiosk.on("home"));

        // The next day nothing is known of it.
        kiosk.kiosk.clock.set(at("2026-11-25 08:15"));
        pass(4_000);
        kiosk.scans(SLIP);
        kiosk.kept();
        assert!(kiosk.on("invited"));
        let told = kiosk.told();
        let told: Vec<&str> = told
            .iter()
            .map(String::as_str)
            .filter(|line| !line.starts_with("shift") && !line.starts_with("clock"))
            .collect();
        assert_eq!(
            told,
            [
                "contact slip",
                "changed khong_hai_long",
                "closed sent",
                "contact slip",
                "closed declined",
                "contact slip",
            ]
        );
        for line in kiosk.lines() {
            let line = serde_json::to_string(&line).unwrap();
            assert!(!line.contains("0975") && !line.contains("033085001234"), "{line}");
        }
    });
}

#[test]
fn a_slip_is_typed_by_touch_and_by_keypad() {
    on_stage(|| {
        let mut kiosk = taking_slips(|_| {});
        kiosk.tap(BUTTON);
        assert!(kiosk.on("slip"));
        assert_touchable(&kiosk, "slip", 84.0);
        for digit in "26100809".chars() {
            kiosk.tap(&digit.to_string());
        }
        // Not enough.
        kiosk.tap("Tiếp tục");
        assert!(
            kiosk.on("slip")
                && kiosk.says("Chưa nhận được mã hồ sơ. Xin ông/bà quét lại, hoặc nhập hai dãy số cuối của mã hồ sơ.")
        );
        for digit in "26100809755".chars() {
            kiosk.tap(&digit.to_string());
        }
        kiosk.tap("Xóa");
        kiosk.picture().assert_like_reference("slip");
        kiosk.tap_kept("Tiếp tục");
        assert!(kiosk.on("invited"));
        kiosk.tap_kept("Không đánh giá");

        kiosk.tap(BUTTON);
        pass(SETTLE_MS);
        kiosk.types("26100a897", 200);
        kiosk.types(&char::from(Key::Backspace).to_string(), 200);
        kiosk.types("975", 200);
        let Page::Slip { digits, .. } = kiosk.screen.page() else { panic!("typing") };
        assert_eq!(*digits, "2610089975");
        kiosk.tap_kept("Tiếp tục");
        assert!(kiosk.on("invited"));
        kiosk.tap_kept("Không đánh giá");

        // Nothing of it is there for the next.
        kiosk.tap(BUTTON);
        let Page::Slip { digits, .. } = kiosk.screen.page() else { panic!("typing") };
        assert_eq!(*digits, "");
        kiosk.tap("Quay lại");
        assert!(kiosk.on("home"));
    });
}

#[test]
fn in_a_hall_a_slip_waits_for_who_served() {
    on_stage(|| {
        let mut kiosk = taking_slips(|enrolled| enrolled.counters = "q2,q3".parse().unwrap());
        let who = kiosk.picture();
        kiosk.scans(SLIP);
        assert!(kiosk.says("Đã đọc giấy hẹn. Cán bộ nào vừa phục vụ ông/bà?"));
        // Nobody goes on with it: it is not used, and the next visitor is nobody's.
        pass(TimeOuts::default().reasons_ms);
        kiosk.picture().assert_same(&who, &[], "after a slip");
        kiosk.scans(SLIP);
        kiosk.tap("Lê Thu Hà, Quầy 2");
        kiosk.kept();
        assert!(kiosk.on("invited") && kiosk.says("Lê Thu Hà"));
        kiosk.tap_kept("Hài lòng");
        kiosk.tap_kept("Gửi");
        kiosk.tap(HOME);
        kiosk.scans(SLIP);
        assert!(kiosk.on("slip") && kiosk.says(USED));
        assert_eq!(kiosk.told(), ["contact slip", "changed hai_long", "closed sent"]);
    });
}

#[test]
fn where_no_slips_are_taken_a_scanner_does_nothing() {
    on_stage(|| {
        let kiosk = Kiosk::new();
        let home = kiosk.picture();
        kiosk.scans(SLIP);
        assert!(kiosk.on("home") && !kiosk.screen.busy());
        pass(SETTLE_MS);
        assert_eq!(kiosk.told(), [""; 0]);
        let _ = home;
    });
}

#[test]
fn keys_reach_the_screen_after_it_rested_with_a_control_in_their_place() {
    on_stage(|| {
        let mut kiosk = taking_slips(|_| {});
        kiosk.types(&char::from(Key::RightArrow).to_string(), 200);
        pass(QUIET_MS + 4_000);
        assert_eq!(kiosk.areas("RestPage").len(), 1);
        kiosk.scans(SLIP);
        kiosk.kept();
        assert!(kiosk.on("invited"));
    });
}

#[test]
fn what_a_scanner_reads_is_typed_nowhere() {
    on_stage(|| {
        let mut kiosk = taking_slips(|_| {});
        let query = |kiosk: &Kiosk| ui::Visit::get(kiosk.screen.app()).get_query();
        kiosk.screen.take(Input::LookUp);
        pass(SETTLE_MS);
        for text in [SLIP, "HL:12345678"] {
            pass(500);
            for key in text.chars() {
                kiosk.types(&key.to_string(), 3);
                assert_eq!(query(&kiosk), "");
            }
            kiosk.types(&char::from(Key::Return).to_string(), 3);
            pass(1_000);
            assert!(kiosk.on("procedures"));
            assert_eq!(query(&kiosk), "");
        }
        kiosk.tap("Quay lại");

        // A slip that is scanned while somebody else rates has not been used.
        kiosk.tap_kept("Hài lòng");
        kiosk.scans(SLIP);
        kiosk.screen.take(Input::Call(By::Queue, "q3".parse().unwrap()));
        kiosk.tap_kept("Gửi");
        kiosk.tap(HOME);
        kiosk.kept();
        assert!(kiosk.on("invited"));
        kiosk.tap_kept("Không đánh giá");
        kiosk.scans(SLIP);
        kiosk.kept();
        assert!(kiosk.on("invited"), "not used before");
    });
}
