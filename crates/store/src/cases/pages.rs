//! Cases as pages show them.
//!
//! Functions whose connection is called `scoped` are for [`crate::Database::scoped`] transactions, where row-level security
//! keeps other units' rows away; those with `conn` read tables without a policy and take the scope or an id that was let
//! through before.

use sqlx::{FromRow, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Error;
use domain::id::{ApplicationId, CaseId};

/// Which cases a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaseStage {
    /// Nobody has decided.
    Open,
    /// One adjudicator has decided; a second must confirm.
    Unconfirmed,
    Closed,
}

/// A case as the adjudicator sees it.
#[derive(Clone, FromRow)]
pub struct CasePage {
    pub case_id: Uuid,
    pub kind: String,
    pub application_id: Option<Uuid>,
    pub other_application_id: Option<Uuid>,
    pub person_id: Option<Uuid>,
    pub other_person_id: Option<Uuid>,
    pub evidence: serde_json::Value,
    pub unit_path: String,
    pub opened_at: OffsetDateTime,
    pub due_at: OffsetDateTime,
    pub decision: Option<String>,
    /// With `link`: whom to.
    pub decided_person_id: Option<Uuid>,
    pub decided_by: Option<String>,
    pub confirmed_by: Option<String>,
}

/// One thing that somebody did about a case.
#[derive(Clone, FromRow)]
pub struct CaseActionRow {
    /// `propose`, `confirm` or `reopen`.
    pub action: String,
    pub at: OffsetDateTime,
    pub actor: String,
    pub decision: String,
    pub note: Option<String>,
}

const CASE_COLUMNS: &str = "SELECT case_id, kind, application_id, other_application_id, person_id, other_person_id, \
     evidence, unit_path, opened_at, due_at, decision, decided_person_id, decided_by, confirmed_by FROM case_file";

/// Cases of one stage: what is due first comes first; closed ones newest first.
pub async fn cases(scoped: &mut PgConnection, stage: CaseStage, limit: i64) -> Result<Vec<CasePage>, Error> {
    let tail = match stage {
        CaseStage::Open => "WHERE decision IS NULL ORDER BY due_at, case_id LIMIT $1",
        CaseStage::Unconfirmed => {
            "WHERE decision IS NOT NULL AND confirmed_by IS NULL ORDER BY due_at, case_id LIMIT $1"
        }
        CaseStage::Closed => {
            "WHERE confirmed_by IS NOT NULL ORDER BY decided_at DESC NULLS LAST, case_id LIMIT $1"
        }
    };
    let rows = sqlx::query_as(sqlx::AssertSqlSafe(format!("{CASE_COLUMNS} {tail}")))
        .bind(limit)
        .fetch_all(scoped)
        .await?;
    Ok(rows)
}

/// How many cases stand in each stage: open, unconfirmed, closed.
pub async fn case_counts(scoped: &mut PgConnection) -> Result<(i64, i64, i64), Error> {
    let row = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE decision IS NULL), \
                count(*) FILTER (WHERE decision IS NOT NULL AND confirmed_by IS NULL), \
                count(*) FILTER (WHERE confirmed_by IS NOT NULL) FROM case_file",
    )
    .fetch_one(scoped)
    .await?;
    Ok(row)
}

/// One case.
pub async fn case(scoped: &mut PgConnection, id: CaseId) -> Result<Option<CasePage>, Error> {
    let row = sqlx::query_as(sqlx::AssertSqlSafe(format!("{CASE_COLUMNS} WHERE case_id = $1")))
        .bind(id.uuid())
        .fetch_optional(scoped)
        .await?;
    Ok(row)
}

/// What was done about a case, from the first.
pub async fn case_actions(scoped: &mut PgConnection, id: CaseId) -> Result<Vec<CaseActionRow>, Error> {
    let rows = sqlx::query_as(
        "SELECT action, at, actor, decision, note FROM case_action WHERE case_id = $1 ORDER BY seq LIMIT 100",
    )
    .bind(id.uuid())
    .fetch_all(scoped)
    .await?;
    Ok(rows)
}

/// The cases that an application is part of, as (id, kind, decided).
pub async fn cases_of(
    scoped: &mut PgConnection,
    id: ApplicationId,
) -> Result<Vec<(Uuid, String, bool)>, Error> {
    let rows = sqlx::query_as(
        "SELECT case_id, kind, confirmed_by IS NOT NULL FROM case_file \
         WHERE application_id = $1 OR other_application_id = $1 ORDER BY opened_at, case_id LIMIT 20",
    )
    .bind(id.uuid())
    .fetch_all(scoped)
    .await?;
    Ok(rows)
}
