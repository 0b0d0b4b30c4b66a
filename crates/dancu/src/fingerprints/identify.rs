//! Who of a folder is this?

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::files::{self, TemplateFile};
use fingerprint::{Positions, Scan, ScanQuery, Template, false_match_rate, threshold_for};

pub(crate) struct Options {
    pub any_position: bool,
    pub false_matches: f64,
    pub most: usize,
}

/// Everybody is compared as far as their sketches agree; see `fingerprint::scan`.
pub fn run(
    gallery: Vec<TemplateFile>,
    probe: &[PathBuf],
    options: &Options,
    out: &mut impl Write,
) -> Result<()> {
    let mut people: BTreeMap<String, Vec<Template>> = BTreeMap::new();
    for file in gallery {
        people.entry(person(&file.path)).or_default().extend(file.views);
    }
    let mut scan = Scan::new();
    let names: Vec<&String> = people.keys().collect();
    for (row, (name, templates)) in people.iter().enumerate() {
        scan.insert(row as u128, templates).with_context(|| format!("the templates of {name}"))?;
    }
    let mut fingers = Vec::new();
    for path in probe {
        fingers.extend(files::read(path).with_context(|| format!("{}", path.display()))?);
    }
    let positions = if options.any_position { Positions::Any } else { Positions::AsStated };
    // The best are printed even when they do not match, so that a person can judge.
    let query = ScanQuery { positions, threshold: f32::NEG_INFINITY, most: options.most };
    let (hits, _) = scan.search(&fingers, None, query)?;
    let threshold = threshold_for(scan.len(), options.false_matches);
    let mut table = csv::Writer::from_writer(out);
    table.write_record(["person", "score", "false_match_rate", "match"])?;
    for hit in hits {
        let name = names[usize::try_from(hit.id).expect("ids are rows")];
        let rate = format!("{:.1e}", false_match_rate(hit.score));
        let verdict = if hit.score >= threshold { "yes" } else { "no" };
        table.write_record([name, format!("{:.2}", hit.score).as_str(), &rate, verdict])?;
    }
    table.flush()?;
    Ok(())
}

/// Who a file belongs to, by its path; see the command's help.
fn person(path: &str) -> String {
    let (folder, name) = path.rsplit_once('/').map_or(("", path), |(folder, name)| (folder, name));
    let joined = |stem: &str| if folder.is_empty() { stem.to_owned() } else { format!("{folder}/{stem}") };
    match name.split_once('_') {
        Some((stem, _)) => joined(stem),
        None if folder.is_empty() => name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned(),
        None => folder.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fingerprint::synthetic::{Condition, person_masters};

    #[test]
    fn paths_name_people() {
        for (path, expected) in [
            ("101_3.iso", "101"),
            ("DB1/101_3.iso", "DB1/101"),
            ("minh/thumb.iso", "minh"),
            ("a/b/c.iso", "a/b"),
            ("an.iso", "an"),
        ] {
            assert_eq!(person(path), expected);
        }
    }

    #[test]
    fn the_right_person_is_first_and_marked() {
        let capture = |person: u64, occasion| -> Vec<Template> {
            person_masters(person)[..4]
                .iter()
                .map(|m| m.impression(person * 16 + occasion, Condition::Station))
                .collect()
        };
        let gallery =
            (0..5).map(|p| TemplateFile { path: format!("p{p}/all.iso"), views: capture(p, 1) }).collect();
        let folder = tempfile::tempdir().unwrap();
        let probe = folder.path().join("probe.iso");
        std::fs::write(&probe, fingerprint::encode(&capture(3, 2)).unwrap()).unwrap();
        let mut out = Vec::new();
        let options = Options { any_position: false, false_matches: 1e-4, most: 2 };
        run(gallery, &[probe], &options, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "person,score,false_match_rate,match");
        assert!(lines[1].starts_with("p3,") && lines[1].ends_with(",yes"), "{text}");
        assert!(lines[2..].iter().all(|line| line.ends_with(",no")), "{text}");
    }
}
