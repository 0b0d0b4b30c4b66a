//! One form as read, before anything is believed about it: the texts of its columns, whatever file they came
//! from.

use crate::fault::{Fault, FaultCode};
use domain::form::{DC01, DC01_COLUMNS};

/// The longest row, in bytes. A form fills about 400; 64 KiB is where a lost quote is noticed.
pub const MAX_ROW_BYTES: usize = 64 * 1024;

/// The longest field, in bytes.
pub const MAX_FIELD_BYTES: usize = 2 * 1024;

/// Columns of a rejects file, in addition to those of the form. An importer takes them back in.
pub const REJECT_COLUMNS: [&str; 3] = ["errors", "source_row", "source_import"];

/// Where a corrected row was rejected before: from a rejects file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub import_id: domain::id::ImportId,
    pub row: u64,
}

/// The texts of one form, in one allocation that is used again for the next row.
#[derive(Clone, Default)]
pub struct RawRow {
    /// Record number in the file, from 1; the header is not counted.
    pub number: u64,
    /// Where the next record begins, in bytes from the beginning of the file.
    pub end: u64,
    /// What was wrong with the record as such.
    pub faults: Vec<Fault>,
    pub(crate) source_row: Option<u64>,
    pub(crate) source_import: Option<domain::id::ImportId>,
    text: String,
    spans: [(u32, u32); DC01.len()],
}

impl RawRow {
    /// The text of a column of [`DC01`]; empty when it was not stated.
    pub fn get(&self, column: usize) -> &str {
        let (from, to) = self.spans[column];
        &self.text[from as usize..to as usize]
    }

    /// All of the row's text, for questions about any of it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The row of the import from which a corrected rejects file took this one; `None` for a row that is new.
    pub fn source(&self) -> Option<Source> {
        Some(Source { import_id: self.source_import?, row: self.source_row? })
    }

    /// The stated columns and their texts, in the order of the form.
    pub fn stated(&self) -> impl Iterator<Item = (&'static str, &str)> {
        DC01_COLUMNS
            .iter()
            .enumerate()
            .map(|(column, name)| (*name, self.get(column)))
            .filter(|(_, text)| !text.is_empty())
    }

    pub(crate) fn clear(&mut self, number: u64) {
        self.number = number;
        self.faults.clear();
        self.source_row = None;
        self.source_import = None;
        self.text.clear();
        self.spans = [(0, 0); DC01.len()];
    }

    /// Appends a value. A value over the limit is a fault of the row; it is kept so that the rejects file
    /// shows it.
    pub(crate) fn set(&mut self, column: usize, value: &str) {
        let from = self.text.len();
        self.text.push_str(value);
        self.span(column, from);
    }

    /// Appends parts with single spaces between those that are not empty.
    pub(crate) fn set_joined(&mut self, column: usize, parts: &[&str]) {
        let from = self.text.len();
        for part in parts.iter().filter(|part| !part.is_empty()) {
            if self.text.len() > from {
                self.text.push(' ');
            }
            self.text.push_str(part);
        }
        self.span(column, from);
    }

    fn span(&mut self, column: usize, from: usize) {
        self.spans[column] = (from as u32, self.text.len() as u32);
        let length = self.text.len() - from;
        if length > MAX_FIELD_BYTES {
            let message =
                format!("the value has {length} bytes; at most {MAX_FIELD_BYTES} are allowed: shorten it");
            self.faults.push(Fault::new(DC01[column].name, FaultCode::TooLong, message));
        }
    }
}

/// The texts are personal data: only the place is shown.
impl std::fmt::Debug for RawRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawRow").field("number", &self.number).finish_non_exhaustive()
    }
}
