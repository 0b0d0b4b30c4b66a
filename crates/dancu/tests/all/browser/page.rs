//! What must be true of every page, whoever reads it.

use std::path::PathBuf;

use base64ct::{Base64, Encoding};
use serde_json::Value;

use super::axe::Axe;
use super::webdriver::Browser;

/// A desk's and a telephone's width, in CSS pixels.
const WIDTHS: [u32; 2] = [1280, 390];
const HEIGHT: u32 = 900;
/// A page with everything it loads, as it goes over the line: fast also where the line is slow.
const MAX_BYTES: u64 = 100 * 1024;

/// Looks at pages and collects what is wrong with them, so that one run tells everything.
pub struct Inspector {
    pub axe: Axe,
    /// Pictures of the pages, for people to look at.
    pub pictures: PathBuf,
    pub problems: Vec<String>,
    pub pages: usize,
}

/// A page as the browser has it.
#[derive(Debug, PartialEq)]
pub struct Facts {
    pub status: u64,
    pub lang: String,
    pub title: String,
    pub headings: Vec<String>,
    pub navigation: Vec<String>,
    pub links: Vec<String>,
    bytes: u64,
    /// Pixels by which the page is wider than the window, with the elements that stick out.
    overflow: u64,
    sticking_out: Vec<String>,
    broken_images: u64,
}

impl Inspector {
    /// Inspects the page that is open, in both languages and at both widths, and leaves it as it was. `name`
    /// names it in findings and pictures; addresses hold ids of people.
    pub fn inspect(&mut self, browser: &Browser, name: &str, status: u64) -> Facts {
        let facts = self.inspect_once(browser, name, status);
        let wrong = in_english(browser, &facts, status);
        self.problems.extend(wrong.into_iter().map(|line| format!("{name}: in English: {line}")));
        browser.resize(WIDTHS[0], HEIGHT);
        // An answer that is no success is on the console again, in each language.
        browser.console();
        facts
    }

    /// Inspects the answer to a form, which a change of language would leave.
    pub fn inspect_once(&mut self, browser: &Browser, name: &str, status: u64) -> Facts {
        self.pages += 1;
        let console: Vec<String> =
            browser.console().into_iter().filter(|line| status == 200 || !is_about_status(line)).collect();
        browser.resize(WIDTHS[0], HEIGHT);
        let facts = facts(browser);
        let mut wrong: Vec<String> = console.iter().map(|line| format!("console: {line}")).collect();
        wrong.extend(basics(&facts, "vi", status));
        wrong.extend(overflow(&facts, WIDTHS[0]));
        self.picture(browser, name);
        wrong.extend(self.axe.findings(browser));
        browser.resize(WIDTHS[1], HEIGHT);
        wrong.extend(overflow(&self::facts(browser), WIDTHS[1]));
        wrong.extend(
            self.axe.findings(browser).into_iter().map(|line| format!("at {} px: {line}", WIDTHS[1])),
        );
        browser.resize(WIDTHS[0], HEIGHT);
        // What the checks themselves caused is not the page's.
        browser.console();
        self.problems.extend(wrong.into_iter().map(|line| format!("{name}: {line}")));
        facts
    }

    fn picture(&self, browser: &Browser, name: &str) {
        let height = browser.run("return document.documentElement.scrollHeight").as_u64().unwrap_or(0);
        let height = u32::try_from(height).unwrap_or(0).clamp(HEIGHT, 4_000);
        browser.resize(WIDTHS[0], height);
        let png = Base64::decode_vec(&browser.screenshot()).expect("a screenshot is base 64");
        let file: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        std::fs::write(self.pictures.join(format!("{file}.png")), png).expect("pictures can be written");
        browser.resize(WIDTHS[0], HEIGHT);
    }
}

/// What the page says about itself.
pub fn facts(browser: &Browser) -> Facts {
    let found = browser.run_async(
        "const done = arguments[arguments.length - 1];
         const look = () => {
         const way = performance.getEntriesByType('navigation')[0];
         const loaded = [way, ...performance.getEntriesByType('resource')];
         const root = document.documentElement;
         const text = css => [...document.querySelectorAll(css)].map(e => e.textContent.trim());
         const outside = [...document.body.querySelectorAll('*')].filter(e =>
           !e.closest('.scroll') && !e.closest('svg *') && e.getBoundingClientRect().right > \
           root.clientWidth);
         return done({
           status: way.responseStatus,
           lang: root.lang,
           title: document.title,
           headings: text('h1'),
           navigation: text('nav a'),
           links: [...document.querySelectorAll('nav a, main a')].map(a => a.href),
           bytes: loaded.reduce((sum, part) => sum + part.encodedBodySize, 0),
           overflow: Math.max(0, root.scrollWidth - root.clientWidth),
           sticking_out: outside.slice(0, 3).map(e => [e.tagName.toLowerCase(), ...e.classList].join('.')),
           broken_images: [...document.images].filter(i => !i.complete || i.naturalWidth === 0).length,
         });
         };
         // The sizes of what is loaded, and the page's width, are known when everything is there.
         if (document.readyState === 'complete') look(); else addEventListener('load', () => \
         setTimeout(look));",
    );
    let number = |key: &str| found[key].as_u64().unwrap_or_else(|| panic!("{key} of the page: {found}"));
    Facts {
        status: number("status"),
        lang: text(&found["lang"]),
        title: text(&found["title"]),
        headings: list(&found["headings"]),
        navigation: list(&found["navigation"]),
        links: list(&found["links"]),
        bytes: number("bytes"),
        overflow: number("overflow"),
        sticking_out: list(&found["sticking_out"]),
        broken_images: number("broken_images"),
    }
}

fn basics(facts: &Facts, lang: &str, status: u64) -> Vec<String> {
    let mut wrong = Vec::new();
    if facts.status != status {
        wrong.push(format!("answers {} instead of {status}", facts.status));
    }
    if facts.lang != lang {
        wrong.push(format!("its language is `{}` instead of `{lang}`", facts.lang));
    }
    if facts.headings.len() != 1 || facts.headings.iter().any(String::is_empty) {
        wrong.push(format!("has {} h1 instead of one with a text", facts.headings.len()));
    }
    if facts.title.trim_start_matches([' ', '·']).is_empty() || facts.title.starts_with(" ·") {
        wrong.push("has no title of its own".to_owned());
    }
    if facts.bytes > MAX_BYTES {
        wrong.push(format!("weighs {} bytes, more than {MAX_BYTES}", facts.bytes));
    }
    if facts.broken_images > 0 {
        wrong.push(format!("{} images do not load", facts.broken_images));
    }
    wrong
}

fn overflow(facts: &Facts, width: u32) -> Option<String> {
    (facts.overflow > 0)
        .then(|| format!("at {width} px: {} px too wide, {}", facts.overflow, facts.sticking_out.join(", ")))
}

/// Follows the page's own switch and comes back by it.
fn in_english(browser: &Browser, vietnamese: &Facts, status: u64) -> Vec<String> {
    let address = browser.url();
    let path = |url: &str| url.split(['?', '#']).next().unwrap_or_default().to_owned();
    browser.follow("a.lang");
    let english = facts(browser);
    let mut wrong = basics(&english, "en", status);
    wrong.extend(overflow(&english, WIDTHS[1]));
    browser.resize(WIDTHS[0], HEIGHT);
    wrong.extend(overflow(&facts(browser), WIDTHS[0]));
    if path(&browser.url()) != path(&address) {
        wrong.push("the switch of language leads to another page".to_owned());
    }
    if !vietnamese.navigation.is_empty() && english.navigation == vietnamese.navigation {
        wrong.push("the switch of language leaves the navigation as it was".to_owned());
    }
    browser.follow("a.lang");
    let back = facts(browser);
    if back.lang != "vi" || back.headings != vietnamese.headings {
        wrong.push(format!("the switch back gives `{}` and other headings", back.lang));
    }
    wrong
}

/// The browser itself reports a page that answers 4xx.
fn is_about_status(line: &str) -> bool {
    line.contains("Failed to load resource: the server responded with a status of 4")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> Vec<String> {
    value.as_array().map(|all| all.iter().map(text).collect()).unwrap_or_default()
}
