//! In which shift of its kit an application was captured, and how many were captured in it.

use std::collections::HashMap;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::Error;
use domain::clock::day_in_vietnam;
use domain::id::{ApplicationId, KitId};

/// A shift of one kit, by the day it was planned for and its number on that day, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShiftId {
    pub kit_id: KitId,
    pub day: Date,
    pub number: i16,
}

/// A shift as it was planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shift {
    pub id: ShiftId,
    pub from: OffsetDateTime,
    pub to: OffsetDateTime,
    pub seats: u32,
}

/// How many applications captured in a shift were resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Their person had a seat at this kit on this day.
    pub invited: u32,
    pub walk_ins: u32,
}

impl Held {
    /// Counts more.
    pub fn add(&mut self, more: Held) {
        self.invited = self.invited.saturating_add(more.invited);
        self.walk_ins = self.walk_ins.saturating_add(more.walk_ins);
    }

    /// All who were captured in it.
    pub fn all(&self) -> u32 {
        self.invited.saturating_add(self.walk_ins)
    }
}

/// What the plan says of the kit that captured an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duty {
    pub application_id: ApplicationId,
    pub kit_id: KitId,
    pub captured_at: OffsetDateTime,
    /// When the centre took it over; `None` while it has only been reported.
    pub received_at: Option<OffsetDateTime>,
    /// Whether the unit of the application is the kit's or below it.
    pub in_unit: bool,
    /// Whether the kit has a shift on any day.
    pub is_planned: bool,
    /// Whether whom the officer found in the register has a seat at this kit on the day of the capture.
    pub is_invited: bool,
    /// The last shift that had begun.
    pub before: Option<Shift>,
    /// The first that had not begun.
    pub after: Option<Shift>,
}

/// The duties of the kits that captured these applications, by application.
///
/// # Errors
/// Those of the database.
pub async fn duties(
    conn: &mut PgConnection,
    applications: &[ApplicationId],
) -> Result<HashMap<ApplicationId, Duty>, Error> {
    let rows = sqlx::query(
        "SELECT a.application_id, a.kit_id, a.captured_at, a.received_at, a.claimed_person_id, \
                coalesce(position('/' || k.unit_code || '/' IN '/' || a.unit_path) > 0, true) AS in_unit, \
                EXISTS (SELECT FROM slot s WHERE s.kit_id = a.kit_id) AS is_planned, \
                b.day AS before_day, b.shift AS before_shift, b.from_at AS before_from, \
                b.to_at AS before_to, b.seats AS before_seats, \
                n.day AS after_day, n.shift AS after_shift, n.from_at AS after_from, n.to_at AS after_to, \
                n.seats AS after_seats \
         FROM application a LEFT JOIN kit k USING (kit_id) \
         LEFT JOIN LATERAL (SELECT day, shift FROM slot s \
                            WHERE s.kit_id = a.kit_id AND s.starts_at <= a.captured_at \
                            ORDER BY s.starts_at DESC LIMIT 1) last ON true \
         LEFT JOIN LATERAL (SELECT day, shift FROM slot s \
                            WHERE s.kit_id = a.kit_id AND s.starts_at > a.captured_at \
                                  AND (s.day, s.shift) IS DISTINCT FROM (last.day, last.shift) \
                            ORDER BY s.starts_at LIMIT 1) next ON true \
         LEFT JOIN LATERAL (SELECT last.day, last.shift, min(starts_at) AS from_at, \
                                   max(starts_at + make_interval(mins => minutes)) AS to_at, \
                                   sum(capacity)::int4 AS seats FROM slot s \
                            WHERE s.kit_id = a.kit_id AND s.day = last.day AND s.shift = last.shift) b \
                   ON last.day IS NOT NULL \
         LEFT JOIN LATERAL (SELECT next.day, next.shift, min(starts_at) AS from_at, \
                                   max(starts_at + make_interval(mins => minutes)) AS to_at, \
                                   sum(capacity)::int4 AS seats FROM slot s \
                            WHERE s.kit_id = a.kit_id AND s.day = next.day AND s.shift = next.shift) n \
                   ON next.day IS NOT NULL \
         WHERE a.application_id = ANY($1)",
    )
    .bind(applications.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .fetch_all(&mut *conn)
    .await?;
    let mut duties = HashMap::with_capacity(rows.len());
    let mut asked = Vec::new();
    for row in &rows {
        let application_id = ApplicationId::from_uuid(row.try_get("application_id")?);
        let kit_id = KitId::from_uuid(row.try_get("kit_id")?);
        let captured_at: OffsetDateTime = row.try_get("captured_at")?;
        if let Some(person) = row.try_get::<Option<Uuid>, _>("claimed_person_id")? {
            asked.push((application_id, person, kit_id, day_in_vietnam(captured_at)));
        }
        let duty = Duty {
            application_id,
            kit_id,
            captured_at,
            received_at: row.try_get("received_at")?,
            in_unit: row.try_get("in_unit")?,
            is_planned: row.try_get("is_planned")?,
            is_invited: false,
            before: shift(row, kit_id, "before")?,
            after: shift(row, kit_id, "after")?,
        };
        duties.insert(application_id, duty);
    }
    for application_id in invited(conn, &asked).await? {
        if let Some(duty) = duties.get_mut(&application_id) {
            duty.is_invited = true;
        }
    }
    Ok(duties)
}

/// Those whose person has a seat at this kit on this day. Asked apart from the applications, because people
/// and applications may lie on different servers (docs/decisions/0019-fit-for-distribution.md).
async fn invited(
    conn: &mut PgConnection,
    asked: &[(ApplicationId, Uuid, KitId, Date)],
) -> Result<Vec<ApplicationId>, Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT n.id FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::date[]) AS n (id, person, kit, day) \
         WHERE EXISTS (SELECT FROM invitation i JOIN slot s USING (slot_id) \
                       WHERE i.person_id = n.person AND s.kit_id = n.kit AND s.day = n.day \
                         AND i.state <> 'withdrawn')",
    )
    .bind(asked.iter().map(|(id, ..)| id.uuid()).collect::<Vec<_>>())
    .bind(asked.iter().map(|(_, person, ..)| *person).collect::<Vec<_>>())
    .bind(asked.iter().map(|(_, _, kit, _)| kit.uuid()).collect::<Vec<_>>())
    .bind(asked.iter().map(|(.., day)| *day).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(ApplicationId::from_uuid).collect())
}

fn shift(row: &PgRow, kit_id: KitId, which: &str) -> Result<Option<Shift>, Error> {
    let column = |name: &str| format!("{which}_{name}");
    let Some(day) = row.try_get::<Option<Date>, _>(&*column("day"))? else { return Ok(None) };
    let seats: i32 = row.try_get(&*column("seats"))?;
    Ok(Some(Shift {
        id: ShiftId { kit_id, day, number: row.try_get(&*column("shift"))? },
        from: row.try_get(&*column("from"))?,
        to: row.try_get(&*column("to"))?,
        seats: u32::try_from(seats).unwrap_or(0),
    }))
}

/// How many were captured in each of these shifts; a shift in which nobody was is not among them.
///
/// # Errors
/// Those of the database.
pub async fn held(conn: &mut PgConnection, shifts: &[ShiftId]) -> Result<HashMap<ShiftId, Held>, Error> {
    if shifts.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(Uuid, Date, i16, i32, i32)> = sqlx::query_as(
        "SELECT kit_id, day, shift, invited, walk_ins FROM kit_shift \
         JOIN unnest($1::uuid[], $2::date[], $3::int2[]) AS n (kit_id, day, shift) \
              USING (kit_id, day, shift)",
    )
    .bind(shifts.iter().map(|shift| shift.kit_id.uuid()).collect::<Vec<_>>())
    .bind(shifts.iter().map(|shift| shift.day).collect::<Vec<_>>())
    .bind(shifts.iter().map(|shift| shift.number).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    let number = |count: i32| u32::try_from(count).unwrap_or(0);
    Ok(rows
        .into_iter()
        .map(|(kit, day, shift, invited, walk_ins)| {
            let id = ShiftId { kit_id: KitId::from_uuid(kit), day, number: shift };
            (id, Held { invited: number(invited), walk_ins: number(walk_ins) })
        })
        .collect())
}

/// Adds to what was captured in shifts.
///
/// # Errors
/// Those of the database.
pub async fn add_held(tx: &mut PgConnection, more: &[(ShiftId, Held)]) -> Result<(), Error> {
    if more.is_empty() {
        return Ok(());
    }
    let number = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    sqlx::query(
        "INSERT INTO kit_shift (kit_id, day, shift, invited, walk_ins) \
         SELECT * FROM unnest($1::uuid[], $2::date[], $3::int2[], $4::int4[], $5::int4[]) \
         ON CONFLICT (kit_id, day, shift) DO UPDATE SET invited = kit_shift.invited + EXCLUDED.invited, \
                                                        walk_ins = kit_shift.walk_ins + EXCLUDED.walk_ins",
    )
    .bind(more.iter().map(|(id, _)| id.kit_id.uuid()).collect::<Vec<_>>())
    .bind(more.iter().map(|(id, _)| id.day).collect::<Vec<_>>())
    .bind(more.iter().map(|(id, _)| id.number).collect::<Vec<_>>())
    .bind(more.iter().map(|(_, held)| number(held.invited)).collect::<Vec<_>>())
    .bind(more.iter().map(|(_, held)| number(held.walk_ins)).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}
