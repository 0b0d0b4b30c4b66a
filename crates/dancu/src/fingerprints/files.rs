//! Template files below a folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use fingerprint::Template;
use ui::tell;

/// Folders below folders, at most so deep: a link that leads back would never end.
const DEEPEST: usize = 16;
/// So many bad files are named.
const NAMED: usize = 20;

/// One file of finger views.
pub struct TemplateFile {
    /// Relative to the folder asked for, with `/` between folders.
    pub path: String,
    pub views: Vec<Template>,
}

/// What a folder holds.
pub struct Folder {
    pub files: Vec<TemplateFile>,
    /// Files that are no valid template. Each was named on the error stream.
    pub bad: usize,
}

impl Folder {
    /// The files alone.
    ///
    /// # Errors
    /// A bad file, unless they are left out.
    pub fn all(self, skip_bad: bool) -> Result<Vec<TemplateFile>> {
        self.complete(skip_bad)?;
        Ok(self.files)
    }

    /// # Errors
    /// A bad file, unless they are left out.
    pub fn complete(&self, skip_bad: bool) -> Result<()> {
        if self.bad > 0 && !skip_bad {
            bail!(
                "{} of the files are no valid template; correct or remove them, or leave them out with \
                 --skip-bad",
                self.bad
            );
        }
        Ok(())
    }
}

/// Every `*.iso` below `folder`, in the order of their paths as bytes; a line on the error stream for each
/// that is no template.
///
/// # Errors
/// An unreadable folder; no valid template at all.
pub fn load(folder: &Path) -> Result<Folder> {
    let mut paths = Vec::new();
    collect(folder, "", 0, &mut paths)?;
    paths.sort_unstable();
    let (mut files, mut bad) = (Vec::with_capacity(paths.len()), Vec::new());
    for (path, place) in paths {
        match read(&place) {
            Ok(views) => files.push(TemplateFile { path, views }),
            Err(error) => bad.push(format!("{path}: {error:#}")),
        }
    }
    for fault in bad.iter().take(NAMED) {
        tell!("dancu: left out: {fault}");
    }
    if let Some(more @ 1..) = bad.len().checked_sub(NAMED) {
        tell!("dancu: left out: {more} more files that are no valid template");
    }
    if files.is_empty() {
        bail!("no valid template (*.iso) below {}; give the folder that holds them", folder.display());
    }
    Ok(Folder { files, bad: bad.len() })
}

/// The finger views of one file.
///
/// # Errors
/// An unreadable file; the byte at which it stops being a template.
pub fn read(path: &Path) -> Result<Vec<Template>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(fingerprint::parse(&bytes)?)
}

fn collect(folder: &Path, prefix: &str, depth: usize, found: &mut Vec<(String, PathBuf)>) -> Result<()> {
    if depth > DEEPEST {
        bail!("{} lies more than {DEEPEST} folders deep; does a link lead back?", folder.display());
    }
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot read the folder {}", folder.display()))?;
    for entry in entries {
        let place = entry.with_context(|| format!("cannot read the folder {}", folder.display()))?.path();
        let Some(name) = place.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
        let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        if place.is_dir() {
            collect(&place, &path, depth + 1, found)?;
        } else if place.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("iso")) {
            found.push((path, place));
        }
    }
    Ok(())
}
