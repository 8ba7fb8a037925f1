//! What lists would change, line by line, and what is wrong with them.

use super::sheets::Unreadable;
use std::sync::Arc;

use jiff::civil::{Date, Time};

use super::rows::{Expected, Kind};
use crate::central::offices;
use crate::domain::access::Unit;
use crate::domain::calendar::OwnDay;
use crate::domain::form::Forms;
use crate::domain::ids::{CounterId, OfficeCode, OfficialId};
use crate::domain::office::Directory;
use crate::domain::signals::Thresholds;

/// What lists are held against.
pub struct Setting<'a> {
    /// All offices as they are.
    pub offices: &'a [Arc<Directory>],
    /// Those that are kept in files.
    pub in_files: &'a [OfficeCode],
    /// For whom the person has their rights who brings the lists.
    pub unit: &'a Unit,
    /// The office of rows that name none.
    pub one: Option<&'a OfficeCode>,
    /// All forms known.
    pub forms: Arc<Forms>,
    /// The form of a new office of which that is not said.
    pub first_form: &'a str,
    /// From when on a pattern is a signal, at new offices.
    pub signals: Option<Thresholds>,
    /// A list of that one office that is emptied first: rows that are not there any more were taken out.
    pub emptied: Option<Kind>,
    /// From which day on what changes holds: today, or one to come.
    pub from: Date,
    /// Today, from which on a new office is there.
    pub today: Date,
}

/// Where in the lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The sheet.
    pub sheet: String,
    /// The row, as a spreadsheet counts; none for what is of the sheet, or of no row.
    pub row: Option<u32>,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What.
    pub wrong: Wrong,
}

/// What can be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// A file that cannot be read.
    Unreadable(Unreadable),
    /// No list was recognised.
    Nothing,
    /// Columns are missing.
    Lacking(Vec<&'static str>),
    /// A cell is not what it should be.
    Shape(&'static str, String, Expected),
    /// A cell must not be empty.
    Needed(&'static str),
    /// Longer than a name.
    TooLong(&'static str),
    /// The same is named in another row already.
    Twice(u32),
    /// No such office, or none of theirs.
    NoOffice(String),
    /// The office is kept in files of the service's machine.
    InFiles(OfficeCode),
    /// Offices themselves are changed for the whole province.
    OfProvince,
    /// No such form; those that there are.
    NoForm(String, Vec<String>),
    /// A form that is not in force yet; its first day.
    FormToCome(String, Date),
    /// No such counter of the office.
    NoCounter(String),
    /// No such official of the office.
    NoOfficial(String),
    /// The end is not after the beginning.
    Order,
    /// Two at one time.
    Clash,
    /// More than an office has.
    TooMany,
    /// Not within an office's hours.
    Outside(Time, Time),
}

/// What a row is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// An office, a counter or an official: what they are called.
    Named(String),
    /// Somebody somewhere: weekdays, counter, official, from, to.
    Shift(Vec<i8>, CounterId, OfficialId, Time, Time),
    /// Hours of weekdays.
    Hours(Vec<i8>, Time, Time),
    /// A day.
    Day(OwnDay),
}

/// What a row does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// It is new.
    New,
    /// It is as it was.
    Same,
    /// Columns that change, from what to what.
    Altered(Vec<(&'static str, String, String)>),
    /// It was there and is not any more.
    Gone,
    /// The day is over: nothing.
    Over,
}

/// One line of what would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where it is said; no row when it follows from not being named.
    pub place: Place,
    /// In which list.
    pub kind: Kind,
    /// Of which office.
    pub office: OfficeCode,
    /// The code of what it is about, if that has one.
    pub code: String,
    /// What it is about.
    pub what: What,
    /// What becomes of it.
    pub effect: Effect,
}

/// What would change.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Line by line.
    pub changes: Vec<Change>,
    /// What is wrong; then nothing is done.
    pub problems: Vec<Problem>,
    /// Sheets that are no list of ours.
    pub passed_over: Vec<String>,
    /// The offices that change.
    pub after: Vec<offices::Change>,
}

impl Plan {
    /// Whether anything would change.
    pub fn changes_nothing(&self) -> bool {
        self.after.is_empty()
    }
}
