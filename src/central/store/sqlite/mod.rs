//! The store in one SQLite file: one writer thread with group commit, readers beside it.
//!
//! Invariants:
//! - Only the writer thread writes. It takes what is waiting, runs it in one transaction, commits,
//!   and only then answers; when anything in the transaction fails, all of it is rolled back and
//!   each request in it is refused, to be sent again.
//! - What the writer remembers of branches is dropped with a transaction that failed.
//! - After a failed commit the file is closed and opened again and its last segment is checked
//!   before anything more is acknowledged.

mod access;
mod branches;
mod changes;
mod clocks;
mod codes;
mod completion;
mod counting;
mod decisions;
mod erasure;
mod heartbeats;
mod mail;
mod own;
mod placing;
mod reading;
mod rebuilding;
mod retention;
mod roots;
mod schema;
mod timing;
mod writing;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use async_trait::async_trait;
use ed25519_dalek::{SigningKey, VerifyingKey};
use jiff::civil::{Date, Time};
use rusqlite::Connection;
use tokio::sync::{RwLock, oneshot};

use super::{
    Admission, Answered, Checked, ContactNumber, ContactRef, DayRecord, Decided, DirectoryChange,
    Doubts, EnrolmentCode, Finding, Gap, Heard, Heartbeat, Held, KeptForm, Kiosk, Matters, Passage,
    PhoneForm, Placed, Progress, Rebuilt, Rereader, Segment, Store, StoreError, TicketState,
    UnderRoot, Unrooted, Verified, Written,
};
use crate::central::keys::Keys;
use crate::central::known_forms::KnownForms;
use crate::clock::Clock;
use crate::domain::archive::Tallies;
use crate::domain::check::CheckCode;
use crate::domain::decision::Decision;
use crate::domain::form::{Form, Reader};
use crate::domain::ids::{Epoch, Hash, KioskId, OfficeCode};
use crate::domain::line::{Event, Line};
use crate::domain::office::Directory;
use crate::domain::rating::Key;
use crate::domain::root::Root;
use crate::domain::seal::SealingKey;
use crate::domain::signals::Timed;
use crate::domain::summary::Rated;
use crate::domain::ticket::Claims;
use crate::domain::versions::Versions;

use changes::Changes;
use rebuilding::Anew;
use writing::Writer;

/// The file's name within the data folder.
pub const FILE: &str = "central.db";
/// Most requests in one transaction.
const GROUP: usize = 256;
/// Connections that are kept for readers.
pub const READERS: usize = 4;
/// Pages of the write-ahead log that may wait to be moved into the database: 4 MiB.
const LONG_LOG: i64 = 1_024;

/// What the store needs to write the central service's own series and to count.
#[derive(Clone)]
pub struct Author {
    /// Signs the segments of the own series.
    pub signing_key: SigningKey,
    /// The bodies of the own series are sealed for it.
    pub sealing_key: SealingKey,
    /// The source of time.
    pub clock: Arc<dyn Clock>,
    /// All forms known.
    pub forms: KnownForms,
    /// Closing times of the offices, for the `stopped` lines that end a day.
    pub closing: Closing,
}

impl Author {
    /// The author of the service that has these secrets, offices and forms.
    pub fn of(
        keys: &Keys,
        offices: &[Directory],
        forms: impl Into<KnownForms>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let mut closing = Closing::default();
        for Directory { office, .. } in offices {
            closing.tell(&office.code, (Date::MIN, Date::MIN), office.closes);
        }
        Self {
            signing_key: keys.series.clone(),
            sealing_key: keys.opening.sealing_key(),
            clock,
            forms: forms.into(),
            closing,
        }
    }
}

/// When offices close: what was told of them, and from which day on it holds. Whoever reads the same lines later
/// judges each day as it was judged then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Closing(BTreeMap<OfficeCode, Versions<Closes>>);

/// A closing time, and whether it was told of its first day, not of the day before.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Closes {
    at: Time,
    of_its_day: bool,
}

impl Closing {
    /// An office's closing time was told on a day, to hold from one on. It holds from the next one on at the earliest:
    /// that day may be judged already. The first that is told holds for all days.
    pub fn tell(&mut self, office: &OfficeCode, (told, from): (Date, Date), closes: Time) {
        let next = told.tomorrow().unwrap_or(told);
        let versions = self.0.entry(office.clone()).or_default();
        let closes = Closes { at: closes, of_its_day: from >= next };
        if versions.on(told).is_none() {
            versions.tell(Date::MIN, closes);
        } else if closes.of_its_day || versions.told_on(next).is_none_or(|one| !one.of_its_day) {
            versions.tell(from.max(next), closes);
        }
    }

    /// What is known better, in the place of what was told of the same offices.
    fn replace(&mut self, known: Self) {
        self.0.extend(known.0);
    }

    /// When an office closes on a day, if that was told.
    pub fn on(&self, office: &OfficeCode, day: Date) -> Option<Time> {
        Some(self.0.get(office)?.on(day)?.at)
    }
}

type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
type Job = Box<dyn FnOnce(&mut Writer) -> Result<Answer, StoreError> + Send>;

/// The store in one SQLite file.
pub struct SqliteStore {
    path: PathBuf,
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
    readers: Arc<Mutex<Vec<Connection>>>,
    changes: Arc<Changes>,
    /// Held by whoever reads: closing waits for them.
    reading: Arc<RwLock<()>>,
    read_only: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SqliteStore {
    /// Opens or creates `folder/central.db` and starts its writer.
    pub fn open(folder: &Path, author: Author) -> Result<Self, StoreError> {
        let path = folder.join(FILE);
        Self::begin(Writer::open(&path, author)?, path)
    }

    /// An office's closing time was told on a day: to a copy, which writes no line of its own.
    pub async fn tell_closing(
        &self,
        office: OfficeCode,
        days: (Date, Date),
        closes: Time,
    ) -> Result<(), StoreError> {
        self.write(move |writer| {
            writer.author.closing.tell(&office, days, closes);
            Ok(())
        })
        .await
    }

    fn begin(writer: Writer, path: PathBuf) -> Result<Self, StoreError> {
        let (jobs, waiting) = mpsc::channel::<Job>();
        let changes = Arc::clone(&writer.changes);
        let checkpointer = Checkpointer::start(path.clone());
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || write(writer, waiting, checkpointer))
            .map_err(|error| StoreError::Refused(error.to_string()))?;
        Ok(Self {
            path,
            jobs: Mutex::new(Some(jobs)),
            thread: Mutex::new(Some(thread)),
            readers: Arc::default(),
            changes,
            reading: Arc::default(),
            read_only: false,
        })
    }

    /// A new store in an empty folder that knows kiosks already, and what is left of days whose
    /// answers are erased, to place again what another store
    /// holds. It is not made to last.
    pub fn replica(
        folder: &Path,
        author: Author,
        kiosks: &[Kiosk],
        carried: &[Tallies],
        directories: &[Directory],
    ) -> Result<Self, StoreError> {
        let path = folder.join(FILE);
        let mut writer = Writer::open(&path, author)?;
        writer.db.pragma_update(None, "synchronous", "OFF")?;
        writer.again = true;
        for kiosk in kiosks {
            writing::list(&writer.db, kiosk)?;
        }
        retention::carry(&writer.db, carried)?;
        for directory in directories {
            writing::keep_directory(&writer.db, directory)?;
        }
        Self::begin(writer, path)
    }

    /// Opens `folder/central.db` for reading only, beside a service that may be running there.
    pub fn open_read_only(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE);
        let reader = schema::open_reader(&path)?;
        Ok(Self {
            path,
            jobs: Mutex::new(None),
            thread: Mutex::new(None),
            readers: Arc::new(Mutex::new(vec![reader])),
            changes: Arc::default(),
            reading: Arc::default(),
            read_only: true,
        })
    }

    /// After an erasure: the log still has the pages as they were before.
    async fn empty_log(&self) {
        let path = self.path.clone();
        let emptied = tokio::task::spawn_blocking(move || empty_log(&path)).await;
        if !matches!(emptied, Ok(Ok(()))) {
            tracing::warn!(?emptied, "what was erased stays in the log until it is full");
        }
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Writer) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (tell, told) = oneshot::channel();
        let job: Job = Box::new(move |writer| match work(writer) {
            Ok(done) => Ok(Box::new(move |committed| {
                let _ = tell.send(committed.map(|()| done));
            })),
            Err(error) => {
                let _ = tell.send(Err(error.clone()));
                Err(error)
            }
        });
        let gone = || StoreError::Refused("the store is closed for writing".into());
        lock(&self.jobs).as_ref().ok_or_else(gone)?.send(job).map_err(|_| gone())?;
        told.await
            .map_err(|_| StoreError::Refused("the request was rolled back with others".into()))?
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = Arc::clone(&self.readers);
        let path = self.path.clone();
        let reading = Arc::clone(&self.reading).read_owned().await;
        tokio::task::spawn_blocking(move || {
            let _reading = reading;
            let waiting = lock(&readers).pop();
            let db = match waiting {
                Some(db) => db,
                None => schema::open_reader(&path)?,
            };
            let result = work(&db);
            let mut readers = lock(&readers);
            if result.is_ok() && readers.len() < READERS {
                readers.push(db);
            }
            result
        })
        .await
        .map_err(|error| StoreError::Refused(error.to_string()))?
    }
}

/// The writer thread: one transaction for all that is waiting.
fn write(mut writer: Writer, waiting: mpsc::Receiver<Job>, checkpointer: Checkpointer) {
    while let Ok(first) = waiting.recv() {
        let mut jobs = vec![first];
        while jobs.len() < GROUP {
            match waiting.try_recv() {
                Ok(job) => jobs.push(job),
                Err(_) => break,
            }
        }
        let mut answers: Vec<Answer> = Vec::with_capacity(jobs.len());
        let committed = writer.transaction(|writer| {
            for job in jobs {
                answers.push(job(writer)?);
            }
            Ok(())
        });
        if let Err(error) = &committed {
            tracing::error!(%error, requests = answers.len(), "transaction rolled back");
        }
        for answer in answers {
            answer(committed.clone());
        }
        checkpointer.wake();
    }
    checkpointer.stop();
}

/// Moves the write-ahead log into the database on a thread and connection of its own.
struct Checkpointer {
    wake: mpsc::SyncSender<()>,
    busy: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Checkpointer {
    fn start(path: PathBuf) -> Self {
        let (wake, woken) = mpsc::sync_channel::<()>(1);
        let busy = Arc::new(AtomicBool::new(false));
        let working = Arc::clone(&busy);
        let spawned =
            std::thread::Builder::new().name("store-checkpoint".into()).spawn(move || {
                let mut db = None;
                while woken.recv().is_ok() {
                    if let Err(error) = checkpoint(&mut db, &path) {
                        tracing::warn!(%error, "no checkpoint this time");
                        db = None;
                    }
                    working.store(false, Ordering::Release);
                }
            });
        let thread = spawned
            .inspect_err(|error| tracing::warn!(%error, "no checkpoints until the next start"))
            .ok();
        Self { wake, busy, thread }
    }

    /// Ends the thread and waits for it: its connection may be the last one, which tidies the log
    /// away, and whoever closed the store may copy the file next.
    fn stop(self) {
        let Self { wake, thread, .. } = self;
        drop(wake);
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }

    fn wake(&self) {
        if !self.busy.swap(true, Ordering::AcqRel) && self.wake.try_send(()).is_err() {
            self.busy.store(false, Ordering::Release);
        }
    }
}

/// Moves the log into the database once enough of it waits, through a connection that stays.
fn checkpoint(kept: &mut Option<Connection>, path: &Path) -> rusqlite::Result<()> {
    let db = match kept {
        Some(db) => db,
        None => kept.insert(Connection::open(path)?),
    };
    // What is in the log, and what of it is in the database already.
    let waiting: i64 = db.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| {
        Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?)
    })?;
    if waiting > LONG_LOG {
        db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    }
    Ok(())
}

/// Moves all of the log into the database and cuts it, waiting for readers for a while.
fn empty_log(path: &Path) -> rusqlite::Result<()> {
    let db = Connection::open(path)?;
    db.busy_timeout(std::time::Duration::from_secs(10))?;
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

#[async_trait]
impl Store for SqliteStore {
    async fn offer(&self, code: EnrolmentCode) -> Result<(), StoreError> {
        self.write(move |writer| writer.offer(&code)).await
    }

    async fn admit(
        &self,
        code: Hash,
        key: VerifyingKey,
        by_former: Option<String>,
        ticket_key: Vec<u8>,
        receipt_key: String,
    ) -> Result<Admission, StoreError> {
        self.write(move |writer| {
            writer.admit(code, (key, by_former.as_deref()), (&ticket_key, &receipt_key))
        })
        .await
    }

    async fn kiosk(&self, id: &KioskId) -> Result<Option<Kiosk>, StoreError> {
        let id = id.clone();
        self.read(move |db| reading::kiosk(db, &id)).await
    }

    async fn kiosk_by_number(&self, number: u32) -> Result<Option<Kiosk>, StoreError> {
        self.read(move |db| reading::kiosk_by_number(db, number)).await
    }

    async fn place(&self, batch: Verified) -> Result<Placed, StoreError> {
        self.write(move |writer| writer.place(&batch)).await
    }

    async fn ticket(&self, kiosk: &KioskId, claims: Claims) -> Result<TicketState, StoreError> {
        let kiosk = kiosk.clone();
        self.read(move |db| reading::ticket(db, &kiosk, claims)).await
    }

    async fn answer(&self, form: PhoneForm) -> Result<Answered, StoreError> {
        self.write(move |writer| writer.answer(&form)).await
    }

    async fn check(&self, code: CheckCode) -> Result<Checked, StoreError> {
        self.read(move |db| codes::check(db, code)).await
    }

    async fn gather_codes(&self) -> Result<(), StoreError> {
        self.write(|writer| codes::gather(&writer.db)).await
    }

    async fn direct(&self, directory: &Directory) -> Result<(), StoreError> {
        let directory = directory.clone();
        self.write(move |writer| writer.direct(&directory)).await
    }

    async fn redirect(
        &self,
        directories: Vec<(Date, Directory)>,
        person: String,
    ) -> Result<Vec<Option<Date>>, StoreError> {
        self.write(move |writer| writer.redirect(&directories, &person)).await
    }

    async fn put_form(&self, form: Form, person: String) -> Result<(), StoreError> {
        self.write(move |writer| writer.put_form(&form, &person)).await
    }

    async fn kept_forms(&self) -> Result<Vec<KeptForm>, StoreError> {
        self.read(reading::kept_forms).await
    }

    async fn kept_offices(&self) -> Result<Vec<OfficeCode>, StoreError> {
        self.read(reading::kept_offices).await
    }

    async fn directory_versions(&self) -> Result<BTreeMap<OfficeCode, Versions<Hash>>, StoreError> {
        self.read(reading::directory_versions).await
    }

    async fn directory(&self, digest: Hash) -> Result<Option<Directory>, StoreError> {
        self.read(move |db| reading::directory(db, digest)).await
    }

    async fn directory_changes(
        &self,
        office: &OfficeCode,
    ) -> Result<Vec<DirectoryChange>, StoreError> {
        let office = office.clone();
        self.read(move |db| reading::directory_changes(db, &office)).await
    }

    async fn directories(&self) -> Result<Vec<Directory>, StoreError> {
        self.read(reading::directories).await
    }

    async fn held(&self) -> Result<(i64, Vec<Held>), StoreError> {
        self.write(Writer::held).await
    }

    async fn day(&self, office: &OfficeCode, date: Date) -> Result<DayRecord, StoreError> {
        let office = office.clone();
        self.read(move |db| reading::day(db, &office, date)).await
    }

    async fn ratings(&self, office: &OfficeCode, date: Date) -> Result<Vec<Rated>, StoreError> {
        let office = office.clone();
        self.read(move |db| reading::ratings(db, &office, date)).await
    }

    async fn timed(&self, office: &OfficeCode, date: Date) -> Result<Vec<Timed>, StoreError> {
        let office = office.clone();
        self.read(move |db| timing::timed(db, &office, date)).await
    }

    async fn tallies(
        &self,
        office: &OfficeCode,
        date: Date,
    ) -> Result<Vec<(Key, u64)>, StoreError> {
        let office = office.clone();
        self.read(move |db| reading::tallies(db, &office, date)).await
    }

    async fn running(
        &self,
        office: &OfficeCode,
        from: Date,
        to: Date,
    ) -> Result<(Vec<Progress>, Vec<Gap>), StoreError> {
        let office = office.clone();
        self.read(move |db| reading::running(db, &office, from, to)).await
    }

    async fn passage(&self, office: &OfficeCode) -> Result<Passage, StoreError> {
        let office = office.clone();
        self.read(move |db| reading::passage(db, &office)).await
    }

    fn changes(&self, office: &OfficeCode, date: Date) -> u64 {
        self.changes.of(office, date)
    }

    async fn doubts(&self, office: &OfficeCode, date: Date) -> Result<Doubts, StoreError> {
        let office = office.clone();
        self.read(move |db| reading::doubts(db, &office, date)).await
    }

    async fn latest_day(&self, office: &OfficeCode) -> Result<Option<Date>, StoreError> {
        let office = office.clone();
        self.read(move |db| reading::latest_day(db, &office)).await
    }

    async fn contact_of(&self, code: CheckCode) -> Result<Option<ContactRef>, StoreError> {
        self.read(move |db| codes::contact_of(db, code)).await
    }

    async fn has_words_before(&self, day: Date) -> Result<bool, StoreError> {
        self.write(move |writer| {
            let phone = writer.words_before(day)?;
            Ok(!phone.is_empty() || !writer.counter_words_before(day)?.is_empty())
        })
        .await
    }

    async fn decide(&self, decision: Decision) -> Result<(Epoch, u64), StoreError> {
        let erases = decision.what.erases();
        let moves = decision.what.moves_figures();
        let taken = self.write(move |writer| {
            if moves {
                writer.figures_move(&decision.what)?;
            }
            writer.note_decision(decision)
        });
        let taken = taken.await?;
        if erases {
            self.empty_log().await;
        }
        Ok(taken)
    }

    async fn has_answers_before(&self, day: Date) -> Result<bool, StoreError> {
        self.read(move |db| retention::has_answers_before(db, day)).await
    }

    async fn admitted_after(&self, place: i64) -> Result<BTreeSet<(KioskId, Hash)>, StoreError> {
        self.read(move |db| own::admitted_after(db, place)).await
    }

    async fn erasures_after(&self, place: i64) -> Result<Vec<Segment>, StoreError> {
        self.read(move |db| own::erasures_after(db, place)).await
    }

    async fn carried(&self) -> Result<Vec<Tallies>, StoreError> {
        self.read(retention::carried).await
    }

    async fn erase_answers(
        &self,
        before: Date,
        person: String,
        reason: String,
    ) -> Result<(Epoch, u64), StoreError> {
        let taken = self.write(move |writer| {
            writer.changed.all = true;
            writer.end_answers(before, person, reason)
        });
        let taken = taken.await?;
        self.empty_log().await;
        Ok(taken)
    }

    async fn matters(&self) -> Result<Matters, StoreError> {
        self.write(Writer::matters).await
    }

    async fn improvements(&self, office: &OfficeCode) -> Result<Vec<Decided>, StoreError> {
        let office = office.clone();
        self.read(move |db| decisions::improvements(db, &office)).await
    }

    async fn findings(&self) -> Result<Vec<Finding>, StoreError> {
        self.read(reading::findings).await
    }

    async fn comments(
        &self,
        office: &OfficeCode,
        day: Date,
        by_phone: bool,
    ) -> Result<Vec<String>, StoreError> {
        let office = office.clone();
        self.read(move |db| reading::comments(db, &office, day, by_phone)).await
    }

    async fn handlings(&self) -> Result<Vec<Decided>, StoreError> {
        self.read(decisions::handlings).await
    }

    async fn words(&self, reader: Reader) -> Result<Vec<Written>, StoreError> {
        self.read(move |db| reading::words(db, reader)).await
    }

    async fn rated_contacts(&self) -> Result<Vec<ContactNumber>, StoreError> {
        self.read(reading::rated_contacts).await
    }

    async fn canonical_digest(&self) -> Result<Hash, StoreError> {
        self.read(|db| Ok(Hash::of_lines(&reading::canonical_dump(db)?))).await
    }

    async fn unrooted(&self, today: Date) -> Result<Option<Unrooted>, StoreError> {
        self.read(move |db| roots::unrooted(db, today)).await
    }

    async fn keep_root(&self, of: Unrooted, root: Root) -> Result<bool, StoreError> {
        self.write(move |writer| roots::keep(&writer.db, &of, &root)).await
    }

    async fn segments(&self, after: i64, most: usize) -> Result<Vec<(i64, Segment)>, StoreError> {
        self.read(move |db| reading::segments(db, after, most)).await
    }

    async fn roots_after(&self, number: u64, most: usize) -> Result<Vec<Root>, StoreError> {
        self.read(move |db| roots::after(db, number, most)).await
    }

    async fn under_root(&self, code: CheckCode) -> Result<Option<UnderRoot>, StoreError> {
        self.read(move |db| codes::under_root(db, code)).await
    }

    async fn all_roots(&self) -> Result<Vec<(i64, Root)>, StoreError> {
        self.read(roots::all).await
    }

    async fn hear(&self, kiosk: KioskId, said: Heartbeat) -> Result<(), StoreError> {
        self.write(move |writer| heartbeats::keep(&writer.db, &kiosk, &said)).await
    }

    async fn heard(&self) -> Result<Vec<Heard>, StoreError> {
        self.read(heartbeats::heard).await
    }

    async fn kiosks(&self) -> Result<Vec<Kiosk>, StoreError> {
        self.read(reading::kiosks).await
    }

    async fn findings_hash(&self) -> Result<Hash, StoreError> {
        self.read(|db| Ok(Hash::of_lines(&reading::findings_dump(db)?))).await
    }

    async fn exported(&self, archive: Hash, person: String) -> Result<(), StoreError> {
        let (digest, person) = (Some(archive), Some(person));
        let line = Line { digest, person, ..Line::draft(Event::Exported) };
        self.write(move |writer| writer.note(vec![(line, vec![])])).await
    }

    async fn roots(&self, most: usize) -> Result<Vec<Root>, StoreError> {
        self.read(move |db| roots::latest(db, most)).await
    }

    async fn rebuild(&self, reader: Arc<dyn Rereader>) -> Result<Rebuilt, StoreError> {
        let author = self.write(|writer| Ok(writer.author.clone())).await?;
        let path = self.path.clone();
        let refused = |error: tokio::task::JoinError| StoreError::Refused(error.to_string());
        let anew = tokio::task::spawn_blocking(move || Anew::of(&path, author, reader));
        let (anew, rebuilt) = anew.await.map_err(refused)??;
        if rebuilt.differ == 0 || !rebuilt.unread.is_empty() {
            return Ok(rebuilt);
        }
        let replaced = self.write(move |writer| {
            writer.changed.all = true;
            anew.replace(writer)
        });
        replaced.await?;
        Ok(rebuilt)
    }

    async fn close(&self) -> Result<(), StoreError> {
        if self.read_only {
            return Ok(());
        }
        self.write(Writer::stop).await?;
        lock(&self.jobs).take();
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        // Whose request was given up may still be reading.
        let _nobody = self.reading.write().await;
        lock(&self.readers).clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_changed_today_leaves_the_closing_time_that_was_told_for_tomorrow() {
        let (office, day) = ("phu-sa".parse().unwrap(), |day: i8| Date::constant(2026, 11, day));
        let time = |hour: i8| Time::constant(hour, 0, 0, 0);
        let mut closing = Closing::default();
        closing.tell(&office, (day(2), day(2)), time(17));
        assert_eq!(closing.on(&office, day(1)), Some(time(17)), "the first one holds for all days");
        closing.tell(&office, (day(24), day(25)), time(16));
        // Another change of today, which says 17:00 as before: from tomorrow on that would be.
        closing.tell(&office, (day(24), day(24)), time(17));
        assert_eq!(
            [24, 25].map(|at| closing.on(&office, day(at))),
            [17, 16].map(|at| Some(time(at)))
        );
        // Told today alone it is the next day's, told twice the last one.
        closing.tell(&office, (day(26), day(26)), time(15));
        closing.tell(&office, (day(26), day(26)), time(18));
        assert_eq!(
            [26, 27].map(|at| closing.on(&office, day(at))),
            [16, 18].map(|at| Some(time(at)))
        );
    }
}
