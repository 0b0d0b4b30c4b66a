//! Holds the house to its rules: which crate may use which, why each library is there, and how large files may grow.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Layers from the bottom up. A crate may depend on crates of lower layers only; stages never on each other.
const LAYERS: [&[&str]; 7] = [
    &["domain"],
    &["linkage", "fingerprint", "card", "pki"],
    &["store", "hsm", "chip", "recordfile", "print"],
    &["collect", "plan", "enrol", "resolve", "issue", "deliver", "verify", "report"],
    &["web", "kit"],
    &["simulate"],
    &["dancu"],
];

/// Crates that serve tests and automation only; nothing that ships may use them.
const UNSHIPPED: [&str; 4] = ["specimen", "testkit", "fuzzing", "xtask"];

/// What a crate must never depend on, whatever its layer (the "must never" column of ARCHITECTURE.md).
const BANNED: [(&str, &[&str]); 10] = [
    ("domain", &["tokio", "sqlx"]),
    ("linkage", &["tokio", "sqlx"]),
    ("fingerprint", &["domain", "tokio", "sqlx"]),
    ("card", &["hsm", "tokio", "sqlx"]),
    ("chip", &["hsm", "store", "tokio", "sqlx"]),
    ("print", &["hsm", "store", "tokio", "sqlx"]),
    ("pki", &["hsm", "store", "tokio", "sqlx"]),
    ("report", &["hsm"]),
    ("web", &["hsm", "sqlx"]),
    ("kit", &["store", "hsm", "sqlx"]),
];

/// SQL is written in `store` and in the crate that makes test databases.
const MAY_USE_SQLX: [&str; 2] = ["store", "testkit"];

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

const MOST_LINES: usize = 500;
/// Lines of a function that is not long.
pub const MOST_FUNCTION_LINES: usize = 70;
/// In percent: a few functions are tables or straight lines of steps that read best in one piece.
const LONG_FUNCTIONS_ALLOWED: usize = 4;

pub fn check() -> Result<()> {
    let metadata = metadata(&["--no-deps"])?;
    let mut faults = Vec::new();
    directions(&metadata, &mut faults);
    reasons(&mut faults)?;
    licences(&mut faults)?;
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

fn directions(metadata: &Value, faults: &mut Vec<String>) {
    let layer = |name: &str| LAYERS.iter().position(|layer| layer.contains(&name));
    for package in list(metadata, "packages") {
        let name = text(package, "name");
        if layer(name).is_none() && !UNSHIPPED.contains(&name) {
            faults.push(format!(
                "crate `{name}` stands in no layer; say where it belongs in xtask/src/tidy.rs"
            ));
        }
        for dependency in list(package, "dependencies") {
            let used = text(dependency, "name");
            let shipped = dependency["kind"].is_null();
            if !shipped || UNSHIPPED.contains(&name) {
                continue;
            }
            if UNSHIPPED.contains(&used) {
                faults.push(format!("`{name}` ships and depends on `{used}`, which does not"));
            }
            if let (Some(from), Some(to)) = (layer(name), layer(used))
                && to >= from
            {
                faults.push(format!(
                    "`{name}` may not depend on `{used}`: it stands in the same layer or above"
                ));
            }
            if BANNED.iter().any(|(crate_, banned)| *crate_ == name && banned.contains(&used)) {
                faults.push(format!("`{name}` must never depend on `{used}`"));
            }
            if used == "sqlx" && !MAY_USE_SQLX.contains(&name) {
                faults.push(format!("`{name}` uses sqlx: SQL belongs in `store`"));
            }
        }
    }
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
fn licences(faults: &mut Vec<String>) -> Result<()> {
    let metadata = metadata(&[])?;
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in list(&metadata, "packages") {
        let licence = text(package, "license").replace('/', " OR ");
        let name = text(package, "name").to_owned();
        let allowed = licence.split(" AND ").all(|part| {
            part.trim_matches(['(', ')', ' ']).split(" OR ").any(|one| {
                let one = one.trim_matches(['(', ')', ' ']).split(" WITH ").next().unwrap_or_default();
                LICENCES.contains(&one)
            })
        });
        if !allowed {
            found.entry(licence).or_default().insert(name);
        }
    }
    for (licence, names) in found {
        faults.push(format!("licence `{licence}` of {names:?} is not on the list"));
    }
    Ok(())
}

fn sizes(faults: &mut Vec<String>) -> Result<()> {
    let mut files = Vec::new();
    for folder in ["crates", "xtask", "fuzz"] {
        rust_files(Path::new(folder), &mut files)?;
    }
    let (mut functions, mut long) = (0, Vec::new());
    for file in files {
        let source = fs::read_to_string(&file)?;
        let lines = source.lines().count();
        if lines > MOST_LINES {
            faults.push(format!("{} has {lines} lines; {MOST_LINES} are the budget", file.display()));
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
            "{} of {functions} functions are longer than {MOST_FUNCTION_LINES} lines; {LONG_FUNCTIONS_ALLOWED}% are allowed: {}",
            long.len(),
            long.join(", ")
        ));
    }
    Ok(())
}

/// Adds the Rust files below a folder, but those in build directories.
pub fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            rust_files(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// Line number and length of every function. rustfmt puts a function's closing brace alone, at the indentation of the
/// line on which the function begins.
pub fn function_lengths(source: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = source.lines().collect();
    let mut found = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        let begins = [
            "fn ",
            "pub fn ",
            "async fn ",
            "pub async fn ",
            "pub(crate) fn ",
            "pub(crate) async fn ",
            "const fn ",
            "pub const fn ",
        ];
        if begins.iter().any(|b| code.starts_with(b)) && !line.trim_end().ends_with([';', '}']) {
            let close = format!("{}}}", " ".repeat(indent));
            if let Some(end) = lines[i..].iter().position(|l| *l == close) {
                found.push((i + 1, end + 1));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_functions_are_counted_to_their_brace() {
        let source =
            "fn a() {\n    x();\n}\nimpl T {\n    pub fn b() {\n        y();\n        z();\n    }\n}\n";
        assert_eq!(function_lengths(source), [(1, 3), (5, 4)]);
    }

    #[test]
    fn every_crate_stands_in_one_layer() {
        let names: Vec<&str> = LAYERS.iter().flat_map(|layer| layer.iter().copied()).collect();
        assert_eq!(names.len(), names.iter().collect::<BTreeSet<_>>().len());
    }
}
