//! `central.toml`, the forms and the offices it names.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::civil::Time;
use serde::Deserialize;
use toml::Spanned;

use super::photo::{self, Photos};
use crate::config::{ConfigError, Source};
use crate::domain::form::{Form, Forms};
use crate::domain::ids::{CounterId, OfficeCode, OfficialId};
use crate::domain::office::{Counter, Directory, Office, Official, Shift};
use crate::domain::ticket::fits_qr;
use crate::texts::Texts;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    data: Spanned<PathBuf>,
    public_url: Spanned<String>,
    citizens: Spanned<SocketAddr>,
    staff: Spanned<SocketAddr>,
    #[serde(default)]
    behind_proxy: bool,
    texts: Spanned<Vec<Spanned<PathBuf>>>,
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
    /// What the pages say, by language; the first is that of a phone that asked for none.
    pub texts: Vec<Texts>,
    /// All forms, old versions included.
    pub forms: Forms,
    /// All offices.
    pub offices: Vec<Directory>,
    /// Photos of their officials.
    pub photos: Photos,
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
        let mut forms: Vec<Form> = Vec::new();
        for path in &read.forms {
            let file = base.join(path.get_ref());
            if !file.is_file() {
                return Err(source.error(path.span(), "expected the file of a form"));
            }
            let form = read_form(&file)?;
            if forms.iter().any(|other| other.reference() == form.reference()) {
                let named = format!("expected each form once, found {} again", form.reference());
                return Err(source.error(path.span(), named));
            }
            forms.push(form);
        }
        let forms = Forms::new(forms);
        let (mut offices, mut photos) = (Vec::new(), Photos::new());
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
            offices.push(read_directory(&folder, office, &mut photos)?);
        }
        Ok(Self {
            data: base.join(read.data.get_ref()),
            public_url: read.public_url.into_inner().trim_end_matches('/').to_owned(),
            citizens: read.citizens.into_inner(),
            staff: read.staff.into_inner(),
            texts: Texts::read_all(&source, base, &read.texts)?,
            forms,
            offices,
            photos,
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
    form.check().map_err(|bad| source.error_at(&bad.path, &bad.message))?;
    Ok(form)
}

fn read_directory(
    folder: &Path,
    office: Office,
    photos: &mut Photos,
) -> Result<Directory, ConfigError> {
    let file = folder.join("counters.csv");
    let mut counters: Vec<Counter> = Vec::new();
    for row in table(&Source::read(&file)?, ["id", "number", "name"], 0)? {
        let counter = Counter { id: row.read(0)?, number: row.read(1)?, name: row.read(2)? };
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
        let official = Official { id, name, title, photo };
        if officials.iter().any(|other| other.id == official.id) {
            return Err(row.wrong(0, "expected a code of its own"));
        }
        officials.push(official);
    }
    let file = folder.join("roster.csv");
    let mut roster: Vec<Shift> = Vec::new();
    for row in table(&Source::read(&file)?, ["weekdays", "counter", "official", "from", "to"], 0)? {
        let days: String = row.read(0)?;
        let weekdays = weekdays(&days).ok_or_else(|| {
            let expected = "expected weekdays such as 1-5 or 6 (1 is Monday)";
            row.wrong(0, format!("{expected}, found {days:?}"))
        })?;
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

/// A row of a CSV file, and where each of its fields begins.
struct Row<'a, const N: usize> {
    source: &'a Source<'a>,
    columns: [&'static str; N],
    record: csv::StringRecord,
    fields: Vec<usize>,
}

impl<const N: usize> Row<'_, N> {
    fn read<T: FromStr<Err: fmt::Display>>(&self, column: usize) -> Result<T, ConfigError> {
        let field = self.record.get(column).unwrap_or_default();
        field.parse().map_err(|error| {
            let name = self.columns.get(column).copied().unwrap_or_default();
            self.wrong(column, format!("{name}: {error}"))
        })
    }

    fn wrong(&self, column: usize, message: impl fmt::Display) -> ConfigError {
        let at = self.fields.get(column).or(self.fields.last()).copied().unwrap_or_default();
        self.source.error(at..at, message)
    }
}

/// The rows of a CSV file that has exactly these columns; the last `optional` ones may be missing,
/// and then read as empty.
fn table<'a, const N: usize>(
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
