//! The kiosk's configuration, from the central service: asked for every few minutes, believed only when
//! signed and usable, kept on the disk for weeks without network, and put into force between visits.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::{Signature, Signer, VerifyingKey};
use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::identity::{Identity, central_keys};
use super::network::{Network, Unreachable, refusal};
use crate::clock::Clock;
use crate::domain::configuration::{BadConfiguration, Configuration, MOST_BYTES, ask};
use crate::domain::enrolment::Enrolled;
use crate::domain::ids::{Hash, KioskId};
use crate::files::write_whole;
use crate::texts::Texts;

const FILE: &str = "configuration.json";
/// How often it is asked whether there is another one.
const LOOK: Duration = Duration::from_secs(300);

/// So long it may take on a slow line: the central service gives a request ten minutes.
const LONGEST: Duration = Duration::from_secs(570);

/// Why there is no other configuration this time.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// The service.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// It refused.
    #[error("the central service gives no configuration: {0}")]
    Refused(String),
    /// It cannot be used.
    #[error("the central service's configuration is not used, the last one stays: {0}")]
    Bad(#[from] BadConfiguration),
    /// The disk.
    #[error("the configuration could not be kept: {0}")]
    Disk(#[from] std::io::Error),
}

/// What is in force at a kiosk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// What enrolment gave, and the configuration after it.
    pub enrolled: Arc<Enrolled>,
    /// What the screens say, by language; the first is that of rest.
    pub texts: Vec<Texts>,
}

impl InForce {
    /// What stays in force, where no service tells another.
    pub fn fixed(enrolled: Arc<Enrolled>, texts: Vec<Texts>) -> watch::Receiver<Self> {
        watch::channel(Self { enrolled, texts }).1
    }
}

/// A configuration as it came.
#[derive(Serialize, Deserialize)]
struct Kept {
    signature: String,
    body: String,
}

/// Follows the central service's configuration.
pub struct Follower {
    file: PathBuf,
    kiosk: KioskId,
    key: VerifyingKey,
    /// As [`super::sender::Sender::signing_key`].
    signing_key: Arc<dyn Signer<Signature> + Send + Sync>,
    /// Of what was taken last.
    tag: Option<Hash>,
    in_force: watch::Sender<InForce>,
}

impl Follower {
    /// What is in force at a kiosk's start: the configuration kept in `folder` after what enrolment gave,
    /// and `texts` where it brings none. None without an enrolment.
    pub fn open(folder: &Path, identity: &Identity, texts: Vec<Texts>) -> Option<Self> {
        let enrolled = identity.enrolled.clone()?;
        let (_, key) = central_keys(&enrolled)?;
        let mut follower = Self {
            file: folder.join(FILE),
            kiosk: enrolled.kiosk.clone(),
            key,
            signing_key: Arc::new(identity.signing_key.clone()),
            tag: None,
            in_force: watch::Sender::new(InForce { enrolled: Arc::new(enrolled), texts }),
        };
        if let Ok(bytes) = std::fs::read(&follower.file) {
            let kept: Result<Kept, _> = serde_json::from_slice(&bytes);
            let read = kept.map_err(|error| BadConfiguration::Unreadable(error.to_string()));
            let taken = read.and_then(|kept| follower.take(kept.body.as_bytes(), &kept.signature));
            if let Err(error) = taken {
                tracing::warn!(%error, "the configuration kept here is not used");
            }
        }
        Some(follower)
    }

    /// Forgets what was kept: a new enrolment brings all of it anew.
    pub fn forget(folder: &Path) -> std::io::Result<()> {
        match std::fs::remove_file(folder.join(FILE)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// What is in force, now and later.
    pub fn in_force(&self) -> watch::Receiver<InForce> {
        self.in_force.subscribe()
    }

    fn take(&mut self, body: &[u8], signature: &str) -> Result<(), BadConfiguration> {
        let read = Configuration::read(body, signature, &self.key, &self.kiosk)?;
        self.tag = Some(Hash::of(body));
        self.in_force.send_if_modified(|in_force| {
            let mut enrolled = (*in_force.enrolled).clone();
            read.put_into(&mut enrolled);
            let mut now = InForce { enrolled: Arc::new(enrolled), texts: in_force.texts.clone() };
            let texts = read.texts.into_iter().map(serde_json::from_value).collect();
            match texts {
                Ok(texts) => now.texts = Texts::usable(texts).unwrap_or(now.texts),
                // A service of another version says other things.
                Err(error) => {
                    let error: serde_json::Error = error;
                    tracing::warn!(%error, "the central service's texts are not used");
                }
            }
            let other = now != *in_force;
            *in_force = now;
            other
        });
        Ok(())
    }

    /// Asks once; whether another one came.
    ///
    /// # Errors
    /// When the service is not reached, refuses, or gives what cannot be used.
    pub async fn look(&mut self, network: &Network) -> Result<bool, ConfigurationError> {
        let lost = |error: reqwest::Error| network.lost(&error);
        let address = network.address(&format!("/api/v1/configuration/{}", self.kiosk));
        let request = network.client()?.get(address);
        let request = request.header("hailong-signature", ask(&*self.signing_key, &self.kiosk));
        let request = match self.tag {
            Some(tag) => request.header("if-none-match", format!("\"{tag}\"")),
            None => request,
        };
        let mut reply = request.timeout(LONGEST).send().await.map_err(lost)?;
        if let Some(turned_back) = network.turned_back(reply.status()) {
            return Err(turned_back.into());
        }
        if reply.status() == StatusCode::NOT_MODIFIED {
            return Ok(false);
        }
        let signature = reply.headers().get("hailong-signature");
        let signature =
            signature.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let status = reply.status();
        let mut body = Vec::new();
        while let Some(part) = reply.chunk().await.map_err(lost)? {
            body.extend_from_slice(&part);
            if body.len() > MOST_BYTES {
                return Err(BadConfiguration::Unreadable("it is too large".into()).into());
            }
        }
        if !status.is_success() {
            return Err(ConfigurationError::Refused(refusal(status, &body)));
        }
        self.take(&body, &signature)?;
        // It was read as JSON, so it is text.
        let body = String::from_utf8_lossy(&body).into_owned();
        let kept = serde_json::to_vec(&Kept { signature, body }).map_err(std::io::Error::from)?;
        // It holds hashes of short codes.
        write_whole(&self.file, &kept, true)?;
        Ok(true)
    }

    /// Asks again and again.
    pub async fn follow(mut self, network: Network, clock: Arc<dyn Clock>) -> Infallible {
        let mut said = String::new();
        loop {
            match self.look(&network).await {
                Ok(true) => tracing::info!("another configuration came"),
                Ok(false) => said.clear(),
                // Weeks without network are one line of the log, not thousands.
                Err(error) if error.to_string() != said => {
                    tracing::warn!(%error, "no configuration; asking again");
                    said = error.to_string();
                }
                Err(_) => {}
            }
            clock.sleep(LOOK).await;
        }
    }
}
