//! Who asks, found out before any handler is asked, and whether they may.

use std::sync::Arc;

use axum::RequestExt;
use axum::body::{Body, Bytes};
use axum::extract::{Multipart, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Form, http};
use futures_util::StreamExt;
use serde::Deserialize;

use super::account::{Account, Session, Token};
use super::sign_in::{form_secret, same};
use super::{IDLE_MINUTES, LONGEST_MINUTES};
use crate::central::address::is_https;
use crate::central::pages::{Asked, is_for_eyes};
use crate::central::problem::Problem;
use crate::central::service::{Central, MAX_FORM, MAX_UPLOAD};
use crate::central::staff;
use crate::central::store::StoreError;
use crate::domain::access::{Right, Unit};
use crate::domain::ids::{Hash, OfficeCode};
use crate::texts::Texts;

/// The cookie of a session.
pub const SESSION: &str = "hailong_session";
/// The cookie of a browser in which somebody signed in before.
pub const BROWSER: &str = "hailong_browser";
/// What every token begins with, so that one that was left lying about is found.
pub const TOKEN: &str = "hl_";

/// Somebody, and what they asked with.
#[derive(Debug, Clone)]
pub struct Who {
    /// Their account.
    pub account: Account,
    by: By,
}

#[derive(Debug, Clone)]
enum By {
    Session(Session, String),
    Token(Token),
}

impl Who {
    /// Whether they have a right, for their unit at least.
    pub fn may(&self, right: Right) -> bool {
        self.account.standing.may(right)
            && match &self.by {
                By::Session(..) => true,
                By::Token(token) => right.is_for_tokens() && token.rights.contains(&right),
            }
    }

    /// For whom they have their rights.
    pub fn unit(&self) -> &Unit {
        &self.account.standing.unit
    }

    /// Whether what is an office's is theirs to ask for.
    pub fn has_office(&self, office: &OfficeCode) -> bool {
        self.unit().has_office(office)
    }

    /// As lines name them.
    pub fn person(&self) -> String {
        self.account.login.to_string()
    }

    /// The session, if they have one: its secret's hash, and what its forms carry.
    pub fn session(&self) -> Option<(Hash, &str)> {
        match &self.by {
            By::Session(session, form) => Some((session.secret, form)),
            By::Token(_) => None,
        }
    }
}

/// A cookie's value.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut each = all.flat_map(|cookies| cookies.split("; "));
    each.find_map(|cookie| cookie.strip_prefix(name)?.strip_prefix('='))
}

/// A cookie for this listener alone, gone with the browser, or after so many days.
pub fn set_cookie(central: &Central, name: &str, value: &str, days: Option<u32>) -> HeaderValue {
    let base = central.config.staff_base();
    let path = if base.is_empty() { "/" } else { base };
    let https = central.config.staff_url.as_deref().is_some_and(is_https);
    let secure = if https { "; Secure" } else { "" };
    let age = days.map(|days| format!("; Max-Age={}", days * 86_400)).unwrap_or_default();
    // A link in a mail leads here signed in: forms carry a secret of their own.
    let text = format!("{name}={value}; Path={path}; HttpOnly; SameSite=Lax{secure}{age}");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// Who asks by these headers, if anybody whom we know.
async fn known(central: &Central, headers: &HeaderMap) -> Result<Option<Who>, StoreError> {
    let now = central.now();
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if let Some(bearer) = bearer {
        let Some(secret) = bearer.strip_prefix("Bearer ") else { return Ok(None) };
        let found = central.store.token(Hash::of(secret.as_bytes())).await?;
        let found = found.filter(|(token, account)| {
            !account.closed && now.date() <= token.until && secret.starts_with(TOKEN)
        });
        return Ok(found.map(|(token, account)| Who { account, by: By::Token(token) }));
    }
    let Some(secret) = cookie(headers, SESSION) else { return Ok(None) };
    let secret = Hash::of(secret.as_bytes());
    let Some((session, account)) = central.store.session(secret).await? else { return Ok(None) };
    let over = now > session.used.plus_minutes(IDLE_MINUTES)
        || now > session.begun.plus_minutes(LONGEST_MINUTES);
    if account.closed || over {
        return Ok(None);
    }
    if now.minute() > session.used.minute() {
        central.store.use_session(secret, now).await?;
    }
    let form = form_secret(central, secret);
    Ok(Some(Who { account, by: By::Session(session, form) }))
}

/// What every form of a session carries.
#[derive(Deserialize)]
struct Carried {
    #[serde(default)]
    form: String,
}

/// What is too long is read to its end and thrown away, up to so many bytes: whoever is still sending when the answer
/// comes sees a broken line in its place.
const MOST_DISCARDED: usize = 64 * 1024 * 1024;

/// The whole of what is sent, if it is no longer than `most` bytes.
async fn whole(body: Body, most: usize) -> Result<Bytes, StatusCode> {
    let (mut pieces, mut kept, mut length) = (body.into_data_stream(), Vec::new(), 0_usize);
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| StatusCode::BAD_REQUEST)?;
        length = length.saturating_add(piece.len());
        if length <= most {
            kept.extend_from_slice(&piece);
        } else if length > MOST_DISCARDED {
            break;
        } else {
            kept = Vec::new();
        }
    }
    if length <= most { Ok(kept.into()) } else { Err(StatusCode::PAYLOAD_TOO_LARGE) }
}

/// Whether what changes something was sent by the session's own page, if it is a session's. Gives the request back.
async fn is_own(who: &Who, request: Request) -> Result<Request, StatusCode> {
    let in_parts = is_in_parts(request.headers());
    if matches!(*request.method(), Method::GET | Method::HEAD)
        || (who.session().is_none() && !in_parts)
    {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    let bytes = whole(body, if in_parts { MAX_UPLOAD } else { MAX_FORM }).await?;
    if let Some((_, own)) = who.session() {
        let copy = http::Request::from_parts(parts.clone(), Body::from(bytes.clone()));
        let carried = if in_parts {
            carried_in_parts(copy).await
        } else {
            copy.extract::<Form<Carried>, _>().await.ok().map(|Form(carried)| carried.form)
        };
        if !carried.is_some_and(|form| same(&form, own)) {
            return Err(StatusCode::FORBIDDEN);
        }
    }
    Ok(http::Request::from_parts(parts, Body::from(bytes)))
}

fn is_in_parts(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("multipart/form-data"))
}

/// What a form that carries files carries beside them.
async fn carried_in_parts(request: Request) -> Option<String> {
    let mut parts = request.extract::<Multipart, _>().await.ok()?;
    while let Some(part) = parts.next_field().await.ok()? {
        if part.name() == Some("form") {
            return part.text().await.ok();
        }
    }
    None
}

/// Lets those in who have a right; handlers find [`Who`] beside the request.
pub async fn holders_only(
    State((central, right)): State<(Arc<Central>, Right)>,
    Query(asked): Query<Asked>,
    request: Request,
    next: Next,
) -> Response {
    let texts = asked.texts(&central.config);
    let eyes = is_for_eyes(request.headers());
    let who = match known(&central, request.headers()).await {
        Ok(who) => who,
        Err(error) => {
            tracing::error!(%error, "who asks is not known");
            let status = StatusCode::SERVICE_UNAVAILABLE;
            return staff::refuse(&central, texts, None, eyes, status);
        }
    };
    let Some(who) = who else { return strangers(&central, texts, &request) };
    if !who.may(right) {
        return staff::refuse(&central, texts, Some(&who), eyes, StatusCode::FORBIDDEN);
    }
    match is_own(&who, request).await {
        Ok(mut request) => {
            request.extensions_mut().insert(Arc::new(who));
            next.run(request).await
        }
        Err(status) => staff::refuse(&central, texts, Some(&who), eyes, status),
    }
}

/// Leads somebody to where they sign in, and from there to where they wanted to go.
fn strangers(central: &Central, texts: &Texts, request: &Request) -> Response {
    if is_for_eyes(request.headers()) && request.method() == Method::GET {
        let wanted = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let at = staff::in_language(central, texts, "/sign-in");
        let mark = if at.contains('?') { '&' } else { '?' };
        let next = encoded(wanted);
        return Redirect::to(&format!("{at}{mark}next={next}")).into_response();
    }
    let why = "sign in, or send a token: Authorization: Bearer hl_…";
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, why).into_response();
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"hailong\""));
    response
}

/// As a value in an address.
pub(super) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
