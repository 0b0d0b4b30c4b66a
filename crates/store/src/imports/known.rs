//! What the register holds already of a chunk's people and numbers.

use std::collections::HashMap;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::Error;
use domain::id::PersonId;

/// What the register holds that a chunk of forms may meet; the caller adds what the chunk's own earlier rows
/// bring.
#[derive(Debug, Default)]
pub struct Known {
    /// Hash of the form behind a registered person.
    pub forms: HashMap<PersonId, [u8; 32]>,
    /// Hash of a form that was taken as another form of a registered person, by its number.
    pub repeats: HashMap<String, [u8; 32]>,
    /// Whoever holds, or held, a personal number: one is never given to a second person.
    pub holders: HashMap<String, PinHolder>,
}

/// Whoever holds, or held, a personal number.
#[derive(Clone)]
pub struct PinHolder {
    pub person_id: PersonId,
    pub form_no: String,
    pub full_name: String,
    pub sex: i16,
    /// yyyymmdd, 00 for an unknown part.
    pub birth: i32,
}

/// A holder's name is personal data.
impl std::fmt::Debug for PinHolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PinHolder").field("person_id", &self.person_id).finish_non_exhaustive()
    }
}

/// Waits until no other import is between asking what the register knows and writing to it; until the
/// transaction ends.
///
/// # Errors
/// Those of the database.
pub async fn lock_register(tx: &mut PgConnection) -> Result<(), Error> {
    crate::platform::db::lock(tx, "lock.import").await
}

/// What the register holds of these people, form numbers and personal numbers.
///
/// # Errors
/// Those of the database; a hash of another length.
pub async fn known(
    tx: &mut PgConnection,
    people: &[PersonId],
    form_nos: &[&str],
    pins: &[&str],
) -> Result<Known, Error> {
    // Ten thousand keys against tables that have just grown from nothing: without statistics the planner
    // would read the whole table for each chunk, which makes an import quadratic. The indices have all the
    // keys that are asked for.
    let by_index =
        "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off";
    sqlx::raw_sql(by_index).execute(&mut *tx).await?;
    Ok(Known {
        forms: known_forms(tx, people).await?,
        repeats: known_repeats(tx, form_nos).await?,
        holders: pin_holders(tx, pins).await?,
    })
}

async fn known_forms(
    tx: &mut PgConnection,
    people: &[PersonId],
) -> Result<HashMap<PersonId, [u8; 32]>, Error> {
    let ids: Vec<Uuid> = people.iter().map(|id| id.uuid()).collect();
    let rows: Vec<(Uuid, Vec<u8>)> =
        sqlx::query_as("SELECT person_id, form_hash FROM person WHERE person_id = ANY($1)")
            .bind(ids)
            .fetch_all(tx)
            .await?;
    let known = |(id, hash): (Uuid, Vec<u8>)| Ok((PersonId::from_uuid(id), sha256("person", &id, hash)?));
    rows.into_iter().map(known).collect()
}

async fn known_repeats(tx: &mut PgConnection, form_nos: &[&str]) -> Result<HashMap<String, [u8; 32]>, Error> {
    // Usually nobody has two forms of one number, and the table is empty.
    if !sqlx::query_scalar("SELECT EXISTS (SELECT FROM import_repeat)").fetch_one(&mut *tx).await? {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, Vec<u8>)> =
        sqlx::query_as("SELECT form_no, form_hash FROM import_repeat WHERE form_no = ANY($1)")
            .bind(form_nos)
            .fetch_all(tx)
            .await?;
    let known = |(form_no, hash): (String, Vec<u8>)| {
        let hash = sha256("import_repeat", &form_no, hash)?;
        Ok((form_no, hash))
    };
    rows.into_iter().map(known).collect()
}

fn sha256(table: &'static str, row: &impl ToString, hash: Vec<u8>) -> Result<[u8; 32], Error> {
    let reason = || "form_hash has not 32 bytes".to_owned();
    hash.try_into().map_err(|_| Error::Inconsistent { table, row: row.to_string(), reason: reason() })
}

async fn pin_holders(tx: &mut PgConnection, pins: &[&str]) -> Result<HashMap<String, PinHolder>, Error> {
    let rows: Vec<(String, Uuid, String, String, i16, i32)> = sqlx::query_as(
        "SELECT pin.pin, person_id, form_no, full_name, sex, birth FROM pin JOIN person USING (person_id) \
         WHERE pin.pin = ANY($1)",
    )
    .bind(pins)
    .fetch_all(tx)
    .await?;
    let holder = |(pin, person_id, form_no, full_name, sex, birth)| {
        let person_id = PersonId::from_uuid(person_id);
        (pin, PinHolder { person_id, form_no, full_name, sex, birth })
    };
    Ok(rows.into_iter().map(holder).collect())
}
