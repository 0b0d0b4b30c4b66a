//! What the pages say and do, on a real database.

use crate::support;
use std::collections::BTreeMap;

use axum::http::StatusCode;
use rand::SeedableRng;
use rand::rngs::StdRng;
use uuid::Uuid;

use crate::support::browser::{Browser, World};
use crate::support::{seed, site};
use domain::id::AccountId;
use domain::unit::Units;
use testkit::fresh_database;
use web::Role;

#[tokio::test]
async fn a_receipt_code_opens_its_stage_and_a_guess_nothing() {
    let world = World::new().await;
    let mut browser = world.browser();
    let found = browser.post("/tra-cuu", &[("ma", " 7k3m 2qx9-oooo-abcd ")]).await;
    assert!(found.body.contains("Đã trao thẻ") && found.body.contains("Thị trấn Thạch Hà"), "{}", found.body);
    let name: String = sqlx::query_scalar(
        "SELECT r.record->>'name' FROM application_record r JOIN application a USING (application_id) \
         WHERE receipt_hash IS NOT NULL",
    )
    .fetch_one(world.db.admin())
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
    assert!(rejects.contains("&#60;B&#62;VĂN") && !rejects.contains("<B>VĂN"), "{rejects}");
    // A form of another district is not shown, one of no readable district without its name.
    assert!(!rejects.contains("PERSON OF HANOI"));
    assert!(!rejects.contains("NOBODY KNOWS WHERE") && rejects.contains("DC01-00093"));
    let search = clerk.get("/cu-dan?ten=%22%3E%3Cscript%3E").await.body;
    assert!(!search.contains("<script>") && search.contains("&#60;script&#62;"));
    sqlx::query("UPDATE person SET permanent_detail = '<img src=x>' WHERE person_id = $1")
        .bind(world.seeded.people[0].uuid())
        .execute(world.db.admin())
        .await
        .unwrap();
    let person = clerk.open(&world.path("/cu-dan/{person_id}")).await.body;
    assert!(!person.contains("<img src=x>") && person.contains("&#60;img src=x&#62;"));
}

#[tokio::test]
async fn people_are_found_by_name_number_and_year() {
    let world = World::new().await;
    let mut clerk = world.as_role(Role::Clerk).await;
    let (name, pin, birth): (String, String, i32) = sqlx::query_as(
        "SELECT full_name, pin, birth FROM person WHERE pin IS NOT NULL ORDER BY pin DESC LIMIT 1",
    )
    .fetch_one(world.db.admin())
    .await
    .unwrap();
    let hits = |page: &str| page.matches("href=\"/cu-dan/0").count();
    let by_pin = clerk.get(&format!("/cu-dan?so={pin}")).await.body;
    assert_eq!(hits(&by_pin), 1, "{by_pin}");
    let folded = domain::text::fold_ascii(&name).to_lowercase().replace(' ', "+");
    let by_both = clerk.get(&format!("/cu-dan?ten={folded}&nam={}", birth / 10_000)).await.body;
    assert!(by_both.contains(&name.to_uppercase().replace('\'', "&#39;")) && hits(&by_both) >= 1);
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
async fn a_decision_is_proposed_by_one_adjudicator_and_carried_out_by_another() {
    let world = World::new().await;
    let mut browser = world.as_role(Role::Adjudicator).await;
    // The second adjudicator, and a third, are the district's too.
    sqlx::query(
        "UPDATE account SET role = 'adjudicator', \
                unit_path = (SELECT unit_path FROM account WHERE login = 'adjudicator-huyen') \
         WHERE login IN ('adjudicator-xa', 'officer-xa')",
    )
    .execute(world.db.admin())
    .await
    .unwrap();
    let open = "SELECT case_id, application_id FROM case_file WHERE decision IS NULL LIMIT 1";
    let (case, application): (Uuid, Uuid) = sqlx::query_as(open).fetch_one(world.db.admin()).await.unwrap();
    let path = format!("/ho-so-xet/{case}");
    let form = async |browser: &mut Browser,
                      act: &'static str,
                      decision: &'static str,
                      note: &'static str| {
        let page = browser.get(&path).await;
        let fields =
            [("csrf", &*page.field("csrf")), ("lenh", &*page.field("lenh")), ("ban", &*page.field("ban"))]
                .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let chosen = [("viec", act), ("quyet-dinh", decision), ("ly-do", note)];
        fields.into_iter().chain(chosen.map(|(n, v)| (n.to_owned(), v.to_owned()))).collect::<Vec<_>>()
    };
    let send = async |browser: &mut Browser, form: &[(String, String)]| {
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (&**name, &**value)).collect();
        browser.post(&path, &form).await
    };
    let actor = |login: &str| format!("account:{}", AccountId::derive(support::WALL, &[login.as_bytes()]));
    let said = |action: &str, login: &str, note: Option<&str>| {
        (action.to_owned(), actor(login), "same_person".to_owned(), note.map(str::to_owned))
    };
    let mut colleague = world.signed_in("adjudicator-xa").await;
    let old = form(&mut colleague, "propose", "same_person", "Trùng ảnh.").await;
    let nothing = form(&mut browser, "propose", "burn", "").await;
    assert_eq!(send(&mut browser, &nothing).await.status, StatusCode::BAD_REQUEST);
    let first = form(&mut browser, "propose", "same_person", " Cùng ảnh. ").await;
    for _ in 0..2 {
        let answer = send(&mut browser, &first).await;
        assert_eq!(answer.header("location"), format!("{path}?kq=cho"), "nobody confirms alone");
    }
    let proposed = said("propose", "adjudicator-huyen", Some("Cùng ảnh."));
    assert_eq!(world.case_actions().await, std::slice::from_ref(&proposed), "one form is one proposal");
    let mine = browser.get(&format!("{path}?kq=cho")).await.body;
    assert!(mine.contains("người thứ hai xác nhận") && mine.contains("value=\"withdraw\""), "{mine}");
    assert!(!mine.contains("value=\"confirm\"") && !mine.contains("value=\"propose\""), "{mine}");
    // A colleague's form that was drawn before it agrees with nothing, and keeps what was typed.
    let stale = send(&mut colleague, &old).await;
    assert!(stale.status == StatusCode::CONFLICT && stale.body.contains("đã thay đổi từ khi"));
    assert!(stale.body.contains(">Trùng ảnh.</textarea>") && stale.body.contains("value=\"confirm\""));

    let unsaid = form(&mut colleague, "disagree", "", " ").await;
    assert_eq!(send(&mut colleague, &unsaid).await.status, StatusCode::BAD_REQUEST);
    let differs = form(&mut colleague, "disagree", "", "Vết sẹo khác.").await;
    assert_eq!(send(&mut colleague, &differs).await.header("location"), format!("{path}?kq=khac"));
    assert!(browser.get(&path).await.body.contains("người thứ ba đề nghị hoặc xác nhận"));
    // The proposer's first form, sent again from the browser's history, is no second proposal.
    assert_eq!(send(&mut browser, &first).await.header("location"), format!("{path}?kq=cho"));
    assert!(browser.get(&format!("{path}?kq=cho")).await.body.contains("đã được nhận trước đó"));
    let again = form(&mut browser, "propose", "same_person", "").await;
    send(&mut browser, &again).await;
    let refused = form(&mut colleague, "confirm", "", "").await;
    let refused = send(&mut colleague, &refused).await;
    assert!(refused.status == StatusCode::CONFLICT && refused.body.contains("cần người thứ ba"));
    let withdraw = form(&mut browser, "withdraw", "", "").await;
    assert_eq!(send(&mut browser, &withdraw).await.header("location"), format!("{path}?kq=rut"));

    // A third one sides with the first.
    let mut third = world.signed_in("officer-xa").await;
    let propose = form(&mut third, "propose", "same_person", "").await;
    assert_eq!(send(&mut third, &propose).await.header("location"), format!("{path}?kq=cho"));
    let confirm = form(&mut browser, "confirm", "", "").await;
    assert_eq!(send(&mut browser, &confirm).await.header("location"), format!("{path}?kq=xong"));
    let differs = said("disagree", "adjudicator-xa", Some("Vết sẹo khác."));
    let expected = [
        proposed,
        differs,
        said("propose", "adjudicator-huyen", None),
        said("withdraw", "adjudicator-huyen", None),
        said("propose", "officer-xa", None),
        said("confirm", "adjudicator-huyen", None),
    ];
    assert_eq!(world.case_actions().await, expected);
    let state: String = sqlx::query_scalar("SELECT state FROM application WHERE application_id = $1")
        .bind(application)
        .fetch_one(world.db.admin())
        .await
        .unwrap();
    assert_eq!(state, "rejected");
    let reopen = form(&mut third, "reopen", "", "Có giấy khai sinh mới.").await;
    assert_eq!(send(&mut third, &reopen).await.header("location"), format!("{path}?kq=lai"));
    let page = browser.get(&path).await.body;
    assert!(page.contains("value=\"same_person\"") && page.contains("Có giấy khai sinh mới."), "{page}");
}

#[tokio::test]
async fn the_dashboard_sums_sorts_and_reconciles() {
    let db = fresh_database().await;
    seed(&db, 4, true).await;
    let site = site(&db, None);
    let data = tempfile::tempdir().unwrap();
    let mut rng = StdRng::seed_from_u64(1);
    let units = Units::latest();
    let district = support::DISTRICT.parse().unwrap();
    let accounts =
        web::accounts::create_demo(&db, units, district, data.path(), support::WALL, &mut rng).await.unwrap();
    let mut browser = Browser { router: web::router(site.state), cookies: BTreeMap::new() };
    browser.sign_in("chihuy", &accounts[0].password).await;
    let page = browser.get("/tong-quan").await.body;
    let captured: i64 =
        sqlx::query_scalar("SELECT count(*) FROM application").fetch_one(db.admin()).await.unwrap();
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
async fn demo_accounts_are_private_and_stay() {
    use std::os::unix::fs::PermissionsExt;
    let db = fresh_database().await;
    let data = tempfile::tempdir().unwrap();
    let (units, district) = (Units::latest(), support::DISTRICT.parse().unwrap());
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
