//! The central service's secrets, in `keys.json` (mode 0600).

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use ed25519_dalek::{SigningKey, VerifyingKey};
use rand::Rng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::domain::ids::Hash;
use crate::domain::root::Root;
use crate::domain::seal::{OpeningKey, key_id};
use crate::domain::system_random;
use crate::files::write_whole;

const FILE: &str = "keys.json";
/// Says which secrets have a backup, by their hash.
const BACKED_UP: &str = "keys.backed-up";

/// Why the secrets could not be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file could not be read or written.
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
    /// The file does not hold the secrets.
    #[error("{0} is damaged ({1}); restore it from its backup: without it no answer can be opened")]
    Damaged(PathBuf, String),
    /// The backup is not what it is to keep.
    #[error("{0} does not read as it was written; use another medium")]
    Backup(PathBuf),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    /// X25519: opens bodies.
    opening: Zeroizing<String>,
    /// Ed25519: signs receipts.
    receipt: Zeroizing<String>,
    /// Ed25519: signs the own series.
    series: Zeroizing<String>,
    /// HMAC: makes the tokens of phone forms.
    form: Zeroizing<String>,
    /// What opened the staff's pages in earlier versions.
    #[serde(default, rename = "staff", skip_serializing)]
    _staff: Zeroizing<String>,
    /// Ed25519: signs roots, once it was renewed; the first follows from `series`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root: Option<Zeroizing<String>>,
    /// What was renewed, the first first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    former: Vec<StoredFormer>,
    /// Whether they were drawn for a demo, in which nobody keeps them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    demo: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredFormer {
    opening: Zeroizing<String>,
    receipt: Zeroizing<String>,
    root: Zeroizing<String>,
}

/// Keys that were renewed. They still open, sign and vouch for what was begun under them.
pub struct Former {
    /// Opens bodies that were sealed for it.
    pub opening: OpeningKey,
    /// Signs receipts for kiosks that were given it.
    pub receipt: SigningKey,
    /// Vouches for the root key after it.
    pub root: SigningKey,
}

/// The central service's secrets.
pub struct Keys {
    /// Opens bodies.
    pub opening: OpeningKey,
    /// Signs receipts.
    pub receipt: SigningKey,
    /// Signs the own series.
    pub series: SigningKey,
    /// Signs the roots of days. Until it is renewed it follows from the own series' secret, so that
    /// a folder of an earlier version has it, too.
    pub root: SigningKey,
    /// What was renewed, the first first.
    pub former: Vec<Former>,
    /// Makes the tokens of phone forms.
    pub form: Zeroizing<[u8; 32]>,
    /// Seals second factors. It follows from the form secret, so that a folder of an earlier version has
    /// it, too.
    pub factors: Zeroizing<[u8; 32]>,
    /// HMAC: knows browsers again in which somebody signed in. It follows likewise.
    pub browsers: Zeroizing<[u8; 32]>,
    /// Whether they were drawn for a demo: no real service uses them.
    pub demo: bool,
}

impl Keys {
    /// Reads the secrets in `folder`, or draws new ones and keeps them there.
    pub fn load_or_create(folder: &Path) -> Result<Self, KeysError> {
        Self::begin(folder, false)
    }

    /// The same for a demo: secrets that are drawn now are marked as such.
    pub fn load_or_create_demo(folder: &Path) -> Result<Self, KeysError> {
        fs::create_dir_all(folder).map_err(|error| KeysError::File(folder.to_owned(), error))?;
        Self::begin(folder, true)
    }

    fn begin(folder: &Path, demo: bool) -> Result<Self, KeysError> {
        let file = folder.join(FILE);
        if !file.exists() {
            let bytes = draw(demo).map_err(|error| KeysError::Damaged(file.clone(), error))?;
            write(&file, &bytes).map_err(|error| KeysError::File(file, error))?;
        }
        Self::load(folder)
    }

    /// Writes the secrets in `folder`, drawing them if there are none, into a new file on another
    /// medium, and reads it again.
    pub fn back_up(folder: &Path, to: &Path) -> Result<(), KeysError> {
        Self::load_or_create(folder)?;
        let from = folder.join(FILE);
        let bytes = Zeroizing::new(fs::read(&from).map_err(failed(&from))?);
        keep_apart(&bytes, to)?;
        mark(folder, &bytes)
    }

    /// Draws new keys for opening, receipts and roots in the place of those in `folder`, which are
    /// kept as former ones, after a backup of all of it was written into a new file.
    pub fn renew(folder: &Path, backup: &Path) -> Result<(), KeysError> {
        let file = folder.join(FILE);
        let damaged = |why: String| KeysError::Damaged(file.clone(), why);
        let bytes = Zeroizing::new(fs::read(&file).map_err(failed(&file))?);
        let mut stored: Stored =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        let root = match stored.root.take() {
            Some(root) => root,
            None => {
                let first = first_root(&*key(&stored.series).map_err(damaged)?);
                Zeroizing::new(data_encoding::HEXLOWER.encode(first.as_bytes()))
            }
        };
        let opening = std::mem::replace(&mut stored.opening, draw_opening());
        let receipt = std::mem::replace(&mut stored.receipt, draw_secret());
        stored.former.push(StoredFormer { opening, receipt, root });
        stored.root = Some(draw_secret());
        let bytes = serde_json::to_vec_pretty(&stored).map(Zeroizing::new);
        let bytes = bytes.map_err(|error| damaged(error.to_string()))?;
        keep_apart(&bytes, backup)?;
        write_whole(&file, &bytes, true).map_err(failed(&file))?;
        mark(folder, &bytes)
    }

    /// What opens bodies, whichever key they were sealed for.
    pub fn openings(&self) -> Vec<OpeningKey> {
        let former = self.former.iter().rev().map(|former| former.opening.clone());
        std::iter::once(self.opening.clone()).chain(former).collect()
    }

    /// Opens a ticket key, whichever key it was sealed for.
    pub fn open_small(&self, info: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.openings().iter().find_map(|key| key.open_small(info, sealed).ok())
    }

    /// What signs receipts for a kiosk that believes the key of this id; one that was enrolled before
    /// there was any other believes the first.
    pub fn receipt_for(&self, id: Option<&str>) -> &SigningKey {
        let mut all = self.former.iter().map(|one| &one.receipt).chain([&self.receipt]);
        let first = self.former.first().map_or(&self.receipt, |former| &former.receipt);
        match id {
            Some(id) => all.find(|key| key_id(key.verifying_key().as_bytes()) == id),
            None => Some(first),
        }
        .unwrap_or(&self.receipt)
    }

    /// The root key that signed a root, if it is one of these.
    pub fn signer_of(&self, root: &Root) -> Option<VerifyingKey> {
        let former = self.former.iter().map(|former| former.root.verifying_key());
        former.chain([self.root.verifying_key()]).find(|key| root.verify(key).is_ok())
    }

    /// Whether a backup was made of the secrets in `folder` as they are.
    pub fn are_backed_up(folder: &Path) -> bool {
        let secrets = fs::read(folder.join(FILE)).map(Zeroizing::new);
        let mark = fs::read_to_string(folder.join(BACKED_UP));
        match (secrets, mark) {
            (Ok(secrets), Ok(mark)) => mark.trim() == Hash::of(&secrets).to_string(),
            _ => false,
        }
    }

    /// Reads the secrets in `folder`.
    pub fn load(folder: &Path) -> Result<Self, KeysError> {
        let file = folder.join(FILE);
        let bytes = fs::read(&file).map_err(|error| KeysError::File(file.clone(), error))?;
        Self::read(&Zeroizing::new(bytes)).map_err(|why| KeysError::Damaged(file, why))
    }

    fn read(bytes: &[u8]) -> Result<Self, String> {
        let stored: Stored = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        Ok(Self {
            opening: OpeningKey::from_bytes(&*key(&stored.opening)?)
                .map_err(|error| error.to_string())?,
            receipt: SigningKey::from_bytes(&*key(&stored.receipt)?),
            series: SigningKey::from_bytes(&*key(&stored.series)?),
            root: match &stored.root {
                Some(root) => SigningKey::from_bytes(&*key(root)?),
                None => first_root(&*key(&stored.series)?),
            },
            former: stored.former.iter().map(former).collect::<Result<_, _>>()?,
            factors: derived(&*key(&stored.form)?, b"hailong factors 1"),
            browsers: derived(&*key(&stored.form)?, b"hailong browsers 1"),
            form: key(&stored.form)?,
            demo: stored.demo,
        })
    }
}

fn failed(file: &Path) -> impl FnOnce(std::io::Error) -> KeysError + use<> {
    let file = file.to_owned();
    move |error| KeysError::File(file, error)
}

/// Writes a backup into a new file and reads it again.
fn keep_apart(bytes: &Zeroizing<Vec<u8>>, to: &Path) -> Result<(), KeysError> {
    write(to, bytes).map_err(failed(to))?;
    let again = Zeroizing::new(fs::read(to).map_err(failed(to))?);
    if again == *bytes { Ok(()) } else { Err(KeysError::Backup(to.to_owned())) }
}

/// Notes that these secrets have a backup.
fn mark(folder: &Path, bytes: &[u8]) -> Result<(), KeysError> {
    let mark = folder.join(BACKED_UP);
    fs::write(&mark, Hash::of(bytes).to_string()).map_err(failed(&mark))
}

fn key(hex: &str) -> Result<Zeroizing<[u8; 32]>, String> {
    data_encoding::HEXLOWER
        .decode(hex.as_bytes())
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .map(Zeroizing::new)
        .ok_or_else(|| "a key is not 64 hex digits".to_owned())
}

fn former(stored: &StoredFormer) -> Result<Former, String> {
    Ok(Former {
        opening: OpeningKey::from_bytes(&*key(&stored.opening)?)
            .map_err(|error| error.to_string())?,
        receipt: SigningKey::from_bytes(&*key(&stored.receipt)?),
        root: SigningKey::from_bytes(&*key(&stored.root)?),
    })
}

fn first_root(series: &[u8; 32]) -> SigningKey {
    SigningKey::from_bytes(&derived(series, b"hailong root key 1"))
}

fn derived<const N: usize>(secret: &[u8; 32], info: &[u8]) -> Zeroizing<[u8; N]> {
    let mut bytes = Zeroizing::new([0; N]);
    // A 32-byte key and so short an output are lengths that HKDF-SHA256 always takes.
    if let Ok(hkdf) = hkdf::Hkdf::<sha2::Sha256>::from_prk(secret) {
        let _ = hkdf.expand(info, &mut *bytes);
    }
    bytes
}

fn draw_secret() -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; 32]);
    system_random().fill_bytes(&mut *bytes);
    Zeroizing::new(data_encoding::HEXLOWER.encode(&*bytes))
}

fn draw_opening() -> Zeroizing<String> {
    let (_, opening) = OpeningKey::generate(&mut system_random());
    Zeroizing::new(data_encoding::HEXLOWER.encode(&opening))
}

fn draw(demo: bool) -> Result<Zeroizing<Vec<u8>>, String> {
    let secret = draw_secret;
    let (receipt, series, form) = (secret(), secret(), secret());
    let stored = Stored {
        opening: draw_opening(),
        receipt,
        root: None,
        former: Vec::new(),
        series,
        form,
        _staff: Zeroizing::default(),
        demo,
    };
    serde_json::to_vec_pretty(&stored).map(Zeroizing::new).map_err(|error| error.to_string())
}

/// Writes a new file, or none.
fn write(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut opened = options.open(file)?;
    let written = opened.write_all(bytes).and_then(|()| opened.sync_all());
    if written.is_err() {
        // Half of it would stand in the way of the next try.
        let _ = fs::remove_file(file);
    }
    written
}
