//! A country with a card's security object, in any suite, with keys of the software key store.

#![allow(clippy::unwrap_used, dead_code, reason = "in a test a panic is the report; not every test uses all")]

use std::{fs, path::Path, process::Command};

use card::{
    lds::DataGroup,
    sod::{DigestAlgorithm, SodTemplate, hash},
};
use hsm::SoftwareSigner;
use pki::*;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use time::{OffsetDateTime, macros::datetime};

pub const START: OffsetDateTime = datetime!(2021-01-01 00:00 UTC);
pub const CHECK: OffsetDateTime = datetime!(2021-02-01 00:00 UTC);

pub struct Country {
    pub suite: Suite,
    pub csca: Certificate,
    pub csca_key: SoftwareSigner,
    pub ds: Certificate,
    pub ds_key: SoftwareSigner,
}

pub fn country(suite: Suite, seed: u64) -> Country {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut key = || SoftwareSigner::generate_for(suite.algorithm, &mut rng);
    let (csca_key, ds_key) = (key(), key());
    let serial = SerialNumber::new(&[0x81; 19]).unwrap();
    let name = Name::new("VN", "Dân cư", "CSCA Việt Nam (mẫu)").unwrap();
    let csca = prepare_csca(&suite.csca(), &name, serial.clone(), START, csca_key.public_key())
        .and_then(|prepared| prepared.lint()?.sign(SigningToken::after_recording(serial), &csca_key))
        .unwrap();
    let serial = SerialNumber::new(&[2]).unwrap();
    let name = Name::new("VN", "Dân cư", "Document signer 1").unwrap();
    let key = ds_key.public_key();
    let ds = prepare_document_signer(&suite.document_signer(), &csca, &name, serial.clone(), START, key)
        .and_then(|prepared| prepared.lint()?.sign(SigningToken::after_recording(serial), &csca_key))
        .unwrap();
    Country { suite, csca, csca_key, ds, ds_key }
}

pub fn sod(country: &Country) -> Vec<u8> {
    let algorithm = country.suite.algorithm;
    let digest = match algorithm.hash() {
        HashAlgorithm::Sha256 => DigestAlgorithm::Sha256,
        HashAlgorithm::Sha384 => DigestAlgorithm::Sha384,
        HashAlgorithm::Sha512 => DigestAlgorithm::Sha512,
    };
    let template = SodTemplate::new(country.ds.der()).unwrap().signed_with(digest, algorithm.identifier());
    let hashes = [(DataGroup::DG1, hash(b"one")), (DataGroup::DG13, hash(b"thirteen"))];
    let prepared = template.prepare(&hashes).unwrap();
    let signature = country.ds_key.sign(prepared.to_be_signed()).unwrap();
    prepared.assemble(&signature)
}

/// The CMS inside tag 77.
pub fn cms(sod: &[u8]) -> Vec<u8> {
    card::tlv::single(sod, card::tlv::Tag(0x77), "EF.SOD").unwrap().value.to_vec()
}

/// A revocation list that names these certificates.
pub fn crl(country: &Country, revoked: &[&Certificate]) -> Vec<u8> {
    let revoked: Vec<Revocation> = revoked
        .iter()
        .map(|certificate| Revocation {
            serial: SerialNumber::new(certificate.serial()).unwrap(),
            at: START,
            reason: Some(1),
        })
        .collect();
    let next = START + time::Duration::days(90);
    prepare_crl(&country.csca, country.suite.algorithm, 1, START, next, &revoked)
        .and_then(|prepared| prepared.sign(&country.csca_key))
        .unwrap()
}

/// Positions in the CMS whose change an honest judge must notice: a hash's first and last byte, the signature.
pub fn telling_positions(cms: &[u8]) -> [usize; 4] {
    let hash_at = cms.windows(32).position(|w| w == hash(b"thirteen")).unwrap();
    [hash_at, hash_at + 31, cms.len() - 1, cms.len() - 40]
}

pub fn path(directory: &Path, name: &str, content: &[u8]) -> String {
    let path = directory.join(name);
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

pub fn run(program: &str, arguments: &[&str], package: &str) -> (bool, String) {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|_| panic!("{program} must be installed: apt-get install {package}"));
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}
