//! What was acknowledged, and whether it is kept: in a journal, and in a central store.
#![allow(dead_code)] // Each test file uses its part.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hailong::central::store::Store;
use hailong::domain::batch::Lines;
use hailong::domain::line::{Event, How, Line};
use hailong::domain::seal::Answer;
use hailong::kiosk::journal_reader::JournalReader;

use crate::audit::Read;
use crate::common::{TestCentral, TestKiosk};

/// What a child tells of its screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// The level of a contact was kept.
    Level { contact: u64, level: usize },
    /// “Gửi” is about to be tapped, with these reasons ticked. This acknowledges nothing.
    Ticks { contact: u64, ticked: Vec<usize> },
    /// The contact was thanked for.
    Thanks { contact: u64 },
}

impl Shown {
    pub fn read(words: &str) -> Self {
        let mut words = words.split(' ');
        let page = words.next().unwrap();
        let mut numbers = words.map(|word| word.parse().unwrap());
        let contact = numbers.next().unwrap() as u64;
        match page {
            "reasons" => Self::Level { contact, level: numbers.next().unwrap() },
            "ticks" => Self::Ticks { contact, ticked: numbers.collect() },
            "thanks" => Self::Thanks { contact },
            other => panic!("the screen shows {other}"),
        }
    }

    pub fn acknowledges(&self) -> bool {
        !matches!(self, Self::Ticks { .. })
    }
}

/// Checks that all that the screen acknowledged is in the journal, as it was given.
pub fn holds(journal: &[Read], shown: &[Shown], central: &TestCentral) {
    let form = central.form();
    let line = |seq: u64| {
        journal
            .get(seq as usize - 1)
            .unwrap_or_else(|| panic!("line {seq} was acknowledged and is lost"))
    };
    // What a contact's lines say, in their order.
    let mut told: BTreeMap<u64, Vec<&Read>> = BTreeMap::new();
    for read in journal {
        if let Some(contact) = read.line.contact {
            told.entry(contact).or_default().push(read);
        }
    }
    let mut levels: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let mut ticks = BTreeMap::new();
    for one in shown {
        match one {
            Shown::Level { contact, level } => {
                let code = form.levels[*level].code.clone();
                let given = levels.entry(*contact).or_default();
                if given.last() != Some(&code) {
                    given.push(code);
                }
            }
            Shown::Ticks { contact, ticked } => {
                ticks.insert(*contact, ticked);
            }
            Shown::Thanks { contact } => {
                let closed = told.get(contact).and_then(|told| told.last());
                let Some(closed) = closed else {
                    panic!("contact {contact} was thanked for and is lost")
                };
                assert_eq!(closed.line.event, Event::Closed);
                assert_eq!(closed.line.how, Some(How::Sent));
                let level = levels[contact].last().unwrap();
                let level = form.levels.iter().find(|one| one.code == *level).unwrap();
                let offered: Vec<_> = form.reasons_of(level.pole).collect();
                let codes =
                    ticks[contact].iter().map(|place| offered[*place].code.clone()).collect();
                assert_eq!(closed.answers, [Answer::Reasons(codes)], "contact {contact}");
            }
        }
    }
    for (contact, given) in levels {
        let opening = line(contact);
        assert_eq!(opening.line.event, Event::Contact);
        let changed = told.get(&contact).into_iter().flatten();
        let kept: Vec<&Answer> = std::iter::once(&opening)
            .chain(changed.filter(|read| read.line.event == Event::Changed))
            .flat_map(|read| &read.answers)
            .collect();
        let given: Vec<Answer> = given.into_iter().map(Answer::Level).collect();
        // More than what was acknowledged may be there: killed between disk and screen.
        assert_eq!(kept[..given.len()], given.iter().collect::<Vec<_>>(), "contact {contact}");
        assert!(kept.len() <= given.len() + 1);
    }
}

/// Contacts that were rated, by kiosk, epoch and number.
pub fn rated(journal: &[Read]) -> impl Iterator<Item = (String, String, u64)> {
    journal
        .iter()
        .filter(|read| read.line.event == Event::Contact && read.line.body.is_some())
        .map(|read| (read.line.kiosk.to_string(), read.line.epoch.to_string(), read.line.seq))
}

/// What the central service counts: each contact once, and nothing to look at.
pub async fn counted(store: &dyn Store) -> BTreeSet<(String, String, u64)> {
    assert_eq!(store.findings().await.unwrap(), []);
    let contacts = store.rated_contacts().await.unwrap();
    let n = contacts.len();
    let set: BTreeSet<_> = contacts.into_iter().map(|c| (c.kiosk, c.epoch, c.seq)).collect();
    assert_eq!(set.len(), n, "each once");
    set
}

/// Every line in a central service's store, by kiosk, epoch and number.
pub fn stored(data: &Path) -> BTreeMap<(String, String, u64), Vec<u8>> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let db = rusqlite::Connection::open_with_flags(data.join("central.db"), flags).unwrap();
    let mut statement = db
        .prepare(
            "SELECT b.kiosk, b.epoch, s.first, s.lines
             FROM segment s JOIN branch b ON b.id = s.branch",
        )
        .unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut stored = BTreeMap::new();
    while let Some(row) = rows.next().unwrap() {
        let (kiosk, epoch): (String, String) = (row.get(0).unwrap(), row.get(1).unwrap());
        let (first, lines): (i64, Vec<u8>) = (row.get(2).unwrap(), row.get(3).unwrap());
        for (seq, line) in (first as u64..).zip(Lines::of(&lines)) {
            stored.insert((kiosk.clone(), epoch.clone(), seq), line.to_vec());
        }
    }
    stored
}

/// The lines `1..=watermark` of a kiosk's journal are in the store, byte for byte.
pub fn has_received(
    stored: &BTreeMap<(String, String, u64), Vec<u8>>,
    kiosk: &TestKiosk,
    watermark: u64,
) {
    let name = kiosk.identity.enrolled.as_ref().unwrap().kiosk.to_string();
    let reader = JournalReader::open(kiosk.folder.path()).unwrap();
    for (seq, line) in (1..).zip(reader.lines(1, watermark).unwrap()) {
        let epoch = serde_json::from_slice::<Line>(&line).unwrap().epoch.to_string();
        let there = stored.get(&(name.clone(), epoch, seq));
        assert_eq!(there, Some(&line), "{name}'s receipted line {seq} is stored");
    }
}
