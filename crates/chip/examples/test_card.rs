//! Writes a synthetic card into a directory, with the certificates to check it and the keys of its chip, for
//! `dancu card emulate DIR`: `cargo run --package chip --example test_card -- DIR [SEED]`.

#[path = "../tests/common/mod.rs"]
#[allow(clippy::unwrap_used, reason = "without its card the example has nothing to do")]
mod common;

fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1);
    let Some(dir) = args.next() else {
        eprintln!("which directory shall hold the card?");
        std::process::exit(2);
    };
    let seed = args.next().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let card = common::build(seed);
    let dir = std::path::Path::new(&dir);
    std::fs::create_dir_all(dir)?;
    for (name, bytes) in &card.files {
        std::fs::write(dir.join(name), bytes)?;
    }
    std::fs::write(dir.join("csca.der"), card.csca.der())?;
    std::fs::write(dir.join("ds.der"), card.document_signer.der())?;
    std::fs::write(dir.join("chip.keys"), &*card.keys.to_bytes())?;
    println!("{}", card.mrz.lines().join("\n"));
    Ok(())
}
