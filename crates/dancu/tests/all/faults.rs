//! What goes wrong around the program: its database dies, the disk is full, a port is taken, the data is
//! another version's. Each time it says what happened and what to do, and afterwards goes on as if nothing
//! had been.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{CALM_PEOPLE, CALM_SEED, Data, calm, demo, outcome, refused, succeeded};

#[test]
fn a_campaign_whose_database_dies_or_whose_disk_fills_up_ends_like_one_that_was_left_alone() {
    let (expected, took) = calm();
    let data = Data::new("faults-killed");
    let run =
        demo(&data, CALM_PEOPLE, CALM_SEED).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // In the midst of the days: by the clock of a run that others held up, this one might be over.
    let begun = Instant::now();
    while !data.0.join("kits").is_dir() && begun.elapsed() < 4 * *took {
        std::thread::sleep(took.mul_f64(0.01));
    }
    std::thread::sleep(took.mul_f64(0.05));
    let server = data.server_pid().expect("the server runs by now");
    assert!(Command::new("kill").args(["-KILL", &server]).status().unwrap().success());
    let said = refused(&in_time(run));
    assert!(said.contains("database server") && said.contains("run the same command again"), "{said}");
    assert!(!data.summary().exists(), "there is no summary of a campaign that did not end");
    succeeded(&demo(&data, CALM_PEOPLE, CALM_SEED).output().unwrap());
    assert_eq!(&outcome(&data.summary()), expected);

    let Some(disk) = SmallDisk::mount("90m") else {
        eprintln!("skipped: a full disk needs the right to mount a small file system in memory");
        return;
    };
    let data = Data::at(disk.0.join("data"));
    let run =
        demo(&data, CALM_PEOPLE, CALM_SEED).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let said = refused(&in_time(run));
    assert!(said.contains("full") && said.contains("free some space"), "{said}");
    assert!(!data.summary().exists());
    disk.grow();
    succeeded(&demo(&data, CALM_PEOPLE, CALM_SEED).output().unwrap());
    assert_eq!(&outcome(&data.summary()), expected);
}

/// Waits for the end of a run that lost what it stands on: it must come by itself, and soon.
fn in_time(mut run: Child) -> std::process::Output {
    let deadline = Instant::now() + Duration::from_secs(180);
    while run.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            run.kill().unwrap();
            panic!("the program hangs");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    run.wait_with_output().unwrap()
}

/// A file system in memory with an end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(size: &str) -> Option<SmallDisk> {
        let folder = std::env::temp_dir().join(format!("dancu-test-disk-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let options = format!("size={size},mode=0755");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&folder).output();
        let disk = SmallDisk(folder);
        mounted.is_ok_and(|output| output.status.success()).then_some(disk)
    }

    fn grow(&self) {
        let grown = Command::new("mount").args(["-o", "remount,size=2g"]).arg(&self.0).status().unwrap();
        assert!(grown.success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
        let _ = fs::remove_dir(&self.0);
    }
}

#[tokio::test]
async fn data_of_another_version_is_refused_by_every_command_and_left_alone() {
    let data = Data::new("faults-version");
    succeeded(&data.run(&["migrate"]));
    let forms = data.0.join("forms.csv");
    fs::write(&forms, "form_no\n1\n").unwrap();
    let import = ["import", forms.to_str().unwrap()];
    let commands: [&[&str]; 6] = [
        &["demo", "--people", "1000", "--exit"],
        &["serve", "--port", "0"],
        &["work", "--once"],
        &import,
        &["migrate"],
        &["audit", "verify"],
    ];

    let options = store::OpenOptions { data_dir: data.0.clone(), database_url: None };
    let database = store::Database::open(&options).await.unwrap();
    let admin = testkit::administrator(database.cluster().unwrap().connect_options("dancu"));
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (9999, 'of a later release', true, '', 0)";
    sqlx::query(newer).execute(&admin).await.unwrap();
    for command in commands {
        let said = refused(&data.run(command));
        assert!(said.contains("version 9999") && said.contains("newer dancu"), "{command:?}: {said}");
    }
    sqlx::query("DELETE FROM _sqlx_migrations WHERE version = 9999").execute(&admin).await.unwrap();
    assert!(succeeded(&data.run(&["audit", "verify"])).contains("intact"));
    database.stop().await.unwrap();

    let described = data.0.join("dancu.json");
    let ours = fs::read_to_string(&described).unwrap();
    fs::write(&described, ours.replacen("\"layout\": 3", "\"layout\": 99", 1)).unwrap();
    for command in commands {
        let said = refused(&data.run(command));
        assert!(said.contains("layout 99") && said.contains("--data"), "{command:?}: {said}");
    }
    fs::write(&described, ours).unwrap();

    let made_by = data.0.join("postgres/pgdata/PG_VERSION");
    let version = fs::read_to_string(&made_by).unwrap();
    fs::write(&made_by, "9\n").unwrap();
    let said = refused(&data.run(&["migrate"]));
    assert!(said.contains("PostgreSQL 9") && said.contains("pg_upgrade"), "{said}");
    fs::write(&made_by, version).unwrap();
    succeeded(&data.run(&["migrate"]));
}

#[test]
fn a_port_in_use_is_named_with_a_way_out_before_anything_is_done() {
    let data = Data::new("faults-port");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for command in [&["demo", "--people", "1000", "--port", &port][..], &["serve", "--port", &port]] {
        let said = refused(&data.run(command));
        assert!(said.contains(&format!("port {port} is in use")) && said.contains("--port"), "{said}");
        assert!(!data.0.join("postgres").exists(), "nothing was started");
    }
}

#[tokio::test]
async fn accounts_are_made_from_the_console_and_the_audit_trail_tells_when_it_was_changed() {
    let data = Data::new("faults-audit");
    let secret = data.0.join("password");
    fs::write(&secret, "một mật khẩu dài\n").unwrap();
    let add = |login: &str, more: &[&str]| {
        let base =
            ["account", "add", login, "--role", "officer", "--password-file", secret.to_str().unwrap()];
        data.run(&[&base[..], more].concat())
    };
    assert!(succeeded(&add("canbo.x", &["--unit", "18562"])).contains("canbo.x (officer, "));
    assert!(refused(&add("canbo.x", &["--unit", "18562"])).contains("already"));
    assert!(refused(&add("canbo.y", &["--unit", "99999"])).contains("not in the list of units"));
    assert!(refused(&add("canbo.y", &[])).contains("--unit"));
    assert!(refused(&data.run(&["account", "disable", "nobody"])).contains("no account nobody"));
    fs::write(&secret, "short\n").unwrap();
    assert!(refused(&add("canbo.y", &["--unit", "445"])).contains("at least 12 characters"));
    assert!(refused(&data.run(&["account", "password", "canbo.x"])).contains("standard input"));
    succeeded(&data.run(&["account", "disable", "canbo.x"]));
    assert!(succeeded(&data.run(&["account", "list"])).contains(" disabled"));

    assert!(succeeded(&data.run(&["audit", "verify"])).contains("intact: 2 rows"));
    let options = store::OpenOptions { data_dir: data.0.clone(), database_url: None };
    let database = store::Database::open(&options).await.unwrap();
    let admin = testkit::administrator(database.cluster().unwrap().connect_options("dancu"));
    let tampering = [
        ("UPDATE audit SET actor = 'account:somebody' WHERE action = 'account.disabled'", "altered"),
        ("DELETE FROM audit WHERE action = 'account.disabled'", "missing"),
    ];
    for (sql, told) in tampering {
        sqlx::query(sql).execute(&admin).await.unwrap();
        let found = data.run(&["audit", "verify"]);
        let text = String::from_utf8_lossy(&found.stdout);
        assert_eq!(found.status.code(), Some(1), "{text}");
        assert!(text.contains("BROKEN") && text.contains("row 2") && text.contains(told), "{text}");
    }
    database.stop().await.unwrap();
}
