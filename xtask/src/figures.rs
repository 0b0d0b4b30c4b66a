//! `cargo xtask figures`: how large and how tangled the house is, in numbers that can be compared between two
//! states of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::tidy::{MOST_FUNCTION_LINES, function_lengths, rust_files};

/// Columns beyond which a line is counted as wide.
pub const MOST_COLUMNS: usize = 110;

/// Prints the figures of the checkout in the current directory.
///
/// # Errors
/// When a source file or the lock file cannot be read.
pub fn print() -> Result<()> {
    let sources = sources()?;
    lengths(&sources);
    let functions: Vec<usize> =
        sources.iter().flat_map(|(_, source)| function_lengths(source)).map(|(_, lines)| lines).collect();
    let long = functions.iter().filter(|lines| **lines > MOST_FUNCTION_LINES).count();
    println!("functions          {} of {} over {MOST_FUNCTION_LINES} lines", long, functions.len());
    let wide: usize = sources.iter().map(|(_, source)| wide_lines(source).count()).sum();
    println!("wide lines         {wide} over {MOST_COLUMNS} columns");
    let shipped = || sources.iter().filter(|(file, _)| is_source(file));
    let bare: usize = shipped().map(|(_, source)| undocumented(source).len()).sum();
    println!("without a doc line {bare} public items");
    let mut circles = 0;
    for (room, files) in rooms(shipped()) {
        for circle in circles_of(&files) {
            circles += 1;
            println!("circle             {} files in {room}: {}", circle.len(), circle.join(", "));
        }
    }
    println!("circles            {circles} between files");
    let lock = fs::read_to_string("Cargo.lock")?;
    println!("packages           {} in the lock file", lock.matches("[[package]]").count());
    Ok(())
}

/// Prints the places behind one of the figures, a line each: `docs`, `wide`, `functions` or `circles`.
///
/// # Errors
/// When a source file cannot be read, or there is no such figure.
pub fn list(figure: &str) -> Result<()> {
    let sources = sources()?;
    let shipped = || sources.iter().filter(|(file, _)| is_source(file));
    let mut places = Vec::new();
    match figure {
        "docs" => places.extend(shipped().flat_map(|(file, source)| {
            let lines: Vec<&str> = source.lines().collect();
            let place = move |line: usize| format!("{}:{line}: {}", file.display(), lines[line - 1].trim());
            undocumented(source).into_iter().map(place)
        })),
        "wide" => places.extend(sources.iter().flat_map(|(file, source)| {
            wide_lines(source).map(move |line| format!("{}:{line}", file.display()))
        })),
        "functions" => places.extend(sources.iter().flat_map(|(file, source)| {
            let long = function_lengths(source).into_iter().filter(|(_, lines)| *lines > MOST_FUNCTION_LINES);
            long.map(move |(line, lines)| format!("{}:{line}: {lines} lines", file.display()))
        })),
        "circles" => places.extend(rooms(shipped()).into_iter().flat_map(|(room, files)| {
            let circles = circles_of(&files).into_iter();
            circles.map(move |circle| format!("{room}: {}", circle.join(", "))).collect::<Vec<_>>()
        })),
        _ => bail!("there is no list `{figure}`; there are docs, wide, functions and circles"),
    }
    for place in places {
        println!("{place}");
    }
    Ok(())
}

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

fn lengths(sources: &[(PathBuf, String)]) {
    let mut lengths: Vec<(usize, &Path)> =
        sources.iter().map(|(file, source)| (source.lines().count(), file.as_path())).collect();
    lengths.sort();
    if let Some((longest, file)) = lengths.last() {
        let at = |percent: usize| lengths[(lengths.len() - 1) * percent / 100].0;
        println!(
            "files              {}, median {} lines, p90 {}, longest {longest} ({})",
            lengths.len(),
            at(50),
            at(90),
            file.display()
        );
    }
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

/// A crate's files by the path of their module, with their sources.
type Modules<'a> = BTreeMap<String, &'a str>;

fn rooms<'a>(sources: impl Iterator<Item = &'a (PathBuf, String)>) -> BTreeMap<String, Modules<'a>> {
    let mut rooms: BTreeMap<String, Modules<'a>> = BTreeMap::new();
    for (file, source) in sources {
        let parts: Vec<String> = file.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let Some(src) = parts.iter().position(|part| part == "src") else { continue };
        let room = parts[..src].join("/");
        let mut module: Vec<&str> = parts[src + 1..].iter().map(String::as_str).collect();
        let last = module.pop().unwrap_or_default().trim_end_matches(".rs");
        if last != "mod" && last != "lib" && last != "main" {
            module.push(last);
        }
        rooms.entry(room).or_default().insert(module.join("::"), source);
    }
    rooms
}

/// Groups of files of one crate that need each other. A module and its own submodules are one thing and make
/// no circle.
fn circles_of(files: &Modules<'_>) -> Vec<Vec<String>> {
    let uses: BTreeMap<&str, BTreeSet<&str>> =
        files.iter().map(|(module, source)| (module.as_str(), uses(module, source, files))).collect();
    let reach = |from: &str| {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut open: Vec<&str> = uses[from].iter().copied().collect();
        while let Some(next) = open.pop() {
            if seen.insert(next) {
                open.extend(uses[next].iter().copied());
            }
        }
        seen
    };
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        uses.keys().map(|module| (*module, reach(module))).collect();
    let mut circles: BTreeSet<Vec<String>> = BTreeSet::new();
    for (module, to) in &reached {
        if to.contains(module) {
            let circle = to.iter().filter(|other| reached[**other].contains(module));
            circles.insert(circle.map(|name| (*name).to_owned()).collect());
        }
    }
    circles.into_iter().filter(|circle| circle.len() > 1).collect()
}

/// The files whose names a file takes, by its paths from `crate::` and `super::`.
fn uses<'a>(module: &str, source: &str, files: &'a Modules<'_>) -> BTreeSet<&'a str> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
    let mut found = BTreeSet::new();
    for (prefix, base) in [("crate::", ""), ("super::", parent)] {
        for (at, _) in code.match_indices(prefix) {
            let rest = &code[at + prefix.len()..];
            let end = rest.find(';').unwrap_or(rest.len()).min(600);
            for path in paths(floor(rest, end)) {
                let full = if base.is_empty() { path } else { format!("{base}::{path}") };
                if let Some(file) = file_of(&full, files)
                    && file != module
                    && !file.starts_with(&format!("{module}::"))
                    && !module.starts_with(&format!("{file}::"))
                {
                    found.insert(file);
                }
            }
        }
    }
    found
}

/// The beginning of a text, at most `end` bytes long and not within a letter.
fn floor(text: &str, end: usize) -> &str {
    let end = (0..=end).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    &text[..end]
}

/// The paths of a `use` after its first `crate::`: `{a::B, c}` is two, and a path in an expression is one.
fn paths(text: &str) -> Vec<String> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    match text.strip_prefix('{') {
        None => vec![text.chars().take_while(|c| is_name(*c)).collect()],
        Some(inside) => inside
            .split(['{', '}', ','])
            .map(|part| part.trim().chars().take_while(|c| is_name(*c)).collect::<String>())
            .filter(|part| !part.is_empty())
            .collect(),
    }
}

/// The file of the longest module that a path begins with.
fn file_of<'a>(path: &str, files: &'a Modules<'_>) -> Option<&'a str> {
    let parts: Vec<&str> = path.split("::").filter(|part| !part.is_empty()).collect();
    (1..=parts.len()).rev().find_map(|most| {
        let name = parts[..most].join("::");
        files.get_key_value(&name).map(|(name, _)| name.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_item_wants_a_documenting_line() {
        assert_eq!(undocumented("/// Says it.\n#[derive(Debug)]\npub struct A;\npub fn b() {}\n"), [4]);
        assert_eq!(
            undocumented("fn a() {}\npub(crate) fn b() {}\n#[cfg(test)]\nmod tests { pub fn c() {} }\n"),
            [0usize; 0]
        );
    }

    #[test]
    fn files_that_need_each_other_are_a_circle_and_a_parent_with_its_child_is_not() {
        let sources = [
            ("a", "use crate::b::B;"),
            ("b", "use crate::{a::A, c};"),
            ("c", "use super::d;"),
            ("c::inner", "use crate::c::C;"),
            ("d", ""),
        ];
        let files: Modules<'_> =
            sources.into_iter().map(|(name, source)| (name.to_owned(), source)).collect();
        assert_eq!(circles_of(&files), [["a", "b"]]);
    }
}
