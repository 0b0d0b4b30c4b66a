//! Where a simulated campaign has got to, written in the transaction of each step, so that a stopped one goes
//! on.

use serde_json::Value;
use sqlx::PgConnection;

use crate::Error;

/// Remembers a value under a key, in place of the one before.
///
/// # Errors
/// Of the database.
pub async fn save(tx: &mut PgConnection, key: &str, value: &Value) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO sim_progress (key, value) VALUES ($1, $2)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )
    .bind(key)
    .bind(value)
    .execute(tx)
    .await?;
    Ok(())
}

/// The value under a key.
///
/// # Errors
/// Of the database.
pub async fn load(tx: &mut PgConnection, key: &str) -> Result<Option<Value>, Error> {
    let value = sqlx::query_scalar("SELECT value FROM sim_progress WHERE key = $1")
        .bind(key)
        .fetch_optional(tx)
        .await?;
    Ok(value)
}
