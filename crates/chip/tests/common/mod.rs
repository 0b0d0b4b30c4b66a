//! A whole card of a person who does not exist, signed under authorities of its own.

use card::data::{BirthDate, CardData, CardFields, Expiry, Sex};
use card::lds::dg3::{self, Finger, FingerImage};
use card::lds::{DataGroup, card_access, com, dg1, dg2, dg13, dg14, dg15};
use card::mrz::Mrz;
use card::sod::{self, SodTemplate};
use chip::ChipKeys;
use p256::ecdsa::{DerSignature, SigningKey, signature::Signer as _};
use p256::elliptic_curve::Generate;
use p256::pkcs8::EncodePublicKey;
use pki::{
    CSCA_P256, Certificate, DOCUMENT_SIGNER_P256, Name, SerialNumber, SignError, SignatureAlgorithm, Signer,
    SigningToken, prepare_csca, prepare_document_signer,
};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use std::collections::BTreeMap;
use time::OffsetDateTime;
use time::macros::{date, datetime};

/// The moment at which the authorities begin and the card is issued.
pub const ISSUED: OffsetDateTime = datetime!(2021-04-06 0:00 UTC);

#[allow(dead_code, reason = "the test and the example use different parts")]
pub struct TestCard {
    /// Elementary files by their export names.
    pub files: BTreeMap<String, Vec<u8>>,
    pub keys: ChipKeys,
    pub mrz: Mrz,
    pub csca: Certificate,
    pub document_signer: Certificate,
}

struct Key {
    key: SigningKey,
    public: Vec<u8>,
}

impl Key {
    fn generate(rng: &mut ChaCha20Rng) -> Key {
        let key = SigningKey::generate_from_rng(rng);
        let public = key.verifying_key().to_public_key_der().unwrap().into_vec();
        Key { key, public }
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
        let signature: DerSignature = self.key.sign(message);
        Ok(signature.as_bytes().to_vec())
    }
}

/// The same seed gives the same card.
pub fn build(seed: u64) -> TestCard {
    let rng = &mut ChaCha20Rng::seed_from_u64(seed);
    let (csca_key, signer_key) = (Key::generate(rng), Key::generate(rng));
    let serial = |number: u8| SerialNumber::new(&[number; 16]).unwrap();
    let name = |common: &str| Name::new("VN", "dancu test", common).unwrap();
    let csca = prepare_csca(&CSCA_P256, &name("CSCA"), serial(1), ISSUED, csca_key.public_key()).unwrap();
    let csca = csca.lint().unwrap().sign(SigningToken::after_recording(serial(1)), &csca_key).unwrap();
    let signer = prepare_document_signer(
        &DOCUMENT_SIGNER_P256,
        &csca,
        &name("Document Signer"),
        serial(2),
        ISSUED,
        signer_key.public_key(),
    );
    let signer = signer.unwrap().lint().unwrap();
    let document_signer = signer.sign(SigningToken::after_recording(serial(2)), &csca_key).unwrap();

    let keys = ChipKeys::generate(rng);
    let data = CardData::new(person()).unwrap();
    let mrz = Mrz::from_card(&data);
    let groups = [
        (DataGroup::DG1, dg1::encode(&mrz)),
        (DataGroup::DG2, dg2::encode(&photo()).unwrap()),
        (DataGroup::DG3, dg3::encode(&fingers(), &[])),
        (DataGroup::DG13, dg13::Dg13::from_card(&data).encode()),
        (DataGroup::DG14, dg14::encode(&dg14::of_citizen_card(keys.agreement_key().clone()))),
        (DataGroup::DG15, dg15::encode(keys.signature_key())),
    ];
    let hashes: Vec<_> = groups.iter().map(|(group, file)| (*group, sod::hash(file))).collect();
    let template = SodTemplate::new(document_signer.der()).unwrap();
    let prepared = template.prepare(&hashes).unwrap();
    let signature = signer_key.sign(prepared.to_be_signed()).unwrap();
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::from([
        ("EF.COM".to_owned(), com::encode(&groups.each_ref().map(|(group, _)| *group))),
        ("EF.SOD".to_owned(), prepared.assemble(&signature)),
        ("EF.CardAccess".to_owned(), card_access::encode(&card_access::of_citizen_card())),
    ]);
    files.extend(groups.into_iter().map(|(group, file)| (group.file_name(), file)));
    TestCard { files, keys, mrz, csca, document_signer }
}

fn person() -> CardFields<'static> {
    CardFields {
        pin: "001199012345",
        cmnd: Some("012345678"),
        name: "Nguyễn Thị Mẫu",
        birth: BirthDate::Full(date!(1999 - 01 - 01)),
        sex: Sex::Female,
        nationality: "Việt Nam",
        ethnicity: "Kinh",
        religion: "Không",
        native_place: "Xã Mẫu, Huyện Thử, Tỉnh Ví Dụ",
        residence: "Thôn 1, Xã Mẫu, Huyện Thử, Tỉnh Ví Dụ",
        marks: "Nốt ruồi C: 2cm trên trước đầu lông mày phải",
        father: Some("Nguyễn Văn A"),
        mother: Some("Trần Thị B"),
        spouse: None,
        issued: date!(2021 - 04 - 06),
        expires: Expiry::On(date!(2039 - 01 - 01)),
    }
}

/// A picture of no one, small, because the virtual reader takes its time for each command.
pub fn photo() -> Vec<u8> {
    let (width, height) = (120u16, 160u16);
    let pixel = |x: u32, y: u32| [(x * y % 251) as u8, (x * 3 % 256) as u8, (y * x / 7 % 256) as u8];
    let pixels: Vec<u8> =
        (0..u32::from(height)).flat_map(|y| (0..u32::from(width)).flat_map(move |x| pixel(x, y))).collect();
    let mut jpeg = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 40);
    encoder.encode(&pixels, width, height, jpeg_encoder::ColorType::Rgb).unwrap();
    jpeg
}

/// Stripes that belong to no finger.
fn fingers() -> [FingerImage; 2] {
    let (width, height) = (240u16, 308u16);
    let rows = |shift: usize| {
        (0..usize::from(height))
            .flat_map(move |y| [0x0F_u8.rotate_left(((y + shift) / 5 % 8) as u32); 30])
            .collect()
    };
    [(Finger::RightIndex, 0), (Finger::LeftIndex, 3)]
        .map(|(finger, shift)| FingerImage::packed(finger, width, height, rows(shift)).unwrap())
}
