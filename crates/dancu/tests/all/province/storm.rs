//! While a team works, the database's server, the serving process and the working process are killed at any
//! moment. Whatever the kit has a receipt for is at the centre, once.

use std::net::TcpListener;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration as Wait, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

use super::*;

const SEED: u64 = 7;
const KILLS: usize = 9;
/// Between two people before the officer, so that the team works through the storm.
const PACE: Wait = Wait::from_millis(150);

/// Who is killed, in turn, so that none is left out.
#[derive(Clone, Copy)]
enum Victim {
    Database,
    Serve,
    Work,
}

/// The working process of the moment: begun again as soon as it ends, however it ends.
struct Worker {
    pid: Arc<Mutex<Option<u32>>>,
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Worker {
    fn begin(data: &Data) -> Worker {
        let (pid, over) = (Arc::new(Mutex::new(None)), Arc::new(AtomicBool::new(false)));
        let folder = data.0.clone();
        let thread = std::thread::spawn({
            let (pid, over) = (Arc::clone(&pid), Arc::clone(&over));
            move || {
                while !over.load(Ordering::SeqCst) {
                    let mut command = Command::new(env!("CARGO_BIN_EXE_dancu"));
                    command.args(["work", "--once"]).arg("--data").arg(&folder);
                    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                    let mut child = command.spawn().unwrap();
                    *pid.lock().unwrap() = Some(child.id());
                    child.wait().unwrap();
                    *pid.lock().unwrap() = None;
                }
            }
        });
        Worker { pid, over, thread: Some(thread) }
    }

    fn end(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
    }
}

fn kill(pid: &str) -> bool {
    Command::new("kill").args(["-KILL", pid]).output().unwrap().status.success()
}

fn serve_at(data: &Data, port: u16) -> Serving {
    let mut command = data.command(&["serve", "--port", &port.to_string()]);
    Serving(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

/// Sends until everything has its receipt.
fn until_receipted(team: &mut Team) {
    let begun = Instant::now();
    while !team.has_sent_all() {
        assert!(begun.elapsed() < Wait::from_secs(240), "the centre does not come back");
        if team.try_sync().is_err() {
            std::thread::sleep(Wait::from_millis(100));
        }
    }
}

#[test]
fn whatever_was_receipted_is_there_once_after_kills_at_any_moment() {
    let province = Province::new("province-storm", "huyện Cô Tô", SEED);
    province.register();
    let (folder, id) = province.campaign();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut serving = serve_at(&province.data, port);
    let mut worker = Worker::begin(&province.data);
    let mut team = province.team(&folder, &id, &format!("http://127.0.0.1:{port}"), SEED);
    let guests = province.guests();
    let captured_now = AtomicUsize::new(0);

    let (mut rng, stormed) = (ChaCha20Rng::seed_from_u64(SEED), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let team = scope.spawn(|| {
            let mut seen = HashSet::new();
            let once: Vec<&Guest> = guests.iter().filter(|guest| seen.insert(guest.truth)).collect();
            for (number, guest) in once.iter().enumerate() {
                team.capture(&province.world, guest, province.now);
                captured_now.store(number + 1, Ordering::SeqCst);
                // It fails when somebody has just been killed; the next one takes all along.
                let _ = team.try_sync();
                std::thread::sleep(PACE);
                // The last ones are for the end of the storm.
                while number + 4 > once.len() && !stormed.load(Ordering::SeqCst) {
                    std::thread::sleep(Wait::from_millis(20));
                }
            }
            (team, once.len())
        });
        let (mut killed, mut met) = ([0; 3], 0);
        for victim in [Victim::Database, Victim::Serve, Victim::Work].into_iter().cycle().take(KILLS) {
            std::thread::sleep(Wait::from_millis(rng.random_range(100..1_500)));
            let pid = match victim {
                Victim::Database => province.data.server_pid(),
                Victim::Serve => Some(serving.0.id().to_string()),
                Victim::Work => worker.pid.lock().unwrap().map(|pid| pid.to_string()),
            };
            killed[victim as usize] += usize::from(pid.is_some_and(|pid| kill(&pid)));
            met += usize::from(captured_now.load(Ordering::SeqCst) + 4 < guests.len());
            if serving.0.try_wait().unwrap().is_some() || matches!(victim, Victim::Serve) {
                serving.0.wait().unwrap();
                serving = serve_at(&province.data, port);
            }
        }
        stormed.store(true, Ordering::SeqCst);
        assert!(killed.iter().all(|times| *times > 0), "nobody was left out: {killed:?}");
        assert!(met * 2 > KILLS, "the team was at work at {met} of {KILLS} kills only");
        let (mut team, captured) = team.join().unwrap();
        until_receipted(&mut team);
        assert_eq!(team.accepted(), captured as u64, "whatever was captured has its receipt");
        assert_eq!(team.kept(), 0, "and is safe with the commit, where there is no archive");
        worker.end();
        province.run(&["work", "--once"]);
        let funnel = province.json(&["report", "funnel", "--unit", &province.code]);
        assert_eq!(funnel["total"]["captured"], captured);
        let standing =
            [&funnel["total"]["accepted"], &funnel["total"]["in_case"], &funnel["total"]["rejected"]];
        let standing: u64 = standing.iter().map(|count| count.as_u64().unwrap()).sum();
        assert_eq!(standing, captured as u64, "each was opened and decided once: {funnel}");
        let ledger = province.json(&["report", "ledger"]);
        assert_eq!(ledger["holds"], true, "{ledger}");
        let listed = province.json(&["packet", "list"]);
        assert_eq!(listed["packets"], json!([]), "nothing was set aside");
        let kits = province.json(&["kit", "list"]);
        assert_eq!(kits["kits"][0]["missing"], 0, "{kits}");
    });
    province.run(&["audit", "verify"]);
}
