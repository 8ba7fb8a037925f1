//! A journal line: what happened once, as bytes that are never written again.
//!
//! A line is UTF-8 JSON without spaces, keys in the order of [`Line`]'s fields, absent keys
//! omitted. It never holds an answer, only the hash of one (see [`super::seal`]). Its own hash is
//! the SHA-256 of its bytes; the next line carries it as `prev`.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::access::Access;
use super::decision::Decision;
use super::ids::{CounterId, Epoch, FormRef, Hash, KioskId, OfficialId};
use super::time::At;

/// What a line tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The process started: a new epoch. Ends every open contact as interrupted.
    Started,
    /// The process ended in good order.
    Stopped,
    /// The office closed a while ago and nobody is at the kiosk, which stays on: its day is over.
    DayEnded,
    /// Another official, or nobody, is on shift at a counter.
    Shift,
    /// One citizen's service was opened for rating.
    Contact,
    /// The level of an open contact was given or changed.
    Changed,
    /// A contact ended.
    Closed,
    /// Touches at the screen that were nobody's wish.
    Misuse,
    /// A code was typed that is nobody's, at the counter where one stands, if only one does.
    WrongCode,
    /// The wall clock jumped against the monotonic clock.
    Clock,
    /// The configuration in force, by its hash.
    Config,
    /// The central service admitted a kiosk.
    Enrolled,
    /// The central service loaded another directory or roster of an office.
    Directory,
    /// A person put a version of a form in force, from its day on.
    Form,
    /// Journals were exported for an auditor.
    Exported,
    /// A named person decided something.
    Decided,
    /// Somebody did something with an account, or looked at officials' figures.
    Access,
    /// A kiosk saw a root that follows those that it saw before.
    Root,
    /// A kiosk saw a root that does not.
    RootRefused,
    /// An event of a later version: chained and stored, never counted.
    #[serde(other, skip_serializing)]
    Unknown,
}

/// How a contact was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// A face was tapped.
    Touch,
    /// The citizen asked to rate later by phone.
    Later,
    /// The official invited.
    Invitation,
    /// An appointment slip was scanned.
    Slip,
    /// The queue system called.
    Queue,
    /// Answered on a phone, in the central service's own series.
    Phone,
    /// A way of a later version.
    #[serde(other, skip_serializing)]
    Unknown,
}

/// How a contact ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Reasons were sent.
    Sent,
    /// The reasons were skipped.
    Skipped,
    /// Nobody touched the screen any more.
    TimedOut,
    /// The citizen left the page, as one does after scanning the code.
    Left,
    /// “Không đánh giá”: invited, and declined.
    Declined,
    /// The process ended, or the disk refused, before the contact did.
    Interrupted,
    /// A way of a later version.
    #[serde(other, skip_serializing)]
    Unknown,
}

/// How the last run of a journal's process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LastRun {
    /// There was none.
    First,
    /// With a `stopped` line.
    Stopped,
    /// Without one: killed, crashed, power cut.
    Interrupted,
    /// There was one, but its journal is gone; numbers start again at 1.
    JournalLost,
    /// A way of a later version.
    #[serde(other, skip_serializing)]
    Unknown,
}

/// One line. The chain's keys come first; of the others, each event uses its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Version of the contract, 1.
    pub v: u8,
    /// Whose series this is.
    pub kiosk: KioskId,
    /// The run of the process.
    pub epoch: Epoch,
    /// Position in the series, from 1.
    pub seq: u64,
    /// Hash of the line before.
    pub prev: Hash,
    /// Wall clock.
    pub at: At,
    /// Milliseconds since the epoch's start, by the monotonic clock.
    pub mono_ms: u64,
    /// What happened.
    pub event: Event,
    /// `seq` of the opening line, on every later line of a contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<u64>,
    /// The counter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counter: Option<CounterId>,
    /// The official on shift by this journal; absent when nobody was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub official: Option<OfficialId>,
    /// The form shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub form: Option<FormRef>,
    /// How a contact was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<By>,
    /// How a contact ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub how: Option<How>,
    /// `shift`: true when the official's own code says it; absent when the roster does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_in: Option<bool>,
    /// `started`: the program's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `started`: how the last run ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_run: Option<LastRun>,
    /// `started`: the epoch before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prev_epoch: Option<Epoch>,
    /// `started`: the last committed sequence number of the epoch before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prev_seq: Option<u64>,
    /// `started`: when the process before was last known alive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alive: Option<At>,
    /// `clock`: how far the wall clock jumped, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_ms: Option<i64>,
    /// `misuse`: how many touches were ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub touches: Option<u32>,
    /// `config`, `directory`, `form`: hash of what is in force; `enrolled`: hash of the kiosk's key;
    /// `exported`: hash of the archive; `root`, `root_refused`: the anchor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Hash>,
    /// `directory`: the first day on which it holds, if that is a day to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective: Option<Date>,
    /// `directory`: the office; `enrolled`: the kiosk's office.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub office: Option<String>,
    /// Phone answers and enrolments: the kiosk meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_kiosk: Option<KioskId>,
    /// Phone answers: the first two bytes of the contact's epoch, as a ticket carries them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_epoch: Option<String>,
    /// Phone answers: `seq` of the contact's opening line; `root`, `root_refused`: the root's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_seq: Option<u64>,
    /// Phone answers: the minute at which the contact was opened, as a ticket carries it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_at: Option<At>,
    /// Phone answers: 4 hex digits that answers of one day from one source share, and that lead to
    /// no address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// `decided`: what, by whom and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// `access`, `exported`, `directory`, `form`: the account that did it; none where files say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// `access`: what was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// Hash of the level's or the reasons' body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Hash>,
    /// Hash of the words' body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<Hash>,
}

/// Why a line cannot be placed. Its code stands in receipts and in the quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// Not JSON, or without a key that every line has, or with a key of another shape.
    #[error("not_a_line")]
    NotALine,
    /// A version of the contract that this program does not know.
    #[error("unknown_version")]
    UnknownVersion,
    /// Names another kiosk, epoch or number than its place in the batch.
    #[error("wrong_place")]
    WrongPlace,
    /// Lacks a key that its event needs.
    #[error("key_missing")]
    KeyMissing,
}

impl Line {
    /// The contact that a phone's answer is for, as its ticket tells it: kiosk, the first two bytes
    /// of the epoch, and the opening line.
    pub fn ticket_of(&self) -> Option<(&KioskId, u16, u64)> {
        let prefix = u16::from_str_radix(self.of_epoch.as_deref()?, 16).ok()?;
        Some((self.of_kiosk.as_ref()?, prefix, self.of_seq?))
    }

    /// A line whose chain keys are still to be filled in by [`super::series::Series::write`].
    pub fn draft(event: Event) -> Self {
        Self {
            v: 1,
            kiosk: KioskId::central(),
            epoch: Epoch(0),
            seq: 0,
            prev: Hash::NONE,
            at: At::new(jiff::Timestamp::UNIX_EPOCH),
            mono_ms: 0,
            event,
            contact: None,
            counter: None,
            official: None,
            form: None,
            by: None,
            how: None,
            signed_in: None,
            version: None,
            last_run: None,
            prev_epoch: None,
            prev_seq: None,
            alive: None,
            step_ms: None,
            touches: None,
            digest: None,
            effective: None,
            office: None,
            of_kiosk: None,
            of_epoch: None,
            of_seq: None,
            of_at: None,
            source: None,
            decision: None,
            person: None,
            access: None,
            body: None,
            words: None,
        }
    }

    /// Reads a line on itself and holds it against its place in a batch.
    pub fn read(bytes: &[u8], kiosk: &KioskId, epoch: Epoch, seq: u64) -> Result<Self, BadLine> {
        let line: Line = serde_json::from_slice(bytes).map_err(|_| BadLine::NotALine)?;
        if line.v != 1 {
            return Err(BadLine::UnknownVersion);
        }
        if line.kiosk != *kiosk || line.epoch != epoch || line.seq != seq {
            return Err(BadLine::WrongPlace);
        }
        let complete = match line.event {
            Event::Contact if line.by == Some(By::Phone) => {
                // Only the central service takes answers from phones.
                line.kiosk.is_central()
                    && line.of_kiosk.is_some()
                    && line.of_epoch.is_some()
                    && line.of_seq.is_some()
                    && line.of_at.is_some()
                    && line.body.is_some()
            }
            Event::Contact => line.counter.is_some() && line.form.is_some() && line.by.is_some(),
            Event::Changed => line.contact.is_some() && line.body.is_some(),
            Event::Closed => line.contact.is_some() && line.how.is_some() && line.body.is_some(),
            Event::Started => line.last_run.is_some(),
            Event::Shift => line.counter.is_some(),
            Event::Decided => line.decision.is_some(),
            Event::Access => line.person.is_some() && line.access.is_some(),
            _ => true,
        };
        if complete { Ok(line) } else { Err(BadLine::KeyMissing) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = r#"{"v":1,"kiosk":"ps-q3","epoch":"9f3c0a5be1d27744","seq":41,"prev":"0000000000000000000000000000000000000000000000000000000000000000","at":"2026-11-24T08:15:22.123+07:00","mono_ms":812345,"event":"contact","counter":"q3","official":"cb07","form":"nam-muc@2","by":"touch","body":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}"#;

    fn read(text: &str) -> Result<Line, BadLine> {
        Line::read(text.as_bytes(), &"ps-q3".parse().unwrap(), Epoch(0x9f3c_0a5b_e1d2_7744), 41)
    }

    #[test]
    fn the_contract_s_line_is_written_as_it_was_read() {
        let line = read(EXAMPLE).unwrap();
        assert_eq!(serde_json::to_string(&line).unwrap(), EXAMPLE);
    }

    #[test]
    fn an_event_or_key_of_a_later_version_is_read() {
        let later = EXAMPLE
            .replace("\"contact\"", "\"weather\"")
            .replace("mono_ms", "x\":{\"y\":1},\"mono_ms");
        assert_eq!(read(&later).unwrap().event, Event::Unknown);
    }

    #[test]
    fn a_shift_says_whether_the_officials_own_code_made_it() {
        let signed = EXAMPLE.split("\"form\"").next().unwrap().replace("contact", "shift");
        let signed = format!("{signed}\"signed_in\":true}}");
        let line = read(&signed).unwrap();
        assert_eq!((line.event, line.signed_in), (Event::Shift, Some(true)));
        assert_eq!(serde_json::to_string(&line).unwrap(), signed);
        assert_eq!(read(&signed.replace("true", "1")).unwrap_err(), BadLine::NotALine);
        assert_eq!(read(&signed.replace(",\"signed_in\":true", "")).unwrap().signed_in, None);
        let wrong = Line { counter: line.counter, ..Line::draft(Event::WrongCode) };
        let bytes = serde_json::to_vec(&wrong).unwrap();
        assert!(
            String::from_utf8_lossy(&bytes).ends_with(r#""event":"wrong_code","counter":"q3"}"#)
        );
        assert_eq!(Line::read(&bytes, &wrong.kiosk, Epoch(0), 0).unwrap(), wrong);
    }

    #[test]
    fn a_line_is_judged_on_itself() {
        for (from, to, why) in [
            ("\"seq\":41", "\"seq\":42", BadLine::WrongPlace),
            ("ps-q3", "ps-q4", BadLine::WrongPlace),
            ("9f3c0a5be1d27744", "9f3c0a5be1d27745", BadLine::WrongPlace),
            ("\"v\":1", "\"v\":2", BadLine::UnknownVersion),
            ("\"seq\":41", "\"seq\":41,\"seq\":41", BadLine::NotALine),
            ("+07:00", "Z", BadLine::NotALine),
            ("{", "", BadLine::NotALine),
            (",\"counter\":\"q3\"", "", BadLine::KeyMissing),
        ] {
            assert_eq!(read(&EXAMPLE.replacen(from, to, 1)).unwrap_err(), why, "{from} → {to}");
        }
    }
}
