//! What kiosks are told from day to day, at their asking.

use std::sync::Arc;

use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use super::service::{Central, in_use};
use super::store::Kiosk;
use crate::domain::configuration::{Configuration, is_asked};
use crate::domain::enrolment::ToCome;
use crate::domain::ids::{Hash, KioskId};
use crate::domain::office::Directory;

/// Most states to come of which a kiosk is told.
const MOST_TO_COME: usize = 12;

/// A kiosk's configuration by what is in force now.
pub fn of(central: &Central, kiosk: &Kiosk) -> Option<Configuration> {
    let directory = central.directory(&kiosk.office)?;
    let config = &central.config;
    let to_come = to_come(central, kiosk);
    let own = |form: &&crate::domain::form::Form| {
        let mut shown =
            std::iter::once(&*directory).chain(to_come.iter().map(|one| &one.directory));
        shown.any(|one| one.office.form == form.code)
    };
    let texts = config.texts.iter().map(serde_json::to_value).collect::<Result<_, _>>().ok()?;
    Some(Configuration {
        kiosk: kiosk.id.clone(),
        counters: kiosk.counters.clone(),
        public_url: config.public_url.clone(),
        directory: directory.for_kiosk(),
        forms: central.forms().iter().filter(own).cloned().collect(),
        to_come,
        texts,
        staff_codes: config.staff_codes.get(&kiosk.office).cloned().unwrap_or_default(),
        procedures: config.procedures.get(&kiosk.office).map(|(hash, _)| *hash),
    })
}

/// What a kiosk's office will be: as far as it has the kiosk's counters, for a kiosk without them cannot start.
fn to_come(central: &Central, kiosk: &Kiosk) -> Vec<ToCome> {
    let to_come = central.offices.to_come(&kiosk.office, central.now().date());
    let usable = |directory: &Directory| {
        kiosk.counters.iter().all(|counter| directory.counter(counter).is_some())
    };
    let to_come = to_come.into_iter().filter(|(_, directory)| usable(directory)).take(MOST_TO_COME);
    to_come.map(|(from, one)| ToCome { from, directory: one.for_kiosk() }).collect()
}

/// `GET /api/v1/configuration/{kiosk}`: signed for the kiosk that asks, or nothing when it has it.
pub(super) async fn get(
    State(central): State<Arc<Central>>,
    UrlPath(kiosk): UrlPath<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let stranger = || {
        let why = "the request is not signed by the key of a kiosk that is admitted here";
        Problem::new(StatusCode::UNAUTHORIZED, why)
    };
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let id: KioskId = kiosk.parse().map_err(|_| stranger())?;
    let signature = text("hailong-signature").unwrap_or_default();
    let known = central.kiosk(&id).await?.filter(|kiosk| is_asked(&kiosk.key, &id, signature));
    let kiosk = in_use(Some(known.ok_or_else(stranger)?))?;
    let gone = || Problem::new(StatusCode::NOT_FOUND, "the kiosk's office is not here any more");
    let configuration = of(&central, &kiosk).ok_or_else(gone)?;
    let body = serde_json::to_vec(&configuration)
        .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    let tag = format!("\"{}\"", Hash::of(&body));
    if text("if-none-match") == Some(tag.as_str()) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let key = central.keys.receipt_for(kiosk.receipt_key.as_deref());
    let headers = [
        (header::CONTENT_TYPE.as_str(), "application/json".to_owned()),
        (header::ETAG.as_str(), tag),
        ("hailong-signature", Configuration::sign(key, &body)),
    ];
    Ok((headers, body).into_response())
}
