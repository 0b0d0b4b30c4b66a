//! How good the register's data is.

use sqlx::PgConnection;

use crate::Error;
use crate::register::LIVING;

/// How good the register's data of one unit is: đúng, đủ, sạch, sống (correct, complete, clean, live).
///
/// There is no official measure; these counts are our own definition, per unit where people are registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QualityRow {
    /// Path of the commune, or of the district for those whose commune is not known.
    pub unit_path: String,
    /// People alive and not merged into another record. The other counts are of these.
    pub people: u64,
    /// Đúng: a personal number is there, and its structure agrees with sex, birth year and province of
    /// registration.
    pub pin_agrees: u64,
    /// Đúng: a personal number is there and contradicts the record.
    pub pin_contradicts: u64,
    /// Đủ: full birth date, place of registration, native place, household and a commune are all there.
    pub complete: u64,
    /// Sạch: in no open case of the register's duplicates.
    pub clean: u64,
    /// Sống: mean days from a life event to its record, over events that were recorded later than they
    /// happened.
    pub mean_days_to_record: Option<u64>,
}

/// The quality of every unit whose path begins with `scope`, in the order of their paths.
///
/// # Errors
/// Those of the database.
pub async fn quality(conn: &mut PgConnection, scope: &str) -> Result<Vec<QualityRow>, Error> {
    let rows: Vec<QualityColumns> =
        sqlx::query_as(sqlx::AssertSqlSafe(statement())).bind(scope).fetch_all(conn).await?;
    Ok(rows.into_iter().map(QualityRow::from).collect())
}

/// The number's structure is Decree 137/2015 art. 13: place of registration, century and sex, year, serial.
/// The mean leaves out version 1, which is the registration itself, and whatever is recorded in the instant
/// it happens.
fn statement() -> String {
    format!(
        "WITH checked AS (
    SELECT p.person_id, p.unit_path, p.pin,
           substr(p.pin, 4, 1)::int % 2 = p.sex - 1
             AND 1900 + substr(p.pin, 4, 1)::int / 2 * 100 + substr(p.pin, 5, 2)::int = p.birth / 10000
             AND (p.birth_registration IS NULL
                  OR substr(p.pin, 1, 3) = lpad(split_part(u.path, '/', 1), 3, '0')) AS agrees,
           p.birth % 100 > 0 AND p.birth_registration IS NOT NULL AND p.native_place IS NOT NULL
             AND p.household IS NOT NULL AND (length(p.permanent_unit) = 5 OR NOT EXISTS (
                 SELECT FROM unit below WHERE below.parent = p.permanent_unit \
                 AND below.valid_to IS NULL)) AS complete,
           NOT EXISTS (SELECT FROM case_file c WHERE c.decision IS NULL
               AND p.person_id IN (c.person_id, c.other_person_id)) AS clean
    FROM person p LEFT JOIN unit u ON u.code = p.birth_registration AND u.valid_to IS NULL
    WHERE p.{LIVING} AND starts_with(p.unit_path, $1)),
  delays AS (
    SELECT p.unit_path, avg(extract(epoch FROM e.recorded_at - e.at) / 86400)::bigint AS days
    FROM person_event e JOIN person p USING (person_id)
    WHERE e.version > 1 AND e.recorded_at > e.at AND p.{LIVING} AND starts_with(p.unit_path, $1)
    GROUP BY p.unit_path)
  SELECT unit_path, count(*) AS people, count(*) FILTER (WHERE agrees) AS pin_agrees,
         count(*) FILTER (WHERE NOT agrees) AS pin_contradicts, count(*) FILTER (WHERE complete) AS complete,
         count(*) FILTER (WHERE clean) AS clean, max(days) AS days
  FROM checked LEFT JOIN delays USING (unit_path) GROUP BY unit_path ORDER BY unit_path"
    )
}

#[derive(sqlx::FromRow)]
struct QualityColumns {
    unit_path: String,
    people: i64,
    pin_agrees: i64,
    pin_contradicts: i64,
    complete: i64,
    clean: i64,
    days: Option<i64>,
}

impl From<QualityColumns> for QualityRow {
    fn from(row: QualityColumns) -> Self {
        QualityRow {
            unit_path: row.unit_path,
            people: row.people.cast_unsigned(),
            pin_agrees: row.pin_agrees.cast_unsigned(),
            pin_contradicts: row.pin_contradicts.cast_unsigned(),
            complete: row.complete.cast_unsigned(),
            clean: row.clean.cast_unsigned(),
            mean_days_to_record: row.days.map(i64::cast_unsigned),
        }
    }
}
