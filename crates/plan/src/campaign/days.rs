//! The days of a campaign: who comes, who came, who is invited again.

use std::collections::{BTreeMap, HashMap};

use serde_json::json;
use time::{Date, Duration, OffsetDateTime, Time};

use super::{NOTICE_DAYS, note};
use crate::schedule::{self, Demand, ShiftCalendar};
use crate::seating::Guest;
use crate::{Error, apply};
use domain::clock::{VIETNAM, day_in_vietnam};
use domain::id::{KitId, PersonId};
use domain::profile::Profile;
use domain::unit::Units;
use domain::{Actor, ResidentRecord, UnitCode};
use store::applications::kits;
use store::plan::campaigns::{self as rows, CampaignRow};
use store::register::people;
use store::{Database, PgConnection, UnitScope};

/// One invited person of a day, as the team's list has it.
#[derive(Debug, Clone)]
pub struct Invitee {
    /// Where and when.
    pub seat: store::plan::Expected,
    /// The kit's name.
    pub kit: String,
    /// The form that brought the person into the register.
    pub form: String,
    /// The record as it stands in the register.
    pub record: ResidentRecord,
}

/// Everyone invited for a day, by kit, time and seat, with their records. That somebody read them is a row of
/// the audit trail.
///
/// # Errors
/// Those of the database.
pub async fn guests(
    db: &Database,
    campaign: &CampaignRow,
    day: Date,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<Vec<Invitee>, Error> {
    let mut tx = db.begin().await?;
    let seats = store::plan::expected_on(&mut tx, &campaign.unit_path, day).await?;
    let ids: Vec<PersonId> = seats.iter().map(|seat| seat.person_id).collect();
    let mut records: HashMap<PersonId, ResidentRecord> =
        people::records(&mut tx, &ids).await?.into_iter().collect();
    let mut forms = people::forms(&mut tx, &ids).await?;
    let kits: HashMap<KitId, String> =
        kits::all(&mut tx).await?.into_iter().map(|kit| (kit.kit_id, kit.name)).collect();
    let guest = |seat: store::plan::Expected| {
        let id = seat.person_id;
        let inconsistent = || store::Error::Inconsistent {
            table: "invitation",
            row: id.to_string(),
            reason: "nobody in the register has this id".to_owned(),
        };
        let record = records.remove(&id).ok_or_else(inconsistent)?;
        let form = forms.remove(&id).ok_or_else(inconsistent)?;
        Ok(Invitee { kit: kits.get(&seat.kit_id).cloned().unwrap_or_default(), seat, form, record })
    };
    let guests = seats.into_iter().map(guest).collect::<Result<Vec<_>, store::Error>>()?;
    let detail = json!({ "day": day.to_string(), "people": guests.len() });
    note(&mut tx, "campaign.guests_read", campaign, by, detail, now).await?;
    store::commit(tx).await?;
    Ok(guests)
}

/// What an invitation came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Invited {
    /// People who were invited for the first time.
    pub first: usize,
    /// People who missed an invitation and have another now.
    pub again: usize,
    /// People for whom no seat was left.
    pub unseated: usize,
}

/// Invites who became eligible by `day` or came into the register, and who missed an invitation, to the free
/// seats from [`NOTICE_DAYS`] after it on; where there is none, the campaign's kits come once more. A repeat
/// invites nobody twice.
///
/// # Errors
/// [`Error::Day`] after the last day; those of the database.
pub async fn invite(
    db: &Database,
    units: Units<'_>,
    campaign: &CampaignRow,
    day: Date,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<Invited, Error> {
    if day > campaign.deadline.last_day() {
        let why = format!("the campaign's last day was {}", campaign.deadline.last_day());
        return Err(Error::Day { day, why });
    }
    let scope = UnitScope::parse(&campaign.unit_path)?;
    let eligible_on = day.max(campaign.starts_on);
    let from = (day + Duration::days(NOTICE_DAYS)).max(campaign.starts_on);
    let mut tx = db.begin().await?;
    rows::lock(&mut tx).await?;
    rows::came_late(&mut tx, &scope, begin(campaign.starts_on)).await?;
    let born_by = Profile::official().born_by(eligible_on)?;
    let counts = store::plan::count_areas(&mut tx, scope.as_str(), born_by).await?;
    let areas = counts.iter().map(|count| apply::area(count, 0)).collect::<Result<Vec<_>, _>>()?;
    let seats = (from, None);
    let (mut first, mut without) =
        apply::seat_uninvited(&mut tx, &scope, &areas, eligible_on, seats, now).await?;
    let (mut again, mut without_again) = apply::seat_missed(&mut tx, &scope, from, now).await?;
    let standing: Vec<Guest> = without.iter().chain(&without_again).copied().collect();
    if add_slots(&mut tx, units, campaign, &standing, from).await? {
        let (more, left) = apply::seat_uninvited(&mut tx, &scope, &areas, eligible_on, seats, now).await?;
        (first, without) = (first + more, left);
        let (more, left) = apply::seat_missed(&mut tx, &scope, from, now).await?;
        (again, without_again) = (again + more, left);
    }
    let invited = Invited { first, again, unseated: without.len() + without_again.len() };
    if first + again > 0 {
        store::plan::refresh_statistics(&mut tx).await?;
        let detail = json!({ "first": first, "again": again, "unseated": invited.unseated });
        note(&mut tx, "campaign.invited", campaign, by, detail, now).await?;
    }
    store::commit(tx).await?;
    Ok(invited)
}

/// A day that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// Invited people of the day who applied, by what has reached the centre.
    pub attended: usize,
    /// Invited people of the day who did not.
    pub missed: usize,
    /// People who were counted as missing before and have applied since.
    pub late: u64,
    /// People who have another invitation now.
    pub again: usize,
    /// People who missed one and for whom no seat was left.
    pub unseated: usize,
    /// What of the day is not known yet.
    pub unknown: rows::Unknown,
    /// Kits that stood somewhere that day and have not reported it.
    pub unheard: Vec<String>,
}

/// What to do about a day of which not everything is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gaps {
    /// It is not closed.
    Refuse,
    /// It is closed: whoever turns up later is counted then.
    Accept,
}

/// Closes a day: who applied has attended, everyone else who was invited missed it and is invited again, from
/// [`NOTICE_DAYS`] later on; where no seat is left, the campaign's kits come once more after their plan. Who
/// applied is what the applications at the centre say. A repeat counts those who have turned up since.
///
/// # Errors
/// [`Error::Day`] for a day that is not over or not the campaign's; [`Error::NotAllKnown`] with
/// [`Gaps::Refuse`]; those of the database.
pub async fn close_day(
    db: &Database,
    units: Units<'_>,
    campaign: &CampaignRow,
    (day, gaps): (Date, Gaps),
    by: &Actor,
    now: OffsetDateTime,
) -> Result<Closed, Error> {
    let not = |why: String| Err(Error::Day { day, why });
    if day > day_in_vietnam(now) {
        return not("it has not begun".to_owned());
    }
    if day < campaign.starts_on {
        return not(format!("the campaign begins on {}", campaign.starts_on));
    }
    let scope = UnitScope::parse(&campaign.unit_path)?;
    let (first, next) = (begin(campaign.starts_on), day + Duration::DAY);
    let mut tx = db.begin().await?;
    rows::lock(&mut tx).await?;
    let unknown = rows::unknown(&mut tx, &scope, begin(day), begin(next)).await?;
    let unheard = rows::kits_unheard(&mut tx, &scope, day).await?;
    let what = not_known(unknown, &unheard);
    if gaps == Gaps::Refuse && !what.is_empty() {
        return Err(Error::NotAllKnown { day, what });
    }
    let attended: Vec<PersonId> = rows::came_on(&mut tx, &scope, day, first).await?;
    let changed = store::plan::close_day(&mut tx, scope.as_str(), day, &attended).await?;
    let late = rows::came_late(&mut tx, &scope, first).await?;
    let from = day + Duration::days(NOTICE_DAYS);
    let (mut again, mut without) = apply::seat_missed(&mut tx, &scope, from, now).await?;
    if add_slots(&mut tx, units, campaign, &without, from).await? {
        let (more, left) = apply::seat_missed(&mut tx, &scope, from, now).await?;
        (again, without) = (again + more, left);
    }
    let asked = store::plan::expected_on(&mut tx, scope.as_str(), day).await?;
    let in_state = |state: &str| asked.iter().filter(|asked| asked.state == state).count();
    let closed = Closed {
        attended: in_state("attended"),
        missed: in_state("missed"),
        late,
        again,
        unseated: without.len(),
        unknown,
        unheard,
    };
    if changed + late > 0 || again > 0 {
        let detail = json!({ "day": day.to_string(), "attended": closed.attended, "missed": closed.missed,
            "late": late, "again": again });
        note(&mut tx, "campaign.day_closed", campaign, by, detail, now).await?;
    }
    store::commit(tx).await?;
    Ok(closed)
}

/// Slots for people without a seat, by the campaign's kits once their plan is done and until the last day.
/// Says whether there are any.
async fn add_slots(
    tx: &mut PgConnection,
    units: Units<'_>,
    campaign: &CampaignRow,
    without: &[Guest],
    from: Date,
) -> Result<bool, Error> {
    let scope = UnitScope::parse(&campaign.unit_path)?;
    let known = kits::all(tx).await?;
    let works = |kit: &rows::KitDays| {
        known.iter().any(|known| known.kit_id == kit.kit_id && known.revoked_at.is_none())
    };
    let mut planned = rows::kits_in_plan(tx, &scope, campaign.starts_on).await?;
    planned.retain(works);
    let Some(busy_until) = planned.iter().map(|kit| kit.last_day).max() else { return Ok(false) };
    let mut people: BTreeMap<UnitCode, u32> = BTreeMap::new();
    without.iter().for_each(|guest| *people.entry(guest.unit).or_default() += 1);
    let demand: Vec<Demand> = people.into_iter().map(|(unit, eligible)| Demand { unit, eligible }).collect();
    let days = (from.max(busy_until + Duration::DAY), campaign.deadline.last_day());
    let calendar = ShiftCalendar::SPRING_2021;
    let slots = schedule::plan_returns(&demand, planned.len(), days.0, days.1, &calendar);
    let row = |slot: &schedule::PlannedSlot| {
        let path = units.path(slot.unit).ok_or(Error::NoUnit(slot.unit))?;
        Ok(apply::slot_row(slot, planned[slot.kit].kit_id, &path, units))
    };
    let slots = slots.iter().map(row).collect::<Result<Vec<_>, Error>>()?;
    // A kit that is promised to another campaign by then is not taken from it: its people stay without a
    // seat.
    if slots.is_empty() || rows::stands_elsewhere(tx, &slots).await?.is_some() {
        return Ok(false);
    }
    store::plan::put_slots(tx, &slots).await?;
    Ok(true)
}

fn not_known(unknown: rows::Unknown, unheard: &[String]) -> Vec<String> {
    let rows::Unknown { on_kits, unopened } = unknown;
    let mut what = Vec::new();
    if unopened > 0 {
        what.push(format!("{unopened} packets are not opened (`dancu work --once` opens them)"));
    }
    if on_kits > 0 {
        what.push(format!("{on_kits} captures are still on kits"));
    }
    if !unheard.is_empty() {
        what.push(format!("no report of the day came from {}", unheard.join(", ")));
    }
    what
}

/// When a day begins in Vietnam.
fn begin(day: Date) -> OffsetDateTime {
    day.with_time(Time::MIDNIGHT).assume_offset(VIETNAM)
}
