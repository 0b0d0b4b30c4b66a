//! Who looked: a clerk's account is the attacker.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use serde_json::Value;
use time::Duration;

use crate::support::browser::{Answer, Browser, World};
use crate::support::{WALL, seed};
use testkit::fresh_database;
use web::{Quota, Role};

fn people(page: &str) -> BTreeSet<String> {
    let links = page.split("href=\"/cu-dan/").skip(1).filter_map(|rest| rest.split('"').next());
    links.map(str::to_owned).collect()
}

/// The rows of an action: subject and detail.
async fn rows(world: &World, action: &str) -> Vec<(String, Value)> {
    let rows = world.audit(action).await;
    rows.into_iter().map(|(subject, _, detail)| (subject, serde_json::from_str(&detail).unwrap())).collect()
}

/// A world with many people, and so small a quota for clerks.
async fn with_quota(per_commune: usize, people: u32) -> World {
    let db = fresh_database().await;
    let seeded = seed(&db, per_commune, false).await;
    let mut world = World::with(db, seeded, None).await;
    Arc::make_mut(&mut world.site.state.settings).quota = Quota::default().with(Role::Clerk, people);
    world
}

async fn say_why(browser: &mut Browser, path: &str, fields: &[(&str, &str)]) -> Answer {
    let csrf = browser.csrf().await;
    let form: Vec<(&str, &str)> =
        [("csrf", csrf.as_str())].into_iter().chain(fields.iter().copied()).collect();
    browser.post(path, &form).await
}

#[tokio::test]
async fn a_clerks_account_that_reads_everybody_is_held_back_and_every_page_of_it_is_in_the_trail() {
    let world = with_quota(20, 150).await;
    let everybody: i64 =
        sqlx::query_scalar("SELECT count(*) FROM person").fetch_one(world.db.admin()).await.unwrap();
    assert!(everybody > 400, "{everybody}");
    let mut clerk = world.as_role(Role::Clerk).await;
    let (mut seen, mut refused) = (BTreeSet::new(), 0);
    for year in 1930..2010 {
        let answer = clerk.get(&format!("/cu-dan?nam={year}")).await;
        match answer.status {
            StatusCode::OK => seen.extend(people(&answer.body)),
            StatusCode::TOO_MANY_REQUESTS => {
                refused += 1;
                assert!(answer.body.contains("Đã xem đủ số người trong ngày"), "{}", answer.body);
                assert!(people(&answer.body).is_empty());
            }
            other => panic!("{other}"),
        }
    }
    assert!(seen.len() <= 150 && seen.len() > 100, "{} people were shown", seen.len());
    assert!(refused > 20, "{refused}");
    // Each page that was shown, with its question and its people.
    let searched = rows(&world, "people.searched").await;
    assert_eq!(searched.len(), 80 - refused);
    let told: BTreeSet<String> = searched
        .iter()
        .flat_map(|(_, detail)| detail["ids"].as_array().cloned().unwrap_or_default())
        .map(|id| id.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(told, seen);
    assert_eq!(searched[0].1["question"]["year"], "1930");
    // That it was held back is written, and not once a page.
    let held = rows(&world, "quota").await;
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].1["quota"], 150);
    // Whom it was shown it may see again, and the next day begins anew.
    let again = clerk.get("/cu-dan?nam=1940").await;
    assert_eq!(again.status, StatusCode::OK);
    world.site.clock.set(WALL + Duration::DAY);
    let mut clerk = world.as_role(Role::Clerk).await;
    assert_eq!(clerk.get("/cu-dan?nam=1999").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_clerks_account_that_asks_for_everything_at_once_gets_no_more_than_its_quota() {
    let world = with_quota(20, 150).await;
    let clerk = world.as_role(Role::Clerk).await;
    let ask = async |year: i32| {
        let mut browser = clerk.clone();
        browser.get(&format!("/cu-dan?nam={year}")).await
    };
    let mut all = tokio::task::JoinSet::new();
    for year in 1940..2006 {
        let mut browser = clerk.clone();
        all.spawn(async move { browser.get(&format!("/cu-dan?nam={year}")).await.body });
    }
    let mut seen = BTreeSet::new();
    while let Some(page) = all.join_next().await {
        seen.extend(people(&page.unwrap()));
    }
    assert!(seen.len() <= 150 && seen.len() > 100, "{} people were shown", seen.len());
    let counted: i64 =
        sqlx::query_scalar("SELECT things FROM shown_day").fetch_one(world.db.admin()).await.unwrap();
    let stored: i64 =
        sqlx::query_scalar("SELECT count(*) FROM shown").fetch_one(world.db.admin()).await.unwrap();
    assert_eq!((counted, stored), (seen.len() as i64, seen.len() as i64));
    assert_eq!(ask(1900).await.status, StatusCode::OK, "a page that shows nobody costs nothing");
}

#[tokio::test]
async fn a_clerks_account_that_goes_by_applications_instead_is_held_back_too() {
    let world = with_quota(20, 60).await;
    let mut clerk = world.as_role(Role::Clerk).await;
    let first = clerk.get("/ho-so").await;
    assert_eq!(first.status, StatusCode::OK);
    let next = first.body.split("href=\"/ho-so?sau=").nth(1).unwrap().split('"').next().unwrap();
    let next = format!("/ho-so?sau={}", next.replace("&#38;", "&"));
    assert_eq!(clerk.get(&next).await.status, StatusCode::TOO_MANY_REQUESTS);
    let listed = rows(&world, "applications.listed").await;
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0].1["count"], listed[0].1["ids"].as_array().unwrap().len()), (&50.into(), 50));
}

#[tokio::test]
async fn a_record_opens_for_whoever_has_work_with_the_person_or_says_why() {
    let world = World::new().await;
    let path = world.path("/cu-dan/{person_id}");
    let name: String = sqlx::query_scalar("SELECT full_name FROM person WHERE person_id = $1")
        .bind(world.seeded.people[0].uuid())
        .fetch_one(world.db.admin())
        .await
        .unwrap();
    let opens = |answer: &Answer| answer.body.contains("id=\"identity\"");
    let mut clerk = world.as_role(Role::Clerk).await;
    let asked = clerk.get(&path).await;
    assert_eq!((asked.status, opens(&asked)), (StatusCode::OK, false));
    assert!(asked.body.contains("Vì sao mở hồ sơ này?") && !asked.body.contains(&name), "{}", asked.body);
    assert_eq!(rows(&world, "person.read").await, []);
    // What says nothing does not open it, and what was typed stands there again.
    for (reason, words) in [("", "vì cần"), ("curious", "vì cần"), ("other", "x")] {
        let answer = say_why(&mut clerk, &path, &[("ly-do", reason), ("noi-dung", words)]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{reason}");
        assert!(answer.body.contains(words), "{}", answer.body);
    }
    assert!(!opens(&clerk.get(&path).await));
    let said = say_why(&mut clerk, &path, &[("ly-do", "request"), ("noi-dung", "Đơn số 12 <b>")]).await;
    assert_eq!((said.status, said.header("location")), (StatusCode::SEE_OTHER, path.as_str()));
    assert!(opens(&clerk.get(&path).await));
    let subject = format!("person:{}", world.seeded.people[0]);
    let reasons = rows(&world, "person.reason").await;
    assert_eq!(reasons.len(), 1);
    assert_eq!((&reasons[0].0, &reasons[0].1["words"]), (&subject, &"Đơn số 12 <b>".into()));
    let read = rows(&world, "person.read").await;
    assert_eq!(read[0].1["question"]["reason"], "request");
    // It is this person's, this session's and this quarter of an hour's.
    let other = format!("/cu-dan/{}", world.seeded.people[1]);
    assert!(!opens(&clerk.get(&other).await));
    let mut elsewhere = world.as_role(Role::Clerk).await;
    assert!(!opens(&elsewhere.get(&path).await), "another session of the same account");
    let mut colleague = world.as_role(Role::Commander).await;
    assert!(!opens(&colleague.get(&path).await));
    world.site.clock.set(WALL + Duration::minutes(15) + Duration::SECOND);
    assert!(!opens(&clerk.get(&path).await), "a quarter of an hour is over");
    // Nobody says why to see what is another unit's.
    let mut outside = world.signed_in("clerk-xa").await;
    let answer = say_why(&mut outside, &other, &[("ly-do", "present")]).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn work_at_hand_opens_a_record_without_a_question() {
    let world = World::new().await;
    let opens = |answer: &Answer| answer.body.contains("id=\"identity\"");
    let one = async |sql: &'static str| -> String {
        let found: uuid::Uuid = sqlx::query_scalar(sql).fetch_one(world.db.admin()).await.unwrap();
        format!("/cu-dan/{found}")
    };
    let on_its_way = one(
        "SELECT claimed_person_id FROM application WHERE state NOT IN ('handed_over', 'rejected') LIMIT 1",
    )
    .await;
    let has_the_card =
        one("SELECT a.claimed_person_id FROM application a WHERE state = 'handed_over' AND NOT EXISTS \
             (SELECT FROM case_file c WHERE a.application_id IN (c.application_id, \
             c.other_application_id)) LIMIT 1")
        .await;
    let in_case = one("SELECT person_id FROM case_file WHERE confirmed_by IS NULL LIMIT 1").await;
    let mut officer = world.as_role(Role::Officer).await;
    let mut adjudicator = world.as_role(Role::Adjudicator).await;
    assert!(opens(&officer.get(&has_the_card).await), "the seed gives everybody a seat of today");
    sqlx::query("DELETE FROM invitation").execute(world.db.admin()).await.unwrap();
    assert!(!opens(&officer.get(&has_the_card).await), "nothing is to be done with this person any more");
    assert!(opens(&officer.get(&on_its_way).await), "an application is on its way");
    assert!(opens(&adjudicator.get(&in_case).await), "an open case names the person");
    assert!(!opens(&adjudicator.get(&has_the_card).await));
    sqlx::query(
        "UPDATE case_file SET confirmed_by = 'command:x', decided_by = 'command:y', decision = 'same_person' \
                 WHERE confirmed_by IS NULL",
    )
    .execute(world.db.admin())
    .await
    .unwrap();
    assert!(!opens(&adjudicator.get(&in_case).await), "the case is closed");
    // The trail tells what was opened with a reason from what was not.
    let read = rows(&world, "person.read").await;
    assert_eq!(read.len(), 3);
    assert!(read.iter().all(|(_, detail)| detail.get("question").is_none()), "{read:?}");
}

#[tokio::test]
async fn a_commander_sees_whose_day_was_unusual_in_the_own_unit() {
    let world = with_quota(20, 60).await;
    let mut clerk = world.as_role(Role::Clerk).await;
    for year in 1950..1990 {
        clerk.get(&format!("/cu-dan?nam={year}")).await;
    }
    let mut commander = world.as_role(Role::Commander).await;
    assert!(commander.get("/tong-quan").await.body.contains("href=\"/giam-sat\""));
    let page = commander.get("/giam-sat").await.body;
    assert!(page.contains("clerk-huyen") && page.contains("Đã tới định mức số người trong ngày"), "{page}");
    assert!(!commander.get("/giam-sat?ngay=2026-01-14").await.body.contains("clerk-huyen"));
    for odd in ["/giam-sat?ngay=9999-12-31", "/giam-sat?ngay=x"] {
        assert_eq!(commander.get(odd).await.status, StatusCode::OK, "{odd}");
    }
    // The clerk is the district's, and no matter of a commune.
    let mut below = world.signed_in("commander-xa").await;
    assert!(!below.get("/giam-sat").await.body.contains("clerk-huyen"));
}

#[tokio::test]
async fn every_list_and_record_that_shows_people_is_in_the_trail_with_its_line() {
    let world = World::new().await;
    let mut officer = world.signed_in("officer-xa").await;
    for (path, action) in [
        ("/cu-dan?ten=nguy%E1%BB%85n&so=&nam=", "people.searched"),
        ("/cu-dan?so=042099999999", "people.searched"),
        ("/ho-so?trang-thai=in_case", "applications.listed"),
        ("/lich-moi?ngay=2021-04-20", "worklist.listed"),
        ("/ho-so/{application_id}", "application.read"),
        ("/the/{card_id}", "card.read"),
    ] {
        let before = rows(&world, action).await.len();
        let peer = ConnectInfo(SocketAddr::from(([203, 0, 113, 9], 40_000)));
        let request = axum::http::Request::get(world.path(path)).extension(peer);
        let answer = officer.send(request.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        let rows = rows(&world, action).await;
        assert_eq!(rows.len(), before + 1, "{path}");
        assert_eq!(rows.last().unwrap().1["address"], "203.0.113.9", "{path}");
    }
    assert_eq!(rows(&world, "people.searched").await[0].1["question"]["name"], "nguyễn");
    assert_eq!(rows(&world, "worklist.listed").await[0].1["question"]["day"], "2021-04-20");
    // What cannot be asked shows nobody and is no search; a name with what no name has does no harm.
    assert_eq!(officer.get("/cu-dan?so=12").await.status, StatusCode::OK);
    assert_eq!(rows(&world, "people.searched").await.len(), 2);
    assert_eq!(officer.get("/cu-dan?ten=a%00b").await.status, StatusCode::OK);
    assert_eq!(rows(&world, "people.searched").await[2].1["question"]["name"], "ab");
}
