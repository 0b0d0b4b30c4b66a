//! What an old unit had beside its people: accounts, kits, applications with their cards and cases, boxes on
//! the way. They go to the unit that took its place, all at once.

use sqlx::PgConnection;
use time::Date;

use crate::Error;
use domain::UnitCode;
use domain::application::State;

/// The paths at which accounts, kits, applications or cases are, of units below a path. Asked after the new
/// list was put beside the old one.
///
/// # Errors
/// Those of the database.
pub async fn places(conn: &mut PgConnection, effective_on: Date, below: &str) -> Result<Vec<String>, Error> {
    Ok(sqlx::query_scalar(
        "SELECT DISTINCT path FROM ( \
             SELECT unit_path AS path FROM account UNION SELECT unit_path FROM application \
             UNION SELECT unit_path FROM card UNION SELECT unit_path FROM case_file \
             UNION SELECT unit_path FROM correction_case \
             UNION SELECT u.path FROM kit k JOIN unit u ON u.code = k.unit_code AND u.valid_to = $2 \
                   WHERE k.unit_from IS DISTINCT FROM $2 \
             UNION SELECT u.path FROM consignment c JOIN unit u ON u.code = c.to_code AND u.valid_to = $2 \
                   WHERE c.received_at IS NULL AND c.to_from IS DISTINCT FROM $2) AS places \
         WHERE path <> '' AND starts_with(path, $1) ORDER BY path",
    )
    .bind(below)
    .bind(effective_on)
    .fetch_all(conn)
    .await?)
}

/// How many rows of each kind went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Accounts that sign in for the unit.
    pub accounts: u64,
    /// Laptops.
    pub kits: u64,
    /// Applications, finished ones too.
    pub applications: u64,
    /// Cases, and cases of correction.
    pub cases: u64,
    /// Boxes on the way to it.
    pub boxes: u64,
}

/// Gives all that the old unit has to the new one. Where an application was captured stays with it when it is
/// over; what is still to be handed over is handed over by the new unit. Doing it again changes nothing.
///
/// # Errors
/// Those of the database.
pub async fn take_over(
    tx: &mut PgConnection,
    effective_on: Date,
    (old_code, old_path): (UnitCode, &str),
    (code, path): (UnitCode, &str),
) -> Result<Taken, Error> {
    let (old_code, code) = (old_code.to_string(), code.to_string());
    let over = [State::HandedOver, State::Rejected].map(State::code);
    let mut changed = Vec::new();
    for (statement, with_codes) in [
        ("UPDATE account SET unit_path = $2 WHERE unit_path = $1", false),
        (
            "UPDATE application SET unit_path = $2, \
                    unit_code = CASE WHEN unit_code = $3 AND state <> ALL($5) THEN $4 ELSE unit_code END \
             WHERE unit_path = $1",
            true,
        ),
        ("UPDATE application_action SET unit_path = $2 WHERE unit_path = $1", false),
        ("UPDATE application_record SET unit_path = $2 WHERE unit_path = $1", false),
        ("UPDATE packet SET unit_path = $2 WHERE unit_path = $1", false),
        (
            "UPDATE card SET unit_path = $2, unit_code = CASE WHEN unit_code = $3 AND EXISTS \
                    (SELECT 1 FROM application a WHERE a.application_id = card.application_id \
                     AND a.state <> ALL($5)) THEN $4 ELSE unit_code END \
             WHERE unit_path = $1",
            true,
        ),
        ("UPDATE card_action SET unit_path = $2 WHERE unit_path = $1", false),
        ("UPDATE case_file SET unit_path = $2 WHERE unit_path = $1", false),
        ("UPDATE case_action SET unit_path = $2 WHERE unit_path = $1", false),
        ("UPDATE correction_case SET unit_path = $2 WHERE unit_path = $1", false),
        ("UPDATE correction_item SET unit_path = $2 WHERE unit_path = $1", false),
        ("UPDATE correction_action SET unit_path = $2 WHERE unit_path = $1", false),
        // Counts of the old unit are those of that day; the next look counts the new one.
        ("UPDATE quality_day SET latest = false WHERE unit_path = $1 AND latest AND $2 <> ''", false),
    ] {
        let mut query = sqlx::query(statement).bind(old_path).bind(path);
        if with_codes {
            query = query.bind(&old_code).bind(&code).bind(&over[..]);
        }
        changed.push(query.execute(&mut *tx).await?.rows_affected());
    }
    let mut of_code = async |statement: &'static str| -> Result<u64, Error> {
        let query = sqlx::query(statement).bind(&old_code).bind(&code).bind(effective_on);
        let done = query.execute(&mut *tx).await?;
        Ok(done.rows_affected())
    };
    // A code alone does not say whose it is: a kit that came from another old unit, or was registered since,
    // can have the same one by the new list.
    let kits = of_code(
        "UPDATE kit SET unit_code = $2, unit_from = $3 \
         WHERE unit_code = $1 AND unit_from IS DISTINCT FROM $3 \
           AND registered_at < (SELECT begun_at FROM unit_change WHERE effective_on = $3)",
    )
    .await?;
    let boxes = of_code(
        "UPDATE consignment SET to_code = $2, to_from = $3 \
         WHERE to_code = $1 AND to_from IS DISTINCT FROM $3 AND received_at IS NULL \
           AND sent_at < (SELECT begun_at FROM unit_change WHERE effective_on = $3)",
    )
    .await?;
    Ok(Taken { accounts: changed[0], kits, applications: changed[1], cases: changed[7] + changed[9], boxes })
}
