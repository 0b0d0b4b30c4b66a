//! From two records to their comparison vector.

use crate::birth::{self, digits_typo};
use crate::level::{EqualityLevel, Levels, NameLevel, NumberLevel, ParentLevel, PlaceLevel, SexLevel};
use crate::name::{self, NameView};
use crate::record::Place;
use crate::row::Facts;

/// One record of a pair, with its names at hand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Side<'a> {
    pub facts: &'a Facts,
    pub pin: Option<u64>,
    pub cmnd: Option<u64>,
    pub name: NameView<'a>,
    pub father: NameView<'a>,
    pub mother: NameView<'a>,
}

/// The comparison vector and, for term frequencies, how the parents' names agreed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Comparison {
    pub levels: Levels,
    pub father_name: NameLevel,
    pub mother_name: NameLevel,
}

pub(crate) fn compare(a: &Side<'_>, b: &Side<'_>) -> Comparison {
    let name = name::compare(&a.name, &b.name);
    let (father, father_name) = name::compare_parents(&a.father, &b.father);
    let (mother, mother_name) = name::compare_parents(&a.mother, &b.mother);
    let native_place = compare_places(a.facts.native_place(), b.facts.native_place());
    let parent_agrees = father == ParentLevel::Same || mother == ParentLevel::Same;
    let levels = Levels {
        pin: compare_numbers(a.pin, b.pin),
        cmnd: compare_numbers(a.cmnd, b.cmnd),
        father,
        mother,
        native_place,
        birth_province: compare_values(
            a.facts.birth_province(),
            b.facts.birth_province(),
            agrees(native_place),
        ),
        ethnicity: compare_values(known(a.facts.ethnicity), known(b.facts.ethnicity), false),
        residence: compare_residences(a.facts, b.facts),
        residence_explained: parent_agrees || native_place == PlaceLevel::Commune,
        birth: birth::compare(a.facts.birth, b.facts.birth),
        name,
        sex: match (a.facts.sex(), b.facts.sex()) {
            (None, _) | (_, None) => SexLevel::Missing,
            (x, y) if x != y => SexLevel::Different,
            _ if name < NameLevel::MiddleDifferent && name != NameLevel::Missing => SexLevel::Implied,
            _ => SexLevel::Same,
        },
    };
    Comparison { levels, father_name, mother_name }
}

fn known(code: u8) -> Option<u8> {
    (code != 0).then_some(code)
}

fn agrees(level: PlaceLevel) -> bool {
    matches!(level, PlaceLevel::Address | PlaceLevel::Commune | PlaceLevel::District | PlaceLevel::Province)
}

fn compare_numbers(a: Option<u64>, b: Option<u64>) -> NumberLevel {
    match (a, b) {
        (Some(a), Some(b)) if a == b => NumberLevel::Equal,
        (Some(a), Some(b)) if digits_typo(a, b) => NumberLevel::OneTypo,
        (Some(_), Some(_)) => NumberLevel::Different,
        _ => NumberLevel::Missing,
    }
}

fn compare_values<T: PartialEq>(a: Option<T>, b: Option<T>, is_implied: bool) -> EqualityLevel {
    match (a, b) {
        (Some(a), Some(b)) if a == b && is_implied => EqualityLevel::Implied,
        (Some(a), Some(b)) if a == b => EqualityLevel::Same,
        (Some(_), Some(_)) => EqualityLevel::Different,
        _ => EqualityLevel::Missing,
    }
}

fn compare_places(a: Option<Place>, b: Option<Place>) -> PlaceLevel {
    let (Some(a), Some(b)) = (a, b) else { return PlaceLevel::Missing };
    match () {
        () if a == b && a.commune() != 0 => PlaceLevel::Commune,
        // A place read from free text may be of no known province: equal it is, or different.
        () if a.province() != b.province() || a.province() == 0 => PlaceLevel::Different,
        () if a.district() == b.district() && a.district() != 0 => PlaceLevel::District,
        () => PlaceLevel::Province,
    }
}

fn compare_residences(a: &Facts, b: &Facts) -> PlaceLevel {
    match compare_places(a.residence(), b.residence()) {
        PlaceLevel::Commune if a.address != 0 && a.address == b.address => PlaceLevel::Address,
        level => level,
    }
}
