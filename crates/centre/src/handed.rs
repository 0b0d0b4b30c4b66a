//! Hand-overs that kits recorded, brought into the books by what the counter does: the fingers that were
//! shown there are compared again, with those that were enrolled.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::counter::{self, AtCounter, Came};
use crate::{Centre, Error};
use enrol::intake::hand_overs::{self, Recorded};
use fingerprint::Template;
use packet::FingerCapture;
use store::boxes::handovers;

/// What came of the hand-overs that kits had recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Handed {
    /// In the books now: handed over, nobody there, or no match.
    pub booked: usize,
    /// Set aside: another card, another commune, or an application that cannot be handed over.
    pub set_aside: usize,
}

/// Books every hand-over that kits recorded and that is not in the books. One that cannot be booked is set
/// aside with its reason, and holds up no other; run again it changes nothing.
///
/// # Errors
/// Those of the database; a key store that does not answer.
pub async fn book(centre: &Centre) -> Result<Handed, Error> {
    let mut handed = Handed::default();
    loop {
        let now = centre.clock.now();
        let recorded = hand_overs::unbooked(&centre.db, Arc::clone(&centre.keys), now).await?;
        if recorded.is_empty() {
            return Ok(handed);
        }
        for one in recorded {
            let packet = one.packet;
            match book_one(centre, one).await {
                Ok(true) => {
                    hand_overs::booked(&centre.db, packet, now).await?;
                    handed.booked += 1;
                }
                Ok(false) => {
                    hand_overs::not_booked(&centre.db, packet, now).await?;
                    handed.set_aside += 1;
                }
                Err(error) if is_this_ones(&error) => {
                    tracing::warn!(packet.id = %packet, error = %error, "a hand-over cannot be booked");
                    hand_overs::not_booked(&centre.db, packet, now).await?;
                    handed.set_aside += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether an error is this record's own and says nothing of the next: not when the database or the key store
/// is away.
fn is_this_ones(error: &Error) -> bool {
    match error {
        Error::PacketAltered { .. }
        | Error::Deliver(
            deliver::Error::State { .. } | deliver::Error::NotLiving { .. } | deliver::Error::Worker(_),
        ) => true,
        Error::Store(error) | Error::Deliver(deliver::Error::Store(error)) => error.blames_content(),
        _ => false,
    }
}

/// Books one, or says that it is about another card or another place.
async fn book_one(centre: &Centre, recorded: Recorded) -> Result<bool, Error> {
    let Recorded { application, officer, unit, at, record, .. } = recorded;
    let mut conn = centre.db.read().await?;
    let cards = handovers::cards_of(&mut conn, application).await?;
    let tried = handovers::times(&mut conn, application).await?;
    drop(conn);
    let is_here = cards.first().is_some_and(|(of, number)| {
        *of == unit.to_string() && <[u8; 32]>::from(Sha256::digest(number)) == record.card_sha256
    });
    if !is_here {
        return Ok(false);
    }
    let came = match record.came {
        packet::Came::Nobody => Came::Nobody,
        packet::Came::NoMatch => Came::NoMatch,
        packet::Came::Holder(fingers) => match templates(&fingers) {
            Some(probe) => Came::Fingers(probe),
            None => return Ok(false),
        },
    };
    // An attempt of the same officer at the same moment is this one. Where the counter has counted one of its
    // own under this number, it is the next.
    let same = tried.iter().find(|(_, when, who)| *when == at && *who == officer.to_string());
    let wanted = i16::try_from(record.attempt).unwrap_or(i16::MAX);
    let is_taken = tried.iter().any(|(number, ..)| *number == wanted);
    let next = tried.iter().map(|(number, ..)| *number).max().unwrap_or(0).saturating_add(1);
    let number = same.map_or(if is_taken { next } else { wanted }, |(number, ..)| *number);
    let person = AtCounter { application, number, came, officer, at };
    counter::hand_over(centre, vec![person], centre.clock.now()).await?;
    Ok(true)
}

fn templates(fingers: &[packet::Finger]) -> Option<Vec<Template>> {
    let mut all = Vec::new();
    for finger in fingers {
        if let FingerCapture::Template(bytes) = &finger.capture {
            all.extend(fingerprint::parse(bytes.as_bytes()).ok()?);
        }
    }
    (!all.is_empty()).then_some(all)
}
