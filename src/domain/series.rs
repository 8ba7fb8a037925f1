//! Writing a series: the chain of lines and the ratchet of bodies of one epoch, without a disk.
//!
//! The kiosk's journal and the central service's own series write through this one type. It hands
//! out bytes; whoever calls it commits them, and drops the series when that fails, since a new
//! epoch is the only way on that never uses a number twice.

use rand::CryptoRng;

use super::Random;
use super::ids::{Epoch, Hash, KioskId};
use super::line::{Event, LastRun, Line};
use super::seal::{Answer, Kind, Ratchet, SealError, SealingKey, scrub_stack};
use super::time::At;

/// The last committed line of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// Its epoch.
    pub epoch: Epoch,
    /// Its number.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
    /// What the clock showed.
    pub at: At,
    /// Whether it is a `stopped` line.
    pub stopped: bool,
}

/// What came before an epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Nothing,
    /// This line, and when the process that wrote it was last known alive.
    Line(Tail, Option<At>),
    /// A journal that is gone, and the last line that can still be read of it.
    Lost(Option<Tail>),
}

/// A sealed body beside its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedBody {
    /// The line.
    pub seq: u64,
    /// What it holds.
    pub kind: Kind,
    /// Nonce, cipher text, tag.
    pub bytes: Vec<u8>,
}

/// A line as it is to be committed, with its bodies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its number.
    pub seq: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Their hash.
    pub hash: Hash,
    /// What was answered, sealed.
    pub bodies: Vec<SealedBody>,
}

/// One epoch of a series, open for writing.
pub struct Series {
    kiosk: KioskId,
    epoch: Epoch,
    start: u64,
    enc: [u8; 32],
    next: u64,
    head: Hash,
    before: Hash,
    origin_ms: u64,
    ratchet: Ratchet,
    random: Random,
}

impl Series {
    /// Draws a new epoch after `before` and writes its `started` line.
    ///
    /// `mono_ms` is the monotonic clock's reading, which becomes the epoch's zero.
    pub fn begin(
        kiosk: KioskId,
        to: &SealingKey,
        before: Before,
        at: At,
        mono_ms: u64,
        mut random: Random,
    ) -> Result<(Self, Written), SealError> {
        let epoch = Epoch(random.next_u64());
        let (ratchet, enc) = Ratchet::begin(&kiosk, epoch, to, &mut random)?;
        let mut started = Line::draft(Event::Started);
        started.version = Some(env!("CARGO_PKG_VERSION").to_owned());
        let (next, head) = match before {
            Before::Nothing => {
                started.last_run = Some(LastRun::First);
                (1, Hash::NONE)
            }
            Before::Lost(tail) => {
                started.last_run = Some(LastRun::JournalLost);
                started.prev_epoch = tail.as_ref().map(|tail| tail.epoch);
                started.prev_seq = tail.map(|tail| tail.seq);
                (1, Hash::NONE)
            }
            Before::Line(tail, alive) => {
                started.last_run =
                    Some(if tail.stopped { LastRun::Stopped } else { LastRun::Interrupted });
                started.prev_epoch = Some(tail.epoch);
                started.prev_seq = Some(tail.seq);
                started.alive = alive;
                (tail.seq + 1, tail.hash)
            }
        };
        let mut series = Self {
            kiosk,
            epoch,
            start: next,
            enc,
            next,
            head,
            before: head,
            origin_ms: mono_ms,
            ratchet,
            random,
        };
        let written = series.write(started, &[], at, mono_ms)?;
        Ok((series, written))
    }

    /// Writes the next line: `draft` with its place in the chain, `answers` sealed beside it.
    pub fn write(
        &mut self,
        draft: Line,
        answers: &[Answer],
        at: At,
        mono_ms: u64,
    ) -> Result<Written, SealError> {
        let seq = self.next;
        let mut line = Line {
            kiosk: self.kiosk.clone(),
            epoch: self.epoch,
            seq,
            prev: self.head,
            at,
            mono_ms: mono_ms.saturating_sub(self.origin_ms),
            ..draft
        };
        let mut bodies = Vec::with_capacity(answers.len());
        for answer in answers {
            let random: &mut dyn CryptoRng = &mut *self.random;
            let (hash, bytes) = self.ratchet.seal(&self.kiosk, self.epoch, seq, answer, random)?;
            match answer.kind() {
                Kind::Words => line.words = Some(hash),
                Kind::Level | Kind::Reasons => line.body = Some(hash),
            }
            bodies.push(SealedBody { seq, kind: answer.kind(), bytes });
        }
        let bytes = serde_json::to_vec(&line).map_err(|_| SealError::TooLong)?;
        let hash = Hash::of(&bytes);
        self.ratchet.step();
        scrub_stack();
        self.next += 1;
        self.head = hash;
        Ok(Written { seq, bytes, hash, bodies })
    }

    /// Whose series this is.
    pub fn kiosk(&self) -> &KioskId {
        &self.kiosk
    }

    /// The epoch.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Number of the epoch's `started` line.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The HPKE encapsulation that opens the epoch's bodies for the holder of the opening key.
    pub fn enc(&self) -> [u8; 32] {
        self.enc
    }

    /// Hash of the line before the epoch's first.
    pub fn before(&self) -> Hash {
        self.before
    }

    /// Number of the line that comes next.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Hash of the last line.
    pub fn head(&self) -> Hash {
        self.head
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::seal::OpeningKey;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    #[test]
    fn lines_are_chained_across_epochs_and_numbers_go_on() {
        let mut random = StdRng::seed_from_u64(1);
        let (opening, _) = OpeningKey::generate(&mut random);
        let at = At::try_from("2026-11-24T07:30:00.000+07:00".to_owned()).unwrap();
        let kiosk: KioskId = "ps-q3".parse().unwrap();
        let begin = |before, seed| {
            let random = Box::new(StdRng::seed_from_u64(seed));
            Series::begin(kiosk.clone(), &opening.sealing_key(), before, at, 500, random).unwrap()
        };
        let (mut first, started) = begin(Before::Nothing, 2);
        let stopped = first.write(Line::draft(Event::Stopped), &[], at, 1_500).unwrap();
        let line: Line = serde_json::from_slice(&stopped.bytes).unwrap();
        assert_eq!((line.seq, line.prev, line.mono_ms), (2, started.hash, 1_000));

        let tail = Tail { epoch: first.epoch(), seq: 2, hash: stopped.hash, at, stopped: true };
        let (second, started) = begin(Before::Line(tail.clone(), None), 3);
        let line: Line = serde_json::from_slice(&started.bytes).unwrap();
        assert_ne!(second.epoch(), first.epoch());
        assert_eq!((line.seq, line.prev, line.mono_ms), (3, stopped.hash, 0));
        assert_eq!(line.last_run, Some(LastRun::Stopped));
        assert_eq!((line.prev_epoch, line.prev_seq), (Some(first.epoch()), Some(2)));

        let (_, lost) = begin(Before::Lost(None), 4);
        let line: Line = serde_json::from_slice(&lost.bytes).unwrap();
        assert_eq!((line.seq, line.prev), (1, Hash::NONE));
        assert_eq!(line.last_run, Some(LastRun::JournalLost));
        let (_, lost) = begin(Before::Lost(Some(tail)), 5);
        let line: Line = serde_json::from_slice(&lost.bytes).unwrap();
        assert_eq!((line.seq, line.prev), (1, Hash::NONE));
        assert_eq!((line.prev_epoch, line.prev_seq), (Some(first.epoch()), Some(2)));
    }
}
