//! Applications as pages show them.
//!
//! Functions whose connection is called `scoped` are for [`crate::Database::scoped`] transactions, where
//! row-level security keeps other units' rows away; those with `conn` read tables without a policy and take
//! the scope or an id that was let through before.

use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, Row};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::platform::error::inconsistent;
use crate::{Error, UnitScope};
use domain::UnitCode;
use domain::application::State;
use domain::id::{ApplicationId, PersonId};

/// Which applications a list shows, newest first.
#[derive(Debug, Clone, Default)]
pub struct ApplicationsQuery {
    pub state: Option<State>,
    /// A unit inside the reader's scope.
    pub under: Option<UnitScope>,
    pub ids: Option<Vec<ApplicationId>>,
    /// The last application of the page before.
    pub after: Option<ApplicationId>,
    pub limit: i64,
}

/// One line of a list of applications.
#[derive(Clone, FromRow)]
pub struct ApplicationHit {
    pub application_id: Uuid,
    pub kind: String,
    pub state: String,
    pub state_since: OffsetDateTime,
    pub unit_code: String,
    pub captured_at: OffsetDateTime,
    /// As declared at capture; `None` until the packet was opened.
    pub name: Option<String>,
    pub differs: Option<Vec<String>>,
}

/// What the citizen declared, and in which fields it differs from the register.
#[derive(Clone)]
pub struct DeclaredRecord {
    pub record: serde_json::Value,
    pub differs: Vec<String>,
}

/// What somebody who holds a receipt code may know.
#[derive(Debug, Clone)]
pub struct Followed {
    pub state: State,
    pub state_since: OffsetDateTime,
    pub captured_at: OffsetDateTime,
    pub unit: UnitCode,
}

const APPLICATION_HIT: &str = "SELECT a.application_id, a.kind, a.state, a.state_since, a.unit_code, \
                               a.captured_at, \
     r.record->>'name' AS name, r.differs FROM application a \
     LEFT JOIN application_record r USING (application_id)";

/// A page of applications, the newest capture first.
pub async fn applications(
    scoped: &mut PgConnection,
    query: &ApplicationsQuery,
) -> Result<Vec<ApplicationHit>, Error> {
    let ids = query.ids.as_ref().map(|ids| ids.iter().map(|id| id.uuid()).collect::<Vec<_>>());
    let rows = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{APPLICATION_HIT} WHERE ($1::text IS NULL OR a.state = $1) AND ($2::text IS NULL \
         OR (a.unit_path ~>=~ $2 AND a.unit_path ~<~ $6)) \
           AND ($3::uuid[] IS NULL OR a.application_id = ANY($3)) AND ($4::uuid IS NULL OR (a.captured_at, \
                a.application_id) < (SELECT l.captured_at, l.application_id FROM application l \
                WHERE l.application_id = $4)) \
         ORDER BY a.captured_at DESC, a.application_id DESC LIMIT $5"
    )))
    .bind(query.state.map(State::code))
    .bind(query.under.as_ref().map(UnitScope::as_str))
    .bind(ids)
    .bind(query.after.map(ApplicationId::uuid))
    .bind(query.limit)
    .bind(query.under.as_ref().map(UnitScope::end))
    .fetch_all(scoped)
    .await?;
    Ok(rows)
}

/// The applications of one person, newest first.
pub async fn applications_of(scoped: &mut PgConnection, id: PersonId) -> Result<Vec<ApplicationHit>, Error> {
    let rows = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{APPLICATION_HIT} WHERE a.person_id = $1 ORDER BY a.captured_at DESC, a.application_id DESC \
         LIMIT 100"
    )))
    .bind(id.uuid())
    .fetch_all(scoped)
    .await?;
    Ok(rows)
}

/// What was declared at capture; `None` until the packet was opened.
pub async fn declared(scoped: &mut PgConnection, id: ApplicationId) -> Result<Option<DeclaredRecord>, Error> {
    let row: Option<PgRow> =
        sqlx::query("SELECT record, differs FROM application_record WHERE application_id = $1")
            .bind(id.uuid())
            .fetch_optional(scoped)
            .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(DeclaredRecord { record: row.try_get("record")?, differs: row.try_get("differs")? }))
}

/// How the application of a receipt code stands. `receipt_hash` is the SHA-256 of the code.
pub async fn follow(conn: &mut PgConnection, receipt_hash: &[u8]) -> Result<Option<Followed>, Error> {
    let row: Option<(Uuid, String, OffsetDateTime, OffsetDateTime, String)> = sqlx::query_as(
        "SELECT application_id, state, state_since, captured_at, unit_code FROM application \
         WHERE receipt_hash = $1",
    )
    .bind(receipt_hash)
    .fetch_optional(conn)
    .await?;
    let Some((id, state, state_since, captured_at, unit)) = row else { return Ok(None) };
    let state =
        State::from_code(&state).ok_or_else(|| inconsistent("application", id, "state is unknown"))?;
    let unit = unit.parse().map_err(|_| inconsistent("application", id, "unit_code is not a unit code"))?;
    Ok(Some(Followed { state, state_since, captured_at, unit }))
}
