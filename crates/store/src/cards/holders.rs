//! The cards that somebody has or will have, whatever record they were made for.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::Error;
use crate::register::uuids;
use domain::card::CardState;
use domain::id::{CardId, PersonId};

/// A card that is in somebody's hand or on its way there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldCard {
    pub card_id: CardId,
    pub state: CardState,
    /// The code of the reason for which it is suspended.
    pub suspended_for: Option<String>,
}

/// The cards of whoever has one of these records: in production, active and suspended, by id.
///
/// # Errors
/// Those of the database; an unknown state in the table.
pub async fn of_people(conn: &mut PgConnection, records: &[PersonId]) -> Result<Vec<HeldCard>, Error> {
    // Two halves, because two indexes have them.
    let rows: Vec<(Uuid, String, Option<String>)> = sqlx::query_as(
        "SELECT c.card_id, c.state, NULL::text FROM card c \
         WHERE c.person_id = ANY($1) AND c.state IN ('intended', 'signed', 'personalised') \
         UNION ALL \
         SELECT c.card_id, c.state, \
                (SELECT a.reason FROM card_action a WHERE a.application_id = c.application_id \
                   AND a.card_id = c.card_id AND a.seq = c.actions AND a.action = 'suspend') \
         FROM card c WHERE c.person_id = ANY($1) AND c.state IN ('active', 'suspended') \
         ORDER BY 1",
    )
    .bind(uuids(records))
    .fetch_all(conn)
    .await?;
    let held = |(card, state, suspended_for): (Uuid, String, Option<String>)| {
        let card_id = CardId::from_uuid(card);
        Ok(HeldCard { card_id, state: super::state(card_id, &state)?, suspended_for })
    };
    rows.into_iter().map(held).collect()
}
