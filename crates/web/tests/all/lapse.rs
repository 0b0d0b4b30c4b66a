//! Forms whose cookie or session lapsed while somebody typed, and problem pages of people who are signed in.

use crate::support;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use time::Duration;
use uuid::Uuid;

use crate::support::browser::{Answer, Browser, PASSWORD, World};
use web::Role;
use web::routes::{Access, ROUTES};

const NOTE: &str = "Cùng vết sẹo <b>, \"ảnh\" & vân tay.";
const ESCAPED: &str = "Cùng vết sẹo &#60;b&#62;, &#34;ảnh&#34; &#38; vân tay.";

async fn open_case(world: &World) -> String {
    let open = sqlx::query_scalar::<_, Uuid>("SELECT case_id FROM case_file WHERE decision IS NULL LIMIT 1");
    format!("/ho-so-xet/{}", open.fetch_one(world.db.admin()).await.unwrap())
}

/// The form of a case as its page drew it, with a decision and a reason.
async fn filled(browser: &mut Browser, path: &str) -> Vec<(String, String)> {
    let page = browser.get(path).await;
    let fields = [
        ("csrf", page.field("csrf")),
        ("lenh", page.field("lenh")),
        ("quyet-dinh", "same_person".to_owned()),
        ("ly-do", NOTE.to_owned()),
        ("ban", page.field("ban")),
        ("viec", "propose".to_owned()),
    ];
    fields.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

async fn send(browser: &mut Browser, path: &str, form: &[(String, String)]) -> Answer {
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (&**name, &**value)).collect();
    browser.post(path, &form).await
}

/// The page has the form of a case with what was typed, and it can be sent.
fn holds_what_was_typed(page: &Answer, form: &[(String, String)]) {
    assert!(page.body.contains(&format!(">{ESCAPED}</textarea>")), "{}", page.body);
    assert!(page.body.contains("value=\"same_person\" required checked"), "{}", page.body);
    assert_eq!(page.field("lenh"), form[1].1, "the same form is the same command");
    assert_ne!(page.field("csrf"), form[0].1);
}

#[tokio::test]
async fn a_sign_in_form_of_an_older_tab_is_drawn_again_with_the_login() {
    let world = World::new().await;
    let mut browser = world.browser();
    let old = browser.get("/vao?tiep=/ho-so").await.field("token");
    let lapsed = [
        // A younger tab has the cookie, it is gone, or the form had none.
        (old.clone(), false),
        (old, true),
        (String::new(), false),
    ];
    browser.get("/vao").await;
    for (token, forget) in lapsed {
        if forget {
            browser.cookies.remove("mau");
        }
        let form =
            [("token", &*token), ("tiep", "/ho-so"), ("login", "officer-huyen"), ("password", PASSWORD)];
        let again = browser.post("/vao", &form).await;
        assert_eq!(again.status, StatusCode::FORBIDDEN);
        assert!(again.body.contains("value=\"officer-huyen\"") && again.body.contains("value=\"/ho-so\""));
        assert!(again.body.contains("chưa đăng nhập") && again.body.contains("role=\"alert\""));
        assert!(!again.body.contains(PASSWORD) && !browser.cookies.contains_key("phien"));
        // It is enough to type the password again.
        let mut next = browser.clone();
        let token = again.field("token");
        let form =
            [("token", &*token), ("tiep", "/ho-so"), ("login", "officer-huyen"), ("password", PASSWORD)];
        assert_eq!(next.post("/vao", &form).await.header("location"), "/ho-so");
    }
    // A lapsed form is no guess: the login is not locked by it, and it is not judged at all.
    for _ in 0..12 {
        browser.post("/vao", &[("token", "x"), ("login", "clerk-huyen"), ("password", "wrong")]).await;
    }
    assert_eq!(browser.sign_in("clerk-huyen", PASSWORD).await.status, StatusCode::SEE_OTHER);
    let elsewhere = Request::post("/vao").header("sec-fetch-site", "cross-site");
    let answer = browser.send(elsewhere.body(Body::from("login=officer-huyen")).unwrap()).await;
    assert!(answer.status == StatusCode::FORBIDDEN && !answer.body.contains("officer-huyen"));
}

#[tokio::test]
async fn a_decision_from_another_session_is_drawn_again_and_not_taken() {
    let world = World::new().await;
    let path = open_case(&world).await;
    let mut browser = world.as_role(Role::Adjudicator).await;
    let form = filled(&mut browser, &path).await;
    // Signed in anew in another tab: the cookie is that of another session.
    let mut browser = world.as_role(Role::Adjudicator).await;
    let again = send(&mut browser, &path, &form).await;
    assert_eq!(again.status, StatusCode::FORBIDDEN);
    assert!(again.body.contains("quyết định chưa được ghi"), "{}", again.body);
    holds_what_was_typed(&again, &form);
    assert!(world.case_actions().await.is_empty());
    let mut fresh = form.clone();
    fresh[0].1 = again.field("csrf");
    assert_eq!(send(&mut browser, &path, &fresh).await.status, StatusCode::SEE_OTHER);
    assert_eq!(world.case_actions().await.last().unwrap().3.as_deref(), Some(NOTE));
}

#[tokio::test]
async fn a_decision_that_was_sent_after_the_session_ended_is_kept_over_the_sign_in() {
    let world = World::new().await;
    let path = open_case(&world).await;
    let mut browser = world.as_role(Role::Adjudicator).await;
    let form = filled(&mut browser, &path).await;
    world.site.clock.set(support::WALL + Duration::hours(13));
    let told = send(&mut browser, &path, &form).await;
    assert_eq!(told.status, StatusCode::UNAUTHORIZED);
    assert!(told.body.contains("Phiên làm việc đã hết") && told.body.contains("name=\"password\""));
    assert!(told.body.contains("href=\"/vao?lang=en\""), "{}", told.body);
    let carried = |page: &Answer| {
        let names = ["token", "tiep", "giu-lenh", "giu-quyet-dinh"];
        let mut form: Vec<(String, String)> =
            names.into_iter().map(|name| (name.to_owned(), page.field(name))).collect();
        assert!(page.body.contains(&format!("name=\"giu-ly-do\" value=\"{ESCAPED}\"")), "{}", page.body);
        form.push(("giu-ly-do".to_owned(), NOTE.to_owned()));
        form.push(("login".to_owned(), "adjudicator-huyen".to_owned()));
        form
    };
    // A slip of the password loses nothing.
    let mut wrong = carried(&told);
    wrong.push(("password".to_owned(), "wrong".to_owned()));
    let told = send(&mut browser, "/vao", &wrong).await;
    assert_eq!(told.status, StatusCode::UNAUTHORIZED);
    let mut right = carried(&told);
    right.push(("password".to_owned(), PASSWORD.to_owned()));
    let resumed = send(&mut browser, "/vao", &right).await;
    assert_eq!(resumed.status, StatusCode::OK);
    assert!(resumed.body.contains(&format!("action=\"{path}\"")) && !resumed.body.contains(PASSWORD));
    let kept = &form[1..];
    let again = send(&mut browser, &path, kept).await;
    assert_eq!(again.status, StatusCode::FORBIDDEN);
    holds_what_was_typed(&again, &form);
    assert!(world.case_actions().await.is_empty(), "nothing was decided on the way");
}

#[tokio::test]
async fn every_form_with_a_token_says_what_to_do_when_it_lapsed() {
    let world = World::new().await;
    for route in ROUTES.iter().filter(|r| r.method == "POST") {
        let Access::Roles(roles) = route.access else { continue };
        let path = world.path(route.path);
        let mut reader = world.as_role(roles[0]).await;
        let stale = reader.post(&path, &[("csrf", "x")]).await;
        assert_eq!(stale.status, StatusCode::FORBIDDEN, "{path}");
        assert!(
            stale.body.contains("phiên làm việc khác") && stale.body.contains("<nav"),
            "{path}: {}",
            stale.body
        );
        let mut nobody = world.browser();
        let ended = nobody.post(&path, &[("csrf", "x")]).await;
        assert_eq!(ended.status, StatusCode::UNAUTHORIZED, "{path}");
        assert!(
            ended.body.contains("action=\"/vao\"") && ended.body.contains("Phiên làm việc đã hết"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn whoever_is_signed_in_keeps_the_navigation_on_every_problem_page() {
    let world = World::new().await;
    for role in Role::ALL {
        let mut reader = world.as_role(role).await;
        let is_justice = role == Role::Justice;
        let (list, field, things) =
            if is_justice { ("/cai-chinh", "loc", "/cai-chinh") } else { ("/cu-dan", "ten", "/ho-so") };
        let foreign = format!("{things}/{}", support::nothing());
        let large = Request::post("/ra").body(Body::from(vec![b'x'; 70_000])).unwrap();
        let upload = Request::post("/kiem-the").body(Body::from(vec![b'x'; 600 * 1024])).unwrap();
        let broken = Request::post("/kiem-the").header("content-type", "multipart/form-data");
        let mut pages = vec![
            (StatusCode::NOT_FOUND, reader.get("/khong-co").await),
            (StatusCode::NOT_FOUND, reader.get(&foreign).await),
            (StatusCode::NOT_FOUND, reader.get(&format!("{list}/%FF")).await),
            (StatusCode::NOT_FOUND, reader.post(list, &[]).await),
            (StatusCode::BAD_REQUEST, reader.get(&format!("{list}?{field}=a&{field}=b")).await),
            (StatusCode::FORBIDDEN, reader.post("/ra", &[]).await),
            (StatusCode::PAYLOAD_TOO_LARGE, reader.send(large).await),
            (StatusCode::PAYLOAD_TOO_LARGE, reader.send(upload).await),
            (StatusCode::BAD_REQUEST, reader.send(broken.body(Body::from("x")).unwrap()).await),
        ];
        let other = if role == Role::Commander { "/phieu-loi" } else { "/tong-quan" };
        pages.push((StatusCode::FORBIDDEN, reader.get(other).await));
        for _ in 0..=20 {
            reader.post("/tra-cuu", &[("ma", "wrong")]).await;
        }
        pages.push((StatusCode::TOO_MANY_REQUESTS, reader.post("/tra-cuu", &[("ma", "wrong")]).await));
        for (index, (status, page)) in pages.iter().enumerate() {
            assert_eq!(page.status, *status, "{role:?} {index}: {}", page.body);
            let has = page.body.contains("<nav") && page.body.contains(&format!("href=\"{things}\""));
            assert!(has && page.body.contains("action=\"/ra\""), "{role:?} {index}: {}", page.body);
        }
        // The navigation works on from there: its form to sign out has a token of this session.
        let csrf = pages[0].1.field("csrf");
        assert_eq!(reader.post("/ra", &[("csrf", &csrf)]).await.header("location"), "/vao");
        // Without a session there is none.
        let page = reader.get("/khong-co").await;
        assert!(page.status == StatusCode::NOT_FOUND && !page.body.contains("<nav"));
    }
}
