//! Today's invitations of a unit, slot by slot: for an officer with the people, for a commander with their
//! numbers.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use time::{Date, Duration};
use uuid::Uuid;

use crate::error::Error;
use crate::extract::Query;
use crate::frame::page;
use crate::looked::{self, Look};
use crate::pages::PageSize;
use crate::session::{Role, Who};
use crate::state::AppState;
use domain::PartialDate;
use store::plan::pages::InvitedSeat;
use ui::format;
use ui::frame::Frame;
use ui::record::name_in_list;

/// Seats of one day: a district with forty kits has some seven thousand.
const MOST_SEATS: PageSize = PageSize(10_000);
/// People on one page, so that it stays light on a poor line.
const MOST_PEOPLE: usize = 240;
const MOST_SLOTS: PageSize = PageSize(240);

#[derive(Template)]
#[template(path = "worklist.html")]
struct Page {
    ui: Frame,
    day: String,
    previous: String,
    next: String,
    is_today: bool,
    invited: String,
    attended: String,
    missed: String,
    slots: Vec<Slot>,
    with_people: bool,
    cut_off: bool,
}

struct Slot {
    time: String,
    site: String,
    shift: String,
    counts: String,
    seats: Vec<Seat>,
}

struct Seat {
    number: String,
    href: Option<String>,
    name: String,
    birth: String,
    state: &'static str,
    class: &'static str,
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
    let today = state.campaign.today();
    let mut conn = state.db.read().await?;
    let day = match when.ngay.as_deref().and_then(parse_day) {
        Some(day) => day,
        None => store::plan::pages::nearest_slot_day(&mut conn, &who.scope, today).await?.unwrap_or(today),
    };
    let mut seats = store::plan::pages::invited_on(&mut conn, &who.scope, day, MOST_SEATS.asked()).await?;
    drop(conn);
    let mut cut_off = MOST_SEATS.cut(&mut seats);
    let with_people = who.role == Role::Officer;
    let question = json!({ "day": day.to_string(), "people": with_people });
    let shown = match with_people {
        true => seats.iter().take(MOST_PEOPLE).map(|seat| seat.person_id).collect(),
        false => Vec::new(),
    };
    looked::note(&state, &who, Look::list(&who, "worklist.listed", question, shown)).await?;
    let count = |state: &str| ui.n(&(seats.iter().filter(|seat| seat.state == state).count() as i64));
    let (attended, missed) = (count("attended"), count("missed"));
    let invited = ui.n(&(seats.len() as i64));
    let names = if with_people {
        let ids: Vec<Uuid> = seats.iter().take(MOST_PEOPLE).map(|seat| seat.person_id).collect();
        let mut tx = state.db.scoped(&who.scope).await?;
        let names = store::register::pages::names(&mut tx, &ids).await?;
        drop(tx);
        cut_off |= seats.len() > MOST_PEOPLE;
        names
    } else {
        BTreeMap::new()
    };
    let mut slots = slots(&ui, &seats, with_people.then_some(&names));
    cut_off |= MOST_SLOTS.cut(&mut slots);
    page(&Page {
        day: format::date(day),
        previous: link(day.saturating_sub(Duration::days(1))),
        next: link(day.saturating_add(Duration::days(1))),
        is_today: day == today,
        invited,
        attended,
        missed,
        slots,
        with_people,
        cut_off,
        ui,
    })
}

fn slots(ui: &Frame, seats: &[InvitedSeat], names: Option<&BTreeMap<Uuid, (String, i32)>>) -> Vec<Slot> {
    let mut shown = 0;
    seats
        .chunk_by(|a, b| a.slot_id == b.slot_id)
        .map(|slot| {
            let first = &slot[0];
            let end = first.starts_at + Duration::minutes(i64::from(first.minutes));
            let present = slot.iter().filter(|seat| seat.state == "attended").count();
            let values: &[(&str, &str)] = &[
                ("present", &ui.n(&(present as i64))),
                ("invited", &ui.n(&(slot.len() as i64))),
                ("capacity", &ui.n(&i64::from(first.capacity))),
            ];
            let left = MOST_PEOPLE - shown;
            let people =
                names.map(|names| slot.iter().take(left).map(|s| seat(ui, s, names)).collect::<Vec<_>>());
            let seats = people.unwrap_or_default();
            shown += seats.len();
            Slot {
                time: format!("{}–{}", format::clock_time(first.starts_at), format::clock_time(end)),
                site: first.site.clone(),
                shift: ui.lang.fill("worklist.shift", &[("n", &first.shift.to_string())]),
                counts: ui.lang.fill("worklist.counts", values),
                seats,
            }
        })
        .collect()
}

fn seat(ui: &Frame, seat: &InvitedSeat, names: &BTreeMap<Uuid, (String, i32)>) -> Seat {
    let person = names.get(&seat.person_id);
    Seat {
        number: seat.seat.to_string(),
        href: person.map(|_| format!("/cu-dan/{}", seat.person_id)),
        name: person.map_or_else(|| ui.t("worklist.moved").to_owned(), |(name, _)| name_in_list(name)),
        birth: person
            .and_then(|(_, birth)| PartialDate::from_packed(*birth).ok())
            .map(|birth| birth.to_string())
            .unwrap_or_default(),
        state: ui.code("invitation", &seat.state),
        class: match seat.state.as_str() {
            "attended" => "good",
            "missed" => "late",
            "invited" => "way",
            _ => "",
        },
    }
}

fn link(day: Date) -> String {
    format!("/lich-moi?ngay={:04}-{:02}-{:02}", day.year(), day.month() as u8, day.day())
}

/// A day as a link has it; `None` for what is none of this century or the next.
pub(crate) fn parse_day(text: &str) -> Option<Date> {
    let format = time::macros::format_description!("[year]-[month]-[day]");
    Date::parse(text, format).ok().filter(|day| (2000..2200).contains(&day.year()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn a_day_is_read_as_it_is_linked() {
        assert_eq!(link(date!(2021 - 04 - 06)), "/lich-moi?ngay=2021-04-06");
        assert_eq!(parse_day("2021-04-06"), Some(date!(2021 - 04 - 06)));
        for bad in ["", "2021-02-30", "9999-12-31", "06/04/2021", "-9999-01-01"] {
            assert_eq!(parse_day(bad), None, "{bad}");
        }
    }
}
