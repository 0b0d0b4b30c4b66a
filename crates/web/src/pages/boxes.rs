//! Boxes of cards: those on their way to the reader's units, those with something missing, and what is in
//! one.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use crate::error::Error;
use crate::extract::{Path, Query};
use crate::frame::{page, unit_name};
use crate::pages::people::{named, state_class};
use crate::pages::units::code_of;
use crate::pages::{PageSize, Tab, id, not_shown, note_read};
use crate::session::Who;
use crate::state::AppState;
use domain::id::ConsignmentId;
use store::UnitScope;
use store::boxes::pages::BoxItem;
use store::boxes::pages::BoxRow;
use store::boxes::pages::BoxStage;
use ui::format;
use ui::frame::Frame;
use ui::i18n::Lang;

const PAGE: PageSize = PageSize(100);
/// Cards on one page of a box, so that it stays light on a poor line.
const MOST_CARDS: PageSize = PageSize(200);

#[derive(Template)]
#[template(path = "boxes.html")]
struct ListPage {
    ui: Frame,
    tabs: Vec<Tab>,
    boxes: Vec<BoxLine>,
    cut_off: bool,
}

struct BoxLine {
    href: String,
    to: String,
    from: String,
    sent: String,
    size: String,
    state: String,
    class: &'static str,
    counted: String,
}

#[derive(Template)]
#[template(path = "box.html")]
struct OnePage {
    ui: Frame,
    line: BoxLine,
    cards: Vec<CardLine>,
    next: Option<String>,
}

struct CardLine {
    number: String,
    href: String,
    name: String,
    unit: String,
    arrival: &'static str,
    arrival_class: &'static str,
    state: &'static str,
    state_class: &'static str,
}

#[derive(Deserialize)]
pub(crate) struct Filter {
    xem: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Skip {
    /// How many cards to leave out.
    tu: Option<i64>,
}

/// The codes of the units that a reader's boxes go to; `None` is every unit.
fn places(state: &AppState, scope: &UnitScope) -> Option<Vec<String>> {
    let own = code_of(scope.as_str())?;
    let mut codes = vec![own];
    let mut next = 0;
    while let Some(&code) = codes.get(next) {
        codes.extend(state.units().children(code));
        next += 1;
    }
    Some(codes.iter().map(ToString::to_string).collect())
}

pub(crate) async fn list(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Query(filter): Query<Filter>,
) -> Result<Response, Error> {
    let stage = match filter.xem.as_deref() {
        Some("thieu") => BoxStage::Missing,
        Some("tat-ca") => BoxStage::All,
        _ => BoxStage::OnTheWay,
    };
    let places = places(&state, &who.scope);
    let mut conn = state.db.read().await?;
    let mut rows = store::boxes::pages::boxes(&mut conn, places.as_deref(), stage, PAGE.asked()).await?;
    let (way, missing, all) = store::boxes::pages::box_counts(&mut conn, places.as_deref()).await?;
    drop(conn);
    let cut_off = PAGE.cut(&mut rows);
    let tab = |href, label, count: i64, of| Tab { href, label, count: ui.n(&count), current: stage == of };
    page(&ListPage {
        tabs: vec![
            tab("/giao-nhan", ui.t("boxes.on_the_way"), way, BoxStage::OnTheWay),
            tab("/giao-nhan?xem=thieu", ui.t("boxes.missing"), missing, BoxStage::Missing),
            tab("/giao-nhan?xem=tat-ca", ui.t("boxes.all"), all, BoxStage::All),
        ],
        boxes: rows.iter().map(|row| box_line(&state, ui.lang, row)).collect(),
        cut_off,
        ui,
    })
}

fn box_line(state: &AppState, lang: Lang, row: &BoxRow) -> BoxLine {
    let (text, class) = match row.received {
        None => (lang.text("boxes.state.on_the_way").to_owned(), "way"),
        Some(received) if received < row.size => {
            let missing = format::count(lang, i64::from(row.size - received));
            (lang.fill("boxes.state.missing", &[("n", &missing)]), "late")
        }
        Some(_) => (lang.text("boxes.state.complete").to_owned(), "good"),
    };
    BoxLine {
        href: format!("/giao-nhan/{}", row.consignment_id),
        to: unit_name(state, &row.to_code),
        from: match row.from_code.as_str() {
            "centre" => lang.text("actor.centre").to_owned(),
            code => unit_name(state, code),
        },
        sent: format::moment(row.sent_at),
        size: format::count(lang, i64::from(row.size)),
        state: text,
        class,
        counted: row.received_at.map(format::moment).unwrap_or_default(),
    }
}

pub(crate) async fn show(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Path(consignment_id): Path,
    Query(skip): Query<Skip>,
) -> Result<Response, Error> {
    let consignment_id: ConsignmentId = id(&consignment_id)?;
    let subject = format!("consignment:{consignment_id}");
    let mut conn = state.db.read().await?;
    let found = store::boxes::pages::one_box(&mut conn, consignment_id).await?;
    let path = |row: &BoxRow| row.to_code.parse().ok().and_then(|code| state.units().path(code));
    let seen = found.and_then(|row| Some((path(&row).filter(|path| who.scope.covers(path))?, row)));
    let Some((path, row)) = seen else {
        drop(conn);
        return Err(not_shown(&state, &who, subject).await);
    };
    let contents = store::boxes::pages::box_contents(&mut conn, consignment_id).await?;
    drop(conn);
    let skip = skip.tu.unwrap_or(0).max(0);
    let mut tx = state.db.scoped(&who.scope).await?;
    let mut items = store::boxes::pages::box_items(&mut tx, &contents, skip, MOST_CARDS.asked()).await?;
    drop(tx);
    note_read(&state, &who, "consignment.read", subject, &path, Vec::new()).await?;
    let next = MOST_CARDS
        .cut(&mut items)
        .then(|| format!("/giao-nhan/{consignment_id}?tu={}", skip + items.len() as i64));
    page(&OnePage {
        line: box_line(&state, ui.lang, &row),
        cards: items.iter().map(|item| card_line(&state, ui.lang, item)).collect(),
        next,
        ui,
    })
}

fn card_line(state: &AppState, lang: Lang, item: &BoxItem) -> CardLine {
    let (arrival, arrival_class) = match item.received {
        None => ("boxes.item.on_the_way", "way"),
        Some(true) => ("boxes.item.arrived", "good"),
        Some(false) => ("boxes.item.missing", "late"),
    };
    CardLine {
        number: item.number.clone().unwrap_or_default(),
        href: format!("/ho-so/{}", item.application_id),
        name: named(lang, item.name.as_deref()),
        unit: unit_name(state, &item.unit_code),
        arrival: lang.text(arrival),
        arrival_class,
        state: lang.text(&format!("state.{}", item.state)),
        state_class: state_class(&item.state),
    }
}
