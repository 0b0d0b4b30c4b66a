//! Invitations that the register takes back: of somebody who died, or who is declared missing.

use sqlx::PgConnection;

use crate::Error;
use crate::register::uuids;
use domain::id::PersonId;

/// Takes the open invitation of whoever has one of these records back; its seat is nobody's any more. Says
/// how many there were.
///
/// # Errors
/// Those of the database.
pub async fn withdraw(tx: &mut PgConnection, records: &[PersonId]) -> Result<u64, Error> {
    let done = sqlx::query(
        "UPDATE invitation SET state = 'withdrawn', seat = NULL \
         WHERE person_id = ANY($1) AND state = 'invited'",
    )
    .bind(uuids(records))
    .execute(tx)
    .await?;
    Ok(done.rows_affected())
}
