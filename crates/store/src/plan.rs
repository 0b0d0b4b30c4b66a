//! Rows of the plan: targets, areas, kits, slots and invitations.

pub mod campaigns;
pub mod denominator;
pub mod pages;
pub mod shifts;
pub mod withdrawn;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::register::LIVING;
use crate::{Error, UnitScope};
use domain::Deadline;
use domain::id::{KitId, PersonId, SlotId};

/// Rows to a statement of the bulk inserts below.
const CHUNK: usize = 5_000;

/// How many cards a unit is to reach by when, and the document that says so.
#[derive(Debug, Clone)]
pub struct TargetRow {
    pub unit_code: String,
    pub name: String,
    pub amount: Option<i64>,
    pub kind: String,
    pub starts_on: Date,
    pub deadline: Deadline,
    pub source: String,
}

/// Writes a target; a target of the same unit and name is replaced.
pub async fn put_target(conn: &mut PgConnection, row: &TargetRow) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO target (unit_code, name, amount, kind, starts_on, deadline, deadline_wording, source) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
         ON CONFLICT (unit_code, name) DO UPDATE SET amount = EXCLUDED.amount, kind = EXCLUDED.kind, \
         starts_on = EXCLUDED.starts_on, deadline = EXCLUDED.deadline, \
         deadline_wording = EXCLUDED.deadline_wording, source = EXCLUDED.source",
    )
    .bind(&row.unit_code)
    .bind(&row.name)
    .bind(row.amount)
    .bind(&row.kind)
    .bind(row.starts_on)
    .bind(row.deadline.date)
    .bind(row.deadline.wording.code())
    .bind(&row.source)
    .execute(conn)
    .await?;
    Ok(())
}

/// Residents and eligible residents of one commune.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AreaCount {
    pub unit_code: String,
    pub unit_path: String,
    pub residents: i64,
    pub eligible: i64,
}

/// A birth date packed as yyyymmdd with zeros for unknown parts, brought to the latest day that it can be.
pub(crate) const LATEST_BIRTH: &str =
    "(birth + CASE WHEN birth % 10000 = 0 THEN 1231 WHEN birth % 100 = 0 THEN 31 ELSE 0 END)";

/// Counts the living, unmerged residents below `scope` and those born on or before `born_by` (yyyymmdd).
pub async fn count_areas(
    conn: &mut PgConnection,
    scope: &str,
    born_by: i32,
) -> Result<Vec<AreaCount>, Error> {
    let sql = format!(
        "SELECT permanent_unit, unit_path, count(*) AS residents, \
                count(*) FILTER (WHERE {LATEST_BIRTH} <= $2) AS eligible \
         FROM person WHERE unit_path LIKE $1 || '%' AND {LIVING} \
         GROUP BY permanent_unit, unit_path ORDER BY permanent_unit"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(scope).bind(born_by).fetch_all(conn).await?;
    rows.iter()
        .map(|row| {
            Ok(AreaCount {
                unit_code: row.try_get("permanent_unit")?,
                unit_path: row.try_get("unit_path")?,
                residents: row.try_get("residents")?,
                eligible: row.try_get("eligible")?,
            })
        })
        .collect()
}

/// One eligible resident, for seating.
#[derive(Debug, Clone, Copy)]
pub struct Eligible {
    pub person_id: PersonId,
}

/// The eligible residents of one commune who hold no invitation yet, households together.
pub async fn uninvited(
    conn: &mut PgConnection,
    unit_code: &str,
    scope: &str,
    born_by: i32,
) -> Result<Vec<Eligible>, Error> {
    let sql = format!(
        "SELECT person_id FROM person p WHERE unit_path LIKE $1 || '%' AND permanent_unit = $2 AND {LIVING} \
         AND {LATEST_BIRTH} <= $3 AND NOT EXISTS (SELECT 1 FROM invitation i \
         WHERE i.person_id = p.person_id) \
         ORDER BY household NULLS LAST, birth, person_id"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(scope)
        .bind(unit_code)
        .bind(born_by)
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| Ok(Eligible { person_id: PersonId::from_uuid(row.try_get("person_id")?) }))
        .collect()
}

/// Writes a commune's residents, eligible residents and quota; an earlier plan's row is replaced.
pub async fn put_area(
    conn: &mut PgConnection,
    area: &AreaCount,
    eligible_on: Date,
    quota: i64,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO area (unit_code, unit_path, residents, eligible, eligible_on, quota) \
         VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (unit_code) DO UPDATE \
         SET unit_path = EXCLUDED.unit_path, residents = EXCLUDED.residents, \
         eligible = EXCLUDED.eligible, eligible_on = EXCLUDED.eligible_on, quota = EXCLUDED.quota",
    )
    .bind(&area.unit_code)
    .bind(&area.unit_path)
    .bind(area.residents)
    .bind(area.eligible)
    .bind(eligible_on)
    .bind(quota)
    .execute(conn)
    .await?;
    Ok(())
}

/// A laptop that may send packets for a unit.
#[derive(Debug, Clone)]
pub struct KitRow {
    pub kit_id: KitId,
    pub name: String,
    pub unit_code: String,
    /// Uncompressed P-256 point (SEC 1 §2.3.3).
    pub public_key: Vec<u8>,
    pub registered_at: OffsetDateTime,
}

/// Registers kits; one that is registered already is left as it is.
pub async fn register_kits(conn: &mut PgConnection, kits: &[KitRow]) -> Result<(), Error> {
    crate::applications::kits::lock(conn).await?;
    for kit in kits {
        sqlx::query(
            "INSERT INTO kit (kit_id, name, unit_code, public_key, registered_at) \
             VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (kit_id) DO NOTHING",
        )
        .bind(kit.kit_id.uuid())
        .bind(&kit.name)
        .bind(&kit.unit_code)
        .bind(&kit.public_key)
        .bind(kit.registered_at)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// A shift of one kit at one site, with as many seats as people can be captured in it.
#[derive(Debug, Clone)]
pub struct SlotRow {
    pub slot_id: SlotId,
    pub kit_id: KitId,
    pub unit_code: String,
    pub unit_path: String,
    pub site: String,
    pub day: Date,
    pub shift: i16,
    pub round: i16,
    pub starts_at: OffsetDateTime,
    pub minutes: i16,
    pub capacity: i16,
}

/// Adds slots; one that exists already is left as it is.
pub async fn put_slots(conn: &mut PgConnection, slots: &[SlotRow]) -> Result<(), Error> {
    for chunk in slots.chunks(CHUNK) {
        sqlx::query(
            "INSERT INTO slot (slot_id, kit_id, unit_code, unit_path, site, day, shift, round, starts_at, \
             minutes, capacity) \
             SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::date[], \
             $7::smallint[], \
             $8::smallint[], $9::timestamptz[], $10::smallint[], $11::smallint[]) ON CONFLICT (slot_id) DO \
             NOTHING",
        )
        .bind(chunk.iter().map(|s| s.slot_id.uuid()).collect::<Vec<_>>())
        .bind(chunk.iter().map(|s| s.kit_id.uuid()).collect::<Vec<_>>())
        .bind(chunk.iter().map(|s| s.unit_code.as_str()).collect::<Vec<_>>())
        .bind(chunk.iter().map(|s| s.unit_path.as_str()).collect::<Vec<_>>())
        .bind(chunk.iter().map(|s| s.site.as_str()).collect::<Vec<_>>())
        .bind(chunk.iter().map(|s| s.day).collect::<Vec<_>>())
        .bind(chunk.iter().map(|s| s.shift).collect::<Vec<_>>())
        .bind(chunk.iter().map(|s| s.round).collect::<Vec<_>>())
        .bind(chunk.iter().map(|s| s.starts_at).collect::<Vec<_>>())
        .bind(chunk.iter().map(|s| s.minutes).collect::<Vec<_>>())
        .bind(chunk.iter().map(|s| s.capacity).collect::<Vec<_>>())
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// A slot and the lowest seat that nobody has.
#[derive(Debug, Clone)]
pub struct OpenSlotRow {
    pub slot_id: SlotId,
    pub unit_code: String,
    pub day: Date,
    pub capacity: i16,
    pub next_seat: i16,
}

/// Slots below `scope` on or after `from` with at least one free seat, of `round` or (with `None`) of any, by
/// time.
///
/// Seats are given in ascending order, so that the next free seat is one more than the highest. One that the
/// register took back is given again if it was the last of its slot; a gap before others stays.
pub async fn open_slots(
    conn: &mut PgConnection,
    scope: &str,
    from: Date,
    round: Option<i16>,
) -> Result<Vec<OpenSlotRow>, Error> {
    let rows = sqlx::query(
        "SELECT s.slot_id, s.unit_code, s.day, s.capacity, (coalesce(max(i.seat), \
         0) + 1)::smallint AS next_seat \
         FROM slot s LEFT JOIN invitation i ON i.slot_id = s.slot_id \
         WHERE s.unit_path LIKE $1 || '%' AND s.day >= $2 AND ($3::smallint IS NULL OR s.round = $3) \
         GROUP BY s.slot_id HAVING coalesce(max(i.seat), 0) < s.capacity \
         ORDER BY s.starts_at, s.slot_id",
    )
    .bind(scope)
    .bind(from)
    .bind(round)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(OpenSlotRow {
                slot_id: SlotId::from_uuid(row.try_get("slot_id")?),
                unit_code: row.try_get("unit_code")?,
                day: row.try_get("day")?,
                capacity: row.try_get("capacity")?,
                next_seat: row.try_get("next_seat")?,
            })
        })
        .collect()
}

/// A person's seat in a slot. A person has at most one in each round.
#[derive(Debug, Clone)]
pub struct InvitationRow {
    pub person_id: PersonId,
    pub round: i16,
    pub slot_id: SlotId,
    pub slot_capacity: i16,
    pub seat: i16,
    pub unit_path: String,
}

/// Writes invitations. A repeat of the same invitation changes nothing; a seat that is taken is refused by
/// constraint (`invitation_slot_id_seat_key`).
pub async fn put_invitations(
    conn: &mut PgConnection,
    rows: &[InvitationRow],
    at: OffsetDateTime,
) -> Result<(), Error> {
    for chunk in rows.chunks(CHUNK) {
        sqlx::query(
            "INSERT INTO invitation (person_id, round, slot_id, slot_capacity, seat, unit_path, state, \
             invited_at) \
             SELECT person_id, round, slot_id, slot_capacity, seat, unit_path, 'invited', $7 \
             FROM unnest($1::uuid[], $2::smallint[], $3::uuid[], $4::smallint[], $5::smallint[], $6::text[]) \
             AS t (person_id, round, slot_id, slot_capacity, seat, unit_path) ON CONFLICT (person_id, round) \
             DO NOTHING",
        )
        .bind(chunk.iter().map(|r| r.person_id.uuid()).collect::<Vec<_>>())
        .bind(chunk.iter().map(|r| r.round).collect::<Vec<_>>())
        .bind(chunk.iter().map(|r| r.slot_id.uuid()).collect::<Vec<_>>())
        .bind(chunk.iter().map(|r| r.slot_capacity).collect::<Vec<_>>())
        .bind(chunk.iter().map(|r| r.seat).collect::<Vec<_>>())
        .bind(chunk.iter().map(|r| r.unit_path.as_str()).collect::<Vec<_>>())
        .bind(at)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// An invitation with its slot, as a team's list for the day shows it.
#[derive(Debug, Clone)]
pub struct Expected {
    pub person_id: PersonId,
    pub round: i16,
    pub kit_id: KitId,
    pub slot_id: SlotId,
    pub unit_code: String,
    pub unit_path: String,
    pub starts_at: OffsetDateTime,
    pub minutes: i16,
    pub seat: i16,
    pub state: String,
}

/// Everyone invited for `day` below `scope`, by kit, time and seat.
pub async fn expected_on(conn: &mut PgConnection, scope: &str, day: Date) -> Result<Vec<Expected>, Error> {
    let rows = sqlx::query(
        "SELECT i.person_id, i.round, s.kit_id, s.slot_id, s.unit_code, s.unit_path, s.starts_at, s.minutes, \
         i.seat, i.state \
         FROM slot s JOIN invitation i ON i.slot_id = s.slot_id \
         WHERE s.day = $2 AND s.unit_path LIKE $1 || '%' AND i.state <> 'withdrawn' \
         ORDER BY s.kit_id, s.starts_at, i.seat",
    )
    .bind(scope)
    .bind(day)
    .fetch_all(conn)
    .await?;
    rows.iter().map(expected).collect()
}

fn expected(row: &PgRow) -> Result<Expected, Error> {
    Ok(Expected {
        person_id: PersonId::from_uuid(row.try_get("person_id")?),
        round: row.try_get("round")?,
        kit_id: KitId::from_uuid(row.try_get("kit_id")?),
        slot_id: SlotId::from_uuid(row.try_get("slot_id")?),
        unit_code: row.try_get("unit_code")?,
        unit_path: row.try_get("unit_path")?,
        starts_at: row.try_get("starts_at")?,
        minutes: row.try_get("minutes")?,
        seat: row.try_get("seat")?,
        state: row.try_get("state")?,
    })
}

/// Tells the server anew how many slots and invitations there are and of what values. It does so by itself
/// after a minute; until then it takes the tables that a plan has just filled for empty, and reads them
/// whole for each day.
///
/// # Errors
/// Those of the database.
pub async fn refresh_statistics(tx: &mut PgConnection) -> Result<(), Error> {
    sqlx::raw_sql("SELECT refresh_plan_statistics()").execute(tx).await?;
    Ok(())
}

/// Closes a day's invitations: `attended` came, the rest of the day's missed. Says how many rows changed.
pub async fn close_day(
    conn: &mut PgConnection,
    scope: &str,
    day: Date,
    attended: &[PersonId],
) -> Result<u64, Error> {
    // Two statements: one that looks each of a day's people up in a list of all who came takes the square of
    // their number.
    let came: Vec<Uuid> = attended.iter().map(|p| p.uuid()).collect();
    let attended = sqlx::query(
        "UPDATE invitation i SET state = 'attended' FROM unnest($3::uuid[]) AS came (person_id), slot s \
         WHERE i.person_id = came.person_id AND i.state = 'invited' \
         AND s.slot_id = i.slot_id AND s.day = $2 AND s.unit_path LIKE $1 || '%'",
    )
    .bind(scope)
    .bind(day)
    .bind(came)
    .execute(&mut *conn)
    .await?;
    let missed = sqlx::query(
        "UPDATE invitation i SET state = 'missed' FROM slot s \
         WHERE s.slot_id = i.slot_id AND s.day = $2 AND s.unit_path LIKE $1 || '%' AND i.state = 'invited'",
    )
    .bind(scope)
    .bind(day)
    .execute(conn)
    .await?;
    Ok(attended.rows_affected() + missed.rows_affected())
}

/// A person whose latest invitation was missed.
#[derive(Debug, Clone)]
pub struct Missed {
    pub person_id: PersonId,
    pub rounds: i16,
    pub unit_code: String,
    pub unit_path: String,
}

/// Whoever missed the latest invitation, or lives after all although it was taken back, and has been invited
/// fewer than `most` times, in the order of invitation.
pub async fn missed(conn: &mut PgConnection, scope: &str, most: i16) -> Result<Vec<Missed>, Error> {
    let sql = format!(
        "SELECT i.person_id, i.round, p.permanent_unit, p.unit_path FROM invitation i \
         JOIN person p USING (person_id) \
         WHERE i.state IN ('missed', 'withdrawn') AND i.round < $2 AND i.unit_path LIKE $1 || '%' \
         AND p.{LIVING} \
         AND NOT EXISTS (SELECT 1 FROM invitation n WHERE n.person_id = i.person_id AND n.round > i.round) \
         ORDER BY i.round, i.slot_id, i.seat"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(scope).bind(most).fetch_all(conn).await?;
    rows.iter()
        .map(|row| {
            Ok(Missed {
                person_id: PersonId::from_uuid(row.try_get("person_id")?),
                rounds: row.try_get("round")?,
                unit_code: row.try_get("permanent_unit")?,
                unit_path: row.try_get("unit_path")?,
            })
        })
        .collect()
}

/// Everyone below `scope` who came to an invitation, and on which day.
pub async fn attended(conn: &mut PgConnection, scope: &str) -> Result<Vec<(PersonId, Date)>, Error> {
    let rows: Vec<(Uuid, Date)> = sqlx::query_as(
        "SELECT i.person_id, s.day FROM invitation i JOIN slot s USING (slot_id) \
         WHERE i.state = 'attended' AND i.unit_path LIKE $1 || '%'",
    )
    .bind(scope)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(person, day)| (PersonId::from_uuid(person), day)).collect())
}

/// The last day for which somebody is invited below `scope`.
pub async fn last_invited_day(conn: &mut PgConnection, scope: &str) -> Result<Option<Date>, Error> {
    Ok(sqlx::query_scalar(
        "SELECT max(s.day) FROM invitation i JOIN slot s USING (slot_id) WHERE i.state = 'invited' \
         AND s.unit_path LIKE $1 || '%'",
    )
    .bind(scope)
    .fetch_one(conn)
    .await?)
}

/// The first and the last day of a round's slots below `scope`.
///
/// # Errors
/// Those of the database.
pub async fn days_of_round(
    conn: &mut PgConnection,
    scope: &UnitScope,
    round: i16,
) -> Result<Option<(Date, Date)>, Error> {
    let (first, last): (Option<Date>, Option<Date>) =
        sqlx::query_as("SELECT min(day), max(day) FROM slot WHERE round = $2 AND unit_path LIKE $1 || '%'")
            .bind(scope.as_str())
            .bind(round)
            .fetch_one(conn)
            .await?;
    Ok(first.zip(last))
}
