//! People as pages show them.
//!
//! Functions whose connection is called `scoped` are for [`crate::Database::scoped`] transactions, where
//! row-level security keeps other units' rows away; those with `conn` read tables without a policy and take
//! the scope or an id that was let through before.

use std::collections::BTreeMap;

use sqlx::{FromRow, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Error;
use crate::platform::error::inconsistent;
use domain::id::PersonId;
use domain::{PartialDate, Sex};

/// What a search for people may ask; an empty question finds the first people by name.
#[derive(Clone, Default)]
pub struct PeopleQuery {
    /// Words of the name in capitals without marks, in this order, anywhere in the name.
    pub name_fold: Option<String>,
    pub birth_year: Option<i16>,
    /// One person, as found by PIN.
    pub person_id: Option<PersonId>,
    pub limit: i64,
}

/// One line of a list of people.
#[derive(Clone, FromRow)]
pub struct PersonHit {
    pub person_id: Uuid,
    pub pin: Option<String>,
    pub full_name: String,
    pub sex: i16,
    /// yyyymmdd with zeros for unknown parts.
    pub birth: i32,
    pub permanent_unit: String,
    pub permanent_detail: String,
    pub status: i16,
}

/// A person's current record.
#[derive(Clone, FromRow)]
pub struct PersonPage {
    pub person_id: Uuid,
    pub pin: Option<String>,
    pub old_id: Option<String>,
    pub full_name: String,
    pub sex: i16,
    pub birth: i32,
    pub ethnicity: i16,
    pub religion: i16,
    pub nationality: String,
    pub marital: Option<i16>,
    pub blood: Option<String>,
    pub birth_registration: Option<String>,
    pub native_place: Option<String>,
    pub permanent_unit: String,
    pub permanent_detail: String,
    pub current_unit: Option<String>,
    pub current_detail: Option<String>,
    pub father_name: Option<String>,
    pub father_pin: Option<String>,
    pub mother_name: Option<String>,
    pub mother_pin: Option<String>,
    pub spouse_name: Option<String>,
    pub spouse_pin: Option<String>,
    pub household: Option<String>,
    pub relation_to_head: Option<i16>,
    pub status: i16,
    pub same_as: Option<Uuid>,
    pub unit_path: String,
    pub form_no: String,
    pub version: i32,
    pub recorded_at: OffsetDateTime,
}

impl PersonPage {
    /// The date of birth; an error names the column and the row.
    pub fn birth_date(&self) -> Result<PartialDate, Error> {
        birth_of(self.person_id, self.birth)
    }

    /// The sex; an error names the row when the stored number is none.
    pub fn sex_value(&self) -> Result<Sex, Error> {
        Sex::from_code(self.sex)
            .ok_or_else(|| inconsistent("person", self.person_id, "sex is neither 1 nor 2"))
    }
}

impl PersonHit {
    /// The date of birth; an error names the row when the stored number is none.
    pub fn birth_date(&self) -> Result<PartialDate, Error> {
        birth_of(self.person_id, self.birth)
    }

    /// The sex; an error names the row when the stored number is none.
    pub fn sex_value(&self) -> Result<Sex, Error> {
        Sex::from_code(self.sex)
            .ok_or_else(|| inconsistent("person", self.person_id, "sex is neither 1 nor 2"))
    }
}

/// People by name, year of birth or id.
///
/// Those whom the page shows are found in an index that has all that is asked and sorted by; only they are
/// read whole.
pub async fn people(scoped: &mut PgConnection, query: &PeopleQuery) -> Result<Vec<PersonHit>, Error> {
    let pattern = query.name_fold.as_deref().map(|words| {
        let words: Vec<String> = words.split_whitespace().map(escape_like).collect();
        format!("%{}%", words.join("%"))
    });
    let years = query.birth_year.map(|year| (i32::from(year) * 10_000, i32::from(year) * 10_000 + 9_999));
    // Apart, so that one person is always found by the key.
    let sql = match query.person_id {
        Some(_) => {
            "SELECT person_id, pin, full_name, sex, birth, permanent_unit, permanent_detail, status \
             FROM person WHERE person_id = $5 AND ($1::text IS NULL OR name_fold LIKE $1) \
               AND ($2::int IS NULL OR birth BETWEEN $2 AND $3) LIMIT $4"
        }
        None => {
            "WITH found AS MATERIALIZED ( \
                 SELECT person_id FROM person WHERE ($1::text IS NULL OR name_fold LIKE $1) \
                   AND ($2::int IS NULL OR birth BETWEEN $2 AND $3) AND $5::uuid IS NULL \
                 ORDER BY name_fold, birth, person_id LIMIT $4) \
             SELECT p.person_id, p.pin, p.full_name, p.sex, p.birth, p.permanent_unit, p.permanent_detail, \
                    p.status FROM found JOIN person p USING (person_id) \
             ORDER BY p.name_fold, p.birth, p.person_id"
        }
    };
    let rows = sqlx::query_as(sql)
        .bind(pattern)
        .bind(years.map(|(from, _)| from))
        .bind(years.map(|(_, to)| to))
        .bind(query.limit)
        .bind(query.person_id.map(PersonId::uuid))
        .fetch_all(scoped)
        .await?;
    Ok(rows)
}

/// A person's record.
pub async fn person(scoped: &mut PgConnection, id: PersonId) -> Result<Option<PersonPage>, Error> {
    let row = sqlx::query_as(
        "SELECT person_id, pin, old_id, full_name, sex, birth, ethnicity, religion, nationality, marital, \
         blood, \
                birth_registration, native_place, permanent_unit, permanent_detail, current_unit, \
                current_detail, father_name, father_pin, mother_name, mother_pin, spouse_name, spouse_pin, \
                household, relation_to_head, status, same_as, unit_path, form_no, version, recorded_at \
         FROM person WHERE person_id = $1",
    )
    .bind(id.uuid())
    .fetch_optional(scoped)
    .await?;
    Ok(row)
}

/// Names of people by id, for those inside the scope.
pub async fn names(scoped: &mut PgConnection, ids: &[Uuid]) -> Result<BTreeMap<Uuid, (String, i32)>, Error> {
    let rows: Vec<(Uuid, String, i32)> =
        sqlx::query_as("SELECT person_id, full_name, birth FROM person WHERE person_id = ANY($1)")
            .bind(ids)
            .fetch_all(scoped)
            .await?;
    Ok(rows.into_iter().map(|(id, name, birth)| (id, (name, birth))).collect())
}

fn birth_of(person: Uuid, packed: i32) -> Result<PartialDate, Error> {
    PartialDate::from_packed(packed).map_err(|_| inconsistent("person", person, "birth is not a date"))
}

/// Takes the meaning of a pattern from `%`, `_` and the escape character itself.
fn escape_like(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    for c in word.chars() {
        if matches!(c, '%' | '_' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_become_a_pattern() {
        assert_eq!(escape_like("A%B_\\"), "A\\%B\\_\\\\");
    }
}
