use std::fmt;

use crate::CardStatus;

/// What a check is about. The text form is stable and may be stored or translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CheckCode {
    /// EF.SOD is there and well formed, and its content is what was signed.
    SodStructure,
    /// The document signer's key signed EF.SOD.
    SodSignature,
    /// A trusted CSCA signed the document signer's certificate, and both may play their parts.
    Chain,
    /// Both certificates are valid at the time of the check.
    Validity,
    /// The files are those that were signed, each by its hash.
    DataGroupHashes,
    /// EF.COM, EF.SOD and the files name the same data groups.
    FileList,
    /// The machine-readable zone is well formed and its check digits hold.
    MrzCheckDigits,
    /// DG13 is well formed.
    Dg13Structure,
    /// The machine-readable zone and DG13 are about the same person.
    MrzDg13Agreement,
    /// DG2 holds a face image.
    FaceStructure,
    /// DG3, where the reader may read it, holds fingerprints.
    FingerStructure,
    /// The country that signed is the one that the machine-readable zone names.
    Country,
    /// The document signer's key was still to sign on the card's day of issue, and the CSCA's when it
    /// certified it.
    KeyUsePeriod,
    /// The document signer's certificate is not on its CSCA's revocation list.
    Revocation,
    /// The card has not expired.
    CardValidity,
    /// What the issuer's register says of the card.
    RegisterStatus,
    /// EF.CardAccess says nothing that DG14, which is signed, does not say.
    SecurityInfos,
    /// DG15 holds a key for Active Authentication.
    ChipKey,
    /// The chip answered with the private key that belongs to DG15.
    ActiveAuthentication,
    /// The chip agreed on a secret with the private key that belongs to DG14.
    ChipAuthentication,
    /// The QR code on the card and DG13 are about the same person.
    QrAgreement,
    /// The machine-readable zone printed on the card is the one in the chip.
    PrintedMrzAgreement,
    /// The QR code and the machine-readable zone, both printed on the card, are about the same person.
    PrintAgreement,
    /// The text of a QR code is well formed.
    QrStructure,
    /// Whether a text that was read from paper proves anything.
    PaperOnly,
}

impl CheckCode {
    /// In the order in which they are listed in a verdict.
    pub const ALL: [CheckCode; 25] = [
        CheckCode::SodStructure,
        CheckCode::SodSignature,
        CheckCode::Chain,
        CheckCode::Validity,
        CheckCode::DataGroupHashes,
        CheckCode::FileList,
        CheckCode::MrzCheckDigits,
        CheckCode::Dg13Structure,
        CheckCode::MrzDg13Agreement,
        CheckCode::FaceStructure,
        CheckCode::FingerStructure,
        CheckCode::Country,
        CheckCode::KeyUsePeriod,
        CheckCode::Revocation,
        CheckCode::CardValidity,
        CheckCode::RegisterStatus,
        CheckCode::SecurityInfos,
        CheckCode::ChipKey,
        CheckCode::ActiveAuthentication,
        CheckCode::ChipAuthentication,
        CheckCode::QrAgreement,
        CheckCode::PrintedMrzAgreement,
        CheckCode::PrintAgreement,
        CheckCode::QrStructure,
        CheckCode::PaperOnly,
    ];

    /// The word in the JSON interface, stable between versions.
    pub fn as_str(self) -> &'static str {
        match self {
            CheckCode::SodStructure => "sod-structure",
            CheckCode::SodSignature => "sod-signature",
            CheckCode::Chain => "chain",
            CheckCode::Validity => "validity",
            CheckCode::DataGroupHashes => "data-group-hashes",
            CheckCode::FileList => "file-list",
            CheckCode::MrzCheckDigits => "mrz-check-digits",
            CheckCode::Dg13Structure => "dg13-structure",
            CheckCode::MrzDg13Agreement => "mrz-dg13-agreement",
            CheckCode::FaceStructure => "face-structure",
            CheckCode::FingerStructure => "finger-structure",
            CheckCode::Country => "country",
            CheckCode::KeyUsePeriod => "key-use-period",
            CheckCode::Revocation => "revocation",
            CheckCode::CardValidity => "card-validity",
            CheckCode::RegisterStatus => "register-status",
            CheckCode::SecurityInfos => "security-infos",
            CheckCode::ChipKey => "chip-key",
            CheckCode::ActiveAuthentication => "active-authentication",
            CheckCode::ChipAuthentication => "chip-authentication",
            CheckCode::QrAgreement => "qr-agreement",
            CheckCode::PrintedMrzAgreement => "printed-mrz-agreement",
            CheckCode::PrintAgreement => "print-agreement",
            CheckCode::QrStructure => "qr-structure",
            CheckCode::PaperOnly => "paper-only",
        }
    }

    /// Without these nothing is known about where the data comes from.
    fn proves_origin(self) -> bool {
        matches!(
            self,
            CheckCode::SodStructure
                | CheckCode::SodSignature
                | CheckCode::Chain
                | CheckCode::Validity
                | CheckCode::DataGroupHashes
                | CheckCode::PaperOnly
        )
    }
}

impl fmt::Display for CheckCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How one check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Pass,
    Fail,
    /// What the check needs was missing or already failed.
    NotChecked,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Outcome; 3] = [Outcome::Pass, Outcome::Fail, Outcome::NotChecked];
}

/// One check and its reason. `detail` is an English sentence for whoever looks into it, without personal
/// values; [`Check::words_key`] leads to the sentence for whoever holds the card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub code: CheckCode,
    pub outcome: Outcome,
    pub detail: String,
    /// With [`CheckCode::RegisterStatus`], what the register said.
    pub status: Option<CardStatus>,
    /// Without it the card is not genuine: it proves where the data comes from, or was asked for.
    pub needed: bool,
}

impl Check {
    pub(crate) fn new(code: CheckCode, outcome: Outcome, detail: impl Into<String>) -> Check {
        Check { code, outcome, detail: detail.into(), status: None, needed: code.proves_origin() }
    }

    /// The stable key of the sentence that says in plain words what this check found:
    /// `check.<code>.<outcome>`, and for a card that the register does not have as one in force
    /// `check.register-status.<status>`. The sentences are in crate `ui`.
    pub fn words_key(&self) -> String {
        // Only of one check the register has something to say.
        let status = self.status.filter(|_| self.code == CheckCode::RegisterStatus);
        let found = match (self.outcome, status) {
            (Outcome::Pass, None | Some(CardStatus::Active)) => "passed",
            (Outcome::Fail, None | Some(CardStatus::Active)) => "failed",
            (Outcome::Pass | Outcome::Fail, Some(CardStatus::Suspended)) => "suspended",
            (Outcome::Pass | Outcome::Fail, Some(CardStatus::Replaced)) => "replaced",
            (Outcome::Pass | Outcome::Fail, Some(CardStatus::Expired)) => "expired",
            (Outcome::Pass | Outcome::Fail, Some(CardStatus::Revoked)) => "revoked",
            (Outcome::Pass | Outcome::Fail, Some(CardStatus::NotHandedOver)) => "not_handed_over",
            (Outcome::Pass | Outcome::Fail, Some(CardStatus::Unknown)) => "unknown",
            (
                Outcome::NotChecked,
                None
                | Some(
                    CardStatus::Active
                    | CardStatus::Suspended
                    | CardStatus::Replaced
                    | CardStatus::Expired
                    | CardStatus::Revoked
                    | CardStatus::NotHandedOver
                    | CardStatus::Unknown,
                ),
            ) => "not_checked",
        };
        format!("check.{}.{found}", self.code)
    }
}

/// What the checks come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overall {
    /// Nothing failed, and the origin is proven.
    Genuine,
    /// Something failed.
    Rejected,
    /// Nothing failed, but the origin is not proven, or not that the signer's key was still good.
    Unproven,
}

impl Overall {
    /// Every verdict.
    pub const ALL: [Overall; 3] = [Overall::Genuine, Overall::Rejected, Overall::Unproven];

    /// The stable key of the sentence that says what all checks together mean. The sentences are in crate
    /// `ui`.
    pub fn words_key(self) -> &'static str {
        match self {
            Overall::Genuine => "verdict.genuine",
            Overall::Rejected => "verdict.rejected",
            Overall::Unproven => "verdict.unproven",
        }
    }
}

/// The outcome of every check of a card, whatever bytes it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub overall: Overall,
    pub checks: Vec<Check>,
}

impl Verdict {
    pub(crate) fn from_checks(checks: Vec<Check>) -> Verdict {
        let failed = checks.iter().any(|check| check.outcome == Outcome::Fail);
        let proven = checks.iter().all(|check| !check.needed || check.outcome == Outcome::Pass);
        let overall = match (failed, proven) {
            (true, _) => Overall::Rejected,
            (false, true) => Overall::Genuine,
            (false, false) => Overall::Unproven,
        };
        Verdict { overall, checks }
    }

    /// Whether all that is missing for a genuine card is a revocation list in force: the card's holder can do
    /// nothing about that, and to read the chip again is of no use.
    pub fn lacks_list_alone(&self) -> bool {
        let missing = |check: &&Check| check.needed && check.outcome != Outcome::Pass;
        self.overall == Overall::Unproven
            && self.checks.iter().filter(missing).all(|check| check.code == CheckCode::Revocation)
    }
}

/// A list of checks in the making.
pub(crate) trait Record {
    fn pass(&mut self, code: CheckCode, detail: impl Into<String>);
    fn fail(&mut self, code: CheckCode, detail: impl Into<String>);
    fn skip(&mut self, code: CheckCode, detail: impl Into<String>);
}

impl Record for Vec<Check> {
    fn pass(&mut self, code: CheckCode, detail: impl Into<String>) {
        self.push(Check::new(code, Outcome::Pass, detail));
    }

    fn fail(&mut self, code: CheckCode, detail: impl Into<String>) {
        self.push(Check::new(code, Outcome::Fail, detail));
    }

    fn skip(&mut self, code: CheckCode, detail: impl Into<String>) {
        self.push(Check::new(code, Outcome::NotChecked, detail));
    }
}
