//! Bulk load: what goes in comes out, and a bad row loads nothing.

use sqlx::Row;
use time::macros::{date, datetime};
use uuid::Uuid;

use store::{CopyIn, CopyRow, Error};
use testkit::fresh_database;

const COPY: &str =
    "COPY every_type (id, t, b, flag, i2, i4, i8, f4, f8, d, ts, j, jb, ta) FROM STDIN (FORMAT binary)";

async fn every_type(db: &testkit::FreshDatabase) {
    sqlx::raw_sql(
        "CREATE TABLE every_type (id uuid PRIMARY KEY, t text, b bytea, flag boolean, i2 smallint, i4 integer,
             i8 bigint, f4 real, f8 double precision, d date, ts timestamptz, j json, jb jsonb, ta text[]);
         GRANT ALL ON every_type TO dancu_work",
    )
    .execute(db.admin())
    .await
    .unwrap();
}

fn nulls(r: &mut CopyRow) -> &mut CopyRow {
    (0..13).fold(r, |r, _| r.null())
}

#[tokio::test]
async fn every_type_comes_back_as_it_went_in() {
    let db = fresh_database().await;
    every_type(&db).await;
    let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let before_epoch = date!(1931 - 02 - 28);
    let instant = datetime!(1999-12-31 23:59:59.999_999_700 +7);
    let mut tx = db.begin().await.unwrap();
    let mut copy = CopyIn::begin(&mut tx, COPY).await.unwrap();
    copy.row(|r| {
        r.uuid(one)
            .text("Nguyễn Thị \t\n\\N")
            .bytea(&[0, 255])
            .bool(true)
            .i16(-2)
            .i32(i32::MIN)
            .i64(i64::MAX);
        r.f32(1.5).f64(-0.25).date(before_epoch).timestamptz(instant);
        r.json(r#"{"b":1, "a":2}"#).jsonb(r#"{"b":1, "a":2}"#).text_array(&["x", "ơ ư"])
    })
    .await
    .unwrap();
    copy.row(|r| nulls(r.uuid(two))).await.unwrap();
    let none: Option<i16> = None;
    copy.row(|r| {
        let r =
            r.uuid(Uuid::from_u128(3)).opt(Some("y"), CopyRow::text).null().null().opt(none, CopyRow::i16);
        (0..8).fold(r, |r, _| r.null()).text_array::<&str>(&[])
    })
    .await
    .unwrap();
    assert_eq!(copy.finish().await.unwrap(), 3);
    tx.commit().await.unwrap();

    let rows = sqlx::query(
        "SELECT t, b, flag, i2, i4, i8, f4, f8, d, ts, j::text AS j, jb::text AS jb, ta FROM every_type \
         ORDER BY id",
    )
    .fetch_all(db.admin())
    .await
    .unwrap();
    let row = &rows[0];
    assert_eq!(row.get::<&str, _>("t"), "Nguyễn Thị \t\n\\N");
    assert_eq!(row.get::<&[u8], _>("b"), [0, 255]);
    assert!(row.get::<bool, _>("flag"));
    assert_eq!(row.get::<i16, _>("i2"), -2);
    assert_eq!(row.get::<i32, _>("i4"), i32::MIN);
    assert_eq!(row.get::<i64, _>("i8"), i64::MAX);
    assert_eq!((row.get::<f32, _>("f4"), row.get::<f64, _>("f8")), (1.5, -0.25));
    assert_eq!(row.get::<time::Date, _>("d"), before_epoch);
    assert_eq!(row.get::<time::OffsetDateTime, _>("ts"), datetime!(1999-12-31 23:59:59.999_999 +7));
    assert_eq!(row.get::<&str, _>("j"), r#"{"b":1, "a":2}"#);
    assert_eq!(row.get::<&str, _>("jb"), r#"{"a": 2, "b": 1}"#);
    assert_eq!(row.get::<Vec<String>, _>("ta"), ["x", "ơ ư"]);
    assert_eq!(rows[1].get::<Option<i64>, _>("i8"), None);
    assert_eq!(rows[2].get::<&str, _>("t"), "y");
    assert_eq!(rows[2].get::<Option<i16>, _>("i2"), None);
    assert!(rows[2].get::<Vec<String>, _>("ta").is_empty());
}

#[tokio::test]
async fn more_than_one_chunk_arrives_whole() {
    let db = fresh_database().await;
    every_type(&db).await;
    let mut tx = db.begin().await.unwrap();
    let mut copy =
        CopyIn::begin(&mut tx, "COPY every_type (id, t) FROM STDIN (FORMAT binary)").await.unwrap();
    let text = "x".repeat(100);
    for n in 0..20_000u128 {
        copy.row(|r| r.uuid(Uuid::from_u128(n)).text(&text)).await.unwrap();
    }
    assert_eq!(copy.finish().await.unwrap(), 20_000);
    let sum: i64 =
        sqlx::query_scalar("SELECT sum(length(t)) FROM every_type").fetch_one(&mut *tx).await.unwrap();
    assert_eq!(sum, 2_000_000);
}

#[tokio::test]
async fn a_row_of_another_width_and_a_load_that_is_dropped_change_nothing() {
    let db = fresh_database().await;
    every_type(&db).await;
    let mut tx = db.begin().await.unwrap();
    let mut copy =
        CopyIn::begin(&mut tx, "COPY every_type (id, t) FROM STDIN (FORMAT binary)").await.unwrap();
    copy.row(|r| r.uuid(Uuid::from_u128(1)).text("a")).await.unwrap();
    let error = copy.row(|r| r.uuid(Uuid::from_u128(2))).await.unwrap_err();
    assert!(matches!(error, Error::CopyFields { row: 2, expected: 2, found: 1 }), "{error}");
    drop(copy);
    drop(tx);
    // The connection is fit for use again.
    for _ in 0..10 {
        let n: i64 =
            sqlx::query_scalar("SELECT count(*) FROM every_type").fetch_one(db.admin()).await.unwrap();
        assert_eq!(n, 0);
    }
}

#[tokio::test]
async fn a_violated_constraint_is_reported_and_text_format_refused() {
    let db = fresh_database().await;
    every_type(&db).await;
    let mut tx = db.begin().await.unwrap();
    let mut copy = CopyIn::begin(&mut tx, "COPY every_type (id) FROM STDIN (FORMAT binary)").await.unwrap();
    copy.row(|r| r.uuid(Uuid::nil())).await.unwrap();
    copy.row(|r| r.uuid(Uuid::nil())).await.unwrap();
    let error = copy.finish().await.unwrap_err();
    assert!(error.violates("every_type_pkey"), "{error}");
    tx.rollback().await.unwrap();

    let mut tx = db.begin().await.unwrap();
    assert!(CopyIn::begin(&mut tx, "COPY every_type (id) FROM STDIN").await.is_err());
}
