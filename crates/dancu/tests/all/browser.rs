//! The pages in a real browser: each role signs in, opens every page, changes the language, and is refused
//! what belongs to another unit. `docs/decisions/0010-browser-tests.md` says why and how.

mod axe;
mod demo;
mod page;
mod process;
mod steps;
mod walk;
mod webdriver;

use std::collections::BTreeMap;
use std::path::Path;

use axe::Axe;
use demo::Demo;
use page::Inspector;
use steps::{sign_in, sign_out};
use web::Role;
use web::routes::{Access, ROUTES};
use webdriver::{Browser, Driver};

/// The campaign stops on a day on which somebody who had applied before applied again, so that a case is
/// open.
const CAMPAIGN: &[&str] = &["--people", "1000", "--seed", "7", "--until", "2021-03-07"];

/// Routes that are no page: the way in, what a page loads, and what machines ask.
/// A paper's scan is a download, and a demonstration has none; nor is a case of correction opened in one.
/// `web` tests both.
const NO_PAGES: &[&str] = &[
    "/",
    "/healthz",
    "/readyz",
    "/cu-dan/{person_id}/giay-to/{document_id}",
    "/cai-chinh/{correction_id}",
    "/cai-chinh/{correction_id}/giay-to",
];

#[test]
fn every_role_in_a_browser() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let driver = Driver::start();
    let pictures = target.join("pages");
    std::fs::create_dir_all(&pictures).expect("the target directory can be written");
    let axe = Axe::fetch(target);
    let demo = Demo::start(CAMPAIGN);
    let mut inspector = Inspector { axe, pictures, problems: Vec::new(), pages: 0 };
    let profiles = tempfile::tempdir().expect("a scratch directory can be made");
    {
        let browser = driver.browser(&profiles.path().join("script"), true);
        assert!(steps::runs_scripts(&browser), "axe and the checks need scripts in this window");
        assert!(inspector.axe.finds_faults(&browser), "axe finds the faults of a page that has some");
        steps::public_pages(&browser, &demo, &mut inspector);
        steps::a_card_is_checked_by_its_print(&browser, &demo, &mut inspector);
        steps::a_card_is_checked_by_its_chip(&browser, &demo, &mut inspector);
        demo.set_packets_aside();
        every_page_of_every_role(&browser, &demo, &mut inspector);
        steps::a_commander_opens_what_was_set_aside(&browser, &demo, &mut inspector);
        steps::receipts_show_a_stage_and_no_name(&browser, &demo, &mut inspector);
        steps::language_stays(&browser, &demo);
        steps::another_unit_is_refused(&browser, &demo, &mut inspector);
        steps::a_deep_link_goes_on_after_signing_in(&browser, &demo);
        steps::two_adjudicators_decide(&browser, &demo, &mut inspector);
    }
    let browser = driver.browser(&profiles.path().join("no-script"), false);
    steps::works_without_scripts(&browser, &demo);
    let Inspector { problems, pages, pictures, .. } = inspector;
    println!("{pages} pages inspected; pictures in {}", pictures.display());
    assert!(problems.is_empty(), "{} findings:\n{}", problems.len(), problems.join("\n"));
}

/// Walks the site as each role, and holds what was opened against the route table: a page that no link leads
/// to, or that this test does not know how to reach, fails.
fn every_page_of_every_role(browser: &Browser, demo: &Demo, inspector: &mut Inspector) {
    let mut opened = BTreeMap::new();
    for login in ["chihuy", "canbo", "thamdinh1", "hotich", "tuphap"] {
        let account = demo.account(login);
        sign_in(browser, &demo.base, account);
        let role = Role::from_code(&account.role).expect("the demo prints codes of roles");
        opened.insert(role.code(), walk::walk(browser, &demo.base, role.code(), inspector));
        sign_out(browser, &demo.base);
    }
    for route in ROUTES.iter().filter(|route| route.method == "GET" && !NO_PAGES.contains(&route.path)) {
        let Access::Roles(roles) = route.access else { continue };
        for role in roles {
            let reached = opened.get(role.code()).is_some_and(|opened| opened.contains(route.path));
            assert!(reached, "no link leads a {} to {}", role.code(), route.path);
        }
    }
}
