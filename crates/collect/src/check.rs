//! A file judged by itself, without a register: what would be wrong with it, before anyone imports it.

use std::collections::BTreeMap;
use std::path::Path;

use time::Date;

use crate::Error;
use crate::fault::{Fault, FaultCode};
use crate::row::RawRow;
use crate::source::{Format, SourceFile};
use crate::validate::{Rules, validate};

/// How many faults are told one by one.
const MOST_TOLD: usize = 50;

/// What is to be said about a file. What only the register can tell (a number that somebody else holds, a
/// form that is there already) is not among it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileCheck {
    pub format: Format,
    pub rows: u64,
    /// Rows without a fault.
    pub sound: u64,
    /// How often each fault occurs.
    pub faults: BTreeMap<FaultCode, u64>,
    /// The first faults, with the number of their row.
    pub first: Vec<(u64, Fault)>,
}

/// Reads and judges every row of a file of forms, and writes nothing. `collected_on` is the day by which
/// units and births are judged.
///
/// # Errors
/// What makes the whole file unusable, as in [`crate::import`].
pub fn check_file(path: &Path, collected_on: Date) -> Result<FileCheck, Error> {
    let file = SourceFile::open(path)?;
    let rules = Rules::of_day(collected_on);
    let mut rows = file.rows(0, 0)?;
    let mut row = RawRow::default();
    let mut check =
        FileCheck { format: file.format(), rows: 0, sound: 0, faults: BTreeMap::new(), first: Vec::new() };
    while rows.next(&mut row)? {
        check.rows += 1;
        let Err(faults) = validate(&row, &rules) else {
            check.sound += 1;
            continue;
        };
        for fault in faults {
            *check.faults.entry(fault.code).or_default() += 1;
            if check.first.len() < MOST_TOLD {
                check.first.push((row.number, fault));
            }
        }
    }
    file.check_unchanged()?;
    Ok(check)
}
