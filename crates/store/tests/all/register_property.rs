//! After any sequence of events the rows are what the events lead to, in a real database.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::json;
use sqlx::Row;
use time::macros::date;
use time::{Duration, OffsetDateTime};

use crate::people::{AT, HOME, correction, day, moved, number, resident, with_units};
use domain::field::Field;
use domain::id::{EventId, ImportId, PersonId};
use domain::person::{Event, Origin, Person, PinGround, Recorded, Refusal, admit, pair};
use domain::{Actor, PartialDate};
use store::register::people::records;
use store::register::record::{CivilEvent, Happening, NewPerson, Refused};
use store::register::{check_folds, person_as_of, record, register};
use testkit::FreshDatabase;

/// What is tried: the operation, of whom, with whom, and how.
type Try = (u8, usize, usize, u8);

/// Three people in the database and, beside them, as `domain::person` alone would have them.
struct World {
    people: Vec<Person>,
    hours: i64,
    /// Apart from the numbers and ids of other runs in the same database.
    run: u32,
    numbers: u32,
}

impl World {
    async fn new(db: &FreshDatabase, run: u32) -> World {
        let mut tx = db.begin().await.unwrap();
        let file = ImportId::derive(AT, &[&run.to_be_bytes()]);
        let mut people = Vec::new();
        for who in 0..3_u32 {
            let id = PersonId::derive(AT, &[&run.to_be_bytes(), &who.to_be_bytes()]);
            let record = resident((who < 2).then_some(run * 100 + who));
            let new = NewPerson {
                person_id: id,
                record: &record,
                name_fold: "NGUYEN THI HOA",
                unit_path: HOME,
                form_no: &id.to_string(),
                form_hash: &[0; 32],
            };
            assert_eq!(register(&mut tx, file, &Actor::Centre, AT, &[new]).await.unwrap().registered, 1);
            let event = Event::Registered { record: Box::new(record) };
            let legal_on = PartialDate::from_date(AT.date());
            people.push(admit(id, None, &Recorded { event, legal_on, recorded_at: AT }).unwrap());
        }
        store::commit(tx).await.unwrap();
        World { people, hours: 0, run, numbers: 10 }
    }

    fn now(&self) -> OffsetDateTime {
        AT + Duration::hours(self.hours)
    }

    /// What is to be recorded, and on which day it has effect.
    fn drawn(&mut self, (operation, who, with, how): Try) -> (Happening, PartialDate) {
        let id = self.people[who].id;
        let days = ["01/2020", "15/06/2020", "2020", "01/01/2021", "01/04/2021"];
        let legal_on = day(days[usize::from(how) % days.len()]);
        let since = (how % 3 > 0).then_some(legal_on);
        let one = |event| Happening::People(vec![(id, event)]);
        let what = match operation {
            0 | 1 => Happening::Merge { keep: id, drop: self.people[with].id, reason: json!({}) },
            2 | 3 => Happening::Split { kept: id, dropped: self.people[with].id },
            4 => {
                self.numbers += 1;
                let pin = number(self.run * 100 + self.numbers);
                one(Event::PinAssigned { pin, origin: Origin::Allocated })
            }
            5 => one(Event::PinEnded { ground: PinGround::EntryError }),
            6 | 7 => {
                let (field, value) = match how % 5 {
                    0 => (Field::Name, "Lê Thị Khác".to_owned()),
                    1 => (Field::Birth, format!("{}", 1980 + i16::from(how) % 9)),
                    2 => (Field::OldId, format!("18345{:04}", how)),
                    3 => (Field::Household, format!("H-{how}")),
                    _ => (Field::Religion, (how % 9).to_string()),
                };
                let Event::Corrected { changes, .. } = correction(1, field, &value).remove(0).1 else {
                    unreachable!("a correction is made")
                };
                one(Event::Corrected { changes, since })
            }
            8 => one(moved(1, ["18562", "21550", "18565"][usize::from(how) % 3]).remove(0).1),
            9 => one(Event::Reversed { version: usize::from(how) % (self.people[who].version() + 1) }),
            10 => one(Event::Died),
            11 => one(Event::DeathUndone),
            12 => one(Event::DeclaredMissing),
            13 => one(Event::Found),
            // The other person is told too: both or neither.
            _ => {
                let household = correction(1, Field::Household, &format!("H-{how}")).remove(0).1;
                Happening::People(vec![(id, household.clone()), (self.people[with].id, household)])
            }
        };
        (what, legal_on)
    }

    fn of(&self, id: PersonId) -> &Person {
        self.people.iter().find(|person| person.id == id).unwrap()
    }

    /// The same by `domain::person` alone.
    fn expect(&self, what: &Happening, legal_on: PartialDate) -> Result<Vec<Person>, Refusal> {
        let told = match what {
            Happening::People(told) => told.clone(),
            Happening::Merge { keep, drop, .. } => {
                let pair = pair::merge(self.of(*keep), self.of(*drop))?;
                let kept = pair.kept.map(|event| (*keep, event));
                [(*drop, pair.dropped)].into_iter().chain(kept).collect()
            }
            Happening::Split { kept, dropped } => {
                let pair = pair::split(self.of(*kept), self.of(*dropped))?;
                let told = pair.kept.map(|event| (*kept, event));
                told.into_iter().chain([(*dropped, pair.dropped)]).collect()
            }
        };
        let mut people = self.people.clone();
        for (id, event) in told {
            let person = people.iter_mut().find(|person| person.id == id).unwrap();
            *person = admit(id, Some(person), &Recorded { event, legal_on, recorded_at: self.now() })?;
        }
        Ok(people)
    }

    /// Sends some tries in one call and compares the answers.
    async fn attempt(&mut self, db: &FreshDatabase, tries: &[Try]) -> Result<(), TestCaseError> {
        self.hours += 1;
        let mut events = Vec::new();
        let mut refusals = Vec::new();
        for (index, one) in tries.iter().enumerate() {
            let (what, legal_on) = self.drawn(*one);
            let parts = [self.run.to_be_bytes(), (index as u32).to_be_bytes()];
            let event_id = EventId::derive(self.now(), &[&parts[0], &parts[1]]);
            match self.expect(&what, legal_on) {
                Ok(people) => self.people = people,
                Err(refusal) => refusals.push((event_id, Refused::Life(refusal))),
            }
            let (document_id, case_id, actor) = (None, None, Actor::Centre);
            events.push(CivilEvent { event_id, what, legal_on, document_id, case_id, actor });
        }
        let mut tx = db.begin().await.unwrap();
        let recorded = record(&mut tx, self.now(), &events).await.unwrap();
        store::commit(tx).await.unwrap();
        prop_assert_eq!(recorded.applied + recorded.refused.len(), events.len());
        prop_assert_eq!(recorded.refused, refusals);
        Ok(())
    }

    async fn holds(&self, db: &FreshDatabase) -> Result<(), TestCaseError> {
        let mut conn = db.work().acquire().await.unwrap();
        let ids: Vec<PersonId> = self.people.iter().map(|person| person.id).collect();
        let mut expected: Vec<_> = self.people.iter().map(|p| (p.id, p.record.clone())).collect();
        expected.sort_by_key(|(id, _)| *id);
        prop_assert_eq!(records(&mut conn, &ids).await.unwrap(), expected);
        for person in &self.people {
            let row = sqlx::query("SELECT status, same_as, version FROM person WHERE person_id = $1")
                .bind(person.id.uuid())
                .fetch_one(&mut *conn)
                .await
                .unwrap();
            let same_as: Option<uuid::Uuid> = row.get("same_as");
            prop_assert_eq!(row.get::<i16, _>("status"), person.status().code());
            prop_assert_eq!(same_as, person.status().same_as().map(PersonId::uuid));
            prop_assert_eq!(row.get::<i32, _>("version") as usize, person.version());
            for on in [date!(2020 - 01 - 31), date!(2020 - 06 - 15), date!(2021 - 04 - 01)] {
                for known_at in [self.now(), AT + Duration::hours(self.hours / 2)] {
                    let stored = person_as_of(&mut conn, person.id, on, known_at).await.unwrap();
                    prop_assert_eq!(stored, person.as_of(on, known_at).unwrap());
                }
            }
        }
        prop_assert_eq!(check_folds(&mut conn).await.unwrap(), vec![]);
        Ok(())
    }
}

#[test]
fn after_any_sequence_the_rows_are_the_fold_of_the_events() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let db = runtime.block_on(with_units());
    let run = std::cell::Cell::new(0_u32);
    let tries = proptest::collection::vec(
        proptest::collection::vec((0u8..15, 0usize..3, 0usize..3, any::<u8>()), 1..5),
        0..14,
    );
    let mut runner = TestRunner::new(Config { cases: 32, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&tries, |calls| {
        run.set(run.get() + 1);
        runtime.block_on(async {
            let mut world = World::new(&db, run.get()).await;
            for tries in &calls {
                world.attempt(&db, tries).await?;
            }
            world.holds(&db).await
        })
    });
    outcome.unwrap();
}
