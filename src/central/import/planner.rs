//! Holds lists against the offices as they are, row by row: all of them or nothing.
//!
//! Offices, counters and officials are told apart by their codes: a row adds one or changes what its cells say; an
//! empty cell changes nothing, and nobody is left out by not being named: whoever goes has a last day. Roster, hours
//! and calendar of an office are lists that take the place of the ones before; of the calendar what is over stays.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::{Date, Time, time};

use super::plan::{Change, Effect, Place, Plan, Problem, Setting, What, Wrong};
use super::rows::{self, Expected, Kind, List, OFFICE, Row};
use crate::central::offices;
use crate::domain::access::Unit;
use crate::domain::calendar::{Calendar, Hours, OwnDay};
use crate::domain::ids::{CounterId, OfficeCode, OfficialId};
use crate::domain::office::{Counter, Directory, Ended, FormerName, Office, Official, Shift};

/// More than this of a kind is no office's, and no page's: counters, officials, hours, days off; shifts, which are
/// one for each weekday.
const MOST: usize = 500;
const MOST_SHIFTS: usize = 5 * MOST;
/// Longest name, in letters.
const LONGEST_NAME: usize = 120;
/// When an office opens and closes of which that is not said.
const USUALLY: (Time, Time) = (time(7, 30, 0, 0), time(17, 0, 0, 0));

/// An office while rows are applied to it.
struct Draft {
    directory: Directory,
    before: Option<Directory>,
    /// Lists that rows take the place of.
    replaced: Vec<Kind>,
}

/// Holds lists against what is there; each with the name of its sheet.
pub fn plan(lists: &[(String, List<'_>)], setting: &Setting<'_>) -> Plan {
    let mut planner =
        Planner { setting, plan: Plan::default(), drafts: BTreeMap::new(), seen: BTreeMap::new() };
    if let (Some(kind), Some(office)) = (setting.emptied, setting.one)
        && let Err(wrong) = planner.replaced(kind, office).map(drop)
    {
        let place = Place { sheet: kind.word().to_owned(), row: None };
        planner.plan.problems.push(Problem { place, wrong });
    }
    for kind in Kind::ALL {
        for (sheet, list) in lists.iter().filter(|(_, list)| list.kind == kind) {
            for row in list.rows() {
                planner.row(kind, sheet, row);
            }
        }
    }
    planner.end()
}

struct Planner<'a> {
    setting: &'a Setting<'a>,
    plan: Plan,
    drafts: BTreeMap<OfficeCode, Draft>,
    /// What rows named already.
    seen: BTreeMap<(Kind, OfficeCode, String), u32>,
}

/// What is read of a row: nothing when something is wrong with it, which is told by then.
type Read<T> = Result<T, Wrong>;

fn code<T: std::str::FromStr>(row: Row<'_>, column: &'static str) -> Read<T> {
    let text = row.text(column).ok_or(Wrong::Needed(column))?;
    let shape = |_| Wrong::Shape(column, text.to_owned(), Expected::Code);
    text.to_lowercase().parse().map_err(shape)
}

fn cell<T>(
    row: Row<'_>,
    column: &'static str,
    expected: Expected,
    read: impl Fn(&str) -> Option<T>,
) -> Read<Option<T>> {
    let shape = |text: &str| Wrong::Shape(column, text.to_owned(), expected);
    row.text(column).map(|text| read(text).ok_or_else(|| shape(text))).transpose()
}

fn date(row: Row<'_>, column: &'static str) -> Read<Option<Date>> {
    cell(row, column, Expected::Date, rows::date)
}

/// A cell that takes away what was there: an empty one changes nothing.
const NONE: &str = "-";

/// A last day, or none any more.
fn until(row: Row<'_>) -> Read<Option<Option<Date>>> {
    match row.text("until") {
        Some(NONE) => Ok(Some(None)),
        _ => Ok(date(row, "until")?.map(Some)),
    }
}

/// What may be left out again.
fn perhaps(row: Row<'_>, column: &'static str) -> Read<Option<String>> {
    Ok(name(row, column)?.map(|text| if text == NONE { String::new() } else { text }))
}

fn moment(row: Row<'_>, column: &'static str) -> Read<Option<Time>> {
    cell(row, column, Expected::Time, rows::time)
}

fn weekdays(row: Row<'_>) -> Read<Vec<i8>> {
    let read = |text: &str| row.weekdays(text);
    cell(row, "weekdays", Expected::Weekdays, read)?.ok_or(Wrong::Needed("weekdays"))
}

fn span(row: Row<'_>) -> Read<(Time, Time)> {
    let from = moment(row, "from")?.ok_or(Wrong::Needed("from"))?;
    let to = moment(row, "to")?.ok_or(Wrong::Needed("to"))?;
    if from < to { Ok((from, to)) } else { Err(Wrong::Order) }
}

fn name(row: Row<'_>, column: &'static str) -> Read<Option<String>> {
    match row.text(column) {
        Some(text) if text.chars().count() > LONGEST_NAME => Err(Wrong::TooLong(column)),
        text => Ok(text.map(str::to_owned)),
    }
}

/// Sets what a cell says, and tells what changes by it.
fn set<T: PartialEq + Clone>(
    told: &mut Vec<(&'static str, String, String)>,
    column: &'static str,
    of: &mut T,
    to: Option<T>,
    shown: impl Fn(&T) -> String,
) {
    if let Some(to) = to.filter(|to| *to != *of) {
        told.push((column, shown(of), shown(&to)));
        *of = to;
    }
}

fn shown_date(date: &Option<Date>) -> String {
    date.map_or_else(String::new, |date| date.strftime("%d/%m/%Y").to_string())
}

fn shown_time(time: &Time) -> String {
    time.strftime("%H:%M").to_string()
}

fn effect(is_new: bool, told: Vec<(&'static str, String, String)>) -> Effect {
    match (is_new, told.is_empty()) {
        (true, _) => Effect::New,
        (false, true) => Effect::Same,
        (false, false) => Effect::Altered(told),
    }
}

impl Planner<'_> {
    fn row(&mut self, kind: Kind, sheet: &str, row: Row<'_>) {
        let place = Place { sheet: sheet.to_owned(), row: Some(row.number) };
        let done = match kind {
            Kind::Offices => self.office(row, &place),
            Kind::Counters => self.counter(row, &place),
            Kind::Officials => self.official(row, &place),
            Kind::Roster => self.shift(row, &place),
            Kind::Hours => self.hours(row, &place),
            Kind::Calendar => self.day(row, &place),
        };
        if let Err(wrong) = done {
            self.plan.problems.push(Problem { place, wrong });
        }
    }

    fn change(
        &mut self,
        place: &Place,
        kind: Kind,
        office: &OfficeCode,
        code: &str,
        what: What,
        effect: Effect,
    ) {
        let (place, office, code) = (place.clone(), office.clone(), code.to_owned());
        self.plan.changes.push(Change { place, kind, office, code, what, effect });
    }

    /// The office that a row is of.
    fn office_of(&self, row: Row<'_>) -> Read<OfficeCode> {
        match (row.text(OFFICE), self.setting.one) {
            (None, Some(one)) => Ok(one.clone()),
            _ => code(row, OFFICE),
        }
    }

    /// An office that is there, and theirs.
    fn draft(&mut self, office: &OfficeCode) -> Read<&mut Draft> {
        let none = || Wrong::NoOffice(office.to_string());
        if !self.setting.unit.has_office(office) {
            return Err(none());
        }
        if self.setting.in_files.contains(office) {
            return Err(Wrong::InFiles(office.clone()));
        }
        if !self.drafts.contains_key(office) {
            let known = self.setting.offices.iter().find(|one| one.office.code == *office);
            let directory = Directory::clone(known.ok_or_else(none)?);
            let before = Some(directory.clone());
            self.drafts.insert(office.clone(), Draft { directory, before, replaced: Vec::new() });
        }
        self.drafts.get_mut(office).ok_or_else(none)
    }

    /// Each is named in one row.
    fn once(&mut self, kind: Kind, office: &OfficeCode, code: &str, place: &Place) -> Read<()> {
        let row = place.row.unwrap_or_default();
        match self.seen.insert((kind, office.clone(), code.to_owned()), row) {
            Some(other) => Err(Wrong::Twice(other)),
            None => Ok(()),
        }
    }

    fn office(&mut self, row: Row<'_>, place: &Place) -> Read<()> {
        let id = self.office_of(row)?;
        self.once(Kind::Offices, &id, "", place)?;
        let of_province = *self.setting.unit == Unit::PROVINCE;
        let is_new = match self.draft(&id) {
            Ok(_) => false,
            Err(Wrong::NoOffice(_)) if of_province => true,
            Err(wrong) => return Err(wrong),
        };
        let new_name = name(row, "name")?;
        let form = row.text("form").map(str::to_lowercase);
        if let Some(unknown) =
            form.iter().find(|code| !self.setting.forms.iter().any(|one| one.code == **code))
        {
            let known: std::collections::BTreeSet<String> =
                self.setting.forms.iter().map(|one| one.code.clone()).collect();
            return Err(Wrong::NoForm(unknown.clone(), known.into_iter().collect()));
        }
        // A day without a form in force would have no figures.
        let (asked, from) = if is_new {
            // It is there at once.
            (Some(form.as_deref().unwrap_or(self.setting.first_form)), self.setting.today)
        } else {
            let other = |code: &&str| self.drafts[&id].directory.office.form != **code;
            (form.as_deref().filter(other), self.setting.from)
        };
        if let Some(code) = asked
            && self.setting.forms.in_force(code, from).is_none()
        {
            let versions = self.setting.forms.iter().filter(|one| one.code == code);
            let first = versions.map(|one| one.effective).min();
            return Err(Wrong::FormToCome(code.to_owned(), first.unwrap_or(from)));
        }
        let (opens, closes) = (moment(row, "opens")?, moment(row, "closes")?);
        let decision = name(row, "decision")?.unwrap_or_default();
        let until = until(row)?;
        let into: Option<Option<OfficeCode>> = match row.text("into") {
            None => None,
            Some(NONE) => Some(None),
            Some(_) => Some(Some(code(row, "into")?)),
        };
        if let Some(Some(into)) = &into {
            let known = self.drafts.contains_key(into)
                || self.setting.offices.iter().any(|one| one.office.code == *into);
            if !known || *into == id {
                return Err(Wrong::NoOffice(into.to_string()));
            }
        }
        if is_new {
            let office = Office {
                code: id.clone(),
                name: new_name.clone().ok_or(Wrong::Needed("name"))?,
                form: form.clone().unwrap_or_else(|| self.setting.first_form.to_owned()),
                opens: opens.unwrap_or(USUALLY.0),
                closes: closes.unwrap_or(USUALLY.1),
                former: Vec::new(),
                ended: None,
            };
            let directory = Directory {
                office,
                counters: Vec::new(),
                officials: Vec::new(),
                roster: Vec::new(),
                calendar: Some(Calendar::default()),
                signals: self.setting.signals,
            };
            let draft = Draft { directory, before: None, replaced: Vec::new() };
            self.drafts.insert(id.clone(), draft);
        }
        let yesterday = self.setting.from.saturating_sub(1.day());
        let office = &mut self.draft(&id)?.directory.office;
        let mut told = Vec::new();
        if opens.unwrap_or(office.opens) >= closes.unwrap_or(office.closes) {
            return Err(Wrong::Order);
        }
        if let Some(renamed) = new_name.filter(|name| *name != office.name) {
            told.push(("name", office.name.clone(), renamed.clone()));
            let was = std::mem::replace(&mut office.name, renamed);
            // Two names of one day are one change.
            if office.former.last().is_none_or(|former| former.until != yesterday) {
                let decision = decision.clone();
                office.former.push(FormerName { name: was, until: yesterday, decision });
            }
        }
        set(&mut told, "form", &mut office.form, form, Clone::clone);
        set(&mut told, "opens", &mut office.opens, opens, shown_time);
        set(&mut told, "closes", &mut office.closes, closes, shown_time);
        // A decision is of what the row changes: of the end, unless it only gives another name.
        let is_of_end = until.is_some() || into.is_some() || told.is_empty();
        let mut ended = office.ended.clone();
        match until {
            Some(None) => ended = None,
            Some(Some(until)) => {
                let decision = String::new();
                ended.get_or_insert(Ended { until, into: None, decision }).until = until;
            }
            None => {}
        }
        match (&mut ended, into) {
            (Some(ended), Some(into)) => ended.into = into,
            (None, Some(Some(_))) => return Err(Wrong::Needed("until")),
            _ => {}
        }
        if let (Some(ended), true) = (&mut ended, is_of_end && !decision.is_empty()) {
            ended.decision = decision;
        }
        set(&mut told, "until", &mut office.ended, Some(ended), |ended| {
            let shown = |ended: &Ended| {
                let into = ended.into.as_ref().map(|into| format!(" › {into}"));
                let decision = &ended.decision;
                let decision =
                    if decision.is_empty() { String::new() } else { format!(" ({decision})") };
                let until = shown_date(&Some(ended.until));
                format!("{until}{}{decision}", into.unwrap_or_default())
            };
            ended.as_ref().map_or_else(String::new, shown)
        });
        if !told.is_empty() && !of_province {
            return Err(Wrong::OfProvince);
        }
        let what = What::Named(office.name.clone());
        self.change(place, Kind::Offices, &id, id.as_str(), what, effect(is_new, told));
        Ok(())
    }

    fn counter(&mut self, row: Row<'_>, place: &Place) -> Read<()> {
        let office = self.office_of(row)?;
        let id: CounterId = code(row, "id")?;
        self.draft(&office)?;
        self.once(Kind::Counters, &office, id.as_str(), place)?;
        let number = cell(row, "number", Expected::Number, |text| {
            text.parse::<u16>().ok().filter(|number| *number > 0)
        })?;
        let (name, branch) = (name(row, "name")?, perhaps(row, "branch")?);
        let until = until(row)?;
        let counters = &mut self.draft(&office)?.directory.counters;
        let known = counters.iter().position(|counter| counter.id == id);
        let at = match known {
            Some(at) => at,
            None => {
                let number = number.ok_or(Wrong::Needed("number"))?;
                let name = name.clone().ok_or(Wrong::Needed("name"))?;
                let branch = branch.clone().unwrap_or_default();
                counters.push(Counter { id: id.clone(), number, name, branch, until: None });
                counters.len() - 1
            }
        };
        let counter = &mut counters[at];
        let mut told = Vec::new();
        set(&mut told, "number", &mut counter.number, number, u16::to_string);
        set(&mut told, "name", &mut counter.name, name, Clone::clone);
        set(&mut told, "branch", &mut counter.branch, branch, Clone::clone);
        set(&mut told, "until", &mut counter.until, until, shown_date);
        let what = What::Named(counter.name.clone());
        self.change(
            place,
            Kind::Counters,
            &office,
            id.as_str(),
            what,
            effect(known.is_none(), told),
        );
        Ok(())
    }

    fn official(&mut self, row: Row<'_>, place: &Place) -> Read<()> {
        let office = self.office_of(row)?;
        let id: OfficialId = code(row, "id")?;
        self.draft(&office)?;
        self.once(Kind::Officials, &office, id.as_str(), place)?;
        let (name, title) = (name(row, "name")?, perhaps(row, "title")?);
        let until = until(row)?;
        let officials = &mut self.draft(&office)?.directory.officials;
        let known = officials.iter().position(|official| official.id == id);
        let at = match known {
            Some(at) => at,
            None => {
                let name = name.clone().ok_or(Wrong::Needed("name"))?;
                let title = title.clone().unwrap_or_default();
                officials.push(Official { id: id.clone(), name, title, photo: None, until: None });
                officials.len() - 1
            }
        };
        let official = &mut officials[at];
        let mut told = Vec::new();
        set(&mut told, "name", &mut official.name, name, Clone::clone);
        set(&mut told, "title", &mut official.title, title, Clone::clone);
        set(&mut told, "until", &mut official.until, until, shown_date);
        let what = What::Named(official.name.clone());
        self.change(
            place,
            Kind::Officials,
            &office,
            id.as_str(),
            what,
            effect(known.is_none(), told),
        );
        Ok(())
    }

    /// Empties a list of an office that rows take the place of.
    fn replaced(&mut self, kind: Kind, office: &OfficeCode) -> Read<&mut Draft> {
        let from = self.setting.from;
        let draft = self.draft(office)?;
        if !draft.replaced.contains(&kind) {
            draft.replaced.push(kind);
            let directory = &mut draft.directory;
            let calendar = directory.calendar.get_or_insert_default();
            match kind {
                Kind::Roster => directory.roster.clear(),
                Kind::Hours => calendar.hours.clear(),
                Kind::Calendar => calendar.days.retain(|day| day.date < from),
                _ => {}
            }
        }
        Ok(draft)
    }

    fn shift(&mut self, row: Row<'_>, place: &Place) -> Read<()> {
        let office = self.office_of(row)?;
        let draft = self.replaced(Kind::Roster, &office)?;
        let weekdays = weekdays(row)?;
        let (counter, official): (CounterId, OfficialId) =
            (code(row, "counter")?, code(row, "official")?);
        if draft.directory.counter(&counter).is_none() {
            return Err(Wrong::NoCounter(counter.to_string()));
        }
        if draft.directory.official(&official).is_none() {
            return Err(Wrong::NoOfficial(official.to_string()));
        }
        let (from, to) = span(row)?;
        let mut is_new = false;
        if draft.directory.roster.len() > MOST_SHIFTS {
            return Err(Wrong::TooMany);
        }
        for weekday in &weekdays {
            let (counter, official) = (counter.clone(), official.clone());
            let shift = Shift { weekday: *weekday, counter, official, from, to };
            let roster = &mut draft.directory.roster;
            let clash = |other: &Shift| {
                other.weekday == shift.weekday
                    && other.from < to
                    && from < other.to
                    && other.counter == shift.counter
            };
            if roster.iter().any(clash) {
                return Err(Wrong::Clash);
            }
            is_new |= draft.before.as_ref().is_none_or(|before| !before.roster.contains(&shift));
            roster.push(shift);
        }
        let what = What::Shift(weekdays, counter, official, from, to);
        self.change(place, Kind::Roster, &office, "", what, effect(is_new, vec![]));
        Ok(())
    }

    fn hours(&mut self, row: Row<'_>, place: &Place) -> Read<()> {
        let office = self.office_of(row)?;
        let draft = self.replaced(Kind::Hours, &office)?;
        let weekdays = weekdays(row)?;
        let (from, to) = span(row)?;
        let mut is_new = false;
        let calendar = draft.directory.calendar.get_or_insert_default();
        for weekday in &weekdays {
            let hours = Hours { weekday: *weekday, from, to };
            let clash = |other: &Hours| {
                other.weekday == hours.weekday && other.from < to && from < other.to
            };
            if calendar.hours.iter().any(clash) {
                return Err(Wrong::Clash);
            }
            let before = draft.before.as_ref().and_then(|before| before.calendar.as_ref());
            is_new |= before.is_none_or(|before| !before.hours.contains(&hours));
            calendar.hours.push(hours);
        }
        let what = What::Hours(weekdays, from, to);
        self.change(place, Kind::Hours, &office, "", what, effect(is_new, vec![]));
        Ok(())
    }

    fn day(&mut self, row: Row<'_>, place: &Place) -> Read<()> {
        let offices = match (row.text(OFFICE), self.setting.one) {
            // A holiday of all.
            (None, None) => {
                let known = self.setting.offices.iter().map(|one| &one.office.code);
                let theirs = known.filter(|code| {
                    self.setting.unit.has_office(code) && !self.setting.in_files.contains(code)
                });
                let mut all: Vec<OfficeCode> = theirs.chain(self.drafts.keys()).cloned().collect();
                all.sort();
                all.dedup();
                all
            }
            _ => vec![self.office_of(row)?],
        };
        let date = date(row, "date")?.ok_or(Wrong::Needed("date"))?;
        let name = name(row, "name")?.ok_or(Wrong::Needed("name"))?;
        let is_off = row.text("from").is_none() && row.text("to").is_none();
        let hours = if is_off { None } else { Some(span(row)?) };
        let day = OwnDay { date, name, hours };
        for office in offices {
            let from = self.setting.from;
            let draft = self.replaced(Kind::Calendar, &office)?;
            let before = draft.before.as_ref().and_then(|before| before.calendar.as_ref());
            let is_new = before.is_none_or(|before| !before.days.contains(&day));
            let effect = if date < from { Effect::Over } else { effect(is_new, vec![]) };
            let calendar = draft.directory.calendar.get_or_insert_default();
            if date >= from {
                let apart = |other: &OwnDay| match (other.hours, hours) {
                    (Some(one), Some(other)) => one.1 <= other.0 || other.1 <= one.0,
                    _ => false,
                };
                if calendar.days.iter().any(|other| other.date == date && !apart(other)) {
                    return Err(Wrong::Clash);
                }
                calendar.days.push(day.clone());
            }
            self.change(place, Kind::Calendar, &office, "", What::Day(day.clone()), effect);
        }
        Ok(())
    }

    /// What is gone by not being named any more, and what offices are in the end.
    fn end(mut self) -> Plan {
        for (office, mut draft) in std::mem::take(&mut self.drafts) {
            let before = draft.before.take();
            if let Some(before) = &before {
                self.gone(&office, before, &draft);
            }
            let directory = &mut draft.directory;
            let are_told = draft.replaced.contains(&Kind::Hours);
            let none = directory.calendar.as_ref().is_none_or(|calendar| calendar.hours.is_empty());
            if (are_told && none)
                || (!are_told && before.as_ref().is_none_or(Directory::follows_roster))
            {
                let hours = directory.roster_hours();
                directory.calendar.get_or_insert_default().hours = hours;
            }
            if directory.calendar == Some(Calendar::default())
                && before.as_ref().is_some_and(|before| before.calendar.is_none())
            {
                directory.calendar = None;
            }
            let (hours, days) = directory
                .calendar
                .as_ref()
                .map_or((0, 0), |calendar| (calendar.hours.len(), calendar.days.len()));
            let counts = [directory.counters.len(), directory.officials.len(), hours, days];
            if counts.into_iter().any(|n| n > MOST) || directory.roster.len() > MOST_SHIFTS {
                let place = Place { sheet: office.to_string(), row: None };
                self.plan.problems.push(Problem { place, wrong: Wrong::TooMany });
            }
            let (opens, closes) = (directory.office.opens, directory.office.closes);
            let calendar = directory.calendar.iter();
            let own = calendar.clone().flat_map(|calendar| &calendar.days);
            let own = own.filter(|day| day.date >= self.setting.from).filter_map(|day| day.hours);
            let spans =
                calendar.flat_map(|calendar| &calendar.hours).map(|hours| (hours.from, hours.to));
            if spans.chain(own).any(|(from, to)| from < opens || closes < to) {
                let place = Place { sheet: office.to_string(), row: None };
                self.plan.problems.push(Problem { place, wrong: Wrong::Outside(opens, closes) });
            }
            if before.as_ref() != Some(&draft.directory) {
                let before = before.as_ref().map(Directory::digest);
                let (from, directory) = (self.setting.from, draft.directory);
                self.plan.after.push(offices::Change { from, before, directory });
            }
        }
        if !self.plan.problems.is_empty() {
            self.plan.after.clear();
        }
        self.plan
    }

    fn gone(&mut self, office: &OfficeCode, before: &Directory, draft: &Draft) {
        let after = &draft.directory;
        let mut gone: Vec<(Kind, What)> = Vec::new();
        let left = before.roster.iter().filter(|shift| !after.roster.contains(shift));
        let mut spans: BTreeMap<(CounterId, OfficialId, Time, Time), Vec<i8>> = BTreeMap::new();
        for shift in left {
            let key = (shift.counter.clone(), shift.official.clone(), shift.from, shift.to);
            spans.entry(key).or_default().push(shift.weekday);
        }
        gone.extend(spans.into_iter().map(|((counter, official, from, to), weekdays)| {
            (Kind::Roster, What::Shift(weekdays, counter, official, from, to))
        }));
        if draft.replaced.contains(&Kind::Hours) || draft.replaced.contains(&Kind::Calendar) {
            let (was, is) = (
                before.calendar.clone().unwrap_or_default(),
                after.calendar.clone().unwrap_or_default(),
            );
            let mut spans: BTreeMap<(Time, Time), Vec<i8>> = BTreeMap::new();
            for hours in was.hours.iter().filter(|hours| !is.hours.contains(hours)) {
                spans.entry((hours.from, hours.to)).or_default().push(hours.weekday);
            }
            gone.extend(
                spans
                    .into_iter()
                    .map(|((from, to), days)| (Kind::Hours, What::Hours(days, from, to))),
            );
            let left = was.days.into_iter().filter(|day| !is.days.contains(day));
            gone.extend(left.map(|day| (Kind::Calendar, What::Day(day))));
        }
        for (kind, what) in gone {
            let place = Place { sheet: kind.word().to_owned(), row: None };
            self.change(&place, kind, office, "", what, Effect::Gone);
        }
    }
}
