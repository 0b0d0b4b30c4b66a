//! The centre's disk is lost while a team works, and the database is brought back from a backup and from the
//! archive of its log, which ends before the last receipts. Whatever was receipted is there in the end, once.

use std::process::Command;
use std::time::{Duration as Wait, Instant};

use super::*;

const SEED: u64 = 11;
/// Captured before the archive stops following, after it, and after the restore.
const PARTS: [usize; 3] = [6, 5, 2];

fn ran(program: &str, args: &[&str]) {
    let status = Command::new(program).args(args).status().unwrap();
    assert!(status.success(), "{program} {args:?}");
}

/// The archive of the log, and what the operator adds to the server's settings for it
/// (docs/operations.md).
struct Archive {
    folder: String,
    backup: String,
    pgdata: String,
}

impl Archive {
    fn new(province: &Province) -> Archive {
        let at = |name: &str| province.data.0.join(name).to_str().unwrap().to_owned();
        let archive = Archive { folder: at("archive"), backup: at("backup"), pgdata: at("postgres/pgdata") };
        fs::create_dir(&archive.folder).unwrap();
        // The server runs as another user when the tests run as root.
        ran("chmod", &["0777", &archive.folder]);
        archive
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(&self.folder).join(name)
    }

    /// Turns archiving on and copies the stopped server's files.
    fn begin(&self, data: &Data) {
        let pid = data.server_pid().unwrap();
        ran("kill", &["-INT", &pid]);
        let begun = Instant::now();
        while data.server_pid().is_some() {
            assert!(begun.elapsed() < Wait::from_secs(120), "the server does not stop");
            std::thread::sleep(Wait::from_millis(50));
        }
        let conf = Path::new(&self.pgdata).join("postgresql.conf");
        let folder = &self.folder;
        let text = format!(
            "{}archive_mode = on\n\
             archive_command = 'test ! -e {folder}/stuck && test ! -e {folder}/%f && \
             cp --sparse=always %p {folder}/part && mv {folder}/part {folder}/%f'\n\
             archive_timeout = 1\n\
             restore_command = 'cp {folder}/%f %p'\n\
             hot_standby = off\n",
            fs::read_to_string(&conf).unwrap()
        );
        fs::write(&conf, text).unwrap();
        ran("cp", &["-a", &self.pgdata, &self.backup]);
    }

    /// The disk is gone, and the backup comes back with what the archive has.
    fn restore(&self, data: &Data) {
        ran("kill", &["-KILL", &data.server_pid().unwrap()]);
        fs::remove_dir_all(&self.pgdata).unwrap();
        ran("cp", &["-a", &self.backup, &self.pgdata]);
        fs::write(Path::new(&self.pgdata).join("recovery.signal"), "").unwrap();
        fs::remove_file(self.path("stuck")).unwrap();
    }
}

/// Asks until the centre calls everything safe.
fn until_safe(team: &mut Team, now: OffsetDateTime) {
    let begun = Instant::now();
    while team.kept() > 0 {
        assert!(begun.elapsed() < Wait::from_secs(120), "nothing becomes safe");
        team.exchange(now);
        std::thread::sleep(Wait::from_millis(200));
    }
}

#[test]
fn a_database_restored_to_an_earlier_state_gets_back_whatever_was_receipted() {
    let province = Province::new("province-restored", "huyện Cô Tô", SEED);
    province.register();
    let (folder, id) = province.campaign();
    let archive = Archive::new(&province);
    archive.begin(&province.data);
    let (serving, base) = province.serve();
    let mut team = province.team(&folder, &id, &base, SEED);
    let mut seen = HashSet::new();
    let guests: Vec<Guest> = province.guests().into_iter().filter(|one| seen.insert(one.truth)).collect();
    let mut guests = guests.iter();
    let mut capture = |team: &mut Team, people: usize| {
        for guest in guests.by_ref().take(people) {
            team.capture(&province.world, guest, province.now);
        }
        team.exchange(province.now)
    };

    let [first, lost, after] = PARTS;
    assert_eq!(capture(&mut team, first).accepted, first);
    assert_eq!(team.kept(), first as u64, "a receipt alone is not enough where there is an archive");
    until_safe(&mut team, province.now);

    fs::write(archive.path("stuck"), "").unwrap();
    assert_eq!(capture(&mut team, lost).accepted, lost);
    for _ in 0..8 {
        std::thread::sleep(Wait::from_millis(400));
        team.exchange(province.now);
    }
    assert_eq!(team.kept(), lost as u64, "what the archive does not have is not safe, however long it takes");
    let kits = province.json(&["kit", "list"]);
    assert_eq!(kits["kits"][0]["safe_to"], first, "{kits}");
    assert_eq!(kits["kits"][0]["packets"], first + lost, "{kits}");

    drop(serving);
    archive.restore(&province.data);
    let kits = province.json(&["kit", "list"]);
    // The archive may end before the contact that called the first ones safe, and never after it.
    assert_eq!(kits["kits"][0]["packets"], first, "the restore forgot the last receipts: {kits}");
    assert!(kits["kits"][0]["safe_to"].as_u64().unwrap() <= first as u64, "{kits}");
    assert_eq!(kits["kits"][0]["lost"], 0, "{kits}");
    let (_serving, base) = province.serve();
    team.goes_to(&base);
    let again = team.exchange(province.now);
    assert_eq!((again.asked_again, again.accepted), (lost, lost), "the kit is asked for them");
    assert_eq!(capture(&mut team, after).accepted, after);
    until_safe(&mut team, province.now);

    let captured = first + lost + after;
    assert_eq!(team.accepted(), captured as u64);
    province.run(&["work", "--once"]);
    let funnel = province.json(&["report", "funnel", "--unit", &province.code]);
    assert_eq!(funnel["total"]["captured"], captured);
    let standing = ["accepted", "in_case", "rejected"].map(|state| funnel["total"][state].as_u64().unwrap());
    assert_eq!(standing.iter().sum::<u64>(), captured as u64, "each was opened and decided once: {funnel}");
    let ledger = province.json(&["report", "ledger"]);
    assert_eq!(ledger["holds"], true, "{ledger}");
    assert_eq!(province.json(&["packet", "list"])["packets"], json!([]), "nothing was set aside");
    let kits = province.json(&["kit", "list"]);
    let kit = &kits["kits"][0];
    let counts = (&kit["packets"], &kit["missing"], &kit["lost"], &kit["safe_to"]);
    assert_eq!(counts, (&json!(captured), &json!(0), &json!(0), &json!(captured)), "{kits}");
    province.run(&["audit", "verify"]);
}
