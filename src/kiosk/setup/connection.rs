//! What is done at the central service at the first start: reach it, compare clocks, be admitted.

use std::path::Path;

use super::{Admitted, Failure, Stage};
use crate::clock::Clock;
use crate::domain::fingerprint::fingerprint;
use crate::domain::system_random;
use crate::domain::time::At;
use crate::kiosk::configuration::Follower;
use crate::kiosk::enrolment::{EnrolmentError, Refused, enrol_with, greet};
use crate::kiosk::identity::{Identity, IdentityError};
use crate::kiosk::network::Network;
use crate::kiosk::obstacle::Obstacle;

/// Seconds to wait where too many tries are refused without a word of how long.
const WAIT: u32 = 60;

impl From<EnrolmentError> for Failure {
    fn from(error: EnrolmentError) -> Self {
        match error {
            EnrolmentError::Unreachable(unreachable) => Self::Unreachable(unreachable.0),
            EnrolmentError::Stranger(_) => Self::Stranger,
            EnrolmentError::Unreadable(_) => Self::ServiceNewer,
            EnrolmentError::Identity(error) => error.into(),
            EnrolmentError::Refused(Refused { status, by_service, retry_after, words }) => {
                match (status, by_service) {
                    (429, _) => Self::TooOften { wait: retry_after.unwrap_or(WAIT) },
                    (500.., _) => Self::Busy { wait: retry_after },
                    (403, true) => Self::Code,
                    // It names what it does not know.
                    (400 | 422, true) => Self::ServiceOlder,
                    (_, true) => Self::Refused(words),
                    (_, false) => Self::Stranger,
                }
            }
        }
    }
}

impl From<IdentityError> for Failure {
    fn from(error: IdentityError) -> Self {
        Self::Disk(error.to_string())
    }
}

/// Reaches a service by a way that its client can be made for, and compares `clock` with the service's;
/// is admitted there under `code`, unless the kiosk in `folder` is already. Tells the stages as they come.
///
/// # Errors
/// What a technician can do something about.
pub async fn connect(
    network: &Network,
    code: Option<&str>,
    folder: &Path,
    clock: &dyn Clock,
    tell: impl Fn(Stage),
) -> Result<Admitted, Failure> {
    let greeting = greet(network).await?;
    tell(Stage::Clock);
    if let Some(service) = greeting.date {
        Failure::of_clocks(At::new(clock.now()), At::new(service))?;
    }
    tell(Stage::Enrolling);
    let mut identity = Identity::load_or_create(folder, &mut system_random())?;
    if let Some(code) = code {
        enrol_with(network, &greeting.keys, code, &mut identity).await?;
        Follower::forget(folder).map_err(|error| Failure::Disk(error.to_string()))?;
    }
    admitted(&identity).ok_or_else(|| {
        Failure::Unreachable(Obstacle::from("this kiosk was admitted, but is not any more"))
    })
}

/// What somebody has to compare, of a kiosk that is admitted.
pub fn admitted(identity: &Identity) -> Option<Admitted> {
    let enrolled = identity.enrolled.clone()?;
    let words = fingerprint(identity.signing_key.verifying_key().as_bytes());
    Some(Admitted { words, enrolled, in_use: identity.journal_begun })
}
