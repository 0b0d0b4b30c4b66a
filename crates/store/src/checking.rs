//! What checking a card needs: whom this installation trusts, and what became of a card.

use crate::{Error, PgConnection};
use sqlx::Row;
use time::Date;

/// Certificates and lists of this installation, each in DER.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    pub csca: Vec<Vec<u8>>,
    pub links: Vec<Vec<u8>>,
    /// The newest list of each CSCA key.
    pub crls: Vec<Vec<u8>>,
}

pub async fn trust(conn: &mut PgConnection) -> Result<Trust, Error> {
    let crls = sqlx::query_scalar(
        "SELECT DISTINCT ON (issuer_serial) der FROM crl WHERE der IS NOT NULL ORDER BY issuer_serial, number DESC",
    )
    .fetch_all(&mut *conn)
    .await?;
    Ok(Trust {
        csca: crate::issue::certificates(conn, "csca").await?,
        links: crate::issue::certificates(conn, "csca_link").await?,
        crls,
    })
}

/// A card that was made for the holder of a personal number.
#[derive(Debug, Clone)]
pub struct MadeCard {
    /// Serial number of the blank.
    pub number: String,
    pub state: String,
    pub issued_on: Date,
    pub expires_on: Option<Date>,
    /// Whether its EF.SOD is the one that was asked about, byte for byte.
    pub is_signed_so: bool,
}

/// The cards that bear a personal number, newest first. `sod` is the EF.SOD of the card at hand; empty when only print was
/// read.
pub async fn cards_of_pin(conn: &mut PgConnection, pin: &str, sod: &[u8]) -> Result<Vec<MadeCard>, Error> {
    let rows = sqlx::query(
        "SELECT number, state, issued_on, expires_on, coalesce(sod = $2, false) AS is_signed_so \
         FROM card WHERE pin = $1 ORDER BY issued_on DESC, number DESC",
    )
    .bind(pin)
    .bind(sod)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(MadeCard {
                number: row.try_get("number")?,
                state: row.try_get("state")?,
                issued_on: row.try_get("issued_on")?,
                expires_on: row.try_get("expires_on")?,
                is_signed_so: row.try_get("is_signed_so")?,
            })
        })
        .collect()
}
