//! The kiosk's side of enrolment.

use super::identity::{Identity, IdentityError};
use super::network::{Network, Unreachable, refusal};
use crate::domain::batch::sign;
use crate::domain::enrolment::{CentralKeys, Enrolled, Request, SIGNED, TICKET_KEY_INFO, vouch};
use crate::domain::seal::SealingKey;
use crate::domain::system_random;

/// Why a kiosk could not be enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    /// No answer.
    #[error(transparent)]
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

/// Enrols the kiosk at a central service under a one-time code and keeps what it gives. Asking
/// again with the same code and key gives the same answer, so a lost reply costs nothing. A key that
/// was drawn to take the place of the one in use does so.
pub async fn enrol(
    network: impl Into<Network>,
    code: &str,
    identity: &mut Identity,
) -> Result<(), EnrolmentError> {
    let network = network.into();
    let address = network.address("/api/v1/enrol");
    let client = network.client()?;
    let lost = |error: reqwest::Error| network.lost(&error);
    let reply = client.get(&address).send().await.map_err(lost)?;
    let keys: CentralKeys = read(&network, reply).await?;
    let opening = data_encoding::HEXLOWER
        .decode(keys.opening_key.as_bytes())
        .ok()
        .and_then(|bytes| SealingKey::from_bytes(&bytes).ok())
        .ok_or_else(|| EnrolmentError::Unreadable("no opening key".into()))?;
    let (key, ticket_key, by_former) = match &identity.next {
        Some(next) => {
            let word = vouch(&identity.signing_key, &next.signing_key.verifying_key());
            (&next.signing_key, &next.ticket_key, Some(word))
        }
        None => (&identity.signing_key, &identity.ticket_key, None),
    };
    let sealed = opening
        .seal_small(TICKET_KEY_INFO, &**ticket_key, &mut system_random())
        .map_err(|error| EnrolmentError::Unreadable(error.to_string()))?;
    let request = Request {
        code: code.trim().to_owned(),
        key: data_encoding::HEXLOWER.encode(key.verifying_key().as_bytes()),
        ticket_key: data_encoding::BASE64URL_NOPAD.encode(&sealed),
        by_former,
    };
    let body = serde_json::to_vec(&request)
        .map_err(|error| EnrolmentError::Unreadable(error.to_string()))?;
    let reply = client
        .post(&address)
        .header("content-type", "application/json")
        .header("hailong-signature", sign(key, SIGNED, &body))
        .body(body)
        .send()
        .await
        .map_err(lost)?;
    identity.enrolled = Some(read::<Enrolled>(&network, reply).await?);
    if let Some(next) = identity.next.take() {
        (identity.signing_key, identity.ticket_key) = (next.signing_key, next.ticket_key);
    }
    identity.keep()?;
    Ok(())
}

async fn read<T: serde::de::DeserializeOwned>(
    network: &Network,
    reply: reqwest::Response,
) -> Result<T, EnrolmentError> {
    let status = reply.status();
    if let Some(turned_back) = network.turned_back(status) {
        return Err(turned_back.into());
    }
    let body = reply.bytes().await.map_err(|error| network.lost(&error))?;
    if !status.is_success() {
        return Err(EnrolmentError::Refused(refusal(status, &body)));
    }
    serde_json::from_slice(&body).map_err(|error| EnrolmentError::Unreadable(error.to_string()))
}
