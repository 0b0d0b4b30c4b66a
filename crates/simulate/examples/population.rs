//! Prints what a population looks like and how long it took to make: `population [UNIT] [PEOPLE] [SEED]`.

use std::collections::BTreeMap;
use std::time::Instant;

use domain::{PartialDate, Sex, UnitCode};
use simulate::population::{Person, Precision, Relation};
use simulate::{Model, Population};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let unit: UnitCode = arguments.next().as_deref().unwrap_or("445").parse()?;
    let people: usize = arguments.next().as_deref().unwrap_or("200000").parse()?;
    let seed: u64 = arguments.next().as_deref().unwrap_or("1").parse()?;

    let started = Instant::now();
    let population = Population::generate(&Model::default(), seed, unit, people)?;
    println!(
        "{} people, {} households, {} communes in {:.2} s; {} bytes a person",
        population.people.len(),
        population.households.len(),
        population.communes.len(),
        started.elapsed().as_secs_f64(),
        size_of::<Person>()
    );
    shares(&population);
    ages(&population);
    sample(&population);
    Ok(())
}

fn shares(population: &Population) {
    let row = |name: &str, test: &dyn Fn(&Person) -> bool| {
        let hits = population.people.iter().filter(|person| test(person)).count();
        println!("{name:<24}{hits:>9} {:>7.3} %", 100.0 * hits as f64 / population.people.len() as f64);
    };
    row("female", &|person| person.sex == Sex::Female);
    row("with a PIN", &|person| person.pin.is_some());
    row("with an old number", &|person| person.old_ids[0].is_some());
    row("with two old numbers", &|person| person.old_ids[1].is_some());
    row("birth date in part", &|person| person.precision != Precision::Day);
    row("second of twins", &|person| person.twin_of.is_some());
    row("look-alikes", &|person| person.look_alike.is_some());
    row("living elsewhere", &|person| person.current.is_some());
    row("dead within the horizon", &|person| person.died.is_some());
    row("grandchildren", &|person| person.relation == Relation::Grandchild);
    row("not Kinh", &|person| person.ethnicity != 1);
}

fn ages(population: &Population) {
    let mut bands: BTreeMap<i32, usize> = BTreeMap::new();
    for person in &population.people {
        *bands.entry(PartialDate::from_date(person.birth).age_on(population.as_of) / 10 * 10).or_default() +=
            1;
    }
    for (band, count) in bands {
        println!(
            "{band:>3}–{:<3} {:>6.2} %",
            band + 9,
            100.0 * count as f64 / population.people.len() as f64
        );
    }
}

/// A few households; everybody is invented.
fn sample(population: &Population) {
    for household in population.households.iter().step_by(population.households.len() / 5 + 1) {
        println!("{}, {}", household.book(), household.spot.text());
        for index in household.members() {
            let person = &population.people[index];
            println!("  {:?}: {}, {}", person.relation, person.name.text(), person.stated_birth());
        }
    }
}
