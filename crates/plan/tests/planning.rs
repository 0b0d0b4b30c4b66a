//! Planning on a real database: everyone has one seat, a repeat changes nothing, and nobody can overfill a
//! slot.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::inconsistent_digit_grouping, reason = "packed dates are grouped as year, month, day")]

use time::macros::{date, datetime};
use time::{Date, OffsetDateTime};

use domain::UnitCode;
use domain::id::{ImportId, KitId, PersonId};
use domain::unit::Units;
use plan::apply;
use plan::schedule::ShiftCalendar;
use store::{Database, UnitScope};

const START: Date = date!(2021 - 03 - 01);
const NOW: OffsetDateTime = datetime!(2021-02-20 08:00 +7);

/// `count` residents of the commune: every fifth is younger than 14, the first was born in a year only.
async fn people(db: &Database, unit: UnitCode, count: u32) {
    let path = Units::latest().path(unit).unwrap();
    for n in 0..count {
        let birth = match n {
            0 => 2007_00_00,
            n if n % 5 == 0 => 2015_06_07,
            n => 1960_01_01 + (n as i32 % 40) * 10_000,
        };
        sqlx::query(
            "INSERT INTO person (person_id, full_name, name_fold, sex, birth, ethnicity, religion, \
             nationality, \
             permanent_unit, permanent_detail, household, unit_path, form_no, form_hash, import_id, \
             recorded_at) VALUES ($1, 'NGUYỄN MẪU', 'NGUYEN MAU', 1, $2, 1, 0, 'VNM', $3, '', $4, $5, $6, \
             '', $7, $8)",
        )
        .bind(PersonId::derive(NOW, &[unit.to_string().as_bytes(), &n.to_be_bytes()]).uuid())
        .bind(birth)
        .bind(unit.to_string())
        .bind(format!("H{}", n / 4))
        .bind(&path)
        .bind(format!("{unit}-{n}"))
        .bind(ImportId::derive(NOW, &[b"test"]).uuid())
        .bind(NOW)
        .execute(db.work())
        .await
        .unwrap();
    }
}

async fn district(counts: [u32; 3]) -> (testkit::FreshDatabase, UnitScope, Vec<KitId>) {
    let db = testkit::fresh_database().await;
    let units = Units::latest();
    let district: UnitCode = "445".parse().unwrap();
    for (commune, count) in units.leaves_of(district).into_iter().zip(counts) {
        people(&db, commune, count).await;
    }
    let kits: Vec<KitId> = (0..2u8).map(|n| KitId::derive(NOW, &[&[n]])).collect();
    let rows: Vec<store::plan::KitRow> = kits
        .iter()
        .map(|&kit_id| store::plan::KitRow {
            kit_id,
            name: kit_id.to_string(),
            unit_code: "445".into(),
            public_key: vec![4; 65],
            registered_at: NOW,
        })
        .collect();
    store::plan::register_kits(&mut db.work().acquire().await.unwrap(), &rows).await.unwrap();
    let scope = UnitScope::parse(&units.path(district).unwrap()).unwrap();
    (db, scope, kits)
}

#[tokio::test]
async fn everyone_eligible_is_seated_once_and_a_repeat_changes_nothing() {
    let (db, scope, kits) = district([130, 60, 1]).await;
    let areas = apply::set_quotas(&db, &scope, START, Some(100)).await.unwrap();
    assert_eq!(areas.iter().map(|a| a.quota).sum::<u64>(), 100);
    assert_eq!(areas.iter().map(|a| a.residents).sum::<u32>(), 191);
    // Residents 0, 5, 10, … of each commune are too young, and so is the one of whom only the year 2007 is
    // known.
    let eligible: u32 = areas.iter().map(|a| a.eligible).sum();
    assert_eq!(eligible, 104 + 48);
    for _ in 0..2 {
        let days = (START, date!(2021 - 06 - 10));
        let planned =
            apply::plan_and_invite(&db, &scope, &areas, &kits, days, &ShiftCalendar::SPRING_2021, NOW)
                .await
                .unwrap();
        assert_eq!(planned.unseated, 0);
        let (seats, people): (i64, i64) =
            sqlx::query_as("SELECT count(*), count(DISTINCT person_id) FROM invitation")
                .fetch_one(db.work())
                .await
                .unwrap();
        assert_eq!((seats, people), (i64::from(eligible), i64::from(eligible)));
    }
}

#[tokio::test]
async fn whoever_misses_is_invited_again_and_at_most_three_times() {
    let (db, scope, kits) = district([900, 400, 100]).await;
    let areas = apply::set_quotas(&db, &scope, START, None).await.unwrap();
    let days = (START, date!(2021 - 06 - 10));
    apply::plan_and_invite(&db, &scope, &areas, &kits, days, &ShiftCalendar::SPRING_2021, NOW).await.unwrap();
    let mut day = START;
    while day <= date!(2021 - 03 - 20) {
        let expected = store::plan::expected_on(&mut db.work().acquire().await.unwrap(), scope.as_str(), day)
            .await
            .unwrap();
        let attended: Vec<PersonId> =
            expected.iter().map(|e| e.person_id).filter(|p| p.uuid().as_bytes()[15] % 10 != 0).collect();
        apply::close_day(&db, &scope, day, &attended, day.next_day().unwrap(), NOW).await.unwrap();
        day = day.next_day().unwrap();
    }
    let most: i16 =
        sqlx::query_scalar("SELECT max(round) FROM invitation").fetch_one(db.work()).await.unwrap();
    assert_eq!(most, apply::MOST_INVITATIONS);
    let sql = "SELECT count(*) FROM invitation i JOIN slot s USING (slot_id) WHERE s.day <= '2021-03-20' \
               AND i.state <> CASE get_byte(uuid_send(i.person_id), 15) % 10 WHEN 0 THEN 'missed' ELSE \
               'attended' END";
    let wrong: i64 = sqlx::query_scalar(sql).fetch_one(db.work()).await.unwrap();
    assert_eq!(wrong, 0, "who came has attended, who did not has missed");
}

#[tokio::test]
async fn the_database_refuses_a_seat_too_many_and_a_seat_taken() {
    let (db, scope, kits) = district([130, 60, 1]).await;
    let areas = apply::set_quotas(&db, &scope, START, None).await.unwrap();
    let days = (START, date!(2021 - 06 - 10));
    apply::plan_and_invite(&db, &scope, &areas, &kits, days, &ShiftCalendar::SPRING_2021, NOW).await.unwrap();
    let mut conn = db.work().acquire().await.unwrap();
    let taken = store::plan::expected_on(&mut conn, scope.as_str(), START).await.unwrap().remove(0);
    let mut guest = store::plan::InvitationRow {
        person_id: PersonId::derive(NOW, &[b"late"]),
        round: 1,
        slot_id: taken.slot_id,
        slot_capacity: 11,
        seat: taken.seat,
        unit_path: taken.unit_path,
    };
    let refused = store::plan::put_invitations(&mut conn, &[guest.clone()], NOW).await.unwrap_err();
    assert!(refused.violates("invitation_slot_id_seat_key"), "{refused}");
    guest.seat = 12;
    let refused = store::plan::put_invitations(&mut conn, &[guest.clone()], NOW).await.unwrap_err();
    assert!(refused.violates("invitation_check"), "{refused}");
    guest.slot_capacity = 12;
    let refused = store::plan::put_invitations(&mut conn, &[guest], NOW).await.unwrap_err();
    assert!(refused.violates("invitation_slot_id_slot_capacity_fkey"), "{refused}");
}
