//! OpenSSL as an outside judge: what we make must be accepted by a verifier that we did not write, and a
//! flipped byte must not. It refuses explicit curve parameters, so it judges the suites that name their
//! curve; BouncyCastle judges all of them.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::path::Path;

use time::macros::datetime;

use pki::{Certificate, ParameterForm, Suite};

mod support;
use support::*;

fn named() -> impl Iterator<Item = Suite> {
    Suite::ALL.into_iter().filter(|suite| suite.parameters == ParameterForm::Named)
}

fn openssl(arguments: &[&str]) -> (bool, String) {
    run("openssl", arguments, "openssl")
}

fn verify_cms(directory: &Path, csca: &Certificate, cms: &[u8]) -> (bool, String) {
    let ca = path(directory, "csca.pem", csca.to_pem().unwrap().as_bytes());
    let input = path(directory, "sod.der", cms);
    let at = CHECK.unix_timestamp().to_string();
    let arguments = [
        "cms", "-verify", "-inform", "DER", "-in", &input, "-CAfile", &ca, "-purpose", "any", "-attime", &at,
    ];
    openssl(&arguments)
}

#[test]
fn openssl_accepts_our_security_object_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    for suite in named() {
        let home = country(suite, 1);
        let cms = cms(&sod(&home));
        let (accepted, text) = verify_cms(directory.path(), &home.csca, &cms);
        assert!(accepted, "{}: {text}", suite.name);

        let (accepted, _) = verify_cms(directory.path(), &country(suite, 2).csca, &cms);
        assert!(!accepted, "{}: a foreign CSCA was accepted", suite.name);

        for at in telling_positions(&cms) {
            let mut flipped = cms.clone();
            flipped[at] ^= 1;
            let (accepted, _) = verify_cms(directory.path(), &home.csca, &flipped);
            assert!(!accepted, "{}: byte {at} was flipped and accepted", suite.name);
        }
    }
}

#[test]
fn openssl_accepts_our_certificates_strictly() {
    let directory = tempfile::tempdir().unwrap();
    for suite in named() {
        let home = country(suite, 1);
        let ca = path(directory.path(), "csca.pem", home.csca.to_pem().unwrap().as_bytes());
        let ds = path(directory.path(), "ds.pem", home.ds.to_pem().unwrap().as_bytes());
        let at = CHECK.unix_timestamp().to_string();
        let (accepted, text) =
            openssl(&["verify", "-x509_strict", "-check_ss_sig", "-CAfile", &ca, "-attime", &at, &ds]);
        assert!(accepted, "{}: {text}", suite.name);
        let late = datetime!(2063-07-01 00:00 UTC).unix_timestamp().to_string();
        let (accepted, text) = openssl(&["verify", "-CAfile", &ca, "-attime", &late, &ds]);
        assert!(!accepted && text.contains("expired"), "{}: {text}", suite.name);

        let (_, text) = openssl(&["x509", "-in", &ds, "-noout", "-text"]);
        for expected in
            ["Private Key Usage Period", "Not Before: Apr  1 00:00:00 2021", "Digital Signature", "CRL"]
        {
            assert!(text.contains(expected), "{expected} is missing in:\n{text}");
        }
    }
}

#[test]
fn openssl_reads_our_revocation_list_and_refuses_whom_it_names() {
    let directory = tempfile::tempdir().unwrap();
    for suite in named() {
        let home = country(suite, 1);
        let ca = path(directory.path(), "csca.pem", home.csca.to_pem().unwrap().as_bytes());
        let ds = path(directory.path(), "ds.pem", home.ds.to_pem().unwrap().as_bytes());
        let pem = directory.path().join("crl.pem").to_str().unwrap().to_owned();
        let at = CHECK.unix_timestamp().to_string();
        for (revoked, valid) in [(vec![], true), (vec![&home.ds], false)] {
            let der = path(directory.path(), "crl.der", &crl(&home, &revoked));
            let (accepted, text) =
                openssl(&["crl", "-inform", "DER", "-in", &der, "-CAfile", &ca, "-out", &pem]);
            assert!(accepted && text.contains("verify OK"), "{}: {text}", suite.name);
            let (accepted, text) =
                openssl(&["verify", "-crl_check", "-CRLfile", &pem, "-CAfile", &ca, "-attime", &at, &ds]);
            assert_eq!(accepted, valid, "{}: {text}", suite.name);
            assert!(valid || text.contains("certificate revoked"), "{}: {text}", suite.name);
        }
        // A list that somebody else signed is not ours.
        let der = path(directory.path(), "crl.der", &crl(&country(suite, 2), &[]));
        let (_, text) = openssl(&["crl", "-inform", "DER", "-in", &der, "-CAfile", &ca, "-noout"]);
        assert!(!text.contains("verify OK"), "{}: {text}", suite.name);
    }
}
