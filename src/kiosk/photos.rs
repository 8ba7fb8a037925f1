//! Officials' photos at the kiosk: fetched once, checked by their name, kept on the disk, and cut
//! round for the screen.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use image::imageops::{self, FilterType};
use image::{ImageReader, Limits, RgbaImage};
use slint::{Image, SharedPixelBuffer};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::configuration::InForce;
use super::network::{Network, Unreachable, refusal};
use crate::clock::Clock;
use crate::domain::ids::Hash;
use crate::domain::office::{Directory, PHOTO_BYTES};

const FOLDER: &str = "photos";
/// Waits between two tries to fetch what is missing.
const AGAIN: Duration = Duration::from_secs(300);

/// Where a kiosk's photos lie. Clones see what another fetches.
#[derive(Debug, Clone)]
pub struct Photos {
    folder: PathBuf,
    arrived: Arc<AtomicU64>,
}

impl Photos {
    /// Photos in a kiosk's folder.
    pub fn in_folder(data: &Path) -> Self {
        Self { folder: data.join(FOLDER), arrived: Arc::default() }
    }

    /// Rises whenever a photo has arrived.
    pub fn arrived(&self) -> u64 {
        self.arrived.load(Ordering::Relaxed)
    }

    fn file(&self, photo: Hash) -> PathBuf {
        self.folder.join(format!("{photo}.jpg"))
    }

    /// Whether a photo is here.
    pub fn has(&self, photo: Hash) -> bool {
        self.file(photo).is_file()
    }

    /// Keeps a photo, if it is the one that its name says and not too large; says whether.
    pub fn keep(&self, photo: Hash, bytes: &[u8]) -> std::io::Result<bool> {
        if bytes.len() > PHOTO_BYTES || Hash::of(bytes) != photo {
            return Ok(false);
        }
        std::fs::create_dir_all(&self.folder)?;
        let new = self.folder.join(format!("{photo}.new"));
        std::fs::write(&new, bytes)?;
        std::fs::rename(new, self.file(photo))?;
        self.arrived.fetch_add(1, Ordering::Relaxed);
        Ok(true)
    }

    /// Removes what the directory names no more.
    fn tidy(&self, named: &BTreeSet<Hash>) {
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let known = name.to_str().and_then(|name| name.strip_suffix(".jpg"));
            if !known.and_then(|hex| hex.parse().ok()).is_some_and(|photo| named.contains(&photo)) {
                // What cannot be removed does no harm.
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    /// Photos in a kiosk's folder, and whoever the directory names fetched from the central service
    /// by `runtime`. Nobody waits for it: initials stand in the place of what is missing.
    pub fn follow(
        data: &Path,
        mut in_force: watch::Receiver<InForce>,
        network: Network,
        clock: Arc<dyn Clock>,
        runtime: &Handle,
    ) -> Self {
        let photos = Self::in_folder(data);
        let fetching = photos.clone();
        runtime.spawn(async move {
            loop {
                let enrolled = Arc::clone(&in_force.borrow_and_update().enrolled);
                tokio::select! {
                    Ok(()) = in_force.changed() => continue,
                    () = fetching.fetch(&enrolled.directory, &network, &*clock) => {}
                }
                if in_force.changed().await.is_err() {
                    return;
                }
            }
        });
        photos
    }

    /// Fetches what the directory names and is not here, until all of it is.
    pub async fn fetch(&self, directory: &Directory, network: &Network, clock: &dyn Clock) {
        let named: BTreeSet<Hash> = directory.officials.iter().filter_map(|o| o.photo).collect();
        self.tidy(&named);
        let mut said = false;
        loop {
            let mut missing = 0;
            for photo in named.iter().copied().filter(|photo| !self.has(*photo)) {
                let Err(why) = self.fetch_one(photo, network).await else { continue };
                missing += 1;
                // Weeks without network are one line of the log, not thousands.
                if !said {
                    tracing::warn!(%photo, %why, "photo not fetched; trying again");
                    said = true;
                }
            }
            if missing == 0 {
                return;
            }
            clock.sleep(AGAIN).await;
        }
    }

    async fn fetch_one(&self, photo: Hash, network: &Network) -> Result<(), Missing> {
        let lost = |error: reqwest::Error| Missing::Lost(network.lost(&error));
        let address = network.address(&format!("/photo/{photo}.jpg"));
        let client = network.client().map_err(Missing::Lost)?;
        let mut reply = client.get(address).send().await.map_err(lost)?;
        if !reply.status().is_success() {
            return Err(Missing::Answered(refusal(reply.status(), &[])));
        }
        let mut bytes = Vec::new();
        while let Some(part) = reply.chunk().await.map_err(lost)? {
            bytes.extend_from_slice(&part);
            if bytes.len() > PHOTO_BYTES {
                return Err(Missing::Another);
            }
        }
        if self.keep(photo, &bytes)? { Ok(()) } else { Err(Missing::Another) }
    }
}

/// Why a photo is not here yet.
#[derive(Debug, thiserror::Error)]
enum Missing {
    #[error(transparent)]
    Lost(Unreachable),
    #[error("the central service answered {0}")]
    Answered(String),
    #[error("what came is not this photo, or larger than any of ours")]
    Another,
    #[error("it could not be kept: {0}")]
    Disk(#[from] std::io::Error),
}

/// Photos as the screen shows them: round, and of exactly the size asked for, since the software
/// renderer scales without smoothing.
pub struct Album {
    photos: Photos,
    shown: RefCell<HashMap<(Hash, u32), Image>>,
}

/// Most pictures kept in memory: those of a hall at two sizes.
const MOST_SHOWN: usize = 24;

impl Album {
    /// Shows these photos.
    pub fn of(photos: Photos) -> Self {
        Self { photos, shown: RefCell::default() }
    }

    /// The photos behind it.
    pub fn photos(&self) -> &Photos {
        &self.photos
    }

    /// A photo as a circle of `side` pixels; an empty image when there is none, or not a picture.
    pub fn picture(&self, photo: &str, side: u32) -> Image {
        let Ok(photo) = photo.parse::<Hash>() else { return Image::default() };
        let mut shown = self.shown.borrow_mut();
        if shown.len() >= MOST_SHOWN {
            shown.clear();
        }
        let made = || {
            let picture = std::fs::read(self.photos.file(photo)).ok();
            let round = picture.and_then(|bytes| round(&bytes, side.clamp(1, 1_000)));
            round.map_or_else(Image::default, |round| {
                let (width, height) = round.dimensions();
                let buffer = SharedPixelBuffer::clone_from_slice(round.as_raw(), width, height);
                Image::from_rgba8(buffer)
            })
        };
        shown.entry((photo, side)).or_insert_with(made).clone()
    }
}

/// Cuts a picture to a circle with a smooth edge.
fn round(bytes: &[u8], side: u32) -> Option<RgbaImage> {
    let mut reader = ImageReader::new(std::io::Cursor::new(bytes)).with_guessed_format().ok()?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(2_000);
    limits.max_image_height = Some(2_000);
    reader.limits(limits);
    let picture = reader.decode().ok()?.into_rgba8();
    let mut picture = imageops::resize(&picture, side, side, FilterType::Lanczos3);
    let middle = f64::from(side) / 2.0;
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        let away = (f64::from(x) + 0.5 - middle).hypot(f64::from(y) + 0.5 - middle);
        let inside = (middle - away + 0.5).clamp(0.0, 1.0);
        pixel.0[3] = (inside * 255.0).round() as u8;
    }
    Some(picture)
}
