//! The kiosks of a unit on one page: how each is, and, for administrators, what is done with them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Form};
use jiff::ToSpan;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::sign_in_page::busy;
use super::access::who::Who;
use super::administration::{CodeReply, CodeRequest, offer_code};
use super::decide::DecideError;
use super::kiosks::{counter_names, is_silent, told};
use super::pages::{Asked, percent};
use super::qr_svg::{Drawn, draw};
use super::service::Central;
use super::staff::{in_language, refuse, render};
use super::store::{Heard, KioskMatter, Standing, StoreError};
use crate::domain::access::Right;
use crate::domain::decision::{Decision, What};
use crate::domain::enrolment::Counters;
use crate::domain::ids::{KioskId, OfficeCode};
use crate::domain::office::Directory;
use crate::domain::summary::Available;
use crate::domain::time::At;
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

/// Days of which it is told how long a kiosk was running, up to yesterday.
const RUNNING_DAYS: i64 = 30;
/// Most kiosks of several offices that are shown because they want attention.
const MOST_SHOWN: usize = 60;

/// Which kiosks, in which language.
#[derive(Debug, Default, Deserialize)]
pub(super) struct AskedOf {
    lang: Option<String>,
    /// Those of one office.
    office: Option<String>,
}

/// `GET /fleet`.
pub(super) async fn page(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Query(AskedOf { lang, office }): Query<AskedOf>,
) -> Response {
    let texts = Asked { lang }.texts(&central.config);
    show(&central, texts, &who, office.as_deref(), Told::default()).await
}

/// The kiosks of one office; of several those that want attention, and the way to each office.
async fn show(
    central: &Central,
    texts: &Texts,
    who: &Who,
    office: Option<&str>,
    done: Told,
) -> Response {
    let heard = match central.store.heard().await {
        Ok(heard) => heard,
        Err(error) => return busy(central, texts, &error),
    };
    let offices = central.offices();
    let theirs: Vec<&Arc<Directory>> =
        offices.iter().filter(|one| who.has_office(&one.office.code)).collect();
    let chosen = match (theirs.as_slice(), office) {
        ([only], _) => Some(*only),
        (_, None) => None,
        (all, Some(code)) => match all.iter().find(|one| one.office.code.as_str() == code) {
            Some(one) => Some(*one),
            None => return refuse(central, texts, Some(who), true, StatusCode::NOT_FOUND),
        },
    };
    let now = central.now();
    let is_shown = |one: &Heard| match chosen {
        Some(directory) => one.office == directory.office.code,
        None => wants_attention(one, now),
    };
    let heard: Vec<Heard> =
        heard.into_iter().filter(|kiosk| who.has_office(&kiosk.office)).collect();
    let mut shown: Vec<&Heard> = heard.iter().filter(|one| is_shown(one)).collect();
    // What wants attention comes first.
    shown.sort_by_key(|one| (one.standing != Standing::InUse, !is_silent(one, now)));
    let more = shown.len().saturating_sub(MOST_SHOWN);
    if chosen.is_none() {
        shown.truncate(MOST_SHOWN);
    }
    let running = match chosen {
        Some(directory) => match running_days(central, directory).await {
            Ok(running) => running,
            Err(error) => return busy(central, texts, &error),
        },
        None => Vec::new(),
    };
    let rows: Vec<Value> =
        shown.iter().map(|one| row(central, texts, (&offices, &heard, &running), one)).collect();
    let t = &texts.fleet;
    let in_all = |count: &dyn Fn(&Heard) -> bool| heard.iter().filter(|one| count(one)).count();
    let of_chosen = |one: &Heard| chosen.is_none_or(|own| own.office.code == one.office);
    let n = in_all(&of_chosen);
    let silent = in_all(&|one| of_chosen(one) && is_silent(one, now));
    let several = chosen.is_none();
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
        "total": fill(&t.total, &[("n", &n), ("silent", &silent)]),
        "kiosks": rows,
        "keep": chosen.filter(|_| theirs.len() > 1).map(|own| format!("&office={}", own.office.code)),
        "several": several,
        "more": (several && more > 0).then(|| fill(&t.more, &[("n", &more)])),
        "offices": if several { ways(central, texts, &theirs, &heard) } else { Vec::new() },
        "all": (!several && theirs.len() > 1).then(|| in_language(central, texts, "/fleet")),
        "office": chosen.map(|directory| {
            let counters: Vec<Value> = (directory.counters.iter())
                .map(|one| json!({ "id": one.id, "name": texts.counter_and_name(one) }))
                .collect();
            let office = &directory.office;
            json!({ "code": office.code, "name": office.name, "counters": counters })
        }),
        "may_enrol": who.may(Right::Enrol),
        "may_decide": who.may(Right::Decide),
        "code": code,
        "typed": done.typed,
        "said": done.said,
        "wrong": done.wrong,
    });
    render(central, texts, Some(who), status, "fleet.html", context)
}

/// Whether somebody should look at a kiosk.
fn wants_attention(one: &Heard, now: At) -> bool {
    let in_trouble =
        one.heartbeat.as_ref().is_some_and(|heartbeat| heartbeat.condition.trouble.is_some());
    match one.standing {
        Standing::InUse => is_silent(one, now) || in_trouble || !one.confirmed,
        Standing::Suspended => true,
        Standing::Retired { .. } => false,
    }
}

async fn running_days(
    central: &Central,
    directory: &Directory,
) -> Result<Vec<Available>, StoreError> {
    let yesterday = central.now().date().yesterday().unwrap_or(Date::MIN);
    let first = yesterday.saturating_sub((RUNNING_DAYS - 1).days());
    central.summaries(directory).running(first, yesterday).await
}

/// The way to the kiosks of each office, with how many there are, and how many are silent.
fn ways(
    central: &Central,
    texts: &Texts,
    offices: &[&Arc<Directory>],
    heard: &[Heard],
) -> Vec<Value> {
    let now = central.now();
    let mut counts: HashMap<&OfficeCode, (u64, u64)> = HashMap::new();
    for one in heard.iter().filter(|one| !matches!(one.standing, Standing::Retired { .. })) {
        let (n, silent) = counts.entry(&one.office).or_default();
        *n += 1;
        *silent += u64::from(is_silent(one, now));
    }
    let way = |directory: &&Arc<Directory>| {
        let office = &directory.office;
        let (n, silent) = counts.get(&office.code).copied().unwrap_or_default();
        let page = in_language(central, texts, "/fleet");
        let mark = if page.contains('?') { '&' } else { '?' };
        let href = format!("{page}{mark}office={}", office.code);
        json!({ "name": office.name, "href": href, "n": n, "silent": silent })
    };
    offices.iter().map(way).collect()
}

fn row(
    central: &Central,
    texts: &Texts,
    (offices, heard, running): (&[Arc<Directory>], &[Heard], &[Available]),
    one: &Heard,
) -> Value {
    let now = central.now();
    let office = offices.iter().find(|directory| directory.office.code == one.office);
    // Those that may have taken its place.
    let others = heard.iter().filter(|other| {
        other.office == one.office && other.id != one.id && other.standing == Standing::InUse
    });
    let others: Vec<Value> = others
        .map(|other| {
            let counters = counter_names(&other.counters, office.map(AsRef::as_ref), texts);
            json!({ "id": other.id, "counters": counters })
        })
        .collect();
    let told = told(one, offices, texts, now);
    let running = running.iter().find(|sum| sum.kiosk == one.id && sum.open_minutes > 0);
    let running = running.map(|sum| {
        let t = &texts.summary;
        let share = percent(sum.minutes as f64 / sum.open_minutes as f64, &t.decimal_mark);
        let (minutes, open) = (t.duration(sum.minutes), t.duration(sum.open_minutes));
        fill(&texts.fleet.running_of, &[("share", &share), ("running", &minutes), ("open", &open)])
    });
    json!({
        "id": one.id,
        "office": office.map_or(one.office.as_str(), |directory| &directory.office.name),
        "counters": told.counters,
        "state": told.state,
        "silent": is_silent(one, now),
        "in_use": one.standing == Standing::InUse,
        "suspended": one.standing == Standing::Suspended,
        "replaced_by": match &one.standing {
            Standing::Retired { replaced_by, .. } => replaced_by.as_ref(),
            _ => None,
        },
        "last": told.last,
        "queue": told.queue,
        "oldest": told.oldest,
        "version": told.version,
        "disk": told.disk,
        "clock": told.clock,
        "running": running,
        "trouble": told.trouble,
        "confirmed": one.confirmed,
        "words": one.fingerprint,
        "others": others,
    })
}

/// `POST /fleet`: what is done is named by `do`.
pub(super) async fn change(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Query(AskedOf { lang, office }): Query<AskedOf>,
    Form(typed): Form<BTreeMap<String, String>>,
) -> Response {
    let texts = Asked { lang }.texts(&central.config);
    let act = typed.get("do").map_or("", String::as_str);
    let done = match act {
        "enrol" if who.may(Right::Enrol) => Ok(enrol(&central, texts, &who, &typed).await),
        "replace" if who.may(Right::Enrol) => replace(&central, texts, &who, &typed).await,
        "confirm" | "suspend" | "resume" | "retire" if who.may(Right::Decide) => {
            decide(&central, texts, &who, act, &typed).await
        }
        "" => Ok(Told::default()),
        _ => return refuse(&central, texts, Some(&who), true, StatusCode::FORBIDDEN),
    };
    match done {
        Ok(told) => show(&central, texts, &who, office.as_deref(), told).await,
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
    code_for(central, texts, who, CodeRequest { kiosk, office, counter }, typed).await
}

/// A code for a kiosk that takes the place of another: at the same counters, under another name.
async fn replace(
    central: &Central,
    texts: &Texts,
    who: &Who,
    typed: &BTreeMap<String, String>,
) -> Result<Told, StoreError> {
    let t = &texts.fleet;
    let field = |name: &str| typed.get(name).map_or("", String::as_str).trim();
    let old = match field("kiosk").parse::<KioskId>() {
        Ok(old) => central.store.kiosk(&old).await?,
        Err(_) => None,
    };
    let Some(old) = old.filter(|old| who.has_office(&old.office)) else {
        return Ok(Told::wrong(&t.no_kiosk, typed));
    };
    let Some(new) = field("new").to_lowercase().parse().ok().filter(|new| *new != old.id) else {
        return Ok(Told::wrong(&t.replace_shape, typed));
    };
    let asked = CodeRequest { kiosk: new, office: old.office, counter: old.counters };
    let mut told = code_for(central, texts, who, asked, typed).await;
    if !told.wrong {
        told.said = Some(fill(&t.replace_said, &[("kiosk", &old.id)]));
    }
    Ok(told)
}

async fn code_for(
    central: &Central,
    texts: &Texts,
    who: &Who,
    asked: CodeRequest,
    typed: &BTreeMap<String, String>,
) -> Told {
    let t = &texts.fleet;
    let kiosk = asked.kiosk.clone();
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
        "retire" => {
            // By one of the same office, or by none.
            let by = field("replaced_by").parse::<KioskId>().ok().filter(|by| *by != kiosk);
            let of_office =
                |one: &&KioskMatter| Some(&one.id) == by.as_ref() && one.office == matter.office;
            let replaced_by = matters.kiosks.iter().find(of_office).map(|one| one.id.clone());
            if !field("replaced_by").is_empty() && replaced_by.is_none() {
                return Ok(Told::wrong(&t.no_kiosk, typed));
            }
            What::Retired { kiosk, since: central.now().date(), replaced_by }
        }
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
