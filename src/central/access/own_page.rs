//! An official's own figures, a day late, and who looked at their office's.
//!
//! They are the official's row of the summary as it is published, and nothing more: what is withheld from
//! others is withheld here.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Json};
use jiff::ToSpan;
use jiff::civil::Date;
use serde::Serialize;
use serde_json::{Value, json};

use super::account::Look;
use super::who::Who;
use crate::central::pages::Asked;
use crate::central::problem::Problem;
use crate::central::service::Central;
use crate::central::staff::{in_language, refuse, render};
use crate::central::store::StoreError;
use crate::central::summary::SummaryError;
use crate::central::summary_page::{printed, views};
use crate::domain::access::{DELIVERY, View};
use crate::domain::ids::{OfficeCode, OfficialId};
use crate::domain::office::Directory;
use crate::domain::period::{Kind, Period};
use crate::domain::summary::Row;
use crate::texts::Texts;

/// Looks of so many days are told.
const LOOK_DAYS: i32 = 90;
/// And so many of them at most.
const MOST_LOOKS: usize = 200;

/// An official's own figures.
#[derive(Debug, Serialize)]
pub struct Own {
    office: OfficeCode,
    official: OfficialId,
    date: Date,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Date>,
    /// The row of the summary; none when it has none.
    figures: Option<Row>,
    /// The summary that it stands in.
    digest: String,
}

enum Missing {
    Account,
    Period,
    Early,
    Store(StoreError),
    Summary(SummaryError),
}

/// Whose figures they are.
fn whose(central: &Central, who: &Who) -> Option<(Arc<Directory>, OfficialId)> {
    let office = who.account.standing.unit.0.as_ref()?;
    Some((central.directory(office)?, who.account.standing.official.clone()?))
}

async fn find(
    central: &Central,
    who: &Who,
    period: &str,
) -> Result<(Own, Period, Arc<Directory>), Missing> {
    let (directory, official) = whose(central, who).ok_or(Missing::Account)?;
    let period: Period = period.parse().map_err(|_| Missing::Period)?;
    // A day late: not before a day is over does anybody see theirs.
    let today = central.now().date();
    let until = today.yesterday().unwrap_or(today);
    if period.from() > until {
        return Err(Missing::Early);
    }
    let shown = Period::new(period.from(), period.to().min(until)).map_err(|_| Missing::Period)?;
    let summaries = central.summaries(&directory);
    let summary = summaries.of_period(shown).await.map_err(Missing::Summary)?;
    let directory = summaries.directory(shown).await.map_err(Missing::Store)?;
    let figures = summary.by_official.into_iter().find(|row| row.id == official.as_str());
    let (office, date, to) = (summary.office, summary.date, summary.to);
    Ok((Own { office, official, date, to, figures, digest: summary.digest }, period, directory))
}

/// `GET /own`: the last day that is over.
pub async fn front(State(central): State<Arc<Central>>, Query(asked): Query<Asked>) -> Response {
    let texts = asked.texts(&central.config);
    let today = central.now().date();
    let day = today.yesterday().unwrap_or(today);
    let month = Period::month_of(day);
    Redirect::to(&in_language(&central, texts, &format!("/own/{month}"))).into_response()
}

/// `GET /own/{period}`.
pub async fn page(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Path(period): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    let texts = asked.texts(&central.config);
    let (own, period, directory) = match find(&central, &who, &period).await {
        Ok(found) => found,
        Err(missing) => return missing_page(&central, texts, &who, &missing),
    };
    let today = central.now().date();
    let looks =
        central.store.looks(&own.office, today.saturating_sub(LOOK_DAYS.days()), MOST_LOOKS);
    let names = async { Ok::<_, StoreError>((looks.await?, central.store.accounts().await?)) };
    let (looks, accounts) = match names.await {
        Ok(found) => found,
        Err(error) => return missing_page(&central, texts, &who, &Missing::Store(error)),
    };
    let name = |look: &Look| {
        if look.person == DELIVERY {
            return texts.delivery.files.clone();
        }
        let known = accounts.iter().find(|account| account.login.as_str() == look.person);
        known.map_or(look.person.clone(), |account| account.name.clone())
    };
    let t = &texts.access;
    let looks: Vec<Value> = looks
        .iter()
        .map(|look| {
            let civil = look.at.civil();
            let of = Period::new(look.from, look.to).map(|period| texts.summary.period(period));
            json!({
                "at": format!("{:02}:{:02}, {}", civil.hour(), civil.minute(), texts.summary.date(civil.date())),
                "name": name(look),
                "of": of.unwrap_or_default(),
                "view": match look.view {
                    View::File => &t.look_file,
                    View::Data => &t.look_data,
                    View::Page | View::Unknown => &t.look_page,
                },
            })
        })
        .collect();
    let address = |period: Period| in_language(&central, texts, &format!("/own/{period}"));
    let last = today.yesterday().unwrap_or(today);
    let day = period.to().min(last).max(period.from());
    let s = &texts.summary;
    let views = views(s, day, period, address);
    let other = |period: Option<Period>| {
        period.map(|period| json!({ "href": address(period), "label": s.period(period) }))
    };
    let forms = central.forms();
    let form = forms.in_force(&directory.office.form, own.to.unwrap_or(own.date));
    let told = own.figures.iter().filter_map(|row| row.levels.as_ref());
    let answered = told.flat_map(|levels| &levels.0).map(|(code, _)| code.as_str());
    let levels: Vec<Value> = forms
        .levels_told(form, answered)
        .into_iter()
        .map(|level| {
            let label = crate::domain::form::in_language(&level.label, &texts.language);
            json!({ "code": level.code, "label": label.replace('\n', " "), "face": level.face })
        })
        .collect();
    let context = json!({
        "own": own,
        "office_name": directory.office.name,
        "date_long": s.period(period),
        "printed": printed(s, today),
        "is_day": period.kind() == Kind::Day,
        "views": views,
        "prev": other(period.previous()),
        "next": other(period.next().filter(|next| next.from() <= last)),
        "levels": levels,
        "looks": looks,
    });
    render(&central, texts, Some(&who), StatusCode::OK, "own.html", context)
}

fn missing_page(central: &Central, texts: &Texts, who: &Who, missing: &Missing) -> Response {
    let (t, s) = (&texts.access, &texts.summary);
    let (status, text, hint) = match missing {
        Missing::Account => (StatusCode::NOT_FOUND, &t.own_nobody, &s.no_office_hint),
        Missing::Period => (StatusCode::NOT_FOUND, &s.no_period, &s.no_period_hint),
        Missing::Early => (StatusCode::NOT_FOUND, &t.own_early, &t.own_early_hint),
        Missing::Summary(SummaryError::NoForm(..)) => {
            (StatusCode::NOT_FOUND, &s.no_form, &s.no_form_hint)
        }
        Missing::Store(_) | Missing::Summary(_) => {
            return refuse(central, texts, Some(who), true, StatusCode::SERVICE_UNAVAILABLE);
        }
    };
    let context = json!({ "title": s.missing_title, "text": text, "hint": hint });
    render(central, texts, Some(who), status, "error.html", context)
}

/// `GET /api/v1/own/{period}`: the same figures.
pub async fn api(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Path(period): Path<String>,
) -> Result<Response, Problem> {
    let not_found = |why: &str| Problem::new(StatusCode::NOT_FOUND, why);
    match find(&central, &who, &period).await {
        Ok((own, ..)) => Ok(Json(own).into_response()),
        Err(Missing::Account) => Err(not_found("this account is no official's of an office here")),
        Err(Missing::Period) => Err(not_found("expected a period such as 2026-11")),
        Err(Missing::Early) => Err(not_found("figures of today are seen tomorrow")),
        Err(Missing::Store(error)) | Err(Missing::Summary(SummaryError::Store(error))) => {
            Err(error.into())
        }
        Err(Missing::Summary(error)) => Err(not_found(&error.to_string())),
    }
}
