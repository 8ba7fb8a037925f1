//! A listener: TLS of its own if it has any, and bounds on every connection.
//!
//! - HTTP/1.1 only: one connection has one request at a time, so bounding connections bounds work.
//! - A connection has a place from its first byte to its last. Places are bounded, and so is the
//!   share of one source, unless all come through a proxy. Requests are bounded behind this, in
//!   number and time: each carries its [`Peer`].
//! - The head of a request has to come within a time and a size, and so does the TLS before it;
//!   the same time is how long a connection may wait unused.
//! - A connection ends after `AGE`, when its request is answered, so that none is held for ever.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::pem::{self, PemError};
use crate::source::{Peer, Shares};

/// Largest head of a request, in bytes; more is answered with 431.
const HEAD: usize = 16 * 1024;
/// What is read ahead of a body, in bytes.
const BUFFER: usize = 64 * 1024;
/// No connection is older.
const AGE: Duration = Duration::from_secs(600);
/// A connection that was told to end is cut after this.
const LAST: Duration = Duration::from_secs(90);
/// How long to wait when the system gives no connection, for want of files.
const NO_FILES: Duration = Duration::from_millis(500);

/// Where to listen, and how.
#[derive(Debug, Clone)]
pub struct Listener {
    /// The address.
    pub address: SocketAddr,
    /// TLS of our own.
    pub tls: Option<Tls>,
    /// What connections may take.
    pub bounds: Bounds,
}

/// What the connections of one listener may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Most connections at once; more wait.
    pub places: u16,
    /// Most connections at once of one source; more are closed. `None` where all come from one.
    pub share: Option<u16>,
    /// The time within which a request's head has to come.
    pub head: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        // Two listeners stay below the 1,024 files that many systems give a process.
        Self { places: 400, share: Some(100), head: Duration::from_secs(12) }
    }
}

/// Why TLS cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is of no use.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// They do not go together.
    #[error("the certificate and the key cannot be used together: {0}")]
    Pair(#[from] rustls::Error),
}

/// A certificate and its key, ready to be used.
#[derive(Clone)]
pub struct Tls(Arc<ServerConfig>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// Reads a certificate, with those between it and its authority, and its key.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain = pem::certificates(certificate)?;
        let key = pem::private_key(key)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

/// Serves until `end` says so and requests under way are answered.
pub async fn serve(
    listener: TcpListener,
    how: Listener,
    routes: Router,
    end: watch::Receiver<bool>,
) {
    let bounds = how.bounds;
    let places = Arc::new(Semaphore::new(bounds.places.into()));
    let shares = Shares::new(bounds.share);
    let tls = how.tls.map(|Tls(config)| TlsAcceptor::from(config));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(bounds.head)
        .max_header_size(HEAD)
        .max_buf_size(BUFFER);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = ended(end.clone()) => break,
            next = next => next,
        };
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "no connection could be accepted");
                sleep(NO_FILES).await;
                continue;
            }
        };
        let Some(share) = shares.take(from.ip()) else {
            tracing::debug!("a source has too many connections");
            continue;
        };
        let peer = Peer(from.ip());
        let (http, routes, tls, end) = (http.clone(), routes.clone(), tls.clone(), end.clone());
        tokio::spawn(async move {
            let _held = (place, share);
            // Small answers go at once; a system that cannot still sends them.
            let _ = stream.set_nodelay(true);
            match tls {
                None => connection(stream, http, peer, routes, end).await,
                Some(tls) => {
                    if let Ok(Ok(stream)) = timeout(bounds.head, tls.accept(stream)).await {
                        connection(stream, http, peer, routes, end).await;
                    }
                }
            }
        });
    }
    drop(listener);
    // All places are free when all connections have ended.
    let _ = places.acquire_many(bounds.places.into()).await;
}

/// Serves one connection. What its other side breaks off concerns nobody here.
async fn connection<I>(
    stream: I,
    http: http1::Builder,
    peer: Peer,
    routes: Router,
    end: watch::Receiver<bool>,
) where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let routes = TowerToHyperService::new(routes);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        routes.call(request)
    });
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = connection.as_mut() => return,
        () = ended(end) => {}
        () = sleep(AGE) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(LAST, connection).await;
}

/// Waits for the end; a sender that is gone ends it, too.
async fn ended(mut end: watch::Receiver<bool>) {
    let _ = end.wait_for(|ended| *ended).await;
}
