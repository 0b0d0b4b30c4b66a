//! Applications at every station of their way, with the evidence that each station leaves.

use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use time::macros::{date, datetime};
use time::{Duration, OffsetDateTime};

use super::{DISTRICT, NOW, RECEIPT, Seeded, TODAY};
use domain::application::{Action, State};
use domain::id::{ApplicationId, BatchId, CardId, CaseId, ConsignmentId, KitId, PersonId, SlotId};
use domain::record::Place;
use domain::unit::Units;
use domain::{ResidentRecord, Sex, UnitCode};

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

pub struct One<'a> {
    pub number: usize,
    pub person: PersonId,
    pub record: &'a ResidentRecord,
    pub commune: UnitCode,
    pub path: &'a str,
    pub kit: KitId,
    pub gap: bool,
}

pub async fn application(tx: &mut PgConnection, one: &One<'_>, seeded: &mut Seeded) {
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
        "INSERT INTO application (application_id, kit_id, kind, state, state_since, actions, unit_code, \
         unit_path, \
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
        sqlx::query(
            "INSERT INTO application_action (application_id, seq, action, at, recorded_at, actor, \
                     unit_path) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(id.uuid())
        .bind(index as i16 + 1)
        .bind(action.code())
        .bind(at(index))
        .bind(if index == 0 { at(1) } else { at(index) })
        .bind(actor)
        .bind(one.path)
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
    sqlx::query(
        "INSERT INTO packet (packet_id, kit_id, application_id, kit_seq, sha256, sealed, \
                 received_at, unit_path) VALUES ($1, $2, $3, $4, $5, $5, $6, $7)",
    )
    .bind(id.uuid())
    .bind(one.kit.uuid())
    .bind(id.uuid())
    .bind(one.number as i64)
    .bind(vec![0u8; 32])
    .bind(at)
    .bind(one.path)
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
    sqlx::query(
        "INSERT INTO application_record (application_id, record, differs, unit_path) VALUES ($1, $2, $3, $4)",
    )
    .bind(id.uuid())
    .bind(serde_json::to_value(&declared).unwrap())
    .bind(differs)
    .bind(one.path)
    .execute(&mut *tx)
    .await
    .unwrap();
}

/// As crate `resolve` writes it.
fn evidence(person: PersonId) -> serde_json::Value {
    serde_json::json!({
        "linkage": {
            "version": "2026-11", "link": 20.0, "lead": 5.0, "review": 8.0,
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
    sqlx::query(
        "INSERT INTO resolution (application_id, outcome, person_id, weight, probability, evidence, \
                 decided_at) VALUES ($1, 'linked', $2, 24.5, 0.9999, $3, $4)",
    )
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
        "INSERT INTO card (card_id, number, application_id, person_id, pin, state, issued_on, expires_on, \
         ds_serial, token_sha256, \
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
    sqlx::query(
        "INSERT INTO batch (batch_id, number, unit_code, opened_at, size, manifest_sha256) \
                 VALUES ($1, 1, $2, $3, 500, $4) ON CONFLICT DO NOTHING",
    )
    .bind(batch)
    .bind(DISTRICT)
    .bind(NOW)
    .bind(vec![0u8; 32])
    .execute(&mut *tx)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO batch_item (batch_id, position, application_id, card_id, outcome) \
                 VALUES ($1, $2, $3, $4, $5)",
    )
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
        sqlx::query(
            "INSERT INTO handover (application_id, attempt, at, outcome, score, officer) \
                     VALUES ($1, 1, $2, 'handed_over', 90, 'centre')",
        )
        .bind(uuid)
        .bind(NOW)
        .execute(&mut *tx)
        .await
        .unwrap();
    }
}

fn chip(one: &One<'_>, pin: &str) -> (Vec<u8>, Vec<u8>, String) {
    use card::data::{BirthDate, CardData, CardFields, Expiry};
    let place = Units::latest().full_name(one.commune).unwrap();
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
    sqlx::query(
        "INSERT INTO consignment (consignment_id, leg, from_code, to_code, size, manifest_sha256, \
                 sent_at) VALUES ($1, $2, 'centre', $3, 500, $4, $5) ON CONFLICT DO NOTHING",
    )
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
        "INSERT INTO case_file (case_id, kind, application_id, other_application_id, person_id, evidence, \
         unit_path, opened_at, due_at, \
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
    .bind(closed.then_some("command:an"))
    .bind(closed.then_some("command:binh"))
    .bind(closed.then_some(NOW))
    .execute(&mut *tx)
    .await
    .unwrap();
    for (seq, action, actor) in
        [(1_i16, "propose", "command:an"), (2, "confirm", "command:binh")].iter().filter(|_| closed)
    {
        sqlx::query(
            "INSERT INTO case_action (case_id, seq, action, at, actor, decision, unit_path) \
             VALUES ($1, $2, $3, $4, $5, 'same_person', $6)",
        )
        .bind(case.uuid())
        .bind(seq)
        .bind(action)
        .bind(NOW)
        .bind(actor)
        .bind(one.path)
        .execute(&mut *tx)
        .await
        .unwrap();
    }
    seeded.cases.push(case);
}

async fn invited(tx: &mut PgConnection, one: &One<'_>, order: usize) {
    let communes = Units::latest().leaves_of(DISTRICT.parse().unwrap());
    let index = communes.iter().position(|c| *c == one.commune).unwrap();
    let shift = 1 + (order % 2) as i16;
    let slot = SlotId::derive(NOW, &[&index.to_be_bytes(), &shift.to_be_bytes()]).uuid();
    sqlx::query(
        "INSERT INTO invitation (person_id, round, slot_id, slot_capacity, seat, unit_path, state, \
         invited_at) \
         SELECT $1, 1, $2, 40, s.seat, $3, $4, $5 FROM (SELECT coalesce(max(seat), 0) + 1 AS seat \
         FROM invitation WHERE slot_id = $2) s \
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
