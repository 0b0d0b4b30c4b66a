//! `dancu unit`: codes by day, and a list of units that takes the place of another.

use std::fs;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Data, ended, succeeded};

const DAY: &str = "2025-07-01";

#[test]
fn a_code_is_named_by_the_unit_of_the_day_and_a_day_outside_is_said_to_be() {
    let data = Data::new("units-day");
    let before = succeeded(&data.run(&["unit", "show", "00004", "--on", "2025-06-30", "--json"]));
    let before: Value = serde_json::from_str(&before).unwrap();
    let [old, new] = &before["units"].as_array().unwrap()[..] else { panic!("{before}") };
    assert_eq!((&old["name"], &old["asked"]), (&json!("Phường Trúc Bạch"), &json!(true)));
    assert_eq!((&new["name"], &new["asked"]), (&json!("Phường Ba Đình"), &json!(false)));
    ended(&data.run(&["unit", "show", "00004", "--on", "2020-12-31"]), 3, "outside the lists");
    ended(&data.run(&["unit", "show", "445", "--on", DAY]), 3, "Huyện Thạch Hà, from 2021-01-01");
    ended(&data.run(&["unit", "show", "99999", "--on", DAY]), 3, "no unit of the lists bears the code");
    let provinces = |on: &str| {
        let listed = succeeded(&data.run(&["units", "list", "--on", on, "--json"]));
        serde_json::from_str::<Value>(&listed).unwrap()["units"].as_array().unwrap().len()
    };
    assert_eq!((provinces("2025-06-30"), provinces(DAY)), (63, 34));
    ended(&data.run(&["unit", "list", "--on", "2030-01-01"]), 3, "outside the lists");
}

/// Forms of so many people of one commune, of one whose commune nobody knows, and of one where it is divided.
fn imported(data: &Data, people: usize) {
    let header = "form_no,full_name,sex,birth_date,ethnicity,religion,nationality,birth_registration_unit,\
                  native_unit,permanent_unit,household_no,relation_to_head";
    let rows = (0..people).map(|number| (number, "18589")).chain([(people, "445"), (people + 1, "18082")]);
    let rows: Vec<String> = rows
        .map(|(number, unit)| {
            format!("DV-{number},NGUYỄN VĂN LẠ,1,01/02/1980,01,00,VNM,18589,18589,{unit},H{number},01")
        })
        .collect();
    let forms = data.0.join("forms.csv");
    fs::write(&forms, format!("{header}\n{}\n", rows.join("\n"))).unwrap();
    succeeded(&data.run(&["migrate"]));
    let import = ["import", forms.to_str().unwrap(), "--collected-on", "2021-03-01", "--json"];
    let json: Value = serde_json::from_str(&succeeded(&data.run(&import))).unwrap();
    assert_eq!(json["files"][0]["accepted"], json!(people + 2), "{json}");
}

fn answered(data: &Data, args: &[&str], code: i32) -> Value {
    let output = data.run(args);
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_change_that_is_killed_goes_on_and_then_the_installation_works_by_the_new_list() {
    let data = Data::new("units-apply");
    imported(&data, 60);
    let check = answered(&data, &["unit", "apply", "--effective", DAY, "--check", "--json"], 2);
    assert_eq!(
        (&check["people"], &check["ask"], &check["units_divided"]),
        (&json!(62), &json!(2), &json!(2))
    );
    // Killed somewhere; where does not matter.
    let slow = ["unit", "apply", "--effective", DAY, "--batch", "1", "--json"];
    let mut killed = data.command(&slow).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    sleep(Duration::from_millis(700));
    let _ = killed.kill();
    killed.wait().unwrap();
    let done = answered(&data, &["unit", "apply", "--effective", DAY, "--json"], 2);
    assert_eq!((&done["finished"], &done["units_left"]), (&json!(true), &json!(0)), "{done}");
    succeeded(&data.run(&["check"]));
    succeeded(&data.run(&["audit", "verify"]));
    // Everybody went once, or waits: the commune's people have its successor's path, and no other.
    let waiting = answered(&data, &["unit", "waiting", "--units", "--json"], 0);
    let of = |code: &str| {
        let units = waiting["units"].as_array().unwrap();
        units.iter().find(|unit| unit["code"] == code).map(|unit| unit["ask"].clone())
    };
    assert_eq!((of("445"), of("18082"), of("18589")), (Some(json!(1)), Some(json!(1)), None), "{waiting}");
    // Codes and names are those of the new list now.
    let communes = answered(&data, &["unit", "list", "Hà Tĩnh", "--json"], 0);
    assert!(communes["units"].as_array().unwrap().iter().all(|unit| unit["level"] == "commune"));
    fs::write(data.0.join("password"), "a long enough password\n").unwrap();
    let password = data.0.join("password");
    let password = password.to_str().unwrap();
    let add = ["account", "add", "kim", "--role", "officer", "--password-file", password, "--unit"];
    ended(&data.run(&[&add[..], &["445"]].concat()), 4, "445");
    let added = succeeded(&data.run(&[&add[..], &["18562"]].concat()));
    assert!(added.contains("xã Thạch Hà") || added.contains("Xã Thạch Hà"), "{added}");
    // An answer is taken once.
    let asked = answered(&data, &["unit", "waiting", "--json"], 0);
    let person = asked["waiting"][0]["person"].as_str().unwrap().to_owned();
    let to = asked["waiting"][0]["parts"].as_str().unwrap().split(' ').next().unwrap().to_owned();
    ended(&data.run(&["unit", "settle", &person, "--to", "00004"]), 3, "choose one of");
    succeeded(&data.run(&["unit", "settle", &person, "--to", &to]));
    ended(&data.run(&["unit", "settle", &person, "--to", &to]), 3, "nobody waits to be asked");
    ended(&data.run(&["unit", "settle", "445", "--to", "00004"]), 3, "choose one of");
    succeeded(&data.run(&["unit", "settle", "445", "--to", "42"]));
    succeeded(&data.run(&["check"]));
}

#[test]
fn a_map_with_faults_is_refused_with_all_of_them() {
    let data = Data::new("units-map");
    succeeded(&data.run(&["migrate"]));
    let map = data.0.join("map.csv");
    fs::write(&map, "from,to,how,hamlets,basis\n18589,18562,half,,\n1,18562,whole,,\n").unwrap();
    let refused = data.run(&["unit", "apply", map.to_str().unwrap(), "--effective", DAY]);
    ended(&refused, 3, "line 2: the third field is `whole` or `divided`");
    ended(&refused, 3, "line 3: a code has 2, 3 or 5 digits");
    ended(&data.run(&["unit", "apply", "--effective", "2025-07-02"]), 3, "no list of units begins");
    // Nobody is here: the new list is taken over at once.
    let done = answered(&data, &["unit", "apply", "--effective", DAY, "--json"], 0);
    assert_eq!((&done["moved"], &done["finished"]), (&json!(0), &json!(true)));
}
