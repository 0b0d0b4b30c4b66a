//! The README's tour, step by step, on a small demonstration: its commands as they stand there, its pages
//! over HTTP. It begins on the day in the middle of the campaign, on which work is left for everybody.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use ureq::Agent;

use crate::support::{Data, ended, succeeded};

const README: &str = include_str!("../../../../README.md");

/// A form that is sound, and one of the same people without a name.
const FORMS: &str = "\
form_no,full_name,sex,birth_date,ethnicity,religion,nationality,birth_registration_unit,native_unit,\
permanent_unit,household_no,relation_to_head
LA-1,NGUYỄN VĂN LẠ,1,01/02/1980,01,00,VNM,445,445,18562,LA,01
LA-2,,2,03/04/1982,01,00,VNM,445,445,18562,LA,02
";

/// What a serving program printed before it waited.
struct Serving {
    child: Child,
    /// Without a slash at the end.
    base: String,
    day: String,
    passwords: BTreeMap<String, String>,
    /// Where each account begins.
    begins: BTreeMap<String, String>,
    receipts: Vec<String>,
}

impl Serving {
    /// Starts the program in a folder, whose `data` is its data directory, and waits until it serves.
    fn start(folder: &Path, args: &[&str]) -> Serving {
        let mut child = dancu(folder, args).stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut serving = Serving {
            child,
            base: String::new(),
            day: String::new(),
            passwords: BTreeMap::new(),
            begins: BTreeMap::new(),
            receipts: Vec::new(),
        };
        // The pipe stays open: a program whose output nobody reads would end.
        let mut lines = out.lines();
        for line in lines.by_ref().map_while(Result::ok) {
            println!("{line}");
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["open", address, ..] => serving.base = address.trim_end_matches('/').to_owned(),
                ["day", day, ..] => serving.day = day.trim_end_matches(',').to_owned(),
                ["sign", "in", login, password, ..] => {
                    serving.passwords.insert(login.to_owned(), password.to_owned());
                }
                ["begin", login, address, ..] => {
                    serving.begins.insert(login.to_owned(), address.to_owned());
                }
                ["receipt", code, ..] => serving.receipts.push(code.to_owned()),
                ["stop", ..] => break,
                _ => {}
            }
        }
        assert!(!serving.base.is_empty(), "the program serves its pages");
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        serving
    }

    fn stop(self) {
        drop(self);
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(asked.is_ok_and(|status| status.success()), "the program still runs");
        let _ = self.child.wait();
    }
}

fn dancu(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dancu"));
    command.args(args).current_dir(folder).env_remove("DATABASE_URL").env_remove("DANCU_DATA");
    command
}

/// Whoever is signed in, or nobody yet.
struct Visitor {
    agent: Agent,
    base: String,
    cookie: String,
}

impl Visitor {
    fn anybody(serving: &Serving) -> Visitor {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(120)));
        Visitor { agent: config.build().into(), base: serving.base.clone(), cookie: String::new() }
    }

    fn sign_in(serving: &Serving, login: &str) -> Visitor {
        let mut visitor = Visitor::anybody(serving);
        let (_, page) = visitor.get("/vao");
        let token =
            page.split_once("name=\"token\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
        let password = &serving.passwords[login];
        let form = [("token", token.as_str()), ("tiep", ""), ("login", login), ("password", password)];
        let (status, said) = visitor.post("/vao", &form);
        assert_eq!(status, 303, "{login}: {said}");
        visitor
    }

    fn get(&mut self, path: &str) -> (u16, String) {
        let answer = self.agent.get(format!("{}{path}", self.base)).header("cookie", &self.cookie).call();
        self.take(answer.unwrap())
    }

    fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
        let request = self.agent.post(format!("{}{path}", self.base)).header("cookie", &self.cookie);
        let answer = request.send_form(fields.iter().copied()).unwrap();
        self.take(answer)
    }

    fn take(&mut self, mut answer: ureq::http::Response<ureq::Body>) -> (u16, String) {
        for cookie in answer.headers().get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
            self.cookie = if self.cookie.is_empty() { pair } else { format!("{}; {pair}", self.cookie) };
        }
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    }

    /// A page that must be there.
    fn page(&mut self, path: &str) -> String {
        let (status, page) = self.get(path);
        assert_eq!(status, 200, "{path}: {page}");
        page
    }
}

/// The blocks of commands in the tour, in their order.
fn blocks() -> Vec<String> {
    let tour = README.split_once("## A five-minute tour").unwrap().1.split("\n## ").next().unwrap();
    let mut blocks = Vec::new();
    let mut rest = tour;
    while let Some((_, after)) = rest.split_once("```sh\n") {
        let (block, next) = after.split_once("```").unwrap();
        blocks.push(block.lines().map(|line| line.trim_start().to_owned() + "\n").collect());
        rest = next;
    }
    blocks
}

/// Runs a block of the tour in a folder, with the built program on the path.
fn run_block(folder: &Path, block: &str) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_dancu"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-euc", block]).current_dir(folder).env("PATH", path);
    shell.env_remove("DATABASE_URL").env_remove("DANCU_DATA").stdin(Stdio::null()).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tour_goes_as_the_readme_says() {
    let data = Data::new("tour");
    let home = Data::at(data.0.join("home"));
    let folder = home.0.clone();
    // The server of the data directory is stopped with this value, before the folder goes.
    let held = Data(folder.join("data"));
    let demo = Serving::start(&folder, &["demo", "--people", "2.000", "--seed", "7", "--port", "0"]);
    work_is_left_for_everybody(&folder).await;
    each_role_begins_where_its_work_waits(&demo);

    let [alias, card, openssl, import, kill] = <[String; 5]>::try_from(blocks()).unwrap();
    assert!(alias.contains("target/release/dancu"), "{alias}");
    let judged = succeeded(&run_block(&folder, &card));
    assert!(judged.contains("\ngenuine (trusting the csca.der that lies beside the files)"), "{judged}");
    let day = demo.day.split('/').rev().collect::<Vec<_>>().join("-");
    assert!(judged.contains(&format!("\njudged  {day}")), "{day}: {judged}");
    every_card_is_genuine_on_its_day(&folder);
    the_page_judges_by_the_same_day(&demo, &folder);
    succeeded(&run_block(&folder, &openssl));
    let changed = "printf x >> chip/DG13; dancu card verify chip";
    ended(&run_block(&folder, changed), 1, "REJECTED");

    fs::write(folder.join("my-forms.csv"), FORMS).unwrap();
    ended(&run_block(&folder, &import), 2, "my-forms.csv.rejects.csv");
    let today = demo.day.clone();
    demo.stop();

    // A program that serves the same directory shows the same day, and so does the demonstration itself, in
    // whose register there is somebody now whom it did not make.
    for args in [&["serve", "--port", "0"][..], &["demo", "--people", "2000", "--seed", "7", "--port", "0"]] {
        let again = Serving::start(&folder, args);
        assert_eq!(again.day, today, "{args:?}");
        again.stop();
    }

    let second = Data::at(folder.join("second"));
    assert!(kill.contains("kill -9") && kill.matches("/tmp/tour").count() == 2, "{kill}");
    let kill =
        kill.replace("/tmp/tour", second.0.to_str().unwrap()).replace("--people 5000", "--people 1000");
    succeeded(&run_block(&folder, &kill));
    let summary: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("a.json")).unwrap()).unwrap();
    assert_eq!(summary["ledger"]["holds"], true);
    drop(second);
    drop(held);
}

/// What the day in the middle promises, in the database.
async fn work_is_left_for_everybody(folder: &Path) {
    let options = store::OpenOptions { data_dir: folder.join("data"), database_url: None };
    let db = store::Database::open(&options).await.unwrap();
    let mut conn = db.begin().await.unwrap();
    let waiting = store::report::work::waiting(&mut conn, &store::UnitScope::everything()).await.unwrap();
    assert!(waiting.open_cases > 0, "{waiting:?}");
    assert!(waiting.boxes_under_way > 0, "{waiting:?}");
    assert!(waiting.missed_invitations > 0, "{waiting:?}");
    assert!(waiting.rejected_forms > 0, "{waiting:?}");
    assert!(waiting.unserved_communes > 0, "{waiting:?}");
}

/// Steps 1 to 5: every printed link shows its account something to do, and the receipts tell a stage.
fn each_role_begins_where_its_work_waits(demo: &Serving) {
    assert_eq!(demo.begins.len(), 6);
    assert_eq!(demo.begins.len(), demo.passwords.len());
    for (login, address) in &demo.begins {
        let path = address.strip_prefix(&demo.base).unwrap();
        let page = Visitor::sign_in(demo, login).page(path);
        let shows = match login.as_str() {
            "chihuy" => "/tong-quan",
            "canbo" => "/cu-dan/",
            "thamdinh1" | "thamdinh2" => "href=\"/ho-so-xet/",
            "hotich" => "href=\"/phieu-loi/",
            // No case of correction is opened in a demonstration: the page says where they come from.
            "tuphap" => "/cai-chinh",
            other => panic!("nobody told of {other}"),
        };
        assert!(page.contains(shows), "{login}: {page}");
    }
    let mut commander = Visitor::sign_in(demo, "chihuy");
    assert!(commander.page("/cu-dan?ten=nguyen").contains("href=\"/cu-dan/"));
    let mut citizen = Visitor::anybody(demo);
    citizen.page("/tra-cuu");
    assert!(!demo.receipts.is_empty());
    let (status, wrong) = citizen.post("/tra-cuu", &[("ma", "0000-0000-0000-0000")]);
    for code in &demo.receipts {
        let (found, told) = citizen.post("/tra-cuu", &[("ma", code)]);
        assert_eq!(found, 200, "{told}");
        assert!(told.len() != wrong.len() || status != found, "a right code is answered otherwise");
    }
}

/// Step 6 for every card there is: none fails because the machine's day is years later.
fn every_card_is_genuine_on_its_day(folder: &Path) {
    let list = succeeded(&dancu(folder, &["card", "list", "--json"]).output().unwrap());
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    let cards = list["cards"].as_array().unwrap();
    assert!(cards.len() > 100, "{}", cards.len());
    for card in cards.iter().step_by(cards.len() / 25) {
        let number = card["number"].as_str().unwrap();
        let out = format!("chip-{number}");
        succeeded(&dancu(folder, &["card", "export", number, "--out", &out]).output().unwrap());
        let judged = dancu(folder, &["card", "verify", &out, "--json"]).output().unwrap();
        let verdict: serde_json::Value = serde_json::from_str(&succeeded(&judged)).unwrap();
        assert_eq!((&verdict["overall"], &verdict["at_by"]), (&"genuine".into(), &"beside_the_card".into()));
        let failed = |check: &&serde_json::Value| check["outcome"] == "failed";
        assert!(!verdict["checks"].as_array().unwrap().iter().any(|check| failed(&check)), "{verdict}");
    }
    // With a trust of one's own, a day that was brought along counts for nothing.
    let trusting = ["card", "verify", "chip", "--trust", "chip/csca.der", "--json"];
    let verdict = dancu(folder, &trusting).output().unwrap();
    let verdict: serde_json::Value = serde_json::from_slice(&verdict.stdout).unwrap();
    assert_eq!(verdict["at_by"], "machine");
}

/// The clerk at a bank: the files of `chip` on the public page.
fn the_page_judges_by_the_same_day(demo: &Serving, folder: &Path) {
    let mut body = Vec::new();
    for entry in fs::read_dir(folder.join("chip")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let head =
            format!("--dancu\r\ncontent-disposition: form-data; name=\"tep\"; filename=\"{name}\"\r\n\r\n");
        body.extend(head.as_bytes());
        body.extend(fs::read(entry.path()).unwrap());
        body.extend(b"\r\n");
    }
    body.extend(b"--dancu--\r\n");
    let mut anybody = Visitor::anybody(demo);
    let request = anybody.agent.post(format!("{}/kiem-the", demo.base));
    let answer = request.header("content-type", "multipart/form-data; boundary=dancu").send(&body[..]);
    let (status, page) = anybody.take(answer.unwrap());
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("class=\"stamp good\"") && page.contains(&demo.day), "{page}");
}
