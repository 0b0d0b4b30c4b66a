//! The style sheet and the icon, compiled in.

use std::fmt::Write;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

/// The style sheet of all pages.
pub const CSS: &str = include_str!("../assets/style.css");
/// The icon, an SVG.
pub const ICON: &str = include_str!("../assets/icon.svg");

/// Twelve hexadecimal digits that change with the style sheet. An address that carries them may be kept by
/// browsers for a year, and still a new sheet is loaded at once.
pub fn css_version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        Sha256::digest(CSS.as_bytes()).iter().take(6).fold(String::new(), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    })
}
