//! What decisions erased: whether each body that is gone was, whether what was counted of closed days
//! is what the decision names, and which summaries nobody can make again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use jiff::civil::Date;

use super::Report;
use crate::domain::archive::Tallies;
use crate::domain::decision::{Erased, Gone, What};
use crate::domain::ids::{Epoch, Hash, KioskId, OfficeCode};
use crate::domain::line::Line;
use crate::domain::summary::{USUAL_DAYS, USUAL_GAP};
use crate::domain::time::At;

/// A phone answers within a week of its contact, by clocks that may differ by a little.
const PHONE_DAYS: i64 = 8;

/// What is erased in an archive, as far as it was read.
#[derive(Default)]
pub(super) struct Erasures {
    /// What is left of days whose answers are erased.
    carried: Vec<Tallies>,
    /// Bodies that are gone.
    gone: Vec<Gone>,
    /// The days of the lines that opened contacts.
    opened: BTreeMap<(KioskId, Epoch), BTreeMap<u64, Date>>,
    /// Summaries that are not what follows from what is here.
    others: Vec<Other>,
}

struct Other {
    office: OfficeCode,
    day: Date,
    /// How many decisions had been taken before the root that names it.
    decided: usize,
}

/// Days of summaries, of one office or of any, that were made with what a decision erased later.
struct Window<'a> {
    decision: usize,
    office: Option<&'a OfficeCode>,
    first: Date,
    last: Date,
}

impl Erasures {
    pub(super) fn of(carried: Vec<Tallies>) -> Self {
        Self { carried, ..Self::default() }
    }

    /// A line that opened a contact.
    pub(super) fn opened(&mut self, kiosk: &KioskId, epoch: Epoch, line: &Line, received: At) {
        let day = Gone::day_of(line, received);
        let days = self.opened.entry((kiosk.clone(), epoch)).or_default();
        days.entry(line.seq).and_modify(|known| *known = day.min(*known)).or_insert(day);
    }

    pub(super) fn body(&mut self, gone: Gone) {
        self.gone.push(gone);
    }

    /// A summary that does not follow, named by a root that came after so many decisions.
    pub(super) fn summary(&mut self, office: OfficeCode, day: Date, decided: usize) {
        self.others.push(Other { office, day, decided });
    }

    /// Tells what is wrong and what is left open, by all decisions of the archive and by later ones
    /// that erased something of it.
    pub(super) fn tell<'a>(
        &mut self,
        (decisions, later): (&[What], &[What]),
        office_of: impl Fn(&KioskId) -> Option<&'a OfficeCode>,
        from: Option<Date>,
        report: &mut Report,
    ) {
        for gone in &mut self.gone {
            let opened = self.opened.get(&(gone.kiosk.clone(), gone.epoch));
            if let Some(day) = opened.and_then(|days| days.get(&gone.contact)) {
                gone.day = gone.day.min(*day);
            }
        }
        let erased: Erased = decisions.iter().chain(later).collect();
        let mut before = 0;
        for gone in self.gone.iter().filter(|gone| !erased.has(gone)) {
            let opened = self.opened.get(&(gone.kiosk.clone(), gone.epoch));
            let opened = opened.and_then(|days| days.get(&gone.contact));
            if from.is_some_and(|from| opened.is_none_or(|day| *day < from)) {
                // By a decision that may stand before this part, as its contact does.
                before += 1;
                continue;
            }
            let Gone { kiosk, seq, .. } = gone;
            let what = format!("{kiosk}: a body of line {seq} is gone, and nobody decided it");
            report.problems.push(what);
        }
        if before > 0 {
            let what = "bodies are gone of contacts that were opened before this part";
            report.notes.push(format!("{what}: {before}; who decided it was not checked"));
        }
        for what in decisions {
            if let What::AnswersErased { since, before, tallies } = what
                && self.carried_digest(*since, *before) != *tallies
            {
                report.problems.push(format!(
                    "what was counted before {before} is not what was kept when its answers were \
                     erased"
                ));
            }
        }
        let all: Vec<&What> = decisions.iter().chain(later).collect();
        let windows = self.windows(&all, office_of);
        let mut open = 0;
        for Other { office, day, decided } in &self.others {
            let made_with = |window: &Window| {
                window.decision >= *decided
                    && window.office.is_none_or(|of| of == office)
                    && (window.first..=window.last).contains(day)
            };
            if windows.iter().any(made_with) {
                open += 1;
            } else {
                let what = "is not what follows from the lines";
                report.problems.push(format!("{day}: the summary of {office} {what}"));
            }
        }
        let n = later.iter().filter(|what| what.erases()).count();
        if n > 0 {
            let note =
                format!("decisions that came after the end of this archive and erased of it: {n}");
            report.notes.push(note);
        }
        if open > 0 {
            report.notes.push(format!(
                "answers were erased by decisions: {open} summaries that were made before cannot \
                 be made again and were not checked"
            ));
        }
    }

    fn carried_digest(&self, since: Option<Date>, before: Date) -> Hash {
        let meant = |day: Date| since.is_none_or(|since| since <= day) && day < before;
        let days = self.carried.iter().filter(|carried| meant(carried.day));
        let mut rows: Vec<String> = days.flat_map(Tallies::dump).collect();
        rows.sort();
        Hash::of_lines(&rows)
    }

    /// The days of which summaries were made with what decisions erased: that of each answer, and
    /// those to which it was usual.
    fn windows<'a>(
        &self,
        decisions: &[&What],
        office_of: impl Fn(&KioskId) -> Option<&'a OfficeCode>,
    ) -> Vec<Window<'a>> {
        let usual = |day: Date| day.saturating_add(i64::from(USUAL_GAP + USUAL_DAYS - 1).days());
        let mut gone: BTreeMap<(&KioskId, Epoch, u64), BTreeSet<Date>> = BTreeMap::new();
        for body in &self.gone {
            gone.entry((&body.kiosk, body.epoch, body.contact)).or_default().insert(body.day);
        }
        let mut windows = Vec::new();
        for (decision, what) in decisions.iter().enumerate() {
            let mut window = |office, first, last| {
                windows.push(Window { decision, office, first, last: usual(last) });
            };
            match what {
                What::AnswersErased { before, .. } => {
                    window(None, Date::MIN, before.yesterday().unwrap_or(Date::MIN));
                }
                What::Erased { kiosk, epoch, contact, words_only: false } => {
                    let office = office_of(kiosk);
                    let days = gone.get(&(kiosk, *epoch, *contact));
                    for day in days.into_iter().flatten() {
                        let first = match office {
                            Some(_) => *day,
                            None => day.saturating_sub(PHONE_DAYS.days()),
                        };
                        window(office, first, *day);
                    }
                    // A person may have decided on which day it was.
                    for one in decisions {
                        if let What::Dated { kiosk: of, epoch: within, first, last, day } = one
                            && (of, within) == (kiosk, epoch)
                            && (*first..=*last).contains(contact)
                        {
                            window(office, *day, *day);
                        }
                    }
                }
                _ => {}
            }
        }
        windows
    }
}
