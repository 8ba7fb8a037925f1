//! Where connections come from: how many one source may have, and which addresses are near.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// The other end of a connection, as a request carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// One who asks: an IPv4 address, or of IPv6 a whole /64, which is what one subscriber gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Source(IpAddr);

impl Source {
    /// The source at an address.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            v4 @ IpAddr::V4(_) => v4,
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        })
    }

    /// Its address; of a network, the first one.
    pub fn address(self) -> IpAddr {
        self.0
    }
}

/// Whether an address is this machine's alone, in whatever way it is written.
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Whether an address belongs to a local network, or to this machine alone: nobody outside has a way to it.
pub fn is_local(address: IpAddr) -> bool {
    is_loopback(address)
        || match address.to_canonical() {
            IpAddr::V4(v4) => v4.is_private() || v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
        }
}

/// How many connections each source has.
#[derive(Clone)]
pub struct Shares {
    most: Option<u16>,
    held: Arc<Mutex<HashMap<Source, u16>>>,
}

/// One connection of a source; given back when dropped.
pub struct Share {
    of: Shares,
    source: Source,
}

impl Shares {
    /// So many at most for each, if there is a most.
    pub fn new(most: Option<u16>) -> Self {
        Self { most, held: Arc::default() }
    }

    /// One more for a source, if it may have one.
    pub fn take(&self, from: IpAddr) -> Option<Share> {
        let source = Source::of(from);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let has = held.entry(source).or_default();
        if self.most.is_some_and(|most| *has >= most) {
            return None;
        }
        *has = has.saturating_add(1);
        Some(Share { of: self.clone(), source })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.of.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(has) = held.get_mut(&self.source) {
            *has = has.saturating_sub(1);
            if *has == 0 {
                held.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn loopback_is_known_in_every_writing_and_nothing_else_is_taken_for_it() {
        for loopback in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(is_loopback(ip(loopback)), "{loopback}");
        }
        for other in
            ["0.0.0.0", "::", "192.168.1.5", "::ffff:192.168.1.5", "::ffff:0.0.0.0", "fe80::1"]
        {
            assert!(!is_loopback(ip(other)), "{other}");
        }
    }

    #[test]
    fn a_local_network_is_told_from_the_rest_of_the_world() {
        for local in [
            "127.0.0.1",
            "::1",
            "10.0.0.7",
            "172.16.0.1",
            "172.31.255.254",
            "192.168.1.20",
            "169.254.3.4",
            "::ffff:192.168.1.20",
            "fd12:3456::7",
            "fe80::1",
        ] {
            assert!(is_local(ip(local)), "{local}");
        }
        for other in [
            "0.0.0.0",
            "::",
            "172.32.0.1",
            "192.169.1.1",
            "100.64.0.1",
            "113.160.1.1",
            "::ffff:113.160.1.1",
            "2001:db8::7",
            "ff02::1",
            "255.255.255.255",
        ] {
            assert!(!is_local(ip(other)), "{other}");
        }
    }

    #[test]
    fn a_source_has_its_share_and_no_more_until_it_gives_one_back() {
        let shares = Shares::new(Some(2));
        let one = shares.take(ip("2001:db8::1")).unwrap();
        let _other = shares.take(ip("2001:db8::2")).unwrap();
        assert!(shares.take(ip("2001:db8::3")).is_none(), "a subscriber's whole network is one");
        let _elsewhere = shares.take(ip("2001:db8:0:1::1")).unwrap();
        let _mapped = shares.take(ip("::ffff:10.0.0.1")).unwrap();
        let _v4 = shares.take(ip("10.0.0.1")).unwrap();
        assert!(shares.take(ip("10.0.0.1")).is_none(), "mapped or not, one source");
        drop(one);
        let again = shares.take(ip("2001:db8::3")).unwrap();
        drop(again);
        let unbounded = Shares::new(None);
        let _many: Vec<_> = (0..500).map(|_| unbounded.take(ip("10.0.0.1")).unwrap()).collect();
    }
}
