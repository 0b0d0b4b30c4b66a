use proptest::prelude::*;
use time::Duration;
use time::macros::{date, datetime};
use uuid::Uuid;

use super::*;
use crate::record::Place;
use crate::record::tests::{another, person as resident};

const START: OffsetDateTime = datetime!(2021-03-01 02:00 UTC);

fn id(number: usize) -> PersonId {
    PersonId::from_uuid(Uuid::from_u128(number as u128 + 1))
}

fn pin(number: u32) -> Pin {
    Pin::compose(42, crate::Sex::Female, 1986, number).unwrap()
}

fn day(text: &str) -> PartialDate {
    PartialDate::parse(text).unwrap()
}

fn recorded(event: Event, legal_on: &str, hours: i64) -> Recorded {
    let recorded_at = START + Duration::hours(hours);
    Recorded { event, legal_on: day(legal_on), recorded_at }
}

fn registration(record: ResidentRecord) -> Recorded {
    recorded(Event::Registered { record: Box::new(record) }, "01/03/2021", 0)
}

fn change(field: Field, part: Part, value: &str) -> Change {
    Change { field, part, value: Some(value.to_owned()) }
}

fn corrected(field: Field, value: &str, since: Option<&str>) -> Event {
    Event::Corrected { changes: vec![change(field, Part::Whole, value)], since: since.map(day) }
}

fn moved(unit: &str, detail: &str) -> Event {
    let permanent = Place { unit: unit.parse().unwrap(), detail: detail.to_owned() };
    Event::Moved { permanent, current: None }
}

fn readdressed(unit: &str) -> Event {
    Event::Readdressed { permanent: unit.parse().unwrap(), current: None }
}

/// The person after these events, each an hour after the other.
fn after(events: &[(Event, &str)]) -> Result<Person, Refusal> {
    let mut history = vec![registration(resident())];
    for (index, (event, legal_on)) in events.iter().enumerate() {
        history.push(recorded(event.clone(), legal_on, index as i64 + 1));
    }
    fold(id(0), &history).map(|person| person.expect("registered"))
}

fn check_refused(events: &[(Event, &str)], expected: Refusal) {
    assert_eq!(after(events), Err(expected));
}

#[test]
fn registration_writes_no_facts_and_a_first_change_saves_what_it_displaces() {
    let person = after(&[]).unwrap();
    assert_eq!((person.facts.len(), person.version(), person.status()), (0, 1, Status::Alive));
    let person = after(&[(corrected(Field::Religion, "3", Some("2020")), "01/03/2021")]).unwrap();
    let facts: Vec<_> =
        person.facts.iter().map(|f| (f.version, f.value.as_deref(), f.valid_from, f.valid_to)).collect();
    assert_eq!(facts, [(1, Some("0"), None, None), (2, Some("3"), Some(day("2020")), None)]);
    assert_eq!(person.record.religion, 3);
}

#[test]
fn a_record_is_told_by_day_and_by_what_was_known() {
    let person = after(&[(moved("18565", "Thôn 9"), "28/02/2021")]).unwrap();
    let detail = |on, known_at| person.as_of(on, known_at).unwrap().map(|record| record.permanent.detail);
    let (before, since) = (date!(2021 - 02 - 27), date!(2021 - 02 - 28));
    let (unknown, known) = (START, START + Duration::hours(1));
    assert_eq!(after(&[(moved("18565", "Thôn 9"), "03/03/2021")]), Err(Refusal::Future(Kind::Moved)));
    assert_eq!(detail(since, START - Duration::hours(1)), None);
    assert_eq!(detail(since, unknown).as_deref(), Some("Thôn 4"));
    assert_eq!(detail(before, known).as_deref(), Some("Thôn 4"));
    assert_eq!(detail(since, known).as_deref(), Some("Thôn 9"));
}

#[test]
fn a_late_paper_does_not_undo_what_came_after_it() {
    let person =
        after(&[(moved("18565", "Thôn 9"), "01/02/2021"), (moved("18568", "Thôn 7"), "01/01/2021")]).unwrap();
    let detail = |on| person.as_of(on, person_knows()).unwrap().unwrap().permanent.detail;
    assert_eq!(person.record.permanent.detail, "Thôn 9");
    assert_eq!(detail(date!(2020 - 12 - 31)), "Thôn 4");
    assert_eq!(detail(date!(2021 - 01 - 31)), "Thôn 7");
    assert_eq!(detail(date!(2021 - 02 - 01)), "Thôn 9");
}

/// An instant by which everything is known.
fn person_knows() -> OffsetDateTime {
    START + Duration::days(10_000)
}

#[test]
fn only_the_latest_change_of_a_field_is_taken_back_and_once() {
    let religion = |value: &str| (corrected(Field::Religion, value, None), "01/03/2021");
    let back = |version| (Event::Reversed { version }, "01/03/2021");
    let person = after(&[religion("3"), religion("4"), back(3), back(2)]).unwrap();
    assert_eq!(person.record, resident());
    check_refused(&[religion("3"), religion("4"), back(2)], Refusal::Superseded { version: 2, by: 3 });
    check_refused(&[religion("3"), back(2), back(2)], Refusal::NotReversible { version: 2 });
    check_refused(&[back(1)], Refusal::NotReversible { version: 1 });
    check_refused(&[back(0)], Refusal::NotReversible { version: 0 });
    let known_before = person.as_of(date!(2021 - 03 - 01), START + Duration::hours(2)).unwrap().unwrap();
    assert_eq!(known_before.religion, 4, "what was believed then stays told");
}

#[test]
fn deaths_and_disappearances_are_undone_as_they_were() {
    let on = "20/02/2021";
    let statuses = |events: &[(Event, &str)]| after(events).map(|person| person.status());
    let missing = (Event::DeclaredMissing, on);
    let died = (Event::Died, on);
    assert_eq!(statuses(&[missing.clone(), died.clone()]), Ok(Status::Dead));
    let undone = statuses(&[missing.clone(), died.clone(), (Event::DeathUndone, on)]);
    assert_eq!(undone, Ok(Status::Missing), "as it was before the death");
    assert_eq!(statuses(&[missing, (Event::Found, on)]), Ok(Status::Alive));
    let status = Status::Dead;
    check_refused(&[died.clone(), died.clone()], Refusal::NotNow { kind: Kind::Died, status });
    check_refused(&[died, (moved("18565", ""), on)], Refusal::NotNow { kind: Kind::Moved, status });
    check_refused(&[(Event::Died, "06/11/1986")], Refusal::BeforeBirth(Kind::Died));
    check_refused(&[(Event::Died, "03/03/2021")], Refusal::Future(Kind::Died));
}

#[test]
fn a_number_is_cancelled_on_a_ground_and_never_comes_back() {
    let on = "01/03/2021";
    let ended = (Event::PinEnded { ground: PinGround::BirthYear }, on);
    let given = |number| (Event::PinAssigned { pin: pin(number), origin: Origin::Reestablished }, on);
    let person = after(&[ended.clone(), given(7)]).unwrap();
    assert_eq!((person.pin(), person.record.pin), (Some(pin(7)), Some(pin(7))));
    let early = (Event::PinAssigned { pin: pin(7), origin: Origin::Reestablished }, "01/01/2020");
    let person = after(&[ended.clone(), early]).unwrap();
    let held = |day| person.as_of(day, person_knows()).unwrap().unwrap().pin;
    assert_eq!((person.record.pin, held(date!(2021 - 02 - 28))), (Some(pin(7)), Some(pin(1))));
    check_refused(&[ended.clone(), given(1)], Refusal::NumberCancelled);
    check_refused(&[ended.clone(), ended.clone()], Refusal::NoNumber);
    check_refused(&[given(7)], Refusal::HasNumber);
    let typed = (corrected(Field::Pin, "042186000009", None), on);
    check_refused(&[typed], Refusal::NumberByCorrection);
}

#[test]
fn what_makes_no_record_is_refused_with_all_its_faults() {
    let on = "01/03/2021";
    let changes =
        vec![change(Field::Sex, Part::Whole, "7"), change(Field::Spouse, Part::Pin, "042186000009")];
    let Err(Refusal::Fields(faults)) = after(&[(Event::Corrected { changes, since: None }, on)]) else {
        panic!("a record without its parts was taken");
    };
    assert_eq!(faults.iter().map(FieldFault::field).collect::<Vec<_>>(), [Field::Sex, Field::Spouse]);
    let twice = change(Field::Religion, Part::Whole, "3");
    let changes = vec![twice.clone(), twice];
    let refusal = Refusal::Twice { field: Field::Religion, part: Part::Whole };
    check_refused(&[(Event::Corrected { changes, since: None }, on)], refusal);
    check_refused(&[(corrected(Field::Religion, "0", None), on)], Refusal::Nothing(Kind::Corrected));
    check_refused(&[(moved("18562", "Thôn 4"), on)], Refusal::Nothing(Kind::Moved));
    check_refused(&[(registration(resident()).event, on)], Refusal::AlreadyRegistered);
    let unregistered = fold(id(0), &[recorded(Event::Died, on, 0)]);
    assert_eq!(unregistered, Err(Refusal::NotRegistered(Kind::Died)));
}

#[test]
fn parts_of_a_field_that_begin_on_different_days_must_make_a_record_on_each() {
    let on = "01/03/2021";
    let part = |part, value, since| {
        let changes = vec![change(Field::Spouse, part, value)];
        (Event::Corrected { changes, since: Some(day(since)) }, on)
    };
    let name = part(Part::Name, "Lê Văn Khác", "2015");
    assert!(after(&[name.clone(), part(Part::Pin, "042086000009", "2016")]).is_ok());
    let early = after(&[name, part(Part::Pin, "042086000009", "2014")]);
    assert!(matches!(early, Err(Refusal::Fields(_))), "{early:?}");
}

#[test]
fn codes_lead_back_to_their_values() {
    for kind in Kind::ALL {
        assert_eq!(Kind::from_code(kind.code()), Some(kind));
    }
    for ground in PinGround::ALL {
        assert_eq!(PinGround::from_code(ground.code()), Some(ground));
    }
    for status in [Status::Alive, Status::Dead, Status::Missing, Status::Merged { into: id(1) }] {
        assert_eq!(Status::from_columns(status.code(), status.same_as()), Some(status));
    }
    assert_eq!(Status::from_columns(3, None), None);
    assert_eq!(Status::from_columns(1, Some(id(1))), None);
}

#[test]
fn merges_and_splits_are_written_as_they_are_stored() {
    let written = |event: &Event| serde_json::to_value(event).unwrap();
    let into = id(1);
    let merged = Event::Merged { into, pin_moved: true };
    assert_eq!(
        written(&merged),
        serde_json::json!({ "kind": "merged", "into": into.uuid(), "pin_moved": true })
    );
    // What was stored before has a reason beside it.
    let stored = serde_json::json!({
        "kind": "merged", "into": into.uuid(), "pin_moved": true, "reason": { "by": "centre" },
    });
    assert_eq!(serde_json::from_value::<Event>(stored).unwrap(), merged);
    let split = serde_json::json!({ "kind": "split", "from": into.uuid() });
    assert_eq!(serde_json::from_value::<Event>(split).unwrap(), Event::Split { from: into });
    for event in [
        registration(resident()).event,
        corrected(Field::Religion, "3", Some("2020")),
        moved("18565", "Thôn 9"),
        Event::PinAssigned { pin: pin(3), origin: Origin::Merged { from: into } },
        Event::Died,
    ] {
        assert_eq!(written(&event)["kind"], event.kind().code());
        assert_eq!(serde_json::from_value::<Event>(written(&event)).unwrap(), event);
    }
}

/// A small register: three records, of which the third has no number, and what was recorded of each.
struct World {
    people: Vec<Person>,
    histories: Vec<Vec<Recorded>>,
    hours: i64,
    next_number: u32,
}

/// What is tried: the operation, of whom, with whom, and how.
type Try = (u8, usize, usize, u8);

impl World {
    fn new() -> World {
        let records = [1u32, 2, 0]
            .map(|number| ResidentRecord { pin: (number > 0).then(|| pin(number)), ..resident() });
        let histories: Vec<_> = records.map(|record| vec![registration(record)]).to_vec();
        let people = histories.iter().enumerate().map(|(n, h)| fold(id(n), h).unwrap().unwrap()).collect();
        World { people, histories, hours: 0, next_number: 10 }
    }

    /// Records one event of several people, or none of it.
    fn record(&mut self, events: Vec<(usize, Event)>, legal_on: &str) -> Result<(), Refusal> {
        self.hours += 1;
        let mut admitted = Vec::new();
        for (who, event) in events {
            let recorded = recorded(event, legal_on, self.hours);
            admitted.push((who, admit(id(who), Some(&self.people[who]), &recorded)?, recorded));
        }
        for (who, person, recorded) in admitted {
            self.people[who] = person;
            self.histories[who].push(recorded);
        }
        Ok(())
    }

    fn merge(&mut self, keep: usize, drop: usize) -> Result<(), Refusal> {
        let pair = pair::merge(&self.people[keep], &self.people[drop])?;
        let kept = pair.kept.map(|event| (keep, event));
        self.record([(drop, pair.dropped)].into_iter().chain(kept).collect(), "01/03/2021")
    }

    fn split(&mut self, kept: usize, dropped: usize) -> Result<(), Refusal> {
        let pair = pair::split(&self.people[kept], &self.people[dropped])?;
        let kept = pair.kept.map(|event| (kept, event));
        self.record(kept.into_iter().chain([(dropped, pair.dropped)]).collect(), "01/03/2021")
    }

    fn attempt(&mut self, (operation, who, with, how): Try) -> Result<(), Refusal> {
        let months = ["01/2020", "15/06/2020", "2020", "01/01/2021"];
        let legal_on = months[usize::from(how) % months.len()];
        let since = (how % 3 > 0).then_some(legal_on);
        let one = |event| vec![(who, event)];
        match operation {
            0 | 1 => self.merge(who, with),
            2 | 3 => self.split(who, with),
            4 => {
                self.next_number += 1;
                let (pin, origin) = (pin(self.next_number), Origin::Allocated);
                self.record(one(Event::PinAssigned { pin, origin }), legal_on)
            }
            5 => self.record(one(Event::PinEnded { ground: PinGround::EntryError }), legal_on),
            6 => {
                let field = Field::ALL[usize::from(how) % Field::ALL.len()];
                let changes =
                    field.parts().iter().map(|&part| change(field, part, another(field, part))).collect();
                self.record(one(Event::Corrected { changes, since: since.map(day) }), legal_on)
            }
            7 => self.record(one(corrected(Field::Religion, &(how % 9).to_string(), since)), legal_on),
            8 => {
                let unit = ["18562", "18565", "18568"][usize::from(how) % 3];
                self.record(one(moved(unit, "Thôn 1")), legal_on)
            }
            9 => {
                let version = usize::from(how) % (self.people[who].version() + 1);
                self.record(one(Event::Reversed { version }), legal_on)
            }
            10 => self.record(one(Event::Died), legal_on),
            11 => self.record(one(Event::DeathUndone), legal_on),
            12 => self.record(one(Event::DeclaredMissing), legal_on),
            13 => self.record(one(Event::Found), legal_on),
            _ => self.record(one(readdressed(["18562", "18565"][usize::from(how % 2)])), legal_on),
        }
    }

    fn holds(&self) -> Result<(), TestCaseError> {
        let mut current: Vec<Pin> = Vec::new();
        for (person, history) in self.people.iter().zip(&self.histories) {
            let folded = fold(person.id, history).unwrap();
            prop_assert_eq!(folded.as_ref(), Some(person), "the row is the fold");
            let held = person.numbers.iter().filter(|held| held.ended.is_none());
            let held: Vec<Pin> = held.map(|held| held.pin).collect();
            prop_assert!(held.len() <= 1, "one current number at most");
            prop_assert_eq!(person.record.pin, held.first().copied());
            current.extend(held);
            let first = history[0].clone();
            let registered = fact::as_registered(&person.record, &person.facts).unwrap();
            prop_assert_eq!(first.event, Event::Registered { record: Box::new(registered) });
            for length in 1..=history.len() {
                let replayed = fold(person.id, &history[..length]).unwrap().unwrap();
                let known_at = history[length - 1].recorded_at;
                prop_assert_eq!(person.as_of(Date::MAX, known_at).unwrap(), Some(replayed.record.clone()));
                for on in [date!(2020 - 01 - 31), date!(2020 - 06 - 15), date!(2021 - 01 - 01)] {
                    let then = replayed.as_of(on, known_at).unwrap();
                    prop_assert_eq!(person.as_of(on, known_at).unwrap(), then);
                }
            }
        }
        let count = current.len();
        current.sort();
        current.dedup();
        prop_assert_eq!(current.len(), count, "no number has two holders");
        Ok(())
    }

    fn refuses_all_but_the_split(&self, person: &Person) {
        let into = person.merged_into.expect("merged");
        let events = [
            corrected(Field::Religion, "5", None),
            moved("18565", "Thôn 2"),
            Event::PinAssigned { pin: pin(999), origin: Origin::Allocated },
            Event::PinEnded { ground: PinGround::Sex },
            Event::Died,
            Event::DeathUndone,
            Event::DeclaredMissing,
            Event::Found,
            Event::Merged { into: id(9), pin_moved: false },
            Event::Reversed { version: 2 },
        ];
        for event in events {
            let kind = event.kind();
            let answer = admit(person.id, Some(person), &recorded(event, "01/03/2021", self.hours));
            assert_eq!(answer, Err(Refusal::Merged { kind, into }));
        }
        let split = recorded(Event::Split { from: into }, "01/03/2021", self.hours);
        assert!(admit(person.id, Some(person), &split).is_ok());
    }
}

#[test]
fn a_number_moves_with_a_merge_and_returns_with_the_split_even_if_it_was_cancelled_meanwhile() {
    let mut world = World::new();
    world.merge(2, 0).unwrap();
    assert_eq!((world.people[2].pin(), world.people[0].pin()), (Some(pin(1)), None));
    assert_eq!(world.people[0].status(), Status::Merged { into: id(2) });
    world.record(vec![(2, Event::PinEnded { ground: PinGround::EntryError })], "01/03/2021").unwrap();
    let given = Event::PinAssigned { pin: pin(8), origin: Origin::Reestablished };
    world.record(vec![(2, given)], "01/03/2021").unwrap();
    world.split(2, 0).unwrap();
    assert_eq!((world.people[2].pin(), world.people[0].pin()), (Some(pin(8)), Some(pin(1))));
    assert_eq!(world.people[0].status(), Status::Alive);
    world.merge(1, 2).unwrap();
    assert_eq!(world.people[1].pin(), Some(pin(2)), "a number of its own stays");
    world.merge(0, 1).unwrap();
    let refused = pair::split(&world.people[1], &world.people[2]);
    assert_eq!(refused, Err(Refusal::KeptIsMerged { into: id(0) }));
    assert_eq!(pair::split(&world.people[0], &world.people[2]), Err(Refusal::NotFrom(id(0))));
    assert_eq!(pair::merge(&world.people[0], &world.people[0]), Err(Refusal::SamePerson));
    world.split(0, 1).unwrap();
    world.split(1, 2).unwrap();
    let pins: Vec<_> = world.people.iter().map(Person::pin).collect();
    assert_eq!(pins, [Some(pin(1)), Some(pin(2)), Some(pin(8))]);
}

fn tries() -> impl Strategy<Value = Vec<Try>> {
    proptest::collection::vec((0u8..15, 0usize..3, 0usize..3, any::<u8>()), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn after_any_sequence_the_row_is_the_fold_and_no_number_is_current_twice(tries in tries()) {
        let mut world = World::new();
        for one in tries {
            let _ = world.attempt(one);
        }
        world.holds()?;
        for person in world.people.iter().filter(|person| person.merged_into.is_some()) {
            world.refuses_all_but_the_split(person);
        }
    }

    #[test]
    fn an_undo_restores_after_any_sequence(
        tries in tries(),
        last in (0u8..15, 0usize..3, 0usize..3, any::<u8>()),
    ) {
        let mut world = World::new();
        for one in tries {
            let _ = world.attempt(one);
        }
        let before = world.people.clone();
        let (operation, who, with, _) = last;
        if world.attempt(last).is_err() {
            return Ok(());
        }
        let version = world.people[who].version();
        let undone = match operation {
            0 | 1 => world.split(who, with),
            6..=8 => world.record(vec![(who, Event::Reversed { version })], "01/03/2021"),
            10 => world.record(vec![(who, Event::DeathUndone)], "01/03/2021"),
            12 => world.record(vec![(who, Event::Found)], "01/03/2021"),
            _ => return Ok(()),
        };
        prop_assert_eq!(undone, Ok(()));
        for (now, then) in world.people.iter().zip(&before) {
            prop_assert_eq!(&now.record, &then.record);
            prop_assert_eq!((now.status(), now.pin()), (then.status(), then.pin()));
            for on in [date!(2020 - 01 - 31), date!(2020 - 06 - 15), date!(2021 - 01 - 01)] {
                prop_assert_eq!(now.as_of(on, person_knows()), then.as_of(on, person_knows()));
            }
        }
    }
}

#[test]
fn the_random_register_reaches_every_kind_of_event() {
    let mut world = World::new();
    let mut kinds = std::collections::BTreeSet::new();
    for step in 0u32..2_000 {
        let draw = step.wrapping_mul(2_654_435_761) >> 8;
        let one = ((draw % 15) as u8, (draw / 15 % 3) as usize, (draw / 45 % 3) as usize, (draw / 135) as u8);
        if world.people.iter().any(|person| person.version() > 40) {
            world = World::new();
        }
        if world.attempt(one).is_ok() {
            kinds.extend(world.people.iter().flat_map(|person| person.kinds.iter().copied()));
        }
    }
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), Kind::ALL.to_vec());
}
