//! Cases of correction: the list, one case, and the form to open one. Whoever keeps the register, the justice
//! office and the command see those of their unit; the justice office sees nothing else.

pub(crate) mod ask;
pub(crate) mod one;
mod typed;
mod words;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;

use crate::error::Error;
use crate::extract::Query;
use crate::frame::{own_unit, page};
use crate::looked::{self, Look};
use crate::pages::actor::Actors;
use crate::pages::{PageSize, Tab, id};
use crate::session::{Role, Who};
use crate::state::AppState;
use domain::PartialDate;
use domain::id::CorrectionId;
use register::cases::days_late;
use store::register::corrections::pages::{self as rows, Mark, Which};
use ui::format;
use ui::frame::Frame;
use ui::record::name_in_list;

/// The list.
pub(crate) const ADDRESS: &str = "/cai-chinh";
const PAGE: PageSize = PageSize(50);

#[derive(Template)]
#[template(path = "corrections.html")]
struct ListPage {
    ui: Frame,
    tabs: Vec<Tab>,
    cases: Vec<Line>,
    next: Option<String>,
    /// Whether the reader may see what the rules of quality find.
    shows_quality: bool,
}

struct Line {
    href: String,
    name: String,
    born: String,
    fields: String,
    unit: String,
    source: &'static str,
    state: &'static str,
    class: &'static str,
    owner: String,
    opened: String,
    age: String,
    due: String,
    /// How late it is, in words.
    late: String,
}

/// Which of the lists, in the address.
#[derive(Deserialize)]
pub(crate) struct Filter {
    loc: Option<String>,
    /// Where the page before ended.
    sau: Option<String>,
}

const MINE: &str = "cua-toi";
const OVERDUE: &str = "qua-han";
const CLOSED: &str = "xong";

pub(crate) async fn list(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Query(filter): Query<Filter>,
) -> Result<Response, Error> {
    let (me, today, now) = (who.actor().to_string(), state.campaign.today(), state.campaign.now());
    let (which, named) = match filter.loc.as_deref() {
        Some(MINE) => (Which::Mine(&me), MINE),
        Some(OVERDUE) => (Which::Overdue(today), OVERDUE),
        Some(CLOSED) => (Which::Closed, CLOSED),
        _ => (Which::Open, ""),
    };
    let after = filter.sau.as_deref().map(mark_of).transpose()?;
    let mut scoped = state.db.scoped(&who.scope).await?;
    let mut found = rows::list(&mut scoped, which, after, PAGE.asked()).await?;
    let counts = rows::counts(&mut scoped, &me, today).await?;
    drop(scoped);
    let more = PAGE.cut(&mut found);
    let shown = found.iter().map(|line| line.person_id.uuid()).collect();
    looked::note(&state, &who, Look::list(&who, "correction.listed", json!({ "list": named }), shown))
        .await?;
    let actors = Actors::load(&state, found.iter().filter_map(|line| line.owner.as_deref())).await?;
    let tab =
        |href, label, count: i64, of: &str| Tab { href, label, count: ui.n(&count), current: of == named };
    let mut tabs = vec![
        tab(ADDRESS, ui.t("correction.list.open"), counts[0], ""),
        tab("/cai-chinh?loc=cua-toi", ui.t("correction.list.mine"), counts[1], MINE),
        tab("/cai-chinh?loc=qua-han", ui.t("correction.list.overdue"), counts[2], OVERDUE),
        tab("/cai-chinh?loc=xong", ui.t("correction.list.closed"), counts[3], CLOSED),
    ];
    // A case has its owner in the justice office.
    if who.role != Role::Justice {
        tabs.retain(|tab| !tab.href.ends_with(MINE));
    }
    let line = |line: &rows::CaseLine| {
        let fields: Vec<&str> = line.fields.iter().map(|field| ui::record::label(ui.lang, *field)).collect();
        let born = line.birth.and_then(|day| PartialDate::from_packed(day).ok());
        let elsewhere = || ui.t("correction.elsewhere").to_owned();
        Line {
            href: format!("{ADDRESS}/{}", line.case_id),
            name: line.name.as_deref().map_or_else(elsewhere, name_in_list),
            born: born.map(|day| day.to_string()).unwrap_or_default(),
            fields: fields.join(", "),
            unit: own_unit(&state, &line.unit_path),
            source: ui.code("correction.source", line.source.code()),
            state: ui.code("correction.state", line.state.code()),
            class: words::class(line.state),
            owner: line.owner.as_deref().map(|owner| actors.name(ui.lang, owner)).unwrap_or_default(),
            opened: format::date(domain::clock::day_in_vietnam(line.opened_at)),
            age: format::age(ui.lang, line.opened_at, line.closed_at.unwrap_or(now)),
            due: line.due_on.map(format::date).unwrap_or_default(),
            late: if line.state.is_open() {
                words::late(&ui, days_late(line.due_on, today))
            } else {
                String::new()
            },
        }
    };
    let cases = found.iter().map(line).collect();
    let next = found.last().filter(|_| more).map(|last| {
        format!("{ADDRESS}?loc={named}&sau={}.{}", last.opened_at.unix_timestamp_nanos(), last.case_id)
    });
    let shows_quality = matches!(who.role, Role::Clerk | Role::Commander);
    page(&ListPage { tabs, cases, next, shows_quality, ui })
}

/// Where a page ended: the instant of the opening, and the case.
fn mark_of(text: &str) -> Result<Mark, Error> {
    let (at, case) = text.split_once('.').ok_or(Error::NotFound)?;
    let at: i128 = at.parse().map_err(|_| Error::NotFound)?;
    let at = OffsetDateTime::from_unix_timestamp_nanos(at).map_err(|_| Error::NotFound)?;
    Ok((at, id::<CorrectionId>(case)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_begins_where_the_one_before_ended() {
        let case = CorrectionId::from_uuid(uuid::Uuid::from_u128(7));
        let at = time::macros::datetime!(2021-07-05 08:00:00.123456 UTC);
        let found = mark_of(&format!("{}.{case}", at.unix_timestamp_nanos())).unwrap();
        assert_eq!(found, (at, case));
        for bad in ["", "1", "x.y", &format!("{}.{case}", i128::MAX), "5.x"] {
            assert!(mark_of(bad).is_err(), "{bad}");
        }
    }
}
