//! Which kits the centre takes packets from: registered by their public key, until they are revoked.

use serde_json::json;
use time::OffsetDateTime;

use crate::EnrolError;
use domain::id::KitId;
use domain::unit::Units;
use domain::{Actor, UnitCode};
use packet::keys::PublicKey;
use store::applications::kits::{self, Kit};
use store::audit::{self, Entry};
use store::{Database, PgConnection};

/// Characters of a kit's name at most.
const MOST_NAME_CHARS: usize = 64;
/// Characters of a reason at most.
const MOST_REASON_CHARS: usize = 200;

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

/// Revokes a kit: packets of it that arrive from now on are set aside ([`crate::intake::quarantine`]). What
/// had come before stays.
///
/// # Errors
/// [`EnrolError::Kit`]: no kit of this name, no reason or one that is too long; those of the database.
pub async fn revoke(
    db: &Database,
    units: Units<'_>,
    name: &str,
    reason: &str,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<Came, EnrolError> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > MOST_REASON_CHARS {
        return refuse(format!("a reason has 1 to {MOST_REASON_CHARS} characters"));
    }
    let mut tx = db.begin().await?;
    kits::lock(&mut tx).await?;
    let known = kits::all(&mut tx).await?;
    let Some(kit) = known.iter().find(|kit| kit.name == name) else {
        return refuse(format!("there is no kit {name}; `dancu kit list` names those there are"));
    };
    if !kits::revoke_kit(&mut tx, kit.kit_id, now).await? {
        return Ok(Came::Before);
    }
    kits::note_reason(&mut tx, kit.kit_id, reason).await?;
    let path = units.path(kit.unit).unwrap_or_default();
    note(&mut tx, "kit.revoked", kit.kit_id, path, by, json!({ "reason": reason }), now).await?;
    store::commit(tx).await?;
    Ok(Came::Now)
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
