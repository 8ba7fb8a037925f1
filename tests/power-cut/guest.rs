//! The only program of the machine whose power is cut: `init` becomes it.
//!
//! It tells its console, a line each: what the journal holds (`line SEQ HASH`, then `whole N` once
//! chain, bodies and file are found sound), and from then on every acknowledgement, after the desk
//! gave it (`kept SEQ HASH`), for as long as there is power.

#[path = "../common/audit.rs"]
mod audit;

use std::path::Path;
use std::sync::Arc;

use hailong::central::keys::Keys;
use hailong::clock::SystemClock;
use hailong::domain::line::{By, How};
use hailong::domain::system_random;
use hailong::kiosk::desk::Desk;
use hailong::kiosk::identity::Identity;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::visit::Record;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    // An enrolled kiosk's folder, and beside it the central service's keys, to open its answers.
    let folder = Path::new("/disk");
    let opening = Keys::load_or_create(folder)?.opening;
    let weakened = std::env::args().any(|word| word == "NORMAL");

    let mut identity = Identity::load_or_create(folder, &mut system_random())?;
    let mut whole = 0;
    // Before its first start was over, nothing was acknowledged and there may be no table yet.
    if identity.journal_begun {
        let journal = audit::audit(folder, &opening);
        for read in &journal {
            println!("line {} {}", read.line.seq, read.hash);
        }
        whole = journal.len();
    }
    println!("whole {whole}");

    let clock = Arc::new(SystemClock::start());
    let mut desk = Desk::open(folder, &mut identity, clock, Box::new(system_random))?;
    if weakened {
        desk.journal().weaken_for_negative_control()?;
    }
    let counter = desk.enrolled().counters.iter().next().ok_or("a counter")?.clone();
    let reader = JournalReader::open(folder)?;
    loop {
        let counter = counter.clone();
        let open = Record::Open { by: By::Touch, counter, level: Some("hai_long".into()) };
        let contact = keep(&mut desk, &reader, &open)?;
        let reasons = vec!["lang_nghe".into()];
        keep(&mut desk, &reader, &Record::Close { contact, how: How::Sent, reasons })?;
    }
}

/// Keeps a record as the kiosk does, and says so once it is kept.
fn keep(desk: &mut Desk, reader: &JournalReader, record: &Record) -> Result<u64, Failure> {
    let seq = desk.keep(record)?.seq;
    let hash = reader.head(seq)?.ok_or("a kept line can be read")?;
    println!("kept {seq} {hash}");
    Ok(seq)
}
