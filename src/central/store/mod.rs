//! What the central service keeps, behind one trait.
//!
//! The journals are the truth: segments hold lines, signatures and sealed bodies as received.
//! Contacts and tallies are derived from them in the transaction that stores the segment, so that
//! everything a summary needs per day is already counted. Duplicates are decided by position and
//! bytes; no random key is indexed.

pub mod access;
pub mod mail;
mod matters;
pub mod sqlite;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use ed25519_dalek::VerifyingKey;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub use self::matters::{
    ContactRef, Decided, Finding, FindingKind, FindingMatter, Fork, ForkKind, Hole, HoleState,
    KioskMatter, Matters, Standing,
};
use crate::domain::archive::Tallies;
use crate::domain::batch::{BadBatch, Header};
use crate::domain::check::CheckCode;
use crate::domain::condition::Condition;
use crate::domain::decision::Decision;
use crate::domain::enrolment::Counters;
use crate::domain::form::{Form, Reader};
use crate::domain::ids::{CounterId, Epoch, Hash, KioskId, OfficeCode, OfficialId};
use crate::domain::line::{BadLine, Line};
use crate::domain::office::Directory;
use crate::domain::rating::Key;
use crate::domain::receipt::Quarantined;
use crate::domain::root::{Growing, Root};
use crate::domain::seal::Answer;
use crate::domain::signals::Timed;
use crate::domain::summary::Rated;
use crate::domain::ticket::Claims;
use crate::domain::time::At;
use crate::domain::versions::Versions;

/// Why the store could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database or its disk refused; nothing of the request was kept.
    #[error("the store refused: {0}")]
    Refused(String),
    /// The file is of a newer version.
    #[error("{0}")]
    Newer(String),
    /// What is stored cannot be read.
    #[error("the store is damaged: {0}")]
    Damaged(String),
}

/// An admitted kiosk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kiosk {
    /// Its name.
    pub id: KioskId,
    /// Its number on tickets.
    pub number: u32,
    /// Its office.
    pub office: OfficeCode,
    /// The counters it serves.
    pub counters: Counters,
    /// The key that signs its batches.
    pub key: VerifyingKey,
    /// Those that did before, the first one first.
    pub former: Vec<FormerKey>,
    /// Its ticket key, sealed to the opening key.
    pub ticket_key: Vec<u8>,
    /// The receipt key that it believes, by its id; none of one that was enrolled before there was
    /// another than the first.
    pub receipt_key: Option<String>,
    /// When it was admitted.
    pub enrolled: At,
    /// Whether it may send.
    pub standing: Standing,
}

/// What a kiosk said of itself, and when that was received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Heartbeat {
    /// By the service's clock.
    pub received: At,
    /// What it said.
    pub condition: Condition,
}

/// A kiosk, and what was heard of it last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Heard {
    /// Its name.
    pub id: KioskId,
    /// Its office.
    pub office: OfficeCode,
    /// The counters it serves.
    pub counters: Counters,
    /// Whether it may send.
    pub standing: Standing,
    /// Words of the key that signs its batches, to be compared with those that it shows.
    pub fingerprint: String,
    /// Whether they were.
    pub confirmed: bool,
    /// When it was admitted.
    pub enrolled: At,
    /// When its last batch arrived.
    pub batch: Option<At>,
    /// Its last heartbeat.
    pub heartbeat: Option<Heartbeat>,
}

impl Heard {
    /// When anything was heard last.
    pub fn last(&self) -> Option<At> {
        self.batch.max(self.heartbeat.as_ref().map(|heartbeat| heartbeat.received))
    }
}

/// A key that signed a kiosk's batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerKey {
    /// The key.
    pub key: VerifyingKey,
    /// The ticket key beside it, sealed to the opening key: its last tickets are still out there.
    pub ticket_key: Vec<u8>,
    /// Until when: what comes later is refused.
    pub until: At,
}

impl Kiosk {
    /// The keys that may have signed a batch received then. A batch may be on its way while another
    /// key is admitted: a former one has a minute of grace.
    pub fn signers(&self, received: At) -> impl Iterator<Item = &VerifyingKey> {
        let former = self.former.iter().filter(move |key| received <= key.until.plus_minutes(1));
        [&self.key].into_iter().chain(former.map(|former| &former.key))
    }
}

/// A one-time enrolment code, by its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentCode {
    /// SHA-256 of the code.
    pub code: Hash,
    /// The kiosk that it admits.
    pub kiosk: KioskId,
    /// Its office.
    pub office: OfficeCode,
    /// The counters it serves.
    pub counters: Counters,
    /// Until when.
    pub expires: At,
}

/// What became of an enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// The kiosk is admitted (again, when the same key asks with the same code).
    Admitted(Box<Kiosk>),
    /// No such code, or expired, or used by another key.
    WrongCode,
}

/// One line of a batch whose signature was verified, with its answers opened.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its number.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
    /// The line, or why it cannot be placed.
    pub line: Result<Line, BadLine>,
    /// What was answered.
    pub answers: Vec<Answer>,
    /// Bodies that cannot be used, and why, as a code.
    pub unusable: Vec<String>,
}

/// A batch whose signature was verified.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Its header.
    pub header: Header,
    /// The header's bytes as signed.
    pub header_line: Vec<u8>,
    /// Its signature.
    pub signature: String,
    /// The lines as sent.
    pub line_part: Vec<u8>,
    /// The bodies as sent.
    pub body_part: Vec<u8>,
    /// The lines one by one, `header.count` of them.
    pub entries: Vec<Entry>,
    /// When it was received.
    pub received: At,
}

/// A body that was here and was erased.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ErasedBody {
    /// Its line.
    pub seq: u64,
    /// What it held.
    pub kind: u8,
    /// Why its line was in quarantine for it, which stays: the codes.
    pub found: Vec<String>,
}

/// A batch as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The header's bytes as signed.
    pub header_line: Vec<u8>,
    /// Their signature.
    pub signature: String,
    /// The lines as sent.
    pub line_part: Vec<u8>,
    /// The bodies as sent, but for those that were erased.
    pub body_part: Vec<u8>,
    /// Which were.
    pub erased: Vec<ErasedBody>,
    /// When it was received.
    pub received: At,
}

/// Judges what was stored as if it came anew.
pub trait Rereader: Send + Sync + 'static {
    /// Checks a stored batch against the keys of which one must have signed it, and opens its
    /// bodies.
    fn read_again(&self, segment: Segment, keys: &[VerifyingKey]) -> Result<Verified, BadBatch>;
}

/// What became of a rebuild.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuilt {
    /// Batches read.
    pub batches: u64,
    /// Their lines.
    pub lines: u64,
    /// Stored batches that are not what was signed: whose, and why. When there are any, nothing is
    /// set right.
    pub unread: Vec<String>,
    /// [Canonical digest](Store::canonical_digest) of what was counted.
    pub before: Hash,
    /// The same of what the journals give.
    pub after: Hash,
    /// In how many rows of the canonical dump, and of decisions, used tickets and words, they differ.
    pub differ: u64,
    /// The first of these rows, at most 20: `-` what stood there, `+` what the journals give.
    pub rows: Vec<String>,
}

/// A state of an office's directory as it was put in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryChange {
    /// When.
    pub at: At,
    /// The account that did it; empty where files say so.
    pub person: String,
    /// From which day on it holds.
    pub effective: Date,
    /// What it was from then on.
    pub directory: Directory,
}

/// A version of a form that a person put in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptForm {
    /// It.
    pub form: Form,
    /// When that was done.
    pub at: At,
    /// The account that did it.
    pub person: String,
}

/// What stands under no root yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unrooted {
    /// The day on which the first of it was received.
    pub since: Date,
    /// The store's place of the last batch.
    pub last: i64,
    /// The tree over all lines, in the order stored.
    pub lines: Growing,
    /// Hash of when each batch was received.
    pub received: Hash,
    /// Hash of the kiosk list.
    pub kiosks: Hash,
    /// Hash of the findings.
    pub findings: Hash,
    /// Number of the root that comes next.
    pub number: u64,
    /// The anchor of the one before.
    pub previous: Hash,
}

/// What the store has of a kiosk's journal after a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// See [`crate::domain::receipt::Receipt::watermark`].
    pub watermark: u64,
    /// Hash of the line at the watermark.
    pub head: Hash,
    /// Missing ranges above the watermark.
    pub holes: Vec<(u64, u64)>,
    /// Lines and bodies of this batch in quarantine.
    pub quarantined: Vec<Quarantined>,
    /// Numbers of this batch that conflict.
    pub conflicts: Vec<u64>,
}

/// How far a journal is here, along an epoch that no other follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Whose.
    pub kiosk: KioskId,
    /// The epoch.
    pub epoch: Epoch,
    /// See [`crate::domain::receipt::Receipt::watermark`].
    pub watermark: u64,
    /// Hash of the line at the watermark.
    pub head: Hash,
    /// Missing ranges above the watermark.
    pub holes: Vec<(u64, u64)>,
}

/// A phone's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneForm {
    /// The ticket's claims.
    pub claims: Claims,
    /// The kiosk they name.
    pub kiosk: KioskId,
    /// The level.
    pub level: String,
    /// The codes of reasons, wishes and choices, in the form's order.
    pub reasons: Vec<String>,
    /// The citizen's own words, if there are any.
    pub words: Option<String>,
    /// See [`Line::source`].
    pub source: Option<String>,
}

/// What became of a phone's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// It is kept: the hash of the line that closes it.
    Kept(Hash),
    /// The ticket was used before.
    Used,
}

/// What is known of a check code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// No line of this code is here.
    NotHere,
    /// It is here and will stand under the root that comes next.
    Received,
    /// It is here and stands under the root of this day.
    Rooted(Date),
}

/// A line under a root, with all that is under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderRoot {
    /// The line's hash.
    pub line: Hash,
    /// Its place among the lines.
    pub place: u64,
    /// Hashes of all lines under the root.
    pub lines: Vec<Hash>,
    /// The root.
    pub root: Root,
}

/// What a citizen wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// A hash of where it was written, by which it is known again.
    pub id: Hash,
    /// When it was received.
    pub received: At,
    /// The office.
    pub office: OfficeCode,
    /// The day of the contact.
    pub day: String,
    /// Where, once the contact's line has arrived.
    pub counter: Option<CounterId>,
    /// Who was on shift, likewise.
    pub official: Option<OfficialId>,
    /// The words.
    pub text: String,
}

/// What is known of the contact that a ticket names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketState {
    /// Whether it was used.
    pub used: bool,
    /// The opening line, once it has arrived.
    pub opening: Option<Line>,
}

/// How far a kiosk's journal has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The kiosk.
    pub kiosk: KioskId,
    /// When it was admitted.
    pub enrolled: At,
    /// When its process first started, once that line is here.
    pub first_started: Option<At>,
    /// The last day that its journal, as far as it is here without a hole, has passed.
    pub passed: Option<Date>,
    /// When it was heard last, by a batch or a heartbeat.
    pub last_heard: Option<At>,
}

/// How far an office's journals have come, whatever day is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Passage {
    /// Of each kiosk: when it was admitted, the day on which it was retired, and the last day that its journal has
    /// passed.
    pub kiosks: Vec<(Date, Option<Date>, Option<Date>)>,
    /// Answers of days before this one are erased.
    pub kept_since: Option<Date>,
}

impl Passage {
    /// Whether nothing of a day is on its way any more: every kiosk that was in use has passed it, or what was
    /// answered on it is erased.
    pub fn has_passed(&self, date: Date) -> bool {
        self.is_erased(date)
            || self.kiosks.iter().all(|(enrolled, retired, passed)| {
                *enrolled > date
                    || retired.is_some_and(|retired| retired <= date)
                    || passed.is_some_and(|passed| passed >= date)
            })
    }

    /// Whether what was answered on a day is erased.
    pub fn is_erased(&self, date: Date) -> bool {
        self.kept_since.is_some_and(|kept| date < kept)
    }
}

/// A time in which a kiosk's process was not running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The kiosk.
    pub kiosk: KioskId,
    /// Last known alive.
    pub from: At,
    /// Started again.
    pub to: At,
}

/// One office's day as stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DayRecord {
    /// Tallies.
    pub tallies: Vec<(Key, u64)>,
    /// The office's kiosks.
    pub progress: Vec<Progress>,
    /// Gaps that touch the day.
    pub gaps: Vec<Gap>,
    /// Whether what was answered on it is erased: the tallies are all that is left.
    pub erased: bool,
}

/// What is not certain of a day because of the kiosks' clocks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Doubts {
    /// How many counted ratings of the office are on no day: a person decides on which.
    pub in_review: u64,
    /// Kiosks with ratings on this day of which no line of the same epoch arrived near its own
    /// time: the day is right if their clocks were, which nothing here can tell.
    pub unconfirmed: Vec<KioskId>,
}

/// A contact with a counted or waiting rating, by its number: for the demo's own check.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContactNumber {
    /// The kiosk.
    pub kiosk: String,
    /// The epoch.
    pub epoch: String,
    /// The opening line's number.
    pub seq: u64,
}

/// The store of the central service.
#[async_trait]
pub trait Store: access::AccessStore + mail::MailStore {
    /// Keeps an enrolment code.
    async fn offer(&self, code: EnrolmentCode) -> Result<(), StoreError>;

    /// Admits the kiosk that a code was made for, and writes a line of it; or one that is admitted
    /// already once more, with its key or another that this one vouches for (`by_former`).
    /// `receipt_key` is the id of the one that it is given.
    async fn admit(
        &self,
        code: Hash,
        key: VerifyingKey,
        by_former: Option<String>,
        ticket_key: Vec<u8>,
        receipt_key: String,
    ) -> Result<Admission, StoreError>;

    /// The admitted kiosk of this name.
    async fn kiosk(&self, id: &KioskId) -> Result<Option<Kiosk>, StoreError>;

    /// The admitted kiosk of this number.
    async fn kiosk_by_number(&self, number: u32) -> Result<Option<Kiosk>, StoreError>;

    /// Compares, stores and counts a batch in one transaction.
    async fn place(&self, batch: Verified) -> Result<Placed, StoreError>;

    /// What is known of the contact that a ticket names.
    async fn ticket(&self, kiosk: &KioskId, claims: Claims) -> Result<TicketState, StoreError>;

    /// Consumes a ticket: writes the answer into the central service's own series and counts it.
    async fn answer(&self, form: PhoneForm) -> Result<Answered, StoreError>;

    /// Whether the contact's end that a check code names is here.
    async fn check(&self, code: CheckCode) -> Result<Checked, StoreError>;

    /// Makes check codes under roots that are new quick to find; they are found without it, too.
    async fn gather_codes(&self) -> Result<(), StoreError>;

    /// Keeps a directory and writes a `directory` line, unless the last one of the office names the
    /// same digest.
    async fn direct(&self, directory: &Directory) -> Result<(), StoreError>;

    /// Puts other states of offices in force that are kept in the store, each from a day on that is not over, all of
    /// them or none, each with its line in the own series. Gives from which day on each holds; none of one that held
    /// already.
    async fn redirect(
        &self,
        directories: Vec<(Date, Directory)>,
        person: String,
    ) -> Result<Vec<Option<Date>>, StoreError>;

    /// Offices that are kept in the store.
    async fn kept_offices(&self) -> Result<Vec<OfficeCode>, StoreError>;

    /// Which states of each office's directory held or will hold, by their digests.
    async fn directory_versions(&self) -> Result<BTreeMap<OfficeCode, Versions<Hash>>, StoreError>;

    /// The directory of a digest, if it was kept.
    async fn directory(&self, digest: Hash) -> Result<Option<Directory>, StoreError>;

    /// How an office's directory came to be what it is: the latest hundred changes, the last one first.
    async fn directory_changes(
        &self,
        office: &OfficeCode,
    ) -> Result<Vec<DirectoryChange>, StoreError>;

    /// All directories that were ever in force and were kept, in the order kept.
    async fn directories(&self) -> Result<Vec<Directory>, StoreError>;

    /// Keeps a version of a form that a person puts in force, and writes a line of it; none is replaced.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when one of its code and version is here already.
    async fn put_form(&self, form: Form, person: String) -> Result<(), StoreError>;

    /// Versions of forms that people put in force, by code and version.
    async fn kept_forms(&self) -> Result<Vec<KeptForm>, StoreError>;

    /// One office's day.
    async fn day(&self, office: &OfficeCode, date: Date) -> Result<DayRecord, StoreError>;

    /// The day's counted ratings in placing order.
    async fn ratings(&self, office: &OfficeCode, date: Date) -> Result<Vec<Rated>, StoreError>;

    /// When the day's counted ratings were given that were given at counters.
    async fn timed(&self, office: &OfficeCode, date: Date) -> Result<Vec<Timed>, StoreError>;

    /// What was counted of an office's day.
    async fn tallies(&self, office: &OfficeCode, date: Date)
    -> Result<Vec<(Key, u64)>, StoreError>;

    /// How far an office's journals have come.
    async fn passage(&self, office: &OfficeCode) -> Result<Passage, StoreError>;

    /// The office's kiosks that are not retired, and the times in which one of them was not running that touch days
    /// from one to another.
    async fn running(
        &self,
        office: &OfficeCode,
        from: Date,
        to: Date,
    ) -> Result<(Vec<Progress>, Vec<Gap>), StoreError>;

    /// A number that is another one once the figures of an office's day are; it holds until the store is closed. A store
    /// that is only read does not notice.
    fn changes(&self, office: &OfficeCode, date: Date) -> u64;

    /// What is not certain of a day because of the kiosks' clocks.
    async fn doubts(&self, office: &OfficeCode, date: Date) -> Result<Doubts, StoreError>;

    /// The latest day with a contact.
    async fn latest_day(&self, office: &OfficeCode) -> Result<Option<Date>, StoreError>;

    /// The contact that a check code belongs to: its journal, epoch and opening line.
    async fn contact_of(&self, code: CheckCode) -> Result<Option<ContactRef>, StoreError>;

    /// Whether there are words that were written before a day.
    async fn has_words_before(&self, day: Date) -> Result<bool, StoreError>;

    /// Writes a decision into the own series, and lets follow what follows from it. Gives the
    /// line's epoch and number.
    async fn decide(&self, decision: Decision) -> Result<(Epoch, u64), StoreError>;

    /// Whether anything is here that was answered before a day and is not erased.
    async fn has_answers_before(&self, day: Date) -> Result<bool, StoreError>;

    /// The place of the last batch, and how far each journal is here by then.
    async fn held(&self) -> Result<(i64, Vec<Held>), StoreError>;

    /// Keys that were admitted for the first time after a batch of this place.
    async fn admitted_after(&self, place: i64) -> Result<BTreeSet<(KioskId, Hash)>, StoreError>;

    /// Batches of the own series after this place that hold decisions by which something was erased,
    /// or contacts were dated.
    async fn erasures_after(&self, place: i64) -> Result<Vec<Segment>, StoreError>;

    /// What was counted on days whose answers are erased, by office and day.
    async fn carried(&self) -> Result<Vec<Tallies>, StoreError>;

    /// Erases all that was answered before a day and keeps what was counted; gives the line that
    /// says so.
    async fn erase_answers(
        &self,
        before: Date,
        person: String,
        reason: String,
    ) -> Result<(Epoch, u64), StoreError>;

    /// Everything that a person should look at, and how it stands.
    async fn matters(&self) -> Result<Matters, StoreError>;

    /// What an office told that it changed, and did not take back, in the order told.
    async fn improvements(&self, office: &OfficeCode) -> Result<Vec<Decided>, StoreError>;

    /// Everything that a person should look at, in the order found.
    async fn findings(&self) -> Result<Vec<Finding>, StoreError>;

    /// Steps in handling reports of violations, in the order taken.
    async fn handlings(&self) -> Result<Vec<Decided>, StoreError>;

    /// What one reader has to read, by the day of the contact.
    async fn words(&self, reader: Reader) -> Result<Vec<Written>, StoreError>;

    /// What citizens wrote to an office itself about a day, at its kiosks and perhaps on phones, in no order that
    /// means anything.
    async fn comments(
        &self,
        office: &OfficeCode,
        day: Date,
        by_phone: bool,
    ) -> Result<Vec<String>, StoreError>;

    /// Contacts whose rating counts, stands beside or waits.
    async fn rated_contacts(&self) -> Result<Vec<ContactNumber>, StoreError>;

    /// SHA-256 of the canonical dump: contacts, tallies and findings in text, sorted, without
    /// anything that depends on the order of arrival (`docs/protocol.md`).
    async fn canonical_digest(&self) -> Result<Hash, StoreError>;

    /// What stands under no root, if any of it was received before `today`.
    async fn unrooted(&self, today: Date) -> Result<Option<Unrooted>, StoreError>;

    /// Keeps the root of what was [unrooted](Store::unrooted), unless anything was stored since:
    /// then what else the root says may be of another moment, and it has to be made again. Says
    /// whether it was kept.
    async fn keep_root(&self, of: Unrooted, root: Root) -> Result<bool, StoreError>;

    /// The next `most` stored batches after a place, with their places, in the order stored.
    async fn segments(&self, after: i64, most: usize) -> Result<Vec<(i64, Segment)>, StoreError>;

    /// The next `most` roots after a number, the first first.
    async fn roots_after(&self, number: u64, most: usize) -> Result<Vec<Root>, StoreError>;

    /// The root that a check code's line stands under, with all lines under it.
    async fn under_root(&self, code: CheckCode) -> Result<Option<UnderRoot>, StoreError>;

    /// All roots, the first first, each with the place of the last batch that it covers.
    async fn all_roots(&self) -> Result<Vec<(i64, Root)>, StoreError>;

    /// Keeps what a kiosk said of itself, in the place of what it said before.
    async fn hear(&self, kiosk: KioskId, said: Heartbeat) -> Result<(), StoreError>;

    /// All admitted kiosks and what was heard of each, by number.
    async fn heard(&self) -> Result<Vec<Heard>, StoreError>;

    /// All admitted kiosks, by number.
    async fn kiosks(&self) -> Result<Vec<Kiosk>, StoreError>;

    /// Hash of the findings, as roots have it.
    async fn findings_hash(&self) -> Result<Hash, StoreError>;

    /// Notes in the own series that a person exported journals into an archive of this hash.
    async fn exported(&self, archive: Hash, person: String) -> Result<(), StoreError>;

    /// The latest `most` roots, the latest first.
    async fn roots(&self, most: usize) -> Result<Vec<Root>, StoreError>;

    /// Makes contacts, tallies and findings anew from the stored batches, beside whatever is going
    /// on, and sets right what differs. No other rebuild may be running.
    async fn rebuild(&self, reader: Arc<dyn Rereader>) -> Result<Rebuilt, StoreError>;

    /// Writes `stopped` into the own series and ends.
    async fn close(&self) -> Result<(), StoreError>;
}
