//! Certificates, their revocation, and revocation lists.

use sqlx::{PgConnection, Row};
use time::OffsetDateTime;

use crate::Error;

/// Certificates of a role that were signed, newest first, in DER.
pub async fn certificates(conn: &mut PgConnection, role: &str) -> Result<Vec<Vec<u8>>, Error> {
    Ok(sqlx::query_scalar(
        "SELECT der FROM certificate WHERE role = $1 AND der IS NOT NULL ORDER BY intended_at DESC, serial",
    )
    .bind(role)
    .fetch_all(conn)
    .await?)
}

/// Stores a serial number before its certificate is signed.
pub async fn intend_certificate(
    conn: &mut PgConnection,
    serial: &str,
    role: &str,
    subject: &str,
    now: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO certificate (serial, role, subject, not_before, not_after, intended_at) \
                 VALUES ($1, $2, $3, $4, $4, $4)",
    )
    .bind(serial)
    .bind(role)
    .bind(subject)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Adds the signed certificate to the row that was written before signing. A row that is complete already is
/// left as it is.
///
/// # Errors
///
/// When the database refuses.
pub async fn complete_certificate(
    conn: &mut PgConnection,
    serial: &str,
    issuer_serial: Option<&str>,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
    der: &[u8],
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE certificate SET issuer_serial = $2, not_before = $3, not_after = $4, der = $5 \
         WHERE serial = $1 AND der IS NULL",
    )
    .bind(serial)
    .bind(issuer_serial)
    .bind(not_before)
    .bind(not_after)
    .bind(der)
    .execute(conn)
    .await?;
    Ok(())
}

/// A certificate that was signed.
#[derive(Debug, Clone)]
pub struct StoredCertificate {
    pub issuer_serial: Option<String>,
    pub der: Vec<u8>,
}

/// A signed certificate; `None` when there is none of that serial number or it was never completed.
pub async fn certificate(conn: &mut PgConnection, serial: &str) -> Result<Option<StoredCertificate>, Error> {
    let row = sqlx::query("SELECT issuer_serial, der FROM certificate WHERE serial = $1 AND der IS NOT NULL")
        .bind(serial)
        .fetch_optional(conn)
        .await?;
    row.map(|row| {
        Ok(StoredCertificate { issuer_serial: row.try_get("issuer_serial")?, der: row.try_get("der")? })
    })
    .transpose()
}

/// A certificate as the register of certificates has it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Lower-case hexadecimal.
    pub serial: String,
    pub role: String,
    pub issuer_serial: Option<String>,
    pub revoked_at: Option<OffsetDateTime>,
    pub der: Vec<u8>,
}

/// Every certificate that was signed, oldest first.
pub async fn all(conn: &mut PgConnection) -> Result<Vec<Listed>, Error> {
    let rows = sqlx::query(
        "SELECT serial, role, issuer_serial, revoked_at, der FROM certificate WHERE der IS NOT NULL \
         ORDER BY intended_at, serial",
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Listed {
                serial: row.try_get("serial")?,
                role: row.try_get("role")?,
                issuer_serial: row.try_get("issuer_serial")?,
                revoked_at: row.try_get("revoked_at")?,
                der: row.try_get("der")?,
            })
        })
        .collect()
}

/// Marks a certificate as revoked. False when there is no such certificate or it was revoked before, whose
/// moment and reason then stay.
pub async fn revoke(
    conn: &mut PgConnection,
    serial: &str,
    reason: i16,
    at: OffsetDateTime,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "UPDATE certificate SET revoked_at = $2, revocation_reason = $3 WHERE serial = $1 \
         AND revoked_at IS NULL AND der IS NOT NULL",
    )
    .bind(serial)
    .bind(at)
    .bind(reason)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What a list names of one certificate.
#[derive(Debug, Clone)]
pub struct Revoked {
    pub serial: String,
    pub at: OffsetDateTime,
    pub reason: Option<i16>,
}

/// The revoked certificates under one CSCA certificate, by serial number.
pub async fn revoked_under(conn: &mut PgConnection, issuer_serial: &str) -> Result<Vec<Revoked>, Error> {
    let rows = sqlx::query(
        "SELECT serial, revoked_at, revocation_reason FROM certificate WHERE issuer_serial = $1 \
         AND revoked_at IS NOT NULL ORDER BY serial",
    )
    .bind(issuer_serial)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Revoked {
                serial: row.try_get("serial")?,
                at: row.try_get("revoked_at")?,
                reason: row.try_get("revocation_reason")?,
            })
        })
        .collect()
}

/// Stores the next number before its list is signed. A number whose list never came is not used again.
pub async fn intend_crl(
    conn: &mut PgConnection,
    issuer_serial: &str,
    this_update: OffsetDateTime,
    next_update: OffsetDateTime,
) -> Result<i64, Error> {
    Ok(sqlx::query_scalar(
        "INSERT INTO crl (number, issuer_serial, this_update, next_update) \
         SELECT coalesce(max(number), 0) + 1, $1, $2, $3 FROM crl RETURNING number",
    )
    .bind(issuer_serial)
    .bind(this_update)
    .bind(next_update)
    .fetch_one(conn)
    .await?)
}

/// Stores the signed list under its number, once.
pub async fn complete_crl(conn: &mut PgConnection, number: i64, der: &[u8]) -> Result<bool, Error> {
    let done = sqlx::query("UPDATE crl SET der = $2 WHERE number = $1 AND der IS NULL")
        .bind(number)
        .bind(der)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// The newest list under one CSCA certificate, in DER.
pub async fn newest_crl(conn: &mut PgConnection, issuer_serial: &str) -> Result<Option<Vec<u8>>, Error> {
    Ok(sqlx::query_scalar(
        "SELECT der FROM crl WHERE issuer_serial = $1 AND der IS NOT NULL ORDER BY number DESC LIMIT 1",
    )
    .bind(issuer_serial)
    .fetch_optional(conn)
    .await?)
}

/// Certificates and lists of this installation, each in DER.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    pub csca: Vec<Vec<u8>>,
    pub links: Vec<Vec<u8>>,
    /// The newest list of each CSCA key.
    pub crls: Vec<Vec<u8>>,
}

/// All signed CSCA and link certificates, and the newest revocation list of each issuer.
pub async fn trust(conn: &mut PgConnection) -> Result<Trust, Error> {
    let crls = sqlx::query_scalar(
        "SELECT DISTINCT ON (issuer_serial) der FROM crl WHERE der IS NOT NULL \
         ORDER BY issuer_serial, number DESC",
    )
    .fetch_all(&mut *conn)
    .await?;
    Ok(Trust { csca: certificates(conn, "csca").await?, links: certificates(conn, "csca_link").await?, crls })
}
