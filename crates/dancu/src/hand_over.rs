//! `dancu card hand-over`: a card into its holder's hand, after the 1:1 check.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::card_name::CardName;
use crate::fingerprints;
use crate::output::{self, Ending};
use crate::stock;
use centre::Centre;
use centre::counter::{self, Came, Served};
use domain::handover::Outcome;
use ui::say;
use web::Role;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The card's id, its serial number, or the personal number on it.
    card: CardName,
    /// Templates of the fingers of whoever stands there, as the scanner writes them (ISO/IEC 19794-2).
    #[arg(long, num_args = 1.., required_unless_present_any = ["absent", "no_match"])]
    probe: Vec<PathBuf>,
    /// Nobody came.
    #[arg(long, conflicts_with_all = ["probe", "no_match"])]
    absent: bool,
    /// The fingers were compared elsewhere, or could not be, and did not match.
    #[arg(long, conflicts_with = "probe")]
    no_match: bool,
    /// The number of the attempt, from 1, so that sending it again does nothing more; the next one when it is
    /// not given.
    #[arg(long)]
    attempt: Option<i16>,
    /// The login of the officer who hands over.
    #[arg(long, env = "DANCU_OPERATOR", value_name = "LOGIN")]
    operator: String,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
}

/// Ends with [`Ending::Good`] when the card is in its holder's hand, with [`Ending::Bad`] when it stays.
pub(crate) async fn run(centre: &Centre, options: &Options) -> Result<ExitCode> {
    let officer = stock::actor(centre, Some(&options.operator)).await?;
    let mut conn = centre.db.read().await?;
    let account = store::accounts::by_login(&mut conn, &options.operator).await?;
    let is_officer = account.is_some_and(|account| Role::from_code(&account.role) == Some(Role::Officer));
    ensure!(is_officer, "cards are handed over by officers; `dancu account list` names them");
    ensure!(options.attempt.is_none_or(|number| number > 0), "attempts are counted from 1");
    let card = options.card.find(centre).await?;
    let item = store::cards::batches::card_item(&mut conn, card)
        .await?
        .context("this card is in no batch; `dancu card list` names those there are")?;
    drop(conn);
    let came = if options.absent {
        Came::Nobody
    } else if options.no_match {
        Came::NoMatch
    } else {
        let mut probe = Vec::new();
        for path in &options.probe {
            let read = fingerprints::files::read(path);
            probe.extend(read.with_context(|| format!("{}", path.display()))?);
        }
        Came::Fingers(probe)
    };
    let served = counter::serve(centre, item.application_id, options.attempt, came, &officer).await?;
    let Served { outcome, number, score, before } = served;
    let ending = if outcome == Outcome::HandedOver { Ending::Good } else { Ending::Bad };
    if options.json {
        output::print_json(&json!({
            "card_number": item.number, "outcome": outcome.code(), "attempt": number, "score": score,
            "repeated": before,
        }))?;
        return Ok(ending.into());
    }
    let word = match (before, outcome) {
        (true, _) => "unchanged",
        (false, Outcome::HandedOver) => "handed",
        (false, _) => "kept",
    };
    let said = match outcome {
        Outcome::HandedOver => "is in its holder's hand",
        Outcome::Absent => "was not fetched",
        Outcome::NoMatch => "stays: the fingers do not match those that were enrolled",
    };
    say!("{word:<10} card {}, attempt {number}: it {said}", item.number);
    Ok(ending.into())
}
