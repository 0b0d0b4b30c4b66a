//! Migrations, each command in a message of its own, with the bookkeeping of `sqlx`: a database that it
//! migrated is recognised, and the other way round.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sqlx::migrate::{Migrate, MigrateError, Migration, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres, Transaction};

use super::db::connect_patiently;
use super::logins::{self, Used};
use super::statements::statements;
use crate::Error;

/// The migrations of this program.
pub(super) static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// Where `sqlx` writes down which migrations were applied, with the SHA-384 of each file.
const TABLE: &str = "_sqlx_migrations";

/// How often making the table is tried: two who make it in the same instant hinder each other once.
const TABLE_ATTEMPTS: u32 = 5;

/// The newest migration of this program.
pub fn known_version() -> i64 {
    MIGRATOR.iter().map(|m| m.version).max().unwrap_or(0)
}

/// The checksums of all migrations in order: two programs with the same ones make the same schema.
pub fn migrations_checksum() -> Vec<u8> {
    MIGRATOR.iter().flat_map(|m| m.checksum.iter().copied()).collect()
}

/// Applies what is missing of this program's migrations.
///
/// # Errors
/// [`Error::LoginTooPowerful`]; [`Error::LoginsMissing`]; [`Error::Migration`] when a migration fails or one
/// that was applied has been edited.
pub(super) async fn run(owner: &PgConnectOptions) -> Result<(), Error> {
    // Connections of their own, because what a migration sets on its connection must not come back into a
    // pool.
    let mut guard = connect_patiently(owner).await?;
    let mut connection = connect_patiently(owner).await?;
    let outcome = run_locked(&mut guard, &mut connection, owner.get_username()).await;
    // Closed and not dropped, so that the lock is gone when this returns.
    let closed = guard.close().await;
    connection.close().await?;
    closed?;
    outcome
}

async fn run_locked(
    guard: &mut PgConnection,
    connection: &mut PgConnection,
    owner: &str,
) -> Result<(), Error> {
    // What a superuser owns is done with a superuser's rights, whoever asks.
    logins::check(connection, &[owner.to_owned()], Used::ToMigrate).await?;
    let missing = || Error::LoginsMissing { statements: logins::statements(owner) };
    if logins::are_missing(connection).await? {
        return Err(missing());
    }
    make_table(connection).await?;
    let lock = lock(guard).await?;
    let applied = applied(connection).await?;
    for migration in MIGRATOR.iter().filter(|m| !applied.contains_key(&m.version)) {
        apply(connection, migration).await.map_err(|error| match error {
            Error::Sql(sql) if sql.code == "42501" && migration.version == 1 => missing(),
            error => fault(error, migration.version),
        })?;
    }
    logins::close_to_others(connection).await?;
    lock.rollback().await?;
    Ok(())
}

async fn make_table(connection: &mut PgConnection) -> Result<(), Error> {
    let mut attempt = 1;
    loop {
        match connection.ensure_migrations_table(TABLE).await {
            Ok(()) => return Ok(()),
            Err(MigrateError::Execute(e)) => match Error::from(e) {
                // Another process makes it, or its row type, in this instant: IF NOT EXISTS looks first.
                Error::Sql(sql)
                    if matches!(&*sql.code, "23505" | "42P07" | "42710") && attempt < TABLE_ATTEMPTS =>
                {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    attempt += 1;
                }
                e => return Err(e),
            },
            Err(e) => return Err(Error::Migration(e.to_string())),
        }
    }
}

/// One process at a time migrates. The lock is on a table and not an advisory one, which each server of a
/// distributed database keeps for itself; and it is held by a connection that does nothing else, so that it
/// covers migrations outside a transaction too. It lets writers of the table through: only lockers wait for
/// each other.
async fn lock(guard: &mut PgConnection) -> Result<Transaction<'_, Postgres>, Error> {
    let mut tx = guard.begin().await?;
    // It waits idle for as long as the migrations take.
    sqlx::raw_sql("SET LOCAL idle_in_transaction_session_timeout = 0").execute(&mut *tx).await?;
    sqlx::raw_sql("LOCK TABLE _sqlx_migrations IN SHARE UPDATE EXCLUSIVE MODE").execute(&mut *tx).await?;
    Ok(tx)
}

/// The checksums of the migrations that were applied, which are this program's.
async fn applied(connection: &mut PgConnection) -> Result<BTreeMap<i64, Vec<u8>>, Error> {
    let fault = |e: MigrateError| Error::Migration(e.to_string());
    let rows: Vec<(i64, Vec<u8>, bool)> =
        sqlx::query_as("SELECT version, checksum, success FROM _sqlx_migrations ORDER BY version")
            .fetch_all(connection)
            .await?;
    let mut found = BTreeMap::new();
    for (version, checksum, success) in rows {
        if !success {
            return Err(fault(MigrateError::Dirty(version)));
        }
        let Some(known) = MIGRATOR.iter().find(|m| m.version == version) else {
            return Err(fault(MigrateError::VersionMissing(version)));
        };
        if *known.checksum != *checksum {
            return Err(fault(MigrateError::VersionMismatch(version)));
        }
        found.insert(version, checksum);
    }
    Ok(found)
}

async fn apply(connection: &mut PgConnection, migration: &Migration) -> Result<(), Error> {
    let begin = Instant::now();
    if migration.no_tx {
        // Marked in its first line: it holds a command that PostgreSQL refuses in a transaction.
        execute(connection, migration).await?;
    } else {
        let mut tx = connection.begin().await?;
        execute(&mut tx, migration).await?;
        tx.commit().await?;
    }
    let nanoseconds = i64::try_from(begin.elapsed().as_nanos()).unwrap_or(i64::MAX);
    sqlx::query("UPDATE _sqlx_migrations SET execution_time = $2 WHERE version = $1")
        .bind(migration.version)
        .bind(nanoseconds)
        .execute(connection)
        .await?;
    Ok(())
}

async fn execute(connection: &mut PgConnection, migration: &Migration) -> Result<(), Error> {
    for command in statements(migration.sql.as_str()) {
        // The simple protocol, as for the whole file before: a command may be one that cannot be prepared.
        sqlx::raw_sql(AssertSqlSafe(command.to_owned())).execute(&mut *connection).await?;
    }
    // The time that it took is known only after the commit.
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES ($1, $2, true, $3, -1)",
    )
    .bind(migration.version)
    .bind(&*migration.description)
    .bind(&*migration.checksum)
    .execute(connection)
    .await?;
    Ok(())
}

/// A failed migration as an error that says which it was.
fn fault(error: Error, version: i64) -> Error {
    match error {
        Error::Sql(sql) => Error::Migration(format!("version {version}: {sql}")),
        other => other,
    }
}
