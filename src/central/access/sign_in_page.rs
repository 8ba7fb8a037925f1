//! Where staff sign in and out.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use serde::Deserialize;
use serde_json::json;

use super::sign_in::{Refusal, begin, browser_mark, knows_browser};
use super::who::{BROWSER, SESSION, Who, cookie, encoded, set_cookie};
use crate::central::pages::Asked;
use crate::central::service::Central;
use crate::central::staff::{in_language, refuse, render};
use crate::central::store::StoreError;
use crate::domain::ids::Login;
use crate::source::Peer;
use crate::texts::{Texts, fill};

/// How long a browser is known again, in days.
const BROWSER_DAYS: u32 = 366;
/// Longest address that is gone back to.
const LONGEST_NEXT: usize = 1_000;

/// What a sign-in page was asked with.
#[derive(Debug, Deserialize)]
pub struct Next {
    lang: Option<String>,
    next: Option<String>,
}

/// What was typed there.
#[derive(Deserialize)]
pub struct Typed {
    #[serde(default)]
    login: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    code: String,
    lang: Option<String>,
    next: Option<String>,
}

/// An address within this listener, or its front page.
fn within(next: Option<&str>) -> &str {
    let next = next.unwrap_or("/");
    let inner = next.starts_with('/') && !next.starts_with("//") && next.len() <= LONGEST_NEXT;
    let plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if inner && plain { next } else { "/" }
}

fn sign_in_page(
    central: &Central,
    texts: &Texts,
    status: StatusCode,
    (login, next): (&str, &str),
    said: Option<String>,
) -> Response {
    let keep = if next == "/" { String::new() } else { format!("&next={}", encoded(next)) };
    let context = json!({ "login": login, "next": next, "said": said, "keep": keep });
    render(central, texts, None, status, "sign-in.html", context)
}

/// `GET /sign-in`.
pub async fn sign_in(State(central): State<Arc<Central>>, Query(asked): Query<Next>) -> Response {
    let texts = Asked { lang: asked.lang }.texts(&central.config);
    let next = within(asked.next.as_deref());
    sign_in_page(&central, texts, StatusCode::OK, ("", next), None)
}

/// `POST /sign-in`.
pub async fn signed_in(
    State(central): State<Arc<Central>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Form(typed): Form<Typed>,
) -> Response {
    let texts = Asked { lang: typed.lang }.texts(&central.config);
    // Another site could sign its visitor in here under an account of its own, and read what they do under it.
    if headers.get("sec-fetch-site").is_some_and(|from| from == "cross-site") {
        return refuse(&central, texts, None, true, StatusCode::FORBIDDEN);
    }
    let next = within(typed.next.as_deref());
    let known =
        cookie(&headers, BROWSER).is_some_and(|mark| knows_browser(&central, &typed.login, mark));
    let what = (typed.login.as_str(), typed.password.as_str(), typed.code.as_str());
    let checked = match central.sign_ins.pace(peer, &headers) {
        Ok(()) => central.sign_ins.check(&central, what, known).await,
        Err(refusal) => Err(refusal),
    };
    match checked {
        Ok(account) => match welcome(&central, &account.login, next).await {
            Ok(response) => response,
            Err(error) => {
                let (status, said) = refused(texts, &Refusal::Store(error));
                sign_in_page(&central, texts, status, (&typed.login, next), Some(said))
            }
        },
        Err(refusal) => {
            let (status, said) = refused(texts, &refusal);
            let mut page = sign_in_page(&central, texts, status, (&typed.login, next), Some(said));
            if let Refusal::Wait(seconds) = refusal {
                page.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            }
            page
        }
    }
}

/// Why somebody is not let in, in words.
pub(super) fn refused(texts: &Texts, refusal: &Refusal) -> (StatusCode, String) {
    let t = &texts.access;
    match refusal {
        Refusal::Wrong => (StatusCode::UNAUTHORIZED, t.wrong.clone()),
        Refusal::CodeNeeded => (StatusCode::UNAUTHORIZED, t.code_needed.clone()),
        Refusal::Wait(seconds) => {
            let minutes = seconds.div_ceil(60);
            (StatusCode::TOO_MANY_REQUESTS, fill(&t.wait, &[("minutes", &minutes)]))
        }
        Refusal::Store(error) => {
            tracing::error!(%error, "signing in");
            (StatusCode::SERVICE_UNAVAILABLE, texts.summary.busy.clone())
        }
    }
}

/// Begins a session in the browser that asked, and leads on.
pub(super) async fn welcome(
    central: &Central,
    login: &Login,
    next: &str,
) -> Result<Response, StoreError> {
    let secret = begin(central, login).await?;
    let base = central.config.staff_base();
    let mut response = Redirect::to(&format!("{base}{next}")).into_response();
    let mark = browser_mark(central, login);
    let headers = response.headers_mut();
    headers.append(header::SET_COOKIE, set_cookie(central, SESSION, &secret, None));
    headers.append(header::SET_COOKIE, set_cookie(central, BROWSER, &mark, Some(BROWSER_DAYS)));
    Ok(response)
}

/// `GET /enter/{secret}`: a demo's door.
pub async fn enter(
    State(central): State<Arc<Central>>,
    Path(secret): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    let texts = asked.texts(&central.config);
    let Some(login) = central.sign_ins.door(&secret) else {
        return refuse(&central, texts, None, true, StatusCode::NOT_FOUND);
    };
    match welcome(&central, &login, &in_language_path(&central, texts, "/")).await {
        Ok(response) => response,
        Err(error) => busy(&central, texts, &error),
    }
}

/// The same without the staff's base.
pub(super) fn in_language_path(central: &Central, texts: &Texts, path: &str) -> String {
    let whole = in_language(central, texts, path);
    whole[central.config.staff_base().len()..].to_owned()
}

/// The store did not answer.
pub(in crate::central) fn busy(central: &Central, texts: &Texts, error: &StoreError) -> Response {
    tracing::error!(%error, "an account's page");
    refuse(central, texts, None, true, StatusCode::SERVICE_UNAVAILABLE)
}

/// `POST /sign-out`.
pub async fn sign_out(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Query(asked): Query<Asked>,
) -> Response {
    let texts = asked.texts(&central.config);
    if let Some((session, _)) = who.session()
        && let Err(error) = central.store.end_session(session).await
    {
        return busy(&central, texts, &error);
    }
    let mut response = Redirect::to(&in_language(&central, texts, "/sign-in")).into_response();
    let gone = set_cookie(&central, SESSION, "", Some(0));
    response.headers_mut().append(header::SET_COOKIE, gone);
    response
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn nobody_is_led_away_from_this_listener() {
        for inner in ["/", "/summary/phu-sa/2026-11?lang=en", "/account"] {
            assert_eq!(within(Some(inner)), inner);
        }
        for outer in
            ["", "//a.vn/", "https://a.vn/", "/\\a.vn", "a", "/a b", "/a\r\nSet-Cookie: b", "/ắ"]
        {
            assert_eq!(within(Some(outer)), "/", "{outer:?}");
        }
        assert_eq!(within(Some(&format!("/{}", "a".repeat(1_000)))), "/");
        assert_eq!(within(None), "/");
    }
}
