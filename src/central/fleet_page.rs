//! The kiosks of a unit on one page: how each is, and, for administrators, what is done with them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Form};
use serde_json::{Value, json};

use super::access::sign_in_page::busy;
use super::access::who::Who;
use super::administration::{CodeReply, CodeRequest, offer_code};
use super::decide::DecideError;
use super::kiosks::{is_silent, told};
use super::pages::Asked;
use super::qr_svg::{Drawn, draw};
use super::service::Central;
use super::staff::{refuse, render};
use super::store::{Heard, Matters, Standing, StoreError};
use crate::domain::access::Right;
use crate::domain::decision::{Decision, What};
use crate::domain::enrolment::Counters;
use crate::domain::ids::{KioskId, OfficeCode};
use crate::texts::{Texts, fill};

/// What is shown after something was done.
#[derive(Default)]
struct Told {
    said: Option<String>,
    wrong: bool,
    /// A code that admits a kiosk: its name, the code, and what a scanner reads.
    code: Option<(KioskId, CodeReply, Option<Drawn>)>,
    /// What was typed, to be mended.
    typed: BTreeMap<String, String>,
}

impl Told {
    fn good(said: &str) -> Self {
        Self { said: Some(said.to_owned()), ..Self::default() }
    }

    fn wrong(said: impl Into<String>, typed: &BTreeMap<String, String>) -> Self {
        Self { said: Some(said.into()), wrong: true, typed: typed.clone(), code: None }
    }
}

/// `GET /fleet`.
pub(super) async fn page(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Query(asked): Query<Asked>,
) -> Response {
    let texts = asked.texts(&central.config);
    show(&central, texts, &who, Told::default()).await
}

async fn show(central: &Central, texts: &Texts, who: &Who, done: Told) -> Response {
    let (heard, matters) = match (central.store.heard().await, central.store.matters().await) {
        (Ok(heard), Ok(matters)) => (heard, matters.within(who.unit())),
        (Err(error), _) | (_, Err(error)) => return busy(central, texts, &error),
    };
    let now = central.now();
    let mut heard: Vec<Heard> =
        heard.into_iter().filter(|kiosk| who.has_office(&kiosk.office)).collect();
    // What wants attention comes first.
    heard.sort_by_key(|one| (one.standing != Standing::InUse, !is_silent(one, now)));
    let silent = heard.iter().filter(|one| is_silent(one, now)).count();
    let rows: Vec<Value> = heard.iter().map(|one| row(central, texts, &matters, one)).collect();
    let offices = central.offices();
    let offices: Vec<Value> = offices
        .iter()
        .filter(|directory| who.has_office(&directory.office.code))
        .map(|directory| {
            let counters: Vec<Value> = (directory.counters.iter())
                .map(|one| json!({ "id": one.id, "name": texts.counter_and_name(one) }))
                .collect();
            let office = &directory.office;
            json!({ "code": office.code, "name": office.name, "counters": counters })
        })
        .collect();
    let t = &texts.fleet;
    let code = done.code.map(|(kiosk, reply, qr)| {
        let valid = fill(&t.code_valid, &[("minutes", &reply.minutes)]);
        json!({
            "kiosk": kiosk, "code": reply.code, "service": reply.service, "valid": valid,
            "qr": qr.map(|Drawn { side, path }| json!({ "side": side, "path": path })),
        })
    });
    let status = if done.wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let context = json!({
        "f": t,
        "total": fill(&t.total, &[("n", &heard.len()), ("silent", &silent)]),
        "kiosks": rows,
        "several": offices.len() > 1,
        "offices": offices,
        "may_enrol": who.may(Right::Enrol),
        "may_decide": who.may(Right::Decide),
        "code": code,
        "typed": done.typed,
        "said": done.said,
        "wrong": done.wrong,
    });
    render(central, texts, Some(who), status, "fleet.html", context)
}

fn row(central: &Central, texts: &Texts, matters: &Matters, one: &Heard) -> Value {
    let told = told(one, &central.offices(), texts, central.now());
    let matter = matters.kiosks.iter().find(|matter| matter.id == one.id);
    let office = central.directory(&one.office);
    json!({
        "id": one.id,
        "office": office.as_ref().map_or(one.office.as_str(), |directory| &directory.office.name),
        "counters": told.counters,
        "state": told.state,
        "silent": is_silent(one, central.now()),
        "in_use": one.standing == Standing::InUse,
        "suspended": one.standing == Standing::Suspended,
        "last": told.last,
        "queue": told.queue,
        "oldest": told.oldest,
        "version": told.version,
        "disk": told.disk,
        "clock": told.clock,
        "trouble": told.trouble,
        "confirmed": matter.is_none_or(|matter| matter.confirmed),
        "words": matter.map(|matter| &matter.fingerprint),
    })
}

/// `POST /fleet`: what is done is named by `do`.
pub(super) async fn change(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Query(asked): Query<Asked>,
    Form(typed): Form<BTreeMap<String, String>>,
) -> Response {
    let texts = asked.texts(&central.config);
    let act = typed.get("do").map_or("", String::as_str);
    let done = match act {
        "enrol" if who.may(Right::Enrol) => Ok(enrol(&central, texts, &who, &typed).await),
        "confirm" | "suspend" | "resume" | "retire" if who.may(Right::Decide) => {
            decide(&central, texts, &who, act, &typed).await
        }
        "" => Ok(Told::default()),
        _ => return refuse(&central, texts, Some(&who), true, StatusCode::FORBIDDEN),
    };
    match done {
        Ok(told) => show(&central, texts, &who, told).await,
        Err(error) => busy(&central, texts, &error),
    }
}

/// What a kiosk's scanner reads at its first start: address and code.
fn of_setup(reply: &CodeReply) -> String {
    format!("HAILONG SETUP {} {}", reply.service, reply.code)
}

async fn enrol(
    central: &Central,
    texts: &Texts,
    who: &Who,
    typed: &BTreeMap<String, String>,
) -> Told {
    let t = &texts.fleet;
    let field = |name: &str| typed.get(name).map_or("", String::as_str).trim();
    let office = field("office");
    let chosen: Vec<&str> = typed
        .keys()
        .filter_map(|key| key.strip_prefix("counter_")?.strip_prefix(office)?.strip_prefix('/'))
        .collect();
    let read = (
        field("kiosk").to_lowercase().parse::<KioskId>(),
        office.parse::<OfficeCode>(),
        chosen.join(",").parse::<Counters>(),
    );
    let (Ok(kiosk), Ok(office), Ok(counter)) = read else {
        return Told::wrong(&t.enrol_shape, typed);
    };
    let asked = CodeRequest { kiosk: kiosk.clone(), office, counter };
    match offer_code(central, who, asked).await {
        Ok(reply) => {
            let qr = draw(of_setup(&reply).as_bytes());
            Told { code: Some((kiosk, reply, qr)), ..Told::good(&t.code_made) }
        }
        Err(problem) => {
            tracing::info!(%problem, "no enrolment code");
            Told::wrong(&t.enrol_refused, typed)
        }
    }
}

async fn decide(
    central: &Arc<Central>,
    texts: &Texts,
    who: &Who,
    act: &str,
    typed: &BTreeMap<String, String>,
) -> Result<Told, StoreError> {
    let t = &texts.fleet;
    let field = |name: &str| typed.get(name).map_or("", String::as_str).trim();
    let Ok(kiosk) = field("kiosk").parse::<KioskId>() else { return Ok(Told::default()) };
    let matters = central.store.matters().await?.within(who.unit());
    let Some(matter) = matters.kiosks.iter().find(|matter| matter.id == kiosk) else {
        return Ok(Told::wrong(&t.no_kiosk, typed));
    };
    let what = match act {
        "confirm" => What::Confirmed { kiosk, key: matter.key },
        "suspend" => What::Suspended { kiosk },
        "retire" => What::Retired { kiosk, since: central.now().date(), replaced_by: None },
        _ => {
            let suspends =
                |what: &What| matches!(what, What::Suspended { kiosk: of } if *of == kiosk);
            let last = matters.decisions.iter().rev();
            let last = last.into_iter().find(|one| !one.withdrawn && suspends(&one.decision.what));
            let Some(one) = last else { return Ok(Told::default()) };
            What::Withdrawn { epoch: one.epoch, seq: one.seq }
        }
    };
    let reason = field("reason");
    let reason =
        if act == "confirm" && reason.is_empty() { t.words_compared.as_str() } else { reason };
    let account = &who.account;
    let person = format!("{} ({})", account.name, account.login);
    let decision = Decision { what, person, reason: reason.to_owned() };
    match central.decide(decision, who.unit().clone()).await {
        Ok(_) => Ok(Told::good(match act {
            "confirm" => &t.confirmed_said,
            "suspend" => &t.suspended_said,
            "retire" => &t.retired_said,
            _ => &t.resumed_said,
        })),
        Err(DecideError::Store(error)) => Err(error),
        Err(DecideError::Bad(_)) => Ok(Told::wrong(&t.reason_shape, typed)),
        Err(error) => {
            tracing::info!(%error, "not decided");
            Ok(Told::wrong(&t.no_kiosk, typed))
        }
    }
}
