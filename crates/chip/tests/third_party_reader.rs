//! The virtual chip, read through pcscd and a virtual reader: by the crate `dmrtd`, which we did not write, and by our own
//! reader. Both must also refuse what was tampered with.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;
#[path = "common/pcscd.rs"]
mod pcscd;

use card::mrz::Mrz;
use chip::pcsc::PcscCard;
use chip::{
    Access, AccessNumber, ChipFiles, ChipKeys, FileId, MrzKey, Opened, Password, Proof, Session, Transport,
    VirtualChip, read_card,
};
use chrono::NaiveDate;
use common::{ISSUED, TestCard};
use dmrtd::auth::passive::{self, DataGroup, PassiveAuth, PassiveAuthError, TrustAnchor};
use dmrtd::com::{TransceiveError, Transceiver};
use dmrtd::lds::ef::ElementaryFile;
use dmrtd::passport::{Passport, PassportError};
use dmrtd::proto::{can_key::CanKey, dba_key::DBAKey};
use pcscd::VirtualReader;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use std::collections::BTreeMap;
use std::time::Duration;
use verify::Overall;

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

/// PC/SC as `dmrtd` wants it.
struct Wire(PcscCard);

impl Transceiver for Wire {
    fn transceive(&mut self, apdu: &[u8]) -> Result<Vec<u8>, TransceiveError> {
        self.0.transmit(apdu).map_err(|error| TransceiveError::new(error.to_string()))
    }
}

fn connect(reader: &str) -> PcscCard {
    PcscCard::connect(reader, Duration::from_secs(20)).unwrap()
}

enum Key<'a> {
    Bac(&'a Mrz),
    PaceNumber(&'a str),
    PaceZone(&'a Mrz),
}

fn zone_key(mrz: &Mrz, pace: bool) -> DBAKey {
    let date = |text: &str, century: i32| {
        let number = |range: std::ops::Range<usize>| text[range].parse::<u32>().unwrap();
        NaiveDate::from_ymd_opt(century + number(0..2) as i32, number(2..4), number(4..6)).unwrap()
    };
    let number = &mrz.lines()[0][5..14];
    DBAKey::new(number, date(mrz.birth(), 1900), date(mrz.expiry(), 2000), pace).unwrap()
}

/// What the other reader makes of a card: DG1, DG2, DG13, DG14 and DG15 under EF.SOD, and Active Authentication.
struct Judgement {
    passive: Result<PassiveAuth, PassiveAuthError>,
    active: Result<(), PassportError>,
    names: (String, String),
    fingers: Result<Vec<u8>, PassportError>,
}

fn other_reader(reader: &str, key: &Key<'_>, csca: &[u8]) -> Result<Judgement, PassportError> {
    let mut passport = Passport::new(Wire(connect(reader)));
    match key {
        Key::Bac(mrz) => passport.start_session(zone_key(mrz, false))?,
        Key::PaceNumber(number) => {
            let access = passport.read_ef_card_access()?;
            passport.start_session_pace(CanKey::new(number).unwrap(), &access)?;
        }
        Key::PaceZone(mrz) => {
            let access = passport.read_ef_card_access()?;
            passport.start_session_pace(zone_key(mrz, true), &access)?;
        }
    }
    passport.read_ef_com()?;
    let dg1 = passport.read_ef_dg1()?;
    let groups = [
        (1, dg1.to_bytes().to_vec()),
        (2, passport.read_ef_dg2()?.to_bytes().to_vec()),
        (13, passport.read_ef_dg13()?.to_bytes().to_vec()),
        (14, passport.read_ef_dg14()?.to_bytes().to_vec()),
        (15, passport.read_ef_dg15()?.to_bytes().to_vec()),
    ];
    let sod = passport.read_ef_sod()?;
    let groups = groups.each_ref().map(|(number, bytes)| DataGroup { number: *number, bytes });
    let anchor = TrustAnchor::from_certificate(csca).unwrap();
    let zone = dg1.mrz();
    Ok(Judgement {
        passive: passive::verify(sod.to_bytes(), &groups, &[anchor]),
        active: passport.verify_active_authentication(b"8 bytes!"),
        names: (zone.last_name.clone(), zone.first_name.clone()),
        fingers: passport.read_ef_dg3().map(|file| file.to_bytes().to_vec()),
    })
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
