//! The staff's listener: every door with the right that opens it, and what all pages behind them share.
//!
//! [`DOORS`] is the whole list: a handler cannot be reached but through it, and a test asks each of them
//! for every role. For which unit somebody has a right is decided where the unit is known.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Extension, Router};
use serde_json::{Value, json};

use super::access::who::{Who, holders_only};
use super::access::{account_page, accounts_page, invited_page, own_page, sign_in_page};
use super::pages::{Asked, other_languages};
use super::problem::Problem;
use super::service::{Central, MAX_FORM, MAX_UPLOAD, file, time_limit};
use super::{
    administration, board, comments, delivery, directory_page, fleet_page, forms_page, health,
    kiosks, office_page, offices_page, reports_page, service, summary_data, summary_page,
};
use crate::domain::access::{Right, Role};
use crate::domain::batch::MAX_PACKED;
use crate::texts::Texts;

/// How long an answer may take and how large a request may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    /// A page or a message.
    Usual,
    /// Files.
    Upload,
    /// A batch.
    Batch,
    /// As long as the journals are.
    Long,
}

/// A door: its path, the right that opens it, and what is behind it.
pub struct Door {
    /// The path, below the staff's base.
    pub path: &'static str,
    /// Who may pass.
    pub right: Right,
    size: Size,
    behind: fn() -> MethodRouter<Arc<Central>>,
}

const fn door(
    path: &'static str,
    right: Right,
    behind: fn() -> MethodRouter<Arc<Central>>,
) -> Door {
    Door { path, right, size: Size::Usual, behind }
}

/// Every door of the staff's listener but the one at which people sign in.
pub const DOORS: &[Door] = &[
    door("/", Right::OwnAccount, || get(front)),
    door("/sign-out", Right::OwnAccount, || post(sign_in_page::sign_out)),
    door("/account", Right::OwnAccount, || {
        get(account_page::account).post(account_page::change_account)
    }),
    door("/accounts", Right::Accounts, || get(accounts_page::page).post(accounts_page::change)),
    door("/own", Right::OwnFigures, || get(own_page::front)),
    door("/own/{period}", Right::OwnFigures, || get(own_page::page)),
    door("/api/v1/own/{period}", Right::OwnFigures, || get(own_page::api)),
    door("/summary/{office}", Right::Figures, || get(summary_page::chosen)),
    door("/summary/{office}/{period}", Right::Figures, || get(summary_page::page)),
    door("/api/v1/summary/{office}/{period}", Right::Figures, || get(summary_data::api)),
    door("/api/v1/comments/{office}/{day}", Right::Figures, || get(comments::api)),
    door("/offices", Right::Figures, || get(offices_page::chosen)),
    door("/offices/{period}", Right::Figures, || get(offices_page::page)),
    door("/api/v1/offices/{period}", Right::Figures, || get(offices_page::api)),
    door("/reports", Right::Reports, || get(reports_page::page).post(reports_page::change)),
    door("/fleet", Right::Fleet, || get(fleet_page::page).post(fleet_page::change)),
    door("/improvements/{office}", Right::Decide, || get(board::improvements).post(board::change)),
    door("/deliveries", Right::Deliveries, || {
        get(delivery::page::page).post(delivery::page::change)
    }),
    door("/directory", Right::Directory, || {
        get(directory_page::front).post(directory_page::change_front)
    }),
    Door {
        size: Size::Upload,
        ..door("/directory/import", Right::Directory, || post(directory_page::import))
    },
    door("/directory/{office}", Right::Directory, || {
        get(office_page::office).post(office_page::change_office)
    }),
    Door {
        size: Size::Upload,
        ..door("/api/v1/directory", Right::Directory, || {
            get(directory_page::download).post(directory_page::import_by_program)
        })
    },
    door("/forms", Right::Directory, || get(forms_page::list).post(forms_page::change)),
    door("/forms/{form}", Right::Directory, || get(forms_page::one)),
    door("/forms/pictures/{subject}/{place}", Right::Directory, || get(forms_page::picture)),
    door("/metrics", Right::Fleet, || get(health::metrics)),
    door("/api/v1/kiosks", Right::Fleet, || get(kiosks::get)),
    door("/api/v1/matters", Right::Matters, || get(administration::matters)),
    door("/api/v1/enrolment-codes", Right::Enrol, || post(administration::enrolment_code)),
    door("/api/v1/decisions", Right::Decide, || post(administration::decide)),
    door("/api/v1/erasures", Right::Decide, || post(administration::erase)),
    Door { size: Size::Batch, ..door("/api/v1/journal", Right::ByHand, || post(service::journal)) },
    Door {
        size: Size::Long,
        ..door("/api/v1/rebuild", Right::Rebuild, || post(administration::rebuild))
    },
    Door {
        size: Size::Long,
        ..door("/api/v1/export", Right::Archive, || get(administration::whole_export))
    },
];

pub(super) fn routes(central: Arc<Central>) -> Router {
    let of = |size: Size| {
        let doors = DOORS.iter().filter(|door| door.size == size);
        doors.fold(Router::new(), |router, door| {
            let state = (Arc::clone(&central), door.right);
            let guard = middleware::from_fn_with_state(state, holders_only);
            router.route(door.path, (door.behind)().route_layer(guard))
        })
    };
    let open = Router::new()
        .route("/style.css", get(|| async { file("style.css") }))
        .route(
            "/fonts/{name}",
            get(|Path(name): Path<String>| async move { file(&format!("fonts/{name}")) }),
        )
        .merge(service::for_everybody())
        .route("/sign-in", get(sign_in_page::sign_in).post(sign_in_page::signed_in))
        .route("/invited/{secret}", get(invited_page::invited).post(invited_page::accepted))
        .route("/enter/{secret}", get(sign_in_page::enter));
    open.merge(of(Size::Usual))
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .merge(of(Size::Upload).layer(DefaultBodyLimit::max(MAX_UPLOAD)))
        .merge(of(Size::Batch).layer(DefaultBodyLimit::max(MAX_PACKED)))
        .layer(time_limit())
        .merge(of(Size::Long))
        .layer(middleware::from_fn_with_state(Arc::clone(&central), health::count_staff))
        .with_state(central)
}

/// The address of a page, below the staff's base, in a language; that of rest is not named.
pub(super) fn in_language(central: &Central, texts: &Texts, path: &str) -> String {
    let base = central.config.staff_base();
    if texts.language == central.config.texts[0].language {
        format!("{base}{path}")
    } else {
        format!("{base}{path}?lang={}", texts.language)
    }
}

/// A page, with what every page of the staff's needs; `who` reads it, if that is known.
pub(super) fn render(
    central: &Central,
    texts: &Texts,
    who: Option<&Who>,
    status: StatusCode,
    name: &str,
    mut context: Value,
) -> Response {
    context["lang"] = json!(texts.language);
    context["languages"] = other_languages(&central.config, texts);
    context["t"] = json!(texts.summary);
    context["a"] = json!(texts.access);
    context["who"] = who.map_or(Value::Null, |who| reader(central, texts, who, name));
    central.staff_pages.page(status, name, context)
}

/// Who reads a page, and where they may go.
fn reader(central: &Central, texts: &Texts, who: &Who, page: &str) -> Value {
    let t = &texts.access;
    let links = [
        (Right::Figures, &t.nav_summary, "/", "summary.html"),
        (Right::OwnFigures, &t.nav_own, "/own", "own.html"),
        (Right::Reports, &t.nav_reports, "/reports", "reports.html"),
        (Right::Fleet, &t.nav_fleet, "/fleet", "fleet.html"),
        (Right::Directory, &t.nav_directory, "/directory", "directory.html"),
        (Right::Accounts, &t.nav_accounts, "/accounts", "accounts.html"),
        (Right::Deliveries, &texts.delivery.nav, "/deliveries", "deliveries.html"),
    ];
    let links = links.into_iter().filter(|(right, ..)| who.may(*right));
    let links: Vec<Value> = links
        .map(|(_, label, path, shows)| {
            let href = in_language(central, texts, path);
            json!({ "label": label, "href": href, "here": shows == page || (shows == "directory.html" && ["office.html", "rating-forms.html", "rating-form.html"].contains(&page))
                || (shows, page) == ("summary.html", "offices.html") })
        })
        .collect();
    json!({
        "name": who.account.name,
        "links": links,
        "account": in_language(central, texts, "/account"),
        "at_account": page == "account.html",
        "sign_out": in_language(central, texts, "/sign-out"),
        "form": who.session().map(|(_, form)| form),
    })
}

/// Says no, to eyes with a page and to programs with a problem.
pub(super) fn refuse(
    central: &Central,
    texts: &Texts,
    who: Option<&Who>,
    eyes: bool,
    status: StatusCode,
) -> Response {
    if eyes {
        return refusal_to(central, texts, who, status);
    }
    let why = match status {
        StatusCode::FORBIDDEN => "this account or token has no right to that",
        StatusCode::SERVICE_UNAVAILABLE => "the store could not be asked; try again",
        StatusCode::PAYLOAD_TOO_LARGE => "too much was sent at once; files are taken up to 4 MB",
        _ => "there is no such thing here",
    };
    Problem::new(status, why).into_response()
}

/// A page that says why nothing more can be done, to whoever reads it.
pub(super) fn refusal(central: &Central, texts: &Texts, status: StatusCode) -> Response {
    refusal_to(central, texts, None, status)
}

fn refusal_to(central: &Central, texts: &Texts, who: Option<&Who>, status: StatusCode) -> Response {
    let t = &texts.summary;
    let (title, text, hint) = match status {
        StatusCode::FORBIDDEN => (&t.refused_title, &t.refused_text, &t.refused_hint),
        StatusCode::PAYLOAD_TOO_LARGE => (&t.large_title, &t.large_text, &t.large_hint),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            (&t.missing_title, &t.busy, &t.busy_hint)
        }
        _ => (&t.missing_title, &t.no_page, &t.no_page_hint),
    };
    let context = json!({ "title": title, "text": text, "hint": hint });
    render(central, texts, who, status, "error.html", context)
}

/// `GET /`: what somebody came for, by their role.
async fn front(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Query(asked): Query<Asked>,
) -> Response {
    let texts = asked.texts(&central.config);
    let to = |path: &str| Redirect::to(&in_language(&central, texts, path)).into_response();
    match who.account.standing.role {
        Role::Official => return to("/own"),
        Role::Reader => return to("/reports"),
        Role::Administrator | Role::Supervisor | Role::Auditor => {}
    }
    let offices = central.offices();
    let codes = offices.iter().map(|directory| &directory.office.code);
    let mut theirs = codes.filter(|code| who.has_office(code));
    let (first, several) = (theirs.next(), theirs.next().is_some());
    let Some(office) = first else {
        // Whoever can set one up begins there.
        return if who.may(Right::Directory) {
            to("/directory")
        } else {
            refuse(&central, texts, Some(&who), true, StatusCode::NOT_FOUND)
        };
    };
    match offices_page::latest(&central, &who).await {
        Ok(day) if several => to(&format!("/offices/{day}")),
        Ok(day) => to(&format!("/summary/{office}/{day}")),
        Err(error) => {
            tracing::error!(%error, "the latest day");
            refuse(&central, texts, Some(&who), true, StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}
