//! From a comparison to a weight, and the weight taken apart again for a human.

use crate::compare::{Comparison, Side, compare};
use crate::index::Index;
use crate::keys::{CMND_RULE, PIN_RULE};
use crate::level::{
    BirthLevel, EqualityLevel, Field, Levels, NameLevel, NumberLevel, ParentLevel, PlaceLevel, SexLevel,
};
use crate::name::NameView;
use crate::names::Names;
use crate::params::{NAMESAKE, Params, RESIDENCE_GIVEN_NATIVE, Rates, SIMILAR_PARENT_FLOOR};
use crate::record::Record;
use crate::row::{Query, Row};
use crate::statistics::{Statistics, is_minority};

/// Population a pair is taken from when no register is at hand: a province.
const POPULATION_UNKNOWN: u32 = 1_000_000;
/// Fields compared.
const FIELDS: usize = 10;

/// Why two records have the weight they have: a waterfall from the prior to the weight.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// log₂ of the odds that the two records are one person.
    pub weight: f64,
    /// The same as a probability.
    pub probability: f64,
    /// The prior, then each field with what it added in bits, in the order of `Field`; the weights sum to
    /// `weight`. What a field adds depends on the fields before it: once parents agree, kin is the
    /// alternative to be beaten, and the given name decides.
    pub fields: Vec<FieldWeight>,
    /// The comparison vector, to be stored with the decision.
    pub levels: Levels,
}

/// One field's part in the weight of a pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FieldWeight {
    pub field: Field,
    /// Stable code of the level of agreement.
    pub level: &'static str,
    /// Bits added to the weight.
    pub weight: f64,
}

/// Explains a pair without a register: with the shipped parameters, published surname frequencies and a
/// population of one million.
pub fn explain(a: &Record, b: &Record) -> Explanation {
    let (names, statistics) = (Names::new(), Statistics::new());
    let (a, b) = (Query::new(a, &names), Query::new(b, &names));
    Model { params: &Params::default(), statistics: &statistics, population: POPULATION_UNKNOWN, index: None }
        .explain(&a.side(), &b.side())
}

impl Query {
    pub(crate) fn side(&self) -> Side<'_> {
        Side {
            facts: &self.row.facts,
            pin: self.row.pin(),
            cmnd: self.row.cmnd(),
            name: self.name.view(),
            father: self.father.view(),
            mother: self.mother.view(),
        }
    }
}

impl<'a> Side<'a> {
    pub(crate) fn of_row(row: &'a Row, names: &'a Names) -> Side<'a> {
        let [name, father, mother] =
            [row.facts.name, row.facts.father, row.facts.mother].map(|id| names.view(id));
        Side { facts: &row.facts, pin: row.pin(), cmnd: row.cmnd(), name, father, mother }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Model<'a> {
    pub params: &'a Params,
    pub statistics: &'a Statistics,
    pub population: u32,
    /// Knows how many people a number was given to.
    pub index: Option<&'a Index>,
}

/// The running odds: match against kin and strangers.
#[derive(Clone, Copy, Debug)]
struct Odds(Rates);

impl Odds {
    fn prior(params: &Params, population: u32) -> Odds {
        let population = f64::from(population).max(params.prior.least_population);
        let matched = (params.prior.matches_per_record / population).min(0.5);
        let kin = (params.prior.kin_per_record / population).min(0.25);
        Odds(Rates { matched, kin, unrelated: 1.0 - matched - kin })
    }

    fn times(self, evidence: Rates) -> Odds {
        Odds(Rates {
            matched: self.0.matched * evidence.matched,
            kin: self.0.kin * evidence.kin,
            unrelated: self.0.unrelated * evidence.unrelated,
        })
    }

    fn weight(self) -> f64 {
        (self.0.matched / (self.0.kin + self.0.unrelated)).log2()
    }
}

pub(crate) fn probability(weight: f64) -> f64 {
    1.0 / (1.0 + (-weight).exp2())
}

impl Model<'_> {
    pub(crate) fn weigh(&self, a: &Side<'_>, b: &Side<'_>) -> (f64, Levels) {
        let comparison = compare(a, b);
        let evidence = self.evidence(a, b, &comparison);
        let odds = evidence
            .iter()
            .fold(Odds::prior(self.params, self.population), |odds, &(_, _, rates)| odds.times(rates));
        (odds.weight(), comparison.levels)
    }

    pub(crate) fn explain(&self, a: &Side<'_>, b: &Side<'_>) -> Explanation {
        let comparison = compare(a, b);
        let mut odds = Odds::prior(self.params, self.population);
        let mut weight = odds.weight();
        let mut fields = vec![FieldWeight { field: Field::Prior, level: "prior", weight }];
        for (field, level, rates) in self.evidence(a, b, &comparison) {
            odds = odds.times(rates);
            fields.push(FieldWeight { field, level, weight: odds.weight() - weight });
            weight = odds.weight();
        }
        Explanation { weight, probability: probability(weight), fields, levels: comparison.levels }
    }

    pub(crate) fn evidence(
        &self,
        a: &Side<'_>,
        b: &Side<'_>,
        comparison: &Comparison,
    ) -> [(Field, &'static str, Rates); FIELDS] {
        let levels = &comparison.levels;
        let params = self.params;
        [
            (
                Field::Pin,
                levels.pin.code(),
                self.number(params.pin[levels.pin as usize], PIN_RULE, a.pin, levels.pin),
            ),
            (
                Field::Cmnd,
                levels.cmnd.code(),
                self.number(params.cmnd[levels.cmnd as usize], CMND_RULE, a.cmnd, levels.cmnd),
            ),
            (Field::Parents, levels.parents_code(), self.parents(a, b, comparison)),
            (Field::NativePlace, levels.native_place.code(), self.native_place(a, levels)),
            (Field::BirthProvince, levels.birth_province.code(), self.birth_province(a, levels)),
            (Field::Ethnicity, levels.ethnicity.code(), self.ethnicity(a, levels)),
            (Field::Residence, levels.residence.code(), self.residence(a, levels)),
            (Field::Birth, levels.birth.code(), params.birth[levels.birth as usize]),
            (Field::Name, levels.name.code(), self.name(a, b, levels)),
            (Field::Sex, levels.sex.code(), params.sex[levels.sex as usize]),
        ]
    }

    /// A number that many records carry was typed to get past a form: it says as little as it is common.
    fn number(&self, rates: Rates, rule: usize, number: Option<u64>, level: NumberLevel) -> Rates {
        let (NumberLevel::Equal, Some(number), Some(index)) = (level, number, self.index) else {
            return rates;
        };
        let others = index.holders(rule, number).saturating_sub(1) as f64;
        let share = others / f64::from(self.population.max(1));
        Rates { kin: rates.kin.max(share), unrelated: rates.unrelated.max(share), ..rates }
    }

    fn name(&self, a: &Side<'_>, b: &Side<'_>, levels: &Levels) -> Rates {
        if levels.name == NameLevel::Missing {
            return self.params.name[0];
        }
        let share = self.share(levels.name, &a.name, &b.name, stratum(a, b));
        let mut rates = self.params.name[levels.name as usize];
        let is_namesake = levels.name <= NameLevel::Order
            && matches!(
                levels.birth,
                BirthLevel::Generation | BirthLevel::SameDayMonth | BirthLevel::Missing
            );
        if is_namesake {
            rates.kin = rates.kin.max(NAMESAKE);
        }
        times_unrelated(rates, share)
    }

    fn parents(&self, a: &Side<'_>, b: &Side<'_>, comparison: &Comparison) -> Rates {
        let levels = &comparison.levels;
        let rates = self.params.parents[levels.father as usize][levels.mother as usize];
        let share = |level: ParentLevel, name: NameLevel, x: &NameView<'_>, y: &NameView<'_>| match level {
            ParentLevel::Missing | ParentLevel::Different => 1.0,
            ParentLevel::Same => self.share(name, x, y, stratum(a, b)),
            ParentLevel::Similar => {
                let factor = self.params.name[name as usize].unrelated;
                (factor * self.share(name, x, y, stratum(a, b))).max(SIMILAR_PARENT_FLOOR)
            }
        };
        let father = share(levels.father, comparison.father_name, &a.father, &b.father);
        let mother = share(levels.mother, comparison.mother_name, &a.mother, &b.mother);
        times_unrelated(rates, father * mother)
    }

    /// The share of the population that agrees with a name to a level, by the parts that agree there.
    fn share(&self, level: NameLevel, a: &NameView<'_>, b: &NameView<'_>, stratum: usize) -> f64 {
        if matches!(level, NameLevel::Missing | NameLevel::Different) {
            return 1.0;
        }
        let frequency = if a.id.is_some() && a.id == b.id {
            self.statistics.name(a, stratum)
        } else {
            self.statistics.name(a, stratum).max(self.statistics.name(b, stratum))
        };
        frequency.at(level)
    }

    fn native_place(&self, a: &Side<'_>, levels: &Levels) -> Rates {
        let rates = self.params.native_place[levels.native_place as usize];
        let Some(place) = a.facts.native_place() else { return rates };
        match levels.native_place {
            PlaceLevel::Missing | PlaceLevel::Different => rates,
            PlaceLevel::Address | PlaceLevel::Commune => {
                times_unrelated(rates, self.statistics.native(place, place.bits()))
            }
            PlaceLevel::District => {
                times_unrelated(rates, self.statistics.native(place, place.district_bits()))
            }
            PlaceLevel::Province => {
                times_unrelated(rates, self.statistics.native(place, place.province_bits()))
            }
        }
    }

    /// Silent once a parent agrees: families live together, and what is left is where they moved.
    fn residence(&self, a: &Side<'_>, levels: &Levels) -> Rates {
        if levels.residence_explained {
            return self.params.residence[PlaceLevel::Missing as usize];
        }
        let rates = self.params.residence[levels.residence as usize];
        let Some(place) = a.facts.residence() else { return rates };
        if levels.native_place == PlaceLevel::Commune {
            return Rates { unrelated: RESIDENCE_GIVEN_NATIVE[levels.residence as usize], ..rates };
        }
        match levels.residence {
            PlaceLevel::Missing | PlaceLevel::Different => rates,
            PlaceLevel::Address | PlaceLevel::Commune => {
                times_unrelated(rates, self.statistics.residence(place, place.bits()))
            }
            PlaceLevel::District => {
                times_unrelated(rates, self.statistics.residence(place, place.district_bits()))
            }
            PlaceLevel::Province => {
                times_unrelated(rates, self.statistics.residence(place, place.province_bits()))
            }
        }
    }

    fn birth_province(&self, a: &Side<'_>, levels: &Levels) -> Rates {
        let rates = self.params.birth_province[levels.birth_province as usize];
        match (levels.birth_province, a.facts.birth_province()) {
            (EqualityLevel::Same, Some(province)) => {
                times_unrelated(rates, self.statistics.birth_province(province))
            }
            _ => rates,
        }
    }

    fn ethnicity(&self, a: &Side<'_>, levels: &Levels) -> Rates {
        let rates = self.params.ethnicity[levels.ethnicity as usize];
        match levels.ethnicity {
            EqualityLevel::Same => times_unrelated(rates, self.statistics.ethnicity(a.facts.ethnicity)),
            _ => rates,
        }
    }
}

/// Term frequencies of a minority apply where both records are of the same one.
fn stratum(a: &Side<'_>, b: &Side<'_>) -> usize {
    usize::from(a.facts.ethnicity == b.facts.ethnicity && is_minority(a.facts.ethnicity))
}

fn times_unrelated(rates: Rates, share: f64) -> Rates {
    Rates { unrelated: (rates.unrelated * share).clamp(1e-12, 1.0), ..rates }
}

/// Whether equal or contradicting numbers and facts forbid an automatic decision.
pub(crate) fn caution(levels: &Levels) -> crate::decide::Caution {
    use crate::decide::Caution;
    match levels.pin {
        NumberLevel::Equal if levels.name.contradicts() || levels.birth.contradicts() => {
            Caution::PinContradicted
        }
        NumberLevel::Equal if levels.name != NameLevel::Missing => Caution::PinConfirmed,
        NumberLevel::Different => Caution::PinDiffers,
        _ if levels.sex == SexLevel::Different => Caution::SexDiffers,
        _ => Caution::None,
    }
}
