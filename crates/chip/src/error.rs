use card::CardError;
use card::apdu::StatusWord;

/// Where in the conversation something went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    SelectApplication,
    SelectFile,
    ReadFile,
    Challenge,
    BasicAccess,
    PaceStart,
    PaceNonce,
    PaceMapping,
    PaceAgreement,
    PaceConfirmation,
    ChipAuthentication,
    ActiveAuthentication,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Step::SelectApplication => "selecting the application",
            Step::SelectFile => "selecting a file",
            Step::ReadFile => "reading a file",
            Step::Challenge => "asking for a challenge",
            Step::BasicAccess => "Basic Access Control",
            Step::PaceStart => "PACE, choice of protocol",
            Step::PaceNonce => "PACE, nonce",
            Step::PaceMapping => "PACE, mapping",
            Step::PaceAgreement => "PACE, key agreement",
            Step::PaceConfirmation => "PACE, confirmation",
            Step::ChipAuthentication => "Chip Authentication",
            Step::ActiveAuthentication => "Active Authentication",
        })
    }
}

/// What can go wrong between a reader and a chip. No variant carries data of either.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error(transparent)]
    Card(#[from] CardError),
    #[error("the reader failed: {0}; leave the card on the reader and try again")]
    Transport(String),
    #[error("no reader named {name:?}; there are: {known}")]
    NoReader { name: String, known: String },
    #[error("{step}: the chip answered {status}")]
    Refused { step: Step, status: StatusWord },
    #[error(
        "{step}: the chip does not accept the access number or machine-readable zone; check what was typed"
    )]
    WrongPassword { step: Step },
    #[error("{step}: the chip's answer is not what the protocol asks for: {problem}")]
    Protocol { step: Step, problem: &'static str },
    #[error(
        "the chip announces no PACE that this reader knows (generic mapping, AES-128, P-256 or brainpoolP256r1)"
    )]
    NoKnownPace,
    #[error("an access number has six digits")]
    AccessNumber,
    #[error(
        "give the three lines of the machine-readable zone, or document number, birth and expiry as NUMBER,YYMMDD,YYMMDD"
    )]
    MachineReadableZone,
    #[error(
        "this program was built without readers: install libpcsclite-dev and build it with --features pcsc"
    )]
    BuiltWithoutReaders,
    #[error("the chip keys cannot be read: {0}")]
    ChipKeys(&'static str),
}
