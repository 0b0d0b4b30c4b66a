//! What a simulation compares with the truth: who was merged with whom, and what became of each application.

use sqlx::{PgConnection, Row};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Error, UnitScope};
use domain::application::State;
use domain::id::{ApplicationId, CaseId, PersonId};

/// A case as an adjudicator's list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseRow {
    pub case_id: CaseId,
    pub kind: String,
    pub application_id: Option<ApplicationId>,
    pub other_application_id: Option<ApplicationId>,
    pub person_id: Option<PersonId>,
    pub other_person_id: Option<PersonId>,
    /// Two people decided it.
    pub decided: bool,
}

/// Cases below `scope` that were opened before `before`, oldest first; decided ones too.
pub async fn cases(
    conn: &mut PgConnection,
    scope: &UnitScope,
    before: OffsetDateTime,
) -> Result<Vec<CaseRow>, Error> {
    let rows = sqlx::query(
        "SELECT case_id, kind, application_id, other_application_id, person_id, other_person_id, \
                confirmed_by IS NOT NULL AS decided \
         FROM case_file WHERE unit_path LIKE $1 || '%' AND opened_at < $2 ORDER BY opened_at, case_id",
    )
    .bind(scope.as_str())
    .bind(before)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let application = |column: &str| -> Result<Option<ApplicationId>, Error> {
                Ok(row.try_get::<Option<Uuid>, _>(column)?.map(ApplicationId::from_uuid))
            };
            let person = |column: &str| -> Result<Option<PersonId>, Error> {
                Ok(row.try_get::<Option<Uuid>, _>(column)?.map(PersonId::from_uuid))
            };
            Ok(CaseRow {
                case_id: CaseId::from_uuid(row.try_get("case_id")?),
                kind: row.try_get("kind")?,
                application_id: application("application_id")?,
                other_application_id: application("other_application_id")?,
                person_id: person("person_id")?,
                other_person_id: person("other_person_id")?,
                decided: row.try_get("decided")?,
            })
        })
        .collect()
}

/// Records below `scope` that were merged into another: (merged, surviving).
pub async fn merged(conn: &mut PgConnection, scope: &UnitScope) -> Result<Vec<(PersonId, PersonId)>, Error> {
    let rows: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "SELECT person_id, same_as FROM person WHERE same_as IS NOT NULL AND unit_path LIKE $1 || '%' \
         ORDER BY person_id",
    )
    .bind(scope.as_str())
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(a, b)| (PersonId::from_uuid(a), PersonId::from_uuid(b))).collect())
}

/// What became of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomeRow {
    pub application_id: ApplicationId,
    pub state: State,
    pub person_id: Option<PersonId>,
    /// Whether it was ever a case.
    pub was_case: bool,
}

/// Every application below `scope`.
pub async fn outcomes(conn: &mut PgConnection, scope: &UnitScope) -> Result<Vec<OutcomeRow>, Error> {
    let rows = sqlx::query(
        "SELECT a.application_id, a.state, a.person_id, \
                EXISTS (SELECT 1 FROM case_file c WHERE c.application_id = a.application_id) AS was_case \
         FROM application a WHERE a.unit_path LIKE $1 || '%' ORDER BY a.application_id",
    )
    .bind(scope.as_str())
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let application_id = ApplicationId::from_uuid(row.try_get("application_id")?);
            let code: String = row.try_get("state")?;
            Ok(OutcomeRow {
                application_id,
                state: State::from_code(&code).ok_or_else(|| Error::Inconsistent {
                    table: "application",
                    row: application_id.to_string(),
                    reason: "not the code of a state".to_owned(),
                })?,
                person_id: row.try_get::<Option<Uuid>, _>("person_id")?.map(PersonId::from_uuid),
                was_case: row.try_get("was_case")?,
            })
        })
        .collect()
}

/// Numbers of forms that the import found to be a second form of somebody: repeated under the same PIN, or
/// rejected because the PIN is another form's.
pub async fn settled_at_import(conn: &mut PgConnection) -> Result<Vec<String>, Error> {
    Ok(sqlx::query_scalar(
        "SELECT form_no FROM import_repeat UNION \
         SELECT form_no FROM import_reject WHERE form_no IS NOT NULL \
         AND errors @> '[{\"code\": \"pin_taken\"}]'",
    )
    .fetch_all(conn)
    .await?)
}
