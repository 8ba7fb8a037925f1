//! Reading a kiosk's journal as somebody does who trusts nothing in it.
#![allow(dead_code)] // Each user takes its part.

use std::collections::BTreeSet;
use std::path::Path;

use hailong::domain::ids::Hash;
use hailong::domain::line::{Event, Line};
use hailong::domain::seal::{Answer, Kind, OpeningKey, Ratchet};
use hailong::kiosk::journal::FILE;
use hailong::kiosk::journal_reader::JournalReader;

/// A line of a kiosk's journal, with what the central service can open of it.
pub struct Read {
    pub line: Line,
    pub hash: Hash,
    pub answers: Vec<Answer>,
}

/// Reads a journal as an auditor with the opening key does: the file is sound, every line stands
/// in its place and names the one before, every body opens and is its line's.
pub fn audit(folder: &Path, opening: &OpeningKey) -> Vec<Read> {
    let reader = JournalReader::open(folder).unwrap();
    let file = rusqlite::Connection::open(folder.join(FILE)).unwrap();
    let sound: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    let last = reader.last().unwrap();
    let lines = reader.lines(1, last).unwrap();
    assert_eq!(lines.len() as u64, last, "no number is left out");
    let bodies = reader.bodies(1, last).unwrap();
    let mut opened: Vec<Read> = Vec::new();
    let mut epochs = BTreeSet::new();
    let mut ratchet = None;
    for (seq, bytes) in (1..).zip(&lines) {
        let span = reader.epoch_of(seq).unwrap().unwrap();
        let line: Line = serde_json::from_slice(bytes).unwrap();
        assert_eq!((line.seq, line.epoch), (seq, span.epoch));
        assert_eq!(line.prev, opened.last().map_or(Hash::NONE, |read| read.hash), "line {seq}");
        assert_eq!(line.event == Event::Started, seq == span.start);
        if seq == span.start {
            assert!(epochs.insert(span.epoch), "an epoch is drawn once");
            assert_eq!(span.before, line.prev);
            ratchet = Ratchet::reopen(&line.kiosk, span.epoch, &span.enc, opening).ok();
        }
        let ratchet = ratchet.as_mut().unwrap();
        let answers: Vec<Answer> = bodies
            .iter()
            .filter(|body| body.seq == seq)
            .map(|body| {
                let hash = if body.kind == Kind::Words { line.words } else { line.body }.unwrap();
                ratchet.open(&line.kiosk, line.epoch, seq, body.kind, &body.bytes, hash).unwrap()
            })
            .collect();
        assert_eq!(line.body.is_some(), !answers.is_empty(), "a body for each hash: line {seq}");
        ratchet.step();
        opened.push(Read { line, hash: Hash::of(bytes), answers });
    }
    opened
}
