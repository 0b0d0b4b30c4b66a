//! What the pages and the kits' door are answered with keys: photos, the kits' desk.

use crate::error::with_causes;
use crate::work;
use crate::{Centre, Installation};
use domain::id::ApplicationId;
use enrol::desks::{Answer, KitAnswer, KitDesk, PhotoSource};
use enrol::intake;
use packet::message::{Outcome, ReceiptItem};

/// Opens photos for pages whose reader may see the application.
pub struct Photos(pub Centre);

impl PhotoSource for Photos {
    fn photo(&self, id: ApplicationId) -> Answer<'_, Option<Vec<u8>>> {
        Box::pin(async move {
            match work::photos(&self.0, &[id]).await {
                Ok(mut photos) => photos.remove(&id).map(|images| images.photo),
                Err(error) => {
                    tracing::warn!(application.id = %id, error = with_causes(&error), "the photo cannot be \
                        opened");
                    None
                }
            }
        })
    }
}

/// Takes kits' messages over and answers with signed receipts.
pub struct Kits(pub Centre);

impl Kits {
    /// `outcome` is the signed answer, and how many messages in it are refused.
    fn answer(outcome: Result<(Vec<u8>, u32), enrol::EnrolError>) -> KitAnswer {
        match outcome {
            Ok((body, refused)) => KitAnswer { status: 200, body, refused },
            Err(error) if error.is_senders_fault() => {
                KitAnswer { status: 400, body: error.to_string().into_bytes(), refused: 1 }
            }
            Err(error) => {
                tracing::error!(error = with_causes(&error), "a kit's message could not be taken over");
                // The kit keeps its packets and tries again.
                KitAnswer { status: 503, body: Vec::new(), refused: 0 }
            }
        }
    }
}

impl KitDesk for Kits {
    fn packets(&self, body: Vec<u8>) -> Answer<'_, KitAnswer> {
        Box::pin(async move {
            let Centre { receipts, .. } = &self.0;
            let Installation { db, clock, .. } = &*self.0;
            let received = intake::receive_batch(db, &body, clock.now(), receipts.as_ref()).await;
            Self::answer(received.map(|received| {
                let is_refused = |item: &&ReceiptItem| matches!(item.outcome, Outcome::Refused(_));
                let refused = received.receipt.items.iter().filter(is_refused).count();
                (received.signed, u32::try_from(refused).unwrap_or(u32::MAX))
            }))
        })
    }

    fn day_report(&self, body: Vec<u8>) -> Answer<'_, KitAnswer> {
        Box::pin(async move {
            let Centre { receipts, .. } = &self.0;
            let Installation { db, clock, .. } = &*self.0;
            let answer = intake::receive_day_report(db, &body, clock.now(), receipts.as_ref()).await;
            Self::answer(answer.map(|answer| (answer, 0)))
        })
    }
}
