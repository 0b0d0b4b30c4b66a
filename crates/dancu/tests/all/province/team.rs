//! A mobile team with its laptop: the library of the kit, and the centre's door over HTTP.

use std::fs;
use std::path::{Path, PathBuf};

use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use domain::Clock;
use domain::ResidentRecord;
use domain::application::Kind;
use domain::clock::SystemClock;
use domain::id::{ApplicationId, KitId, PersonId};
use fingerprint::FingerPosition;
use fingerprint::synthetic::{Condition, person_masters};
use kit::{
    CaptureInput, CentrePublicKeys, IdentityKey, Laptop, Officer, OfficerKey, SyncSummary, Transport, new_ids,
};
use packet::keys::PublicKey;
use packet::rules::chip_fingers;
use packet::{Biometric, CaptureMeta, Finger, FingerCapture, FingerImage, MissingReason};
use simulate::TruthId;

use super::world::World;

/// One invited person, as `dancu campaign guests` tells of them.
pub struct Guest {
    pub truth: TruthId,
    pub person: PersonId,
    pub record: ResidentRecord,
    pub round: i16,
}

impl Guest {
    pub fn read(world: &World, told: &Value) -> Guest {
        let text = |field: &str| told[field].as_str().unwrap();
        Guest {
            truth: world.by_form[text("form")],
            person: text("person").parse().unwrap(),
            record: serde_json::from_value(told["record"].clone()).unwrap(),
            round: told["round"].as_i64().unwrap() as i16,
        }
    }
}

/// The team's folder before the centre knows it: a key, and its public half in a file.
pub fn new_key(folder: &Path, seed: u64) -> PathBuf {
    fs::create_dir_all(folder).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let key = IdentityKey::open_or_create(&folder.join("identity.pem"), &mut rng).unwrap();
    let public = folder.join("public.pem");
    fs::write(&public, key.public().to_pem()).unwrap();
    public
}

/// The officer's key, made on the laptop, and its public half in a file.
pub fn new_officer(folder: &Path, seed: u64) -> PathBuf {
    let mut rng = ChaCha20Rng::seed_from_u64(seed ^ 2);
    let key = OfficerKey::make(&folder.join("officer.key"), PASSPHRASE, &mut rng).unwrap();
    let public = folder.join("officer.pem");
    fs::write(&public, key.public().to_pem()).unwrap();
    public
}

/// The officer's ten fingers, as a scanner writes them.
pub fn fingers_of_officer(folder: &Path, seed: u64) -> PathBuf {
    let folder = folder.join("fingers");
    fs::create_dir_all(&folder).unwrap();
    for master in person_masters(seed ^ 0x0ff1_ce00) {
        let template = fingerprint::encode(&[master.impression(1, Condition::Station)]).unwrap();
        fs::write(folder.join(format!("{}.iso", master.position().code())), template).unwrap();
    }
    folder
}

const PASSPHRASE: &str = "mật khẩu của cán bộ";

pub struct Team {
    officer: Officer,
    laptop: Laptop,
    transport: Transport,
    rng: ChaCha20Rng,
}

impl Team {
    /// Opens the laptop with what `dancu kit add`, `dancu officer issue` and `dancu kit centre-keys`
    /// answered.
    pub fn open(folder: &Path, id: &str, issued: &Value, centre: &Value, base: &str, seed: u64) -> Team {
        let key = |name: &str| PublicKey::from_pem(centre[name].as_str().unwrap()).unwrap();
        let keys = CentrePublicKeys { intake: key("intake"), receipt: key("receipt") };
        let mut rng = ChaCha20Rng::seed_from_u64(seed ^ 1);
        let laptop = Laptop::open(folder, id.parse::<KitId>().unwrap(), keys, &mut rng).unwrap();
        let officer = Officer {
            key: OfficerKey::open(&folder.join("officer.key"), PASSPHRASE).unwrap(),
            credential_id: issued["credential"].as_str().unwrap().parse().unwrap(),
            not_after: OffsetDateTime::parse(issued["until"].as_str().unwrap(), &Rfc3339).unwrap(),
        };
        Team { officer, laptop, transport: Transport::to_this_machine(base).unwrap(), rng }
    }

    /// Captures one person; the same fingers whoever applies, a fresh impression each time.
    pub fn capture(&mut self, world: &World, guest: &Guest, at: OffsetDateTime) -> ApplicationId {
        let fingers: Vec<Finger> = world
            .fingers(guest.truth, 1)
            .into_iter()
            .map(|(code, template)| Finger {
                position: FingerPosition::from_code(code).unwrap(),
                capture: match template {
                    Some(view) => {
                        FingerCapture::Template(Biometric::new(fingerprint::encode(&[view]).unwrap()))
                    }
                    None => FingerCapture::Missing(MissingReason::Amputated),
                },
            })
            .collect();
        let image = |position: FingerPosition| FingerImage {
            position,
            jpeg: Biometric::new(world.finger_image(guest.truth, position.code())),
        };
        let finger_images = chip_fingers(&fingers).into_iter().map(image).collect();
        let (packet_id, application_id) = new_ids(at, &mut self.rng);
        let input = CaptureInput {
            packet_id,
            application_id,
            kind: Kind::New,
            unit: guest.record.permanent.unit,
            record: world.draws.declared(guest.truth, &guest.record),
            register: Some((guest.person, guest.record.clone())),
            fingers,
            finger_images,
            photo: Biometric::new(world.portrait(guest.truth, at.date())),
            meta: CaptureMeta {
                officer: "canbo".to_owned(),
                scanner: "simulated".to_owned(),
                camera: "simulated".to_owned(),
                software: "test".to_owned(),
            },
        };
        let saved = self.laptop.capture(input, &self.officer, at, &mut self.rng).unwrap();
        assert!(!saved.repeated);
        application_id
    }

    /// Sends everything, and says how many packets were taken over and how many refused.
    pub fn sync(&mut self, now: OffsetDateTime) -> (usize, usize) {
        let sent = self.laptop.sync(&self.transport, now).unwrap();
        (sent.accepted, sent.refused)
    }

    pub fn report(&mut self, now: OffsetDateTime) {
        let day = domain::clock::day_in_vietnam(now);
        self.laptop.send_day_report(&self.transport, day, now).unwrap();
    }

    /// Sends what it can, by the clock on the wall.
    pub fn try_sync(&mut self) -> Result<(), kit::KitError> {
        let now = SystemClock.now();
        self.laptop.sync(&self.transport, now).map(drop)
    }

    /// Sends what waits, or asks what the centre has.
    pub fn exchange(&mut self, now: OffsetDateTime) -> SyncSummary {
        self.laptop.sync(&self.transport, now).unwrap()
    }

    /// The centre is at another address from now on.
    pub fn goes_to(&mut self, base: &str) {
        self.transport = Transport::to_this_machine(base).unwrap();
    }

    /// How many packets with a receipt are still on the laptop.
    pub fn kept(&self) -> u64 {
        self.laptop.outbox().counters().unwrap().kept
    }

    /// Whether nothing waits for a receipt.
    pub fn has_sent_all(&self) -> bool {
        self.laptop.outbox().counters().unwrap().pending == 0
    }

    /// How many packets the centre has given a receipt for.
    pub fn accepted(&self) -> u64 {
        self.laptop.outbox().counters().unwrap().accepted
    }
}
