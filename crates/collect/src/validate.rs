//! From a row's texts to a record that the register may hold, or everything that is wrong with it.

use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use time::Date;

use crate::fault::{Fault, FaultCode};
use crate::row::RawRow;
use crate::units::UnitsOfDay;
use domain::codes::CodeList;
use domain::date::{DateError, PartialDate};
use domain::form;
use domain::name::{MAX_NAME_CHARS, NameError, PersonName};
use domain::pin::{OldId, OldIdError, Pin, PinError, PinMismatch, Sex};
use domain::record::{Place, Relative, ResidentRecord};
use domain::unit::{UnitError, UnitLevel, UnitTable, Units};
use domain::{UnitCode, date::vietnamese, text};

/// The longest house-and-street line, in characters after composing.
const MAX_DETAIL_CHARS: usize = 200;

/// The longest form and household numbers, in characters.
const MAX_NUMBER_CHARS: usize = 32;

/// A form that may enter the register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Unique among all forms; where the person's id comes from.
    pub number: String,
    pub record: ResidentRecord,
    /// Path of the permanent residence: `42/445/18562/`.
    pub unit_path: Arc<str>,
    pub notes: Notes,
}

/// What was noticed about a row without being an error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Notes {
    /// A text stood in decomposed Unicode (NFD) and was composed.
    pub composed: bool,
    /// The permanent residence names a district that has communes, so the commune is not known.
    pub commune_unknown: bool,
}

/// What a row is judged by.
pub struct Rules {
    units: UnitsOfDay,
}

impl Rules {
    /// The rules on the day on which the forms were collected: units exist by it and births lie before it.
    pub fn new(units: &'static UnitTable, collected_on: Date) -> Rules {
        Rules { units: UnitsOfDay::new(units, collected_on) }
    }

    /// The rules of a day by the official units, kept for the next file of that day: there is one file per
    /// commune, and eleven thousand units to put in order for each.
    pub fn of_day(day: Date) -> Arc<Rules> {
        static LAST: Mutex<Option<(Date, Arc<Rules>)>> = Mutex::new(None);
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((of, rules)) if *of == day => Arc::clone(rules),
            _ => {
                let rules = Arc::new(Rules::new(UnitTable::official(), Units::on(day).day()));
                *last = Some((day, Arc::clone(&rules)));
                rules
            }
        }
    }
}

/// Judges a row.
///
/// # Errors
/// Every fault of every field, in the order of the columns. A row whose fields cannot be told apart has that
/// one fault.
pub fn validate(row: &RawRow, rules: &Rules) -> Result<Form, Vec<Fault>> {
    if row.faults.iter().any(|fault| fault.code == FaultCode::FieldCount) {
        return Err(row.faults.clone());
    }
    let mut check = Check { row, rules, faults: row.faults.clone() };
    let form = check.form();
    match form {
        Some(form) if check.faults.is_empty() => Ok(form),
        _ => Err(check.faults),
    }
}

struct Check<'a> {
    row: &'a RawRow,
    rules: &'a Rules,
    faults: Vec<Fault>,
}

impl Check<'_> {
    /// Looks at every field, even when an earlier one is wrong.
    fn form(&mut self) -> Option<Form> {
        let number = self.number("form_no", true);
        let pin = self.pin("pin");
        let old_id = self.old_id();
        let name = self.name("full_name", true);
        let sex = self.sex();
        let birth = self.birth();
        let ethnicity = self.code("ethnicity", CodeList::EthnicGroup, true);
        let religion = self.code("religion", CodeList::Religion, true);
        let nationality = self.listed("nationality", CodeList::Nationality, true);
        let marital = self.code("marital_status", CodeList::MaritalState, false);
        let blood = self.listed("blood_type", CodeList::BloodType, false);
        let birth_registration = self.unit("birth_registration_unit", true);
        let native_place = self.unit("native_unit", true);
        let permanent = self.permanent();
        let current = self.current();
        let father = self.relative("father_name", "father_pin");
        let mother = self.relative("mother_name", "mother_pin");
        let spouse = self.relative("spouse_name", "spouse_pin");
        let household = self.number("household_no", true);
        let relation_to_head = self.code("relation_to_head", CodeList::RelationToHead, true);
        self.pin_agrees(pin, sex, birth, birth_registration);

        let permanent = permanent?;
        let home = self.rules.units.find(permanent.unit)?;
        let notes = Notes {
            composed: has_combining_marks(self.row.text()),
            commune_unknown: permanent.unit.level() == UnitLevel::District && home.has_children,
        };
        Some(Form {
            number: number?,
            unit_path: Arc::clone(&home.path),
            notes,
            record: ResidentRecord {
                name: name?,
                sex: sex?,
                birth: birth?,
                pin,
                old_id,
                ethnicity: ethnicity?,
                religion: religion?,
                nationality: nationality?.to_owned(),
                marital,
                blood: blood.map(str::to_owned),
                birth_registration,
                native_place,
                permanent,
                current,
                father,
                mother,
                spouse,
                household,
                relation_to_head,
            },
        })
    }

    fn fault(&mut self, field: &'static str, code: FaultCode, message: impl Into<String>) {
        self.faults.push(Fault::new(field, code, message));
    }

    /// The trimmed text of a column; `None` when it is not stated, which is a fault where it must be.
    fn text(&mut self, field: &'static str, mandatory: bool) -> Option<&str> {
        let column = form::column(field).expect("every field here is a column of the form, see the test");
        let text = self.row.get(column).trim();
        if text.is_empty() {
            if mandatory {
                self.fault(
                    field,
                    FaultCode::Missing,
                    "the field is mandatory: fill it in from the paper form",
                );
            }
            return None;
        }
        Some(text)
    }

    /// A form or household number.
    fn number(&mut self, field: &'static str, mandatory: bool) -> Option<String> {
        let text = self.text(field, mandatory)?.to_owned();
        let is_good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '/' | '.' | '_');
        if let Some(position) = text.chars().position(|c| !is_good(c)) {
            let message = format!(
                "character {} is not a Latin letter, digit, hyphen, slash, full stop or underscore: correct \
                 it",
                position + 1
            );
            self.fault(field, FaultCode::BadCharacter, message);
            return None;
        }
        if text.len() > MAX_NUMBER_CHARS {
            let message =
                format!("the number has {} characters; at most {MAX_NUMBER_CHARS} are allowed", text.len());
            self.fault(field, FaultCode::TooLong, message);
            return None;
        }
        Some(text)
    }

    fn pin(&mut self, field: &'static str) -> Option<Pin> {
        match Pin::parse(self.text(field, false)?) {
            Ok(pin) => Some(pin),
            Err(e @ (PinError::Length(_) | PinError::NotADigit { .. } | PinError::Year(_))) => {
                self.fault(
                    field,
                    FaultCode::BadNumber,
                    format!("{e}: copy it from the document, or leave it empty"),
                );
                None
            }
            Err(PinError::Place(_) | PinError::Serial(_)) => {
                unreachable!("only composing a number gives these")
            }
        }
    }

    fn old_id(&mut self) -> Option<OldId> {
        match OldId::parse(self.text("old_id", false)?) {
            Ok(id) => Some(id),
            Err(e @ (OldIdError::Length(_) | OldIdError::NotADigit { .. })) => {
                let message = format!("{e}: copy it from the card, or leave it empty");
                self.fault("old_id", FaultCode::BadNumber, message);
                None
            }
        }
    }

    fn name(&mut self, field: &'static str, mandatory: bool) -> Option<PersonName> {
        let error = match PersonName::parse(self.text(field, mandatory)?) {
            Ok(name) => return Some(name),
            Err(error) => error,
        };
        let (code, message) = match error {
            NameError::Empty => {
                (FaultCode::BadCharacter, "there is no letter in it: write the name".to_owned())
            }
            NameError::TooLong(found) => (
                FaultCode::TooLong,
                format!("the name has {found} characters; at most {MAX_NAME_CHARS} are allowed"),
            ),
            NameError::BadCharacter { position } => (
                FaultCode::BadCharacter,
                format!(
                    "character {position} is not a letter, space, hyphen, apostrophe or full stop: write the \
                     name as on the birth certificate"
                ),
            ),
        };
        self.fault(field, code, message);
        None
    }

    fn sex(&mut self) -> Option<Sex> {
        let code = self.code("sex", CodeList::Sex, true)?;
        let sex = Sex::from_code(code.into());
        if sex.is_none() {
            let message = format!("code 0 (unknown) cannot stand on a form; {}", allowed(CodeList::Sex));
            self.fault("sex", FaultCode::UnknownCode, message);
        }
        sex
    }

    fn birth(&mut self) -> Option<PartialDate> {
        let birth = match PartialDate::parse(self.text("birth_date", true)?) {
            Ok(birth) => birth,
            Err(e) => {
                let hint = match e {
                    DateError::Shape => "",
                    DateError::Year(_) => ": write four digits",
                    DateError::Month(_) | DateError::Day { .. } => {
                        ": correct it from the birth certificate, or write only the part that is known"
                    }
                };
                self.fault("birth_date", FaultCode::BadDate, format!("{e}{hint}"));
                return None;
            }
        };
        let day = self.rules.units.day();
        let earliest = (i32::from(birth.year()), birth.month().unwrap_or(1), birth.day().unwrap_or(1));
        if earliest > (day.year(), day.month() as u8, day.day()) {
            let message = format!(
                "the birth lies after {}, when the forms were collected: correct the date",
                vietnamese(day)
            );
            self.fault("birth_date", FaultCode::BirthInFuture, message);
            return None;
        }
        Some(birth)
    }

    /// The number that a code of a list stands for.
    fn code(&mut self, field: &'static str, list: CodeList, mandatory: bool) -> Option<u8> {
        self.listed(field, list, mandatory)?.parse().ok()
    }

    /// A code of a list, as the list writes it.
    fn listed(&mut self, field: &'static str, list: CodeList, mandatory: bool) -> Option<&'static str> {
        let text = self.text(field, mandatory)?;
        if let Some(entry) = list.find(text) {
            return Some(entry.code);
        }
        let message = unknown_code(list, text);
        self.fault(field, FaultCode::UnknownCode, message);
        None
    }

    fn unit(&mut self, field: &'static str, mandatory: bool) -> Option<UnitCode> {
        let text = self.text(field, mandatory)?;
        let code = match UnitCode::from_str(text) {
            Ok(code) => code,
            Err(e) => {
                let hint = match e {
                    UnitError::Length { .. } => {
                        ": leading zeros belong to the code (a spreadsheet drops them)"
                    }
                    _ => ": write the code of the official list",
                };
                self.fault(field, FaultCode::BadUnit, format!("{e}{hint}"));
                return None;
            }
        };
        if self.rules.units.find(code).is_none() {
            let day = vietnamese(self.rules.units.day());
            // Whoever is told a neighbouring code writes it, and the person is at home in the wrong commune.
            let message = format!(
                "there was no unit with the code {code} on {day}: write the code that the official list of \
                 that day gives the place on the paper form"
            );
            self.fault(field, FaultCode::UnknownUnit, message);
            return None;
        }
        Some(code)
    }

    fn detail(&mut self, field: &'static str) -> String {
        let Some(detail) = self.text(field, false).map(text::tidy) else { return String::new() };
        if let Some(position) = text::forbidden(&detail) {
            let message =
                format!("character {position} is a control character or an invisible mark: remove it");
            self.fault(field, FaultCode::BadCharacter, message);
        }
        let count = detail.chars().count();
        if count > MAX_DETAIL_CHARS {
            let message = format!(
                "the text has {count} characters; at most {MAX_DETAIL_CHARS} are allowed: shorten it"
            );
            self.fault(field, FaultCode::TooLong, message);
        }
        detail
    }

    fn permanent(&mut self) -> Option<Place> {
        let unit = self.unit("permanent_unit", true);
        let detail = self.detail("permanent_detail");
        let unit = unit?;
        if unit.level() == UnitLevel::Province {
            let message = "people are registered in a commune (5 digits) or, where it is not known or there \
                           is none, in a district (3 digits): the code of a province is not enough";
            self.fault("permanent_unit", FaultCode::UnitLevel, message);
            return None;
        }
        Some(Place { unit, detail })
    }

    fn current(&mut self) -> Option<Place> {
        let stated = self.text("current_unit", false).is_some();
        let unit = self.unit("current_unit", false);
        let detail = self.detail("current_detail");
        if !stated && !detail.is_empty() {
            let message = "current_detail is stated without its unit: add the code, or empty both when it is \
                           the permanent residence";
            self.fault("current_unit", FaultCode::Incomplete, message);
        }
        Some(Place { unit: unit?, detail })
    }

    fn relative(&mut self, name_field: &'static str, pin_field: &'static str) -> Option<Relative> {
        let stated = self.text(name_field, false).is_some();
        let name = self.name(name_field, false);
        let pin = self.pin(pin_field);
        if !stated && pin.is_some() {
            let message = "a personal number is stated without the name: add the name";
            self.fault(name_field, FaultCode::Incomplete, message);
        }
        Some(Relative { name: name?, pin })
    }

    /// The number has no check digit: its structure is all it can be checked by (Decree 137/2015 art. 13).
    fn pin_agrees(
        &mut self,
        pin: Option<Pin>,
        sex: Option<Sex>,
        birth: Option<PartialDate>,
        registered: Option<UnitCode>,
    ) {
        let Some(pin) = pin else { return };
        let place = registered.and_then(|unit| self.rules.units.find(unit)).map(|unit| unit.province);
        let sex = sex.unwrap_or(pin.sex());
        let year = birth.map_or(pin.birth_year(), PartialDate::year);
        for mismatch in pin.mismatches(sex, year, place) {
            let code = match mismatch {
                PinMismatch::Sex => FaultCode::PinSex,
                PinMismatch::BirthYear => FaultCode::PinBirthYear,
                PinMismatch::Place => FaultCode::PinPlace,
            };
            self.fault(
                "pin",
                code,
                format!("{mismatch} than the form: compare both with the birth certificate"),
            );
        }
    }
}

/// Decomposed Vietnamese has marks from U+0300 to U+036F, which are CC 80 to CD AF in UTF-8.
fn has_combining_marks(text: &str) -> bool {
    text.bytes().any(|byte| byte == 0xcc || byte == 0xcd) && text::is_decomposed(text)
}

/// Names the list, the value, and what is allowed. No code is offered as the nearest: none of the lists is
/// ordered, and whoever is offered "2 (Nữ)" for an unknown sex writes it. The value is shown only when it has
/// the shape of a code: a cell may hold a name that slipped one column to the side.
fn unknown_code(list: CodeList, text: &str) -> String {
    let looks_like_code = match list {
        CodeList::Nationality => text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()),
        CodeList::EthnicGroup
        | CodeList::Religion
        | CodeList::Sex
        | CodeList::MaritalState
        | CodeList::RelationToHead
        | CodeList::BloodType => text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit()),
    };
    let what = match looks_like_code {
        true => format!("code {text}"),
        false => format!("a text of {} characters", text.chars().count()),
    };
    format!("{what} is not in the list {}; {}", list_name(list), allowed(list))
}

/// A list that is longer is named by its ends.
const MOST_NAMED: usize = 20;

/// The codes of a list that may stand on a form, each with its meaning, and what to do.
fn allowed(list: CodeList) -> String {
    // That a sex is unknown is no sex: the field is mandatory.
    let may_stand = |code: &str| list != CodeList::Sex || code != "0";
    let entries: Vec<String> = list
        .entries()
        .iter()
        .filter(|entry| may_stand(entry.code))
        .map(|entry| format!("{} ({})", entry.code, entry.name))
        .collect();
    let codes = match &entries[..] {
        [first, .., last] if entries.len() > MOST_NAMED => {
            format!("it has {} codes from {first} to {last}", entries.len())
        }
        entries => format!("it has {}", entries.join(", ")),
    };
    format!("{codes}: write the code of what the paper form says")
}

const fn list_name(list: CodeList) -> &'static str {
    match list {
        CodeList::EthnicGroup => "of ethnic groups",
        CodeList::Religion => "of religions",
        CodeList::Sex => "of sexes",
        CodeList::MaritalState => "of marital states",
        CodeList::RelationToHead => "of relations to the head of the household",
        CodeList::BloodType => "of blood types",
        CodeList::Nationality => "of nationalities",
    }
}

#[cfg(test)]
pub(crate) mod tests;
