//! One synthetic card, damaged in every way that a check is for.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use card::{
    data::{BirthDate, CardData, CardFields, Expiry, Sex},
    lds::{DataGroup, com, dg1, dg2, dg13::Dg13},
    mrz::Mrz,
    sod::{SodTemplate, hash},
};
use hsm::SoftwareSigner;
use pki::*;
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use time::macros::{date, datetime};
use time::{Duration, OffsetDateTime};
use verify::{CheckCode, Outcome, Overall, Verdict, check_files};

const START: OffsetDateTime = datetime!(2021-04-01 00:00 UTC);
const NOW: OffsetDateTime = datetime!(2024-01-01 00:00 UTC);

/// The headers of a JPEG of 240 by 320 pixels.
const PHOTO: &[u8] = b"\xFF\xD8\xFF\xC0\x00\x0B\x08\x01\x40\x00\xF0\x01\x01\x11\x00\xFF\xD9";

struct Country {
    csca: Certificate,
    ds: Certificate,
    ds_key: SoftwareSigner,
}

static HOME: LazyLock<Country> = LazyLock::new(|| country(1));
static FILES: LazyLock<Files> = LazyLock::new(|| files(person(), person()));

type Files = BTreeMap<String, Vec<u8>>;

fn country(seed: u64) -> Country {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let (csca_key, ds_key) = (SoftwareSigner::generate(&mut rng), SoftwareSigner::generate(&mut rng));
    let serial = |n| SerialNumber::new(&[n]).unwrap();
    let token = |n| SigningToken::after_recording(serial(n));
    let name = |cn| Name::new("VN", "dancu", cn).unwrap();
    let csca = prepare_csca(&CSCA_P256, &name("CSCA"), serial(1), START, csca_key.public_key()).unwrap();
    let csca = csca.lint().unwrap().sign(token(1), &csca_key).unwrap();
    let key = ds_key.public_key();
    let ds =
        prepare_document_signer(&DOCUMENT_SIGNER_P256, &csca, &name("DS"), serial(2), START, key).unwrap();
    let ds = ds.lint().unwrap().sign(token(2), &csca_key).unwrap();
    Country { csca, ds, ds_key }
}

fn person() -> CardFields<'static> {
    CardFields {
        pin: "001199012345",
        cmnd: None,
        name: "Nguyễn Thị Mẫu",
        birth: BirthDate::Full(date!(1999 - 01 - 01)),
        sex: Sex::Female,
        nationality: "Việt Nam",
        ethnicity: "Kinh",
        religion: "Không",
        native_place: "Xã Mẫu",
        residence: "Xã Mẫu",
        marks: "",
        father: None,
        mother: None,
        spouse: None,
        issued: date!(2021 - 04 - 06),
        expires: Expiry::On(date!(2039 - 01 - 01)),
    }
}

/// A signed card whose MRZ and whose DG13 may be about different people.
fn files(in_mrz: CardFields<'_>, in_dg13: CardFields<'_>) -> Files {
    let mrz = Mrz::from_card(&CardData::new(in_mrz).unwrap());
    let dg13 = Dg13::from_card(&CardData::new(in_dg13).unwrap());
    let groups = [
        (DataGroup::DG1, dg1::encode(&mrz)),
        (DataGroup::DG2, dg2::encode(PHOTO).unwrap()),
        (DataGroup::DG13, dg13.encode()),
    ];
    let hashes: Vec<_> = groups.iter().map(|(group, file)| (*group, hash(file))).collect();
    let template = SodTemplate::new(HOME.ds.der()).unwrap();
    let prepared = template.prepare(&hashes).unwrap();
    let signature = HOME.ds_key.sign(prepared.to_be_signed()).unwrap();
    let mut files: Files = groups.iter().map(|(g, file)| (g.file_name(), file.clone())).collect();
    files.insert("EF.COM".into(), com::encode(&groups.map(|(group, _)| group)));
    files.insert("EF.SOD".into(), prepared.assemble(&signature));
    files
}

fn judge(files: &Files) -> Verdict {
    check_files(files, &[HOME.csca.der().to_vec()], NOW)
}

/// Exactly these checks fail, and the text of the first says this.
fn check_fails(verdict: &Verdict, codes: &[CheckCode], detail: &str) {
    let failed: Vec<_> = verdict.checks.iter().filter(|c| c.outcome == Outcome::Fail).collect();
    assert_eq!(failed.iter().map(|c| c.code).collect::<Vec<_>>(), codes, "{verdict:#?}");
    assert!(failed[0].detail.contains(detail), "{}", failed[0].detail);
    assert_eq!(verdict.overall, Overall::Rejected);
}

#[test]
fn a_genuine_card_passes_every_check() {
    let verdict = judge(&FILES);
    assert!(verdict.checks.iter().all(|c| c.outcome == Outcome::Pass), "{verdict:#?}");
    assert_eq!(verdict.overall, Overall::Genuine);
    assert_eq!(verdict.checks.len(), 10);
}

#[test]
fn a_flipped_byte_names_its_file() {
    let mut files = FILES.clone();
    let dg13 = files.get_mut("DG13").unwrap();
    let at = dg13.windows(5).position(|w| w == b"Kinh\x30").unwrap();
    dg13[at] = b'R';
    check_fails(&judge(&files), &[CheckCode::DataGroupHashes], "DG13 hash differs");

    let mut files = FILES.clone();
    *files.get_mut("DG2").unwrap().last_mut().unwrap() ^= 1;
    check_fails(&judge(&files), &[CheckCode::DataGroupHashes], "DG2 hash differs");
}

#[test]
fn an_exchanged_hash_breaks_the_signed_digest() {
    let mut files = FILES.clone();
    let wanted = hash(&files["DG1"]);
    let sod = files.get_mut("EF.SOD").unwrap();
    let at = sod.windows(32).position(|w| w == wanted).unwrap();
    sod[at] ^= 1;
    let codes = [CheckCode::SodStructure, CheckCode::DataGroupHashes];
    check_fails(&judge(&files), &codes, "not the one that was signed");
}

#[test]
fn a_changed_signature_fails_alone() {
    let mut files = FILES.clone();
    *files.get_mut("EF.SOD").unwrap().last_mut().unwrap() ^= 1;
    check_fails(&judge(&files), &[CheckCode::SodSignature], "signature");
}

#[test]
fn another_countrys_trust_is_no_trust() {
    let other = country(2);
    // Same name, other key.
    let verdict = check_files(&FILES, &[other.csca.der().to_vec()], NOW);
    check_fails(&verdict, &[CheckCode::Chain], "no trusted CSCA");
    check_fails(&check_files(&FILES, &[], NOW), &[CheckCode::Chain], "no trusted CSCA");
    let both = [b"garbage".to_vec(), other.csca.der().to_vec(), HOME.csca.der().to_vec()];
    assert_eq!(check_files(&FILES, &both, NOW).overall, Overall::Genuine);
}

#[test]
fn certificates_have_their_time() {
    let trust = [HOME.csca.der().to_vec()];
    let late = check_files(&FILES, &trust, START + Duration::days(43 * 366));
    check_fails(&late, &[CheckCode::Validity], "expired");
    let early = check_files(&FILES, &trust, START - Duration::DAY);
    check_fails(&early, &[CheckCode::Validity], "not yet valid");
}

#[test]
fn files_must_be_listed_and_signed() {
    let mut more = FILES.clone();
    more.insert("DG15".into(), vec![0x6F, 0]);
    let verdict = judge(&more);
    check_fails(&verdict, &[CheckCode::DataGroupHashes, CheckCode::FileList], "DG15 is not in EF.SOD");

    let mut other_list = FILES.clone();
    other_list.insert("EF.COM".into(), com::encode(&[DataGroup::DG1, DataGroup::DG2]));
    check_fails(&judge(&other_list), &[CheckCode::FileList], "DG13 is in EF.SOD but not in EF.COM");
}

#[test]
fn mrz_and_dg13_must_be_one_person() {
    let other = CardFields { pin: "001199012346", sex: Sex::Male, ..person() };
    let verdict = judge(&files(other, person()));
    check_fails(&verdict, &[CheckCode::MrzDg13Agreement], "personal number, sex");
}

#[test]
fn what_was_not_read_is_not_passed() {
    let mut without_sod = FILES.clone();
    without_sod.remove("EF.SOD");
    check_fails(&judge(&without_sod), &[CheckCode::SodStructure], "missing");

    let mut without_face = FILES.clone();
    without_face.remove("DG2");
    let verdict = judge(&without_face);
    assert_eq!(verdict.overall, Overall::Unproven, "{verdict:#?}");

    let mut only_sod = FILES.clone();
    only_sod.retain(|name, _| name == "EF.SOD");
    let verdict = judge(&only_sod);
    assert_eq!(verdict.overall, Overall::Unproven, "{verdict:#?}");
}

#[test]
fn every_flipped_bit_of_the_security_object_is_noticed() {
    let mut files = FILES.clone();
    // The signed digest, signature and frame; the hashes and the certificate are the property test's.
    let length = files["EF.SOD"].len();
    for at in (0..50).chain(length - 240..length) {
        for bit in 0..8 {
            files.get_mut("EF.SOD").unwrap()[at] ^= 1 << bit;
            assert_eq!(judge(&files).overall, Overall::Rejected, "byte {at}, bit {bit}");
            files.get_mut("EF.SOD").unwrap()[at] ^= 1 << bit;
        }
    }
    assert_eq!(judge(&files).overall, Overall::Genuine);
}

proptest! {
    #[test]
    fn any_flipped_bit_is_noticed(name in 0usize..4, at in any::<usize>(), bit in 0u8..8) {
        let mut files = FILES.clone();
        // EF.COM is not signed: its version digits can be changed unnoticed.
        let name = files.keys().filter(|name| *name != "EF.COM").nth(name).unwrap().clone();
        let file = files.get_mut(&name).unwrap();
        let index = at % file.len();
        file[index] ^= 1 << bit;
        prop_assert_eq!(judge(&files).overall, Overall::Rejected);
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), name in 0usize..5) {
        let mut files = FILES.clone();
        let name = files.keys().nth(name).unwrap().clone();
        files.insert(name, bytes.clone());
        let _ = check_files(&files, &[bytes], NOW);
    }
}
