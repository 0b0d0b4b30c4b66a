//! A browser's end of one connection: HTTP/1.1 that is kept alive, cookies, gzip, and the redirect after a
//! form. Whatever else a browser does is not in the measure.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use flate2::read::GzDecoder;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A page that takes longer is an error: people have gone to something else by then.
pub const TIME_OUT: Duration = Duration::from_secs(20);
const REDIRECTS: usize = 3;
/// No page of ours is near it.
const MOST_BYTES: usize = 4 << 20;

/// What came of a request.
pub struct Page {
    pub status: u16,
    pub text: String,
}

impl Page {
    /// The text of a page that was meant to come.
    ///
    /// # Errors
    /// Any status but 200.
    pub fn good(self) -> Result<String> {
        ensure!(self.status == 200, "the page came with status {}", self.status);
        Ok(self.text)
    }
}

/// One officer's browser with its one connection.
pub struct Browser {
    address: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) fn new(address: SocketAddr) -> Browser {
        Browser { address, connection: None, cookies: BTreeMap::new() }
    }

    /// Asks for a page.
    ///
    /// # Errors
    /// No answer in [`TIME_OUT`], or one that is not HTTP.
    pub async fn get(&mut self, path: &str) -> Result<Page> {
        self.follow("GET", path, "").await
    }

    /// Sends a form, and reads the page that it leads to.
    ///
    /// # Errors
    /// As [`Browser::get`].
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<Page> {
        let fields: Vec<String> = fields.iter().map(|(name, value)| pair(name, value)).collect();
        self.follow("POST", path, &fields.join("&")).await
    }

    /// Sends bytes as a kit does, through a proxy that says where they came from. Returns the status and what
    /// was answered. There is no time limit: a centre that is busy makes kits wait.
    ///
    /// # Errors
    /// No connection, or an answer that is not HTTP.
    pub async fn deliver(
        &mut self,
        path: &str,
        kind: &str,
        body: &[u8],
        from: IpAddr,
    ) -> Result<(u16, Vec<u8>)> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\nx-forwarded-for: {from}\r\n\
             content-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        let (head, bytes) = self.send(head.as_bytes(), body).await?;
        Ok((head.status, bytes))
    }

    async fn follow(&mut self, method: &str, path: &str, body: &str) -> Result<Page> {
        let answered = tokio::time::timeout(TIME_OUT, self.exchange(method, path, body)).await;
        let outcome = answered.context("no answer in time").and_then(|page| page);
        if outcome.is_err() {
            // The rest of an answer that was given up must not be taken for the next one.
            self.connection = None;
        }
        outcome
    }

    async fn exchange(&mut self, method: &str, path: &str, body: &str) -> Result<Page> {
        let (page, mut next) = self.once(method, path, body).await?;
        let mut page = page;
        for _ in 0..REDIRECTS {
            let Some(target) = next.filter(|_| (300..400).contains(&page.status)) else { return Ok(page) };
            (page, next) = self.once("GET", &target, "").await?;
        }
        bail!("a redirect leads to the next")
    }

    /// One request; the answer, and where it leads.
    async fn once(&mut self, method: &str, path: &str, body: &str) -> Result<(Page, Option<String>)> {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\naccept: text/html\r\naccept-encoding: gzip\r\n",
            self.address
        );
        if !self.cookies.is_empty() {
            let pairs: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request.push_str(&format!("cookie: {}\r\n", pairs.join("; ")));
        }
        if method == "POST" {
            let length = body.len();
            request.push_str("content-type: application/x-www-form-urlencoded\r\n");
            request.push_str(&format!("content-length: {length}\r\n"));
        }
        request.push_str("\r\n");
        request.push_str(body);
        let (head, bytes) = self.send(request.as_bytes(), &[]).await?;
        self.cookies.extend(head.cookies);
        let text = match head.is_gzip {
            true => {
                let mut text = String::new();
                GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).context("unpacking")?;
                text
            }
            false => String::from_utf8(bytes).context("a page is UTF-8")?,
        };
        Ok((Page { status: head.status, text }, head.location))
    }

    /// One request on the connection that is open, or on a new one.
    async fn send(&mut self, head: &[u8], body: &[u8]) -> Result<(Head, Vec<u8>)> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let stream = TcpStream::connect(self.address).await.context("connecting")?;
                stream.set_nodelay(true)?;
                BufReader::new(stream)
            }
        };
        connection.get_mut().write_all(head).await?;
        connection.get_mut().write_all(body).await?;
        let head = Head::read(&mut connection).await?;
        let bytes = body_of(&mut connection, &head).await?;
        if !head.closes {
            self.connection = Some(connection);
        }
        Ok((head, bytes))
    }
}

/// What an answer's head says, as far as it matters here.
#[derive(Default)]
struct Head {
    status: u16,
    length: Option<usize>,
    is_chunked: bool,
    is_gzip: bool,
    closes: bool,
    location: Option<String>,
    cookies: Vec<(String, String)>,
}

impl Head {
    async fn read(connection: &mut BufReader<TcpStream>) -> Result<Head> {
        let first = line(connection).await?;
        let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let mut head = Head { status: status.context("an answer is HTTP/1.1")?, ..Head::default() };
        loop {
            let text = line(connection).await?;
            if text.is_empty() {
                return Ok(head);
            }
            let (name, value) = text.split_once(':').context("a header has a colon")?;
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => head.length = Some(value.parse().context("content-length")?),
                "transfer-encoding" => head.is_chunked = value.eq_ignore_ascii_case("chunked"),
                "content-encoding" => head.is_gzip = value.eq_ignore_ascii_case("gzip"),
                "connection" => head.closes = value.eq_ignore_ascii_case("close"),
                "location" => head.location = Some(value.to_owned()),
                "set-cookie" => {
                    let pair = value.split(';').next().and_then(|pair| pair.split_once('='));
                    head.cookies.extend(pair.map(|(name, value)| (name.to_owned(), value.to_owned())));
                }
                _ => {}
            }
        }
    }
}

async fn body_of(connection: &mut BufReader<TcpStream>, head: &Head) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if !head.is_chunked {
        take(connection, head.length.unwrap_or(0), &mut bytes).await?;
        return Ok(bytes);
    }
    loop {
        let size = line(connection).await?;
        let size = usize::from_str_radix(size.split(';').next().unwrap_or("").trim(), 16)
            .context("a chunk's size")?;
        take(connection, size, &mut bytes).await?;
        // After each chunk, and after the last one for want of trailers, comes an empty line.
        ensure!(line(connection).await?.is_empty(), "a chunk is longer than it said");
        if size == 0 {
            return Ok(bytes);
        }
    }
}

async fn take(connection: &mut BufReader<TcpStream>, length: usize, into: &mut Vec<u8>) -> Result<()> {
    ensure!(into.len() + length <= MOST_BYTES, "an answer of more than {MOST_BYTES} bytes");
    let from = into.len();
    into.resize(from + length, 0);
    connection.read_exact(&mut into[from..]).await?;
    Ok(())
}

async fn line(connection: &mut BufReader<TcpStream>) -> Result<String> {
    let mut text = String::new();
    ensure!(connection.read_line(&mut text).await? > 0, "the server closed the connection");
    Ok(text.trim_end().to_owned())
}

fn pair(name: &str, value: &str) -> String {
    format!("{name}={}", encode(value))
}

/// A value in a form or a query.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte as char),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The links of a page to what lies below a path, each once.
pub fn links(html: &str, below: &str) -> Vec<String> {
    let start = format!("href=\"{below}/");
    let mut found: Vec<String> = Vec::new();
    for rest in html.split(start.as_str()).skip(1) {
        let id = rest.split(['"', '?', '#']).next().unwrap_or_default();
        let link = format!("{below}/{id}");
        if !found.contains(&link) {
            found.push(link);
        }
    }
    found
}

/// The value of the first field of this name in a page's forms, after `from`.
pub fn value_of(html: &str, name: &str) -> Option<String> {
    let rest = html.split_once(&format!("name=\"{name}\" value=\""))?.1;
    Some(rest.split('"').next()?.to_owned())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn links_and_fields_are_found_in_a_page() {
        let html = "<a href=\"/cu-dan/1\">A</a><a href=\"/cu-dan/2?x=1\">B</a><a href=\"/cu-dan/1#y\">A</a>\
                    <a href=\"/cu-dan\">C</a><input type=\"hidden\" name=\"ban\" value=\"3\">";
        assert_eq!(links(html, "/cu-dan"), ["/cu-dan/1", "/cu-dan/2"]);
        assert_eq!(value_of(html, "ban").as_deref(), Some("3"));
        assert_eq!(value_of(html, "lenh"), None);
    }

    /// A server of fixed answers, one after the other on one connection.
    async fn answers(texts: &'static [&'static str]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            for text in texts {
                while !line(&mut stream).await.unwrap().is_empty() {}
                stream.get_mut().write_all(text.as_bytes()).await.unwrap();
            }
        });
        address
    }

    #[tokio::test]
    async fn answers_of_both_kinds_come_over_one_connection_and_a_redirect_is_followed() {
        let address = answers(&[
            "HTTP/1.1 303 See Other\r\nlocation: /b\r\nset-cookie: phien=7; Path=/\r\n\
             content-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno",
        ])
        .await;
        let mut browser = Browser::new(address);
        assert_eq!(browser.get("/a").await.unwrap().good().unwrap(), "abcde");
        assert_eq!(browser.cookies["phien"], "7");
        let missing = browser.get("/c").await.unwrap();
        assert_eq!((missing.status, missing.text.as_str()), (404, "no"));
        assert!(missing.good().is_err());
        assert!(browser.get("/d").await.is_err(), "a closed connection is an error");
    }
}
