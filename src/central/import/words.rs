//! What would change and what is wrong, in words of a language: for the page and for the command's table.

use jiff::civil::{Date, Time};
use serde::Serialize;

use super::plan::{Change, Effect, Place, Plan, What, Wrong};
use super::rows::{Expected, Kind};
use super::sheets::{MOST_ROWS, Unreadable};
use crate::texts::{DirectoryTexts, Texts, fill};

/// One line of what would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangeWords {
    /// The sheet, and its row if it is said there.
    pub place: String,
    /// The office's code.
    pub office: String,
    /// What it is about: “Cán bộ cb07 · Nguyễn Thị Thanh Lan”.
    pub about: String,
    /// What becomes of it.
    pub becomes: String,
    /// `new`, `same`, `altered`, `gone` or `over`, for programs.
    pub effect: &'static str,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProblemWords {
    /// The sheet, and the row if it is of one.
    pub place: String,
    /// What is wrong, and what to do.
    pub wrong: String,
}

/// All of a plan, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanWords {
    /// Line by line; lines that change nothing are only counted.
    pub changes: Vec<ChangeWords>,
    /// How many lines change nothing.
    pub same: usize,
    /// What is wrong; then nothing is done.
    pub problems: Vec<ProblemWords>,
    /// Sheets that are no list of ours.
    pub passed_over: Vec<String>,
    /// Whether it was done.
    pub applied: bool,
    /// The first day on which it holds, if that is a day to come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
}

/// Puts a plan into words.
pub fn of(plan: &Plan, texts: &Texts) -> PlanWords {
    let t = &texts.directory;
    let is_quiet = |change: &&Change| matches!(change.effect, Effect::Same | Effect::Over);
    PlanWords {
        changes: plan
            .changes
            .iter()
            .filter(|change| !is_quiet(change))
            .map(|change| of_change(change, t))
            .collect(),
        same: plan.changes.iter().filter(is_quiet).count(),
        problems: plan
            .problems
            .iter()
            .map(|problem| ProblemWords {
                place: place(&problem.place, t),
                wrong: wrong(&problem.wrong, t),
            })
            .collect(),
        passed_over: plan.passed_over.clone(),
        applied: false,
        from: None,
    }
}

impl PlanWords {
    /// The same, held from a day on.
    pub fn from(self, from: Date, today: Date) -> Self {
        Self { from: Some(from).filter(|from| *from > today), ..self }
    }

    /// As a table for a terminal.
    pub fn table(&self, texts: &Texts) -> String {
        let t = &texts.directory;
        let mut out = String::new();
        let mut line = |text: &str| {
            out += text.trim_end();
            out.push('\n');
        };
        for sheet in &self.passed_over {
            line(&fill(&t.passed_over, &[("sheets", sheet)]));
        }
        for change in &self.changes {
            line(&format!(
                "{}  {}  {}: {}",
                change.place, change.office, change.about, change.becomes
            ));
        }
        for problem in &self.problems {
            line(&format!("! {}  {}", problem.place, problem.wrong));
        }
        line(&self.outcome(texts));
        out
    }

    /// What comes of it, in a sentence.
    pub fn outcome(&self, texts: &Texts) -> String {
        let t = &texts.directory;
        let n = self.changes.len();
        let text = match (self.problems.len(), n, self.applied) {
            (0, 0, _) => &t.outcome_nothing,
            (0, _, true) => &t.outcome_done,
            (0, _, false) => &t.outcome_would,
            (..) => &t.outcome_wrong,
        };
        let text = fill(text, &[("n", &n), ("same", &self.same), ("wrong", &self.problems.len())]);
        match self.from {
            Some(from) if n > 0 && self.problems.is_empty() => {
                let from = from.strftime("%d/%m/%Y");
                format!("{text} {}", fill(&t.holds_from, &[("date", &from)]))
            }
            _ => text,
        }
    }
}

fn place(place: &Place, t: &DirectoryTexts) -> String {
    // What follows from a row that is not there stands under the list's own name.
    let sheet = Kind::of_word(&place.sheet).map_or(place.sheet.as_str(), |kind| t.kind(kind));
    match place.row {
        Some(row) => fill(&t.place, &[("sheet", &sheet), ("row", &row)]),
        None => sheet.to_owned(),
    }
}

fn of_change(change: &Change, t: &DirectoryTexts) -> ChangeWords {
    let about = match (&change.what, change.kind) {
        (What::Named(name), kind) => {
            let of = match kind {
                Kind::Counters => &t.counter,
                Kind::Officials => &t.official,
                _ => &t.office,
            };
            format!("{of} {} · {name}", change.code)
        }
        (What::Shift(days, counter, official, from, to), _) => {
            format!("{counter} · {official} · {}", span(days, *from, *to, t))
        }
        (What::Hours(days, from, to), _) => span(days, *from, *to, t),
        (What::Day(day), _) => {
            let hours = day.hours.map(|(from, to)| format!(" {}–{}", clock(from), clock(to)));
            let date = day.date.strftime("%d/%m/%Y");
            format!("{date}{} · {}", hours.unwrap_or_default(), day.name)
        }
    };
    let (effect, becomes) = match &change.effect {
        Effect::New => ("new", t.becomes_new.clone()),
        Effect::Same => ("same", t.becomes_same.clone()),
        Effect::Gone => ("gone", t.becomes_gone.clone()),
        Effect::Over => ("over", t.becomes_same.clone()),
        Effect::Altered(columns) => {
            let each = columns.iter().map(|(column, from, to)| {
                let shown = |text: &str| {
                    if text.is_empty() { "–".to_owned() } else { format!("“{text}”") }
                };
                format!("{}: {} › {}", t.column(change.kind, column), shown(from), shown(to))
            });
            ("altered", each.collect::<Vec<_>>().join("; "))
        }
    };
    let (place, office) = (place(&change.place, t), change.office.to_string());
    ChangeWords { place, office, about, becomes, effect }
}

fn span(days: &[i8], from: Time, to: Time, t: &DirectoryTexts) -> String {
    format!("{} {}–{}", weekdays(days, t), clock(from), clock(to))
}

/// As [`super::rows`] reads it: `07:30`.
pub fn clock(time: Time) -> String {
    time.strftime("%H:%M").to_string()
}

/// Weekdays as people write them, and as [`super::rows`] reads them: `T2-T6`, `Mon-Fri, Sun`.
pub fn weekdays(days: &[i8], t: &DirectoryTexts) -> String {
    let mut sorted = days.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut runs: Vec<(i8, i8)> = Vec::new();
    for day in sorted {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == day => *last = day,
            _ => runs.push((day, day)),
        }
    }
    let run = |(from, to): (i8, i8)| {
        if from == to {
            t.weekday(from).to_owned()
        } else {
            format!("{}-{}", t.weekday(from), t.weekday(to))
        }
    };
    runs.into_iter().map(run).collect::<Vec<_>>().join(", ")
}

fn wrong(wrong: &Wrong, t: &DirectoryTexts) -> String {
    // Which list a column is of makes no difference to what it is called here but for names and codes.
    let column = |word: &str| t.any_column(word);
    match wrong {
        Wrong::Unreadable(why) => {
            let why = match why {
                Unreadable::Workbook => t.unreadable_workbook.clone(),
                Unreadable::OldWorkbook => t.unreadable_old.clone(),
                Unreadable::NotText => t.unreadable_text.clone(),
                Unreadable::Csv(why) => fill(&t.unreadable_csv, &[("why", why)]),
                Unreadable::TooLarge => fill(&t.unreadable_large, &[("n", &MOST_ROWS)]),
            };
            fill(&t.wrong_unreadable, &[("why", &why)])
        }
        Wrong::Nothing => t.wrong_nothing.clone(),
        Wrong::Lacking(columns) => {
            let columns: Vec<&str> = columns.iter().map(|word| column(word)).collect();
            fill(&t.wrong_lacking, &[("columns", &columns.join(", "))])
        }
        Wrong::Shape(word, found, expected) => {
            let expected = match expected {
                Expected::Code => &t.expect_code,
                Expected::Number => &t.expect_number,
                Expected::Date => &t.expect_date,
                Expected::Time => &t.expect_time,
                Expected::Weekdays => &t.expect_weekdays,
            };
            let (column, found) = (column(word), found.as_str());
            fill(&t.wrong_shape, &[("column", &column), ("found", &found), ("expected", expected)])
        }
        Wrong::Needed(word) => fill(&t.wrong_needed, &[("column", &column(word))]),
        Wrong::TooLong(word) => fill(&t.wrong_long, &[("column", &column(word))]),
        Wrong::Twice(row) => fill(&t.wrong_twice, &[("row", row)]),
        Wrong::NoOffice(code) => fill(&t.wrong_office, &[("code", code)]),
        Wrong::OfProvince => t.wrong_of_province.clone(),
        Wrong::InFiles(code) => fill(&t.wrong_in_files, &[("code", code)]),
        Wrong::FormToCome(code, from) => {
            let from = from.strftime("%d/%m/%Y").to_string();
            fill(&t.wrong_form_to_come, &[("code", code), ("from", &from)])
        }
        Wrong::NoForm(code, known) => {
            fill(&t.wrong_form, &[("code", code), ("known", &known.join(", "))])
        }
        Wrong::NoCounter(code) => fill(&t.wrong_counter, &[("code", code)]),
        Wrong::NoOfficial(code) => fill(&t.wrong_official, &[("code", code)]),
        Wrong::TooMany => t.wrong_too_many.clone(),
        Wrong::Order => t.wrong_order.clone(),
        Wrong::Clash => t.wrong_clash.clone(),
        Wrong::Outside(from, to) => {
            fill(&t.wrong_outside, &[("from", &clock(*from)), ("to", &clock(*to))])
        }
    }
}

impl DirectoryTexts {
    /// What a list is called, and its sheet.
    pub fn kind(&self, kind: Kind) -> &str {
        match kind {
            Kind::Offices => &self.offices,
            Kind::Counters => &self.counters,
            Kind::Officials => &self.officials,
            Kind::Roster => &self.roster,
            Kind::Hours => &self.hours,
            Kind::Calendar => &self.calendar,
        }
    }

    /// What a column of a list is called.
    pub fn column(&self, kind: Kind, word: &str) -> &str {
        match (kind, word) {
            (Kind::Offices, "name") => &self.col_office_name,
            (Kind::Counters, "name") => &self.col_serves,
            (Kind::Officials, "id") => &self.col_official,
            (Kind::Officials, "name") => &self.col_person,
            (Kind::Calendar, "name") => &self.col_day,
            _ => self.any_column(word),
        }
    }

    /// What a column is called in whatever list.
    fn any_column(&self, word: &str) -> &str {
        match word {
            "office" => &self.col_office,
            "name" => &self.col_name,
            "form" => &self.col_form,
            "opens" => &self.col_opens,
            "closes" => &self.col_closes,
            "until" => &self.col_until,
            "into" => &self.col_into,
            "decision" => &self.col_decision,
            "id" | "counter" => &self.col_counter,
            "number" => &self.col_number,
            "branch" => &self.col_branch,
            "official" => &self.col_official,
            "title" => &self.col_title,
            "weekdays" => &self.col_weekdays,
            "from" => &self.col_from,
            "to" => &self.col_to,
            _ => &self.col_date,
        }
    }

    fn weekday(&self, day: i8) -> &str {
        match day {
            1 => &self.monday,
            2 => &self.tuesday,
            3 => &self.wednesday,
            4 => &self.thursday,
            5 => &self.friday,
            6 => &self.saturday,
            _ => &self.sunday,
        }
    }
}
