//! How a kiosk reaches the central service, and the client that it speaks to it with.
//!
//! All of it stands in `kiosk.toml`: proxies that the environment names (`HTTPS_PROXY` and such)
//! are not looked at, so that a kiosk behaves the same however it was started.

use std::fmt;
use std::time::Duration;

use reqwest::{Client, StatusCode, Url};
use rustls::pki_types::CertificateDer;

use super::obstacle::Obstacle;

/// Unused connections are closed before the central service would, so that no batch is lost to a
/// connection that is just being closed.
const IDLE: Duration = Duration::from_secs(8);

/// No answer came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the central service cannot be reached: {0}")]
pub struct Unreachable(pub Obstacle);

impl From<Obstacle> for Unreachable {
    fn from(obstacle: Obstacle) -> Self {
        Self(obstacle)
    }
}

/// An address in the configuration that cannot be used; the words say what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadAddress(&'static str);

/// The way to a central service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    service: String,
    authorities: Vec<CertificateDer<'static>>,
    proxy: Option<Proxy>,
}

/// What a kiosk's file says of the way, whatever the address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Way {
    /// Certificate authorities that are trusted beside the public ones.
    pub authorities: Vec<CertificateDer<'static>>,
    /// The proxy that all goes through.
    pub proxy: Option<Proxy>,
}

impl Way {
    /// This way to a service.
    pub fn to(&self, service: &str) -> Result<Network, BadAddress> {
        Network::check(service)?;
        let network = Network::to(service).trusting(self.authorities.clone());
        match &self.proxy {
            Some(proxy) => network.through(proxy.clone()),
            None => Ok(network),
        }
    }
}

impl Network {
    /// Straight to the service at an address, which may have a base path, such as
    /// `https://hailong.example.vn/DANHGIA`.
    pub fn to(service: &str) -> Self {
        let service = service.trim_end_matches('/').to_owned();
        Self { service, authorities: Vec::new(), proxy: None }
    }

    /// Whether an address may be a central service's.
    pub fn check(service: &str) -> Result<(), BadAddress> {
        let scheme = service.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        if !matches!(scheme.as_deref(), Some("http" | "https")) {
            return Err(BadAddress("expected an address that begins with https:// or http://"));
        }
        let plain = |url: Url| {
            let bare = url.username().is_empty() && url.password().is_none();
            bare && url.query().is_none() && url.fragment().is_none()
        };
        if Url::parse(service).is_ok_and(plain) {
            Ok(())
        } else {
            Err(BadAddress(
                "expected an address such as https://hailong.example.vn or \
                 https://hailong.example.vn/BASE; IPv6 in brackets: http://[::1]:8080",
            ))
        }
    }

    /// Trusts these certificate authorities, too.
    pub fn trusting(mut self, authorities: Vec<CertificateDer<'static>>) -> Self {
        self.authorities.extend(authorities);
        self
    }

    /// Goes through a proxy, whatever the address. Not to an IPv6 address with TLS: the client
    /// takes its brackets for a part of the name (seanmonstar/reqwest#3094).
    pub fn through(mut self, proxy: Proxy) -> Result<Self, BadAddress> {
        let service = Url::parse(&self.service).ok();
        let host = service.as_ref().filter(|url| url.scheme() == "https").and_then(Url::host_str);
        if host.is_some_and(|host| host.starts_with('[')) {
            return Err(BadAddress(
                "expected a service with a name; https:// and an IPv6 address do not go through a \
                 proxy",
            ));
        }
        self.proxy = Some(proxy);
        Ok(self)
    }

    /// The address of a path of the service, such as `/api/v1/journal`.
    pub fn address(&self, path: &str) -> String {
        format!("{}{path}", self.service)
    }

    /// Whom it leads to, as `host:port`.
    pub fn host(&self) -> String {
        host(&self.service)
    }

    /// A client as kiosks use it: TLS by rustls, bounded in time, no redirects.
    pub fn client(&self) -> Result<Client, Unreachable> {
        // The second call finds the provider installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let failed = |error: reqwest::Error| Unreachable::from(Obstacle::other(&error));
        let mut authorities = Vec::new();
        for certificate in &self.authorities {
            authorities.push(reqwest::Certificate::from_der(certificate).map_err(failed)?);
        }
        let mut builder = Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(60))
            .pool_idle_timeout(IDLE)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("hailong/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .tls_certs_merge(authorities);
        if let Some(Proxy(proxy)) = &self.proxy {
            builder = builder.proxy(reqwest::Proxy::all(proxy.clone()).map_err(failed)?);
        }
        builder.build().map_err(failed)
    }

    /// Why a request did not come through.
    pub fn lost(&self, error: &reqwest::Error) -> Unreachable {
        let proxy = self.proxy.as_ref().map(Proxy::to_string);
        Obstacle::of(error, &host(&self.service), proxy.as_deref()).into()
    }

    /// What an answer's status tells of the way to the service; nothing, when the service spoke.
    pub fn turned_back(&self, status: StatusCode) -> Option<Unreachable> {
        let proxy = self.proxy.as_ref()?;
        (status == StatusCode::PROXY_AUTHENTICATION_REQUIRED)
            .then(|| Obstacle::ProxyPassword(proxy.to_string()).into())
    }
}

/// The words of an answer that is not the one asked for: the service's own, or what it means when
/// another program answers.
pub fn refusal(status: StatusCode, body: &[u8]) -> String {
    let problem: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    match (problem["detail"].as_str(), status.as_u16()) {
        (Some(detail), _) => format!("{status}: {detail}"),
        (None, 404) => {
            format!("{status}; check service in kiosk.toml, its path and capital letters included")
        }
        (None, 502..=504) => {
            format!("{status}; a proxy is there, but does not reach the central service itself")
        }
        (None, _) => status.to_string(),
    }
}

impl From<&str> for Network {
    fn from(service: &str) -> Self {
        Self::to(service)
    }
}

impl From<&String> for Network {
    fn from(service: &String) -> Self {
        Self::to(service)
    }
}

impl From<&Network> for Network {
    fn from(network: &Network) -> Self {
        network.clone()
    }
}

/// A client that reaches whatever the network reaches by itself.
pub fn client() -> Result<Client, Unreachable> {
    Network::to("").client()
}

/// An HTTP proxy. Shown without its user and password.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy(Url);

impl Proxy {
    /// Reads `http://host:port` or `http://user:password@host:port`.
    pub fn read(address: &str) -> Result<Self, BadAddress> {
        match Url::parse(address) {
            Ok(url)
                if url.scheme() == "http"
                    && url.host_str().is_some_and(|host| !host.is_empty())
                    && url.path() == "/"
                    && url.query().is_none()
                    && url.fragment().is_none() =>
            {
                Ok(Self(url))
            }
            // The address may hold a password: it is not repeated.
            _ => Err(BadAddress(
                "expected http://host:port or http://user:password@host:port, with % and two \
                 hexadecimal digits for letters such as @ or / in the password",
            )),
        }
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&host_and_port(&self.0))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

fn host(service: &str) -> String {
    Url::parse(service).map_or_else(|_| service.to_owned(), |url| host_and_port(&url))
}

fn host_and_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_is_joined_with_one_slash() {
        for service in ["https://hailong.example.vn/DANHGIA", "https://hailong.example.vn/DANHGIA/"]
        {
            assert_eq!(
                Network::to(service).address("/api/v1/journal"),
                "https://hailong.example.vn/DANHGIA/api/v1/journal"
            );
        }
    }

    #[test]
    fn a_proxys_password_is_never_shown() {
        let proxy = Proxy::read("http://may01:b%C3%AD-m%E1%BA%ADt@proxy.example.vn:3128").unwrap();
        let network = Network::to("https://hailong.example.vn").through(proxy.clone()).unwrap();
        for shown in [proxy.to_string(), format!("{proxy:?}"), format!("{network:?}")] {
            assert!(shown.contains("proxy.example.vn:3128"), "{shown}");
            assert!(!shown.contains("may01") && !shown.contains("b%C3"), "{shown}");
        }
        let wrong = Proxy::read("ftp://may01:secret@proxy.example.vn").unwrap_err();
        assert!(!wrong.to_string().contains("secret"), "{wrong}");
    }
}
