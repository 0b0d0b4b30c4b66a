//! What a commander looks after: whose day of looking was unusual, which is a list to ask about and no
//! judgement; packets that were set aside; kits and officers' credentials; and the trail.

pub(crate) mod kits;
pub(crate) mod packets;
pub(crate) mod trail;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use time::{Date, Duration};

use crate::error::Error;
use crate::extract::Query;
use crate::form::percent_encode;
use crate::frame::page;
use crate::pages::worklist::parse_day;
use crate::pages::{Tab, note_read};
use crate::session::Who;
use crate::state::AppState;
use ui::format;
use ui::frame::Frame;
use ui::i18n::Lang;

#[derive(Template)]
#[template(path = "supervision.html")]
struct Page {
    ui: Frame,
    tabs: Vec<Tab>,
    day: String,
    previous: String,
    next: Option<String>,
    lines: Vec<Line>,
}

struct Line {
    what: &'static str,
    /// The rows of the trail that the line counts.
    href: String,
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
    let lines = found.iter().map(|unusual| line(ui.lang, unusual, day)).collect();
    let tabs = tabs(&state, &who, &ui, LOOKING).await?;
    let link = |day| format!("/giam-sat?ngay={day}");
    page(&Page {
        day: format::date(day),
        previous: link(day - Duration::DAY),
        next: (day < today).then(|| link(day + Duration::DAY)),
        lines,
        tabs,
        ui,
    })
}

/// Where the pages of supervision are.
const LOOKING: &str = "/giam-sat";
pub(crate) const PACKETS: &str = "/giam-sat/goi-cach-ly";
const KITS: &str = "/giam-sat/may-thu-nhan";
const TRAIL: &str = "/giam-sat/nhat-ky";

/// The pages of supervision, each with how much waits there.
async fn tabs(state: &AppState, who: &Who, ui: &Frame, current: &'static str) -> Result<Vec<Tab>, Error> {
    let set_aside = enrol::intake::quarantine::counts(&state.db, &who.scope).await?;
    let set_aside: i64 = set_aside.iter().map(|(_, count)| count).sum();
    let kits = enrol::roster::waiting_in(&state.db, state.units(), &who.scope).await?;
    let tab = |href, label, count: Option<i64>| Tab {
        href,
        label: ui.t(label),
        count: count.map(|count| ui.n(&count)).unwrap_or_default(),
        current: href == current,
    };
    Ok(vec![
        tab(PACKETS, "supervision.tab.packets", Some(set_aside)),
        tab(KITS, "supervision.tab.kits", i64::try_from(kits).ok()),
        tab(LOOKING, "supervision.tab.looking", None),
        tab(TRAIL, "supervision.tab.trail", None),
    ])
}

/// Which rows of the trail a line counts.
fn rows_of(unusual: &report::Unusual, day: Date) -> String {
    let day = day.to_string();
    let (by, action) = match unusual.anomaly {
        report::Anomaly::Quota => ("ai", "quota"),
        report::Anomaly::Shown | report::Anomaly::Outside => ("ai", ""),
        report::Anomaly::WithoutWork => ("ai", "person.reason"),
        report::Anomaly::Searches => ("ai", "people.searched"),
        report::Anomaly::Refused => ("doi-tuong", "sign_in.failed"),
    };
    format!("{TRAIL}?{by}={}&viec={action}&tu={day}&den={day}", percent_encode(&unusual.who))
}

fn line(lang: Lang, unusual: &report::Unusual, day: Date) -> Line {
    let role = lang.find(&format!("role.{}", unusual.role));
    Line {
        what: lang.text(&format!("anomaly.{}", unusual.anomaly.code())),
        href: rows_of(unusual, day),
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
