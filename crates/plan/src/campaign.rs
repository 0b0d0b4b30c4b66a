//! A campaign from its opening to its last day: what a command, a page and the demonstration call. Each call
//! is one transaction with its row in the audit trail, and may be repeated.

mod days;

use serde_json::{Value, json};
use time::{Date, OffsetDateTime};

use crate::Error;
use crate::apply::{self, Area, Planned};
use crate::schedule::{self, ShiftCalendar};
use crate::target::{Target, TargetKind};
use domain::id::KitId;
use domain::unit::Units;
use domain::{Actor, Deadline, UnitCode};
use store::applications::kits::{self, Kit};
use store::audit::{self, Entry};
use store::plan::campaigns::{self as rows, CampaignRow};
use store::{Database, PgConnection, UnitScope};

pub use days::{Closed, Gaps, Invited, Invitee, close_day, guests, invite};

/// Days between an invitation that was missed and the first on which the next may lie: a letter takes as
/// long.
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
    units: Units<'_>,
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

fn target_of(units: Units<'_>, opening: &Opening, areas: &[Area]) -> Target {
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
    units: Units<'_>,
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
    units: Units<'_>,
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

/// The campaign of a unit, or of the nearest unit above that has one: the one that `on` lies in, else the
/// newest.
///
/// # Errors
/// [`Error::NoCampaign`]; those of the database.
pub async fn find(
    conn: &mut PgConnection,
    units: Units<'_>,
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
        actor: by.clone(),
        action: action.to_owned(),
        subject: format!("campaign:{}:{}", campaign.unit, campaign.starts_on),
        unit_path: campaign.unit_path.clone(),
        detail,
    };
    Ok(audit::append(tx, &entry).await?)
}
