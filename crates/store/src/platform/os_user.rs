//! Which operating-system user runs the database server. `initdb` and `postgres` refuse root, so a process
//! that is root hands the server to an unprivileged user.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::Error;

/// A user and its primary group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OsUser {
    pub uid: u32,
    pub gid: u32,
    pub name: String,
}

/// The user of this process, and the user the server runs as (the same unless this process is root).
#[derive(Debug, Clone)]
pub(crate) struct Users {
    pub me: OsUser,
    pub server: OsUser,
}

impl Users {
    /// `pgdata` decides when it exists: its owner is the only user `postgres` accepts.
    pub fn resolve(pgdata: &Path) -> Result<Users, Error> {
        let me = lookup(None)?;
        let owner = std::fs::metadata(pgdata).ok().map(|m| (m.uid(), m.gid()));
        if me.uid != 0 {
            return match owner {
                Some((uid, _)) if uid != me.uid => Err(Error::Directory {
                    path: pgdata.to_owned(),
                    reason: format!(
                        "it belongs to user {uid}; run dancu as that user, or use another --data directory"
                    ),
                }),
                _ => Ok(Users { server: me.clone(), me }),
            };
        }
        let server = match owner {
            Some((uid, gid)) if uid != 0 => OsUser { gid, ..lookup(Some(&uid.to_string()))? },
            _ => lookup(Some("postgres")).or_else(|_| lookup(Some("nobody")))?,
        };
        Ok(Users { me, server })
    }

    /// PostgreSQL refuses to run as root, so that its cluster then needs another user.
    pub fn is_root(&self) -> bool {
        self.me.uid == 0
    }

    /// A command that runs as the server's user, away from the caller's environment: `PGDATA`, `PGPORT` and
    /// the like would redirect it, and a working directory may be closed to that user.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("LC_ALL", "C").current_dir("/");
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        if self.is_root() {
            command.uid(self.server.uid).gid(self.server.gid);
        }
        command
    }

    /// Gives a file to the server's user; nothing to do unless this process is root.
    pub fn give(&self, path: &Path) -> Result<(), Error> {
        if !self.is_root() {
            return Ok(());
        }
        std::os::unix::fs::lchown(path, Some(self.server.uid), Some(self.server.gid))
            .map_err(Error::file("giving to the database user", path))
    }

    /// Whether the server's user can enter `dir`, which any closed directory above it prevents. Asking the
    /// system as that user is exact where reading mode bits is not (ACLs, network file systems).
    pub fn can_enter(&self, dir: &Path) -> bool {
        let script = "cd -- \"$1\"";
        self.command(Path::new("/bin/sh"))
            .args(["-c", script, "sh"])
            .arg(dir)
            .output()
            .is_ok_and(|o| o.status.success())
    }
}

/// Looks a user up by `id`, which asks the same directories as the server will (files, LDAP, macOS). `None`
/// is the user of this process.
fn lookup(user: Option<&str>) -> Result<OsUser, Error> {
    let ask = |flag: &str| -> Result<String, Error> {
        let failed = |output: String| Error::Program {
            program: format!("id {flag} {}", user.unwrap_or("")).trim_end().to_owned(),
            output: format!("{output} (the database server needs a user that has a name on this machine)"),
        };
        let output = Command::new("id").arg(flag).args(user).output().map_err(|e| failed(e.to_string()))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let number = |flag: &str| -> Result<u32, Error> {
        let text = ask(flag)?;
        text.parse().map_err(|_| Error::Program { program: format!("id {flag}"), output: text })
    };
    Ok(OsUser { uid: number("-u")?, gid: number("-g")?, name: ask("-un")? })
}
