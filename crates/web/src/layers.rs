//! What every answer passes through: the log line, the security headers, the language cookie, and the calm
//! page for an answer that is not the page that was asked for.

use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::api::problem as api;
use crate::error::{Kind, Problem};
use crate::frame::{self, query_lang};
use crate::pages::problem;
use crate::session::{Who, load};
use crate::state::AppState;

/// Nothing but our own style sheet and images may be loaded, and no script at all.
const CSP: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; \
     frame-ancestors 'none'; base-uri 'none'";

const HEADERS: &[(&str, &str)] = &[
    ("content-security-policy", CSP),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// One line per request: the route's pattern, never the path or the query, which may hold ids and names.
pub(crate) async fn log(request: Request, next: Next) -> Response {
    let (method, start) = (request.method().clone(), Instant::now());
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let response = next.run(request).await;
    tracing::info!(
        http.method = %method,
        http.route = route.as_deref().unwrap_or("none"),
        http.status = response.status().as_u16(),
        latency_ms = start.elapsed().as_millis() as u64,
        "request"
    );
    response
}

/// Sets the security headers, and the language cookie where the query asked for a language.
pub(crate) async fn headers(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let asked = query_lang(request.uri().query());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for &(name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if state.settings.https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Some(lang) = asked {
        let secure = if state.settings.https { "; Secure" } else { "" };
        let cookie = format!("lang={}; Path=/; SameSite=Lax; Max-Age=31536000{secure}", lang.code());
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            headers.append(header::SET_COOKIE, value);
        }
    }
    response
}

/// Draws the page for a [`Problem`], in the reader's language and with the reader's navigation; programs get
/// problem details, and for kits and probes the empty answer stays.
pub(crate) async fn draw_problems(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let (ui, path, cookies) = (frame::signed_out(&parts), parts.uri.path().to_owned(), parts.headers.clone());
    let wants_page = !path.starts_with("/kit/");
    let is_api = path.starts_with(api::PREFIX);
    let is_head = parts.method == Method::HEAD;
    parts.extensions.insert(ui.lang);
    let response = next.run(Request::from_parts(parts, body)).await;
    let Some(&found) = response.extensions().get::<Problem>() else { return response };
    if !wants_page || is_head {
        return response;
    }
    if is_api {
        return api::of(found);
    }
    let known = response.extensions().get::<Who>().cloned();
    let ui = match reader(&state, known, found, &cookies).await {
        Some(who) => frame::signed_in(ui, &state, &who, &path),
        None => ui,
    };
    let status = found.status();
    let mut drawn = match problem::page(ui, found) {
        Ok(html) => (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
        Err(error) => {
            tracing::error!(error = %error, "the problem page could not be drawn");
            (status, Body::empty()).into_response()
        }
    };
    if let Some(value) = found.retry_after() {
        drawn.headers_mut().insert(header::RETRY_AFTER, value);
    }
    drawn
}

/// Who reads a problem page. The guard of a signed-in route says so; paths without a route and public routes
/// have no guard, and an error may come before it has asked.
async fn reader(state: &AppState, known: Option<Who>, found: Problem, headers: &HeaderMap) -> Option<Who> {
    if known.is_some() {
        return known;
    }
    match found.kind {
        // The session is over, or the database that would know it does not answer.
        Kind::SignedOut | Kind::Unavailable => None,
        Kind::NotFound
        | Kind::Forbidden
        | Kind::Csrf
        | Kind::BadForm
        | Kind::TooMany
        | Kind::Quota
        | Kind::Busy
        | Kind::TooSlow
        | Kind::TooLarge
        | Kind::Internal => load(state, headers).await.unwrap_or_default(),
    }
}
