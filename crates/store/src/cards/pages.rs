//! Cards as pages show them.
//!
//! Functions whose connection is called `scoped` are for [`crate::Database::scoped`] transactions, where
//! row-level security keeps other units' rows away; those with `conn` read tables without a policy and take
//! the scope or an id that was let through before.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::Error;
use domain::card::CardState;
use domain::id::{ApplicationId, CardId};

/// A card. The certificate's serial and the chip's files stand as they are stored.
#[derive(Clone)]
pub struct CardPage {
    pub card_id: Uuid,
    pub number: String,
    pub application_id: Uuid,
    pub person_id: Uuid,
    pub pin: String,
    pub state: CardState,
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

impl CardPage {
    fn from_row(row: &PgRow) -> Result<CardPage, Error> {
        let card_id: Uuid = row.try_get("card_id")?;
        Ok(CardPage {
            state: super::state(CardId::from_uuid(card_id), row.try_get("state")?)?,
            card_id,
            number: row.try_get("number")?,
            application_id: row.try_get("application_id")?,
            person_id: row.try_get("person_id")?,
            pin: row.try_get("pin")?,
            issued_on: row.try_get("issued_on")?,
            expires_on: row.try_get("expires_on")?,
            ds_serial: row.try_get("ds_serial")?,
            dg1: row.try_get("dg1")?,
            dg13: row.try_get("dg13")?,
            sod: row.try_get("sod")?,
            qr: row.try_get("qr")?,
            face: row.try_get("face")?,
            unit_code: row.try_get("unit_code")?,
            unit_path: row.try_get("unit_path")?,
            intended_at: row.try_get("intended_at")?,
            signed_at: row.try_get("signed_at")?,
        })
    }
}

/// One line of a list of cards.
#[derive(Debug, Clone)]
pub struct CardHit {
    pub card_id: Uuid,
    pub number: String,
    pub state: CardState,
    pub issued_on: Date,
    pub expires_on: Option<Date>,
}

impl CardHit {
    fn from_row(row: &PgRow) -> Result<CardHit, Error> {
        let card_id: Uuid = row.try_get("card_id")?;
        Ok(CardHit {
            state: super::state(CardId::from_uuid(card_id), row.try_get("state")?)?,
            card_id,
            number: row.try_get("number")?,
            issued_on: row.try_get("issued_on")?,
            expires_on: row.try_get("expires_on")?,
        })
    }
}

/// A card.
pub async fn card(scoped: &mut PgConnection, id: CardId) -> Result<Option<CardPage>, Error> {
    let row = sqlx::query(
        "SELECT card_id, number, application_id, person_id, pin, state, issued_on, expires_on, ds_serial, \
         dg1, dg13, \
                sod, qr, face, unit_code, unit_path, intended_at, signed_at \
         FROM card WHERE card_id = $1",
    )
    .bind(id.uuid())
    .fetch_optional(scoped)
    .await?;
    row.as_ref().map(CardPage::from_row).transpose()
}

/// The cards of one application, newest first.
pub async fn cards_of_application(
    scoped: &mut PgConnection,
    id: ApplicationId,
) -> Result<Vec<CardHit>, Error> {
    let rows = sqlx::query(
        "SELECT card_id, number, state, issued_on, expires_on FROM card WHERE application_id = $1 \
         ORDER BY intended_at DESC, card_id DESC LIMIT 100",
    )
    .bind(id.uuid())
    .fetch_all(scoped)
    .await?;
    rows.iter().map(CardHit::from_row).collect()
}

/// The cards that came of any of these applications, newest first.
pub async fn cards_of_applications(scoped: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<CardHit>, Error> {
    let rows = sqlx::query(
        "SELECT card_id, number, state, issued_on, expires_on FROM card WHERE application_id = ANY($1) \
         ORDER BY intended_at DESC, card_id DESC LIMIT 100",
    )
    .bind(ids)
    .fetch_all(scoped)
    .await?;
    rows.iter().map(CardHit::from_row).collect()
}
