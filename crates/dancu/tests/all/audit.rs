//! The audit trail by commands: its heads signed and held against a database that somebody rewrote.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use store::{Database, OpenOptions};

use crate::support::{Data, ended, refused, succeeded};

struct World {
    data: Data,
    heads: PathBuf,
    key: PathBuf,
}

impl World {
    /// An installation whose heads were signed three times, with an account made between one time and the
    /// next.
    fn new(name: &str) -> World {
        let data = Data::new(name);
        let (heads, key) = (data.0.join("away/heads.jsonl"), data.0.join("away/audit.pem"));
        fs::create_dir(data.0.join("away")).unwrap();
        succeeded(&data.run(&["migrate"]));
        succeeded(&data.run(&["keys", "init"]));
        fs::write(&key, succeeded(&data.run(&["audit", "key"]))).unwrap();
        let password = data.0.join("away/password");
        fs::write(&password, "correct horse battery\n").unwrap();
        let password = ["--password-file", password.to_str().unwrap()].map(str::to_owned);
        let world = World { data, heads, key };
        for (number, login) in ["lan", "bao", "chi"].into_iter().enumerate() {
            let [option, file] = &password;
            let add = ["account", "add", login, "--role", "clerk", "--unit", "445", option, file];
            succeeded(&world.data.run(&add));
            ended(&world.sign(), 0, &format!("line {}", number + 1));
        }
        ended(&world.sign(), 0, "nothing was recorded since the last line");
        world
    }

    fn sign(&self) -> std::process::Output {
        self.data.run(&["audit", "heads", "--out", self.heads.to_str().unwrap()])
    }

    fn verify(&self, more: &[&str]) -> std::process::Output {
        let (heads, key) = (self.heads.to_str().unwrap(), self.key.to_str().unwrap());
        self.data.run(&[&["audit", "verify", "--heads", heads, "--key", key], more].concat())
    }

    async fn db(&self) -> Database {
        Database::open(&OpenOptions { data_dir: self.data.0.clone(), database_url: None }).await.unwrap()
    }
}

#[tokio::test]
async fn the_database_rewrote_the_audit_chain_and_audit_verify_says_so() {
    let world = World::new("audit-rewritten");
    ended(&world.verify(&[]), 0, "3 lines of heads");
    let db = world.db().await;
    let admin = testkit::administrator(db.cluster().unwrap().connect_options("dancu"));
    // Somebody takes the first account's making out of its chain, and the program's own code writes the
    // chain anew.
    let mut tx = admin.begin().await.unwrap();
    let (chain, rows): (i16, i64) = sqlx::query_as(
        "SELECT chain, seq FROM audit WHERE action = 'account.added' \
                                                    ORDER BY at LIMIT 1",
    )
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    let later: Vec<(time::OffsetDateTime, String, String, Value)> = sqlx::query_as(
        "SELECT at, action, subject, detail FROM audit WHERE chain = $1 AND seq > $2 ORDER BY seq",
    )
    .bind(chain)
    .bind(rows)
    .fetch_all(&mut *tx)
    .await
    .unwrap();
    for (sql, row) in [
        ("DELETE FROM audit WHERE chain = $1 AND seq >= $2", rows),
        (
            "UPDATE audit_head SET seq = $2 - 1, hash = coalesce((SELECT hash FROM audit WHERE chain = $1 \
             AND \
          seq = $2 - 1), decode(repeat('00', 32), 'hex')) WHERE chain = $1",
            rows,
        ),
    ] {
        sqlx::query(sql).bind(chain).bind(row).execute(&mut *tx).await.unwrap();
    }
    let last = rows + later.len() as i64;
    for (at, action, subject, detail) in later {
        let (actor, unit_path) = (domain::Actor::Centre, String::new());
        let entry = store::audit::Entry { at, actor, action, subject, unit_path, detail };
        store::audit::append(&mut tx, &entry).await.unwrap();
    }
    tx.commit().await.unwrap();
    ended(&world.data.run(&["audit", "verify"]), 0, "intact");
    let found = world.verify(&[]);
    assert_eq!(found.status.code(), Some(1), "{found:?}");
    let found = world.verify(&["--json"]);
    let found: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!((&found["outcome"], &found["chain"]), (&"broken".into(), &chain.into()), "{found}");
    assert!(["rewritten", "missing"].contains(&found["code"].as_str().unwrap()), "{found}");
    // Heads are signed after some rows and not after each: the first that does not fit may be a later one.
    assert!(found["row"].as_i64().unwrap() <= last, "{found}");
    // Nor is a head signed over it, by hand or by the worker.
    let before = fs::read(&world.heads).unwrap();
    assert!(refused(&world.sign()).contains("the audit trail is not the one whose heads were signed"));
    assert_eq!(fs::read(&world.heads).unwrap(), before);
    db.close().await;
}

#[tokio::test]
async fn a_file_of_heads_that_is_none_is_told_by_its_line() {
    let world = World::new("audit-files");
    let whole = fs::read_to_string(&world.heads).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    for (text, said) in [
        (String::new(), "holds no signed heads"),
        ("hello\n".to_owned(), "line 1: it is not a line of signed heads"),
        (format!("{}\n{}\n", lines[0], lines[2]), "line 2: it does not follow from the line before it"),
        (whole.replacen("\"number\":2", "\"number\":7", 1), "line 2: its signature is wrong"),
        (
            format!("{whole}{}", "x".repeat(100_000)),
            "line 4: it is longer than a line of signed heads can be",
        ),
    ] {
        fs::write(&world.heads, text).unwrap();
        ended(&world.verify(&[]), 3, said);
    }
    fs::write(&world.heads, &whole).unwrap();
    let other = Data::new("audit-other-key");
    succeeded(&other.run(&["keys", "init"]));
    fs::write(&world.key, succeeded(&other.run(&["audit", "key"]))).unwrap();
    ended(&world.verify(&[]), 3, "line 1: it is signed by a key that was not given");
    fs::write(&world.key, "no key").unwrap();
    ended(&world.verify(&[]), 3, "holds no P-256 public key");
    // Without a key it is this installation's.
    ended(
        &world.data.run(&["audit", "verify", "--heads", world.heads.to_str().unwrap()]),
        0,
        "3 lines of heads",
    );
}

#[tokio::test]
async fn the_worker_signs_and_the_trail_is_read_by_questions() {
    let world = World::new("audit-list");
    succeeded(&world.data.run(&["work", "--once"]));
    let own = world.data.0.join("audit-heads.jsonl");
    assert_eq!(fs::read_to_string(&own).unwrap().lines().count(), 1);
    let list = |args: &[&str]| -> Value {
        let all = [&["audit", "list", "--json"], args].concat();
        serde_json::from_str(&succeeded(&world.data.run(&all))).unwrap()
    };
    let made = list(&["--action", "account"]);
    let made = made["rows"].as_array().unwrap();
    assert_eq!(made.len(), 3, "{made:?}");
    assert!(made.iter().all(|row| row["action"] == "account.added"), "{made:?}");
    let subject = made[0]["subject"].as_str().unwrap();
    assert_eq!(list(&["--subject", subject])["rows"].as_array().unwrap().len(), 1);
    assert_eq!(list(&["--actor", "lan"])["rows"].as_array().unwrap().len(), 0);
    assert_eq!(list(&["--to", "2020-01-01"])["rows"].as_array().unwrap().len(), 0);
    assert_eq!(list(&["--limit", "1"])["rows"].as_array().unwrap().len(), 1);
    // That the trail was read is in the trail, under the name of whoever read it.
    list(&["--subject", subject, "--operator", "bao"]);
    let read = list(&["--actor", "bao"]);
    assert_eq!(read["rows"][0]["action"], "audit.listed");
    assert_eq!(read["rows"][0]["detail"]["question"]["subject"], subject);
    ended(
        &world.data.run(&["audit", "list", "--actor", "nobody-here"]),
        3,
        "there is no account `nobody-here`",
    );
    let found = succeeded(&world.data.run(&["audit", "anomalies", "--json"]));
    let found: Value = serde_json::from_str(&found).unwrap();
    // Whoever runs the tests at night reads outside the hours, and that is told.
    let by_day = |found: &&Value| found["anomaly"] != "outside_hours";
    assert_eq!(found["anomalies"].as_array().unwrap().iter().find(by_day), None);
    ended(&world.data.run(&["audit", "anomalies", "--day", "9999-12-31"]), 3, "is no day of an audit trail");
}
