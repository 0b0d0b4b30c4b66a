//! The elementary files of the Logical Data Structure (Doc 9303-10) that a citizen card carries.

pub mod card_access;
pub mod com;
pub mod dg1;
pub mod dg13;
pub mod dg14;
pub mod dg15;
pub mod dg2;
pub mod dg3;

mod fields;

use std::fmt;

use crate::tlv::Tag;

/// A data group by its number, 1 to 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DataGroup(u8);

/// Doc 9303-10: the template tag of each data group.
const TAGS: [u8; 16] =
    [0x61, 0x75, 0x63, 0x76, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x70];

impl DataGroup {
    /// The machine-readable zone.
    pub const DG1: DataGroup = DataGroup(1);
    /// The portrait.
    pub const DG2: DataGroup = DataGroup(2);
    /// The fingers, which only an inspection system with the right certificate reads.
    pub const DG3: DataGroup = DataGroup(3);
    /// The card's own data in Vietnamese (optional details of Doc 9303-10, used by the citizen card).
    pub const DG13: DataGroup = DataGroup(13);
    /// The protocols that the chip offers, and its key for Chip Authentication.
    pub const DG14: DataGroup = DataGroup(14);
    /// The key for Active Authentication.
    pub const DG15: DataGroup = DataGroup(15);

    /// `None` for numbers outside 1 to 16.
    pub fn from_number(number: u8) -> Option<DataGroup> {
        (1..=16).contains(&number).then_some(DataGroup(number))
    }

    /// The group whose file begins with this tag; `None` for any other tag.
    pub fn from_tag(tag: u8) -> Option<DataGroup> {
        TAGS.iter().position(|&t| t == tag).map(|index| DataGroup(index as u8 + 1))
    }

    /// From 1 to 16.
    pub fn number(self) -> u8 {
        self.0
    }

    /// The tag with which the group's file begins (Doc 9303-10).
    pub fn tag(self) -> Tag {
        Tag(u32::from(self.tag_byte()))
    }

    /// The tag as one byte, as it stands in EF.COM.
    pub fn tag_byte(self) -> u8 {
        TAGS[usize::from(self.0) - 1]
    }

    /// The name under which the file is stored and exported: `DG1`.
    pub fn file_name(self) -> String {
        self.to_string()
    }

    /// Reads [`DataGroup::file_name`].
    pub fn from_file_name(name: &str) -> Option<DataGroup> {
        let digits = name.strip_prefix("DG")?;
        let group = DataGroup::from_number(digits.parse().ok()?)?;
        (group.to_string() == name).then_some(group)
    }
}

impl fmt::Display for DataGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DG{}", self.0)
    }
}

/// File name of the index of data groups.
pub const EF_COM: &str = "EF.COM";
/// File name of what everybody may know before the access protocol.
pub const EF_CARD_ACCESS: &str = "EF.CardAccess";
/// File name of the document security object.
pub const EF_SOD: &str = "EF.SOD";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_names_go_both_ways() {
        for number in 1..=16 {
            let group = DataGroup::from_number(number).unwrap();
            assert_eq!(DataGroup::from_tag(group.tag_byte()), Some(group));
            assert_eq!(DataGroup::from_file_name(&group.file_name()), Some(group));
        }
        assert_eq!(DataGroup::DG13.tag_byte(), 0x6D);
        for wrong in ["DG0", "DG17", "DG01", "dg1", "EF.COM", "DG", "DG+1"] {
            assert_eq!(DataGroup::from_file_name(wrong), None);
        }
    }
}
