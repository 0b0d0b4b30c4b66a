//! From accepted applications to printed cards on a real database, with every stop on the way repeated.

use std::process::Command;
use std::sync::Arc;

use sqlx::Row;
use time::Duration;

use crate::common::*;
use card::lds::DataGroup;
use card::sod::Sod;
use domain::actor::UserName;
use domain::application::Kind;
use domain::id::{ApplicationId, BatchId, PersonId};
use domain::{Actor, Pin, Sex};
use issue::results::{self, Recorded};
use issue::{Error, open_batch, record_results, sign_batch, unfinished_batches};
use pki::SignatureScheme;
use store::Database;

fn serial_of(person: PersonId, attempt: u32) -> u32 {
    let id = person.uuid().into_bytes();
    u32::from_be_bytes([0, id[13], id[14], id[15]]).wrapping_add(attempt)
}

async fn batch_of(db: &Database, most: u32) -> issue::BatchSummary {
    open_batch(db, &*authority(db).await, &scope(), DISTRICT, most, &serial_of, NOW).await.unwrap()
}

async fn pin_of(db: &Database, person: PersonId) -> Option<String> {
    sqlx::query_scalar("SELECT pin FROM person WHERE person_id = $1")
        .bind(person.uuid())
        .fetch_one(db.work())
        .await
        .unwrap()
}

async fn sound(db: &Database) {
    let mut conn = db.work().acquire().await.unwrap();
    assert_eq!(store::applications::check_folds(&mut conn).await.unwrap(), []);
    assert_eq!(store::cards::history::check_folds(&mut conn).await.unwrap(), []);
}

#[tokio::test]
async fn missing_numbers_are_allocated_with_the_right_structure_and_others_are_kept() {
    let db = testkit::fresh_database().await;
    let own = Pin::parse("042300123456").unwrap();
    let people = [
        (record(Sex::Female, "10/05/1999"), None),
        (record(Sex::Male, "2003"), None),
        (record(Sex::Female, "01/02/2000"), Some(own)),
    ];
    let applicants = register(&db, 0, &people).await;
    let summary = batch_of(&db, 100).await;
    assert_eq!((summary.cards, summary.pins_allocated, summary.blocked), (3, 2, 0));
    let pins = [
        pin_of(&db, applicants[0].person).await.unwrap(),
        pin_of(&db, applicants[1].person).await.unwrap(),
        pin_of(&db, applicants[2].person).await.unwrap(),
    ];
    assert_eq!((&pins[0][..6], &pins[1][..6], pins[2].as_str()), ("042199", "042203", own.as_str()));
    let events: Vec<(i32, String)> =
        sqlx::query_as("SELECT version, kind FROM person_event WHERE version > 1 ORDER BY person_id")
            .fetch_all(db.admin())
            .await
            .unwrap();
    assert_eq!(events, [(2, "pin_assigned".to_owned()), (2, "pin_assigned".to_owned())]);
    assert_eq!(
        count(&db, "SELECT count(*) FROM card c JOIN person p USING (person_id) WHERE c.pin = p.pin").await,
        3
    );
    for applicant in &applicants {
        assert_eq!(state(&db, applicant.application).await, "batched");
    }
    assert_eq!(batch_of(&db, 100).await, issue::BatchSummary::default(), "nobody is left for a second batch");
    sound(&db).await;
}

#[tokio::test]
async fn a_number_that_is_taken_is_drawn_again_and_a_full_space_is_an_error() {
    let db = testkit::fresh_database().await;
    let authority = authority(&db).await;
    let people: Vec<_> = (0..4).map(|_| (record(Sex::Male, "1990"), None)).collect();
    let applicants = register(&db, 0, &people).await;
    let same = |_: PersonId, _: u32| 7;
    let full = open_batch(&db, &authority, &scope(), DISTRICT, 100, &same, NOW).await.unwrap_err();
    assert!(matches!(full, Error::PinSpace { .. }), "{full}");
    assert_eq!(count(&db, "SELECT (SELECT count(*) FROM pin) + (SELECT count(*) FROM card)").await, 0);

    let colliding = |_: PersonId, attempt: u32| 7 + attempt;
    let summary = open_batch(&db, &authority, &scope(), DISTRICT, 100, &colliding, NOW).await.unwrap();
    assert_eq!((summary.cards, summary.pins_allocated), (4, 4));
    let mut pins = Vec::new();
    for applicant in &applicants {
        pins.push(pin_of(&db, applicant.person).await.unwrap());
    }
    pins.sort();
    assert_eq!(pins, ["042090000007", "042090000008", "042090000009", "042090000010"]);
}

#[tokio::test]
async fn who_cannot_have_a_card_is_blocked_with_the_reason_and_holds_up_nobody() {
    let db = testkit::fresh_database().await;
    let mut long = record(Sex::Male, "1990");
    long.permanent.detail = "Ngõ ".repeat(400);
    let mut unprintable = record(Sex::Female, "1993");
    unprintable.permanent.detail = "WWWWWWWW ".repeat(27);
    let people = [
        (record(Sex::Female, "1899"), None),
        (long, None),
        (record(Sex::Male, "1991"), None),
        (record(Sex::Male, "1992"), None),
        // The chip would take it, the print would not: found before anything is signed.
        (unprintable, None),
    ];
    let applicants = register(&db, 0, &people).await;
    sqlx::query("UPDATE person SET status = 2 WHERE person_id = $1")
        .bind(applicants[3].person.uuid())
        .execute(db.admin())
        .await
        .unwrap();
    let summary = batch_of(&db, 100).await;
    assert_eq!((summary.cards, summary.blocked), (1, 3));
    let blocked: Vec<(uuid::Uuid, String, String)> =
        sqlx::query_as("SELECT application_id, code, message FROM issue_blocked ORDER BY code, message")
            .fetch_all(db.admin())
            .await
            .unwrap();
    let reason = |index: usize| {
        let id = applicants[index].application.uuid();
        blocked.iter().find(|(blocked, ..)| *blocked == id).map(|(_, code, message)| (code.as_str(), message))
    };
    assert_eq!(reason(0).unwrap().0, "no_pin_structure");
    assert_eq!(reason(1).unwrap().0, "card_data");
    let (code, message) = reason(4).unwrap();
    assert!(code == "card_data" && message.contains("legible size"), "{message}");
    assert_eq!(state(&db, applicants[0].application).await, "accepted");
    assert_eq!(state(&db, applicants[2].application).await, "batched");
    assert_eq!(state(&db, applicants[3].application).await, "accepted", "the dead get no card");
    assert_eq!(batch_of(&db, 100).await, issue::BatchSummary::default());
}

struct SignedRow {
    application: ApplicationId,
    dg1: Vec<u8>,
    dg13: Vec<u8>,
    sod: Vec<u8>,
}

async fn signed_cards(db: &Database) -> Vec<SignedRow> {
    sqlx::query("SELECT application_id, dg1, dg13, sod FROM card WHERE state = 'signed' ORDER BY number")
        .fetch_all(db.work())
        .await
        .unwrap()
        .iter()
        .map(|row| SignedRow {
            application: ApplicationId::from_uuid(row.get(0)),
            dg1: row.get(1),
            dg13: row.get(2),
            sod: row.get(3),
        })
        .collect()
}

#[tokio::test]
async fn a_card_without_a_photo_waits_and_each_card_is_signed_once() {
    let db = testkit::fresh_database().await;
    let authority = authority(&db).await;
    let people: Vec<_> = (0..5).map(|_| (record(Sex::Female, "30/04/1975"), None)).collect();
    let applicants = register(&db, 0, &people).await;
    let batch = batch_of(&db, 100).await.batch.unwrap();
    assert_eq!(sign_batch(&db, &authority, batch, photos(&applicants[..3]), NOW).await.unwrap(), 3);
    assert_eq!(count(&db, "SELECT count(*) FROM card WHERE state = 'intended' AND sod IS NULL").await, 2);
    assert_eq!(unfinished_batches(&db).await.unwrap(), [batch]);
    assert!(matches!(record_results(&db, batch, &[], NOW).await, Err(Error::NoItem { .. })));

    let all = photos(&applicants);
    let (one, two) = tokio::join!(
        sign_batch(&db, &authority, batch, Arc::clone(&all), NOW),
        sign_batch(&db, &authority, batch, Arc::clone(&all), NOW)
    );
    assert_eq!(one.unwrap() + two.unwrap(), 2, "two workers sign each card once between them");
    let before = signed_cards(&db).await;
    assert_eq!(sign_batch(&db, &authority, batch, all, NOW).await.unwrap(), 0);
    let after = signed_cards(&db).await;
    assert_eq!(before.len(), 5);
    for (one, other) in before.iter().zip(&after) {
        assert_eq!(one.sod, other.sod);
        check_chip(&authority, one);
    }
}

fn check_chip(authority: &issue::Authority, row: &SignedRow) {
    let sod = Sod::parse(&row.sod).unwrap();
    assert_eq!(sod.signer_certificate(), Some(authority.document_signer.der()));
    assert!(sod.content_is_what_was_signed());
    let scheme = SignatureScheme::from_identifier(sod.signature_algorithm()).unwrap();
    let key = authority.document_signer.public_key();
    pki::verify_signature(scheme, key, sod.signed_message(), sod.signature()).unwrap();
    authority.document_signer.verify_signed_by(&authority.csca).unwrap();
    let files =
        issue::rebuild(row.dg1.clone(), row.dg13.clone(), row.sod.clone(), &images(100), None).unwrap();
    let dg3 = files.dg3.as_ref().unwrap();
    let groups = [(1, &files.dg1), (2, &files.dg2), (3, dg3), (13, &files.dg13)];
    for (number, file) in groups {
        let group = DataGroup::from_number(number).unwrap();
        assert_eq!(sod.matches(group, file), Some(true), "DG{number}");
    }
    assert_eq!(sod.matches(DataGroup::from_number(2).unwrap(), &photo(101)), Some(false));
    assert_eq!(card::lds::com::encode(&groups.map(|(n, _)| DataGroup::from_number(n).unwrap())), files.com);
}

#[tokio::test]
async fn a_chip_with_keys_is_put_together_again_as_it_was_signed() {
    let db = testkit::fresh_database().await;
    let source = issue::ChipKeySource::new(vec![7; 40].into());
    let authority = Arc::into_inner(authority(&db).await).unwrap().with_chip_keys(source.clone());
    let authority = Arc::new(authority);
    let applicants = register(&db, 0, &[(record(Sex::Female, "30/04/1975"), None)]).await;
    let batch = batch_of(&db, 1).await.batch.unwrap();
    sign_batch(&db, &authority, batch, photos(&applicants), NOW).await.unwrap();
    let row = signed_cards(&db).await.remove(0);
    let card = sqlx::query_scalar("SELECT card_id FROM card").fetch_one(db.admin()).await.unwrap();
    let keys = source.keys(domain::id::CardId::from_uuid(card));
    let rebuild =
        |keys| issue::rebuild(row.dg1.clone(), row.dg13.clone(), row.sod.clone(), &images(100), keys);
    assert!(matches!(rebuild(None), Err(Error::ChipKeysMissing)));
    let files = rebuild(Some(&keys)).unwrap();
    let sod = Sod::parse(&row.sod).unwrap();
    let named = files.named();
    assert_eq!(named.len(), 9);
    for (name, file) in named {
        if let Some(group) = DataGroup::from_file_name(name) {
            assert_eq!(sod.matches(group, file), Some(true), "{name}");
        }
    }
    let other = source.keys(domain::id::CardId::from_uuid(uuid::Uuid::nil()));
    let files = rebuild(Some(&other)).unwrap();
    assert_eq!(sod.matches(DataGroup::DG15, &files.proofs.unwrap().dg15), Some(false), "another card's keys");
}

#[tokio::test]
async fn openssl_verifies_a_card_that_the_batch_signed() {
    let db = testkit::fresh_database().await;
    let authority = authority(&db).await;
    let applicants = register(&db, 0, &[(record(Sex::Female, "30/04/1975"), None)]).await;
    let batch = batch_of(&db, 1).await.batch.unwrap();
    sign_batch(&db, &authority, batch, photos(&applicants), NOW).await.unwrap();
    let row = signed_cards(&db).await.remove(0);
    assert_eq!(row.application, applicants[0].application);
    let directory = tempfile::tempdir().unwrap();
    let (ca, input) = (directory.path().join("csca.pem"), directory.path().join("sod.der"));
    std::fs::write(&ca, authority.csca.to_pem().unwrap()).unwrap();
    let cms = card::tlv::single(&row.sod, card::tlv::Tag(0x77), "EF.SOD").unwrap().value.to_vec();
    std::fs::write(&input, cms).unwrap();
    let output = Command::new("openssl")
        .args(["cms", "-verify", "-inform", "DER", "-purpose", "any", "-attime"])
        .arg((NOW + Duration::DAY).unix_timestamp().to_string())
        .arg("-CAfile")
        .arg(ca)
        .arg("-in")
        .arg(input)
        .output()
        .expect("the openssl command must be installed: apt-get install openssl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

async fn signed_batch(db: &Database, applicants: &[Applicant]) -> BatchId {
    let batch = batch_of(db, 100).await.batch.unwrap();
    sign_batch(db, &authority(db).await, batch, photos(applicants), NOW).await.unwrap();
    batch
}

#[tokio::test]
async fn a_spoiled_card_is_made_again_under_another_number() {
    let db = testkit::fresh_database().await;
    let people: Vec<_> = (0..3).map(|_| (record(Sex::Male, "1980"), None)).collect();
    let applicants = register(&db, 0, &people).await;
    let batch = signed_batch(&db, &applicants).await;
    let short = record_results(&db, batch, &[2], NOW).await.unwrap_err();
    assert!(matches!(short, Error::StockShort { needed: 2, there: 0 }), "{short}");
    receive(&db, 1, 1_000).await;
    assert!(matches!(record_results(&db, batch, &[4], NOW).await, Err(Error::NoItem { position: 4, .. })));
    for _ in 0..2 {
        assert_eq!(record_results(&db, batch, &[2], NOW).await.unwrap(), (2, 1));
        assert_eq!(expected(&db).await, 997);
    }
    let spoiled: uuid::Uuid =
        sqlx::query_scalar("SELECT application_id FROM batch_item WHERE outcome = 'spoiled'")
            .fetch_one(db.admin())
            .await
            .unwrap();
    assert_eq!(state(&db, ApplicationId::from_uuid(spoiled)).await, "accepted");
    let pin = count(&db, "SELECT count(*) FROM pin").await;

    let again = signed_batch(&db, &applicants).await;
    assert_ne!(again, batch);
    assert_eq!(record_results(&db, again, &[], NOW + Duration::HOUR).await.unwrap(), (1, 0));
    assert_eq!(count(&db, "SELECT count(*) FROM pin").await, pin, "the number of the person stays");
    let cards: Vec<(String, String, String)> =
        sqlx::query_as("SELECT number, state, pin FROM card WHERE application_id = $1 ORDER BY number")
            .bind(spoiled)
            .fetch_all(db.admin())
            .await
            .unwrap();
    let states: Vec<&str> = cards.iter().map(|card| card.1.as_str()).collect();
    assert_eq!(states, ["spoiled", "personalised"]);
    assert!(cards[0].0 != cards[1].0 && cards[0].2 == cards[1].2);
    assert_eq!(expected(&db).await, 996);
    assert_eq!(unfinished_batches(&db).await.unwrap(), []);
    let unknown = BatchId::derive(NOW, &[b"none"]);
    assert!(matches!(record_results(&db, unknown, &[], NOW).await, Err(Error::NoBatch(_))));
    sound(&db).await;
}

#[tokio::test]
async fn a_printers_file_is_recorded_whole_or_not_at_all() {
    let db = testkit::fresh_database().await;
    let people: Vec<_> = (0..3).map(|_| (record(Sex::Male, "1980"), None)).collect();
    let applicants = register(&db, 0, &people).await;
    signed_batch(&db, &applicants).await;
    receive(&db, 1, 10).await;
    let serials: Vec<String> = sqlx::query_scalar("SELECT serial FROM blank ORDER BY serial DESC LIMIT 2")
        .fetch_all(db.admin())
        .await
        .unwrap();
    let operator = Actor::Command(UserName::parse("an").unwrap());
    let sheet = async |text: String| {
        results::record_sheet(&db, None, &results::parse(&text).unwrap(), &operator, NOW).await
    };
    let Ok(Recorded::Differs { batch: 1, differences }) =
        sheet(format!("0000010001,printed,,{0}\n0000010003,printed,,{0}\n", serials[0])).await
    else {
        panic!("a card is left out, and a blank is named twice")
    };
    let codes: Vec<&str> = differences.iter().map(|found| found.code).collect();
    assert_eq!(codes, ["blank", "left_out"]);
    assert_eq!(expected(&db).await, 10, "nothing was recorded");
    assert!(matches!(
        sheet("0000990001,printed\n".to_owned()).await,
        Err(Error::NoCardNumber { line: 1, .. })
    ));
    let good = format!("0000010001,printed,,{}\n0000010002,spoiled,broken\n0000010003,printed\n", serials[0]);
    for before in [false, true] {
        let recorded = sheet(good.clone()).await.unwrap();
        assert_eq!(recorded, Recorded::Batch { batch: 1, printed: 2, spoiled: 1, before });
    }
    let used: Vec<(String, Option<String>)> = sqlx::query_as(
        "SELECT c.number, k.reason FROM blank k JOIN card c USING (card_id) WHERE k.serial <> $1 \
         ORDER BY c.number",
    )
    .bind(&serials[0])
    .fetch_all(db.admin())
    .await
    .unwrap();
    let broken = Some("broken".to_owned());
    assert_eq!(used, [("0000010002".to_owned(), broken), ("0000010003".to_owned(), None)]);
    let Ok(Recorded::Differs { differences, .. }) = sheet(good.replace("spoiled,broken", "printed")).await
    else {
        panic!("it was recorded as spoiled")
    };
    assert_eq!((differences.len(), differences[0].code), (1, "otherwise"));
    let actor = "SELECT count(*) FROM audit WHERE action = 'batch.close' AND actor = 'command:an'";
    assert_eq!(count(&db, actor).await, 1);
    sound(&db).await;
}

#[tokio::test]
async fn the_database_refuses_a_second_active_card_and_a_second_in_production() {
    let db = testkit::fresh_database().await;
    let people: Vec<_> = (0..2).map(|_| (record(Sex::Male, "1980"), None)).collect();
    let applicants = register(&db, 0, &people).await;
    signed_batch(&db, &applicants).await;
    for (state, constraint) in [("active", "card_one_active"), ("signed", "card_one_in_production")] {
        sqlx::query("UPDATE card SET state = $1").bind(state).execute(db.admin()).await.unwrap();
        let second = sqlx::query(
            "INSERT INTO card (card_id, number, application_id, person_id, pin, state, issued_on, ds_serial, \
             token_sha256, \
                               unit_code, unit_path, intended_at) \
             SELECT gen_random_uuid(), 'x', application_id, person_id, pin, state, issued_on, ds_serial, \
             token_sha256, \
                    unit_code, unit_path, intended_at FROM card LIMIT 1",
        )
        .execute(db.admin())
        .await
        .unwrap_err();
        assert_eq!(second.as_database_error().unwrap().constraint(), Some(constraint));
    }
}

#[tokio::test]
async fn a_holder_gets_another_card_for_an_exchange_only() {
    let db = testkit::fresh_database().await;
    let people = [(record(Sex::Male, "1980"), None), (record(Sex::Male, "1981"), None)];
    let applicants = register(&db, 0, &people).await;
    let batch = signed_batch(&db, &applicants).await;
    receive(&db, 1, 10).await;
    record_results(&db, batch, &[], NOW).await.unwrap();
    sqlx::query("UPDATE card SET state = 'active'").execute(db.admin()).await.unwrap();
    let second = |n: usize| Applicant {
        person: applicants[n].person,
        application: ApplicationId::derive(NOW, &[b"second", &[n as u8]]),
    };
    accept(&db, &[second(0)], Kind::New, people.iter().map(|(r, _)| r).take(1)).await;
    accept(&db, &[second(1)], Kind::Exchange, people.iter().map(|(r, _)| r).skip(1)).await;
    let summary = batch_of(&db, 100).await;
    assert_eq!((summary.cards, summary.pins_allocated), (1, 0));
    assert_eq!(state(&db, second(0).application).await, "accepted");
    assert_eq!(state(&db, second(1).application).await, "batched");
}

#[tokio::test]
async fn two_workers_share_the_applications_without_a_card_too_many() {
    let db = testkit::fresh_database().await;
    let people: Vec<_> = (0..40).map(|_| (record(Sex::Male, "1980"), None)).collect();
    register(&db, 0, &people).await;
    let authority = authority(&db).await;
    let scope = scope();
    let open = || async {
        // A race for the number of the batch, or for a personal number, is lost by one of them, who tries
        // again.
        for _ in 0..10 {
            match open_batch(&db, &authority, &scope, DISTRICT, 7, &serial_of, NOW).await {
                Ok(summary) => return summary.cards,
                Err(Error::Store(_)) => continue,
                Err(other) => panic!("{other}"),
            }
        }
        panic!("no batch could be opened")
    };
    let mut cards = 0;
    while cards < 40 {
        let (one, two) = tokio::join!(open(), open());
        assert!(one + two > 0);
        cards += one + two;
    }
    assert_eq!(count(&db, "SELECT count(DISTINCT person_id) FROM card").await, 40);
    sound(&db).await;
}
