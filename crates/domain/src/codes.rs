//! The closed lists that a form's codes come from: ethnic group, religion, sex, marital state, relation to
//! the head of the household, blood type, nationality.
//!
//! The lists are data (`data/*.csv`) with a mark of how sure we are of each row, so that a circular or a
//! correction changes a file and no code. A list answers one question: is this code in it, and what does it
//! mean.

use std::sync::OnceLock;

/// How sure we are of a row (`data/README.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sureness {
    /// Taken from a legal text.
    Legal,
    /// One press or code source.
    OneSource,
    /// Our own choice until the official list is at hand.
    OurChoice,
}

/// One row of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeEntry {
    /// The code as it is written: zero-padded digits, or three capital letters for a nationality.
    pub code: &'static str,
    /// The Vietnamese name.
    pub name: &'static str,
    pub sureness: Sureness,
}

/// Which list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CodeList {
    /// 01–54 the groups, 55 foreigner, 56 unknown.
    EthnicGroup,
    /// QCVN 109:2017 annex G; 00 is "none".
    Religion,
    /// 0 unknown, 1 male, 2 female.
    Sex,
    /// 0 unknown, 1 never married, 2 married, 3 divorced or widowed.
    MaritalState,
    /// 00 unknown, 01 head, 02 spouse, 03 child …; our own numbers.
    RelationToHead,
    /// 00 unknown, 01 A, 02 B, 03 AB, 04 O.
    BloodType,
    /// ISO 3166-1 alpha-3.
    Nationality,
}

impl CodeList {
    /// All lists that the DC01 form refers to.
    pub const ALL: [CodeList; 7] = [
        CodeList::EthnicGroup,
        CodeList::Religion,
        CodeList::Sex,
        CodeList::MaritalState,
        CodeList::RelationToHead,
        CodeList::BloodType,
        CodeList::Nationality,
    ];

    /// All rows in the order of the file, which is the order of the codes (nationality: Vietnam first).
    pub fn entries(self) -> &'static [CodeEntry] {
        static LISTS: OnceLock<[Vec<CodeEntry>; 7]> = OnceLock::new();
        let lists = LISTS.get_or_init(|| CodeList::ALL.map(|list| parse(list.csv())));
        &lists[self as usize]
    }

    /// The row of `code`. A numeric code may lack its leading zeros, as forms write "1" for "01"; letters may
    /// not be in another case. `None` when the code is outside the list.
    pub fn find(self, code: &str) -> Option<&'static CodeEntry> {
        let entries = self.entries();
        if self == CodeList::Nationality {
            return entries.iter().find(|entry| entry.code == code);
        }
        let width = entries.first().map_or(0, |entry| entry.code.len());
        if code.is_empty() || code.len() > width || !code.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let number =
            |text: &str| text.bytes().fold(0u32, |number, digit| number * 10 + u32::from(digit - b'0'));
        entries.iter().find(|entry| number(entry.code) == number(code))
    }

    /// The row of this Vietnamese name, ignoring case.
    pub fn find_by_name(self, name: &str) -> Option<&'static CodeEntry> {
        let name = name.trim().to_lowercase();
        self.entries().iter().find(|entry| entry.name.to_lowercase() == name)
    }

    /// The name of `code`, or `None` when it is outside the list.
    pub fn name(self, code: &str) -> Option<&'static str> {
        self.find(code).map(|entry| entry.name)
    }

    const fn csv(self) -> &'static str {
        match self {
            CodeList::EthnicGroup => include_str!("../data/ethnic-groups.csv"),
            CodeList::Religion => include_str!("../data/religions.csv"),
            CodeList::Sex => include_str!("../data/sexes.csv"),
            CodeList::MaritalState => include_str!("../data/marital-states.csv"),
            CodeList::RelationToHead => include_str!("../data/relations-to-head.csv"),
            CodeList::BloodType => include_str!("../data/blood-types.csv"),
            CodeList::Nationality => include_str!("../data/nationalities.csv"),
        }
    }
}

/// The files are part of the program and a test checks that no row is lost here.
fn parse(csv: &'static str) -> Vec<CodeEntry> {
    let rows = csv.lines().skip(1);
    rows.filter_map(|row| {
        let mut fields = row.split(',');
        let (code, name) = (fields.next()?, fields.next()?);
        let sureness = match fields.next()? {
            "H" => Sureness::Legal,
            "M" => Sureness::OneSource,
            "L" => Sureness::OurChoice,
            _ => return None,
        };
        Some(CodeEntry { code, name, sureness })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_is_lost_or_repeated() {
        for list in CodeList::ALL {
            let entries = list.entries();
            assert_eq!(entries.len(), list.csv().lines().count() - 1, "{list:?}");
            for (index, entry) in entries.iter().enumerate() {
                assert!(unicode_normalization::is_nfc(entry.name), "{list:?} {}", entry.code);
                assert!(entries[..index].iter().all(|e| e.code != entry.code && e.name != entry.name));
                assert_eq!(list.find(entry.code), Some(entry));
                assert_eq!(list.find_by_name(&entry.name.to_uppercase()), Some(entry));
            }
        }
    }

    #[test]
    fn known_codes_mean_what_the_sources_say() {
        assert_eq!(CodeList::EthnicGroup.entries().len(), 56);
        assert_eq!(CodeList::EthnicGroup.name("1"), Some("Kinh"));
        assert_eq!(CodeList::EthnicGroup.name("08"), Some("HMông"));
        assert_eq!(CodeList::EthnicGroup.name("54"), Some("Rơ Măm"));
        assert_eq!(CodeList::Religion.name("08"), Some("Tin Lành"));
        assert_eq!(CodeList::BloodType.name("4"), Some("O"));
        assert_eq!(CodeList::Nationality.name("VNM"), Some("Việt Nam"));
    }

    #[test]
    fn codes_outside_the_list_are_not_found() {
        for (list, code) in [
            (CodeList::EthnicGroup, "57"),
            (CodeList::EthnicGroup, "0"),
            (CodeList::EthnicGroup, "001"),
            (CodeList::EthnicGroup, ""),
            (CodeList::EthnicGroup, "-1"),
            (CodeList::Sex, "3"),
            (CodeList::Nationality, "vnm"),
        ] {
            assert_eq!(list.find(code), None, "{list:?}");
        }
    }
}
