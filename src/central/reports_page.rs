//! Reports of violations, for a reader outside of the office: what is due by when, and what was done.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Form};
use jiff::civil::Date;
use serde_json::{Value, json};

use super::access::sign_in_page::busy;
use super::access::who::Who;
use super::pages::Asked;
use super::service::Central;
use super::staff::render;
use super::store::{Decided, StoreError, Written};
use crate::domain::decision::{Decision, What};
use crate::domain::form::Reader;
use crate::domain::ids::Hash;
use crate::domain::office::Directory;
use crate::domain::report::{Awaited, Step, awaited};
use crate::texts::{ReportsTexts, Texts, fill};

/// `GET /reports`.
pub(super) async fn page(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Query(asked): Query<Asked>,
) -> Response {
    let texts = asked.texts(&central.config);
    show(&central, texts, &who, None).await
}

/// A report, and what was done with it.
struct Report {
    written: Written,
    steps: Vec<Decided>,
    awaited: Option<Awaited>,
}

impl Report {
    fn last(&self) -> Option<Step> {
        self.steps.last().and_then(step)
    }

    /// What is due first comes first, and what is done last.
    fn order(&self) -> (bool, Option<Date>, std::cmp::Reverse<crate::domain::time::At>) {
        let by = self.awaited.map(|one| one.by);
        (by.is_none(), by, std::cmp::Reverse(self.written.received))
    }
}

fn step(one: &Decided) -> Option<Step> {
    match one.decision.what {
        What::Handled { step, .. } => Some(step),
        _ => None,
    }
}

async fn all(central: &Central) -> Result<Vec<Report>, StoreError> {
    let mut steps: HashMap<Hash, Vec<Decided>> = HashMap::new();
    for one in central.store.handlings().await? {
        if let What::Handled { report, .. } = one.decision.what {
            steps.entry(report).or_default().push(one);
        }
    }
    let today = central.now().date();
    let written = central.store.words(Reader::Authority).await?;
    let mut reports: Vec<Report> = written
        .into_iter()
        .map(|written| {
            let steps = steps.remove(&written.id).unwrap_or_default();
            let taken: Vec<_> = steps.iter().filter_map(|one| Some((step(one)?, one.at))).collect();
            let directory = central.directory(&written.office);
            let works = |date: Date| works_on(directory.as_deref(), date);
            let limits = &central.config.report_days;
            let awaited = awaited(written.received, &taken, limits, &works, today);
            Report { written, steps, awaited }
        })
        .collect();
    reports.sort_by_key(Report::order);
    Ok(reports)
}

/// Whether an office works on a day, by its calendar; one that is over, or has none, on all but the weekend.
fn works_on(directory: Option<&Directory>, date: Date) -> bool {
    let has_days = |one: &&Directory| {
        !one.office.is_over(date) && (one.calendar.is_some() || !one.roster.is_empty())
    };
    match directory.filter(has_days) {
        Some(directory) => !directory.open_on(date).is_empty(),
        None => date.weekday().to_monday_one_offset() <= 5,
    }
}

async fn show(central: &Central, texts: &Texts, who: &Who, said: Option<(&str, bool)>) -> Response {
    let reports = match all(central).await {
        Ok(reports) => reports,
        Err(error) => return busy(central, texts, &error),
    };
    let r = &texts.reports;
    let is_overdue = |one: &&Report| one.awaited.is_some_and(|awaited| awaited.is_overdue);
    let overdue = reports.iter().filter(is_overdue).count();
    let rows = |done: bool| -> Vec<Value> {
        let some = reports.iter().filter(|one| one.awaited.is_none() == done);
        some.map(|one| row(central, texts, one)).collect()
    };
    let status = match said {
        Some((_, true)) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::OK,
    };
    let context = json!({
        "r": r,
        "total": fill(&r.total, &[("n", &reports.len()), ("overdue", &overdue)]),
        "open": rows(false),
        "done": rows(true),
        "said": said.map(|(said, _)| said),
        "wrong": said.is_some_and(|(_, wrong)| wrong),
    });
    render(central, texts, Some(who), status, "reports.html", context)
}

fn row(central: &Central, texts: &Texts, report: &Report) -> Value {
    let r = &texts.reports;
    let written = &report.written;
    let directory = central.directory(&written.office);
    let directory = directory.as_deref();
    let counter = written.counter.as_ref().and_then(|id| directory?.counter(id));
    let official = written.official.as_ref().and_then(|id| directory?.official(id));
    let day = |date: Date| date.strftime("%d/%m/%Y").to_string();
    let steps: Vec<Value> = report
        .steps
        .iter()
        .map(|one| {
            let name = step(one).map_or("", |step| name(r, step));
            let decision = &one.decision;
            json!({ "day": day(one.at.date()), "name": name, "person": decision.person, "note": decision.reason })
        })
        .collect();
    let last = report.last();
    let choices = Step::ALL.into_iter().filter(|step| {
        step.may_follow(last)
            && (*step != Step::Asked || report.awaited.is_some_and(|one| one.ask_by.is_some()))
    });
    let choices: Vec<Value> = choices
        .map(|step| {
            json!({
                "step": step,
                "label": action(r, step),
                "note": note(r, step),
                "needed": step != Step::Accepted,
            })
        })
        .collect();
    json!({
        "id": written.id,
        "office": directory.map_or(written.office.as_str(), |directory| &directory.office.name),
        "day": written.day,
        "received": day(written.received.date()),
        "counter": counter.map(|counter| texts.counter_and_name(counter)),
        "official": official.map(|official| &official.name),
        "text": written.text,
        "state": last.map_or(r.waiting.as_str(), |step| name(r, step)),
        "due": report.awaited.map(|one| due(r, &one)),
        "overdue": report.awaited.is_some_and(|one| one.is_overdue),
        "ask_by": report.awaited.and_then(|one| one.ask_by).map(|by| fill(&r.ask_by, &[("day", &day(by))])),
        "steps": steps,
        "choices": choices,
    })
}

/// “Giải quyết trước hết ngày 18/12/2026: còn 3 ngày làm việc”.
fn due(r: &ReportsTexts, awaited: &Awaited) -> String {
    let day = awaited.by.strftime("%d/%m/%Y").to_string();
    let what = match awaited.step {
        Step::Resolved => &r.due_resolve,
        Step::Published => &r.due_publish,
        _ => &r.due_accept,
    };
    let n = awaited.left;
    let left = match (awaited.is_overdue, n) {
        (true, 0) => r.overdue_now.clone(),
        (true, _) => fill(&r.overdue, &[("n", &n)]),
        (false, ..=1) => r.last_day.clone(),
        (false, _) => fill(&r.left, &[("n", &n)]),
    };
    format!("{}: {left}", fill(what, &[("day", &day)]))
}

fn name(r: &ReportsTexts, step: Step) -> &str {
    match step {
        Step::Accepted => &r.accepted,
        Step::Refused => &r.refused,
        Step::Asked => &r.asked,
        Step::Resolved => &r.resolved,
        Step::Published => &r.published,
        Step::Unknown => "",
    }
}

fn action(r: &ReportsTexts, step: Step) -> &str {
    match step {
        Step::Accepted => &r.accept,
        Step::Refused => &r.refuse,
        Step::Asked => &r.ask,
        Step::Resolved => &r.resolve,
        Step::Published => &r.publish,
        Step::Unknown => "",
    }
}

fn note(r: &ReportsTexts, step: Step) -> &str {
    match step {
        Step::Accepted => &r.accept_note,
        Step::Refused => &r.refuse_note,
        Step::Asked => &r.ask_note,
        Step::Resolved => &r.resolve_note,
        Step::Published | Step::Unknown => &r.publish_note,
    }
}

/// `POST /reports`: a step in handling one.
pub(super) async fn change(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Query(asked): Query<Asked>,
    Form(typed): Form<BTreeMap<String, String>>,
) -> Response {
    let texts = asked.texts(&central.config);
    let r = &texts.reports;
    let field = |name: &str| typed.get(name).map_or("", String::as_str).trim();
    if field("do") != "step" {
        return show(&central, texts, &who, None).await;
    }
    // One step at a time: of two at once the second is looked at after the first.
    let _one = central.handling.lock().await;
    let reports = match all(&central).await {
        Ok(reports) => reports,
        Err(error) => return busy(&central, texts, &error),
    };
    let step = Step::ALL.into_iter().find(|step| json!(step) == json!(field("step")));
    let report = field("report").parse::<Hash>().ok();
    let report = report.and_then(|id| reports.iter().find(|one| one.written.id == id));
    // Somebody else may have been quicker.
    let (Some(report), Some(step)) = (report, step) else {
        return show(&central, texts, &who, Some((&r.gone, true))).await;
    };
    let too_late = step == Step::Asked && report.awaited.is_none_or(|one| one.ask_by.is_none());
    if !step.may_follow(report.last()) || too_late {
        return show(&central, texts, &who, Some((&r.gone, true))).await;
    }
    let written = field("note");
    let reason = match (step, written) {
        (Step::Accepted, "") => r.accepted.clone(),
        _ => written.to_owned(),
    };
    let account = &who.account;
    let what =
        What::Handled { office: report.written.office.clone(), report: report.written.id, step };
    let decision =
        Decision { what, person: format!("{} ({})", account.name, account.login), reason };
    if decision.check().is_err() {
        return show(&central, texts, &who, Some((&r.shape, true))).await;
    }
    match central.handle_report(decision).await {
        Ok(()) => show(&central, texts, &who, Some((&r.said, false))).await,
        Err(error) => busy(&central, texts, &error),
    }
}
