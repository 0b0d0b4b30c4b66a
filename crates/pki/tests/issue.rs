//! prepare → lint → sign, lists and paths, with a key that lives in the test.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use p256::{
    ecdsa::{Signature, SigningKey, signature::Signer as _},
    elliptic_curve::Generate,
    pkcs8::EncodePublicKey,
};
use rand::SeedableRng;
use time::{Duration, OffsetDateTime, macros::datetime};

use pki::*;

const START: OffsetDateTime = datetime!(2021-01-01 00:00 UTC);

struct Key {
    key: SigningKey,
    public: Vec<u8>,
}

impl Key {
    fn new(seed: u64) -> Key {
        let secret = p256::SecretKey::generate_from_rng(&mut rand_chacha::ChaCha20Rng::seed_from_u64(seed));
        let public = secret.public_key().to_public_key_der().unwrap().into_vec();
        Key { key: SigningKey::from(&secret), public }
    }
}

impl Signer for Key {
    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::EcdsaP256Sha256
    }

    fn public_key(&self) -> &[u8] {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let signature: Signature = self.key.sign(message);
        Ok(signature.to_der().as_bytes().to_vec())
    }
}

fn serial(number: u8) -> SerialNumber {
    SerialNumber::new(&[number]).unwrap()
}

fn token(number: u8) -> SigningToken {
    SigningToken::after_recording(serial(number))
}

fn csca_prepared(profile: &Profile, key: &Key) -> PreparedCertificate {
    let name = Name::new("VN", "Dân cư", "CSCA").unwrap();
    prepare_csca(profile, &name, serial(1), START, &key.public).unwrap()
}

fn csca(key: &Key) -> Certificate {
    csca_prepared(&CSCA_P256, key).lint().unwrap().sign(token(1), key).unwrap()
}

fn ds_prepared(
    profile: &Profile,
    csca: &Certificate,
    start: OffsetDateTime,
    key: &Key,
) -> PreparedCertificate {
    let name = Name::new("VN", "Dân cư", "DS 1").unwrap();
    prepare_document_signer(profile, csca, &name, serial(0xFE), start, &key.public).unwrap()
}

fn findings(result: Result<LintedCertificate, PkiError>) -> Vec<Finding> {
    match result {
        Err(PkiError::Lint(findings)) => findings,
        other => panic!("expected findings, got {other:?}"),
    }
}

#[test]
fn certificates_say_what_the_profile_says() {
    let (root, signer) = (Key::new(1), Key::new(2));
    let csca = csca(&root);
    assert!(csca.is_self_issued() && csca.is_authority() && !csca.is_document_signer());
    assert_eq!((csca.not_before(), csca.not_after()), (START, datetime!(2068-03-31 23:59:59 UTC)));
    let period = csca.key_usage_period().unwrap();
    assert_eq!(period.not_after, Some(datetime!(2025-12-31 23:59:59 UTC)));

    let ds = ds_prepared(&DOCUMENT_SIGNER_P256, &csca, START, &signer).lint().unwrap();
    let ds = ds.sign(token(0xFE), &root).unwrap();
    assert!(ds.is_document_signer() && !ds.is_authority());
    assert_eq!(ds.serial(), [0xFE]);
    assert_eq!(ds.not_after(), datetime!(2063-03-31 23:59:59 UTC));
    assert_eq!(ds.key_usage_period().unwrap().not_after, Some(datetime!(2021-03-31 23:59:59 UTC)));
    assert_eq!(ds.authority_key_identifier(), csca.subject_key_identifier());
    assert_eq!(Certificate::from_pem(&ds.to_pem().unwrap()).unwrap().der(), ds.der());
}

#[test]
fn a_token_signs_its_own_serial_number_with_the_issuers_key_only() {
    let (root, signer) = (Key::new(1), Key::new(2));
    let linted = || csca_prepared(&CSCA_P256, &root).lint().unwrap();
    assert!(matches!(linted().sign(token(9), &root), Err(PkiError::WrongToken)));
    assert!(matches!(linted().sign(token(1), &signer), Err(PkiError::WrongKey)));
    for bad in [&[][..], &[0, 0], &[0x80; 20], &[1; 21]] {
        assert!(SerialNumber::new(bad).is_err());
    }
    assert!(SerialNumber::new(&[0x7F; 20]).is_ok());
}

#[test]
fn lints_name_what_a_changed_profile_breaks() {
    let (root, signer) = (Key::new(1), Key::new(2));
    let profile = Profile { path_length: None, key_usage: &[0, 5, 6], ..CSCA_P256 };
    let found = findings(csca_prepared(&profile, &root).lint());
    assert!(found.iter().any(|f| f.clause.contains("keyUsage")));
    assert!(found.iter().any(|f| f.clause.contains("basicConstraints")));

    let csca = csca(&root);
    let long = Profile { private_key_usage: Term { years: 1, months: 0 }, ..DOCUMENT_SIGNER_P256 };
    let found = findings(ds_prepared(&long, &csca, START, &signer).lint());
    assert!(found.iter().any(|f| f.problem.contains("three months")), "{found:?}");

    // Ten years: shorter than the cards of almost everyone who gets one at 14 or later.
    let ten = Term { years: 10, months: 0 };
    let short = Profile { validity: ten, ..DOCUMENT_SIGNER_P256 };
    let found = findings(ds_prepared(&short, &csca, START, &signer).lint());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].problem.contains("last card"), "{found:?}");
    let found = findings(csca_prepared(&Profile { validity: ten, ..CSCA_P256 }, &root).lint());
    assert!(found[0].problem.contains("document signer's certificate"), "{found:?}");

    let late = datetime!(2026-01-02 00:00 UTC);
    let found = findings(ds_prepared(&DOCUMENT_SIGNER_P256, &csca, late, &signer).lint());
    assert!(found.iter().any(|f| f.problem.contains("outlive")), "{found:?}");

    let found = findings(ds_prepared(&DOCUMENT_SIGNER_P256, &csca, START, &root).lint());
    assert!(found.iter().any(|f| f.problem.contains("other than the CSCA's")), "{found:?}");

    let name = Name::new("LA", "Dân cư", "DS 1").unwrap();
    let foreign =
        prepare_document_signer(&DOCUMENT_SIGNER_P256, &csca, &name, serial(3), START, &signer.public)
            .unwrap();
    let found = findings(foreign.lint());
    assert!(found.iter().any(|f| f.problem.contains("countryName")), "{found:?}");
}

#[test]
fn a_document_signer_of_the_csca_keys_last_moment_still_ends_before_the_csca() {
    for start in [START, datetime!(2024-02-29 07:30 UTC), datetime!(2021-08-31 23:59:59 UTC)] {
        let (root, signer) = (Key::new(1), Key::new(2));
        let name = Name::new("VN", "Dân cư", "CSCA").unwrap();
        let csca = prepare_csca(&CSCA_P256, &name, serial(1), start, &root.public).unwrap();
        let csca = csca.lint().unwrap().sign(token(1), &root).unwrap();
        let last = csca.key_usage_period().unwrap().not_after.unwrap();
        ds_prepared(&DOCUMENT_SIGNER_P256, &csca, last, &signer).lint().unwrap();
    }
}

#[test]
fn a_path_leads_to_the_right_csca_in_its_time() {
    let (root, signer) = (Key::new(1), Key::new(2));
    let (home, stranger) = (csca(&root), csca(&Key::new(3)));
    let ds = ds_prepared(&DOCUMENT_SIGNER_P256, &home, START, &signer).lint().unwrap();
    let ds = ds.sign(token(0xFE), &root).unwrap();

    let found = find_issuer(&ds, [&stranger, &home]).unwrap();
    assert_eq!(found.der(), home.der());
    assert!(matches!(find_issuer(&ds, [&stranger]), Err(PkiError::UnknownIssuer)));
    assert!(check_roles(&ds, &home).is_ok());
    assert!(matches!(check_roles(&home, &home), Err(PkiError::WrongRole { .. })));
    assert!(matches!(check_roles(&ds, &ds), Err(PkiError::WrongRole { .. })));
    assert!(check_period(&ds, &home, START).is_ok());
    let before = check_period(&ds, &home, START - Duration::seconds(1));
    assert!(matches!(before, Err(PkiError::NotYetValid { .. })));
    let after = check_period(&ds, &home, datetime!(2063-04-01 00:00 UTC));
    assert!(matches!(after, Err(PkiError::Expired { whose: "the document signer's" })));

    let mut forged = ds.der().to_vec();
    let at = forged.windows(4).position(|w| w == b"DS 1").unwrap();
    forged[at] = b'X';
    let forged = Certificate::from_der(&forged).unwrap();
    assert!(matches!(find_issuer(&forged, [&home]), Err(PkiError::BadSignature)));
}

#[test]
fn a_list_revokes_what_it_names() {
    let root = Key::new(1);
    let csca = csca(&root);
    let next = START + Duration::days(90);
    let sign = |revoked: &[Revocation]| {
        let prepared = prepare_crl(&csca, root.algorithm(), 7, START, next, revoked).unwrap();
        prepared.sign(&root).unwrap()
    };
    let ds = ds_prepared(&DOCUMENT_SIGNER_P256, &csca, START, &Key::new(2)).lint().unwrap();
    let ds = ds.sign(token(0xFE), &root).unwrap();

    assert_eq!(Crl::from_der(&sign(&[]), &csca).unwrap().revoked_at(&ds), None);
    let der = sign(&[Revocation { serial: serial(0xFE), at: START, reason: None }]);
    let list = Crl::from_der(&der, &csca).unwrap();
    assert_eq!(list.revoked_at(&ds), Some(START));
    assert_eq!(list.revoked_at(&csca), None);
    assert_eq!(list.next_update(), Some(next));

    let other = self::csca(&Key::new(3));
    assert!(matches!(Crl::from_der(&der, &other), Err(PkiError::BadSignature)));
    let too_late = prepare_crl(&csca, root.algorithm(), 7, START, next + Duration::DAY, &[]);
    assert!(matches!(too_late, Err(PkiError::Invalid { field: "next update", .. })));
}

proptest::proptest! {
    #[test]
    fn damaged_certificates_never_panic(at in 0usize..900, byte in 0u8.., cut in 0usize..900) {
        use std::sync::LazyLock;
        static DER: LazyLock<Vec<u8>> = LazyLock::new(|| csca(&Key::new(1)).der().to_vec());
        let mut der = DER.clone();
        let index = at % der.len();
        der[index] = byte;
        let _ = Certificate::from_der(&der).map(|certificate| {
            let _ = certificate.verify_signed_by(&certificate);
            (certificate.key_usage_period(), certificate.not_after(), certificate.is_authority())
        });
        der.truncate(cut);
        let _ = Certificate::from_der(&der);
    }
}
