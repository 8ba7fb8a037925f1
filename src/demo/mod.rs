//! The whole on one machine, invented people and all, through the code that real offices run.

use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpListener;

use crate::central::service::ServiceError;

#[cfg(feature = "kiosk")]
mod check;
pub mod clock;
#[cfg(feature = "kiosk")]
pub mod day;
pub mod folder;
#[cfg(feature = "kiosk")]
mod front;
#[cfg(feature = "kiosk")]
pub mod gallery;
#[cfg(feature = "kiosk")]
mod neighbour;
mod people;
#[cfg(feature = "kiosk")]
pub mod plan;
pub mod province;

/// A listener on the first of a hundred ports that is free.
async fn free_port(address: IpAddr, from: u16) -> Result<TcpListener, ServiceError> {
    let mut refused = None;
    for port in from..from + 100 {
        match TcpListener::bind(SocketAddr::new(address, port)).await {
            Ok(listener) => return Ok(listener),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    let error = refused.unwrap_or_else(|| std::io::Error::other("no free port"));
    Err(ServiceError::Listen(SocketAddr::new(address, from), error))
}
