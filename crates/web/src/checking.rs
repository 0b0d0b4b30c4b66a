//! The check of a stranger's card: what the page and the API share. Nothing that was sent is kept or logged.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use crate::error::Error;
use crate::state::AppState;
use crate::throttle::Guess;
use card::lds::{DataGroup, EF_SOD, dg1};
use verify::{CardStatus, Evidence, ListNeed, Overall, Verdict};

/// Bytes of all files together, with the text around them. A chip's files have some eighty thousand.
pub(crate) const UPLOAD_LIMIT: usize = 512 * 1024;

/// What somebody knows of a card in his hands.
pub(crate) struct Card {
    pub files: BTreeMap<String, Vec<u8>>,
    pub qr: Option<String>,
    pub mrz: Option<String>,
}

/// Counts a check against its sender before it is made.
pub(crate) fn admit(state: &AppState, address: &str) -> Result<(), Error> {
    let (guess, now) = (Guess::Check(address.to_owned()), state.clock.now());
    if state.guesses.take(&guess, now) { Ok(()) } else { Err(state.guesses.refusal(&guess, now)) }
}

/// Judges a chip by the certificates and lists of this installation. The register is asked only about a card
/// whose signed data proved genuine, and by its signed object (docs/decisions/0015).
pub(crate) async fn chip(state: &AppState, card: Card, at: OffsetDateTime) -> Result<(Verdict, Card), Error> {
    let mut conn = state.db.read().await?;
    let trust = store::cards::certificates::trust(&mut conn).await?;
    drop(conn);
    let judged = tokio::task::spawn_blocking(move || {
        let evidence = Evidence {
            links: &trust.links,
            crls: &trust.crls,
            // Whoever asks here has no list of their own to hold beside.
            need: ListNeed::InForce,
            qr: card.qr.as_deref(),
            printed_mrz: card.mrz.as_deref(),
            ..Evidence::new(&card.files, &trust.csca, at)
        };
        (verify::check_card(&evidence), card)
    });
    let (verdict, card) = judged.await.map_err(|_| Error::Task)?;
    if verdict.overall != Overall::Genuine {
        return Ok((verdict, card));
    }
    let status = status(state, &card).await?;
    Ok((verify::with_status(verdict, status), card))
}

async fn status(state: &AppState, card: &Card) -> Result<CardStatus, Error> {
    let zone = card.files.get(&DataGroup::DG1.file_name()).and_then(|file| dg1::parse(file).ok());
    let (Some(zone), Some(sod)) = (zone, card.files.get(EF_SOD)) else { return Ok(CardStatus::Unknown) };
    let mut conn = state.db.read().await?;
    let made = store::cards::cards_of_pin(&mut conn, zone.pin(), sod).await?;
    let this = made.iter().find(|card| card.is_signed_so);
    Ok(this.map_or(CardStatus::Unknown, |card| CardStatus::of_state(card.state)))
}
