//! `dancu card`: list, export, verify.

use crate::centre::{Centre, Place};
use crate::{card_chip, live, work};
use anyhow::{Context, Result, bail};
use domain::id::CardId;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use time::{Date, Time};
use verify::{Evidence, Language, Outcome, Overall};

/// Files that a directory of a card may hold; others are left alone.
const MOST_FILE_BYTES: u64 = 1024 * 1024;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// One card a line: id, number, state, day of issue.
    List {
        #[arg(long, default_value_t = 1_000)]
        limit: u32,
    },
    /// Write a card's elementary files, and the certificates they are checked with, into a directory.
    Export {
        card: CardId,
        #[arg(long)]
        out: PathBuf,
    },
    /// Check the files in a directory as a relying party would: signature, chain, hashes, agreement.
    Verify {
        dir: PathBuf,
        /// The trusted CSCA certificate (DER or PEM); `csca.der` in the directory when it is not given, which then
        /// proves only that the files belong together.
        #[arg(long)]
        trust: Option<PathBuf>,
        /// The day for which to check (yyyy-mm-dd); today when it is not given.
        #[arg(long, value_parser = crate::cli::date)]
        at: Option<Date>,
        /// Say what each check found in plain words, for whoever holds the card: vi or en.
        #[arg(long, value_parser = language)]
        words: Option<Language>,
    },
    /// Be a card's chip for vpcd, the virtual reader of pcscd: to try readers and their programs on.
    Emulate(card_chip::EmulateOptions),
    /// Read a card on a reader of this machine: PACE or Basic Access Control, all files, its proofs, verification.
    Read(card_chip::ReadOptions),
}

/// Exit code of `verify`: 0 genuine, 1 rejected, 2 unproven.
pub async fn run(place: &Place, command: &Command) -> Result<ExitCode> {
    match command {
        Command::List { limit } => list(&live::open(place).await?, *limit).await?,
        Command::Export { card, out } => export(&live::open(place).await?, *card, out).await?,
        Command::Verify { dir, trust, at, words } => return check_in(dir, trust.as_deref(), *at, *words),
        Command::Emulate(options) => return card_chip::emulate(place, options).await,
        Command::Read(options) => return card_chip::read(options.clone()).await,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(centre: &Centre, limit: u32) -> Result<()> {
    let mut conn = centre.db.begin().await?;
    for card in store::issue::list_cards(&mut conn, limit).await? {
        println!("{} {} {:<12} {}", card.card_id, card.number, card.state, card.issued_on);
    }
    Ok(())
}

/// A card's files, and the certificates of its document signer and of the CSCA above.
struct Chip {
    files: issue::ChipFiles,
    keys: chip::ChipKeys,
    signer: Vec<u8>,
    csca: Vec<u8>,
}

async fn load(centre: &Centre, card: CardId) -> Result<Chip> {
    let mut conn = centre.db.begin().await?;
    let stored = store::issue::signed_card(&mut conn, card).await?.with_context(|| {
        format!("there is no signed card {card}; `dancu card list` names those there are")
    })?;
    let signer = store::issue::certificate(&mut conn, &stored.ds_serial)
        .await?
        .context("the document signer's certificate")?;
    let csca = match &signer.issuer_serial {
        Some(serial) => {
            store::issue::certificate(&mut conn, serial).await?.context("the CSCA certificate")?
        }
        None => bail!("the document signer's certificate names no issuer"),
    };
    drop(conn);
    let mut photos = work::photos(centre, &[stored.application_id]).await?;
    let photo = photos.remove(&stored.application_id).context("the application's photo")?;
    let keys = centre.chip_keys()?.keys(card);
    let files = issue::rebuild(stored.dg1, stored.dg13, stored.sod, &photo, Some(&keys))?;
    Ok(Chip { files, keys, signer: signer.der, csca: csca.der })
}

/// What the chip of a card of this installation holds: its files, and its keys if it was made with any.
pub async fn chip_of(centre: &Centre, card: CardId) -> Result<(chip::ChipFiles, Option<chip::ChipKeys>)> {
    let Chip { files, keys, .. } = load(centre, card).await?;
    let named = files.named().into_iter().map(|(name, bytes)| (name, bytes.to_vec()));
    Ok((chip::ChipFiles::from_named(named), files.proofs.is_some().then_some(keys)))
}

async fn export(centre: &Centre, card: CardId, out: &Path) -> Result<()> {
    let Chip { files, signer, csca, .. } = load(centre, card).await?;
    fs::create_dir_all(out).with_context(|| format!("{}", out.display()))?;
    let serial = issue::certificates::hex(pki::Certificate::from_der(&csca)?.serial());
    let crl = crate::pki::current_crl(centre, &serial).await?;
    let certificates = [("csca.der", csca.as_slice()), ("ds.der", signer.as_slice())];
    let certificates = certificates.into_iter().chain(crl.as_deref().map(|crl| ("crl.der", crl)));
    for (name, bytes) in files.named().into_iter().chain(certificates) {
        let path = out.join(name);
        fs::write(&path, bytes).with_context(|| format!("{}", path.display()))?;
        println!("{} {}", bytes.len(), path.display());
    }
    Ok(())
}

pub fn check(dir: &Path, trust: Option<&Path>, at: Option<Date>) -> Result<ExitCode> {
    check_in(dir, trust, at, None)
}

fn language(code: &str) -> Result<Language> {
    match code {
        "vi" => Ok(Language::Vietnamese),
        "en" => Ok(Language::English),
        _ => bail!("`{code}` is neither vi nor en"),
    }
}

fn check_in(dir: &Path, trust: Option<&Path>, at: Option<Date>, words: Option<Language>) -> Result<ExitCode> {
    let mut files = BTreeMap::new();
    let entries =
        fs::read_dir(dir).with_context(|| format!("the card's files are looked for in {}", dir.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_elementary = name.starts_with("EF.") || name.starts_with("DG");
        if is_elementary && entry.metadata()?.len() <= MOST_FILE_BYTES {
            files.insert(name, fs::read(entry.path())?);
        }
    }
    if files.is_empty() {
        bail!("{} holds none of a card's files (EF.COM, DG1, …, EF.SOD)", dir.display());
    }
    let own = dir.join("csca.der");
    let anchor = trust.unwrap_or(&own);
    let trusted = crate::pki::certificate(anchor)
        .with_context(|| format!("the trusted certificate {}; name one with --trust", anchor.display()))?;
    let list = dir.join("crl.der");
    let lists = if list.exists() { vec![crate::pki::read(&list)?] } else { Vec::new() };
    let at = match at {
        Some(day) => day.with_time(Time::MIDNIGHT).assume_offset(domain::clock::VIETNAM),
        None => domain::Clock::now(&domain::clock::SystemClock),
    };
    let trusted = [trusted.der().to_vec()];
    let verdict = verify::check_card(&Evidence { crls: &lists, ..Evidence::new(&files, &trusted, at) });
    for check in &verdict.checks {
        let mark = match check.outcome {
            Outcome::Pass => "ok     ",
            Outcome::Fail => "FAILED ",
            Outcome::NotChecked => "-      ",
        };
        let said = words.map_or(check.detail.as_str(), |language| check.plain(language));
        println!("{mark} {:<22} {said}", check.code.as_str());
    }
    let (word, code) = match verdict.overall {
        Overall::Genuine => ("genuine", 0),
        Overall::Rejected => ("REJECTED", 1),
        Overall::Unproven => ("unproven", 2),
    };
    println!(
        "{word}{}",
        if trust.is_none() { " (trusting the csca.der that lies beside the files)" } else { "" }
    );
    if let Some(language) = words {
        println!("{}", verdict.overall.plain(language));
    }
    Ok(ExitCode::from(code))
}
