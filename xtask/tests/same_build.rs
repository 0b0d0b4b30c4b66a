//! `./demo` and `./test` compile the same: whoever ran one does not wait for the other to compile the
//! libraries once more with other features.
//!
//! This file is also the test that `xtask/build.sh` names: with a test in it, a build takes the features that
//! tests ask for into account.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What cargo would compile: of each unit everything that makes it another one.
fn units(command: &[&str]) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(command)
        .args(["-Z", "unstable-options", "--unit-graph"])
        // The stable cargo prints the graph to whoever says that it may change.
        .env("RUSTC_BOOTSTRAP", "1")
        .current_dir(root)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let graph: Value = serde_json::from_slice(&output.stdout).unwrap();
    let told = graph["units"].as_array().unwrap().iter().map(|unit| {
        let parts = ["pkg_id", "features", "profile", "platform", "mode"].map(|part| unit[part].to_string());
        format!("{} {}", unit["target"]["name"], parts.join(" "))
    });
    told.collect()
}

/// The arguments of `cargo build` in the script, for a program.
fn of_script(program: &str) -> Vec<String> {
    let script = include_str!("../build.sh");
    let line = script.lines().find_map(|line| line.strip_prefix("cargo ")).unwrap();
    let arguments = line.split(' ').filter(|word| *word != ">&2");
    arguments.map(|word| if word == "\"$1\"" { program.to_owned() } else { word.to_owned() }).collect()
}

#[test]
fn the_demo_and_the_tests_compile_the_same_libraries() {
    let tests =
        units(&["test", "--release", "--locked", "--workspace", "--lib", "--bins", "--tests", "--no-run"]);
    for program in ["dancu", "xtask"] {
        let arguments = of_script(program);
        let built = units(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let again: Vec<&String> = built.difference(&tests).collect();
        assert!(again.is_empty(), "only to build {program}: {again:#?}");
    }
    // That the comparison can tell: one package by itself asks for fewer features.
    let alone = units(&["build", "--release", "--locked", "--package", "dancu"]);
    assert!(!alone.is_subset(&tests));
}
