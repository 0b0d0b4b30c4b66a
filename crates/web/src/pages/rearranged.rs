//! Units that change, for the commander: which changes there are and how far they have come here, what one
//! would do, and whom somebody must ask in which part of a divided unit they live. What is done is
//! `register::units`'s.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use askama::Template;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::json;
use time::Date;
use uuid::Uuid;

use crate::error::Error;
use crate::extract::Query;
use crate::form::form_field;
use crate::frame::page;
use crate::looked::{self, Look};
use crate::pages::{PageSize, id};
use crate::session::Who;
use crate::state::AppState;
use domain::UnitCode;
use domain::unit::{UnitTable, Units};
use register::units::{self, Answer, Change, candidates};
use store::register::rearranged::waiting::{self, Residence, Waiting};
use store::register::rearranged::{self, ChangeRow, OldUnit};
use ui::format;
use ui::frame::Frame;
use ui::place;

/// Where the page is.
pub(crate) const PATH: &str = "/don-vi/thay-doi";
const PAGE: PageSize = PageSize(50);

#[derive(Template)]
#[template(path = "rearranged.html")]
struct ChangesPage {
    ui: Frame,
    message: &'static str,
    refusal: &'static str,
    changes: Vec<ChangeLine>,
    preview: Option<PreviewPart>,
    /// Old units of the reader's that wait for somebody: a successor, or answers.
    offices: Vec<OfficeLine>,
    action: &'static str,
    people: Vec<PersonLine>,
    next: Option<String>,
}

struct ChangeLine {
    day: String,
    decree: String,
    state: &'static str,
    class: &'static str,
    progress: String,
    moved: String,
    asked: String,
    look: Option<String>,
}

struct PreviewPart {
    day: String,
    people: String,
    whole: String,
    divided: String,
    by_hamlet: String,
    ask: String,
    campaign: bool,
    lines: Vec<DividedLine>,
}

struct DividedLine {
    name: String,
    parts: String,
    people: String,
    by_hamlet: String,
    ask: String,
}

struct OfficeLine {
    name: String,
    people: String,
    asked: String,
    has_successor: bool,
}

struct PersonLine {
    id: String,
    href: String,
    name: String,
    residence: &'static str,
    residence_code: String,
    address: String,
    from: String,
    parts: Vec<(String, String)>,
}

/// What is asked for.
#[derive(Deserialize, Default)]
pub(crate) struct Asked {
    /// The day of the change that is looked at beforehand.
    xem: Option<String>,
    /// Where the page before ended.
    sau: Option<String>,
    /// That an answer was taken.
    kq: Option<String>,
}

pub(crate) async fn show(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Query(asked): Query<Asked>,
) -> Result<Response, Error> {
    let message = if asked.kq.as_deref() == Some("1") { ui.t("rearranged.answered") } else { "" };
    draw(&state, &who, ui, &asked, (message, "")).await
}

/// Takes an answer: in which new unit somebody lives.
pub(crate) async fn answer(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    body: Bytes,
) -> Result<Response, Error> {
    let field = |name| form_field(&body, name).unwrap_or_default();
    let person = id(&field("nguoi"))?;
    let residence =
        Residence::from_code(&field("noi")).ok_or(Error::BadForm("the form names no residence"))?;
    let refuse = async |ui: Frame, status: StatusCode, key: &'static str| {
        let refusal = ui.t(key);
        let drawn = draw(&state, &who, ui, &Asked::default(), ("", refusal)).await?;
        Ok((status, drawn).into_response())
    };
    let Ok(to) = field("don-vi").parse::<UnitCode>() else {
        return refuse(ui, StatusCode::BAD_REQUEST, "rearranged.refusal.none").await;
    };
    // When the centre learned of it is real time, whatever campaign is simulated here.
    let (actor, now) = (who.actor(), state.clock.now());
    let answer = Answer { scope: &who.scope, actor: &actor, now, person, residence, to };
    match units::settle_person(&state.db, &answer).await {
        Ok(()) => Ok(Redirect::to(&format!("{PATH}?kq=1")).into_response()),
        Err(units::Error::NoQuestion) => refuse(ui, StatusCode::CONFLICT, "rearranged.refusal.over").await,
        Err(units::Error::NotAPart { .. }) => {
            refuse(ui, StatusCode::BAD_REQUEST, "rearranged.refusal.part").await
        }
        Err(units::Error::Refused { .. }) => {
            refuse(ui, StatusCode::CONFLICT, "rearranged.refusal.record").await
        }
        Err(error) => Err(error.into()),
    }
}

async fn draw(
    state: &AppState,
    who: &Who,
    ui: Frame,
    asked: &Asked,
    (message, refusal): (&'static str, &'static str),
) -> Result<Response, Error> {
    let mut conn = state.db.read().await?;
    let begun = rearranged::changes(&mut conn).await?;
    let mut of_unit: HashMap<Date, Vec<OldUnit>> = HashMap::new();
    for change in &begun {
        let units = rearranged::old_units(&mut conn, change.effective_on, who.scope.as_str()).await?;
        of_unit.insert(change.effective_on, units);
    }
    drop(conn);
    let mut scoped = state.db.scoped(&who.scope).await?;
    let after = asked.sau.as_deref().map(mark_of).transpose()?;
    let after = after.as_ref().map(|(from, name, id)| (from.as_str(), name.as_str(), *id));
    let mut found = waiting::open(&mut scoped, PAGE.asked(), after).await?;
    drop(scoped);
    let more = PAGE.cut(&mut found);
    let things = found.iter().map(|row| row.person_id).collect();
    looked::note(state, who, Look::list(who, "register.units_waiting", json!({}), things)).await?;
    // Neighbours on the list come from one old unit.
    let mut parts: HashMap<(Date, UnitCode), Vec<UnitCode>> = HashMap::new();
    let mut people = Vec::with_capacity(found.len());
    for row in &found {
        let from: UnitCode = row.from_code.parse().map_err(|_| Error::NotFound)?;
        let key = (row.effective_on, from);
        if let Entry::Vacant(place) = parts.entry(key) {
            let mut conn = state.db.read().await?;
            place.insert(candidates(&mut conn, row.effective_on, from).await?);
        }
        people.push(person_line(&ui, row, from, &parts[&key]));
    }
    let next = found.last().filter(|_| more).map(|last| {
        format!(
            "{PATH}?sau={}.{}.{}",
            last.from_code,
            last.person_id,
            domain::text::fold_ascii(&last.full_name)
        )
    });
    let [_, days @ ..] = UnitTable::first_days();
    let offices = begun.last().and_then(|last| of_unit.get(&last.effective_on));
    page(&ChangesPage {
        message,
        refusal,
        changes: days
            .iter()
            .map(|day| {
                let change = begun.iter().find(|one| one.effective_on == *day);
                change_line(&ui, *day, change, of_unit.get(day).map_or(&[][..], Vec::as_slice))
            })
            .collect(),
        preview: preview(state, who, &ui, asked).await?,
        offices: begun.last().zip(offices).map_or_else(Vec::new, |(change, units)| {
            let left = units.iter().filter(|unit| unit.successor.is_none() || unit.asked > 0);
            left.map(|unit| office_line(&ui, change.effective_on, unit)).collect()
        }),
        action: PATH,
        people,
        next: next.map(|href| href.replace(' ', "%20")),
        ui,
    })
}

fn change_line(ui: &Frame, day: Date, change: Option<&ChangeRow>, units: &[OldUnit]) -> ChangeLine {
    let (state, class) = match change {
        None => ("rearranged.state.ahead", "wait"),
        Some(ChangeRow { finished_at: None, .. }) => ("rearranged.state.running", "wait"),
        Some(_) => ("rearranged.state.finished", "good"),
    };
    let done = units.iter().filter(|unit| unit.finished_at.is_some()).count();
    let sum = |of: fn(&OldUnit) -> i64| ui.n(&units.iter().map(of).sum::<i64>());
    ChangeLine {
        day: format::date(day),
        decree: change.map(|change| change.decree.clone()).unwrap_or_default(),
        state: ui.t(state),
        class,
        progress: format!("{} / {}", ui.n(&(done as i64)), ui.n(&(units.len() as i64))),
        moved: sum(|unit| unit.moved),
        asked: sum(|unit| unit.asked),
        look: change.is_none().then(|| format!("{PATH}?xem={day}#xem-truoc")),
    }
}

/// What a change would do to the reader's unit.
async fn preview(
    state: &AppState,
    who: &Who,
    ui: &Frame,
    asked: &Asked,
) -> Result<Option<PreviewPart>, Error> {
    let Some(day) = asked.xem.as_deref() else { return Ok(None) };
    let day = crate::pages::worklist::parse_day(day).ok_or(Error::NotFound)?;
    let change = Change::shipped(day).map_err(|_| Error::NotFound)?;
    let found = units::preview(&state.db, &change, &who.scope).await?;
    let number = |of: u64| ui.n(&i64::try_from(of).unwrap_or(i64::MAX));
    let line = |unit: &units::UnitPreview| DividedLine {
        name: own(change.before, unit.code),
        parts: unit.successors.iter().map(|to| own(change.after, *to)).collect::<Vec<_>>().join(", "),
        people: number(unit.people),
        by_hamlet: number(unit.by_hamlet),
        ask: number(unit.ask),
    };
    Ok(Some(PreviewPart {
        day: format::date(day),
        people: number(found.people()),
        whole: number((found.units.len() - found.divided()) as u64),
        divided: number(found.divided() as u64),
        by_hamlet: number(found.by_hamlet()),
        ask: number(found.ask()),
        campaign: !found.campaigns.is_empty(),
        lines: found.units.iter().filter(|unit| unit.is_divided()).map(line).collect(),
    }))
}

fn own(units: Units<'_>, code: UnitCode) -> String {
    place::at_head(&place::own(units, &code.to_string()))
}

fn before(day: Date) -> Units<'static> {
    UnitTable::official().on(day.previous_day().unwrap_or(day))
}

fn office_line(ui: &Frame, day: Date, unit: &OldUnit) -> OfficeLine {
    OfficeLine {
        name: place::at_head(&place::full(before(day), &unit.code)),
        people: ui.n(&unit.people),
        asked: ui.n(&unit.asked),
        has_successor: unit.successor.is_some(),
    }
}

fn person_line(ui: &Frame, row: &Waiting, from: UnitCode, parts: &[UnitCode]) -> PersonLine {
    let after = UnitTable::official().on(row.effective_on);
    PersonLine {
        id: row.person_id.to_string(),
        href: format!("/cu-dan/{}", row.person_id),
        name: row.full_name.clone(),
        residence: ui.code("field", &row.part),
        residence_code: row.part.clone(),
        address: row.detail.clone().unwrap_or_default(),
        from: own(before(row.effective_on), from),
        parts: parts.iter().map(|to| (to.to_string(), own(after, *to))).collect(),
    }
}

/// Where a page ended: the old unit, the person, and the name as it is sorted.
fn mark_of(text: &str) -> Result<(String, String, Uuid), Error> {
    let mut parts = text.splitn(3, '.');
    let (Some(from), Some(person), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Error::NotFound);
    };
    from.parse::<UnitCode>().map_err(|_| Error::NotFound)?;
    Ok((from.to_owned(), name.to_owned(), id(person)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_begins_where_the_one_before_ended() {
        let person = Uuid::from_u128(7);
        let (from, name, found) = mark_of(&format!("18796.{person}.NGUYEN THI HOA")).unwrap();
        assert_eq!((from.as_str(), name.as_str(), found), ("18796", "NGUYEN THI HOA", person));
        for bad in ["", "18796", "x.y.z", &format!("1.{person}.A")] {
            assert!(mark_of(bad).is_err(), "{bad}");
        }
    }
}
