//! What offices have between their machines: a certificate authority of their own, an HTTP proxy,
//! a reverse proxy.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use hailong::listener::Tls;
use hailong::pem;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// A certificate authority of a province, with the files that it gives out.
pub struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
    issued: AtomicU32,
}

impl Authority {
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "CA of a test");
        let key = KeyPair::generate().unwrap();
        std::fs::write(folder.path().join("ca.pem"), params.self_signed(&key).unwrap().pem())
            .unwrap();
        Self { folder, issuer: Issuer::new(params, key), issued: AtomicU32::new(0) }
    }

    /// The file that kiosks name as `ca`.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub fn certificates(&self) -> Vec<CertificateDer<'static>> {
        pem::authorities(&self.file()).unwrap()
    }

    /// Certificate and key for some names, valid from one year's beginning to another's.
    pub fn issue(&self, names: &[&str], years: (i32, i32)) -> (PathBuf, PathBuf) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let number = self.issued.fetch_add(1, Ordering::Relaxed);
        let file = |kind: &str| self.folder.path().join(format!("{number}.{kind}"));
        let (cert_file, key_file) = (file("pem"), file("key"));
        std::fs::write(&cert_file, certificate.pem()).unwrap();
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        (cert_file, key_file)
    }

    /// What a listener on this machine needs.
    pub fn tls(&self) -> Tls {
        let (certificate, key) = self.issue(&["localhost", "127.0.0.1", "::1"], (2020, 2100));
        Tls::read(&certificate, &key).unwrap()
    }
}

/// A copy of the sample configuration.
pub fn sample_folder() -> TempDir {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let (from, to) = (entry.path(), to.join(entry.file_name()));
            if from.is_dir() {
                copy(&from, &to);
            } else {
                std::fs::copy(from, to).unwrap();
            }
        }
    }
    let folder = TempDir::new().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("kiosk-config"), folder.path());
    folder
}

/// What a forward proxy does with those who ask it.
#[derive(Clone, Copy)]
pub enum Rule {
    /// Lets all through.
    Open,
    /// Lets through who brings `user:password`.
    Password(&'static str),
    /// Lets nobody through.
    Closed,
}

/// An HTTP proxy as offices have it, for `CONNECT` and for plain requests.
pub struct ForwardProxy {
    pub address: SocketAddr,
    /// The first line of every request.
    pub seen: Arc<Mutex<Vec<String>>>,
}

impl ForwardProxy {
    pub async fn start(rule: Rule) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let seeing = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(forward(stream, rule, Arc::clone(&seeing)));
            }
        });
        Self { address, seen }
    }
}

async fn forward(mut stream: TcpStream, rule: Rule, seen: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let (head, rest) = head(&mut stream).await?;
    let first = head.lines().next()?.to_owned();
    seen.lock().unwrap().push(first.clone());
    let refusal = match rule {
        Rule::Open => None,
        Rule::Closed => Some("403 Forbidden"),
        Rule::Password(password) => {
            let right = format!("Basic {}", data_encoding::BASE64.encode(password.as_bytes()));
            let given = header(&head, "proxy-authorization");
            (given != Some(right.as_str())).then_some("407 Proxy Authentication Required")
        }
    };
    if let Some(status) = refusal {
        answer(&mut stream, status).await;
        return None;
    }
    let mut words = first.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    if method == "CONNECT" {
        let mut to = TcpStream::connect(target).await.ok()?;
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.ok()?;
        copy_bidirectional(&mut stream, &mut to).await.ok()?;
    } else {
        let (host, path) = target.strip_prefix("http://")?.split_once('/')?;
        let mut to = TcpStream::connect(host).await.ok()?;
        let head = head.replacen(target, &format!("/{path}"), 1);
        pass_on(&mut stream, &mut to, &head, &rest).await?;
    }
    Some(())
}

/// Starts a reverse proxy that forwards each path below a prefix as it is, and nothing else.
pub fn reverse_proxy(listener: TcpListener, ways: Vec<(&'static str, SocketAddr)>) {
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(reverse(stream, ways.clone()));
        }
    });
}

async fn reverse(mut stream: TcpStream, ways: Vec<(&'static str, SocketAddr)>) -> Option<()> {
    let (head, rest) = head(&mut stream).await?;
    let path = head.split(' ').nth(1)?.split('?').next()?;
    let below = |prefix: &str| path == prefix || path.starts_with(&format!("{prefix}/"));
    let Some((_, to)) = ways.into_iter().find(|(prefix, _)| below(prefix)) else {
        answer(&mut stream, "404 Not Found").await;
        return None;
    };
    let Ok(mut to) = TcpStream::connect(to).await else {
        answer(&mut stream, "502 Bad Gateway").await;
        return None;
    };
    pass_on(&mut stream, &mut to, &head, &rest).await
}

/// Passes one request on; the connection ends with it, so that every request is looked at.
async fn pass_on(
    stream: &mut TcpStream,
    to: &mut TcpStream,
    head: &str,
    rest: &[u8],
) -> Option<()> {
    let head = head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    to.write_all(head.as_bytes()).await.ok()?;
    to.write_all(rest).await.ok()?;
    copy_bidirectional(stream, to).await.ok()?;
    Some(())
}

/// A request's head, and what came after it.
async fn head(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Some((String::from_utf8(bytes).ok()?, rest));
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (this, value) = line.split_once(':')?;
        this.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

async fn answer(stream: &mut TcpStream, status: &str) {
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let _ = stream.write_all(answer.as_bytes()).await;
}
