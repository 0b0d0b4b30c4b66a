//! A synthetic citizen, kit, officer and centre.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::macros::datetime;
use zeroize::Zeroizing;

use domain::application::Kind;
use domain::id::{ApplicationId, CredentialId, KitId, PacketId};
use domain::record::Place;
use domain::{PartialDate, PersonName, Pin, ResidentRecord, Sex};
use fingerprint::{Capture, FingerPosition, Impression, Minutia, MinutiaKind, Template};
use hsm::{DataKey, KeyEncryptionKey, SoftwareAgreementKey, SoftwareSigner};
use packet::keys::{CentreKeys, DrawnKey, IntakeKey, KeyError, PublicKey, WRAPPED_BYTES, WrappingKey};
use packet::{
    Biometric, CaptureMeta, Carries, Content, Envelope, Finger, FingerCapture, FingerImage, Payload, Signers,
    seal,
};
use pki::Signer;

pub const DAY: OffsetDateTime = datetime!(2021-04-06 01:00 UTC);

pub fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// A kit with its officer, and the hashes of what it sealed: each packet names the one before it.
pub struct TestKit {
    pub id: KitId,
    pub signer: SoftwareSigner,
    pub officer: SoftwareSigner,
    chain: Mutex<BTreeMap<u64, [u8; 32]>>,
}

/// Stands in an envelope for the hash that [`TestKit::seal`] fills in.
pub const FILLED_IN: [u8; 32] = [0; 32];
/// Packets that are sealed to have the one before, and no more.
const LONGEST_GAP: u64 = 50;

impl TestKit {
    pub fn new(number: u64) -> Self {
        let signer = |seed| SoftwareSigner::generate(&mut rng(seed)).reproducible();
        Self {
            id: KitId::derive(DAY, &[&number.to_be_bytes()]),
            signer: signer(1_000 + number),
            officer: signer(2_000 + number),
            chain: Mutex::default(),
        }
    }

    pub fn public(&self) -> PublicKey {
        PublicKey::from_spki(self.signer.public_key()).unwrap()
    }

    pub fn officer_public(&self) -> PublicKey {
        PublicKey::from_spki(self.officer.public_key()).unwrap()
    }

    pub fn credential(&self) -> CredentialId {
        credential_of(self.id)
    }

    pub fn signers(&self) -> Signers<'_> {
        Signers { kit: &self.signer, officer: &self.officer }
    }

    /// A packet of citizen `number`, sealed with that number's random bytes.
    pub fn packet(&self, number: u64, kit_seq: u64) -> Vec<u8> {
        self.seal(&envelope(self.id, number, kit_seq), &content(number), number)
    }

    /// Seals a whole application.
    pub fn seal(&self, envelope: &Envelope, content: &Content, seed: u64) -> Vec<u8> {
        self.seal_any(envelope, &content.clone().into(), seed)
    }

    pub fn seal_any(&self, envelope: &Envelope, payload: &Payload, seed: u64) -> Vec<u8> {
        let envelope = self.placed(envelope);
        let packet = seal(&envelope, payload, self.signers(), &centre_public(), &mut rng(seed)).unwrap();
        self.note(&envelope, &packet);
        packet
    }

    /// Notes a packet that was sealed elsewhere as the one of its number, if it is the first.
    pub fn note(&self, envelope: &Envelope, packet: &[u8]) {
        let sha256: [u8; 32] = Sha256::digest(packet).into();
        self.chain.lock().unwrap().entry(envelope.kit_seq).or_insert(sha256);
    }

    /// The envelope with the hash of the packet before it, which is sealed if it was not.
    pub fn placed(&self, envelope: &Envelope) -> Envelope {
        let mut placed = envelope.clone();
        if placed.prev_sha256 != Some(FILLED_IN) {
            return placed;
        }
        let before = placed.kit_seq - 1;
        let last = self.chain.lock().unwrap().range(..=before).next_back().map_or(0, |(seq, _)| *seq);
        if before - last < LONGEST_GAP {
            for seq in last + 1..=before {
                self.packet(seq, seq);
            }
        }
        let unknown = Sha256::digest(before.to_be_bytes()).into();
        placed.prev_sha256 = Some(self.chain.lock().unwrap().get(&before).copied().unwrap_or(unknown));
        placed
    }
}

/// The credential of the officer of a kit.
pub fn credential_of(kit: KitId) -> CredentialId {
    CredentialId::derive(DAY, &[kit.uuid().as_bytes()])
}

/// An intake key as the software key store keeps it.
pub struct TestIntakeKey {
    key: SoftwareAgreementKey,
    public: PublicKey,
}

impl TestIntakeKey {
    pub fn new(seed: u64) -> Self {
        let key = SoftwareAgreementKey::generate(&mut rng(seed));
        let public = PublicKey::from_spki(key.public_key()).unwrap();
        Self { key, public }
    }
}

impl IntakeKey for TestIntakeKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn agree(&self, ephemeral: &PublicKey) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        let point =
            p256::PublicKey::from_sec1_bytes(&ephemeral.to_point()).map_err(|_| KeyError::NotAPoint)?;
        Ok(Zeroizing::new(*self.key.diffie_hellman(&point).as_bytes()))
    }
}

pub struct TestWrappingKey(KeyEncryptionKey);

impl TestWrappingKey {
    pub fn new(seed: u64) -> Self {
        Self(KeyEncryptionKey::generate(&mut rng(seed)))
    }
}

impl WrappingKey for TestWrappingKey {
    fn wrap(&self, key: &DrawnKey) -> Result<[u8; WRAPPED_BYTES], KeyError> {
        Ok(self.0.wrap(&DataKey::from_bytes(key.bytes().clone())))
    }

    fn unwrap(&self, wrapped: &[u8]) -> Result<DrawnKey, KeyError> {
        let key = self.0.unwrap(wrapped).map_err(|_| KeyError::WrongWrappingKey)?;
        Ok(DrawnKey::unwrapped(key.into_bytes()))
    }
}

pub fn intake_key() -> TestIntakeKey {
    TestIntakeKey::new(1)
}

pub fn centre_public() -> PublicKey {
    intake_key().public_key().clone()
}

pub fn centre_keys() -> Arc<CentreKeys> {
    Arc::new(CentreKeys { intake: vec![Box::new(intake_key())], wrapping: Box::new(TestWrappingKey::new(7)) })
}

pub fn receipt_signer() -> SoftwareSigner {
    SoftwareSigner::generate(&mut rng(2)).reproducible()
}

pub fn envelope(kit_id: KitId, number: u64, kit_seq: u64) -> Envelope {
    Envelope {
        packet_id: PacketId::derive(DAY, &[&number.to_be_bytes()]),
        application_id: application_id(number),
        kit_id,
        kit_seq,
        prev_sha256: (kit_seq > 1).then_some(FILLED_IN),
        credential_id: credential_of(kit_id),
        captured_at: DAY + time::Duration::seconds(number as i64),
        centre_at: None,
        unit: "18562".parse().unwrap(),
        carries: Carries::Application { kind: Kind::New },
    }
}

pub fn application_id(number: u64) -> ApplicationId {
    ApplicationId::derive(DAY, &[&number.to_be_bytes()])
}

pub fn record(number: u64) -> ResidentRecord {
    let unit = "18562".parse().unwrap();
    ResidentRecord {
        name: PersonName::parse("Nguyễn Văn Mẫu").unwrap(),
        sex: Sex::Male,
        birth: PartialDate::parse("06/04/1990").unwrap(),
        pin: Some(Pin::compose(42, Sex::Male, 1990, (number % 1_000_000) as u32).unwrap()),
        old_id: None,
        ethnicity: 1,
        religion: 0,
        nationality: "VNM".to_owned(),
        marital: Some(1),
        blood: None,
        birth_registration: Some(unit),
        native_place: Some(unit),
        permanent: Place { unit, detail: "Thôn 3".to_owned() },
        current: None,
        father: None,
        mother: None,
        spouse: None,
        household: None,
        relation_to_head: None,
    }
}

/// About 400 bytes: 60 minutiae.
pub fn template(position: FingerPosition, rng: &mut ChaCha20Rng) -> Vec<u8> {
    let capture =
        Capture { position, impression: Impression::LiveScanPlain, quality: 80, width: 320, height: 480 };
    let minutiae = (0..60).map(|_| Minutia {
        x: rng.random_range(0..320),
        y: rng.random_range(0..480),
        angle: rng.random(),
        kind: MinutiaKind::Ending,
        quality: 80,
    });
    fingerprint::encode(&[Template::new(capture, minutiae.collect()).unwrap()]).unwrap()
}

/// Starts and ends as a JPEG file does, which is all that the intake looks at; 8 kB.
pub fn photo(rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut photo = vec![0xff, 0xd8, 0xff, 0xe0];
    photo.extend((0..8_000).map(|_| rng.random::<u8>()));
    photo.extend([0xff, 0xd9]);
    photo
}

/// The same for a finger; 5 kB.
pub fn image(rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut image = photo(rng);
    image.drain(10..3_010);
    image
}

pub fn content(number: u64) -> Content {
    let mut rng = rng(number);
    let fingers = FingerPosition::ALL.map(|position| Finger {
        position,
        capture: FingerCapture::Template(Biometric::new(template(position, &mut rng))),
    });
    Content {
        record: record(number),
        claimed_person_id: None,
        differs: vec!["permanent".to_owned(), "marital".to_owned()],
        receipt_hash: packet::ReceiptCode::generate(&mut rng).hash(),
        fingers: fingers.to_vec(),
        photo: Biometric::new(photo(&mut rng)),
        capture: CaptureMeta {
            officer: "can-bo-1".to_owned(),
            scanner: "s10".to_owned(),
            camera: "c5".to_owned(),
            software: "dancu 0.1".to_owned(),
        },
        finger_images: [FingerPosition::RightIndex, FingerPosition::LeftIndex]
            .map(|position| FingerImage { position, jpeg: Biometric::new(image(&mut rng)) })
            .to_vec(),
    }
}
