//! `hailong admin directory`: offices and what is of them, from and into spreadsheets.

use std::path::PathBuf;

use super::staff::{self, Server};
use super::{Failure, INTERNAL, USAGE};
use crate::{DirectoryCommand, Service};

impl Service {
    fn server(&self) -> Server<'_> {
        Server { base: &self.server, ca: self.ca.as_deref(), token: self.token.as_deref() }
    }

    /// What follows an address to have its answer in a language.
    fn in_language(&self) -> String {
        self.lang.as_ref().map_or_else(String::new, |lang| format!("&lang={lang}"))
    }
}

pub fn run(command: DirectoryCommand) -> Result<(), Failure> {
    match command {
        DirectoryCommand::Import { files, dry_run, office, from, service } => {
            import(&files, dry_run, office.as_deref(), from, &service)
        }
        DirectoryCommand::Export { out, service } => {
            let path = format!("/api/v1/directory?format=xlsx{}", service.in_language());
            // A workbook is a packed file, which ends with the list of its parts.
            let is_whole = |tail: &[u8]| tail.windows(4).any(|bytes| bytes == b"PK\x05\x06");
            let bytes = staff::fetch(&service.server(), &path, &out, is_whole)?;
            eprintln!("{}: {bytes} bytes", out.display());
            Ok(())
        }
    }
}

fn import(
    files: &[PathBuf],
    dry_run: bool,
    office: Option<&str>,
    from: Option<jiff::civil::Date>,
    service: &Service,
) -> Result<(), Failure> {
    let lang = service.in_language();
    let from = from.map(|from| format!("&from={from}")).unwrap_or_default();
    let path = format!("/api/v1/directory?format=table&dry_run={dry_run}{from}{lang}");
    let (is_taken, table) = staff::upload(&service.server(), &path, files, office)?;
    print!("{table}");
    if is_taken {
        return Ok(());
    }
    Err(Failure::new(USAGE, "nothing was written: mend what is marked with “!”, and import again"))
}

/// A file's name and bytes.
pub fn read(file: &PathBuf) -> Result<(String, Vec<u8>), Failure> {
    let bytes = std::fs::read(file)
        .map_err(|error| Failure::new(USAGE, format!("{}: {error}", file.display())))?;
    let name = file.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let name = name.ok_or_else(|| Failure::new(INTERNAL, "a file's name is not UTF-8"))?;
    Ok((name, bytes))
}
