//! Members of a household beside each other, and records that seem to be one person's.

use std::collections::{HashMap, HashSet};

use domain::id::PersonId;
use store::register::quality::Examined;

/// The relations to the head of a household that rules ask about (code list of QCVN 109).
pub(super) mod relation {
    pub(crate) const UNKNOWN: u8 = 0;
    pub(crate) const HEAD: u8 = 1;
    pub(crate) const SPOUSE: u8 = 2;
    pub(crate) const CHILD: u8 = 3;
    pub(crate) const PARENT: u8 = 5;
}

/// The households of one unit: their numbers are the unit's own.
pub(super) struct Households<'a>(HashMap<&'a str, Vec<&'a Examined>>);

impl<'a> Households<'a> {
    pub(super) fn of(people: &'a [Examined]) -> Households<'a> {
        let mut houses: HashMap<&str, Vec<&Examined>> = HashMap::new();
        for person in people {
            if let Some(number) = &person.record.household {
                houses.entry(number).or_default().push(person);
            }
        }
        Households(houses)
    }

    /// The members of somebody's household, the dead among them; none of whoever has none.
    pub(super) fn of_person(&self, person: &Examined) -> House<'_> {
        let number = person.record.household.as_deref();
        House(number.and_then(|number| self.0.get(number)).map_or(&[], Vec::as_slice))
    }
}

/// One household.
#[derive(Clone, Copy)]
pub(super) struct House<'a>(&'a [&'a Examined]);

impl<'a> House<'a> {
    /// Its members who live.
    pub(super) fn living(self) -> impl Iterator<Item = &'a Examined> {
        self.0.iter().copied().filter(|member| member.lives())
    }

    /// Everybody in it.
    pub(super) fn members(self) -> impl Iterator<Item = &'a Examined> {
        self.0.iter().copied()
    }

    /// Those who live and stand so to the head.
    pub(super) fn living_as(self, relation: u8) -> impl Iterator<Item = &'a Examined> {
        self.living().filter(move |member| member.record.relation_to_head == Some(relation))
    }

    /// The head, where there is one and no other.
    pub(super) fn head(self) -> Option<&'a Examined> {
        let mut heads = self.living_as(relation::HEAD);
        heads.next().filter(|_| heads.next().is_none())
    }

    /// The one member who is asked about what is the household's as a whole: the eldest.
    pub(super) fn eldest(self) -> Option<&'a Examined> {
        self.living().min_by_key(|member| (member.record.birth.latest(), member.id))
    }
}

/// Those who live and have the name, birth, sex and mother of another who lives here: twins have their own
/// names.
pub(super) fn doubles(people: &[Examined]) -> HashSet<PersonId> {
    let mut same: HashMap<_, Vec<PersonId>> = HashMap::new();
    for person in people.iter().filter(|person| person.lives()) {
        let record = &person.record;
        let mother = record.mother.as_ref().map(|mother| mother.name.upper());
        let key = (record.name.upper(), record.birth.to_string(), record.sex.code(), mother);
        same.entry(key).or_default().push(person.id);
    }
    same.into_values().filter(|ids| ids.len() > 1).flatten().collect()
}
