//! A summary as rows of typed cells: CSV for other programs, XLSX for people with a spreadsheet.
//!
//! Both hold what the published summary holds, digit for digit, and nothing else: what is withheld there is an
//! empty cell here.

use jiff::civil::Date;
use rust_xlsxwriter::{
    DocProperties, ExcelDateTime, Format, FormatAlign, Workbook, Worksheet, XlsxError,
};

use crate::domain::form::{About, Forms, Level, in_language};
use crate::domain::office::Directory;
use crate::domain::statistics::Interval;
use crate::domain::summary::{Levels, Row, State, Summary};
use crate::texts::Texts;

/// What a CSV's columns are called before the levels' own: the summary's keys.
const COLUMNS: [&str; 13] = [
    "office",
    "from",
    "to",
    "state",
    "part",
    "code",
    "name",
    "n",
    "withheld",
    "satisfied",
    "rate",
    "interval_low",
    "interval_high",
];

/// Why there is no spreadsheet.
#[derive(Debug, thiserror::Error)]
pub enum SpreadsheetError {
    /// It could not be written.
    #[error("the spreadsheet could not be written: {0}")]
    Xlsx(#[from] XlsxError),
    /// It could not be written.
    #[error("the table could not be written: {0}")]
    Csv(#[from] csv::Error),
}

/// Which part of a summary a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Total,
    Contact,
    Channel,
    Day,
    Counter,
    Official,
    Hour,
    Reason,
}

impl Part {
    fn word(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Contact => "contact",
            Self::Channel => "channel",
            Self::Day => "day",
            Self::Counter => "counter",
            Self::Official => "official",
            Self::Hour => "hour",
            Self::Reason => "reason",
        }
    }
}

/// One row.
struct Entry<'a> {
    part: Part,
    code: String,
    name: String,
    n: Option<u64>,
    withheld: u64,
    satisfied: Option<u64>,
    rate: Option<f64>,
    interval: Option<Interval>,
    levels: Option<&'a Levels>,
}

impl<'a> Entry<'a> {
    fn count(part: Part, code: impl Into<String>, name: impl Into<String>, n: Option<u64>) -> Self {
        let (code, name) = (code.into(), name.into());
        Self {
            part,
            code,
            name,
            n,
            withheld: 0,
            satisfied: None,
            rate: None,
            interval: None,
            levels: None,
        }
    }

    fn slice(part: Part, name: String, row: &'a Row) -> Self {
        Self {
            withheld: row.withheld,
            satisfied: row.satisfied,
            rate: row.rate,
            interval: row.interval,
            levels: row.levels.as_ref(),
            ..Self::count(part, &row.id, name, Some(row.n))
        }
    }

    fn level(&self, code: &str) -> Option<u64> {
        let levels = self.levels?;
        levels.0.iter().find(|(known, _)| known == code).map(|(_, n)| *n)
    }
}

/// A published summary, and what its codes are called.
pub struct Spreadsheet<'a> {
    summary: &'a Summary,
    directory: &'a Directory,
    forms: &'a Forms,
    texts: &'a Texts,
}

impl<'a> Spreadsheet<'a> {
    /// Of a summary, in the words of a language.
    pub fn of(
        summary: &'a Summary,
        directory: &'a Directory,
        forms: &'a Forms,
        texts: &'a Texts,
    ) -> Self {
        Self { summary, directory, forms, texts }
    }

    /// Codes and names of the levels: those of the form in force on the last day, and whatever else was answered.
    fn levels(&self) -> Vec<(String, String)> {
        let last = self.summary.last_day();
        let form = self.forms.in_force(&self.directory.office.form, last);
        let named = |level: &Level| {
            let label = in_language(&level.label, &self.texts.language);
            (level.code.clone(), label.replace('\n', " "))
        };
        let told = self.forms.levels_told(form, self.summary.answered());
        let mut levels: Vec<(String, String)> = told.into_iter().map(named).collect();
        for code in self.summary.answered() {
            if !levels.iter().any(|(known, _)| known == code) {
                levels.push((code.to_owned(), code.to_owned()));
            }
        }
        levels
    }

    fn counter(&self, row: &Row) -> String {
        let known = self.directory.counters.iter().find(|one| one.id.as_str() == row.id);
        known.map_or_else(|| row.name.clone(), |one| self.texts.counter_and_name(one))
    }

    fn entries(&self) -> Vec<Entry<'a>> {
        let (s, t) = (self.summary, &self.texts.summary);
        let mut all = vec![Entry {
            withheld: s.withheld,
            satisfied: s.satisfied,
            rate: s.rate,
            interval: s.interval,
            levels: s.levels.as_ref(),
            ..Entry::count(
                Part::Total,
                s.office.to_string(),
                &self.directory.office.name,
                Some(s.n),
            )
        }];
        let c = &s.contacts;
        let contacts = [
            ("served", &t.served, c.served),
            ("opened", &t.opened, Some(c.opened)),
            ("rated", &t.rated, Some(c.rated)),
            ("later", &t.later, Some(c.later)),
            ("invited", &t.invited_alone, Some(c.invited)),
            ("declined", &t.declined, Some(c.declined)),
            ("timed_out", &t.timed_out, Some(c.timed_out)),
            ("interrupted", &t.interrupted, Some(c.interrupted)),
        ];
        all.extend(contacts.map(|(code, name, n)| Entry::count(Part::Contact, code, name, n)));
        let channels = [
            ("counter", &t.at_counter, s.by_channel.counter),
            ("phone", &t.by_phone, s.by_channel.phone),
        ];
        all.extend(
            channels.map(|(code, name, n)| Entry::count(Part::Channel, code, name, Some(n))),
        );
        all.extend(s.by_day.iter().map(|day| Entry {
            satisfied: day.satisfied,
            rate: day.rate,
            interval: day.interval,
            ..Entry::count(Part::Day, day.date.to_string(), t.date(day.date), Some(day.n))
        }));
        all.extend(
            s.by_counter.iter().map(|row| Entry::slice(Part::Counter, self.counter(row), row)),
        );
        all.extend(
            s.by_official.iter().map(|row| Entry::slice(Part::Official, row.name.clone(), row)),
        );
        all.extend(s.by_hour.iter().map(|hour| {
            let name = crate::texts::fill(
                &t.hour_range,
                &[("from", &hour.hour), ("to", &(hour.hour + 1))],
            );
            Entry::count(Part::Hour, hour.hour.to_string(), name, Some(hour.n))
        }));
        all.extend(s.reasons.iter().map(|reason| {
            let name = self.forms.reason_text(&reason.code, &self.texts.language);
            let name = name.unwrap_or_else(|| reason.code.clone());
            Entry::count(Part::Reason, &reason.code, name, Some(reason.n))
        }));
        all
    }

    /// One table of everything, in UTF-8 with its mark, so that every program takes it for that.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn csv(&self) -> Result<Vec<u8>, SpreadsheetError> {
        let s = self.summary;
        let levels = self.levels();
        let mut table = csv::Writer::from_writer("\u{feff}".as_bytes().to_vec());
        let heads = COLUMNS.into_iter().chain(levels.iter().map(|(code, _)| code.as_str()));
        table.write_record(heads)?;
        let text = |n: Option<u64>| n.map_or_else(String::new, |n| n.to_string());
        let fraction = |one: Option<f64>| one.map_or_else(String::new, |one| format!("{one:.4}"));
        let state = serde_json::to_value(s.state).unwrap_or_default();
        for entry in self.entries() {
            let first = [
                s.office.to_string(),
                s.date.to_string(),
                s.to.unwrap_or(s.date).to_string(),
                state.as_str().unwrap_or_default().to_owned(),
                entry.part.word().to_owned(),
                entry.code.clone(),
                no_formula(&entry.name),
                text(entry.n),
                text(Some(entry.withheld).filter(|n| *n > 0)),
                text(entry.satisfied),
                fraction(entry.rate),
                fraction(entry.interval.map(|one| one.low)),
                fraction(entry.interval.map(|one| one.high)),
            ];
            let levels = levels.iter().map(|(code, _)| text(entry.level(code)));
            table.write_record(first.into_iter().chain(levels))?;
        }
        table.into_inner().map_err(|error| csv::Error::from(error.into_error()).into())
    }

    /// A workbook: the whole, then a sheet each for days, counters, officials, hours and reasons.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn xlsx(&self) -> Result<Vec<u8>, SpreadsheetError> {
        let (s, t) = (self.summary, &self.texts.summary);
        let entries = self.entries();
        let of = |part: Part| entries.iter().filter(move |entry| entry.part == part);
        let styles = Styles::new();
        let mut book = Workbook::new();
        let made = excel_date(s.to.unwrap_or(s.date))?;
        book.set_properties(&DocProperties::new().set_creation_datetime(&made));
        self.overview(book.add_worksheet(), &styles, &entries)?;
        let reason = |entry: &Entry<'_>| {
            let known = s.reasons.iter().find(|reason| reason.code == entry.code);
            known.map_or("", |reason| match reason.about {
                About::Official => &t.about_official,
                About::Procedure => &t.about_procedure,
            })
        };
        let slices = [
            (Part::Day, &t.by_day, &t.day),
            (Part::Counter, &t.by_counter, &t.counter),
            (Part::Official, &t.by_official, &t.official),
        ];
        for (part, title, first) in slices {
            if part == Part::Day && s.by_day.is_empty() {
                continue;
            }
            let sheet = begin(book.add_worksheet(), title)?;
            let mut heads = vec![first.as_str(), &t.code, &t.counts];
            heads.extend([
                &*t.withheld_n,
                &t.satisfied_ratings_n,
                &t.rate,
                &t.interval_low,
                &t.interval_high,
            ]);
            let levels = if part == Part::Day { Vec::new() } else { self.levels() };
            heads.extend(levels.iter().map(|(_, label)| label.as_str()));
            write_heads(sheet, &styles, &heads)?;
            for (row, entry) in (1..).zip(of(part)) {
                match (part, entry.code.parse::<Date>()) {
                    (Part::Day, Ok(date)) => {
                        sheet.write_datetime_with_format(
                            row,
                            0,
                            excel_date(date)?,
                            &styles.date,
                        )?;
                    }
                    _ => {
                        sheet.write_string(row, 0, &entry.name)?;
                    }
                }
                sheet.write_string(row, 1, &entry.code)?;
                write_count(sheet, row, 2, entry.n, &styles)?;
                write_count(sheet, row, 3, Some(entry.withheld).filter(|n| *n > 0), &styles)?;
                write_count(sheet, row, 4, entry.satisfied, &styles)?;
                write_fraction(sheet, row, 5, entry.rate, &styles)?;
                write_fraction(sheet, row, 6, entry.interval.map(|one| one.low), &styles)?;
                write_fraction(sheet, row, 7, entry.interval.map(|one| one.high), &styles)?;
                for (column, (code, _)) in (8..).zip(&levels) {
                    write_count(sheet, row, column, entry.level(code), &styles)?;
                }
            }
        }
        let sheet = begin(book.add_worksheet(), &t.hours)?;
        write_heads(sheet, &styles, &[&t.hour, &t.counts])?;
        for (row, entry) in (1..).zip(of(Part::Hour)) {
            sheet.write_string(row, 0, &entry.name)?;
            write_count(sheet, row, 1, entry.n, &styles)?;
        }
        let sheet = begin(book.add_worksheet(), &t.reasons)?;
        write_heads(sheet, &styles, &[&t.reason, &t.code, &t.about, &t.counts])?;
        for (row, entry) in (1..).zip(of(Part::Reason)) {
            sheet.write_string(row, 0, &entry.name)?;
            sheet.write_string(row, 1, &entry.code)?;
            sheet.write_string(row, 2, reason(entry))?;
            write_count(sheet, row, 3, entry.n, &styles)?;
        }
        Ok(book.save_to_buffer()?)
    }

    /// The first sheet: a label and a figure a row.
    fn overview(
        &self,
        sheet: &mut Worksheet,
        styles: &Styles,
        entries: &[Entry<'a>],
    ) -> Result<(), SpreadsheetError> {
        let (s, t) = (self.summary, &self.texts.summary);
        let sheet = begin(sheet, &t.overview)?;
        write_heads(sheet, styles, &[&t.office, &self.directory.office.name])?;
        let state = match s.state {
            _ if s.to.is_some() => t.period_state(s.state),
            State::Open => &t.table_open,
            State::Provisional => &t.table_provisional,
            State::Complete => &t.table_complete,
            State::Final => &t.table_final,
        };
        let mut row = 1;
        let mut next = || {
            row += 1;
            row - 1
        };
        for (label, value) in [(&t.time, t.period(s.period())), (&t.state, state.to_owned())] {
            let at = next();
            sheet.write_string(at, 0, label)?;
            sheet.write_string(at, 1, value)?;
        }
        let counts = [
            (&t.all_ratings, Some(s.n)),
            (&t.withheld_n, Some(s.withheld).filter(|n| *n > 0)),
            (&t.satisfied_ratings_n, s.satisfied),
        ];
        for (label, n) in counts {
            let at = next();
            sheet.write_string(at, 0, label)?;
            write_count(sheet, at, 1, n, styles)?;
        }
        let usual = crate::texts::fill(&t.table_usual, &[("days", &s.usual.days)]);
        let fractions = [
            (&t.rate, s.rate),
            (&t.interval_low, s.interval.map(|one| one.low)),
            (&t.interval_high, s.interval.map(|one| one.high)),
            (&usual, s.usual.rate),
            (&t.response, s.response_rate),
        ];
        for (label, fraction) in fractions {
            let at = next();
            sheet.write_string(at, 0, label)?;
            write_fraction(sheet, at, 1, fraction, styles)?;
        }
        if let Some(levels) = &s.levels {
            let names = self.levels();
            for (code, n) in &levels.0 {
                let at = next();
                let name = names.iter().find(|(known, _)| known == code);
                sheet.write_string(at, 0, name.map_or(code, |(_, name)| name))?;
                write_count(sheet, at, 1, Some(*n), styles)?;
            }
        }
        for entry in entries.iter().filter(|one| matches!(one.part, Part::Contact | Part::Channel))
        {
            let at = next();
            sheet.write_string(at, 0, &entry.name)?;
            match entry.n {
                Some(n) => write_count(sheet, at, 1, Some(n), styles)?,
                None => drop(sheet.write_string(at, 1, &t.served_unknown)?),
            }
        }
        let at = next();
        sheet.write_string(at, 0, &t.digest)?;
        sheet.write_string(at, 1, &s.digest)?;
        Ok(())
    }
}

/// How cells look.
pub(super) struct Styles {
    head: Format,
    count: Format,
    fraction: Format,
    date: Format,
}

impl Styles {
    pub fn new() -> Self {
        Self {
            head: Format::new().set_bold().set_text_wrap().set_align(FormatAlign::Top),
            count: Format::new().set_num_format("#,##0"),
            fraction: Format::new().set_num_format("0.0%"),
            date: Format::new().set_num_format("dd/mm/yyyy"),
        }
    }
}

/// A sheet of A4 whose first row stays when the others are moved.
pub(super) fn begin<'a>(
    sheet: &'a mut Worksheet,
    name: &str,
) -> Result<&'a mut Worksheet, XlsxError> {
    // A spreadsheet's own limit.
    let name: String = name.chars().filter(|one| !r"[]:*?/\".contains(*one)).take(31).collect();
    sheet.set_name(name)?;
    sheet.set_freeze_panes(1, 0)?;
    sheet.set_repeat_rows(0, 0)?;
    sheet.set_paper_size(9).set_landscape().set_print_fit_to_pages(1, 0);
    sheet.set_column_width(0, 42)?;
    for column in 1..16 {
        sheet.set_column_width(column, 14)?;
    }
    Ok(sheet)
}

pub(super) fn write_heads(
    sheet: &mut Worksheet,
    styles: &Styles,
    heads: &[&str],
) -> Result<(), XlsxError> {
    for (column, head) in (0..).zip(heads) {
        sheet.write_string_with_format(0, column, *head, &styles.head)?;
    }
    Ok(())
}

pub(super) fn write_count(
    sheet: &mut Worksheet,
    row: u32,
    column: u16,
    n: Option<u64>,
    styles: &Styles,
) -> Result<(), XlsxError> {
    if let Some(n) = n {
        sheet.write_number_with_format(row, column, n as f64, &styles.count)?;
    }
    Ok(())
}

pub(super) fn write_fraction(
    sheet: &mut Worksheet,
    row: u32,
    column: u16,
    fraction: Option<f64>,
    styles: &Styles,
) -> Result<(), XlsxError> {
    if let Some(fraction) = fraction {
        sheet.write_number_with_format(row, column, fraction, &styles.fraction)?;
    }
    Ok(())
}

pub(super) fn excel_date(date: Date) -> Result<ExcelDateTime, XlsxError> {
    let (month, day) = (date.month().unsigned_abs(), date.day().unsigned_abs());
    ExcelDateTime::from_ymd(date.year().unsigned_abs(), month, day)
}

/// A text that no spreadsheet takes for a formula when it opens a CSV.
pub(super) fn no_formula(text: &str) -> String {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => format!("'{text}"),
        _ => text.to_owned(),
    }
}
