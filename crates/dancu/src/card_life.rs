//! `dancu card suspend`, `reinstate` and `revoke`.

use anyhow::Result;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::card_name::CardName;
use crate::stock;
use centre::Installation;
use domain::card::{ReinstateReason, RevokeReason, SuspendReason};
use domain::id::CardId;
use issue::Came;
use ui::say;

/// Which card, and who says so.
#[derive(Debug, Clone, clap::Args)]
pub struct Which {
    /// The card's number (10 digits), its holder's personal number (12), the document number of its
    /// machine-readable zone (9), or its id.
    card: CardName,
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
    let (card, actor) = (options.which.card.find(centre).await?, options.which.actor(centre).await?);
    let came = issue::suspend(&centre.db, card, options.reason, &actor, centre.clock.now()).await?;
    say(card, came, "suspended");
    Ok(())
}

/// Puts a suspended card in force again.
pub async fn reinstate(centre: &Installation, options: &ReinstateOptions) -> Result<()> {
    let (card, actor) = (options.which.card.find(centre).await?, options.which.actor(centre).await?);
    let came = issue::reinstate(&centre.db, card, options.reason, &actor, centre.clock.now()).await?;
    say(card, came, "active");
    Ok(())
}

/// Takes a card out of force for good.
pub async fn revoke(centre: &Installation, options: &RevokeOptions) -> Result<()> {
    let (card, actor) = (options.which.card.find(centre).await?, options.which.actor(centre).await?);
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
