//! A resident's record in words: the same fields from the register and from what was declared, so that they can stand
//! side by side.

use domain::codes::CodeList;
use domain::record::{Place, Relative};
use domain::{ResidentRecord, UnitCode};
use store::web_read::PersonPage;

use crate::error::Error;
use crate::i18n::Lang;
use crate::pages::Fact;
use crate::state::AppState;
use crate::ui::unit_full;

/// The fields in the order of the form. The codes are those of `domain::Field`.
const FIELDS: [&str; 19] = [
    "name",
    "sex",
    "birth",
    "pin",
    "old_id",
    "ethnicity",
    "religion",
    "nationality",
    "marital",
    "blood",
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

/// A record in words; an empty value is not stated.
pub(crate) struct Described([String; FIELDS.len()]);

impl Described {
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

/// The name of a field.
pub(crate) fn label(lang: Lang, field: &str) -> &'static str {
    lang.text(&format!("field.{field}"))
}

/// Two records field by field; both stated fields and those on one side only.
pub(crate) struct Compared {
    pub label: &'static str,
    pub left: String,
    pub right: String,
    pub differs: bool,
}

/// `left` against `right`: the fields that are stated on either side. `differs` decides by the field's code and both
/// values; without a right side nothing differs.
pub(crate) fn compare(
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

/// The register's record.
pub(crate) fn of_person(state: &AppState, lang: Lang, p: &PersonPage) -> Result<Described, Error> {
    let number = |list: CodeList, code: i16| list.name(&code.to_string()).unwrap_or_default().to_owned();
    let unit = |code: &Option<String>| code.as_deref().map(|code| unit_full(state, code)).unwrap_or_default();
    let relative =
        |name: &Option<String>, pin: &Option<String>| joined(name.as_deref(), pin.as_deref(), " · ");
    Ok(Described([
        p.full_name.clone(),
        lang.text(&format!("sex.{}", p.sex_value()?.code())).to_owned(),
        p.birth_date()?.to_string(),
        p.pin.clone().unwrap_or_default(),
        p.old_id.clone().unwrap_or_default(),
        number(CodeList::EthnicGroup, p.ethnicity),
        number(CodeList::Religion, p.religion),
        CodeList::Nationality.name(&p.nationality).unwrap_or_default().to_owned(),
        p.marital.map(|code| number(CodeList::MaritalState, code)).unwrap_or_default(),
        p.blood.as_deref().and_then(|code| CodeList::BloodType.name(code)).unwrap_or_default().to_owned(),
        unit(&p.birth_registration),
        unit(&p.native_place),
        joined(Some(&p.permanent_detail), Some(&unit_full(state, &p.permanent_unit)), ", "),
        joined(p.current_detail.as_deref(), Some(&unit(&p.current_unit)), ", "),
        relative(&p.father_name, &p.father_pin),
        relative(&p.mother_name, &p.mother_pin),
        relative(&p.spouse_name, &p.spouse_pin),
        p.household.clone().unwrap_or_default(),
        p.relation_to_head.map(|code| number(CodeList::RelationToHead, code)).unwrap_or_default(),
    ]))
}

/// What a citizen declared; `None` when the stored record has another shape than this program's.
pub(crate) fn of_declared(state: &AppState, lang: Lang, record: &serde_json::Value) -> Option<Described> {
    let r: ResidentRecord = serde_json::from_value(record.clone()).ok()?;
    let number = |list: CodeList, code: u8| list.name(&code.to_string()).unwrap_or_default().to_owned();
    let unit =
        |code: Option<UnitCode>| code.map(|code| unit_full(state, &code.to_string())).unwrap_or_default();
    let place = |place: &Place| joined(Some(&place.detail), Some(&unit(Some(place.unit))), ", ");
    let relative = |relative: &Option<Relative>| {
        let relative = relative.as_ref();
        joined(
            relative.map(|r| r.name.as_str()),
            relative.and_then(|r| r.pin.as_ref()).map(|p| p.as_str()),
            " · ",
        )
    };
    Some(Described([
        r.name.as_str().to_owned(),
        lang.text(&format!("sex.{}", r.sex.code())).to_owned(),
        r.birth.to_string(),
        r.pin.as_ref().map(|pin| pin.as_str().to_owned()).unwrap_or_default(),
        r.old_id.as_ref().map(|id| id.as_str().to_owned()).unwrap_or_default(),
        number(CodeList::EthnicGroup, r.ethnicity),
        number(CodeList::Religion, r.religion),
        CodeList::Nationality.name(&r.nationality).unwrap_or_default().to_owned(),
        r.marital.map(|code| number(CodeList::MaritalState, code)).unwrap_or_default(),
        r.blood.as_deref().and_then(|code| CodeList::BloodType.name(code)).unwrap_or_default().to_owned(),
        unit(r.birth_registration),
        unit(r.native_place),
        place(&r.permanent),
        r.current.as_ref().map(place).unwrap_or_default(),
        relative(&r.father),
        relative(&r.mother),
        relative(&r.spouse),
        r.household.clone().unwrap_or_default(),
        r.relation_to_head.map(|code| number(CodeList::RelationToHead, code)).unwrap_or_default(),
    ]))
}

fn joined(a: Option<&str>, b: Option<&str>, by: &str) -> String {
    [a, b].into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(by)
}

#[cfg(test)]
mod tests {
    use domain::Field;

    #[test]
    fn the_fields_are_those_of_a_record_in_its_order() {
        assert_eq!(super::FIELDS, Field::ALL.map(Field::code));
    }
}
