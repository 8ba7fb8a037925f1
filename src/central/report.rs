//! The daily summary read from a data folder, beside a service that may be running there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::config::Config;
use super::final_days::FinalDays;
use super::service::DEMO_MARK;
use super::spreadsheet::Spreadsheet;
use super::store::sqlite::{self, SqliteStore};
use super::store::{Store, StoreError};
use super::summary::{Summaries, SummaryError};
use super::table;
use crate::domain::form::{Form, Forms};
use crate::domain::office::Directory;
use crate::domain::period::Period;
use crate::domain::summary::Summary;
use crate::domain::time::At;
use crate::texts::Texts;

/// What the service was last started with, kept beside the database so that it can be read alone.
const FILE: &str = "setting.json";

#[derive(Serialize, Deserialize)]
pub(super) struct Setting {
    pub offices: Vec<Directory>,
    pub forms: Vec<Form>,
    pub texts: Vec<Texts>,
    /// Where staff's browsers find the service.
    #[serde(default)]
    pub staff_url: String,
}

impl Setting {
    /// The offices, to be shared.
    pub fn shared_offices(&self) -> Vec<Arc<Directory>> {
        self.offices.iter().cloned().map(Arc::new).collect()
    }

    /// The folder of a store, which is `folder` or its folder `central`, and the setting in it.
    pub fn find(folder: &Path) -> Result<(PathBuf, Self), ReportError> {
        let inner = folder.join("central");
        let folder = if inner.join(sqlite::FILE).exists() { inner } else { folder.to_owned() };
        if !folder.join(sqlite::FILE).exists() {
            return Err(ReportError::NoStore(folder));
        }
        let file = folder.join(FILE);
        let setting = std::fs::read(&file)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .ok_or(ReportError::Setting(file))?;
        Ok((folder, setting))
    }
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// No store in the folder.
    #[error("{0} holds no central.db; name the central service's data folder with --data")]
    NoStore(PathBuf),
    /// The setting beside the store is missing or damaged.
    #[error("{0} cannot be read; start the central service once on this folder")]
    Setting(PathBuf),
    /// Which office is meant is not clear.
    #[error("name an office with --office: {0}")]
    Office(String),
    /// Nothing happened yet.
    #[error("there is no day with a contact yet")]
    NoDay,
    /// The language.
    #[error(transparent)]
    Language(#[from] NoLanguage),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The summary.
    #[error(transparent)]
    Summary(#[from] SummaryError),
}

/// There are no texts in the language asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there are no texts in the language {asked}, only in {known}")]
pub struct NoLanguage {
    asked: String,
    known: String,
}

/// The texts of a language, or of the language of rest.
pub(super) fn in_language<'a>(
    all: &'a [Texts],
    asked: Option<&str>,
) -> Result<&'a Texts, NoLanguage> {
    let found = match asked {
        None => all.first(),
        Some(asked) => all.iter().find(|texts| texts.language == asked),
    };
    found.ok_or_else(|| NoLanguage {
        asked: asked.unwrap_or("of rest").to_owned(),
        known: all.iter().map(|texts| texts.language.as_str()).collect::<Vec<_>>().join(", "),
    })
}

/// Keeps what the service was started with beside its database.
pub fn keep_setting(
    config: &Config,
    forms: &Forms,
    offices: &[Arc<Directory>],
) -> std::io::Result<()> {
    let setting = Setting {
        offices: offices.iter().map(|one| Directory::clone(one)).collect(),
        forms: forms.iter().cloned().collect(),
        texts: config.texts.clone(),
        staff_url: config.staff_address(),
    };
    let bytes = serde_json::to_vec(&setting).map_err(std::io::Error::other)?;
    let new = config.data.join("setting.new");
    std::fs::write(&new, bytes)?;
    std::fs::rename(new, config.data.join(FILE))
}

/// One office's period, and what is needed to write it in words.
pub struct Report {
    summary: Summary,
    directory: Directory,
    forms: Forms,
    texts: Vec<Texts>,
}

impl Report {
    /// In words of a language, or of the language of rest.
    pub fn table(&self, language: Option<&str>) -> Result<String, NoLanguage> {
        let texts = in_language(&self.texts, language)?;
        Ok(table::of(&self.summary, &self.directory, &self.forms, texts))
    }

    /// As a spreadsheet, in words of a language, or of the language of rest.
    pub fn spreadsheet(&self, language: Option<&str>) -> Result<Spreadsheet<'_>, NoLanguage> {
        let texts = in_language(&self.texts, language)?;
        Ok(Spreadsheet::of(&self.summary, &self.directory, &self.forms, texts))
    }

    /// As published.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(&self.summary).unwrap_or_default()
    }
}

/// The summary of a period, by default of the latest day, from the store in `folder` (or in its folder `central`).
pub fn of_folder(
    folder: &Path,
    office: Option<&str>,
    period: Option<Period>,
) -> Result<Report, ReportError> {
    let (folder, setting) = Setting::find(folder)?;
    let codes =
        || setting.offices.iter().map(|d| d.office.code.to_string()).collect::<Vec<_>>().join(", ");
    let directory = match (office, setting.offices.as_slice()) {
        (None, [only]) => only,
        (None, _) => return Err(ReportError::Office(codes())),
        (Some(code), offices) => offices
            .iter()
            .find(|directory| directory.office.code.as_str() == code)
            .ok_or_else(|| ReportError::Office(codes()))?,
    };
    let forms = Forms::new(setting.forms);
    let store = SqliteStore::open_read_only(&folder)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| StoreError::Refused(error.to_string()))?;
    let summary = runtime.block_on(async {
        let code = &directory.office.code;
        let period = match period {
            Some(period) => period,
            None => Period::day(store.latest_day(code).await?.ok_or(ReportError::NoDay)?),
        };
        let mut now = At::new(Timestamp::now());
        if folder.join(DEMO_MARK).exists() {
            // A demo's days are ahead of the machine's clock: now is when it last heard anything.
            let record = store.day(code, period.from()).await?;
            now = record.progress.iter().filter_map(|one| one.last_heard).fold(now, At::max);
        }
        let days = FinalDays::default();
        let versions = store.directory_versions().await?.remove(code).unwrap_or_default();
        let summaries = Summaries::new(&store, &days, directory, Arc::new(forms.clone()), now)
            .with_versions(versions);
        Ok::<_, ReportError>(summaries.of_period(period).await?)
    })?;
    let directory = directory.clone();
    Ok(Report { summary, directory, forms, texts: setting.texts })
}
