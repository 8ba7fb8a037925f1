//! Officials' photos: read once at start, cut square, made small, and named by their content.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits};

use crate::domain::ids::Hash;
use crate::domain::office::PHOTO_BYTES;

/// Longest photo file, in bytes.
const LONGEST_FILE: u64 = 20 * 1024 * 1024;
/// Most pixels on a side of a photo file.
const WIDEST: u32 = 10_000;
/// Pixels on a side of what kiosks and phones get.
const SIDE: u32 = 320;

/// Photos by the SHA-256 of what kiosks and phones get.
pub type Photos = BTreeMap<Hash, Arc<[u8]>>;

/// Why a photo cannot be used; the words say what was expected.
#[derive(Debug, thiserror::Error)]
pub enum BadPhoto {
    /// The file cannot be read.
    #[error("expected the file of a photo: {0}")]
    File(std::io::Error),
    /// The file is too large.
    #[error("expected a photo of at most {} MiB", LONGEST_FILE / 1024 / 1024)]
    TooLarge,
    /// The file is not a picture, or too large a one.
    #[error("expected a JPEG or PNG picture of at most {WIDEST} × {WIDEST} pixels: {0}")]
    Picture(image::ImageError),
}

/// Reads a photo as a camera gives it: turns it upright, cuts it square around where a face is in
/// a portrait, and makes it small. Gives a JPEG without anything else that the file told (place,
/// time, camera).
pub fn read(file: &Path) -> Result<(Hash, Arc<[u8]>), BadPhoto> {
    let length = std::fs::metadata(file).map_err(BadPhoto::File)?.len();
    if length > LONGEST_FILE {
        return Err(BadPhoto::TooLarge);
    }
    let bytes = std::fs::read(file).map_err(BadPhoto::File)?;
    prepare(&bytes).map_err(BadPhoto::Picture)
}

fn prepare(bytes: &[u8]) -> Result<(Hash, Arc<[u8]>), image::ImageError> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(WIDEST);
    limits.max_image_height = Some(WIDEST);
    limits.max_alloc = Some(512 * 1024 * 1024);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let upright = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(upright);
    let side = picture.width().min(picture.height()).max(1);
    let (left, top) = ((picture.width() - side) / 2, (picture.height() - side) / 5);
    let small = picture
        .crop_imm(left, top, side, side)
        .resize_exact(SIDE, SIDE, FilterType::Lanczos3)
        .into_rgb8();
    let mut jpeg = Vec::new();
    for quality in [85, 60, 30] {
        jpeg.clear();
        JpegEncoder::new_with_quality(&mut jpeg, quality).encode_image(&small)?;
        // Noise does not get small at once.
        if jpeg.len() <= PHOTO_BYTES {
            break;
        }
    }
    Ok((Hash::of(&jpeg), jpeg.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageFormat, Rgb, RgbImage};

    fn file(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_photo_is_cut_square_in_its_upper_part_and_made_small() {
        // An upright portrait with a red head in its upper part.
        let portrait = RgbImage::from_fn(600, 1_000, |_, y| {
            if (80..680).contains(&y) { Rgb([200, 30, 30]) } else { Rgb([30, 30, 200]) }
        });
        for format in [ImageFormat::Jpeg, ImageFormat::Png] {
            let (hash, jpeg) = prepare(&file(&portrait, format)).unwrap();
            assert_eq!(hash, Hash::of(&jpeg));
            assert!(jpeg.len() <= PHOTO_BYTES);
            let small = image::load_from_memory(&jpeg).unwrap().into_rgb8();
            assert_eq!(small.dimensions(), (SIDE, SIDE));
            for (x, y) in [(5, 5), (160, 160), (315, 315)] {
                let Rgb([red, _, blue]) = *small.get_pixel(x, y);
                assert!(red > 150 && blue < 90, "{format:?} at {x}, {y}");
            }
        }
    }

    #[test]
    fn what_is_no_picture_is_refused_and_noise_stays_bounded() {
        for bytes in [&b""[..], b"GIF89a", b"<svg/>", &[0xff, 0xd8, 0xff, 0xe0, 1, 2, 3]] {
            assert!(prepare(bytes).is_err());
        }
        let mut seed = 1_u32;
        let noise = RgbImage::from_fn(400, 400, |_, _| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Rgb([(seed >> 24) as u8, (seed >> 16) as u8, (seed >> 8) as u8])
        });
        let (_, jpeg) = prepare(&file(&noise, ImageFormat::Png)).unwrap();
        assert!(jpeg.len() <= PHOTO_BYTES, "{}", jpeg.len());
    }
}
