//! What one contact counts for.
//!
//! A [`Contact`] gathers what lines, bodies and phone answers have told of it so far, in whatever
//! order they came; [`Contact::cells`] says which tallies it adds one to at this moment. Placing a
//! line changes the contact, and the tallies move by the difference of its cells. So the tallies
//! depend on what was received, never on the order in which it was.

use serde::{Deserialize, Serialize};

use super::form::Forms;
use super::ids::{CounterId, FormRef, OfficialId};
use super::line::{By, How};
use super::time::Day;

/// What the opening line tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The contact's day.
    pub day: Day,
    /// Hour of the day, 0 to 23.
    pub hour: i8,
    /// Where.
    pub counter: CounterId,
    /// Who was on shift, if anybody.
    pub official: Option<OfficialId>,
    /// The form shown.
    pub form: FormRef,
    /// How it was opened.
    pub by: By,
}

/// How a contact ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Number of the `closed` line.
    pub seq: u64,
    /// How.
    pub how: How,
    /// The reasons kept.
    pub reasons: Vec<String>,
}

/// An answer given by phone for a contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneAnswer {
    /// The day of the contact, as the ticket tells it.
    pub day: Day,
    /// The level.
    pub level: String,
    /// The reasons.
    pub reasons: Vec<String>,
}

/// All that is known of one citizen's service at one counter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contact {
    /// From its opening line, once that is here.
    pub opening: Option<Opening>,
    /// The latest level given at the counter, and the line that gave it.
    pub level: Option<(u64, String)>,
    /// From its `closed` line, once that is here.
    pub end: Option<End>,
    /// Whether a later `started` line names this contact's epoch: then it is ended, as
    /// interrupted unless a `closed` line says otherwise.
    pub superseded: bool,
    /// The phone's answer, once that is here.
    pub phone: Option<PhoneAnswer>,
}

/// Where a counted rating was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// At the kiosk.
    Counter,
    /// On a phone.
    Phone,
}

impl Channel {
    /// Its word in tallies and summaries.
    pub fn as_str(self) -> &'static str {
        match self {
            Channel::Counter => "counter",
            Channel::Phone => "phone",
        }
    }
}

/// The one counted rating of a contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted<'a> {
    /// From which side.
    pub channel: Channel,
    /// The level.
    pub level: &'a str,
    /// The reasons.
    pub reasons: &'a [String],
}

/// What became of a contact. Each contact has one; a contact still open without a level has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It has a counted rating.
    Rated,
    /// “Không đánh giá”.
    Declined,
    /// It ended untouched.
    TimedOut,
    /// It was cut off.
    Interrupted,
    /// The citizen wished to rate later and has not yet.
    Later,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Outcome::Rated => "rated",
            Outcome::Declined => "declined",
            Outcome::TimedOut => "timed_out",
            Outcome::Interrupted => "interrupted",
            Outcome::Later => "later",
        }
    }
}

/// One tally that a contact adds one to: a day and what is counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// The day.
    pub day: Day,
    /// What is counted, see [`Key`].
    pub key: Key,
}

/// What a tally counts. Its text form is the key in the store and in the canonical dump.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Counted ratings of one counter, official, hour, channel, form and level.
    Rating {
        /// The counter.
        counter: CounterId,
        /// The official; none is unattributed.
        official: Option<OfficialId>,
        /// Hour of the contact's opening.
        hour: i8,
        /// Where it was given.
        channel: Channel,
        /// The form answered.
        form: FormRef,
        /// The level given.
        level: String,
    },
    /// Contacts opened.
    Opened,
    /// Contacts opened by invitation.
    Invited,
    /// Contacts opened by a slip or by the queue system.
    Called,
    /// Contacts of one outcome.
    Outcome(Outcome),
    /// Counted ratings that named a reason.
    Reason(FormRef, String),
    /// Phone answers beside a counted rating from the counter, by how they compare with it.
    Beside(Compared),
    /// Phone answers that wait for their contact's end.
    Waiting,
}

/// How a phone answer compares with the level given at the counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Compared {
    /// Better.
    Higher,
    /// Worse.
    Lower,
    /// The same.
    Same,
}

impl Key {
    /// The key's text, unique for each key.
    pub fn text(&self) -> String {
        match self {
            Key::Rating { counter, official, hour, channel, form, level } => format!(
                "rating/{counter}/{}/{hour}/{}/{form}/{level}",
                official.as_ref().map_or("-", OfficialId::as_str),
                channel.as_str()
            ),
            Key::Opened => "contacts/opened".into(),
            Key::Invited => "contacts/invited".into(),
            Key::Called => "contacts/called".into(),
            Key::Outcome(outcome) => format!("contacts/{}", outcome.as_str()),
            Key::Reason(form, code) => format!("reason/{form}/{code}"),
            Key::Beside(Compared::Higher) => "beside/higher".into(),
            Key::Beside(Compared::Lower) => "beside/lower".into(),
            Key::Beside(Compared::Same) => "beside/same".into(),
            Key::Waiting => "phone/waiting".into(),
        }
    }

    /// Reads [`Key::text`] back.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        Some(match parts[..] {
            ["rating", counter, official, hour, channel, form, level] => Key::Rating {
                counter: counter.parse().ok()?,
                official: if official == "-" { None } else { Some(official.parse().ok()?) },
                hour: hour.parse().ok()?,
                channel: match channel {
                    "counter" => Channel::Counter,
                    "phone" => Channel::Phone,
                    _ => return None,
                },
                form: form.to_owned().try_into().ok()?,
                level: level.to_owned(),
            },
            ["contacts", "opened"] => Key::Opened,
            ["contacts", "invited"] => Key::Invited,
            ["contacts", "called"] => Key::Called,
            ["contacts", "rated"] => Key::Outcome(Outcome::Rated),
            ["contacts", "declined"] => Key::Outcome(Outcome::Declined),
            ["contacts", "timed_out"] => Key::Outcome(Outcome::TimedOut),
            ["contacts", "interrupted"] => Key::Outcome(Outcome::Interrupted),
            ["contacts", "later"] => Key::Outcome(Outcome::Later),
            ["reason", form, code] => {
                Key::Reason(form.to_owned().try_into().ok()?, code.to_owned())
            }
            ["beside", "higher"] => Key::Beside(Compared::Higher),
            ["beside", "lower"] => Key::Beside(Compared::Lower),
            ["beside", "same"] => Key::Beside(Compared::Same),
            ["phone", "waiting"] => Key::Waiting,
            _ => return None,
        })
    }
}

impl Contact {
    /// Takes a level given at the counter by line `seq`; a later line's replaces an earlier one's.
    pub fn give_level(&mut self, seq: u64, level: String) {
        if self.level.as_ref().is_none_or(|(given, _)| *given < seq) {
            self.level = Some((seq, level));
        }
    }

    /// Whether nothing is known of it.
    pub fn is_nothing(&self) -> bool {
        self.opening.is_none() && self.level.is_none() && self.end.is_none() && self.phone.is_none()
    }

    /// Whether the contact is known to have ended.
    pub fn ended(&self) -> bool {
        self.end.is_some() || self.superseded
    }

    /// The rating that counts, if there is one yet.
    ///
    /// A level given at the counter is never replaced. A phone's answer counts once the contact's
    /// end is here and no level was given there.
    pub fn counted(&self) -> Option<Counted<'_>> {
        self.opening.as_ref()?;
        if let Some((_, level)) = &self.level {
            let reasons = self.end.as_ref().map_or(&[][..], |end| &end.reasons);
            return Some(Counted { channel: Channel::Counter, level, reasons });
        }
        let phone = self.phone.as_ref().filter(|_| self.ended())?;
        Some(Counted { channel: Channel::Phone, level: &phone.level, reasons: &phone.reasons })
    }

    fn outcome(&self, opening: &Opening) -> Option<Outcome> {
        if self.counted().is_some() {
            return Some(Outcome::Rated);
        }
        let how = match &self.end {
            Some(end) => end.how,
            None if self.superseded => How::Interrupted,
            None => return None,
        };
        Some(match how {
            How::Interrupted => Outcome::Interrupted,
            How::Declined => Outcome::Declined,
            _ if opening.by == By::Later => Outcome::Later,
            _ => Outcome::TimedOut,
        })
    }

    /// The tallies that this contact adds one to.
    pub fn cells(&self, forms: &Forms) -> Vec<Cell> {
        let waiting = |day| Cell { day, key: Key::Waiting };
        let Some(opening) = &self.opening else {
            // Its day is not known from the journal yet, but a ticket tells it.
            return self.phone.iter().map(|phone| waiting(phone.day)).collect();
        };
        let mut keys = vec![Key::Opened];
        match opening.by {
            By::Invitation => keys.push(Key::Invited),
            By::Slip | By::Queue => keys.push(Key::Called),
            _ => {}
        }
        keys.extend(self.outcome(opening).map(Key::Outcome));
        let counted = self.counted();
        if let Some(counted) = &counted {
            keys.push(Key::Rating {
                counter: opening.counter.clone(),
                official: opening.official.clone(),
                hour: opening.hour,
                channel: counted.channel,
                form: opening.form.clone(),
                level: counted.level.to_owned(),
            });
            keys.extend(
                counted.reasons.iter().map(|code| Key::Reason(opening.form.clone(), code.clone())),
            );
        }
        if let Some(phone) = &self.phone {
            if !self.ended() {
                keys.push(Key::Waiting);
            } else if let Some((_, level)) = &self.level {
                let place = |code| forms.get(&opening.form).and_then(|form| form.level(code));
                keys.push(Key::Beside(match place(&phone.level).cmp(&place(level)) {
                    std::cmp::Ordering::Less => Compared::Higher,
                    std::cmp::Ordering::Greater => Compared::Lower,
                    std::cmp::Ordering::Equal => Compared::Same,
                }));
            }
        }
        keys.into_iter().map(|key| Cell { day: opening.day, key }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::form::{Form, Level, Pole};

    fn forms() -> Forms {
        let level = |code: &str, satisfied| Level {
            code: code.into(),
            satisfied,
            pole: Pole::Good,
            face: 1,
            label: Default::default(),
        };
        Forms::new([Form {
            code: "nam-muc".into(),
            version: 1,
            effective: "2026-01-01".parse().unwrap(),
            decision: String::new(),
            question: Default::default(),
            levels: vec![
                level("rat_hai_long", true),
                level("hai_long", true),
                level("khong_hai_long", false),
            ],
            reasons: vec![],
            wishes: vec![],
            questions: vec![],
            texts: Default::default(),
        }])
    }

    fn opened(by: By) -> Contact {
        Contact {
            opening: Some(Opening {
                day: Day::parse("2026-11-24").unwrap(),
                hour: 8,
                counter: "q3".parse().unwrap(),
                official: Some("cb07".parse().unwrap()),
                form: FormRef::new("nam-muc", 1).unwrap(),
                by,
            }),
            ..Contact::default()
        }
    }

    fn phone(level: &str) -> Option<PhoneAnswer> {
        let day = Day::parse("2026-11-24").unwrap();
        Some(PhoneAnswer { day, level: level.into(), reasons: vec![] })
    }

    fn end(how: How) -> Option<End> {
        Some(End { seq: 9, how, reasons: vec!["cho_lau".into()] })
    }

    fn keys(contact: &Contact) -> Vec<String> {
        contact.cells(&forms()).into_iter().map(|cell| cell.key.text()).collect()
    }

    #[test]
    fn an_open_contact_counts_with_its_latest_level_at_once() {
        let mut contact = opened(By::Touch);
        contact.give_level(5, "hai_long".into());
        contact.give_level(7, "khong_hai_long".into());
        contact.give_level(6, "rat_hai_long".into());
        assert_eq!(
            keys(&contact),
            [
                "contacts/opened",
                "contacts/rated",
                "rating/q3/cb07/8/counter/nam-muc@1/khong_hai_long"
            ]
        );
    }

    #[test]
    fn a_phone_answer_waits_for_the_end_and_then_counts_only_without_a_level() {
        let mut contact = opened(By::Later);
        contact.phone = phone("hai_long");
        assert_eq!(keys(&contact), ["contacts/opened", "phone/waiting"]);
        contact.end = end(How::Left);
        assert_eq!(
            keys(&contact),
            ["contacts/opened", "contacts/rated", "rating/q3/cb07/8/phone/nam-muc@1/hai_long"]
        );
        contact.give_level(5, "khong_hai_long".into());
        assert_eq!(
            keys(&contact),
            [
                "contacts/opened",
                "contacts/rated",
                "rating/q3/cb07/8/counter/nam-muc@1/khong_hai_long",
                "reason/nam-muc@1/cho_lau",
                "beside/higher"
            ]
        );
    }

    #[test]
    fn what_waits_for_its_contact_is_in_no_tally() {
        let mut contact = Contact::default();
        contact.give_level(6, "hai_long".into());
        contact.end = end(How::Sent);
        assert_eq!(keys(&contact), [""; 0]);
        contact.phone = phone("hai_long");
        assert_eq!(keys(&contact), ["phone/waiting"]);
    }

    #[test]
    fn silence_has_no_value_and_one_outcome() {
        for (by, how, outcome) in [
            (By::Later, How::TimedOut, "contacts/later"),
            (By::Later, How::Left, "contacts/later"),
            (By::Later, How::Interrupted, "contacts/interrupted"),
            (By::Invitation, How::TimedOut, "contacts/timed_out"),
            (By::Invitation, How::Declined, "contacts/declined"),
        ] {
            let mut contact = opened(by);
            contact.end = end(how);
            let keys = keys(&contact);
            assert_eq!(keys.last().unwrap(), outcome);
            assert!(!keys.iter().any(|key| key.starts_with("rating")));
        }
    }

    #[test]
    fn every_key_is_read_back() {
        let mut contact = opened(By::Invitation);
        contact.give_level(5, "hai_long".into());
        contact.end = end(How::Sent);
        contact.phone = phone("hai_long");
        for cell in contact.cells(&forms()) {
            assert_eq!(Key::parse(&cell.key.text()), Some(cell.key));
        }
    }
}
