//! What went out and what waits, on one page, for administrators of the whole province: addresses are of all its offices.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Form};
use serde_json::{Value, json};

use super::{addressed, files, writer};
use crate::central::access::sign_in_page::busy;
use crate::central::access::who::Who;
use crate::central::pages::Asked;
use crate::central::service::Central;
use crate::central::staff::render;
use crate::central::store::StoreError;
use crate::central::store::mail::{MailState, Posted};
use crate::texts::{Texts, fill};

/// Whoever asks for a mail waits so long for what becomes of it.
const WAITED_FOR: Duration = Duration::from_secs(10);
/// Mails on the page.
const SHOWN: usize = 200;

/// `GET /deliveries`.
pub(in crate::central) async fn page(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Query(asked): Query<Asked>,
) -> Response {
    let texts = asked.texts(&central.config);
    show(&central, texts, &who, None).await
}

async fn show(central: &Central, texts: &Texts, who: &Who, said: Option<(&str, bool)>) -> Response {
    let mails = match central.store.mails(SHOWN).await {
        Ok(mails) => mails,
        Err(error) => return busy(central, texts, &error),
    };
    let d = &texts.delivery;
    let config = &central.config;
    let to = config.mail.iter().flat_map(|mail| &mail.to);
    let to: BTreeSet<&str> = to.map(|one| one.address.as_str()).collect();
    let of_none = config.mail.iter().flat_map(|mail| &mail.to).filter(|one| {
        one.office.as_ref().is_some_and(|office| central.directory(office).is_none())
    });
    let unknown: Vec<String> = of_none
        .filter_map(|one| {
            let office = one.office.as_ref()?;
            Some(fill(&d.no_office, &[("office", office), ("to", &one.address)]))
        })
        .collect();
    let last = central.deliveries.last_files.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (files_said, files_wrong) = match (&config.summaries, last) {
        (None, _) => (d.files_none.clone(), false),
        (Some(_), files::Last::Nothing) => (d.files_not_yet.clone(), false),
        (Some(_), files::Last::Written(at)) => {
            let at = at.civil().strftime("%H:%M %d/%m/%Y").to_string();
            (fill(&d.files_well, &[("at", &at)]), false)
        }
        (Some(_), files::Last::Failed(why)) => (fill(&d.files_wrong, &[("why", &why)]), true),
    };
    let status = match said {
        Some((_, true)) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::OK,
    };
    let context = json!({
        "d": d,
        "mails": mails.iter().map(|posted| row(texts, posted)).collect::<Vec<_>>(),
        "on": config.mail.is_some(),
        "to": to,
        "unknown": unknown,
        "files_said": files_said,
        "files_wrong": files_wrong,
        "folder": config.summaries,
        "said": said.map(|(said, _)| said),
        "wrong": said.is_some_and(|(_, wrong)| wrong),
    });
    render(central, texts, Some(who), status, "deliveries.html", context)
}

fn row(texts: &Texts, posted: &Posted) -> Value {
    let d = &texts.delivery;
    let state = match posted.state {
        MailState::Waiting => &d.waiting,
        MailState::Sending => &d.sending,
        MailState::Sent => &d.sent,
        MailState::Refused => &d.refused,
        MailState::Unclear => &d.unclear,
    };
    let again = matches!(posted.state, MailState::Refused | MailState::Unclear);
    json!({
        "key": posted.mail.key,
        "to": posted.mail.to,
        "subject": posted.mail.subject,
        "written": posted.written.civil().strftime("%H:%M %d/%m/%Y").to_string(),
        "state": state,
        "wrong": again || (posted.state == MailState::Waiting && posted.tries > 0),
        "tries": (posted.tries > 1).then(|| fill(&d.tries, &[("n", &posted.tries)])),
        "server": posted.said,
        "again": again,
        "unclear": posted.state == MailState::Unclear,
    })
}

/// `POST /deliveries`: what is done is named by `do`.
pub(in crate::central) async fn change(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Query(asked): Query<Asked>,
    Form(typed): Form<BTreeMap<String, String>>,
) -> Response {
    let texts = asked.texts(&central.config);
    let d = &texts.delivery;
    let field = |name: &str| typed.get(name).map_or("", String::as_str);
    let done = match field("do") {
        "again" => match central.store.mail_again(field("key").to_owned()).await {
            Ok(true) => Ok(Some((d.again_said.as_str(), false))),
            Ok(false) => Ok(Some((d.gone.as_str(), true))),
            Err(error) => Err(error),
        },
        "test" => test(&central, field("to")).await.map(|known| {
            Some(if known { (d.test_said.as_str(), false) } else { (d.gone.as_str(), true) })
        }),
        _ => Ok(None),
    };
    match done {
        Ok(said) => {
            // What comes of it is seen at once, unless the mail server is slow: it goes on without anybody waiting.
            let central_too = Arc::clone(&central);
            let sending = tokio::spawn(async move { super::send_all(&central_too).await });
            let _ = tokio::time::timeout(WAITED_FOR, sending).await;
            show(&central, texts, &who, said).await
        }
        Err(error) => busy(&central, texts, &error),
    }
}

/// Writes a mail that tells nothing to somebody who gets mail; says whether they do.
async fn test(central: &Central, to: &str) -> Result<bool, StoreError> {
    let mut all = central.config.mail.iter().flat_map(|mail| &mail.to);
    let Some(recipient) = all.find(|one| one.address == to) else { return Ok(false) };
    let pages = central.config.staff_address();
    let draft = writer(central, &pages, recipient).of_test();
    let key = format!("test/{to}/{}", central.now());
    central.store.post(vec![addressed(key, recipient, draft)], vec![], vec![]).await?;
    Ok(true)
}
