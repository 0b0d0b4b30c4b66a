//! A small synthetic district in the database, and the site in front of it, for tests and for the preview.
//!
//! Rows are written as SQL here because the stages that write them in earnest lie beyond this crate.

#![allow(clippy::unwrap_used, reason = "a failed step of a test's set-up is the test's failure")]
#![allow(dead_code, reason = "each test file and the preview use a part")]

pub mod browser;
pub mod chip;
mod life;

use std::sync::{Arc, Mutex};

use rand::SeedableRng;
use rand::rngs::StdRng;
use sqlx::PgConnection;
use time::macros::{date, datetime};
use time::{Date, Duration, OffsetDateTime};
use uuid::Uuid;

use domain::clock::VirtualClock;
use domain::id::{
    ApplicationId, CardId, CaseId, CorrectionId, DocumentId, ImportId, KitId, PersonId, SlotId,
};
use domain::record::{Place, Relative};
use domain::unit::Units;
use domain::{OldId, PartialDate, PersonName, Pin as PersonalNumber, ResidentRecord, Sex, UnitCode};
use enrol::desks::{Answer, Asker, KitAnswer, KitDesk, Photo, PhotoSource};
use life::{One, application};
use store::Database;
use web::{AppState, Parts, Settings};

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

/// A message to which the kits' desk answers that it is busy.
pub const BUSY: &str = "busy";
/// A receipt code as it is printed.
pub const RECEIPT: &str = "7K3M-2QX9-0000-ABCD";

const SURNAMES: [&str; 8] = ["Nguyễn", "Trần", "Lê", "Phạm", "Võ", "Đặng", "Bùi", "Hồ"];
const MIDDLES: [&str; 6] = ["Văn", "Thị", "Đức", "Ngọc", "Quang", "Thanh"];
const GIVEN: [&str; 12] =
    ["An", "Bình", "Cường", "Dung", "Hạnh", "Hòa", "Khánh", "Lan", "Minh", "Phúc", "Thảo", "Yến"];

/// Writes `per_commune` people into each commune of the district, and what belongs to them. With `gap`, one
/// application lacks its packet, so that the ledger has a difference to show.
pub async fn seed(db: &Database, per_commune: usize, gap: bool) -> Seeded {
    let units = Units::latest();
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
            if number == 0 {
                registered_by_paper(&mut tx, &path).await;
                was_corrected(&mut tx, person, &path).await;
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
    let units = Units::latest();
    let kit = KitId::derive(NOW, &[b"kit"]).uuid();
    let people = (communes.len() * per_commune) as i64;
    let target = "INSERT INTO target (unit_code, name, amount, kind, starts_on, deadline, deadline_wording, \
                  source) VALUES ($1, 'chip', $2, 'floor', $3, $4, 'through', 'synthetic')";
    sqlx::query(target)
        .bind(DISTRICT)
        .bind(people)
        .bind(date!(2021 - 03 - 01))
        .bind(date!(2021 - 05 - 10))
        .execute(&mut *tx)
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO kit (kit_id, name, unit_code, public_key, registered_at) \
                 VALUES ($1, 'Máy 1', $2, $3, $4)",
    )
    .bind(kit)
    .bind(DISTRICT)
    .bind(vec![4u8; 65])
    .bind(NOW)
    .execute(&mut *tx)
    .await
    .unwrap();
    for (index, commune) in communes.iter().enumerate() {
        let path = units.path(*commune).unwrap();
        sqlx::query(
            "INSERT INTO area (unit_code, unit_path, residents, eligible, eligible_on, quota) \
                     VALUES ($1, $2, $3, $3, $4, $3)",
        )
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
            sqlx::query(
                "INSERT INTO slot (slot_id, kit_id, unit_code, unit_path, site, day, shift, \
                         starts_at, minutes, capacity, round) \
                         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 45, 40, 1)",
            )
            .bind(SlotId::derive(NOW, &[&index.to_be_bytes(), &shift.to_be_bytes()]).uuid())
            .bind(kit)
            .bind(commune.to_string())
            .bind(&path)
            .bind(format!("Nhà văn hóa {}", units.get(*commune).unwrap().in_sentence()))
            .bind(TODAY)
            .bind(shift)
            .bind(starts)
            .execute(&mut *tx)
            .await
            .unwrap();
        }
    }
    sqlx::query(
        "INSERT INTO import_file (import_id, name, format, sha256, bytes_total, bytes_done, \
                 rows_read, rows_accepted, rows_repeated, rows_rejected, started_at, finished_at) \
                 VALUES ($1, 'dc01-445.csv', 'csv', $2, 100, 100, 620, 611, 2, 7, $3, $3)",
    )
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
        sqlx::query(
            "INSERT INTO import_reject (import_id, row_no, form_no, errors, raw) \
                     VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(import.uuid())
        .bind(i64::from(row))
        .bind(format!("DC01-{row:05}"))
        .bind(serde_json::json!([
            {"field": "birth_date", "code": "bad_date", "message": "there is no 30/02/1990"},
            {"field": "ethnicity", "code": "unknown_code", "message": "mã 77 không có trong danh mục dân \
                tộc"},
        ]))
        .bind(serde_json::json!({"permanent_unit": unit, "full_name": name}))
        .execute(&mut *tx)
        .await
        .unwrap();
    }
}

async fn insert_person(tx: &mut PgConnection, id: PersonId, r: &ResidentRecord, path: &str, number: usize) {
    sqlx::query(
        "INSERT INTO person (person_id, pin, old_id, full_name, name_fold, sex, birth, ethnicity, religion, \
         nationality, marital, \
           birth_registration, native_place, permanent_unit, permanent_detail, father_name, mother_name, \
           household, relation_to_head, unit_path, form_no, form_hash, import_id, recorded_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 1, 0, 'VNM', 2, $8, $8, $8, $9, $10, $11, $12, $13, $14, $15, \
         $16, $17, $18)",
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
        sqlx::query(
            "INSERT INTO person_event \
                     (person_id, version, kind, at, recorded_at, actor, unit_path, event_id) \
                     VALUES ($1, $2, $3, $4, $4, 'centre', $5, $6)",
        )
        .bind(id.uuid())
        .bind(version)
        .bind(kind)
        .bind(NOW - Duration::days(60 - i64::from(version)))
        .bind(path)
        .bind((number == 0 && version == 1).then(|| document().uuid()))
        .execute(&mut *tx)
        .await
        .unwrap();
    }
}

/// The paper behind the registration of the first person.
pub fn document() -> DocumentId {
    DocumentId::derive(NOW, &[b"paper"])
}

/// A case of correction of the first person that is over, behind which the paper is.
pub fn correction() -> CorrectionId {
    CorrectionId::derive(NOW, &[b"correction"])
}

async fn was_corrected(tx: &mut PgConnection, person: PersonId, path: &str) {
    let detail = "{\"action\":\"request\",\"kind\":\"correction\",\"items\":[]}";
    let sql = format!(
        "INSERT INTO correction_case (case_id, kind, person_id, source, state, requested_by, document_id, \
           opened_at, closed_at, actions, unit_path) \
         VALUES ('{0}', 'correction', '{1}', 'citizen', 'applied', 'centre', '{2}', '2021-04-01', \
           '2021-04-07', 1, '{3}'); \
         INSERT INTO correction_item (case_id, field, part, register_value, claimed_value, granted_value, \
           outcome, unit_path) VALUES ('{0}', 'religion', 'whole', '1', '0', '0', 'applied', '{3}'); \
         INSERT INTO correction_action (case_id, seq, action, at, actor, desk, action_id, detail, unit_path) \
         VALUES ('{0}', 1, 'request', '2021-04-01', 'centre', 'clerk', '{0}', '{detail}', '{3}')",
        correction(),
        person,
        document(),
        path,
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut *tx).await.unwrap();
}

async fn registered_by_paper(tx: &mut PgConnection, path: &str) {
    let sql = format!(
        "INSERT INTO legal_document (document_id, kind, number, authority, issued_on, scan_sha256, \
           scan_bytes, scan_type, entered_by, entered_at, unit_path) \
         VALUES ('{0}', 'verification', '1', 'UBND', '2021-02-01', sha256('%PDF-1.7'), 8, 'application/pdf', \
           'centre', now(), '{1}'); \
         INSERT INTO document_scan (document_id, unit_path, content) VALUES ('{0}', '{1}', '%PDF-1.7'); \
         INSERT INTO civil_event (event_id, kind, legal_on, document_id, unit_path, actor, recorded_at) \
         VALUES ('{0}', 'registered', 20210219, '{0}', '{1}', 'centre', now())",
        document(),
        path,
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut *tx).await.unwrap();
}

/// A portrait that is nobody's.
pub struct Portraits(pub Option<Vec<u8>>);

impl PhotoSource for Portraits {
    fn photo<'a>(&'a self, asker: Asker<'a>, _: ApplicationId) -> Answer<'a, Photo> {
        assert_eq!(asker.session.len(), 64, "a page tells in which session it asks");
        Box::pin(async { self.0.clone().map_or(Photo::NotShown, Photo::Shown) })
    }
}

/// Answers with the length of what came.
pub struct Echo;

impl KitDesk for Echo {
    fn packets(&self, body: Vec<u8>) -> Answer<'_, KitAnswer> {
        Box::pin(async move {
            let status = if body == BUSY.as_bytes() { 503 } else { 200 };
            KitAnswer { status, body: body.len().to_string().into_bytes(), refused: 0 }
        })
    }

    fn day_report(&self, body: Vec<u8>) -> Answer<'_, KitAnswer> {
        Box::pin(async move { KitAnswer { status: 400, body, refused: 500 } })
    }

    fn status(&self, body: Vec<u8>) -> Answer<'_, KitAnswer> {
        Box::pin(async move { KitAnswer { status: 400, body, refused: 500 } })
    }
}

/// The site's parts with a clock that can be set.
pub struct Site {
    pub state: AppState,
    pub clock: Arc<VirtualClock>,
}

pub fn site(db: &Database, photo: Option<Vec<u8>>) -> Site {
    let clock = Arc::new(VirtualClock::at(WALL));
    let state = AppState::new(Parts {
        db: db.clone(),
        clock: clock.clone(),
        campaign: Arc::new(VirtualClock::at(NOW)),
        photos: Arc::new(Portraits(photo)),
        kits: Arc::new(Echo),
        settings: Settings { specimen: true, ..Settings::default() },
        entropy: Arc::new(Mutex::new(StdRng::seed_from_u64(7))),
    });
    Site { state, clock }
}

/// An id that nothing has.
pub fn nothing() -> Uuid {
    Uuid::from_u128(1)
}
