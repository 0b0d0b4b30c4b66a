//! The sealed packet: what goes in comes out, and nothing else does.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod support;

use proptest::prelude::*;

use domain::application::Kind;
use fingerprint::FingerPosition;
use packet::keys::{KeyError, open_secret, seal_secret};
use packet::{
    AtRest, Biometric, Carries, Changes, Content, ContentKey, Envelope, Finger, FingerCapture, FingerImage,
    HandOver, ImagesForChip, MAX_FINGER_IMAGE_BYTES, MAX_PHOTO_BYTES, MissingReason, PacketError, Payload,
    Recapture, open, parse, seal, verify_envelope,
};
use support::*;

#[test]
fn what_is_sealed_can_be_verified_opened_and_opened_again() {
    let kit = TestKit::new(1);
    let (envelope, content) = (kit.placed(&envelope(kit.id, 5, 9)), content(5));
    let packet = kit.seal(&envelope, &content, 5);
    let content = Payload::from(content);
    let verified = parse(&packet).unwrap().verify(&kit.public(), &kit.officer_public()).unwrap();
    assert_eq!(*verified.envelope(), envelope);
    let encrypted = verified.encrypted().unwrap();
    assert_eq!(encrypted.recipient().unwrap(), centre_public().key_id());
    let (opened, key) = encrypted.open(&intake_key()).unwrap();
    assert_eq!(opened, content);
    let wrapping = TestWrappingKey::new(7);
    let row = at_rest(&envelope);
    let at_rest = key.seal(&row, &wrapping, &mut rng(1)).unwrap();
    let key = ContentKey::open(&at_rest, &row, &wrapping).unwrap();
    assert_eq!(encrypted.open_again(&key).unwrap(), content);
    assert!(ContentKey::open(&at_rest, &row, &TestWrappingKey::new(8)).is_err());
}

fn verified(packet: &[u8], kit: &TestKit) -> Result<Envelope, PacketError> {
    verify_envelope(packet, &kit.public(), &kit.officer_public())
}

fn application(packet: &[u8]) -> Content {
    match open(packet, &intake_key()).unwrap().0 {
        Payload::Application(content) => *content,
        other => panic!("{other:?}"),
    }
}

fn at_rest(envelope: &Envelope) -> AtRest {
    AtRest { packet_id: envelope.packet_id, application_id: envelope.application_id, sha256: [5; 32] }
}

#[test]
fn a_content_key_rests_in_its_own_row_and_under_a_key_that_nobody_chose() {
    let kit = TestKit::new(1);
    let (one, other) = (envelope(kit.id, 5, 9), envelope(kit.id, 6, 10));
    let packet = kit.seal(&one, &content(5), 5);
    let (_, key) = open(&packet, &intake_key()).unwrap();
    let (wrapping, row) = (TestWrappingKey::new(7), at_rest(&one));
    let sealed = key.seal(&row, &wrapping, &mut rng(1)).unwrap();
    // The same key twice gives nothing that can be recognised, as the bare key wrap does.
    let again = key.seal(&row, &wrapping, &mut rng(2)).unwrap();
    assert!(sealed[..40] != again[..40] && sealed[40..] != again[40..]);
    for elsewhere in [
        AtRest { packet_id: other.packet_id, ..row },
        AtRest { application_id: other.application_id, ..row },
        AtRest { sha256: [6; 32], ..row },
    ] {
        let opened = ContentKey::open(&sealed, &elsewhere, &wrapping);
        assert_eq!(opened.map(|_| ()), Err(PacketError::Key(KeyError::WrongWrappingKey)));
    }
    // What was sealed as another kind of secret is no content key.
    let foreign = seal_secret(&wrapping, b"dancu box of blanks 1", &[1; 32], &mut rng(3)).unwrap();
    assert!(ContentKey::open(&foreign, &row, &wrapping).is_err());
    assert!(open_secret(&wrapping, b"dancu box of blanks 1", &sealed).is_err());
    assert!(open_secret(&wrapping, b"dancu box of blanks 1", &sealed[..40]).is_err());
}

#[test]
fn the_same_random_bytes_give_the_same_packet() {
    let kit = TestKit::new(1);
    assert_eq!(kit.packet(5, 9), kit.packet(5, 9));
    let other = kit.seal(&envelope(kit.id, 5, 9), &content(5), 6);
    assert_ne!(kit.packet(5, 9), other);
}

#[test]
fn only_the_kit_with_its_officer_and_only_the_centre() {
    let (kit, other) = (TestKit::new(1), TestKit::new(2));
    let packet = kit.packet(5, 9);
    let foreign = verify_envelope(&packet, &other.public(), &kit.officer_public());
    assert_eq!(foreign, Err(PacketError::BadSignature { what: "the packet" }));
    let foreign = verify_envelope(&packet, &kit.public(), &other.officer_public());
    assert_eq!(foreign, Err(PacketError::BadSignature { what: "the officer's part of the packet" }));
    let exchanged = verify_envelope(&packet, &kit.officer_public(), &kit.public());
    assert!(exchanged.is_err(), "the two do not stand for each other");
    let other_centre = TestIntakeKey::new(77);
    assert_eq!(open(&packet, &other_centre).map(|_| ()), Err(PacketError::NotForThisKey));
}

#[test]
fn a_packet_shows_nothing_of_the_person() {
    let packet = TestKit::new(1).packet(5, 9);
    let content = content(5);
    let holds = |needle: &[u8]| packet.windows(needle.len()).any(|window| window == needle);
    assert!(!holds(content.record.name.as_str().as_bytes()));
    assert!(!holds(content.record.pin.unwrap().as_str().as_bytes()));
    assert!(!holds(&content.photo.as_bytes()[100..132]));
    let shown = format!("{content:?}");
    assert!(!shown.contains("Mẫu") && !shown.contains("042090") && !shown.contains("Thôn"), "{shown}");
}

#[test]
fn a_content_cannot_be_moved_to_another_envelope() {
    // `open` does not look at the signature, so it is the ciphertext itself that refuses another envelope.
    let kit = TestKit::new(1);
    let packet = kit.packet(5, 9);
    let mut changed = packet.clone();
    let at = packet.windows(5).position(|window| window == b"18562").unwrap();
    changed[at..at + 5].copy_from_slice(b"18563");
    assert_eq!(open(&changed, &intake_key()).map(|_| ()), Err(PacketError::Decrypt));
}

#[test]
fn every_size_has_a_limit() {
    let kit = TestKit::new(1);
    let envelope = kit.placed(&envelope(kit.id, 5, 9));
    let try_seal = |change: &dyn Fn(&mut Content)| {
        let mut content = content(5);
        change(&mut content);
        seal(&envelope, &content.into(), kit.signers(), &centre_public(), &mut rng(1)).unwrap_err()
    };
    let photo = try_seal(&|content| content.photo = Biometric::new(vec![0; MAX_PHOTO_BYTES + 1]));
    assert_eq!(photo.to_string(), "the photo has 65537 bytes; at most 65536 are allowed");
    let template = try_seal(&|content| {
        content.fingers[3].capture = FingerCapture::Template(Biometric::new(vec![0; 5_000]));
    });
    assert_eq!(template.code(), "too_large");
    assert_eq!(try_seal(&|content| content.differs = vec!["x".to_owned(); 33]).code(), "too_large");
    assert_eq!(try_seal(&|content| content.capture.officer = "x".repeat(65)).code(), "too_large");
    let huge = vec![0; 300 * 1024];
    assert!(matches!(parse(&huge), Err(PacketError::TooLarge { .. })));
}

#[test]
fn a_missing_finger_keeps_its_reason() {
    let kit = TestKit::new(1);
    let mut content = content(5);
    for (finger, reason) in content.fingers.iter_mut().zip(MissingReason::ALL) {
        *finger = Finger { position: finger.position, capture: FingerCapture::Missing(reason) };
    }
    let packet = kit.seal(&envelope(kit.id, 5, 9), &content, 5);
    assert_eq!(application(&packet).fingers, content.fingers);
    assert_eq!(content.fingers[0].position, FingerPosition::RightThumb);
}

#[test]
fn a_content_of_an_earlier_version_is_named_as_such() {
    let with = content(5);
    let without = Content { finger_images: Vec::new(), ..content(5) };
    let (long, short) = (with.encode().unwrap(), without.encode().unwrap());
    // CBOR: an array of nine items, whose first is the version.
    assert_eq!((&long[..2], &short[..2]), (&[0x89, 3][..], &[0x89, 3][..]));
    assert_eq!(Content::decode(&long).unwrap(), with);
    assert_eq!(Content::decode(&short).unwrap(), without);
    // Version 1 had eight items, and version 2 nine.
    for (version, bytes) in [
        (1, [&[0x88, 1], &short[2..short.len() - 1]].concat()),
        (2, {
            let mut bytes = long.to_vec();
            bytes[1] = 2;
            bytes
        }),
    ] {
        let error = Content::decode(&bytes).unwrap_err();
        assert!(matches!(error, PacketError::Version { found, known: 3, .. } if found == version), "{error}");
    }
}

#[test]
fn images_of_fingers_have_their_limits() {
    let image =
        |bytes| FingerImage { position: FingerPosition::RightIndex, jpeg: Biometric::new(vec![0; bytes]) };
    let encode = |finger_images| Content { finger_images, ..content(5) }.encode().unwrap_err().code();
    assert_eq!(encode(vec![image(MAX_FINGER_IMAGE_BYTES + 1)]), "too_large");
    assert_eq!(encode(vec![image(9); 3]), "too_large");
    let most = Content { finger_images: vec![image(MAX_FINGER_IMAGE_BYTES); 2], ..content(5) };
    assert_eq!(Content::decode(&most.encode().unwrap()).unwrap(), most);
    // A position that is none: the last item is an array of [position, bytes] pairs.
    let one = Content { finger_images: vec![image(1)], ..content(5) };
    let mut bytes = one.encode().unwrap().to_vec();
    let at = bytes.len() - 3;
    assert_eq!(bytes[at], 2);
    bytes[at] = 0;
    assert!(Content::decode(&bytes).unwrap_err().to_string().contains("position outside 1 to 10"));
}

/// What is captured anew of citizen `number`: the photo and one finger of another citizen.
fn recapture(number: u64) -> Recapture {
    let (base, anew) = (content(number), content(number + 1));
    let mut record = base.record.clone();
    record.marital = Some(2);
    record.household = Some("H-7".to_owned());
    Recapture {
        changes: Changes::between(&base.record, &record).unwrap(),
        differs: vec!["marital".to_owned()],
        receipt_hash: [8; 32],
        fingers: vec![anew.fingers[1].clone()],
        photo: Some(anew.photo.clone()),
        capture: anew.capture.clone(),
        finger_images: vec![anew.finger_images[0].clone()],
    }
}

fn recaptured(kit: &TestKit, number: u64) -> Envelope {
    let base = application_id(number - 1);
    Envelope { carries: Carries::Recapture { kind: Kind::Reissue, base }, ..envelope(kit.id, number, 1) }
}

#[test]
fn a_recapture_takes_its_parts_and_nothing_else_along() {
    let kit = TestKit::new(1);
    let (base, part) = (content(5), recapture(5));
    let packet = kit.seal_any(&recaptured(&kit, 6), &Payload::Recapture(Box::new(part.clone())), 6);
    let plain = Payload::Recapture(Box::new(part.clone())).encode().unwrap();
    let holds = |needle: &[u8]| plain.windows(needle.len()).any(|window| window == needle);
    assert!(
        !holds(&base.photo.as_bytes()[100..132]) && holds(&part.photo.as_ref().unwrap().as_bytes()[100..132])
    );
    assert!(!holds("Mẫu".as_bytes()), "the name is no other, and stays at the centre");
    let Payload::Recapture(opened) = open(&packet, &intake_key()).unwrap().0 else { panic!("no recapture") };
    assert_eq!(*opened, part);
    let joined = opened.onto(&base).unwrap();
    assert_eq!((joined.record.marital, joined.record.household.as_deref()), (Some(2), Some("H-7")));
    assert_eq!(joined.record.name, base.record.name);
    assert_eq!(joined.photo, part.photo.unwrap());
    assert_eq!(joined.fingers[1], part.fingers[0]);
    assert_eq!(joined.fingers[0], base.fingers[0]);
    assert_eq!(joined.fingers.len(), 10);
    let image = |content: &Content, position| {
        content.finger_images.iter().find(|image| image.position == position).cloned()
    };
    let (right, left) = (FingerPosition::RightIndex, FingerPosition::LeftIndex);
    assert_eq!(image(&joined, right), Some(part.finger_images[0].clone()));
    assert_eq!(image(&joined, left), image(&base, left));
    let shown = format!("{:?}", opened.changes);
    assert_eq!(shown, "Changes(2 fields)");
}

#[test]
fn a_recapture_makes_nobody_else_of_the_person() {
    let base = content(5);
    let changed = |change: &dyn Fn(&mut domain::ResidentRecord)| {
        let mut record = base.record.clone();
        change(&mut record);
        let changes = Changes::between(&base.record, &record).unwrap();
        Recapture { changes, ..recapture(5) }.onto(&base).unwrap_err().to_string()
    };
    let other = domain::Pin::compose(42, domain::Sex::Male, 1990, 999_999).unwrap();
    assert!(changed(&|record| record.pin = Some(other)).contains("somebody else"));
    assert!(changed(&|record| record.sex = domain::Sex::Female).contains("somebody else"));
    let nothing = Recapture { fingers: Vec::new(), photo: None, ..recapture(5) };
    let encoded = Payload::Recapture(Box::new(nothing)).encode().unwrap();
    let carries = recaptured(&TestKit::new(1), 6).carries;
    let error = Payload::decode(carries, &encoded).unwrap_err();
    assert!(error.to_string().contains("neither a finger nor a photo"), "{error}");
}

#[test]
fn a_hand_over_comes_out_as_it_went_in() {
    let kit = TestKit::new(1);
    let envelope = Envelope { carries: Carries::HandOver, ..envelope(kit.id, 5, 1) };
    let shown = content(5).fingers[..2].to_vec();
    for (came, receipt_hash) in [
        (packet::Came::Holder(shown), Some([7; 32])),
        (packet::Came::Nobody, None),
        (packet::Came::NoMatch, None),
    ] {
        let capture = content(5).capture;
        let record = HandOver { card_sha256: [6; 32], receipt_hash, attempt: 2, came, capture };
        let packet = kit.seal_any(&envelope, &Payload::HandOver(record.clone()), 5);
        assert_eq!(open(&packet, &intake_key()).unwrap().0, Payload::HandOver(record));
        assert_eq!(verified(&packet, &kit).unwrap(), envelope);
    }
}

#[test]
fn an_envelope_says_what_is_inside_and_which_packet_was_before() {
    let kit = TestKit::new(1);
    let says = |change: &dyn Fn(&mut Envelope)| {
        let mut envelope = kit.placed(&envelope(kit.id, 5, 9));
        change(&mut envelope);
        let encoded = content(5).encode().unwrap();
        let sealed =
            packet::seal_encoded(&envelope, &encoded, kit.signers(), &centre_public(), &mut rng(1)).unwrap();
        parse(&sealed).map(|_| ()).unwrap_err().to_string()
    };
    assert!(says(&|envelope| envelope.prev_sha256 = None).contains("names no packet before it"));
    assert!(says(&|envelope| envelope.kit_seq = 1).contains("is the first and names one"));
    assert!(says(&|envelope| envelope.kit_seq = 0).contains("counter below 1"));
    let itself = |envelope: &mut Envelope| {
        envelope.carries = Carries::Recapture { kind: Kind::New, base: envelope.application_id };
    };
    assert!(says(&itself).contains("based on itself"));
    let late = time::macros::datetime!(9999-12-31 23:59 UTC);
    assert!(says(&|envelope| envelope.centre_at = Some(late)).contains("outside 1900 to 2199"));
    let mut hand_over = envelope(kit.id, 5, 1);
    hand_over.carries = Carries::HandOver;
    let other = seal(&hand_over, &content(5).into(), kit.signers(), &centre_public(), &mut rng(1));
    assert!(other.unwrap_err().to_string().contains("what that is not"));
}

#[test]
fn a_packet_of_the_versions_before_is_refused_with_a_sentence() {
    // Version 1 and 2 were a COSE_Sign1: tag 18.
    let old = [&[0xd2, 0x84, 0x43, 0xa1, 0x01, 0x26, 0xa0, 0x41, 0x00, 0x58, 64][..], &[7; 64]].concat();
    let error = parse(&old).map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "the packet has version 1; this program knows version 3");
    assert_eq!(error.code(), "unknown_version");
}

#[test]
fn templates_are_those_of_the_fingers_that_were_captured() {
    let mut content = content(5);
    content.fingers[2].capture = FingerCapture::Missing(MissingReason::Injured);
    let positions: Vec<_> = content.templates().unwrap().iter().map(|template| template.position()).collect();
    let expected: Vec<_> =
        FingerPosition::ALL.into_iter().filter(|position| *position != FingerPosition::RightMiddle).collect();
    assert_eq!(positions, expected);
    content.fingers[4].capture = FingerCapture::Template(Biometric::new(b"FMR".to_vec()));
    let error = content.templates().unwrap_err();
    assert!(matches!(error, PacketError::Template { finger: FingerPosition::RightLittle, .. }), "{error}");
    assert_eq!(error.code(), "finger_unreadable");
}

#[test]
fn no_images_is_something_else_than_no_fingers() {
    let mut content = content(5);
    let images = content.finger_images.clone();
    assert_eq!(content.images_for_chip(), ImagesForChip::Taken(&images));
    content.finger_images.clear();
    assert_eq!(content.images_for_chip(), ImagesForChip::NotTaken);
    for finger in &mut content.fingers {
        // A little finger never goes on the chip.
        if ![FingerPosition::RightLittle, FingerPosition::LeftLittle].contains(&finger.position) {
            finger.capture = FingerCapture::Missing(MissingReason::Amputated);
        }
    }
    assert_eq!(content.images_for_chip(), ImagesForChip::None);
}

#[test]
fn errors_say_where() {
    let packet = TestKit::new(1).packet(5, 9);
    let mut longer = packet.clone();
    longer.push(0);
    let error = parse(&longer).map(|_| ()).unwrap_err();
    assert_eq!(error, PacketError::Trailing { what: "the packet", offset: packet.len(), extra: 1 });
    let error = parse(&packet[..100]).map(|_| ()).unwrap_err();
    assert!(matches!(error, PacketError::Cbor { what: "the packet", .. }), "{error}");
    // The same packet with its tag written in three bytes instead of two.
    let roundabout = [&[0xd9, 0, 98], &packet[2..]].concat();
    let error = parse(&roundabout).map(|_| ()).unwrap_err();
    assert_eq!(error, PacketError::NotCanonical { what: "the packet", offset: 0 });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_flipped_bit_is_refused(position: prop::sample::Index, bit in 0u8..8) {
        let kit = TestKit::new(1);
        let mut packet = kit.packet(5, 1);
        let at = position.index(packet.len());
        packet[at] ^= 1 << bit;
        prop_assert!(verified(&packet, &kit).is_err(), "byte {at}");
    }

    #[test]
    fn a_truncated_packet_is_refused(position: prop::sample::Index) {
        let kit = TestKit::new(1);
        let packet = kit.packet(5, 1);
        prop_assert!(parse(&packet[..position.index(packet.len())]).is_err());
    }

    #[test]
    fn random_bytes_never_panic(bytes: Vec<u8>) {
        let kit = TestKit::new(1);
        prop_assert!(verified(&bytes, &kit).is_err());
        prop_assert!(open(&bytes, &intake_key()).is_err());
    }

    /// A packet whose kit is hostile: the outside is sound, the inside is damaged before it is opened.
    #[test]
    fn damaged_insides_never_panic(position: prop::sample::Index, value: u8) {
        let mut packet = TestKit::new(1).packet(5, 1);
        let at = position.index(packet.len());
        let changed = packet[at] != value;
        packet[at] = value;
        if let Ok((opened, _)) = open(&packet, &intake_key()) {
            // Only the outer signatures are outside the content's authentication: 66 bytes each, and the
            // officer's own header between them.
            prop_assert!(!changed || at >= packet.len() - 2 * 66 - 26);
            prop_assert_eq!(opened, content(5).into());
        }
    }

    /// A content as a hostile kit encrypts it: any byte of the images and of what stands before them may be
    /// anything.
    #[test]
    fn damaged_contents_never_panic(position: prop::sample::Index, value: u8, cut: prop::sample::Index) {
        let mut bytes = content(5).encode().unwrap().to_vec();
        let at = position.index(bytes.len());
        bytes[at] = value;
        if let Ok(read) = Content::decode(&bytes) {
            prop_assert_eq!(Content::decode(&read.encode().unwrap()).unwrap(), read);
        }
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(Content::decode(&bytes).is_err());
    }

    #[test]
    fn any_images_round_trip(sizes in prop::collection::vec((1u8..=10, 0usize..300), 0..=2)) {
        let image = |(code, bytes)| FingerImage {
            position: FingerPosition::from_code(code).unwrap(),
            jpeg: Biometric::new(vec![code; bytes]),
        };
        let content = Content { finger_images: sizes.into_iter().map(image).collect(), ..content(5) };
        prop_assert_eq!(Content::decode(&content.encode().unwrap()).unwrap(), content);
    }

    #[test]
    fn any_record_round_trips(number in 0u64..1_000_000, kit_seq in 1u64..=10_000_000) {
        let kit = TestKit::new(1);
        let (envelope, content) = (kit.placed(&envelope(kit.id, number, kit_seq)), content(number));
        let packet = kit.seal(&envelope, &content, number);
        prop_assert_eq!(verified(&packet, &kit).unwrap(), envelope);
        prop_assert_eq!(application(&packet), content);
    }
}
