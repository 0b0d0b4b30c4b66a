//! `dancu bench card`: complete chip images a second, against what OpenSSL signs with the same kind of key.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rand::rngs::StdRng;
use serde_json::{Value, json};
use time::macros::{date, datetime};

use domain::PartialDate;
use hsm::{Pin, SoftwareSigner, Token, TokenConfig};
use issue::{Authority, ChipImages, Face, Fingers};
use pki::{
    Name, SerialNumber, SignatureAlgorithm, Signer, SigningToken, Suite, prepare_csca,
    prepare_document_signer,
};
use ui::say;

/// The campaign's 2.9 million cards, for which hours are projected.
const CARDS: f64 = 2_900_000.0;
const PHOTO_BYTES: usize = 20_000;
/// Measurements of each kind, alternating; the middle one counts.
const ROUNDS: usize = 3;
const SOFTHSM: [&str; 3] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
];

/// What `dancu bench card` is told.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 2)]
    seconds: u32,
    /// Write the figures to this file.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Measure a token of this module only: what the command runs itself as, with SoftHSM2 configured.
    #[arg(long, hide = true)]
    module: Option<PathBuf>,
}

/// Measures signatures of every algorithm, with key files and in SoftHSM where it is installed, and prints
/// and writes the figures.
///
/// # Errors
///
/// When a token or the file for the figures cannot be used.
pub fn run(options: &Options) -> Result<()> {
    if let Some(module) = &options.module {
        say!("{}", Value::Array(in_token(module, options.seconds)?));
        return Ok(());
    }
    let mut keys = Vec::new();
    for algorithm in SignatureAlgorithm::ALL {
        keys.push(software(algorithm, options.seconds)?);
    }
    let softhsm = match SOFTHSM.iter().find(|path| Path::new(path).exists()) {
        Some(module) => through_softhsm(Path::new(module), options.seconds)?,
        None => json!("not measured: SoftHSM2 is not installed"),
    };
    let report = json!({
        "benchmark": "card", "photo_bytes": PHOTO_BYTES, "rounds": ROUNDS, "seconds": options.seconds,
        "cores_used": 1, "software": keys, "softhsm2": softhsm,
    });
    print(&report);
    if let Some(path) = &options.json {
        fs::write(path, serde_json::to_vec_pretty(&report)?)
            .with_context(|| format!("{}", path.display()))?;
    }
    Ok(())
}

/// Images with a software key, in CPU seconds of one thread, as `openssl speed` counts its own.
fn software(algorithm: SignatureAlgorithm, seconds: u32) -> Result<Value> {
    let mut rng: StdRng = rand::make_rng();
    let signer: Arc<dyn Signer> = Arc::new(SoftwareSigner::generate_for(algorithm, &mut rng));
    let authority = authority(algorithm, signer)?;
    let (faces, photo) = (faces(), photo());
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        theirs.push(openssl_rate(algorithm, seconds)?);
        let (rate, size) = images(&authority, &faces, &photo, seconds, cpu_seconds)?;
        ours.push(rate);
        bytes = size;
    }
    let (ours, theirs) = (middle(ours), middle(theirs));
    let aim = if algorithm == SignatureAlgorithm::EcdsaP256Sha256 { 0.6 } else { 0.85 };
    Ok(json!({
        "key": algorithm.curve().name(), "images_per_second": ours.round(), "image_bytes": bytes,
        "openssl_signs_per_second": theirs.round(), "ratio": rounded(ours / theirs), "aim": aim,
        "hours_for_2_9_million": rounded(CARDS / ours / 3600.0),
    }))
}

/// Images a second of `clock`, and the bytes of one.
fn images(
    authority: &Authority,
    faces: &[Face],
    photo: &ChipImages,
    seconds: u32,
    clock: impl Fn() -> f64,
) -> Result<(f64, usize)> {
    let (mut count, mut bytes) = (0u32, 0);
    let begun = clock();
    loop {
        for face in faces {
            let (files, qr) = authority.sign_files(face, photo)?;
            bytes = files.named().iter().map(|(_, file)| file.len()).sum();
            ensure!(!qr.is_empty(), "a card without a QR text");
            count += 1;
        }
        let spent = clock() - begun;
        if spent >= f64::from(seconds) {
            return Ok((f64::from(count) / spent, bytes));
        }
    }
}

/// Processor time of this thread where the system tells it (Linux, in nanoseconds), the clock's otherwise.
fn cpu_seconds() -> f64 {
    let told = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.as_deref().and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    nanoseconds.map_or_else(wall_seconds, |nanoseconds| nanoseconds / 1e9)
}

fn wall_seconds() -> f64 {
    static BEGUN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    BEGUN.get_or_init(Instant::now).elapsed().as_secs_f64()
}

/// Signatures a second that `openssl speed` measures.
fn openssl_rate(algorithm: SignatureAlgorithm, seconds: u32) -> Result<f64> {
    let name = match algorithm {
        SignatureAlgorithm::EcdsaP256Sha256 => "ecdsap256",
        SignatureAlgorithm::EcdsaP384Sha384 => "ecdsap384",
        SignatureAlgorithm::EcdsaBrainpoolP256r1Sha256 => "ecdsabrp256r1",
        _ => bail!("`openssl speed` is not asked for this algorithm"),
    };
    let ran = Command::new("openssl")
        .args(["speed", "-seconds", &seconds.to_string(), name])
        .output()
        .context("openssl must be installed to be compared with")?;
    // The last line: `256 bits ecdsa (nistp256) 0.0000s 0.0001s 46213.2 16415.8`, signs and then
    // verifications.
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    let line = text.lines().rev().find(|line| line.contains("bits ecdsa"));
    let rate = line.and_then(|line| line.split_whitespace().rev().nth(1)?.parse().ok());
    rate.with_context(|| format!("`openssl speed {name}` printed no rate: {text}"))
}

/// Makes a token in a directory of its own and runs this program on it: SoftHSM2 reads its configuration from
/// the environment.
fn through_softhsm(module: &Path, seconds: u32) -> Result<Value> {
    let folder = std::env::temp_dir().join(format!("dancu-bench-card-{}", std::process::id()));
    fs::create_dir_all(folder.join("tokens"))?;
    let configuration = folder.join("softhsm2.conf");
    let tokens = folder.join("tokens");
    fs::write(&configuration, format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display()))?;
    let made = Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", "bench", "--so-pin", "87654321", "--pin", "123456"])
        .env("SOFTHSM2_CONF", &configuration)
        .output()
        .context("softhsm2-util must be installed")?;
    ensure!(made.status.success(), "softhsm2-util: {}", String::from_utf8_lossy(&made.stderr));
    let ran = Command::new(std::env::current_exe()?)
        .args(["bench", "card", "--seconds", &seconds.to_string(), "--module"])
        .arg(module)
        .env("SOFTHSM2_CONF", &configuration)
        .env("DANCU_TOKEN_PIN", "123456")
        .output()?;
    fs::remove_dir_all(&folder)?;
    ensure!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).context("the figures of the token")
}

/// Images through a token against its bare signatures, both by the clock: the token works in other threads.
fn in_token(module: &Path, seconds: u32) -> Result<Vec<Value>> {
    let pin = Pin::from_environment("DANCU_TOKEN_PIN")?;
    let token = Token::open(TokenConfig::new(module.to_owned(), "bench", pin))?;
    let (faces, photo) = (faces(), photo());
    let mut figures = Vec::new();
    for algorithm in SignatureAlgorithm::ALL {
        let key = token.generate(algorithm.curve().name(), algorithm)?;
        let signer: Arc<dyn Signer> = Arc::new(key.clone());
        let authority = authority(algorithm, signer)?;
        let (mut ours, mut raw) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            raw.push(key.raw_rate(Duration::from_secs(u64::from(seconds)))?);
            ours.push(images(&authority, &faces, &photo, seconds, wall_seconds)?.0);
        }
        let (ours, raw) = (middle(ours), middle(raw));
        figures.push(json!({
            "key": algorithm.curve().name(), "images_per_second": ours.round(),
            "raw_signs_per_second": raw.round(), "ratio": rounded(ours / raw),
            "hours_for_2_9_million": rounded(CARDS / ours / 3600.0),
        }));
    }
    Ok(figures)
}

/// A CSCA and a document signer of one key, which is enough to sign.
fn authority(algorithm: SignatureAlgorithm, signer: Arc<dyn Signer>) -> Result<Authority> {
    let suite = Suite::ALL.into_iter().find(|suite| suite.algorithm == algorithm).context("a suite")?;
    let start = datetime!(2021-01-01 00:00 UTC);
    let mut rng: StdRng = rand::make_rng();
    let root = SoftwareSigner::generate_for(algorithm, &mut rng);
    let serial = |number| SerialNumber::new(&[number]);
    let csca = prepare_csca(
        &suite.csca(),
        &Name::new("VN", "bench", "CSCA")?,
        serial(1)?,
        start,
        root.public_key(),
    )?
    .lint()?
    .sign(SigningToken::after_recording(serial(1)?), &root)?;
    let (name, key) = (Name::new("VN", "bench", "DS")?, signer.public_key());
    let ds = prepare_document_signer(&suite.document_signer(), &csca, &name, serial(2)?, start, key)?
        .lint()?
        .sign(SigningToken::after_recording(serial(2)?), &root)?;
    Ok(Authority::with(csca, ds, signer)?)
}

/// Sixty-four people who do not exist.
fn faces() -> Vec<Face> {
    let one = |number: i32| Face {
        pin: format!("0011990{number:05}"),
        old_id: Some(format!("1234{number:05}")),
        name: "NGUYỄN THỊ MINH MẪU".to_owned(),
        birth: PartialDate::parse("01/01/1999").expect("a date"),
        sex: 2,
        nationality: "Việt Nam".to_owned(),
        ethnicity: "Kinh".to_owned(),
        religion: "Không".to_owned(),
        native_place: "Thạch Đài, Thạch Hà, Hà Tĩnh".to_owned(),
        residence: format!("Số {number}, Thôn Mẫu, Thạch Đài, Thạch Hà, Hà Tĩnh"),
        marks: "Nốt ruồi C:1cm trên sau cánh mũi trái".to_owned(),
        father: Some("Nguyễn Văn Mẫu".to_owned()),
        mother: Some("Trần Thị Mẫu".to_owned()),
        spouse: None,
        issued: date!(2021 - 04 - 06).to_julian_day(),
        expires: Some(date!(2024 - 01 - 01).to_julian_day()),
    };
    (0..64).map(one).collect()
}

/// A JPEG of 240 by 320 pixels and 20,000 bytes, as far as a face record looks. No fingers: the figures are
/// those of a card with the photo alone.
fn photo() -> ChipImages {
    let mut jpeg = vec![0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8, 1, 64, 0, 240, 1, 1, 0x11, 0, 0xFF, 0xDA];
    jpeg.resize(PHOTO_BYTES - 2, 0x55);
    jpeg.extend([0xFF, 0xD9]);
    ChipImages { photo: jpeg, fingers: Fingers::NotTaken }
}

fn middle(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

fn print(report: &Value) {
    say!(
        "{:<18} {:>10} {:>14} {:>7} {:>6} {:>10}",
        "software",
        "images/s",
        "openssl signs",
        "ratio",
        "aim",
        "h for 2.9M"
    );
    for line in report["software"].as_array().into_iter().flatten() {
        say!(
            "{:<18} {:>10} {:>14} {:>7} {:>6} {:>10}",
            line["key"].as_str().unwrap_or_default(),
            line["images_per_second"],
            line["openssl_signs_per_second"],
            line["ratio"],
            line["aim"],
            line["hours_for_2_9_million"]
        );
    }
    say!("\n{:<18} {:>10} {:>14} {:>7} {:>17}", "SoftHSM2", "images/s", "raw signs", "ratio", "h for 2.9M");
    for line in report["softhsm2"].as_array().into_iter().flatten() {
        say!(
            "{:<18} {:>10} {:>14} {:>7} {:>17}",
            line["key"].as_str().unwrap_or_default(),
            line["images_per_second"],
            line["raw_signs_per_second"],
            line["ratio"],
            line["hours_for_2_9_million"]
        );
    }
}
