//! What the register holds of one resident: the fields of the population record (2014 law, art. 9) that the DC01 form collects.

use crate::pin::Sex;
use crate::{OldId, PartialDate, PersonName, Pin, UnitCode};
use serde::{Deserialize, Serialize};

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
    /// Every field in which `other` differs, by its stable name: what an officer sees beside the register's value.
    pub fn differing_fields(&self, other: &Self) -> Vec<&'static str> {
        let same = |a: Option<&Relative>, b: Option<&Relative>| {
            a.map(|r| r.name.upper()) == b.map(|r| r.name.upper())
        };
        let checks = [
            ("name", self.name.upper() == other.name.upper()),
            ("sex", self.sex == other.sex),
            ("birth", self.birth == other.birth),
            ("pin", self.pin == other.pin),
            ("old_id", self.old_id == other.old_id),
            ("ethnicity", self.ethnicity == other.ethnicity),
            ("religion", self.religion == other.religion),
            ("nationality", self.nationality == other.nationality),
            ("marital", self.marital == other.marital),
            ("birth_registration", self.birth_registration == other.birth_registration),
            ("native_place", self.native_place == other.native_place),
            ("permanent", self.permanent == other.permanent),
            ("father", same(self.father.as_ref(), other.father.as_ref())),
            ("mother", same(self.mother.as_ref(), other.mother.as_ref())),
            ("spouse", same(self.spouse.as_ref(), other.spouse.as_ref())),
        ];
        checks.into_iter().filter(|(_, equal)| !equal).map(|(field, _)| field).collect()
    }
}
