//! A real mail server as a process of its own, and an authority that it is certified by.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde::Deserialize;
use tempfile::TempDir;

use crate::common;

/// A mail as the server took it.
#[derive(Debug, Deserialize)]
pub struct Taken {
    pub to: Vec<String>,
    pub tls: bool,
    pub sender: String,
    pub subject: String,
    pub id: String,
    pub automatic: Option<String>,
    pub text: String,
}

pub struct MailServer {
    pub port: u16,
    process: Child,
    mails: Receiver<Taken>,
    so_far: usize,
    waiting: Vec<Taken>,
}

impl MailServer {
    /// One that trusts everybody. Missing by hand: skipped loudly. Missing in CI: a failure.
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// One that takes mail over TLS, and of one user alone; its certificate and key lie in a folder.
    pub fn with_tls(folder: &Path, user: &str, password: &str) -> Option<Self> {
        let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        Self::start_with(&[&file("mail.pem"), &file("mail.key"), user, password])
    }

    fn start_with(arguments: &[&str]) -> Option<Self> {
        let has = |python: &&str| {
            let import = ["-c", "import aiosmtpd"];
            let tried = Command::new(python).args(import).stderr(Stdio::null()).status();
            tried.is_ok_and(|status| status.success())
        };
        let python = ["/usr/bin/python3", "python3"].into_iter().find(has);
        assert!(python.is_some() || std::env::var_os("CI").is_none(), "CI needs python3-aiosmtpd");
        let Some(python) = python else {
            common::skipped("there is no python3 with python3-aiosmtpd");
            return None;
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mail/server.py");
        // No compiled modules are left beside the sources.
        let mut process = Command::new(python)
            .args(["-B", script])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines.next().unwrap().unwrap().parse().unwrap();
        let (tell, mails) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = tell.send(serde_json::from_str(&line).unwrap());
            }
        });
        Some(Self { port, process, mails, so_far: 0, waiting: Vec::new() })
    }

    /// Waits for so many more mails.
    pub async fn taken(&mut self, n: usize) -> Vec<Taken> {
        while self.waiting.len() < n {
            let next = self.mails.recv_timeout(Duration::from_secs(20));
            self.waiting
                .push(next.unwrap_or_else(|_| panic!("{} of {n} mails", self.waiting.len())));
            self.so_far += 1;
        }
        self.waiting.drain(..n).collect()
    }

    /// How many it has taken altogether.
    pub fn so_far(&mut self) -> usize {
        while let Ok(mail) = self.mails.try_recv() {
            self.waiting.push(mail);
            self.so_far += 1;
        }
        self.so_far
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An authority, and what it certifies: a mail server called `localhost`.
pub struct Authority(TempDir);

impl Authority {
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "CA of a test");
        let key = KeyPair::generate().unwrap();
        let write = |name: &str, text: String| {
            std::fs::write(folder.path().join(name), text).unwrap();
        };
        write("ca.pem", params.self_signed(&key).unwrap().pem());
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let of_mail = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        write("mail.pem", of_mail.signed_by(&key, &issuer).unwrap().pem());
        write("mail.key", key.serialize_pem());
        Self(folder)
    }

    pub fn folder(&self) -> PathBuf {
        self.0.path().to_owned()
    }
}
