//! Files of population forms and how far they have been read.
//!
//! Nothing here decides. The caller asks what the register knows of a chunk ([`known`](fn@known::known)),
//! decides, and writes people, rejects and progress in one transaction, so that a file goes on where it
//! stopped.

pub mod known;
pub mod leftover;
pub mod pages;
pub mod quality;

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::Error;
use domain::id::ImportId;

/// A file about to be imported. Its id follows from its hash, so the same bytes are the same import.
#[derive(Debug, Clone)]
pub struct NewImport<'a> {
    pub import_id: ImportId,
    pub name: &'a str,
    /// `csv` or `qcvn109`.
    pub format: &'a str,
    pub sha256: &'a [u8; 32],
    pub bytes_total: u64,
}

/// How far an import has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportProgress {
    /// Where the next row begins.
    pub bytes_done: u64,
    pub rows_read: u64,
    pub rows_accepted: u64,
    /// Forms that the register holds already.
    pub rows_repeated: u64,
    pub rows_rejected: u64,
    /// Rows with decomposed Unicode, which was composed.
    pub rows_composed: u64,
    /// Accepted rows that name a district instead of a commune.
    pub rows_without_commune: u64,
    /// Rejected rows of earlier files that this file's rows replace.
    pub rows_resolved: u64,
}

/// An import as the database holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportState {
    pub progress: ImportProgress,
    pub finished_at: Option<OffsetDateTime>,
}

/// Records the import, or finds how far it came before.
///
/// # Errors
/// Those of the database.
pub async fn open_import(
    tx: &mut PgConnection,
    import: &NewImport<'_>,
    now: OffsetDateTime,
) -> Result<ImportState, Error> {
    sqlx::query(
        "INSERT INTO import_file (import_id, name, format, sha256, bytes_total, started_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (import_id) DO NOTHING",
    )
    .bind(import.import_id.uuid())
    .bind(import.name)
    .bind(import.format)
    .bind(import.sha256.as_slice())
    .bind(import.bytes_total.cast_signed())
    .bind(now)
    .execute(&mut *tx)
    .await?;
    find_import(tx, import.import_id).await?.ok_or_else(|| Error::Inconsistent {
        table: "import_file",
        row: import.import_id.to_string(),
        reason: "it was written a moment ago and is not there".to_owned(),
    })
}

/// How far the import has come; `None` when it was never begun.
///
/// # Errors
/// Those of the database.
pub async fn find_import(conn: &mut PgConnection, import_id: ImportId) -> Result<Option<ImportState>, Error> {
    let row: Option<ImportRow> = sqlx::query_as(
        "SELECT bytes_done, rows_read, rows_accepted, rows_repeated, rows_rejected, rows_composed, \
                rows_without_commune, rows_resolved, finished_at FROM import_file WHERE import_id = $1",
    )
    .bind(import_id.uuid())
    .fetch_optional(conn)
    .await?;
    Ok(row.map(ImportState::from))
}

#[derive(sqlx::FromRow)]
struct ImportRow {
    bytes_done: i64,
    rows_read: i64,
    rows_accepted: i64,
    rows_repeated: i64,
    rows_rejected: i64,
    rows_composed: i64,
    rows_without_commune: i64,
    rows_resolved: i64,
    finished_at: Option<OffsetDateTime>,
}

impl From<ImportRow> for ImportState {
    fn from(row: ImportRow) -> Self {
        let progress = ImportProgress {
            bytes_done: row.bytes_done.cast_unsigned(),
            rows_read: row.rows_read.cast_unsigned(),
            rows_accepted: row.rows_accepted.cast_unsigned(),
            rows_repeated: row.rows_repeated.cast_unsigned(),
            rows_rejected: row.rows_rejected.cast_unsigned(),
            rows_composed: row.rows_composed.cast_unsigned(),
            rows_without_commune: row.rows_without_commune.cast_unsigned(),
            rows_resolved: row.rows_resolved.cast_unsigned(),
        };
        ImportState { progress, finished_at: row.finished_at }
    }
}

/// Moves the import's progress from `from` to `to`. `false`, and nothing done, when it no longer stands at
/// `from`: somebody else imports the same file.
///
/// # Errors
/// Those of the database.
pub async fn advance(
    tx: &mut PgConnection,
    import_id: ImportId,
    from: &ImportProgress,
    to: &ImportProgress,
) -> Result<bool, Error> {
    let update = sqlx::query(
        "UPDATE import_file SET bytes_done = $3, rows_read = $4, rows_accepted = $5, rows_repeated = $6, \
                rows_rejected = $7, rows_composed = $8, rows_without_commune = $9, rows_resolved = $10 \
         WHERE import_id = $1 AND rows_read = $2 AND finished_at IS NULL",
    );
    let done = update
        .bind(import_id.uuid())
        .bind(from.rows_read.cast_signed())
        .bind(to.bytes_done.cast_signed())
        .bind(to.rows_read.cast_signed())
        .bind(to.rows_accepted.cast_signed())
        .bind(to.rows_repeated.cast_signed())
        .bind(to.rows_rejected.cast_signed())
        .bind(to.rows_composed.cast_signed())
        .bind(to.rows_without_commune.cast_signed())
        .bind(to.rows_resolved.cast_signed())
        .execute(tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Marks the import as finished. `false` when it was, or does not stand at `rows_read`.
///
/// # Errors
/// Those of the database.
pub async fn finish_import(
    tx: &mut PgConnection,
    import_id: ImportId,
    rows_read: u64,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let update = sqlx::query(
        "UPDATE import_file SET finished_at = $3, bytes_done = bytes_total \
         WHERE import_id = $1 AND rows_read = $2 AND finished_at IS NULL",
    );
    let done = update.bind(import_id.uuid()).bind(rows_read.cast_signed()).bind(now).execute(tx).await?;
    Ok(done.rows_affected() == 1)
}
