//! The site as a browser meets it, on a real database. Every route of the table is walked.

#![allow(clippy::unwrap_used, reason = "a failed step of a test's set-up is the test's failure")]

mod support;

use std::collections::BTreeMap;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode, header};
use domain::id::AccountId;
use domain::unit::UnitTable;
use rand::SeedableRng;
use rand::rngs::StdRng;
use store::UnitScope;
use store::accounts::Account;
use support::{Seeded, Site, nothing, seed, site};
use testkit::{FreshDatabase, fresh_database};
use time::Duration;
use tower::ServiceExt;
use uuid::Uuid;
use web::routes::{Access, ROUTES};
use web::{CaseOutcome, CaseRefusal, Role};

const PASSWORD: &str = "correct horse";
/// What a page may weigh before compression.
const MOST_BYTES: usize = 100 * 1024;

/// The seeded site with one account of each role, in the district and in its first commune.
struct World {
    db: FreshDatabase,
    site: Site,
    seeded: Seeded,
}

impl World {
    async fn new() -> World {
        let db = fresh_database().await;
        let seeded = seed(&db, 3, false).await;
        let site = site(&db, None);
        let hash = web::accounts::hash(PASSWORD.to_owned(), [1; 16]).await.unwrap();
        let units = UnitTable::official_2021();
        let district = support::DISTRICT.parse().unwrap();
        let commune = units.leaves_of(district)[0];
        let mut tx = db.begin().await.unwrap();
        for role in Role::ALL {
            for (place, unit) in [("huyen", district), ("xa", commune)] {
                let login = format!("{}-{place}", role.code());
                let account = Account {
                    id: AccountId::derive(support::WALL, &[login.as_bytes()]).uuid(),
                    login,
                    role: role.code().to_owned(),
                    scope: UnitScope::parse(&units.path(unit).unwrap()).unwrap(),
                    display_name: "<Tên> & \"Họ\"".to_owned(),
                    password_hash: hash.clone(),
                    created_at: support::WALL,
                    disabled_at: None,
                };
                store::accounts::insert(&mut tx, &account).await.unwrap();
            }
        }
        tx.commit().await.unwrap();
        World { db, site, seeded }
    }

    fn browser(&self) -> Browser {
        Browser { router: web::router(self.site.state.clone()), cookies: BTreeMap::new() }
    }

    async fn signed_in(&self, login: &str) -> Browser {
        let mut browser = self.browser();
        let answer = browser.sign_in(login, PASSWORD).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{login}");
        browser
    }

    /// The district's account of a role.
    async fn as_role(&self, role: Role) -> Browser {
        self.signed_in(&format!("{}-huyen", role.code())).await
    }

    /// A path of the table with ids of things that the district has.
    fn path(&self, route: &str) -> String {
        let ids = [
            ("{person_id}", self.seeded.people[0].uuid()),
            ("{application_id}", self.seeded.applications[0].uuid()),
            ("{card_id}", self.seeded.cards[0].uuid()),
            ("{case_id}", self.seeded.cases[0].uuid()),
            ("{import_id}", self.seeded.import.uuid()),
        ];
        ids.into_iter().fold(route.to_owned(), |path, (name, id)| path.replace(name, &id.to_string()))
    }

    async fn audit(&self, action: &str) -> Vec<(String, String, String)> {
        sqlx::query_as("SELECT subject, actor, detail::text FROM audit WHERE action = $1 ORDER BY at, seq")
            .bind(action)
            .fetch_all(self.db.work())
            .await
            .unwrap()
    }
}

#[derive(Clone)]
struct Browser {
    router: Router,
    cookies: BTreeMap<String, String>,
}

struct Answer {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The value of a hidden field.
    fn field(&self, name: &str) -> String {
        let from = self.body.find(&format!("name=\"{name}\" value=\"")).expect("the field is on the page");
        self.body[from..].split('"').nth(3).unwrap().to_owned()
    }
}

impl Browser {
    async fn send(&mut self, request: Request<Body>) -> Answer {
        let (mut parts, body) = request.into_parts();
        if !self.cookies.is_empty() {
            let cookies: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            parts.headers.insert(header::COOKIE, cookies.join("; ").parse().unwrap());
        }
        let response: Response<Body> =
            self.router.clone().oneshot(Request::from_parts(parts, body)).await.unwrap();
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let (pair, attributes) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            match attributes.contains("Max-Age=0") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        let body = to_bytes(body, 20 << 20).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let body: Vec<String> =
            form.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(body.join("&"))).unwrap()).await
    }

    async fn sign_in(&mut self, login: &str, password: &str) -> Answer {
        let token = self.get("/vao").await.field("token");
        self.post("/vao", &[("token", &token), ("tiep", ""), ("login", login), ("password", password)]).await
    }

    async fn csrf(&mut self) -> String {
        self.get("/cu-dan").await.field("csrf")
    }
}

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
    assert!(world.site.desk.asked.lock().unwrap().is_empty());
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
    assert!(world.site.desk.asked.lock().unwrap().is_empty());
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
async fn reading_leaves_an_audit_row_without_personal_data() {
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
        assert_eq!(officer.get(&world.path(path)).await.status, StatusCode::OK);
        let actor = format!("account:{}", AccountId::derive(support::WALL, &[b"officer-xa"]));
        assert_eq!(world.audit(action).await, [(subject, actor, "{}".to_owned())]);
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
    let forged =
        other.clone().post("/vao", &[("token", &"0".repeat(64)), ("login", "x"), ("password", "y")]).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_session_slides_and_ends() {
    let world = World::new().await;
    let mut browser = world.as_role(Role::Officer).await;
    let cookie = browser.cookies["phien"].clone();
    let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM session WHERE encode(token_hash, 'hex') = $1")
        .bind(&cookie)
        .fetch_one(world.db.work())
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
        .execute(world.db.work())
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
    assert_eq!(browser.sign_in("officer-huyen", PASSWORD).await.status, StatusCode::TOO_MANY_REQUESTS);
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
async fn a_receipt_code_opens_its_stage_and_a_guess_nothing() {
    let world = World::new().await;
    let mut browser = world.browser();
    let found = browser.post("/tra-cuu", &[("ma", " 7k3m 2qx9-oooo-abcd ")]).await;
    assert!(found.body.contains("Đã trao thẻ") && found.body.contains("Thị trấn Thạch Hà"), "{}", found.body);
    let name: String = sqlx::query_scalar(
        "SELECT r.record->>'name' FROM application_record r JOIN application a USING (application_id) WHERE receipt_hash IS NOT NULL",
    )
    .fetch_one(world.db.work())
    .await
    .unwrap();
    assert!(!found.body.contains(&name) && !found.body.contains("/ho-so/"));
    let first = browser.post("/tra-cuu", &[("ma", "7K3M-2QX9-0000-ABCE")]).await;
    for guess in ["", "x", "0000-0000-0000-0000", "' OR 1=1 --", "ấ"] {
        let answer = browser.post("/tra-cuu", &[("ma", guess)]).await;
        assert_eq!((answer.status, &answer.body), (first.status, &first.body), "{guess}");
    }
    for _ in 0..20 {
        browser.post("/tra-cuu", &[("ma", "wrong")]).await;
    }
    let code = support::RECEIPT;
    assert_eq!(browser.post("/tra-cuu", &[("ma", code)]).await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn names_and_queries_are_escaped() {
    let world = World::new().await;
    let mut clerk = world.as_role(Role::Clerk).await;
    let rejects = clerk.get(&world.path("/phieu-loi/{import_id}")).await.body;
    assert!(rejects.contains("&#60;b&#62;VĂN") && !rejects.contains("<b>VĂN"), "{rejects}");
    // A form of another district is not shown, one of no readable district without its name.
    assert!(!rejects.contains("PERSON OF HANOI"));
    assert!(!rejects.contains("NOBODY KNOWS WHERE") && rejects.contains("DC01-00093"));
    let search = clerk.get("/cu-dan?ten=%22%3E%3Cscript%3E").await.body;
    assert!(!search.contains("<script>") && search.contains("&#60;script&#62;"));
    sqlx::query("UPDATE person SET full_name = '<img src=x>' WHERE person_id = $1")
        .bind(world.seeded.people[0].uuid())
        .execute(world.db.work())
        .await
        .unwrap();
    let person = clerk.get(&world.path("/cu-dan/{person_id}")).await.body;
    assert!(!person.contains("<img src=x>") && person.contains("&#60;img src=x&#62;"));
}

#[tokio::test]
async fn people_are_found_by_name_number_and_year() {
    let world = World::new().await;
    let mut clerk = world.as_role(Role::Clerk).await;
    let (name, pin, birth): (String, String, i32) = sqlx::query_as(
        "SELECT full_name, pin, birth FROM person WHERE pin IS NOT NULL ORDER BY pin DESC LIMIT 1",
    )
    .fetch_one(world.db.work())
    .await
    .unwrap();
    let hits = |page: &str| page.matches("href=\"/cu-dan/0").count();
    let by_pin = clerk.get(&format!("/cu-dan?so={pin}")).await.body;
    assert_eq!(hits(&by_pin), 1, "{by_pin}");
    let folded = domain::text::fold_ascii(&name).to_lowercase().replace(' ', "+");
    let by_both = clerk.get(&format!("/cu-dan?ten={folded}&nam={}", birth / 10_000)).await.body;
    assert!(by_both.contains(&name.replace('\'', "&#39;")) && hits(&by_both) >= 1);
    for (query, shown) in
        [("so=042099999999", 0), ("ten=%25", 0), ("so=12", 0), ("nam=185", 0), ("ten=zzz", 0)]
    {
        assert_eq!(hits(&clerk.get(&format!("/cu-dan?{query}")).await.body), shown, "{query}");
    }
    assert!(clerk.get("/cu-dan?so=12").await.body.contains("12 chữ số"));
    // Nobody reaches a person outside the scope by number.
    let mut officer = world.signed_in("officer-xa").await;
    assert_eq!(hits(&officer.get(&format!("/cu-dan?so={pin}")).await.body), 0);
}

#[tokio::test]
async fn the_language_is_asked_for_once() {
    let world = World::new().await;
    let mut browser = world.browser();
    assert!(browser.get("/vao").await.body.contains("<html lang=\"vi\">"));
    let english = browser.get("/vao?tiep=/ho-so&lang=en").await;
    assert!(
        english.body.contains("<html lang=\"en\">") && english.body.contains("/vao?tiep=/ho-so&#38;lang=vi")
    );
    assert!(browser.get("/tra-cuu").await.body.contains("Follow an application"));
    assert!(browser.get("/khong-co").await.body.contains("Not found"));
    assert!(browser.get("/tra-cuu?lang=vi").await.body.contains("Tra cứu hồ sơ"));
}

#[tokio::test]
async fn a_decision_reaches_the_desk_with_its_author_and_its_command() {
    let world = World::new().await;
    let mut browser = world.as_role(Role::Adjudicator).await;
    let open = sqlx::query_scalar::<_, Uuid>("SELECT case_id FROM case_file WHERE decision IS NULL LIMIT 1");
    let path = format!("/ho-so-xet/{}", open.fetch_one(world.db.work()).await.unwrap());
    let page = browser.get(&path).await;
    let (csrf, command) = (page.field("csrf"), page.field("lenh"));
    let form = [
        ("csrf", csrf.as_str()),
        ("lenh", &command),
        ("quyet-dinh", "same_person"),
        ("ly-do", " Cùng ảnh. "),
    ];
    let answer = browser.post(&path, &form).await;
    assert_eq!(answer.header("location"), format!("{path}?kq=cho"));
    assert!(browser.get(&format!("{path}?kq=cho")).await.body.contains("người thứ hai xác nhận"));
    browser.post(&path, &form).await;
    let asked = world.site.desk.asked.lock().unwrap().clone();
    assert_eq!(asked[0], asked[1], "the same form is the same command");
    assert_eq!(asked[0].note, "Cùng ảnh.");
    assert_eq!(asked[0].account, AccountId::derive(support::WALL, &[b"adjudicator-huyen"]));
    *world.site.desk.answer.lock().unwrap() = Err(CaseRefusal::SameEyes);
    let refused = browser.post(&path, &form).await;
    assert!(refused.status == StatusCode::CONFLICT && refused.body.contains("không thể tự xác nhận"));
    *world.site.desk.answer.lock().unwrap() = Ok(CaseOutcome::Closed);
    assert!(browser.post(&path, &form).await.header("location").ends_with("?kq=xong"));
    let bad = [("csrf", csrf.as_str()), ("lenh", &command), ("quyet-dinh", "burn")];
    assert_eq!(browser.post(&path, &bad).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_dashboard_sums_sorts_and_reconciles() {
    let db = fresh_database().await;
    seed(&db, 4, true).await;
    let site = site(&db, None);
    let data = tempfile::tempdir().unwrap();
    let mut rng = StdRng::seed_from_u64(1);
    let units = UnitTable::official_2021();
    let district = support::DISTRICT.parse().unwrap();
    let accounts =
        web::accounts::create_demo(&db, units, district, data.path(), support::WALL, &mut rng).await.unwrap();
    let mut browser = Browser { router: web::router(site.state), cookies: BTreeMap::new() };
    browser.sign_in("chihuy", &accounts[0].password).await;
    let page = browser.get("/tong-quan").await.body;
    let captured: i64 =
        sqlx::query_scalar("SELECT count(*) FROM application").fetch_one(db.work()).await.unwrap();
    assert!(page.contains(&format!("<dd>{captured}</dd>")) && page.contains("người/ngày"), "{page}");
    assert!(page.contains("1 hồ sơ chênh lệch") && page.contains("class=\"line-captured\""));
    let list = browser.get("/ho-so?chenh=received&duoi=").await.body;
    assert_eq!(list.matches("href=\"/ho-so/0").count(), 1, "{list}");
    let by_name = browser.get("/tong-quan?xep=name&chieu=tang").await.body;
    let table = by_name.split("id=\"don-vi\"").nth(1).unwrap();
    assert!(table.find("Thị trấn Thạch Hà").unwrap() < table.find("Xã Đỉnh Bàn").unwrap());
    assert!(table.find("Xã Đỉnh Bàn").unwrap() < table.find("Xã Thạch Đài").unwrap());
    assert!(table.contains("aria-sort=\"ascending\""));
    assert_eq!(browser.get("/ho-so?chenh=nonsense").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn kits_have_their_own_door() {
    let world = World::new().await;
    let mut kit = world.browser();
    let send = |path: &str, bytes: usize| Request::post(path).body(Body::from(vec![0u8; bytes])).unwrap();
    let answer = kit.send(send("/kit/v1/packets", 8 << 20)).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "8388608"));
    assert_eq!(answer.header("content-type"), enrol::wire::BATCH_TYPE);
    let answer = kit.send(send("/kit/v1/packets", (8 << 20) + 1)).await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::PAYLOAD_TOO_LARGE, 0));
    assert_eq!(kit.send(send("/kit/v1/day-report", 3)).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(kit.send(send("/tra-cuu", 70_000)).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(kit.get("/healthz").await.body, "ok\n");
    assert_eq!(kit.get("/readyz").await.body, "ready\n");
}

#[tokio::test]
async fn demo_accounts_are_private_and_stay() {
    use std::os::unix::fs::PermissionsExt;
    let db = fresh_database().await;
    let data = tempfile::tempdir().unwrap();
    let (units, district) = (UnitTable::official_2021(), support::DISTRICT.parse().unwrap());
    let make = async |seed: u64| {
        let mut rng = StdRng::seed_from_u64(seed);
        let made =
            web::accounts::create_demo(&db, units, district, data.path(), support::WALL, &mut rng).await;
        made.unwrap().into_iter().map(|account| account.password).collect::<Vec<_>>()
    };
    let (first, second) = (make(1).await, make(2).await);
    assert_eq!(first, second);
    let file = data.path().join("demo-accounts.txt");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::remove_file(&file).unwrap();
    let third = make(3).await;
    assert_ne!(first, third);
    let mut browser = Browser { router: web::router(site(&db, None).state), cookies: BTreeMap::new() };
    assert_eq!(browser.sign_in("canbo", &first[1]).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(browser.sign_in("canbo", &third[1]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.get("/").await.header("location"), "/lich-moi");
}
