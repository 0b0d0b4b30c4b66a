//! Boxes of cards: consignments, and what is counted of them at both ends.

pub mod handovers;
pub mod pages;

use std::fmt;

use sqlx::{PgConnection, Row};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Error, UnitScope};
use domain::application::State;
use domain::id::{ApplicationId, ConsignmentId};

/// An application that can go into a box.
#[derive(Debug, Clone)]
pub struct Movable {
    pub application_id: ApplicationId,
    pub unit_code: String,
}

/// Locks the applications below `scope` that stand in `state`, in the order of their ids.
pub async fn in_state(tx: &mut PgConnection, state: State, scope: &UnitScope) -> Result<Vec<Movable>, Error> {
    let rows = sqlx::query(
        "SELECT application_id, unit_code FROM application WHERE state = $1 AND unit_path LIKE $2 || '%' \
         ORDER BY application_id FOR UPDATE",
    )
    .bind(state.code())
    .bind(scope.as_str())
    .fetch_all(tx)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Movable {
                application_id: ApplicationId::from_uuid(row.try_get("application_id")?),
                unit_code: row.try_get("unit_code")?,
            })
        })
        .collect()
}

/// A box on one leg of its way, as it is closed; the ends are unit codes.
#[derive(Debug, Clone, Copy)]
pub struct Consignment<'a> {
    pub consignment: ConsignmentId,
    /// `district` or `commune`.
    pub leg: &'a str,
    pub from: &'a str,
    pub to: &'a str,
}

/// Writes a box and what is in it. `manifest_sha256` is the hash of the list that travels with it.
///
/// # Errors
///
/// When a box of that id exists, or the database refuses.
pub async fn put_consignment(
    tx: &mut PgConnection,
    consignment: &Consignment<'_>,
    applications: &[ApplicationId],
    manifest_sha256: &[u8],
    now: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO consignment (consignment_id, leg, from_code, to_code, size, manifest_sha256, sent_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(consignment.consignment.uuid())
    .bind(consignment.leg)
    .bind(consignment.from)
    .bind(consignment.to)
    .bind(applications.len() as i32)
    .bind(manifest_sha256)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "INSERT INTO consignment_item (consignment_id, application_id) SELECT $1, * FROM unnest($2::uuid[])",
    )
    .bind(consignment.consignment.uuid())
    .bind(uuids(applications))
    .execute(tx)
    .await?;
    Ok(())
}

/// A box while it is being counted.
#[derive(Debug, Clone)]
pub struct Leg {
    pub leg: String,
    /// `None` until the box is counted.
    pub received: Option<i32>,
}

/// Locks a box until the transaction ends; `None` when there is none of that id.
pub async fn lock_consignment(tx: &mut PgConnection, id: ConsignmentId) -> Result<Option<Leg>, Error> {
    let row = sqlx::query("SELECT leg, received FROM consignment WHERE consignment_id = $1 FOR UPDATE")
        .bind(id.uuid())
        .fetch_optional(tx)
        .await?;
    row.map(|row| Ok(Leg { leg: row.try_get("leg")?, received: row.try_get("received")? })).transpose()
}

/// What was put into a box, in the order of the ids.
pub async fn items(conn: &mut PgConnection, id: ConsignmentId) -> Result<Vec<ApplicationId>, Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT application_id FROM consignment_item WHERE consignment_id = $1 ORDER BY application_id",
    )
    .bind(id.uuid())
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(ApplicationId::from_uuid).collect())
}

/// A card of a box, as it can be read off the card.
#[derive(Clone, PartialEq, Eq)]
pub struct BoxCard {
    pub application_id: ApplicationId,
    pub number: String,
    /// Its holder's number.
    pub pin: String,
    /// `None` until the box is counted; `false` for what was not in it.
    pub received: Option<bool>,
}

/// A personal number stays out of logs.
impl fmt::Debug for BoxCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { application_id, number, received, .. } = self;
        write!(f, "BoxCard({application_id}, {number}, {received:?})")
    }
}

/// The cards in a box, by number; none for a box that does not exist.
///
/// # Errors
/// Those of the database.
pub async fn cards_in(conn: &mut PgConnection, id: ConsignmentId) -> Result<Vec<BoxCard>, Error> {
    let rows = sqlx::query(
        "SELECT i.application_id, i.received, c.number, c.pin FROM consignment_item i \
         JOIN LATERAL (SELECT number, pin FROM card WHERE card.application_id = i.application_id \
                       AND card.state <> 'spoiled' ORDER BY intended_at DESC LIMIT 1) c ON true \
         WHERE i.consignment_id = $1 ORDER BY c.number",
    )
    .bind(id.uuid())
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(BoxCard {
                application_id: ApplicationId::from_uuid(row.try_get("application_id")?),
                number: row.try_get("number")?,
                pin: row.try_get("pin")?,
                received: row.try_get("received")?,
            })
        })
        .collect()
}

/// Writes the count of a box.
pub async fn count_items(
    tx: &mut PgConnection,
    id: ConsignmentId,
    present: &[ApplicationId],
    absent: &[ApplicationId],
    now: OffsetDateTime,
) -> Result<(), Error> {
    for (applications, received) in [(present, true), (absent, false)] {
        sqlx::query(
            "UPDATE consignment_item SET received = $3 WHERE consignment_id = $1 \
                     AND application_id = ANY($2)",
        )
        .bind(id.uuid())
        .bind(uuids(applications))
        .bind(received)
        .execute(&mut *tx)
        .await?;
    }
    sqlx::query("UPDATE consignment SET received_at = $2, received = $3 WHERE consignment_id = $1")
        .bind(id.uuid())
        .bind(now)
        .bind(present.len() as i32)
        .execute(tx)
        .await?;
    Ok(())
}

/// Marks items that were missing as received; returns those that were.
pub async fn take_missing(
    tx: &mut PgConnection,
    id: ConsignmentId,
    found: &[ApplicationId],
) -> Result<Vec<ApplicationId>, Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "UPDATE consignment_item SET received = true WHERE consignment_id = $1 AND application_id = ANY($2) \
         AND received = false RETURNING application_id",
    )
    .bind(id.uuid())
    .bind(uuids(found))
    .fetch_all(&mut *tx)
    .await?;
    sqlx::query("UPDATE consignment SET received = received + $2 WHERE consignment_id = $1")
        .bind(id.uuid())
        .bind(ids.len() as i32)
        .execute(tx)
        .await?;
    Ok(ids.into_iter().map(ApplicationId::from_uuid).collect())
}

/// A box on its way, or counted with something missing.
#[derive(Debug, Clone)]
pub struct OpenConsignment {
    pub consignment: ConsignmentId,
    pub leg: String,
    pub sent_at: OffsetDateTime,
    pub counted: bool,
    /// Items that were not in the box when it was counted.
    pub missing: Vec<ApplicationId>,
}

/// Consignments that are not counted or have missing items, oldest first.
pub async fn open_consignments(conn: &mut PgConnection) -> Result<Vec<OpenConsignment>, Error> {
    let rows = sqlx::query(
        "SELECT c.consignment_id, c.leg, c.sent_at, c.received_at IS NOT NULL AS counted, \
                ARRAY(SELECT i.application_id FROM consignment_item i \
                WHERE i.consignment_id = c.consignment_id \
                      AND i.received = false ORDER BY 1) AS missing \
         FROM consignment c WHERE c.received IS DISTINCT FROM c.size ORDER BY c.sent_at, c.consignment_id",
    )
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let missing: Vec<Uuid> = row.try_get("missing")?;
            Ok(OpenConsignment {
                consignment: ConsignmentId::from_uuid(row.try_get("consignment_id")?),
                leg: row.try_get("leg")?,
                sent_at: row.try_get("sent_at")?,
                counted: row.try_get("counted")?,
                missing: missing.into_iter().map(ApplicationId::from_uuid).collect(),
            })
        })
        .collect()
}

fn uuids(ids: &[ApplicationId]) -> Vec<Uuid> {
    ids.iter().map(|id| id.uuid()).collect()
}
