//! The parameters of the model: what each level of agreement is worth.
//!
//! Three latent classes, not two: a pair of records is one person, two people of one family, or two
//! strangers. Kin share parents, native place and surname, so that agreement there says nothing about *which*
//! child it is; with a class of their own no hand-made guard against siblings and twins is needed.

use crate::level::{BirthLevel, EqualityLevel, NameLevel, NumberLevel, ParentLevel, PlaceLevel, SexLevel};

/// Version of the default parameters, to be stored beside every comparison vector.
pub const VERSION: &str = "2026-11.2";

/// Probability of a level among pairs of one person (m), of one family (k) and of strangers (u).
///
/// Where a term frequency applies, `unrelated` is a factor on the frequency of the agreeing value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    pub matched: f64,
    pub kin: f64,
    pub unrelated: f64,
}

/// What is expected before anything is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prior {
    /// Expected number of records of the same person in the register, for the record asked about.
    pub matches_per_record: f64,
    /// Expected number of parents, children, brothers and sisters in the register.
    pub kin_per_record: f64,
    /// Size the register is taken for when it is smaller or unknown. A small register is part of a larger
    /// population, from which strangers come too.
    pub least_population: f64,
}

/// How frequent each level of agreement is, field by field, for one person, for kin and for strangers.
#[derive(Clone, Debug, PartialEq)]
pub struct Params {
    pub prior: Prior,
    pub pin: [Rates; NumberLevel::COUNT],
    pub cmnd: [Rates; NumberLevel::COUNT],
    /// Father's level first.
    pub parents: [[Rates; ParentLevel::COUNT]; ParentLevel::COUNT],
    pub native_place: [Rates; PlaceLevel::COUNT],
    pub birth_province: [Rates; EqualityLevel::COUNT],
    pub ethnicity: [Rates; EqualityLevel::COUNT],
    pub residence: [Rates; PlaceLevel::COUNT],
    pub birth: [Rates; BirthLevel::COUNT],
    pub name: [Rates; NameLevel::COUNT],
    pub sex: [Rates; SexLevel::COUNT],
}

impl Default for Params {
    fn default() -> Params {
        Params {
            prior: Prior { matches_per_record: 0.5, kin_per_record: 5.0, least_population: 10_000.0 },
            pin: PIN,
            cmnd: CMND,
            parents: PARENTS,
            native_place: NATIVE_PLACE,
            birth_province: BIRTH_PROVINCE,
            ethnicity: ETHNICITY,
            residence: RESIDENCE,
            birth: BIRTH,
            name: NAME,
            sex: SEX,
        }
    }
}

impl Params {
    /// For finding duplicates inside one register: about two records in a hundred have a second one.
    pub fn for_dedupe() -> Params {
        let params = Params::default();
        Params { prior: Prior { matches_per_record: 0.02, ..params.prior }, ..params }
    }
}

const fn rates(matched: f64, kin: f64, unrelated: f64) -> Rates {
    Rates { matched, kin, unrelated }
}

/// A field that is missing, or explained by another, says nothing.
const SILENT: Rates = rates(1.0, 1.0, 1.0);

/// Missing, equal, one typo, different. Numbers are mixed up mostly inside a family, where one adult hands in
/// all papers. A number may have been cancelled and issued anew (Circular 59/2021, art. 6), hence 1.5 %
/// different.
const PIN: [Rates; NumberLevel::COUNT] =
    [SILENT, rates(0.97, 0.0005, 1e-8), rates(0.015, 0.0005, 5e-7), rates(0.015, 0.999, 1.0)];

/// One person may hold several old numbers, one number was found with two people (7,232 cases in one
/// province), and neighbours in the queue got neighbouring numbers: weaker than the PIN on every level.
const CMND: [Rates; NumberLevel::COUNT] =
    [SILENT, rates(0.85, 0.001, 1e-7), rates(0.03, 0.008, 2e-6), rates(0.12, 0.991, 1.0)];

/// Rows: father missing, same, similar, different; columns: mother likewise. Kin are about as often brothers
/// and sisters (both parents the same) as parent and child (none). `unrelated` is a factor on the frequency
/// of the agreeing names.
const PARENTS: [[Rates; ParentLevel::COUNT]; ParentLevel::COUNT] = [
    [SILENT, rates(0.93, 0.555, 1.0), rates(0.05, 0.044, 1.0), rates(0.02, 0.401, 1.0)],
    [rates(0.93, 0.555, 1.0), rates(0.866, 0.50, 1.0), rates(0.045, 0.035, 1.0), rates(0.015, 0.020, 1.0)],
    [rates(0.05, 0.044, 1.0), rates(0.045, 0.035, 1.0), rates(0.006, 0.005, 1.0), rates(0.002, 0.004, 1.0)],
    [rates(0.02, 0.401, 1.0), rates(0.015, 0.020, 1.0), rates(0.002, 0.004, 1.0), rates(0.004, 0.377, 1.0)],
];

/// Missing, address, commune, district, province, different; the first three agreeing levels by frequency.
const NATIVE_PLACE: [Rates; PlaceLevel::COUNT] = [
    SILENT,
    rates(0.88, 0.80, 1.0),
    rates(0.88, 0.80, 1.0),
    rates(0.05, 0.04, 1.0),
    rates(0.03, 0.04, 1.0),
    rates(0.04, 0.12, 0.5),
];

const RESIDENCE: [Rates; PlaceLevel::COUNT] = [
    SILENT,
    rates(0.35, 0.45, 0.003),
    rates(0.35, 0.30, 1.0),
    rates(0.12, 0.10, 1.0),
    rates(0.10, 0.08, 1.0),
    rates(0.08, 0.07, 0.5),
];

/// Missing, same (by frequency), implied by the native place, different.
const BIRTH_PROVINCE: [Rates; EqualityLevel::COUNT] =
    [SILENT, rates(0.95, 0.85, 1.0), SILENT, rates(0.05, 0.15, 0.5)];

const ETHNICITY: [Rates; EqualityLevel::COUNT] =
    [SILENT, rates(0.985, 0.95, 1.0), SILENT, rates(0.015, 0.05, 0.3)];

/// In the order of `BirthLevel`. 01/01 agrees by convention and not by birth: its evidence is that of the
/// year. Twins make up 1.1 % of births.
const BIRTH: [Rates; BirthLevel::COUNT] = [
    SILENT,
    rates(0.86, 0.012, 5e-5),
    rates(0.05, 0.002, 6e-4),
    rates(0.008, 0.0005, 4e-5),
    rates(0.020, 0.0008, 3e-4),
    rates(0.012, 0.0006, 3e-4),
    rates(0.012, 0.002, 3e-4),
    rates(0.008, 0.0015, 8e-5),
    rates(0.005, 0.001, 4e-4),
    rates(0.006, 0.003, 6e-4),
    rates(0.006, 0.0015, 0.0015),
    rates(0.002, 0.0135, 0.0115),
    rates(0.0005, 0.0027, 0.0027),
    rates(0.004, 0.33, 0.08),
    rates(0.002, 0.45, 0.45),
    rates(0.0045, 0.17, 0.45),
];

/// In the order of `NameLevel`. Brothers and sisters share the surname, often the middle name, and twins are
/// given names that sound alike, so that a slip in the given name is worth less than nothing between kin. Two
/// living children of one family do not get one name; two that differ in the middle name, or by marks that a
/// form lost, do occur.
const NAME: [Rates; NameLevel::COUNT] = [
    SILENT,
    rates(0.850, 0.0002, 1.0),
    rates(0.020, 0.000005, 1.0),
    rates(0.030, 0.0001, 1.0),
    rates(0.008, 0.0005, 1.0),
    rates(0.010, 0.008, 1.0),
    rates(0.003, 0.0001, 1.0),
    rates(0.006, 0.004, 1.0),
    rates(0.004, 0.0002, 1.0),
    rates(0.005, 0.0005, 0.3),
    rates(0.020, 0.0007, 0.15),
    rates(0.010, 0.001, 3.0),
    rates(0.008, 0.020, 0.03),
    rates(0.006, 0.020, 0.8),
    rates(0.006, 0.300, 1.0),
    rates(0.004, 0.012, 1.0),
    rates(0.003, 0.380, 1.0),
    rates(0.007, 0.245, 0.6),
];

/// Parent and child of one name: the kin rate of an agreeing name when the births lie a generation apart.
pub(crate) const NAMESAKE: f64 = 0.006;

const SEX: [Rates; SexLevel::COUNT] =
    [SILENT, rates(0.995, 0.5, 0.5), rates(0.995, 0.9, 0.96), rates(0.005, 0.5, 0.5)];

/// Two strangers who were both born in a commune live in it that often: residence given the native place.
pub(crate) const RESIDENCE_GIVEN_NATIVE: [f64; PlaceLevel::COUNT] = [1.0, 0.004, 0.6, 0.15, 0.1, 0.15];

/// The share of a parent's similar names among strangers never counts below this.
pub(crate) const SIMILAR_PARENT_FLOOR: f64 = 5e-4;

/// Surnames in per cent of the population (published surveys of Vietnamese surnames); Huỳnh and Hoàng, Vũ and
/// Võ share their published figure. Folded, as counts are kept by folded word.
pub(crate) const SURNAMES: &[(&str, f64)] = &[
    ("nguyen", 0.384),
    ("tran", 0.11),
    ("le", 0.095),
    ("pham", 0.071),
    ("huynh", 0.026),
    ("hoang", 0.026),
    ("phan", 0.045),
    ("vu", 0.02),
    ("vo", 0.02),
    ("dang", 0.021),
    ("bui", 0.02),
    ("do", 0.014),
    ("ho", 0.013),
    ("ngo", 0.013),
    ("duong", 0.01),
    ("ly", 0.005),
];
