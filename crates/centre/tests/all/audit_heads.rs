//! The audit trail against whoever owns the database: what was signed outside of it is held against it.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use sqlx::AssertSqlSafe;
use tempfile::TempDir;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use centre::audit_heads::{self, AuditKey, Fault, SignedHeads, Written};
use centre::{Error, Place, make_keys};
use domain::Actor;
use store::audit::{self, Break, Entry, Verdict};
use store::recordings;
use testkit::{FreshDatabase, fresh_database};

const NOW: OffsetDateTime = datetime!(2026-01-15 01:00 UTC);

struct World {
    db: FreshDatabase,
    folder: TempDir,
    key: Arc<AuditKey>,
}

impl World {
    async fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let place = Place { data: folder.path().to_owned(), database_url: None };
        make_keys(&centre::key_folder(&place)).unwrap();
        let key = Arc::new(AuditKey::open(&place).await.unwrap());
        World { db: fresh_database().await, folder, key }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("heads.jsonl")
    }

    async fn sign(&self, minutes: i64) -> Result<Written, Error> {
        audit_heads::write(&self.db, &self.key, &self.path(), NOW + Duration::minutes(minutes)).await
    }

    fn lines(&self) -> Result<Vec<SignedHeads>, (usize, Fault)> {
        let file = std::fs::read(self.path()).unwrap();
        audit_heads::read(&file[..], std::slice::from_ref(&self.key.public))
    }

    /// Rows of one subject, so that they are in one chain; two a minute.
    async fn act(&self, numbers: std::ops::Range<i64>, by: Actor) {
        let mut tx = self.db.begin().await.unwrap();
        let entry = |n: i64| Entry {
            at: NOW + Duration::seconds(30 * n),
            actor: by.clone(),
            action: "card.revoked".to_owned(),
            subject: "card:1".to_owned(),
            unit_path: String::new(),
            detail: json!({ "n": n }),
        };
        audit::append_all(&mut tx, &numbers.map(entry).collect::<Vec<_>>()).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn run(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(self.db.admin()).await.unwrap();
    }

    async fn chain(&self) -> i16 {
        let chain = "SELECT chain FROM audit WHERE subject = 'card:1' LIMIT 1";
        sqlx::query_scalar(chain).fetch_one(self.db.admin()).await.unwrap()
    }

    /// Thirty rows with heads signed after ten, twenty and thirty of them.
    async fn thirty() -> World {
        let world = World::new().await;
        for ten in 0..3 {
            world.act(10 * ten..10 * ten + 10, "command:an".parse().unwrap()).await;
            assert_eq!(world.sign(10 * ten).await.unwrap(), Written::Line(ten as u64 + 1));
        }
        world
    }
}

/// Who knows the program empties the chain of `card:1` down to its first rows, head and all, and has the
/// program itself write the rest anew.
async fn rewrite_from(world: &World, kept: i64) {
    let chain = world.chain().await;
    world
        .run(&format!(
            "DELETE FROM audit WHERE chain = {chain} AND seq > {kept}; \
             UPDATE audit_head SET seq = {kept}, \
             hash = coalesce((SELECT hash FROM audit WHERE chain = {chain} \
             AND seq = {kept}), decode(repeat('00', 32), 'hex')) WHERE chain = {chain}"
        ))
        .await;
}

#[tokio::test]
async fn the_database_rewrote_the_audit_chain_and_the_heads_tell_from_where() {
    for (kept, first, around) in
        [(0, 1, (None, Some(1))), (14, 11, (Some(1), Some(2))), (29, 21, (Some(2), Some(3)))]
    {
        let world = World::thirty().await;
        let chain = world.chain().await;
        rewrite_from(&world, kept).await;
        world.act(kept..30, Actor::Printer).await;
        // The trail itself is whole: this is what the heads are for.
        let alone = audit::verify_snapshot(&world.db).await.unwrap();
        assert!(matches!(alone, Verdict::Intact { .. }), "{alone:?}");
        let lines = world.lines().unwrap();
        let found = audit_heads::verify(&world.db, &lines).await.unwrap();
        assert_eq!(found.trail, Verdict::Broken { chain, seq: first, how: Break::Rewritten }, "kept {kept}");
        let (before, after) = audit_heads::around(&lines, chain, first);
        assert_eq!((before.map(|line| line.number), after.map(|line| line.number)), around);
        // And nothing is signed over it: the worker says so at its next time.
        world.act(30..31, Actor::Centre).await;
        let error = world.sign(40).await.unwrap_err();
        assert!(matches!(error, Error::TrailRewritten { .. }), "{error}");
        assert_eq!(world.lines().unwrap(), lines);
    }
}

#[tokio::test]
async fn the_database_cut_off_the_end_of_a_chain() {
    let world = World::thirty().await;
    let chain = world.chain().await;
    rewrite_from(&world, 25).await;
    assert!(matches!(audit::verify_snapshot(&world.db).await.unwrap(), Verdict::Intact { .. }));
    let found = audit_heads::verify(&world.db, &world.lines().unwrap()).await.unwrap();
    assert_eq!(found.trail, Verdict::Broken { chain, seq: 26, how: Break::Missing });
    // The whole of it, with the table of heads.
    world.run("DELETE FROM audit; DELETE FROM audit_head").await;
    world
        .run(
            "INSERT INTO audit_head (chain, seq, hash) SELECT chain, 0, decode(repeat('00', 32), 'hex') \
             FROM generate_series(0, 15) AS chain",
        )
        .await;
    assert_eq!(audit::verify_snapshot(&world.db).await.unwrap(), Verdict::Intact { rows: 0 });
    let found = audit_heads::verify(&world.db, &world.lines().unwrap()).await.unwrap();
    assert!(matches!(found.trail, Verdict::Broken { seq: 1, how: Break::Missing, .. }), "{found:?}");
}

#[tokio::test]
async fn the_database_rewrote_actions_with_their_recordings_and_seals() {
    let world = World::new().await;
    world
        .run(
            "INSERT INTO application_action (application_id, seq, action, at, recorded_at, actor) \
             VALUES (gen_random_uuid(), 1, 'capture', now(), now(), 'kit:1'), \
                    (gen_random_uuid(), 1, 'capture', now(), now(), 'kit:2')",
        )
        .await;
    world.sign(0).await.unwrap();
    let lines = world.lines().unwrap();
    let found = audit_heads::verify(&world.db, &lines).await.unwrap();
    let intact = recordings::Verdict::Intact { actions: 2, unsealed: 0 };
    assert_eq!(found.actions, Some(intact.clone()));
    // All that the database has of one application goes, and what covers it: the program makes it anew.
    world
        .run(
            "DELETE FROM application_action WHERE actor = 'kit:2'; DELETE FROM recording; \
             DELETE FROM audit WHERE subject = 'actions'; \
             UPDATE audit_head SET seq = 0, hash = decode(repeat('00', 32), 'hex') WHERE seq > 0",
        )
        .await;
    recordings::seal(&world.db, NOW).await.unwrap();
    let alone = audit_heads::verify(&world.db, &[]).await.unwrap();
    assert!(alone.is_intact(), "without heads nothing tells: {alone:?}");
    let found = audit_heads::verify(&world.db, &lines).await.unwrap();
    assert!(matches!(found.trail, Verdict::Broken { seq: 1, how: Break::Rewritten, .. }), "{found:?}");
}

#[tokio::test]
async fn heads_are_signed_when_they_moved_and_a_torn_line_is_written_again() {
    let world = World::new().await;
    // The first seal is itself a row: of the actions of before, which are none.
    assert_eq!(world.sign(0).await.unwrap(), Written::Line(1));
    assert_eq!(world.sign(1).await.unwrap(), Written::Unmoved);
    world.act(0..3, Actor::Centre).await;
    assert_eq!(world.sign(2).await.unwrap(), Written::Line(2));
    let whole = std::fs::read(world.path()).unwrap();
    // A process died in the midst of the third line.
    std::fs::write(world.path(), [&whole[..], &whole[..whole.len() / 3]].concat()).unwrap();
    world.act(3..4, Actor::Centre).await;
    assert_eq!(world.sign(3).await.unwrap(), Written::Line(3));
    let lines = world.lines().unwrap();
    assert_eq!(lines.iter().map(|line| line.number).collect::<Vec<_>>(), [1, 2, 3]);
    let found = audit_heads::verify(&world.db, &lines).await.unwrap();
    assert!(found.is_intact(), "{found:?}");
    // To what is not a file of heads nothing is added.
    for bad in [&b"hello\n"[..], b"\n", b"{}\n", &[0xff; 100_000]] {
        std::fs::write(world.path(), bad).unwrap();
        let error = world.sign(4).await.unwrap_err();
        assert!(matches!(error, Error::HeadsFile { .. }), "{error}");
        assert_eq!(std::fs::read(world.path()).unwrap(), bad);
    }
    // Nor to one whose last line was altered.
    let last = String::from_utf8(whole).unwrap().replacen("\"at\":\"2026", "\"at\":\"2025", 2);
    std::fs::write(world.path(), last).unwrap();
    let error = world.sign(4).await.unwrap_err();
    assert!(matches!(error, Error::HeadsFile { fault: Fault::Signature, .. }), "{error}");
}

#[tokio::test]
async fn the_key_is_made_by_its_command_and_whoever_lost_it_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place { data: folder.path().to_owned(), database_url: None };
    let keys = centre::key_folder(&place);
    make_keys(&keys).unwrap();
    let before = std::fs::read(keys.join("receipt.key")).unwrap();
    std::fs::remove_file(keys.join("audit.key")).unwrap();
    let Err(error) = AuditKey::open(&place).await else { panic!("there is no such key") };
    assert!(error.to_string().contains("`dancu keys init` makes it"), "{error}");
    assert_eq!(centre::key_set(&keys).unwrap(), centre::KeySet::WithoutAudit);
    assert_eq!(make_keys(&keys).unwrap(), [keys.join("audit.key")], "the others stay as they are");
    assert_eq!(std::fs::read(keys.join("receipt.key")).unwrap(), before);
    AuditKey::open(&place).await.unwrap();
}
