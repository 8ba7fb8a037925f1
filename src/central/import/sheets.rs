//! Files as people bring them, read into sheets of text: XLSX, and CSV in the encodings and with the
//! separators that office programs write.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use calamine::{DataRef, ExcelDateTime, Reader, Xlsx, XlsxError};
use unicode_normalization::UnicodeNormalization;

/// Most rows of all sheets together: three times a large province.
pub const MOST_ROWS: usize = 30_000;
/// Columns further right are not read.
const MOST_COLUMNS: usize = 40;
/// Longest text of a cell, in letters.
const LONGEST_CELL: usize = 500;
/// What all packed files of an upload may unpack to, in bytes.
const UNPACKED: u64 = 64 * 1024 * 1024;
/// Cells that are looked at in all of them, empty ones included.
const MOST_CELLS: usize = 2_000_000;
/// What is kept of them, in bytes.
const MOST_KEPT: usize = 16 * 1024 * 1024;
/// Most sheets.
const MOST_SHEETS: usize = 64;

/// What is left of what an upload may cost.
#[derive(Debug)]
pub struct Budget {
    unpacked: u64,
    cells: usize,
    kept: usize,
    rows: usize,
    sheets: usize,
}

impl Default for Budget {
    fn default() -> Self {
        let (unpacked, cells, kept) = (UNPACKED, MOST_CELLS, MOST_KEPT);
        Self { unpacked, cells, kept, rows: MOST_ROWS, sheets: MOST_SHEETS }
    }
}

fn take(left: &mut usize, n: usize) -> Result<(), Unreadable> {
    *left = left.checked_sub(n).ok_or(Unreadable::TooLarge)?;
    Ok(())
}

/// A file that was handed in.
#[derive(Debug, Clone)]
pub struct Upload {
    /// Its name, which says what a CSV holds.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// One table of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// As the workbook calls it; of a CSV the file's name without what follows the dot.
    pub name: String,
    /// The rows that are not empty, each with its number as a spreadsheet counts, from 1.
    pub rows: Vec<(u32, Vec<String>)>,
}

/// Why a file was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// A workbook that is none.
    Workbook,
    /// A workbook of before 2007.
    OldWorkbook,
    /// Neither a workbook nor text in UTF-8 or UTF-16.
    NotText,
    /// A table that is none: why.
    Csv(String),
    /// More than [`MOST_ROWS`] rows, or too large unpacked.
    TooLarge,
}

impl From<XlsxError> for Unreadable {
    fn from(_: XlsxError) -> Self {
        Self::Workbook
    }
}

impl From<zip::result::ZipError> for Unreadable {
    fn from(_: zip::result::ZipError) -> Self {
        Self::Workbook
    }
}

impl From<std::io::Error> for Unreadable {
    fn from(_: std::io::Error) -> Self {
        Self::Workbook
    }
}

impl From<csv::Error> for Unreadable {
    fn from(error: csv::Error) -> Self {
        Self::Csv(error.to_string())
    }
}

/// Reads a file's sheets.
///
/// # Errors
/// When it is none of the kinds known, or too large.
pub fn read(upload: &Upload, budget: &mut Budget) -> Result<Vec<Sheet>, Unreadable> {
    if upload.bytes.starts_with(b"PK\x03\x04") {
        return workbook(&upload.bytes, budget);
    }
    if upload.bytes.starts_with(&[0xD0, 0xCF, 0x11, 0xE0]) {
        return Err(Unreadable::OldWorkbook);
    }
    let name = upload.name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    Ok(vec![Sheet { name: name.to_owned(), rows: table(&text_of(&upload.bytes)?, budget)? }])
}

/// A cell's text: composed accents, single spaces, nothing around it.
pub fn cell(text: &str) -> String {
    let composed: String = text.nfc().take(LONGEST_CELL).collect();
    composed.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn text_of(bytes: &[u8]) -> Result<String, Unreadable> {
    let utf_16 = |unit: fn([u8; 2]) -> u16, bytes: &[u8]| {
        let (pairs, []) = bytes.as_chunks::<2>() else { return Err(Unreadable::NotText) };
        char::decode_utf16(pairs.iter().map(|pair| unit(*pair)))
            .collect::<Result<String, _>>()
            .map_err(|_| Unreadable::NotText)
    };
    match bytes {
        [0xFF, 0xFE, rest @ ..] => utf_16(u16::from_le_bytes, rest),
        [0xFE, 0xFF, rest @ ..] => utf_16(u16::from_be_bytes, rest),
        [0xEF, 0xBB, 0xBF, rest @ ..] | rest => {
            let text = str::from_utf8(rest).map_err(|_| Unreadable::NotText)?;
            if text.contains('\0') { Err(Unreadable::NotText) } else { Ok(text.to_owned()) }
        }
    }
}

/// What stands between the fields: of what is usual, what the first row with words has most of.
fn separator(text: &str) -> u8 {
    let is_head = |line: &&str| !line.trim().is_empty() && !line.starts_with('#');
    let head = text.lines().find(is_head).unwrap_or_default();
    let count = |mark: u8| head.bytes().filter(|byte| *byte == mark).count();
    [b',', b';', b'\t'].into_iter().rev().max_by_key(|mark| count(*mark)).unwrap_or(b',')
}

fn table(text: &str, budget: &mut Budget) -> Result<Vec<(u32, Vec<String>)>, Unreadable> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator(text))
        .comment(Some(b'#'))
        .from_reader(text.as_bytes());
    let mut rows = Vec::new();
    let (mut number, mut counted) = (1, 0);
    for record in reader.records() {
        let record = record?;
        // The reader tells where it went on: at the end of the line before, or at a comment.
        let mut start = record.position().map_or(0, |position| position.byte() as usize);
        for line in text.get(start..).unwrap_or_default().split_inclusive('\n') {
            if !line.trim_end_matches(['\r', '\n']).is_empty() && !line.starts_with('#') {
                break;
            }
            start += line.len();
        }
        number += text.get(counted..start).unwrap_or_default().matches('\n').count();
        counted = start;
        let cells: Vec<String> = record.iter().take(MOST_COLUMNS).map(cell).collect();
        if cells.iter().any(|cell| !cell.is_empty()) {
            take(&mut budget.rows, 1)?;
            take(&mut budget.kept, cells.iter().map(String::len).sum())?;
            rows.push((u32::try_from(number).unwrap_or(u32::MAX), cells));
        }
    }
    Ok(rows)
}

fn workbook(bytes: &[u8], budget: &mut Budget) -> Result<Vec<Sheet>, Unreadable> {
    // What it unpacks to is not known before it was unpacked.
    let mut packed = zip::ZipArchive::new(Cursor::new(bytes))?;
    for index in 0..packed.len() {
        let mut part = packed.by_index(index)?.take(budget.unpacked + 1);
        let unpacked = std::io::copy(&mut part, &mut std::io::sink())?;
        budget.unpacked = budget.unpacked.checked_sub(unpacked).ok_or(Unreadable::TooLarge)?;
    }
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes))?;
    let mut sheets = Vec::new();
    for name in book.sheet_names() {
        take(&mut budget.sheets, 1)?;
        // Cell by cell: a sheet with one cell far down is not unfolded into all that is above it.
        let mut rows: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        let mut cells = book.worksheet_cells_reader(&name)?;
        while let Some(found) = cells.next_cell()? {
            let (row, column) = found.get_position();
            let column = column as usize;
            take(&mut budget.cells, 1)?;
            let text = cell(&shown(found.get_value()));
            take(&mut budget.kept, text.len())?;
            if text.is_empty() || column >= MOST_COLUMNS {
                continue;
            }
            if !rows.contains_key(&(row + 1)) {
                take(&mut budget.rows, 1)?;
            }
            let cells = rows.entry(row + 1).or_default();
            if cells.len() <= column {
                cells.resize(column + 1, String::new());
            }
            cells[column] = text;
        }
        sheets.push(Sheet { name: cell(&name), rows: rows.into_iter().collect() });
    }
    Ok(sheets)
}

/// A cell as whoever typed it sees it; dates and times as ISO 8601 writes them.
fn shown<'a>(value: &'a DataRef<'_>) -> Cow<'a, str> {
    match value {
        DataRef::Int(number) => number.to_string().into(),
        DataRef::Float(number) => number.to_string().into(),
        DataRef::String(text) => text.into(),
        DataRef::SharedString(text) => (*text).into(),
        DataRef::Bool(value) => value.to_string().into(),
        DataRef::DateTime(moment) => moment_text(moment).into(),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.into(),
        _ => "".into(),
    }
}

fn moment_text(moment: &ExcelDateTime) -> String {
    let (year, month, day, hour, minute, ..) = moment.to_ymd_hms_milli();
    let days = moment.as_f64();
    if (0.0..1.0).contains(&days) {
        // To the minute: a fraction of a day is seldom whole.
        let minutes = (days * 1_440.0).round() as u32;
        format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60)
    } else if days.fract() == 0.0 {
        format!("{year:04}-{month:02}-{day:02}")
    } else {
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(name: &str, bytes: &[u8]) -> Sheet {
        let upload = Upload { name: name.to_owned(), bytes: bytes.to_vec() };
        read(&upload, &mut Budget::default()).unwrap().remove(0)
    }

    #[test]
    fn what_office_programs_write_is_read_alike() {
        let expected = vec![
            (1, vec!["Mã".to_owned(), "Họ và tên".to_owned()]),
            (4, vec!["cb01".to_owned(), "Trần Văn Hòa".to_owned()]),
        ];
        let text = "Mã;Họ và  tên\r\n;\r\n# x\r\ncb01; Trần Văn Hòa \r\n";
        let utf_16: Vec<u8> =
            std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        let decomposed: String = text.nfd().collect();
        for bytes in [
            text.as_bytes(),
            format!("\u{feff}{text}").as_bytes(),
            text.replace(';', "\t").as_bytes(),
            text.replace(';', ",").as_bytes(),
            decomposed.as_bytes(),
            &utf_16,
        ] {
            let sheet = sheet("Cán bộ.csv", bytes);
            assert_eq!((sheet.name.as_str(), &sheet.rows), ("Cán bộ", &expected));
        }
    }

    #[test]
    fn what_is_no_table_is_refused_in_words() {
        for bytes in
            [&b"PK\x03\x04rubbish"[..], &[0xD0, 0xCF, 0x11, 0xE0, 1], &[0xC3, 0x28], b"a\0b"]
        {
            let upload = Upload { name: "a.xlsx".into(), bytes: bytes.to_vec() };
            assert!(read(&upload, &mut Budget::default()).is_err(), "{bytes:?}");
        }
    }
}
