//! Every suite: certificates, explicit parameters, link certificates, revocation lists, master lists.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::{fs, process::Command};

use time::{Duration, OffsetDateTime, macros::datetime};

use pki::*;

mod support;
use support::*;

const START: OffsetDateTime = datetime!(2021-01-01 00:00 UTC);

struct Country {
    suite: Suite,
    csca_key: Key,
    csca: Certificate,
    ds_key: Key,
    ds: Certificate,
}

fn country(suite: Suite, seed: u64) -> Country {
    let (csca_key, ds_key) = (Key::of(suite.algorithm, seed), Key::of(suite.algorithm, seed + 1));
    let csca = csca(suite, &csca_key, 1, START);
    let name = Name::new("VN", "Dân cư", "DS").unwrap();
    let profile = suite.document_signer();
    let ds = prepare_document_signer(&profile, &csca, &name, serial(2), START, ds_key.public_key())
        .and_then(|prepared| prepared.lint()?.sign(token(2), &csca_key))
        .unwrap();
    Country { suite, csca_key, csca, ds_key, ds }
}

fn csca(suite: Suite, key: &Key, number: u8, at: OffsetDateTime) -> Certificate {
    let name = Name::new("VN", "Dân cư", "CSCA").unwrap();
    prepare_csca(&suite.csca(), &name, serial(number), at, key.public_key())
        .and_then(|prepared| prepared.lint()?.sign(token(number), key))
        .unwrap()
}

fn list_signer(country: &Country, key: &Key) -> Certificate {
    let name = Name::new("VN", "Dân cư", "Master list signer").unwrap();
    let profile = country.suite.master_list_signer();
    prepare_master_list_signer(&profile, &country.csca, &name, serial(3), START, key.public_key())
        .and_then(|prepared| prepared.lint()?.sign(token(3), &country.csca_key))
        .unwrap()
}

#[test]
fn every_suite_makes_certificates_that_verify_and_write_the_curve_as_asked() {
    for suite in Suite::ALL {
        let country = country(suite, 10);
        country.ds.verify_signed_by(&country.csca).unwrap();
        assert!(country.csca.verify_signed_by(&country.ds).is_err());
        for certificate in [&country.csca, &country.ds] {
            let (key, form) = PublicKey::with_form(certificate.public_key()).unwrap();
            assert_eq!(form, suite.parameters, "{}", suite.name);
            assert!(matches!(key, PublicKey::Ec { curve, .. } if curve == suite.algorithm.curve()));
        }
        assert_eq!(Suite::named(suite.name), Some(suite));
        assert_eq!(country.ds_key.algorithm(), suite.algorithm);
    }
    assert_eq!(Suite::named("p521"), None);
}

#[test]
fn openssl_writes_the_same_explicit_parameters_and_reads_our_certificates() {
    let folder = tempfile::tempdir().unwrap();
    for (suite, name) in [
        ("p256-explicit", "prime256v1"),
        ("p384-explicit", "secp384r1"),
        ("brainpool-p256r1-explicit", "brainpoolP256r1"),
    ] {
        let suite = Suite::named(suite).unwrap();
        let arguments = ["ecparam", "-name", name, "-param_enc", "explicit", "-no_seed", "-outform", "DER"];
        let theirs = Command::new("openssl").args(arguments).output().unwrap().stdout;
        assert_eq!(suite.algorithm.curve().parameters(ParameterForm::Explicit), theirs, "{name}");

        let country = country(suite, 20);
        let path = folder.path().join("ds.der");
        fs::write(&path, country.ds.der()).unwrap();
        let shown = Command::new("openssl")
            .args(["x509", "-inform", "DER", "-noout", "-text", "-in"])
            .arg(&path)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&shown.stdout);
        assert!(text.contains("Cofactor"), "{text}");
        assert!(text.contains("Generator (uncompressed)"), "{text}");
    }
}

#[test]
fn a_link_certificate_leads_from_the_old_trust_to_the_new_key() {
    let suite = Suite::named("brainpool-p256r1-explicit").unwrap();
    let old = country(suite, 30);
    let new_key = Key::of(suite.algorithm, 40);
    let later = datetime!(2024-06-01 00:00 UTC);
    let new = csca(suite, &new_key, 4, later);
    let link = prepare_csca_link(&suite.csca_link(), &old.csca, &new, serial(5), later)
        .and_then(|prepared| prepared.lint()?.sign(token(5), &old.csca_key))
        .unwrap();
    assert!(link.is_link() && link.is_self_issued() && !new.is_link());
    let name = Name::new("VN", "Dân cư", "DS 2").unwrap();
    let ds_key = Key::of(suite.algorithm, 50);
    let ds =
        prepare_document_signer(&suite.document_signer(), &new, &name, serial(6), later, ds_key.public_key())
            .and_then(|prepared| prepared.lint()?.sign(token(6), &new_key))
            .unwrap();

    let (trust, links) = ([old.csca.clone()], [new.clone(), link.clone()]);
    let path = build_path(&ds, &trust, &links).unwrap();
    assert_eq!(path.iter().map(|c| c.der()).collect::<Vec<_>>(), [link.der(), old.csca.der()]);
    assert_eq!(build_path(&old.ds, &trust, &links).unwrap().len(), 1);
    // Without the link, or with it and a stranger's trust, there is no path.
    assert!(build_path(&ds, &trust, &[]).is_err());
    assert!(build_path(&ds, &[csca(suite, &Key::of(suite.algorithm, 60), 9, START)], &links).is_err());
    assert!(build_path(&ds, &[], &links).is_err(), "an untrusted root must not be an anchor");

    // A link for the same key proves nothing and is not signed.
    let same = prepare_csca_link(&suite.csca_link(), &old.csca, &old.csca, serial(7), later).unwrap();
    let refused = same.lint().unwrap_err().to_string();
    assert!(refused.contains("other than the CSCA's"), "{refused}");
}

#[test]
fn a_profile_that_writes_the_curve_otherwise_than_asked_is_found() {
    let suite = Suite::named("p256").unwrap();
    let country = country(suite, 70);
    let name = Name::new("VN", "Dân cư", "DS").unwrap();
    let wrong = Profile { algorithm: SignatureAlgorithm::EcdsaP384Sha384, ..suite.document_signer() };
    let key = Key::of(suite.algorithm, 71);
    let prepared =
        prepare_document_signer(&wrong, &country.csca, &name, serial(8), START, key.public_key()).unwrap();
    let refused = prepared.lint().unwrap_err().to_string();
    assert!(refused.contains("profile's curve"), "{refused}");

    let with_purpose = Profile {
        extended_key_usage: suite.master_list_signer().extended_key_usage,
        ..suite.document_signer()
    };
    let prepared =
        prepare_document_signer(&with_purpose, &country.csca, &name, serial(8), START, key.public_key())
            .unwrap();
    let refused = prepared.lint().unwrap_err().to_string();
    assert!(refused.contains("extKeyUsage"), "{refused}");
}

#[test]
fn a_revocation_list_of_every_suite_says_what_it_was_given() {
    for suite in Suite::ALL {
        let country = country(suite, 80);
        let sign = |number, revoked: &[Revocation]| {
            let next = START + Duration::days(90);
            prepare_crl(&country.csca, suite.algorithm, number, START, next, revoked)
                .and_then(|prepared| prepared.sign(&country.csca_key))
        };
        let revocation = Revocation { serial: serial(2), at: START, reason: Some(1) };
        let list =
            Crl::from_der(&sign(258, std::slice::from_ref(&revocation)).unwrap(), &country.csca).unwrap();
        assert_eq!(list.number().unwrap(), [1, 2]);
        assert_eq!(list.reason(&country.ds), Some(1));
        assert_eq!(list.revoked_at(&country.ds), Some(START));
        assert!(!list.is_over(START + Duration::days(90)) && list.is_over(START + Duration::days(91)));
        assert!(!list.is_over(START - Duration::days(400)), "it knows what was revoked until then");
        assert!(sign(259, &[revocation.clone(), revocation.clone()]).is_err(), "listed twice");
        for reason in [0, 7, 8, 11] {
            assert!(sign(259, &[Revocation { reason: Some(reason), ..revocation.clone() }]).is_err());
        }
    }
}

#[test]
fn a_master_list_goes_out_and_comes_in() {
    for suite in Suite::ALL {
        let home = country(suite, 90);
        let other = country(Suite::ALL[0], 100);
        let key = Key::of(suite.algorithm, 110);
        let signer = list_signer(&home, &key);
        assert!(signer.is_master_list_signer() && !home.ds.is_master_list_signer());
        let at = START + Duration::DAY;
        let certificates = [home.csca.clone(), other.csca.clone()];
        let der = prepare_master_list(&certificates, &signer, &home.csca, at)
            .and_then(|prepared| prepared.sign(&key))
            .unwrap();
        let list = MasterList::from_der(&der, std::slice::from_ref(&home.csca)).unwrap();
        assert_eq!((list.signed_at(), list.left_out()), (Some(at), 0));
        let mut expected = certificates.clone().map(|c| c.der().to_vec());
        expected.sort();
        let found: Vec<_> = list.certificates().iter().map(|c| c.der().to_vec()).collect();
        assert_eq!(found, expected);

        let untrusted = MasterList::from_der(&der, std::slice::from_ref(&other.csca)).unwrap_err();
        assert!(matches!(untrusted, PkiError::UnknownIssuer), "{untrusted}");
        // Only a CSCA's certificate may stand on a list, and only a master list signer may sign one.
        assert!(prepare_master_list(std::slice::from_ref(&home.ds), &signer, &home.csca, at).is_err());
        assert!(prepare_master_list(&certificates, &home.ds, &home.csca, at).is_err());
        let late = signer.key_usage_period().unwrap().not_after.unwrap() + Duration::SECOND;
        assert!(prepare_master_list(&certificates, &signer, &home.csca, late).is_err());
    }
}

#[test]
fn openssl_verifies_a_master_list() {
    let folder = tempfile::tempdir().unwrap();
    let home = country(Suite::named("p384").unwrap(), 120);
    let key = Key::of(home.suite.algorithm, 130);
    let signer = list_signer(&home, &key);
    let at = START + Duration::DAY;
    let der = prepare_master_list(std::slice::from_ref(&home.csca), &signer, &home.csca, at)
        .and_then(|prepared| prepared.sign(&key))
        .unwrap();
    let (list, anchor) = (folder.path().join("list.ml"), folder.path().join("csca.pem"));
    fs::write(&anchor, home.csca.to_pem().unwrap()).unwrap();
    let verify = |der: &[u8]| {
        fs::write(&list, der).unwrap();
        let moment = at.unix_timestamp().to_string();
        Command::new("openssl")
            .args(["cms", "-verify", "-inform", "DER", "-purpose", "any", "-attime", &moment, "-in"])
            .arg(&list)
            .arg("-CAfile")
            .arg(&anchor)
            .args(["-out", "/dev/null"])
            .output()
            .unwrap()
    };
    let accepted = verify(&der);
    assert!(accepted.status.success(), "{}", String::from_utf8_lossy(&accepted.stderr));
    let mut changed = der.clone();
    let within = changed.windows(4).position(|w| w == b"CSCA").unwrap();
    changed[within] = b'X';
    assert!(!verify(&changed).status.success());
    assert!(MasterList::from_der(&changed, std::slice::from_ref(&home.csca)).is_err());
}

proptest::proptest! {
    #[test]
    fn a_changed_bit_of_a_master_list_is_noticed(at in 0usize..10_000, bit in 0u8..8) {
        use std::sync::LazyLock;
        static LIST: LazyLock<(Certificate, Vec<u8>)> = LazyLock::new(|| {
            let home = country(Suite::ALL[0], 140);
            let key = Key::of(home.suite.algorithm, 150);
            let signer = list_signer(&home, &key);
            let der = prepare_master_list(std::slice::from_ref(&home.csca), &signer, &home.csca, START)
                .and_then(|prepared| prepared.sign(&key))
                .unwrap();
            (home.csca, der)
        });
        let (csca, der) = &*LIST;
        let mut changed = der.clone();
        let at = at % changed.len();
        changed[at] ^= 1 << bit;
        if let Ok(list) = MasterList::from_der(&changed, std::slice::from_ref(csca)) {
            // What is not signed (the CSCA's copy beside the list, version numbers) may change; the list may
            // not.
            proptest::prop_assert_eq!(list.certificates()[0].der(), csca.der());
        }
    }
}
