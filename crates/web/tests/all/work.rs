//! The pages of those who work with them all day: what a case, an application, a card and the dashboard tell.

use crate::support;
use axum::http::StatusCode;
use jpeg_encoder::{ColorType, Encoder};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::support::browser::{Browser, World};
use crate::support::seed;
use domain::id::AccountId;
use web::Role;

async fn execute(world: &World, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(world.db.admin()).await.unwrap();
}

async fn one<T>(world: &World, sql: &'static str) -> T
where
    T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    sqlx::query_scalar(sql).fetch_one(world.db.admin()).await.unwrap()
}

/// The text of the page without its marks, for what a reader hears.
fn heard(page: &str) -> String {
    let mut text = String::new();
    for part in page.split('<').skip(1) {
        text.push_str(part.split_once('>').map_or("", |(_, text)| text));
        text.push(' ');
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_closed_case_says_who_proposed_and_who_confirmed_with_the_words_of_both() {
    let world = World::new().await;
    let case: Uuid =
        one(&world, "SELECT case_id FROM case_file WHERE confirmed_by IS NOT NULL LIMIT 1").await;
    let account = |login: &str| AccountId::derive(support::WALL, &[login.as_bytes()]);
    let (first, second) = (account("adjudicator-huyen"), account("adjudicator-xa"));
    execute(
        &world,
        format!(
            "UPDATE account SET display_name = 'Lê Thị Bình' WHERE id = '{first}'; \
             UPDATE account SET display_name = 'Trần Văn Cao' WHERE id = '{second}'; \
             DELETE FROM case_action WHERE case_id = '{case}'; \
             INSERT INTO case_action (case_id, seq, action, at, actor, decision, note, unit_path) \
             SELECT case_id, said.*, unit_path FROM case_file, (VALUES \
             (1, 'propose', timestamptz '2021-04-19 01:05Z', 'account:{first}', 'same_person', 'Cùng vết \
             sẹo.'), (2, 'confirm', '2021-04-19 07:40Z', 'account:{second}', 'same_person', 'Đồng ý <b>.')) \
             AS said WHERE case_id = '{case}'"
        ),
    )
    .await;
    let mut reader = world.as_role(Role::Adjudicator).await;
    let text = heard(&reader.get(&format!("/ho-so-xet/{case}")).await.body);
    let proposed = "Đề nghị: Cùng một người Lê Thị Bình · 19/04/2021 08:05 Cùng vết sẹo.";
    let confirmed = "Xác nhận: Cùng một người Trần Văn Cao · 19/04/2021 14:40 Đồng ý &#60;b&#62;.";
    assert!(text.contains(proposed) && text.contains(confirmed), "{text}");
}

#[tokio::test]
async fn the_two_sides_of_a_case_have_names_of_their_own() {
    let world = World::new().await;
    let case: Uuid = one(&world, "SELECT case_id FROM case_file WHERE decision IS NULL LIMIT 1").await;
    let mut reader = world.as_role(Role::Adjudicator).await;
    let page = reader.get(&format!("/ho-so-xet/{case}")).await.body;
    assert!(page.contains(">Hồ sơ đang thẩm định</a>") && page.contains(">Hồ sơ trước đó</a>"), "{page}");
    let people: Vec<Uuid> = world.seeded.people.iter().map(|person| person.uuid()).collect();
    execute(
        &world,
        format!(
            "UPDATE case_file SET kind = 'register_duplicate', application_id = NULL, \
             other_application_id = NULL, \
               person_id = '{}', other_person_id = '{}' WHERE case_id = '{case}'; \
             UPDATE application SET person_id = NULL WHERE person_id = '{}'",
            people[0], people[1], people[1]
        ),
    )
    .await;
    let page = reader.get(&format!("/ho-so-xet/{case}")).await.body;
    assert!(page.contains(">Bản ghi thứ nhất</a>") && page.contains(">Bản ghi thứ hai</a>"), "{page}");
    assert!(page.contains("gộp thành một") && !page.contains("value=\"reject\""), "{page}");
}

#[tokio::test]
async fn an_application_is_linked_to_whomever_the_adjudicator_chooses() {
    let world = World::new().await;
    let case: Uuid = one(&world, "SELECT case_id FROM case_file WHERE decision IS NULL LIMIT 1").await;
    let best: Uuid = one(&world, "SELECT person_id FROM case_file WHERE decision IS NULL LIMIT 1").await;
    // Whoever has an application under way is not offered.
    let free = "SELECT person_id FROM person p \
                WHERE strpos(full_name, chr(39)) + strpos(full_name, '<') + strpos(full_name, '&') = 0 \
                AND NOT EXISTS (SELECT 1 FROM application a \
                                WHERE a.person_id = p.person_id OR a.claimed_person_id = p.person_id) \
                                LIMIT 1";
    let other: Uuid = one(&world, free).await;
    execute(
        &world,
        format!(
            "UPDATE case_file SET evidence = jsonb_set(evidence, '{{linkage,candidates}}', \
               '[{{\"person\": \"{best}\", \"weight\": 12.5}}, {{\"person\": \"{other}\", \"weight\": \
             11.0}}]') WHERE case_id = '{case}'"
        ),
    )
    .await;
    let path = format!("/ho-so-xet/{case}");
    let mut reader = world.as_role(Role::Adjudicator).await;
    let page = reader.get(&path).await;
    for person in [best, other] {
        assert!(page.body.contains(&format!("value=\"link:{person}\"")), "{}", page.body);
    }
    let name: String = sqlx::query_scalar("SELECT full_name FROM person WHERE person_id = $1")
        .bind(other)
        .fetch_one(world.db.admin())
        .await
        .unwrap();
    let beside = reader.get(&format!("{path}?ben={other}")).await.body;
    assert!(
        beside.contains(&format!("<td>{name}</td>")) && beside.contains(&format!("href=\"{path}#beside\""))
    );
    let (csrf, command) = (page.field("csrf"), page.field("lenh"));
    let send = async |reader: &mut Browser, choice: String| {
        let form = [
            ("csrf", csrf.as_str()),
            ("lenh", &command),
            ("ban", "0"),
            ("viec", "propose"),
            ("quyet-dinh", &choice),
            ("ly-do", "x"),
        ];
        reader.post(&path, &form).await.status
    };
    assert_eq!(send(&mut reader, format!("link:{other}")).await, StatusCode::SEE_OTHER);
    let proposed: (String, Uuid) =
        sqlx::query_as("SELECT decision, decided_person_id FROM case_file WHERE case_id = $1")
            .bind(case)
            .fetch_one(world.db.admin())
            .await
            .unwrap();
    assert_eq!(proposed, ("link".to_owned(), other));
    // Whom nobody put in question cannot be slipped in, nor a link to nobody.
    let stranger = world.seeded.people.last().unwrap();
    assert_eq!(send(&mut reader, format!("link:{stranger}")).await, StatusCode::BAD_REQUEST);
    assert_eq!(send(&mut reader, "link".to_owned()).await, StatusCode::BAD_REQUEST);
    assert_eq!(world.case_actions().await.len(), 1);
}

#[tokio::test]
async fn what_the_unit_does_is_the_units_and_one_minutes_steps_keep_their_order() {
    let world = World::new().await;
    let id = world.seeded.applications[0];
    execute(
        &world,
        format!("UPDATE application_action SET at = '2021-04-06 01:00Z' WHERE application_id = '{id}'"),
    )
    .await;
    let mut reader = world.as_role(Role::Commander).await;
    let page = reader.get(&format!("/ho-so/{id}")).await.body;
    let way = heard(page.split("class=\"timeline\"").nth(1).unwrap().split("</ol>").next().unwrap());
    let steps = [
        "Thu nhận 06/04/2021 08:00 · Máy thu nhận",
        "Duyệt 06/04/2021 08:00 · Trung tâm",
        "Gửi về huyện 06/04/2021 08:00 · Trung tâm",
        "Huyện nhận 06/04/2021 08:00 · Huyện Thạch Hà",
        "Gửi về xã 06/04/2021 08:00 · Huyện Thạch Hà",
        "Xã nhận 06/04/2021 08:00 · Thị trấn Thạch Hà",
        "Trao thẻ 06/04/2021 08:00 · Thị trấn Thạch Hà",
    ];
    let at: Vec<usize> = steps.iter().map(|step| way.find(step).expect(step)).collect();
    assert!(at.is_sorted(), "{way}");
}

#[tokio::test]
async fn a_card_is_read_below_the_applications_with_its_face_among_the_files() {
    let db = testkit::fresh_database().await;
    let seeded = seed(&db, 3, false).await;
    let mut jpeg = Vec::new();
    Encoder::new(&mut jpeg, 80).encode(&[128; 3 * 24 * 32], 24, 32, ColorType::Rgb).unwrap();
    let dg2 = card::lds::dg2::encode(&jpeg).unwrap();
    let world = World::with(db, seeded, Some(jpeg)).await;
    let mut reader = world.as_role(Role::Commander).await;
    let page = reader.get(&world.path("/the/{card_id}")).await.body;
    assert!(page.contains("<a href=\"/ho-so\" aria-current=\"page\">"), "{page}");
    let text = heard(page.split("id=\"chip\"").nth(1).unwrap());
    let digest = card::sod::hash(&dg2).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let fours: Vec<String> =
        digest.as_bytes().chunks(4).map(|four| String::from_utf8_lossy(four).into_owned()).collect();
    assert!(text.contains(&fours.join(" ")), "{text}");
    let at = |name: &str| text.find(name).expect(name);
    assert!(at("DG1 ") < at("DG2 ") && at("DG2 ") < at("DG13 "), "{text}");
}

#[tokio::test]
async fn the_units_that_are_furthest_behind_come_first() {
    let world = World::new().await;
    execute(
        &world,
        "UPDATE area SET eligible = 900 WHERE unit_path LIKE '%/18586/'; \
         UPDATE area SET eligible = 0 WHERE unit_path LIKE '%/18589/'"
            .to_owned(),
    )
    .await;
    let mut reader = world.as_role(Role::Commander).await;
    let rows = |page: &str| {
        let table = page.split("id=\"don-vi\"").nth(1).unwrap().split("</table>").next().unwrap().to_owned();
        table.split("<tr>").skip(2).map(heard).collect::<Vec<_>>()
    };
    let page = reader.get("/tong-quan").await.body;
    let worst = rows(&page);
    let unit = |code: &str| {
        let units = domain::unit::Units::latest();
        units.get(code.parse().unwrap()).unwrap().full_name()
    };
    assert!(worst[0].contains(&unit("18586")), "{worst:?}");
    assert!(
        worst.last().unwrap().contains(&unit("18589")),
        "a unit without anybody is not behind: {worst:?}"
    );
    let best = rows(&reader.get("/tong-quan?xep=share&chieu=giam").await.body);
    assert!(best[best.len() - 2].contains(&unit("18586")), "{best:?}");
    assert!(best.last().unwrap().contains(&unit("18589")));
}

#[tokio::test]
async fn a_kit_that_counts_otherwise_is_named_on_the_dashboard() {
    let world = World::new().await;
    let kit: Uuid = one(&world, "SELECT kit_id FROM kit").await;
    let captured: i64 = one(&world, "SELECT count(*) FROM application").await;
    let report = |total: i64| {
        format!(
            "INSERT INTO kit_report (kit_id, day, captured, unsent, captured_total, reported_at, message) \
             VALUES ('{kit}', '2021-04-20', 0, 0, {total}, '2021-12-31 00:00Z', '') \
             ON CONFLICT (kit_id, day) DO UPDATE SET captured_total = excluded.captured_total"
        )
    };
    let mut reader = world.as_role(Role::Commander).await;
    execute(&world, report(captured)).await;
    let page = heard(&reader.get("/tong-quan").await.body);
    let line =
        format!("Máy thu nhận tự đếm {captured} = trung tâm biết {captured} (1 máy đã báo cáo) (khớp)");
    assert!(page.contains("Số liệu các bước đều khớp.") && page.contains(&line), "{page}");
    execute(&world, report(captured + 1)).await;
    // On a busy machine the figures took long, and are shown for a while before they are counted again.
    let mut page = String::new();
    for _ in 0..300 {
        page = heard(&reader.get("/tong-quan").await.body);
        if page.contains("Có chênh lệch cần xem.") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let named = format!("Máy Máy 1: tự đếm {}, trung tâm biết {captured}", captured + 1);
    assert!(page.contains("Có chênh lệch cần xem.") && page.contains(&named), "{page}");
}

#[tokio::test]
async fn a_corrected_form_no_longer_waits_for_its_correction() {
    let world = World::new().await;
    let mut clerk = world.as_role(Role::Clerk).await;
    let waits = async |clerk: &mut Browser| {
        let page = clerk.get("/phieu-loi").await.body;
        let row = page.split("dc01-445.csv").nth(1).unwrap().split("</tr>").next().unwrap().to_owned();
        heard(&row)
    };
    assert!(waits(&mut clerk).await.contains(" 7 4 "), "seven refused, four open");
    execute(&world, "UPDATE import_reject SET resolved_by = import_id WHERE row_no = 17".to_owned()).await;
    assert!(waits(&mut clerk).await.contains(" 7 3 "));
}

#[tokio::test]
async fn the_citizen_reads_what_to_do() {
    let world = World::new().await;
    let mut citizen = world.browser();
    let mut look = async |state: &str| {
        execute(&world, format!("UPDATE application SET state = '{state}' WHERE receipt_hash IS NOT NULL"))
            .await;
        heard(&citizen.post("/tra-cuu", &[("ma", support::RECEIPT)]).await.body)
    };
    assert!(look("at_unit").await.contains("Ông/bà cần làm gì Đến thị trấn Thạch Hà"));
    assert!(look("batched").await.contains("Chưa cần làm gì."));
    let rejected = look("rejected").await;
    assert!(rejected.contains("làm lại hồ sơ") && rejected.contains("Nơi liên hệ"), "{rejected}");
    assert!(!rejected.contains("Chờ nhận"), "no way to a card is drawn for what has ended: {rejected}");
}

#[tokio::test]
async fn a_box_is_listed_where_it_goes_and_shows_what_is_missing_first() {
    let world = World::new().await;
    let path = world.path("/giao-nhan/{consignment_id}");
    let id = path.rsplit('/').next().unwrap().to_owned();
    execute(
        &world,
        format!(
            "UPDATE consignment SET received_at = '2021-04-06 01:00Z', size = 9, received = 8 \
             WHERE consignment_id = '{id}'; \
             UPDATE consignment_item SET received = true WHERE consignment_id = '{id}'; \
             UPDATE consignment_item SET received = false WHERE consignment_id = '{id}' AND application_id = \
               (SELECT max(application_id::text)::uuid FROM consignment_item WHERE consignment_id = '{id}')"
        ),
    )
    .await;
    let mut clerk = world.as_role(Role::Clerk).await;
    assert!(!clerk.get("/giao-nhan").await.body.contains(&path), "a counted box is on no way");
    let list = clerk.get("/giao-nhan?xem=thieu").await.body;
    assert!(list.contains(&path) && list.contains("thiếu 1"), "{list}");
    let page = heard(clerk.get(&path).await.body.split("<tbody>").nth(1).unwrap());
    assert!(page.find("thiếu").unwrap() < page.find(" có ").unwrap(), "{page}");
    assert_eq!(page.matches("thiếu").count(), 1, "{page}");
    assert_eq!(world.audit("consignment.read").await.len(), 1);
    // A district's box is not a commune's.
    let mut officer = world.signed_in("officer-xa").await;
    assert!(!officer.get("/giao-nhan?xem=tat-ca").await.body.contains(&path));
    assert_eq!(officer.get(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn applications_are_listed_by_capture_and_page_by_page() {
    let db = testkit::fresh_database().await;
    let seeded = seed(&db, 8, false).await;
    let world = World::with(db, seeded, None).await;
    let expected: Vec<Uuid> = sqlx::query_scalar(
        "SELECT application_id FROM application ORDER BY captured_at DESC, application_id DESC",
    )
    .fetch_all(world.db.admin())
    .await
    .unwrap();
    let mut clerk = world.as_role(Role::Clerk).await;
    let (mut path, mut listed) = ("/ho-so".to_owned(), Vec::new());
    loop {
        let page = clerk.get(&path).await.body;
        let links = page.split("<th scope=\"row\"><a href=\"/ho-so/").skip(1);
        listed.extend(links.map(|link| link[..36].parse::<Uuid>().unwrap()));
        match page.split("class=\"button\" href=\"/ho-so?sau=").nth(1) {
            Some(next) => path = format!("/ho-so?sau={}", &next[..36]),
            None => break,
        }
    }
    assert!(expected.len() > 100);
    assert_eq!(listed, expected);
}
