//! An archive of journals and roots, for an auditor.

use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ed25519_dalek::VerifyingKey;
use jiff::civil::Date;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::ingest::Intake;
use super::keys::Keys;
use super::offline::{Offline, OfflineError};
use super::service::Central;
use super::store::{Held, Kiosk, Segment, Store, StoreError};
use crate::domain::access::CONSOLE;
use crate::domain::archive::{
    About, Batch, Body, ERASED, End, ListedKey, ListedKiosk, Raw, Record, SignedReceipt,
};
use crate::domain::batch::{Content, Header, Lines, read_body_part};
use crate::domain::form::Form;
use crate::domain::ids::{Hash, KioskId};
use crate::domain::office::Directory;
use crate::domain::receipt::{Receipt, sign_receipt};
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
        let part = Part::of(store, asked).await?;
        let offices = here.setting.shared_offices();
        let new = std::fs::File::create_new(file).map_err(failed)?;
        let source = Source {
            store,
            keys: &here.keys,
            forms: here.setting.forms.clone(),
            offices: &offices,
            reader: asked.opened.then(|| Arc::new(here.reader())),
            now: At::new(here.clock.now()),
        };
        match source.write(Archive::begin(BufWriter::new(new)), part, asked).await {
            Ok(exported) => {
                store.exported(exported.sha256, CONSOLE.to_owned()).await?;
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

/// Hands the archive of a running service out as it is written. Whatever was handed out, if whoever
/// asked hangs up, becomes a line of the own series, too.
pub async fn of_service(
    central: Arc<Central>,
    asked: Asked,
    person: String,
) -> Result<mpsc::Receiver<io::Result<Vec<u8>>>, ExportError> {
    let part = Part::of(central.store.as_ref(), asked).await?;
    let (to, handed) = mpsc::channel(2);
    tokio::spawn(async move {
        let (store, offices) = (central.store.as_ref(), central.offices());
        let reader = || Intake::new(central.keys.openings(), central.known_forms.clone());
        let source = Source {
            store,
            keys: &central.keys,
            forms: central.forms().iter().cloned().collect(),
            offices: &offices,
            reader: asked.opened.then(|| Arc::new(reader())),
            now: central.now(),
        };
        let hash = match source.write(Archive::begin(to.clone()), part, asked).await {
            Ok(exported) => exported.sha256,
            Err(WriteError::Archive(error)) => {
                tracing::warn!(%error, "an export was not taken to its end");
                Hash::NONE
            }
            Err(WriteError::Store(error)) => {
                let _ = to.send(Err(io::Error::other(error.to_string()))).await;
                Hash::NONE
            }
        };
        if let Err(error) = store.exported(hash, person).await {
            tracing::error!(%error, "an export is not noted");
        }
    });
    Ok(handed)
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

/// Takes an archive's bytes as they come.
trait Sink: Send {
    fn take(&mut self, bytes: Vec<u8>) -> impl Future<Output = io::Result<()>> + Send;
}

impl Sink for BufWriter<std::fs::File> {
    async fn take(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        self.write_all(&bytes)?;
        self.flush()
    }
}

impl Sink for mpsc::Sender<io::Result<Vec<u8>>> {
    async fn take(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        self.send(Ok(bytes)).await.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// An archive being written.
struct Archive<S> {
    to: S,
    /// What was not handed on yet.
    bytes: Vec<u8>,
    hash: Sha256,
    records: u64,
    exported: Exported,
}

impl<S: Sink> Archive<S> {
    fn begin(to: S) -> Self {
        let exported = Exported { batches: 0, lines: 0, roots: 0, sha256: Hash::NONE };
        Self { to, bytes: Vec::new(), hash: Sha256::new(), records: 0, exported }
    }

    fn put(&mut self, record: &Record) -> io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        self.hash.update(&line);
        self.records += 1;
        self.bytes.append(&mut line);
        Ok(())
    }

    fn put_roots(&mut self, roots: impl IntoIterator<Item = Root>) -> io::Result<()> {
        roots.into_iter().try_for_each(|root| {
            self.exported.roots += 1;
            self.put(&Record::Root(root))
        })
    }

    async fn hand_on(&mut self) -> io::Result<()> {
        self.to.take(std::mem::take(&mut self.bytes)).await
    }

    async fn end(mut self) -> io::Result<Exported> {
        let sha256 = Hash(self.hash.clone().finalize().into());
        self.put(&Record::End(End { records: self.records, sha256 }))?;
        self.hand_on().await?;
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
    /// How far each journal is here by then; not of a part that ends before.
    held: Vec<Held>,
}

impl Part {
    async fn of(store: &dyn Store, asked: Asked) -> Result<Self, ExportError> {
        let roots = store.all_roots().await?;
        let (end, held) = store.held().await?;
        let day = |root: &Root| {
            serde_json::from_str::<Statement>(&root.statement).map_or(Date::MIN, |said| said.day)
        };
        let mut part = Self { base: None, after: 0, roots: Vec::new(), end, held };
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
            part.held.clear();
        }
        Ok(part)
    }
}

/// What an archive is made of.
struct Source<'a> {
    store: &'a dyn Store,
    keys: &'a Keys,
    forms: Vec<Form>,
    offices: &'a [Arc<Directory>],
    /// Opens bodies, if that was asked for.
    reader: Option<Arc<Intake>>,
    now: At,
}

impl Source<'_> {
    async fn write<S: Sink>(
        &self,
        mut archive: Archive<S>,
        part: Part,
        asked: Asked,
    ) -> Result<Exported, WriteError> {
        let first = part.base.iter().chain(part.roots.iter().map(|(_, root)| root)).next();
        let root_key = first.and_then(|root| self.keys.signer_of(root));
        let Part { base, mut after, roots, end, held } = part;
        self.head(&mut archive, asked, root_key, end).await?;
        archive.put_roots(base)?;
        let mut roots = roots.into_iter().peekable();
        while after < end {
            let mut segments = self.store.segments(after, AT_ONCE).await?;
            segments.retain(|(place, _)| *place <= end);
            let Some((last, _)) = segments.last() else { break };
            after = *last;
            for (place, batch) in self.batches(segments).await? {
                // Each root comes after the last batch that it covers.
                while let Some((_, root)) = roots.next_if(|(covers, _)| *covers < place) {
                    archive.put_roots([root])?;
                }
                archive.exported.batches += 1;
                archive.exported.lines += batch.lines.len() as u64;
                archive.put(&Record::Batch(batch))?;
            }
            archive.hand_on().await?;
        }
        archive.put_roots(roots.map(|(_, root)| root))?;
        for held in held {
            archive.put(&Record::Receipt(self.receipt(held)?))?;
        }
        // Something may be erased while this is written.
        for segment in self.store.erasures_after(end).await? {
            archive.put(&Record::Later(batch_of(segment, Vec::new())))?;
        }
        Ok(archive.end().await?)
    }

    fn receipt(&self, held: Held) -> io::Result<SignedReceipt> {
        let Held { kiosk, epoch, watermark, head, holes } = held;
        let receipt = Receipt {
            kiosk,
            epoch,
            watermark,
            head,
            holes,
            quarantined: Vec::new(),
            conflicts: Vec::new(),
            at: self.now,
        };
        let receipt = serde_json::to_string(&receipt)?;
        let signature = sign_receipt(&self.keys.series, receipt.as_bytes());
        Ok(SignedReceipt { receipt, signature })
    }

    /// What stands before the batches.
    async fn head<S: Sink>(
        &self,
        archive: &mut Archive<S>,
        asked: Asked,
        root_key: Option<VerifyingKey>,
        end: i64,
    ) -> Result<(), WriteError> {
        let root_key = root_key.unwrap_or_else(|| self.keys.root.verifying_key());
        let hex = |key: &[u8; 32]| data_encoding::HEXLOWER.encode(key);
        archive.put(&Record::Archive(About {
            v: 1,
            from: asked.from,
            to: asked.to,
            series_key: hex(self.keys.series.verifying_key().as_bytes()),
            root_key: hex(root_key.as_bytes()),
            opened: self.reader.is_some(),
            at: self.now,
        }))?;
        let kiosks = self.store.kiosks().await?;
        let later = self.store.admitted_after(end).await?;
        for kiosk in kiosks {
            let listed = listed(&kiosk, &later);
            listed.into_iter().try_for_each(|listed| archive.put(&Record::Kiosk(listed)))?;
        }
        for form in &self.forms {
            archive.put(&Record::Form(Box::new(form.clone())))?;
        }
        let mut directories = self.store.directories().await?;
        // A store of an earlier version did not keep them.
        let known: BTreeSet<Hash> = directories.iter().map(Directory::digest).collect();
        let unknown = self.offices.iter().filter(|one| !known.contains(&one.digest()));
        directories.extend(unknown.map(|one| Directory::clone(one)));
        for directory in directories {
            archive.put(&Record::Directory(Box::new(directory)))?;
        }
        for tallies in self.store.carried().await? {
            archive.put(&Record::Tallies(tallies))?;
        }
        Ok(())
    }

    /// Stored batches as an archive has them; opening bodies takes a while.
    async fn batches(
        &self,
        segments: Vec<(i64, Segment)>,
    ) -> Result<Vec<(i64, Batch)>, WriteError> {
        let reader = self.reader.clone();
        let batch = move |(place, segment): (i64, Segment)| {
            let bodies = reader.as_ref().map(|reader| bodies(reader, &segment));
            let batch = batch_of(segment, bodies.unwrap_or_default());
            (place, batch)
        };
        tokio::task::spawn_blocking(move || segments.into_iter().map(batch).collect())
            .await
            .map_err(|error| WriteError::Store(StoreError::Refused(error.to_string())))
    }
}

fn bodies(reader: &Intake, segment: &Segment) -> Vec<Body> {
    // What cannot be read is exported as it is: that it cannot is for `verify` to find.
    let (Ok(header), Ok((bodies, strange))) =
        (Header::read(&segment.header_line), read_body_part(&segment.body_part))
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
    bodies.extend(erased.map(|body| Body {
        found: body.found.clone(),
        ..Body::closed(body.seq, body.kind, ERASED.to_owned())
    }));
    bodies
}

fn batch_of(segment: Segment, bodies: Vec<Body>) -> Batch {
    Batch {
        bodies,
        header: Raw::of(&segment.header_line),
        signature: segment.signature,
        received: segment.received,
        lines: Lines::of(&segment.line_part).map(Raw::of).collect(),
    }
}

/// A kiosk with those of its keys that were not admitted `later`, if it has any.
fn listed(kiosk: &Kiosk, later: &BTreeSet<(KioskId, Hash)>) -> Option<ListedKiosk> {
    let known = |key: &VerifyingKey| !later.contains(&(kiosk.id.clone(), Hash::of(key.as_bytes())));
    let hex = |key: &VerifyingKey| data_encoding::HEXLOWER.encode(key.as_bytes());
    let former = kiosk.former.iter().filter(|former| known(&former.key));
    let mut former: Vec<ListedKey> =
        former.map(|one| ListedKey { key: hex(&one.key), until: one.until }).collect();
    let key = match known(&kiosk.key) {
        true => hex(&kiosk.key),
        false => former.pop()?.key,
    };
    Some(ListedKiosk {
        number: kiosk.number,
        id: kiosk.id.to_string(),
        office: kiosk.office.to_string(),
        counters: kiosk.counters.to_string(),
        key,
        enrolled: kiosk.enrolled,
        former,
    })
}
