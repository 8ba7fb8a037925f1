//! Who asks, and how many requests one source may send in time.
//!
//! A source is the other end of a connection, or what a declared proxy says the other end of its
//! own was. This machine itself is no source: whoever is on it need not ask at a door.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use axum::http::HeaderMap;
use governor::clock::{Clock, MonotonicClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use hmac::{Hmac, KeyInit, Mac};
use jiff::civil::Date;
use rand::Rng;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::domain::system_random;
use crate::source::{Peer, Source};

/// The header in which a proxy says whom it asks for; it writes the last of its addresses.
const FORWARDED: &str = "x-forwarded-for";
/// Sources that asked nothing for long are forgotten after so many requests.
const FORGET_AFTER: u32 = 1 << 16;

/// The source that the nearest proxy names, if it names one.
fn forwarded(headers: &HeaderMap) -> Option<Source> {
    let named = headers.get_all(FORWARDED).iter().next_back()?.to_str().ok()?;
    let last = named.rsplit(',').next()?.trim();
    // Some proxies add the port.
    let with_port = || last.parse().ok().map(|address: SocketAddr| address.ip());
    last.parse().ok().or_else(with_port).map(Source::of)
}

/// Who asks, where `proxied` as the nearest proxy says; none of this machine itself.
fn asking(proxied: bool, Peer(peer): Peer, headers: &HeaderMap) -> Option<Source> {
    let forwarded = if proxied { forwarded(headers) } else { None };
    let source = forwarded.unwrap_or_else(|| Source::of(peer));
    (!source.address().is_loopback()).then_some(source)
}

/// Tells whether answers of one day came from one source, without keeping any: marks of 16 bits
/// under a key that is drawn anew each day and never leaves this memory.
pub struct Marks {
    proxied: bool,
    of_day: Mutex<(Date, Zeroizing<[u8; 32]>)>,
}

impl Marks {
    /// Marks; where `proxied`, the nearest proxy says who asks.
    pub fn new(proxied: bool) -> Self {
        Self { proxied, of_day: Mutex::new((Date::MIN, Zeroizing::new([0; 32]))) }
    }

    /// The mark of who asks today, 4 hex digits; none of this machine itself.
    pub fn of(&self, peer: Peer, headers: &HeaderMap, today: Date) -> Option<String> {
        let address = asking(self.proxied, peer, headers)?.address();
        let mut of_day = self.of_day.lock().unwrap_or_else(PoisonError::into_inner);
        if of_day.0 != today {
            of_day.0 = today;
            system_random().fill_bytes(&mut *of_day.1);
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(&*of_day.1).ok()?;
        mac.update(address.to_string().as_bytes());
        Some(data_encoding::HEXLOWER.encode(mac.finalize().into_bytes().get(..2)?))
    }
}

/// How many requests a source may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// In a second, in the long run.
    pub per_second: NonZeroU32,
    /// At once, by a source that was quiet for long.
    pub at_once: NonZeroU32,
}

impl Default for Pace {
    /// A province's network may come from one address: a thousand kiosks that send after every
    /// visitor stay below a third of this.
    fn default() -> Self {
        const PER_SECOND: NonZeroU32 = NonZeroU32::new(100).unwrap(); // ok: at compile time
        const AT_ONCE: NonZeroU32 = NonZeroU32::new(1_000).unwrap(); // ok: at compile time
        Self { per_second: PER_SECOND, at_once: AT_ONCE }
    }
}

/// How requests come to one listener.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Approach {
    /// Most requests of one source in time; more are asked to come later.
    pub pace: Pace,
    /// Whether a proxy says which source a request is of.
    pub proxied: bool,
}

/// Keeps every source to its pace.
pub struct Gate {
    limiter: RateLimiter<Source, HashMapStateStore<Source>, MonotonicClock>,
    proxied: bool,
    asked: AtomicU32,
}

impl Gate {
    /// A gate; where `proxied`, the nearest proxy says who asks.
    pub fn new(pace: Pace, proxied: bool) -> Self {
        let quota = Quota::per_second(pace.per_second).allow_burst(pace.at_once);
        let limiter = RateLimiter::hashmap_with_clock(quota, MonotonicClock);
        Self { limiter, proxied, asked: AtomicU32::new(0) }
    }

    /// Lets one more request in, or says after how many seconds to come again, at least one.
    pub fn ask(&self, peer: Peer, headers: &HeaderMap) -> Result<(), u32> {
        let Some(source) = asking(self.proxied, peer, headers) else { return Ok(()) };
        if self.asked.fetch_add(1, Ordering::Relaxed) % FORGET_AFTER == FORGET_AFTER - 1 {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        self.limiter.check_key(&source).map_err(|early| {
            let wait = early.wait_time_from(MonotonicClock.now());
            u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv6Addr};

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn named(addresses: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for address in addresses {
            headers.append(FORWARDED, address.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_mark_is_of_one_source_and_of_one_day() {
        let marks = Marks::new(true);
        let day = |day| Date::constant(2026, 11, day);
        let mark = |address: &str, today| {
            marks.of(Peer(ip("127.0.0.1")), &named(&[address]), today).unwrap()
        };
        let first = mark("203.0.113.7", day(24));
        assert_eq!((first.len(), &first), (4, &mark("203.0.113.7", day(24))));
        assert_eq!(mark("2001:db8::1", day(24)), mark("2001:db8::2", day(24)), "one subscriber");
        // Of so many sources and days, some differ.
        let others = (0..8).map(|n| mark(&format!("203.0.113.{n}"), day(24)));
        assert!(others.collect::<std::collections::BTreeSet<_>>().len() > 6);
        let days = (0..8).map(|n| mark("203.0.113.7", day(1 + n)));
        assert!(days.collect::<std::collections::BTreeSet<_>>().len() > 6);
        assert_eq!(marks.of(Peer(ip("127.0.0.1")), &HeaderMap::new(), day(24)), None);
    }

    #[test]
    fn the_nearest_proxy_is_believed_and_nothing_that_was_written_before_it() {
        let source = |addresses: &[&str]| forwarded(&named(addresses));
        let one = Some(Source::of(ip("203.0.113.7")));
        assert_eq!(source(&["203.0.113.7"]), one);
        assert_eq!(source(&["127.0.0.1, 10.0.0.9,203.0.113.7 "]), one);
        assert_eq!(source(&["127.0.0.1", "203.0.113.7"]), one, "headers are one list");
        assert_eq!(source(&["203.0.113.7:5060"]), one);
        assert_eq!(source(&["[2001:db8::7]:443"]), Some(Source::of(ip("2001:db8::9"))));
        for nothing in [&[][..], &[""], &["203.0.113.7, unknown"], &["203.0.113.7,"]] {
            assert_eq!(source(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn a_source_keeps_its_pace_whatever_others_do() {
        let (one, few) = (NonZeroU32::MIN, NonZeroU32::new(3).unwrap());
        let pace = Pace { per_second: one, at_once: few };
        let gate = Gate::new(pace, true);
        let (peer, here) = (Peer(ip("198.51.100.1")), Peer(ip("::ffff:127.0.0.1")));
        for _ in 0..3 {
            assert_eq!(gate.ask(peer, &named(&["203.0.113.7"])), Ok(()));
        }
        assert_eq!(gate.ask(peer, &named(&["203.0.113.7"])), Err(1));
        assert_eq!(gate.ask(here, &named(&["127.0.0.1, 203.0.113.7"])), Err(1), "no way around");
        assert_eq!(gate.ask(peer, &named(&["203.0.113.8"])), Ok(()), "another goes on");
        for _ in 0..9 {
            assert_eq!(gate.ask(here, &HeaderMap::new()), Ok(()), "this machine is no source");
        }
        let direct = Gate::new(pace, false);
        for n in 0..3 {
            let invented = named(&[&format!("203.0.113.{n}")]);
            assert_eq!(direct.ask(peer, &invented), Ok(()));
        }
        assert_eq!(direct.ask(peer, &named(&["127.0.0.1"])), Err(1), "nobody vouches for it");
    }

    #[test]
    fn sources_that_are_gone_take_no_room() {
        let gate = Gate::new(Pace::default(), true);
        let peer = Peer(ip("198.51.100.1"));
        for n in 0..(FORGET_AFTER * 3) {
            let address = Ipv6Addr::from_bits(u128::from(n) << 64 | 0x2001_0db8 << 96);
            assert_eq!(gate.ask(peer, &named(&[&address.to_string()])), Ok(()));
        }
        assert!(gate.limiter.len() <= FORGET_AFTER as usize, "{}", gate.limiter.len());
    }
}
