//! The people of the register as linkage compares them.

use std::collections::HashMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::{LIVING, uuids};
use crate::platform::error::inconsistent;
use crate::{Error, UnitScope};
use domain::id::PersonId;
use domain::person::Status;

/// What linkage compares of a person, as stored. Personal data: `Debug` shows the id alone.
#[derive(Clone, sqlx::FromRow)]
pub struct PersonRow {
    pub person_id: Uuid,
    pub full_name: String,
    pub sex: i16,
    /// `yyyymmdd` with zeros for unknown parts.
    pub birth: i32,
    pub ethnicity: i16,
    pub pin: Option<String>,
    pub old_id: Option<String>,
    pub birth_registration: Option<String>,
    pub native_place: Option<String>,
    pub permanent_unit: String,
    pub permanent_detail: String,
    pub father_name: Option<String>,
    pub mother_name: Option<String>,
    pub unit_path: String,
}

impl std::fmt::Debug for PersonRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PersonRow").field("person_id", &self.person_id).finish_non_exhaustive()
    }
}

const PERSON: &str = "SELECT person_id, full_name, sex, birth, ethnicity, pin, old_id, birth_registration, \
                      native_place, \
     permanent_unit, permanent_detail, father_name, mother_name, unit_path FROM person";

/// The next `limit` living people of `scope` after `after`, by id.
///
/// # Errors
/// Those of the database.
pub async fn living_people(
    conn: &mut PgConnection,
    scope: &UnitScope,
    after: Uuid,
    limit: u32,
) -> Result<Vec<PersonRow>, Error> {
    let sql = format!(
        "{PERSON} WHERE {LIVING} AND person_id > $1 AND starts_with(unit_path, $2) ORDER BY person_id \
         LIMIT $3"
    );
    let rows = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(after)
        .bind(scope.as_str())
        .bind(i64::from(limit))
        .fetch_all(conn)
        .await?;
    Ok(rows)
}

/// The living people among `ids`, by id.
///
/// # Errors
/// Those of the database.
pub async fn people(conn: &mut PgConnection, ids: &[PersonId]) -> Result<Vec<PersonRow>, Error> {
    let sql = format!("{PERSON} WHERE {LIVING} AND person_id = ANY($1) ORDER BY person_id");
    let rows = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(uuids(ids)).fetch_all(conn).await?;
    Ok(rows)
}

/// For each of `ids` that is in the register: the living person whose record it is now. A record that was
/// merged leads to the survivor; one of a dead person leads nowhere.
///
/// # Errors
/// Those of the database.
pub async fn survivors(
    conn: &mut PgConnection,
    ids: &[PersonId],
) -> Result<HashMap<PersonId, PersonId>, Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    // The plain look-up is nearly always the whole answer; only merged records are followed, from one to the
    // next.
    let rows: Vec<(Uuid, i16, Option<Uuid>)> =
        sqlx::query_as("SELECT person_id, status, same_as FROM person WHERE person_id = ANY($1)")
            .bind(uuids(ids))
            .fetch_all(&mut *conn)
            .await?;
    let mut found: HashMap<PersonId, PersonId> = HashMap::with_capacity(rows.len());
    let mut merged: Vec<Uuid> = Vec::new();
    for (id, code, same_as) in rows {
        let status = Status::from_columns(code, same_as.map(PersonId::from_uuid));
        match status.ok_or_else(|| inconsistent("person", id, "status and same_as make no status"))? {
            Status::Alive => {
                found.insert(PersonId::from_uuid(id), PersonId::from_uuid(id));
            }
            Status::Merged { .. } => merged.push(id),
            Status::Dead | Status::Missing => {}
        }
    }
    if !merged.is_empty() {
        let sql = format!(
            "WITH RECURSIVE way (first, person_id, status, same_as) AS ( \
                 SELECT person_id, person_id, status, same_as FROM person WHERE person_id = ANY($1) \
                 UNION \
                 SELECT way.first, p.person_id, p.status, p.same_as FROM way \
                 JOIN person p ON p.person_id = way.same_as) \
             SELECT first, person_id FROM way WHERE {LIVING}",
        );
        let led: Vec<(Uuid, Uuid)> =
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(merged).fetch_all(conn).await?;
        found.extend(led.into_iter().map(|(id, to)| (PersonId::from_uuid(id), PersonId::from_uuid(to))));
    }
    Ok(found)
}
