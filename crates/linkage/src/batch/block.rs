//! Records of a file on their way in, column by column.

use std::sync::Arc;

use crate::record::Sex;

/// The texts of one column: one after another in one allocation, or as places in a dictionary that blocks
/// share.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    bytes: String,
    ends: Vec<usize>,
    coded: Option<Coded>,
}

#[derive(Clone, Debug)]
struct Coded {
    dictionary: Arc<Texts>,
    codes: Vec<u32>,
}

impl Texts {
    /// Texts that lie one after another, each up to its end.
    ///
    /// # Errors
    ///
    /// The first text that is not UTF-8, or whose end lies before its start or after the bytes.
    pub fn from_parts(bytes: Vec<u8>, ends: Vec<usize>) -> Result<Texts, usize> {
        let (bytes, whole) = match String::from_utf8(bytes) {
            Ok(text) => (text, true),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let mut bytes = error.into_bytes();
                bytes.truncate(valid);
                (String::from_utf8(bytes).unwrap_or_default(), false)
            }
        };
        let mut start = 0;
        for (row, &end) in ends.iter().enumerate() {
            if end < start || !bytes.is_char_boundary(end) {
                return Err(row);
            }
            start = end;
        }
        if whole && start == bytes.len() {
            Ok(Texts { bytes, ends, coded: None })
        } else {
            Err(ends.len().saturating_sub(1))
        }
    }

    /// For each row the place of its text in `dictionary`; a row whose place lies behind its end has none.
    /// What is worked out from a text of a dictionary is worked out once, as long as blocks come with the
    /// same one.
    pub fn coded(dictionary: Arc<Texts>, codes: Vec<u32>) -> Texts {
        Texts { coded: Some(Coded { dictionary, codes }), ..Texts::default() }
    }

    pub(crate) fn codes(&self) -> Option<(&Arc<Texts>, &[u32])> {
        self.coded.as_ref().map(|coded| (&coded.dictionary, &coded.codes[..]))
    }

    /// Adds the text of the next row. A column of coded values becomes one of plain texts by it.
    pub fn push(&mut self, text: &str) {
        if let Some(Coded { dictionary, codes }) = self.coded.take() {
            codes.iter().for_each(|&code| self.push(dictionary.get(code as usize)));
        }
        self.bytes.push_str(text);
        self.ends.push(self.bytes.len());
    }

    /// The text of a row; empty where the column ends before it.
    pub fn get(&self, row: usize) -> &str {
        if let Some(Coded { dictionary, codes }) = &self.coded {
            return codes.get(row).map_or("", |&code| dictionary.get(code as usize));
        }
        let Some(&end) = self.ends.get(row) else { return "" };
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start..end]
    }

    /// In the order of the rows, an empty text where nothing is known.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|row| self.get(row))
    }

    /// Rows, of which several may have one text.
    pub fn len(&self) -> usize {
        self.coded.as_ref().map_or(self.ends.len(), |coded| coded.codes.len())
    }

    /// Whether the column has no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes every row out and keeps the memory for the next block.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.coded = None;
    }
}

/// Rows of a register as text. Columns may be shorter than `rec_id`, whose length is the number of rows: what
/// is not there is missing. Places, ethnic groups and provinces are any text or code; equal after folding is
/// the same.
#[derive(Clone, Debug, Default)]
pub struct Block {
    pub rec_id: Texts,
    pub full_name: Texts,
    pub sex: Vec<Option<Sex>>,
    /// Day, month and year; 0 or an impossible value counts as missing.
    pub birth: Vec<(u8, u8, u16)>,
    pub ethnicity: Texts,
    pub birth_province: Texts,
    /// A code, a name, or "commune, district, province".
    pub hometown: Texts,
    pub residence: Texts,
    pub address_line: Texts,
    pub father_name: Texts,
    pub mother_name: Texts,
}

impl Block {
    /// Rows of the block; a shorter column has nothing in the last of them.
    pub fn len(&self) -> usize {
        self.rec_id.len()
    }

    /// Whether the block has no rows.
    pub fn is_empty(&self) -> bool {
        self.rec_id.is_empty()
    }

    /// Keeps the allocations for the next rows.
    pub fn clear(&mut self) {
        for texts in [
            &mut self.rec_id,
            &mut self.full_name,
            &mut self.ethnicity,
            &mut self.birth_province,
            &mut self.hometown,
            &mut self.residence,
            &mut self.address_line,
            &mut self.father_name,
            &mut self.mother_name,
        ] {
            texts.clear();
        }
        self.sex.clear();
        self.birth.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_a_dictionary_are_its_texts() {
        let mut dictionary = Texts::default();
        ["Hòa", "", "Lan"].iter().for_each(|text| dictionary.push(text));
        let mut texts = Texts::coded(Arc::new(dictionary), vec![2, 0, 7, 1, 2]);
        assert_eq!(texts.iter().collect::<Vec<_>>(), ["Lan", "Hòa", "", "", "Lan"]);
        assert_eq!(texts.get(5), "");
        texts.push("Mai");
        assert_eq!(texts.iter().collect::<Vec<_>>(), ["Lan", "Hòa", "", "", "Lan", "Mai"]);
    }

    #[test]
    fn texts_from_parts_are_whole_or_named() {
        let texts = Texts::from_parts("Hòa Lan".as_bytes().to_vec(), vec![4, 4, 8]).unwrap();
        assert_eq!(texts.iter().collect::<Vec<_>>(), ["Hòa", "", " Lan"]);
        // An end inside a letter, before the start, behind the bytes; bytes that nobody owns; bytes that are
        // no text.
        for (bytes, ends, row) in [
            ("Hòa".as_bytes(), vec![1, 2, 4], 1),
            (b"ab", vec![2, 1], 1),
            (b"ab", vec![1, 3], 1),
            (b"ab", vec![1], 0),
            (b"ab\xFFcd", vec![2, 4, 5], 1),
            (b"ab\xFF", vec![2], 0),
        ] {
            assert_eq!(Texts::from_parts(bytes.to_vec(), ends.clone()).unwrap_err(), row, "{ends:?}");
        }
    }
}
