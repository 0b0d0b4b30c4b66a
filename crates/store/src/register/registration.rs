//! New people, as forms bring them.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::platform::change_log::{self, Changed};
use crate::{CopyIn, CopyRow, Error};
use domain::ResidentRecord;
use domain::id::{ImportId, PersonId};
use domain::record::{Place, Relative};

/// A person to be registered.
#[derive(Debug)]
pub struct NewPerson<'a> {
    pub person_id: PersonId,
    pub record: &'a ResidentRecord,
    /// The name in capitals without marks, see `domain::text::fold_ascii`.
    pub name_fold: &'a str,
    pub unit_path: &'a str,
    pub form_no: &'a str,
    pub form_hash: &'a [u8; 32],
}

/// Registers people: their record, version 1 of their history, and the number that their form states.
///
/// # Errors
/// Those of the database; a person or number that is there already violates `person_pkey` or `pin_pkey`.
pub async fn register(
    tx: &mut PgConnection,
    import_id: ImportId,
    actor: &str,
    recorded_at: OffsetDateTime,
    people: &[NewPerson<'_>],
) -> Result<(), Error> {
    if people.is_empty() {
        return Ok(());
    }
    let mut copy = CopyIn::begin(&mut *tx, COPY_PERSON).await?;
    for person in people {
        copy.row(|row| person_row(row, person, import_id, recorded_at)).await?;
    }
    copy.finish().await?;
    let statement = "COPY person_event (person_id, version, kind, at, recorded_at, actor, unit_path) FROM STDIN (FORMAT binary)";
    let mut copy = CopyIn::begin(&mut *tx, statement).await?;
    for person in people {
        copy.row(|row| {
            let row = row.uuid(person.person_id.uuid()).i32(1).text("registered");
            row.timestamptz(recorded_at).timestamptz(recorded_at).text(actor).text(person.unit_path)
        })
        .await?;
    }
    copy.finish().await?;
    let statement = "COPY pin (pin, person_id, source, assigned_at) FROM STDIN (FORMAT binary)";
    let mut copy = CopyIn::begin(&mut *tx, statement).await?;
    for person in people {
        let Some(pin) = &person.record.pin else { continue };
        copy.row(|row| {
            row.text(pin.as_str()).uuid(person.person_id.uuid()).text("form").timestamptz(recorded_at)
        })
        .await?;
    }
    copy.finish().await?;
    let ids: Vec<Uuid> = people.iter().map(|person| person.person_id.uuid()).collect();
    change_log::note(tx, Changed::People, &ids).await
}

const COPY_PERSON: &str = "COPY person (person_id, pin, old_id, full_name, name_fold, sex, birth, ethnicity, religion, \
     nationality, marital, blood, birth_registration, native_place, permanent_unit, permanent_detail, current_unit, \
     current_detail, father_name, father_pin, mother_name, mother_pin, spouse_name, spouse_pin, household, \
     relation_to_head, status, unit_path, form_no, form_hash, import_id, version, recorded_at) \
     FROM STDIN (FORMAT binary)";

fn person_row<'r>(
    row: &'r mut CopyRow,
    person: &NewPerson<'_>,
    import_id: ImportId,
    recorded_at: OffsetDateTime,
) -> &'r mut CopyRow {
    let record = person.record;
    let code = |code: Option<u8>| code.map(i16::from);
    row.uuid(person.person_id.uuid())
        .opt(record.pin.as_ref().map(|pin| pin.as_str()), CopyRow::text)
        .opt(record.old_id.as_ref().map(|id| id.as_str()), CopyRow::text)
        .text(record.name.as_str())
        .text(person.name_fold)
        .i16(record.sex.code())
        .i32(record.birth.packed())
        .i16(record.ethnicity.into())
        .i16(record.religion.into())
        .text(&record.nationality)
        .opt(code(record.marital), CopyRow::i16)
        .opt(record.blood.as_deref(), CopyRow::text)
        .opt(record.birth_registration.map(|unit| unit.to_string()).as_deref(), CopyRow::text)
        .opt(record.native_place.map(|unit| unit.to_string()).as_deref(), CopyRow::text)
        .text(&record.permanent.unit.to_string())
        .text(&record.permanent.detail);
    place(row, record.current.as_ref());
    relative(row, record.father.as_ref());
    relative(row, record.mother.as_ref());
    relative(row, record.spouse.as_ref());
    row.opt(record.household.as_deref(), CopyRow::text)
        .opt(code(record.relation_to_head), CopyRow::i16)
        .i16(1)
        .text(person.unit_path)
        .text(person.form_no)
        .bytea(person.form_hash)
        .uuid(import_id.uuid())
        .i32(1)
        .timestamptz(recorded_at)
}

fn place(row: &mut CopyRow, place: Option<&Place>) {
    match place {
        Some(place) => row.text(&place.unit.to_string()).text(&place.detail),
        None => row.null().null(),
    };
}

fn relative(row: &mut CopyRow, relative: Option<&Relative>) {
    match relative {
        Some(relative) => {
            row.text(relative.name.as_str()).opt(relative.pin.as_ref().map(|pin| pin.as_str()), CopyRow::text)
        }
        None => row.null().null(),
    };
}
