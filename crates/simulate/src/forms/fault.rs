//! Errors that a form can have, one at a time, each of which an importer can notice.

use super::row::{Column, FormRow};
use crate::population::{Person, Precision};
use crate::stream::Stream;
use domain::{Pin, Sex};

/// What is wrong with a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// 30 February, day 32 or month 13.
    ImpossibleDate,
    /// Born after the day of the count.
    FutureBirth,
    /// A mandatory field is empty.
    MissingMandatory,
    /// The number's fourth digit belongs to the other sex.
    PinSex,
    /// The number's year is not the birth year.
    PinYear,
    /// The number has 11 or 13 characters, or a letter.
    PinShape,
    /// A unit code of four digits, of six, or with a letter.
    UnitShape,
    /// A unit code of the right shape that no unit has.
    UnknownUnit,
    /// The name contains a digit or a sign.
    NameCharacter,
    /// The old number has 8 or 10 digits.
    OldIdShape,
    /// A code outside its list; counted apart from the others.
    UnknownCode,
}

impl Fault {
    /// Kinds that share the error rate.
    pub const ERRORS: [Fault; 10] = [
        Fault::ImpossibleDate,
        Fault::FutureBirth,
        Fault::MissingMandatory,
        Fault::PinSex,
        Fault::PinYear,
        Fault::PinShape,
        Fault::UnitShape,
        Fault::UnknownUnit,
        Fault::NameCharacter,
        Fault::OldIdShape,
    ];

    /// Name in `truth.csv`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Fault::ImpossibleDate => "impossible_date",
            Fault::FutureBirth => "future_birth",
            Fault::MissingMandatory => "missing_mandatory",
            Fault::PinSex => "pin_sex",
            Fault::PinYear => "pin_year",
            Fault::PinShape => "pin_shape",
            Fault::UnitShape => "unit_shape",
            Fault::UnknownUnit => "unknown_unit",
            Fault::NameCharacter => "name_character",
            Fault::OldIdShape => "old_id_shape",
            Fault::UnknownCode => "unknown_code",
        }
    }

    /// The kind for the `index`-th faulty form: the kinds take turns, and one that needs a field this person
    /// lacks gives way to the next.
    pub(super) fn applicable(index: usize, person: &Person) -> Fault {
        let mut kinds = Fault::ERRORS.iter().cycle().skip(index % Fault::ERRORS.len());
        let fits = |fault: &&Fault| match fault {
            Fault::PinSex | Fault::PinYear => person.pin.is_some() && person.precision == Precision::Day,
            Fault::PinShape => person.pin.is_some(),
            Fault::OldIdShape => person.old_ids[0].is_some(),
            // A number would already contradict a date in the future; without one the date alone is wrong.
            _ => true,
        };
        kinds.find(fits).copied().unwrap_or(Fault::ImpossibleDate)
    }

    pub(super) fn plant(self, row: &mut FormRow, person: &Person, stream: &mut Stream) {
        match self {
            Fault::ImpossibleDate => {
                let year = person.birth.year();
                let date = ["30/02", "31/04", "32/05", "15/13"][stream.below(4) as usize];
                row.set(Column::BirthDate, format!("{date}/{year}"));
            }
            Fault::FutureBirth => {
                let day = 1 + stream.below(28);
                row.set(Column::BirthDate, format!("{day:02}/06/{}", 2023 + stream.below(40)));
                row.set(Column::Pin, String::new());
            }
            Fault::MissingMandatory => {
                const FIELDS: [Column; 5] = [
                    Column::FullName,
                    Column::Sex,
                    Column::BirthDate,
                    Column::PermanentUnit,
                    Column::HouseholdNo,
                ];
                row.set(FIELDS[stream.below(FIELDS.len() as u32) as usize], String::new());
            }
            Fault::PinSex => plant_pin(row, person, other(person.sex), person.birth.year()),
            Fault::PinYear => {
                let wrong =
                    person.birth.year() + if stream.chance(0.5) { 1 } else { -1 - stream.below(9) as i32 };
                plant_pin(row, person, person.sex, wrong.max(1900));
            }
            Fault::PinShape => break_digits(row, Column::Pin, stream),
            Fault::OldIdShape => break_digits(row, Column::OldId, stream),
            Fault::UnitShape => {
                let code = row.get(Column::PermanentUnit);
                let broken = match stream.below(3) {
                    0 => format!("{code}0"),
                    1 => format!("{}1", &code[..code.len().min(3)]),
                    _ => code.replacen(|digit: char| digit.is_ascii_digit(), "O", 1),
                };
                row.set(Column::PermanentUnit, broken);
            }
            Fault::UnknownUnit => {
                let code = ["99", "999", "99998"][stream.below(3) as usize];
                row.set(Column::NativeUnit, code.to_owned());
            }
            Fault::NameCharacter => {
                let name = row.get(Column::FullName);
                let sign = ["0", "1", "?", "_", "@"][stream.below(5) as usize];
                row.set(Column::FullName, format!("{name}{sign}"));
            }
            Fault::UnknownCode => {
                const CODES: [(Column, &str); 6] = [
                    (Column::Ethnicity, "77"),
                    (Column::Religion, "88"),
                    (Column::MaritalStatus, "7"),
                    (Column::RelationToHead, "55"),
                    (Column::BloodType, "09"),
                    (Column::Nationality, "VIE"),
                ];
                let (column, code) = CODES[stream.below(CODES.len() as u32) as usize];
                row.set(column, code.to_owned());
            }
        }
    }
}

fn plant_pin(row: &mut FormRow, person: &Person, sex: Sex, year: i32) {
    if let Some(pin) = person.pin
        && let Ok(wrong) = Pin::compose(pin.place(), sex, year as i16, pin.serial())
    {
        row.set(Column::Pin, wrong.as_str().to_owned());
    }
}

/// Drops a digit, doubles the last one, or puts a letter O for the first.
fn break_digits(row: &mut FormRow, column: Column, stream: &mut Stream) {
    let number = row.get(column).to_owned();
    let broken = match stream.below(3) {
        0 => number.chars().skip(1).collect(),
        1 => number.chars().chain(number.chars().last()).collect(),
        _ => number.chars().enumerate().map(|(at, digit)| if at == 0 { 'O' } else { digit }).collect(),
    };
    row.set(column, broken);
}

fn other(sex: Sex) -> Sex {
    match sex {
        Sex::Male => Sex::Female,
        Sex::Female => Sex::Male,
    }
}
