//! Fingerprints on the chip: there as they were taken, signed, and kept back from readers without a right to
//! them.

use std::sync::Arc;

use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use sqlx::Row;

use crate::common::*;
use card::lds::{DataGroup, com, dg3};
use card::sod::Sod;
use chip::{
    Access, AccessNumber, ChipFiles, FileId, Lengths, Password, Session, Transport, VirtualChip, read_card,
};
use domain::Sex;
use domain::id::{ApplicationId, CardId, PersonId};
use issue::{Authority, ChipFiles as Files, ChipImages, ChipKeySource, Error, Fingers};
use store::Database;

struct Signed {
    application: ApplicationId,
    card: CardId,
    pin: String,
    dg1: Vec<u8>,
    dg13: Vec<u8>,
    sod: Vec<u8>,
}

impl Signed {
    fn rebuilt(&self, images: &ChipImages, source: &ChipKeySource) -> Result<Files, Error> {
        let keys = source.keys(self.card);
        issue::rebuild(self.dg1.clone(), self.dg13.clone(), self.sod.clone(), images, Some(&keys))
    }
}

fn source() -> ChipKeySource {
    ChipKeySource::new(vec![7; 40].into())
}

/// Signs a card for each of these holders' fingers.
async fn signed(db: &Database, fingers: Vec<Fingers>) -> (Arc<Authority>, Vec<(Signed, ChipImages)>) {
    let authority = Arc::into_inner(authority(db).await).unwrap().with_chip_keys(source());
    let authority = Arc::new(authority);
    let people: Vec<_> = fingers.iter().map(|_| (record(Sex::Female, "30/04/1975"), None)).collect();
    let applicants = register(db, 0, &people).await;
    let pins = |person: PersonId, attempt: u32| {
        let id = person.uuid().into_bytes();
        u32::from_be_bytes([0, id[13], id[14], id[15]]).wrapping_add(attempt)
    };
    let batch = issue::open_batch(db, &authority, &scope(), DISTRICT, 10, &pins, NOW).await.unwrap();
    let given: Vec<_> = applicants
        .iter()
        .zip(fingers)
        .map(|(applicant, fingers)| (applicant.application, ChipImages { fingers, ..images(100) }))
        .collect();
    let images = Arc::new(given.iter().cloned().collect());
    issue::sign_batch(db, &authority, batch.batch.unwrap(), images, NOW).await.unwrap();
    let rows = sqlx::query("SELECT application_id, card_id, pin, dg1, dg13, sod FROM card")
        .fetch_all(db.work())
        .await
        .unwrap();
    let card = |application: ApplicationId| {
        let row = rows.iter().find(|row| row.get::<uuid::Uuid, _>(0) == application.uuid()).unwrap();
        let card = CardId::from_uuid(row.get(1));
        Signed { application, card, pin: row.get(2), dg1: row.get(3), dg13: row.get(4), sod: row.get(5) }
    };
    (authority, given.into_iter().map(|(application, images)| (card(application), images)).collect())
}

#[tokio::test]
async fn fingers_are_on_the_chip_as_they_were_taken_or_said_to_be_none() {
    let db = testkit::fresh_database().await;
    // Two fingers, templates only, and two people without fingers.
    let fingers = vec![images(100).fingers, Fingers::NotTaken, Fingers::None, Fingers::None];
    let (_, cards) = signed(&db, fingers).await;
    let mut hashes = Vec::new();
    for (card, images) in &cards {
        let files = card.rebuilt(images, &source()).unwrap();
        let sod = Sod::parse(&card.sod).unwrap();
        let listed = com::parse(&files.com).unwrap().groups.contains(&DataGroup::DG3);
        assert_eq!(listed, files.dg3.is_some());
        assert_eq!(sod.hashes().contains_key(&DataGroup::DG3), listed);
        let Some(file) = &files.dg3 else {
            assert!(matches!(images.fingers, Fingers::NotTaken));
            continue;
        };
        assert_eq!(sod.matches(DataGroup::DG3, file), Some(true));
        let read = dg3::parse(file).unwrap();
        match &images.fingers {
            Fingers::Taken(taken) => assert_eq!(read, *taken),
            _ => assert_eq!(read, []),
        }
        hashes.push(sod.hashes()[&DataGroup::DG3].to_vec());
    }
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), 3, "who has no fingers is not told by a hash that is always the same");
    // A card that was signed without DG3 stays without it, whatever its packet holds.
    assert!(cards[1].0.rebuilt(&images(100), &source()).unwrap().dg3.is_none());
    assert_ne!(cards[2].0.application, cards[3].0.application);
}

#[test]
fn an_image_that_is_no_grey_jpeg_is_left_out_and_named() {
    let Fingers::Taken(sound) = images(100).fingers else { panic!("the test has two fingers") };
    let mut coloured = sound[1].data.clone();
    // The number of components in the frame header.
    coloured[11] = 3;
    let jpegs = [(sound[0].finger, &sound[0].data[..]), (sound[1].finger, &coloured)];
    let (fingers, left_out) = Fingers::of_jpegs(jpegs);
    assert!(matches!(&fingers, Fingers::Taken(taken) if taken[..] == sound[..1]), "{fingers:?}");
    assert_eq!(left_out.iter().map(|(finger, _)| *finger).collect::<Vec<_>>(), [sound[1].finger]);
    let (none, left_out) = Fingers::of_jpegs([(sound[1].finger, &coloured[..])]);
    assert!(matches!(none, Fingers::NotTaken) && left_out.len() == 1);
}

struct Direct(VirtualChip<ChaCha20Rng>);

impl Transport for Direct {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, chip::Error> {
        Ok(self.0.process(command))
    }
}

#[tokio::test]
async fn the_chip_keeps_the_fingers_back_and_the_rest_is_genuine() {
    let db = testkit::fresh_database().await;
    let (authority, cards) = signed(&db, vec![images(100).fingers]).await;
    let (card, images) = &cards[0];
    let files = card.rebuilt(images, &source()).unwrap();
    let named = files.named().into_iter().map(|(name, bytes)| (name, bytes.to_vec()));
    let rng = |seed| ChaCha20Rng::seed_from_u64(seed);
    let chip =
        VirtualChip::new(ChipFiles::from_named(named), Some(source().keys(card.card)), rng(1)).unwrap();
    let mut session = Session::new(Direct(chip), Lengths::Short);
    let number = AccessNumber::parse(&card.pin[6..]).unwrap();
    let access = Access { password: Password::AccessNumber(number), zone: None };
    let reading = read_card(&mut session, &access, &mut rng(2), &mut |_| {}).unwrap();
    let fingers = FileId::from_name("DG3").unwrap();
    assert_eq!(reading.refused, [fingers]);
    assert!(reading.missing.is_empty() && reading.files.get(fingers).is_none());
    let read = reading.files.iter().map(|(id, bytes)| (id.name(), bytes.to_vec())).collect();
    let trusted = [authority.csca.der().to_vec()];
    let verdict = verify::check_files(&read, &trusted, NOW);
    assert_eq!(verdict.overall, verify::Overall::Genuine, "{:?}", verdict.checks);
    // Whoever has the file, as after an export, has it checked too.
    let all = files.named().into_iter().map(|(name, bytes)| (name.to_owned(), bytes.to_vec()));
    let mut all: std::collections::BTreeMap<String, Vec<u8>> = all.collect();
    assert_eq!(verify::check_files(&all, &trusted, NOW).overall, verify::Overall::Genuine);
    let file = all.get_mut("DG3").unwrap();
    let last = file.len() - 3;
    file[last] ^= 1;
    assert_eq!(verify::check_files(&all, &trusted, NOW).overall, verify::Overall::Rejected);
}
