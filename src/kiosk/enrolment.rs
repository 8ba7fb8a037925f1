//! The kiosk's side of enrolment.

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{AGE, DATE, HeaderMap, RETRY_AFTER};
use serde_json::Value;

use super::identity::{Identity, IdentityError};
use super::network::{Network, Unreachable, refusal};
use crate::domain::batch::sign;
use crate::domain::enrolment::{CentralKeys, Enrolled, Request, SIGNED, TICKET_KEY_INFO, vouch};
use crate::domain::seal::SealingKey;
use crate::domain::system_random;

/// Where the service enrols.
const PATH: &str = "/api/v1/enrol";

/// Why a kiosk could not be enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    /// No answer.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// The central service said no.
    #[error("the central service refused the enrolment: {0}")]
    Refused(Refused),
    /// The answer makes no sense, although it is the central service's: of another version.
    #[error("the central service's answer cannot be read: {0}")]
    Unreadable(String),
    /// Another program answers.
    #[error(
        "what answers at {0} is not the central service; check the address, its path and capital \
         letters included"
    )]
    Stranger(String),
    /// The identity could not be kept.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// Whether the central service itself said so, not a program before it.
    pub by_service: bool,
    /// After how many seconds it may be asked again, where it says so.
    pub retry_after: Option<u32>,
    /// What it said, in English.
    pub words: String,
}

/// What a central service tells anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// Its public keys.
    pub keys: CentralKeys,
    /// Its clock, to the second; nothing when the answer may have been kept on the way.
    pub date: Option<Timestamp>,
}

/// Asks a central service for its keys.
pub async fn greet(network: &Network) -> Result<Greeting, EnrolmentError> {
    let request = network.client()?.get(network.address(PATH));
    let reply = request.send().await.map_err(|error| network.lost(&error))?;
    let date = date(reply.headers());
    Ok(Greeting { keys: read(network, reply).await?, date })
}

fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let date = headers.get(DATE).filter(|_| !headers.contains_key(AGE))?.to_str().ok()?;
    rfc2822::DateTimeParser::new().parse_timestamp(date).ok()
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
    let greeting = greet(&network).await?;
    enrol_with(&network, &greeting.keys, code, identity).await
}

/// As [`enrol`], at a service whose keys are known.
pub async fn enrol_with(
    network: &Network,
    keys: &CentralKeys,
    code: &str,
    identity: &mut Identity,
) -> Result<(), EnrolmentError> {
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
    let reply = network
        .client()?
        .post(network.address(PATH))
        .header("content-type", "application/json")
        .header("hailong-signature", sign(key, SIGNED, &body))
        .body(body)
        .send()
        .await
        .map_err(|error| network.lost(&error))?;
    identity.enrolled = Some(read::<Enrolled>(network, reply).await?);
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
    let retry_after = reply.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = retry_after.and_then(|seconds| seconds.parse().ok());
    let body = reply.bytes().await.map_err(|error| network.lost(&error))?;
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    if !status.is_success() {
        return Err(EnrolmentError::Refused(Refused {
            status: status.as_u16(),
            by_service: said["detail"].is_string(),
            retry_after,
            words: refusal(status, &body),
        }));
    }
    // Each of its answers, of any version, has this key.
    if !said["opening_key"].is_string() {
        return Err(EnrolmentError::Stranger(network.address("")));
    }
    serde_json::from_value(said).map_err(|error| EnrolmentError::Unreadable(error.to_string()))
}
