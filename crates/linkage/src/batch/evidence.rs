//! How often strangers agree as a pair does: the term-frequency side of the weight.

use crate::batch::frequencies::{Common, Frequencies};
use crate::batch::register::{FATHER, MOTHER, NAME};
use crate::batch::trained::Trained;
use crate::compare::{Comparison, Side};
use crate::level::{BirthLevel, EqualityLevel, NameLevel, ParentLevel, PlaceLevel};
use crate::name::NameView;
use crate::params::SIMILAR_PARENT_FLOOR;
use crate::statistics::NameFrequency;

/// Factors on the strangers' rates, field by field; 1 where no frequency applies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shares {
    pub parents: f64,
    pub native: f64,
    pub birth_province: f64,
    pub ethnicity: f64,
    pub residence: f64,
    pub birth: f64,
    pub name: f64,
}

impl Shares {
    pub(crate) fn product(&self) -> f64 {
        let Shares { parents, native, birth_province, ethnicity, residence, birth, name } = self;
        parents * native * birth_province * ethnicity * residence * birth * name
    }
}

pub(crate) fn shares(
    frequencies: &Frequencies,
    trained: &Trained,
    a: &Side<'_>,
    b: &Side<'_>,
    comparison: &Comparison,
) -> Shares {
    let levels = &comparison.levels;
    let common = Common::of(a.facts, b.facts);
    let place = |level: PlaceLevel| match level {
        PlaceLevel::Address | PlaceLevel::Commune => Some(0),
        PlaceLevel::District => Some(1),
        PlaceLevel::Province => Some(2),
        PlaceLevel::Missing | PlaceLevel::Different => None,
    };
    let native = place(levels.native_place).zip(a.facts.native_place());
    let residence = if levels.residence_explained { None } else { place(levels.residence) };
    let residence = residence.zip(a.facts.residence());
    let is_exact_date = matches!(levels.birth, BirthLevel::Exact | BirthLevel::ExactDefault);
    Shares {
        native: native.map_or(1.0, |(level, place)| frequencies.native(place, level)),
        residence: residence.map_or(1.0, |(level, place)| frequencies.residence(place, level)),
        birth_province: match (levels.birth_province, a.facts.birth_province()) {
            (EqualityLevel::Same, Some(province)) => frequencies.birth_province(province),
            _ => 1.0,
        },
        ethnicity: match levels.ethnicity {
            EqualityLevel::Same => frequencies.ethnicity(a.facts.ethnicity, &common),
            _ => 1.0,
        },
        birth: if is_exact_date { frequencies.date(a.facts) } else { 1.0 },
        name: name_share(frequencies, NAME, levels.name, &a.name, &b.name, &common, false),
        parents: parents(frequencies, trained, a, b, comparison, &common),
    }
}

fn parents(
    frequencies: &Frequencies,
    trained: &Trained,
    a: &Side<'_>,
    b: &Side<'_>,
    comparison: &Comparison,
    common: &Common,
) -> f64 {
    let levels = &comparison.levels;
    let share = |column: usize, level: ParentLevel, name: NameLevel, x: &NameView<'_>, y: &NameView<'_>| {
        let inherited = column == FATHER && surname_follows(levels.name, a, b);
        match level {
            ParentLevel::Missing | ParentLevel::Different => 1.0,
            ParentLevel::Same => name_share(frequencies, column, name, x, y, common, inherited),
            ParentLevel::Similar => {
                let factor = trained.tables[crate::batch::trained::NAME][name as usize].unrelated;
                let share = name_share(frequencies, column, name, x, y, common, inherited);
                (factor * share).max(SIMILAR_PARENT_FLOOR)
            }
        }
    };
    share(FATHER, levels.father, comparison.father_name, &a.father, &b.father)
        * share(MOTHER, levels.mother, comparison.mother_name, &a.mother, &b.mother)
}

/// Whether the fathers' surnames agree because the children's do.
fn surname_follows(name: NameLevel, a: &Side<'_>, b: &Side<'_>) -> bool {
    let inherited = |side: &Side<'_>| {
        side.name
            .surname()
            .zip(side.father.surname())
            .is_some_and(|(child, father)| child.dialect == father.dialect)
    };
    let agrees = !matches!(name, NameLevel::Missing | NameLevel::GivenOnly | NameLevel::Different);
    agrees && inherited(a) && inherited(b)
}

/// The share of people who agree with a name to a level, by the parts that agree there.
fn name_share(
    frequencies: &Frequencies,
    column: usize,
    level: NameLevel,
    a: &NameView<'_>,
    b: &NameView<'_>,
    common: &Common,
    surname_follows: bool,
) -> f64 {
    if matches!(level, NameLevel::Missing | NameLevel::Different) {
        return 1.0;
    }
    let mut shares = frequencies.name(column, a, common);
    if a.id.is_none() || a.id != b.id {
        shares = shares.max(frequencies.name(column, b, common));
    }
    if surname_follows {
        shares = NameFrequency { full: (shares.full / shares.surname).min(1.0), surname: 1.0, ..shares };
    }
    shares.at(level)
}
