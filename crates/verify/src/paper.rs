//! What is read from paper alone: the QR code or the machine-readable zone. Anyone can print either.

use card::{mrz::Mrz, qr::QrText};
use time::{OffsetDateTime, macros::offset};

use crate::{
    CardStatus,
    CheckCode::{CardValidity, MrzCheckDigits, PaperOnly, QrStructure},
    Verdict, status,
    verdict::Record,
};

/// Checks the text of a QR code. The best verdict is [`crate::Overall::Unproven`].
pub fn check_qr(text: &str, at: OffsetDateTime, status: Option<CardStatus>) -> Verdict {
    let mut checks = Vec::new();
    match QrText::parse(text) {
        Ok(qr) if qr.issued > at.to_offset(offset!(+7)).date() => {
            checks.fail(QrStructure, "the day of issue lies in the future");
        }
        Ok(_) => checks.pass(QrStructure, "seven fields in the form of the card's QR code"),
        Err(error) => checks.fail(QrStructure, error.to_string()),
    }
    checks.skip(CardValidity, "the QR code does not say when the card expires");
    checks.skip(
        PaperOnly,
        "nothing in a QR code is signed: whoever can read one can print one with other data",
    );
    status::register(status, &mut checks);
    Verdict::from_checks(checks)
}

/// Checks the text of a machine-readable zone. The best verdict is [`crate::Overall::Unproven`].
pub fn check_mrz(text: &str, at: OffsetDateTime, status: Option<CardStatus>) -> Verdict {
    let mut checks = Vec::new();
    let mrz = match Mrz::parse(text) {
        Ok(mrz) => {
            checks.pass(MrzCheckDigits, "all check digits hold");
            Some(mrz)
        }
        Err(error) => {
            checks.fail(MrzCheckDigits, error.to_string());
            None
        }
    };
    status::expiry(mrz.as_ref(), None, at, &mut checks);
    checks.skip(PaperOnly, "check digits find slips of reading, not forgery: anyone can compute them");
    status::register(status, &mut checks);
    Verdict::from_checks(checks)
}
