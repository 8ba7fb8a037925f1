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
use crate::domain::period::{Kind, Period};
use crate::domain::ticket::VALID_MINUTES;
use crate::domain::time::At;

/// What citizens wrote to an office about a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comments {
    /// The office.
    pub office: OfficeCode,
    /// The day.
    pub date: Date,
    /// Whether the day is over: before that nothing is told, not even how many there are. What was written on
    /// phones is told once all tickets of the day are expired.
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
    let now = central.now();
    let is_over = date < now.date();
    // Phones write for as long as tickets are valid: each would be seen to appear.
    let last_ticket = At::from_civil(date.at(23, 59, 59, 0)).plus_minutes(VALID_MINUTES);
    let by_phone = now > last_ticket;
    let texts =
        if is_over { central.store.comments(office, date, by_phone).await? } else { Vec::new() };
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
    let day = day.parse().ok().filter(|period: &Period| period.kind() == Kind::Day);
    let day = day.ok_or_else(|| missing("expected a day such as 2026-11-24"))?;
    Ok(Json(of_day(&central, &office, day.from()).await?))
}
