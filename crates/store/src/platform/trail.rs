//! The audit trail as it is read: by whom, on what, when; and what a session has said before.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::Error;

/// Which rows are asked for. All that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct Question<'a> {
    pub subject: Option<&'a str>,
    pub actor: Option<&'a str>,
    /// The verb, or what stands before its dots: `card` asks for `card.read` and `card.revoked`.
    pub action: Option<&'a str>,
    pub from: Option<OffsetDateTime>,
    /// Up to this moment and without it.
    pub to: Option<OffsetDateTime>,
    pub limit: i64,
}

/// A row of the trail.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Line {
    pub chain: i16,
    pub seq: i64,
    pub at: OffsetDateTime,
    pub actor: String,
    pub action: String,
    pub subject: String,
    pub unit_path: String,
    pub detail: serde_json::Value,
}

/// The rows that a question asks for, the newest first.
///
/// # Errors
/// Of the database.
pub async fn list(conn: &mut PgConnection, question: &Question<'_>) -> Result<Vec<Line>, Error> {
    let rows = sqlx::query_as(
        "SELECT chain, seq, at, actor, action, subject, unit_path, detail FROM audit \
         WHERE ($1::text IS NULL OR subject = $1) AND ($2::text IS NULL OR actor = $2) \
           AND ($3::text IS NULL OR action = $3 OR starts_with(action, $3 || '.')) \
           AND ($4::timestamptz IS NULL OR at >= $4) AND ($5::timestamptz IS NULL OR at < $5) \
         ORDER BY at DESC, chain, seq DESC LIMIT $6",
    )
    .bind(question.subject)
    .bind(question.actor)
    .bind(question.action)
    .bind(question.from)
    .bind(question.to)
    .bind(question.limit)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// The reason, by its code, that an actor gave since a moment, in this session, for looking at a subject.
///
/// # Errors
/// Of the database.
pub async fn reason(
    conn: &mut PgConnection,
    subject: &str,
    actor: &str,
    session: &str,
    since: OffsetDateTime,
) -> Result<Option<String>, Error> {
    let found = sqlx::query_scalar(
        "SELECT detail->>'reason' FROM audit WHERE subject = $1 AND at > $2 AND actor = $3 \
         AND action = 'person.reason' AND detail->>'session' = $4 AND detail->>'reason' IS NOT NULL \
         ORDER BY at DESC LIMIT 1",
    )
    .bind(subject)
    .bind(since)
    .bind(actor)
    .bind(session)
    .fetch_optional(conn)
    .await?;
    Ok(found)
}
