//! What the pages and the kits' door are answered with keys: photos, the kits' desk.

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::error::with_causes;
use crate::{Centre, Error, Installation, work};
use domain::clock::SystemClock;
use domain::id::{AccountId, ApplicationId};
use domain::{Actor, Clock};
use enrol::desks::{Answer, Asker, KitAnswer, KitDesk, Page, Photo, PhotoSource};
use enrol::{EnrolError, intake};
use issue::certificates::hex;
use packet::message::{Outcome, ReceiptItem};
use store::audit;

/// Opens photos for sessions whose account may see the application.
pub struct Photos(pub Centre);

/// The roles of the accounts that read a page with a photo, as `account.role` has them.
pub fn readers(page: Page) -> &'static [&'static str] {
    match page {
        Page::Card => &["commander", "officer", "adjudicator", "clerk"],
        Page::Case => &["adjudicator"],
    }
}

/// Whoever asks, as the database knows it, or why nothing is shown.
enum Standing {
    May { actor: Actor, unit_path: String },
    MayNot { actor: Actor, why: &'static str },
}

impl Photos {
    /// Believes the asker nothing: the session must be alive and its account enabled, of a role that reads
    /// the page, and of a unit that sees the application.
    async fn standing(
        &self,
        asker: Asker<'_>,
        hash: &[u8; 32],
        id: ApplicationId,
    ) -> Result<Standing, Error> {
        let mut conn = self.0.db.read().await?;
        let found = store::sessions::find(&mut conn, hash, SystemClock.now()).await?;
        drop(conn);
        let Some((_, account)) = found else {
            return Ok(Standing::MayNot { actor: Actor::Centre, why: "no_session" });
        };
        let actor = Actor::Account(AccountId::from_uuid(account.id));
        if !readers(asker.page).contains(&account.role.as_str()) {
            return Ok(Standing::MayNot { actor, why: "role" });
        }
        let mut scoped = self.0.db.scoped(&account.scope).await?;
        Ok(match store::applications::find(&mut scoped, id).await? {
            Some(application) => Standing::May { actor, unit_path: application.unit_path },
            None => Standing::MayNot { actor, why: "scope" },
        })
    }

    /// The row that says who was shown what and why comes before the photo is opened.
    async fn open(&self, asker: Asker<'_>, id: ApplicationId) -> Result<Option<Vec<u8>>, Error> {
        let hash: [u8; 32] = Sha256::digest(asker.session.as_bytes()).into();
        let standing = self.standing(asker, &hash, id).await?;
        // Enough to find the session, and too little to be one.
        let session = hex(&hash[..8]);
        let mut detail = json!({ "page": asker.page.code(), "session": session });
        let (actor, unit_path, action) = match standing {
            Standing::May { actor, unit_path } => (actor, unit_path, "photo.opened"),
            Standing::MayNot { actor, why } => {
                detail["why"] = json!(why);
                (actor, String::new(), "photo.refused")
            }
        };
        let entry = audit::Entry {
            at: SystemClock.now(),
            actor,
            action: action.to_owned(),
            subject: format!("application:{id}"),
            unit_path,
            detail,
        };
        let mut tx = self.0.db.begin().await?;
        audit::append(&mut tx, &entry).await?;
        store::commit(tx).await?;
        if action == "photo.refused" {
            return Ok(None);
        }
        let mut photos = work::photos(&self.0, &[id]).await?;
        Ok(photos.remove(&id).map(|images| images.photo))
    }
}

impl PhotoSource for Photos {
    fn photo<'a>(&'a self, asker: Asker<'a>, id: ApplicationId) -> Answer<'a, Photo> {
        Box::pin(async move {
            match self.open(asker, id).await {
                Ok(Some(jpeg)) => Photo::Shown(jpeg),
                Ok(None) => Photo::NotShown,
                Err(error) if error.is_lost() => Photo::Away,
                Err(error) => {
                    tracing::warn!(application.id = %id, error = with_causes(&error), "the photo cannot be \
                        opened");
                    Photo::NotShown
                }
            }
        })
    }
}

/// Takes kits' messages over and answers with signed receipts.
pub struct Kits(pub Centre);

impl Kits {
    /// `outcome` is the signed answer, and how many messages in it are refused.
    fn answer(outcome: Result<(Vec<u8>, u32), EnrolError>) -> KitAnswer {
        match outcome {
            Ok((body, refused)) => KitAnswer { status: 200, body, refused },
            Err(error) if error.is_senders_fault() => {
                KitAnswer { status: 400, body: error.to_string().into_bytes(), refused: 1 }
            }
            // It keeps its packets, as one that meets a busy centre does. Going on all the same costs us
            // whole batches, and so weighs as many refusals.
            Err(error @ EnrolError::Quota { .. }) => {
                KitAnswer { status: 429, body: error.to_string().into_bytes(), refused: 20 }
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

    fn status(&self, body: Vec<u8>) -> Answer<'_, KitAnswer> {
        Box::pin(async move {
            let Centre { receipts, .. } = &self.0;
            let Installation { db, clock, .. } = &*self.0;
            let answer = intake::receive_status(db, &body, clock.now(), receipts.as_ref()).await;
            Self::answer(answer.map(|answer| (answer, 0)))
        })
    }
}
