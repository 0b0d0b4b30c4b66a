//! Why a record is opened: asked of whoever has no work with the person, before anything of it is shown.

use askama::Template;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use crate::error::Error;
use crate::extract::Path;
use crate::form::form_field;
use crate::frame::page;
use crate::looked;
use crate::pages::{id, not_shown};
use crate::session::Who;
use crate::state::AppState;
use domain::id::PersonId;
use ui::frame::Frame;

/// Characters of the words at most.
const WORDS: usize = 500;
/// Characters that the words need where the choice says nothing.
const FEWEST_WORDS: usize = 5;
/// The reasons to choose from, by their stable codes; the texts are `why.reason.<code>`.
const REASONS: [&str; 5] = ["present", "request", "correction", "inspection", OTHER];
/// The reason that says nothing without words.
const OTHER: &str = "other";

#[derive(Template)]
#[template(path = "reason.html")]
struct Page {
    ui: Frame,
    action: String,
    lead: String,
    choices: Vec<Choice>,
    words: String,
    wrong: &'static str,
}

struct Choice {
    code: &'static str,
    label: &'static str,
    checked: bool,
}

/// What was typed before.
#[derive(Debug, Default)]
pub(crate) struct Typed {
    reason: Option<&'static str>,
    words: String,
    wrong: &'static str,
}

impl Typed {
    fn read(body: &[u8]) -> Typed {
        let field = |name| form_field(body, name).unwrap_or_default();
        let code = field("ly-do");
        let words = field("noi-dung");
        let words = words.trim().chars().filter(|c| !c.is_control() || *c == '\n').take(WORDS).collect();
        Typed { reason: REASONS.into_iter().find(|reason| **reason == code), words, wrong: "" }
    }

    /// The key of what is wrong with it; nothing where it will do.
    fn fault(&self) -> Option<&'static str> {
        match self.reason {
            None => Some("why.none"),
            Some(OTHER) if self.words.chars().count() < FEWEST_WORDS => Some("why.no_words"),
            Some(_) => None,
        }
    }
}

/// The form. It names nobody: what it guards is not shown before it is filled in.
pub(crate) fn ask(ui: Frame, person: PersonId, typed: Typed) -> Result<Response, Error> {
    let minutes = ui.n(&looked::REASON_HOLDS.whole_minutes());
    page(&Page {
        action: format!("/cu-dan/{person}"),
        lead: ui.lang.fill("why.lead", &[("minutes", &minutes)]),
        choices: REASONS
            .map(|code| Choice {
                code,
                label: ui.code("why.reason", code),
                checked: typed.reason == Some(code),
            })
            .into(),
        words: typed.words,
        wrong: typed.wrong,
        ui,
    })
}

/// Takes the reason, and leads to the record.
pub(crate) async fn give(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Path(person_id): Path,
    body: Bytes,
) -> Result<Response, Error> {
    let person: PersonId = id(&person_id)?;
    let mut tx = state.db.scoped(&who.scope).await?;
    let found = store::register::pages::person(&mut tx, person).await?;
    drop(tx);
    let Some(found) = found else { return Err(not_shown(&state, &who, format!("person:{person}")).await) };
    let typed = Typed::read(&body);
    match (typed.fault(), typed.reason) {
        (None, Some(reason)) => {
            looked::say_why(&state, &who, person, &found.unit_path, reason, &typed.words).await?;
            Ok(Redirect::to(&format!("/cu-dan/{person}")).into_response())
        }
        (fault, _) => {
            let wrong = ui.lang.text(fault.unwrap_or("why.none"));
            let drawn = ask(ui, person, Typed { wrong, ..typed })?;
            Ok((StatusCode::BAD_REQUEST, drawn).into_response())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_chosen_and_another_one_has_words() {
        let fault = |body: &str| Typed::read(body.as_bytes()).fault();
        assert_eq!(fault("ly-do=present"), None);
        assert_eq!(fault("ly-do=other&noi-dung=Theo+c%C3%B4ng+v%C4%83n+12"), None);
        assert_eq!(fault("ly-do=other&noi-dung=+x++"), Some("why.no_words"));
        for nothing in ["", "ly-do=", "ly-do=curious", "noi-dung=hello+there"] {
            assert_eq!(fault(nothing), Some("why.none"), "{nothing}");
        }
        let long = format!("ly-do=other&noi-dung={}%00%1b", "a".repeat(2_000));
        assert_eq!(Typed::read(long.as_bytes()).words, "a".repeat(WORDS));
        assert_eq!(Typed::read(b"noi-dung=a%00b").words, "ab");
    }
}
