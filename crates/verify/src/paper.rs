//! What is read from paper alone: the QR code or the machine-readable zone. Anyone can print either.

use time::OffsetDateTime;

use crate::{
    CardStatus, Check,
    CheckCode::{CardValidity, MrzCheckDigits, PaperOnly, PrintAgreement, QrStructure},
    Verdict, status,
    verdict::Record,
};
use card::{
    mrz::{Mrz, name_line},
    qr::QrText,
};
use domain::clock::day_in_vietnam;

/// Checks the text of a QR code. The best verdict is [`crate::Overall::Unproven`].
pub fn check_qr(text: &str, at: OffsetDateTime, status: Option<CardStatus>) -> Verdict {
    check_paper(Some(text), None, at, status)
}

/// Checks the text of a machine-readable zone. The best verdict is [`crate::Overall::Unproven`].
pub fn check_mrz(text: &str, at: OffsetDateTime, status: Option<CardStatus>) -> Verdict {
    check_paper(None, Some(text), at, status)
}

/// Checks what was read from print: the QR code's text, the machine-readable zone, and both against each
/// other when both are there. The best verdict is [`crate::Overall::Unproven`].
pub fn check_paper(
    qr: Option<&str>,
    mrz: Option<&str>,
    at: OffsetDateTime,
    status: Option<CardStatus>,
) -> Verdict {
    let mut checks = Vec::new();
    let read_qr = qr.and_then(|text| structure_of_qr(text, at, &mut checks));
    let read_mrz = mrz.and_then(|text| match Mrz::parse(text.trim()) {
        Ok(mrz) => {
            checks.pass(MrzCheckDigits, "all check digits hold");
            Some(mrz)
        }
        Err(error) => {
            checks.fail(MrzCheckDigits, error.to_string());
            None
        }
    });
    if qr.is_some() && mrz.is_some() {
        match (&read_qr, &read_mrz) {
            (Some(qr), Some(mrz)) => agreement(qr, mrz, &mut checks),
            (None, _) | (_, None) => {
                checks.skip(PrintAgreement, "needs a readable QR code and a readable zone")
            }
        }
    }
    let little = if mrz.is_some() {
        status::expiry(read_mrz.as_ref(), None, at, &mut checks);
        "check digits find slips of reading, not forgery: anyone can compute them"
    } else {
        checks.skip(CardValidity, "the QR code does not say when the card expires");
        "nothing in a QR code is signed: whoever can read one can print one with other data"
    };
    checks.skip(PaperOnly, little);
    status::register(status, &mut checks);
    Verdict::from_checks(checks)
}

fn structure_of_qr(text: &str, at: OffsetDateTime, checks: &mut Vec<Check>) -> Option<QrText> {
    // A scanner's line end is not the code's.
    match QrText::parse(text.trim_end_matches(['\r', '\n'])) {
        Ok(qr) if qr.issued > day_in_vietnam(at) => {
            checks.fail(QrStructure, "the day of issue lies in the future");
            None
        }
        Ok(qr) => {
            checks.pass(QrStructure, "seven fields in the form of the card's QR code");
            Some(qr)
        }
        Err(error) => {
            checks.fail(QrStructure, error.to_string());
            None
        }
    }
}

fn agreement(qr: &QrText, mrz: &Mrz, checks: &mut Vec<Check>) {
    let differing: Vec<&str> = [
        ("personal number", qr.pin != mrz.pin()),
        ("name", name_line(&qr.name) != mrz.name()),
        ("date of birth", qr.birth.mrz() != mrz.birth()),
        ("sex", mrz.sex().is_some_and(|sex| sex != qr.sex)),
    ]
    .into_iter()
    .filter_map(|(field, differs)| differs.then_some(field))
    .collect();
    if differing.is_empty() {
        checks.pass(PrintAgreement, "the QR code and the zone are about the same person");
    } else {
        checks.fail(PrintAgreement, format!("the QR code and the zone differ in: {}", differing.join(", ")));
    }
}
