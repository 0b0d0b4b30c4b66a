//! Rows of the question "who is this": what is asked, what was answered, and the cases that people decide.
//!
//! `register` holds the other half: the people, and merging two records of one person.

mod register;

pub use register::{
    Merge, MergedRecord, PersonRow, Split, living_people, lock_people, merge_moved_pin, merge_people, people,
    split_people, standings_of_people, survivors,
};

use domain::ResidentRecord;
use domain::application::{Kind, State};
use domain::id::{ApplicationId, CaseId, PersonId};
use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Error;

/// Held by whoever decides who somebody is: two such decisions must see each other.
const RESOLVE_LOCK: i64 = 0x6461_6e63_7505;

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

/// Waits until no other transaction decides who somebody is; held to the end of this one.
///
/// # Errors
/// Those of the database.
pub async fn lock(tx: &mut PgConnection) -> Result<(), Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(RESOLVE_LOCK).execute(tx).await?;
    Ok(())
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
        "INSERT INTO resolution (application_id, outcome, person_id, weight, probability, evidence, decided_at) \
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
        "INSERT INTO case_action (case_id, seq, action, at, actor, decision, note) \
         SELECT $1, coalesce(max(seq), 0) + 1, $2, $3, $4, $5, $6 FROM case_action WHERE case_id = $1 \
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
