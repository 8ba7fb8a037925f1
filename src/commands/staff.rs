//! Asking a running service: on its staff listener, or openly where anybody may ask.

use std::path::Path;
use std::time::Duration;

use super::Failure;

/// What is answered at once takes no longer.
pub const LONGEST: Duration = Duration::from_secs(60);

/// A running service that is asked as somebody.
#[cfg_attr(not(feature = "kiosk"), allow(dead_code))]
pub struct Server<'a> {
    /// The address at which staff sign in.
    pub base: &'a str,
    /// An authority of the office's own.
    pub ca: Option<&'a Path>,
    /// The file with a token.
    pub token: Option<&'a Path>,
}

impl crate::Place {
    /// The service named, if one is.
    pub fn server(&self) -> Option<Server<'_>> {
        let base = self.server.as_deref()?;
        Some(Server { base, ca: self.ca.as_deref(), token: self.token.as_deref() })
    }
}

pub fn get(server: &Server, path: &str) -> Result<String, Failure> {
    ask(server, path, None, LONGEST)
}

pub fn post(
    server: &Server,
    path: &str,
    body: String,
    longest: Duration,
) -> Result<String, Failure> {
    ask(server, path, Some(body), longest)
}

#[cfg(not(feature = "kiosk"))]
pub fn fetch(_: &Server, _: &str, _: &Path, _: fn(&[u8]) -> bool) -> Result<u64, Failure> {
    Err(super::not_in_this_build("kiosk, which brings the network client"))
}

/// Fetches what is long into a new file, whole or not at all, as its last half kibibyte tells; gives its size.
#[cfg(feature = "kiosk")]
pub fn fetch(
    server: &Server,
    path: &str,
    out: &Path,
    is_whole: fn(&[u8]) -> bool,
) -> Result<u64, Failure> {
    use std::io::Write;

    use super::{INTERNAL, UNREACHABLE, USAGE};
    let (network, token) = way(server)?;
    let client = network.client().map_err(|e| Failure::new(INTERNAL, e))?;
    let unreachable = |error: reqwest::Error| Failure::new(UNREACHABLE, network.lost(&error));
    let disk = |error: std::io::Error| Failure::new(USAGE, format!("{}: {error}", out.display()));
    let runtime = runtime()?;
    let mut file = std::fs::File::create_new(out).map_err(disk)?;
    let fetched = runtime.block_on(async {
        // It takes as long as the journals are, but never so long between two parts.
        let request = client.get(network.address(path)).timeout(Duration::from_secs(86_400));
        let mut reply = request.bearer_auth(&token).send().await.map_err(unreachable)?;
        let status = reply.status();
        if !status.is_success() {
            let text = reply.text().await.map_err(unreachable)?;
            return Err(refused(&network.address(""), status, &text));
        }
        let (mut bytes, mut tail) = (0, Vec::new());
        while let Some(part) = reply.chunk().await.map_err(unreachable)? {
            file.write_all(&part).map_err(disk)?;
            bytes += part.len() as u64;
            tail.extend_from_slice(&part);
            tail.drain(..tail.len().saturating_sub(512));
        }
        file.sync_all().map_err(disk)?;
        if is_whole(&tail) {
            Ok(bytes)
        } else {
            let cut = "it was cut on its way; ask again";
            Err(Failure::new(UNREACHABLE, cut))
        }
    });
    if fetched.is_err() {
        // Half an archive is of no use.
        let _ = std::fs::remove_file(out);
    }
    fetched
}

/// Hands files over, for an office if one is named; gives whether they were taken, and what was said of them.
#[cfg(feature = "kiosk")]
pub fn upload(
    server: &Server,
    path: &str,
    files: &[std::path::PathBuf],
    office: Option<&str>,
) -> Result<(bool, String), Failure> {
    use super::{INTERNAL, UNREACHABLE};
    use reqwest::multipart::{Form, Part};
    let (network, token) = way(server)?;
    let client = network.client().map_err(|e| Failure::new(INTERNAL, e))?;
    let mut form = Form::new();
    if let Some(office) = office {
        form = form.text("office", office.to_owned());
    }
    for file in files {
        let (name, bytes) = super::directory::read(file)?;
        form = form.part("files", Part::bytes(bytes).file_name(name));
    }
    let unreachable = |error: reqwest::Error| Failure::new(UNREACHABLE, network.lost(&error));
    runtime()?.block_on(async {
        let request = client.post(network.address(path)).bearer_auth(&token).multipart(form);
        let reply = request.timeout(LONGEST).send().await.map_err(unreachable)?;
        let status = reply.status();
        let text = reply.text().await.map_err(unreachable)?;
        match status.as_u16() {
            200 => Ok((true, text)),
            422 => {
                // What is refused comes as a problem, whatever was asked for.
                let problem: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
                Ok((false, problem["detail"].as_str().unwrap_or(&text).to_owned()))
            }
            _ => Err(refused(&network.address(""), status, &text)),
        }
    })
}

/// What a refusal says.
#[cfg(feature = "kiosk")]
fn refused(base: &str, status: reqwest::StatusCode, text: &str) -> Failure {
    use super::{UNREACHABLE, USAGE};
    let problem: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let detail = problem["detail"].as_str().unwrap_or(text);
    let code = if status.is_server_error() { UNREACHABLE } else { USAGE };
    Failure::new(code, format!("{base} answered {status}: {detail}"))
}

#[cfg(not(feature = "kiosk"))]
fn ask(_: &Server, _: &str, _: Option<String>, _: Duration) -> Result<String, Failure> {
    Err(super::not_in_this_build("kiosk, which brings the network client"))
}

/// The way to a staff listener, and the token that opens it.
#[cfg(feature = "kiosk")]
pub fn way(server: &Server) -> Result<(hailong::kiosk::network::Network, String), Failure> {
    use super::USAGE;
    let base = server.base.trim_end_matches('/');
    if base.contains('?') {
        let expected = "--server: expected the address at which staff sign in, such as \
                        http://127.0.0.1:8081";
        return Err(Failure::new(USAGE, expected));
    }
    let file = server.token.ok_or_else(|| {
        let how = format!(
            "--token: name a file with a token of yours; sign in at {base} and make one under \
             “Tài khoản của tôi” (My account)"
        );
        Failure::new(USAGE, how)
    })?;
    let token = std::fs::read_to_string(file)
        .map_err(|error| Failure::new(USAGE, format!("--token: {}: {error}", file.display())))?;
    Ok((trusted(base, server.ca)?, token.trim().to_owned()))
}

#[cfg(feature = "kiosk")]
fn trusted(base: &str, ca: Option<&Path>) -> Result<hailong::kiosk::network::Network, Failure> {
    let network = hailong::kiosk::network::Network::to(base);
    let Some(file) = ca else { return Ok(network) };
    let bad = |error| Failure::new(super::USAGE, format!("--ca: {error}"));
    Ok(network.trusting(hailong::pem::authorities(file).map_err(bad)?))
}

/// What asks.
#[cfg(feature = "kiosk")]
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().map_err(|error| Failure::new(super::INTERNAL, error))
}

#[cfg(feature = "kiosk")]
fn ask(
    server: &Server,
    path: &str,
    body: Option<String>,
    longest: Duration,
) -> Result<String, Failure> {
    let (network, token) = way(server)?;
    ask_as(&network, Some(&token), path, body, longest)
}

/// What anybody may ask, of the address for citizens.
#[cfg(feature = "kiosk")]
pub fn get_openly(base: &str, ca: Option<&Path>, path: &str) -> Result<String, Failure> {
    ask_as(&trusted(base.trim_end_matches('/'), ca)?, None, path, None, LONGEST)
}

/// Asks over a network, with a key if one is given.
#[cfg(feature = "kiosk")]
pub fn ask_as(
    network: &hailong::kiosk::network::Network,
    key: Option<&str>,
    path: &str,
    body: Option<String>,
    longest: Duration,
) -> Result<String, Failure> {
    use super::{INTERNAL, UNREACHABLE};
    let runtime = runtime()?;
    let client = network.client().map_err(|e| Failure::new(INTERNAL, e))?;
    let unreachable = |error: reqwest::Error| Failure::new(UNREACHABLE, network.lost(&error));
    runtime.block_on(async {
        let address = network.address(path);
        let request = match body {
            None => client.get(address),
            Some(body) => {
                client.post(address).header("content-type", "application/json").body(body)
            }
        };
        let request = match key {
            Some(key) => request.bearer_auth(key),
            None => request,
        };
        let reply = request.timeout(longest).send().await.map_err(unreachable)?;
        let status = reply.status();
        let text = reply.text().await.map_err(unreachable)?;
        if status.is_success() {
            return Ok(text);
        }
        Err(refused(&network.address(""), status, &text))
    })
}
