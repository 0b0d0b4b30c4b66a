//! What a kit says in one signed message, a day report or a question, and the receipt of one line for it.

use time::OffsetDateTime;

use super::sha256;
use crate::EnrolError;
use domain::id::KitId;
use packet::PacketError;
use packet::keys::PublicKey;
use packet::message::{Outcome, Receipt, ReceiptItem};
use packet::standing::Standing;
use store::PgConnection;
use store::applications::intake::{self, NewRefusal};
use store::applications::kits::{self, Kit};

/// Why a kit's word is not believed.
pub(super) struct Refused {
    pub code: &'static str,
    pub reason: String,
    /// As claimed.
    pub kit_id: Option<KitId>,
}

impl Refused {
    /// Counts it among the refusals.
    pub async fn note(
        &self,
        tx: &mut PgConnection,
        body: &[u8],
        now: OffsetDateTime,
    ) -> Result<(), EnrolError> {
        let (sha256, size, code) = (sha256(body), body.len(), self.code);
        let refusal = NewRefusal { sha256, code, kit_id: self.kit_id, packet_id: None, size };
        Ok(intake::note_refusals(tx, now, &[refusal]).await?)
    }
}

impl From<Refused> for EnrolError {
    fn from(refused: Refused) -> EnrolError {
        EnrolError::ReportRefused { code: refused.code, reason: refused.reason }
    }
}

/// What a registered kit says, and the kit, whose row is held. `claimed` is whose word it claims to be.
pub(super) async fn believe<M>(
    tx: &mut PgConnection,
    claimed: Result<KitId, PacketError>,
    verify: impl FnOnce(&PublicKey) -> Result<M, PacketError>,
) -> Result<Result<(M, Kit), Refused>, EnrolError> {
    let refused = |error: PacketError, kit_id| {
        Ok(Err(Refused { code: error.code(), reason: error.to_string(), kit_id }))
    };
    let kit_id = match claimed {
        Ok(kit_id) => kit_id,
        Err(error) => return refused(error, None),
    };
    let Some(kit) = kits::lock_kits(tx, &[kit_id]).await?.pop() else {
        let (code, reason) = ("unknown_kit", "the kit is not registered".to_owned());
        return Ok(Err(Refused { code, reason, kit_id: Some(kit_id) }));
    };
    let key = PublicKey::from_point(&kit.public_key).map_err(PacketError::from);
    match key.and_then(|key| verify(&key)) {
        Ok(word) => Ok(Ok((word, kit))),
        Err(error) => refused(error, Some(kit_id)),
    }
}

/// The receipt for it.
pub(super) fn answer(
    body: &[u8],
    standings: Vec<Standing>,
    now: OffsetDateTime,
    signer: &dyn pki::Signer,
) -> Result<Vec<u8>, EnrolError> {
    let item = ReceiptItem { packet_id: None, sha256: sha256(body), outcome: Outcome::Accepted };
    Ok(Receipt { at: now, items: vec![item], standings }.sign(signer)?)
}
