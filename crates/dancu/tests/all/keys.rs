//! Keys are made by a command and by nothing else, once, whole or not at all; one that is lost is named and
//! never replaced.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use crate::support::{Data, ended, succeeded};

const FILES: [&str; 6] =
    ["audit.key", "chip-secret.key", "intake.key", "key-encryption.key", "passphrase", "receipt.key"];

/// The files of the key folder and what is in them.
fn keys(data: &Data) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(data.0.join("keys")).into_iter().flatten();
    let read = |entry: fs::DirEntry| {
        (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap_or_default())
    };
    entries.map(|entry| read(entry.unwrap())).collect()
}

fn names(data: &Data) -> Vec<String> {
    keys(data).into_keys().collect()
}

#[test]
fn keys_are_made_once_and_without_a_database() {
    let data = Data::new("keys-once");
    let said = succeeded(&data.run(&["keys", "list"]));
    assert_eq!(said.matches("not made").count(), 6, "{said}");
    succeeded(&data.run(&["keys", "init"]));
    assert_eq!(names(&data), FILES);
    for name in FILES {
        let mode = fs::metadata(data.0.join("keys").join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert!(!data.0.join("postgres").exists() && !data.0.join("dancu.json").exists());
    let made = keys(&data);
    ended(&data.run(&["keys", "init"]), 3, "a key is never replaced");
    assert_eq!(keys(&data), made);
    assert_eq!(succeeded(&data.run(&["keys", "check"])).matches("opens").count(), 5);
    let listed: serde_json::Value =
        serde_json::from_str(&succeeded(&data.run(&["keys", "list", "--json"]))).unwrap();
    assert_eq!(listed["keys"].as_array().unwrap().len(), 6);
    assert!(listed["keys"].as_array().unwrap().iter().all(|key| key["state"] == "there"), "{listed}");
}

#[test]
fn a_lost_key_is_named_and_not_replaced() {
    let data = Data::new("keys-lost");
    succeeded(&data.run(&["migrate"]));
    for command in [&["work", "--once"][..], &["serve", "--port", "0"]] {
        ended(&data.run(command), 3, "intake.key is missing");
        ended(&data.run(command), 3, "dancu keys init");
    }
    assert_eq!(names(&data), [""; 0], "no command but the one made a key");
    succeeded(&data.run(&["keys", "init"]));
    succeeded(&data.run(&["work", "--once"]));
    let made = keys(&data);
    // The audit's key is another matter: nothing is sealed to it.
    for name in FILES.into_iter().filter(|name| *name != "audit.key") {
        let (path, away) = (data.0.join("keys").join(name), data.0.join("away"));
        fs::rename(&path, &away).unwrap();
        let lost = path.to_str().unwrap();
        let work = data.run(&["work", "--once"]);
        ended(&work, 3, &format!("{lost} is missing: take it from a backup"));
        ended(&data.run(&["keys", "init"]), 3, lost);
        ended(&data.run(&["keys", "init"]), 3, "opens nothing that was sealed to the lost one");
        ended(&data.run(&["keys", "check"]), 1, lost);
        ended(&data.run(&["keys", "list"]), 0, "missing");
        assert!(!path.exists(), "{name}");
        // What needs no key does not ask for one.
        succeeded(&data.run(&["card", "list"]));
        succeeded(&data.run(&["account", "list"]));
        fs::rename(&away, &path).unwrap();
    }
    assert_eq!(keys(&data), made);
    succeeded(&data.run(&["work", "--once"]));
}

#[test]
fn a_lost_key_of_the_audit_is_made_anew_by_its_command() {
    let data = Data::new("keys-audit");
    succeeded(&data.run(&["migrate"]));
    succeeded(&data.run(&["keys", "init"]));
    let mut before = keys(&data);
    fs::remove_file(data.0.join("keys/audit.key")).unwrap();
    before.remove("audit.key");
    for command in [&["work", "--once"][..], &["audit", "heads", "--out", "/dev/null"], &["audit", "key"]] {
        ended(&data.run(command), 3, "audit.key is missing");
        ended(&data.run(command), 3, "`dancu keys init` makes it");
    }
    ended(&data.run(&["keys", "check"]), 1, "audit.key is missing");
    assert_eq!(keys(&data), before, "no other command makes it");
    ended(&data.run(&["keys", "init"]), 0, "audit.key");
    let mut after = keys(&data);
    after.remove("audit.key").unwrap();
    assert_eq!(after, before);
    succeeded(&data.run(&["work", "--once"]));
}

#[test]
fn a_key_of_another_set_does_not_open() {
    let (data, other) = (Data::new("keys-mixed"), Data::new("keys-mixed-other"));
    succeeded(&data.run(&["keys", "init"]));
    succeeded(&other.run(&["keys", "init"]));
    fs::copy(other.0.join("keys/receipt.key"), data.0.join("keys/receipt.key")).unwrap();
    ended(&data.run(&["keys", "check"]), 1, "receipt.key does not open");
}

#[test]
fn a_set_that_was_begun_is_completed_and_used_by_nobody_before() {
    let data = Data::new("keys-begun");
    succeeded(&data.run(&["migrate"]));
    let mut killed = 0;
    for after_ms in (0..400).step_by(40) {
        let init = data.command(&["keys", "init"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut init = init.unwrap();
        std::thread::sleep(Duration::from_millis(after_ms));
        init.kill().unwrap();
        if !init.wait().unwrap().success() {
            killed += 1;
        }
        let is_whole = FILES.iter().all(|name| data.0.join("keys").join(name).exists());
        if data.0.join("keys/unfinished").exists() {
            ended(&data.run(&["work", "--once"]), 3, "run `dancu keys init` again");
            ended(&data.run(&["keys", "check"]), 3, "run `dancu keys init` again");
        } else {
            // Killed before it began, or after it had ended: all or nothing.
            assert!(is_whole || names(&data).is_empty(), "{:?}", names(&data));
        }
        let before = keys(&data);
        let done = data.run(&["keys", "init"]);
        assert_eq!(done.status.success(), !is_whole || before.contains_key("unfinished"), "{done:?}");
        assert_eq!(names(&data), FILES);
        let after = keys(&data);
        let kept = before.iter().filter(|(name, _)| FILES.contains(&name.as_str()));
        kept.for_each(|(name, bytes)| assert_eq!(&after[name], bytes, "{name} stays as it was"));
        succeeded(&data.run(&["keys", "check"]));
        fs::remove_dir_all(data.0.join("keys")).unwrap();
    }
    assert!(killed > 0, "the command was killed in its midst at least once");
}
