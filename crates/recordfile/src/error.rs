use std::io;
use std::path::PathBuf;

/// Why a file could not be read or written. Rows count from 1 after the header.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{path} cannot be opened; check that it exists and may be read")]
    Open { path: PathBuf, source: io::Error },
    #[error("the header has none of the columns {expected}; name at least one of them in the first line")]
    NoColumns { expected: String },
    #[error("the header names column `{column}` twice; remove one of the two")]
    TwiceInHeader { column: String },
    #[error("the header cannot be read; a register is CSV in UTF-8 with a header, or Parquet")]
    Header { source: csv::Error },
    #[error(
        "row {row}: {found} fields where the header has {expected}; look for a stray or missing separator or \
         quote"
    )]
    RowLength { row: u64, found: u64, expected: u64 },
    #[error("row {row}, field `{field}`: not UTF-8; convert the file to UTF-8 first")]
    NotUtf8 { row: u64, field: &'static str },
    #[error("row {row}: the file cannot be read on")]
    Read { row: u64, source: csv::Error },
    #[error("row {row}: a line longer than {limit} bytes; look for an open quote")]
    LongRow { row: u64, limit: usize },
    #[error(
        "column `{column}` is {found}; a register's columns are strings, integers or floating-point numbers"
    )]
    ColumnType { column: &'static str, found: String },
    #[error("the Parquet file cannot be read{}; check that it is whole and compressed with Snappy, Zstandard \
             or gzip", at(*.row))]
    Parquet { row: Option<u64>, source: parquet::errors::ParquetError },
    #[error(
        "the Parquet file contradicts itself: it is damaged; get it again, or write it again from its source"
    )]
    Damaged,
    #[error("{path} cannot be written; check that its directory exists and the disk has room")]
    Write { path: PathBuf, source: io::Error },
    #[error("{path} cannot be written as Parquet")]
    WriteParquet { path: PathBuf, source: parquet::errors::ParquetError },
}

fn at(row: Option<u64>) -> String {
    row.map_or(String::new(), |row| format!(" after row {row}"))
}
