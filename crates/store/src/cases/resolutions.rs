//! Who is this: what is asked, what was answered, and where applications stand that were looked at before.

use sqlx::types::Json;
use sqlx::{FromRow, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Error;
use crate::platform::change_log::{self, Changed};
use domain::ResidentRecord;
use domain::application::{Kind, State};
use domain::id::{ApplicationId, CaseId, PersonId};

/// An application whose person is sought, locked.
#[derive(Debug, Clone)]
pub struct Question {
    pub application_id: ApplicationId,
    pub kind: Kind,
    pub claimed_person_id: Option<PersonId>,
    pub captured_at: OffsetDateTime,
    pub unit_path: String,
    pub record: ResidentRecord,
}

/// The answer to one question.
#[derive(Debug, Clone)]
pub struct Resolution {
    pub application_id: ApplicationId,
    /// `linked` or `case`.
    pub outcome: &'static str,
    pub person_id: Option<PersonId>,
    /// log₂ of the odds, and the same as a probability; `None` without a candidate.
    pub weight: Option<f64>,
    pub probability: Option<f64>,
    pub evidence: serde_json::Value,
}

/// Where an application stands that was looked at before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub application_id: ApplicationId,
    pub kind: Kind,
    pub state: State,
    /// Whom it was linked to; before that, the likeliest person.
    pub person_id: Option<PersonId>,
}

/// Waits until no other transaction decides who somebody is; held to the end of this one. Two such decisions
/// must see each other.
///
/// # Errors
/// Those of the database.
pub async fn lock(tx: &mut PgConnection) -> Result<(), Error> {
    change_log::lock_deciding(tx).await
}

/// The oldest applications that were received, opened and found valid.
///
/// # Errors
/// Those of the database.
pub async fn waiting(conn: &mut PgConnection, limit: u32) -> Result<Vec<ApplicationId>, Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT a.application_id FROM application a WHERE a.state = 'received' \
           AND EXISTS (SELECT 1 FROM application_record r WHERE r.application_id = a.application_id) \
         ORDER BY a.captured_at, a.application_id LIMIT $1",
    )
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(ApplicationId::from_uuid).collect())
}

/// Applications that were looked at, whatever came of them, in the order of capture.
///
/// # Errors
/// Those of the database.
pub async fn looked_at(conn: &mut PgConnection) -> Result<Vec<ApplicationId>, Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT application_id FROM resolution JOIN application USING (application_id) \
         ORDER BY captured_at, application_id",
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(ApplicationId::from_uuid).collect())
}

/// Locks those of `ids` that still wait, in the order of capture.
///
/// # Errors
/// Those of the database; a record that this program cannot read.
pub async fn questions(tx: &mut PgConnection, ids: &[ApplicationId]) -> Result<Vec<Question>, Error> {
    #[derive(sqlx::FromRow)]
    struct Row {
        application_id: Uuid,
        kind: String,
        claimed_person_id: Option<Uuid>,
        captured_at: OffsetDateTime,
        unit_path: String,
        record: Json<ResidentRecord>,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT a.application_id, a.kind, a.claimed_person_id, a.captured_at, a.unit_path, r.record \
         FROM application a JOIN application_record r USING (application_id) \
         WHERE a.application_id = ANY($1) AND a.state = 'received' \
         ORDER BY a.application_id FOR NO KEY UPDATE OF a",
    )
    .bind(application_uuids(ids))
    .fetch_all(tx)
    .await?;
    let mut questions = rows
        .into_iter()
        .map(|row| {
            Ok(Question {
                application_id: ApplicationId::from_uuid(row.application_id),
                kind: kind_of(row.application_id, &row.kind)?,
                claimed_person_id: row.claimed_person_id.map(PersonId::from_uuid),
                captured_at: row.captured_at,
                unit_path: row.unit_path,
                record: row.record.0,
            })
        })
        .collect::<Result<Vec<_>, Error>>()?;
    questions.sort_by_key(|question| (question.captured_at, question.application_id));
    Ok(questions)
}

/// Where those of `ids` stand that were looked at before, by id.
///
/// # Errors
/// Those of the database; a code that this program does not know.
pub async fn standings(conn: &mut PgConnection, ids: &[ApplicationId]) -> Result<Vec<Standing>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<StandingRow> = sqlx::query_as(
        "SELECT a.application_id, a.kind, a.state, coalesce(a.person_id, r.person_id) AS person_id \
         FROM application a JOIN resolution r USING (application_id) \
         WHERE a.application_id = ANY($1) ORDER BY a.application_id",
    )
    .bind(application_uuids(ids))
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Standing::try_from).collect()
}

/// The applications linked to any of these people that were not rejected, by id.
///
/// # Errors
/// Those of the database; a code that this program does not know.
pub async fn standings_of_people(conn: &mut PgConnection, ids: &[PersonId]) -> Result<Vec<Standing>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<StandingRow> = sqlx::query_as(
        "SELECT application_id, kind, state, person_id FROM application \
         WHERE person_id = ANY($1) AND state <> 'rejected' ORDER BY application_id",
    )
    .bind(ids.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Standing::try_from).collect()
}

/// Writes answers and links the applications that have a person for good.
///
/// # Errors
/// Those of the database.
pub async fn write_resolutions(
    tx: &mut PgConnection,
    resolutions: &[Resolution],
    at: OffsetDateTime,
) -> Result<(), Error> {
    if resolutions.is_empty() {
        return Ok(());
    }
    let single = |number: Option<f64>| number.map(|number| number as f32);
    sqlx::query(
        "INSERT INTO resolution (application_id, outcome, person_id, weight, probability, evidence, \
         decided_at) \
         SELECT id, outcome, person, weight, probability, evidence, $7 \
         FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::real[], $5::real[], $6::jsonb[]) \
              AS n (id, outcome, person, weight, probability, evidence)",
    )
    .bind(resolutions.iter().map(|r| r.application_id.uuid()).collect::<Vec<_>>())
    .bind(resolutions.iter().map(|r| r.outcome).collect::<Vec<_>>())
    .bind(resolutions.iter().map(|r| r.person_id.map(PersonId::uuid)).collect::<Vec<_>>())
    .bind(resolutions.iter().map(|r| single(r.weight)).collect::<Vec<_>>())
    .bind(resolutions.iter().map(|r| single(r.probability)).collect::<Vec<_>>())
    .bind(resolutions.iter().map(|r| &r.evidence).collect::<Vec<_>>())
    .bind(at)
    .execute(&mut *tx)
    .await?;
    let looked_at: Vec<Uuid> = resolutions.iter().map(|r| r.application_id.uuid()).collect();
    change_log::note(&mut *tx, Changed::Resolutions, &looked_at).await?;
    let linked: Vec<(ApplicationId, PersonId)> = resolutions
        .iter()
        .filter(|resolution| resolution.outcome == "linked")
        .filter_map(|resolution| Some((resolution.application_id, resolution.person_id?)))
        .collect();
    link(tx, &linked).await
}

/// Says whose applications these are.
///
/// # Errors
/// Those of the database.
pub async fn link(tx: &mut PgConnection, links: &[(ApplicationId, PersonId)]) -> Result<(), Error> {
    if links.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE application a SET person_id = n.person FROM unnest($1::uuid[], $2::uuid[]) AS n (id, person) \
         WHERE a.application_id = n.id",
    )
    .bind(links.iter().map(|(application, _)| application.uuid()).collect::<Vec<_>>())
    .bind(links.iter().map(|(_, person)| person.uuid()).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// Says that nobody knows any more whose application this is.
///
/// # Errors
/// Those of the database.
pub async fn unlink(tx: &mut PgConnection, id: ApplicationId) -> Result<(), Error> {
    sqlx::query("UPDATE application SET person_id = NULL WHERE application_id = $1")
        .bind(id.uuid())
        .execute(tx)
        .await?;
    Ok(())
}

/// Whether the application was ever put into a batch of cards.
///
/// # Errors
/// Those of the database.
pub async fn was_batched(conn: &mut PgConnection, id: ApplicationId) -> Result<bool, Error> {
    let found = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM application_action WHERE application_id = $1 AND action = 'batch')",
    )
    .bind(id.uuid())
    .fetch_one(conn)
    .await?;
    Ok(found)
}

/// The record that the decision of this case about `people` merged into another, if it still is.
///
/// # Errors
/// Those of the database.
pub async fn merged_by_case(
    conn: &mut PgConnection,
    case: CaseId,
    people: [PersonId; 2],
) -> Result<Option<PersonId>, Error> {
    // The records of the case may have been merged into others before, and what the case merged is further
    // on.
    let found: Option<Uuid> = sqlx::query_scalar(
        "WITH RECURSIVE way (person_id, status, same_as) AS ( \
             SELECT person_id, status, same_as FROM person WHERE person_id = ANY($2) \
             UNION \
             SELECT p.person_id, p.status, p.same_as FROM way JOIN person p ON p.person_id = way.same_as) \
         SELECT way.person_id FROM way \
         JOIN LATERAL (SELECT e.detail FROM person_event e \
                       WHERE e.person_id = way.person_id AND e.kind = 'merged' ORDER BY e.version DESC \
                       LIMIT 1) latest ON true \
         WHERE way.status = 3 AND latest.detail->'reason'->>'case' = $1",
    )
    .bind(case.to_string())
    .bind(people.map(PersonId::uuid).to_vec())
    .fetch_optional(conn)
    .await?;
    Ok(found.map(PersonId::from_uuid))
}

#[derive(sqlx::FromRow)]
struct StandingRow {
    application_id: Uuid,
    kind: String,
    state: String,
    person_id: Option<Uuid>,
}

impl TryFrom<StandingRow> for Standing {
    type Error = Error;

    fn try_from(row: StandingRow) -> Result<Self, Error> {
        Ok(Standing {
            application_id: ApplicationId::from_uuid(row.application_id),
            kind: kind_of(row.application_id, &row.kind)?,
            state: State::from_code(&row.state).ok_or_else(|| Error::Inconsistent {
                table: "application",
                row: row.application_id.to_string(),
                reason: format!("the state {} is not known", row.state),
            })?,
            person_id: row.person_id.map(PersonId::from_uuid),
        })
    }
}

fn kind_of(id: Uuid, code: &str) -> Result<Kind, Error> {
    Kind::from_code(code).ok_or_else(|| Error::Inconsistent {
        table: "application",
        row: id.to_string(),
        reason: format!("the kind {code} is not known"),
    })
}

fn application_uuids(ids: &[ApplicationId]) -> Vec<Uuid> {
    ids.iter().map(|id| id.uuid()).collect()
}

/// The outcome of the search for the person, with its evidence.
#[derive(Clone, FromRow)]
pub struct ResolutionRow {
    pub outcome: String,
    pub person_id: Option<Uuid>,
    pub weight: Option<f32>,
    pub probability: Option<f32>,
    pub evidence: serde_json::Value,
    pub decided_at: OffsetDateTime,
}

/// The outcome of the search for the person. For an application that the reader's scope let through.
pub async fn resolution(conn: &mut PgConnection, id: ApplicationId) -> Result<Option<ResolutionRow>, Error> {
    let row = sqlx::query_as(
        "SELECT outcome, person_id, weight, probability, evidence, decided_at FROM resolution \
         WHERE application_id = $1",
    )
    .bind(id.uuid())
    .fetch_optional(conn)
    .await?;
    Ok(row)
}
