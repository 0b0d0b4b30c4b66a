//! Every command in a directory without an installation: those that may make one do, and say so; all others
//! end with a sentence and leave the directory as it was.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::Data;

/// What a command does where there is no installation.
#[derive(Clone, Copy)]
enum Here {
    /// It ends with the sentence.
    Ends,
    /// It makes an installation, and says so.
    Makes,
    /// It needs none.
    NeedsNone,
}

use Here::{Ends, Makes, NeedsNone};

const ID: &str = "01780000-0000-7000-8000-000000000001";

/// A command line of every command, by the name of its manual page.
const COMMANDS: &[(&str, Here, &[&str])] = &[
    ("account-add", Makes, &["kim", "--role", "clerk", "--whole-country", "--password-file", "password"]),
    ("account-disable", Ends, &["kim"]),
    ("account-list", Ends, &[]),
    ("account-password", Ends, &["kim", "--password-file", "password"]),
    ("audit-anomalies", Ends, &[]),
    ("audit-heads", Ends, &[]),
    ("audit-key", NeedsNone, &[]),
    ("audit-list", Ends, &[]),
    ("audit-verify", Ends, &[]),
    ("batch-list", Ends, &[]),
    ("batch-results", Ends, &["--all-printed", "--batch", "1"]),
    ("batch-show", Ends, &["1"]),
    ("bench-card", NeedsNone, &["--help"]),
    ("bench-desks", NeedsNone, &["--help"]),
    ("bench-fingerprint", NeedsNone, &["--help"]),
    ("bench-ingest", NeedsNone, &["--help"]),
    ("bench-linkage", NeedsNone, &["--help"]),
    ("bench-pipeline", NeedsNone, &["--help"]),
    ("bench-register", NeedsNone, &["--help"]),
    ("box-count", Ends, &[ID, "password"]),
    ("box-find", Ends, &["0000120034"]),
    ("box-forward", Ends, &["--unit", "445"]),
    ("box-late", Ends, &[ID, "password"]),
    ("box-list", Ends, &[]),
    ("box-pack", Ends, &["--unit", "445"]),
    ("campaign-close-day", Ends, &["2021-03-01", "--unit", "445"]),
    ("campaign-guests", Ends, &["2021-03-01", "--unit", "445"]),
    ("campaign-invite", Ends, &["445"]),
    ("campaign-list", Ends, &[]),
    (
        "campaign-open",
        Ends,
        &["--unit", "445", "--from", "2021-03-01", "--deadline", "2021-06-10", "--before"],
    ),
    ("campaign-show", Ends, &["445"]),
    ("card-artwork", Ends, &["0000120034", "--out", "drawn"]),
    ("card-emulate", Ends, &["0000120034"]),
    ("card-export", Ends, &["0000120034", "--out", "chip"]),
    ("card-hand-over", Ends, &["0000120034", "--absent", "--operator", "kim"]),
    ("card-list", Ends, &[]),
    ("card-personalise", Ends, &["--reader", "none", "--once"]),
    ("card-read", NeedsNone, &["--help"]),
    ("card-reinstate", Ends, &["0000120034", "--reason", "found"]),
    ("card-revoke", Ends, &["0000120034", "--reason", "stolen"]),
    ("card-suspend", Ends, &["0000120034", "--reason", "lost"]),
    ("card-verify", Ends, &["--status", "--qr", "001199012345||Ai|01011999|Nữ|Xã Mẫu|06042021"]),
    ("case-confirm", Ends, &[ID, "--as", "kim", "--seen", "1"]),
    ("case-disagree", Ends, &[ID, "--as", "kim", "--reason", "no"]),
    ("case-list", Ends, &[]),
    ("case-propose", Ends, &[ID, "different_people", "--as", "kim"]),
    ("case-reopen", Ends, &[ID, "--as", "kim", "--reason", "no"]),
    ("case-show", Ends, &[ID]),
    ("case-withdraw", Ends, &[ID, "--as", "kim"]),
    ("check", Ends, &[]),
    ("completions", NeedsNone, &["bash"]),
    ("demo", NeedsNone, &["--help"]),
    ("fingerprint-compare", NeedsNone, &["--help"]),
    ("fingerprint-identify", NeedsNone, &["--help"]),
    ("import", Ends, &["password"]),
    ("keyholder", Ends, &[]),
    ("keys-check", NeedsNone, &[]),
    ("keys-init", Makes, &[]),
    ("keys-list", NeedsNone, &[]),
    ("kit-add", Ends, &["--unit", "445", "--name", "x", "--public-key", "password"]),
    ("kit-centre-keys", Ends, &[]),
    ("kit-confirm", Ends, &["x"]),
    ("kit-keep", Ends, &["x"]),
    ("kit-list", Ends, &[]),
    ("kit-resume", Ends, &["x", "--reason", "found"]),
    ("kit-revoke", Ends, &["x", "--reason", "lost"]),
    ("link-dedupe", NeedsNone, &["--help"]),
    ("link-explain", NeedsNone, &["--help"]),
    ("link-pairs", NeedsNone, &["--help"]),
    ("man", NeedsNone, &["--help"]),
    ("migrate", Makes, &[]),
    ("officer-confirm", Ends, &[ID]),
    ("officer-fingers", Ends, &["--account", "x", "--fingers", "password"]),
    ("officer-issue", Ends, &["--account", "x", "--kit", "x", "--public-key", "password"]),
    ("officer-keep", Ends, &[ID]),
    ("officer-list", Ends, &[]),
    ("officer-revoke", Ends, &[ID, "--reason", "lost"]),
    ("packet-list", Ends, &[]),
    ("packet-release", Ends, &[ID, "--reason", "asked"]),
    ("packet-retry", Ends, &["--all"]),
    ("pki-crl", Ends, &[]),
    ("pki-cvca", Ends, &[]),
    ("pki-dv", Ends, &["HANOI"]),
    ("pki-init", Ends, &[]),
    ("pki-inspection-system", Ends, &["DESK1", "--dv", "HANOI", "--out", "system"]),
    ("pki-issue-ds", Ends, &[]),
    ("pki-list", Ends, &[]),
    ("pki-master-list", Ends, &["--out", "list.ml"]),
    ("pki-roll", Ends, &[]),
    ("profile-check", NeedsNone, &[]),
    ("profile-show", NeedsNone, &["fees", "--on", "2021-07-01"]),
    ("register-case-act", Ends, &[ID, "take", "--as", "kim"]),
    ("register-case-list", Ends, &[]),
    ("register-case-open", Ends, &[ID, "--set", "name=A", "--as", "kim"]),
    ("register-case-show", Ends, &[ID]),
    ("register-dedupe", Ends, &[]),
    ("register-event", Ends, &["password"]),
    ("register-quality", Ends, &[]),
    ("register-show", Ends, &[ID]),
    ("report-funnel", Ends, &[]),
    ("report-ledger", Ends, &[]),
    ("serve", Ends, &["--port", "0"]),
    ("stock-count", Ends, &["1"]),
    ("stock-list", Ends, &[]),
    ("stock-receive", Ends, &["--box", "1", "--from", "47900000000000000001", "--count", "1"]),
    ("stock-spoil", Ends, &["47900000000000000001", "--reason", "lost"]),
    ("unit-apply", Ends, &["--effective", "2025-07-01", "--check"]),
    ("unit-find", NeedsNone, &["thach", "ha"]),
    ("unit-list", NeedsNone, &[]),
    ("unit-settle", Ends, &["18796", "--to", "18823"]),
    ("unit-show", NeedsNone, &["00004", "--on", "2025-07-01"]),
    ("unit-waiting", Ends, &[]),
    ("work", Ends, &["--once"]),
];

/// The names of all commands that have none below them, from the manual pages.
fn every_command(folder: &Path) -> BTreeSet<String> {
    let pages = folder.join("man");
    let made = run(folder, &["man", "--out", pages.to_str().unwrap()]);
    assert!(made.status.success(), "{made:?}");
    let names: BTreeSet<String> = fs::read_dir(&pages)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| Some(name.strip_prefix("dancu-")?.strip_suffix(".1")?.to_owned()))
        .collect();
    let is_above = |name: &String| names.iter().any(|other| other.starts_with(&format!("{name}-")));
    names.iter().filter(|name| !is_above(name) && !name.ends_with("help")).cloned().collect()
}

fn run(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dancu"));
    command.args(args).current_dir(folder).stdin(Stdio::null());
    command.env_remove("DATABASE_URL").env_remove("DANCU_DATA").env_remove("DANCU_PASSPHRASE_FILE");
    command.output().unwrap()
}

/// A page's name as words of a command line: the words of the commands above it are whole pages' names.
fn words(name: &str) -> Vec<&str> {
    if let Some(rest) = name.strip_prefix("register-case-") {
        return vec!["register", "case", rest];
    }
    const ABOVE: [&str; 20] = [
        "account",
        "audit",
        "bench",
        "card",
        "case",
        "fingerprint",
        "keys",
        "link",
        "pki",
        "profile",
        "stock",
        "batch",
        "box",
        "campaign",
        "kit",
        "officer",
        "packet",
        "register",
        "report",
        "unit",
    ];
    match ABOVE.iter().find(|above| name.strip_prefix(**above).is_some_and(|rest| rest.starts_with('-'))) {
        Some(above) => vec![above, &name[above.len() + 1..]],
        None => vec![name],
    }
}

fn found(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_command_says_where_it_looked_and_makes_nothing() {
    let top = Data::new("nothing-there");
    let told: BTreeSet<String> = COMMANDS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(every_command(&top.0), told, "a new command needs a line in COMMANDS");
    for (name, here, args) in COMMANDS {
        let place = Data::at(top.0.join(name));
        fs::write(place.0.join("password"), "correct horse battery\n").unwrap();
        let output = run(&place.0, &[&words(name)[..], args].concat());
        let said = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned();
        let data = place.0.join("data");
        match here {
            Ends => {
                assert_eq!(output.status.code(), Some(3), "{name}: {said}");
                let sentence = format!("there is no installation of dancu in {}", data.display());
                assert!(said.contains(&sentence) && said.contains("--data"), "{name}: {said}");
                assert_eq!(found(&place.0), BTreeSet::from(["password".to_owned()]), "{name}");
            }
            Makes => {
                assert!(output.status.success(), "{name}: {said}");
                assert!(said.contains("made"), "{name}: {said}");
                assert!(data.exists(), "{name}");
            }
            NeedsNone => {
                assert_ne!(output.status.code(), Some(4), "{name}: {said}");
                assert_eq!(found(&place.0), BTreeSet::from(["password".to_owned()]), "{name}");
            }
        }
        let _server = Data(data);
    }
}
