//! What each level of agreement is worth in each of four latent classes, as learnt from a file.

use crate::level::{BirthLevel, EqualityLevel, Levels, NameLevel, ParentLevel, PlaceLevel, SexLevel};
use crate::params::{Params, Rates};

/// Probabilities of a level among pairs of one person on good papers, of one person on bad papers, of
/// brothers and sisters, of twins, and of strangers. Where term frequencies apply, `unrelated` is a factor on
/// the frequency of what agrees.
///
/// Slips come together: who lost the diacritics also guessed the date. With one class of matches the second
/// slip of a pair would count as if it were the first one's accident over again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassRates {
    pub clean: f64,
    pub damaged: f64,
    pub kin: f64,
    pub twin: f64,
    pub unrelated: f64,
}

pub(crate) const SILENT: ClassRates =
    ClassRates { clean: 1.0, damaged: 1.0, kin: 1.0, twin: 1.0, unrelated: 1.0 };

impl ClassRates {
    pub(crate) fn times(self, other: ClassRates) -> ClassRates {
        ClassRates {
            clean: self.clean * other.clean,
            damaged: self.damaged * other.damaged,
            kin: self.kin * other.kin,
            twin: self.twin * other.twin,
            unrelated: self.unrelated * other.unrelated,
        }
    }
}

/// The comparisons, in the order of a vector.
pub(crate) const FAMILY: usize = 0;
pub(crate) const BIRTH_PROVINCE: usize = 1;
pub(crate) const ETHNICITY: usize = 2;
pub(crate) const RESIDENCE: usize = 3;
pub(crate) const BIRTH: usize = 4;
pub(crate) const NAME: usize = 5;
pub(crate) const SEX: usize = 6;
pub(crate) const FIELDS: usize = 7;

/// Native place inside the family's comparison: missing, commune, wider unit, different.
pub(crate) const NATIVES: usize = 4;

/// The parameters of a file: save them with its results, and give them to a later run to weigh as before.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// Expected pairs of one person, over the number of records.
    pub matches_per_record: f64,
    /// Share of them on bad papers.
    pub damaged_share: f64,
    /// Expected pairs of brothers and sisters other than twins, over the number of records.
    pub kin_per_record: f64,
    /// Expected pairs of twins, over the number of records.
    pub twins_per_record: f64,
    /// In the order of `Trained::FIELDS`; each level's place is given by `Trained::levels`.
    pub tables: [Vec<ClassRates>; FIELDS],
}

impl Default for Trained {
    /// What learning starts from: the shipped rates of `Params`, whose sources are given there.
    fn default() -> Trained {
        Trained::from_params(&Params::for_dedupe())
    }
}

impl Trained {
    /// Codes of the comparisons.
    pub const FIELDS: [&str; FIELDS] =
        ["family", "birth_province", "ethnicity", "residence", "birth", "name", "sex"];

    /// Codes of the levels of a comparison, in the order of its table. The family's are father, mother and
    /// native place, divided by "/".
    pub fn levels(field: usize) -> Vec<String> {
        fn codes<L: Copy>(all: &[L], code: fn(L) -> &'static str) -> Vec<String> {
            all.iter().map(|&level| code(level).to_owned()).collect()
        }
        match field {
            FAMILY => {
                let parents = codes(ParentLevel::ALL, ParentLevel::code);
                let natives = ["missing", "commune", "near", "different"];
                parents
                    .iter()
                    .flat_map(|father| parents.iter().map(move |mother| format!("{father}/{mother}")))
                    .flat_map(|parents| natives.map(|native| format!("{parents}/{native}")))
                    .collect()
            }
            BIRTH_PROVINCE | ETHNICITY => codes(EqualityLevel::ALL, EqualityLevel::code),
            RESIDENCE => codes(PlaceLevel::ALL, PlaceLevel::code),
            BIRTH => codes(BirthLevel::ALL, BirthLevel::code),
            NAME => codes(NameLevel::ALL, NameLevel::code),
            SEX => codes(SexLevel::ALL, SexLevel::code),
            _ => Vec::new(),
        }
    }

    pub(crate) fn from_params(params: &Params) -> Trained {
        let table = |rates: &[Rates]| rates.iter().map(start).collect::<Vec<_>>();
        let mut trained = Trained {
            matches_per_record: params.prior.matches_per_record,
            damaged_share: 0.25,
            kin_per_record: params.prior.kin_per_record / 2.0,
            twins_per_record: TWINS,
            tables: [
                family(params),
                table(&params.birth_province),
                table(&params.ethnicity),
                table(&params.residence),
                table(&params.birth),
                table(&params.name),
                table(&params.sex),
            ],
        };
        // The day's own share is counted.
        for level in [BirthLevel::Exact, BirthLevel::ExactDefault] {
            trained.tables[BIRTH][level as usize].unrelated = 1.0;
        }
        trained.start_twins();
        for field in 0..FIELDS {
            trained.start_matches(field);
        }
        trained
    }

    /// Twins share a day of birth, written twice like one person's, and never a name. Half of them are of one
    /// sex, which is what tells their number apart from that of people who changed their given name.
    fn start_twins(&mut self) {
        let name = &mut self.tables[NAME];
        let named: f64 = TWIN_NAMES.iter().map(|&(_, share)| share).sum();
        for rates in name.iter_mut().skip(1) {
            rates.twin = (1.0 - named) / (NameLevel::COUNT - 1 - TWIN_NAMES.len()) as f64;
        }
        for (level, share) in TWIN_NAMES {
            name[level as usize].twin = share;
        }
        for rates in &mut self.tables[BIRTH] {
            rates.twin = rates.clean;
        }
        self.tables[SEX][SexLevel::Same as usize].twin = TWINS_OF_ONE_SEX;
        self.tables[SEX][SexLevel::Different as usize].twin = 1.0 - TWINS_OF_ONE_SEX;
    }

    /// Bad papers to start from: the same slips, each about as likely as the root of its probability says.
    /// What no slip makes of a name or a date is as rare as on good papers, or brothers and sisters would be
    /// taken for it.
    fn start_matches(&mut self, field: usize) {
        let table = &mut self.tables[field];
        let mut sums = [(0.0, 0.0); GROUPS];
        for (level, rates) in table.iter_mut().enumerate().filter(|(level, _)| !is_silent(field, *level)) {
            rates.damaged = if is_contradiction(field, level) { rates.clean } else { rates.clean.sqrt() };
            let sum = &mut sums[group(field, level)];
            *sum = (sum.0 + rates.clean, sum.1 + rates.damaged);
        }
        for (level, rates) in table.iter_mut().enumerate() {
            if is_silent(field, level) {
                *rates = SILENT;
            } else {
                let (clean, damaged) = sums[group(field, level)];
                (rates.clean, rates.damaged) = (rates.clean / clean, rates.damaged / damaged);
            }
        }
    }

    /// The rates of a whole vector, without term frequencies.
    pub(crate) fn rates(&self, vector: &[u8; 8]) -> ClassRates {
        self.tables
            .iter()
            .zip(vector)
            .fold(SILENT, |product, (table, &level)| product.times(table[usize::from(level)]))
    }

    /// The prior of a pair among `pairs` pairs of `records` records.
    pub(crate) fn prior(&self, records: f64, pairs: f64) -> ClassRates {
        let matched = (self.matches_per_record * records / pairs.max(1.0)).min(0.5);
        let kin = (self.kin_per_record * records / pairs.max(1.0)).min(0.25);
        let twin = (self.twins_per_record * records / pairs.max(1.0)).min(0.1);
        ClassRates {
            clean: matched * (1.0 - self.damaged_share),
            damaged: matched * self.damaged_share,
            kin,
            twin,
            unrelated: 1.0 - matched - kin - twin,
        }
    }
}

/// Somewhat more than half, as identical twins are of one sex; not learnt, because it anchors what is.
const TWINS_OF_ONE_SEX: f64 = 0.58;
/// Pairs of twins to start from, over the records: 1.1 % of births, where both are on record.
const TWINS: f64 = 0.008;
/// The names of twins to start from; the other levels share the rest. They often have the middle name in
/// common, and given names that sound alike.
const TWIN_NAMES: [(NameLevel, f64); 5] = [
    (NameLevel::GivenDifferent, 0.45),
    (NameLevel::SurnameOnly, 0.45),
    (NameLevel::TypoGiven, 0.05),
    (NameLevel::MiddleDifferent, 0.01),
    (NameLevel::DiacriticsGiven, 0.01),
];

/// log₂ of the odds that a pair with these joint probabilities is one person.
pub(crate) fn weight(joint: ClassRates) -> f64 {
    let least = f64::MIN_POSITIVE;
    ((joint.clean + joint.damaged).max(least) / (joint.kin + joint.twin + joint.unrelated).max(least)).log2()
}

fn start(rates: &Rates) -> ClassRates {
    ClassRates {
        clean: rates.matched,
        damaged: rates.matched,
        kin: rates.kin,
        twin: rates.kin,
        unrelated: rates.unrelated,
    }
}

/// Rates of a level sum to one within its group: for the family, one group for each pattern of what is known.
pub(crate) const GROUPS: usize = 8;

pub(crate) fn group(field: usize, level: usize) -> usize {
    if field != FAMILY {
        return usize::from(level != 0);
    }
    let (father, mother, native) = family_parts(level);
    usize::from(father != 0) * 4 + usize::from(mother != 0) * 2 + usize::from(native != 0)
}

/// Levels that say nothing: what is missing, and what follows from another field.
pub(crate) fn is_silent(field: usize, level: usize) -> bool {
    match field {
        BIRTH_PROVINCE | ETHNICITY => level == 0 || level == EqualityLevel::Implied as usize,
        // Shares of names are taken among people of the same sex, so that an agreeing name does not imply it.
        SEX => level == 0 || level == SexLevel::Implied as usize,
        _ => level == 0,
    }
}

fn is_contradiction(field: usize, level: usize) -> bool {
    match field {
        BIRTH => BirthLevel::ALL[level].contradicts(),
        NAME => NameLevel::ALL[level].contradicts() || level == NameLevel::MiddleDifferent as usize,
        _ => false,
    }
}

pub(crate) fn family_parts(level: usize) -> (usize, usize, usize) {
    (level / (NATIVES * ParentLevel::COUNT), level / NATIVES % ParentLevel::COUNT, level % NATIVES)
}

pub(crate) fn family_level(father: usize, mother: usize, native: usize) -> usize {
    (father * ParentLevel::COUNT + mother) * NATIVES + native
}

pub(crate) fn native_part(level: PlaceLevel) -> usize {
    match level {
        PlaceLevel::Missing => 0,
        PlaceLevel::Address | PlaceLevel::Commune => 1,
        PlaceLevel::District | PlaceLevel::Province => 2,
        PlaceLevel::Different => 3,
    }
}

/// Starts as if parents and native place were independent; learning finds otherwise.
fn family(params: &Params) -> Vec<ClassRates> {
    let native = |part: usize, pick: fn(&Rates) -> f64| match part {
        0 => 1.0,
        1 => pick(&params.native_place[PlaceLevel::Commune as usize]),
        2 => {
            pick(&params.native_place[PlaceLevel::District as usize])
                + pick(&params.native_place[PlaceLevel::Province as usize])
        }
        _ => pick(&params.native_place[PlaceLevel::Different as usize]),
    };
    (0..ParentLevel::COUNT * ParentLevel::COUNT * NATIVES)
        .map(|level| {
            let (father, mother, part) = family_parts(level);
            let parents = params.parents[father][mother];
            let matched = parents.matched * native(part, |rates| rates.matched);
            // Brothers and sisters: their parents' names vary as one person's do.
            let kin = parents.matched * native(part, |rates| rates.kin);
            let unrelated = if part == 3 { native(3, |rates| rates.unrelated) } else { 1.0 };
            ClassRates { clean: matched, damaged: matched, kin, twin: kin, unrelated }
        })
        .collect()
}

/// The vector of a pair: one level for each comparison.
pub(crate) fn vector(levels: &Levels) -> [u8; 8] {
    let residence = if levels.residence_explained { PlaceLevel::Missing } else { levels.residence };
    let mut vector = [0; 8];
    vector[FAMILY] =
        family_level(levels.father as usize, levels.mother as usize, native_part(levels.native_place)) as u8;
    vector[BIRTH_PROVINCE] = levels.birth_province as u8;
    vector[ETHNICITY] = levels.ethnicity as u8;
    vector[RESIDENCE] = residence as u8;
    vector[BIRTH] = levels.birth as u8;
    vector[NAME] = levels.name as u8;
    vector[SEX] = if levels.sex == SexLevel::Implied { SexLevel::Same } else { levels.sex } as u8;
    vector
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starting_rates_sum_to_one_in_every_group() {
        let trained = Trained::default();
        for field in 0..FIELDS {
            assert_eq!(Trained::levels(field).len(), trained.tables[field].len());
            let mut sums = [(0.0, 0.0); GROUPS];
            for (level, rates) in trained.tables[field].iter().enumerate() {
                if !is_silent(field, level) {
                    let sum = &mut sums[group(field, level)];
                    *sum = (sum.0 + rates.damaged, sum.1 + rates.clean);
                }
            }
            for (damaged, clean) in sums.into_iter().filter(|sum| sum.0 > 0.0) {
                assert!((damaged - 1.0).abs() < 1e-9, "{} {damaged}", Trained::FIELDS[field]);
                assert!((clean - 1.0).abs() < 1e-9, "{} {clean}", Trained::FIELDS[field]);
            }
        }
    }

    #[test]
    fn a_family_level_is_its_parts() {
        for level in 0..64 {
            let (father, mother, native) = family_parts(level);
            assert_eq!(family_level(father, mother, native), level);
        }
    }
}
