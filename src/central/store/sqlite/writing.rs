//! The writer: its transaction, the own series, enrolment and tickets.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ed25519_dalek::VerifyingKey;
use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, params};

use super::Author;
use super::branches::{Branch, Branches, Ranges};
use super::changes::{Changed, Changes};
use super::decisions::Judgements;
use super::reading;
use super::retention::kept_since;
use super::schema;
use crate::central::store::{
    Admission, Answered, EnrolmentCode, Entry, Kiosk, PhoneForm, StoreError, Verified,
};
use crate::domain::batch::{Header, Lines, Parts, body_part, line_part, pack};
use crate::domain::decision::Decision;
use crate::domain::enrolment::is_vouched;
use crate::domain::form::Form;
use crate::domain::ids::{Epoch, Hash, KioskId, OfficeCode};
use crate::domain::line::{By, Event, How, Line};
use crate::domain::office::Directory;
use crate::domain::rating::Cell;
use crate::domain::seal::Answer;
use crate::domain::series::{Before, Series, Tail};
use crate::domain::system_random;
use crate::domain::time::{At, Day};

/// What the writer remembers of a kiosk.
#[derive(Debug, Clone)]
pub(super) struct KioskState {
    /// None for the central service's own series.
    pub office: Option<OfficeCode>,
    pub branches: Branches,
    pub passed: Option<Date>,
}

/// The one writer of the database.
pub struct Writer {
    path: PathBuf,
    pub(super) db: Connection,
    pub(super) author: Author,
    own: Option<Series>,
    pub(super) kiosks: HashMap<KioskId, KioskState>,
    /// How the tallies move when the transaction ends.
    moves: BTreeMap<(OfficeCode, Cell), i64>,
    /// Which days' figures do.
    pub(super) changed: Changed,
    pub(super) changes: Arc<Changes>,
    /// The highest number of a contact here, by branch, as far as it was asked for.
    pub(super) latest_contacts: HashMap<i64, u64>,
    /// The last place given out in `placed`.
    pub(super) last_ord: i64,
    /// Decisions in force, once they were read.
    pub(super) judgements: Option<Judgements>,
    /// The first day of which answers are kept, if others were erased.
    pub(super) kept_since: Option<Date>,
    /// Whether it places again what another store holds.
    pub(super) again: bool,
    damaged: bool,
}

impl Writer {
    pub(super) fn open(path: &Path, author: Author) -> Result<Self, StoreError> {
        schema::keep_damaged_log(path)?;
        let db = schema::open_writer(path)?;
        let last_ord = last_ord(&db)?;
        let mut writer = Self {
            path: path.to_owned(),
            db,
            author,
            own: None,
            kiosks: HashMap::new(),
            moves: BTreeMap::new(),
            changed: Changed::default(),
            changes: Arc::default(),
            latest_contacts: HashMap::new(),
            last_ord,
            judgements: None,
            kept_since: None,
            again: false,
            damaged: false,
        };
        writer.kept_since = kept_since(&writer.db)?;
        writer.know_closing()?;
        writer.transaction(Self::read_old_clocks)?;
        Ok(writer)
    }

    /// What was told of closing times; of offices of which nothing was told here, what the author brought.
    fn know_closing(&mut self) -> Result<(), StoreError> {
        let known = reading::closing_times(&self.db)?;
        self.author.closing.replace(known);
        Ok(())
    }

    /// Runs `work` in one transaction: all of it is committed, or none.
    pub(super) fn transaction(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if self.damaged {
            self.reopen()?;
        }
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        let worked = work(self).and_then(|()| self.flush());
        let committed = match worked {
            Ok(()) => self.db.execute_batch("COMMIT").map_err(|error| {
                // Whether the disk has it is not known: nothing goes on with this connection.
                self.damaged = true;
                StoreError::from(error)
            }),
            Err(error) => Err(error),
        };
        // Of a commit that failed nobody knows whether the disk has it.
        self.changes.note(std::mem::take(&mut self.changed));
        if committed.is_err() {
            if self.db.execute_batch("ROLLBACK").is_err() {
                self.damaged = true;
            }
            self.kiosks.clear();
            self.moves.clear();
            self.latest_contacts.clear();
            self.judgements = None;
            // Its numbers may or may not be on the disk: the own series goes on in a new epoch.
            self.own = None;
            self.last_ord = last_ord(&self.db).unwrap_or(self.last_ord);
            self.kept_since = kept_since(&self.db).unwrap_or(self.kept_since);
            if let Err(error) = self.know_closing() {
                tracing::error!(%error, "closing times");
            }
        }
        committed
    }

    /// Opens the file again after a failed commit and checks what was stored last.
    fn reopen(&mut self) -> Result<(), StoreError> {
        self.db = schema::open_writer(&self.path)?;
        let last: Option<(Vec<u8>, Vec<u8>)> = self
            .db
            .query_row("SELECT header, lines FROM segment ORDER BY id DESC LIMIT 1", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        if let Some((header, lines)) = last {
            let header: Header = serde_json::from_slice(&header)
                .map_err(|error| StoreError::Damaged(error.to_string()))?;
            if Hash::of(&lines) != header.lines {
                return Err(StoreError::Damaged("the last segment is not what was signed".into()));
            }
        }
        self.last_ord = last_ord(&self.db)?;
        self.kept_since = kept_since(&self.db)?;
        self.damaged = false;
        Ok(())
    }

    /// Whether the answers of a day are erased: then its figures stay as they are.
    pub(super) fn is_closed(&self, day: Day) -> bool {
        matches!((day, self.kept_since), (Day::On(date), Some(kept)) if date < kept)
    }

    /// Moves a tally when the transaction ends, but for those of a day that is closed.
    pub(super) fn move_tally(&mut self, office: &OfficeCode, cell: Cell, by: i64) {
        if self.is_closed(cell.day) {
            return;
        }
        if let Day::On(date) = cell.day {
            self.changed.days.insert((office.clone(), date));
        }
        *self.moves.entry((office.clone(), cell)).or_default() += by;
    }

    pub(super) fn flush(&mut self) -> Result<(), StoreError> {
        let mut upsert = self.db.prepare_cached(
            "INSERT INTO tally (office, day, key, n) VALUES (?, ?, ?, ?)
             ON CONFLICT (office, day, key) DO UPDATE SET n = n + excluded.n",
        )?;
        for ((office, cell), by) in std::mem::take(&mut self.moves) {
            if by != 0 {
                upsert.execute(params![
                    office.as_str(),
                    cell.day.to_string(),
                    cell.key.text(),
                    by
                ])?;
            }
        }
        Ok(())
    }

    /// Makes sure that `kiosk` is remembered.
    pub(super) fn remember(&mut self, kiosk: &KioskId) -> Result<(), StoreError> {
        if self.kiosks.contains_key(kiosk) {
            return Ok(());
        }
        let row: Option<(String, Option<String>)> = self
            .db
            .query_row("SELECT office, passed FROM kiosk WHERE id = ?", [kiosk.as_str()], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        let (office, passed) = match row {
            Some((office, passed)) => (
                Some(office.parse().map_err(|_| StoreError::Damaged("an office's code".into()))?),
                passed.and_then(|date| date.parse().ok()),
            ),
            None => (None, None),
        };
        let branches = self.read_branches(kiosk)?;
        self.kiosks.insert(kiosk.clone(), KioskState { office, branches, passed });
        Ok(())
    }

    fn read_branches(&self, kiosk: &KioskId) -> Result<Branches, StoreError> {
        let mut statement = self.db.prepare_cached(
            "SELECT id, epoch, start, prev_epoch, prev_seq, rooted, superseded,
                    confirmed
             FROM branch WHERE kiosk = ? ORDER BY id",
        )?;
        let mut rows = statement.query([kiosk.as_str()])?;
        let epoch = |text: String| -> Result<Epoch, StoreError> {
            text.parse().map_err(|_| StoreError::Damaged(format!("epoch {text}")))
        };
        let mut branches = Vec::new();
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            let prev = match (row.get::<_, Option<String>>(3)?, row.get::<_, Option<i64>>(4)?) {
                (Some(text), Some(seq)) => Some((epoch(text)?, seq as u64)),
                _ => None,
            };
            let mut ranges = self
                .db
                .prepare_cached("SELECT first, last FROM range WHERE branch = ? ORDER BY first")?;
            let ranges = ranges
                .query_map([id], |row| {
                    Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64))
                })?
                .collect::<Result<_, _>>()?;
            branches.push(Branch {
                id,
                epoch: epoch(row.get(1)?)?,
                start: row.get::<_, i64>(2)? as u64,
                prev,
                rooted: row.get(5)?,
                superseded: row.get(6)?,
                ranges: Ranges(ranges),
                tip: None,
                steps: self.read_steps(id)?,
                confirmed: row.get(7)?,
            });
        }
        Ok(Branches(branches))
    }

    /// Writes lines into the central service's own series and places them.
    pub(super) fn note(&mut self, drafts: Vec<(Line, Vec<Answer>)>) -> Result<(), StoreError> {
        self.note_at(At::new(self.author.clock.now()), drafts)
    }

    fn note_at(&mut self, at: At, drafts: Vec<(Line, Vec<Answer>)>) -> Result<(), StoreError> {
        let mono_ms = self.author.clock.mono_ms();
        let refused = |error: &dyn std::fmt::Display| StoreError::Refused(error.to_string());
        let mut written = Vec::new();
        let mut answers = Vec::new();
        if self.own.is_none() {
            let before = self.own_tail()?.map_or(Before::Nothing, |tail| Before::Line(tail, None));
            let (series, started) = Series::begin(
                KioskId::central(),
                &self.author.sealing_key,
                before,
                at,
                mono_ms,
                system_random(),
            )
            .map_err(|error| refused(&error))?;
            self.own = Some(series);
            written.push(started);
            answers.push(Vec::new());
        }
        let Some(series) = self.own.as_mut() else { return Ok(()) };
        let mut prev = series.head();
        if let Some(started) = written.first() {
            // The epoch's first line names what was before it.
            let line: Line = serde_json::from_slice(&started.bytes).map_err(|e| refused(&e))?;
            prev = line.prev;
        }
        for (draft, given) in drafts {
            let line = series.write(draft, &given, at, mono_ms).map_err(|error| refused(&error))?;
            written.push(line);
            answers.push(given);
        }
        let lines: Vec<Vec<u8>> = written.iter().map(|line| line.bytes.clone()).collect();
        let bodies: Vec<_> = written.iter().flat_map(|line| line.bodies.clone()).collect();
        let kiosk = KioskId::central();
        let key = self.author.sealing_key.id();
        let parts = Parts {
            kiosk: &kiosk,
            epoch: series.epoch(),
            start: series.start(),
            enc: series.enc(),
            key: &key,
            first: written.first().map_or(series.next(), |line| line.seq),
            prev,
            lines: &lines,
            bodies: &bodies,
        };
        let packed = pack(&parts, &self.author.signing_key).map_err(|error| refused(&error))?;
        let header_line = serde_json::to_vec(&packed.header).map_err(|error| refused(&error))?;
        let entries = written
            .iter()
            .zip(answers)
            .map(|(line, answers)| Entry {
                seq: line.seq,
                hash: line.hash,
                line: Line::read(&line.bytes, &kiosk, packed.header.epoch, line.seq),
                answers,
                unusable: Vec::new(),
            })
            .collect();
        let batch = Verified {
            header: packed.header,
            header_line,
            signature: packed.signature,
            line_part: line_part(&lines),
            body_part: body_part(&bodies),
            entries,
            received: at,
        };
        self.place(&batch).map(|_| ())
    }

    fn own_tail(&self) -> Result<Option<Tail>, StoreError> {
        let last: Option<Vec<u8>> = self
            .db
            .query_row(
                "SELECT s.lines FROM segment s JOIN branch b ON b.id = s.branch
                 WHERE b.kiosk = 'central' ORDER BY s.id DESC LIMIT 1",
                [],
                |row| row.get(0),
            )
            .optional()?;
        let Some(lines) = last else { return Ok(None) };
        let Some(bytes) = Lines::of(&lines).last() else { return Ok(None) };
        let line: Line = serde_json::from_slice(bytes)
            .map_err(|error| StoreError::Damaged(format!("the own series: {error}")))?;
        Ok(Some(Tail {
            epoch: line.epoch,
            seq: line.seq,
            hash: Hash::of(bytes),
            at: line.at,
            stopped: line.event == Event::Stopped,
        }))
    }

    /// Notes a decision; gives the number of its line.
    pub(super) fn note_decision(&mut self, decision: Decision) -> Result<(Epoch, u64), StoreError> {
        let line = Line { decision: Some(decision), ..Line::draft(Event::Decided) };
        self.note(vec![(line, vec![])])?;
        let own = self.own.as_ref();
        Ok(own.map_or((Epoch(0), 0), |series| (series.epoch(), series.next() - 1)))
    }

    /// Writes `stopped`, if the own series was begun.
    pub(super) fn stop(&mut self) -> Result<(), StoreError> {
        if self.own.is_some() {
            self.note(vec![(Line::draft(Event::Stopped), vec![])])?;
            self.own = None;
        }
        Ok(())
    }

    pub(super) fn offer(&mut self, code: &EnrolmentCode) -> Result<(), StoreError> {
        self.db.execute(
            "INSERT OR REPLACE INTO enrolment_code (code, kiosk, office, counter, expires)
             VALUES (?, ?, ?, ?, ?)",
            params![
                code.code.0,
                code.kiosk.as_str(),
                code.office.as_str(),
                code.counters.to_string(),
                code.expires.to_string()
            ],
        )?;
        Ok(())
    }

    pub(super) fn admit(
        &mut self,
        code: Hash,
        (key, by_former): (VerifyingKey, Option<&str>),
        (ticket_key, receipt_key): (&[u8], &str),
    ) -> Result<Admission, StoreError> {
        // The moment of the line below: whoever waits for the writer is admitted when it is written.
        let now = At::new(self.author.clock.now());
        type Row = (String, String, String, String, Option<Vec<u8>>);
        let row: Option<Row> = self
            .db
            .query_row(
                "SELECT kiosk, office, counter, expires, used_by FROM enrolment_code WHERE code = ?",
                [code.0],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)),
            )
            .optional()?;
        let Some((kiosk, office, counter, expires, used_by)) = row else {
            return Ok(Admission::WrongCode);
        };
        let damaged = || StoreError::Damaged("an enrolment code".into());
        let id: KioskId = kiosk.parse().map_err(|_| damaged())?;
        if let Some(used_by) = used_by {
            // A lost reply: the same key asks again.
            let admitted = reading::kiosk(&self.db, &id)?;
            return Ok(match admitted {
                Some(kiosk) if used_by == key.as_bytes() && kiosk.key == key => {
                    Admission::Admitted(Box::new(kiosk))
                }
                _ => Admission::WrongCode,
            });
        }
        let expires = At::try_from(expires).map_err(|_| damaged())?;
        let known = reading::kiosk(&self.db, &id)?;
        // The same kiosk has its key, or another that this one vouches for.
        let another = known.as_ref().is_some_and(|known| {
            let vouched = by_former.is_some_and(|word| is_vouched(&known.key, &key, word));
            let again = known.former.iter().any(|former| former.key == key);
            (known.office.as_str(), known.counters.to_string()) != (&office, counter.clone())
                || (known.key != key && (again || !vouched))
        });
        if now > expires || another {
            return Ok(Admission::WrongCode);
        }
        self.db.execute(
            "UPDATE enrolment_code SET used_by = ? WHERE code = ?",
            params![key.as_bytes(), code.0],
        )?;
        if let Some(known) = &known {
            if known.key != key {
                self.db.execute(
                    "INSERT INTO former_key (kiosk, key, ticket_key, until) VALUES (?, ?, ?, ?)",
                    params![id.as_str(), known.key.as_bytes(), known.ticket_key, now.to_string()],
                )?;
            }
            // It stays as it was admitted, and has the service's keys of today.
            self.db.execute(
                "UPDATE kiosk SET key = ?2, ticket_key = ?3, receipt_key = ?4 WHERE id = ?1",
                params![id.as_str(), key.as_bytes(), ticket_key, receipt_key],
            )?;
        } else {
            self.db.execute(
                "INSERT INTO kiosk
                 (number, id, office, counter, key, ticket_key, receipt_key, enrolled)
                 VALUES ((SELECT coalesce(max(number), 0) + 1 FROM kiosk), ?, ?, ?, ?, ?, ?, ?)",
                params![
                    id.as_str(),
                    office,
                    counter,
                    key.as_bytes(),
                    ticket_key,
                    receipt_key,
                    now.to_string()
                ],
            )?;
        }
        self.kiosks.remove(&id);
        let line = Line {
            of_kiosk: Some(id.clone()),
            office: Some(office),
            digest: Some(Hash::of(key.as_bytes())),
            ..Line::draft(Event::Enrolled)
        };
        self.note(vec![(line, vec![])])?;
        let kiosk = reading::kiosk(&self.db, &id)?.ok_or_else(damaged)?;
        Ok(Admission::Admitted(Box::new(kiosk)))
    }

    /// Consumes a ticket: the answer becomes lines of the own series in this transaction.
    pub(super) fn answer(&mut self, form: &PhoneForm) -> Result<Answered, StoreError> {
        let claims = form.claims;
        let used: bool = self.db.query_row(
            "SELECT EXISTS (SELECT 1 FROM phone WHERE kiosk = ? AND seq = ? AND prefix = ?)",
            params![form.kiosk.as_str(), claims.seq, claims.epoch],
            |row| row.get(0),
        )?;
        if used {
            return Ok(Answered::Used);
        }
        let opening = Line {
            by: Some(By::Phone),
            of_kiosk: Some(form.kiosk.clone()),
            of_epoch: Some(format!("{:04x}", claims.epoch)),
            of_seq: Some(u64::from(claims.seq)),
            of_at: Some(claims.opened()),
            source: form.source.clone(),
            ..Line::draft(Event::Contact)
        };
        // The opening line's number is not known before the series writes it; an epoch may begin
        // in between. So it is written first, then the line that closes it.
        let level = vec![Answer::Level(form.level.clone())];
        let closed = |contact| Line {
            contact: Some(contact),
            how: Some(How::Sent),
            ..Line::draft(Event::Closed)
        };
        if self.own.is_none() {
            self.note(vec![])?;
        }
        let contact = self.own.as_ref().map_or(0, Series::next);
        let words = form.words.clone().map(Answer::Words);
        let end = std::iter::once(Answer::Reasons(form.reasons.clone())).chain(words).collect();
        self.note(vec![(opening, level), (closed(contact), end)])?;
        Ok(Answered::Kept(self.own.as_ref().map_or(Hash::NONE, Series::head)))
    }

    /// Keeps a version of a form, and notes it in the own series.
    pub(super) fn put_form(&mut self, form: &Form, person: &str) -> Result<(), StoreError> {
        let reference = form.reference();
        let text =
            serde_json::to_string(form).map_err(|error| StoreError::Refused(error.to_string()))?;
        let new = self.db.execute(
            "INSERT OR IGNORE INTO form_version (code, version, form, at, person)
             VALUES (?, ?, ?, ?, ?)",
            params![
                form.code,
                form.version,
                text,
                At::new(self.author.clock.now()).to_string(),
                person
            ],
        )?;
        if new == 0 {
            return Err(StoreError::Refused(format!("{reference} is here already")));
        }
        let line = Line {
            form: Some(reference),
            digest: Some(form.digest()),
            person: Some(person.to_owned()),
            ..Line::draft(Event::Form)
        };
        self.note(vec![(line, vec![])])
    }

    /// Puts states of offices in force that are kept here, each from a day on.
    pub(super) fn redirect(
        &mut self,
        directories: &[(Date, Directory)],
        person: &str,
    ) -> Result<Vec<Option<Date>>, StoreError> {
        let at = At::new(self.author.clock.now());
        let each = directories.iter();
        each.map(|(from, directory)| self.in_force(directory, (at, *from), Some(person))).collect()
    }

    /// Keeps a directory that files hold, and notes it in the own series, unless it is the one in force.
    pub(super) fn direct(&mut self, directory: &Directory) -> Result<(), StoreError> {
        let at = At::new(self.author.clock.now());
        // Files hold from now on, whatever was to come while the office was kept here.
        let to_come = reading::directory_versions(&self.db)?.remove(&directory.office.code);
        let to_come = to_come.unwrap_or_default();
        self.in_force(directory, (at, at.date()), None)?;
        for (from, _) in to_come.after(at.date()) {
            self.in_force(directory, (at, from), None)?;
        }
        Ok(())
    }

    /// Keeps a directory as the one in force from the day of `at` or a day to come, which is given unless it held
    /// already; `person` put it in force here, or else files hold it.
    fn in_force(
        &mut self,
        directory: &Directory,
        (at, from): (At, Date),
        person: Option<&str>,
    ) -> Result<Option<Date>, StoreError> {
        let (office, digest) = (&directory.office.code, directory.digest());
        let to_come = (from > at.date()).then_some(from);
        let from = to_come.unwrap_or(at.date());
        keep_directory(&self.db, directory)?;
        let changes = reading::directory_on(&self.db, office, from)? != Some(digest);
        if changes {
            let line = Line {
                office: Some(office.to_string()),
                digest: Some(digest),
                effective: to_come,
                person: person.map(str::to_owned),
                ..Line::draft(Event::Directory)
            };
            self.note_at(at, vec![(line, vec![])])?;
            self.db.execute(
                "INSERT INTO directory_change (office, at, person, digest, effective)
                 VALUES (?, ?, ?, ?, ?)",
                params![
                    office.as_str(),
                    at.to_string(),
                    person.unwrap_or_default(),
                    digest.0,
                    from.to_string()
                ],
            )?;
            self.author.closing.tell(office, (at.date(), from), directory.office.closes);
        }
        // What was kept here once stays kept when files no longer hold it.
        self.db.execute(
            "INSERT INTO directory (office, digest, kept) VALUES (?, ?, ?)
             ON CONFLICT (office) DO UPDATE SET digest = excluded.digest, kept = kept OR excluded.kept",
            params![office.as_str(), digest.0, person.is_some()],
        )?;
        Ok(changes.then_some(from))
    }
}

/// Keeps a directory under its digest.
pub(super) fn keep_directory(db: &Connection, directory: &Directory) -> Result<(), StoreError> {
    let text =
        serde_json::to_string(directory).map_err(|error| StoreError::Refused(error.to_string()))?;
    db.execute(
        "INSERT OR IGNORE INTO directory_version (digest, directory) VALUES (?, ?)",
        params![directory.digest().0, text],
    )?;
    Ok(())
}

/// Puts a kiosk into the list.
pub(super) fn list(db: &Connection, kiosk: &Kiosk) -> Result<(), StoreError> {
    db.execute(
        "INSERT INTO kiosk (number, id, office, counter, key, ticket_key, enrolled)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        params![
            kiosk.number,
            kiosk.id.as_str(),
            kiosk.office.as_str(),
            kiosk.counters.to_string(),
            kiosk.key.as_bytes(),
            kiosk.ticket_key,
            kiosk.enrolled.to_string()
        ],
    )?;
    Ok(())
}

pub(super) fn last_ord(db: &Connection) -> Result<i64, StoreError> {
    Ok(db.query_row("SELECT coalesce(max(ord), 0) FROM placed", [], |row| row.get(0))?)
}
