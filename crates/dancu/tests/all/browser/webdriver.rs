//! A small client of the W3C WebDriver protocol: `chromedriver` is a plain HTTP server that takes and gives
//! JSON.

use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::process::stop;

/// W3C WebDriver §11, "web element identifier".
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// Longer than any page takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running `chromedriver`; ends with the value.
pub struct Driver {
    child: Child,
    base: String,
    agent: ureq::Agent,
}

impl Driver {
    pub fn start() -> Driver {
        for (program, name) in [("chromium", "Chromium"), ("chromedriver", "chromedriver")] {
            let found = Command::new(program).arg("--version").stderr(Stdio::null()).output();
            assert!(
                !matches!(&found, Err(error) if error.kind() == ErrorKind::NotFound),
                "{name} is not installed; `./test` installs it"
            );
        }
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver answered --version and can be started");
        let out = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let port = out
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, port) = line.split_once("started successfully on port ")?;
                port.trim_end_matches('.').parse::<u16>().ok()
            })
            .expect("chromedriver tells its port");
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .proxy(None)
            .build();
        Driver { child, base: format!("http://127.0.0.1:{port}"), agent: config.into() }
    }

    /// Opens a window of its own profile. The files of the profile lie in `profile`.
    pub fn browser(&self, profile: &Path, with_script: bool) -> Browser<'_> {
        let profile = format!("--user-data-dir={}", profile.display());
        let mut args = vec![profile.as_str()];
        // Chromium refuses its sandbox to root, and what it opens here is our own pages.
        args.extend(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
        // A page that scrolls smoothly moves away under the driver's click.
        args.push("--force-prefers-reduced-motion");
        // Nothing may be fetched but the pages under test.
        args.extend(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
        args.extend(["--disable-quic", "--no-first-run", "--no-default-browser-check", "--hide-scrollbars"]);
        let script = if with_script { 1 } else { 2 };
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {
                "args": args,
                "prefs": {"profile.managed_default_content_settings.javascript": script},
            },
        }}});
        let answer = self.call("POST", "/session", Some(&capabilities));
        let id = answer["sessionId"].as_str().expect("a new session has an id").to_owned();
        Browser { driver: self, id }
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        self.try_call(method, path, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    fn try_call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let url = format!("{}{path}", self.base);
        let answer = match (method, body) {
            ("GET", _) => self.agent.get(url).call(),
            ("DELETE", _) => self.agent.delete(url).call(),
            (_, body) => {
                let body = body.unwrap_or(&Value::Null).to_string();
                self.agent.post(url).header("content-type", "application/json; charset=utf-8").send(body)
            }
        };
        let mut answer = answer.map_err(|error| error.to_string())?;
        let text = answer.body_mut().with_config().limit(64 << 20).read_to_string();
        let text = text.map_err(|error| error.to_string())?;
        let mut whole: Value = serde_json::from_str(&text).map_err(|_| format!("not JSON: {text:.200}"))?;
        let value = whole["value"].take();
        match value["error"].as_str() {
            Some(code) => Err(format!("{code}: {}", value["message"].as_str().unwrap_or_default())),
            None => Ok(value),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        stop(&mut self.child, Duration::from_secs(10));
    }
}

/// One window. Closed with the value.
pub struct Browser<'a> {
    driver: &'a Driver,
    id: String,
}

impl Browser<'_> {
    pub fn go(&self, url: &str) {
        self.post("/url", json!({ "url": url }));
    }

    pub fn url(&self) -> String {
        text_of(self.get("/url"))
    }

    pub fn title(&self) -> String {
        text_of(self.get("/title"))
    }

    pub fn source(&self) -> String {
        text_of(self.get("/source"))
    }

    /// Runs a function body in the page and gives what it returns.
    pub fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({"script": script, "args": []}))
    }

    /// Runs a function body in the page; its last argument is the function to call with the answer.
    pub fn run_async(&self, script: &str) -> Value {
        self.post("/execute/async", json!({"script": script, "args": []}))
    }

    pub fn click(&self, css: &str) {
        let element = self.element(css);
        self.post(&format!("/element/{element}/click"), json!({}));
    }

    /// Clicks on what leads to another page, and waits until the other page is there to its end. The driver
    /// waits by itself only for a navigation that has begun when the click returns.
    pub fn follow(&self, css: &str) {
        let before = self.element("html");
        self.click(css);
        let start = Instant::now();
        loop {
            let now = self.try_element("html");
            if now.is_ok_and(|now| now != before) && self.has("body > footer") {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "`{css}` leads nowhere at {}", self.url());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn fill(&self, css: &str, text: &str) {
        let element = self.element(css);
        self.post(&format!("/element/{element}/clear"), json!({}));
        self.post(&format!("/element/{element}/value"), json!({ "text": text }));
    }

    /// Chooses files in a file field.
    pub fn choose(&self, css: &str, paths: &str) {
        let element = self.element(css);
        self.post(&format!("/element/{element}/value"), json!({ "text": paths }));
    }

    pub fn text(&self, css: &str) -> String {
        let element = self.element(css);
        text_of(self.get(&format!("/element/{element}/text")))
    }

    /// The texts of all elements that fit; there may be none.
    pub fn texts(&self, css: &str) -> Vec<String> {
        let found = self.post("/elements", json!({"using": "css selector", "value": css}));
        let ids = found.as_array().into_iter().flatten().filter_map(|element| element[ELEMENT].as_str());
        ids.map(|id| text_of(self.get(&format!("/element/{id}/text")))).collect()
    }

    pub fn attribute(&self, css: &str, name: &str) -> Option<String> {
        let element = self.element(css);
        self.get(&format!("/element/{element}/attribute/{name}")).as_str().map(str::to_owned)
    }

    pub fn has(&self, css: &str) -> bool {
        let found = self.post("/elements", json!({"using": "css selector", "value": css}));
        found.as_array().is_some_and(|all| !all.is_empty())
    }

    /// What the browser wrote on its console since the last call: errors, warnings, policy violations.
    pub fn console(&self) -> Vec<String> {
        let entries = self.post("/se/log", json!({"type": "browser"}));
        let message = |entry: &Value| format!("{} {}", entry["level"], entry["message"]);
        entries.as_array().map(|all| all.iter().map(message).collect()).unwrap_or_default()
    }

    /// Makes the page as wide and as high as told, in CSS pixels. Chromium's windows are never narrower than
    /// 500, so a telephone's width is set by the DevTools protocol.
    pub fn resize(&self, width: u32, height: u32) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics);
    }

    /// PNG in base 64.
    pub fn screenshot(&self) -> String {
        text_of(self.get("/screenshot"))
    }

    pub fn forget_cookies(&self) {
        self.delete("/cookie");
    }

    /// The first element that fits, as the driver calls it. An element of another document has another name.
    fn element(&self, css: &str) -> String {
        self.try_element(css).unwrap_or_else(|error| panic!("no `{css}` at {}: {error}", self.url()))
    }

    fn try_element(&self, css: &str) -> Result<String, String> {
        let query = json!({"using": "css selector", "value": css});
        let found = self.driver.try_call("POST", &self.path("/element"), Some(&query))?;
        found[ELEMENT]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| "an element without an identifier".to_owned())
    }

    fn devtools(&self, command: &str, params: Value) {
        self.post("/goog/cdp/execute", json!({"cmd": command, "params": params}));
    }

    fn get(&self, path: &str) -> Value {
        self.driver.call("GET", &self.path(path), None)
    }

    fn post(&self, path: &str, body: Value) -> Value {
        self.driver.call("POST", &self.path(path), Some(&body))
    }

    fn delete(&self, path: &str) -> Value {
        self.driver.call("DELETE", &self.path(path), None)
    }

    fn path(&self, path: &str) -> String {
        format!("/session/{}{path}", self.id)
    }
}

impl Drop for Browser<'_> {
    fn drop(&mut self) {
        // The window may have gone with a crashed driver; there is nothing more to close then.
        let _ = self.driver.try_call("DELETE", &self.path(""), None);
    }
}

fn text_of(value: Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
