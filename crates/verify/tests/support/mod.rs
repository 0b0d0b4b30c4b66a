//! Cards of an invented country.

#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use card::{
    data::{BirthDate, CardData, CardFields, Expiry, Sex},
    lds::{DataGroup, card_access, com, dg1, dg2, dg3, dg13::Dg13, dg14, dg15},
    mrz::Mrz,
    sod::{DigestAlgorithm, SodTemplate, hash},
};
use chip::ChipKeys;
use hsm::SoftwareSigner;
use pki::*;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use time::OffsetDateTime;
use time::macros::{date, datetime};
use verify::{CheckCode, Outcome, Overall, Verdict, check_files};

pub const START: OffsetDateTime = datetime!(2021-04-01 00:00 UTC);
pub const NOW: OffsetDateTime = datetime!(2024-01-01 00:00 UTC);

/// The headers of a JPEG of 240 by 320 pixels.
pub const PHOTO: &[u8] = b"\xFF\xD8\xFF\xC0\x00\x0B\x08\x01\x40\x00\xF0\x01\x01\x11\x00\xFF\xD9";

pub struct Country {
    pub suite: Suite,
    pub csca: Certificate,
    pub csca_key: SoftwareSigner,
    pub ds: Certificate,
    pub ds_key: SoftwareSigner,
}

pub static HOME: LazyLock<Country> = LazyLock::new(|| country(Suite::ALL[0], 1));
pub static FILES: LazyLock<Files> = LazyLock::new(|| files(person(), person()));

pub type Files = BTreeMap<String, Vec<u8>>;

pub fn serial(number: u8) -> SerialNumber {
    SerialNumber::new(&[number]).unwrap()
}

pub fn token(number: u8) -> SigningToken {
    SigningToken::after_recording(serial(number))
}

pub fn name(common: &str) -> Name {
    Name::new("VN", "dancu", common).unwrap()
}

pub fn country(suite: Suite, seed: u64) -> Country {
    country_named(suite, seed, "VN")
}

pub fn country_named(suite: Suite, seed: u64, code: &str) -> Country {
    let name = |common| Name::new(code, "dancu", common).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut key = || SoftwareSigner::generate_for(suite.algorithm, &mut rng);
    let (csca_key, ds_key) = (key(), key());
    let csca = prepare_csca(&suite.csca(), &name("CSCA"), serial(1), START, csca_key.public_key())
        .and_then(|prepared| prepared.lint()?.sign(token(1), &csca_key))
        .unwrap();
    let profile = suite.document_signer();
    let ds = prepare_document_signer(&profile, &csca, &name("DS"), serial(2), START, ds_key.public_key())
        .and_then(|prepared| prepared.lint()?.sign(token(2), &csca_key))
        .unwrap();
    Country { suite, csca, csca_key, ds, ds_key }
}

pub fn person() -> CardFields<'static> {
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
pub fn files(in_mrz: CardFields<'_>, in_dg13: CardFields<'_>) -> Files {
    signed_files(&HOME, in_mrz, in_dg13)
}

pub fn signed_files(country: &Country, in_mrz: CardFields<'_>, in_dg13: CardFields<'_>) -> Files {
    let mrz = Mrz::from_card(&CardData::new(in_mrz).unwrap());
    let dg13 = Dg13::from_card(&CardData::new(in_dg13).unwrap());
    let groups = [
        (DataGroup::DG1, dg1::encode(&mrz)),
        (DataGroup::DG2, dg2::encode(PHOTO).unwrap()),
        (DataGroup::DG13, dg13.encode()),
    ];
    sign(country, &country.ds, &country.ds_key, &groups)
}

/// A card with everything that a chip may hold; `seed` makes its keys, its photo and its fingers its own.
pub fn whole_card(country: &Country, seed: u8, fields: CardFields<'_>) -> Files {
    let data = CardData::new(fields).unwrap();
    let keys = ChipKeys::derive(&[7; 32], &[seed]);
    let photo = [PHOTO, &[seed]].concat();
    let finger = dg3::FingerImage::packed(dg3::Finger::RightIndex, 16, 2, vec![seed; 4]).unwrap();
    let groups = [
        (DataGroup::DG1, dg1::encode(&Mrz::from_card(&data))),
        (DataGroup::DG2, dg2::encode(&photo).unwrap()),
        (DataGroup::DG3, dg3::encode(&[finger], &[])),
        (DataGroup::DG13, Dg13::from_card(&data).encode()),
        (DataGroup::DG14, dg14::encode(&dg14::of_citizen_card(keys.agreement_key().clone()))),
        (DataGroup::DG15, dg15::encode(keys.signature_key())),
    ];
    let mut files = sign(country, &country.ds, &country.ds_key, &groups);
    files.insert("EF.CardAccess".into(), card_access::encode(&card_access::of_citizen_card()));
    files
}

/// EF.SOD signed by this key under this certificate, EF.COM, and the data groups.
pub fn sign(
    country: &Country,
    certificate: &Certificate,
    key: &SoftwareSigner,
    groups: &[(DataGroup, Vec<u8>)],
) -> Files {
    let hashes: Vec<_> = groups.iter().map(|(group, file)| (*group, hash(file))).collect();
    let algorithm = country.suite.algorithm;
    let digest = if algorithm.hash() == HashAlgorithm::Sha384 {
        DigestAlgorithm::Sha384
    } else {
        DigestAlgorithm::Sha256
    };
    let template = SodTemplate::new(certificate.der()).unwrap().signed_with(digest, algorithm.identifier());
    let prepared = template.prepare(&hashes).unwrap();
    let signature = key.sign(prepared.to_be_signed()).unwrap();
    let mut files: Files = groups.iter().map(|(g, file)| (g.file_name(), file.clone())).collect();
    let listed: Vec<DataGroup> = groups.iter().map(|(group, _)| *group).collect();
    files.insert("EF.COM".into(), com::encode(&listed));
    files.insert("EF.SOD".into(), prepared.assemble(&signature));
    files
}

pub fn judge(files: &Files) -> Verdict {
    check_files(files, &[HOME.csca.der().to_vec()], NOW)
}

/// Exactly these checks fail, and the text of the first says this.
pub fn check_fails(verdict: &Verdict, codes: &[CheckCode], detail: &str) {
    let failed: Vec<_> = verdict.checks.iter().filter(|c| c.outcome == Outcome::Fail).collect();
    assert_eq!(failed.iter().map(|c| c.code).collect::<Vec<_>>(), codes, "{verdict:#?}");
    assert!(failed[0].detail.contains(detail), "{}", failed[0].detail);
    assert_eq!(verdict.overall, Overall::Rejected);
}
