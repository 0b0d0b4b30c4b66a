//! Cases are read and decided by commands, by two accounts, as on the pages.

use std::fs;

use serde_json::Value;
use time::macros::datetime;

use crate::support::{Data, refused, succeeded};
use domain::id::{CaseId, PersonId};
use store::cases::NewCase;
use store::{Database, OpenOptions};

/// An installation with accounts and one case about two records, which are not in its register.
async fn installation(name: &str) -> (Data, String) {
    let data = Data::new(name);
    succeeded(&data.run(&["migrate"]));
    let password = data.0.join("password");
    fs::write(&password, "correct horse battery\n").unwrap();
    let password = password.to_str().unwrap();
    let people = [
        ("thamdinh1", "adjudicator", "42"),
        ("thamdinh2", "adjudicator", "42"),
        ("canbo", "officer", "42"),
        ("ngoai", "adjudicator", "52"),
    ];
    for (login, role, unit) in people {
        succeeded(&data.run(&[
            "account",
            "add",
            login,
            "--role",
            role,
            "--unit",
            unit,
            "--password-file",
            password,
        ]));
    }
    let at = datetime!(2021-04-06 01:00 UTC);
    let people = [b"a", b"b"].map(|name| Some(PersonId::derive(at, &[name])));
    let case = NewCase {
        case_id: CaseId::derive(at, &[b"case"]),
        kind: "register_duplicate",
        application_id: None,
        other_application_id: None,
        person_id: people[0],
        other_person_id: people[1],
        evidence: serde_json::json!({}),
        unit_path: "42/445/".to_owned(),
        due_at: at,
    };
    let options = OpenOptions { data_dir: data.0.clone(), database_url: None };
    let db = Database::open(&options).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    store::cases::open_cases(&mut tx, std::slice::from_ref(&case), at).await.unwrap();
    store::commit(tx).await.unwrap();
    (data, case.case_id.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_goes_its_way_by_commands() {
    let (data, case) = installation("cases").await;
    let run = |args: &[&str]| data.run(&[&["case"], args].concat());
    let json = |args: &[&str]| -> Value {
        serde_json::from_str(&succeeded(&run(&[args, &["--json"]].concat()))).unwrap()
    };
    let listed = json(&["list"]);
    assert_eq!((listed[0]["case"].as_str(), listed.as_array().unwrap().len()), (Some(&*case), 1));
    assert_eq!(json(&["list", "--as", "ngoai"]), serde_json::json!([]), "another province's");

    let audited =
        || -> Value { serde_json::from_str(&succeeded(&data.run(&["audit", "verify", "--json"]))).unwrap() };
    let before = audited()["rows"].as_u64().unwrap();
    json(&["show", &case]);
    assert_eq!(audited()["rows"].as_u64().unwrap(), before + 1, "who reads a case is in the audit trail");

    // Nobody lives whose records they are: the two cannot be merged, and that is not offered.
    let shown = json(&["show", &case, "--as", "thamdinh1"]);
    assert_eq!((shown["stage"].as_str(), shown["acts"][0].as_str()), (Some("open"), Some("propose")));
    assert_eq!(shown["choices"][0]["obstacle"], "no_living_record");
    assert_eq!(shown["choices"][1]["obstacle"], Value::Null);
    let merge = refused(&run(&["propose", &case, "same_person", "--as", "thamdinh1"]));
    assert!(merge.contains("no living person has this record"), "{merge}");
    assert!(
        refused(&run(&["propose", &case, "different_people", "--as", "canbo"]))
            .contains("is no adjudicator's")
    );
    assert!(
        refused(&run(&["propose", &case, "different_people", "--as", "ngoai"])).contains("does not see it")
    );

    let id = "7f9c24e8-3b12-4fef-91e0-5c8a3d1b0001";
    let propose = ["propose", &case, "different_people", "--as", "thamdinh1", "--command", id];
    for repeated in [false, true] {
        let done = json(&propose);
        assert_eq!((done["stage"].as_str(), done["version"].as_i64()), (Some("proposed"), Some(1)));
        assert_eq!(done["repeated"], repeated);
    }
    assert!(
        refused(&run(&["confirm", &case, "--as", "thamdinh1", "--seen", "1"])).contains("cannot confirm")
    );
    assert!(refused(&run(&["confirm", &case, "--as", "thamdinh2"])).contains("give --seen"));
    assert!(refused(&run(&["confirm", &case, "--as", "thamdinh2", "--seen", "0"])).contains("has changed"));
    assert!(refused(&run(&["disagree", &case, "--as", "thamdinh2"])).contains("takes a reason"));
    succeeded(&run(&["withdraw", &case, "--as", "thamdinh1"]));
    json(&["propose", &case, "different_people", "--as", "thamdinh2"]);
    assert_eq!(json(&["confirm", &case, "--as", "thamdinh1", "--seen", "3"])["stage"], "closed");
    let reopened = json(&["reopen", &case, "--as", "thamdinh2", "--reason", "a new paper"]);
    assert_eq!((reopened["stage"].as_str(), reopened["version"].as_i64()), (Some("open"), Some(5)));
    let said = succeeded(&run(&["show", &case]));
    assert!(
        said.contains("reopen     different_people by account:") && said.contains(": a new paper"),
        "{said}"
    );
}
