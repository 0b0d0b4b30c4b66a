/// What can be wrong with a card's data. No variant carries a personal value: messages name the place
/// (field, line, column, byte offset) and the remedy, and the caller holds the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CardError {
    #[error("card field {field}: {problem}; correct the register record and prepare the card again")]
    Field { field: &'static str, problem: &'static str },
    #[error("MRZ line {line}, column {column}: {problem}")]
    Mrz { line: usize, column: usize, problem: &'static str },
    #[error("TLV at byte {offset}: {problem}")]
    Tlv { offset: usize, problem: &'static str },
    #[error("{file} at byte {offset}: {problem}")]
    File { file: &'static str, offset: usize, problem: &'static str },
    #[error("APDU at byte {offset}: {problem}")]
    Apdu { offset: usize, problem: &'static str },
    #[error("secure messaging: {problem}; the channel is closed, begin again with the access protocol")]
    Channel { problem: &'static str },
    #[error("QR text, field {position} ({field}): {problem}")]
    Qr { position: usize, field: &'static str, problem: &'static str },
    #[error("photo at byte {offset}: {problem}; capture or convert it again as a baseline JPEG")]
    Photo { offset: usize, problem: &'static str },
    #[error("the document signer's certificate cannot be used for an EF.SOD: {problem}")]
    SignerCertificate { problem: &'static str },
}
