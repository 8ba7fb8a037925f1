//! The counters of one kiosk at work: who is on shift, which form is shown, and what a visit's
//! records become in the journal.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::civil::Date;
use zeroize::Zeroizing;

use super::duty::Duty;
use super::identity::{Identity, central_keys};
use super::journal::{Journal, JournalError, Writer};
use super::visit::{Input, Record};
use super::witness::Seen;
use crate::clock::Clock;
use crate::domain::Random;
use crate::domain::attempts::Attempts;
use crate::domain::check::CheckCode;
use crate::domain::enrolment::Enrolled;
use crate::domain::form::{Form, Forms};
use crate::domain::ids::{CounterId, Epoch, Hash, OfficialId};
use crate::domain::line::{Event, How, Line};
use crate::domain::office::Official;
use crate::domain::seal::Answer;
use crate::domain::ticket::{Claims, TicketKey};
use crate::domain::time::At;
use crate::files::write_whole;

/// A kiosk at which nobody is says so many minutes after closing that its day is over.
const SETTLED_MINUTES: i64 = 2;
/// Wrong codes in a row, so that a restart gives nobody new tries.
const ATTEMPTS: &str = "staff-attempts.json";

/// Why a desk cannot open.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The kiosk was not enrolled.
    #[error("this kiosk is not enrolled yet; start it once with --enrol CODE")]
    NotEnrolled,
    /// What enrolment gave is not usable.
    #[error("what enrolment gave is not usable: {0}; enrol the kiosk again in an empty folder")]
    Enrolment(&'static str),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The identity could not be kept.
    #[error(transparent)]
    Identity(#[from] super::identity::IdentityError),
}

/// A record that the disk has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The line's number.
    pub seq: u64,
    /// The address for the QR code, if a contact was opened.
    pub ticket: Option<String>,
    /// The check code, if a contact was ended.
    pub code: Option<CheckCode>,
}

impl From<Kept> for Input {
    fn from(kept: Kept) -> Self {
        let code = kept.code.map(|code| code.to_string());
        Self::Kept(kept.seq, kept.ticket.or(code))
    }
}

/// A kiosk's journal, and what goes into it.
pub struct Desk {
    journal: Journal,
    enrolled: Arc<Enrolled>,
    ticket_key: Zeroizing<TicketKey>,
    clock: Arc<dyn Clock>,
    forms: Forms,
    folder: PathBuf,
    duty: Duty,
    /// Who was noted as on shift, by counter.
    on_shift: BTreeMap<CounterId, Option<OfficialId>>,
    /// The epoch in which `on_shift` was noted.
    noted: Option<Epoch>,
    /// The day that was said to be over, unless somebody came after that.
    ended: Option<Date>,
}

impl Desk {
    /// Opens the journal in `folder` and notes configuration and shift.
    pub fn open(
        folder: &std::path::Path,
        identity: &mut Identity,
        clock: Arc<dyn Clock>,
        random: Box<dyn FnMut() -> Random + Send>,
    ) -> Result<Self, DeskError> {
        let enrolled = identity.enrolled.clone().ok_or(DeskError::NotEnrolled)?;
        let today = At::new(clock.now()).date();
        let enrolled = Arc::new(enrolled.as_of(today).unwrap_or(enrolled));
        let (sealing_key, _) =
            central_keys(&enrolled).ok_or(DeskError::Enrolment("the central service's keys"))?;
        let forms = Forms::new(enrolled.forms.iter().cloned());
        let writer =
            Writer { kiosk: enrolled.kiosk.clone(), sealing_key, begun: identity.journal_begun };
        let journal = Journal::open_with(folder, writer, Arc::clone(&clock), random)?;
        if !identity.journal_begun {
            identity.journal_begun = true;
            identity.keep()?;
        }
        let ticket_key = identity.ticket_key.clone();
        let on_shift = BTreeMap::new();
        let (duty, folder) = (Duty::open(folder), folder.to_owned());
        let mut desk = Self {
            journal,
            enrolled,
            ticket_key,
            clock,
            forms,
            folder,
            duty,
            on_shift,
            noted: None,
            ended: None,
        };
        match desk.note_setting() {
            // The journal found is damaged: it is moved aside, and the new one has all to be told.
            Err(error) if error.is_damage() => desk.note_setting()?,
            noted => noted?,
        }
        Ok(desk)
    }

    /// Puts another configuration into force, between visits.
    pub fn configure(&mut self, enrolled: Arc<Enrolled>) -> Result<(), JournalError> {
        self.forms = Forms::new(enrolled.forms.iter().cloned());
        self.enrolled = enrolled;
        self.note_setting()
    }

    fn note_setting(&mut self) -> Result<(), JournalError> {
        let digest = Hash::of(&serde_json::to_vec(&*self.enrolled).unwrap_or_default());
        let config = Line { digest: Some(digest), ..Line::draft(Event::Config) };
        self.journal.append(config, &[])?;
        self.follow_roster()
    }

    /// The journal, for the proof of order's negative control.
    #[doc(hidden)]
    pub fn journal(&mut self) -> &mut Journal {
        &mut self.journal
    }

    /// What enrolment gave.
    pub fn enrolled(&self) -> &Arc<Enrolled> {
        &self.enrolled
    }

    /// The form to show now.
    pub fn form(&self) -> Option<&Form> {
        let today = At::new(self.clock.now()).date();
        self.forms.to_show(&self.enrolled.directory.office.form, today)
    }

    /// Who stands at a counter now.
    pub fn on_duty(&self, counter: &CounterId) -> Option<&Official> {
        let now = At::new(self.clock.now()).civil();
        self.duty.who(&self.enrolled.directory, counter, now)
    }

    /// Who stands where, for the screen.
    pub fn duty(&self) -> Duty {
        self.duty.clone()
    }

    /// The wrong codes before, in a row.
    pub fn attempts(&self) -> Attempts {
        let read = std::fs::read(self.folder.join(ATTEMPTS)).ok();
        read.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Keeps the wrong codes in a row, and notes the last one.
    pub fn note_attempts(&mut self, attempts: &Attempts, wrong: bool) -> Result<(), JournalError> {
        let bytes = serde_json::to_vec(attempts).unwrap_or_default();
        if let Err(error) = write_whole(&self.folder.join(ATTEMPTS), &bytes, false) {
            tracing::warn!(%error, "wrong codes are not kept beyond this run");
        }
        if !wrong {
            return Ok(());
        }
        let counters = self.enrolled.counters.to_vec();
        let counter = if let [one] = &counters[..] { Some(one.clone()) } else { None };
        let line = Line { counter, ..Line::draft(Event::WrongCode) };
        self.journal.append(line, &[]).map(drop)
    }

    /// An official said by their own code that they stand at a counter. Returns after the disk has it.
    pub fn sign_in(
        &mut self,
        counter: &CounterId,
        official: &OfficialId,
    ) -> Result<(), JournalError> {
        let shift = Line {
            counter: Some(counter.clone()),
            official: Some(official.clone()),
            signed_in: Some(true),
            ..Line::draft(Event::Shift)
        };
        self.note_shift(counter, shift)?;
        let now = At::new(self.clock.now()).civil();
        if let Err(error) = self.duty.sign_in(&self.enrolled.directory, counter, official, now) {
            tracing::warn!(%error, "who signed in is not kept beyond this run");
        }
        Ok(())
    }

    /// Notes a jump of the clock, and the changes of shift at all counters, if there are any; and that the day is over,
    /// once the office has closed. For when nobody is at the kiosk.
    pub fn follow_roster(&mut self) -> Result<(), JournalError> {
        self.journal.follow_clock()?;
        let enrolled = Arc::clone(&self.enrolled);
        enrolled.counters.iter().try_for_each(|counter| self.follow_shift(counter))?;
        self.end_day()
    }

    fn end_day(&mut self) -> Result<(), JournalError> {
        let now = At::new(self.clock.now());
        let today = now.date();
        let closes = self.enrolled.directory.closes_on(today);
        let settled = At::from_civil(today.to_datetime(closes)).plus_minutes(SETTLED_MINUTES);
        if now < settled || self.ended == Some(today) {
            return Ok(());
        }
        self.journal.append(Line::draft(Event::DayEnded), &[])?;
        self.ended = Some(today);
        Ok(())
    }

    fn follow_shift(&mut self, counter: &CounterId) -> Result<(), JournalError> {
        let official = self.on_duty(counter).map(|official| official.id.clone());
        if self.noted.is_none() || self.noted != self.journal.epoch() {
            self.on_shift.clear();
        }
        if self.on_shift.get(counter) == Some(&official) {
            return Ok(());
        }
        let counter = counter.clone();
        let shift = Line { counter: Some(counter.clone()), official, ..Line::draft(Event::Shift) };
        self.note_shift(&counter, shift)
    }

    fn note_shift(&mut self, counter: &CounterId, shift: Line) -> Result<(), JournalError> {
        let official = shift.official.clone();
        let committed = self.journal.append(shift, &[])?;
        if self.noted != Some(committed.epoch) {
            self.on_shift.clear();
            self.noted = Some(committed.epoch);
        }
        self.on_shift.insert(counter.clone(), official);
        Ok(())
    }

    /// Keeps a record. Returns after the disk has it.
    pub fn keep(&mut self, record: &Record) -> Result<Kept, JournalError> {
        self.ended = None;
        match record {
            Record::Open { by, counter, level } => {
                self.follow_shift(counter)?;
                let form = self.form().map(Form::reference);
                let line = Line {
                    counter: Some(counter.clone()),
                    official: self.on_shift.get(counter).cloned().flatten(),
                    form,
                    by: Some(*by),
                    ..Line::draft(Event::Contact)
                };
                let answer = level.clone().map(Answer::Level);
                let committed = self.journal.append(line, answer.as_slice())?;
                let ticket =
                    Claims::new(self.enrolled.number, committed.seq, committed.epoch, committed.at)
                        .ok()
                        .map(|claims| {
                            let ticket = claims.ticket(&self.ticket_key);
                            format!("{}/R/{ticket}", self.enrolled.public_url)
                        });
                Ok(Kept { seq: committed.seq, ticket, code: None })
            }
            Record::Misuse { touches } => {
                let line = Line { touches: Some(*touches), ..Line::draft(Event::Misuse) };
                let committed = self.journal.append(line, &[])?;
                Ok(Kept { seq: committed.seq, ticket: None, code: None })
            }
            // Another epoch's line cannot be spoken of in this one.
            Record::Change { contact, .. }
            | Record::Close { contact, .. }
            | Record::Write { contact, .. }
                if !self.journal.holds(*contact) =>
            {
                Err(JournalError::EpochEnded)
            }
            Record::Change { contact, level } => {
                let line = Line { contact: Some(*contact), ..Line::draft(Event::Changed) };
                let answer = [Answer::Level(level.clone())];
                let committed = self.journal.append(line, &answer)?;
                Ok(Kept { seq: committed.seq, ticket: None, code: None })
            }
            Record::Close { contact, how, reasons } => {
                self.close(*contact, *how, &[Answer::Reasons(reasons.clone())])
            }
            Record::Write { contact, reasons, words } => {
                let answer =
                    [Answer::Reasons(reasons.clone()), Answer::Words(words.as_str().to_owned())];
                self.close(*contact, How::Sent, &answer)
            }
        }
    }

    fn close(&mut self, contact: u64, how: How, answer: &[Answer]) -> Result<Kept, JournalError> {
        let line = Line { contact: Some(contact), how: Some(how), ..Line::draft(Event::Closed) };
        let committed = self.journal.append(line, answer)?;
        let code = Some(CheckCode::of(self.enrolled.number, committed.hash));
        Ok(Kept { seq: committed.seq, ticket: None, code })
    }

    /// Notes a root that the central service published.
    pub fn note_root(&mut self, seen: Seen) -> Result<(), JournalError> {
        let event = if seen.refused { Event::RootRefused } else { Event::Root };
        let (number, anchor) = (Some(seen.number), Some(seen.anchor));
        let line = Line { of_seq: number, digest: anchor, ..Line::draft(event) };
        self.journal.append(line, &[]).map(drop)
    }

    /// Notes that the process is alive.
    pub fn note_alive(&mut self) -> Result<(), JournalError> {
        self.journal.note_alive()
    }

    /// Ends the epoch in good order.
    pub fn stop(mut self) -> Result<(), JournalError> {
        self.journal.note_alive()?;
        self.journal.append(Line::draft(Event::Stopped), &[])?;
        Ok(())
    }
}
