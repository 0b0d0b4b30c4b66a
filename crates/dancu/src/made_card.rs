//! Cards of this installation as commands need them: found by name, and with what is in their chips.

use anyhow::{Context, Result, bail};

use crate::card_name::CardName;
use centre::{Centre, Installation, work};
use domain::clock::SystemClock;
use domain::id::CardId;
use domain::{Actor, Clock};
use store::audit::Entry;
use ui::tell;

/// A card's files, and the certificates of its document signer and of the CSCA above.
pub(crate) struct Chip {
    pub files: issue::ChipFiles,
    pub keys: chip::ChipKeys,
    pub signer: Vec<u8>,
    pub csca: Vec<u8>,
}

/// Reads the card again from the register and the packet.
///
/// # Errors
/// A card that is not signed; a packet that cannot be opened.
pub(crate) async fn load(centre: &Centre, card: CardId) -> Result<Chip> {
    let mut conn = centre.db.read().await?;
    let stored = store::cards::signed_card(&mut conn, card).await?.with_context(|| {
        format!("there is no signed card {card}; `dancu card list` names those there are")
    })?;
    let signer = store::cards::certificates::certificate(&mut conn, &stored.ds_serial)
        .await?
        .context("the document signer's certificate")?;
    let csca = match &signer.issuer_serial {
        Some(serial) => store::cards::certificates::certificate(&mut conn, serial)
            .await?
            .context("the CSCA certificate")?,
        None => bail!("the document signer's certificate names no issuer"),
    };
    drop(conn);
    let mut images = work::photos(centre, &[stored.application_id]).await?;
    let images = images.remove(&stored.application_id).context("the application's photo")?;
    let keys = centre.chip_keys().keys(card);
    let files = issue::rebuild(stored.dg1, stored.dg13, stored.sod, &images, Some(&keys))?;
    Ok(Chip { files, keys, signer: signer.der, csca: csca.der })
}

/// What the chip of a card of this installation holds: its files, and its keys if it was made with any.
pub(crate) async fn chip_of(
    centre: &Centre,
    card: CardId,
) -> Result<(chip::ChipFiles, Option<chip::ChipKeys>)> {
    let Chip { files, keys, .. } = load(centre, card).await?;
    let named = files.named().into_iter().map(|(name, bytes)| (name, bytes.to_vec()));
    Ok((chip::ChipFiles::from_named(named), files.proofs.is_some().then_some(keys)))
}

/// Writes into the audit trail that a card leaves this installation as files, before it does.
///
/// # Errors
/// Those of the database.
pub(crate) async fn note(centre: &Installation, by: &Actor, action: &str, card: CardId) -> Result<()> {
    let entry = Entry {
        at: SystemClock.now(),
        actor: by.clone(),
        action: action.to_owned(),
        subject: format!("card:{card}"),
        unit_path: String::new(),
        detail: serde_json::json!({}),
    };
    let mut tx = centre.db.begin().await?;
    store::audit::append(&mut tx, &entry).await?;
    Ok(store::commit(tx).await?)
}

/// The card that was named where a directory was not meant.
pub(crate) async fn named(centre: &Installation, text: &str) -> Result<CardId> {
    let name: CardName =
        text.parse().map_err(|error| anyhow::anyhow!("`{text}` is not a directory, and {error}"))?;
    name.find(centre).await
}

/// The newest revocation list of this CSCA certificate. That one is over is told: whoever checks the card
/// must know that it proves nothing.
pub(crate) async fn list_of(centre: &Installation, csca: &[u8]) -> Result<Option<Vec<u8>>> {
    let csca = pki::Certificate::from_der(csca)?;
    let Some((list, due)) = centre::signers::newest_list(centre, &csca).await? else {
        tell!("dancu: there is no revocation list of this card's CSCA; issue it with `dancu pki crl`");
        return Ok(None);
    };
    if let Some(due) = due.filter(|due| *due < centre.clock.now()) {
        tell!(
            "dancu: the revocation list was to be replaced by {}; issue it with `dancu pki crl`",
            due.date()
        );
    }
    Ok(Some(list))
}
