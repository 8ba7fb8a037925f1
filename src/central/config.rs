//! `central.toml`, the forms and the offices it names.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::civil::Time;
use serde::Deserialize;
use toml::Spanned;

use crate::config::{ConfigError, Source};
use crate::domain::form::{Form, Forms};
use crate::domain::ids::{CounterId, OfficeCode, OfficialId};
use crate::domain::office::{Counter, Directory, Office, Official, Shift};
use crate::domain::ticket::fits_qr;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    data: Spanned<PathBuf>,
    public_url: Spanned<String>,
    citizens: Spanned<SocketAddr>,
    staff: Spanned<SocketAddr>,
    #[serde(default)]
    behind_proxy: bool,
    notice: Vec<String>,
    forms: Vec<Spanned<PathBuf>>,
    offices: Vec<OfficeFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfficeFile {
    code: Spanned<OfficeCode>,
    name: String,
    form: Spanned<String>,
    opens: Time,
    closes: Spanned<Time>,
    directory: Spanned<PathBuf>,
}

/// All that the central service is told at start.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where its database and keys lie.
    pub data: PathBuf,
    /// Where citizens' phones find it; fits an alphanumeric QR code.
    pub public_url: String,
    /// Where it listens for citizens and kiosks.
    pub citizens: SocketAddr,
    /// Where it listens for staff.
    pub staff: SocketAddr,
    /// What the law asks to be told on the phone's page, paragraph by paragraph.
    pub notice: Vec<String>,
    /// All forms, old versions included.
    pub forms: Forms,
    /// All offices.
    pub offices: Vec<Directory>,
}

impl Config {
    /// Reads `central.toml` and all that it names; paths are relative to it.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let source = Source::read(file)?;
        let read: File = source.toml()?;
        let base = file.parent().unwrap_or(Path::new("."));
        check_public_url(read.public_url.get_ref())
            .map_err(|expected| source.error(read.public_url.span(), expected))?;
        for listener in [&read.citizens, &read.staff] {
            if !listener.get_ref().ip().is_loopback() && !read.behind_proxy {
                return Err(source.error(
                    listener.span(),
                    "expected a loopback address such as 127.0.0.1:8080; off loopback, put a \
                     reverse proxy with TLS in front and set behind_proxy = true",
                ));
            }
        }
        let mut forms = Vec::new();
        for path in &read.forms {
            forms.push(read_form(&base.join(path.get_ref()))?);
        }
        let forms = Forms::new(forms);
        let mut offices = Vec::new();
        let mut codes = BTreeSet::new();
        for office in read.offices {
            if !codes.insert(office.code.get_ref().clone()) {
                return Err(source.error(office.code.span(), "expected a code of its own"));
            }
            if !forms.iter().any(|form| form.code == *office.form.get_ref()) {
                return Err(source.error(
                    office.form.span(),
                    format!("expected a form named in forms, found {:?}", office.form.get_ref()),
                ));
            }
            if *office.closes.get_ref() <= office.opens {
                return Err(source.error(office.closes.span(), "expected a time after opens"));
            }
            let folder = base.join(office.directory.get_ref());
            if !folder.is_dir() {
                return Err(source.error(
                    office.directory.span(),
                    "expected a folder with counters.csv, officials.csv and roster.csv",
                ));
            }
            let office = Office {
                code: office.code.into_inner(),
                name: office.name,
                form: office.form.into_inner(),
                opens: office.opens,
                closes: office.closes.into_inner(),
            };
            offices.push(read_directory(&folder, office)?);
        }
        Ok(Self {
            data: base.join(read.data.get_ref()),
            public_url: read.public_url.into_inner().trim_end_matches('/').to_owned(),
            citizens: read.citizens.into_inner(),
            staff: read.staff.into_inner(),
            notice: read.notice,
            forms,
            offices,
        })
    }
}

/// Whether an address may stand on tickets' QR codes.
pub fn check_public_url(url: &str) -> Result<(), String> {
    let scheme = url.starts_with("HTTP://") || url.starts_with("HTTPS://");
    if scheme && fits_qr(url) && url.len() <= 60 {
        Ok(())
    } else {
        Err("expected an address in capitals, digits and $%*+-./: of at most 60 characters, such \
             as HTTPS://DANHGIA.HUNGYEN.GOV.VN, so that its QR code stays small"
            .into())
    }
}

/// Reads and checks one version of a form.
pub fn read_form(file: &Path) -> Result<Form, ConfigError> {
    let source = Source::read(file)?;
    let form: Form = source.toml()?;
    form.check().map_err(|bad| {
        // The sentence begins with the code or key that it is about: point there.
        let about = bad.to_string();
        let word = about.split([':', ' ']).next().unwrap_or_default().to_owned();
        let at = source.text().find(&word).unwrap_or(0);
        source.error(at..at, about)
    })?;
    Ok(form)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RosterRow {
    weekdays: String,
    counter: CounterId,
    official: OfficialId,
    from: Time,
    to: Time,
}

fn read_directory(folder: &Path, office: Office) -> Result<Directory, ConfigError> {
    let counters: Vec<Counter> = table(&folder.join("counters.csv"))?.0;
    let officials: Vec<Official> = table(&folder.join("officials.csv"))?.0;
    let file = folder.join("roster.csv");
    let (rows, places): (Vec<RosterRow>, Vec<Vec<(usize, usize)>>) = table(&file)?;
    let mut roster: Vec<Shift> = Vec::new();
    for (row, place) in rows.into_iter().zip(places) {
        let wrong = |column: usize, expected: String| {
            let (line, column) = place.get(column).copied().unwrap_or((1, 1));
            ConfigError::at(&file, line, column, expected)
        };
        let weekdays = weekdays(&row.weekdays).ok_or_else(|| {
            wrong(
                0,
                format!(
                    "expected weekdays such as 1-5 or 6 (1 is Monday), found {:?}",
                    row.weekdays
                ),
            )
        })?;
        if !counters.iter().any(|counter| counter.id == row.counter) {
            return Err(wrong(
                1,
                format!("expected a counter of counters.csv, found {}", row.counter),
            ));
        }
        if !officials.iter().any(|official| official.id == row.official) {
            return Err(wrong(
                2,
                format!("expected an official of officials.csv, found {}", row.official),
            ));
        }
        if row.to <= row.from {
            return Err(wrong(4, "expected a time after from".into()));
        }
        for weekday in weekdays {
            let clash = roster.iter().any(|other| {
                other.weekday == weekday
                    && other.counter == row.counter
                    && other.from < row.to
                    && row.from < other.to
            });
            if clash {
                let counter = &row.counter;
                return Err(wrong(
                    3,
                    format!("expected one official at a time; {counter} has another then"),
                ));
            }
            roster.push(Shift {
                weekday,
                counter: row.counter.clone(),
                official: row.official.clone(),
                from: row.from,
                to: row.to,
            });
        }
    }
    Ok(Directory { office, counters, officials, roster })
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

/// The rows of a CSV file, and for each row the line and column of each field.
type Table<T> = (Vec<T>, Vec<Vec<(usize, usize)>>);

fn table<T: serde::de::DeserializeOwned>(file: &Path) -> Result<Table<T>, ConfigError> {
    let source = Source::read(file)?;
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(source.text().trim_start_matches('\u{feff}').as_bytes());
    let headers = reader.headers().cloned().map_err(|error| csv_error(file, &error, &[]))?;
    let mut rows = Vec::new();
    let mut places = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| csv_error(file, &error, &[]))?;
        let line = record.position().map_or(1, |position| position.line() as usize);
        let mut column = 1;
        let mut place = Vec::new();
        for field in &record {
            place.push((line, column));
            column += field.chars().count() + 1;
        }
        let row =
            record.deserialize(Some(&headers)).map_err(|error| csv_error(file, &error, &place))?;
        rows.push(row);
        places.push(place);
    }
    Ok((rows, places))
}

fn csv_error(file: &Path, error: &csv::Error, place: &[(usize, usize)]) -> ConfigError {
    if let csv::ErrorKind::Deserialize { pos, err } = error.kind() {
        let field = err.field().and_then(|field| place.get(field as usize)).copied();
        let line = pos.as_ref().map_or(1, |pos| pos.line() as usize);
        let (line, column) = field.unwrap_or((line, 1));
        return ConfigError::at(file, line, column, err.kind());
    }
    match error.position() {
        Some(position) => ConfigError::at(file, position.line() as usize, 1, error),
        None => ConfigError::of_file(file, error),
    }
}
