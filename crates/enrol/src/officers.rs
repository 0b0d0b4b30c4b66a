//! Officers' credentials: the key of one officer, on one kit, until an end. The centre issues them, and two
//! people revoke them.

pub mod fingers;

use serde_json::json;
use time::{Duration, OffsetDateTime};

use crate::EnrolError;
use crate::intake::quarantine::{self, Doubt, Reason};
use crate::kits::{Came, known_kit};
use crate::two;
use domain::Actor;
use domain::id::{AccountId, CredentialId, KitId};
use domain::unit::Units;
use fingers::SealedFingers;
use packet::keys::PublicKey;
use store::applications::kits::{self, Kit};
use store::applications::officers::{self, Credential, fingers as rows};
use store::audit::{self, Entry};
use store::{Database, PgConnection};

/// Days for which a credential is issued at most: a province's campaign took 18 weeks in 2021, and its rest
/// eight more. Whoever is still on a team after that is asked for again.
pub const MOST_DAYS: i64 = 30 * 7;
/// How long after a credential's end a packet may still come that was captured before it: a team may be
/// without a line for a week, and a kit that comes later is looked at.
const LATEST: Duration = Duration::days(14);

/// What is known of a credential where packets are judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Officer {
    pub kit_id: KitId,
    pub not_after: OffsetDateTime,
    pub is_revoked: bool,
    /// Somebody proposes that it be revoked.
    pub is_doubted: bool,
}

impl Officer {
    /// Of a credential as its row has it.
    pub fn of(credential: &Credential) -> Officer {
        Officer {
            kit_id: credential.kit_id,
            not_after: credential.not_after,
            is_revoked: credential.revoked_at.is_some(),
            is_doubted: credential.proposed.is_some(),
        }
    }

    /// Why somebody should look at a packet of this kit that was signed with it. When the capture was is the
    /// centre's word; of a revoked credential no capture is believed to be older than the revocation. One
    /// that seems to be older than the credential was made by a slow clock, which quarantines nobody.
    pub fn doubt(&self, kit: KitId, captured_at: OffsetDateTime, now: OffsetDateTime) -> Option<Reason> {
        if self.kit_id != kit {
            Some(Reason::OtherKitsOfficer)
        } else if self.is_revoked {
            Some(Reason::OfficerRevoked)
        } else if self.is_doubted {
            Some(Reason::OfficerDoubted)
        } else if captured_at > self.not_after || now > self.not_after + LATEST {
            Some(Reason::CredentialEnded)
        } else {
            None
        }
    }
}

/// A credential as it is asked for.
#[derive(Debug, Clone)]
pub struct NewCredential {
    /// The officer's account.
    pub account: AccountId,
    /// Its login, for lists.
    pub login: String,
    /// Name of the kit on which it is good.
    pub kit: String,
    /// The key that the officer made on that kit.
    pub public_key: PublicKey,
    /// Its end.
    pub not_after: OffsetDateTime,
    /// The officer's own fingers. They are taken with the first credential; `None` where they are kept
    /// already.
    pub fingers: Option<SealedFingers>,
}

/// The id of the credential of this key: the same whenever it is asked for.
pub fn id_of(key: &PublicKey) -> CredentialId {
    CredentialId::derive(OffsetDateTime::UNIX_EPOCH, &[b"officer", &key.to_point()])
}

/// Issues a credential from now on. A repeat changes nothing, and gives the credential as it is.
///
/// # Errors
/// [`EnrolError::Officer`]: no kit of this name, a revoked one, an end that is over or too far, a key that
/// has another credential, an officer of whom no fingers are kept; those of the database.
pub async fn issue(
    db: &Database,
    units: Units<'_>,
    new: &NewCredential,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<(Credential, Came), EnrolError> {
    let mut tx = db.begin().await?;
    kits::lock(&mut tx).await?;
    let kit = known_kit(&mut tx, &new.kit).await?;
    let all = officers::all(&mut tx).await?;
    let credential = Credential {
        credential_id: id_of(&new.public_key),
        account_id: new.account,
        login: new.login.clone(),
        kit_id: kit.kit_id,
        public_key: new.public_key.to_point().to_vec(),
        not_before: now,
        not_after: new.not_after,
        issued_by: by.to_string(),
        revoked_at: None,
        revoked_reason: None,
        proposed: None,
    };
    match judge(&credential, &kit, &all, now).map_err(EnrolError::Officer)? {
        Some(before) => return Ok((before.clone(), Came::Before)),
        None => officers::insert(&mut tx, &credential).await?,
    }
    let path = units.path(kit.unit).unwrap_or_default();
    match &new.fingers {
        Some(fingers) if fingers.account() == new.account => fingers.keep(&mut tx, &path, by, now).await?,
        Some(_) => return Err(EnrolError::Officer("these fingers are another officer's".to_owned())),
        None if rows::is_kept(&mut tx, new.account).await? => {}
        None => {
            return Err(EnrolError::Officer(format!(
                "no fingers of {} are kept: give them with --fingers, or say with --lacking why there are \
                 none",
                new.login
            )));
        }
    }
    let until = credential.not_after.date().to_string();
    let detail = json!({ "account": new.account, "kit": kit.kit_id, "until": until });
    note(&mut tx, "officer.issued", credential.credential_id, &kit, units, by, detail, now).await?;
    store::commit(tx).await?;
    Ok((credential, Came::Now))
}

/// Whether a credential may be issued; the one that its key has already, when that is the same.
fn judge<'a>(
    new: &Credential,
    kit: &Kit,
    all: &'a [Credential],
    now: OffsetDateTime,
) -> Result<Option<&'a Credential>, String> {
    if let Some(known) = all.iter().find(|known| known.public_key == new.public_key) {
        let same = |one: &Credential| (one.account_id, one.kit_id, one.revoked_at);
        if same(known) == same(new) {
            return Ok(Some(known));
        }
        return Err("this key has a credential already; an officer makes a new key on each kit".to_owned());
    }
    if kit.public_key == new.public_key {
        return Err("this is the kit's own key; the officer makes one of their own".to_owned());
    }
    if kit.revoked_at.is_some() || kit.standing.proposed.is_some() || kit.standing.stopped.is_some() {
        return Err(format!("kit {} is revoked, stopped, or about to be", kit.name));
    }
    if new.not_after <= now {
        return Err("the end is over already".to_owned());
    }
    if new.not_after > now + Duration::days(MOST_DAYS) {
        return Err(format!("a credential ends after {MOST_DAYS} days at most"));
    }
    Ok(None)
}

/// Proposes that a credential be revoked. From now on packets that were signed with it are set aside, since a
/// stolen key is urgent; it is final when another account confirms it.
///
/// # Errors
/// [`EnrolError::Officer`]: no such credential, no reason, nobody named; those of the database.
pub async fn revoke(
    db: &Database,
    units: Units<'_>,
    id: CredentialId,
    reason: &str,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<Came, EnrolError> {
    let mut tx = db.begin().await?;
    let (credential, kit) = locked(&mut tx, id).await?;
    let proposal = two::propose("revoke", reason, by, now).map_err(EnrolError::Officer)?;
    if credential.revoked_at.is_some() || credential.proposed.is_some() {
        return Ok(Came::Before);
    }
    officers::propose(&mut tx, id, Some(&proposal)).await?;
    let detail = json!({ "reason": proposal.reason });
    note(&mut tx, "officer.revocation_proposed", id, &kit, units, by, detail, now).await?;
    store::commit(tx).await?;
    Ok(Came::Now)
}

/// Makes a proposal final, on the word of another account.
///
/// # Errors
/// [`EnrolError::Officer`]: no such credential, nothing proposed, the same account; those of the database.
pub async fn confirm(
    db: &Database,
    units: Units<'_>,
    id: CredentialId,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<Came, EnrolError> {
    let mut tx = db.begin().await?;
    let (credential, kit) = locked(&mut tx, id).await?;
    if credential.revoked_at.is_some() {
        return Ok(Came::Before);
    }
    let proposal = two::answer(credential.proposed.as_ref(), &id.to_string(), by);
    let proposal = proposal.map_err(EnrolError::Officer)?;
    officers::revoke(&mut tx, id, &proposal.reason, now).await?;
    let detail = json!({ "reason": proposal.reason, "proposed_by": proposal.by });
    note(&mut tx, "officer.revoked", id, &kit, units, by, detail, now).await?;
    store::commit(tx).await?;
    Ok(Came::Now)
}

/// Withdraws a proposal, on the word of another account. What was set aside because of it is opened. Gives
/// how many packets that are.
///
/// # Errors
/// As [`confirm`].
pub async fn keep(
    db: &Database,
    units: Units<'_>,
    id: CredentialId,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<usize, EnrolError> {
    let mut tx = db.begin().await?;
    let (credential, kit) = locked(&mut tx, id).await?;
    let proposal = two::answer(credential.proposed.as_ref(), &id.to_string(), by);
    let detail = json!({ "proposed_by": proposal.map_err(EnrolError::Officer)?.by });
    officers::propose(&mut tx, id, None).await?;
    let released = quarantine::doubt_is_over(&mut tx, Doubt::OfOfficer(kit.kit_id, id), by, now).await?;
    note(&mut tx, "officer.kept", id, &kit, units, by, detail, now).await?;
    store::commit(tx).await?;
    Ok(released)
}

/// A credential and its kit, which nobody else changes and no upload is judged by until the transaction ends.
async fn locked(tx: &mut PgConnection, id: CredentialId) -> Result<(Credential, Kit), EnrolError> {
    kits::lock(tx).await?;
    let nothing = || {
        EnrolError::Officer(format!(
            "there is no credential {id}; `dancu officer list` names those there are"
        ))
    };
    let credential = officers::find(tx, &[id]).await?.pop().ok_or_else(nothing)?;
    let kit = kits::lock_kits(tx, &[credential.kit_id]).await?.pop().ok_or_else(nothing)?;
    Ok((credential, kit))
}

#[expect(clippy::too_many_arguments, reason = "each is a column of the trail")]
async fn note(
    tx: &mut PgConnection,
    action: &str,
    id: CredentialId,
    kit: &Kit,
    units: Units<'_>,
    by: &Actor,
    detail: serde_json::Value,
    now: OffsetDateTime,
) -> Result<(), EnrolError> {
    let entry = Entry {
        at: now,
        actor: by.clone(),
        action: action.to_owned(),
        subject: format!("officer:{id}"),
        unit_path: units.path(kit.unit).unwrap_or_default(),
        detail,
    };
    Ok(audit::append(tx, &entry).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const BEGIN: OffsetDateTime = datetime!(2021-04-01 00:00 UTC);
    const END: OffsetDateTime = datetime!(2021-05-01 00:00 UTC);

    fn kit(number: u8) -> KitId {
        KitId::derive(BEGIN, &[&[number]])
    }

    fn check(
        officer: &Officer,
        of: KitId,
        captured_at: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Option<Reason> {
        officer.doubt(of, captured_at, now)
    }

    #[test]
    fn a_credential_is_good_on_its_kit_until_its_end() {
        let good = Officer { kit_id: kit(1), not_after: END, is_revoked: false, is_doubted: false };
        let day = BEGIN + Duration::DAY;
        assert_eq!(check(&good, kit(1), day, day), None);
        assert_eq!(check(&good, kit(1), END, END + LATEST), None, "a week without a line is nobody's fault");
        let ended = Some(Reason::CredentialEnded);
        assert_eq!(check(&good, kit(1), END + Duration::SECOND, END + Duration::DAY), ended);
        assert_eq!(check(&good, kit(1), day, END + LATEST + Duration::SECOND), ended, "a clock set back");
        assert_eq!(check(&good, kit(1), BEGIN - Duration::DAY, day), None, "a slow clock");
        assert_eq!(check(&good, kit(2), day, day), Some(Reason::OtherKitsOfficer));
        let revoked = Officer { is_revoked: true, ..good.clone() };
        assert_eq!(check(&revoked, kit(1), day, day), Some(Reason::OfficerRevoked));
        let doubted = Officer { is_doubted: true, ..good };
        assert_eq!(check(&doubted, kit(1), day, day), Some(Reason::OfficerDoubted));
    }
}
