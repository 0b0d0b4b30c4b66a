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
    /// The unit of a campaign is not in the list of units.
    #[error("there is no unit {0} in the list")]
    NoUnit(UnitCode),
    /// No campaign of this unit was opened.
    #[error("no campaign of {unit} was opened; `dancu campaign list` names those there are")]
    NoCampaign {
        /// The unit.
        unit: String,
    },
    /// A campaign that was opened cannot become another.
    #[error(
        "the campaign of {unit} from {starts_on} was opened with another {what}: {was}. A repeat gives the \
         same; what was announced stays"
    )]
    CampaignDiffers {
        /// The unit.
        unit: UnitCode,
        /// Its first day.
        starts_on: time::Date,
        /// Which of its data.
        what: &'static str,
        /// What it is.
        was: String,
    },
    /// One person would be counted in two campaigns.
    #[error("the campaign of {unit} from {starts_on} to {last_day} is of the same people at the same time")]
    Overlaps {
        /// The other campaign's unit.
        unit: UnitCode,
        /// Its first day.
        starts_on: time::Date,
        /// Its last day.
        last_day: time::Date,
    },
    /// A kit cannot be in two places.
    #[error("the kit {kit} stands elsewhere on {day}: plan with other kits, or with this one after that")]
    KitBusy {
        /// Its name.
        kit: String,
        /// The first such day.
        day: time::Date,
    },
    /// Named kits that cannot be planned with.
    #[error("the kit {kit} {why}; `dancu kit list` names those there are")]
    Kit {
        /// Its name.
        kit: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The plan stands with other kits.
    #[error("the plan stands with the kits {planned}: no other kits were planned with")]
    Planned {
        /// Their names.
        planned: String,
    },
    /// A day that is not one of the campaign's, or not over.
    #[error("{day} cannot be closed: {why}")]
    Day {
        /// The day.
        day: time::Date,
        /// What hinders it.
        why: String,
    },
    /// Not all that happened on the day is known, so that people would be counted as missing who came.
    #[error(
        "not all of {day} is known: {}. Whoever came there would be counted as missing. Close the day all \
         the same with --anyway: who applied is found out when a later day is closed",
        .what.join("; ")
    )]
    NotAllKnown {
        /// The day.
        day: time::Date,
        /// What is not known, and what makes it known.
        what: Vec<String>,
    },
    /// From which age people come is not known for a day.
    #[error(transparent)]
    NoRule(#[from] domain::profile::NoRule),
    #[error(transparent)]
    Store(#[from] store::Error),
}
