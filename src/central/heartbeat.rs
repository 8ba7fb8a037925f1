//! What kiosks say of their condition: the last word of each is kept, with the service's own time.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, StatusCode};

use super::problem::Problem;
use super::service::{Central, in_use};
use super::store::Heartbeat;
use crate::domain::condition::{Condition, is_signed};
use crate::domain::ids::KioskId;

/// `POST /api/v1/heartbeat/{kiosk}`.
pub(super) async fn post(
    State(central): State<Arc<Central>>,
    UrlPath(kiosk): UrlPath<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    let stranger = || {
        let why = "the heartbeat is not signed by the key of a kiosk that is admitted here";
        Problem::new(StatusCode::UNAUTHORIZED, why)
    };
    let body = body?;
    let id: KioskId = kiosk.parse().map_err(|_| stranger())?;
    let signature = headers.get("hailong-signature").and_then(|value| value.to_str().ok());
    let signature = signature.unwrap_or_default();
    let known = central.kiosk(&id).await?;
    let known = known.filter(|kiosk| is_signed(&kiosk.key, &id, &body, signature));
    in_use(Some(known.ok_or_else(stranger)?))?;
    let condition: Condition = serde_json::from_slice(&body).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, format!("the heartbeat cannot be read: {error}"))
    })?;
    let heartbeat = Heartbeat { received: central.now(), condition: condition.plain() };
    central.store.hear(id, heartbeat).await?;
    Ok(StatusCode::NO_CONTENT)
}
