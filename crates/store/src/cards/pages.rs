//! Cards as pages show them.
//!
//! Functions whose connection is called `scoped` are for [`crate::Database::scoped`] transactions, where row-level security
//! keeps other units' rows away; those with `conn` read tables without a policy and take the scope or an id that was let
//! through before.

use sqlx::{FromRow, PgConnection};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::Error;
use domain::id::{ApplicationId, CardId};

/// A card. The certificate's serial and the chip's files stand as they are stored.
#[derive(Clone, FromRow)]
pub struct CardPage {
    pub card_id: Uuid,
    pub number: String,
    pub application_id: Uuid,
    pub person_id: Uuid,
    pub pin: String,
    pub state: String,
    pub issued_on: Date,
    pub expires_on: Option<Date>,
    pub ds_serial: String,
    pub dg1: Option<Vec<u8>>,
    pub dg13: Option<Vec<u8>>,
    pub sod: Option<Vec<u8>>,
    pub qr: Option<String>,
    pub face: Option<serde_json::Value>,
    pub unit_code: String,
    pub unit_path: String,
    pub intended_at: OffsetDateTime,
    pub signed_at: Option<OffsetDateTime>,
}

/// One line of a list of cards.
#[derive(Debug, Clone, FromRow)]
pub struct CardHit {
    pub card_id: Uuid,
    pub number: String,
    pub state: String,
    pub issued_on: Date,
    pub expires_on: Option<Date>,
}

/// A card.
pub async fn card(scoped: &mut PgConnection, id: CardId) -> Result<Option<CardPage>, Error> {
    let row = sqlx::query_as(
        "SELECT card_id, number, application_id, person_id, pin, state, issued_on, expires_on, ds_serial, dg1, dg13, \
                sod, qr, face, unit_code, unit_path, intended_at, signed_at \
         FROM card WHERE card_id = $1",
    )
    .bind(id.uuid())
    .fetch_optional(scoped)
    .await?;
    Ok(row)
}

/// The cards of one application, newest first.
pub async fn cards_of_application(
    scoped: &mut PgConnection,
    id: ApplicationId,
) -> Result<Vec<CardHit>, Error> {
    let rows = sqlx::query_as(
        "SELECT card_id, number, state, issued_on, expires_on FROM card WHERE application_id = $1 \
         ORDER BY intended_at DESC, card_id DESC LIMIT 100",
    )
    .bind(id.uuid())
    .fetch_all(scoped)
    .await?;
    Ok(rows)
}

/// The cards that came of any of these applications, newest first.
pub async fn cards_of_applications(scoped: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<CardHit>, Error> {
    let rows = sqlx::query_as(
        "SELECT card_id, number, state, issued_on, expires_on FROM card WHERE application_id = ANY($1) \
         ORDER BY intended_at DESC, card_id DESC LIMIT 100",
    )
    .bind(ids)
    .fetch_all(scoped)
    .await?;
    Ok(rows)
}
