//! `COLUMNS.md` gives every column of the schema exactly one class, and every secret table stays out of
//! scoped reads.

use std::collections::BTreeMap;

use sqlx::Row;

use testkit::fresh_database;

/// Column ("table.column") to class, as the file says.
fn documented() -> BTreeMap<String, &'static str> {
    let mut columns = BTreeMap::new();
    for line in
        include_str!("../../COLUMNS.md").lines().filter(|l| l.starts_with("| ") && !l.starts_with("| table "))
    {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 4, "{line}");
        for (class, names) in ["public", "private", "secret"].into_iter().zip(&cells[1..]) {
            for name in names.split(',').map(str::trim).filter(|n| !n.is_empty()) {
                let twice = columns.insert(format!("{}.{name}", cells[0]), class);
                assert_eq!(twice, None, "{}.{name} has two classes", cells[0]);
            }
        }
    }
    columns
}

#[tokio::test]
async fn every_column_has_its_class_and_every_class_its_column() {
    let db = fresh_database().await;
    let rows = sqlx::query(
        "SELECT table_name || '.' || column_name AS name FROM information_schema.columns
         WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations'",
    )
    .fetch_all(db.admin())
    .await
    .unwrap();
    let documented = documented();
    let schema: Vec<String> = rows.iter().map(|r| r.get("name")).collect();
    let missing: Vec<_> = schema.iter().filter(|name| !documented.contains_key(*name)).collect();
    let gone: Vec<_> = documented.keys().filter(|name| !schema.contains(name)).collect();
    assert!(missing.is_empty(), "in the schema and not in COLUMNS.md: {missing:?}");
    assert!(gone.is_empty(), "in COLUMNS.md and not in the schema: {gone:?}");
}

/// Rows about one person or application are either not granted to scoped readers, or behind row-level
/// security.
#[tokio::test]
async fn what_scoped_readers_may_read_is_behind_row_level_security() {
    let db = fresh_database().await;
    let open: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
           AND NOT relrowsecurity AND has_table_privilege('dancu_scoped', oid, 'SELECT')",
    )
    .fetch_all(db.admin())
    .await
    .unwrap();
    let documented = documented();
    for table in open {
        let prefix = format!("{table}.");
        let closed: Vec<_> = documented
            .iter()
            .filter(|(name, class)| name.starts_with(&prefix) && **class != "public")
            .collect();
        assert!(
            closed.is_empty(),
            "{table} is granted to dancu_scoped without row-level security: {closed:?}"
        );
    }
}

/// Whoever reads one unit's rows reads of packets who sent them and why they wait, and of the trail what it
/// says: nothing that is sealed, signed or chained.
#[tokio::test]
async fn scoped_readers_of_packets_and_trail_read_no_sealed_byte_and_no_hash() {
    let db = fresh_database().await;
    let readable: Vec<String> = sqlx::query_scalar(
        "SELECT attrelid::regclass || '.' || attname FROM pg_attribute \
         WHERE attrelid IN ('packet'::regclass, 'audit'::regclass) AND attnum > 0 AND NOT attisdropped \
           AND has_column_privilege('dancu_scoped', attrelid, attnum, 'SELECT')",
    )
    .fetch_all(db.admin())
    .await
    .unwrap();
    assert!(readable.contains(&"packet.quarantined".to_owned()), "{readable:?}");
    let documented = documented();
    for column in readable {
        assert_ne!(documented[&column], "secret", "{column}");
        assert!(!["sha256", "hash"].iter().any(|end| column.ends_with(end)), "{column}");
    }
}
