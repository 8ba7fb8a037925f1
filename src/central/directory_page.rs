//! The directory as administrators change it: all offices, and lists from spreadsheets, shown before they are taken.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Multipart, Query, State};
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
use super::directory_sheets::workbook;
use super::import::plan::{Plan, Setting};
use super::import::rows::{self, Kind, OFFICE};
use super::import::sheets::{Sheet, Upload, cell as cell_of};
use super::import::words::PlanWords;
use super::import::{of_sheets, of_uploads, words};
use super::offices::{All, Change, ChangeError};
use super::pages::Asked;
use super::problem::Problem;
use super::report;
use super::service::Central;
use super::staff::{in_language, render};
use super::store::StoreError;
use crate::domain::access::Unit;
use crate::domain::ids::{Login, OfficeCode};
use crate::domain::office::{Directory, Ended};
use crate::domain::system_random;
use crate::domain::time::At;
use crate::texts::{DirectoryTexts, Texts, fill};

/// Lines of a preview that are shown; the others are counted.
const SHOWN: usize = 400;
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
    after: Vec<Change>,
    shown: PlanWords,
}

/// Changes that somebody was shown and has not decided about.
pub(super) struct Plans {
    kept: Mutex<VecDeque<Kept>>,
    working: Arc<Semaphore>,
}

impl Default for Plans {
    fn default() -> Self {
        Self { kept: Mutex::default(), working: Arc::new(Semaphore::new(1)) }
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
pub(super) struct Told {
    pub said: Option<String>,
    pub wrong: bool,
    /// A preview, and the secret under which it is taken.
    plan: Option<(PlanWords, String)>,
    /// What was typed, to be mended.
    pub typed: BTreeMap<String, String>,
}

impl Told {
    pub(super) fn good(said: &str) -> Self {
        Self { said: Some(said.to_owned()), ..Self::default() }
    }

    pub(super) fn wrong(said: impl Into<String>, typed: &BTreeMap<String, String>) -> Self {
        Self { said: Some(said.into()), wrong: true, typed: typed.clone(), plan: None }
    }

    pub(super) fn status(&self) -> StatusCode {
        if self.wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }
    }
}

/// What lists are held against when somebody brings them.
fn setting<'a>(
    central: &'a Central,
    who: &'a Who,
    from: Date,
    offices: &'a All,
    one: Option<&'a OfficeCode>,
) -> Setting<'a> {
    Setting {
        offices,
        in_files: central.offices.in_files(),
        unit: who.unit(),
        // Whoever is of one office need not name it.
        one: one.or(who.unit().0.as_ref()),
        forms: central.forms(),
        first_form: &central.config.first_form,
        signals: Some(central.config.signals),
        emptied: None,
        from,
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
        "today": central.now().date(),
        "rating_forms": {
            "href": in_language(central, texts, "/forms"),
            "label": texts.forms.link,
        },
        "typed": told.typed,
        "said": told.said,
        "wrong": told.wrong,
    });
    render(central, texts, Some(who), told.status(), "directory.html", context)
}

pub(super) fn lasts(until: Option<Date>, today: Date) -> bool {
    until.is_none_or(|until| today <= until)
}

pub(super) fn ended_text(ended: &Ended, t: &DirectoryTexts) -> String {
    let date = ended.until.strftime("%d/%m/%Y");
    match &ended.into {
        Some(into) => fill(&t.ended_into, &[("date", &date), ("into", into)]),
        None => fill(&t.ended, &[("date", &date)]),
    }
}

/// Forms that an office can have: their codes, and the question of the latest version.
pub(super) fn forms(central: &Central, texts: &Texts) -> Vec<Value> {
    let known = central.forms();
    let mut forms: Vec<(&str, String)> = Vec::new();
    for form in known.iter() {
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
                    put_in_force(&central, texts, &who, kept.after, &said, &typed).await
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
                let today = central.now().date();
                change(&central, texts, &who, (today, None), None, &[sheet], &typed).await
            }
        }
        _ => Ok(Told::default()),
    };
    match told {
        Ok(told) => show_front(&central, texts, &who, told),
        Err(error) => busy(&central, texts, &error),
    }
}

/// Files, the office of rows that name none, and from which day on they hold.
struct Handed {
    uploads: Vec<Upload>,
    office: Option<OfficeCode>,
    from: String,
}

/// A day from which on something holds, as it was typed or as programs write it: today if that is left open.
///
/// # Errors
/// When it is no day, or over; with what was typed.
pub(super) fn first_day(text: &str, today: Date) -> Result<Date, String> {
    if text.trim().is_empty() {
        return Ok(today);
    }
    let day = rows::date(text.trim()).filter(|day| *day >= today);
    day.ok_or_else(|| text.trim().to_owned())
}

async fn handed(mut parts: Multipart) -> Result<Handed, String> {
    let mut handed = Handed { uploads: Vec::new(), office: None, from: String::new() };
    let told = |error: axum::extract::multipart::MultipartError| error.body_text();
    while let Some(part) = parts.next_field().await.map_err(told)? {
        if part.name() == Some(OFFICE) {
            let text = part.text().await.map_err(told)?.trim().to_lowercase();
            if !text.is_empty() {
                let none = |_| format!("there is no office {text}");
                handed.office = Some(text.parse().map_err(none)?);
            }
        } else if part.name() == Some("from") {
            handed.from = part.text().await.map_err(told)?;
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
async fn planned(
    central: &Arc<Central>,
    who: &Arc<Who>,
    from: Date,
    handed: Handed,
) -> Option<Plan> {
    // One at a time, to its end even if nobody waits for it any more: each may unpack much.
    let working = Arc::clone(&central.plans.working).acquire_owned().await.ok()?;
    let (central, who) = (Arc::clone(central), Arc::clone(who));
    let plan = tokio::task::spawn_blocking(move || {
        let _working = working;
        let offices = central.offices.on(from);
        let setting = setting(&central, &who, from, &offices, handed.office.as_ref());
        of_uploads(&handed.uploads, &setting)
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
        Ok(handed) => match first_day(&handed.from, central.now().date()) {
            Err(day) => Told::wrong(fill(&t.wrong_from, &[("day", &day)]), &BTreeMap::new()),
            Ok(from) => match planned(&central, &who, from, handed).await {
                Some(plan) => {
                    let shown = words::of(&plan, texts).from(from, central.now().date());
                    let wrong = !plan.problems.is_empty();
                    let secret = central.plans.keep(&who, central.now(), plan, shown.clone());
                    Told { plan: Some((shown, secret)), wrong, ..Told::default() }
                }
                None => Told::wrong(fill(&t.wrong_unreadable, &[("why", &"–")]), &BTreeMap::new()),
            },
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
    from: Option<String>,
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
    // Before anything is done: a program that hears no has changed nothing.
    let as_table = match query.format.as_deref() {
        None | Some("json") => false,
        Some("table") => true,
        Some(_) => return Err(bad("format is json or table".into())),
    };
    let today = central.now().date();
    let handed = handed(parts).await.map_err(bad)?;
    let from = first_day(query.from.as_deref().unwrap_or(&handed.from), today)
        .map_err(|day| bad(format!("from is today or a day to come, not {day}")))?;
    let plan = planned(&central, &who, from, handed).await;
    let plan = plan.ok_or_else(|| bad("the files could not be worked through".into()))?;
    let mut shown = words::of(&plan, texts).from(from, today);
    let is_wrong = !plan.problems.is_empty();
    if !is_wrong && !query.dry_run && !plan.changes_nothing() {
        match central.change_offices(plan.after, who.person()).await {
            Ok(()) => shown.applied = true,
            Err(ChangeError::Store(error)) => return Err(error.into()),
            Err(error) => return Err(Problem::new(StatusCode::CONFLICT, error.to_string())),
        }
    }
    let status = if is_wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(if as_table {
        (status, shown.table(texts)).into_response()
    } else {
        (status, Json(shown)).into_response()
    })
}

/// `GET /api/v1/directory`: the offices as JSON, or as a workbook that an import takes.
pub(super) async fn download(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Query(query): Query<ByProgram>,
) -> Result<Response, Problem> {
    let bad = |why: String| Problem::new(StatusCode::BAD_REQUEST, why);
    let from = first_day(query.from.as_deref().unwrap_or_default(), central.now().date())
        .map_err(|day| bad(format!("from is today or a day to come, not {day}")))?;
    let offices = central.offices.on(from);
    let theirs: Vec<Arc<Directory>> =
        offices.iter().filter(|one| who.has_office(&one.office.code)).cloned().collect();
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
pub(super) fn one_row(kind: Kind, typed: &BTreeMap<String, String>, cleared: &[&str]) -> Sheet {
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

/// Takes what was typed into a form.
pub(super) async fn change(
    central: &Arc<Central>,
    texts: &Texts,
    who: &Who,
    (from, office): (Date, Option<&OfficeCode>),
    emptied: Option<Kind>,
    sheets: &[Sheet],
    typed: &BTreeMap<String, String>,
) -> Result<Told, StoreError> {
    let offices = central.offices.on(from);
    let setting = setting(central, who, from, &offices, office);
    let plan = of_sheets(sheets, &Setting { emptied, ..setting });
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
    put_in_force(central, texts, who, plan.after, &texts.directory.saved, typed).await
}

/// Puts what was planned in force, and says so; or that somebody else was quicker.
pub(super) async fn put_in_force(
    central: &Arc<Central>,
    texts: &Texts,
    who: &Who,
    after: Vec<Change>,
    said: &str,
    typed: &BTreeMap<String, String>,
) -> Result<Told, StoreError> {
    match central.change_offices(after, who.person()).await {
        Ok(()) => Ok(Told::good(said)),
        Err(ChangeError::Meanwhile) => Ok(Told::wrong(&texts.directory.plan_meanwhile, typed)),
        Err(ChangeError::Store(error)) => Err(error),
    }
}
