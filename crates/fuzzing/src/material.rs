//! A synthetic country, card, kit and centre: what the seeds are made of, the same in every run.

use std::sync::LazyLock;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use time::OffsetDateTime;
use time::macros::datetime;
use zeroize::Zeroizing;

use card::data::{CardData, CardFields};
use domain::application::Kind;
use domain::id::{ApplicationId, CredentialId, KitId, PacketId};
use domain::record::Place;
use domain::{PartialDate, PersonName, Pin, ResidentRecord, Sex};
use fingerprint::synthetic::{Condition, Master, person_masters};
use fingerprint::{FingerPosition, Format, encode_as};
use hsm::{SoftwareAgreementKey, SoftwareSigner};
use packet::keys::{IntakeKey, KeyError, PublicKey};
use packet::{
    Biometric, CaptureMeta, Carries, Content, Envelope, Finger, FingerCapture, FingerImage, MissingReason,
};
use pki::Signer;
use specimen::{Country, Files, PHOTO, person};

pub use specimen::{START, serial};

pub(crate) const DAY: OffsetDateTime = datetime!(2021-04-06 01:00 UTC);

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(crate) static HOME: LazyLock<Country> = LazyLock::new(|| Country::reproducible(1));

/// The files of a genuine card.
pub static FILES: LazyLock<Files> = LazyLock::new(|| {
    let fields = CardFields {
        cmnd: Some("183456789"),
        marks: "Nốt ruồi",
        father: Some("Nguyễn Văn Mẫu"),
        mother: Some("Trần Thị Thử"),
        ..person()
    };
    let card = CardData::new(fields).expect("the fields of an invented person");
    HOME.sign(&specimen::groups(&card, PHOTO))
});

pub(crate) fn judge(files: &Files) -> verify::Verdict {
    static TRUST: LazyLock<[Vec<u8>; 1]> = LazyLock::new(|| [HOME.csca.der().to_vec()]);
    verify::check_files(files, &*TRUST, datetime!(2024-01-01 00:00 UTC))
}

/// Whoever signs here, with the public key.
pub struct Party {
    pub id: KitId,
    pub signer: SoftwareSigner,
    pub public: PublicKey,
}

/// The one secret key of the kit and of the centre's receipts.
pub fn secret() -> p256::SecretKey {
    let mut bytes = [0; 32];
    // As the signer below draws it.
    rng(3).fill_bytes(&mut bytes);
    p256::SecretKey::from_slice(&bytes).expect("the number that this seed gives lies below the curve's order")
}

fn party() -> Party {
    let signer = SoftwareSigner::generate(&mut rng(3)).reproducible();
    let public = PublicKey::from_spki(signer.public_key()).expect("a key of our own");
    Party { id: KitId::derive(START, &[b"kit"]), signer, public }
}

pub(crate) fn kit() -> &'static Party {
    static KIT: LazyLock<Party> = LazyLock::new(party);
    &KIT
}

/// Whoever works on the kit.
pub(crate) fn officer() -> &'static Party {
    static OFFICER: LazyLock<Party> = LazyLock::new(|| {
        let signer = SoftwareSigner::generate(&mut rng(5)).reproducible();
        let public = PublicKey::from_spki(signer.public_key()).expect("a key of our own");
        Party { id: kit().id, signer, public }
    });
    &OFFICER
}

pub(crate) struct Centre {
    pub receipts: Party,
    pub intake: Intake,
    /// What packets are encrypted to.
    pub public: PublicKey,
}

pub(crate) fn centre() -> &'static Centre {
    static CENTRE: LazyLock<Centre> = LazyLock::new(|| {
        let key = SoftwareAgreementKey::generate(&mut rng(4));
        let public = PublicKey::from_spki(key.public_key()).expect("a key of our own");
        Centre { receipts: party(), intake: Intake { key, public: public.clone() }, public }
    });
    &CENTRE
}

pub(crate) struct Intake {
    key: SoftwareAgreementKey,
    public: PublicKey,
}

impl IntakeKey for Intake {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn agree(&self, ephemeral: &PublicKey) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        let shared = self.key.diffie_hellman_point(&ephemeral.to_point()).ok_or(KeyError::NotAPoint)?;
        Ok(shared.into_bytes())
    }
}

pub(crate) fn envelope() -> Envelope {
    Envelope {
        packet_id: PacketId::derive(START, &[b"packet"]),
        application_id: ApplicationId::derive(START, &[b"application"]),
        kit_id: kit().id,
        kit_seq: 2,
        prev_sha256: Some([1; 32]),
        credential_id: CredentialId::derive(START, &[b"officer"]),
        captured_at: DAY,
        centre_at: Some(DAY),
        unit: "18562".parse().expect("the code of a commune"),
        carries: Carries::Application { kind: Kind::New },
    }
}

/// The application of an invented man with so many fingers.
pub fn content_of(fingers: usize) -> Content {
    let unit = "18562".parse().expect("the code of a commune");
    let template = template_seeds().swap_remove(0);
    let finger = |(index, position)| Finger {
        position,
        capture: match index {
            0 => FingerCapture::Template(Biometric::new(template.clone())),
            _ => FingerCapture::Missing(MissingReason::Amputated),
        },
    };
    let image = |position| FingerImage { position, jpeg: Biometric::new(PHOTO.to_vec()) };
    Content {
        record: ResidentRecord {
            name: PersonName::parse("Nguyễn Văn Mẫu").expect("a name"),
            sex: Sex::Male,
            birth: PartialDate::parse("06/04/1990").expect("a day"),
            pin: Some(Pin::compose(42, Sex::Male, 1990, 17).expect("a number of its place and time")),
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
        },
        claimed_person_id: None,
        differs: vec!["permanent".to_owned()],
        receipt_hash: [5; 32],
        fingers: FingerPosition::ALL.into_iter().take(fingers).enumerate().map(finger).collect(),
        photo: Biometric::new(PHOTO.to_vec()),
        capture: CaptureMeta {
            officer: "can-bo-1".to_owned(),
            scanner: "s10".to_owned(),
            camera: "c5".to_owned(),
            software: "dancu 0.1".to_owned(),
        },
        finger_images: FingerPosition::ALL.into_iter().take(fingers.min(1)).map(image).collect(),
    }
}

/// Records of fingers in each format.
pub(crate) fn template_seeds() -> Vec<Vec<u8>> {
    let finger = |master: &Master| master.impression(7, Condition::Station);
    let written = |(master, format)| encode_as(format, &[finger(master)]).expect("our own finger");
    let [first, second, ..] = &person_masters(1);
    [(first, Format::Iso2005), (second, Format::Iso2005), (first, Format::Iso2011), (first, Format::Ansi2004)]
        .map(written)
        .to_vec()
}
