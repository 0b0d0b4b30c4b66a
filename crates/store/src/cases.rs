//! The cases that people decide, and what they did about each.

pub mod pages;
pub mod resolutions;

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Error;
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

/// A case as its decision needs it, locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    pub case_id: CaseId,
    pub kind: String,
    pub application_id: Option<ApplicationId>,
    pub other_application_id: Option<ApplicationId>,
    pub person_id: Option<PersonId>,
    pub other_person_id: Option<PersonId>,
    pub unit_path: String,
    pub decision: Option<String>,
    pub decided_person_id: Option<PersonId>,
    pub decision_code: Option<String>,
    pub decided_by: Option<String>,
    pub confirmed_by: Option<String>,
}

/// What is written when a case is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseDecision<'a> {
    pub decision: &'a str,
    pub person_id: Option<PersonId>,
    pub code: Option<&'a str>,
    pub decided_by: &'a str,
    pub confirmed_by: Option<&'a str>,
    pub note: Option<&'a str>,
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
        "INSERT INTO case_file (case_id, kind, application_id, other_application_id, person_id, other_person_id, \
                                evidence, unit_path, opened_at, due_at) \
         SELECT id, kind, application, other_application, person, other_person, evidence, path, $10, due \
         FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::jsonb[], $8::text[], \
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

/// One case, locked; `None` for an unknown one.
///
/// # Errors
/// Those of the database.
pub async fn lock_case(tx: &mut PgConnection, id: CaseId) -> Result<Option<Case>, Error> {
    #[derive(sqlx::FromRow)]
    struct Row {
        kind: String,
        application_id: Option<Uuid>,
        other_application_id: Option<Uuid>,
        person_id: Option<Uuid>,
        other_person_id: Option<Uuid>,
        unit_path: String,
        decision: Option<String>,
        decided_person_id: Option<Uuid>,
        decision_code: Option<String>,
        decided_by: Option<String>,
        confirmed_by: Option<String>,
    }
    let row: Option<Row> = sqlx::query_as(
        "SELECT kind, application_id, other_application_id, person_id, other_person_id, unit_path, decision, \
                decided_person_id, decision_code, decided_by, confirmed_by FROM case_file \
         WHERE case_id = $1 FOR UPDATE",
    )
    .bind(id.uuid())
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|row| Case {
        case_id: id,
        kind: row.kind,
        application_id: row.application_id.map(ApplicationId::from_uuid),
        other_application_id: row.other_application_id.map(ApplicationId::from_uuid),
        person_id: row.person_id.map(PersonId::from_uuid),
        other_person_id: row.other_person_id.map(PersonId::from_uuid),
        unit_path: row.unit_path,
        decision: row.decision,
        decided_person_id: row.decided_person_id.map(PersonId::from_uuid),
        decision_code: row.decision_code,
        decided_by: row.decided_by,
        confirmed_by: row.confirmed_by,
    }))
}

/// Writes what was decided, and who proposed or confirmed it with which words. The same words again add nothing.
///
/// # Errors
/// Those of the database; the same person as both pairs of eyes violates `case_file_check2`.
pub async fn write_decision(
    tx: &mut PgConnection,
    id: CaseId,
    decision: &CaseDecision<'_>,
    at: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE case_file SET decision = $2, decided_person_id = $3, decision_code = $4, decided_by = $5, \
                confirmed_by = $6, decided_at = $7 WHERE case_id = $1",
    )
    .bind(id.uuid())
    .bind(decision.decision)
    .bind(decision.person_id.map(PersonId::uuid))
    .bind(decision.code)
    .bind(decision.decided_by)
    .bind(decision.confirmed_by)
    .bind(at)
    .execute(&mut *tx)
    .await?;
    let code = decision.decision;
    let Some(second) = decision.confirmed_by else {
        return note_case(tx, id, ("propose", code), decision.decided_by, decision.note, at).await;
    };
    // Two people at one desk decide in one go: the first one's part is written too.
    note_case(tx, id, ("propose", code), decision.decided_by, None, at).await?;
    note_case(tx, id, ("confirm", code), second, decision.note, at).await
}

/// Takes a case's decision away, so that it is open again; what was said about it stays.
///
/// # Errors
/// Those of the database.
pub async fn reopen(
    tx: &mut PgConnection,
    id: CaseId,
    by: &str,
    withdrawn: &str,
    at: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE case_file SET decision = NULL, decided_person_id = NULL, decision_code = NULL, decided_by = NULL, \
                confirmed_by = NULL, decided_at = NULL WHERE case_id = $1",
    )
    .bind(id.uuid())
    .execute(&mut *tx)
    .await?;
    note_case(tx, id, ("reopen", withdrawn), by, None, at).await
}

/// Adds to what was done about a case, unless the last thing done is this very one. The case is locked by its decision.
async fn note_case(
    tx: &mut PgConnection,
    id: CaseId,
    (action, decision): (&str, &str),
    actor: &str,
    note: Option<&str>,
    at: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO case_action (case_id, seq, action, at, actor, decision, note, unit_path) \
         SELECT $1, coalesce(max(seq), 0) + 1, $2, $3, $4, $5, $6, (SELECT unit_path FROM case_file WHERE case_id = $1) \
         FROM case_action WHERE case_id = $1 \
         HAVING NOT coalesce((SELECT l.action = $2 AND l.actor = $4 AND l.decision = $5 AND ($6 IS NULL OR $6 = l.note) \
                              FROM case_action l WHERE l.case_id = $1 ORDER BY l.seq DESC LIMIT 1), false)",
    )
    .bind(id.uuid())
    .bind(action)
    .bind(at)
    .bind(actor)
    .bind(decision)
    .bind(note)
    .execute(tx)
    .await?;
    Ok(())
}
