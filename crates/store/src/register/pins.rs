//! Personal numbers: who has one, and whom one is given to.

use std::collections::HashMap;

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::record::{CivilEvent, Happening, Refused, record};
use crate::Error;
use domain::clock::day_in_vietnam;
use domain::id::{EventId, PersonId};
use domain::person::{Event, Origin};
use domain::{Actor, PartialDate, Pin};

/// Who holds a PIN at present. Tells nothing but an id: reading the person is subject to the reader's scope.
pub async fn holder_of_pin(conn: &mut PgConnection, pin: &str) -> Result<Option<PersonId>, Error> {
    let id: Option<Uuid> =
        sqlx::query_scalar("SELECT person_id FROM pin WHERE pin = $1 AND ended_at IS NULL")
            .bind(pin)
            .fetch_optional(conn)
            .await?;
    Ok(id.map(PersonId::from_uuid))
}

/// What came of giving out numbers.
#[derive(Debug, Default)]
pub struct Allocated {
    /// Who got the wanted number.
    pub given: Vec<(PersonId, Pin)>,
    /// Who cannot get any, whichever it is.
    pub refused: Vec<(PersonId, Refused)>,
}

/// Gives each person the wanted number where it is free; whoever is in neither list of the answer wanted one
/// that is taken.
///
/// # Errors
/// Those of the database.
pub async fn allocate_pins(
    tx: &mut PgConnection,
    wanted: &[(PersonId, Pin)],
    now: OffsetDateTime,
) -> Result<Allocated, Error> {
    let today = PartialDate::from_date(day_in_vietnam(now));
    let event = |&(person, pin): &(PersonId, Pin)| CivilEvent {
        event_id: EventId::derive(now, &[person.uuid().as_bytes(), pin.as_str().as_bytes()]),
        what: Happening::People(vec![(person, Event::PinAssigned { pin, origin: Origin::Allocated })]),
        legal_on: today,
        document_id: None,
        case_id: None,
        actor: Actor::Centre,
    };
    let events: Vec<CivilEvent> = wanted.iter().map(event).collect();
    let refused: HashMap<EventId, Refused> = record(tx, now, &events).await?.refused.into_iter().collect();
    let mut allocated = Allocated::default();
    for (&(person, pin), event) in wanted.iter().zip(&events) {
        match refused.get(&event.event_id) {
            None => allocated.given.push((person, pin)),
            Some(Refused::NumberTaken) => {}
            Some(refused) => allocated.refused.push((person, refused.clone())),
        }
    }
    Ok(allocated)
}
