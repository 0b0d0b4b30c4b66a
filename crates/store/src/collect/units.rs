//! The table of administrative units.

use domain::unit::UnitTable;
use sqlx::postgres::PgConnection;

use crate::{CopyIn, CopyRow, Error};

/// Puts all units of the table into the database, those that are there already excepted. Returns how many were added.
///
/// # Errors
/// Those of the database.
pub async fn load_units(tx: &mut PgConnection, table: &UnitTable) -> Result<u64, Error> {
    let present: i64 = sqlx::query_scalar("SELECT count(*) FROM unit").fetch_one(&mut *tx).await?;
    if usize::try_from(present) == Ok(table.units().len()) {
        return Ok(0);
    }
    let statement = "CREATE TEMPORARY TABLE unit_load (LIKE unit INCLUDING DEFAULTS) ON COMMIT DROP";
    sqlx::query(statement).execute(&mut *tx).await?;
    let copy = "COPY unit_load (code, valid_from, valid_to, level, kind, name, parent, path) FROM STDIN (FORMAT binary)";
    let mut copy = CopyIn::begin(&mut *tx, copy).await?;
    for unit in table.units() {
        let code = unit.code.to_string();
        let parent = unit.parent.map(|parent| parent.to_string());
        let path = table.path(unit.code).unwrap_or_default();
        let level = unit.code.level() as i16 + 1;
        copy.row(|row| {
            row.text(&code)
                .date(unit.valid_from)
                .opt(unit.valid_to, CopyRow::date)
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
         SELECT code, valid_from, valid_to, level, kind, name, parent, path FROM unit_load ON CONFLICT DO NOTHING",
    )
    .execute(tx)
    .await?;
    Ok(added.rows_affected())
}
