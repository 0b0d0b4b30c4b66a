//! Errors of the JSON interface: problem details (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::error::Problem;
use crate::pages::problem;
use ui::i18n::Lang;

/// What begins the paths whose errors are told this way.
pub(crate) const PREFIX: &str = "/api/";

#[derive(Serialize)]
struct Details<'a> {
    /// RFC 9457 §4.2.1: no type beyond the status; `code` tells ours apart.
    r#type: &'static str,
    title: &'static str,
    status: u16,
    code: &'a str,
    detail: &'a str,
}

/// A request that cannot be understood. `detail` says where, and nothing of what was sent.
#[derive(Debug)]
pub(crate) struct BadRequest {
    pub code: &'static str,
    pub detail: String,
}

impl IntoResponse for BadRequest {
    fn into_response(self) -> Response {
        details(StatusCode::BAD_REQUEST, self.code, &self.detail)
    }
}

/// What the page would say in words.
pub(crate) fn of(found: Problem) -> Response {
    let mut response = details(found.status(), found.kind.code(), &problem::text(Lang::En, found));
    if let Some(value) = found.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

fn details(status: StatusCode, code: &str, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("Error");
    let details = Details { r#type: "about:blank", title, status: status.as_u16(), code, detail };
    let kind = HeaderValue::from_static("application/problem+json");
    (status, [(header::CONTENT_TYPE, kind)], axum::Json(details).into_response().into_body()).into_response()
}
