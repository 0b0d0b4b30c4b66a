//! `cargo xtask figures`: how large and how tangled the house is, in numbers that can be compared between two
//! states of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::sources::{
    MOST_COLUMNS, MOST_FUNCTION_LINES, function_lengths, is_source, sources, undocumented, wide_lines,
};

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
    // What a comment names is not needed to compile.
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    let code: String = code.lines().filter(is_code).flat_map(|line| [line, "\n"]).collect();
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
    fn files_that_need_each_other_are_a_circle_and_a_parent_with_its_child_is_not() {
        let sources = [
            ("a", "use crate::b::B;"),
            ("b", "use crate::{a::A, c};"),
            ("c", "use super::d;"),
            ("c::inner", "use crate::c::C;"),
            ("d", "//! See [`crate::c`].\n"),
        ];
        let files: Modules<'_> =
            sources.into_iter().map(|(name, source)| (name.to_owned(), source)).collect();
        assert_eq!(circles_of(&files), [["a", "b"]]);
    }
}
