//! Cases of correction by commands, each office with its account.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Data, ended, refused, succeeded};

const PIN: &str = "042190012345";
const CASE: &str = "0190f3a0-0000-7000-8000-000000000001";
const FORMS: &str = "form_no,pin,full_name,sex,birth_date,ethnicity,religion,nationality,\
                     birth_registration_unit,native_unit,permanent_unit,permanent_detail,household_no,\
                     relation_to_head\n18562-000001,042190012345,NGUYỄN THỊ MẪU,2,12/04/1990,01,00,VNM,18562,\
                     445,18562,Tổ dân phố 3,445-00017,02\n";

/// A register of one woman, and the offices around her.
fn register(name: &str) -> Data {
    let data = Data::new(name);
    let forms = data.0.join("forms.csv");
    fs::write(&forms, FORMS).unwrap();
    succeeded(&data.run(&["migrate"]));
    succeeded(&data.run(&["import", forms.to_str().unwrap(), "--collected-on", "2021-04-06"]));
    let password = data.0.join("password");
    fs::write(&password, "correct horse battery\n").unwrap();
    let password = password.to_str().unwrap();
    for (login, role, unit) in [
        ("hotich", "clerk", "445"),
        ("tuphap", "justice", "18562"),
        ("khac", "justice", "21550"),
        ("thamdinh", "adjudicator", "42"),
    ] {
        let account = ["account", "add", login, "--role", role, "--unit", unit, "--password-file", password];
        succeeded(&data.run(&account));
    }
    data
}

fn case(data: &Data, args: &[&str]) -> std::process::Output {
    data.run(&[&["register", "case"], args].concat())
}

fn json_of(output: &std::process::Output) -> Value {
    serde_json::from_str(&succeeded(output)).unwrap()
}

#[test]
fn a_case_is_opened_answered_and_applied_by_commands() {
    let data = register("corrections-way");
    let open = [
        "open",
        PIN,
        "--set",
        "name=Lê Thị Mới",
        "--set",
        "religion=1",
        "--as",
        "hotich",
        "--case",
        CASE,
        "--source",
        "citizen",
    ];
    for repeated in [false, true] {
        let opened = json_of(&case(&data, &[&open[..], &["--json"]].concat()));
        assert_eq!((&opened["case"], &opened["repeated"]), (&json!(CASE), &json!(repeated)));
    }
    assert!(refused(&case(&data, &["act", CASE, "take", "--as", "hotich"])).contains("not for the office"));
    assert!(refused(&case(&data, &["act", CASE, "take", "--as", "khac"])).contains("no such case"));
    assert!(refused(&case(&data, &["act", CASE, "take", "--as", "thamdinh"])).contains("has no part"));
    ended(&case(&data, &["act", CASE, "take", "--as", "tuphap"]), 0, "taken, version 2");
    let stale = case(&data, &["act", CASE, "refuse", "--as", "tuphap", "--reason", "no", "--seen", "1"]);
    assert!(refused(&stale).contains("read it again"));
    let scan = data.0.join("7.pdf");
    fs::write(&scan, b"%PDF-1.7").unwrap();
    let issue = [
        "act",
        CASE,
        "issue-paper",
        "--grant",
        "name",
        "--refuse",
        "religion",
        "--number",
        "7/2021",
        "--authority",
        "UBND",
        "--issued-on",
        "19/04/2021",
        "--scan",
        scan.to_str().unwrap(),
        "--as",
        "tuphap",
        "--json",
    ];
    let issued = json_of(&case(&data, &issue));
    assert_eq!((&issued["state"], &issued["version"]), (&json!("paper_issued"), &json!(3)));
    let listed = json_of(&case(&data, &["list", "--json"]));
    assert_eq!(listed["cases"][0]["fields"], json!("name,religion"));
    assert_eq!(json_of(&case(&data, &["list", "--as", "khac", "--json"]))["cases"], json!([]));
    let mine = json_of(&case(&data, &["list", "--stage", "mine", "--as", "tuphap", "--json"]));
    assert_eq!(mine["cases"][0]["case"], json!(CASE));
    ended(&case(&data, &["act", CASE, "apply", "--as", "hotich"]), 0, "applied, version 4");
    let shown = json_of(&data.run(&["register", "show", PIN, "--json"]));
    assert_eq!(shown["record"]["name"], json!("Lê Thị Mới"));
    assert_eq!(shown["events"][0]["paper"]["number"], json!("7/2021"));
    let shown = json_of(&case(&data, &["show", CASE, "--json"]));
    let outcomes: Vec<&str> =
        shown["items"].as_array().unwrap().iter().map(|item| item["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["applied", "refused"]);
    assert_eq!(shown["done"].as_array().unwrap().len(), 4);
    ended(&case(&data, &["show", CASE]), 0, "applied, version 4");
    ended(&case(&data, &["open", PIN, "--set", "pin=042190012346", "--as", "hotich"]), 3, "nothing was done");
}
