//! The check of an archive, record by record: each batch and root against what stands before it, and
//! at the end what only all of it together shows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ed25519_dalek::{SigningKey, VerifyingKey};
use jiff::ToSpan;
use jiff::civil::Date;
use tempfile::TempDir;

use super::admissions::Admissions;
use super::chains::Chains;
use super::erasures::Erasures;
use super::receipts::Receipts;
use super::{List, Report};
use crate::central::ingest::{UNKNOWN_KIND, answers};
use crate::central::remembered::Remembered;
use crate::central::store::sqlite::{Author, Closing, SqliteStore};
use crate::central::store::{Entry, FormerKey, Kiosk, Standing, Store, StoreError, Verified};
use crate::central::summary::Summaries;
use crate::clock::SystemClock;
use crate::domain::archive::{About, Batch, ERASED, ListedKiosk, SignedReceipt, Tallies};
use crate::domain::batch::{BadBatch, Header, line_part, read_stored};
use crate::domain::decision::{BACK_DAYS, Gone, KEPT_DAYS, What};
use crate::domain::form::{Form, Forms};
use crate::domain::ids::{Hash, KioskId, OfficeCode};
use crate::domain::line::{Event, Line};
use crate::domain::office::Directory;
use crate::domain::root::{Arrivals, Growing, Root, Statement, verifying_key};
use crate::domain::seal::OpeningKey;
use crate::domain::summary::FORMULA;
use crate::domain::system_random;
use crate::domain::time::At;
use crate::domain::versions::Versions;

/// A store in a folder of its own.
struct Replica {
    store: SqliteStore,
    days: Remembered,
    _folder: TempDir,
}

/// A decision may be taken before midnight and written after it.
const GRACE_DAYS: i64 = 3;

/// So long all kiosks may be silent before nobody but the service says which day it is.
const WITNESS_DAYS: i64 = 31;

/// An archive being checked.
pub(super) struct Check {
    about: About,
    series_key: Option<VerifyingKey>,
    root_key: Option<VerifyingKey>,
    kiosks: BTreeMap<KioskId, Kiosk>,
    forms: Arc<Forms>,
    directories: Vec<Directory>,
    /// The rules of the summaries that were named last.
    formula: u32,
    replica: Option<Replica>,
    chains: Chains,
    receipts: Receipts,
    /// The first day of which answers are kept, as decisions have it so far.
    closed: Option<Date>,
    /// Decisions that came after the end.
    later: Vec<What>,
    /// What the own series says of kiosks' keys.
    admissions: Admissions,
    /// The directories in force, as the own series says.
    in_force: BTreeMap<OfficeCode, Versions<Hash>>,
    /// What was erased.
    erasures: Erasures,
    /// Roots that kiosks saw: whose journal, number, anchor, and whether it was refused.
    seen: Vec<(KioskId, u64, Hash, bool)>,
    /// The latest day that a kiosk's clock and the service's told.
    by_kiosks: Option<Date>,
    /// What was decided.
    decisions: Vec<What>,

    /// Lines under no root yet.
    leaves: Growing,
    /// When their batches were received.
    arrivals: Arrivals,
    last: Option<(Statement, Hash)>,
    anchors: Vec<(Statement, Hash)>,
    report: Report,
}

impl Check {
    /// The check, begun with the first batch or root.
    pub(super) fn once<'a>(
        check: &'a mut Option<Self>,
        about: &About,
        list: &mut List,
    ) -> Result<&'a mut Self, StoreError> {
        let begun = match check.take() {
            Some(check) => check,
            None => Self::begin(about, std::mem::take(list))?,
        };
        Ok(check.insert(begun))
    }

    fn begin(about: &About, list: List) -> Result<Self, StoreError> {
        let mut problems = Vec::new();
        let mut notes = Vec::new();
        let mut kiosks = BTreeMap::new();
        let mut numbers = BTreeSet::new();
        for listed in &list.kiosks {
            match kiosk(listed) {
                Some(kiosk) if kiosks.contains_key(&kiosk.id) || !numbers.insert(kiosk.number) => {
                    problems.push(format!("{}: its name or number is another's, too", kiosk.id));
                }
                Some(kiosk) => drop(kiosks.insert(kiosk.id.clone(), kiosk)),
                None => problems.push(format!("kiosk {} of the list cannot be read", listed.id)),
            }
        }
        let forms = Arc::new(Forms::new(list.forms));
        let replica = if !about.opened {
            notes.push("bodies are not here: the figures were not checked".to_owned());
            None
        } else if let Some(from) = about.from {
            notes
                .push(format!("what came before {from} is not here: the figures were not checked"));
            None
        } else {
            Some(replica(&kiosks, &forms, &list.carried, &list.directories)?)
        };
        let (series_key, root_key) =
            (verifying_key(&about.series_key), verifying_key(&about.root_key));
        if series_key.is_none() || root_key.is_none() {
            problems.push("the central service's keys cannot be read".to_owned());
        }
        Ok(Self {
            about: about.clone(),
            series_key,
            root_key,
            kiosks,
            forms,
            directories: list.directories,
            formula: 1,
            replica,
            chains: Chains::default(),
            receipts: Receipts::default(),
            closed: None,
            later: Vec::new(),
            admissions: Admissions::of(list.kiosks),
            in_force: BTreeMap::new(),
            erasures: Erasures::of(list.carried),
            seen: Vec::new(),
            by_kiosks: None,
            decisions: Vec::new(),
            leaves: Growing::default(),
            arrivals: Arrivals::default(),
            last: None,
            anchors: Vec::new(),
            report: Report { problems, notes, ..Report::default() },
        })
    }

    fn wrong(&mut self, what: String) {
        self.report.problems.push(what);
    }

    pub(super) async fn batch(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.report.batches += 1;
        self.report.lines += batch.lines.len() as u64;
        let lines: Vec<Vec<u8>> = batch.lines.iter().map(|line| line.bytes()).collect();
        lines.iter().for_each(|line| self.leaves.push(Hash::of(line)));
        self.arrivals.push(&batch.signature, &batch.received.to_string());
        let header_line = batch.header.bytes();
        let header = match Header::read(&header_line) {
            Ok(header) => header,
            Err(error) => {
                self.wrong(format!("batch {}: {error}", self.report.batches));
                return Ok(());
            }
        };
        let named = format!("{}, lines {}–{}", header.kiosk, header.first, header.last());
        let place = (&header.kiosk, header.epoch);
        if !self.chains.add(place, header.start, header.first, &lines) {
            self.wrong(format!("{named}: here twice"));
        }
        let signers: Vec<VerifyingKey> = if header.kiosk.is_central() {
            self.series_key.into_iter().collect()
        } else {
            let kiosk = self.kiosks.get(&header.kiosk);
            kiosk.map(|kiosk| kiosk.signers(batch.received).copied().collect()).unwrap_or_default()
        };
        if signers.is_empty() {
            self.wrong(format!("{named}: of no kiosk in the list"));
            return Ok(());
        }
        let part = line_part(&lines);
        let content = match read_stored(&header_line, &batch.signature, part, Vec::new(), &signers)
        {
            Ok((_, content)) if lines.last().map(|line| Hash::of(line)) == Some(header.head) => {
                content
            }
            Err(BadBatch::Signature) => {
                self.wrong(format!("{named}: not signed by its key: made or changed by another"));
                return Ok(());
            }
            Ok(_) | Err(_) => {
                let which = Chains::changed(header.first, &lines, header.head);
                self.wrong(format!("{named}: not as signed: {which}"));
                return Ok(());
            }
        };
        let entries = self.entries(&header, &lines, batch);
        if header.kiosk.is_central() {
            self.own(&entries);
            self.tell_closing(&entries).await?;
        } else {
            self.witness(&header.kiosk, &entries, batch.received);
        }
        if let Some(replica) = &self.replica {
            let batch = Verified {
                header_line,
                signature: batch.signature.clone(),
                line_part: content.line_part,
                body_part: Vec::new(),
                entries,
                received: batch.received,
                header,
            };
            replica.store.place(batch).await?;
        }
        Ok(())
    }

    /// The lines with what was answered, each body checked against the hash in its line.
    fn entries(&mut self, header: &Header, lines: &[Vec<u8>], batch: &Batch) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(lines.len());
        for (seq, bytes) in (header.first..).zip(lines) {
            let line = Line::read(bytes, &header.kiosk, header.epoch, seq);
            let (mut given, mut unusable) = (Vec::new(), Vec::new());
            if let Ok(line) = line.as_ref()
                && line.event == Event::Contact
            {
                let (kiosk, epoch) = (&header.kiosk, header.epoch);
                self.erasures.opened(kiosk, epoch, line, batch.received);
            }
            if let (Ok(line), true) = (&line, self.about.opened) {
                let of_line = || batch.bodies.iter().filter(|body| body.seq == seq);
                let body =
                    |kind| of_line().find(|body| body.kind == kind as u8).map(|body| (kind, body));
                let mut false_bodies = Vec::new();
                let false_ones = std::cell::RefCell::new(&mut false_bodies);
                (given, unusable) = answers(&self.forms, line, body, |(kind, body), hash| {
                    if let Some(why) = &body.not_opened {
                        return Err(why.clone());
                    }
                    let plain = body.plain(kind, hash).inspect_err(|_| {
                        false_ones.borrow_mut().push(seq);
                    });
                    // What is no answer although its hash is right was no answer when it came.
                    plain.and_then(|plain| plain.answer(kind)).map_err(|error| error.to_string())
                });
                // That a person decided so is checked at the end.
                unusable.retain(|why| why != ERASED);
                for body in of_line().filter(|body| body.not_opened.as_deref() == Some(ERASED)) {
                    let (kiosk, epoch) = (&header.kiosk, header.epoch);
                    let gone = Gone::of(kiosk, epoch, line, body.kind, batch.received);
                    self.erasures.body(gone);
                    unusable.extend(body.found.iter().cloned());
                }
                for body in of_line() {
                    if body.not_opened.as_deref() == Some(UNKNOWN_KIND) {
                        unusable.push(UNKNOWN_KIND.to_owned());
                    }
                }
                let missing = unusable.iter().any(|why| why == "body_missing");
                for seq in false_bodies {
                    let kiosk = &header.kiosk;
                    self.wrong(format!(
                        "{kiosk}: the body of line {seq} is not what its hash says"
                    ));
                }
                if missing {
                    let kiosk = &header.kiosk;
                    self.wrong(format!("{kiosk}: a body of line {seq} is missing"));
                }
            }
            entries.push(Entry { seq, hash: Hash::of(bytes), line, answers: given, unusable });
        }
        entries
    }

    /// What a kiosk saw: roots, and what day it is.
    fn witness(&mut self, kiosk: &KioskId, entries: &[Entry], received: At) {
        for line in entries.iter().filter_map(|entry| entry.line.as_ref().ok()) {
            // A clock ahead of the service's tells nothing about that one.
            self.by_kiosks = self.by_kiosks.max(Some(line.at.min(received).date()));
            let refused = match line.event {
                Event::Root => false,
                Event::RootRefused => true,
                _ => continue,
            };
            if let (Some(number), Some(anchor)) = (line.of_seq, line.digest) {
                self.seen.push((kiosk.clone(), number, anchor, refused));
            }
        }
    }

    /// Whether the roots that kiosks saw are those that are here.
    fn witnessed(&mut self) {
        let mut agreed: BTreeSet<&KioskId> = BTreeSet::new();
        // Nobody sees a root before it is made: one of a later number was here once.
        let last = self.anchors.last().map_or(0, |(statement, _)| statement.number);
        for (kiosk, number, seen, refused) in &self.seen {
            let here = self.anchors.iter().find(|(statement, _)| statement.number == *number);
            match here {
                Some((statement, anchor)) if anchor != seen || *refused => {
                    self.report.problems.push(format!(
                        "{kiosk} saw another root of {} than the one here: what was published was \
                         changed later",
                        statement.day
                    ));
                }
                Some(_) => drop(agreed.insert(kiosk)),
                None if *number > last => self.report.problems.push(format!(
                    "{kiosk} saw a root of number {number}, which is not here: it was taken away"
                )),
                // A part begins later.
                None => {}
            }
        }
        if !agreed.is_empty() {
            let n = agreed.len();
            let note = format!("{n} kiosks saw the same roots, and say so in their own journals");
            self.report.notes.push(note);
        }
    }

    /// Tells the copy when offices closed, as the own series has it.
    async fn tell_closing(&self, entries: &[Entry]) -> Result<(), StoreError> {
        let Some(replica) = &self.replica else { return Ok(()) };
        let lines = entries.iter().filter_map(|entry| entry.line.as_ref().ok());
        for line in lines.filter(|line| line.event == Event::Directory) {
            let named = |one: &&Directory| Some(one.digest()) == line.digest;
            if let Some(Directory { office, .. }) = self.directories.iter().find(named) {
                let (code, closes) = (office.code.clone(), office.closes);
                let days = (line.at.date(), line.effective.unwrap_or(line.at.date()));
                replica.store.tell_closing(code, days, closes).await?;
            }
        }
        Ok(())
    }

    /// What the central service's own series tells.
    fn own(&mut self, entries: &[Entry]) {
        for line in entries.iter().filter_map(|entry| entry.line.as_ref().ok()) {
            self.admissions.line(line);
            if let (Event::Directory, Some(digest)) = (line.event, line.digest) {
                let office = line.office.as_ref().and_then(|office| office.parse().ok());
                let told = line.at.date();
                // Nobody puts anything in force on a day that is over.
                let from = line.effective.map_or(told, |from| from.max(told));
                if let Some(office) = office {
                    let versions: &mut Versions<Hash> = self.in_force.entry(office).or_default();
                    versions.tell(from, digest);
                }
            }
            if let (Event::Form, Some(form), Some(digest)) = (line.event, &line.form, line.digest)
                && self.forms.get(form).map(Form::digest) != Some(digest)
            {
                self.wrong(format!("the form {form} is not what was put in force"));
            }
            if let Some(decision) = line.decision.as_ref().filter(|_| line.event == Event::Decided)
            {
                self.judge(line, &decision.what);
                self.decisions.push(decision.what.clone());
            }
        }
    }

    pub(super) async fn root(&mut self, root: &Root) -> Result<(), StoreError> {
        let Some(root_key) = self.root_key else { return Ok(()) };
        self.report.roots += 1;
        let statement = match root.verify_after(&root_key) {
            Ok((statement, key)) => {
                self.root_key = Some(key);
                statement
            }
            Err(error) => {
                self.wrong(format!("root {} of the archive: {error}", self.report.roots));
                self.leaves = Growing::default();
                self.arrivals = Arrivals::default();
                return Ok(());
            }
        };
        let day = statement.day;
        // The first root of a part names what is not here.
        let base = self.about.from.is_some() && self.last.is_none() && self.report.batches == 0;
        let (number, previous) = match &self.last {
            Some((last, anchor)) => (last.number + 1, *anchor),
            None if base => (statement.number, statement.previous),
            None => (1, Hash::NONE),
        };
        if (statement.number, statement.previous) != (number, previous) {
            self.wrong(format!("the root of {day} does not follow the one before: one is missing"));
        }
        let leaves = std::mem::take(&mut self.leaves);
        let arrivals = std::mem::take(&mut self.arrivals).hash();
        if !base {
            if statement.lines != leaves.lines() {
                let (here, then) = (leaves.lines(), statement.lines);
                self.wrong(format!("{day}: {here} lines are here, its root is over {then}"));
            } else if leaves.root() != statement.root {
                self.wrong(format!(
                    "{day}: the lines are not those of its root, or in another order"
                ));
            }
            // One that earlier roots have is not left out by a later one.
            let said = self.last.as_ref().is_some_and(|(last, _)| last.received.is_some());
            if statement.received.map_or(said, |received| received != arrivals) {
                self.wrong(format!("{day}: batches were not received when the archive says"));
            }
            self.admissions.root(&statement);
            self.figures(&statement).await?;
        }
        if let Some((last, _)) = self.last.as_ref().filter(|(last, _)| statement.at < last.at) {
            self.report.notes.push(format!(
                "the root of {day} was made on {}, the one before it on {}: the central service's \
                 clock was put back",
                statement.at, last.at
            ));
        }
        let anchor = root.anchor();
        self.anchors.push((statement.clone(), anchor));
        self.last = Some((statement, anchor));
        Ok(())
    }

    /// How far a journal was here when the archive was made, as the service signed it.
    pub(super) fn receipt(&mut self, signed: &SignedReceipt) {
        let mut wrong = self.receipts.take(signed, self.series_key, &self.about, &self.chains);
        self.report.problems.append(&mut wrong);
    }

    /// A decision that came after the end of the archive and erased something of it.
    pub(super) fn later(&mut self, batch: &Batch) {
        let lines: Vec<Vec<u8>> = batch.lines.iter().map(|line| line.bytes()).collect();
        let (header_line, part) = (batch.header.bytes(), line_part(&lines));
        let keys: Vec<VerifyingKey> = self.series_key.into_iter().collect();
        let read = read_stored(&header_line, &batch.signature, part, Vec::new(), &keys);
        let last = self.chains.last(&KioskId::central());
        let later = |header: &Header| header.kiosk.is_central() && header.first > last;
        let Some((header, _)) = read.ok().filter(|(header, _)| later(header)) else {
            self.wrong(
                "a later decision is not signed by the central service, or not later".into(),
            );
            return;
        };
        for (seq, bytes) in (header.first..).zip(&lines) {
            let Ok(line) = Line::read(bytes, &header.kiosk, header.epoch, seq) else { continue };
            if let Some(decision) = &line.decision
                && (decision.what.erases() || matches!(decision.what, What::Dated { .. }))
            {
                self.judge(&line, &decision.what);
                self.later.push(decision.what.clone());
            }
        }
    }

    /// Nobody erases the answers of days that have to be kept, or dates contacts to days whose answers
    /// are over, whoever signs the line.
    fn judge(&mut self, line: &Line, what: &What) {
        // A clock that was put back does not show before the root that was made meanwhile.
        let now = self.last.as_ref().map_or(line.at, |(last, _)| line.at.max(last.at));
        if let What::Dated { day, .. } = what
            && *day < now.date().saturating_sub((BACK_DAYS + GRACE_DAYS).days())
        {
            let at = line.at.date();
            self.wrong(format!("on {at} contacts were dated to {day}, which is too long before"));
        }
        let What::AnswersErased { since, before, .. } = what else { return };
        if *before > line.at.date().saturating_sub(KEPT_DAYS.days()) {
            self.wrong(format!(
                "on {} answers of days up to {before} were erased, which had to be kept",
                line.at.date()
            ));
        }
        // A service whose clock was put forward could erase too early; kiosks have clocks of their own.
        let told = self.by_kiosks.map(|day| day.saturating_add(WITNESS_DAYS.days()));
        if self.about.from.is_none() && told.is_none_or(|told| told < line.at.date()) {
            self.report.notes.push(format!(
                "on {} answers of days up to {before} were erased; no kiosk's clock had told this \
                 day or one of the {WITNESS_DAYS} before it: ask why",
                line.at.date()
            ));
        }
        let last = self.closed.replace(*before);
        if *since != last && (last.is_some() || self.about.from.is_none()) {
            self.wrong(format!(
                "what was erased up to {before} does not go on from the time before"
            ));
        }
    }

    /// Findings and summaries of a day, made again from what was here by then.
    async fn figures(&mut self, statement: &Statement) -> Result<(), StoreError> {
        let Some(replica) = &self.replica else { return Ok(()) };
        let (store, day) = (&replica.store, statement.day);
        let mut wrong = Vec::new();
        if store.findings_hash().await? != statement.findings {
            wrong.push(format!("{day}: what is wrong with the journals is not what its root says"));
        }
        let summaries = |directory| {
            Summaries::new(store, &replica.days, directory, Arc::clone(&self.forms), statement.at)
        };
        let formula = statement.formula.unwrap_or(1);
        if formula < self.formula {
            wrong.push(format!("{day}: its summaries go back to rules that were given up"));
        }
        self.formula = formula.max(self.formula);
        if formula != FORMULA {
            self.report.notes.push(format!(
                "{day}: its summaries were made by other rules than those of this program, and were not checked"
            ));
            self.report.problems.append(&mut wrong);
            return Ok(());
        }
        let named = statement.summaries.iter();
        let named = named.flat_map(|(day, of)| of.iter().map(move |named| (*day, named)));
        for (day, (office, digest)) in named {
            let versions = self.in_force.get(office).cloned().unwrap_or_default();
            let in_force = versions.on(day).copied();
            let of_then =
                |one: &&Directory| one.office.code == *office && Some(one.digest()) == in_force;
            let Some(directory) = self.directories.iter().find(of_then) else {
                self.report.notes.push(format!(
                    "{day}: the directory of {office} is not here: its summary was not checked"
                ));
                continue;
            };
            match summaries(directory).with_versions(versions).of_day(day).await {
                Ok(summary) if summary.digest_of() == *digest => self.report.summaries += 1,
                Ok(_) => self.erasures.summary(office.clone(), day, self.decisions.len()),
                Err(error) => wrong.push(format!("{day}: {office}: {error}")),
            }
        }
        self.report.problems.append(&mut wrong);
        Ok(())
    }

    pub(super) fn end(mut self, anchor: Option<Hash>) -> Report {
        for kiosk in self.receipts.missing(&self.about, &self.chains, self.kiosks.keys()) {
            self.wrong(format!("{kiosk}: the receipt of its journal is not here"));
        }
        let whole = self.about.from.is_none();
        for day in self.admissions.other_lists(whole) {
            let what = "the kiosk list is not that of its root";
            self.report.problems.push(format!("{day}: {what}"));
        }
        self.report.problems.append(&mut std::mem::take(&mut self.chains).problems(whole));
        if whole {
            let wrong = self.kiosks.values().flat_map(|kiosk| self.admissions.problems(kiosk));
            self.report.problems.extend(wrong);
        }
        let office = |id: &KioskId| self.kiosks.get(id).map(|kiosk| &kiosk.office);
        self.erasures.tell(
            (&self.decisions, &self.later),
            office,
            self.about.from,
            &mut self.report,
        );
        self.witnessed();
        let notes = &mut self.report.notes;
        if self.leaves.lines() > 0 {
            notes.push(format!("{} lines came after the last root", self.leaves.lines()));
        }
        match anchor {
            None => notes.push("without an anchor: consistent in itself; origin not proved".into()),
            Some(anchor) => match self.anchors.iter().find(|(_, one)| *one == anchor) {
                Some((statement, _)) => notes.push(format!(
                    "anchored: up to {}, all is as it was when this root was made",
                    statement.day
                )),
                None => self.report.problems.push(format!(
                    "no root here is {anchor}: this is not what was published, or it was signed anew"
                )),
            },
        }
        self.report
    }
}

fn kiosk(listed: &ListedKiosk) -> Option<Kiosk> {
    Some(Kiosk {
        id: listed.id.parse().ok()?,
        number: listed.number,
        office: listed.office.parse().ok()?,
        counters: listed.counters.parse().ok()?,
        key: verifying_key(&listed.key)?,
        former: listed
            .former
            .iter()
            .map(|one| {
                Some(FormerKey {
                    key: verifying_key(&one.key)?,
                    ticket_key: Vec::new(),
                    until: one.until,
                })
            })
            .collect::<Option<_>>()?,
        ticket_key: Vec::new(),
        receipt_key: None,
        enrolled: listed.enrolled,
        standing: Standing::InUse,
    })
}

fn replica(
    kiosks: &BTreeMap<KioskId, Kiosk>,
    forms: &Forms,
    carried: &[Tallies],
    directories: &[Directory],
) -> Result<Replica, StoreError> {
    let refused = |error: &dyn std::fmt::Display| StoreError::Refused(error.to_string());
    let folder = TempDir::new().map_err(|error| refused(&error))?;
    // It writes no line of its own: these keys are used for nothing.
    let mut random = system_random();
    let (opening, _) = OpeningKey::generate(&mut random);
    let mut secret = [0; 32];
    random.fill_bytes(&mut secret);
    let author = Author {
        signing_key: SigningKey::from_bytes(&secret),
        sealing_key: opening.sealing_key(),
        clock: Arc::new(SystemClock::start()),
        forms: forms.clone().into(),
        // Told as the own series tells it.
        closing: Closing::default(),
    };
    let kiosks: Vec<Kiosk> = kiosks.values().cloned().collect();
    Ok(Replica {
        days: Remembered::default(),
        store: SqliteStore::replica(folder.path(), author, &kiosks, carried, directories)?,
        _folder: folder,
    })
}
