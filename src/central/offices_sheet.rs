//! Offices beside each other as a spreadsheet: a line for each, digit for digit what the page shows.

use rust_xlsxwriter::{DocProperties, Workbook};

use super::spreadsheet::{
    SpreadsheetError, Styles, begin, excel_date, no_formula, write_count, write_fraction,
    write_heads,
};
use crate::domain::comparison::{Comparison, Line};
use crate::texts::Texts;

/// What a CSV's columns are called: the keys of the JSON.
const COLUMNS: [&str; 19] = [
    "office",
    "name",
    "form",
    "from",
    "to",
    "state",
    "n",
    "withheld",
    "satisfied",
    "rate",
    "interval_low",
    "interval_high",
    "usual_n",
    "usual_rate",
    "against",
    "response_rate",
    "down",
    "dark_kiosks",
    "signals",
];

fn lines(offices: &Comparison) -> impl Iterator<Item = (&str, &Line)> {
    let groups = offices.groups.iter();
    groups.flat_map(|group| group.offices.iter().map(|line| (group.form.as_str(), line)))
}

fn word(value: impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// One table, in UTF-8 with its mark.
///
/// # Errors
/// When it cannot be written.
pub(super) fn csv(offices: &Comparison) -> Result<Vec<u8>, SpreadsheetError> {
    let mut table = csv::Writer::from_writer("\u{feff}".as_bytes().to_vec());
    table.write_record(COLUMNS)?;
    let text = |n: Option<u64>| n.map_or_else(String::new, |n| n.to_string());
    let fraction = |one: Option<f64>| one.map_or_else(String::new, |one| format!("{one:.4}"));
    for (form, line) in lines(offices) {
        table.write_record([
            line.office.to_string(),
            no_formula(&line.name),
            form.to_owned(),
            offices.date.to_string(),
            offices.to.unwrap_or(offices.date).to_string(),
            word(line.state),
            text(Some(line.n)),
            text(Some(line.withheld).filter(|n| *n > 0)),
            text(line.satisfied),
            fraction(line.rate),
            fraction(line.interval.map(|one| one.low)),
            fraction(line.interval.map(|one| one.high)),
            text(Some(line.usual.n)),
            fraction(line.usual.rate),
            word(line.against),
            fraction(line.response_rate),
            line.down.to_string(),
            line.dark_kiosks.to_string(),
            line.signals.to_string(),
        ])?;
    }
    table.into_inner().map_err(|error| csv::Error::from(error.into_error()).into())
}

/// A workbook of one sheet.
///
/// # Errors
/// When it cannot be written.
pub(super) fn xlsx(offices: &Comparison, texts: &Texts) -> Result<Vec<u8>, SpreadsheetError> {
    let (t, o) = (&texts.summary, &texts.offices);
    let styles = Styles::new();
    let mut book = Workbook::new();
    let made = excel_date(offices.to.unwrap_or(offices.date))?;
    book.set_properties(&DocProperties::new().set_creation_datetime(&made));
    let sheet = begin(book.add_worksheet(), &o.title)?;
    let usual = crate::texts::fill(&t.table_usual, &[("days", &90)]);
    let heads: [&str; 15] = [
        &t.office,
        &t.code,
        &t.time,
        &t.state,
        &t.counts,
        &t.withheld_n,
        &t.satisfied_ratings_n,
        &t.rate,
        &t.interval_low,
        &t.interval_high,
        &usual,
        &t.response,
        &o.down_n,
        &o.dark_n,
        &o.signals_n,
    ];
    write_heads(sheet, &styles, &heads)?;
    for (row, (_, line)) in (1..).zip(lines(offices)) {
        sheet.write_string(row, 0, &line.name)?;
        sheet.write_string(row, 1, line.office.as_str())?;
        sheet.write_string(row, 2, t.period(offices.period()))?;
        sheet.write_string(row, 3, t.period_state(line.state))?;
        write_count(sheet, row, 4, Some(line.n), &styles)?;
        write_count(sheet, row, 5, Some(line.withheld).filter(|n| *n > 0), &styles)?;
        write_count(sheet, row, 6, line.satisfied, &styles)?;
        write_fraction(sheet, row, 7, line.rate, &styles)?;
        write_fraction(sheet, row, 8, line.interval.map(|one| one.low), &styles)?;
        write_fraction(sheet, row, 9, line.interval.map(|one| one.high), &styles)?;
        write_fraction(sheet, row, 10, line.usual.rate, &styles)?;
        match line.response_rate {
            Some(_) => write_fraction(sheet, row, 11, line.response_rate, &styles)?,
            None => drop(sheet.write_string(row, 11, &t.served_unknown)?),
        }
        for (column, n) in (12..).zip([line.down, line.dark_kiosks, line.signals]) {
            write_count(sheet, row, column, Some(n as u64), &styles)?;
        }
    }
    Ok(book.save_to_buffer()?)
}
