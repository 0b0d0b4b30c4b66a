//! A district with residents whose applications are accepted.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::sync::Arc;

use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use time::OffsetDateTime;
use time::macros::datetime;

use card::lds::dg3::{Finger, FingerImage};
use domain::application::{Action, Kind};
use domain::id::{ApplicationId, ImportId, KitId, PersonId};
use domain::record::Place;
use domain::unit::Units;
use domain::{Actor, PartialDate, PersonName, Pin, ResidentRecord, Sex, UnitCode};
use hsm::SoftwareSigner;
use issue::{Authority, ChipImages, Fingers, Photos};
use store::applications::{self, NewApplication, Transition};
use store::register::record::NewPerson;
use store::{Database, UnitScope};

pub const NOW: OffsetDateTime = datetime!(2021-03-20 08:00 +7);
pub const DISTRICT: &str = "445";

#[derive(Debug, Clone, Copy)]
pub struct Applicant {
    pub person: PersonId,
    pub application: ApplicationId,
}

pub fn scope() -> UnitScope {
    let district: UnitCode = DISTRICT.parse().unwrap();
    UnitScope::parse(&Units::latest().path(district).unwrap()).unwrap()
}

pub fn commune() -> UnitCode {
    Units::latest().leaves_of(DISTRICT.parse().unwrap())[0]
}

pub fn record(sex: Sex, birth: &str) -> ResidentRecord {
    ResidentRecord {
        name: PersonName::parse("Nguyễn Thị Mẫu").unwrap(),
        sex,
        birth: PartialDate::parse(birth).unwrap(),
        pin: None,
        old_id: None,
        ethnicity: 1,
        religion: 0,
        nationality: "VNM".to_owned(),
        marital: None,
        blood: None,
        birth_registration: Some(commune()),
        native_place: Some(commune()),
        permanent: Place { unit: commune(), detail: "Thôn Một".to_owned() },
        current: None,
        father: None,
        mother: None,
        spouse: None,
        household: None,
        relation_to_head: None,
    }
}

/// Registers the people as an import does, so that thousands of them cost little.
pub async fn register(db: &Database, first: u32, people: &[(ResidentRecord, Option<Pin>)]) -> Vec<Applicant> {
    let applicants: Vec<Applicant> = (0..people.len() as u32)
        .map(|n| Applicant {
            person: PersonId::derive(NOW, &[&(first + n).to_be_bytes()]),
            application: ApplicationId::derive(NOW, &[&(first + n).to_be_bytes()]),
        })
        .collect();
    let path = Units::latest().path(commune()).unwrap();
    let records: Vec<(ResidentRecord, String)> = people
        .iter()
        .zip(&applicants)
        .map(|((record, pin), applicant)| {
            (ResidentRecord { pin: *pin, ..record.clone() }, applicant.person.to_string())
        })
        .collect();
    let new: Vec<NewPerson<'_>> = records
        .iter()
        .zip(&applicants)
        .map(|((record, form_no), applicant)| NewPerson {
            person_id: applicant.person,
            record,
            name_fold: "NGUYEN THI MAU",
            unit_path: &path,
            form_no,
            form_hash: &[0; 32],
        })
        .collect();
    let mut tx = db.begin().await.unwrap();
    let file = ImportId::derive(NOW, &[b"test"]);
    let outcome = store::register::register(&mut tx, file, &Actor::Centre, NOW, &new).await.unwrap();
    assert_eq!(outcome.registered, people.len());
    store::commit(tx).await.unwrap();
    accept(db, &applicants, Kind::New, people.iter().map(|(record, _)| record)).await;
    applicants
}

/// Captures, receives and accepts an application for each.
pub async fn accept(
    db: &Database,
    applicants: &[Applicant],
    kind: Kind,
    records: impl Iterator<Item = &ResidentRecord>,
) {
    let path = Units::latest().path(commune()).unwrap();
    let actor = Actor::Kit(KitId::derive(NOW, &[b"kit"]));
    let new: Vec<NewApplication> = applicants
        .iter()
        .map(|a| NewApplication {
            application_id: a.application,
            kit_id: KitId::derive(NOW, &[b"kit"]),
            kind,
            unit: commune(),
            unit_path: path.clone(),
            captured_at: NOW,
            kit_clock_at: None,
            actor: actor.clone(),
        })
        .collect();
    let transitions: Vec<Transition> = applicants
        .iter()
        .flat_map(|a| {
            [Action::Receive, Action::Accept].map(|action| Transition {
                application_id: a.application,
                action,
                at: NOW,
                actor: actor.clone(),
                reference: None,
                detail: None,
            })
        })
        .collect();
    let mut tx = db.begin().await.unwrap();
    assert_eq!(applications::create(&mut tx, NOW, &new).await.unwrap(), new.len());
    assert!(applications::record(&mut tx, NOW, &transitions).await.unwrap().refused.is_empty());
    let ids: Vec<_> = applicants.iter().map(|a| a.application.uuid()).collect();
    sqlx::query(
        "INSERT INTO application_record (application_id, record, differs) \
         SELECT id, record, '{}' FROM unnest($1::uuid[], $2::jsonb[]) AS t (id, record)",
    )
    .bind(&ids)
    .bind(records.map(|record| serde_json::to_value(record).unwrap()).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await
    .unwrap();
    sqlx::query(
        "UPDATE application a SET person_id = t.person FROM unnest($1::uuid[], $2::uuid[]) AS t (id, person) \
         WHERE a.application_id = t.id",
    )
    .bind(&ids)
    .bind(applicants.iter().map(|a| a.person.uuid()).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await
    .unwrap();
    store::commit(tx).await.unwrap();
}

pub fn keys() -> (SoftwareSigner, Arc<SoftwareSigner>) {
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    (SoftwareSigner::generate(&mut rng), Arc::new(SoftwareSigner::generate(&mut rng)))
}

pub async fn authority(db: &Database) -> Arc<Authority> {
    let (csca, signer) = keys();
    let mut serial = 0u8;
    let draw = || {
        serial += 1;
        [serial; 16]
    };
    Arc::new(Authority::establish(db, pki::Suite::ALL[0], &csca, signer, draw, NOW).await.unwrap())
}

/// The headers of a JPEG of 240 × 320, which is all that a face record looks at, made this long.
pub fn photo(bytes: usize) -> Vec<u8> {
    let mut jpeg = vec![0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8, 1, 64, 0, 240, 1, 1, 0x11, 0, 0xFF, 0xDA];
    jpeg.resize(bytes.max(40), 0x55);
    jpeg.extend([0xFF, 0xD9]);
    jpeg
}

/// A photo of this length and the two index fingers.
pub fn images(bytes: usize) -> ChipImages {
    let finger = |finger, length: u8| {
        let size = [0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8, 1, 0, 0, 192, 1, 1, 0x11, 0, 0xFF, 0xDA, length];
        let jpeg = [&size[..], &vec![0x55; usize::from(length)], &[0xFF, 0xD9]].concat();
        FingerImage::jpeg(finger, jpeg).unwrap()
    };
    let fingers = vec![finger(Finger::RightIndex, 50), finger(Finger::LeftIndex, 60)];
    ChipImages { photo: photo(bytes), fingers: Fingers::Taken(fingers) }
}

pub fn photos(applicants: &[Applicant]) -> Arc<Photos> {
    Arc::new(applicants.iter().map(|a| (a.application, images(100))).collect())
}

pub fn serial(box_number: i64, position: u32) -> chip::ChipSerial {
    chip::ChipSerial::parse(&format!("47905555{box_number:04X}00000000")).unwrap().plus(position).unwrap()
}

/// Receives a box of blanks that a machine of its own writes.
pub async fn receive(db: &Database, number: i64, count: u32) {
    receive_with(db, number, count, None).await;
}

pub async fn receive_with(db: &Database, number: i64, count: u32, wrapped_key: Option<Vec<u8>>) {
    let serials = (0..count).map(|position| serial(number, position)).collect();
    let delivery = issue::Delivery { number, serials, wrapped_key };
    issue::receive_box(db, &delivery, &Actor::Centre, NOW).await.unwrap();
}

/// Blanks that must be in the store.
pub async fn expected(db: &Database) -> i64 {
    let mut conn = db.begin().await.unwrap();
    store::cards::stock::totals(&mut conn).await.unwrap().expected()
}

pub async fn state(db: &Database, application: ApplicationId) -> &'static str {
    let mut conn = db.work().acquire().await.unwrap();
    applications::find(&mut conn, application).await.unwrap().unwrap().state.code()
}

pub async fn count(db: &Database, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(db.work()).await.unwrap()
}
