//! Counts for the reports. Nothing here writes.

use sqlx::Row;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::register::LIVING;
use crate::{Error, PgConnection, UnitScope};
use domain::UnitCode;
use domain::application::State;
use domain::deadline::{Deadline, Wording};
use domain::id::ApplicationId;

/// The day of an instant in Vietnam, for GROUP BY and comparisons.
macro_rules! vn_day {
    ($column:literal) => {
        concat!("((", $column, " AT TIME ZONE 'Asia/Ho_Chi_Minh')::date)")
    };
}

mod kits;

pub mod scoring;
pub mod work;

pub use kits::{KitCount, KitDay, kit_counts, kit_days};

/// A commune of the plan: residents who may apply, and how many of them were invited.
#[derive(Debug, Clone)]
pub struct AreaRow {
    pub unit: UnitCode,
    pub eligible: i64,
    pub invited: i64,
}

/// Communes of the plan with how many different people were invited.
pub async fn areas(conn: &mut PgConnection, scope: &UnitScope) -> Result<Vec<AreaRow>, Error> {
    let rows = sqlx::query(
        "SELECT a.unit_code, a.eligible, coalesce(i.invited, 0) AS invited FROM area a LEFT JOIN \
         (SELECT unit_path, count(*) AS invited FROM invitation WHERE round = 1 AND unit_path LIKE $1 || '%' \
          GROUP BY unit_path) i USING (unit_path) WHERE a.unit_path LIKE $1 || '%'",
    )
    .bind(scope.as_str())
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(AreaRow {
                unit: unit("area", row.try_get("unit_code")?)?,
                eligible: row.try_get("eligible")?,
                invited: row.try_get("invited")?,
            })
        })
        .collect()
}

/// How many of a commune's applications stand in a state.
#[derive(Debug, Clone)]
pub struct StateCount {
    pub unit: UnitCode,
    pub state: State,
    pub count: i64,
}

/// Counts for every commune and state below `scope` that has any.
pub async fn state_counts(conn: &mut PgConnection, scope: &UnitScope) -> Result<Vec<StateCount>, Error> {
    let rows = sqlx::query(
        "SELECT unit_code, state, count(*) AS count FROM application WHERE unit_path LIKE $1 || '%' \
         GROUP BY unit_code, state",
    )
    .bind(scope.as_str())
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(StateCount {
                unit: unit("application", row.try_get("unit_code")?)?,
                state: state(row.try_get("state")?)?,
                count: row.try_get("count")?,
            })
        })
        .collect()
}

/// How many applications stand in a state, and since when the oldest does.
#[derive(Debug, Clone)]
pub struct StateAge {
    pub state: State,
    pub count: i64,
    pub oldest: OffsetDateTime,
}

/// The states below `scope` in which any application stands.
pub async fn state_ages(conn: &mut PgConnection, scope: &UnitScope) -> Result<Vec<StateAge>, Error> {
    let rows = sqlx::query(
        "SELECT state, count(*) AS count, min(state_since) AS oldest FROM application \
         WHERE unit_path LIKE $1 || '%' GROUP BY state",
    )
    .bind(scope.as_str())
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(StateAge {
                state: state(row.try_get("state")?)?,
                count: row.try_get("count")?,
                oldest: row.try_get("oldest")?,
            })
        })
        .collect()
}

/// Cards to be reached, and between which days.
#[derive(Debug, Clone)]
pub struct TargetNumbers {
    pub amount: i64,
    pub starts_on: Date,
    pub deadline: Deadline,
}

/// The target set for `unit`; else, for a part of a unit that has one, the quotas of the part's communes with
/// the dates of the nearest unit above.
pub async fn target(
    conn: &mut PgConnection,
    of: UnitCode,
    scope: &UnitScope,
) -> Result<Option<TargetNumbers>, Error> {
    let row = sqlx::query(
        "SELECT CASE WHEN unit_code = $1 AND amount IS NOT NULL THEN amount ELSE \
           (SELECT coalesce(sum(quota), 0)::bigint FROM area WHERE unit_path LIKE $2 || '%') END AS amount, \
           starts_on, deadline, deadline_wording \
         FROM target WHERE unit_code = ANY(string_to_array(trim(trailing '/' from $2), '/')) \
         ORDER BY length(unit_code) DESC, name LIMIT 1",
    )
    .bind(of.to_string())
    .bind(scope.as_str())
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        let wording: String = row.try_get("deadline_wording")?;
        let wording = Wording::from_code(&wording).ok_or_else(|| Error::Inconsistent {
            table: "target",
            row: of.to_string(),
            reason: format!("unknown wording {wording}"),
        })?;
        Ok(TargetNumbers {
            amount: row.try_get("amount")?,
            starts_on: row.try_get("starts_on")?,
            deadline: Deadline { date: row.try_get("deadline")?, wording },
        })
    })
    .transpose()
}

/// People who were captured for the first time on a day.
#[derive(Debug, Clone, Copy)]
pub struct PeopleRow {
    pub day: Date,
    pub people: i64,
}

/// The days for which the areas below `scope` count who is eligible.
pub async fn eligible_days(conn: &mut PgConnection, scope: &UnitScope) -> Result<Vec<Date>, Error> {
    let sql = "SELECT DISTINCT eligible_on FROM area WHERE unit_path ~>=~ $1 AND unit_path ~<~ $2 ORDER BY 1";
    let rows = sqlx::query(sql).bind(scope.as_str()).bind(scope.end()).fetch_all(conn).await?;
    rows.iter().map(|row| Ok(row.try_get("eligible_on")?)).collect()
}

/// The eligible people below `scope` who have an application that was not rejected, by the day of their first
/// one.
///
/// Eligible is who counted for the area's quota: alive, not merged into another record, and born no later
/// than `born_by` has it (yyyymmdd) for the area's day, one of [`eligible_days`]. A person is whom the centre
/// linked the application to; until then, whom the officer found in the register. An application of a record
/// that was merged is its survivor's.
pub async fn people_by_day(
    conn: &mut PgConnection,
    scope: &UnitScope,
    born_by: &[(Date, i32)],
) -> Result<Vec<PeopleRow>, Error> {
    let (days, latest): (Vec<Date>, Vec<i32>) = born_by.iter().copied().unzip();
    let is_old_enough = format!(
        "{} <= ($4::integer[])[array_position($2::date[], e.eligible_on)]",
        crate::plan::LATEST_BIRTH
    );
    let sql = format!(
        "WITH RECURSIVE merged (own, person_id) AS ( \
             SELECT m.person_id, m.same_as FROM person m WHERE m.same_as IS NOT NULL \
             UNION ALL \
             SELECT c.own, p.same_as FROM merged c JOIN person p USING (person_id) \
             WHERE p.same_as IS NOT NULL), \
         eligible AS NOT MATERIALIZED ( \
             SELECT p.person_id FROM person p JOIN area e USING (unit_path) \
             WHERE p.unit_path ~>=~ $1 AND p.unit_path ~<~ $3 AND p.{LIVING} AND {is_old_enough}), \
         live AS ( \
             SELECT p.person_id, a.captured_at FROM eligible p JOIN application a USING (person_id) \
             WHERE a.state <> 'rejected' \
             UNION ALL \
             SELECT p.person_id, a.captured_at FROM eligible p \
             JOIN application a ON a.claimed_person_id = p.person_id \
             WHERE a.person_id IS NULL AND a.state <> 'rejected' \
             UNION ALL \
             SELECT p.person_id, a.captured_at FROM merged m JOIN eligible p USING (person_id) \
             JOIN application a ON a.person_id = m.own WHERE a.state <> 'rejected' \
             UNION ALL \
             SELECT p.person_id, a.captured_at FROM merged m JOIN eligible p USING (person_id) \
             JOIN application a ON a.claimed_person_id = m.own \
             WHERE a.person_id IS NULL AND a.state <> 'rejected'), \
         first AS (SELECT person_id, min(captured_at) AS at FROM live GROUP BY person_id) \
         SELECT {} AS day, count(*) AS people FROM first GROUP BY 1 ORDER BY 1",
        vn_day!("at")
    );
    // Planned for each unit anew: a commune's people are looked up, for a province everything is read once.
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .persistent(false)
        .bind(scope.as_str())
        .bind(days)
        .bind(scope.end())
        .bind(latest)
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| Ok(PeopleRow { day: row.try_get("day")?, people: row.try_get("people")? }))
        .collect()
}

/// Seats to come, and what became of the invitations so far.
#[derive(Debug, Clone, Copy)]
pub struct SeatCounts {
    /// Seats of the slots after one day and until another.
    pub planned: i64,
    pub attended: i64,
    pub missed: i64,
}

/// Seats below `scope` after `day` and on or before `last_day`, and the invitations that were closed until
/// `day`.
pub async fn seats(
    conn: &mut PgConnection,
    scope: &UnitScope,
    day: Date,
    last_day: Date,
) -> Result<SeatCounts, Error> {
    let row = sqlx::query(
        "SELECT (SELECT coalesce(sum(capacity), 0)::bigint FROM slot \
                 WHERE unit_path LIKE $1 || '%' AND day > $2 AND day <= $3) AS planned, \
                count(*) FILTER (WHERE i.state = 'attended') AS attended, \
                count(*) FILTER (WHERE i.state = 'missed') AS missed \
         FROM invitation i JOIN slot s USING (slot_id) WHERE s.unit_path LIKE $1 || '%' AND s.day <= $2",
    )
    .bind(scope.as_str())
    .bind(day)
    .bind(last_day)
    .fetch_one(conn)
    .await?;
    Ok(SeatCounts {
        planned: row.try_get("planned")?,
        attended: row.try_get("attended")?,
        missed: row.try_get("missed")?,
    })
}

/// Cards of one day.
#[derive(Debug, Clone, Copy)]
pub struct DailyRow {
    pub day: Date,
    pub printed: i64,
    pub handed_over: i64,
}

/// How many cards were printed and handed over on each day on which any was.
pub async fn daily(conn: &mut PgConnection, scope: &UnitScope) -> Result<Vec<DailyRow>, Error> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        vn_day!("x.at"),
        " AS day, count(*) FILTER (WHERE x.action = 'print') AS printed, \
         count(*) FILTER (WHERE x.action = 'hand_over') AS handed_over \
         FROM application_action x JOIN application a USING (application_id) \
         WHERE a.unit_path LIKE $1 || '%' AND x.action IN ('print', 'hand_over') GROUP BY 1 ORDER BY 1"
    ))
    .bind(scope.as_str())
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(DailyRow {
                day: row.try_get("day")?,
                printed: row.try_get("printed")?,
                handed_over: row.try_get("handed_over")?,
            })
        })
        .collect()
}

/// A source of the ledger that does not depend on an application's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// Applications of which a kit told, by packet or by its signed day report.
    Captured,
    /// Packets that were receipted.
    Packets,
    AcceptActions,
    /// Batch items that left the printer as good cards.
    BatchesPrinted,
    /// Items of consignments to districts.
    ConsignedToDistrict,
    /// Items of consignments to communes that were counted at arrival.
    CountedAtCommune,
    /// Hand-over records whose card is active, or was until something else took its place.
    ActiveCards,
}

impl Evidence {
    /// All sources, each at the place of its bit in [`EvidenceCount::seen`].
    pub const ALL: [Evidence; 7] = [
        Evidence::Captured,
        Evidence::Packets,
        Evidence::AcceptActions,
        Evidence::BatchesPrinted,
        Evidence::ConsignedToDistrict,
        Evidence::CountedAtCommune,
        Evidence::ActiveCards,
    ];

    /// A query for the ids of the applications that the evidence knows, some of them perhaps more than once.
    const fn ids(self) -> &'static str {
        match self {
            Evidence::Captured => "SELECT application_id FROM application_action WHERE action = 'capture'",
            Evidence::Packets => "SELECT application_id FROM packet",
            Evidence::AcceptActions => {
                "SELECT application_id FROM application_action WHERE action = 'accept'"
            }
            Evidence::BatchesPrinted => "SELECT application_id FROM batch_item WHERE outcome = 'printed'",
            Evidence::ConsignedToDistrict => {
                "SELECT i.application_id FROM consignment_item i JOIN consignment c USING (consignment_id) \
                 WHERE c.leg = 'district'"
            }
            Evidence::CountedAtCommune => {
                "SELECT i.application_id FROM consignment_item i JOIN consignment c USING (consignment_id) \
                 WHERE c.leg = 'commune' AND i.received"
            }
            Evidence::ActiveCards => {
                "SELECT h.application_id FROM handover h JOIN card c USING (application_id) \
                 WHERE h.outcome = 'handed_over' \
                   AND c.state IN ('active', 'suspended', 'replaced', 'expired', 'revoked')"
            }
        }
    }
}

/// How many applications stand in a state and are known to the same sources.
#[derive(Debug, Clone)]
pub struct EvidenceCount {
    /// `None` for evidence of applications that do not exist.
    pub state: Option<State>,
    seen: i32,
    pub count: i64,
}

impl EvidenceCount {
    /// Whether this source knows the applications that are counted here.
    pub fn knows(&self, evidence: Evidence) -> bool {
        self.seen & (1 << evidence as i32) != 0
    }
}

/// Applications below `scope` by state and by what all sources know of them, in one pass over each source.
///
/// Evidence of an application that does not exist belongs to no unit, so only the whole country's count has
/// it. A unit's count begins with the unit's applications: the sources of the whole country are many times
/// as long.
pub async fn evidence_counts(
    conn: &mut PgConnection,
    scope: &UnitScope,
) -> Result<Vec<EvidenceCount>, Error> {
    let is_whole = *scope == UnitScope::everything();
    let part = |evidence: Evidence| {
        let (bit, ids) = (1 << evidence as i32, evidence.ids());
        let own = if is_whole { "" } else { " JOIN own USING (application_id)" };
        format!("SELECT application_id, {bit} AS bit FROM ({ids}) x{bit}{own}")
    };
    let seen = format!(
        "SELECT application_id, bit_or(bit) AS seen FROM ({}) u GROUP BY application_id",
        Evidence::ALL.map(part).join(" UNION ALL ")
    );
    let join = if is_whole { "FULL" } else { "LEFT" };
    let sql = format!(
        "WITH own AS (SELECT application_id, state FROM application \
                      WHERE unit_path ~>=~ $1 AND unit_path ~<~ $2) \
         SELECT own.state, coalesce(e.seen, 0) AS seen, count(*) AS count \
         FROM own {join} JOIN ({seen}) e USING (application_id) GROUP BY 1, 2"
    );
    let rows =
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(scope.as_str()).bind(scope.end()).fetch_all(conn).await?;
    rows.iter()
        .map(|row| {
            let code: Option<String> = row.try_get("state")?;
            Ok(EvidenceCount {
                state: code.map(state).transpose()?,
                seen: row.try_get("seen")?,
                count: row.try_get("count")?,
            })
        })
        .collect()
}

/// Applications on which a source and the recorded states disagree.
#[derive(Debug, Clone, Default)]
pub struct Compared {
    pub evidence_only: Vec<ApplicationId>,
    pub state_only: Vec<ApplicationId>,
}

/// The first `most` applications below `scope` that the evidence knows and that are not in one of `states`,
/// and the first in one of `states` that the evidence does not know.
pub async fn differences(
    conn: &mut PgConnection,
    scope: &UnitScope,
    evidence: Evidence,
    states: &[State],
    most: i64,
) -> Result<Compared, Error> {
    // A full join of two id sets: rows with one side missing are the differences. Evidence of an application
    // that does not exist belongs to no unit, so only the whole country's ledger shows it.
    let sql = format!(
        "WITH e AS (SELECT DISTINCT application_id FROM ({}) x \
         LEFT JOIN application a USING (application_id) \
                    WHERE coalesce(a.unit_path, '') LIKE $1 || '%'), \
              s AS (SELECT application_id FROM application WHERE unit_path LIKE $1 || '%' \
              AND state = ANY($2)), \
              d AS (SELECT e.application_id AS e, s.application_id AS s FROM e FULL \
              JOIN s USING (application_id) \
                    WHERE e.application_id IS NULL OR s.application_id IS NULL) \
         SELECT ARRAY(SELECT e FROM d WHERE e IS NOT NULL ORDER BY e LIMIT $3) AS evidence_only, \
                ARRAY(SELECT s FROM d WHERE s IS NOT NULL ORDER BY s LIMIT $3) AS state_only",
        evidence.ids()
    );
    let states: Vec<&str> = states.iter().map(|state| state.code()).collect();
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(scope.as_str())
        .bind(states)
        .bind(most)
        .fetch_one(conn)
        .await?;
    let ids = |ids: Vec<Uuid>| ids.into_iter().map(ApplicationId::from_uuid).collect();
    Ok(Compared {
        evidence_only: ids(row.try_get("evidence_only")?),
        state_only: ids(row.try_get("state_only")?),
    })
}

fn unit(table: &'static str, code: String) -> Result<UnitCode, Error> {
    code.parse().map_err(|e| Error::Inconsistent { table, row: code, reason: format!("{e}") })
}

fn state(code: String) -> Result<State, Error> {
    State::from_code(&code).ok_or_else(|| Error::Inconsistent {
        table: "application",
        row: code,
        reason: "not the code of a state".to_owned(),
    })
}
