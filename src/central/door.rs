//! What every request passes on its way in and out: the pace of its source, and a refusal that says
//! something to whoever reads it.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{Query, Request};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};

use super::pages::{Asked, is_for_eyes};
use super::problem::Problem;
use super::service::Central;
use super::source::{Approach, Gate};
use crate::source::Peer;
use crate::texts::Texts;

/// A page for people who are refused something.
type Page = fn(&Central, &Texts, StatusCode) -> Response;

/// Longest sentence of a refusal, in bytes; of a longer one the end is left out.
const LONGEST: usize = 4_096;
/// Most of a library's sentence that is read.
const MOST: usize = 1024 * 1024;

/// The routes, behind a door; `page` is what it shows to people whom it, or what is behind it,
/// refuses without a word of its own.
pub fn before(routes: Router, central: &Arc<Central>, how: Approach, page: Page) -> Router {
    let gate = Arc::new(Gate::new(how.pace, how.proxied));
    let central = Arc::clone(central);
    let pass = move |Extension(peer): Extension<Peer>, request: Request, next: Next| {
        let (gate, central) = (Arc::clone(&gate), Arc::clone(&central));
        async move {
            let reader = Reader::of(request.uri(), request.headers());
            let refusal = |status| page(&central, reader.asked.texts(&central.config), status);
            if let Err(seconds) = gate.ask(peer, request.headers()) {
                if !reader.has_eyes {
                    return Problem::too_often(seconds).into_response();
                }
                let mut response = refusal(StatusCode::TOO_MANY_REQUESTS);
                response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
                return response;
            }
            let response = next.run(request).await;
            let status = response.status();
            if !status.is_client_error() || is_typed(&response) {
                response
            } else if reader.has_eyes {
                refusal(status)
            } else {
                let (head, body) = response.into_parts();
                let sentence = to_bytes(body, MOST).await.unwrap_or_default();
                let sentence = String::from_utf8_lossy(&sentence);
                let sentence = &sentence[..sentence.floor_char_boundary(LONGEST)];
                let mut problem = Problem::new(status, sentence).into_response();
                // Of a method that is not there: which ones are (RFC 9110, 15.5.6).
                if let Some(allow) = head.headers.get(header::ALLOW) {
                    problem.headers_mut().insert(header::ALLOW, allow.clone());
                }
                problem
            }
        }
    };
    routes.layer(middleware::from_fn(pass))
}

/// Who reads an answer.
struct Reader {
    has_eyes: bool,
    asked: Asked,
}

impl Reader {
    fn of(uri: &Uri, headers: &HeaderMap) -> Self {
        let asked = Query::try_from_uri(uri).map_or_else(|_| Asked::default(), |Query(q)| q);
        Self { has_eyes: is_for_eyes(headers), asked }
    }
}

/// Whether an answer is a page or a problem, and not a sentence of a library.
fn is_typed(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| !kind.as_bytes().starts_with(b"text/plain"))
}
