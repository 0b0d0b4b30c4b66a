//! The site as a browser meets it, on a real database. Every route of the table is walked.

use crate::support;
use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use time::Duration;
use uuid::Uuid;

use crate::support::browser::{Answer, PASSWORD, World};
use crate::support::nothing;
use domain::id::AccountId;
use web::Role;
use web::routes::{Access, ROUTES};

/// What a page may weigh before compression.
const MOST_BYTES: usize = 100 * 1024;

#[tokio::test]
async fn no_route_of_the_table_opens_without_its_key() {
    let world = World::new().await;
    let mut nobody = world.browser();
    let mut readers = Vec::new();
    for role in Role::ALL {
        readers.push((role, world.as_role(role).await));
    }
    for route in ROUTES {
        let Access::Roles(roles) = route.access else { continue };
        let path = world.path(route.path);
        let answer = match route.method {
            "GET" => nobody.get(&path).await,
            _ => nobody.post(&path, &[("csrf", "x")]).await,
        };
        match route.method {
            "GET" => {
                assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
                assert!(answer.header("location").starts_with("/vao"), "{path}");
            }
            _ => assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}"),
        }
        for (role, browser) in &mut readers {
            // Signing out is tried elsewhere: here it would end the walk.
            if route.path == "/ra" {
                continue;
            }
            let answer = match route.method {
                "GET" => browser.get(&path).await,
                _ => browser.post(&path, &[]).await,
            };
            let (allowed, reads) = (roles.contains(role), route.method == "GET");
            match (allowed, reads) {
                (true, true) => {
                    assert!(
                        answer.status == StatusCode::OK || route.path == "/",
                        "{role:?} {path} {}",
                        answer.status
                    );
                }
                // Without the form's token nothing is written, whatever the role.
                _ => assert_eq!(answer.status, StatusCode::FORBIDDEN, "{role:?} {path}"),
            }
        }
    }
    assert_eq!(world.case_actions().await, []);
    assert!(!world.audit("denied").await.is_empty());
}

#[tokio::test]
async fn what_belongs_to_another_unit_answers_as_what_does_not_exist() {
    let world = World::new().await;
    let last = |ids: &[Uuid]| *ids.last().unwrap();
    let cards: Vec<Uuid> = world.seeded.cards.iter().map(|id| id.uuid()).collect();
    let applications: Vec<Uuid> = world.seeded.applications.iter().map(|id| id.uuid()).collect();
    let cases: Vec<Uuid> = world.seeded.cases.iter().map(|id| id.uuid()).collect();
    let paths = [
        (Role::Officer, format!("/cu-dan/{}", world.seeded.people[1])),
        (Role::Officer, format!("/ho-so/{}", last(&applications))),
        (Role::Officer, format!("/the/{}", last(&cards))),
        (Role::Adjudicator, format!("/ho-so-xet/{}", last(&cases))),
    ];
    for (role, path) in &paths {
        let mut inside = world.as_role(*role).await;
        assert_eq!(inside.get(path).await.status, StatusCode::OK, "{path}");
        let mut outside = world.signed_in(&format!("{}-xa", role.code())).await;
        let denied = world.audit("denied").await.len();
        let answer = outside.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(world.audit("denied").await.len(), denied + 1, "{path}");
        let (collection, _) = path.rsplit_once('/').unwrap();
        let missing = outside.get(&format!("{collection}/{}", nothing())).await;
        let strip =
            |page: &str| page.split("name=\"csrf\"").next().unwrap().replace(path.as_str(), "").to_owned();
        let same = |page: &str| strip(page).replace(&format!("{collection}/{}", nothing()), "");
        assert_eq!((missing.status, same(&missing.body)), (answer.status, same(&answer.body)), "{path}");
    }
    let mut outside = world.signed_in("adjudicator-xa").await;
    let csrf = outside.csrf().await;
    let form = [("csrf", csrf.as_str()), ("quyet-dinh", "link"), ("lenh", &nothing().to_string())];
    assert_eq!(outside.post(&paths[3].1, &form).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.case_actions().await, []);
    // Lists and links with another unit's path stay inside too.
    let mut officer = world.signed_in("officer-xa").await;
    assert_eq!(officer.get("/ho-so?duoi=42/").await.status, StatusCode::NOT_FOUND);
    let mut commander = world.signed_in("commander-xa").await;
    assert_eq!(commander.get("/tong-quan?duoi=42/445/").await.status, StatusCode::NOT_FOUND);
    let everyone = officer.get("/cu-dan?nam=&ten=n").await.body;
    let other = format!("/cu-dan/{}", world.seeded.people[1]);
    assert!(everyone.contains("/cu-dan/0") && !everyone.contains(&other));
}

#[tokio::test]
async fn reading_leaves_an_audit_row_that_says_what_and_from_where() {
    let world = World::new().await;
    let mut officer = world.signed_in("officer-xa").await;
    for (path, action, subject) in [
        ("/cu-dan/{person_id}", "person.read", format!("person:{}", world.seeded.people[0])),
        (
            "/ho-so/{application_id}",
            "application.read",
            format!("application:{}", world.seeded.applications[0]),
        ),
        ("/the/{card_id}", "card.read", format!("card:{}", world.seeded.cards[0])),
    ] {
        assert_eq!(officer.open(&world.path(path)).await.status, StatusCode::OK);
        let actor = format!("account:{}", AccountId::derive(support::WALL, &[b"officer-xa"]));
        let rows = world.audit(action).await;
        assert_eq!(
            rows.iter().map(|(subject, actor, _)| (subject, actor)).collect::<Vec<_>>(),
            [(&subject, &actor)]
        );
        let detail: serde_json::Value = serde_json::from_str(&rows[0].2).unwrap();
        let fields: Vec<&str> = detail.as_object().unwrap().keys().map(String::as_str).collect();
        let known = ["address", "count", "ids", "question"];
        assert!(fields.contains(&"address") && fields.iter().all(|field| known.contains(field)), "{detail}");
    }
}

#[tokio::test]
async fn every_answer_is_locked_down_light_and_without_script() {
    let world = World::new().await;
    let mut readers = BTreeMap::new();
    for role in Role::ALL {
        readers.insert(role.code(), world.as_role(role).await);
    }
    for route in ROUTES {
        let path = world.path(route.path);
        let browser = match route.access {
            Access::Roles(roles) => readers.get_mut(roles[0].code()).unwrap(),
            _ => &mut world.browser(),
        };
        let answer = match route.method {
            "GET" => browser.get(&path).await,
            _ => browser.post(&path, &[]).await,
        };
        let csp = answer.header("content-security-policy");
        for rule in [
            "default-src 'none'",
            "style-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        ] {
            assert!(csp.contains(rule), "{path}: {csp}");
        }
        assert!(!csp.contains("unsafe"), "{csp}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
        let cached = answer.header("cache-control");
        assert_eq!(cached == "no-store", !route.path.starts_with("/tinh/"), "{path}: {cached}");
        assert!(answer.body.len() <= MOST_BYTES, "{path} has {} bytes", answer.body.len());
        if answer.header("content-type").starts_with("text/html") {
            assert!(!answer.body.contains("<script") && !answer.body.contains(" style="), "{path}");
            assert!(!answer.body.contains("<Tên>"), "{path}");
            assert!(
                answer.body.contains("<html lang=\"vi\">") && answer.body.contains("id=\"main\""),
                "{path}"
            );
            assert!(!answer.body.contains("NaN"), "{path}");
        }
    }
    let css = world.browser().get("/tinh/dancu.css").await.body;
    assert!(css.len() < 20 * 1024 && !css.contains("http") && !css.contains("@import"));
    let missing = world.browser().get("/khong-co").await;
    assert_eq!((missing.status, missing.header("x-frame-options")), (StatusCode::NOT_FOUND, "DENY"));
    assert!(missing.body.contains("Không tìm thấy"));
}

#[tokio::test]
async fn a_form_works_for_its_own_session_only() {
    let world = World::new().await;
    let mut mine = world.as_role(Role::Adjudicator).await;
    let mut other = world.signed_in("adjudicator-xa").await;
    let (own, foreign) = (mine.csrf().await, other.csrf().await);
    for route in
        ROUTES.iter().filter(|route| route.method == "POST" && matches!(route.access, Access::Roles(_)))
    {
        let path = world.path(route.path);
        for token in ["", "0", &foreign, &own[..127]] {
            assert_eq!(mine.post(&path, &[("csrf", token)]).await.status, StatusCode::FORBIDDEN, "{path}");
        }
        let body = Body::from(format!("csrf={own}"));
        let elsewhere = Request::post(&path).header("sec-fetch-site", "cross-site").body(body).unwrap();
        assert_eq!(mine.send(elsewhere).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert!(mine.post("/ra", &[("csrf", &own)]).await.header("location").ends_with("/vao"));
    assert_eq!(mine.get("/ho-so-xet").await.status, StatusCode::SEE_OTHER);
    assert_eq!(other.get("/ho-so-xet").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_session_slides_and_ends() {
    let world = World::new().await;
    let mut browser = world.as_role(Role::Officer).await;
    let cookie = browser.cookies["phien"].clone();
    let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM session WHERE encode(token_hash, 'hex') = $1")
        .bind(&cookie)
        .fetch_one(world.db.admin())
        .await
        .unwrap();
    assert_eq!((stored, cookie.len()), (0, 64));
    for hours in [11, 22, 33] {
        world.site.clock.set(support::WALL + Duration::hours(hours));
        assert_eq!(browser.get("/cu-dan").await.status, StatusCode::OK, "{hours} h");
    }
    world.site.clock.set(support::WALL + Duration::hours(45) + Duration::seconds(1));
    let answer = browser.get("/cu-dan?ten=an&nam=1990").await;
    assert_eq!(answer.header("location"), "/vao?tiep=/cu-dan%3Ften%3Dan%26nam%3D1990");
    // A disabled account is out at once.
    let mut browser = world.as_role(Role::Clerk).await;
    sqlx::query("UPDATE account SET disabled_at = $1 WHERE login = 'clerk-huyen'")
        .bind(support::WALL)
        .execute(world.db.admin())
        .await
        .unwrap();
    assert_eq!(browser.get("/cu-dan").await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.sign_in("clerk-huyen", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn signing_in_tells_a_guesser_nothing_and_slows_him_down() {
    let world = World::new().await;
    let mut browser = world.browser();
    let page = |answer: Answer| {
        let token = answer.field("token");
        (
            answer.status,
            answer.body.replace(&token, "").replace("officer-huyen", "").replace("nobody-here", ""),
        )
    };
    let wrong = page(browser.sign_in("officer-huyen", "wrong").await);
    let unknown = page(browser.sign_in("nobody-here", "wrong").await);
    assert_eq!(wrong, unknown);
    assert_eq!(wrong.0, StatusCode::UNAUTHORIZED);
    for _ in 0..9 {
        browser.sign_in("officer-huyen", "wrong").await;
    }
    world.site.clock.set(support::WALL + Duration::seconds(200));
    let told = browser.sign_in("officer-huyen", PASSWORD).await;
    assert_eq!((told.status, told.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "700"));
    assert!(told.body.contains("chờ 12 phút"), "{}", told.body);
    assert_eq!(browser.sign_in("Clerk-Huyen ", PASSWORD).await.status, StatusCode::SEE_OTHER);
    world.site.clock.set(support::WALL + Duration::minutes(15));
    let mut browser = world.browser();
    let token = browser.get("/vao?tiep=/ho-so").await.field("token");
    let form =
        [("token", token.as_str()), ("tiep", "/ho-so"), ("login", "officer-huyen"), ("password", PASSWORD)];
    assert_eq!(browser.post("/vao", &form).await.header("location"), "/ho-so");
    let mut browser = world.browser();
    let token = browser.get("/vao").await.field("token");
    let form = [
        ("token", token.as_str()),
        ("tiep", "//evil.example"),
        ("login", "officer-huyen"),
        ("password", PASSWORD),
    ];
    assert_eq!(browser.post("/vao", &form).await.header("location"), "/");
}

#[tokio::test]
async fn kits_have_their_own_door() {
    let world = World::new().await;
    let mut kit = world.browser();
    let send = |path: &str, bytes: usize| Request::post(path).body(Body::from(vec![0u8; bytes])).unwrap();
    let answer = kit.send(send("/kit/v1/packets", 8 << 20)).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "8388608"));
    assert_eq!(answer.header("content-type"), packet::wire::COSE_TYPE);
    let answer = kit.send(send("/kit/v1/packets", (8 << 20) + 1)).await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::PAYLOAD_TOO_LARGE, 0));
    let refused = kit.send(send("/kit/v1/day-report", 3)).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert_eq!(refused.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(kit.send(send("/tra-cuu", 70_000)).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(kit.get("/healthz").await.body, "ok\n");
    assert_eq!(kit.get("/readyz").await.body, "ready\n");
}

#[tokio::test]
async fn whoever_sends_what_must_be_refused_is_slowed_down() {
    let world = World::new().await;
    let mut stranger = world.browser();
    let send = |path: &str| Request::post(path).body(Body::from("nonsense")).unwrap();
    assert_eq!(stranger.send(send("/kit/v1/day-report")).await.status, StatusCode::BAD_REQUEST);
    world.site.clock.set(support::WALL + Duration::seconds(20));
    let told = stranger.send(send("/kit/v1/packets")).await;
    assert_eq!((told.status, told.body.len()), (StatusCode::TOO_MANY_REQUESTS, 0));
    // Not a quarter of an hour, as for guesses: an honest kit behind the same line waits a minute at most.
    assert_eq!(told.header("retry-after"), "40");
    // A browser at the same address goes on.
    assert_eq!(stranger.get("/vao").await.status, StatusCode::OK);
    world.site.clock.set(support::WALL + Duration::seconds(60));
    assert_eq!(stranger.send(send("/kit/v1/packets")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_kit_that_meets_a_busy_desk_is_told_to_come_again_soon() {
    let world = World::new().await;
    let busy = Request::post("/kit/v1/packets").body(Body::from(support::BUSY)).unwrap();
    let told = world.browser().send(busy).await;
    assert_eq!((told.status, told.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "10"));
}
