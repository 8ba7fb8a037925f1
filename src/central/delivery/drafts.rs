//! What mails say: an office's day, all offices' day, and kiosks that fell silent or are heard again.
//!
//! Mail is read by others on its way and passed on afterwards: it tells of an office as a whole, and nothing of a
//! single counter or official. Whoever looks at theirs signs in, and a line says so.

use std::fmt::Display;

use crate::central::offices_table;
use crate::central::pages::{number, percent, percent_range};
use crate::domain::comparison::{Against, Comparison, Line};
use crate::domain::form::Forms;
use crate::domain::ids::KioskId;
use crate::domain::office::Directory;
use crate::domain::period::Period;
use crate::domain::statistics::Interval;
use crate::domain::summary::{State, Summary};
use crate::domain::time::At;
use crate::texts::{Texts, fill};

/// A mail to nobody in particular yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What it is about, one line.
    pub subject: String,
    /// What it says.
    pub text: String,
}

/// A kiosk that a mail tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Which.
    pub kiosk: KioskId,
    /// The counters it serves, as people call them.
    pub counters: String,
    /// Its office, as people call it.
    pub office: String,
    /// When it was heard last, if ever.
    pub last: Option<At>,
    /// Since when it was silent.
    pub since: At,
}

/// The language of a mail, and where the pages are that it points to.
pub struct Writer<'a> {
    /// The language.
    pub texts: &'a Texts,
    /// Where staff's browsers find the service.
    pub pages: &'a str,
    /// Now.
    pub now: At,
}

/// Paragraphs of lines, put together with a line between them.
#[derive(Default)]
struct Paragraphs(Vec<String>);

impl Paragraphs {
    fn add(&mut self, lines: impl IntoIterator<Item = String>) {
        let lines: Vec<String> = lines.into_iter().collect();
        if !lines.is_empty() {
            self.0.push(lines.join("\n"));
        }
    }

    /// A heading, and what is under it, if anything is.
    fn list(&mut self, title: &str, items: impl IntoIterator<Item = String>) {
        let items: Vec<String> = items.into_iter().map(|item| format!("- {item}")).collect();
        if !items.is_empty() {
            self.add([title.to_owned()].into_iter().chain(items));
        }
    }

    fn text(self) -> String {
        self.0.join("\n\n") + "\n"
    }
}

impl Writer<'_> {
    fn number(&self, n: u64) -> String {
        number(i64::try_from(n).unwrap_or(i64::MAX), &self.texts.summary.thousands_mark)
    }

    fn percent(&self, fraction: f64) -> String {
        percent(fraction, &self.texts.summary.decimal_mark)
    }

    fn day(&self, date: jiff::civil::Date) -> String {
        date.strftime("%d/%m/%Y").to_string()
    }

    fn moment(&self, at: At) -> String {
        at.civil().strftime("%H:%M %d/%m/%Y").to_string()
    }

    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.pages)
    }

    /// “96,1% (49 / 51 lượt đánh giá; khoảng tin cậy 95%: 86,8–98,9%)”, or how many ratings there are.
    fn rate(&self, n: u64, satisfied: Option<u64>, rate: Option<(f64, Interval)>) -> String {
        let t = &self.texts.summary;
        let n_text = self.number(n);
        match (rate, satisfied) {
            (Some((rate, interval)), Some(satisfied)) => {
                let satisfied = self.number(satisfied);
                let of = fill(&t.of_ratings, &[("satisfied", &satisfied), ("n", &n_text)]);
                let range = percent_range(&interval, &t.decimal_mark);
                format!("{} ({of}; {} {range})", self.percent(rate), t.interval)
            }
            _ if n == 0 => t.none.clone(),
            _ => format!("{} ({})", t.too_few_for_rate, fill(&t.ratings_n, &[("n", &n_text)])),
        }
    }

    fn ending(&self, see: &str, path: &str) -> [String; 2] {
        [format!("{see}\n{}", self.address(path)), format!("--\n{}", self.texts.delivery.sent_by)]
    }

    /// An office's day. `rises` says which complaints are given far more often than usual, `kiosk` gives what people call a
    /// kiosk.
    pub fn of_office(
        &self,
        summary: &Summary,
        rises: &[String],
        directory: &Directory,
        forms: &Forms,
        kiosk: impl Fn(&KioskId) -> String,
    ) -> Draft {
        let (t, d) = (&self.texts.summary, &self.texts.delivery);
        let office = &directory.office.name;
        let date = self.day(summary.date);
        let n = self.number(summary.n);
        let several = summary.is_of_several();
        let subject = match summary.rate.filter(|_| several) {
            Some(rate) => {
                let rate = self.percent(rate);
                fill(&d.subject_rate, &[("office", office), ("rate", &rate), ("date", &date)])
            }
            None if summary.n == 0 => fill(&d.subject_none, &[("office", office), ("date", &date)]),
            None => fill(&d.subject_n, &[("office", office), ("n", &n), ("date", &date)]),
        };
        let mut text = Paragraphs::default();
        let day_off = summary.day_off.as_ref().map(|name| fill(&t.day_off, &[("name", name)]));
        let head = [office.clone(), t.period(Period::day(summary.date))].into_iter().chain(day_off);
        text.add(head.chain([t.state(summary, self.now)]));

        let rate = if several || summary.n == 0 {
            self.rate(summary.n, summary.satisfied, summary.rate.zip(summary.interval))
        } else {
            format!("{} ({})", fill(&t.ratings_n, &[("n", &n)]), d.one_official)
        };
        let usual = summary.usual.rate.filter(|_| several).map(|rate| {
            let title = fill(&t.usual, &[("days", &summary.usual.days)]);
            format!("{title} {}", self.percent(rate))
        });
        let response = match (summary.response_rate, summary.contacts.served) {
            (Some(rate), Some(served)) => {
                let (n, served) = (self.number(summary.contacts.rated), self.number(served));
                let of = fill(&t.of_served, &[("n", &n), ("served", &served)]);
                format!("{} ({of})", self.percent(rate))
            }
            _ => t.served_unknown.clone(),
        };
        let rates = [format!("{}: {rate}", t.rate)].into_iter().chain(usual);
        text.add(rates.chain([format!("{}: {response}", t.response)]));

        let attention = self.attention(summary, kiosk).into_iter();
        text.list(&t.attention, attention.chain(rises.iter().filter(|_| several).cloned()));
        let reasons = summary.reasons.iter().filter(|_| several).map(|reason| {
            let known = forms.reason_text(&reason.code, &self.texts.language);
            format!("{}: {}", known.unwrap_or_else(|| reason.code.clone()), self.number(reason.n))
        });
        text.list(&t.reasons, reasons);
        text.add([d.no_officials.clone()]);
        let page = format!("/summary/{}/{}", summary.office, summary.date);
        self.ending(&d.see_summary, &page).into_iter().for_each(|part| text.add([part]));
        Draft { subject, text: text.text() }
    }

    fn attention(&self, summary: &Summary, kiosk: impl Fn(&KioskId) -> String) -> Vec<String> {
        let t = &self.texts.summary;
        let time = |at: At| at.civil().strftime("%H:%M").to_string();
        let against = Against::of(summary.interval, &summary.usual);
        let below = (against == Against::Below && summary.is_of_several())
            .then(|| format!("{}: {}", t.rate, self.texts.offices.below));
        let down = summary.down.iter().map(|down| {
            let (from, to) = (time(down.from), time(down.to));
            format!("{}: {}", kiosk(&down.kiosk), fill(&t.down, &[("from", &from), ("to", &to)]))
        });
        let dark = summary.silent_kiosks.iter().filter(|one| one.dark).map(|silent| {
            let said = silent.last_heard.map_or_else(
                || t.silent_ever.clone(),
                |at| {
                    let (time, date) = (time(at), self.day(at.date()));
                    fill(&t.silent, &[("time", &time), ("date", &date)])
                },
            );
            format!("{}: {said}", kiosk(&silent.id))
        });
        let signals = (!summary.signals.is_empty())
            .then(|| fill(&t.review_n, &[("n", &summary.signals.len())]));
        let unattributed = (summary.unattributed > 0)
            .then(|| fill(&t.unattributed, &[("n", &self.number(summary.unattributed))]));
        below.into_iter().chain(down).chain(dark).chain(signals).chain(unattributed).collect()
    }

    /// All offices' day. `why` says why somebody should look at one.
    pub fn of_offices(&self, offices: &Comparison, why: impl Fn(&Line) -> String) -> Draft {
        let (t, d, o) = (&self.texts.summary, &self.texts.delivery, &self.texts.offices);
        let attention: Vec<&Line> = offices.wanting_attention().collect();
        let date = self.day(offices.date);
        let subject = fill(
            &d.subject_all,
            &[("n", &offices.lines().count()), ("date", &date), ("attention", &attention.len())],
        );
        let mut text = Paragraphs::default();
        text.add([
            o.title.clone(),
            t.period(Period::day(offices.date)),
            offices_table::total(offices, self.texts),
        ]);
        // That of the office whose figures can change most.
        if let Some(state) = offices.lines().map(|line| line.state).min() {
            let state = match state {
                State::Open => &t.table_open,
                State::Provisional => &t.table_provisional,
                State::Complete => &t.table_complete,
                State::Final => &t.table_final,
            };
            text.add([format!("{} {state}", t.table_state)]);
        }
        text.add(offices.groups.iter().map(|group| {
            let rate = self.rate(group.n, Some(group.satisfied), group.rate.zip(group.interval));
            let one = offices.groups.len() == 1;
            let of: &dyn Display = if one { &"" } else { &format!(" ({})", group.form) };
            format!("{}{of}: {rate}", t.rate)
        }));
        text.list(&t.attention, attention.iter().map(|one| format!("{}: {}", one.name, why(one))));
        let above = offices.lines().filter(|line| line.against == Against::Above);
        let above = above.map(|line| format!("{}: {}", line.name, o.above));
        text.list(&t.commended, above);
        let page = format!("/offices/{}", offices.date);
        self.ending(&d.see_all, &page).into_iter().for_each(|part| text.add([part]));
        Draft { subject, text: text.text() }
    }

    /// Kiosks of which nothing is heard although their offices are open.
    pub fn of_silent(&self, kiosks: &[Told], minutes: u64) -> Draft {
        let d = &self.texts.delivery;
        let line = |one: &Told| {
            let never = || self.texts.fleet.never.clone();
            let last = one.last.map_or_else(never, |at| self.moment(at));
            let (counters, office) = (&one.counters, &one.office);
            fill(
                &d.silent_line,
                &[
                    ("kiosk", &one.kiosk),
                    ("counters", counters),
                    ("office", office),
                    ("last", &last),
                ],
            )
        };
        let mut text = Paragraphs::default();
        text.list(&fill(&d.silent_intro, &[("minutes", &minutes)]), kiosks.iter().map(line));
        text.add([d.silent_advice.clone()]);
        self.ending(&d.see_fleet, "/fleet").into_iter().for_each(|part| text.add([part]));
        Draft { subject: fill(&d.subject_silent, &[("n", &kiosks.len())]), text: text.text() }
    }

    /// Kiosks that are heard again.
    pub fn of_heard_again(&self, kiosks: &[Told]) -> Draft {
        let d = &self.texts.delivery;
        let line = |one: &Told| {
            let (since, last) = (self.moment(one.since), one.last.map(|at| self.moment(at)));
            let (counters, office, last) = (&one.counters, &one.office, last.unwrap_or_default());
            fill(
                &d.back_line,
                &[
                    ("kiosk", &one.kiosk),
                    ("counters", counters),
                    ("office", office),
                    ("since", &since),
                    ("last", &last),
                ],
            )
        };
        let mut text = Paragraphs::default();
        text.list(&d.back_intro, kiosks.iter().map(line));
        self.ending(&d.see_fleet, "/fleet").into_iter().for_each(|part| text.add([part]));
        Draft { subject: fill(&d.subject_back, &[("n", &kiosks.len())]), text: text.text() }
    }

    /// That mail arrives.
    pub fn of_test(&self) -> Draft {
        let d = &self.texts.delivery;
        let mut text = Paragraphs::default();
        text.add([d.test_text.clone()]);
        text.add([format!("--\n{}", d.sent_by)]);
        Draft { subject: d.subject_test.clone(), text: text.text() }
    }
}
