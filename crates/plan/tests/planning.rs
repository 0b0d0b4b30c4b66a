//! Planning on a real database: everyone has one seat, a repeat changes nothing, and nobody can overfill a
//! slot.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::inconsistent_digit_grouping, reason = "packed dates are grouped as year, month, day")]

use time::macros::{date, datetime};
use time::{Date, OffsetDateTime};

use domain::application::Kind;
use domain::id::{ApplicationId, ImportId, KitId, PersonId};
use domain::unit::Units;
use domain::{Actor, Deadline, UnitCode};
use plan::campaign::{self, Closed, Gaps, Invited, Kits, Opening};
use plan::schedule::ShiftCalendar;
use plan::{Error, apply};
use store::applications::NewApplication;
use store::plan::campaigns::{self, CampaignRow};
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
                .fetch_one(db.admin())
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
        sqlx::query_scalar("SELECT max(round) FROM invitation").fetch_one(db.admin()).await.unwrap();
    assert_eq!(most, apply::MOST_INVITATIONS);
    let sql = "SELECT count(*) FROM invitation i JOIN slot s USING (slot_id) WHERE s.day <= '2021-03-20' \
               AND i.state <> CASE get_byte(uuid_send(i.person_id), 15) % 10 WHEN 0 THEN 'missed' ELSE \
               'attended' END";
    let wrong: i64 = sqlx::query_scalar(sql).fetch_one(db.admin()).await.unwrap();
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

const DISTRICT: &str = "445";
/// The evening of the first day.
const EVENING: OffsetDateTime = datetime!(2021-03-01 22:00 +7);

fn opening() -> Opening {
    Opening {
        unit: DISTRICT.parse().unwrap(),
        starts_on: START,
        deadline: Deadline::before(date!(2021 - 06 - 10)),
        amount: None,
        kits: Kits::Registered,
        source: "a plan".to_owned(),
    }
}

async fn open(db: &Database, opening: &Opening) -> Result<campaign::Opened, Error> {
    campaign::open(db, Units::latest(), opening, &Actor::Centre, NOW).await
}

async fn opened(db: &Database) -> CampaignRow {
    open(db, &opening()).await.unwrap();
    let mut conn = db.work().acquire().await.unwrap();
    let commune = Units::latest().leaves_of(DISTRICT.parse().unwrap())[0];
    campaign::find(&mut conn, Units::latest(), commune, START).await.unwrap()
}

/// The person applies on the first day; `opened` says whether the centre knows who it is.
async fn applies(db: &Database, kit: KitId, person: PersonId, opened: bool) {
    let application_id = ApplicationId::derive(NOW, &[person.uuid().as_bytes()]);
    let unit = Units::latest().leaves_of(DISTRICT.parse().unwrap())[0];
    let new = NewApplication {
        application_id,
        kit_id: kit,
        kind: Kind::New,
        unit,
        unit_path: Units::latest().path(unit).unwrap(),
        captured_at: datetime!(2021-03-01 09:00 +7),
        kit_clock_at: None,
        actor: Actor::Centre,
    };
    let mut tx = db.begin().await.unwrap();
    store::applications::create(&mut tx, NOW, &[new]).await.unwrap();
    if opened {
        sqlx::query(
            "UPDATE application SET claimed_person_id = $2, state = 'received' WHERE application_id = $1",
        )
        .bind(application_id.uuid())
        .bind(person.uuid())
        .execute(&mut *tx)
        .await
        .unwrap();
        sqlx::query(
            "INSERT INTO application_record (application_id, record, differs, unit_path) \
             VALUES ($1, '{}', '{}', '42/445/')",
        )
        .bind(application_id.uuid())
        .execute(&mut *tx)
        .await
        .unwrap();
    }
    store::commit(tx).await.unwrap();
}

async fn close(db: &Database, campaign: &CampaignRow, day: Date, gaps: Gaps) -> Result<Closed, Error> {
    let (units, now) = (Units::latest(), EVENING + time::Duration::days(9));
    campaign::close_day(db, units, campaign, (day, gaps), &Actor::Centre, now).await
}

#[tokio::test]
async fn a_campaign_is_opened_once_and_goes_on_when_there_are_kits() {
    let (db, _, _) = district([130, 60, 1]).await;
    let eligible = 104 + 48;
    sqlx::query("UPDATE kit SET revoked_at = now()").execute(db.admin()).await.unwrap();
    for is_new in [true, false] {
        let opened = open(&db, &opening()).await.unwrap();
        assert_eq!((opened.is_new, opened.planned, opened.kits_needed), (is_new, None, 1));
        assert_eq!(opened.target.amount, Some(eligible));
    }
    sqlx::query("UPDATE kit SET revoked_at = NULL").execute(db.admin()).await.unwrap();
    let planned = open(&db, &opening()).await.unwrap();
    assert_eq!(planned.planned.map(|planned| planned.invited), Some(eligible as usize));
    assert_eq!((planned.is_new, planned.kits.len()), (false, 2));
    assert_eq!(open(&db, &opening()).await.unwrap().planned, None);
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM audit WHERE action LIKE 'campaign.%'")
        .fetch_one(db.admin())
        .await
        .unwrap();
    assert_eq!(rows, 2, "opened once, planned once");
}

#[tokio::test]
async fn what_was_opened_stays_what_it_is() {
    let (db, _, kits) = district([130, 60, 1]).await;
    open(&db, &opening()).await.unwrap();
    let differs = |what| move |error| matches!(error, Error::CampaignDiffers { what: w, .. } if w == what);
    let later = Opening { deadline: Deadline::before(date!(2021 - 06 - 11)), ..opening() };
    assert!(differs("deadline")(open(&db, &later).await.unwrap_err()));
    let fewer = Opening { amount: Some(100), ..opening() };
    assert!(differs("target")(open(&db, &fewer).await.unwrap_err()));
    let within = Opening { unit: "42".parse().unwrap(), starts_on: date!(2021 - 05 - 01), ..opening() };
    assert!(matches!(open(&db, &within).await, Err(Error::Overlaps { .. })));
    let after = Opening {
        starts_on: date!(2021 - 06 - 10),
        deadline: Deadline::through(date!(2021 - 07 - 10)),
        kits: Kits::These(kits),
        ..opening()
    };
    assert!(open(&db, &after).await.unwrap().is_new, "the people of a campaign that is over");
    let unknown = Opening { kits: Kits::Named(vec!["x".to_owned()]), ..opening() };
    assert!(matches!(open(&db, &unknown).await, Err(Error::Kit { .. })));
    let nobody = Opening { unit: "01".parse().unwrap(), ..opening() };
    assert!(matches!(open(&db, &nobody).await, Err(Error::NoResidents(_))));
    let over = Opening { deadline: Deadline::before(START), ..opening() };
    assert!(matches!(open(&db, &over).await, Err(Error::Deadline { .. })));
}

#[tokio::test]
async fn who_attended_is_who_applied() {
    let (db, scope, kits) = district([130, 60, 1]).await;
    let campaign = opened(&db).await;
    let mut conn = db.work().acquire().await.unwrap();
    let asked = store::plan::expected_on(&mut conn, scope.as_str(), START).await.unwrap();
    let (came, late, silent) = (asked[0].person_id, asked[1].person_id, asked[2].person_id);
    applies(&db, kits[0], came, true).await;
    applies(&db, kits[0], silent, false).await;
    let Err(Error::NotAllKnown { what, .. }) = close(&db, &campaign, START, Gaps::Refuse).await else {
        panic!("a capture is on a kit and no kit has reported")
    };
    assert_eq!(what.len(), 2, "{what:?}");
    for again in [asked.len() - 1, 0] {
        let closed = close(&db, &campaign, START, Gaps::Accept).await.unwrap();
        assert_eq!((closed.attended, closed.missed, closed.again), (1, asked.len() - 1, again));
        assert_eq!((closed.unknown.on_kits, closed.unseated, closed.late), (1, 0, 0));
    }
    // The packet of somebody who was counted as missing comes after the day was closed; the new invitation is
    // answered by it.
    applies(&db, kits[0], late, true).await;
    let next: Date = sqlx::query_scalar(
        "SELECT s.day FROM invitation i JOIN slot s USING (slot_id) WHERE person_id = $1 AND i.round = 2",
    )
    .bind(late.uuid())
    .fetch_one(db.admin())
    .await
    .unwrap();
    assert!(next >= START + time::Duration::days(campaign::NOTICE_DAYS));
    let closed = close(&db, &campaign, next, Gaps::Accept).await.unwrap();
    assert_eq!(closed.attended, 1);
    let too_early = close(&db, &campaign, date!(2021 - 02 - 28), Gaps::Accept).await;
    assert!(matches!(too_early, Err(Error::Day { .. })));
    let not_begun = close(&db, &campaign, date!(2021 - 04 - 28), Gaps::Accept).await;
    assert!(matches!(not_begun, Err(Error::Day { .. })));
}

#[tokio::test]
async fn who_becomes_old_enough_is_invited() {
    let (db, scope, _) = district([130, 60, 1]).await;
    let campaign = opened(&db).await;
    sqlx::query("UPDATE person SET birth = 20070401 WHERE birth = 20150607")
        .execute(db.admin())
        .await
        .unwrap();
    let invite =
        async |day| campaign::invite(&db, Units::latest(), &campaign, day, &Actor::Centre, NOW).await;
    assert_eq!(invite(date!(2021 - 03 - 31)).await.unwrap(), Invited::default());
    let young = 26 - 1 + 12 - 1;
    let invited = invite(date!(2021 - 04 - 01)).await.unwrap();
    assert_eq!(invited, Invited { first: young, again: 0, unseated: 0 }, "kits come for them once more");
    assert_eq!(invite(date!(2021 - 04 - 01)).await.unwrap(), Invited::default());
    assert!(
        matches!(invite(date!(2021 - 06 - 10)).await, Err(Error::Day { .. })),
        "the deadline was before it"
    );
    let mut conn = db.work().acquire().await.unwrap();
    let standing = campaigns::areas(&mut conn, &scope).await.unwrap();
    assert_eq!(standing.iter().map(|area| area.invited).sum::<i64>(), 152 + young as i64);
}
