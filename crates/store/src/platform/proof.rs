//! What proves to the server which unit a transaction may read: a code that only who knows the key can make,
//! for one unit, one server process and one transaction. The server's side is the function `scope_path` of
//! `0025_roles.sql`.

use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, PgConnection, Row};

use crate::{Error, UnitScope};

/// The two blocks that stand for HMAC's padded key.
pub(super) struct ScopeKey {
    inner: Vec<u8>,
    outer: Vec<u8>,
}

impl std::fmt::Debug for ScopeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ScopeKey(…)")
    }
}

/// The transaction that has to be proved for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Challenge {
    pub process: i32,
    /// When the transaction began, in microseconds since 1970.
    pub begun: i64,
}

impl Challenge {
    /// Of the transaction that this connection is in.
    pub async fn of(conn: &mut PgConnection) -> Result<Challenge, Error> {
        let sql = "SELECT pg_backend_pid(), (extract(epoch FROM transaction_timestamp()) * 1000000)::bigint";
        let row = sqlx::raw_sql(sql).fetch_one(conn).await?;
        Ok(Challenge { process: row.try_get(0)?, begun: row.try_get(1)? })
    }
}

impl ScopeKey {
    /// Asks for it; the login of scoped transactions may not.
    pub async fn load(conn: &mut PgConnection) -> Result<ScopeKey, Error> {
        let (inner, outer) =
            sqlx::query_as("SELECT inner_pad, outer_pad FROM scope_key").fetch_one(conn).await?;
        Ok(ScopeKey { inner, outer })
    }

    fn code(&self, challenge: Challenge, said: &str) -> String {
        let message = format!("{} {} {said}", challenge.process, challenge.begun);
        let inner = Sha256::new().chain_update(&self.inner).chain_update(message).finalize();
        let outer = Sha256::new().chain_update(&self.outer).chain_update(inner).finalize();
        outer.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Makes the transaction one that reads this unit. `false`: the server has another key.
    pub async fn prove(
        &self,
        conn: &mut PgConnection,
        challenge: Challenge,
        scope: &UnitScope,
    ) -> Result<bool, Error> {
        // The whole country must be said: no unit is what an attacker or a slip leaves behind.
        let said = if scope.as_str().is_empty() { "*" } else { scope.as_str() };
        // A plan that was made for one reader's unit is not another's: for a commune an index is right, for a
        // province it may be the whole table.
        // Literals, not set_config(): Citus sends SET LOCAL on to its workers, and not the effects of a
        // function. UnitScope admits no character that could leave the literal.
        let sql = format!(
            "SET TRANSACTION READ ONLY; SET LOCAL app.unit_path = '{said}'; SET LOCAL app.unit_mac = '{}'; \
             SET LOCAL statement_timeout = '15s'; SET LOCAL plan_cache_mode = force_custom_plan; \
             SELECT scope_path() IS NOT NULL",
            self.code(challenge, said)
        );
        let row = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(conn).await?;
        Ok(row.try_get(0)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_of_one_key_process_transaction_and_unit() {
        let key = |byte: u8| ScopeKey { inner: vec![byte; 64], outer: vec![7; 64] };
        let challenge = Challenge { process: 12, begun: 34 };
        let code = key(1).code(challenge, "42/");
        assert_eq!(code.len(), 64);
        for other in [
            key(2).code(challenge, "42/"),
            key(1).code(Challenge { process: 1, ..challenge }, "42/"),
            key(1).code(Challenge { begun: 3, ..challenge }, "42/"),
            key(1).code(challenge, "42/445/"),
            key(1).code(challenge, "*"),
        ] {
            assert_ne!(code, other);
        }
    }
}
