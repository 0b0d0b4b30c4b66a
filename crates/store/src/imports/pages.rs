//! Imported files as pages show them.

use sqlx::{FromRow, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Error;
use domain::id::ImportId;

/// An imported file and its counts.
#[derive(Debug, Clone, FromRow)]
pub struct ImportFileRow {
    pub import_id: Uuid,
    pub name: String,
    pub format: String,
    pub bytes_total: i64,
    pub bytes_done: i64,
    pub rows_read: i64,
    pub rows_accepted: i64,
    pub rows_repeated: i64,
    pub rows_rejected: i64,
    /// Of the refused forms, those that no later file has replaced.
    pub rows_to_correct: i64,
    pub started_at: OffsetDateTime,
    pub finished_at: Option<OffsetDateTime>,
}

/// A form that the importer refused.
#[derive(Clone, FromRow)]
pub struct ImportRejectRow {
    pub row_no: i64,
    pub form_no: Option<String>,
    pub errors: serde_json::Value,
    pub raw: serde_json::Value,
}

/// The latest imported files.
pub async fn import_files(conn: &mut PgConnection, limit: i64) -> Result<Vec<ImportFileRow>, Error> {
    let rows = sqlx::query_as(
        "SELECT import_id, name, format, bytes_total, bytes_done, rows_read, rows_accepted, rows_repeated, \
                rows_rejected, started_at, finished_at, \
                (SELECT count(*) FROM import_reject r WHERE r.import_id = f.import_id \
                AND r.resolved_by IS NULL) \
                    AS rows_to_correct \
         FROM import_file f ORDER BY started_at DESC, name, import_id LIMIT $1",
    )
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Refused forms of one file that no later import has resolved, from `after` on.
pub async fn import_rejects(
    conn: &mut PgConnection,
    id: ImportId,
    after: i64,
    limit: i64,
) -> Result<Vec<ImportRejectRow>, Error> {
    let rows = sqlx::query_as(
        "SELECT row_no, form_no, errors, raw FROM import_reject \
         WHERE import_id = $1 AND row_no > $2 AND resolved_by IS NULL ORDER BY row_no LIMIT $3",
    )
    .bind(id.uuid())
    .bind(after)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}
