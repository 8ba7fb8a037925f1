//! The counter's side: what a citizen sees and taps, kept on the kiosk's own disk and sent on.
//!
//! The screen never waits for the network, and shows thanks only after the disk has the answer.

pub mod by_content;
pub mod by_hand;
pub mod calls;
pub mod care;
pub mod condition;
pub mod config;
pub mod configuration;
pub mod desk;
pub mod duty;
pub mod enrolment;
pub mod guardian;
pub mod headless;
pub mod identity;
pub mod journal;
pub mod journal_reader;
pub mod keypad;
pub mod lifeline;
pub mod network;
pub mod obstacle;
pub mod paused;
pub mod photos;
pub mod procedures;
pub mod qr;
pub mod receipts;
pub mod recorder;
pub mod rescue;
pub mod rest;
pub mod run;
pub mod scanner;
pub mod sender;
pub mod setup;
pub mod slip;
pub mod sqlite_pages;
pub mod staff;
pub mod transport;
pub mod typing;
pub mod uploader;
pub mod visit;
pub mod voice;
pub mod window;
pub mod witness;
