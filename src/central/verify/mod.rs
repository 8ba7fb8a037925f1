//! `hailong verify`: an archive checked without trust in whoever made it, without server and
//! network.
//!
//! Signatures, numbers and hashes are checked on the bytes. Where bodies are there, all of it is
//! placed again by the code that counts, into a store of its own, and the digests of summaries and
//! findings have to be those that the roots name.

mod admissions;
mod chains;
mod check;
mod erasures;
mod receipts;

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use self::check::Check;
use super::store::StoreError;
use crate::domain::archive::{About, ListedKiosk, Record, Tallies};
use crate::domain::form::Form;
use crate::domain::ids::Hash;
use crate::domain::office::Directory;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Batches read.
    pub batches: u64,
    /// Their lines.
    pub lines: u64,
    /// Roots read.
    pub roots: u64,
    /// Summaries that were made again and have the digest that a root names.
    pub summaries: u64,
    /// What is wrong.
    pub problems: Vec<String>,
    /// What was not, or could not be, checked.
    pub notes: Vec<String>,
}

/// Why an archive could not be read at all.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The file.
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    /// Not an archive.
    #[error("{0} is no archive of this version: {1}")]
    NoArchive(PathBuf, String),
    /// Placing it again failed for a reason of this machine.
    #[error("the archive could not be placed again: {0}")]
    Store(#[from] StoreError),
}

/// Checks an archive; with an anchor also that it is the one that was published.
pub fn of_file(file: &Path, anchor: Option<Hash>) -> Result<Report, VerifyError> {
    let failed = |error| VerifyError::File(file.to_owned(), error);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let mut lines = BufReader::new(File::open(file).map_err(failed)?);
    let (mut hash, mut read) = (Sha256::new(), 0);
    let mut begun: Option<About> = None;
    let mut list = List::default();
    let mut check: Option<Check> = None;
    let mut problems = Vec::new();
    let mut ended = false;
    loop {
        let mut bytes = Vec::new();
        if lines.read_until(b'\n', &mut bytes).map_err(failed)? == 0 {
            break;
        }
        read += 1;
        if ended {
            problems.push(format!("record {read} of the archive comes after its end"));
            break;
        }
        let record: Record = match serde_json::from_slice(&bytes) {
            Ok(record) => record,
            Err(error) if begun.is_none() => {
                return Err(VerifyError::NoArchive(file.to_owned(), error.to_string()));
            }
            Err(error) => {
                problems.push(format!("record {read} of the archive cannot be read: {error}"));
                hash.update(&bytes);
                continue;
            }
        };
        match (record, &begun) {
            (Record::Archive(about), None) if about.v == 1 => begun = Some(about),
            (Record::End(end), Some(_)) => {
                ended = true;
                let sha256 = Hash(hash.clone().finalize().into());
                if end.records != read - 1 || end.sha256 != sha256 {
                    problems.push("the archive is not as it was written".to_owned());
                }
            }
            (Record::Kiosk(kiosk), Some(_)) => list.kiosks.push(kiosk),
            (Record::Form(form), Some(_)) => list.forms.push(*form),
            (Record::Directory(directory), Some(_)) => list.directories.push(*directory),
            (Record::Tallies(tallies), Some(_)) => list.carried.push(tallies),
            (Record::Batch(batch), Some(about)) => {
                let check = Check::once(&mut check, about, &mut list)?;
                runtime.block_on(check.batch(&batch))?;
            }
            (Record::Root(root), Some(about)) => {
                let check = Check::once(&mut check, about, &mut list)?;
                runtime.block_on(check.root(&root))?;
            }
            (Record::Receipt(receipt), Some(about)) => {
                Check::once(&mut check, about, &mut list)?.receipt(&receipt);
            }
            (Record::Later(batch), Some(about)) => {
                Check::once(&mut check, about, &mut list)?.later(&batch);
            }
            (Record::Archive(_), _) | (_, None) => {
                let why = "expected one record of what it is, at its beginning".to_owned();
                return Err(VerifyError::NoArchive(file.to_owned(), why));
            }
        }
        hash.update(&bytes);
    }
    let Some(about) = begun else {
        return Err(VerifyError::NoArchive(file.to_owned(), "it is empty".to_owned()));
    };
    if !ended {
        problems.push("the archive is cut: its end is not there".to_owned());
    }
    Check::once(&mut check, &about, &mut list)?;
    let mut report = check.map(|check| check.end(anchor)).unwrap_or_default();
    problems.append(&mut report.problems);
    Ok(Report { problems, ..report })
}

/// What stands at the beginning of an archive.
#[derive(Default)]
struct List {
    kiosks: Vec<ListedKiosk>,
    forms: Vec<Form>,
    directories: Vec<Directory>,
    carried: Vec<Tallies>,
}
