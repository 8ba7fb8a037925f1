//! What an administrator or an auditor asks of a running service by command: enrolment codes, what a
//! person should look at, decisions, erasures, archives, a rebuild. `staff.rs` keeps the doors.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::access::who::Who;
use super::decide::{DecideError, Erasure};
use super::export::{self, ExportError};
use super::problem::Problem;
use super::service::{CODE_MINUTES, Central};
use super::store::{Matters, Rebuilt};
use crate::domain::decision::{BadDecision, Decision};
use crate::domain::enrolment::Counters;
use crate::domain::ids::{Epoch, KioskId, OfficeCode};

/// What an enrolment code is asked for with.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeRequest {
    /// The kiosk's name to be.
    pub kiosk: KioskId,
    /// Its office.
    pub office: OfficeCode,
    /// The counters it will serve: one code, or a list for a hall.
    pub counter: Counters,
}

/// An enrolment code.
#[derive(Debug, Serialize, Deserialize)]
pub struct CodeReply {
    /// The one-time code.
    pub code: String,
    /// How long it is valid.
    pub minutes: i64,
    /// The address under which kiosks find this service. An earlier version does not tell it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub service: String,
}

pub(super) async fn enrolment_code(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Json(asked): Json<CodeRequest>,
) -> Result<Json<CodeReply>, Problem> {
    offer_code(&central, &who, asked).await.map(Json)
}

/// Makes a code for whoever asks, if the office is theirs to ask for.
pub(super) async fn offer_code(
    central: &Central,
    who: &Who,
    asked: CodeRequest,
) -> Result<CodeReply, Problem> {
    let bad = |detail: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
    let directory = central
        .directory(&asked.office)
        .filter(|_| who.has_office(&asked.office))
        .ok_or_else(|| bad(format!("no office {} here", asked.office)))?;
    if let Some(unknown) = asked.counter.iter().find(|id| directory.counter(id).is_none()) {
        return Err(bad(format!("the office has no counter {unknown}")));
    }
    if asked.kiosk.is_central() {
        return Err(bad("central is the service's own name".into()));
    }
    let known = central.store.kiosk(&asked.kiosk).await?;
    if known.is_some_and(|known| {
        (known.office, known.counters) != (asked.office.clone(), asked.counter.clone())
    }) {
        let why = "is admitted already, for other counters; give the new one another name";
        return Err(bad(format!("a kiosk {} {why}", asked.kiosk)));
    }
    let code = central.offer(asked.kiosk, asked.office, asked.counter).await?;
    let service = central.config.public_url.clone();
    Ok(CodeReply { code, minutes: CODE_MINUTES, service })
}

pub(super) async fn matters(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
) -> Result<Json<Matters>, Problem> {
    Ok(Json(central.store.matters().await?.within(who.unit())))
}

/// Where a decision was taken down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// The epoch of its line in the own series.
    pub epoch: Epoch,
    /// The line's number.
    pub seq: u64,
}

pub(super) async fn decide(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Json(decision): Json<Decision>,
) -> Result<Json<Taken>, Problem> {
    let person = said_by(&who, &decision.person)?;
    taken(central.decide(Decision { person, ..decision }, who.unit().clone()).await)
}

pub(super) async fn erase(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Json(asked): Json<Erasure>,
) -> Result<Json<Taken>, Problem> {
    let person = said_by(&who, &asked.person)?;
    taken(central.erase(Erasure { person, ..asked }, who.unit()).await)
}

/// Whoever is named decided it, and this account says so.
fn said_by(who: &Who, person: &str) -> Result<String, Problem> {
    if person.trim().is_empty() {
        let why = BadDecision::Words.to_string();
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why));
    }
    Ok(format!("{person} ({})", who.person()))
}

fn taken(result: Result<(Epoch, u64), DecideError>) -> Result<Json<Taken>, Problem> {
    match result {
        Ok((epoch, seq)) => Ok(Json(Taken { epoch, seq })),
        Err(DecideError::Store(error)) => Err(error.into()),
        Err(error) => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())),
    }
}

/// Which days, and whether with answers.
#[derive(Debug, Deserialize)]
pub(super) struct ExportQuery {
    from: Option<Date>,
    to: Option<Date>,
    #[serde(default)]
    opened: bool,
}

/// An archive as it is written, for an auditor.
pub(super) async fn whole_export(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Query(ExportQuery { from, to, opened }): Query<ExportQuery>,
) -> Result<Response, Problem> {
    let asked = export::Asked { from, to, opened };
    let handed = match export::of_service(central, asked, who.person()).await {
        Ok(handed) => handed,
        Err(ExportError::Store(error)) => return Err(error.into()),
        Err(error) => {
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()));
        }
    };
    let next = |mut handed: mpsc::Receiver<_>| async { Some((handed.recv().await?, handed)) };
    let body = Body::from_stream(futures_util::stream::unfold(handed, next));
    Ok(([(header::CONTENT_TYPE, "application/jsonl")], body).into_response())
}

/// Takes as long as the journals are.
pub(super) async fn rebuild(State(central): State<Arc<Central>>) -> Result<Json<Rebuilt>, Problem> {
    let under_way = || Problem::busy("a rebuild is under way already", 60);
    Ok(Json(central.rebuild().await?.ok_or_else(under_way)?))
}
