//! New people, as forms bring them, by COPY.

use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Refused;
use crate::platform::change_log;
use crate::platform::copy::{Staged, staged};
use crate::{CopyIn, CopyRow, Error};
use domain::clock::day_in_vietnam;
use domain::id::{ImportId, PersonId};
use domain::person::{Kind, Origin, Refusal, Status};
use domain::record::{Place, Relative};
use domain::{Actor, PartialDate, ResidentRecord};

/// A person to be registered.
#[derive(Debug)]
pub struct NewPerson<'a> {
    /// The internal key.
    pub person_id: PersonId,
    /// As the form says.
    pub record: &'a ResidentRecord,
    /// The name in capitals without marks, see `domain::text::fold_ascii`.
    pub name_fold: &'a str,
    /// Where the person is seen from: the path of the permanent residence.
    pub unit_path: &'a str,
    /// The number of the form.
    pub form_no: &'a str,
    /// SHA-256 of the form's fields.
    pub form_hash: &'a [u8; 32],
}

/// What came of a list of new people.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Registered {
    /// People who were registered now.
    pub registered: usize,
    /// People who were registered before from the same form: to the sender they are as good as registered.
    pub repeated: usize,
    /// In the order of the list. Nothing was written for them.
    pub refused: Vec<(PersonId, Refused)>,
}

/// Registers people: their record, version 1 of their history, and the number that their form states. The
/// file is the event that registers all of its people. Whoever is there already from another form, or has a
/// number that is or was somebody's, is refused.
///
/// # Errors
/// Those of the database; a person or number that somebody else writes at the same instant violates
/// `person_pkey` or `pin_pkey`: the transaction can be done again.
pub async fn register(
    tx: &mut PgConnection,
    import_id: ImportId,
    actor: &Actor,
    recorded_at: OffsetDateTime,
    people: &[NewPerson<'_>],
) -> Result<Registered, Error> {
    let (people, outcome) = judge(tx, people).await?;
    if people.is_empty() {
        return Ok(outcome);
    }
    let actor = actor.to_string();
    let legal_on = PartialDate::from_date(day_in_vietnam(recorded_at)).packed();
    sqlx::query(
        "INSERT INTO civil_event (event_id, kind, legal_on, unit_path, actor, recorded_at) \
         VALUES ($1, $2, $3, '', $4, $5) ON CONFLICT (event_id) DO NOTHING",
    )
    .bind(import_id.uuid())
    .bind(Kind::Registered.code())
    .bind(legal_on)
    .bind(&actor)
    .bind(recorded_at)
    .execute(&mut *tx)
    .await?;
    let mut copy = PERSON.begin(&mut *tx).await?;
    for person in &people {
        copy.row(|row| person_row(row, person, import_id, recorded_at)).await?;
    }
    copy.finish().await?;
    PERSON.end(&mut *tx).await?;
    let mut copy = EVENT.begin(&mut *tx).await?;
    for person in &people {
        copy.row(|row| {
            let row = row.uuid(person.person_id.uuid()).i32(1).text(Kind::Registered.code());
            let row = row.uuid(import_id.uuid()).i32(legal_on);
            row.timestamptz(recorded_at).timestamptz(recorded_at).text(&actor).text(person.unit_path)
        })
        .await?;
    }
    copy.finish().await?;
    EVENT.end(&mut *tx).await?;
    let statement = "COPY pin (pin, person_id, source, assigned_at) FROM STDIN (FORMAT binary)";
    let mut copy = CopyIn::begin(&mut *tx, statement).await?;
    for person in &people {
        let Some(pin) = &person.record.pin else { continue };
        copy.row(|row| {
            let row = row.text(pin.as_str()).uuid(person.person_id.uuid());
            row.text(Origin::Form.code()).timestamptz(recorded_at)
        })
        .await?;
    }
    copy.finish().await?;
    let ids: Vec<Uuid> = people.iter().map(|person| person.person_id.uuid()).collect();
    change_log::note(tx, change_log::Changed::People, &ids).await?;
    Ok(outcome)
}

/// Parts who can be registered from who cannot.
async fn judge<'p, 'a>(
    tx: &mut PgConnection,
    people: &'p [NewPerson<'a>],
) -> Result<(Vec<&'p NewPerson<'a>>, Registered), Error> {
    let mut outcome = Registered::default();
    if people.is_empty() {
        return Ok((Vec::new(), outcome));
    }
    let ids: Vec<Uuid> = people.iter().map(|person| person.person_id.uuid()).collect();
    let rows: Vec<(Uuid, Vec<u8>)> =
        sqlx::query_as("SELECT person_id, form_hash FROM person WHERE person_id = ANY($1)")
            .bind(ids)
            .fetch_all(&mut *tx)
            .await?;
    let mut forms: HashMap<Uuid, Vec<u8>> = rows.into_iter().collect();
    let pins: Vec<&str> =
        people.iter().filter_map(|person| person.record.pin.as_ref()).map(|pin| pin.as_str()).collect();
    let taken: Vec<String> =
        sqlx::query_scalar("SELECT pin FROM pin WHERE pin = ANY($1)").bind(pins).fetch_all(tx).await?;
    let mut taken: HashSet<String> = taken.into_iter().collect();
    let mut new = Vec::with_capacity(people.len());
    for person in people {
        match forms.get(&person.person_id.uuid()) {
            Some(hash) if hash.as_slice() == person.form_hash => outcome.repeated += 1,
            Some(_) => outcome.refused.push((person.person_id, Refusal::AlreadyRegistered.into())),
            None if person.record.pin.is_some_and(|pin| !taken.insert(pin.as_str().to_owned())) => {
                outcome.refused.push((person.person_id, Refused::NumberTaken));
            }
            None => {
                forms.insert(person.person_id.uuid(), person.form_hash.to_vec());
                new.push(person);
            }
        }
    }
    outcome.registered = new.len();
    Ok((new, outcome))
}

const EVENT: Staged = staged!(
    "person_event",
    "person_id, version, kind, event_id, legal_on, at, recorded_at, actor, unit_path"
);

const PERSON: Staged = staged!(
    "person",
    "person_id, pin, old_id, full_name, name_fold, sex, birth, ethnicity, religion, nationality, marital, \
     blood, birth_registration, native_place, permanent_unit, permanent_detail, current_unit, \
     current_detail, father_name, father_pin, mother_name, mother_pin, spouse_name, spouse_pin, household, \
     relation_to_head, status, unit_path, form_no, form_hash, import_id, version, recorded_at"
);

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
        .i16(Status::Alive.code())
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
