//! People who sign in. Rows only: the password's argon2 hash is made and checked where passwords are read.

use std::collections::BTreeMap;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Error, UnitScope};

/// An account.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    pub id: Uuid,
    /// Lower case, unique.
    pub login: String,
    /// The role's code; what it may do is decided by the caller.
    pub role: String,
    /// What the account sees.
    pub scope: UnitScope,
    pub display_name: String,
    /// Argon2 in PHC string form.
    pub password_hash: String,
    pub created_at: OffsetDateTime,
    /// Since when it may not sign in.
    pub disabled_at: Option<OffsetDateTime>,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("id", &self.id).field("role", &self.role).finish_non_exhaustive()
    }
}

/// Adds an account; its login is kept in lower case.
///
/// # Errors
/// A login that exists violates `account_login_key`.
pub async fn insert(tx: &mut PgConnection, account: &Account) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO account (id, login, role, unit_path, display_name, password_hash, created_at, \
         disabled_at)
         VALUES ($1, lower($2), $3, $4, $5, $6, $7, $8)",
    )
    .bind(account.id)
    .bind(&account.login)
    .bind(&account.role)
    .bind(account.scope.as_str())
    .bind(&account.display_name)
    .bind(&account.password_hash)
    .bind(account.created_at)
    .bind(account.disabled_at)
    .execute(tx)
    .await?;
    Ok(())
}

/// The account with this login, in any case of letters, disabled or not.
///
/// # Errors
/// Of the database.
pub async fn by_login(tx: &mut PgConnection, login: &str) -> Result<Option<Account>, Error> {
    let row = sqlx::query(
        "SELECT id, login, role, unit_path, display_name, password_hash, created_at, disabled_at
         FROM account WHERE login = lower($1)",
    )
    .bind(login)
    .fetch_optional(tx)
    .await?;
    row.as_ref().map(from_row).transpose()
}

/// The account of this id, disabled or not.
///
/// # Errors
/// Of the database.
pub async fn by_id(conn: &mut PgConnection, id: Uuid) -> Result<Option<Account>, Error> {
    let row = sqlx::query(
        "SELECT id, login, role, unit_path, display_name, password_hash, created_at, disabled_at
         FROM account WHERE id = $1",
    )
    .bind(id)
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(from_row).transpose()
}

/// The accounts of a role that may sign in: id, name and what they see, by name.
///
/// # Errors
/// Of the database.
pub async fn of_role(conn: &mut PgConnection, role: &str) -> Result<Vec<(Uuid, String, UnitScope)>, Error> {
    let rows: Vec<(Uuid, String, String)> = sqlx::query_as(
        "SELECT id, display_name, unit_path FROM account WHERE role = $1 AND disabled_at IS NULL
         ORDER BY display_name, id",
    )
    .bind(role)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(|(id, name, path)| Ok((id, name, UnitScope::parse(&path)?))).collect()
}

/// All accounts, by login.
///
/// # Errors
/// Of the database.
pub async fn all(tx: &mut PgConnection) -> Result<Vec<Account>, Error> {
    let rows = sqlx::query(
        "SELECT id, login, role, unit_path, display_name, password_hash, created_at, disabled_at
         FROM account ORDER BY login",
    )
    .fetch_all(tx)
    .await?;
    rows.iter().map(from_row).collect()
}

/// Replaces the password and ends the account's sessions. `false`: there is no such account.
///
/// # Errors
/// Of the database.
pub async fn set_password(tx: &mut PgConnection, id: Uuid, password_hash: &str) -> Result<bool, Error> {
    let done = sqlx::query("UPDATE account SET password_hash = $2 WHERE id = $1")
        .bind(id)
        .bind(password_hash)
        .execute(&mut *tx)
        .await?;
    end_sessions(tx, id).await?;
    Ok(done.rows_affected() == 1)
}

/// Disables the account and ends its sessions. `false`: there is no such account, or it was disabled before.
///
/// # Errors
/// Of the database.
pub async fn disable(tx: &mut PgConnection, id: Uuid, at: OffsetDateTime) -> Result<bool, Error> {
    let done = sqlx::query("UPDATE account SET disabled_at = $2 WHERE id = $1 AND disabled_at IS NULL")
        .bind(id)
        .bind(at)
        .execute(&mut *tx)
        .await?;
    end_sessions(tx, id).await?;
    Ok(done.rows_affected() == 1)
}

/// The names of accounts, of those that exist. For what the reader's scope let through.
pub async fn account_names(conn: &mut PgConnection, ids: &[Uuid]) -> Result<BTreeMap<Uuid, String>, Error> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<(Uuid, String)> = sqlx::query_as("SELECT id, display_name FROM account WHERE id = ANY($1)")
        .bind(ids)
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().collect())
}

async fn end_sessions(tx: &mut PgConnection, account: Uuid) -> Result<(), Error> {
    sqlx::query("DELETE FROM session WHERE account_id = $1").bind(account).execute(tx).await?;
    Ok(())
}

/// Reads the columns above, by name.
pub(crate) fn from_row(row: &PgRow) -> Result<Account, Error> {
    let id: Uuid = row.try_get("id")?;
    let path: &str = row.try_get("unit_path")?;
    let scope = UnitScope::parse(path).map_err(|_| Error::Inconsistent {
        table: "account",
        row: id.to_string(),
        reason: "unit_path is not a unit path".to_owned(),
    })?;
    Ok(Account {
        id,
        login: row.try_get("login")?,
        role: row.try_get("role")?,
        scope,
        display_name: row.try_get("display_name")?,
        password_hash: row.try_get("password_hash")?,
        created_at: row.try_get("created_at")?,
        disabled_at: row.try_get("disabled_at")?,
    })
}
