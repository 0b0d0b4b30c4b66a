//! Where the database is, and which addresses are refused.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::Error;
use crate::platform::logins::Logins;

/// Where the addresses of the other logins are given.
pub(super) const SCOPED_URL: &str = "DANCU_SCOPED_URL";
pub(super) const OWNER_URL: &str = "DANCU_OWNER_URL";

/// The address of a server to use instead of the embedded cluster, as each login. They may hold passwords,
/// so that they are never printed.
#[derive(Clone)]
pub struct DatabaseUrl {
    /// As the login of this process: `dancu_work`, or `dancu_pages` where it only draws pages.
    pub own: String,
    /// As `dancu_scoped`.
    pub scoped: Option<String>,
    /// As the owner of the tables; who migrates needs it.
    pub owner: Option<String>,
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DatabaseUrl(…)")
    }
}

impl DatabaseUrl {
    pub(super) fn logins(&self) -> Result<Logins, Error> {
        let given = |url: &Option<String>, variable| url.as_deref().map(|u| parse(u, variable)).transpose();
        let own = parse(&self.own, "DATABASE_URL")?;
        Ok(Logins {
            work: own.clone(),
            pages: own,
            scoped: given(&self.scoped, SCOPED_URL)?,
            owner: given(&self.owner, OWNER_URL)?,
        })
    }
}

/// Reads an address, and refuses one under which what is said could be read on the way.
fn parse(url: &str, variable: &'static str) -> Result<PgConnectOptions, Error> {
    let wrong = |reason| Error::DatabaseUrl { variable, reason };
    // The driver takes any scheme.
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(wrong("it begins with something else".to_owned()));
    }
    let options = PgConnectOptions::from_str(url).map_err(|e| wrong(redacted_reason(&e)))?;
    match readable_on_the_way(&options) {
        Some(reason) => Err(wrong(reason)),
        None => Ok(options),
    }
}

/// Where the database is.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// The data directory; holds the embedded cluster unless `database_url` is given.
    pub data_dir: PathBuf,
    /// A server to use instead of the embedded cluster.
    pub database_url: Option<DatabaseUrl>,
}

/// Why a connection would be read, or led elsewhere, by whoever stands between.
///
/// `require` and `verify-ca` do not do: the driver takes any certificate for the one, and for the other any
/// that a public authority gave for whatever name.
fn readable_on_the_way(options: &PgConnectOptions) -> Option<String> {
    let host = options.get_host();
    let is_here = options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let is_private = matches!(options.get_ssl_mode(), PgSslMode::VerifyFull);
    (!is_here && !is_private).then(|| {
        "the server is another machine, and what is said to it can be read on the way: add \
         ?sslmode=verify-full&sslrootcert=FILE with the certificate of the server's authority"
            .to_owned()
    })
}

/// A parser's message without the address it quotes.
fn redacted_reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Configuration(e) if !e.to_string().contains("://") => e.to_string(),
        _ => "it could not be parsed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_elsewhere_is_spoken_to_under_tls_with_its_name_checked() {
        let check = |url: &str, refused: bool| {
            let options = PgConnectOptions::from_str(url).unwrap();
            assert_eq!(readable_on_the_way(&options).is_some(), refused, "{url}");
        };
        for mode in ["disable", "allow", "prefer", "require", "verify-ca"] {
            check(&format!("postgres://u@db.example/dancu?sslmode={mode}"), true);
            check(&format!("postgres://u@192.0.2.1/dancu?sslmode={mode}"), true);
            check(&format!("postgres://u@localhost/dancu?sslmode={mode}"), false);
        }
        check("postgres://u@db.example/dancu", true);
        check("postgres://u@localhost.example/dancu", true);
        check("postgres://u@localhost/dancu?host=192.0.2.1", true);
        check("postgres://u@localhost/dancu?hostaddr=192.0.2.1", true);
        check("postgres://u@db.example/dancu?sslmode=verify-full", false);
        check("postgres://u@127.0.0.1/dancu", false);
        check("postgres:///dancu?host=/run/postgresql", false);
    }
}
