//! Units that are rearranged by law: how far a change has come, the people who are still in their old units,
//! and whom somebody must ask. Who goes where is decided by crate `register`; people are written by
//! [`super::record`](mod@super::record).

pub mod things;
pub mod waiting;

use std::collections::BTreeMap;

use sqlx::{FromRow, PgConnection};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::units::load_units;
use crate::Error;
use crate::platform::error::inconsistent;
use domain::id::PersonId;
use domain::unit::Units;
use domain::{Actor, UnitCode};

/// A change that was begun here.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ChangeRow {
    /// The first day of the new list, which is the change's key.
    pub effective_on: Date,
    /// What orders it.
    pub decree: String,
    /// SHA-256 of the map's file.
    pub map_sha256: Vec<u8>,
    /// When it was begun.
    pub begun_at: OffsetDateTime,
    /// Who began it.
    pub begun_by: String,
    /// When nobody was left in the units of the list before, those excepted who must be asked.
    pub finished_at: Option<OffsetDateTime>,
}

/// An old unit in which the installation has people or work.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct OldUnit {
    /// Its code in the old list.
    pub code: String,
    /// As rows of it had it.
    pub path: String,
    /// People who were registered there when the change began.
    pub people: i64,
    /// People who lie in new units since.
    pub moved: i64,
    /// People whom somebody must ask.
    pub asked: i64,
    /// When nobody was left but those.
    pub finished_at: Option<OffsetDateTime>,
    /// Who took over what the unit had.
    pub successor: Option<String>,
}

/// One way of a map: how many people went it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Way {
    /// The old unit.
    pub from_code: String,
    /// The new one.
    pub to_code: String,
    /// How many units the old one went to.
    pub parts: i32,
    /// People who went this way.
    pub people: i64,
}

/// Where somebody is registered, as far as a change needs it. Personal data: `Debug` shows no address.
#[derive(Clone, PartialEq, Eq)]
pub struct Placed {
    /// Who.
    pub id: PersonId,
    /// The unit of the permanent residence.
    pub permanent: UnitCode,
    /// The address in it.
    pub permanent_detail: String,
    /// The same of the current residence, where one is stated.
    pub current: Option<(UnitCode, String)>,
}

impl std::fmt::Debug for Placed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Placed").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Whoever applies a change, or settles what it left, waits for whoever else does.
///
/// # Errors
/// Those of the database.
pub async fn lock(tx: &mut PgConnection) -> Result<(), Error> {
    crate::platform::db::lock(tx, "lock.units").await
}

/// The first day of the last change that was finished here; `None` when none was.
///
/// # Errors
/// Those of the database.
pub async fn reached(conn: &mut PgConnection) -> Result<Option<Date>, Error> {
    let sql = "SELECT max(effective_on) FROM unit_change WHERE finished_at IS NOT NULL";
    Ok(sqlx::query_scalar(sql).fetch_one(conn).await?)
}

/// The changes that were begun here, by their day.
///
/// # Errors
/// Those of the database.
pub async fn changes(conn: &mut PgConnection) -> Result<Vec<ChangeRow>, Error> {
    let sql = "SELECT effective_on, decree, map_sha256, begun_at, begun_by, finished_at FROM unit_change \
               ORDER BY effective_on";
    Ok(sqlx::query_as(sql).fetch_all(conn).await?)
}

/// Writes down that a change was begun, with its map, and puts the new list beside the old one. What was
/// written down before stays.
///
/// # Errors
/// Those of the database.
pub async fn begin(
    tx: &mut PgConnection,
    change: &ChangeRow,
    ways: &[Way],
    after: Units<'_>,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO unit_change (effective_on, decree, map_sha256, begun_at, begun_by) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (effective_on) DO NOTHING",
    )
    .bind(change.effective_on)
    .bind(&change.decree)
    .bind(&change.map_sha256)
    .bind(change.begun_at)
    .bind(&change.begun_by)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "INSERT INTO unit_map (effective_on, from_code, to_code, parts) \
         SELECT $1, f, t, p FROM unnest($2::text[], $3::text[], $4::integer[]) AS n (f, t, p) \
         ON CONFLICT (effective_on, from_code, to_code) DO NOTHING",
    )
    .bind(change.effective_on)
    .bind(ways.iter().map(|way| way.from_code.as_str()).collect::<Vec<_>>())
    .bind(ways.iter().map(|way| way.to_code.as_str()).collect::<Vec<_>>())
    .bind(ways.iter().map(|way| way.parts).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await?;
    load_units(tx, after).await?;
    sqlx::query("UPDATE unit SET valid_to = $1 WHERE valid_to IS NULL AND valid_from < $1")
        .bind(change.effective_on)
        .execute(tx)
        .await?;
    Ok(())
}

/// Notes the old units that have people or work here; those that were noted before stay as they were.
///
/// # Errors
/// Those of the database.
pub async fn note_units(
    tx: &mut PgConnection,
    effective_on: Date,
    units: &[(UnitCode, String, i64)],
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO unit_successor (effective_on, code, path, people) \
         SELECT $1, c, p, n FROM unnest($2::text[], $3::text[], $4::bigint[]) AS n (c, p, n) \
         ON CONFLICT (effective_on, path) DO NOTHING",
    )
    .bind(effective_on)
    .bind(units.iter().map(|(code, ..)| code.to_string()).collect::<Vec<_>>())
    .bind(units.iter().map(|(_, path, _)| path.as_str()).collect::<Vec<_>>())
    .bind(units.iter().map(|(.., people)| *people).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// The old units of a change below a path, by their paths.
///
/// # Errors
/// Those of the database.
pub async fn old_units(
    conn: &mut PgConnection,
    effective_on: Date,
    below: &str,
) -> Result<Vec<OldUnit>, Error> {
    let sql = "SELECT code, path, people, moved, asked, finished_at, successor FROM unit_successor \
               WHERE effective_on = $1 AND starts_with(path, $2) ORDER BY path";
    Ok(sqlx::query_as(sql).bind(effective_on).bind(below).fetch_all(conn).await?)
}

/// The ways that people went, by the codes.
///
/// # Errors
/// Those of the database.
pub async fn ways(conn: &mut PgConnection, effective_on: Date) -> Result<Vec<Way>, Error> {
    let sql = "SELECT from_code, to_code, parts, people FROM unit_map WHERE effective_on = $1 \
               ORDER BY from_code, to_code";
    Ok(sqlx::query_as(sql).bind(effective_on).fetch_all(conn).await?)
}

/// How many people are registered at a path, and how many of them wait to be asked about their permanent
/// residence. Whatever became of them: the dead and the merged have a place too.
///
/// # Errors
/// Those of the database.
pub async fn count_at(conn: &mut PgConnection, effective_on: Date, path: &str) -> Result<(i64, i64), Error> {
    let sql = "SELECT (SELECT count(*) FROM person WHERE unit_path = $2), \
                      (SELECT count(*) FROM unit_ask WHERE effective_on = $1 AND unit_path = $2 \
                              AND part = 'permanent' AND settled_at IS NULL)";
    Ok(sqlx::query_as(sql).bind(effective_on).bind(path).fetch_one(conn).await?)
}

/// Some of the people at a path who neither went nor wait to be asked, locked in the order of their ids.
///
/// # Errors
/// Those of the database; a code that is none.
pub async fn people_at(
    tx: &mut PgConnection,
    effective_on: Date,
    path: &str,
    most: i64,
) -> Result<Vec<Placed>, Error> {
    let rows: Vec<PlacedColumns> = sqlx::query_as(
        "SELECT person_id, permanent_unit, permanent_detail, current_unit, current_detail FROM person p \
         WHERE unit_path = $2 AND NOT EXISTS (SELECT 1 FROM unit_ask a WHERE a.person_id = p.person_id \
               AND a.effective_on = $1 AND a.part = 'permanent' AND a.settled_at IS NULL) \
         ORDER BY person_id LIMIT $3 FOR NO KEY UPDATE OF p",
    )
    .bind(effective_on)
    .bind(path)
    .bind(most)
    .fetch_all(tx)
    .await?;
    rows.into_iter().map(placed).collect()
}

/// All people at a path, without a lock: for whoever only wants to know where they would go.
///
/// # Errors
/// Those of the database; a code that is none.
pub async fn all_at(conn: &mut PgConnection, path: &str) -> Result<Vec<Placed>, Error> {
    let rows: Vec<PlacedColumns> = sqlx::query_as(
        "SELECT person_id, permanent_unit, permanent_detail, current_unit, current_detail FROM person \
         WHERE unit_path = $1 ORDER BY person_id",
    )
    .bind(path)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(placed).collect()
}

type PlacedColumns = (Uuid, String, String, Option<String>, Option<String>);

fn placed((id, permanent, permanent_detail, current, detail): PlacedColumns) -> Result<Placed, Error> {
    let code = |text: String| {
        text.parse::<UnitCode>().map_err(|_| inconsistent("person", id, "a unit's code is none"))
    };
    let current =
        current.map(|unit| Ok::<_, Error>((code(unit)?, detail.unwrap_or_default()))).transpose()?;
    Ok(Placed { id: PersonId::from_uuid(id), permanent: code(permanent)?, permanent_detail, current })
}

/// Where these people are registered now: how many at each path.
///
/// # Errors
/// Those of the database.
pub async fn where_now(conn: &mut PgConnection, people: &[PersonId]) -> Result<BTreeMap<String, i64>, Error> {
    let sql = "SELECT unit_path, count(*) FROM person WHERE person_id = ANY($1) GROUP BY unit_path";
    let rows: Vec<(String, i64)> = sqlx::query_as(sql).bind(super::uuids(people)).fetch_all(conn).await?;
    Ok(rows.into_iter().collect())
}

/// Findings and questions about these people follow them.
///
/// # Errors
/// Those of the database.
pub async fn follow(tx: &mut PgConnection, people: &[PersonId]) -> Result<(), Error> {
    for statement in [
        "UPDATE quality_finding f SET unit_path = p.unit_path FROM person p \
         WHERE p.person_id = f.person_id AND f.person_id = ANY($1) AND f.unit_path <> p.unit_path",
        "UPDATE unit_ask a SET unit_path = p.unit_path FROM person p \
         WHERE p.person_id = a.person_id AND a.person_id = ANY($1) AND a.unit_path <> p.unit_path",
    ] {
        sqlx::query(statement).bind(super::uuids(people)).execute(&mut *tx).await?;
    }
    Ok(())
}

/// Counts people who went, and who must be asked.
///
/// # Errors
/// Those of the database.
pub async fn count_moved(
    tx: &mut PgConnection,
    effective_on: Date,
    path: &str,
    ways: &BTreeMap<(UnitCode, UnitCode), i64>,
    asked: i64,
) -> Result<(), Error> {
    let moved: i64 = ways.values().sum();
    sqlx::query(
        "UPDATE unit_successor SET moved = moved + $3, asked = asked + $4 \
         WHERE effective_on = $1 AND path = $2",
    )
    .bind(effective_on)
    .bind(path)
    .bind(moved)
    .bind(asked)
    .execute(&mut *tx)
    .await?;
    // A district whose people had no commune has no way of its own in the map.
    sqlx::query(
        "UPDATE unit_map m SET people = m.people + n.people \
         FROM unnest($2::text[], $3::text[], $4::bigint[]) AS n (f, t, people) \
         WHERE m.effective_on = $1 AND m.from_code = n.f AND m.to_code = n.t",
    )
    .bind(effective_on)
    .bind(ways.keys().map(|(from, _)| from.to_string()).collect::<Vec<_>>())
    .bind(ways.keys().map(|(_, to)| to.to_string()).collect::<Vec<_>>())
    .bind(ways.values().copied().collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// Says that nobody is left in an old unit but those who must be asked.
///
/// # Errors
/// Those of the database.
pub async fn finish_unit(
    tx: &mut PgConnection,
    effective_on: Date,
    path: &str,
    at: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE unit_successor SET finished_at = $3 \
         WHERE effective_on = $1 AND path = $2 AND finished_at IS NULL",
    )
    .bind(effective_on)
    .bind(path)
    .bind(at)
    .execute(tx)
    .await?;
    Ok(())
}

/// Says who took over what an old unit had.
///
/// # Errors
/// Those of the database.
pub async fn settle_unit(
    tx: &mut PgConnection,
    effective_on: Date,
    path: &str,
    successor: (UnitCode, &str),
    by: &Actor,
    at: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE unit_successor SET successor = $3, successor_path = $4, settled_by = $5, settled_at = $6 \
         WHERE effective_on = $1 AND path = $2",
    )
    .bind(effective_on)
    .bind(path)
    .bind(successor.0.to_string())
    .bind(successor.1)
    .bind(by.to_string())
    .bind(at)
    .execute(tx)
    .await?;
    Ok(())
}

/// Says that the change is finished: from then on the installation works by the new list.
///
/// # Errors
/// Those of the database.
pub async fn finish(tx: &mut PgConnection, effective_on: Date, at: OffsetDateTime) -> Result<(), Error> {
    sqlx::query("UPDATE unit_change SET finished_at = $2 WHERE effective_on = $1 AND finished_at IS NULL")
        .bind(effective_on)
        .bind(at)
        .execute(tx)
        .await?;
    Ok(())
}
