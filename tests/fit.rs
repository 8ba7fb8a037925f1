//! Every text has room on every page, panel, mode and language: measured by Slint's own text layout
//! against the box that it is drawn into. In low mode all that is touched stands in the lower half.

mod common;

use std::ops::ControlFlow;
use std::pin::Pin;

use hailong::demo::gallery::{Exhibition, Shot};
use hailong::kiosk::headless::Headless;
use i_slint_core::item_tree::ItemRc;
use i_slint_core::items::{ComplexText, SimpleText, TextWrap, TouchArea};
use i_slint_core::layout::Orientation;
use i_slint_core::lengths::{LogicalPoint, LogicalRect};
use i_slint_core::window::WindowInner;

/// What is drawn, and into which box of the window.
struct Drawn {
    text: String,
    area: LogicalRect,
    /// What the text needs at its box's width.
    needs: (f32, f32),
}

fn texts(shot: &Shot<'_>) -> Vec<Drawn> {
    let window = WindowInner::from_pub(shot.window);
    let adapter = window.window_adapter();
    let mut drawn = Vec::new();
    ItemRc::new_root(window.component()).visit_descendants(|item| -> ControlFlow<()> {
        let plain = item.downcast::<SimpleText>().is_some();
        assert!(!plain, "every text of ours sets its lines, which makes it a complex one");
        let Some(text) = item.downcast::<ComplexText>() else { return ControlFlow::Continue(()) };
        let text: Pin<&ComplexText> = text.as_pin_ref();
        let words = text.text().to_string();
        if words.is_empty() || !item.is_visible() {
            return ControlFlow::Continue(());
        }
        let geometry = item.geometry();
        let at = item.map_to_window(geometry.origin);
        let measure = |orientation, width| {
            item.borrow().as_ref().layout_info(orientation, width, &adapter, item).preferred
        };
        let width = if text.wrap() == TextWrap::NoWrap {
            measure(Orientation::Horizontal, -1.)
        } else {
            // A word longer than its line would be cut; what wraps needs no more than that.
            adapter.renderer().text_content_widths(text, item).map_or(0., |widths| widths.min.get())
        };
        let height = measure(Orientation::Vertical, geometry.width());
        let area = LogicalRect::new(LogicalPoint::new(at.x, at.y), geometry.size);
        drawn.push(Drawn { text: words, area, needs: (width, height) });
        ControlFlow::Continue(())
    });
    drawn
}

fn misfits(shot: &Shot<'_>) -> Vec<String> {
    let size = shot.window.size();
    let panel = LogicalRect::new(
        LogicalPoint::new(0., 0.),
        i_slint_core::lengths::LogicalSize::new(size.width as f32, size.height as f32),
    );
    let drawn = texts(shot);
    assert!(drawn.len() >= 3, "{} has words", shot.name());
    let mut wrong = Vec::new();
    let mut tell = |what: String| wrong.push(format!("{}: {what}", shot.name()));
    for one in &drawn {
        // Half a pixel is what rounding to whole pixels takes.
        let (width, height) = (one.area.width() + 0.5, one.area.height() + 0.5);
        if one.needs.0 > width || one.needs.1 > height {
            tell(format!("{:?} needs {:?}, has {:?}", one.text, one.needs, one.area.size));
        }
        if !panel.contains_rect(&one.area) {
            tell(format!("{:?} at {:?} leaves the panel", one.text, one.area));
        }
    }
    for (place, one) in drawn.iter().enumerate() {
        for other in &drawn[place + 1..] {
            let shared = one.area.intersection(&other.area);
            if shared.is_some_and(|shared| shared.width() > 1. && shared.height() > 1.) {
                tell(format!("{:?} and {:?} overlap", one.text, other.text));
            }
        }
    }
    wrong
}

/// What a finger may press in low mode and does not stand in the lower half. The whole page may be pressed
/// where a touch anywhere does; the languages stay in the header, and stand in the lower half, too.
fn too_high(shot: &Shot<'_>) -> Vec<String> {
    let size = shot.window.size();
    let (half, header) = (size.height as f32 / 2., size.height as f32 * 0.14);
    let window = WindowInner::from_pub(shot.window);
    let mut wrong = Vec::new();
    ItemRc::new_root(window.component()).visit_descendants(|item| -> ControlFlow<()> {
        if item.downcast::<TouchArea>().is_some() && item.is_visible() {
            let geometry = item.geometry();
            let at = item.map_to_window(geometry.origin);
            let (top, bottom) = (at.y, at.y + geometry.height());
            if top < half - 1. && bottom > header && geometry.height() < half {
                wrong.push(format!("{}: a control from {top} to {bottom}", shot.name()));
            }
        }
        ControlFlow::Continue(())
    });
    wrong
}

/// A screen of low mode from which no other language is within reach.
fn without_languages(shot: &Shot<'_>) -> Option<String> {
    let half = shot.window.size().height as f32 / 2.;
    let own = shot.language.to_uppercase();
    let within_reach = texts(shot).into_iter().any(|one| {
        let is_code = one.text.chars().count() == 2 && one.text.chars().all(char::is_uppercase);
        is_code && one.text != own && one.area.min_y() >= half
    });
    (!within_reach).then(|| format!("{}: no language within reach", shot.name()))
}

/// Names as long as they come.
fn exhibition() -> Exhibition {
    let mut exhibition = Exhibition::of(&common::sample_config()).unwrap();
    let directory = &mut exhibition.directory;
    assert!(directory.counters.len() >= 6);
    directory.office.name = "Trung tâm Phục vụ hành chính công phường Trần Hưng Đạo".into();
    for (official, name) in directory.officials.iter_mut().zip([
        "Nguyễn Hoàng Phương Khánh Linh",
        "Lê Thu Hà",
        "Phạm Nguyễn Quốc Trường Giang",
        "Đỗ Minh Châu",
    ]) {
        official.name = name.into();
    }
    directory.counters[0].name = "Hộ tịch – Chứng thực – Lao động, thương binh và xã hội".into();
    let q3 = "q3".parse().unwrap();
    let on_shift = directory.on_shift(&q3, "2026-11-24T08:15".parse().unwrap()).unwrap().id.clone();
    let official = directory.officials.iter_mut().find(|o| o.id == on_shift).unwrap();
    official.name = "Nguyễn Hoàng Phương Khánh Linh".into();
    exhibition
}

/// As many languages as there may be; what the last two say is English.
fn with_four_languages(mut exhibition: Exhibition) -> Exhibition {
    let english = exhibition.texts[1].clone();
    for (language, name) in [("fr", "Français"), ("de", "Deutsch")] {
        let mut texts = english.clone();
        (texts.language, texts.name) = (language.into(), name.into());
        exhibition.texts.push(texts);
    }
    assert_eq!(exhibition.texts.len(), hailong::texts::MOST);
    exhibition
}

#[test]
fn no_text_is_cut_overlapped_or_off_the_panel_on_any_page_panel_mode_and_language() {
    let headless = Headless::start(1280, 800).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    let (mut shots, mut low) = (0, 0);
    for (place, shown) in [exhibition(), with_four_languages(exhibition())].iter().enumerate() {
        let folder = folder.path().join(place.to_string());
        let look = &mut |shot: &Shot<'_>| {
            wrong.extend(misfits(shot));
            if shot.mode == "low" {
                wrong.extend(too_high(shot));
                wrong.extend(without_languages(shot));
                low += 1;
            }
            shots += 1;
            Ok(())
        };
        shown.show(&headless, &folder, look).unwrap();
    }
    assert!(shots >= 2_400 && low >= 600, "{shots}, {low}");
    assert!(wrong.is_empty(), "{} of {shots} screens:\n{}", wrong.len(), wrong.join("\n"));
}
