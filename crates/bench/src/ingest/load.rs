//! The kits and what they have sealed.

use std::sync::Arc;

use anyhow::{Context, Result};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use time::Duration;

use centre::Centre;
use domain::application::Kind;
use domain::clock::SystemClock;
use domain::id::{AccountId, ApplicationId, KitId, PacketId};
use domain::unit::Units;
use domain::{Actor, Clock, ResidentRecord, UnitCode};
use enrol::kits::{self, NewKit};
use enrol::officers::{self, NewCredential};
use fingerprint::synthetic::{Condition, person_masters};
use hsm::SoftwareSigner;
use packet::keys::{CentreKeys, PublicKey};
use packet::rules::chip_fingers;
use packet::{Biometric, CaptureMeta, Carries, Content, Envelope, Finger, FingerCapture, FingerImage};
use packet::{Payload, ReceiptCode, Signers};
use simulate::{Model, Population};
use store::applications::packets::NewPacket;

/// The district in which they work.
const DISTRICT: &str = "445";
/// People whose fingers and portraits are drawn; more would only take longer to prepare.
const FACES: usize = 40;
/// A portrait of a good camera, and a finger of a scanner, at the size that packets may have them: the drawn
/// ones are smaller, and are filled up with comments (JPEG, ITU-T T.81, clause B.2.4.5).
const PHOTO_BYTES: usize = packet::MAX_PHOTO_BYTES - 64;
const FINGER_BYTES: usize = packet::MAX_FINGER_IMAGE_BYTES - 64;

/// Packets of one kit that go together.
#[derive(Clone)]
pub struct Upload {
    kit: usize,
    pub packets: Vec<Arc<Vec<u8>>>,
}

/// A kit and its officer.
struct Team {
    kit_id: KitId,
    kit: SoftwareSigner,
    kit_key: PublicKey,
    officer: SoftwareSigner,
    officer_key: PublicKey,
}

impl Team {
    fn draw(rng: &mut StdRng) -> Result<Team> {
        let (kit, officer) = (SoftwareSigner::generate(rng), SoftwareSigner::generate(rng));
        let kit_key = PublicKey::from_spki(pki::Signer::public_key(&kit))?;
        let officer_key = PublicKey::from_spki(pki::Signer::public_key(&officer))?;
        Ok(Team { kit_id: kits::id_of(&kit_key), kit, kit_key, officer, officer_key })
    }
}

/// The public keys of a kit and of its officer.
pub type TeamKeys = (PublicKey, PublicKey);

/// All kits, with what each has sealed.
pub struct Load {
    keys: Vec<TeamKeys>,
    /// One for each kit.
    uploads: Vec<Upload>,
}

/// What a packet's row needs, read from the packet.
pub struct Verified {
    envelope: Envelope,
    sha256: [u8; 32],
}

impl Verified {
    pub(crate) fn packet<'a>(&self, sealed: &'a [u8]) -> NewPacket<'a> {
        NewPacket {
            packet_id: self.envelope.packet_id,
            kit_id: self.envelope.kit_id,
            application_id: self.envelope.application_id,
            kit_seq: self.envelope.kit_seq,
            sha256: self.sha256,
            sealed,
            quarantined: None,
            prev_sha256: self.envelope.prev_sha256,
            credential_id: self.envelope.credential_id,
            content: self.envelope.carries.code(),
            base: None,
            twin: false,
        }
    }
}

/// The checks that nobody can do without.
pub fn verify_and_open(sealed: &[u8], team: &TeamKeys, keys: &CentreKeys) -> Result<Verified> {
    let verified = packet::parse(sealed)?.verify(&team.0, &team.1)?;
    let encrypted = verified.encrypted()?;
    let intake = keys.intake_key(&encrypted.recipient()?).context("the intake key")?;
    std::hint::black_box(encrypted.open(intake)?);
    Ok(Verified { envelope: verified.envelope().clone(), sha256: Sha256::digest(sealed).into() })
}

impl Load {
    /// Registers the kits and seals their packets.
    pub async fn make(centre: &Centre, kits: u32, each: u32, seed: u64) -> Result<Load> {
        let now = SystemClock.now();
        collect::load_units(&centre.db).await?;
        let units = Units::latest();
        let unit: UnitCode = DISTRICT.parse()?;
        let mut teams = Vec::new();
        for number in 0..kits {
            let team = Team::draw(&mut StdRng::seed_from_u64(seed ^ (u64::from(number) << 20)))?;
            let name = format!("bench-{number}");
            let (kit_id, public_key) = (team.kit_id, team.kit_key.clone());
            let new = NewKit { kit_id, name: name.clone(), unit, public_key };
            let begun = now - Duration::DAY;
            kits::register(&centre.db, units, &new, &Actor::Centre, begun).await?;
            let account = AccountId::derive(now, &[&number.to_be_bytes()]);
            let lacking = Some("the officers of a measurement have none");
            let wrapping = &*centre.keys.wrapping;
            let mut rng = StdRng::seed_from_u64(seed);
            let credential = NewCredential {
                account,
                login: name.clone(),
                kit: name,
                public_key: team.officer_key.clone(),
                not_after: now + Duration::days(7),
                fingers: Some(officers::fingers::seal(wrapping, account, &[], lacking, &mut rng)?),
            };
            officers::issue(&centre.db, units, &credential, &Actor::Centre, begun).await?;
            teams.push(team);
        }
        let model = Model::default();
        let people = Population::generate(&model, seed, unit, 2_000)?;
        let communes = units.leaves_of(unit);
        let faces: Vec<Face> = (0..FACES as u64).into_par_iter().map(Face::draw).collect();
        let records: Vec<ResidentRecord> = people
            .people
            .iter()
            .filter(|person| person.birth.year() < 2000 && person.died.is_none())
            .map(|person| people.record(person))
            .collect();
        let sealed = |kit: usize| {
            let (team, mut prev_sha256) = (&teams[kit], None);
            let packets = (1..=u64::from(each)).map(|kit_seq| {
                let number = kit as u64 * u64::from(each) + kit_seq;
                let mut rng = StdRng::seed_from_u64(seed ^ number);
                let at = now - Duration::seconds(i64::try_from(kit_seq).unwrap_or(0));
                let envelope = Envelope {
                    packet_id: PacketId::derive(at, &[&seed.to_be_bytes(), &number.to_be_bytes()]),
                    application_id: ApplicationId::derive(at, &[&seed.to_be_bytes(), &number.to_be_bytes()]),
                    kit_id: team.kit_id,
                    kit_seq,
                    prev_sha256,
                    credential_id: officers::id_of(&team.officer_key),
                    captured_at: at,
                    centre_at: None,
                    unit: communes[number as usize % communes.len()],
                    carries: Carries::Application { kind: Kind::New },
                };
                let record = records[number as usize % records.len()].clone();
                let content = faces[number as usize % FACES].content(record, &mut rng);
                let signers = Signers { kit: &team.kit, officer: &team.officer };
                let payload = Payload::Application(Box::new(content));
                let sealed = packet::seal(&envelope, &payload, signers, &centre.intake_public, &mut rng)?;
                prev_sha256 = Some(Sha256::digest(&sealed).into());
                Ok(Arc::new(sealed))
            });
            Ok(Upload { kit, packets: packets.collect::<Result<_>>()? })
        };
        let uploads = (0..teams.len()).into_par_iter().map(sealed).collect::<Result<_>>()?;
        let keys = teams.into_iter().map(|team| (team.kit_key, team.officer_key)).collect();
        Ok(Load { keys, uploads })
    }

    /// Everything that was sealed.
    pub fn packets(&self) -> impl Iterator<Item = &Arc<Vec<u8>>> {
        self.uploads.iter().flat_map(|upload| &upload.packets)
    }

    pub(crate) fn mean_bytes(&self) -> usize {
        let bytes: usize = self.packets().map(|sealed| sealed.len()).sum();
        bytes / self.packets().count().max(1)
    }

    pub(crate) fn key(&self, upload: &Upload) -> &TeamKeys {
        &self.keys[upload.kit]
    }

    /// All that each kit sends, in uploads of so many packets.
    pub fn by_kit(&self, batch: usize) -> Vec<Vec<Upload>> {
        let of = |all: &Upload| {
            all.packets
                .chunks(batch)
                .map(|packets| Upload { kit: all.kit, packets: packets.to_vec() })
                .collect()
        };
        self.uploads.iter().map(of).collect()
    }
}

/// What the devices take of one person.
struct Face {
    fingers: Vec<Finger>,
    images: Vec<FingerImage>,
    photo: Biometric,
}

impl Face {
    fn draw(body: u64) -> Face {
        let template = |view| fingerprint::encode(&[view]).unwrap_or_default();
        let fingers: Vec<Finger> = person_masters(body)
            .iter()
            .map(|master| Finger {
                position: master.position(),
                capture: FingerCapture::Template(Biometric::new(template(
                    master.impression(1, Condition::Station),
                ))),
            })
            .collect();
        let image = |position: fingerprint::FingerPosition| {
            let jpeg = filled(simulate::finger::image(body, position.code()), FINGER_BYTES);
            FingerImage { position, jpeg: Biometric::new(jpeg) }
        };
        let images = chip_fingers(&fingers).into_iter().map(image).collect();
        let photo = filled(simulate::photo::portrait(body, domain::Sex::Female, 30), PHOTO_BYTES);
        Face { fingers, images, photo: Biometric::new(photo) }
    }

    fn content(&self, record: ResidentRecord, rng: &mut StdRng) -> Content {
        Content {
            record,
            claimed_person_id: None,
            differs: Vec::new(),
            receipt_hash: ReceiptCode::generate(rng).hash(),
            fingers: self.fingers.clone(),
            photo: self.photo.clone(),
            capture: CaptureMeta {
                officer: "bench".to_owned(),
                scanner: "simulated".to_owned(),
                camera: "simulated".to_owned(),
                software: "bench".to_owned(),
            },
            finger_images: self.images.clone(),
        }
    }
}

/// A JPEG file with comments behind its first marker, up to nearly this size.
fn filled(jpeg: Vec<u8>, bytes: usize) -> Vec<u8> {
    let mut file = jpeg;
    let mut noise = 1u8;
    while file.len() + 4 < bytes {
        let room = (bytes - file.len() - 4).min(60_000);
        let length = u16::try_from(room + 2).unwrap_or(u16::MAX).to_be_bytes();
        let comment = (0..room).map(|_| {
            noise = noise.wrapping_mul(109).wrapping_add(89);
            noise
        });
        let segment: Vec<u8> = [0xFF, 0xFE, length[0], length[1]].into_iter().chain(comment).collect();
        file.splice(2..2, segment);
    }
    file
}
