//! `hailong`: a rating kiosk for the counters of Vietnamese one-stop shops, and its central service.
//!
//! One rating's way through the modules:
//!
//! ```text
//! tap → kiosk::visit → kiosk::journal → next screen
//!                          ↓
//!                    kiosk::uploader → HTTP → central::ingest → central::store → receipt
//!                                                                   ↓
//!                                              central::summary → page, table, JSON
//! ```
//!
//! - [`domain`]: pure rules and bytes, no I/O: lines and their chain, bodies and their seal,
//!   batches, receipts, tickets, forms, ratings and their tallies, summaries and withholding.
//! - [`clock`]: the one injected source of time.
//! - [`ending`]: being asked to end.
//! - [`config`]: reading configuration so that every mistake names file, line and column.
//! - [`texts`]: what screens and pages say, a file a language.
//! - [`pem`]: certificates and keys in files.
//! - [`listener`]: connections, with TLS and bounds; [`source`]: where they come from.
//! - [`files`]: files that are there whole or not at all.
//! - [`kiosk`]: the counter's side.
//! - [`central`]: the service's side. It and the kiosk know the domain, not each other.
//! - [`sqlite`]: what both ask of a SQLite file.
//! - [`demo`]: the whole on one machine.
#![deny(unsafe_code)]
#![warn(missing_docs)]

#[cfg(feature = "central")]
pub mod central;
pub mod clock;
pub mod config;
#[cfg(feature = "central")]
pub mod demo;
pub mod domain;
pub mod ending;
#[cfg(any(feature = "kiosk", feature = "central"))]
pub mod files;
#[cfg(feature = "kiosk")]
pub mod kiosk;
#[cfg(any(feature = "kiosk", feature = "central"))]
pub mod listener;
#[cfg(any(feature = "kiosk", feature = "central"))]
pub mod pem;
#[cfg(any(feature = "kiosk", feature = "central"))]
pub mod source;
#[cfg(any(feature = "kiosk", feature = "central"))]
pub mod sqlite;
#[cfg(any(feature = "kiosk", feature = "central"))]
pub mod texts;
