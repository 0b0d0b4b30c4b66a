use domain::UnitCode;

/// Why a campaign cannot be planned as it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("line {line} of the target profile: {reason}")]
    Profile { line: usize, reason: String },
    #[error("{0} has no residents in the register: import its population forms first")]
    NoResidents(UnitCode),
    #[error("the last day that counts, {last_day}, lies before the first day {starts_on}")]
    Deadline { starts_on: time::Date, last_day: time::Date },
    #[error(transparent)]
    Store(#[from] store::Error),
}
