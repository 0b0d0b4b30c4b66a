//! A country's keys, and a card with a chip that they signed.

use std::collections::BTreeMap;

use card::data::{BirthDate, CardData, CardFields, Expiry, Sex};
use card::lds::{DataGroup, com, dg1, dg2, dg13::Dg13};
use card::mrz::Mrz;
use card::qr::QrText;
use card::sod::{SodTemplate, hash};
use hsm::SoftwareSigner;
use pki::{
    CSCA_P256, Certificate, DOCUMENT_SIGNER_P256, Name, SerialNumber, Signer, SigningToken, prepare_csca,
    prepare_document_signer,
};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use store::Database;
use time::OffsetDateTime;
use time::macros::{date, datetime};
use uuid::Uuid;

const START: OffsetDateTime = datetime!(2021-04-01 00:00 UTC);

/// As no other text of a page.
pub const NAME: &str = "Nguyễn Thị Mẫu Đơn";
pub const PIN: &str = "001199012345";

pub struct Chip {
    pub files: BTreeMap<String, Vec<u8>>,
    pub csca: Vec<u8>,
    pub qr: String,
    pub mrz: String,
}

pub fn chip() -> Chip {
    chip_with(&portrait())
}

/// A card with this photo.
pub fn chip_with(jpeg: &[u8]) -> Chip {
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let (csca_key, key) = (SoftwareSigner::generate(&mut rng), SoftwareSigner::generate(&mut rng));
    let name = |common| Name::new("VN", "dancu", common).unwrap();
    let serial = |number| SerialNumber::new(&[number]).unwrap();
    let token = |number| SigningToken::after_recording(serial(number));
    let sign = |prepared: pki::PreparedCertificate, number, key: &SoftwareSigner| -> Certificate {
        prepared.lint().and_then(|linted| linted.sign(token(number), key)).unwrap()
    };
    let csca = prepare_csca(&CSCA_P256, &name("CSCA"), serial(1), START, csca_key.public_key()).unwrap();
    let csca = sign(csca, 1, &csca_key);
    let profile = &DOCUMENT_SIGNER_P256;
    let signer = prepare_document_signer(profile, &csca, &name("DS"), serial(2), START, key.public_key());
    let signer = sign(signer.unwrap(), 2, &csca_key);

    let data = CardData::new(fields()).unwrap();
    let mrz = Mrz::from_card(&data);
    let groups = [
        (DataGroup::DG1, dg1::encode(&mrz)),
        (DataGroup::DG2, dg2::encode(jpeg).unwrap()),
        (DataGroup::DG13, Dg13::from_card(&data).encode()),
    ];
    let hashes: Vec<_> = groups.iter().map(|(group, file)| (*group, hash(file))).collect();
    let template = SodTemplate::new(signer.der()).unwrap();
    let prepared = template.prepare(&hashes).unwrap();
    let signature = key.sign(prepared.to_be_signed()).unwrap();
    let mut files = BTreeMap::from([
        ("EF.COM".to_owned(), com::encode(&groups.each_ref().map(|(group, _)| *group))),
        ("EF.SOD".to_owned(), prepared.assemble(&signature)),
    ]);
    files.extend(groups.into_iter().map(|(group, file)| (group.file_name(), file)));
    Chip {
        files,
        csca: csca.der().to_vec(),
        qr: QrText::from_card(&data).encode(),
        mrz: mrz.lines().join("\n"),
    }
}

fn fields() -> CardFields<'static> {
    CardFields {
        pin: PIN,
        cmnd: None,
        name: NAME,
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

fn portrait() -> Vec<u8> {
    let (width, height) = (48u16, 64u16);
    let pixels: Vec<u8> =
        (0..usize::from(width) * usize::from(height) * 3).map(|at| (at % 251) as u8).collect();
    let mut jpeg = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 60);
    encoder.encode(&pixels, width, height, jpeg_encoder::ColorType::Rgb).unwrap();
    jpeg
}

/// Makes the country this installation's own.
pub async fn trust(db: &Database, chip: &Chip) {
    let mut tx = db.begin().await.unwrap();
    sqlx::query(
        "INSERT INTO certificate (serial, role, subject, not_before, not_after, intended_at, der) \
         VALUES ('01', 'csca', 'CSCA', $1, $1, $1, $2)",
    )
    .bind(START)
    .bind(&chip.csca)
    .execute(&mut *tx)
    .await
    .unwrap();
    store::commit(tx).await.unwrap();
}

/// Enters the card into the register, or changes its state there.
pub async fn register(db: &Database, chip: &Chip, state: &str) {
    let mut tx = db.begin().await.unwrap();
    sqlx::query(
        "INSERT INTO card (card_id, number, application_id, person_id, pin, state, issued_on, ds_serial, token_sha256, \
           sod, unit_code, unit_path, intended_at) \
         VALUES ($1, 'CHECKED', $1, $1, $2, $3, '2021-04-06', '02', '', $4, '445', '42/445/', $5) \
         ON CONFLICT (card_id) DO UPDATE SET state = $3",
    )
    .bind(Uuid::from_u128(7))
    .bind(PIN)
    .bind(state)
    .bind(&chip.files["EF.SOD"])
    .bind(START)
    .execute(&mut *tx)
    .await
    .unwrap();
    store::commit(tx).await.unwrap();
}
