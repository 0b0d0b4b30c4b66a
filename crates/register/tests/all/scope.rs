//! Another unit's person, paper and scan do not exist: not for an event, and not for SQL as the scoped login.

use crate::world::{
    ELSEWHERE, HOME, NOW, at, campaign, codes, corrected, died, everything, home, pin, send, world,
};
use register::NewEvent;
use sqlx::{Connection, PgConnection};
use store::UnitScope;

#[tokio::test]
async fn another_units_person_is_as_one_that_does_not_exist() {
    let db = world().await;
    let before = everything(&db).await;
    let nobody = codes(at(&db, 0, &died("a", 99, "1/2021")).await);
    assert_eq!(nobody, [("person", "no_person")]);
    assert_eq!(codes(at(&db, 0, &died("a", 2, "1/2021")).await), nobody);
    let by_number = NewEvent { person: pin(2).as_str().to_owned(), ..died("a", 2, "1/2021") };
    assert_eq!(codes(at(&db, 0, &by_number).await), nobody);
    // What else is wrong is said of both alike.
    let wrong = |who| corrected("a", who, &[("name", ""), ("ethnicity", "99")]);
    assert_eq!(codes(at(&db, 0, &wrong(2)).await), codes(at(&db, 0, &wrong(99)).await));
    assert_eq!(everything(&db).await, before);
    let there = UnitScope::parse(ELSEWHERE).unwrap();
    send(&db, &there, NOW, &died("a", 2, "1/2021"), None).await.unwrap();
}

#[tokio::test]
async fn the_scoped_login_reads_papers_scans_and_counts_of_its_unit_alone() {
    let db = world().await;
    campaign(&db).await;
    let there = UnitScope::parse(ELSEWHERE).unwrap();
    let scan = Some(&b"%PDF-1.7"[..]);
    send(&db, &home(), NOW, &died("a", 1, "1/2021"), scan).await.unwrap();
    send(&db, &there, NOW, &died("b", 2, "2/2021"), scan).await.unwrap();
    let seen = async |scope: &UnitScope, table: &str| {
        let mut tx = db.scoped(scope).await.unwrap();
        let sql = format!("SELECT unit_path FROM {table}");
        sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(sql)).fetch_all(&mut *tx).await.unwrap()
    };
    for table in ["legal_document", "document_scan"] {
        assert_eq!(seen(&home(), table).await, [HOME], "{table}");
        assert_eq!(seen(&there, table).await, [ELSEWHERE], "{table}");
        assert_eq!(seen(&UnitScope::parse("52/541").unwrap(), table).await, [""; 0], "{table}");
    }
    assert_eq!(seen(&home(), "denominator_entry").await, [HOME]);
    assert_eq!(seen(&there, "denominator_entry").await, [""; 0]);
    // Nothing of them is written by it.
    for attack in [
        "INSERT INTO legal_document SELECT * FROM legal_document",
        "UPDATE legal_document SET number = '1'",
        "DELETE FROM document_scan",
        "UPDATE document_scan SET content = '1'",
        "INSERT INTO denominator_entry SELECT * FROM denominator_entry",
    ] {
        // On a connection of its own, which no transaction of the program holds to reading.
        let mut conn = PgConnection::connect_with(&db.logins().scoped.unwrap()).await.unwrap();
        let refused = sqlx::query(attack).execute(&mut conn).await.unwrap_err();
        assert_eq!(store::Error::from(refused).sqlstate(), Some("42501"), "{attack}");
    }
}

#[tokio::test]
async fn no_login_of_the_program_rewrites_a_paper_a_scan_or_a_count() {
    let db = world().await;
    at(&db, 0, &died("a", 1, "1/2021")).await.unwrap();
    for db in [&*db, &db.for_pages()] {
        for attack in [
            "UPDATE legal_document SET number = '2'",
            "DELETE FROM legal_document",
            "UPDATE document_scan SET content = '1'",
            "DELETE FROM document_scan",
            "UPDATE denominator_entry SET delta = 1",
            "DELETE FROM denominator_entry",
        ] {
            let mut tx = db.begin().await.unwrap();
            let refused = sqlx::query(attack).execute(&mut *tx).await.unwrap_err();
            assert_eq!(store::Error::from(refused).sqlstate(), Some("42501"), "{attack}");
        }
    }
}
