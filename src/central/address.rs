//! The addresses under which citizens and staff find the service.
//!
//! One rule for base paths: the service answers at exactly the paths that its addresses name, so
//! a reverse proxy forwards them as they are and strips nothing.

use std::net::IpAddr;

use axum::Router;
use axum::http::Uri;

use crate::domain::ticket::fits_qr;
use crate::source::is_loopback;

/// Whether an address may stand on tickets' QR codes; the error says what was expected.
pub fn check_public_url(url: &str) -> Result<(), String> {
    let scheme = url.starts_with("HTTP://") || url.starts_with("HTTPS://");
    if !scheme || !fits_qr(url) || url.len() > 60 {
        return Err("expected an address in capitals, digits and $%*+-./: of at most 60 \
                    characters, such as HTTPS://DANHGIA.HUNGYEN.GOV.VN, so that its QR code stays \
                    small"
            .into());
    }
    check(url, "HTTPS://MOTCUA.HUNGYEN.GOV.VN/DANHGIA")
}

/// Whether an address may be the staff's; the error says what was expected.
pub fn check_staff_url(url: &str) -> Result<(), String> {
    let example = "https://motcua.hungyen.gov.vn/hai-long";
    check(url, example)?;
    let uri: Uri = url.parse().map_err(|_| format!("expected an address such as {example}"))?;
    let host = uri.host().unwrap_or_default();
    let here = host == "localhost"
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(is_loopback);
    if is_https(url) || here {
        Ok(())
    } else {
        Err("expected https://, since the staff's secret goes this way".into())
    }
}

fn check(url: &str, example: &str) -> Result<(), String> {
    let expected = || format!("expected an address such as {example}");
    let uri: Uri = url.parse().map_err(|_| expected())?;
    let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if !scheme || uri.host().is_none_or(str::is_empty) || authority.contains('@') {
        return Err(expected());
    }
    let segment = |segment: &str| {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        !segment.is_empty() && segment.bytes().all(letter) && !matches!(segment, "." | "..")
    };
    let base = base_path(url);
    if base.is_empty() || base[1..].split('/').all(segment) {
        Ok(())
    } else {
        Err(format!("expected a path of letters, digits, - and . only, such as in {example}"))
    }
}

/// The path of an address without a slash at its end: nothing, or such as `/DANHGIA`.
pub fn base_path(url: &str) -> &str {
    let after = url.split_once("://").map_or(url, |(_, after)| after);
    after.find('/').map_or("", |at| &after[at..]).trim_end_matches('/')
}

/// Whether an address asks for TLS.
pub fn is_https(url: &str) -> bool {
    url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
}

/// The routes, below a base path.
pub fn below(base: &str, routes: Router) -> Router {
    if base.is_empty() { routes } else { Router::new().nest_service(base, routes) }
}
