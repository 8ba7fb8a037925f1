//! The staff's listener: the daily summary as page, JSON and table, enrolment codes, and batches
//! that were carried by hand.
//!
//! Everything here needs a secret: in the printed link (`?key=…`, which becomes a cookie), or as a
//! bearer token. Reports of violations have another than the office's figures: nobody of the office
//! reads them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::mpsc;

use super::address::is_https;
use super::decide::{DecideError, Erasure};
use super::export::{self, ExportError};
use super::keys::Keys;
use super::pages::{Asked, is_for_eyes, other_languages};
use super::problem::Problem;
use super::service::{CODE_MINUTES, Central, MAX_FORM, file, time_limit};
use super::store::{Kiosk, Matters, Rebuilt, StoreError};
use super::summary::{self, SummaryError};
use super::{report, service, table};
use crate::domain::batch::MAX_PACKED;
use crate::domain::decision::Decision;
use crate::domain::enrolment::Counters;
use crate::domain::form::{self, Reader};
use crate::domain::ids::{Epoch, KioskId, OfficeCode};
use crate::domain::office::Directory;
use crate::domain::summary::{State as DayState, Summary};
use crate::texts::{Texts, fill};

/// Who may pass: whoever has this secret, remembered in this cookie.
#[derive(Clone, Copy)]
struct Door {
    cookie: &'static str,
    opens: fn(&Keys, &str) -> bool,
}

const STAFF: Door = Door { cookie: "hailong_staff", opens: Keys::is_staff };
const AUDITOR: Door = Door { cookie: "hailong_auditor", opens: Keys::is_auditor };
const REPORTS: Door = Door { cookie: "hailong_reports", opens: Keys::is_reports };

pub(super) fn routes(central: Arc<Central>) -> Router {
    let closed = Router::new()
        .route("/", get(front))
        .route("/summary/{office}/{date}", get(page))
        .route("/api/v1/summary/{office}/{date}", get(api))
        .route("/api/v1/enrolment-codes", post(enrolment_code))
        .route("/api/v1/matters", get(matters))
        .route("/api/v1/decisions", post(decide))
        .route("/api/v1/erasures", post(erase))
        .route_layer(middleware::from_fn_with_state((Arc::clone(&central), STAFF), holders_only));
    let batches = Router::new()
        .route("/api/v1/journal", post(service::journal))
        .layer(DefaultBodyLimit::max(MAX_PACKED))
        .route_layer(middleware::from_fn_with_state((Arc::clone(&central), STAFF), holders_only));
    let long = Router::new()
        .route("/api/v1/rebuild", post(rebuild))
        .route_layer(middleware::from_fn_with_state((Arc::clone(&central), STAFF), holders_only));
    let long = long.merge(Router::new().route("/api/v1/export", get(whole_export)).route_layer(
        middleware::from_fn_with_state((Arc::clone(&central), AUDITOR), holders_only),
    ));
    let reports = Router::new()
        .route("/reports", get(reports))
        .route_layer(middleware::from_fn_with_state((Arc::clone(&central), REPORTS), holders_only));
    Router::new()
        .route("/style.css", get(|| async { file("style.css") }))
        .route(
            "/fonts/{name}",
            get(|Path(name): Path<String>| async move { file(&format!("fonts/{name}")) }),
        )
        .merge(closed)
        .merge(reports)
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .merge(batches)
        .layer(time_limit())
        .merge(long)
        .with_state(central)
}

#[derive(Deserialize)]
struct Key {
    key: Option<String>,
    lang: Option<String>,
}

async fn holders_only(
    State((central, door)): State<(Arc<Central>, Door)>,
    Query(query): Query<Key>,
    request: Request,
    next: Next,
) -> Response {
    let asked = Asked { lang: query.lang };
    let texts = asked.texts(&central.config);
    if let Some(key) = query.key {
        if !(door.opens)(&central.keys, &key) {
            return refused(&central, texts, request.headers());
        }
        if request.method() != axum::http::Method::GET || request.uri().path().starts_with("/api/")
        {
            return next.run(request).await;
        }
        // The secret goes from the address into a cookie, so that it is not left on the screen.
        let here = in_language(&central, texts, request.uri().path());
        let mut response = Redirect::to(&here).into_response();
        let base = central.config.staff_base();
        let whole = if base.is_empty() { "/" } else { base };
        let https = central.config.staff_url.as_deref().is_some_and(is_https);
        let secure = if https { "; Secure" } else { "" };
        let cookie =
            format!("{}={key}; Path={whole}; HttpOnly; SameSite=Strict{secure}", door.cookie);
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            response.headers_mut().insert(header::SET_COOKIE, value);
        }
        return response;
    }
    let headers = request.headers();
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    let cookie = text(header::COOKIE).and_then(|cookies| {
        let mut cookies = cookies.split("; ");
        cookies.find_map(|cookie| cookie.strip_prefix(door.cookie)?.strip_prefix('='))
    });
    if bearer.or(cookie).is_some_and(|given| (door.opens)(&central.keys, given)) {
        next.run(request).await
    } else {
        refused(&central, texts, headers)
    }
}

/// The address of a page, below the staff's base, in a language; that of rest is not named.
fn in_language(central: &Central, texts: &Texts, path: &str) -> String {
    let base = central.config.staff_base();
    if texts.language == central.config.texts[0].language {
        format!("{base}{path}")
    } else {
        format!("{base}{path}?lang={}", texts.language)
    }
}

/// A page, with what every page of the staff's needs.
fn render(
    central: &Central,
    texts: &Texts,
    status: StatusCode,
    name: &str,
    mut context: serde_json::Value,
) -> Response {
    context["lang"] = json!(texts.language);
    context["languages"] = other_languages(&central.config, texts);
    context["t"] = json!(texts.summary);
    central.staff_pages.page(status, name, context)
}

fn refused(central: &Central, texts: &Texts, headers: &HeaderMap) -> Response {
    let status = StatusCode::UNAUTHORIZED;
    if is_for_eyes(headers) {
        let t = &texts.summary;
        let context = json!({
            "title": t.refused_title,
            "text": t.refused_text,
            "hint": t.refused_hint,
        });
        render(central, texts, status, "error.html", context)
    } else {
        Problem::new(status, "open the link printed at start, or send its key as a bearer token")
            .into_response()
    }
}

/// A page that says why nothing more can be done: the system is busy, or there is no such page.
pub(super) fn refusal(central: &Central, texts: &Texts, status: StatusCode) -> Response {
    let t = &texts.summary;
    let (text, hint) = match status {
        StatusCode::TOO_MANY_REQUESTS => (&t.busy, &t.busy_hint),
        _ => (&t.no_page, &t.no_page_hint),
    };
    let context = json!({ "title": t.missing_title, "text": text, "hint": hint });
    render(central, texts, status, "error.html", context)
}

enum Missing {
    Office,
    Date,
    NoDay,
    Summary(SummaryError),
}

impl From<StoreError> for Missing {
    fn from(error: StoreError) -> Self {
        Self::Summary(error.into())
    }
}

impl From<SummaryError> for Missing {
    fn from(error: SummaryError) -> Self {
        Self::Summary(error)
    }
}

impl Missing {
    fn status(&self) -> StatusCode {
        match self {
            Self::Summary(SummaryError::Store(_)) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::NOT_FOUND,
        }
    }
}

async fn find<'a>(
    central: &'a Central,
    office: &str,
    date: &str,
) -> Result<(&'a Directory, Summary), Missing> {
    let code: OfficeCode = office.parse().map_err(|_| Missing::Office)?;
    let directory = central.directory(&code).ok_or(Missing::Office)?;
    let date: Date = if date == "latest" {
        central.store.latest_day(&code).await?.ok_or(Missing::NoDay)?
    } else {
        date.parse().map_err(|_| Missing::Date)?
    };
    let forms = &central.config.forms;
    let now = central.now();
    let summary = summary::of_day(central.store.as_ref(), directory, forms, date, now).await?;
    Ok((directory, summary))
}

async fn front(State(central): State<Arc<Central>>, Query(asked): Query<Asked>) -> Response {
    let texts = asked.texts(&central.config);
    let Some(directory) = central.config.offices.first() else {
        return missing_page(&central, texts, &Missing::Office);
    };
    let office = &directory.office.code;
    match central.store.latest_day(office).await {
        Ok(day) => {
            let day = day.unwrap_or_else(|| central.now().date());
            let page = in_language(&central, texts, &format!("/summary/{office}/{day}"));
            Redirect::to(&page).into_response()
        }
        Err(error) => missing_page(&central, texts, &error.into()),
    }
}

async fn page(
    State(central): State<Arc<Central>>,
    Path((office, date)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Response {
    let texts = asked.texts(&central.config);
    let language = &texts.language;
    let (directory, summary) = match find(&central, &office, &date).await {
        Ok(found) => found,
        Err(missing) => return missing_page(&central, texts, &missing),
    };
    let doubts = match central.store.doubts(&directory.office.code, summary.date).await {
        Ok(doubts) => doubts,
        Err(error) => return missing_page(&central, texts, &error.into()),
    };
    let form = central.config.forms.in_force(&directory.office.form, summary.date);
    let one_line = |text: &str| text.replace('\n', " ");
    let levels: Vec<serde_json::Value> = form
        .iter()
        .flat_map(|form| &form.levels)
        .map(|level| {
            json!({
                "code": level.code,
                "label": one_line(form::in_language(&level.label, language)),
                "face": level.face,
                "satisfied": level.satisfied,
            })
        })
        .collect();
    let reason_texts: serde_json::Map<String, serde_json::Value> = summary
        .reasons
        .iter()
        .filter_map(|reason| {
            let text = central.config.forms.reason_text(&reason.code, language)?;
            Some((reason.code.clone(), json!(text)))
        })
        .collect();
    let counters: serde_json::Map<String, serde_json::Value> = directory
        .counters
        .iter()
        .map(|counter| (counter.id.to_string(), json!(texts.counter_and_name(counter))))
        .collect();
    let mut kiosks = serde_json::Map::new();
    let named = summary.down.iter().map(|down| &down.kiosk);
    let named = named.chain(summary.silent_kiosks.iter().map(|silent| &silent.id));
    let named = named.chain(summary.available.iter().map(|available| &available.kiosk));
    for kiosk in named.chain(&doubts.unconfirmed) {
        let name = kiosk_name(&central, texts, directory, kiosk).await;
        kiosks.insert(kiosk.to_string(), json!(name));
    }
    let signals: Vec<serde_json::Value> = (texts.summary.signals(&summary.signals).into_iter())
        .map(|(counter, text)| json!({ "counter": counter, "text": text }))
        .collect();
    let available: Vec<serde_json::Value> = (summary.available.iter())
        .map(|one| {
            let duration = |minutes| texts.summary.duration(minutes);
            let (running, open) = (duration(one.minutes), duration(one.open_minutes));
            json!({ "kiosk": one.kiosk, "running": running, "open": open })
        })
        .collect();
    let base = central.config.staff_base();
    let other_day = |date: Option<Date>| {
        date.map(|date| {
            let path = format!("/summary/{}/{date}", directory.office.code);
            json!({
                "href": in_language(&central, texts, &path),
                "label": format!("{:02}/{:02}", date.day(), date.month()),
            })
        })
    };
    let today = central.now().date();
    let next = summary.date.tomorrow().ok().filter(|next| *next <= today);
    let context = json!({
        "s": summary,
        "signals": signals,
        "available": available,
        "in_review": doubts.in_review,
        "unconfirmed": doubts.unconfirmed,
        "office_name": directory.office.name,
        "date_long": texts.summary.date(summary.date),
        "state_text": state_text(&central, texts, &summary),
        "json_href":
            format!("{base}/api/v1/summary/{}/{}", directory.office.code, summary.date),
        "form_levels": levels,
        "reason_texts": reason_texts,
        "counters": counters,
        "kiosks": kiosks,
        "prev": other_day(summary.date.yesterday().ok()),
        "next": other_day(next),
    });
    render(&central, texts, StatusCode::OK, "summary.html", context)
}

/// Reports of violations, in the order received.
async fn reports(State(central): State<Arc<Central>>, Query(asked): Query<Asked>) -> Response {
    let texts = asked.texts(&central.config);
    let written = match central.store.words(Reader::Authority).await {
        Ok(written) => written,
        Err(error) => return missing_page(&central, texts, &error.into()),
    };
    let reports: Vec<_> = written
        .iter()
        .map(|written| {
            let directory = central.directory(&written.office);
            let counter = written.counter.as_ref().and_then(|id| directory?.counter(id));
            let official = written.official.as_ref().and_then(|id| directory?.official(id));
            json!({
                "office": directory.map_or(written.office.as_str(), |d| &d.office.name),
                "day": written.day,
                "counter": counter.map(|counter| texts.counter_and_name(counter)),
                "official": official.map(|official| &official.name),
                "text": written.text,
            })
        })
        .collect();
    render(&central, texts, StatusCode::OK, "reports.html", json!({ "reports": reports }))
}

/// A kiosk by the counters it serves, as people call them.
async fn kiosk_name(
    central: &Central,
    texts: &Texts,
    directory: &Directory,
    kiosk: &KioskId,
) -> String {
    let row = central.kiosk(kiosk).await.ok().flatten();
    let counters = |kiosk: &Kiosk| {
        let known = kiosk.counters.iter().filter_map(|id| directory.counter(id));
        known.map(|counter| texts.counter_of(counter.number)).collect::<Vec<_>>().join(", ")
    };
    row.map(|kiosk| counters(&kiosk))
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| kiosk.to_string())
}

fn state_text(central: &Central, texts: &Texts, summary: &Summary) -> String {
    let t = &texts.summary;
    let provisional = match summary.state {
        DayState::Open => {
            let now = central.now().civil();
            let time = format!("{:02}:{:02}", now.hour(), now.minute());
            fill(&t.state_open, &[("time", &time)])
        }
        DayState::Provisional => fill(&t.state_provisional, &[("n", &summary.silent_kiosks.len())]),
        DayState::Complete => return t.state_complete.clone(),
        DayState::Final => return t.state_final.clone(),
    };
    if summary.phone_waiting == 0 {
        return provisional;
    }
    format!("{provisional} · {}", fill(&t.state_waiting, &[("n", &summary.phone_waiting)]))
}

fn missing_page(central: &Central, texts: &Texts, missing: &Missing) -> Response {
    let t = &texts.summary;
    let (text, hint) = match missing {
        Missing::Office => (&t.no_office, &t.no_office_hint),
        Missing::Date => (&t.no_date, &t.no_date_hint),
        Missing::NoDay => (&t.no_day, &t.no_day_hint),
        Missing::Summary(SummaryError::NoForm(..)) => (&t.no_form, &t.no_form_hint),
        Missing::Summary(error) => {
            tracing::error!(%error, "summary");
            (&t.busy, &t.busy_hint)
        }
    };
    let context = json!({ "title": t.missing_title, "text": text, "hint": hint });
    render(central, texts, missing.status(), "error.html", context)
}

#[derive(Deserialize)]
struct Format {
    format: Option<String>,
    lang: Option<String>,
}

async fn api(
    State(central): State<Arc<Central>>,
    Path((office, date)): Path<(String, String)>,
    Query(query): Query<Format>,
) -> Result<Response, Problem> {
    let office = match (office.as_str(), central.config.offices.as_slice()) {
        ("only", [only]) => only.office.code.to_string(),
        _ => office,
    };
    let (directory, summary) = find(&central, &office, &date).await.map_err(|missing| {
        let detail = match &missing {
            Missing::Office => "no such office; name one with --office".to_owned(),
            Missing::Date => "the date is not one such as 2026-11-24".to_owned(),
            Missing::NoDay => "there is no day with a contact yet".to_owned(),
            Missing::Summary(error) => error.to_string(),
        };
        Problem::new(missing.status(), detail)
    })?;
    match query.format.as_deref() {
        None | Some("json") => Ok(Json(summary).into_response()),
        Some("table") => {
            let texts = report::in_language(&central.config.texts, query.lang.as_deref())
                .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))?;
            Ok(table::of(&summary, directory, &central.config.forms, texts).into_response())
        }
        Some(_) => Err(Problem::new(StatusCode::BAD_REQUEST, "format is json or table")),
    }
}

/// What an enrolment code is asked for with.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeRequest {
    /// The kiosk's name to be.
    pub kiosk: KioskId,
    /// Its office.
    pub office: OfficeCode,
    /// The counters it will serve: one code, or a list for a hall.
    pub counter: Counters,
}

/// An enrolment code.
#[derive(Debug, Serialize, Deserialize)]
pub struct CodeReply {
    /// The one-time code.
    pub code: String,
    /// How long it is valid.
    pub minutes: i64,
}

async fn enrolment_code(
    State(central): State<Arc<Central>>,
    Json(asked): Json<CodeRequest>,
) -> Result<Json<CodeReply>, Problem> {
    let bad = |detail: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
    let directory = central
        .directory(&asked.office)
        .ok_or_else(|| bad(format!("no office {} in central.toml", asked.office)))?;
    if let Some(unknown) = asked.counter.iter().find(|id| directory.counter(id).is_none()) {
        return Err(bad(format!("no counter {unknown} in the office's counters.csv")));
    }
    if asked.kiosk.is_central() {
        return Err(bad("central is the service's own name".into()));
    }
    let known = central.store.kiosk(&asked.kiosk).await?;
    if known.is_some_and(|known| {
        (known.office, known.counters) != (asked.office.clone(), asked.counter.clone())
    }) {
        let why = "is admitted already, for other counters; give the new one another name";
        return Err(bad(format!("a kiosk {} {why}", asked.kiosk)));
    }
    let code = central.offer(asked.kiosk, asked.office, asked.counter).await?;
    Ok(Json(CodeReply { code, minutes: CODE_MINUTES }))
}

async fn matters(State(central): State<Arc<Central>>) -> Result<Json<Matters>, Problem> {
    Ok(Json(central.store.matters().await?))
}

/// Where a decision was taken down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// The epoch of its line in the own series.
    pub epoch: Epoch,
    /// The line's number.
    pub seq: u64,
}

async fn decide(
    State(central): State<Arc<Central>>,
    Json(decision): Json<Decision>,
) -> Result<Json<Taken>, Problem> {
    taken(central.decide(decision).await)
}

async fn erase(
    State(central): State<Arc<Central>>,
    Json(asked): Json<Erasure>,
) -> Result<Json<Taken>, Problem> {
    taken(central.erase(asked).await)
}

fn taken(result: Result<(Epoch, u64), DecideError>) -> Result<Json<Taken>, Problem> {
    match result {
        Ok((epoch, seq)) => Ok(Json(Taken { epoch, seq })),
        Err(DecideError::Store(error)) => Err(error.into()),
        Err(error) => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())),
    }
}

/// Which days, and whether with answers.
#[derive(Debug, Deserialize)]
struct ExportQuery {
    from: Option<Date>,
    to: Option<Date>,
    #[serde(default)]
    opened: bool,
}

/// An archive as it is written, for an auditor.
async fn whole_export(
    State(central): State<Arc<Central>>,
    Query(ExportQuery { from, to, opened }): Query<ExportQuery>,
) -> Result<Response, Problem> {
    let asked = export::Asked { from, to, opened };
    let handed = match export::of_service(central, asked).await {
        Ok(handed) => handed,
        Err(ExportError::Store(error)) => return Err(error.into()),
        Err(error) => {
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()));
        }
    };
    let next = |mut handed: mpsc::Receiver<_>| async { Some((handed.recv().await?, handed)) };
    let body = Body::from_stream(futures_util::stream::unfold(handed, next));
    Ok(([(header::CONTENT_TYPE, "application/jsonl")], body).into_response())
}

/// Takes as long as the journals are.
async fn rebuild(State(central): State<Arc<Central>>) -> Result<Json<Rebuilt>, Problem> {
    let under_way = || Problem::busy("a rebuild is under way already", 60);
    Ok(Json(central.rebuild().await?.ok_or_else(under_way)?))
}
