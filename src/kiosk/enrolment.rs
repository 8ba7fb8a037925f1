//! The kiosk's side of enrolment.

use super::identity::{Identity, IdentityError};
use super::network::{Unreachable, client};
use crate::domain::batch::sign;
use crate::domain::enrolment::{CentralKeys, Enrolled, Request, SIGNED, TICKET_KEY_INFO};
use crate::domain::seal::SealingKey;
use crate::domain::system_random;

/// Why a kiosk could not be enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    /// No answer.
    #[error("{0}; check the address in kiosk.toml and the network, then start again")]
    Unreachable(#[from] Unreachable),
    /// The central service said no.
    #[error("the central service refused the enrolment: {0}")]
    Refused(String),
    /// The answer makes no sense.
    #[error("the central service's answer cannot be read: {0}")]
    Unreadable(String),
    /// The identity could not be kept.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// Enrols the kiosk at the service `base` under a one-time code and keeps what it gives. Asking
/// again with the same code and key gives the same answer, so a lost reply costs nothing.
pub async fn enrol(base: &str, code: &str, identity: &mut Identity) -> Result<(), EnrolmentError> {
    let address = format!("{}/api/v1/enrol", base.trim_end_matches('/'));
    let client = client()?;
    let lost = |error: reqwest::Error| Unreachable(error.to_string());
    let reply = client.get(&address).send().await.map_err(lost)?;
    let keys: CentralKeys = read(reply).await?;
    let opening = data_encoding::HEXLOWER
        .decode(keys.opening_key.as_bytes())
        .ok()
        .and_then(|bytes| SealingKey::from_bytes(&bytes).ok())
        .ok_or_else(|| EnrolmentError::Unreadable("no opening key".into()))?;
    let sealed = opening
        .seal_small(TICKET_KEY_INFO, &*identity.ticket_key, &mut system_random())
        .map_err(|error| EnrolmentError::Unreadable(error.to_string()))?;
    let request = Request {
        code: code.trim().to_owned(),
        key: data_encoding::HEXLOWER.encode(identity.signing_key.verifying_key().as_bytes()),
        ticket_key: data_encoding::BASE64URL_NOPAD.encode(&sealed),
    };
    let body = serde_json::to_vec(&request)
        .map_err(|error| EnrolmentError::Unreadable(error.to_string()))?;
    let reply = client
        .post(&address)
        .header("content-type", "application/json")
        .header("hailong-signature", sign(&identity.signing_key, SIGNED, &body))
        .body(body)
        .send()
        .await
        .map_err(lost)?;
    identity.enrolled = Some(read::<Enrolled>(reply).await?);
    identity.keep()?;
    Ok(())
}

async fn read<T: serde::de::DeserializeOwned>(
    reply: reqwest::Response,
) -> Result<T, EnrolmentError> {
    let status = reply.status();
    let body = reply.bytes().await.map_err(|error| Unreachable(error.to_string()))?;
    if !status.is_success() {
        let said: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let detail = said["detail"].as_str().map_or_else(|| status.to_string(), str::to_owned);
        return Err(EnrolmentError::Refused(detail));
    }
    serde_json::from_slice(&body).map_err(|error| EnrolmentError::Unreadable(error.to_string()))
}
