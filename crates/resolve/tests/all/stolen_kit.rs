//! A stolen kit whose packets are made as they should be: another unit, another day, more people than a shift
//! can hold. Each is a case of its own kind, and an honest team is asked nothing.

use time::Duration;
use time::macros::date;
use uuid::Uuid;

use crate::support::{
    NOW, Sent, application_id, entries, open, outcomes, person_id, population, register, send,
};
use domain::application::Kind;
use domain::id::{KitId, PersonId};
use resolve::{Identities, resolve_batch};
use store::UnitScope;
use testkit::FreshDatabase;

/// The unit of the applicants, and one that is not theirs.
const HOME: &str = "445";
const ABROAD: &str = "440";

/// The team whose packets [`send`] sends, at eight in the morning of 1 March 2021.
fn kit() -> KitId {
    KitId::derive(NOW, &[b"kit"])
}

async fn new_kit(db: &FreshDatabase, kit: KitId, unit: &str) {
    sqlx::query(
        "INSERT INTO kit (kit_id, name, unit_code, public_key, registered_at) \
         VALUES ($1, $1::text, $2, $3, $4)",
    )
    .bind(kit.uuid())
    .bind(unit)
    .bind(kit.uuid().as_bytes().repeat(4))
    .bind(NOW)
    .execute(db.admin())
    .await
    .unwrap();
}

struct Desk {
    db: FreshDatabase,
    ids: Identities,
    sent: Vec<Sent>,
}

impl Desk {
    /// A register of people who look like nobody else; the kit is registered in `unit`.
    async fn new(unit: &str) -> Desk {
        let db = testkit::fresh_database().await;
        register(&db, &entries(&population(400), 0)).await;
        new_kit(&db, kit(), unit).await;
        let ids = Identities::load(&db, &UnitScope::everything()).await.unwrap();
        Desk { db, ids, sent: Vec::new() }
    }

    /// A shift of this kit, or of another one, that begins so many hours after [`NOW`]. Returns its slot.
    async fn shift(&self, kit: KitId, hours: i64, seats: i16) -> Uuid {
        let slot = Uuid::now_v7();
        let at = NOW + Duration::hours(hours);
        sqlx::query(
            "INSERT INTO slot (slot_id, kit_id, unit_code, unit_path, site, day, shift, starts_at, minutes, \
             capacity, round) VALUES ($1, $2, '445', '42/445/', 'x', $3, 1, $4, 240, $5, 1)",
        )
        .bind(slot)
        .bind(kit.uuid())
        .bind(domain::clock::day_in_vietnam(at))
        .bind(at)
        .bind(seats)
        .execute(self.db.admin())
        .await
        .unwrap();
        slot
    }

    async fn invite(&self, person: PersonId, slot: Uuid) {
        sqlx::query(
            "INSERT INTO invitation (person_id, round, slot_id, slot_capacity, seat, unit_path, state, \
             invited_at) SELECT $1, 1, slot_id, capacity, 1, unit_path, 'invited', $3 FROM slot \
             WHERE slot_id = $2",
        )
        .bind(person.uuid())
        .bind(slot)
        .bind(NOW)
        .execute(self.db.admin())
        .await
        .unwrap();
    }

    /// So many people more, each of them who they say, whom the officer found in the register.
    async fn captures(&mut self, count: usize) -> Vec<String> {
        let population = population(400);
        let first = self.sent.len();
        let sent: Vec<Sent> = (first..first + count)
            .map(|number| Sent {
                application: application_id(number as u64),
                record: population.record(&population.people[number * 9]),
                claimed: Some(person_id(number * 9, 1)),
                fingers: (number, 1),
                kind: Kind::New,
            })
            .collect();
        send(&self.db, first as u64, &sent).await;
        resolve_batch(&self.db, &mut self.ids, open(&sent), NOW).await.unwrap();
        let found = outcomes(&self.db).await;
        let outcome = |sent: &Sent| {
            let (outcome, _, kind) = &found[&sent.application];
            kind.clone().unwrap_or_else(|| outcome.clone())
        };
        let outcomes = sent.iter().map(outcome).collect();
        self.sent.extend(sent);
        outcomes
    }

    /// Invited and walk-ins that were counted, over all shifts.
    async fn counted(&self) -> (i64, i64) {
        sqlx::query_as("SELECT coalesce(sum(invited), 0), coalesce(sum(walk_ins), 0) FROM kit_shift")
            .fetch_one(self.db.work())
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn a_stolen_kit_works_in_another_unit() {
    let mut desk = Desk::new(ABROAD).await;
    assert_eq!(desk.captures(1).await, ["kit_elsewhere"], "without a plan");
    let slot = desk.shift(kit(), 0, 42).await;
    assert_eq!(desk.captures(1).await, ["kit_elsewhere"], "in its shift");
    desk.invite(person_id(2 * 9, 1), slot).await;
    assert_eq!(desk.captures(1).await, ["kit_elsewhere"], "even of somebody with a seat");
}

#[tokio::test]
async fn a_stolen_kit_works_on_another_day() {
    let mut desk = Desk::new(HOME).await;
    desk.shift(kit(), 24, 42).await;
    assert_eq!(desk.captures(1).await, ["kit_off_shift"], "the day before its first");
    // Its shift began six and a half hours ago and ended two and a half hours ago.
    sqlx::query("UPDATE slot SET starts_at = starts_at - interval '30 hours 30 minutes'")
        .execute(desk.db.admin())
        .await
        .unwrap();
    assert_eq!(desk.captures(1).await, ["kit_off_shift"], "long after its shift");
    // A seat with another team is no seat with this one.
    let other = KitId::derive(NOW, &[b"other"]);
    new_kit(&desk.db, other, HOME).await;
    let elsewhere = desk.shift(other, 0, 42).await;
    desk.invite(person_id(2 * 9, 1), elsewhere).await;
    assert_eq!(desk.captures(1).await, ["kit_off_shift"], "of somebody who is invited elsewhere");
    assert_eq!(desk.counted().await, (0, 0));
}

#[tokio::test]
async fn a_stolen_kit_makes_more_people_than_its_shift_can_hold() {
    let mut desk = Desk::new(HOME).await;
    let slot = desk.shift(kit(), 0, 4).await;
    let mut expected = vec!["linked"; 6];
    expected.extend(["shift_overfull"; 2]);
    assert_eq!(desk.captures(8).await, expected, "four seats, and half as many again");
    // Sent in pieces it is the same, and whoever has a seat pays nothing for it.
    assert_eq!(desk.captures(1).await, ["shift_overfull"]);
    desk.invite(person_id(9 * 9, 1), slot).await;
    assert_eq!(desk.captures(1).await, ["linked"]);
    assert_eq!(desk.counted().await, (1, 9));
}

#[tokio::test]
async fn an_honest_team_is_asked_nothing_and_what_it_served_is_counted() {
    let mut desk = Desk::new(HOME).await;
    assert_eq!(desk.captures(1).await, ["linked"], "a kit without a plan is bound by its unit alone");
    let slot = desk.shift(kit(), 0, 42).await;
    desk.invite(person_id(2 * 9, 1), slot).await;
    assert_eq!(desk.captures(2).await, ["linked", "linked"]);
    assert_eq!(desk.counted().await, (1, 1));
    let scope = UnitScope::everything();
    let mut conn = desk.db.read().await.unwrap();
    let kits = store::plan::campaigns::kits_in_plan(&mut conn, &scope, date!(2021 - 03 - 01)).await.unwrap();
    assert_eq!((kits[0].served, kits[0].walk_ins), (1, 1));
}
