//! What somebody with a browser and no account can do to the centre. Each test plays the attacker of the row
//! "a browser" of the list of attacks.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode, header};
use time::Duration as Days;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::WALL;
use crate::support::browser::{Answer, Browser, PASSWORD, World};
use store::UnitScope;
use web::{Entrance, Limits, Server};

fn from(request: axum::http::request::Builder, address: &str) -> axum::http::request::Builder {
    let address: IpAddr = address.parse().unwrap();
    request.extension(ConnectInfo(SocketAddr::new(address, 40_000)))
}

/// One try at the form, whose cookie the browser has.
async fn guess(browser: &mut Browser, token: &str, address: &str, login: &str, password: &str) -> Answer {
    let body = format!("token={token}&tiep=&login={login}&password={}", password.replace(' ', "+"));
    let request = from(Request::post("/vao"), address)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(body));
    browser.send(request.unwrap()).await
}

/// Tries once and keeps the form's cookie for the next try, as a program would.
struct Guesser {
    browser: Browser,
    token: String,
}

impl Guesser {
    async fn new(world: &World) -> Guesser {
        let mut browser = world.browser();
        let token = browser.get("/vao").await.field("token");
        Guesser { browser, token }
    }

    async fn of(&self, address: &str, login: &str, password: &str) -> StatusCode {
        let mut browser = self.browser.clone();
        guess(&mut browser, &self.token, address, login, password).await.status
    }
}

#[tokio::test]
async fn a_browser_asks_about_the_end_of_the_calendar() {
    let world = World::new().await;
    let mut browser = world.browser();
    let moments = [
        "9999-12-31T23:59:59Z",
        "9999-12-31T17:00:00Z",
        "9999-12-31T23:59:59-07:00",
        "9999-12-31T23:59:59+14:00",
        "0000-01-01T00:00:00Z",
        "0000-01-01T00:00:00+14:00",
        "0001-01-01T00:00:00+23:59",
    ];
    let files = r#"{"EF.COM":"","EF.SOD":"","DG1":"","DG2":"","DG13":""}"#;
    for moment in moments {
        for (path, question) in [
            ("qr", r#""qr":"x""#.to_owned()),
            ("mrz", r#""mrz":"x""#.to_owned()),
            ("chip", format!(r#""files":{files}"#)),
        ] {
            let body = format!(r#"{{{question},"at":"{moment}"}}"#);
            let request = from(Request::post(format!("/api/v1/verify/{path}")), "192.0.2.1");
            let answer = browser.send(request.body(Body::from(body)).unwrap()).await;
            assert!(answer.status.as_u16() < 500, "{path} at {moment}: {}", answer.status);
        }
    }
    // Dates in a page's address, which nobody typed.
    let mut officer = world.signed_in("officer-xa").await;
    let mut commander = world.signed_in("commander-huyen").await;
    for day in ["9999-12-31", "0000-01-01", "-9999-01-01", "+10000-01-01"] {
        for page in ["/lich-moi", "/tong-quan", "/giao-nhan"] {
            for reader in [&mut officer, &mut commander] {
                let answer = reader.get(&format!("{page}?ngay={day}&tu={day}&den={day}")).await;
                assert!(answer.status.as_u16() < 500, "{page} on {day}: {}", answer.status);
            }
        }
    }
}

/// A connection from one of this machine's many loopback addresses.
async fn connect(from: [u8; 4], to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::from(from)), 0))?;
    socket.connect(to).await
}

async fn half_open(from: [u8; 4], to: SocketAddr) -> std::io::Result<TcpStream> {
    let mut stream = connect(from, to).await?;
    stream.write_all(b"GET /vao HTTP/1.1\r\nHost: x\r\nX-Slow: ").await?;
    Ok(stream)
}

/// The first line of the answer to a whole request.
async fn ask(from: [u8; 4], to: SocketAddr) -> std::io::Result<String> {
    let mut stream = connect(from, to).await?;
    stream.write_all(b"GET /vao HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned())
}

/// Whether the other side has closed it; what it may have said before is read and dropped.
fn is_closed(stream: &TcpStream) -> bool {
    let mut buffer = [0; 512];
    loop {
        match stream.try_read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return false,
            Err(_) => return true,
        }
    }
}

async fn start(world: &World, limits: Limits) -> Server {
    let listener = web::listen(0).await.unwrap();
    let entrance = Entrance { limits, ..Entrance::default() };
    Server::start_with(listener, world.site.state.clone(), entrance).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_holds_five_thousand_half_open_requests() {
    const HALF_OPEN: usize = 5_000;
    let world = World::new().await;
    let server = start(&world, Limits { head: Duration::from_secs(5), ..Limits::default() }).await;
    let address = server.address();
    // From one address, and from fifty.
    for addresses in [1usize, 50] {
        let mut held = Vec::with_capacity(HALF_OPEN);
        let mut answered = 0;
        for n in 0..HALF_OPEN {
            let from = [127, 0, addresses as u8, 1 + (n % addresses) as u8];
            held.push(half_open(from, address).await.unwrap());
            if n % 50 == 49 {
                // People work meanwhile: elsewhere, and behind one of the attacker's own addresses.
                for from in [[127, 0, 200, 1], from] {
                    let asked = tokio::time::timeout(Duration::from_secs(20), ask(from, address));
                    let first = asked.await.expect("an answer in time").unwrap();
                    assert_eq!(first, "HTTP/1.1 200 OK", "after {n} half-open requests");
                    answered += 1;
                }
            }
        }
        assert_eq!(answered, 2 * HALF_OPEN / 50);
        // None of them is held for long.
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(40) && !held.iter().all(is_closed) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let open = held.iter().filter(|stream| !is_closed(stream)).count();
        assert_eq!(open, 0, "half-open requests that are still held");
    }
    server.stop();
}

#[tokio::test]
async fn a_browser_on_this_machine_sends_refusals_without_end() {
    let world = World::new().await;
    let mut browser = world.browser();
    // The desk behind refuses five hundred messages of each of these.
    for address in ["127.0.0.1", "::1", "127.8.8.8", "192.0.2.9"] {
        let mut statuses = Vec::new();
        for _ in 0..3 {
            let request = from(Request::post(packet::wire::DAY_REPORT_PATH), address);
            statuses.push(browser.send(request.body(Body::from("rubbish")).unwrap()).await.status.as_u16());
        }
        assert_eq!(statuses, [400, 429, 429], "{address}");
    }
}

#[tokio::test]
async fn a_browser_makes_room_with_throwaway_logins() {
    let world = World::new().await;
    let guesser = Guesser::new(&world).await;
    let bad = "192.0.2.66";
    // A right password of one's own account between the guesses forgives none of them.
    let mut let_in = 0;
    for n in 0..60 {
        if n % 6 == 5 {
            guesser.of(bad, "clerk-xa", PASSWORD).await;
        } else if guesser.of(bad, &format!("someone{n}"), "wrong").await == StatusCode::UNAUTHORIZED {
            let_in += 1;
        }
    }
    assert!((30..=40).contains(&let_in), "{let_in} wrong guesses were judged");
    assert_eq!(guesser.of(bad, "chihuy", "wrong").await, StatusCode::TOO_MANY_REQUESTS);
    // Nor do so many logins that the counts would need the room.
    let mut tasks = Vec::new();
    for task in 0..4 {
        let guesser = Guesser { browser: guesser.browser.clone(), token: guesser.token.clone() };
        tasks.push(tokio::spawn(async move {
            for n in 0..12_600 {
                let status = guesser.of(bad, &format!("throwaway{task}-{n}"), "wrong").await;
                assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "after {n} throwaway logins");
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(guesser.of(bad, "chihuy", "wrong").await, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_browser_locks_nobody_out_by_guessing_at_a_login() {
    let world = World::new().await;
    let guesser = Guesser::new(&world).await;
    let mut judged = 0;
    for n in 0..60 {
        let address = format!("198.51.100.{}", 1 + n % 30);
        judged += u32::from(guesser.of(&address, "clerk-huyen", "wrong").await == StatusCode::UNAUTHORIZED);
    }
    assert!(judged >= 30, "each address has a guess: {judged}");
    // The person comes from another address, at the first try.
    assert_eq!(guesser.of("203.0.113.7", "clerk-huyen", PASSWORD).await, StatusCode::SEE_OTHER);
    // One address guesses at one login ten times at the most.
    let tries: Vec<u16> = futures(&guesser, "203.0.113.8", "officer-xa", 15).await;
    assert_eq!(tries.iter().filter(|status| **status == 401).count(), 10, "{tries:?}");
    assert_eq!(guesser.of("203.0.113.8", "officer-xa", PASSWORD).await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(guesser.of("203.0.113.8", "clerk-xa", PASSWORD).await, StatusCode::SEE_OTHER);
}

async fn futures(guesser: &Guesser, address: &str, login: &str, times: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..times {
        statuses.push(guesser.of(address, login, "wrong").await.as_u16());
    }
    statuses
}

#[tokio::test]
async fn a_browser_fails_to_sign_in_and_the_trail_tells() {
    let world = World::new().await;
    let guesser = Guesser::new(&world).await;
    for n in 0..2_000 {
        let login = if n % 2 == 0 { "chihuy" } else { "commander-huyen" };
        guesser.of("192.0.2.66", login, "wrong").await;
    }
    let rows = world.audit("sign_in.failed").await;
    assert!((1..=8).contains(&rows.len()), "a flood leaves few rows, and not none: {}", rows.len());
    assert!(rows.iter().all(|(subject, _, _)| subject == "address:192.0.2.66"), "{rows:?}");
    // The window's end tells how many there were, whoever comes next.
    world.site.clock.set(WALL + Days::minutes(40));
    guesser.of("203.0.113.1", "chihuy", "wrong").await;
    let rows = world.audit("sign_in.failed").await;
    let counted: i64 = rows
        .iter()
        .filter(|(subject, _, _)| subject == "address:192.0.2.66")
        .map(|(_, _, detail)| {
            let detail: serde_json::Value = serde_json::from_str(detail).unwrap();
            detail["wrong"].as_i64().unwrap_or(0) + detail["turned_away"].as_i64().unwrap_or(0)
        })
        .max()
        .unwrap_or(0);
    assert_eq!(counted, 2_000, "{rows:?}");
    // And whoever supervises is told of the address.
    let mut conn = world.db.read().await.unwrap();
    let day = domain::clock::day_in_vietnam(WALL);
    let unusual = report::anomalies(&mut conn, &UnitScope::everything(), day).await.unwrap();
    let refused: Vec<_> = unusual
        .iter()
        .filter(|unusual| unusual.anomaly == report::Anomaly::Refused)
        .map(|unusual| (unusual.who.as_str(), unusual.count))
        .collect();
    assert_eq!(refused, [("address:192.0.2.66", 2_000)]);
    drop(conn);
    // What somebody typed that is no login may be a password: it is kept nowhere.
    guesser.of("192.0.2.67", "my-real-password-1", "wrong").await;
    let rows = world.audit("sign_in.failed").await;
    assert!(rows.iter().all(|(subject, _, detail)| !format!("{subject}{detail}").contains("real-password")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_sends_its_head_letter_by_letter_or_takes_no_answer() {
    let world = World::new().await;
    let limits =
        Limits { head: Duration::from_secs(2), stalled: Duration::from_secs(2), ..Limits::default() };
    let server = start(&world, limits).await;
    let address = server.address();
    let mut slow = half_open([127, 0, 0, 1], address).await.unwrap();
    let silent = connect([127, 0, 0, 1], address).await.unwrap();
    // A thousand pages are asked for at once, and none is read.
    let mut deaf = connect([127, 0, 0, 1], address).await.unwrap();
    let asked = "GET /vao HTTP/1.1\r\nHost: x\r\n\r\n".repeat(5_000);
    let asking = tokio::spawn(async move {
        let _ = deaf.write_all(asked.as_bytes()).await;
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(300)).await;
            if deaf.write_all(b"x").await.is_err() {
                return true;
            }
        }
        false
    });
    let begin = Instant::now();
    let mut is_cut_off = false;
    while begin.elapsed() < Duration::from_secs(40) && !is_cut_off {
        tokio::time::sleep(Duration::from_millis(300)).await;
        is_cut_off = slow.write_all(b"x").await.is_err() || is_closed(&slow);
    }
    assert!(is_cut_off, "each letter is no new patience");
    assert!(is_closed(&silent), "nor is silence");
    let is_left = tokio::time::timeout(Duration::from_secs(60), asking).await.expect("an end").unwrap();
    assert!(is_left, "whoever reads nothing is left");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_program_writes_down_what_was_counted() {
    let world = World::new().await;
    let server = start(&world, Limits::default()).await;
    let guesser = Guesser::new(&world).await;
    for _ in 0..5 {
        guesser.of("192.0.2.66", "nobody", "wrong").await;
    }
    let idle = connect([127, 0, 0, 1], server.address()).await.unwrap();
    let address = server.address();
    assert_eq!(world.audit("sign_in.failed").await.len(), 1);
    server.end().await;
    let rows = world.audit("sign_in.failed").await;
    assert!(rows.len() == 2 && rows[1].2.contains("\"wrong\":5"), "{rows:?}");
    assert!(connect([127, 0, 0, 1], address).await.is_err(), "nobody new is let in");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(is_closed(&idle), "and nobody is kept");
}
