#![doc = include_str!("../README.md")]

mod agreement;
mod authenticity;
mod error;
mod files;
mod json;
mod paper;
mod status;
mod verdict;

use std::collections::BTreeMap;

use time::{Date, OffsetDateTime};

use card::{
    data::parse_printed,
    lds::{
        DataGroup,
        dg13::{Dg13, FieldNumber},
    },
    sod::Sod,
};
use domain::card::CardState;
use verdict::Record;

pub use error::Error;
pub use files::{CardFiles, elementary};
pub use json::Worded;
pub use paper::{check_mrz, check_paper, check_qr};
pub use verdict::{Check, CheckCode, Outcome, Overall, Verdict};

/// What is known of a card, and what it is held against.
#[derive(Clone, Copy)]
pub struct Evidence<'a> {
    /// The chip's files by their export names: `EF.COM`, `DG1`, …, `EF.SOD`, `EF.CardAccess`.
    pub files: &'a BTreeMap<String, Vec<u8>>,
    /// Trusted CSCA certificates in DER.
    pub trust: &'a [Vec<u8>],
    /// Link certificates in DER, which need no trust.
    pub links: &'a [Vec<u8>],
    /// Revocation lists in DER.
    pub crls: &'a [Vec<u8>],
    /// Whether one of them has to be in force.
    pub need: ListNeed,
    /// The moment for which the card is judged.
    pub at: OffsetDateTime,
    /// What the issuer's register says, if it was asked.
    pub status: Option<CardStatus>,
    /// The text of the QR code on the card, if it was read.
    pub qr: Option<&'a str>,
    /// The machine-readable zone printed on the card, if it was read.
    pub printed_mrz: Option<&'a str>,
    /// Files that the chip lists and, when the reader asked for them, did not have. Files that are merely not
    /// among `files` may have been left behind by whoever brought them.
    pub absent: &'a [String],
    /// What came of Active Authentication, if the reader did it.
    pub active_authentication: Option<ChipProof>,
    /// What came of Chip Authentication, if the reader did it.
    pub chip_authentication: Option<ChipProof>,
}

/// Whether a card is genuine only by a revocation list that is in force: whose list is over does not know
/// which key was stolen since. A revocation counts however old the list that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListNeed {
    /// Without a list in force the verdict is [`Overall::Unproven`].
    InForce,
    /// So it is where lists are given and none of them is the signer's and in force. Who gives none judges
    /// without, and the verdict says that nothing was checked.
    #[default]
    IfGiven,
    /// A list that is over keeps no card from being genuine.
    No,
}

impl ListNeed {
    fn is_list(self, given: &[Vec<u8>]) -> bool {
        match self {
            ListNeed::InForce => true,
            ListNeed::IfGiven => !given.is_empty(),
            ListNeed::No => false,
        }
    }
}

/// Personal data stays out of logs.
impl std::fmt::Debug for Evidence<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Evidence").field("at", &self.at).field("status", &self.status).finish_non_exhaustive()
    }
}

impl<'a> Evidence<'a> {
    /// Files and trust, and nothing else known.
    pub fn new(
        files: &'a BTreeMap<String, Vec<u8>>,
        trust: &'a [Vec<u8>],
        at: OffsetDateTime,
    ) -> Evidence<'a> {
        Evidence {
            files,
            trust,
            links: &[],
            crls: &[],
            need: ListNeed::default(),
            at,
            status: None,
            qr: None,
            printed_mrz: None,
            absent: &[],
            active_authentication: None,
            chip_authentication: None,
        }
    }
}

/// What the issuer's register says of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CardStatus {
    Active,
    /// Out of force until it is cleared up.
    Suspended,
    Replaced,
    /// Its last day is over, as the register has it.
    Expired,
    Revoked,
    /// Made and not handed over, or spoiled.
    NotHandedOver,
    Unknown,
}

impl CardStatus {
    /// Every status.
    pub const ALL: [CardStatus; 7] = [
        CardStatus::Active,
        CardStatus::Suspended,
        CardStatus::Replaced,
        CardStatus::Expired,
        CardStatus::Revoked,
        CardStatus::NotHandedOver,
        CardStatus::Unknown,
    ];

    /// By the state that the register keeps of a card. What is neither in force nor was is not in its
    /// holder's hands.
    pub fn of_state(state: CardState) -> CardStatus {
        match state {
            CardState::Active => CardStatus::Active,
            CardState::Suspended => CardStatus::Suspended,
            CardState::Replaced => CardStatus::Replaced,
            CardState::Expired => CardStatus::Expired,
            CardState::Revoked => CardStatus::Revoked,
            CardState::Intended | CardState::Signed | CardState::Personalised | CardState::Spoiled => {
                CardStatus::NotHandedOver
            }
        }
    }
}

/// What came of asking the chip itself to prove that it is no copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChipProof {
    Proven,
    Refuted,
}

/// Checks the files of one chip against trusted CSCA certificates, at a moment, with nothing else known.
pub fn check_files(files: &BTreeMap<String, Vec<u8>>, trust: &[Vec<u8>], at: OffsetDateTime) -> Verdict {
    check_card(&Evidence::new(files, trust, at))
}

/// Checks a card by everything that is known of it.
pub fn check_card(evidence: &Evidence<'_>) -> Verdict {
    let mut checks = Vec::new();
    let sod = authenticity::check(evidence, day_of_issue(evidence.files), &mut checks);
    agreement::check(evidence, sod.as_ref(), &mut checks);
    status::register(evidence.status, &mut checks);
    proofs(evidence, sod.as_ref(), &mut checks);
    Verdict::from_checks(checks)
}

/// Adds what the register says to a verdict that was made without asking it. Whoever answers strangers asks
/// the register only about a card that proved genuine, and so has the verdict first.
pub fn with_status(verdict: Verdict, status: CardStatus) -> Verdict {
    let mut checks = verdict.checks;
    checks.retain(|check| check.code != CheckCode::RegisterStatus);
    status::register(Some(status), &mut checks);
    Verdict::from_checks(checks)
}

fn proofs(evidence: &Evidence<'_>, sod: Option<&Sod>, checks: &mut Vec<Check>) {
    let signed = |group| sod.is_some_and(|sod| sod.hashes().contains_key(&group));
    let proofs = [
        (CheckCode::ActiveAuthentication, DataGroup::DG15, evidence.active_authentication),
        (CheckCode::ChipAuthentication, DataGroup::DG14, evidence.chip_authentication),
    ];
    for (code, key, proof) in proofs {
        match proof {
            // With a key that nobody signed, anyone can prove anything.
            Some(ChipProof::Proven) if !signed(key) => {
                checks.fail(code, format!("the chip proved to have a key, but {key} with it is not signed"));
            }
            Some(ChipProof::Proven) => {
                checks.pass(code, format!("the chip has the private key of {key}, so it is no copy"))
            }
            Some(ChipProof::Refuted) => {
                checks.fail(code, format!("the chip does not have the private key of {key}: it is a copy"))
            }
            None if signed(key) => {
                checks.skip(code, format!("the chip was not asked to prove the key in {key}"))
            }
            None => {}
        }
    }
}

fn day_of_issue(files: &BTreeMap<String, Vec<u8>>) -> Option<Date> {
    let dg13 = Dg13::parse(files.get(&DataGroup::DG13.file_name())?).ok()?;
    dg13.text(FieldNumber::ISSUED).and_then(parse_printed)
}
