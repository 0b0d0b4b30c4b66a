//! Passive Authentication: signature, path, validity, hashes (Doc 9303-11 §5.1).

use std::collections::BTreeMap;

use card::{
    lds::{DataGroup, EF_SOD},
    sod::Sod,
};
use pki::{
    Certificate, Crl, PkiError, SignatureScheme, build_path, check_key_use, check_period, check_roles,
    verify_signature,
};
use time::{Date, Time, macros::offset};

use crate::{
    Check,
    CheckCode::{
        self, Chain, DataGroupHashes, KeyUsePeriod, Revocation, SodSignature, SodStructure, Validity,
    },
    Evidence,
    verdict::Record,
};

/// `issued` is the day of issue that the card states.
pub(crate) fn check(evidence: &Evidence<'_>, issued: Option<Date>, checks: &mut Vec<Check>) -> Option<Sod> {
    let files = evidence.files;
    let Some(sod) = structure(files, checks) else {
        for code in [SodSignature, Chain, Validity, KeyUsePeriod, Revocation, DataGroupHashes] {
            checks.skip(code, "EF.SOD cannot be read");
        }
        return None;
    };
    match sod.signer_certificate().map(Certificate::from_der) {
        Some(Ok(signer)) => {
            signature(&sod, &signer, checks);
            path(&signer, evidence, issued, checks);
        }
        Some(Err(error)) => without_signer(checks, format!("the document signer's certificate: {error}")),
        None => {
            without_signer(checks, "EF.SOD does not hold the certificate that its signer names".to_owned())
        }
    }
    hashes(files, &sod, checks);
    Some(sod)
}

fn structure(files: &BTreeMap<String, Vec<u8>>, checks: &mut Vec<Check>) -> Option<Sod> {
    let Some(file) = files.get(EF_SOD) else {
        checks.fail(SodStructure, "EF.SOD is missing");
        return None;
    };
    match Sod::parse(file) {
        Ok(sod) if sod.content_is_what_was_signed() => {
            checks.pass(SodStructure, "EF.SOD is well formed");
            Some(sod)
        }
        Ok(sod) => {
            checks.fail(SodStructure, "the list of hashes in EF.SOD is not the one that was signed");
            Some(sod)
        }
        Err(error) => {
            checks.fail(SodStructure, format!("EF.SOD: {error}"));
            None
        }
    }
}

fn without_signer(checks: &mut Vec<Check>, reason: String) {
    checks.fail(SodSignature, reason);
    for code in [Chain, Validity, KeyUsePeriod, Revocation] {
        checks.skip(code, "there is no document signer's certificate to check");
    }
}

fn signature(sod: &Sod, signer: &Certificate, checks: &mut Vec<Check>) {
    let verified = SignatureScheme::from_identifier(sod.signature_algorithm()).and_then(|scheme| {
        verify_signature(scheme, signer.public_key(), sod.signed_message(), sod.signature())
    });
    match verified {
        Ok(()) => checks.pass(SodSignature, "the document signer signed EF.SOD"),
        Err(error) => checks.fail(SodSignature, format!("EF.SOD: {error}")),
    }
}

fn path(signer: &Certificate, evidence: &Evidence<'_>, issued: Option<Date>, checks: &mut Vec<Check>) {
    // A certificate that cannot be read must not hide the others.
    let readable = |all: &[Vec<u8>]| -> Vec<Certificate> {
        all.iter().filter_map(|der| Certificate::from_der(der).ok()).collect()
    };
    let (trusted, links) = (readable(evidence.trust), readable(evidence.links));
    let above = match build_path(signer, &trusted, &links) {
        Ok(above) => above,
        Err(error) => {
            checks.fail(Chain, error.to_string());
            for code in [Validity, KeyUsePeriod, Revocation] {
                checks.skip(code, "there is no trusted path to check");
            }
            return;
        }
    };
    let csca = above[0];
    let passed = match above.len() {
        1 => "a trusted CSCA signed the document signer's certificate".to_owned(),
        steps => format!(
            "a CSCA signed the document signer's certificate, trusted over {} link certificates",
            steps - 1
        ),
    };
    record(checks, Chain, check_roles(signer, csca), &passed);
    // The trusted certificate itself counts too: its time is what the country says its key is good for.
    let valid = above.iter().try_for_each(|certificate| check_period(signer, certificate, evidence.at));
    record(checks, Validity, valid, "all certificates are valid at the time of the check");
    key_use(signer, csca, issued, checks);
    revocation(signer, csca, evidence, checks);
}

/// The signature bears no time, but the day of issue is under it. A card may be signed after its day of issue, and by
/// a newer key, but not by a key that was to sign no more on that day.
fn key_use(signer: &Certificate, csca: &Certificate, issued: Option<Date>, checks: &mut Vec<Check>) {
    if let Err(error) = check_key_use(csca, "the CSCA's", signer.not_before()) {
        return checks.fail(KeyUsePeriod, format!("when the document signer was certified: {error}"));
    }
    let until = signer.key_usage_period().and_then(|period| period.not_after);
    match (issued, until) {
        (None, _) => checks.skip(KeyUsePeriod, "the card's day of issue cannot be read"),
        (_, None) => checks.skip(KeyUsePeriod, "the certificate does not limit when its key signs"),
        (Some(issued), Some(until)) => {
            // Days of issue are those of Vietnam.
            let begins = issued.with_time(Time::MIDNIGHT).assume_offset(offset!(+7));
            let result = if begins > until {
                Err(PkiError::OutsideKeyUse { whose: "the document signer's" })
            } else {
                Ok(())
            };
            record(checks, KeyUsePeriod, result, "the key was to sign on the card's day of issue");
        }
    }
}

fn revocation(signer: &Certificate, csca: &Certificate, evidence: &Evidence<'_>, checks: &mut Vec<Check>) {
    let lists: Vec<Crl> = evidence.crls.iter().filter_map(|der| Crl::from_der(der, csca).ok()).collect();
    let Some(newest) = lists.iter().max_by_key(|list| list.this_update()) else {
        let reason = match evidence.crls.len() {
            0 => "no revocation list was given",
            _ => "none of the revocation lists given is readable and signed by this document signer's CSCA",
        };
        return checks.skip(Revocation, reason);
    };
    // A revocation is final, however old the list that says so.
    if let Some((list, at)) = lists.iter().find_map(|list| Some((list, list.revoked_at(signer)?))) {
        let reason = list.reason(signer).map_or("none given".to_owned(), |code| format!("code {code}"));
        return checks.fail(
            Revocation,
            format!("the document signer's certificate was revoked on {}, reason: {reason}", at.date()),
        );
    }
    if newest.covers(evidence.at) {
        checks.pass(Revocation, "the document signer's certificate is not on the revocation list");
    } else {
        let due = newest.next_update().map_or("?".to_owned(), |due| due.date().to_string());
        checks.skip(
            Revocation,
            format!(
                "the newest list is of {} to {due}, not of the time of the check",
                newest.this_update().date()
            ),
        );
    }
}

fn record(checks: &mut Vec<Check>, code: CheckCode, result: Result<(), PkiError>, passed: &str) {
    match result {
        Ok(()) => checks.pass(code, passed),
        Err(error) => checks.fail(code, error.to_string()),
    }
}

fn hashes(files: &BTreeMap<String, Vec<u8>>, sod: &Sod, checks: &mut Vec<Check>) {
    let (mut compared, mut problems, mut missing) = (0, Vec::new(), Vec::new());
    for (name, file) in files {
        let Some(group) = DataGroup::from_file_name(name) else { continue };
        match sod.matches(group, file) {
            Some(true) => compared += 1,
            Some(false) => problems.push(format!("{group} hash differs")),
            None => problems.push(format!("{group} is not in EF.SOD")),
        }
    }
    for group in sod.hashes().keys() {
        // The chip itself keeps the fingerprints from a reader without a right to them (Doc 9303-11).
        if *group != DataGroup::DG3 && !files.contains_key(&group.file_name()) {
            missing.push(group.to_string());
        }
    }
    if !problems.is_empty() {
        checks.fail(DataGroupHashes, problems.join("; "));
    } else if compared == 0 {
        checks.skip(DataGroupHashes, "no data group was read");
    } else if missing.is_empty() {
        checks.pass(DataGroupHashes, format!("all {compared} data groups are as signed"));
    } else {
        let missing = missing.join(", ");
        checks.skip(DataGroupHashes, format!("{compared} data groups are as signed; not read: {missing}"));
    }
}
