//! Officials' photos at the kiosk: fetched once, and cut round for the screen.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use image::imageops::{self, FilterType};
use image::{ImageReader, Limits, RgbaImage};
use slint::{Image, SharedPixelBuffer};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::by_content::{ByContent, Kind};
use super::configuration::InForce;
use super::network::Network;
use crate::clock::Clock;
use crate::domain::ids::Hash;
use crate::domain::office::{Directory, PHOTO_BYTES};

const KIND: Kind = Kind { folder: "photos", path: "photo", ending: "jpg", most: PHOTO_BYTES };

/// Where a kiosk's photos lie. Clones see what another fetches.
#[derive(Debug, Clone)]
pub struct Photos(ByContent);

impl Photos {
    /// Photos in a kiosk's folder.
    pub fn in_folder(data: &Path) -> Self {
        Self(ByContent::in_folder(data, &KIND))
    }

    /// Rises whenever a photo has arrived.
    pub fn arrived(&self) -> u64 {
        self.0.arrived()
    }

    /// Whether a photo is here.
    pub fn has(&self, photo: Hash) -> bool {
        self.0.read(photo).is_some()
    }

    /// Keeps a photo, if it is the one that its name says and not too large; says whether.
    pub fn keep(&self, photo: Hash, bytes: &[u8]) -> std::io::Result<bool> {
        self.0.keep(photo, bytes)
    }

    /// Photos in a kiosk's folder, and whoever the directory names fetched from the central service
    /// by `runtime`. Nobody waits for it: initials stand in the place of what is missing.
    pub fn follow(
        data: &Path,
        in_force: watch::Receiver<InForce>,
        network: Network,
        clock: Arc<dyn Clock>,
        runtime: &Handle,
    ) -> Self {
        let photos = Self::in_folder(data);
        let fetching = photos.0.clone();
        runtime.spawn(fetching.follow(
            in_force,
            |enrolled| named(&enrolled.directory),
            network,
            clock,
            |_| {},
        ));
        photos
    }

    /// Fetches what the directory names and is not here, until all of it is.
    pub async fn fetch(&self, directory: &Directory, network: &Network, clock: &dyn Clock) {
        self.0.fetch(&named(directory), network, clock).await;
    }
}

fn named(directory: &Directory) -> BTreeSet<Hash> {
    directory.officials.iter().filter_map(|official| official.photo).collect()
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
            let picture = self.photos.0.read(photo);
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
