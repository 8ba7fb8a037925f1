//! `kiosk.toml` and the texts it names.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use slint::platform::Key;
use toml::Spanned;

use super::calls::BOUNDS;
use super::network::{Network, Proxy, Way};
use super::setup::kept::Kept;
use super::visit::TimeOuts;
use super::voice::VoiceConfig;
use crate::config::{ConfigError, Source};
use crate::listener::{Listener, Tls};
use crate::pem;
use crate::source::{is_local, is_loopback};
use crate::texts::Texts;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    data: PathBuf,
    service: Option<Spanned<String>>,
    ca: Option<Spanned<PathBuf>>,
    proxy: Option<Spanned<String>>,
    texts: Spanned<Vec<Spanned<PathBuf>>>,
    full_screen: bool,
    time_outs: TimeOutsFile,
    #[serde(default)]
    calls: CallsFile,
    voice: Option<VoiceFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct VoiceFile {
    folder: Spanned<PathBuf>,
    player: Spanned<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CallsFile {
    key: Option<Spanned<String>>,
    #[serde(default)]
    slips: bool,
    listen: Option<Spanned<String>>,
    tls: Option<Spanned<TlsFiles>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsFiles {
    certificate: Spanned<PathBuf>,
    key: PathBuf,
}

/// How else than by touch a visit begins.
#[derive(Debug, Clone, Default)]
pub struct Calls {
    /// The key by which the official invites, as the screen names it.
    pub key: Option<char>,
    /// Whether appointment slips are taken.
    pub slips: bool,
    /// Where the queue system and the official's page are listened to.
    pub listen: Option<Listener>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TimeOutsFile {
    reasons: Spanned<u32>,
    thanks: Spanned<u32>,
    later: Spanned<u32>,
    invited: Spanned<u32>,
    not_kept: Spanned<u32>,
}

/// All that a kiosk is told at start.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where its journal, keys and receipts lie.
    pub data: PathBuf,
    /// The way to the central service, at the address that was chosen on the screen at the first
    /// start, else at the one that the file names.
    pub network: Option<Network>,
    /// The address that the file names.
    pub service: Option<String>,
    /// By whom and through what it goes there, whatever the address.
    pub way: Way,
    /// What it says, by language; the first is that of rest.
    pub texts: Vec<Texts>,
    /// Whether it fills the screen and hides the pointer.
    pub full_screen: bool,
    /// How long pages wait.
    pub time_outs: TimeOuts,
    /// How else than by touch a visit begins.
    pub calls: Calls,
    /// How recorded voices are played, where there are any.
    pub voice: Option<VoiceConfig>,
}

impl Config {
    /// Reads `kiosk.toml` and the texts it names; paths are relative to it.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let source = Source::read(file)?;
        let read: File = source.toml()?;
        let base = file.parent().unwrap_or(Path::new("."));
        let data = base.join(&read.data);
        let (way, network) = way(&source, base, &read)?;
        let seconds = |value: &Spanned<u32>| match *value.get_ref() {
            seconds @ 3..=600 => Ok(u64::from(seconds) * 1_000),
            other => {
                let expected = format!("expected 3 to 600 seconds, found {other}");
                Err(source.error(value.span(), expected))
            }
        };
        let time_outs = TimeOuts {
            reasons_ms: seconds(&read.time_outs.reasons)?,
            thanks_ms: seconds(&read.time_outs.thanks)?,
            later_ms: seconds(&read.time_outs.later)?,
            invited_ms: seconds(&read.time_outs.invited)?,
            not_kept_ms: seconds(&read.time_outs.not_kept)?,
        };
        let mut config = Self {
            data,
            network,
            service: read.service.map(Spanned::into_inner),
            way,
            texts: Texts::read_all(&source, base, &read.texts)?,
            full_screen: read.full_screen,
            time_outs,
            calls: calls(&source, base, &read.calls)?,
            voice: read.voice.as_ref().map(|read| voice(&source, base, read)).transpose()?,
        };
        config.follow_setup()?;
        Ok(config)
    }

    /// Brings the way to the central service to what was chosen on the screen, if anything was; gives that.
    pub fn follow_setup(&mut self) -> Result<Option<Kept>, ConfigError> {
        let kept = Kept::read(&self.data);
        let kept = kept.map_err(|error| ConfigError::of_file(&error.file, error.why))?;
        if let Some(chosen) = kept.as_ref().and_then(|kept| kept.service.as_ref()) {
            let wrong = |bad| ConfigError::of_file(&Kept::file(&self.data), bad);
            self.network = Some(self.way.to(chosen).map_err(wrong)?);
        }
        Ok(kept)
    }
}

fn calls(source: &Source<'_>, base: &Path, read: &CallsFile) -> Result<Calls, ConfigError> {
    let key = |name: &Spanned<String>| {
        let number = name.get_ref().strip_prefix('F').and_then(|number| number.parse().ok());
        let key = number.filter(|number| (1..=24).contains(number));
        // Slint names the keys F1 to F24 one after the other.
        key.and_then(|number: u32| char::from_u32(u32::from(char::from(Key::F1)) + number - 1))
            .ok_or_else(|| source.error(name.span(), "expected a key from F1 to F24"))
    };
    let tls = |files: &Spanned<TlsFiles>| {
        if read.listen.is_none() {
            return Err(
                source.error(files.span(), "expected listen beside it, where calls are taken")
            );
        }
        let TlsFiles { certificate, key } = files.get_ref();
        let tls = Tls::read(&base.join(certificate.get_ref()), &base.join(key));
        tls.map_err(|error| source.error(certificate.span(), error))
    };
    let tls = read.tls.as_ref().map(tls).transpose()?;
    let listen = |address: &Spanned<String>| {
        let wrong = |expected| source.error(address.span(), expected);
        let address: SocketAddr = address.get_ref().parse().map_err(|_| {
            wrong("expected an address of this machine and a port, such as 127.0.0.1:8090")
        })?;
        if !is_local(address.ip()) {
            return Err(wrong(
                "expected an address of this machine alone, such as 127.0.0.1:8090, or with tls the one \
                 that it has in the local network, such as 192.168.1.21:8443; never one that others \
                 have a way to, and not all at once",
            ));
        }
        if tls.is_none() && !is_loopback(address.ip()) {
            return Err(wrong(
                "expected an address of this machine alone, such as 127.0.0.1:8090; for PCs in the local \
                 network have your office's authority issue a certificate, and name it beside this: \
                 tls = { certificate = \"…\", key = \"…\" }",
            ));
        }
        Ok(Listener { address, tls: tls.clone(), bounds: BOUNDS })
    };
    Ok(Calls {
        key: read.key.as_ref().map(key).transpose()?,
        slips: read.slips,
        listen: read.listen.as_ref().map(listen).transpose()?,
    })
}

fn voice(source: &Source<'_>, base: &Path, read: &VoiceFile) -> Result<VoiceConfig, ConfigError> {
    let folder = base.join(read.folder.get_ref());
    if !folder.is_dir() {
        return Err(source.error(read.folder.span(), "expected a folder of recorded voices"));
    }
    let player = read.player.get_ref().clone();
    if player.first().is_none_or(String::is_empty) {
        let expected = "expected a program and its arguments, such as [\"aplay\", \"-q\"]";
        return Err(source.error(read.player.span(), expected));
    }
    Ok(VoiceConfig { folder, player })
}

fn way(
    source: &Source<'_>,
    base: &Path,
    read: &File,
) -> Result<(Way, Option<Network>), ConfigError> {
    let service = read.service.as_ref();
    if let Some(service) = service {
        Network::check(service.get_ref()).map_err(|bad| source.error(service.span(), bad))?;
    }
    let mut way = Way::default();
    if let Some(file) = &read.ca {
        let wrong = |error: pem::PemError| source.error(file.span(), error);
        way.authorities = pem::authorities(&base.join(file.get_ref())).map_err(wrong)?;
    }
    let mut span = service.map(Spanned::span).unwrap_or_default();
    if let Some(proxy) = &read.proxy {
        span = proxy.span();
        let wrong = |bad| source.error(proxy.span(), bad);
        way.proxy = Some(Proxy::read(proxy.get_ref()).map_err(wrong)?);
    }
    let network = service.map(|service| way.to(service.get_ref())).transpose();
    let network = network.map_err(|bad| source.error(span, bad))?;
    Ok((way, network))
}
