//! Why an act about a case is refused, and what stands in the way of a decision.

use std::fmt;

use thiserror::Error;

/// Why an act is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error("the case has changed since it was read: read it again")]
    Changed,
    #[error("whoever proposed it cannot confirm or refuse it: a colleague must, or withdraw it")]
    OwnProposal,
    #[error("the two disagreed about this case before: a third adjudicator must propose or confirm")]
    NeedsThird,
    #[error("only whoever proposed it can withdraw it: disagree with it instead")]
    NotTheProposer,
    #[error("a decision is proposed already: confirm it, disagree with it, or have it withdrawn first")]
    AlreadyProposed,
    #[error("nothing is proposed that this could be about: propose a decision")]
    NothingProposed,
    #[error("the case is closed: have it opened again first")]
    AlreadyClosed,
    #[error("the case is not closed: decide it")]
    NotClosed,
    #[error("to disagree, or to open a case again, takes a reason")]
    NoReason,
    #[error(
        "the fingers are in question, and to accept the application takes a paper: give its name, number, \
         date and issuer as the reason"
    )]
    NoPaper,
    #[error("the decision cannot be carried out: {0}")]
    Obstacle(Obstacle),
}

impl Refusal {
    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Refusal::Changed => "changed",
            Refusal::OwnProposal => "own_proposal",
            Refusal::NeedsThird => "needs_third",
            Refusal::NotTheProposer => "not_the_proposer",
            Refusal::AlreadyProposed => "already_proposed",
            Refusal::NothingProposed => "nothing_proposed",
            Refusal::AlreadyClosed => "already_closed",
            Refusal::NotClosed => "not_closed",
            Refusal::NoReason => "no_reason",
            Refusal::NoPaper => "no_paper",
            Refusal::Obstacle(obstacle) => obstacle.code(),
        }
    }
}

/// What stands in the way of a decision, or of taking one back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// Two register records are one person or two; an application is linked, rejected, or the same person's
    /// second.
    OtherQuestion,
    /// The case names no other application, so that there is nobody whom this one could be the same as.
    NoOtherApplication,
    /// The case knows no register record of the application.
    NoRecordKnown,
    /// The person is none of those whom the case or its evidence names.
    NotInQuestion,
    /// The record is of somebody dead, or not in the register.
    NoLivingRecord,
    /// This person has another application under way.
    ApplicationUnderWay,
    /// Both records have an application.
    BothHaveApplications,
    /// The two records were merged since.
    AlreadyOne,
    /// The application no longer waits for this case.
    NotInCase,
    /// A card of the application is in production, or further.
    InProduction,
    /// The merge cannot be taken apart any more.
    NotSplittable,
}

impl Obstacle {
    /// Every obstacle.
    pub const ALL: [Obstacle; 11] = [
        Obstacle::OtherQuestion,
        Obstacle::NoOtherApplication,
        Obstacle::NoRecordKnown,
        Obstacle::NotInQuestion,
        Obstacle::NoLivingRecord,
        Obstacle::ApplicationUnderWay,
        Obstacle::BothHaveApplications,
        Obstacle::AlreadyOne,
        Obstacle::NotInCase,
        Obstacle::InProduction,
        Obstacle::NotSplittable,
    ];

    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Obstacle::OtherQuestion => "other_question",
            Obstacle::NoOtherApplication => "no_other_application",
            Obstacle::NoRecordKnown => "no_record_known",
            Obstacle::NotInQuestion => "not_in_question",
            Obstacle::NoLivingRecord => "no_living_record",
            Obstacle::ApplicationUnderWay => "application_under_way",
            Obstacle::BothHaveApplications => "both_have_applications",
            Obstacle::AlreadyOne => "already_one",
            Obstacle::NotInCase => "not_in_case",
            Obstacle::InProduction => "in_production",
            Obstacle::NotSplittable => "not_splittable",
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Obstacle::OtherQuestion => "it does not answer the question of such a case",
            Obstacle::NoOtherApplication => "the case names no other application",
            Obstacle::NoRecordKnown => {
                "no register record is known for the application: link it to one, or reject it"
            }
            Obstacle::NotInQuestion => "neither the case nor its evidence names this person",
            Obstacle::NoLivingRecord => "no living person has this record",
            Obstacle::ApplicationUnderWay => {
                "this person has another application under way: it is the same person's, or another record's"
            }
            Obstacle::BothHaveApplications => {
                "both records have an application: decide about one of them first"
            }
            Obstacle::AlreadyOne => "the two records were merged since: take them apart first",
            Obstacle::NotInCase => "its application does not wait for a case any more",
            Obstacle::InProduction => {
                "a card of its application is in production or further: revoke the card, and have the person \
                 apply again"
            }
            Obstacle::NotSplittable => {
                "the merged records cannot be taken apart: the number may be on a card, or the survivor was \
                 merged itself"
            }
        })
    }
}
