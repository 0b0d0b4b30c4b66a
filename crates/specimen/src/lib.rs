#![doc = include_str!("../README.md")]
#![allow(clippy::unwrap_used, reason = "it serves tests, which fail by panicking")]

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use time::OffsetDateTime;
use time::macros::{date, datetime};

use card::data::{BirthDate, CardData, CardFields, Expiry, Sex};
use card::lds::{DataGroup, com, dg1, dg2, dg13::Dg13};
use card::mrz::Mrz;
use card::sod::{DigestAlgorithm, SodTemplate, hash};
use hsm::SoftwareSigner;
use pki::{
    Certificate, HashAlgorithm, Name, SerialNumber, Signer, SigningToken, Suite, prepare_csca,
    prepare_document_signer,
};

/// From when the authorities' certificates are valid; [`person`]'s card is issued five days later.
pub const START: OffsetDateTime = datetime!(2021-04-01 00:00 UTC);

/// The headers of a JPEG of 240 by 320 pixels, which is all that a face record reads of it.
pub const PHOTO: &[u8] = b"\xFF\xD8\xFF\xC0\x00\x0B\x08\x01\x40\x00\xF0\x01\x01\x11\x00\xFF\xD9";

/// Elementary files by the names under which they are exported.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A signing authority (CSCA) and one document signer.
pub struct Country {
    pub suite: Suite,
    pub csca: Certificate,
    pub csca_key: SoftwareSigner,
    pub ds: Certificate,
    pub ds_key: SoftwareSigner,
}

impl Country {
    /// Viet Nam with keys on P-256.
    pub fn new(seed: u64) -> Country {
        Country::of("VN", Suite::ALL[0], seed)
    }

    /// The country with this code of two letters, its keys on the suite's curve.
    pub fn of(code: &str, suite: Suite, seed: u64) -> Country {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut key = || SoftwareSigner::generate_for(suite.algorithm, &mut rng);
        let keys = (key(), key());
        Country::with_keys(code, suite, keys)
    }

    /// [`Country::new`] whose signatures follow from what is signed, so that every run has the same bytes.
    pub fn reproducible(seed: u64) -> Country {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut key = || SoftwareSigner::generate(&mut rng).reproducible();
        let keys = (key(), key());
        Country::with_keys("VN", Suite::ALL[0], keys)
    }

    fn with_keys(code: &str, suite: Suite, (csca_key, ds_key): (SoftwareSigner, SoftwareSigner)) -> Country {
        // As real ones: names in Vietnamese, and a serial number of many bytes whose first bit is set.
        let name = |common| Name::new(code, "Dân cư", common).unwrap();
        let large = || SerialNumber::new(&[0x81; 19]).unwrap();
        let csca = prepare_csca(&suite.csca(), &name("CSCA (mẫu)"), large(), START, csca_key.public_key())
            .and_then(|prepared| prepared.lint()?.sign(SigningToken::after_recording(large()), &csca_key))
            .unwrap();
        let (profile, name) = (suite.document_signer(), name("Document signer 1"));
        let ds = prepare_document_signer(&profile, &csca, &name, serial(2), START, ds_key.public_key())
            .and_then(|prepared| prepared.lint()?.sign(token(2), &csca_key))
            .unwrap();
        Country { suite, csca, csca_key, ds, ds_key }
    }

    /// The data groups with EF.COM and EF.SOD, signed by the document signer.
    pub fn sign(&self, groups: &[(DataGroup, Vec<u8>)]) -> Files {
        self.sign_with(&self.ds, &self.ds_key, groups)
    }

    /// [`Country::sign`] by another key, under any certificate.
    pub fn sign_with(
        &self,
        certificate: &Certificate,
        key: &SoftwareSigner,
        groups: &[(DataGroup, Vec<u8>)],
    ) -> Files {
        let hashes: Vec<_> = groups.iter().map(|(group, file)| (*group, hash(file))).collect();
        let algorithm = self.suite.algorithm;
        let digest = match algorithm.hash() {
            HashAlgorithm::Sha256 => DigestAlgorithm::Sha256,
            HashAlgorithm::Sha384 => DigestAlgorithm::Sha384,
            HashAlgorithm::Sha512 => DigestAlgorithm::Sha512,
        };
        let template =
            SodTemplate::new(certificate.der()).unwrap().signed_with(digest, algorithm.identifier());
        let prepared = template.prepare(&hashes).unwrap();
        let signature = key.sign(prepared.to_be_signed()).unwrap();
        let mut files: Files = groups.iter().map(|(group, file)| (group.file_name(), file.clone())).collect();
        let listed: Vec<DataGroup> = groups.iter().map(|(group, _)| *group).collect();
        files.insert("EF.COM".into(), com::encode(&listed));
        files.insert("EF.SOD".into(), prepared.assemble(&signature));
        files
    }
}

/// A serial number of one byte; `number` is 1 to 127.
pub fn serial(number: u8) -> SerialNumber {
    SerialNumber::new(&[number]).unwrap()
}

/// The leave to sign once under that serial number, as if it had been recorded.
pub fn token(number: u8) -> SigningToken {
    SigningToken::after_recording(serial(number))
}

/// The facts of somebody who does not exist.
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

/// What every card has: DG1, DG2 with this JPEG, DG13.
pub fn groups(card: &CardData<'_>, photo: &[u8]) -> [(DataGroup, Vec<u8>); 3] {
    [
        (DataGroup::DG1, dg1::encode(&Mrz::from_card(card))),
        (DataGroup::DG2, dg2::encode(photo).unwrap()),
        (DataGroup::DG13, Dg13::from_card(card).encode()),
    ]
}
