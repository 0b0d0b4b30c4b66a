//! A virtual reader: pcscd with vsmartcard's driver, ours or the system's.

use std::fs;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::{self, sleep};
use std::time::Duration;

use rand::CryptoRng;

use chip::{VirtualChip, vpcd};

const DRIVER: &str = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so";
const TURN: Duration = Duration::from_millis(100);

pub struct VirtualReader {
    /// Name of its first slot.
    pub name: String,
    pub port: u16,
    /// One test at a time has the machine's service.
    _turn: fs::File,
    /// `None` when the system's service runs and is used.
    service: Option<(Child, tempfile::TempDir)>,
}

impl VirtualReader {
    /// Uses the service that runs with a virtual reader, or starts one.
    pub fn start() -> VirtualReader {
        let turn = fs::File::create(std::env::temp_dir().join("dancu-test-pcscd.lock")).unwrap();
        turn.lock().unwrap();
        if let Some(name) = slot() {
            return VirtualReader { name, port: vpcd::PORT, _turn: turn, service: None };
        }
        let port = free_port();
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("reader.conf");
        let text = format!(
            "FRIENDLYNAME \"Virtual PCD\"\nDEVICENAME /dev/null:0x{port:X}\nLIBPATH {DRIVER}\nCHANNELID \
             0x{port:X}\n"
        );
        fs::write(&config, text).unwrap();
        let mut service = Command::new("pcscd")
            .arg("--foreground")
            .arg("--config")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("pcscd is installed by the test's set-up");
        for _turn in 0..200 {
            if let Some(name) = slot() {
                return VirtualReader { name, port, _turn: turn, service: Some((service, dir)) };
            }
            if let Some(status) = service.try_wait().unwrap() {
                panic!("pcscd ended with {status}: it needs root, or another one runs without {DRIVER}");
            }
            sleep(TURN);
        }
        let _ = service.kill();
        panic!("pcscd shows no virtual reader after twenty seconds");
    }

    #[allow(dead_code, reason = "each test binary uses its part")]
    /// Lays `chip` on the reader while `read` runs, and gives it back.
    pub fn with_card<R: CryptoRng + Send, T>(
        &self,
        chip: &mut VirtualChip<R>,
        read: impl FnOnce(&str) -> T,
    ) -> T {
        let stream = (0..100).find_map(|_turn| {
            let stream = TcpStream::connect(("127.0.0.1", self.port));
            stream.map_err(|_| sleep(TURN)).ok()
        });
        let stream = stream.expect("vpcd waits for a card");
        // Otherwise each answer waits for the driver's acknowledgement of the one before.
        stream.set_nodelay(true).unwrap();
        let taken_away = TakenAway(stream.try_clone().unwrap());
        let result = thread::scope(|scope| {
            // The driver may close first; then the last read fails, which says nothing about the card.
            scope.spawn(move || drop(vpcd::serve(stream, chip, |_| ())));
            let _taken_away = taken_away;
            // The service looks only a few times a second whether a card came or went.
            self.wait(true);
            read(&self.name)
        });
        self.wait(false);
        result
    }
}

impl VirtualReader {
    /// Until a card lies on it, or none.
    pub fn wait(&self, wanted: bool) {
        let seen = (0..200).any(|_turn| {
            let seen = chip::pcsc::is_empty(&self.name).unwrap() != wanted;
            if !seen {
                sleep(TURN);
            }
            seen
        });
        assert!(seen, "after twenty seconds the service has not noticed the card");
    }
}

impl Drop for VirtualReader {
    fn drop(&mut self) {
        if let Some((service, _dir)) = &mut self.service {
            let _ = service.kill();
            let _ = service.wait();
        }
    }
}

/// Ends the card's thread, also when the test fails and unwinds.
struct TakenAway(TcpStream);

impl Drop for TakenAway {
    fn drop(&mut self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

fn slot() -> Option<String> {
    chip::pcsc::readers().ok()?.into_iter().find(|name| name.starts_with("Virtual PCD"))
}

/// A port with a free neighbour, because the driver's second slot listens on the next.
fn free_port() -> u16 {
    loop {
        let first = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = first.local_addr().unwrap().port();
        if port < u16::MAX && TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return port;
        }
    }
}
