//! What the rows of each list have in common, and finding the row of a day.

use time::Date;

use super::NoRule;
use super::list::{Basis, List};
use super::read::{Cells, Row, Why};

/// What a row of one list says, without its days and its source.
pub(super) trait Says: Sized {
    /// Whose rows they are.
    const LIST: List;

    /// Reads the row's own cells; what is wrong with them is noted in `cells`.
    fn read(cells: &mut Cells<'_>) -> Option<Self>;

    /// What is wrong with cells that are sound each by itself.
    fn contradicts(&self, _basis: &Basis) -> Option<(&'static str, Why)> {
        None
    }

    /// What the row is for, as it is written.
    fn subject(&self) -> String;

    /// All that the row answers for, `any` spelt out: on one day each of them has one row at most.
    fn keys(&self) -> Vec<String> {
        vec![self.subject()]
    }

    /// What it gives, in words.
    fn value(&self) -> String;

    /// Which days must have a row.
    fn coverage() -> Coverage;
}

/// Which days must have a row.
pub(super) enum Coverage {
    /// Each of these, on every day from the list's first to its last.
    Whole(Vec<String>),
    /// Whatever occurs, from its own first day to its own last.
    Between,
    /// None: where no row is, nothing is exempt.
    Free,
}

/// The row that answers for `day`.
pub(super) fn find<'a, T: Says>(
    rows: &'a [Row<T>],
    day: Date,
    subject: &str,
    is_it: impl Fn(&T) -> bool,
) -> Result<&'a Row<T>, NoRule> {
    rows.iter().find(|row| row.basis.holds_on(day) && is_it(&row.says)).ok_or_else(|| NoRule {
        list: T::LIST,
        subject: subject.to_owned(),
        day,
    })
}
