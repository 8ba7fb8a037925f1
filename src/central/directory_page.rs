//! The directory as administrators change it: lists from spreadsheets, shown before they are taken; and one office
//! with forms, each of which is a list of one row.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Multipart, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form, Json};
use jiff::civil::Date;
use rand::Rng;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::access::sign_in_page::busy;
use super::access::who::Who;
use super::directory_sheets::{hours, shifts, workbook};
use super::import::plan::{Plan, Setting};
use super::import::rows::{Kind, OFFICE};
use super::import::sheets::{Sheet, Upload, cell as cell_of};
use super::import::words::{PlanWords, clock, weekdays};
use super::import::{of_sheets, of_uploads, words};
use super::offices::{All, ChangeError};
use super::pages::Asked;
use super::problem::Problem;
use super::report;
use super::service::Central;
use super::staff::{in_language, refuse, render};
use super::store::DirectoryChange;
use crate::domain::access::Unit;
use crate::domain::ids::{Hash, Login, OfficeCode};
use crate::domain::office::{Directory, Ended};
use crate::domain::system_random;
use crate::domain::time::At;
use crate::texts::{DirectoryTexts, Texts, fill};

/// Lines of a preview that are shown; the others are counted.
const SHOWN: usize = 400;
/// Empty lines at the end of a list that can be written into.
const SPARE: usize = 3;
/// Most lines of such a list that are read.
const MOST_LINES: usize = 600;
/// The field of the form that an office shows: what every page's own form carries is called `form`.
const FORM_FIELD: &str = "form_code";
/// Most previews that wait for somebody's decision, and for how long, in minutes.
const MOST_PLANS: usize = 16;
const PLAN_MINUTES: i64 = 30;

/// A preview that somebody was shown.
struct Kept {
    secret: String,
    login: Login,
    until: At,
    after: Vec<(Option<Hash>, Directory)>,
    shown: PlanWords,
}

/// Changes that somebody was shown and has not decided about.
pub(super) struct Plans {
    kept: Mutex<VecDeque<Kept>>,
    working: Semaphore,
}

impl Default for Plans {
    fn default() -> Self {
        Self { kept: Mutex::default(), working: Semaphore::new(1) }
    }
}

impl Plans {
    fn keep(&self, who: &Who, now: At, plan: Plan, shown: PlanWords) -> String {
        let mut secret = [0; 16];
        system_random().fill_bytes(&mut secret);
        let secret = data_encoding::HEXLOWER.encode(&secret);
        let (login, until) = (who.account.login.clone(), now.plus_minutes(PLAN_MINUTES));
        let mut plans = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        plans.retain(|kept| now <= kept.until);
        while plans.len() >= MOST_PLANS {
            plans.pop_front();
        }
        plans.push_back(Kept { secret: secret.clone(), login, until, after: plan.after, shown });
        secret
    }

    /// Gives a preview once, to whom it was shown.
    fn take(&self, who: &Who, now: At, secret: &str) -> Option<Kept> {
        let mut plans = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let theirs = |kept: &Kept| {
            kept.secret == secret && kept.login == who.account.login && now <= kept.until
        };
        let at = plans.iter().position(theirs)?;
        plans.remove(at)
    }
}

/// What is shown after something was done.
#[derive(Default)]
struct Told {
    said: Option<String>,
    wrong: bool,
    /// A preview, and the secret under which it is taken.
    plan: Option<(PlanWords, String)>,
    /// What was typed, to be mended.
    typed: BTreeMap<String, String>,
}

impl Told {
    fn good(said: &str) -> Self {
        Self { said: Some(said.to_owned()), ..Self::default() }
    }

    fn wrong(said: impl Into<String>, typed: &BTreeMap<String, String>) -> Self {
        Self { said: Some(said.into()), wrong: true, typed: typed.clone(), plan: None }
    }

    fn status(&self) -> StatusCode {
        if self.wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }
    }
}

/// What lists are held against when somebody brings them.
fn setting<'a>(
    central: &'a Central,
    who: &'a Who,
    offices: &'a All,
    one: Option<&'a OfficeCode>,
) -> Setting<'a> {
    Setting {
        offices,
        in_files: central.offices.in_files(),
        unit: who.unit(),
        // Whoever is of one office need not name it.
        one: one.or(who.unit().0.as_ref()),
        forms: &central.config.forms,
        first_form: &central.config.first_form,
        signals: Some(central.config.signals),
        emptied: None,
        today: central.now().date(),
    }
}

/// `GET /directory`.
pub(super) async fn front(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Query(asked): Query<Asked>,
) -> Response {
    show_front(&central, asked.texts(&central.config), &who, Told::default())
}

fn show_front(central: &Central, texts: &Texts, who: &Who, told: Told) -> Response {
    let t = &texts.directory;
    let offices = central.offices();
    let theirs = offices.iter().filter(|one| who.has_office(&one.office.code));
    let rows: Vec<Value> = theirs
        .map(|directory| {
            let office = &directory.office;
            let today = central.now().date();
            let counters = directory.counters.iter().filter(|one| lasts(one.until, today)).count();
            let officials =
                directory.officials.iter().filter(|one| lasts(one.until, today)).count();
            json!({
                "code": office.code,
                "name": office.name,
                "href": in_language(central, texts, &format!("/directory/{}", office.code)),
                "size": fill(&t.size, &[("counters", &counters), ("officials", &officials)]),
                "ended": office.ended.as_ref().map(|ended| ended_text(ended, t)),
                "in_files": central.offices.in_files().contains(&office.code),
            })
        })
        .collect();
    let plan = told.plan.as_ref().map(|(plan, secret)| {
        json!({
            "changes": plan.changes.iter().take(SHOWN).collect::<Vec<_>>(),
            "more": plan.changes.len().checked_sub(SHOWN + 1).map(|n| fill(&t.plan_more, &[("n", &(n + 1))])),
            "problems": plan.problems.iter().take(SHOWN).collect::<Vec<_>>(),
            "passed_over": match plan.passed_over.as_slice() {
                [] => None,
                sheets => Some(fill(&t.passed_over, &[("sheets", &sheets.join(", "))])),
            },
            "outcome": plan.outcome(texts),
            "secret": secret,
            "can_apply": plan.problems.is_empty() && !plan.changes.is_empty(),
        })
    });
    let workbook = format!("{}/api/v1/directory?format=xlsx", central.config.staff_base());
    let here = in_language(central, texts, "/directory");
    let context = json!({
        "d": t,
        "offices": rows,
        "forms": forms(central, texts),
        "of_province": *who.unit() == Unit::PROVINCE,
        "plan": plan,
        "workbook": format!("{workbook}&lang={}", texts.language),
        "import": in_language(central, texts, "/directory/import"),
        "here": here,
        "typed": told.typed,
        "said": told.said,
        "wrong": told.wrong,
    });
    render(central, texts, Some(who), told.status(), "directory.html", context)
}

fn lasts(until: Option<Date>, today: Date) -> bool {
    until.is_none_or(|until| today <= until)
}

fn ended_text(ended: &Ended, t: &DirectoryTexts) -> String {
    let date = ended.until.strftime("%d/%m/%Y");
    match &ended.into {
        Some(into) => fill(&t.ended_into, &[("date", &date), ("into", into)]),
        None => fill(&t.ended, &[("date", &date)]),
    }
}

/// Forms that an office can have: their codes, and the question of the latest version.
fn forms(central: &Central, texts: &Texts) -> Vec<Value> {
    let mut forms: Vec<(&str, String)> = Vec::new();
    for form in central.config.forms.iter() {
        let question = crate::domain::form::in_language(&form.question, &texts.language);
        let question = question.replace('\n', " ");
        match forms.iter_mut().find(|(code, _)| *code == form.code) {
            Some((_, latest)) => *latest = question,
            None => forms.push((&form.code, question)),
        }
    }
    forms.sort_by_key(|(code, _)| *code != central.config.first_form);
    forms
        .into_iter()
        .map(|(code, question)| json!({ "code": code, "question": question }))
        .collect()
}

/// `POST /directory`: what is done is named by `do`.
pub(super) async fn change_front(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Query(asked): Query<Asked>,
    Form(typed): Form<BTreeMap<String, String>>,
) -> Response {
    let texts = asked.texts(&central.config);
    let t = &texts.directory;
    let told = match typed.get("do").map(String::as_str) {
        Some("apply") => {
            let secret = typed.get("plan").map_or("", String::as_str);
            match central.plans.take(&who, central.now(), secret) {
                None => Ok(Told::wrong(&t.plan_gone, &BTreeMap::new())),
                Some(kept) => {
                    let said = PlanWords { applied: true, ..kept.shown }.outcome(texts);
                    match central.change_offices(kept.after, who.person()).await {
                        Ok(()) => Ok(Told::good(&said)),
                        Err(ChangeError::Meanwhile) => {
                            Ok(Told::wrong(&t.plan_meanwhile, &BTreeMap::new()))
                        }
                        Err(ChangeError::Store(error)) => Err(error),
                    }
                }
            }
        }
        Some("add") => {
            // Whoever is of one office cannot add another.
            let code = typed.get(OFFICE).map(|code| code.trim().to_lowercase()).unwrap_or_default();
            let known = code.parse().ok().and_then(|code| central.directory(&code));
            if known.is_some() {
                Ok(Told::wrong(fill(&t.wrong_used, &[("code", &code)]), &typed))
            } else {
                let sheet = one_row(Kind::Offices, &typed, &[]);
                change(&central, texts, &who, None, None, &[sheet], &typed).await
            }
        }
        _ => Ok(Told::default()),
    };
    match told {
        Ok(told) => show_front(&central, texts, &who, told),
        Err(error) => busy(&central, texts, &error),
    }
}

/// Files, and the office of rows that name none.
struct Handed {
    uploads: Vec<Upload>,
    office: Option<OfficeCode>,
}

async fn handed(mut parts: Multipart) -> Result<Handed, String> {
    let mut handed = Handed { uploads: Vec::new(), office: None };
    let told = |error: axum::extract::multipart::MultipartError| error.body_text();
    while let Some(part) = parts.next_field().await.map_err(told)? {
        if part.name() == Some(OFFICE) {
            let text = part.text().await.map_err(told)?.trim().to_lowercase();
            if !text.is_empty() {
                let none = |_| format!("there is no office {text}");
                handed.office = Some(text.parse().map_err(none)?);
            }
        } else if let Some(name) = part.file_name().map(str::to_owned) {
            let bytes = part.bytes().await.map_err(told)?.to_vec();
            // A browser sends an empty file when none was chosen.
            if !name.is_empty() || !bytes.is_empty() {
                handed.uploads.push(Upload { name, bytes });
            }
        }
    }
    Ok(handed)
}

/// What files would change, worked out where it holds nobody up.
async fn planned(central: &Arc<Central>, who: &Arc<Who>, handed: Handed) -> Option<Plan> {
    // One at a time: each may unpack much.
    let _working = central.plans.working.acquire().await.ok()?;
    let (central, who) = (Arc::clone(central), Arc::clone(who));
    let plan = tokio::task::spawn_blocking(move || {
        let offices = central.offices();
        of_uploads(&handed.uploads, &setting(&central, &who, &offices, handed.office.as_ref()))
    });
    plan.await.ok()
}

/// `POST /directory/import`: what files would change, line by line.
pub(super) async fn import(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Query(asked): Query<Asked>,
    parts: Multipart,
) -> Response {
    let texts = asked.texts(&central.config);
    let t = &texts.directory;
    let told = match handed(parts).await {
        Ok(handed) => match planned(&central, &who, handed).await {
            Some(plan) => {
                let shown = words::of(&plan, texts);
                let wrong = !plan.problems.is_empty();
                let secret = central.plans.keep(&who, central.now(), plan, shown.clone());
                Told { plan: Some((shown, secret)), wrong, ..Told::default() }
            }
            None => Told::wrong(fill(&t.wrong_unreadable, &[("why", &"–")]), &BTreeMap::new()),
        },
        Err(why) => Told::wrong(fill(&t.wrong_unreadable, &[("why", &why)]), &BTreeMap::new()),
    };
    show_front(&central, texts, &who, told)
}

#[derive(Deserialize)]
pub(super) struct ByProgram {
    #[serde(default)]
    dry_run: bool,
    format: Option<String>,
    lang: Option<String>,
}

/// `POST /api/v1/directory`: the same for programs, done at once unless it is a dry run.
pub(super) async fn import_by_program(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Query(query): Query<ByProgram>,
    parts: Multipart,
) -> Result<Response, Problem> {
    let bad = |why: String| Problem::new(StatusCode::BAD_REQUEST, why);
    let texts = report::in_language(&central.config.texts, query.lang.as_deref());
    let texts = texts.map_err(|error| bad(error.to_string()))?;
    let handed = handed(parts).await.map_err(bad)?;
    let plan = planned(&central, &who, handed).await;
    let plan = plan.ok_or_else(|| bad("the files could not be worked through".into()))?;
    let mut shown = words::of(&plan, texts);
    let is_wrong = !plan.problems.is_empty();
    if !is_wrong && !query.dry_run && !plan.changes_nothing() {
        match central.change_offices(plan.after, who.person()).await {
            Ok(()) => shown.applied = true,
            Err(ChangeError::Store(error)) => return Err(error.into()),
            Err(error) => return Err(Problem::new(StatusCode::CONFLICT, error.to_string())),
        }
    }
    let status = if is_wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    match query.format.as_deref() {
        None | Some("json") => Ok((status, Json(shown)).into_response()),
        Some("table") => Ok((status, shown.table(texts)).into_response()),
        Some(_) => Err(bad("format is json or table".into())),
    }
}

/// `GET /api/v1/directory`: the offices as JSON, or as a workbook that an import takes.
pub(super) async fn download(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Query(query): Query<ByProgram>,
) -> Result<Response, Problem> {
    let offices = central.offices();
    let theirs: Vec<Arc<Directory>> =
        offices.iter().filter(|one| who.has_office(&one.office.code)).cloned().collect();
    let bad = |why: String| Problem::new(StatusCode::BAD_REQUEST, why);
    match query.format.as_deref() {
        None | Some("json") => {
            let plain: Vec<&Directory> = theirs.iter().map(Arc::as_ref).collect();
            Ok(Json(plain).into_response())
        }
        Some("xlsx") => {
            let texts = report::in_language(&central.config.texts, query.lang.as_deref());
            let texts = texts.map_err(|error| bad(error.to_string()))?;
            let bytes = workbook(&theirs, texts).map_err(|error| {
                tracing::error!(%error, "the directory as a workbook");
                let why = "the workbook could not be written";
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, why)
            })?;
            let name =
                format!("attachment; filename=\"hailong-danh-muc-{}.xlsx\"", central.now().date());
            let headers = [
                (header::CONTENT_TYPE, super::summary_data::XLSX.to_owned()),
                (header::CONTENT_DISPOSITION, name),
                (header::CACHE_CONTROL, "no-store".to_owned()),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
            ];
            Ok((headers, bytes).into_response())
        }
        Some(_) => Err(bad("format is json or xlsx".into())),
    }
}

/// A list of one row from what was typed; an empty field of `cleared` takes away what was there.
fn one_row(kind: Kind, typed: &BTreeMap<String, String>, cleared: &[&str]) -> Sheet {
    let columns: Vec<&str> = kind.columns().iter().map(|column| column.word).collect();
    let cell = |column: &&str| {
        let field = if *column == "form" { FORM_FIELD } else { column };
        let text = typed.get(field).map(|text| cell_of(text)).unwrap_or_default();
        if text.is_empty() && cleared.contains(column) { "-".to_owned() } else { text }
    };
    let cells = columns.iter().map(cell).collect();
    let heads = columns.iter().map(|column| (*column).to_owned()).collect();
    Sheet { name: kind.word().to_owned(), rows: vec![(1, heads), (2, cells)] }
}

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

/// Takes what was typed into a form.
async fn change(
    central: &Arc<Central>,
    texts: &Texts,
    who: &Who,
    office: Option<&OfficeCode>,
    emptied: Option<Kind>,
    sheets: &[Sheet],
    typed: &BTreeMap<String, String>,
) -> Result<Told, super::store::StoreError> {
    let t = &texts.directory;
    let offices = central.offices();
    let plan = of_sheets(sheets, &Setting { emptied, ..setting(central, who, &offices, office) });
    if !plan.problems.is_empty() {
        let shown = words::of(&plan, texts);
        let by_lines = emptied.is_some();
        let each = shown.problems.iter().map(|problem| {
            if by_lines {
                format!("{}: {}", problem.place, problem.wrong)
            } else {
                problem.wrong.clone()
            }
        });
        return Ok(Told::wrong(each.collect::<Vec<_>>().join(" · "), typed));
    }
    match central.change_offices(plan.after, who.person()).await {
        Ok(()) => Ok(Told::good(&t.saved)),
        Err(ChangeError::Meanwhile) => Ok(Told::wrong(&t.plan_meanwhile, typed)),
        Err(ChangeError::Store(error)) => Err(error),
    }
}

/// `GET /directory/{office}`.
pub(super) async fn office(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Path(code): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    show_office(&central, asked.texts(&central.config), &who, &code, Told::default()).await
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
    let known = code.parse::<OfficeCode>().ok().filter(|code| who.has_office(code));
    let Some(directory) = known.and_then(|code| central.directory(&code)) else {
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
        return show_office(&central, texts, &who, &code, told).await;
    }
    if typed.contains_key("new") {
        let id = typed.get("id").map(|id| id.trim().to_lowercase()).unwrap_or_default();
        let is_used = match Kind::of_word(&act) {
            Some(Kind::Counters) => directory.counters.iter().any(|one| one.id.as_str() == id),
            _ => directory.officials.iter().any(|one| one.id.as_str() == id),
        };
        if is_used {
            let said = fill(&texts.directory.wrong_used, &[("code", &id)]);
            return show_office(&central, texts, &who, &code, Told::wrong(said, &typed)).await;
        }
    }
    let (emptied, sheet) = match (act.as_str(), Kind::of_word(&act)) {
        ("end", _) => (None, one_row(Kind::Offices, &typed, &["until", "into"])),
        (_, Some(Kind::Offices)) => (None, one_row(Kind::Offices, &typed, &[])),
        (_, Some(kind @ Kind::Counters)) => (None, one_row(kind, &typed, &["branch", "until"])),
        (_, Some(kind @ Kind::Officials)) => (None, one_row(kind, &typed, &["title", "until"])),
        (_, Some(kind)) => (Some(kind), lines(kind, &typed, texts)),
        (_, None) => return show_office(&central, texts, &who, &code, Told::default()).await,
    };
    let told = change(&central, texts, &who, Some(&office), emptied, &[sheet], &typed).await;
    match told {
        Ok(told) => show_office(&central, texts, &who, &code, told).await,
        Err(error) => busy(&central, texts, &error),
    }
}

async fn show_office(
    central: &Central,
    texts: &Texts,
    who: &Who,
    code: &str,
    told: Told,
) -> Response {
    let t = &texts.directory;
    let known = code.parse::<OfficeCode>().ok().filter(|code| who.has_office(code));
    let Some(directory) = known.and_then(|code| central.directory(&code)) else {
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
