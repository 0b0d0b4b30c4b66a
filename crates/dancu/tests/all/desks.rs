//! `dancu bench desks` on a small register: every kind of act comes about without an error, and the register
//! is kept.

use std::fs;

use serde_json::Value;

use crate::support::{Data, refused, succeeded};

fn desks(data: &Data, args: &[&str]) -> (String, Value) {
    let figures = data.0.join("desks.json");
    let all = ["bench", "desks", "--people", "2000", "--officers", "10", "--think", "0.02-0.1", "--json"];
    let said = succeeded(&data.run(&[&all[..], &[figures.to_str().unwrap()], args].concat()));
    (said, serde_json::from_slice(&fs::read(&figures).unwrap()).unwrap())
}

#[test]
fn ten_officers_work_without_an_error_and_find_their_register_again() {
    let data = Data::new("desks");
    let (said, report) = desks(&data, &["--seconds", "2"]);
    assert!(said.contains("2000 of 2000 people"), "{said}");
    assert_eq!(report["errors"], 0, "{report:#}");
    for part in [&report, &report["while_signing_in"], &report["without_think"]] {
        assert!(part["p50_ms"].as_f64().unwrap() > 0.0, "{report:#}");
        assert!(part["p99_ms"].as_f64() >= part["p50_ms"].as_f64(), "{report:#}");
    }
    let parts = [&report, &report["while_signing_in"], &report["without_think"]];
    for kind in
        ["search_name", "search_number", "open_person", "applications", "day", "cases", "open_case", "decide"]
    {
        let acts = parts.iter().filter_map(|part| part["kinds"][kind]["acts"].as_u64()).sum::<u64>();
        assert!(acts > 0, "{kind}: {report:#}");
    }
    assert!(report["limits"]["search_by_name"]["ratio"].as_f64().unwrap() > 0.0, "{report:#}");

    let (said, report) = desks(&data, &["--seconds", "1"]);
    assert!(!said.contains("2000 of 2000 people"), "the register was written again: {said}");
    assert_eq!(report["errors"], 0, "{report:#}");

    // Another register in its place would be measured under a wrong name.
    let other = ["bench", "desks", "--people", "2000", "--officers", "10", "--seed", "7"];
    assert!(refused(&data.run(&other)).contains("remove it first"));
}
