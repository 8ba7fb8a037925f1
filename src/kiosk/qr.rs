//! QR codes: of tickets on the screen, of badges on paper, of a first start on a terminal.

use crate::domain::staff_code::BADGE;
use qrcode::render::unicode::Dense1x2;
use qrcode::{Color, EcLevel, QrCode};
use slint::{Image, Rgb8Pixel, SharedPixelBuffer};

/// Modules of quiet zone on each side, as ISO/IEC 18004 asks.
const QUIET: u32 = 4;
const INK: Rgb8Pixel = Rgb8Pixel { r: 0x17, g: 0x34, b: 0x3a };
const WHITE: Rgb8Pixel = Rgb8Pixel { r: 0xff, g: 0xff, b: 0xff };

/// The address as a QR code of level M, one pixel a module, with its quiet zone; nothing when it
/// is too long for one.
pub fn picture(address: &str) -> Option<Image> {
    let code = QrCode::with_error_correction_level(address, EcLevel::M).ok()?;
    let modules = code.width() as u32;
    let colors = code.to_colors();
    let side = modules + 2 * QUIET;
    let mut pixels = SharedPixelBuffer::<Rgb8Pixel>::new(side, side);
    for (at, pixel) in pixels.make_mut_slice().iter_mut().enumerate() {
        let (x, y) = (at as u32 % side, at as u32 / side);
        let module = |v: u32| v.checked_sub(QUIET).filter(|v| *v < modules);
        let dark = match (module(x), module(y)) {
            (Some(x), Some(y)) => colors[(y * modules + x) as usize] == Color::Dark,
            _ => false,
        };
        *pixel = if dark { INK } else { WHITE };
    }
    Some(Image::from_rgb8(pixels))
}

/// The badge of a code, to be printed: an SVG of 40 mm, with whose it is below.
pub fn badge(code: &str, whose: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(format!("{BADGE}{code}"), EcLevel::M).ok()?;
    let modules = code.width();
    let dark = code.to_colors().into_iter().enumerate().filter(|(_, color)| *color == Color::Dark);
    let squares: String = dark
        .map(|(at, _)| {
            let (x, y) = (at % modules + QUIET as usize, at / modules + QUIET as usize);
            format!("M{x} {y}h1v1h-1z")
        })
        .collect();
    let side = modules + 2 * QUIET as usize;
    let (height, middle, line) = (side + 3, side / 2, side + 1);
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"40mm\" viewBox=\"0 0 {side} {height}\">\n\
         <rect width=\"{side}\" height=\"{height}\" fill=\"#fff\"/>\n\
         <path shape-rendering=\"crispEdges\" d=\"{squares}\"/>\n\
         <text x=\"{middle}\" y=\"{line}\" font-family=\"sans-serif\" font-size=\"2.4\" \
         text-anchor=\"middle\">{whose}</text>\n</svg>\n"
    ))
}

/// A text as a QR code of level M for a terminal, black on white whatever its colours are; nothing when it
/// is too long for one.
pub fn on_terminal(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let drawn = code.render::<Dense1x2>().quiet_zone(true).build();
    let lines: Vec<String> =
        drawn.lines().map(|line| format!("\x1b[30;107m{line}\x1b[0m")).collect();
    Some(lines.join("\n"))
}

/// The picture with every pixel made a square of `factor` pixels: whole pixels, nothing smoothed.
pub fn enlarge(picture: &Image, factor: u32) -> Image {
    let Some(small) = picture.to_rgb8() else { return picture.clone() };
    let (width, height) = (small.width() * factor, small.height() * factor);
    if factor == 0 || width == 0 || height == 0 {
        return picture.clone();
    }
    let mut large = SharedPixelBuffer::<Rgb8Pixel>::new(width, height);
    for (at, pixel) in large.make_mut_slice().iter_mut().enumerate() {
        let (x, y) = (at as u32 % width / factor, at as u32 / width / factor);
        *pixel = small.as_slice()[(y * small.width() + x) as usize];
    }
    Image::from_rgb8(large)
}
