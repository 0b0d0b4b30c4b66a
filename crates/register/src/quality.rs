//! Is the register right, whole, clean and alive (đúng, đủ, sạch, sống)? Rules that are data
//! (`data/quality-rules.csv`): each has its code, its dimension, the fields it is about, a sentence in both
//! languages, and what it stands on. What a rule looks at is in `check`; who is looked at, and what is
//! written down, in [`look_over`].

mod check;
mod household;
mod kin;
mod look;

use std::collections::{BTreeMap, HashSet};
use std::sync::OnceLock;

use time::Date;

use domain::UnitCode;
use domain::codes::CodeList;
use domain::field::Field;
use domain::id::PersonId;
use domain::profile::Mark;
use domain::unit::UnitTable;
pub use kin::Kin;
pub use look::{Looked, look_over};
pub use store::register::quality::Examined;

/// What a rule is about (Vietnamese practice: đúng, đủ, sạch, sống).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// Đúng: agrees with the papers, with the law and with itself.
    Right,
    /// Đủ: nothing is missing that the law asks for.
    Whole,
    /// Sạch: no doubles, no codes outside their lists.
    Clean,
    /// Sống: what happened in life is in the register.
    Alive,
}

impl Dimension {
    /// All of them.
    pub const ALL: [Dimension; 4] = [Dimension::Right, Dimension::Whole, Dimension::Clean, Dimension::Alive];

    /// Stable code, as in the file of rules.
    pub const fn code(self) -> &'static str {
        match self {
            Dimension::Right => "dung",
            Dimension::Whole => "du",
            Dimension::Clean => "sach",
            Dimension::Alive => "song",
        }
    }

    fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dimension| dimension.code() == code)
    }
}

macro_rules! rules {
    ($($name:ident = $code:literal,)*) => {
        /// A rule. What it says and why is in the file ([`Rule::text`]).
        #[allow(missing_docs, reason = "the file of rules says each in two languages")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule { $($name,)* }

        impl Rule {
            /// Every rule, in the order of the file.
            pub const ALL: &[Rule] = &[$(Rule::$name,)*];

            /// Stable code, as stored.
            pub const fn code(self) -> &'static str {
                match self { $(Rule::$name => $code,)* }
            }
        }
    };
}

rules! {
    PinMissing = "pin_missing",
    PinSex = "pin_sex",
    PinBirthYear = "pin_birth_year",
    PinPlace = "pin_place",
    PinShared = "pin_shared",
    OldIdShared = "old_id_shared",
    OldIdOfMinor = "old_id_of_minor",
    NameOneWord = "name_one_word",
    NameLetters = "name_letters",
    BirthPartial = "birth_partial",
    BirthDefaultDate = "birth_default_date",
    BirthFuture = "birth_future",
    AgeOver110 = "age_over_110",
    EthnicityCode = "ethnicity_code",
    EthnicityUnknown = "ethnicity_unknown",
    EthnicityOfForeigner = "ethnicity_of_foreigner",
    EthnicityOfCitizen = "ethnicity_of_citizen",
    ReligionCode = "religion_code",
    NationalityCode = "nationality_code",
    MaritalCode = "marital_code",
    MaritalMissing = "marital_missing",
    BloodCode = "blood_code",
    BirthRegistrationMissing = "birth_registration_missing",
    BirthRegistrationUnit = "birth_registration_unit",
    NativePlaceMissing = "native_place_missing",
    NativePlaceUnit = "native_place_unit",
    PermanentUnitOver = "permanent_unit_over",
    CommuneMissing = "commune_missing",
    AddressMissing = "address_missing",
    CurrentUnit = "current_unit",
    CurrentRepeatsPermanent = "current_repeats_permanent",
    SpouseMissing = "spouse_missing",
    SpouseOfUnmarried = "spouse_of_unmarried",
    MarriedTooYoung = "married_too_young",
    SpouseIsSelf = "spouse_is_self",
    SpouseSameSex = "spouse_same_sex",
    SpouseNameDiffers = "spouse_name_differs",
    SpouseNamesAnother = "spouse_names_another",
    SpouseDead = "spouse_dead",
    ParentsMissing = "parents_missing",
    ParentsOneNumber = "parents_one_number",
    ParentIsSelf = "parent_is_self",
    FatherSex = "father_sex",
    MotherSex = "mother_sex",
    FatherTooYoung = "father_too_young",
    MotherTooYoung = "mother_too_young",
    MotherTooOld = "mother_too_old",
    FatherNameDiffers = "father_name_differs",
    MotherNameDiffers = "mother_name_differs",
    FatherUnlinked = "father_unlinked",
    MotherUnlinked = "mother_unlinked",
    HouseholdMissing = "household_missing",
    RelationMissing = "relation_missing",
    RelationCode = "relation_code",
    HouseholdWithoutHead = "household_without_head",
    HouseholdTwoHeads = "household_two_heads",
    HeadDead = "head_dead",
    HeadTooYoung = "head_too_young",
    SpouseOfHeadTwice = "spouse_of_head_twice",
    SpouseOfHeadSex = "spouse_of_head_sex",
    ChildOfHeadTooOld = "child_of_head_too_old",
    ParentOfHeadTooYoung = "parent_of_head_too_young",
    SamePersonTwice = "same_person_twice",
    RecordedLate = "recorded_late",
}

/// What the file says of a rule.
#[derive(Debug, Clone)]
pub struct RuleText {
    /// What it is about.
    pub dimension: Dimension,
    /// The fields that it looks at; none where it is about the record as a whole.
    pub fields: Vec<Field>,
    /// What was found, in Vietnamese and in English.
    pub says: (String, String),
    /// What it stands on.
    pub source: String,
    /// How sure that is.
    pub mark: Mark,
}

impl Rule {
    /// The rule of a code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|rule| rule.code() == code)
    }

    /// What the file says of it.
    pub fn text(self) -> &'static RuleText {
        static TEXTS: OnceLock<Vec<RuleText>> = OnceLock::new();
        let texts = TEXTS.get_or_init(|| {
            parse(include_str!("../data/quality-rules.csv"))
                .expect("the rules are part of the program and a test reads them")
        });
        &texts[self as usize]
    }
}

/// Reads the file of rules: all of them, in their order.
fn parse(csv: &str) -> Result<Vec<RuleText>, String> {
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let mut texts = Vec::with_capacity(Rule::ALL.len());
    for (at, row) in rows.records().enumerate() {
        let line = at + 2;
        let row = row.map_err(|error| format!("line {line}: {error}"))?;
        let [code, dimension, fields, vi, en, source, mark] =
            [0, 1, 2, 3, 4, 5, 6].map(|column| &row[column]);
        if Rule::ALL.get(at).map(|rule| rule.code()) != Some(code) {
            return Err(format!("line {line}: `{code}` is not the rule that belongs here"));
        }
        let fields = fields.split(';').filter(|field| !field.is_empty());
        let fields: Option<Vec<Field>> = fields.map(Field::from_code).collect();
        texts.push(RuleText {
            dimension: Dimension::from_code(dimension).ok_or(format!("line {line}: no such dimension"))?,
            fields: fields.ok_or(format!("line {line}: no such field"))?,
            says: (vi.to_owned(), en.to_owned()),
            source: source.to_owned(),
            mark: Mark::from_code(mark).ok_or(format!("line {line}: no such mark"))?,
        });
    }
    if texts.len() == Rule::ALL.len() { Ok(texts) } else { Err("a rule is missing".to_owned()) }
}

/// By what people are judged.
pub struct Judging<'a> {
    today: Date,
    /// The codes of the units of all days.
    ever: HashSet<UnitCode>,
    lists: Lists,
    kin: &'a Kin,
    shared: &'a Shared,
}

impl<'a> Judging<'a> {
    /// On the day of the check, with whoever is stated as a relative, here or elsewhere in the register, and
    /// the numbers that more than one record has.
    pub fn on(today: Date, kin: &'a Kin, shared: &'a Shared) -> Judging<'a> {
        let ever = UnitTable::official().units().iter().map(|unit| unit.code).collect();
        Judging { today, ever, lists: Lists::new(), kin, shared }
    }
}

/// Which codes are in which list: everybody is asked about five of them.
struct Lists(Vec<(CodeList, HashSet<u8>)>);

impl Lists {
    fn new() -> Lists {
        let lists =
            [CodeList::EthnicGroup, CodeList::Religion, CodeList::MaritalState, CodeList::RelationToHead];
        let codes =
            |list: CodeList| list.entries().iter().filter_map(|entry| entry.code.parse().ok()).collect();
        Lists(lists.map(|list| (list, codes(list))).into())
    }

    fn has(&self, list: CodeList, code: u8) -> bool {
        self.0.iter().any(|(one, codes)| *one == list && codes.contains(&code))
    }
}

/// Numbers that more than one record in force has, in the whole register.
#[derive(Debug, Default)]
pub struct Shared {
    /// Personal numbers.
    pub pins: HashSet<String>,
    /// Numbers of old cards.
    pub old_ids: HashSet<String>,
}

/// What came of the people of one unit.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Who does not keep which rule.
    pub findings: Vec<(PersonId, Rule)>,
    /// Of each rule, whom it applies to and how many of these keep it.
    pub tally: BTreeMap<Rule, Tally>,
}

/// How many people a rule applies to, and how many of them keep it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Whom it applies to.
    pub of: u64,
    /// Who keeps it.
    pub ok: u64,
}

/// Judges everybody who is registered in one unit: the living by all rules, the dead only as relatives and
/// members of households. Pure.
pub fn judge(people: &[Examined], by: &Judging<'_>) -> Judged {
    let households = household::Households::of(people);
    let doubles = household::doubles(people);
    let mut judged = Judged::default();
    for person in people.iter().filter(|person| person.lives()) {
        let seen = check::Seen { person, by, house: households.of_person(person), doubles: &doubles };
        for &rule in Rule::ALL {
            let Some(keeps) = seen.keeps(rule) else { continue };
            let tally = judged.tally.entry(rule).or_default();
            tally.of += 1;
            tally.ok += u64::from(keeps);
            if !keeps {
                judged.findings.push((person.id, rule));
            }
        }
    }
    judged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_its_line_and_every_line_its_rule() {
        let texts = parse(include_str!("../data/quality-rules.csv")).unwrap();
        assert!(Rule::ALL.len() >= 40 && texts.len() == Rule::ALL.len());
        for &rule in Rule::ALL {
            let text = rule.text();
            assert!(
                !text.says.0.is_empty() && !text.says.1.is_empty() && !text.source.is_empty(),
                "{rule:?}"
            );
            assert_eq!(Rule::from_code(rule.code()), Some(rule));
        }
        for dimension in Dimension::ALL {
            assert!(Rule::ALL.iter().any(|rule| rule.text().dimension == dimension), "{dimension:?}");
        }
    }

    #[test]
    fn a_file_that_is_not_these_rules_is_refused() {
        let head = "code,dimension,fields,vi,en,source,mark\n";
        for bad in [
            "",
            "pin_sex,dung,pin,a,b,c,press\n",
            "pin_missing,no,pin,a,b,c,press\n",
            "pin_missing,du,toe,a,b,c,press\n",
        ] {
            assert!(parse(&format!("{head}{bad}")).is_err(), "{bad}");
        }
    }
}
