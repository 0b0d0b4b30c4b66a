//! Campaigns, and how their communes, kits and invitations stand.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::AreaCount;
use crate::{Error, UnitScope};
use domain::UnitCode;
use domain::deadline::{Deadline, Wording};
use domain::id::{KitId, PersonId};

/// A campaign as it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignRow {
    pub unit: UnitCode,
    pub unit_path: String,
    pub starts_on: Date,
    pub deadline: Deadline,
    /// Cards; `None` where every eligible resident counts.
    pub amount: Option<i64>,
    pub opened_at: OffsetDateTime,
    pub opened_by: String,
}

const CAMPAIGN: &str = "SELECT unit_code, unit_path, starts_on, deadline, deadline_wording, amount, \
                        opened_at, opened_by FROM campaign";

/// Makes whoever opens campaigns wait for one another until the transaction ends: that two do not overlap is
/// seen by nobody else.
///
/// # Errors
/// Those of the database.
pub async fn lock(tx: &mut PgConnection) -> Result<(), Error> {
    crate::platform::db::lock(tx, "lock.campaign").await
}

/// Adds a campaign.
///
/// # Errors
/// Those of the database; the unit's campaign of this first day is there already (constraint
/// `campaign_pkey`).
pub async fn put(tx: &mut PgConnection, campaign: &CampaignRow) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO campaign (unit_code, unit_path, starts_on, deadline, deadline_wording, amount, \
         opened_at, opened_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(campaign.unit.to_string())
    .bind(&campaign.unit_path)
    .bind(campaign.starts_on)
    .bind(campaign.deadline.date)
    .bind(campaign.deadline.wording.code())
    .bind(campaign.amount)
    .bind(campaign.opened_at)
    .bind(&campaign.opened_by)
    .execute(tx)
    .await?;
    Ok(())
}

/// Every campaign that was opened, the newest first.
///
/// # Errors
/// Those of the database; [`Error::Inconsistent`].
pub async fn all(conn: &mut PgConnection) -> Result<Vec<CampaignRow>, Error> {
    let sql = format!("{CAMPAIGN} ORDER BY starts_on DESC, unit_code");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(conn).await?;
    rows.iter().map(campaign).collect()
}

fn campaign(row: &PgRow) -> Result<CampaignRow, Error> {
    let (unit, wording): (String, String) = (row.try_get("unit_code")?, row.try_get("deadline_wording")?);
    let wrong =
        |what: &str| Error::Inconsistent { table: "campaign", row: unit.clone(), reason: what.to_owned() };
    Ok(CampaignRow {
        unit: unit.parse().map_err(|_| wrong("not a unit code"))?,
        unit_path: row.try_get("unit_path")?,
        starts_on: row.try_get("starts_on")?,
        deadline: Deadline {
            date: row.try_get("deadline")?,
            wording: Wording::from_code(&wording).ok_or_else(|| wrong("an unknown wording"))?,
        },
        amount: row.try_get("amount")?,
        opened_at: row.try_get("opened_at")?,
        opened_by: row.try_get("opened_by")?,
    })
}

/// A commune's share of the work, and how far its invitations are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AreaStanding {
    pub count: AreaCount,
    pub quota: i64,
    /// People who were invited once at least.
    pub invited: i64,
    /// Invitations that were answered by an application.
    pub attended: i64,
    /// People whose last invitation was missed.
    pub missed: i64,
}

/// The communes of a campaign, by code.
///
/// # Errors
/// Those of the database.
pub async fn areas(conn: &mut PgConnection, scope: &UnitScope) -> Result<Vec<AreaStanding>, Error> {
    let rows = sqlx::query(
        "WITH last AS (SELECT DISTINCT ON (person_id) person_id, unit_path, state FROM invitation \
                       WHERE unit_path LIKE $1 || '%' ORDER BY person_id, round DESC), \
              sums AS (SELECT unit_path, count(*) AS invited, \
                              count(*) FILTER (WHERE state = 'attended') AS attended, \
                              count(*) FILTER (WHERE state = 'missed') AS missed \
                       FROM last GROUP BY unit_path) \
         SELECT a.unit_code, a.unit_path, a.residents, a.eligible, a.quota, coalesce(s.invited, 0) \
                AS invited, \
                coalesce(s.attended, 0) AS attended, coalesce(s.missed, 0) AS missed \
         FROM area a LEFT JOIN sums s USING (unit_path) WHERE a.unit_path LIKE $1 || '%' \
         ORDER BY a.unit_code",
    )
    .bind(scope.as_str())
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(AreaStanding {
                count: AreaCount {
                    unit_code: row.try_get("unit_code")?,
                    unit_path: row.try_get("unit_path")?,
                    residents: row.try_get("residents")?,
                    eligible: row.try_get("eligible")?,
                },
                quota: row.try_get("quota")?,
                invited: row.try_get("invited")?,
                attended: row.try_get("attended")?,
                missed: row.try_get("missed")?,
            })
        })
        .collect()
}

/// A kit in the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KitDays {
    pub kit_id: KitId,
    pub name: String,
    pub first_day: Date,
    pub last_day: Date,
    pub slots: i64,
    pub seats: i64,
    /// Seats after the last that was given, in each of its slots.
    pub free: i64,
    /// Captured and resolved, of people with a seat at the kit on that day, and of people without one.
    pub served: i64,
    pub walk_ins: i64,
}

/// The kits that have slots below `scope` from `from` on, by name.
///
/// # Errors
/// Those of the database.
pub async fn kits_in_plan(
    conn: &mut PgConnection,
    scope: &UnitScope,
    from: Date,
) -> Result<Vec<KitDays>, Error> {
    let rows = sqlx::query(
        "WITH given AS (SELECT slot_id, max(seat) AS seats FROM invitation GROUP BY slot_id), \
              came AS (SELECT kit_id, sum(invited)::bigint AS served, sum(walk_ins)::bigint AS walk_ins \
                       FROM kit_shift WHERE day >= $2 GROUP BY kit_id) \
         SELECT k.kit_id, k.name, min(s.day) AS first_day, max(s.day) AS last_day, count(*) AS slots, \
                sum(s.capacity)::bigint AS seats, sum(s.capacity - coalesce(g.seats, 0))::bigint AS free, \
                coalesce(min(c.served), 0) AS served, coalesce(min(c.walk_ins), 0) AS walk_ins \
         FROM slot s JOIN kit k USING (kit_id) LEFT JOIN given g USING (slot_id) \
              LEFT JOIN came c USING (kit_id) \
         WHERE s.unit_path LIKE $1 || '%' AND s.day >= $2 GROUP BY k.kit_id, k.name ORDER BY k.name",
    )
    .bind(scope.as_str())
    .bind(from)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(KitDays {
                kit_id: KitId::from_uuid(row.try_get("kit_id")?),
                name: row.try_get("name")?,
                first_day: row.try_get("first_day")?,
                last_day: row.try_get("last_day")?,
                slots: row.try_get("slots")?,
                seats: row.try_get("seats")?,
                free: row.try_get("free")?,
                served: row.try_get("served")?,
                walk_ins: row.try_get("walk_ins")?,
            })
        })
        .collect()
}

/// The invited of `day` below `scope` who have applied since `from`, as the centre knows: whom an application
/// is linked to and, until it is, whom the officer found in the register; under any record that was merged
/// with theirs.
///
/// # Errors
/// Those of the database.
pub async fn came_on(
    conn: &mut PgConnection,
    scope: &UnitScope,
    day: Date,
    from: OffsetDateTime,
) -> Result<Vec<PersonId>, Error> {
    let came: Vec<Uuid> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "WITH asked AS (SELECT DISTINCT i.person_id FROM slot s JOIN invitation i USING (slot_id) \
                        WHERE s.day = $2 AND s.unit_path LIKE $1 || '%' AND i.state <> 'withdrawn'), {} \
         ORDER BY 1",
        applied("$3")
    )))
    .bind(scope.as_str())
    .bind(day)
    .bind(from)
    .fetch_all(conn)
    .await?;
    Ok(came.into_iter().map(PersonId::from_uuid).collect())
}

/// Whoever missed the last invitation and has applied since `from` all the same did come: another day, or the
/// application was under way when the day was closed. Says how many there are.
///
/// # Errors
/// Those of the database.
pub async fn came_late(tx: &mut PgConnection, scope: &UnitScope, from: OffsetDateTime) -> Result<u64, Error> {
    let sql = format!(
        "WITH last AS (SELECT DISTINCT ON (person_id) person_id, round, state FROM invitation \
                       WHERE unit_path LIKE $1 || '%' ORDER BY person_id, round DESC), \
              asked AS (SELECT person_id FROM last WHERE state = 'missed'), \
              came (person_id) AS (WITH {}) \
         UPDATE invitation i SET state = 'attended' FROM last JOIN came USING (person_id) \
         WHERE i.person_id = last.person_id AND i.round = last.round AND i.state = 'missed'",
        applied("$2")
    );
    let done = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(scope.as_str()).bind(from).execute(tx).await?;
    Ok(done.rows_affected())
}

/// Of the people `asked`, those with an application since the parameter `from`.
fn applied(from: &str) -> String {
    format!(
        "records (person_id, own) AS ( \
             SELECT person_id, person_id FROM asked \
             UNION SELECT a.person_id, m.person_id FROM asked a JOIN person m ON m.same_as = a.person_id \
             UNION SELECT a.person_id, p.same_as FROM asked a JOIN person p USING (person_id) \
                   WHERE p.same_as IS NOT NULL) \
         SELECT r.person_id FROM records r JOIN application x ON x.person_id = r.own \
         WHERE x.captured_at >= {from} \
         UNION SELECT r.person_id FROM records r JOIN application x ON x.claimed_person_id = r.own \
               WHERE x.person_id IS NULL AND x.captured_at >= {from}"
    )
}

/// What of a day the centre does not know yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unknown {
    /// Captures of which a kit told and whose packet has not come.
    pub on_kits: i64,
    /// Packets that came and were not opened.
    pub unopened: i64,
}

/// The captures between `from` and `until` below `scope` of which the centre cannot say yet whose they are.
///
/// # Errors
/// Those of the database.
pub async fn unknown(
    conn: &mut PgConnection,
    scope: &UnitScope,
    from: OffsetDateTime,
    until: OffsetDateTime,
) -> Result<Unknown, Error> {
    let row = sqlx::query(
        "SELECT count(*) FILTER (WHERE a.state = 'captured') AS on_kits, \
                count(*) FILTER (WHERE a.state = 'received' AND r.application_id IS NULL) AS unopened \
         FROM application a LEFT JOIN application_record r USING (application_id) \
         WHERE a.unit_path LIKE $1 || '%' AND a.captured_at >= $2 AND a.captured_at < $3 \
         AND a.state IN ('captured', 'received')",
    )
    .bind(scope.as_str())
    .bind(from)
    .bind(until)
    .fetch_one(conn)
    .await?;
    Ok(Unknown { on_kits: row.try_get("on_kits")?, unopened: row.try_get("unopened")? })
}

/// The kits that had slots on `day` below `scope` and have sent no report of it, by name.
///
/// # Errors
/// Those of the database.
pub async fn kits_unheard(
    conn: &mut PgConnection,
    scope: &UnitScope,
    day: Date,
) -> Result<Vec<String>, Error> {
    Ok(sqlx::query_scalar(
        "SELECT DISTINCT k.name FROM slot s JOIN kit k USING (kit_id) \
         WHERE s.day = $2 AND s.unit_path LIKE $1 || '%' AND EXISTS \
               (SELECT FROM invitation i WHERE i.slot_id = s.slot_id AND i.state <> 'withdrawn') \
         AND NOT EXISTS (SELECT FROM kit_report r WHERE r.kit_id = s.kit_id AND r.day = $2) ORDER BY 1",
    )
    .bind(scope.as_str())
    .bind(day)
    .fetch_all(conn)
    .await?)
}

/// The first of these slots' times at which a kit stands elsewhere already, with its name.
///
/// # Errors
/// Those of the database.
pub async fn stands_elsewhere(
    conn: &mut PgConnection,
    slots: &[super::SlotRow],
) -> Result<Option<(String, Date)>, Error> {
    Ok(sqlx::query_as(
        "SELECT k.name, s.day FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[]) \
              AS n (kit_id, starts_at, slot_id) \
         JOIN slot s ON s.kit_id = n.kit_id AND s.starts_at = n.starts_at AND s.slot_id <> n.slot_id \
         JOIN kit k ON k.kit_id = s.kit_id ORDER BY s.starts_at LIMIT 1",
    )
    .bind(slots.iter().map(|slot| slot.kit_id.uuid()).collect::<Vec<_>>())
    .bind(slots.iter().map(|slot| slot.starts_at).collect::<Vec<_>>())
    .bind(slots.iter().map(|slot| slot.slot_id.uuid()).collect::<Vec<_>>())
    .fetch_optional(conn)
    .await?)
}
