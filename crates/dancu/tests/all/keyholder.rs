//! The pages are served by a process that has no key. What needs one is asked of the process that holds them,
//! over a socket: it believes nobody, writes down who asked, and when it is away the pages say so.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::Agent;
use uuid::Uuid;

use crate::support::{Data, demo, ended, succeeded};
use domain::Clock;
use domain::clock::SystemClock;
use packet::desk::{Answer, MAX_ANSWER_BYTES, MAX_REQUEST_BYTES, Page, Request, frame, frame_length};
use store::accounts::{self, Account};
use store::sessions::{self, Session};
use store::{Database, OpenOptions, UnitScope};
use web::routes::{Access, ROUTES};

/// A program that runs until it is stopped, and what it printed before it waited.
pub struct Running {
    child: Child,
    lines: Vec<String>,
}

impl Running {
    /// Until it prints a line that begins so.
    pub fn until(data: &Data, args: &[&str], begins: &str) -> Running {
        let mut child = data.command(args).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut lines = Vec::new();
        while !lines.last().is_some_and(|line: &String| line.starts_with(begins)) {
            let line = out.next().unwrap_or_else(|| panic!("{args:?} ended; it said {lines:?}"));
            lines.push(line.unwrap());
        }
        // The pipe stays open: a program whose output nobody reads would end.
        std::thread::spawn(move || out.map_while(Result::ok).for_each(drop));
        Running { child, lines }
    }

    pub fn words(&self, first: &str) -> Vec<&str> {
        let line = self.lines.iter().find(|line| line.starts_with(first)).unwrap();
        line.split_whitespace().collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

fn serve(data: &Data) -> Running {
    Running::until(data, &["serve", "--pages-only", "--port", "0"], "stop")
}

fn hold(data: &Data) -> Running {
    Running::until(data, &["keyholder"], "answers")
}

/// Somebody who is signed in.
struct Reader {
    agent: Agent,
    base: String,
    cookies: BTreeMap<String, String>,
}

impl Reader {
    fn sign_in(serving: &Running, login: &str) -> Reader {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(120)));
        let base = serving.words("open")[1].trim_end_matches('/').to_owned();
        let mut reader = Reader { agent: config.build().into(), base, cookies: BTreeMap::new() };
        let (_, page) = reader.get("/vao");
        let token = page.split_once("name=\"token\" value=\"").unwrap().1.split('"').next().unwrap();
        let of_login = |line: &&String| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.starts_with(&["sign", "in"]) && words.get(2) == Some(&login)
        };
        let password = serving.lines.iter().find(of_login).unwrap().split_whitespace().nth(3).unwrap();
        let form = [("token", token), ("tiep", ""), ("login", login), ("password", password)];
        let request = reader.agent.post(format!("{}/vao", reader.base)).header("cookie", reader.cookie());
        let (status, said) = reader.take(request.send_form(form).unwrap());
        assert_eq!(status, 303, "{said}");
        reader
    }

    fn cookie(&self) -> String {
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    fn get(&mut self, path: &str) -> (u16, String) {
        let request = self.agent.get(format!("{}{path}", self.base)).header("cookie", self.cookie());
        let answer = request.call().unwrap();
        self.take(answer)
    }

    fn take(&mut self, mut answer: ureq::http::Response<ureq::Body>) -> (u16, String) {
        for cookie in answer.headers().get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    }
}

const AWAY: &str = "Hiện chưa xem được ảnh";

#[tokio::test(flavor = "multi_thread")]
async fn pages_show_photos_without_a_key_as_long_as_the_key_holder_answers() {
    let data = Data::new("keyholder");
    succeeded(&demo(&data, 1_000, 7).args(["--until", "2021-03-01"]).output().unwrap());
    let (keys, away) = (data.0.join("keys"), data.0.join("keys-elsewhere"));
    let holder = hold(&data);
    let socket = PathBuf::from(holder.words("answers").last().unwrap());
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&socket), mode(socket.parent().unwrap())), (0o600, 0o700));
    ended(&data.run(&["keyholder"]), 3, "another process answers on");
    // Whoever serves the pages does not find a single key.
    fs::rename(&keys, &away).unwrap();
    let serving = serve(&data);
    let cards = succeeded(&data.run(&["card", "list", "--json"]));
    let cards: serde_json::Value = serde_json::from_str(&cards).unwrap();
    let path = format!("/the/{}", cards["cards"][0]["id"].as_str().unwrap());
    let mut reader = Reader::sign_in(&serving, "chihuy");
    let (status, page) = reader.get(&path);
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("data:image/jpeg;base64,") && !page.contains(AWAY), "the photo is shown");

    drop(holder);
    let (status, page) = reader.get(&path);
    assert_eq!(status, 200, "a page needs no photo: {page}");
    assert!(!page.contains("data:image/jpeg;base64,") && page.contains(AWAY), "the page says why");
    // A kit is told to come again, and keeps what it has.
    let sent = reader.agent.post(format!("{}/kit/v1/packets", reader.base)).send(&b"\x5a\0\0\0\x01x"[..]);
    assert_eq!(sent.unwrap().status().as_u16(), 503);

    fs::rename(&away, &keys).unwrap();
    let _holder = hold(&data);
    let (_, page) = reader.get(&path);
    assert!(page.contains("data:image/jpeg;base64,"), "it is shown again");
    let sent = reader.agent.post(format!("{}/kit/v1/packets", reader.base)).send(&b"\x5a\0\0\0\x01x"[..]);
    assert_eq!(sent.unwrap().status().as_u16(), 200, "a signed receipt, which refuses what is no packet");

    strangers_are_refused(&data, &socket).await;
    assert!(succeeded(&data.run(&["audit", "verify"])).contains("intact"));
}

#[test]
fn whoever_may_read_a_page_is_shown_its_photo_and_nobody_else() {
    for (path, page) in [("/the/{card_id}", Page::Card), ("/ho-so-xet/{case_id}", Page::Case)] {
        let route = ROUTES.iter().find(|route| route.method == "GET" && route.path == path).unwrap();
        let Access::Roles(roles) = route.access else { panic!("{path} is for signed-in people") };
        let mut readers = centre::readers(page).to_vec();
        let mut may: Vec<&str> = roles.iter().map(|role| role.code()).collect();
        readers.sort_unstable();
        may.sort_unstable();
        assert_eq!(readers, may, "{path}");
    }
}

fn ask(socket: &std::path::Path, bytes: &[u8]) -> Option<Answer> {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(bytes).unwrap();
    let mut first = [0; 4];
    stream.read_exact(&mut first).ok()?;
    let mut body = vec![0; frame_length(first, MAX_ANSWER_BYTES).unwrap()];
    stream.read_exact(&mut body).unwrap();
    Some(Answer::decode(&body).unwrap())
}

/// Whoever reaches the socket has no more than the session that it names.
async fn strangers_are_refused(data: &Data, socket: &std::path::Path) {
    let options = OpenOptions { data_dir: data.0.clone(), database_url: None };
    let db = Database::open(&options).await.unwrap();
    let application: Uuid =
        sqlx::query_scalar("SELECT application_id FROM card ORDER BY number DESC LIMIT 1")
            .fetch_one(db.work())
            .await
            .unwrap();
    let photo = |session: &str, page| {
        let application = application.to_string().parse().unwrap();
        let request = Request::Photo { session: session.to_owned(), application, page };
        ask(socket, &frame(&request.encode(), MAX_REQUEST_BYTES).unwrap()).unwrap()
    };
    let opened = |action: &'static str| {
        let db = db.clone();
        async move {
            let sql = "SELECT actor, detail->>'why' FROM audit WHERE action = $1 ORDER BY at";
            let rows: Vec<(String, Option<String>)> =
                sqlx::query_as(sql).bind(action).fetch_all(db.work()).await.unwrap();
            rows
        }
    };
    let before = opened("photo.opened").await;
    assert!(before.len() >= 2 && before.iter().all(|(actor, _)| actor.starts_with("account:")), "{before:?}");

    let now = SystemClock.now();
    let account = |id: u128, role: &str, path: &str, disabled: bool| Account {
        id: Uuid::from_u128(id),
        login: format!("ask{id}"),
        role: role.to_owned(),
        scope: UnitScope::parse(path).unwrap(),
        display_name: "Người Hỏi".to_owned(),
        password_hash: String::new(),
        created_at: now,
        disabled_at: disabled.then_some(now),
    };
    let people = [
        (account(1, "officer", "42/445/", false), Page::Card, Some(""), now + time::Duration::hours(1)),
        (account(2, "officer", "42/445/", false), Page::Case, None, now + time::Duration::hours(1)),
        (account(3, "officer", "52/540/", false), Page::Card, None, now + time::Duration::hours(1)),
        (account(4, "officer", "42/445/", true), Page::Card, None, now + time::Duration::hours(1)),
        (account(5, "officer", "42/445/", false), Page::Card, None, now - time::Duration::hours(1)),
    ];
    assert_eq!(photo(&"0".repeat(64), Page::Card), Answer::NoPhoto, "no such session");
    for (account, page, expect, expires_at) in &people {
        let token = format!("{:064x}", account.id.as_u128());
        let session = Session {
            token_hash: Sha256::digest(token.as_bytes()).into(),
            account_id: account.id,
            csrf_secret: [0; 32],
            created_at: now,
            expires_at: *expires_at,
        };
        let mut tx = db.begin().await.unwrap();
        accounts::insert(&mut tx, account).await.unwrap();
        sessions::insert(&mut tx, &session).await.unwrap();
        store::commit(tx).await.unwrap();
        let answer = photo(&token, *page);
        assert_eq!(matches!(answer, Answer::Photo(_)), expect.is_some(), "{}: {answer:?}", account.login);
        // The hash, which whoever reads the database has, is no session.
        let hash: String = session.token_hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(photo(&hash, *page), Answer::NoPhoto, "{}", account.login);
    }
    assert_eq!(opened("photo.opened").await.len(), before.len() + 1);
    let refused = opened("photo.refused").await;
    let why = |code: &str| refused.iter().filter(|(_, why)| why.as_deref() == Some(code)).count();
    assert_eq!((why("role"), why("scope"), why("no_session")), (1, 1, 2 + 1 + people.len()), "{refused:?}");

    // Bytes that are no question get no answer, and the next question gets one.
    assert_eq!(ask(socket, &frame(b"rubbish", 100).unwrap()), None);
    assert_eq!(ask(socket, &[0xFF; 8]), None, "a length beyond any request");
    assert!(matches!(photo(&"0".repeat(64), Page::Card), Answer::NoPhoto));
}
