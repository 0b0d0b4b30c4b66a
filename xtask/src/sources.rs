//! The house's Rust files, and what can be counted in one of them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

/// Lines of a function that is not long.
pub const MOST_FUNCTION_LINES: usize = 70;
/// Columns beyond which a line is counted as wide.
pub const MOST_COLUMNS: usize = 110;

/// Every Rust file of the house with what it says, in the order of their paths.
///
/// # Errors
/// When one cannot be read.
pub fn sources() -> Result<Vec<(PathBuf, String)>> {
    let mut files = Vec::new();
    for folder in ["crates", "xtask", "fuzz"] {
        rust_files(Path::new(folder), &mut files)?;
    }
    files.sort();
    let mut sources = Vec::with_capacity(files.len());
    for file in files {
        let source = fs::read_to_string(&file)?;
        sources.push((file, source));
    }
    Ok(sources)
}

/// Adds the Rust files below a folder, but those in build directories.
fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
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

/// Line number and length of every function. rustfmt puts a function's closing brace alone, at the
/// indentation of the line on which the function begins.
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

/// Numbers of the lines that are too wide, from 1. A line that is mostly one literal (an address, a hash)
/// cannot be broken and still counts: it is rare, and its place may be a data file.
pub fn wide_lines(source: &str) -> impl Iterator<Item = usize> {
    source.lines().enumerate().filter(|(_, line)| line.chars().count() > MOST_COLUMNS).map(|(at, _)| at + 1)
}

/// Whether the file is part of a crate and not of its tests, examples or benchmarks.
pub fn is_source(file: &Path) -> bool {
    let mut parts = file.iter().map(|part| part.to_string_lossy());
    parts.any(|part| part == "src")
        && !file.iter().any(|part| part == "tests" || part == "fuzz")
        && !file.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"))
}

/// Lines, from 1, of public items without a documenting line above them. Items inside a module of tests are
/// not public to anybody.
pub fn undocumented(source: &str) -> Vec<usize> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines: Vec<&str> = code.lines().map(str::trim_start).collect();
    let begins =
        ["fn ", "async fn ", "const fn ", "struct ", "enum ", "trait ", "const ", "static ", "type "];
    let is_item = |line: &str| {
        line.strip_prefix("pub ").is_some_and(|rest| begins.iter().any(|begin| rest.starts_with(begin)))
    };
    let has_doc = |at: usize| {
        // Attributes, which may run over several lines, stand between the documentation and its item.
        let above = lines[..at].iter().rev().find(|line| {
            !(line.starts_with("#[") && !line.starts_with("#[doc")
                || line.starts_with(')')
                || line.ends_with("]") && !line.starts_with("//"))
        });
        above.is_some_and(|line| {
            line.starts_with("///") || line.starts_with("#[doc") || line.starts_with("$(#[")
        })
    };
    (0..lines.len()).filter(|&at| is_item(lines[at]) && !has_doc(at)).map(|at| at + 1).collect()
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
    fn a_public_item_wants_a_documenting_line() {
        assert_eq!(undocumented("/// Says it.\n#[derive(Debug)]\npub struct A;\npub fn b() {}\n"), [4]);
        assert_eq!(
            undocumented("fn a() {}\npub(crate) fn b() {}\n#[cfg(test)]\nmod tests { pub fn c() {} }\n"),
            [0usize; 0]
        );
    }
}
