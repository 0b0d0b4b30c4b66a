//! What outside judges are asked about a country's signatures, in any suite, by keys of the software key
//! store.

#![allow(clippy::unwrap_used, dead_code, reason = "in a test a panic is the report; not every test uses all")]

use std::{fs, path::Path, process::Command};

use time::{OffsetDateTime, macros::datetime};

use card::{lds::DataGroup, sod::hash};
use pki::*;
use specimen::{Country, START};

pub const CHECK: OffsetDateTime = datetime!(2021-05-01 00:00 UTC);

pub fn country(suite: Suite, seed: u64) -> Country {
    Country::of("VN", suite, seed)
}

pub fn sod(country: &Country) -> Vec<u8> {
    let groups = [(DataGroup::DG1, b"one".to_vec()), (DataGroup::DG13, b"thirteen".to_vec())];
    country.sign(&groups)["EF.SOD"].clone()
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

/// Positions in the CMS whose change an honest judge must notice: a hash's first and last byte, the
/// signature.
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
