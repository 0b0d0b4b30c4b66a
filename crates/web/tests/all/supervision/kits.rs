//! Kits and credentials, about which two people agree.

use axum::http::StatusCode;
use time::Duration;
use uuid::Uuid;

use super::{KITS, PACKETS, Two, actor, send, two};
use crate::support::{NOW, nothing};
use web::Role;

#[tokio::test]
async fn a_kit_is_revoked_by_two_commanders_and_not_by_one() {
    let two = two().await;
    sqlx::query("UPDATE kit SET name = '<b>M\"áy</b>' WHERE kit_id = $1")
        .bind(two.kit)
        .execute(two.world.db.admin())
        .await
        .unwrap();
    let path = format!("{KITS}/{}", two.kit);
    let mut one = two.world.as_role(Role::Commander).await;
    let mut other = two.world.signed_in("commander-hai").await;
    for page in [KITS, &path, PACKETS] {
        let body = one.get(page).await.body;
        assert!(!body.contains("<b>M") && body.contains("b&#62;M"), "{page}: {body}");
    }
    assert_eq!(send(&mut one, &path, &[("viec", "thu-hoi"), ("ly-do", " ")]).await.status, 400);
    let proposed = send(&mut one, &path, &[("viec", "thu-hoi"), ("ly-do", "mất <i>trên xe</i>")]).await;
    assert_eq!(proposed.header("location"), format!("{path}?kq=de-nghi&n=0"));
    assert_eq!(two.standing(two.kit).await, (false, Some("revoke".to_owned()), false));
    let told = two.rows("kit.revocation_proposed").await;
    assert_eq!((&told[0].1, &told[0].2["reason"]), (&actor("commander-huyen"), &"mất <i>trên xe</i>".into()));
    // Who proposed sees who must answer, and has no button for it; a form that is made up does nothing.
    let own = one.get(&path).await.body;
    assert!(own.contains("Một tài khoản chỉ huy khác phải xác nhận"), "{own}");
    assert!(!own.contains("value=\"xac-nhan\"") && !own.contains("<i>trên"), "{own}");
    let mark = other.get(&path).await.field("de-nghi");
    for what in ["xac-nhan", "giu"] {
        let alone = send(&mut one, &path, &[("viec", what), ("de-nghi", &mark)]).await;
        assert_eq!(alone.status, StatusCode::CONFLICT, "{what}");
        assert!(alone.body.contains("nên một tài khoản khác phải"), "{}", alone.body);
    }
    assert_eq!(send(&mut other, &path, &[("viec", "xac-nhan")]).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(two.standing(two.kit).await, (false, Some("revoke".to_owned()), false));
    let list = other.get(KITS).await.body;
    assert!(list.contains("Chờ xác nhận thu hồi") && list.contains("1 máy chờ xác nhận thu hồi"), "{list}");
    let confirmed = send(&mut other, &path, &[("viec", "xac-nhan"), ("de-nghi", &mark)]).await;
    assert_eq!(confirmed.header("location"), format!("{path}?kq=thu-hoi&n=0"), "{}", confirmed.body);
    assert_eq!(two.standing(two.kit).await, (true, None, false));
    let told = two.rows("kit.revoked").await;
    assert_eq!(told[0].1, actor("commander-hai"));
    assert_eq!(told[0].2["proposed_by"], actor("commander-huyen"));
    let page = one.get(&path).await.body;
    assert!(page.contains("Đã thu hồi") && page.contains("Không còn việc gì"), "{page}");
    let again = send(&mut one, &path, &[("viec", "thu-hoi"), ("ly-do", "lần nữa")]).await;
    assert!(again.header("location").contains("kq=truoc"), "{}", again.header("location"));
}

/// A page that was opened before somebody proposed something else confirms and withdraws nothing.
#[tokio::test]
async fn a_page_that_is_out_of_date_decides_nothing_about_a_kit() {
    let two = two().await;
    sqlx::query("UPDATE kit SET stopped_at = $2, stopped_for = 'chain_broken' WHERE kit_id = $1")
        .bind(two.kit)
        .bind(NOW)
        .execute(two.world.db.admin())
        .await
        .unwrap();
    let path = format!("{KITS}/{}", two.kit);
    let mut one = two.world.as_role(Role::Commander).await;
    let mut other = two.world.signed_in("commander-hai").await;
    assert!(one.get(&path).await.body.contains("Không nối tiếp gói trước"));
    let resumed = send(&mut one, &path, &[("viec", "tiep-tuc"), ("ly-do", "phục hồi từ bản lưu")]).await;
    assert_eq!(resumed.header("location"), format!("{path}?kq=de-nghi&n=0"), "{}", resumed.body);
    let seen = other.get(&path).await.field("de-nghi");
    let other_one = "UPDATE kit SET proposed_at = proposed_at + interval '1 microsecond', \
                     proposed = 'revoke' WHERE proposed IS NOT NULL";
    sqlx::query(other_one).execute(two.world.db.admin()).await.unwrap();
    for what in ["xac-nhan", "giu"] {
        let late = send(&mut other, &path, &[("viec", what), ("de-nghi", &seen)]).await;
        assert_eq!(late.status, StatusCode::CONFLICT, "{what}");
        assert!(late.body.contains("tình trạng vừa thay đổi"), "{}", late.body);
    }
    assert_eq!(two.standing(two.kit).await, (false, Some("revoke".to_owned()), true));
    let resume = "UPDATE kit SET proposed = 'resume' WHERE proposed IS NOT NULL";
    sqlx::query(resume).execute(two.world.db.admin()).await.unwrap();
    let seen = other.get(&path).await.field("de-nghi");
    let went_on = send(&mut other, &path, &[("viec", "xac-nhan"), ("de-nghi", &seen)]).await;
    assert_eq!(went_on.header("location"), format!("{path}?kq=tiep-tuc&n=0"));
    assert_eq!(two.standing(two.kit).await, (false, None, false));
    assert_eq!(two.rows("kit.resumed").await.len(), 1);
    let not_stopped = send(&mut one, &path, &[("viec", "tiep-tuc"), ("ly-do", "lần nữa")]).await;
    assert_eq!(not_stopped.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_proposal_that_is_withdrawn_opens_what_was_set_aside_for_it() {
    let two = two().await;
    two.set_aside(two.own[0], "kit_doubted").await;
    let path = format!("{KITS}/{}", two.kit);
    let mut one = two.world.as_role(Role::Commander).await;
    let mut other = two.world.signed_in("commander-hai").await;
    send(&mut one, &path, &[("viec", "thu-hoi"), ("ly-do", "không thấy máy")]).await;
    let seen = other.get(&path).await.field("de-nghi");
    let kept = send(&mut other, &path, &[("viec", "giu"), ("de-nghi", &seen)]).await;
    assert_eq!(kept.header("location"), format!("{path}?kq=giu&n=1"), "{}", kept.body);
    assert_eq!(two.standing(two.kit).await, (false, None, false));
    assert_eq!(two.reason(two.own[0]).await, None);
    assert_eq!(two.rows("kit.kept").await[0].1, actor("commander-hai"));
    assert_eq!(two.rows("packet.released").await[0].0, format!("packet:{}", two.own[0]));
}

#[tokio::test]
async fn a_kit_of_another_unit_is_as_if_it_did_not_exist() {
    let two = two().await;
    let foreign = format!("{KITS}/{}", two.foreign_kit);
    let mut district = two.world.as_role(Role::Commander).await;
    let list = district.get(KITS).await.body;
    assert!(list.contains("Máy 1") && !list.contains("May-Can-Loc"), "{list}");
    let missing = district.get(&format!("{KITS}/{}", nothing())).await;
    assert_eq!(district.get(&foreign).await.status, missing.status);
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    for what in ["thu-hoi", "tiep-tuc", "xac-nhan", "giu"] {
        let form = [("viec", what), ("ly-do", "vì cần"), ("de-nghi", "1")];
        assert_eq!(send(&mut district, &foreign, &form).await.status, StatusCode::NOT_FOUND, "{what}");
    }
    assert_eq!(two.standing(two.foreign_kit).await, (false, None, false));
    let denied = two.rows("denied").await;
    let subject = format!("kit:{}", two.foreign_kit);
    assert_eq!(denied.iter().filter(|row| row.0 == subject).count(), 5, "{denied:?}");
    // A kit is the district's, and no matter of a commune.
    let mut commune = two.world.signed_in("commander-xa").await;
    assert!(commune.get(KITS).await.body.contains("Đơn vị chưa có máy thu nhận nào"));
    assert_eq!(commune.get(&format!("{KITS}/{}", two.kit)).await.status, StatusCode::NOT_FOUND);
    let mut beside = two.world.signed_in("commander-ben").await;
    assert_eq!(beside.get(&foreign).await.status, StatusCode::OK);
}

/// A credential on each of the two kits: its id and its kit.
async fn credentials(two: &Two) -> [Uuid; 2] {
    let ids = [Uuid::from_u128(91), Uuid::from_u128(92)];
    for (n, (id, kit)) in ids.into_iter().zip([two.kit, two.foreign_kit]).enumerate() {
        sqlx::query(
            "INSERT INTO officer_credential (credential_id, account_id, login, kit_id, public_key, \
             not_before, not_after, issued_by) VALUES ($1, $1, $2, $3, decode(repeat($4, 65), 'hex'), \
             $5, $6, 'centre')",
        )
        .bind(id)
        .bind(format!("canbo{n}"))
        .bind(kit)
        .bind(format!("0{n}"))
        .bind(NOW - Duration::days(9))
        .bind(NOW + Duration::days(9))
        .execute(two.world.db.admin())
        .await
        .unwrap();
    }
    ids
}

#[tokio::test]
async fn an_officers_credential_is_revoked_by_two_and_on_its_own_kit() {
    let two = two().await;
    let [own, foreign] = credentials(&two).await.map(|id| id.to_string());
    let path = format!("{KITS}/{}", two.kit);
    let mut one = two.world.as_role(Role::Commander).await;
    let mut other = two.world.signed_in("commander-hai").await;
    let page = one.get(&path).await.body;
    assert!(page.contains("canbo0") && !page.contains("canbo1") && page.contains("Còn hiệu lực"), "{page}");
    let of = |id| [("viec", "thu-hoi"), ("chung-thuc", id), ("ly-do", "lộ mật khẩu")];
    // By the address of a kit that is the reader's.
    assert_eq!(send(&mut one, &path, &of(&foreign)).await.status, StatusCode::NOT_FOUND);
    let none = send(&mut one, &path, &[("viec", "thu-hoi"), ("chung-thuc", &own), ("ly-do", "")]).await;
    assert!(none.status == StatusCode::BAD_REQUEST && none.body.contains("<details open>"), "{}", none.body);
    let proposed = send(&mut one, &path, &of(&own)).await;
    assert_eq!(proposed.header("location"), format!("{path}?kq=de-nghi&n=0"));
    assert!(one.get(KITS).await.body.contains("cán bộ chờ xác nhận"));
    let mark = other.get(&path).await.field("de-nghi");
    let answer = |what| [("viec", what), ("chung-thuc", &*own), ("de-nghi", &*mark)];
    assert_eq!(send(&mut one, &path, &answer("xac-nhan")).await.status, StatusCode::CONFLICT);
    let revoked = async || -> i64 {
        let sql = "SELECT count(*) FROM officer_credential WHERE revoked_at IS NOT NULL";
        sqlx::query_scalar(sql).fetch_one(two.world.db.admin()).await.unwrap()
    };
    assert_eq!(revoked().await, 0);
    let kept = send(&mut other, &path, &answer("giu")).await;
    assert_eq!(kept.header("location"), format!("{path}?kq=giu&n=0"), "{}", kept.body);
    send(&mut one, &path, &of(&own)).await;
    let confirmed = send(&mut other, &path, &answer("xac-nhan")).await;
    assert_eq!(confirmed.header("location"), format!("{path}?kq=thu-hoi&n=0"), "{}", confirmed.body);
    assert_eq!(revoked().await, 1);
    for (action, login) in [
        ("officer.revocation_proposed", "commander-huyen"),
        ("officer.kept", "commander-hai"),
        ("officer.revoked", "commander-hai"),
    ] {
        let rows = two.rows(action).await;
        assert_eq!((&rows[0].0, &rows[0].1), (&format!("officer:{own}"), &actor(login)), "{action}");
    }
}
