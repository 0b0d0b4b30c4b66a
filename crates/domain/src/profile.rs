//! Rules that change by circular, as data: what a card costs, how long things may take, until when a card is
//! valid, from which age it is given, which form a code means, and which days are off.
//!
//! Each row says from when to when it holds, which law or circular says so, and how sure we are
//! (`data/profiles/README.md`). Every answer carries its row. A day for which no row answers is an error that
//! names the list and the day ([`NoRule`]), never a guess.

mod calendar;
mod card;
mod check;
mod contents;
mod due;
mod fee;
mod list;
mod read;
mod rows;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use thiserror::Error;
use time::Date;

pub use calendar::{Counted, Day, DayKind, WorkingDays};
pub use card::{Age, CardAges, Form, FormCode, Validity};
pub use check::{Checked, Days, Finding, check};
pub use due::{Area, Correction, Due, Limit, Stage, UnitTag};
pub use fee::{Fee, Payer, Standing};
pub use list::{Basis, List, Mark};
pub use read::{Fault, MOST_BYTES, Why};

use calendar::CalendarDays;
use card::{AgeFrom, FormVersion, Milestone};
use contents::OnCard;
use due::{CorrectionLimit, DueDays, StageLimit};
use fee::{Exemption, Tariff};
use read::Row;
use rows::Says;

/// No row of a list answers for a day.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the list `{list}` of the profile has no row for {subject} on {day}: `dancu profile show {list}` tells \
     which days it has"
)]
pub struct NoRule {
    pub list: List,
    /// For what an answer was wanted.
    pub subject: String,
    pub day: Date,
}

/// All lists, read.
#[derive(Debug)]
pub struct Profile {
    fees: Vec<Row<Tariff>>,
    fee_exemptions: Vec<Row<Exemption>>,
    due_days: Vec<Row<DueDays>>,
    stage_limits: Vec<Row<StageLimit>>,
    correction_limits: Vec<Row<CorrectionLimit>>,
    validity: Vec<Row<Milestone>>,
    ages: Vec<Row<AgeFrom>>,
    card_fields: Vec<Row<OnCard>>,
    forms: Vec<Row<FormVersion>>,
    holidays: Vec<Row<CalendarDays>>,
}

impl Profile {
    /// The lists that are compiled in. Read once per process, in less than a millisecond.
    pub fn official() -> &'static Profile {
        static PROFILE: OnceLock<Profile> = OnceLock::new();
        PROFILE.get_or_init(|| {
            Profile::of(List::csv).expect("the lists are part of the program and a test checks each of them")
        })
    }

    /// The lists of these texts, if no cell of any is at fault.
    fn of(text: impl Fn(List) -> &'static str) -> Result<Profile, Vec<(List, Fault)>> {
        fn rows<T: Says>(text: &str, faults: &mut Vec<(List, Fault)>) -> Vec<Row<T>> {
            let mut own = Vec::new();
            let rows = read::rows(text, &mut own);
            faults.extend(own.into_iter().map(|fault| (T::LIST, fault)));
            rows
        }
        let faults = &mut Vec::new();
        let profile = Profile {
            fees: rows(text(List::Fees), faults),
            fee_exemptions: rows(text(List::FeeExemptions), faults),
            due_days: rows(text(List::DueDays), faults),
            stage_limits: rows(text(List::StageLimits), faults),
            correction_limits: rows(text(List::CorrectionLimits), faults),
            validity: rows(text(List::Validity), faults),
            ages: rows(text(List::Ages), faults),
            card_fields: rows(text(List::CardFields), faults),
            forms: rows(text(List::Forms), faults),
            holidays: rows(text(List::Holidays), faults),
        };
        if faults.is_empty() { Ok(profile) } else { Err(std::mem::take(faults)) }
    }

    /// The rows of a list as they are written, for people to read.
    pub fn rows_of(&self, list: List) -> Vec<Written<'_>> {
        fn written<T: Says>(rows: &[Row<T>]) -> Vec<Written<'_>> {
            rows.iter()
                .map(|row| {
                    let (subject, value) = (row.says.subject(), row.says.value());
                    Written { subject, value, basis: &row.basis }
                })
                .collect()
        }
        match list {
            List::Fees => written(&self.fees),
            List::FeeExemptions => written(&self.fee_exemptions),
            List::DueDays => written(&self.due_days),
            List::StageLimits => written(&self.stage_limits),
            List::CorrectionLimits => written(&self.correction_limits),
            List::Validity => written(&self.validity),
            List::Ages => written(&self.ages),
            List::CardFields => written(&self.card_fields),
            List::Forms => written(&self.forms),
            List::Holidays => written(&self.holidays),
        }
    }
}

/// A row in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written<'a> {
    /// What it is for.
    pub subject: String,
    /// What it gives.
    pub value: String,
    pub basis: &'a Basis,
}
