//! The fingers of officers as they rest, and which officers had a hand in an application.

use std::collections::HashMap;

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Error;
use domain::id::{AccountId, ApplicationId, KitId};

/// A recapture stands on another application, which may be a recapture itself.
const MOST_BASES: usize = 8;

/// What is kept of one officer's fingers.
#[derive(Clone, PartialEq, Eq)]
pub struct OfficerFingers {
    /// Whose they are.
    pub account_id: AccountId,
    pub taken_at: OffsetDateTime,
    /// Actor who took them.
    pub taken_by: String,
    /// How many, 0 to 10.
    pub fingers: i16,
    /// The templates, sealed; `None` of whoever has none.
    pub sealed: Option<Vec<u8>>,
    /// Why some are lacking.
    pub lacking: Option<String>,
}

impl std::fmt::Debug for OfficerFingers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OfficerFingers").field("fingers", &self.fingers).finish_non_exhaustive()
    }
}

/// Keeps an officer's fingers, in the place of those that were kept before.
///
/// # Errors
/// Those of the database.
pub async fn keep(tx: &mut PgConnection, fingers: &OfficerFingers) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO officer_fingers (account_id, taken_at, taken_by, fingers, sealed, lacking) \
         VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (account_id) DO UPDATE SET taken_at = EXCLUDED.taken_at, taken_by = EXCLUDED.taken_by, \
                fingers = EXCLUDED.fingers, sealed = EXCLUDED.sealed, lacking = EXCLUDED.lacking",
    )
    .bind(fingers.account_id.uuid())
    .bind(fingers.taken_at)
    .bind(&fingers.taken_by)
    .bind(fingers.fingers)
    .bind(&fingers.sealed)
    .bind(&fingers.lacking)
    .execute(tx)
    .await?;
    Ok(())
}

/// Whether something is kept of this officer: fingers, or why there are none.
///
/// # Errors
/// Those of the database.
pub async fn is_kept(conn: &mut PgConnection, account: AccountId) -> Result<bool, Error> {
    Ok(sqlx::query_scalar("SELECT EXISTS (SELECT FROM officer_fingers WHERE account_id = $1)")
        .bind(account.uuid())
        .fetch_one(conn)
        .await?)
}

/// How many fingers are kept of each officer; of whom nothing is kept, not even why, is not among them.
///
/// # Errors
/// Those of the database.
pub async fn counts(conn: &mut PgConnection) -> Result<HashMap<AccountId, i16>, Error> {
    let rows: Vec<(Uuid, i16)> =
        sqlx::query_as("SELECT account_id, fingers FROM officer_fingers").fetch_all(conn).await?;
    Ok(rows.into_iter().map(|(account, fingers)| (AccountId::from_uuid(account), fingers)).collect())
}

/// Everything that is kept, by account.
///
/// # Errors
/// Those of the database.
pub async fn all(conn: &mut PgConnection) -> Result<Vec<OfficerFingers>, Error> {
    type Row = (Uuid, OffsetDateTime, String, i16, Option<Vec<u8>>, Option<String>);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT account_id, taken_at, taken_by, fingers, sealed, lacking FROM officer_fingers \
         ORDER BY account_id",
    )
    .fetch_all(conn)
    .await?;
    let read = |(account, taken_at, taken_by, fingers, sealed, lacking): Row| OfficerFingers {
        account_id: AccountId::from_uuid(account),
        taken_at,
        taken_by,
        fingers,
        sealed,
        lacking,
    };
    Ok(rows.into_iter().map(read).collect())
}

/// What is another text whenever the fingers, the credentials or the kits are others.
///
/// # Errors
/// Those of the database.
pub async fn stamp(conn: &mut PgConnection) -> Result<String, Error> {
    Ok(sqlx::query_scalar(
        "SELECT concat_ws(' ', \
                (SELECT md5(string_agg(account_id::text || coalesce(md5(sealed), '-'), ' ' \
                                       ORDER BY account_id)) FROM officer_fingers), \
                (SELECT count(*) FROM officer_credential), (SELECT count(*) FROM kit))",
    )
    .fetch_one(conn)
    .await?)
}

/// Forgets the fingers that were taken, and whose owner's last credential was over, before `before`. Says
/// whose they were.
///
/// # Errors
/// Those of the database.
pub async fn forget(tx: &mut PgConnection, before: OffsetDateTime) -> Result<Vec<AccountId>, Error> {
    let forgotten: Vec<Uuid> = sqlx::query_scalar(
        "DELETE FROM officer_fingers f WHERE taken_at < $1 AND NOT EXISTS ( \
             SELECT FROM officer_credential c \
             WHERE c.account_id = f.account_id AND least(c.not_after, c.revoked_at) >= $1) \
         RETURNING account_id",
    )
    .bind(before)
    .fetch_all(tx)
    .await?;
    Ok(forgotten.into_iter().map(AccountId::from_uuid).collect())
}

/// Who had a hand in an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hands {
    /// The kit that captured it.
    pub kit: KitId,
    /// The officers who signed its packet, and those of the applications that it stands on.
    pub signers: Vec<AccountId>,
}

/// Who had a hand in each of these applications.
///
/// # Errors
/// Those of the database.
pub async fn hands(
    conn: &mut PgConnection,
    applications: &[ApplicationId],
) -> Result<HashMap<ApplicationId, Hands>, Error> {
    let mut found: HashMap<ApplicationId, Hands> = HashMap::with_capacity(applications.len());
    // Which of the applications asked for stand on this one.
    let mut asked: HashMap<Uuid, Vec<ApplicationId>> =
        applications.iter().map(|id| (id.uuid(), vec![*id])).collect();
    for _ in 0..=MOST_BASES {
        if asked.is_empty() {
            break;
        }
        let rows: Vec<(Uuid, Uuid, Option<Uuid>, Option<Uuid>)> = sqlx::query_as(
            "SELECT a.application_id, a.kit_id, c.account_id, p.base_application_id FROM application a \
             LEFT JOIN packet p ON p.application_id = a.application_id AND p.content <> 'hand_over' \
             LEFT JOIN officer_credential c ON c.credential_id = p.credential_id \
             WHERE a.application_id = ANY($1) ORDER BY a.application_id, p.packet_id",
        )
        .bind(asked.keys().copied().collect::<Vec<_>>())
        .fetch_all(&mut *conn)
        .await?;
        let mut bases: HashMap<Uuid, Vec<ApplicationId>> = HashMap::new();
        for (application, kit, signer, base) in rows {
            for of in asked.get(&application).into_iter().flatten() {
                let hands = Hands { kit: KitId::from_uuid(kit), signers: Vec::new() };
                let hands = found.entry(*of).or_insert(hands);
                hands.signers.extend(signer.map(AccountId::from_uuid));
                if let Some(base) = base {
                    bases.entry(base).or_default().push(*of);
                }
            }
        }
        asked = bases;
    }
    for hands in found.values_mut() {
        hands.signers.sort_unstable();
        hands.signers.dedup();
    }
    Ok(found)
}
