//! A resident's record in words: the same fields from the register and from what was declared, so that they
//! can stand side by side.

use std::collections::BTreeMap;

use crate::i18n::Lang;
use crate::place;
use domain::codes::CodeList;
use domain::record::{Place, Relative};
use domain::unit::Units;
use domain::{Field, ResidentRecord, UnitCode};

/// A label with its value; what is not known is not shown.
pub struct Fact {
    pub label: &'static str,
    pub value: String,
}

/// A record in words, in the order of the form; an empty value is not stated. By default nothing is stated.
#[derive(Default)]
pub struct Described(BTreeMap<Field, String>);

impl Described {
    /// Puts a record into words.
    pub fn new(units: Units<'_>, lang: Lang, record: &ResidentRecord) -> Described {
        Described(Field::ALL.into_iter().map(|field| (field, in_words(units, lang, record, field))).collect())
    }

    /// The value of a field.
    pub fn get(&self, field: Field) -> &str {
        self.0.get(&field).map_or("", String::as_str)
    }

    /// The stated fields from `from` up to and including `to`.
    pub fn facts(&self, lang: Lang, from: Field, to: Field) -> Vec<Fact> {
        self.0
            .range(from..=to)
            .filter(|(_, value)| !value.is_empty())
            .map(|(field, value)| Fact { label: label(lang, *field), value: value.clone() })
            .collect()
    }
}

/// What a record states in one field; empty where nothing is stated.
fn in_words(units: Units<'_>, lang: Lang, record: &ResidentRecord, field: Field) -> String {
    let listed = |list: CodeList, code: &str| list.name(code).unwrap_or_default().to_owned();
    let numbered = |list: CodeList, code: Option<u8>| {
        code.map(|code| listed(list, &code.to_string())).unwrap_or_default()
    };
    let full = |units, code: UnitCode| place::at_head(&place::full(units, &code.to_string()));
    let unit = |code: Option<UnitCode>| code.map(|code| full(units, code)).unwrap_or_default();
    // A place of birth is named by the list of that day: its code may be another unit's today.
    let born = Units::on(record.birth.latest().min(units.day()));
    let origin = |code: Option<UnitCode>| {
        code.map(|code| full(if born.get(code).is_some() { born } else { units }, code)).unwrap_or_default()
    };
    let address = |at: Option<&Place>| match at {
        None => String::new(),
        Some(at) if at.detail.is_empty() => unit(Some(at.unit)),
        Some(at) => format!("{}, {}", at.detail, place::full(units, &at.unit.to_string())),
    };
    let relative = |of: &Option<Relative>| of.as_ref().map(relative).unwrap_or_default();
    match field {
        Field::Name => record.name.as_str().to_owned(),
        Field::Sex => lang.text(&format!("sex.{}", record.sex.code())).to_owned(),
        Field::Birth => record.birth.to_string(),
        Field::Pin => record.pin.as_ref().map(|pin| pin.as_str().to_owned()).unwrap_or_default(),
        Field::OldId => record.old_id.as_ref().map(|id| id.as_str().to_owned()).unwrap_or_default(),
        Field::Ethnicity => numbered(CodeList::EthnicGroup, Some(record.ethnicity)),
        Field::Religion => numbered(CodeList::Religion, Some(record.religion)),
        Field::Nationality => listed(CodeList::Nationality, &record.nationality),
        Field::Marital => numbered(CodeList::MaritalState, record.marital),
        Field::Blood => {
            record.blood.as_deref().map(|code| listed(CodeList::BloodType, code)).unwrap_or_default()
        }
        Field::BirthRegistration => origin(record.birth_registration),
        Field::NativePlace => origin(record.native_place),
        Field::Permanent => address(Some(&record.permanent)),
        Field::Current => address(record.current.as_ref()),
        Field::Father => relative(&record.father),
        Field::Mother => relative(&record.mother),
        Field::Spouse => relative(&record.spouse),
        Field::Household => record.household.clone().unwrap_or_default(),
        Field::Relation => numbered(CodeList::RelationToHead, record.relation_to_head),
    }
}

fn relative(relative: &Relative) -> String {
    match &relative.pin {
        Some(pin) => format!("{} · {}", relative.name.as_str(), pin.as_str()),
        None => relative.name.as_str().to_owned(),
    }
}

/// A person's name in a list, where it is written in one way whatever the form had: in capitals, as on the
/// card.
pub fn name_in_list(name: &str) -> String {
    name.to_uppercase()
}

/// The name of a field.
pub fn label(lang: Lang, field: Field) -> &'static str {
    lang.text(&format!("field.{}", field.code()))
}

/// One field of two records; it may be stated on one side only.
pub struct Compared {
    pub label: &'static str,
    pub left: String,
    pub right: String,
    pub differs: bool,
}

/// `left` against `right`: the fields that are stated on either side. `differs` decides by the field and both
/// values; without a right side nothing differs.
pub fn compare(
    lang: Lang,
    left: Option<&Described>,
    right: Option<&Described>,
    differs: impl Fn(Field, &str, &str) -> bool,
) -> Vec<Compared> {
    let value = |side: Option<&Described>, field| side.map_or("", |side| side.get(field)).to_owned();
    Field::ALL
        .into_iter()
        .map(|field| {
            let (a, b) = (value(left, field), value(right, field));
            let differs = left.is_some() && right.is_some() && differs(field, &a, &b);
            Compared { label: label(lang, field), left: a, right: b, differs }
        })
        .filter(|row| !row.left.is_empty() || !row.right.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use domain::{PartialDate, PersonName, Sex};

    use super::*;

    fn record() -> ResidentRecord {
        let commune: UnitCode = "18562".parse().unwrap();
        ResidentRecord {
            name: PersonName::parse("Nguyễn Thị Lan").unwrap(),
            sex: Sex::Female,
            birth: PartialDate::new(1985, Some(3), Some(7)).unwrap(),
            pin: None,
            old_id: None,
            ethnicity: 1,
            religion: 0,
            nationality: "VNM".to_owned(),
            marital: None,
            blood: None,
            birth_registration: None,
            native_place: Some(commune),
            permanent: Place { unit: commune, detail: "Thôn 3".to_owned() },
            current: Some(Place { unit: commune, detail: String::new() }),
            father: Some(Relative { name: PersonName::parse("Nguyễn Văn An").unwrap(), pin: None }),
            mother: None,
            spouse: None,
            household: None,
            relation_to_head: None,
        }
    }

    #[test]
    fn a_place_is_small_behind_its_house_and_large_at_the_head() {
        let said = Described::new(Units::latest(), Lang::Vi, &record());
        let place = "hị trấn Thạch Hà, huyện Thạch Hà, tỉnh Hà Tĩnh";
        assert_eq!(said.get(Field::Permanent), format!("Thôn 3, t{place}"));
        assert_eq!(said.get(Field::Current), format!("T{place}"));
        assert_eq!(
            (said.get(Field::Sex), said.get(Field::Father), said.get(Field::Mother)),
            ("Nữ", "Nguyễn Văn An", "")
        );
    }

    #[test]
    fn what_neither_side_states_is_not_compared_and_without_a_right_side_nothing_differs() {
        let units = Units::latest();
        let mut other = record();
        other.native_place = None;
        other.household = Some("00012".to_owned());
        let (left, right) =
            (Described::new(units, Lang::Vi, &record()), Described::new(units, Lang::Vi, &other));
        let rows = compare(Lang::Vi, Some(&left), Some(&right), |_, a, b| a != b);
        let differing: Vec<_> = rows.iter().filter(|row| row.differs).map(|row| row.label).collect();
        assert_eq!(differing, [label(Lang::Vi, Field::NativePlace), label(Lang::Vi, Field::Household)]);
        assert!(rows.iter().all(|row| row.label != label(Lang::Vi, Field::Mother)));
        assert!(compare(Lang::Vi, Some(&left), None, |_, _, _| true).iter().all(|row| !row.differs));
    }

    #[test]
    fn every_field_has_a_name() {
        for field in Field::ALL {
            for lang in [Lang::Vi, Lang::En] {
                assert!(lang.find(&format!("field.{}", field.code())).is_some(), "{field}");
            }
        }
    }
}
