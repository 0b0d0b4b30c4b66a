//! Cases of correction as pages and commands list them.

use std::collections::BTreeMap;

use sqlx::{PgConnection, Row};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::Error;
use crate::platform::error::inconsistent;
use domain::Field;
use domain::correction::{CaseState, Source};
use domain::id::{CorrectionId, PersonId};

/// Which cases of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which<'a> {
    /// Those that are not over.
    Open,
    /// Of these, what this actor has.
    Mine(&'a str),
    /// Of these, whose last day is before this one.
    Overdue(Date),
    /// Those that are over.
    Closed,
}

/// A case in a list.
#[derive(Debug, Clone)]
pub struct CaseLine {
    pub case_id: CorrectionId,
    pub person_id: PersonId,
    /// As the register has it now; `None` when the person is registered elsewhere.
    pub name: Option<String>,
    pub birth: Option<i32>,
    pub fields: Vec<Field>,
    pub source: Source,
    pub state: CaseState,
    /// As it is stored: [`domain::Actor`] writes it.
    pub owner: Option<String>,
    pub due_on: Option<Date>,
    pub opened_at: OffsetDateTime,
    pub closed_at: Option<OffsetDateTime>,
    pub unit_path: String,
}

/// Where a page of the list ended.
pub type Mark = (OffsetDateTime, CorrectionId);

/// The cases of a scope, those that were opened first first, after one of them.
///
/// # Errors
/// Those of the database; [`Error::Inconsistent`].
pub async fn list(
    scoped: &mut PgConnection,
    which: Which<'_>,
    after: Option<Mark>,
    limit: i64,
) -> Result<Vec<CaseLine>, Error> {
    let (is_over, actor, before) = match which {
        Which::Open => (false, None, None),
        Which::Mine(actor) => (false, Some(actor), None),
        Which::Overdue(today) => (false, None, Some(today)),
        Which::Closed => (true, None, None),
    };
    let rows = sqlx::query(
        "SELECT c.case_id, c.person_id, p.full_name, p.birth, c.source, c.state, c.owner, c.due_on, \
                c.opened_at, c.closed_at, c.unit_path, \
                ARRAY(SELECT DISTINCT i.field FROM correction_item i WHERE i.case_id = c.case_id \
                      ORDER BY 1) AS fields \
         FROM correction_case c LEFT JOIN person p USING (person_id) \
         WHERE (c.closed_at IS NOT NULL) = $1 AND ($2::text IS NULL OR c.owner = $2) \
           AND ($3::date IS NULL OR c.due_on < $3) \
           AND ($4::timestamptz IS NULL OR (c.opened_at, c.case_id) > ($4, $5)) \
         ORDER BY c.opened_at, c.case_id LIMIT $6",
    )
    .bind(is_over)
    .bind(actor)
    .bind(before)
    .bind(after.map(|(at, _)| at))
    .bind(after.map(|(_, id)| id.uuid()))
    .bind(limit)
    .fetch_all(scoped)
    .await?;
    rows.iter()
        .map(|row| {
            let id: Uuid = row.try_get("case_id")?;
            let wrong = |what| inconsistent("correction_case", id, what);
            let fields: Vec<String> = row.try_get("fields")?;
            let state: String = row.try_get("state")?;
            let source: String = row.try_get("source")?;
            Ok(CaseLine {
                case_id: CorrectionId::from_uuid(id),
                person_id: PersonId::from_uuid(row.try_get("person_id")?),
                name: row.try_get("full_name")?,
                birth: row.try_get("birth")?,
                fields: fields.iter().filter_map(|code| Field::from_code(code)).collect(),
                source: Source::from_code(&source).ok_or_else(|| wrong("source is unknown"))?,
                state: CaseState::from_code(&state).ok_or_else(|| wrong("state is unknown"))?,
                owner: row.try_get("owner")?,
                due_on: row.try_get("due_on")?,
                opened_at: row.try_get("opened_at")?,
                closed_at: row.try_get("closed_at")?,
                unit_path: row.try_get("unit_path")?,
            })
        })
        .collect()
}

/// How many cases of a scope each list has: open, this actor's, overdue, over.
///
/// # Errors
/// Those of the database.
pub async fn counts(scoped: &mut PgConnection, actor: &str, today: Date) -> Result<[i64; 4], Error> {
    let (open, mine, overdue, closed): (i64, i64, i64, i64) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE closed_at IS NULL), \
                count(*) FILTER (WHERE closed_at IS NULL AND owner = $1), \
                count(*) FILTER (WHERE closed_at IS NULL AND due_on < $2), \
                count(*) FILTER (WHERE closed_at IS NOT NULL) FROM correction_case",
    )
    .bind(actor)
    .bind(today)
    .fetch_one(scoped)
    .await?;
    Ok([open, mine, overdue, closed])
}

/// The open cases of these people, as far as the reader sees them.
///
/// # Errors
/// Those of the database.
pub async fn open_by_person(
    scoped: &mut PgConnection,
    people: &[PersonId],
) -> Result<BTreeMap<PersonId, CorrectionId>, Error> {
    let rows: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "SELECT person_id, case_id FROM correction_case WHERE person_id = ANY($1) AND closed_at IS NULL \
         ORDER BY opened_at DESC",
    )
    .bind(super::uuids(people))
    .fetch_all(scoped)
    .await?;
    let pair = |(person, case)| (PersonId::from_uuid(person), CorrectionId::from_uuid(case));
    Ok(rows.into_iter().map(pair).collect())
}

/// An open case as the applicant is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub state: CaseState,
    pub fields: Vec<Field>,
    pub due_on: Option<Date>,
    /// Of the office that is asked.
    pub unit_path: String,
}

/// The open cases about the person of the application with this receipt, the oldest first.
///
/// # Errors
/// Those of the database; [`Error::Inconsistent`].
pub async fn of_receipt(conn: &mut PgConnection, receipt_hash: &[u8]) -> Result<Vec<Waiting>, Error> {
    type Row = (Uuid, String, Option<Date>, String, Vec<String>);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT c.case_id, c.state, c.due_on, c.unit_path, \
                ARRAY(SELECT DISTINCT i.field FROM correction_item i WHERE i.case_id = c.case_id ORDER BY 1) \
         FROM application a JOIN correction_case c USING (person_id) \
         WHERE a.receipt_hash = $1 AND c.closed_at IS NULL ORDER BY c.opened_at, c.case_id",
    )
    .bind(receipt_hash)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(id, state, due_on, unit_path, fields)| {
            let unknown = || inconsistent("correction_case", id, "state is unknown");
            Ok(Waiting {
                state: CaseState::from_code(&state).ok_or_else(unknown)?,
                fields: fields.iter().filter_map(|code| Field::from_code(code)).collect(),
                due_on,
                unit_path,
            })
        })
        .collect()
}
