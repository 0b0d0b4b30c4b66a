//! The reports on a database with applications in every state, sound and damaged.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use time::macros::date;
use uuid::Uuid;

use common::{DISTRICT, communes, fill, scope_of};
use domain::application::State;
use domain::id::ApplicationId;
use report::{
    Difference, Identity, KitDay, KitTotal, Seats, ages, burn_up, funnel, kits, ledger, progress, total,
};
use store::{Database, UnitScope};

/// The application with number `n` of [`fill`].
fn id(n: u128) -> ApplicationId {
    ApplicationId::from_uuid(Uuid::from_u128(0x7000_8000_0000_0000_0000 + n))
}

async fn read(db: &Database, scope: &UnitScope) -> Vec<Identity> {
    ledger(&mut db.work().acquire().await.unwrap(), scope).await.unwrap()
}

async fn filled() -> testkit::FreshDatabase {
    let db = testkit::fresh_database().await;
    fill(&db, 480).await;
    db
}

#[tokio::test]
async fn every_identity_holds_on_a_sound_database() {
    let db = filled().await;
    let mut conn = db.work().acquire().await.unwrap();
    assert_eq!(store::applications::check_folds(&mut conn).await.unwrap(), []);
    let identities = read(&db, &UnitScope::everything()).await;
    let lefts: Vec<(&str, i64)> = identities.iter().map(|identity| (identity.code, identity.left)).collect();
    let expected = [
        ("captured", 480),
        ("received", 440),
        ("accepted", 320),
        ("printed", 240),
        ("dispatched", 200),
        ("at_unit", 80),
        ("handed_over", 40),
    ];
    assert_eq!(lefts, expected);
    for identity in identities {
        assert!(identity.holds(), "{identity:?}");
    }
}

/// Does the damage, and expects that exactly `code` names exactly application `n`; then nothing is left of
/// it.
async fn damage(db: &testkit::FreshDatabase, sql: &'static str, code: &str, n: u128, what: &'static str) {
    let before = read(db, &UnitScope::everything()).await;
    assert!(before.iter().all(Identity::holds), "before {sql}");
    let mut tx = db.admin().begin().await.unwrap();
    let done = sqlx::query(sql).bind(id(n).uuid()).execute(&mut *tx).await.unwrap();
    assert_eq!(done.rows_affected(), 1, "{sql}");
    for scope in [UnitScope::everything(), scope_of(DISTRICT.parse().unwrap())] {
        for identity in ledger(&mut tx, &scope).await.unwrap() {
            let expected: &[Difference] =
                if identity.code == code { &[Difference { application: id(n), what }] } else { &[] };
            assert_eq!(identity.differences, expected, "{} after {sql}", identity.code);
            assert_eq!(identity.difference_count, expected.len() as i64);
            assert_eq!(identity.holds(), identity.code != code);
        }
    }
    tx.rollback().await.unwrap();
}

#[tokio::test]
async fn lost_evidence_is_named_by_its_identity() {
    let db = filled().await;
    let lost = [
        ("DELETE FROM application_action WHERE application_id = $1 AND action = 'capture'", "captured", 12),
        ("DELETE FROM packet WHERE application_id = $1", "received", 13),
        ("DELETE FROM application_action WHERE application_id = $1 AND action = 'accept'", "accepted", 16),
        ("DELETE FROM batch_item WHERE application_id = $1", "printed", 18),
        (
            "DELETE FROM consignment_item i USING consignment c WHERE application_id = $1 \
             AND c.consignment_id = i.consignment_id AND c.leg = 'district'",
            "dispatched",
            20,
        ),
        (
            "DELETE FROM consignment_item i USING consignment c WHERE application_id = $1 \
             AND c.consignment_id = i.consignment_id AND c.leg = 'commune'",
            "at_unit",
            23,
        ),
        ("DELETE FROM handover WHERE application_id = $1 AND attempt = 2", "handed_over", 23),
        ("UPDATE card SET state = 'personalised' WHERE application_id = $1", "handed_over", 35),
    ];
    for (sql, code, n) in lost {
        damage(&db, sql, code, n, "state_only").await;
    }
}

#[tokio::test]
async fn evidence_too_much_is_named_by_its_identity() {
    let db = filled().await;
    let added = [
        (
            "INSERT INTO packet (packet_id, kit_id, application_id, kit_seq, sha256, sealed, received_at) \
             VALUES (gen_random_uuid(), gen_random_uuid(), $1, 1, '', '', now())",
            "received",
            12,
        ),
        (
            "INSERT INTO application_action (application_id, seq, action, at, recorded_at, actor) \
             VALUES ($1, 9, 'accept', now(), now(), 'centre')",
            "accepted",
            14,
        ),
        ("UPDATE batch_item SET outcome = 'printed' WHERE application_id = $1", "printed", 17),
        (
            "INSERT INTO consignment_item (consignment_id, application_id) \
             SELECT consignment_id, $1 FROM consignment WHERE leg = 'district'",
            "dispatched",
            18,
        ),
        (
            "UPDATE consignment_item i SET received = true FROM consignment c WHERE i.application_id = $1 \
             AND c.consignment_id = i.consignment_id AND c.leg = 'commune'",
            "at_unit",
            21,
        ),
    ];
    for (sql, code, n) in added {
        damage(&db, sql, code, n, "evidence_only").await;
    }
    // A hand-over counts with its card only, so it takes both to claim one that its application does not
    // know.
    sqlx::query("UPDATE card SET state = 'active' WHERE application_id = $1")
        .bind(id(22).uuid())
        .execute(db.admin())
        .await
        .unwrap();
    let sql = "INSERT INTO handover (application_id, attempt, at, outcome, officer) \
               VALUES ($1, 2, now(), 'handed_over', '')";
    damage(&db, sql, "handed_over", 22, "evidence_only").await;
}

#[tokio::test]
async fn evidence_of_an_application_that_does_not_exist_is_named_in_the_countrys_ledger() {
    let db = filled().await;
    sqlx::query(
        "INSERT INTO packet (packet_id, kit_id, application_id, kit_seq, sha256, sealed, received_at) \
         VALUES (gen_random_uuid(), gen_random_uuid(), $1, 1, '', '', now())",
    )
    .bind(id(9_999).uuid())
    .execute(db.admin())
    .await
    .unwrap();
    let country = &read(&db, &UnitScope::everything()).await[1];
    assert_eq!(country.differences, [Difference { application: id(9_999), what: "evidence_only" }]);
    assert!(read(&db, &scope_of(DISTRICT.parse().unwrap())).await[1].holds());
}

#[tokio::test]
async fn a_card_that_a_newer_one_replaced_was_handed_over_all_the_same() {
    let db = filled().await;
    sqlx::query("UPDATE card SET state = 'replaced' WHERE application_id = $1")
        .bind(id(11).uuid())
        .execute(db.admin())
        .await
        .unwrap();
    assert!(read(&db, &UnitScope::everything()).await.iter().all(Identity::holds));
}

#[tokio::test]
async fn a_long_list_is_cut_and_still_counted() {
    let db = testkit::fresh_database().await;
    fill(&db, 12_000).await;
    sqlx::query("DELETE FROM handover").execute(db.admin()).await.unwrap();
    let identity = read(&db, &UnitScope::everything()).await.pop().unwrap();
    assert_eq!((identity.differences.len(), identity.difference_count), (500, 1_000));
    assert!(!identity.holds());
}

#[tokio::test]
async fn the_funnel_sums_and_a_commune_sees_its_own() {
    let db = filled().await;
    let mut conn = db.work().acquire().await.unwrap();
    let district = DISTRICT.parse().unwrap();
    let rows = funnel(&mut conn, &scope_of(district)).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.unit).collect::<Vec<_>>(), communes()[..4]);
    let all = total(&rows);
    assert_eq!((all.eligible, all.invited, all.captured, all.transmitted), (8_000, 480, 480, 440));
    assert_eq!((all.in_case, all.rejected, all.accepted, all.in_production), (40, 40, 320, 80));
    assert_eq!((all.printed, all.dispatched, all.at_unit, all.handed_over), (240, 200, 80, 40));
    let own = funnel(&mut conn, &scope_of(communes()[1])).await.unwrap();
    assert_eq!(own, rows[1..2]);
    let identities = read(&db, &scope_of(communes()[1])).await;
    assert!(identities.iter().all(Identity::holds));
    assert_eq!(identities[0].left, 120);
    let waiting = ages(&mut conn, &scope_of(communes()[1])).await.unwrap();
    assert_eq!(waiting.iter().map(|age| age.count).sum::<i64>(), 100);
    assert_eq!((waiting[0].state, waiting.len()), (State::Captured, 10));
}

#[tokio::test]
async fn progress_and_burn_up_count_by_the_day_in_vietnam() {
    let db = filled().await;
    let mut conn = db.work().acquire().await.unwrap();
    let district = DISTRICT.parse().unwrap();
    let scope = scope_of(district);
    // A third each on 1, 6 and 11 March; of the first third a quarter was rejected.
    for (day, people) in [(date!(2021 - 03 - 05), 120), (date!(2021 - 03 - 12), 440)] {
        let progress = progress(&mut conn, district, &scope, day).await.unwrap().unwrap();
        assert_eq!((progress.target, progress.done), (10_000, people));
    }
    let last = progress(&mut conn, district, &scope, date!(2021 - 03 - 31)).await.unwrap().unwrap();
    assert_eq!((last.done, last.printed, last.handed_over, last.achieved_per_day_7d), (440, 240, 40, 0.0));
    let commune =
        progress(&mut conn, communes()[0], &scope_of(communes()[0]), date!(2021 - 03 - 31)).await.unwrap();
    assert_eq!(commune.map(|p| (p.target, p.done)), Some((1_000, 110)));
    let other = "446".parse().unwrap();
    assert_eq!(progress(&mut conn, other, &scope_of(other), date!(2021 - 03 - 31)).await.unwrap(), None);

    let days = burn_up(&mut conn, &scope).await.unwrap();
    assert_eq!((days[0].date, days[0].people), (date!(2021 - 03 - 01), 120));
    assert!(days.windows(2).all(|pair| pair[0].date.next_day() == Some(pair[1].date)), "no gaps");
    assert_eq!(days[3].people, 120, "nothing happened on the 4th and the sum stays");
    let end = days.last().unwrap();
    assert_eq!((end.people, end.printed, end.handed_over), (440, 240, 40));

    // 18:00 UTC is the next day in Vietnam.
    sqlx::query("UPDATE application SET captured_at = '2021-03-02 18:00+00' WHERE application_id = $1")
        .bind(id(12).uuid())
        .execute(db.admin())
        .await
        .unwrap();
    let days = burn_up(&mut conn, &scope).await.unwrap();
    assert_eq!((days[0].people, days[1].people, days[2].people), (119, 119, 120));
}

#[tokio::test]
async fn people_are_counted_once_and_only_those_whom_the_target_counts() {
    let db = filled().await;
    let district = DISTRICT.parse().unwrap();
    let scope = scope_of(district);
    // Of 440 people with a live application: what is done to which of them, and how many are left.
    let changes = [
        (
            "a second application of a person",
            "UPDATE application SET person_id = {2} WHERE application_id = {1}",
            439,
        ),
        (
            "the same, before it is linked",
            "UPDATE application SET person_id = NULL, claimed_person_id = {2} WHERE application_id = {1}",
            439,
        ),
        (
            "claimed and not linked yet",
            "UPDATE application SET person_id = NULL, claimed_person_id = {1} WHERE application_id = {1}",
            440,
        ),
        (
            "nobody knows yet whose it is",
            "UPDATE application SET person_id = NULL WHERE application_id = {1}",
            439,
        ),
        ("rejected", "UPDATE application SET state = 'rejected' WHERE application_id = {1}", 439),
        (
            "merged into a person with an application",
            "UPDATE person SET status = 3, same_as = {2} WHERE person_id = {1}",
            439,
        ),
        ("dead", "UPDATE person SET status = 2 WHERE person_id = {1}", 439),
        ("14 the day after", "UPDATE person SET birth = 20070302 WHERE person_id = {1}", 439),
        ("14 on the day", "UPDATE person SET birth = 20070301 WHERE person_id = {1}", 440),
        (
            "13 if the month's last day is meant",
            "UPDATE person SET birth = 20070300 WHERE person_id = {1}",
            439,
        ),
        ("at home elsewhere", "UPDATE person SET unit_path = '42/446/18600/' WHERE person_id = {1}", 439),
    ];
    for (what, sql, people) in changes {
        let mut tx = db.admin().begin().await.unwrap();
        // Numbers 13 and 14 are received and in a case, captured on 6 and 11 March.
        let [first, second] = [13, 14].map(|n| format!("'{}'::uuid", id(n).uuid()));
        let sql = sql.replace("{1}", &first).replace("{2}", &second);
        let done = sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *tx).await.unwrap();
        assert_eq!(done.rows_affected(), 1, "{what}");
        let progress = progress(&mut tx, district, &scope, date!(2021 - 03 - 31)).await.unwrap().unwrap();
        assert_eq!(progress.done, people, "{what}");
        assert_eq!(burn_up(&mut tx, &scope).await.unwrap().last().unwrap().people, people, "{what}");
        tx.rollback().await.unwrap();
    }
    // The application of a record that was merged away is its survivor's, also over two mergers.
    let mut tx = db.begin().await.unwrap();
    for (merged, survivor) in [(13, 14), (14, 16)] {
        sqlx::query("UPDATE person SET status = 3, same_as = $2 WHERE person_id = $1")
            .bind(id(merged).uuid())
            .bind(id(survivor).uuid())
            .execute(&mut *tx)
            .await
            .unwrap();
    }
    sqlx::query("UPDATE application SET state = 'rejected' WHERE application_id = ANY($1)")
        .bind(vec![id(14).uuid(), id(16).uuid()])
        .execute(&mut *tx)
        .await
        .unwrap();
    let progress = progress(&mut tx, district, &scope, date!(2021 - 03 - 31)).await.unwrap().unwrap();
    assert_eq!(progress.done, 438);
}

#[tokio::test]
async fn seats_to_come_end_with_the_last_day_that_counts() {
    let db = filled().await;
    let district = DISTRICT.parse().unwrap();
    let scope = scope_of(district);
    let mut tx = db.begin().await.unwrap();
    let sql = "UPDATE invitation SET state = 'missed' WHERE seat % 4 = 0;
        INSERT INTO slot (slot_id, kit_id, unit_code, unit_path, site, day, shift, starts_at, minutes,
                          capacity, round)
        SELECT gen_random_uuid(), s.kit_id, s.unit_code, s.unit_path, '', d.day, 1, d.day + interval '8 h', \
        60,
               100, 1
        FROM (SELECT * FROM slot LIMIT 1) s,
             (VALUES ('2021-03-20'::date), ('2021-06-09'), ('2021-06-10')) AS d (day)";
    sqlx::raw_sql(sql).execute(&mut *tx).await.unwrap();
    let mut at = async |day, wording: &'static str| {
        sqlx::query("UPDATE target SET deadline_wording = $1").bind(wording).execute(&mut *tx).await.unwrap();
        progress(&mut tx, district, &scope, day).await.unwrap().unwrap().seats
    };
    let (attended, missed) = (360, 120);
    let seats = |planned| Seats { planned, attended, missed };
    assert_eq!(at(date!(2021 - 03 - 19), "before").await, seats(200), "10 June no longer counts");
    assert_eq!(at(date!(2021 - 03 - 19), "through").await, seats(300), "10 June still counts");
    assert_eq!(at(date!(2021 - 03 - 20), "through").await, seats(200), "the day itself is over");
    assert_eq!(at(date!(2021 - 02 - 28), "through").await.attendance_tenths(), None, "nobody was due yet");
}

/// The fixture's applications as one kit's, which reported on 1 and 6 March; a third of them came later.
async fn with_kit_reports() -> testkit::FreshDatabase {
    let db = filled().await;
    let kit = "'00000000-0000-7000-8000-000000000003'";
    let sql = format!(
        "UPDATE application SET kit_id = {kit}; UPDATE packet SET kit_id = {kit}; \
         INSERT INTO kit_report (kit_id, day, captured, unsent, captured_total, reported_at, message) VALUES \
         ({kit}, '2021-03-01', 160, 0, 160, '2021-03-01 22:30+07', ''), \
         ({kit}, '2021-03-06', 160, 0, 320, '2021-03-06 22:30+07', '')"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(db.admin()).await.unwrap();
    db
}

async fn kit(db: &Database) -> KitTotal {
    let mut conn = db.work().acquire().await.unwrap();
    kits(&mut conn, &scope_of(DISTRICT.parse().unwrap())).await.unwrap().pop().unwrap()
}

#[tokio::test]
async fn a_kits_own_total_is_the_captures_that_the_centre_knows() {
    let db = with_kit_reports().await;
    let total = kit(&db).await;
    assert!(total.agrees(), "{total:?}");
    assert_eq!((total.own, total.known, total.days.len(), total.missing.len()), (320, 320, 0, 0));
    // A capture that is recorded twice is one application.
    sqlx::query(
        "INSERT INTO application_action (application_id, seq, action, at, recorded_at, actor) \
         VALUES ($1, 99, 'capture', '2021-03-01 11:00+07', now(), 'kit:x')",
    )
    .bind(id(15).uuid())
    .execute(db.admin())
    .await
    .unwrap();
    assert!(kit(&db).await.agrees());
    let mut conn = db.work().acquire().await.unwrap();
    assert_eq!(kits(&mut conn, &scope_of(communes()[0])).await.unwrap(), [], "a kit serves a district");
    assert_eq!(kits(&mut conn, &scope_of("446".parse().unwrap())).await.unwrap(), []);
}

#[tokio::test]
async fn a_kit_that_counts_otherwise_is_named_with_the_day_and_the_counters() {
    let db = with_kit_reports().await;
    sqlx::query("DELETE FROM application_action WHERE application_id = $1 AND action = 'capture'")
        .bind(id(12).uuid())
        .execute(db.admin())
        .await
        .unwrap();
    let total = kit(&db).await;
    assert!(!total.agrees());
    assert_eq!((total.own, total.known), (320, 319));
    assert_eq!(total.days, [KitDay { day: date!(2021 - 03 - 01), own: 160, known: 159 }]);
    assert!(total.missing.contains(&(12, 12)), "{:?}", total.missing);
    // The other way round: the centre knows of captures that the kit has no count of.
    sqlx::query("UPDATE kit_report SET captured = 158, captured_total = 318 WHERE day = '2021-03-06'")
        .execute(db.admin())
        .await
        .unwrap();
    let total = kit(&db).await;
    assert_eq!((total.own, total.known, total.days.len()), (318, 319, 2));
}
