//! The daily summary as a table of text, in Vietnamese.

use std::fmt::Write;

use jiff::civil::{Date, Weekday};

use super::pages::{number, percent, percent_range};
use crate::domain::form::{Forms, in_language};
use crate::domain::office::Directory;
use crate::domain::summary::{Row, State, Summary};

/// “Thứ Ba, 24/11/2026”.
pub fn date_in_words(date: Date) -> String {
    let day = match date.weekday() {
        Weekday::Monday => "Thứ Hai",
        Weekday::Tuesday => "Thứ Ba",
        Weekday::Wednesday => "Thứ Tư",
        Weekday::Thursday => "Thứ Năm",
        Weekday::Friday => "Thứ Sáu",
        Weekday::Saturday => "Thứ Bảy",
        Weekday::Sunday => "Chủ nhật",
    };
    format!("{day}, {:02}/{:02}/{}", date.day(), date.month(), date.year())
}

fn state_in_words(state: State) -> &'static str {
    match state {
        State::Open => "đang trong giờ làm việc (số liệu hiển thị theo bội số của 5)",
        State::Provisional => "tạm tính, còn chờ dữ liệu từ thiết bị",
        State::Complete => "đã nhận đủ dữ liệu từ các quầy (complete)",
        State::Final => "chính thức (final)",
    }
}

/// The table.
pub fn of(summary: &Summary, directory: &Directory, forms: &Forms) -> String {
    let mut out = String::new();
    write_all(&mut out, summary, directory, forms).map_or_else(|_| String::new(), |()| out)
}

fn write_all(
    out: &mut String,
    summary: &Summary,
    directory: &Directory,
    forms: &Forms,
) -> std::fmt::Result {
    writeln!(out, "{} · {}", directory.office.name, date_in_words(summary.date))?;
    writeln!(out, "Trạng thái: {}", state_in_words(summary.state))?;
    writeln!(out)?;
    let n = number(summary.n as i64);
    match (summary.rate, &summary.interval, summary.satisfied) {
        (Some(rate), Some(interval), Some(satisfied)) => writeln!(
            out,
            "Tỷ lệ hài lòng  {}   {} / {n} lượt đánh giá · khoảng tin cậy 95%: {}",
            percent(rate),
            number(satisfied as i64),
            percent_range(interval)
        )?,
        _ => writeln!(out, "Tỷ lệ hài lòng  chưa đủ số liệu ({n} lượt đánh giá)")?,
    }
    if let Some(rate) = summary.usual.rate {
        let (days, n) = (summary.usual.days, number(summary.usual.n as i64));
        writeln!(out, "{days} ngày qua     {} (n {n})", percent(rate))?;
    }
    match (summary.response_rate, summary.contacts.served) {
        (Some(rate), Some(served)) => writeln!(
            out,
            "Tỷ lệ phản hồi  {}   {n} / {} lượt phục vụ",
            percent(rate),
            number(served as i64)
        )?,
        _ => writeln!(out, "Tỷ lệ phản hồi  chưa có số liệu về lượt phục vụ")?,
    }
    let form = forms.in_force(&directory.office.form, summary.date);
    let label = |code: &str| {
        form.and_then(|form| form.levels.iter().find(|level| level.code == code)).map_or_else(
            || code.to_owned(),
            |level| in_language(&level.label, "vi").replace('\n', " "),
        )
    };
    if let Some(levels) = &summary.levels {
        writeln!(out)?;
        for (code, n) in &levels.0 {
            writeln!(out, "  {} {:>6}", pad(&label(code), 20), number(*n as i64))?;
        }
    }
    rows(out, "Quầy", &summary.by_counter)?;
    rows(out, "Cán bộ", &summary.by_official)?;
    if !summary.reasons.is_empty() {
        writeln!(out, "\nLý do được nêu")?;
        for reason in &summary.reasons {
            let text = forms.reason_text(&reason.code, "vi").unwrap_or_else(|| reason.code.clone());
            writeln!(out, "  {} {:>6}", pad(&text, 34), number(reason.n as i64))?;
        }
    }
    let c = &summary.contacts;
    writeln!(
        out,
        "\nLượt mở {} · đã đánh giá {} · để sau {} · hết thời gian chờ {} · gián đoạn {}",
        c.opened, c.rated, c.later, c.timed_out, c.interrupted
    )?;
    let b = &summary.phone_beside;
    let beside = b.higher + b.lower + b.same;
    writeln!(
        out,
        "Qua điện thoại: {}, trong đó {beside} lượt đã đánh giá tại quầy (mức cao hơn: {}, thấp \
         hơn: {}, không đổi: {}) · còn chờ {}",
        summary.by_channel.phone + beside,
        b.higher,
        b.lower,
        b.same,
        summary.phone_waiting
    )?;
    if summary.unattributed > 0 {
        writeln!(out, "Không có cán bộ trong ca: {} lượt", summary.unattributed)?;
    }
    for down in &summary.down {
        let (from, to) = (down.from.civil(), down.to.civil());
        writeln!(
            out,
            "{} ngừng hoạt động từ {:02}:{:02} đến {:02}:{:02}",
            down.kiosk,
            from.hour(),
            from.minute(),
            to.hour(),
            to.minute()
        )?;
    }
    for silent in &summary.silent_kiosks {
        writeln!(out, "{}: chưa nhận đủ dữ liệu", silent.id)?;
    }
    writeln!(out, "Mã xác thực báo cáo: {} · công thức tính số {}", summary.digest, summary.formula)
}

fn rows(out: &mut String, title: &str, rows: &[Row]) -> std::fmt::Result {
    writeln!(out, "\n{} {:>6}  Tỷ lệ hài lòng", pad(title, 38), "Lượt")?;
    for row in rows {
        let rate = match (row.rate, &row.interval, row.satisfied) {
            (Some(rate), Some(interval), _) => {
                format!("{} ({})", percent(rate), percent_range(interval))
            }
            (None, _, Some(satisfied)) if row.n > 0 => {
                format!("{satisfied} hài lòng / {} · chưa đủ số liệu", row.n)
            }
            (None, _, Some(_)) => "–".to_owned(),
            _ => "chưa đủ số liệu".to_owned(),
        };
        writeln!(out, "  {} {:>6}  {rate}", pad(&row.name, 36), number(row.n as i64))?;
    }
    Ok(())
}

/// Pads to a width in characters: Vietnamese letters in NFC take one column each.
fn pad(text: &str, width: usize) -> String {
    let length = text.chars().count();
    format!("{text}{}", " ".repeat(width.saturating_sub(length)))
}
