//! Production batches, and what the printer made of their cards.

use std::collections::HashSet;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use time::OffsetDateTime;
use uuid::Uuid;

use super::record::{Transition, record};
use crate::Error;
use domain::Actor;
use domain::blank::SpoilReason;
use domain::card::{CardAction, CardState};
use domain::id::{ApplicationId, BatchId, CardId};

/// The number after the highest that was used. The caller's insert fails on a race, by the unique constraint.
pub async fn next_batch_number(conn: &mut PgConnection) -> Result<i64, Error> {
    Ok(sqlx::query_scalar("SELECT coalesce(max(number), 0) + 1 FROM batch").fetch_one(conn).await?)
}

/// Writes an opened batch; its items come with [`put_cards`](crate::cards::put_cards).
///
/// # Errors
///
/// When its number or id is taken, or the database refuses.
pub async fn put_batch(
    tx: &mut PgConnection,
    batch: BatchId,
    number: i64,
    district: &str,
    size: i32,
    manifest_sha256: &[u8],
    now: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO batch (batch_id, number, unit_code, opened_at, size, manifest_sha256) \
                 VALUES ($1, $2, $3, $4, $5, $6)",
    )
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

/// What the printer reported; both are `None` until the result was taken.
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

/// A card of a batch at its place on the manifest, counted from 1.
#[derive(Debug, Clone)]
pub struct BatchItem {
    pub position: i32,
    pub application_id: ApplicationId,
    pub card_id: CardId,
    pub card_state: CardState,
}

/// The cards of a batch in the order of its manifest, in whatever state they are now.
pub async fn batch_items(conn: &mut PgConnection, batch: BatchId) -> Result<Vec<BatchItem>, Error> {
    let rows: Vec<(i32, Uuid, Uuid, String)> = sqlx::query_as(
        "SELECT i.position, i.application_id, i.card_id, c.state FROM batch_item i \
         JOIN card c USING (card_id) \
         WHERE i.batch_id = $1 ORDER BY i.position",
    )
    .bind(batch.uuid())
    .fetch_all(conn)
    .await?;
    let item = |(position, application, card, state): (_, _, _, String)| {
        let card_id = CardId::from_uuid(card);
        let application_id = ApplicationId::from_uuid(application);
        Ok(BatchItem { position, application_id, card_id, card_state: super::state(card_id, &state)? })
    };
    rows.into_iter().map(item).collect()
}

/// A batch in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchLine {
    /// Its id.
    pub batch_id: BatchId,
    /// Its number, with which its cards' numbers begin.
    pub number: i64,
    /// The district it is for.
    pub unit_code: String,
    pub opened_at: OffsetDateTime,
    /// When the last result came in.
    pub closed_at: Option<OffsetDateTime>,
    /// Its cards.
    pub size: i32,
    /// Cards of it that wait to be signed.
    pub unsigned: i64,
    /// Good cards; `None` until all results are in.
    pub printed: Option<i32>,
    pub spoiled: Option<i32>,
}

const BATCH: &str = "SELECT b.batch_id, b.number, b.unit_code, b.opened_at, b.closed_at, b.size, b.printed, \
                     b.spoiled, (SELECT count(*) FROM batch_item i JOIN card c USING (card_id) \
                                 WHERE i.batch_id = b.batch_id AND c.state = 'intended') AS unsigned \
                     FROM batch b";

fn batch_line(row: &PgRow) -> Result<BatchLine, Error> {
    Ok(BatchLine {
        batch_id: BatchId::from_uuid(row.try_get("batch_id")?),
        number: row.try_get("number")?,
        unit_code: row.try_get("unit_code")?,
        opened_at: row.try_get("opened_at")?,
        closed_at: row.try_get("closed_at")?,
        size: row.try_get("size")?,
        unsigned: row.try_get("unsigned")?,
        printed: row.try_get("printed")?,
        spoiled: row.try_get("spoiled")?,
    })
}

/// The newest batches; with `waiting` only those whose results are not all in.
///
/// # Errors
/// Those of the database.
pub async fn list(conn: &mut PgConnection, waiting: bool, limit: i64) -> Result<Vec<BatchLine>, Error> {
    let sql = format!("{BATCH} WHERE NOT $1 OR b.printed IS NULL ORDER BY b.number DESC LIMIT $2");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(waiting).bind(limit).fetch_all(conn).await?;
    rows.iter().map(batch_line).collect()
}

/// The batch of this number.
///
/// # Errors
/// Those of the database.
pub async fn by_number(conn: &mut PgConnection, number: i64) -> Result<Option<BatchLine>, Error> {
    let sql = format!("{BATCH} WHERE b.number = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(number).fetch_optional(conn).await?;
    row.as_ref().map(batch_line).transpose()
}

/// The number of the batch that the card with this number is of.
///
/// # Errors
/// Those of the database.
pub async fn batch_of_card(conn: &mut PgConnection, number: &str) -> Result<Option<i64>, Error> {
    Ok(sqlx::query_scalar(
        "SELECT b.number FROM card c JOIN batch_item i USING (card_id) JOIN batch b USING (batch_id) \
         WHERE c.number = $1",
    )
    .bind(number)
    .fetch_optional(conn)
    .await?)
}

/// A card of a batch, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemResult {
    pub position: i32,
    pub application_id: ApplicationId,
    pub card_id: CardId,
    pub number: String,
    pub state: CardState,
    /// `printed` or `spoiled`; `None` until its result is in.
    pub outcome: Option<String>,
    /// Why it was spoiled.
    pub reason: Option<String>,
    /// The blank that was used up for it.
    pub blank: Option<String>,
}

/// The cards of a batch with their results, by position.
///
/// # Errors
/// Those of the database; [`Error::Inconsistent`].
pub async fn results(conn: &mut PgConnection, batch: BatchId) -> Result<Vec<ItemResult>, Error> {
    let rows = sqlx::query(
        "SELECT i.position, i.application_id, i.card_id, c.number, c.state, i.outcome, k.reason, k.serial \
         FROM batch_item i JOIN card c USING (card_id) LEFT JOIN blank k USING (card_id) \
         WHERE i.batch_id = $1 ORDER BY i.position",
    )
    .bind(batch.uuid())
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let card_id = CardId::from_uuid(row.try_get("card_id")?);
            Ok(ItemResult {
                position: row.try_get("position")?,
                application_id: ApplicationId::from_uuid(row.try_get("application_id")?),
                card_id,
                number: row.try_get("number")?,
                state: super::state(card_id, row.try_get("state")?)?,
                outcome: row.try_get("outcome")?,
                reason: row.try_get("reason")?,
                blank: row.try_get("serial")?,
            })
        })
        .collect()
}

/// Batches without results, in the order in which they were opened.
pub async fn unfinished_batches(conn: &mut PgConnection) -> Result<Vec<BatchId>, Error> {
    let ids: Vec<Uuid> =
        sqlx::query_scalar("SELECT batch_id FROM batch WHERE printed IS NULL ORDER BY number")
            .fetch_all(conn)
            .await?;
    Ok(ids.into_iter().map(BatchId::from_uuid).collect())
}

/// A card's place in its batch.
#[derive(Debug, Clone)]
pub struct CardItem {
    pub batch_id: BatchId,
    pub position: i32,
    pub application_id: ApplicationId,
    pub number: String,
    pub state: CardState,
}

/// The batch in which a card is made; `None` when no batch has the card.
pub async fn card_item(conn: &mut PgConnection, card: CardId) -> Result<Option<CardItem>, Error> {
    let row = sqlx::query(
        "SELECT i.batch_id, i.position, i.application_id, c.number, c.state FROM batch_item i \
         JOIN card c USING (card_id) \
         WHERE i.card_id = $1",
    )
    .bind(card.uuid())
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(CardItem {
            batch_id: BatchId::from_uuid(row.try_get("batch_id")?),
            position: row.try_get("position")?,
            application_id: ApplicationId::from_uuid(row.try_get("application_id")?),
            number: row.try_get("number")?,
            state: super::state(card, row.try_get("state")?)?,
        })
    })
    .transpose()
}

/// Writes what became of signed cards of a batch: personalised, or spoiled for a reason. Returns how many it
/// was: a card that came out before, printed or spoiled, stays what it is.
///
/// # Errors
/// Those of the database.
pub async fn put_outcomes(
    tx: &mut PgConnection,
    batch: BatchId,
    cards: &[CardId],
    spoiled: Option<SpoilReason>,
    actor: &Actor,
    now: OffsetDateTime,
) -> Result<u64, Error> {
    let action = spoiled.map_or(CardAction::Personalise, CardAction::Spoil);
    let came_out = |&card_id| Transition { card_id, action, at: now, actor: actor.clone() };
    let transitions: Vec<Transition> = cards.iter().map(came_out).collect();
    let refused: HashSet<CardId> =
        record(tx, now, &transitions).await?.refused.into_iter().map(|(card, _)| card).collect();
    let moved: Vec<Uuid> =
        cards.iter().filter(|card| !refused.contains(card)).map(|card| card.uuid()).collect();
    let outcome = if spoiled.is_some() { "spoiled" } else { "printed" };
    let done = sqlx::query("UPDATE batch_item SET outcome = $3 WHERE batch_id = $1 AND card_id = ANY($2)")
        .bind(batch.uuid())
        .bind(moved)
        .bind(outcome)
        .execute(tx)
        .await?;
    Ok(done.rows_affected())
}

/// Closes the batch if every card of it has come out. Says how many were printed and spoiled then.
pub async fn close_if_complete(
    tx: &mut PgConnection,
    batch: BatchId,
    now: OffsetDateTime,
) -> Result<Option<(i32, i32)>, Error> {
    Ok(sqlx::query_as(
        "UPDATE batch SET closed_at = $2, printed = i.printed, spoiled = i.spoiled FROM \
           (SELECT count(*) FILTER (WHERE outcome = 'printed')::integer AS printed, \
                   count(*) FILTER (WHERE outcome = 'spoiled')::integer AS spoiled, count(*) AS items \
            FROM batch_item WHERE batch_id = $1) i \
         WHERE batch_id = $1 AND batch.printed IS NULL AND i.printed + i.spoiled = i.items \
         RETURNING batch.printed, batch.spoiled",
    )
    .bind(batch.uuid())
    .bind(now)
    .fetch_optional(tx)
    .await?)
}
