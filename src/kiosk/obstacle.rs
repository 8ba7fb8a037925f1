//! What stands between a kiosk and the central service, in words that a technician of the office
//! can act on.

use std::error::Error;
use std::io::{self, ErrorKind};

use jiff::Timestamp;
use rustls::CertificateError;
use rustls::pki_types::UnixTime;

use crate::domain::time::At;

/// What stands in the way. Names are `host:port`, without user and password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // The words say it.
pub enum Obstacle {
    #[error("the name of {0} is not known here; check the name, and this machine's DNS")]
    Name(String),
    #[error("{0} refuses the connection; check host and port, and that the program runs there")]
    Refused(String),
    #[error("there is no way to {0}; check this machine's cable, address and gateway")]
    NoWay(String),
    #[error("{0} has not answered in time; check the network and any firewall on the way")]
    Late(String),
    #[error(
        "{0} closes the connection before it answers; a firewall may cut it, or https:// and \
         http:// are mixed up"
    )]
    Cut(String),
    #[error("what answers at {0} does not speak TLS; check https:// or http://, and the port")]
    NoTls(String),
    #[error("what answers at {0} does not speak HTTP; check https:// or http://, and the port")]
    NoHttp(String),
    #[error(
        "the certificate of {0} is not trusted; if your office has a certificate authority of its \
         own, name the file of its certificate with ca"
    )]
    Untrusted(String),
    #[error(
        "the certificate of {host} is for another name: {names}; use the right name or have it \
             issued anew"
    )]
    OtherName { host: String, names: String },
    #[error(
        "the certificate of {host} ended on {end}, while this machine's clock says {now}; if the \
         clock is right, have the certificate renewed"
    )]
    Expired { host: String, end: String, now: String },
    #[error(
        "the certificate of {host} begins on {begin}, while this machine's clock says {now}; set \
         the clock"
    )]
    NotYet { host: String, begin: String, now: String },
    #[error("the certificate of {host} cannot be used: {why}")]
    Certificate { host: String, why: String },
    #[error(
        "the proxy {0} wants a user and password, or not these; write them as \
         http://user:password@host:port"
    )]
    ProxyPassword(String),
    #[error(
        "the proxy {proxy} does not let us through to {host}; it may not know the name, or not \
         allow it"
    )]
    Proxy { proxy: String, host: String },
    #[error("{0}")]
    Other(String),
}

impl From<&str> for Obstacle {
    fn from(words: &str) -> Self {
        Self::Other(words.to_owned())
    }
}

impl Obstacle {
    /// What an error tells, on the way to `host`, through `proxy` if there is one.
    pub fn of(error: &reqwest::Error, host: &str, proxy: Option<&str>) -> Self {
        for cause in causes(error) {
            if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
                return Self::of_tls(tls, host);
            }
        }
        // Whoever is spoken to first.
        let peer = proxy.unwrap_or(host).to_owned();
        if error.is_dns() {
            return Self::Name(peer);
        }
        for cause in causes(error) {
            // The proxy client's errors have no public type.
            if let (Some(proxy), Some(why)) = (proxy, said(cause).strip_prefix("tunnel error: ")) {
                let proxy = proxy.to_owned();
                match why {
                    "proxy authorization required" => return Self::ProxyPassword(proxy),
                    "unsuccessful" => return Self::Proxy { proxy, host: host.to_owned() },
                    _ => {}
                }
            }
            match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
                Some(ErrorKind::ConnectionRefused) => return Self::Refused(peer),
                Some(ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable) => {
                    return Self::NoWay(peer);
                }
                Some(
                    ErrorKind::ConnectionReset
                    | ErrorKind::ConnectionAborted
                    | ErrorKind::BrokenPipe
                    | ErrorKind::UnexpectedEof,
                ) => return Self::Cut(peer),
                _ => {}
            }
        }
        if error.is_timeout() {
            return Self::Late(peer);
        }
        // Nor has the HTTP client's.
        let why = deepest(error);
        if why.starts_with("invalid HTTP") {
            Self::NoHttp(peer)
        } else if why.contains("connection closed before") || why.contains("unexpected end of file")
        {
            Self::Cut(peer)
        } else {
            Self::Other(why)
        }
    }

    /// An error that tells nothing of the way.
    pub fn other(error: &reqwest::Error) -> Self {
        Self::Other(deepest(error))
    }

    fn of_tls(error: &rustls::Error, host: &str) -> Self {
        let host = host.to_owned();
        let certificate = match error {
            rustls::Error::InvalidCertificate(certificate) => certificate,
            rustls::Error::InvalidMessage(_) => return Self::NoTls(host),
            other => return Self::Other(format!("no TLS with {host}: {other}")),
        };
        match certificate {
            // Also of an authority that has the name of a trusted one, but another key.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                Self::Untrusted(host)
            }
            CertificateError::NotValidForName => {
                Self::OtherName { host, names: "it does not say which".to_owned() }
            }
            CertificateError::NotValidForNameContext { presented, .. } => {
                let names: Vec<String> = presented.iter().take(5).map(|name| bare(name)).collect();
                Self::OtherName { host, names: names.join(", ") }
            }
            CertificateError::ExpiredContext { time, not_after } => {
                Self::Expired { host, end: day(*not_after), now: day(*time) }
            }
            CertificateError::Expired => {
                Self::Expired { host, end: "an earlier day".to_owned(), now: day(UnixTime::now()) }
            }
            CertificateError::NotValidYetContext { time, not_before } => {
                Self::NotYet { host, begin: day(*not_before), now: day(*time) }
            }
            CertificateError::NotValidYet => {
                Self::NotYet { host, begin: "a later day".to_owned(), now: day(UnixTime::now()) }
            }
            other => Self::Certificate { host, why: other.to_string() },
        }
    }
}

/// `DnsName("hailong.example.vn")` → `hailong.example.vn`.
fn bare(name: &str) -> String {
    name.split('"').nth(1).unwrap_or(name).to_owned()
}

fn day(time: UnixTime) -> String {
    i64::try_from(time.as_secs())
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .map_or_else(|| "?".to_owned(), |at| At::new(at).date().to_string())
}

fn said(error: &(dyn Error + 'static)) -> String {
    error.to_string()
}

fn deepest(error: &reqwest::Error) -> String {
    // Of the first, only what it is: its own words repeat the address.
    causes(error).skip(1).last().map_or_else(|| "the request failed".to_owned(), said)
}

/// An error, what caused it, what caused that, and so on; also through errors of the system that
/// only wrap another.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(Some(error as &(dyn Error + 'static)), |&error| {
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        wrapped.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source())
    })
}
