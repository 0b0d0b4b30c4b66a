//! The virtual chip, read through pcscd and a virtual reader: by the crate `dmrtd`, which we did not write,
//! and by our own reader. Both must also refuse what was tampered with.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;
#[path = "common/other_reader.rs"]
mod other_reader;
#[path = "common/pcscd.rs"]
mod pcscd;

use std::collections::BTreeMap;

use dmrtd::auth::passive::PassiveAuthError;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use time::OffsetDateTime;
use time::macros::datetime;

use chip::{
    Access, AccessNumber, ChipFiles, ChipKeys, FileId, MrzKey, Opened, Password, Proof, Session, VirtualChip,
    read_card,
};
use common::TestCard;
use other_reader::{Judgement, Key, connect, other_reader};
use pcscd::VirtualReader;
use verify::Overall;

/// When the card is issued.
const ISSUED: OffsetDateTime = datetime!(2021-04-06 0:00 UTC);

type Chip = VirtualChip<ChaCha20Rng>;

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn chip(card: &TestCard, change: impl FnOnce(&mut BTreeMap<String, Vec<u8>>)) -> Chip {
    let mut files = card.files.clone();
    change(&mut files);
    let files = ChipFiles::from_named(files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())));
    VirtualChip::new(files, Some(ChipKeys::from_bytes(&card.keys.to_bytes()).unwrap()), rng(1)).unwrap()
}

fn assert_genuine(judgement: &Judgement) {
    let passive = judgement.passive.as_ref().unwrap();
    assert!(passive.is_authentic(), "{:?}", passive.chain);
    assert_eq!(passive.verified_groups, [1, 2, 13, 14, 15]);
    assert_eq!(passive.sod_groups, [1, 2, 3, 13, 14, 15]);
    judgement.active.as_ref().unwrap();
    assert_eq!((judgement.names.0.as_str(), judgement.names.1.as_str()), ("NGUYEN", "THI MAU"));
    assert!(judgement.fingers.is_err(), "DG3 was given out without Terminal Authentication");
}

/// The same through our own reader and verifier.
fn our_reader(reader: &str, card: &TestCard, password: Password) -> (chip::Reading, Overall) {
    let wire = connect(reader);
    let lengths = wire.lengths();
    let mut session = Session::new(wire, lengths);
    let access = Access { password, zone: Some(MrzKey::of(&card.mrz)) };
    let reading = read_card(&mut session, &access, &mut rng(2), &mut |_| ()).unwrap();
    let files = reading.files.iter().map(|(id, bytes)| (id.name(), bytes.to_vec())).collect();
    let verdict = verify::check_files(&files, &[card.csca.der().to_vec()], ISSUED);
    (reading, verdict.overall)
}

/// One test, because there is one pcscd on a machine.
#[test]
fn readers_we_wrote_and_did_not_write_agree_about_the_chip() {
    let reader = VirtualReader::start();
    let card = common::build(7);
    let csca = card.csca.der();
    let number = card.mrz.pin()[6..].to_owned();
    let can = || Password::AccessNumber(AccessNumber::parse(&number).unwrap());

    let mut genuine = chip(&card, |_| ());
    for key in [Key::PaceNumber(&number), Key::PaceZone(&card.mrz), Key::Bac(&card.mrz)] {
        let judgement = reader.with_card(&mut genuine, |name| other_reader(name, &key, csca)).unwrap();
        assert_genuine(&judgement);
    }
    let wrong = reader.with_card(&mut genuine, |name| other_reader(name, &Key::PaceNumber("999999"), csca));
    assert!(wrong.is_err(), "opened with a wrong access number");

    let (reading, overall) = reader.with_card(&mut genuine, |name| our_reader(name, &card, can()));
    assert_eq!((reading.opened, overall), (Opened::Pace, Overall::Genuine));
    assert_eq!((reading.chip_authentication, reading.active_authentication), (Proof::Given, Proof::Given));
    assert_eq!((reading.refused, reading.missing), (vec![FileId::from_name("DG3").unwrap()], vec![]));
    for (name, bytes) in &card.files {
        if name != "DG3" {
            assert_eq!(reading.files.get(FileId::from_name(name).unwrap()), Some(bytes.as_slice()), "{name}");
        }
    }

    // Another photo, as a forger would put in: one bit in the middle of DG2.
    let mut forged = chip(&card, |files| {
        let photo = files.get_mut("DG2").unwrap();
        let middle = photo.len() / 2;
        photo[middle] ^= 1;
    });
    let judgement =
        reader.with_card(&mut forged, |name| other_reader(name, &Key::Bac(&card.mrz), csca)).unwrap();
    assert_eq!(judgement.passive.unwrap_err(), PassiveAuthError::DataGroupHashMismatch(2));
    let (_, overall) = reader.with_card(&mut forged, |name| our_reader(name, &card, can()));
    assert_eq!(overall, Overall::Rejected);

    // Genuine files, copied to a chip that does not know the private keys.
    let files = ChipFiles::from_named(card.files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())));
    let mut copy = VirtualChip::new(files, Some(ChipKeys::generate(&mut rng(9))), rng(1)).unwrap();
    let judgement =
        reader.with_card(&mut copy, |name| other_reader(name, &Key::PaceNumber(&number), csca)).unwrap();
    assert!(judgement.passive.unwrap().is_authentic() && judgement.active.is_err());
    let (reading, _) = reader.with_card(&mut copy, |name| our_reader(name, &card, can()));
    assert_eq!(reading.chip_authentication, Proof::Failed);

    // Without EF.CardAccess only Basic Access Control is left.
    let mut old = chip(&card, |files| drop(files.remove("EF.CardAccess")));
    let (reading, _) = reader.with_card(&mut old, |name| our_reader(name, &card, can()));
    assert_eq!(reading.opened, Opened::BasicAccess);
}
