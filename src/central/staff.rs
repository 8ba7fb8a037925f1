//! The staff's listener: the daily summary as page, JSON and table, reports, and the doors before what
//! `administration.rs` answers.
//!
//! Everything here needs a secret: in the printed link (`?key=…`, which becomes a cookie), or as a
//! bearer token. Reports of violations have another than the office's figures: nobody of the office
//! reads them.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::json;

use super::address::is_https;
use super::keys::Keys;
use super::pages::{Asked, is_for_eyes, other_languages};
use super::problem::Problem;
use super::service::{Central, MAX_FORM, file, time_limit};
use super::spreadsheet::{Spreadsheet, SpreadsheetError};
use super::store::{Doubts, Kiosk, StoreError};
use super::summary::{self, SummaryError};
use super::{administration, kiosks, report, service, table};
use crate::domain::batch::MAX_PACKED;
use crate::domain::form::{self, Reader};
use crate::domain::ids::{KioskId, OfficeCode};
use crate::domain::office::Directory;
use crate::domain::period::{Kind, NoPeriod, Period};
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
        .route("/summary/{office}", get(chosen))
        .route("/summary/{office}/{period}", get(page))
        .route("/api/v1/summary/{office}/{period}", get(api))
        .route("/api/v1/enrolment-codes", post(administration::enrolment_code))
        .route("/api/v1/matters", get(administration::matters))
        .route("/api/v1/kiosks", get(kiosks::get))
        .route("/api/v1/decisions", post(administration::decide))
        .route("/api/v1/erasures", post(administration::erase))
        .route_layer(middleware::from_fn_with_state((Arc::clone(&central), STAFF), holders_only));
    let batches = Router::new()
        .route("/api/v1/journal", post(service::journal))
        .layer(DefaultBodyLimit::max(MAX_PACKED))
        .route_layer(middleware::from_fn_with_state((Arc::clone(&central), STAFF), holders_only));
    let long = Router::new()
        .route("/api/v1/rebuild", post(administration::rebuild))
        .route_layer(middleware::from_fn_with_state((Arc::clone(&central), STAFF), holders_only));
    let long = long.merge(
        Router::new().route("/api/v1/export", get(administration::whole_export)).route_layer(
            middleware::from_fn_with_state((Arc::clone(&central), AUDITOR), holders_only),
        ),
    );
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

/// What an XLSX is called on the way.
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

enum Missing {
    Office,
    Period,
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
    let period = if date == "latest" {
        Period::day(central.store.latest_day(&code).await?.ok_or(Missing::NoDay)?)
    } else {
        date.parse().map_err(|_| Missing::Period)?
    };
    let (store, forms) = (central.store.as_ref(), &central.config.forms);
    let summary = summary::of_period(store, directory, forms, period, central.now()).await?;
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
    let period = summary.period();
    let is_day = period.kind() == Kind::Day;
    let doubts = match central.store.doubts(&directory.office.code, summary.date).await {
        // What no clock confirms stands with its day.
        Ok(doubts) if !is_day => Doubts { unconfirmed: Vec::new(), ..doubts },
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
    let today = central.now().date();
    let address = |period: Period| {
        let path = format!("/summary/{}/{period}", directory.office.code);
        in_language(&central, texts, &path)
    };
    let other = |period: Option<Period>| {
        period.map(|period| {
            let label = match period.kind() {
                Kind::Day => {
                    let day = period.from();
                    format!("{:02}/{:02}", day.day(), day.month())
                }
                _ => texts.summary.period(period),
            };
            json!({ "href": address(period), "label": label })
        })
    };
    let next = period.next().filter(|next| next.from() <= today);
    // What is seen last of a period that is not over is today.
    let day = period.to().min(today).max(period.from());
    let t = &texts.summary;
    let views = [
        (&t.view_day, Period::day(day)),
        (&t.view_week, Period::week_of(day)),
        (&t.view_month, Period::month_of(day)),
        (&t.view_quarter, Period::quarter_of(day)),
        (&t.view_year, Period::year_of(day)),
    ]
    .map(|(label, view)| json!({ "label": label, "href": address(view), "here": view == period }));
    let days: Vec<serde_json::Value> = (summary.by_day.iter())
        .map(|one| {
            let (short, day) = (t.date(one.date), Period::day(one.date));
            json!({ "day": short, "href": address(day), "of": one })
        })
        .collect();
    let data = |format: &str| {
        let office = &directory.office.code;
        let lang = &texts.language;
        format!("{base}/api/v1/summary/{office}/{period}?format={format}&lang={lang}")
    };
    let context = json!({
        "s": summary,
        "signals": signals,
        "available": available,
        "in_review": doubts.in_review,
        "unconfirmed": doubts.unconfirmed,
        "office_name": directory.office.name,
        "date_long": texts.summary.period(period),
        "is_day": is_day,
        "views": views,
        "days": days,
        "choose_href": format!("{base}/summary/{}", directory.office.code),
        "from": period.from(),
        "to": period.to(),
        "csv_href": data("csv"),
        "xlsx_href": data("xlsx"),
        "state_text": state_text(&central, texts, &summary),
        "json_href":
            format!("{base}/api/v1/summary/{}/{period}", directory.office.code),
        "form_levels": levels,
        "reason_texts": reason_texts,
        "counters": counters,
        "kiosks": kiosks,
        "prev": other(period.previous()),
        "next": other(next),
    });
    render(&central, texts, StatusCode::OK, "summary.html", context)
}

#[derive(Deserialize)]
struct Chosen {
    from: Option<String>,
    to: Option<String>,
    lang: Option<String>,
}

/// The days that were chosen by their first and last one; the latest day, when none were.
async fn chosen(
    State(central): State<Arc<Central>>,
    Path(office): Path<String>,
    Query(chosen): Query<Chosen>,
) -> Response {
    let asked = Asked { lang: chosen.lang };
    if chosen.from.is_none() && chosen.to.is_none() {
        return page(State(central), Path((office, "latest".to_owned())), Query(asked)).await;
    }
    let texts = asked.texts(&central.config);
    let day = |text: Option<String>| text.and_then(|text| text.parse::<Date>().ok());
    let ends = day(chosen.from).zip(day(chosen.to));
    let period = ends.and_then(|(from, to)| Period::new(from, to).ok());
    match (office.parse::<OfficeCode>(), period) {
        (Ok(office), Some(period)) => {
            let page = in_language(&central, texts, &format!("/summary/{office}/{period}"));
            Redirect::to(&page).into_response()
        }
        (Err(_), _) => missing_page(&central, texts, &Missing::Office),
        (_, None) => missing_page(&central, texts, &Missing::Period),
    }
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
    if summary.to.is_some() {
        return t.period_state(summary.state).to_owned();
    }
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
        Missing::Period => (&t.no_period, &t.no_period_hint),
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
            Missing::Period => NoPeriod.to_string(),
            Missing::NoDay => "there is no day with a contact yet".to_owned(),
            Missing::Summary(error) => error.to_string(),
        };
        Problem::new(missing.status(), detail)
    })?;
    let texts = report::in_language(&central.config.texts, query.lang.as_deref())
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))?;
    let forms = &central.config.forms;
    let sheet = Spreadsheet::of(&summary, directory, forms, texts);
    let unwritten = |error: SpreadsheetError| {
        tracing::error!(%error, "spreadsheet");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the spreadsheet could not be written")
    };
    let file = |kind: &'static str, extension: &str, bytes: Vec<u8>| {
        let name = format!("hailong-{}-{}.{extension}", summary.office, summary.period());
        let headers = [
            (header::CONTENT_TYPE, kind.to_owned()),
            (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
            (header::CACHE_CONTROL, "no-store".to_owned()),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        ];
        (headers, bytes).into_response()
    };
    match query.format.as_deref() {
        None | Some("json") => Ok(Json(&summary).into_response()),
        Some("table") => Ok(table::of(&summary, directory, forms, texts).into_response()),
        Some("csv") => Ok(file("text/csv; charset=utf-8", "csv", sheet.csv().map_err(unwritten)?)),
        Some("xlsx") => Ok(file(XLSX, "xlsx", sheet.xlsx().map_err(unwritten)?)),
        Some(_) => Err(Problem::new(StatusCode::BAD_REQUEST, "format is json, table, csv or xlsx")),
    }
}
