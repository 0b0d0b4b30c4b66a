//! What happened to a person, with both dates and the paper of each event.

use std::collections::BTreeMap;

use sqlx::{FromRow, PgConnection};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::Error;
use domain::id::PersonId;

/// One event of a person's history.
#[derive(Debug, Clone, FromRow)]
pub struct TimelineRow {
    /// From the registration, which is 1.
    pub version: i32,
    pub kind: String,
    /// `None` for what was recorded before events had ids.
    pub event_id: Option<Uuid>,
    /// From when it has effect, yyyymmdd with 00 for an unknown part; `None`: the day of `at`.
    pub legal_on: Option<i32>,
    pub at: OffsetDateTime,
    pub recorded_at: OffsetDateTime,
    pub actor: String,
    /// The version that it takes back.
    pub takes_back: Option<i32>,
    pub document_id: Option<Uuid>,
    pub paper_kind: Option<String>,
    pub paper_number: Option<String>,
    pub paper_authority: Option<String>,
    pub paper_issued_on: Option<Date>,
    pub scan_type: Option<String>,
    /// Codes of the fields that it changed.
    #[sqlx(skip)]
    pub fields: Vec<String>,
}

/// Events of one person that are read at most: the last ones.
const MOST: i64 = 500;

/// A person's history, newest first. Whether the person may be seen was asked before: a paper that was
/// entered where the person lived then is shown where the person lives now.
///
/// # Errors
/// Those of the database.
pub async fn timeline(conn: &mut PgConnection, person: PersonId) -> Result<Vec<TimelineRow>, Error> {
    let mut rows: Vec<TimelineRow> = sqlx::query_as(
        "SELECT e.version, e.kind, e.event_id, e.legal_on, e.at, e.recorded_at, e.actor, \
                CASE WHEN e.kind = 'reversed' THEN (e.detail->>'version')::integer END AS takes_back, \
                d.document_id, d.kind AS paper_kind, d.number AS paper_number, \
                d.authority AS paper_authority, d.issued_on AS paper_issued_on, d.scan_type \
         FROM person_event e LEFT JOIN civil_event c ON c.event_id = e.event_id \
              LEFT JOIN legal_document d ON d.document_id = c.document_id \
         WHERE e.person_id = $1 ORDER BY e.version DESC LIMIT $2",
    )
    .bind(person.uuid())
    .bind(MOST)
    .fetch_all(&mut *conn)
    .await?;
    let facts: Vec<(i32, String)> = sqlx::query_as(
        "SELECT DISTINCT version, field FROM person_fact WHERE person_id = $1 AND version > 1 \
         ORDER BY version, field",
    )
    .bind(person.uuid())
    .fetch_all(conn)
    .await?;
    let mut fields: BTreeMap<i32, Vec<String>> = BTreeMap::new();
    for (version, field) in facts {
        fields.entry(version).or_default().push(field);
    }
    for row in &mut rows {
        row.fields = fields.remove(&row.version).unwrap_or_default();
    }
    Ok(rows)
}
