//! Blank cards: boxes, each blank, and the card it becomes.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Error;
use domain::Actor;
use domain::blank::{BlankState, SpoilReason};
use domain::id::{BatchId, CardId};

/// Records a box of blanks; false when there is one of this number.
pub async fn put_box(
    tx: &mut PgConnection,
    number: i64,
    wrapped_key: Option<&[u8]>,
    actor: &Actor,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "INSERT INTO blank_box (box, received_at, actor, wrapped_key) VALUES ($1, $2, $3, $4) \
         ON CONFLICT DO NOTHING",
    )
    .bind(number)
    .bind(now)
    .bind(actor.to_string())
    .bind(wrapped_key)
    .execute(tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Records blanks of a box, in stock. Those that are known already, in this box or another, stay as they are.
pub async fn put_blanks(
    tx: &mut PgConnection,
    number: i64,
    serials: &[String],
    now: OffsetDateTime,
) -> Result<u64, Error> {
    let done = sqlx::query(
        "INSERT INTO blank (serial, box, since) SELECT serial, $1, $3 FROM unnest($2::text[]) AS t (serial) \
         ON CONFLICT DO NOTHING",
    )
    .bind(number)
    .bind(serials)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(done.rows_affected())
}

/// How many blanks a box brought, and how many of `serials` are among them.
pub async fn box_holds(
    conn: &mut PgConnection,
    number: i64,
    serials: &[String],
) -> Result<(i64, i64), Error> {
    Ok(sqlx::query_as("SELECT count(*), count(*) FILTER (WHERE serial = ANY($2)) FROM blank WHERE box = $1")
        .bind(number)
        .bind(serials)
        .fetch_one(conn)
        .await?)
}

/// The wrapped master key of a box; `None` when it came without one.
pub async fn box_key(conn: &mut PgConnection, number: i64) -> Result<Option<Vec<u8>>, Error> {
    let key: Option<Option<Vec<u8>>> = sqlx::query_scalar("SELECT wrapped_key FROM blank_box WHERE box = $1")
        .bind(number)
        .fetch_optional(conn)
        .await?;
    Ok(key.flatten())
}

/// The number after the highest that a box has.
pub async fn next_box(conn: &mut PgConnection) -> Result<i64, Error> {
    Ok(sqlx::query_scalar("SELECT coalesce(max(box), 0) + 1 FROM blank_box").fetch_one(conn).await?)
}

/// Blanks by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    pub in_stock: i64,
    pub writing: i64,
    pub used: i64,
    pub spoiled: i64,
}

impl Totals {
    /// All that ever came in, in whatever state it is now.
    pub fn received(self) -> i64 {
        self.in_stock + self.writing + self.used + self.spoiled
    }

    /// What must lie in the store and on the readers: received − used − spoiled.
    pub fn expected(self) -> i64 {
        self.received() - self.used - self.spoiled
    }

    fn from_row(row: &PgRow) -> Result<Totals, Error> {
        Ok(Totals {
            in_stock: row.try_get("in_stock")?,
            writing: row.try_get("writing")?,
            used: row.try_get("used")?,
            spoiled: row.try_get("spoiled")?,
        })
    }
}

/// All blanks that were ever received.
pub async fn totals(conn: &mut PgConnection) -> Result<Totals, Error> {
    let row = sqlx::query(
        "SELECT count(*) FILTER (WHERE state = 'in_stock') AS in_stock, \
         count(*) FILTER (WHERE state = 'writing') AS writing, \
                count(*) FILTER (WHERE state = 'used') AS used, count(*) FILTER (WHERE state = 'spoiled') AS \
                spoiled FROM blank",
    )
    .fetch_one(conn)
    .await?;
    Totals::from_row(&row)
}

/// A box with what became of its blanks.
#[derive(Debug, Clone)]
pub struct BoxLine {
    pub number: i64,
    pub received_at: OffsetDateTime,
    pub has_key: bool,
    pub totals: Totals,
}

/// The boxes in which blanks were delivered, with what has become of their blanks.
pub async fn boxes(conn: &mut PgConnection) -> Result<Vec<BoxLine>, Error> {
    let rows = sqlx::query(
        "SELECT b.box, b.received_at, b.wrapped_key IS NOT NULL AS has_key, \
                count(k.serial) FILTER (WHERE state = 'in_stock') AS in_stock, \
                count(k.serial) FILTER (WHERE state = 'writing') AS writing, \
                count(k.serial) FILTER (WHERE state = 'used') AS used, \
                count(k.serial) FILTER (WHERE state = 'spoiled') AS spoiled \
         FROM blank_box b LEFT JOIN blank k USING (box) GROUP BY b.box ORDER BY b.box",
    )
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(BoxLine {
                number: row.try_get("box")?,
                received_at: row.try_get("received_at")?,
                has_key: row.try_get("has_key")?,
                totals: Totals::from_row(row)?,
            })
        })
        .collect()
}

/// One blank.
#[derive(Debug, Clone)]
pub struct Blank {
    pub serial: String,
    pub box_number: i64,
    pub state: BlankState,
    pub card_id: Option<CardId>,
    pub card_number: Option<String>,
    pub attempts: i16,
    pub reason: Option<SpoilReason>,
}

impl Blank {
    fn from_row(row: &PgRow) -> Result<Blank, Error> {
        let serial: String = row.try_get("serial")?;
        let inconsistent = |column: &str| Error::Inconsistent {
            table: "blank",
            row: serial.clone(),
            reason: format!("column {column} holds a code that this program does not know"),
        };
        let reason: Option<String> = row.try_get("reason")?;
        let reason = reason.map(|code| SpoilReason::from_code(&code).ok_or_else(|| inconsistent("reason")));
        Ok(Blank {
            box_number: row.try_get("box")?,
            state: BlankState::from_code(row.try_get("state")?).ok_or_else(|| inconsistent("state"))?,
            card_id: row.try_get::<Option<Uuid>, _>("card_id")?.map(CardId::from_uuid),
            card_number: row.try_get("number")?,
            attempts: row.try_get("attempts")?,
            reason: reason.transpose()?,
            serial,
        })
    }
}

/// The blank with this serial number, locked until the transaction ends.
pub async fn lock_blank(tx: &mut PgConnection, serial: &str) -> Result<Option<Blank>, Error> {
    let row = sqlx::query(
        "SELECT k.serial, k.box, k.state, k.card_id, c.number, k.attempts, k.reason \
         FROM blank k LEFT JOIN card c USING (card_id) WHERE k.serial = $1 FOR UPDATE OF k",
    )
    .bind(serial)
    .fetch_optional(tx)
    .await?;
    row.as_ref().map(Blank::from_row).transpose()
}

/// The blanks that are being written, oldest first; those of a box; or those of a state.
pub async fn blanks(
    conn: &mut PgConnection,
    state: Option<BlankState>,
    number: Option<i64>,
    limit: i64,
) -> Result<Vec<Blank>, Error> {
    let rows = sqlx::query(
        "SELECT k.serial, k.box, k.state, k.card_id, c.number, k.attempts, k.reason \
         FROM blank k LEFT JOIN card c USING (card_id) \
         WHERE ($1::text IS NULL OR k.state = $1) AND ($2::bigint IS NULL OR k.box = $2) \
         ORDER BY k.since, k.serial LIMIT $3",
    )
    .bind(state.map(BlankState::code))
    .bind(number)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter().map(Blank::from_row).collect()
}

/// The blanks with these serial numbers.
///
/// # Errors
/// Those of the database; [`Error::Inconsistent`].
pub async fn blanks_named(conn: &mut PgConnection, serials: &[String]) -> Result<Vec<Blank>, Error> {
    let rows = sqlx::query(
        "SELECT k.serial, k.box, k.state, k.card_id, c.number, k.attempts, k.reason \
         FROM blank k LEFT JOIN card c USING (card_id) WHERE k.serial = ANY($1) ORDER BY k.serial",
    )
    .bind(serials)
    .fetch_all(conn)
    .await?;
    rows.iter().map(Blank::from_row).collect()
}

/// Records a count of the store: `counts` is what was expected and what was found, in blanks.
pub async fn put_count(
    tx: &mut PgConnection,
    id: Uuid,
    actor: &Actor,
    counts: (i64, i64),
    note: Option<&str>,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let (expected, counted) = counts;
    sqlx::query(
        "INSERT INTO stock_count (count_id, at, actor, expected, counted, note) \
                 VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id)
    .bind(now)
    .bind(actor.to_string())
    .bind(expected)
    .bind(counted)
    .bind(note)
    .execute(tx)
    .await?;
    Ok(())
}

/// Locks the next signed card that no blank was taken for: of a batch, or this one, or any, in the order of
/// the batches.
pub async fn next_card(
    tx: &mut PgConnection,
    batch: Option<i64>,
    card: Option<CardId>,
) -> Result<Option<CardId>, Error> {
    loop {
        let id: Option<Uuid> = sqlx::query_scalar(
            "SELECT c.card_id FROM batch_item i JOIN batch b USING (batch_id) JOIN card c USING (card_id) \
             WHERE c.state = 'signed' AND ($1::bigint IS NULL OR b.number = $1) AND ($2::uuid IS NULL \
             OR c.card_id = $2) \
               AND NOT EXISTS (SELECT 1 FROM blank k WHERE k.card_id = c.card_id) \
             ORDER BY b.number, i.position LIMIT 1 FOR UPDATE OF c SKIP LOCKED",
        )
        .bind(batch)
        .bind(card.map(CardId::uuid))
        .fetch_optional(&mut *tx)
        .await?;
        let Some(id) = id else { return Ok(None) };
        // Another station may have taken it and committed after this statement had looked at the blanks and
        // before it came to the lock, which waits for nothing and changes nothing in the card's row. Whoever
        // takes a card holds its lock, so that what is asked now stays so.
        let is_taken: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM blank WHERE card_id = $1)")
            .bind(id)
            .fetch_one(&mut *tx)
            .await?;
        if !is_taken {
            return Ok(Some(CardId::from_uuid(id)));
        }
    }
}

/// How many signed cards of the batch, or of all, no blank was taken for; and how many are under way on one.
pub async fn open_cards(
    conn: &mut PgConnection,
    batch: Option<i64>,
    card: Option<CardId>,
) -> Result<(i64, i64), Error> {
    Ok(sqlx::query_as(
        "SELECT count(*) FILTER (WHERE k.serial IS NULL), count(k.serial) \
         FROM batch_item i JOIN batch b USING (batch_id) JOIN card c USING (card_id) \
         LEFT JOIN blank k USING (card_id) \
         WHERE c.state = 'signed' AND ($1::bigint IS NULL OR b.number = $1) AND ($2::uuid IS NULL \
         OR c.card_id = $2)",
    )
    .bind(batch)
    .bind(card.map(CardId::uuid))
    .fetch_one(conn)
    .await?)
}

/// The intent: this blank becomes that card. False when the blank is not in stock any more.
pub async fn begin_writing(
    tx: &mut PgConnection,
    serial: &str,
    card: CardId,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "UPDATE blank SET state = 'writing', card_id = $2, since = $3 WHERE serial = $1 \
         AND state = 'in_stock'",
    )
    .bind(serial)
    .bind(card.uuid())
    .bind(now)
    .execute(tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Counts one more begin of writing; returns how many there were with it.
pub async fn count_attempt(tx: &mut PgConnection, serial: &str) -> Result<i16, Error> {
    Ok(sqlx::query_scalar(
        "UPDATE blank SET attempts = attempts + 1 WHERE serial = $1 AND state = 'writing' RETURNING attempts",
    )
    .bind(serial)
    .fetch_one(tx)
    .await?)
}

/// A blank comes to its end: used, when it was being written, or spoiled for a reason.
///
/// # Errors
/// Those of the database; [`Error::Inconsistent`] when it has come to its end before, or would be used
/// unwritten: a blank goes forward only.
pub async fn finish_blank(
    tx: &mut PgConnection,
    serial: &str,
    spoiled: Option<SpoilReason>,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let end = end(spoiled);
    let done = sqlx::query(
        "UPDATE blank SET state = $2, reason = $3, since = $4 \
         WHERE serial = $1 AND (state = 'writing' OR (state = 'in_stock' AND $2 = 'spoiled'))",
    )
    .bind(serial)
    .bind(end.code())
    .bind(spoiled.map(SpoilReason::code))
    .bind(now)
    .execute(tx)
    .await?;
    if done.rows_affected() == 1 {
        return Ok(());
    }
    Err(Error::Inconsistent {
        table: "blank",
        row: serial.to_owned(),
        reason: format!("a blank is used once, and this one cannot become {end} any more"),
    })
}

/// Where a blank ends.
fn end(spoiled: Option<SpoilReason>) -> BlankState {
    if spoiled.is_some() { BlankState::Spoiled } else { BlankState::Used }
}

/// How many cards of the batch a blank was taken for.
pub async fn taken_for(conn: &mut PgConnection, batch: BatchId) -> Result<i64, Error> {
    Ok(sqlx::query_scalar(
        "SELECT count(*) FROM batch_item i JOIN blank k USING (card_id) WHERE i.batch_id = $1",
    )
    .bind(batch.uuid())
    .fetch_one(conn)
    .await?)
}

/// Whether so many blanks are in stock for a machine that writes them itself: those of boxes that came
/// without a key. Counts no further than asked, because the stock may be a province's.
pub async fn machine_stock_holds(conn: &mut PgConnection, wanted: i64) -> Result<bool, Error> {
    let found: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT 1 FROM blank JOIN blank_box b USING (box) \
                               WHERE state = 'in_stock' AND b.wrapped_key IS NULL LIMIT $1) found",
    )
    .bind(wanted)
    .fetch_one(conn)
    .await?;
    Ok(found >= wanted)
}

/// Takes the next blanks of the machine's stock for cards that came back from it, which used them in their
/// order, whatever became of them. Returns how many there were: fewer than cards when the stock does not
/// reach.
pub async fn take_blanks(
    tx: &mut PgConnection,
    cards: &[CardId],
    spoiled: Option<SpoilReason>,
    now: OffsetDateTime,
) -> Result<u64, Error> {
    let done = sqlx::query(
        "WITH free AS (SELECT serial, row_number() OVER (ORDER BY serial) AS n FROM \
                (SELECT k.serial FROM blank k JOIN blank_box b USING (box) WHERE k.state = 'in_stock' \
                AND b.wrapped_key IS NULL \
                 ORDER BY k.serial LIMIT $2 FOR UPDATE OF k SKIP LOCKED) f) \
         UPDATE blank SET state = $3, reason = $4, since = $5, card_id = c.card_id \
         FROM free JOIN unnest($1::uuid[]) WITH ORDINALITY AS c (card_id, n) USING (n) \
         WHERE blank.serial = free.serial",
    )
    .bind(cards.iter().map(|card| card.uuid()).collect::<Vec<_>>())
    .bind(cards.len() as i64)
    .bind(end(spoiled).code())
    .bind(spoiled.map(SpoilReason::code))
    .bind(now)
    .execute(tx)
    .await?;
    Ok(done.rows_affected())
}

/// Takes these blanks of the stock for the cards that a machine wrote on them, whatever became of them.
/// Returns how many there were: fewer than cards when one of them is not in stock.
///
/// # Errors
/// Those of the database.
pub async fn take_named(
    tx: &mut PgConnection,
    cards: &[(CardId, String)],
    spoiled: Option<SpoilReason>,
    now: OffsetDateTime,
) -> Result<u64, Error> {
    let done = sqlx::query(
        "UPDATE blank SET state = $3, reason = $4, since = $5, card_id = c.card_id \
         FROM unnest($1::uuid[], $2::text[]) AS c (card_id, serial) \
         WHERE blank.serial = c.serial AND blank.state = 'in_stock'",
    )
    .bind(cards.iter().map(|(card, _)| card.uuid()).collect::<Vec<_>>())
    .bind(cards.iter().map(|(_, serial)| serial.as_str()).collect::<Vec<_>>())
    .bind(end(spoiled).code())
    .bind(spoiled.map(SpoilReason::code))
    .bind(now)
    .execute(tx)
    .await?;
    Ok(done.rows_affected())
}
