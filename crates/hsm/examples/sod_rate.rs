//! Complete chip images a second on one core for each kind of key, beside what `openssl speed` signs:
//! `cargo run --release -p hsm --example sod_rate`. The same by the program: `dancu bench card`.

use std::hint::black_box;
use std::process::Command;

use rand::SeedableRng;
use time::macros::{date, datetime};

use card::{
    data::{BirthDate, CardData, CardFields, Expiry, Sex},
    lds::{DataGroup, com, dg1, dg2, dg13::Dg13},
    mrz::Mrz,
    qr::QrText,
    sod::{DigestAlgorithm, SodTemplate, hash},
};
use hsm::SoftwareSigner;
use pki::{
    HashAlgorithm, Name, SerialNumber, SignatureAlgorithm, Signer, SigningToken, Suite, prepare_csca,
    prepare_document_signer,
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    println!(
        "{:<16} {:>9} {:>9} {:>9} {:>7} {:>12}",
        "key", "openssl", "sign", "image", "ratio", "h for 2.9M"
    );
    for algorithm in SignatureAlgorithm::ALL {
        let (template, key) = signer(algorithm)?;
        let photo = photo();
        // Alternating, and the middle one of three: the machine may be busy with other things.
        let (mut theirs, mut signs, mut images) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..3 {
            theirs.push(openssl(algorithm)?);
            signs.push(rate(|| drop(black_box(key.sign(black_box(&[7; 74]))))));
            images.push(rate(|| {
                black_box(image(&template, &key, &photo));
            }));
        }
        let (theirs, signs, images) = (middle(theirs), middle(signs), middle(images));
        println!(
            "{:<16} {theirs:>9.0} {signs:>9.0} {images:>9.0} {:>7.3} {:>12.3}",
            algorithm.curve().name(),
            images / theirs,
            2_900_000.0 / images / 3600.0
        );
    }
    let template = signer(SignatureAlgorithm::EcdsaP256Sha256)?.0;
    let photo = photo();
    let floor = rate(|| {
        black_box(prepared(&template, &photo, |_| vec![0x30; 71]));
    });
    println!("without a signature {floor:.0}/s");
    Ok(())
}

fn signer(algorithm: SignatureAlgorithm) -> Result<(SodTemplate, SoftwareSigner)> {
    let suite = Suite::ALL.into_iter().find(|suite| suite.algorithm == algorithm).ok_or("no such suite")?;
    let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
    let mut key = || SoftwareSigner::generate_for(algorithm, &mut rng);
    let (csca_key, ds_key) = (key(), key());
    let start = datetime!(2021-01-01 00:00 UTC);
    let serial = || SerialNumber::new(&[1]);
    let name = |common| Name::new("VN", "dancu", common);
    let csca = prepare_csca(&suite.csca(), &name("CSCA")?, serial()?, start, csca_key.public_key())?
        .lint()?
        .sign(SigningToken::after_recording(serial()?), &csca_key)?;
    let (profile, key) = (suite.document_signer(), ds_key.public_key());
    let ds = prepare_document_signer(&profile, &csca, &name("DS")?, serial()?, start, key)?
        .lint()?
        .sign(SigningToken::after_recording(serial()?), &csca_key)?;
    let digest = match algorithm.hash() {
        HashAlgorithm::Sha384 => DigestAlgorithm::Sha384,
        _ => DigestAlgorithm::Sha256,
    };
    Ok((SodTemplate::new(ds.der())?.signed_with(digest, algorithm.identifier()), ds_key))
}

fn image(template: &SodTemplate, key: &SoftwareSigner, photo: &[u8]) -> usize {
    prepared(template, photo, |message| key.sign(message).expect("a software key signs"))
}

/// MRZ, QR text, EF.COM, DG1, DG2, DG13, their hashes and EF.SOD: the bytes of all.
fn prepared(template: &SodTemplate, photo: &[u8], sign: impl Fn(&[u8]) -> Vec<u8>) -> usize {
    let card = CardData::new(person()).expect("a person who can have a card");
    let dg1 = dg1::encode(&Mrz::from_card(&card));
    let dg2 = dg2::encode(photo).expect("a photo");
    let dg13 = Dg13::from_card(&card).encode();
    let groups = [DataGroup::DG1, DataGroup::DG2, DataGroup::DG13];
    let hashes = [(groups[0], hash(&dg1)), (groups[1], hash(&dg2)), (groups[2], hash(&dg13))];
    let sod = template.prepare(&hashes).expect("three different groups");
    let signature = sign(sod.to_be_signed());
    let (sod, com, qr) = (sod.assemble(&signature), com::encode(&groups), QrText::from_card(&card).encode());
    dg1.len() + dg2.len() + dg13.len() + sod.len() + com.len() + qr.len()
}

fn person() -> CardFields<'static> {
    CardFields {
        pin: "001199012345",
        cmnd: Some("123456789"),
        name: "NGUYỄN THỊ MINH MẪU",
        birth: BirthDate::Full(date!(1999 - 01 - 01)),
        sex: Sex::Female,
        nationality: "Việt Nam",
        ethnicity: "Kinh",
        religion: "Không",
        native_place: "Thạch Đài, Thạch Hà, Hà Tĩnh",
        residence: "Số 12, Thôn Mẫu, Thạch Đài, Thạch Hà, Hà Tĩnh",
        marks: "Nốt ruồi C:1cm trên sau cánh mũi trái",
        father: Some("Nguyễn Văn Mẫu"),
        mother: Some("Trần Thị Mẫu"),
        spouse: None,
        issued: date!(2021 - 04 - 06),
        expires: Expiry::On(date!(2024 - 01 - 01)),
    }
}

/// A JPEG of 240 by 320 pixels and 20,000 bytes, as far as a face record looks.
fn photo() -> Vec<u8> {
    let mut jpeg = vec![0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8, 1, 64, 0, 240, 1, 1, 0x11, 0, 0xFF, 0xDA];
    jpeg.resize(19_998, 0x55);
    jpeg.extend([0xFF, 0xD9]);
    jpeg
}

/// The last line of `openssl speed` ends in signs and verifications a second.
fn openssl(algorithm: SignatureAlgorithm) -> Result<f64> {
    let name = match algorithm {
        SignatureAlgorithm::EcdsaP384Sha384 => "ecdsap384",
        SignatureAlgorithm::EcdsaBrainpoolP256r1Sha256 => "ecdsabrp256r1",
        _ => "ecdsap256",
    };
    let ran = Command::new("openssl").args(["speed", "-seconds", "2", name]).output()?;
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    let line =
        text.lines().rev().find(|line| line.contains("bits ecdsa")).ok_or("openssl printed no rate")?;
    Ok(line.split_whitespace().rev().nth(1).ok_or("openssl printed no rate")?.parse()?)
}

/// Calls per second of this thread's processor time, which is what `openssl speed` counts.
fn rate(mut work: impl FnMut()) -> f64 {
    let start = cpu_seconds();
    let mut calls = 0u32;
    loop {
        (0..100).for_each(|_| work());
        calls += 100;
        let spent = cpu_seconds() - start;
        if spent >= 2.0 {
            return f64::from(calls) / spent;
        }
    }
}

/// In nanoseconds on Linux; the clock's time elsewhere.
fn cpu_seconds() -> f64 {
    static BEGUN: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.as_deref().and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    nanoseconds.map_or_else(
        || BEGUN.get_or_init(std::time::Instant::now).elapsed().as_secs_f64(),
        |nanoseconds| nanoseconds / 1e9,
    )
}

fn middle(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
