//! `dancu card emulate` and `dancu card read`: be a chip, and read one.

use std::collections::BTreeMap;
use std::fs;
use std::io::{IsTerminal, Write};
use std::net::TcpStream;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rand::rngs::StdRng;
use zeroize::Zeroizing;

use crate::blank::BlankOptions;
use crate::card_verify::{self, Show};
use crate::made_card;
use crate::output::Ending;
use crate::trust::TrustOptions;
use card::lds::dg3::{Compression, FingerImage};
use centre::{Centre, Installation, Place, inspection};
use chip::pcsc::{self, PcscCard};
use chip::{
    Access, AccessNumber, ChipFiles, ChipKeys, FileId, Inspection, Lengths, MrzKey, Opened, Password,
    Progress, Proof, Reading, Session, TrustAnchor, VirtualChip, read_card_as, vpcd,
};
use ui::{say, tell};
use verify::{ChipProof, Evidence};

/// The private keys of a test card's chip, beside its files.
const KEY_FILE: &str = "chip.keys";
/// The certificate of the country verifying CA that a test card's chip trusts.
const CVCA_FILE: &str = "cvca.cvcert";

#[derive(Debug, clap::Args)]
pub(crate) struct EmulateOptions {
    /// A card of this installation by its id or a number on it, or a directory with a card's files (`dancu
    /// card export` writes one).
    #[arg(required_unless_present = "dir")]
    card: Option<String>,
    #[command(flatten)]
    blank: BlankOptions,
    /// Where vpcd, the virtual reader of pcscd, waits for a card.
    #[arg(long, default_value_t = format!("127.0.0.1:{}", vpcd::PORT))]
    vpcd: String,
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ReadOptions {
    /// The reader's name or its beginning. Without it, the names of all readers are printed.
    #[arg(long)]
    reader: Option<String>,
    /// The card access number: the last six digits of the personal number.
    #[arg(long, env = "DANCU_CAN", hide_env_values = true)]
    can: Option<String>,
    /// The machine-readable zone (three lines or 90 characters), or NUMBER,YYMMDD,YYMMDD: document number,
    /// birth, expiry.
    #[arg(long, env = "DANCU_MRZ", hide_env_values = true)]
    mrz: Option<String>,
    /// Write the files and the photo into this directory.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Read fingers too, as the inspection system whose key and certificates lie in this directory (`dancu
    /// pki inspection-system` writes it).
    #[arg(long, value_name = "DIR")]
    inspection_system: Option<PathBuf>,
    /// A file with the passphrase of the inspection system's key. Without it, the one in its directory.
    #[arg(long, value_name = "FILE", requires = "inspection_system")]
    inspection_passphrase: Option<PathBuf>,
    #[command(flatten)]
    trust: TrustOptions,
    /// The text of the QR code printed on the card, to compare with the chip; `@FILE` reads it from a file.
    #[arg(long, value_name = "TEXT")]
    qr: Option<String>,
    #[command(flatten)]
    verdict: Show,
    /// Use short commands even if the card announces longer ones.
    #[arg(long)]
    short: bool,
    /// Seconds to wait for a card.
    #[arg(long, default_value_t = 30)]
    wait: u64,
}

/// Answers the virtual reader as the card until the reader closes the connection.
pub async fn emulate(place: &Place, options: &EmulateOptions) -> Result<ExitCode> {
    let mut chip = match options.blank.open()? {
        Some(blank) => blank,
        None => card_of(place, options.card.as_deref().unwrap_or_default()).await?,
    };
    let address = options.vpcd.clone();
    tokio::task::spawn_blocking(move || {
        let stream = TcpStream::connect(&address).with_context(|| {
            format!("no virtual reader waits at {address}; install vsmartcard-vpcd and start pcscd")
        })?;
        stream.set_nodelay(true)?;
        say!("the card lies on the virtual reader; Ctrl-C takes it away");
        vpcd::serve(stream, &mut chip, |event| tracing::debug!(?event, "card")).context("the virtual reader")
    })
    .await??;
    Ok(Ending::Good.into())
}

async fn card_of(place: &Place, name: &str) -> Result<VirtualChip<StdRng>> {
    let (files, keys, anchor) = if Path::new(name).is_dir() {
        from_directory(Path::new(name))?
    } else {
        let installation = Installation::open(place).await?;
        let card = made_card::named(&installation, name).await?;
        let centre = Centre::of(installation).await?;
        let (files, keys) = made_card::chip_of(&centre, card).await?;
        (files, keys, inspection::anchor(&centre)?)
    };
    let chip = VirtualChip::new(files, keys, rand::make_rng());
    let chip = chip.context("DG1, from which the access keys follow")?;
    Ok(match anchor {
        Some(anchor) => chip.trusting(&anchor)?,
        None => chip,
    })
}

/// A chip's files, its keys, and whom it trusts.
type Parts = (ChipFiles, Option<ChipKeys>, Option<TrustAnchor>);

fn from_directory(dir: &Path) -> Result<Parts> {
    let named = card_verify::read_directory(dir)?;
    let files = ChipFiles::from_named(named.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())));
    let path = dir.join(KEY_FILE);
    let keys = match path.exists() {
        true => Some(ChipKeys::from_bytes(&fs::read(&path)?).with_context(|| format!("{}", path.display()))?),
        false => None,
    };
    if keys.is_none() {
        tell!("{} has no {KEY_FILE}: the chip can be read, but cannot prove itself", dir.display());
    }
    let path = dir.join(CVCA_FILE);
    let anchor = match path.exists() {
        true => {
            let cvca = inspection::certificate(&path)?;
            let day = cvca.effective();
            Some(TrustAnchor::new(cvca, day).with_context(|| format!("{}", path.display()))?)
        }
        false => None,
    };
    Ok((files, keys, anchor))
}

/// Ends by the verdict: see [`Show::verdict`].
pub async fn read(options: ReadOptions) -> Result<ExitCode> {
    tokio::task::spawn_blocking(move || read_blocking(&options)).await?
}

fn read_blocking(options: &ReadOptions) -> Result<ExitCode> {
    let Some(reader) = &options.reader else {
        for name in pcsc::readers()? {
            say!("{name}");
        }
        return Ok(Ending::Good.into());
    };
    let zone = options.mrz.as_deref().map(MrzKey::parse).transpose()?;
    let password = match (&options.can, &zone) {
        (Some(number), _) => Password::AccessNumber(AccessNumber::parse(number)?),
        (None, Some(zone)) => Password::Mrz(zone.clone()),
        (None, None) => bail!("give the card access number (--can) or the machine-readable zone (--mrz)"),
    };
    let system = options.inspection_system.as_deref();
    let system =
        system.map(|dir| inspection::open(dir, options.inspection_passphrase.as_deref())).transpose()?;
    let card = PcscCard::connect(reader, Duration::from_secs(options.wait))?;
    let lengths = if options.short { Lengths::Short } else { card.lengths() };
    let mut session = Session::new(card, lengths);
    let mut rng: StdRng = rand::make_rng();
    let access = Access { password, zone };
    let reading = read_card_as(&mut session, &access, system.as_ref(), &mut rng, &mut show)?;
    // The card is given back before anything else takes time.
    drop(session);
    match &reading.inspection {
        Inspection::NotTried => {}
        Inspection::Accepted => tell!("the card accepted the inspection system"),
        Inspection::Refused { why } => tell!("the card did not accept the inspection system: {why}"),
    }
    if let Some(dir) = &options.out {
        write(&reading, dir)?;
    }
    judge(&reading, options)
}

/// One verdict over what the files say and what the chip proved while it was read.
fn judge(reading: &Reading, options: &ReadOptions) -> Result<ExitCode> {
    let sources = options.trust.load(None)?;
    let files = files_of(reading);
    let absent: Vec<String> = reading.missing.iter().map(|id| id.name()).collect();
    let qr = card_verify::text(options.qr.as_deref(), "--qr")?;
    // Lines that were typed off the card are compared with the chip; a number with two dates is not print.
    let printed = options.mrz.as_deref().filter(|text| card::mrz::Mrz::parse(text.trim()).is_ok());
    let judged = options.verdict.judged(None, None)?;
    let verdict = verify::check_card(&Evidence {
        links: &sources.links,
        crls: &sources.crls,
        need: sources.need,
        qr: qr.as_deref(),
        printed_mrz: printed,
        absent: &absent,
        active_authentication: proof(reading.active_authentication),
        chip_authentication: proof(reading.chip_authentication),
        ..Evidence::new(&files, &sources.trust, judged.at)
    });
    options.verdict.verdict(&verdict, &sources, &judged)
}

/// What was read, as the verification takes it.
pub fn files_of(reading: &Reading) -> BTreeMap<String, Vec<u8>> {
    reading.files.iter().map(|(id, bytes)| (id.name(), bytes.to_vec())).collect()
}

/// What the chip proved, as the verification takes it.
pub fn proof(proof: Proof) -> Option<ChipProof> {
    match proof {
        Proof::Given => Some(ChipProof::Proven),
        Proof::Failed => Some(ChipProof::Refuted),
        Proof::NotOffered => None,
    }
}

/// Shows how reading goes on.
pub fn show(progress: Progress) {
    let mut out = std::io::stderr();
    let _ = match progress {
        Progress::Opened(Opened::Pace) => writeln!(out, "opened by PACE"),
        Progress::Opened(Opened::BasicAccess) => writeln!(out, "opened by Basic Access Control"),
        Progress::File(id, done, total) => bar("", id, done, total),
    };
}

/// How far a file is read or written: a line that fills where a terminal shows it; elsewhere one line when it
/// is whole.
pub fn bar(what: &str, id: FileId, done: usize, total: usize) -> std::io::Result<()> {
    let mut out = std::io::stderr();
    if out.is_terminal() {
        let filled = done * 30 / total.max(1);
        let end = if done == total { "\n" } else { "" };
        write!(out, "\r{:<13} [{:<30}] {done}/{total}{end}", id.name(), "#".repeat(filled))
    } else if done == total {
        writeln!(out, "{what}{:<13} {total}", id.name())
    } else {
        Ok(())
    }
}

fn write(reading: &Reading, dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("{}", dir.display()))?;
    for (id, bytes) in reading.files.iter() {
        let path = dir.join(id.name());
        if id.needs_terminal_authentication() { private(&path, bytes)? } else { fs::write(path, bytes)? }
    }
    fingers(reading, dir)?;
    let dg2 = FileId::from_name("DG2").and_then(|id| reading.files.get(id));
    // A photo that cannot be read is the verdict's business.
    let Some(Ok(face)) = dg2.map(card::lds::dg2::parse) else { return Ok(()) };
    let name = match face.encoding {
        card::lds::dg2::ImageEncoding::Jpeg => "photo.jpg",
        card::lds::dg2::ImageEncoding::Jpeg2000 => "photo.jp2",
    };
    fs::write(dir.join(name), face.image)?;
    tell!("photo   {}", dir.join(name).display());
    Ok(())
}

/// The images in DG3, one file each, named by the finger's position (ISO/IEC 19794-4, table 6): 2 is the
/// right index finger, 7 the left.
fn fingers(reading: &Reading, dir: &Path) -> Result<()> {
    let dg3 = FileId::from_name("DG3").and_then(|id| reading.files.get(id));
    // A file that cannot be read is the verdict's business.
    let Some(Ok(images)) = dg3.map(card::lds::dg3::parse) else { return Ok(()) };
    for image in images {
        let (extension, bytes) = picture(&image);
        let path = dir.join(format!("finger-{}.{extension}", image.finger.code()));
        private(&path, &bytes)?;
        tell!("finger  {}", path.display());
    }
    Ok(())
}

/// An image as a file that programs for pictures know; uncompressed ones as PGM or PBM.
fn picture(image: &FingerImage) -> (&'static str, Zeroizing<Vec<u8>>) {
    let (width, height) = (image.width, image.height);
    let plain = || Zeroizing::new(image.data.clone());
    match (image.compression, image.depth) {
        (Compression::Jpeg, _) => ("jpg", plain()),
        (Compression::Jpeg2000, _) => ("jp2", plain()),
        (Compression::Png, _) => ("png", plain()),
        (Compression::Wsq, _) => ("wsq", plain()),
        (Compression::None, 8) => {
            let head = format!("P5\n{width} {height}\n255\n");
            ("pgm", Zeroizing::new([head.as_bytes(), &image.data].concat()))
        }
        (Compression::Packed, 1) => {
            let mut bytes = Zeroizing::new(format!("P4\n{width} {height}\n").into_bytes());
            // A set bit is black there and white here.
            bytes.extend(image.data.iter().map(|byte| !byte));
            ("pbm", bytes)
        }
        (Compression::None | Compression::Packed, _) => ("raw", plain()),
    }
}

/// For its owner's eyes only: fingers are what the card itself keeps from everybody.
fn private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use card::lds::dg3::Finger;

    #[test]
    fn finger_images_become_files_that_programs_open() {
        let packed = FingerImage::packed(Finger::RightIndex, 9, 2, vec![0xFF, 0x80, 0x00, 0x00]).unwrap();
        let (extension, bytes) = picture(&packed);
        assert_eq!((extension, &bytes[..]), ("pbm", &b"P4\n9 2\n\x00\x7F\xFF\xFF"[..]));
        let mut grey = packed.clone();
        (grey.compression, grey.depth) = (Compression::None, 8);
        assert!(picture(&grey).1.starts_with(b"P5\n9 2\n255\n"));
    }
}
