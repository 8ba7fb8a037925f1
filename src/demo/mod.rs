//! The whole on one machine, invented people and all, through the code that real offices run.

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
