use std::fmt;

/// What is known of one person on one paper. Every field may be missing; nothing here is trusted to be valid.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// The caller's identity of the record (a UUID as a number); two records of one index never share it.
    pub id: u128,
    /// Family name first, as written; case, normal form and spacing do not matter.
    pub full_name: String,
    pub sex: Option<Sex>,
    /// 1–31; anything else counts as missing.
    pub birth_day: Option<u8>,
    /// 1–12; anything else counts as missing.
    pub birth_month: Option<u8>,
    /// Gregorian year; 0 counts as missing.
    pub birth_year: Option<u16>,
    /// Code of the official list of ethnic groups: 1 is Kinh, 56 "unknown" (counted as missing).
    pub ethnicity: Option<u8>,
    /// Two-digit province code of the place where the birth was registered.
    pub birth_province: Option<u16>,
    /// Quê quán.
    pub native_place: Option<Place>,
    pub residence: Option<Place>,
    /// House, street, hamlet: compared only as a whole and only inside one commune.
    pub address_line: Option<String>,
    pub father_name: Option<String>,
    pub mother_name: Option<String>,
    /// The twelve digits of the personal identification number, read as a number.
    pub pin: Option<u64>,
    /// The nine digits of the old identity card, read as a number.
    pub cmnd: Option<u64>,
}

impl fmt::Debug for Record {
    /// Personal data stays out of logs: only the identity of the record is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("id", &self.id).finish_non_exhaustive()
    }
}

/// As the register states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sex {
    Male,
    Female,
}

/// An administrative unit as a path province → district → commune, in 32 bits.
///
/// The five digits of a commune code do not contain its district, so the whole path is given. Codes are
/// reused when units are merged: map both records to the units of one date before comparing them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place(u32);

/// Which code of a place was out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    #[error("province code {0} is outside 1–99; give the two-digit code of the official unit list")]
    Province(u16),
    #[error("district code {0} is outside 0–999; give the three-digit code, or 0 if it is not known")]
    District(u16),
    #[error("commune code {0} is outside 0–32767; give the five-digit code, or 0 if it is not known")]
    Commune(u32),
}

impl Place {
    /// `district` and `commune` are 0 where not known, or where the unit has none (an island district has no
    /// commune; since July 2025 there are no districts).
    pub fn new(province: u16, district: u16, commune: u32) -> Result<Place, PlaceError> {
        if province == 0 || province > 99 {
            return Err(PlaceError::Province(province));
        }
        if district > 999 {
            return Err(PlaceError::District(district));
        }
        if commune >= 1 << 15 {
            return Err(PlaceError::Commune(commune));
        }
        Ok(Place(u32::from(province) << 25 | u32::from(district) << 15 | commune))
    }

    /// Two-digit code of the official list; always known.
    pub fn province(self) -> u16 {
        (self.0 >> 25) as u16
    }

    /// Three-digit code; 0 when unknown.
    pub fn district(self) -> u16 {
        (self.0 >> 15 & 0x3ff) as u16
    }

    /// Five-digit code; 0 when unknown.
    pub fn commune(self) -> u32 {
        self.0 & 0x7fff
    }

    pub(crate) fn bits(self) -> u32 {
        self.0
    }

    pub(crate) fn of_bits(bits: u32) -> Option<Place> {
        (bits != 0).then_some(Place(bits))
    }

    /// The same unit one and two levels up, as map keys.
    pub(crate) fn district_bits(self) -> u32 {
        self.0 & !0x7fff
    }

    pub(crate) fn province_bits(self) -> u32 {
        self.0 & !0x01ff_ffff
    }
}
