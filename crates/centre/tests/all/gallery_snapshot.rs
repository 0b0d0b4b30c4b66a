//! The gallery's snapshot serves a start, whole or not at all, and to nobody without the key.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{fs, io};

use time::OffsetDateTime;

use centre::snapshot::{self, Label, Unusable};
use domain::id::ApplicationId;
use fingerprint::synthetic::{Condition, person_masters};
use hsm::{DataKey, KeyEncryptionKey};
use packet::keys::{CentreKeys, DrawnKey, KeyError, WRAPPED_BYTES, WrappingKey};
use resolve::{FingerSource, Identities, Opened};
use store::cases::resolutions::{Resolution, write_resolutions};
use store::{Database, UnitScope};

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
/// Where the child of the kill test writes.
const CHILD: &str = "DANCU_TEST_SNAPSHOT";

struct Wrapping(KeyEncryptionKey);

impl WrappingKey for Wrapping {
    fn wrap(&self, key: &DrawnKey) -> Result<[u8; WRAPPED_BYTES], KeyError> {
        Ok(self.0.wrap(&DataKey::from_bytes(key.bytes().clone())))
    }

    fn unwrap(&self, wrapped: &[u8]) -> Result<DrawnKey, KeyError> {
        let key = self.0.unwrap(wrapped).map_err(|_| KeyError::WrongWrappingKey)?;
        Ok(DrawnKey::unwrapped(key.into_bytes()))
    }
}

fn wrapping() -> Wrapping {
    Wrapping(KeyEncryptionKey::generate(&mut rand::make_rng::<rand::rngs::StdRng>()))
}

fn keys() -> Arc<CentreKeys> {
    Arc::new(CentreKeys { intake: Vec::new(), wrapping: Box::new(wrapping()) })
}

/// Packets that count how often they are opened.
#[derive(Default)]
struct Packets(Mutex<HashMap<ApplicationId, usize>>);

impl FingerSource for Packets {
    fn fingers(&self, applications: Vec<ApplicationId>) -> resolve::Fingers<'_> {
        for application in &applications {
            *self.0.lock().unwrap().entry(*application).or_default() += 1;
        }
        let open = |application_id: ApplicationId| {
            let masters = person_masters(application_id.uuid().as_u128() as u64);
            let templates = masters.iter().map(|m| m.impression(1, Condition::Station)).collect();
            Opened { application_id, templates, absent: Vec::new() }
        };
        Box::pin(async move { Ok(applications.into_iter().map(open).collect()) })
    }
}

/// Another worker looked at these applications.
async fn look_at(db: &Database, numbers: std::ops::Range<u8>) {
    let resolutions: Vec<Resolution> = numbers
        .map(|number| Resolution {
            application_id: ApplicationId::derive(NOW, &[b"snapshot", &[number]]),
            outcome: "case",
            person_id: None,
            weight: None,
            probability: None,
            evidence: serde_json::json!({}),
        })
        .collect();
    let mut tx = db.begin().await.unwrap();
    write_resolutions(&mut tx, &resolutions, NOW).await.unwrap();
    store::commit(tx).await.unwrap();
}

async fn identities(db: &Database) -> (Identities, Arc<Packets>) {
    let packets = Arc::new(Packets::default());
    let ids = Identities::load(db, &UnitScope::everything()).await.unwrap();
    (ids.with_fingers(packets.clone()), packets)
}

#[tokio::test]
async fn a_start_takes_the_snapshot_and_opens_only_what_is_new() {
    let db = testkit::fresh_database().await;
    let folder = tempfile::tempdir().unwrap();
    let (folder, keys) = (folder.path(), keys());
    let (mut ids, packets) = identities(&db).await;
    assert_eq!(snapshot::load(&db, folder, &keys, &mut ids).await.unwrap(), None, "there is none");
    look_at(&db, 0..6).await;
    ids.catch_up(&db).await.unwrap();
    assert_eq!(packets.0.lock().unwrap().len(), 6);
    assert!(snapshot::save(&db, folder, &keys, &ids).await.unwrap());
    look_at(&db, 6..8).await;

    let (mut ids, packets) = identities(&db).await;
    assert_eq!(snapshot::load(&db, folder, &keys, &mut ids).await.unwrap(), Some(6));
    ids.catch_up(&db).await.unwrap();
    assert_eq!(ids.memory().applications, 8);
    assert_eq!(packets.0.lock().unwrap().len(), 2, "what the snapshot holds is not opened again");
    assert!(snapshot::save(&db, folder, &keys, &ids).await.unwrap());
    let file = fs::read(folder.join("gallery.snapshot")).unwrap();
    // A gallery begins with its name: whoever sees that sees the minutiae after it.
    assert!(!file.windows(8).any(|window| window == b"dancuFG2"), "the gallery lies in the clear");

    let unusable = async |what: &str, db: &Database, keys: &Arc<CentreKeys>, file: &[u8]| {
        fs::write(folder.join("gallery.snapshot"), file).unwrap();
        let (mut ids, _) = identities(db).await;
        assert_eq!(snapshot::load(db, folder, keys, &mut ids).await.unwrap(), None, "{what}");
        assert_eq!(ids.memory().applications, 0, "{what}");
    };
    unusable("under another key", &db, &self::keys(), &file).await;
    for at in (0..file.len()).step_by(file.len() / 40).chain([file.len() - 1]) {
        let mut damaged = file.clone();
        damaged[at] ^= 1;
        unusable("with a bit changed", &db, &keys, &damaged).await;
        unusable("cut", &db, &keys, &file[..at]).await;
    }
    unusable("with more after it", &db, &keys, &[&file[..], &[0]].concat()).await;
    // Made from the same template, it has the same id: what it lacks is the entry of the log.
    let restored = testkit::fresh_database().await;
    unusable("of another time of this database", &restored, &keys, &file).await;
    let (mut ids, _) = identities(&db).await;
    fs::write(folder.join("gallery.snapshot"), &file).unwrap();
    assert_eq!(snapshot::load(&db, folder, &keys, &mut ids).await.unwrap(), Some(8), "it is the file itself");
}

fn label(position: i64) -> Label {
    Label { installation: "a".to_owned(), position, entry: None }
}

fn content(path: &Path, label: &Label, key: &Wrapping) -> Result<Vec<u8>, Unusable> {
    snapshot::read(path, label, key, |input| {
        let mut bytes = Vec::new();
        input.read_to_end(&mut bytes)?;
        Ok(bytes)
    })
}

#[test]
fn contents_of_all_sizes_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let (path, key) = (folder.path().join("gallery.snapshot"), wrapping());
    for size in [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20] {
        let bytes: Vec<u8> = (0..size).map(|at: u32| (at % 251) as u8).collect();
        assert!(snapshot::write(&path, &label(1), &key, |out| out.write_all(&bytes)).unwrap());
        assert!(content(&path, &label(1), &key).unwrap() == bytes, "{size} bytes");
        // A reader that stops early has not seen the whole file.
        let early = snapshot::read(&path, &label(1), &key, |_| Ok(()));
        assert_eq!(early.is_err(), size > 0, "{size} bytes");
    }
    assert!(matches!(content(&path, &label(2), &key), Err(Unusable::Foreign)));
}

/// Run by the next test in a process of its own.
#[test]
fn child_that_writes_until_it_is_killed() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let path = Path::new(&path);
    let key = wrapping();
    let stuck = |out: &mut dyn io::Write| {
        out.write_all(&vec![7; 5 << 19])?;
        fs::write(path.with_extension("half"), [])?;
        std::thread::sleep(Duration::from_secs(600));
        Ok(())
    };
    snapshot::write(path, &label(2), &key, stuck).unwrap();
}

#[test]
fn killed_while_it_writes_the_last_snapshot_stands() {
    let folder = tempfile::tempdir().unwrap();
    let (path, key) = (folder.path().join("gallery.snapshot"), wrapping());
    let write = |byte: u8, size: usize| {
        snapshot::write(&path, &label(1), &key, |out| out.write_all(&vec![byte; size])).unwrap()
    };
    assert!(write(1, 3 << 20));
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "gallery_snapshot::child_that_writes_until_it_is_killed"])
        .env(CHILD, &path)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while !path.with_extension("half").exists() {
        assert!(child.try_wait().unwrap().is_none(), "the child ended before it wrote");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(!write(2, 1), "somebody else writes");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(fs::metadata(path.with_extension("draft")).unwrap().len() > 1 << 20, "it was killed half way");
    assert!(content(&path, &label(1), &key).unwrap() == vec![1; 3 << 20], "the last one stands");
    assert!(write(3, 10), "the lock went with the process");
    assert!(content(&path, &label(1), &key).unwrap() == vec![3; 10]);
}
