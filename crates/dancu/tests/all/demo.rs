//! The main job as its user runs it: the whole campaign, killed in the middle, and the card at its end.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{CALM_PEOPLE, CALM_SEED, Data, calm, demo, outcome, succeeded};

#[test]
fn a_campaign_killed_three_times_ends_like_one_that_was_left_alone() {
    killed_it_ends_like_one_that_was_left_alone(3, (CALM_PEOPLE, CALM_SEED), calm());
}

fn killed_it_ends_like_one_that_was_left_alone(
    times: u32,
    (people, seed): (u32, u64),
    (expected, took): &(Value, Duration),
) {
    assert_eq!(expected["ledger"]["holds"], true);

    let rough = Data::new(&format!("rough-{people}"));
    // Moments follow from a fixed sequence, as parts of what an undisturbed run takes here: some strike in
    // the import, some in the days, and since each run goes on where the last one fell, together they reach
    // the whole of it.
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    for _ in 0..times {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let moment = took.mul_f64(0.03 + (state % 1_000) as f64 / 1_000.0 * 0.25);
        let child = demo(&rough, people, seed).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        kill_after(child, moment);
    }
    succeeded(&demo(&rough, people, seed).output().unwrap());
    assert_eq!(&outcome(&rough.summary()), expected);
}

/// SIGKILL, which leaves no time to tidy up. A run that ended before must have ended well.
fn kill_after(mut child: Child, moment: Duration) {
    std::thread::sleep(moment);
    match child.try_wait().unwrap() {
        None => child.kill().unwrap(),
        Some(status) => assert!(
            status.success(),
            "{}",
            String::from_utf8_lossy(&child.wait_with_output().unwrap().stderr)
        ),
    }
}

/// Too long for every run; `./test long` has its time.
mod long {
    use super::*;

    #[test]
    #[ignore = "long; `./test long` runs it"]
    fn a_campaign_killed_ten_times_ends_like_one_that_was_left_alone() {
        let calm = Data::new("calm-long");
        let begun = Instant::now();
        succeeded(&demo(&calm, 5_000, 17).output().unwrap());
        let left_alone = (outcome(&calm.summary()), begun.elapsed());
        killed_it_ends_like_one_that_was_left_alone(10, (5_000, 17), &left_alone);
    }

    #[test]
    #[ignore = "long; `./test long` runs it"]
    fn of_twenty_thousand_people_the_duplicates_are_caught_and_nobody_is_taken_for_another() {
        let data = Data::new("many");
        succeeded(&demo(&data, 20_000, 5).output().unwrap());
        let outcome = outcome(&data.summary());
        let count = |name: &str| outcome["duplicates"][name].as_u64().unwrap();
        assert!(count("planted") > 200, "too few to say anything: {}", outcome["duplicates"]);
        // 995 of 1,000 or better.
        assert!(count("missed") * 1_000 <= count("planted") * 5, "{}", outcome["duplicates"]);
        assert_eq!(count("false"), 0, "{}", outcome["duplicates"]);
        assert_eq!(outcome["ledger"]["holds"], true);
    }
}

#[test]
fn a_card_of_the_demo_is_what_openssl_and_we_accept_and_a_flipped_byte_is_found() {
    let data = Data::new("card");
    succeeded(&demo(&data, 1_000, 3).output().unwrap());
    let list = succeeded(&data.run(&["card", "list"]));
    let line = list.lines().find(|line| line.contains(" active ")).unwrap();
    let mut columns = line.split_whitespace();
    let (card, number) = (columns.next().unwrap(), columns.next().unwrap());
    let out = data.0.join("card");
    succeeded(&data.run(&["card", "export", card, "--out", out.to_str().unwrap()]));

    let verified = |command: &mut Command| command.output().unwrap();
    // The list of the demonstration is in force until the middle of May.
    let at = ["--at", "2021-05-10"];
    let ours = data.run(&["card", "verify", out.to_str().unwrap(), at[0], at[1]]);
    assert!(succeeded(&ours).contains("genuine"));
    let fingers = card::lds::dg3::parse(&fs::read(out.join("DG3")).unwrap()).unwrap();
    assert_eq!(fingers.len(), 2);
    let print = data.0.join("print");
    let files = [out.to_str().unwrap(), "--out", print.to_str().unwrap(), "--bleed"];
    let drawn = succeeded(&data.run(&[&["card", "artwork"], &files[..]].concat()));
    for name in ["front.svg", "back.svg", "card.pdf", "qr.svg", "qr.txt"] {
        assert!(drawn.contains(name) && print.join(name).exists(), "{drawn}");
    }
    a_relying_party_asks(&data, &out);
    it_is_taken_out_of_force(&data, &out, card, number);

    let pem = data.0.join("csca.pem");
    let converted = verified(
        Command::new("openssl")
            .args(["x509", "-inform", "DER", "-in"])
            .arg(out.join("csca.der"))
            .arg("-out")
            .arg(&pem),
    );
    succeeded(&converted);
    // EF.SOD is tag 77 with a length; what is inside is the CMS.
    let sod = fs::read(out.join("EF.SOD")).unwrap();
    let header = match sod[1] {
        0x82 => 4,
        0x81 => 3,
        _ => 2,
    };
    let cms = data.0.join("sod.cms");
    fs::write(&cms, &sod[header..]).unwrap();
    let openssl = |file: &Path| {
        Command::new("openssl")
            .args(["cms", "-verify", "-inform", "DER", "-purpose", "any", "-attime", "1622505600", "-in"])
            .arg(file)
            .arg("-CAfile")
            .arg(&pem)
            .args(["-out", "/dev/null"])
            .output()
            .unwrap()
    };
    succeeded(&openssl(&cms));
    let mut broken = sod[header..].to_vec();
    let last = broken.len() - 5;
    broken[last] ^= 1;
    fs::write(&cms, &broken).unwrap();
    assert!(!openssl(&cms).status.success(), "OpenSSL must refuse a changed signature");

    let dg13 = out.join("DG13");
    let mut bytes = fs::read(&dg13).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&dg13, bytes).unwrap();
    let found = data.run(&["card", "verify", out.to_str().unwrap(), at[0], at[1]]);
    let text = String::from_utf8_lossy(&found.stdout);
    assert_eq!(found.status.code(), Some(1));
    assert!(text.contains("DG13") && text.contains("REJECTED"), "{text}");
}

/// Suspended, found, and revoked: by its id and by its number, each act once, and seen by whoever checks it.
fn it_is_taken_out_of_force(data: &Data, out: &Path, card: &str, number: &str) {
    let act = |act: &str, named: &str, reason: &str| data.run(&["card", act, named, "--reason", reason]);
    let says = |code: i32, said: &str| {
        let dir = out.to_str().unwrap();
        let verified = data.run(&["card", "verify", dir, "--status", "--at", "2021-05-10"]);
        let text = String::from_utf8_lossy(&verified.stdout).into_owned();
        assert!(verified.status.code() == Some(code) && text.contains(said), "{text}");
    };
    for (act_name, named, reason, said) in [
        ("suspend", card, "lost", "suspended"),
        ("suspend", number, "stolen", "unchanged"),
        ("reinstate", number, "found", "active"),
        ("reinstate", card, "found", "unchanged"),
        ("revoke", number, "stolen", "revoked"),
        ("revoke", card, "stolen", "unchanged"),
    ] {
        let came = succeeded(&act(act_name, named, reason));
        assert!(came.starts_with(said) && came.contains(card), "{act_name}: {came}");
        match said {
            "suspended" => says(1, "out of force for the time being"),
            "active" => says(0, "the one in force"),
            "revoked" => says(1, "this card was revoked"),
            _ => {}
        }
    }
    for (refused, said) in [
        (act("suspend", card, "lost"), "cannot follow the state `revoked`"),
        (act("revoke", "0000000000", "lost"), "there is no card 0000000000"),
        (act("revoke", "12", "lost"), "a card is named by its number"),
        (act("revoke", card, "rain"), "invalid value 'rain'"),
    ] {
        let error = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && error.contains(said), "{error}");
    }
}

/// Trust by certificate and by master list, the register, what is printed, and what is not there.
fn a_relying_party_asks(data: &Data, out: &Path) {
    let (dir, at) = (out.to_str().unwrap(), ["--at", "2021-05-10"]);
    let csca = format!("{dir}/csca.der");
    let verify = |arguments: &[&str]| data.run(&[&["card", "verify"], arguments, &at].concat());
    let fails = |arguments: &[&str], said: &str| {
        let output = verify(arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(3) && error.contains(said), "{arguments:?}: {error}");
    };
    let json: Value =
        serde_json::from_str(&succeeded(&verify(&[dir, "--trust", &csca, "--status", "--json"]))).unwrap();
    assert_eq!(
        (&json["overall"], &json["from"]["trust"][0]["file"]),
        (&"genuine".into(), &csca.as_str().into())
    );
    assert_eq!(json["from"]["crl"][0]["beside_the_card"], true);
    let register =
        json["checks"].as_array().unwrap().iter().find(|c| c["code"] == "register-status").unwrap();
    assert_eq!(register["outcome"], "passed", "{register}");
    let unknown = verify(&[dir, "--status", "--number", "0"]);
    assert!(String::from_utf8_lossy(&unknown.stdout).contains("knows no such card"));

    let list = data.0.join("vnm.ml").to_str().unwrap().to_owned();
    succeeded(&data.run(&["pki", "master-list", "--out", &list]));
    let listed = succeeded(&verify(&[dir, "--trust", &csca, "--trust", &list, "--words", "vi"]));
    assert!(listed.contains("vnm.ml (1 CSCA certificates)") && listed.contains("Thẻ thật"), "{listed}");
    fails(&[dir, "--trust", &list], "vouches for it");
    fails(&[dir, "--trust", &format!("{dir}/DG1")], "neither a certificate nor a master list");

    // DG1 ends with the 90 characters of the zone.
    let dg1 = fs::read(out.join("DG1")).unwrap();
    let zone = data.0.join("zone.txt");
    fs::write(&zone, &dg1[dg1.len() - 90..]).unwrap();
    let zone = format!("@{}", zone.display());
    assert!(succeeded(&verify(&[dir, "--mrz", &zone])).contains("ok      printed-mrz-agreement"));
    let print = verify(&["--mrz", &zone, "--status"]);
    let said = String::from_utf8_lossy(&print.stdout);
    assert_eq!(print.status.code(), Some(2), "print proves nothing: {said}");
    assert!(said.contains("ok      register-status") && said.contains("paper-only"), "{said}");
    let other = verify(&[dir, "--qr", "001199012345||Ai Khác|01011999|Nữ|Xã Mẫu|06042021"]);
    assert!(
        other.status.code() == Some(1)
            && String::from_utf8_lossy(&other.stdout).contains("FAILED  qr-agreement")
    );

    let empty = data.0.join("empty");
    fs::create_dir(&empty).unwrap();
    fails(&[empty.to_str().unwrap()], "none of a card's files");
    fs::write(empty.join("EF_DG1.BIN"), vec![0; 2 << 20]).unwrap();
    fails(&[empty.to_str().unwrap()], "no file of a card is longer");
    fails(&["/nowhere"], "looked for in /nowhere");
    assert_eq!(verify(&[]).status.code(), Some(4), "a directory or print is asked for");
}

#[test]
fn another_seed_in_the_same_directory_is_refused_with_a_way_out() {
    let data = Data::new("seed");
    let first = demo(&data, 1_000, 1).args(["--until", "2021-03-01"]).output().unwrap();
    succeeded(&first);
    let second = demo(&data, 1_000, 2).output().unwrap();
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("--data"), "{said}");
}

#[test]
fn a_port_in_use_and_an_unknown_district_are_told_at_once() {
    let data = Data::new("port");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let refused = data.run(&["demo", "--people", "1000", "--port", &port]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--port"));
    let unknown = data.run(&["demo", "--people", "1000", "--district", "999", "--exit"]);
    assert!(!unknown.status.success());
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("445"));
}
