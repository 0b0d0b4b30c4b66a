//! The schema as an engine that spreads tables over several servers would take it, found out on plain
//! PostgreSQL: `docs/decisions/0019-fit-for-distribution.md`. What it would refuse is exactly what is listed
//! here, with the reason.

use std::collections::{BTreeMap, BTreeSet};

use testkit::fresh_database;

/// Tables that every server has whole: few rows, written seldom, joined by everybody.
const WHOLE: &[&str] = &[
    "unit",
    "unit_change",
    "unit_map",
    "unit_successor",
    "target",
    "area",
    "campaign",
    "kit",
    "officer_credential",
    "officer_fingers",
    "slot",
    "certificate",
    "crl",
    "import_file",
    "batch",
    "consignment",
    "scope_key",
];

/// Tables that stay on one server: queues, chains' heads, sign-in, stock and the program's own notes.
const ONE_SERVER: &[&str] = &[
    "account",
    "audit_head",
    "blank",
    "blank_box",
    "change_cursor",
    "change_log",
    "job",
    "meta",
    "session",
    "sim_progress",
    "stock_count",
];

/// Tables whose rows are spread by a column. Equal values of one group lie together, whatever the table.
const SPREAD: &[(&str, &str, &[&str])] = &[
    (
        "person",
        "person_id",
        &["person", "person_event", "person_fact", "invitation", "quality_finding", "unit_ask"],
    ),
    ("event", "event_id", &["civil_event"]),
    ("paper", "document_id", &["legal_document", "document_scan"]),
    ("campaign", "campaign_unit", &["denominator_entry"]),
    ("number", "pin", &["pin"]),
    (
        "application",
        "application_id",
        &[
            "application",
            "application_action",
            "application_record",
            "batch_item",
            "card",
            "card_action",
            "consignment_item",
            "handover",
            "issue_blocked",
            "packet",
            "resolution",
        ],
    ),
    ("case", "case_id", &["case_file", "case_action"]),
    ("correction", "case_id", &["correction_case", "correction_item", "correction_action"]),
    ("kit", "kit_id", &["intake_refusal", "kit_day", "kit_report", "kit_shift"]),
    ("import", "import_id", &["import_reject"]),
    ("form", "form_no", &["import_repeat"]),
    ("chain", "chain", &["audit"]),
    ("recording", "recording_id", &["recording"]),
    ("account", "account_id", &["shown", "shown_day"]),
    ("unit", "unit_path", &["quality_day"]),
];

/// What would be refused today, and why it may stay until the day that the tables are spread.
const KNOWN: &[(&str, &str)] = &[
    (
        "unique without application_id: application_by_receipt",
        "a receipt code is found before its application is known",
    ),
    ("unique without application_id: batch_item_pkey", "a batch is read in the order of its positions"),
    (
        "unique without application_id: card_number_key",
        "a blank's number stands for one card in the whole country",
    ),
    ("unique without application_id: card_one_active", "one active card a person, whoever writes"),
    (
        "unique without application_id: card_one_in_production",
        "one card in the making a person, whoever writes",
    ),
    ("unique without application_id: card_pkey", "cards are asked for by their own id"),
    (
        "unique without document_id: legal_document_is_one",
        "the id follows from these columns; the constraint says so to whoever writes",
    ),
    ("unique without application_id: packet_counter", "a kit's counter stands for one packet"),
    ("unique without application_id: packet_pkey", "packets are asked for by their own id"),
    ("unique without person_id: invitation_slot_id_seat_key", "a seat is given once, whoever writes"),
    ("foreign key from one server to application: blank_card_id_fkey", "a blank becomes a card that exists"),
];

/// Each query gives the faults of one kind. `place` has a row for every table: its group, and the column that
/// its rows are spread by, if they are.
const FAULTS: &[&str] = &[
    // A constraint is kept by the server that has the row, so it must hold among the rows of one key.
    "SELECT 'unique without ' || key || ': ' || i.indexrelid::regclass FROM place \
     JOIN pg_index i ON i.indrelid = name::regclass \
     WHERE key IS NOT NULL AND (i.indisunique OR i.indisexclusion) AND NOT EXISTS ( \
         SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attname = key \
         AND a.attnum = ANY (i.indkey::int2[]))",
    "SELECT 'trigger: ' || name || '.' || t.tgname FROM place \
     JOIN pg_trigger t ON t.tgrelid = name::regclass \
     WHERE NOT t.tgisinternal",
    "SELECT 'rule: ' || name || '.' || r.rulename FROM place \
     JOIN pg_rewrite r ON r.ev_class = name::regclass",
    "SELECT 'policy with a sub-query: ' || name || '.' || p.polname FROM place \
     JOIN pg_policy p ON p.polrelid = name::regclass \
     WHERE concat(p.polqual::text, p.polwithcheck::text) LIKE '%SUBLINK%'",
    // To a whole table from anywhere; else inside a group, on its key.
    "SELECT 'foreign key from ' || child.grp || ' to ' || parent.grp || ': ' || c.conname \
     FROM pg_constraint c \
     JOIN place child ON child.name::regclass = c.conrelid JOIN place parent ON parent.name::regclass = \
     c.confrelid WHERE c.contype = 'f' AND parent.grp <> 'whole' AND NOT (child.grp = parent.grp \
     AND (child.key IS NULL OR EXISTS ( \
         SELECT FROM pg_attribute a WHERE a.attrelid = c.conrelid AND a.attname = child.key \
         AND a.attnum = ANY (c.conkey))))",
    "SELECT 'identity or generated column: ' || name || '.' || a.attname FROM place \
     JOIN pg_attribute a ON a.attrelid = name::regclass WHERE a.attidentity <> '' OR a.attgenerated <> ''",
    // The value would be each server's own.
    "SELECT 'sequence: ' || name || '.' || a.attname FROM place \
     JOIN pg_attrdef d ON d.adrelid = name::regclass \
     JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum \
     WHERE pg_get_expr(d.adbin, d.adrelid) LIKE '%nextval%'",
];

/// Table to its group and, for those that are spread, the key.
fn places() -> BTreeMap<&'static str, (&'static str, Option<&'static str>)> {
    let whole = WHOLE.iter().map(|table| (*table, ("whole", None)));
    let one = ONE_SERVER.iter().map(|table| (*table, ("one server", None)));
    let spread =
        SPREAD.iter().flat_map(|(group, key, tables)| tables.iter().map(|t| (*t, (*group, Some(*key)))));
    let mut places = BTreeMap::new();
    for (table, place) in whole.chain(one).chain(spread) {
        assert_eq!(places.insert(table, place), None, "{table} has two places");
    }
    places
}

async fn faults(db: &testkit::FreshDatabase) -> BTreeSet<String> {
    let places = places();
    let mut found = BTreeSet::new();
    for fault in FAULTS {
        let sql = format!(
            "WITH place AS (SELECT * \
             FROM unnest($1::text[], $2::text[], $3::text[]) AS p (name, grp, key)) {fault}"
        );
        let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(places.keys().copied().collect::<Vec<_>>())
            .bind(places.values().map(|(group, _)| *group).collect::<Vec<_>>())
            .bind(places.values().map(|(_, key)| *key).collect::<Vec<_>>())
            .fetch_all(db.admin())
            .await
            .unwrap();
        found.extend(rows);
    }
    found
}

#[tokio::test]
async fn every_table_has_a_place_and_every_key_its_column() {
    let db = fresh_database().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace \
         AND relkind IN ('r', 'p') \
         AND relname <> '_sqlx_migrations'",
    )
    .fetch_all(db.admin())
    .await
    .unwrap();
    let places = places();
    let unplaced: Vec<_> = tables.iter().filter(|table| !places.contains_key(table.as_str())).collect();
    let gone: Vec<_> = places.keys().filter(|table| !tables.iter().any(|t| t == *table)).collect();
    assert!(
        unplaced.is_empty(),
        "say in WHOLE, ONE_SERVER or SPREAD where these tables are to be: {unplaced:?}"
    );
    assert!(gone.is_empty(), "these tables have a place and do not exist: {gone:?}");
    for (table, (_, key)) in places {
        let Some(key) = key else { continue };
        let is_required: Option<bool> = sqlx::query_scalar(
            "SELECT attnotnull FROM pg_attribute WHERE attrelid = $1::regclass AND attname = $2 \
             AND NOT attisdropped",
        )
        .bind(table)
        .bind(key)
        .fetch_optional(db.admin())
        .await
        .unwrap();
        assert_eq!(is_required, Some(true), "{table}.{key} must be there in every row");
    }
}

#[tokio::test]
async fn what_would_be_refused_is_known() {
    let db = fresh_database().await;
    let known: BTreeSet<String> = KNOWN.iter().map(|(fault, _)| (*fault).to_owned()).collect();
    assert_eq!(known.len(), KNOWN.len(), "a fault is listed twice");
    let found = faults(&db).await;
    let new: Vec<_> = found.difference(&known).collect();
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(new.is_empty(), "a distributed database would refuse these: {new:#?}");
    assert!(gone.is_empty(), "these are listed as refused and are not any more: {gone:#?}");
}

/// The check sees what it is to see.
#[tokio::test]
async fn each_kind_of_fault_is_found() {
    let db = fresh_database().await;
    let before = faults(&db).await;
    for (made, fault) in [
        ("CREATE UNIQUE INDEX u ON application_action (actor)", "unique without application_id: u"),
        (
            "ALTER TABLE handover ADD CONSTRAINT e EXCLUDE USING btree (at WITH =)",
            "unique without application_id: e",
        ),
        (
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; \
             CREATE TRIGGER t BEFORE INSERT ON crl FOR EACH ROW EXECUTE FUNCTION f()",
            "trigger: crl.t",
        ),
        ("CREATE RULE r AS ON DELETE TO audit DO INSTEAD NOTHING", "rule: audit.r"),
        (
            "CREATE POLICY p ON pin USING (EXISTS (SELECT FROM person WHERE person.pin = pin.pin))",
            "policy with a sub-query: pin.p",
        ),
        (
            "ALTER TABLE pin ADD CONSTRAINT k FOREIGN KEY (person_id) REFERENCES person",
            "foreign key from number to person: k",
        ),
        (
            "ALTER TABLE person ADD UNIQUE (person_id, same_as), ADD CONSTRAINT m FOREIGN KEY (same_as) \
             REFERENCES person",
            "foreign key from person to person: m",
        ),
        (
            "ALTER TABLE unit ADD COLUMN i integer GENERATED ALWAYS AS IDENTITY",
            "identity or generated column: unit.i",
        ),
        ("ALTER TABLE kit_report ADD COLUMN s serial", "sequence: kit_report.s"),
    ] {
        sqlx::raw_sql(made).execute(db.admin()).await.unwrap();
        assert!(!before.contains(fault), "{fault}");
        assert!(faults(&db).await.contains(fault), "not found after {made}");
    }
}
