//! PostgreSQL's own client, to measure ours beside it.

use std::process::Command;

use crate::Error;
use crate::platform::binaries::Binaries;
use crate::platform::cluster::{Cluster, SUPERUSER, made_by};

impl Cluster {
    /// PostgreSQL's own client, `psql`, connected to a database as the cluster's administrator.
    ///
    /// # Errors
    /// The cluster's version of PostgreSQL is not installed any more.
    pub fn client(&self, database: &str) -> Result<Command, Error> {
        let pgdata = self.pgdata();
        let mut client = Command::new(Binaries::find(&pgdata, Some(made_by(&pgdata)?))?.program("psql"));
        client.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--port=5432"]);
        client.args([format!("--username={SUPERUSER}"), format!("--dbname={database}")]);
        client.arg("--host").arg(self.socket_dir());
        Ok(client)
    }
}
