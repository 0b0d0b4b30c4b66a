use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

use super::*;
use crate::{AccessNumber, Lengths, Password, ReadFile, Session, Step, Transport};
use card::data::CardData;
use card::lds::{card_access, com, dg14, dg15};
use card::mrz::Mrz;
use card::tlv::{self, Tag};

pub(super) type Chip = VirtualChip<ChaCha20Rng>;

impl Transport for &mut Chip {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.process(command))
    }
}

pub(super) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// A card of a person who does not exist.
pub(super) fn mrz() -> Mrz {
    Mrz::from_card(&CardData::new(specimen::person()).unwrap())
}

fn other_keys(chip: &mut Chip) {
    let ChipKeys { agreement, signature } = ChipKeys::generate(&mut rng(99));
    (chip.memory.agreement, chip.memory.signature) = (Some(agreement), Some(signature));
}

pub(super) const BIG: usize = 70_000;

fn files(keys: &ChipKeys) -> ChipFiles {
    let groups = [1, 2, 3, 14, 15].map(|n| DataGroup::from_number(n).unwrap());
    let body = |length: usize| (0..length).map(|i| (i * 7 % 251) as u8).collect::<Vec<u8>>();
    ChipFiles::from_named([
        ("EF.CardAccess", card_access::encode(&card_access::of_citizen_card())),
        ("EF.COM", com::encode(&groups)),
        ("DG1", dg1::encode(&mrz())),
        ("DG2", tlv::encode(Tag(0x75), &[&body(BIG)])),
        ("DG3", tlv::encode(Tag(0x63), &[&body(900)])),
        ("DG14", dg14::encode(&dg14::of_citizen_card(keys.agreement_key().clone()))),
        ("DG15", dg15::encode(keys.signature_key())),
        ("csca.der", vec![0x30, 0]),
    ])
}

pub(super) fn chip() -> Chip {
    let keys = ChipKeys::generate(&mut rng(1));
    VirtualChip::new(files(&keys), Some(keys), rng(2)).unwrap()
}

pub(super) fn group(number: u8) -> FileId {
    FileId::Group(DataGroup::from_number(number).unwrap())
}

pub(super) fn read<T: Transport>(session: &mut Session<T>, id: FileId) -> Vec<u8> {
    match session.read_file(id, &mut |_, _| ()).unwrap() {
        ReadFile::Bytes(bytes) => bytes,
        other => panic!("{}: {other:?}", id.name()),
    }
}

pub(super) fn can(text: &str) -> Password {
    Password::AccessNumber(AccessNumber::parse(text).unwrap())
}

/// A session that PACE opened, with the application selected.
pub(super) fn opened<'a>(chip: &'a mut Chip, password: &Password, lengths: Lengths) -> Session<&'a mut Chip> {
    let mut session = Session::new(chip, lengths);
    let infos = card_access::parse(&read(&mut session, FileId::CardAccess)).unwrap();
    session.pace(&infos, password, &mut rng(3)).unwrap();
    session.select_application().unwrap();
    session
}

#[test]
fn pace_by_number_and_by_zone_reads_every_open_file() {
    for lengths in [Lengths::Short, Lengths::Extended(4_000), Lengths::Extended(60_000)] {
        for password in [can("012345"), Password::Mrz(MrzKey::of(&mrz()))] {
            let mut chip = chip();
            let expected = chip.memory.files.clone();
            let mut session = opened(&mut chip, &password, lengths);
            for id in [FileId::Com, group(1), group(2), group(14), group(15)] {
                assert_eq!(Some(&read(&mut session, id)[..]), expected.get(id), "{}", id.name());
            }
            assert_eq!(session.read_file(group(13), &mut |_, _| ()).unwrap(), ReadFile::Missing);
            assert!(session.is_protected());
        }
    }
}

#[test]
fn basic_access_reads_with_short_commands() {
    let mut chip = chip();
    let expected = chip.memory.files.clone();
    let mut session = Session::new(&mut chip, Lengths::Short);
    session.select_application().unwrap();
    session.basic_access(&MrzKey::parse("199012345,990101,390101").unwrap(), &mut rng(4)).unwrap();
    let mut told = Vec::new();
    let big = session.read_file(group(2), &mut |done, total| told.push((done, total))).unwrap();
    assert_eq!(big, ReadFile::Bytes(expected.get(group(2)).unwrap().to_vec()));
    assert!(told.is_sorted() && told.last() == Some(&(BIG + 5, BIG + 5)));
}

#[test]
fn fingers_need_terminal_authentication() {
    let mut chip = chip();
    let mut session = opened(&mut chip, &can("012345"), Lengths::Short);
    assert_eq!(session.read_file(group(3), &mut |_, _| ()).unwrap(), ReadFile::Refused);
    assert_eq!(read(&mut session, group(1)), dg1::encode(&mrz()), "the refusal ends nothing else");
}

#[test]
fn who_does_not_know_the_card_does_not_get_in() {
    let mut chip = chip();
    let mut session = Session::new(&mut chip, Lengths::Short);
    let infos = card_access::of_citizen_card();
    let wrong = session.pace(&infos, &can("012346"), &mut rng(3)).unwrap_err();
    assert!(matches!(wrong, Error::WrongPassword { step: Step::PaceConfirmation }), "{wrong}");
    session.select_application().unwrap();
    let wrong = session.basic_access(&MrzKey::new("199012345", "990101", "390102").unwrap(), &mut rng(3));
    assert!(matches!(wrong, Err(Error::WrongPassword { .. })));
    assert_eq!(session.read_file(group(1), &mut |_, _| ()).unwrap(), ReadFile::Refused);
    assert_eq!(session.read_file(FileId::Com, &mut |_, _| ()).unwrap(), ReadFile::Refused);
}

#[test]
fn the_chip_proves_itself_and_a_copy_cannot() {
    let mut real = chip();
    let mut copy = chip();
    other_keys(&mut copy);
    for (chip, genuine) in [(&mut real, true), (&mut copy, false)] {
        let files = chip.memory.files.clone();
        let mut session = opened(chip, &can("012345"), Lengths::Short);
        let key = dg15::parse(files.get(group(15)).unwrap()).unwrap();
        assert_eq!(session.active_authentication(&key, &mut rng(5)).unwrap(), genuine);
        let infos = dg14::parse(files.get(group(14)).unwrap()).unwrap();
        let key = infos.iter().find_map(|info| match info {
            card::security_info::SecurityInfo::ChipPublicKey { key, .. } => Some(key.clone()),
            _ => None,
        });
        assert_eq!(session.chip_authentication(&key.unwrap(), None, &mut rng(6)).unwrap(), genuine);
        assert_eq!(session.is_protected(), genuine);
    }
    let mut session = opened(&mut real, &can("012345"), Lengths::Short);
    let key = session_key(&mut session);
    assert!(session.chip_authentication(&key, None, &mut rng(6)).unwrap());
    assert_eq!(read(&mut session, group(1)), dg1::encode(&mrz()), "the new channel carries on");
}

pub(super) fn whole(chip: &mut Chip, password: Password) -> Result<crate::Reading, Error> {
    let access = crate::Access { password, zone: Some(MrzKey::of(&mrz())) };
    let mut session = Session::new(chip, Lengths::Short);
    crate::read_card(&mut session, &access, &mut rng(7), &mut |_| ())
}

#[test]
fn a_whole_card_is_read_with_what_it_keeps_back_and_what_it_lacks() {
    use crate::{Opened, Proof};
    let mut chip = chip();
    let reading = whole(&mut chip, can("012345")).unwrap();
    assert_eq!((reading.opened, reading.refused), (Opened::Pace, vec![group(3)]));
    assert_eq!((reading.chip_authentication, reading.active_authentication), (Proof::Given, Proof::Given));
    assert_eq!(reading.missing, [FileId::Sod]);
    assert_eq!(reading.files.iter().count(), 6);
    assert!(whole(&mut chip, can("999999")).is_err(), "a wrong number is not forgiven by falling back");

    chip.memory.files.insert(FileId::CardAccess, vec![0x31, 0]);
    let reading = whole(&mut chip, can("999999")).unwrap();
    assert_eq!(reading.opened, Opened::BasicAccess);

    other_keys(&mut chip);
    assert_eq!(whole(&mut chip, can("999999")).unwrap().chip_authentication, Proof::Failed);

    // A copy that has no keys refuses to begin the proof, which is no excuse.
    (chip.memory.agreement, chip.memory.signature) = (None, None);
    assert_eq!(whole(&mut chip, can("999999")).unwrap().chip_authentication, Proof::Failed);
}

pub(super) fn session_key(session: &mut Session<&mut Chip>) -> card::ec_key::EcPublicKey {
    let infos = dg14::parse(&read(session, group(14))).unwrap();
    let mut keys = infos.iter().filter_map(|info| match info {
        card::security_info::SecurityInfo::ChipPublicKey { key, .. } => Some(key.clone()),
        _ => None,
    });
    keys.next().unwrap()
}

/// Sends bytes as they are, without a session's help.
pub(super) fn raw(chip: &mut Chip, hex: &str) -> String {
    let answer = chip.process(&crate::worked_examples::unhex(hex));
    answer.iter().map(|byte| format!("{byte:02X}")).collect()
}

#[test]
fn a_stranger_hears_status_words_only() {
    let mut chip = chip();
    for (command, answer) in [
        ("00B0000000", "6986"), // nothing selected
        ("00A4040C07A0000002471001", "9000"),
        ("00A4040C07A0000002471002", "6A82"),
        ("00A4020C020101", "6982"),       // DG1
        ("00A4020C02010D", "6A82"),       // DG13, which this card has not
        ("00B0810000", "6982"),           // DG1 by short identifier
        ("00B1000104540200000A", "6982"), // DG1 by odd instruction
        ("00A4020C030101", "6700"),       // a length that does not fit
        ("0088000008010203040506070800", "6982"),
        ("002241A40C800A04007F00070202030202", "6982"),
        ("0CB000000D9701048E08ED6705417E96BA5500", "6987"), // protected without a channel
        ("0086000002 7C00 00", "6985"),                     // no protocol chosen
        ("0022C1A40F800A04007F00070202040202830103", "6A88"), // PUK
        ("00200001", "6D00"),
        ("8084000008", "6E00"),
        ("00A4", "6700"),
        ("", "6700"),
    ] {
        assert_eq!(raw(&mut chip, command), answer, "{command}");
    }
    assert_eq!(raw(&mut chip, "0084000008").len(), 2 * 10);
    assert_eq!(raw(&mut chip, "00A4040007A000000247100100"), "6F098407A00000024710019000");
    assert_eq!(raw(&mut chip, "00A4000C023F00"), "9000");
    assert_eq!(raw(&mut chip, "00B09C0002"), "31349000", "EF.CardAccess by short identifier");
}

#[test]
fn a_command_without_protection_ends_the_session() {
    let mut chip = chip();
    opened(&mut chip, &can("012345"), Lengths::Short);
    assert!(chip.state.channel.is_some());
    assert_eq!(raw(&mut chip, "00B0000001"), "6986");
    assert!(chip.state.channel.is_none());
    opened(&mut chip, &can("012345"), Lengths::Short);
    chip.reset();
    assert!(chip.state.channel.is_none());
}

#[test]
fn a_point_off_the_curve_meets_no_key() {
    let mut chip = chip();
    raw(&mut chip, "0022C1A40F800A04007F00070202040202830102");
    assert!(raw(&mut chip, "10860000027C0000").ends_with("9000"));
    let point = "04".to_owned() + &"11".repeat(64);
    assert_eq!(raw(&mut chip, &format!("10860000457C438141{point}00")), "6A80");
    assert_eq!(raw(&mut chip, &format!("10860000457C438341{point}00")), "6985", "the protocol is over");
}

#[test]
fn the_answer_to_reset_has_its_check_byte() {
    assert_eq!(ATR[1..].iter().fold(0, |sum, byte| sum ^ byte), 0);
}

proptest! {
    #[test]
    fn no_bytes_bring_it_down_or_open_it(
        commands in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..8),
        instructions in proptest::collection::vec(0usize..9, 8),
        open in any::<bool>(),
    ) {
        const KNOWN: [u8; 9] = [0xA4, 0xB0, 0xB1, 0x84, 0x82, 0x22, 0x86, 0x88, 0x2A];
        let mut chip = chip();
        if open {
            opened(&mut chip, &can("012345"), Lengths::Short);
        }
        for (mut command, instruction) in commands.into_iter().zip(instructions) {
            if command.len() > 1 {
                command[0] &= 0x1C;
                command[1] = KNOWN[instruction];
            }
            let answer = chip.process(&command);
            prop_assert!(answer.len() >= 2);
            prop_assert!(!answer.windows(6).any(|w| w == b"NGUYEN"));
        }
    }
}
