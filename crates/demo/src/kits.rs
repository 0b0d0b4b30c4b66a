//! A day of the mobile teams: each kit captures its people with the real packet code, saves them in its
//! outbox and sends them over HTTP, on a line that fails now and then.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use anyhow::{Context, Result};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use rayon::prelude::*;
use time::macros::time;
use time::{Date, OffsetDateTime};

use crate::CREDENTIALS_END;
use crate::world::{self, World};
use domain::application::Kind;
use domain::clock::{VIETNAM, day_in_vietnam};
use domain::id::{KitId, PersonId};
use domain::{ResidentRecord, UnitCode};
use kit::{CaptureInput, CentrePublicKeys, Laptop, Officer, OfficerKey, Transport};
use packet::keys::PublicKey;
use packet::rules::chip_fingers;
use packet::{Biometric, CaptureMeta, Finger, FingerCapture, FingerImage, MissingReason};
use simulate::TruthId;

/// Kits that capture at once, for each core: one waits for its disk at each save.
const CAPTURING_PER_CORE: usize = 2;
/// Kits that send at once, for each core: one waits for its disk, the line and the centre.
const SENDING_PER_CORE: usize = 4;
/// The centre serves no more from one address at once, and here all kits have one.
const MOST_SENDING: usize = 8;
/// People of one kit whose fingers and portraits are made, on all cores, before they are saved one by one.
const PREPARED_AT_ONCE: usize = 32;

/// One person before the officer.
#[derive(Debug, Clone)]
pub struct Visit {
    pub truth: TruthId,
    /// 1 for the first application, 2 for the second.
    pub number: u8,
    pub at: OffsetDateTime,
    /// The commune that will hand the card over.
    pub unit: UnitCode,
    /// The record that the officer found, if any.
    pub register: Option<(PersonId, ResidentRecord)>,
    pub declared: ResidentRecord,
}

/// The teams' laptops.
pub struct Fleet {
    pub ids: Vec<KitId>,
    laptops: Vec<Mutex<Laptop>>,
    /// Who works on each, signed in.
    officers: Vec<Officer>,
}

/// What opens the officers' keys: nothing is kept from anybody in a demonstration.
const PASSPHRASE: &str = "dancu demonstration";

impl Fleet {
    /// Opens the kits below `folder`, making the identity of each and of its officer on the first day.
    pub fn open(folder: &Path, count: usize, seed: u64, centre: &CentrePublicKeys) -> Result<Fleet> {
        let (mut ids, mut laptops, mut officers) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..count {
            let id = KitId::derive(OffsetDateTime::UNIX_EPOCH, &[&seed.to_be_bytes(), &number.to_be_bytes()]);
            let mut key = [0; 32];
            key[..16].copy_from_slice(id.uuid().as_bytes());
            key[16..24].copy_from_slice(&seed.to_be_bytes());
            let mut rng = ChaCha20Rng::from_seed(key);
            let place = folder.join(format!("kit-{:02}", number + 1));
            std::fs::create_dir_all(&place).with_context(|| format!("{}", place.display()))?;
            laptops.push(Mutex::new(Laptop::open(&place, id, centre.clone(), &mut rng)?));
            let file = place.join("officer.key");
            let key = if file.exists() {
                OfficerKey::open(&file, PASSPHRASE)?
            } else {
                OfficerKey::make(&file, PASSPHRASE, &mut rng)?
            };
            let credential_id = enrol::officers::id_of(&key.public());
            officers.push(Officer { key, credential_id, not_after: CREDENTIALS_END });
            ids.push(id);
        }
        Ok(Fleet { ids, laptops, officers })
    }

    /// Kits of the campaign.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// What the centre registers a kit with.
    pub fn public_key(&self, kit: usize) -> PublicKey {
        self.lock(kit).public_key()
    }

    /// What the centre issues the credential of a kit's officer for.
    pub fn officer_key(&self, kit: usize) -> PublicKey {
        self.officers[kit].key.public()
    }

    fn lock(&self, kit: usize) -> std::sync::MutexGuard<'_, Laptop> {
        self.laptops[kit].lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Captures `visits[kit]` on every kit, a few kits at once on each of `cores`. Returns how many
    /// applications are new: what a kit had saved before it was killed, it answers as the first time.
    pub fn capture(&self, world: &World, visits: &[Vec<Visit>], cores: usize) -> Result<u64> {
        let new = AtomicU64::new(0);
        self.each(cores * CAPTURING_PER_CORE, |kit, laptop| {
            for visits in visits[kit].chunks(PREPARED_AT_ONCE) {
                let inputs: Vec<CaptureInput> =
                    visits.par_iter().map(|visit| input(world, visit)).collect::<Result<_>>()?;
                for (visit, input) in visits.iter().zip(inputs) {
                    let mut rng = ChaCha20Rng::from_seed(world.draws.capture_seed(visit.truth, visit.number));
                    let saved = laptop.capture(input, &self.officers[kit], visit.at, &mut rng)?;
                    new.fetch_add(u64::from(!saved.repeated), Ordering::Relaxed);
                }
            }
            Ok(())
        })?;
        Ok(new.into_inner())
    }

    /// Sends what the kits hold, and their day reports. A kit without a line today keeps everything. Returns
    /// how many packets the centre took over.
    pub fn send(&self, world: &World, base_url: &str, day: Date, cores: usize) -> Result<u64> {
        let sent = AtomicU64::new(0);
        self.each((cores * SENDING_PER_CORE).min(MOST_SENDING), |kit, laptop| {
            if !world.draws.is_offline(kit, day) {
                sent.fetch_add(send(world, laptop, kit, base_url, day)? as u64, Ordering::Relaxed);
            }
            Ok(())
        })?;
        Ok(sent.into_inner())
    }

    /// Whether some kit holds packets without a receipt.
    pub fn holds_anything(&self) -> Result<bool> {
        for kit in 0..self.len() {
            if self.lock(kit).outbox().counters()?.pending > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn each(&self, threads: usize, work: impl Fn(usize, &mut Laptop) -> Result<()> + Sync) -> Result<()> {
        let next = AtomicUsize::new(0);
        let failed: Mutex<Option<anyhow::Error>> = Mutex::new(None);
        std::thread::scope(|scope| {
            for _ in 0..threads.clamp(1, self.len().max(1)) {
                scope.spawn(|| {
                    loop {
                        let kit = next.fetch_add(1, Ordering::SeqCst);
                        if kit >= self.len() {
                            return;
                        }
                        if let Err(error) = work(kit, &mut self.lock(kit)) {
                            let mut failed = failed.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                            failed.get_or_insert(error.context(format!("kit {}", kit + 1)));
                        }
                    }
                });
            }
        });
        match failed.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()) {
            None => Ok(()),
            Some(error) => Err(error),
        }
    }
}

/// What the officer's devices take of one person.
fn input(world: &World, visit: &Visit) -> Result<CaptureInput> {
    let fingers: Vec<Finger> = world
        .fingers(visit.truth, u64::from(visit.number))?
        .into_iter()
        .map(|(position, template)| Finger {
            position,
            capture: match template {
                Some(bytes) => FingerCapture::Template(Biometric::new(bytes)),
                None => FingerCapture::Missing(MissingReason::Amputated),
            },
        })
        .collect();
    let image = |position| {
        let jpeg = Biometric::new(world.finger_image(visit.truth, position));
        FingerImage { position, jpeg }
    };
    let finger_images = chip_fingers(&fingers).into_iter().map(image).collect();
    let application_id = world::application_id(world.seed, visit.truth, visit.number);
    Ok(CaptureInput {
        packet_id: world::packet_id(application_id),
        application_id,
        // Nobody had a chip card before the campaign: for everyone it is a new one.
        kind: Kind::New,
        unit: visit.unit,
        record: visit.declared.clone(),
        register: visit.register.clone(),
        fingers,
        finger_images,
        photo: Biometric::new(world.portrait(visit.truth, day_in_vietnam(visit.at))),
        meta: CaptureMeta {
            officer: "demo".to_owned(),
            scanner: "simulated".to_owned(),
            camera: "simulated".to_owned(),
            software: concat!("dancu ", env!("CARGO_PKG_VERSION")).to_owned(),
        },
    })
}

fn send(world: &World, laptop: &mut Laptop, kit: usize, base_url: &str, day: Date) -> Result<usize> {
    let transport = Transport::to_this_machine(base_url)?;
    let evening = day.with_time(time!(22:30)).assume_offset(VIETNAM);
    let (damaged, twice) = (world.draws.sends_damaged(kit, day), world.draws.sends_twice(kit, day));
    // What goes twice is read here too; on most days nothing does.
    let body = if damaged || twice { some_waiting(laptop)? } else { None };
    if let Some(body) = body.as_ref().filter(|_| damaged) {
        // A byte is turned over on the way. The centre refuses the packet it belongs to and takes the others;
        // its answer is lost, so that the kit sends everything again.
        let mut damaged = body.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0x20;
        let _lost = transport.send_packets(&damaged);
    }
    let sent = laptop.sync(&transport, evening)?.accepted;
    if let Some(body) = body.as_ref().filter(|_| twice) {
        transport.send_packets(body).context("sending again")?;
    }
    // Days without a line are reported when the line is back: the reports of the last week, which change
    // nothing when they are known.
    for back in (0..7).rev() {
        let reported = day - time::Duration::days(back);
        if back == 0 || world.draws.is_offline(kit, reported) {
            laptop.send_day_report(&transport, reported, evening)?;
        }
    }
    Ok(sent)
}

/// The oldest packets that wait, as one batch.
fn some_waiting(laptop: &Laptop) -> Result<Option<Vec<u8>>> {
    let waiting = laptop.outbox().pending(50, packet::wire::MAX_BATCH_BYTES)?;
    let body = packet::wire::encode_batch(waiting.iter().map(|packet| packet.sealed.as_slice()));
    Ok(Some(body).filter(|_| !waiting.is_empty()))
}
