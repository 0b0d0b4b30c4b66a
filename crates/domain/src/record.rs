//! What the register holds of one resident: the fields of the population record (2014 law, art. 9) that the
//! DC01 form collects.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

use crate::field::{Change, Field, FieldFault, Part, Values};
use crate::pin::Sex;
use crate::{OldId, PartialDate, PersonName, Pin, UnitCode, text};

/// A validated record. Codes (`ethnicity`, `religion`, …) are in their list; see [`crate::codes`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResidentRecord {
    pub name: PersonName,
    pub sex: Sex,
    pub birth: PartialDate,
    /// Missing until it is allocated.
    pub pin: Option<Pin>,
    pub old_id: Option<OldId>,
    pub ethnicity: u8,
    pub religion: u8,
    /// ISO 3166-1 alpha-3.
    pub nationality: String,
    pub marital: Option<u8>,
    /// Only on request and with proof.
    pub blood: Option<String>,
    /// Where the birth was registered; its province is the first part of the PIN.
    pub birth_registration: Option<UnitCode>,
    pub native_place: Option<UnitCode>,
    pub permanent: Place,
    pub current: Option<Place>,
    pub father: Option<Relative>,
    pub mother: Option<Relative>,
    pub spouse: Option<Relative>,
    pub household: Option<String>,
    pub relation_to_head: Option<u8>,
}

/// An address: the unit by code, the rest as written (house, hamlet).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub unit: UnitCode,
    pub detail: String,
}

/// A father, mother, spouse or representative as the form states them; the register may not hold this person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relative {
    pub name: PersonName,
    pub pin: Option<Pin>,
}

/// An address points at a person: a log must not print it.
impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place").field("unit", &self.unit).finish_non_exhaustive()
    }
}

impl ResidentRecord {
    /// Every field in which this declaration differs from the `register`'s record, in the order of the form:
    /// what an officer sees beside the register's value. What counts as a difference is said at
    /// [`ResidentRecord::differs_in`].
    pub fn differing_fields(&self, register: &Self) -> Vec<Field> {
        Field::ALL.into_iter().filter(|&field| self.differs_in(register, field)).collect()
    }

    /// Whether this declaration differs from the `register`'s record in one field.
    ///
    /// Most fields differ when their values do, and stating nothing differs from stating something. Names are
    /// compared in capitals. Otherwise:
    /// - blood type, household and relation to its head: an applicant is not asked for them, so that stating
    ///   nothing contradicts nothing. What is stated and is not in the register differs.
    /// - current residence: nothing stated means the permanent one, so that naming the permanent one again
    ///   says the same.
    /// - a relative: by the name; by the number only where both sides state one, as hardly anybody knows it
    ///   by heart.
    pub fn differs_in(&self, register: &Self, field: Field) -> bool {
        // A field of the record has its `Field` because `values` lists it, and each is compared here.
        match field {
            Field::Name => self.name.upper() != register.name.upper(),
            Field::Sex => self.sex != register.sex,
            Field::Birth => self.birth != register.birth,
            Field::Pin => self.pin != register.pin,
            Field::OldId => self.old_id != register.old_id,
            Field::Ethnicity => self.ethnicity != register.ethnicity,
            Field::Religion => self.religion != register.religion,
            Field::Nationality => self.nationality != register.nationality,
            Field::Marital => self.marital != register.marital,
            Field::Blood => self.blood.is_some() && self.blood != register.blood,
            Field::BirthRegistration => self.birth_registration != register.birth_registration,
            Field::NativePlace => self.native_place != register.native_place,
            Field::Permanent => self.permanent != register.permanent,
            Field::Current => self.elsewhere() != register.elsewhere(),
            Field::Father => other_relative(self.father.as_ref(), register.father.as_ref()),
            Field::Mother => other_relative(self.mother.as_ref(), register.mother.as_ref()),
            Field::Spouse => other_relative(self.spouse.as_ref(), register.spouse.as_ref()),
            Field::Household => self.household.is_some() && self.household != register.household,
            Field::Relation => {
                self.relation_to_head.is_some() && self.relation_to_head != register.relation_to_head
            }
        }
    }

    /// The current residence where it is another than the permanent one.
    fn elsewhere(&self) -> Option<&Place> {
        self.current.as_ref().filter(|current| **current != self.permanent)
    }

    /// Every value of the record, part by part, as the register stores it.
    pub fn values(&self) -> Values {
        // Without `..`: a new field of the record does not compile until it has a value here.
        let Self {
            name,
            sex,
            birth,
            pin,
            old_id,
            ethnicity,
            religion,
            nationality,
            marital,
            blood,
            birth_registration,
            native_place,
            permanent,
            current,
            father,
            mother,
            spouse,
            household,
            relation_to_head,
        } = self;
        let mut values = Values::new();
        let mut whole = |field, value: Option<String>| values.insert((field, Part::Whole), value);
        whole(Field::Name, Some(name.as_str().to_owned()));
        whole(Field::Sex, Some(sex.code().to_string()));
        whole(Field::Birth, Some(birth.to_string()));
        whole(Field::Pin, text_of(pin.as_ref().map(Pin::as_str)));
        whole(Field::OldId, text_of(old_id.as_ref().map(OldId::as_str)));
        whole(Field::Ethnicity, shown(Some(ethnicity)));
        whole(Field::Religion, shown(Some(religion)));
        whole(Field::Nationality, Some(nationality.clone()));
        whole(Field::Marital, shown(marital.as_ref()));
        whole(Field::Blood, blood.clone());
        whole(Field::BirthRegistration, shown(birth_registration.as_ref()));
        whole(Field::NativePlace, shown(native_place.as_ref()));
        whole(Field::Household, household.clone());
        whole(Field::Relation, shown(relation_to_head.as_ref()));
        for (field, place) in [(Field::Permanent, Some(permanent)), (Field::Current, current.as_ref())] {
            values.insert((field, Part::Unit), shown(place.map(|place| &place.unit)));
            values.insert((field, Part::Detail), text_of(place.map(|place| place.detail.as_str())));
        }
        for (field, relative) in [(Field::Father, father), (Field::Mother, mother), (Field::Spouse, spouse)] {
            let relative = relative.as_ref();
            let pin = relative.and_then(|relative| relative.pin.as_ref());
            values.insert((field, Part::Name), text_of(relative.map(|relative| relative.name.as_str())));
            values.insert((field, Part::Pin), text_of(pin.map(Pin::as_str)));
        }
        values
    }

    /// The record that these values make.
    ///
    /// # Errors
    /// Every fault at once, by field.
    pub fn from_values(values: &Values) -> Result<Self, Vec<FieldFault>> {
        let mut reader = Reader { values, faults: Vec::new() };
        let name = reader.parsed(Field::Name, Part::Whole, PersonName::parse);
        let sex = reader.parsed(Field::Sex, Part::Whole, sex_of);
        let birth = reader.parsed(Field::Birth, Part::Whole, PartialDate::parse);
        let pin = reader.parsed(Field::Pin, Part::Whole, Pin::parse);
        let old_id = reader.parsed(Field::OldId, Part::Whole, OldId::parse);
        let ethnicity = reader.parsed(Field::Ethnicity, Part::Whole, str::parse::<u8>);
        let religion = reader.parsed(Field::Religion, Part::Whole, str::parse::<u8>);
        let nationality = reader.text(Field::Nationality, Part::Whole).map(str::to_owned);
        let marital = reader.parsed(Field::Marital, Part::Whole, str::parse::<u8>);
        let blood = reader.text(Field::Blood, Part::Whole).map(str::to_owned);
        let birth_registration = reader.parsed(Field::BirthRegistration, Part::Whole, str::parse::<UnitCode>);
        let native_place = reader.parsed(Field::NativePlace, Part::Whole, str::parse::<UnitCode>);
        let permanent = reader.place(Field::Permanent);
        let current = reader.place(Field::Current);
        let father = reader.relative(Field::Father);
        let mother = reader.relative(Field::Mother);
        let spouse = reader.relative(Field::Spouse);
        let household = reader.text(Field::Household, Part::Whole).map(str::to_owned);
        let relation_to_head = reader.parsed(Field::Relation, Part::Whole, str::parse::<u8>);
        reader.needs(Field::Name, name.is_some());
        reader.needs(Field::Sex, sex.is_some());
        reader.needs(Field::Birth, birth.is_some());
        reader.needs(Field::Ethnicity, ethnicity.is_some());
        reader.needs(Field::Religion, religion.is_some());
        reader.needs(Field::Nationality, nationality.is_some());
        reader.needs(Field::Permanent, permanent.is_some());
        match (name, sex, birth, ethnicity, religion, nationality, permanent) {
            (
                Some(name),
                Some(sex),
                Some(birth),
                Some(ethnicity),
                Some(religion),
                Some(nationality),
                Some(permanent),
            ) if reader.faults.is_empty() => Ok(Self {
                name,
                sex,
                birth,
                pin,
                old_id,
                ethnicity,
                religion,
                nationality,
                marital,
                blood,
                birth_registration,
                native_place,
                permanent,
                current,
                father,
                mother,
                spouse,
                household,
                relation_to_head,
            }),
            _ => Err(reader.faults),
        }
    }

    /// The record with these values changed.
    ///
    /// # Errors
    /// Every fault at once, by field.
    pub fn with(&self, changes: &[Change]) -> Result<Self, Vec<FieldFault>> {
        let mut values = self.values();
        let mut faults = Vec::new();
        for Change { field, part, value } in changes {
            match values.get_mut(&(*field, *part)) {
                Some(slot) => *slot = value.clone(),
                None => faults.push(FieldFault::NoSuchPart { field: *field, part: *part }),
            }
        }
        if faults.is_empty() { Self::from_values(&values) } else { Err(faults) }
    }
}

fn other_relative(declared: Option<&Relative>, register: Option<&Relative>) -> bool {
    match (declared, register) {
        (Some(one), Some(other)) => {
            one.name.upper() != other.name.upper()
                || matches!((one.pin, other.pin), (Some(one), Some(other)) if one != other)
        }
        (None, None) => false,
        (Some(_), None) | (None, Some(_)) => true,
    }
}

fn sex_of(code: &str) -> Result<Sex, &'static str> {
    code.parse().ok().and_then(Sex::from_code).ok_or("the code of a sex is 1 or 2")
}

fn text_of(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

fn shown<T: Display>(value: Option<&T>) -> Option<String> {
    value.map(T::to_string)
}

/// Reads values and collects what is wrong with them.
struct Reader<'v> {
    values: &'v Values,
    faults: Vec<FieldFault>,
}

impl<'v> Reader<'v> {
    fn text(&mut self, field: Field, part: Part) -> Option<&'v str> {
        let text = self.values.get(&(field, part)).and_then(Option::as_deref)?;
        if let Some(position) = text::forbidden(text) {
            let reason = format!("character {position} is a control character or an invisible mark");
            self.faults.push(FieldFault::Unreadable { field, reason });
            return None;
        }
        Some(text)
    }

    fn parsed<T, E: Display>(
        &mut self,
        field: Field,
        part: Part,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        match parse(self.text(field, part)?) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.faults.push(FieldFault::Unreadable { field, reason: reason.to_string() });
                None
            }
        }
    }

    /// Notes an empty field, unless it is known to be unreadable already.
    fn needs(&mut self, field: Field, is_there: bool) {
        if !is_there && !self.faults.iter().any(|fault| fault.field() == field) {
            self.faults.push(FieldFault::Empty(field));
        }
    }

    fn place(&mut self, field: Field) -> Option<Place> {
        let detail = self.text(field, Part::Detail);
        if self.text(field, Part::Unit).is_none() && detail.is_some_and(|detail| !detail.is_empty()) {
            let (part, needs) = (Part::Detail, Part::Unit);
            self.faults.push(FieldFault::Incomplete { field, part, needs });
            return None;
        }
        let unit = self.parsed(field, Part::Unit, str::parse::<UnitCode>)?;
        Some(Place { unit, detail: detail.unwrap_or_default().to_owned() })
    }

    fn relative(&mut self, field: Field) -> Option<Relative> {
        let pin = self.parsed(field, Part::Pin, Pin::parse);
        if self.text(field, Part::Name).is_none() && pin.is_some() {
            self.faults.push(FieldFault::Incomplete { field, part: Part::Pin, needs: Part::Name });
            return None;
        }
        Some(Relative { name: self.parsed(field, Part::Name, PersonName::parse)?, pin })
    }
}

#[cfg(test)]
pub(crate) mod tests;
