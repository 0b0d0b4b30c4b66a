//! The fields of a resident's record, each with its stable code.
//!
//! Whoever lists fields matches over [`Field`], so that a new field does not compile until it is listed. A
//! field that is written in more than one place of a form has [`Part`]s: a residence has a unit and a detail,
//! a relative a name and a number. A part's value is text in the form that the register stores, which is also
//! the form that is parsed.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A field of [`crate::ResidentRecord`], in the order of the DC01 form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Name (họ, chữ đệm và tên).
    Name,
    /// Sex (giới tính).
    Sex,
    /// Date of birth, of which parts may be unknown.
    Birth,
    /// Personal identification number (số định danh cá nhân). Events of their own change it, never a
    /// correction.
    Pin,
    /// Number of the identity card of the old kind (số CMND).
    OldId,
    /// Ethnic group (dân tộc).
    Ethnicity,
    /// Religion (tôn giáo).
    Religion,
    /// Nationality (quốc tịch).
    Nationality,
    /// Marital state (tình trạng hôn nhân).
    Marital,
    /// Blood type (nhóm máu), only on request and with proof.
    Blood,
    /// Where the birth was registered (nơi đăng ký khai sinh).
    BirthRegistration,
    /// Native place (quê quán).
    NativePlace,
    /// Permanent residence (nơi thường trú).
    Permanent,
    /// Current residence (nơi ở hiện tại), where it is not the permanent one.
    Current,
    /// Father (cha).
    Father,
    /// Mother (mẹ).
    Mother,
    /// Spouse (vợ hoặc chồng).
    Spouse,
    /// Number of the household book (số hộ).
    Household,
    /// Relation to the head of the household (quan hệ với chủ hộ).
    Relation,
}

/// A piece of a field that changes by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The field has no pieces.
    Whole,
    /// The unit of a residence.
    Unit,
    /// The rest of a residence: house, street, hamlet.
    Detail,
    /// The name of a relative.
    Name,
    /// The personal number of a relative.
    Pin,
}

/// The values of a record, part by part; `None` where nothing is stated.
pub type Values = BTreeMap<(Field, Part), Option<String>>;

/// One value that is to be in the register. Personal data: `Debug` shows the field alone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What changes.
    pub field: Field,
    /// Which part of it.
    pub part: Part,
    /// As the register stores it; `None` when nothing is to be stated any more.
    pub value: Option<String>,
}

/// Why values do not make a record. It names the field and never quotes the value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FieldFault {
    /// A record is not complete without it.
    #[error("the field {0} is empty; a record states it")]
    Empty(Field),
    /// The value cannot be read.
    #[error("the field {field} cannot be read: {reason}")]
    Unreadable {
        /// Whose value.
        field: Field,
        /// What is wrong with it, without quoting it.
        reason: String,
    },
    /// A part is stated without the part that it belongs to.
    #[error("the field {field} states its {part} and not its {needs}; state both or neither")]
    Incomplete {
        /// Which field.
        field: Field,
        /// The part that is there.
        part: Part,
        /// The part that is missing.
        needs: Part,
    },
    /// No field has this part.
    #[error("the field {field} has no part {part}")]
    NoSuchPart {
        /// Which field.
        field: Field,
        /// The part that was asked for.
        part: Part,
    },
}

impl Field {
    /// Every field, in the order of the form.
    pub const ALL: [Field; 19] = [
        Field::Name,
        Field::Sex,
        Field::Birth,
        Field::Pin,
        Field::OldId,
        Field::Ethnicity,
        Field::Religion,
        Field::Nationality,
        Field::Marital,
        Field::Blood,
        Field::BirthRegistration,
        Field::NativePlace,
        Field::Permanent,
        Field::Current,
        Field::Father,
        Field::Mother,
        Field::Spouse,
        Field::Household,
        Field::Relation,
    ];

    /// Stable code: as stored in `application_record.differs` and `person_fact.field`, and in keys of words.
    pub const fn code(self) -> &'static str {
        match self {
            Field::Name => "name",
            Field::Sex => "sex",
            Field::Birth => "birth",
            Field::Pin => "pin",
            Field::OldId => "old_id",
            Field::Ethnicity => "ethnicity",
            Field::Religion => "religion",
            Field::Nationality => "nationality",
            Field::Marital => "marital",
            Field::Blood => "blood",
            Field::BirthRegistration => "birth_registration",
            Field::NativePlace => "native_place",
            Field::Permanent => "permanent",
            Field::Current => "current",
            Field::Father => "father",
            Field::Mother => "mother",
            Field::Spouse => "spouse",
            Field::Household => "household",
            Field::Relation => "relation",
        }
    }

    /// The field of this code; `None` when there is none.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.code() == code)
    }

    /// The parts it consists of.
    pub const fn parts(self) -> &'static [Part] {
        match self {
            Field::Name
            | Field::Sex
            | Field::Birth
            | Field::Pin
            | Field::OldId
            | Field::Ethnicity
            | Field::Religion
            | Field::Nationality
            | Field::Marital
            | Field::Blood
            | Field::BirthRegistration
            | Field::NativePlace
            | Field::Household
            | Field::Relation => &[Part::Whole],
            Field::Permanent | Field::Current => &[Part::Unit, Part::Detail],
            Field::Father | Field::Mother | Field::Spouse => &[Part::Name, Part::Pin],
        }
    }

    /// The columns of the DC01 form that hold it, in the order of [`Field::parts`]; see
    /// [`crate::form::DC01`].
    pub const fn columns(self) -> &'static [&'static str] {
        match self {
            Field::Name => &["full_name"],
            Field::Sex => &["sex"],
            Field::Birth => &["birth_date"],
            Field::Pin => &["pin"],
            Field::OldId => &["old_id"],
            Field::Ethnicity => &["ethnicity"],
            Field::Religion => &["religion"],
            Field::Nationality => &["nationality"],
            Field::Marital => &["marital_status"],
            Field::Blood => &["blood_type"],
            Field::BirthRegistration => &["birth_registration_unit"],
            Field::NativePlace => &["native_unit"],
            Field::Permanent => &["permanent_unit", "permanent_detail"],
            Field::Current => &["current_unit", "current_detail"],
            Field::Father => &["father_name", "father_pin"],
            Field::Mother => &["mother_name", "mother_pin"],
            Field::Spouse => &["spouse_name", "spouse_pin"],
            Field::Household => &["household_no"],
            Field::Relation => &["relation_to_head"],
        }
    }
}

impl Part {
    /// Every part.
    pub const ALL: [Part; 5] = [Part::Whole, Part::Unit, Part::Detail, Part::Name, Part::Pin];

    /// Stable code, as stored in `person_fact.part`.
    pub const fn code(self) -> &'static str {
        match self {
            Part::Whole => "whole",
            Part::Unit => "unit",
            Part::Detail => "detail",
            Part::Name => "name",
            Part::Pin => "pin",
        }
    }

    /// The part of this code; `None` when there is none.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.code() == code)
    }
}

impl FieldFault {
    /// Which field it is about.
    pub const fn field(&self) -> Field {
        match self {
            FieldFault::Empty(field)
            | FieldFault::Unreadable { field, .. }
            | FieldFault::Incomplete { field, .. }
            | FieldFault::NoSuchPart { field, .. } => *field,
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change").field("field", &self.field).field("part", &self.part).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::DC01_COLUMNS;

    #[test]
    fn codes_lead_back_to_their_values_and_are_distinct() {
        for field in Field::ALL {
            assert_eq!(Field::from_code(field.code()), Some(field));
        }
        for part in Part::ALL {
            assert_eq!(Part::from_code(part.code()), Some(part));
        }
        assert_eq!(Field::from_code("phone"), None);
    }

    #[test]
    fn every_column_of_the_form_but_its_number_belongs_to_one_field() {
        let mut columns: Vec<&str> = Vec::new();
        for field in Field::ALL {
            assert_eq!(field.columns().len(), field.parts().len(), "{field}");
            columns.extend(field.columns());
        }
        columns.push("form_no");
        columns.sort_unstable();
        let mut form = DC01_COLUMNS.to_vec();
        form.sort_unstable();
        assert_eq!(columns, form);
    }
}
