//! Passive Authentication: signature, path, validity, hashes (Doc 9303-11 §5.1).

use std::collections::BTreeMap;

use time::{Date, OffsetDateTime, Time, macros::offset};

use crate::{
    Check,
    CheckCode::{
        self, Chain, Country, DataGroupHashes, KeyUsePeriod, Revocation, SodSignature, SodStructure, Validity,
    },
    Evidence, Outcome,
    verdict::Record,
};
use card::{
    lds::{DataGroup, EF_SOD, dg1},
    sod::Sod,
};
use pki::{
    Certificate, Crl, PkiError, SignatureScheme, build_path, check_key_use, check_period, check_roles,
    verify_signature,
};

/// `issued` is the day of issue that the card states.
pub(crate) fn check(evidence: &Evidence<'_>, issued: Option<Date>, checks: &mut Vec<Check>) -> Option<Sod> {
    let files = evidence.files;
    let Some(sod) = structure(files, checks) else {
        for code in [SodSignature, Chain, Country, Validity, KeyUsePeriod, Revocation, DataGroupHashes] {
            checks.skip(code, "EF.SOD cannot be read");
        }
        return None;
    };
    match sod.signer_certificate().map(Certificate::from_der) {
        Some(Ok(signer)) => {
            signature(&sod, &signer, checks);
            path(&signer, evidence, Signed { on: issued, at: sod.signing_time() }, checks);
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
    for code in [Chain, Country, Validity, KeyUsePeriod, Revocation] {
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

/// When the card was signed, as far as it says so.
#[derive(Clone, Copy)]
struct Signed {
    /// The day of issue, which is signed with the rest.
    on: Option<Date>,
    /// The moment that the signer wrote beside the signature; few do.
    at: Option<OffsetDateTime>,
}

fn path(signer: &Certificate, evidence: &Evidence<'_>, signed: Signed, checks: &mut Vec<Check>) {
    // A certificate that cannot be read must not hide the others.
    let readable = |all: &[Vec<u8>]| -> Vec<Certificate> {
        all.iter().filter_map(|der| Certificate::from_der(der).ok()).collect()
    };
    let (trusted, links) = (readable(evidence.trust), readable(evidence.links));
    if evidence.trust.is_empty() {
        for code in [Chain, Country, Validity, KeyUsePeriod, Revocation] {
            checks.skip(code, "no CSCA certificate to trust was given");
        }
        return;
    }
    let above = match build_path(signer, &trusted, &links) {
        Ok(above) => above,
        Err(error) => {
            checks.fail(Chain, error.to_string());
            for code in [Country, Validity, KeyUsePeriod, Revocation] {
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
    country(signer, csca, evidence.files, checks);
    // The trusted certificate itself counts too: its time is what the country says its key is good for.
    let valid = above.iter().try_for_each(|certificate| check_period(signer, certificate, evidence.at));
    let then = signed.at.map_or(Ok(()), |at| check_period(signer, csca, at));
    match (valid, then) {
        (Ok(()), Ok(())) => checks.pass(Validity, "all certificates are valid at the time of the check"),
        (Err(error), _) => checks.fail(Validity, error.to_string()),
        (_, Err(error)) => checks.fail(Validity, format!("at the time of signing: {error}")),
    }
    key_use(signer, csca, signed, checks);
    revocation(signer, csca, evidence, checks);
}

/// With many trusted countries, each could sign cards of every other. So the country in the certificates must
/// be the one that the zone names, and a key that signs passports must not sign identity cards (Doc 9303-12,
/// document signer).
fn country(
    signer: &Certificate,
    csca: &Certificate,
    files: &BTreeMap<String, Vec<u8>>,
    checks: &mut Vec<Check>,
) {
    let zone = files.get(&DataGroup::DG1.file_name()).map(|file| dg1::parse(file));
    let Some(Ok(zone)) = zone else {
        return checks.skip(Country, "needs a readable DG1");
    };
    // A zone is read as one only when it is Vietnam's, so that VNM has one name in two letters.
    let line = zone.lines()[0];
    let kind = line[..2].trim_end_matches('<');
    for (whose, certificate) in [("the document signer", signer), ("the CSCA", csca)] {
        match certificate.country() {
            Some(country) if country == "VN" => {}
            Some(country) => {
                let problem = format!("the card is of {} and {whose} of {country}", &line[2..5]);
                return checks.fail(Country, problem);
            }
            None => return checks.fail(Country, format!("{whose} does not say of which country it is")),
        }
    }
    match signer.document_types() {
        Some(Err(error)) => checks.fail(Country, error.to_string()),
        // One letter stands for all types that begin with it.
        Some(Ok(types)) if !types.iter().any(|one| one == kind || *one == kind[..1]) => {
            checks.fail(Country, format!("the document signer may not sign documents of type {kind}"));
        }
        None | Some(Ok(_)) => checks.pass(Country, "the country that signed is the one that the card names"),
    }
}

/// Most signatures bear no time, but the day of issue is under each. A card may be signed after its day of
/// issue, and by a newer key, but not by a key that was to sign no more on that day.
fn key_use(signer: &Certificate, csca: &Certificate, signed: Signed, checks: &mut Vec<Check>) {
    if let Err(error) = check_key_use(csca, "the CSCA's", signer.not_before()) {
        return checks.fail(KeyUsePeriod, format!("when the document signer was certified: {error}"));
    }
    if let Some(Err(error)) = signed.at.map(|at| check_key_use(signer, "the document signer's", at)) {
        return checks.fail(KeyUsePeriod, format!("at the time of signing: {error}"));
    }
    let until = signer.key_usage_period().and_then(|period| period.not_after);
    match (signed.on, until) {
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
    let unknown = |detail: String| Check {
        needed: evidence.need.is_list(evidence.crls),
        ..Check::new(Revocation, Outcome::NotChecked, detail)
    };
    let lists: Vec<Crl> = evidence.crls.iter().filter_map(|der| Crl::from_der(der, csca).ok()).collect();
    let Some(newest) = lists.iter().max_by_key(|list| list.this_update()) else {
        let reason = match evidence.crls.len() {
            0 => "no revocation list was given",
            _ => "none of the revocation lists given is readable and signed by this document signer's CSCA",
        };
        return checks.push(unknown(reason.to_owned()));
    };
    // A revocation is final, however old the list that says so.
    if let Some((list, at)) = lists.iter().find_map(|list| Some((list, list.revoked_at(signer)?))) {
        let reason = list.reason(signer).map_or("none given".to_owned(), |code| format!("code {code}"));
        return checks.fail(
            Revocation,
            format!("the document signer's certificate was revoked on {}, reason: {reason}", at.date()),
        );
    }
    let made = newest.this_update().date();
    if newest.is_over(evidence.at) {
        let due = newest
            .next_update()
            .map_or(String::new(), |due| format!(" and the next was due on {}", due.date()));
        let detail = format!("the revocation list is out of date: the newest is of {made}{due}");
        return checks.push(unknown(detail));
    }
    checks.pass(Revocation, format!("the document signer is not on the revocation list of {made}"));
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
