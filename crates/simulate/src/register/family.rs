//! One sibship, its parents, and second records of some of them.

use super::damage::{self, Kind};
use super::{Entry, Plan, World, place, region};
use crate::names::{self, NameParts};
use crate::places::{self, Spot};
use crate::stream::Stream;
use domain::{Sex, UnitCode};

const LAST_YEAR: i32 = 2021;

/// What the members of a family have in common.
struct Home {
    ethnicity: u8,
    family_name: u16,
    father: NameParts,
    mother: NameParts,
    father_name: String,
    mother_name: String,
    commune: UnitCode,
    hometown: UnitCode,
    spot: Spot,
}

pub(super) fn records(plan: &Plan, world: &World, number: u64, stream: &mut Stream, out: &mut Vec<Entry>) {
    let units = places::units();
    let commune = world.commune(stream);
    let weights = places::ethnic_weights(units, commune);
    let ethnicity =
        weights[stream.weighted(&weights.iter().map(|(_, weight)| *weight).collect::<Vec<_>>())].0;
    let mother_age = 19 + stream.below(12) as i32;
    let first = 1938 + stream.below(83) as i32;
    let (father_born, mother_born) = (first - mother_age - stream.between(-1, 6), first - mother_age);
    let family_name = names::draw_family(stream, ethnicity, region(commune));
    let father = names::draw_name(stream, ethnicity, Sex::Male, father_born, family_name);
    let mothers_family = names::draw_family(stream, ethnicity, region(commune));
    let mother = names::draw_name(stream, ethnicity, Sex::Female, mother_born, mothers_family);
    let kind = units.get(commune).map_or("xã", |unit| &unit.kind);
    let home = Home {
        ethnicity,
        family_name,
        father,
        mother,
        father_name: father.text(),
        mother_name: mother.text(),
        commune,
        hometown: if stream.chance(0.8) { commune } else { places::any_commune(stream) },
        spot: Spot::draw(stream, kind, region(commune), ethnicity),
    };
    let mut people = Vec::new();
    children(&home, first, stream, &mut people);
    // Parents are of record themselves where they may still live; their own parents are nobody else's here.
    for (name, sex, born) in [(home.father, Sex::Male, father_born), (home.mother, Sex::Female, mother_born)]
    {
        if born >= 1930 && stream.chance(0.45) {
            people.push(parent(&home, name, sex, born, stream));
        }
    }
    for (at, person) in people.iter_mut().enumerate() {
        person.person = number << 5 | at as u64;
        damage::first_paper(person, stream);
        if LAST_YEAR - i32::from(person.birth_year) > 17 && stream.chance(0.32) {
            move_away(person, world, stream);
        }
    }
    for person in people {
        let mut copies = 0;
        // A few people are on record three times, which makes three pairs.
        let per_person = plan.duplicates / (1.0 - plan.duplicates) * 0.94;
        if stream.chance(per_person) {
            copies = if stream.chance(0.03) { 2 } else { 1 };
        }
        for _ in 0..copies {
            let kind =
                [Kind::Light, Kind::Moved, Kind::Hard, Kind::Alias][stream.weighted(&[440, 250, 251, 59])];
            let mut copy = Entry { kind: Some(kind), ..person.clone() };
            if kind == Kind::Moved || stream.chance(0.1) {
                move_away(&mut copy, world, stream);
            }
            damage::second_paper(&mut copy, kind, home.ethnicity, stream);
            out.push(copy);
        }
        out.push(person);
    }
}

fn children(home: &Home, first: i32, stream: &mut Stream, people: &mut Vec<Entry>) {
    // Families had more children in former days.
    let weights: [u32; 7] = match first {
        ..1975 => [6, 12, 20, 24, 18, 12, 8],
        1975..1995 => [14, 38, 28, 12, 5, 2, 1],
        _ => [28, 52, 15, 4, 1, 0, 0],
    };
    let wanted = 1 + stream.weighted(&weights);
    let mut year = first;
    let mut elder: Option<NameParts> = None;
    while people.len() < wanted && year <= LAST_YEAR {
        let (day, month) = (1 + stream.below(28) as u8, 1 + stream.below(12) as u8);
        let twins = 1 + usize::from(stream.chance(0.011));
        for twin in 0..twins {
            let sex = if stream.chance(0.525) { Sex::Male } else { Sex::Female };
            let mut name = names::draw_name(stream, home.ethnicity, sex, year, home.family_name);
            if let Some(elder) = elder
                && (twin > 0 || stream.chance(0.3))
            {
                name = names::share_middle(name, elder);
            }
            // No two children of one family are given one name.
            if people.iter().any(|sibling: &Entry| sibling.full_name == name.text()) {
                continue;
            }
            elder = Some(name);
            people.push(Entry {
                full_name: name.text(),
                sex: Some(sex),
                birth_day: day,
                birth_month: month,
                birth_year: year as u16,
                ..shared(home, stream)
            });
        }
        year += 1 + stream.weighted(&[20, 34, 22, 12, 8, 4]) as i32;
    }
}

/// What the home gives to a member's record.
fn shared(home: &Home, stream: &mut Stream) -> Entry {
    let units = places::units();
    let born_in = if stream.chance(0.93) { home.commune } else { places::any_commune(stream) };
    Entry {
        ethnicity: home.ethnicity,
        birth_province: places::province_of(units, born_in).to_string(),
        hometown: place(home.hometown),
        residence: place(home.commune),
        address_line: home.spot.text(),
        father_name: home.father_name.clone(),
        mother_name: home.mother_name.clone(),
        ..Entry::default()
    }
}

fn parent(home: &Home, name: NameParts, sex: Sex, born: i32, stream: &mut Stream) -> Entry {
    let region = region(home.commune);
    let father = names::draw_name(stream, home.ethnicity, Sex::Male, born - 27, name.family());
    let family = names::draw_family(stream, home.ethnicity, region);
    let mother = names::draw_name(stream, home.ethnicity, Sex::Female, born - 24, family);
    let same_commune = sex == Sex::Male || stream.chance(0.5);
    let hometown = if same_commune { home.hometown } else { places::any_commune(stream) };
    Entry {
        full_name: name.text(),
        sex: Some(sex),
        birth_day: 1 + stream.below(28) as u8,
        birth_month: 1 + stream.below(12) as u8,
        birth_year: born as u16,
        hometown: place(hometown),
        father_name: father.text(),
        mother_name: mother.text(),
        ..shared(home, stream)
    }
}

fn move_away(entry: &mut Entry, world: &World, stream: &mut Stream) {
    let units = places::units();
    let commune = if stream.chance(0.7) { world.commune(stream) } else { places::any_commune(stream) };
    let kind = units.get(commune).map_or("xã", |unit| &unit.kind);
    entry.residence = place(commune);
    entry.address_line = Spot::draw(stream, kind, region(commune), entry.ethnicity).text();
}
