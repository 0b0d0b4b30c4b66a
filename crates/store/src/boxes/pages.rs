//! Boxes of cards on their way, and what is in them, as pages show them.

use sqlx::{FromRow, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Error;
use domain::id::{ApplicationId, ConsignmentId};

/// One box.
#[derive(Debug, Clone, FromRow)]
pub struct BoxRow {
    pub consignment_id: Uuid,
    /// `district` or `commune`.
    pub leg: String,
    /// `centre` or a district's code.
    pub from_code: String,
    pub to_code: String,
    pub size: i32,
    pub sent_at: OffsetDateTime,
    /// When it was counted at arrival.
    pub received_at: Option<OffsetDateTime>,
    /// Cards that have arrived by now.
    pub received: Option<i32>,
}

/// Which boxes a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoxStage {
    /// Sent and not counted.
    OnTheWay,
    /// Counted, and something was not in it.
    Missing,
    All,
}

/// One card of a box.
#[derive(Clone, FromRow)]
pub struct BoxItem {
    pub application_id: Uuid,
    /// `None` until the box is counted; `false` for what was not in it.
    pub received: Option<bool>,
    pub state: String,
    pub unit_code: String,
    pub name: Option<String>,
    pub number: Option<String>,
}

const BOX: &str =
    "SELECT consignment_id, leg, from_code, to_code, size, sent_at, received_at, received FROM consignment";

/// The newest boxes that go to one of `places`; `None` is every place.
pub async fn boxes(
    conn: &mut PgConnection,
    places: Option<&[String]>,
    stage: BoxStage,
    limit: i64,
) -> Result<Vec<BoxRow>, Error> {
    let which = match stage {
        BoxStage::OnTheWay => "received_at IS NULL",
        BoxStage::Missing => "received < size",
        BoxStage::All => "true",
    };
    let rows = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{BOX} WHERE ($1::text[] IS NULL OR to_code = ANY($1)) AND {which} \
         ORDER BY sent_at DESC, consignment_id LIMIT $2"
    )))
    .bind(places)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// How many boxes to `places` are on the way, and how many were counted with something missing.
pub async fn box_counts(
    conn: &mut PgConnection,
    places: Option<&[String]>,
) -> Result<(i64, i64, i64), Error> {
    let row = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE received_at IS NULL), count(*) FILTER (WHERE received < size), \
         count(*) \
         FROM consignment WHERE $1::text[] IS NULL OR to_code = ANY($1)",
    )
    .bind(places)
    .fetch_one(conn)
    .await?;
    Ok(row)
}

/// One box, whoever it goes to: the caller compares the place with the reader's.
pub async fn one_box(conn: &mut PgConnection, id: ConsignmentId) -> Result<Option<BoxRow>, Error> {
    let row = sqlx::query_as(sqlx::AssertSqlSafe(format!("{BOX} WHERE consignment_id = $1")))
        .bind(id.uuid())
        .fetch_optional(conn)
        .await?;
    Ok(row)
}

/// The application and state of every card in a box, by application.
pub async fn box_contents(
    conn: &mut PgConnection,
    id: ConsignmentId,
) -> Result<Vec<(Uuid, Option<bool>)>, Error> {
    let rows = sqlx::query_as(
        "SELECT application_id, received FROM consignment_item WHERE consignment_id = $1 \
         ORDER BY application_id",
    )
    .bind(id.uuid())
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// What the reader may know of these cards: first what is missing, then by number, from `skip` on.
pub async fn box_items(
    scoped: &mut PgConnection,
    contents: &[(Uuid, Option<bool>)],
    skip: i64,
    limit: i64,
) -> Result<Vec<BoxItem>, Error> {
    let rows = sqlx::query_as(
        "SELECT a.application_id, i.received, a.state, a.unit_code, r.record->>'name' AS name, c.number \
         FROM unnest($1::uuid[], $2::bool[]) AS i (application_id, received) \
         JOIN application a USING (application_id) \
              LEFT JOIN application_record r USING (application_id) \
              LEFT JOIN LATERAL (SELECT number FROM card WHERE card.application_id = a.application_id \
                                 AND card.state <> 'spoiled' ORDER BY intended_at DESC LIMIT 1) c ON true \
         ORDER BY i.received IS NOT DISTINCT FROM false DESC, c.number, a.application_id OFFSET $3 LIMIT $4",
    )
    .bind(contents.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind(contents.iter().map(|(_, received)| *received).collect::<Vec<_>>())
    .bind(skip)
    .bind(limit)
    .fetch_all(scoped)
    .await?;
    Ok(rows)
}

/// A box that a card was put into, and whether it arrived in it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct BoxOfCard {
    pub consignment_id: Uuid,
    pub leg: String,
    pub from_code: String,
    pub to_code: String,
    pub sent_at: OffsetDateTime,
    pub received_at: Option<OffsetDateTime>,
    /// `None` until the box is counted; `false` if the card was not in it.
    pub received: Option<bool>,
}

/// The boxes that an application's card was put into, the first first.
///
/// # Errors
/// Those of the database.
pub async fn boxes_of(conn: &mut PgConnection, application: ApplicationId) -> Result<Vec<BoxOfCard>, Error> {
    let rows = sqlx::query_as(
        "SELECT c.consignment_id, c.leg, c.from_code, c.to_code, c.sent_at, c.received_at, i.received \
         FROM consignment_item i JOIN consignment c USING (consignment_id) WHERE i.application_id = $1 \
         ORDER BY c.sent_at, c.leg DESC",
    )
    .bind(application.uuid())
    .fetch_all(conn)
    .await?;
    Ok(rows)
}
