//! The trail, and what is unusual in it.

use axum::http::StatusCode;
use time::Duration;
use uuid::Uuid;

use super::{TRAIL, Two, actor, two};
use crate::support::browser::Browser;
use web::Role;

/// Rows of several units: how many, in which unit, and in which words.
async fn written(two: &Two, unit_path: &str, words: &str, count: i64) {
    let entries: Vec<store::audit::Entry> = (0..count)
        .map(|n| store::audit::Entry {
            at: crate::support::WALL - Duration::minutes(n),
            actor: actor("clerk-huyen").parse().unwrap(),
            action: "people.searched".to_owned(),
            subject: format!("person:{}", Uuid::from_u128(n as u128)),
            unit_path: unit_path.to_owned(),
            detail: serde_json::json!({ "question": { "name": words }, "address": "203.0.113.9" }),
        })
        .collect();
    let mut tx = two.world.db.begin().await.unwrap();
    store::audit::append_all(&mut tx, &entries).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn the_trail_is_the_units_and_each_reading_of_it_is_a_row() {
    let two = two().await;
    written(&two, "42/445/18562/", "<b>Trần</b>", 2).await;
    written(&two, "42/443/", "Ở-BÊN-CẠNH", 1).await;
    written(&two, "", "CỦA-TRUNG-TÂM", 1).await;
    let mut commander = two.world.as_role(Role::Commander).await;
    let page = commander.get(TRAIL).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("tên: &#60;b&#62;Trần") && page.body.contains("203.0.113.9"), "{}", page.body);
    assert!(!page.body.contains("<b>Trần") && page.body.contains("Tra cứu công dân"), "{}", page.body);
    for elsewhere in ["Ở-BÊN-CẠNH", "CỦA-TRUNG-TÂM"] {
        assert!(!page.body.contains(elsewhere), "{elsewhere}");
    }
    let mut beside = two.world.signed_in("commander-ben").await;
    let theirs = beside.get(TRAIL).await.body;
    assert!(theirs.contains("Ở-BÊN-CẠNH") && !theirs.contains("Trần"), "{theirs}");
    let listed = two.rows("audit.listed").await;
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0].1, actor("commander-huyen"));
    assert!(listed[0].2["address"].is_string() && listed[0].2["question"].is_object(), "{:?}", listed[0]);
    assert!(commander.get(TRAIL).await.body.contains("Đọc nhật ký"), "the reading before is in it");
}

#[tokio::test]
async fn the_trail_is_asked_by_account_action_days_and_id_and_turned_both_ways() {
    let two = two().await;
    written(&two, "42/445/18562/", "an", 120).await;
    let mut commander = two.world.as_role(Role::Commander).await;
    let rows = |page: &str| page.matches("<tr><th scope=\"row\"").count();
    let asked = format!("{TRAIL}?ai=clerk-huyen&viec=people&tu=2026-01-14&den=2026-01-15&doi-tuong=");
    let link = |page: &str, rel: &str| {
        let rel = format!("rel=\"{rel}\"");
        let found = page.split("href=\"").find(|rest| rest.split('>').next().unwrap().contains(&rel))?;
        Some(found.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&"))
    };
    let first = commander.get(&asked).await.body;
    assert_eq!((rows(&first), link(&first, "prev")), (50, None));
    assert!(first.len() < 100 * 1024, "{}", first.len());
    let second = commander.get(&link(&first, "next").unwrap()).await.body;
    let third = commander.get(&link(&second, "next").unwrap()).await.body;
    assert_eq!((rows(&second), rows(&third), link(&third, "next")), (50, 20, None));
    let table =
        |page: &str| page.split("<tbody>").nth(1).unwrap().split("</tbody>").next().unwrap().to_owned();
    let back = commander.get(&link(&third, "prev").unwrap()).await.body;
    assert_eq!(table(&back), table(&second));
    let front = commander.get(&link(&back, "prev").unwrap()).await.body;
    assert_eq!((table(&front), link(&front, "prev")), (table(&first), None));
    assert!(second.contains("value=\"clerk-huyen\"") && second.contains("value=\"people\" selected"));
    // By what each field says, and by what says nothing.
    let count = async |commander: &mut Browser, query: &str| {
        let answer = commander.get(&format!("{TRAIL}?{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{query}");
        rows(&answer.body)
    };
    let one = format!("doi-tuong={}", Uuid::from_u128(3));
    assert_eq!(count(&mut commander, &one).await, 1);
    assert_eq!(count(&mut commander, &format!("doi-tuong=person:{}", Uuid::from_u128(3))).await, 1);
    assert_eq!(count(&mut commander, "ai=officer-huyen").await, 0);
    assert_eq!(count(&mut commander, "viec=people&tu=2026-01-16").await, 0);
    assert_eq!(count(&mut commander, "viec=people&den=2026-01-14").await, 0);
    assert_eq!(count(&mut commander, "viec=people&tu=9999-12-31&sau=9223372036854775807.1.1").await, 50);
    assert_eq!(count(&mut commander, "viec=people&doi-tuong=a%00b&ai=%00").await, 0);
    let none = commander.get(&format!("{TRAIL}?ai=nobody-here")).await.body;
    assert!(none.contains("Không có tài khoản này"), "{none}");
    // A person that a row names is opened by the page that asks why.
    let person = two.world.seeded.people[0];
    let of = commander.get(&format!("{TRAIL}?doi-tuong=person:{person}")).await.body;
    assert!(of.contains(&format!("href=\"/cu-dan/{person}\"")), "{of}");
}

#[tokio::test]
async fn what_is_unusual_leads_to_its_rows() {
    let two = two().await;
    let mut clerk = two.world.as_role(Role::Clerk).await;
    for year in 1940..1985 {
        clerk.get(&format!("/cu-dan?nam={year}")).await;
    }
    let mut commander = two.world.as_role(Role::Commander).await;
    let page = commander.get("/giam-sat").await.body;
    let link =
        page.split("href=\"").find(|rest| rest.contains("Tra cứu nhiều")).expect("the clerk is listed");
    let link = link.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
    let rows = commander.get(&link).await.body;
    assert!(rows.matches("<tr><th scope=\"row\"").count() >= 45, "{link}");
    assert!(rows.contains("value=\"people.searched\" selected"), "{rows}");
    let tabs = page.matches("<ul class=\"tabs\">").count();
    assert_eq!(tabs, 1);
    // Five items of navigation, and the invitations by the overview.
    let nav = page.split("<nav").nth(1).unwrap().split("</nav>").next().unwrap();
    assert_eq!(nav.matches("<li>").count(), 5, "{nav}");
    assert!(commander.get("/tong-quan").await.body.contains("href=\"/lich-moi\""));
}
