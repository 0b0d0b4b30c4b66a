//! People have one writer: no other source of this crate, which has the centre's only SQL, writes their
//! tables.

use std::fs;
use std::path::{Path, PathBuf};

const TABLES: &[&str] = &["person", "person_event", "person_fact", "civil_event", "pin"];

/// Where they are written.
const WRITER: &str = "register/record/";

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The tables among [`TABLES`] that statements in this text write.
fn written(text: &str) -> Vec<String> {
    let separates = |c: char| !(c.is_alphanumeric() || c == '_');
    let words: Vec<String> =
        text.split(separates).filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let named = match word.as_str() {
            "copy" | "update" | "truncate" => words.get(at + 1),
            "into" if at > 0 && matches!(words[at - 1].as_str(), "insert" | "merge") => words.get(at + 1),
            "from" if at > 0 && words[at - 1] == "delete" => words.get(at + 1),
            _ => None,
        };
        let named = match named {
            Some(only) if only == "only" => words.get(at + 2),
            named => named,
        };
        found.extend(named.filter(|name| TABLES.contains(&name.as_str())).cloned());
    }
    found
}

#[test]
fn people_are_written_by_their_one_writer() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    let mut by_writer = Vec::new();
    let mut by_others = Vec::new();
    for path in &paths {
        let name = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
        let found = written(&fs::read_to_string(path).unwrap());
        if name.starts_with(WRITER) {
            by_writer.extend(found);
        } else if !found.is_empty() {
            by_others.push((name, found));
        }
    }
    by_writer.sort_unstable();
    by_writer.dedup();
    let mut tables = TABLES.to_vec();
    tables.sort_unstable();
    assert_eq!(by_writer, tables, "the test no longer sees the statements of the writer");
    assert_eq!(by_others, [], "these write people past `store::register::record`");
}

#[test]
fn every_way_of_writing_is_seen() {
    for (text, tables) in [
        ("INSERT INTO person (person_id) VALUES ($1)", vec!["person"]),
        ("UPDATE person p SET pin = NULL", vec!["person"]),
        ("update \\\n   only pin set ended_at = $1", vec!["pin"]),
        ("COPY person_event (person_id) FROM STDIN", vec!["person_event"]),
        ("DELETE FROM person_fact WHERE true", vec!["person_fact"]),
        ("TRUNCATE civil_event", vec!["civil_event"]),
        ("WITH x AS (UPDATE pin SET a = 1 RETURNING b) SELECT b FROM x", vec!["pin"]),
        ("SELECT a FROM person JOIN pin USING (pin) FOR UPDATE OF person", vec![]),
        ("SELECT FROM person FOR UPDATE", vec![]),
        ("UPDATE person_name SET a = 1", vec![]),
    ] {
        assert_eq!(written(text), tables, "{text}");
    }
}
