//! Where PostgreSQL's server programs are on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;

/// The oldest PostgreSQL that dancu supports.
pub const MINIMUM_MAJOR: u32 = 15;

/// A directory with `initdb`, `pg_ctl` and `postgres` of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// The directory.
    pub dir: PathBuf,
    /// The major version, such as 15.
    pub major: u32,
}

impl Binaries {
    /// The newest PostgreSQL of at least [`MINIMUM_MAJOR`], or, for a cluster that exists, the one of its
    /// version.
    ///
    /// Looks at `$PG_BIN` alone when it is set; else on `PATH`, then where Debian, Red Hat, Homebrew,
    /// Postgres.app and MacPorts put them.
    ///
    /// # Errors
    /// [`Error::BinariesNotFound`] with this platform's install line; [`Error::ClusterVersion`] when only
    /// other versions than `made_by` are installed.
    pub(crate) fn find(cluster: &Path, made_by: Option<u32>) -> Result<Binaries, Error> {
        let candidates = candidates();
        let mut found: Vec<Binaries> = candidates.iter().filter_map(|dir| probe(dir)).collect();
        found.sort_by_key(|b| std::cmp::Reverse(b.major));
        if found.is_empty() {
            return Err(Error::BinariesNotFound {
                minimum: MINIMUM_MAJOR,
                looked: std::env::var("PG_BIN").map(|d| format!(" in PG_BIN={d}")).unwrap_or_default(),
                install: install_line(),
            });
        }
        match made_by {
            None => {
                let newest = found.swap_remove(0);
                if newest.major < MINIMUM_MAJOR {
                    return Err(Error::BinariesNotFound {
                        minimum: MINIMUM_MAJOR,
                        looked: format!(" (only {} in {})", newest.major, newest.dir.display()),
                        install: install_line(),
                    });
                }
                Ok(newest)
            }
            Some(major) => {
                let versions: Vec<String> = found.iter().map(|b| b.major.to_string()).collect();
                found.into_iter().find(|b| b.major == major).ok_or_else(|| Error::ClusterVersion {
                    dir: cluster.to_owned(),
                    made_by: major,
                    found: versions.join(", "),
                })
            }
        }
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

fn candidates() -> Vec<PathBuf> {
    if let Some(dir) = std::env::var_os("PG_BIN").filter(|d| !d.is_empty()) {
        return vec![PathBuf::from(dir)];
    }
    let mut dirs = Vec::new();
    for dir in std::env::var_os("PATH").iter().flat_map(std::env::split_paths) {
        // Homebrew and Debian link single programs into PATH: the others are beside the link's target.
        if let Ok(real) = dir.join("initdb").canonicalize() {
            dirs.extend(real.parent().map(Path::to_owned));
        }
    }
    for (parent, prefix, suffix) in [
        ("/usr/lib/postgresql", "", "bin"),
        ("/usr", "pgsql-", "bin"),
        ("/opt/homebrew/opt", "postgresql@", "bin"),
        ("/usr/local/opt", "postgresql@", "bin"),
        ("/home/linuxbrew/.linuxbrew/opt", "postgresql@", "bin"),
        ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
        ("/opt/local/lib", "postgresql", "bin"),
    ] {
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
        dirs.extend(
            entries
                .filter(|e| e.file_name().to_string_lossy().starts_with(prefix))
                .map(|e| e.path().join(suffix)),
        );
    }
    dirs.retain(|d| d.join("initdb").is_file());
    dirs
}

/// The version of the programs in `dir`, if the three that are needed are all there.
fn probe(dir: &Path) -> Option<Binaries> {
    if !["initdb", "pg_ctl", "postgres"].iter().all(|p| dir.join(p).is_file()) {
        return None;
    }
    let output = Command::new(dir.join("postgres")).arg("--version").output().ok()?;
    let major = major_version(&String::from_utf8_lossy(&output.stdout))?;
    Some(Binaries { dir: dir.to_owned(), major })
}

/// Reads "postgres (PostgreSQL) 15.14 (Debian …)" and "postgres (PostgreSQL) 18beta1".
fn major_version(text: &str) -> Option<u32> {
    let (_, version) = text.split_once("(PostgreSQL)")?;
    let digits: String = version.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn install_line() -> &'static str {
    if cfg!(target_os = "macos") {
        return "brew install postgresql@17";
    }
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let like = |name: &str| {
        release
            .lines()
            .filter(|l| l.starts_with("ID=") || l.starts_with("ID_LIKE="))
            .any(|l| l.contains(name))
    };
    if like("fedora") || like("rhel") {
        "sudo dnf install postgresql-server postgresql-contrib"
    } else if like("arch") {
        "sudo pacman -S postgresql"
    } else if like("alpine") {
        "apk add postgresql17 postgresql17-contrib"
    } else if like("suse") {
        "sudo zypper install postgresql-server postgresql-contrib"
    } else {
        "sudo apt-get install postgresql"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_version_of_releases_and_betas() {
        assert_eq!(major_version("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"), Some(15));
        assert_eq!(major_version("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major_version("postgres (EDB) 15"), None);
    }

    #[test]
    fn the_version_of_a_cluster_decides_over_the_newest() {
        let error = Binaries::find(Path::new("/somewhere"), Some(7)).unwrap_err();
        assert!(matches!(error, Error::ClusterVersion { made_by: 7, .. }), "{error}");
    }
}
