//! How right, whole, clean and alive the register is, on the pages of commanders and clerks.

use axum::http::StatusCode;
use sqlx::Row;

use crate::support::TODAY;
use crate::support::browser::World;
use register::quality::{Rule, look_over};
use store::UnitScope;
use web::Role;

const RULE: &str = "native_place_missing";

/// A world in which somebody looked, and the native place of so many people of one commune is missing.
async fn looked(missing: i64) -> (World, String) {
    let world = World::new().await;
    let commune: String = sqlx::query_scalar("SELECT min(unit_path) FROM person WHERE same_as IS NULL")
        .fetch_one(world.db.admin())
        .await
        .unwrap();
    sqlx::query("UPDATE person SET native_place = birth_registration")
        .execute(world.db.admin())
        .await
        .unwrap();
    sqlx::query(
        "UPDATE person SET native_place = NULL WHERE person_id IN \
         (SELECT person_id FROM person WHERE unit_path = $1 AND status = 1 ORDER BY person_id LIMIT $2)",
    )
    .bind(&commune)
    .bind(missing)
    .execute(world.db.admin())
    .await
    .unwrap();
    look_over(&world.db, &UnitScope::everything(), TODAY, true, |_, _| {}).await.unwrap();
    (world, commune)
}

fn rows(page: &str, table: &str) -> usize {
    let section = page.split(&format!("<h2 id=\"{table}\">")).nth(1).unwrap_or_default();
    section.split("</section>").next().unwrap().matches("<tr><th scope=\"row\"").count()
}

#[tokio::test]
async fn every_figure_leads_to_the_list_that_it_counts() {
    let (world, commune) = looked(3).await;
    let mut commander = world.as_role(Role::Commander).await;
    let page = commander.get("/chat-luong").await;
    assert_eq!(page.status, StatusCode::OK);
    for &rule in Rule::ALL {
        let address = format!("href=\"/chat-luong/{}\"", rule.code());
        let line = page.body.split("<tr>").find(|line| line.contains(&address)).unwrap();
        let figure = line.split("<td class=\"num\">").nth(1).unwrap();
        let figure: String =
            figure.split("</td>").next().unwrap().chars().filter(char::is_ascii_digit).collect();
        let listed =
            sqlx::query("SELECT count(*) FROM quality_finding WHERE rule = $1 AND settled_on IS NULL")
                .bind(rule.code())
                .fetch_one(world.db.admin())
                .await
                .unwrap()
                .get::<i64, _>(0);
        assert_eq!(figure, listed.to_string(), "{rule:?}: {line}");
    }
    let list = commander.get(&format!("/chat-luong/{RULE}")).await.body;
    assert_eq!((rows(&list, "danh-sach"), rows(&list, "theo-ngay")), (3, 1), "{list}");
    assert!(list.contains("Thiếu quê quán") && list.contains("20/04/2021"), "{list}");
    let below = commander.get(&format!("/chat-luong/{RULE}?duoi={commune}")).await.body;
    assert_eq!(rows(&below, "danh-sach"), 3);
    let english = commander.get(&format!("/chat-luong/{RULE}?lang=en")).await.body;
    assert!(english.contains("The native place is missing") && english.contains("Whom to ask"), "{english}");
    // Each reading is a row of the trail with whom it showed.
    let listed = world.audit("quality.listed").await;
    assert_eq!(listed.len(), 3, "{listed:?}");
}

#[tokio::test]
async fn a_long_list_has_pages_and_nobody_is_left_out() {
    let (world, _) = looked(i64::MAX).await;
    let mut clerk = world.as_role(Role::Clerk).await;
    let (mut address, mut seen) = (format!("/chat-luong/{RULE}"), 0);
    loop {
        let page = clerk.get(&address).await.body;
        seen += rows(&page, "danh-sach");
        let next =
            page.split("href=\"").find(|rest| rest.split('>').next().unwrap().contains("rel=\"next\""));
        match next {
            Some(rest) => {
                address = rest.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&")
            }
            None => break,
        }
    }
    let all: i64 = sqlx::query_scalar("SELECT count(*) FROM quality_finding WHERE rule = $1")
        .bind(RULE)
        .fetch_one(world.db.admin())
        .await
        .unwrap();
    assert!(all > 0 && seen as i64 == all, "{seen} of {all}");
}

#[tokio::test]
async fn another_unit_and_another_role_see_nothing() {
    let (world, commune) = looked(3).await;
    sqlx::query("UPDATE account SET unit_path = '01/' WHERE login = 'clerk-huyen'")
        .execute(world.db.admin())
        .await
        .unwrap();
    let mut elsewhere = world.signed_in("clerk-huyen").await;
    let page = elsewhere.get(&format!("/chat-luong/{RULE}")).await;
    assert_eq!((page.status, rows(&page.body, "danh-sach")), (StatusCode::OK, 0), "{}", page.body);
    let reached = elsewhere.get(&format!("/chat-luong/{RULE}?duoi={commune}")).await;
    assert_eq!(reached.status, StatusCode::NOT_FOUND);
    let mut officer = world.as_role(Role::Officer).await;
    for path in ["/chat-luong", "/chat-luong/native_place_missing"] {
        assert_eq!(officer.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let mut commander = world.as_role(Role::Commander).await;
    for path in ["/chat-luong/no_such_rule", "/chat-luong/pin_sex?sau=x"] {
        assert_eq!(commander.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn before_anybody_looked_the_page_says_so() {
    let world = World::new().await;
    let mut commander = world.as_role(Role::Commander).await;
    let page = commander.get("/chat-luong").await;
    assert!(page.status == StatusCode::OK && page.body.contains("Chưa xem lần nào"), "{}", page.body);
}
