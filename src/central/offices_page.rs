//! All offices of a unit beside each other, on a day: what to look at, what to praise, and the way to each.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use jiff::civil::Date;
use serde_json::{Value, json};

use super::access::who::Who;
use super::pages::Asked;
use super::problem::Problem;
use super::service::Central;
use super::staff::{in_language, refuse, render};
use super::store::StoreError;
use super::store::sqlite::READERS;
use super::summary::SummaryError;
use crate::domain::comparison::{Against, Comparison, Line, compare};
use crate::domain::form::in_language as worded;
use crate::domain::ids::OfficeCode;
use crate::domain::office::Directory;
use crate::domain::period::{Kind, Period};
use crate::texts::{Texts, fill};

/// The day that somebody comes for: today, or the last one with a contact when nothing happened yet.
pub(super) async fn latest(central: &Central, who: &Who) -> Result<Date, StoreError> {
    let mut latest = None;
    for directory in central.offices().iter() {
        if who.has_office(&directory.office.code) {
            latest = latest.max(central.store.latest_day(&directory.office.code).await?);
        }
    }
    Ok(latest.unwrap_or_else(|| central.now().date()))
}

/// Offices beside each other, each as it is published; an office that is over by then is left out.
pub(super) async fn beside_each_other(
    central: &Arc<Central>,
    has: impl Fn(&OfficeCode) -> bool,
    date: Date,
) -> Result<Comparison, SummaryError> {
    let mut theirs = central.offices().to_vec();
    theirs.retain(|one| has(&one.office.code) && !one.office.is_over(date));
    // As many at once as there are connections that are kept: each further one would be opened for a single summary.
    let summaries = stream::iter(theirs).map(|directory| {
        let central = Arc::clone(central);
        let made = tokio::spawn(async move { line_of(&central, &directory, date).await });
        async { made.await.map_err(|error| StoreError::Refused(error.to_string()))? }
    });
    let lines = summaries.buffer_unordered(READERS).try_collect::<Vec<_>>().await?;
    let lines: Vec<_> = lines.into_iter().flatten().collect();
    Ok(compare(date, lines))
}

/// `GET /offices/{day}`.
pub(super) async fn page(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Path(day): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    let texts = asked.texts(&central.config);
    let Some(date) = known_day(&central, &day) else {
        return refuse(&central, texts, Some(&who), true, StatusCode::NOT_FOUND);
    };
    let comparison = match beside_each_other(&central, |office| who.has_office(office), date).await
    {
        Ok(comparison) => comparison,
        Err(error) => {
            tracing::error!(%error, "offices beside each other");
            return refuse(&central, texts, Some(&who), true, StatusCode::SERVICE_UNAVAILABLE);
        }
    };
    let t = &texts.offices;
    let address =
        |line: &Line| in_language(&central, texts, &format!("/summary/{}/{date}", line.office));
    let all = || comparison.groups.iter().flat_map(|group| &group.offices);
    let named =
        |line: &Line, why: String| json!({ "name": line.name, "href": address(line), "why": why });
    let attention: Vec<Value> = all()
        .filter(|line| line.wants_attention())
        .map(|line| named(line, attention_text(line, texts)))
        .collect();
    let praised: Vec<Value> = all()
        .filter(|line| line.against == Against::Above)
        .map(|line| named(line, t.above.clone()))
        .collect();
    let groups: Vec<Value> = comparison
        .groups
        .iter()
        .map(|group| {
            let form = central.config.forms.in_force(&group.form, date);
            let question =
                form.map(|form| worded(&form.question, &texts.language).replace('\n', " "));
            let satisfied =
                form.iter().flat_map(|form| &form.levels).filter(|level| level.satisfied);
            let satisfied: Vec<String> = satisfied
                .map(|level| worded(&level.label, &texts.language).replace('\n', " "))
                .collect();
            let offices: Vec<Value> = group
                .offices
                .iter()
                .map(|line| json!({ "of": line, "href": address(line) }))
                .collect();
            json!({ "of": group, "question": question, "satisfied": satisfied, "offices": offices })
        })
        .collect();
    let day = |date: Date| {
        let label = format!("{:02}/{:02}", date.day(), date.month());
        json!({ "href": in_language(&central, texts, &format!("/offices/{date}")), "label": label })
    };
    let today = central.now().date();
    let (n, rated) = (all().count(), all().filter(|line| line.n > 0).count());
    let context = json!({
        "o": t,
        "date_long": texts.summary.period(Period::day(date)),
        "total": fill(&t.total, &[("n", &n), ("rated", &rated)]),
        "groups": groups,
        "attention": attention,
        "praised": praised,
        "prev": date.yesterday().ok().map(day),
        "next": date.tomorrow().ok().filter(|next| *next <= today).map(day),
        "json_href": format!("{}/api/v1/offices/{date}", central.config.staff_base()),
    });
    render(&central, texts, Some(&who), StatusCode::OK, "offices.html", context)
}

/// An office on a day, under its form; nothing before its form was in force, for there is nothing to compare.
async fn line_of(
    central: &Central,
    directory: &Directory,
    date: Date,
) -> Result<Option<(String, Line)>, SummaryError> {
    let office = &directory.office;
    match central.summaries(directory).of_day(date).await {
        Ok(summary) => Ok(Some((office.form.clone(), Line::of(office.name.clone(), &summary)))),
        Err(SummaryError::NoForm(..)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A day by its name, up to today.
fn known_day(central: &Central, day: &str) -> Option<Date> {
    let period = day.parse::<Period>().ok().filter(|period| period.kind() == Kind::Day)?;
    Some(period.from()).filter(|date| *date <= central.now().date())
}

/// Why somebody should look at an office.
pub(super) fn attention_text(line: &Line, texts: &Texts) -> String {
    let t = &texts.offices;
    let counted = |text: &str, n: usize| (n > 0).then(|| fill(text, &[("n", &n)]));
    let reasons = [
        (line.against == Against::Below).then(|| t.below.clone()),
        counted(&t.silent, line.dark_kiosks),
        counted(&t.down, line.down),
        counted(&t.signals, line.signals),
    ];
    reasons.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// `GET /api/v1/offices/{day}`: the same figures.
pub(super) async fn api(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Path(day): Path<String>,
) -> Result<Response, Problem> {
    let date = if day == "latest" {
        latest(&central, &who).await?
    } else {
        let no_day = "expected a day such as 2026-11-24, not after today";
        known_day(&central, &day).ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, no_day))?
    };
    match beside_each_other(&central, |office| who.has_office(office), date).await {
        Ok(comparison) => Ok(Json(comparison).into_response()),
        Err(SummaryError::Store(error)) => Err(error.into()),
        Err(error) => Err(Problem::new(StatusCode::NOT_FOUND, error.to_string())),
    }
}

/// Where all offices of whoever reads a page stand beside it, if there are others.
pub(super) fn way_up(central: &Central, texts: &Texts, who: &Who, date: Date) -> Option<String> {
    let theirs = central.offices();
    let several = theirs.iter().filter(|one| who.has_office(&one.office.code)).nth(1).is_some();
    let today = central.now().date();
    let day = if date > today { today } else { date };
    several.then(|| in_language(central, texts, &format!("/offices/{day}")))
}
