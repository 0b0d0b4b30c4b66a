//! One household's people: names, places, codes and numbers for the members that [`super::shape`] drew.

use time::Duration;

use super::shape::{self, MARRIED, Member};
use super::{Household, Kin, Model, Person, Precision};
use crate::names::{self, NameParts};
use crate::places::{self, EDE, HMONG, KHMER, KINH, Region, Spot};
use crate::stream::Stream;
use domain::unit::{UnitLevel, Units};
use domain::{OldId, Pin, Sex, UnitCode};

/// What all households of one commune have in common.
pub(super) struct Commune {
    pub unit: UnitCode,
    pub province: UnitCode,
    pub region: Region,
    pub kind: Box<str>,
    pub ethnic_groups: Vec<u8>,
    pub ethnic_weights: Vec<u32>,
    /// Communes of the same district, for people from next door.
    pub neighbours: Vec<UnitCode>,
}

impl Commune {
    /// What families of this commune are drawn from: names, groups and places by its region and district.
    pub fn new(units: Units<'_>, unit: UnitCode) -> Commune {
        let district = units.chain(unit).find(|above| above.code.level() == UnitLevel::District);
        let province = places::province_of(units, unit);
        let (ethnic_groups, ethnic_weights) = places::ethnic_weights(units, unit).into_iter().unzip();
        Commune {
            unit,
            province,
            region: Region::of(province),
            kind: units.get(unit).map_or_else(|| "xã".into(), |found| found.kind.clone()),
            ethnic_groups,
            ethnic_weights,
            neighbours: district.map_or_else(|| vec![unit], |district| units.leaves_of(district.code)),
        }
    }
}

/// The people of `household`, in order, and the spot where they live.
pub(super) fn people(
    model: &Model,
    units: Units<'_>,
    commune: &Commune,
    household: &Household,
    index: u32,
    mut stream: Stream,
) -> (Spot, Vec<Person>) {
    let members = shape::draw(&mut stream, usize::from(household.size), model.twin_rate);
    let mut builder = Builder {
        model,
        units,
        commune,
        first: household.first,
        index,
        members: &members,
        stream: &mut stream,
    };
    let ethnicity = commune.ethnic_groups[builder.stream.weighted(&commune.ethnic_weights)];
    let spot = Spot::draw(builder.stream, &commune.kind, commune.region, ethnicity);
    let religion = draw_religion(builder.stream, ethnicity, commune.region);
    // Parents are named before their children: an elder has no parent in the household, the couple may,
    // children do.
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by_key(|&member| generation(&members, member));
    let mut people: Vec<Option<Person>> = vec![None; members.len()];
    for &member in &order {
        people[member] = Some(builder.person(member, ethnicity, religion, &people));
    }
    let people = people.into_iter().flatten().collect();
    (spot, people)
}

fn generation(members: &[Member], member: usize) -> usize {
    let parents = [members[member].father, members[member].mother];
    parents.into_iter().flatten().map(|parent| 1 + generation(members, parent)).max().unwrap_or(0)
}

struct Builder<'a> {
    model: &'a Model,
    units: Units<'a>,
    commune: &'a Commune,
    first: u32,
    index: u32,
    members: &'a [Member],
    stream: &'a mut Stream,
}

impl Builder<'_> {
    fn person(&mut self, at: usize, household_group: u8, religion: u8, done: &[Option<Person>]) -> Person {
        let member = &self.members[at];
        let father = member.father.and_then(|father| done[father].as_ref());
        let mother = member.mother.and_then(|mother| done[mother].as_ref());
        let ethnicity = self.ethnicity(member, household_group, father, mother);
        let birth = self.model.as_of - Duration::days(member.age_days.into());
        let years = birth_year_gap(member.age_days);
        let siblings = self.siblings(member, done);
        let (family, father_kin, mother_kin) =
            self.parents(member, ethnicity, birth.year(), [father, mother], siblings.first().copied());
        let taken: Vec<NameParts> = done.iter().flatten().map(|person| person.name).collect();
        let name = self.name(member, ethnicity, birth.year(), family, &siblings, &taken);
        let (birth_registration, native) = self.origins(member, father, mother);
        let precision = self.precision(years);
        let spouse = match member.spouse {
            Some(spouse) => Kin::Resident(self.first + spouse as u32),
            None if member.marital == MARRIED => {
                self.named_stranger(ethnicity, other(member.sex), birth.year())
            }
            None => Kin::Unknown,
        };
        let lives_elsewhere =
            (18..=45).contains(&years) && self.stream.chance(self.model.lives_elsewhere_share);
        let current = lives_elsewhere.then(|| self.elsewhere());
        let has_blood = self.stream.chance(self.model.blood_share);
        Person {
            name,
            sex: member.sex,
            birth,
            precision,
            pin: self.pin(member.sex, birth.year(), years, birth_registration),
            old_ids: self.old_ids(years, birth_registration),
            ethnicity,
            religion,
            marital: member.marital,
            blood: if has_blood { 1 + self.stream.weighted(&[21, 30, 6, 43]) as u8 } else { 0 },
            birth_registration,
            native,
            household: self.index,
            relation: member.relation,
            father: father_kin,
            mother: mother_kin,
            spouse,
            current,
            died: self.death(years),
            twin_of: member.twin_of.map(|twin| self.first + twin as u32),
            look_alike: None,
        }
    }

    fn ethnicity(
        &mut self,
        member: &Member,
        household: u8,
        father: Option<&Person>,
        mother: Option<&Person>,
    ) -> u8 {
        match (father, mother) {
            (_, Some(mother)) if mother.ethnicity == EDE => EDE,
            (Some(parent), _) | (None, Some(parent)) => parent.ethnicity,
            (None, None)
                if member.spouse.is_some() && member.sex == Sex::Female && self.stream.chance(0.04) =>
            {
                self.commune.ethnic_groups[self.stream.weighted(&self.commune.ethnic_weights)]
            }
            (None, None) => household,
        }
    }

    /// Family name and the two parents: residents where they live here, otherwise a name, or unknown for the
    /// very old.
    ///
    /// A family name goes from father to child, an Ê-đê clan from mother to child. Brothers and sisters agree
    /// on a parent who is absent because the later ones copy the first.
    fn parents(
        &mut self,
        member: &Member,
        ethnicity: u8,
        birth_year: i32,
        [father, mother]: [Option<&Person>; 2],
        sibling: Option<&Person>,
    ) -> (u16, Kin, Kin) {
        if let Some(sibling) = sibling {
            return (sibling.name.family(), sibling.father, sibling.mother);
        }
        let absent_spouse = |parent: Option<&Person>| match parent.map(|parent| parent.spouse) {
            Some(Kin::Named(name)) => Some(name),
            _ => None,
        };
        let (father_name, mother_name) = (absent_spouse(mother), absent_spouse(father));
        let from_mother = ethnicity == EDE;
        let lineage = if from_mother {
            mother.map(|mother| mother.name).or(mother_name)
        } else {
            father.map(|father| father.name).or(father_name)
        };
        let family = match lineage {
            Some(name) => name.family(),
            None => names::draw_family(self.stream, ethnicity, self.commune.region),
        };
        let unknown = member.age_days > 75 * 365 && self.stream.chance(0.1);
        let mut kin =
            |resident: Option<usize>, named: Option<NameParts>, sex: Sex, family: Option<u16>| match resident
            {
                Some(at) => Kin::Resident(self.first + at as u32),
                None if named.is_some() || unknown => named.map_or(Kin::Unknown, Kin::Named),
                None => self.named_parent(ethnicity, sex, birth_year, family),
            };
        let father_kin = kin(member.father, father_name, Sex::Male, (!from_mother).then_some(family));
        let mother_kin = kin(member.mother, mother_name, Sex::Female, from_mother.then_some(family));
        (family, father_kin, mother_kin)
    }

    fn named_parent(&mut self, ethnicity: u8, sex: Sex, child_born: i32, family: Option<u16>) -> Kin {
        let family =
            family.unwrap_or_else(|| names::draw_family(self.stream, ethnicity, self.commune.region));
        let age = self.stream.between(20, 36);
        Kin::Named(names::draw_name(self.stream, ethnicity, sex, child_born - age, family))
    }

    fn named_stranger(&mut self, ethnicity: u8, sex: Sex, birth_year: i32) -> Kin {
        let family = names::draw_family(self.stream, ethnicity, self.commune.region);
        Kin::Named(names::draw_name(self.stream, ethnicity, sex, birth_year, family))
    }

    /// A name that nobody else in the house has.
    fn name(
        &mut self,
        member: &Member,
        ethnicity: u8,
        birth_year: i32,
        family: u16,
        siblings: &[&Person],
        taken: &[NameParts],
    ) -> NameParts {
        let elder = siblings.iter().rev().find(|sibling| sibling.sex == member.sex);
        let share =
            elder.filter(|_| member.twin_of.is_some() || self.stream.chance(0.4)).map(|elder| elder.name);
        loop {
            let name = names::draw_name(self.stream, ethnicity, member.sex, birth_year, family);
            let name = share.map_or(name, |elder| names::share_middle(name, elder));
            if !taken.contains(&name) {
                return name;
            }
        }
    }

    /// Brothers and sisters who already have their names, in order of birth.
    fn siblings<'p>(&self, member: &Member, done: &'p [Option<Person>]) -> Vec<&'p Person> {
        if member.father.is_none() && member.mother.is_none() {
            return Vec::new();
        }
        let same_parents = |other: &Member| other.father == member.father && other.mother == member.mother;
        let members = self.members.iter().zip(done).filter(|(other, _)| same_parents(other));
        let mut siblings: Vec<&Person> = members.filter_map(|(_, person)| person.as_ref()).collect();
        siblings.sort_by_key(|sibling| sibling.birth);
        siblings
    }

    /// Where the birth was registered and the native place.
    fn origins(
        &mut self,
        member: &Member,
        father: Option<&Person>,
        mother: Option<&Person>,
    ) -> (UnitCode, UnitCode) {
        let here = self.commune.unit;
        if let Some(parent) = father.or(mother)
            && member.age_days < 18 * 365
        {
            let registered = if self.stream.chance(0.94) { here } else { parent.birth_registration };
            return (registered, parent.native);
        }
        let in_ward = &*self.commune.kind == "phường";
        let moved = self.model.moved_in_share * if in_ward { 2.0 } else { 1.0 };
        let registered = if self.stream.chance(moved) {
            places::any_commune(self.stream)
        } else if self.stream.chance(0.8) {
            here
        } else {
            self.commune.neighbours[self.stream.below(self.commune.neighbours.len() as u32) as usize]
        };
        let native = match father.or(mother) {
            Some(parent) => parent.native,
            None if self.stream.chance(0.9) => registered,
            None => places::any_commune(self.stream),
        };
        (registered, native)
    }

    fn elsewhere(&mut self) -> (UnitCode, Spot) {
        let unit = places::any_commune(self.stream);
        let region = Region::of(places::province_of(self.units, unit));
        let kind = self.units.get(unit).map_or("xã", |found| &found.kind);
        (unit, Spot::draw(self.stream, kind, region, KINH))
    }

    fn precision(&mut self, years: i32) -> Precision {
        if years < self.model.partial_birth_from_age {
            return Precision::Day;
        }
        let draw = f64::from(self.stream.below(1_000_000)) / 1e6;
        if draw < self.model.year_only_share {
            Precision::Year
        } else if draw < self.model.year_only_share + self.model.month_only_share {
            Precision::Month
        } else {
            Precision::Day
        }
    }

    /// A number of the right structure; that it is the only one of its kind is seen to once everybody has
    /// theirs.
    fn pin(&mut self, sex: Sex, birth_year: i32, years: i32, registered: UnitCode) -> Option<Pin> {
        let share = if years < 14 { self.model.child_pin_share } else { self.model.adult_pin_share };
        let serial = self.stream.below(1_000_000);
        if !self.stream.chance(share) {
            return None;
        }
        let place = places::province_of(self.units, registered).number() as u16;
        Pin::compose(place, sex, birth_year as i16, serial).ok()
    }

    fn old_ids(&mut self, years: i32, registered: UnitCode) -> [Option<OldId>; 2] {
        let share = match years {
            ..16 => 0.0,
            16..20 => self.model.old_id_share * 0.45,
            _ => self.model.old_id_share,
        };
        if !self.stream.chance(share) {
            return [None, None];
        }
        let registered = places::province_of(self.units, registered);
        let issuer = if self.stream.chance(0.7) { self.commune.province } else { registered };
        let first = self.old_id(issuer);
        let second =
            if self.stream.chance(self.model.second_old_id_share) { self.old_id(registered) } else { None };
        [first, second]
    }

    fn old_id(&mut self, province: UnitCode) -> Option<OldId> {
        let prefixes = places::old_id_prefixes(province);
        let (_, prefix) = prefixes.get(self.stream.below(prefixes.len() as u32) as usize)?;
        OldId::parse(&format!("{prefix:02}{:07}", self.stream.below(10_000_000))).ok()
    }

    /// Gompertz's law: the risk of dying doubles every eight years of age.
    fn death(&mut self, years: i32) -> Option<time::Date> {
        let yearly = (0.000_06 * (0.087 * f64::from(years)).exp()).min(0.6);
        let day = self.stream.below(self.model.death_horizon_days.max(0) as u32);
        let dies = self.stream.chance(yearly * f64::from(self.model.death_horizon_days.max(0)) / 365.25);
        dies.then(|| self.model.as_of + Duration::days(1 + i64::from(day)))
    }
}

/// Full years, near enough for a share that depends on age.
fn birth_year_gap(age_days: i32) -> i32 {
    (f64::from(age_days) / 365.25) as i32
}

fn other(sex: Sex) -> Sex {
    match sex {
        Sex::Male => Sex::Female,
        Sex::Female => Sex::Male,
    }
}

/// Codes 00 none, 01 Buddhist, 02 Catholic, 03 Hòa Hảo, 05 Cao Đài, 08 Protestant; shares follow the 2019
/// census [M] nationally, their spread over regions and groups is ours [L].
fn draw_religion(stream: &mut Stream, ethnicity: u8, region: Region) -> u8 {
    const CODES: [u8; 6] = [0, 1, 2, 3, 5, 8];
    let weights: [u32; 6] = match (ethnicity, region) {
        (KHMER, _) => [90, 900, 5, 0, 0, 5],
        (HMONG, _) => [780, 0, 10, 0, 0, 210],
        (EDE, _) => [520, 5, 60, 0, 0, 415],
        (_, Region::North) => [925, 20, 53, 0, 0, 2],
        (_, Region::NorthCentre) => [910, 20, 68, 0, 0, 2],
        (_, Region::SouthCentre) => [830, 80, 70, 0, 8, 12],
        (_, Region::South) => [775, 95, 75, 30, 18, 7],
    };
    CODES[stream.weighted(&weights)]
}
