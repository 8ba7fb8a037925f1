//! Offices beside each other in words: what to look at of each of them, and all of them as a table of text.

use std::fmt::Write;

use jiff::civil::Date;

use super::pages::{number, percent, percent_range};
use super::table::pad;
use crate::domain::comparison::{Against, Comparison, Group, Line};
use crate::domain::form::{Forms, in_language};
use crate::domain::statistics::Interval;
use crate::domain::summary::Rise;
use crate::texts::{Texts, fill};

/// Why somebody should look at an office.
pub(super) fn why(forms: &Forms, line: &Line, texts: &Texts) -> String {
    let t = &texts.offices;
    let counted = |text: &str, n: usize| (n > 0).then(|| fill(text, &[("n", &n)]));
    let reasons = [
        (line.against == Against::Below).then(|| t.below.clone()),
        counted(&t.silent, line.dark_kiosks),
        counted(&t.down, line.down),
        counted(&t.signals, line.signals),
    ];
    reasons
        .into_iter()
        .flatten()
        .chain(rises(forms, &line.rises, texts))
        .collect::<Vec<_>>()
        .join("; ")
}

/// “Phải chờ lâu: 12 trong 60 lượt, thường lệ 3,0%”, for each.
pub(super) fn rises(forms: &Forms, rises: &[Rise], texts: &Texts) -> Vec<String> {
    let t = &texts.summary;
    let text = |rise: &Rise| {
        let reason = forms.reason_text(&rise.code, &texts.language);
        let reason = reason.unwrap_or_else(|| rise.code.clone());
        let (n, of) =
            (number(rise.n as i64, &t.thousands_mark), number(rise.of as i64, &t.thousands_mark));
        let usual = percent(rise.usual, &t.decimal_mark);
        fill(&texts.offices.rise, &[("reason", &reason), ("n", &n), ("of", &of), ("usual", &usual)])
    };
    rises.iter().map(text).collect()
}

/// The table: how many offices, what to look at, and a line for each, like beside like; `last` is the last of their days
/// that has begun.
pub fn of(offices: &Comparison, last: Date, forms: &Forms, texts: &Texts) -> String {
    let mut out = String::new();
    write(&mut out, offices, last, forms, texts).map_or_else(|_| String::new(), |()| out)
}

fn write(
    out: &mut String,
    offices: &Comparison,
    last: Date,
    forms: &Forms,
    texts: &Texts,
) -> std::fmt::Result {
    let t = &texts.summary;
    writeln!(out, "{} · {}", texts.offices.title, t.period(offices.period()))?;
    writeln!(out, "{}", total(offices, texts))?;
    let attention: Vec<&Line> = offices.wanting_attention().collect();
    if !attention.is_empty() {
        writeln!(out, "\n{}", t.attention)?;
        for line in attention {
            writeln!(out, "  {}: {}", line.name, why(forms, line, texts))?;
        }
    }
    for group in &offices.groups {
        let form = forms.in_force(&group.form, last);
        if let Some(form) = form {
            let question = in_language(&form.question, &texts.language).replace('\n', " ");
            writeln!(out, "\n{question}")?;
        }
        write_group(out, group, texts)?;
    }
    Ok(())
}

/// “104 đơn vị, 102 đơn vị có lượt đánh giá”.
pub(super) fn total(offices: &Comparison, texts: &Texts) -> String {
    let (n, rated) = (offices.lines().count(), offices.lines().filter(|line| line.n > 0).count());
    fill(&texts.offices.total, &[("n", &n), ("rated", &rated)])
}

fn write_group(out: &mut String, group: &Group, texts: &Texts) -> std::fmt::Result {
    let t = &texts.summary;
    let counted = |n: u64| number(n as i64, &t.thousands_mark);
    let percent = |rate: f64| percent(rate, &t.decimal_mark);
    let rated = |rate: f64, interval: &Interval| {
        format!("{} ({})", percent(rate), percent_range(interval, &t.decimal_mark))
    };
    writeln!(out, "{} {:>7}  {}", pad(&t.office, 58), t.count, t.rate)?;
    for line in &group.offices {
        let mut told = match (line.rate, &line.interval, line.satisfied) {
            (Some(rate), Some(interval), _) => rated(rate, interval),
            (None, _, Some(satisfied)) if line.n > 0 => {
                let few = [("satisfied", &satisfied as _), ("n", &line.n as _)];
                format!("{} · {}", fill(&t.satisfied_of, &few), t.too_few)
            }
            (None, _, Some(_)) => "–".to_owned(),
            _ => t.too_few.clone(),
        };
        if line.withheld > 0 {
            write!(told, " · {}: {}", t.withheld_n, counted(line.withheld))?;
        }
        if let Some(usual) = line.usual.rate {
            let days = fill(&t.usual, &[("days", &line.usual.days)]);
            write!(told, " · {days} {}", percent(usual))?;
        }
        writeln!(out, "  {} {:>7}  {told}", pad(&line.name, 56), counted(line.n))?;
    }
    if let (Some(rate), Some(interval)) = (group.rate, &group.interval)
        && group.offices.len() > 1
    {
        let together = pad(&texts.offices.together, 58);
        writeln!(out, "{together} {:>7}  {}", counted(group.n), rated(rate, interval))?;
        if group.withheld > 0 {
            let n = counted(group.withheld);
            writeln!(out, "  {}", fill(&texts.offices.withheld, &[("n", &n)]))?;
        }
    }
    Ok(())
}
