//! Who gets the fingers, and who does not.

use proptest::prelude::*;
use time::{Date, Duration};

use super::inspect_material::*;
use super::tests::*;
use super::*;
use crate::terminal::{InspectionSystem, TrustAnchor};
use crate::{Inspection, Lengths, ReadFile, Session, Step};
use card::tlv::{self, Tag};
use pki::{CvCertificate, CvRole, HolderReference, Rights};

#[test]
fn who_is_authorised_reads_the_fingers_after_pace() {
    for lengths in [Lengths::Short, Lengths::Extended(4_000)] {
        let mut chip = trusting();
        let expected = chip.memory.files.get(group(3)).unwrap().to_vec();
        let mut session = proven(&mut chip, lengths);
        assert_eq!(fingers(&mut session), ReadFile::Refused);
        session.terminal_authentication(&system(USUAL)).unwrap();
        assert_eq!(fingers(&mut session), ReadFile::Bytes(expected));
        assert_eq!(session.read_file(group(4), &mut |_, _| ()).unwrap(), ReadFile::Refused, "irises");
        assert_eq!(read(&mut session, group(1)), dg1::encode(&mrz()));
        let again = refusal(session.terminal_authentication(&system(USUAL)));
        assert_eq!(again, (Step::TerminalCertificate, 0x6982), "once in a channel");
        assert!(matches!(fingers(&mut session), ReadFile::Bytes(_)), "which takes nothing away");
    }
}

#[test]
fn who_is_authorised_reads_the_fingers_after_basic_access() {
    let mut chip = trusting();
    let mut session = Session::new(&mut chip, Lengths::Short);
    session.select_application().unwrap();
    session.basic_access(&MrzKey::of(&mrz()), &mut rng(4)).unwrap();
    let key = session_key(&mut session);
    assert!(session.chip_authentication(&key, None, &mut rng(6)).unwrap());
    session.terminal_authentication(&system(USUAL)).unwrap();
    assert!(matches!(fingers(&mut session), ReadFile::Bytes(_)));
    // The chip is named by the number with its check digit (Doc 9303-11 §7.1.2).
    assert_eq!(
        MrzKey::of(&mrz()).document_number(),
        format!("199012345{}", card::mrz::check_digit("199012345"))
    );
}

#[test]
fn a_whole_card_is_read_as_an_inspection_system_and_as_anybody() {
    let mut chip = trusting();
    let access = crate::Access { password: can("012345"), zone: None };
    for (wanted, accepted) in [(Some(USUAL), true), (Some(Wanted { cvca: 7, ..USUAL }), false), (None, false)]
    {
        let system = wanted.map(system);
        let mut session = Session::new(&mut chip, Lengths::Short);
        let reading =
            crate::read_card_as(&mut session, &access, system.as_ref(), &mut rng(7), &mut |_| ()).unwrap();
        match (&reading.inspection, wanted) {
            (Inspection::Accepted, Some(_)) => assert!(accepted),
            (Inspection::Refused { why }, Some(_)) => {
                assert!(!accepted && why.contains("VNCVCA00001"), "{why}")
            }
            (other, _) => assert_eq!(*other, Inspection::NotTried),
        }
        assert_eq!(reading.files.get(group(3)).is_some(), accepted);
        assert_eq!(reading.refused.contains(&group(3)), !accepted);
        assert!(reading.files.iter().all(|(id, _)| id != FileId::Cvca), "it is no part of the card's data");
    }
    let mut plain = tests::chip();
    let mut session = Session::new(&mut plain, Lengths::Short);
    let reading =
        crate::read_card_as(&mut session, &access, Some(&system(USUAL)), &mut rng(7), &mut |_| ()).unwrap();
    let Inspection::Refused { why } = reading.inspection else { panic!("nobody is trusted") };
    assert!(why.contains("trusts nobody"), "{why}");
}

#[test]
fn rights_are_what_every_certificate_of_the_chain_grants() {
    let none = Rights::NONE;
    let irises = Rights { fingers: false, irises: true };
    for (verifier_rights, rights) in [(Rights::ALL, none), (irises, irises), (Rights::ALL, Rights::ALL)] {
        let mut chip = trusting();
        let mut session = proven(&mut chip, Lengths::Short);
        session.terminal_authentication(&system(Wanted { verifier_rights, rights, ..USUAL })).unwrap();
        let open = |session: &mut Session<&mut Chip>, number| {
            matches!(session.read_file(group(number), &mut |_, _| ()).unwrap(), ReadFile::Bytes(_))
        };
        assert_eq!((open(&mut session, 3), open(&mut session, 4)), (rights.fingers, rights.irises));
    }
}

#[test]
fn a_right_that_the_issuer_has_not_is_not_passed_on() {
    let irises = Rights { fingers: false, irises: true };
    let mut chain = certificates(Wanted { verifier_rights: irises, rights: irises, ..USUAL });
    chain[0] = forged(&chain[0], &Key::of(50), |body| authorise(body, 0x03));
    let mut chip = trusting();
    let mut session = proven(&mut chip, Lengths::Short);
    session.terminal_authentication(&InspectionSystem::new(chain, Key::of(60)).unwrap()).unwrap();
    assert_eq!(fingers(&mut session), ReadFile::Refused);

    // A verifier that makes itself a verifier below, and one that makes itself a CVCA.
    for role in [0x83, 0xC3] {
        let mut chip = trusting();
        let chain = certificates(USUAL);
        let mut session = proven(&mut chip, Lengths::Short);
        assert_eq!(send(&mut session, 0x22, 0x81, 0xB6, &reference("VNCVCA00001")), 0x9000);
        let verified = Command::new(0, 0x2A, 0, 0xBE, chain[1].content(), None);
        session.exchange_in_parts(Step::TerminalCertificate, verified).unwrap();
        assert_eq!(send(&mut session, 0x22, 0x81, 0xB6, &reference("VNDVHANOI00001")), 0x9000);
        // Without domain parameters a CVCA's certificate is read too: a link may leave them out.
        let own = forged(&chain[0], &Key::of(50), |body| authorise(body, role));
        assert_eq!(send(&mut session, 0x2A, 0x00, 0xBE, own.content()), 0x6A80);
    }
}

#[test]
fn another_authority_is_refused() {
    let mut chip = trusting();
    let mut session = proven(&mut chip, Lengths::Short);
    let stranger = system(Wanted { cvca: 7, ..USUAL });
    let error = session.terminal_authentication(&stranger).unwrap_err();
    assert!(matches!(&error, Error::NotTrusted { known } if known == "VNCVCA00001"), "{error}");
    assert_eq!(send(&mut session, 0x22, 0x81, 0xB6, &reference("VNCVCA00007")), 0x6A88);

    // One that gives itself the name of the authority that the chip trusts.
    let mut chain = certificates(USUAL);
    chain[1] = forged(&chain[1], &Key::of(7), |_| ());
    let impostor = InspectionSystem::new(chain, Key::of(60)).unwrap();
    assert_eq!(refusal(session.terminal_authentication(&impostor)), (Step::TerminalCertificate, 0x6300));
    assert_eq!(fingers(&mut session), ReadFile::Refused);
    assert!(session.is_protected(), "a refusal ends no channel");
    session.terminal_authentication(&system(USUAL)).unwrap();
}

#[test]
fn certificates_that_are_over_are_refused() {
    let mut chip = trusting();
    let system_of_april = system(USUAL);
    let last = system_of_april.certificate().expires();
    chip.memory.trust.advance(last);
    let mut session = proven(&mut chip, Lengths::Short);
    session.terminal_authentication(&system_of_april).unwrap();

    chip.memory.trust.advance(last + Duration::days(1));
    let mut session = proven(&mut chip, Lengths::Short);
    let refused = refusal(session.terminal_authentication(&system_of_april));
    assert_eq!(refused, (Step::TerminalCertificate, 0x6984));
    assert_eq!(fingers(&mut session), ReadFile::Refused);

    // The trust point itself is over, and what it signed is not: it verifies no verifier any more.
    let far = TODAY + Duration::days(4 * 365);
    let prolong = |body: &mut Vec<u8>| {
        let at = body.len() - 6;
        body[at..].copy_from_slice(&pki::cv_date_bytes(far).unwrap());
    };
    let mut chain = certificates(USUAL);
    chain[0] = forged(&chain[0], &Key::of(50), prolong);
    chain[1] = forged(&chain[1], &Key::of(1), prolong);
    let late = InspectionSystem::new(chain, Key::of(60)).unwrap();
    let mut chip = trusting();
    proven(&mut chip, Lengths::Short).terminal_authentication(&late).unwrap();
    chip.memory.trust.advance(far);
    let mut session = proven(&mut chip, Lengths::Short);
    assert_eq!(refusal(session.terminal_authentication(&late)).1, 0x6984);
}

#[test]
fn the_day_follows_from_certificates_that_are_to_be_believed() {
    let later = TODAY + Duration::days(40);
    let day_after = |wanted| {
        let mut chip = trusting();
        proven(&mut chip, Lengths::Short).terminal_authentication(&system(wanted)).unwrap();
        chip.memory.trust.day().unwrap()
    };
    assert_eq!(day_after(USUAL), TODAY);
    assert_eq!(day_after(Wanted { from: later, ..USUAL }), later);

    // A foreign verifier was certified by our CVCA, which is believed; what it certifies is not.
    let mut chain = certificates(Wanted { verifier: CvRole::ForeignVerifier, ..USUAL });
    let (verifier_key, own_key) = (Key::of(50), Key::of(60));
    let own = subject(("DESK", 2), CvRole::InspectionSystem, FINGERS, &own_key, TODAY + Duration::days(30));
    let own = pki::prepare_cv_certificate(&chain[1], verifier_key.certified(), &own).unwrap();
    chain[0] = sign(own, &verifier_key);
    let mut chip = trusting();
    let foreign = InspectionSystem::new(chain, own_key).unwrap();
    let mut session = proven(&mut chip, Lengths::Short);
    session.terminal_authentication(&foreign).unwrap();
    assert!(matches!(fingers(&mut session), ReadFile::Bytes(_)));
    assert_eq!(chip.memory.trust.day(), Some(TODAY));
}

#[test]
fn only_the_holder_of_the_key_and_only_now() {
    let mut chip = trusting();
    // Another's key beside these certificates: our own reader would not even begin.
    assert!(InspectionSystem::new(certificates(USUAL), Key::of(61)).is_err());
    let mut session = proven(&mut chip, Lengths::Short);
    for certificate in certificates(USUAL)[..2].iter().rev() {
        let issuer = reference(certificate.issuer().as_str());
        assert_eq!(send(&mut session, 0x22, 0x81, 0xB6, &issuer), 0x9000);
        let command = Command::new(0, 0x2A, 0, 0xBE, certificate.content(), None);
        session.exchange_in_parts(Step::TerminalCertificate, command).unwrap();
    }
    assert_eq!(send(&mut session, 0x82, 0, 0, &[1; 64]), 0x6985, "no challenge");
    assert_eq!(send(&mut session, 0x84, 0, 0, &[]), 0x9000);
    assert_eq!(send(&mut session, 0x82, 0, 0, &[1; 64]), 0x6982, "no key was chosen");
    assert_eq!(
        send(&mut session, 0x22, 0x81, 0xA4, &reference("VNDVHANOI00001")),
        0x6A88,
        "a verifier's key"
    );
    assert_eq!(
        send(&mut session, 0x22, 0x81, 0xB6, &reference("VNDESK00001")),
        0x6A88,
        "it certifies nobody"
    );
    let own = reference("VNDESK00001");
    let auxiliary = [own.clone(), tlv::encode(Tag(0x67), &[&[0x73, 0x00]])].concat();
    assert_eq!(send(&mut session, 0x22, 0x81, 0xA4, &auxiliary), 0x6A80);
    assert_eq!(send(&mut session, 0x22, 0x81, 0xA4, &own), 0x9000);

    let (chip_id, reader_key) = (session.chip_id.clone(), session.reader_key.unwrap());
    let mut challenge = || {
        let answer = session.transmit(&Command::new(0, 0x84, 0, 0, &[], Some(8))).unwrap();
        <[u8; 8]>::try_from(&answer.data[..]).unwrap()
    };
    let signed = |key: &Key, chip: &[u8], challenge: &[u8; 8], reader: &[u8]| {
        pki::sign_plain(key, &crate::terminal::message(chip, challenge, reader)).unwrap()
    };
    let (first, second) = (challenge(), challenge());
    let (own, other) = (Key::of(60), Key::of(61));
    let replayed = signed(&own, &chip_id, &first, &reader_key);
    assert_eq!(send(&mut session, 0x82, 0, 0, &replayed), 0x6300, "the challenge before");
    assert_eq!(
        send(&mut session, 0x82, 0, 0, &signed(&own, &chip_id, &second, &reader_key)),
        0x6985,
        "used up"
    );
    for (key, chip, reader) in [
        (&other, &chip_id[..], &reader_key[..]),
        (&own, &[7; 32][..], &reader_key[..]),
        (&own, &chip_id[..], &[7; 32][..]),
    ] {
        let answer = session.transmit(&Command::new(0, 0x84, 0, 0, &[], Some(8))).unwrap();
        let challenge = <[u8; 8]>::try_from(&answer.data[..]).unwrap();
        assert_eq!(send(&mut session, 0x82, 0, 0, &signed(key, chip, &challenge, reader)), 0x6300);
    }
    assert_eq!(fingers(&mut session), ReadFile::Refused);
    assert_eq!(send(&mut session, 0x84, 0, 0, &[]), 0x9000);
    assert_eq!(send(&mut session, 0x82, 0, 0, &[]), 0x6300, "no signature");
}

#[test]
fn terminal_authentication_comes_after_chip_authentication() {
    let mut chip = trusting();
    let mut session = opened(&mut chip, &can("012345"), Lengths::Short);
    let error = session.terminal_authentication(&system(USUAL)).unwrap_err();
    assert!(matches!(error, Error::Protocol { step: Step::TerminalAuthentication, .. }), "{error}");
    assert_eq!(send(&mut session, 0x22, 0x81, 0xB6, &reference("VNCVCA00001")), 0x6982);
    assert_eq!(send(&mut session, 0x2A, 0x00, 0xBE, certificates(USUAL)[1].content()), 0x6982);
    assert_eq!(send(&mut session, 0x22, 0x81, 0xA4, &reference("VNDESK00001")), 0x6982);
    assert_eq!(send(&mut session, 0x84, 0, 0, &[]), 0x9000);
    assert_eq!(send(&mut session, 0x82, 0, 0, &[1; 64]), 0x6982);
    assert_eq!(fingers(&mut session), ReadFile::Refused);
}

#[test]
fn rights_end_with_the_channel() {
    let mut chip = trusting();
    let granted = |chip: &mut Chip| {
        let mut session = proven(chip, Lengths::Short);
        session.terminal_authentication(&system(USUAL)).unwrap();
        assert!(matches!(fingers(&mut session), ReadFile::Bytes(_)));
    };
    granted(&mut chip);
    assert_eq!(raw(&mut chip, "00A4020C020103"), "6A82", "in the clear: even the application is left");
    assert_eq!(fingers(&mut opened(&mut chip, &can("012345"), Lengths::Short)), ReadFile::Refused);
    granted(&mut chip);
    chip.reset();
    assert_eq!(fingers(&mut opened(&mut chip, &can("012345"), Lengths::Short)), ReadFile::Refused);

    // Chip Authentication again, with another key of the reader.
    let mut session = proven(&mut chip, Lengths::Short);
    session.terminal_authentication(&system(USUAL)).unwrap();
    let key = session_key(&mut session);
    assert!(session.chip_authentication(&key, None, &mut rng(8)).unwrap());
    assert_eq!(fingers(&mut session), ReadFile::Refused);
    session.terminal_authentication(&system(USUAL)).unwrap();
    assert!(matches!(fingers(&mut session), ReadFile::Bytes(_)));
}

/// The CVCA's key of this number under the one before.
fn link(number: u32, from: Date) -> CvCertificate {
    let (old, old_key) = cvca(number - 1, TODAY + Duration::days(100 * i64::from(number - 2)));
    let (new, _) = cvca(number, from);
    sign(pki::prepare_cv_link(&old, old_key.certified(), &new, from).unwrap(), &old_key)
}

#[test]
fn a_link_moves_the_trust_to_the_next_key() {
    let mut chip = trusting();
    let points = |chip: &mut Chip| -> Vec<String> {
        let mut session = opened(chip, &can("012345"), Lengths::Short);
        session.trust_points().unwrap().iter().map(HolderReference::to_string).collect()
    };
    assert_eq!(points(&mut chip), ["VNCVCA00001"]);
    let (second, third) = (TODAY + Duration::days(100), TODAY + Duration::days(200));
    let mut all = certificates(Wanted { cvca: 2, from: second, ..USUAL });
    all[2] = link(2, second);
    let below_second = InspectionSystem::new(all, Key::of(60)).unwrap();
    proven(&mut chip, Lengths::Short).terminal_authentication(&below_second).unwrap();
    assert_eq!(points(&mut chip), ["VNCVCA00002", "VNCVCA00001"]);
    assert_eq!(chip.memory.trust.day(), Some(second));

    // Kept without power, and not taken twice.
    let memory = Memory::from_bytes(&chip.memory.to_bytes()).unwrap();
    let mut chip = VirtualChip::of(memory, rng(2));
    let mut session = proven(&mut chip, Lengths::Extended(4_000));
    assert_eq!(send(&mut session, 0x22, 0x81, 0xB6, &reference("VNCVCA00001")), 0x9000);
    assert_eq!(send(&mut session, 0x2A, 0x00, 0xBE, link(2, second).content()), 0x6A80, "known");
    session.terminal_authentication(&below_second).unwrap();
    assert!(matches!(fingers(&mut session), ReadFile::Bytes(_)));

    // Two links at once: the first key is then forgotten.
    let mut chip = trusting();
    let mut all = certificates(Wanted { cvca: 3, from: third, ..USUAL });
    all.extend([link(2, second), link(3, third)]);
    proven(&mut chip, Lengths::Short)
        .terminal_authentication(&InspectionSystem::new(all, Key::of(60)).unwrap())
        .unwrap();
    assert_eq!(points(&mut chip), ["VNCVCA00003", "VNCVCA00002"]);
    assert!(matches!(
        proven(&mut chip, Lengths::Short).terminal_authentication(&system(USUAL)),
        Err(Error::NotTrusted { .. })
    ));
}

#[test]
fn trust_points_are_shown_to_whoever_opened_the_chip() {
    let mut chip = trusting();
    raw(&mut chip, "00A4040C07A0000002471001");
    assert_eq!(raw(&mut chip, "00A4020C02011C"), "6982");
    assert_eq!(raw(&mut chip, "00B09C0024"), "6982", "by its short identifier");
    chip.reset();
    let mut session = opened(&mut chip, &can("012345"), Lengths::Short);
    let file = session.transmit(&Command::new(0, 0xB0, 0x9C, 0, &[], Some(36))).unwrap();
    assert_eq!(file.data, [&b"\x42\x0BVNCVCA00001"[..], &[0; 23]].concat());

    let mut plain = tests::chip();
    raw(&mut plain, "00A4040C07A0000002471001");
    assert_eq!(raw(&mut plain, "00A4020C02011C"), "6A82", "nobody is trusted");
    plain.reset();
    let mut session = proven(&mut plain, Lengths::Short);
    assert_eq!(session.trust_points().unwrap(), []);
    assert_eq!(send(&mut session, 0x22, 0x81, 0xB6, &reference("VNCVCA00001")), 0x6A88);
    assert_eq!(send(&mut session, 0x2A, 0x00, 0xBE, certificates(USUAL)[1].content()), 0x6A88);
}

#[test]
fn a_blank_becomes_a_card_that_trusts_whom_it_was_told() {
    use crate::encoder::{Encoder, IsoEncoder};
    for lengths in [Lengths::Short, Lengths::Extended(4_000)] {
        let serial = crate::ChipSerial::from_bytes([1; 10]);
        let key = crate::MasterKey::from_bytes([7; 32].into()).transport_key(serial);
        let mut chip: Chip = VirtualChip::of(Memory::blank(serial, key.clone()), rng(2));
        let anchor = TrustAnchor::new(cvca(1, TODAY).0, TODAY + Duration::days(3)).unwrap();
        let image = blank_tests::image(900).trusting(Some(anchor));
        let mut encoder = IsoEncoder::new(&mut chip, lengths);
        encoder.begin(&key, &mut rng(3)).unwrap();
        // Twice, as when writing is resumed.
        crate::write_image(&mut encoder, &image, &mut |_| ()).unwrap();
        crate::write_image(&mut encoder, &image, &mut |_| ()).unwrap();
        encoder.activate().unwrap();
        assert_eq!(chip.memory.trust.day(), Some(TODAY + Duration::days(3)));
        let mut session = proven(&mut chip, lengths);
        session.terminal_authentication(&system(USUAL)).unwrap();
        let written = image.files().get(group(3)).unwrap().to_vec();
        assert_eq!(fingers(&mut session), ReadFile::Bytes(written));
        // After the activation nobody writes any more.
        let own = cvca(9, TODAY).0;
        let put = Command::new(0, 0xDB, 0x3F, 0xFF, own.bytes(), None);
        let refused = session.exchange_in_parts(Step::WriteTrust, put).map(drop);
        assert_eq!(refusal(refused).1, 0x6985);
    }
    let (top, below) = (cvca(1, TODAY).0, certificates(USUAL).remove(1));
    assert!(TrustAnchor::new(below, TODAY).is_err(), "a verifier is no anchor");
    let mut damaged = top.bytes().to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    assert!(TrustAnchor::new(CvCertificate::parse(&damaged).unwrap(), TODAY).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_commands_of_a_proven_reader_open_the_fingers(
        commands in prop::collection::vec(
            (0usize..7, any::<bool>(), prop::collection::vec(any::<u8>(), 0..80)),
            1..8,
        ),
    ) {
        const KNOWN: [(u8, u8, u8); 7] = [
            (0x22, 0x81, 0xB6), (0x2A, 0x00, 0xBE), (0x22, 0x81, 0xA4), (0x84, 0, 0), (0x82, 0, 0),
            (0x22, 0x41, 0xA4), (0xDB, 0x3F, 0xFF),
        ];
        let chain = certificates(USUAL);
        let mut chip = trusting();
        let mut session = proven(&mut chip, Lengths::Short);
        for (which, right, data) in commands {
            let (ins, p1, p2) = KNOWN[which];
            let data = match (which, right) {
                (0, true) => reference("VNCVCA00001"),
                (1, true) => chain[usize::from(data.len() % 2 == 0)].content().to_vec(),
                (2, true) => reference("VNDESK00001"),
                _ => data,
            };
            let le = (ins == 0x84).then_some(8);
            let cla = if ins == 0x2A && data.len() % 3 == 0 { 0x10 } else { 0 };
            session.transmit(&Command::new(cla, ins, p1, p2, &data, le)).unwrap();
            prop_assert_eq!(fingers(&mut session), ReadFile::Refused);
        }
    }
}
