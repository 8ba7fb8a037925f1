//! The client that kiosks speak to the central service with.

use std::time::Duration;

/// No answer came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the central service cannot be reached: {0}")]
pub struct Unreachable(pub String);

/// A client as kiosks use it: TLS by rustls, bounded in time, no redirects.
pub fn client() -> Result<reqwest::Client, Unreachable> {
    // The second call finds the provider installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(10))
        .timeout(Duration::from_secs(60))
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("hailong/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Unreachable(error.to_string()))
}
