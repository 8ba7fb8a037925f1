//! All kiosks and how they said they are, as a table of text.

use std::path::Path;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::Deserialize;

use super::access::who::Who;
use super::problem::Problem;
use super::report::{ReportError, Setting, in_language};
use super::service::{Central, DEMO_MARK};
use super::store::sqlite::SqliteStore;
use super::store::{Heard, Standing, Store, StoreError};
use crate::clock::TOLERANCE_MS;
use crate::domain::condition::Condition;
use crate::domain::enrolment::Counters;
use crate::domain::office::Directory;
use crate::domain::time::At;
use crate::texts::{FleetTexts, Texts, fill};

/// A kiosk of which nothing was heard for so many minutes is silent: three heartbeats did not come.
pub const SILENT_MINUTES: i64 = 16;

#[derive(Deserialize)]
pub(super) struct Format {
    format: Option<String>,
    lang: Option<String>,
}

/// `GET /api/v1/kiosks`, for staff: JSON, or a table in a language.
pub(super) async fn get(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Query(query): Query<Format>,
) -> Result<Response, Problem> {
    let mut heard = central.store.heard().await?;
    heard.retain(|kiosk| who.has_office(&kiosk.office));
    let bad = |detail: String| Problem::new(StatusCode::BAD_REQUEST, detail);
    match query.format.as_deref() {
        None | Some("json") => Ok(Json(heard).into_response()),
        Some("table") => {
            let texts = in_language(&central.config.texts, query.lang.as_deref());
            let texts = texts.map_err(|error| bad(error.to_string()))?;
            Ok(table(&heard, &central.offices(), texts, central.now()).into_response())
        }
        Some(_) => Err(bad("format is json or table".into())),
    }
}

/// The table of the store in `folder` (or in its folder `central`), beside a service that may be running
/// there.
pub fn of_folder(folder: &Path, lang: Option<&str>) -> Result<String, ReportError> {
    let (folder, setting) = Setting::find(folder)?;
    let store = SqliteStore::open_read_only(&folder)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| StoreError::Refused(error.to_string()))?;
    let heard = runtime.block_on(store.heard())?;
    let mut now = At::new(Timestamp::now());
    if folder.join(DEMO_MARK).exists() {
        // A demo's days are ahead of the machine's clock.
        now = heard.iter().filter_map(Heard::last).fold(now, At::max);
    }
    Ok(table(&heard, &setting.shared_offices(), in_language(&setting.texts, lang)?, now))
}

fn table(heard: &[Heard], offices: &[Arc<Directory>], texts: &Texts, now: At) -> String {
    let t = &texts.fleet;
    let heads = [
        &t.kiosk,
        &t.counters,
        &t.state,
        &t.last,
        &t.queue,
        &t.oldest,
        &t.version,
        &t.disk,
        &t.clock,
        &t.trouble,
    ];
    let mut rows = vec![heads.map(Clone::clone)];
    rows.extend(heard.iter().map(|one| row(one, offices, texts, now)));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..heads.len()).map(|at| width(at).unwrap_or_default()).collect();
    let mut out = format!("{} · {}\n\n", t.title, now.civil().strftime("%d/%m/%Y %H:%M"));
    for row in &rows {
        let cells = row.iter().zip(&widths);
        let line: Vec<String> = cells.map(|(cell, width)| format!("{cell:<width$}")).collect();
        out += line.join("  ").trim_end();
        out.push('\n');
    }
    let silent = heard.iter().filter(|one| is_silent(one, now)).count();
    out += &fill(&format!("\n{}\n", t.total), &[("n", &heard.len()), ("silent", &silent)]);
    out
}

/// Whether nothing was heard of a kiosk in use for long.
pub(super) fn is_silent(one: &Heard, now: At) -> bool {
    let quiet = |last: At| last.plus_minutes(SILENT_MINUTES) < now;
    one.standing == Standing::InUse && quiet(one.last().unwrap_or(one.enrolled))
}

/// What is known of a kiosk, in words; “–” where nothing is.
pub(super) struct Told {
    /// The counters it serves.
    pub counters: String,
    /// Whether it is in use, and heard.
    pub state: String,
    /// When it was heard last.
    pub last: String,
    /// How many lines wait there.
    pub queue: String,
    /// Since when.
    pub oldest: String,
    /// Its program's version.
    pub version: String,
    /// Room left on its disk.
    pub disk: String,
    /// How its machine's clock goes.
    pub clock: String,
    /// What stands in its way.
    pub trouble: String,
}

/// Puts into words what is known of a kiosk.
pub(super) fn told(one: &Heard, offices: &[Arc<Directory>], texts: &Texts, now: At) -> Told {
    let t = &texts.fleet;
    let directory = offices.iter().find(|directory| directory.office.code == one.office);
    let directory = directory.map(AsRef::as_ref);
    let moment = |at: At| at.civil().strftime("%d/%m %H:%M").to_string();
    let state = match one.standing {
        Standing::InUse if is_silent(one, now) => &t.silent,
        Standing::InUse => &t.in_use,
        Standing::Suspended => &t.suspended,
        Standing::Retired { .. } => &t.retired,
    };
    let none = || "–".to_owned();
    let condition = one.heartbeat.as_ref().map(|heartbeat| &heartbeat.condition);
    let of =
        |tell: &dyn Fn(&Condition) -> Option<String>| condition.and_then(tell).unwrap_or_else(none);
    Told {
        counters: counter_names(&one.counters, directory, texts),
        state: state.clone(),
        last: one.last().map_or_else(|| t.never.clone(), moment),
        queue: of(&|told| Some(told.queue.to_string())),
        oldest: of(&|told| told.oldest_unsent.map(moment)),
        version: of(&|told| Some(told.version.clone())),
        disk: of(&|told| told.disk_free.map(|bytes| size(bytes, &texts.summary.decimal_mark))),
        clock: of(&|told| told.clock_offset_ms.map(|ms| clock(ms, t))),
        trouble: of(&|told| told.trouble.clone()),
    }
}

/// The counters that a kiosk serves, as people call them: “Quầy 3, Quầy 4”.
pub(super) fn counter_names(
    counters: &Counters,
    directory: Option<&Directory>,
    texts: &Texts,
) -> String {
    let name = |id| {
        let known = directory.and_then(|directory| directory.counter(id));
        known.map_or_else(|| id.to_string(), |counter| texts.counter_of(counter.number))
    };
    counters.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn row(one: &Heard, offices: &[Arc<Directory>], texts: &Texts, now: At) -> [String; 10] {
    let name = format!("{} ({})", one.id, one.office);
    let Told { counters, state, last, queue, oldest, version, disk, clock, trouble } =
        told(one, offices, texts, now);
    [name, counters, state, last, queue, oldest, version, disk, clock, trouble]
}

/// “12,3 GB”.
fn size(bytes: u64, decimal_mark: &str) -> String {
    let tenths = bytes / 100_000_000;
    format!("{}{decimal_mark}{} GB", tenths / 10, tenths % 10)
}

/// How a clock goes, in words: right, or by how many minutes it is ahead or behind.
fn clock(offset_ms: i64, t: &FleetTexts) -> String {
    let minutes = offset_ms.unsigned_abs().div_ceil(60_000);
    match offset_ms {
        off if off > TOLERANCE_MS => fill(&t.clock_ahead, &[("minutes", &minutes)]),
        off if off < -TOLERANCE_MS => fill(&t.clock_behind, &[("minutes", &minutes)]),
        _ => t.clock_right.clone(),
    }
}
