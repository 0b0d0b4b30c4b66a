//! Cards: from which applications they can be made, what is intended, what was signed, and what became of
//! them.

pub mod batches;
pub mod certificates;
pub mod history;
pub mod holders;
pub mod lookup;
pub mod pages;
pub mod record;
pub mod stock;

use std::collections::{HashMap, HashSet};

use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{PgConnection, Row};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::register::corrections;
use crate::register::people::records;
use crate::{Error, UnitScope};
use domain::card::CardState;
use domain::id::{ApplicationId, BatchId, CardId, PersonId};
use domain::person::Status;
use domain::{Actor, Field, Pin, ResidentRecord};

/// An accepted application that waits for a batch.
#[derive(Debug, Clone)]
pub struct Ready {
    pub application_id: ApplicationId,
    pub person_id: PersonId,
    pub pin: Option<Pin>,
    /// As it was captured.
    pub record: ResidentRecord,
    /// What the register says, with the fields about which a correction was decided since the capture.
    pub settled: Option<Settled>,
    pub unit_code: String,
    pub unit_path: String,
}

/// What corrections decided since an application was captured.
#[derive(Debug, Clone)]
pub struct Settled {
    /// In these fields.
    pub fields: Vec<Field>,
    /// The register's record.
    pub register: ResidentRecord,
}

/// Locks up to `most` accepted applications below `scope` in the order of capture, at most one of each
/// person, and the people with them. Left out are applications that are blocked, and people who are not alive
/// under this record, have a card in production, or have a card that is active, or may be again, and no
/// reason for another, or for whom a correction of a field in `held` is open.
pub async fn take_ready(
    tx: &mut PgConnection,
    scope: &UnitScope,
    most: u32,
    held: &[Field],
) -> Result<Vec<Ready>, Error> {
    // A person whom another transaction holds is passed over: nobody gets a number or a card twice because
    // two workers took two applications of one person.
    let rows = sqlx::query(
        "SELECT a.application_id, a.person_id, a.unit_code, a.unit_path, a.captured_at, p.pin, r.record \
         FROM application a JOIN person p USING (person_id) JOIN application_record r USING (application_id) \
         WHERE a.state = 'accepted' AND a.unit_path LIKE $1 || '%' AND p.status = $3 \
           AND NOT EXISTS (SELECT 1 FROM issue_blocked b WHERE b.application_id = a.application_id) \
           AND NOT EXISTS (SELECT 1 FROM packet q WHERE q.application_id = a.application_id \
                 AND q.quarantined IS NOT NULL) \
           AND NOT EXISTS (SELECT 1 FROM card c WHERE c.person_id = a.person_id \
                 AND c.state IN ('intended', 'signed', 'personalised')) \
           AND NOT (a.kind = 'new' AND EXISTS (SELECT 1 FROM card c WHERE c.person_id = a.person_id \
                 AND c.state IN ('active', 'suspended'))) \
           AND NOT EXISTS (SELECT 1 FROM correction_case k JOIN correction_item i USING (case_id) \
                 WHERE k.person_id = a.person_id AND k.closed_at IS NULL AND i.field = ANY($4)) \
         ORDER BY a.captured_at, a.application_id LIMIT $2 FOR NO KEY UPDATE OF a, p SKIP LOCKED",
    )
    .bind(scope.as_str())
    .bind(i64::from(most))
    .bind(Status::Alive.code())
    .bind(held.iter().map(|field| field.code()).collect::<Vec<_>>())
    .fetch_all(&mut *tx)
    .await?;
    let people: Result<Vec<PersonId>, Error> =
        rows.iter().map(|row| Ok(PersonId::from_uuid(row.try_get("person_id")?))).collect();
    // Asked once more of those who are locked now: a case that was opened since the reading is seen.
    let asked = corrections::asked_of(tx, &people?).await?;
    let decided: Vec<PersonId> =
        asked.iter().filter(|(_, asked)| !asked.ended.is_empty()).map(|(person, _)| *person).collect();
    let register: HashMap<PersonId, ResidentRecord> =
        if decided.is_empty() { HashMap::new() } else { records(tx, &decided).await?.into_iter().collect() };
    let mut seen = HashSet::new();
    let mut ready = Vec::with_capacity(rows.len());
    for row in &rows {
        let person = PersonId::from_uuid(row.try_get("person_id")?);
        let about = asked.get(&person);
        if !seen.insert(person) || about.is_some_and(|a| a.open.iter().any(|field| held.contains(field))) {
            continue;
        }
        let captured_at: OffsetDateTime = row.try_get("captured_at")?;
        let fields: Vec<Field> = about
            .map(|asked| asked.ended.iter().filter(|(_, at)| *at >= captured_at).map(|(f, _)| *f).collect())
            .unwrap_or_default();
        let settled = match register.get(&person) {
            Some(register) if !fields.is_empty() => Some(Settled { fields, register: register.clone() }),
            Some(_) | None => None,
        };
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
            settled,
            unit_code: row.try_get("unit_code")?,
            unit_path: row.try_get("unit_path")?,
        });
    }
    Ok(ready)
}

/// Records why no card can be made for an application. When there is a reason already, that one stays.
pub async fn block(
    tx: &mut PgConnection,
    application: ApplicationId,
    code: &str,
    message: &str,
    now: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO issue_blocked (application_id, code, message, since) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT DO NOTHING",
    )
    .bind(application.uuid())
    .bind(code)
    .bind(message)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

/// A card before it is signed, as the decision to make it left it.
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
///
/// # Errors
/// Those of [`record::intend`].
pub async fn put_cards(
    tx: &mut PgConnection,
    batch: BatchId,
    cards: &[IntendedCard],
    actor: &Actor,
    now: OffsetDateTime,
) -> Result<(), Error> {
    record::intend(tx, cards, actor, now).await?;
    sqlx::query(
        "INSERT INTO batch_item (batch_id, position, application_id, card_id) \
         SELECT $1, n, application_id, card_id \
         FROM unnest($2::uuid[], $3::uuid[]) WITH ORDINALITY AS t (application_id, card_id, n)",
    )
    .bind(batch.uuid())
    .bind(cards.iter().map(|c| c.application_id.uuid()).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.card_id.uuid()).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// What signing needs of an intended card.
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

/// What a signature made of an intended card. The token says that it is the card that was prepared.
#[derive(Debug, Clone)]
pub struct SignedCard {
    pub card_id: CardId,
    pub token_sha256: Vec<u8>,
    pub dg1: Vec<u8>,
    pub dg13: Vec<u8>,
    pub sod: Vec<u8>,
    pub qr: String,
}

/// A line of the list of cards.
#[derive(Debug, Clone)]
pub struct CardLine {
    pub card_id: CardId,
    pub number: String,
    pub state: CardState,
    pub issued_on: Date,
}

impl CardLine {
    fn from_row(row: &PgRow) -> Result<CardLine, Error> {
        let card_id = CardId::from_uuid(row.try_get("card_id")?);
        Ok(CardLine {
            card_id,
            number: row.try_get("number")?,
            state: state(card_id, row.try_get("state")?)?,
            issued_on: row.try_get("issued_on")?,
        })
    }
}

/// The newest cards.
pub async fn list_cards(conn: &mut PgConnection, limit: u32) -> Result<Vec<CardLine>, Error> {
    let rows =
        sqlx::query("SELECT card_id, number, state, issued_on FROM card ORDER BY number DESC LIMIT $1")
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await?;
    rows.iter().map(CardLine::from_row).collect()
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
    pub state: CardState,
    pub issued_on: Date,
    pub expires_on: Option<Date>,
    /// Whether its EF.SOD is the one that was asked about, byte for byte.
    pub is_signed_so: bool,
}

/// The cards that bear a personal number, newest first. `sod` is the EF.SOD of the card at hand; empty when
/// only print was read.
pub async fn cards_of_pin(conn: &mut PgConnection, pin: &str, sod: &[u8]) -> Result<Vec<MadeCard>, Error> {
    let rows = sqlx::query(
        "SELECT card_id, number, state, issued_on, expires_on, coalesce(sod = $2, false) AS is_signed_so \
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
                state: state(CardId::from_uuid(row.try_get("card_id")?), row.try_get("state")?)?,
                issued_on: row.try_get("issued_on")?,
                expires_on: row.try_get("expires_on")?,
                is_signed_so: row.try_get("is_signed_so")?,
            })
        })
        .collect()
}

/// Locks up to `most` cards that are in force, or may be again, and whose last day is before `today`; those
/// whose day is longest over come first. Cards that somebody else holds are passed over.
///
/// # Errors
/// Those of the database.
pub async fn past_last_day(
    tx: &mut PgConnection,
    today: Date,
    most: u32,
) -> Result<Vec<(CardId, Date)>, Error> {
    let rows: Vec<(Uuid, Date)> = sqlx::query_as(
        "SELECT card_id, expires_on FROM card \
         WHERE state IN ('active', 'suspended') AND expires_on IS NOT NULL AND expires_on < $1 \
         ORDER BY expires_on, card_id LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED",
    )
    .bind(today)
    .bind(i64::from(most))
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|(card, last_day)| (CardId::from_uuid(card), last_day)).collect())
}

/// The paths of the units that these cards belong to.
///
/// # Errors
/// Those of the database.
pub async fn unit_paths(conn: &mut PgConnection, cards: &[CardId]) -> Result<HashMap<CardId, String>, Error> {
    let rows: Vec<(Uuid, String)> =
        sqlx::query_as("SELECT card_id, unit_path FROM card WHERE card_id = ANY($1)")
            .bind(cards.iter().map(|card| card.uuid()).collect::<Vec<_>>())
            .fetch_all(conn)
            .await?;
    Ok(rows.into_iter().map(|(card, path)| (CardId::from_uuid(card), path)).collect())
}

/// A card's state by its stored code.
fn state(card: CardId, code: &str) -> Result<CardState, Error> {
    CardState::from_code(code).ok_or_else(|| Error::Inconsistent {
        table: "card",
        row: card.to_string(),
        reason: "column state holds a code that this program does not know".to_owned(),
    })
}
