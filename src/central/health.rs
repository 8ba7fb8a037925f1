//! What watches the service from outside asks: whether it lives, whether it can work, and how it is.
//!
//! `/healthz` and `/readyz` tell anybody a word. `/metrics` is in the text format of OpenMetrics, for whoever may see
//! kiosks, with a token; it has no figure of what citizens answered.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::access::who::Who;
use super::kiosks::is_silent;
use super::problem::Problem;
use super::service::Central;
use super::store::{Standing, StoreError};

/// What metrics in this format are called on the way.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A request as it is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    /// `citizens` or `staff`.
    listener: &'static str,
    /// `2xx` to `5xx`.
    status: &'static str,
}

/// What is counted since the service started.
#[derive(Default)]
pub struct Meters {
    requests: Family<Answered, Counter>,
}

/// Counts what the citizens' listener answers.
pub(super) async fn count_citizens(
    State(central): State<Arc<Central>>,
    request: Request,
    next: Next,
) -> Response {
    counted(&central, "citizens", next.run(request).await)
}

/// Counts what the staff's listener answers.
pub(super) async fn count_staff(
    State(central): State<Arc<Central>>,
    request: Request,
    next: Next,
) -> Response {
    counted(&central, "staff", next.run(request).await)
}

fn counted(central: &Central, listener: &'static str, response: Response) -> Response {
    let status = match response.status().as_u16() {
        500.. => "5xx",
        400.. => "4xx",
        300.. => "3xx",
        _ => "2xx",
    };
    central.meters.requests.get_or_create(&Answered { listener, status }).inc();
    response
}

/// `GET /healthz`: the process answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the store can be asked; 503 otherwise.
pub(super) async fn ready(State(central): State<Arc<Central>>) -> Response {
    match central.store.roots(1).await {
        Ok(_) => "ok\n".into_response(),
        Err(error) => {
            tracing::error!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the store cannot be asked\n").into_response()
        }
    }
}

/// `GET /metrics`: of the kiosks of whoever asks, and of the service.
pub(super) async fn metrics(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
) -> Result<Response, Problem> {
    let registry = registry(&central, &who).await?;
    let mut text = String::new();
    encode(&mut text, &registry)
        .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}

async fn registry(central: &Central, who: &Who) -> Result<Registry, StoreError> {
    let (heard, matters) = (central.store.heard().await?, central.store.matters().await?);
    let (matters, now) = (matters.within(who.unit()), central.now());
    let theirs: Vec<_> = heard.iter().filter(|one| who.has_office(&one.office)).collect();
    let mut registry = Registry::with_prefix("hailong");
    let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "The program", version);
    let requests = central.meters.requests.clone();
    registry.register("requests", "Requests answered since the start", requests);
    let kiosks = Family::<[(&'static str, &'static str); 1], Gauge>::default();
    for (word, standing) in [("in_use", true), ("other", false)] {
        let n = theirs.iter().filter(|one| (one.standing == Standing::InUse) == standing).count();
        kiosks.get_or_create(&[("standing", word)]).set(n as i64);
    }
    registry.register("kiosks", "Kiosks that are admitted", kiosks);
    let conditions = theirs.iter().filter_map(|one| Some(&one.heartbeat.as_ref()?.condition));
    let waiting: u64 =
        conditions.clone().fold(0, |sum: u64, condition| sum.saturating_add(condition.queue));
    let troubled = conditions.filter(|condition| condition.trouble.is_some()).count();
    let open = matters.findings.iter().filter(|one| !one.settled).count();
    for (name, help, value) in [
        (
            "kiosks_silent",
            "Kiosks in use of which nothing was heard for a quarter of an hour",
            theirs.iter().filter(|one| is_silent(one, now)).count() as i64,
        ),
        ("kiosks_in_trouble", "Kiosks that said that something is in their way", troubled as i64),
        (
            "kiosk_lines_waiting",
            "Lines that wait at kiosks, as they said last",
            i64::try_from(waiting).unwrap_or(i64::MAX),
        ),
        ("holes", "Runs of lines that are missing", matters.holes.len() as i64),
        ("findings", "Findings that nobody has settled", open as i64),
    ] {
        let gauge: Gauge = Gauge::default();
        gauge.set(value);
        registry.register(name, help, gauge);
    }
    Ok(registry)
}
