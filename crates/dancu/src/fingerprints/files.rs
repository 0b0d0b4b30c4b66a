//! Template files below a folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use fingerprint::Template;

/// Folders below folders, at most so deep: a link that leads back would never end.
const DEEPEST: usize = 16;
/// So many bad files are named before the program gives up.
const NAMED: usize = 20;

/// One file of finger views.
pub struct TemplateFile {
    /// Relative to the folder asked for, with `/` between folders.
    pub path: String,
    pub views: Vec<Template>,
}

/// Every `*.iso` below `folder`, in the order of their paths as bytes.
///
/// # Errors
/// An unreadable folder or file; a file that is no template, unless bad ones are skipped; no template at all.
pub fn load(folder: &Path, skip_bad: bool) -> Result<Vec<TemplateFile>> {
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
        eprintln!("dancu: {fault}");
    }
    if !bad.is_empty() {
        let more = bad.len().saturating_sub(NAMED);
        let what =
            format!("{} of the files are no valid template ({more} more than are named above)", bad.len());
        if !skip_bad {
            bail!("{what}; correct or remove them, or leave them out with --skip-bad");
        }
        eprintln!("dancu: {what}; left out");
    }
    if files.is_empty() {
        bail!("no valid template (*.iso) below {}; give the folder that holds them", folder.display());
    }
    Ok(files)
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
