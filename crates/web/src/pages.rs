//! The pages: each reads, puts what it read into the words and numbers of its template, and decides nothing.

pub(crate) mod actor;
pub(crate) mod applications;
pub(crate) mod boxes;
pub(crate) mod cards;
pub(crate) mod cases;
pub(crate) mod check;
pub(crate) mod choices;
pub(crate) mod corrections;
pub(crate) mod dashboard;
pub(crate) mod events;
pub(crate) mod evidence;
pub(crate) mod health;
pub(crate) mod imports;
pub(crate) mod kit;
pub(crate) mod people;
pub(crate) mod problem;
pub(crate) mod quality;
pub(crate) mod rearranged;
pub(crate) mod reason;
pub(crate) mod record;
pub(crate) mod sign_in;
pub(crate) mod supervision;
pub(crate) mod track;
pub(crate) mod units;
pub(crate) mod worklist;

use axum::response::Redirect;

use uuid::Uuid;

use crate::error::Error;
use crate::looked::{self, Look};
use crate::session::Who;
use crate::state::AppState;
use store::PgConnection;
use ui::format;
use ui::i18n::Lang;

/// The page that the reader's role begins with.
pub(crate) async fn home(who: Who) -> Redirect {
    Redirect::to(who.role.home())
}

/// `part` of `whole` as per cent, cut off as [`report::share_tenths`] does; nothing where there is no whole.
pub(crate) fn share(lang: Lang, part: i64, whole: i64) -> String {
    if whole <= 0 { String::new() } else { format::percent(lang, report::share_tenths(part, whole)) }
}

/// Ends a reading: writes its audit row, before anything is shown.
pub(crate) async fn note_read(
    state: &AppState,
    who: &Who,
    action: &'static str,
    subject: String,
    unit_path: &str,
    things: Vec<Uuid>,
) -> Result<(), Error> {
    let question = serde_json::json!({});
    looked::note(state, who, Look { action, subject, unit_path, question, things }).await
}

/// For what the reader's scope does not show: an audit row, and the answer for what does not exist.
pub(crate) async fn not_shown(state: &AppState, who: &Who, subject: String) -> Error {
    match crate::session::deny(state, who, subject).await {
        Ok(()) => Error::NotFound,
        Err(error) => error,
    }
}

/// One of several views of a list, with how many it holds.
pub(crate) struct Tab {
    pub href: &'static str,
    pub label: &'static str,
    pub count: String,
    pub current: bool,
}

/// How many rows a page shows.
#[derive(Clone, Copy)]
pub(crate) struct PageSize(pub usize);

impl PageSize {
    /// For the query: one row more than is shown, which tells whether there are more.
    pub fn asked(self) -> i64 {
        self.0 as i64 + 1
    }

    /// Leaves the rows that are shown. Whether there were more.
    pub fn cut<T>(self, rows: &mut Vec<T>) -> bool {
        let more = rows.len() > self.0;
        rows.truncate(self.0);
        more
    }
}

/// An id in a path that is not an id names nothing.
pub(crate) fn id<T: std::str::FromStr>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| Error::NotFound)
}

/// The database answers within the pool's own limit of waiting.
pub(crate) async fn ping(conn: &mut PgConnection) -> Result<(), Error> {
    Ok(store::ping(conn).await?)
}
