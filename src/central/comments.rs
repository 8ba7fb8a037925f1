//! What citizens wrote to an office about a day, once the day is over.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::access::who::Who;
use super::problem::Problem;
use super::service::Central;
use super::store::StoreError;
use crate::domain::comments::released;
use crate::domain::ids::OfficeCode;

/// What citizens wrote to an office about a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comments {
    /// The office.
    pub office: OfficeCode,
    /// The day.
    pub date: Date,
    /// Whether the day is over: before that nothing is told, not even how many there are.
    pub released: bool,
    /// What was written, with numbers masked.
    pub comments: Vec<String>,
}

/// Those of a day, if it is over.
pub(super) async fn of_day(
    central: &Central,
    office: &OfficeCode,
    date: Date,
) -> Result<Comments, StoreError> {
    let is_over = date < central.now().date();
    let texts = if is_over { central.store.comments(office, date).await? } else { Vec::new() };
    let comments = released(texts);
    Ok(Comments { office: office.clone(), date, released: is_over, comments })
}

/// `GET /api/v1/comments/{office}/{day}`.
pub(super) async fn api(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Path((office, day)): Path<(String, String)>,
) -> Result<Json<Comments>, Problem> {
    let missing = |why: &str| Problem::new(StatusCode::NOT_FOUND, why);
    let known = office.parse::<OfficeCode>().ok().filter(|office| who.has_office(office));
    let office = known.filter(|office| central.directory(office).is_some());
    let office = office.ok_or_else(|| missing("no such office"))?;
    let day = day.parse().map_err(|_| missing("expected a day such as 2026-11-24"))?;
    Ok(Json(of_day(&central, &office, day).await?))
}
