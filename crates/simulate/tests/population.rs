//! What holds for every population, and how near its shares come to the model's.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic like the tests they serve")]

use std::collections::{HashMap, HashSet};

use domain::unit::Units;
use domain::{Sex, UnitCode};
use simulate::population::{Household, Kin, Person, Precision, Relation};
use simulate::{Model, Population, SimulateError};

fn unit(text: &str) -> UnitCode {
    text.parse().unwrap()
}

fn thach_ha(people: usize) -> Population {
    Population::generate(&Model::default(), 20_210_406, unit("445"), people).unwrap()
}

fn age(population: &Population, person: &Person) -> i32 {
    domain::PartialDate::from_date(person.birth).age_on(population.as_of)
}

fn share<T>(items: impl Iterator<Item = T>, test: impl Fn(&T) -> bool) -> f64 {
    let (mut all, mut hits) = (0u32, 0u32);
    for item in items {
        all += 1;
        hits += u32::from(test(&item));
    }
    f64::from(hits) / f64::from(all.max(1))
}

#[track_caller]
fn near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found:.4} is not within {tolerance} of {expected}");
}

#[test]
fn the_same_seed_gives_the_same_people_with_any_number_of_threads() {
    let make = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| Population::generate(&Model::default(), seed, unit("445"), 5_000).unwrap())
    };
    assert_eq!(make(1, 7), make(3, 7));
    assert_ne!(make(1, 7).people, make(1, 8).people);
}

#[test]
fn exactly_as_many_people_as_asked_in_households_of_two_to_seven() {
    for people in [60, 61, 997, 5_000] {
        let population = thach_ha(people);
        assert_eq!(population.people.len(), people);
        assert_eq!(population.communes.last().unwrap().people.end, people);
        assert_eq!(population.communes.last().unwrap().households.end, population.households.len());
        let mut next = 0;
        for (index, household) in population.households.iter().enumerate() {
            assert!((2..=7).contains(&household.size));
            assert_eq!(household.members().start, next);
            next = household.members().end;
            for member in household.members() {
                assert_eq!(population.people[member].household as usize, index);
            }
        }
        assert_eq!(next, people);
    }
}

#[test]
fn impossible_requests_are_refused() {
    let generate = |scope: &str, people| Population::generate(&Model::default(), 1, unit(scope), people);
    assert!(matches!(generate("999", 100), Err(SimulateError::UnknownUnit { .. })));
    assert!(matches!(generate("445", 3), Err(SimulateError::PeopleOutOfRange { .. })));
    assert!(matches!(generate("445", 11_000_000), Err(SimulateError::PeopleOutOfRange { .. })));
    let model = Model { year_only_share: 0.7, month_only_share: 0.7, ..Model::default() };
    assert!(matches!(Population::generate(&model, 1, unit("445"), 100), Err(SimulateError::Share { .. })));
}

#[test]
fn an_island_district_is_settled_itself() {
    let population = Population::generate(&Model::default(), 1, unit("536"), 500).unwrap();
    assert_eq!(population.communes.len(), 1);
    assert!(population.households.iter().all(|household| household.unit == unit("536")));
}

#[test]
fn households_are_consistent() {
    let population = thach_ha(30_000);
    for household in &population.households {
        check_household(&population, household);
    }
}

fn check_household(population: &Population, household: &Household) {
    let members: Vec<&Person> = household.members().map(|index| &population.people[index]).collect();
    assert_eq!(members[0].relation, Relation::Head);
    assert_eq!(members.iter().filter(|member| member.relation == Relation::Head).count(), 1);
    let mut names = HashSet::new();
    for member in &members {
        assert!(names.insert(member.name.text()), "two members of one household have one name");
        let years_older = |kin: Kin| match kin {
            Kin::Resident(index) => {
                assert!(household.members().contains(&(index as usize)));
                let parent = &population.people[index as usize];
                Some((parent.sex, (member.birth - parent.birth).whole_days() / 365, parent.name.family()))
            }
            _ => None,
        };
        if let Some((sex, years, _)) = years_older(member.mother) {
            assert_eq!(sex, Sex::Female);
            assert!((18..=47).contains(&years), "mother at {years}");
        }
        if let Some((sex, years, family)) = years_older(member.father) {
            assert_eq!(sex, Sex::Male);
            assert!((16..=56).contains(&years), "father at {years}");
            assert!(family == member.name.family() || member.ethnicity == simulate::places::EDE);
        }
        if let Kin::Resident(spouse) = member.spouse {
            let spouse = &population.people[spouse as usize];
            assert_ne!(spouse.sex, member.sex);
            assert_eq!((spouse.marital, member.marital), (2, 2));
            let Kin::Resident(back) = spouse.spouse else { panic!("a marriage has two sides") };
            assert!(std::ptr::eq(&population.people[back as usize], *member));
        }
        assert!(member.birth <= population.as_of && age(population, member) <= 110);
    }
}

#[test]
fn brothers_and_sisters_have_the_same_parents() {
    let population = thach_ha(30_000);
    for household in &population.households {
        let children: Vec<&Person> = household
            .members()
            .map(|index| &population.people[index])
            .filter(|person| person.relation == Relation::Child && person.spouse == Kin::Unknown)
            .collect();
        let head = &population.people[household.members().start];
        if household.members().any(|index| population.people[index].relation == Relation::ChildInLaw)
            || head.relation != Relation::Head
        {
            continue;
        }
        for pair in children.windows(2) {
            assert_eq!((pair[0].father, pair[0].mother), (pair[1].father, pair[1].mother));
            assert_eq!(pair[0].name.family(), pair[1].name.family());
        }
    }
}

#[test]
fn numbers_are_unique_and_fit_their_holder() {
    let population = thach_ha(60_000);
    let units = Units::latest();
    let mut pins = HashSet::new();
    let mut old_ids: HashMap<domain::OldId, u32> = HashMap::new();
    for person in &population.people {
        if let Some(pin) = person.pin {
            let place = simulate::places::province_of(units, person.birth_registration).number() as u16;
            assert_eq!(pin.mismatches(person.sex, person.birth.year() as i16, Some(place)), vec![]);
            assert!(pins.insert(pin));
        }
        for old_id in person.old_ids.iter().flatten() {
            *old_ids.entry(*old_id).or_default() += 1;
            assert!(age(&population, person) >= 15);
        }
    }
    let holders = population.people.iter().filter(|person| person.old_ids[0].is_some()).count();
    let shared = old_ids.values().filter(|&&holders| holders == 2).count();
    near(2.0 * shared as f64 / holders as f64, Model::default().shared_old_id_share, 0.0002);
    assert!(old_ids.values().all(|&holders| holders <= 2));
}

#[test]
fn shares_follow_the_model() {
    let population = thach_ha(100_000);
    let model = Model::default();
    let people = || population.people.iter();
    let adults = || people().filter(|person| age(&population, person) >= 14);
    near(share(adults(), |person| person.pin.is_some()), model.adult_pin_share, 0.005);
    let grown = || people().filter(|person| age(&population, person) >= 21);
    near(share(grown(), |person| person.old_ids[0].is_some()), model.old_id_share, 0.005);
    let old = || people().filter(|person| age(&population, person) >= 57);
    near(share(old(), |person| person.precision == Precision::Year), model.year_only_share, 0.006);
    near(share(old(), |person| person.precision == Precision::Month), model.month_only_share, 0.004);
    near(share(people(), |person| person.sex == Sex::Female), 0.505, 0.015);
    near(share(people(), |person| person.died.is_some()), 0.003, 0.0015);
    near(share(people(), |person| person.blood > 0), model.blood_share, 0.003);
}

/// The 2019 census in bands of ten years, in per cent; the model has no people living alone and only seven in
/// a house, so it is allowed three and a half points.
#[test]
fn ages_follow_the_census() {
    let population = thach_ha(100_000);
    let census = [16.2, 13.8, 16.6, 16.4, 13.4, 11.2, 7.4, 3.1, 1.9];
    for (band, expected) in census.into_iter().enumerate() {
        let found = share(population.people.iter(), |person| {
            (age(&population, person) as usize / 10).min(census.len() - 1) == band
        });
        near(found * 100.0, expected, 3.5);
    }
}

#[test]
fn twins_are_as_frequent_as_the_model_says() {
    let population = thach_ha(200_000);
    let is_child = |person: &&Person| matches!(person.relation, Relation::Child | Relation::Grandchild);
    let children =
        population.people.iter().filter(is_child).filter(|person| person.spouse == Kin::Unknown).count();
    let mut twins = 0;
    for person in &population.people {
        let Some(elder) = person.twin_of else { continue };
        let elder = &population.people[elder as usize];
        assert_eq!((elder.birth, elder.household), (person.birth, person.household));
        assert_eq!((elder.father, elder.mother), (person.father, person.mother));
        assert_ne!(elder.name, person.name);
        assert!(elder.twin_of.is_none());
        twins += 1;
    }
    near(f64::from(twins) / (children as f64 - f64::from(twins)), 0.011, 0.0025);
}

#[test]
fn look_alikes_are_strangers_of_one_name() {
    let population = thach_ha(100_000);
    let mut groups: HashMap<u32, Vec<&Person>> = HashMap::new();
    for person in &population.people {
        if let Some(group) = person.look_alike {
            groups.entry(group).or_default().push(person);
        }
    }
    for group in groups.values_mut() {
        group.sort_by_key(|person| person.birth);
        assert!(group.len() >= 2);
        for pair in group.windows(2) {
            assert_eq!((pair[0].name, pair[0].sex), (pair[1].name, pair[1].sex));
            assert_ne!(pair[0].household, pair[1].household);
            assert!((pair[1].birth - pair[0].birth).whole_days() <= 10);
        }
    }
    let marked: usize = groups.values().map(Vec::len).sum();
    assert!(marked as f64 >= 0.0018 * 100_000.0, "{marked}");
}

#[test]
fn records_carry_the_names_of_those_who_live_here() {
    let population = thach_ha(3_000);
    for (index, person) in population.people.iter().enumerate() {
        let record = population.record(person);
        assert_eq!(population.truth_id(index).to_string().parse(), Ok(population.truth_id(index)));
        assert_eq!(record.birth.year(), person.birth.year() as i16);
        if let Kin::Resident(father) = person.father {
            let father = population.record(&population.people[father as usize]);
            assert_eq!(
                record.father.map(|relative| (relative.name, relative.pin)),
                Some((father.name, father.pin))
            );
        }
    }
    let adults = population.eligible(population.as_of, 14).count();
    assert_eq!(adults, population.people.iter().filter(|person| age(&population, person) >= 14).count());
}
