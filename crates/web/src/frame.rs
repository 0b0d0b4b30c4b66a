//! What every page's frame needs: the language, who is reading, where the reader is, and the form token.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::{Html, IntoResponse, Response};
use domain::UnitCode;
use std::convert::Infallible;

use crate::error::Error;
use crate::i18n::Lang;
use crate::layers::lang_of;
use crate::routes::without_lang;
use crate::session::{Role, Who};
use crate::state::AppState;
use crate::{format, static_files};

/// A link of the main navigation.
#[derive(Clone)]
pub(crate) struct NavLink {
    pub href: &'static str,
    pub label: &'static str,
    pub current: bool,
}

/// The frame of a page.
#[derive(Clone)]
pub(crate) struct Ui {
    pub lang: Lang,
    /// The page in the other language.
    pub other_lang_href: String,
    pub nav: Vec<NavLink>,
    /// Name of the reader; empty when signed out.
    pub reader: String,
    pub role: &'static str,
    /// The reader's unit, in full.
    pub unit: String,
    /// The hidden field of forms; empty when signed out.
    pub csrf: String,
    path: String,
}

impl Ui {
    pub fn t(&self, key: &str) -> &'static str {
        self.lang.text(key)
    }

    /// A text that is named by a code, such as `state.` + `printed`.
    pub fn code(&self, prefix: &str, code: &str) -> &'static str {
        self.lang.text(&format!("{prefix}.{code}"))
    }

    pub fn n(&self, number: &i64) -> String {
        format::count(self.lang, *number)
    }

    pub fn css(&self) -> &'static str {
        static_files::css_href()
    }

    pub fn icon(&self) -> &'static str {
        static_files::ICON_PATH
    }

    pub fn is_signed_in(&self) -> bool {
        !self.reader.is_empty()
    }

    /// The frame without a reader.
    pub fn signed_out(parts: &Parts) -> Ui {
        let query = parts.uri.query();
        let lang = lang_of(query, &parts.headers);
        let path = parts.uri.path().to_owned();
        let kept = without_lang(query.unwrap_or(""));
        let join = if kept.is_empty() { String::new() } else { format!("{kept}&") };
        Ui {
            lang,
            other_lang_href: format!("{path}?{join}lang={}", lang.other().code()),
            nav: Vec::new(),
            reader: String::new(),
            role: "",
            unit: String::new(),
            csrf: String::new(),
            path,
        }
    }

    /// The frame for a reader.
    pub fn with(mut self, state: &AppState, who: &Who) -> Ui {
        let lang = self.lang;
        let links: &[(&'static str, &'static str, &[Role])] = &[
            ("/tong-quan", lang.text("nav.dashboard"), &[Role::Commander]),
            ("/lich-moi", lang.text("nav.worklist"), &[Role::Officer, Role::Commander]),
            ("/ho-so-xet", lang.text("nav.cases"), &[Role::Adjudicator]),
            ("/cu-dan", lang.text("nav.people"), &Role::ALL),
            ("/ho-so", lang.text("nav.applications"), &Role::ALL),
            ("/giao-nhan", lang.text("nav.boxes"), &[Role::Clerk, Role::Officer, Role::Commander]),
            ("/phieu-loi", lang.text("nav.imports"), &[Role::Clerk]),
        ];
        let allowed = links.iter().filter(|(_, _, roles)| roles.contains(&who.role));
        self.nav = allowed
            .map(|&(href, label, _)| NavLink {
                href,
                label,
                // A card is read as a part of its application.
                current: is_below(&self.path, href) || (href == "/ho-so" && is_below(&self.path, "/the")),
            })
            .collect();
        self.reader = who.display_name.clone();
        self.role = lang.text(&format!("role.{}", who.role.code()));
        self.unit =
            unit_of_path(state, who.scope.as_str()).unwrap_or_else(|| lang.text("unit.country").to_owned());
        self.csrf = who.form_token(state.random_32());
        self
    }
}

impl FromRequestParts<AppState> for Ui {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Ui, Infallible> {
        let ui = Ui::signed_out(parts);
        Ok(match parts.extensions.get::<Who>() {
            Some(who) => ui.with(state, who),
            None => ui,
        })
    }
}

fn is_below(path: &str, href: &str) -> bool {
    path.strip_prefix(href).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A drawn page as an answer.
pub(crate) fn page(template: &impl askama::Template) -> Result<Response, Error> {
    Ok(Html(template.render()?).into_response())
}

/// "Huyện Thạch Hà, Tỉnh Hà Tĩnh" for `42/445/`.
pub(crate) fn unit_of_path(state: &AppState, path: &str) -> Option<String> {
    let code = path.trim_end_matches('/').rsplit('/').next()?.parse().ok()?;
    state.units.full_name(code)
}

/// The unit alone: "Xã Thạch Hải"; the code when the list does not know it.
pub(crate) fn unit_name(state: &AppState, code: &str) -> String {
    let found = code.parse::<UnitCode>().ok().and_then(|code| state.units.current(code));
    found.map_or_else(|| code.to_owned(), |unit| unit.full_name())
}

/// The unit and all above it; the code when the list does not know it.
pub(crate) fn unit_full(state: &AppState, code: &str) -> String {
    let found = code.parse::<UnitCode>().ok().and_then(|code| state.units.full_name(code));
    found.unwrap_or_else(|| code.to_owned())
}
