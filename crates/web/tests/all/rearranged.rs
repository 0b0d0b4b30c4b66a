//! Units that change, on the commander's page: what is ahead, what is left, and an answer.

use std::ops::ControlFlow;

use axum::http::StatusCode;
use time::macros::{date, datetime};

use crate::support::browser::World;
use domain::Actor;
use domain::unit::Units;
use register::units::{BATCH, Change, apply};
use store::UnitScope;
use web::Role;

const PATH: &str = "/don-vi/thay-doi";
/// Đại Nài, which two communes of the new list divided among them.
const DIVIDED: &str = "18082";

/// A world in which three people of the district live in a commune that is to be divided.
async fn world() -> (World, Vec<uuid::Uuid>) {
    let world = World::new().await;
    let path = Units::latest().path(DIVIDED.parse().unwrap()).unwrap();
    let moved = "UPDATE person SET unit_path = $1, permanent_unit = $2 WHERE person_id IN \
                 (SELECT person_id FROM person WHERE version = 1 AND status = 1 ORDER BY person_id LIMIT 3) \
                 RETURNING person_id";
    let people =
        sqlx::query_scalar(moved).bind(&path).bind(DIVIDED).fetch_all(world.db.admin()).await.unwrap();
    assert_eq!(people.len(), 3);
    for table in ["campaign", "area"] {
        sqlx::query(sqlx::AssertSqlSafe(format!("DELETE FROM {table}")))
            .execute(world.db.admin())
            .await
            .unwrap();
    }
    // The commander of the province, which stays one.
    sqlx::query("UPDATE account SET unit_path = '42/' WHERE login = 'commander-huyen'")
        .execute(world.db.admin())
        .await
        .unwrap();
    (world, people)
}

async fn change(world: &World) {
    let change = Change::shipped(date!(2025 - 07 - 01)).unwrap();
    let (scope, now) = (UnitScope::everything(), datetime!(2025-07-02 09:00 +7));
    let done = apply(&world.db, &change, &scope, &Actor::Centre, now, BATCH, |_| ControlFlow::Continue(()));
    assert!(done.await.unwrap().finished);
}

#[tokio::test]
async fn a_change_is_looked_at_before_it_is_applied() {
    let (world, _) = world().await;
    let mut commander = world.signed_in("commander-huyen").await;
    let page = commander.get(PATH).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("01/07/2025") && page.body.contains("Chưa áp dụng"), "{}", page.body);
    assert!(page.body.contains("Không còn ai phải hỏi"), "{}", page.body);
    let look = commander.get(&format!("{PATH}?xem=2025-07-01")).await.body;
    let line = look.split("<tr>").find(|line| line.contains("Phường Đại Nài")).expect("it is divided");
    let figures: Vec<&str> =
        line.split("<td class=\"num\">").skip(1).map(|f| f.split('<').next().unwrap()).collect();
    assert_eq!(figures, ["3", "0", "3"], "{line}");
    for wrong in ["?xem=2025-07-02", "?xem=x", "?sau=x"] {
        assert_eq!(commander.get(&format!("{PATH}{wrong}")).await.status, StatusCode::NOT_FOUND, "{wrong}");
    }
    let english = commander.get(&format!("{PATH}?lang=en&xem=2025-07-01")).await.body;
    assert!(english.contains("Units that are divided"), "{english}");
}

#[tokio::test]
async fn whoever_must_be_asked_is_listed_and_an_answer_is_taken_once() {
    let (world, people) = world().await;
    change(&world).await;
    let mut commander = world.signed_in("commander-huyen").await;
    let page = commander.get(PATH).await.body;
    assert!(page.contains("Đã áp dụng"), "{page}");
    // The seed also has records that are not the fold of their events; they wait on the same list.
    assert_eq!(page.matches("<td>Phường Đại Nài</td>").count(), 3, "{page}");
    assert!(page.contains("<option value=\"18073\">") && page.contains("<option value=\"18652\">"), "{page}");
    let person = people[0].to_string();
    let say = |to: &'static str| {
        [("nguoi", person.clone()), ("noi", "permanent".to_owned()), ("don-vi", to.to_owned())]
    };
    let send = async |commander: &mut crate::support::browser::Browser, to| {
        let (fields, csrf) = (say(to), commander.csrf().await);
        let mut fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        fields.push(("csrf", &csrf));
        commander.post(PATH, &fields).await
    };
    let wrong = send(&mut commander, "18562").await;
    assert!(
        wrong.status == StatusCode::BAD_REQUEST && wrong.body.contains("không phải phần"),
        "{}",
        wrong.body
    );
    assert_eq!(send(&mut commander, "").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(send(&mut commander, "18073").await.status, StatusCode::SEE_OTHER);
    assert_eq!(send(&mut commander, "18073").await.status, StatusCode::CONFLICT);
    let path: String = sqlx::query_scalar("SELECT unit_path FROM person WHERE person_id = $1")
        .bind(people[0])
        .fetch_one(world.db.admin())
        .await
        .unwrap();
    assert_eq!(path, "42/18073/");
    assert_eq!(commander.get(PATH).await.body.matches("<td>Phường Đại Nài</td>").count(), 2);
    assert_eq!(world.audit("register.unit_answered").await.len(), 1);
}

#[tokio::test]
async fn another_province_and_another_role_see_nobody() {
    let (world, people) = world().await;
    change(&world).await;
    sqlx::query("UPDATE account SET unit_path = '01/' WHERE login = 'commander-xa'")
        .execute(world.db.admin())
        .await
        .unwrap();
    let mut elsewhere = world.signed_in("commander-xa").await;
    let page = elsewhere.get(PATH).await;
    assert_eq!((page.status, page.body.matches("name=\"nguoi\"").count()), (StatusCode::OK, 0));
    let person = people[0].to_string();
    let csrf = elsewhere.csrf().await;
    let fields = [("nguoi", person.as_str()), ("noi", "permanent"), ("don-vi", "18073"), ("csrf", &csrf)];
    let refused = elsewhere.post(PATH, &fields).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "as of somebody who need not be asked");
    let mut clerk = world.as_role(Role::Clerk).await;
    assert_eq!(clerk.get(PATH).await.status, StatusCode::FORBIDDEN);
}
