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
    TrustPoints,
    TerminalCertificate,
    TerminalAuthentication,
    TransportAuthentication,
    CreateFile,
    WriteFile,
    WriteKey,
    WritePassword,
    WriteTrust,
    Activate,
    Terminate,
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
            Step::TrustPoints => "reading whom the chip trusts",
            Step::TerminalCertificate => "Terminal Authentication, a certificate",
            Step::TerminalAuthentication => "Terminal Authentication",
            Step::TransportAuthentication => "authentication with the transport key",
            Step::CreateFile => "making a file",
            Step::WriteFile => "writing a file",
            Step::WriteKey => "writing a private key",
            Step::WritePassword => "writing a password",
            Step::WriteTrust => "writing whom the chip trusts",
            Step::Activate => "activating the card",
            Step::Terminate => "terminating the card",
        })
    }
}

impl Error {
    /// Contact was lost or the conversation was disturbed, which says nothing of the chip: it is tried again.
    pub fn is_disturbance(&self) -> bool {
        let garbled = matches!(self, Error::Card(_) | Error::Protocol { .. });
        garbled || matches!(self, Error::Transport(_) | Error::NoReader { .. })
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
        "the chip announces no PACE that this reader knows (generic mapping, AES-128, P-256 or \
         brainpoolP256r1)"
    )]
    NoKnownPace,
    #[error("an access number has six digits")]
    AccessNumber,
    #[error(
        "give the three lines of the machine-readable zone, or document number, birth and expiry as \
         NUMBER,YYMMDD,YYMMDD"
    )]
    MachineReadableZone,
    #[error(
        "this program was built without card readers: install libpcsclite-dev and pkg-config, and build it \
         again without --no-default-features"
    )]
    BuiltWithoutReaders,
    #[error("a chip's serial number has twenty hexadecimal digits")]
    ChipSerial,
    #[error("the master key of a delivery of blanks has 64 hexadecimal digits")]
    MasterKey,
    #[error(
        "the blank does not accept its transport key; check that the box was received with the right key \
         letter. The blank locks itself after ten wrong tries"
    )]
    WrongTransportKey,
    #[error("{0}: the chip does not hold what was written")]
    ReadBack(String),
    #[error("no chip can be made of these files: {0}")]
    Unfit(&'static str),
    #[error("the memory of a virtual chip cannot be read: {0}")]
    Memory(&'static str),
    #[error(transparent)]
    Certificate(#[from] pki::PkiError),
    #[error("the inspection system cannot be used: {0}")]
    InspectionSystem(&'static str),
    #[error("the chip trusts {known}, and no certificate of this inspection system leads there")]
    NotTrusted { known: String },
    #[error("the chip keys cannot be read: {0}")]
    ChipKeys(&'static str),
}
