//! The synthetic population of a unit, with the truth of who is who.

mod alike;
mod home;
mod model;
mod numbers;
mod shape;

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use rayon::prelude::*;
use time::Date;

use crate::error::SimulateError;
use crate::names::NameParts;
use crate::places::{self, Spot};
use crate::stream::Streams;
use domain::record::{Place, Relative};
use domain::unit::Units;
use domain::{OldId, PartialDate, PersonName, Pin, ResidentRecord, Sex, UnitCode};
use home::Commune;

pub use model::Model;
pub use shape::Relation;

/// Largest population of one call; three provinces of Thanh Hóa's size.
pub const MAX_PEOPLE: usize = 10_000_000;

/// Who somebody really is: the unit the population was made for and the position in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TruthId {
    scope: UnitCode,
    index: u32,
}

impl TruthId {
    /// Position in [`Population::people`].
    pub fn index(self) -> usize {
        self.index as usize
    }

    /// The unit whose population the person belongs to.
    pub fn scope(self) -> UnitCode {
        self.scope
    }

    /// A number that seeds what belongs to this person alone: fingers, a face.
    pub fn seed(self) -> u64 {
        u64::from(self.scope.packed()) << 32 | u64::from(self.index)
    }
}

impl fmt::Display for TruthId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:07}", self.scope, self.index)
    }
}

impl FromStr for TruthId {
    type Err = TruthIdError;

    fn from_str(text: &str) -> Result<Self, TruthIdError> {
        let (scope, index) = text.split_once('-').ok_or(TruthIdError)?;
        let scope = scope.parse().map_err(|_| TruthIdError)?;
        let index = index.parse().map_err(|_| TruthIdError)?;
        Ok(TruthId { scope, index })
    }
}

/// Why a text is no truth id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a truth id is a unit code, a hyphen and a number, for example 445-0000012")]
pub struct TruthIdError;

/// How much of a birth date is known to the offices. The truth always has the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    Day,
    Month,
    Year,
}

/// A father, mother or spouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kin {
    Unknown,
    /// Lives in the same household: position in [`Population::people`].
    Resident(u32),
    /// Known by name only: dead, or living elsewhere.
    Named(NameParts),
}

/// A person of the population; text is made on demand, see [`Population::record`].
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    pub name: NameParts,
    pub sex: Sex,
    pub birth: Date,
    pub precision: Precision,
    /// The personal number, where one is already issued.
    pub pin: Option<Pin>,
    /// Nine-digit cards: the one shown first, and an older one.
    pub old_ids: [Option<OldId>; 2],
    pub ethnicity: u8,
    pub religion: u8,
    pub marital: u8,
    /// Code of the blood type; 0 when it is not on the form.
    pub blood: u8,
    pub birth_registration: UnitCode,
    pub native: UnitCode,
    /// Position in [`Population::households`].
    pub household: u32,
    pub relation: Relation,
    pub father: Kin,
    pub mother: Kin,
    pub spouse: Kin,
    /// Where this person really lives, when not at the permanent residence.
    pub current: Option<(UnitCode, Spot)>,
    /// The day of death, after the forms were filled in.
    pub died: Option<Date>,
    /// The twin born first, on the one born second.
    pub twin_of: Option<u32>,
    /// Number of the group of strangers with the same name and sex and nearly the same birth date.
    pub look_alike: Option<u32>,
}

/// People under one roof; the head is the first of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Household {
    pub unit: UnitCode,
    pub spot: Spot,
    /// Number within the commune, from 1.
    pub number: u32,
    /// Position of the head in [`Population::people`]; the others follow.
    pub first: u32,
    pub size: u8,
}

impl Household {
    /// Positions of the members, the head first.
    pub fn members(&self) -> Range<usize> {
        self.first as usize..self.first as usize + usize::from(self.size)
    }

    /// Number of the household book: commune and running number.
    pub fn book(&self) -> String {
        format!("{}-{:05}", self.unit, self.number)
    }
}

/// A commune (or island district) and its share of the population.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommunePeople {
    pub unit: UnitCode,
    /// Positions in [`Population::people`].
    pub people: Range<usize>,
    /// Positions in [`Population::households`].
    pub households: Range<usize>,
}

/// Everybody registered in a unit on [`Model::as_of`].
#[derive(Debug, Clone, PartialEq)]
pub struct Population {
    pub scope: UnitCode,
    pub as_of: Date,
    /// By commune, household and position in it.
    pub people: Vec<Person>,
    pub households: Vec<Household>,
    /// In ascending order of code.
    pub communes: Vec<CommunePeople>,
}

impl Population {
    /// Makes `people` inhabitants of `scope`: a commune, a district, or a province (numbers are unique within
    /// one population, so make a province in one call).
    ///
    /// The same arguments give the same population on every machine and with any number of threads.
    ///
    /// # Errors
    /// [`SimulateError::UnknownUnit`], [`SimulateError::PeopleOutOfRange`], [`SimulateError::Share`], and
    /// [`SimulateError::NumbersExhausted`] for populations far larger than a province.
    pub fn generate(
        model: &Model,
        seed: u64,
        scope: UnitCode,
        people: usize,
    ) -> Result<Population, SimulateError> {
        model.check()?;
        let units = places::units();
        let leaves = units.leaves_of(scope);
        if leaves.is_empty() {
            return Err(SimulateError::UnknownUnit { unit: scope });
        }
        if people > MAX_PEOPLE || people < 2 * leaves.len() {
            let (leaves, most) = (leaves.len(), MAX_PEOPLE);
            return Err(SimulateError::PeopleOutOfRange { unit: scope, people, leaves, most });
        }
        let (mut households, communes) = plan(units, seed, &leaves, people);
        let details: Vec<Commune> = leaves.iter().map(|&leaf| Commune::new(units, leaf)).collect();
        let streams = Streams::new(seed, b"homes");
        let homes: Vec<(Spot, Vec<Person>)> = communes
            .par_iter()
            .zip(&details)
            .flat_map_iter(|(commune, details)| {
                let households = &households;
                let streams = &streams;
                commune.households.clone().map(move |index| {
                    let household = &households[index];
                    let number = u64::from(household.unit.packed()) << 32 | u64::from(household.number);
                    home::people(model, units, details, household, index as u32, streams.stream(number))
                })
            })
            .collect();
        let mut everybody = Vec::with_capacity(people);
        for (household, (spot, members)) in households.iter_mut().zip(homes) {
            household.spot = spot;
            everybody.extend(members);
        }
        alike::plant_and_mark(model, seed, &mut everybody);
        numbers::settle(model, seed, &mut everybody)?;
        Ok(Population { scope, as_of: model.as_of, people: everybody, households, communes })
    }

    /// The id of the person at `index` in `people`.
    pub fn truth_id(&self, index: usize) -> TruthId {
        TruthId { scope: self.scope, index: index as u32 }
    }

    /// `None` when the id is of another population.
    pub fn person(&self, id: TruthId) -> Option<&Person> {
        self.people.get(id.index()).filter(|_| id.scope == self.scope)
    }

    /// The household that the person lives in, whether or not its papers say so.
    pub fn household_of(&self, person: &Person) -> &Household {
        &self.households[person.household as usize]
    }

    /// What the offices would write of this person if nobody made a mistake.
    pub fn record(&self, person: &Person) -> ResidentRecord {
        let household = self.household_of(person);
        ResidentRecord {
            name: parse_name(person.name),
            sex: person.sex,
            birth: person.stated_birth(),
            pin: person.pin,
            old_id: person.old_ids[0],
            ethnicity: person.ethnicity,
            religion: person.religion,
            nationality: "VNM".to_owned(),
            marital: Some(person.marital),
            blood: (person.blood > 0).then(|| format!("{:02}", person.blood)),
            birth_registration: Some(person.birth_registration),
            native_place: Some(person.native),
            permanent: Place { unit: household.unit, detail: household.spot.text() },
            current: person.current.map(|(unit, spot)| Place { unit, detail: spot.text() }),
            father: self.relative(person.father),
            mother: self.relative(person.mother),
            spouse: self.relative(person.spouse),
            household: Some(household.book()),
            relation_to_head: Some(person.relation as u8),
        }
    }

    fn relative(&self, kin: Kin) -> Option<Relative> {
        match kin {
            Kin::Unknown => None,
            Kin::Named(name) => Some(Relative { name: parse_name(name), pin: None }),
            Kin::Resident(index) => {
                let person = &self.people[index as usize];
                Some(Relative { name: parse_name(person.name), pin: person.pin })
            }
        }
    }

    /// Positions of those who are alive on `day` and have turned `age` by then.
    pub fn eligible(&self, day: Date, age: i32) -> impl Iterator<Item = usize> {
        self.people.iter().enumerate().filter_map(move |(index, person)| {
            let alive = person.died.is_none_or(|died| died > day);
            (alive && PartialDate::from_date(person.birth).age_on(day) >= age).then_some(index)
        })
    }
}

impl Person {
    /// The birth date as far as the offices know it.
    pub fn stated_birth(&self) -> PartialDate {
        let whole = PartialDate::from_date(self.birth);
        let (month, day) = match self.precision {
            Precision::Day => return whole,
            Precision::Month => (whole.month(), None),
            Precision::Year => (None, None),
        };
        PartialDate::new(whole.year(), month, day).unwrap_or(whole)
    }
}

fn parse_name(name: NameParts) -> PersonName {
    PersonName::parse(&name.text())
        .expect("every word of the name data is one the register takes: a test tries them")
}

/// Divides the people over the communes and each commune's over households of two to seven.
fn plan(
    units: Units<'_>,
    seed: u64,
    leaves: &[UnitCode],
    people: usize,
) -> (Vec<Household>, Vec<CommunePeople>) {
    let streams = Streams::new(seed, b"plan");
    let weights: Vec<u64> = leaves
        .iter()
        .map(|&leaf| {
            let town = units.get(leaf).is_some_and(|unit| &*unit.kind != "xã");
            let draw = streams.stream(u64::from(leaf.packed())).below(1000);
            u64::from(500 + draw) * if town { 3 } else { 2 }
        })
        .collect();
    let quotas = divide(people - 2 * leaves.len(), &weights);
    let mut households = Vec::with_capacity(people / 3);
    let mut communes = Vec::with_capacity(leaves.len());
    let mut first = 0usize;
    for (&unit, quota) in leaves.iter().zip(quotas) {
        let (people_from, homes_from) = (first, households.len());
        let mut stream = streams.stream(1 << 32 | u64::from(unit.packed()));
        let mut rest = quota + 2;
        let mut number = 0;
        while rest > 0 {
            let drawn = 2 + stream.weighted(&[22, 23, 29, 15, 7, 4]);
            // Nobody lives alone in this model: a rest of one joins this household, or takes one away from
            // it.
            let size = match rest.saturating_sub(drawn) {
                0 => rest,
                1 if drawn < 7 => drawn + 1,
                1 => drawn - 1,
                _ => drawn,
            };
            number += 1;
            let spot = Spot::default();
            households.push(Household { unit, spot, number, first: first as u32, size: size as u8 });
            first += size;
            rest -= size;
        }
        communes.push(CommunePeople {
            unit,
            people: people_from..first,
            households: homes_from..households.len(),
        });
    }
    (households, communes)
}

/// Largest remainders: the parts are in proportion to the weights and add up to `total`.
fn divide(total: usize, weights: &[u64]) -> Vec<usize> {
    let sum: u64 = weights.iter().sum::<u64>().max(1);
    let exact = |weight: u64| total as u128 * u128::from(weight);
    let mut parts: Vec<usize> =
        weights.iter().map(|&weight| (exact(weight) / u128::from(sum)) as usize).collect();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|&index| (std::cmp::Reverse(exact(weights[index]) % u128::from(sum)), index));
    let missing = total - parts.iter().sum::<usize>();
    for &index in order.iter().take(missing) {
        parts[index] += 1;
    }
    parts
}
