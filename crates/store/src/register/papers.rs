//! The papers behind events, with their scans.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::uuids;
use crate::Error;
use crate::platform::error::inconsistent;
use domain::id::{CorrectionId, DocumentId, PersonId};

/// A paper as it was entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaperRow {
    pub document_id: DocumentId,
    pub kind: String,
    pub number: String,
    pub authority: String,
    pub issued_on: Date,
    pub scan: Option<ScanMark>,
    /// As it is stored: [`domain::Actor`] writes it.
    pub entered_by: String,
    pub entered_at: OffsetDateTime,
    /// Where its person was seen from when it was entered.
    pub unit_path: String,
}

/// Which file a scan is, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanMark {
    pub sha256: [u8; 32],
    pub bytes: i32,
    /// `image/jpeg`, `image/png` or `application/pdf`, as the bytes say.
    pub media: String,
}

const PAPER: &str = "SELECT document_id, kind, number, authority, issued_on, scan_sha256, scan_bytes, \
                     scan_type, entered_by, entered_at, unit_path FROM legal_document";

/// The papers of this number that an authority issued, of whatever day.
///
/// # Errors
/// Those of the database; [`Error::Inconsistent`].
pub async fn of_number(
    conn: &mut PgConnection,
    kind: &str,
    number: &str,
    authority: &str,
) -> Result<Vec<PaperRow>, Error> {
    let sql = format!("{PAPER} WHERE kind = $1 AND number = $2 AND authority = $3 ORDER BY issued_on");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(kind).bind(number).bind(authority);
    rows.fetch_all(conn).await?.iter().map(paper).collect()
}

/// Adds a paper with its scan.
///
/// # Errors
/// Those of the database; somebody entered it at the same instant (constraint `legal_document_pkey`).
pub async fn put(tx: &mut PgConnection, paper: &PaperRow, scan: Option<&[u8]>) -> Result<(), Error> {
    let mark = paper.scan.as_ref();
    sqlx::query(
        "INSERT INTO legal_document (document_id, kind, number, authority, issued_on, scan_sha256, \
         scan_bytes, scan_type, entered_by, entered_at, unit_path) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(paper.document_id.uuid())
    .bind(&paper.kind)
    .bind(&paper.number)
    .bind(&paper.authority)
    .bind(paper.issued_on)
    .bind(mark.map(|mark| mark.sha256.as_slice()))
    .bind(mark.map(|mark| mark.bytes))
    .bind(mark.map(|mark| mark.media.as_str()))
    .bind(&paper.entered_by)
    .bind(paper.entered_at)
    .bind(&paper.unit_path)
    .execute(&mut *tx)
    .await?;
    let Some(content) = scan else { return Ok(()) };
    sqlx::query("INSERT INTO document_scan (document_id, unit_path, content) VALUES ($1, $2, $3)")
        .bind(paper.document_id.uuid())
        .bind(&paper.unit_path)
        .bind(content)
        .execute(tx)
        .await?;
    Ok(())
}

/// The paper of this id; `None` when there is none.
///
/// # Errors
/// Those of the database; [`Error::Inconsistent`].
pub async fn read(conn: &mut PgConnection, document: DocumentId) -> Result<Option<PaperRow>, Error> {
    let sql = format!("{PAPER} WHERE document_id = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(document.uuid()).fetch_optional(conn).await?;
    row.as_ref().map(paper).transpose()
}

/// Whether the paper stands behind an event or a case of somebody who has none of these records.
///
/// # Errors
/// Those of the database.
pub async fn is_of_others(
    conn: &mut PgConnection,
    document: DocumentId,
    records: &[PersonId],
) -> Result<bool, Error> {
    let sql = "SELECT EXISTS (SELECT FROM civil_event c JOIN person_event e USING (event_id) \
               WHERE c.document_id = $1 AND e.version > 1 AND e.person_id <> ALL ($2)) \
               OR EXISTS (SELECT FROM correction_case \
               WHERE document_id = $1 AND person_id <> ALL ($2))";
    Ok(sqlx::query_scalar(sql).bind(document.uuid()).bind(uuids(records)).fetch_one(conn).await?)
}

/// The scan of a paper that stands behind an event of this person: its type and its bytes. `None` when the
/// paper is another person's, has no scan, or is not there. Whether the person may be seen was asked before.
///
/// # Errors
/// Those of the database.
pub async fn scan(
    conn: &mut PgConnection,
    person: PersonId,
    document: DocumentId,
) -> Result<Option<(String, Vec<u8>)>, Error> {
    Ok(sqlx::query_as(
        "SELECT d.scan_type, s.content FROM legal_document d JOIN document_scan s USING (document_id) \
         WHERE d.document_id = $1 AND EXISTS (SELECT FROM civil_event c JOIN person_event e USING (event_id) \
               WHERE c.document_id = $1 AND e.person_id = $2)",
    )
    .bind(document.uuid())
    .bind(person.uuid())
    .fetch_optional(conn)
    .await?)
}

/// The scan of a case's paper: its type and its bytes. `None` when the paper has no scan, or is not there.
/// Whether the case may be seen was asked before.
///
/// # Errors
/// Those of the database.
pub async fn scan_of_case(
    conn: &mut PgConnection,
    case: CorrectionId,
) -> Result<Option<(String, Vec<u8>)>, Error> {
    Ok(sqlx::query_as(
        "SELECT d.scan_type, s.content FROM correction_case c JOIN legal_document d USING (document_id) \
         JOIN document_scan s USING (document_id) WHERE c.case_id = $1",
    )
    .bind(case.uuid())
    .fetch_optional(conn)
    .await?)
}

fn paper(row: &PgRow) -> Result<PaperRow, Error> {
    let id: Uuid = row.try_get("document_id")?;
    let sha256: Option<Vec<u8>> = row.try_get("scan_sha256")?;
    let scan = match (sha256, row.try_get("scan_bytes")?, row.try_get("scan_type")?) {
        (Some(sha256), Some(bytes), Some(media)) => Some(ScanMark {
            sha256: sha256
                .try_into()
                .map_err(|_| inconsistent("legal_document", id, "a hash of no length"))?,
            bytes,
            media,
        }),
        _ => None,
    };
    Ok(PaperRow {
        document_id: DocumentId::from_uuid(id),
        kind: row.try_get("kind")?,
        number: row.try_get("number")?,
        authority: row.try_get("authority")?,
        issued_on: row.try_get("issued_on")?,
        scan,
        entered_by: row.try_get("entered_by")?,
        entered_at: row.try_get("entered_at")?,
        unit_path: row.try_get("unit_path")?,
    })
}
