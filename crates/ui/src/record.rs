//! A resident's record in words: the same fields from the register and from what was declared, so that they
//! can stand side by side.

use crate::i18n::Lang;
use crate::place;
use domain::codes::CodeList;
use domain::record::{Place, Relative};
use domain::unit::UnitTable;
use domain::{ResidentRecord, UnitCode};

/// The fields in the order of the form. The codes are those of `ResidentRecord::differing_fields`.
pub const FIELDS: [&str; 18] = [
    "name",
    "sex",
    "birth",
    "pin",
    "old_id",
    "ethnicity",
    "religion",
    "nationality",
    "marital",
    "birth_registration",
    "native_place",
    "permanent",
    "current",
    "father",
    "mother",
    "spouse",
    "household",
    "relation",
];

/// A label with its value; what is not known is not shown.
pub struct Fact {
    pub label: &'static str,
    pub value: String,
}

/// A record in words; an empty value is not stated.
pub struct Described([String; FIELDS.len()]);

impl Described {
    /// Puts a record into words.
    pub fn new(units: &UnitTable, lang: Lang, r: &ResidentRecord) -> Described {
        let listed = |list: CodeList, code: u8| list.name(&code.to_string()).unwrap_or_default().to_owned();
        let unit = |code: Option<UnitCode>| {
            code.map(|code| place::at_head(&place::full(units, &code.to_string()))).unwrap_or_default()
        };
        let address = |at: &Place| match at.detail.as_str() {
            "" => unit(Some(at.unit)),
            detail => format!("{detail}, {}", place::full(units, &at.unit.to_string())),
        };
        Described([
            r.name.as_str().to_owned(),
            lang.text(&format!("sex.{}", r.sex.code())).to_owned(),
            r.birth.to_string(),
            r.pin.as_ref().map(|pin| pin.as_str().to_owned()).unwrap_or_default(),
            r.old_id.as_ref().map(|id| id.as_str().to_owned()).unwrap_or_default(),
            listed(CodeList::EthnicGroup, r.ethnicity),
            listed(CodeList::Religion, r.religion),
            CodeList::Nationality.name(&r.nationality).unwrap_or_default().to_owned(),
            r.marital.map(|code| listed(CodeList::MaritalState, code)).unwrap_or_default(),
            unit(r.birth_registration),
            unit(r.native_place),
            address(&r.permanent),
            r.current.as_ref().map(address).unwrap_or_default(),
            r.father.as_ref().map(relative).unwrap_or_default(),
            r.mother.as_ref().map(relative).unwrap_or_default(),
            r.spouse.as_ref().map(relative).unwrap_or_default(),
            r.household.clone().unwrap_or_default(),
            r.relation_to_head.map(|code| listed(CodeList::RelationToHead, code)).unwrap_or_default(),
        ])
    }

    /// The value of a field by its code.
    pub fn get(&self, field: &str) -> &str {
        FIELDS.iter().position(|code| *code == field).map_or("", |index| &self.0[index])
    }

    /// The stated fields from `from` up to and including `to`.
    pub fn facts(&self, lang: Lang, from: &str, to: &str) -> Vec<Fact> {
        let index = |field: &str| FIELDS.iter().position(|code| *code == field).unwrap_or(0);
        (index(from)..=index(to))
            .filter(|&i| !self.0[i].is_empty())
            .map(|i| Fact { label: label(lang, FIELDS[i]), value: self.0[i].clone() })
            .collect()
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
pub fn label(lang: Lang, field: &str) -> &'static str {
    lang.text(&format!("field.{field}"))
}

/// One field of two records; it may be stated on one side only.
pub struct Compared {
    pub label: &'static str,
    pub left: String,
    pub right: String,
    pub differs: bool,
}

/// `left` against `right`: the fields that are stated on either side. `differs` decides by the field's code and both
/// values; without a right side nothing differs.
pub fn compare(
    lang: Lang,
    left: Option<&Described>,
    right: Option<&Described>,
    differs: impl Fn(&str, &str, &str) -> bool,
) -> Vec<Compared> {
    let value = |side: Option<&Described>, field| side.map_or("", |side| side.get(field)).to_owned();
    FIELDS
        .iter()
        .map(|&field| {
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
        let said = Described::new(UnitTable::official_2021(), Lang::Vi, &record());
        let place = "hị trấn Thạch Hà, huyện Thạch Hà, tỉnh Hà Tĩnh";
        assert_eq!(said.get("permanent"), format!("Thôn 3, t{place}"));
        assert_eq!(said.get("current"), format!("T{place}"));
        assert_eq!((said.get("sex"), said.get("father"), said.get("mother")), ("Nữ", "Nguyễn Văn An", ""));
    }

    #[test]
    fn what_neither_side_states_is_not_compared_and_without_a_right_side_nothing_differs() {
        let units = UnitTable::official_2021();
        let mut other = record();
        other.native_place = None;
        other.household = Some("00012".to_owned());
        let (left, right) =
            (Described::new(units, Lang::Vi, &record()), Described::new(units, Lang::Vi, &other));
        let rows = compare(Lang::Vi, Some(&left), Some(&right), |_, a, b| a != b);
        let differing: Vec<_> = rows.iter().filter(|row| row.differs).map(|row| row.label).collect();
        assert_eq!(differing, [label(Lang::Vi, "native_place"), label(Lang::Vi, "household")]);
        assert!(rows.iter().all(|row| row.label != label(Lang::Vi, "mother")));
        assert!(compare(Lang::Vi, Some(&left), None, |_, _, _| true).iter().all(|row| !row.differs));
    }

    #[test]
    fn every_field_has_a_name() {
        for field in FIELDS {
            for lang in [Lang::Vi, Lang::En] {
                assert!(lang.find(&format!("field.{field}")).is_some(), "{field}");
            }
        }
    }
}
