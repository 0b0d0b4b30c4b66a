//! What a chip and a reader send each other, and the files that only they exchange.

use std::io::{self, Cursor, Read, Write};

use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

use crate::material::FILES;
use card::apdu::{Command, Response};
use card::ec_key::{Curve, EcPublicKey};
use card::lds::dg3::{self, Finger, FingerImage};
use card::lds::{DataGroup, card_access, com, dg14, dg15};
use card::mrz::Mrz;
use card::secure_messaging::{Channel, Cipher, SessionKeys};
use chip::{
    Access, AccessNumber, ChipFiles, ChipKeys, Error, FileId, Lengths, MrzKey, Password, Session, Transport,
    VirtualChip, read_card, vpcd,
};

/// What stands in DG3 and must never leave the chip.
const RIDGES: &[u8] = b"ridges of nobody";

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn fingers() -> Vec<u8> {
    let image = |finger| {
        FingerImage::packed(finger, 32, 4, RIDGES.to_vec()).expect("sixteen bytes are 32 by 4 pixels")
    };
    dg3::encode(&[image(Finger::RightIndex), image(Finger::LeftIndex)], &[])
}

fn virtual_chip() -> VirtualChip<ChaCha20Rng> {
    let keys = ChipKeys::generate(&mut rng(1));
    let mut files = ChipFiles::from_named(FILES.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())));
    let group = |number| DataGroup::from_number(number).expect("a data group's number");
    files.insert(FileId::CardAccess, card_access::encode(&card_access::of_citizen_card()));
    files.insert(FileId::Com, com::encode(&[1, 3, 14, 15].map(group)));
    files.insert(FileId::Group(group(3)), fingers());
    let infos = dg14::of_citizen_card(keys.agreement_key().clone());
    files.insert(FileId::Group(group(14)), dg14::encode(&infos));
    files.insert(FileId::Group(group(15)), dg15::encode(keys.signature_key()));
    VirtualChip::new(files, Some(keys), rng(2)).expect("our own card")
}

/// The stream that a virtual reader sends: controls and commands, each behind its length.
pub fn vpcd(data: &[u8]) -> bool {
    struct Wire<'a>(Cursor<&'a [u8]>, Vec<u8>);
    impl Read for Wire<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }
    impl Write for Wire<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut wire = Wire(Cursor::new(data), Vec::new());
    let mut done = false;
    let watch = |event| done |= matches!(event, vpcd::Event::Command { status: 0x9000, .. });
    let ended = vpcd::serve(&mut wire, &mut virtual_chip(), watch);
    assert!(!wire.1.windows(RIDGES.len()).any(|window| window == RIDGES), "DG3 left the chip");
    assert!(!wire.1.windows(5).any(|window| window == b"IDVNM"), "DG1 left the chip in the clear");
    ended.is_ok() && done
}

/// What a chip answers to our reader, each answer behind its length.
pub fn answers(data: &[u8]) -> bool {
    struct Answers<'a>(&'a [u8]);
    impl Transport for Answers<'_> {
        fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, Error> {
            Command::parse(command).expect("our reader sends well-formed commands");
            let over = || Error::Transport("no more answers".to_owned());
            let (length, rest) = self.0.split_first_chunk::<2>().ok_or_else(over)?;
            let (answer, rest) =
                rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or_else(over)?;
            self.0 = rest;
            Ok(answer.to_vec())
        }
    }
    let mut session = Session::new(Answers(data), Lengths::Short);
    read_card(&mut session, &access(data.first() == Some(&1)), &mut rng(3), &mut |_| ()).is_ok()
}

/// A first byte of one stands for a card that is opened by its zone.
fn access(by_zone: bool) -> Access {
    let mrz: Mrz = card::lds::dg1::parse(&FILES["DG1"]).expect("our own card");
    let zone = MrzKey::of(&mrz);
    let password =
        if by_zone { Password::Mrz(zone.clone()) } else { Password::AccessNumber(AccessNumber::of(&mrz)) };
    Access { password, zone: Some(zone) }
}

/// A whole conversation of ours, as both sides saw it.
fn conversation(by_zone: bool, without_pace: bool) -> (Vec<u8>, Vec<u8>) {
    struct Recorder(VirtualChip<ChaCha20Rng>, Vec<u8>, Vec<u8>);
    impl Transport for &mut Recorder {
        fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, Error> {
            let answer = self.0.process(command);
            for (record, bytes) in [(&mut self.1, command), (&mut self.2, &answer)] {
                record.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
                record.extend_from_slice(bytes);
            }
            Ok(answer)
        }
    }
    let mut recorder = Recorder(virtual_chip(), Vec::new(), Vec::new());
    let mut session = Session::new(&mut recorder, Lengths::Short);
    let access = access(by_zone);
    if without_pace {
        session.select_application().expect("our own card");
        let zone = access.zone.expect("both are known");
        session.basic_access(&zone, &mut rng(3)).expect("our own card");
        session.read_file(FileId::Com, &mut |_, _| ()).expect("our own card");
    } else {
        read_card(&mut session, &access, &mut rng(3), &mut |_| ()).expect("our own card");
    }
    (recorder.1, recorder.2)
}

pub(crate) fn vpcd_seeds() -> Vec<Vec<u8>> {
    let powered = |commands: Vec<u8>| [&[0, 1, 1, 0, 1, 4][..], &commands, &[0, 1, 0]].concat();
    [conversation(false, false), conversation(true, false), conversation(true, true)]
        .map(|(commands, _)| powered(commands))
        .to_vec()
}

pub(crate) fn answers_seeds() -> Vec<Vec<u8>> {
    vec![conversation(false, false).1]
}

/// A command in the clear and under secure messaging, as a chip takes it; and the same bytes as a response.
pub fn apdu(data: &[u8]) -> bool {
    let mut taken = false;
    if let Ok(command) = Command::parse(data) {
        assert_eq!(command.to_bytes(), data, "there is one way to write what was read");
        assert!(command.le.is_none_or(|le| (1..=65_536).contains(&le)));
        for cipher in [Cipher::TripleDes, Cipher::Aes128] {
            let opened = Channel::new(SessionKeys::derive(cipher, b"shared"), 0).open_command(&command);
            if let Ok(opened) = opened {
                let mut again = Channel::new(SessionKeys::derive(cipher, b"shared"), 0);
                let sealed = again.seal_command(&opened);
                assert_eq!(Command::parse(&sealed.to_bytes()).expect("what we write can be read"), sealed);
            }
        }
        taken = true;
    }
    if let Ok(response) = Response::parse(data) {
        assert_eq!(response.to_bytes(), data);
        for cipher in [Cipher::TripleDes, Cipher::Aes128] {
            let _ = Channel::new(SessionKeys::derive(cipher, b"shared"), 0).open_response(&response);
        }
    }
    taken
}

pub(crate) fn apdu_seeds() -> Vec<Vec<u8>> {
    let plain = Command::new(0, 0xA4, 4, 0x0C, &[0xA0, 0, 0, 2, 0x47, 0x10, 1], None);
    let long = Command { extended: true, ..Command::new(0, 0xB1, 0, 0, &[0x54, 2, 0x80, 0], Some(4_000)) };
    let mut seeds = vec![plain.to_bytes(), long.to_bytes()];
    for cipher in [Cipher::TripleDes, Cipher::Aes128] {
        let channel = || Channel::new(SessionKeys::derive(cipher, b"shared"), 0);
        seeds.extend([&plain, &long].map(|command| channel().seal_command(command).to_bytes()));
    }
    seeds
}

pub(crate) fn dg3(data: &[u8]) -> bool {
    let Ok(images) = dg3::parse(data) else { return false };
    assert!(images.len() <= 20 && images.iter().map(|image| image.data.len()).sum::<usize>() < data.len());
    true
}

pub(crate) fn dg3_seeds() -> Vec<Vec<u8>> {
    vec![fingers(), dg3::encode(&[], b"filler")]
}

pub(crate) fn dg14(data: &[u8]) -> bool {
    let Ok(infos) = dg14::parse(data) else { return false };
    assert!(infos.contains_all(&infos) && infos.iter().count() <= 64);
    assert!(dg14::parse(&dg14::encode(&infos)).expect("what we write can be read") == infos);
    true
}

pub(crate) fn dg14_seeds() -> Vec<Vec<u8>> {
    let keys = ChipKeys::generate(&mut rng(1));
    vec![dg14::encode(&dg14::of_citizen_card(keys.agreement_key().clone()))]
}

pub(crate) fn dg15(data: &[u8]) -> bool {
    let Ok(key) = dg15::parse(data) else { return false };
    let again: EcPublicKey = dg15::parse(&dg15::encode(&key)).expect("what we write can be read");
    assert!(again == key && matches!(key.curve(), Curve::P256 | Curve::BrainpoolP256r1));
    // A point off the curve must be refused where it is used, not crash there.
    assert!(!chip::active_signature_is_right(&key, b"challenge", &[0; 64]));
    true
}

pub(crate) fn dg15_seeds() -> Vec<Vec<u8>> {
    vec![dg15::encode(ChipKeys::generate(&mut rng(1)).signature_key())]
}

pub(crate) fn card_access(data: &[u8]) -> bool {
    let Ok(infos) = card_access::parse(data) else { return false };
    assert!(card_access::parse(&card_access::encode(&infos)).expect("what we write can be read") == infos);
    true
}

pub(crate) fn card_access_seeds() -> Vec<Vec<u8>> {
    vec![card_access::encode(&card_access::of_citizen_card())]
}
