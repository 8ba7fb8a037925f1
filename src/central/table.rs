//! The daily summary as a table of text, in any of the languages.

use std::fmt::Write;

use super::pages::{number, percent, percent_range};
use crate::domain::form::{Forms, in_language};
use crate::domain::office::Directory;
use crate::domain::statistics::Interval;
use crate::domain::summary::{Row, State, Summary};
use crate::domain::time::At;
use crate::texts::{SummaryTexts, Texts, fill};

/// The table.
pub fn of(summary: &Summary, directory: &Directory, forms: &Forms, texts: &Texts) -> String {
    let table = Table { directory, forms, texts, t: &texts.summary };
    let mut out = String::new();
    table.write(&mut out, summary).map_or_else(|_| String::new(), |()| out)
}

struct Table<'a> {
    directory: &'a Directory,
    forms: &'a Forms,
    texts: &'a Texts,
    t: &'a SummaryTexts,
}

impl Table<'_> {
    fn number(&self, n: u64) -> String {
        number(n as i64, &self.t.thousands_mark)
    }

    fn percent(&self, fraction: f64) -> String {
        percent(fraction, &self.t.decimal_mark)
    }

    fn range(&self, interval: &Interval) -> String {
        percent_range(interval, &self.t.decimal_mark)
    }

    fn state(&self, summary: &Summary) -> &str {
        if summary.to.is_some() {
            return self.t.period_state(summary.state);
        }
        match summary.state {
            State::Open => &self.t.table_open,
            State::Provisional => &self.t.table_provisional,
            State::Complete => &self.t.table_complete,
            State::Final => &self.t.table_final,
        }
    }

    fn write(&self, out: &mut String, summary: &Summary) -> std::fmt::Result {
        let t = self.t;
        writeln!(out, "{} · {}", self.directory.office.name, t.period(summary.period()))?;
        if let Some(name) = &summary.day_off {
            writeln!(out, "{}", fill(&t.day_off, &[("name", name)]))?;
        }
        writeln!(out, "{} {}", t.table_state, self.state(summary))?;
        writeln!(out)?;
        self.write_rates(out, summary)?;
        let form = self.forms.in_force(&self.directory.office.form, summary.last_day());
        let levels = self.forms.levels_told(form, summary.answered());
        let label = |code: &str| {
            levels.iter().find(|level| level.code == code).map_or_else(
                || code.to_owned(),
                |level| in_language(&level.label, &self.texts.language).replace('\n', " "),
            )
        };
        if let Some(levels) = &summary.levels {
            writeln!(out)?;
            for (code, n) in &levels.0 {
                writeln!(out, "  {} {:>6}", pad(&label(code), 20), self.number(*n))?;
            }
        }
        let counter = |row: &Row| {
            let known = self.directory.counters.iter().find(|one| one.id.as_str() == row.id);
            known.map_or_else(|| row.name.clone(), |one| self.texts.counter_and_name(one))
        };
        self.write_rows(out, &t.counter, &summary.by_counter, counter)?;
        self.write_rows(out, &t.official, &summary.by_official, |row| row.name.clone())?;
        if !summary.reasons.is_empty() {
            writeln!(out, "\n{}", t.reasons)?;
            for reason in &summary.reasons {
                let text = self.forms.reason_text(&reason.code, &self.texts.language);
                let text = text.unwrap_or_else(|| reason.code.clone());
                writeln!(out, "  {} {:>6}", pad(&text, 34), self.number(reason.n))?;
            }
        }
        self.write_rest(out, summary)
    }

    fn write_rates(&self, out: &mut String, summary: &Summary) -> std::fmt::Result {
        let t = self.t;
        let n = self.number(summary.n);
        let usual = fill(&t.table_usual, &[("days", &summary.usual.days)]);
        let heads = [&t.rate, &t.response, &usual];
        let width = heads.iter().map(|head| head.chars().count()).max().unwrap_or_default() + 2;
        write!(out, "{}", pad(&t.rate, width))?;
        match (summary.rate, &summary.interval, summary.satisfied) {
            (Some(rate), Some(interval), Some(satisfied)) => {
                let satisfied = self.number(satisfied);
                let of = fill(&t.of_ratings, &[("satisfied", &satisfied), ("n", &n)]);
                let (rate, range) = (self.percent(rate), self.range(interval));
                writeln!(out, "{rate}   {of} · {} {range}", t.interval)?;
            }
            _ => writeln!(out, "{}", fill(&t.table_none, &[("n", &n)]))?,
        }
        if summary.withheld > 0 {
            writeln!(out, "{}", fill(&t.withheld_help, &[("n", &self.number(summary.withheld))]))?;
        }
        if let Some(rate) = summary.usual.rate {
            let (rate, n) = (self.percent(rate), self.number(summary.usual.n));
            writeln!(out, "{}{rate} (n {n})", pad(&usual, width))?;
        }
        write!(out, "{}", pad(&t.response, width))?;
        match (summary.response_rate, summary.contacts.served) {
            (Some(rate), Some(served)) => {
                let served = self.number(served);
                let of = fill(&t.of_served, &[("n", &n), ("served", &served)]);
                writeln!(out, "{}   {of}", self.percent(rate))
            }
            _ => writeln!(out, "{}", t.served_unknown),
        }
    }

    fn write_rows(
        &self,
        out: &mut String,
        title: &str,
        rows: &[Row],
        name: impl Fn(&Row) -> String,
    ) -> std::fmt::Result {
        let t = self.t;
        writeln!(out, "\n{} {:>6}  {}", pad(title, 38), t.count, t.rate)?;
        for row in rows {
            let rate = match (row.rate, &row.interval, row.satisfied) {
                (Some(rate), Some(interval), _) => {
                    format!("{} ({})", self.percent(rate), self.range(interval))
                }
                (None, _, Some(satisfied)) if row.n > 0 => {
                    let few = [("satisfied", &satisfied as _), ("n", &row.n as _)];
                    format!("{} · {}", fill(&t.satisfied_of, &few), t.too_few)
                }
                (None, _, Some(_)) => "–".to_owned(),
                _ => t.too_few.clone(),
            };
            let withheld = match row.withheld {
                0 => String::new(),
                n => format!(" · {}: {}", t.withheld_n, self.number(n)),
            };
            writeln!(out, "  {} {:>6}  {rate}{withheld}", pad(&name(row), 36), self.number(row.n))?;
        }
        Ok(())
    }

    fn write_rest(&self, out: &mut String, summary: &Summary) -> std::fmt::Result {
        let t = self.t;
        let c = &summary.contacts;
        let contacts = fill(
            &t.table_contacts,
            &[
                ("opened", &c.opened),
                ("rated", &c.rated),
                ("later", &c.later),
                ("timed_out", &c.timed_out),
                ("interrupted", &c.interrupted),
            ],
        );
        writeln!(out, "\n{contacts}")?;
        let b = &summary.phone_beside;
        let beside = b.higher + b.lower + b.same;
        writeln!(
            out,
            "{}, {} · {}",
            fill(&t.phone, &[("n", &(summary.by_channel.phone + beside))]),
            fill(
                &t.phone_beside,
                &[("n", &beside), ("higher", &b.higher), ("lower", &b.lower), ("same", &b.same),],
            ),
            fill(&t.table_waiting, &[("n", &summary.phone_waiting)]),
        )?;
        if summary.unattributed > 0 {
            writeln!(out, "{}", fill(&t.table_unattributed, &[("n", &summary.unattributed)]))?;
        }
        for down in &summary.down {
            let time = |at: At| {
                let civil = at.civil();
                format!("{:02}:{:02}", civil.hour(), civil.minute())
            };
            let (from, to) = (time(down.from), time(down.to));
            let text = fill(&t.down, &[("from", &from), ("to", &to)]);
            writeln!(out, "{} {text}", down.kiosk)?;
        }
        for available in &summary.available {
            let duration = |minutes| t.duration(minutes);
            let (running, open) = (duration(available.minutes), duration(available.open_minutes));
            let values: [(&str, &dyn std::fmt::Display); 3] =
                [("kiosk", &available.kiosk), ("running", &running), ("open", &open)];
            writeln!(out, "{}", fill(&t.table_available, &values))?;
        }
        for silent in &summary.silent_kiosks {
            writeln!(out, "{}: {}", silent.id, t.table_silent)?;
        }
        if !summary.signals.is_empty() {
            writeln!(out, "\n{}: {}", t.review, t.review_note)?;
        }
        for (id, text) in t.signals(&summary.signals) {
            let counter = self.directory.counter(&id);
            let counter = counter.map(|one| self.texts.counter_of(one.number));
            writeln!(out, "  {}: {text}", counter.unwrap_or_else(|| id.to_string()))?;
        }
        let formula = fill(&t.formula_number, &[("n", &summary.formula)]);
        writeln!(out, "{} {} · {formula}", t.digest, summary.digest)
    }
}

/// Pads to a width in characters: Vietnamese letters in NFC take one column each.
pub(super) fn pad(text: &str, width: usize) -> String {
    let length = text.chars().count();
    format!("{text}{}", " ".repeat(width.saturating_sub(length)))
}
