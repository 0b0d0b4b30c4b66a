//! Packets that are set aside, and what a person does about them.

use std::collections::HashMap;

use serde_json::json;
use time::OffsetDateTime;

use crate::EnrolError;
use crate::officers::Officer;
use crate::two;
use domain::Actor;
use domain::id::{CredentialId, KitId, PacketId};
use store::applications::quarantine::{Asked, SetAside};
use store::applications::{kits, officers, quarantine};
use store::audit::{self, Entry};
use store::{Database, PgConnection, UnitScope};

/// Times that a packet is tried before it is set aside.
pub(super) const MOST_ATTEMPTS: i16 = 3;

/// Why a packet is set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The program or the database failed on it, several times, for no reason that is known: `dancu packet
    /// retry` has it tried again.
    NotOpened,
    /// It came after its kit was revoked: `dancu packet release` has it opened, on somebody's word.
    KitRevoked,
    /// It came while somebody proposes that its kit be revoked. When that is withdrawn, it is opened.
    KitDoubted,
    /// It came after its kit was stopped.
    KitStopped,
    /// Its kit has another packet with its number: there are two of the kit, and it is stopped.
    SequenceReused,
    /// It does not follow the packet before it: there are two of the kit, and it is stopped.
    ChainBroken,
    /// It came after its officer's credential was revoked.
    OfficerRevoked,
    /// It came while somebody proposes that its officer's credential be revoked.
    OfficerDoubted,
    /// It was captured after the end of its officer's credential, or came long after it.
    CredentialEnded,
    /// The officer's credential is for another kit.
    OtherKitsOfficer,
    /// It holds what was captured anew, and the application with the rest is not there, is somebody else's,
    /// or is not open: `dancu packet retry` has it tried again.
    BaseMissing,
    /// A hand-over that cannot be booked: the card is another or is not at its commune. `dancu packet retry`
    /// has it tried again.
    NotBooked,
    /// What lies in the database is not what the kit signed under these ids: once the row is brought back,
    /// `dancu packet retry` has it looked at again.
    Altered,
}

impl Reason {
    /// Every reason, for readers of codes and for tests.
    pub const ALL: [Reason; 13] = [
        Reason::NotOpened,
        Reason::KitRevoked,
        Reason::KitDoubted,
        Reason::KitStopped,
        Reason::SequenceReused,
        Reason::ChainBroken,
        Reason::OfficerRevoked,
        Reason::OfficerDoubted,
        Reason::CredentialEnded,
        Reason::OtherKitsOfficer,
        Reason::BaseMissing,
        Reason::NotBooked,
        Reason::Altered,
    ];

    /// Stable code, as the table `packet` has it.
    pub const fn code(self) -> &'static str {
        match self {
            Reason::NotOpened => "not_opened",
            Reason::KitRevoked => "kit_revoked",
            Reason::KitDoubted => "kit_doubted",
            Reason::KitStopped => "kit_stopped",
            Reason::SequenceReused => "sequence_reused",
            Reason::ChainBroken => "chain_broken",
            Reason::OfficerRevoked => "officer_revoked",
            Reason::OfficerDoubted => "officer_doubted",
            Reason::CredentialEnded => "credential_ended",
            Reason::OtherKitsOfficer => "other_kits_officer",
            Reason::BaseMissing => "base_missing",
            Reason::NotBooked => "not_booked",
            Reason::Altered => "altered",
        }
    }

    /// The reason of a code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// Whether another attempt may end it; otherwise somebody's word must.
    pub const fn ends_by_another_attempt(self) -> bool {
        match self {
            Reason::NotOpened | Reason::BaseMissing | Reason::NotBooked | Reason::Altered => true,
            Reason::KitRevoked
            | Reason::KitDoubted
            | Reason::KitStopped
            | Reason::SequenceReused
            | Reason::ChainBroken
            | Reason::OfficerRevoked
            | Reason::OfficerDoubted
            | Reason::CredentialEnded
            | Reason::OtherKitsOfficer => false,
        }
    }
}

/// A packet that is set aside, for whoever decides about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub packet: SetAside,
    /// Name of the kit that sealed it; empty when that is not known.
    pub kit: String,
    /// Login of the officer who signed it; empty when that is not known.
    pub officer: String,
}

/// The packets that are set aside in a unit, those that wait longest first.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &Database, scope: &UnitScope, asked: &Asked<'_>) -> Result<Vec<Held>, EnrolError> {
    let mut scoped = db.scoped(scope).await?;
    let found = quarantine::set_aside_in(&mut scoped, asked).await?;
    drop(scoped);
    let ids: Vec<KitId> = found.iter().map(|packet| packet.kit_id).collect();
    let signed: Vec<CredentialId> = found.iter().filter_map(|packet| packet.credential_id).collect();
    let mut conn = db.read().await?;
    let names = kits::kits(&mut conn, &ids).await?.into_iter().map(|kit| (kit.kit_id, kit.name));
    let names: HashMap<KitId, String> = names.collect();
    let logins = officers::find(&mut conn, &signed).await?.into_iter();
    let logins: HashMap<CredentialId, String> = logins.map(|one| (one.credential_id, one.login)).collect();
    let held = |packet: SetAside| Held {
        kit: names.get(&packet.kit_id).cloned().unwrap_or_default(),
        officer: packet.credential_id.and_then(|id| logins.get(&id).cloned()).unwrap_or_default(),
        packet,
    };
    Ok(found.into_iter().map(held).collect())
}

/// How many packets are set aside in a unit, by the code of the reason, the most first.
///
/// # Errors
/// Those of the database.
pub async fn counts(db: &Database, scope: &UnitScope) -> Result<Vec<(String, i64)>, EnrolError> {
    Ok(quarantine::counts(&mut *db.scoped(scope).await?).await?)
}

/// Has packets of a unit opened again that could not be opened or booked, and those that were altered and may
/// be whole again; those that are set aside because of their kit or officer stay, and are not counted, nor
/// are those of other units. Without ids, all of the unit.
///
/// # Errors
/// Those of the database.
pub async fn retry(
    db: &Database,
    scope: &UnitScope,
    ids: Option<&[PacketId]>,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<usize, EnrolError> {
    let mut tx = db.begin().await?;
    let ids = match ids {
        Some(ids) => ids.to_vec(),
        None => {
            let ends = Reason::ALL.into_iter().filter(|reason| reason.ends_by_another_attempt());
            let reasons: Vec<&str> = ends.map(Reason::code).collect();
            quarantine::set_aside_for(&mut tx, scope, &reasons).await?
        }
    };
    let mut again = quarantine::lock_quarantined(&mut tx, &ids).await?;
    again.retain(|(_, reason, unit_path)| {
        scope.covers(unit_path) && Reason::from_code(reason).is_some_and(Reason::ends_by_another_attempt)
    });
    take_up(&mut tx, &again, "packet.retried", None, by, now).await?;
    store::commit(tx).await?;
    Ok(again.len())
}

/// Has packets of a unit opened that were set aside because of their kit or officer, on somebody's word.
///
/// # Errors
/// [`EnrolError::Packet`]: no reason or one that is too long, a packet that is not set aside or another
/// unit's, or one that was altered, which nobody's word makes whole; nothing is released then. Those of
/// the database.
pub async fn release(
    db: &Database,
    scope: &UnitScope,
    ids: &[PacketId],
    why: &str,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<usize, EnrolError> {
    let why = two::reason(why).map_err(EnrolError::Packet)?;
    let mut tx = db.begin().await?;
    let found = quarantine::lock_quarantined(&mut tx, ids).await?;
    for id in ids {
        let Some((_, reason, _)) = found.iter().find(|(found, _, path)| found == id && scope.covers(path))
        else {
            return Err(EnrolError::Packet(format!(
                "packet {id} is not set aside; `dancu packet list` names those that are"
            )));
        };
        if Reason::from_code(reason) == Some(Reason::Altered) {
            return Err(EnrolError::Packet(format!(
                "packet {id} was altered in the database: bring the row back from a backup, and retry"
            )));
        }
    }
    take_up(&mut tx, &found, "packet.released", Some(why), by, now).await?;
    store::commit(tx).await?;
    Ok(found.len())
}

/// Somebody proposed that it be revoked, and somebody else withdraws that.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Doubt {
    OfKit(KitId),
    /// Of an officer on this kit.
    OfOfficer(KitId, CredentialId),
}

/// Has those packets opened that were set aside for a doubt that is over. Those of a kit whose officer is in
/// doubt by themselves are set aside for that. Says how many are opened.
pub(crate) async fn doubt_is_over(
    tx: &mut PgConnection,
    doubt: Doubt,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<usize, EnrolError> {
    let (kit, credential, reason) = match doubt {
        Doubt::OfKit(kit) => (kit, None, Reason::KitDoubted),
        Doubt::OfOfficer(kit, credential) => (kit, Some(credential), Reason::OfficerDoubted),
    };
    let ids = quarantine::set_aside_of(tx, kit, credential, reason.code()).await?;
    let found = quarantine::lock_quarantined(tx, &ids).await?;
    take_up(tx, &found, "packet.released", None, by, now).await?;
    let mut opened = found.len();
    if let Doubt::OfKit(_) = doubt {
        let signed = quarantine::signed_by(tx, &ids).await?;
        let credentials: Vec<CredentialId> = signed.iter().map(|one| one.credential_id).collect();
        let known = officers::find(tx, &credentials).await?;
        for one in signed {
            let officer = known.iter().find(|known| known.credential_id == one.credential_id);
            let doubt = match officer {
                Some(officer) => Officer::of(officer).doubt(kit, one.at, one.received_at),
                None => Some(Reason::OfficerRevoked),
            };
            let Some(reason) = doubt else { continue };
            let path = found.iter().find(|(id, ..)| *id == one.packet_id).map(|(_, _, path)| path.clone());
            set_aside(tx, one.packet_id, path.unwrap_or_default(), reason, now).await?;
            opened -= 1;
        }
    }
    Ok(opened)
}

async fn take_up(
    tx: &mut PgConnection,
    packets: &[(PacketId, String, String)],
    action: &str,
    why: Option<&str>,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<(), EnrolError> {
    let ids: Vec<PacketId> = packets.iter().map(|(id, ..)| *id).collect();
    quarantine::take_up(tx, &ids).await?;
    let entry = |(id, reason, unit_path): &(PacketId, String, String)| Entry {
        at: now,
        actor: by.clone(),
        action: action.to_owned(),
        subject: format!("packet:{id}"),
        unit_path: unit_path.clone(),
        detail: json!({ "set_aside_for": reason, "reason": why }),
    };
    let entries: Vec<Entry> = packets.iter().map(entry).collect();
    Ok(audit::append_all(tx, &entries).await?)
}

/// Counts an attempt that failed, and sets the packet aside after the last. Says whether it did.
pub(super) async fn failed(db: &Database, packet: PacketId, now: OffsetDateTime) -> Result<bool, EnrolError> {
    let mut tx = db.begin().await?;
    let Some(tried) = quarantine::note_attempt(&mut tx, packet).await? else { return Ok(false) };
    let is_last = tried.attempts >= MOST_ATTEMPTS;
    if is_last {
        set_aside(&mut tx, packet, tried.unit_path, Reason::NotOpened, now).await?;
    }
    store::commit(tx).await?;
    Ok(is_last)
}

/// Sets a packet aside in a transaction of its own: its row is not what the kit signed, or what it belongs to
/// is not there.
pub(super) async fn put(
    db: &Database,
    packet: PacketId,
    reason: Reason,
    now: OffsetDateTime,
) -> Result<(), EnrolError> {
    let mut tx = db.begin().await?;
    let unit_path = quarantine::unit_path(&mut tx, packet).await?.unwrap_or_default();
    set_aside(&mut tx, packet, unit_path, reason, now).await?;
    Ok(store::commit(tx).await?)
}

/// Sets a packet aside, on the centre's own account.
async fn set_aside(
    tx: &mut PgConnection,
    packet: PacketId,
    unit_path: String,
    reason: Reason,
    now: OffsetDateTime,
) -> Result<(), EnrolError> {
    if !quarantine::set_aside(tx, packet, reason.code(), now).await? {
        return Ok(());
    }
    let reason_code = reason.code();
    tracing::error!(packet.id = %packet, reason_code, "a packet is set aside; see `dancu packet list`");
    let entry = Entry {
        at: now,
        actor: Actor::Centre,
        action: "packet.set_aside".to_owned(),
        subject: format!("packet:{packet}"),
        unit_path,
        detail: json!({ "reason": reason.code() }),
    };
    Ok(audit::append(tx, &entry).await?)
}
