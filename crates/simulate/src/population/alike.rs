//! Strangers who look like one person on paper: same name and sex, nearly the same birth date.
//!
//! Some are planted among children at home, whose names nobody else's name depends on; then every such group
//! is found and marked, planted or not, so that the truth is complete.

use time::Date;

use super::shape::Relation;
use super::{Model, Person};
use crate::stream::Streams;
use domain::Sex;

pub(super) fn plant_and_mark(model: &Model, seed: u64, people: &mut [Person]) {
    plant(model, seed, people);
    mark(model, people);
}

/// Renames the second of pairs that already agree in family name, group, sex and birth date.
fn plant(model: &Model, seed: u64, people: &mut [Person]) {
    let key = |person: &Person| (person.name.family(), person.ethnicity, is_woman(person), person.birth);
    let mut free: Vec<u32> = (0..people.len() as u32)
        .filter(|&at| matches!(people[at as usize].relation, Relation::Child | Relation::Grandchild))
        .filter(|&at| {
            people[at as usize].spouse == super::Kin::Unknown && people[at as usize].twin_of.is_none()
        })
        .collect();
    free.sort_by_key(|&at| (key(&people[at as usize]), at));
    let pairs: Vec<(u32, u32)> = free
        .windows(2)
        .filter(|pair| {
            let (one, other) = (&people[pair[0] as usize], &people[pair[1] as usize]);
            let near = within(other.birth, one.birth, model.look_alike_days);
            near && one.household != other.household && same_but_birth(key(one), key(other))
        })
        .map(|pair| (pair[0], pair[1]))
        .collect();
    let wanted = (people.len() as f64 * model.look_alike_share / 2.0).round() as usize;
    let mut stream = Streams::new(seed, b"look-alikes").stream(0);
    for index in stream.distinct(pairs.len() as u32, wanted) {
        let (one, other) = pairs[index as usize];
        let name = people[other as usize].name.with_rest_of(people[one as usize].name);
        let household = people[other as usize].household;
        // No household names two children alike; its other members stand next to this one.
        let around = other.saturating_sub(8) as usize..people.len().min(other as usize + 8);
        if people[around].iter().all(|near| near.household != household || near.name != name) {
            people[other as usize].name = name;
        }
    }
}

/// Sorts by name, sex and birth date, and numbers every run whose neighbours are near; children of one
/// household do not count as strangers.
fn mark(model: &Model, people: &mut [Person]) {
    let key = |person: &Person| (person.name, is_woman(person), person.birth);
    let mut order: Vec<u32> = (0..people.len() as u32).collect();
    order.sort_unstable_by_key(|&at| (key(&people[at as usize]), at));
    let mut group = 0;
    let mut open = false;
    for pair in order.windows(2) {
        let (one, other) = (pair[0] as usize, pair[1] as usize);
        let alike = people[one].name == people[other].name
            && people[one].sex == people[other].sex
            && people[one].household != people[other].household
            && within(people[other].birth, people[one].birth, model.look_alike_days);
        if alike {
            if !open {
                group += 1;
                people[one].look_alike = Some(group);
            }
            people[other].look_alike = Some(group);
        }
        open = alike;
    }
}

fn is_woman(person: &Person) -> bool {
    person.sex == Sex::Female
}

fn within(later: Date, earlier: Date, days: i32) -> bool {
    (later - earlier).whole_days() <= i64::from(days)
}

fn same_but_birth(one: (u16, u8, bool, Date), other: (u16, u8, bool, Date)) -> bool {
    (one.0, one.1, one.2) == (other.0, other.1, other.2)
}
