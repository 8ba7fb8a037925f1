//! An office's folder: counters, officials, roster, and when it is open, as CSV.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use jiff::civil::{Date, Time};

use super::photo::{self, Photos};
use crate::config::{ConfigError, Source};
use crate::domain::calendar::{Calendar, Hours, OwnDay};
use crate::domain::ids::{CounterId, OfficialId};
use crate::domain::office::{Counter, Directory, Office, Official, Shift};

/// Reads and checks the folder of an office; photos of its officials are added to `photos`.
pub(super) fn read(
    folder: &Path,
    office: Office,
    photos: &mut Photos,
) -> Result<Directory, ConfigError> {
    let file = folder.join("counters.csv");
    let mut counters: Vec<Counter> = Vec::new();
    for row in table(&Source::read(&file)?, ["id", "number", "name"], 0)? {
        let (id, number, name) = (row.read(0)?, row.read(1)?, row.read(2)?);
        let counter = Counter { id, number, name, branch: String::new(), until: None };
        if counters.iter().any(|other| other.id == counter.id) {
            return Err(row.wrong(0, "expected a code of its own"));
        }
        counters.push(counter);
    }
    let file = folder.join("officials.csv");
    let mut officials: Vec<Official> = Vec::new();
    for row in table(&Source::read(&file)?, ["id", "name", "title", "photo"], 1)? {
        let (id, name, title) = (row.read(0)?, row.read(1)?, row.read(2)?);
        let file: String = row.read(3)?;
        let photo = if file.is_empty() {
            None
        } else {
            let (hash, bytes) =
                photo::read(&folder.join(file)).map_err(|error| row.wrong(3, error))?;
            photos.insert(hash, bytes);
            Some(hash)
        };
        let official = Official { id, name, title, photo, until: None };
        if officials.iter().any(|other| other.id == official.id) {
            return Err(row.wrong(0, "expected a code of its own"));
        }
        officials.push(official);
    }
    let file = folder.join("roster.csv");
    let mut roster: Vec<Shift> = Vec::new();
    for row in table(&Source::read(&file)?, ["weekdays", "counter", "official", "from", "to"], 0)? {
        let weekdays = row.weekdays(0)?;
        let counter: CounterId = row.read(1)?;
        if !counters.iter().any(|known| known.id == counter) {
            return Err(
                row.wrong(1, format!("expected a counter of counters.csv, found {counter}"))
            );
        }
        let official: OfficialId = row.read(2)?;
        if !officials.iter().any(|known| known.id == official) {
            return Err(
                row.wrong(2, format!("expected an official of officials.csv, found {official}"))
            );
        }
        let (from, to): (Time, Time) = (row.read(3)?, row.read(4)?);
        if to <= from {
            return Err(row.wrong(4, "expected a time after from"));
        }
        for weekday in weekdays {
            let clash = roster.iter().any(|other| {
                other.weekday == weekday
                    && other.counter == counter
                    && other.from < to
                    && from < other.to
            });
            if clash {
                let expected = "expected one official at a time";
                return Err(row.wrong(3, format!("{expected}; {counter} has another then")));
            }
            let (counter, official) = (counter.clone(), official.clone());
            roster.push(Shift { weekday, counter, official, from, to });
        }
    }
    let calendar = Some(read_calendar(folder, &office, &roster)?);
    Ok(Directory { office, counters, officials, roster, calendar, signals: None })
}

/// The hours of `hours.csv`, or else from opening to closing on days on which somebody is on the
/// roster; and the days of `calendar.csv`. Both files may be missing.
fn read_calendar(
    folder: &Path,
    office: &Office,
    roster: &[Shift],
) -> Result<Calendar, ConfigError> {
    let mut calendar = Calendar::default();
    let file = folder.join("hours.csv");
    if file.is_file() {
        for row in table(&Source::read(&file)?, ["weekdays", "from", "to"], 0)? {
            let (from, to) = row.span(1, office)?;
            for weekday in row.weekdays(0)? {
                let of_day = calendar.hours.iter().filter(|hours| hours.weekday == weekday);
                if of_day.into_iter().any(|hours| hours.from < to && from < hours.to) {
                    return Err(row.wrong(1, "expected hours that are not named before"));
                }
                calendar.hours.push(Hours { weekday, from, to });
            }
        }
    } else {
        let works = |weekday: &i8| roster.iter().any(|shift| shift.weekday == *weekday);
        let (from, to) = (office.opens, office.closes);
        let hours = |weekday| Hours { weekday, from, to };
        calendar.hours.extend((1..=7).filter(works).map(hours));
    }
    let file = folder.join("calendar.csv");
    if file.is_file() {
        for row in table(&Source::read(&file)?, ["date", "name", "from", "to"], 2)? {
            let (date, name): (Date, String) = (row.read(0)?, row.read(1)?);
            if name.is_empty() {
                return Err(row.wrong(1, "expected what the day is called"));
            }
            let off = (2..4).all(|column| row.record.get(column).unwrap_or_default().is_empty());
            let hours = if off { None } else { Some(row.span(2, office)?) };
            let apart = |other: &OwnDay| match (other.hours, hours) {
                (Some(one), Some(other)) => one.1 <= other.0 || other.1 <= one.0,
                _ => false,
            };
            if calendar.days.iter().any(|other| other.date == date && !apart(other)) {
                return Err(row.wrong(0, "expected a day that is not named before"));
            }
            calendar.days.push(OwnDay { date, name, hours });
        }
    }
    Ok(calendar)
}

fn weekdays(text: &str) -> Option<Vec<i8>> {
    let day = |text: &str| text.trim().parse::<i8>().ok().filter(|day| (1..=7).contains(day));
    match text.split_once('-') {
        Some((from, to)) => {
            let (from, to) = (day(from)?, day(to)?);
            (from <= to).then(|| (from..=to).collect())
        }
        None => day(text).map(|day| vec![day]),
    }
}

/// A row of a CSV file, and where each of its fields begins.
pub(super) struct Row<'a, const N: usize> {
    source: &'a Source<'a>,
    columns: [&'static str; N],
    record: csv::StringRecord,
    fields: Vec<usize>,
}

impl<const N: usize> Row<'_, N> {
    pub(super) fn read<T: FromStr<Err: fmt::Display>>(
        &self,
        column: usize,
    ) -> Result<T, ConfigError> {
        let field = self.record.get(column).unwrap_or_default();
        field.parse().map_err(|error| {
            let name = self.columns.get(column).copied().unwrap_or_default();
            self.wrong(column, format!("{name}: {error}"))
        })
    }

    fn weekdays(&self, column: usize) -> Result<Vec<i8>, ConfigError> {
        let days: String = self.read(column)?;
        weekdays(&days).ok_or_else(|| {
            let expected = "expected weekdays such as 1-5 or 6 (1 is Monday)";
            self.wrong(column, format!("{expected}, found {days:?}"))
        })
    }

    /// From when to when an office is open: this column and the next.
    fn span(&self, column: usize, office: &Office) -> Result<(Time, Time), ConfigError> {
        let (from, to): (Time, Time) = (self.read(column)?, self.read(column + 1)?);
        let (opens, closes) = (office.opens, office.closes);
        if from < opens {
            let expected = format!("expected {opens} or later, when the office opens");
            return Err(self.wrong(column, expected));
        }
        if to <= from {
            return Err(self.wrong(column + 1, "expected a time after from"));
        }
        if to > closes {
            let expected = format!("expected {closes} or earlier, when the office closes");
            return Err(self.wrong(column + 1, expected));
        }
        Ok((from, to))
    }

    pub(super) fn wrong(&self, column: usize, message: impl fmt::Display) -> ConfigError {
        let at = self.fields.get(column).or(self.fields.last()).copied().unwrap_or_default();
        self.source.error(at..at, message)
    }
}

/// The rows of a CSV file that has exactly these columns; the last `optional` ones may be missing,
/// and then read as empty.
pub(super) fn table<'a, const N: usize>(
    source: &'a Source<'a>,
    columns: [&'static str; N],
    optional: usize,
) -> Result<Vec<Row<'a, N>>, ConfigError> {
    let least = N - optional;
    let mut expected = format!("expected the columns {}", columns[..least].join(","));
    for column in &columns[least..] {
        expected = format!("{expected} and perhaps {column}");
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(source.text().as_bytes());
    let mut rows = Vec::new();
    let mut headed: Option<usize> = None;
    for record in reader.records() {
        let record = record.map_err(|error| source.error(0..0, error))?;
        let after = record.position().map_or(0, |position| position.byte() as usize);
        let fields = fields(source.text(), after);
        let row = Row { source, columns, record, fields };
        match headed {
            None => {
                let same = row.record.iter().zip(columns).take_while(|(a, b)| a == b).count();
                if same < least || row.record.len() > same {
                    return Err(row.wrong(same, expected));
                }
                headed = Some(same);
            }
            Some(columns) if row.record.len() != columns => {
                let found = row.record.len();
                return Err(row.wrong(0, format!("{expected}, found {found} fields")));
            }
            Some(_) => rows.push(row),
        }
    }
    if headed.is_some() { Ok(rows) } else { Err(source.error(0..0, expected)) }
}

/// Where each field of the record after `after` begins; comments and empty lines are passed over.
fn fields(text: &str, after: usize) -> Vec<usize> {
    let mut start = after;
    for line in text.get(after..).unwrap_or_default().split_inclusive('\n') {
        if !line.trim_end_matches(['\r', '\n']).is_empty() && !line.starts_with('#') {
            break;
        }
        start += line.len();
    }
    let record = text.get(start..).unwrap_or_default();
    let mut fields = vec![start];
    let mut quoted = false;
    for (place, letter) in record.char_indices() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(start + place + 1),
            '\n' if !quoted => break,
            _ => {}
        }
    }
    // A field begins with its first letter.
    let blank = |at: usize| {
        let field = &text[at..];
        field.len() - field.trim_start_matches(' ').len()
    };
    fields.into_iter().map(|at| at + blank(at)).collect()
}
