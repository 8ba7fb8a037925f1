//! `procedures.csv` in an office's folder: the procedures that it posts, read once at start and named by their
//! content, for kiosks to fetch.

use std::path::Path;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;

use super::directory::table;
use crate::config::{ConfigError, Source};
use crate::domain::ids::Hash;
use crate::domain::procedure::{MOST, MOST_BYTES, Procedure};

const FILE: &str = "procedures.csv";
const COLUMNS: [&str; 5] = ["name", "field", "time_limit", "fee", "papers"];

/// A list as kiosks get it, by the SHA-256 of its bytes.
pub type Posted = (Hash, Arc<[u8]>);

/// Reads the list of an office; none without the file.
pub(super) fn read(folder: &Path) -> Result<Option<Posted>, ConfigError> {
    let file = folder.join(FILE);
    if !file.is_file() {
        return Ok(None);
    }
    let source = Source::read(&file)?;
    let mut list: Vec<Procedure> = Vec::new();
    let mut bytes = 0;
    for row in table(&source, COLUMNS, 0)? {
        // Some systems write each accent on its own: fonts and searches want them composed.
        let text = |column| -> Result<String, ConfigError> {
            Ok(row.read::<String>(column)?.nfc().collect())
        };
        let (name, field, papers) = (text(0)?, text(1)?, text(4)?);
        for (column, text) in [(0, &name), (1, &field)] {
            if text.is_empty() {
                let what = if column == 0 { "name" } else { "field" };
                return Err(row.wrong(column, format!("expected the {what} of a procedure")));
            }
        }
        let between = if papers.contains('\n') { '\n' } else { ';' };
        let papers = papers.split(between).map(str::trim).filter(|paper| !paper.is_empty());
        let papers = papers.map(str::to_owned).collect();
        let one = Procedure { name, field, time_limit: text(2)?, fee: text(3)?, papers };
        bytes += serde_json::to_vec(&one).map_or(MOST_BYTES, |bytes| bytes.len() + 1);
        if list.len() == MOST || bytes >= MOST_BYTES {
            let expected = format!("at most {MOST} procedures and {} MiB", MOST_BYTES >> 20);
            return Err(row.wrong(0, format!("expected {expected} in all")));
        }
        list.push(one);
    }
    let bytes = serde_json::to_vec(&list).map_err(|error| ConfigError::of_file(&file, error))?;
    Ok(Some((Hash::of(&bytes), bytes.into())))
}
