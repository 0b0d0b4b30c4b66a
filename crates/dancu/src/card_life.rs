//! `dancu card suspend`, `reinstate` and `revoke`.

use anyhow::{Result, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::stock;
use centre::Installation;
use domain::Pin;
use domain::card::{ReinstateReason, RevokeReason, SuspendReason};
use domain::id::CardId;
use issue::Came;
use store::cards::{CardLine, Printed};
use ui::say;

/// Digits of a card's number.
const NUMBER_DIGITS: usize = 10;
/// Digits of the document number in the machine-readable zone.
const DOCUMENT_DIGITS: usize = 9;

/// Which card, and who says so.
#[derive(Debug, Clone, clap::Args)]
pub struct Which {
    /// The card's number (10 digits), its holder's personal number (12), the document number of its
    /// machine-readable zone (9), or its id.
    card: String,
    /// The login of whoever decided it.
    #[arg(long, env = "DANCU_OPERATOR")]
    operator: Option<String>,
}

/// What `suspend` is told.
#[derive(Debug, Clone, clap::Args)]
pub struct SuspendOptions {
    #[command(flatten)]
    which: Which,
    #[arg(long, value_parser = PossibleValuesParser::new(SuspendReason::ALL.map(SuspendReason::code))
        .map(|code| SuspendReason::from_code(&code).expect("the parser admits codes only")))]
    reason: SuspendReason,
}

/// What `reinstate` is told.
#[derive(Debug, Clone, clap::Args)]
pub struct ReinstateOptions {
    #[command(flatten)]
    which: Which,
    #[arg(long, value_parser = PossibleValuesParser::new(ReinstateReason::ALL.map(ReinstateReason::code))
        .map(|code| ReinstateReason::from_code(&code).expect("the parser admits codes only")))]
    reason: ReinstateReason,
}

/// What `revoke` is told.
#[derive(Debug, Clone, clap::Args)]
pub struct RevokeOptions {
    #[command(flatten)]
    which: Which,
    #[arg(long, value_parser = PossibleValuesParser::new(RevokeReason::ALL.map(RevokeReason::code))
        .map(|code| RevokeReason::from_code(&code).expect("the parser admits codes only")))]
    reason: RevokeReason,
}

/// Takes a card out of force for the time being.
pub async fn suspend(centre: &Installation, options: &SuspendOptions) -> Result<()> {
    let (card, actor) = (find(centre, &options.which.card).await?, options.which.actor(centre).await?);
    let came = issue::suspend(&centre.db, card, options.reason, &actor, centre.clock.now()).await?;
    say(card, came, "suspended");
    Ok(())
}

/// Puts a suspended card in force again.
pub async fn reinstate(centre: &Installation, options: &ReinstateOptions) -> Result<()> {
    let (card, actor) = (find(centre, &options.which.card).await?, options.which.actor(centre).await?);
    let came = issue::reinstate(&centre.db, card, options.reason, &actor, centre.clock.now()).await?;
    say(card, came, "active");
    Ok(())
}

/// Takes a card out of force for good.
pub async fn revoke(centre: &Installation, options: &RevokeOptions) -> Result<()> {
    let (card, actor) = (find(centre, &options.which.card).await?, options.which.actor(centre).await?);
    let came = issue::revoke(&centre.db, card, options.reason, &actor, centre.clock.now()).await?;
    say(card, came, "revoked");
    Ok(())
}

impl Which {
    async fn actor(&self, centre: &Installation) -> Result<domain::Actor> {
        stock::actor(centre, self.operator.as_deref()).await
    }
}

fn say(card: CardId, came: Came, state: &str) {
    match came {
        Came::Now => say!("{state:<10} card {card}"),
        Came::Before => say!("unchanged  card {card} is {state} already"),
    }
}

/// The card that somebody names by what is printed on it, or by its id.
///
/// A personal number and a document number are on every card of their holder: they name the one whose life is
/// not over.
async fn find(centre: &Installation, text: &str) -> Result<CardId> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let digits = text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    let is_number = digits.chars().all(|c| c.is_ascii_digit());
    let printed = match (digits.len(), Pin::parse(&digits)) {
        (_, Ok(pin)) => Printed::Pin(pin),
        (NUMBER_DIGITS, _) if is_number => Printed::Number(digits),
        (DOCUMENT_DIGITS, _) if is_number => Printed::Document(digits),
        _ => bail!(
            "this is neither the number of a card (10 digits), nor a personal number (12), nor a document \
             number (9), nor the id of a card (`dancu card list`)"
        ),
    };
    let mut conn = centre.db.begin().await?;
    let cards = store::cards::cards_by_print(&mut conn, &printed).await?;
    let open: Vec<&CardLine> = cards.iter().filter(|card| !card.state.is_end()).collect();
    match (cards.as_slice(), open.as_slice()) {
        ([], _) => bail!("there is no card with this on it; `dancu card list` names those there are"),
        ([card], _) => Ok(card.card_id),
        (_, [card]) => Ok(card.card_id),
        (all, open) => {
            let shown = if open.is_empty() { all.iter().collect() } else { open.to_vec() };
            let lines: Vec<String> =
                shown.iter().map(|card| format!("{} ({})", card.number, card.state)).collect();
            bail!("several cards have this on them; name one by its number: {}", lines.join(", "))
        }
    }
}
