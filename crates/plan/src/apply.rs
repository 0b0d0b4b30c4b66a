//! Loads, decides with the pure modules, writes. Every call may be repeated: ids are derived from what they
//! name.

use std::collections::BTreeMap;

use time::{Date, OffsetDateTime};

use crate::schedule::{self, Demand, PlannedSlot, ShiftCalendar};
use crate::seating::{self, Guest, OpenSlot};
use crate::target::{Target, TargetKind};
use crate::{Error, quota};
use domain::UnitCode;
use domain::id::{KitId, PersonId, SlotId};
use domain::profile::Profile;
use domain::unit::{Unit, Units};
use store::{Database, PgConnection, UnitScope, plan as rows};

/// How often a person is invited before the officer is asked to visit instead.
pub const MOST_INVITATIONS: i16 = 3;

/// A commune's share of the work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    pub unit: UnitCode,
    pub unit_path: String,
    pub residents: u32,
    pub eligible: u32,
    pub quota: u64,
}

/// Records the targets of a profile, so that reports can say what they measure against.
pub async fn record_targets(db: &Database, targets: &[Target], source: &str) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    for target in targets {
        put_target(&mut tx, target, source).await?;
    }
    store::commit(tx).await?;
    Ok(())
}

pub(crate) async fn put_target(tx: &mut PgConnection, target: &Target, source: &str) -> Result<(), Error> {
    let row = rows::TargetRow {
        unit_code: target.unit.to_string(),
        name: target.name.clone(),
        amount: target.amount,
        kind: target.kind.code().to_owned(),
        starts_on: target.starts_on,
        deadline: target.deadline,
        source: source.to_owned(),
    };
    Ok(rows::put_target(tx, &row).await?)
}

/// Counts who is of the age for a card on `eligible_on` in every commune below `scope`, and splits `target`
/// among the communes. With no number for the target the quota of a commune is its eligible residents.
pub async fn set_quotas(
    db: &Database,
    scope: &UnitScope,
    eligible_on: Date,
    target: Option<u64>,
) -> Result<Vec<Area>, Error> {
    let mut tx = db.begin().await?;
    let areas = set_quotas_in(&mut tx, scope, eligible_on, target).await?;
    store::commit(tx).await?;
    Ok(areas)
}

pub(crate) async fn set_quotas_in(
    tx: &mut PgConnection,
    scope: &UnitScope,
    eligible_on: Date,
    target: Option<u64>,
) -> Result<Vec<Area>, Error> {
    let born_by = Profile::official().born_by(eligible_on)?;
    let counts = rows::count_areas(tx, scope.as_str(), born_by).await?;
    let weights: Vec<u64> = counts.iter().map(|c| c.eligible as u64).collect();
    let quotas = match target {
        Some(total) => quota::split(total, &weights),
        None => weights,
    };
    let mut areas = Vec::new();
    for (count, quota) in counts.iter().zip(quotas) {
        rows::put_area(tx, count, eligible_on, quota as i64).await?;
        areas.push(area(count, quota)?);
    }
    Ok(areas)
}

pub(crate) fn area(count: &rows::AreaCount, quota: u64) -> Result<Area, Error> {
    Ok(Area {
        unit: stored_unit(&count.unit_code)?,
        unit_path: count.unit_path.clone(),
        residents: count.residents as u32,
        eligible: count.eligible as u32,
        quota,
    })
}

/// The target of a district: its share of the province's number by eligible residents is not known from one
/// district's register, so the district's own eligible residents are its target.
pub fn district_target(unit: UnitCode, name: &str, areas: &[Area], province: &Target) -> Target {
    Target {
        unit,
        name: name.to_owned(),
        amount: Some(areas.iter().map(|a| i64::from(a.eligible)).sum()),
        kind: TargetKind::Floor,
        starts_on: province.starts_on,
        deadline: province.deadline,
    }
}

/// What a round of planning laid down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Planned {
    pub slots: usize,
    pub seats: u32,
    pub invited: usize,
    /// Eligible residents for whom no seat was left.
    pub unseated: usize,
}

/// Demand per commune, in the order of the unit codes.
pub fn demand(areas: &[Area]) -> Vec<Demand> {
    areas.iter().filter(|a| a.eligible > 0).map(|a| Demand { unit: a.unit, eligible: a.eligible }).collect()
}

/// Lays out the slots of `kits` from `first_day` to `last_day` and invites everyone once.
pub async fn plan_and_invite(
    db: &Database,
    scope: &UnitScope,
    areas: &[Area],
    kits: &[KitId],
    days: (Date, Date),
    calendar: &ShiftCalendar,
    now: OffsetDateTime,
) -> Result<Planned, Error> {
    let mut tx = db.begin().await?;
    let planned = plan_and_invite_in(&mut tx, scope, areas, kits, days, calendar, now).await?;
    store::commit(tx).await?;
    Ok(planned)
}

pub(crate) async fn plan_and_invite_in(
    tx: &mut PgConnection,
    scope: &UnitScope,
    areas: &[Area],
    kits: &[KitId],
    days: (Date, Date),
    calendar: &ShiftCalendar,
    now: OffsetDateTime,
) -> Result<Planned, Error> {
    let planned = schedule::plan(&demand(areas), kits.len(), days.0, days.1, calendar);
    let paths: BTreeMap<UnitCode, &str> = areas.iter().map(|a| (a.unit, a.unit_path.as_str())).collect();
    let units = Units::on(days.0);
    let slots: Vec<rows::SlotRow> =
        planned.iter().map(|slot| slot_row(slot, kits[slot.kit], paths[&slot.unit], units)).collect();
    if let Some((kit, day)) = rows::campaigns::stands_elsewhere(tx, &slots).await? {
        return Err(Error::KitBusy { kit, day });
    }
    rows::put_slots(tx, &slots).await?;
    let (invited, without) = seat_uninvited(tx, scope, areas, days.0, (days.0, Some(1)), now).await?;
    rows::refresh_statistics(tx).await?;
    Ok(Planned {
        slots: slots.len(),
        seats: planned.iter().map(|s| u32::from(s.capacity)).sum(),
        invited,
        unseated: without.len(),
    })
}

/// Invites whoever of these communes is eligible on a day and was never invited, to slots from a day on and
/// of one round or any. Says how many are invited, and for whom no seat was left.
pub(crate) async fn seat_uninvited(
    tx: &mut PgConnection,
    scope: &UnitScope,
    areas: &[Area],
    eligible_on: Date,
    (from, round): (Date, Option<i16>),
    now: OffsetDateTime,
) -> Result<(usize, Vec<Guest>), Error> {
    let open: Vec<OpenSlot> = rows::open_slots(tx, scope.as_str(), from, round)
        .await?
        .iter()
        .map(open_slot)
        .collect::<Result<_, _>>()?;
    let born_by = Profile::official().born_by(eligible_on)?;
    let mut guests = Vec::new();
    for area in areas {
        let found = rows::uninvited(tx, &area.unit.to_string(), &area.unit_path, born_by).await?;
        guests.extend(found.into_iter().map(|e| Guest { person: e.person_id, unit: area.unit }));
    }
    let paths: BTreeMap<UnitCode, &str> = areas.iter().map(|a| (a.unit, a.unit_path.as_str())).collect();
    let (seats, unseated) = seating::assign(&guests, &open);
    let homes: BTreeMap<PersonId, &str> = guests.iter().map(|g| (g.person, paths[&g.unit])).collect();
    let invitations: Vec<rows::InvitationRow> =
        seats.iter().map(|seat| invitation(seat, 1, homes[&seat.person])).collect();
    rows::put_invitations(tx, &invitations, now).await?;
    Ok((invitations.len(), unseated))
}

/// Closes `day`: whoever attended is marked so, everyone else who was invited missed it and is invited again
/// to the earliest free seat from `next_from` on. Says how many were invited again.
pub async fn close_day(
    db: &Database,
    scope: &UnitScope,
    day: Date,
    attended: &[PersonId],
    next_from: Date,
    now: OffsetDateTime,
) -> Result<usize, Error> {
    let mut tx = db.begin().await?;
    rows::close_day(&mut tx, scope.as_str(), day, attended).await?;
    let (invited, _) = seat_missed(&mut tx, scope, next_from, now).await?;
    store::commit(tx).await?;
    Ok(invited)
}

/// Invites again whoever missed the last invitation, unless it was the last of [`MOST_INVITATIONS`]. Says how
/// many are invited, and for how many no seat was left.
pub(crate) async fn seat_missed(
    tx: &mut PgConnection,
    scope: &UnitScope,
    next_from: Date,
    now: OffsetDateTime,
) -> Result<(usize, Vec<Guest>), Error> {
    let missed = rows::missed(tx, scope.as_str(), MOST_INVITATIONS).await?;
    if missed.is_empty() {
        return Ok((0, Vec::new()));
    }
    let open: Vec<OpenSlot> = rows::open_slots(tx, scope.as_str(), next_from, None)
        .await?
        .iter()
        .map(open_slot)
        .collect::<Result<_, _>>()?;
    let guests: Vec<Guest> = missed
        .iter()
        .map(|m| Ok(Guest { person: m.person_id, unit: stored_unit(&m.unit_code)? }))
        .collect::<Result<_, Error>>()?;
    let known: BTreeMap<PersonId, &rows::Missed> = missed.iter().map(|m| (m.person_id, m)).collect();
    let (seats, unseated) = seating::assign(&guests, &open);
    let again: Vec<rows::InvitationRow> = seats
        .iter()
        .map(|seat| invitation(seat, known[&seat.person].rounds + 1, &known[&seat.person].unit_path))
        .collect();
    rows::put_invitations(tx, &again, now).await?;
    Ok((again.len(), unseated))
}

pub(crate) fn slot_row(slot: &PlannedSlot, kit: KitId, path: &str, units: Units<'_>) -> rows::SlotRow {
    let code = slot.unit.to_string();
    let name = units.get(slot.unit).map_or_else(|| code.clone(), Unit::in_sentence);
    rows::SlotRow {
        slot_id: SlotId::derive(slot.starts_at, &[kit.uuid().as_bytes(), code.as_bytes()]),
        kit_id: kit,
        unit_path: path.to_owned(),
        site: format!("UBND {name}"),
        unit_code: code,
        day: slot.day,
        shift: slot.shift.into(),
        round: slot.round.into(),
        starts_at: slot.starts_at,
        minutes: slot.minutes as i16,
        capacity: slot.capacity as i16,
    }
}

fn open_slot(row: &rows::OpenSlotRow) -> Result<OpenSlot, Error> {
    Ok(OpenSlot {
        slot: row.slot_id,
        unit: stored_unit(&row.unit_code)?,
        day: row.day,
        capacity: row.capacity as u16,
        next_seat: row.next_seat as u16,
    })
}

fn invitation(seat: &seating::Seat, round: i16, unit_path: &str) -> rows::InvitationRow {
    rows::InvitationRow {
        person_id: seat.person,
        round,
        slot_id: seat.slot,
        slot_capacity: seat.capacity as i16,
        seat: seat.seat as i16,
        unit_path: unit_path.to_owned(),
    }
}

fn stored_unit(code: &str) -> Result<UnitCode, Error> {
    code.parse().map_err(|e| {
        Error::Store(store::Error::Inconsistent {
            table: "person.permanent_unit",
            row: code.to_owned(),
            reason: format!("{e}"),
        })
    })
}
