//! Card-verifiable certificates: made, read back, damaged, and one that others made.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::sync::LazyLock;

use proptest::prelude::*;
use time::macros::date;
use time::{Date, Duration};

use pki::*;
use support::Key;

const START: Date = date!(2021 - 03 - 01);

fn reference(mnemonic: &str, sequence: u32) -> HolderReference {
    HolderReference::new("VN", mnemonic, sequence).unwrap()
}

fn subject<'a>(holder: &str, role: CvRole, rights: Rights, key: &'a Key) -> CvSubject<'a> {
    CvSubject {
        holder: reference(holder, 1),
        authorization: Authorization { role, rights },
        public_key: key.public_key(),
        effective: START,
        expires: role.longest().end_from(START.midnight().assume_utc()).date(),
    }
}

fn sign(prepared: PreparedCvCertificate, key: &Key) -> CvCertificate {
    let token = SigningToken::after_recording(prepared.serial());
    prepared.sign(token, key).unwrap()
}

/// CVCA, domestic verifier and inspection system, each with its key.
struct Chain {
    keys: [Key; 3],
    cvca: CvCertificate,
    verifier: CvCertificate,
    system: CvCertificate,
}

fn chain(algorithm: SignatureAlgorithm, rights: Rights) -> Chain {
    let keys = [1, 2, 3].map(|seed| Key::of(algorithm, seed));
    let own = prepare_cvca(&subject("CVCA", CvRole::Cvca, Rights::ALL, &keys[0])).unwrap();
    let cvca = sign(own, &keys[0]);
    let wanted = subject("DVHANOI", CvRole::DomesticVerifier, Rights::ALL, &keys[1]);
    let verifier = sign(prepare_cv_certificate(&cvca, key_of(&keys[0]), &wanted).unwrap(), &keys[0]);
    let mut wanted = subject("ISDESK1", CvRole::InspectionSystem, rights, &keys[2]);
    wanted.expires = START + Duration::days(20);
    let system = sign(prepare_cv_certificate(&verifier, key_of(&keys[1]), &wanted).unwrap(), &keys[1]);
    Chain { keys, cvca, verifier, system }
}

fn key_of(key: &Key) -> CvPublicKey {
    CvPublicKey::from_spki(key.public_key()).unwrap()
}

static CHAIN: LazyLock<Chain> =
    LazyLock::new(|| chain(SignatureAlgorithm::EcdsaBrainpoolP256r1Sha256, Rights::ALL));

#[test]
fn a_chain_of_every_algorithm_reads_back_and_verifies() {
    for algorithm in SignatureAlgorithm::ALL {
        let rights = Rights { fingers: true, irises: false };
        let Chain { keys, cvca, verifier, system } = chain(algorithm, rights);
        let top = cvca.public_key(None).unwrap();
        assert_eq!(top, key_of(&keys[0]));
        cvca.verify(&top).unwrap();
        verifier.verify(&top).unwrap();
        let middle = verifier.public_key(Some(top.curve())).unwrap();
        system.verify(&middle).unwrap();
        assert_eq!(system.verify(&top).unwrap_err().to_string(), PkiError::BadSignature.to_string());
        assert_eq!(system.public_key(Some(top.curve())).unwrap(), key_of(&keys[2]));
        assert!(verifier.public_key(None).is_err(), "only a CVCA's certificate has domain parameters");

        assert!(cvca.is_self_signed() && !cvca.is_link());
        let authorization = system.authorization().unwrap();
        assert_eq!(authorization, Authorization { role: CvRole::InspectionSystem, rights });
        assert_eq!(
            (system.issuer().as_str(), system.holder().as_str()),
            ("VNDVHANOI00001", "VNISDESK100001")
        );
        assert_eq!((system.effective(), system.expires()), (START, date!(2021 - 03 - 21)));
        assert_eq!(CvCertificate::parse(system.bytes()).unwrap(), system);
        assert_eq!(CvCertificate::from_content(system.content()).unwrap(), system);
    }
}

#[test]
fn the_bytes_are_those_of_the_standard() {
    let bytes = CHAIN.system.bytes();
    // Doc 9303-12 §7.2.2: 7F21 {7F4E {5F29 00, 42 CAR, 7F49 …
    let head =
        b"\x7F\x21\x81\xE1\x7F\x4E\x81\x9A\x5F\x29\x01\x00\x42\x0EVNDVHANOI00001\x7F\x49\x4F\x06\x0A\x04\x00\
        \x7F\x00\x07\x02\x02\x02\x02\x03\x86\x41\x04";
    assert_eq!(&bytes[..head.len()], head);
    // … 5F20 CHR, 7F4C {06 id-IS, 53 rights}, 5F25 and 5F24 dates}, 5F37 signature}.
    let tail =
        b"\x5F\x20\x0EVNISDESK100001\x7F\x4C\x0E\x06\x09\x04\x00\x7F\x00\x07\x03\x01\x02\x01\x53\x01\x03\
        \x5F\x25\x06\x02\x01\x00\x03\x00\x01\x5F\x24\x06\x02\x01\x00\x03\x02\x01\x5F\x37\x40";
    let at = bytes.len() - 64 - tail.len();
    assert_eq!(&bytes[at..at + tail.len()], tail);
    let roles = [CHAIN.cvca.bytes(), CHAIN.verifier.bytes()].map(|bytes| {
        let at =
            bytes.windows(3).position(|w| w == [0x53, 0x01, w[2]] && w[2] & 0x3C == 0 && w[2] > 3).unwrap();
        bytes[at + 2]
    });
    assert_eq!(roles, [0xC3, 0x83]);
}

/// The eID test CVCA of the German test PKI, published with its test cards: brainpoolP256r1, self-signed, for
/// authentication terminals.
#[test]
fn a_certificate_that_others_made_is_read_and_verified() {
    const OTHERS: &str = "\
        7F218201B67F4E82016E5F290100420E44455445535465494430303030357F4982011D060A04007F0007020202020381\
        20A9FB57DBA1EEA9BC3E660A909D838D726E3BF623D52620282013481D1F6E537782207D5A0975FC2C3057EEF6753041\
        7AFFE7FB8055C126DC5C6CE94A4B44F330B5D9832026DC5C6CE94A4B44F330B5D9BBD77CBF958416295CF7E1CE6BCCDC\
        18FF8C07B68441048BD2AEB9CB7E57CB2C4B482FFC81B7AFB9DE27E1E3BD23C23A4453BD9ACE3262547EF835C3DAC4FD\
        97F8461A14611DC9C27745132DED8E545C1D54C72F0469978520A9FB57DBA1EEA9BC3E660A909D838D718C397AA3B561\
        A6F7901E0E82974856A78641049BFEBA8DC7FAAB6E3BDEB3FF794DBB800848FE4F6940A4CC7EECB5159C87DA53955058\
        92026D420A22596CD014ED1FD872DADA597DB0F8D64441041198F62D448701015F200E44455445535465494430303030\
        357F4C12060904007F0007030102025305FC0F13FFFF5F25060105000500045F24060108000500045F374058B4E65598\
        EFB9CA2CAFC05C80F5A907E8B69C3897C704739320896DC53492E47766841A9C3D4EAC85CE653D166B53DB06A70E735A\
        B93C88858811EF69D6B543";
    let digits: Vec<u8> = OTHERS.bytes().filter_map(|b| (b as char).to_digit(16)).map(|d| d as u8).collect();
    let mut bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    let certificate = CvCertificate::parse(&bytes).unwrap();
    assert_eq!(certificate.holder().as_str(), "DETESTeID00005");
    assert_eq!(
        (certificate.effective(), certificate.expires()),
        (date!(2015 - 05 - 04), date!(2018 - 05 - 04))
    );
    assert_eq!(certificate.authorization(), None, "not for inspection systems");
    let key = certificate.public_key(None).unwrap();
    assert_eq!((key.curve(), key.hash()), (Curve::BrainpoolP256r1, HashAlgorithm::Sha256));
    certificate.verify(&key).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    assert!(CvCertificate::parse(&bytes).unwrap().verify(&key).is_err());
}

#[test]
fn a_link_carries_the_new_key_under_the_old_one() {
    let (old_key, new_key) = (&CHAIN.keys[0], Key::of(SignatureAlgorithm::EcdsaP384Sha384, 9));
    let mut wanted = subject("CVCA", CvRole::Cvca, Rights::ALL, &new_key);
    wanted.holder = reference("CVCA", 2);
    let new = sign(prepare_cvca(&wanted).unwrap(), &new_key);
    let link = sign(prepare_cv_link(&CHAIN.cvca, key_of(old_key), &new, START).unwrap(), old_key);
    assert!(link.is_link());
    link.verify(&key_of(old_key)).unwrap();
    assert_eq!(link.public_key(None).unwrap(), key_of(&new_key), "its domain parameters may be others");
    assert_eq!((link.issuer(), link.holder()), (CHAIN.cvca.holder(), new.holder()));

    let stranger =
        sign(prepare_cvca(&subject("OTHER", CvRole::Cvca, Rights::ALL, &new_key)).unwrap(), &new_key);
    assert!(prepare_cv_link(&CHAIN.cvca, key_of(old_key), &stranger, START).is_err());
    assert!(prepare_cv_link(&CHAIN.cvca, key_of(old_key), &CHAIN.verifier, START).is_err());
}

fn refused(change: impl FnOnce(&mut CvSubject<'_>)) -> String {
    let mut wanted = subject("ISDESK2", CvRole::InspectionSystem, Rights::ALL, &CHAIN.keys[2]);
    change(&mut wanted);
    prepare_cv_certificate(&CHAIN.verifier, key_of(&CHAIN.keys[1]), &wanted).unwrap_err().to_string()
}

#[test]
fn an_issuer_gives_nothing_that_it_may_not_give() {
    static OTHER_CURVE: LazyLock<Key> = LazyLock::new(|| Key::of(SignatureAlgorithm::EcdsaP256Sha256, 1));
    assert!(refused(|s| s.expires += Duration::days(1)).contains("longest term"));
    assert!(refused(|s| s.expires = START - Duration::days(1)).contains("before the effective"));
    assert!(
        refused(|s| (s.effective, s.expires) = (START - Duration::days(1), START))
            .contains("not valid on that day")
    );
    assert!(refused(|s| s.authorization.role = CvRole::DomesticVerifier).contains("may not certify"));
    assert!(refused(|s| s.authorization.role = CvRole::Cvca).contains("link certificate"));
    assert!(refused(|s| s.holder = CHAIN.verifier.holder().clone()).contains("the issuer's"));
    assert!(refused(|s| s.public_key = OTHER_CURVE.public_key()).contains("curve of its issuer's"));
    let late = date!(2021 - 05 - 20);
    assert!(
        refused(|s| (s.effective, s.expires) = (late, date!(2021 - 06 - 10))).contains("after the issuer's")
    );

    let mut fingers = subject("DV2", CvRole::ForeignVerifier, Rights::NONE, &CHAIN.keys[1]);
    let poor =
        sign(prepare_cv_certificate(&CHAIN.cvca, key_of(&CHAIN.keys[0]), &fingers).unwrap(), &CHAIN.keys[0]);
    fingers = subject("IS", CvRole::InspectionSystem, Rights::ALL, &CHAIN.keys[2]);
    let beyond = prepare_cv_certificate(&poor, key_of(&CHAIN.keys[1]), &fingers).unwrap_err();
    assert!(beyond.to_string().contains("beyond the issuer's"), "{beyond}");
    let below = prepare_cv_certificate(&CHAIN.system, key_of(&CHAIN.keys[2]), &fingers).unwrap_err();
    assert!(below.to_string().contains("may not certify"), "{below}");
}

#[test]
fn signing_needs_its_own_token_and_key() {
    let prepare = || {
        let wanted = subject("ISDESK3", CvRole::InspectionSystem, Rights::ALL, &CHAIN.keys[2]);
        prepare_cv_certificate(&CHAIN.verifier, key_of(&CHAIN.keys[1]), &wanted).unwrap()
    };
    let other = prepare().sign(support::token(1), &CHAIN.keys[1]);
    assert!(matches!(other, Err(PkiError::WrongToken)));
    let prepared = prepare();
    let token = SigningToken::after_recording(prepared.serial());
    assert!(matches!(prepared.sign(token, &CHAIN.keys[0]), Err(PkiError::WrongKey)));
}

#[test]
fn references_and_dates_have_their_form() {
    assert_eq!(reference("ABCDEFGHI", 99_999).to_string(), "VNABCDEFGHI99999");
    assert_eq!(reference("A", 7).sequence(), Some(7));
    assert_eq!(reference("A", 7).holder(), "VNA");
    for (mnemonic, sequence) in [("", 1), ("ABCDEFGHIJ", 1), ("a", 1), ("Ă", 1), ("A", 100_000)] {
        assert!(HolderReference::new("VN", mnemonic, sequence).is_err(), "{mnemonic} {sequence}");
    }
    assert!(HolderReference::new("V", "A", 1).is_err());
    assert_eq!(cv_date_bytes(date!(2021 - 12 - 05)), Some([2, 1, 1, 2, 0, 5]));
    assert_eq!(cv_date_bytes(date!(2100 - 01 - 01)), None);
    assert_eq!(cv_date_bytes(date!(1999 - 12 - 31)), None);
    for wrong in [[2, 1, 1, 3, 0, 5], [2, 1, 0, 2, 3, 0], [2, 1, 1, 10, 0, 5], [0; 6]] {
        assert_eq!(cv_date(&wrong), None);
    }
}

#[test]
fn faults_have_their_place() {
    let mut bytes = CHAIN.system.bytes().to_vec();
    bytes[8] = 0x5E;
    let error = CvCertificate::parse(&bytes).unwrap_err().to_string();
    assert!(error.contains("profile identifier (5F29) expected, at byte 8"), "{error}");
    let long = [CHAIN.system.bytes(), &[0; 5_000]].concat();
    assert!(CvCertificate::parse(&long).unwrap_err().to_string().contains("longer than any certificate"));
    assert!(CvCertificate::from_content(&long).is_err());
    let more = [CHAIN.system.bytes(), &[0]].concat();
    assert!(CvCertificate::parse(&more).unwrap_err().to_string().contains("nothing more was expected"));
}

proptest! {
    #[test]
    fn truncated_certificates_are_refused(which in 0usize..3, part in 0.0f64..1.0) {
        let bytes = [&CHAIN.cvca, &CHAIN.verifier, &CHAIN.system][which].bytes();
        let cut = (bytes.len() as f64 * part) as usize;
        prop_assert!(CvCertificate::parse(&bytes[..cut]).is_err());
    }

    #[test]
    fn a_flipped_bit_is_never_accepted(
        which in 0usize..3,
        at in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let (certificate, key) =
            [(&CHAIN.cvca, 0), (&CHAIN.verifier, 0), (&CHAIN.system, 1)][which];
        let mut bytes = certificate.bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let accepted = CvCertificate::parse(&bytes)
            .is_ok_and(|certificate| certificate.verify(&key_of(&CHAIN.keys[key])).is_ok());
        prop_assert!(!accepted, "byte {at}, bit {bit}");
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(CvCertificate::parse(&bytes).is_err());
        prop_assert!(CvCertificate::from_content(&bytes).is_err());
        prop_assert!(CvPublicKey::from_object(&bytes).is_err());
    }

    #[test]
    fn what_is_made_reads_back(
        mnemonic in "[A-Z0-9]{1,9}",
        sequence in 0u32..100_000,
        fingers in any::<bool>(),
        irises in any::<bool>(),
        days in 0i64..28,
        start in 0i64..60,
    ) {
        let effective = START + Duration::days(start);
        let wanted = CvSubject {
            holder: reference(&mnemonic, sequence),
            authorization: Authorization {
                role: CvRole::InspectionSystem,
                rights: Rights { fingers, irises },
            },
            public_key: CHAIN.keys[2].public_key(),
            effective,
            expires: effective + Duration::days(days),
        };
        let prepared = prepare_cv_certificate(&CHAIN.verifier, key_of(&CHAIN.keys[1]), &wanted).unwrap();
        let made = sign(prepared, &CHAIN.keys[1]);
        prop_assert_eq!(made.holder(), &wanted.holder);
        prop_assert_eq!(made.authorization(), Some(wanted.authorization));
        prop_assert_eq!((made.effective(), made.expires()), (effective, wanted.expires));
        prop_assert_eq!(&CvCertificate::parse(made.bytes()).unwrap(), &made);
    }
}
