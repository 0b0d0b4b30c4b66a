//! The files of one card, under whatever names a reader's program wrote them.

use std::collections::BTreeMap;

use crate::Error;
use card::lds::{DataGroup, EF_CARD_ACCESS, EF_COM, EF_SOD};

/// Elementary files by their names: `EF.COM`, `DG1`, …, `EF.SOD`, `EF.CardAccess`.
#[derive(Clone, Default)]
pub struct CardFiles(BTreeMap<String, Vec<u8>>);

/// Personal data stays out of logs.
impl std::fmt::Debug for CardFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl CardFiles {
    /// Bytes that one file may have. The largest of a citizen card, two fingerprints, has some forty
    /// thousand.
    pub const LONGEST_FILE: u64 = 1 << 20;

    /// Adds a file under the name that it was found by. `false` when the name is not one of a card's files,
    /// which then is left out.
    ///
    /// # Errors
    /// When the file is too long, or the same elementary file was added before.
    pub fn add(&mut self, found_as: &str, bytes: Vec<u8>) -> Result<bool, Error> {
        let Some(name) = elementary(found_as) else { return Ok(false) };
        Self::fits(&name, bytes.len() as u64)?;
        if self.0.contains_key(&name) {
            return Err(Error::Twice { name });
        }
        self.0.insert(name, bytes);
        Ok(true)
    }

    /// Whether a file of this length may be read at all.
    ///
    /// # Errors
    /// When it is too long.
    pub fn fits(name: &str, length: u64) -> Result<(), Error> {
        if length <= Self::LONGEST_FILE {
            return Ok(());
        }
        Err(Error::TooLarge { name: name.to_owned(), length })
    }

    /// The files, for [`crate::Evidence`].
    ///
    /// # Errors
    /// When there are none.
    pub fn named(self) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        if self.0.is_empty() { Err(Error::NoFiles) } else { Ok(self.0) }
    }
}

/// The elementary file that a program means by a name: `DG1`, `EF.DG1`, `ef_dg01.bin`, `SOD.bin`,
/// `CardAccess`.
pub fn elementary(found_as: &str) -> Option<String> {
    let name = found_as.rsplit(['/', '\\']).next().unwrap_or_default().to_ascii_uppercase();
    let name = [".BIN", ".DAT", ".RAW"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    let name = ["EF.", "EF_", "EF-"].iter().find_map(|begin| name.strip_prefix(begin)).unwrap_or(name);
    match name {
        "COM" => Some(EF_COM.to_owned()),
        "SOD" => Some(EF_SOD.to_owned()),
        "CARDACCESS" | "CARD_ACCESS" => Some(EF_CARD_ACCESS.to_owned()),
        _ => {
            let digits = name.strip_prefix("DG")?.trim_start_matches(['_', '.']);
            let number = digits.strip_prefix('0').unwrap_or(digits);
            Some(DataGroup::from_file_name(&format!("DG{number}"))?.file_name())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_name_files_in_many_ways() {
        for (found_as, name) in [
            ("EF.COM", "EF.COM"),
            ("com.bin", "EF.COM"),
            ("EF_SOD.BIN", "EF.SOD"),
            ("CardAccess", "EF.CardAccess"),
            ("EF.CardAccess", "EF.CardAccess"),
            ("DG1", "DG1"),
            ("ef.dg13", "DG13"),
            ("C:\\card\\DG02.bin", "DG2"),
            ("out/DG_15.dat", "DG15"),
        ] {
            assert_eq!(elementary(found_as).as_deref(), Some(name), "{found_as}");
        }
        for other in ["csca.der", "crl.der", "DG0", "DG17", "DG", "photo.jpg", "", "SOD.txt", "DG+1", "DG001"]
        {
            assert_eq!(elementary(other), None, "{other}");
        }
    }

    #[test]
    fn a_file_comes_once_and_is_of_a_cards_size() {
        let mut files = CardFiles::default();
        assert_eq!(files.clone().named().unwrap_err(), Error::NoFiles);
        assert_eq!(files.add("DG1", vec![1]), Ok(true));
        assert_eq!(files.add("ds.der", vec![1]), Ok(false));
        assert_eq!(files.add("EF_DG01.bin", vec![2]), Err(Error::Twice { name: "DG1".to_owned() }));
        let long = vec![0; CardFiles::LONGEST_FILE as usize + 1];
        assert!(matches!(files.add("DG2", long), Err(Error::TooLarge { .. })));
        assert_eq!(format!("{files:?}"), "{\"DG1\"}");
        assert_eq!(files.named().unwrap().len(), 1);
    }
}
