//! Cards: from which applications they can be made, what is intended, what was signed, and what became of them.

pub mod batches;
pub mod certificates;
pub mod lookup;
pub mod pages;
pub mod stock;

use std::collections::HashSet;

use sqlx::types::Json;
use sqlx::{PgConnection, Row};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::{Error, UnitScope};
use domain::id::{ApplicationId, BatchId, CardId, PersonId};
use domain::{Pin, ResidentRecord};

/// An accepted application that waits for a batch.
#[derive(Debug, Clone)]
pub struct Ready {
    pub application_id: ApplicationId,
    pub person_id: PersonId,
    pub pin: Option<Pin>,
    pub record: ResidentRecord,
    pub unit_code: String,
    pub unit_path: String,
}

/// Locks up to `most` accepted applications below `scope` in the order of capture, at most one of each person, and the
/// people with them. Left out are applications that are blocked, and people who are not alive under this record, have a
/// card in production, or have an active card and no reason for another.
pub async fn take_ready(tx: &mut PgConnection, scope: &UnitScope, most: u32) -> Result<Vec<Ready>, Error> {
    // A person whom another transaction holds is passed over: nobody gets a number or a card twice because two workers
    // took two applications of one person.
    let rows = sqlx::query(
        "SELECT a.application_id, a.person_id, a.unit_code, a.unit_path, p.pin, r.record \
         FROM application a JOIN person p USING (person_id) JOIN application_record r USING (application_id) \
         WHERE a.state = 'accepted' AND a.unit_path LIKE $1 || '%' AND p.status = 1 \
           AND NOT EXISTS (SELECT 1 FROM issue_blocked b WHERE b.application_id = a.application_id) \
           AND NOT EXISTS (SELECT 1 FROM card c WHERE c.person_id = a.person_id \
                 AND c.state IN ('intended', 'signed', 'personalised')) \
           AND NOT (a.kind = 'new' AND EXISTS (SELECT 1 FROM card c WHERE c.person_id = a.person_id AND c.state = 'active')) \
         ORDER BY a.captured_at, a.application_id LIMIT $2 FOR NO KEY UPDATE OF a, p SKIP LOCKED",
    )
    .bind(scope.as_str())
    .bind(i64::from(most))
    .fetch_all(tx)
    .await?;
    let mut seen = HashSet::new();
    let mut ready = Vec::with_capacity(rows.len());
    for row in &rows {
        let person = PersonId::from_uuid(row.try_get("person_id")?);
        if !seen.insert(person) {
            continue;
        }
        let pin: Option<String> = row.try_get("pin")?;
        ready.push(Ready {
            application_id: ApplicationId::from_uuid(row.try_get("application_id")?),
            person_id: person,
            pin: pin.map(|text| Pin::parse(&text)).transpose().map_err(|e| Error::Inconsistent {
                table: "person",
                row: person.to_string(),
                reason: e.to_string(),
            })?,
            record: row.try_get::<Json<ResidentRecord>, _>("record")?.0,
            unit_code: row.try_get("unit_code")?,
            unit_path: row.try_get("unit_path")?,
        });
    }
    Ok(ready)
}

pub async fn block(
    tx: &mut PgConnection,
    application: ApplicationId,
    code: &str,
    message: &str,
    now: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query("INSERT INTO issue_blocked (application_id, code, message, since) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING")
        .bind(application.uuid())
        .bind(code)
        .bind(message)
        .bind(now)
        .execute(tx)
        .await?;
    Ok(())
}

#[derive(Debug, Clone)]
pub struct IntendedCard {
    pub card_id: CardId,
    pub number: String,
    pub application_id: ApplicationId,
    pub person_id: PersonId,
    pub pin: String,
    pub issued_on: Date,
    pub expires_on: Option<Date>,
    pub ds_serial: String,
    pub token_sha256: Vec<u8>,
    pub face: serde_json::Value,
    pub unit_code: String,
    pub unit_path: String,
}

/// Adds the cards of a batch, intended, and the batch's items in the same order.
pub async fn put_cards(
    tx: &mut PgConnection,
    batch: BatchId,
    cards: &[IntendedCard],
    now: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO card (card_id, number, application_id, person_id, pin, state, issued_on, expires_on, ds_serial, \
                           token_sha256, face, unit_code, unit_path, intended_at) \
         SELECT card_id, number, application_id, person_id, pin, 'intended', issued_on, expires_on, ds_serial, \
                token_sha256, face, unit_code, unit_path, $13 \
         FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::date[], $7::date[], $8::text[], \
                     $9::bytea[], $10::jsonb[], $11::text[], $12::text[]) \
         AS t (card_id, number, application_id, person_id, pin, issued_on, expires_on, ds_serial, token_sha256, face, unit_code, unit_path)",
    )
    .bind(cards.iter().map(|c| c.card_id.uuid()).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.number.as_str()).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.application_id.uuid()).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.person_id.uuid()).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.pin.as_str()).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.issued_on).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.expires_on).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.ds_serial.as_str()).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.token_sha256.as_slice()).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.face.clone()).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.unit_code.as_str()).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.unit_path.as_str()).collect::<Vec<_>>())
    .bind(now)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "INSERT INTO batch_item (batch_id, position, application_id, card_id) \
         SELECT $1, n, application_id, card_id FROM unnest($2::uuid[], $3::uuid[]) WITH ORDINALITY AS t (application_id, card_id, n)",
    )
    .bind(batch.uuid())
    .bind(cards.iter().map(|c| c.application_id.uuid()).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.card_id.uuid()).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

#[derive(Debug, Clone)]
pub struct CardToSign {
    pub card_id: CardId,
    pub application_id: ApplicationId,
    pub face: serde_json::Value,
}

/// Cards of the batch that are not signed yet.
pub async fn intended_cards(conn: &mut PgConnection, batch: BatchId) -> Result<Vec<CardToSign>, Error> {
    let rows: Vec<(Uuid, Uuid, serde_json::Value)> = sqlx::query_as(
        "SELECT c.card_id, c.application_id, c.face FROM batch_item i JOIN card c USING (card_id) \
         WHERE i.batch_id = $1 AND c.state = 'intended' ORDER BY i.position",
    )
    .bind(batch.uuid())
    .fetch_all(conn)
    .await?;
    let card = |(card, application, face)| CardToSign {
        card_id: CardId::from_uuid(card),
        application_id: ApplicationId::from_uuid(application),
        face,
    };
    Ok(rows.into_iter().map(card).collect())
}

#[derive(Debug, Clone)]
pub struct SignedCard {
    pub card_id: CardId,
    pub token_sha256: Vec<u8>,
    pub dg1: Vec<u8>,
    pub dg13: Vec<u8>,
    pub sod: Vec<u8>,
    pub qr: String,
}

/// Redeems the signing tokens of cards that are still intended; their signer may be a newer one than was intended.
pub async fn redeem(
    tx: &mut PgConnection,
    ds_serial: &str,
    cards: &[SignedCard],
    now: OffsetDateTime,
) -> Result<usize, Error> {
    let done = sqlx::query(
        "UPDATE card SET state = 'signed', ds_serial = $8, dg1 = t.dg1, dg13 = t.dg13, sod = t.sod, qr = t.qr, signed_at = $7 \
         FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bytea[], $6::text[]) \
         AS t (card_id, token_sha256, dg1, dg13, sod, qr) \
         WHERE card.card_id = t.card_id AND card.token_sha256 = t.token_sha256 AND card.state = 'intended'",
    )
    .bind(cards.iter().map(|c| c.card_id.uuid()).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.token_sha256.as_slice()).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.dg1.as_slice()).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.dg13.as_slice()).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.sod.as_slice()).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.qr.as_str()).collect::<Vec<_>>())
    .bind(now)
    .bind(ds_serial)
    .execute(tx)
    .await?;
    Ok(done.rows_affected() as usize)
}

/// A line of the list of cards.
#[derive(Debug, Clone)]
pub struct CardLine {
    pub card_id: CardId,
    pub number: String,
    pub state: String,
    pub issued_on: Date,
}

/// The newest cards.
pub async fn list_cards(conn: &mut PgConnection, limit: u32) -> Result<Vec<CardLine>, Error> {
    let rows =
        sqlx::query("SELECT card_id, number, state, issued_on FROM card ORDER BY number DESC LIMIT $1")
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await?;
    rows.iter()
        .map(|row| {
            Ok(CardLine {
                card_id: CardId::from_uuid(row.try_get("card_id")?),
                number: row.try_get("number")?,
                state: row.try_get("state")?,
                issued_on: row.try_get("issued_on")?,
            })
        })
        .collect()
}

/// A card's stored files.
#[derive(Debug, Clone)]
pub struct StoredCard {
    pub application_id: ApplicationId,
    pub ds_serial: String,
    pub dg1: Vec<u8>,
    pub dg13: Vec<u8>,
    pub sod: Vec<u8>,
}

/// The files of a card that was signed; `None` when there is no such card or it is only intended.
pub async fn signed_card(conn: &mut PgConnection, card: CardId) -> Result<Option<StoredCard>, Error> {
    let row = sqlx::query(
        "SELECT application_id, ds_serial, dg1, dg13, sod FROM card WHERE card_id = $1 AND sod IS NOT NULL",
    )
    .bind(card.uuid())
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(StoredCard {
            application_id: ApplicationId::from_uuid(row.try_get("application_id")?),
            ds_serial: row.try_get("ds_serial")?,
            dg1: row.try_get("dg1")?,
            dg13: row.try_get("dg13")?,
            sod: row.try_get("sod")?,
        })
    })
    .transpose()
}

/// A card that was made for the holder of a personal number.
#[derive(Debug, Clone)]
pub struct MadeCard {
    /// Serial number of the blank.
    pub number: String,
    pub state: String,
    pub issued_on: Date,
    pub expires_on: Option<Date>,
    /// Whether its EF.SOD is the one that was asked about, byte for byte.
    pub is_signed_so: bool,
}

/// The cards that bear a personal number, newest first. `sod` is the EF.SOD of the card at hand; empty when only print was
/// read.
pub async fn cards_of_pin(conn: &mut PgConnection, pin: &str, sod: &[u8]) -> Result<Vec<MadeCard>, Error> {
    let rows = sqlx::query(
        "SELECT number, state, issued_on, expires_on, coalesce(sod = $2, false) AS is_signed_so \
         FROM card WHERE pin = $1 ORDER BY issued_on DESC, number DESC",
    )
    .bind(pin)
    .bind(sod)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(MadeCard {
                number: row.try_get("number")?,
                state: row.try_get("state")?,
                issued_on: row.try_get("issued_on")?,
                expires_on: row.try_get("expires_on")?,
                is_signed_so: row.try_get("is_signed_so")?,
            })
        })
        .collect()
}

/// The cards of these applications become active; an older active card of the same person is replaced first.
///
/// # Errors
/// [`Error::Inconsistent`] when an application has no personalised card: nobody is handed a card that does not count.
pub async fn activate_cards(tx: &mut PgConnection, applications: &[ApplicationId]) -> Result<(), Error> {
    if applications.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE card SET state = 'replaced' WHERE state = 'active' AND person_id IN \
         (SELECT person_id FROM card WHERE application_id = ANY($1) AND state = 'personalised')",
    )
    .bind(applications.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await?;
    let active: Vec<Uuid> = sqlx::query_scalar(
        "UPDATE card SET state = 'active' WHERE application_id = ANY($1) AND state = 'personalised' RETURNING application_id",
    )
    .bind(applications.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .fetch_all(tx)
    .await?;
    if active.len() == applications.len() {
        return Ok(());
    }
    let without = applications.iter().find(|application| !active.contains(&application.uuid()));
    Err(Error::Inconsistent {
        table: "card",
        row: without.map(|application| format!("of application {application}")).unwrap_or_default(),
        reason: "there is no personalised card to hand over".to_owned(),
    })
}
