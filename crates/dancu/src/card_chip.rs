//! `dancu card emulate` and `dancu card read`: be a chip, and read one.

use crate::centre::Place;
use crate::{cards, live};
use anyhow::{Context, Result, bail};
use chip::pcsc::{self, PcscCard};
use chip::{
    Access, AccessNumber, ChipFiles, ChipKeys, FileId, Lengths, MrzKey, Opened, Password, Progress, Proof,
    Reading, Session, VirtualChip, read_card, vpcd,
};
use domain::id::CardId;
use rand::rngs::StdRng;
use std::fs;
use std::io::{IsTerminal, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use time::Date;

/// The private keys of a test card's chip, beside its files.
const KEY_FILE: &str = "chip.keys";
const MOST_FILE_BYTES: u64 = 1024 * 1024;

#[derive(Debug, clap::Args)]
pub struct EmulateOptions {
    /// A card of this installation by its id, or a directory with a card's files (`dancu card export` writes one).
    card: String,
    /// Where vpcd, the virtual reader of pcscd, waits for a card.
    #[arg(long, default_value_t = format!("127.0.0.1:{}", vpcd::PORT))]
    vpcd: String,
}

#[derive(Debug, Clone, clap::Args)]
pub struct ReadOptions {
    /// The reader's name or its beginning. Without it, the names of all readers are printed.
    #[arg(long)]
    reader: Option<String>,
    /// The card access number: the last six digits of the personal number.
    #[arg(long, env = "DANCU_CAN", hide_env_values = true)]
    can: Option<String>,
    /// The machine-readable zone (three lines or 90 characters), or NUMBER,YYMMDD,YYMMDD: document number, birth, expiry.
    #[arg(long, env = "DANCU_MRZ", hide_env_values = true)]
    mrz: Option<String>,
    /// Write the files and the photo into this directory.
    #[arg(long)]
    out: Option<PathBuf>,
    /// The trusted CSCA certificate (DER or PEM). Without it nothing is verified.
    #[arg(long)]
    trust: Option<PathBuf>,
    /// The day for which to check (yyyy-mm-dd); today when it is not given.
    #[arg(long, value_parser = crate::cli::date)]
    at: Option<Date>,
    /// Use short commands even if the card announces longer ones.
    #[arg(long)]
    short: bool,
    /// Seconds to wait for a card.
    #[arg(long, default_value_t = 30)]
    wait: u64,
}

/// Answers the virtual reader as the card until the reader closes the connection.
pub async fn emulate(place: &Place, options: &EmulateOptions) -> Result<ExitCode> {
    let (files, keys) = if Path::new(&options.card).is_dir() {
        from_directory(Path::new(&options.card))?
    } else {
        let card: CardId = options.card.parse().map_err(|_| {
            anyhow::anyhow!(
                "`{}` is neither a directory nor the id of a card (dancu card list)",
                options.card
            )
        })?;
        cards::chip_of(&live::open(place).await?, card).await?
    };
    let rng: StdRng = rand::make_rng();
    let mut chip = VirtualChip::new(files, keys, rng).context("DG1, from which the access keys follow")?;
    let address = options.vpcd.clone();
    tokio::task::spawn_blocking(move || {
        let stream = TcpStream::connect(&address).with_context(|| {
            format!("no virtual reader waits at {address}; install vsmartcard-vpcd and start pcscd")
        })?;
        stream.set_nodelay(true)?;
        println!("the card lies on the virtual reader; Ctrl-C takes it away");
        vpcd::serve(stream, &mut chip, |event| tracing::debug!(?event, "card")).context("the virtual reader")
    })
    .await??;
    Ok(ExitCode::SUCCESS)
}

fn from_directory(dir: &Path) -> Result<(ChipFiles, Option<ChipKeys>)> {
    let mut files = ChipFiles::default();
    let entries = fs::read_dir(dir).with_context(|| format!("{}", dir.display()))?;
    for entry in entries {
        let entry = entry?;
        if let Some(id) = FileId::from_name(&entry.file_name().to_string_lossy())
            && entry.metadata()?.len() <= MOST_FILE_BYTES
        {
            files.insert(id, fs::read(entry.path())?);
        }
    }
    let path = dir.join(KEY_FILE);
    let keys = match path.exists() {
        true => Some(ChipKeys::from_bytes(&fs::read(&path)?).with_context(|| format!("{}", path.display()))?),
        false => None,
    };
    if keys.is_none() {
        eprintln!("{} has no {KEY_FILE}: the chip can be read, but cannot prove itself", dir.display());
    }
    Ok((files, keys))
}

/// Exit code: 0 genuine, 1 rejected, 2 unproven.
pub async fn read(options: ReadOptions) -> Result<ExitCode> {
    tokio::task::spawn_blocking(move || read_blocking(&options)).await?
}

fn read_blocking(options: &ReadOptions) -> Result<ExitCode> {
    let Some(reader) = &options.reader else {
        for name in pcsc::readers()? {
            println!("{name}");
        }
        return Ok(ExitCode::SUCCESS);
    };
    let zone = options.mrz.as_deref().map(MrzKey::parse).transpose()?;
    let password = match (&options.can, &zone) {
        (Some(number), _) => Password::AccessNumber(AccessNumber::parse(number)?),
        (None, Some(zone)) => Password::Mrz(zone.clone()),
        (None, None) => bail!("give the card access number (--can) or the machine-readable zone (--mrz)"),
    };
    let card = PcscCard::connect(reader, Duration::from_secs(options.wait))?;
    let lengths = if options.short { Lengths::Short } else { card.lengths() };
    let mut session = Session::new(card, lengths);
    let mut rng: StdRng = rand::make_rng();
    let access = Access { password, zone };
    let reading = read_card(&mut session, &access, &mut rng, &mut show)?;
    // The card is given back before anything else takes time.
    drop(session);
    let copied = summary(&reading);
    let dir = match &options.out {
        Some(dir) => dir.clone(),
        None if options.trust.is_none() => return Ok(ExitCode::from(if copied { 1 } else { 2 })),
        None => std::env::temp_dir().join(format!("dancu-card-{}", std::process::id())),
    };
    write(&reading, &dir, options.out.is_some())?;
    let code = match &options.trust {
        Some(trust) => cards::check(&dir, Some(trust), options.at),
        None => Ok(ExitCode::from(2)),
    };
    if options.out.is_none() {
        fs::remove_dir_all(&dir).with_context(|| format!("{} cannot be removed", dir.display()))?;
    }
    if copied {
        println!("REJECTED: the chip did not prove that it is the one which was signed");
        return Ok(ExitCode::FAILURE);
    }
    code
}

/// A line that fills as a file is read, where a terminal shows it; elsewhere one line a file.
fn show(progress: Progress) {
    let mut out = std::io::stderr();
    let _ = match progress {
        Progress::Opened(Opened::Pace) => writeln!(out, "opened by PACE"),
        Progress::Opened(Opened::BasicAccess) => writeln!(out, "opened by Basic Access Control"),
        Progress::File(id, done, total) if out.is_terminal() => {
            let filled = done * 30 / total.max(1);
            let end = if done == total { "\n" } else { "" };
            write!(out, "\r{:<13} [{:<30}] {done}/{total}{end}", id.name(), "#".repeat(filled))
        }
        Progress::File(id, done, total) if done == total => writeln!(out, "{:<13} {total}", id.name()),
        Progress::File(..) => Ok(()),
    };
}

/// Prints what the conversation showed. Says whether the chip failed to prove itself.
fn summary(reading: &Reading) -> bool {
    for (name, proof) in [
        ("chip authentication", reading.chip_authentication),
        ("active authentication", reading.active_authentication),
    ] {
        let (mark, words) = match proof {
            Proof::Given => ("ok     ", "the chip holds the private key to the public one in its files"),
            Proof::Failed => ("FAILED ", "the chip does not hold the private key: it may be a copy"),
            Proof::NotOffered => ("-      ", "the card's files hold no key for it"),
        };
        println!("{mark} {name:<22} {words}");
    }
    for id in &reading.refused {
        println!("-       {:<22} the chip keeps it back from readers without a right to it", id.name());
    }
    for id in &reading.missing {
        println!("FAILED  {:<22} is listed, but the chip has no such file", id.name());
    }
    let failed = |proof| proof == Proof::Failed;
    failed(reading.chip_authentication)
        || failed(reading.active_authentication)
        || !reading.missing.is_empty()
}

fn write(reading: &Reading, dir: &Path, with_photo: bool) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("{}", dir.display()))?;
    for (id, bytes) in reading.files.iter() {
        fs::write(dir.join(id.name()), bytes)?;
    }
    let dg2 = FileId::from_name("DG2").and_then(|id| reading.files.get(id)).filter(|_| with_photo);
    if let Some(file) = dg2 {
        let face = card::lds::dg2::parse(file)?;
        let name = match face.encoding {
            card::lds::dg2::ImageEncoding::Jpeg => "photo.jpg",
            card::lds::dg2::ImageEncoding::Jpeg2000 => "photo.jp2",
        };
        fs::write(dir.join(name), face.image)?;
        println!("photo   {}", dir.join(name).display());
    }
    Ok(())
}
