//! How the kiosk stands, line by line, for the technician's page: a pure function of what was looked at.

use super::ui;
use crate::clock::TOLERANCE_MS;
use crate::domain::condition::Condition;
use crate::domain::ids::KioskId;
use crate::domain::time::At;
use crate::kiosk::setup::words::obstacle;
use crate::kiosk::uploader::Trouble;
use crate::texts::{Texts, fill};
use ui::StateVerdict::{Good, Open, Wrong};

/// A line that has waited for so long deserves to be looked into, in minutes.
const LATE_MINUTES: i64 = 60;
/// So few bytes left on the disk do, too.
const LITTLE_ROOM: u64 = 1_000_000_000;

/// The lines: what each is, how it stands, and whether that is well.
pub fn rows(
    texts: &Texts,
    kiosk: &KioskId,
    condition: Option<&Condition>,
    trouble: Option<&Trouble>,
    now: At,
) -> Vec<ui::StateRow> {
    let words = &texts.kiosk;
    let row = |label: &String, value: String, verdict| ui::StateRow {
        label: label.into(),
        value: value.into(),
        verdict,
    };
    let well = |is: bool| if is { Good } else { Wrong };
    let kiosk = row(&words.state_kiosk, kiosk.to_string(), Open);
    let Some(condition) = condition else { return vec![kiosk] };
    let moment = |at: At| at.civil().strftime("%d/%m %H:%M").to_string();

    let waits = condition.oldest_unsent.filter(|_| condition.queue > 0);
    let queue = match waits {
        Some(oldest) => {
            let values: [(&str, &dyn std::fmt::Display); 2] =
                [("n", &condition.queue), ("time", &moment(oldest))];
            fill(&words.state_queue_since, &values)
        }
        None if condition.queue > 0 => fill(&words.state_queue_lines, &[("n", &condition.queue)]),
        None => words.state_queue_none.clone(),
    };
    let late = waits.is_some_and(|oldest| oldest.plus_minutes(LATE_MINUTES) < now);

    let link = match trouble {
        None => words.state_link_good.clone(),
        Some(Trouble::Way(way)) => {
            let (title, text) = obstacle(&texts.setup, way);
            format!("{title}. {text}")
        }
        Some(Trouble::Service(why)) => fill(&words.state_link_refused, &[("why", why)]),
        Some(Trouble::Files(why)) => fill(&words.state_link_files, &[("why", why)]),
    };

    let receipt = condition.last_receipt.map(moment);
    let disk = condition.disk_free.map(|free| gigabytes(free, &texts.summary.decimal_mark));
    let clock = condition.clock_offset_ms.map(|offset| {
        let seconds = (offset.unsigned_abs() + 500) / 1_000;
        let way = if offset < 0 { &words.state_clock_behind } else { &words.state_clock_ahead };
        fill(way, &[("n", &seconds)])
    });
    let unknown = || words.state_unknown.clone();
    vec![
        kiosk,
        row(&words.state_version, condition.version.clone(), Open),
        row(&words.state_since, moment(condition.since), Open),
        row(&words.state_queue, queue, well(!late)),
        row(&words.state_link, link, well(trouble.is_none())),
        row(&words.state_receipt, receipt.unwrap_or_else(|| words.state_never.clone()), Open),
        row(
            &words.state_disk,
            disk.unwrap_or_else(unknown),
            condition.disk_free.map_or(Open, |free| well(free >= LITTLE_ROOM)),
        ),
        row(
            &words.state_clock,
            clock.unwrap_or_else(unknown),
            condition.clock_offset_ms.map_or(Open, |offset| well(offset.abs() <= TOLERANCE_MS)),
        ),
    ]
}

/// “23,4 GB”.
fn gigabytes(bytes: u64, decimal_mark: &str) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9).replace('.', decimal_mark)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kiosk::obstacle::Obstacle;
    use std::path::Path;

    fn at(text: &str) -> At {
        format!("2026-11-24T{text}.000+07:00").try_into().unwrap()
    }

    fn well() -> Condition {
        Condition {
            version: "0.1.0".into(),
            since: at("07:12:00"),
            queue: 0,
            oldest_unsent: None,
            last_receipt: Some(at("08:10:00")),
            trouble: None,
            disk_free: Some(23_400_000_000),
            clock_offset_ms: Some(-2_300),
        }
    }

    fn verdicts(condition: &Condition, trouble: Option<&Trouble>) -> Vec<(String, bool)> {
        let texts = Texts::read(Path::new("kiosk-config/texts/vi.toml")).unwrap();
        let kiosk = "ps-q3".parse().unwrap();
        let rows = rows(&texts, &kiosk, Some(condition), trouble, at("08:15:00"));
        let judged = rows.into_iter().filter(|row| row.verdict != Open);
        judged.map(|row| (row.value.to_string(), row.verdict == Good)).collect()
    }

    fn wrong(condition: &Condition, trouble: Option<&Trouble>) -> Vec<String> {
        let verdicts = verdicts(condition, trouble).into_iter();
        verdicts.filter(|(_, good)| !good).map(|(value, _)| value).collect()
    }

    #[test]
    fn a_kiosk_that_is_well_says_so_four_times() {
        let told = ["không có", "tốt", "23,4 GB", "chậm 2 giây so với hệ thống"];
        assert_eq!(verdicts(&well(), None), told.map(|value| (value.to_owned(), true)));
        let fresh = Condition { queue: 2, oldest_unsent: Some(at("07:15:00")), ..well() };
        assert_eq!(wrong(&fresh, None), [""; 0], "an hour is no alarm");
    }

    #[test]
    fn what_is_not_well_is_marked_and_says_what_to_do() {
        let waiting = Condition { queue: 2, oldest_unsent: Some(at("07:14:59")), ..well() };
        assert_eq!(wrong(&waiting, None), ["2 bản ghi, cũ nhất từ 24/11 07:14"]);
        let full = Condition { disk_free: Some(999_999_999), ..well() };
        assert_eq!(wrong(&full, None), ["1,0 GB"]);
        let fast = Condition { clock_offset_ms: Some(60_001), ..well() };
        assert_eq!(wrong(&fast, None), ["nhanh 60 giây so với hệ thống"]);
        let no_way = Trouble::Way(Obstacle::NoWay("motcua.hungyen.gov.vn:443".into()));
        let [told] = &wrong(&well(), Some(&no_way))[..] else { panic!("one line") };
        assert!(told.starts_with("Máy chưa có mạng. Không có đường tới motcua.hungyen.gov.vn:443"));
        let refused = Trouble::Service("the central service answered 503".into());
        let [told] = &wrong(&well(), Some(&refused))[..] else { panic!("one line") };
        assert!(told.starts_with("Hệ thống trung tâm chưa nhận."), "{told}");
    }
}
