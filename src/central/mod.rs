//! The central service: takes journals in, counts, and publishes.

pub mod address;
pub mod by_hand;
pub mod check;
pub mod config;
pub mod decide;
mod directory;
pub mod door;
pub mod export;
pub mod ingest;
pub mod keys;
pub mod listener;
pub mod offline;
pub mod pages;
pub mod phone;
pub mod photo;
pub mod problem;
pub mod rebuild;
pub mod report;
pub mod roots;
pub mod service;
pub mod source;
pub mod staff;
pub mod store;
pub mod summary;
pub mod table;
pub mod upkeep;
pub mod verify;
