//! Officers' credentials: which keys may sign on which kit, and until when.

pub mod fingers;

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::proposals::{Proposal, bound, proposal};
use crate::Error;
use domain::id::{AccountId, CredentialId, KitId};

/// A credential as it was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    pub credential_id: CredentialId,
    /// Whose it is.
    pub account_id: AccountId,
    /// The account's login when it was issued.
    pub login: String,
    /// The kit on which it is good.
    pub kit_id: KitId,
    /// Uncompressed P-256 point, 65 bytes.
    pub public_key: Vec<u8>,
    pub not_before: OffsetDateTime,
    pub not_after: OffsetDateTime,
    /// Actor who issued it.
    pub issued_by: String,
    pub revoked_at: Option<OffsetDateTime>,
    pub revoked_reason: Option<String>,
    /// That somebody wants it revoked.
    pub proposed: Option<Proposal>,
}

/// A query of credentials, of which the end is given.
macro_rules! credentials {
    ($end:literal) => {
        concat!(
            "SELECT credential_id, account_id, login, kit_id, public_key, not_before, not_after, issued_by, \
                    revoked_at, revoked_reason, proposed, proposed_at, proposed_by, proposed_reason \
             FROM officer_credential ",
            $end
        )
    };
}

/// Adds a credential.
///
/// # Errors
/// Those of the database, among them a key that has one already.
pub async fn insert(tx: &mut PgConnection, credential: &Credential) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO officer_credential (credential_id, account_id, login, kit_id, public_key, not_before, \
         not_after, issued_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(credential.credential_id.uuid())
    .bind(credential.account_id.uuid())
    .bind(&credential.login)
    .bind(credential.kit_id.uuid())
    .bind(&credential.public_key)
    .bind(credential.not_before)
    .bind(credential.not_after)
    .bind(&credential.issued_by)
    .execute(tx)
    .await?;
    Ok(())
}

/// Every credential, by login and then by begin.
///
/// # Errors
/// Those of the database.
pub async fn all(conn: &mut PgConnection) -> Result<Vec<Credential>, Error> {
    let rows: Vec<CredentialRow> =
        sqlx::query_as(credentials!("ORDER BY login, not_before, credential_id")).fetch_all(conn).await?;
    Ok(rows.into_iter().map(Credential::from).collect())
}

/// The credentials among `ids` that were issued.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut PgConnection, ids: &[CredentialId]) -> Result<Vec<Credential>, Error> {
    let rows: Vec<CredentialRow> =
        sqlx::query_as(credentials!("WHERE credential_id = ANY($1) ORDER BY credential_id"))
            .bind(ids.iter().map(|id| id.uuid()).collect::<Vec<_>>())
            .fetch_all(conn)
            .await?;
    Ok(rows.into_iter().map(Credential::from).collect())
}

/// Writes down what is proposed of a credential, or that nothing is.
///
/// # Errors
/// Those of the database.
pub async fn propose(
    tx: &mut PgConnection,
    id: CredentialId,
    proposal: Option<&Proposal>,
) -> Result<(), Error> {
    let query = sqlx::query(
        "UPDATE officer_credential SET proposed = $2, proposed_at = $3, proposed_by = $4, \
         proposed_reason = $5 WHERE credential_id = $1",
    );
    bound(query.bind(id.uuid()), proposal).execute(tx).await?;
    Ok(())
}

/// Revokes a credential; nothing is proposed of it any more.
///
/// # Errors
/// Those of the database.
pub async fn revoke(
    tx: &mut PgConnection,
    id: CredentialId,
    reason: &str,
    at: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE officer_credential SET revoked_at = $2, revoked_reason = $3, proposed = NULL, \
         proposed_at = NULL, proposed_by = NULL, proposed_reason = NULL \
         WHERE credential_id = $1 AND revoked_at IS NULL",
    )
    .bind(id.uuid())
    .bind(at)
    .bind(reason)
    .execute(tx)
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct CredentialRow {
    credential_id: Uuid,
    account_id: Uuid,
    login: String,
    kit_id: Uuid,
    public_key: Vec<u8>,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
    issued_by: String,
    revoked_at: Option<OffsetDateTime>,
    revoked_reason: Option<String>,
    proposed: Option<String>,
    proposed_at: Option<OffsetDateTime>,
    proposed_by: Option<String>,
    proposed_reason: Option<String>,
}

impl From<CredentialRow> for Credential {
    fn from(row: CredentialRow) -> Self {
        Credential {
            credential_id: CredentialId::from_uuid(row.credential_id),
            account_id: AccountId::from_uuid(row.account_id),
            login: row.login,
            kit_id: KitId::from_uuid(row.kit_id),
            public_key: row.public_key,
            not_before: row.not_before,
            not_after: row.not_after,
            issued_by: row.issued_by,
            revoked_at: row.revoked_at,
            revoked_reason: row.revoked_reason,
            proposed: proposal(row.proposed, row.proposed_at, row.proposed_by, row.proposed_reason),
        }
    }
}
