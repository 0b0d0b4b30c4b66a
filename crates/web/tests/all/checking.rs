//! A stranger's card, on the public page and over the JSON interface.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use base64ct::{Base64, Encoding};
use serde_json::{Value, json};

use crate::support::browser::{Answer, Browser};
use crate::support::chip::{Chip, NAME, PIN, chip, register, trust};
use crate::support::site;
use testkit::{FreshDatabase, fresh_database};
use web::routes::ROUTES;

const GENUINE: &str = "THẺ THẬT";
const REJECTED: &str = "KHÔNG CHẤP NHẬN";
const UNPROVEN: &str = "CHƯA CHỨNG MINH ĐƯỢC";

struct Counter {
    db: FreshDatabase,
    browser: Browser,
    chip: Chip,
}

/// A site that trusts the country of the card, and has the card in its register as active.
async fn counter() -> Counter {
    let (db, chip) = (fresh_database().await, chip());
    trust(&db, &chip).await;
    register(&db, &chip, "active").await;
    let browser = Browser { router: web::router(site(&db, None).state), cookies: BTreeMap::new() };
    Counter { db, browser, chip }
}

impl Counter {
    /// Chooses these files in the page's form and sends it.
    async fn upload(&mut self, files: &BTreeMap<String, Vec<u8>>, texts: &[(&str, &str)]) -> Answer {
        let mut body = Vec::new();
        for (name, text) in texts {
            body.extend(
                format!("--mark\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
                    .into_bytes(),
            );
        }
        for (name, bytes) in files {
            let head = format!(
                "--mark\r\nContent-Disposition: form-data; name=\"tep\"; filename=\"{name}\"\r\n\r\n"
            );
            body.extend([head.as_bytes(), bytes, b"\r\n"].concat());
        }
        body.extend(b"--mark--\r\n");
        let request =
            Request::post("/kiem-the").header(header::CONTENT_TYPE, "multipart/form-data; boundary=mark");
        self.browser.send(request.body(Body::from(body)).unwrap()).await
    }

    async fn call(&mut self, path: &str, body: &Value) -> (StatusCode, String, Value) {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        let answer = self.browser.send(request.body(Body::from(body.to_string())).unwrap()).await;
        let json = serde_json::from_str(&answer.body).unwrap();
        (answer.status, answer.header("content-type").to_owned(), json)
    }

    fn files(&self) -> Value {
        let files = self.chip.files.iter();
        files
            .map(|(name, bytes)| (name.clone(), Base64::encode_string(bytes).into()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

#[tokio::test]
async fn a_genuine_chip_shows_whose_it_is_and_a_changed_one_does_not() {
    let mut counter = counter().await;
    let files = counter.chip.files.clone();
    let (qr, mrz) = (counter.chip.qr.clone(), counter.chip.mrz.to_lowercase());
    let page = counter.upload(&files, &[("qr", &qr), ("mrz", &mrz)]).await;
    assert!(page.body.contains(GENUINE) && page.body.contains("đang có giá trị sử dụng"), "{}", page.body);
    assert!(page.body.contains(NAME) && page.body.contains("src=\"data:image/jpeg;base64,"), "{}", page.body);
    for (name, file) in &files {
        let mut changed = files.clone();
        let mut bytes = file.clone();
        *bytes.last_mut().unwrap() ^= 1;
        changed.insert(name.clone(), bytes);
        let page = counter.upload(&changed, &[]).await.body;
        assert!(
            page.contains(REJECTED) && !page.contains(NAME) && !page.contains("data:image"),
            "{name}: {page}"
        );
    }
    let other = qr.replace(NAME, "Trần Thị Khác");
    let page = counter.upload(&files, &[("qr", &other)]).await.body;
    assert!(page.contains(REJECTED) && page.contains("Mã QR in trên thẻ không khớp với chip."), "{page}");
    let rows: i64 =
        sqlx::query_scalar("SELECT count(*) FROM audit").fetch_one(counter.db.admin()).await.unwrap();
    assert_eq!(rows, 0, "a check leaves nothing");
}

#[tokio::test]
async fn the_register_speaks_of_proven_cards_only() {
    let mut counter = counter().await;
    let files = counter.chip.files.clone();
    for (state, said) in [
        ("replaced", "đã được thay bằng thẻ khác"),
        ("revoked", "đã bị thu hồi"),
        ("suspended", "đang tạm dừng hiệu lực"),
        ("expired", "thẻ này đã hết hạn"),
        ("signed", "chưa được trao"),
    ] {
        register(&counter.db, &counter.chip, state).await;
        let page = counter.upload(&files, &[]).await.body;
        assert!(page.contains(REJECTED) && page.contains(said) && !page.contains(NAME), "{state}: {page}");
        // Print alone, a part of the chip, and a changed chip get the same answer whatever the register has.
        let mrz = counter.chip.mrz.clone();
        let page = counter.browser.post("/kiem-the", &[("mrz", &mrz)]).await.body;
        assert!(
            page.contains(UNPROVEN) && page.contains("Chưa hỏi cơ quan cấp thẻ") && !page.contains(said),
            "{page}"
        );
        let qr = counter.chip.qr.clone();
        let page = counter.browser.post("/kiem-the", &[("qr", &qr)]).await.body;
        assert!(page.contains(UNPROVEN) && page.contains("rất ít"), "{page}");
        assert!(!page.contains(said) && !page.contains(PIN) && !page.contains(NAME), "{page}");
        let mut partly = files.clone();
        partly.remove("DG2");
        let page = counter.upload(&partly, &[]).await.body;
        assert!(page.contains(UNPROVEN) && !page.contains(said) && !page.contains(NAME), "{page}");
    }
    // A card that this register does not know, though its country signed it.
    sqlx::query("DELETE FROM card").execute(counter.db.admin()).await.unwrap();
    let page = counter.upload(&files, &[]).await.body;
    assert!(page.contains(REJECTED) && page.contains("không có thẻ nào như thế này"), "{page}");
    // Without a root certificate nothing is proven, and nobody accused.
    sqlx::query("DELETE FROM certificate").execute(counter.db.admin()).await.unwrap();
    assert!(counter.upload(&files, &[]).await.body.contains(UNPROVEN));
}

/// Somebody with a stolen signer's key waits until the installation's list is over.
#[tokio::test]
async fn without_a_revocation_list_in_force_no_card_is_called_genuine() {
    let mut counter = counter().await;
    let (files, sent) = (counter.chip.files.clone(), counter.files());
    let after = |days: i64| (specimen::START + time::Duration::days(days)).unix_timestamp();
    let at = |seconds| {
        let moment = time::OffsetDateTime::from_unix_timestamp(seconds).unwrap();
        moment.format(&time::format_description::well_known::Rfc3339).unwrap()
    };
    for (days, overall) in [(89, "genuine"), (91, "unproven"), (3 * 365, "unproven")] {
        let asked = json!({ "files": sent, "at": at(after(days)) });
        let (status, _, body) = counter.call("/api/v1/verify/chip", &asked).await;
        assert_eq!((status, &body["overall"]), (StatusCode::OK, &json!(overall)), "{days}: {body}");
        // Whose register says nothing of a card that may be forged.
        let has_status = body["checks"]
            .as_array()
            .unwrap()
            .iter()
            .any(|check| check["code"] == "register-status" && check["outcome"] == "passed");
        assert_eq!(has_status, overall == "genuine", "{body}");
    }
    sqlx::query("DELETE FROM crl").execute(counter.db.admin()).await.unwrap();
    let page = counter.upload(&files, &[]).await.body;
    assert!(page.contains(UNPROVEN) && !page.contains(NAME) && !page.contains(GENUINE), "{page}");
    assert!(page.contains("danh sách khóa ký bị thu hồi") && page.contains("không phải làm gì"), "{page}");
}

#[tokio::test]
async fn what_cannot_be_checked_is_said_on_the_form() {
    let mut counter = counter().await;
    let photo = BTreeMap::from([("photo.jpg".to_owned(), vec![1])]);
    let twice = BTreeMap::from([("DG1".to_owned(), vec![1]), ("EF_DG1.BIN".to_owned(), vec![1])]);
    for (files, said) in [
        (&photo, "Không có tệp nào của chip"),
        (&twice, "hai tệp cùng một tên"),
        (&BTreeMap::new(), "Chưa có gì"),
    ] {
        let answer = counter.upload(files, &[]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.body.contains(said) && answer.body.contains("role=\"alert\""), "{}", answer.body);
    }
    let page = counter.browser.post("/kiem-the", &[("qr", "xin chào <b>")]).await.body;
    assert!(page.contains(REJECTED) && !page.contains("xin chào"), "what was sent is not shown");
    let large = BTreeMap::from([("DG2".to_owned(), vec![0; 600 * 1024])]);
    let answer = counter.upload(&large, &[]).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(answer.body.contains("lớn hơn mức cho phép"), "{}", answer.body);
}

#[tokio::test]
async fn checks_from_one_address_are_bounded() {
    let mut counter = counter().await;
    for _ in 0..60 {
        assert_eq!(counter.browser.post("/kiem-the", &[("qr", "x")]).await.status, StatusCode::OK);
        assert_eq!(counter.call("/api/v1/verify/qr", &json!({"qr": "x"})).await.0, StatusCode::OK);
    }
    assert_eq!(counter.browser.post("/kiem-the", &[("qr", "x")]).await.status, StatusCode::TOO_MANY_REQUESTS);
    let (status, kind, body) = counter.call("/api/v1/verify/chip", &json!({"files": counter.files()})).await;
    assert_eq!((status, kind.as_str()), (StatusCode::TOO_MANY_REQUESTS, "application/problem+json"));
    assert_eq!(body["code"], "too_many");
    assert_eq!(
        counter.browser.get("/kiem-the").await.status,
        StatusCode::OK,
        "the form itself costs nothing"
    );
}

/// The schema of this name in the description that the site serves.
fn schema(description: &Value, name: &str) -> jsonschema::Validator {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": format!("#/components/schemas/{name}"),
        "components": description["components"],
    });
    jsonschema::validator_for(&schema).unwrap()
}

#[tokio::test]
async fn answers_are_what_openapi_says() {
    let mut counter = counter().await;
    let description: Value =
        serde_json::from_str(&counter.browser.get("/api/v1/openapi.json").await.body).unwrap();
    let described: Vec<(String, String)> = description["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(move |method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    let mut served: Vec<_> = ROUTES
        .iter()
        .filter(|route| route.path.starts_with("/api/"))
        .map(|r| (r.method.to_owned(), r.path.to_owned()))
        .collect();
    served.sort_by(|one, other| one.1.cmp(&other.1));
    let mut sorted = described.clone();
    sorted.sort_by(|one, other| one.1.cmp(&other.1));
    assert_eq!(sorted, served, "every route is described, and nothing else");

    let (verdict, problem) = (schema(&description, "Verdict"), schema(&description, "Problem"));
    let codes = &description["components"]["schemas"]["Check"]["properties"]["code"]["enum"];
    let ours: Vec<Value> = verify::CheckCode::ALL.iter().map(|code| code.as_str().into()).collect();
    assert_eq!(codes.as_array().unwrap(), &ours);
    let (qr, mrz, files) = (counter.chip.qr.clone(), counter.chip.mrz.clone(), counter.files());
    let at = "2021-05-01T08:00:00+07:00";
    for (path, name, body, overall) in [
        ("chip", "ChipRequest", json!({"files": files}), "genuine"),
        ("chip", "ChipRequest", json!({"files": files, "qr": qr, "mrz": mrz, "at": at}), "genuine"),
        ("chip", "ChipRequest", json!({"files": {"EF_SOD.BIN": files["EF.SOD"]}}), "unproven"),
        ("chip", "ChipRequest", json!({"files": {"EF.SOD": "AAAA"}, "qr": null}), "rejected"),
        ("qr", "QrRequest", json!({"qr": qr, "at": at}), "unproven"),
        ("qr", "QrRequest", json!({"qr": ""}), "rejected"),
        ("mrz", "MrzRequest", json!({"mrz": mrz}), "unproven"),
        ("mrz", "MrzRequest", json!({"mrz": mrz, "at": "2040-01-01T00:00:00Z"}), "rejected"),
    ] {
        assert!(schema(&description, name).is_valid(&body), "{path}: a request that is taken is described");
        let (status, kind, answer) = counter.call(&format!("/api/v1/verify/{path}"), &body).await;
        assert_eq!((status, kind.as_str()), (StatusCode::OK, "application/json"), "{answer}");
        if let Err(error) = verdict.validate(&answer) {
            panic!("{path}: {error}: {answer}");
        }
        assert_eq!(answer["overall"], overall, "{answer}");
        let asked =
            answer["checks"].as_array().unwrap().iter().find(|c| c["code"] == "register-status").unwrap();
        assert_eq!(asked["outcome"] == "passed", overall == "genuine", "{asked}");
    }
    let long = "A".repeat(600 * 1024);
    for (path, body, status, code) in [
        ("chip", json!({"files": {}}), 400, "bad_file"),
        ("chip", json!({"files": {"photo.jpg": "AAAA"}}), 400, "bad_file"),
        ("chip", json!({"files": {"DG1": "A"}}), 400, "bad_file"),
        ("chip", json!({"files": {"DG1": "AAAA", "dg1.bin": "AAAA"}}), 400, "bad_file"),
        ("chip", json!({"files": {"DG1": long}}), 413, "too_large"),
        ("qr", json!({"qr": 1}), 400, "bad_json"),
        ("qr", json!({"qr": "x", "name": "bí mật"}), 400, "bad_json"),
        ("mrz", json!({"mrz": "x", "at": "hôm nay"}), 400, "bad_json"),
        ("mrz", json!("x"), 400, "bad_json"),
        ("nothing", json!({}), 404, "not_found"),
    ] {
        let (found, kind, answer) = counter.call(&format!("/api/v1/verify/{path}"), &body).await;
        assert_eq!((found.as_u16(), kind.as_str()), (status, "application/problem+json"), "{answer}");
        assert!(problem.is_valid(&answer), "{answer}");
        assert_eq!((&answer["code"], &answer["status"]), (&code.into(), &status.into()), "{answer}");
        assert!(!answer.to_string().contains("bí mật") && !answer.to_string().contains("hôm"), "{answer}");
    }
}
