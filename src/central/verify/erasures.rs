//! What decisions erased: whether each body that is gone was, whether what was counted of closed days
//! is what the decision names, and which summaries nobody can make again.

use jiff::ToSpan;
use jiff::civil::Date;

use super::Report;
use crate::domain::archive::Tallies;
use crate::domain::decision::{Gone, What};
use crate::domain::ids::{Hash, KioskId, OfficeCode};
use crate::domain::summary::USUAL_DAYS;

/// A phone answers within a week of its contact, by clocks that may differ by a little.
const PHONE_DAYS: i64 = 8;

/// What is erased in an archive, as far as it was read.
#[derive(Default)]
pub(super) struct Erasures {
    /// What is left of days whose answers are erased.
    carried: Vec<Tallies>,
    /// Bodies that are gone.
    gone: Vec<Gone>,
    /// Summaries that are not what follows from what is here.
    others: Vec<Other>,
}

struct Other {
    office: OfficeCode,
    day: Date,
    /// How many decisions had been taken before the root that names it.
    decided: usize,
}

impl Erasures {
    pub(super) fn of(carried: Vec<Tallies>) -> Self {
        Self { carried, ..Self::default() }
    }

    pub(super) fn body(&mut self, gone: Gone) {
        self.gone.push(gone);
    }

    /// A summary that does not follow, named by a root that came after so many decisions.
    pub(super) fn summary(&mut self, office: OfficeCode, day: Date, decided: usize) {
        self.others.push(Other { office, day, decided });
    }

    /// Tells what is wrong and what is left open, by all decisions of the archive.
    pub(super) fn tell<'a>(
        &self,
        decisions: &[What],
        office_of: impl Fn(&KioskId) -> Option<&'a OfficeCode>,
        report: &mut Report,
    ) {
        for gone in &self.gone {
            if !decisions.iter().any(|what| what.erased(gone)) {
                let Gone { kiosk, seq, .. } = gone;
                let what = format!("{kiosk}: a body of line {seq} is gone, and nobody decided it");
                report.problems.push(what);
            }
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
        let mut open = 0;
        for Other { office, day, decided } in &self.others {
            let later = decisions.iter().skip(*decided);
            let mut windows =
                later.flat_map(|what| self.windows(what, office, decisions, &office_of));
            if windows.any(|(first, last)| (first..=last).contains(day)) {
                open += 1;
            } else {
                let what = "is not what follows from the lines";
                report.problems.push(format!("{day}: the summary of {office} {what}"));
            }
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

    /// Days of which an office's summary was made with what a decision erased: that of the answer,
    /// and those to which it was usual.
    fn windows<'a>(
        &self,
        what: &What,
        office: &OfficeCode,
        decisions: &[What],
        office_of: &impl Fn(&KioskId) -> Option<&'a OfficeCode>,
    ) -> Vec<(Date, Date)> {
        let from =
            |first: Date, last: Date| (first, last.saturating_add(i64::from(USUAL_DAYS).days()));
        if let What::AnswersErased { before, .. } = what {
            return vec![from(Date::MIN, before.yesterday().unwrap_or(Date::MIN))];
        }
        let mut windows = Vec::new();
        for gone in self.gone.iter().filter(|gone| what.erased(gone)) {
            match office_of(&gone.kiosk) {
                Some(of) if of != office => {}
                Some(_) => windows.push(from(gone.day, gone.day)),
                None => windows.push(from(gone.day.saturating_sub(PHONE_DAYS.days()), gone.day)),
            }
            // A person may have decided on which day it was.
            windows.extend(decisions.iter().filter_map(|one| match one {
                What::Dated { kiosk, epoch, first, last, day }
                    if (kiosk, *epoch) == (&gone.kiosk, gone.epoch)
                        && (*first..=*last).contains(&gone.contact) =>
                {
                    Some(from(*day, *day))
                }
                _ => None,
            }));
        }
        windows
    }
}
