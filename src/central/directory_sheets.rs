//! The directory as a workbook: the lists that an import takes, under the same headings, so that it can be
//! downloaded, changed in a spreadsheet, and handed in again.

use std::sync::Arc;

use jiff::civil::Date;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, XlsxError};

use super::import::rows::{Kind, OFFICE};
use super::import::words::{clock, weekdays};
use crate::domain::ids::{CounterId, OfficialId};
use crate::domain::office::Directory;
use crate::texts::{DirectoryTexts, Texts};

/// A cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Text(String),
    Number(u16),
    Date(Date),
}

impl Cell {
    fn date(date: Option<Date>) -> Self {
        date.map_or_else(|| Self::Text(String::new()), Self::Date)
    }
}

/// The roster as people read it: a line for each counter, official and time, with its weekdays.
pub(super) fn shifts(
    directory: &Directory,
) -> Vec<(Vec<i8>, CounterId, OfficialId, String, String)> {
    let mut lines: Vec<(Vec<i8>, CounterId, OfficialId, String, String)> = Vec::new();
    for shift in &directory.roster {
        let (from, to) = (clock(shift.from), clock(shift.to));
        let same = lines.iter_mut().find(|(_, counter, official, start, end)| {
            (counter, official, start, end) == (&shift.counter, &shift.official, &from, &to)
        });
        match same {
            Some((days, ..)) => days.push(shift.weekday),
            None => {
                let (counter, official) = (shift.counter.clone(), shift.official.clone());
                lines.push((vec![shift.weekday], counter, official, from, to));
            }
        }
    }
    lines
}

/// An office's hours, a line for each time, with its weekdays; none when they follow its roster.
pub(super) fn hours(directory: &Directory) -> Vec<(Vec<i8>, String, String)> {
    if directory.follows_roster() {
        return Vec::new();
    }
    let mut lines: Vec<(Vec<i8>, String, String)> = Vec::new();
    for one in directory.calendar.iter().flat_map(|calendar| &calendar.hours) {
        let (from, to) = (clock(one.from), clock(one.to));
        match lines.iter_mut().find(|(_, start, end)| (start, end) == (&from, &to)) {
            Some((days, ..)) => days.push(one.weekday),
            None => lines.push((vec![one.weekday], from, to)),
        }
    }
    lines
}

/// The rows of a list of one office, in the order of its columns.
fn rows(kind: Kind, directory: &Directory, t: &DirectoryTexts) -> Vec<Vec<Cell>> {
    let text = |text: &str| Cell::Text(text.to_owned());
    let office = || text(directory.office.code.as_str());
    match kind {
        Kind::Offices => {
            let one = &directory.office;
            let ended = one.ended.as_ref();
            vec![vec![
                office(),
                text(&one.name),
                text(&one.form),
                Cell::Text(clock(one.opens)),
                Cell::Text(clock(one.closes)),
                Cell::date(ended.map(|ended| ended.until)),
                text(ended.and_then(|ended| ended.into.as_ref()).map_or("", |into| into.as_str())),
                text(ended.map_or("", |ended| ended.decision.as_str())),
            ]]
        }
        Kind::Counters => {
            let row = |one: &crate::domain::office::Counter| {
                let (id, number) = (text(one.id.as_str()), Cell::Number(one.number));
                vec![
                    office(),
                    id,
                    number,
                    text(&one.name),
                    text(&one.branch),
                    Cell::date(one.until),
                ]
            };
            directory.counters.iter().map(row).collect()
        }
        Kind::Officials => {
            let row = |one: &crate::domain::office::Official| {
                vec![
                    office(),
                    text(one.id.as_str()),
                    text(&one.name),
                    text(&one.title),
                    Cell::date(one.until),
                ]
            };
            directory.officials.iter().map(row).collect()
        }
        Kind::Roster => {
            let row = |(days, counter, official, from, to): (
                Vec<i8>,
                CounterId,
                OfficialId,
                String,
                String,
            )| {
                let days = Cell::Text(weekdays(&days, t));
                let (counter, official) = (text(counter.as_str()), text(official.as_str()));
                vec![office(), days, counter, official, Cell::Text(from), Cell::Text(to)]
            };
            shifts(directory).into_iter().map(row).collect()
        }
        Kind::Hours => {
            let row = |(days, from, to): (Vec<i8>, String, String)| {
                vec![office(), Cell::Text(weekdays(&days, t)), Cell::Text(from), Cell::Text(to)]
            };
            hours(directory).into_iter().map(row).collect()
        }
        Kind::Calendar => {
            let row = |day: &crate::domain::calendar::OwnDay| {
                let time = |time: Option<_>| Cell::Text(time.map_or_else(String::new, clock));
                let (from, to) = (day.hours.map(|(from, _)| from), day.hours.map(|(_, to)| to));
                vec![office(), Cell::Date(day.date), text(&day.name), time(from), time(to)]
            };
            directory.calendar.iter().flat_map(|calendar| &calendar.days).map(row).collect()
        }
    }
}

/// The workbook of offices, in a language.
///
/// # Errors
/// When it cannot be written.
pub fn workbook(offices: &[Arc<Directory>], texts: &Texts) -> Result<Vec<u8>, XlsxError> {
    let t = &texts.directory;
    let head = Format::new().set_bold().set_text_wrap();
    let date = Format::new().set_num_format("dd/mm/yyyy");
    let mut book = Workbook::new();
    // The same directory gives the same file.
    let begun = ExcelDateTime::from_ymd(2026, 1, 1)?;
    book.set_properties(&DocProperties::new().set_title(&t.title).set_creation_datetime(&begun));
    for kind in Kind::ALL {
        let sheet = book.add_worksheet();
        sheet.set_name(t.kind(kind))?;
        sheet.set_freeze_panes(1, 0)?;
        for (column, of) in (0..).zip(kind.columns()) {
            sheet.write_string_with_format(0, column, t.column(kind, of.word), &head)?;
            let wide = matches!(of.word, "name" | "branch" | "title" | "decision");
            sheet.set_column_width(column, if wide { 44 } else { 16 })?;
            debug_assert!(column > 0 || of.word == OFFICE);
        }
        let all = offices.iter().flat_map(|directory| rows(kind, directory, t));
        for (row, cells) in (1..).zip(all) {
            for (column, cell) in (0..).zip(cells) {
                match cell {
                    Cell::Text(text) if text.is_empty() => {}
                    Cell::Text(text) => drop(sheet.write_string(row, column, text)?),
                    Cell::Number(number) => drop(sheet.write_number(row, column, number)?),
                    Cell::Date(day) => {
                        let (month, of) = (day.month().unsigned_abs(), day.day().unsigned_abs());
                        let day = ExcelDateTime::from_ymd(day.year().unsigned_abs(), month, of)?;
                        sheet.write_datetime_with_format(row, column, day, &date)?;
                    }
                }
            }
        }
    }
    book.save_to_buffer()
}
