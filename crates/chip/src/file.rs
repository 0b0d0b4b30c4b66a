//! The files of a chip, by the names under which they are exported and the identifiers under which they are
//! read.

use std::collections::BTreeMap;

use card::lds::{DataGroup, EF_CARD_ACCESS, EF_COM, EF_SOD};
use pki::Rights;

/// An elementary file (Doc 9303-10, table "Elementary files").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileId {
    /// At the master file; everything else is in the application.
    CardAccess,
    Com,
    Sod,
    Group(DataGroup),
    /// Whom the chip trusts to authorise inspection systems (Doc 9303-11 appendix K.2). The chip writes it
    /// itself, so that it is in no card's files. In the application it has the identifier that EF.CardAccess
    /// has at the master file.
    Cvca,
}

impl FileId {
    /// The two bytes with which the file is selected.
    pub fn identifier(self) -> u16 {
        match self {
            FileId::CardAccess | FileId::Cvca => 0x011C,
            FileId::Com => 0x011E,
            FileId::Sod => 0x011D,
            FileId::Group(group) => 0x0100 | u16::from(group.number()),
        }
    }

    /// The five bits with which the file is read without being selected.
    pub fn short_identifier(self) -> u8 {
        self.identifier() as u8 & 0x1F
    }

    /// 011C is taken for EF.CardAccess.
    pub fn from_identifier(identifier: u16) -> Option<FileId> {
        match identifier {
            0x011C => Some(FileId::CardAccess),
            0x011E => Some(FileId::Com),
            0x011D => Some(FileId::Sod),
            0x0101..=0x0110 => DataGroup::from_number(identifier as u8).map(FileId::Group),
            _ => None,
        }
    }

    /// The file that a READ BINARY with a short identifier means (ISO/IEC 7816-4, five bits).
    pub fn from_short_identifier(short: u8) -> Option<FileId> {
        Self::from_identifier(0x0100 | u16::from(short & 0x1F))
    }

    /// `EF.COM`, `DG1` and so on.
    pub fn name(self) -> String {
        match self {
            FileId::CardAccess => EF_CARD_ACCESS.to_owned(),
            FileId::Com => EF_COM.to_owned(),
            FileId::Sod => EF_SOD.to_owned(),
            FileId::Group(group) => group.file_name(),
            FileId::Cvca => "EF.CVCA".to_owned(),
        }
    }

    /// The file of this name, if a card's files may have it.
    pub fn from_name(name: &str) -> Option<FileId> {
        match name {
            EF_CARD_ACCESS => Some(FileId::CardAccess),
            EF_COM => Some(FileId::Com),
            EF_SOD => Some(FileId::Sod),
            name => DataGroup::from_file_name(name).map(FileId::Group),
        }
    }

    /// Readable only after Terminal Authentication: fingers and irises.
    pub fn needs_terminal_authentication(self) -> bool {
        !self.is_granted(Rights::NONE)
    }

    /// Whether an inspection system with these rights reads it; true for files that need none.
    pub(crate) fn is_granted(self, rights: Rights) -> bool {
        match self {
            FileId::Group(group) if group.number() == 3 => rights.fingers,
            FileId::Group(group) if group.number() == 4 => rights.irises,
            _ => true,
        }
    }
}

/// A chip's files, raw.
#[derive(Clone, Default)]
pub struct ChipFiles(BTreeMap<FileId, Vec<u8>>);

impl std::fmt::Debug for ChipFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ChipFiles({:?})", self.0.keys())
    }
}

impl ChipFiles {
    /// Files by their export names; others, such as certificates beside them, are left out.
    pub fn from_named<'a>(files: impl IntoIterator<Item = (&'a str, Vec<u8>)>) -> ChipFiles {
        let known = |(name, bytes): (&str, Vec<u8>)| FileId::from_name(name).map(|id| (id, bytes));
        ChipFiles(files.into_iter().filter_map(known).collect())
    }

    /// Replaces what the file held before.
    pub fn insert(&mut self, id: FileId, bytes: Vec<u8>) {
        self.0.insert(id, bytes);
    }

    /// `None` when the chip has no such file.
    pub fn get(&self, id: FileId) -> Option<&[u8]> {
        self.0.get(&id).map(Vec::as_slice)
    }

    pub(crate) fn get_mut(&mut self, id: FileId) -> Option<&mut Vec<u8>> {
        self.0.get_mut(&id)
    }

    /// In the order of the identifiers.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &[u8])> {
        self.0.iter().map(|(id, bytes)| (*id, bytes.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_identifiers_go_both_ways() {
        let groups = (1..=16).map(|n| FileId::Group(DataGroup::from_number(n).unwrap()));
        for id in groups.chain([FileId::CardAccess, FileId::Com, FileId::Sod]) {
            assert_eq!(FileId::from_name(&id.name()), Some(id));
            assert_eq!(FileId::from_identifier(id.identifier()), Some(id));
            assert_eq!(FileId::from_short_identifier(id.short_identifier()), Some(id));
        }
        assert_eq!(FileId::from_name("csca.der"), None);
        assert_eq!(FileId::from_identifier(0x0111), None);
        assert_eq!(FileId::from_name(&FileId::Cvca.name()), None, "the chip writes it itself");
    }
}
