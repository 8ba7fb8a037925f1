//! The demo's folder: which days were lived in it, and the configuration it uses.

use std::path::{Path, PathBuf};

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use crate::central::service::DEMO_MARK;
use crate::domain::office::Directory;
use crate::domain::time::At;

/// The sample configuration, for a program that runs away from its source.
const SAMPLE: [(&str, &str); 12] = [
    ("central.toml", include_str!("../../kiosk-config/central.toml")),
    ("forms/nam-muc.toml", include_str!("../../kiosk-config/forms/nam-muc.toml")),
    ("forms/nam-muc-2.toml", include_str!("../../kiosk-config/forms/nam-muc-2.toml")),
    ("forms/ba-muc.toml", include_str!("../../kiosk-config/forms/ba-muc.toml")),
    ("forms/bon-muc.toml", include_str!("../../kiosk-config/forms/bon-muc.toml")),
    ("forms/tieu-chi.toml", include_str!("../../kiosk-config/forms/tieu-chi.toml")),
    ("texts/vi.toml", include_str!("../../kiosk-config/texts/vi.toml")),
    ("texts/en.toml", include_str!("../../kiosk-config/texts/en.toml")),
    ("phu-sa/counters.csv", include_str!("../../kiosk-config/phu-sa/counters.csv")),
    ("phu-sa/officials.csv", include_str!("../../kiosk-config/phu-sa/officials.csv")),
    ("phu-sa/calendar.csv", include_str!("../../kiosk-config/phu-sa/calendar.csv")),
    ("phu-sa/roster.csv", include_str!("../../kiosk-config/phu-sa/roster.csv")),
];

/// Why a demo cannot live in a folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It, or a file in it.
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
    /// What was asked for cannot be.
    #[error("{0}")]
    Usage(String),
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Mark {
    /// Days lived here, in order.
    lived: Vec<Date>,
}

/// The demo's folder.
pub struct Folder {
    data: PathBuf,
    config: PathBuf,
}

impl Folder {
    /// `kiosk-config` of the current folder, or else the sample that the program carries, written
    /// into `data`.
    pub fn sample(data: &Path) -> Result<PathBuf, FolderError> {
        let here = PathBuf::from("kiosk-config");
        if here.join("central.toml").is_file() {
            return Ok(here);
        }
        let config = data.join("kiosk-config");
        for (name, text) in SAMPLE {
            let file = config.join(name);
            if let Some(folder) = file.parent() {
                std::fs::create_dir_all(folder)
                    .map_err(|error| FolderError::File(folder.to_owned(), error))?;
            }
            if !file.exists() {
                std::fs::write(&file, text).map_err(|error| FolderError::File(file, error))?;
            }
        }
        Ok(config)
    }

    /// Uses `kiosk-config` of the current folder, or else the sample that the program carries.
    pub fn open(data: &Path) -> Result<Self, FolderError> {
        let config = Self::sample(data)?;
        let folder = Self { data: data.to_owned(), config };
        let central = folder.data.join("central").join("central.db");
        if central.exists() && !folder.data.join(DEMO_MARK).exists() {
            return Err(FolderError::Usage(format!(
                "{} holds a real office's data; give the demo a folder of its own with --data",
                data.display()
            )));
        }
        Ok(folder)
    }

    /// Where the configuration lies.
    pub fn config(&self) -> &Path {
        &self.config
    }

    fn mark(&self) -> Result<Mark, FolderError> {
        let file = self.data.join(DEMO_MARK);
        match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| FolderError::File(file, std::io::Error::other(error))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Mark::default()),
            Err(error) => Err(FolderError::File(file, error)),
        }
    }

    /// The day to live: the asked one, or the first working day from today on that was not lived.
    pub fn next_day(
        &self,
        asked: Option<Date>,
        directory: &Directory,
    ) -> Result<Date, FolderError> {
        let lived = self.mark()?.lived;
        let last = lived.iter().max().copied();
        if let Some(date) = asked {
            if last.is_some_and(|last| date <= last) {
                return Err(FolderError::Usage(format!(
                    "--date: days up to {} were lived in {}; ask for a later one, or give another \
                     --data",
                    last.unwrap_or(date),
                    self.data.display()
                )));
            }
            if !directory.works_on(date.weekday()) || directory.open_on(date).is_empty() {
                return Err(FolderError::Usage(format!("--date: nobody works on {date}")));
            }
            if date.year() < 2026 {
                return Err(FolderError::Usage("--date: expected a day from 2026-01-01 on".into()));
            }
            return Ok(date);
        }
        let mut date = At::new(Timestamp::now()).date();
        for _ in 0..10_000 {
            let new = last.is_none_or(|last| date > last);
            if new && directory.works_on(date.weekday()) && !directory.open_on(date).is_empty() {
                return Ok(date);
            }
            date = date.saturating_add(1.day());
        }
        Err(FolderError::Usage("roster.csv: nobody works on any day".into()))
    }

    /// Notes that a day is being lived here: no real service may use this folder.
    pub fn note_lived(&self, date: Date) -> Result<(), FolderError> {
        let mut mark = self.mark()?;
        mark.lived.push(date);
        for folder in [self.data.clone(), self.data.join("central")] {
            std::fs::create_dir_all(&folder)
                .map_err(|error| FolderError::File(folder.clone(), error))?;
            let file = folder.join(DEMO_MARK);
            let bytes = serde_json::to_vec(&mark).unwrap_or_default();
            std::fs::write(&file, bytes).map_err(|error| FolderError::File(file, error))?;
        }
        Ok(())
    }
}
