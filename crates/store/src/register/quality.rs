//! What the nightly look at the register reads, and what it writes down: who does not keep which rule, and
//! how many do, unit by unit. The rules are `register::quality`'s.

use std::collections::HashSet;

use sqlx::{PgConnection, Row};
use time::Date;
use uuid::Uuid;

use super::people::{RECORD_COLUMNS, record};
use crate::Error;
use crate::platform::error::inconsistent;
use domain::ResidentRecord;
use domain::id::PersonId;
use domain::person::Status;

/// A person as rules look at them.
#[derive(Debug, Clone)]
pub struct Examined {
    /// Who.
    pub id: PersonId,
    /// What the register holds.
    pub record: ResidentRecord,
    /// Alive, dead or missing; merged records are not looked at.
    pub status: Status,
    /// Of the events of the last year, the longest time from the legal day to the recording, in days; `None`
    /// where there was none.
    pub late_days: Option<i32>,
}

impl Examined {
    /// Whether the person lives, as far as anybody told.
    pub fn lives(&self) -> bool {
        self.status == Status::Alive
    }

    /// Whether the person is dead.
    pub fn is_dead(&self) -> bool {
        self.status == Status::Dead
    }
}

/// The paths of the units in which somebody is registered, below a path, in order.
///
/// # Errors
/// Those of the database.
pub async fn inhabited(conn: &mut PgConnection, below: &str) -> Result<Vec<String>, Error> {
    // One step of the index a unit, where a DISTINCT would read everybody.
    Ok(sqlx::query_scalar(
        "WITH RECURSIVE path AS ( \
             (SELECT unit_path FROM person WHERE unit_path ~>=~ $1 ORDER BY unit_path USING ~<~ LIMIT 1) \
             UNION ALL \
             SELECT (SELECT p.unit_path FROM person p WHERE p.unit_path ~>~ path.unit_path \
                     ORDER BY p.unit_path USING ~<~ LIMIT 1) \
             FROM path WHERE path.unit_path IS NOT NULL) \
         SELECT unit_path FROM path WHERE unit_path IS NOT NULL AND starts_with(unit_path, $1)",
    )
    .bind(below)
    .fetch_all(conn)
    .await?)
}

/// Those of [`inhabited`], and those in which somebody was at the last look: what was found there is over.
///
/// # Errors
/// Those of the database.
pub async fn to_be_looked_at(conn: &mut PgConnection, below: &str) -> Result<Vec<String>, Error> {
    let mut paths = inhabited(&mut *conn, below).await?;
    let before: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT unit_path FROM quality_day WHERE latest AND starts_with(unit_path, $1)",
    )
    .bind(below)
    .fetch_all(conn)
    .await?;
    paths.extend(before);
    paths.sort_unstable();
    paths.dedup();
    Ok(paths)
}

const EXAMINED: &str = "status, \
    (SELECT max(e.recorded_at::date - e.at::date) FROM person_event e \
     WHERE p.version > 1 AND e.person_id = p.person_id AND e.version > 1 AND e.kind <> 'pin_assigned' \
       AND e.recorded_at >= $2::date - 365) AS late_days";

/// Everybody who is registered in one unit, but for merged records.
///
/// # Errors
/// Those of the database; [`Error::Inconsistent`].
pub async fn registered_in(
    conn: &mut PgConnection,
    unit_path: &str,
    today: Date,
) -> Result<Vec<Examined>, Error> {
    let sql = format!(
        "SELECT {RECORD_COLUMNS}, {EXAMINED} FROM person p WHERE unit_path = $1 AND same_as IS NULL \
         ORDER BY person_id"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(unit_path).bind(today).fetch_all(conn).await?;
    rows.iter().map(examined).collect()
}

/// Those who have these personal numbers, wherever they are registered.
///
/// # Errors
/// Those of the database; [`Error::Inconsistent`].
pub async fn with_numbers(
    conn: &mut PgConnection,
    pins: &[String],
    today: Date,
) -> Result<Vec<Examined>, Error> {
    let sql = format!(
        "SELECT {RECORD_COLUMNS}, {EXAMINED} FROM person p WHERE same_as IS NULL AND person_id IN \
             (SELECT n.person_id FROM pin n WHERE n.pin = ANY($1) AND n.ended_at IS NULL)"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(pins).bind(today).fetch_all(conn).await?;
    rows.iter().map(examined).collect()
}

fn examined(row: &sqlx::postgres::PgRow) -> Result<Examined, Error> {
    let (id, record) = record(row)?;
    let status = Status::from_columns(row.try_get("status")?, None)
        .ok_or_else(|| inconsistent("person", id.uuid(), "its status is none of a record in force"))?;
    Ok(Examined { id, record, status, late_days: row.try_get("late_days")? })
}

/// The personal numbers, and the numbers of old cards, that more than one record in force has.
///
/// # Errors
/// Those of the database.
pub async fn shared_numbers(conn: &mut PgConnection) -> Result<(HashSet<String>, HashSet<String>), Error> {
    let mut shared = [HashSet::new(), HashSet::new()];
    for (numbers, column) in shared.iter_mut().zip(["pin", "old_id"]) {
        let sql = format!(
            "SELECT {column} FROM person WHERE {column} IS NOT NULL AND same_as IS NULL \
             GROUP BY {column} HAVING count(*) > 1"
        );
        let found: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&mut *conn).await?;
        numbers.extend(found);
    }
    let [pins, old_ids] = shared;
    Ok((pins, old_ids))
}

/// How many people of a unit a rule applies to, and how many of them keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The rule's code.
    pub rule: String,
    /// Who keeps it.
    pub ok: i64,
    /// Whom it applies to.
    pub of: i64,
}

/// Writes down what the people of one unit came to on a day: findings that are new or still there, those that
/// are settled, and the counts. Written again, it is the same.
///
/// # Errors
/// Those of the database.
pub async fn write(
    tx: &mut PgConnection,
    unit_path: &str,
    day: Date,
    findings: &[(PersonId, &str)],
    counts: &[Count],
) -> Result<(), Error> {
    let (people, rules): (Vec<Uuid>, Vec<&str>) =
        findings.iter().map(|(person, rule)| (person.uuid(), *rule)).unzip();
    // Whoever moved brings their findings along: the fault is as old as it is.
    sqlx::query(
        "INSERT INTO quality_finding (person_id, rule, unit_path, first_seen, seen) \
         SELECT f.person_id, f.rule, $3, $4, $4 FROM unnest($1::uuid[], $2::text[]) AS f (person_id, rule) \
         ON CONFLICT (person_id, rule) DO UPDATE SET unit_path = EXCLUDED.unit_path, seen = EXCLUDED.seen, \
             first_seen = CASE WHEN quality_finding.settled_on < EXCLUDED.seen THEN EXCLUDED.seen \
                               ELSE quality_finding.first_seen END, \
             settled_on = NULL",
    )
    .bind(people)
    .bind(rules)
    .bind(unit_path)
    .bind(day)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "UPDATE quality_finding SET settled_on = $2 \
         WHERE unit_path = $1 AND settled_on IS NULL AND seen < $2",
    )
    .bind(unit_path)
    .bind(day)
    .execute(&mut *tx)
    .await?;
    sqlx::query("UPDATE quality_day SET latest = false WHERE unit_path = $1 AND latest")
        .bind(unit_path)
        .execute(&mut *tx)
        .await?;
    let rules: Vec<&str> = counts.iter().map(|count| count.rule.as_str()).collect();
    let oks: Vec<i64> = counts.iter().map(|count| count.ok).collect();
    let ofs: Vec<i64> = counts.iter().map(|count| count.of).collect();
    sqlx::query(
        "INSERT INTO quality_day (unit_path, day, rule, ok, applies, latest) \
         SELECT $1, $2, c.rule, c.ok, c.applies, true \
         FROM unnest($3::text[], $4::bigint[], $5::bigint[]) AS c (rule, ok, applies) \
         ON CONFLICT (unit_path, day, rule) DO UPDATE SET ok = EXCLUDED.ok, applies = EXCLUDED.applies, \
             latest = true",
    )
    .bind(unit_path)
    .bind(day)
    .bind(rules)
    .bind(oks)
    .bind(ofs)
    .execute(tx)
    .await?;
    Ok(())
}

/// The units that were looked at on a day already.
///
/// # Errors
/// Those of the database.
pub async fn looked_at(conn: &mut PgConnection, day: Date) -> Result<HashSet<String>, Error> {
    let paths: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT unit_path FROM quality_day WHERE latest AND day = $1")
            .bind(day)
            .fetch_all(conn)
            .await?;
    Ok(paths.into_iter().collect())
}

/// What the people of a scope came to at the last look at each of its units, by rule, and the day of the
/// oldest of these looks.
///
/// # Errors
/// Those of the database.
pub async fn counts(scoped: &mut PgConnection) -> Result<(Vec<Count>, Option<Date>), Error> {
    let rows: Vec<(String, i64, i64, Date)> = sqlx::query_as(
        "SELECT rule, sum(ok)::bigint, sum(applies)::bigint, min(day) FROM quality_day WHERE latest \
         GROUP BY rule ORDER BY rule",
    )
    .fetch_all(scoped)
    .await?;
    let oldest = rows.iter().map(|(.., day)| *day).min();
    Ok((rows.into_iter().map(|(rule, ok, of, _)| Count { rule, ok, of }).collect(), oldest))
}

/// What one rule came to in each unit of a scope at its last look: path, who keeps it, whom it applies to;
/// the units with the most faults first.
///
/// # Errors
/// Those of the database.
pub async fn by_unit(scoped: &mut PgConnection, rule: &str) -> Result<Vec<(String, i64, i64)>, Error> {
    Ok(sqlx::query_as(
        "SELECT unit_path, ok, applies FROM quality_day WHERE latest AND rule = $1 AND applies > 0 \
         ORDER BY applies - ok DESC, unit_path",
    )
    .bind(rule)
    .fetch_all(scoped)
    .await?)
}

/// What one rule came to in a scope on the last days on which it was looked at, the newest first: day, who
/// keeps it, whom it applies to.
///
/// # Errors
/// Those of the database.
pub async fn trend(scoped: &mut PgConnection, rule: &str, days: i64) -> Result<Vec<(Date, i64, i64)>, Error> {
    Ok(sqlx::query_as(
        "SELECT day, sum(ok)::bigint, sum(applies)::bigint FROM quality_day WHERE rule = $1 \
         GROUP BY day ORDER BY day DESC LIMIT $2",
    )
    .bind(rule)
    .bind(days)
    .fetch_all(scoped)
    .await?)
}

/// Somebody who does not keep a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Who.
    pub person_id: PersonId,
    /// As the register has it.
    pub name: String,
    /// As the register has it.
    pub birth: i32,
    /// Since which day that is known.
    pub first_seen: Date,
    /// Where the person is registered.
    pub unit_path: String,
}

/// Whether a rule finds somebody of a scope, and nobody has settled it.
///
/// # Errors
/// Those of the database.
pub async fn is_open(scoped: &mut PgConnection, person: PersonId, rule: &str) -> Result<bool, Error> {
    let sql = "SELECT EXISTS (SELECT FROM quality_finding \
               WHERE person_id = $1 AND rule = $2 AND settled_on IS NULL)";
    Ok(sqlx::query_scalar(sql).bind(person.uuid()).bind(rule).fetch_one(scoped).await?)
}

/// The open findings of a rule in a scope below a path, those that are known longest first, after one of
/// them.
///
/// # Errors
/// Those of the database.
pub async fn open(
    scoped: &mut PgConnection,
    rule: &str,
    below: &str,
    after: Option<(Date, PersonId)>,
    limit: i64,
) -> Result<Vec<Finding>, Error> {
    let rows: Vec<(Uuid, String, i32, Date, String)> = sqlx::query_as(
        "SELECT f.person_id, p.full_name, p.birth, f.first_seen, f.unit_path \
         FROM quality_finding f JOIN person p USING (person_id) \
         WHERE f.settled_on IS NULL AND f.rule = $1 AND f.unit_path ~>=~ $2 AND f.unit_path ~<~ ($2 || '~') \
           AND ($3::date IS NULL OR (f.first_seen, f.person_id) > ($3, $4)) \
         ORDER BY f.first_seen, f.person_id LIMIT $5",
    )
    .bind(rule)
    .bind(below)
    .bind(after.map(|(day, _)| day))
    .bind(after.map(|(_, person)| person.uuid()))
    .bind(limit)
    .fetch_all(scoped)
    .await?;
    let finding = |(person, name, birth, first_seen, unit_path)| Finding {
        person_id: PersonId::from_uuid(person),
        name,
        birth,
        first_seen,
        unit_path,
    };
    Ok(rows.into_iter().map(finding).collect())
}
