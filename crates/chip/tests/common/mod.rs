//! A whole card of a person who does not exist, signed under authorities of its own.

use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

use card::data::{CardData, CardFields};
use card::lds::dg3::{self, Finger, FingerImage};
use card::lds::{DataGroup, card_access, dg14, dg15};
use card::mrz::Mrz;
use chip::ChipKeys;
use pki::Certificate;
use specimen::{Country, Files};

#[allow(dead_code, reason = "the test and the example use different parts")]
pub struct TestCard {
    /// Elementary files by their export names.
    pub files: Files,
    pub keys: ChipKeys,
    pub mrz: Mrz,
    pub csca: Certificate,
    pub document_signer: Certificate,
}

/// The same seed gives the same card.
pub fn build(seed: u64) -> TestCard {
    let country = Country::new(seed);
    let keys = ChipKeys::generate(&mut ChaCha20Rng::seed_from_u64(seed));
    let data = CardData::new(person()).unwrap();
    let [dg1, dg2, dg13] = specimen::groups(&data, &photo());
    let mut files = country.sign(&[
        dg1,
        dg2,
        (DataGroup::DG3, dg3::encode(&fingers(), &[])),
        dg13,
        (DataGroup::DG14, dg14::encode(&dg14::of_citizen_card(keys.agreement_key().clone()))),
        (DataGroup::DG15, dg15::encode(keys.signature_key())),
    ]);
    files.insert("EF.CardAccess".to_owned(), card_access::encode(&card_access::of_citizen_card()));
    TestCard { files, keys, mrz: Mrz::from_card(&data), csca: country.csca, document_signer: country.ds }
}

/// With every field filled.
fn person() -> CardFields<'static> {
    CardFields {
        cmnd: Some("012345678"),
        native_place: "Xã Mẫu, Huyện Thử, Tỉnh Ví Dụ",
        residence: "Thôn 1, Xã Mẫu, Huyện Thử, Tỉnh Ví Dụ",
        marks: "Nốt ruồi C: 2cm trên trước đầu lông mày phải",
        father: Some("Nguyễn Văn A"),
        mother: Some("Trần Thị B"),
        ..specimen::person()
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
