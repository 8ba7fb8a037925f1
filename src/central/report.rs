//! Summaries read from a data folder, beside a service that may be running there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::slice;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::config::Config;
use super::remembered::Remembered;
use super::service::DEMO_MARK;
use super::spreadsheet::{Spreadsheet, SpreadsheetError};
use super::store::sqlite::{self, SqliteStore};
use super::store::{Store, StoreError};
use super::summary::{Summaries, SummaryError};
use super::{offices_sheet, offices_table, table};
use crate::domain::comparison::{Comparison, compare};
use crate::domain::form::{Form, Forms};
use crate::domain::ids::{Hash, OfficeCode};
use crate::domain::office::Directory;
use crate::domain::period::Period;
use crate::domain::summary::Summary;
use crate::domain::time::At;
use crate::domain::versions::Versions;
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
    /// A spreadsheet.
    #[error(transparent)]
    Unwritten(#[from] SpreadsheetError),
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

/// What a period is told of.
enum Of {
    Office(Box<Summary>, Arc<Directory>),
    /// With the last of their days that has begun.
    Offices(Comparison, Date),
}

/// One office's period, or that of all offices beside each other, and what is needed to write it in words.
pub struct Report {
    of: Of,
    forms: Forms,
    texts: Vec<Texts>,
}

impl Report {
    /// The summary of an office's period, by default of its latest day, from the store in `folder` (or in its folder
    /// `central`).
    pub fn of_office(
        folder: &Path,
        office: Option<&str>,
        period: Option<Period>,
    ) -> Result<Self, ReportError> {
        Self::read(folder, async |opened| {
            let offices = &opened.setting.offices;
            let codes = || {
                let codes = offices.iter().map(|directory| directory.office.code.to_string());
                ReportError::Office(codes.collect::<Vec<_>>().join(", "))
            };
            let directory = match (office, offices.as_slice()) {
                (None, [only]) => only,
                (None, _) => return Err(codes()),
                (Some(code), offices) => offices
                    .iter()
                    .find(|directory| directory.office.code.as_str() == code)
                    .ok_or_else(codes)?,
            };
            let period = opened.period(period, slice::from_ref(directory)).await?;
            let now = opened.now(period, slice::from_ref(directory)).await?;
            let summaries = opened.summaries(directory, now);
            let summary = summaries.of_period(period).await?;
            // What it is called, and what is, as of then.
            let then = summaries.directory(period).await?;
            Ok(Of::Office(Box::new(summary), then))
        })
    }

    /// All offices beside each other in a period, by default on the latest day of any of them. `tell` hears how many are
    /// done, and of how many: a year of a province takes a while.
    pub fn of_offices(
        folder: &Path,
        period: Option<Period>,
        tell: impl Fn(usize, usize),
    ) -> Result<Self, ReportError> {
        Self::read(folder, async |opened| {
            let offices = &opened.setting.offices;
            let period = opened.period(period, offices).await?;
            let now = opened.now(period, offices).await?;
            let mut lines = Vec::new();
            for (done, directory) in offices.iter().enumerate() {
                tell(done, offices.len());
                if !directory.office.is_over(period.from()) {
                    lines.extend(opened.summaries(directory, now).line(period).await?);
                }
            }
            tell(offices.len(), offices.len());
            let last = period.to().min(now.date()).max(period.from());
            Ok(Of::Offices(compare(period, lines), last))
        })
    }

    fn read(
        folder: &Path,
        of: impl AsyncFnOnce(&Opened) -> Result<Of, ReportError>,
    ) -> Result<Self, ReportError> {
        let (folder, setting) = Setting::find(folder)?;
        let store = SqliteStore::open_read_only(&folder)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| StoreError::Refused(error.to_string()))?;
        runtime.block_on(async {
            let versions = store.directory_versions().await?;
            let forms = Arc::new(Forms::new(setting.forms.clone()));
            let is_demo = folder.join(DEMO_MARK).exists();
            let days = Remembered::default();
            let opened = Opened { setting, store, versions, forms, is_demo, days };
            let of = of(&opened).await?;
            let Opened { setting, forms, .. } = opened;
            Ok(Self { of, forms: Arc::unwrap_or_clone(forms), texts: setting.texts })
        })
    }

    /// In words of a language, or of the language of rest.
    ///
    /// # Errors
    /// When there are no texts in the language.
    pub fn table(&self, language: Option<&str>) -> Result<String, ReportError> {
        let texts = in_language(&self.texts, language)?;
        Ok(match &self.of {
            Of::Office(summary, directory) => table::of(summary, directory, &self.forms, texts),
            Of::Offices(offices, last) => offices_table::of(offices, *last, &self.forms, texts),
        })
    }

    /// As a CSV, in words of a language, or of the language of rest.
    ///
    /// # Errors
    /// When there are no texts in the language, or it cannot be written.
    pub fn csv(&self, language: Option<&str>) -> Result<Vec<u8>, ReportError> {
        let texts = in_language(&self.texts, language)?;
        Ok(match &self.of {
            Of::Office(summary, directory) => {
                Spreadsheet::of(summary, directory, &self.forms, texts).csv()?
            }
            Of::Offices(offices, _) => offices_sheet::csv(offices)?,
        })
    }

    /// As a workbook, likewise.
    ///
    /// # Errors
    /// When there are no texts in the language, or it cannot be written.
    pub fn xlsx(&self, language: Option<&str>) -> Result<Vec<u8>, ReportError> {
        let texts = in_language(&self.texts, language)?;
        Ok(match &self.of {
            Of::Office(summary, directory) => {
                Spreadsheet::of(summary, directory, &self.forms, texts).xlsx()?
            }
            Of::Offices(offices, _) => offices_sheet::xlsx(offices, texts)?,
        })
    }

    /// As published.
    pub fn json(&self) -> String {
        match &self.of {
            Of::Office(summary, _) => serde_json::to_string_pretty(summary),
            Of::Offices(offices, _) => serde_json::to_string_pretty(offices),
        }
        .unwrap_or_default()
    }
}

/// A store that is read beside a running service, or without one.
struct Opened {
    setting: Setting,
    store: SqliteStore,
    versions: BTreeMap<OfficeCode, Versions<Hash>>,
    forms: Arc<Forms>,
    is_demo: bool,
    days: Remembered,
}

impl Opened {
    fn summaries<'a>(&'a self, directory: &'a Directory, now: At) -> Summaries<'a> {
        let versions = self.versions.get(&directory.office.code).cloned().unwrap_or_default();
        Summaries::new(&self.store, &self.days, directory, Arc::clone(&self.forms), now)
            .with_versions(versions)
    }

    /// The one that was asked for, or the latest day with a contact.
    async fn period(
        &self,
        period: Option<Period>,
        offices: &[Directory],
    ) -> Result<Period, ReportError> {
        if let Some(period) = period {
            return Ok(period);
        }
        let mut latest = None;
        for directory in offices {
            latest = latest.max(self.store.latest_day(&directory.office.code).await?);
        }
        latest.map(Period::day).ok_or(ReportError::NoDay)
    }

    /// Now; of a demo, whose days are ahead of the machine's clock, when it last heard anything.
    async fn now(&self, period: Period, offices: &[Directory]) -> Result<At, StoreError> {
        let mut now = At::new(Timestamp::now());
        if self.is_demo {
            for directory in offices {
                let record = self.store.day(&directory.office.code, period.from()).await?;
                now = record.progress.iter().filter_map(|one| one.last_heard).fold(now, At::max);
            }
        }
        Ok(now)
    }
}
