//! A register of invented people, second records of some of them, and applications with invented fingers.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "a helper of tests fails as the test does, and not all need all"
)]

use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use domain::application::{Action, Kind};
use domain::id::{ApplicationId, ImportId, KitId, PersonId};
use domain::text::fold_ascii;
use domain::unit::Units;
use domain::{Actor, PersonName, ResidentRecord};
use fingerprint::Template;
use fingerprint::synthetic::{Condition, person_masters};
use resolve::{FingerSource, Opened};
use simulate::{Model, Population};
use store::applications::{NewApplication, Transition};
use store::register::record::NewPerson;
use store::{Database, PgConnection};

pub const NOW: OffsetDateTime = datetime!(2021-03-01 01:00 UTC);

/// One record of the register and who it truly is of.
pub struct Entry {
    pub person: PersonId,
    pub truth: usize,
    pub record: ResidentRecord,
}

pub fn population(people: usize) -> Population {
    population_of(people, 7)
}

pub fn population_of(people: usize, seed: u64) -> Population {
    Population::generate(&Model::default(), seed, "445".parse().unwrap(), people).unwrap()
}

/// A record of everybody, and of every `nth` (0 for none) a second one without the number, varied in three
/// ways in turn.
pub fn entries(population: &Population, nth: usize) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (truth, person) in population.people.iter().enumerate() {
        let record = population.record(person);
        if nth > 0 && truth % nth == 0 {
            let second = vary(population, truth, record.clone(), truth / nth % 3);
            entries.push(Entry { person: person_id(truth, 2), truth, record: second });
        }
        entries.push(Entry { person: person_id(truth, 1), truth, record });
    }
    entries
}

pub fn person_id(truth: usize, form: u8) -> PersonId {
    PersonId::derive(NOW, &[&(truth as u64).to_be_bytes(), &[form]])
}

/// Respelt; counted again in another commune; or with only the year of birth and without parents.
pub fn vary(population: &Population, truth: usize, mut record: ResidentRecord, how: usize) -> ResidentRecord {
    record.pin = None;
    match how {
        0 => record.name = respelt(&record.name),
        1 => {
            record.permanent.unit = population.communes[truth % population.communes.len()].unit;
            record.permanent.detail = "Thôn 90".to_owned();
        }
        _ => {
            record.birth =
                domain::PartialDate::parse(&record.birth.to_string()[record.birth.to_string().len() - 4..])
                    .unwrap();
            record.old_id = population.people[truth].old_ids[1];
            (record.father, record.mother) = (None, None);
        }
    }
    record
}

/// One word without its marks.
pub fn respelt(name: &PersonName) -> PersonName {
    let words: Vec<&str> = name.as_str().split(' ').collect();
    let marked = words.iter().rposition(|word| fold_ascii(word) != word.to_uppercase());
    let words: Vec<String> = words
        .iter()
        .enumerate()
        .map(|(at, word)| if Some(at) == marked { fold_ascii(word) } else { (*word).to_owned() })
        .collect();
    PersonName::parse(&words.join(" ")).unwrap()
}

pub async fn register(db: &Database, entries: &[Entry]) {
    let mut tx = db.begin().await.unwrap();
    register_in(&mut tx, entries).await;
    store::commit(tx).await.unwrap();
}

pub async fn register_in(tx: &mut PgConnection, entries: &[Entry]) {
    let rows: Vec<(String, String, String)> = entries
        .iter()
        .map(|entry| {
            let path = Units::latest().path(entry.record.permanent.unit).unwrap();
            (path, entry.person.to_string(), fold_ascii(entry.record.name.as_str()))
        })
        .collect();
    let people: Vec<NewPerson<'_>> = entries
        .iter()
        .zip(&rows)
        .map(|(entry, (path, form, fold))| NewPerson {
            person_id: entry.person,
            record: &entry.record,
            name_fold: fold,
            unit_path: path,
            form_no: form,
            form_hash: &[0; 32],
        })
        .collect();
    let import = ImportId::derive(NOW, &[b"test"]);
    let outcome = store::register::register(tx, import, &Actor::Centre, NOW, &people).await.unwrap();
    assert_eq!(outcome.registered, people.len());
}

/// An application to be sent in.
#[derive(Clone)]
pub struct Sent {
    pub application: ApplicationId,
    pub record: ResidentRecord,
    pub claimed: Option<PersonId>,
    /// Whose fingers, and which capture of them.
    pub fingers: (usize, u64),
    pub kind: Kind,
}

pub fn application_id(number: u64) -> ApplicationId {
    ApplicationId::derive(NOW, &[b"application", &number.to_be_bytes()])
}

/// Captured one second after the other.
pub async fn send(db: &Database, first: u64, sent: &[Sent]) {
    let new: Vec<NewApplication> = sent
        .iter()
        .enumerate()
        .map(|(at, s)| NewApplication {
            application_id: s.application,
            kit_id: KitId::derive(NOW, &[b"kit"]),
            kind: s.kind,
            unit: s.record.permanent.unit,
            unit_path: Units::latest().path(s.record.permanent.unit).unwrap(),
            captured_at: NOW + Duration::seconds((first + at as u64) as i64),
            kit_clock_at: None,
            actor: Actor::Kit(KitId::derive(NOW, &[b"kit"])),
        })
        .collect();
    let mut tx = db.begin().await.unwrap();
    store::applications::create(&mut tx, NOW, &new).await.unwrap();
    let received: Vec<Transition> = sent
        .iter()
        .map(|s| Transition {
            application_id: s.application,
            action: Action::Receive,
            at: NOW,
            actor: Actor::Centre,
            reference: None,
            detail: None,
        })
        .collect();
    store::applications::record(&mut tx, NOW, &received).await.unwrap();
    sqlx::query(
        "WITH n AS (SELECT * FROM unnest($1::uuid[], $2::jsonb[], $3::uuid[]) AS n (id, record, claimed)), \
              c AS (UPDATE application a SET claimed_person_id = n.claimed FROM n \
              WHERE a.application_id = n.id) \
         INSERT INTO application_record (application_id, record, differs) SELECT id, record, '{}' FROM n",
    )
    .bind(sent.iter().map(|s| s.application.uuid()).collect::<Vec<_>>())
    .bind(sent.iter().map(|s| serde_json::to_value(&s.record).unwrap()).collect::<Vec<_>>())
    .bind(sent.iter().map(|s| s.claimed.map(PersonId::uuid)).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await
    .unwrap();
    store::commit(tx).await.unwrap();
}

pub fn fingers((person, capture): (usize, u64)) -> Vec<Template> {
    let masters = person_masters(person as u64 + 1);
    masters.iter().map(|master| master.impression(capture, Condition::Station)).collect()
}

/// An application with these fingers and no others.
pub fn opened_with(application_id: ApplicationId, templates: Vec<Template>) -> Opened {
    Opened { application_id, templates, absent: Vec::new() }
}

pub fn open(sent: &[Sent]) -> Vec<Opened> {
    sent.par_iter().map(|s| opened_with(s.application, fingers(s.fingers))).collect()
}

/// Outcome, person and kind of case by application.
pub async fn outcomes(db: &Database) -> HashMap<ApplicationId, (String, Option<PersonId>, Option<String>)> {
    let rows: Vec<(uuid::Uuid, String, Option<uuid::Uuid>, Option<String>)> = sqlx::query_as(
        "SELECT r.application_id, r.outcome, r.person_id, c.kind FROM resolution r \
         LEFT JOIN case_file c USING (application_id)",
    )
    .fetch_all(db.work())
    .await
    .unwrap();
    rows.into_iter()
        .map(|(id, outcome, person, kind)| {
            (ApplicationId::from_uuid(id), (outcome, person.map(PersonId::from_uuid), kind))
        })
        .collect()
}

/// The fingers of all that is sent, as the packets have them.
pub struct SentFingers(pub HashMap<ApplicationId, (usize, u64)>);

impl SentFingers {
    pub fn of(sent: &[Sent]) -> Arc<SentFingers> {
        Arc::new(SentFingers(sent.iter().map(|s| (s.application, s.fingers)).collect()))
    }
}

impl FingerSource for SentFingers {
    fn fingers(&self, applications: Vec<ApplicationId>) -> resolve::Fingers<'_> {
        Box::pin(async move {
            let known = applications.into_iter().filter_map(|id| Some((id, *self.0.get(&id)?)));
            let open = |(application, whose)| opened_with(application, fingers(whose));
            Ok(known.map(open).collect())
        })
    }
}
