//! What stops a whole file. What is wrong with one row is a [`crate::Fault`] and stops nothing but the row.

use std::path::PathBuf;

use crate::encoding::Legacy;

/// An error of the import of one file. No message holds a person's data: it names the place, never the value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("{doing} {}", path.display())]
    File { doing: &'static str, path: PathBuf, source: std::io::Error },
    #[error("the file is empty: expected a CSV file with a header line or a QCVN 109:2017 XML file")]
    Empty,
    #[error(
        "the file has {found} bytes; at most {limit} are taken at once. Split it by commune and import the \
         parts"
    )]
    TooLarge { found: u64, limit: u64 },
    #[error(
        "the file is neither a CSV file (a first line with column names such as form_no,full_name,sex) nor a \
         QCVN 109:2017 XML file (root element CongdanCollection)"
    )]
    UnknownFormat,
    #[error("the file is UTF-16: save it as UTF-8 (in a spreadsheet: \"CSV UTF-8\") and import it again")]
    Utf16,
    #[error("byte {offset} is not UTF-8, and the file looks like {legacy}: convert it to UTF-8 ({hint}) and \
             import it again", hint = legacy.how_to_convert())]
    LegacyEncoding { legacy: Legacy, offset: u64 },
    #[error(
        "the file looks like {legacy} that was read as Western European text and saved as UTF-8, which turns \
         every name into other letters: convert the original file to UTF-8 instead \
         ({hint})", hint = legacy.how_to_convert()
    )]
    MangledEncoding { legacy: Legacy },
    #[error("byte {offset} (line {line}) is not UTF-8: convert the file to UTF-8 and import it again")]
    NotUtf8 { offset: u64, line: u64 },
    #[error("byte {offset} is zero: this is not a text file")]
    ZeroByte { offset: u64 },
    #[error(
        "header: the column {name:?} is not one of the form. Remove it or rename it; known columns: {known}"
    )]
    UnknownColumn { name: String, known: String },
    #[error("header: the column {name} stands there twice. Remove one of the two")]
    RepeatedColumn { name: &'static str },
    #[error("header: the mandatory columns {names} are missing. Add them")]
    MissingColumns { names: String },
    #[error(
        "row {row}, column {column}: the quote that opens at byte {byte} is never closed. Close it, or \
         double it if it belongs to the value"
    )]
    UnclosedQuote { row: u64, column: usize, byte: u64 },
    #[error(
        "row {row}, which begins at byte {byte}, is longer than {limit} bytes. A missing line end or a quote \
         that is never closed is the usual cause"
    )]
    RowTooLong { row: u64, byte: u64, limit: usize },
    #[error(
        "the XML is broken at byte {byte} (after {rows} whole records): {reason}. Have the file written again"
    )]
    Xml { byte: u64, rows: u64, reason: String },
    #[error(
        "the XML ends at byte {byte} in the middle of a record or before its closing tag (after {rows} whole \
         records): the file is cut off. Have it copied or written again"
    )]
    XmlTruncated { byte: u64, rows: u64 },
    #[error("byte {byte}: {what} is refused, because {why}. Have the file written without it")]
    XmlRefused { byte: u64, what: &'static str, why: &'static str },
    #[error("byte {byte}: the element {name} is not known at this place. {expected}")]
    XmlElement { byte: u64, name: String, expected: &'static str },
    #[error("{} changed while it was being read. Import it again when nothing writes to it any \
             more", path.display())]
    Changed { path: PathBuf },
    #[error("another process is importing the same file at this moment. Wait for it to finish")]
    Concurrent,
    #[error("the program is shutting down; the same import goes on where it stopped")]
    ShuttingDown,
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Error {
    /// For `map_err` on a file operation.
    pub(crate) fn file(doing: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::File { doing, path, source }
    }
}
