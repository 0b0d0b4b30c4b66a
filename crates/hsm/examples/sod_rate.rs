//! Security objects per second on one core, beside the raw signing rate:
//! `cargo run --release -p hsm --example sod_rate`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use card::{
    lds::DataGroup,
    sod::{SodTemplate, hash},
};
use hsm::SoftwareSigner;
use pki::{
    CSCA_P256, DOCUMENT_SIGNER_P256, Name, SerialNumber, Signer, SigningToken, prepare_csca,
    prepare_document_signer,
};
use rand::SeedableRng;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
    let (csca_key, ds_key) = (SoftwareSigner::generate(&mut rng), SoftwareSigner::generate(&mut rng));
    let start = time::macros::datetime!(2021-01-01 00:00 UTC);
    let serial = SerialNumber::new(&[1])?;
    let name = Name::new("VN", "dancu", "CSCA")?;
    let csca = prepare_csca(&CSCA_P256, &name, serial.clone(), start, csca_key.public_key())?;
    let csca = csca.lint()?.sign(SigningToken::after_recording(serial.clone()), &csca_key)?;
    let name = Name::new("VN", "dancu", "DS")?;
    let key = ds_key.public_key();
    let ds = prepare_document_signer(&DOCUMENT_SIGNER_P256, &csca, &name, serial.clone(), start, key)?;
    let ds = ds.lint()?.sign(SigningToken::after_recording(serial), &csca_key)?;
    let template = SodTemplate::new(ds.der())?;

    // As on a card: 95 bytes of MRZ, 20 kB of photo, half a kilobyte of civil data.
    let groups: [(DataGroup, Vec<u8>); 3] =
        [(DataGroup::DG1, vec![1; 95]), (DataGroup::DG2, vec![2; 20_000]), (DataGroup::DG13, vec![13; 500])];
    let prepare = || template.prepare(&groups.each_ref().map(|(group, file)| (*group, hash(file))));
    let message = prepare()?.to_be_signed().to_vec();

    let sign = rate(|| drop(black_box(ds_key.sign(black_box(&message)))));
    let floor = rate(|| drop(black_box(prepare().map(|sod| sod.assemble(&[0x30; 71])))));
    let whole = rate(|| {
        let sod = prepare().expect("three different groups");
        let signature = ds_key.sign(sod.to_be_signed()).expect("a software key signs");
        drop(black_box(sod.assemble(&signature)));
    });
    println!("sign {sign:.0}/s  hash+encode {floor:.0}/s  SOD {whole:.0}/s  SOD/sign {:.2}", whole / sign);
    Ok(())
}

/// Calls per second over about two seconds.
fn rate(mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut calls = 0u32;
    while start.elapsed() < Duration::from_secs(2) {
        (0..100).for_each(|_| work());
        calls += 100;
    }
    f64::from(calls) / start.elapsed().as_secs_f64()
}
