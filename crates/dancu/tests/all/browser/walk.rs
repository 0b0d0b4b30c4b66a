//! Walks the site as one reader: from the navigation along every link, one page of each kind.

use std::collections::{BTreeSet, VecDeque};

use super::page::Inspector;
use super::webdriver::Browser;
use web::routes::ROUTES;

/// More kinds than the site has; a walk that does not end is a fault of its own.
const MOST_PAGES: usize = 60;
/// The page of one application.
const APPLICATION: &str = "/ho-so/{application_id}";

/// Opens and inspects one page of each kind that this reader can reach. Gives the patterns of the route table
/// that were opened.
pub fn walk(
    browser: &Browser,
    base: &str,
    reader: &str,
    inspector: &mut Inspector,
) -> BTreeSet<&'static str> {
    browser.go(base);
    let mut waiting: VecDeque<(String, String)> = VecDeque::new();
    let mut known = BTreeSet::new();
    let mut opened = BTreeSet::new();
    let mut seen = 0;
    let mut note = |links: Vec<String>, from: &str, waiting: &mut VecDeque<(String, String)>| {
        // The newest application of a list may have no card yet; the oldest on the page has one.
        let oldest = links.iter().rposition(|link| pattern_of(link, base) == Some(APPLICATION));
        for (place, link) in links.into_iter().enumerate() {
            let inside = link.strip_prefix(base).unwrap_or_else(|| panic!("{reader}: a link leads outside"));
            let mut kind = kind(inside, from);
            if Some(place) == oldest && known.contains(&kind) {
                kind.push_str(" oldest");
            }
            if known.insert(kind.clone()) {
                waiting.push_back((inside.to_owned(), kind));
            }
        }
    };
    note(super::page::facts(browser).links, "", &mut waiting);
    while let Some((target, kind)) = waiting.pop_front() {
        seen += 1;
        assert!(seen <= MOST_PAGES, "{reader}: more than {MOST_PAGES} kinds of pages");
        browser.go(&format!("{base}{target}"));
        opened.extend(pattern(&target));
        let facts = inspector.inspect(browser, &format!("{reader} {kind}"), 200);
        note(facts.links, &target, &mut waiting);
        if say_why(browser) {
            let facts = inspector.inspect(browser, &format!("{reader} {kind} with a reason"), 200);
            note(facts.links, &target, &mut waiting);
        }
        if pattern(&target) == Some("/cu-dan") && !target.contains('?') {
            search(browser, "nguyễn");
            let found = browser.url();
            note(vec![found], &target, &mut waiting);
        }
    }
    opened
}

fn pattern_of(link: &str, base: &str) -> Option<&'static str> {
    link.strip_prefix(base).and_then(pattern)
}

/// Gives the first reason where a record asks why it is opened. Whether it did.
pub fn say_why(browser: &Browser) -> bool {
    let asks = browser.has("main input[name='ly-do'][value='present']");
    if asks {
        browser.click("main input[name='ly-do'][value='present']");
        browser.follow("main form button[type=submit]");
        assert!(browser.has("#identity"), "the record opens with a reason");
    }
    asks
}

/// Searches people by name, through the form.
pub fn search(browser: &Browser, name: &str) {
    browser.fill("#ten", name);
    browser.follow("main form button[type=submit]");
    assert_ne!(browser.text("main [role=status]"), "", "the search for people answers");
}

/// The kind of a page: its route and which parameters are given. Cases are of as many kinds as there are
/// lists of them.
fn kind(target: &str, from: &str) -> String {
    let (path, query) = target.split('#').next().unwrap_or_default().split_once('?').unwrap_or((target, ""));
    let path = path.split('#').next().unwrap_or_default();
    let list = |query: &str| query.split('&').find(|pair| pair.starts_with("xem=")).map(str::to_owned);
    let mut parameters: Vec<String> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| if pair.starts_with("xem=") { pair } else { pair.split('=').next().unwrap_or(pair) })
        .map(str::to_owned)
        .collect();
    parameters.sort();
    parameters.dedup();
    let route = pattern(target).unwrap_or(path);
    if route == "/ho-so-xet/{case_id}" {
        parameters.extend(list(from.split_once('?').map_or("", |(_, query)| query)));
    }
    if parameters.is_empty() { route.to_owned() } else { format!("{route}?{}", parameters.join("&")) }
}

/// The route of the table that a path belongs to.
fn pattern(target: &str) -> Option<&'static str> {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let fits = |pattern: &str| {
        let (mut parts, mut wanted) = (path.split('/'), pattern.split('/'));
        loop {
            match (parts.next(), wanted.next()) {
                (None, None) => return true,
                (Some(part), Some(wanted))
                    if part == wanted || (wanted.starts_with('{') && !part.is_empty()) => {}
                _ => return false,
            }
        }
    };
    ROUTES.iter().map(|route| route.path).find(|pattern| fits(pattern))
}
