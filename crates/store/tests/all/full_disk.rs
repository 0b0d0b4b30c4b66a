//! A disk that is full, for real: a small file system in memory. Only root may mount one; without the right
//! to, there is nothing to test here.

use std::path::{Path, PathBuf};
use std::process::Command;

use store::{Cluster, Durability, Error};

struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(megabytes: u32) -> Option<SmallDisk> {
        let dir = tempfile::tempdir().unwrap().keep();
        let size = format!("size={megabytes}m,mode=0755");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&dir).output();
        let disk = SmallDisk(dir);
        // The directory above the mount is closed to the server's user unless it is opened.
        std::fs::set_permissions(&disk.0, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        mounted.is_ok_and(|o| o.status.success()).then_some(disk)
    }

    fn grow(&self) {
        let remount = Command::new("mount").args(["-o", "remount,size=400m"]).arg(&self.0).status().unwrap();
        assert!(remount.success());
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let pgdata = self.0.join("data/postgres/pgdata");
        if pgdata.join("postmaster.pid").exists()
            && let Ok(cluster) = Cluster::start(&self.0.join("data"), Durability::Disposable)
        {
            let _ = cluster.stop();
        }
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[test]
fn a_disk_too_small_for_a_first_start_is_named_and_more_room_lets_it_begin() {
    let Some(disk) = SmallDisk::mount(12) else { return };
    let start = || Cluster::start(&disk.path().join("data"), Durability::Disposable);
    let error = start().unwrap_err();
    assert!(matches!(error, Error::DiskFull { .. }), "{error}");
    disk.grow();
    assert!(start().unwrap().is_live());
}

#[tokio::test]
async fn a_disk_that_fills_up_is_named_and_what_was_committed_stays() {
    let Some(disk) = SmallDisk::mount(160) else { return };
    let cluster = Cluster::start(&disk.path().join("data"), Durability::Disposable).unwrap();
    let admin = testkit::administrator(cluster.connect_options("postgres"));
    // Unlogged, so that the table meets the end of the disk and not the write-ahead log.
    sqlx::raw_sql(
        "CREATE UNLOGGED TABLE filler (t text); CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)",
    )
    .execute(&admin)
    .await
    .unwrap();
    let fill = "INSERT INTO filler SELECT repeat(md5(random()::text), 50) FROM generate_series(1, 5000)";
    let error = loop {
        if let Err(error) = sqlx::query(fill).execute(&admin).await {
            break Error::from(error);
        }
    };
    assert!(matches!(error, Error::DiskFull { .. }), "{error}");
    assert!(error.to_string().contains("free some space"), "{error}");
    disk.grow();
    sqlx::query(fill).execute(&admin).await.unwrap();
    let kept: i32 = sqlx::query_scalar("SELECT n FROM kept").fetch_one(&admin).await.unwrap();
    assert_eq!(kept, 7);
}
