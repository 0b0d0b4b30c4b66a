//! Cards that wait at communes, and hand-overs.

use sqlx::{PgConnection, Row};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::platform::error::inconsistent;
use crate::{Error, UnitScope};
use domain::Actor;
use domain::handover::Outcome;
use domain::id::{ApplicationId, PersonId};
use domain::person::Status;

/// Cards waiting at communes below `scope`, with how often a hand-over was tried, by commune and waiting
/// time.
#[derive(Debug, Clone)]
pub struct WaitingCard {
    pub application_id: ApplicationId,
    pub unit_code: String,
    pub since: OffsetDateTime,
    pub attempts: i16,
    pub last_attempt: Option<OffsetDateTime>,
}

/// Cards that lie at their communes below `scope`, by commune and then the longest wait first.
pub async fn waiting_cards(conn: &mut PgConnection, scope: &UnitScope) -> Result<Vec<WaitingCard>, Error> {
    let rows = sqlx::query(
        "SELECT a.application_id, a.unit_code, a.state_since, \
                count(h.attempt)::smallint AS attempts, max(h.at) AS last_attempt \
         FROM application a LEFT JOIN handover h USING (application_id) WHERE a.state = 'at_unit' \
         AND a.unit_path LIKE $1 || '%' \
         GROUP BY a.application_id ORDER BY a.unit_code, a.state_since, a.application_id",
    )
    .bind(scope.as_str())
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(WaitingCard {
                application_id: ApplicationId::from_uuid(row.try_get("application_id")?),
                unit_code: row.try_get("unit_code")?,
                since: row.try_get("state_since")?,
                attempts: row.try_get("attempts")?,
                last_attempt: row.try_get("last_attempt")?,
            })
        })
        .collect()
}

/// One attempt to hand a card over, whether it succeeded or not.
#[derive(Debug, Clone)]
pub struct HandoverRow {
    pub application: ApplicationId,
    pub attempt: i16,
    pub at: OffsetDateTime,
    pub outcome: Outcome,
    pub score: Option<f32>,
    pub officer: Actor,
}

/// Adds the attempts that are not recorded yet and returns those.
pub async fn put_handovers(
    tx: &mut PgConnection,
    attempts: &[HandoverRow],
) -> Result<Vec<(ApplicationId, i16)>, Error> {
    let rows: Vec<(Uuid, i16)> = sqlx::query_as(
        "INSERT INTO handover (application_id, attempt, at, outcome, score, officer) \
         SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::timestamptz[], $4::text[], $5::real[], \
         $6::text[]) \
         ON CONFLICT (application_id, attempt) DO NOTHING RETURNING application_id, attempt",
    )
    .bind(attempts.iter().map(|a| a.application.uuid()).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.attempt).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.at).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.outcome.code()).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.score).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.officer.to_string()).collect::<Vec<_>>())
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|(id, attempt)| (ApplicationId::from_uuid(id), attempt)).collect())
}

/// Of these applications, those whose person is dead or missing as the register knows, with which of the
/// two; a merged record counts as the one that goes on. The people are held until the transaction ends, so
/// that nobody is recorded as dead meanwhile. An application of nobody is not among them, nor one of
/// somebody who is not in the register.
///
/// # Errors
/// Those of the database; [`Error::Inconsistent`].
pub async fn of_the_not_living(
    tx: &mut PgConnection,
    applications: &[ApplicationId],
) -> Result<Vec<(ApplicationId, Status)>, Error> {
    let rows: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "WITH RECURSIVE way (application_id, id, next) AS ( \
             SELECT a.application_id, p.person_id, p.same_as \
             FROM application a JOIN person p USING (person_id) WHERE a.application_id = ANY($1) \
             UNION SELECT w.application_id, p.person_id, p.same_as \
             FROM way w JOIN person p ON p.person_id = w.next) \
         SELECT application_id, id FROM way WHERE next IS NULL",
    )
    .bind(applications.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .fetch_all(&mut *tx)
    .await?;
    let held: Vec<(Uuid, i16, Option<Uuid>)> = sqlx::query_as(
        "SELECT person_id, status, same_as FROM person WHERE person_id = ANY($1) \
         ORDER BY person_id FOR SHARE",
    )
    .bind(rows.iter().map(|(_, person)| *person).collect::<Vec<_>>())
    .fetch_all(tx)
    .await?;
    let mut found = Vec::new();
    for (person, status, same_as) in held {
        let status = Status::from_columns(status, same_as.map(PersonId::from_uuid))
            .ok_or_else(|| inconsistent("person", person, "status and same_as make no status"))?;
        if matches!(status, Status::Dead | Status::Missing) {
            let of = rows.iter().filter(|(_, holder)| *holder == person);
            found.extend(of.map(|(application, _)| (ApplicationId::from_uuid(*application), status)));
        }
    }
    found.sort_by_key(|(application, _)| *application);
    Ok(found)
}

/// The attempts to hand an application's card over, the first first.
///
/// # Errors
/// Those of the database; [`Error::Inconsistent`].
pub async fn attempts(
    conn: &mut PgConnection,
    application: ApplicationId,
) -> Result<Vec<(i16, Outcome, Option<f32>)>, Error> {
    let rows: Vec<(i16, String, Option<f32>)> = sqlx::query_as(
        "SELECT attempt, outcome, score FROM handover WHERE application_id = $1 ORDER BY attempt",
    )
    .bind(application.uuid())
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(attempt, code, score)| {
            let outcome = Outcome::from_code(&code).ok_or_else(|| Error::Inconsistent {
                table: "handover",
                row: format!("{application}, attempt {attempt}"),
                reason: format!("unknown outcome {code}"),
            })?;
            Ok((attempt, outcome, score))
        })
        .collect()
}

/// When attempts to hand an application's card over were, and whose, the first first.
///
/// # Errors
/// Those of the database.
pub async fn times(
    conn: &mut PgConnection,
    application: ApplicationId,
) -> Result<Vec<(i16, OffsetDateTime, String)>, Error> {
    let rows = sqlx::query_as(
        "SELECT attempt, at, officer FROM handover WHERE application_id = $1 ORDER BY attempt",
    );
    Ok(rows.bind(application.uuid()).fetch_all(conn).await?)
}

/// The card that is made of an application: where it is handed over, and its number, the latest first.
///
/// # Errors
/// Those of the database.
pub async fn cards_of(
    conn: &mut PgConnection,
    application: ApplicationId,
) -> Result<Vec<(String, String)>, Error> {
    let rows = sqlx::query_as(
        "SELECT a.unit_code, c.number FROM application a JOIN card c USING (application_id) \
         WHERE a.application_id = $1 AND c.state <> 'spoiled' ORDER BY c.card_id DESC",
    );
    Ok(rows.bind(application.uuid()).fetch_all(conn).await?)
}
