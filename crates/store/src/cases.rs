//! The cases that people decide, and what they did about each.

pub mod pages;
pub mod resolutions;

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Error;
use domain::Actor;
use domain::actor::ActorError;
use domain::id::{ApplicationId, CaseId, PersonId};

/// A case to be opened.
#[derive(Debug, Clone)]
pub struct NewCase {
    pub case_id: CaseId,
    pub kind: &'static str,
    pub application_id: Option<ApplicationId>,
    pub other_application_id: Option<ApplicationId>,
    pub person_id: Option<PersonId>,
    pub other_person_id: Option<PersonId>,
    pub evidence: serde_json::Value,
    pub unit_path: String,
    pub due_at: OffsetDateTime,
}

/// A case: what is asked, and the fold of what was said about it ([`record`] writes both).
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    pub case_id: CaseId,
    pub kind: String,
    pub application_id: Option<ApplicationId>,
    pub other_application_id: Option<ApplicationId>,
    pub person_id: Option<PersonId>,
    pub other_person_id: Option<PersonId>,
    pub evidence: serde_json::Value,
    pub unit_path: String,
    pub opened_at: OffsetDateTime,
    pub due_at: OffsetDateTime,
    /// What was proposed; with `confirmed_by`, what was carried out.
    pub decision: Option<String>,
    /// With `link`: whom to.
    pub decided_person_id: Option<PersonId>,
    /// With `reject`: why.
    pub decision_code: Option<String>,
    pub decided_by: Option<String>,
    pub confirmed_by: Option<String>,
}

/// One thing that somebody did about a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseAction {
    /// From 1, without gaps.
    pub seq: i16,
    /// `propose`, `confirm`, `disagree`, `withdraw` or `reopen`.
    pub action: String,
    pub at: OffsetDateTime,
    pub actor: Actor,
    /// The decision that it is about, whatever was done about it.
    pub decision: String,
    pub decided_person_id: Option<PersonId>,
    pub decision_code: Option<String>,
    /// Why, in the actor's words.
    pub note: Option<String>,
    /// Of the command that did it; `None` for what was done before commands had ids.
    pub command_id: Option<Uuid>,
}

/// The decision that stands after an action, as the row of the case shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decided<'a> {
    pub decided_by: &'a Actor,
    pub confirmed_by: Option<&'a Actor>,
}

/// Opens the cases that are not there yet; says how many were new.
///
/// # Errors
/// Those of the database.
pub async fn open_cases(
    tx: &mut PgConnection,
    cases: &[NewCase],
    at: OffsetDateTime,
) -> Result<usize, Error> {
    if cases.is_empty() {
        return Ok(0);
    }
    let applications = |id: Option<ApplicationId>| id.map(ApplicationId::uuid);
    let people = |id: Option<PersonId>| id.map(PersonId::uuid);
    let done = sqlx::query(
        "INSERT INTO case_file (case_id, kind, application_id, other_application_id, person_id, \
         other_person_id, \
                                evidence, unit_path, opened_at, due_at) \
         SELECT id, kind, application, other_application, person, other_person, evidence, path, $10, due \
         FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::jsonb[], \
         $8::text[], \
                     $9::timestamptz[]) \
              AS n (id, kind, application, other_application, person, other_person, evidence, path, due) \
         ON CONFLICT (case_id) DO NOTHING",
    )
    .bind(cases.iter().map(|c| c.case_id.uuid()).collect::<Vec<_>>())
    .bind(cases.iter().map(|c| c.kind).collect::<Vec<_>>())
    .bind(cases.iter().map(|c| applications(c.application_id)).collect::<Vec<_>>())
    .bind(cases.iter().map(|c| applications(c.other_application_id)).collect::<Vec<_>>())
    .bind(cases.iter().map(|c| people(c.person_id)).collect::<Vec<_>>())
    .bind(cases.iter().map(|c| people(c.other_person_id)).collect::<Vec<_>>())
    .bind(cases.iter().map(|c| &c.evidence).collect::<Vec<_>>())
    .bind(cases.iter().map(|c| c.unit_path.as_str()).collect::<Vec<_>>())
    .bind(cases.iter().map(|c| c.due_at).collect::<Vec<_>>())
    .bind(at)
    .execute(tx)
    .await?;
    Ok(usize::try_from(done.rows_affected()).unwrap_or(usize::MAX))
}

/// Those of these cases that are there, open or closed.
///
/// # Errors
/// Those of the database.
pub async fn there(conn: &mut PgConnection, ids: &[CaseId]) -> Result<Vec<CaseId>, Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar("SELECT case_id FROM case_file WHERE case_id = ANY($1)")
        .bind(ids.iter().map(|id| id.uuid()).collect::<Vec<_>>())
        .fetch_all(conn)
        .await?;
    Ok(ids.into_iter().map(CaseId::from_uuid).collect())
}

const CASE: &str = "SELECT case_id, kind, application_id, other_application_id, person_id, other_person_id, \
     evidence, unit_path, opened_at, due_at, decision, decided_person_id, decision_code, decided_by, \
     confirmed_by FROM case_file";

#[derive(sqlx::FromRow)]
struct CaseRow {
    case_id: Uuid,
    kind: String,
    application_id: Option<Uuid>,
    other_application_id: Option<Uuid>,
    person_id: Option<Uuid>,
    other_person_id: Option<Uuid>,
    evidence: serde_json::Value,
    unit_path: String,
    opened_at: OffsetDateTime,
    due_at: OffsetDateTime,
    decision: Option<String>,
    decided_person_id: Option<Uuid>,
    decision_code: Option<String>,
    decided_by: Option<String>,
    confirmed_by: Option<String>,
}

impl From<CaseRow> for Case {
    fn from(row: CaseRow) -> Case {
        Case {
            case_id: CaseId::from_uuid(row.case_id),
            kind: row.kind,
            application_id: row.application_id.map(ApplicationId::from_uuid),
            other_application_id: row.other_application_id.map(ApplicationId::from_uuid),
            person_id: row.person_id.map(PersonId::from_uuid),
            other_person_id: row.other_person_id.map(PersonId::from_uuid),
            evidence: row.evidence,
            unit_path: row.unit_path,
            opened_at: row.opened_at,
            due_at: row.due_at,
            decision: row.decision,
            decided_person_id: row.decided_person_id.map(PersonId::from_uuid),
            decision_code: row.decision_code,
            decided_by: row.decided_by,
            confirmed_by: row.confirmed_by,
        }
    }
}

/// One case, locked; `None` for an unknown one.
///
/// # Errors
/// Those of the database.
pub async fn lock_case(tx: &mut PgConnection, id: CaseId) -> Result<Option<Case>, Error> {
    let row: Option<CaseRow> =
        sqlx::query_as(sqlx::AssertSqlSafe(format!("{CASE} WHERE case_id = $1 FOR UPDATE")))
            .bind(id.uuid())
            .fetch_optional(tx)
            .await?;
    Ok(row.map(Case::from))
}

/// What was done about a case, from the first. For a case that is locked, or that the reader's scope let
/// through.
///
/// # Errors
/// Those of the database.
pub async fn actions(conn: &mut PgConnection, id: CaseId) -> Result<Vec<CaseAction>, Error> {
    #[derive(sqlx::FromRow)]
    struct Row {
        seq: i16,
        action: String,
        at: OffsetDateTime,
        actor: String,
        decision: String,
        decided_person_id: Option<Uuid>,
        decision_code: Option<String>,
        note: Option<String>,
        command_id: Option<Uuid>,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT seq, action, at, actor, decision, decided_person_id, decision_code, note, command_id \
         FROM case_action WHERE case_id = $1 ORDER BY seq",
    )
    .bind(id.uuid())
    .fetch_all(conn)
    .await?;
    let action = |row: Row| {
        Ok(CaseAction {
            seq: row.seq,
            action: row.action,
            at: row.at,
            actor: row.actor.parse().map_err(|error: ActorError| Error::Inconsistent {
                table: "case_action",
                row: format!("{id}, {}", row.seq),
                reason: error.to_string(),
            })?,
            decision: row.decision,
            decided_person_id: row.decided_person_id.map(PersonId::from_uuid),
            decision_code: row.decision_code,
            note: row.note,
            command_id: row.command_id,
        })
    };
    rows.into_iter().map(action).collect()
}

/// Adds to what was done about a case, which is locked, and writes what stands after it; `None` opens it
/// again.
///
/// # Errors
/// Those of the database; a number or a command that the case has had violates `case_action_pkey` or
/// `case_action_once`, the same person as both pairs of eyes `case_file_check2`.
pub async fn record(
    tx: &mut PgConnection,
    id: CaseId,
    action: &CaseAction,
    after: Option<Decided<'_>>,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO case_action (case_id, seq, action, at, actor, decision, decided_person_id, \
         decision_code, \
                                  note, command_id, unit_path) \
         SELECT case_id, $2, $3, $4, $5, $6, $7, $8, $9, $10, unit_path FROM case_file WHERE case_id = $1",
    )
    .bind(id.uuid())
    .bind(action.seq)
    .bind(&action.action)
    .bind(action.at)
    .bind(action.actor.to_string())
    .bind(&action.decision)
    .bind(action.decided_person_id.map(PersonId::uuid))
    .bind(&action.decision_code)
    .bind(&action.note)
    .bind(action.command_id)
    .execute(&mut *tx)
    .await?;
    let stands = after.map(|_| action);
    sqlx::query(
        "UPDATE case_file SET decision = $2, decided_person_id = $3, decision_code = $4, decided_by = $5, \
                confirmed_by = $6, decided_at = $7 WHERE case_id = $1",
    )
    .bind(id.uuid())
    .bind(stands.map(|action| action.decision.as_str()))
    .bind(stands.and_then(|action| action.decided_person_id.map(PersonId::uuid)))
    .bind(stands.and_then(|action| action.decision_code.as_deref()))
    .bind(after.map(|after| after.decided_by.to_string()))
    .bind(after.and_then(|after| after.confirmed_by).map(Actor::to_string))
    .bind(stands.map(|action| action.at))
    .execute(tx)
    .await?;
    Ok(())
}
