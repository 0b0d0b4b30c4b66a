//! A blank is written, cut off, resumed, and refuses whoever may not write it.

use std::path::Path;

use proptest::prelude::*;

use super::tests::*;
use super::*;
use crate::encoder::{Encoder, Found, IsoEncoder};
use crate::worked_examples::unhex;
use crate::{ChipImage, ChipSerial, Lengths, MasterKey, Session, Transport, TransportKey, write_image};
use card::lds::{card_access, com, dg14, dg15};
use card::tlv::{self, Tag};

fn serial() -> ChipSerial {
    ChipSerial::parse("47905555000100000007").unwrap()
}

fn key() -> TransportKey {
    MasterKey::parse(&"07".repeat(32)).unwrap().transport_key(serial())
}

pub(super) fn image(big: usize) -> ChipImage {
    let keys = ChipKeys::generate(&mut rng(1));
    let body = |length: usize| (0..length).map(|i| (i * 7 % 251) as u8).collect::<Vec<u8>>();
    let groups = [1, 2, 3, 14, 15].map(|n| DataGroup::from_number(n).unwrap());
    let files = ChipFiles::from_named([
        ("EF.CardAccess", card_access::encode(&card_access::of_citizen_card())),
        ("EF.COM", com::encode(&groups)),
        ("EF.SOD", tlv::encode(Tag(0x77), &[&body(300)])),
        ("DG1", dg1::encode(&mrz())),
        ("DG2", tlv::encode(Tag(0x75), &[&body(big)])),
        ("DG3", tlv::encode(Tag(0x63), &[&body(900)])),
        ("DG14", dg14::encode(&dg14::of_citizen_card(keys.agreement_key().clone()))),
        ("DG15", dg15::encode(keys.signature_key())),
    ]);
    ChipImage::new(files, keys).unwrap()
}

/// A blank whose memory lies in a file.
fn blank(dir: &Path) -> Chip {
    let path = dir.join("chip.memory");
    let memory = match std::fs::read(&path) {
        Ok(bytes) => Memory::from_bytes(&bytes).unwrap(),
        Err(_) => Memory::blank(serial(), key()),
    };
    VirtualChip::of(memory, rng(2)).kept_by(move |memory| std::fs::write(&path, memory.to_bytes()).is_ok())
}

fn write<T: Transport>(
    encoder: &mut IsoEncoder<T>,
    image: &ChipImage,
    key: &TransportKey,
) -> Result<(), Error> {
    encoder.begin(key, &mut rng(3))?;
    write_image(encoder, image, &mut |_| ())?;
    encoder.activate()
}

fn check_files(chip: &mut Chip, image: &ChipImage) {
    let mut session = opened(&mut *chip, &can("012345"), Lengths::Short);
    for (id, bytes) in image.files().iter().filter(|(id, _)| *id != FileId::CardAccess) {
        match session.read_file(id, &mut |_, _| ()).unwrap() {
            crate::ReadFile::Refused => assert!(id.needs_terminal_authentication()),
            read => assert_eq!(read, crate::ReadFile::Bytes(bytes.to_vec()), "{}", id.name()),
        }
    }
    assert_eq!(session.serial().unwrap(), Some(serial()));
}

fn check_card(chip: &mut Chip, image: &ChipImage) {
    check_files(chip, image);
    let mut session = Session::new(&mut *chip, Lengths::Short);
    session.select_application().unwrap();
    session.basic_access(image.zone(), &mut rng(4)).unwrap();
    let reading = whole(chip, can("012345")).unwrap();
    assert_eq!(reading.chip_authentication, crate::Proof::Given);
    assert_eq!(reading.active_authentication, crate::Proof::Given);
}

#[test]
fn a_blank_becomes_a_card_with_short_and_extended_commands() {
    for lengths in [Lengths::Short, Lengths::Extended(4_000)] {
        let dir = tempfile::tempdir().unwrap();
        let (mut chip, image) = (blank(dir.path()), image(BIG));
        let mut encoder = IsoEncoder::new(&mut chip, lengths);
        let found = Found { life: Life::Initialisation, serial: Some(serial()) };
        assert_eq!(encoder.identify().unwrap(), found);
        write(&mut encoder, &image, &key()).unwrap();
        check_card(&mut chip, &image);
        let mut chip = blank(dir.path());
        check_card(&mut chip, &image);
        let mut encoder = IsoEncoder::new(&mut chip, lengths);
        let found = encoder.identify().unwrap();
        assert_eq!(found, Found { life: Life::Operational, serial: None }, "nobody is followed by it");
    }
}

/// A chip whose power is cut before or after the command of this number takes effect.
struct Cut<'a> {
    chip: &'a mut Chip,
    left: usize,
    answers: bool,
}

impl Transport for Cut<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, Error> {
        if self.left == 0 {
            if self.answers {
                self.chip.process(command);
            }
            return Err(Error::Transport("no power".to_owned()));
        }
        self.left -= 1;
        Ok(self.chip.process(command))
    }
}

#[test]
fn whatever_the_command_at_which_the_power_is_cut_the_card_is_finished_later() {
    let image = image(3_000);
    let mut cuts = 0;
    for left in 0.. {
        for answers in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let mut chip = blank(dir.path());
            let mut encoder =
                IsoEncoder::new(Cut { chip: &mut chip, left, answers }, Lengths::Extended(1_000));
            if write(&mut encoder, &image, &key()).is_ok() {
                assert!(cuts > 50, "{cuts}");
                return;
            }
            cuts += 1;
            let mut chip = blank(dir.path());
            let mut encoder = IsoEncoder::new(&mut chip, Lengths::Short);
            if encoder.identify().unwrap().life == Life::Initialisation {
                write(&mut encoder, &image, &key()).unwrap();
            }
            check_files(&mut chip, &image);
        }
    }
}

#[test]
fn a_wrong_transport_key_opens_nothing_and_ten_lock_the_blank() {
    let dir = tempfile::tempdir().unwrap();
    let mut chip = blank(dir.path());
    let other = MasterKey::parse(&"08".repeat(32)).unwrap().transport_key(serial());
    let begin =
        |chip: &mut Chip, key: &TransportKey| IsoEncoder::new(chip, Lengths::Short).begin(key, &mut rng(3));
    for _ in 0..9 {
        assert!(matches!(begin(&mut chip, &other), Err(Error::WrongTransportKey)));
    }
    begin(&mut chip, &key()).unwrap();
    for _ in 0..10 {
        chip = blank(dir.path());
        assert!(matches!(begin(&mut chip, &other), Err(Error::WrongTransportKey)), "a restart helps nobody");
    }
    assert!(matches!(begin(&mut chip, &key()), Err(Error::WrongTransportKey)), "locked");
}

const WRITING: [&str; 7] = [
    "00E000000C 620A 80010A 820101 8302011C",
    "00D6000001 AA",
    "00D7000006 540100 5301AA",
    "00DB3FFF06 7F4803 840101",
    "0024010206 303132333435",
    "00440000",
    "00FE0000",
];

#[test]
fn a_stranger_cannot_write_a_blank_and_nobody_a_card() {
    let dir = tempfile::tempdir().unwrap();
    let mut chip = blank(dir.path());
    for command in WRITING {
        assert_eq!(raw(&mut chip, command), "6982", "{command}");
    }
    for (command, answer) in [
        ("00A40004023F0000", "62038A01039000"),
        ("0022C1A40F800A04007F00070202040202830102", "6985"), // PACE
        ("00A4020C02011E", "6A82"),
        ("00CA005A00", "6A88"),
        ("00CA9F7F", "6700"),
        ("0088000008010203040506070800", "6985"),
        ("0082000028", "6985"),
    ] {
        assert_eq!(raw(&mut chip, command), answer, "{command}");
    }
    assert_eq!(raw(&mut chip, "00CA9F7F00").len(), 2 * (3 + 42 + 2));
    let image = image(100);
    write(&mut IsoEncoder::new(&mut chip, Lengths::Short), &image, &key()).unwrap();
    assert_eq!(raw(&mut chip, "00A40004023F0000"), "62038A01059000");
    for command in WRITING {
        assert_eq!(raw(&mut chip, command), "6985", "{command}");
    }
    assert_eq!(raw(&mut chip, "00CA9F7F00"), "6982");
    let mut session = opened(&mut chip, &can("012345"), Lengths::Short);
    for command in WRITING {
        let command = Command::parse(&unhex(command)).unwrap();
        assert_eq!(session.transmit(&command).unwrap().status, StatusWord::CONDITIONS, "{command:?}");
    }
    drop(session);
    let wrong = IsoEncoder::new(&mut chip, Lengths::Short).begin(&key(), &mut rng(3));
    assert!(wrong.is_err(), "the transport key is gone");
    check_card(&mut chip, &image);
}

#[test]
fn what_does_not_fit_is_refused_with_its_status_word() {
    let dir = tempfile::tempdir().unwrap();
    let mut chip = blank(dir.path());
    let mut session = Session::new(&mut chip, Lengths::Short);
    session.transport_authentication(&key(), &mut rng(3)).unwrap();
    session.select_application().unwrap();
    for (command, answer) in [
        ("00D6000001AA", 0x6986),                               // nothing selected
        ("00E000000C 620A 80010A 820101 83020101", 0x9000),     // DG1, ten bytes
        ("00E000000C 620A 80010A 820101 83020101", 0x6A89),     // again
        ("00E000000C 620A 80010A 820101 8302011C", 0x6985),     // EF.CardAccess, not in the application
        ("00E000000C 620A 80010A 820138 83020102", 0x6A80),     // a directory
        ("00E000000C 620A 800100 820101 83020102", 0x6A80),     // of no size
        ("00E000000E 620C 8003100000 820101 83020102", 0x6A84), // a megabyte
        ("00E000000C 620A 80010A 820101 8302FFFF", 0x6A80),
        ("00E0000003 620180", 0x6A80),
        ("00E0010001 62", 0x6A86),
        ("00A4020C02 0101", 0x9000),
        ("00D6000003 AABBCC", 0x9000),
        ("00D6000A01 AA", 0x6B00),
        ("00D6000902 AABB", 0x6A84),
        ("00D60000", 0x6700),
        ("00D6810001 AA", 0x6A86),
        ("00D7000006 540109 5301AA", 0x9000),
        ("00D7000006 540109 5302AA", 0x6A80),
        ("00D7000005 5400 5301AA", 0x6A80),
        ("00DB3FFF08 7F48058401 01 9200", 0x6A80),
        ("00DA3FFF01 00", 0x6D00),
        ("0024010206 303132333435", 0x9000),
        ("0024010205 3031323334", 0x6A80),
        ("0024010306 303132333435", 0x6A88),
        ("0024000206 303132333435", 0x6A86),
        ("0024010118 313939303132333435373939303130313833393031303136", 0x6A80), // a check digit
        ("00440000", 0x6985),                                                    // not complete
    ] {
        let status = session.transmit(&Command::parse(&unhex(command)).unwrap()).unwrap().status;
        assert_eq!(status, StatusWord(answer), "{command}");
    }
    let outside = [&unhex("00DB3FFF28 7F4825 840101 9220")[..], &[0xFF; 32], &[][..]].concat();
    let status = session.transmit(&Command::parse(&outside).unwrap()).unwrap().status;
    assert_eq!(status, StatusWord::WRONG_DATA, "a number outside the group");
}

#[test]
fn a_terminated_chip_holds_and_does_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (mut chip, image) = (blank(dir.path()), image(100));
    let mut encoder = IsoEncoder::new(&mut chip, Lengths::Short);
    encoder.begin(&key(), &mut rng(3)).unwrap();
    write_image(&mut encoder, &image, &mut |_| ()).unwrap();
    encoder.terminate().unwrap();
    let mut chip = blank(dir.path());
    assert!(chip.memory.to_bytes().len() < 80, "nothing of the person is left");
    let found = IsoEncoder::new(&mut chip, Lengths::Short).identify().unwrap();
    assert_eq!(found, Found { life: Life::Terminated, serial: Some(serial()) });
    for command in WRITING.iter().chain(&["0084000008", "0022C1A40F800A04007F00070202040202830102"]) {
        assert_eq!(raw(&mut chip, command), "6985", "{command}");
    }
}

#[test]
fn what_cannot_be_kept_is_not_done() {
    let mut writes = 0;
    let mut chip = VirtualChip::of(Memory::blank(serial(), key()), rng(2)).kept_by(move |_| {
        writes += 1;
        writes < 5
    });
    let mut encoder = IsoEncoder::new(&mut chip, Lengths::Short);
    let failed = write(&mut encoder, &image(100), &key()).unwrap_err();
    assert!(matches!(failed, Error::Refused { status: StatusWord(0x6581), .. }), "{failed}");
    assert_eq!(raw(&mut chip, "00A40004023F0000"), "6581");
}

#[test]
fn a_memory_reads_back_and_a_broken_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut chip = blank(dir.path());
    let image = image(100);
    let mut encoder = IsoEncoder::new(&mut chip, Lengths::Short);
    encoder.begin(&key(), &mut rng(3)).unwrap();
    write_image(&mut encoder, &image, &mut |_| ()).unwrap();
    let bytes = chip.memory.to_bytes();
    assert_eq!(*Memory::from_bytes(&bytes).unwrap().to_bytes(), *bytes);
    assert!(Memory::from_bytes(&bytes[1..]).is_err() && Memory::from_bytes(b"").is_err());
    for cut in 8..bytes.len() {
        let _ = Memory::from_bytes(&bytes[..cut]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Under the right key any plain commands give a status word, and none makes a card of an unfinished
    /// blank.
    #[test]
    fn no_command_of_a_writer_brings_it_down(
        commands in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 4..40), 1..12),
        instructions in proptest::collection::vec(0usize..12, 12),
    ) {
        const KNOWN: [u8; 12] = [0xA4, 0xB0, 0xB1, 0x84, 0xE0, 0xD6, 0xD7, 0xDB, 0x24, 0x44, 0xFE, 0xCA];
        let mut chip = VirtualChip::of(Memory::blank(serial(), key()), rng(2));
        let mut session = Session::new(&mut chip, Lengths::Short);
        session.transport_authentication(&key(), &mut rng(3)).unwrap();
        for (mut bytes, instruction) in commands.into_iter().zip(instructions) {
            bytes[..2].copy_from_slice(&[0, KNOWN[instruction]]);
            if let Ok(command) = Command::parse(&bytes)
                && session.transmit(&command).is_err()
            {
                break;
            }
        }
        prop_assert!(chip.life() != Life::Operational);
        let memory = chip.memory.to_bytes();
        prop_assert_eq!(&*Memory::from_bytes(&memory).unwrap().to_bytes(), &*memory);
    }
}
