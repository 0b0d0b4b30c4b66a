//! Signed-in browsers. Only the SHA-256 of a session's token is kept: who reads the table cannot sign in with
//! it.

use sqlx::{PgConnection, Row};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Error;
use crate::platform::accounts::{Account, from_row};

/// A session.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// SHA-256 of the token in the cookie.
    pub token_hash: [u8; 32],
    pub account_id: Uuid,
    /// The key from which the forms' anti-forgery values are made.
    pub csrf_secret: [u8; 32],
    pub created_at: OffsetDateTime,
    /// The session is of no use from this instant on.
    pub expires_at: OffsetDateTime,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("account_id", &self.account_id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Adds a session.
///
/// # Errors
/// Of the database.
pub async fn insert(tx: &mut PgConnection, session: &Session) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO session (token_hash, account_id, csrf_secret, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(session.token_hash.as_slice())
    .bind(session.account_id)
    .bind(session.csrf_secret.as_slice())
    .bind(session.created_at)
    .bind(session.expires_at)
    .execute(tx)
    .await?;
    Ok(())
}

/// The session of this token and its account, if neither has ended.
///
/// # Errors
/// Of the database.
pub async fn find(
    tx: &mut PgConnection,
    token_hash: &[u8; 32],
    now: OffsetDateTime,
) -> Result<Option<(Session, Account)>, Error> {
    let row = sqlx::query(
        "SELECT a.id, a.login, a.role, a.unit_path, a.display_name, a.password_hash, a.created_at, \
         a.disabled_at,
                s.csrf_secret, s.created_at AS session_created_at, s.expires_at
         FROM session s JOIN account a ON a.id = s.account_id
         WHERE s.token_hash = $1 AND s.expires_at > $2 AND a.disabled_at IS NULL",
    )
    .bind(token_hash.as_slice())
    .bind(now)
    .fetch_optional(tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let account = from_row(&row)?;
    let csrf: Vec<u8> = row.try_get("csrf_secret")?;
    let csrf_secret = csrf.try_into().map_err(|_| Error::Inconsistent {
        table: "session",
        row: account.id.to_string(),
        reason: "csrf_secret is not 32 bytes".to_owned(),
    })?;
    let session = Session {
        token_hash: *token_hash,
        account_id: account.id,
        csrf_secret,
        created_at: row.try_get("session_created_at")?,
        expires_at: row.try_get("expires_at")?,
    };
    Ok(Some((session, account)))
}

/// Moves the end of a session that is in use. The one thing that reading a page writes, beside the audit row.
pub async fn extend_session(
    conn: &mut PgConnection,
    token_hash: &[u8; 32],
    expires_at: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query("UPDATE session SET expires_at = $2 WHERE token_hash = $1 AND expires_at < $2")
        .bind(token_hash.as_slice())
        .bind(expires_at)
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends a session (signing out). `false`: there was none.
///
/// # Errors
/// Of the database.
pub async fn delete(tx: &mut PgConnection, token_hash: &[u8; 32]) -> Result<bool, Error> {
    let done = sqlx::query("DELETE FROM session WHERE token_hash = $1")
        .bind(token_hash.as_slice())
        .execute(tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Removes sessions that have expired and returns how many.
///
/// # Errors
/// Of the database.
pub async fn delete_expired(tx: &mut PgConnection, now: OffsetDateTime) -> Result<u64, Error> {
    let done = sqlx::query("DELETE FROM session WHERE expires_at <= $1").bind(now).execute(tx).await?;
    Ok(done.rows_affected())
}
