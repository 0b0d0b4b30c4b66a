//! The style sheet and the icon of the pages. The sheet's address carries its version, so that browsers may
//! keep it for a year and still get a new one at once.

use axum::http::header;
use axum::response::IntoResponse;

use ui::assets;

pub(crate) const CSS_PATH: &str = "/tinh/dancu.css";
pub(crate) const ICON_PATH: &str = "/tinh/dancu.svg";

const LONG: &str = "public, max-age=31536000, immutable";

pub(crate) fn css_href() -> String {
    format!("{CSS_PATH}?v={}", assets::css_version())
}

pub(crate) async fn css() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, LONG)], assets::CSS)
}

pub(crate) async fn icon() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "public, max-age=86400")],
        assets::ICON,
    )
}
