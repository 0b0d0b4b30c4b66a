//! A campaign from its opening to its last day: what a command, a page and the demonstration call. Each call is
//! one transaction with its row in the audit trail, and may be repeated.

use std::collections::HashMap;

use serde_json::{Value, json};
use time::{Date, Duration, OffsetDateTime, Time};

use crate::Error;
use crate::apply::{self, Area, Planned};
use crate::schedule::{self, ShiftCalendar};
use crate::target::{Target, TargetKind};
use domain::clock::VIETNAM;
use domain::id::{KitId, PersonId};
use domain::unit::UnitTable;
use domain::{Actor, Deadline, ResidentRecord, UnitCode};
use store::applications::kits::{self, Kit};
use store::audit::{self, Entry};
use store::plan::campaigns::{self as rows, CampaignRow};
use store::register::people;
use store::{Database, PgConnection, UnitScope};

/// Days between an invitation that was missed and the first on which the next may lie: a letter takes as long.
pub const NOTICE_DAYS: i64 = 3;

/// What a campaign is opened with.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Province, district or commune.
    pub unit: UnitCode,
    /// Whoever is old enough on this day is invited.
    pub starts_on: Date,
    /// Until when, as the document words it.
    pub deadline: Deadline,
    /// Cards; without it everyone eligible counts.
    pub amount: Option<u64>,
    /// The kits to plan with.
    pub kits: Kits,
    /// The document that sets the target.
    pub source: String,
}

/// The kits to plan with.
#[derive(Debug, Clone)]
pub enum Kits {
    /// All that are registered in the unit and not revoked.
    Registered,
    /// These, by their names.
    Named(Vec<String>),
    /// These, in this order.
    These(Vec<KitId>),
}

/// A campaign that is open.
#[derive(Debug, Clone)]
pub struct Opened {
    /// Whether it was opened now.
    pub is_new: bool,
    /// The communes with their quotas.
    pub areas: Vec<Area>,
    /// What the reports measure against.
    pub target: Target,
    /// The fewest kits that finish in time.
    pub kits_needed: usize,
    /// What was planned now; `None` when the plan stood already or there are no kits to plan with.
    pub planned: Option<Planned>,
    /// The kits that the plan is of; none while there is no plan.
    pub kits: Vec<rows::KitDays>,
}

/// Opens a campaign: its target, the quotas of its communes, and, as soon as there are kits, where they stand
/// on which day and the invitation of everyone eligible. A repeat changes nothing, and goes on with the plan
/// when there was no kit before.
///
/// # Errors
/// [`Error`], by which nothing is written: an unknown unit, nobody in its register, dates that leave no day,
/// another campaign of the same people, kits that are unknown, revoked or busy.
pub async fn open(
    db: &Database,
    units: &UnitTable,
    opening: &Opening,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<Opened, Error> {
    let (unit, starts_on, last_day) = (opening.unit, opening.starts_on, opening.deadline.last_day());
    if last_day < starts_on {
        return Err(Error::Deadline { starts_on, last_day });
    }
    let path = units.path(unit).ok_or(Error::NoUnit(unit))?;
    let scope = UnitScope::parse(&path)?;
    let mut tx = db.begin().await?;
    rows::lock(&mut tx).await?;
    let row = CampaignRow {
        unit,
        unit_path: path,
        starts_on,
        deadline: opening.deadline,
        amount: opening.amount.map(|amount| amount as i64),
        opened_at: now,
        opened_by: by.to_string(),
    };
    let is_new = !is_there(&rows::all(&mut tx).await?, &row)?;
    let areas = if is_new {
        rows::put(&mut tx, &row).await?;
        apply::set_quotas_in(&mut tx, &scope, starts_on, opening.amount).await?
    } else {
        areas_of(&mut tx, &scope).await?
    };
    if areas.is_empty() {
        return Err(Error::NoResidents(unit));
    }
    let target = target_of(units, opening, &areas);
    if is_new {
        apply::put_target(&mut tx, &target, &opening.source).await?;
        let detail = json!({ "starts_on": starts_on.to_string(), "last_day": last_day.to_string(),
            "target": target.amount, "communes": areas.len() });
        note(&mut tx, "campaign.opened", &row, by, detail, now).await?;
    }
    let calendar = ShiftCalendar::SPRING_2021;
    let days = u32::try_from(opening.deadline.days_from(starts_on)).unwrap_or(u32::MAX);
    let kits_needed = schedule::kits_needed(&apply::demand(&areas), days, &calendar);
    let planned = plan(&mut tx, units, &scope, &areas, opening, now).await?;
    if let Some(planned) = planned {
        let detail = json!({ "slots": planned.slots, "seats": planned.seats, "invited": planned.invited,
            "unseated": planned.unseated });
        note(&mut tx, "campaign.planned", &row, by, detail, now).await?;
    }
    let kits = rows::kits_in_plan(&mut tx, &scope, starts_on).await?;
    store::commit(tx).await?;
    Ok(Opened { is_new, areas, target, kits_needed, planned, kits })
}

/// Whether this very campaign was opened before.
fn is_there(known: &[CampaignRow], row: &CampaignRow) -> Result<bool, Error> {
    let same = |other: &&CampaignRow| (other.unit, other.starts_on) == (row.unit, row.starts_on);
    if let Some(before) = known.iter().find(same) {
        let differs = |what, was: String| {
            Err(Error::CampaignDiffers { unit: row.unit, starts_on: row.starts_on, what, was })
        };
        if before.deadline != row.deadline {
            let Deadline { date, wording } = before.deadline;
            return differs("deadline", format!("{} {date}", wording.code()));
        }
        if before.amount != row.amount {
            let was = before.amount.map_or("everyone eligible".to_owned(), |amount| amount.to_string());
            return differs("target", was);
        }
        return Ok(true);
    }
    let meets = |other: &&CampaignRow| {
        (other.unit_path.starts_with(&row.unit_path) || row.unit_path.starts_with(&other.unit_path))
            && other.starts_on <= row.deadline.last_day()
            && row.starts_on <= other.deadline.last_day()
    };
    match known.iter().find(meets) {
        Some(other) => Err(Error::Overlaps {
            unit: other.unit,
            starts_on: other.starts_on,
            last_day: other.deadline.last_day(),
        }),
        None => Ok(false),
    }
}

fn target_of(units: &UnitTable, opening: &Opening, areas: &[Area]) -> Target {
    let eligible = || areas.iter().map(|area| i64::from(area.eligible)).sum();
    Target {
        unit: opening.unit,
        name: units.full_name(opening.unit).unwrap_or_default(),
        amount: Some(opening.amount.map_or_else(eligible, |amount| amount as i64)),
        kind: TargetKind::Floor,
        starts_on: opening.starts_on,
        deadline: opening.deadline,
    }
}

async fn areas_of(tx: &mut PgConnection, scope: &UnitScope) -> Result<Vec<Area>, Error> {
    let stored = rows::areas(tx, scope).await?;
    stored.iter().map(|area| apply::area(&area.count, area.quota as u64)).collect()
}

/// Plans the kits' shifts, once. `None` when they are planned, or there is no kit.
async fn plan(
    tx: &mut PgConnection,
    units: &UnitTable,
    scope: &UnitScope,
    areas: &[Area],
    opening: &Opening,
    now: OffsetDateTime,
) -> Result<Option<Planned>, Error> {
    let wanted = kits_of(tx, units, scope, &opening.kits).await?;
    let planned = rows::kits_in_plan(tx, scope, opening.starts_on).await?;
    if !planned.is_empty() {
        let is_planned = |kit: &KitId| planned.iter().any(|planned| planned.kit_id == *kit);
        if !matches!(opening.kits, Kits::Registered) && !wanted.iter().all(is_planned) {
            let names: Vec<&str> = planned.iter().map(|kit| kit.name.as_str()).collect();
            return Err(Error::Planned { planned: names.join(", ") });
        }
        return Ok(None);
    }
    if wanted.is_empty() {
        return Ok(None);
    }
    let days = (opening.starts_on, opening.deadline.last_day());
    let calendar = ShiftCalendar::SPRING_2021;
    Ok(Some(apply::plan_and_invite_in(tx, scope, areas, &wanted, days, &calendar, now).await?))
}

async fn kits_of(
    tx: &mut PgConnection,
    units: &UnitTable,
    scope: &UnitScope,
    kits: &Kits,
) -> Result<Vec<KitId>, Error> {
    let names = match kits {
        Kits::These(ids) => return Ok(ids.clone()),
        Kits::Named(names) => Some(names),
        Kits::Registered => None,
    };
    let known = kits::all(tx).await?;
    let Some(names) = names else {
        let is_ours = |kit: &&Kit| {
            let path = units.path(kit.unit);
            kit.revoked_at.is_none() && path.is_some_and(|path| scope.covers(&path))
        };
        return Ok(known.iter().filter(is_ours).map(|kit| kit.kit_id).collect());
    };
    let find = |name: &String| {
        let wrong = |why| Error::Kit { kit: name.clone(), why };
        let kit = known.iter().find(|kit| kit.name == *name).ok_or_else(|| wrong("is not registered"))?;
        if kit.revoked_at.is_some() { Err(wrong("is revoked")) } else { Ok(kit.kit_id) }
    };
    names.iter().map(find).collect()
}

/// The campaign of a unit, or of the nearest unit above that has one: the one that `on` lies in, else the newest.
///
/// # Errors
/// [`Error::NoCampaign`]; those of the database.
pub async fn find(
    conn: &mut PgConnection,
    units: &UnitTable,
    unit: UnitCode,
    on: Date,
) -> Result<CampaignRow, Error> {
    let path = units.path(unit).ok_or(Error::NoUnit(unit))?;
    let mut found = rows::all(conn).await?;
    found.retain(|campaign| path.starts_with(&campaign.unit_path));
    let is_on = |campaign: &CampaignRow| campaign.starts_on <= on && on <= campaign.deadline.last_day();
    // The newest comes first.
    found.sort_by_key(|campaign| (!is_on(campaign), std::cmp::Reverse(campaign.unit_path.len())));
    found.into_iter().next().ok_or_else(|| Error::NoCampaign { unit: units.told(unit) })
}

/// Where a campaign stands.
#[derive(Debug, Clone)]
pub struct Standing {
    /// As it was opened.
    pub campaign: CampaignRow,
    /// Its communes.
    pub areas: Vec<rows::AreaStanding>,
    /// The kits in its plan.
    pub kits: Vec<rows::KitDays>,
}

/// Where a campaign stands.
///
/// # Errors
/// Those of the database.
pub async fn standing(conn: &mut PgConnection, campaign: CampaignRow) -> Result<Standing, Error> {
    let scope = UnitScope::parse(&campaign.unit_path)?;
    let areas = rows::areas(conn, &scope).await?;
    let kits = rows::kits_in_plan(conn, &scope, campaign.starts_on).await?;
    Ok(Standing { campaign, areas, kits })
}

/// One invited person of a day, as the team's list has it.
#[derive(Debug, Clone)]
pub struct Guest {
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
) -> Result<Vec<Guest>, Error> {
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
        Ok(Guest { kit: kits.get(&seat.kit_id).cloned().unwrap_or_default(), seat, form, record })
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
/// seats from [`NOTICE_DAYS`] after it on. A repeat invites nobody twice.
///
/// # Errors
/// [`Error::Day`] after the last day; those of the database.
pub async fn invite(
    db: &Database,
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
    let counts = store::plan::count_areas(&mut tx, scope.as_str(), apply::born_by(eligible_on)).await?;
    let areas = counts.iter().map(|count| apply::area(count, 0)).collect::<Result<Vec<_>, _>>()?;
    let (first, without) =
        apply::seat_uninvited(&mut tx, &scope, &areas, eligible_on, (from, None), now).await?;
    let (again, without_again) = apply::seat_missed(&mut tx, &scope, from, now).await?;
    let invited = Invited { first, again, unseated: without + without_again };
    if first + again > 0 {
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
/// [`NOTICE_DAYS`] later on. Who applied is what the applications at the centre say. A repeat counts those who
/// have turned up since.
///
/// # Errors
/// [`Error::Day`] for a day that is not over or not the campaign's; [`Error::NotAllKnown`] with
/// [`Gaps::Refuse`]; those of the database.
pub async fn close_day(
    db: &Database,
    campaign: &CampaignRow,
    day: Date,
    gaps: Gaps,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<Closed, Error> {
    let not = |why: String| Err(Error::Day { day, why });
    if day > now.to_offset(VIETNAM).date() {
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
    let (again, unseated) = apply::seat_missed(&mut tx, &scope, from, now).await?;
    let asked = store::plan::expected_on(&mut tx, scope.as_str(), day).await?;
    let in_state = |state: &str| asked.iter().filter(|asked| asked.state == state).count();
    let closed = Closed {
        attended: in_state("attended"),
        missed: in_state("missed"),
        late,
        again,
        unseated,
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

async fn note(
    tx: &mut PgConnection,
    action: &str,
    campaign: &CampaignRow,
    by: &Actor,
    detail: Value,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let entry = Entry {
        at: now,
        actor: by.to_string(),
        action: action.to_owned(),
        subject: format!("campaign:{}:{}", campaign.unit, campaign.starts_on),
        unit_path: campaign.unit_path.clone(),
        detail,
    };
    Ok(audit::append(tx, &entry).await?)
}
