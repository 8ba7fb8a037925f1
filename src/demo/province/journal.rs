//! A kiosk's journal, written and sent a day at a time: by the series, seals and batches of real kiosks, without their
//! disks.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use jiff::civil::{Date, time};

use super::ProvinceError;
use super::year::{Place, Visit, Went, Year};
use crate::central::service::Central;
use crate::central::store::{Admission, PhoneForm};
use crate::domain::batch::{BadBatch, MAX_LINES, Packed, Parts, pack};
use crate::domain::enrolment::{BadCounters, Counters, TICKET_KEY_INFO};
use crate::domain::ids::{CounterId, FormRef, Hash, KioskId};
use crate::domain::line::{Event, How, Line};
use crate::domain::seal::{Answer, SealingKey, key_id};
use crate::domain::series::{Before, SealedBody, Series, Tail, Written};
use crate::domain::system_random;
use crate::domain::ticket::Claims;
use crate::domain::time::At;

/// Why a kiosk's day could not be written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // The messages say it.
pub enum KioskError {
    #[error(transparent)]
    Batch(#[from] BadBatch),
    #[error(transparent)]
    Counters(#[from] BadCounters),
    #[error("the kiosk {0} was not admitted")]
    NotAdmitted(KioskId),
}

/// A kiosk of the province.
pub struct Kiosk {
    id: KioskId,
    number: u32,
    place: usize,
    counter: CounterId,
    key: SigningKey,
    to: SealingKey,
    tail: Option<Tail>,
    last_day: Option<Date>,
}

/// What a kiosk has to send of a day, and what phones will answer.
#[derive(Default)]
pub struct Day {
    pub batches: Vec<Packed>,
    pub answers: Vec<PhoneForm>,
    pub lines: u64,
    pub contacts: u64,
    pub ratings: u64,
}

impl Kiosk {
    /// Admits the kiosk of a place.
    pub async fn admit(central: &Arc<Central>, place: &Place<'_>) -> Result<Self, ProvinceError> {
        let id = place.kiosk()?;
        let counter = place.counter.id.clone();
        let counters = Counters::new(vec![counter.clone()]).map_err(KioskError::from)?;
        let office = place.directory.office.code.clone();
        let code = central.offer(id.clone(), office, counters).await?;
        let key = SigningKey::from_bytes(&rand::RngExt::random(&mut system_random()));
        let to = central.keys.opening.sealing_key();
        let ticket_key: [u8; 32] = rand::RngExt::random(&mut system_random());
        let sealed = to.seal_small(TICKET_KEY_INFO, &ticket_key, &mut system_random())?;
        let receipt_key = key_id(central.keys.receipt.verifying_key().as_bytes());
        let code = Hash::of(code.as_bytes());
        let admitted =
            central.store.admit(code, key.verifying_key(), None, sealed, receipt_key).await?;
        let Admission::Admitted(kiosk) = admitted else {
            return Err(KioskError::NotAdmitted(id).into());
        };
        let (number, place) = (kiosk.number, place.number);
        Ok(Self { id, number, place, counter, key, to, tail: None, last_day: None })
    }

    /// Its name.
    pub fn id(&self) -> &KioskId {
        &self.id
    }

    /// The number of its place in the province.
    pub fn place(&self) -> usize {
        self.place
    }

    /// The last day on which it ran.
    pub fn last_day(&self) -> Option<Date> {
        self.last_day
    }

    /// Runs from a quarter past seven until the official goes home; nothing if it went dark before.
    pub fn day(&mut self, year: &Year<'_>, date: Date) -> Result<Day, ProvinceError> {
        let Some(place) = year.places().get(self.place) else { return Ok(Day::default()) };
        if year.dark_after(self.place).is_some_and(|last| date > last) {
            return Ok(Day::default());
        }
        let Some(form) = year.form(place, date).map(|form| form.reference()) else {
            return Ok(Day::default());
        };
        let on = At::from_civil(date.to_datetime(time(7, 15, 0, 0)));
        let before = self
            .tail
            .take()
            .map_or(Before::Nothing, |tail| Before::Line(tail.clone(), Some(tail.at)));
        let (series, started) =
            Series::begin(self.id.clone(), &self.to, before, on, 0, system_random())?;
        let mut writing = Writing { series, on, written: vec![started], at: on };
        let mut day = Day::default();
        let mut shift = None;
        for visit in year.visits(place, date) {
            if shift.as_ref() != Some(&visit.official) {
                let (counter, official) = (Some(self.counter.clone()), visit.official.clone());
                writing.write(
                    Line { counter, official, ..Line::draft(Event::Shift) },
                    &[],
                    visit.at,
                )?;
                shift = Some(visit.official.clone());
            }
            self.visit(&mut writing, &mut day, visit, &form)?;
        }
        let off = At::from_civil(date.to_datetime(time(17, 2, 0, 0)));
        writing.write(Line::draft(Event::Stopped), &[], off)?;
        day.lines = writing.written.len() as u64;
        day.batches = self.packed(&writing)?;
        self.tail = writing.written.last().map(|last| Tail {
            epoch: writing.series.epoch(),
            seq: last.seq,
            hash: last.hash,
            at: off,
            stopped: true,
        });
        self.last_day = Some(date);
        Ok(day)
    }

    fn visit(
        &self,
        writing: &mut Writing,
        day: &mut Day,
        visit: Visit,
        form: &FormRef,
    ) -> Result<(), ProvinceError> {
        day.contacts += 1;
        let contact = Line {
            counter: Some(self.counter.clone()),
            official: visit.official,
            form: Some(form.clone()),
            by: Some(visit.by),
            ..Line::draft(Event::Contact)
        };
        let level = match &visit.went {
            Went::Rated { level, .. } => Some(Answer::Level(level.clone())),
            _ => None,
        };
        let seq = writing.write(contact, level.as_slice(), visit.at)?;
        let (how, seconds, answers) = match visit.went {
            Went::Rated { reasons, words, seconds, how, .. } => {
                day.ratings += 1;
                let words = words.map(Answer::Words);
                (how, seconds, [Some(Answer::Reasons(reasons)), words])
            }
            Went::Untouched => (How::TimedOut, 60, [Some(Answer::Reasons(Vec::new())), None]),
            Went::Declined => (How::Declined, 12, [Some(Answer::Reasons(Vec::new())), None]),
            Went::Scanned(answer) => {
                if let Some((level, reasons)) = answer {
                    let claims = Claims::new(self.number, seq, writing.series.epoch(), visit.at);
                    day.answers.extend(claims.ok().map(|claims| PhoneForm {
                        claims,
                        kiosk: self.id.clone(),
                        level,
                        reasons,
                        words: None,
                        source: None,
                    }));
                }
                (How::Left, 20, [Some(Answer::Reasons(Vec::new())), None])
            }
        };
        let answers: Vec<Answer> = answers.into_iter().flatten().collect();
        let closed = Line { contact: Some(seq), how: Some(how), ..Line::draft(Event::Closed) };
        let ms = visit.at.timestamp().as_millisecond() + seconds as i64 * 1_000;
        let at = At::new(jiff::Timestamp::from_millisecond(ms).unwrap_or_default());
        writing.write(closed, &answers, at)?;
        Ok(())
    }

    fn packed(&self, writing: &Writing) -> Result<Vec<Packed>, KioskError> {
        let series = &writing.series;
        let (key, mut prev) = (self.to.id(), series.before());
        let mut batches = Vec::new();
        for written in writing.written.chunks(MAX_LINES) {
            let lines: Vec<Vec<u8>> = written.iter().map(|line| line.bytes.clone()).collect();
            let bodies: Vec<SealedBody> =
                written.iter().flat_map(|line| line.bodies.clone()).collect();
            let parts = Parts {
                kiosk: series.kiosk(),
                epoch: series.epoch(),
                start: series.start(),
                enc: series.enc(),
                key: &key,
                first: written.first().map_or(0, |line| line.seq),
                prev,
                lines: &lines,
                bodies: &bodies,
            };
            let packed = pack(&parts, &self.key)?;
            prev = packed.header.head;
            batches.push(packed);
        }
        Ok(batches)
    }
}

/// A day's epoch while it is written.
struct Writing {
    series: Series,
    on: At,
    written: Vec<Written>,
    at: At,
}

impl Writing {
    /// Writes a line; none is earlier than the one before.
    fn write(&mut self, line: Line, answers: &[Answer], at: At) -> Result<u64, ProvinceError> {
        self.at = self.at.max(at);
        let ms = self.at.timestamp().as_millisecond() - self.on.timestamp().as_millisecond();
        let written = self.series.write(line, answers, self.at, ms.max(0) as u64)?;
        let seq = written.seq;
        self.written.push(written);
        Ok(seq)
    }
}
