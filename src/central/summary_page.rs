//! The page of a summary: a day, or several in a row.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::who::Who;
use super::comments;
use super::kiosks::counter_names;
use super::offices_page::way_up;
use super::offices_table;
use super::pages::Asked;
use super::service::Central;
use super::staff::{in_language, render};
use super::store::Doubts;
use super::summary::SummaryError;
use super::summary_data::{Missing, find};
use crate::domain::access::{Right, View};
use crate::domain::form;
use crate::domain::ids::KioskId;
use crate::domain::office::Directory;
use crate::domain::period::{Kind, Period};
use crate::domain::summary::Silent;
use crate::texts::{SummaryTexts, Texts, fill};

/// `GET /summary/{office}/{period}`.
pub(super) async fn page(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Path((office, date)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Response {
    let texts = asked.texts(&central.config);
    let language = &texts.language;
    let (directory, summary, rises) = match find(&central, &who, (&office, &date), View::Page).await
    {
        Ok(found) => found,
        Err(missing) => return missing_page(&central, texts, &who, &missing),
    };
    let period = summary.period();
    let is_day = period.kind() == Kind::Day;
    let doubts = match central.store.doubts(&directory.office.code, summary.date).await {
        // What no clock confirms stands with its day.
        Ok(doubts) if !is_day => Doubts { unconfirmed: Vec::new(), ..doubts },
        Ok(doubts) => doubts,
        Err(error) => return missing_page(&central, texts, &who, &error.into()),
    };
    let comments = if is_day {
        match comments::of_day(&central, &directory.office.code, summary.date).await {
            Ok(comments) => Some(comments),
            Err(error) => return missing_page(&central, texts, &who, &error.into()),
        }
    } else {
        None
    };
    let forms = central.forms();
    let form = forms.in_force(&directory.office.form, summary.last_day());
    let one_line = |text: &str| text.replace('\n', " ");
    let levels: Vec<serde_json::Value> = forms
        .levels_told(form, summary.answered())
        .into_iter()
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
            let text = forms.reason_text(&reason.code, language)?;
            Some((reason.code.clone(), json!(text)))
        })
        .collect();
    let counters: serde_json::Map<String, serde_json::Value> = directory
        .counters
        .iter()
        .map(|counter| (counter.id.to_string(), json!(texts.counter_and_name(counter))))
        .collect();
    // Whoever came into the directory after the day stands in the summary by their code.
    let now = central.directory(&directory.office.code);
    let officials: serde_json::Map<String, serde_json::Value> = (now.iter())
        .flat_map(|now| &now.officials)
        .filter(|one| directory.officials.iter().all(|then| then.id != one.id))
        .map(|official| (official.id.to_string(), json!(official.name)))
        .collect();
    let mut kiosks = serde_json::Map::new();
    let named = summary.down.iter().map(|down| &down.kiosk);
    let named = named.chain(summary.silent_kiosks.iter().map(|silent| &silent.id));
    let named = named.chain(summary.available.iter().map(|available| &available.kiosk));
    for kiosk in named.chain(&doubts.unconfirmed) {
        let name = kiosk_name(&central, texts, &directory, kiosk).await;
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
    let views = views(t, day, period, address);
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
    // On the day itself it is no wonder that kiosks have not told that it is over.
    let is_past = summary.to.unwrap_or(summary.date) < today;
    let silent: Vec<&Silent> =
        summary.silent_kiosks.iter().filter(|one| one.dark || is_past).collect();
    let context = json!({
        "s": summary,
        "signals": signals,
        "available": available,
        "silent": silent,
        "rises": offices_table::rises(&forms, &rises, texts),
        "in_review": doubts.in_review,
        "unconfirmed": doubts.unconfirmed,
        "office_name": directory.office.name,
        "date_long": texts.summary.period(period),
        "printed": printed(&texts.summary, central.now().date()),
        "is_day": is_day,
        "views": views,
        "days": days,
        "choose_href": format!("{base}/summary/{}", directory.office.code),
        "from": period.from(),
        "to": period.to(),
        "csv_href": data("csv"),
        "xlsx_href": data("xlsx"),
        "state_text": texts.summary.state(&summary, central.now()),
        "improve_href": who
            .may(Right::Decide)
            .then(|| in_language(&central, texts, &format!("/improvements/{}", directory.office.code))),
        "improve": texts.board.link,
        "json_href":
            format!("{base}/api/v1/summary/{}/{period}", directory.office.code),
        "form_levels": levels,
        "reason_texts": reason_texts,
        "up": way_up(&central, texts, &who, day),
        "comments": comments,
        "counters": counters,
        "officials": officials,
        "kiosks": kiosks,
        "prev": other(period.previous()),
        "next": other(next),
    });
    render(&central, texts, Some(&who), StatusCode::OK, "summary.html", context)
}

/// The day, week, month, quarter and year that a day lies in, each with its address; the one shown is marked.
pub(super) fn views(
    t: &SummaryTexts,
    day: Date,
    shown: Period,
    address: impl Fn(Period) -> String,
) -> [Value; 5] {
    [
        (&t.view_day, Period::day(day)),
        (&t.view_week, Period::week_of(day)),
        (&t.view_month, Period::month_of(day)),
        (&t.view_quarter, Period::quarter_of(day)),
        (&t.view_year, Period::year_of(day)),
    ]
    .map(|(label, view)| json!({ "label": label, "href": address(view), "here": view == shown }))
}

/// Days that are chosen by their first and last one.
#[derive(Deserialize)]
pub(super) struct Chosen {
    from: Option<String>,
    to: Option<String>,
    lang: Option<String>,
}

impl Chosen {
    /// The language of whoever chose.
    pub fn asked(&self) -> Asked {
        Asked { lang: self.lang.clone() }
    }

    /// The days, or that they are none; nothing when none were chosen.
    pub fn period(&self) -> Option<Option<Period>> {
        if self.from.is_none() && self.to.is_none() {
            return None;
        }
        let day = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<Date>().ok());
        let ends = day(&self.from).zip(day(&self.to));
        Some(ends.and_then(|(from, to)| Period::new(from, to).ok()))
    }
}

/// The days that were chosen by their first and last one; the latest day, when none were.
pub(super) async fn chosen(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Path(office): Path<String>,
    Query(chosen): Query<Chosen>,
) -> Response {
    let asked = chosen.asked();
    let Some(period) = chosen.period() else {
        let path = Path((office, "latest".to_owned()));
        return page(State(central), Extension(who), path, Query(asked)).await;
    };
    let texts = asked.texts(&central.config);
    let office = office.parse().ok().filter(|office| who.has_office(office));
    match (office, period) {
        (Some(office), Some(period)) => {
            let page = in_language(&central, texts, &format!("/summary/{office}/{period}"));
            Redirect::to(&page).into_response()
        }
        (None, _) => missing_page(&central, texts, &who, &Missing::Office),
        (_, None) => missing_page(&central, texts, &who, &Missing::Period),
    }
}

/// A kiosk by the counters it serves, as people call them.
async fn kiosk_name(
    central: &Central,
    texts: &Texts,
    directory: &Directory,
    kiosk: &KioskId,
) -> String {
    let row = central.kiosk(kiosk).await.ok().flatten();
    let known = row.map(|kiosk| counter_names(&kiosk.counters, Some(directory), texts));
    known.unwrap_or_else(|| kiosk.to_string())
}

/// Says why there is no page.
pub(super) fn missing_page(
    central: &Central,
    texts: &Texts,
    who: &Who,
    missing: &Missing,
) -> Response {
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
    render(central, texts, Some(who), missing.status(), "error.html", context)
}

/// Place and date of a report on paper; numbers below ten with a zero before days, and before the first two months, as
/// offices write them.
pub(super) fn printed(t: &SummaryTexts, today: Date) -> String {
    let two = |n: i8, below: i8| if n < below { format!("0{n}") } else { n.to_string() };
    let (day, month) = (two(today.day(), 10), two(today.month(), 3));
    fill(&t.print_place, &[("day", &day), ("month", &month), ("year", &today.year())])
}
