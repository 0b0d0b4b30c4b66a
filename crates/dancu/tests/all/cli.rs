//! The command line as people expect it: how commands end, what happens to a closed pipe, numbers as people
//! write them, and what a shell and a reader of manuals are given.

use std::fs;
use std::process::{Output, Stdio};

use crate::support::{Data, ended, succeeded};

/// A QR code's text as it is printed; nobody's.
const QR: &str = "001199012345||Ai Khác|01011999|Nữ|Xã Mẫu|06042021";

#[test]
fn only_a_judgement_ends_with_one_or_two() {
    let data = Data::new("cli-codes");
    let empty = data.0.join("empty");
    fs::create_dir(&empty).unwrap();
    let empty = empty.to_str().unwrap();
    ended(&data.run(&["card", "verify", "--qr", QR]), 2, "paper-only");
    // No answer: what should be judged is not there, or is something else.
    ended(&data.run(&["card", "verify", "/nowhere"]), 3, "looked for in /nowhere");
    ended(&data.run(&["card", "verify", empty]), 3, "none of a card's files");
    ended(&data.run(&["card", "verify", "--qr", "@/nowhere"]), 3, "/nowhere");
    ended(&data.run(&["import", "--check", "/nowhere.csv"]), 3, "/nowhere.csv");
    ended(&data.run(&["pki", "master-list", "--read", "/nowhere", "--trust", "/nowhere"]), 3, "/nowhere");
    let elsewhere = "postgres://nobody@127.0.0.1:1/nothing";
    ended(&data.run(&["audit", "verify", "--database-url", elsewhere]), 3, "dancu: ");
    // A command line that is not understood.
    ended(&data.run(&["card", "verify"]), 4, "required");
    ended(&data.run(&["card", "verify", "--at", "31.12.2021", empty]), 4, "yyyy-mm-dd");
    ended(&data.run(&["audit", "verify", "--fast"]), 4, "--fast");
    ended(&data.run(&["card", "read", "--wait", "soon"]), 4, "soon");
    ended(&data.run(&["no-such-command"]), 4, "no-such-command");
    let help = succeeded(&data.run(&["--help"]));
    assert!(help.contains("Exit codes:") && help.contains("  3  no answer"), "{help}");
}

/// Runs a command whose output nobody reads.
fn unread(data: &Data, args: &[&str]) -> Output {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    data.command(args).stdout(writer).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap()
}

#[test]
fn a_command_whose_output_nobody_reads_ends_quietly() {
    let data = Data::new("cli-pipe");
    succeeded(&data.run(&["migrate"]));
    for args in [
        &["completions", "bash"][..],
        &["card", "verify", "--qr", QR],
        &["card", "verify", "--qr", QR, "--json"],
        &["card", "list"],
        &["stock", "list", "--json"],
        &["account", "list"],
        &["audit", "verify"],
        &["audit", "heads"],
        &["migrate"],
    ] {
        let output = unread(&data, args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(141), "{args:?}: {said}");
        assert_eq!(said, "", "{args:?}");
    }
    let help = unread(&data, &["--help"]);
    assert_eq!(String::from_utf8_lossy(&help.stderr), "");
}

#[test]
fn cards_and_numbers_are_taken_as_people_write_them() {
    let data = Data::new("cli-numbers");
    succeeded(&data.run(&["migrate"]));
    let out = data.0.join("chip");
    let export = |card: &str| data.run(&["card", "export", card, "--out", out.to_str().unwrap()]);
    ended(&export("CARD"), 4, "stands for a card: write its number or its id there; `dancu card list`");
    ended(&export("12345"), 4, "10 digits");
    ended(&export("0000 010.001"), 3, "there is no card 0000010001; `dancu card list`");
    ended(&export("042 095 000 123"), 3, "there is no card with this on it");
    let artwork = data.run(&["card", "artwork", "CARD", "--out", out.to_str().unwrap()]);
    ended(&artwork, 3, "stands for a card");

    ended(&data.run(&["demo", "--people", "20k"]), 4, "such as 20000, 20.000 or 20,000");
    ended(&data.run(&["demo", "--people", "999"]), 4, "1000 to 3000000 people");
    ended(&data.run(&["card", "list", "--limit", "many"]), 4, "is not a whole number");
    let counted = |text: &str| {
        let output = data.run(&["stock", "count", text, "--json"]);
        assert_eq!(output.status.code(), Some(1), "there are no blanks: {output:?}");
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (json["counted"].as_i64().unwrap(), json["difference"].as_i64().unwrap())
    };
    assert_eq!(counted("10.005"), (10_005, 10_005));
    assert_eq!(counted("10,005"), (10_005, 10_005));
}

#[test]
fn lists_are_one_document_and_have_headers() {
    let data = Data::new("cli-lists");
    succeeded(&data.run(&["migrate"]));
    let json = |args: &[&str]| -> serde_json::Value {
        serde_json::from_str(&succeeded(&data.run(&[args, &["--json"]].concat()))).unwrap()
    };
    assert_eq!(json(&["card", "list"])["cards"], serde_json::json!([]));
    assert_eq!(json(&["account", "list"])["accounts"], serde_json::json!([]));
    assert_eq!(json(&["pki", "list"])["certificates"], serde_json::json!([]));
    assert!(json(&["audit", "heads"])["chains"].is_array());
    let verified = json(&["audit", "verify"]);
    assert_eq!((&verified["outcome"], &verified["rows"]), (&"intact".into(), &0.into()), "{verified}");
    assert_eq!(json(&["stock", "list", "--state", "used"])["blanks"], serde_json::json!([]));
    let from = ["stock", "receive", "--box", "7", "--from", "47900000000000000001", "--count", "1.000"];
    succeeded(&data.run(&from));
    let stock = json(&["stock", "list"]);
    assert_eq!(stock["boxes"][0]["box"], 7);
    assert_eq!((&stock["boxes"][0]["in_stock"], &stock["total"]["in_stock"]), (&1_000.into(), &1_000.into()));
    let lines = succeeded(&data.run(&["stock", "list"]));
    let header = "box  received  in stock  writing  used  spoiled  key";
    assert_eq!(lines.lines().next(), Some(header));
    let bare = succeeded(&data.run(&["stock", "list", "--no-header"]));
    assert_eq!(bare.lines().count(), lines.lines().count() - 1);
    assert!(bare.trim_start().starts_with("7 "), "{bare}");
    assert_eq!(succeeded(&data.run(&["card", "list"])), "id  number  state  issued on\n");
}

#[test]
fn shells_complete_and_man_has_a_page_for_each_command() {
    let data = Data::new("cli-manual");
    for shell in ["bash", "zsh", "fish"] {
        let script = succeeded(&data.run(&["completions", shell]));
        assert!(script.contains("personalise"), "{shell}");
    }
    let out = data.0.join("man");
    succeeded(&data.run(&["man", "--out", out.to_str().unwrap()]));
    let page = fs::read_to_string(out.join("dancu-card-verify.1")).unwrap();
    assert!(page.contains("--status") || page.contains("\\-\\-status"), "{page}");
    let all = fs::read_to_string(out.join("dancu.1")).unwrap();
    assert!(all.contains("Exit codes"), "{all}");
}

#[test]
fn a_demonstration_is_not_begun_among_other_people() {
    let data = Data::new("cli-others");
    let forms = data.0.join("forms.csv");
    let header = "form_no,full_name,sex,birth_date,ethnicity,religion,nationality,birth_registration_unit,\
                  native_unit,permanent_unit,household_no,relation_to_head";
    let row = "LA-1,NGUYỄN VĂN LẠ,1,01/02/1980,01,00,VNM,445,445,18562,LA,01";
    fs::write(&forms, format!("{header}\n{row}\n")).unwrap();
    succeeded(&data.run(&["migrate"]));
    let import = ["import", forms.to_str().unwrap(), "--collected-on", "2021-03-01", "--json"];
    let json: serde_json::Value = serde_json::from_str(&succeeded(&data.run(&import))).unwrap();
    assert_eq!((&json["files"][0]["accepted"], &json["files"][0]["rejected"]), (&1.into(), &0.into()));
    let refused = data.run(&["demo", "--people", "1000", "--exit"]);
    ended(&refused, 3, "holds people whom no demonstration made: name another directory with --data");
}

#[test]
fn a_campaign_cannot_stop_before_it_begins() {
    let data = Data::new("cli-until");
    let until = |when: &str| data.run(&["demo", "--people", "1000", "--exit", "--until", when]);
    ended(&until("2021-02-01"), 3, "the campaign begins on 2021-03-01; `--until 2021-02-01` is before it");
    ended(&until("soon"), 4, "`middle`, `end` or a day");
    ended(&data.run(&["demo", "--leave-cards", "--until", "end"]), 3, "name it with --until yyyy-mm-dd");
}
