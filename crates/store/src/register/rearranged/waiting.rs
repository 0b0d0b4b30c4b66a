//! People whom somebody must ask in which part of a divided unit they live.

use sqlx::{FromRow, PgConnection};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::Error;
use domain::id::PersonId;
use domain::{Actor, UnitCode};

/// Which of the two residences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Residence {
    /// The permanent one (thường trú).
    Permanent,
    /// The current one (nơi ở hiện tại).
    Current,
}

impl Residence {
    /// Stable code, as stored in `unit_ask.part`.
    pub const fn code(self) -> &'static str {
        match self {
            Residence::Permanent => "permanent",
            Residence::Current => "current",
        }
    }

    /// The residence of this code; `None` when there is none.
    pub fn from_code(code: &str) -> Option<Self> {
        [Residence::Permanent, Residence::Current].into_iter().find(|one| one.code() == code)
    }
}

/// A question to somebody about a residence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Who lives there.
    pub person: PersonId,
    /// Which residence.
    pub residence: Residence,
    /// Where the person is seen from.
    pub unit_path: String,
    /// The old unit.
    pub from: UnitCode,
}

/// An open question, as whoever asks needs it.
#[derive(Debug, Clone, FromRow)]
pub struct Waiting {
    /// Who lives there.
    pub person_id: Uuid,
    /// Of which change.
    pub effective_on: Date,
    /// Which residence: a code of [`Residence`].
    pub part: String,
    /// The old unit.
    pub from_code: String,
    /// Where the person is seen from.
    pub unit_path: String,
    /// The name.
    pub full_name: String,
    /// The address below the unit.
    pub detail: Option<String>,
}

/// Writes questions down; those that were written before stay.
///
/// # Errors
/// Those of the database.
pub async fn ask(tx: &mut PgConnection, effective_on: Date, questions: &[Question]) -> Result<(), Error> {
    if questions.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO unit_ask (person_id, effective_on, part, unit_path, from_code) \
         SELECT id, $1, part, path, f \
         FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[]) AS n (id, part, path, f) \
         ON CONFLICT (person_id, effective_on, part) DO NOTHING",
    )
    .bind(effective_on)
    .bind(questions.iter().map(|q| q.person.uuid()).collect::<Vec<_>>())
    .bind(questions.iter().map(|q| q.residence.code()).collect::<Vec<_>>())
    .bind(questions.iter().map(|q| q.unit_path.as_str()).collect::<Vec<_>>())
    .bind(questions.iter().map(|q| q.from.to_string()).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// Open questions, by old unit and name; `after` is the last one of the page before.
///
/// # Errors
/// Those of the database.
pub async fn open(
    scoped: &mut PgConnection,
    most: i64,
    after: Option<(&str, &str, Uuid)>,
) -> Result<Vec<Waiting>, Error> {
    let rows = sqlx::query_as(
        "SELECT a.person_id, a.effective_on, a.part, a.from_code, a.unit_path, p.full_name, \
                CASE a.part WHEN 'current' THEN p.current_detail ELSE p.permanent_detail END AS detail \
         FROM unit_ask a JOIN person p ON p.person_id = a.person_id \
         WHERE a.settled_at IS NULL \
           AND ($2::text IS NULL OR (a.from_code, p.name_fold, a.person_id) > ($2, $3, $4)) \
         ORDER BY a.from_code, p.name_fold, a.person_id, a.part LIMIT $1",
    )
    .bind(most)
    .bind(after.map(|(from, ..)| from))
    .bind(after.map(|(_, name, _)| name))
    .bind(after.map(|(.., id)| id))
    .fetch_all(scoped)
    .await?;
    Ok(rows)
}

/// How many questions are open, by old unit.
///
/// # Errors
/// Those of the database.
pub async fn counts(scoped: &mut PgConnection) -> Result<Vec<(String, i64)>, Error> {
    let sql = "SELECT from_code, count(*) FROM unit_ask WHERE settled_at IS NULL \
               GROUP BY from_code ORDER BY from_code";
    Ok(sqlx::query_as(sql).fetch_all(scoped).await?)
}

/// The open question about somebody's residence, locked.
///
/// # Errors
/// Those of the database.
pub async fn locked(
    tx: &mut PgConnection,
    person: PersonId,
    residence: Residence,
) -> Result<Option<(Date, String, String)>, Error> {
    let sql = "SELECT effective_on, from_code, unit_path FROM unit_ask \
               WHERE person_id = $1 AND part = $2 AND settled_at IS NULL FOR UPDATE";
    Ok(sqlx::query_as(sql).bind(person.uuid()).bind(residence.code()).fetch_optional(tx).await?)
}

/// Writes an answer down.
///
/// # Errors
/// Those of the database.
pub async fn answered(
    tx: &mut PgConnection,
    (person, residence, effective_on): (PersonId, Residence, Date),
    to: (UnitCode, &str),
    by: &Actor,
    at: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE unit_ask SET to_code = $4, settled_by = $5, settled_at = $6 \
         WHERE person_id = $1 AND effective_on = $2 AND part = $3",
    )
    .bind(person.uuid())
    .bind(effective_on)
    .bind(residence.code())
    .bind(to.0.to_string())
    .bind(by.to_string())
    .bind(at)
    .execute(&mut *tx)
    .await?;
    seen_from(tx, &[person.uuid()], to.1).await
}

/// Questions about people follow their people.
///
/// # Errors
/// Those of the database.
pub async fn seen_from(tx: &mut PgConnection, people: &[Uuid], path: &str) -> Result<(), Error> {
    sqlx::query("UPDATE unit_ask SET unit_path = $2 WHERE person_id = ANY($1) AND unit_path <> $2")
        .bind(people)
        .bind(path)
        .execute(tx)
        .await?;
    Ok(())
}
