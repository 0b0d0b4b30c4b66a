//! After any sequence of events the row is their fold, what was known is a replay, and undoing restores.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use time::macros::date;
use time::{Duration, OffsetDateTime};

use crate::world::{
    HOME, NOW, change, corrected, decided, died, enter, event_id, person, resident, reversed, send, sound,
    world,
};
use domain::ResidentRecord;
use register::NewEvent;
use store::UnitScope;
use store::register::{people, person_as_of};
use testkit::FreshDatabase;

/// What is tried and how.
type Try = (u8, u8);

/// An event under a name of its own; of whom it is about there is one number.
fn drawn(name: &str, who: u32, (what, how): Try, last: Option<&str>) -> NewEvent {
    let name_of = |prefix: &str| format!("{prefix}{name}");
    let since = ["always", "2020", "06/2020", "01/02/2021"][usize::from(how) % 4];
    let with = |values: &[(&str, &str)]| NewEvent {
        since: Some(since.to_owned()),
        ..corrected(&name_of(""), who, values)
    };
    match what {
        0 | 1 => with(&[("name", ["Lê Thị Hoa", "Nguyễn Thị Hòa", "Nguyễn Thị Hoa"][usize::from(how) % 3])]),
        2 => with(&[("religion", ["1", "2", "3"][usize::from(how) % 3])]),
        3 => with(&[("birth", ["1991", "02/1992", "15/03/1990"][usize::from(how) % 3]), ("household", "H1")]),
        4 => {
            let added = vec![change("old_id", ["183456789", "183456780"][usize::from(how) % 2])];
            NewEvent { since: None, changes: added, ..corrected(&name_of(""), who, &[]) }
                .of_kind("supplemented")
        }
        5 => crate::world::moved(&name_of(""), who, ["18565", "18562", "18568"][usize::from(how) % 3]),
        6 => died(&name_of(""), who, name),
        7 => decided(&name_of(""), who, "death_undone"),
        8 => decided(&name_of(""), who, "declared_missing"),
        9 => decided(&name_of(""), who, "found"),
        _ => reversed(&name_of(""), who, last.unwrap_or("none")),
    }
}

trait OfKind {
    fn of_kind(self, kind: &str) -> Self;
}

impl OfKind for NewEvent {
    fn of_kind(mut self, kind: &str) -> NewEvent {
        kind.clone_into(&mut self.kind);
        self
    }
}

/// Moves lead out of the district, and back.
fn everywhere() -> UnitScope {
    UnitScope::everything()
}

async fn row(db: &FreshDatabase, who: u32) -> ResidentRecord {
    let mut conn = db.work().acquire().await.unwrap();
    people::records(&mut conn, &[person(who)]).await.unwrap().remove(0).1
}

async fn known(db: &FreshDatabase, who: u32, at: OffsetDateTime) -> ResidentRecord {
    let mut conn = db.work().acquire().await.unwrap();
    person_as_of(&mut conn, person(who), date!(9999 - 12 - 31), at).await.unwrap().unwrap()
}

async fn holds(db: &FreshDatabase, who: u32, tries: &[Try]) -> Result<(), TestCaseError> {
    enter(db, &[(who, HOME)]).await;
    let (mut rows, mut last) = (vec![(NOW - Duration::hours(1), resident(who, HOME))], None);
    for (index, one) in tries.iter().enumerate() {
        let at = NOW + Duration::minutes(i64::try_from(index).unwrap());
        let name = format!("{who}-{index}");
        let event = drawn(&name, who, *one, last.as_deref());
        let before = row(db, who).await;
        match send(db, &everywhere(), at, &event, None).await {
            Ok(outcome) => {
                prop_assert_eq!(outcome.event_id, event_id(&name));
                // Sent again it is answered as before, whatever the record is now.
                let again = send(db, &everywhere(), at, &event, None).await.unwrap();
                prop_assert_eq!((again.version, again.repeated), (outcome.version, true));
                last = (event.kind != "reversed").then(|| name.clone());
                // Every second correction or move is taken back at once, and leaves what was there before it.
                if one.0 < 6 && one.1 % 2 == 0 {
                    let undo = reversed(&format!("{name}-undo"), who, &name);
                    send(db, &everywhere(), at, &undo, None).await.expect("nothing came after it");
                    prop_assert_eq!(&row(db, who).await, &before, "undone");
                }
            }
            Err(faults) => {
                prop_assert!(!faults.is_empty());
                prop_assert_eq!(&row(db, who).await, &before, "a refused event changes nothing");
            }
        }
        rows.push((at, row(db, who).await));
    }
    for (at, then) in &rows {
        prop_assert_eq!(&known(db, who, *at).await, then, "what was known then is what the row was then");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn after_any_sequence_the_row_is_the_fold_and_what_was_known_is_a_replay() {
    let db = world().await;
    let mut runner = TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() });
    let handle = tokio::runtime::Handle::current();
    let who = std::cell::Cell::new(100_u32);
    let tries = proptest::collection::vec((0_u8..12, any::<u8>()), 1..12);
    tokio::task::block_in_place(|| {
        runner
            .run(&tries, |tries| {
                who.set(who.get() + 1);
                handle.block_on(holds(&db, who.get(), &tries))
            })
            .unwrap();
    });
    sound(&db).await;
}
