//! Holds the house to its rules: which crate may use which, why each library is there, where unsafe code may
//! be, how large files and how wide lines may grow, and that what is public is documented.

mod walls;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::sources::{
    MOST_COLUMNS, MOST_FUNCTION_LINES, function_lengths, is_source, sources, undocumented, wide_lines,
};

/// What a library may be licensed under, and why: docs/decisions/0026-licences.md.
const LICENCES: [&str; 14] = [
    "MIT",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "CC0-1.0",
    "0BSD",
    "Unlicense",
    "MIT-0",
    "CDLA-Permissive-2.0",
    "IJG",
];

/// Licences that ask for the source of their own files only: accepted of packages that nobody here changed.
const UNMODIFIED_LICENCES: [&str; 1] = ["MPL-2.0"];

/// Crates with loops over vector registers; every other crate forbids unsafe code.
const MAY_BE_UNSAFE: [&str; 1] = ["fingerprint"];

const MOST_LINES: usize = 500;
/// In percent: a few functions are tables or straight lines of steps that read best in one piece.
const LONG_FUNCTIONS_ALLOWED: usize = 4;

/// Checks the checkout in the current directory, and prints every fault that it finds.
///
/// # Errors
/// When there is a fault, or a file cannot be read.
pub fn check() -> Result<()> {
    let by_default = metadata(&[])?;
    let with_all_features = metadata(&["--all-features"])?;
    let mut faults = Vec::new();
    walls::directions(&by_default, &mut faults);
    // A feature may bring a dependency in, and what is chosen for all may differ from what is chosen for one.
    let mut reached = BTreeSet::new();
    walls::bans(&by_default, &mut reached);
    walls::bans(&with_all_features, &mut reached);
    faults.extend(reached);
    reasons(&mut faults)?;
    licences(&with_all_features, &mut faults);
    lints(&with_all_features, &mut faults)?;
    sizes(&mut faults)?;
    if faults.is_empty() {
        return Ok(());
    }
    for fault in &faults {
        eprintln!("tidy: {fault}");
    }
    bail!("{} faults", faults.len())
}

fn metadata(extra: &[&str]) -> Result<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let out =
        Command::new(cargo).args(["metadata", "--format-version", "1", "--locked"]).args(extra).output()?;
    anyhow::ensure!(out.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&out.stderr));
    Ok(serde_json::from_slice(&out.stdout)?)
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Every library that the workspace names has its reason in the decision on dependencies.
fn reasons(faults: &mut Vec<String>) -> Result<()> {
    let manifest = fs::read_to_string("Cargo.toml")?;
    let decision = fs::read_to_string("docs/decisions/0002-dependencies.md")
        .context("docs/decisions/0002-dependencies.md")?;
    let section = manifest.split("[workspace.dependencies]").nth(1).unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    for line in section.lines().filter(|line| !line.starts_with('#') && !line.contains("path =")) {
        if let Some((name, _)) = line.split_once('=') {
            let name = name.trim();
            if !decision.contains(&format!("`{name}`")) {
                faults.push(format!("library `{name}` has no reason in docs/decisions/0002-dependencies.md"));
            }
        }
    }
    Ok(())
}

/// Licences of everything that is linked, as far as the packages themselves say.
fn licences(metadata: &Value, faults: &mut Vec<String>) {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in list(metadata, "packages") {
        let licence = text(package, "license");
        // What comes from a registry is as its authors published it: the lock file has its hash.
        if !is_allowed(licence, text(package, "source").starts_with("registry+")) {
            found.entry(licence.to_owned()).or_default().insert(text(package, "name").to_owned());
        }
    }
    for (licence, names) in found {
        faults.push(format!(
            "licence `{licence}` of {names:?} is not accepted (docs/decisions/0026-licences.md)"
        ));
    }
}

/// Whether a package may be linked, by its licences in SPDX's writing.
fn is_allowed(licence: &str, is_unmodified: bool) -> bool {
    let bare = |text: &str| text.trim_matches(['(', ')', ' ']).to_owned();
    licence.replace('/', " OR ").split(" AND ").all(|part| {
        bare(part).split(" OR ").any(|one| {
            let one = bare(one.split(" WITH ").next().unwrap_or_default());
            LICENCES.contains(&one.as_str()) || is_unmodified && UNMODIFIED_LICENCES.contains(&one.as_str())
        })
    })
}

/// Every crate takes the workspace's lints, which forbid unsafe code. A crate that needs some repeats them
/// without that one, because Cargo does not let it take the others only.
fn lints(metadata: &Value, faults: &mut Vec<String>) -> Result<()> {
    let root = fs::read_to_string("Cargo.toml")?;
    if !section(&root, "workspace.lints.rust").contains(&"unsafe_code = \"forbid\"") {
        faults.push("the workspace's lints do not forbid unsafe code".to_owned());
    }
    for package in walls::members(metadata) {
        let manifest = fs::read_to_string(text(package, "manifest_path"))?;
        faults.extend(lint_fault(text(package, "name"), &root, &manifest));
    }
    Ok(())
}

fn lint_fault(name: &str, root: &str, manifest: &str) -> Option<String> {
    if !MAY_BE_UNSAFE.contains(&name) {
        let takes_them = section(manifest, "lints") == ["workspace = true"];
        return (!takes_them)
            .then(|| format!("`{name}` does not take the workspace's lints ([lints] workspace = true)"));
    }
    for tool in ["rust", "clippy"] {
        let mut wanted = section(root, &format!("workspace.lints.{tool}"));
        wanted.retain(|line| !line.starts_with("unsafe_code"));
        if section(manifest, &format!("lints.{tool}")) != wanted {
            return Some(format!(
                "[lints.{tool}] of `{name}` differs from the workspace's by more than `unsafe_code`"
            ));
        }
    }
    None
}

/// The lines of a table in a manifest.
fn section<'a>(manifest: &'a str, name: &str) -> Vec<&'a str> {
    let mut lines = manifest.lines().map(str::trim).skip_while(|line| *line != format!("[{name}]"));
    lines.next();
    lines
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

fn sizes(faults: &mut Vec<String>) -> Result<()> {
    let (mut functions, mut long) = (0, Vec::new());
    for (file, source) in sources()? {
        let lines = source.lines().count();
        if lines > MOST_LINES {
            faults.push(format!("{} has {lines} lines; {MOST_LINES} are the budget", file.display()));
        }
        faults.extend(
            wide_lines(&source)
                .map(|line| format!("{}:{line} is wider than {} columns", file.display(), MOST_COLUMNS)),
        );
        if is_source(&file) {
            faults.extend(undocumented(&source).into_iter().map(|line| {
                format!(
                    "{}:{line} is public and has no doc line; say what a caller cannot read from its name",
                    file.display()
                )
            }));
        }
        for (line, length) in function_lengths(&source) {
            functions += 1;
            if length > MOST_FUNCTION_LINES {
                long.push(format!("{}:{line} ({length} lines)", file.display()));
            }
        }
    }
    if long.len() * 100 > functions * LONG_FUNCTIONS_ALLOWED {
        faults.push(format!(
            "{} of {functions} functions are longer than {MOST_FUNCTION_LINES} lines; \
             {LONG_FUNCTIONS_ALLOWED}% are allowed: {}",
            long.len(),
            long.join(", ")
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_is_on_the_list_or_its_package_is_as_it_was_published() {
        let check = |licence: &str, expect: [bool; 2]| {
            let found = [true, false].map(|is_unmodified| is_allowed(licence, is_unmodified));
            assert_eq!(found, expect, "{licence}");
        };
        check("MIT/Apache-2.0", [true, true]);
        check("Apache-2.0 WITH LLVM-exception OR GPL-3.0", [true, true]);
        check("(MIT OR Apache-2.0) AND IJG", [true, true]);
        check("MPL-2.0", [true, false]);
        check("MIT AND MPL-2.0", [true, false]);
        check("MPL-2.0 OR MIT", [true, true]);
        for refused in ["", "LGPL-2.1-or-later", "MIT AND GPL-3.0", "AGPL-3.0", "BUSL-1.1"] {
            check(refused, [false, false]);
        }
    }

    #[test]
    fn a_crate_takes_the_lints_or_repeats_all_but_one() {
        let root = "[workspace.lints.rust]\nunsafe_code = \"forbid\"\nunused = \"warn\"\n\n\
                    [workspace.lints.clippy]\n# Why.\nall = \"warn\"\n";
        let check = |name: &str, manifest: &str, is_fault: bool| {
            assert_eq!(lint_fault(name, root, manifest).is_some(), is_fault, "{name}: {manifest}");
        };
        let repeats = "[lints.rust]\nunused = \"warn\"\n\n[lints.clippy]\nall = \"warn\"\n";
        check("card", "[dependencies]\n\n[lints]\nworkspace = true\n", false);
        check("card", "[dependencies]\n", true);
        check("card", repeats, true);
        check("fingerprint", repeats, false);
        check("fingerprint", "[lints.rust]\nunused = \"warn\"\n", true);
    }
}
