//! Cases of correction on pages: from the register's clerk through the justice office and back, each office
//! its own part; and what somebody gets who tries another's.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use domain::id::{AccountId, PersonId};
use register::quality::look_over;
use store::UnitScope;
use web::Role;
use web::routes::{Access, ROUTES};

use crate::support::browser::{Answer, Browser, World};
use crate::support::{self, RECEIPT, TODAY, nothing};

const PDF: &[u8] = b"%PDF-1.7 an extract";

/// Somebody of the district whose record is the fold of its events.
fn somebody(world: &World) -> PersonId {
    world.seeded.people[1]
}

/// A form with a file, as a browser sends it.
fn multipart(path: &str, fields: &[(&str, &str)], file: Option<&[u8]>) -> Request<Body> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let part = format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend(part.into_bytes());
    }
    let name = if file.is_some() { "trích lục.pdf" } else { "" };
    let head = format!("--x\r\nContent-Disposition: form-data; name=\"tep\"; filename=\"{name}\"\r\n\r\n");
    body.extend(head.into_bytes());
    body.extend(file.unwrap_or_default());
    body.extend(b"\r\n--x--\r\n");
    let request = Request::post(path).header(header::CONTENT_TYPE, "multipart/form-data; boundary=x");
    request.body(Body::from(body)).unwrap()
}

/// The fields that a page drew, with these.
fn filled<'a>(drawn: &'a [(&'static str, String)], fields: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    drawn.iter().map(|(name, value)| (*name, value.as_str())).chain(fields.iter().copied()).collect()
}

fn drawn(page: &Answer) -> Vec<(&'static str, String)> {
    ["csrf", "lenh", "ban"].into_iter().map(|name| (name, page.field(name))).collect()
}

/// Opens a case about the name and the ethnic group of somebody, and gives its address.
async fn asked(clerk: &mut Browser, person: PersonId) -> String {
    clerk.open(&format!("/cu-dan/{person}")).await;
    let path = format!("/cu-dan/{person}/cai-chinh/moi");
    let page = clerk.get(&path).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    let (csrf, case) = (page.field("csrf"), page.field("ma"));
    let form = [
        ("csrf", csrf.as_str()),
        ("ma", case.as_str()),
        ("nguon", "citizen"),
        ("truong-1", "name.whole"),
        ("gia-tri-1", "Lê Thị Mới"),
        ("truong-2", "ethnicity.whole"),
        ("gia-tri-2", "Tày"),
        ("ly-do", "Theo giấy khai sinh"),
    ];
    for _ in 0..2 {
        // Sent twice, as by an impatient hand.
        let done = clerk.post(&path, &form).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
        assert_eq!(done.header("location"), format!("/cai-chinh/{case}?kq=request"));
    }
    format!("/cai-chinh/{case}")
}

async fn act(browser: &mut Browser, case: &str, fields: &[(&str, &str)]) -> Answer {
    let page = browser.get(case).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    let drawn = drawn(&page);
    browser.post(case, &filled(&drawn, fields)).await
}

async fn state(world: &World, case: &str) -> String {
    let id = uuid::Uuid::parse_str(case.rsplit('/').next().unwrap()).unwrap();
    let sql = "SELECT state FROM correction_case WHERE case_id = $1";
    sqlx::query_scalar(sql).bind(id).fetch_one(world.db.admin()).await.unwrap()
}

const PAPER: [(&str, &str); 8] = [
    ("viec", "issue_paper"),
    ("tra-loi-1", "nhu-de-nghi"),
    ("tra-loi-2", "tu-choi"),
    ("giay-loai", "civil_status"),
    ("giay-so", "7/2021"),
    ("giay-noi", "UBND xã Mẫu"),
    ("giay-ngay", "19/04/2021"),
    ("xac-nhan", "1"),
];

#[tokio::test]
async fn a_correction_goes_from_the_clerk_to_the_justice_office_and_back() {
    let world = World::new().await;
    let mut clerk = world.as_role(Role::Clerk).await;
    let mut justice = world.as_role(Role::Justice).await;
    let person = somebody(&world);
    let case = asked(&mut clerk, person).await;
    let open = clerk.get(&format!("/cu-dan/{person}")).await.body;
    assert!(open.contains(&format!("href=\"{case}\"")), "{open}");
    let list = justice.get("/cai-chinh").await.body;
    assert!(list.contains(&case) && list.contains("Chờ thụ lý") && list.contains("chưa quy định"), "{list}");
    // Nothing is saved that the reader does not see: who asks what, beside what the register states.
    let page = justice.get(&case).await.body;
    assert!(page.contains("Lê Thị Mới") && page.contains("Tày") && page.contains("Kinh"), "{page}");
    assert!(page.contains("Theo giấy khai sinh") && !page.contains(&format!("/cu-dan/{person}\"")), "{page}");
    let done = act(&mut justice, &case, &[("viec", "take")]).await;
    assert_eq!(done.header("location"), format!("{case}?kq=take"), "{}", done.body);
    assert!(justice.get("/cai-chinh?loc=cua-toi").await.body.contains(&case));
    let open = clerk.get("/cai-chinh").await.body;
    assert!(open.contains(&case) && !open.contains("loc=cua-toi"), "a clerk owns none: {open}");
    // What is wrong is said, and what was typed is kept.
    let drawn = drawn(&justice.get(&case).await);
    let wrong: Vec<_> = PAPER.iter().copied().filter(|(name, _)| *name != "giay-so").collect();
    let again = justice.send(multipart(&case, &filled(&drawn, &wrong), Some(PDF))).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    assert!(again.body.contains("role=\"alert\"") && again.body.contains("value=\"UBND xã Mẫu\""));
    let unconfirmed: Vec<_> = PAPER.iter().copied().filter(|(name, _)| *name != "xac-nhan").collect();
    let again = justice.send(multipart(&case, &filled(&drawn, &unconfirmed), Some(PDF))).await;
    assert!(again.status == StatusCode::BAD_REQUEST && again.body.contains("Hãy đánh dấu xác nhận"));
    for _ in 0..2 {
        let done = justice.send(multipart(&case, &filled(&drawn, &PAPER), Some(PDF))).await;
        assert_eq!(done.header("location"), format!("{case}?kq=issue_paper"), "{}", done.body);
    }
    let page = clerk.get(&case).await.body;
    assert!(page.contains("Trích lục hộ tịch số 7/2021") || page.contains("số 7/2021"), "{page}");
    let scan = clerk.get(&format!("{case}/giay-to")).await;
    assert_eq!((scan.status, scan.body.as_bytes()), (StatusCode::OK, PDF));
    assert!(scan.header("content-disposition").starts_with("attachment"));
    let done = act(&mut clerk, &case, &[("viec", "apply"), ("xac-nhan", "1")]).await;
    assert_eq!(done.header("location"), format!("{case}?kq=apply"), "{}", done.body);
    let record = clerk.get(&format!("/cu-dan/{person}")).await.body;
    let identity = record.split("id=\"identity\"").nth(1).unwrap().split("</section>").next().unwrap();
    assert!(identity.contains("Lê Thị Mới") && identity.contains("Kinh"), "{identity}");
    assert!(!record.contains(&format!("href=\"{case}\"")), "it is over");
    assert!(justice.get("/cai-chinh?loc=xong").await.body.contains(&case));
    for action in ["request", "take", "issue_paper", "apply"] {
        assert_eq!(world.audit(&format!("correction.{action}")).await.len(), 1, "{action}");
    }
    assert!(!world.audit("correction.read").await.is_empty());
    let english = justice.get(&format!("{case}?lang=en")).await.body;
    assert!(english.contains("The values side by side") && english.contains("Applied"), "{english}");
}

#[tokio::test]
async fn a_finding_leads_to_a_case_in_one_step() {
    let world = World::new().await;
    let mut clerk = world.as_role(Role::Clerk).await;
    let person = somebody(&world);
    let sql = "UPDATE person SET native_place = NULL WHERE person_id = $1";
    sqlx::query(sql).bind(person.uuid()).execute(world.db.admin()).await.unwrap();
    look_over(&world.db, &UnitScope::everything(), TODAY, true, |_, _| {}).await.unwrap();
    let rule = "/chat-luong/native_place_missing";
    let form = format!("/cu-dan/{person}/cai-chinh/moi?luat=native_place_missing");
    assert!(clerk.get(rule).await.body.contains(&format!("href=\"{form}\"")));
    // The finding is the reason: none is asked for, and the trail names the rule.
    let page = clerk.get(&form).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("<option value=\"native_place.whole\" selected>"), "{}", page.body);
    let read = world.audit("person.read").await;
    assert!(read.last().unwrap().2.contains("native_place_missing"), "{read:?}");
    // Of somebody whom the rule does not find it is none.
    let other = world.seeded.people[2];
    let asks = clerk.get(&format!("/cu-dan/{other}/cai-chinh/moi?luat=name_missing")).await.body;
    assert!(asks.contains("name=\"ly-do\" value=\"present\""), "{asks}");
    assert!(clerk.get(rule).await.body.contains("Lập hồ sơ cải chính"));
}

#[tokio::test]
async fn the_justice_office_sees_its_cases_and_nothing_else() {
    let world = World::new().await;
    let mut clerk = world.as_role(Role::Clerk).await;
    let case = asked(&mut clerk, somebody(&world)).await;
    let mut justice = world.as_role(Role::Justice).await;
    for route in ROUTES {
        let Access::Roles(roles) = route.access else { continue };
        let own =
            ["/", "/ra", "/cai-chinh", "/cai-chinh/{correction_id}", "/cai-chinh/{correction_id}/giay-to"];
        assert_eq!(roles.contains(&Role::Justice), own.contains(&route.path), "{}", route.path);
        if route.method == "GET" && !own.contains(&route.path) {
            let answer = justice.get(&world.path(route.path)).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", route.path);
        }
    }
    assert_eq!(justice.get("/").await.header("location"), "/cai-chinh");
    let page = justice.get("/cai-chinh").await.body;
    for other in ["/cu-dan", "/ho-so", "/chat-luong", "/the/"] {
        assert!(!page.contains(&format!("href=\"{other}")), "{other}");
    }
    // Of another commune the case does not exist, and neither does its scan.
    let mut stranger = world.signed_in("justice-xa").await;
    assert!(!stranger.get("/cai-chinh").await.body.contains(&case));
    let csrf = stranger.get("/cai-chinh").await.field("csrf");
    for path in [case.clone(), format!("{case}/giay-to")] {
        let denied = world.audit("denied").await.len();
        assert_eq!(stranger.get(&path).await.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(world.audit("denied").await.len(), denied + 1, "{path}");
    }
    let act = nothing().to_string();
    let form = [("csrf", csrf.as_str()), ("viec", "take"), ("lenh", &*act), ("ban", "1")];
    assert_eq!(stranger.post(&case, &form).await.status, StatusCode::NOT_FOUND);
    assert_eq!(state(&world, &case).await, "requested");
}

#[tokio::test]
async fn a_clerk_is_no_justice_office_and_an_old_page_does_nothing() {
    let world = World::new().await;
    let mut clerk = world.as_role(Role::Clerk).await;
    let mut justice = world.as_role(Role::Justice).await;
    let case = asked(&mut clerk, somebody(&world)).await;
    let page = clerk.get(&case).await;
    for act in ["take", "issue_paper", "refuse", "apply"] {
        assert!(!page.body.contains(&format!("name=\"viec\" value=\"{act}\"")), "{act}");
    }
    // The form that the page does not draw, sent all the same.
    let own = drawn(&page);
    for fields in [&[("viec", "take")][..], &[("viec", "refuse"), ("ly-do", "không"), ("xac-nhan", "1")]] {
        let refused = clerk.post(&case, &filled(&own, fields)).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert!(refused.body.contains("Việc này thuộc cơ quan khác."), "{}", refused.body);
    }
    let refused = clerk.send(multipart(&case, &filled(&own, &PAPER), Some(PDF))).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert_eq!(state(&world, &case).await, "requested");
    let old = drawn(&justice.get(&case).await);
    act(&mut justice, &case, &[("viec", "take")]).await;
    let refused = clerk.post(&case, &filled(&own, &[("viec", "apply"), ("xac-nhan", "1")])).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "nothing is granted yet");
    let refuse = [("viec", "refuse"), ("ly-do", "Giấy khai sinh không khớp"), ("xac-nhan", "1")];
    let stale = justice.post(&case, &filled(&old, &refuse)).await;
    assert_eq!(stale.status, StatusCode::BAD_REQUEST);
    assert!(stale.body.contains("Hồ sơ đã thay đổi từ khi ông/bà mở trang."), "{}", stale.body);
    assert!(stale.body.contains("Giấy khai sinh không khớp"), "what was typed is kept");
    assert_eq!(state(&world, &case).await, "taken");
    // A commander gives it to somebody else of the office, and the first has it no longer.
    let mut commander = world.as_role(Role::Commander).await;
    let colleague = AccountId::derive(support::WALL, &[b"justice-2"]);
    sqlx::query(
        "INSERT INTO account (id, login, role, unit_path, display_name, password_hash, created_at) \
         SELECT $1, 'justice-2', role, unit_path, 'B', password_hash, created_at FROM account \
         WHERE login = 'justice-huyen'",
    )
    .bind(colleague.uuid())
    .execute(world.db.admin())
    .await
    .unwrap();
    let to = format!("account:{colleague}");
    let give = [("viec", "reassign"), ("cho", &*to), ("ly-do", "Quá hạn"), ("xac-nhan", "1")];
    let done = act(&mut commander, &case, &give).await;
    assert_eq!(done.header("location"), format!("{case}?kq=reassign"), "{}", done.body);
    let refused = act(&mut commander, &case, &[("viec", "apply"), ("xac-nhan", "1")]).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let page = justice.get(&case).await.body;
    assert!(!page.contains("name=\"viec\" value=\"issue_paper\""), "{page}");
}

#[tokio::test]
async fn a_form_with_a_scan_needs_its_token_and_ends_somewhere() {
    let world = World::new().await;
    let mut clerk = world.as_role(Role::Clerk).await;
    let mut justice = world.as_role(Role::Justice).await;
    let case = asked(&mut clerk, somebody(&world)).await;
    act(&mut justice, &case, &[("viec", "take")]).await;
    let own = drawn(&justice.get(&case).await);
    let tokenless: Vec<_> = filled(&own, &PAPER).into_iter().filter(|(name, _)| *name != "csrf").collect();
    let refused = justice.send(multipart(&case, &tokenless, Some(PDF))).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let large = vec![b'x'; 5 << 20];
    let answer = justice.send(multipart(&case, &filled(&own, &PAPER), Some(&large))).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    let some = vec![b'x'; 1 << 20];
    for mut stranger in [world.browser(), world.as_role(Role::Officer).await] {
        let answer = stranger.send(multipart(&case, &filled(&own, &PAPER), Some(&some))).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    }
    let answer = justice.send(multipart(&case, &filled(&own, &PAPER), Some(&some))).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "a scan of another type");
    assert_eq!(state(&world, &case).await, "taken");
}

#[tokio::test]
async fn the_applicant_is_told_what_is_asked_of_whom_and_by_when() {
    let world = World::new().await;
    let person = world.seeded.people[0].uuid();
    let sql = "UPDATE application SET person_id = $1, state = 'accepted' WHERE receipt_hash IS NOT NULL \
               RETURNING application_id";
    let application: uuid::Uuid =
        sqlx::query_scalar(sql).bind(person).fetch_one(world.db.admin()).await.unwrap();
    let follow = async || world.browser().post("/tra-cuu", &[("ma", RECEIPT)]).await.body;
    assert!(!follow().await.contains("đang được cải chính"));
    let case = "INSERT INTO correction_case (case_id, kind, person_id, source, state, requested_by, due_on, \
                opened_at, actions, unit_path) \
                VALUES ($2, 'correction', $1, 'citizen', 'requested', 'centre', '2021-07-08', now(), 1, \
                (SELECT unit_path FROM person WHERE person_id = $1))";
    sqlx::query(case).bind(person).bind(nothing()).execute(world.db.admin()).await.unwrap();
    let item = "INSERT INTO correction_item (case_id, field, part, register_value, claimed_value, outcome, \
                unit_path) SELECT case_id, 'name', 'whole', 'Bí Mật', 'Kín Đáo', 'open', unit_path \
                FROM correction_case WHERE case_id = $1";
    sqlx::query(item).bind(nothing()).execute(world.db.admin()).await.unwrap();
    let told = follow().await;
    assert!(told.contains("Thông tin của ông/bà đang được cải chính"), "{told}");
    assert!(told.contains("cán bộ tư pháp – hộ tịch") && told.contains("Hạn trả lời: 08/07/2021."), "{told}");
    assert!(!told.contains("Bí Mật") && !told.contains("Kín Đáo"), "no value is told");
    assert!(told.contains("Thẻ chờ kết quả này rồi được làm tiếp."), "{told}");
    // Whoever is asked at the counter knows it too, and the register's clerk has the way there.
    let case = format!("href=\"/cai-chinh/{}\"", nothing());
    for (role, has_link) in [(Role::Clerk, true), (Role::Officer, false)] {
        let page = world.as_role(role).await.get(&format!("/ho-so/{application}")).await.body;
        assert!(page.contains("Thông tin của người này đang được cải chính"), "{role:?}: {page}");
        assert_eq!(page.contains(&case), has_link, "{role:?}");
    }
    let made = "UPDATE application SET state = 'printed' WHERE receipt_hash IS NOT NULL";
    sqlx::query(made).execute(world.db.admin()).await.unwrap();
    let told = follow().await;
    assert!(told.contains("đang được cải chính") && !told.contains("Thẻ chờ kết quả"), "{told}");
    let over = "UPDATE correction_case SET state = 'withdrawn', closed_at = now() WHERE case_id = $1";
    sqlx::query(over).bind(nothing()).execute(world.db.admin()).await.unwrap();
    assert!(!follow().await.contains("đang được cải chính"));
}
