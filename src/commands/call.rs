//! `hailong admin queue-call`: what a queue system would tell a kiosk.

use std::path::Path;

use hailong::domain::line::By;
use hailong::kiosk::calls::{Call, token_file};
use hailong::kiosk::config::Config;
use hailong::kiosk::network::Network;
use hailong::pem;

use super::{CONFIGURATION, Failure, INTERNAL, USAGE, staff};

pub fn call(config: &Path, counter: &str, invite: bool, ca: Option<&Path>) -> Result<(), Failure> {
    let counter =
        counter.parse().map_err(|error| Failure::new(USAGE, format!("--counter: {error}")))?;
    let by = if invite { By::Invitation } else { By::Queue };
    let named = config.display();
    let config = Config::read(config).map_err(|error| Failure::new(CONFIGURATION, error))?;
    let door = config.calls.listen.ok_or_else(|| {
        let message = format!("{named}: this kiosk takes no calls; name calls.listen there");
        Failure::new(CONFIGURATION, message)
    })?;
    let file = token_file(&config.data);
    let token = std::fs::read_to_string(&file).map_err(|error| {
        let message = format!("{}: {error}; a kiosk that takes calls writes it", file.display());
        Failure::new(CONFIGURATION, message)
    })?;
    let body =
        serde_json::to_string(&Call { by, counter }).map_err(|e| Failure::new(INTERNAL, e))?;
    let scheme = if door.tls.is_some() { "https" } else { "http" };
    let mut network = Network::to(&format!("{scheme}://{}", door.address));
    network = network.trusting(config.way.authorities);
    if let Some(file) = ca {
        let bad = |error| Failure::new(USAGE, format!("--ca: {error}"));
        network = network.trusting(pem::authorities(file).map_err(bad)?);
    }
    staff::ask_as(&network, Some(token.trim()), "/contact", Some(body), staff::LONGEST)?;
    println!("The screen asks now, or when the visit before is over.");
    Ok(())
}
