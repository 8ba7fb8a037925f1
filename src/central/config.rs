//! `central.toml`, the forms and the offices it names.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Time;
use serde::Deserialize;
use toml::Spanned;

use super::address::{base_path, check_public_url, check_staff_url, is_https};
use super::delivery::config::{MailConfig, MailFile};
use super::directory;
use super::photo::Photos;
use super::procedures::{self, Posted};
use super::source::Approach;
use super::staff_code;
use crate::config::{ConfigError, Source};
use crate::domain::decision::KEPT_DAYS;
use crate::domain::form::{Form, Forms};
use crate::domain::ids::OfficeCode;
use crate::domain::office::{Directory, Office};
use crate::domain::report::Limits;
use crate::domain::signals::Thresholds;
use crate::domain::staff_code::StaffCodes;
use crate::listener::{Bounds, Listener, Tls};
use crate::source::is_loopback;
use crate::texts::Texts;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    data: Spanned<PathBuf>,
    roots: Option<PathBuf>,
    summaries: Option<PathBuf>,
    mail: Option<MailFile>,
    #[serde(default)]
    report_days: Option<Spanned<Limits>>,
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
    #[serde(default = "five_years")]
    keep_answers_days: Spanned<u16>,
    texts: Spanned<Vec<Spanned<PathBuf>>>,
    forms: Vec<Spanned<PathBuf>>,
    #[serde(default)]
    offices: Vec<OfficeFile>,
    #[serde(default)]
    signals: BTreeMap<Spanned<String>, Spanned<u32>>,
}

fn ninety() -> Spanned<u16> {
    Spanned::new(0..0, 90)
}

fn five_years() -> Spanned<u16> {
    Spanned::new(0..0, 1_826)
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
    /// How requests come to it.
    pub citizens_approach: Approach,
    /// Where it listens for staff.
    pub staff: Listener,
    /// How requests come to it.
    pub staff_approach: Approach,
    /// What the pages say, by language; the first is that of a phone that asked for none.
    pub texts: Vec<Texts>,
    /// All forms, old versions included.
    pub forms: Forms,
    /// The code of the form of an office of which that is not said: the first that is named.
    pub first_form: String,
    /// The offices that are kept in files; others are kept in the store.
    pub offices: Vec<Directory>,
    /// From when on a pattern is a signal.
    pub signals: Thresholds,
    /// Photos of their officials.
    pub photos: Photos,
    /// The folder of each office.
    pub folders: BTreeMap<OfficeCode, PathBuf>,
    /// The codes of each office's staff, as hashes; of offices that have none, nothing.
    pub staff_codes: BTreeMap<OfficeCode, StaffCodes>,
    /// The procedures that each office posts, if it does.
    pub procedures: BTreeMap<OfficeCode, Posted>,
    /// Words are erased after so many days, 1 to 3,650.
    pub keep_words_days: u16,
    /// Answers are erased after so many days, 366 to 36,500, and not before their words.
    pub keep_answers_days: u16,
    /// The program that draws kiosks' screens: this one.
    pub drawing: PathBuf,
    /// Where the roots of days are handed to, if anywhere.
    pub roots: Option<PathBuf>,
    /// Where each day's summaries go as files, if anywhere.
    pub summaries: Option<PathBuf>,
    /// By when reports of violations are handled.
    pub report_days: Limits,
    /// Where mail is handed over and who gets it, if anybody does.
    pub mail: Option<MailConfig>,
}

impl Config {
    /// Reads `central.toml` and all that it names; paths are relative to it.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let source = Source::read(file)?;
        let read: File = source.toml()?;
        let base = file.parent().unwrap_or(Path::new("."));
        let listeners = listeners(&source, base, &read)?;
        let [(citizens, citizens_approach), (staff, staff_approach)] = listeners;
        let texts = Texts::read_all(&source, base, &read.texts)?;
        let mut forms: Vec<Form> = Vec::new();
        for path in &read.forms {
            let file = base.join(path.get_ref());
            if !file.is_file() {
                return Err(source.error(path.span(), "expected the file of a form"));
            }
            let form = form_of(&Source::read(&file)?, &texts)?;
            if forms.iter().any(|other| other.reference() == form.reference()) {
                let named = format!("expected each form once, found {} again", form.reference());
                return Err(source.error(path.span(), named));
            }
            forms.push(form);
        }
        let first_form = forms.first().map(|form| form.code.clone()).unwrap_or_default();
        let forms = Forms::new(forms);
        let signals = thresholds(&source, &read.signals)?;
        let (mut offices, mut photos) = (Vec::new(), Photos::new());
        let (mut folders, mut staff_codes) = (BTreeMap::new(), BTreeMap::new());
        let mut posted = BTreeMap::new();
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
                former: Vec::new(),
                ended: None,
            };
            let directory = directory::read(&folder, office, &mut photos)?;
            let code = &directory.office.code;
            staff_codes.insert(code.clone(), staff_code::read(&folder, &directory)?);
            if let Some(list) = procedures::read(&folder)? {
                posted.insert(code.clone(), list);
            }
            folders.insert(code.clone(), folder);
            offices.push(Directory { signals: Some(signals), ..directory });
        }
        let keep_words_days = *read.keep_words_days.get_ref();
        if !(1..=3_650).contains(&keep_words_days) {
            let expected = "expected 1 to 3650 days";
            return Err(source.error(read.keep_words_days.span(), expected));
        }
        let keep_answers_days = *read.keep_answers_days.get_ref();
        let least = i64::from(keep_words_days).max(KEPT_DAYS);
        if !(least..=36_500).contains(&i64::from(keep_answers_days)) {
            let expected = "expected 366 to 36500 days, and no fewer than keep_words_days";
            return Err(source.error(read.keep_answers_days.span(), expected));
        }
        let report_days = match &read.report_days {
            Some(days) if !days.get_ref().are_possible() => {
                return Err(source.error(days.span(), "expected 1 to 250 working days each"));
            }
            days => days.as_ref().map(|days| *days.get_ref()).unwrap_or_default(),
        };
        let mail = read.mail.map(|mail| MailConfig::read(&source, base, mail, &texts));
        Ok(Self {
            data: base.join(read.data.get_ref()),
            public_url: read.public_url.into_inner().trim_end_matches('/').to_owned(),
            staff_url: read.staff_url.map(|url| url.into_inner().trim_end_matches('/').to_owned()),
            citizens,
            citizens_approach,
            staff,
            staff_approach,
            texts,
            forms,
            first_form,
            offices,
            signals,
            photos,
            folders,
            staff_codes,
            procedures: posted,
            drawing: std::env::current_exe().unwrap_or_default(),
            // A share may be away for a while: then the service goes on, and says so.
            keep_words_days,
            keep_answers_days,
            roots: read.roots.map(|folder| base.join(folder)),
            summaries: read.summaries.map(|folder| base.join(folder)),
            report_days,
            mail: mail.transpose()?,
        })
    }

    /// Adds what lies on this machine for offices that are kept in the store: codes of staff and posted
    /// procedures, in a folder of each under `offices` in the data folder, if there is one.
    ///
    /// # Errors
    /// When a file there is not what it should be.
    pub fn add_folders_of(&mut self, offices: &[Arc<Directory>]) -> Result<(), ConfigError> {
        for directory in offices {
            let code = &directory.office.code;
            if self.folders.contains_key(code) {
                continue;
            }
            let folder = self.data.join("offices").join(code.as_str());
            self.staff_codes.insert(code.clone(), staff_code::read(&folder, directory)?);
            if let Some(list) = procedures::read(&folder)? {
                self.procedures.insert(code.clone(), list);
            }
            self.folders.insert(code.clone(), folder);
        }
        Ok(())
    }

    /// The base path of citizens' and kiosks' addresses, such as `/DANHGIA`, or nothing.
    pub fn citizens_base(&self) -> &str {
        base_path(&self.public_url)
    }

    /// Where staff's browsers find the service, such as `https://motcua.hungyen.gov.vn/hai-long`.
    pub fn staff_address(&self) -> String {
        self.staff_url.clone().unwrap_or_else(|| format!("http://{}", self.staff.address))
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
) -> Result<[(Listener, Approach); 2], ConfigError> {
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
        let (mut bounds, mut approach) = (Bounds::default(), Approach::default());
        if is_loopback(ip) || read.behind_proxy {
            // All that come are the proxy, which says for whom.
            bounds.share = None;
            approach.proxied = true;
        }
        Ok((Listener { address: *address.get_ref(), tls, bounds }, approach))
    };
    let (citizens, citizens_approach) =
        listener(&read.citizens, read.citizens_tls.as_ref(), "citizens_tls")?;
    let (staff, staff_approach) = listener(&read.staff, read.staff_tls.as_ref(), "staff_tls")?;

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
    Ok([(citizens, citizens_approach), (staff, staff_approach)])
}

/// Reads one version of a form, and checks it beside all texts.
///
/// # Errors
/// Where it is not one.
pub fn form_of(source: &Source<'_>, texts: &[Texts]) -> Result<Form, ConfigError> {
    let form: Form = source.toml()?;
    let own = || texts.iter().try_for_each(|texts| texts.check_own(&form));
    form.check().and_then(|()| own()).map_err(|bad| source.error_at(&bad.path, &bad.message))?;
    Ok(form)
}

/// The thresholds named, and the others as they are by default.
fn thresholds(
    source: &Source<'_>,
    named: &BTreeMap<Spanned<String>, Spanned<u32>>,
) -> Result<Thresholds, ConfigError> {
    let mut all = serde_json::to_value(Thresholds::default()).unwrap_or_default();
    for (name, value) in named {
        let Some(threshold) = all.get_mut(name.get_ref()) else {
            return Err(source.error(name.span(), "expected a threshold of a signal"));
        };
        let bounds = Thresholds::bounds(name.get_ref());
        if !bounds.contains(value.get_ref()) {
            let expected = format!("expected {} to {}", bounds.start(), bounds.end());
            return Err(source.error(value.span(), expected));
        }
        *threshold = (*value.get_ref()).into();
    }
    serde_json::from_value(all).map_err(|error| source.error(0..0, error))
}
