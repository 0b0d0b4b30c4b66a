//! Rows of certificates, cards and production batches.

use crate::{Error, PgConnection, UnitScope};
use domain::id::{ApplicationId, BatchId, CardId, PersonId};
use domain::{Pin, ResidentRecord};
use sqlx::{Row, types::Json};
use std::collections::HashSet;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

/// Certificates of a role that were signed, newest first, in DER.
pub async fn certificates(conn: &mut PgConnection, role: &str) -> Result<Vec<Vec<u8>>, Error> {
    Ok(sqlx::query_scalar(
        "SELECT der FROM certificate WHERE role = $1 AND der IS NOT NULL ORDER BY intended_at DESC, serial",
    )
    .bind(role)
    .fetch_all(conn)
    .await?)
}

/// Stores a serial number before its certificate is signed.
pub async fn intend_certificate(
    conn: &mut PgConnection,
    serial: &str,
    role: &str,
    subject: &str,
    now: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query("INSERT INTO certificate (serial, role, subject, not_before, not_after, intended_at) VALUES ($1, $2, $3, $4, $4, $4)")
        .bind(serial)
        .bind(role)
        .bind(subject)
        .bind(now)
        .execute(conn)
        .await?;
    Ok(())
}

pub async fn complete_certificate(
    conn: &mut PgConnection,
    serial: &str,
    issuer_serial: Option<&str>,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
    der: &[u8],
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE certificate SET issuer_serial = $2, not_before = $3, not_after = $4, der = $5 WHERE serial = $1 AND der IS NULL",
    )
    .bind(serial)
    .bind(issuer_serial)
    .bind(not_before)
    .bind(not_after)
    .bind(der)
    .execute(conn)
    .await?;
    Ok(())
}

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

/// Gives each person the wanted number where it is free; returns who got it. The people are locked and have no number.
pub async fn allocate_pins(
    tx: &mut PgConnection,
    wanted: &[(PersonId, Pin)],
    now: OffsetDateTime,
) -> Result<Vec<(PersonId, Pin)>, Error> {
    let pins: Vec<&str> = wanted.iter().map(|(_, pin)| pin.as_str()).collect();
    let people: Vec<Uuid> = wanted.iter().map(|(person, _)| person.uuid()).collect();
    // One statement, so that the register is searched by person_id only: table pin has no index on it.
    let given: HashSet<Uuid> = sqlx::query_scalar(
        "WITH given AS (INSERT INTO pin (pin, person_id, source, assigned_at) \
                        SELECT pin, person_id, 'allocated', $3 FROM unnest($1::text[], $2::uuid[]) AS t (pin, person_id) \
                        ON CONFLICT (pin) DO NOTHING RETURNING pin, person_id), \
              changed AS (UPDATE person SET pin = given.pin, version = person.version + 1 FROM given \
                          WHERE person.person_id = given.person_id RETURNING person.person_id, person.version), \
              told AS (INSERT INTO person_event (person_id, version, kind, at, recorded_at, actor) \
                       SELECT person_id, version, 'pin_assigned', $3, $3, 'centre' FROM changed) \
         SELECT person_id FROM given",
    )
    .bind(pins)
    .bind(people)
    .bind(now)
    .fetch_all(tx)
    .await?
    .into_iter()
    .collect();
    Ok(wanted.iter().filter(|(person, _)| given.contains(&person.uuid())).copied().collect())
}

/// The number after the highest that was used. The caller's insert fails on a race, by the unique constraint.
pub async fn next_batch_number(conn: &mut PgConnection) -> Result<i64, Error> {
    Ok(sqlx::query_scalar("SELECT coalesce(max(number), 0) + 1 FROM batch").fetch_one(conn).await?)
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

pub async fn put_batch(
    tx: &mut PgConnection,
    batch: BatchId,
    number: i64,
    district: &str,
    size: i32,
    manifest_sha256: &[u8],
    now: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query("INSERT INTO batch (batch_id, number, unit_code, opened_at, size, manifest_sha256) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(batch.uuid())
        .bind(number)
        .bind(district)
        .bind(now)
        .bind(size)
        .bind(manifest_sha256)
        .execute(tx)
        .await?;
    Ok(())
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

#[derive(Debug, Clone)]
pub struct BatchResult {
    pub printed: Option<i32>,
    pub spoiled: Option<i32>,
}

/// Locks a batch; `None` when there is none of that id.
pub async fn lock_batch(tx: &mut PgConnection, batch: BatchId) -> Result<Option<BatchResult>, Error> {
    let row = sqlx::query("SELECT printed, spoiled FROM batch WHERE batch_id = $1 FOR UPDATE")
        .bind(batch.uuid())
        .fetch_optional(tx)
        .await?;
    row.map(|row| Ok(BatchResult { printed: row.try_get("printed")?, spoiled: row.try_get("spoiled")? }))
        .transpose()
}

#[derive(Debug, Clone)]
pub struct BatchItem {
    pub position: i32,
    pub application_id: ApplicationId,
    pub card_id: CardId,
    pub card_state: String,
}

pub async fn batch_items(conn: &mut PgConnection, batch: BatchId) -> Result<Vec<BatchItem>, Error> {
    let rows: Vec<(i32, Uuid, Uuid, String)> = sqlx::query_as(
        "SELECT i.position, i.application_id, i.card_id, c.state FROM batch_item i JOIN card c USING (card_id) \
         WHERE i.batch_id = $1 ORDER BY i.position",
    )
    .bind(batch.uuid())
    .fetch_all(conn)
    .await?;
    let item = |(position, application, card, card_state)| BatchItem {
        position,
        application_id: ApplicationId::from_uuid(application),
        card_id: CardId::from_uuid(card),
        card_state,
    };
    Ok(rows.into_iter().map(item).collect())
}

/// Batches without results, in the order in which they were opened.
pub async fn unfinished_batches(conn: &mut PgConnection) -> Result<Vec<BatchId>, Error> {
    let ids: Vec<Uuid> =
        sqlx::query_scalar("SELECT batch_id FROM batch WHERE printed IS NULL ORDER BY number")
            .fetch_all(conn)
            .await?;
    Ok(ids.into_iter().map(BatchId::from_uuid).collect())
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

/// A certificate that was signed.
#[derive(Debug, Clone)]
pub struct StoredCertificate {
    pub issuer_serial: Option<String>,
    pub der: Vec<u8>,
}

pub async fn certificate(conn: &mut PgConnection, serial: &str) -> Result<Option<StoredCertificate>, Error> {
    let row = sqlx::query("SELECT issuer_serial, der FROM certificate WHERE serial = $1 AND der IS NOT NULL")
        .bind(serial)
        .fetch_optional(conn)
        .await?;
    row.map(|row| {
        Ok(StoredCertificate { issuer_serial: row.try_get("issuer_serial")?, der: row.try_get("der")? })
    })
    .transpose()
}
