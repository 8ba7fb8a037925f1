//! Files that are there whole or not at all, and what is carried in them.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::domain::letter::{Letter, MAX};

/// Writes `bytes` to `file`, whole or not at all, and syncs file and folder; `secret` for nobody
/// but its owner to read.
pub fn write_whole(file: &Path, bytes: &[u8], secret: bool) -> std::io::Result<()> {
    let beside = file.with_extension("new");
    let written = write(&beside, bytes, secret).and_then(|()| fs::rename(&beside, file));
    if written.is_err() {
        // What is left of it would only take room; it is written anew at the next time.
        let _ = fs::remove_file(&beside);
    }
    written?;
    if let Some(folder) = file.parent() {
        let here = Path::new(".");
        let folder = if folder.as_os_str().is_empty() { here } else { folder };
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn write(file: &Path, bytes: &[u8], secret: bool) -> std::io::Result<()> {
    // Made anew, so that nothing is written through a link that somebody put there.
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if secret {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = secret;
    let mut opened = options.open(file)?;
    opened.write_all(bytes)?;
    opened.sync_all()
}

/// The files of a folder with an ending, by name; none in a folder that is not there. Hidden files
/// are left out: other systems put theirs beside what is copied.
pub fn ending_in(folder: &Path, ending: &str) -> std::io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
        if !hidden && path.extension().is_some_and(|found| found == ending) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Reads a batch or a receipt, and never more than one can have; says why not.
pub fn read_letter(file: &Path) -> Result<Letter, String> {
    let mut bytes = Vec::new();
    let kind = fs::symlink_metadata(file).map_err(|error| error.to_string())?;
    if !kind.is_file() {
        return Err("this is no plain file".to_owned());
    }
    let opened = fs::File::open(file).map_err(|error| error.to_string())?;
    opened.take(MAX as u64 + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Letter::read(&bytes).map_err(|bad| bad.to_string())
}
