//! The real screens, by touch and to the pixel: window, recorder, desk and journal as in a kiosk,
//! drawn into memory by the software renderer.
//!
//! Slint belongs to one thread of a process, so every test is played on one stage, one after the
//! other. Slint's time is a mock: it passes when a test lets it. An answer of the journal reaches
//! the screen when a test lets it, so nothing here waits by the clock.
//!
//! Pictures are compared with `tests/screens/*.png`. After a wanted change of the look, set
//! `HAILONG_ACCEPT=1` to write them anew, and look at each before it is committed.

#[path = "../common/mod.rs"]
mod common;
mod look_up;
mod slips;
mod staff;
mod stage;
mod voices;

use std::sync::Arc;
use std::time::Duration;

use common::at;
use hailong::central::config::form_of;
use hailong::config::Source;
use hailong::domain::enrolment::Enrolled;
use hailong::domain::form::{Form, Reason};
use hailong::domain::line::{By, Event, Line};
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::rest::{CARD_MS, QUIET_MS};
use hailong::kiosk::visit::{BETWEEN_MS, Input, SETTLE_MS, TimeOuts};
use hailong::kiosk::window::ui;
use i_slint_backend_testing::mock_elapsed_time;
use qrcode::{Color, EcLevel, QrCode};
use slint::platform::{Key, PointerEventButton, WindowEvent};
use slint::{ComponentHandle, Global, LogicalPosition};

use stage::*;

#[test]
fn what_was_tapped_is_in_the_journal_and_each_page_follows() {
    on_stage(|| {
        let mut kiosk = Kiosk::new();
        assert!(kiosk.on("home"));
        assert!(kiosk.says("Nguyễn Thị Thanh Lan") && kiosk.says("08:15"));
        kiosk.tap("Không hài lòng");
        assert!(kiosk.on("home"), "nothing is promised before the disk has it");
        kiosk.kept();
        assert!(kiosk.on("reasons"));
        kiosk.tap("Phải chờ lâu");
        kiosk.tap("Thái độ chưa đúng mực");
        assert_eq!(kiosk.ticked(), ["Thái độ chưa đúng mực", "Phải chờ lâu"]);
        kiosk.tap("Trả kết quả trễ hẹn");
        kiosk.tap("Trả kết quả trễ hẹn");
        kiosk.tap("Gửi");
        assert!(kiosk.on("reasons"), "no thanks before the disk has it");
        kiosk.kept();
        assert!(kiosk.on("thanks"));
        assert!(kiosk.says("Xin cảm ơn ông/bà!"));
        kiosk.tap(HOME);
        assert!(kiosk.on("home"));

        kiosk.tap_kept("Rất hài lòng");
        kiosk.tap("Niềm nở, lịch sự");
        kiosk.tap_kept("Hài lòng");
        assert_eq!(kiosk.ticked(), ["Niềm nở, lịch sự"]);
        kiosk.tap_kept("Rất không hài lòng");
        assert_eq!(kiosk.ticked(), [""; 0], "other reasons, none ticked");
        kiosk.tap("Phải chờ lâu");
        kiosk.tap_kept("Bỏ qua");
        assert!(kiosk.on("thanks"));
        kiosk.tap(HOME);

        kiosk.tap_kept(LATER);
        assert!(kiosk.on("later"));
        kiosk.tap_kept(HOME);
        assert!(kiosk.on("home"));

        assert_eq!(
            kiosk.told(),
            [
                "contact touch khong_hai_long",
                "closed sent thai_do cho_lau",
                "contact touch rat_hai_long",
                "changed hai_long",
                "changed rat_khong_hai_long",
                "closed skipped",
                "contact later",
                "closed left",
            ]
        );
    });
}

#[test]
fn whoever_is_called_is_asked_warmly_and_may_decline() {
    on_stage(|| {
        let mut kiosk = Kiosk::new();
        let call = |kiosk: &mut Kiosk, by| {
            kiosk.screen.take(Input::Call(by, "q3".parse().unwrap()));
            kiosk.kept();
            assert!(kiosk.on("invited"));
        };
        call(&mut kiosk, By::Invitation);
        assert!(kiosk.says("Kính mời ông/bà đánh giá lượt phục vụ vừa rồi"));
        assert!(kiosk.says("Nguyễn Thị Thanh Lan"));
        kiosk.picture().assert_like_reference("invited");
        let (face, decline) = (kiosk.areas("LevelCard")[0], kiosk.control("Không đánh giá"));
        assert!(decline.width * decline.height >= face.width * face.height);
        kiosk.tap_kept("Không đánh giá");
        assert!(kiosk.on("home"));

        call(&mut kiosk, By::Queue);
        kiosk.tap_kept("Bình thường");
        assert!(kiosk.on("reasons"));
        kiosk.tap_kept("Gửi");
        assert!(kiosk.on("thanks"));
        kiosk.tap(HOME);

        call(&mut kiosk, By::Slip);
        pass(TimeOuts::default().invited_ms);
        kiosk.kept();
        assert!(kiosk.on("home"));
        assert_eq!(
            kiosk.told(),
            [
                "contact invitation",
                "closed declined",
                "contact queue",
                "changed binh_thuong",
                "closed sent",
                "contact slip",
                "closed timed_out",
            ]
        );
    });
}

#[test]
fn keys_alone_lead_through_every_page() {
    on_stage(|| {
        let mut kiosk = Kiosk::new();
        let press = |kiosk: &Kiosk, key: Key, times: usize| {
            for _ in 0..times {
                let text = slint::SharedString::from(key);
                let window = kiosk.screen.app().window();
                window.dispatch_event(WindowEvent::KeyPressed { text: text.clone() });
                window.dispatch_event(WindowEvent::KeyReleased { text });
                mock_elapsed_time(Duration::from_millis(1));
            }
        };
        let untouched = kiosk.picture();
        press(&kiosk, Key::RightArrow, 2);
        assert!(
            !kiosk.picture().differences(&untouched, &[]).is_empty(),
            "it shows where keys are"
        );
        kiosk.picture().assert_like_reference("home-keys");
        press(&kiosk, Key::LeftArrow, 1);
        press(&kiosk, Key::DownArrow, 2);
        pass(SETTLE_MS);
        press(&kiosk, Key::Return, 1);
        kiosk.kept();
        assert!(kiosk.on("reasons"));
        assert_eq!(kiosk.told(), ["contact touch binh_thuong"], "the third face");
        // Five faces, six reasons, two wishes, skip, send.
        pass(SETTLE_MS);
        press(&kiosk, Key::RightArrow, 6);
        press(&kiosk, Key::Return, 1);
        assert_eq!(kiosk.ticked(), ["Chưa niềm nở"]);
        press(&kiosk, Key::DownArrow, 9);
        press(&kiosk, Key::Return, 1);
        kiosk.kept();
        assert!(kiosk.on("thanks"));
        pass(SETTLE_MS);
        press(&kiosk, Key::DownArrow, 2);
        press(&kiosk, Key::Return, 1);
        assert!(!ui::Visit::get(kiosk.screen.app()).get_code().is_empty());
        kiosk.tap(HOME);
        assert!(kiosk.on("home"));
        assert_eq!(kiosk.picture().differences(&untouched, &[]), [], "a finger needs no mark");

        press(&kiosk, Key::F9, 1);
        kiosk.kept();
        assert!(kiosk.on("invited"));
        assert_eq!(kiosk.told()[2..], ["contact invitation"]);
        // Faces, then “Không đánh giá”.
        pass(SETTLE_MS);
        press(&kiosk, Key::RightArrow, 6);
        press(&kiosk, Key::Return, 1);
        kiosk.kept();
        assert_eq!(kiosk.told()[3..], ["closed declined"]);
    });
}

#[test]
fn another_configuration_waits_for_the_end_of_the_visit() {
    on_stage(|| {
        let mut kiosk = Kiosk::new();
        let other = |change: &dyn Fn(&mut Enrolled)| {
            let mut now = kiosk.in_force.borrow().clone();
            let mut enrolled = (*now.enrolled).clone();
            change(&mut enrolled);
            now.enrolled = Arc::new(enrolled);
            now
        };
        let three_levels =
            form_of(&Source::read(&sample("forms/ba-muc.toml")).unwrap(), &[]).unwrap();
        let another = other(&|enrolled| {
            enrolled.directory.office.name =
                "Trung tâm Phục vụ hành chính công xã Phù Sa Mới".into();
            enrolled.directory.office.form = "ba-muc".into();
            enrolled.forms = vec![three_levels.clone()];
        });
        let none = other(&|enrolled| enrolled.forms.clear());
        kiosk.tap_kept("Hài lòng");
        kiosk.in_force.send_replace(another);
        pass(5_000);
        assert!(kiosk.says("Trung tâm Phục vụ hành chính công xã Phù Sa"));
        assert!(kiosk.says("Bình thường"), "the form that was answered");
        kiosk.tap("Niềm nở, lịch sự");
        kiosk.tap_kept("Gửi");
        assert!(kiosk.on("thanks"));
        assert!(kiosk.says("Trung tâm Phục vụ hành chính công xã Phù Sa"));
        kiosk.tap(HOME);
        pass(5_000);
        assert!(kiosk.says("Trung tâm Phục vụ hành chính công xã Phù Sa Mới"));
        assert!(!kiosk.says("Bình thường"));
        kiosk.tap_kept("Hài lòng");
        kiosk.tap_kept("Gửi");
        kiosk.tap(HOME);

        // One that shows nothing leaves what is there.
        kiosk.in_force.send_replace(none);
        pass(5_000);
        kiosk.tap_kept("Không hài lòng");
        let forms: Vec<String> = kiosk
            .lines()
            .iter()
            .filter(|line| line.event == Event::Contact)
            .map(|line| line.form.as_ref().unwrap().to_string())
            .collect();
        assert_eq!(forms, ["nam-muc@2", "ba-muc@1", "ba-muc@1"]);
        let told = kiosk.told();
        let config = told.iter().position(|line| line == "config").expect("it is noted");
        assert_eq!(config, 2, "between the visits: {told:?}");
    });
}

/// The contrast of two colours, 1 to 21, as WCAG 2.2 computes it.
fn contrast(a: slint::Color, b: slint::Color) -> f64 {
    let light = |colour: slint::Color| {
        let part = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(colour.red()) + 0.7152 * part(colour.green()) + 0.0722 * part(colour.blue())
    };
    let (a, b) = (light(a), light(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn every_theme_has_enough_contrast() {
    on_stage(|| {
        let kiosk = Kiosk::new();
        assert_eq!(
            contrast(slint::Color::from_rgb_u8(0, 0, 0), slint::Color::from_rgb_u8(255, 255, 255)),
            21.0
        );
        for (strong, text, line) in [(false, 4.5, 3.0), (true, 7.0, 4.5)] {
            let theme = ui::Theme::get(kiosk.screen.app());
            theme.set_contrast(strong);
            let ink = theme.get_ink();
            let mut pairs = vec![
                ("on-teal on teal", theme.get_on_teal(), theme.get_teal(), text),
                ("on-teal pressed", theme.get_on_teal(), theme.get_teal_pressed(), text),
                ("on-teal-soft on teal", theme.get_on_teal_soft(), theme.get_teal(), text),
                ("on-teal on ink", theme.get_on_teal(), ink, text),
                ("bar on track", theme.get_teal(), theme.get_track(), line),
            ];
            let grounds = [
                ("paper", theme.get_paper()),
                ("card", theme.get_card()),
                ("tint", theme.get_tint()),
                ("tint-strong", theme.get_tint_strong()),
            ];
            for (name, ground) in grounds {
                pairs.push((name, ink, ground, text));
                pairs.push((name, theme.get_soft(), ground, text));
                pairs.push((name, theme.get_teal(), ground, text));
            }
            for (name, ground) in &grounds[..2] {
                pairs.push((name, theme.get_edge(), *ground, line));
            }
            for face in 1..=5 {
                pairs.push(("a face", ink, theme.invoke_face_colour(face), text));
            }
            for (name, a, b, least) in pairs {
                let found = contrast(a, b);
                assert!(found >= least, "{name}, strong {strong}: {found:.2} < {least}");
            }
        }
    });
}

#[test]
fn a_mode_is_one_tap_from_home_and_gone_after_the_visit() {
    on_stage(|| {
        for (label, name) in [("Chữ lớn", "large"), ("Tương phản", "contrast"), ("Xe lăn", "low")]
        {
            let mut kiosk = Kiosk::new();
            let home = kiosk.picture();
            kiosk.tap(label);
            kiosk.picture().assert_like_reference(&format!("home-{name}"));
            let on = |kiosk: &Kiosk| {
                kiosk.controls().iter().any(|control| control.label == label && control.checked)
            };
            assert!(on(&kiosk));
            kiosk.tap(label);
            assert!(!on(&kiosk));
            assert_eq!(kiosk.picture().differences(&home, &[]), [], "one tap back");

            kiosk.tap(label);
            kiosk.tap_kept("Bình thường");
            kiosk.picture().assert_like_reference(&format!("reasons-{name}"));
            kiosk.tap_kept("Gửi");
            assert!(kiosk.on("thanks"));
            kiosk.tap(HOME);
            assert_eq!(kiosk.picture().differences(&home, &[]), [], "the next visitor's own");
            kiosk.tap(label);
            pass(TimeOuts::default().reasons_ms + 250);
            assert_eq!(kiosk.picture().differences(&home, &[]), [], "and whoever goes away");
            assert_eq!(kiosk.told(), ["contact touch binh_thuong", "closed sent"]);
        }
    });
}

#[test]
fn words_are_typed_in_telex_or_key_by_key_sealed_and_leave_nothing_behind() {
    on_stage(|| {
        let mut kiosk = Kiosk::new();
        let home = kiosk.picture();
        let press = |kiosk: &Kiosk, label: &str| {
            let (x, y) = kiosk.control(label).middle();
            kiosk.touch(x, y);
        };
        let write = |kiosk: &Kiosk, keys: &str| {
            for key in keys.chars() {
                let label = if key == ' ' { "dấu cách".to_owned() } else { key.to_string() };
                press(kiosk, &label);
            }
        };
        kiosk.tap_kept("Không hài lòng");
        kiosk.tap("Góp ý thêm (xin không ghi họ tên)");
        kiosk.tap("Gửi");
        assert!(kiosk.on("words"), "nothing is to be kept yet");
        pass(SETTLE_MS);
        press(&kiosk, "HOA");
        write(&kiosk, "D");
        write(&kiosk, "dangs");
        press(&kiosk, "Xóa");
        write(&kiosk, "g phair chowf ");
        press(&kiosk, "123");
        write(&kiosk, "0912345678");
        kiosk.picture().assert_like_reference("words");
        assert!(kiosk.says("Đáng phải chờ 0912345678"));
        kiosk.tap_kept("Gửi");
        assert!(kiosk.on("thanks"));
        kiosk.tap(HOME);
        assert_eq!(kiosk.picture().differences(&home, &[]), []);
        assert_eq!(ui::Visit::get(kiosk.screen.app()).get_written(), "");

        // Who cannot type Telex has a key for each.
        kiosk.tap_kept("Rất hài lòng");
        kiosk.tap("Phản ánh vi phạm");
        kiosk.tap("Gửi");
        pass(SETTLE_MS);
        write(&kiosk, "đôiạ");
        assert!(kiosk.says("đội"), "the key of a tone is Telex's letter for it");
        pass(TimeOuts::default().later_ms);
        kiosk.kept();
        assert!(kiosk.on("home"), "unfinished words are dropped");

        kiosk.tap_kept("Rất hài lòng");
        kiosk.tap("Phản ánh vi phạm");
        kiosk.tap("Gửi");
        kiosk.tap_kept("Viết bằng điện thoại");
        assert!(kiosk.on("thanks"));
        assert_eq!(
            kiosk.told(),
            [
                "contact touch khong_hai_long",
                "closed sent gop_y Đáng phải chờ ••••••••••",
                "contact touch rat_hai_long",
                "closed timed_out phan_anh",
                "contact touch rat_hai_long",
                "closed sent phan_anh",
            ]
        );
    });
}

#[test]
fn a_screen_that_nobody_touches_rests_and_a_touch_leads_back_and_does_no_more() {
    on_stage(|| {
        let mut kiosk = Kiosk::new();
        let home = kiosk.picture();
        let rests = |kiosk: &Kiosk| kiosk.areas("RestPage").len() == 1;
        // Right upon a face.
        let (x, y) = kiosk.areas("LevelCard")[0].middle();
        let wake = |kiosk: &Kiosk| {
            kiosk.touch(x, y);
            assert!(kiosk.on("home") && !kiosk.screen.busy() && !rests(kiosk));
        };
        pass(QUIET_MS - 2_250);
        assert!(!rests(&kiosk));
        pass(4_000);
        assert!(rests(&kiosk) && kiosk.says("Mời ông/bà đánh giá"));
        let still = kiosk.picture();
        pass(CARD_MS / 2);
        assert_eq!(kiosk.picture().differences(&still, &[]), [], "nothing moves");
        pass(CARD_MS);
        assert!(kiosk.says("4 xin") && kiosk.says("xin chào · xin lỗi · xin cảm ơn · xin phép"));
        kiosk.picture().assert_like_reference("rest");
        wake(&kiosk);
        assert_eq!(kiosk.picture().differences(&home, &[]), []);
        kiosk.tap_kept("Hài lòng");
        assert!(kiosk.on("reasons"), "the next touch rates");
        kiosk.tap_kept("Gửi");
        kiosk.tap(HOME);

        // Out of hours it says so, and whoever comes can rate all the same.
        kiosk.kiosk.clock.set(at("2026-11-24 19:00"));
        pass(QUIET_MS + 4_000);
        assert!(rests(&kiosk) && kiosk.says("Ngoài giờ làm việc"));
        assert!(kiosk.says("Mở cửa lại lúc 7:30, ngày 25/11/2026"));
        wake(&kiosk);
        kiosk.tap_kept("Hài lòng");
        kiosk.tap_kept("Gửi");
        kiosk.tap(HOME);

        // Whoever is called is asked, resting or not.
        kiosk.kiosk.clock.set(at("2026-11-25 08:15"));
        pass(QUIET_MS + 4_000);
        assert!(rests(&kiosk));
        kiosk.screen.take(Input::Call(By::Queue, "q3".parse().unwrap()));
        kiosk.kept();
        assert!(kiosk.on("invited") && !rests(&kiosk));
    });
}

#[test]
fn each_face_stands_for_its_own_level() {
    on_stage(|| {
        let mut kiosk = Kiosk::new();
        let codes: Vec<String> =
            kiosk.central.form().levels.iter().map(|level| level.code.clone()).collect();
        let mut expected = Vec::new();
        for (label, code) in LEVELS.iter().zip(codes) {
            kiosk.tap_kept(label);
            kiosk.tap_kept("Gửi");
            kiosk.tap(HOME);
            expected.extend([format!("contact touch {code}"), "closed sent".into()]);
        }
        assert_eq!(kiosk.told(), expected);
    });
}

#[test]
fn the_cards_of_the_levels_are_exactly_alike() {
    on_stage(|| {
        let kiosk = Kiosk::new();
        let cards = kiosk.areas("LevelCard");
        let faces = kiosk.areas("Face");
        assert_eq!((cards.len(), faces.len()), (5, 5));
        for (card, face) in cards.iter().zip(&faces) {
            assert_eq!(card.size(), cards[0].size());
            assert_eq!(card.y, cards[0].y);
            assert_eq!(face.size(), faces[0].size());
            assert_eq!((face.x - card.x, face.y), (faces[0].x - cards[0].x, faces[0].y));
        }
        let steps: Vec<f32> = cards.windows(2).map(|pair| pair[1].x - pair[0].x).collect();
        assert!(steps.iter().all(|step| (step - steps[0]).abs() <= 1.0), "{steps:?}");
        // All but face and words is the same to the pixel.
        let picture = kiosk.picture();
        let (width, height) = (cards[0].width as usize, cards[0].height as usize);
        let frame = |card: &Area| -> Vec<[u8; 3]> {
            let (left, top) = (card.x as usize, card.y as usize);
            let outside =
                |x: usize, y: usize| x < 10 || x >= width - 10 || y < 10 || y >= height - 10;
            let all = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
            all.filter(|&(x, y)| outside(x, y))
                .map(|(x, y)| picture.at(left + x, top + y))
                .collect()
        };
        assert!(cards.iter().all(|card| frame(card) == frame(&cards[0])));
        // The faces carry equal ink: an outline, eyes, a mouth, brows on two.
        let ink = |face: &Area| {
            let area = Area { x: face.x.round(), y: face.y.round(), ..*face };
            let points = (0..area.height as usize)
                .flat_map(|y| (0..area.width as usize).map(move |x| (x, y)));
            points
                .filter(|(x, y)| {
                    let [r, g, b] = picture.at(area.x as usize + x, area.y as usize + y);
                    u32::from(r) + u32::from(g) + u32::from(b) < 0x17 + 0x34 + 0x3a + 60
                })
                .count() as f32
        };
        let inks: Vec<f32> = faces.iter().map(ink).collect();
        let (least, most) = (
            inks.iter().copied().fold(f32::MAX, f32::min),
            inks.iter().copied().fold(0.0, f32::max),
        );
        assert!(most / least < 1.45, "{inks:?}");
    });
}

#[test]
fn thanks_is_the_same_to_the_pixel_for_every_level_apart_from_the_code() {
    on_stage(|| {
        let mut kiosk = Kiosk::new();
        let mut first: Option<(Picture, String)> = None;
        for (level, label) in LEVELS.iter().enumerate() {
            for button in ["Gửi", "Bỏ qua"] {
                kiosk.tap_kept(label);
                if level % 2 == 0 {
                    let reason = kiosk.toggles()[0].label.clone();
                    kiosk.tap(&reason);
                }
                kiosk.tap_kept(button);
                assert!(kiosk.on("thanks"));
                pass(1_000);
                let (picture, ticket) = (kiosk.picture(), kiosk.ticket());
                let code = kiosk.area("QrCode");
                match &first {
                    Some((same, other)) => {
                        assert_ne!(ticket, *other);
                        picture.assert_same(same, &[code], label);
                        assert_ne!(picture.differences(same, &[]), [], "another code");
                    }
                    None => first = Some((picture, ticket)),
                }
                kiosk.tap(HOME);
            }
        }
    });
}

#[test]
fn among_the_reasons_nothing_but_ring_and_reasons_tells_the_level() {
    on_stage(|| {
        let mut kiosk = Kiosk::new();
        let mut pictures = Vec::new();
        for (level, label) in LEVELS.iter().enumerate() {
            kiosk.tap_kept(label);
            assert!(kiosk.says("Đã ghi nhận. Xin ông/bà cho biết thêm lý do"));
            let rings: Vec<bool> = kiosk
                .controls()
                .iter()
                .filter(|control| LEVELS.contains(&control.label.as_str()))
                .map(|control| control.checked)
                .collect();
            assert_eq!(rings, (0..5).map(|place| place == level).collect::<Vec<_>>());
            let (picks, toggles) = (kiosk.areas("FacePick"), kiosk.areas("ReasonToggle"));
            assert_eq!((picks.len(), toggles.len()), (5, 8));
            pictures.push((kiosk.picture(), picks, toggles));
            kiosk.tap_kept("Bỏ qua");
            kiosk.tap(HOME);
        }
        let (first, picks, toggles) = &pictures[0];
        for (level, (picture, own_picks, own_toggles)) in pictures.iter().enumerate().skip(1) {
            assert_eq!((own_picks, own_toggles), (picks, toggles), "everything is in its place");
            let what = LEVELS[level];
            let rings = [picks[0], picks[level]];
            picture.assert_same(first, &[&rings[..], toggles].concat(), what);
            // The ring is of one kind, and thin.
            let ring = picture.differences(first, toggles).len();
            assert!((500..5_000).contains(&ring), "{what}: {ring}");
        }
        // Levels that ask for the same reasons differ by the ring alone.
        for pair in [[0, 1], [3, 4]] {
            let but = [picks[pair[0]], picks[pair[1]]];
            pictures[pair[0]].0.assert_same(&pictures[pair[1]].0, &but, LEVELS[pair[1]]);
        }
    });
}

#[test]
fn skipping_is_exactly_as_large_as_sending() {
    on_stage(|| {
        let mut kiosk = Kiosk::new();
        kiosk.tap_kept("Bình thường");
        let (skip, send) = (kiosk.control("Bỏ qua"), kiosk.control("Gửi"));
        assert_eq!(skip.size(), send.size());
        assert_eq!(skip.y, send.y);
    });
}

/// What a finger may press on the page: each says what it is, is at least `high`, and stands 16
/// pixels apart, both on a panel of 1280 × 800, or 800 × 1280 upright, and in proportion on others.
#[track_caller]
fn assert_touchable(kiosk: &Kiosk, page: &str, high: f32) {
    assert!(kiosk.on(page));
    let window = kiosk.screen.app().window().size();
    let window = Area { x: 0.0, y: 0.0, width: window.width as f32, height: window.height as f32 };
    let controls = kiosk.controls();
    for control in &controls {
        assert_ne!(control.label.trim(), "", "on {page}: {control:?}");
        assert!(window.holds_all_of(control.area), "on {page}: {control:?}");
        assert_eq!(control.enabled, Some(true));
    }
    let (wide, tall) = if window.height > window.width { (800.0, 1280.0) } else { (1280.0, 800.0) };
    let scale = (window.width / wide).min(window.height / tall);
    let (high, apart) = (high * scale, (16.0 * scale.min(1.0)).floor());
    // Every touch area but the ground, and the corner that visitors find nothing at, is part of a control.
    let touches = kiosk.areas("TouchArea");
    let ground = kiosk.area("AppWindow::base");
    assert_eq!(ground, window);
    let corner = kiosk.area("AppWindow::corner");
    let touches: Vec<Area> = touches.into_iter().skip(1).filter(|touch| *touch != corner).collect();
    let languages: Vec<Area> = touches
        .iter()
        .filter(|touch| kiosk.areas("LanguageSwitch")[0].holds_all_of(**touch))
        .copied()
        .collect();
    assert_eq!(languages.len(), 2);
    assert_eq!(touches.len(), controls.len(), "on {page}");
    let names = ["Ai quản lý thông tin này?", "Chữ lớn", "Tương phản", "Xe lăn"];
    let named = controls.iter().filter(|control| names.contains(&control.label.as_str()));
    let secondary: Vec<Area> = named.map(|control| control.area).collect();
    for touch in &touches {
        assert!(
            controls.iter().any(|control| control.area.holds_all_of(*touch)),
            "on {page}: {touch:?} belongs to no control"
        );
        // The choice of language is a secondary control, whose parts share one pill; so are the modes
        // and the way to the notice.
        let language = languages.contains(touch);
        let secondary = language || secondary.iter().any(|area| area.holds_all_of(*touch));
        let high = if secondary { 64_f32.min(high) } else { high };
        assert!(touch.height >= high && touch.width >= high, "on {page}: {touch:?}");
        let others = touches.iter().filter(|other| *other != touch);
        // On thanks the whole page leads home, right up to the header.
        let switch = |area: &Area| languages.contains(area);
        let page_wide = |area: &Area| area.width == window.width;
        let joined = |other: &&Area| {
            // The button for the check code lies upon it.
            let upon = page_wide(touch) && touch.holds_all_of(**other)
                || page_wide(other) && other.holds_all_of(*touch);
            switch(other) && (language || page_wide(touch)) || language && page_wide(other) || upon
        };
        for other in others.filter(|other| !joined(other)) {
            // Positions are fractions of a pixel now and then.
            assert!(touch.apart(*other) >= apart - 0.01, "on {page}: {touch:?} beside {other:?}");
        }
    }
}

#[test]
fn whatever_a_finger_may_press_says_what_it_is_and_is_large_enough() {
    on_stage(|| {
        // The smallest panel comes last.
        for (width, height, face) in
            [(1280, 800, 140.0), (1920, 1080, 189.0), (1080, 1920, 140.0), (1024, 600, 112.0)]
        {
            let touch = 84.0;
            let mut kiosk = Kiosk::with(|_| {}, width, height);
            assert_touchable(&kiosk, "home", touch);
            let faces = kiosk.areas("Face");
            assert!(faces.iter().all(|area| area.width >= face && area.height >= face));
            kiosk.tap_kept("Hài lòng");
            assert_touchable(&kiosk, "reasons", touch);
            kiosk.tap_kept("Gửi");
            assert_touchable(&kiosk, "thanks", touch);
            kiosk.tap(HOME);
            kiosk.tap_kept(LATER);
            assert_touchable(&kiosk, "later", touch);
            kiosk.tap_kept(HOME);
            kiosk.disk_refuses(true);
            kiosk.tap("Hài lòng");
            kiosk.refused();
            assert_touchable(&kiosk, "not-kept", touch);
        }
    });
}

#[test]
fn two_taps_on_a_face_make_one_contact_and_tick_nothing() {
    on_stage(|| {
        let mut kiosk = Kiosk::new();
        for label in LEVELS {
            pass(BETWEEN_MS);
            let before = kiosk.told().len();
            let (x, y) = kiosk.control(label).middle();
            kiosk.touch(x, y);
            kiosk.touch(x, y);
            assert!(kiosk.on("home"));
            kiosk.kept();
            for _ in 0..2 {
                kiosk.touch(x, y);
                assert!(kiosk.on("reasons") && !kiosk.screen.busy());
                assert_eq!(kiosk.ticked(), [""; 0]);
                pass(100);
            }
            assert_eq!(kiosk.told().len(), before + 1);
            kiosk.tap_kept("Gửi");
            kiosk.tap(HOME);
        }
        assert_eq!(kiosk.told().len(), 10);
    });
}

#[test]
fn two_taps_on_send_do_not_take_the_thanks_away() {
    on_stage(|| {
        let mut kiosk = Kiosk::new();
        kiosk.tap_kept("Hài lòng");
        pass(SETTLE_MS);
        let (x, y) = kiosk.control("Gửi").middle();
        kiosk.touch(x, y);
        kiosk.touch(x, y);
        kiosk.kept();
        kiosk.touch(x, y);
        pass(100);
        kiosk.touch(x, y);
        assert!(kiosk.on("thanks"));
        pass(SETTLE_MS);
        kiosk.touch(x, y);
        assert!(kiosk.on("home"), "a touch anywhere leads home, once the page was seen");
        assert_eq!(kiosk.told(), ["contact touch hai_long", "closed sent"]);
    });
}

#[test]
fn a_finger_that_was_down_before_thanks_came_does_not_take_it_away() {
    on_stage(|| {
        let mut kiosk = Kiosk::new();
        kiosk.tap_kept("Hài lòng");
        kiosk.tap("Gửi");
        let position = LogicalPosition::new(640.0, 760.0);
        let button = PointerEventButton::Left;
        let window = kiosk.screen.app().clone_strong();
        window.window().dispatch_event(WindowEvent::PointerPressed { position, button });
        kiosk.kept();
        pass(2_000);
        window.window().dispatch_event(WindowEvent::PointerReleased { position, button });
        mock_elapsed_time(Duration::ZERO);
        assert!(kiosk.on("thanks"));
    });
}

#[test]
fn nothing_reacts_while_the_disk_writes() {
    on_stage(|| {
        let mut kiosk = Kiosk::new();
        kiosk.tap("Rất hài lòng");
        assert!(kiosk.controls().iter().all(|control| control.enabled == Some(false)));
        for label in ["Rất không hài lòng", LATER, "Bình thường"] {
            kiosk.tap(label);
        }
        pass(120_000);
        assert!(kiosk.on("home"));
        kiosk.kept();
        assert!(kiosk.on("reasons"));
        kiosk.tap("Gửi");
        for label in ["Giúp đỡ tận tình", "Bỏ qua", "Gửi", "Hài lòng"] {
            kiosk.tap(label);
        }
        pass(120_000);
        assert!(kiosk.on("reasons"));
        kiosk.kept();
        assert!(kiosk.on("thanks"));
        assert_eq!(kiosk.told(), ["contact touch rat_hai_long", "closed sent"]);
    });
}

#[test]
fn an_untouched_screen_goes_home_and_keeps_what_was_given() {
    on_stage(|| {
        let mut kiosk = Kiosk::new();
        kiosk.tap_kept("Rất không hài lòng");
        kiosk.tap("Hướng dẫn chưa rõ ràng");
        pass(29_000);
        assert!(kiosk.on("reasons") && !kiosk.screen.busy());
        // A touch on the bare ground gives more time.
        kiosk.touch(640.0, 5.0);
        pass(29_000);
        assert!(kiosk.on("reasons") && !kiosk.screen.busy());
        pass(1_250);
        kiosk.kept();
        assert!(kiosk.on("home"), "nobody is there to be thanked");

        kiosk.tap_kept("Hài lòng");
        kiosk.tap_kept("Gửi");
        pass(19_500);
        assert!(kiosk.on("thanks"));
        pass(750);
        assert!(kiosk.on("home"));

        kiosk.tap_kept(LATER);
        pass(59_500);
        assert!(kiosk.on("later") && !kiosk.screen.busy());
        pass(750);
        kiosk.kept();
        assert!(kiosk.on("home"));
        assert_eq!(
            kiosk.told(),
            [
                "contact touch rat_khong_hai_long",
                "closed timed_out chua_ro",
                "contact touch hai_long",
                "closed sent",
                "contact later",
                "closed timed_out",
            ]
        );
    });
}

#[test]
fn what_the_disk_refuses_is_apologised_for_and_the_kiosk_goes_on() {
    on_stage(|| {
        let mut kiosk = Kiosk::new();
        let home = kiosk.picture();
        kiosk.disk_refuses(true);
        kiosk.tap("Rất hài lòng");
        kiosk.refused();
        assert!(kiosk.on("not-kept"));
        assert!(!kiosk.says("Xin cảm ơn ông/bà!"));
        assert_eq!(kiosk.told(), [""; 0]);
        kiosk.tap(HOME);
        assert!(kiosk.on("home"));
        kiosk.picture().assert_same(&home, &[], "home after a refusal");
        kiosk.tap("Hài lòng");
        kiosk.refused();
        pass(14_500);
        assert!(kiosk.on("not-kept"));
        pass(750);
        assert!(kiosk.on("home"), "the apology ends by itself");

        kiosk.disk_refuses(false);
        kiosk.tap_kept("Không hài lòng");
        kiosk.disk_refuses(true);
        kiosk.tap("Phải chờ lâu");
        kiosk.tap("Gửi");
        kiosk.refused();
        assert!(kiosk.on("not-kept"));
        kiosk.disk_refuses(false);
        kiosk.tap(HOME);
        kiosk.tap_kept("Hài lòng");
        assert_eq!(kiosk.ticked(), [""; 0]);
        kiosk.tap_kept("Gửi");
        let told = kiosk.told();
        assert_eq!(
            told,
            [
                "started",
                "shift",
                "contact touch khong_hai_long",
                "started",
                "shift",
                "contact touch hai_long",
                "closed sent",
            ],
            "the level given before the disk refused is kept"
        );
    });
}

#[test]
fn nothing_of_one_visitor_reaches_the_next() {
    on_stage(|| {
        let mut kiosk = Kiosk::new();
        pass(SETTLE_MS);
        let home = kiosk.picture();
        let mut tickets = std::collections::BTreeSet::new();
        let mut visit = |kiosk: &mut Kiosk, level: &str, end: &str| {
            kiosk.tap_kept(level);
            if level == LATER {
                assert!(tickets.insert(kiosk.ticket()));
                kiosk.tap_kept(HOME);
                return;
            }
            assert_eq!(kiosk.ticked(), [""; 0]);
            assert!(tickets.insert(kiosk.ticket()));
            let fresh = kiosk.picture();
            for reason in kiosk.toggles() {
                kiosk.tap(&reason.label);
            }
            assert_eq!(kiosk.ticked().len(), 8);
            assert_ne!(kiosk.picture().differences(&fresh, &[]), []);
            if end.is_empty() {
                pass(30_250);
                kiosk.kept();
                return;
            }
            // Somebody's words, too, if a wish to write is ticked.
            if end == "Gửi" {
                kiosk.tap("Gửi");
                for key in ["o", "k"] {
                    kiosk.tap(key);
                }
            }
            kiosk.tap_kept(end);
            assert!(tickets.contains(&kiosk.ticket()));
            kiosk.tap(HOME);
        };
        let ends = ["Gửi", "Bỏ qua", ""];
        for (place, level) in LEVELS.iter().chain([&LATER]).enumerate() {
            visit(&mut kiosk, level, ends[place % 3]);
            assert!(kiosk.on("home"));
            pass(SETTLE_MS);
            kiosk.picture().assert_same(&home, &[], &format!("home after {level}"));
            let shown = ui::Visit::get(kiosk.screen.app());
            assert_eq!(shown.get_qr().size().width, 0, "no code is left");
            assert_eq!(slint::Model::row_count(&shown.get_reasons()), 0);
            assert_eq!((shown.get_chosen(), shown.get_trouble().as_str()), (-1, ""));
            assert_eq!(shown.get_written(), "");
        }
        assert_eq!(tickets.len(), 6);
    });
}

#[test]
fn whoever_is_on_shift_is_named_but_never_changed_under_a_visitors_hands() {
    on_stage(|| {
        let mut kiosk = Kiosk::new();
        assert!(kiosk.says("Nguyễn Thị Thanh Lan"));
        kiosk.tap_kept("Hài lòng");
        kiosk.kiosk.clock.set(at("2026-11-24 17:01"));
        pass(1_000);
        assert!(kiosk.on("reasons") && kiosk.says("17:01"));
        kiosk.tap_kept("Gửi");
        kiosk.tap(HOME);
        pass(500);
        assert!(kiosk.on("home") && !kiosk.says("Nguyễn Thị Thanh Lan"));
        assert_eq!(kiosk.areas("OfficialCard").len(), 0);
        kiosk.tap_kept("Hài lòng");
        let journal = JournalReader::open(&kiosk.kiosk.path()).unwrap();
        let lines = journal.lines(1, journal.last().unwrap()).unwrap();
        let officials: Vec<Option<String>> = lines
            .iter()
            .map(|bytes| serde_json::from_slice::<Line>(bytes).unwrap())
            .filter(|line| line.event == Event::Contact)
            .map(|line| line.official.map(|official| official.to_string()))
            .collect();
        assert_eq!(officials, [Some("cb07".into()), None]);
    });
}

#[test]
fn the_pages_look_as_they_were_accepted() {
    on_stage(|| {
        let mut kiosk = Kiosk::new();
        kiosk.picture().assert_like_reference("home");
        kiosk.tap_kept("Không hài lòng");
        kiosk.picture().assert_like_reference("reasons");
        kiosk.tap("Hướng dẫn chưa rõ ràng");
        kiosk.tap("Phải đi lại nhiều lần");
        pass(9_000);
        kiosk.picture().assert_like_reference("reasons-ticked");
        kiosk.tap_kept("Gửi");
        pass(5_000);
        kiosk.picture().assert_like_reference("thanks");
        kiosk.tap(HOME);
        kiosk.tap_kept(LATER);
        kiosk.picture().assert_like_reference("later");
        kiosk.tap_kept(HOME);
        kiosk.disk_refuses(true);
        kiosk.tap("Hài lòng");
        kiosk.trouble = Some("Ổ đĩa đã đầy (SQLITE_FULL)".into());
        kiosk.refused();
        kiosk.picture().assert_like_reference("not-kept");
    });
}

const INK: [u8; 3] = [0x17, 0x34, 0x3a];
const WHITE: [u8; 3] = [0xff; 3];

/// Reads the code from the screen's pixels: whole pixels a module, a quiet zone of four modules,
/// and the modules of `address`. Gives the pixels a module.
fn assert_readable_code(kiosk: &Kiosk, address: &str) -> usize {
    let picture = kiosk.picture();
    let area = kiosk.area("QrCode");
    let inked: Vec<(usize, usize)> = (area.y.ceil() as usize..(area.y + area.height) as usize)
        .flat_map(|y| (area.x.ceil() as usize..(area.x + area.width) as usize).map(move |x| (x, y)))
        .filter(|&(x, y)| picture.at(x, y) == INK)
        .collect();
    let left = inked.iter().map(|point| point.0).min().unwrap();
    let right = inked.iter().map(|point| point.0).max().unwrap() + 1;
    let top = inked.iter().map(|point| point.1).min().unwrap();
    let bottom = inked.iter().map(|point| point.1).max().unwrap() + 1;
    let code = QrCode::with_error_correction_level(address, EcLevel::M).unwrap();
    let modules = code.width();
    assert_eq!(right - left, bottom - top, "square");
    assert_eq!((right - left) % modules, 0, "whole pixels a module");
    let factor = (right - left) / modules;
    let colours = code.to_colors();
    for y in top - 4 * factor..bottom + 4 * factor {
        for x in left - 4 * factor..right + 4 * factor {
            let inside = (left..right).contains(&x) && (top..bottom).contains(&y);
            let expected = if inside {
                let (column, row) = ((x - left) / factor, (y - top) / factor);
                if colours[row * modules + column] == Color::Dark { INK } else { WHITE }
            } else {
                WHITE
            };
            assert_eq!(picture.at(x, y), expected, "at {x}, {y}");
        }
    }
    factor
}

#[test]
fn the_code_is_drawn_in_whole_pixels_with_its_quiet_zone() {
    on_stage(|| {
        let longest = format!("HTTPS://{}.GOV.VN", "D".repeat(60 - 8 - 7));
        let sizes = [(1280, 800), (1024, 600), (1366, 768), (1920, 1080)];
        for (width, height) in sizes {
            for public_url in ["HTTP://10.0.0.5", "HTTPS://DANHGIA.HUNGYEN.GOV.VN", &longest] {
                let change = |enrolled: &mut Enrolled| enrolled.public_url = public_url.to_owned();
                let mut kiosk = Kiosk::with(change, width, height);
                kiosk.tap_kept("Hài lòng");
                kiosk.tap_kept("Gửi");
                let address = kiosk.ticket();
                assert!(address.starts_with(&format!("{public_url}/R/")));
                let factor = assert_readable_code(&kiosk, &address);
                assert!(factor >= 6, "thanks on {width} × {height}, {public_url}: {factor}");
                kiosk.tap(HOME);
                kiosk.tap_kept(LATER);
                let factor = assert_readable_code(&kiosk, &kiosk.ticket());
                assert!(factor >= 6, "later on {width} × {height}, {public_url}: {factor}");
            }
        }
    });
}

/// The form that a kiosk shows, to be changed before it starts.
fn form_in_force(enrolled: &mut Enrolled) -> &mut Form {
    enrolled.forms.iter_mut().max_by_key(|form| form.version).unwrap()
}

/// A form with as many boxes to tick as one may have.
fn nine_boxes(form: &mut Form) {
    let last = form.reasons.last().unwrap().clone();
    let code = "ly_do_7".to_owned();
    let text = [("vi".to_owned(), "Lý do thứ 7 của đơn vị, khá dài".to_owned())].into();
    form.reasons.push(Reason { code, text, ..last });
    form.check().unwrap();
}

#[test]
fn nine_boxes_have_room_and_are_kept_in_the_forms_order() {
    on_stage(|| {
        let change = |enrolled: &mut Enrolled| nine_boxes(form_in_force(enrolled));
        let mut kiosk = Kiosk::with(change, 1280, 800);
        kiosk.tap_kept("Không hài lòng");
        assert_touchable(&kiosk, "reasons", 84.0);
        for toggle in kiosk.toggles().iter().rev() {
            kiosk.tap(&toggle.label);
        }
        assert_eq!(kiosk.ticked().len(), 9);
        kiosk.tap("Gửi");
        kiosk.tap_kept("Gửi");
        assert_eq!(
            kiosk.told()[1],
            "closed sent thai_do chua_ro giay_to_ngoai cho_lau di_lai_nhieu tre_hen ly_do_7 \
             phan_anh gop_y"
        );
    });
}

#[test]
fn a_language_is_one_touch_away_on_every_page_and_gone_after_the_visit() {
    on_stage(|| {
        let mut kiosk = Kiosk::new();
        let vietnamese = kiosk.picture();
        kiosk.tap("English");
        assert!(
            kiosk.on("home") && kiosk.says("Were you satisfied with how\nthe official served you?")
        );
        assert!(kiosk.says("Counter 3 · Hộ tịch – Chứng thực"));
        kiosk.tap_kept("Not at all satisfied");
        assert!(kiosk.says("Noted. Would you tell us why?"));
        kiosk.tap("Long wait");
        // In the middle of it, and what was ticked stays ticked.
        kiosk.tap("Tiếng Việt");
        assert_eq!(kiosk.ticked(), ["Phải chờ lâu"]);
        kiosk.tap("English");
        assert_eq!(kiosk.ticked(), ["Long wait"]);
        kiosk.tap_kept("Send");
        assert!(kiosk.on("thanks") && kiosk.says("Thank you!"));
        kiosk.tap("Back to start");
        assert!(kiosk.on("home"));
        kiosk.picture().assert_same(&vietnamese, &[], "home after an English visit");
        assert_eq!(kiosk.told(), ["contact touch rat_khong_hai_long", "closed sent cho_lau"]);

        // Whoever chose a language and went away leaves Vietnamese behind, too.
        kiosk.tap("English");
        pass(29_000);
        assert!(kiosk.says("Please touch the face that fits"));
        pass(2_000);
        kiosk.picture().assert_same(&vietnamese, &[], "home after somebody went away");
        assert_eq!(kiosk.told().len(), 2, "a language is recorded nowhere");
    });
}

#[test]
fn in_a_hall_the_citizen_says_first_who_served() {
    on_stage(|| {
        let change = |enrolled: &mut Enrolled| enrolled.counters = "q2,q3,q5".parse().unwrap();
        for (width, height) in [(1280, 800), (1080, 1920), (1024, 600)] {
            let mut kiosk = Kiosk::with(change, width, height);
            assert!(kiosk.says("Cán bộ nào vừa phục vụ ông/bà?"));
            assert_touchable(&kiosk, "who", 84.0);
            let who = kiosk.picture();
            kiosk.tap("Nguyễn Thị Thanh Lan, Quầy 3");
            assert_touchable(&kiosk, "home", 84.0);
            assert!(kiosk.says("Quầy 3 · Hộ tịch – Chứng thực"));
            // The wrong one: back, and nothing of the first choice stays.
            kiosk.tap("Chọn lại");
            kiosk.tap("Lê Thu Hà, Quầy 2");
            assert!(kiosk.says("Lê Thu Hà"));
            kiosk.tap_kept("Hài lòng");
            kiosk.tap_kept("Gửi");
            kiosk.tap(HOME);
            assert!(kiosk.on("who"));
            pass(SETTLE_MS);
            kiosk.picture().assert_same(&who, &[], "after a visit");
            assert_eq!(kiosk.told(), ["contact touch hai_long", "closed sent"]);
            let lines = kiosk.lines();
            let opened = lines.iter().find(|line| line.event == Event::Contact).unwrap();
            let of = |id: Option<String>| id.unwrap_or_default();
            assert_eq!(of(opened.counter.as_ref().map(ToString::to_string)), "q2");
            assert_eq!(of(opened.official.as_ref().map(ToString::to_string)), "cb02");
            // Somebody chooses and goes away.
            kiosk.tap("Nguyễn Thị Thanh Lan, Quầy 3");
            pass(31_000);
            assert!(kiosk.on("who"));
        }
    });
}

#[test]
fn the_notice_is_one_touch_away_and_records_nothing() {
    on_stage(|| {
        let kiosk = Kiosk::new();
        kiosk.tap("Ai quản lý thông tin này?");
        assert_touchable(&kiosk, "notice", 84.0);
        for title in
            ["Ai thu thập", "Để làm gì", "Lưu trong bao lâu", "Ai được xem", "Hỏi thêm ở đâu"]
        {
            assert!(kiosk.says(title), "{title}");
        }
        kiosk.tap("English");
        assert!(kiosk.says("Who handles this information?"));
        kiosk.tap("Back to start");
        assert!(kiosk.on("home") && kiosk.says("Please touch the face that fits"));
        kiosk.tap("Who handles this information?");
        pass(61_000);
        assert!(kiosk.on("home") && kiosk.says("Xin ông/bà chạm vào khuôn mặt phù hợp"));
        assert_eq!(kiosk.told(), [""; 0]);
    });
}

#[test]
fn a_wish_to_write_tells_where_and_gives_time_to_scan() {
    on_stage(|| {
        let mut kiosk = Kiosk::new();
        for level in ["Rất hài lòng", "Rất không hài lòng"] {
            kiosk.tap_kept(level);
            let told = "Sau khi chạm “Gửi”, ông/bà viết nội dung tại đây hoặc bằng điện thoại.";
            assert!(!kiosk.says(told));
            kiosk.tap("Phản ánh vi phạm");
            assert!(kiosk.says(told));
            kiosk.tap("Gửi");
            kiosk.tap_kept("Viết bằng điện thoại");
            pass(21_000);
            assert!(kiosk.on("thanks"), "there is time to scan");
            pass(40_000);
            assert!(kiosk.on("home"));
        }
        assert_eq!(kiosk.told()[1], "closed sent phan_anh");
    });
}

#[test]
fn forms_of_three_and_four_levels_are_shown_from_their_files() {
    on_stage(|| {
        for (form, labels) in [
            ("ba-muc", vec!["Rất hài lòng", "Hài lòng", "Không hài lòng"]),
            ("bon-muc", vec!["Rất hài lòng", "Hài lòng", "Chấp nhận được", "Không hài lòng"]),
        ] {
            let read = form_of(&Source::read(&sample(&format!("forms/{form}.toml"))).unwrap(), &[])
                .unwrap();
            let change = move |enrolled: &mut Enrolled| {
                enrolled.directory.office.form.clone_from(&read.code);
                enrolled.forms = vec![read];
            };
            let mut kiosk = Kiosk::with(change, 1280, 800);
            let cards = kiosk.areas("LevelCard");
            assert_eq!(cards.len(), labels.len());
            assert!(cards.iter().all(|card| card.size() == cards[0].size()));
            // As near to each other as five, in the middle of the page.
            let (first, last) = (cards[0], cards[cards.len() - 1]);
            assert!((first.x - (1280.0 - last.x - last.width)).abs() <= 1.0);
            for label in &labels {
                kiosk.tap_kept(label);
                assert_eq!(kiosk.areas("FacePick").len(), labels.len());
                kiosk.tap_kept("Gửi");
                kiosk.tap(HOME);
            }
            let told = kiosk.told();
            assert_eq!(told.len(), 2 * labels.len());
            assert_eq!(told[0], "contact touch rat_hai_long");
            assert_eq!(told[told.len() - 2], "contact touch khong_hai_long");
        }
    });
}
