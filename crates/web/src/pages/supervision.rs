//! Whose day of looking was unusual, for the commander of the unit: a list to ask about, and no judgement.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use time::Duration;

use crate::error::Error;
use crate::extract::Query;
use crate::frame::page;
use crate::pages::note_read;
use crate::pages::worklist::parse_day;
use crate::session::Who;
use crate::state::AppState;
use ui::format;
use ui::frame::Frame;
use ui::i18n::Lang;

#[derive(Template)]
#[template(path = "supervision.html")]
struct Page {
    ui: Frame,
    day: String,
    previous: String,
    next: Option<String>,
    lines: Vec<Line>,
}

struct Line {
    what: &'static str,
    who: String,
    role: String,
    count: String,
    usual: String,
}

#[derive(Deserialize)]
pub(crate) struct When {
    /// yyyy-mm-dd.
    ngay: Option<String>,
}

pub(crate) async fn show(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Query(when): Query<When>,
) -> Result<Response, Error> {
    // The trail is of the machine's days, also where a campaign was simulated in another year.
    let today = state.clock.today();
    let day = when.ngay.as_deref().and_then(parse_day).unwrap_or(today);
    let mut conn = state.db.read().await?;
    let found = report::anomalies(&mut conn, &who.scope, day).await?;
    drop(conn);
    note_read(&state, &who, "supervision.read", format!("day:{day}"), who.scope.as_str(), Vec::new()).await?;
    let lines = found.iter().map(|unusual| line(ui.lang, unusual)).collect();
    let link = |day| format!("/giam-sat?ngay={day}");
    page(&Page {
        day: format::date(day),
        previous: link(day - Duration::DAY),
        next: (day < today).then(|| link(day + Duration::DAY)),
        lines,
        ui,
    })
}

fn line(lang: Lang, unusual: &report::Unusual) -> Line {
    let role = lang.find(&format!("role.{}", unusual.role));
    Line {
        what: lang.text(&format!("anomaly.{}", unusual.anomaly.code())),
        who: unusual.who.clone(),
        role: role.unwrap_or_default().to_owned(),
        count: format::count(lang, unusual.count),
        usual: unusual.usual.map(|usual| format::count(lang, usual)).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_unusual_has_words() {
        for lang in [Lang::Vi, Lang::En] {
            let mut words: Vec<&str> =
                report::Anomaly::ALL.map(|a| lang.text(&format!("anomaly.{}", a.code()))).into();
            words.sort_unstable();
            words.dedup();
            assert_eq!(words.len(), report::Anomaly::ALL.len());
        }
    }
}
