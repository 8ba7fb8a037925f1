//! Who asks at the staff's doors, and whether they may: people who signed in with a browser, and programs
//! with a token.
//!
//! - No password is anybody's by default: whoever adds an account hands over a link, once and for three
//!   days, under which its holder sets one. The first administrator's is printed at start.
//! - What proves who somebody is lies in the store as a hash or sealed; secrets of 256 random bits as
//!   their SHA-256, passwords under Argon2id.
//! - Wrong passwords slow down the next ones of the same account, apart for browsers in which its holder
//!   signed in before: nobody locks somebody else out of their own.
//! - Whatever changes something carries a secret of its session's in the form, or a token: another
//!   site's page can send neither.

pub mod account;
pub mod account_page;
pub mod accounts_page;
pub mod console;
pub mod factor;
pub mod invited_page;
pub mod own_page;
pub mod sign_in;
pub mod sign_in_page;
pub mod who;

/// A session ends after so long without use, in minutes.
pub const IDLE_MINUTES: i64 = 120;
/// And so long after it began, in minutes.
pub const LONGEST_MINUTES: i64 = 12 * 60;
/// A link to set a password is valid so long, in minutes.
pub const INVITATION_MINUTES: i64 = 3 * 24 * 60;
/// Longest life of a token, in days.
pub const TOKEN_DAYS: i32 = 366;
