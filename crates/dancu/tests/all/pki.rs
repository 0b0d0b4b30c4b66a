//! `dancu pki` as an operator runs it: make the CSCA, a document signer, lists; change the key; and OpenSSL's
//! word on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A data directory of the test, with its database stopped and its files removed at the end.
struct Data(PathBuf);

impl Data {
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dancu"));
        command.args(arguments).arg("--data").arg(&self.0).env_remove("DATABASE_URL").stdin(Stdio::null());
        command.output().unwrap()
    }

    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    fn fails(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        if let Ok(pid) = fs::read_to_string(self.0.join("postgres/postmaster.pid")) {
            let pid = pid.lines().next().unwrap_or_default().to_owned();
            let _ = Command::new("kill").args(["-INT", &pid]).status();
            std::thread::sleep(std::time::Duration::from_millis(500));
        }
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn openssl(arguments: &[&str]) -> (bool, String) {
    let output = Command::new("openssl").args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn pem(kind: &str, der: &str) -> String {
    let out = format!("{der}.pem");
    let (converted, said) = openssl(&[kind, "-inform", "DER", "-in", der, "-out", &out]);
    assert!(converted, "{said}");
    out
}

#[test]
fn a_country_is_set_up_revokes_and_changes_its_key() {
    let folder = std::env::temp_dir().join(format!("dancu-test-pki-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let data = Data(folder);
    let (csca, ds) = (data.path("csca.der"), data.path("ds.der"));
    data.succeeds(&["migrate"]);
    let early = data.fails(&["pki", "init"]);
    assert!(early.contains("passphrase is missing") && early.contains("dancu keys init"), "{early}");
    data.succeeds(&["keys", "init"]);
    let said = data.succeeds(&["pki", "init", "--suite", "brainpool-p256r1", "--out", &csca]);
    assert!(said.contains("document signer 1 ") && said.contains("revocation list 01 "), "{said}");
    assert!(data.fails(&["pki", "init"]).contains("pki roll"), "a second CSCA");
    data.succeeds(&["pki", "issue-ds", "--out", &ds]);

    assert!(data.succeeds(&["account", "list"]).starts_with("none"), "no accounts are told as none");

    let lists = data.path("lists");
    data.succeeds(&["pki", "crl", "--out", &lists]);
    let list = fs::read_dir(Path::new(&lists)).unwrap().next().unwrap().unwrap().path();
    let (csca_pem, ds_pem) = (pem("x509", &csca), pem("x509", &ds));
    let verify = || {
        let list = pem("crl", list.to_str().unwrap());
        openssl(&["verify", "-crl_check", "-CRLfile", &list, "-CAfile", &csca_pem, &ds_pem])
    };
    let (accepted, said) = verify();
    assert!(accepted, "{said}");
    let listed = data.succeeds(&["pki", "list"]);
    let serial =
        listed.lines().rfind(|line| line.contains("document_signer")).unwrap().split(' ').next().unwrap();
    data.succeeds(&["pki", "crl", "--revoke", serial, "--reason", "1", "--out", &lists]);
    let (accepted, said) = verify();
    assert!(!accepted && said.contains("revoked"), "{said}");
    assert!(data.fails(&["pki", "crl", "--revoke", serial]).contains("revoked before"));
    assert!(data.fails(&["pki", "crl", "--days", "91"]).contains("90 days"));

    let rolled = data.path("rolled");
    data.succeeds(&["pki", "roll", "--out", &rolled]);
    let link = pem("x509", &format!("{rolled}/link.der"));
    let (linked, said) = openssl(&["verify", "-partial_chain", "-trusted", &csca_pem, &link]);
    assert!(linked, "{said}");
    data.succeeds(&["pki", "issue-ds", "--out", &ds]);
    let ds_pem = pem("x509", &ds);
    let new_pem = pem("x509", &format!("{rolled}/csca.der"));
    let (under_new, said) = openssl(&["verify", "-CAfile", &new_pem, &ds_pem]);
    assert!(under_new, "{said}");
    let (under_old, _) = openssl(&["verify", "-CAfile", &csca_pem, &ds_pem]);
    assert!(!under_old, "the new document signer is not under the old key");

    let master = data.path("vnm.ml");
    data.succeeds(&["pki", "master-list", "--out", &master]);
    let trust = format!("{rolled}/csca.der");
    let read = data.succeeds(&["pki", "master-list", "--read", &master, "--trust", &trust, "--json"]);
    let read: serde_json::Value = serde_json::from_str(&read).unwrap();
    let mut roles: Vec<&str> =
        read["certificates"].as_array().unwrap().iter().map(|row| row["role"].as_str().unwrap()).collect();
    roles.sort_unstable();
    assert_eq!(roles, ["csca", "csca", "csca_link"]);
    assert!(data.fails(&["pki", "master-list", "--read", &master, "--trust", &ds]).contains("trusted CSCA"));
}

#[test]
fn signers_are_made_ahead_and_cards_are_signed_without_the_root_key() {
    let folder = std::env::temp_dir().join(format!("dancu-test-signers-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let data = Data(folder);
    data.succeeds(&["migrate"]);
    data.succeeds(&["keys", "init"]);
    let early = data.fails(&["work", "--once", "--district", "445"]);
    assert!(early.contains("no document signer may sign on ") && early.contains("pki issue-ds"), "{early}");
    let early = data.fails(&["pki", "issue-ds"]);
    assert!(early.contains("csca.key is missing") && early.contains("dancu pki init"), "{early}");

    data.succeeds(&["pki", "init"]);
    let listed = || {
        let json = data.succeeds(&["pki", "list", "--json"]);
        let list: serde_json::Value = serde_json::from_str(&json).unwrap();
        let all = list["certificates"].as_array().unwrap().clone();
        let signers = all.into_iter().filter(|certificate| certificate["role"] == "document_signer");
        let days = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap().to_owned();
        signers.map(|row| (days(&row, "signs_from"), days(&row, "signs_to"))).collect::<Vec<_>>()
    };
    assert_eq!(listed().len(), 1);
    let said = data.succeeds(&["pki", "issue-ds", "--ahead", "2", "--out", &data.path("ds.der")]);
    assert!(said.contains("2 made; signed for until "), "{said}");
    assert!(Path::new(&data.path("ds-2.der")).exists() && Path::new(&data.path("ds-3.der")).exists());
    let signers = listed();
    assert_eq!(signers.len(), 3);
    for pair in signers.windows(2) {
        assert_eq!(pair[0].1, pair[1].0, "a term ends a second before the next begins, on the same day");
    }
    let last = &signers[2].1;
    assert!(data.succeeds(&["pki", "issue-ds", "--until", &signers[1].1]).contains("0 made"), "{last}");
    let far = data.fails(&["pki", "issue-ds", "--until", "9998-01-01"]);
    assert!(far.contains("pki roll") || far.contains("run it again"), "{far}");

    let (csca, away) = (data.path("keys/csca.key"), data.path("csca-in-the-safe"));
    fs::rename(&csca, &away).unwrap();
    data.succeeds(&["work", "--once", "--district", "445"]);
    for command in [&["pki", "issue-ds"][..], &["pki", "crl"], &["pki", "roll"]] {
        assert!(data.fails(command).contains("csca.key is missing"), "{command:?}");
    }
    assert!(!Path::new(&csca).exists(), "a lost root key is not made anew");
    fs::rename(&away, &csca).unwrap();
    data.succeeds(&["pki", "crl"]);
}
