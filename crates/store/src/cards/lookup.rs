//! Cards by what is printed on them.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::Error;
use domain::id::CardId;

/// The card with this serial number.
pub async fn by_number(conn: &mut PgConnection, number: &str) -> Result<Option<CardId>, Error> {
    let found: Option<Uuid> = sqlx::query_scalar("SELECT card_id FROM card WHERE number = $1")
        .bind(number)
        .fetch_optional(conn)
        .await?;
    Ok(found.map(CardId::from_uuid))
}

/// The signed cards that bear a personal number, newest first.
pub async fn of_pin(conn: &mut PgConnection, pin: &str) -> Result<Vec<CardId>, Error> {
    let found: Vec<Uuid> = sqlx::query_scalar(
        "SELECT card_id FROM card WHERE pin = $1 AND sod IS NOT NULL ORDER BY issued_on DESC, number DESC",
    )
    .bind(pin)
    .fetch_all(conn)
    .await?;
    Ok(found.into_iter().map(CardId::from_uuid).collect())
}
