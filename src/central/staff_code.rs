//! `staff-codes.csv` in an office's folder: hashes of the codes of its staff, written by command. A line
//! that is taken out takes its code away. Nothing here but the kiosks of the office is told of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::config::Config;
use super::directory::table;
use super::report::Setting;
use crate::config::{ConfigError, Source};
use crate::domain::ids::OfficeCode;
use crate::domain::office::Directory;
use crate::domain::staff_code::{CodeHash, Salt, Staff, StaffCodes};
use crate::domain::system_random;
use crate::files::write_whole;

const FILE: &str = "staff-codes.csv";
const COLUMNS: [&str; 3] = ["who", "salt", "hash"];
const HEAD: &str = "# Hashes of the codes of staff, for this service and its kiosks alone: whoever has them can find out\n\
                    # the codes. `hailong admin staff-code` writes them; to take a code away, take its line out.\n";

/// Why nobody was given a code.
#[derive(Debug, thiserror::Error)]
pub enum GiveError {
    /// No such office.
    #[error("no office {0} is here")]
    Office(OfficeCode),
    /// No such official.
    #[error("the office has no official {0}")]
    Official(Staff),
    /// The hash.
    #[error("the code's hash cannot be computed: {0}")]
    Hash(argon2::Error),
    /// The codes that are there.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The file.
    #[error("{0}: {1}; nothing was changed")]
    File(PathBuf, std::io::Error),
}

/// Reads the codes of an office; none without the file.
pub(super) fn read(folder: &Path, directory: &Directory) -> Result<StaffCodes, ConfigError> {
    let file = folder.join(FILE);
    if !file.is_file() {
        return Ok(StaffCodes::default());
    }
    let mut one: Option<Salt> = None;
    let mut hashes: BTreeMap<Staff, CodeHash> = BTreeMap::new();
    for row in table(&Source::read(&file)?, COLUMNS, 0)? {
        let (who, salt, hash): (Staff, Salt, CodeHash) = (row.read(0)?, row.read(1)?, row.read(2)?);
        if !is_here(directory, &who) {
            let expected = "expected an official of officials.csv, or technician";
            return Err(row.wrong(0, format!("{expected}, found {who}")));
        }
        if *one.get_or_insert(salt) != salt {
            return Err(row.wrong(1, "expected the salt of the line before: all codes have one"));
        }
        if hashes.values().any(|other| *other == hash) {
            return Err(row.wrong(2, "expected a hash that nobody else has"));
        }
        if hashes.insert(who, hash).is_some() {
            return Err(row.wrong(0, "expected one code each, and not this one again"));
        }
    }
    Ok(one.map_or_else(StaffCodes::default, |salt| StaffCodes::new(salt, hashes)))
}

fn is_here(directory: &Directory, who: &Staff) -> bool {
    match who {
        Staff::Official(id) => directory.official(id).is_some(),
        Staff::Technician => true,
    }
}

/// Draws a code for somebody of an office and keeps its hash in the place of the one before; gives the
/// code. The service takes it up at its next start.
///
/// # Errors
/// When there is no such office or official, or the file cannot be written; then it is as it was.
pub fn give(
    config: &mut Config,
    office: &OfficeCode,
    who: Staff,
) -> Result<Zeroizing<String>, GiveError> {
    let unknown = || GiveError::Office(office.clone());
    // Offices that are kept in the store are those that the service had last.
    let kept = Setting::find(&config.data).map(|(_, setting)| setting.shared_offices());
    let kept = kept.unwrap_or_default();
    config.add_folders_of(&kept)?;
    let in_files = config.offices.iter();
    let mut all = in_files.chain(kept.iter().map(Arc::as_ref));
    let directory = all.find(|one| one.office.code == *office).ok_or_else(unknown)?;
    if !is_here(directory, &who) {
        return Err(GiveError::Official(who));
    }
    let folder = config.folders.get(office).ok_or_else(unknown)?;
    let file = folder.join(FILE);
    let failed = |error| GiveError::File(file.clone(), error);
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut codes = config.staff_codes.get(office).cloned().unwrap_or_default();
    let code = codes.give(who, &mut system_random()).map_err(GiveError::Hash)?;
    let mut text = format!("{HEAD}{}\n", COLUMNS.join(","));
    for (who, salt, hash) in codes.rows() {
        text += &format!("{who},{},{}\n", String::from(salt), String::from(hash));
    }
    write_whole(&file, text.as_bytes(), true).map_err(failed)?;
    Ok(code)
}
