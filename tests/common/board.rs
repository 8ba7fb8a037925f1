//! An office with something on its public board.

use hailong::domain::access::Unit;
use hailong::domain::decision::{Decision, What};
use hailong::kiosk::journal_reader::JournalReader;

use super::{TestCentral, at, rate};

/// What an office tells that it changed.
pub fn improved(change: &str, because: &str) -> Decision {
    let office = "phu-sa".parse().expect("a code");
    let what = What::Improved { office, change: change.to_owned() };
    Decision { what, person: "Lê Thị Hoa".into(), reason: because.to_owned() }
}

/// 60 ratings on 24 November, which are final since, and two things that were changed because of them; 40 other ratings on
/// 3 December, when it is now.
pub async fn after_eight_days() -> TestCentral {
    let central = TestCentral::start_at(at("2026-11-24 08:15")).await;
    let mut kiosk = central.kiosk("q3").await;
    for number in 0..60 {
        let (level, reasons): (&str, &[&str]) = match number % 12 {
            0 => ("khong_hai_long", &["cho_lau", "ruom_ra"]),
            1 => ("binh_thuong", &["cho_hoi_lau"]),
            2..=6 => ("hai_long", &["huong_dan_ro"]),
            _ => ("rat_hai_long", &["niem_no", "nhanh_gon"]),
        };
        rate(&mut kiosk.desk(), level, reasons);
    }
    central.clock.set(at("2026-12-02 09:00"));
    for (change, because) in [
        ("From 1 December another counter certifies copies in the morning.", "Many had to wait."),
        (
            "Từ ngày 02/12 có người hướng dẫn ghi tờ khai tại sảnh, cả buổi chiều.",
            "Nhiều người dân chưa rõ cách ghi tờ khai nên phải đi lại nhiều lần.",
        ),
    ] {
        central.central.decide(improved(change, because), Unit::PROVINCE).await.expect("told");
    }
    central.clock.set(at("2026-12-03 09:00"));
    for _ in 0..40 {
        rate(&mut kiosk.desk(), "rat_khong_hai_long", &["thai_do"]);
    }
    let last = JournalReader::open(&kiosk.path()).expect("a journal").last().expect("lines");
    kiosk.sent(last).await;
    central
}
