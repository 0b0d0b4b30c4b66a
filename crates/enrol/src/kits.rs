//! Which kits the centre takes packets from: registered by their public key, until two people revoke them.

use serde_json::json;
use time::OffsetDateTime;

use crate::EnrolError;
use crate::intake::quarantine::{self, Doubt};
use crate::two;
use domain::id::KitId;
use domain::unit::Units;
use domain::{Actor, UnitCode};
use packet::keys::PublicKey;
use store::applications::kits::{self, Kit, Standing};
use store::applications::proposals::Proposal;
use store::audit::{self, Entry};
use store::{Database, PgConnection};

/// Characters of a kit's name at most.
const MOST_NAME_CHARS: usize = 64;
/// What may be proposed of a kit, as the table `kit` has it.
pub(crate) const REVOKE: &str = "revoke";
const RESUME: &str = "resume";

/// A kit as it is set up.
#[derive(Debug, Clone)]
pub struct NewKit {
    /// Stands in everything that the kit sends; [`id_of`] gives one.
    pub kit_id: KitId,
    /// What people call it: letters of the ASCII alphabet, digits, `-`, `.` and `_`.
    pub name: String,
    /// The unit in which it works.
    pub unit: UnitCode,
    /// The key that it signs with.
    pub public_key: PublicKey,
}

/// Whether a call did anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// It was done now.
    Now,
    /// It was done before.
    Before,
}

/// The id of the kit with this key: the same whenever it is asked for, so that registering twice registers
/// once.
pub fn id_of(key: &PublicKey) -> KitId {
    KitId::derive(OffsetDateTime::UNIX_EPOCH, &[b"kit", &key.to_point()])
}

/// Registers a kit. A repeat changes nothing. A key is never exchanged: a new key is a new kit.
///
/// # Errors
/// [`EnrolError::Kit`]: a unit that is not in the list, a name that is taken or cannot be one, a key or an id
/// that is another kit's; those of the database.
pub async fn register(
    db: &Database,
    units: Units<'_>,
    kit: &NewKit,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<Came, EnrolError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if !(1..=MOST_NAME_CHARS).contains(&kit.name.len()) || !kit.name.chars().all(is_plain) {
        return refuse(format!(
            "a kit is named by 1 to {MOST_NAME_CHARS} letters of the ASCII alphabet, digits, `-`, `.` or `_`"
        ));
    }
    let path =
        units.path(kit.unit).ok_or_else(|| EnrolError::Kit(format!("there is no unit {}", kit.unit)))?;
    let row = Kit {
        kit_id: kit.kit_id,
        name: kit.name.clone(),
        unit: kit.unit,
        public_key: kit.public_key.to_point().to_vec(),
        registered_at: now,
        revoked_at: None,
        heard_at: None,
        standing: Standing::default(),
    };
    let mut tx = db.begin().await?;
    kits::lock(&mut tx).await?;
    let known = kits::all(&mut tx).await?;
    if let Some(other) = known.iter().find(|other| {
        other.name == row.name || other.kit_id == row.kit_id || other.public_key == row.public_key
    }) {
        return repeated(other, &row);
    }
    kits::register_kit(&mut tx, &row).await?;
    let detail = json!({ "unit": kit.unit.to_string() });
    note(&mut tx, "kit.registered", kit.kit_id, path, by, detail, now).await?;
    store::commit(tx).await?;
    Ok(Came::Now)
}

/// The same kit once more, or one that takes something of another's.
fn repeated(known: &Kit, kit: &Kit) -> Result<Came, EnrolError> {
    let same = |kit: &Kit| (kit.kit_id, kit.name.clone(), kit.unit, kit.public_key.clone());
    if same(known) != same(kit) {
        let what = if known.public_key == kit.public_key {
            "this key is registered"
        } else if known.name == kit.name {
            "this name is registered, with another key"
        } else {
            "this id is registered"
        };
        return refuse(format!("{what}, as kit {} of unit {}", known.name, known.unit));
    }
    if known.revoked_at.is_some() {
        return refuse(format!(
            "kit {} was revoked; make a new key on it and register it under another name",
            known.name
        ));
    }
    Ok(Came::Before)
}

/// Proposes that a kit be revoked. From now on what it sends is set aside ([`crate::intake::quarantine`]),
/// since a stolen kit is urgent; it is final when another account confirms it ([`confirm`]). What had come
/// before stays.
///
/// # Errors
/// [`EnrolError::Kit`]: no kit of this name, no reason or one that is too long, no account; those of the
/// database.
pub async fn revoke(
    db: &Database,
    units: Units<'_>,
    name: &str,
    reason: &str,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<Came, EnrolError> {
    let mut tx = db.begin().await?;
    let kit = locked(&mut tx, name).await?;
    let proposal = two::propose(REVOKE, reason, by, now).map_err(EnrolError::Kit)?;
    let is_proposed = |kit: &Kit| kit.standing.proposed.as_ref().is_some_and(|known| known.what == REVOKE);
    if kit.revoked_at.is_some() || is_proposed(&kit) {
        return Ok(Came::Before);
    }
    // That a kit may go on waits behind that it is stolen.
    kits::propose(&mut tx, kit.kit_id, Some(&proposal)).await?;
    let path = units.path(kit.unit).unwrap_or_default();
    let detail = json!({ "reason": proposal.reason });
    note(&mut tx, "kit.revocation_proposed", kit.kit_id, path, by, detail, now).await?;
    store::commit(tx).await?;
    Ok(Came::Now)
}

/// Proposes that a kit that is stopped may go on: when somebody knows what showed two of it, and that there
/// is one now.
///
/// # Errors
/// As [`revoke`], and a kit that is not stopped.
pub async fn resume(
    db: &Database,
    units: Units<'_>,
    name: &str,
    reason: &str,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<Came, EnrolError> {
    let mut tx = db.begin().await?;
    let kit = locked(&mut tx, name).await?;
    let proposal = two::propose(RESUME, reason, by, now).map_err(EnrolError::Kit)?;
    if kit.standing.stopped.is_none() {
        return refuse(format!("kit {name} is not stopped"));
    }
    if let Some(known) = &kit.standing.proposed {
        return if known.what == RESUME {
            Ok(Came::Before)
        } else {
            refuse(format!("it is proposed that kit {name} be revoked; confirm or withdraw that first"))
        };
    }
    kits::propose(&mut tx, kit.kit_id, Some(&proposal)).await?;
    let path = units.path(kit.unit).unwrap_or_default();
    let detail = json!({ "reason": proposal.reason });
    note(&mut tx, "kit.resumption_proposed", kit.kit_id, path, by, detail, now).await?;
    store::commit(tx).await?;
    Ok(Came::Now)
}

/// What a proposal came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmed {
    /// The kit is revoked.
    Revoked,
    /// The kit goes on.
    Resumed,
}

/// Does what was proposed of a kit, on the word of another account. Whoever saw a proposal before gives its
/// moment, and confirms no other one.
///
/// # Errors
/// [`EnrolError::Kit`]: no kit of this name, nothing proposed, another proposal than the one that was
/// seen, the same account; those of the database.
pub async fn confirm(
    db: &Database,
    units: Units<'_>,
    name: &str,
    seen: Option<OffsetDateTime>,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<(Confirmed, Came), EnrolError> {
    let mut tx = db.begin().await?;
    let kit = locked(&mut tx, name).await?;
    if kit.revoked_at.is_some() {
        return Ok((Confirmed::Revoked, Came::Before));
    }
    let proposal = two::answer(kit.standing.proposed.as_ref(), name, by).map_err(EnrolError::Kit)?;
    is_seen(proposal, name, seen)?;
    let path = units.path(kit.unit).unwrap_or_default();
    let detail = json!({ "reason": proposal.reason, "proposed_by": proposal.by });
    let confirmed = if proposal.what == RESUME {
        kits::resume(&mut tx, kit.kit_id).await?;
        note(&mut tx, "kit.resumed", kit.kit_id, path, by, detail, now).await?;
        Confirmed::Resumed
    } else {
        kits::revoke_kit(&mut tx, kit.kit_id, now).await?;
        kits::note_reason(&mut tx, kit.kit_id, &proposal.reason).await?;
        note(&mut tx, "kit.revoked", kit.kit_id, path, by, detail, now).await?;
        Confirmed::Revoked
    };
    store::commit(tx).await?;
    Ok((confirmed, Came::Now))
}

/// Withdraws what was proposed of a kit, on the word of another account. What was set aside because of it is
/// opened. Gives how many packets that are.
///
/// # Errors
/// As [`confirm`].
pub async fn keep(
    db: &Database,
    units: Units<'_>,
    name: &str,
    seen: Option<OffsetDateTime>,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<usize, EnrolError> {
    let mut tx = db.begin().await?;
    let kit = locked(&mut tx, name).await?;
    let proposal = two::answer(kit.standing.proposed.as_ref(), name, by).map_err(EnrolError::Kit)?;
    is_seen(proposal, name, seen)?;
    let detail = json!({ "proposed": proposal.what, "proposed_by": proposal.by });
    kits::propose(&mut tx, kit.kit_id, None).await?;
    let released = quarantine::doubt_is_over(&mut tx, Doubt::OfKit(kit.kit_id), by, now).await?;
    let path = units.path(kit.unit).unwrap_or_default();
    note(&mut tx, "kit.kept", kit.kit_id, path, by, detail, now).await?;
    store::commit(tx).await?;
    Ok(released)
}

/// That a kit be revoked takes the place of that it may go on: who answers must know which it is.
fn is_seen(proposal: &Proposal, name: &str, seen: Option<OffsetDateTime>) -> Result<(), EnrolError> {
    match seen {
        Some(at) if at != proposal.at => {
            refuse(format!("something else is proposed of kit {name} by now; look at it again"))
        }
        Some(_) | None => Ok(()),
    }
}

/// A kit of this name, which nobody else changes and no upload is judged by until the transaction ends.
async fn locked(tx: &mut PgConnection, name: &str) -> Result<Kit, EnrolError> {
    kits::lock(tx).await?;
    let kit = known_kit(tx, name).await?;
    let locked = kits::lock_kits(tx, &[kit.kit_id]).await?;
    Ok(locked.into_iter().next().unwrap_or(kit))
}

/// The kit of this name.
///
/// # Errors
/// [`EnrolError::Kit`] when there is none; those of the database.
pub(crate) async fn known_kit(tx: &mut PgConnection, name: &str) -> Result<Kit, EnrolError> {
    let known = kits::all(tx).await?;
    known.into_iter().find(|kit| kit.name == name).ok_or_else(|| {
        EnrolError::Kit(format!("there is no kit {name}; `dancu kit list` names those there are"))
    })
}

fn refuse<T>(why: String) -> Result<T, EnrolError> {
    Err(EnrolError::Kit(why))
}

async fn note(
    tx: &mut PgConnection,
    action: &str,
    kit: KitId,
    unit_path: String,
    by: &Actor,
    detail: serde_json::Value,
    now: OffsetDateTime,
) -> Result<(), EnrolError> {
    let entry = Entry {
        at: now,
        actor: by.clone(),
        action: action.to_owned(),
        subject: format!("kit:{kit}"),
        unit_path,
        detail,
    };
    Ok(audit::append(tx, &entry).await?)
}
