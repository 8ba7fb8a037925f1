//! Reading configuration so that every mistake names file, line, column and what was expected.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use serde::de::DeserializeOwned;

/// A mistake in a configuration file, shown as `kiosk.toml:12:9: …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    file: String,
    place: Option<(usize, usize)>,
    message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some((line, column)) => write!(f, "{}:{line}:{column}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

impl std::error::Error for ConfigError {}

impl ConfigError {
    /// A mistake of the whole file.
    pub fn of_file(file: &Path, message: impl fmt::Display) -> Self {
        Self { file: file.display().to_string(), place: None, message: message.to_string() }
    }

    /// A mistake at a line and column, both from 1.
    pub fn at(file: &Path, line: usize, column: usize, message: impl fmt::Display) -> Self {
        let place = Some((line, column));
        Self { file: file.display().to_string(), place, message: message.to_string() }
    }
}

/// A configuration file's text, from which mistakes can be pointed at.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    file: &'a Path,
    text: String,
}

impl<'a> Source<'a> {
    /// Reads a file.
    pub fn read(file: &'a Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|error| {
            ConfigError::of_file(file, format!("cannot be read ({error}); expected a UTF-8 file"))
        })?;
        Ok(Self { file, text })
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Reads the text as TOML.
    pub fn toml<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        toml::from_str(&self.text).map_err(|error| match error.span() {
            Some(span) => self.error(span, error.message()),
            None => ConfigError::of_file(self.file, error.message()),
        })
    }

    /// A mistake at the bytes `span`.
    pub fn error(&self, span: Range<usize>, message: impl fmt::Display) -> ConfigError {
        let before = self.text.get(..span.start).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        ConfigError::at(self.file, line, column, message)
    }
}
