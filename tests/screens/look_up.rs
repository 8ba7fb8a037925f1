//! Procedures: looked up while nobody rates, found by a few letters, and recorded nowhere.

use hailong::domain::procedure::Procedure;
use hailong::kiosk::rest::QUIET_MS;
use hailong::kiosk::visit::TimeOuts;
use hailong::kiosk::window::ui;
use slint::{Global, Model};

use crate::stage::*;

fn kiosk() -> Kiosk {
    let posted = hailong::central::config::Config::read(&sample("central.toml")).unwrap();
    let (_, json) = posted.procedures.values().next().unwrap();
    let procedures: Vec<Procedure> = serde_json::from_slice(json).unwrap();
    Kiosk::equipped(Equipment { procedures, ..Equipment::default() }, |_| {}, 1280, 800)
}

fn found(kiosk: &Kiosk) -> Vec<String> {
    let rows = ui::Visit::get(kiosk.screen.app()).get_procedures();
    rows.iter().map(|row| row.name.to_string()).collect()
}

fn open(kiosk: &Kiosk) {
    pass(QUIET_MS + 4_000);
    kiosk.tap("Tra cứu thủ tục");
    assert!(kiosk.on("procedures"));
}

#[test]
fn a_procedure_is_found_by_a_few_letters_without_accents_and_read_in_full() {
    on_stage(|| {
        let mut kiosk = kiosk();
        let home = kiosk.picture();
        open(&kiosk);
        kiosk.picture().assert_like_reference("procedures");
        let all = found(&kiosk).len();
        for letter in "ket hon".chars() {
            let key = if letter == ' ' { "dấu cách".to_owned() } else { letter.to_string() };
            kiosk.tap(&key);
        }
        let those = found(&kiosk);
        assert!(those.len() < all && !those.is_empty());
        assert!(those.iter().all(|name| name.contains("kết hôn")), "{those:?}");
        kiosk.tap(&those[0]);
        assert!(kiosk.says("Thành phần hồ sơ") && kiosk.says(&those[0]));
        kiosk.picture().assert_like_reference("procedure");
        kiosk.tap("Quay lại");
        assert_eq!(found(&kiosk), those, "the list as it was");
        kiosk.tap("Quay lại");
        assert!(kiosk.on("home"));
        pass(1_000);
        kiosk.picture().assert_same(&home, &[], "after looking up");
        assert_eq!(kiosk.told(), [""; 0], "nothing is recorded");
        // Whoever looked up can rate, and what they typed is gone.
        kiosk.tap_kept("Hài lòng");
        kiosk.tap_kept("Gửi");
        kiosk.tap(HOME);
        open(&kiosk);
        assert_eq!(found(&kiosk).len(), all);
        assert!(ui::Visit::get(kiosk.screen.app()).get_query().is_empty());
    });
}

#[test]
fn lists_are_turned_by_touch_and_an_untouched_one_goes_home() {
    on_stage(|| {
        let kiosk = kiosk();
        open(&kiosk);
        let first = found(&kiosk)[0].clone();
        kiosk.tap("Trang sau");
        let second = found(&kiosk)[0].clone();
        assert_ne!(first, second);
        kiosk.tap("Trang trước");
        assert_eq!(found(&kiosk)[0], first);
        // Keys of a keyboard find as well.
        kiosk.types("chung thuc", 200);
        assert!(found(&kiosk).iter().any(|name| name.contains("Chứng thực")));
        pass(TimeOuts::default().later_ms + 500);
        assert!(kiosk.on("home"));
    });
}

#[test]
fn without_a_list_there_is_nothing_to_look_up() {
    on_stage(|| {
        let kiosk = Kiosk::new();
        pass(QUIET_MS + 4_000);
        assert_eq!(kiosk.areas("RestPage").len(), 1);
        assert!(!kiosk.controls().iter().any(|control| control.label == "Tra cứu thủ tục"));
    });
}
