//! What was chosen at the first start, in `setup.json` of the kiosk's folder: whole or not at all.
//!
//! It outlives the first start: the address that was chosen on the screen stands there, and wins over
//! that of `kiosk.toml`. The code never stands there.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::files::write_whole;

const FILE: &str = "setup.json";

/// How far it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // Named for their pages.
pub enum Step {
    #[default]
    Language,
    Address,
    Code,
    Words,
    Orientation,
    Touch,
    Done,
}

/// What was chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Where it goes on.
    pub step: Step,
    /// The language of the first start, by its code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The address of the central service, where it is another than the file's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// It could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptError {
    /// The file.
    pub file: PathBuf,
    /// Why, and what to do.
    pub why: String,
}

impl std::error::Error for KeptError {}

impl fmt::Display for KeptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.why)
    }
}

impl Kept {
    /// Where it stands.
    pub fn file(folder: &Path) -> PathBuf {
        folder.join(FILE)
    }

    /// Reads what was kept in a kiosk's folder; nothing, when nothing was.
    pub fn read(folder: &Path) -> Result<Option<Self>, KeptError> {
        let file = Self::file(folder);
        let bytes = match std::fs::read(&file) {
            Ok(bytes) => bytes,
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(KeptError { file, why: error.to_string() }),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            let why = format!(
                "damaged ({error}); delete it, and the kiosk asks for the address on its screen again"
            );
            KeptError { file, why }
        })
    }

    /// Writes it anew.
    pub fn write(&self, folder: &Path) -> std::io::Result<()> {
        let bytes = serde_json::to_vec_pretty(self).map_err(std::io::Error::from)?;
        write_whole(&Self::file(folder), &bytes, false)
    }
}
