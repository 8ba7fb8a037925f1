//! Reading configuration so that every mistake names file, line, column and what was expected.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

/// Longest message of a mistake, in letters.
const LONGEST_MESSAGE: usize = 500;

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
        Self { file: file.display().to_string(), place: None, message: readable(message) }
    }

    /// A mistake at a line and column, both from 1.
    pub fn at(file: &Path, line: usize, column: usize, message: impl fmt::Display) -> Self {
        let place = Some((line, column));
        Self { file: file.display().to_string(), place, message: readable(message) }
    }
}

/// A message that somebody can read, even where it quotes a value that is very long.
fn readable(message: impl fmt::Display) -> String {
    let message = message.to_string();
    match message.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message,
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
        let bytes = std::fs::read(file)
            .map_err(|error| ConfigError::of_file(file, format!("cannot be read: {error}")))?;
        let (text, whole) = match String::from_utf8(bytes) {
            Ok(text) => (text, true),
            Err(error) => {
                let good = error.utf8_error().valid_up_to();
                (String::from_utf8_lossy(&error.as_bytes()[..good]).into_owned(), false)
            }
        };
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        let source = Self { file, text };
        let end = source.text.len();
        if whole { Ok(source) } else { Err(source.error(end..end, "expected UTF-8 text")) }
    }

    /// A text that came another way than from a file, under a name.
    pub fn of_text(name: &'a Path, text: String) -> Self {
        Self { file: name, text }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Reads the text as TOML.
    pub fn toml<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        toml::from_str(&self.text)
            .map_err(|error| self.error(error.span().unwrap_or_default(), error.message()))
    }

    /// A mistake at the value under a path of keys and places such as `levels.0.face`, or, when
    /// that is missing, at the innermost value around it.
    pub fn error_at(&self, path: &str, message: impl fmt::Display) -> ConfigError {
        let mut span = 0..0;
        if let Ok(root) = DeTable::parse(&self.text) {
            let root = DeValue::Table(root.into_inner());
            let mut value = &root;
            for step in path.split('.') {
                let next = match step.parse::<usize>() {
                    Ok(place) => value.get(place),
                    Err(_) => value.get(step),
                };
                let Some(next) = next else { break };
                span = next.span();
                value = next.get_ref();
            }
        }
        self.error(span, message)
    }

    /// A mistake at the bytes `span`.
    pub fn error(&self, span: Range<usize>, message: impl fmt::Display) -> ConfigError {
        let before = self.text.get(..span.start).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        ConfigError::at(self.file, line, column, message)
    }
}
