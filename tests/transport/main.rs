//! The ways between kiosks, phones, staff and the central service, through real parts on loopback:
//! TLS with a private authority, proxies forward and reverse, base paths, IPv6.

mod bounds;
#[path = "../common/child.rs"]
mod child;
#[path = "../common/mod.rs"]
mod common;
mod door;
mod obstacles;
mod refusals;
mod ways;
mod wire;

#[test]
fn child_entry() {
    child::entry()
}
