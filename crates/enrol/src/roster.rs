//! Where the kits of a unit and their officers' credentials stand, for whoever looks after them.

use std::collections::HashMap;

use time::OffsetDateTime;

use crate::{EnrolError, kits};
use domain::id::KitId;
use domain::unit::Units;
use store::applications::kits::{self as kit_rows, Heard, Kit};
use store::applications::officers::{self as officer_rows, Credential};
use store::{Database, PgConnection, UnitScope};

/// Where a kit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KitState {
    /// What it sends is opened.
    Works,
    /// There seem to be two of it; what it sends is set aside.
    Stopped,
    /// It is stopped, and somebody proposes that it may go on.
    ToBeResumed,
    /// Somebody proposes that it be revoked; what it sends is set aside.
    ToBeRevoked,
    /// Two people revoked it.
    Revoked,
}

impl KitState {
    /// Every one, those that wait for somebody first.
    pub const ALL: [KitState; 5] =
        [KitState::ToBeRevoked, KitState::ToBeResumed, KitState::Stopped, KitState::Works, KitState::Revoked];

    /// A stable name.
    pub const fn code(self) -> &'static str {
        match self {
            KitState::Works => "works",
            KitState::Stopped => "stopped",
            KitState::ToBeResumed => "to_be_resumed",
            KitState::ToBeRevoked => "to_be_revoked",
            KitState::Revoked => "revoked",
        }
    }

    /// Of a kit as its row has it.
    pub fn of(kit: &Kit) -> KitState {
        let proposed = kit.standing.proposed.as_ref().map(|proposed| proposed.what.as_str());
        match (kit.revoked_at, &kit.standing.stopped, proposed) {
            (Some(_), ..) => KitState::Revoked,
            (None, _, Some(kits::REVOKE)) => KitState::ToBeRevoked,
            (None, Some(_), Some(_)) => KitState::ToBeResumed,
            (None, Some(_), None) => KitState::Stopped,
            (None, None, _) => KitState::Works,
        }
    }

    /// Whether somebody has to do something about it.
    pub const fn waits(self) -> bool {
        match self {
            KitState::Stopped | KitState::ToBeResumed | KitState::ToBeRevoked => true,
            KitState::Works | KitState::Revoked => false,
        }
    }
}

/// A kit, with what was last heard of it.
#[derive(Debug, Clone)]
pub struct KitLine {
    pub kit: Kit,
    pub state: KitState,
    pub heard: Heard,
}

impl KitLine {
    /// What the kit said last of itself, in a report or in a question: when, and how many packets it had not
    /// sent.
    pub fn last_word(&self) -> Option<(OffsetDateTime, i64)> {
        let reported = self.heard.reported_at.zip(self.heard.unsent);
        let told = self.heard.told.map(|told| (told.at, told.unsent.cast_signed()));
        reported.into_iter().chain(told).max_by_key(|(at, _)| *at)
    }

    /// Why it stands so, in somebody's words or as a code; `None` for one that works.
    pub fn reason(&self) -> Option<&str> {
        let standing = &self.kit.standing;
        let proposed = standing.proposed.as_ref().map(|proposed| proposed.reason.as_str());
        let stopped = standing.stopped.as_ref().map(|(_, code)| code.as_str());
        self.heard.revoked_reason.as_deref().or(proposed).or(stopped)
    }
}

/// The kits of a unit and of all below it, by name.
///
/// # Errors
/// Those of the database.
pub async fn kits_in(db: &Database, units: Units<'_>, scope: &UnitScope) -> Result<Vec<KitLine>, EnrolError> {
    let mut conn = db.read().await?;
    let all = kit_rows::all(&mut conn).await?.into_iter().filter(|kit| is_in(units, scope, kit));
    lines(&mut conn, all.collect()).await
}

/// One kit of a unit; `None` when there is none, or it is another unit's.
///
/// # Errors
/// Those of the database.
pub async fn kit_in(
    db: &Database,
    units: Units<'_>,
    scope: &UnitScope,
    id: KitId,
) -> Result<Option<KitLine>, EnrolError> {
    let mut conn = db.read().await?;
    let found = kit_rows::kits(&mut conn, &[id]).await?.into_iter().filter(|kit| is_in(units, scope, kit));
    Ok(lines(&mut conn, found.collect()).await?.pop())
}

async fn lines(conn: &mut PgConnection, kits: Vec<Kit>) -> Result<Vec<KitLine>, EnrolError> {
    let ids: Vec<KitId> = kits.iter().map(|kit| kit.kit_id).collect();
    let mut heard = kit_rows::heard(conn, &ids).await?;
    let line = |kit: Kit| {
        let heard = heard.remove(&kit.kit_id).unwrap_or_default();
        KitLine { state: KitState::of(&kit), heard, kit }
    };
    Ok(kits.into_iter().map(line).collect())
}

/// How many kits and credentials of a unit wait for somebody: stopped, or something is proposed of them.
///
/// # Errors
/// Those of the database.
pub async fn waiting_in(db: &Database, units: Units<'_>, scope: &UnitScope) -> Result<usize, EnrolError> {
    let mut conn = db.read().await?;
    let kits: Vec<Kit> = kit_rows::all(&mut conn).await?;
    let kits: Vec<Kit> = kits.into_iter().filter(|kit| is_in(units, scope, kit)).collect();
    let proposed = officer_rows::all(&mut conn).await?.into_iter().filter(|one| one.proposed.is_some());
    let credentials = proposed.filter(|one| kits.iter().any(|kit| kit.kit_id == one.kit_id)).count();
    Ok(credentials + kits.iter().filter(|kit| KitState::of(kit).waits()).count())
}

fn is_in(units: Units<'_>, scope: &UnitScope, kit: &Kit) -> bool {
    scope.covers(&units.path(kit.unit).unwrap_or_default())
}

/// Where a credential stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialState {
    Good,
    /// Its end is over.
    Ended,
    /// Somebody proposes that it be revoked; what is signed with it is set aside.
    ToBeRevoked,
    /// Two people revoked it.
    Revoked,
}

impl CredentialState {
    /// Every one.
    pub const ALL: [CredentialState; 4] = [
        CredentialState::Good,
        CredentialState::Ended,
        CredentialState::ToBeRevoked,
        CredentialState::Revoked,
    ];

    /// A stable name.
    pub const fn code(self) -> &'static str {
        match self {
            CredentialState::Good => "good",
            CredentialState::Ended => "ended",
            CredentialState::ToBeRevoked => "to_be_revoked",
            CredentialState::Revoked => "revoked",
        }
    }

    /// Of a credential as its row has it.
    pub fn of(credential: &Credential, now: OffsetDateTime) -> CredentialState {
        match (&credential.revoked_at, &credential.proposed) {
            (Some(_), _) => CredentialState::Revoked,
            (None, Some(_)) => CredentialState::ToBeRevoked,
            (None, None) if credential.not_after < now => CredentialState::Ended,
            (None, None) => CredentialState::Good,
        }
    }
}

/// A credential, with the kit on which it is good.
#[derive(Debug, Clone)]
pub struct CredentialLine {
    pub credential: Credential,
    pub state: CredentialState,
    /// The kit's name.
    pub kit: String,
}

/// The credentials on the kits of a unit and of all below it, by login and then by begin.
///
/// # Errors
/// Those of the database.
pub async fn credentials_in(
    db: &Database,
    units: Units<'_>,
    scope: &UnitScope,
    now: OffsetDateTime,
) -> Result<Vec<CredentialLine>, EnrolError> {
    let mut conn = db.read().await?;
    let kits = kit_rows::all(&mut conn).await?.into_iter().filter(|kit| is_in(units, scope, kit));
    let names: HashMap<KitId, String> = kits.map(|kit| (kit.kit_id, kit.name)).collect();
    let lines = officer_rows::all(&mut conn).await?.into_iter().filter_map(|credential| {
        let kit = names.get(&credential.kit_id)?.clone();
        Some(CredentialLine { state: CredentialState::of(&credential, now), credential, kit })
    });
    Ok(lines.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::applications::kits::Standing;
    use store::applications::proposals::Proposal;
    use time::macros::datetime;

    const AT: OffsetDateTime = datetime!(2021-04-06 01:00 UTC);

    fn kit(revoked: bool, stopped: bool, proposed: Option<&str>) -> Kit {
        Kit {
            kit_id: KitId::derive(AT, &[b"kit"]),
            name: "kit-01".to_owned(),
            unit: "445".parse().unwrap(),
            public_key: Vec::new(),
            registered_at: AT,
            revoked_at: revoked.then_some(AT),
            heard_at: None,
            standing: Standing {
                stopped: stopped.then(|| (AT, "chain_broken".to_owned())),
                proposed: proposed.map(|what| Proposal {
                    what: what.to_owned(),
                    at: AT,
                    by: "account:1".to_owned(),
                    reason: "lost".to_owned(),
                }),
            },
        }
    }

    #[test]
    fn the_gravest_of_what_stands_against_a_kit_is_its_state() {
        let check = |kit: Kit, expected| assert_eq!(KitState::of(&kit), expected);
        check(kit(false, false, None), KitState::Works);
        check(kit(false, true, None), KitState::Stopped);
        check(kit(false, true, Some("resume")), KitState::ToBeResumed);
        check(kit(false, true, Some("revoke")), KitState::ToBeRevoked);
        check(kit(false, false, Some("revoke")), KitState::ToBeRevoked);
        check(kit(true, true, None), KitState::Revoked);
    }
}
