//! BouncyCastle as an outside judge of every suite, explicit curve parameters too: signature of the security
//! object, path to the CSCA, revocation. Each also refuses what was tampered with.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::path::Path;

use pki::Suite;

mod support;
use support::*;

const JARS: &str = "/usr/share/java/bcprov.jar:/usr/share/java/bcpkix.jar:/usr/share/java/bcutil.jar";
const PACKAGES: &str = "default-jre-headless ecj libbcprov-java libbcpkix-java libbcutil-java";

/// Compiles the judge with the JDK's compiler, or with Eclipse's, which is a hundredth of a JDK.
fn compile(folder: &Path) -> String {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/Judge.java");
    let classes = folder.to_str().unwrap();
    let (compiler, package) = if std::process::Command::new("javac").arg("-version").output().is_ok() {
        ("javac", "default-jdk-headless")
    } else {
        ("ecj", PACKAGES)
    };
    let arguments =
        ["-source", "11", "-target", "11", "-nowarn", "-proc:none", "-cp", JARS, "-d", classes, source];
    let (compiled, text) = run(compiler, &arguments, package);
    assert!(compiled, "{text}\nneeded: apt-get install {PACKAGES}");
    format!("{JARS}:{classes}")
}

#[test]
fn bouncycastle_accepts_every_suite_and_refuses_what_was_tampered_with() {
    let folder = tempfile::tempdir().unwrap();
    let (mut questions, mut expected) = (String::new(), Vec::new());
    let mut ask = |name: String, csca: &[u8], cms: &[u8], crl: &[u8], good: bool| {
        let number = expected.len();
        let write = |kind: &str, bytes: &[u8]| path(folder.path(), &format!("{number}.{kind}"), bytes);
        let (csca, cms, crl) = (write("csca", csca), write("cms", cms), write("crl", crl));
        questions.push_str(&format!("{csca} {cms} {crl} {}\n", CHECK.unix_timestamp()));
        expected.push((name, good));
    };
    for suite in Suite::ALL {
        let (home, foreign) = (country(suite, 1), country(suite, 2));
        let (signed, free) = (cms(&sod(&home)), crl(&home, &[]));
        let csca = home.csca.der();
        ask(format!("{} as made", suite.name), csca, &signed, &free, true);
        ask(format!("{} foreign CSCA", suite.name), foreign.csca.der(), &signed, &free, false);
        ask(format!("{} revoked", suite.name), csca, &signed, &crl(&home, &[&home.ds]), false);
        for at in telling_positions(&signed) {
            let mut flipped = signed.clone();
            flipped[at] ^= 1;
            ask(format!("{} flipped at {at}", suite.name), csca, &flipped, &free, false);
        }
    }
    let questions = path(folder.path(), "questions", questions.as_bytes());
    let class_path = compile(folder.path());
    let (ran, answers) = run("java", &["-cp", &class_path, "Judge", &questions], PACKAGES);
    assert!(ran, "{answers}\nneeded: apt-get install {PACKAGES}");
    let answers: Vec<&str> =
        answers.lines().filter(|l| l.starts_with("accepted") || l.starts_with("refused")).collect();
    assert_eq!(answers.len(), expected.len(), "{answers:#?}");
    for (answer, (name, good)) in answers.iter().zip(&expected) {
        assert_eq!(*answer == "accepted", *good, "{name}: {answer}");
    }
}
