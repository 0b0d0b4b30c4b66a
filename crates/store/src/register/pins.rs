//! Personal numbers: who has one, and whom one is given to.

use std::collections::HashSet;

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Error;
use crate::platform::change_log::{self, Changed};
use domain::Pin;
use domain::id::PersonId;

/// Who holds a PIN at present. Tells nothing but an id: reading the person is subject to the reader's scope.
pub async fn holder_of_pin(conn: &mut PgConnection, pin: &str) -> Result<Option<PersonId>, Error> {
    let id: Option<Uuid> =
        sqlx::query_scalar("SELECT person_id FROM pin WHERE pin = $1 AND ended_at IS NULL")
            .bind(pin)
            .fetch_optional(conn)
            .await?;
    Ok(id.map(PersonId::from_uuid))
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
                          WHERE person.person_id = given.person_id \
                          RETURNING person.person_id, person.version, person.unit_path), \
              told AS (INSERT INTO person_event (person_id, version, kind, at, recorded_at, actor, unit_path) \
                       SELECT person_id, version, 'pin_assigned', $3, $3, 'centre', unit_path FROM changed) \
         SELECT person_id FROM given",
    )
    .bind(pins)
    .bind(people)
    .bind(now)
    .fetch_all(&mut *tx)
    .await?
    .into_iter()
    .collect();
    change_log::note(tx, Changed::People, &given.iter().copied().collect::<Vec<_>>()).await?;
    Ok(wanted.iter().filter(|(person, _)| given.contains(&person.uuid())).copied().collect())
}
