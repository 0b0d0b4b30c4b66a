//! `dancu profile`: what is in the lists, and what is wrong with a list that somebody is about to submit.

use std::fs;

use serde_json::Value;

use crate::support::{Data, ended, succeeded};
use domain::profile::List;

#[test]
fn the_lists_of_the_program_are_sound_and_can_be_read_by_day() {
    let data = Data::new("profile-lists");
    let said = succeeded(&data.run(&["profile", "check"]));
    assert!(said.ends_with("every row has a source\n") && said.contains("fees.csv"), "{said}");
    let json = |args: &[&str]| -> Value {
        serde_json::from_str(&succeeded(&data.run(&[&["profile"], args, &["--json"]].concat()))).unwrap()
    };
    let checked = json(&["check"]);
    assert_eq!(checked["lists"].as_array().unwrap().len(), List::ALL.len());
    assert_eq!(checked["findings"], serde_json::json!([]));
    let rules = |on: &str| json(&["show", "fees", "--on", on])["rules"].as_array().unwrap().clone();
    let (half, full) = (rules("2021-12-31"), rules("2022-07-01"));
    assert_eq!((half.len(), full.len()), (3, 3));
    assert_eq!((&half[0]["for"], &half[0]["rule"]), (&"new/any".into(), &"15000 đ".into()));
    assert_eq!((&full[0]["rule"], &full[0]["mark"]), (&"30000 đ".into(), &"legal text".into()));
    assert_eq!(full[0]["source"], "Circular 59/2019/TT-BTC, article 4");
    assert_eq!(
        json(&["show"])["rules"].as_array().unwrap().len(),
        checked["lists"]
            .as_array()
            .unwrap()
            .iter()
            .map(|list| list["rows"].as_u64().unwrap() as usize)
            .sum::<usize>()
    );
    assert!(rules("2020-12-31").is_empty());
    let none = succeeded(&data.run(&["profile", "show", "fees", "--on", "2020-12-31"]));
    assert!(none.starts_with("none "), "{none}");
    ended(&data.run(&["profile", "show", "tolls"]), 4, "there are fees, fee-exemptions");
    ended(&data.run(&["profile", "show", "--on", "1.7.2021"]), 4, "yyyy-mm-dd");
}

#[test]
fn a_list_with_a_gap_an_overlap_or_a_fault_is_refused() {
    let data = Data::new("profile-faults");
    let file = |name: &str, text: &str| {
        let path = data.0.join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let fees = List::Fees.csv();
    let sound = file("sound.csv", fees);
    let gap =
        file("gap.csv", &fees.replace("new,any,2023-07-01,2023-12-31", "new,any,2023-07-01,2023-12-30"));
    let overlap = file("overlap.csv", &fees.replace("new,any,2021-07-01", "new,any,2021-06-30"));
    let unknown = file("unknown.csv", &fees.replace("reissue,any,2021-07-01", "again,any,2021-07-01"));
    let other = file("other.csv", "form_no,pin\n1,2\n");
    succeeded(&data.run(&["profile", "check", &sound]));
    for (path, told) in [
        (&gap, "no row answers for new/first_card, new/old_card, on 2023-12-31"),
        (&overlap, "line 3: line 2 answers for new/first_card too, on 2021-06-30"),
        (&unknown, "column kind: it is no code of its list; the codes are new, exchange, reissue"),
        (&other, "line 1: no list has these columns"),
    ] {
        let output = data.run(&["profile", "check", &sound, path]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains(told), "{output:?}");
        let output = data.run(&["profile", "check", "--json", path]);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["findings"].as_array().unwrap().len(), 1, "{document}");
        assert_eq!(document["findings"][0]["file"], path.as_str());
    }
    ended(&data.run(&["profile", "check", "/nowhere.csv"]), 3, "/nowhere.csv");
    // A file without an end is not read to its end.
    let output = data.run(&["profile", "check", "/dev/zero"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}
