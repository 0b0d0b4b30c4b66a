//! One filled-in form as 25 texts, in the order of the CSV columns; both formats are written from it.

use super::FormNo;
use crate::population::{Kin, Person, Population};
use domain::form::{DC01, DC01_COLUMNS};

/// Positions of the columns, checked against the published header by a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    FormNo,
    Pin,
    OldId,
    FullName,
    Sex,
    BirthDate,
    Ethnicity,
    Religion,
    Nationality,
    MaritalStatus,
    BloodType,
    BirthRegistrationUnit,
    NativeUnit,
    PermanentUnit,
    PermanentDetail,
    CurrentUnit,
    CurrentDetail,
    FatherName,
    FatherPin,
    MotherName,
    MotherPin,
    SpouseName,
    SpousePin,
    HouseholdNo,
    RelationToHead,
}

pub(super) struct FormRow([String; DC01.len()]);

impl FormRow {
    /// The form of `person` as it should be.
    pub fn of(population: &Population, person: &Person, form_no: FormNo) -> FormRow {
        let mut row = FormRow(std::array::from_fn(|_| String::new()));
        let household = population.household_of(person);
        row.set(Column::FormNo, form_no.to_string());
        row.set(Column::Pin, person.pin.map_or_else(String::new, |pin| pin.as_str().to_owned()));
        row.set(Column::OldId, person.old_ids[0].map_or_else(String::new, |id| id.as_str().to_owned()));
        row.set(Column::FullName, person.name.text().to_uppercase());
        row.set(Column::Sex, person.sex.code().to_string());
        row.set(Column::BirthDate, person.stated_birth().to_string());
        row.set(Column::Ethnicity, format!("{:02}", person.ethnicity));
        row.set(Column::Religion, format!("{:02}", person.religion));
        row.set(Column::Nationality, "VNM".to_owned());
        row.set(Column::MaritalStatus, person.marital.to_string());
        if person.blood > 0 {
            row.set(Column::BloodType, format!("{:02}", person.blood));
        }
        row.set(Column::BirthRegistrationUnit, person.birth_registration.to_string());
        row.set(Column::NativeUnit, person.native.to_string());
        row.set(Column::PermanentUnit, household.unit.to_string());
        row.set(Column::PermanentDetail, household.spot.text());
        if let Some((unit, spot)) = person.current {
            row.set(Column::CurrentUnit, unit.to_string());
            row.set(Column::CurrentDetail, spot.text());
        }
        row.set_kin(population, person.father, Column::FatherName, Column::FatherPin);
        row.set_kin(population, person.mother, Column::MotherName, Column::MotherPin);
        row.set_kin(population, person.spouse, Column::SpouseName, Column::SpousePin);
        row.set(Column::HouseholdNo, household.book());
        row.set(Column::RelationToHead, format!("{:02}", person.relation as u8));
        row
    }

    fn set_kin(&mut self, population: &Population, kin: Kin, name: Column, pin: Column) {
        match kin {
            Kin::Unknown => {}
            Kin::Named(parts) => self.set(name, parts.text().to_uppercase()),
            Kin::Resident(index) => {
                let person = &population.people[index as usize];
                self.set(name, person.name.text().to_uppercase());
                if let Some(number) = person.pin {
                    self.set(pin, number.as_str().to_owned());
                }
            }
        }
    }

    /// As it stands on the form; empty where nothing was stated.
    pub fn get(&self, column: Column) -> &str {
        &self.0[column as usize]
    }

    /// Replaces what the field says, without any check: forms are spoilt this way too.
    pub fn set(&mut self, column: Column, text: String) {
        self.0[column as usize] = text;
    }

    /// Header and text of every field, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        DC01_COLUMNS.into_iter().zip(self.0.iter().map(String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_where_the_header_says() {
        for (column, name) in [
            (Column::FormNo, "form_no"),
            (Column::Pin, "pin"),
            (Column::FullName, "full_name"),
            (Column::BirthDate, "birth_date"),
            (Column::BloodType, "blood_type"),
            (Column::PermanentUnit, "permanent_unit"),
            (Column::CurrentDetail, "current_detail"),
            (Column::SpousePin, "spouse_pin"),
            (Column::RelationToHead, "relation_to_head"),
        ] {
            assert_eq!(DC01_COLUMNS[column as usize], name);
        }
        assert_eq!(Column::RelationToHead as usize + 1, DC01_COLUMNS.len());
    }
}
