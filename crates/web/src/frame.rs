//! The frame of the centre's pages: what the reader's role may open, and where the reader is.

use std::convert::Infallible;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};

use crate::error::Error;
use crate::form::without_lang;
use crate::pages::{corrections, rearranged};
use crate::session::{Role, Who};
use crate::state::AppState;
use crate::static_files;
use ui::frame::{Frame, Link, Reader};
use ui::i18n::Lang;
use ui::place;

/// Supervision begins with what waits for the commander.
const SUPERVISION: &str = crate::pages::supervision::PACKETS;

/// The frame without a reader.
pub(crate) fn signed_out(parts: &Parts) -> Frame {
    let query = parts.uri.query();
    let lang = lang_of(query, &parts.headers);
    let kept = without_lang(query.unwrap_or(""));
    let join = if kept.is_empty() { String::new() } else { format!("{kept}&") };
    let foot = |href, label| Link { href, label, current: false };
    Frame {
        lang,
        other_lang_href: format!("{}?{join}lang={}", parts.uri.path(), lang.other().code()),
        css: static_files::css_href(),
        icon: static_files::ICON_PATH,
        nav: Vec::new(),
        foot: vec![
            foot("/tra-cuu", lang.text("track.title")),
            foot("/kiem-the", lang.text("check.title")),
            foot("/vao", lang.text("sign_in.title")),
        ],
        reader: None,
    }
}

/// The frame for a reader of the page at `path`.
pub(crate) fn signed_in(frame: Frame, state: &AppState, who: &Who, path: &str) -> Frame {
    let lang = frame.lang;
    let links: &[(&'static str, &'static str, &[Role])] = &[
        ("/tong-quan", lang.text("nav.dashboard"), &[Role::Commander]),
        ("/lich-moi", lang.text("nav.worklist"), &[Role::Officer]),
        ("/ho-so-xet", lang.text("nav.cases"), &[Role::Adjudicator]),
        ("/cu-dan", lang.text("nav.people"), &Role::STAFF),
        ("/ho-so", lang.text("nav.applications"), &Role::STAFF),
        (corrections::ADDRESS, lang.text("nav.corrections"), &[Role::Clerk, Role::Justice]),
        ("/giao-nhan", lang.text("nav.boxes"), &[Role::Clerk, Role::Officer, Role::Commander]),
        ("/phieu-loi", lang.text("nav.imports"), &[Role::Clerk]),
        (SUPERVISION, lang.text("nav.supervision"), &[Role::Commander]),
    ];
    let allowed = links.iter().filter(|(_, _, roles)| roles.contains(&who.role));
    let nav = allowed.map(|&(href, label, _)| Link {
        href,
        label,
        // A card is read as a part of its application.
        current: is_below(path, href)
            || (href == "/ho-so" && is_below(path, "/the"))
            || (href == SUPERVISION && is_below(path, "/giam-sat"))
            // What the rules find is asked about by cases: both are one desk, and a commander, who has no
            // item for it, comes from the overview.
            || (href == corrections::ADDRESS && is_below(path, "/chat-luong"))
            || (href == "/tong-quan"
                && ["/chat-luong", corrections::ADDRESS, rearranged::PATH]
                    .into_iter()
                    .any(|place| is_below(path, place))),
    });
    let reader = Reader {
        name: who.display_name.clone(),
        role: lang.text(&format!("role.{}", who.role.code())),
        unit: unit_of_path(state, who.scope.as_str()).unwrap_or_else(|| lang.text("unit.country").to_owned()),
        form_token: who.form_token(state.random_32()),
        sign_out: "/ra",
    };
    Frame { nav: nav.collect(), foot: Vec::new(), reader: Some(reader), ..frame }
}

impl FromRequestParts<AppState> for Frame {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Frame, Infallible> {
        let frame = signed_out(parts);
        Ok(match parts.extensions.get::<Who>() {
            Some(who) => signed_in(frame, state, who, parts.uri.path()),
            None => frame,
        })
    }
}

fn is_below(path: &str, href: &str) -> bool {
    path.strip_prefix(href).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A drawn page as an answer.
pub(crate) fn page(template: &impl Template) -> Result<Response, Error> {
    Ok(Html(template.render()?).into_response())
}

/// "Huyện Thạch Hà, tỉnh Hà Tĩnh" for `42/445/`, at the head of a line.
pub(crate) fn unit_of_path(state: &AppState, path: &str) -> Option<String> {
    let code = path.trim_end_matches('/').rsplit('/').next()?;
    state.units().get(code.parse().ok()?).map(|_| unit_full(state, code))
}

/// The unit alone, at the head of a line: "Xã Thạch Hải"; the code when the list does not know it.
pub(crate) fn unit_name(state: &AppState, code: &str) -> String {
    place::at_head(&place::own(state.units(), code))
}

/// The last unit of a path alone, for readers whose own unit is above it; nothing for the whole country.
pub(crate) fn own_unit(state: &AppState, path: &str) -> String {
    match path.trim_end_matches('/').rsplit('/').next() {
        Some(code) if !code.is_empty() => unit_name(state, code),
        Some(_) | None => String::new(),
    }
}

/// The unit and all above it, at the head of a line; the code when the list does not know it.
pub(crate) fn unit_full(state: &AppState, code: &str) -> String {
    place::at_head(&place::full(state.units(), code))
}

/// The language of a request: `?lang=`, else the cookie, else Vietnamese.
pub(crate) fn lang_of(query: Option<&str>, headers: &HeaderMap) -> Lang {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let from_cookie = || {
        cookies
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().strip_prefix("lang="))
            .find_map(Lang::from_code)
    };
    query_lang(query).or_else(from_cookie).unwrap_or(Lang::Vi)
}

pub(crate) fn query_lang(query: Option<&str>) -> Option<Lang> {
    query?.split('&').filter_map(|pair| pair.strip_prefix("lang=")).find_map(Lang::from_code)
}
