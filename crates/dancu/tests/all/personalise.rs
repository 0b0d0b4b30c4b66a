//! Cards of a real installation are written through pcscd and a virtual reader, with the program killed and
//! the card taken away in the midst; then a reader that we did not write reads one.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::time::Duration;

use crate::other_reader::{Key, other_reader};
use crate::pcscd::VirtualReader;
use crate::support::{Data, demo, refused, succeeded};
use card::mrz::Mrz;

/// What is killed while it runs.
struct Running(Child);

impl Running {
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Desk<'a> {
    data: &'a Data,
    reader: &'a VirtualReader,
    key: PathBuf,
}

impl Desk<'_> {
    fn blank(&self, position: u32) -> PathBuf {
        self.data.0.join(format!("blank-{position}"))
    }

    /// Lays a blank on the reader, or what became of it.
    fn lay(&self, position: u32) -> Running {
        let (dir, serial) = (self.blank(position), format!("479055550A00{position:08X}"));
        let vpcd = format!("127.0.0.1:{}", self.reader.port);
        let (dir, key) = (dir.to_str().unwrap(), self.key.to_str().unwrap());
        let mut command = self.data.command(&[
            "card",
            "emulate",
            "--vpcd",
            &vpcd,
            "--blank",
            dir,
            "--serial",
            &serial,
            "--transport-key",
            key,
        ]);
        let running = Running(command.stdout(Stdio::null()).spawn().unwrap());
        self.reader.wait(true);
        running
    }

    fn take_away(&self, card: Running) {
        card.kill();
        self.empty();
    }

    /// Until no card lies on the reader, and as long as a hand needs: the service looks only twice a second,
    /// and when a command failed on the card before, it never notices another that came between two looks.
    fn empty(&self) {
        self.reader.wait(false);
        std::thread::sleep(Duration::from_millis(1_500));
    }

    fn personalise(&self) -> Output {
        self.data.run(&["card", "personalise", "--once", "--reader", &self.reader.name, "--wait", "30"])
    }

    /// Runs it until it says a line that begins so, then does what is to be done to it or to the card.
    fn personalise_until(&self, said: &str, then: impl FnOnce(&mut Child)) -> String {
        let mut command = self.data.command(&[
            "card",
            "personalise",
            "--once",
            "--reader",
            &self.reader.name,
            "--wait",
            "30",
        ]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut before = String::new();
        while !before.lines().last().is_some_and(|line| line.starts_with(said)) {
            let read = lines.read_line(&mut before).unwrap();
            assert!(read > 0, "it ended before it said {said:?}: {before}");
        }
        then(&mut child);
        let mut rest = String::new();
        lines.read_to_string(&mut rest).unwrap();
        assert!(!child.wait().unwrap().success());
        rest
    }

    fn list(&self, state: &str) -> String {
        succeeded(&self.data.run(&["stock", "list", "--box", "500", "--state", state, "--no-header"]))
    }
}

/// One test, because there is one pcscd on a machine.
#[test]
fn cards_are_written_whatever_happens_to_program_and_reader() {
    let data = Data::new("personalise");
    let campaign = ["--until", "2021-03-01", "--leave-cards"];
    succeeded(&demo(&data, 1_000, 7).args(campaign).output().unwrap());
    let reader = VirtualReader::start();
    let key = data.0.join("key-letter");
    fs::write(&key, "00112233445566778899AABBCCDDEEFF".repeat(2)).unwrap();
    let desk = Desk { data: &data, reader: &reader, key };
    receive(&desk);
    let system = authorise(&data);

    let card = desk.lay(0);
    desk.personalise_until("written       DG1 ", |program| program.kill().unwrap());
    let said = succeeded(&desk.personalise());
    assert!(said.contains("on blank 479055550A0000000000: written, read back and recorded"), "{said}");
    assert!(refused(&desk.personalise()).is_empty(), "a finished card is told of on standard output");
    desk.take_away(card);

    let card = desk.lay(1);
    let rest = desk.personalise_until("written       EF.SOD ", |_| card.kill());
    assert!(rest.contains("lay it on the reader again"), "{rest}");
    desk.empty();
    assert!(desk.list("writing").contains("479055550A0000000001"));
    let other = desk.lay(2);
    succeeded(&desk.personalise());
    desk.take_away(other);
    let card = desk.lay(1);
    succeeded(&desk.personalise());
    desk.take_away(card);

    let card = desk.lay(3);
    desk.personalise_until("activated", |program| program.kill().unwrap());
    let again = desk.personalise();
    assert!(String::from_utf8_lossy(&again.stderr).contains("going on with"));
    succeeded(&again);
    assert_eq!((desk.list("used").lines().count(), desk.list("writing").as_str()), (4, ""));
    desk.take_away(card);

    let card = desk.lay(9);
    let stranger = desk.personalise();
    assert!(String::from_utf8_lossy(&stranger.stdout).contains("is not in stock"), "{stranger:?}");
    desk.take_away(card);
    counted(&desk);
    read_by_others(&desk, &system);
    succeeded(&data.run(&["audit", "verify"]));
}

fn receive(desk: &Desk<'_>) {
    let key = desk.key.to_str().unwrap();
    let first = "479055550A0000000000";
    let arguments =
        ["stock", "receive", "--box", "500", "--from", first, "--count", "8", "--transport-key", key];
    assert_eq!(succeeded(&desk.data.run(&arguments)), "received   box 500: 8 blanks\n");
    assert!(succeeded(&desk.data.run(&arguments)).starts_with("unchanged"));
    let less = ["stock", "receive", "--box", "500", "--from", first, "--count", "7"];
    assert!(refused(&desk.data.run(&less)).contains("received before with other blanks"));
}

fn counted(desk: &Desk<'_>) {
    let spoil = ["stock", "spoil", "479055550A0000000007", "--reason", "damaged"];
    succeeded(&desk.data.run(&spoil));
    let boxes = succeeded(&desk.data.run(&["stock", "list"]));
    let all = boxes.lines().last().unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let number = |column: usize| all[column].parse::<i64>().unwrap();
    let expected = number(1) - number(4) - number(5);
    assert_eq!(expected, number(2) + number(3));
    succeeded(&desk.data.run(&["stock", "count", &expected.to_string()]));
    let differs = desk.data.run(&["stock", "count", &(expected - 2).to_string()]);
    assert!(!differs.status.success());
    assert!(String::from_utf8_lossy(&differs.stdout).contains("2 blanks missing"), "{differs:?}");
}

/// The first card, by the reader that others wrote: PACE with the access number, Passive and Active
/// Authentication.
fn read_by_others(desk: &Desk<'_>, system: &Path) {
    let used = desk.list("used");
    let number = used.lines().find(|line| line.starts_with("479055550A0000000000")).unwrap();
    let number = number.split_whitespace().nth(3).unwrap().to_owned();
    let cards = succeeded(&desk.data.run(&["card", "list", "--limit", "100000"]));
    let line = cards.lines().find(|line| line.split_whitespace().nth(1) == Some(&number)).unwrap();
    assert!(line.contains("personalised"), "{line}");
    let out = desk.data.0.join("export");
    let id = line.split_whitespace().next().unwrap();
    succeeded(&desk.data.run(&["card", "export", id, "--out", out.to_str().unwrap()]));
    let (mrz, csca) = (zone(&out), fs::read(out.join("csca.der")).unwrap());
    let card = desk.lay(0);
    for key in [Key::PaceNumber(&mrz.pin()[6..]), Key::Bac(&mrz)] {
        let judgement = other_reader(&desk.reader.name, &key, &csca).unwrap();
        let passive = judgement.passive.unwrap();
        assert!(passive.is_authentic(), "{:?}", passive.chain);
        assert!([1, 2, 13, 14, 15].iter().all(|group| passive.verified_groups.contains(group)));
        judgement.active.unwrap();
    }
    read_by_inspectors(desk, &mrz.pin()[6..], system);
    desk.take_away(card);
}

/// A country verifying CA, a verifier and an inspection system, before the first card is written.
fn authorise(data: &Data) -> PathBuf {
    let system = data.0.join("system");
    let out = system.to_str().unwrap();
    let made = ["pki", "inspection-system", "DESK1", "--dv", "HANOI", "--out", out];
    assert!(refused(&data.run(&made)).contains("pki dv HANOI"));
    assert!(refused(&data.run(&["pki", "dv", "HANOI"])).contains("pki cvca"));
    assert!(succeeded(&data.run(&["pki", "cvca"])).starts_with("VNCVCA00001 country verifying CA"));
    assert!(refused(&data.run(&["pki", "cvca"])).contains("--roll"));
    succeeded(&data.run(&["pki", "dv", "HANOI"]));
    assert!(succeeded(&data.run(&made)).contains("VNDESK100001 inspection system, by VNHANOI00001"));
    system
}

/// The same card by our own reader: as anybody, and as an inspection system, also after the authority changed
/// its key.
fn read_by_inspectors(desk: &Desk<'_>, number: &str, system: &Path) {
    let (data, out) = (desk.data, desk.data.0.join("read"));
    let (csca, folder) = (desk.data.0.join("export/csca.der"), out.to_str().unwrap());
    let anybody =
        ["card", "read", "--reader", &desk.reader.name, "--can", number, "--trust", csca.to_str().unwrap()];
    let anybody = [&anybody[..], &["--out", folder, "--at", "2021-06-01"]].concat();
    let system = ["--inspection-system", system.to_str().unwrap()];
    succeeded(&data.run(&anybody));
    assert!(out.join("DG2").exists() && !out.join("DG3").exists());
    let read = data.run(&[&anybody[..], &system].concat());
    assert!(succeeded(&read).contains("genuine"), "{read:?}");
    let said = String::from_utf8_lossy(&read.stderr);
    assert!(said.contains("the card accepted the inspection system"), "{said}");
    assert!(out.join("DG3").exists() && said.contains("finger-"), "{said}");

    succeeded(&data.run(&["pki", "cvca", "--roll"]));
    let listed = succeeded(&data.run(&["pki", "list"]));
    let roles = ["csca", "document_signer", "cvca", "cvca_link", "dv", "inspection_system"];
    assert!(roles.iter().all(|role| listed.contains(&format!(" {role} "))), "{listed}");
    succeeded(&data.run(&["pki", "dv", "HANOI"]));
    succeeded(&data.run(&["pki", "inspection-system", "DESK1", "--dv", "HANOI", "--out", system[1]]));
    let read = data.run(&[&anybody[..], &system].concat());
    let said = String::from_utf8_lossy(&read.stderr);
    assert!(read.status.success() && said.contains("the card accepted the inspection system"), "{said}");
}

fn zone(dir: &Path) -> Mrz {
    card::lds::dg1::parse(&fs::read(dir.join("DG1")).unwrap()).unwrap()
}
