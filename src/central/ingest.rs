//! A batch on its way in: verified, unpacked, each line judged on itself, each body opened.
//!
//! This is pure but for the memory of ratchets, which only saves time: a batch that continues
//! where the last one of its epoch ended does not walk the ratchet again from the start.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ed25519_dalek::VerifyingKey;

use super::known_forms::KnownForms;
use super::store::{Entry, ErasedBody, Rereader, Segment, Verified};
use crate::domain::archive;
use crate::domain::batch::{BadBatch, Content, Header, Unpacker, Unverified, read_stored};
use crate::domain::form::Forms;
use crate::domain::ids::{Epoch, Hash, KioskId};
use crate::domain::line::{Event, Line};
use crate::domain::seal::{Answer, Kind, OpeningKey, Ratchet, SealError};
use crate::domain::series::SealedBody;
use crate::domain::time::At;

/// Why a body of a later version is not counted.
pub(super) const UNKNOWN_KIND: &str = "unknown_kind";
/// Why a line's answer is not known: its body did not come with it.
const BODY_MISSING: &str = "body_missing";
/// Most epochs whose ratchets are remembered.
const REMEMBERED: usize = 4_096;

/// Verifies and opens batches.
pub struct Intake {
    /// By the id that headers name.
    opening_keys: HashMap<String, OpeningKey>,
    forms: KnownForms,
    ratchets: Mutex<HashMap<(KioskId, Epoch), Ratchet>>,
    /// As many as were ever at work at once.
    unpackers: Mutex<Vec<Unpacker>>,
}

impl Intake {
    /// With the keys that open bodies and the forms that are known.
    pub fn new(
        opening_keys: impl IntoIterator<Item = OpeningKey>,
        forms: impl Into<KnownForms>,
    ) -> Self {
        let named = opening_keys.into_iter().map(|key| (key.sealing_key().id(), key));
        Self {
            opening_keys: named.collect(),
            forms: forms.into(),
            ratchets: Mutex::default(),
            unpackers: Mutex::default(),
        }
    }

    fn unpackers(&self) -> MutexGuard<'_, Vec<Unpacker>> {
        self.unpackers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Judges a request of which the header was read: `key` is that of the kiosk it names.
    pub fn verify(
        &self,
        unverified: Unverified<'_>,
        signature: &str,
        key: &VerifyingKey,
        received: At,
    ) -> Result<Verified, BadBatch> {
        let header_line = unverified.header_line.to_vec();
        let mut unpacker = self.unpackers().pop().unwrap_or_default();
        let verdict = unverified.verify(signature, key, &mut unpacker);
        self.unpackers().push(unpacker);
        let (header, content) = verdict?;
        self.judge(header_line, signature.to_owned(), header, content, received, &[])
    }

    fn judge(
        &self,
        header_line: Vec<u8>,
        signature: String,
        header: Header,
        content: Content,
        received: At,
        erased: &[ErasedBody],
    ) -> Result<Verified, BadBatch> {
        if content.lines().last().map(Hash::of) != Some(header.head) {
            return Err(BadBatch::Content("another last line"));
        }
        let mut entries = self.open(&header, &content);
        // Each body that was erased is missing for that reason, and for no other.
        for body in erased {
            let Some(entry) = entries.iter_mut().find(|entry| entry.seq == body.seq) else {
                continue;
            };
            if let Some(missing) = entry.unusable.iter().position(|why| why == BODY_MISSING) {
                entry.unusable.remove(missing);
            }
            entry.unusable.extend(body.found.iter().cloned());
        }
        Ok(Verified {
            header_line,
            signature,
            body_part: content.body_part,
            line_part: content.line_part,
            entries,
            received,
            header,
        })
    }

    fn open(&self, header: &Header, content: &Content) -> Vec<Entry> {
        let mut bodies: HashMap<u64, Vec<&SealedBody>> = HashMap::new();
        for body in &content.bodies {
            bodies.entry(body.seq).or_default().push(body);
        }
        let forms = self.forms.now();
        let mut ratchet = self.ratchet_at(header);
        let mut entries = Vec::with_capacity(header.count as usize);
        for (seq, bytes) in (header.first..).zip(content.lines()) {
            let mut entry = Entry {
                seq,
                hash: Hash::of(bytes),
                line: Line::read(bytes, &header.kiosk, header.epoch, seq),
                answers: Vec::new(),
                unusable: Vec::new(),
            };
            if let Ok(line) = &entry.line {
                let sealed = bodies.get(&seq).map_or(&[][..], Vec::as_slice);
                let body = |kind| sealed.iter().find(|body| body.kind == kind).copied();
                (entry.answers, entry.unusable) = answers(&forms, line, body, |body, hash| {
                    let ratchet = ratchet.as_ref().ok_or_else(|| "body_not_opened".to_owned())?;
                    ratchet
                        .open(&header.kiosk, header.epoch, seq, body.kind, &body.bytes, hash)
                        .map_err(|error| error.to_string())
                });
            }
            // Of a kind of a later version: kept as sent, counted by nobody here.
            let strange = content.strange.iter().filter(|strange| **strange == seq);
            entry.unusable.extend(strange.map(|_| UNKNOWN_KIND.to_owned()));
            if let Some(ratchet) = &mut ratchet {
                ratchet.step();
            }
            entries.push(entry);
        }
        if let Some(ratchet) = ratchet {
            let mut ratchets = self.ratchets.lock().unwrap_or_else(PoisonError::into_inner);
            if ratchets.len() >= REMEMBERED {
                ratchets.clear();
            }
            ratchets.insert((header.kiosk.clone(), header.epoch), ratchet);
        }
        entries
    }

    /// The ratchet at the batch's first line, or none when `enc` is not an encapsulation.
    fn ratchet_at(&self, header: &Header) -> Option<Ratchet> {
        let position = header.first - header.start;
        let remembered = {
            let ratchets = self.ratchets.lock().unwrap_or_else(PoisonError::into_inner);
            ratchets
                .get(&(header.kiosk.clone(), header.epoch))
                .filter(|ratchet| ratchet.position() <= position)
                .map(Ratchet::fork)
        };
        let mut ratchet = match remembered {
            Some(ratchet) => ratchet,
            None => {
                let key = self.opening_keys.get(&header.key)?;
                Ratchet::reopen(&header.kiosk, header.epoch, &header.enc, key).ok()?
            }
        };
        while ratchet.position() < position {
            ratchet.step();
        }
        Some(ratchet)
    }

    /// The bodies of a stored batch as an auditor gets them.
    pub fn open_bodies(&self, header: &Header, content: &Content) -> Vec<archive::Body> {
        let mut ratchet = self.ratchet_at(header);
        let mut opened = Vec::with_capacity(content.bodies.len());
        for (seq, bytes) in (header.first..).zip(content.lines()) {
            let line = Line::read(bytes, &header.kiosk, header.epoch, seq).ok();
            for body in content.bodies.iter().filter(|body| body.seq == seq) {
                let hash = line.as_ref().and_then(|line| match body.kind {
                    Kind::Words => line.words,
                    Kind::Level | Kind::Reasons => line.body,
                });
                let plain = match (hash, &ratchet) {
                    (None, _) => Err(SealError::NotOfLine),
                    (_, None) => Err(SealError::NotOpened),
                    (Some(hash), Some(ratchet)) => {
                        let (kiosk, epoch) = (&header.kiosk, header.epoch);
                        ratchet.open_plain(kiosk, epoch, seq, body.kind, &body.bytes, hash)
                    }
                };
                opened.push(match plain {
                    Ok(plain) => archive::Body::opened(seq, body.kind, &plain),
                    Err(why) => archive::Body::closed(seq, body.kind as u8, why.to_string()),
                });
            }
            if let Some(ratchet) = &mut ratchet {
                ratchet.step();
            }
        }
        let strange = content.strange.iter();
        opened.extend(strange.map(|seq| archive::Body::closed(*seq, 0, UNKNOWN_KIND.to_owned())));
        opened
    }
}

/// What was answered with a line, and which of its bodies cannot be used: `body` gives that of a
/// kind, `open` what is in it.
pub(super) fn answers<B>(
    forms: &Forms,
    line: &Line,
    body: impl Fn(Kind) -> Option<B>,
    open: impl Fn(B, Hash) -> Result<Answer, String>,
) -> (Vec<Answer>, Vec<String>) {
    let mut answers = Vec::new();
    let mut unusable = Vec::new();
    let kind = if line.event == Event::Closed { Kind::Reasons } else { Kind::Level };
    for (kind, hash) in [(kind, line.body), (Kind::Words, line.words)] {
        let opened = match (hash, body(kind)) {
            (None, None) => continue,
            (None, Some(_)) => Err("body_not_of_line".to_owned()),
            (Some(_), None) => Err(BODY_MISSING.to_owned()),
            (Some(hash), Some(body)) => open(body, hash),
        };
        match opened.and_then(|answer| known(forms, line, answer)) {
            Ok(answer) => answers.push(answer),
            Err(reason) => unusable.push(reason),
        }
    }
    (answers, unusable)
}

/// Whether an answer is one that a form allows.
fn known(forms: &Forms, line: &Line, answer: Answer) -> Result<Answer, String> {
    match &answer {
        Answer::Level(level) => match &line.form {
            Some(reference) => match forms.get(reference) {
                Some(form) if form.level(level).is_some() => Ok(answer),
                Some(_) => Err("unknown_level".to_owned()),
                None => Err("unknown_form".to_owned()),
            },
            None if forms.has_level(level) => Ok(answer),
            None => Err("unknown_level".to_owned()),
        },
        Answer::Reasons(codes) => {
            let known = |code: &String| forms.iter().any(|form| form.has_reason(code));
            if codes.iter().all(known) { Ok(answer) } else { Err("unknown_reason".to_owned()) }
        }
        Answer::Words(_) => Ok(answer),
    }
}

impl Rereader for Intake {
    fn read_again(&self, segment: Segment, keys: &[VerifyingKey]) -> Result<Verified, BadBatch> {
        let Segment { header_line, signature, line_part, body_part, erased, received } = segment;
        let (header, content) = read_stored(&header_line, &signature, line_part, body_part, keys)?;
        self.judge(header_line, signature, header, content, received, &erased)
    }
}
