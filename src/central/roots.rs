//! A root for every day on which something was received: made after midnight, signed, chained,
//! published, and handed to a folder outside of whoever runs the service.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use axum::Extension;
use axum::Json;
use axum::extract::{Path as UrlPath, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

use super::keys::Former;
use super::pages::Asked;
use super::phone;
use super::problem::Problem;
use super::service::Central;
use super::store::{StoreError, Unrooted};
use super::summary::SummaryError;
use crate::domain::check::{CheckCode, NoCheckCode};
use crate::domain::ids::{Hash, OfficeCode};
use crate::domain::root::{BadRoot, Proof, Published, Renewed, Root, Statement, Tree};
use crate::domain::summary::FORMULA;
use crate::domain::time::At;
use crate::files::write_whole;
use crate::source::Peer;

/// Most days of which a root names the summaries.
const MOST_DAYS: usize = 366;
/// Roots that are published and handed over: somewhat more than a year.
const PUBLISHED: usize = 400;

/// Why a root was not made or not handed over; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A summary.
    #[error(transparent)]
    Summary(#[from] SummaryError),
    /// The statement.
    #[error(transparent)]
    Root(#[from] BadRoot),
    /// The folder that roots are handed to.
    #[error("{0}: {1}; roots are kept and handed over once it can be written")]
    Folder(PathBuf, std::io::Error),
}

/// Makes the roots that are due, and hands over those that were not.
pub async fn make(central: &Central) -> Result<(), RootsError> {
    let mut made = false;
    let now = central.now();
    if central.store.unrooted(now.date()).await?.is_some() {
        // What is usual is worked out before, and remembered: nobody can send while the root is made.
        digests(central, now.date().yesterday().unwrap_or(Date::MIN), now).await?;
    }
    loop {
        let _alone = central.placing.write().await;
        let now = central.now();
        let Some(unrooted) = central.store.unrooted(now.date()).await? else { break };
        let root = of(central, &unrooted, now).await?;
        let anchor = root.anchor();
        // Not when the service itself wrote a line meanwhile: then once more.
        if central.store.keep_root(unrooted, root).await? {
            tracing::info!(%anchor, "root of a day");
            made = true;
            break;
        }
    }
    match &central.config.roots {
        Some(folder) if made || !central.handed.swap(true, std::sync::atomic::Ordering::AcqRel) => {
            let handed = hand_over(central, folder).await;
            central.handed.store(handed.is_ok(), std::sync::atomic::Ordering::Release);
            handed
        }
        _ => Ok(()),
    }
}

/// The root of what stands under none, as of `now`.
async fn of(central: &Central, unrooted: &Unrooted, now: At) -> Result<Root, RootsError> {
    let yesterday = now.date().yesterday().unwrap_or(Date::MIN);
    let mut summaries = BTreeMap::new();
    let mut day = unrooted.since;
    while day <= yesterday && summaries.len() < MOST_DAYS {
        summaries.insert(day, digests(central, day, now).await?);
        day = day.tomorrow().unwrap_or(Date::MAX);
    }
    let statement = Statement {
        v: 1,
        number: unrooted.number,
        day: yesterday,
        previous: unrooted.previous,
        lines: unrooted.lines.lines(),
        root: unrooted.lines.root(),
        received: Some(unrooted.received),
        kiosks: unrooted.kiosks,
        findings: unrooted.findings,
        summaries,
        formula: Some(FORMULA),
        renewed: renewed(central).await?,
        at: now,
    };
    Ok(Root::sign(&statement, &central.keys.root)?)
}

/// How the key of the root before vouches for another that is in use now.
async fn renewed(central: &Central) -> Result<Option<Renewed>, RootsError> {
    let Some(last) = central.store.roots(1).await?.pop() else { return Ok(None) };
    let key = central.keys.root.verifying_key();
    if last.verify(&key).is_ok() {
        return Ok(None);
    }
    let signed = |former: &&Former| last.verify(&former.root.verifying_key()).is_ok();
    let former = central.keys.former.iter().find(signed).ok_or(BadRoot::Signature)?;
    Ok(Some(Renewed::by(&former.root, &key)))
}

/// Digests of a day's summaries, of offices that have one.
async fn digests(
    central: &Central,
    day: Date,
    now: At,
) -> Result<BTreeMap<OfficeCode, Hash>, RootsError> {
    let mut digests = BTreeMap::new();
    for directory in central.offices().iter() {
        match central.summaries_at(directory, now).of_day(day).await {
            Ok(summary) => {
                digests.insert(directory.office.code.clone(), summary.digest_of());
            }
            Err(SummaryError::NoForm(..)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(digests)
}

async fn published(central: &Central) -> Result<Vec<Published>, StoreError> {
    let roots = central.store.roots(PUBLISHED).await?;
    Ok(roots.into_iter().map(|root| publish(central, root)).collect())
}

fn publish(central: &Central, root: Root) -> Published {
    let key = central
        .keys
        .signer_of(&root)
        .map(|key| data_encoding::HEXLOWER.encode(key.as_bytes()))
        .unwrap_or_default();
    Published { anchor: root.anchor(), root, key }
}

/// Writes each root that is not there into a file of its own.
async fn hand_over(central: &Central, folder: &Path) -> Result<(), RootsError> {
    let failed = |error| RootsError::Folder(folder.to_owned(), error);
    for root in published(central).await? {
        let statement: Statement =
            serde_json::from_str(&root.root.statement).map_err(|_| BadRoot::Statement)?;
        let file = folder.join(format!("{:06}-{}.json", statement.number, statement.day));
        if !file.exists() {
            let bytes = serde_json::to_vec_pretty(&root).map_err(std::io::Error::from);
            let bytes = bytes.map(|bytes| [&bytes[..], b"\n"].concat());
            bytes.and_then(|bytes| write_whole(&file, &bytes, false)).map_err(failed)?;
        }
    }
    Ok(())
}

/// Roots given at once to whoever follows them.
const FOLLOWED: usize = 50;
/// Roots on the page.
const SHOWN: usize = 31;

/// `GET /roots`: the same for people, the last month of them.
pub(super) async fn page(
    State(central): State<Arc<Central>>,
    Query(asked): Query<Asked>,
) -> Response {
    let texts = asked.texts(&central.config);
    match central.store.roots(SHOWN).await {
        Ok(roots) => {
            let shown = roots.into_iter().filter_map(|root| {
                let said: Statement = serde_json::from_str(&root.statement).ok()?;
                let day = said.day.strftime("%d/%m/%Y").to_string();
                let (number, lines, anchor) = (said.number, said.lines, root.anchor());
                Some(json!({ "number": number, "day": day, "lines": lines, "anchor": anchor }))
            });
            let roots: Vec<_> = shown.collect();
            let context = json!({ "roots": roots, "summary_texts": texts.summary });
            phone::public(&central, texts, StatusCode::OK, "roots.html", context)
        }
        Err(error) => {
            tracing::error!(%error, "store");
            phone::refusal(&central, texts, StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}

/// After which number.
#[derive(Debug, Deserialize)]
pub(super) struct After {
    after: Option<u64>,
}

/// `GET /api/v1/roots`: the latest first, for everybody; with `?after=N` those after number N, the
/// first first, for whoever follows them.
pub(super) async fn list(
    State(central): State<Arc<Central>>,
    Query(After { after }): Query<After>,
) -> Result<Json<Vec<Published>>, Problem> {
    Ok(Json(match after {
        None => published(&central).await?,
        Some(after) => {
            let roots = central.store.roots_after(after, FOLLOWED).await?;
            roots.into_iter().map(|root| publish(&central, root)).collect()
        }
    }))
}

/// `GET /api/v1/proof/{code}`: that the line of a check code stands under its root.
pub(super) async fn proof(
    State(central): State<Arc<Central>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    UrlPath(code): UrlPath<String>,
) -> Result<Json<Proof>, Problem> {
    central.checking.ask(peer, &headers).map_err(Problem::too_often)?;
    let refused =
        |error: NoCheckCode| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string());
    let code: CheckCode = code.parse().map_err(refused)?;
    // It reads a whole day.
    let Ok(_one) = central.proving.try_acquire() else {
        return Err(Problem::busy("another proof is being made", 2));
    };
    let not_here = || {
        Problem::new(
            StatusCode::NOT_FOUND,
            "no root has a line of this check code; the root of a day is made after midnight",
        )
    };
    let under = central.store.under_root(code).await?.ok_or_else(not_here)?;
    let tree = Tree::from_iter(under.lines);
    let way = tree.prove_line(under.place).ok_or_else(not_here)?;
    let root = publish(&central, under.root);
    Ok(Json(Proof { line: under.line, place: under.place, way, root }))
}
