//! Cases as pages show them.
//!
//! Functions whose connection is called `scoped` are for [`crate::Database::scoped`] transactions, where
//! row-level security keeps other units' rows away; those with `conn` read tables without a policy and take
//! the scope or an id that was let through before.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{CASE, Case, CaseRow};
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

/// Cases of one stage: what is due first comes first; closed ones newest first.
pub async fn cases(scoped: &mut PgConnection, stage: CaseStage, limit: i64) -> Result<Vec<Case>, Error> {
    let tail = match stage {
        CaseStage::Open => "WHERE decision IS NULL ORDER BY due_at, case_id LIMIT $1",
        CaseStage::Unconfirmed => {
            "WHERE decision IS NOT NULL AND confirmed_by IS NULL ORDER BY due_at, case_id LIMIT $1"
        }
        CaseStage::Closed => {
            "WHERE confirmed_by IS NOT NULL ORDER BY decided_at DESC NULLS LAST, case_id LIMIT $1"
        }
    };
    let rows: Vec<CaseRow> =
        sqlx::query_as(sqlx::AssertSqlSafe(format!("{CASE} {tail}"))).bind(limit).fetch_all(scoped).await?;
    Ok(rows.into_iter().map(Case::from).collect())
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
pub async fn case(scoped: &mut PgConnection, id: CaseId) -> Result<Option<Case>, Error> {
    let row: Option<CaseRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!("{CASE} WHERE case_id = $1")))
        .bind(id.uuid())
        .fetch_optional(scoped)
        .await?;
    Ok(row.map(Case::from))
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
