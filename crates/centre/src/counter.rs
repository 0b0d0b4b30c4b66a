//! The counter at which cards are handed over: the fingers that somebody enrolled are opened here, with the
//! centre's keys, and compared with those of whoever stands there.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use time::OffsetDateTime;

use crate::{Centre, Error, work};
use deliver::{Attempt, HandedOver, Presented};
use domain::Actor;
use domain::handover::Outcome;
use domain::id::ApplicationId;
use enrol::intake;
use fingerprint::{FingerPosition, Template};
use store::boxes::handovers;

/// Who came for a card.
#[derive(Debug, Clone)]
pub enum Came {
    /// Nobody.
    Nobody,
    /// Somebody with these fingers.
    Fingers(Vec<Template>),
    /// Somebody whose fingers were compared elsewhere, or could not be, and did not match.
    NoMatch,
}

/// Somebody at the counter.
#[derive(Debug, Clone)]
pub struct AtCounter {
    /// Whose card waits.
    pub application: ApplicationId,
    /// From 1; with the application it names the attempt, so that it is recorded once.
    pub number: i16,
    /// Who came.
    pub came: Came,
    /// Who serves.
    pub officer: Actor,
    /// When.
    pub at: OffsetDateTime,
}

/// Compares the fingers of everyone who came with those that were enrolled, and hands over the cards of those
/// who match. The fingers that both sides have count.
///
/// # Errors
/// Those of `deliver::hand_over`; [`Error::PacketAltered`], and then nobody of the list is served; a key
/// store that does not answer.
pub async fn hand_over(
    centre: &Centre,
    people: Vec<AtCounter>,
    now: OffsetDateTime,
) -> Result<HandedOver, Error> {
    let has_fingers = |person: &&AtCounter| matches!(person.came, Came::Fingers(_));
    let asked: Vec<ApplicationId> =
        people.iter().filter(has_fingers).map(|person| person.application).collect();
    let contents = intake::read_contents(&centre.db, Arc::clone(&centre.keys), &asked, now).await?;
    // Nobody is told that their fingers do not match because somebody exchanged what they are compared with.
    if let Some(&application) = contents.altered.first() {
        return Err(Error::PacketAltered { application });
    }
    let mut enrolled: HashMap<ApplicationId, Vec<Template>> = HashMap::new();
    for (application, content) in contents.opened {
        enrolled.insert(application, work::templates(&content)?);
    }
    let attempt = |person: AtCounter| {
        let AtCounter { application, number, came, officer, at } = person;
        let presented = match came {
            Came::Nobody => None,
            Came::NoMatch => Some(Presented { enrolled: Vec::new(), probe: Vec::new() }),
            Came::Fingers(probe) => {
                let shown: HashSet<FingerPosition> = probe.iter().map(Template::position).collect();
                let mut enrolled = enrolled.get(&application).cloned().unwrap_or_default();
                enrolled.retain(|template| shown.contains(&template.position()));
                Some(Presented { enrolled, probe })
            }
        };
        Attempt { application, at, officer, number, presented }
    };
    let attempts: Vec<Attempt> = people.into_iter().map(attempt).collect();
    Ok(deliver::hand_over(&centre.db, &attempts, now).await?)
}

/// What came of one person at the counter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Served {
    /// How it ended.
    pub outcome: Outcome,
    /// Which attempt it was.
    pub number: i16,
    /// How alike the fingers were; `None` when nobody came.
    pub score: Option<f32>,
    /// Whether it was recorded before.
    pub before: bool,
}

/// Serves one person. Without a number it is the next attempt; a card that was handed over answers as it did
/// then.
///
/// # Errors
/// Those of [`hand_over`]: a card that is not at its commune, a revoked one.
pub async fn serve(
    centre: &Centre,
    application: ApplicationId,
    number: Option<i16>,
    came: Came,
    officer: &Actor,
) -> Result<Served, Error> {
    let now = centre.clock.now();
    let tried = attempts(centre, application).await?;
    let done = tried.iter().find(|(_, outcome, _)| *outcome == Outcome::HandedOver);
    let again = number.and_then(|number| tried.iter().find(|(tried, ..)| *tried == number));
    if let Some(&(number, outcome, score)) = again.or(done) {
        return Ok(Served { outcome, number, score, before: true });
    }
    let number = number.unwrap_or_else(|| tried.iter().map(|(number, ..)| *number).max().unwrap_or(0) + 1);
    let person = AtCounter { application, number, came, officer: officer.clone(), at: now };
    hand_over(centre, vec![person], now).await?;
    let tried = attempts(centre, application).await?;
    let found = tried.iter().find(|(tried, ..)| *tried == number);
    let &(number, outcome, score) = found.expect("the attempt was recorded just now");
    Ok(Served { outcome, number, score, before: false })
}

async fn attempts(
    centre: &Centre,
    application: ApplicationId,
) -> Result<Vec<(i16, Outcome, Option<f32>)>, Error> {
    let mut conn = centre.db.read().await?;
    Ok(handovers::attempts(&mut conn, application).await?)
}
