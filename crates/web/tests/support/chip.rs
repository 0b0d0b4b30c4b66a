//! A country's keys, and a card with a chip that they signed.

use time::Duration;
use uuid::Uuid;

use card::data::{CardData, CardFields};
use card::mrz::Mrz;
use card::qr::QrText;
use pki::prepare_crl;
use specimen::{Country, Files, START, groups, person};
use store::Database;

/// As no other text of a page.
pub const NAME: &str = "Nguyễn Thị Mẫu Đơn";
pub const PIN: &str = "001199012345";

pub struct Chip {
    pub files: Files,
    pub csca: Vec<u8>,
    /// A revocation list of the day on which the country began, without anybody on it.
    pub crl: Vec<u8>,
    pub qr: String,
    pub mrz: String,
}

pub fn chip() -> Chip {
    chip_with(&portrait())
}

/// A card with this photo.
pub fn chip_with(jpeg: &[u8]) -> Chip {
    let country = Country::new(7);
    let card = CardData::new(CardFields { name: NAME, pin: PIN, ..person() }).unwrap();
    Chip {
        files: country.sign(&groups(&card, jpeg)),
        csca: country.csca.der().to_vec(),
        crl: list(&country),
        qr: QrText::from_card(&card).encode(),
        mrz: Mrz::from_card(&card).lines().join("\n"),
    }
}

fn list(country: &Country) -> Vec<u8> {
    let next = START + Duration::days(90);
    prepare_crl(&country.csca, country.suite.algorithm, 1, START, next, &[])
        .and_then(|prepared| prepared.sign(&country.csca_key))
        .unwrap()
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
    sqlx::query(
        "INSERT INTO crl (issuer_serial, number, this_update, next_update, der) VALUES ('01', 1, $1, $1, $2)",
    )
    .bind(START)
    .bind(&chip.crl)
    .execute(&mut *tx)
    .await
    .unwrap();
    store::commit(tx).await.unwrap();
}

/// Enters the card into the register, or changes its state there.
pub async fn register(db: &Database, chip: &Chip, state: &str) {
    let mut tx = db.begin().await.unwrap();
    sqlx::query(
        "INSERT INTO card (card_id, number, application_id, person_id, pin, state, issued_on, ds_serial, \
         token_sha256, \
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
