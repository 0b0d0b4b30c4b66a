//! Keeps packets until the centre calls them safe, and sends again what its database has lost.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::clocks::{KitTime, note_centre};
use crate::columns::{count, log};
use crate::{KitError, Outbox};
use domain::id::KitId;
use packet::PacketError;
use packet::keys::PublicKey;
use packet::message::{Outcome, Receipt, ReceiptItem};
use packet::standing::Standing;

/// What a standing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AppliedStanding {
    /// Packets that are safe now, and forgotten here.
    pub safe: usize,
    /// Packets with a receipt that the centre does not have any more; they wait to be sent again.
    pub asked_again: usize,
    /// Packets that were called safe, and that the centre does not have any more all the same.
    pub lost: usize,
}

/// Goes by what the centre says of this kit's packets, if it says something.
pub(crate) fn apply(
    db: &Connection,
    kit_id: KitId,
    standings: &[Standing],
) -> Result<AppliedStanding, KitError> {
    let mut applied = AppliedStanding::default();
    let Some(standing) = standings.iter().find(|standing| standing.kit_id == kit_id) else {
        return Ok(applied);
    };
    if let Some(durable) = standing.durable {
        let own: Option<Vec<u8>> = db
            .query_row(
                "SELECT sha256 FROM packet WHERE kit_seq = ?1",
                [durable.kit_seq.cast_signed()],
                |row| row.get(0),
            )
            .optional()?;
        // The centre speaks of another disk's packets: a person has to look, and until then nothing is
        // forgotten.
        if own.as_deref() != Some(durable.sha256.as_slice()) {
            return Ok(applied);
        }
    }
    let mut again = db.prepare_cached(
        "UPDATE packet SET state = 'sent' WHERE state = 'accepted' AND kit_seq BETWEEN ?1 AND ?2",
    )?;
    let mut lost = db.prepare_cached(
        "SELECT count(*) FROM packet WHERE state = 'durable' AND kit_seq BETWEEN ?1 AND ?2",
    )?;
    let above = (standing.highest + 1, u64::MAX >> 1);
    for (from, to) in standing.missing.iter().copied().chain([above]) {
        let range = [from.cast_signed(), to.cast_signed()];
        applied.asked_again += again.execute(range)?;
        applied.lost +=
            usize::try_from(lost.query_row(range, |row| row.get::<_, i64>(0))?).unwrap_or_default();
    }
    if let Some(durable) = standing.durable {
        let kit_seq = durable.kit_seq.cast_signed();
        applied.safe = db.execute(
            "UPDATE packet SET state = 'durable', sealed = NULL WHERE state = 'accepted' AND kit_seq <= ?1",
            [kit_seq],
        )?;
        db.execute("UPDATE kit SET durable_seq = max(durable_seq, ?1)", [kit_seq])?;
    }
    Ok(applied)
}

impl Outbox {
    /// Books the centre's answer to the day report or the status whose bytes have the hash `sent`.
    ///
    /// # Errors
    /// [`KitError::Message`] when it is not the centre's receipt for that message; those of SQLite.
    pub fn apply_answer(
        &mut self,
        message: &[u8],
        centre: &PublicKey,
        sent: &[u8; 32],
        event: &str,
        now: impl Into<KitTime>,
    ) -> Result<AppliedStanding, KitError> {
        let receipt = Receipt::verify(message, centre)?;
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let applied = book_answer(&tx, self.kit_id, &receipt, sent, event, now.into())?;
        tx.commit()?;
        Ok(applied)
    }

    /// Up to which counter the centre called packets safe; 0 when it never did.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn durable(&self) -> Result<u64, KitError> {
        count(self.db.query_row("SELECT durable_seq FROM kit", [], |row| row.get(0))?)
    }
}

/// Books the answer to a message of one line, and what it says of the kit's packets.
fn book_answer(
    db: &Connection,
    kit_id: KitId,
    receipt: &Receipt,
    sent: &[u8; 32],
    event: &str,
    now: KitTime,
) -> Result<AppliedStanding, KitError> {
    let is_ours = |item: &ReceiptItem| item.sha256 == *sent && item.outcome == Outcome::Accepted;
    if !receipt.items.iter().any(is_ours) {
        let problem = "is not for the message that was sent";
        return Err(KitError::Message(PacketError::Structure { what: "the receipt", problem }));
    }
    note_centre(db, receipt.at, now.steady)?;
    let applied = apply(db, kit_id, &receipt.standings)?;
    log(db, now.wall, event, applied.asked_again, &note(&applied))?;
    Ok(applied)
}

/// For the log of exchanges.
pub(crate) fn note(applied: &AppliedStanding) -> String {
    format!("safe {}, asked again {}, lost {}", applied.safe, applied.asked_again, applied.lost)
}
