//! `dancu card`: list, export, verify; take out of force.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::card_name::CardName;
use crate::cli::Operator;
use crate::made_card::{self, Chip};
use crate::output::{Ending, Form, Table};
use crate::{artwork, card_chip, card_life, card_verify, hand_over, personalise};
use centre::{Centre, Installation, Place};
use domain::id::CardId;
use ui::{say, terminal};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// One card a line, the newest first: id, number, state, day of issue.
    List {
        /// At most so many.
        #[arg(long, default_value = "1000", value_parser = terminal::count)]
        limit: u32,
        #[command(flatten)]
        form: Form,
    },
    /// Write a card's elementary files, and the certificates they are checked with, into a directory.
    Export {
        /// The card's number (10 digits), its holder's personal number (12), the document number of its
        /// machine-readable zone (9), or its id.
        card: CardName,
        /// The directory.
        #[arg(long)]
        out: PathBuf,
        #[command(flatten)]
        operator: Operator,
    },
    /// Draw a card's two sides for a printer: PDF with the fonts in it, SVG, and the QR code.
    Artwork(artwork::Options),
    /// Check a card as a relying party would: the chip's files in a directory, what is printed, or both.
    Verify(card_verify::Options),
    /// Be a card's chip for vpcd, the virtual reader of pcscd: to try readers and their programs on.
    Emulate(card_chip::EmulateOptions),
    /// Write cards of a batch on blanks, one after the other, on a reader of this machine.
    Personalise(personalise::Options),
    /// Read a card on a reader of this machine: PACE or Basic Access Control, all files, its proofs,
    /// verification.
    Read(card_chip::ReadOptions),
    /// Hand a card over at its commune, after the fingers of whoever stands there were compared with those
    /// that were enrolled; or record that nobody came.
    HandOver(hand_over::Options),
    /// Take a card out of force until it is cleared up: it is refused wherever it is checked.
    Suspend(card_life::SuspendOptions),
    /// Put a suspended card in force again.
    Reinstate(card_life::ReinstateOptions),
    /// Take a card out of force for good. Its holder may get another.
    Revoke(card_life::RevokeOptions),
}

/// Ends as the command does.
pub async fn run(place: &Place, command: &Command) -> Result<ExitCode> {
    match command {
        Command::List { limit, form } => list(&Installation::open(place).await?, *limit, *form).await?,
        Command::Export { card, out, operator } => {
            let installation = Installation::open(place).await?;
            let card = card.find(&installation).await?;
            let by = operator.actor(&installation).await?;
            made_card::note(&installation, &by, "card.exported", card).await?;
            export(&Centre::of(installation).await?, card, out).await?;
        }
        Command::Artwork(options) => artwork::run(place, options).await?,
        Command::Verify(options) => return card_verify::run(place, options).await,
        Command::Emulate(options) => return card_chip::emulate(place, options).await,
        Command::Personalise(options) => return personalise::run(place, options).await,
        Command::Read(options) => return card_chip::read(options.clone()).await,
        Command::HandOver(options) => return hand_over::run(&Centre::open(place).await?, options).await,
        Command::Suspend(options) => card_life::suspend(&Installation::open(place).await?, options).await?,
        Command::Reinstate(options) => {
            card_life::reinstate(&Installation::open(place).await?, options).await?
        }
        Command::Revoke(options) => card_life::revoke(&Installation::open(place).await?, options).await?,
    }
    Ok(Ending::Good.into())
}

async fn list(centre: &Installation, limit: u32, form: Form) -> Result<()> {
    let mut conn = centre.db.read().await?;
    let mut table = Table::new("cards", &["id", "number", "state", "issued_on"]);
    for card in store::cards::list_cards(&mut conn, limit).await? {
        let day = card.issued_on.to_string();
        table.push([
            card.card_id.to_string().into(),
            card.number.into(),
            card.state.code().into(),
            day.into(),
        ]);
    }
    table.print(form)
}

async fn export(centre: &Centre, card: CardId, out: &Path) -> Result<()> {
    let Chip { files, signer, csca, .. } = made_card::load(centre, card).await?;
    fs::create_dir_all(out).with_context(|| format!("{}", out.display()))?;
    let crl = made_card::list_of(centre, &csca).await?;
    let certificates = [("csca.der", csca.as_slice()), ("ds.der", signer.as_slice())];
    let certificates = certificates.into_iter().chain(crl.as_deref().map(|crl| ("crl.der", crl)));
    let mut conn = centre.db.read().await?;
    // Whoever tries the card must judge it by the day on which it lives.
    let day = centre::installation::day_of(&mut conn).await?.map(|day| day.to_string());
    drop(conn);
    let day = day.as_ref().map(|day| (card_verify::DAY_FILE, day.as_bytes()));
    for (name, bytes) in files.named().into_iter().chain(certificates).chain(day) {
        let path = out.join(name);
        fs::write(&path, bytes).with_context(|| format!("{}", path.display()))?;
        say!("{} {}", bytes.len(), path.display());
    }
    Ok(())
}
