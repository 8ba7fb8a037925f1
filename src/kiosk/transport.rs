//! Carries batches to the central service over HTTP, and its answers back.

use std::future::Future;
use std::time::Duration;

use super::network::{Network, Unreachable};
use crate::domain::batch::Packed;

/// An answer over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// `Retry-After`, if given in seconds.
    pub retry_after: Option<Duration>,
    /// `Hailong-Signature`.
    pub signature: String,
    /// `Hailong-Key`.
    pub key: String,
    /// The body.
    pub body: Vec<u8>,
}

/// Carries a batch to the central service and its answer back.
pub trait Transport: Send + Sync + 'static {
    /// Posts a batch.
    fn post(&self, batch: &Packed) -> impl Future<Output = Result<Reply, Unreachable>> + Send;
}

/// Over HTTP with reqwest.
pub struct Http {
    network: Network,
    client: reqwest::Client,
    /// Opens the staff's listener.
    key: Option<String>,
}

impl Http {
    /// To a central service, such as the one at `https://hailong.example.vn`.
    pub fn new(network: impl Into<Network>) -> Result<Self, Unreachable> {
        let network = network.into();
        let client = network.client()?;
        Ok(Self { network, client, key: None })
    }

    /// To the staff's listener of a central service, which asks for a key.
    pub fn with_key(network: Network, key: &str) -> Result<Self, Unreachable> {
        Ok(Self { key: Some(key.to_owned()), ..Self::new(network)? })
    }

    /// Posts a batch's bytes under a signature.
    pub async fn carry(&self, request: Vec<u8>, signature: &str) -> Result<Reply, Unreachable> {
        let lost = |error: reqwest::Error| self.network.lost(&error);
        let mut asked = self
            .client
            .post(self.network.address("/api/v1/journal"))
            .header("content-type", "application/vnd.hailong.batch")
            .header("hailong-signature", signature)
            .body(request);
        if let Some(key) = &self.key {
            asked = asked.bearer_auth(key);
        }
        let response = asked.send().await.map_err(lost)?;
        if let Some(turned_back) = self.network.turned_back(response.status()) {
            return Err(turned_back);
        }
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let retry_after =
            header("retry-after").and_then(|value| value.parse().ok()).map(Duration::from_secs);
        let text = |name| header(name).unwrap_or_default().to_owned();
        let (signature, key) = (text("hailong-signature"), text("hailong-key"));
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(lost)?.to_vec();
        Ok(Reply { status, retry_after, signature, key, body })
    }
}

impl Transport for Http {
    async fn post(&self, batch: &Packed) -> Result<Reply, Unreachable> {
        self.carry(batch.request.clone(), &batch.signature).await
    }
}
