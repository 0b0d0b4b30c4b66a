//! The style sheet and the icon, compiled in. The sheet's address carries its hash, so that browsers may keep it for a
//! year and still get a new one at once.

use axum::http::header;
use axum::response::IntoResponse;
use sha2::{Digest, Sha256};
use std::sync::OnceLock;

pub(crate) const CSS: &str = include_str!("../assets/style.css");
const ICON: &str = include_str!("../assets/icon.svg");

pub(crate) const CSS_PATH: &str = "/tinh/dancu.css";
pub(crate) const ICON_PATH: &str = "/tinh/dancu.svg";

const LONG: &str = "public, max-age=31536000, immutable";

pub(crate) fn css_href() -> &'static str {
    static HREF: OnceLock<String> = OnceLock::new();
    HREF.get_or_init(|| {
        let digest = Sha256::digest(CSS.as_bytes());
        format!("{CSS_PATH}?v={}", crate::session::hex(&digest[..6]))
    })
}

pub(crate) async fn css() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, LONG)], CSS)
}

pub(crate) async fn icon() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "public, max-age=86400")], ICON)
}
