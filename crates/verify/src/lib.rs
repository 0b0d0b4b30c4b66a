#![doc = include_str!("../README.md")]

mod agreement;
mod authenticity;
mod verdict;

use std::collections::BTreeMap;

use time::OffsetDateTime;

pub use verdict::{Check, CheckCode, Outcome, Overall, Verdict};

/// Checks the files of one chip, by their export names (`EF.COM`, `DG1`, …, `EF.SOD`), against trusted CSCA
/// certificates in DER, at a moment.
pub fn check_files(files: &BTreeMap<String, Vec<u8>>, trust: &[Vec<u8>], at: OffsetDateTime) -> Verdict {
    let mut checks = Vec::new();
    let sod = authenticity::check(files, trust, at, &mut checks);
    agreement::check(files, sod.as_ref(), &mut checks);
    Verdict::from_checks(checks)
}
