//! Civil events as a command records them, from a list.

use std::fs;
use std::io::Write;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::support::{Data, ended, succeeded};

const PIN: &str = "042190012345";
const FORMS: &str = "form_no,pin,full_name,sex,birth_date,ethnicity,religion,nationality,\
                     birth_registration_unit,native_unit,permanent_unit,permanent_detail,household_no,\
                     relation_to_head\n18562-000001,042190012345,NGUYỄN THỊ MẪU,2,12/04/1990,01,00,VNM,18562,\
                     445,18562,Tổ dân phố 3,445-00017,02\n";

/// A register of one woman.
fn register(name: &str) -> Data {
    let data = Data::new(name);
    let forms = data.0.join("forms.csv");
    fs::write(&forms, FORMS).unwrap();
    succeeded(&data.run(&["migrate"]));
    succeeded(&data.run(&["import", forms.to_str().unwrap(), "--collected-on", "2021-04-06"]));
    data
}

fn event(n: u32, kind: &str, number: &str, more: Value) -> String {
    let mut event = json!({
        "event_id": format!("0190f3a0-0000-7000-8000-{n:012}"), "person": PIN, "kind": kind,
        "legal_on": "18/04/2021",
        "paper": {
            "kind": "court_decision", "number": number, "authority": "Tòa án", "issued_on": "19/04/2021",
        },
    });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event.to_string()
}

/// Gives the command a list on standard input.
fn piped(data: &Data, list: &str, more: &[&str]) -> Output {
    let args = [&["register", "event", "-"], more].concat();
    let mut command = data.command(&args);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(list.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_list_of_events_is_recorded_repeated_and_shown() {
    let data = register("events-list");
    let renamed = json!({ "since": "always", "changes": [{ "field": "name", "value": "Lê Thị Mới" }] });
    let list = data.0.join("events.jsonl");
    fs::write(data.0.join("7.pdf"), b"%PDF-1.7").unwrap();
    let death = event(2, "died", "2", json!({ "scan": "7.pdf" }));
    fs::write(&list, format!("{}\n\n{death}\n", event(1, "corrected", "1", renamed))).unwrap();
    let list = list.to_str().unwrap();
    ended(&data.run(&["register", "event", list, "--check"]), 0, "judged     2 events, 0 refused");
    ended(&data.run(&["register", "event", list]), 0, "recorded   2 events, 0 refused");
    let again = data.run(&["register", "event", list, "--json"]);
    assert_eq!(again.status.code(), Some(0));
    let told = lines(&again);
    assert_eq!((&told[0]["repeated"], &told[1]["version"]), (&json!(true), &json!(3)));
    let shown: Value =
        serde_json::from_slice(&data.run(&["register", "show", PIN, "--json"]).stdout).unwrap();
    assert_eq!((&shown["status"], &shown["record"]["name"]), (&json!(2), &json!("Lê Thị Mới")));
    let newest = &shown["events"][0];
    assert_eq!((&newest["event"], &newest["legal_on"]), (&json!("died"), &json!("18/04/2021")));
    assert_eq!(
        (&newest["paper"]["number"], &newest["paper"]["scan"]),
        (&json!("2"), &json!("application/pdf"))
    );
    let before = data.run(&["register", "show", PIN, "--known", "2021-04-05"]);
    ended(&before, 3, "nothing was known of this person yet");
    ended(&data.run(&["register", "show", PIN, "--on", "2021-04-05"]), 0, "as of      2021-04-05");
    ended(&data.run(&["audit", "list", "--subject", shown["person"].as_str().unwrap()]), 0, "register.died");
    ended(&data.run(&["check"]), 0, "");
}

#[test]
fn what_is_wrong_is_said_line_by_line_and_the_rest_goes_on() {
    let data = register("events-faults");
    let list = [
        event(1, "died", "", json!({ "legal_on": "31/02/2021" })),
        "{\"event_id\":1}".to_owned(),
        event(2, "declared_missing", "1", json!({})),
        event(2, "declared_missing", "2", json!({})),
        event(3, "found", "3", json!({ "scan": "../outside.pdf" })),
    ];
    let output = piped(&data, &list.join("\n"), &["--json"]);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    let told = lines(&output);
    let codes = |line: usize| -> Vec<&str> {
        let faults = told[line]["faults"].as_array().unwrap();
        faults.iter().map(|fault| fault["code"].as_str().unwrap()).collect()
    };
    assert_eq!(codes(0), ["no_day", "paper_number"]);
    assert_eq!((codes(1), &told[2]["version"]), (vec!["line"], &json!(2)));
    assert_eq!((codes(3), codes(4)), (vec!["other_event"], vec!["line"]));
    ended(&piped(&data, &list[0], &[]), 1, "refused    line 1: legal_on: it is no day");
    ended(&data.run(&["register", "event", "/nowhere.jsonl"]), 3, "/nowhere.jsonl");
    let none = piped(&data, &event(4, "found", "4", json!({})), &["--operator", "nobody-here"]);
    ended(&none, 3, "nobody-here");
}
