//! An archive of journals and roots, for an auditor.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use super::ingest::Intake;
use super::keys::Keys;
use super::offline::{Offline, OfflineError};
use super::report::Setting;
use super::store::sqlite::SqliteStore;
use super::store::{Kiosk, Segment, Store, StoreError};
use crate::domain::archive::{About, Batch, Body, ERASED, End, ListedKiosk, Raw, Record};
use crate::domain::batch::{Content, Header, Lines, read_body_part};
use crate::domain::ids::Hash;
use crate::domain::root::{Root, Statement};
use crate::domain::time::At;

/// Batches read at once.
const AT_ONCE: usize = 64;

/// Which days, and whether with bodies.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// First day on which something was received; the first of all by default.
    pub from: Option<Date>,
    /// Last day; the last of all by default.
    pub to: Option<Date>,
    /// Whether bodies are opened: only for an auditor.
    pub opened: bool,
}

/// What was exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Batches.
    pub batches: u64,
    /// Their lines.
    pub lines: u64,
    /// Roots.
    pub roots: u64,
    /// SHA-256 of the archive without its last record, as that has it.
    pub sha256: Hash,
}

/// Why nothing was exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The folder.
    #[error(transparent)]
    Offline(#[from] OfflineError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No root covers the days asked for.
    #[error(
        "no root of these days was made by {0}; the service makes that of a day after midnight, \
         without --to everything that is here is exported"
    )]
    NoRoot(Date),
    /// The archive could not be written.
    #[error("{0}: {1}")]
    Archive(PathBuf, io::Error),
}

/// Writes the archive of `folder` (or of its folder `central`), in which no service runs, into a
/// new file; the export becomes a line of the own series.
pub fn of_folder(folder: &Path, asked: Asked, file: &Path) -> Result<Exported, ExportError> {
    let here = Offline::take(folder)?;
    let failed = |error| ExportError::Archive(file.to_owned(), error);
    here.runtime.block_on(async {
        let store = &here.store;
        let part = Part::of(store.all_roots().await?, asked)?;
        let new = std::fs::File::create_new(file).map_err(failed)?;
        let mut archive = Archive::begin(BufWriter::new(new));
        let reader = asked.opened.then(|| here.reader());
        let now = At::new(here.clock.now());
        let source = Source { store, keys: &here.keys, setting: &here.setting, reader };
        let written = source.write(&mut archive, part, asked, now).await;
        match written.and_then(|()| archive.end().map_err(WriteError::Archive)) {
            Ok(exported) => {
                store.exported(exported.sha256).await?;
                store.close().await?;
                Ok(exported)
            }
            Err(error) => {
                // Half an archive is of no use.
                let _ = std::fs::remove_file(file);
                Err(match error {
                    WriteError::Store(error) => error.into(),
                    WriteError::Archive(error) => failed(error),
                })
            }
        }
    })
}

enum WriteError {
    Store(StoreError),
    Archive(io::Error),
}

impl From<StoreError> for WriteError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        Self::Archive(error)
    }
}

/// An archive being written.
struct Archive<W> {
    to: W,
    hash: Sha256,
    records: u64,
    exported: Exported,
}

impl<W: Write> Archive<W> {
    fn begin(to: W) -> Self {
        let exported = Exported { batches: 0, lines: 0, roots: 0, sha256: Hash::NONE };
        Self { to, hash: Sha256::new(), records: 0, exported }
    }

    fn put(&mut self, record: &Record) -> io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        self.hash.update(&line);
        self.records += 1;
        self.to.write_all(&line)
    }

    fn put_roots(&mut self, roots: impl IntoIterator<Item = Root>) -> io::Result<()> {
        roots.into_iter().try_for_each(|root| {
            self.exported.roots += 1;
            self.put(&Record::Root(root))
        })
    }

    fn end(mut self) -> io::Result<Exported> {
        let sha256 = Hash(self.hash.clone().finalize().into());
        self.put(&Record::End(End { records: self.records, sha256 }))?;
        self.to.flush()?;
        Ok(Exported { sha256, ..self.exported })
    }
}

/// A part of the store, from root to root.
struct Part {
    /// The root that the first one here names.
    base: Option<Root>,
    /// The place of the last batch before.
    after: i64,
    /// The roots, each with the place of the last batch that it covers.
    roots: Vec<(i64, Root)>,
    /// The place of the last batch.
    end: i64,
}

impl Part {
    fn of(roots: Vec<(i64, Root)>, asked: Asked) -> Result<Self, ExportError> {
        let day = |root: &Root| {
            serde_json::from_str::<Statement>(&root.statement).map_or(Date::MIN, |said| said.day)
        };
        let mut part = Self { base: None, after: 0, roots: Vec::new(), end: i64::MAX };
        for (covers, root) in roots {
            if asked.from.is_some_and(|from| day(&root) < from) {
                (part.after, part.base) = (covers, Some(root));
            } else if asked.to.is_none_or(|to| day(&root) <= to) {
                part.roots.push((covers, root));
            }
        }
        if let Some(to) = asked.to {
            let last = part.roots.last().ok_or(ExportError::NoRoot(to))?;
            part.end = last.0;
        }
        Ok(part)
    }
}

/// What an archive is made of.
struct Source<'a> {
    store: &'a SqliteStore,
    keys: &'a Keys,
    setting: &'a Setting,
    /// Opens bodies, if that was asked for.
    reader: Option<Intake>,
}

impl Source<'_> {
    async fn write<W: Write>(
        &self,
        archive: &mut Archive<W>,
        part: Part,
        asked: Asked,
        now: At,
    ) -> Result<(), WriteError> {
        let hex = |key: &[u8; 32]| data_encoding::HEXLOWER.encode(key);
        archive.put(&Record::Archive(About {
            v: 1,
            from: asked.from,
            to: asked.to,
            series_key: hex(self.keys.series.verifying_key().as_bytes()),
            root_key: hex(self.keys.root.verifying_key().as_bytes()),
            opened: self.reader.is_some(),
            at: now,
        }))?;
        for kiosk in self.store.kiosks().await? {
            archive.put(&Record::Kiosk(listed(&kiosk)))?;
        }
        for form in &self.setting.forms {
            archive.put(&Record::Form(Box::new(form.clone())))?;
        }
        for directory in &self.setting.offices {
            archive.put(&Record::Directory(Box::new(directory.clone())))?;
        }
        let Part { base, after, roots, end } = part;
        archive.put_roots(base)?;
        let mut roots = roots.into_iter().peekable();
        let mut after = after;
        loop {
            let segments = self.store.segments(after, AT_ONCE).await?;
            let last = segments.last().map_or(end, |(place, _)| *place);
            for (place, segment) in segments.into_iter().take_while(|(place, _)| *place <= end) {
                // Each root comes after the last batch that it covers.
                while let Some((_, root)) = roots.next_if(|(covers, _)| *covers < place) {
                    archive.put_roots([root])?;
                }
                archive.exported.batches += 1;
                archive.exported.lines += Lines::of(&segment.line_part).count() as u64;
                archive.put(&Record::Batch(self.batch(segment)))?;
            }
            if last >= end {
                archive.put_roots(roots.map(|(_, root)| root))?;
                return Ok(());
            }
            after = last;
        }
    }

    fn batch(&self, segment: Segment) -> Batch {
        Batch {
            bodies: self.bodies(&segment),
            header: Raw::of(&segment.header_line),
            signature: segment.signature,
            received: segment.received,
            lines: Lines::of(&segment.line_part).map(Raw::of).collect(),
        }
    }

    fn bodies(&self, segment: &Segment) -> Vec<Body> {
        // What cannot be read is exported as it is: that it cannot is for `verify` to find.
        let (Some(reader), Ok(header), Ok((bodies, strange))) =
            (&self.reader, Header::read(&segment.header_line), read_body_part(&segment.body_part))
        else {
            return Vec::new();
        };
        let content = Content {
            line_part: segment.line_part.clone(),
            body_part: segment.body_part.clone(),
            bodies,
            strange,
        };
        let mut bodies = reader.open_bodies(&header, &content);
        let erased = segment.erased.iter();
        bodies.extend(erased.map(|(seq, kind)| Body::closed(*seq, *kind, ERASED.to_owned())));
        bodies
    }
}

fn listed(kiosk: &Kiosk) -> ListedKiosk {
    ListedKiosk {
        number: kiosk.number,
        id: kiosk.id.to_string(),
        office: kiosk.office.to_string(),
        counters: kiosk.counters.to_string(),
        key: data_encoding::HEXLOWER.encode(kiosk.key.as_bytes()),
        enrolled: kiosk.enrolled,
    }
}
