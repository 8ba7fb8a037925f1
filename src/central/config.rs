//! `central.toml`, the forms and the offices it names.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::civil::Time;
use serde::Deserialize;
use toml::Spanned;

use super::address::{base_path, check_public_url, check_staff_url, is_https};
use super::listener::{Bounds, Listener, Tls};
use super::photo::{self, Photos};
use super::source::is_loopback;
use crate::config::{ConfigError, Source};
use crate::domain::form::{Form, Forms};
use crate::domain::ids::{CounterId, OfficeCode, OfficialId};
use crate::domain::office::{Counter, Directory, Office, Official, Shift};
use crate::texts::Texts;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    data: Spanned<PathBuf>,
    roots: Option<PathBuf>,
    public_url: Spanned<String>,
    staff_url: Option<Spanned<String>>,
    citizens: Spanned<SocketAddr>,
    citizens_tls: Option<TlsFiles>,
    staff: Spanned<SocketAddr>,
    staff_tls: Option<TlsFiles>,
    #[serde(default)]
    behind_proxy: bool,
    #[serde(default = "ninety")]
    keep_words_days: Spanned<u16>,
    texts: Spanned<Vec<Spanned<PathBuf>>>,
    forms: Vec<Spanned<PathBuf>>,
    offices: Vec<OfficeFile>,
}

fn ninety() -> Spanned<u16> {
    Spanned::new(0..0, 90)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsFiles {
    certificate: Spanned<PathBuf>,
    key: PathBuf,
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
    /// Where staff's browsers find it; by default where it listens for them.
    pub staff_url: Option<String>,
    /// Where it listens for citizens and kiosks.
    pub citizens: Listener,
    /// Where it listens for staff.
    pub staff: Listener,
    /// What the pages say, by language; the first is that of a phone that asked for none.
    pub texts: Vec<Texts>,
    /// All forms, old versions included.
    pub forms: Forms,
    /// All offices.
    pub offices: Vec<Directory>,
    /// Photos of their officials.
    pub photos: Photos,
    /// Words are erased after so many days, 1 to 3,650.
    pub keep_words_days: u16,
    /// Where the roots of days are handed to, if anywhere.
    pub roots: Option<PathBuf>,
}

impl Config {
    /// Reads `central.toml` and all that it names; paths are relative to it.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let source = Source::read(file)?;
        let read: File = source.toml()?;
        let base = file.parent().unwrap_or(Path::new("."));
        let (citizens, staff) = listeners(&source, base, &read)?;
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
        let keep_words_days = *read.keep_words_days.get_ref();
        if !(1..=3_650).contains(&keep_words_days) {
            let expected = "expected 1 to 3650 days";
            return Err(source.error(read.keep_words_days.span(), expected));
        }
        Ok(Self {
            data: base.join(read.data.get_ref()),
            public_url: read.public_url.into_inner().trim_end_matches('/').to_owned(),
            staff_url: read.staff_url.map(|url| url.into_inner().trim_end_matches('/').to_owned()),
            citizens,
            staff,
            texts: Texts::read_all(&source, base, &read.texts)?,
            forms,
            offices,
            photos,
            // A share may be away for a while: then the service goes on, and says so.
            keep_words_days,
            roots: read.roots.map(|folder| base.join(folder)),
        })
    }

    /// The base path of citizens' and kiosks' addresses, such as `/DANHGIA`, or nothing.
    pub fn citizens_base(&self) -> &str {
        base_path(&self.public_url)
    }

    /// The base path of staff's addresses, such as `/hai-long`, or nothing.
    pub fn staff_base(&self) -> &str {
        self.staff_url.as_deref().map_or("", base_path)
    }
}

/// Both listeners, citizens' first, with addresses that can work with them.
fn listeners(
    source: &Source<'_>,
    base: &Path,
    read: &File,
) -> Result<(Listener, Listener), ConfigError> {
    let listener = |address: &Spanned<SocketAddr>, tls: Option<&TlsFiles>, key: &str| {
        let ip = address.get_ref().ip();
        if !is_loopback(ip) && tls.is_none() && !read.behind_proxy {
            let expected = format!(
                "expected a loopback address such as 127.0.0.1:8080; off loopback, either give \
                 {key} = {{ certificate = \"…\", key = \"…\" }}, or put a reverse proxy with TLS \
                 in front and set behind_proxy = true"
            );
            return Err(source.error(address.span(), expected));
        }
        let tls = match tls {
            None => None,
            Some(files) => {
                let certificate = base.join(files.certificate.get_ref());
                let tls = Tls::read(&certificate, &base.join(&files.key));
                Some(tls.map_err(|error| source.error(files.certificate.span(), error))?)
            }
        };
        let mut bounds = Bounds::default();
        if is_loopback(ip) || read.behind_proxy {
            // All that come are the proxy, which says for whom.
            bounds.share = None;
            bounds.proxied = true;
        }
        Ok(Listener { address: *address.get_ref(), tls, bounds })
    };
    let citizens = listener(&read.citizens, read.citizens_tls.as_ref(), "citizens_tls")?;
    let staff = listener(&read.staff, read.staff_tls.as_ref(), "staff_tls")?;

    let public_url = &read.public_url;
    let wrong = |url: &Spanned<String>, expected: String| source.error(url.span(), expected);
    check_public_url(public_url.get_ref()).map_err(|expected| wrong(public_url, expected))?;
    let plain = |url: &Spanned<String>, listener: &Listener| {
        listener.tls.is_some() && !read.behind_proxy && !is_https(url.get_ref())
    };
    if plain(public_url, &citizens) {
        return Err(wrong(public_url, "expected HTTPS://, since citizens_tls is set".into()));
    }
    match &read.staff_url {
        Some(url) => {
            check_staff_url(url.get_ref()).map_err(|expected| wrong(url, expected))?;
            if plain(url, &staff) {
                return Err(wrong(url, "expected https://, since staff_tls is set".into()));
            }
            let one_line = |url: &str| url.trim_end_matches('/').to_ascii_lowercase();
            if one_line(url.get_ref()) == one_line(public_url.get_ref()) {
                return Err(wrong(url, "expected another address than public_url".into()));
            }
        }
        None if staff.tls.is_some() || !is_loopback(staff.address.ip()) => {
            let expected = "expected staff_url beside it, where staff's browsers find this \
                            listener, such as https://motcua.hungyen.gov.vn/hai-long";
            return Err(source.error(read.staff.span(), expected));
        }
        None => {}
    }
    Ok((citizens, staff))
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
