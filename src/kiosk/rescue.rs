//! A damaged journal is told, moved aside, kept; and what still verifies in it is sent on.
//!
//! `damaged/1/`, `damaged/2/`, … in the kiosk's folder each hold one journal as it was found, with
//! `why.txt` written last. Nothing is ever deleted there. `sent` beside it says that all that could
//! be read of it is receipted.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::journal::FILE;
use super::sqlite_pages::{Pages, Value};
use crate::domain::batch::MAX_LINES;
use crate::domain::ids::{Epoch, Hash, KioskId};
use crate::domain::line::{Event, Line};
use crate::domain::receipt::Receipt;
use crate::domain::seal::Kind;
use crate::domain::series::{SealedBody, Tail};
use crate::sqlite::{Health, Log, log_of};

/// Holds damaged journals, within the kiosk's folder.
pub const FOLDER: &str = "damaged";
/// Whoever meets damage in the journal leaves this file; its writer looks then.
const MARK: &str = "journal.damaged";
const WHY: &str = "why.txt";
const SENT: &str = "sent";
const PARTS: [&str; 3] = ["", "-wal", "-shm"];

/// Why the journal in `folder` must be moved aside before SQLite opens it; `begun` tells whether
/// there was one before, `first` whether this process has not opened it yet.
///
/// SQLite itself would throw the log of an empty file away, and all of a log after damage. Of a log
/// that was torn at its end a copy is kept, the lines of which are sent, too: perhaps somebody was
/// thanked for them.
pub fn damage(folder: &Path, begun: bool, first: bool) -> std::io::Result<Option<String>> {
    let file = folder.join(FILE);
    let log = log_of(&file);
    let size = |path: &Path| match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    let (size, logged) = (size(&file)?, size(&log)?.unwrap_or(0));
    match size {
        None if begun && logged > 0 => {
            return Ok(Some("the file is gone, its log is there".into()));
        }
        Some(0) if begun => return Ok(Some("the file is empty".into())),
        _ => {}
    }
    // What a write that failed in this process has left at the end is no news.
    if !first || logged == 0 {
        return Ok(None);
    }
    match Log::of(&fs::read(&log)?, 4_096).map(|log| log.health()) {
        Some(Health::Damaged) => Ok(Some("the write-ahead log is damaged".into())),
        Some(Health::Torn) => {
            let why = "the write-ahead log was torn at its end";
            let kept = keep(folder, why, |from, to| fs::copy(from, to).map(|_| ()))?;
            tracing::error!(kept = %kept.display(), "{why}; a copy is kept, and its lines are sent");
            Ok(None)
        }
        Some(Health::Whole) | None => Ok(None),
    }
}

/// Asks the journal's writer to look whether it is damaged, and to move it aside if so.
pub fn suspect(folder: &Path, why: &str) {
    if let Err(error) = fs::write(folder.join(MARK), why) {
        tracing::error!(%error, why, "the journal looks damaged, and no note of it could be left");
    }
}

/// Takes the suspicion back.
pub fn clear(folder: &Path) -> std::io::Result<()> {
    match fs::remove_file(folder.join(MARK)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether somebody suspects damage.
pub fn is_suspected(folder: &Path) -> bool {
    folder.join(MARK).exists()
}

/// Moves the journal aside, log and all, and tells why. Nobody may have it open for writing.
pub fn move_aside(folder: &Path, why: &str) -> std::io::Result<()> {
    let kept = keep(folder, why, |from, to| fs::rename(from, to))?;
    clear(folder)?;
    tracing::error!(
        why,
        kept = %kept.display(),
        "the journal is damaged; it was moved aside and is kept, a new one begins, and what can \
         still be read of it is sent"
    );
    Ok(())
}

/// Takes the journal's files into a folder of their own, by moving or copying them.
///
/// Cut off, it goes on at the next start: the file moves before its log, so that what is left is
/// never taken for a whole journal.
fn keep(
    folder: &Path,
    why: &str,
    take: impl Fn(&Path, &Path) -> std::io::Result<()>,
) -> std::io::Result<PathBuf> {
    let kept = folder.join(FOLDER);
    let last = numbered(folder)?.into_iter().next_back();
    let to = match last {
        Some((_, last)) if !last.join(WHY).exists() => last,
        last => kept.join((last.map_or(0, |(n, _)| n) + 1).to_string()),
    };
    fs::create_dir_all(&to)?;
    for part in PARTS {
        let name = format!("{FILE}{part}");
        match take(&folder.join(&name), &to.join(&name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let mut told = fs::File::create(to.join(WHY))?;
    writeln!(told, "{why}")?;
    told.sync_all()?;
    for changed in [&to, &kept, folder] {
        fs::File::open(changed)?.sync_all()?;
    }
    Ok(to)
}

/// The folders of damaged journals, in their order.
fn numbered(folder: &Path) -> std::io::Result<Vec<(u32, PathBuf)>> {
    let entries = match fs::read_dir(folder.join(FOLDER)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
            found.push((number, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// Lines of one epoch without a gap, as a batch may carry them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The epoch.
    pub epoch: Epoch,
    /// Number of its `started` line.
    pub start: u64,
    /// Its HPKE encapsulation; zeros when it is lost, and then no body can be opened.
    pub enc: [u8; 32],
    /// The opening key that it is for.
    pub key: String,
    /// Number of the first line here.
    pub first: u64,
    /// Hash of the line before.
    pub prev: Hash,
    /// The lines.
    pub lines: Vec<Vec<u8>>,
    /// Their bodies.
    pub bodies: Vec<SealedBody>,
}

impl Piece {
    /// Two halves, for when it is too large; none of a single line.
    pub fn halves(mut self) -> Option<[Self; 2]> {
        let half = self.lines.len() / 2;
        let middle = self.first + half as u64;
        let before = self.lines.get(half.checked_sub(1)?)?;
        let mut later = Self { first: middle, prev: Hash::of(before), ..self.clone() };
        later.lines.drain(..half);
        later.bodies.retain(|body| body.seq >= middle);
        self.lines.truncate(half);
        self.bodies.retain(|body| body.seq < middle);
        Some([self, later])
    }
}

/// What could be read of one damaged journal.
pub struct Rescued {
    folder: PathBuf,
    /// All that verifies and is not receipted yet, in order.
    pub pieces: Vec<Piece>,
    /// Whether something of it was refused for good.
    pub refused: bool,
}

impl Rescued {
    /// Notes that everything here is receipted.
    pub fn sent(&self) -> std::io::Result<()> {
        fs::File::create(self.folder.join(SENT))?.sync_all()
    }

    /// Whether a receipt covers everything here. Lines name the one before them, so whoever has the
    /// last of them, and all before it, has these.
    pub fn is_covered(&self, receipt: &Receipt) -> bool {
        let seq = receipt.watermark;
        let at_head = self.pieces.iter().find_map(|piece| {
            piece.lines.get(usize::try_from(seq.checked_sub(piece.first)?).ok()?)
        });
        at_head.is_some_and(|line| Hash::of(line) == receipt.head)
            && self.pieces.iter().all(|piece| piece.first + piece.lines.len() as u64 <= seq + 1)
    }

    fn tail(&self) -> Option<Tail> {
        let piece = self.pieces.iter().max_by_key(|piece| piece.first)?;
        let bytes = piece.lines.last()?;
        let line: Line = serde_json::from_slice(bytes).ok()?;
        Some(Tail {
            epoch: line.epoch,
            seq: line.seq,
            hash: Hash::of(bytes),
            at: line.at,
            stopped: line.event == Event::Stopped,
        })
    }
}

/// What can be read of the damaged journals of `kiosk` that are not sent yet.
pub fn unsent(folder: &Path, kiosk: &KioskId) -> std::io::Result<Vec<Rescued>> {
    let mut found = Vec::new();
    for (_, journal) in numbered(folder)? {
        if !journal.join(SENT).exists() && journal.join(WHY).exists() {
            found.push(read(journal, kiosk)?);
        }
    }
    Ok(found)
}

/// The last line that can be read of the journal moved aside last.
pub fn tail(folder: &Path, kiosk: &KioskId) -> std::io::Result<Option<Tail>> {
    match numbered(folder)?.into_iter().next_back() {
        Some((_, last)) => Ok(read(last, kiosk)?.tail()),
        None => Ok(None),
    }
}

#[derive(Default)]
struct Found {
    epochs: BTreeMap<Epoch, (u64, [u8; 32], String)>,
    lines: BTreeMap<u64, Vec<(Vec<u8>, Line)>>,
    bodies: BTreeMap<(u64, Kind), Vec<u8>>,
}

fn read(folder: PathBuf, kiosk: &KioskId) -> std::io::Result<Rescued> {
    let file = readable(&folder.join(FILE))?;
    let log = readable(&log_of(&folder.join(FILE)))?;
    let mut found = Found::default();
    for (number, row) in Pages::of(&file, &log).rows() {
        found.take(number, row, kiosk);
    }
    Ok(Rescued { folder, pieces: found.pieces(), refused: false })
}

/// A file's bytes, with zeros for what the disk does not give.
fn readable(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = match fs::File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened?,
    };
    let mut bytes = vec![0; file.metadata()?.len() as usize];
    for (n, block) in bytes.chunks_mut(4_096).enumerate() {
        file.seek(SeekFrom::Start(n as u64 * 4_096))?;
        if file.read_exact(block).is_err() {
            block.fill(0);
        }
    }
    Ok(bytes)
}

impl Found {
    /// Takes a row for what its shape says that it is.
    fn take(&mut self, number: Option<i64>, row: Vec<Value>, kiosk: &KioskId) {
        use Value::{Bytes, Integer, Null};
        match (number, row.as_slice()) {
            (Some(seq), [Null, Integer(_), Bytes(bytes)]) => {
                let Ok(line) = serde_json::from_slice::<Line>(bytes) else { return };
                let candidates = self.lines.entry(seq as u64).or_default();
                let place = line.kiosk == *kiosk && line.seq == seq as u64;
                if place && candidates.iter().all(|(known, _)| known != bytes) {
                    candidates.push((bytes.clone(), line));
                }
            }
            (None, [Integer(seq), Integer(kind), Bytes(bytes)]) => {
                let kind = u8::try_from(*kind).ok().and_then(Kind::from_number);
                if let Some(kind) = kind.filter(|kind| bytes.len() == kind.sealed()) {
                    self.bodies.insert((*seq as u64, kind), bytes.clone());
                }
            }
            (Some(_), [Null, Bytes(epoch), Integer(start), Bytes(_), Bytes(enc), Bytes(key)]) => {
                let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
                let epoch = text(epoch).and_then(|epoch| epoch.parse().ok());
                if let (Some(epoch), Ok(enc), Some(key)) =
                    (epoch, enc.as_slice().try_into(), text(key))
                {
                    self.epochs.insert(epoch, (*start as u64, enc, key));
                }
            }
            _ => {}
        }
    }

    /// Of each number the line that the one after it names, or any where that one is not known. A
    /// line that a line known to be right does not name was changed: it is left out, and a gap.
    fn verified(&mut self) -> BTreeMap<u64, (Vec<u8>, Line)> {
        let mut verified = BTreeMap::new();
        // What the line after names, and whether that line is itself named by the one after it.
        let mut after: Option<(u64, Hash, bool)> = None;
        for (seq, candidates) in std::mem::take(&mut self.lines).into_iter().rev() {
            let named = after.filter(|(next, _, _)| *next == seq + 1);
            let right = named.and_then(|(_, prev, _)| {
                candidates.iter().position(|(bytes, _)| Hash::of(bytes) == prev)
            });
            let certain = named.is_some_and(|(_, _, certain)| certain);
            let chosen = match right {
                Some(place) => candidates.into_iter().nth(place),
                None if certain => None,
                None => candidates.into_iter().next(),
            };
            after = None;
            if let Some((bytes, line)) = chosen {
                after = Some((seq, line.prev, right.is_some()));
                verified.insert(seq, (bytes, line));
            }
        }
        verified
    }

    fn pieces(mut self) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = Vec::new();
        for (seq, (bytes, line)) in self.verified() {
            let goes_on = pieces.last().is_some_and(|piece| {
                piece.epoch == line.epoch
                    && piece.first + piece.lines.len() as u64 == seq
                    && piece.lines.len() < MAX_LINES
            });
            if !goes_on {
                let known = self.epochs.get(&line.epoch).cloned();
                // Without its row, an epoch begins with the first line that is known of it.
                let before = pieces.iter().find(|piece| piece.epoch == line.epoch);
                let start = before.map_or(seq, |piece| piece.start);
                let (start, enc, key) = known.unwrap_or((start, [0; 32], String::new()));
                pieces.push(Piece {
                    epoch: line.epoch,
                    start,
                    enc,
                    key,
                    first: seq,
                    prev: line.prev,
                    lines: Vec::new(),
                    bodies: Vec::new(),
                });
            }
            let Some(piece) = pieces.last_mut() else { continue };
            piece.lines.push(bytes);
            for kind in [Kind::Level, Kind::Reasons, Kind::Words] {
                if let Some(bytes) = self.bodies.remove(&(seq, kind)) {
                    piece.bodies.push(SealedBody { seq, kind, bytes });
                }
            }
        }
        pieces
    }
}
