//! Passive Authentication: signature, path, validity, hashes (Doc 9303-11 §5.1).

use std::collections::BTreeMap;

use card::{
    lds::{DataGroup, EF_SOD},
    sod::Sod,
};
use pki::{Certificate, SignatureAlgorithm, check_period, check_roles, find_issuer, verify_signature};
use time::OffsetDateTime;

use crate::{
    Check,
    CheckCode::{self, Chain, DataGroupHashes, SodSignature, SodStructure, Validity},
    verdict::Record,
};

pub(crate) fn check(
    files: &BTreeMap<String, Vec<u8>>,
    trust: &[Vec<u8>],
    at: OffsetDateTime,
    checks: &mut Vec<Check>,
) -> Option<Sod> {
    let Some(sod) = structure(files, checks) else {
        for code in [SodSignature, Chain, Validity, DataGroupHashes] {
            checks.skip(code, "EF.SOD cannot be read");
        }
        return None;
    };
    match sod.signer_certificate().map(Certificate::from_der) {
        Some(Ok(signer)) => {
            signature(&sod, &signer, checks);
            path(&signer, trust, at, checks);
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
    for code in [Chain, Validity] {
        checks.skip(code, "there is no document signer's certificate to check");
    }
}

fn signature(sod: &Sod, signer: &Certificate, checks: &mut Vec<Check>) {
    let verified = SignatureAlgorithm::from_identifier(sod.signature_algorithm()).and_then(|algorithm| {
        verify_signature(algorithm, signer.public_key(), sod.signed_message(), sod.signature())
    });
    match verified {
        Ok(()) => checks.pass(SodSignature, "the document signer signed EF.SOD"),
        Err(error) => checks.fail(SodSignature, format!("EF.SOD: {error}")),
    }
}

fn path(signer: &Certificate, trust: &[Vec<u8>], at: OffsetDateTime, checks: &mut Vec<Check>) {
    // A trusted certificate that cannot be read must not hide the others.
    let trusted: Vec<Certificate> = trust.iter().filter_map(|der| Certificate::from_der(der).ok()).collect();
    let csca = match find_issuer(signer, &trusted) {
        Ok(csca) => csca,
        Err(error) => {
            checks.fail(Chain, error.to_string());
            checks.skip(Validity, "there is no trusted path to check");
            return;
        }
    };
    record(
        checks,
        Chain,
        check_roles(signer, csca),
        "a trusted CSCA signed the document signer's certificate",
    );
    record(
        checks,
        Validity,
        check_period(signer, csca, at),
        "both certificates are valid at the time of the check",
    );
}

fn record(checks: &mut Vec<Check>, code: CheckCode, result: Result<(), pki::PkiError>, passed: &str) {
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
