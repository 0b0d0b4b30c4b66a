//! The seeded site with accounts, and a browser that keeps cookies.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, Response, StatusCode, header};
use tower::ServiceExt;

use super::{Seeded, Site, seed, site};
use domain::id::{AccountId, ConsignmentId, KitId};
use domain::unit::Units;
use store::UnitScope;
use store::accounts::Account;
use testkit::{FreshDatabase, fresh_database};
use web::Role;

pub const PASSWORD: &str = "correct horse";

/// The seeded site with one account of each role, in the district and in its first commune.
pub struct World {
    pub db: FreshDatabase,
    pub site: Site,
    pub seeded: Seeded,
}

impl World {
    pub async fn new() -> World {
        let db = fresh_database().await;
        let seeded = seed(&db, 3, false).await;
        World::with(db, seeded, None).await
    }

    /// A seeded database, its accounts, and everybody's portrait.
    pub async fn with(db: FreshDatabase, seeded: Seeded, portrait: Option<Vec<u8>>) -> World {
        let site = site(&db, portrait);
        let hash = web::accounts::hash(PASSWORD.to_owned(), [1; 16]).await.unwrap();
        let units = Units::latest();
        let district = super::DISTRICT.parse().unwrap();
        let commune = units.leaves_of(district)[0];
        let mut tx = db.begin().await.unwrap();
        for role in Role::ALL {
            for (place, unit) in [("huyen", district), ("xa", commune)] {
                let login = format!("{}-{place}", role.code());
                let account = Account {
                    id: AccountId::derive(super::WALL, &[login.as_bytes()]).uuid(),
                    login,
                    role: role.code().to_owned(),
                    scope: UnitScope::parse(&units.path(unit).unwrap()).unwrap(),
                    display_name: "<Tên> & \"Họ\"".to_owned(),
                    password_hash: hash.clone(),
                    created_at: super::WALL,
                    disabled_at: None,
                };
                store::accounts::insert(&mut tx, &account).await.unwrap();
            }
        }
        tx.commit().await.unwrap();
        World { db, site, seeded }
    }

    /// What was done about cases: action, who, which decision, and the words.
    /// What was done about cases by commands; what the seed wrote has none.
    pub async fn case_actions(&self) -> Vec<(String, String, String, Option<String>)> {
        sqlx::query_as(
            "SELECT action, actor, decision, note FROM case_action WHERE command_id IS NOT NULL \
                        ORDER BY case_id, seq",
        )
        .fetch_all(self.db.admin())
        .await
        .unwrap()
    }

    pub fn browser(&self) -> Browser {
        Browser { router: web::router(self.site.state.clone()), cookies: BTreeMap::new() }
    }

    pub async fn signed_in(&self, login: &str) -> Browser {
        let mut browser = self.browser();
        let answer = browser.sign_in(login, PASSWORD).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{login}");
        browser
    }

    /// The district's account of a role.
    pub async fn as_role(&self, role: Role) -> Browser {
        self.signed_in(&format!("{}-huyen", role.code())).await
    }

    /// A path of the table with ids of things that the district has.
    pub fn path(&self, route: &str) -> String {
        let ids = [
            ("{person_id}", self.seeded.people[0].uuid()),
            ("{application_id}", self.seeded.applications[0].uuid()),
            ("{card_id}", self.seeded.cards[0].uuid()),
            ("{case_id}", self.seeded.cases[0].uuid()),
            ("{import_id}", self.seeded.import.uuid()),
            ("{kit_id}", KitId::derive(super::NOW, &[b"kit"]).uuid()),
            ("{consignment_id}", ConsignmentId::derive(super::NOW, &[b"district"]).uuid()),
            ("{document_id}", super::document().uuid()),
            ("{correction_id}", super::correction().uuid()),
        ];
        let route = route.replace("{rule}", "native_place_missing");
        ids.into_iter().fold(route, |path, (name, id)| path.replace(name, &id.to_string()))
    }

    pub async fn audit(&self, action: &str) -> Vec<(String, String, String)> {
        sqlx::query_as("SELECT subject, actor, detail::text FROM audit WHERE action = $1 ORDER BY at, seq")
            .bind(action)
            .fetch_all(self.db.admin())
            .await
            .unwrap()
    }
}

#[derive(Clone)]
pub struct Browser {
    pub router: Router,
    pub cookies: BTreeMap<String, String>,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The value of a hidden field.
    pub fn field(&self, name: &str) -> String {
        let from = self.body.find(&format!("name=\"{name}\" value=\"")).expect("the field is on the page");
        self.body[from..].split('"').nth(3).unwrap().to_owned()
    }
}

impl Browser {
    pub async fn send(&mut self, request: Request<Body>) -> Answer {
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

    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let body: Vec<String> =
            form.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(body.join("&"))).unwrap()).await
    }

    /// Opens a person's record as somebody does who has no work with the person: the reason first.
    pub async fn open(&mut self, path: &str) -> Answer {
        let asked = self.get(path).await;
        if !asked.body.contains("name=\"ly-do\" value=\"present\"") {
            return asked;
        }
        let form = [("csrf", &*asked.field("csrf")), ("ly-do", "present"), ("noi-dung", "")];
        assert_eq!(self.post(path, &form).await.status, StatusCode::SEE_OTHER, "{path}");
        self.get(path).await
    }

    pub async fn sign_in(&mut self, login: &str, password: &str) -> Answer {
        let token = self.get("/vao").await.field("token");
        self.post("/vao", &[("token", &token), ("tiep", ""), ("login", login), ("password", password)]).await
    }

    pub async fn csrf(&mut self) -> String {
        self.get("/cu-dan").await.field("csrf")
    }
}
