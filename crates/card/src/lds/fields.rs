//! Big-endian fields of the records of ISO/IEC 19794.

use crate::CardError;

/// Reads a record from its start; offsets in errors count from the start of the file.
pub(super) struct Fields<'a> {
    pub(super) record: &'a [u8],
    pub(super) at: usize,
    /// Where the record begins in the file.
    base: usize,
    file: &'static str,
}

impl<'a> Fields<'a> {
    pub(super) fn new(record: &'a [u8], base: usize, file: &'static str) -> Self {
        Fields { record, at: 0, base, file }
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], CardError> {
        let bytes = self.at.checked_add(length).and_then(|end| self.record.get(self.at..end));
        let Some(bytes) = bytes else {
            return Err(self.error(self.at, "the record ends too early"));
        };
        self.at += length;
        Ok(bytes)
    }

    pub(super) fn u8(&mut self) -> Result<u8, CardError> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn u16(&mut self) -> Result<u16, CardError> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// A length of four or six bytes.
    pub(super) fn length(&mut self, bytes: usize) -> Result<usize, CardError> {
        let at = self.at;
        let value = self.take(bytes)?.iter().fold(0u64, |value, &byte| value << 8 | u64::from(byte));
        usize::try_from(value).map_err(|_| self.error(at, "the length is larger than memory"))
    }

    pub(super) fn error(&self, at: usize, problem: &'static str) -> CardError {
        CardError::File { file: self.file, offset: self.base + at, problem }
    }
}
