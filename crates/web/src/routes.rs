//! Every route, in one table: its method, its path, who may call it, and its handler. The router is built
//! from the table and the tests walk it, so that no route can be without a guard and a test.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{DefaultBodyLimit, FromRequestParts, MatchedPath, Request, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get, post};
use tower_http::compression::CompressionLayer;

use crate::address::Address;
use crate::checking::UPLOAD_LIMIT;
use crate::error::Error;
use crate::form::{cross_site, form_field, percent_encode};
use crate::kit_door::{self, Door};
use crate::session::Role::{Adjudicator, Clerk, Commander, Justice, Officer};
use crate::session::{Role, Who, deny, load};
use crate::state::AppState;
use crate::{api, lapse, layers, multipart, pages, static_files, tls};

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Public,
    /// Anyone, with a body as large as a card's files.
    Upload,
    /// Kits: the message itself is signed.
    Kit,
    /// Signed-in people of these roles.
    Roles(&'static [Role]),
}

/// One route.
pub struct Route {
    pub method: &'static str,
    /// With `{…}` for ids.
    pub path: &'static str,
    pub access: Access,
    handler: fn() -> MethodRouter<AppState>,
}

const ALL: Access = Access::Roles(&Role::ALL);
const STAFF: Access = Access::Roles(&Role::STAFF);
const CORRECTIONS: Access = Access::Roles(&[Justice, Clerk, Commander]);
const COMMAND: Access = Access::Roles(&[Commander]);
const CASES: Access = Access::Roles(&[Adjudicator]);
const FIELD: Access = Access::Roles(&[Officer, Commander]);
const QUALITY: Access = Access::Roles(&[Clerk, Commander]);
const REGISTER: Access = Access::Roles(&[Clerk]);
const BOXES: Access = Access::Roles(&[Clerk, Officer, Commander]);

/// The routes.
pub const ROUTES: &[Route] = &[
    Route { method: "GET", path: "/", access: ALL, handler: || get(pages::home) },
    Route { method: "GET", path: "/vao", access: Access::Public, handler: || get(pages::sign_in::show) },
    Route { method: "POST", path: "/vao", access: Access::Public, handler: || post(pages::sign_in::enter) },
    Route { method: "POST", path: "/ra", access: ALL, handler: || post(pages::sign_in::leave) },
    Route { method: "GET", path: "/tong-quan", access: COMMAND, handler: || get(pages::dashboard::show) },
    Route { method: "GET", path: "/giam-sat", access: COMMAND, handler: || get(pages::supervision::show) },
    Route {
        method: "GET",
        path: "/giam-sat/goi-cach-ly",
        access: COMMAND,
        handler: || get(pages::supervision::packets::list),
    },
    Route {
        method: "POST",
        path: "/giam-sat/goi-cach-ly",
        access: COMMAND,
        handler: || post(pages::supervision::packets::act),
    },
    Route {
        method: "GET",
        path: "/giam-sat/may-thu-nhan",
        access: COMMAND,
        handler: || get(pages::supervision::kits::list),
    },
    Route {
        method: "GET",
        path: "/giam-sat/may-thu-nhan/{kit_id}",
        access: COMMAND,
        handler: || get(pages::supervision::kits::show),
    },
    Route {
        method: "POST",
        path: "/giam-sat/may-thu-nhan/{kit_id}",
        access: COMMAND,
        handler: || post(pages::supervision::kits::act),
    },
    Route {
        method: "GET",
        path: "/giam-sat/nhat-ky",
        access: COMMAND,
        handler: || get(pages::supervision::trail::show),
    },
    Route { method: "GET", path: "/cu-dan", access: STAFF, handler: || get(pages::people::search) },
    Route { method: "GET", path: "/cu-dan/{person_id}", access: STAFF, handler: || get(pages::people::show) },
    Route {
        method: "POST",
        path: "/cu-dan/{person_id}",
        access: STAFF,
        handler: || post(pages::reason::give),
    },
    Route { method: "GET", path: "/chat-luong", access: QUALITY, handler: || get(pages::quality::overview) },
    Route {
        method: "GET",
        path: "/chat-luong/{rule}",
        access: QUALITY,
        handler: || get(pages::quality::rule),
    },
    Route {
        method: "GET",
        path: pages::rearranged::PATH,
        access: COMMAND,
        handler: || get(pages::rearranged::show),
    },
    Route {
        method: "POST",
        path: pages::rearranged::PATH,
        access: COMMAND,
        handler: || post(pages::rearranged::answer),
    },
    Route {
        method: "GET",
        path: pages::events::PATH,
        access: REGISTER,
        handler: || get(pages::events::show),
    },
    Route {
        method: "POST",
        path: pages::events::PATH,
        access: REGISTER,
        handler: || post(pages::events::record),
    },
    Route {
        method: "GET",
        path: "/cu-dan/{person_id}/giay-to/{document_id}",
        access: STAFF,
        handler: || get(pages::events::scan),
    },
    Route {
        method: "GET",
        path: pages::corrections::ask::PATH,
        access: REGISTER,
        handler: || get(pages::corrections::ask::show),
    },
    Route {
        method: "POST",
        path: pages::corrections::ask::PATH,
        access: REGISTER,
        handler: || post(pages::corrections::ask::open),
    },
    Route {
        method: "GET",
        path: pages::corrections::ADDRESS,
        access: CORRECTIONS,
        handler: || get(pages::corrections::list),
    },
    Route {
        method: "GET",
        path: pages::corrections::one::PATH,
        access: CORRECTIONS,
        handler: || get(pages::corrections::one::show),
    },
    Route {
        method: "POST",
        path: pages::corrections::one::PATH,
        access: CORRECTIONS,
        handler: || post(pages::corrections::one::act),
    },
    Route {
        method: "GET",
        path: "/cai-chinh/{correction_id}/giay-to",
        access: CORRECTIONS,
        handler: || get(pages::corrections::one::scan),
    },
    Route { method: "GET", path: "/ho-so", access: STAFF, handler: || get(pages::applications::list) },
    Route {
        method: "GET",
        path: "/ho-so/{application_id}",
        access: STAFF,
        handler: || get(pages::applications::show),
    },
    Route { method: "GET", path: "/the/{card_id}", access: STAFF, handler: || get(pages::cards::show) },
    Route { method: "GET", path: "/ho-so-xet", access: CASES, handler: || get(pages::cases::list) },
    Route { method: "GET", path: "/ho-so-xet/{case_id}", access: CASES, handler: || get(pages::cases::show) },
    Route {
        method: "POST",
        path: "/ho-so-xet/{case_id}",
        access: CASES,
        handler: || post(pages::cases::act),
    },
    Route { method: "GET", path: "/lich-moi", access: FIELD, handler: || get(pages::worklist::show) },
    Route { method: "GET", path: "/giao-nhan", access: BOXES, handler: || get(pages::boxes::list) },
    Route {
        method: "GET",
        path: "/giao-nhan/{consignment_id}",
        access: BOXES,
        handler: || get(pages::boxes::show),
    },
    Route {
        method: "GET",
        path: "/phieu-loi",
        access: Access::Roles(&[Clerk]),
        handler: || get(pages::imports::files),
    },
    Route {
        method: "GET",
        path: "/phieu-loi/{import_id}",
        access: Access::Roles(&[Clerk]),
        handler: || get(pages::imports::rejects),
    },
    Route { method: "GET", path: "/tra-cuu", access: Access::Public, handler: || get(pages::track::form) },
    Route {
        method: "POST",
        path: "/tra-cuu",
        access: Access::Public,
        handler: || post(pages::track::answer),
    },
    Route { method: "GET", path: "/kiem-the", access: Access::Public, handler: || get(pages::check::form) },
    Route {
        method: "POST",
        path: "/kiem-the",
        access: Access::Upload,
        handler: || post(pages::check::answer),
    },
    Route {
        method: "POST",
        path: "/api/v1/verify/chip",
        access: Access::Upload,
        handler: || post(api::chip),
    },
    Route { method: "POST", path: "/api/v1/verify/qr", access: Access::Public, handler: || post(api::qr) },
    Route { method: "POST", path: "/api/v1/verify/mrz", access: Access::Public, handler: || post(api::mrz) },
    Route {
        method: "GET",
        path: "/api/v1/openapi.json",
        access: Access::Public,
        handler: || get(api::openapi),
    },
    Route {
        method: "POST",
        path: packet::wire::PACKETS_PATH,
        access: Access::Kit,
        handler: || post(pages::kit::packets),
    },
    Route {
        method: "POST",
        path: packet::wire::DAY_REPORT_PATH,
        access: Access::Kit,
        handler: || post(pages::kit::day_report),
    },
    Route {
        method: "POST",
        path: packet::wire::STATUS_PATH,
        access: Access::Kit,
        handler: || post(pages::kit::status),
    },
    Route {
        method: "GET",
        path: static_files::CSS_PATH,
        access: Access::Public,
        handler: || get(static_files::css),
    },
    Route {
        method: "GET",
        path: static_files::ICON_PATH,
        access: Access::Public,
        handler: || get(static_files::icon),
    },
    Route { method: "GET", path: "/healthz", access: Access::Public, handler: || get(pages::health::alive) },
    Route { method: "GET", path: "/readyz", access: Access::Public, handler: || get(pages::health::ready) },
];

/// Bytes of a form; notes are limited to 2,000 characters.
const FORM_LIMIT: usize = 64 * 1024;

/// How long a form may take to arrive.
const FORM_TIME: Duration = Duration::from_secs(30);

/// How long a card's files may take: the largest over a line of 10 kB/s; a scan, over one of 70 kB/s.
const UPLOAD_TIME: Duration = Duration::from_secs(60);

/// The whole site.
pub fn router(state: AppState) -> Router {
    let mut router = Router::new();
    let (kits, uploads) = (Arc::new(Door::default()), Arc::new(Door::default()));
    for route in ROUTES {
        let access = route.access;
        let door = Arc::clone(if access == Access::Kit { &kits } else { &uploads });
        let guarded = (route.handler)().route_layer(from_fn_with_state(
            state.clone(),
            move |State(state): State<AppState>, request: Request, next: Next| {
                let door = Arc::clone(&door);
                async move {
                    match access {
                        Access::Kit if tls::is_stranger(&state, &request) => Err(Error::Forbidden),
                        Access::Kit => {
                            let (bytes, time) = (packet::wire::MAX_BATCH_BYTES, kit_door::BODY);
                            admit(state, &door, Bound { bytes, time }, request, next).await
                        }
                        Access::Upload => {
                            let bound = Bound { bytes: UPLOAD_LIMIT, time: UPLOAD_TIME };
                            admit(state, &door, bound, request, next).await
                        }
                        _ => guard(state, access, request, next).await,
                    }
                }
            },
        ));
        router = router.route(route.path, guarded);
    }
    router
        .fallback(|| async { Error::NotFound })
        .method_not_allowed_fallback(|| async { Error::NotFound })
        // The guard bounds each body by its route; the framework's own bound would be one for all.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(state.clone(), layers::draw_problems))
        .layer(CompressionLayer::new().gzip(true))
        .layer(from_fn_with_state(state.clone(), layers::headers))
        .layer(from_fn(layers::log))
        .with_state(state)
}

/// What a body may be.
#[derive(Clone, Copy)]
struct Bound {
    bytes: usize,
    time: Duration,
}

/// Lets a large message through to its handler when it is its turn, with its body bounded in size and time.
async fn admit(
    state: AppState,
    door: &Door,
    bound: Bound,
    request: Request,
    next: Next,
) -> Result<Response, Error> {
    let (mut parts, body) = request.into_parts();
    let Ok(address) = Address::from_request_parts(&mut parts, &state).await;
    let Some(_turn) = door.enter(&address.0).await else { return Err(Error::Busy) };
    let reading = read(body, bound.bytes);
    let body = tokio::time::timeout(bound.time, reading).await.map_err(|_| Error::TooSlow)??;
    Ok(next.run(Request::from_parts(parts, Body::from(body))).await)
}

/// Lets a request through to its handler, with its body bounded and, for a signed-in route, with `Who` beside
/// it and the form's token checked.
async fn guard(state: AppState, access: Access, request: Request, next: Next) -> Result<Response, Error> {
    let (mut parts, body) = request.into_parts();
    let Bound { bytes, time } = bound(&state, access, &parts).await?;
    let body = tokio::time::timeout(time, read(body, bytes)).await.map_err(|_| Error::TooSlow)??;
    let mut reader = None;
    if let Access::Roles(roles) = access {
        let Some(mut who) = load(&state, &parts.headers).await? else {
            return signed_out(&state, &parts, &body);
        };
        let Ok(address) = Address::from_request_parts(&mut parts, &state).await;
        who.address = address.0;
        if !roles.contains(&who.role) {
            let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
            deny(&state, &who, format!("route:{route}")).await?;
            return Ok(answer_to(who, Error::Forbidden.into_response()));
        }
        if parts.method != Method::GET && parts.method != Method::HEAD {
            if cross_site(&parts.headers) {
                return Ok(answer_to(who, Error::Csrf.into_response()));
            }
            let token = if multipart::is_multipart(&parts.headers) {
                multipart::Form::read(&parts.headers, &body, &[]).await.ok().and_then(|f| f.typed("csrf"))
            } else {
                form_field(&body, "csrf")
            };
            if !who.owns(&token.unwrap_or_default()) {
                // The form is another session's. The handler never sees it.
                let again = lapse::redraw(&state, &who, &parts, &body).await;
                return Ok(answer_to(who, again.into_response()));
            }
        }
        parts.extensions.insert(who.clone());
        reader = Some(who);
    }
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    Ok(match reader {
        Some(who) => answer_to(who, response),
        None => response,
    })
}

/// What the body of a form may be: a paper's scan is larger than other forms, and is taken from nobody who is
/// not signed in for it.
async fn bound(state: &AppState, access: Access, parts: &Parts) -> Result<Bound, Error> {
    let form = Bound { bytes: FORM_LIMIT, time: FORM_TIME };
    let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let Access::Roles(roles) = access else { return Ok(form) };
    let takes_scans = [pages::events::PATH, pages::corrections::one::PATH].contains(&route);
    if !takes_scans || !multipart::is_multipart(&parts.headers) {
        return Ok(form);
    }
    let who = load(state, &parts.headers).await?;
    let may = who.is_some_and(|who| roles.contains(&who.role));
    Ok(if may { Bound { bytes: pages::events::MOST_FORM, time: UPLOAD_TIME } } else { form })
}

/// Tells the outer layer who reads, so that a problem page keeps the reader's frame.
fn answer_to(who: Who, mut response: Response) -> Response {
    response.extensions_mut().insert(who);
    response
}

/// Reading goes on after signing in. What a form held that was sent without a session is kept by the page to
/// sign in on.
fn signed_out(state: &AppState, parts: &Parts, body: &Bytes) -> Result<Response, Error> {
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return pages::sign_in::lapsed(state, parts, body);
    }
    let target = parts.uri.path_and_query().map_or("/", |p| p.as_str());
    let target =
        if target == "/" { "/vao".to_owned() } else { format!("/vao?tiep={}", percent_encode(target)) };
    Ok(Redirect::to(&target).into_response())
}

async fn read(body: Body, limit: usize) -> Result<Bytes, Error> {
    to_bytes(body, limit).await.map_err(|_| Error::TooLarge { limit })
}
