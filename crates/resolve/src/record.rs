//! Register rows and declared records in the form that linkage compares.

use std::cell::RefCell;
use std::collections::HashMap;

use domain::unit::{UnitLevel, Units};
use domain::{PartialDate, ResidentRecord, UnitCode};
use linkage::{Place, Record, Sex};
use store::register::matching::PersonRow;

/// A register record under its person's id. Text that does not parse counts as missing: the row passed
/// validation when it was imported, and a search must not stop at one old row.
pub(crate) fn of_row(row: &PersonRow) -> Record {
    let unit = |code: &Option<String>| code.as_deref().and_then(|code| code.parse().ok());
    let birth = PartialDate::from_packed(row.birth).ok();
    Record {
        id: row.person_id.as_u128(),
        full_name: row.full_name.clone(),
        sex: domain::Sex::from_code(row.sex).map(sex),
        birth_day: birth.and_then(PartialDate::day),
        birth_month: birth.and_then(PartialDate::month),
        birth_year: birth.map(|birth| birth.year().unsigned_abs()),
        ethnicity: u8::try_from(row.ethnicity).ok(),
        birth_province: unit(&row.birth_registration).and_then(place).map(Place::province),
        native_place: unit(&row.native_place).and_then(place),
        residence: row.permanent_unit.parse().ok().and_then(place),
        address_line: line(&row.permanent_detail),
        father_name: row.father_name.clone(),
        mother_name: row.mother_name.clone(),
        pin: row.pin.as_deref().and_then(|pin| pin.parse().ok()),
        cmnd: row.old_id.as_deref().and_then(|old_id| old_id.parse().ok()),
    }
}

/// What a citizen declared; `id` is that of the application, which no person has.
pub(crate) fn of_declared(id: u128, record: &ResidentRecord) -> Record {
    Record {
        id,
        full_name: record.name.as_str().to_owned(),
        sex: Some(sex(record.sex)),
        birth_day: record.birth.day(),
        birth_month: record.birth.month(),
        birth_year: Some(record.birth.year().unsigned_abs()),
        ethnicity: Some(record.ethnicity),
        birth_province: record.birth_registration.and_then(place).map(Place::province),
        native_place: record.native_place.and_then(place),
        residence: place(record.permanent.unit),
        address_line: line(&record.permanent.detail),
        father_name: record.father.as_ref().map(|father| father.name.as_str().to_owned()),
        mother_name: record.mother.as_ref().map(|mother| mother.name.as_str().to_owned()),
        pin: record.pin.as_ref().and_then(|pin| pin.as_str().parse().ok()),
        cmnd: record.old_id.as_ref().and_then(|old_id| old_id.as_str().parse().ok()),
    }
}

fn sex(sex: domain::Sex) -> Sex {
    match sex {
        domain::Sex::Male => Sex::Male,
        domain::Sex::Female => Sex::Female,
    }
}

fn line(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

thread_local! {
    /// The walk up the unit table takes longer than the rest of a record, and a register has few units.
    static PLACES: RefCell<HashMap<UnitCode, Option<Place>>> = RefCell::default();
}

fn place(code: UnitCode) -> Option<Place> {
    PLACES.with_borrow_mut(|known| *known.entry(code).or_insert_with(|| path(code)))
}

fn path(code: UnitCode) -> Option<Place> {
    let (mut province, mut district, mut commune) = (0, 0, 0);
    for unit in Units::latest().chain(code) {
        let number = unit.code.number();
        match unit.code.level() {
            UnitLevel::Province => province = number,
            UnitLevel::District => district = number,
            UnitLevel::Commune => commune = number,
        }
    }
    Place::new(u16::try_from(province).ok()?, u16::try_from(district).ok()?, commune).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commune_knows_its_district_and_province() {
        let found = place("18562".parse().unwrap()).unwrap();
        assert_eq!((found.province(), found.district(), found.commune()), (42, 445, 18_562));
        assert_eq!(place("42".parse().unwrap()).map(Place::commune), Some(0));
        assert_eq!(place("99999".parse().unwrap()), None);
    }
}
