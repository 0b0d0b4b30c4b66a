//! The walks that need more than opening a page.

use super::demo::{Account, Demo};
use super::page::{Inspector, facts};
use super::walk::{say_why, search};
use super::webdriver::Browser;

const SIGN_OUT: &str = "form[action='/ra'] button";

/// Through the form, from wherever the browser is sent to sign in.
pub fn sign_in(browser: &Browser, base: &str, account: &Account) {
    if !browser.url().starts_with(&format!("{base}/vao")) {
        browser.go(&format!("{base}/vao"));
    }
    browser.fill("#login", &account.login);
    browser.fill("#password", &account.password);
    browser.follow("main form button[type=submit]");
    assert!(browser.has(SIGN_OUT), "{} is signed in", account.login);
}

pub fn sign_out(browser: &Browser, base: &str) {
    browser.follow(SIGN_OUT);
    assert_eq!(browser.url(), format!("{base}/vao"), "signed out");
}

/// Whether a page's own scripts run in this window: shown by a page that has one.
pub fn runs_scripts(browser: &Browser) -> bool {
    browser.go("data:text/html,<title>off</title><script>document.title='on'</script>");
    browser.title() == "on"
}

/// Signing in and following an application. A wrong code and something that is no code get the same answer.
pub fn public_pages(browser: &Browser, demo: &Demo, inspector: &mut Inspector) {
    browser.go(&format!("{}/vao", demo.base));
    inspector.inspect(browser, "public /vao", 200);
    browser.fill("#login", "chihuy");
    browser.fill("#password", "sai mật khẩu");
    browser.follow("main form button[type=submit]");
    assert!(browser.has("main [role=alert]"), "a wrong password is told");
    assert_eq!(facts(browser).status, 401);
    // The browser reports the answer 401 on its console.
    browser.console();

    browser.go(&format!("{}/tra-cuu", demo.base));
    inspector.inspect(browser, "public /tra-cuu", 200);
    let unknown = ask(browser, demo, "7XK2-9QPM-4D6T-0RZH");
    let malformed = ask(browser, demo, "không phải mã");
    assert_eq!(unknown, malformed, "a wrong code tells nothing about whether it could be one");
    assert!(browser.has("main [role=alert]"), "a wrong code is told");
}

/// Somebody without an account checks what is printed on a card: the page says how little that proves, and a
/// wrong digit is found.
pub fn a_card_is_checked_by_its_print(browser: &Browser, demo: &Demo, inspector: &mut Inspector) {
    let page = format!("{}/kiem-the", demo.base);
    browser.go(&page);
    inspector.inspect(browser, "public /kiem-the", 200);
    let zone =
        "IDVNM1990123456001199012345<<7\n9901018F3901016VNM<<<<<<<<<<<8\nNGUYEN<<THI<MAU<<<<<<<<<<<<<<<";
    let print = [
        ("mrz", zone.to_owned(), ".stamp.wait"),
        ("mrz", zone.replace("THI", "TH1"), ".stamp.wait"),
        ("mrz", zone.replace("990101", "990102"), ".stamp.late"),
        ("qr", "001199012345||Nguyễn Thị Mẫu|01011999|Nữ|Xã Mẫu|06042020".to_owned(), ".stamp.wait"),
        ("qr", "https://vi.dụ".to_owned(), ".stamp.late"),
    ];
    for (number, (field, text, stamp)) in print.into_iter().enumerate() {
        browser.go(&page);
        browser.fill(&format!("#{field}"), &text);
        browser.follow(&format!("form:has(#{field}) button[type=submit]"));
        assert!(browser.has(stamp), "{number}: {}", browser.text("main"));
        assert!(!browser.source().contains(&text), "what was sent is not shown");
        inspector.inspect_once(browser, &format!("public /kiem-the {field} {number}"), 200);
    }
}

/// The files of a real card, chosen in a real browser: genuine with its photo, and rejected with a changed
/// one.
pub fn a_card_is_checked_by_its_chip(browser: &Browser, demo: &Demo, inspector: &mut Inspector) {
    let list = demo.run(&["card", "list"]);
    let card = list.lines().find(|line| line.contains(" active ")).expect("somebody has a card by now");
    let out = demo.place("chip");
    demo.run(&["card", "export", card.split(' ').next().unwrap_or_default(), "--out", &out]);
    let check = |stamp: &str| {
        let files = std::fs::read_dir(&out).expect("the card was exported").flatten();
        let files: Vec<String> = files.map(|file| file.path().display().to_string()).collect();
        browser.go(&format!("{}/kiem-the", demo.base));
        // WebDriver chooses several files by their paths, one a line.
        browser.choose("#tep", &files.join("\n"));
        browser.follow("form:has(#tep) button[type=submit]");
        assert!(browser.has(stamp), "{stamp}: {}", browser.text("main"));
    };
    check(".stamp.good");
    assert!(browser.has("img.holder-face"), "a genuine card's photo is shown");
    inspector.inspect_once(browser, "public /kiem-the chip genuine", 200);
    let dg13 = format!("{out}/DG13");
    let mut bytes = std::fs::read(&dg13).expect("a card has its civil data");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&dg13, bytes).expect("the directory can be written");
    check(".stamp.late");
    assert!(!browser.has("img.holder-face"), "of a rejected card nothing is shown");
    inspector.inspect_once(browser, "public /kiem-the chip rejected", 200);
}

/// A right code shows the stage, and none of the people whose application is in that state.
pub fn receipts_show_a_stage_and_no_name(browser: &Browser, demo: &Demo, inspector: &mut Inspector) {
    assert!(!demo.receipts.is_empty(), "the demo prints receipt codes");
    for (code, state) in &demo.receipts {
        sign_in(browser, &demo.base, demo.account("chihuy"));
        browser.go(&format!("{}/ho-so?trang-thai={state}", demo.base));
        let names = browser.texts("main tbody th a");
        sign_out(browser, &demo.base);
        assert!(!names.is_empty(), "somebody's application is {state}");
        let (status, answer) = ask(browser, demo, code);
        assert_eq!(status, 200);
        assert!(
            browser.has("main ol.stations [aria-current=step]"),
            "a right code shows the stage ({state})"
        );
        // Lists have names in capitals; elsewhere they stand as they were written.
        let (source, answer) = (browser.source().to_uppercase(), answer.to_uppercase());
        let named = names.iter().any(|name| source.contains(name) || answer.contains(name));
        assert!(!named, "the answer to a receipt code names nobody ({state})");
        inspector.inspect_once(browser, &format!("public /tra-cuu {state}"), 200);
    }
}

/// The whole answer to a receipt code.
fn ask(browser: &Browser, demo: &Demo, code: &str) -> (u64, String) {
    browser.go(&format!("{}/tra-cuu", demo.base));
    browser.fill("#ma", code);
    browser.follow("main form button[type=submit]");
    (facts(browser).status, browser.text("main"))
}

/// The choice of a language goes along to other pages, and is kept when somebody signs out and in again.
pub fn language_stays(browser: &Browser, demo: &Demo) {
    let account = demo.account("hotich");
    let people = format!("{}/cu-dan", demo.base);
    sign_in(browser, &demo.base, account);
    browser.go(&people);
    let vietnamese = facts(browser);
    browser.follow("a.lang");
    let english = facts(browser);
    assert_eq!((vietnamese.lang.as_str(), english.lang.as_str()), ("vi", "en"));
    assert_ne!(vietnamese.headings, english.headings);
    browser.go(&format!("{}/ho-so", demo.base));
    assert_eq!(facts(browser).lang, "en", "the choice goes along");
    sign_out(browser, &demo.base);
    assert_eq!(facts(browser).lang, "en", "the choice outlives the session");
    sign_in(browser, &demo.base, account);
    browser.go(&people);
    assert_eq!(facts(browser).headings, english.headings);
    browser.follow("a.lang");
    assert_eq!(facts(browser).headings, vietnamese.headings);
    sign_out(browser, &demo.base);
}

/// An officer of one commune, with addresses that a commander of the district can open: a person, an
/// application and a card of another commune are as if they did not exist. That those of the own commune
/// open, the walk has shown.
pub fn another_unit_is_refused(browser: &Browser, demo: &Demo, inspector: &mut Inspector) {
    let officer = demo.account("canbo");
    let own_unit = officer.unit.split(',').next().expect("a unit has a name");
    sign_in(browser, &demo.base, demo.account("chihuy"));
    browser.go(&format!("{}/cu-dan", demo.base));
    search(browser, "nguyễn");
    let person = of_another_unit(browser, own_unit);
    browser.go(&format!("{}/ho-so?trang-thai=handed_over", demo.base));
    let application = of_another_unit(browser, own_unit);
    let mut names = Vec::new();
    for page in [&person, &application] {
        browser.go(page);
        say_why(browser);
        assert_eq!(facts(browser).status, 200, "a commander opens what is of the district");
        names.push(browser.text("h1"));
    }
    let card = browser.attribute("main a[href^='/the/']", "href").expect("a link leads somewhere");
    let card = format!("{}{card}", demo.base);
    sign_out(browser, &demo.base);

    sign_in(browser, &demo.base, officer);
    browser.go(&format!("{}/cu-dan/khong-co", demo.base));
    let nothing_there = (facts(browser).status, browser.text("main"));
    assert_eq!(nothing_there.0, 404);
    browser.console();
    for (what, page) in [("person", person), ("application", application), ("card", card)] {
        browser.go(&page);
        inspector.inspect(browser, &format!("officer another unit's {what}"), 404);
        assert_eq!((facts(browser).status, browser.text("main")), nothing_there, "another unit's {what}");
        let source = browser.source();
        assert!(!names.iter().any(|name| source.contains(name)), "the refusal of a {what} names nobody");
    }
    sign_out(browser, &demo.base);
}

/// Address of the first row whose unit, the last column, is another.
fn of_another_unit(browser: &Browser, own_unit: &str) -> String {
    let rows = browser.run(
        "return [...document.querySelectorAll('main tbody tr')].map(row =>
           [row.querySelector('th a').href, row.lastElementChild.textContent])",
    );
    let is_other = |unit: &str| !unit.is_empty() && unit.split(',').all(|part| part.trim() != own_unit);
    rows.as_array()
        .and_then(|rows| rows.iter().find(|row| row[1].as_str().is_some_and(is_other)))
        .and_then(|row| row[0].as_str())
        .expect("somebody of another commune is in the list")
        .to_owned()
}

/// A link from a message works for somebody who is not signed in: after signing in one is there.
pub fn a_deep_link_goes_on_after_signing_in(browser: &Browser, demo: &Demo) {
    let deep = format!("{}/ho-so?trang-thai=handed_over", demo.base);
    browser.forget_cookies();
    browser.go(&deep);
    assert!(browser.url().starts_with(&format!("{}/vao?tiep=", demo.base)), "sent to sign in");
    sign_in(browser, &demo.base, demo.account("chihuy"));
    assert_eq!(browser.url(), deep);
    sign_out(browser, &demo.base);
    browser.go(&deep);
    assert!(browser.url().starts_with(&format!("{}/vao", demo.base)), "a session that was left is over");
}

/// The first proposes, cannot confirm it, and the second closes the case.
pub fn two_adjudicators_decide(browser: &Browser, demo: &Demo, inspector: &mut Inspector) {
    let cases = format!("{}/ho-so-xet", demo.base);
    let in_list = |list: &str, case: &str| {
        browser.go(&format!("{cases}{list}"));
        browser.has(&format!("main a[href='{case}']"))
    };
    sign_in(browser, &demo.base, demo.account("thamdinh1"));
    browser.go(&cases);
    assert!(
        browser.has("main tbody a"),
        "no case is open on the day on which this campaign stops; choose a day on which one was opened"
    );
    let case = browser.attribute("main tbody a", "href").expect("a link leads somewhere");
    browser.follow("main tbody a");
    browser.click("main form input[type=radio]");
    act(browser, "propose", "Hai hồ sơ có cùng vân tay.");
    assert!(browser.has("main [role=status]"), "the proposal is confirmed to who made it");
    let offered = |act: &str| browser.has(&format!("main form button[value={act}]"));
    assert!(
        !offered("confirm") && !offered("disagree") && offered("withdraw"),
        "who proposed cannot confirm"
    );
    inspector.inspect(browser, "adjudicator own proposal", 200);
    assert!(in_list("?xem=cho", &case) && !in_list("", &case));
    sign_out(browser, &demo.base);

    sign_in(browser, &demo.base, demo.account("thamdinh2"));
    assert!(in_list("?xem=cho", &case));
    browser.follow(&format!("main a[href='{case}']"));
    inspector.inspect(browser, "adjudicator another's proposal", 200);
    act(browser, "confirm", "Đã xem lại.");
    assert!(browser.has("main [role=status]") && !offered("confirm"), "the case is closed");
    inspector.inspect(browser, "adjudicator closed case", 200);
    assert!(in_list("?xem=xong", &case) && !in_list("?xem=cho", &case));
    sign_out(browser, &demo.base);
}

/// By the navigation to the packets that wait: one is tried again, and the others are opened on a word.
pub fn a_commander_opens_what_was_set_aside(browser: &Browser, demo: &Demo, inspector: &mut Inspector) {
    sign_in(browser, &demo.base, demo.account("chihuy"));
    browser.follow("nav a[href='/giam-sat/goi-cach-ly']");
    let waiting = || browser.run("return document.querySelectorAll('main input[name=goi]').length").as_u64();
    assert_eq!(waiting(), Some(3));
    browser.follow("main tbody a[href$='ly-do=not_opened']");
    browser.click("main tbody input[name=goi]");
    browser.follow("main form button[value='thu-lai']");
    assert!(browser.has("main [role=status]"), "what was done is told");
    browser.follow("nav a[href='/giam-sat/goi-cach-ly']");
    assert_eq!(waiting(), Some(2));
    browser.click("main input[name='tat-ca']");
    browser.follow("main form button[value='cho-mo']");
    assert!(browser.has("main [role=alert]"), "a reason is asked for");
    inspector.inspect_once(browser, "commander packets without a reason", 400);
    browser.click("main input[name='tat-ca']");
    browser.fill("#ly-do", "Đã hỏi tổ công tác.");
    browser.follow("main form button[value='cho-mo']");
    assert!(browser.has("main [role=status]") && waiting() == Some(0), "they are opened");
    inspector.inspect(browser, "commander packets none left", 200);
    sign_out(browser, &demo.base);
}

/// Gives the reason and presses the button of what is to be done.
fn act(browser: &Browser, kind: &str, note: &str) {
    browser.fill("#ly-do", note);
    browser.follow(&format!("main form button[value={kind}]"));
}

/// Everything that matters works with scripts switched off.
pub fn works_without_scripts(browser: &Browser, demo: &Demo) {
    assert!(!runs_scripts(browser), "scripts are off in this window");
    sign_in(browser, &demo.base, demo.account("chihuy"));
    assert_eq!(browser.url(), format!("{}/tong-quan", demo.base));
    assert!(browser.has("table.funnel") && browser.has("table.units"), "the dashboard is whole");
    browser.follow("nav a[href='/cu-dan']");
    search(browser, "nguyễn");
    let person = browser.text("main tbody th a");
    browser.follow("main tbody th a");
    assert!(say_why(browser), "a commander has no work with a person");
    assert_eq!(browser.text("h1").to_uppercase(), person, "lists have names in capitals");
    browser.follow("nav a[href='/ho-so']");
    let applicant = browser.text("main tbody th a");
    browser.follow("main tbody th a");
    assert_eq!(browser.text("h1").to_uppercase(), applicant);
    assert!(browser.has("main ol.timeline li"), "an application shows its way");
    let vietnamese = browser.text("h2");
    browser.follow("a.lang");
    assert_ne!(browser.text("h2"), vietnamese, "the language changes");
    sign_out(browser, &demo.base);
}
