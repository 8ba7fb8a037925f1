//! The pages in a real browser: readable and touchable on phones and screens of any width, in both
//! languages; usable by keyboard alone and without any script.

mod accounts;
mod calls;
#[path = "../common/mod.rs"]
mod common;
mod deliveries;
mod driver;
mod forms;
mod keyboard;
mod looker;
mod office;
mod paper;
mod phone;
mod staff;
