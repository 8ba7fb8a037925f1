//! The phone's way: a ticket from a QR code, a form without script, an answer.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::{Extension, Form as UrlForm};
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use serde_json::json;
use sha2::Sha256;

use super::pages::{Asked, other_languages};
use super::service::Central;
use super::store::{Answered, FormerKey, Kiosk, PhoneForm, StoreError};
use crate::domain::check::CheckCode;
use crate::domain::comments::masked;
use crate::domain::form::{Form, Pole, Reader, Text, in_language};
use crate::domain::line::{Event, Line};
use crate::domain::period::Period;
use crate::domain::seal::Answer;
use crate::domain::ticket::{BadTicket, Claims};
use crate::domain::time::At;
use crate::source::Peer;
use crate::texts::Texts;

/// Longest words, in bytes.
const MOST_WORDS: usize = 2_000;
/// Where the phone's own field stops, in letters: with Vietnamese marks they fit [`MOST_WORDS`] as
/// a rule; what does not is asked to be shortened.
const MOST_LETTERS: usize = 1_000;
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
struct Open {
    claims: Claims,
    kiosk: Kiosk,
    office: String,
    form: Form,
    opening: Option<Line>,
}

async fn open(central: &Central, ticket: &str) -> Result<Open, Closed> {
    let number = Claims::claimed_kiosk(ticket).ok_or(Closed::NotValid)?;
    let kiosk = central.store.kiosk_by_number(number).await?.ok_or(Closed::NotValid)?;
    let (claims, until) = claims(central, &kiosk, ticket)?;
    let state = central.store.ticket(&kiosk.id, claims).await?;
    // A ticket speaks for the contact of its minute; whoever has a former key cannot make one of a
    // contact that came after it, or that never came.
    let opening = state.opening.as_ref();
    let of_its_minute = |line: &Line| {
        let (from, to) = (claims.opened(), claims.opened().plus_minutes(1));
        line.event == Event::Contact && (from..=to).contains(&line.at)
    };
    let before = |until: At| {
        let until = until.plus_minutes(1);
        claims.opened() <= until && opening.is_some_and(|line| line.at <= until)
    };
    if !opening.is_none_or(of_its_minute) || until.is_some_and(|until| !before(until)) {
        return Err(Closed::NotValid);
    }
    if state.used {
        return Err(Closed::Used);
    }
    if claims.expired(central.now()) {
        return Err(Closed::Expired);
    }
    let now = central.directory(&kiosk.office).ok_or(Closed::NotValid)?;
    let day = Period::day(claims.opened().date());
    let directory = central.summaries(&now).directory(day).await?;
    let shown = state.opening.as_ref().and_then(|line| line.form.as_ref());
    let forms = central.forms();
    let form = shown
        .and_then(|form| forms.get(form))
        .or_else(|| forms.in_force(&directory.office.form, claims.opened().date()))
        .cloned()
        .ok_or(Closed::NotValid)?;
    Ok(Open { claims, kiosk, office: directory.office.name.clone(), form, opening: state.opening })
}

/// What a kiosk's ticket claims, and until when the key that made it was in use if that was another
/// than today's.
fn claims(
    central: &Central,
    kiosk: &Kiosk,
    ticket: &str,
) -> Result<(Claims, Option<At>), BadTicket> {
    let read = |sealed: &[u8]| Claims::read(ticket, |_| central.ticket_key(sealed));
    let former = |former: &FormerKey| {
        let claims = read(&former.ticket_key).ok()?;
        Some((claims, Some(former.until)))
    };
    let today = read(&kiosk.ticket_key).map(|claims| (claims, None));
    today.or_else(|bad| kiosk.former.iter().find_map(former).ok_or(bad))
}

/// `GET /R/{ticket}`: the form, or why there is none. Records nothing.
pub async fn form(
    State(central): State<Arc<Central>>,
    Path(ticket): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    let texts = asked.texts(&central.config);
    match open(&central, &ticket).await {
        Ok(open) => {
            let texts = texts.beside(&open.form);
            show(&central, &texts, &ticket, &open, &Sent::default(), None)
        }
        Err(closed) => closed_page(&central, texts, closed),
    }
}

/// What a phone sent.
#[derive(Debug, Default)]
struct Sent {
    token: String,
    level: Option<String>,
    reasons: Vec<String>,
    words: String,
}

impl Sent {
    fn read(fields: Vec<(String, String)>) -> (Self, Asked) {
        let (mut sent, mut asked) = (Self::default(), Asked::default());
        for (name, value) in fields.into_iter().take(64) {
            match name.as_str() {
                "lang" => asked.lang = Some(value),
                "token" => sent.token = value,
                "level" => sent.level = Some(value),
                "words" => sent.words = clean(&value),
                // Each further question has a name of its own, so that a phone sends one choice.
                "reason" => sent.reasons.push(value),
                _ if name.starts_with("question-") => sent.reasons.push(value),
                _ => {}
            }
        }
        (sent, asked)
    }
}

/// Words without what no keyboard writes: one kind of line break, no control characters, nothing
/// blank around.
fn clean(words: &str) -> String {
    let kept = |letter: &char| *letter == '\n' || !letter.is_control();
    words.replace("\r\n", "\n").chars().filter(kept).collect::<String>().trim().to_owned()
}

/// `POST /R/{ticket}`: consumes the ticket.
pub async fn send(
    State(central): State<Arc<Central>>,
    Path(ticket): Path<String>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    UrlForm(fields): UrlForm<Vec<(String, String)>>,
) -> Response {
    let (sent, asked) = Sent::read(fields);
    let texts = asked.texts(&central.config);
    let open = match open(&central, &ticket).await {
        Ok(open) => open,
        Err(closed) => return closed_page(&central, texts, closed),
    };
    let texts = &texts.beside(&open.form);
    let level = sent
        .level
        .as_ref()
        .and_then(|code| open.form.levels.iter().find(|level| level.code == *code));
    let Some(level) = level else {
        return show(&central, texts, &ticket, &open, &sent, Some(Problem::NoLevel));
    };
    if sent.words.len() > MOST_WORDS || !Answer::Words(sent.words.clone()).fits() {
        return show(&central, texts, &ticket, &open, &sent, Some(Problem::WordsLong));
    }
    if !token_holds(&central, &ticket, &sent.token) {
        return show(&central, texts, &ticket, &open, &sent, Some(Problem::TokenOld));
    }
    let answer = PhoneForm {
        claims: open.claims,
        kiosk: open.kiosk.id.clone(),
        level: level.code.clone(),
        reasons: open.form.kept_by_phone(level.pole, &sent.reasons),
        words: Some(masked(&sent.words)).filter(|words| !words.is_empty()),
        source: central.marks.of(peer, &headers, central.now().date()),
    };
    let _placing = central.placing.read().await;
    match central.store.answer(answer).await {
        Ok(Answered::Kept(closed)) => {
            let code = CheckCode::of(0, closed);
            let context = json!({
                "kind": "thanks",
                "title": texts.phone.thanks_title,
                "text": texts.phone.thanks_kept,
                "code": code.to_string(),
            });
            render(&central, texts, &open.office, StatusCode::OK, "message.html", context)
        }
        Ok(Answered::Used) => closed_page(&central, texts, Closed::Used),
        Err(error) => closed_page(&central, texts, Closed::Busy(error)),
    }
}

/// Why a form comes back.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Problem {
    NoLevel,
    WordsLong,
    TokenOld,
}

fn show(
    central: &Central,
    texts: &Texts,
    ticket: &str,
    open: &Open,
    sent: &Sent,
    problem: Option<Problem>,
) -> Response {
    let language = &texts.language;
    let directory = central.directory(&open.kiosk.office);
    let directory = directory.as_deref();
    let line = open.opening.as_ref();
    let official = line
        .and_then(|line| line.official.as_ref())
        .and_then(|id| directory?.official(id))
        .map(|official| {
            let photo = official.photo.map(|photo| photo.to_string());
            json!({ "name": official.name, "initials": official.initials(), "photo": photo })
        });
    let counter = line
        .and_then(|line| line.counter.as_ref())
        .and_then(|id| directory?.counter(id))
        .map(|counter| texts.counter_of(counter.number));
    let date = open.claims.opened().civil();
    let date = format!("{:02}/{:02}", date.day(), date.month());
    let one_line = |text: &Text| in_language(text, language).replace('\n', " ");
    let choice = |code: &str, text: &Text| json!({ "code": code, "text": one_line(text) });
    let reasons = |pole| -> Vec<serde_json::Value> {
        open.form.reasons_of(pole).map(|reason| choice(&reason.code, &reason.text)).collect()
    };
    let levels: Vec<serde_json::Value> = open
        .form
        .levels
        .iter()
        .map(|level| {
            json!({
                "code": level.code,
                "label": one_line(&level.label),
                "face": level.face,
                "pole": level.pole,
            })
        })
        .collect();
    let questions: Vec<serde_json::Value> = open
        .form
        .questions
        .iter()
        .map(|question| {
            let choices: Vec<_> =
                question.choices.iter().map(|c| choice(&c.code, &c.text)).collect();
            json!({ "text": one_line(&question.text), "choices": choices })
        })
        .collect();
    // A comment needs no tick: its words say it.
    let reports: Vec<serde_json::Value> = open
        .form
        .wishes
        .iter()
        .filter(|wish| wish.reader == Reader::Authority)
        .map(|wish| choice(&wish.code, &wish.text))
        .collect();
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let context = json!({
        "counter": counter,
        "official": official,
        "official_label": texts.phone.official_label.replace("{date}", &date),
        "date": date,
        "question": one_line(&open.form.question),
        "levels": levels,
        "reasons": {
            "good": reasons(Pole::Good),
            "middle": reasons(Pole::Middle),
            "bad": reasons(Pole::Bad),
        },
        "questions": questions,
        "reports": reports,
        "most_letters": MOST_LETTERS,
        "token": token(central, ticket, central.now()),
        "chosen": sent.level,
        "ticked": sent.reasons,
        "words": sent.words,
        "problem": problem,
    });
    render(central, texts, &open.office, status, "phone.html", context)
}

/// A page of an office, with what every page of citizens' needs.
pub(super) fn render(
    central: &Central,
    texts: &Texts,
    office: &str,
    status: StatusCode,
    name: &str,
    mut context: serde_json::Value,
) -> Response {
    context["lang"] = json!(texts.language);
    context["languages"] = other_languages(&central.config, texts);
    context["t"] = json!(texts.phone);
    context["p"] = json!(texts.public);
    context["office"] = json!(office);
    context["notice_title"] = json!(texts.notice.title);
    context["notice"] = json!(texts.notice_of(office));
    central.pages.page(status, name, context)
}

fn closed_page(central: &Central, texts: &Texts, closed: Closed) -> Response {
    let t = &texts.phone;
    let (kind, title, text) = match closed {
        Closed::Used => ("used", &t.used_title, t.used_text.as_str()),
        Closed::Expired => ("expired", &t.expired_title, ""),
        Closed::NotValid => return refusal(central, texts, StatusCode::NOT_FOUND),
        Closed::Busy(error) => {
            tracing::error!(%error, "store");
            return refusal(central, texts, StatusCode::SERVICE_UNAVAILABLE);
        }
    };
    message(central, texts, StatusCode::GONE, None, kind, title, text)
}

/// A page that says why nothing more can be done: the system is busy, or this is no ticket.
pub(super) fn refusal(central: &Central, texts: &Texts, status: StatusCode) -> Response {
    let t = &texts.phone;
    let (kind, title, text) = match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            ("busy", &t.busy_title, &t.busy_text)
        }
        _ => ("not_valid", &t.not_valid_title, &t.not_valid_text),
    };
    message(central, texts, status, None, kind, title, text)
}

fn message(
    central: &Central,
    texts: &Texts,
    status: StatusCode,
    office: Option<&str>,
    kind: &str,
    title: &str,
    text: &str,
) -> Response {
    let context = json!({ "kind": kind, "title": title, "text": text });
    match office {
        Some(office) => render(central, texts, office, status, "message.html", context),
        None => public(central, texts, status, "message.html", context),
    }
}

/// A page that is no single office's, unless there is only one.
pub(super) fn public(
    central: &Central,
    texts: &Texts,
    status: StatusCode,
    name: &str,
    context: serde_json::Value,
) -> Response {
    let offices = central.offices();
    let office = match &*offices {
        [only] => only.office.name.as_str(),
        _ => "Hài Lòng",
    };
    render(central, texts, office, status, name, context)
}

/// `GET /`: what this is.
pub async fn welcome(State(central): State<Arc<Central>>, Query(asked): Query<Asked>) -> Response {
    let texts = asked.texts(&central.config);
    let (title, text) = (&texts.phone.welcome_title, &texts.phone.welcome_text);
    message(&central, texts, StatusCode::OK, None, "welcome", title, text)
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
