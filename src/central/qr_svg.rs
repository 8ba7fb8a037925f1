//! A QR code as a path of an SVG picture, one unit a module.

use qrcode::{Color, EcLevel, QrCode};

/// A code that was drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// Modules on a side, without the quiet zone.
    pub side: usize,
    /// The dark ones.
    pub path: String,
}

/// Draws a code at level M; none of what is too long for one.
pub fn draw(text: &[u8]) -> Option<Drawn> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let side = code.width();
    let dark = code.to_colors().into_iter().enumerate().filter(|(_, one)| *one == Color::Dark);
    let path = dark.map(|(at, _)| format!("M{} {}h1v1h-1z", at % side, at / side)).collect();
    Some(Drawn { side, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dark_module_is_a_square_of_its_own() {
        let drawn = draw(b"HAILONG").unwrap();
        assert_eq!(drawn.side, 21);
        assert!(drawn.path.starts_with("M0 0h1v1h-1zM1 0h1v1h-1z"), "the upper left finder");
        assert_eq!(draw(&[0; 4_000]), None);
    }
}
