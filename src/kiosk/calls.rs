//! The door for calls: a queue system, or the official's page, tells that somebody's service is over, and
//! the screen asks them.
//!
//! It is told nothing of any answer, and answers the same whatever is on the screen. On this machine it
//! speaks plainly; in the local network with TLS only, since the token would cross it in the clear.
//! `docs/calls.md` states it for whoever writes a queue system.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{DefaultBodyLimit, Extension, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use tokio::time::timeout;

use super::configuration::InForce;
use super::visit::Input;
use crate::domain::ids::{CounterId, Hash};
use crate::domain::line::By;
use crate::domain::{Random, system_random};
use crate::files::write_whole;
use crate::listener::{self, Bounds, Listener};
use crate::source::{Peer, Source};

/// What the door's connections may take: a queue system, and the PCs of a hall. A request's body and answer
/// have as long again as its head.
pub const BOUNDS: Bounds = Bounds { places: 64, share: Some(16), head: Duration::from_secs(10) };
/// Waits before the door is tried again.
const AGAIN: Duration = Duration::from_secs(30);
/// Wrong tokens in a row after which a source has to wait.
const TRIES: u32 = 10;
/// For so long after the last of them.
const WAIT: Duration = Duration::from_secs(30);
/// Most sources whose wrong tokens are remembered.
const MOST_SOURCES: usize = 1_024;

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
    tries: Tries,
    in_force: watch::Receiver<InForce>,
    screen: UnboundedSender<Input>,
}

/// Why a caller is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    /// Another token, or none.
    Wrong,
    /// Too many wrong ones: to come again after so many seconds.
    Wait(u64),
}

/// Wrong tokens in a row, by source, and when the last one came.
#[derive(Default)]
struct Tries(Mutex<HashMap<Source, (u32, Instant)>>);

impl Tries {
    /// Whether a source that gave a token is let in. One that has to wait is not told whether it is right.
    fn judge(&self, source: Source, right: bool, now: Instant) -> Result<(), Refused> {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = |last: Instant| WAIT.saturating_sub(now.saturating_duration_since(last));
        let mut before = 0;
        if let Some((wrong, last)) = tries.get(&source).copied()
            && !left(last).is_zero()
        {
            if wrong >= TRIES {
                return Err(Refused::Wait(left(last).as_secs() + 1));
            }
            before = wrong;
        }
        if right {
            tries.remove(&source);
            return Ok(());
        }
        if tries.len() >= MOST_SOURCES {
            tries.retain(|_, (_, last)| !left(*last).is_zero());
        }
        if tries.len() >= MOST_SOURCES
            && let Some(oldest) =
                tries.iter().min_by_key(|(_, (_, last))| *last).map(|(source, _)| *source)
        {
            tries.remove(&oldest);
        }
        tries.insert(source, (before + 1, now));
        Err(Refused::Wrong)
    }
}

impl Door {
    /// Whether who sends these headers is let in.
    fn judge(&self, Peer(from): Peer, headers: &HeaderMap) -> Result<(), Refused> {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer ")).ok_or(Refused::Wrong)?;
        // Of hashes it cannot be told how much of them is right.
        let right = Hash::of(given.as_bytes()) == self.token;
        self.tries.judge(Source::of(from), right, Instant::now())
    }

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

/// Takes calls for the counters of a kiosk, and gives them to its screen.
///
/// # Errors
/// When the address cannot be listened to.
pub async fn open(
    how: Listener,
    token: &str,
    in_force: watch::Receiver<InForce>,
    screen: UnboundedSender<Input>,
) -> Result<(SocketAddr, impl Future<Output = ()> + use<>), CallsError> {
    let failed = |error| CallsError::Listen(how.address, error);
    let listener = TcpListener::bind(how.address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let longest = how.bounds.head;
    let (token, tries) = (Hash::of(token.as_bytes()), Tries::default());
    let door = Arc::new(Door { token, tries, in_force, screen });
    let app = Router::new()
        .route("/counters", get(async |State(door): State<Arc<Door>>| Json(door.counters())))
        .route("/contact", post(contact))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&door), admitted))
        .merge(page())
        .layer(DefaultBodyLimit::max(1_024))
        .layer(middleware::from_fn(move |request: Request, next: Next| async move {
            let answered = timeout(longest, next.run(request)).await;
            answered.unwrap_or_else(|_| StatusCode::REQUEST_TIMEOUT.into_response())
        }))
        .with_state(door);
    Ok((address, async move {
        // It has no end but that of the process.
        let (_open, end) = watch::channel(false);
        listener::serve(listener, how, app, end).await;
    }))
}

/// Keeps the door open. One that cannot be opened is tried again: nobody who rates by touch waits for it.
pub async fn keep_open(
    how: Listener,
    folder: PathBuf,
    in_force: watch::Receiver<InForce>,
    screen: UnboundedSender<Input>,
) -> Infallible {
    let scheme = if how.tls.is_some() { "https" } else { "http" };
    loop {
        let opened = match token(&folder, &mut system_random()) {
            Ok(token) => open(how.clone(), &token, in_force.clone(), screen.clone()).await,
            Err(error) => Err(error),
        };
        match opened {
            Ok((address, door)) => {
                println!("Calls are taken at {scheme}://{address}/ with the token in calls-token.");
                door.await;
            }
            Err(error) => tracing::error!(%error, "no calls are taken; trying again"),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// The official's page, for anybody: it has nothing but what is in the program.
fn page() -> Router<Arc<Door>> {
    /// Nothing from elsewhere runs in it, and it sends nothing elsewhere.
    const SAFE: [(header::HeaderName, &str); 3] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'self'; form-action 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    let file = |kind: &'static str, kept: &'static str, bytes: &'static [u8]| {
        let kind = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, kept)];
        get(move || async move { (SAFE, kind, bytes) })
    };
    // Another version of the program has another page, but not another font.
    let text = |kind, text: &'static str| file(kind, "no-cache", text.as_bytes());
    let font = |bytes| file("font/ttf", "max-age=2592000", bytes);
    Router::new()
        .route(
            "/",
            text("text/html; charset=utf-8", include_str!("../../ui/kiosk/calls/page.html")),
        )
        .route("/calls.js", text("text/javascript", include_str!("../../ui/kiosk/calls/calls.js")))
        .route("/calls.css", text("text/css", include_str!("../../ui/kiosk/calls/calls.css")))
        .route(
            "/regular.ttf",
            font(include_bytes!("../../ui/kiosk/fonts/BeVietnamPro-Regular.ttf")),
        )
        .route(
            "/semibold.ttf",
            font(include_bytes!("../../ui/kiosk/fonts/BeVietnamPro-SemiBold.ttf")),
        )
}

/// Lets through who has the token, before anything of what they send is looked at.
async fn admitted(
    State(door): State<Arc<Door>>,
    Extension(peer): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    match door.judge(peer, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(Refused::Wrong) => {
            let expected = "expected Authorization: Bearer and this kiosk's token\n";
            (StatusCode::UNAUTHORIZED, expected).into_response()
        }
        Err(Refused::Wait(seconds)) => {
            let later = [(header::RETRY_AFTER, seconds.to_string())];
            let words = format!("too many wrong tokens; come again after {seconds} s\n");
            (StatusCode::TOO_MANY_REQUESTS, later, words).into_response()
        }
    }
}

/// `POST /contact`.
async fn contact(
    State(door): State<Arc<Door>>,
    body: Result<Json<Call>, axum::extract::rejection::JsonRejection>,
) -> (StatusCode, &'static str) {
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

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn pc(n: u32) -> Source {
        Source::of(IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + n)))
    }

    #[test]
    fn tokens_cannot_be_tried_out_and_nobody_else_waits() {
        let (tries, start) = (Tries::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        for _ in 0..TRIES {
            assert_eq!(tries.judge(pc(1), false, start), Err(Refused::Wrong));
        }
        assert_eq!(tries.judge(pc(1), false, start), Err(Refused::Wait(31)));
        assert_eq!(tries.judge(pc(1), true, after(29)), Err(Refused::Wait(2)), "it is not told");
        assert_eq!(tries.judge(pc(2), true, start), Ok(()));
        assert_eq!(tries.judge(pc(1), false, after(30)), Err(Refused::Wrong), "it may try again");
        assert_eq!(tries.judge(pc(1), true, after(30)), Ok(()));
        // Who mistypes now and then, and gets in, never waits.
        for _ in 0..3 {
            for _ in 0..TRIES - 1 {
                assert_eq!(tries.judge(pc(1), false, after(30)), Err(Refused::Wrong));
            }
            assert_eq!(tries.judge(pc(1), true, after(30)), Ok(()));
        }
        assert!(tries.0.lock().unwrap().is_empty());
    }

    #[test]
    fn sources_without_end_take_no_room() {
        let (tries, start) = (Tries::default(), Instant::now());
        for n in 0..5_000 {
            let now = start + Duration::from_millis(n.into());
            assert_eq!(tries.judge(pc(n), false, now), Err(Refused::Wrong));
        }
        assert_eq!(tries.0.lock().unwrap().len(), MOST_SOURCES);
        let late = start + Duration::from_secs(60);
        assert_eq!(tries.judge(pc(0), false, late), Err(Refused::Wrong));
        assert_eq!(tries.0.lock().unwrap().len(), 1, "those that were quiet are forgotten");
    }
}
