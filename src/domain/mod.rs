//! Pure rules and bytes, shared by kiosk and central service. Nothing here reads a file, a clock
//! or the network; randomness is handed in.

pub mod access;
pub mod archive;
pub mod attempts;
pub mod batch;
pub mod calendar;
pub mod check;
pub mod comments;
pub mod comparison;
pub mod condition;
pub mod configuration;
pub mod decision;
pub mod enrolment;
pub mod fingerprint;
pub mod form;
pub mod ids;
pub mod letter;
pub mod line;
pub mod office;
pub mod period;
pub mod procedure;
pub mod rating;
pub mod receipt;
pub mod report;
pub mod root;
pub mod seal;
pub mod series;
pub mod signals;
pub mod slow_hash;
pub mod staff_code;
pub mod statistics;
pub mod summary;
pub mod ticket;
pub mod time;
pub mod versions;
mod withholding;

pub use ids::{CounterId, Epoch, FormRef, Hash, KioskId, OfficeCode, OfficialId};

/// A source of randomness: the operating system's in the product, a seeded one in tests.
pub type Random = Box<dyn rand::CryptoRng + Send>;

/// The operating system's randomness.
///
/// # Panics
/// When the operating system can give none: nothing here is safe to do without it.
pub fn system_random() -> Random {
    Box::new(rand::rand_core::UnwrapErr(rand::rngs::SysRng))
}
