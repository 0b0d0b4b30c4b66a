//! The codecs against hand-made records and arbitrary bytes.

use proptest::prelude::*;

use fingerprint::{
    Capture, Error, FingerPosition, Format, Impression, Minutia, MinutiaKind, Template, detect, encode,
    encode_as, parse, quality,
};

/// One view of a right index finger at 500 dpi with one bifurcation, written out from the standard's clause
/// 7.
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
    let truncated = Error::Truncated { what: "the format identifier", offset: 0, length: 3 };
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

/// The same finger in the 2011 edition, from its clause 8: a quality that failed and one of 80, a
/// certification, no minutia quality.
const RECORD_2011: [u8; 68] = [
    b'F', b'M', b'R', 0, b'0', b'3', b'0', 0, 0, 0, 0, 68, 0, 1, 1, // header, with certifications
    0, 0, 0, 53, 7, 230, 11, 22, 10, 0, 0, 0, 0, // length and date
    2, 0, 9, 0, 1, // technology, vendor, type
    2, 255, 0, 0, 0, 0, 80, 0, 0, 0, 1, // two quality blocks
    1, 0, 1, 2, // one certification
    2, 0, 0, 197, 0, 197, 29, 1, 0x90, 1,
    0xe0, // right index, view, resolution, unknown impression, size
    0x50, 1, 0x80, 100, 0, 200, 64, // one minutia of five bytes: type 2, x 100, y 200, straight up
    0, 0, // no extended data
];

/// And in ANSI INCITS 378-2004: straight up is 45 steps of two degrees.
const RECORD_ANSI: [u8; 38] = [
    b'F', b'M', b'R', 0, b' ', b'2', b'0', 0, 0, 38, 0, 51, 0, 1, 0x80, 7, 1, 0x90, 1, 0xe0, 0, 197, 0, 197,
    1, 0, // header
    2, 0, 80, 1, 0x80, 100, 0, 200, 45, 90, 0, 0,
];

#[test]
fn reads_the_other_standards_byte_by_byte() {
    let ours = parse(&RECORD).unwrap();
    assert_eq!(parse(&RECORD_ANSI).unwrap(), ours);
    let newer = &parse(&RECORD_2011).unwrap()[0];
    assert_eq!((newer.capture(), newer.minutiae()[0].quality), (ours[0].capture(), 0));
    assert_eq!(Minutia { quality: 90, ..newer.minutiae()[0] }, ours[0].minutiae()[0]);
    for (record, format) in
        [(&RECORD[..], Format::Iso2005), (&RECORD_2011, Format::Iso2011), (&RECORD_ANSI, Format::Ansi2004)]
    {
        assert_eq!(detect(record), Ok(format));
    }
    let mut long = RECORD_ANSI.to_vec();
    long.splice(8..10, [0, 0, 0, 0, 0, 42]);
    assert_eq!((detect(&long), parse(&long).unwrap()), (Ok(Format::Ansi2004), ours));
}

#[test]
fn says_where_records_of_the_other_standards_are_wrong() {
    let newer = |offset: usize, value: u8| {
        let mut record = RECORD_2011;
        record[offset] = value;
        parse(&record).unwrap_err()
    };
    assert!(matches!(newer(11, 69), Error::LengthMismatch { offset: 8, declared: 69, actual: 68 }));
    assert!(matches!(newer(13, 0), Error::OutOfRange { offset: 12, .. }));
    assert!(matches!(newer(14, 2), Error::OutOfRange { offset: 14, value: 2, .. }));
    assert!(matches!(newer(18, 51), Error::LengthMismatch { offset: 15, declared: 51, actual: 53 }));
    assert!(matches!(newer(39, 101), Error::OutOfRange { offset: 39, value: 101, .. }));
    assert!(matches!(newer(48, 11), Error::OutOfRange { offset: 48, value: 11, .. }));
    assert!(matches!(newer(54, 30), Error::OutOfRange { offset: 54, value: 30, .. }));
    assert!(matches!(newer(59, 0x70), Error::OutOfRange { offset: 59, value: 7, .. }));
    assert!(matches!(
        newer(60, 2),
        Error::OutOfRange { .. } | Error::OutsideImage { .. } | Error::Truncated { .. }
    ));
    let ansi = |offset: usize, value: u8| {
        let mut record = RECORD_ANSI;
        record[offset] = value;
        parse(&record).unwrap_err()
    };
    assert!(matches!(ansi(9, 39), Error::LengthMismatch { offset: 8, declared: 39, actual: 38 }));
    assert!(matches!(ansi(34, 180), Error::OutOfRange { offset: 34, value: 180, .. }));
    assert!(matches!(ansi(26, 11), Error::OutOfRange { offset: 26, value: 11, .. }));
}

#[test]
fn only_the_newest_standard_takes_views_of_different_images() {
    let view = parse(&RECORD).unwrap().remove(0);
    let other = Template::new(Capture { width: 401, ..view.capture() }, view.minutiae().to_vec()).unwrap();
    let views = [view, other];
    assert_eq!(encode_as(Format::Ansi2004, &views), Err(Error::MixedImages));
    assert_eq!(parse(&encode_as(Format::Iso2011, &views).unwrap()).unwrap(), views);
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
    fn the_other_standards_read_back_too(views in templates()) {
        let newer = encode_as(Format::Iso2011, &views).unwrap();
        prop_assert_eq!(detect(&newer), Ok(Format::Iso2011));
        prop_assert_eq!(&parse(&newer).unwrap(), &views);
        let ansi = encode_as(Format::Ansi2004, &views).unwrap();
        prop_assert_eq!(detect(&ansi), Ok(Format::Ansi2004));
        let read = parse(&ansi).unwrap();
        for (view, expected) in read.iter().zip(&views) {
            prop_assert_eq!(view.capture(), expected.capture());
            for (minutia, expected) in view.minutiae().iter().zip(expected.minutiae()) {
                let off = minutia.angle.wrapping_sub(expected.angle) as i8;
                prop_assert!(off.abs() <= 1, "off by {}", off);
                prop_assert_eq!(Minutia { angle: 0, ..*minutia }, Minutia { angle: 0, ..*expected });
            }
        }
        // What was rounded once stays.
        prop_assert_eq!(encode_as(Format::Ansi2004, &read).unwrap(), ansi);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(parse(&bytes).is_err());
    }

    #[test]
    fn damaged_records_never_panic(
        views in templates(),
        format in prop::sample::select(&[Format::Iso2005, Format::Iso2011, Format::Ansi2004][..]),
        hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut record = encode_as(format, &views).unwrap();
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
