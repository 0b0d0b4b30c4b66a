//! OpenSSL as an outside judge: what we make must be accepted by a verifier that we did not write, and a
//! flipped byte must not.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::{fs, path::Path, process::Command};

use card::{
    lds::DataGroup,
    sod::{SodTemplate, hash},
};
use hsm::SoftwareSigner;
use pki::{
    CSCA_P256, Certificate, DOCUMENT_SIGNER_P256, Name, Revocation, SerialNumber, Signer, SigningToken,
    prepare_crl, prepare_csca, prepare_document_signer,
};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use time::{OffsetDateTime, macros::datetime};

const START: OffsetDateTime = datetime!(2021-01-01 00:00 UTC);
const CHECK: OffsetDateTime = datetime!(2021-02-01 00:00 UTC);

struct Country {
    csca: Certificate,
    csca_key: SoftwareSigner,
    ds: Certificate,
    ds_key: SoftwareSigner,
}

fn country(seed: u64) -> Country {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let (csca_key, ds_key) = (SoftwareSigner::generate(&mut rng), SoftwareSigner::generate(&mut rng));
    let serial = SerialNumber::new(&[0x81; 19]).unwrap();
    let name = Name::new("VN", "Dân cư", "CSCA Việt Nam (mẫu)").unwrap();
    let csca = prepare_csca(&CSCA_P256, &name, serial.clone(), START, csca_key.public_key())
        .and_then(|prepared| prepared.lint())
        .and_then(|linted| linted.sign(SigningToken::after_recording(serial), &csca_key))
        .unwrap();
    let serial = SerialNumber::new(&[2]).unwrap();
    let name = Name::new("VN", "Dân cư", "Document signer 1").unwrap();
    let ds = prepare_document_signer(
        &DOCUMENT_SIGNER_P256,
        &csca,
        &name,
        serial.clone(),
        START,
        ds_key.public_key(),
    )
    .and_then(|prepared| prepared.lint())
    .and_then(|linted| linted.sign(SigningToken::after_recording(serial), &csca_key))
    .unwrap();
    Country { csca, csca_key, ds, ds_key }
}

fn sod(country: &Country) -> Vec<u8> {
    let template = SodTemplate::new(country.ds.der()).unwrap();
    let hashes = [(DataGroup::DG1, hash(b"one")), (DataGroup::DG13, hash(b"thirteen"))];
    let prepared = template.prepare(&hashes).unwrap();
    let signature = country.ds_key.sign(prepared.to_be_signed()).unwrap();
    prepared.assemble(&signature)
}

/// The CMS inside tag 77.
fn cms(sod: &[u8]) -> Vec<u8> {
    card::tlv::single(sod, card::tlv::Tag(0x77), "EF.SOD").unwrap().value.to_vec()
}

fn openssl(arguments: &[&str]) -> (bool, String) {
    let output = Command::new("openssl")
        .args(arguments)
        .output()
        .expect("the openssl command must be installed: apt-get install openssl");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

fn path(directory: &Path, name: &str, content: &[u8]) -> String {
    let path = directory.join(name);
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
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
    let home = country(1);
    let cms = cms(&sod(&home));
    let (accepted, text) = verify_cms(directory.path(), &home.csca, &cms);
    assert!(accepted, "{text}");

    let (accepted, _) = verify_cms(directory.path(), &country(2).csca, &cms);
    assert!(!accepted, "a foreign CSCA was accepted");

    let hash_at = cms.windows(32).position(|w| w == hash(b"thirteen")).unwrap();
    for at in [hash_at, hash_at + 31, cms.len() - 1, cms.len() - 40] {
        let mut flipped = cms.clone();
        flipped[at] ^= 1;
        let (accepted, _) = verify_cms(directory.path(), &home.csca, &flipped);
        assert!(!accepted, "byte {at} was flipped and accepted");
    }
}

#[test]
fn openssl_accepts_our_certificates_strictly() {
    let directory = tempfile::tempdir().unwrap();
    let home = country(1);
    let ca = path(directory.path(), "csca.pem", home.csca.to_pem().unwrap().as_bytes());
    let ds = path(directory.path(), "ds.pem", home.ds.to_pem().unwrap().as_bytes());
    let at = CHECK.unix_timestamp().to_string();
    let (accepted, text) =
        openssl(&["verify", "-x509_strict", "-check_ss_sig", "-CAfile", &ca, "-attime", &at, &ds]);
    assert!(accepted, "{text}");
    let late = datetime!(2063-05-01 00:00 UTC).unix_timestamp().to_string();
    let (accepted, text) = openssl(&["verify", "-CAfile", &ca, "-attime", &late, &ds]);
    assert!(!accepted && text.contains("expired"), "{text}");

    let (_, text) = openssl(&["x509", "-in", &ds, "-noout", "-text"]);
    for expected in
        ["Private Key Usage Period", "Not Before: Jan  1 00:00:00 2021", "Digital Signature", "CRL"]
    {
        assert!(text.contains(expected), "{expected} is missing in:\n{text}");
    }
}

#[test]
fn openssl_reads_our_revocation_list() {
    let directory = tempfile::tempdir().unwrap();
    let home = country(1);
    let revoked = [Revocation {
        serial: SerialNumber::new(home.ds.serial()).unwrap(),
        at: datetime!(2021-01-15 00:00 UTC),
        reason: Some(1),
    }];
    let next = START + time::Duration::days(90);
    let crl = prepare_crl(&home.csca, home.csca_key.algorithm(), 1, START, next, &revoked)
        .and_then(|prepared| prepared.sign(&home.csca_key))
        .unwrap();
    let ca = path(directory.path(), "csca.pem", home.csca.to_pem().unwrap().as_bytes());
    let ds = path(directory.path(), "ds.pem", home.ds.to_pem().unwrap().as_bytes());
    let der = path(directory.path(), "crl.der", &crl);
    let pem = directory.path().join("crl.pem").to_str().unwrap().to_owned();
    let (accepted, text) = openssl(&["crl", "-inform", "DER", "-in", &der, "-CAfile", &ca, "-out", &pem]);
    assert!(accepted && text.contains("verify OK"), "{text}");
    let at = CHECK.unix_timestamp().to_string();
    let (accepted, text) =
        openssl(&["verify", "-crl_check", "-CRLfile", &pem, "-CAfile", &ca, "-attime", &at, &ds]);
    assert!(!accepted && text.contains("certificate revoked"), "{text}");
}
