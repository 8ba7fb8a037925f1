//! The local door: a queue system on this machine, or the official's page, tells that somebody's service
//! is over, and the screen asks them.
//!
//! It is told nothing of any answer, and answers the same whatever is on the screen. `docs/calls.md`
//! states it for whoever writes a queue system.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use super::configuration::InForce;
use super::visit::Input;
use crate::domain::ids::{CounterId, Hash};
use crate::domain::line::By;
use crate::domain::{Random, system_random};
use crate::files::write_whole;

/// Waits before the door is tried again.
const AGAIN: Duration = Duration::from_secs(30);

/// Why no calls are taken.
#[derive(Debug, thiserror::Error)]
pub enum CallsError {
    /// The address.
    #[error(
        "calls: {0} cannot be listened to: {1}; name another one as calls.listen in kiosk.toml"
    )]
    Listen(SocketAddr, std::io::Error),
    /// The token.
    #[error("calls: {0}: {1}")]
    Token(PathBuf, std::io::Error),
}

/// What a caller tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// `queue`: the queue system has ended somebody's service; `invitation`: the official invites.
    pub by: By,
    /// At which counter.
    pub counter: CounterId,
}

/// A counter, for the official's page.
#[derive(Debug, Clone, Serialize)]
struct Listed {
    id: CounterId,
    label: String,
}

struct Door {
    token: Hash,
    in_force: watch::Receiver<InForce>,
    screen: UnboundedSender<Input>,
}

impl Door {
    fn counters(&self) -> Vec<Listed> {
        let enrolled = Arc::clone(&self.in_force.borrow().enrolled);
        let listed = |id: CounterId| {
            let counter = enrolled.directory.counter(&id);
            let label = counter.map_or_else(|| id.to_string(), |counter| counter.label());
            Listed { id, label }
        };
        enrolled.counters.to_vec().into_iter().map(listed).collect()
    }
}

/// The file that holds the token of a kiosk's folder.
pub fn token_file(folder: &Path) -> PathBuf {
    folder.join("calls-token")
}

/// The token of a kiosk's folder, drawn when it has none.
pub fn token(folder: &Path, random: &mut Random) -> Result<String, CallsError> {
    let file = token_file(folder);
    let failed = |error| CallsError::Token(file.clone(), error);
    match std::fs::read_to_string(&file) {
        Ok(token) if !token.trim().is_empty() => return Ok(token.trim().to_owned()),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut bytes = [0; 15];
    random.fill_bytes(&mut bytes);
    let token = data_encoding::BASE32_NOPAD.encode(&bytes);
    write_whole(&file, format!("{token}\n").as_bytes(), true).map_err(failed)?;
    Ok(token)
}

/// Takes calls at `address` for the counters of a kiosk, and gives them to its screen.
///
/// # Errors
/// When the address cannot be listened to.
pub async fn open(
    address: SocketAddr,
    token: &str,
    in_force: watch::Receiver<InForce>,
    screen: UnboundedSender<Input>,
) -> Result<(SocketAddr, impl Future<Output = std::io::Result<()>> + use<>), CallsError> {
    let failed = |error| CallsError::Listen(address, error);
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let door = Arc::new(Door { token: Hash::of(token.as_bytes()), in_force, screen });
    let text = |kind: &'static str, text: &'static str| {
        get(move || async move { ([(header::CONTENT_TYPE, kind), SAFE], text).into_response() })
    };
    let app = Router::new()
        .route(
            "/",
            text("text/html; charset=utf-8", include_str!("../../ui/kiosk/calls/page.html")),
        )
        .route("/calls.js", text("text/javascript", include_str!("../../ui/kiosk/calls/calls.js")))
        .route("/calls.css", text("text/css", include_str!("../../ui/kiosk/calls/calls.css")))
        .route("/counters", get(async |State(door): State<Arc<Door>>| Json(door.counters())))
        .route("/contact", post(contact))
        .layer(DefaultBodyLimit::max(1_024))
        .with_state(door);
    Ok((address, async move { axum::serve(listener, app).await }))
}

/// Keeps the door open. One that cannot be opened is tried again: nobody who rates by touch waits for it.
pub async fn keep_open(
    address: SocketAddr,
    folder: PathBuf,
    in_force: watch::Receiver<InForce>,
    screen: UnboundedSender<Input>,
) -> Infallible {
    loop {
        let opened = match token(&folder, &mut system_random()) {
            Ok(token) => open(address, &token, in_force.clone(), screen.clone()).await,
            Err(error) => Err(error),
        };
        match opened {
            Ok((address, door)) => {
                println!("Calls are taken at http://{address}/ with the token in calls-token.");
                if let Err(error) = door.await {
                    tracing::error!(%error, "no more calls are taken; trying again");
                }
            }
            Err(error) => tracing::error!(%error, "no calls are taken; trying again"),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Nothing from elsewhere runs in the official's page.
const SAFE: (header::HeaderName, &str) =
    (header::CONTENT_SECURITY_POLICY, "default-src 'self'; frame-ancestors 'none'");

/// `POST /contact`.
async fn contact(
    State(door): State<Arc<Door>>,
    headers: HeaderMap,
    body: Result<Json<Call>, axum::extract::rejection::JsonRejection>,
) -> (StatusCode, &'static str) {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer "));
    // Of hashes it cannot be told how much of them is right.
    if given.is_none_or(|given| Hash::of(given.as_bytes()) != door.token) {
        return (
            StatusCode::UNAUTHORIZED,
            "expected Authorization: Bearer and this kiosk's token\n",
        );
    }
    let Ok(Json(call)) = body else {
        return (StatusCode::BAD_REQUEST, "expected {\"by\":\"queue\",\"counter\":\"q3\"}\n");
    };
    if !matches!(call.by, By::Queue | By::Invitation) {
        return (StatusCode::UNPROCESSABLE_ENTITY, "expected by queue or invitation\n");
    }
    if !door.counters().iter().any(|counter| counter.id == call.counter) {
        return (StatusCode::NOT_FOUND, "this kiosk does not serve that counter\n");
    }
    let taken = door.screen.send(Input::Call(call.by, call.counter));
    if taken.is_err() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the screen has ended\n");
    }
    (StatusCode::ACCEPTED, "")
}
