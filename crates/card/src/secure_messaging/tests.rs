//! The worked example of Doc 9303-11, appendix D.4, and what it does not reach.

use proptest::prelude::*;

use super::*;
use crate::tests::unhex;

/// The session of the worked example after mutual authentication.
fn worked_example() -> Channel {
    let keys = SessionKeys::derive(Cipher::TripleDes, &unhex("0036D272F5C350ACAC50C3F572D23600"));
    Channel::new(keys, 0x8870_2212_0C06_C226)
}

fn command(hex: &str) -> Command {
    Command::parse(&unhex(hex)).unwrap()
}

fn response(hex: &str) -> Response {
    Response::parse(&unhex(hex)).unwrap()
}

/// Plain command, protected command, protected response, data.
const EXCHANGES: [[&str; 4]; 3] = [
    [
        "00A4020C02011E",
        "0CA4020C158709016375432908C044F68E08BF8B92D635FF24F800",
        "990290008E08FA855A5D4C50A8ED9000",
        "",
    ],
    [
        "00B0000004",
        "0CB000000D9701048E08ED6705417E96BA5500",
        "8709019FF0EC34F9922651990290008E08AD55CC17140B2DED9000",
        "60145F01",
    ],
    [
        "00B0000412",
        "0CB000040D9701128E082EA28A70F3C7B53500",
        "871901FB9235F4E4037F2327DCC8964F1F9B8C30F42C8E2FFF224A990290008E08C8B2787EAEA07D749000",
        "04303130365F36063034303030305C026175",
    ],
];

#[test]
fn the_reader_of_the_worked_example() {
    let mut reader = worked_example();
    for [plain, protected, answer, data] in EXCHANGES {
        assert_eq!(reader.seal_command(&command(plain)).to_bytes(), unhex(protected));
        assert_eq!(reader.open_response(&response(answer)).unwrap().data, unhex(data));
    }
}

#[test]
fn the_chip_of_the_worked_example() {
    let mut chip = worked_example();
    for [plain, protected, answer, data] in EXCHANGES {
        assert_eq!(chip.open_command(&command(protected)).unwrap(), command(plain));
        let sealed = chip.seal_response(&Response::new(unhex(data), StatusWord::OK), false);
        assert_eq!(sealed.to_bytes(), unhex(answer));
    }
}

#[test]
fn a_message_that_was_changed_left_out_or_repeated_breaks_the_channel() {
    let [first, second, _] = EXCHANGES;
    let mut changed = unhex(first[2]);
    let last = changed.len() - 1;
    changed[last] ^= 1;
    let mut reader = worked_example();
    reader.seal_command(&command(first[0]));
    let error = reader.open_response(&Response::parse(&changed).unwrap()).unwrap_err();
    assert!(error.to_string().contains("status word"), "{error}");

    let mut chip = worked_example();
    assert!(chip.open_command(&command(second[1])).is_err(), "the first command was left out");
    let mut chip = worked_example();
    chip.open_command(&command(first[1])).unwrap();
    chip.seal_response(&Response::status(StatusWord::OK), false);
    assert!(chip.open_command(&command(first[1])).is_err(), "the first command came twice");
    let mut chip = worked_example();
    assert!(chip.open_command(&command(first[0])).is_err(), "a command without protection");
    let mut reader = worked_example();
    assert!(reader.open_response(&response("9000")).is_err(), "a response without protection");
}

#[test]
fn responses_fit_a_short_le() {
    for (cipher, most) in [(Cipher::Aes128, 223), (Cipher::TripleDes, 231)] {
        let channel = || Channel::new(SessionKeys::derive(cipher, b"secret"), 0);
        assert_eq!(channel().most_response_data(Some(256)), most);
        let sealed = |length| {
            channel().seal_response(&Response::new(vec![7; length], StatusWord::OK), false).data.len()
        };
        assert!(sealed(most) <= 256 && sealed(most + 1) > 256, "{cipher:?}");
        let extended = channel().most_response_data(Some(65_536));
        assert!(sealed(extended) <= 65_536 && extended > 65_000);
        assert_eq!(channel().most_response_data(Some(3)), 0);
    }
}

fn ends(aes: bool) -> [Channel; 2] {
    let cipher = if aes { Cipher::Aes128 } else { Cipher::TripleDes };
    [(); 2].map(|()| Channel::new(SessionKeys::derive(cipher, b"shared"), 0))
}

proptest! {
    #[test]
    fn both_ends_understand_each_other(
        aes in any::<bool>(),
        ins in any::<u8>(),
        data in proptest::collection::vec(any::<u8>(), 0..600),
        le in proptest::option::of(1u32..=65_536),
        answer in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let [mut reader, mut chip] = ends(aes);
        let mut sent = Command::new(0, ins, 1, 2, &data, le);
        sent.extended = le.is_some_and(|le| le > 256);
        let received = Command::parse(&reader.seal_command(&sent).to_bytes()).unwrap();
        prop_assert!(received.is_protected());
        prop_assert_eq!(chip.open_command(&received).unwrap(), sent.clone());
        let back = Response::new(answer, StatusWord::END_OF_FILE);
        let sealed = chip.seal_response(&back, sent.has_odd_instruction());
        let sealed = Response::parse(&sealed.to_bytes()).unwrap();
        prop_assert_eq!(reader.open_response(&sealed).unwrap(), back);
    }

    #[test]
    fn no_changed_byte_is_accepted(aes in any::<bool>(), at in any::<prop::sample::Index>(), flip in 1u8..) {
        let [mut reader, mut chip] = ends(aes);
        let mut bytes = reader.seal_command(&Command::new(0, 0xB0, 0, 0, &[1, 2, 3], Some(9))).to_bytes();
        // The outer Lc and Le are not protected; the class byte's two lowest bits stand for the channel.
        let index = 5 + at.index(bytes.len() - 6);
        bytes[index] ^= flip;
        if let Ok(command) = Command::parse(&bytes) {
            prop_assert!(chip.open_command(&command).is_err());
        }
    }

    #[test]
    fn random_bytes_never_panic(
        aes in any::<bool>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let [mut reader, mut chip] = ends(aes);
        let _ = chip.open_command(&Command::new(0x0C, 0xB0, 0, 0, &bytes, None));
        let _ = reader.open_response(&Response::new(bytes, StatusWord::OK));
    }
}
