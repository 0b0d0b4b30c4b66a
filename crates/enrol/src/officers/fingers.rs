//! Officers' own fingers: taken when a credential is issued, kept sealed, and compared with every citizen's
//! (docs/decisions/0035-officers-fingers.md).

use rand::CryptoRng;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use crate::EnrolError;
use crate::two;
use domain::Actor;
use domain::id::AccountId;
use fingerprint::params::ONE_FINGER;
use fingerprint::{Prepared, Template, compare, is_searchable};
use packet::keys::{self, CentreKeys, WrappingKey};
use packet::rules::{Problem, template_problem};
use packet::{Biometric, Finger, FingerCapture};
use store::applications::officers::fingers::{self as rows, OfficerFingers};
use store::audit::{self, Entry};
use store::{Database, PgConnection};

/// All ten are taken: a finger that is not kept is one that nobody looks for.
pub const FINGERS: usize = 10;
/// Of the ten so many are fit to be compared. Two in ten may be worn or were laid badly: whoever means to put
/// a finger under ten names does not choose one that no scanner reads.
pub const LEAST_FIT: usize = 8;
/// How long fingers are kept after the last credential of their owner is over. Whoever was on a team knows
/// those who still are, and a campaign takes two thirds of a year; after a year there is nothing to compare
/// them with.
pub const KEPT: Duration = Duration::days(365);

/// An officer's fingers, judged and sealed for their account.
#[derive(Debug, Clone)]
pub struct SealedFingers {
    account: AccountId,
    fingers: i16,
    fit: usize,
    sealed: Option<Vec<u8>>,
    lacking: Option<String>,
}

impl SealedFingers {
    /// Whose they are.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        usize::try_from(self.fingers).unwrap_or_default()
    }

    /// Writes them down with their row of the trail, in the place of those that were kept before.
    pub(super) async fn keep(
        &self,
        tx: &mut PgConnection,
        unit_path: &str,
        by: &Actor,
        now: OffsetDateTime,
    ) -> Result<(), EnrolError> {
        let row = OfficerFingers {
            account_id: self.account,
            taken_at: now,
            taken_by: by.to_string(),
            fingers: self.fingers,
            sealed: self.sealed.clone(),
            lacking: self.lacking.clone(),
        };
        rows::keep(tx, &row).await?;
        let detail = json!({ "fingers": self.fingers, "fit": self.fit, "lacking": self.lacking });
        note(tx, "officer.fingers_taken", self.account, unit_path, by, detail, now).await
    }
}

/// Judges an officer's fingers by the rules for citizens', and seals them under a key that is drawn for them
/// alone and opens for this account only. `lacking` says why not all of them are there.
///
/// # Errors
/// [`EnrolError::Officer`]: a file that is no template, fingers that are missing or unfit without a reason,
/// one finger at two positions; [`EnrolError::Key`].
pub fn seal(
    wrapping: &dyn WrappingKey,
    account: AccountId,
    taken: &[Finger],
    lacking: Option<&str>,
    rng: &mut impl CryptoRng,
) -> Result<SealedFingers, EnrolError> {
    let lacking = lacking.map(two::reason).transpose().map_err(EnrolError::Officer)?.map(str::to_owned);
    let templates = judge(taken, lacking.is_some()).map_err(EnrolError::Officer)?;
    let sealed = if templates.is_empty() {
        None
    } else {
        let record = fingerprint::encode(&templates);
        let record = Biometric::new(record.map_err(|error| EnrolError::Officer(error.to_string()))?);
        Some(keys::seal_bytes(wrapping, &context(account), record.as_bytes(), rng)?)
    };
    let fingers = i16::try_from(templates.len()).unwrap_or(i16::MAX);
    let fit = templates.iter().filter(|template| is_searchable(template)).count();
    Ok(SealedFingers { account, fingers, fit, sealed, lacking })
}

/// The templates, if they are to be kept. Pure.
fn judge(taken: &[Finger], may_lack: bool) -> Result<Vec<Template>, String> {
    let mut templates: Vec<Template> = Vec::with_capacity(taken.len());
    for finger in taken {
        let FingerCapture::Template(bytes) = &finger.capture else { continue };
        if templates.iter().any(|known| known.position() == finger.position) {
            return Err(Problem::FingerTwice(finger.position).to_string());
        }
        if let Some(problem) = template_problem(finger) {
            return Err(problem.to_string());
        }
        templates.extend(fingerprint::parse(bytes.as_bytes()).map_err(|error| error.to_string())?);
    }
    let fit = templates.iter().filter(|template| is_searchable(template)).count();
    if !may_lack && (templates.len() < FINGERS || fit < LEAST_FIT) {
        return Err(format!(
            "{} of an officer's {FINGERS} fingers are here, and {fit} of these are fit to be compared; all \
             {FINGERS} are taken, and {LEAST_FIT} of them are fit. Take them again; of an officer who lacks \
             fingers say why, with --lacking",
            templates.len()
        ));
    }
    let prepared: Vec<Prepared> = templates.iter().map(Prepared::new).collect();
    for (at, one) in prepared.iter().enumerate() {
        if let Some(other) = prepared[at + 1..].iter().find(|other| compare(one, other).score >= ONE_FINGER) {
            return Err(format!(
                "the {:?} and the {:?} are one finger; take them again",
                one.position(),
                other.position()
            ));
        }
    }
    Ok(templates)
}

/// Takes an officer's fingers anew, or for the first time, whatever credentials they have.
///
/// # Errors
/// Those of the database.
pub async fn take(
    db: &Database,
    fingers: &SealedFingers,
    unit_path: &str,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<(), EnrolError> {
    let mut tx = db.begin().await?;
    fingers.keep(&mut tx, unit_path, by, now).await?;
    Ok(store::commit(tx).await?)
}

/// The fingers of every officer of whom there are some. A row that does not open, because somebody changed it
/// in the database, is told in the log and left out: one row must not stop the work for everybody.
///
/// # Errors
/// Those of the database; a key store that does not answer.
pub async fn open_all(
    conn: &mut PgConnection,
    keys: &CentreKeys,
) -> Result<Vec<(AccountId, Vec<Template>)>, EnrolError> {
    let mut opened = Vec::new();
    for row in rows::all(conn).await? {
        let Some(sealed) = &row.sealed else { continue };
        let record = match keys::open_bytes(&*keys.wrapping, &context(row.account_id), sealed) {
            Err(error @ keys::KeyError::Unavailable(_)) => return Err(error.into()),
            record => record,
        };
        match record.ok().and_then(|record| fingerprint::parse(&record).ok()) {
            Some(templates) => opened.push((row.account_id, templates)),
            None => tracing::error!(account.id = %row.account_id, "an officer's stored fingers were altered"),
        }
    }
    Ok(opened)
}

/// Forgets the fingers of officers whose last credential has been over for [`KEPT`], with a row of the trail
/// for each. Says how many officers that are.
///
/// # Errors
/// Those of the database.
pub async fn forget(db: &Database, now: OffsetDateTime) -> Result<usize, EnrolError> {
    let mut tx = db.begin().await?;
    let forgotten = rows::forget(&mut tx, now - KEPT).await?;
    for &account in &forgotten {
        let (by, detail) = (Actor::Centre, json!({}));
        note(&mut tx, "officer.fingers_forgotten", account, "", &by, detail, now).await?;
    }
    store::commit(tx).await?;
    Ok(forgotten.len())
}

/// What the sealed fingers are bound to.
fn context(account: AccountId) -> Vec<u8> {
    [&b"dancu officer fingers 1"[..], account.uuid().as_bytes()].concat()
}

async fn note(
    tx: &mut PgConnection,
    action: &str,
    account: AccountId,
    unit_path: &str,
    by: &Actor,
    detail: serde_json::Value,
    now: OffsetDateTime,
) -> Result<(), EnrolError> {
    let entry = Entry {
        at: now,
        actor: by.clone(),
        action: action.to_owned(),
        subject: format!("account:{account}"),
        unit_path: unit_path.to_owned(),
        detail,
    };
    Ok(audit::append(tx, &entry).await?)
}
