//! Forms whose session lapsed while somebody typed: the session ended, or it is another than the one that
//! drew the form. Nothing is written, and what was typed is kept: a form of this table is drawn again with
//! it.

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::response::Response;

use crate::error::Error;
use crate::form::form_fields;
use crate::session::Who;
use crate::state::AppState;
use crate::{frame, pages};

/// The forms that somebody fills in at length: how their paths begin, before an id, and their fields.
const KEPT: &[(&str, &[&str])] = &[(CASE, &["lenh", "quyet-dinh", "ly-do"])];

/// The decision about a case.
const CASE: &str = "/ho-so-xet/";

/// What stands before a kept field's name while its sender signs in.
const MARK: &str = "giu-";

/// A field of a form that waits for its sender to sign in.
pub(crate) struct Field {
    pub name: String,
    pub value: String,
}

/// The fields of a form that are worth keeping, from the form itself or from the sign-in form that carries
/// them. Empty for a path whose form holds nothing that was typed.
pub(crate) fn kept(path: &str, body: &[u8]) -> Vec<Field> {
    let Some((_, fields)) = KEPT.iter().find(|(begins, _)| is_one_below(path, begins)) else {
        return Vec::new();
    };
    let named = |name: &str| {
        let name = name.strip_prefix(MARK).unwrap_or(name);
        fields.iter().find(|field| **field == name)
    };
    form_fields(body)
        .filter_map(|(name, value)| Some(Field { name: (*named(name)?).to_owned(), value }))
        .collect()
}

impl Field {
    /// The name under which the sign-in form carries the field.
    pub fn carried(&self) -> String {
        format!("{MARK}{}", self.name)
    }
}

/// The form again, with what was typed in it, for a reader whose session did not draw it.
///
/// # Errors
/// [`Error::Csrf`] for a form that holds nothing that was typed.
pub(crate) async fn redraw(
    state: &AppState,
    who: &Who,
    parts: &Parts,
    body: &Bytes,
) -> Result<Response, Error> {
    let path = parts.uri.path();
    if !is_one_below(path, CASE) {
        return Err(Error::Csrf);
    }
    let ui = frame::signed_in(frame::signed_out(parts), state, who, path);
    pages::cases::again(state, who, ui, &path[CASE.len()..], body).await
}

fn is_one_below(path: &str, begins: &str) -> bool {
    path.strip_prefix(begins).is_some_and(|id| !id.is_empty() && !id.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_fields_of_a_form_of_the_table_are_kept() {
        let kept_of = |path: &str, body: &str| -> Vec<(String, String)> {
            kept(path, body.as_bytes()).into_iter().map(|field| (field.name, field.value)).collect()
        };
        let said = [("ly-do".to_owned(), "Cùng sẹo".to_owned())];
        let typed = "csrf=x&ly-do=C%C3%B9ng+s%E1%BA%B9o&password=y";
        assert_eq!(kept_of("/ho-so-xet/7", typed), said);
        assert_eq!(kept_of("/ho-so-xet/7", "login=a&giu-ly-do=C%C3%B9ng+s%E1%BA%B9o&giu-csrf=x"), said);
        for path in ["/ra", "/ho-so-xet", "/ho-so-xet/", "/ho-so-xet/7/x", "//evil/ho-so-xet/7"] {
            assert!(kept_of(path, typed).is_empty(), "{path}");
        }
    }
}
