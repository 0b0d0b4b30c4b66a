//! Every text that the pages ask for exists.

#![allow(clippy::unwrap_used, reason = "a failed step of a test's set-up is the test's failure")]

use std::path::Path;

use ui::i18n::{Lang, keys_in};

fn search(dir: &Path, seen: &mut usize) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path, seen);
            continue;
        }
        for key in keys_in(&std::fs::read_to_string(&path).unwrap()) {
            assert!(Lang::Vi.find(key).is_some(), "{key} in {}", path.display());
            *seen += 1;
        }
    }
}

#[test]
fn every_key_that_is_used_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    search(&root.join("src"), &mut seen);
    search(&root.join("templates"), &mut seen);
    assert!(seen > 100, "only {seen} keys were found: the search is broken");
}
