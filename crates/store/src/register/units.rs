//! Administrative units with their time.

use std::collections::HashMap;

use sqlx::PgConnection;

use crate::{CopyIn, CopyRow, Error};
use domain::UnitCode;
use domain::unit::{Unit, Units};

/// Puts the units of these lists into the database, those that are there already excepted: all that hold on
/// the day of `units` or on an earlier one. What a later list ends is open until that list is put in. Returns
/// how many were added.
///
/// # Errors
/// Those of the database.
pub async fn load_units(tx: &mut PgConnection, units: Units<'_>) -> Result<u64, Error> {
    let (table, day) = (units.table(), units.day());
    let rows: Vec<&Unit> = table.units().iter().filter(|unit| unit.valid_from <= day).collect();
    let present: i64 = sqlx::query_scalar("SELECT count(*) FROM unit").fetch_one(&mut *tx).await?;
    if usize::try_from(present) == Ok(rows.len()) {
        return Ok(0);
    }
    let statement = "CREATE TEMPORARY TABLE unit_load (LIKE unit INCLUDING DEFAULTS) ON COMMIT DROP";
    sqlx::query(statement).execute(&mut *tx).await?;
    let copy = "COPY unit_load (code, valid_from, valid_to, level, kind, name, parent, path) \
                FROM STDIN (FORMAT binary)";
    let mut copy = CopyIn::begin(&mut *tx, copy).await?;
    for unit in rows {
        let code = unit.code.to_string();
        let parent = unit.parent.map(|parent| parent.to_string());
        let path = table.on(unit.valid_from).path(unit.code).unwrap_or_default();
        let level = unit.code.level() as i16 + 1;
        copy.row(|row| {
            row.text(&code)
                .date(unit.valid_from)
                .opt(unit.valid_to.filter(|end| *end <= day), CopyRow::date)
                .i16(level)
                .text(&unit.kind)
                .text(&unit.name)
                .opt(parent.as_deref(), CopyRow::text)
                .text(&path)
        })
        .await?;
    }
    copy.finish().await?;
    let added = sqlx::query(
        "INSERT INTO unit (code, valid_from, valid_to, level, kind, name, parent, path) \
         SELECT code, valid_from, valid_to, level, kind, name, parent, path FROM unit_load \
         ON CONFLICT (code, valid_from) DO NOTHING",
    )
    .execute(tx)
    .await?;
    Ok(added.rows_affected())
}

/// Paths (`42/445/18562/`) of those of the units that exist, by the newest row of each.
///
/// # Errors
/// Those of the database.
pub async fn unit_paths(
    conn: &mut PgConnection,
    units: &[UnitCode],
) -> Result<HashMap<UnitCode, String>, Error> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT DISTINCT ON (code) code, path FROM unit WHERE code = ANY($1) ORDER BY code, valid_from DESC",
    )
    .bind(units.iter().map(UnitCode::to_string).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    // The codes come from `units`, so they parse.
    Ok(rows.into_iter().filter_map(|(code, path)| Some((code.parse().ok()?, path))).collect())
}
