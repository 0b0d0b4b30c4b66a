#![doc = include_str!("../README.md")]

mod check;
mod csv;
mod decide;
mod encoding;
mod error;
mod fault;
mod hash;
mod import;
mod rejects;
mod row;
mod source;
mod units;
mod validate;
mod xml;

pub use check::{FileCheck, check_file};
pub use encoding::{Legacy, MAX_FILE_BYTES};
pub use error::Error;
pub use fault::{Fault, FaultCode};
pub use import::{ImportOptions, ImportSummary, Progress, import, import_id, load_units, person_id, quality};
pub use row::{MAX_FIELD_BYTES, MAX_ROW_BYTES, REJECT_COLUMNS};
pub use source::Format;
pub use store::imports::ImportProgress;
pub use store::imports::quality::QualityRow;
