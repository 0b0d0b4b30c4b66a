//! What a commander looks after: packets that were set aside, kits and credentials, and the trail. The tests
//! play a clerk who opens the pages by their address, a commander who reaches into another unit, and one
//! person who wants to be two.

mod kits;
mod trail;

use axum::http::StatusCode;
use serde_json::Value;
use uuid::Uuid;

use crate::support::browser::{Answer, Browser, World};
use crate::support::{NOW, nothing};
use domain::id::{AccountId, KitId};
use domain::unit::Units;
use store::UnitScope;
use store::accounts::Account;
use time::Duration;
use web::Role;

const PACKETS: &str = "/giam-sat/goi-cach-ly";
const KITS: &str = "/giam-sat/may-thu-nhan";
const TRAIL: &str = "/giam-sat/nhat-ky";
/// Can Lộc, the district beside.
const BESIDE: &str = "443";

/// The seeded district, and the one beside it with a kit and a packet that is set aside.
struct Two {
    world: World,
    /// Packets of the district, of its first commune and of another one.
    own: [Uuid; 2],
    /// A packet of the other district.
    foreign: Uuid,
    kit: Uuid,
    foreign_kit: Uuid,
}

async fn two() -> Two {
    let world = World::new().await;
    let units = Units::latest();
    let communes = units.leaves_of("445".parse().unwrap());
    let mut own = Vec::new();
    for commune in [communes[0], communes[2]] {
        let packet = "SELECT packet_id FROM packet WHERE unit_path = $1 ORDER BY packet_id LIMIT 1";
        let packet = sqlx::query_scalar(packet).bind(units.path(commune).unwrap());
        own.push(packet.fetch_one(world.db.admin()).await.unwrap());
    }
    let (foreign, foreign_kit) = (Uuid::from_u128(77), Uuid::from_u128(78));
    let path = units.path(BESIDE.parse().unwrap()).unwrap();
    for sql in [
        "INSERT INTO kit (kit_id, name, unit_code, public_key, registered_at) \
         VALUES ($2, 'May-Can-Loc', '443', decode(repeat('05', 65), 'hex'), $4) RETURNING $1, $3",
        "INSERT INTO application (application_id, kit_id, kind, state, state_since, actions, unit_code, \
         unit_path, captured_at) VALUES ($1, $2, 'new', 'received', $4, 2, '443', $3, $4) RETURNING $1",
        "INSERT INTO packet (packet_id, kit_id, application_id, kit_seq, sha256, sealed, received_at, \
         unit_path) VALUES ($1, $2, $1, 1, decode(repeat('00', 32), 'hex'), '', $4, $3) RETURNING $1",
    ] {
        let query = sqlx::query(sql).bind(foreign).bind(foreign_kit).bind(&path).bind(NOW);
        query.execute(world.db.admin()).await.unwrap();
    }
    let kit = KitId::derive(NOW, &[b"kit"]).uuid();
    let two = Two { own: own.try_into().unwrap(), foreign, kit, foreign_kit, world };
    two.commander("commander-hai", "445").await;
    two.commander("commander-ben", BESIDE).await;
    two.set_aside(two.own[0], "kit_revoked").await;
    two.set_aside(two.own[1], "not_opened").await;
    two.set_aside(two.foreign, "not_opened").await;
    two
}

impl Two {
    /// One more commander, of a district.
    async fn commander(&self, login: &str, unit: &str) {
        let path = Units::latest().path(unit.parse().unwrap()).unwrap();
        let account = Account {
            id: AccountId::derive(crate::support::WALL, &[login.as_bytes()]).uuid(),
            login: login.to_owned(),
            role: Role::Commander.code().to_owned(),
            scope: UnitScope::parse(&path).unwrap(),
            display_name: "Chỉ huy khác".to_owned(),
            password_hash: web::accounts::hash(crate::support::browser::PASSWORD.to_owned(), [2; 16])
                .await
                .unwrap(),
            created_at: crate::support::WALL,
            disabled_at: None,
        };
        let mut tx = self.world.db.begin().await.unwrap();
        store::accounts::insert(&mut tx, &account).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn set_aside(&self, packet: Uuid, reason: &str) {
        sqlx::query("UPDATE packet SET quarantined = $2, quarantined_at = $3 WHERE packet_id = $1")
            .bind(packet)
            .bind(reason)
            .bind(NOW - Duration::hours(5))
            .execute(self.world.db.admin())
            .await
            .unwrap();
    }

    async fn reason(&self, packet: Uuid) -> Option<String> {
        sqlx::query_scalar("SELECT quarantined FROM packet WHERE packet_id = $1")
            .bind(packet)
            .fetch_one(self.world.db.admin())
            .await
            .unwrap()
    }

    /// Whether the kit is revoked, what is proposed of it, and whether it is stopped.
    async fn standing(&self, kit: Uuid) -> (bool, Option<String>, bool) {
        sqlx::query_as(
            "SELECT revoked_at IS NOT NULL, proposed, stopped_at IS NOT NULL FROM kit WHERE kit_id = $1",
        )
        .bind(kit)
        .fetch_one(self.world.db.admin())
        .await
        .unwrap()
    }

    async fn rows(&self, action: &str) -> Vec<(String, String, Value)> {
        let rows = self.world.audit(action).await;
        let row = |(subject, actor, detail): (String, String, String)| {
            (subject, actor, serde_json::from_str(&detail).unwrap())
        };
        rows.into_iter().map(row).collect()
    }
}

fn actor(login: &str) -> String {
    format!("account:{}", AccountId::derive(crate::support::WALL, &[login.as_bytes()]))
}

async fn send(browser: &mut Browser, path: &str, fields: &[(&str, &str)]) -> Answer {
    let csrf = browser.csrf().await;
    let form: Vec<(&str, &str)> =
        [("csrf", csrf.as_str())].into_iter().chain(fields.iter().copied()).collect();
    browser.post(path, &form).await
}

#[tokio::test]
async fn packets_that_are_set_aside_are_shown_to_the_commander_of_their_unit_and_to_nobody_else() {
    let two = two().await;
    let shown = |page: &str| {
        [two.own[0], two.own[1], two.foreign].map(|id| page.contains(&format!("value=\"{id}\"")))
    };
    let mut district = two.world.as_role(Role::Commander).await;
    let page = district.get(PACKETS).await;
    assert_eq!((page.status, shown(&page.body)), (StatusCode::OK, [true, true, false]));
    for words in ["Máy đã bị thu hồi", "Hỏi tổ công tác đã dùng máy", "Không mở được", "Máy 1", "5 giờ"]
    {
        assert!(page.body.contains(words), "{words}: {}", page.body);
    }
    assert!(page.body.contains("aria-current=\"page\">Giám sát</a>"), "{}", page.body);
    let names: Vec<String> =
        sqlx::query_scalar("SELECT full_name FROM person").fetch_all(two.world.db.admin()).await.unwrap();
    assert!(!names.iter().any(|name| page.body.contains(name.as_str())), "nobody's name is shown");
    let english = district.get(&format!("{PACKETS}?lang=en")).await.body;
    assert!(
        english.contains("Kit revoked") && english.contains("Ask the team that had the kit"),
        "{english}"
    );
    // By reason; what is none shows all.
    let some = district.get(&format!("{PACKETS}?ly-do=not_opened&lang=vi")).await.body;
    assert_eq!(shown(&some), [false, true, false]);
    assert_eq!(shown(&district.get(&format!("{PACKETS}?ly-do=x%00")).await.body), [true, true, false]);
    let of_kit = district.get(&format!("{PACKETS}?may={}", two.foreign_kit)).await.body;
    assert_eq!(shown(&of_kit), [false; 3]);
    let mut commune = two.world.signed_in("commander-xa").await;
    assert_eq!(shown(&commune.get(PACKETS).await.body), [true, false, false]);
    let mut beside = two.world.signed_in("commander-ben").await;
    assert_eq!(shown(&beside.get(PACKETS).await.body), [false, false, true]);
    two.set_aside(two.foreign, "altered").await;
    sqlx::query("UPDATE packet SET quarantined = NULL").execute(two.world.db.admin()).await.unwrap();
    let empty = district.get(PACKETS).await.body;
    assert!(empty.contains("Không có gói nào bị cách ly. Không cần làm gì."), "{empty}");
    let listed = two.rows("packets.listed").await;
    assert_eq!(listed.len(), 8);
    assert_eq!(listed.iter().filter(|row| row.2["question"]["reason"] == "not_opened").count(), 1);
}

#[tokio::test]
async fn a_clerk_who_knows_the_addresses_neither_sees_nor_releases_anything() {
    let two = two().await;
    let kit = format!("{KITS}/{}", two.kit);
    for role in [Role::Clerk, Role::Officer, Role::Adjudicator] {
        let mut browser = two.world.as_role(role).await;
        for path in [PACKETS, KITS, &kit, TRAIL] {
            let denied = two.rows("denied").await.len();
            let answer = browser.get(path).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{role:?} {path}");
            assert!(!answer.body.contains(&two.own[0].to_string()), "{role:?} {path}");
            assert_eq!(two.rows("denied").await.len(), denied + 1, "{role:?} {path}");
        }
        let id = two.own[0].to_string();
        let form = [("viec", "cho-mo"), ("goi", &*id), ("ly-do", "vì cần")];
        assert_eq!(send(&mut browser, PACKETS, &form).await.status, StatusCode::FORBIDDEN, "{role:?}");
        let form = [("viec", "thu-hoi"), ("ly-do", "vì cần")];
        assert_eq!(send(&mut browser, &kit, &form).await.status, StatusCode::FORBIDDEN, "{role:?}");
    }
    assert_eq!(two.reason(two.own[0]).await.as_deref(), Some("kit_revoked"));
    assert_eq!(two.standing(two.kit).await, (false, None, false));
}

#[tokio::test]
async fn a_packet_of_another_unit_is_not_opened_by_its_id() {
    let two = two().await;
    let (own, foreign) = (two.own[0].to_string(), two.foreign.to_string());
    let mut commander = two.world.as_role(Role::Commander).await;
    let page = format!("{own},{foreign}");
    let attacks: [&[(&str, &str)]; 5] = [
        &[("viec", "cho-mo"), ("goi", &foreign), ("ly-do", "vì cần")],
        &[("viec", "thu-lai"), ("goi", &foreign)],
        &[("viec", "cho-mo"), ("goi", &own), ("goi", &foreign), ("ly-do", "vì cần")],
        &[("viec", "cho-mo"), ("trang", &page), ("tat-ca", "1"), ("ly-do", "vì cần")],
        &[("viec", "thu-lai"), ("goi", &nothing().to_string())],
    ];
    for attack in attacks {
        let denied = two.rows("denied").await.len();
        let answer = send(&mut commander, PACKETS, attack).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{attack:?}");
        assert_eq!(two.rows("denied").await.len(), denied + 1, "{attack:?}");
    }
    let denied = two.rows("denied").await;
    assert!(denied.iter().any(|row| row.0 == format!("packet:{foreign}")), "{denied:?}");
    // Nor by having all of the unit tried again.
    let answer = send(&mut commander, PACKETS, &[("viec", "thu-lai-het")]).await;
    assert_eq!(answer.header("location"), format!("{PACKETS}?kq=thu-lai&n=1&con=0"));
    assert_eq!(two.reason(two.foreign).await.as_deref(), Some("not_opened"));
    assert_eq!(two.reason(two.own[0]).await.as_deref(), Some("kit_revoked"), "not even the own one");
    assert_eq!(two.rows("packet.released").await, []);
    // A form of another session, or from elsewhere, is none.
    let forged = [("csrf", "0"), ("viec", "cho-mo"), ("goi", &*own), ("ly-do", "vì cần")];
    assert_eq!(commander.post(PACKETS, &forged).await.status, StatusCode::FORBIDDEN);
    let mut other = two.world.signed_in("commander-hai").await;
    let token = other.csrf().await;
    let stolen = [("csrf", &*token), ("viec", "cho-mo"), ("goi", &*own), ("ly-do", "vì cần")];
    assert_eq!(commander.post(PACKETS, &stolen).await.status, StatusCode::FORBIDDEN);
    assert_eq!(two.reason(two.own[0]).await.as_deref(), Some("kit_revoked"));
}

#[tokio::test]
async fn what_another_attempt_ends_is_tried_again_and_the_rest_takes_a_word() {
    let two = two().await;
    let [revoked, tried] = two.own.map(|id| id.to_string());
    let mut commander = two.world.as_role(Role::Commander).await;
    let none = send(&mut commander, PACKETS, &[("viec", "thu-lai")]).await;
    assert!(
        none.status == StatusCode::BAD_REQUEST && none.body.contains("Chưa chọn gói nào"),
        "{}",
        none.body
    );
    // Both are chosen, and one of them cannot be ended so.
    let both = [("viec", "thu-lai"), ("goi", &*revoked), ("goi", &*tried)];
    let answer = send(&mut commander, PACKETS, &both).await;
    assert_eq!(answer.header("location"), format!("{PACKETS}?kq=thu-lai&n=1&con=1"));
    let told = commander.get(answer.header("location")).await.body;
    assert!(told.contains("Đã đưa 1 gói") && told.contains("1 gói đã chọn cần có người cho mở"), "{told}");
    let again = two.rows("packet.retried").await;
    assert_eq!(again.len(), 1);
    assert_eq!((&again[0].0, &again[0].1), (&format!("packet:{tried}"), &actor("commander-huyen")));
    let only = send(&mut commander, PACKETS, &[("viec", "thu-lai"), ("goi", &revoked)]).await;
    assert_eq!(only.status, StatusCode::CONFLICT);
    assert!(only.body.contains("Hãy ghi lý do rồi chọn cho mở"), "{}", only.body);
    for why in ["", "   ", &"x".repeat(201)] {
        let form = [("viec", "cho-mo"), ("goi", &*revoked), ("ly-do", why)];
        let answer = send(&mut commander, PACKETS, &form).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{why}");
        let ticked = format!("value=\"{revoked}\" checked");
        assert!(answer.body.contains(&ticked) && answer.body.contains("Hãy ghi lý do cho mở"), "{why}");
    }
    let form = [("viec", "cho-mo"), ("goi", &*revoked), ("ly-do", "đã hỏi <b>tổ</b> công tác")];
    let answer = send(&mut commander, PACKETS, &form).await;
    assert_eq!(answer.header("location"), format!("{PACKETS}?kq=cho-mo&n=1&con=0"), "{}", answer.body);
    assert_eq!(two.reason(two.own[0]).await, None);
    let released = two.rows("packet.released").await;
    assert_eq!((&released[0].0, &released[0].1), (&format!("packet:{revoked}"), &actor("commander-huyen")));
    assert_eq!(released[0].2["reason"], "đã hỏi <b>tổ</b> công tác");
    assert_eq!(released[0].2["set_aside_for"], "kit_revoked");
    // It was released by somebody else meanwhile.
    let late = send(&mut commander, PACKETS, &form).await;
    assert!(late.status == StatusCode::CONFLICT && late.body.contains("Chưa gói nào được cho mở"));
    assert!(late.body.contains("Không có gói nào bị cách ly"), "{}", late.body);
    // Nobody's word makes whole what was altered; another attempt may.
    two.set_aside(two.own[0], "altered").await;
    assert_eq!(send(&mut commander, PACKETS, &form).await.status, StatusCode::CONFLICT);
    assert_eq!(two.reason(two.own[0]).await.as_deref(), Some("altered"));
    let retry = send(&mut commander, PACKETS, &[("viec", "thu-lai"), ("goi", &revoked)]).await;
    assert_eq!(retry.status, StatusCode::SEE_OTHER);
    for broken in [&[("viec", "x"), ("goi", &*revoked)][..], &[("viec", "thu-lai"), ("goi", "x")]] {
        let answer = send(&mut commander, PACKETS, broken).await;
        assert!(answer.status.is_client_error(), "{broken:?} {}", answer.status);
    }
}

#[tokio::test]
async fn a_long_list_has_pages_and_all_of_one_is_opened_at_once() {
    let two = two().await;
    sqlx::query(
        "INSERT INTO packet (packet_id, kit_id, application_id, kit_seq, sha256, sealed, received_at, \
         unit_path, quarantined, quarantined_at) \
         SELECT gen_random_uuid(), kit_id, application_id, 1000 + n, sha256, '', received_at, unit_path, \
                'kit_stopped', $2 FROM packet, generate_series(1, 60) n WHERE packet_id = $1",
    )
    .bind(two.own[1])
    .bind(NOW)
    .execute(two.world.db.admin())
    .await
    .unwrap();
    let ids = |page: &str| page.matches("name=\"goi\"").count();
    let mut commander = two.world.as_role(Role::Commander).await;
    let stopped = format!("{PACKETS}?ly-do=kit_stopped");
    let first = commander.get(&stopped).await;
    assert_eq!(ids(&first.body), 50);
    assert!(first.body.len() < 100 * 1024, "{}", first.body.len());
    let next = first.body.split("href=\"").find(|rest| rest.contains("rel=\"next\"")).unwrap();
    let next = next.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
    assert!(next.starts_with(&format!("{stopped}&sau=")), "{next}");
    assert_eq!(ids(&commander.get(&next).await.body), 10);
    let all =
        [("viec", "cho-mo"), ("tat-ca", "1"), ("trang", &*first.field("trang")), ("ly-do", "đã tìm ra")];
    let answer = send(&mut commander, &stopped, &all).await;
    assert_eq!(answer.header("location"), format!("{stopped}&kq=cho-mo&n=50&con=0"));
    assert_eq!(ids(&commander.get(&stopped).await.body), 10);
    assert_eq!(two.rows("packet.released").await.len(), 50);
}
