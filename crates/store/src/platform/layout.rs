//! `dancu.json`: what a data directory is, so that another release does not misread it.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Error;

/// The layout this program reads and writes. In layout 1 the keys of all chips followed from the
/// key-encryption key, which also wrapped what kits chose: whoever had a kit and the database could copy
/// every card, so that nothing of it is carried over. In layout 2 packets bore no officer's signature, and
/// the server's superuser owned all tables and did all work.
pub const LAYOUT: u32 = 3;

const FILE: &str = "dancu.json";

/// The contents of `dancu.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layout {
    /// The version of the layout; first, because it decides how the rest reads.
    pub layout: u32,
    /// Where the database is, when not in `postgres` beside this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<PathBuf>,
    /// Whether a cluster has been made: if so and it is gone, that is a loss and not a first start.
    #[serde(default)]
    pub cluster_made: bool,
    /// Databases that have been made, for the same reason.
    #[serde(default)]
    pub databases: Vec<String>,
}

impl Layout {
    /// The file in a data directory that says how it is laid out.
    pub fn path(data: &Path) -> PathBuf {
        data.join(FILE)
    }

    /// Reads the file, or begins one for an empty data directory.
    pub fn load(data: &Path) -> Result<Layout, Error> {
        let file = Layout::path(data);
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Layout {
                    layout: LAYOUT,
                    cluster: None,
                    cluster_made: false,
                    databases: Vec::new(),
                });
            }
            Err(e) => return Err(Error::file("reading", file)(e)),
        };
        let bad = |e: serde_json::Error| Error::DataFile { file: Layout::path(data), reason: e.to_string() };
        let version: Version = serde_json::from_str(&text).map_err(bad)?;
        if version.layout != LAYOUT {
            return Err(Error::DataLayout { file, found: version.layout, known: LAYOUT });
        }
        serde_json::from_str(&text).map_err(bad)
    }

    /// Writes the file whole or not at all.
    pub fn save(&self, data: &Path) -> Result<(), Error> {
        let file = Layout::path(data);
        let text = serde_json::to_string_pretty(self).expect("a struct of strings and numbers serialises");
        let new = data.join(".dancu.json.new");
        let mut out = std::fs::File::create(&new).map_err(Error::file("creating", &new))?;
        out.write_all(text.as_bytes()).map_err(Error::file("writing", &new))?;
        out.sync_all().map_err(Error::file("writing", &new))?;
        std::fs::rename(&new, &file).map_err(Error::file("writing", &file))
    }
}

#[derive(Deserialize)]
struct Version {
    layout: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_layout_is_refused_with_both_versions() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), r#"{"layout": 9, "unheard_of": []}"#).unwrap();
        let message = Layout::load(dir.path()).unwrap_err().to_string();
        assert!(message.contains("layout 9") && message.contains("knows layout 3"), "{message}");
    }

    #[test]
    fn a_damaged_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "{").unwrap();
        assert!(Layout::load(dir.path()).unwrap_err().to_string().contains("dancu.json"));
    }

    #[test]
    fn what_was_saved_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout {
            layout: LAYOUT,
            cluster: Some("/var/lib/dancu-x".into()),
            cluster_made: true,
            databases: vec!["dancu".to_owned()],
        };
        layout.save(dir.path()).unwrap();
        assert_eq!(Layout::load(dir.path()).unwrap(), layout);
    }
}
