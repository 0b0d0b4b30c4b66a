//! A clerk records civil events on a page: with their papers, without script, once, and of the own unit
//! alone.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use domain::id::PersonId;
use web::Role;

use crate::support::browser::{Answer, Browser, World};
use crate::support::nothing;

const PDF: &[u8] = b"%PDF-1.7 an extract";

/// Somebody of the district whose record is the fold of its events, outside its first commune.
fn somebody(world: &World) -> PersonId {
    world.seeded.people[1]
}

fn form_of(person: PersonId) -> String {
    format!("/cu-dan/{person}/su-kien/moi")
}

/// A form with a file, as a browser sends it.
fn multipart(path: &str, fields: &[(&str, &str)], file: Option<&[u8]>) -> Request<Body> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let part = format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend(part.into_bytes());
    }
    let name = if file.is_some() { "ảnh.jpg" } else { "" };
    let head = format!("--x\r\nContent-Disposition: form-data; name=\"tep\"; filename=\"{name}\"\r\n\r\n");
    body.extend(head.into_bytes());
    body.extend(file.unwrap_or_default());
    body.extend(b"\r\n--x--\r\n");
    let request = Request::post(path).header(header::CONTENT_TYPE, "multipart/form-data; boundary=x");
    request.body(Body::from(body)).unwrap()
}

/// Opens the form for a kind of event, after the reason.
async fn open(browser: &mut Browser, person: PersonId, kind: &str) -> Answer {
    browser.open(&format!("/cu-dan/{person}")).await;
    browser.get(&format!("{}?loai={kind}", form_of(person))).await
}

const DEATH: [(&str, &str); 6] = [
    ("loai", "died"),
    ("hieu-luc", "18/04/2021"),
    ("giay-loai", "death_extract"),
    ("giay-so", "12/2021"),
    ("giay-noi", "UBND xã Mẫu"),
    ("giay-ngay", "19/04/2021"),
];

/// The fields of a form that the page drew, with these.
fn filled<'a>(page: &'a (String, String), fields: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [("csrf", page.0.as_str()), ("ma", page.1.as_str())].into_iter().chain(fields.iter().copied()).collect()
}

fn drawn(page: &Answer) -> (String, String) {
    (page.field("csrf"), page.field("ma"))
}

async fn count(world: &World, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(world.db.admin()).await.unwrap()
}

#[tokio::test]
async fn a_clerk_records_a_death_with_its_scan_once() {
    let world = World::new().await;
    let (mut clerk, person) = (world.as_role(Role::Clerk).await, somebody(&world));
    let kinds = {
        clerk.open(&format!("/cu-dan/{person}")).await;
        clerk.get(&form_of(person)).await
    };
    assert!(kinds.status == StatusCode::OK && kinds.body.contains("?loai=died"), "{}", kinds.body);
    let page = open(&mut clerk, person, "died").await;
    assert!(page.body.contains("Hồ sơ được đánh dấu đã mất."), "{}", page.body);
    let ids = drawn(&page);
    let unconfirmed = clerk.send(multipart(&form_of(person), &filled(&ids, &DEATH), Some(PDF))).await;
    assert_eq!(unconfirmed.status, StatusCode::BAD_REQUEST);
    assert!(
        unconfirmed.body.contains("href=\"#xac-nhan\"") && unconfirmed.body.contains("value=\"12/2021\"")
    );
    assert_eq!(count(&world, "SELECT count(*) FROM legal_document WHERE number = '12/2021'").await, 0);
    let mut fields = filled(&ids, &DEATH);
    fields.push(("xac-nhan", "1"));
    for _ in 0..2 {
        // Sent twice, as by an impatient hand.
        let done = clerk.send(multipart(&form_of(person), &fields, Some(PDF))).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
        assert_eq!(done.header("location"), format!("/cu-dan/{person}?ghi=died"));
    }
    assert_eq!(count(&world, "SELECT count(*) FROM civil_event WHERE kind = 'died'").await, 1);
    let record = clerk.get(&format!("/cu-dan/{person}?ghi=died")).await.body;
    assert!(record.contains("Đã ghi: Khai tử.") && record.contains("Đã mất"), "{record}");
    assert!(record.contains("Hiệu lực 18/04/2021") && record.contains("ghi nhận"), "{record}");
    assert!(record.contains("Trích lục khai tử số 12/2021, UBND xã Mẫu, ngày 19/04/2021"), "{record}");
    let scan = record.split("href=\"").find(|rest| rest.contains("Tải bản chụp")).unwrap();
    let scan = clerk.get(scan.split('"').next().unwrap()).await;
    assert_eq!((scan.status, scan.body.as_bytes()), (StatusCode::OK, PDF));
    assert_eq!(scan.header("content-type"), "application/pdf");
    assert!(scan.header("content-disposition").starts_with("attachment"), "no page of this site");
    assert_eq!(scan.header("x-content-type-options"), "nosniff");
    let rows = world.audit("register.died").await;
    assert_eq!(rows.len(), 1);
    let detail: serde_json::Value = serde_json::from_str(&rows[0].2).unwrap();
    assert_eq!((&detail["reason"], &detail["event"]), (&"present".into(), &ids.1.as_str().into()));
    assert!(detail["address"].is_string(), "{detail}");
    assert_eq!(world.audit("document.read").await.len(), 1);
}

#[tokio::test]
async fn faults_lead_to_their_fields_and_what_was_typed_is_kept() {
    let world = World::new().await;
    let (mut clerk, person) = (world.as_role(Role::Clerk).await, somebody(&world));
    let page = open(&mut clerk, person, "corrected").await;
    let ids = drawn(&page);
    let typed = [
        ("loai", "corrected"),
        ("hieu-luc", "32/13/2021"),
        ("truong-1", "ethnicity.whole"),
        ("gia-tri-1", "Người sao Hỏa"),
        ("giay-loai", "civil_status"),
        ("giay-so", "7 \"số\" <b>"),
        ("xac-nhan", "1"),
    ];
    let again = clerk.send(multipart(&form_of(person), &filled(&ids, &typed), Some(b"MZ exe"))).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    for anchor in ["hieu-luc", "giay-noi", "giay-ngay", "tep", "tu-khi", "truong-1"] {
        assert!(again.body.contains(&format!("href=\"#{anchor}\"")), "{anchor}: {}", again.body);
        assert!(again.body.contains(&format!("id=\"{anchor}\"")), "{anchor}");
    }
    assert!(again.body.contains("value=\"Người sao Hỏa\"") && again.body.contains("value=\"32/13/2021\""));
    assert!(!again.body.contains("<b>") && again.body.contains("role=\"alert\""));
    assert_eq!(again.field("ma"), ids.1, "the id of the event stays");
    assert_eq!(count(&world, "SELECT count(*) FROM civil_event WHERE kind = 'corrected'").await, 0);
}

#[tokio::test]
async fn a_correction_by_names_is_read_as_known_on_a_day() {
    let world = World::new().await;
    let (mut clerk, person) = (world.as_role(Role::Clerk).await, somebody(&world));
    let ids = drawn(&open(&mut clerk, person, "corrected").await);
    let typed = [
        ("loai", "corrected"),
        ("hieu-luc", "19/04/2021"),
        ("truong-1", "ethnicity.whole"),
        ("gia-tri-1", "tày"),
        ("truong-2", "name.whole"),
        ("gia-tri-2", "Lê Thị Mới"),
        ("tu-khi", "always"),
        ("giay-loai", "civil_status"),
        ("giay-so", "7"),
        ("giay-noi", "UBND"),
        ("giay-ngay", "19/04/2021"),
        ("xac-nhan", "1"),
    ];
    let done = clerk.send(multipart(&form_of(person), &filled(&ids, &typed), None)).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    let facts = |body: &str| {
        body.split("id=\"identity\"").nth(1).unwrap().split("</section>").next().unwrap().to_owned()
    };
    let now = facts(&clerk.get(&format!("/cu-dan/{person}")).await.body);
    assert!(now.contains("Lê Thị Mới") && now.contains("Tày"), "{now}");
    let before = clerk.get(&format!("/cu-dan/{person}?biet=19/04/2021")).await.body;
    assert!(before.contains("Hồ sơ theo những gì biết đến ngày 19/04/2021."), "{before}");
    assert!(!facts(&before).contains("Lê Thị Mới") && facts(&before).contains("Kinh"), "{before}");
    let wrong = clerk.get(&format!("/cu-dan/{person}?ngay=hom+qua")).await.body;
    assert!(wrong.contains("Không phải là ngày"), "{wrong}");
    // The form to take it back offers it, and then no more.
    let page = open(&mut clerk, person, "reversed").await;
    assert!(page.body.contains(&ids.1), "{}", page.body);
    let undo = drawn(&page);
    let typed = [("loai", "reversed"), ("hieu-luc", "20/04/2021"), ("su-kien", &*ids.1), ("xac-nhan", "1")];
    let done = clerk.send(multipart(&form_of(person), &filled(&undo, &typed), None)).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    assert!(!open(&mut clerk, person, "reversed").await.body.contains(&ids.1));
}

#[tokio::test]
async fn another_units_person_paper_and_scan_do_not_exist() {
    let world = World::new().await;
    let (mut clerk, person) = (world.as_role(Role::Clerk).await, somebody(&world));
    let ids = drawn(&open(&mut clerk, person, "died").await);
    let mut fields = filled(&ids, &DEATH);
    fields.push(("xac-nhan", "1"));
    clerk.send(multipart(&form_of(person), &fields, Some(PDF))).await;
    let document: uuid::Uuid =
        sqlx::query_scalar("SELECT document_id FROM legal_document WHERE number = '12/2021'")
            .fetch_one(world.db.admin())
            .await
            .unwrap();
    let scan = format!("/cu-dan/{person}/giay-to/{document}");
    assert_eq!(clerk.get(&scan).await.status, StatusCode::OK);
    let mut outside = world.signed_in("clerk-xa").await;
    let csrf = outside.csrf().await;
    let own = world.seeded.people[0];
    outside.open(&format!("/cu-dan/{own}")).await;
    for path in [form_of(person), format!("{}?loai=died", form_of(person)), scan.clone()] {
        let denied = world.audit("denied").await.len();
        assert_eq!(outside.get(&path).await.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(world.audit("denied").await.len(), denied + 1, "{path}");
        let nobody = path.replace(&person.to_string(), &nothing().to_string());
        assert_eq!(outside.get(&nobody).await.status, StatusCode::NOT_FOUND);
    }
    // Neither under a person who may be seen.
    let through = scan.replace(&person.to_string(), &own.to_string());
    assert_eq!(outside.get(&through).await.status, StatusCode::NOT_FOUND);
    let events = count(&world, "SELECT count(*) FROM civil_event").await;
    let theirs = (csrf, nothing().to_string());
    let mut fields = filled(&theirs, &DEATH);
    fields.push(("xac-nhan", "1"));
    let refused = outside.send(multipart(&form_of(person), &fields, None)).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    assert_eq!(count(&world, "SELECT count(*) FROM civil_event").await, events);
}

#[tokio::test]
async fn a_form_with_a_file_needs_its_token_and_ends_somewhere() {
    let world = World::new().await;
    let (mut clerk, person) = (world.as_role(Role::Clerk).await, somebody(&world));
    let ids = drawn(&open(&mut clerk, person, "died").await);
    let path = form_of(person);
    let mut fields = DEATH.to_vec();
    fields.extend([("ma", &*ids.1), ("xac-nhan", "1")]);
    assert_eq!(clerk.send(multipart(&path, &fields, Some(PDF))).await.status, StatusCode::FORBIDDEN);
    let mut other = world.signed_in("clerk-xa").await;
    fields.push(("csrf", &*ids.0));
    assert_eq!(other.send(multipart(&path, &fields, Some(PDF))).await.status, StatusCode::FORBIDDEN);
    let large = vec![b'x'; 5 << 20];
    let answer = clerk.send(multipart(&path, &fields, Some(&large))).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    // Whoever is not signed in for it sends no more than any other form.
    let some = vec![b'x'; 1 << 20];
    for mut stranger in [world.browser(), world.as_role(Role::Officer).await] {
        let answer = stranger.send(multipart(&path, &fields, Some(&some))).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    }
    let answer = clerk.send(multipart(&path, &fields, Some(&some))).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "a scan of another type");
}
