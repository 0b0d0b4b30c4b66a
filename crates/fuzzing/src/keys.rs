//! Certificates, revocation lists, key files, fingerprint templates.

use std::str;

use time::Duration;

use crate::material::{HOME, START, rng};
use crate::with_file;
use fingerprint::{Prepared, compare, encode, parse, quality};
use hsm::{Passphrase, SoftwareSigner};
use pki::{
    Certificate, Crl, MasterList, Name, Signer, SigningToken, Suite, check_period, check_roles, prepare_crl,
    prepare_master_list, prepare_master_list_signer,
};

const PASSPHRASE: &[u8] = b"a passphrase of a fuzzer";

/// The views of a record are written and read the same, and can be compared.
pub fn template(data: &[u8]) -> bool {
    let Ok(views) = parse(data) else { return false };
    for view in &views {
        // A view of another resolution is converted, after which it stays as it is.
        let written = encode(std::slice::from_ref(view)).expect("a template that was taken can be written");
        let again = parse(&written).expect("what we write can be read");
        assert_eq!(again[0].minutiae(), view.minutiae());
        assert!(quality(view) <= 100);
    }
    if let Some(view) = views.first().filter(|view| view.minutiae().len() <= 100) {
        let prepared = Prepared::new(view);
        let comparison = compare(&prepared, &prepared);
        assert!(comparison.score.is_finite());
    }
    true
}

/// A certificate in DER, or else in PEM.
pub fn certificate(data: &[u8]) -> bool {
    let read = match Certificate::from_der(data) {
        Ok(certificate) => Some(certificate),
        Err(_) => str::from_utf8(data).ok().and_then(|text| Certificate::from_pem(text).ok()),
    };
    let Some(certificate) = read else { return false };
    let _ = (certificate.fingerprint(), certificate.key_usage_period(), certificate.subject_key_identifier());
    let _ =
        (certificate.authority_key_identifier(), certificate.is_authority(), certificate.is_self_issued());
    let _ = (check_roles(&certificate, &HOME.csca), check_period(&certificate, &HOME.csca, START));
    let is_ours = [&HOME.csca, &HOME.ds].iter().any(|ours| ours.der() == certificate.der());
    let signed = certificate.verify_signed_by(&HOME.csca).is_ok();
    assert!(!signed || is_ours, "nobody else signs for our CSCA");
    true
}

pub(crate) fn certificate_seeds() -> Vec<Vec<u8>> {
    let pem = HOME.ds.to_pem().expect("our own certificate");
    vec![HOME.csca.der().to_vec(), HOME.ds.der().to_vec(), pem.into_bytes()]
}

pub(crate) fn revocation_list(data: &[u8]) -> bool {
    let Ok(list) = Crl::from_der(data, &HOME.csca) else { return false };
    let _ = (list.next_update(), list.revoked_at(&HOME.ds));
    assert!(revocation_list_seeds().iter().any(|ours| ours == data), "nobody else signs for our CSCA");
    true
}

pub(crate) fn revocation_list_seeds() -> Vec<Vec<u8>> {
    let algorithm = HOME.csca_key.algorithm();
    let revoked = [pki::Revocation { serial: crate::material::serial(2), at: START, reason: Some(1) }];
    let lists = [&revoked[..], &[]].map(|revoked| {
        let prepared = prepare_crl(&HOME.csca, algorithm, 1, START, START + Duration::days(30), revoked);
        prepared.and_then(|list| list.sign(&HOME.csca_key)).expect("our own list")
    });
    lists.to_vec()
}

pub(crate) fn master_list(data: &[u8]) -> bool {
    let Ok(list) = MasterList::from_der(data, std::slice::from_ref(&HOME.csca)) else { return false };
    let ours = |certificate: &Certificate| certificate.der() == HOME.csca.der();
    assert!(list.left_out() == 0 && list.certificates().iter().all(ours), "nobody else signs for our CSCA");
    true
}

pub(crate) fn master_list_seeds() -> Vec<Vec<u8>> {
    let key = SoftwareSigner::generate(&mut rng(9)).reproducible();
    let serial = || crate::material::serial(9);
    let name = Name::new("VN", "dancu", "Master list signer").expect("a short name");
    let profile = Suite::ALL[0].master_list_signer();
    let signer = prepare_master_list_signer(&profile, &HOME.csca, &name, serial(), START, key.public_key())
        .and_then(|prepared| prepared.lint()?.sign(SigningToken::after_recording(serial()), &HOME.csca_key))
        .expect("the profile of our own master list signer");
    let list = prepare_master_list(std::slice::from_ref(&HOME.csca), &signer, &HOME.csca, START);
    vec![list.and_then(|list| list.sign(&key)).expect("our own list")]
}

/// A key file opens with its passphrase and whole, or not at all.
pub fn key_file(data: &[u8]) -> bool {
    let cost = |at: usize| data.get(at..at + 4).map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
    if (64..=1 << 20).contains(&cost(10)) || cost(14) > 1 {
        // A cost that is allowed is paid: that is what it is for, and a fuzzer has no time for it.
        return data == key_file_seeds()[0];
    }
    with_file(data, |path| SoftwareSigner::load(path, &Passphrase::from_bytes(PASSPHRASE))).is_ok()
}

pub(crate) fn key_file_seeds() -> Vec<Vec<u8>> {
    static SEED: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
        let path = std::env::temp_dir().join(format!("dancu-fuzz-key-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let mut rng = rng(5);
        let key = SoftwareSigner::generate(&mut rng);
        key.save(&path, &Passphrase::from_bytes(PASSPHRASE), &mut rng).expect("a new key file");
        let bytes = std::fs::read(&path).expect("the file that was just written");
        std::fs::remove_file(&path).expect("the file that was just read");
        bytes
    });
    vec![SEED.clone()]
}
