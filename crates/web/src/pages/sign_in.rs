//! Signing in and out.

use askama::Template;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use time::Duration;

use crate::accounts::{verify, verify_nobody};
use crate::address::Address;
use crate::error::Error;
use crate::extract::Query;
use crate::failures::{self, Failure};
use crate::form::{cross_site, form_field, inside};
use crate::frame::{self, page};
use crate::lapse::{self, Field};
use crate::session::{Who, begin, cookie, cookie_value, end, hex};
use crate::state::AppState;
use store::accounts::by_login;
use ui::frame::Frame;

/// The form and the cookie carry the same random value: a page from elsewhere cannot know it (double submit).
const FORM_COOKIE: &str = "mau";

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Page {
    ui: Frame,
    token: String,
    /// What happened, where the form is drawn again.
    said: &'static str,
    asked: Asked,
}

/// What the form was asked for or sent with. The password is never drawn again.
#[derive(Default)]
struct Asked {
    /// Where to go on.
    next: String,
    login: String,
    /// What somebody typed into another form before the session ended.
    kept: Vec<Field>,
}

/// After signing in: what was typed before is kept, and goes back into its form.
#[derive(Template)]
#[template(path = "resume.html")]
struct ResumePage {
    ui: Frame,
    action: String,
    kept: Vec<Field>,
}

#[derive(Deserialize)]
pub(crate) struct Target {
    /// Where to go on.
    tiep: Option<String>,
}

pub(crate) async fn show(
    State(state): State<AppState>,
    ui: Frame,
    headers: HeaderMap,
    Query(target): Query<Target>,
) -> Result<Response, Error> {
    if let Some(who) = crate::session::load(&state, &headers).await? {
        return Ok(Redirect::to(who.role.home()).into_response());
    }
    let next = target.tiep.as_deref().and_then(inside).unwrap_or("").to_owned();
    form(&state, ui, "", Asked { next, ..Asked::default() })
}

fn form(state: &AppState, ui: Frame, said: &'static str, asked: Asked) -> Result<Response, Error> {
    let token = hex(&state.random_32());
    let set = cookie(&state.settings, FORM_COOKIE, &token, Duration::hours(1));
    let mut response = page(&Page { ui, token, said, asked })?;
    set_cookie(&mut response, &set);
    Ok(response)
}

/// The form for somebody whose session ended before another form was sent: what was typed there is kept.
pub(crate) fn lapsed(state: &AppState, parts: &Parts, body: &Bytes) -> Result<Response, Error> {
    let ui = frame::signed_out(parts);
    // The address that was posted to is no page: the other language is that of the page to sign in on.
    let ui = Frame { other_lang_href: format!("/vao?lang={}", ui.lang.other().code()), ..ui };
    let kept = lapse::kept(parts.uri.path(), body);
    let (said, next) = match kept.is_empty() {
        true => (ui.t("sign_in.ended"), String::new()),
        false => (ui.t("sign_in.ended_kept"), parts.uri.path().to_owned()),
    };
    let drawn = form(state, ui, said, Asked { next, login: String::new(), kept })?;
    Ok((StatusCode::UNAUTHORIZED, drawn).into_response())
}

pub(crate) async fn enter(
    State(state): State<AppState>,
    ui: Frame,
    address: Address,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Error> {
    // No honest form comes from another site.
    if cross_site(&headers) {
        return Err(Error::Csrf);
    }
    let field = |name| form_field(&body, name).unwrap_or_default();
    let next = field("tiep");
    let next = inside(&next).unwrap_or("");
    let (token, login) = (field("token"), field("login"));
    let login: String = login.trim().to_lowercase().chars().take(64).collect();
    let asked = Asked { next: next.to_owned(), login: login.clone(), kept: lapse::kept(next, &body) };
    if token.len() != 64 || cookie_value(&headers, &state.settings, FORM_COOKIE) != Some(&token) {
        // The cookie lapsed, or a younger tab has another: nothing is judged, and the form is drawn with a
        // new one.
        let said = ui.t("sign_in.stale");
        return Ok((StatusCode::FORBIDDEN, form(&state, ui, said, asked)?).into_response());
    }
    let password: String = field("password").chars().take(256).collect();
    let now = state.clock.now();
    let tried = match state.guesses.sign_in(&login, &address.0, now) {
        Ok(tried) => tried,
        Err(wait) => {
            failures::note(&state, &address.0, Failure::TurnedAway).await?;
            return Err(Error::TooMany { wait });
        }
    };
    let mut conn = state.db.read().await?;
    let account = by_login(&mut conn, &login).await?;
    drop(conn);
    let right = {
        let _turn = state.hashing.acquire().await.map_err(|_| Error::Task)?;
        match &account {
            Some(account) => verify(password, account.password_hash.clone()).await,
            None => verify_nobody(password).await,
        }
    };
    let known = account.as_ref().map(|account| account.id);
    let Some(account) = account.filter(|account| right && account.disabled_at.is_none()) else {
        failures::note(&state, &address.0, Failure::Wrong(known)).await?;
        let said = ui.t("sign_in.wrong");
        return Ok((StatusCode::UNAUTHORIZED, form(&state, ui, said, asked)?).into_response());
    };
    state.guesses.was_right(tried);
    let set = begin(&state, &account).await?;
    let mut response = match (asked.kept.is_empty(), next) {
        (true, "") => Redirect::to("/").into_response(),
        (true, next) => Redirect::to(next).into_response(),
        (false, next) => page(&ResumePage { ui, action: next.to_owned(), kept: asked.kept })?,
    };
    set_cookie(&mut response, &set);
    Ok(response)
}

pub(crate) async fn leave(State(state): State<AppState>, who: Who) -> Result<Response, Error> {
    let set = end(&state, &who).await?;
    let mut response = Redirect::to("/vao").into_response();
    set_cookie(&mut response, &set);
    Ok(response)
}

fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}
