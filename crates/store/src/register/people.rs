//! The register's records as values.

use std::collections::HashMap;
use std::fmt::Display;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use crate::Error;
use domain::field::{Field, Part};
use domain::id::PersonId;
use domain::record::{Place, Relative};
use domain::{OldId, PartialDate, PersonName, Pin, ResidentRecord, Sex, UnitCode};

/// Columns that make a [`ResidentRecord`], for a SELECT from `person`.
pub const RECORD_COLUMNS: &str = "person_id, pin, old_id, full_name, sex, birth, ethnicity, religion, \
    nationality, marital, blood, birth_registration, native_place, permanent_unit, permanent_detail, \
    current_unit, current_detail, father_name, father_pin, mother_name, mother_pin, spouse_name, spouse_pin, \
    household, relation_to_head";

/// The column of `person` that holds a part of the record.
pub(super) const fn column(field: Field, part: Part) -> &'static str {
    match (field, part) {
        (Field::Name, _) => "full_name",
        (Field::Sex, _) => "sex",
        (Field::Birth, _) => "birth",
        (Field::Pin, _) => "pin",
        (Field::OldId, _) => "old_id",
        (Field::Ethnicity, _) => "ethnicity",
        (Field::Religion, _) => "religion",
        (Field::Nationality, _) => "nationality",
        (Field::Marital, _) => "marital",
        (Field::Blood, _) => "blood",
        (Field::BirthRegistration, _) => "birth_registration",
        (Field::NativePlace, _) => "native_place",
        (Field::Permanent, Part::Unit) => "permanent_unit",
        (Field::Permanent, _) => "permanent_detail",
        (Field::Current, Part::Unit) => "current_unit",
        (Field::Current, _) => "current_detail",
        (Field::Father, Part::Name) => "father_name",
        (Field::Father, _) => "father_pin",
        (Field::Mother, Part::Name) => "mother_name",
        (Field::Mother, _) => "mother_pin",
        (Field::Spouse, Part::Name) => "spouse_name",
        (Field::Spouse, _) => "spouse_pin",
        (Field::Household, _) => "household",
        (Field::Relation, _) => "relation_to_head",
    }
}

/// The records of these people, in the order of their ids; unknown ids are left out.
pub async fn records(
    conn: &mut PgConnection,
    ids: &[PersonId],
) -> Result<Vec<(PersonId, ResidentRecord)>, Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let sql = format!("SELECT {RECORD_COLUMNS} FROM person WHERE person_id = ANY($1) ORDER BY person_id");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(ids).fetch_all(conn).await?;
    rows.iter().map(record).collect()
}

/// The forms that brought these people into the register.
///
/// # Errors
/// Those of the database.
pub async fn forms(conn: &mut PgConnection, ids: &[PersonId]) -> Result<HashMap<PersonId, String>, Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<(Uuid, String)> =
        sqlx::query_as("SELECT person_id, form_no FROM person WHERE person_id = ANY($1)")
            .bind(ids)
            .fetch_all(conn)
            .await?;
    Ok(rows.into_iter().map(|(person, form)| (PersonId::from_uuid(person), form)).collect())
}

/// This record and every record that was merged into it, on whatever way: what was made for any of them is
/// the person's.
///
/// # Errors
/// Those of the database.
pub async fn records_of(conn: &mut PgConnection, id: PersonId) -> Result<Vec<PersonId>, Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "WITH RECURSIVE same (id) AS (SELECT $1::uuid \
             UNION SELECT p.person_id FROM person p JOIN same ON p.same_as = same.id) \
         SELECT id FROM same ORDER BY id",
    )
    .bind(id.uuid())
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(PersonId::from_uuid).collect())
}

/// Reads a row that has [`RECORD_COLUMNS`].
///
/// # Errors
/// [`Error::Inconsistent`] naming the person and the column, for a value that no import could have written.
pub fn record(row: &PgRow) -> Result<(PersonId, ResidentRecord), Error> {
    let person = PersonId::from_uuid(row.try_get("person_id")?);
    let cell = Cell { row, person };
    let record = ResidentRecord {
        name: cell.parse("full_name", PersonName::parse)?,
        sex: Sex::from_code(row.try_get("sex")?).ok_or_else(|| cell.fault("sex", "not 1 or 2"))?,
        birth: PartialDate::from_packed(row.try_get("birth")?).map_err(|e| cell.fault("birth", e))?,
        pin: cell.maybe("pin", Pin::parse)?,
        old_id: cell.maybe("old_id", OldId::parse)?,
        ethnicity: cell.code("ethnicity")?.unwrap_or_default(),
        religion: cell.code("religion")?.unwrap_or_default(),
        nationality: row.try_get("nationality")?,
        marital: cell.code("marital")?,
        blood: row.try_get("blood")?,
        birth_registration: cell.maybe("birth_registration", str::parse::<UnitCode>)?,
        native_place: cell.maybe("native_place", str::parse::<UnitCode>)?,
        permanent: Place {
            unit: cell.parse("permanent_unit", str::parse::<UnitCode>)?,
            detail: row.try_get("permanent_detail")?,
        },
        current: match cell.maybe("current_unit", str::parse::<UnitCode>)? {
            Some(unit) => Some(Place {
                unit,
                detail: row.try_get::<Option<String>, _>("current_detail")?.unwrap_or_default(),
            }),
            None => None,
        },
        father: cell.relative("father_name", "father_pin")?,
        mother: cell.relative("mother_name", "mother_pin")?,
        spouse: cell.relative("spouse_name", "spouse_pin")?,
        household: row.try_get("household")?,
        relation_to_head: cell.code("relation_to_head")?,
    };
    Ok((person, record))
}

/// One row, and whose it is, for errors that name it without its values.
struct Cell<'r> {
    row: &'r PgRow,
    person: PersonId,
}

impl Cell<'_> {
    fn fault(&self, column: &str, reason: impl Display) -> Error {
        Error::Inconsistent {
            table: "person",
            row: self.person.to_string(),
            reason: format!("{column}: {reason}"),
        }
    }

    fn parse<T, E: Display>(&self, column: &str, parse: impl Fn(&str) -> Result<T, E>) -> Result<T, Error> {
        let text: String = self.row.try_get(column)?;
        parse(&text).map_err(|e| self.fault(column, e))
    }

    fn maybe<T, E: Display>(
        &self,
        column: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Error> {
        let text: Option<String> = self.row.try_get(column)?;
        text.map(|text| parse(&text).map_err(|e| self.fault(column, e))).transpose()
    }

    fn code(&self, column: &str) -> Result<Option<u8>, Error> {
        let code: Option<i16> = self.row.try_get(column)?;
        code.map(|code| u8::try_from(code).map_err(|e| self.fault(column, e))).transpose()
    }

    fn relative(&self, name: &str, pin: &str) -> Result<Option<Relative>, Error> {
        let Some(name) = self.maybe(name, PersonName::parse)? else { return Ok(None) };
        Ok(Some(Relative { name, pin: self.maybe(pin, Pin::parse)? }))
    }
}

/// Whether the register holds anybody.
///
/// # Errors
/// Those of the database.
pub async fn is_anybody_there(conn: &mut PgConnection) -> Result<bool, Error> {
    Ok(sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM person)").fetch_one(conn).await?)
}
