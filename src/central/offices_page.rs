//! All offices of a unit beside each other, on a day or in a longer period: what to look at, what to praise, and the way to each.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Json};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use jiff::civil::Date;
use serde_json::{Value, json};

use super::access::sign_in_page::busy;
use super::access::who::Who;
use super::pages::Asked;
use super::problem::Problem;
use super::service::Central;
use super::staff::{in_language, render};
use super::store::StoreError;
use super::store::sqlite::READERS;
use super::summary::SummaryError;
use super::summary_data::{CSV, Format, Missing, XLSX, file, unwritten};
use super::summary_page::{Chosen, missing_page, printed, views};
use super::{offices_sheet, offices_table, report};
use crate::domain::comparison::{Against, Comparison, Line, compare};
use crate::domain::form::in_language as worded;
use crate::domain::ids::OfficeCode;
use crate::domain::period::{Kind, Period};
use crate::texts::Texts;

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

/// More days than these are worked out for one reader at a time.
const LONG: usize = 92;

/// Offices beside each other, each as it is published; an office that was over before is left out.
pub(super) async fn beside_each_other(
    central: &Arc<Central>,
    has: impl Fn(&OfficeCode) -> bool,
    period: Period,
) -> Result<Comparison, SummaryError> {
    let is_long = period.days().count() > LONG;
    let _one = if is_long { central.comparing.acquire().await.ok() } else { None };
    let mut theirs = central.offices().to_vec();
    theirs.retain(|one| has(&one.office.code) && !one.office.is_over(period.from()));
    // As many at once as there are connections that are kept: each further one would be opened for a single summary.
    let summaries = stream::iter(theirs).map(|directory| {
        let central = Arc::clone(central);
        let made = tokio::spawn(async move { central.summaries(&directory).line(period).await });
        async { made.await.map_err(|error| StoreError::Refused(error.to_string()))? }
    });
    let lines = summaries.buffer_unordered(READERS).try_collect::<Vec<_>>().await?;
    let lines: Vec<_> = lines.into_iter().flatten().collect();
    Ok(compare(period, lines))
}

/// `GET /offices`: the days that were chosen; those that somebody comes for, when none were.
pub(super) async fn chosen(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Query(chosen): Query<Chosen>,
) -> Response {
    let asked = chosen.asked();
    let texts = asked.texts(&central.config);
    let period = match chosen.period() {
        Some(Some(period)) => period,
        Some(None) => return missing_page(&central, texts, &who, &Missing::Period),
        None => match latest(&central, &who).await {
            Ok(day) => Period::day(day),
            Err(error) => return busy(&central, texts, &error),
        },
    };
    let page = in_language(&central, texts, &format!("/offices/{period}"));
    Redirect::to(&page).into_response()
}

/// `GET /offices/{period}`.
pub(super) async fn page(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Path(period): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    let texts = asked.texts(&central.config);
    let Some(period) = known_period(&central, &period) else {
        return missing_page(&central, texts, &who, &Missing::Period);
    };
    let has = |office: &OfficeCode| who.has_office(office);
    let comparison = match beside_each_other(&central, has, period).await {
        Ok(comparison) => comparison,
        Err(error) => return missing_page(&central, texts, &who, &error.into()),
    };
    let t = &texts.offices;
    let address =
        |line: &Line| in_language(&central, texts, &format!("/summary/{}/{period}", line.office));
    let forms = central.forms();
    let today = central.now().date();
    let day = period.to().min(today).max(period.from());
    let named =
        |line: &Line, why: String| json!({ "name": line.name, "href": address(line), "why": why });
    let attention: Vec<Value> = comparison
        .wanting_attention()
        .map(|line| named(line, offices_table::why(&forms, line, texts)))
        .collect();
    let praised: Vec<Value> = comparison
        .lines()
        .filter(|line| line.against == Against::Above)
        .map(|line| named(line, t.above.clone()))
        .collect();
    let groups: Vec<Value> = comparison
        .groups
        .iter()
        .map(|group| {
            let form = forms.in_force(&group.form, day);
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
    let page = |period: Period| in_language(&central, texts, &format!("/offices/{period}"));
    let other = |other: Period| {
        let label = match other.kind() {
            Kind::Day => other.from().strftime("%d/%m").to_string(),
            _ => texts.summary.period(other),
        };
        json!({ "href": page(other), "label": label })
    };
    let data = |format: &str| {
        let (base, lang) = (central.config.staff_base(), &texts.language);
        format!("{base}/api/v1/offices/{period}?format={format}&lang={lang}")
    };
    let context = json!({
        "o": t,
        "date_long": texts.summary.period(period),
        "printed": printed(&texts.summary, today),
        "is_day": period.kind() == Kind::Day,
        "views": views(&texts.summary, day, period, page),
        "choose_href": format!("{}/offices", central.config.staff_base()),
        "from": period.from(),
        "to": period.to(),
        "total": offices_table::total(&comparison, texts),
        "groups": groups,
        "attention": attention,
        "praised": praised,
        "prev": period.previous().map(other),
        "next": period.next().filter(|next| next.from() <= today).map(other),
        "json_href": data("json"),
        "csv_href": data("csv"),
        "xlsx_href": data("xlsx"),
    });
    render(&central, texts, Some(&who), StatusCode::OK, "offices.html", context)
}

/// A period by its name, if it has begun.
fn known_period(central: &Central, period: &str) -> Option<Period> {
    let period = period.parse::<Period>().ok()?;
    (period.from() <= central.now().date()).then_some(period)
}

/// `GET /api/v1/offices/{period}`: the same figures, as JSON, a table or a spreadsheet.
pub(super) async fn api(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Path(period): Path<String>,
    Query(query): Query<Format>,
) -> Result<Response, Problem> {
    let bad = |why: String| Problem::new(StatusCode::BAD_REQUEST, why);
    let texts = report::in_language(&central.config.texts, query.lang.as_deref());
    let texts = texts.map_err(|error| bad(error.to_string()))?;
    let format = query.format.as_deref();
    if !matches!(format, None | Some("json" | "table" | "csv" | "xlsx")) {
        return Err(bad("format is json, table, csv or xlsx".into()));
    }
    let period = if period == "latest" {
        Period::day(latest(&central, &who).await?)
    } else {
        let no_period = "expected a day or a period that has begun, such as 2026-11-24 or 2026-W48";
        let known = known_period(&central, &period);
        known.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, no_period))?
    };
    let has = |office: &OfficeCode| who.has_office(office);
    let comparison = match beside_each_other(&central, has, period).await {
        Ok(comparison) => comparison,
        Err(SummaryError::Store(error)) => return Err(error.into()),
        Err(error) => return Err(Problem::new(StatusCode::NOT_FOUND, error.to_string())),
    };
    let last = period.to().min(central.now().date()).max(period.from());
    match format {
        Some("table") => {
            Ok(offices_table::of(&comparison, last, &central.forms(), texts).into_response())
        }
        Some("csv") => {
            let bytes = offices_sheet::csv(&comparison).map_err(unwritten)?;
            Ok(file(CSV, &format!("hailong-{period}.csv"), bytes))
        }
        Some("xlsx") => {
            let bytes = offices_sheet::xlsx(&comparison, texts).map_err(unwritten)?;
            Ok(file(XLSX, &format!("hailong-{period}.xlsx"), bytes))
        }
        _ => Ok(Json(comparison).into_response()),
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
