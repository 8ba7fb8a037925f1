//! Contacts, tallies and findings made anew from the stored batches.
//!
//! Every batch is judged and placed again, in the order received, by the same code as when it came,
//! into a database beside the one in use. Readers and the writer go on meanwhile: what is compared
//! is one state of the database. Only when something differs does the writer stop for a moment, to
//! take over what the journals give.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ed25519_dalek::VerifyingKey;
use jiff::civil::Date;
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use super::retention::{Days, carried_digest, kept_since};
use super::writing::{Writer, last_ord, list};
use super::{Author, decisions, reading, schema};
use crate::central::store::{ErasedBody, Kiosk, Rebuilt, Rereader, Segment, StoreError, Verified};
use crate::domain::batch::Header;
use crate::domain::decision::{Erased, Gone, What};
use crate::domain::ids::{Hash, KioskId};
use crate::domain::line::Line;

/// What follows from the stored batches. Kiosks, codes and batches do not.
const DERIVED: [&str; 14] = [
    "branch",
    "range",
    "clock_step",
    "contact",
    "phone",
    "words",
    "counter_words",
    "tally",
    "placed",
    "completion",
    "gap",
    "finding",
    "decision",
    "look",
];
/// Batches placed in one transaction.
const AT_ONCE: usize = 64;
/// Rows that are told of a difference.
const TOLD: usize = 20;

/// A database made anew, beside the one in use; gone when this is dropped.
pub(super) struct Anew {
    folder: Folder,
    writer: Writer,
    reader: Arc<dyn Rereader>,
    own_key: VerifyingKey,
    kiosks: HashMap<KioskId, Kiosk>,
    /// The last batch read.
    last: i64,
    batches: u64,
    lines: u64,
    /// Bodies that were erased.
    gone: Vec<Gone>,
    unread: Vec<String>,
}

/// A folder of our own within the data folder, on the same disk.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Folder {
    fn make(path: PathBuf) -> std::io::Result<Self> {
        // One that was left behind is of a process that was killed.
        if path.exists() {
            std::fs::remove_dir_all(&path)?;
        }
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Anew {
    /// Reads all batches of the database at `path` and compares what follows with what is there.
    pub(super) fn of(
        path: &Path,
        author: Author,
        reader: Arc<dyn Rereader>,
    ) -> Result<(Self, Rebuilt), StoreError> {
        let folder = Folder::make(path.with_extension("anew"))
            .map_err(|error| StoreError::Refused(error.to_string()))?;
        let own_key = author.signing_key.verifying_key();
        let mut writer = Writer::open(&folder.0.join(super::FILE), author)?;
        // It is thrown away after a power cut.
        writer.db.pragma_update(None, "synchronous", "OFF")?;
        writer.again = true;
        let mut anew = Self {
            folder,
            writer,
            reader,
            own_key,
            kiosks: HashMap::new(),
            last: 0,
            batches: 0,
            lines: 0,
            gone: Vec::new(),
            unread: Vec::new(),
        };
        let db = schema::open_reader(path)?;
        db.execute_batch("BEGIN")?;
        anew.follow(&db)?;
        anew.check_erasures()?;
        let made = &anew.writer.db;
        let (before, after) = (reading::canonical_dump(&db)?, reading::canonical_dump(made)?);
        let others = (reading::other_dump(&db)?, reading::other_dump(made)?);
        db.execute_batch("COMMIT")?;
        let rebuilt = anew.compare((&before, &others.0), (&after, &others.1));
        Ok((anew, rebuilt))
    }

    /// Each side's canonical dump, and what else follows from the journals.
    fn compare(&self, before: (&[String], &[String]), after: (&[String], &[String])) -> Rebuilt {
        let all = |side: (&[String], &[String])| -> BTreeSet<String> {
            side.0.iter().chain(side.1).cloned().collect()
        };
        let (there, given) = (all(before), all(after));
        let gone = there.difference(&given).map(|row| format!("-{row}"));
        let come = given.difference(&there).map(|row| format!("+{row}"));
        let mut rows: Vec<String> = gone.chain(come).collect();
        let differ = rows.len() as u64;
        rows.truncate(TOLD);
        Rebuilt {
            batches: self.batches,
            lines: self.lines,
            unread: self.unread.clone(),
            before: Hash::of_lines(before.0),
            after: Hash::of_lines(after.0),
            differ,
            rows,
        }
    }

    /// Places what is stored in `db` after the last batch read.
    fn follow(&mut self, db: &Connection) -> Result<(), StoreError> {
        self.admit(db)?;
        loop {
            let segments = reading::segments(db, self.last, AT_ONCE)?;
            if segments.is_empty() {
                return Ok(());
            }
            let mut batches = Vec::with_capacity(AT_ONCE);
            for (place, segment) in segments {
                self.last = place;
                self.batches += 1;
                let erased = segment.erased.clone();
                match self.judge(segment) {
                    Ok(batch) => {
                        self.gone.extend(gone(&batch, &erased));
                        batches.push(batch);
                    }
                    Err(why) => self.unread.push(format!("batch {place}: {why}")),
                }
            }
            self.lines += batches.iter().map(|batch| u64::from(batch.header.count)).sum::<u64>();
            self.writer.transaction(|writer| {
                batches.iter().try_for_each(|batch| writer.place(batch).map(drop))
            })?;
        }
    }

    /// The day of the line that opened the contact of a body, if that is here.
    fn opened(&self, gone: &Gone) -> Result<Option<Date>, StoreError> {
        let Gone { kiosk, epoch, contact, .. } = gone;
        let Some(branch) = self.writer.row_of(kiosk, *epoch)? else { return Ok(None) };
        let opening = self.writer.line_and_when(branch, *contact)?;
        Ok(opening.and_then(|(bytes, received)| {
            let line = Line::read(&bytes, kiosk, *epoch, *contact).ok()?;
            Some(Gone::day_of(&line, received))
        }))
    }

    /// Whether bodies that are gone were erased by decisions, and what was carried over for them is
    /// what these name.
    fn check_erasures(&mut self) -> Result<(), StoreError> {
        let decided = decisions::all(&self.writer.db)?;
        let erased: Erased = decided.iter().map(|one| &one.decision.what).collect();
        for mut gone in std::mem::take(&mut self.gone) {
            if erased.has(&gone) {
                continue;
            }
            // It began earlier than this line of it, perhaps.
            if let Some(day) = self.opened(&gone)? {
                gone.day = day;
            }
            if !erased.has(&gone) {
                let Gone { kiosk, seq, .. } = gone;
                let told = format!("{kiosk}: a body of line {seq} is gone, and nobody decided it");
                self.unread.push(told);
            }
        }
        for one in &decided {
            if let What::AnswersErased { since, before, tallies } = one.decision.what
                && carried_digest(&self.writer.db, Days { since, before })? != tallies
            {
                self.unread.push(format!(
                    "the tallies that are kept of days before {before} are not those that line {} \
                     of the central service names",
                    one.seq
                ));
            }
        }
        Ok(())
    }

    fn judge(&self, segment: Segment) -> Result<Verified, String> {
        let header = Header::read(&segment.header_line).map_err(|error| error.to_string())?;
        let numbers = format!("{} {}–{}", header.kiosk, header.first, header.last());
        let judged = if header.kiosk.is_central() {
            self.reader.read_again(segment, &[self.own_key])
        } else {
            let kiosk = self.kiosks.get(&header.kiosk);
            let kiosk = kiosk.ok_or(format!("{numbers}: an unknown kiosk"))?;
            let signers: Vec<VerifyingKey> = kiosk.signers(segment.received).copied().collect();
            self.reader.read_again(segment, &signers)
        };
        judged.map_err(|error| format!("{numbers}: {error}"))
    }

    /// The kiosks of `db`, as they are there.
    fn admit(&mut self, db: &Connection) -> Result<(), StoreError> {
        for kiosk in reading::kiosks(db)? {
            if !self.kiosks.contains_key(&kiosk.id) {
                list(&self.writer.db, &kiosk)?;
            }
            self.kiosks.insert(kiosk.id.clone(), kiosk);
        }
        copy(db, &self.writer.db, "carried")
    }

    /// Puts what the journals give in the place of what is there, within the writer's transaction.
    pub(super) fn replace(mut self, writer: &mut Writer) -> Result<(), StoreError> {
        writer.flush()?;
        // What came since, or comes before this in the same transaction.
        self.follow(&writer.db)?;
        if let Some(unread) = self.unread.first() {
            return Err(StoreError::Damaged(unread.clone()));
        }
        let made = &self.writer.db;
        for table in DERIVED {
            copy(made, &writer.db, table)?;
        }
        self.settle(&writer.db)?;
        writer.kiosks.clear();
        writer.latest_contacts.clear();
        writer.judgements = None;
        writer.kept_since = kept_since(&writer.db)?;
        writer.last_ord = last_ord(&writer.db)?;
        tracing::warn!(folder = %self.folder.0.display(), "ratings and tallies were made anew");
        Ok(())
    }

    /// Batches name their branch by its row, kiosks how far they have come: these have changed.
    fn settle(&self, db: &Connection) -> Result<(), StoreError> {
        let made = &self.writer.db;
        let mut branch = made.prepare("SELECT id FROM branch WHERE kiosk = ? AND epoch = ?")?;
        let mut segments = db.prepare("SELECT id, header FROM segment")?;
        let mut update =
            db.prepare("UPDATE segment SET branch = ?2 WHERE id = ?1 AND branch <> ?2")?;
        let mut rows = segments.query([])?;
        while let Some(row) = rows.next()? {
            let header = Header::read(&row.get::<_, Vec<u8>>(1)?)
                .map_err(|error| StoreError::Damaged(error.to_string()))?;
            let place = params![header.kiosk.as_str(), header.epoch.to_string()];
            let id: i64 = branch.query_row(place, |row| row.get(0))?;
            update.execute(params![row.get::<_, i64>(0)?, id])?;
        }
        let mut kiosks = made.prepare("SELECT id, passed, retired FROM kiosk")?;
        let mut rows = kiosks.query([])?;
        let mut update = db.prepare("UPDATE kiosk SET passed = ?2, retired = ?3 WHERE id = ?1")?;
        while let Some(row) = rows.next()? {
            let text = |at: usize| row.get::<_, Option<String>>(at);
            update.execute(params![text(0)?, text(1)?, text(2)?])?;
        }
        Ok(())
    }
}

/// The bodies of a batch that were erased.
fn gone(batch: &Verified, erased: &[ErasedBody]) -> Vec<Gone> {
    let of = |body: &ErasedBody| {
        let entry = batch.entries.iter().find(|entry| entry.seq == body.seq)?;
        let line = entry.line.as_ref().ok()?;
        let Header { kiosk, epoch, .. } = &batch.header;
        Some(Gone::of(kiosk, *epoch, line, body.kind, batch.received))
    };
    erased.iter().filter_map(of).collect()
}

/// All rows of a table of the same shape, in the place of those that are there.
fn copy(from: &Connection, to: &Connection, table: &str) -> Result<(), StoreError> {
    to.execute(&format!("DELETE FROM {table}"), [])?;
    let mut select = from.prepare(&format!("SELECT * FROM {table}"))?;
    let columns = select.column_count();
    let places = vec!["?"; columns].join(", ");
    let mut insert = to.prepare(&format!("INSERT INTO {table} VALUES ({places})"))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let values =
            (0..columns).map(|at| row.get::<_, Value>(at)).collect::<Result<Vec<_>, _>>()?;
        insert.execute(params_from_iter(values))?;
    }
    Ok(())
}
