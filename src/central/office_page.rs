//! One office of the directory, with a form for each thing that changes: each is a list of one row, or of the lines
//! that were typed.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Form};
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::sign_in_page::busy;
use super::access::who::Who;
use super::directory_page::{
    Told, change, ended_text, first_day, forms, lasts, one_row, put_in_force,
};
use super::directory_sheets::{hours, shifts};
use super::import::rows::{Kind, OFFICE};
use super::import::sheets::{Sheet, cell as cell_of};
use super::import::words::{clock, weekdays};
use super::offices::Change;
use super::pages::Asked;
use super::service::Central;
use super::staff::{in_language, refuse, render};
use super::store::{DirectoryChange, StoreError};
use crate::domain::access::Unit;
use crate::domain::ids::OfficeCode;
use crate::domain::office::Directory;
use crate::texts::{DirectoryTexts, Texts, fill};

/// Empty lines at the end of a list that can be written into.
const SPARE: usize = 3;
/// Most lines of such a list that are read.
const MOST_LINES: usize = 600;

/// A list of the lines that were typed, fields with their line's number behind them; a line without the column
/// that leads is left out.
fn lines(kind: Kind, typed: &BTreeMap<String, String>, texts: &Texts) -> Sheet {
    let columns: Vec<&str> = kind.columns().iter().map(|column| column.word).collect();
    let leads = if kind == Kind::Calendar { "date" } else { "weekdays" };
    // Plain numbers are counted as the column's name says: “Thứ 2” is Monday.
    let head = |column: &&str| match *column {
        "weekdays" => texts.directory.col_weekdays.clone(),
        other => other.to_owned(),
    };
    let heads = columns.iter().map(head).collect();
    let mut rows = vec![(0, heads)];
    for line in 1..=MOST_LINES {
        let field = |column: &str| {
            typed.get(&format!("{column}_{line}")).map(|text| cell_of(text)).unwrap_or_default()
        };
        if !field(leads).is_empty() {
            let cells = columns.iter().map(|column| field(column)).collect();
            rows.push((u32::try_from(line).unwrap_or(u32::MAX), cells));
        }
    }
    Sheet { name: kind.word().to_owned(), rows }
}

/// As of which day an office is shown and changed.
#[derive(Debug, Default, Deserialize)]
pub(super) struct AsOf {
    from: Option<String>,
}

/// `GET /directory/{office}`: as it is now, or will be on a day to come.
pub(super) async fn office(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Path(code): Path<String>,
    Query(asked): Query<Asked>,
    Query(as_of): Query<AsOf>,
) -> Response {
    let (texts, today) = (asked.texts(&central.config), central.now().date());
    let (from, told) = match first_day(as_of.from.as_deref().unwrap_or_default(), today) {
        Ok(from) => (from, Told::default()),
        Err(day) => {
            let said = fill(&texts.directory.wrong_from, &[("day", &day)]);
            (today, Told::wrong(said, &BTreeMap::new()))
        }
    };
    show_office(&central, texts, &who, (&code, from), told).await
}

/// `POST /directory/{office}`: what is done is named by `do`: the list whose row, or whose lines, it is.
pub(super) async fn change_office(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Path(code): Path<String>,
    Query(asked): Query<Asked>,
    Form(typed): Form<BTreeMap<String, String>>,
) -> Response {
    let texts = asked.texts(&central.config);
    let today = central.now().date();
    // Of a day that is over meanwhile nothing is changed any more.
    let Ok(from) = first_day(typed.get("from").map_or("", String::as_str), today) else {
        let told = Told::wrong(&texts.directory.plan_meanwhile, &BTreeMap::new());
        return show_office(&central, texts, &who, (&code, today), told).await;
    };
    let known = code.parse::<OfficeCode>().ok().filter(|code| who.has_office(code));
    let Some(directory) = known.and_then(|code| central.directory_on(&code, from)) else {
        return refuse(&central, texts, Some(&who), true, StatusCode::NOT_FOUND);
    };
    let office = directory.office.code.clone();
    // The page is of one office, whatever a field says.
    let mut typed = typed;
    typed.insert(OFFICE.to_owned(), office.to_string());
    let act = typed.get("do").cloned().unwrap_or_default();
    // What is changed is what was shown.
    if typed.get("state").is_some_and(|shown| *shown != directory.digest().to_string()) {
        let told = Told::wrong(&texts.directory.plan_meanwhile, &BTreeMap::new());
        return show_office(&central, texts, &who, (&code, from), told).await;
    }
    if act == "drop" {
        let told = drop_change(&central, texts, &who, &directory, from).await;
        return match told {
            Ok(told) => show_office(&central, texts, &who, (&code, from), told).await,
            Err(error) => busy(&central, texts, &error),
        };
    }
    if typed.contains_key("new") {
        let id = typed.get("id").map(|id| id.trim().to_lowercase()).unwrap_or_default();
        let is_used = match Kind::of_word(&act) {
            Some(Kind::Counters) => directory.counters.iter().any(|one| one.id.as_str() == id),
            _ => directory.officials.iter().any(|one| one.id.as_str() == id),
        };
        if is_used {
            let said = fill(&texts.directory.wrong_used, &[("code", &id)]);
            return show_office(&central, texts, &who, (&code, from), Told::wrong(said, &typed))
                .await;
        }
    }
    let (emptied, sheet) = match (act.as_str(), Kind::of_word(&act)) {
        ("end", _) => (None, one_row(Kind::Offices, &typed, &["until", "into"])),
        (_, Some(Kind::Offices)) => (None, one_row(Kind::Offices, &typed, &[])),
        (_, Some(kind @ Kind::Counters)) => (None, one_row(kind, &typed, &["branch", "until"])),
        (_, Some(kind @ Kind::Officials)) => (None, one_row(kind, &typed, &["title", "until"])),
        (_, Some(kind)) => (Some(kind), lines(kind, &typed, texts)),
        (_, None) => {
            return show_office(&central, texts, &who, (&code, from), Told::default()).await;
        }
    };
    let of = (from, Some(&office));
    let told = change(&central, texts, &who, of, emptied, &[sheet], &typed).await;
    match told {
        Ok(told) => show_office(&central, texts, &who, (&code, from), told).await,
        Err(error) => busy(&central, texts, &error),
    }
}

/// An office stays from a day to come on as it is the day before.
async fn drop_change(
    central: &Arc<Central>,
    texts: &Texts,
    who: &Who,
    directory: &Directory,
    from: Date,
) -> Result<Told, StoreError> {
    let code = &directory.office.code;
    let is_in_files = central.offices.in_files().contains(code);
    let day_before = from.yesterday().unwrap_or(from);
    let stays = central.directory_on(code, day_before);
    let today = central.now().date();
    let begins = central.offices.to_come(code, today).iter().any(|(day, _)| *day == from);
    let Some(stays) = stays.filter(|_| begins && !is_in_files) else {
        return Ok(Told::default());
    };
    if stays.office != directory.office && *who.unit() != Unit::PROVINCE {
        let of_province = &texts.directory.wrong_of_province;
        return Ok(Told::wrong(of_province, &BTreeMap::new()));
    }
    let before = Some(directory.digest());
    let change = Change { from, before, directory: Directory::clone(&stays) };
    let said = &texts.directory.dropped;
    put_in_force(central, texts, who, vec![change], said, &BTreeMap::new()).await
}

async fn show_office(
    central: &Central,
    texts: &Texts,
    who: &Who,
    (code, from): (&str, Date),
    told: Told,
) -> Response {
    let t = &texts.directory;
    let known = code.parse::<OfficeCode>().ok().filter(|code| who.has_office(code));
    let Some(directory) = known.and_then(|code| central.directory_on(&code, from)) else {
        return refuse(central, texts, Some(who), true, StatusCode::NOT_FOUND);
    };
    let office = &directory.office;
    let (changes, accounts) =
        match (central.store.directory_changes(&office.code).await, central.store.accounts().await)
        {
            (Ok(changes), Ok(accounts)) => (changes, accounts),
            (Err(error), _) | (_, Err(error)) => return busy(central, texts, &error),
        };
    let today = central.now().date();
    let to_come = to_come(central, &office.code, today);
    let shown = |date: Option<Date>| date.map(|date| date.strftime("%d/%m/%Y").to_string());
    let counters: Vec<Value> = directory
        .counters
        .iter()
        .map(|one| {
            json!({
                "id": one.id, "number": one.number, "name": one.name, "branch": one.branch,
                "until": shown(one.until), "over": !lasts(one.until, today),
            })
        })
        .collect();
    let officials: Vec<Value> = directory
        .officials
        .iter()
        .map(|one| {
            json!({
                "id": one.id, "name": one.name, "title": one.title,
                "until": shown(one.until), "over": !lasts(one.until, today),
            })
        })
        .collect();
    let line = |fields: &[(&str, String)]| -> Value {
        fields.iter().map(|(name, text)| ((*name).to_owned(), json!(text))).collect()
    };
    let roster: Vec<Value> = shifts(&directory)
        .into_iter()
        .map(|(days, counter, official, from, to)| {
            line(&[
                ("weekdays", weekdays(&days, t)),
                (
                    "counter_name",
                    directory
                        .counter(&counter)
                        .map_or_else(String::new, |one| texts.counter_and_name(one)),
                ),
                (
                    "official_name",
                    directory.official(&official).map_or_else(String::new, |one| one.name.clone()),
                ),
                ("counter", counter.to_string()),
                ("official", official.to_string()),
                ("from", from),
                ("to", to),
            ])
        })
        .collect();
    let hours: Vec<Value> = hours(&directory)
        .into_iter()
        .map(|(days, from, to)| {
            line(&[("weekdays", weekdays(&days, t)), ("from", from), ("to", to)])
        })
        .collect();
    let days = directory.calendar.iter().flat_map(|calendar| &calendar.days);
    let calendar: Vec<Value> = days
        .filter(|day| today <= day.date)
        .map(|day| {
            let time = |time: Option<_>| time.map_or_else(String::new, clock);
            line(&[
                ("date", day.date.strftime("%d/%m/%Y").to_string()),
                ("name", day.name.clone()),
                ("from", time(day.hours.map(|(from, _)| from))),
                ("to", time(day.hours.map(|(_, to)| to))),
            ])
        })
        .collect();
    let former: Vec<String> = office
        .former
        .iter()
        .rev()
        .map(|former| {
            let date = former.until.strftime("%d/%m/%Y");
            let text = fill(&t.former_until, &[("name", &former.name), ("date", &date)]);
            if former.decision.is_empty() { text } else { format!("{text} ({})", former.decision) }
        })
        .collect();
    let offices = central.offices();
    let others: Vec<Value> = offices
        .iter()
        .filter(|one| one.office.code != office.code && who.has_office(&one.office.code))
        .map(|one| json!({ "code": one.office.code, "name": one.office.name }))
        .collect();
    let name = |login: &str| {
        let known = accounts.iter().find(|account| account.login.as_str() == login);
        known.map_or_else(|| login.to_owned(), |account| account.name.clone())
    };
    // What was typed wrongly stands where it was typed.
    let list = |kind: Kind, lines: Vec<Value>| typed_lines(kind, &told, texts).unwrap_or(lines);
    let context = json!({
        "d": t,
        "office_name": office.name,
        "office": {
            "code": office.code,
            "name": office.name,
            "form": office.form,
            "opens": clock(office.opens),
            "closes": clock(office.closes),
            "until": shown(office.ended.as_ref().map(|ended| ended.until)),
            "into": office.ended.as_ref().and_then(|ended| ended.into.as_ref()),
            "decision": office.ended.as_ref().map(|ended| &ended.decision),
            "ended": office.ended.as_ref().map(|ended| ended_text(ended, t)),
        },
        "former": former,
        "forms": forms(central, texts),
        "others": others,
        "counters": counters,
        "officials": officials,
        "roster": list(Kind::Roster, roster),
        "hours": list(Kind::Hours, hours),
        "calendar": list(Kind::Calendar, calendar),
        "from": Some(from).filter(|from| *from > today).map(|from| {
            json!({ "day": from, "shown": shown(Some(from)) })
        }),
        "keep": Some(from).filter(|from| *from > today).map(|from| format!("&from={from}")),
        "today": today,
        "begins": to_come.iter().any(|(begins, _)| *begins == from),
        "to_come": to_come_lines(central, texts, &to_come),
        "here": in_language(central, texts, &format!("/directory/{}", office.code)),
        "state": directory.digest(),
        "spare": SPARE,
        "may_change": !central.offices.in_files().contains(&office.code),
        "of_province": *who.unit() == Unit::PROVINCE,
        "history": history(&changes, name, texts),
        "back": in_language(central, texts, "/directory"),
        "typed": told.typed,
        "said": told.said,
        "wrong": told.wrong,
    });
    render(central, texts, Some(who), told.status(), "office.html", context)
}

/// From which days to come on an office is another than the day before, with what differs.
fn to_come(
    central: &Central,
    office: &OfficeCode,
    today: Date,
) -> Vec<(Date, [Arc<Directory>; 2])> {
    let mut before = central.directory_on(office, today);
    let mut found = Vec::new();
    for (from, directory) in central.offices.to_come(office, today) {
        if let Some(was) = before.replace(Arc::clone(&directory)).filter(|was| *was != directory) {
            found.push((from, [was, directory]));
        }
    }
    found
}

fn to_come_lines(
    central: &Central,
    texts: &Texts,
    to_come: &[(Date, [Arc<Directory>; 2])],
) -> Vec<Value> {
    let line = |(from, [was, is]): &(Date, [Arc<Directory>; 2])| {
        let address = in_language(central, texts, &format!("/directory/{}", is.office.code));
        let joint = if address.contains('?') { '&' } else { '?' };
        json!({
            "date": from.strftime("%d/%m/%Y").to_string(),
            "href": format!("{address}{joint}from={from}"),
            "what": differing(was, is, &texts.directory),
        })
    };
    to_come.iter().map(line).collect()
}

/// The lines of a list as they were typed, if that is what was wrong.
fn typed_lines(kind: Kind, told: &Told, texts: &Texts) -> Option<Vec<Value>> {
    if !told.wrong || told.typed.get("do").map(String::as_str) != Some(kind.word()) {
        return None;
    }
    let Sheet { rows, .. } = lines(kind, &told.typed, texts);
    let rows = rows.into_iter().skip(1).map(|(_, cells)| cells);
    let heads: Vec<String> = kind.columns().iter().map(|column| column.word.to_owned()).collect();
    let line = |cells: Vec<String>| {
        heads.iter().cloned().zip(cells.into_iter().map(Value::from)).collect()
    };
    Some(rows.map(line).collect())
}

/// Who changed what when, the latest first.
fn history(
    changes: &[DirectoryChange],
    name: impl Fn(&str) -> String,
    texts: &Texts,
) -> Vec<Value> {
    let t = &texts.directory;
    let before = changes.iter().skip(1).map(Some).chain(std::iter::once(None));
    changes
        .iter()
        .zip(before)
        .map(|(change, before)| {
            let what = before.map_or_else(
                || t.history_first.clone(),
                |before| differing(&before.directory, &change.directory, t),
            );
            let at = change.at.civil();
            let moment =
                format!("{:02}:{:02}, {}", at.hour(), at.minute(), texts.summary.date(at.date()));
            let person = if change.person.is_empty() {
                t.history_files.clone()
            } else {
                name(&change.person)
            };
            let what = if change.effective > at.date() {
                let date = change.effective.strftime("%d/%m/%Y");
                format!("{what} {}", fill(&t.holds_from, &[("date", &date)]))
            } else {
                what
            };
            json!({ "at": moment, "person": person, "what": what })
        })
        .collect()
}

/// The lists in which two states of an office differ.
fn differing(before: &Directory, after: &Directory, t: &DirectoryTexts) -> String {
    let hours = |one: &Directory| one.calendar.as_ref().map(|calendar| calendar.hours.clone());
    let days = |one: &Directory| one.calendar.as_ref().map(|calendar| calendar.days.clone());
    let lists = [
        (Kind::Offices, before.office != after.office),
        (Kind::Counters, before.counters != after.counters),
        (Kind::Officials, before.officials != after.officials),
        (Kind::Roster, before.roster != after.roster),
        (Kind::Hours, hours(before) != hours(after)),
        (Kind::Calendar, days(before) != days(after)),
    ];
    let named = lists.into_iter().filter(|(_, differ)| *differ).map(|(kind, _)| t.kind(kind));
    named.collect::<Vec<_>>().join(", ")
}
