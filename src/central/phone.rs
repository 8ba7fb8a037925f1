//! The phone's way: a ticket from a QR code, a form without script, an answer.

use std::sync::Arc;

use axum::Form as UrlForm;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use super::service::Central;
use super::store::{Answered, Kiosk, PhoneForm, StoreError};
use crate::domain::form::{Form, Pole, in_language};
use crate::domain::line::Line;
use crate::domain::ticket::{BadTicket, Claims};
use crate::domain::time::At;

/// A form may be open this long before it is sent, in minutes.
const TOKEN_MINUTES: i64 = 30;

/// What stands in the way of rating with a ticket.
enum Closed {
    NotValid,
    Expired,
    Used,
    Busy(StoreError),
}

impl From<StoreError> for Closed {
    fn from(error: StoreError) -> Self {
        Self::Busy(error)
    }
}

impl From<BadTicket> for Closed {
    fn from(_: BadTicket) -> Self {
        Self::NotValid
    }
}

/// A ticket that may be used.
struct Open<'a> {
    claims: Claims,
    kiosk: Kiosk,
    office: &'a str,
    form: &'a Form,
    opening: Option<Line>,
}

async fn open<'a>(central: &'a Central, ticket: &str) -> Result<Open<'a>, Closed> {
    let number = Claims::claimed_kiosk(ticket).ok_or(Closed::NotValid)?;
    let kiosk = central.store.kiosk_by_number(number).await?.ok_or(Closed::NotValid)?;
    let key = central.ticket_key(&kiosk).ok_or(Closed::NotValid)?;
    let claims = Claims::read(ticket, |_| Some(key))?;
    let state = central.store.ticket(&kiosk.id, claims).await?;
    if state.used {
        return Err(Closed::Used);
    }
    if claims.expired(central.now()) {
        return Err(Closed::Expired);
    }
    let directory = central.directory(&kiosk.office).ok_or(Closed::NotValid)?;
    let shown = state.opening.as_ref().and_then(|line| line.form.as_ref());
    let form = shown
        .and_then(|form| central.config.forms.get(form))
        .or_else(|| central.config.forms.in_force(&directory.office.form, claims.opened().date()))
        .ok_or(Closed::NotValid)?;
    Ok(Open { claims, kiosk, office: &directory.office.name, form, opening: state.opening })
}

/// `GET /R/{ticket}`: the form, or why there is none. Records nothing.
pub async fn form(State(central): State<Arc<Central>>, Path(ticket): Path<String>) -> Response {
    match open(&central, &ticket).await {
        Ok(open) => show(&central, &ticket, &open, &Sent::default(), None),
        Err(closed) => closed_page(&central, closed),
    }
}

/// What a phone sent.
#[derive(Debug, Default)]
struct Sent {
    token: String,
    level: Option<String>,
    reasons: Vec<String>,
}

/// `POST /R/{ticket}`: consumes the ticket.
pub async fn send(
    State(central): State<Arc<Central>>,
    Path(ticket): Path<String>,
    UrlForm(fields): UrlForm<Vec<(String, String)>>,
) -> Response {
    let mut sent = Sent::default();
    for (name, value) in fields.into_iter().take(64) {
        match name.as_str() {
            "token" => sent.token = value,
            "level" => sent.level = Some(value),
            "reason" => sent.reasons.push(value),
            _ => {}
        }
    }
    let open = match open(&central, &ticket).await {
        Ok(open) => open,
        Err(closed) => return closed_page(&central, closed),
    };
    let level = sent
        .level
        .as_ref()
        .and_then(|code| open.form.levels.iter().find(|level| level.code == *code));
    let Some(level) = level else {
        return show(&central, &ticket, &open, &sent, Some("no_level"));
    };
    if !token_holds(&central, &ticket, &sent.token) {
        return show(&central, &ticket, &open, &sent, Some("token_old"));
    }
    let answer = PhoneForm {
        claims: open.claims,
        kiosk: open.kiosk.id.clone(),
        level: level.code.clone(),
        // In the form's order, and only those that go with the level.
        reasons: open
            .form
            .reasons_of(level.pole)
            .map(|reason| reason.code.clone())
            .filter(|code| sent.reasons.contains(code))
            .collect(),
    };
    match central.store.answer(answer).await {
        Ok(Answered::Kept) => message(
            &central,
            StatusCode::OK,
            Some(open.office),
            "thanks",
            "Xin cảm ơn ông/bà!",
            Some(
                "Đánh giá của ông/bà đã được lưu an toàn và sẽ được gửi về hệ thống tổng hợp của \
                 tỉnh.",
            ),
        ),
        Ok(Answered::Used) => closed_page(&central, Closed::Used),
        Err(error) => closed_page(&central, Closed::Busy(error)),
    }
}

fn show(
    central: &Central,
    ticket: &str,
    open: &Open<'_>,
    sent: &Sent,
    problem: Option<&str>,
) -> Response {
    let directory = central.directory(&open.kiosk.office);
    let line = open.opening.as_ref();
    let official = line
        .and_then(|line| line.official.as_ref())
        .and_then(|id| directory?.official(id))
        .map(|official| json!({ "name": official.name, "initials": official.initials() }));
    let counter = line
        .and_then(|line| line.counter.as_ref())
        .and_then(|id| directory?.counter(id))
        .map(|counter| counter.short_label());
    let date = open.claims.opened().civil();
    let one_line = |text: &str| text.replace('\n', " ");
    let reasons = |pole| -> Vec<serde_json::Value> {
        open.form
            .reasons_of(pole)
            .map(|reason| json!({ "code": reason.code, "text": in_language(&reason.text, "vi") }))
            .collect()
    };
    let levels: Vec<serde_json::Value> = open
        .form
        .levels
        .iter()
        .map(|level| {
            json!({
                "code": level.code,
                "label": one_line(in_language(&level.label, "vi")),
                "face": level.face,
                "pole": level.pole,
            })
        })
        .collect();
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let context = json!({
        "office": open.office,
        "counter": counter,
        "date": format!("{:02}/{:02}", date.day(), date.month()),
        "official": official,
        "question": one_line(in_language(&open.form.question, "vi")),
        "levels": levels,
        "reasons": {
            "good": reasons(Pole::Good),
            "middle": reasons(Pole::Middle),
            "bad": reasons(Pole::Bad),
        },
        "token": token(central, ticket, central.now()),
        "chosen": sent.level,
        "ticked": sent.reasons,
        "problem": problem,
        "notice": central.config.notice,
        "notice_open": false,
    });
    central.pages.page(status, "phone.html", context)
}

fn closed_page(central: &Central, closed: Closed) -> Response {
    let (status, kind, title, text) = match closed {
        Closed::Used => {
            let text = Some("Xin cảm ơn ông/bà.");
            (StatusCode::GONE, "used", "Mã này đã được sử dụng.", text)
        }
        Closed::Expired => {
            (StatusCode::GONE, "expired", "Mã này đã hết hiệu lực sau 7 ngày.", None)
        }
        Closed::NotValid => {
            let text = Some("Xin ông/bà quét lại mã.");
            (StatusCode::NOT_FOUND, "not_valid", "Mã không hợp lệ.", text)
        }
        Closed::Busy(error) => {
            tracing::error!(%error, "store");
            let text = Some("Xin ông/bà thử lại sau ít phút.");
            (StatusCode::SERVICE_UNAVAILABLE, "busy", "Hệ thống đang bận.", text)
        }
    };
    message(central, status, None, kind, title, text)
}

fn message(
    central: &Central,
    status: StatusCode,
    office: Option<&str>,
    kind: &str,
    title: &str,
    text: Option<&str>,
) -> Response {
    let context = json!({ "office": office, "kind": kind, "title": title, "text": text });
    central.pages.page(status, "message.html", context)
}

/// `GET /`: what this is.
pub async fn welcome(State(central): State<Arc<Central>>) -> Response {
    let office = match central.config.offices.as_slice() {
        [only] => Some(only.office.name.as_str()),
        _ => None,
    };
    message(
        &central,
        StatusCode::OK,
        office,
        "welcome",
        "Đánh giá sự phục vụ của cán bộ",
        Some(
            "Sau khi được phục vụ, xin ông/bà dùng điện thoại quét mã QR trên màn hình tại quầy \
             để đánh giá. Mã dùng được trong 7 ngày.",
        ),
    )
}

/// A form's token: when it was handed out, and a MAC of that and the ticket.
fn token(central: &Central, ticket: &str, at: At) -> String {
    let minute = at.timestamp().as_second().div_euclid(60);
    let mut bytes = minute.to_be_bytes().to_vec();
    if let Some(mac) = token_mac(central, ticket, minute) {
        bytes.extend(&mac.finalize().into_bytes()[..16]);
    }
    data_encoding::BASE64URL_NOPAD.encode(&bytes)
}

fn token_holds(central: &Central, ticket: &str, token: &str) -> bool {
    let Ok(bytes) = data_encoding::BASE64URL_NOPAD.decode(token.as_bytes()) else { return false };
    let Some((minute, tag)) = bytes.split_first_chunk::<8>() else { return false };
    let minute = i64::from_be_bytes(*minute);
    let age = central.now().timestamp().as_second().div_euclid(60).saturating_sub(minute);
    (0..=TOKEN_MINUTES).contains(&age)
        && tag.len() == 16
        && token_mac(central, ticket, minute)
            .is_some_and(|mac| mac.verify_truncated_left(tag).is_ok())
}

fn token_mac(central: &Central, ticket: &str, minute: i64) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&*central.keys.form).ok()?;
    mac.update(b"hailong form 1");
    mac.update(&minute.to_be_bytes());
    mac.update(ticket.to_ascii_uppercase().as_bytes());
    Some(mac)
}
