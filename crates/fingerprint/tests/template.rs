//! The ISO/IEC 19794-2:2005 codec against hand-made records and arbitrary bytes.

use fingerprint::{
    Capture, Error, FingerPosition, Impression, Minutia, MinutiaKind, Template, encode, parse, quality,
};
use proptest::prelude::*;

/// One view of a right index finger at 500 dpi with one bifurcation, written out from the standard's clause 7.
const RECORD: [u8; 36] = [
    b'F', b'M', b'R', 0, b' ', b'2', b'0', 0, 0, 0, 0, 36, 0, 0, 1, 0x90, 1, 0xe0, 0, 197, 0, 197, 1,
    0, // header
    2, 0, 80, 1, // view
    0x80, 100, 0, 200, 64, 90, // minutia: type 2, x 100, y 200, straight up, quality 90
    0, 0, // no extended data
];

fn changed(offset: usize, value: u8) -> Vec<u8> {
    let mut record = RECORD.to_vec();
    record[offset] = value;
    record
}

#[test]
fn reads_a_record_byte_by_byte() {
    let views = parse(&RECORD).unwrap();
    let [view] = &views[..] else { panic!("one view") };
    assert_eq!(view.position(), FingerPosition::RightIndex);
    assert_eq!(view.impression(), Impression::LiveScanPlain);
    assert_eq!((view.quality(), view.width(), view.height(), view.resolution()), (80, 400, 480, 197));
    let expected = Minutia { x: 100, y: 200, angle: 64, kind: MinutiaKind::Bifurcation, quality: 90 };
    assert_eq!(view.minutiae(), [expected]);
    assert_eq!(encode(&views).unwrap(), RECORD);
}

#[test]
fn converts_other_resolutions_to_500_dpi() {
    let mut record = RECORD.to_vec();
    (record[18], record[19], record[20], record[21]) = (394_u16.to_be_bytes()[0], 138, 1, 138);
    let view = &parse(&record).unwrap()[0];
    assert_eq!((view.width(), view.height()), (200, 240));
    assert_eq!((view.minutiae()[0].x, view.minutiae()[0].y), (50, 100));
}

#[test]
fn says_where_a_record_is_wrong() {
    let truncated = Error::Truncated { what: "the record header", offset: 0, length: 3 };
    assert_eq!(parse(&RECORD[..3]).unwrap_err(), truncated);
    assert!(matches!(parse(&changed(0, b'X')), Err(Error::NotAMinutiaeRecord { offset: 0, .. })));
    assert!(matches!(parse(&changed(5, b'3')), Err(Error::NotAMinutiaeRecord { offset: 4, .. })));
    assert!(matches!(
        parse(&changed(11, 37)),
        Err(Error::LengthMismatch { offset: 8, declared: 37, actual: 36 })
    ));
    assert!(matches!(parse(&changed(19, 20)), Err(Error::OutOfRange { offset: 18, value: 20, .. })));
    assert!(matches!(parse(&changed(22, 0)), Err(Error::OutOfRange { offset: 22, .. })));
    assert!(matches!(parse(&changed(24, 11)), Err(Error::OutOfRange { offset: 24, value: 11, .. })));
    assert!(matches!(parse(&changed(25, 5)), Err(Error::OutOfRange { offset: 25, value: 5, .. })));
    assert!(matches!(parse(&changed(28, 0xc0)), Err(Error::OutOfRange { offset: 28, value: 3, .. })));
    assert!(matches!(parse(&changed(30, 2)), Err(Error::OutsideImage { offset: 28 })));
    assert!(matches!(parse(&changed(33, 101)), Err(Error::OutOfRange { offset: 33, value: 101, .. })));
    assert!(matches!(parse(&changed(35, 9)), Err(Error::Truncated { offset: 36, .. })));
    assert!(matches!(parse(&changed(27, 0)), Err(Error::Truncated { .. } | Error::TrailingBytes { .. })));
}

#[test]
fn debug_output_hides_the_minutiae() {
    let view = &parse(&RECORD).unwrap()[0];
    assert_eq!(format!("{view:?}"), "Template(RightIndex, 1 minutiae, redacted)");
    assert_eq!(format!("{:?}", view.minutiae()[0]), "Minutia(redacted)");
}

#[test]
fn refuses_views_of_different_images() {
    let view = parse(&RECORD).unwrap().remove(0);
    let other = Template::new(Capture { width: 401, ..view.capture() }, view.minutiae().to_vec()).unwrap();
    assert_eq!(encode(&[view, other]).unwrap_err(), Error::MixedImages);
}

fn templates() -> impl Strategy<Value = Vec<Template>> {
    let minutia =
        (0u16..500, 0u16..600, any::<u8>(), 0u8..3, 0u8..=100).prop_map(|(x, y, angle, kind, quality)| {
            let kind = [MinutiaKind::Other, MinutiaKind::Ending, MinutiaKind::Bifurcation][usize::from(kind)];
            Minutia { x, y, angle, kind, quality }
        });
    let view = (0u8..=10, 0u8..=100, prop::collection::vec(minutia, 0..=255)).prop_map(
        |(code, quality, minutiae)| {
            let position = FingerPosition::from_code(code).expect("0 to 10");
            let impression = Impression::LiveScanRolled;
            Template::new(Capture { position, impression, quality, width: 500, height: 600 }, minutiae)
                .expect("inside the image")
        },
    );
    prop::collection::vec(view, 1..=12)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn what_is_encoded_reads_back(views in templates()) {
        prop_assert_eq!(parse(&encode(&views).unwrap()).unwrap(), views);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(parse(&bytes).is_err());
    }

    #[test]
    fn damaged_records_never_panic(views in templates(), hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut record = encode(&views).unwrap();
        for (place, value) in hits {
            let place = place.index(record.len());
            record[place] = value;
        }
        for view in parse(&record).unwrap_or_default() {
            prop_assert!(quality(&view) <= 100);
            prop_assert!(view.minutiae().iter().all(|m| m.x < view.width() && m.y < view.height()));
        }
    }
}
