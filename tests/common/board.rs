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

/// 60 ratings of two officials on 24 November, which are final since, and two things that were changed because of them; 40
/// other ratings on 8 December. It is the next morning.
pub async fn after_two_weeks() -> TestCentral {
    let central = TestCentral::start_at(at("2026-11-24 08:15")).await;
    let mut kiosks = [central.kiosk("q3").await, central.kiosk("q1").await];
    for number in 0..60 {
        let (level, reasons): (&str, &[&str]) = match number % 12 {
            0 => ("khong_hai_long", &["cho_lau", "ruom_ra"]),
            1 => ("binh_thuong", &["cho_hoi_lau"]),
            2..=6 => ("hai_long", &["huong_dan_ro"]),
            _ => ("rat_hai_long", &["niem_no", "nhanh_gon"]),
        };
        rate(&mut kiosks[usize::from(number % 3 == 0)].desk(), level, reasons);
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
    central.clock.set(at("2026-12-08 09:00"));
    for number in 0..40 {
        rate(&mut kiosks[number % 2].desk(), "rat_khong_hai_long", &["thai_do"]);
    }
    // Each tells that the day is over.
    central.clock.set(at("2026-12-09 07:00"));
    for kiosk in &mut kiosks {
        drop(kiosk.desk());
        let last = JournalReader::open(&kiosk.path()).expect("a journal").last().expect("lines");
        kiosk.sent(last).await;
    }
    central
}
