//! The words of a visit: what happens to it, what it has recorded, what it shows.

use zeroize::Zeroizing;

use crate::domain::ids::CounterId;
use crate::domain::line::{By, How};

use super::super::typing::{Stroke, Writing};

/// How long each page waits untouched, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeOuts {
    /// Reasons, and the first pages once somebody has chosen something there; a touch starts it
    /// anew.
    pub reasons_ms: u64,
    /// Thanks.
    pub thanks_ms: u64,
    /// The large QR code, the notice, and thanks for a visitor who wishes to write or to see the
    /// check code; a touch starts the first two anew.
    pub later_ms: u64,
    /// The invitation; a touch starts it anew.
    pub invited_ms: u64,
    /// The apology.
    pub not_kept_ms: u64,
}

impl Default for TimeOuts {
    fn default() -> Self {
        Self {
            reasons_ms: 30_000,
            thanks_ms: 20_000,
            later_ms: 60_000,
            invited_ms: 60_000,
            not_kept_ms: 15_000,
        }
    }
}

/// How a visitor needs the screen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Modes {
    /// Everything that is touched stands in the lower half.
    pub low: bool,
    /// Larger type.
    pub large: bool,
    /// Black on white, with stronger lines.
    pub contrast: bool,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// [`Modes::low`].
    Low,
    /// [`Modes::large`].
    Large,
    /// [`Modes::contrast`].
    Contrast,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A language was chosen: its place among those offered.
    Language(usize),
    /// A mode of the screen was switched on or off.
    Mode(Mode),
    /// Who served was chosen: the counter's place among those of this kiosk.
    Counter(usize),
    /// The notice was asked for.
    Notice,
    /// A face was tapped: its place in the form's levels.
    Rate(usize),
    /// A reason was tapped: its place among those offered.
    Toggle(usize),
    /// A key of the keyboard or of the digits on the screen.
    Type(Stroke),
    /// “Gửi”.
    Send,
    /// “Bỏ qua”.
    Skip,
    /// “Đánh giá sau bằng điện thoại”.
    Later,
    /// Somebody's service is over: how that was told, and at which counter of this kiosk.
    Call(By, CounterId),
    /// The numbers of an appointment slip are to be typed.
    EnterSlip,
    /// A slip was read by the scanner, or typed.
    Slip(SlipRead),
    /// Procedures are to be looked up.
    LookUp,
    /// One of the procedures found was tapped: its place in the list.
    Choose(usize),
    /// The list goes on to these rows: the place of the first.
    Turn(usize),
    /// “Không đánh giá”, by somebody who was invited.
    Decline,
    /// The page was left by touch.
    Done,
    /// “Xem mã tra cứu”.
    ShowCode,
    /// The screen was touched somewhere.
    Touched,
    /// A key led to another control.
    Moved,
    /// Time has passed.
    Tick,
    /// The journal has committed the record: its line's number, and what the visitor may take
    /// along: the ticket of a contact that was opened, the check code of one that was ended.
    Kept(u64, Option<String>),
    /// The journal could not commit the record, and why, for staff.
    Refused(String),
}

/// What a scanned or typed slip is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlipRead {
    /// It speaks for a contact.
    Fresh,
    /// It did so before, today.
    Used,
    /// It has no file code that there can be.
    Unreadable,
}

/// What is to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A contact opens, with a level if a face was tapped.
    Open {
        /// How.
        by: By,
        /// Where.
        counter: CounterId,
        /// The level's code.
        level: Option<String>,
    },
    /// The level of a contact changes.
    Change {
        /// Number of the opening line.
        contact: u64,
        /// The level's code.
        level: String,
    },
    /// A contact ends.
    Close {
        /// Number of the opening line.
        contact: u64,
        /// How.
        how: How,
        /// Codes of the reasons kept, in the form's order.
        reasons: Vec<String>,
    },
    /// A contact ends as sent, with words.
    Write {
        /// Number of the opening line.
        contact: u64,
        /// Codes of the reasons kept, in the form's order.
        reasons: Vec<String>,
        /// What was written, with numbers masked.
        words: Zeroizing<String>,
    },
    /// Touches that were nobody's wish.
    Misuse {
        /// How many.
        touches: u32,
    },
}

/// What is on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// Who has just served? The page of rest where one kiosk serves several counters.
    Who,
    /// The question and the faces.
    Home,
    /// The same for somebody who was called, with a code for the phone and a way to decline.
    Invited(Contact),
    /// What the law asks to be told, to whoever was called or to anybody.
    Notice(Option<Contact>),
    /// Reasons may be ticked, the level may be changed.
    Reasons {
        /// The contact.
        contact: Contact,
        /// Place of the level given.
        level: usize,
        /// Which of the offered reasons are ticked.
        ticked: Vec<bool>,
    },
    /// Words may be written, because a wish to write is ticked.
    Words {
        /// The contact.
        contact: Contact,
        /// Place of the level given.
        level: usize,
        /// Which of the offered reasons are ticked.
        ticked: Vec<bool>,
        /// What is written so far.
        writing: Writing,
    },
    /// The answer is kept.
    Thanks {
        /// The contact.
        contact: Contact,
        /// Whether the visitor wishes to write on the phone, and so needs time to scan.
        words: bool,
        /// The check code.
        code: Option<String>,
        /// Whether it was asked for, and so needs time to be written down.
        code_shown: bool,
    },
    /// The large QR code.
    Later(Contact),
    /// The numbers of an appointment slip are typed.
    Slip {
        /// The digits so far: a file's date and number, and so somebody's. Cleared when it is dropped.
        digits: Zeroizing<String>,
        /// What was wrong with the slip before.
        trouble: Option<SlipRead>,
        /// Whether it is known who served.
        served: bool,
    },
    /// Procedures are looked up.
    Procedures {
        /// What is typed, without accents.
        query: String,
        /// The first row shown of those found.
        first: usize,
        /// The one whose details are shown: its place in the list.
        chosen: Option<usize>,
    },
    /// The answer could not be kept.
    NotKept {
        /// Why, for staff.
        trouble: String,
    },
}

/// The open contact as the screen needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Number of the opening line.
    pub seq: u64,
    /// Its ticket for the QR code, if one could be made.
    pub ticket: Option<String>,
}
