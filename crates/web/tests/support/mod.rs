//! A small synthetic district in the database, and the site in front of it, for tests and for the preview.
//!
//! Rows are written as SQL here because the stages that write them in earnest lie beyond this crate.

#![allow(clippy::unwrap_used, reason = "a failed step of a test's set-up is the test's failure")]

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use domain::application::{Action, State};
use domain::clock::VirtualClock;
use domain::id::{ApplicationId, BatchId, CardId, CaseId, ConsignmentId, ImportId, KitId, PersonId, SlotId};
use domain::record::{Place, Relative};
use domain::unit::UnitTable;
use domain::{OldId, PartialDate, PersonName, Pin as PersonalNumber, ResidentRecord, Sex, UnitCode};
use rand::SeedableRng;
use rand::rngs::StdRng;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use store::Database;
use time::macros::{date, datetime};
use time::{Date, Duration, OffsetDateTime};
use uuid::Uuid;
use web::{
    AppState, CaseDecision, CaseDesk, CaseOutcome, CaseRefusal, KitAnswer, KitDesk, Parts, PhotoSource,
    Settings,
};

/// Thạch Hà.
pub const DISTRICT: &str = "445";
/// The campaign's present: 20 April 2021, ten in the morning.
pub const NOW: OffsetDateTime = datetime!(2021-04-20 03:00 UTC);
pub const TODAY: Date = date!(2021 - 04 - 20);
/// Real time of the tests.
pub const WALL: OffsetDateTime = datetime!(2026-01-15 01:00 UTC);

/// What was written, for a test to ask for.
pub struct Seeded {
    /// One person in each commune, in the order of the communes.
    pub people: Vec<PersonId>,
    pub applications: Vec<ApplicationId>,
    pub cards: Vec<CardId>,
    pub cases: Vec<CaseId>,
    pub import: ImportId,
}

/// A receipt code as it is printed.
pub const RECEIPT: &str = "7K3M-2QX9-0000-ABCD";

const SURNAMES: [&str; 8] = ["Nguyễn", "Trần", "Lê", "Phạm", "Võ", "Đặng", "Bùi", "Hồ"];
const MIDDLES: [&str; 6] = ["Văn", "Thị", "Đức", "Ngọc", "Quang", "Thanh"];
const GIVEN: [&str; 12] =
    ["An", "Bình", "Cường", "Dung", "Hạnh", "Hòa", "Khánh", "Lan", "Minh", "Phúc", "Thảo", "Yến"];

/// How far every seventeenth application has come.
const STATES: [State; 17] = [
    State::HandedOver,
    State::HandedOver,
    State::HandedOver,
    State::AtUnit,
    State::HandedOver,
    State::ToUnit,
    State::AtDistrict,
    State::Printed,
    State::Batched,
    State::HandedOver,
    State::Accepted,
    State::ToDistrict,
    State::InCase,
    State::Received,
    State::Rejected,
    State::AtUnit,
    State::Captured,
];

fn way_to(state: State) -> Vec<Action> {
    use Action as A;
    let way = [
        A::Capture,
        A::Receive,
        A::Accept,
        A::Batch,
        A::Print,
        A::Dispatch,
        A::DistrictReceive,
        A::Forward,
        A::UnitReceive,
        A::HandOver,
    ];
    let steps = match state {
        State::Captured => 1,
        State::Received => 2,
        State::InCase => return vec![A::Capture, A::Receive, A::OpenCase],
        State::Rejected => return vec![A::Capture, A::Receive, A::OpenCase, A::Reject],
        State::Accepted => 3,
        State::Batched => 4,
        State::Printed => 5,
        State::ToDistrict => 6,
        State::AtDistrict => 7,
        State::ToUnit => 8,
        State::AtUnit => 9,
        State::HandedOver => 10,
    };
    way[..steps].to_vec()
}

/// Writes `per_commune` people into each commune of the district, and what belongs to them. With `gap`, one
/// application lacks its packet, so that the ledger has a difference to show.
pub async fn seed(db: &Database, per_commune: usize, gap: bool) -> Seeded {
    let units = UnitTable::official_2021();
    let district: UnitCode = DISTRICT.parse().unwrap();
    let communes = units.leaves_of(district);
    let mut seeded = Seeded {
        people: Vec::new(),
        applications: Vec::new(),
        cards: Vec::new(),
        cases: Vec::new(),
        import: ImportId::derive(NOW, &[b"file"]),
    };
    let mut tx = db.begin().await.unwrap();
    frame(&mut tx, &communes, per_commune, seeded.import).await;
    let kit = KitId::derive(NOW, &[b"kit"]);
    let mut number = 0usize;
    for &commune in &communes {
        let path = units.path(commune).unwrap();
        for index in 0..per_commune {
            let record = record(number, commune);
            let person = PersonId::derive(NOW, &[b"person", &number.to_be_bytes()]);
            insert_person(&mut tx, person, &record, &path, number).await;
            if index == 0 {
                seeded.people.push(person);
            }
            // Some people have not come yet, more of them in some communes than in others.
            if (number * 7 + commune.number() as usize) % 10 < 7 {
                let one = One {
                    number,
                    person,
                    record: &record,
                    commune,
                    path: &path,
                    kit,
                    gap: gap && number == 3,
                };
                application(&mut tx, &one, &mut seeded).await;
            }
            number += 1;
        }
    }
    tx.commit().await.unwrap();
    seeded
}

fn record(number: usize, commune: UnitCode) -> ResidentRecord {
    let pick = |list: &[&'static str], factor: usize| list[(number * factor + number / 7) % list.len()];
    let sex = if number.is_multiple_of(2) { Sex::Male } else { Sex::Female };
    let middle = if sex == Sex::Female { "Thị" } else { pick(&MIDDLES, 5) };
    let name = match number {
        // A name that would leave the page's text, if it could.
        1 => "O'Hara Thị Lan".to_owned(),
        _ => format!("{} {middle} {}", pick(&SURNAMES, 3), pick(&GIVEN, 11)),
    };
    let year = 1940 + (number * 13 % 66) as i16;
    let day = (1 + number % 28) as u8;
    let birth = match number % 9 {
        0 => PartialDate::new(year, None, None),
        _ => PartialDate::new(year, Some(1 + (number % 12) as u8), Some(day)),
    };
    let relative = |factor: usize, middle: &str| {
        let name = format!("{} {middle} {}", pick(&SURNAMES, 3), pick(&GIVEN, factor));
        Some(Relative { name: PersonName::parse(&name).unwrap(), pin: None })
    };
    let pin =
        (!number.is_multiple_of(8)).then(|| PersonalNumber::compose(42, sex, year, number as u32).unwrap());
    let place = |detail: &str| Place { unit: commune, detail: detail.to_owned() };
    ResidentRecord {
        name: PersonName::parse(&name).unwrap(),
        sex,
        birth: birth.unwrap(),
        pin,
        old_id: (number.is_multiple_of(3)).then(|| OldId::parse(&format!("18{number:07}")).unwrap()),
        ethnicity: 1,
        religion: 0,
        nationality: "VNM".to_owned(),
        marital: Some(2),
        blood: None,
        birth_registration: Some(commune),
        native_place: Some(commune),
        permanent: place(&format!("Thôn {}", 1 + number % 9)),
        current: None,
        father: relative(5, "Văn"),
        mother: relative(7, "Thị"),
        spouse: None,
        household: Some(format!("{:05}", number / 4)),
        relation_to_head: Some(if number.is_multiple_of(4) { 1 } else { 3 }),
    }
}

/// Units' areas, target, kit, slots and an imported file with a refused form.
async fn frame(tx: &mut PgConnection, communes: &[UnitCode], per_commune: usize, import: ImportId) {
    let units = UnitTable::official_2021();
    let kit = KitId::derive(NOW, &[b"kit"]).uuid();
    let people = (communes.len() * per_commune) as i64;
    sqlx::query("INSERT INTO target (unit_code, name, amount, kind, starts_on, deadline, source) VALUES ($1, 'chip', $2, 'floor', $3, $4, 'synthetic')")
        .bind(DISTRICT)
        .bind(people)
        .bind(date!(2021 - 03 - 01))
        .bind(date!(2021 - 05 - 10))
        .execute(&mut *tx)
        .await
        .unwrap();
    sqlx::query("INSERT INTO kit (kit_id, name, unit_code, public_key, registered_at) VALUES ($1, 'Máy 1', $2, $3, $4)")
        .bind(kit)
        .bind(DISTRICT)
        .bind(vec![4u8; 65])
        .bind(NOW)
        .execute(&mut *tx)
        .await
        .unwrap();
    for (index, commune) in communes.iter().enumerate() {
        let path = units.path(*commune).unwrap();
        sqlx::query("INSERT INTO area (unit_code, unit_path, residents, eligible, eligible_on, quota) VALUES ($1, $2, $3, $3, $4, $3)")
            .bind(commune.to_string())
            .bind(&path)
            .bind(per_commune as i64)
            .bind(TODAY)
            .execute(&mut *tx)
            .await
            .unwrap();
        for shift in 1..=2i16 {
            let starts = datetime!(2021-04-19 23:00 UTC)
                + Duration::minutes(index as i64 * 90 + i64::from(shift) * 45);
            sqlx::query("INSERT INTO slot (slot_id, kit_id, unit_code, unit_path, site, day, shift, starts_at, minutes, capacity, round) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 45, 40, 1)")
                .bind(SlotId::derive(NOW, &[&index.to_be_bytes(), &shift.to_be_bytes()]).uuid())
                .bind(kit)
                .bind(commune.to_string())
                .bind(&path)
                .bind(format!("Nhà văn hóa {}", units.current(*commune).unwrap().full_name()))
                .bind(TODAY)
                .bind(shift)
                .bind(starts)
                .execute(&mut *tx)
                .await
                .unwrap();
        }
    }
    sqlx::query("INSERT INTO import_file (import_id, name, format, sha256, bytes_total, bytes_done, rows_read, rows_accepted, rows_repeated, rows_rejected, started_at, finished_at) VALUES ($1, 'dc01-445.csv', 'csv', $2, 100, 100, 620, 611, 2, 7, $3, $3)")
        .bind(import.uuid())
        .bind(vec![1u8; 32])
        .bind(NOW)
        .execute(&mut *tx)
        .await
        .unwrap();
    let rejects = [
        (17, "18562", "NGUYỄN <b>VĂN</b> AN"),
        (44, "18565", "TRẦN THỊ BA"),
        (91, "00001", "PERSON OF HANOI"),
        (93, "9999", "NOBODY KNOWS WHERE"),
    ];
    for (row, unit, name) in rejects {
        sqlx::query("INSERT INTO import_reject (import_id, row_no, form_no, errors, raw) VALUES ($1, $2, $3, $4, $5)")
            .bind(import.uuid())
            .bind(i64::from(row))
            .bind(format!("DC01-{row:05}"))
            .bind(serde_json::json!([
                {"field": "birth_date", "code": "bad_date", "message": "there is no 30/02/1990"},
                {"field": "ethnicity", "code": "unknown_code", "message": "mã 77 không có trong danh mục dân tộc"},
            ]))
            .bind(serde_json::json!({"permanent_unit": unit, "full_name": name}))
            .execute(&mut *tx)
            .await
            .unwrap();
    }
}

async fn insert_person(tx: &mut PgConnection, id: PersonId, r: &ResidentRecord, path: &str, number: usize) {
    sqlx::query(
        "INSERT INTO person (person_id, pin, old_id, full_name, name_fold, sex, birth, ethnicity, religion, nationality, marital, \
           birth_registration, native_place, permanent_unit, permanent_detail, father_name, mother_name, household, relation_to_head, \
           unit_path, form_no, form_hash, import_id, recorded_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 1, 0, 'VNM', 2, $8, $8, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
    )
    .bind(id.uuid())
    .bind(r.pin.as_ref().map(|pin| pin.as_str().to_owned()))
    .bind(r.old_id.as_ref().map(|id| id.as_str().to_owned()))
    .bind(r.name.as_str())
    .bind(domain::text::fold_ascii(r.name.as_str()))
    .bind(r.sex.code())
    .bind(r.birth.packed())
    .bind(r.permanent.unit.to_string())
    .bind(&r.permanent.detail)
    .bind(r.father.as_ref().map(|f| f.name.as_str().to_owned()))
    .bind(r.mother.as_ref().map(|m| m.name.as_str().to_owned()))
    .bind(r.household.as_deref())
    .bind(r.relation_to_head.map(i16::from))
    .bind(path)
    .bind(format!("DC01-{number:06}"))
    .bind(vec![0u8; 32])
    .bind(ImportId::derive(NOW, &[b"file"]).uuid())
    .bind(NOW - Duration::days(60))
    .execute(&mut *tx)
    .await
    .unwrap();
    if let Some(pin) = &r.pin {
        sqlx::query("INSERT INTO pin (pin, person_id, source, assigned_at) VALUES ($1, $2, 'form', $3)")
            .bind(pin.as_str())
            .bind(id.uuid())
            .bind(NOW)
            .execute(&mut *tx)
            .await
            .unwrap();
    }
    for (version, kind) in
        [(1, "registered"), (2, "corrected")].into_iter().take(1 + usize::from(number.is_multiple_of(5)))
    {
        sqlx::query("INSERT INTO person_event (person_id, version, kind, at, recorded_at, actor) VALUES ($1, $2, $3, $4, $4, 'centre')")
            .bind(id.uuid())
            .bind(version)
            .bind(kind)
            .bind(NOW - Duration::days(60 - i64::from(version)))
            .execute(&mut *tx)
            .await
            .unwrap();
    }
}

struct One<'a> {
    number: usize,
    person: PersonId,
    record: &'a ResidentRecord,
    commune: UnitCode,
    path: &'a str,
    kit: KitId,
    gap: bool,
}

async fn application(tx: &mut PgConnection, one: &One<'_>, seeded: &mut Seeded) {
    let number = one.number;
    let order = seeded.applications.len();
    let state = STATES[order % STATES.len()];
    // Later applications are less far; captures grow towards the present.
    let captured = datetime!(2021-03-01 01:00 UTC) + Duration::hours(((number * 37) % 1200) as i64);
    let id = ApplicationId::derive(captured, &[b"application", &number.to_be_bytes()]);
    let actions = way_to(state);
    let step = Duration::hours(if state == State::HandedOver { 9 } else { 14 });
    let at = |index: usize| captured + step * index as i32;
    seeded.applications.push(id);
    let receipt = (order == 0).then(|| Sha256::digest(RECEIPT.replace('-', "").as_bytes()).to_vec());
    let linked = actions.contains(&Action::Accept).then(|| one.person.uuid());
    sqlx::query(
        "INSERT INTO application (application_id, kit_id, kind, state, state_since, actions, unit_code, unit_path, \
           claimed_person_id, person_id, receipt_hash, captured_at, received_at) \
         VALUES ($1, $2, 'new', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(id.uuid())
    .bind(one.kit.uuid())
    .bind(state.code())
    .bind(at(actions.len() - 1))
    .bind(actions.len() as i16)
    .bind(one.commune.to_string())
    .bind(one.path)
    .bind(one.person.uuid())
    .bind(linked)
    .bind(receipt)
    .bind(captured)
    .bind((actions.len() > 1).then(|| at(1)))
    .execute(&mut *tx)
    .await
    .unwrap();
    for (index, action) in actions.iter().enumerate() {
        let actor = if index == 0 { format!("kit:{}", one.kit) } else { "centre".to_owned() };
        sqlx::query("INSERT INTO application_action (application_id, seq, action, at, recorded_at, actor) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(id.uuid())
            .bind(index as i16 + 1)
            .bind(action.code())
            .bind(at(index))
            .bind(if index == 0 { at(1) } else { at(index) })
            .bind(actor)
            .execute(&mut *tx)
            .await
            .unwrap();
    }
    if state > State::Captured && !one.gap {
        opened(tx, one, id, at(1)).await;
    }
    if actions.contains(&Action::Accept) {
        resolved(tx, one, id, at(2)).await;
    }
    if actions.contains(&Action::Batch) {
        produced(tx, one, id, &actions, seeded).await;
    }
    if actions.contains(&Action::OpenCase) {
        opened_case(tx, one, id, state, seeded).await;
    }
    invited(tx, one, order).await;
}

async fn opened(tx: &mut PgConnection, one: &One<'_>, id: ApplicationId, at: OffsetDateTime) {
    sqlx::query("INSERT INTO packet (packet_id, kit_id, application_id, kit_seq, sha256, sealed, received_at) VALUES ($1, $2, $3, $4, $5, $5, $6)")
        .bind(id.uuid())
        .bind(one.kit.uuid())
        .bind(id.uuid())
        .bind(one.number as i64)
        .bind(vec![0u8; 32])
        .bind(at)
        .execute(&mut *tx)
        .await
        .unwrap();
    let mut declared = one.record.clone();
    let mut differs: Vec<&str> = Vec::new();
    if one.number.is_multiple_of(6) {
        declared.marital = Some(1);
        declared.current = Some(Place { unit: one.commune, detail: "Tổ dân phố 3".to_owned() });
        differs.push("marital");
    }
    sqlx::query("INSERT INTO application_record (application_id, record, differs) VALUES ($1, $2, $3)")
        .bind(id.uuid())
        .bind(serde_json::to_value(&declared).unwrap())
        .bind(differs)
        .execute(&mut *tx)
        .await
        .unwrap();
}

/// As crate `resolve` writes it.
fn evidence(person: PersonId) -> serde_json::Value {
    serde_json::json!({
        "linkage": {
            "version": 1, "link": 20.0, "lead": 5.0, "review": 8.0,
            "waterfall": [
                ["prior", "", -14.3],
                ["cmnd", "exact", 12.1],
                ["parents", "exact", 7.9],
                ["birth", "year_off", -2.6],
                ["name", "diacritics", 9.4],
            ],
            "candidates": [{"person": person, "weight": 12.5, "caution": "none"}],
        },
        "fingerprint": {"fingers": 10, "threshold": 40.0, "hits": [{"application": person, "score": 87.5}]},
        "claim": "person",
    })
}

async fn resolved(tx: &mut PgConnection, one: &One<'_>, id: ApplicationId, at: OffsetDateTime) {
    sqlx::query("INSERT INTO resolution (application_id, outcome, person_id, weight, probability, evidence, decided_at) VALUES ($1, 'linked', $2, 24.5, 0.9999, $3, $4)")
        .bind(id.uuid())
        .bind(one.person.uuid())
        .bind(evidence(one.person))
        .bind(at)
        .execute(&mut *tx)
        .await
        .unwrap();
}

async fn produced(
    tx: &mut PgConnection,
    one: &One<'_>,
    id: ApplicationId,
    actions: &[Action],
    seeded: &mut Seeded,
) {
    let (uuid, card) = (id.uuid(), CardId::derive(NOW, &[b"card", &one.number.to_be_bytes()]));
    let has = |action| actions.contains(&action);
    let state = match (has(Action::HandOver), has(Action::Print)) {
        (true, _) => "active",
        (_, true) => "personalised",
        _ => "signed",
    };
    let pin = one.record.pin.as_ref().map_or("042199000001", |pin| pin.as_str());
    let (dg1, dg13, qr) = chip(one, pin);
    sqlx::query(
        "INSERT INTO card (card_id, number, application_id, person_id, pin, state, issued_on, expires_on, ds_serial, token_sha256, \
           dg1, dg13, qr, unit_code, unit_path, intended_at, signed_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '4c1f00a7', $9, $10, $11, $12, $13, $14, $15, $15)",
    )
    .bind(card.uuid())
    .bind(format!("VN{:07}", one.number + 1))
    .bind(uuid)
    .bind(one.person.uuid())
    .bind(pin)
    .bind(state)
    .bind(TODAY)
    .bind(date!(2031 - 04 - 20))
    .bind(vec![0u8; 32])
    .bind(dg1)
    .bind(dg13)
    .bind(qr)
    .bind(one.commune.to_string())
    .bind(one.path)
    .bind(NOW)
    .execute(&mut *tx)
    .await
    .unwrap();
    seeded.cards.push(card);
    let batch = BatchId::derive(NOW, &[b"batch"]).uuid();
    sqlx::query("INSERT INTO batch (batch_id, number, unit_code, opened_at, size, manifest_sha256) VALUES ($1, 1, $2, $3, 500, $4) ON CONFLICT DO NOTHING")
        .bind(batch)
        .bind(DISTRICT)
        .bind(NOW)
        .bind(vec![0u8; 32])
        .execute(&mut *tx)
        .await
        .unwrap();
    sqlx::query("INSERT INTO batch_item (batch_id, position, application_id, card_id, outcome) VALUES ($1, $2, $3, $4, $5)")
        .bind(batch)
        .bind(one.number as i32)
        .bind(uuid)
        .bind(card.uuid())
        .bind(has(Action::Print).then_some("printed"))
        .execute(&mut *tx)
        .await
        .unwrap();
    if has(Action::Dispatch) {
        consigned(tx, id, "district", Some(has(Action::DistrictReceive))).await;
    }
    if has(Action::Forward) {
        consigned(tx, id, "commune", has(Action::UnitReceive).then_some(true)).await;
    }
    if has(Action::HandOver) {
        sqlx::query("INSERT INTO handover (application_id, attempt, at, outcome, score, officer) VALUES ($1, 1, $2, 'handed_over', 90, 'centre')")
            .bind(uuid)
            .bind(NOW)
            .execute(&mut *tx)
            .await
            .unwrap();
    }
}

fn chip(one: &One<'_>, pin: &str) -> (Vec<u8>, Vec<u8>, String) {
    use card::data::{BirthDate, CardData, CardFields, Expiry};
    let place = UnitTable::official_2021().full_name(one.commune).unwrap();
    let name = one.record.name.upper();
    let birth = match one.record.birth.exact() {
        Some(date) => BirthDate::Full(date),
        None => BirthDate::Year(one.record.birth.year().into()),
    };
    let residence = format!("{}, {place}", one.record.permanent.detail);
    let data = CardData::new(CardFields {
        pin,
        cmnd: one.record.old_id.as_ref().map(|id| id.as_str()),
        name: &name,
        birth,
        sex: if one.record.sex == Sex::Male { card::data::Sex::Male } else { card::data::Sex::Female },
        nationality: "Việt Nam",
        ethnicity: "Kinh",
        religion: "Không",
        native_place: &place,
        residence: &residence,
        marks: "Nốt ruồi cách 1 cm dưới mắt trái",
        father: one.record.father.as_ref().map(|f| f.name.as_str()),
        mother: one.record.mother.as_ref().map(|m| m.name.as_str()),
        spouse: None,
        issued: TODAY,
        expires: Expiry::On(date!(2031 - 04 - 20)),
    })
    .unwrap();
    let dg1 = card::lds::dg1::encode(&card::mrz::Mrz::from_card(&data));
    let dg13 = card::lds::dg13::Dg13::from_card(&data).encode();
    (dg1, dg13, card::qr::QrText::from_card(&data).encode())
}

async fn consigned(tx: &mut PgConnection, id: ApplicationId, leg: &str, received: Option<bool>) {
    let consignment = ConsignmentId::derive(NOW, &[leg.as_bytes()]).uuid();
    sqlx::query("INSERT INTO consignment (consignment_id, leg, from_code, to_code, size, manifest_sha256, sent_at) VALUES ($1, $2, 'centre', $3, 500, $4, $5) ON CONFLICT DO NOTHING")
        .bind(consignment)
        .bind(leg)
        .bind(DISTRICT)
        .bind(vec![0u8; 32])
        .bind(NOW)
        .execute(&mut *tx)
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO consignment_item (consignment_id, application_id, received) VALUES ($1, $2, $3)",
    )
    .bind(consignment)
    .bind(id.uuid())
    .bind(received)
    .execute(&mut *tx)
    .await
    .unwrap();
}

async fn opened_case(
    tx: &mut PgConnection,
    one: &One<'_>,
    id: ApplicationId,
    state: State,
    seeded: &mut Seeded,
) {
    let case = CaseId::derive(NOW, &[b"case", &one.number.to_be_bytes()]);
    let other = seeded.applications.first().copied().filter(|other| *other != id);
    let kinds = ["same_person_twice", "fingerprint_other_name", "ambiguous_match"];
    let closed = state == State::Rejected;
    sqlx::query(
        "INSERT INTO case_file (case_id, kind, application_id, other_application_id, person_id, evidence, unit_path, opened_at, due_at, \
           decision, decided_by, confirmed_by, decided_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(case.uuid())
    .bind(kinds[seeded.cases.len() % kinds.len()])
    .bind(id.uuid())
    .bind(other.map(ApplicationId::uuid))
    .bind(one.person.uuid())
    .bind(evidence(one.person))
    .bind(one.path)
    .bind(NOW - Duration::days(3))
    .bind(NOW + Duration::days((one.number % 4) as i64 - 1))
    .bind(closed.then_some("same_person"))
    .bind(closed.then_some("account:a"))
    .bind(closed.then_some("account:b"))
    .bind(closed.then_some(NOW))
    .execute(&mut *tx)
    .await
    .unwrap();
    seeded.cases.push(case);
}

async fn invited(tx: &mut PgConnection, one: &One<'_>, order: usize) {
    let communes = UnitTable::official_2021().leaves_of(DISTRICT.parse().unwrap());
    let index = communes.iter().position(|c| *c == one.commune).unwrap();
    let shift = 1 + (order % 2) as i16;
    let slot = SlotId::derive(NOW, &[&index.to_be_bytes(), &shift.to_be_bytes()]).uuid();
    sqlx::query(
        "INSERT INTO invitation (person_id, round, slot_id, slot_capacity, seat, unit_path, state, invited_at) \
         SELECT $1, 1, $2, 40, s.seat, $3, $4, $5 FROM (SELECT coalesce(max(seat), 0) + 1 AS seat FROM invitation WHERE slot_id = $2) s \
         WHERE s.seat <= 40",
    )
    .bind(one.person.uuid())
    .bind(slot)
    .bind(one.path)
    .bind(["attended", "attended", "invited", "missed"][order % 4])
    .bind(NOW)
    .execute(&mut *tx)
    .await
    .unwrap();
}

/// A portrait that is nobody's.
pub struct Portraits(pub Option<Vec<u8>>);

impl PhotoSource for Portraits {
    fn photo(&self, _: ApplicationId) -> Pin<Box<dyn Future<Output = Option<Vec<u8>>> + Send + '_>> {
        Box::pin(async { self.0.clone() })
    }
}

/// Keeps what was asked, and answers as told.
pub struct Desk {
    pub asked: Mutex<Vec<CaseDecision>>,
    pub answer: Mutex<Result<CaseOutcome, CaseRefusal>>,
}

impl CaseDesk for Desk {
    fn decide(
        &self,
        decision: CaseDecision,
    ) -> Pin<Box<dyn Future<Output = Result<CaseOutcome, CaseRefusal>> + Send + '_>> {
        self.asked.lock().unwrap().push(decision);
        let answer = *self.answer.lock().unwrap();
        Box::pin(async move { answer })
    }
}

/// Answers with the length of what came.
pub struct Echo;

impl KitDesk for Echo {
    fn packets(&self, body: Vec<u8>) -> Pin<Box<dyn Future<Output = KitAnswer> + Send + '_>> {
        Box::pin(async move { KitAnswer { status: 200, body: body.len().to_string().into_bytes() } })
    }

    fn day_report(&self, body: Vec<u8>) -> Pin<Box<dyn Future<Output = KitAnswer> + Send + '_>> {
        Box::pin(async move { KitAnswer { status: 400, body } })
    }
}

/// The site's parts with a clock that can be set.
pub struct Site {
    pub state: AppState,
    pub clock: Arc<VirtualClock>,
    pub desk: Arc<Desk>,
}

pub fn site(db: &Database, photo: Option<Vec<u8>>) -> Site {
    let clock = Arc::new(VirtualClock::at(WALL));
    let desk =
        Arc::new(Desk { asked: Mutex::default(), answer: Mutex::new(Ok(CaseOutcome::AwaitsConfirmation)) });
    let state = AppState::new(Parts {
        db: db.clone(),
        clock: clock.clone(),
        campaign: Arc::new(VirtualClock::at(NOW)),
        units: UnitTable::official_2021(),
        photos: Arc::new(Portraits(photo)),
        cases: desk.clone(),
        kits: Arc::new(Echo),
        settings: Settings { specimen: true, ..Settings::default() },
        entropy: Arc::new(Mutex::new(StdRng::seed_from_u64(7))),
    });
    Site { state, clock, desk }
}

/// An id that nothing has.
pub fn nothing() -> Uuid {
    Uuid::from_u128(1)
}
