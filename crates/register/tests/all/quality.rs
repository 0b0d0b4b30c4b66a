//! Each fault is planted fifty times among people without one, and every one is found, and nothing else.

use std::collections::BTreeSet;

use domain::PartialDate;
use domain::id::PersonId;
use domain::person::Status;
use domain::pin::Sex;
use domain::record::{Place, Relative};
use register::quality::{Looked, Rule, look_over};
use store::UnitScope;
use testkit::{FreshDatabase, fresh_database};

use crate::families::{Family, PATH, TODAY, day, insert, name, old_id};

const TIMES: u32 = 50;
/// Faults between two families.
const NEEDS_TWO: [Rule; 3] = [Rule::PinShared, Rule::OldIdShared, Rule::SamePersonTwice];

/// Who of a family does not keep which rule.
type Expected = Vec<(PersonId, Rule)>;

/// Plants the fault of a rule in a family; of a fault between two families, in both.
fn plant(rule: Rule, one: &mut Family, other: &mut Family) -> Expected {
    let (father, child) = (one.father.id, one.child.id);
    let is_alone = |expected: &[(PersonId, Rule)]| [&[(child, rule)], expected].concat();
    let stranger = |pin| Some(Relative { name: name("Trần Văn Khách"), pin });
    let nowhere = || "99999".parse().unwrap();
    let own = one.child.record.pin;
    let record = &mut one.child.record;
    match rule {
        Rule::PinMissing => record.pin = None,
        Rule::PinSex => record.sex = Sex::Male,
        Rule::PinBirthYear => record.birth = day("17/07/2011"),
        Rule::PinPlace => record.birth_registration = Some("00001".parse().unwrap()),
        Rule::PinShared => {
            record.pin = other.child.record.pin;
            return is_alone(&[(other.child.id, rule)]);
        }
        Rule::OldIdShared => {
            one.father.record.old_id = other.father.record.old_id;
            return vec![(father, rule), (other.father.id, rule)];
        }
        Rule::OldIdOfMinor => {
            record.old_id = Some(old_id(700_000_000 + father.uuid().as_u128() as u32));
        }
        Rule::NameOneWord => record.name = name("An"),
        Rule::NameLetters => record.name = name("\u{D0}ặng Ngọc Ánh"),
        Rule::BirthPartial => record.birth = day("2010"),
        Rule::BirthDefaultDate => record.birth = day("01/01/2010"),
        Rule::BirthFuture => {
            let pin = one.pin(Sex::Female, 2022);
            (one.child.record.birth, one.child.record.pin) = (day("02/01/2022"), Some(pin));
        }
        Rule::AgeOver110 => {
            one.parent_born(true, "15/05/1905");
            return vec![(father, rule)];
        }
        Rule::EthnicityCode => record.ethnicity = 99,
        Rule::EthnicityUnknown => record.ethnicity = 56,
        Rule::EthnicityOfForeigner => record.nationality = "LAO".to_owned(),
        Rule::EthnicityOfCitizen => record.ethnicity = 55,
        Rule::ReligionCode => record.religion = 250,
        Rule::NationalityCode => (record.nationality, record.ethnicity) = ("ZZZ".to_owned(), 55),
        Rule::BloodCode => record.blood = Some("Z".to_owned()),
        Rule::BirthRegistrationMissing => record.birth_registration = None,
        Rule::BirthRegistrationUnit => record.birth_registration = Some(nowhere()),
        Rule::NativePlaceMissing => record.native_place = None,
        Rule::NativePlaceUnit => record.native_place = Some(nowhere()),
        Rule::PermanentUnitOver => record.permanent.unit = nowhere(),
        Rule::CommuneMissing => record.permanent.unit = "445".parse().unwrap(),
        Rule::AddressMissing => record.permanent.detail = String::new(),
        Rule::CurrentUnit => record.current = Some(Place { unit: nowhere(), detail: "Số 1".to_owned() }),
        Rule::CurrentRepeatsPermanent => record.current = Some(record.permanent.clone()),
        Rule::MarriedTooYoung => (record.marital, record.spouse) = (Some(2), stranger(None)),
        Rule::ParentsMissing => (record.father, record.mother) = (None, None),
        Rule::ParentsOneNumber => {
            record.mother.as_mut().unwrap().pin = one.father.record.pin;
            return is_alone(&[(child, Rule::MotherSex), (child, Rule::MotherNameDiffers)]);
        }
        Rule::ParentIsSelf => record.father.as_mut().unwrap().pin = own,
        Rule::FatherSex | Rule::MotherSex => {
            std::mem::swap(&mut record.father, &mut record.mother);
            return vec![(child, Rule::FatherSex), (child, Rule::MotherSex)];
        }
        Rule::FatherTooYoung => {
            one.parent_born(true, "15/05/2000");
            return is_alone(&[(child, Rule::ChildOfHeadTooOld)]);
        }
        Rule::MotherTooYoung => one.parent_born(false, "16/06/2000"),
        Rule::MotherTooOld => one.parent_born(false, "16/06/1945"),
        Rule::FatherNameDiffers => record.father.as_mut().unwrap().name = name("Trần Văn Khách"),
        Rule::MotherNameDiffers => record.mother.as_mut().unwrap().name = name("Trần Thị Khách"),
        Rule::FatherUnlinked => record.father.as_mut().unwrap().pin = None,
        Rule::MotherUnlinked => record.mother.as_mut().unwrap().pin = None,
        Rule::HouseholdMissing => record.household = None,
        Rule::RelationMissing => record.relation_to_head = None,
        Rule::RelationCode => record.relation_to_head = Some(50),
        Rule::RecordedLate => one.child.late_days = Some(61),
        Rule::SamePersonTwice => {
            other.child.record.name = record.name.clone();
            let mother = Relative { name: one.mother.record.name.clone(), pin: None };
            other.child.record.mother = Some(mother);
            return is_alone(&[(other.child.id, rule)]);
        }
        Rule::MaritalCode
        | Rule::MaritalMissing
        | Rule::SpouseMissing
        | Rule::SpouseOfUnmarried
        | Rule::SpouseIsSelf
        | Rule::SpouseSameSex
        | Rule::SpouseNameDiffers
        | Rule::SpouseNamesAnother
        | Rule::SpouseDead => return between_spouses(rule, one),
        Rule::HouseholdWithoutHead
        | Rule::HouseholdTwoHeads
        | Rule::HeadDead
        | Rule::HeadTooYoung
        | Rule::SpouseOfHeadTwice
        | Rule::SpouseOfHeadSex
        | Rule::ChildOfHeadTooOld
        | Rule::ParentOfHeadTooYoung => return in_the_household(rule, one),
    }
    vec![(child, rule)]
}

fn between_spouses(rule: Rule, one: &mut Family) -> Expected {
    let [father, mother, child] = [one.father.id, one.mother.id, one.child.id];
    let nobody = one.pin(Sex::Male, 1980);
    let record = &mut one.father.record;
    match rule {
        Rule::MaritalCode => record.marital = Some(9),
        Rule::MaritalMissing => record.marital = None,
        Rule::SpouseMissing => record.spouse = None,
        Rule::SpouseOfUnmarried => record.marital = Some(1),
        Rule::SpouseIsSelf => {
            record.spouse.as_mut().unwrap().pin = record.pin;
            return vec![(father, rule), (mother, Rule::SpouseNamesAnother)];
        }
        Rule::SpouseSameSex => {
            let pin = one.pin(Sex::Female, 1980);
            (one.father.record.sex, one.father.record.pin) = (Sex::Female, Some(pin));
            one.link();
            return vec![
                (father, rule),
                (mother, rule),
                (mother, Rule::SpouseOfHeadSex),
                (child, Rule::FatherSex),
            ];
        }
        Rule::SpouseNameDiffers => record.spouse.as_mut().unwrap().name = name("Trần Thị Khách"),
        Rule::SpouseNamesAnother => one.mother.record.spouse.as_mut().unwrap().pin = Some(nobody),
        _ => one.mother.status = Status::Dead,
    }
    vec![(father, rule)]
}

fn in_the_household(rule: Rule, one: &mut Family) -> Expected {
    let [father, mother, child] = [one.father.id, one.mother.id, one.child.id];
    let stands = |member: &mut register::quality::Examined, code| member.record.relation_to_head = Some(code);
    match rule {
        Rule::HouseholdWithoutHead => {
            stands(&mut one.father, 9);
            vec![(father, rule)]
        }
        Rule::HouseholdTwoHeads => {
            stands(&mut one.mother, 1);
            vec![(father, rule), (mother, rule)]
        }
        Rule::HeadDead => {
            one.father.status = Status::Dead;
            vec![(mother, rule), (mother, Rule::SpouseDead)]
        }
        Rule::HeadTooYoung => {
            stands(&mut one.father, 5);
            stands(&mut one.mother, 5);
            stands(&mut one.child, 1);
            vec![(child, rule)]
        }
        Rule::SpouseOfHeadTwice => {
            stands(&mut one.child, 2);
            vec![(mother, rule), (child, rule)]
        }
        Rule::SpouseOfHeadSex => {
            let pin = one.pin(Sex::Male, 2010);
            (one.child.record.sex, one.child.record.pin) = (Sex::Male, Some(pin));
            stands(&mut one.child, 2);
            stands(&mut one.mother, 9);
            vec![(child, rule)]
        }
        Rule::ChildOfHeadTooOld => {
            stands(&mut one.mother, 3);
            vec![(mother, rule)]
        }
        _ => {
            stands(&mut one.mother, 5);
            vec![(mother, rule)]
        }
    }
}

async fn look(db: &FreshDatabase, on: time::Date) -> Looked {
    look_over(db, &UnitScope::everything(), on, true, |_, _| {}).await.unwrap()
}

/// The open findings, as the table has them.
async fn found(db: &FreshDatabase) -> BTreeSet<(PersonId, Rule)> {
    let rows: Vec<(uuid::Uuid, String)> =
        sqlx::query_as("SELECT person_id, rule FROM quality_finding WHERE settled_on IS NULL")
            .fetch_all(db.admin())
            .await
            .unwrap();
    rows.into_iter().map(|(id, rule)| (PersonId::from_uuid(id), Rule::from_code(&rule).unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_planted_fault_is_found_and_nothing_else() {
    let db = fresh_database().await;
    let mut expected = BTreeSet::new();
    let mut number = 0;
    let mut family = || {
        number += 1;
        Family::new(number)
    };
    let mut people = Vec::new();
    for &rule in Rule::ALL {
        for _ in 0..TIMES {
            let (mut one, mut other) = (family(), family());
            expected.extend(plant(rule, &mut one, &mut other));
            people.extend(one.members().into_iter().cloned());
            if NEEDS_TWO.contains(&rule) {
                people.extend(other.members().into_iter().cloned());
            }
        }
    }
    for person in &people {
        insert(db.admin(), person).await;
    }
    let looked = look(&db, TODAY).await;
    let found = found(&db).await;
    for &rule in Rule::ALL {
        let of = |all: &BTreeSet<(PersonId, Rule)>| -> BTreeSet<PersonId> {
            all.iter().filter(|(_, one)| *one == rule).map(|(id, _)| *id).collect()
        };
        let (planted, seen) = (of(&expected), of(&found));
        assert!(planted.len() >= TIMES as usize, "{rule:?}: too few to say anything");
        let (missed, false_ones) = (planted.difference(&seen).count(), seen.difference(&planted).count());
        assert_eq!((missed, false_ones), (0, 0), "{rule:?}: missed and false, of {}", planted.len());
    }
    assert_eq!(looked.findings, expected.len());
    // The counts say the same, and of whom.
    let counts: Vec<(String, i64, i64)> =
        sqlx::query_as("SELECT rule, ok, applies FROM quality_day").fetch_all(db.admin()).await.unwrap();
    assert_eq!(counts.len(), Rule::ALL.len());
    for (rule, ok, applies) in counts {
        let faults = expected.iter().filter(|(_, one)| one.code() == rule).count() as i64;
        assert_eq!(applies - ok, faults, "{rule}");
    }
}

#[tokio::test]
async fn what_is_mended_is_settled_and_what_comes_back_is_new() {
    let db = fresh_database().await;
    let mut family = Family::new(1);
    family.child.record.native_place = None;
    let child = family.child.id;
    for person in family.members() {
        insert(db.admin(), person).await;
    }
    let state = async || -> (time::Date, time::Date, Option<time::Date>) {
        sqlx::query_as(
            "SELECT first_seen, seen, settled_on FROM quality_finding WHERE rule = 'native_place_missing'",
        )
        .fetch_one(db.admin())
        .await
        .unwrap()
    };
    let native = async |unit: Option<&str>| {
        sqlx::query("UPDATE person SET native_place = $2 WHERE person_id = $1")
            .bind(child.uuid())
            .bind(unit)
            .execute(db.admin())
            .await
            .unwrap();
    };
    let on = |days: i64| TODAY + time::Duration::days(days);
    look(&db, on(0)).await;
    look(&db, on(1)).await;
    assert_eq!(state().await, (on(0), on(1), None), "it is as old as it is");
    native(Some("18562")).await;
    look(&db, on(2)).await;
    assert_eq!(state().await, (on(0), on(1), Some(on(2))));
    native(None).await;
    look(&db, on(3)).await;
    assert_eq!(state().await, (on(3), on(3), None));
    // Whoever moved brings it along, whichever unit is looked at first.
    sqlx::query("UPDATE person SET unit_path = '01/001/00001/' WHERE person_id = $1")
        .bind(child.uuid())
        .execute(db.admin())
        .await
        .unwrap();
    look(&db, on(4)).await;
    assert_eq!(state().await, (on(3), on(4), None));
    // And where nobody lives any more, nothing is left open or counted.
    sqlx::query("UPDATE person SET unit_path = '01/001/00004/', native_place = '18562'")
        .execute(db.admin())
        .await
        .unwrap();
    look(&db, on(5)).await;
    assert_eq!(state().await, (on(3), on(4), Some(on(5))));
    let counted: i64 = sqlx::query_scalar(
        "SELECT sum(applies)::bigint FROM quality_day WHERE latest AND rule = 'native_place_missing'",
    )
    .fetch_one(db.admin())
    .await
    .unwrap();
    assert_eq!(counted, 3);
}

#[tokio::test]
async fn a_look_that_was_stopped_goes_on_and_one_that_is_done_is_not_done_again() {
    let db = fresh_database().await;
    for person in Family::new(1).members() {
        insert(db.admin(), person).await;
    }
    let elsewhere = Family::new(2);
    for person in elsewhere.members() {
        insert(db.admin(), person).await;
    }
    sqlx::query("UPDATE person SET unit_path = '42/445/18565/' WHERE household = 'HK000002'")
        .execute(db.admin())
        .await
        .unwrap();
    let here = UnitScope::parse(PATH).unwrap();
    let first = look_over(&db, &here, TODAY, false, |_, _| {}).await.unwrap();
    assert_eq!((first.units, first.before, first.people), (1, 0, 3));
    let mut told = Vec::new();
    let rest =
        look_over(&db, &UnitScope::everything(), TODAY, false, |at, of| told.push((at, of))).await.unwrap();
    assert_eq!((rest.units, rest.before, rest.people), (1, 1, 3));
    assert_eq!(told, [(1, 2), (2, 2)]);
}

#[tokio::test]
async fn a_scoped_reader_sees_the_findings_of_the_own_unit() {
    let db = fresh_database().await;
    let mut family = Family::new(1);
    family.child.record.birth = PartialDate::parse("2010").unwrap();
    for person in family.members() {
        insert(db.admin(), person).await;
    }
    look(&db, TODAY).await;
    for (unit, sees) in [("42/", 1), (PATH, 1), ("42/446/", 0), ("01/", 0)] {
        let mut scoped = db.scoped(&UnitScope::parse(unit).unwrap()).await.unwrap();
        let open = store::register::quality::open(&mut scoped, "birth_partial", "", None, 10).await.unwrap();
        let (counts, _) = store::register::quality::counts(&mut scoped).await.unwrap();
        assert_eq!((open.len(), counts.is_empty()), (sees, sees == 0), "{unit}");
    }
}
