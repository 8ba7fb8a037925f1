//! `/check`: whether the rating that a check code names has arrived. One sentence, never what was
//! answered.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use axum::{Extension, Form};
use serde::Deserialize;
use serde_json::json;

use super::pages::Asked;
use super::phone;
use super::service::Central;
use super::source::Pace;
use super::store::Checked;
use crate::domain::check::CheckCode;
use crate::source::Peer;
use crate::texts::{Texts, fill};

/// How often one source may ask, here and for an enrolment: people of one house or hall, but nobody
/// who tries codes.
pub const PACE: Pace = {
    const PER_SECOND: NonZeroU32 = NonZeroU32::MIN;
    const AT_ONCE: NonZeroU32 = NonZeroU32::new(30).unwrap(); // ok: at compile time
    Pace { per_second: PER_SECOND, at_once: AT_ONCE }
};

/// `GET /check`: where to type the code.
pub async fn page(State(central): State<Arc<Central>>, Query(asked): Query<Asked>) -> Response {
    let texts = asked.texts(&central.config);
    show(&central, texts, None, "")
}

/// What was typed.
#[derive(Debug, Deserialize)]
pub struct Typed {
    code: String,
    lang: Option<String>,
}

/// `POST /check`: the answer.
pub async fn answer(
    State(central): State<Arc<Central>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Form(typed): Form<Typed>,
) -> Response {
    let asked = Asked { lang: typed.lang };
    let texts = asked.texts(&central.config);
    if let Err(seconds) = central.checking.ask(peer, &headers) {
        let mut refused = phone::refusal(&central, texts, StatusCode::TOO_MANY_REQUESTS);
        refused.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        return refused;
    }
    let p = &texts.public;
    let Ok(code) = typed.code.parse::<CheckCode>() else {
        return show(&central, texts, Some(("no_code", &p.check_no_code)), &typed.code);
    };
    let written = code.to_string();
    match central.store.check(code).await {
        Ok(Checked::NotHere) => {
            show(&central, texts, Some(("not_here", &p.check_not_here)), &written)
        }
        Ok(Checked::Received) => show(&central, texts, Some(("here", &p.check_received)), &written),
        Ok(Checked::Rooted(day)) => {
            let day = day.strftime("%d/%m/%Y");
            let sentence = fill(&p.check_rooted, &[("date", &day)]);
            show(&central, texts, Some(("here", &sentence)), &written)
        }
        Err(error) => {
            tracing::error!(%error, "store");
            phone::refusal(&central, texts, StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}

fn show(central: &Central, texts: &Texts, answer: Option<(&str, &str)>, code: &str) -> Response {
    let (kind, answer) = answer.unzip();
    let status =
        if kind == Some("no_code") { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let context = json!({ "kind": kind, "answer": answer, "code": code });
    phone::public(central, texts, status, "check.html", context)
}
