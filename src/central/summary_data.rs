//! A summary as data: JSON as it is published, a table, a spreadsheet.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;

use super::access::who::Who;
use super::problem::Problem;
use super::service::Central;
use super::spreadsheet::{Spreadsheet, SpreadsheetError};
use super::store::StoreError;
use super::summary::SummaryError;
use super::{report, table};
use crate::domain::access::View;
use crate::domain::ids::OfficeCode;
use crate::domain::office::Directory;
use crate::domain::period::{NoPeriod, Period};
use crate::domain::summary::{Rise, Summary};

/// What an XLSX is called on the way.
pub(super) const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
/// What a CSV is called on the way.
pub(super) const CSV: &str = "text/csv; charset=utf-8";

/// Why there is no summary.
pub(super) enum Missing {
    /// No such office, or another's.
    Office,
    /// Not a period.
    Period,
    /// Nothing happened yet.
    NoDay,
    /// The summary.
    Summary(SummaryError),
}

impl From<StoreError> for Missing {
    fn from(error: StoreError) -> Self {
        Self::Summary(error.into())
    }
}

impl From<SummaryError> for Missing {
    fn from(error: SummaryError) -> Self {
        Self::Summary(error)
    }
}

impl Missing {
    /// The status of an answer that says so.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Summary(SummaryError::Store(_)) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::NOT_FOUND,
        }
    }
}

/// The summary of an office's period for whoever asks, with the complaints that are given far more often than usual; who is noted to have looked if it shows officials.
pub(super) async fn find(
    central: &Central,
    who: &Who,
    (office, date): (&str, &str),
    view: View,
) -> Result<(Arc<Directory>, Summary, Vec<Rise>), Missing> {
    let code: OfficeCode = office.parse().map_err(|_| Missing::Office)?;
    // One of another unit is as one that is not there.
    let directory = central.directory(&code).filter(|_| who.has_office(&code));
    let directory = directory.ok_or(Missing::Office)?;
    let period = if date == "latest" {
        Period::day(central.store.latest_day(&code).await?.ok_or(Missing::NoDay)?)
    } else {
        date.parse().map_err(|_| Missing::Period)?
    };
    // Of days to come there is nothing to tell.
    if period.from() > central.now().date() {
        return Err(Missing::NoDay);
    }
    let summaries = central.summaries(&directory);
    let (summary, rises) = summaries.with_rises(period).await?;
    if summary.by_official.iter().any(|row| row.n > 0 || row.withheld > 0) {
        let days = (summary.date, summary.to.unwrap_or(summary.date));
        central.store.looked(who.person(), code, days, view).await?;
    }
    // What it is called, and what is, as of then.
    Ok((summaries.directory(period).await?, summary, rises))
}

/// In which form, and in which language.
#[derive(Deserialize)]
pub(super) struct Format {
    pub format: Option<String>,
    pub lang: Option<String>,
}

/// A file to be kept, never by browsers or caches on the way.
pub(super) fn file(kind: &str, name: &str, bytes: Vec<u8>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    (headers, bytes).into_response()
}

/// A spreadsheet could not be written.
pub(super) fn unwritten(error: SpreadsheetError) -> Problem {
    tracing::error!(%error, "spreadsheet");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the spreadsheet could not be written")
}

/// `GET /api/v1/summary/{office}/{period}`.
pub(super) async fn api(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Path((office, date)): Path<(String, String)>,
    Query(query): Query<Format>,
) -> Result<Response, Problem> {
    let offices = central.offices();
    let own = offices.iter().map(|directory| &directory.office.code);
    let own: Vec<&OfficeCode> = own.filter(|code| who.has_office(code)).collect();
    let office = match (office.as_str(), own.as_slice()) {
        ("only", [only]) => only.to_string(),
        _ => office,
    };
    let view = match query.format.as_deref() {
        Some("csv" | "xlsx") => View::File,
        _ => View::Data,
    };
    // Before anybody is noted to have looked.
    let bad = |why: String| Problem::new(StatusCode::BAD_REQUEST, why);
    let texts = report::in_language(&central.config.texts, query.lang.as_deref());
    let texts = texts.map_err(|error| bad(error.to_string()))?;
    if !matches!(query.format.as_deref(), None | Some("json" | "table" | "csv" | "xlsx")) {
        return Err(bad("format is json, table, csv or xlsx".into()));
    }
    let found = find(&central, &who, (&office, &date), view).await;
    let (directory, summary, _) = found.map_err(|missing| {
        let detail = match missing {
            Missing::Office => "no such office; name one with --office".to_owned(),
            Missing::Period => NoPeriod.to_string(),
            Missing::NoDay => "there is no day with a contact yet".to_owned(),
            Missing::Summary(SummaryError::Store(error)) => return Problem::from(error),
            Missing::Summary(error) => error.to_string(),
        };
        Problem::new(StatusCode::NOT_FOUND, detail)
    })?;
    let forms = &central.forms();
    let sheet = Spreadsheet::of(&summary, &directory, forms, texts);
    let name =
        |extension: &str| format!("hailong-{}-{}.{extension}", summary.office, summary.period());
    match query.format.as_deref() {
        Some("table") => Ok(table::of(&summary, &directory, forms, texts).into_response()),
        Some("csv") => Ok(file(CSV, &name("csv"), sheet.csv().map_err(unwritten)?)),
        Some("xlsx") => Ok(file(XLSX, &name("xlsx"), sheet.xlsx().map_err(unwritten)?)),
        _ => Ok(Json(&summary).into_response()),
    }
}
